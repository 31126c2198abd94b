"""`embed --processes N`, and on several devices: one command, several processes, one output."""

import json
import os
import pathlib
import random
import signal
import subprocess
import time

import pytest

from conftest import clean_environment
from fake_run import DATA, Job, contents, journal

LEFT = sorted([*DATA, "journal.jsonl", "memory.jsonl", "run.json"])


@pytest.fixture
def job(longhaul_fake, folder):
    return Job(longhaul_fake, folder, records=64 * 9 + 17)


@pytest.fixture
def slow(longhaul_fake, folder):
    """Some seconds in two processes."""
    return Job(longhaul_fake, folder, records=64 * 20, rate=150)


def left(out):
    return sorted(path.name for path in out.iterdir())


def check(job, out):
    assert contents(out) == job.reference()
    assert left(out) == LEFT
    verified = job.run_fake("verify", out)
    assert verified.code == 0, verified


def children_of(pid):
    return [int(word) for word in
            pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def shard_of(pid):
    words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return int(words[words.index(b"--share-of-processes") + 1].split(b",")[0])


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)
    return value


def committed(out, index, count):
    lines = journal(out / "shards" / f"{index}-of-{count}")
    return any(line["kind"] == "commit" for line in lines)


def start(job, out, *more):
    """A run of two processes, both of which have committed something."""
    run = job.start_with(out, "--processes", 2, *more)
    wait_for(lambda: committed(out, 1, 2) and committed(out, 2, 2))
    return run


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("count", [2, 3, 11])
def test_several_processes_leave_what_one_leaves(job, folder, count):
    out = folder / "out"
    done = job.finish(out, "--processes", count)
    check(job, out)
    run = json.loads((out / "run.json").read_text())
    assert run["settings"]["processes"] == {"value": count, "origin": "flag"}
    assert run["settings"]["shard"]["value"] is None
    assert run["settings"]["progress"] == {"value": "none", "origin": "flag"}
    assert [shard["shard"] for shard in run["shards"]] == [f"{i}/{count}"
                                                           for i in range(1, count + 1)]
    for session in run["sessions"]:
        assert "--share-of-processes" not in session["command"]
    assert f"merged {count} shards" in done.err
    again = job.finish(out, "--processes", count)
    assert "complete: nothing to do" in again.err
    assert "shard 1" not in again.err  # no process was started


def test_a_finished_run_replays_in_as_many_processes(job, longhaul_fake, folder):
    job.finish(folder / "out", "--processes", 2)
    done = longhaul_fake("embed", "--config", folder / "out/run.json", "-o", folder / "again")
    assert done.code == 3 and "merged 2 shards" in done.err, done
    assert contents(folder / "again") == contents(folder / "out")


def test_threads_and_memory_are_shared_out(job, folder):
    out = folder / "out"
    arguments = [word for word in job.command(out, "--processes", 2, "--memory-limit", "3G")
                 if word not in ("--threads", "1")]
    done = subprocess.run(arguments, capture_output=True, text=True, env=clean_environment())
    assert done.returncode == 3, done
    sessions = json.loads((out / "run.json").read_text())["sessions"]
    threads = sorted(session["threads"] for session in sessions)
    usable = len(os.sched_getaffinity(0))
    assert sum(threads) <= max(usable, 2) and threads[-1] - threads[0] <= 1
    assert {session["threads_from"] for session in sessions} == {"share of the processes"}
    limit = json.loads((out / "run.json").read_text())["settings"]["memory-limit"]
    assert limit == {"value": 3 << 30, "origin": "flag"}


def test_a_memory_limit_is_divided(job, folder):
    out = folder / "out"
    done = job.run_fake(*job.arguments(out, "--processes", 2, "--memory-limit", "3G", "--strict"))
    assert done.code == 65, done
    for index in (1, 2):
        settings = json.loads((out / f"shards/{index}-of-2/run.json").read_text())["settings"]
        assert settings["memory-limit"]["value"] == (3 << 30) // 2


