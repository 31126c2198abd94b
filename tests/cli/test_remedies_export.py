"""The remedies of commands that read finished outputs, followed."""

import shutil

import pytest

from remedies import Trial, cannot_follow, follows

cannot_follow("apps/longhaul/export.cpp", "not enough disk in", "a disk that is full")
cannot_follow("apps/longhaul/export.cpp", "this build of the program writes no",
              "another build of the program")
cannot_follow("lib/export/dataset_names.cpp", "has no id or hash",
              "records of text have both: an image that could not be read has no hash")
cannot_follow("lib/export/export_output.cpp", "is not there yet",
              "test_export sends the signal and gives the command again")
cannot_follow("lib/export/new_path.cpp", "is being written by",
              "another process in the same moment: tests/export holds its lock")
cannot_follow("lib/store/checked_rows.cpp", "a run is writing to",
              "another process in the same moment: tests/export holds its lock")


@pytest.fixture
def t(longhaul_fake, tmp_path):
    return Trial(longhaul_fake, tmp_path)


def export(t, *more, out=None):
    return ["export", out or t.out, "--to", "parquet", "-o", "t.parquet", "-q", *more]


@follows("apps/longhaul/export.cpp", "is no format of export", "would write no row")
@follows("lib/export/new_path.cpp", "is there already", "--output - is no file")
def test_flags(t):
    t.works(*t.embed())
    t.fails(2, "name a file with --output", "export", t.out, "--to", "parquet", "-o", "-")
    assert not (t.folder / "-").exists()
    line = t.fails(2, "formats: ", "export", t.out, "--to", "xls", "-o", "t.parquet")
    assert "h5, parquet" in line
    t.fails(2, "give 1 or more", *export(t, "--rows-per-file", 0))
    t.works(*export(t, "--rows-per-file", 1))
    t.fails(2, "or remove it", *export(t))
    shutil.rmtree(t.folder / "t.parquet")
    t.works(*export(t))


def to_h5(t, *more):
    return ["export", t.out, "--to", "h5", "-o", "t.h5", "-q", *more]


@follows("apps/longhaul/export.cpp", "says nothing to parquet", "says nothing to --layout matrix")
@follows("lib/export/output_table.cpp", "is no array of")
def test_flags_of_one_format(t):
    t.works(*t.embed())
    for flag in (["--layout", "matrix"], ["--key", "id"]):
        t.fails(2, "leave it out, or export --to h5", *export(t, *flag))
    t.fails(2, "leave one of them out", *to_h5(t, "--layout", "matrix", "--key", "id"))
    t.fails(2, "name one of vector", *to_h5(t, "--array", "tokens"))
    t.works(*to_h5(t, "--array", "vector", "--key", "id"))


@follows("lib/export/dataset_names.cpp", "and a file has one of a name")
def test_names_that_are_given_twice(t):
    t.input.write_text("id,sequence\na,ACDEF\na,MKLV\n")
    t.works(*t.embed())
    line = t.fails(65, "export with --layout matrix", *to_h5(t))
    assert "rows 0 and 1" in line
    t.works(*to_h5(t, "--layout", "matrix"))


@follows("lib/h5/attributes.cpp", "is no text for HDF5")
def test_text_that_hdf5_cannot_hold(t):
    lines = t.write("in.jsonl", r'{"id": "a", "sequence": "ACDEF", "label": "x\u0000y"}' "\n")
    flags = ["--keep-column", "label", "-q"]
    t.works("embed", t.model, lines, "-o", t.out, *flags)
    line = t.fails(65, "correct it in the input and embed again", *to_h5(t))
    assert "row 0, column label" in line and not (t.folder / "t.h5").exists()
    lines.write_text('{"id": "a", "sequence": "ACDEF", "label": "xy"}\n')
    t.works("embed", t.model, lines, "-o", "again", *flags, "--reuse", t.out)
    t.works("export", "again", "--to", "h5", "-o", "t.h5", "-q")


@follows("lib/store/checked_rows.cpp", "it has no journal.jsonl")
def test_what_is_no_finished_output(t):
    (t.folder / "empty").mkdir()
    t.fails(73, "name the --output of a run", *export(t, out="empty"))
    t.works("embed", t.model, t.input, "-o", "whole", "-q")
    t.works(*export(t, out="whole"))


@follows("lib/store/checked_rows.cpp", "holds a run that is not finished")
def test_a_run_that_was_stopped_is_finished_first(t):
    t.model.write_text('{"fake": true, "dimension": 8, "rows_per_second": 4}')
    t.works(*t.embed("--time-limit", "200ms", "--batch-size", 1), code=75)
    t.fails(75, "give its embed command again, then this one", *export(t))
    t.works(*t.embed())
    t.works(*export(t))


@follows("lib/store/checked_rows.cpp", "holds shards that are not merged")
def test_shards(t):
    t.works(*t.embed("--shard", "1/1"))
    t.fails(75, f"give longhaul merge {t.out} first", *export(t))
    t.works("merge", t.out)
    t.works(*export(t))


@follows("lib/store/checked_rows.cpp", "what | kRemedy")
def test_damage(t):
    t.works(*t.embed())
    path = t.out / "embeddings.npy"
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    line = t.fails(65, "embed again with --overwrite", *export(t))
    assert "embeddings.npy row 3" in line
    t.works("verify", t.out, code=65)
    t.works(*t.embed("--overwrite"))
    t.works(*export(t))
