"""`longhaul merge`: the shards of an input become the output of a single run, byte for byte; what is
incomplete, mixed or damaged is refused, named, and left as it was."""

import json
import random
import re
import shlex
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest
from PIL import Image

from fake_run import Job, contents, journal, quick_folder, strace


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    yield from quick_folder(tmp_path_factory.mktemp("merge"))


class Shards:
    """A job whose records are dealt to N shards."""

    def __init__(self, job, out, count):
        self.job, self.out, self.count = job, out, count

    def embed(self, index, *more, code=0):
        result = self.job.run_fake(*self.job.arguments(self.out, "--shard",
                                                       f"{index}/{self.count}", *more))
        assert result.code == code, result
        return result

    def embed_all(self):
        for index in range(1, self.count + 1):
            self.embed(index)
        return self

    def path(self, index):
        return self.out / "shards" / f"{index}-of-{self.count}"

    def merge(self, *more, code=3):
        result = self.job.run_fake("merge", self.out, *more)
        assert result.code == code, result
        return result


def tree(path):
    """Every file's bytes, but for locks."""
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*"))
            if p.is_file() and p.name != "longhaul.lock"}


@pytest.fixture(scope="module")
def job(longhaul_fake, folder):
    return Job(longhaul_fake, folder, 2000, commit_every="200ms")


@pytest.fixture(scope="module")
def three(longhaul_fake, folder):
    """Three complete shards of 300 records, to be copied."""
    (folder / "small").mkdir()
    small = Job(longhaul_fake, folder / "small", 300, commit_every="200ms")
    return Shards(small, small.folder / "three", 3).embed_all()


@pytest.fixture
def shards(three, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(three.out, out)
    return Shards(three.job, out, 3)


@pytest.mark.parametrize("count", [1, 3, 8])
def test_merged_shards_are_the_single_run(job, folder, count):
    shards = Shards(job, folder / f"out-{count}", count).embed_all()
    shards.merge()
    assert contents(shards.out) == job.reference()
    single = json.loads((folder / "reference/run.json").read_text())
    merged = json.loads((shards.out / "run.json").read_text())
    assert merged["counts"] == single["counts"]
    assert merged["left_out"] == single["left_out"]
    assert merged["bits"] == "exact"
    assert len(merged["sessions"]) == count
    assert [s["shard"] for s in merged["sessions"]] == list(range(1, count + 1))
    assert merged["settings"]["shard"]["value"] is None
    assert journal(shards.out)[-1]["shards"] == count
    lines = [json.loads(line) for line in (shards.out / "memory.jsonl").read_text().splitlines()]
    assert {line["shard"] for line in lines} == set(range(1, count + 1))
    verified = job.run_fake("verify", shards.out, "--recompute", 20)
    assert verified.code == 0 and "20 the same bits" in verified.out, verified


@pytest.mark.parametrize("count, seed", [(1, 1), (3, 2), (8, 3)])
def test_kills_of_shards_and_of_merges_change_nothing(longhaul_fake, folder, count, seed, tmp_path):
    chance = random.Random(seed)
    base = folder / f"killed-{count}"
    base.mkdir()
    job = Job(longhaul_fake, base, 2000, rate=20000)
    out = base / "out"
    kills = 0
    for index in range(1, count + 1):
        for _ in range(2):
            process = job.start_with(out, "--shard", f"{index}/{count}")
            time.sleep(chance.uniform(0.02, 0.2))
            process.kill()
            kills += process.wait() == -signal.SIGKILL
            process.stderr.close()
    shards = Shards(job, out, count).embed_all()
    for _ in range(6):
        process = subprocess.Popen([str(longhaul_fake.path), "merge", str(out)],
                                   stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.0, 0.05))
        process.kill()
        process.wait()
    shards.merge()
    assert kills > 0
    job.options[job.options.index("--commit-every") + 1] = "5s"
    assert contents(out) == job.reference()


