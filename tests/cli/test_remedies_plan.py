"""The remedies of `plan`, followed; and where a run would be refused, so is its plan."""

import json
import os
import signal
import subprocess

import pytest

from conftest import clean_environment
from remedies import Trial, follows

BEGUN = "lib/session/begun_run.cpp"


@pytest.fixture
def t(longhaul_fake, tmp_path):
    return Trial(longhaul_fake, tmp_path)


def plan(t, *flags, out=None):
    return ["plan", t.model, t.input, "-o", out or t.out, *flags]


def stopped_while_loading(t, *flags):
    """What is left when a plan hears of the stop before it reads: the line that it ends with."""
    t.model.write_text(json.dumps({"fake": True, "dimension": 8, "rows_per_second": 2}))
    command = [str(part) for part in [t.program.path, *plan(t, *flags)]]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
                               env=clean_environment())
    for line in process.stderr:
        if "loaded in" in line:  # what comes next takes seconds
            break
    process.send_signal(signal.SIGTERM)
    errors = process.communicate()[1]
    assert process.returncode == 75, errors
    t.model.write_text(json.dumps({"fake": True, "dimension": 8}))
    return errors.splitlines()[-1]


@follows("lib/session/rung_timing.cpp", "interrupted before the machine was timed")
def test_a_stop_while_the_machine_is_timed(t):
    before = sorted(os.listdir(t.folder))
    line = stopped_while_loading(t)
    assert line.endswith("before the machine was timed; give the same command again: a plan leaves "
                         "nothing")
    t.works(*plan(t))
    assert sorted(os.listdir(t.folder)) == before


@follows("lib/session/planning.cpp", "interrupted before the whole input was read")
def test_a_stop_while_the_input_is_read(t):
    t.input.write_text("sequence\n" + "MKV\n" * 3000)
    line = stopped_while_loading(t)
    assert line.endswith("before the whole input was read; give the same command again: a plan "
                         "leaves nothing")
    t.works(*plan(t))


@follows(BEGUN, " was begun by one process, and the two do not mix")
def test_shards_where_one_process_began(t):
    t.works(*t.embed())
    t.fails(73, "leave --shards out", *plan(t, "--shards", 2))
    t.works(*plan(t))
    t.works(*plan(t, "--shards", 2, out=t.folder / "another"))


@follows(BEGUN, " is divided into ")
def test_another_number_of_shards(t):
    t.works(*t.embed("--shard", "1/3"))
    t.fails(73, "plan it with --shards 3", *plan(t, "--shards", 2))
    t.works(*plan(t, "--shards", 3))
    t.works(*plan(t, "--shards", 2, out=t.folder / "another"))


def same_end(t, code, *flags, out=None):
    """A plan is refused as the run is, with the same words."""
    run = t.program("embed", t.model, t.input, "-o", out or t.out, "-q", *flags, cwd=t.folder)
    planned = t.program(*plan(t, "-q", *flags, out=out), cwd=t.folder)
    assert (planned.code, run.code) == (code, code), (planned, run)
    assert planned.err.splitlines()[-1] == run.err.splitlines()[-1]


def test_what_stops_a_run_stops_its_plan(t):
    t.works(*t.embed())
    same_end(t, 73, "--pooling", "max")
    other = t.folder / "other"
    other.mkdir()
    (other / "mine.txt").write_text("mine")
    same_end(t, 73, out=other)
    new = t.folder / "new"
    same_end(t, 2, "--skip-duplicates", "dhash", out=new)
    same_end(t, 2, "--skip-duplicates", "exact", "--order", "input", "--batch-size", 2, out=new)
    for flags in [[], ["--pooling", "mean-compat"]]:
        t.fails(2, "embed the whole input in one process",
                *plan(t, "-q", "--shards", 2, "--order", "input", "-b", 2, *flags, out=new))
    pipe = t.folder / "pipe.csv"
    os.mkfifo(pipe)
    for command in ["plan", "embed"]:
        with subprocess.Popen(["sh", "-c", f"exec cat {t.input} > {pipe}"]) as writer:
            t.fails(2, "write the stream to a file first", command, t.model, pipe, "-o", new,
                    "-q", "--recycle-every", 5)
            writer.kill()


def test_a_plan_where_nothing_fits_ends_as_the_run_does(t):
    t.model.write_text(json.dumps({"fake": True, "dimension": 8, "capacity_rows": 0}))
    run = t.program(*t.embed(), cwd=t.folder)
    planned = t.program(*plan(t, "-q", out=t.folder / "another"), cwd=t.folder)
    assert (planned.code, run.code) == (71, 71), (planned, run)
    assert "no record that was tried fits in memory" in planned.err


def test_what_an_output_has_on_the_disk_is_not_asked_for_again(t):
    t.works(*t.embed())
    whole = json.loads(t.works(*plan(t, "-q", "--json", out=t.folder / "new")).out)
    there = json.loads(t.works(*plan(t, "-q", "--json")).out)
    assert whole["bytes"] == there["bytes"] > 0
    assert whole["bytes_there"] == 0
    assert there["bytes_there"] == there["bytes"]
