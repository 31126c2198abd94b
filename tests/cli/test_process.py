"""The process around a run: descriptors, signals, limits, directories, threads."""

import json
import os
import resource
import shlex
import signal
import subprocess
import time

import pytest

from fake_run import Job, committed, contents, journal


@pytest.fixture
def job(longhaul_fake, tmp_path):
    return Job(longhaul_fake, tmp_path, 120, window=30)


def shell(command, **options):
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, **options)


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "1>&- 2>&-", "0<&- 1>&- 2>&-"])
def test_closed_descriptors_do_not_become_files_of_the_output(job, closed):
    expected = job.reference()
    out = job.folder / "out"
    command = shlex.join([*job.command(out), "--log-level", "debug"])
    done = shell(f"{command} {closed}")
    assert done.returncode == 3, done
    assert contents(out) == expected
    lines = (out / "journal.jsonl").read_text().splitlines()
    assert len(lines) > 4 and all(json.loads(line)["kind"] for line in lines)
    job.check_complete(out)


def test_data_for_a_closed_standard_output_is_an_error_and_the_run_is_done(job):
    out = job.folder / "out"
    done = shell(shlex.join([*job.command(out), "--json"]) + " >&-")
    assert done.returncode == 74
    assert "standard output could not be written" in done.stderr.splitlines()[-1]
    job.check_complete(out)


def test_an_input_from_a_closed_standard_input_is_empty(job):
    done = shell(shlex.join([str(job.run_fake.path), "embed", str(job.model), "-", "--format",
                             "fasta", "-o", str(job.folder / "out")]) + " <&-")
    assert done.returncode == 65 and "standard input" in done.stderr, done


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU,
                                    signal.SIGTERM, signal.SIGHUP])
def test_signals_of_schedulers_commit_and_end_with_75(longhaul_fake, tmp_path, number):
    job = Job(longhaul_fake, tmp_path, 400, window=50, rate=400)
    out = tmp_path / "out"
    process = job.start(out)
    deadline = time.monotonic() + 30
    while committed(out) == (0, 0):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    text = process.communicate(timeout=30)[1]
    assert process.returncode == 75 and "continue with:" in text, text
    job.finish(out)


def test_a_limit_on_the_size_of_files_is_74_and_nothing_is_lost(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 600, window=50)
    out = tmp_path / "out"
    limit = 16 * 1024  # of 600 rows of 64 bytes
    done = subprocess.run(job.command(out), capture_output=True, text=True,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE,
                                                                (limit, limit)))
    assert done.returncode == 74, done
    last = done.stderr.splitlines()[-1]
    assert "File too large" in last and "ulimit -f" in last
    assert 0 < committed(out)[0] < 600
    job.finish(out)
    job.check_complete(out)


def test_a_deleted_working_directory_is_one_line(job, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    command = shlex.join(job.command(tmp_path / "out"))
    done = shell(f"cd {gone} && rmdir {gone} && {command}")
    assert done.returncode == 74, done
    assert done.stderr.splitlines() == [
        "longhaul: the working directory was deleted; change to a folder that exists (cd) and give "
        "the command again"]
    assert not (tmp_path / "out").exists()


def test_a_link_to_nothing_is_named_and_nothing_is_made(job, tmp_path):
    link = tmp_path / "link"
    link.symlink_to("elsewhere/deep")
    for out in (link, f"{link}/", link / "inside"):
        result = job.run_fake(*job.arguments(out))
        assert result.code == 74, result
        assert "is a link to elsewhere/deep, which is not there" in result.err
    assert link.is_symlink() and not (tmp_path / "elsewhere").exists()
    # The remedy, followed.
    (tmp_path / "elsewhere/deep").mkdir(parents=True)
    job.finish(link)
    job.check_complete(tmp_path / "elsewhere/deep")
    job.check_complete(link)


def test_a_file_in_the_place_of_the_output_is_named(job, tmp_path):
    (tmp_path / "out").write_text("mine")
    result = job.run_fake(*job.arguments(tmp_path / "out"))
    assert result.code == 74 and "is a file, not a directory" in result.err, result
    assert (tmp_path / "out").read_text() == "mine"


def threads_of(job, out, env=None, prefix=()):
    command = [*prefix, *(w for w in job.command(out) if w not in ("--threads",))]
    at = command.index("none")
    del command[at + 1]  # the value of --threads
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SLURM_")}
    subprocess.run(command, check=False, capture_output=True, env={**environment, **(env or {})})
    session = json.loads((out / "run.json").read_text())["sessions"][0]
    return session["threads"], session["threads_from"]


def test_threads_are_what_the_process_may_use(job, tmp_path):
    assert threads_of(job, tmp_path / "a", {"SLURM_CPUS_PER_TASK": "1"})[0] == 1
    machine = os.cpu_count()
    here = len(os.sched_getaffinity(0))
    threads, why = threads_of(job, tmp_path / "b")
    assert threads <= here
    assert why in ("machine", "affinity", "cgroup quota")
    if here > 1:
        one = min(os.sched_getaffinity(0))
        assert threads_of(job, tmp_path / "c", prefix=["taskset", "-c", str(one)]) == (
            1, "affinity")
        assert threads_of(job, tmp_path / "d", {"SLURM_CPUS_PER_TASK": "1"}) == (
            1, "SLURM_CPUS_PER_TASK")
    # What asks for more than there is changes nothing.
    assert threads_of(job, tmp_path / "e", {"SLURM_CPUS_PER_TASK": "4096"})[0] <= machine


def test_a_number_of_threads_that_was_asked_for_is_taken(job, tmp_path):
    job.finish(tmp_path / "out")
    session = json.loads((tmp_path / "out/run.json").read_text())["sessions"][0]
    assert (session["threads"], session["threads_from"]) == (1, "--threads")
    assert journal(tmp_path / "out")[-1]["kind"] == "finish"