def test_a_merged_output_serves_every_command(shards):
    shards.merge()
    job, out = shards.job, shards.out
    before = tree(out)
    assert "nothing to do" in shards.merge().err
    assert job.run_fake("verify", out).code == 0
    inspected = job.run_fake("inspect", out)
    assert inspected.code == 0 and "complete, exit code 3" in inspected.out
    for index in (1, 2, 3):
        assert "nothing to do" in shards.embed(index, code=3).err
    assert "nothing to do" in job.finish(out).err
    assert tree(out) == before
    result = job.run_fake(*job.arguments(out, "--shard", "1/4"))
    assert result.code == 73, result
    assert "3" in result.err and "1 of 4" in result.err


def test_rejected_rows_of_a_merged_output_are_retried(shards):
    shards.merge("--remove-shards")
    job, out = shards.job, shards.out
    rejected = (out / "rejects.csv").read_text().count("\n") - 1
    result = job.run_fake(*job.arguments(out, "--retry-rejects", "--unknown", "token"))
    assert result.code == 3, result
    assert 0 < (out / "rejects.csv").read_text().count("\n") - 1 < rejected
    straight = out.parent / "straight"
    job.run_fake(*job.arguments(straight, "--unknown", "token"))
    assert contents(out) == contents(straight)
    assert job.run_fake("verify", out).code == 0
    assert "nothing to do" in shards.merge().err
    assert job.run_fake("merge", out, "--remove-shards").code == 3


def test_shards_are_removed_when_asked(shards):
    shards.merge("--remove-shards")
    assert not (shards.out / "shards").exists()
    assert contents(shards.out) == shards.job.reference()
    assert "nothing to do" in shards.embed(2, code=3).err


def test_shards_of_a_merged_output_are_removed_later(shards):
    shards.merge()
    assert (shards.out / "shards").exists()
    shards.merge("--remove-shards")
    assert not (shards.out / "shards").exists()
    assert shards.job.run_fake("verify", shards.out).code == 0


def test_limits_of_rejects(shards):
    rejected = sum((shards.path(i) / "rejects.csv").read_text().count("\n") - 1 for i in (1, 2, 3))
    before = tree(shards.out)
    result = shards.merge("--max-rejects", rejected - 1, code=65)
    assert f"{rejected} of 300 records rejected, more than the limit of {rejected - 1}" in result.err
    assert "not merged" in result.err
    shards.merge("--max-rejects", "1%", code=65)
    assert tree(shards.out) == before
    shards.merge("--max-rejects", "-1", code=2)
    shards.merge("--max-rejects", "20%", code=0)
    shards.merge(code=0)


def test_a_setting_of_the_shards_limits_rejects(three, tmp_path):
    job = three.job
    shards = Shards(job, tmp_path / "out", 3)
    for index in (1, 2, 3):
        shards.embed(index, "--max-rejects", "1%")
    shards.merge(code=65)
    shards.merge("--max-rejects", "none", code=3)


def test_signals_stop_a_merge(longhaul_fake, folder):
    base = folder / "signals"
    base.mkdir()
    job = Job(longhaul_fake, base, 2000, commit_every="5s")
    shards = Shards(job, base / "out", 3).embed_all()
    process = subprocess.Popen([str(longhaul_fake.path), "merge", str(shards.out)],
                               stderr=subprocess.PIPE, text=True)
    process.send_signal(signal.SIGTERM)
    error = process.communicate()[1]
    assert process.returncode in (75, 3, -signal.SIGTERM), error
    shards.merge()
    assert contents(shards.out) == job.reference()


# How to spoil a set of shards: what is done to it, the code, and what is said.

def edit(name, change):
    def spoil(shards):
        path = shards.path(2) / name
        path.write_bytes(change(path.read_bytes()))
    return spoil


def flip(at):
    """One bit at a place, from the end where it is negative."""
    def change(data):
        data = bytearray(data)
        data[at] ^= 1
        return bytes(data)
    return change


def remove(name, index=2):
    return lambda shards: (shards.path(index) / name).unlink()


def replace(old, new):
    def change(data):
        assert old in data
        return data.replace(old, new, 1)
    return change


