"""A remedy is a promise: messages about folders, the process and what a stop left, followed."""

import fcntl
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest
from conftest import clean_environment
from fake_run import Job, committed, contents, journal
from image_files import picture
from PIL import Image

from remedies import Trial, follows

FILES = "lib/base/posix_"
MEMORY = "lib/session/resume_scan.cpp"
STATE = "lib/session/output_state.cpp"
LOCK = "longhaul.lock"  # store_files::kLock


@pytest.fixture
def t(longhaul_fake, tmp_path):
    return Trial(longhaul_fake, tmp_path)


def started(t, *arguments, **options):
    return subprocess.Popen([str(t.program.path), *map(str, arguments)],
                            **{"cwd": t.folder, "env": clean_environment(),
                               "stderr": subprocess.PIPE, "text": True, **options})


def wait_until(condition, process):
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline, process.stderr.read()
        time.sleep(0.002)


def done(t, out=None):
    """Records in the windows that the journal claims."""
    out = out or t.out
    return committed(out)[0] if (out / "journal.jsonl").exists() else 0


@follows(FILES, "is a link to ")
def test_an_output_that_is_a_link_to_nothing(t):
    t.out.symlink_to("elsewhere")
    remedy = "make that directory, remove the link, or name another directory"
    t.fails(74, remedy, *t.embed())
    t.works("embed", t.model, t.input, "-o", t.folder / "other", "-q")
    (t.folder / "elsewhere").mkdir()
    t.works(*t.embed())
    shutil.rmtree(t.folder / "elsewhere")
    t.fails(74, remedy, *t.embed())
    t.out.unlink()
    t.works(*t.embed())
    assert t.vectors().shape == (4, 8)


@follows(FILES, "is a file, not a directory")
def test_an_output_that_is_a_file(t):
    t.out.write_text("mine")
    t.fails(74, "name another directory", *t.embed())
    assert t.out.read_text() == "mine"
    t.works("embed", t.model, t.input, "-o", t.folder / "other", "-q")


@follows(FILES, "remedy_of(code)")
@pytest.mark.parametrize("name, remedy", [
    ("loop", "a link there leads back to itself: remove it, or name another path"),
    ("in.csv/out", "a part of this path is a file: name another path"),
    ("x" * 300, "name a shorter path")])
def test_an_output_where_none_can_be(t, name, remedy):
    (t.folder / "loop").symlink_to("loop")
    command = [name if word == t.out else word for word in t.embed()]
    t.fails(74, remedy, *command)
    t.works(*t.embed())
    if name == "loop":
        (t.folder / "loop").unlink()
        t.works(*command)


@follows("lib/store/record_cursor.cpp", "does not end as a CSV line does")
def test_a_table_that_does_not_end(t):
    t.input = t.write("in.csv", "id,sequence\na,ACDEF\nb,AC?\n")
    t.works(*t.embed(), code=3)
    path = t.out / "rejects.csv"
    whole = path.read_bytes()
    damaged = whole[:-1] + b"x"
    path.write_bytes(damaged)
    retry = t.embed("--retry-rejects", "--unknown", "token")
    t.fails(65, "see what `longhaul verify` says of the output", *retry)
    path.write_bytes(whole)
    t.works(*retry)
    t.works("verify", t.out)
    (t.out / "records.csv").write_bytes((t.out / "records.csv").read_bytes()[:-1] + b"x")
    assert "does not end as a CSV line does" in t.works("verify", t.out, code=65).out
    t.works(*t.embed("--overwrite"), code=3)
    t.works("verify", t.out)


@follows("lib/config/validate_config.cpp", "--delimiter has no meaning with --format")
def test_a_delimiter_of_what_has_none(t):
    t.input = t.write("in.jsonl", '{"id": "a", "sequence": "ACDEF"}\n')
    flags = ["--format", "jsonl"]
    t.fails(2, "leave it out", *t.embed(*flags, "--delimiter", "tab"))
    t.works(*t.embed(*flags))


