"""run.json, the summary of --json, and what is replayed from them."""

import hashlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time

import numpy as np
import pytest

from fake_run import Job, committed, contents, strace


def report(out):
    return json.loads((out / "run.json").read_text())


@pytest.fixture
def job(longhaul_fake, tmp_path):
    return Job(longhaul_fake, tmp_path, 120, window=30)


def test_run_json_begins_with_what_a_person_looks_for(job, tmp_path):
    out = tmp_path / "out"
    job.finish(out)
    run = report(out)
    assert list(run)[:4] == ["state", "counts", "model", "inputs"]
    source = job.input.read_bytes()
    entry, = run["inputs"]
    assert entry["sha256"] == hashlib.sha256(source).hexdigest()
    assert entry["absolute"] == str(job.input)
    assert run["command"] == list(map(str, job.command(out)))
    assert run["working_directory"] == os.getcwd()
    assert run["host"] == socket.gethostname()
    assert run["model"]["absolute"] == str(job.model)
    processor = run["processor"]
    flags = next((line for line in open("/proc/cpuinfo") if line.startswith("flags")), "")
    if flags:
        assert set(processor["instruction_sets"]) <= set(flags.split())
        assert ("avx2" in processor["instruction_sets"]) == (" avx2 " in flags)
        assert processor["model"] in open("/proc/cpuinfo").read()
    session, = run["sessions"]
    assert session["host"] == run["host"] and session["command"] == run["command"]


def test_a_stream_and_a_device_have_no_hash(job, tmp_path):
    text = job.input.read_text()
    out = tmp_path / "out"
    command = ["embed", job.model, "-", "--format", "csv", "-o", out, *job.options]
    assert job.run_fake(*command, stdin=text).code == 3
    assert [entry["sha256"] for entry in report(out)["inputs"]] == [None]


def test_a_session_that_continues_takes_the_hashes_over(longhaul_fake, tmp_path):
    slow = Job(longhaul_fake, tmp_path, 300, window=50, rate=300)
    out = tmp_path / "out"
    stopped = slow.run_fake(*slow.arguments(out, "--time-limit", "400ms"))
    assert stopped.code == 75
    digest = hashlib.sha256(slow.input.read_bytes()).hexdigest()
    assert report(out)["inputs"][0]["sha256"] == digest
    slow.finish(out)
    assert report(out)["inputs"][0]["sha256"] == digest
    assert len(report(out)["sessions"]) == 2


def summary(result):
    lines = result.out.splitlines()
    assert len(lines) == 1, result
    return json.loads(lines[0])


def test_the_summary_of_a_finished_output_is_the_run_s_own(job, tmp_path):
    out = tmp_path / "out"
    first = summary(job.finish(out, "--json"))
    assert first == report(out)
    again = summary(job.finish(out, "--json"))
    assert again == first and list(again) == list(first)
    assert again["state"] == "complete" and again["counts"]["records"] == 120


def test_the_summary_after_a_retry(job, tmp_path):
    out = tmp_path / "out"
    job.finish(out)
    retried = job.run_fake(*job.arguments(out, "--retry-rejects", "--unknown", "token", "--json"))
    assert retried.code == 3
    first = summary(retried)
    assert first == report(out) and len(first["retries"]) == 1
    assert list(first)[:4] == ["state", "counts", "model", "inputs"]
    assert summary(job.finish(out, "--json")) == first


def test_the_summary_where_nothing_is_left_to_retry(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 2)
    job.input.write_text("id,sequence\na,MKL\nb,MKV\n")
    out = tmp_path / "out"
    assert job.run_fake(*job.arguments(out)).code == 0
    result = job.run_fake(*job.arguments(out, "--retry-rejects", "--json"))
    assert result.code == 0 and summary(result) == report(out)


