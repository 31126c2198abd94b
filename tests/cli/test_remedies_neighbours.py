"""The remedies of `longhaul neighbours`, followed."""

import json

import pytest

from remedies import Trial, cannot_follow, follows

cannot_follow("apps/longhaul/neighbours.cpp", "this build of the program writes no Parquet",
              "another build of the program")
cannot_follow("lib/score/neighbours.cpp", "the neighbours are not written yet",
              "test_neighbours sends the signal")
cannot_follow("lib/score/neighbours.cpp", "has become shorter while it was read",
              "another process in the same moment")
cannot_follow("lib/score/neighbours.cpp", "has vectors of",
              "another model, which is named first: tests of the room have other lengths")
cannot_follow("lib/score/products.cpp", "farther from them than float32 rounds",
              "a device that is broken: tests/score has one")
cannot_follow("lib/score/vector_rows.cpp", "is not finite",
              "no run writes it with a checksum that fits")
cannot_follow("lib/torch/search/torch_products.cpp", "the search ran out of memory",
              "a machine without memory")
cannot_follow("lib/torch/search/torch_products.cpp", "the device failed", "a device that fails")


@pytest.fixture
def t(longhaul_fake, tmp_path):
    trial = Trial(longhaul_fake, tmp_path)
    trial.works(*trial.embed("--keep-column", "label"))
    return trial


def neighbours(t, *more, out=None, file="n.csv"):
    return ["neighbours", out or t.out, "-o", file, "-q", *more]


@follows("apps/longhaul/neighbours.cpp", "does not say what format it is", "--metric is l2",
         "--query is the output itself")
def test_flags(t):
    t.fails(2, "ends with .csv or .parquet", *neighbours(t, file="n.txt"))
    t.works(*neighbours(t, file="n.parquet"))
    t.fails(2, "leave out --center", *neighbours(t, "--metric", "l2", "--center"))
    t.works(*neighbours(t, "--metric", "l2", file="l2.csv"))
    t.fails(2, "leave out --query", *neighbours(t, "--query", f"{t.out}/."))
    t.works(*neighbours(t))


@follows("apps/longhaul/neighbour_table.cpp", "kept no column")
def test_a_column_that_was_not_kept(t):
    line = t.fails(2, "kept columns: label", *neighbours(t, "--transfer", "source"))
    assert "'source'" in line
    t.works(*neighbours(t, "--transfer", "label"))
    t.works("embed", t.model, t.input, "-o", "bare", "-q")
    t.fails(2, "embed again with --keep-column label",
            *neighbours(t, "--transfer", "label", out="bare", file="b.csv"))
    t.works("embed", t.model, t.input, "-o", "bare", "-q", "--overwrite", "--keep-column", "label")
    t.works(*neighbours(t, "--transfer", "label", out="bare", file="b.csv"))


@follows("lib/store/layers.cpp", "has no layer", "only residues")
def test_layers(t):
    t.fails(2, "leave out --layer", *neighbours(t, "--layer", "deep"))
    t.works(*neighbours(t))
    layered = t.write("layered.json", json.dumps({"fake": True, "dimension": 8, "layers": ["early"]}))
    t.works("embed", layered, t.input, "-o", "layered", "-q")
    t.fails(2, "layers: ", *neighbours(t, "--layer", "deep", out="layered", file="d.csv"))
    t.works(*neighbours(t, "--layer", "early", out="layered", file="d.csv"))
    t.works("embed", t.model, t.input, "-o", "residues", "-q", "--pooling", "none", "--tokens")
    t.fails(2, "embed again without --pooling none", *neighbours(t, out="residues", file="r.csv"))
    t.works("embed", t.model, t.input, "-o", "residues", "-q", "--overwrite")
    t.works(*neighbours(t, out="residues", file="r.csv"))


@follows("lib/session/same_vectors.cpp", "not comparable")
def test_other_settings(t):
    t.works("embed", t.model, t.input, "-o", "other", "-q", "--normalize", "l2")
    line = t.fails(65, "with the model and settings of the other", *neighbours(t, "--query", "other"))
    assert "normalize" in line
    t.works("embed", t.model, t.input, "-o", "other", "-q", "--overwrite")
    t.works(*neighbours(t, "--query", "other"))


@follows("lib/score/neighbours.cpp", "and the limit leaves")
def test_too_little_memory(t):
    t.fails(71, "raise --memory-limit, or ask for fewer neighbours",
            *neighbours(t, "--memory-limit", "1M"))
    t.works(*neighbours(t, "--memory-limit", "2G"))
