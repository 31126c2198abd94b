"""Image runs that are killed, continued, and started again over a folder that changed."""

import csv
import json
import os
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest
from conftest import clean_environment
from fake_run import committed
from image_files import picture
from PIL import Image

# Every window is committed. The kernels are named: the choice of the fastest is timed.
OPTIONS = ("-q", "-b", "4", "--window", "4", "--commit-every", "0", "--cpu-kernels", "mkl")
FILES = ("embeddings.npy", "records.csv", "rejects.csv", "checksums.npy")


@pytest.fixture
def model(tiny_image_model):
    return tiny_image_model


@pytest.fixture
def images(tmp_path):
    """48 images in three folders, one of them broken, one a copy of another."""
    folder = tmp_path / "images"
    for i in range(48):
        path = folder / f"{i // 16}" / f"{i:03d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(40 + i % 7, 36, i)).save(path)
    (folder / "0/005.jpg").write_bytes(b"\xff\xd8\xff broken")
    shutil.copy(folder / "0/002.jpg", folder / "2/041.jpg")
    return folder


def records(out):
    with open(out / "records.csv", newline="") as file:
        return list(csv.DictReader(file))


def equal(a, b):
    return all((a / name).read_bytes() == (b / name).read_bytes() for name in FILES)


def place(out):
    """Records in the windows that the journal claims; the last line may be half there."""
    return committed(out)[0] if (out / "journal.jsonl").exists() else 0


def killed(longhaul, model, images, out, *options):
    """Starts the run and kills it once it got further; where it stood."""
    before = place(out)
    process = subprocess.Popen([longhaul.path, "embed", model, images, "-o", out, *OPTIONS,
                                *options],
                               env=clean_environment(), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while process.poll() is None and place(out) <= before and time.monotonic() < deadline:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return place(out)


@pytest.fixture
def stopped(longhaul, model, images, tmp_path):
    """An output of these images that was killed somewhere after the first windows."""
    for attempt in range(20):
        out = tmp_path / f"stopped{attempt}"
        if 8 <= killed(longhaul, model, images, out) < 44:
            return out
        killed(longhaul, model, images, out)
        if 8 <= place(out) < 44:
            return out
    pytest.fail("no kill came in the middle")


@pytest.mark.parametrize("duplicates", ["exact", "dhash"])
def test_a_killed_run_ends_as_if_it_had_not_been(longhaul, model, images, tmp_path, duplicates):
    options = ("--skip-duplicates", duplicates)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert longhaul("embed", model, images, "-o", whole, *OPTIONS, *options).code == 3
    places = [killed(longhaul, model, images, parts, *options) for _ in range(3)]
    assert any(0 < at < 48 for at in places), f"the kills came at {places}"
    result = longhaul("embed", model, images, "-o", parts, *OPTIONS, *options)
    assert result.code == 3, result
    for name in FILES:
        assert (whole / name).read_bytes() == (parts / name).read_bytes(), name
    assert longhaul("verify", parts).code == 0
    states = {r["id"]: r["status"] for r in records(parts)}
    assert states["2/041.jpg"] == "duplicate"


def test_images_that_changed_since_are_refused_by_name(longhaul, model, images, stopped):
    first = images / "0/001.jpg"
    Image.fromarray(picture(40, 36, 999)).save(first)
    result = longhaul("embed", model, images, "-o", stopped, *OPTIONS)
    assert result.code == 73 and "0/001.jpg has other bytes now" in result.err, result


def test_images_that_came_or_went_since_are_refused_by_name(longhaul, model, images, stopped):
    shutil.copy(images / "2/040.jpg", images / "0/000_new.jpg")
    result = longhaul("embed", model, images, "-o", stopped, *OPTIONS)
    assert result.code == 73 and "0/001.jpg" in result.err and "000_new" in result.err, result
    (images / "0/000_new.jpg").unlink()
    assert longhaul("embed", model, images, "-o", stopped, *OPTIONS).code == 3


def test_a_copy_of_the_images_elsewhere_goes_on(longhaul, model, images, stopped, tmp_path):
    whole = tmp_path / "whole"
    assert longhaul("embed", model, images, "-o", whole, *OPTIONS).code == 3
    shutil.copytree(images, tmp_path / "copy/images", copy_function=shutil.copyfile)
    images.rename(tmp_path / "away")
    before = place(stopped)
    copy = tmp_path / "copy/images"
    result = longhaul("embed", model, copy, "-o", stopped, *OPTIONS)
    assert result.code == 3, result
    assert np.load(whole / "embeddings.npy").tobytes() == \
        np.load(stopped / "embeddings.npy").tobytes()
    assert 0 < before < 48
    # The finished run knows the copy too, and a second copy.
    assert longhaul("embed", model, copy, "-o", stopped, *OPTIONS).code == 3
    os.utime(copy / "1/020.jpg", (1, 1))
    assert longhaul("embed", model, copy, "-o", stopped, *OPTIONS).code == 3


def test_a_finished_run_tells_that_its_folder_grew(longhaul, model, images, tmp_path):
    out = tmp_path / "out"
    assert longhaul("embed", model, images, "-o", out, *OPTIONS).code == 3
    assert longhaul("verify", out).code == 0
    shutil.copy(images / "0/001.jpg", images / "2/099.jpg")
    result = longhaul("embed", model, images, "-o", out, *OPTIONS)
    assert result.code == 73 and "2/099.jpg" in result.err, result
    assert longhaul("verify", out).code == 65


def test_verify_computes_images_again_with_the_same_bits(longhaul, model, images, tmp_path):
    out = tmp_path / "out"
    assert longhaul("embed", model, images, "-o", out, "-q", "-b", "4", "--cpu-kernels",
                    "mkl").code == 3
    result = longhaul("verify", out, "--recompute", "20", "--json")
    assert result.code == 0, result
    told = json.loads(result.out)
    assert told["recomputed"]["rows"] == told["recomputed"]["equal"] == 20
    assert told["input"] == "matches"
    os.utime(images / "1/020.jpg", (1, 1))
    assert json.loads(longhaul("verify", out, "--json").out)["input"] == "matches"