def swap_lines(data):
    lines = data.splitlines(keepends=True)
    lines[5], lines[6] = lines[6], lines[5]
    return b"".join(lines)


def drop_line(data):
    lines = data.splitlines(keepends=True)
    return b"".join(lines[:5] + lines[6:])


def double_line(data):
    lines = data.splitlines(keepends=True)
    return b"".join(lines[:5] + lines[4:])


def drop_second_line(data):
    lines = data.splitlines(keepends=True)
    return b"".join(lines[:1] + lines[2:])


def folder_gone(index):
    return lambda shards: shutil.rmtree(shards.path(index))


def renamed(old, new):
    return lambda shards: (shards.out / "shards" / old).rename(shards.out / "shards" / new)


def copied(old, new):
    def spoil(shards):
        shutil.rmtree(shards.out / "shards" / new, ignore_errors=True)
        shutil.copytree(shards.out / "shards" / old, shards.out / "shards" / new)
    return spoil


def again(count=3, **changes):
    """Shard 2 of another run takes the place of this one's: other settings, model or input."""
    def spoil(shards):
        job, other = shards.job, shards.out.parent / "other"
        arguments = [str(a) for a in job.arguments(other, "--shard", f"2/{count}")]
        for new in changes.get("settings", []):
            arguments.append(new)
        if "model" in changes:
            model = shards.out.parent / "model.json"
            model.write_text(json.dumps({**json.loads(job.model.read_text()), **changes["model"]}))
            arguments[1] = str(model)
        if "input" in changes:
            path = shards.out.parent / "input.csv"
            path.write_text(changes["input"](job.input.read_text()))
            arguments[2] = str(path)
        result = job.run_fake(*arguments)
        assert result.code == 0, result
        shutil.rmtree(shards.path(2))
        (other / "shards" / f"2-of-{count}").rename(shards.path(2))
    return spoil


def changed_record(text):
    lines = text.splitlines()
    lines[1] = lines[1] + "A"  # a record of shard 1
    return "\n".join(lines) + "\n"


def own_record(text):
    lines = text.splitlines()
    lines[80] = lines[80] + "A"  # one of shard 2 itself
    return "\n".join(lines) + "\n"


def without_last(text):
    return "\n".join(text.splitlines()[:-1]) + "\n"


def one_more(text):
    return text + "extra,MKTAYIAKQR\n"


def killed(shards):
    """Shard 2 is begun anew, and not finished."""
    shards.embed(2, "--overwrite", "--time-limit", "1ms", code=75)


def choices(change):
    def spoil(shards):
        path = shards.out / "shards/choices.json"
        path.write_bytes(change(path.read_bytes()))
    return spoil


def stranger(name):
    return lambda shards: (shards.out / "shards" / name).mkdir()


def plain_journal(shards):
    job, other = shards.job, shards.out.parent / "plain"
    job.finish(other)
    shutil.copy(other / "journal.jsonl", shards.out / "journal.jsonl")


def plain_shard(shards):
    """A whole run stands where a shard should."""
    other = shards.out.parent / "plain"
    shards.job.finish(other)
    shutil.rmtree(shards.path(2))
    other.rename(shards.path(2))


