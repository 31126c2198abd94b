"""--tokens: the vectors of all residues, in tokens.npy and token_offsets.npy."""

import csv
import json
import signal
import sys

import numpy as np
import pytest

from conftest import ROOT
from remedies import Trial, follows

PARTS = ["embeddings.npy", "checksums.npy", "records.csv", "rejects.csv", "tokens.npy",
         "token_offsets.npy"]
LETTERS = "ACDEFGHIKLMNPQRSTVWY"
RECORDS = 300
BAD = 16
LEAVE_OUT = "leave it out"


def sequence(i):
    return "".join(LETTERS[(i * 7 + j * (1 + i % 5)) % 20] for j in range(3 + i * 37 % 90))


@pytest.fixture
def trial(longhaul_fake, tmp_path):
    trial = Trial(longhaul_fake, tmp_path)
    lines = ["id,sequence", *(f"r{i},{'ACBD' if i == BAD else sequence(i)}"
                              for i in range(RECORDS))]
    trial.input = trial.write("many.csv", "\n".join(lines) + "\n")
    return trial


def fake(trial, **settings):
    trial.write("model.json", json.dumps({"fake": True, "dimension": 8, **settings}))


def rows_of(out):
    with open(out / "records.csv", newline="") as file:
        return list(csv.DictReader(file))


def contents(out):
    return {name: (out / name).read_bytes() for name in PARTS}


@pytest.mark.parametrize("dtype", ["fp16", "fp32"])
def test_each_row_has_its_residues_in_its_place(trial, dtype):
    trial.works(*trial.embed("--tokens", "--tokens-dtype", dtype), code=3)
    offsets = np.load(trial.out / "token_offsets.npy")
    tokens = np.load(trial.out / "tokens.npy")
    assert offsets.dtype == np.int64 and tokens.dtype == ("f2" if dtype == "fp16" else "f4")
    assert list(np.diff(offsets)) == [0 if i == BAD else len(sequence(i)) for i in range(RECORDS)]
    assert offsets[0] == 0 and tokens.shape == (offsets[-1], 8)
    # The fake's residue j is the record's vector plus j.
    vectors = trial.vectors()
    for row in (0, 5, RECORDS - 1):
        mine = tokens[offsets[row]:offsets[row + 1]]
        expected = vectors[row] + np.arange(len(mine), dtype=np.float32)[:, None]
        assert np.array_equal(mine, expected.astype(mine.dtype))
    trial.works("verify", trial.out)
    fingerprint = json.loads((trial.out / "run.json").read_text())["fingerprint"]
    assert fingerprint["tokens"] is True and fingerprint["tokens-dtype"] == dtype


def test_vectors_are_those_of_a_run_without(trial):
    trial.works(*trial.embed(), code=3)
    alone = (trial.out / "embeddings.npy").read_bytes()
    assert not (trial.out / "tokens.npy").exists()
    trial.fails(73, "use the same setting, another --output, or --overwrite",
                *trial.embed("--tokens"))
    trial.works(*trial.embed("--tokens", "--overwrite"), code=3)
    assert (trial.out / "embeddings.npy").read_bytes() == alone


def test_batches_and_kills_change_no_byte(trial):
    fake(trial, kill_at=12)
    trial.works(*trial.embed("--tokens"), code=3)
    expected = contents(trial.out)
    command = trial.embed("--tokens", "-b", 3, "--commit-every", 0, "--window", 32)
    result = trial.program(*command, "--overwrite")
    kills = 0
    while result.code == -signal.SIGKILL:
        kills += 1
        result = trial.program(*command)
    assert result.code == 3 and kills > 5, result
    assert contents(trial.out) == expected
    trial.works("verify", trial.out)


def test_damage_of_tokens_is_found(trial):
    trial.works(*trial.embed("--tokens"), code=3)
    path = trial.out / "tokens.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    result = trial.program("verify", trial.out)
    assert result.code == 65 and f"row {RECORDS - 1}" in result.out + result.err, result


def test_residues_beyond_fp16_are_rejected_and_fit_as_fp32(trial):
    fake(trial, huge_every=4)
    trial.works(*trial.embed("--tokens"), code=3)
    rejects = (trial.out / "rejects.csv").read_text()
    assert "a residue's vector does not fit in the number type of its file" in rejects
    offsets = np.load(trial.out / "token_offsets.npy")
    tokens = np.load(trial.out / "tokens.npy")
    late = [i for i, row in enumerate(rows_of(trial.out)) if row["status"] != "ok" and i != BAD]
    assert late
    for row in late:  # it was computed, so its place stays
        mine = tokens[offsets[row]:offsets[row + 1]]
        assert len(mine) == len(sequence(row)) and np.isnan(mine).all()
    trial.works("verify", trial.out)
    trial.works(*trial.embed("--tokens", "--tokens-dtype", "fp32", "--overwrite"), code=3)
    assert [row["row"] for row in rows_of(trial.out) if row["status"] != "ok"] == [str(BAD)]


