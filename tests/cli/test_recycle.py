"""Leaks at the terminal, and starting anew: same bytes, same lock, no descriptor more."""

import json
import os
import pathlib
import random
import re
import signal
import subprocess
import time

import pytest

from conftest import clean_environment
from fake_run import DATA, Job, committed
from measured import last_session, memory_lines, report_of, same_bits, write_sequences

LEAK = {"leak_bytes": 5000}


def contents(out):
    return {name: (out / name).read_bytes() for name in DATA}


@pytest.fixture(scope="module")
def long_input(tmp_path_factory):
    """More batches of one than the leak monitor wants to see before it judges."""
    folder = tmp_path_factory.mktemp("long")
    return write_sequences(folder / "in.csv", [10 + number % 40 for number in range(13000)])


def embed_long(longhaul_fake, data, out, *options, **model):
    path = out.parent / f"{out.name}.model.json"
    path.write_text(json.dumps({"fake": True, "rows_per_second": 20000, **model}))
    return longhaul_fake("embed", path, data, "-o", out, "--batch-size", 1, "--progress", "none",
                         *options)


@pytest.fixture(scope="module")
def flat(longhaul_fake, long_input, tmp_path_factory):
    out = tmp_path_factory.mktemp("flat") / "out"
    done = embed_long(longhaul_fake, long_input, out)
    assert done.code == 0, done
    assert last_session(out)["memory"]["verdict"] == "flat"
    assert "memory: flat (resident memory" in done.err
    return out


def test_a_leak_is_warned_about_while_it_runs_and_named_at_the_end(longhaul_fake, long_input, flat,
                                                                   tmp_path):
    done = embed_long(longhaul_fake, long_input, tmp_path / "out", **LEAK)
    assert done.code == 0, done
    warnings = [line for line in done.err.splitlines() if line.startswith("warning:")]
    assert len(warnings) == 1 and "live tensors grew by +5.00 MB per 1,000 batches" in warnings[0]
    assert "memory: growing (live tensors +5.00 MB" in done.err.splitlines()[-1]
    assert contents(tmp_path / "out") == contents(flat)


def test_a_leak_stops_the_run_if_asked_and_the_same_command_goes_on(longhaul_fake, long_input,
                                                                    flat, tmp_path):
    out = tmp_path / "out"
    done = embed_long(longhaul_fake, long_input, out, "--on-leak", "stop", **LEAK)
    assert done.code == 75, done
    assert "live tensors grew by" in done.err
    first = sum(committed(out))
    assert 10000 < first < 13000
    done = embed_long(longhaul_fake, long_input, out, "--on-leak", "stop", **LEAK)
    assert done.code == 0, done
    assert contents(out) == contents(flat)


def test_a_leak_makes_the_program_start_anew_if_asked(longhaul_fake, long_input, flat, tmp_path):
    out = tmp_path / "out"
    done = embed_long(longhaul_fake, long_input, out, "--on-leak", "recycle", **LEAK)
    assert done.code == 0, done
    assert done.err.count("starting anew after") == 1
    sessions = report_of(out)["sessions"]
    assert [one["state"] for one in sessions] == ["recycled", "complete"]
    assert sessions[0]["memory"]["verdict"] == "growing"
    assert contents(out) == contents(flat)


def test_memory_that_stays_at_its_limit_makes_the_program_start_anew(longhaul_fake, tmp_path):
    # Memory is read every 20 ms, and 64 readings at the limit say that it stays there.
    job = Job(longhaul_fake, tmp_path, 1600, rate=400, commit_every="5s", leak_real_bytes=1000000)
    job.finish(tmp_path / "calm", "--memory-limit", "100G")
    assert max(line["rss"] for line in memory_lines(tmp_path / "calm")) > 200 << 20
    done = job.finish(tmp_path / "out", "--memory-limit", "120M", "--on-leak", "recycle")
    assert "memory stays at its limit" in done.err
    assert 1 <= done.err.count("starting anew after") <= 20
    assert contents(tmp_path / "out") == contents(tmp_path / "calm")


def test_a_limit_below_what_the_program_needs_does_not_start_it_anew_for_ever(longhaul_fake,
                                                                              tmp_path):
    job = Job(longhaul_fake, tmp_path, 1600, rate=800, commit_every="5s")
    done = job.finish(tmp_path / "out", "--memory-limit", "32M", "--on-leak", "recycle")
    assert "and was there from the start" in done.err
    assert "starting anew" not in done.err


@pytest.fixture(scope="module")
def recycled(longhaul_fake, tmp_path_factory):
    """A run that started anew more than twenty times, and one that did not."""
    folder = tmp_path_factory.mktemp("recycled")
    job = Job(longhaul_fake, folder, 2000, commit_every="1s")
    job.finish(folder / "calm")
    log = folder / "log.txt"
    done = job.finish(folder / "out", "--recycle-every", 10, "--log-file", log)
    assert done.err.count("starting anew after 10 batches") >= 20
    return job, folder, done


def test_starting_anew_changes_no_byte(recycled):
    job, folder, _ = recycled
    assert contents(folder / "out") == contents(folder / "calm")
    verified = job.run_fake("verify", folder / "out")
    assert verified.code == 0, verified


def test_starting_anew_leaves_no_descriptor_open(recycled):
    _, folder, _ = recycled
    counts = [line["open_files"] for line in memory_lines(folder / "out")]
    assert len(counts) >= 20
    # The first incarnation has the descriptors it began with and the lock; so has each later one.
    assert max(counts[1:]) <= counts[0], counts
    threads = [line["threads"] for line in memory_lines(folder / "out")]
    assert max(threads) <= max(threads[:3]), threads


