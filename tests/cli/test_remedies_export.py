"""The remedies of commands that read finished outputs, followed."""

import shutil

import pytest

from remedies import Trial, cannot_follow, follows

cannot_follow("apps/longhaul/export.cpp", "not enough disk in", "a disk that is full")
cannot_follow("apps/longhaul/export.cpp", "this build of the program writes no",
              "another build of the program")
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
@follows("lib/export/new_path.cpp", "is there already")
def test_flags(t):
    t.works(*t.embed())
    line = t.fails(2, "formats: ", "export", t.out, "--to", "xls", "-o", "t.parquet")
    assert "parquet" in line
    t.fails(2, "give 1 or more", *export(t, "--rows-per-file", 0))
    t.works(*export(t, "--rows-per-file", 1))
    t.fails(2, "or remove it", *export(t))
    shutil.rmtree(t.folder / "t.parquet")
    t.works(*export(t))


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