@follows("lib/config/validate_config.cpp", "--tokens-dtype has no meaning without --tokens",
         " has no meaning with --format images")
def test_what_means_nothing_is_refused(trial):
    trial.fails(2, "add --tokens, or leave it out", *trial.embed("--tokens-dtype", "fp32"))
    trial.works(*trial.embed("--tokens-dtype", "fp32", "--tokens"), code=3)
    trial.fails(2, LEAVE_OUT, *trial.embed("--tokens", "--format", "images"))


@follows("lib/session/session_checks.cpp", "and this model ")
@pytest.mark.parametrize("change, why", [
    ({"output": "pooled"}, "gives one vector for each sequence"),
    ({"modality": "image"}, "reads images")])
def test_models_without_residues_are_refused(trial, change, why):
    card = {"card": 1, "name": "fake", "modality": "sequence", "method": "forward",
            "inputs": [{"kind": "tokens", "dtype": "int64"}], "output": "pooled",
            "output_key": None, "dimension": 8, "max_tokens": None, "pooling": "mean",
            "normalize": "none", "golden": [],
            "source": {"weights": "none", "licence": "none", "exported_with": "none"},
            "alphabet": {"tokens": ["<cls>", "<pad>", "<eos>", "<unk>", *LETTERS], "pad": "<pad>",
                         "unknown": "<unk>", "prepend": "<cls>", "append": "<eos>",
                         "allowed": LETTERS}, **change}
    if card["modality"] == "image":
        card["inputs"] = [{"kind": "pixels", "dtype": "float32"}]
        card["image"] = {"size": 32, "resize": 32, "interpolation": "bilinear", "antialias": True,
                         "crop": True, "scale": 1 / 255, "mean": [0.5] * 3, "std": [0.25] * 3,
                         "colour": "RGB", "layout": "NCHW", "exif": "ignore"}
        del card["alphabet"]
    fake(trial, card=card)
    assert why in trial.fails(2, LEAVE_OUT, *trial.embed("--tokens"))
    if card["modality"] == "sequence":
        trial.works(*trial.embed(), code=3)


def test_retried_rows_take_their_place_among_the_others(trial):
    trial.works(*trial.embed("--tokens", "--unknown", "token"))
    expected = contents(trial.out)
    trial.works(*trial.embed("--tokens", "--overwrite"), code=3)
    assert contents(trial.out) != expected
    trial.works(*trial.embed("--tokens", "--retry-rejects", "--unknown", "token"))
    assert contents(trial.out) == expected
    trial.works("verify", trial.out)


@pytest.mark.parametrize("dtype", ["fp32", "fp16"])
def test_they_are_the_hidden_states_of_transformers(longhaul, antiberty, tmp_path, capsys, dtype):
    sys.path.insert(0, str(ROOT / "python"))
    from longhaul.export import antiberty as export_antiberty
    from embed_reference import Reference
    model, _ = export_antiberty.load_reference(export_antiberty.fetch_wheel(ROOT / ".cache"))
    reference = Reference.bert(model)
    sequences = [sequence(i) for i in range(0, 60, 3)]
    data = tmp_path / "in.csv"
    data.write_text("sequence\n" + "\n".join(sequences) + "\n")
    out = tmp_path / "out"
    result = longhaul("embed", antiberty, data, "-o", out, "-q", "--tokens", "--tokens-dtype",
                      dtype)
    assert result.code == 0, result
    offsets = np.load(out / "token_offsets.npy")
    tokens = np.load(out / "tokens.npy")
    greatest = 0
    for i, text in enumerate(sequences):
        hidden = reference.batch([text])[0][0, 1:-1].numpy()
        mine = tokens[offsets[i]:offsets[i + 1]]
        assert mine.shape == hidden.shape
        greatest = max(greatest, np.abs(mine - hidden.astype(mine.dtype)).max())
        if dtype == "fp32":
            mean = mine.astype(np.float64).mean(0)
            assert np.abs(mean - np.load(out / "embeddings.npy")[i]).max() < 1e-6
    with capsys.disabled():
        print(f"\nresidues, {dtype}: greatest difference from transformers {greatest:.1e}")
    assert greatest < (1e-5 if dtype == "fp32" else 4e-3)
    assert longhaul("verify", out).code == 0
