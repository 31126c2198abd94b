"""The remedies of --reuse and --update, followed."""

import fcntl
import json
import os
import shutil

import numpy as np
import pytest

from remedies import Trial, cannot_follow, follows

CONFIG = "lib/config/validate_config.cpp"
OLDER = "lib/session/older_outputs.cpp"
ROWS = "lib/run/older_rows.cpp"
NEXT = "lib/store/next_output.cpp"
UPDATE = "lib/session/update_mode.cpp"

cannot_follow(ROWS, ", and did a moment ago", "a disk that fails between two readings of a row")
cannot_follow(OLDER, "was computed with the choices",
              "choices follow the older output: only two of them can differ, session/reuse_test.cpp")
cannot_follow(OLDER, "rows of both in one output would differ", "another processor or program: "
              "session/reuse_test.cpp")
cannot_follow(OLDER, "has other arrays than this run writes",
              "the settings that make arrays are compared before")
cannot_follow(UPDATE, " the permissions of ", "a directory that this process has made and does not own")
cannot_follow(UPDATE, "is where a file system is mounted", "a mount: session/update_test.cpp")


@pytest.fixture
def t(longhaul_fake, tmp_path):
    return Trial(longhaul_fake, tmp_path)


@pytest.fixture
def grown(t):
    """A finished output in "old", and an input with one more record."""
    t.works(*t.embed())
    t.out.rename(t.folder / "old")
    grow(t)
    return t


def grow(t):
    with open(t.input, "a") as file:
        file.write("e,MNPQR,1\n")


def reused(t):
    return json.loads((t.out / "run.json").read_text())["counts"]["reuse"]["reused"]


@follows(CONFIG, "--reuse-by has no meaning")
def test_how_without_what(grown):
    t = grown
    t.fails(2, "add one of them, or leave it out", *t.embed("--reuse-by", "content"))
    t.works(*t.embed("--reuse-by", "content", "--reuse", "old"))
    assert reused(t) == 4


@follows(CONFIG, 'what + " and --retry-rejects exclude each other')
@follows(CONFIG, 'what + " runs in one process, without shards')
@follows(CONFIG, 'what + " does not go with --order input')
@follows(CONFIG, 'what + " does not go with --skip-duplicates dhash')
@pytest.mark.parametrize("more, remedy", [
    (("--retry-rejects",), "give one of them"),
    (("--shard", "1/2"), "leave out --shard and --processes"),
    (("--processes", "2"), "leave out --shard and --processes"),
    (("--device", "cuda:0,1"), "name one --device"),
    (("--order", "input"), "use --order length"),
    (("--skip-duplicates", "dhash"), "use --skip-duplicates exact"),
])
@pytest.mark.parametrize("what", [("--reuse", "old"), ("--update",)])
def test_what_does_not_go_together(grown, what, more, remedy):
    t = grown
    t.fails(2, remedy, *t.embed(*what, *more))
    t.works(*t.embed(*what))


@follows(CONFIG, " is given twice")
def test_twice(grown):
    t = grown
    t.fails(2, "give it once", *t.embed("--reuse", "old", "--reuse", "old"))
    t.works(*t.embed("--reuse", "old"))


@follows(CONFIG, "--update and --overwrite exclude each other", "--update runs in one process")
def test_an_update_alone(t):
    t.works(*t.embed())
    grow(t)
    t.fails(2, "the one takes the rows of an output", *t.embed("--update", "--overwrite"))
    t.fails(2, "leave out --recycle-every and --on-leak recycle",
            *t.embed("--update", "--recycle-every", "5"))
    t.works(*t.embed("--update"))
    assert reused(t) == 4


@follows(OLDER, " is not a directory", "is no output of longhaul embed")
@follows(OLDER, "holds no run: nothing was begun in it")
def test_what_is_no_output(grown):
    t = grown
    t.fails(74, "name the output of an earlier run", *t.embed("--reuse", "odl"))
    (t.folder / "empty").mkdir()
    t.fails(73, "name the --output of an earlier run", *t.embed("--reuse", "empty"))
    (t.folder / "empty/journal.jsonl").touch()
    t.fails(73, "leave it out", *t.embed("--reuse", "empty"))
    t.works(*t.embed("--reuse", "old"))
    assert reused(t) == 4


@follows(UPDATE, "is the output that --update updates", "not one record of this input has a vector")
def test_an_update_of_itself_and_of_nothing(t):
    t.works(*t.embed())
    grow(t)
    t.fails(2, "leave it out: --update takes its rows", *t.embed("--update", "--reuse", t.out))
    before, text = t.vectors().tolist(), t.input.read_text()
    t.input.write_text("id,sequence\na,A?C\nb,M?K\n")
    t.fails(65, "correct the input, and give the same command again",
            *t.embed("--update", "--allow-nucleotides"))
    assert t.vectors().tolist() == before
    t.input.write_text(text)
    t.works(*t.embed("--update"))
    assert reused(t) == 4


