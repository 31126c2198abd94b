"""Folders as they are found: odd names, links that loop, places that cannot be read; and what the
card says about orientation."""

import csv
import json
import os
import subprocess

import numpy as np
import pytest
from conftest import clean_environment
from image_files import exif, picture
from PIL import Image, ImageOps
from tiny_encoder import write_tiny_encoder


def read(out, name="records.csv"):
    with open(out / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    (folder / "a").mkdir(parents=True)
    for i in range(4):
        Image.fromarray(picture(40, 36, i)).save(folder / f"a/{i}.jpg")
    return folder


def test_odd_names_are_escaped_in_both_tables_and_survive_a_resume(longhaul, tiny_image_model,
                                                                   images, tmp_path):
    data = (images / "a/0.jpg").read_bytes()
    good = [b"new\nline.jpg", b'comma, "quote".jpg', b"\xff\xfe.jpg", b"n" * 251 + b".jpg",
            "höhe 高.JPG".encode()]
    bad = [b"bad\n\xfe.jpg"]
    for name in good + bad:
        with open(os.path.join(os.fsencode(images), name), "wb") as file:
            file.write(data if name in good else data[:200])
    out = tmp_path / "out"
    sessions = 0
    for _ in range(30):
        result = longhaul("embed", tiny_image_model, images, "-o", out, "-q", "-b", "1", "--window",
                          "1", "--commit-every", "0", "--recycle-every", "1")
        if result.code != 75:
            break
        sessions += 1
    assert result.code == 3, result
    assert len(json.loads((out / "run.json").read_text())["sessions"]) > 1
    expected = {"new\nline.jpg", 'comma, "quote".jpg', "\\xff\\xfe.jpg", "n" * 251 + ".jpg",
                "höhe 高.JPG", "bad\n\\xfe.jpg", *(f"a/{i}.jpg" for i in range(4))}
    assert {r["id"] for r in read(out)} == expected
    assert [(r["id"], r["reason"]) for r in read(out, "rejects.csv")] == \
        [("bad\n\\xfe.jpg", "truncated")]
    assert longhaul("verify", out).code == 0
    os.utime(images / "a/0.jpg", (1, 1))  # so that all are compared by name and bytes
    assert longhaul("embed", tiny_image_model, images, "-o", out, "-q").code == 3


def test_links_are_followed_and_loops_end(longhaul, tiny_image_model, images, tmp_path):
    (images / "a/up").symlink_to("..")
    (images / "a/self").symlink_to(".")
    (images / "b").mkdir()
    (images / "b/to_a").symlink_to("../a")
    (images / "a/to_b").symlink_to("../b")
    (images / "one.jpg").symlink_to("a/1.jpg")
    (images / "gone.jpg").symlink_to("nowhere")
    (images / "ring.jpg").symlink_to("ring.jpg")
    out = tmp_path / "out"
    result = longhaul("embed", tiny_image_model, images, "-o", out, "-q", timeout=60)
    assert result.code == 3, result
    ids = [r["id"] for r in read(out)]
    in_a = [f"a/{i}.jpg" for i in range(4)]
    assert ids == [*in_a, *(f"b/to_{i}" for i in in_a), "gone.jpg", "one.jpg", "ring.jpg"]
    assert {r["id"]: r["reason"] for r in read(out, "rejects.csv")} == \
        {"gone.jpg": "unreadable", "ring.jpg": "unreadable"}


def without_privilege():
    """What takes from the superuser the right to read everything."""
    if os.geteuid() != 0:
        return []
    rights = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"]


def test_what_may_not_be_read_is_rejected_and_the_rest_is_embedded(longhaul, tiny_image_model,
                                                                   images, tmp_path):
    (images / "closed").mkdir()
    (images / "closed/1.jpg").write_bytes(b"x")
    (images / "z.jpg").write_bytes((images / "a/1.jpg").read_bytes())
    (images / "closed").chmod(0)
    (images / "a/2.jpg").chmod(0)
    out = tmp_path / "out"
    done = subprocess.run([*without_privilege(), longhaul.path, "embed", tiny_image_model, images,
                           "-o", out, "-q"], capture_output=True, text=True,
                          env=clean_environment())
    (images / "closed").chmod(0o700)
    assert done.returncode == 3, done
    assert {r["id"]: r["reason"] for r in read(out, "rejects.csv")} == \
        {"closed/": "unreadable", "a/2.jpg": "unreadable"}
    assert [r["id"] for r in read(out) if r["status"] == "ok"] == \
        ["a/0.jpg", "a/1.jpg", "a/3.jpg", "z.jpg"]


def test_a_list_keeps_its_columns_and_its_ids_beside_rejects(longhaul, tiny_image_model, images,
                                                             tmp_path):
    listing = tmp_path / "list.tsv"
    rows = [("path", "id", "label", "site"),
            (images / "a/3.jpg", "x3", "cat", "Köln, \"A\""),
            (images / "a/absent.jpg", "x9", "dog", ""),
            (images / "a/1.jpg", "x1", "NA", "001")]
    listing.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    out = tmp_path / "out"
    result = longhaul("embed", tiny_image_model, "--files-from", listing, "--keep-column", "label",
                      "--keep-column", "site", "--id-column", "id", "-o", out, "-q")
    assert result.code == 3, result
    assert [(r["id"], r["status"], r["label"], r["site"]) for r in read(out)] == [
        ("x3", "ok", "cat", 'Köln, "A"'), ("x9", "rejected", "dog", ""), ("x1", "ok", "NA", "001")]
    [reject] = read(out, "rejects.csv")
    assert (reject["reason"], reject["line"]) == ("unreadable", "3")


def test_orientation_is_applied_only_where_the_card_says_so(longhaul, tiny_image_model, tmp_path):
    folders = {"turned": tmp_path / "turned", "upright": tmp_path / "upright",
               "stored": tmp_path / "stored"}
    for folder in folders.values():
        folder.mkdir()
    for orientation in range(1, 9):
        name = f"{orientation}.png"
        image = Image.fromarray(picture(60, 37, orientation))
        image.save(folders["turned"] / name, exif=exif(orientation))
        image.save(folders["stored"] / name)
        ImageOps.exif_transpose(Image.open(folders["turned"] / name)).save(
            folders["upright"] / name)
    applying = write_tiny_encoder(tmp_path / "applying.ts", exif="apply")

    def vectors(model, folder, out):
        result = longhaul("embed", model, folder, "-o", tmp_path / out, "-q", "--cpu-kernels",
                          "mkl")
        assert result.code == 0, result
        return np.load(tmp_path / out / "embeddings.npy").tobytes()

    assert vectors(applying, folders["turned"], "1") == vectors(applying, folders["upright"], "2")
    stored = vectors(tiny_image_model, folders["stored"], "3")
    assert vectors(tiny_image_model, folders["turned"], "4") == stored
    assert stored != vectors(tiny_image_model, folders["upright"], "5")


def test_the_pixel_cap_is_a_flag(longhaul, tiny_image_model, images, tmp_path):
    out = tmp_path / "out"
    Image.fromarray(picture(41, 36, 1)).save(images / "large.png")
    result = longhaul("embed", tiny_image_model, images, "-o", out, "-q", "--max-pixels", 40 * 36)
    assert result.code == 3, result
    [reject] = read(out, "rejects.csv")
    assert (reject["id"], reject["reason"]) == ("large.png", "too_many_pixels")