SPOILT = {
    # Bytes of each file, wherever they are.
    "a bit of a vector": (edit("embeddings.npy", flip(1000)), 65, "embeddings.npy row"),
    "a bit of the last vector": (edit("embeddings.npy", flip(-1)), 65, "does not match its checksum"),
    "a bit of the array's header": (edit("embeddings.npy", flip(20)), 65, "header"),
    "an array cut short": (edit("embeddings.npy", lambda d: d[:-4]), 65, "its size"),
    "an array grown longer": (edit("embeddings.npy", lambda d: d + b"more"), 65, "its size"),
    "an empty array": (edit("embeddings.npy", lambda d: b""), 65, "embeddings.npy is damaged"),
    "no array": (remove("embeddings.npy"), 65, "embeddings.npy is missing"),
    "a bit of a checksum": (edit("checksums.npy", flip(200)), 65, "does not match its checksum"),
    "a bit of the checksums' header": (edit("checksums.npy", flip(30)), 65, "checksums.npy"),
    "checksums cut short": (edit("checksums.npy", lambda d: d[:-8]), 65, "checksums.npy"),
    "no checksums": (remove("checksums.npy"), 65, "checksums.npy is missing"),
    "a bit of a record's line": (edit("records.csv", flip(300)), 65, "records.csv bytes"),
    "a bit of the header of records": (edit("records.csv", flip(3)), 65, "records.csv bytes"),
    "a record's line gone": (edit("records.csv", drop_line), 65, "records.csv"),
    "a record's line twice": (edit("records.csv", double_line), 65, "records.csv"),
    "two records' lines swapped": (edit("records.csv", swap_lines), 65, "records.csv bytes"),
    "records cut short": (edit("records.csv", lambda d: d[:-20]), 65, "records.csv"),
    "records grown longer": (edit("records.csv", lambda d: d + b"x"), 65, "records.csv"),
    "no records": (remove("records.csv"), 65, "records.csv is missing"),
    "an id of a record": (edit("records.csv", replace(b",r64,", b",r65,")), 65, "records.csv bytes"),
    "a bit of a reject's line": (edit("rejects.csv", flip(60)), 65, "rejects.csv bytes"),
    "a reject's line gone": (edit("rejects.csv", lambda d: d[:d[:-1].rindex(b"\n") + 1]), 65,
                             "rejects.csv"),
    "no rejects": (remove("rejects.csv"), 65, "rejects.csv is missing"),
    "empty rejects": (edit("rejects.csv", lambda d: b""), 65, "rejects.csv"),
    "a bit of run.json": (edit("run.json", flip(50)), 65, "run.json is not what"),
    "no run.json": (remove("run.json"), 65, "run.json is missing"),
    "empty run.json": (edit("run.json", lambda d: b""), 65, "run.json"),
    # The journal, which vouches for all else.
    "a bit of the journal's first line": (edit("journal.jsonl", flip(100)), 65, "journal.jsonl is damaged"),
    "a bit of the journal's last line": (edit("journal.jsonl", flip(-30)), 75, "2 is not finished"),
    "a journal without its last line": (
        edit("journal.jsonl", lambda d: d[:d[:-1].rindex(b"\n") + 1]), 75, "2 is not finished"),
    "something after the journal": (edit("journal.jsonl", lambda d: d + b"{}\n"), 65,
                                    "after its last line"),
    "a journal's line gone": (edit("journal.jsonl", drop_second_line), 75, "2 is not finished"),
    "no journal": (remove("journal.jsonl"), 65, "journal.jsonl is missing"),
    "an empty journal": (edit("journal.jsonl", lambda d: b""), 75, "2 was not begun"),
    "another file as the journal": (edit("journal.jsonl", lambda d: b"hello\n"), 73, "not ours"),
    # Shards that are not there, or there twice.
    "no shard 1": (folder_gone(1), 75, "1 is missing"),
    "no shard 2": (folder_gone(2), 75, "2 is missing"),
    "no shard 3": (folder_gone(3), 75, "3 is missing"),
    "no shard at all": (lambda s: shutil.rmtree(s.out / "shards"), 75, "no shard was begun"),
    "a shard begun anew": (killed, 75, "2 is not finished"),
    "an empty folder for a shard": (
        lambda s: (shutil.rmtree(s.path(2)), s.path(2).mkdir()), 75, "2 was not begun"),
    "shard 1 in the place of shard 2": (copied("1-of-3", "2-of-3"), 65, "holds shard 1 of 3"),
    "a shard twice": (copied("1-of-3", "4-of-4"), 73, "one of 4 shards"),
    "a shard under another count": (renamed("2-of-3", "2-of-4"), 73, "one of 4 shards"),
    "shards under each other's names": (
        lambda s: [renamed(a, b)(s) for a, b in [("1-of-3", "x"), ("2-of-3", "1-of-3"),
                                                 ("x", "2-of-3")]], 65, "holds shard"),
    "a folder that is no shard": (stranger("02-of-3"), 73, "02-of-3 is no shard"),
    "a shard of another division": (again(count=5), 73, "holds shard 2 of 5"),
    "a whole run for a shard": (plain_shard, 73, "without --shard"),
    # Shards of another run.
    "another model": (again(model={"note": "x"}), 73, "model_sha256"),
    "another pooling": (again(settings=["--pooling", "max"]), 73, "pooling"),
    "another normalize": (again(settings=["--normalize", "l2"]), 73, "normalize"),
    "another output type": (again(settings=["--output-dtype", "fp16"]), 73, "output-dtype"),
    "another unknown policy": (again(settings=["--unknown", "token"]), 73, "unknown"),
    "another longest length": (again(settings=["--max-length", "50"]), 73, "max-length"),
    "another kept column": (again(settings=["--keep-column", "id"]), 73, "keep-column"),
    "an input with one record less": (again(input=without_last), 73, "299 records, not 300"),
    "an input with one record more": (again(input=one_more), 73, "301 records, not 300"),
    "an input that differs in another's record": (again(input=changed_record), 73, "other content"),
    "an input that differs in its own record": (again(input=own_record), 73, "other content"),
    # What stands around them.
    "a bit of choices.json": (choices(flip(100)), 65, "choices.json is damaged"),
    "an empty choices.json": (choices(lambda d: b""), 65, "choices.json is damaged"),
    "a plain run's journal in OUT": (plain_journal, 73, "without --shard"),
    "somebody's array in OUT": (lambda s: (s.out / "embeddings.npy").write_bytes(b"mine"), 73,
                                "embeddings.npy"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_spoilt_shards_are_refused_and_named(shards, case):
    spoil, code, said = SPOILT[case]
    spoil(shards)
    before = tree(shards.out)
    result = shards.merge(code=code)
    assert said in result.err, result
    assert len(result.err.strip().splitlines()[-1]) > 40 and ";" in result.err, result
    after = tree(shards.out)
    # Of the shards nothing is touched, and no finished output is there.
    assert {k: v for k, v in after.items() if k.startswith("shards/")} == {
        k: v for k, v in before.items() if k.startswith("shards/")}
    assert not (shards.out / "embeddings.npy").exists() or before.get("embeddings.npy") == b"mine"
    again_said = shards.merge("--remove-shards", code=code)
    assert said in again_said.err
    if "checksum" not in said and "row" not in said:
        assert {k: v for k, v in tree(shards.out).items()} == before


def test_there_are_enough_ways_to_spoil():
    assert len(SPOILT) >= 50


def test_a_damaged_shard_is_embedded_anew_and_merged(shards):
    edit("embeddings.npy", flip(-1))(shards)
    shards.merge("--remove-shards", code=65)
    shards.embed(2, "--overwrite")
    shards.merge("--remove-shards")
    assert contents(shards.out) == shards.job.reference()


def test_a_merge_that_waits_names_all_that_is_missing(longhaul_fake, folder):
    base = folder / "waiting"
    base.mkdir()
    job = Job(longhaul_fake, base, 300)
    shards = Shards(job, base / "out", 5)
    for index in (1, 4):
        shards.embed(index)
    result = shards.merge(code=75)
    assert "3 of 5 shards are not there yet: 2 is missing, 3 is missing, 5 is missing" in result.err


def test_lost_choices_are_no_loss(shards):
    (shards.out / "shards/choices.json").unlink()
    shards.merge()
    assert contents(shards.out) == shards.job.reference()


def test_other_places(longhaul_fake, tmp_path, shards):
    assert longhaul_fake("merge", tmp_path / "nowhere").code == 74
    (tmp_path / "empty").mkdir()
    assert longhaul_fake("merge", tmp_path / "empty").code == 75
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/thesis.tex").write_text("years of work")
    assert longhaul_fake("merge", tmp_path / "thesis").code in (73, 75)
    assert (tmp_path / "thesis/thesis.tex").read_text() == "years of work"
    plain = tmp_path / "plain"
    shards.job.finish(plain)
    before = tree(plain)
    result = longhaul_fake("merge", plain)
    assert result.code == 73 and "without --shard" in result.err
    assert tree(plain) == before


def test_more_shards_than_blocks(longhaul_fake, folder):
    base = folder / "few"
    base.mkdir()
    job = Job(longhaul_fake, base, 100)
    shards = Shards(job, base / "out", 7).embed_all()
    shards.merge()
    assert contents(shards.out) == job.reference()
    assert np.load(shards.out / "embeddings.npy").shape == (100, 16)
    assert job.run_fake("verify", shards.out).code == 0


def test_repeated_ids_are_counted_over_all_shards(longhaul_fake, folder):
    base = folder / "repeated"
    base.mkdir()
    job = Job(longhaul_fake, base, 300)
    lines = job.input.read_text().splitlines()
    for row in (70, 150, 299):
        lines[row] = re.sub(r"^r\d+", "r3", lines[row])
    job.input.write_text("\n".join(lines) + "\n")
    shards = Shards(job, base / "out", 4).embed_all()
    shards.merge()
    assert contents(shards.out) == job.reference()
    counts = json.loads((shards.out / "run.json").read_text())["counts"]
    assert counts["repeated_ids"] == 3
    assert counts == json.loads((base / "reference/run.json").read_text())["counts"]


@pytest.mark.parametrize("kind", ["exact", "dhash"])
def test_duplicates_are_found_across_shards(longhaul, tiny_image_model, tmp_path, kind):
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(150):
        pixels = np.random.default_rng(i * 7 % 60).integers(0, 255, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:03}.png")
    (folder / "bad.png").write_bytes(b"x")
    command = ["embed", tiny_image_model, folder, "--skip-duplicates", kind, "-q"]
    single, out = tmp_path / "single", tmp_path / "out"
    assert longhaul(*command, "-o", single).code == 3
    for index in (1, 2):
        assert longhaul(*command, "-o", out, "--shard", f"{index}/2").code == 0
    assert longhaul("merge", out).code == 3
    assert contents(out) == contents(single)
    counts = json.loads((out / "run.json").read_text())["counts"]
    assert counts == json.loads((single / "run.json").read_text())["counts"]
    assert counts["duplicates"] == 90
    assert longhaul("verify", out).code == 0


@pytest.mark.parametrize("copied", [0, 1, 2])
def test_an_output_that_is_half_merged_says_so(shards, needs_strace, copied):
    """Killed once the notes of `copied` shards are in its journal."""
    kept = shards.out.with_name("kept")
    shards.out.rename(kept)
    for write in range(1, 200):
        shutil.rmtree(shards.out, ignore_errors=True)
        shutil.copytree(kept, shards.out)
        subprocess.run([*map(str, strace(shards.out.parent / "trace", "pwrite64",
                                         f"signal=KILL:when={write}")),
                        str(shards.job.run_fake.path), "merge", str(shards.out)],
                       stderr=subprocess.DEVNULL, check=False)
        lines = journal(shards.out)
        if lines and sum("merged" in json.dumps(line) for line in lines[1:]) == copied:
            break
    assert journal(shards.out)[-1]["kind"] != "finish"
    name = shlex.quote(str(shards.out))
    inspected = shards.job.run_fake("inspect", shards.out)
    text = " ".join(inspected.out.split())
    assert inspected.code == 0 and f"begun and stopped: {copied} of 3 shards are copied" in text
    assert f"longhaul merge {name} goes on with it" in text.replace("- ", "-"), text
    told = json.loads(shards.job.run_fake("inspect", shards.out, "--json").out)
    assert told["merge"] == {"copied": copied, "state": "stopped"}
    assert [shard["state"] for shard in told["shards"]] == ["complete"] * 3
    verified = shards.job.run_fake("verify", shards.out)
    assert verified.code == 65, verified
    assert f"3 shards are being merged, and {copied} of them are copied" in verified.err
    shards.merge()
    assert shards.job.run_fake("verify", shards.out).code == 0
