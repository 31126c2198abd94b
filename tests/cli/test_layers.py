"""--layer: several outputs of one forward, picked by name, each in a file of its own."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from conftest import ROOT
from fake_run import Job
from remedies import Trial, follows

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
PARTS = ["embeddings.npy", "embeddings.late.npy", "tokens.npy", "token_offsets.npy",
         "checksums.npy", "records.csv", "rejects.csv"]
TWO = ["--layer", "early", "--layer", "late"]


def card(dimension=16):
    output = {"kind": "tokens", "dimension": dimension}
    return {"card": 2, "name": "fake", "modality": "sequence", "method": "forward",
            "inputs": [{"kind": "tokens", "dtype": "int64"}, {"kind": "mask", "dtype": "int64"}],
            "outputs": [{"name": "early", "key": 0, **output},
                        {"name": "middle", "key": 1, **output, "default": True},
                        {"name": "late", "key": 2, **output}],
            "max_tokens": None, "pooling": "mean", "normalize": "none", "golden": [],
            "source": {"weights": "none"},
            "alphabet": {"tokens": ["<cls>", "<pad>", "<eos>", "<unk>", *LETTERS], "pad": "<pad>",
                         "unknown": "<unk>", "prepend": "<cls>", "append": "<eos>",
                         "allowed": LETTERS}}


def contents(out):
    return {name: (out / name).read_bytes() for name in PARTS}


def test_each_layer_is_what_it_is_alone(longhaul_fake, folder):
    job = Job(longhaul_fake, folder, 200, card=card())
    job.finish(folder / "both", *TWO, "--tokens")
    job.finish(folder / "early", "--layer", "early", "--tokens")
    job.finish(folder / "late", "--layer", "late")
    job.finish(folder / "middle")
    job.finish(folder / "named", "--layer", "middle")

    def read(out, name="embeddings.npy"):
        return (folder / out / name).read_bytes()

    assert read("both") == read("early") != read("late")
    assert read("both", "embeddings.late.npy") == read("late")
    assert read("both", "tokens.npy") == read("early", "tokens.npy")
    assert read("middle") == read("named") not in (read("early"), read("late"))
    fingerprint = json.loads((folder / "both" / "run.json").read_text())["fingerprint"]
    assert fingerprint["layer"] == ["early", "late"]
    shown = " ".join(longhaul_fake("inspect", folder / "both").out.split())
    assert "embeddings.late.npy 200 x 16 fp32" in shown
    shown = " ".join(longhaul_fake("inspect", job.model).out.split())
    assert "early: tokens, 16 dimensions, part 0" in shown
    assert "middle: tokens, 16 dimensions, part 1, the default" in shown
    # What is not named is the default, so this is the same run; another layer is another.
    assert job.run_fake(*job.arguments(folder / "middle", "--layer", "middle")).code == 3
    result = job.run_fake(*job.arguments(folder / "middle", "--layer", "late"))
    assert result.code == 73 and "layer" in result.err, result


def test_kills_shards_merge_retry_and_verify(longhaul_fake, folder):
    job = Job(longhaul_fake, folder, 400, card=card())
    flags = [*TWO, "--tokens"]
    job.run_fake(*job.arguments(folder / "single", *flags, "--unknown", "token"))
    expected = contents(folder / "single")
    job = Job(longhaul_fake, folder, 400, card=card(), kill_at=5)
    out, kills = folder / "out", 0

    def embed(*more, code):
        nonlocal kills
        while (result := job.run_fake(*job.arguments(out, *flags, *more))).code == -signal.SIGKILL:
            kills += 1
        assert result.code == code, result

    for index in (1, 2):
        embed("--shard", f"{index}/2", code=0)
    assert kills > 5
    assert longhaul_fake("merge", out, "--remove-shards").code == 3
    embed("--retry-rejects", "--unknown", "token", code=3)
    assert contents(out) == expected
    assert longhaul_fake("verify", out, "--recompute", 3).code == 0
    data = bytearray((out / "embeddings.late.npy").read_bytes())
    data[-1] ^= 1
    (out / "embeddings.late.npy").write_bytes(data)
    assert longhaul_fake("verify", out).code == 65


@follows("lib/encode/outputs.cpp", "but this model has one output", "is no output of this model",
         "is given twice")
@follows("lib/config/validate_config.cpp", "--pooling none writes the residues of one layer")
def test_what_there_is_not_is_refused(longhaul_fake, folder):
    t = Trial(longhaul_fake, folder)
    t.fails(2, "leave --layer out", *t.embed("--layer", "early"))
    t.works(*t.embed())
    t.write("model.json", json.dumps({"fake": True, "dimension": 16, "card": card()}))
    t.out = folder / "other"
    t.fails(2, "its outputs are early, middle, late", *t.embed("--layer", "last"))
    t.fails(2, "give each layer once", *t.embed("--layer", "late", "--layer", "late"))
    t.fails(2, "give one --layer", *t.embed(*TWO, "--pooling", "none"))
    t.works(*t.embed("--layer", "late", "--pooling", "none"))


def test_a_probe_is_of_one_layer(longhaul_fake, folder):
    t = Trial(longhaul_fake, folder)
    t.works(*t.embed())
    t.write("model.json", json.dumps({"fake": True, "dimension": 16, "card": card()}))
    outs = {}
    for name, layers in (("early", ["early"]), ("both", ["early", "late"]), ("late", ["late"])):
        t.out = outs[name] = folder / name
        t.works(*t.embed(*(word for layer in layers for word in ("--layer", layer)),
                         "--keep-column", "label"))
    head = folder / "head.npz"
    t.works("probe", "fit", outs["early"], "-o", head)
    assert "layer is early for the head and late for the embeddings" in t.works(
        "probe", "predict", head, outs["late"], "-o", folder / "p.csv", code=65).err
    # Its first layer is what embeddings.npy holds.
    t.works("probe", "predict", head, outs["both"], "-o", folder / "p.csv")


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """The same weights with all layers, and with each alone."""
    folder = tmp_path_factory.mktemp("layers")
    return {"all": exported(folder / "all.ts", "--layers", "0,1,2"),
            **{layer: exported(folder / f"{layer}.ts", "--layer", layer) for layer in (2, 0, 1)}}


def exported(out, *flags):
    subprocess.run([sys.executable, ROOT / "scripts/export_esm.py", "--random", "tiny", out,
                    *map(str, flags)], check=True, stdout=subprocess.DEVNULL)
    return out


@pytest.mark.parametrize("flags", [[], ["--cpu-kernels", "mkl"], ["--dtype", "bf16"]])
def test_three_layers_in_one_pass_are_three_exports(longhaul, archives, tmp_path, flags):
    data = tmp_path / "in.csv"
    rng = np.random.default_rng(3)
    data.write_text("sequence\n" + "".join(
        "".join(rng.choice(list(LETTERS), rng.integers(3, 200))) + "\n" for _ in range(60)))
    result = longhaul("embed", archives["all"], data, "-o", tmp_path / "all", "-q", "--layer", 2,
                      "--layer", 0, "--layer", 1, "--tokens", *flags)
    assert result.code == 0, result
    for layer, name in ((2, "embeddings.npy"), (0, "embeddings.0.npy"), (1, "embeddings.1.npy")):
        out = tmp_path / f"out{layer}"
        result = longhaul("embed", archives[layer], data, "-o", out, "-q", "--tokens", *flags)
        assert result.code == 0, result
        assert (tmp_path / "all" / name).read_bytes() == (out / "embeddings.npy").read_bytes()
        if layer == 2:
            assert (tmp_path / "all/tokens.npy").read_bytes() == (out / "tokens.npy").read_bytes()
    assert longhaul("verify", tmp_path / "all", "--recompute", 5).code == 0


def test_a_golden_vector_of_any_layer_is_checked(longhaul, tmp_path):
    sys.path.insert(0, str(ROOT / "python"))
    from longhaul.export import shared as longhaul_export
    path = exported(tmp_path / "all.ts", "--layers", "1,2")
    module, found = longhaul_export.load_archive(path)
    assert [entry["output"] for entry in found["golden"]] == ["1", "2"] * 3
    data = tmp_path / "in.csv"
    data.write_text("sequence\nACDEF\n")
    found["golden"][2]["vector"][5] += 1
    longhaul_export.save_archive(module, found, path)
    result = longhaul("embed", path, data, "-o", tmp_path / "out")  # of layer 2, the default
    assert result.code == 65 and "output 1) is missed by 1" in result.err, result
    del found["golden"][1::2]
    found["golden"][1]["vector"][5] -= 1
    longhaul_export.save_archive(module, found, path)
    result = longhaul("embed", path, data, "-o", tmp_path / "out")
    assert result.code == 0 and "no golden vectors of output 2" in result.err, result