def test_the_summary_of_an_interrupted_run_counts_what_is_committed(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 300, window=4096, rate=300)  # all in one window
    out = tmp_path / "out"
    stopped = job.run_fake(*job.arguments(out, "--time-limit", "500ms", "--json"))
    assert stopped.code == 75, stopped
    told = summary(stopped)
    assert told == report(out)
    assert told["state"] == "interrupted" and told["code"] == 75
    assert told["counts"]["records"] == sum(committed(out)) > 0


def test_a_finished_output_without_its_run_json_still_has_a_summary(job, tmp_path):
    out = tmp_path / "out"
    job.finish(out)
    counts = report(out)["counts"]
    (out / "run.json").unlink()
    told = summary(job.finish(out, "--json"))
    assert told["state"] == "complete" and told["code"] == 3
    assert told["counts"]["records"] == counts["records"] == 120


@pytest.fixture
def relative(longhaul_fake, tmp_path):
    """A run whose paths are relative to its working directory."""
    folder = tmp_path / "project"
    folder.mkdir()
    job = Job(longhaul_fake, folder, 100, window=30)
    command = ["embed", "model.json", "input.csv", "-o", "out", *job.options]
    assert longhaul_fake(*command, cwd=folder).code == 3
    return folder, longhaul_fake, command


def test_a_run_is_replayed_from_any_directory(relative, tmp_path):
    folder, fake, _ = relative
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    before = {p.name: p.read_bytes() for p in (folder / "out").iterdir()}
    config = os.path.relpath(folder / "out/run.json", elsewhere)
    for cwd, path in ((folder, "out/run.json"), (elsewhere, config)):
        same = fake("embed", "--config", path, cwd=cwd)  # -o of the run: nothing to do
        assert same.code == 3 and "nothing to do" in same.err, same
        other = fake("embed", "--config", path, "-o", "other", "--progress", "none", cwd=cwd)
        assert other.code == 3, other
        assert contents(cwd / "other") == contents(folder / "out")  # sources are named alike
    assert {p.name: p.read_bytes() for p in (folder / "out").iterdir()} == before
    assert not (elsewhere / "out").exists()
    assert "are taken from" in other.err


def test_a_list_of_relative_paths_is_replayed_too(relative, tmp_path):
    folder, fake, _ = relative
    (folder / "list.txt").write_text("input.csv\n")
    done = fake("embed", "model.json", "--files-from", "list.txt", "-o", "listed", cwd=folder)
    assert done.code == 3, done
    again = fake("embed", "--config", folder / "listed/run.json", "-o", "listed", cwd=tmp_path)
    assert again.code == 3, again
    assert contents(tmp_path / "listed") == contents(folder / "listed")


def test_what_the_command_line_names_is_meant_from_where_it_was_given(relative, tmp_path):
    folder, fake, _ = relative
    (tmp_path / "input.csv").write_text("id,sequence\nx,MKLVEY\n")
    done = fake("embed", "model.json", "input.csv", "-o", "mine", "--config",
                folder / "out/run.json", cwd=tmp_path)
    assert done.code == 74 and "model.json" in done.err, done  # all paths are the command line's
    shutil.copy(folder / "model.json", tmp_path)
    done = fake("embed", "model.json", "input.csv", "-o", "mine", "--config",
                folder / "out/run.json", cwd=tmp_path)
    assert done.code == 0 and "are taken from" not in done.err, done
    assert np.load(tmp_path / "mine/embeddings.npy").shape == (1, 16)


def test_a_recorded_directory_that_is_gone_is_named_with_the_way_out(relative, tmp_path):
    folder, fake, _ = relative
    moved = tmp_path / "moved"
    folder.rename(moved)
    config = moved / "out/run.json"
    result = fake("embed", "--config", config, "-o", "again", cwd=tmp_path)
    assert result.code == 74 and str(folder) in result.err and len(result.err.splitlines()) == 1
    followed = fake("embed", moved / "model.json", moved / "input.csv", "-o", "again", "--config",
                    config, cwd=tmp_path)
    assert followed.code == 3, followed
    assert np.load(tmp_path / "again/embeddings.npy").tobytes() == np.load(
        moved / "out/embeddings.npy").tobytes()