@follows("lib/session/run_identity.cpp", "was made with ")
def test_an_update_with_other_settings(t):
    t.works(*t.embed())
    grow(t)
    line = t.fails(73, "use the same setting, or --overwrite in place of --update",
                   *t.embed("--update", "--normalize", "l2"))
    assert "--reuse" not in line
    t.works(*t.embed("--overwrite", "--normalize", "l2"))
    t.works(*t.embed("--update", "--normalize", "l2"))


@follows(OLDER, "is the output itself")
def test_the_output_itself(grown):
    t = grown
    t.out = t.folder / "old"
    (t.out / "run.json").unlink()
    t.works(*t.embed("--overwrite", "--time-limit", "1ms"), code=75)
    t.fails(2, "name another --output", *t.embed("--reuse", "old"))
    t.fails(2, "name another --output", *t.embed("--reuse", "old", "--overwrite"))
    assert (t.out / "journal.jsonl").exists()
    t.out = t.folder / "out"
    t.works(*t.embed("--reuse", "old"))


@follows(OLDER, "holds shards that are not merged")
@follows(UPDATE, "still holds the shards that it was merged from")
def test_shards(t):
    for shard in ("1/2", "2/2"):
        t.works(*t.embed("--shard", shard))
    t.out.rename(t.folder / "old")
    grow(t)
    t.fails(75, "longhaul merge old first", *t.embed("--reuse", "old"))
    t.works("merge", "old")
    t.works(*t.embed("--reuse", "old"))
    assert reused(t) == 4
    t.out = t.folder / "old"
    t.fails(73, f"longhaul merge {t.out} --remove-shards first", *t.embed("--update"))
    t.works("merge", t.out, "--remove-shards")
    t.works(*t.embed("--update"))
    assert reused(t) == 4


@follows(OLDER, "is being written by ")
def test_somebody_writes_there(grown):
    t = grown
    held = os.open(t.folder / "old/longhaul.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(held, fcntl.LOCK_EX)
    t.fails(69, "give this command when that has ended", *t.embed("--reuse", "old"))
    t.out = t.folder / "old"
    t.fails(69, "wait for it to end", *t.embed("--update"))
    os.close(held)
    t.works(*t.embed("--update"))


@follows(OLDER, "times, and takes at most")
def test_too_many(grown):
    t = grown
    many = [word for i in range(257) for word in ("--reuse", f"old{i}")]
    t.fails(2, "embed from some of them first", *t.embed(*many))
    t.works(*t.embed("--reuse", "old"))


@follows(OLDER, "leave out --reuse, so that what is left is computed")
def test_a_run_goes_on_with_what_it_was_begun_with(grown):
    t = grown
    t.works(*t.embed("--time-limit", "1ms"), code=75)
    t.fails(73, "leave out --reuse", *t.embed("--reuse", "old"))
    t.works(*t.embed("--reuse", "old", "--overwrite"))
    assert reused(t) == 4


@follows("lib/session/run_identity.cpp", "was made with ")
def test_other_settings(grown):
    t = grown
    line = t.fails(73, "use the same setting, or leave out --reuse",
                   *t.embed("--reuse", "old", "--normalize", "l2"))
    assert 'normalize "none", this run has "l2"' in line
    t.works(*t.embed("--normalize", "l2"))
    shutil.rmtree(t.out)
    t.works(*t.embed("--reuse", "old"))


@follows(ROWS, "kDamaged")
def test_damaged_tables(grown):
    t = grown
    path = t.folder / "old/records.csv"
    text = path.read_text()
    path.write_text(text.replace(",b,", ",c,"))
    if path.read_text() == text:
        path.write_text(text.replace("b", "c", 1))
    t.fails(65, "or leave out --reuse", *t.embed("--reuse", "old"))
    path.write_text(text)
    t.works(*t.embed("--reuse", "old"))


@follows(NEXT, " both hold ", "--update needs that name", "is an output of its own", " is in use by ")
def test_names_that_are_taken(t):
    t.works(*t.embed())
    grow(t)
    beside = t.folder / "out.update"
    beside.mkdir()
    (beside / "notes.txt").write_text("mine")
    t.fails(73, "move it away, and give the same command again", *t.embed("--update"))
    beside.rename(t.folder / "moved")
    shutil.copytree(t.out, beside)
    t.fails(73, "move it away, and give the same command again", *t.embed("--update"))
    shutil.rmtree(beside)
    # As a kill right behind the exchange leaves them, and then somebody's file in both.
    shutil.copytree(t.out, t.folder / "copy")
    t.works(*t.embed("--update"))
    shutil.copytree(t.folder / "copy", beside)
    held = os.open(beside / "longhaul.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(held, fcntl.LOCK_EX)
    t.fails(69, "wait for it to end", *t.embed("--update"))
    os.close(held)
    for folder in (t.out, beside):
        (folder / "notes.txt").write_text("mine")
    t.fails(74, "take one of the two away", *t.embed("--update"))
    (beside / "notes.txt").unlink()
    t.works(*t.embed("--update"))
    assert not beside.exists() and (t.out / "notes.txt").read_text() == "mine"
    assert np.isfinite(t.vectors()).all() and len(t.vectors()) == 5
