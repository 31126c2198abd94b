"""What a person or a program sees on standard error while a run goes on."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time

import pytest

from conftest import clean_environment

RECORDS = 400


@pytest.fixture
def job(tmp_path):
    """Arguments of a run over RECORDS sequences, one of them bad, that takes about two seconds."""
    model = tmp_path / "model.json"
    model.write_text(json.dumps({"fake": True, "dimension": 8, "rows_per_second": 200}))
    rows = ["id,sequence"] + [f"r{i},{'ACDEFGHIKL' * (1 + i % 12)}" for i in range(RECORDS)]
    rows[100] = "bad,AC?D"
    (tmp_path / "in.csv").write_text("\n".join(rows) + "\n")
    return ["embed", model, tmp_path / "in.csv", "-o", tmp_path / "out", "-b", "8",
            "--threads", "1"]


def on_terminal(command, columns, term="xterm"):
    """Runs a command with standard error on a terminal; returns exit code and what it wrote there."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL,
                               stderr=follower, env={**clean_environment(), "TERM": term})
    os.close(follower)
    written = b""
    while True:
        try:
            chunk = os.read(leader, 65536)
        except OSError:  # the other side is closed
            break
        if not chunk:
            break
        written += chunk
    os.close(leader)
    return process.wait(), written.decode().replace("\r\n", "\n")


def screen(text):
    """What stays on the terminal: carriage return and erase-to-end are all that is used."""
    assert not re.search(r"\x1b(?!\[K)", text)
    lines = []
    for line in text.split("\n"):
        lines.append(line.split("\r")[-1].replace("\x1b[K", ""))
    return lines


def test_a_terminal_gets_a_bar_that_fits_and_that_messages_do_not_break(longhaul_fake, job):
    code, text = on_terminal([longhaul_fake.path, *job], columns=70)
    assert code == 3, text
    drawn = re.findall(r"\r([^\r\n]*?)\x1b\[K", text)
    bars = [line for line in drawn if "[=" in line or "[>" in line]
    assert 5 <= len(bars) <= 40  # about two seconds at no more than ten a second
    assert max(map(len, bars)) < 70
    assert any("ETA" in line for line in bars)
    assert any("/s" in line for line in bars)
    left = [line for line in screen(text) if line]
    assert sum("[===" in line for line in left) == 1  # the last state, once
    assert any("100 %" in line for line in left)
    assert any("rejected" in line and "warning: " in line for line in left)


def test_no_terminal_gets_no_control_characters(longhaul_fake, job):
    result = longhaul_fake(*job)
    assert result.code == 3
    assert "\r" not in result.err and "\x1b" not in result.err
    code, text = on_terminal([longhaul_fake.path, *job, "--overwrite"], columns=70, term="dumb")
    assert code == 3 and "\r" not in text


def test_json_progress_is_one_object_a_line_and_ends_with_the_whole(longhaul_fake, job):
    result = longhaul_fake(*job, "--progress", "json", "--log-level", "error")
    objects = [json.loads(line) for line in result.err.splitlines() if line.startswith("{")]
    assert 2 <= len(objects) <= 6
    done = [entry["records_done"] for entry in objects]
    assert done == sorted(done)
    assert [entry["final"] for entry in objects] == [False] * (len(objects) - 1) + [True]
    last = objects[-1]
    assert last["records_done"] == RECORDS and last["rejected"] == 1
    assert last["records_per_second"] > 0 and last["rss_bytes"] > 0


def told(result):
    return [json.loads(line) for line in result.err.splitlines() if line.startswith("{")]


def test_the_time_left_is_an_estimate_while_records_are_not_read(longhaul_fake, job, tmp_path):
    flags = ["--progress", "json", "--log-level", "error"]
    read = told(longhaul_fake(*job, *flags))
    assert read[0]["eta_seconds"] is None and read[0]["eta_approximate"] is None
    assert read[-1]["final"] and read[-1]["eta_seconds"] is None
    told_times = [line for line in read if line["eta_seconds"] is not None]
    assert told_times and not any(line["eta_approximate"] for line in told_times)
    job[4] = tmp_path / "windows"
    unread = told(longhaul_fake(*job, *flags, "--window", 64))
    assert any(line["eta_approximate"] for line in unread)
    job[4] = tmp_path / "stream"
    text = job[2].read_text()
    job[2] = "-"
    stream = told(longhaul_fake(*job, *flags, "--window", 64, "--format", "csv", stdin=text))
    early = [line for line in stream if line["records_total"] is None]
    assert early and all(line["eta_seconds"] is None for line in early)


def test_several_processes_tell_a_time_together(longhaul_fake, job):
    job[1].write_text(json.dumps({"fake": True, "dimension": 8, "rows_per_second": 50}))
    job[job.index("--threads"):] = ["--processes", 2, "--progress", "json", "--log-level", "error"]
    result = longhaul_fake(*job)
    assert result.code == 3, result
    assert any(line["eta_seconds"] is not None for line in told(result))


def test_quiet_shows_only_warnings_and_the_log_file_shows_all(longhaul_fake, job, tmp_path):
    log = tmp_path / "run.log"
    result = longhaul_fake(*job, "-q", "--log-file", log)
    assert result.code == 3
    assert all(line.startswith("warning: ") for line in result.err.splitlines()), result
    assert "rejected" in result.err
    text = log.read_text()
    assert re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} info ", text, re.M)
    assert re.search(r" warning .*", text)
    size = len(text)
    longhaul_fake(*job, "-q", "--log-file", log)
    assert log.read_text()[:size] == text  # appended to


def test_a_failure_is_the_last_line_and_is_in_the_log_file(longhaul_fake, job, tmp_path):
    job[2] = tmp_path / "absent.csv"
    log = tmp_path / "run.log"
    result = longhaul_fake(*job, "--log-file", log)
    assert result.code == 74, result
    last = result.err.splitlines()[-1]
    assert last.startswith("longhaul: ") and "absent.csv" in last and "; " in last
    assert last in log.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_ends_a_run_with_75_and_the_command_to_continue(longhaul_fake, job, number):
    command = [str(part) for part in [longhaul_fake.path, *job]]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=clean_environment())
    time.sleep(0.8)
    process.send_signal(number)
    start = time.monotonic()
    _, errors = process.communicate()
    assert process.returncode == 75, errors
    assert time.monotonic() - start < 5
    last = errors.splitlines()[-1]
    assert "continue with: " + " ".join(command) in last
    again = longhaul_fake(*job)
    assert again.code == 3
    assert "after" in again.err  # continued, not begun anew


def test_standard_output_has_nothing_but_the_summary(longhaul_fake, job):
    assert longhaul_fake(*job).out == ""
    result = longhaul_fake(*job, "--overwrite", "--json")
    assert len(result.out.splitlines()) == 1
    summary = json.loads(result.out)
    assert summary["counts"]["rejected"] == 1 and summary["code"] == 3