def test_a_recycled_replay_stays_where_it_is(relative, tmp_path):
    folder, fake, _ = relative
    result = fake("embed", "--config", os.path.relpath(folder / "out/run.json", tmp_path),
                  "-o", "other", "--recycle-every", 5, cwd=tmp_path)
    assert result.code == 3 and "starting anew" in result.err, result
    assert contents(tmp_path / "other") == contents(folder / "out")


def test_verify_recomputes_from_any_directory(relative, tmp_path):
    folder, fake, _ = relative
    for cwd, out in ((folder, "out"), (tmp_path, "project/out"), (tmp_path, folder / "out")):
        result = fake("verify", out, "--recompute", 80, "--json", cwd=cwd)
        assert result.code == 0, result
        told = json.loads(result.out)
        assert told["input"] == "matches" and told["model"] == "matches"
        assert told["recomputed"]["equal"] == told["recomputed"]["rows"] > 50


def retry(fake, folder, *flags):
    return fake("embed", "model.json", "input.csv", "-o", "out", "--progress", "none", *flags,
                "--retry-rejects", cwd=folder)


@pytest.fixture
def rejecting(longhaul_fake, tmp_path):
    """Over-long records, records with unknown letters, and one that is both."""
    folder = tmp_path / "project"
    folder.mkdir()
    job = Job(longhaul_fake, folder, 60, window=16, max_tokens=150)
    lines = job.input.read_text().splitlines()
    lines[4] = "r3," + "ACDEFGHIKL" * 30
    lines[21] = "r20,?" + "ACDEFGHIKL" * 20
    job.input.write_text("\n".join(lines) + "\n")
    assert longhaul_fake("embed", "model.json", "input.csv", "-o", "out", *job.options,
                         cwd=folder).code == 3
    return folder, longhaul_fake, job


@pytest.mark.parametrize("flags", [["--too-long", "truncate"],
                                   ["--unknown", "token"],
                                   ["--unknown", "token", "--too-long", "truncate"]])
def test_a_replay_after_a_retry_gives_the_output_as_it_is_now(rejecting, flags):
    folder, fake, job = rejecting
    before = contents(folder / "out")
    assert retry(fake, folder, *flags).code == 3
    assert contents(folder / "out") != before
    replayed = fake("embed", "--config", "out/run.json", "-o", "other", cwd=folder)
    assert replayed.code == 3, replayed
    assert contents(folder / "other") == contents(folder / "out")
    assert "warning: out/run.json" not in replayed.err
    # The output itself is the output of either: of its own command, and of the replayed one.
    for arguments in (["--config", "out/run.json"],
                      ["model.json", "input.csv", "-o", "out", *job.options],
                      ["model.json", "input.csv", "-o", "out", *job.options, *flags]):
        same = fake("embed", *arguments, cwd=folder)
        assert same.code == 3 and "nothing to do" in same.err, same
    other = fake("embed", "model.json", "input.csv", "-o", "out", *job.options, "--max-length",
                 20, cwd=folder)
    assert other.code == 73
    assert fake("verify", "out", "--recompute", 50, cwd=folder).code == 0


def test_a_replay_repeats_the_limit_of_the_last_retry(rejecting):
    folder, fake, _ = rejecting
    assert retry(fake, folder, "--max-rejects", 30).code == 0

    def replay(name):
        return fake("embed", "--config", "out/run.json", "-o", name, cwd=folder)
    assert replay("other").code == 0
    assert contents(folder / "other") == contents(folder / "out")
    assert retry(fake, folder, "--too-long", "truncate").code == 3  # this one gave no limit
    assert replay("third").code == 3
    assert retry(fake, folder, "--strict").code == 65
    assert replay("fourth").code == 65


