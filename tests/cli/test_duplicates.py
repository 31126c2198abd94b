"""--skip-duplicates exact on sequences: the arrays of a run without it, and the table's own story."""

import collections
import json
import random

import numpy as np
import pandas
import pytest

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
OPTIONS = ["--skip-duplicates", "exact", "-q"]


def repertoire(path, records, contents, seed):
    """`records` records of `contents` sequences, some of them common; now and then one that is bad."""
    chance = random.Random(seed)
    sequences = ["".join(chance.choices(RESIDUES, k=chance.randrange(5, 120))) for _ in range(contents)]
    drawn = [sequences[min(int(chance.paretovariate(0.5)) - 1, contents - 1)] for _ in range(records)]
    for row in range(3, records, 97):
        drawn[row] = "M1"
    for row in range(4, records, 31):
        drawn[row] = drawn[row].lower()
    pandas.DataFrame({"id": [f"r{i}" for i in range(records)], "sequence": drawn}).to_csv(path, index=False)
    return [sequence.upper() for sequence in drawn]


def table(out):
    return pandas.read_csv(out / "records.csv", dtype={"id": str}, keep_default_na=False)


def firsts(sequences):
    """For each record the first one with its residues."""
    seen = {}
    return [seen.setdefault(sequence, row) for row, sequence in enumerate(sequences)]


@pytest.mark.parametrize("options", [[], ["--tokens"], ["--tokens", "--max-length", 40, "--too-long", "window"]],
                         ids=["vectors", "residues", "windows"])
def test_equal_sequences_are_computed_once(longhaul, tiny_model, tmp_path, options):
    sequences = repertoire(tmp_path / "in.csv", 700, 150, 1)
    small = ["--window", 64]
    run = ["embed", tiny_model, tmp_path / "in.csv"]
    assert longhaul(*run, "-o", tmp_path / "all", *options, *small, "-q").code == 3
    assert longhaul(*run, "-o", tmp_path / "once", *options, *small, *OPTIONS).code == 3
    arrays = sorted(path.name for path in (tmp_path / "all").glob("*.npy"))
    assert len(arrays) == (4 if options else 2)
    for name in [*arrays, "rejects.csv"]:
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "all" / name).read_bytes(), name
    records = table(tmp_path / "once")
    assert list(records.status == "rejected") == [sequence == "M1" for sequence in sequences]
    for row, first in enumerate(firsts(sequences)):
        if sequences[row] != "M1":
            assert records.status[row] == ("ok" if row == first else "duplicate")
            assert records.duplicate_of[row] == ("" if row == first else str(first))
    counts = json.loads((tmp_path / "once/run.json").read_text())["counts"]
    assert counts["ok"] == len(set(sequences) - {"M1"})
    assert counts["duplicates"] == (records.status == "duplicate").sum() > 300
    assert longhaul("verify", tmp_path / "once", "--recompute", 50).code == 0
    # Who reads vectors by the table finds one for each record that is not rejected.
    vectors = np.load(tmp_path / "once/embeddings.npy")
    assert np.isfinite(vectors[records.status != "rejected"]).all()


def test_only_first_ones_reach_the_encoder(longhaul_fake, tmp_path):
    sequences = repertoire(tmp_path / "in.csv", 500, 60, 2)
    (tmp_path / "model.json").write_text(json.dumps({"fake": True}))
    out = tmp_path / "out"
    assert longhaul_fake("embed", tmp_path / "model.json", tmp_path / "in.csv", "-o", out, *OPTIONS).code == 3
    session = json.loads((out / "run.json").read_text())["sessions"][-1]
    different = len(set(sequences) - {"M1"})
    assert session["timings"]["records"] == session["duplicates"]["remembered"] == different
    result = longhaul_fake("inspect", out)
    assert result.code == 0 and f"{500 - 6 - different} duplicates" in " ".join(result.out.split()), result


def test_sessions_and_shards_find_the_same(longhaul_fake, tmp_path):
    repertoire(tmp_path / "in.csv", 1000, 200, 3)
    (tmp_path / "model.json").write_text(json.dumps({"fake": True, "tokens": True}))
    run = ["embed", tmp_path / "model.json", tmp_path / "in.csv", "--tokens", "--window", 96, *OPTIONS]
    assert longhaul_fake(*run, "-o", tmp_path / "one").code == 3
    codes = collections.Counter()
    while not codes[3]:
        codes[longhaul_fake(*run, "-o", tmp_path / "many", "-b", 8, "--commit-every", 0,
                            "--recycle-every", 5).code] += 1
        assert set(codes) <= {3, 75}
    assert len(json.loads((tmp_path / "many/run.json").read_text())["sessions"]) > 3
    for shard in range(1, 4):
        assert longhaul_fake(*run, "-o", tmp_path / "shards", "--shard", f"{shard}/3").code == 0
    assert longhaul_fake("merge", tmp_path / "shards", "-q").code == 3
    for other in ["many", "shards"]:
        for name in ["embeddings.npy", "tokens.npy", "token_offsets.npy", "checksums.npy", "records.csv", "rejects.csv"]:
            assert (tmp_path / other / name).read_bytes() == (tmp_path / "one" / name).read_bytes(), (other, name)