def test_logs_and_sessions_are_appended_when_starting_anew(recycled):
    _, folder, done = recycled
    recycles = done.err.count("starting anew after")
    assert (folder / "log.txt").read_text().count("starting anew after") == recycles
    sessions = report_of(folder / "out")["sessions"]
    assert len(sessions) == recycles + 1
    lines = memory_lines(folder / "out")
    assert len(lines) >= recycles + 1
    records = [line["records"] for line in lines]
    assert records == sorted(records) and records[-1] == 2000
    assert report_of(folder / "out")["counts"]["records"] == 2000
    numbers = re.findall(r"to give memory back \((\d+)\)", done.err)
    assert numbers == [str(n + 1) for n in range(recycles)]


def running(job, out, *options):
    return subprocess.Popen(job.command(out, *options), stderr=subprocess.PIPE, text=True,
                            env=clean_environment())


def wait_for_recycles(out, count):
    for _ in range(400):
        try:
            if len(report_of(out)["sessions"]) > count:
                return
        except (OSError, ValueError):
            pass
        time.sleep(0.02)
    pytest.fail("the program did not start anew")


def test_the_lock_is_held_and_signals_are_heard_after_starting_anew(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 3000, rate=400)
    out = tmp_path / "out"
    process = running(job, out, "--recycle-every", 5)
    try:
        wait_for_recycles(out, 3)
        second = longhaul_fake(*job.arguments(out))
        assert second.code == 69, second
        assert str(process.pid) in second.err  # its holder is still that process
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 75, err
    assert "--continuation" not in err.splitlines()[-1]
    assert "--recycle-every 5" in err.splitlines()[-1]


def test_a_signal_between_two_programs_is_not_lost(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 3000, rate=2000)
    delays = random.Random(5)
    for round_ in range(12):
        out = tmp_path / f"out{round_}"
        process = running(job, out, "--recycle-every", 1)
        try:
            wait_for_recycles(out, 2)
            time.sleep(delays.uniform(0, 0.03))
            process.send_signal(delays.choice([signal.SIGTERM, signal.SIGINT, signal.SIGUSR1]))
            _, err = process.communicate(timeout=20)
        finally:
            process.kill()
            process.wait()
        assert process.returncode == 75, err[-2000:]


def test_a_time_limit_counts_from_the_first_start(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 4000, rate=400)
    start = time.monotonic()
    done = longhaul_fake(*job.arguments(tmp_path / "out", "--recycle-every", 5,
                                        "--time-limit", "2s"))
    assert done.code == 75, done
    assert 1.5 < time.monotonic() - start < 4
    assert done.err.count("starting anew after") >= 5


@pytest.mark.parametrize("option", [("--recycle-every", 5), ("--on-leak", "recycle")], ids=str)
def test_a_stream_cannot_be_recycled(longhaul_fake, tmp_path, option):
    job = Job(longhaul_fake, tmp_path, 20)
    arguments = job.arguments(tmp_path / "out", *option)
    done = longhaul_fake(*["-" if a == job.input else a for a in arguments], "--format", "csv",
                         stdin=job.input.read_text())
    assert done.code == 2, done
    fifo = tmp_path / "fifo.csv"
    os.mkfifo(fifo)
    writer = subprocess.Popen(["sh", "-c", f"cat {job.input} > {fifo}"], stderr=subprocess.DEVNULL)
    try:
        done = longhaul_fake(*[fifo if a == job.input else a for a in arguments])
        assert done.code == 2, done
        assert "stream" in done.err
    finally:
        writer.kill()
        writer.wait()
    assert not (tmp_path / "out" / "embeddings.npy").exists()


def test_an_interrupted_run_says_how_many_vectors_are_safe(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 900, window=400, rate=300)
    out = tmp_path / "out"
    said = []
    for _ in range(2):
        done = longhaul_fake(*job.arguments(out, "--time-limit", "1s"))
        assert done.code == 75, done
        said.append(int(re.search(r"embedded ([\d,]+) records so far", done.err)[1]
                        .replace(",", "")))
        # The journal's own account: complete windows, and slots done of the one in hand.
        start, position = committed(out)
        assert start % 400 == 0 and position > 0
        assert said[-1] == report_of(out)["counts"]["ok"] >= position
    assert 100 < said[0] < said[1]


@pytest.mark.parametrize("high, low", [("0.7", "0.7"), ("1.5", "1.4"), ("0", "1.4")])
def test_both_mps_watermarks_are_set_validly_and_stay_set(longhaul_fake, tmp_path, high, low):
    job = Job(longhaul_fake, tmp_path, 400, rate=400)
    process = running(job, tmp_path / "out", "--recycle-every", 5, "--mps-high-watermark", high)
    try:
        # The kernel shows what a program was started with: what the first set, the second has.
        wait_for_recycles(tmp_path / "out", 2)
        environment = pathlib.Path(f"/proc/{process.pid}/environ").read_text()
    finally:
        process.kill()
        process.wait()
    values = dict(entry.split("=", 1) for entry in environment.split("\0") if "=" in entry)
    assert float(values["PYTORCH_MPS_HIGH_WATERMARK_RATIO"]) == float(high)
    assert float(values["PYTORCH_MPS_LOW_WATERMARK_RATIO"]) == float(low)
