"""The remedies of `longhaul merge`, followed."""

import shutil

import pytest

from remedies import Trial, cannot_follow, follows

cannot_follow("lib/session/merge.cpp", "the shards are as they were",
              "a signal in a moment of milliseconds: tests/session/merge_test.cpp stops at each")
cannot_follow("lib/session/merge.cpp", "rejected records, and their journals",
              "a journal whose checksums are right and whose numbers are wrong")
cannot_follow("lib/session/merge.cpp", "a retry of its rejected rows is not finished",
              "a kill inside the few writes of a retry's merge: tests/store does each")
cannot_follow("lib/session/merge_checks.cpp", "not enough disk to merge", "a disk that is full")
cannot_follow("lib/session/duplicate_judge.cpp", "no column of likenesses",
              "shards of another column are refused before")
cannot_follow("lib/session/merged_report.cpp", "is missing or damaged",
              "its hash was compared a moment before")


@pytest.fixture
def t(longhaul_fake, tmp_path):
    trial = Trial(longhaul_fake, tmp_path)
    trial.write("in.csv", "id,sequence\n" + "".join(f"r{i},ACDEFGHIK\n" for i in range(200))
                + "bad,M?\n")
    for index in (1, 2):
        trial.works(*trial.embed("--shard", f"{index}/2"))
    return trial


def spoil(t):
    path = t.out / "shards/2-of-2/embeddings.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@follows("lib/session/merge.cpp", "which no journal of ours vouches for")
def test_somebodys_file(t):
    (t.out / "run.json").write_text("mine")
    t.fails(73, "take it away", "merge", t.out)
    (t.out / "run.json").rename(t.folder / "run.json")
    t.works("merge", t.out, code=3)


@follows("lib/session/merge.cpp", "there is nothing to merge", "is not a directory")
def test_other_outputs(t):
    t.works("embed", t.model, t.input, "-o", "plain", "-q", code=3)
    t.fails(73, "name an output directory whose records", "merge", "plain")
    t.fails(74, "name the output directory that the shards", "merge", "nowhere")
    t.works("merge", t.out, code=3)


@follows("lib/session/merge_checks.cpp", "are not merged, and stay")
@follows("apps/longhaul/merge.cpp", "--max-rejects")
def test_limits(t):
    t.fails(65, "merge with a higher --max-rejects", "merge", t.out, "--max-rejects", 0)
    t.fails(2, "a number of records", "merge", t.out, "--max-rejects", "few")
    t.works("merge", t.out, "--max-rejects", 1)


@follows("lib/store/merged_arrays.cpp", "what | remedy")
@follows("lib/session/plain_mode.cpp", "are being merged")
@follows("lib/session/shard_mode.cpp", "are being merged")
def test_a_damaged_row_and_a_merge_that_waits(t):
    spoil(t)
    t.fails(65, "its command with --overwrite", "merge", t.out)
    t.fails(75, f"give longhaul merge {t.out} to finish that", *t.embed())
    t.fails(75, f"give longhaul merge {t.out} to finish that", *t.embed("--shard", "1/2"))
    t.works(*t.embed("--shard", "2/2", "--overwrite"))
    t.works("merge", t.out, code=3)


@follows("lib/store/merged_output.cpp", "what | remedy")
@follows("lib/session/shard_set.cpp", "what | remedy")
def test_a_damaged_table(t):
    path = t.out / "shards/1-of-2/records.csv"
    path.write_bytes(path.read_bytes()[:-9])
    t.fails(65, "its command with --overwrite", "merge", t.out)
    t.works(*t.embed("--shard", "1/2", "--overwrite"))
    t.works("merge", t.out, code=3)


@follows("lib/session/shard_set.cpp", "no shard was begun there", "not there yet")
def test_shards_that_are_missing(t):
    (t.folder / "new").mkdir()
    t.fails(75, "embed with --shard first", "merge", "new")
    shutil.rmtree(t.out / "shards/2-of-2")
    t.fails(75, "give the command of each, then merge again", "merge", t.out)
    t.works(*t.embed("--shard", "2/2"))
    t.works("merge", t.out, code=3)
