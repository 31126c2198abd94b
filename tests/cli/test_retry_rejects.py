"""--retry-rejects: the rejected rows of a complete output embedded again, nothing else touched."""

import csv
import json
import random
import shutil
import signal
import subprocess

import numpy as np
import pytest

from fake_run import LEFT, Job, contents, journal, quick_folder, strace


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def report(out):
    return json.loads((out / "run.json").read_text())


@pytest.fixture(scope="module")
def job(longhaul_fake, tmp_path_factory):
    """300 records, of which 13 hold a '?' and 8 are empty; three more are over-long."""
    for folder in quick_folder(tmp_path_factory.mktemp("retry")):
        job = Job(longhaul_fake, folder, 300, max_tokens=150)
        lines = job.input.read_text().splitlines()
        for row in (3, 64, 299):
            lines[row + 1] = f"r{row}," + "ACDEFGHIKL" * (20 + row)
        job.input.write_text("\n".join(lines) + "\n")
        job.reference()
        yield job


@pytest.fixture
def out(job):
    """A copy of the complete output."""
    out = job.folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(job.folder / "reference", out)
    return out


def test_retried_rows_equal_a_direct_run_and_the_others_stay(job, out, tmp_path):
    before = np.load(out / "embeddings.npy")
    rejected = [int(r["row"]) for r in table(out / "rejects.csv") if r["reason"] == "too_long"]
    assert rejected == [3, 64, 299]
    result = job.run_fake(*job.arguments(out, "--retry-rejects", "--too-long", "truncate"))
    assert result.code == 3, result
    assert sorted(p.name for p in out.iterdir()) == LEFT
    direct = tmp_path / "direct"
    assert job.run_fake(*job.arguments(direct, "--too-long", "truncate")).code == 3
    assert contents(out) == contents(direct)
    after = np.load(out / "embeddings.npy")
    assert np.isfinite(after[rejected]).all()
    others = [row for row in range(300) if row not in rejected]
    assert after[others].tobytes() == before[others].tobytes()
    again = [r for r in table(out / "records.csv") if int(r["row"]) in rejected]
    assert [r["truncated"] for r in again] == ["true"] * 3
    run, straight = report(out), report(direct)
    assert run["counts"] == straight["counts"] and run["code"] == 3
    retry, = run["retries"]
    assert retry["changed"] == {"too-long": {"before": "reject", "now": "truncate"}}
    assert retry["rows"] == retry["embedded"] + retry["still_rejected"]
    assert retry["rows"] == len(table(out / "rejects.csv")) + 3
    assert run["fingerprint"]["too-long"] == "reject" and len(run["sessions"]) == 2
    verified = job.run_fake("verify", out, "--recompute", 290, "--json")
    assert verified.code == 0, verified
    assert json.loads(verified.out)["recomputed"]["equal"] == np.isfinite(after[:, 0]).sum()


def test_what_is_left_is_retried_again_until_nothing_is_rejected(job, tmp_path):
    text = tmp_path / "input.csv"
    text.write_text("id,sequence\na,MKL\nb,MK?L\nc," + "MKLW" * 50 + "\nd,MKV\n")
    out = tmp_path / "out"
    command = ["embed", job.model, text, "-o", out, "--progress", "none"]
    assert job.run_fake(*command).code == 3
    assert job.run_fake(*command, "--retry-rejects", "--too-long", "truncate").code == 3
    assert [r["id"] for r in table(out / "rejects.csv")] == ["b"]
    done = job.run_fake(*command, "--retry-rejects", "--unknown", "token")
    assert done.code == 0, done
    assert table(out / "rejects.csv") == [] and report(out)["counts"]["rejected"] == 0
    assert np.isfinite(np.load(out / "embeddings.npy")).all()
    assert len(report(out)["retries"]) == 2
    assert job.run_fake("verify", out, "--recompute", 4).code == 0
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    again = job.run_fake(*command, "--retry-rejects", "--unknown", "token")
    assert again.code == 0 and "nothing to retry" in again.err
    assert job.run_fake(*command).code == 0
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before


def test_without_another_setting_nothing_changes_but_the_account_of_it(job, out):
    before = contents(out)
    result = job.run_fake(*job.arguments(out, "--retry-rejects"))
    assert result.code == 3, result
    assert contents(out) == before
    assert report(out)["retries"][0]["embedded"] == 0
    assert job.run_fake("verify", out).code == 0


def test_rows_named_in_warnings_are_those_of_the_output(job, out):
    result = job.run_fake(*job.arguments(out, "--retry-rejects"))
    first = next(r for r in table(out / "rejects.csv") if r["reason"] == "too_long")
    assert f"record {first['row']} ({first['id']})" in result.err


@pytest.mark.parametrize("flags, words", [
    (["--pooling", "max"], "pooling"), (["--normalize", "l2"], "normalize"),
    (["--output-dtype", "fp16"], "output-dtype"), (["--max-length", "20"], "max-length")])
def test_other_settings_may_not_change(job, out, flags, words):
    before = contents(out)
    result = job.run_fake(*job.arguments(out, "--retry-rejects", *flags))
    assert result.code == 73 and words in result.err, result
    assert contents(out) == before
    assert job.run_fake("verify", out).code == 0


def test_an_output_that_is_absent_or_unfinished_is_refused_with_the_way_on(job, tmp_path,
                                                                           needs_strace):
    out = tmp_path / "out"
    result = job.run_fake(*job.arguments(out, "--retry-rejects"))
    assert result.code == 2 and "without --retry-rejects first" in result.err
    assert not out.exists()
    process = job.start(out, strace(tmp_path / "log", "fdatasync", "error=EIO:when=30"))
    process.communicate()
    assert process.returncode == 74
    result = job.run_fake(*job.arguments(out, "--retry-rejects"))
    assert result.code == 2 and "is not complete" in result.err
    job.finish(out)
    job.check_complete(out)


