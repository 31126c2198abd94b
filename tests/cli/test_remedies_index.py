"""The remedies of `plan --index` and of shards that go by an index, followed."""

import os
import shutil

import pytest

from remedies import Trial, cannot_follow, follows

INDEX = "lib/input/input_index.cpp"
READER = "lib/input/indexed_reader.cpp"
SHARDS = "lib/session/shard_index.cpp"
PLAN = "lib/session/indexing.cpp"

cannot_follow(INDEX, "is of version ", "a later longhaul: tests/input/indexed_reader_test.cpp")
cannot_follow(PLAN, "interrupted before the whole input",
              "a signal in the middle: tests/session/indexing_test.cpp")


@pytest.fixture
def t(longhaul_fake, tmp_path):
    return Trial(longhaul_fake, tmp_path)


def plan(t, *flags, out=None):
    return ["plan", t.model, t.input, "-o", out or t.out, "--index", "-q", *flags]


def shard(t, number, *flags, out=None):
    return ["embed", t.model, t.input, "-o", out or t.out, "-q", "--shard", number, *flags]


@follows("apps/longhaul/plan.cpp", "a plan is of a run that computes every row")
def test_a_plan_of_an_update(t):
    t.fails(2, "leave that flag out", "plan", t.model, t.input, "-o", t.out, "-q", "--update")
    t.works("plan", t.model, t.input, "-o", t.out, "-q")


@follows("apps/longhaul/plan.cpp", "a plan times one process")
def test_a_plan_of_a_shard(t):
    t.fails(2, "give --shards N", "plan", t.model, t.input, "-o", t.out, "-q", "--shard", "1/2")
    t.works("plan", t.model, t.input, "-o", t.out, "-q", "--shards", 2)


@follows("apps/longhaul/plan.cpp", "--index makes an index")
def test_an_index_and_a_plan(t):
    t.fails(2, "--index first", *plan(t, "--shards", 2))
    t.works(*plan(t))
    t.works("plan", t.model, t.input, "-o", t.out, "-q", "--shards", 2)


@follows(PLAN, "is a stream, which has no index")
def test_a_stream(t):
    t.fails(2, "write it to a file first", "plan", t.model, "-", "--format", "csv", "-o", t.out,
            "--index", stdin=t.input.read_text())
    assert not t.out.exists()
    t.works(*plan(t))


@follows(PLAN, "without an index")
def test_shards_that_were_begun_without(t):
    t.works(*shard(t, "1/2"))
    t.fails(73, "go on with them as they are", *plan(t))
    t.works(*shard(t, "2/2"))
    t.works(*plan(t, out=t.folder / "another"))
    shutil.rmtree(t.out / "shards")
    t.works(*plan(t))
    t.works(*shard(t, "1/2"))


@follows(PLAN, "holds an output already")
def test_an_output_that_is_there(t):
    t.works(*plan(t))
    before = t.input.read_text()
    t.input.write_text(before + "e,ACDC,1\n")
    t.fails(73, "or give --overwrite to index this input in its place", *plan(t))
    t.works(*plan(t, "--overwrite"))
    t.works(*shard(t, "1/1"))
    t.input.write_text(before)
    t.works(*t.embed(), code=73)
    plain = t.folder / "plain"
    t.works("embed", t.model, t.input, "-o", plain, "-q")
    t.fails(73, "name another --output", *plan(t, out=plain))


@follows(PLAN, "go by the index of another input")
def test_an_index_of_another_input_where_shards_go_by_one(t):
    t.works(*plan(t))
    t.works(*shard(t, "1/2"))
    before = t.input.read_text()
    t.input.write_text(before + "e,ACDC,1\n")
    t.fails(73, "index and embed it into another --output", *plan(t, "--overwrite"))
    other = t.folder / "other"
    t.works(*plan(t, out=other))
    t.works(*shard(t, "1/2", out=other))
    t.input.write_text(before)
    t.works(*plan(t, "--overwrite"))
    t.works(*shard(t, "2/2"))


@follows(READER, " is of another input: ")
@follows(SHARDS, " was made with ", "kOtherOutput")
def test_another_input_or_another_setting(t):
    t.works(*plan(t))
    before = t.input.read_text()
    for text in (before + "e,ACDC,1\n", before.replace("ACDEF", "ACDEG"),
                 before.replace("d,WYACD,0", "d,WYA\ne,D,1")):
        t.input.write_text(text)
        t.fails(73, "index and embed it into another --output", *shard(t, "1/1"))
        other = t.folder / "other"
        t.works(*plan(t, out=other))
        t.works(*shard(t, "1/1", out=other))
        shutil.rmtree(other)
    t.input.write_text(before)
    t.fails(73, "index and embed it into another --output",
            *shard(t, "1/1", "--format", "tsv"))
    t.works(*shard(t, "1/1"))


@follows(SHARDS, "were begun without an index", " which is missing",
         " go by another index than ")
@follows(INDEX, " is damaged: ")
def test_an_index_that_is_not_the_shards(t):
    t.works(*plan(t))
    index = t.out / "index.jsonl"
    kept = index.read_bytes()
    t.works(*shard(t, "1/3"))
    index.unlink()
    t.fails(73, "make it again: longhaul plan --index with the same model, input and settings",
            *shard(t, "2/3"))
    t.works(*plan(t))
    t.works(*shard(t, "2/3"))
    index.write_bytes(kept.replace(b'"records":4', b'"records":5'))
    t.fails(65, "and --overwrite", *shard(t, "3/3"))
    t.works(*plan(t, "--overwrite"))
    assert index.read_bytes() == kept
    other = t.folder / "other"
    before = t.input.read_text()
    t.input.write_text(before + "e,ACDC,1\n")
    t.works(*plan(t, out=other))
    t.input.write_text(before)
    shutil.copy(other / "index.jsonl", index)
    t.fails(73, "restore that index", *shard(t, "3/3"))
    index.write_bytes(kept)
    t.works(*shard(t, "3/3"))
    without = t.folder / "without"
    t.works(*shard(t, "1/2", out=without))
    shutil.copy(index, without / "index.jsonl")
    t.fails(73, "take that file away to go on with them", *shard(t, "2/2", out=without))
    os.unlink(without / "index.jsonl")
    t.works(*shard(t, "2/2", out=without))
