"""Stops that do not go as planned: a batch that hangs, an impatient user, a disk too small; and what
a run says of ids that come twice."""

import fcntl
import json
import os
import signal
import subprocess
import time

import pytest

from fake_run import Job, committed, journal


def hanging(longhaul_fake, folder):
    """A run of which the 12th batch takes a minute, and which has committed what came before."""
    job = Job(longhaul_fake, folder, 150, window=50, hang_at=12)
    lines = [f"r{row}," + ("MK?L" if row % 50 == 7 else "MKLVEY" * 6) for row in range(150)]
    job.input.write_text("\n".join(["id,sequence", *lines]) + "\n")  # 7 batches a window
    process = job.start(folder / "out")
    deadline = time.monotonic() + 30
    before = None
    while before is None or committed(folder / "out") != before:
        before = committed(folder / "out")
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.7)
        if before == (0, 0):
            before = None
    return job, process


def goes_on(job, out):
    """The same command completes the run: fewer than 12 batches are left."""
    job.finish(out)
    assert job.run_fake("verify", out).code == 0


def test_a_batch_that_does_not_end_is_abandoned_in_time(longhaul_fake, tmp_path):
    job, process = hanging(longhaul_fake, tmp_path)
    out = tmp_path / "out"
    acknowledged = committed(out)
    assert acknowledged > (0, 0)
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    text = process.communicate(timeout=30)[1]
    assert 7 < time.monotonic() - began < 10
    assert process.returncode == 75
    assert "was abandoned" in text and f"-o {out}" in text
    assert committed(out) >= acknowledged
    goes_on(job, out)


def test_a_second_interrupt_stops_at_once_and_loses_nothing(longhaul_fake, tmp_path):
    job, process = hanging(longhaul_fake, tmp_path)
    out = tmp_path / "out"
    acknowledged = committed(out)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    text = process.communicate(timeout=30)[1]
    assert time.monotonic() - began < 1
    assert process.returncode == 75 and "second interrupt" in text
    assert committed(out) == acknowledged > (0, 0)
    goes_on(job, out)


def test_too_small_a_disk_is_refused_before_the_model_loads(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 300, window=4096)
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=64k none '{disk}'"
    if subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True).returncode != 0:
        pytest.skip("no tmpfs can be mounted here")
    command = " ".join(f"'{word}'" for word in job.command(disk / "out"))
    done = subprocess.run(["unshare", "-rm", "sh", "-c", f"{mount} && {command}; echo $?; ls '{disk}'"],
                          capture_output=True, text=True)
    assert done.stdout == "74\n", done  # and the directory is gone again
    assert "not enough disk" in done.stderr and "needed for 4,096 records" in done.stderr
    assert "KiB free" in done.stderr and "loaded in" not in done.stderr


def test_repeated_ids_are_kept_by_row_and_counted_over_all_sessions(longhaul_fake, tmp_path):
    lines = ["id,sequence"] + [f"r{row % 70},MKLV{'A' * (row % 9)}Y" for row in range(200)]
    job = Job(longhaul_fake, tmp_path, 200, window=20, rate=300)
    job.input.write_text("\n".join(lines) + "\n")
    out = tmp_path / "out"
    stopped = job.run_fake(*job.arguments(out, "--time-limit", "300ms"))
    assert stopped.code == 75 and 0 < committed(out)[0] < 200
    while (done := job.run_fake(*job.arguments(out, "--time-limit", "300ms"))).code == 75:
        pass
    assert done.code == 0, done
    counts = json.loads((out / "run.json").read_text())["counts"]
    assert counts["repeated_ids"] == 130 and not counts["repeated_ids_at_least"]
    assert "130 repeat an earlier id" in done.err
    assert sum(line["kind"] == "commit" for line in journal(out)) > 5
    rows = (out / "records.csv").read_text().splitlines()[1:]
    assert [row.split(",")[:2] for row in rows] == [[str(i), f"r{i % 70}"] for i in range(200)]


