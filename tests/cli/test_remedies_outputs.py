"""A remedy is a promise: messages about output directories, resumes and retries, followed."""

import csv
import fcntl
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import time

import numpy as np
import pytest

from remedies import Trial, cannot_follow, follows

DIRECTORY = "lib/store/store_directory.cpp"
CLAIMED = "lib/store/claimed_files.cpp"
RETRY = "lib/session/retry_mode.cpp"
VERIFY = "apps/longhaul/verify.cpp"
SCORE = "lib/score/run_directory.cpp"
ANEW = "start anew with --overwrite"


@pytest.fixture
def t(longhaul_fake, tmp_path):
    return Trial(longhaul_fake, tmp_path)


@pytest.fixture
def made(t):
    """A complete output, and a copy of it beside."""
    t.works(*t.embed("--keep-column", "label"))
    shutil.copytree(t.out, t.folder / "copy")
    return t


@pytest.fixture
def begun(t):
    """An output that a kill left unfinished."""
    t.input.write_text("id,sequence\n" + "".join(f"r{i},ACDEFGHIK{'L' * (i % 5)}\n" for i in range(64)))
    t.model.write_text(json.dumps({"fake": True, "dimension": 8, "rows_per_second": 40}))
    run = subprocess.Popen([str(t.program.path), *map(str, t.embed(
        "-b", 8, "--commit-every", 0, "--window", 16))], cwd=t.folder)
    journal = t.out / "journal.jsonl"
    while run.poll() is None and not (journal.exists() and journal.read_text().count("\n") > 2):
        time.sleep(0.01)
    run.kill()
    run.wait()
    assert (t.out / "embeddings.npy.partial").exists() and not (t.out / "embeddings.npy").exists()
    shutil.copytree(t.out, t.folder / "copy")
    return t


def restore(t):
    shutil.rmtree(t.out)
    shutil.copytree(t.folder / "copy", t.out)


def edit(path, pattern, replacement):
    text = path.read_text()
    changed = re.sub(pattern, replacement, text, count=1)
    assert changed != text
    path.write_text(changed)


@follows(DIRECTORY, "is not empty and not ours")
def test_a_directory_of_someone_elses(t):
    t.write("out/notes.txt", "mine")
    t.fails(73, "name a new or empty directory", *t.embed())
    t.out = t.folder / "new"
    t.works(*t.embed())
    (t.folder / "empty").mkdir()
    t.out = t.folder / "empty"
    t.works(*t.embed())


@follows(DIRECTORY, "is in use by")
@follows("lib/store/verify.cpp", "a run is writing to")
def test_an_output_in_use(begun):
    t = begun
    lock = next(p for p in t.out.iterdir() if "lock" in p.name)
    held = os.open(lock, os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_EX)
    if t.program(*t.embed(), cwd=t.folder).code != 69:
        fcntl.flock(held, fcntl.LOCK_UN)
        fcntl.lockf(held, fcntl.LOCK_EX)
    t.fails(69, "wait for it to end, or name another directory", *t.embed())
    t.fails(69, "verify when it has ended", "verify", t.out)
    os.close(held)
    t.works("embed", t.model, t.input, "-o", t.folder / "other", "-q")


@follows(DIRECTORY, "holds no whole line")
@follows(CLAIMED, "is missing, and the journal claims", "bytes, and the journal claims",
         " holds both ")
@follows("lib/store/journal.cpp", "does not match its checksum")
@pytest.mark.parametrize("name, damage", [
    ("records.csv", lambda p: p.unlink()),
    ("records.csv", lambda p: os.truncate(p, 10)),
    ("embeddings.npy.partial", lambda p: os.truncate(p, 200)),
    ("embeddings.npy", lambda p: p.write_bytes(b"")),
    ("journal.jsonl", lambda p: os.truncate(p, 10)),
    ("journal.jsonl", lambda p: edit(p, r'"records":\d', '"records":9')),
])
def test_damage_of_an_unfinished_output(begun, name, damage):
    t = begun
    flags = ["-b", 8, "--commit-every", 0, "--window", 16]
    damage(t.out / name)
    t.fails(65, ANEW, *t.embed(*flags))
    restore(t)
    t.works(*t.embed(*flags))  # from a copy
    expected = t.vectors()
    restore(t)
    damage(t.out / name)
    t.works(*t.embed(*flags, "--overwrite"))
    assert np.array_equal(t.vectors(), expected)