def test_one_summary_one_log_and_quiet(job, folder):
    log = folder / "run.log"
    arguments = [word for word in job.command(folder / "out", "--processes", 2, "--json", "-q",
                                              "--log-file", log)
                 if word not in ("--progress", "none")]
    done = subprocess.run(arguments, capture_output=True, text=True, env=clean_environment())
    assert done.returncode == 3
    assert json.loads(done.stdout)["state"] == "complete"
    assert "shard 1/2: warning" not in done.stderr
    # Rejects of each reason are warned about once, though both processes have some.
    assert done.stderr.count("rejected as empty") == 1, done.stderr
    text = log.read_text()
    assert "shard 1/2: " in text and "shard 2/2: " in text and "merged 2 shards" in text


def test_one_display_adds_them_up(slow, folder):
    arguments = [word if word != "none" else "json"
                 for word in slow.command(folder / "out", "--processes", 2)]
    done = subprocess.run(arguments, capture_output=True, text=True, env=clean_environment())
    assert done.returncode == 3
    shown = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert all(line["event"] == "progress" for line in shown)
    counts = [line["records_done"] for line in shown]
    assert counts == sorted(counts) and counts[-1] == slow.records and shown[-1]["final"]
    assert any(slow.records / 2 < count < slow.records for count in counts)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_is_passed_on_and_waited_for(slow, folder, number):
    out = folder / "out"
    run = start(slow, out)
    children = children_of(run.pid)
    assert len(children) == 2
    run.send_signal(number)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 75, err
    assert not any(is_alive(child) for child in children)
    last = err.splitlines()[-1]
    assert last.startswith("longhaul: interrupted; everything up to here is safe in")
    assert "--share-of-processes" not in last
    states = json.loads(slow.run_fake("inspect", out, "--json").out)["shards"]
    assert {state["state"] for state in states} == {"interrupted"}
    slow.finish(out, "--processes", 2)
    check(slow, out)


