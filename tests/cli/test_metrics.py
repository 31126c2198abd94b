"""--metrics-file: whole at every moment, in Prometheus' text format, and right at the end."""

import json
import re
import shutil
import signal
import time

import pytest

from fake_run import Job
from remedies import Trial, follows

SAMPLE = re.compile(r'^(longhaul_[a-z_]+)\{output="((?:[^"\\\n]|\\["\\n])*)"\} (-?[0-9.e+-]+)$')


def parsed(text):
    """The samples by name; each has a HELP and a TYPE line before it, and every line ends."""
    assert text.endswith("\n")
    lines = text.splitlines()
    assert len(lines) % 3 == 0
    samples = {}
    for help_, type_, sample in zip(lines[::3], lines[1::3], lines[2::3]):
        match = SAMPLE.match(sample)
        assert match, sample
        name = match[1]
        assert name not in samples
        assert re.match(rf"# HELP {name} \S", help_), help_
        assert type_ in (f"# TYPE {name} gauge", f"# TYPE {name} counter"), type_
        assert type_.endswith("counter") == name.endswith("_total")
        samples[name] = float(match[3])
    return samples


def test_it_is_whole_at_every_moment_and_right_at_the_end(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 300, rate=40)
    path = tmp_path / "run.prom"
    process = job.start_with(tmp_path / "out", "--metrics-file", path)
    seen = []
    while process.poll() is None:
        if path.exists():
            seen.append(parsed(path.read_text()))
        time.sleep(0.005)
    process.communicate()
    assert process.returncode == 3
    last = parsed(path.read_text())
    counts = json.loads((tmp_path / "out/run.json").read_text())["counts"]
    assert last["longhaul_running"] == 0 and last["longhaul_exit_code"] == 3
    assert last["longhaul_records_total"] == 300
    assert last["longhaul_rejected_records_total"] == counts["rejected"] > 0
    assert last["longhaul_resident_memory_bytes"] > 1 << 20
    assert abs(last["longhaul_updated_timestamp_seconds"] - time.time()) < 60
    running = [s for s in seen if s["longhaul_running"] == 1]
    assert running and all("longhaul_exit_code" not in s for s in running)
    between = [s["longhaul_records_total"] for s in running if "longhaul_records_total" in s]
    assert between and 0 < between[-1] < 300  # replaced while it ran
    assert sorted(p.name for p in tmp_path.glob("run.prom*")) == ["run.prom"]


def test_a_run_that_was_stopped_and_one_that_has_nothing_to_do(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 300, rate=300)
    path = tmp_path / "run.prom"
    process = job.start_with(tmp_path / "out", "--metrics-file", path)
    while not path.exists():
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 75 and parsed(path.read_text())["longhaul_exit_code"] == 75
    job.finish(tmp_path / "out", "--metrics-file", path)
    assert parsed(path.read_text())["longhaul_records_total"] == 300
    job.finish(tmp_path / "out", "--metrics-file", path)
    assert set(parsed(path.read_text())) == {"longhaul_running", "longhaul_exit_code",
                                             "longhaul_updated_timestamp_seconds"}


def test_the_name_of_the_output_is_escaped(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 20)
    out, path = tmp_path / 'a "b\\c', tmp_path / "run.prom"
    job.finish(out, "--metrics-file", path)
    assert parsed(path.read_text())["longhaul_records_total"] == 20
    label = SAMPLE.match(path.read_text().splitlines()[2])[2]
    assert label.replace('\\"', '"').replace("\\\\", "\\") == str(out)


def test_a_file_that_cannot_be_written_any_more_ends_no_run(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 200, rate=200)
    folder = tmp_path / "metrics"
    folder.mkdir()
    process = job.start_with(tmp_path / "out", "--metrics-file", folder / "run.prom")
    while not (folder / "run.prom").exists():
        time.sleep(0.01)
    shutil.rmtree(folder)
    text = process.communicate()[1]
    assert process.returncode == 3 and text.count("--metrics-file: ") == 1, text


@pytest.fixture
def t(longhaul_fake, tmp_path):
    return Trial(longhaul_fake, tmp_path)


@follows("apps/longhaul/metrics_file.cpp", "--metrics-file: ")
def test_a_folder_that_is_not_there(t):
    t.fails(74, "name a file in a folder that can be written to",
            *t.embed("--metrics-file", "none/run.prom"))
    assert not t.out.exists()
    t.works(*t.embed("--metrics-file", "run.prom"))