@follows(CLAIMED, "its header is not that of")
def test_a_damaged_header(made):
    t = made

    def damage():
        path = t.out / "embeddings.npy"
        path.write_bytes(b"x" * 16 + path.read_bytes()[16:])

    damage()
    command = t.embed("--keep-column", "label")
    t.fails(65, ANEW, *command)
    restore(t)
    t.works(*command)
    damage()
    t.works(*command, "--overwrite")
    assert t.vectors().shape == (4, 8)


cannot_follow("lib/store/journaled_store.cpp", "is claimed by", "rows that are lost while a run is "
              "going on: store_test.cpp has it, and the remedy is that of the other damages")
cannot_follow("lib/store/journal_state.cpp", "journal version", "another longhaul")


def of_version_1(t, name):
    """The command of an output of an earlier version, in its folder."""
    kept = pathlib.Path(__file__).parent / "version_1"
    for file in ("model.json", "input.csv"):
        shutil.copy(kept / file, t.folder / file)
    t.out = t.folder / name
    shutil.copytree(kept / name, t.out)
    return ["embed", "model.json", "input.csv", "-o", name, "--window", 16, "-b", 4, "-q"]


@follows(DIRECTORY, "was begun by an earlier version")
def test_an_unfinished_output_of_an_earlier_version(t):
    command = of_version_1(t, "stopped")
    t.fails(73, "finish it with that version, or start anew with --overwrite", *command)
    t.works(*command, "--overwrite", code=3)
    assert t.vectors().shape == (40, 4)


@follows(RETRY, "was made by an earlier version")
def test_a_retry_of_an_output_of_an_earlier_version(t):
    command = of_version_1(t, "finished")
    more = ["--unknown", "token"]
    t.fails(73, "or embed anew with --overwrite in place of --retry-rejects", *command, *more,
                "--retry-rejects")
    t.works(*command, *more, "--overwrite", code=3)
    assert np.isfinite(t.vectors()[5]).all()


@follows("lib/session/run_identity.cpp", "was made from another input", "was made with ")
def test_another_input_or_setting(made):
    t = made
    kept = ["--keep-column", "label"]
    t.fails(73, "use the same setting, another --output, or --overwrite",
            *t.embed(*kept, "--normalize", "l2"))
    t.works(*t.embed(*kept))
    t.out = t.folder / "normal"
    t.works(*t.embed(*kept, "--normalize", "l2"))
    t.out = t.folder / "out"
    before = t.input.read_text()
    t.input.write_text(before.replace("ACDEF", "ACDEG"))
    t.fails(73, "restore the input, or write to another --output", *t.embed(*kept))
    t.works("embed", t.model, t.input, "-o", t.folder / "new", "-q")
    t.input.write_text(before)
    t.works(*t.embed(*kept))
    t.works(*t.embed(*kept, "--normalize", "l2", "--overwrite"))


@follows(RETRY, "embeds the rejected rows of a complete output")
def test_a_retry_of_an_unfinished_output(begun):
    t = begun
    flags = ["-b", 8, "--commit-every", 0, "--window", 16]
    remedy = "give the same command without --retry-rejects first"
    t.fails(2, remedy, *t.embed(*flags, "--retry-rejects"))
    t.works(*t.embed(*flags))
    t.works(*t.embed(*flags, "--retry-rejects"))
    t.out = t.folder / "none"
    t.fails(2, remedy, *t.embed("--retry-rejects"))


@follows(RETRY, "mean-compat depends on it")
@follows(VERIFY, "mean-compat depends on their batch")
def test_a_retry_of_mean_compat(t):
    t.input.write_text("id,sequence\na,ACDEF\nb,AC?\n")
    t.model.write_text(json.dumps({"fake": True, "max_tokens": 20}))
    flags = ["--pooling", "mean-compat", "--order", "input", "-b", 8]
    t.works(*t.embed(*flags), code=3)
    t.fails(2, "into another --output", *t.embed(*flags, "--retry-rejects", "--unknown", "token"))
    t.fails(2, "verify without --recompute", "verify", t.out, "--recompute", 1)
    t.works("verify", t.out)
    t.out = t.folder / "again"
    t.works(*t.embed(*flags, "--unknown", "token"))


