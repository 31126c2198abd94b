"""--pooling none: an output of residues and nothing else, for every command that meets one."""

import json
import signal

import numpy as np
import pytest

from fake_run import Job
from remedies import Trial, follows

ALONE = ["checksums.npy", "records.csv", "rejects.csv", "tokens.npy", "token_offsets.npy"]
NONE = ["--pooling", "none"]


@pytest.fixture
def t(longhaul_fake, folder):
    return Trial(longhaul_fake, folder)


def contents(out):
    assert not (out / "embeddings.npy").exists()
    return {name: (out / name).read_bytes() for name in ALONE}


def test_they_are_those_of_a_run_with_vectors_and_survive_kills(longhaul_fake, folder):
    job = Job(longhaul_fake, folder, 300, kill_at=9)
    out = folder / "out"
    kills = 0
    while (result := job.run_fake(*job.arguments(out, *NONE))).code == -signal.SIGKILL:
        kills += 1
    assert result.code == 3 and kills > 3, result
    assert longhaul_fake("verify", out, "--recompute", 3).code == 0
    job = Job(longhaul_fake, folder, 300)
    assert job.run_fake(*job.arguments(folder / "single", *NONE)).code == 3
    assert contents(out) == contents(folder / "single")
    job.run_fake(*job.arguments(folder / "both", "--tokens"))
    # The fake's residues depend on its pooling; how many there are does not.
    assert np.array_equal(np.load(out / "token_offsets.npy"),
                          np.load(folder / "both" / "token_offsets.npy"))
    single = folder / "single"
    assert job.run_fake(*job.arguments(single, *NONE)).code == 3  # nothing to do
    shown = " ".join(longhaul_fake("inspect", out).out.split())
    assert "tokens.npy" in shown and "embeddings.npy" not in shown
    fingerprint = json.loads((out / "run.json").read_text())["fingerprint"]
    assert fingerprint["pooling"] == "none" and fingerprint["tokens"] is True


def test_through_shards_merge_and_retry(longhaul_fake, folder):
    job = Job(longhaul_fake, folder, 400)
    job.run_fake(*job.arguments(folder / "single", *NONE, "--unknown", "token"))
    out = folder / "out"
    for index in (1, 2, 3):
        assert job.run_fake(*job.arguments(out, *NONE, "--shard", f"{index}/3")).code == 0
    assert longhaul_fake("merge", out, "--remove-shards").code == 3
    result = job.run_fake(*job.arguments(out, *NONE, "--retry-rejects", "--unknown", "token"))
    assert result.code == 3, result
    assert contents(out) == contents(folder / "single")
    assert longhaul_fake("verify", out).code == 0


def test_damage_is_found(t):
    t.works(*t.embed(*NONE))
    data = bytearray((t.out / "tokens.npy").read_bytes())
    data[-1] ^= 1
    (t.out / "tokens.npy").write_bytes(data)
    assert "tokens.npy row 3" in t.works("verify", t.out, code=65).err


@follows("lib/score/run_directory.cpp", "holds the vectors of residues alone")
def test_a_probe_asks_for_vectors_of_records(t):
    flags = ["--keep-column", "label"]
    t.works(*t.embed(*NONE, *flags))
    fit = ["probe", "fit", t.out, "-o", t.folder / "head.npz"]
    t.fails(65, "embed into another --output with a --pooling that gives one", *fit)
    t.fails(65, "embed into another --output", "probe", "cv", t.out)
    t.out = t.folder / "another"
    t.works(*t.embed("--pooling", "mean", *flags))
    t.works("probe", "fit", t.out, "-o", t.folder / "head.npz")


@follows("lib/config/validate_config.cpp", "--pooling none writes no vectors of records")
def test_what_means_nothing_is_refused(t):
    for flags in (["--normalize", "l2"], ["--output-dtype", "fp16"]):
        t.fails(2, "leave that out; --tokens-dtype is the type of residues",
                *t.embed(*NONE, *flags))
    t.fails(2, "leave it out", *t.embed(*NONE, "--format", "images"))
    t.works(*t.embed(*NONE, "--tokens-dtype", "fp32"))
    assert np.load(t.out / "tokens.npy").dtype == np.float32


def test_it_is_another_output_than_one_with_vectors(t):
    t.works(*t.embed(*NONE))
    t.fails(73, "", *t.embed("--tokens"))
    t.works(*t.embed(*NONE, "--tokens"))  # says the same


def test_a_card_says_how_vectors_are_made(t):
    card = json.loads(json.dumps({
        "card": 1, "name": "fake", "modality": "sequence", "inputs": [
            {"kind": "tokens", "dtype": "int64"}], "output": "tokens", "output_key": None,
        "dimension": 8, "max_tokens": None, "pooling": "none", "normalize": "none",
        "alphabet": {"tokens": ["<cls>", "<pad>", "<eos>", "<unk>", *"ACDEFGHIKLMNPQRSTVWY"],
                     "pad": "<pad>", "unknown": "<unk>", "prepend": "<cls>", "append": "<eos>",
                     "allowed": "ACDEFGHIKLMNPQRSTVWY"}}))
    t.write("model.json", json.dumps({"fake": True, "dimension": 8, "card": card}))
    result = t.works(*t.embed(), code=65)
    assert "pooling is 'none', which a run may ask for" in result.err


def test_of_a_real_model(longhaul, antiberty, tmp_path):
    data = tmp_path / "in.csv"
    data.write_text("sequence\n" + "".join("ACDEFGHIKLMNPQRSTVWY"[i:] + "EVQLV" * i + "\n"
                                           for i in range(18)))
    for name, flags in (("alone", NONE), ("both", ["--tokens"])):
        result = longhaul("embed", antiberty, data, "-o", tmp_path / name, "-q", *flags)
        assert result.code == 0, result
    for name in ("tokens.npy", "token_offsets.npy", "records.csv"):
        assert (tmp_path / "alone" / name).read_bytes() == (tmp_path / "both" / name).read_bytes()
    assert not (tmp_path / "alone" / "embeddings.npy").exists()
    assert longhaul("verify", tmp_path / "alone", "--recompute", 5).code == 0
