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
from shard_sets import Shards, edit, flip, shards, three, tree  # noqa: F401


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    yield from quick_folder(tmp_path_factory.mktemp("merge"))


@pytest.fixture(scope="module")
def job(longhaul_fake, folder):
    return Job(longhaul_fake, folder, 2000, commit_every="200ms")


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