@follows(RETRY, "was made from another input")
def test_a_retry_of_another_input(t):
    t.input.write_text("id,sequence\na,ACDEF\nb,AC?\n")
    t.works(*t.embed(), code=3)
    t.input.write_text("id,sequence\na,ACDEF\nb,ACD\n")
    retry = ["--retry-rejects", "--unknown", "token"]
    t.fails(73, "another --output, or --overwrite without --retry-rejects", *t.embed(*retry))
    t.works("embed", t.model, t.input, "-o", t.folder / "own", "-q")
    shutil.copytree(t.out, t.folder / "kept")
    t.works(*t.embed("--overwrite"))
    shutil.rmtree(t.out)
    (t.folder / "kept").rename(t.out)
    t.input.write_text("id,sequence\na,ACDEF\nb,AC?\n")
    t.works(*t.embed(*retry))


@follows("lib/store/record_cursor.cpp", "table_.where()")
def test_damaged_rejects(t):
    t.input.write_text("id,sequence\na,ACDEF\nb,AC?\n")
    t.works(*t.embed(), code=3)
    rejects = t.out / "rejects.csv"
    rejects.write_text(rejects.read_text().replace("1,b,", "x,b,"))
    t.fails(65, "see what `longhaul verify` says", *t.embed("--retry-rejects"))
    assert "rejects.csv" in t.fails(65, "", "verify", t.out)


for part in ("ends early", "does not have one vector", "is not the header of records"):
    cannot_follow("lib/store/output_reader.cpp", part,
                  "files copied without their journal, of which verify says that there is none")
for file, parts in (("lib/store/array_reader.cpp", ("does not say where", "place_.offsets + \" ends")),
                    ("lib/store/ragged_rows.cpp", ("end at vector", "do not say where",
                                                   "the input has changed"))):
    for part in parts:
        cannot_follow(file, part, "no command writes residues yet; array_sink_test.cpp meets it")
cannot_follow("lib/store/retry_merge.cpp", "kGiveUp", "a retry that was killed and then "
              "damaged: retry_merge_test.cpp damages one")


@follows("lib/run/reject_policy.cpp", "raise --max-rejects")
@follows("lib/domain/outcome.cpp", "Reason::kEmpty", "Reason::kInvalidCharacter")
def test_too_many_rejects(t):
    t.input.write_text("id,sequence\na,ACDEF\nb,AC?\nc,\n")
    line = t.fails(65, "raise --max-rejects, or correct the input", *t.embed("--max-rejects", 1))
    assert "2 of 3" in line or "limit" in line
    t.works(*t.embed("--max-rejects", 2))
    t.input.write_text("id,sequence\na,ACDEF\nb,ACK\nc,MK\n")
    t.works(*t.embed("--max-rejects", 1, "--overwrite"))
    t.input.write_text("id,sequence\na,ACDEF\nb,AC?\n")
    t.works(*t.embed("--overwrite", "--unknown", "token"))


@follows("apps/longhaul/verify_report.cpp", "does not verify")
@follows("lib/store/record_cursor.cpp", "is not the header of these records", "table_.where()")
@follows("lib/store/array_reader.cpp", "the file ends before it", "is damaged: its header")
@follows(SCORE, "does not have one vector", "is said to be ok", "kReport")
@pytest.mark.parametrize("name, damage", [
    ("records.csv", lambda p: edit(p, ",ok,", ",fine,")),
    ("records.csv", lambda p: edit(p, r"\n1,", "\n7,")),
    ("records.csv", lambda p: edit(p, r"\n3,.*\n", "\n")),
    ("embeddings.npy", lambda p: os.truncate(p, p.stat().st_size - 16)),
    ("embeddings.npy", lambda p: np.save(p, np.full((4, 8), np.nan, "<f4"))),
    ("run.json", lambda p: p.write_text("{")),
])
def test_a_damaged_output(made, name, damage):
    """The probe says that something is wrong, verify what it is, and its remedy mends it."""
    t = made
    head = ["probe", "fit", t.out, "-o", t.folder / "head.npz"]
    damage(t.out / name)
    t.fails(65, "run longhaul verify on it", *head)
    found = t.fails(65, "restore the files from a copy, or embed again with --overwrite", "verify",
                    t.out)
    assert name in found
    restore(t)
    t.works("verify", t.out)
    t.works(*head)
    damage(t.out / name)
    t.works(*t.embed("--keep-column", "label", "--overwrite"))
    t.works("verify", t.out)