def waiting(longhaul_fake, folder, kind):
    """A run whose input is a pipe that somebody holds open and writes nothing into."""
    job = Job(longhaul_fake, folder, 60)
    source = "-"
    if kind != "standard input":
        source = folder / "fifo"
        os.mkfifo(source)
    command = ["embed", job.model, source, "-o", folder / "out", "--format", "csv", "-q"]
    process = subprocess.Popen([str(longhaul_fake.path), *map(str, command)],
                               stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    writer = process.stdin
    if kind == "a pipe with a writer":
        writer = open(source, "wb")  # waits for the program to open it
    return job, command, process, writer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
@pytest.mark.parametrize("kind", ["standard input", "a pipe with a writer",
                                  "a pipe without a writer"])
def test_a_stop_is_heard_while_input_is_awaited(longhaul_fake, tmp_path, kind, number):
    job, command, process, writer = waiting(longhaul_fake, tmp_path, kind)
    try:
        time.sleep(0.7)  # it has nothing to do but wait
        assert process.poll() is None
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait(timeout=10) == 75
        assert time.monotonic() - began < 2
        assert b"stopped while waiting for" in process.stderr.read()
    finally:
        process.kill()
        process.wait()
        writer.close()
        process.stdin.close()
        process.stderr.close()
    command[2] = "-"
    assert job.run_fake(*command, stdin=job.input.read_text()).code == 3


def test_a_pipe_whose_writer_comes_late_and_writes_in_pieces_is_read_whole(longhaul_fake, tmp_path):
    job, command, process, writer = waiting(longhaul_fake, tmp_path, "a pipe without a writer")
    try:
        time.sleep(0.5)
        text = job.input.read_bytes()
        with open(tmp_path / "fifo", "wb", buffering=0) as late:
            for start in range(0, len(text), 1500):
                late.write(text[start:start + 1500])
                time.sleep(0.05)
        assert process.wait(timeout=20) == 3, process.stderr.read()
    finally:
        process.kill()
        process.communicate()
    plain = tmp_path / "plain"
    assert job.run_fake("embed", job.model, job.input, "-o", plain, "-q").code == 3
    for name in "embeddings.npy", "checksums.npy":
        assert (tmp_path / "out" / name).read_bytes() == (plain / name).read_bytes()


def names_and_times(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_a_finished_output_needs_no_lock(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 60)
    out = tmp_path / "out"
    job.finish(out)
    with open(out / "longhaul.lock", "w") as lock:  # as somebody who retries its rejects holds it
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = names_and_times(out)
        again = job.run_fake(*job.arguments(out, "--json"))
        assert again.code == 3 and "nothing to do" in again.err, again
        assert json.loads(again.out)["counts"]["records"] == 60
        for change in "--overwrite", "--retry-rejects":
            assert job.run_fake(*job.arguments(out, change)).code == 69
        assert names_and_times(out) == before
        os.truncate(out / "embeddings.npy", 500)  # what is damaged is looked at with the lock
        assert job.run_fake(*job.arguments(out)).code == 69


def test_a_finished_output_on_a_read_only_file_system(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 60)
    job.input.write_text("id,sequence\na,ACDEF\nb,MKLV\n")
    out = tmp_path / "disk" / "out"
    assert job.run_fake(*job.arguments(out)).code == 0
    (out / "longhaul.lock").write_text("process 1 on a host")  # left by one that was killed
    mount = f"mount --bind '{out.parent}' '{out.parent}' && mount -o remount,ro,bind '{out.parent}'"
    if subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True).returncode != 0:
        pytest.skip("nothing can be mounted read-only here")

    def embed(*more):
        command = " ".join(f"'{word}'" for word in job.command(out, *more))
        return subprocess.run(["unshare", "-rm", "sh", "-c", f"{mount} && {command}"],
                              capture_output=True, text=True)
    done = embed()
    assert done.returncode == 0 and "nothing to do" in done.stderr, done
    assert embed("--retry-rejects").returncode == 0  # it has none
    new = embed("--overwrite")
    assert new.returncode == 74 and "read-only" in new.stderr, new
    assert job.run_fake("verify", out).code == 0