def test_a_terminal_reaches_the_processes_through_the_first_alone(slow, folder):
    """An interrupt goes to a whole group: a second one, passed on, would end them at once."""
    out = folder / "out"
    run = subprocess.Popen(slow.command(out, "--processes", 2), stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(lambda: committed(out, 1, 2) and committed(out, 2, 2))
    os.killpg(run.pid, signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 75 and "second interrupt" not in err, err
    for index in (1, 2):
        report = json.loads((out / "shards" / f"{index}-of-2" / "run.json").read_text())
        assert report["state"] == "interrupted"


def test_a_second_interrupt_ends_all_at_once(longhaul_fake, folder):
    job = Job(longhaul_fake, folder, records=64 * 4, hang_at=2)
    out = folder / "out"
    run = job.start_with(out, "--processes", 2)
    children = wait_for(lambda: len(children_of(run.pid)) == 2 and children_of(run.pid))
    wait_for(lambda: committed(out, 1, 2) and committed(out, 2, 2))
    run.send_signal(signal.SIGINT)
    time.sleep(0.5)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=20)
    assert run.returncode == 75, err
    assert not any(is_alive(child) for child in children)


def test_one_that_dies_leaves_the_others_to_finish(slow, folder):
    out = folder / "out"
    run = start(slow, out)
    victim = next(child for child in children_of(run.pid) if shard_of(child) == 2)
    os.kill(victim, signal.SIGKILL)
    _, err = run.communicate(timeout=120)
    assert run.returncode == 75, err
    assert "shard 2/2 was killed (signal 9" in err and "the others go on" in err
    assert journal(out / "shards/1-of-2")[-1]["kind"] == "finish"
    assert journal(out / "shards/2-of-2")[-1]["kind"] != "finish"
    assert "continue with: " in err.splitlines()[-1]
    slow.finish(out, "--processes", 2)
    check(slow, out)


def test_processes_end_with_the_one_that_started_them(slow, folder):
    out = folder / "out"
    run = start(slow, out)
    children = children_of(run.pid)
    run.kill()
    run.communicate()
    # At once: what those still do is waited for.
    slow.finish(out, "--processes", 2)
    assert not any(is_alive(child) for child in children)
    check(slow, out)


def test_killed_again_and_again_and_while_merging(longhaul_fake, folder):
    job = Job(longhaul_fake, folder, records=64 * 12 + 5, rate=900)
    chance = random.Random(3)
    out = folder / "out"
    for _ in range(6):
        run = job.start_with(out, "--processes", 3)
        try:
            run.communicate(timeout=chance.uniform(0.1, 0.8))
        except subprocess.TimeoutExpired:
            run.kill()
            run.communicate()
    job.finish(out, "--processes", 3)
    check(job, out)


@pytest.mark.parametrize("operations", range(1, 40, 3))
def test_a_merge_that_was_killed_is_finished(job, folder, needs_strace, operations):
    """The first process is killed at one of its writes; only it merges."""
    out = folder / "out"
    command = ["strace", "-qq", "-o", folder / "trace", "-e", "trace=pwrite64",
               "-e", f"inject=pwrite64:signal=KILL:when={operations}"]
    subprocess.run([*map(str, command), *job.command(out, "--processes", 2)],
                   capture_output=True, env=clean_environment())
    job.finish(out, "--processes", 2)
    check(job, out)


def test_a_time_limit_is_all_of_theirs(slow, folder):
    out = folder / "out"
    done = slow.run_fake(*slow.arguments(out, "--processes", 2, "--time-limit", "1s"))
    assert done.code == 75, done
    assert "longhaul: interrupted; everything up to here is safe" in done.err.splitlines()[-1]
    assert "the others go on" not in done.err
    slow.finish(out, "--processes", 2)
    check(slow, out)


def test_overwrite_begins_anew_once_for_all(job, folder):
    out = folder / "out"
    job.finish(out, "--pooling", "max")
    job.finish(out, "--processes", 2, "--overwrite")
    check(job, out)
    # Over shards of another number and other settings, too.
    stopped = job.run_fake(*job.arguments(out, "--shard", "1/3", "--pooling", "max", "--overwrite"))
    assert stopped.code == 73
    fresh = folder / "fresh"
    assert job.run_fake(*job.arguments(fresh, "--shard", "1/3", "--pooling", "max")).code == 0
    other = job.run_fake(*job.arguments(fresh, "--processes", 2))
    assert other.code == 73 and "divided into 3 shards" in other.err
    job.finish(fresh, "--processes", 2, "--overwrite")
    check(job, fresh)


def test_what_began_otherwise_is_refused(slow, folder):
    out = folder / "out"
    run = slow.start_with(out)
    wait_for(lambda: any(line["kind"] == "commit" for line in journal(out)))
    run.terminate()
    run.communicate()
    done = slow.run_fake(*slow.arguments(out, "--processes", 2))
    assert done.code == 73 and "begun by one process" in done.err, done


def test_shards_that_were_begun_by_hand_are_gone_on_with(job, folder):
    out = folder / "out"
    assert job.run_fake(*job.arguments(out, "--shard", "2/3")).code == 0
    job.finish(out, "--processes", 3)
    check(job, out)


def test_a_failure_is_said_once(job, folder):
    done = job.run_fake("embed", job.model, folder / "absent.csv", "-o", folder / "out",
                        "--processes", 3)
    assert done.code == 74, done
    assert done.err.count("cannot open") == 1, done.err
    assert not (folder / "out").exists()


def test_the_worst_code_counts(longhaul_fake, folder):
    job = Job(longhaul_fake, folder, records=64 * 4)
    done = job.run_fake(*job.arguments(folder / "out", "--processes", 2, "--strict"))
    assert done.code == 65, done
    broken = Job(longhaul_fake, folder, records=64 * 4, error_at=2)
    done = broken.run_fake(*broken.arguments(folder / "other", "--processes", 2))
    assert done.code == 69 and "the fake device is broken" in done.err, done


@pytest.mark.parametrize("devices, count", [("cuda:all", 2), ("cuda:1,0", 2)])
def test_a_process_for_each_device(longhaul_fake, folder, devices, count):
    job = Job(longhaul_fake, folder, records=64 * 5, device="cuda")
    out = folder / "out"
    done = job.run_fake(*job.arguments(out, "--device", devices), env={"FAKE_CUDA_DEVICES": "2"})
    assert done.code == 3, done
    run = json.loads((out / "run.json").read_text())
    assert run["settings"]["device"] == {"value": devices, "origin": "flag"}
    names = [session["machine"]["device"] for session in run["sessions"]]
    assert names == (["cuda:0 fake", "cuda:1 fake"] if devices == "cuda:all"
                     else ["cuda:1 fake", "cuda:0 fake"])
    assert job.run_fake("verify", out).code == 0
    again = job.run_fake(*job.arguments(out, "--device", devices),
                         env={"FAKE_CUDA_DEVICES": "2"})
    assert again.code == 3 and "nothing to do" in again.err


def test_all_of_one_device_is_one_process(longhaul_fake, folder):
    job = Job(longhaul_fake, folder, records=64 * 5, device="cuda")
    done = job.run_fake(*job.arguments(folder / "out", "--device", "cuda:all"),
                        env={"FAKE_CUDA_DEVICES": "1"})
    assert done.code == 3 and "merged" not in done.err, done


@pytest.mark.parametrize("flags, said", [
    (["--processes", "2", "--shard", "1/2"], "--shard exclude each other"),
    (["--processes", "2", "--retry-rejects"], "--retry-rejects runs in one process"),
    (["--device", "cuda:all", "--retry-rejects"], "--retry-rejects runs in one process"),
    (["--processes", "3", "--device", "cuda:0,1"], "one process a device"),
    (["--processes", "2", "--device", "cuda:0"], "cannot share"),
    (["--processes", "2", "--device", "mps"], "cannot share"),
    (["--device", "cuda:0,0"], "is not a device"),
    (["--device", "cuda:0,"], "is not a device"),
    (["--processes", "2", "--order", "input"],
     "--processes and lists of devices do not go with --order input"),
])
def test_refusals(job, folder, flags, said):
    done = job.run_fake(*job.arguments(folder / "out", *flags))
    assert done.code == 2 and said in done.err, done
    if "input" in flags:  # only the model's card tells that it is meant for sequences
        job.finish(folder / "out")
    else:
        assert not (folder / "out").exists()


def test_standard_input_is_refused(job, folder):
    done = job.run_fake("embed", job.model, "-", "-o", folder / "out", "--processes", "2",
                        stdin=">a\nMKL\n")
    assert done.code == 2 and "standard input" in done.err, done


@pytest.mark.parametrize("begun", ["", '{"crc":"'])
def test_a_run_that_was_killed_before_its_first_line_holds_nothing(job, folder, begun):
    out = folder / "out"
    out.mkdir()
    (out / "journal.jsonl").write_text(begun)
    done = job.finish(out, "--processes", 2)
    assert "merged 2 shards" in done.err, done
    check(job, out)


def test_recycling_goes_on_in_each_process(job, folder):
    out = folder / "out"
    job.finish(out, "--processes", 2, "--recycle-every", 5)
    check(job, out)


def test_paths_that_begin_with_a_dash(job, folder):
    """After "--" there are only positions: the program's own flags come before."""
    done = job.run_fake("embed", "-o", folder / "out", *job.options, "--processes", 2, "--",
                        job.model, job.input)
    assert done.code == 3, done
    check(job, folder / "out")


def test_a_foreign_share_is_refused(job, folder):
    done = job.run_fake(*job.arguments(folder / "out", "--share-of-processes", "1"))
    assert done.code == 2 and "the program's own" in done.err