@follows("lib/encode/contract.cpp", "depends on the other records of its batch")
def test_a_model_that_mixes_the_records_of_a_batch(t):
    mixing = {"fake": True, "dimension": 8, "neighbours_matter": True, "part_tokens": 512}
    t.model.write_text(json.dumps(mixing))
    for order in (), ("--order", "input"), ("--order", "input", "-b", 2):
        t.fails(65, "or go on with --allow-batch-dependent, which marks the output as numeric",
                *t.embed(*order))
    t.works(*t.embed("--allow-batch-dependent"))
    assert json.loads((t.out / "run.json").read_text())["bits"] == "numeric"
    t.model.write_text(json.dumps({**mixing, "neighbours_matter": False}))  # exported in eval mode
    t.works(*t.embed("--overwrite"))


@follows("lib/encode/model_checks.cpp", "the same record gives two vectors")
def test_a_model_that_draws_random_numbers(t):
    t.model.write_text(json.dumps({"fake": True, "dimension": 8, "random": True}))
    t.fails(65, "export it again after model.eval()", *t.embed())
    t.model.write_text(json.dumps({"fake": True, "dimension": 8}))
    t.works(*t.embed())


@follows(STATE, "is no output of longhaul")
def test_inspecting_another_programs_folder(t):
    folder = t.folder / "theirs"
    t.write("theirs/run.json", "{}")
    remedy = "give a model file, or an output directory of longhaul embed"
    t.fails(65, remedy, "inspect", folder)
    t.works("inspect", t.model)
    t.works(*t.embed())
    t.works("inspect", t.out)


@follows(STATE, " holds no run")
def test_inspecting_what_was_not_begun(t):
    t.write("out/journal.jsonl", "")
    remedy = "give a model file, or an output directory of longhaul embed"
    t.fails(65, remedy, "inspect", t.out)
    t.works("inspect", t.model)
    t.works(*t.embed("--overwrite"))
    t.works("inspect", t.out)
    shutil.rmtree(t.out)
    t.write("out/journal.jsonl", "")
    lock = t.write(f"out/{LOCK}", "process 7")
    with open(lock) as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for journal in (True, False):  # there is none while the model is loaded
            if not journal:
                (t.out / "journal.jsonl").unlink()
            line = t.fails(69, "look again in a moment", "inspect", t.out)
            assert "is being begun by process 7" in line
    t.works(*t.embed("--overwrite"))
    t.works("inspect", t.out)


@follows("apps/longhaul/process_setup.cpp", "the working directory was deleted")
def test_a_working_directory_that_was_deleted(t):
    gone = t.folder / "gone"
    gone.mkdir()
    words = [str(t.program.path), *map(str, t.embed())]
    result = subprocess.run(["sh", "-c", f'cd {gone} && rmdir {gone} && "$@"', "sh", *words],
                            env=clean_environment(), capture_output=True, text=True)
    assert result.returncode == 74, result
    assert result.stderr.splitlines() == [
        "longhaul: the working directory was deleted; change to a folder that exists (cd) and give "
        "the command again"]
    t.works(*t.embed())


@pytest.fixture
def relative(t):
    """A run whose paths are relative to its folder; it takes about a second."""
    t.project = t.folder / "project"
    t.write("project/in.csv", "id,sequence\n" + "".join(f"r{i},ACDEFGHIK\n" for i in range(96)))
    t.write("project/model.json", json.dumps({"fake": True, "dimension": 8,
                                              "rows_per_second": 100}))
    done = t.program("embed", "model.json", "in.csv", "-o", "out", "-q", "-b", 8, "--window", 16,
                     "--commit-every", 0, cwd=t.project)
    assert done.code == 0, done
    return t


@follows("apps/longhaul/replay_paths.cpp", "and that cannot be entered")
def test_a_replay_of_a_run_whose_folder_is_gone(relative):
    t = relative
    moved = t.project.rename(t.folder / "moved")
    config = moved / "out/run.json"
    line = t.fails(74, "give MODEL, INPUT... and -o on the command line", "embed", "--config",
                   config, "-o", t.out)
    assert str(t.project) in line
    t.works("embed", moved / "model.json", moved / "in.csv", "-o", t.out, "--config", config)
    assert np.array_equal(t.vectors(), np.load(moved / "out/embeddings.npy"))