@follows(VERIFY, "--recompute needs the settings")
def test_recomputing(made):
    t = made
    before = t.input.read_text()
    t.input.write_text("id,sequence,label\na,ACDEF,1\n")
    t.fails(65, "restore the input that it was made of", "verify", t.out, "--recompute", 4)
    t.input.write_text(before)
    t.works("verify", t.out, "--recompute", 4)
    (t.out / "run.json").write_text("{")
    t.fails(65, "verify without --recompute to see what is wrong", "verify", t.out, "--recompute", 1)
    assert "run.json" in t.fails(65, "restore the files", "verify", t.out)


@follows("apps/longhaul/inspect.cpp", "is a directory, not a model")
@follows("lib/session/output_state.cpp", "is no output of longhaul", "holds no run")
def test_inspecting(made):
    t = made
    t.fails(2, "--draft-card and --card go with a model file", "inspect", t.out, "--draft-card")
    t.works("inspect", t.out)
    remedy = "give a model file, or an output directory of longhaul embed"
    for name in ("journal.jsonl", "run.json"):
        other = t.folder / f"only {name}"
        other.mkdir()
        (other / name).write_text("not longhaul's\n")
        t.fails(65, remedy, "inspect", other)
    t.works("inspect", t.out)
    t.works("inspect", t.model)


@follows("lib/base/posix_", "which is not there", "is a file, not a directory")
def test_outputs_that_are_no_directories(t):
    (t.folder / "link").symlink_to(t.folder / "gone")
    t.out = t.folder / "link"
    t.fails(74, "make that directory, remove the link, or name another", *t.embed())
    (t.folder / "gone").mkdir()
    t.works(*t.embed())
    shutil.rmtree(t.folder / "gone")
    t.out.unlink()
    t.works(*t.embed())
    t.out = t.write("file", "x")
    t.fails(74, "name another directory", *t.embed())
    t.out = t.folder / "another"
    t.works(*t.embed())


@follows("apps/longhaul/process_setup.cpp", "the working directory was deleted")
def test_a_working_directory_that_is_gone(t):
    gone = t.folder / "gone"
    command = [str(t.program.path), *map(str, t.embed())]
    done = subprocess.run(["bash", "-c", f"mkdir {gone} && cd {gone} && rmdir {gone} && "
                           f"{shlex.join(command)}"], capture_output=True, text=True)
    assert done.returncode == 74, done.stderr
    assert done.stderr.strip().endswith("change to a folder that exists (cd) and give the command again")
    t.works(*t.embed())


@follows("apps/longhaul/replay_paths.cpp", "that cannot be entered")
def test_a_replay_from_a_folder_that_is_gone(t):
    gone = t.folder / "gone"
    gone.mkdir()
    t.program("embed", "../model.json", "../in.csv", "-o", "../out", "-q", cwd=gone)
    gone.rmdir()
    replay = ["embed", "--config", t.out / "run.json", "-q"]
    t.fails(74, "give MODEL, INPUT... and -o on the command line", *replay)
    t.works("embed", t.model, t.input, "-o", t.folder / "new", "--config", t.out / "run.json", "-q")


cannot_follow("lib/session/output_state.cpp", "is being begun by", "a moment of a start")
cannot_follow("apps/longhaul/recycle.cpp", "cannot go back to", "a folder that goes while a run is "
              "going on: the same command is what test_recycle.py gives")
cannot_follow("lib/session/run_identity.cpp", "stopped while the input", "a stop in a moment that "
              "test_stops.py cannot choose; the same command is what it gives")
cannot_follow("lib/base/posix_", "ulimit -f", "raising a limit of the system")


cannot_follow("apps/longhaul/inspect.cpp", "cannot try a module", "another build")


@follows(SCORE, "is not an output directory", "holds a run that is not finished")
def test_a_probe_of_what_is_no_complete_output(begun):
    t = begun
    (t.folder / "empty").mkdir()
    for path in (t.folder / "empty", t.folder / "none"):
        t.fails(65, "name the --output of a longhaul embed run", "probe", "fit", path, "-o",
                t.folder / "h.npz")
    t.fails(65, "give the same embed command again: it continues", "probe", "fit", t.out, "-o",
            t.folder / "h.npz")
    t.works(*t.embed("-b", 8, "--commit-every", 0, "--window", 16))
    labels = t.folder / "labels.csv"
    with open(labels, "w", newline="") as file:
        csv.writer(file).writerows([["id", "label"], *[[f"r{i}", i % 2] for i in range(64)]])
    t.works("probe", "fit", t.out, "-o", t.folder / "h.npz", "--labels", labels)