def test_a_replay_after_retries_in_turn_says_what_it_cannot_know(rejecting):
    folder, fake, _ = rejecting
    assert retry(fake, folder, "--too-long", "truncate").code == 3
    assert retry(fake, folder, "--unknown", "token").code == 3
    replayed = fake("embed", "--config", "out/run.json", "-o", "other", cwd=folder)
    assert "retried with different settings in turn" in replayed.err, replayed
    now, again = np.load(folder / "out/embeddings.npy"), np.load(folder / "other/embeddings.npy")
    differing = [row for row in range(60) if now[row].tobytes() != again[row].tobytes()]
    assert differing == [20]  # which is over-long and has an unknown letter


def start_slow(longhaul_fake, folder):
    job = Job(longhaul_fake, folder, 600, window=4096, rate=150)
    out = folder / "out"
    process = job.start(out)
    deadline = time.monotonic() + 30
    while sum(committed(out)) < 20:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    return job, out, process


def test_inspect_of_running_and_killed_runs_counts_what_is_committed(longhaul_fake, tmp_path):
    job, out, process = start_slow(longhaul_fake, tmp_path)
    running = longhaul_fake("inspect", out)
    assert running.code == 0 and f"running: process {process.pid}" in running.out, running
    told = json.loads(longhaul_fake("inspect", out, "--json").out)
    assert told["state"] == "running" and told["counts"]["records"] >= 20
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = sum(committed(out))
    killed = longhaul_fake("inspect", out)
    assert killed.code == 0 and "stopped before it could" in killed.out, killed
    told = json.loads(longhaul_fake("inspect", out, "--json").out)
    assert told["state"] == "stopped" and told["code"] is None
    assert told["counts"]["records"] == told["counts"]["ok"] == done > 0
    verified = longhaul_fake("verify", out, "--json")
    assert verified.code == 65 and json.loads(verified.out)["committed"] == done, verified
    assert f"{done} records are committed" in verified.err
    page = longhaul_fake("report", out, "-o", tmp_path / "page.html")
    assert page.code == 0 and f"0 records of {done} that are committed" in page.err, page
    kept = (out / "run.json").read_bytes()
    (out / "run.json").unlink()  # killed before it was there
    assert json.loads(longhaul_fake("inspect", out, "--json").out)["counts"]["records"] == done
    (out / "run.json").write_bytes(kept)
    assert job.finish(out).code == 3
    sessions = [line for line in longhaul_fake("inspect", out).out.splitlines()
                if line.startswith("session")]
    assert len(sessions) == 2 and sessions[0].endswith(", killed"), sessions


def test_inspect_of_finished_foreign_and_empty_directories(job, tmp_path):
    out = tmp_path / "out"
    job.finish(out)
    told = job.run_fake("inspect", out)
    assert told.code == 0 and "complete, exit code 3" in told.out, told
    told = json.loads(job.run_fake("inspect", out, "--json").out)
    assert [array["file"] for array in told.pop("arrays")] == ["embeddings.npy"]
    assert told == report(out)
    empty = tmp_path / "empty"
    empty.mkdir()
    result = job.run_fake("inspect", empty)
    assert result.code == 65 and "neither a model nor an output" in result.err, result
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("mine")
    result = job.run_fake("inspect", foreign)
    assert result.code == 65 and "neither a model nor an output" in result.err, result
    assert len(result.err.splitlines()) == 1
    (out / "journal.jsonl").write_text("{\"crc\":\"0000000000000000\",\"n\":0}\nx\n")
    assert job.run_fake("inspect", out).code == 65


def test_a_failure_inside_a_run_keeps_the_count_of_what_is_committed(longhaul_fake, tmp_path,
                                                                     needs_strace):
    job = Job(longhaul_fake, tmp_path, 300, window=4096)
    out = tmp_path / "out"
    process = job.start(out, strace(tmp_path / "log", "fdatasync", "error=EIO:when=30"))
    text = process.communicate()[1]
    assert process.returncode == 74, text
    told = json.loads(longhaul_fake("inspect", out, "--json").out)
    assert told["counts"]["records"] == sum(committed(out)) > 0
    assert shlex.split(text.splitlines()[-1])[0] == "longhaul:"
    assert subprocess.run(job.command(out), capture_output=True).returncode == 3