def test_another_input_is_refused_and_the_output_stays(job, out):
    before = contents(out)
    original = job.input.read_text()
    lines = original.splitlines()
    lines[100] = lines[100][:-1] + ("A" if lines[100][-1] != "A" else "C")
    try:
        job.input.write_text("\n".join(lines) + "\n")
        result = job.run_fake(*job.arguments(out, "--retry-rejects", "--too-long", "truncate"))
    finally:
        job.input.write_text(original)
    assert result.code == 73 and "with other content" in result.err, result
    assert contents(out) == before and not (out / "retry.partial").exists()
    assert job.run_fake("verify", out).code == 0


def test_what_cannot_be_retried_says_so(job, tmp_path, out):
    result = job.run_fake(*job.arguments(out, "--retry-rejects", "--recycle-every", 5))
    assert result.code == 2 and "recycl" in result.err
    compat = tmp_path / "compat"
    options = ["--pooling", "mean-compat", "--order", "input"]
    assert job.run_fake(*job.arguments(compat, *options)).code == 3
    result = job.run_fake(*job.arguments(compat, *options, "--retry-rejects"))
    assert result.code == 2 and "mean-compat" in result.err


def test_strict_is_65_while_rows_are_still_rejected(job, out):
    result = job.run_fake(*job.arguments(out, "--retry-rejects", "--strict"))
    assert result.code == 65 and "more records are rejected than allowed" in result.err
    assert report(out)["code"] == 65


def test_a_retry_of_standard_input(job, tmp_path):
    out = tmp_path / "out"
    text = "id,sequence\na,MKL\nb,MK?L\n"
    command = ["embed", job.model, "-", "--format", "csv", "-o", out, "--progress", "none"]
    assert job.run_fake(*command, stdin=text).code == 3
    done = job.run_fake(*command, "--retry-rejects", "--unknown", "token", stdin=text)
    assert done.code == 0, done
    assert np.isfinite(np.load(out / "embeddings.npy")).all()


def test_killed_anywhere_it_continues_with_the_same_command(longhaul_fake, tmp_path_factory,
                                                            needs_strace):
    """SIGKILL at every n-th call of each kind: OUT is as before, or the next start completes it."""
    for folder in quick_folder(tmp_path_factory.mktemp("killed")):
        job = Job(longhaul_fake, folder, 150, window=50)
        job.reference()
        more = ["--retry-rejects", "--unknown", "token"]
        direct = folder / "direct"
        assert job.run_fake(*job.arguments(direct, "--unknown", "token")).code == 3
        expected, before = contents(direct), contents(folder / "reference")
        chance, fired, merging = random.Random(5), 0, 0
        for call in ["pwrite64", "fdatasync", "fsync", "rename", "unlink", "openat", "mkdir",
                     "rmdir"]:
            n = 1
            while True:
                out = folder / "out"
                shutil.rmtree(out, ignore_errors=True)
                shutil.copytree(folder / "reference", out)
                prefix = map(str, strace(folder / "log", call, f"signal=SIGKILL:when={n}"))
                process = subprocess.run([*prefix, *job.command(out, *more)],
                                         capture_output=True, text=True)
                if process.returncode != -signal.SIGKILL:
                    assert process.returncode == 3, process
                    break
                fired += 1
                kinds = [line["kind"] for line in journal(out)]
                if kinds[-1] == "retry":
                    merging += 1
                    # Any start completes it, also one that asks for no retry.
                    again = job.run_fake(*job.arguments(out, *(more if n % 2 else ())))
                else:
                    if "retry" not in kinds:
                        assert contents(out) == before
                    again = job.run_fake(*job.arguments(out, *more))
                assert again.code == 3, (call, n, again)
                assert contents(out) == expected, (call, n)
                assert not (out / "retry.partial").exists() or "retry" not in kinds
                assert job.run_fake("verify", out).code == 0
                n += 1 if n < 4 else chance.randrange(2, 8) if call != "openat" else 15
        assert fired >= 40 and merging >= 5
        print(f"killed {fired} times, {merging} of them while merging")


def test_with_a_real_encoder(longhaul, tiny_model, tmp_path):
    """Over-long records rejected first; truncated by a retry they have the bits of a direct run."""
    chance = random.Random(2)
    rows = [(f"p{i}", "".join(chance.choices("ACDEFGHIKLMNPQRSTVWY", k=chance.randrange(10, 90))))
            for i in range(120)]
    text = tmp_path / "input.fasta"
    text.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in rows))
    common = ["--max-length", 60, "--progress", "none", "--threads", 1]
    out, direct = tmp_path / "out", tmp_path / "direct"
    assert longhaul("embed", tiny_model, text, "-o", out, *common).code == 3
    before = np.load(out / "embeddings.npy")
    rejected = np.isnan(before).all(axis=1)
    assert 20 < rejected.sum() < 100
    retried = longhaul("embed", tiny_model, text, "-o", out, *common, "--retry-rejects",
                       "--too-long", "truncate")
    assert retried.code == 0, retried
    assert longhaul("embed", tiny_model, text, "-o", direct, *common,
                    "--too-long", "truncate").code == 0
    assert contents(out) == contents(direct)
    after = np.load(out / "embeddings.npy")
    assert after[~rejected].tobytes() == before[~rejected].tobytes()
    assert np.isfinite(after).all()
    assert longhaul("verify", out, "--recompute", 30).code == 0
