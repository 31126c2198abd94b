"""Long runs of a real TorchScript encoder: memory does not grow with the number of batches."""

import json
import os
import random
import subprocess
import sys

import numpy
import pytest

from conftest import ROOT
from measured import MIB, last_session, memory_lines, run_measured, write_sequences

RECORDS = 120000  # of which a part, which is a batch here, holds a few


@pytest.fixture(scope="module")
def soak(longhaul, tiny_model, tmp_path_factory):
    """Past batches 9,836 and 17,628, where the job this program was made for died."""
    folder = tmp_path_factory.mktemp("soak")
    lengths = random.Random(7)
    data = write_sequences(folder / "in.csv", [lengths.randint(5, 300) for _ in range(RECORDS)])
    done = run_measured(longhaul.path, "embed", tiny_model, data, "-o", folder / "out",
                        "--batch-size", 1, "--progress", "none", timeout=600)
    assert done.code == 0, done
    return done, folder / "out"


def test_twenty_thousand_batches_keep_live_bytes_where_they_were(soak):
    leak = last_session(soak[1])["memory"]["leak"]
    assert leak["batches"] >= 20000
    assert leak["judged_batches"] >= 17628
    live = leak["series"]["live"]
    assert abs(live["per_1000_batches"]) <= 0.1e6
    assert live["last_decile"] - live["first_decile"] <= 0.1e6
    assert live["verdict"] == "flat"


def test_twenty_thousand_batches_keep_resident_memory_within_the_gate(soak):
    done, out = soak
    memory = last_session(out)["memory"]
    assert memory["verdict"] == "flat"
    for name in ("rss", "open_files", "threads"):
        assert memory["leak"]["series"][name]["verdict"] == "flat", name
    assert memory["leak"]["series"]["rss"]["samples"] >= 100
    assert "memory: flat" in done.err


def test_the_memory_log_holds_the_whole_run(soak):
    lines = memory_lines(soak[1])
    assert lines[-1]["batch"] >= 20000
    assert lines[-1]["records"] == RECORDS
    for name in ("rss", "live", "live_peak", "open_files", "threads"):
        assert lines[-1][name] > 0, name
    assert lines[-1]["device_driver"] is None
    summary = last_session(soak[1])["memory"]["summary"]
    assert summary["live_peak"]["max"] > summary["live"]["max"] > 0


def test_memory_does_not_depend_on_the_number_of_records(longhaul, tiny_model, tmp_path):
    made = tmp_path / "all.csv"
    subprocess.run([sys.executable, ROOT / "scripts/make_sequences.py", made, "-n", "141021"],
                   check=True)
    few = tmp_path / "few.csv"
    with open(made) as file:
        few.write_text("".join(next(file) for _ in range(2001)))

    def embed(data, out):
        done = run_measured(longhaul.path, "embed", tiny_model, data, "-o", tmp_path / out,
                            "--progress", "none")
        assert done.code == 0, done
        return done

    small, large = embed(few, "few"), embed(made, "all")
    assert large.peak_rss - small.peak_rss <= 50 * MIB, (small, large)
    rss = [line["rss"] for line in memory_lines(tmp_path / "all")]
    assert len(rss) >= 10
    deciles = numpy.array_split(rss, 10)
    growth = numpy.median(deciles[-1]) - numpy.median(deciles[1])
    print(f"peaks {small.peak_rss / MIB:.0f} and {large.peak_rss / MIB:.0f} MiB, last decile less "
          f"second {growth / MIB:+.1f} MiB, {large.seconds:.0f} s")
    assert growth <= 20 * MIB


@pytest.mark.skipif(os.environ.get("LONGHAUL_LONG") != "1", reason="an hour or more: --long")
def test_the_job_that_died_half_way_finishes(longhaul, antiberty, tmp_path):
    """141,021 sequences, 8 at a time in file order, caches cleared every 10 batches."""
    data = tmp_path / "in.csv"
    subprocess.run([sys.executable, ROOT / "scripts/make_sequences.py", data, "-n", "141021"],
                   check=True)
    done = run_measured(longhaul.path, "embed", antiberty, data, "-o", tmp_path / "out",
                        "--order", "input", "--batch-size", 8, "--clear-cache-every", 10,
                        "--progress", "none", timeout=6 * 3600)
    assert done.code == 0, done
    assert json.loads((tmp_path / "out/run.json").read_text())["counts"]["ok"] == 141021
    memory = last_session(tmp_path / "out")["memory"]
    assert memory["leak"]["batches"] >= 17628  # smaller ones where a batch would take too long
    assert memory["verdict"] == "flat"
    print(f"{done.seconds:.0f} s, peak {done.peak_rss / MIB:.0f} MiB, {memory['summary']['rss']}")
