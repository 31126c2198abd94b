"""Many images: memory stays, progress is right, a killed run goes on and verifies.

3,000 images; 100,000 with LONGHAUL_LONG (scripts/test --long)."""

import json
import os
import signal
import struct
import subprocess
import time
import zlib

import numpy as np
import pytest
from conftest import clean_environment
from fake_run import committed
from image_files import chunk
from measured import MIB, last_session, memory_lines, run_measured

LONG = bool(os.environ.get("LONGHAUL_LONG"))
COUNT = 100_000 if LONG else 3_000
OPTIONS = ("--batch-size", 16, "--cpu-kernels", "mkl")


def write_images(folder, count):
    """PNG files of 32 x 32 pixels, each of its own, a thousand to a folder."""
    random = np.random.default_rng(3)
    header = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 32, 32, 8, 2, 0, 0, 0))
    end = chunk(b"IEND", b"")
    tile = random.integers(0, 256, (32, 33 * 3), dtype=np.uint8)
    for i in range(count):
        if i % 1000 == 0:
            place = folder / f"{i // 1000:03d}"
            place.mkdir(parents=True)
        rows = np.zeros((32, 1 + 96), np.uint8)
        rows[:, 1:] = np.roll(tile, i, axis=1)[:, :96]
        rows[0, 1:4] = struct.unpack("BBB", struct.pack("<I", i)[:3])
        data = zlib.compress(rows.tobytes(), 1)
        (place / f"{i:06d}.png").write_bytes(header + chunk(b"IDAT", data) + end)
    return folder


@pytest.fixture(scope="module")
def many(longhaul, tiny_image_model, tmp_path_factory):
    """The images, and what an uninterrupted run over them did."""
    folder = tmp_path_factory.mktemp("many")
    images = write_images(folder / "images", COUNT)
    done = run_measured(longhaul.path, "embed", tiny_image_model, images, "-o", folder / "out",
                        *OPTIONS, "--progress", "json", timeout=3000)
    assert done.code == 0, done
    return images, folder / "out", done


def test_progress_counts_images_up_to_their_number(many):
    _, out, done = many
    lines = [json.loads(line) for line in done.err.splitlines() if line.startswith("{")]
    lines = [line for line in lines if line["event"] == "progress"]
    shown = [line["records_done"] for line in lines]
    assert shown == sorted(shown) and shown[-1] == COUNT
    assert lines[-1]["records_total"] == COUNT
    assert all(line["records_total"] in (None, COUNT) for line in lines)
    session = last_session(out)
    assert session["preparing"]["images"] == COUNT == session["timings"]["records"]
    print(f"{COUNT} images in {done.seconds:.1f} s, {session['timings']['records_per_second']:.0f}/s,"
          f" peak {done.peak_rss / MIB:.0f} MiB, preparing {session['preparing']}")


def test_memory_is_flat(longhaul, tiny_image_model, many, tmp_path):
    images, out, done = many
    few = run_measured(longhaul.path, "embed", tiny_image_model, images / "000", "-o",
                       tmp_path / "few", *OPTIONS, "--progress", "none")
    assert few.code == 0, few
    assert done.peak_rss - few.peak_rss <= 30 * MIB, (few, done)
    leak = last_session(out)["memory"]["leak"]
    assert leak["series"]["live"]["last_decile"] - leak["series"]["live"]["first_decile"] <= 0.1e6
    if LONG:
        assert last_session(out)["memory"]["verdict"] == "flat", leak
        rss = [line["rss"] for line in memory_lines(out)]
        deciles = np.array_split(rss, 10)
        growth = np.median(deciles[-1]) - np.median(deciles[1])
        print(f"peaks {few.peak_rss / MIB:.0f} (1,000) and {done.peak_rss / MIB:.0f} MiB "
              f"({COUNT}); last decile less second {growth / MIB:+.1f} MiB")
        assert growth <= 20 * MIB


def test_a_run_killed_twice_has_the_same_bytes_and_verifies(longhaul, tiny_image_model, many,
                                                            tmp_path):
    images, whole, _ = many
    out = tmp_path / "out"
    command = [str(a) for a in (longhaul.path, "embed", tiny_image_model, images, "-o", out,
                                *OPTIONS, "-q", "--commit-every", "50ms")]
    done = 0
    for part in (1, 2):
        process = subprocess.Popen(command, env=clean_environment(), stderr=subprocess.DEVNULL)
        # Until the session has added to what the one before it left, which may be more than asked.
        while process.poll() is None and (not (out / "journal.jsonl").exists() or
                                          committed(out)[0] <= max(done, COUNT * part // 4)):
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        done = committed(out)[0]
        assert 0 < done < COUNT, "the kill came in the middle"
    result = longhaul(*command[1:], timeout=3000)
    assert result.code == 0, result
    for name in ("embeddings.npy", "records.csv", "checksums.npy"):
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name
    assert len(json.loads((out / "run.json").read_text())["sessions"]) == 3
    told = json.loads(longhaul("verify", out, "--json", "--recompute", 50, timeout=3000).out)
    assert told["good"] and told["ok"] == COUNT and told["input"] == "matches"
    assert told["recomputed"]["equal"] == 50