@follows("apps/longhaul/recycle.cpp", "cannot go back to")
def test_a_replay_whose_own_folder_goes_before_it_is_recycled(relative):
    t = relative
    here = t.folder / "here"
    here.mkdir()
    command = ["embed", "--config", t.project / "out/run.json", "-o", t.out, "--recycle-every", 6]
    run = started(t, *command, cwd=here)
    wait_until((t.out / "journal.jsonl").exists, run)
    here.rmdir()
    errors = run.communicate(timeout=60)[1]
    assert run.returncode == 74, errors
    line = errors.splitlines()[-1]
    assert f"cannot go back to {here}" in line
    assert line.endswith("the same command continues the run")
    assert 0 < done(t) < 96
    here.mkdir()
    result = t.program(*command, cwd=here)
    assert result.code == 0, result
    sessions = json.loads((t.out / "run.json").read_text())["sessions"]
    assert len(sessions) > 1 and sessions[0]["state"] != "complete", sessions
    assert np.array_equal(t.vectors(), np.load(t.project / "out/embeddings.npy"))


def catches(process, number):
    with open(f"/proc/{process.pid}/status") as file:
        mask = next(line.split()[1] for line in file if line.startswith("SigCgt"))
    return int(mask, 16) >> (number - 1) & 1


@follows("lib/session/run_identity.cpp", "stopped while the input so far was read again")
def test_a_stop_while_a_file_is_read_again(t):
    t.model.write_text(json.dumps({"fake": True, "dimension": 8, "rows_per_second": 3000}))
    t.input.write_text("id,sequence\n" + "".join(f"r{i},ACDEFGHIK\n" for i in range(6000)))
    command = t.embed("-b", 64, "--window", 64, "--commit-every", 0)
    run = started(t, *command)
    wait_until(lambda: done(t) > 1500, run)
    run.kill()
    run.communicate()
    before = done(t)
    assert before < 6000
    os.utime(t.input, (1, 1))  # the same bytes, but they must be read to know
    run = started(t, *command)
    while run.poll() is None and not catches(run, signal.SIGTERM):
        pass
    run.send_signal(signal.SIGTERM)
    errors = run.communicate(timeout=60)[1]
    assert run.returncode == 75, errors
    assert errors.splitlines()[-1] == ("longhaul: stopped while the input so far was read again; "
                                       "give the same command again")
    assert done(t) == before
    t.works(*command)
    assert t.vectors().shape == (6000, 8)


# Images. The kernels are named: the choice of the fastest is timed.
OPTIONS = ("-q", "-b", "4", "--window", "4", "--commit-every", "0", "--cpu-kernels", "mkl")


@pytest.fixture
def i(longhaul, tiny_image_model, tmp_path):
    """A folder of 48 images, two of them equal."""
    trial = Trial(longhaul, tmp_path)
    trial.model = tiny_image_model
    trial.input = tmp_path / "images"
    trial.input.mkdir()
    for number in range(48):
        Image.fromarray(picture(40 + number % 7, 36, number)).save(
            trial.input / f"{number:03d}.png")
    shutil.copy(trial.input / "002.png", trial.input / "041.png")
    return trial


def stop_in_the_middle(i, *options):
    """Kills the run in the middle, and leaves a copy of the output beside it."""
    for _ in range(20):
        run = started(i, *i.embed(*OPTIONS, *options))
        while run.poll() is None and done(i) < 8:
            time.sleep(0.001)
        run.kill()
        run.communicate()
        if 8 <= done(i) < 44 and not (i.out / "embeddings.npy").exists():
            shutil.copytree(i.out, i.folder / "copy")
            return
        shutil.rmtree(i.out, ignore_errors=True)
    pytest.fail("no kill came in the middle")


def restore(i):
    shutil.rmtree(i.out)
    shutil.copytree(i.folder / "copy", i.out)


def damage(path, before, after):
    """As many bytes as before: the journal says how many there are."""
    data = path.read_bytes()
    assert before in data and len(before) == len(after)
    path.write_bytes(data.replace(before, after, 1))


