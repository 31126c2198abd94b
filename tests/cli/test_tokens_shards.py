"""--tokens through --shard and merge: tokens.npy and token_offsets.npy are a single run's, whatever
was killed, and what is spoiled is found."""

import json
import signal

import numpy as np
import pytest

from fake_run import Job

PARTS = ["embeddings.npy", "checksums.npy", "records.csv", "rejects.csv", "tokens.npy",
         "token_offsets.npy"]
SHARDS = 3


def contents(out):
    return {name: (out / name).read_bytes() for name in PARTS}


def killed_until_done(job, out, *more, code):
    """Gives the command until it ends by itself; how often it was killed before."""
    kills = 0
    while True:
        result = job.run_fake(*job.arguments(out, "--tokens", *more))
        if result.code != -signal.SIGKILL:
            assert result.code == code, result
            return kills
        kills += 1


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_merged_residues_are_those_of_a_single_run(longhaul_fake, folder):
    job = Job(longhaul_fake, folder, 700)
    job.finish(folder / "single", "--tokens")
    expected = contents(folder / "single")
    killed = Job(longhaul_fake, folder, 700, kill_at=4)
    out = folder / "out"
    kills = sum(killed_until_done(killed, out, "--shard", f"{index}/{SHARDS}", code=0)
                for index in range(1, SHARDS + 1))
    assert kills > 5
    assert longhaul_fake("merge", out).code == 3
    assert contents(out) == expected
    assert longhaul_fake("verify", out).code == 0
    assert job.run_fake(*job.arguments(out, "--tokens", "--shard", "2/3")).code == 3


@pytest.mark.parametrize("name, at", [("tokens.npy", -1), ("tokens.npy", 128 + 5000),
                                      ("token_offsets.npy", 128 + 8 * 50)])
def test_spoiled_residues_of_a_shard_are_not_merged(longhaul_fake, folder, name, at):
    job = Job(longhaul_fake, folder, 400)
    job.finish(folder / "single", "--tokens")
    out = folder / "out"
    for index in range(1, SHARDS + 1):
        assert job.run_fake(*job.arguments(out, "--tokens", "--shard", f"{index}/3")).code == 0
    shard = out / "shards" / "2-of-3"
    flip(shard / name, at)
    assert longhaul_fake("verify", shard).code == 65
    result = longhaul_fake("merge", out)
    assert result.code == 65 and "2-of-3" in result.err, result
    assert job.run_fake(*job.arguments(out, "--tokens", "--shard", "2/3", "--overwrite")).code == 0
    assert longhaul_fake("merge", out, "--remove-shards").code == 3
    assert contents(out) == contents(folder / "single")
    flip(out / name, at)
    result = longhaul_fake("verify", out)
    assert result.code == 65, result


def test_a_merged_output_takes_retried_residues(longhaul_fake, folder):
    job = Job(longhaul_fake, folder, 400)
    job.run_fake(*job.arguments(folder / "single", "--tokens", "--unknown", "token"))
    out = folder / "out"
    for index in range(1, SHARDS + 1):
        job.run_fake(*job.arguments(out, "--tokens", "--shard", f"{index}/3"))
    assert longhaul_fake("merge", out).code == 3
    result = job.run_fake(*job.arguments(out, "--tokens", "--retry-rejects", "--unknown", "token"))
    assert result.code == 3, result
    assert contents(out) == contents(folder / "single")
    assert longhaul_fake("verify", out).code == 0


def test_inspect_lists_the_arrays(longhaul_fake, folder):
    job = Job(longhaul_fake, folder, 300)
    out = folder / "out"
    job.finish(out, "--tokens")
    residues = len(np.load(out / "tokens.npy"))
    shown = longhaul_fake("inspect", out).out
    assert "embeddings.npy 300 x 16 fp32\n" in shown
    text = " ".join(shown.split())
    assert f"tokens.npy {residues:,} x 16 fp16, of 300 rows by token_offsets.npy" in text
    arrays = json.loads(longhaul_fake("inspect", out, "--json").out)["arrays"]
    assert arrays == [
        {"file": "embeddings.npy", "kind": "vector", "rows": 300, "dimension": 16, "dtype": "fp32"},
        {"file": "tokens.npy", "kind": "tokens", "rows": 300, "dimension": 16, "dtype": "fp16",
         "vectors": residues, "offsets": "token_offsets.npy"}]


def test_a_disk_too_small_for_all_shards_is_refused(longhaul_fake, folder):
    # One record of many names the disk, whose free space no test can choose: see residues_test.cpp.
    job = Job(longhaul_fake, folder, 300)
    result = job.run_fake(*job.arguments(folder / "out", "--tokens", "--shard", "1/4"))
    assert "residues in all shards, and to merge them as much again" in result.err, result


def test_of_a_real_model(longhaul, antiberty, tmp_path):
    rng = np.random.default_rng(11)
    letters = np.array(list("ACDEFGHIKLMNPQRSTVWY"))
    data = tmp_path / "in.csv"
    data.write_text("sequence\n" + "".join(
        "".join(rng.choice(letters, rng.integers(5, 130))) + "\n" for _ in range(200)))

    def embed(out, *more):
        result = longhaul("embed", antiberty, data, "-o", out, "-q", "--tokens", *more)
        assert result.code == 0, result

    embed(tmp_path / "single")
    for index, more in enumerate([["-b", 3], ["--threads", 1, "--window", 50]], start=1):
        embed(tmp_path / "out", "--shard", f"{index}/2", *more)
    assert longhaul("merge", tmp_path / "out").code == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "single")
    assert longhaul("verify", tmp_path / "out", "--recompute", 5).code == 0