@follows("lib/store/record_cursor.cpp", "is not the header of these records", "table_.where()")
@pytest.mark.parametrize("kind, before, after, said", [
    ("exact", b",hash", b",hush", "is not the header of these records"),
    ("dhash", b",likeness", b",likelessn"[:9], "is not the header of these records"),
    ("exact", b"\n1,", b"\nx,", "line 3: has no valid row or status"),
])
def test_damaged_records_of_a_run_that_skips_duplicates(i, kind, before, after, said):
    options = (*OPTIONS, "--skip-duplicates", kind)
    stop_in_the_middle(i, "--skip-duplicates", kind)
    damage(i.out / "records.csv", before, after)
    line = i.fails(65, "start anew with --overwrite", *i.embed(*options))
    assert said in line
    i.works(*i.embed(*options, "--overwrite"))
    i.works("verify", i.out)
    assert ",duplicate," in (i.out / "records.csv").read_text()


@follows(MEMORY, "--skip-duplicates dhash writes a column ")
def test_a_kept_column_called_likeness(i):
    names = sorted(path.name for path in i.input.iterdir())

    def listed(column):
        i.write("list.csv", f"path,{column}\n" + "".join(f"images/{n},1\n" for n in names))
        return ["embed", i.model, "--files-from", i.folder / "list.csv", "-o", i.out, "-q",
                "--skip-duplicates", "dhash", "--keep-column", column]

    i.fails(2, "give the kept column of that name another", *listed("likeness"))
    i.works(*listed("seen"))
    assert "likeness" in (i.out / "records.csv").read_text().splitlines()[0]


@follows("lib/session/image_match.cpp", " ends before row ")
def test_damaged_records_of_images_that_are_looked_at_again(i):
    stop_in_the_middle(i)
    os.utime(i.input / "001.png", (1, 1))  # the same bytes, but they must be read to know
    damage(i.out / "records.csv", b"\n1,", b"\nx,")
    line = i.fails(65, "restore it from a copy, or start anew with --overwrite",
                   *i.embed(*OPTIONS))
    assert "records.csv, line 3: has no valid row or status" in line
    restore(i)
    i.works(*i.embed(*OPTIONS))
    expected = i.vectors()
    restore(i)
    damage(i.out / "records.csv", b"\n1,", b"\nx,")
    i.works(*i.embed(*OPTIONS, "--overwrite"))
    assert np.array_equal(i.vectors(), expected)


@follows("lib/store/journal.cpp", " is not as this process left it")
def test_two_on_one_output_where_locks_do_not_keep_them_apart(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 64 * 12, rate=400)
    job.reference()
    out = tmp_path / "out"
    first = subprocess.Popen(job.command(out), stderr=subprocess.PIPE, text=True)
    while not any(line["kind"] == "commit" for line in journal(out)):
        time.sleep(0.01)
    first.send_signal(signal.SIGSTOP)
    tasks = pathlib.Path(f"/proc/{first.pid}/task")
    while any(") T " not in (task / "stat").read_text() for task in tasks.iterdir()):
        time.sleep(0.01)
    (out / LOCK).unlink()  # whoever comes next makes and locks another
    lines = len(journal(out))
    second = subprocess.Popen(job.command(out), stderr=subprocess.PIPE, text=True)
    while len(journal(out)) == lines:
        time.sleep(0.01)
    first.send_signal(signal.SIGCONT)
    error = first.communicate()[1]
    told = second.communicate()[1]
    codes = [first.returncode, second.returncode]
    # The second ends too, or alone, where the first was stopped in the middle of its line.
    assert 69 in codes and set(codes) <= {3, 69}, (error, told)
    error = error if codes[0] == 69 else told
    assert "wait for the other one to end, then give the same command again" in error
    job.finish(out)
    assert contents(out) == job.expected
    assert longhaul_fake("verify", out).code == 0


def test_the_lock_names_the_job_of_a_scheduler(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 64 * 8, rate=400)
    first = subprocess.Popen(job.command(tmp_path / "out"), stderr=subprocess.DEVNULL,
                             env=os.environ | {"SLURM_JOB_ID": "4711"})
    while not journal(tmp_path / "out"):
        time.sleep(0.01)
    refused = longhaul_fake(*job.arguments(tmp_path / "out"))
    first.kill()
    first.wait()
    assert refused.code == 69 and "(SLURM_JOB_ID 4711) since" in refused.err, refused
