"""Everything that folders, lists and archives of images hold is a row, a reject, or counted as left out."""

import collections
import ctypes
import ctypes.util
import io
import json
import os
import pathlib
import random
import re
import tarfile

import numpy as np
import pytest
from fake_run import LONG
from image_files import picture
from left_out import read, report, warnings_of
from PIL import Image

IMAGE_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif",
                 ".heic", ".heif"}


@pytest.fixture
def model(tiny_image_model):
    return tiny_image_model


@pytest.fixture(scope="module")
def jpegs():
    """The bytes of a dozen small pictures."""
    pictures = []
    for seed in range(12):
        buffer = io.BytesIO()
        Image.fromarray(picture(40, 36, seed)).save(buffer, "jpeg")
        pictures.append(buffer.getvalue())
    return pictures


def image_folder(folder, jpegs):
    for name, content in {
            "a/0.jpg": jpegs[0], "a/1.JPG": jpegs[1], "b/2.jpeg": jpegs[2], "z.jpg": jpegs[3],
            "a/0.json": b"{}", "a/1.json": b"{}", "b/notes": b"", "thumbs.db": b"x",
            "._z.jpg": b"fork", ".hidden.jpg": jpegs[4], "b/.ipynb_checkpoints/2.jpeg": jpegs[2],
            "__MACOSX/a/._0.jpg": b"fork", "video.mp4": b"film"}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    os.mkfifo(folder / "pipe")
    return folder


FOLDER_LEFT = {".json files": 2, "files without an ending": 1, ".db files": 1, "hidden files": 2,
               "hidden folders": 2, ".mp4 files": 1, "special files": 1}


def test_image_folders_count_what_they_leave_out(longhaul, model, jpegs, tmp_path):
    folder = image_folder(tmp_path / "images", jpegs)
    out = tmp_path / "out"
    result = longhaul("embed", model, folder, "-o", out, "--json", "-q")
    assert result.code == 0, result
    assert [r["id"] for r in read(out)] == ["a/0.jpg", "a/1.JPG", "b/2.jpeg", "z.jpg"]
    assert report(out)["left_out"] == json.loads(result.out)["left_out"] == FOLDER_LEFT
    [warning] = warnings_of(result)
    assert "2 hidden folders" in warning and "1 .mp4 file" in warning


def test_counts_survive_stops_and_kills(longhaul, model, jpegs, tmp_path):
    folder = image_folder(tmp_path / "images", jpegs)
    for i in range(30):
        (folder / f"c{i:02d}.jpg").write_bytes(jpegs[i % 12])
        (folder / f"c{i:02d}.txt").write_text("label")
    expected = {**FOLDER_LEFT, ".txt files": 30}
    out = tmp_path / "out"
    result = longhaul("embed", model, folder, "-o", out, "-q", "-b", "2", "--window", "2",
                      "--commit-every", "0", "--recycle-every", "1")
    assert result.code == 0, result
    assert len(report(out)["sessions"]) > 5
    assert report(out)["left_out"] == expected
    # A time that changed lets the next session read everything again from the beginning.
    again = tmp_path / "again"
    for session in range(40):
        result = longhaul("embed", model, folder, "-o", again, "-q", "-b", "2", "--window", "2",
                          "--commit-every", "0", "--time-limit", "1ms" if session < 3 else "1h")
        if result.code != 75:
            break
        os.utime(folder / "z.jpg", (session, session))
    assert result.code == 0, result
    assert report(again)["left_out"] == expected


def write_tar(path, rng, jpegs, members, form):
    """A random archive; how many things that are no folders it holds."""
    names = []
    with tarfile.open(path, "w", format=form) as tar:
        for i in range(members):
            ending = rng.choice([".jpg", ".jpg", ".jpg", ".JPEG", ".txt", ".json", ""])
            name = rng.choice(["", "d/", "d/e/", "__MACOSX/", "long" * 40 + "/"]) + rng.choice(
                ["", "._"]) + f"{i}" + ending
            info = tarfile.TarInfo(name)
            kind = rng.randrange(10)
            if kind == 0:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
                continue
            if kind == 1 and names:
                info.type, info.linkname = tarfile.LNKTYPE, rng.choice(names)
                tar.addfile(info)
            elif kind == 2:
                info.type, info.linkname = tarfile.SYMTYPE, "somewhere"
                tar.addfile(info)
            else:
                data = rng.choice(jpegs)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
                names.append(name)


def test_archives_hold_what_tarfile_finds_in_them(longhaul, model, jpegs, tmp_path):
    rng = random.Random(4)
    for number in range(40 if LONG else 6):
        form = rng.choice([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
        path = tmp_path / f"{number}.tar"
        data = b""
        for _ in range(rng.randrange(1, 4)):  # archives one behind the other
            write_tar(path, rng, jpegs, 14, form)
            data += path.read_bytes()
        path.write_bytes(data)
        with tarfile.open(path, ignore_zeros=True) as tar:
            members = [m for m in tar.getmembers() if not m.isdir()]
        hidden = re.compile(r"(^|/)(\.[^/]|__MACOSX)")
        images = [m for m in members if not hidden.search(m.name)
                  and pathlib.PurePosixPath(m.name).suffix.lower() in IMAGE_ENDINGS]
        out = tmp_path / f"out{number}"
        result = longhaul("embed", model, path, "-o", out, "-q", "--window", "5")
        assert result.code in (0, 3), result
        assert [r["id"] for r in read(out)] == [m.name for m in images]
        assert len(images) + sum(report(out)["left_out"].values()) == len(members)
        rejects = {r["id"]: r["reason"] for r in read(out, "rejects.csv")}
        assert rejects == {m.name: "unsupported" for m in images if m.issym()}
        assert report(out)["left_out"].get("hidden files", 0) == sum(
            bool(hidden.search(m.name)) for m in members)


def test_a_hard_link_in_an_archive_has_the_vector_of_what_it_names(longhaul, model, jpegs,
                                                                   tmp_path):
    path = tmp_path / "t.tar"
    folder = tmp_path / "files"
    folder.mkdir()
    for i in range(3):
        (folder / f"{i}.jpg").write_bytes(jpegs[i])
    os.link(folder / "1.jpg", folder / "9.jpg")
    with tarfile.open(path, "w") as tar:
        tar.add(folder, arcname=".")
        late = tarfile.TarInfo("late.jpg")
        late.type, late.linkname = tarfile.LNKTYPE, "not_there.jpg"
        tar.addfile(late)
    with tarfile.open(path) as tar:
        links = [m.name for m in tar.getmembers() if m.islnk()]
    assert len(links) == 2, "the archive has a hard link"
    out = tmp_path / "out"
    result = longhaul("embed", model, path, "-o", out, "-q")
    assert result.code == 3, result
    rows = {r["id"]: (r, v) for r, v in zip(read(out), np.load(out / "embeddings.npy"))}
    assert sorted(rows) == ["0.jpg", "1.jpg", "2.jpg", "9.jpg", "late.jpg"]
    assert rows["9.jpg"][1].tobytes() == rows["1.jpg"][1].tobytes()
    assert rows["9.jpg"][0]["hash"] == rows["1.jpg"][0]["hash"]
    [reject] = read(out, "rejects.csv")
    assert reject["reason"] == "unreadable" and "not_there.jpg" in reject["message"]
    assert longhaul("verify", out).code == 3 or longhaul("verify", out).code == 0


def listed(tmp_path, jpegs, count):
    folder = tmp_path / "listed"
    folder.mkdir(exist_ok=True)
    paths = []
    for i in range(count):
        paths.append(folder / f"{i}.jpg")
        paths[-1].write_bytes(jpegs[i % 12])
    return paths


def test_a_bad_line_of_a_list_is_a_reject_with_its_line(longhaul, model, jpegs, tmp_path):
    paths = listed(tmp_path, jpegs, 4)
    listing = tmp_path / "list.csv"
    listing.write_text(f"id,path,label\na,{paths[0]},x\nb,,y\nc,{paths[1]}\n,,\nd,{paths[2]},z\n"
                       f"e,{tmp_path}/gone.jpg,w\nf,{paths[3]},v\n")
    out = tmp_path / "out"
    result = longhaul("embed", model, "--files-from", listing, "--id-column", "id",
                      "--keep-column", "label", "-o", out, "-q")
    assert result.code == 3, result
    states = {r["id"]: r["status"] for r in read(out)}
    assert {k: v for k, v in states.items() if v == "ok"} == dict.fromkeys("adf", "ok")
    told = {r["id"]: (r["line"], r["reason"]) for r in read(out, "rejects.csv")}
    assert told["b"] == ("3", "empty") and told["e"] == ("7", "unreadable")
    assert told["c"] == ("4", "wrong_field_count")
    lines = 7
    assert len(states) + sum(report(out)["left_out"].values()) == lines


def stopped_on(longhaul, model, listing, out):
    """A run on a list that was stopped in its middle; how many records it has."""
    options = ("--files-from", listing, "-o", out, "-q", "-b", "4", "--window", "4",
               "--commit-every", "0")
    for limit in range(1, 400):
        result = longhaul("embed", model, *options, "--time-limit", f"{limit * 5}ms")
        lines = (out / "records.csv").read_text().count("\n") - 1 if (
            out / "records.csv").exists() else 0
        if lines >= 8 or result.code != 75:
            break
    assert result.code == 75 and lines >= 8, result
    return options, lines


def test_a_run_on_a_list_goes_on_when_the_rest_of_the_list_is_corrected(longhaul, model, jpegs,
                                                                        tmp_path):
    paths = listed(tmp_path, jpegs, 400)
    listing, out = tmp_path / "list.csv", tmp_path / "out"
    lines = ["path", *map(str, paths)]
    listing.write_text("\n".join([*lines[:-3], '""', "a,b"]) + "\n")
    options, before = stopped_on(longhaul, model, listing, out)
    listing.write_text("\n".join(lines) + "\n")  # two lines corrected, two more at the end
    result = longhaul("embed", model, *options)
    assert result.code == 0, result
    assert [r["id"] for r in read(out)] == [str(p) for p in paths]
    whole = tmp_path / "whole"
    assert longhaul("embed", model, "--files-from", listing, "-o", whole, "-q").code == 0
    assert np.load(out / "embeddings.npy").tobytes() == \
        np.load(whole / "embeddings.npy").tobytes()
    assert before < 400


def test_a_list_that_changed_where_it_was_read_is_another_input(longhaul, model, jpegs, tmp_path):
    paths = listed(tmp_path, jpegs, 400)
    listing, out = tmp_path / "list.txt", tmp_path / "out"
    listing.write_text("\n".join(map(str, paths)) + "\n")
    options, _ = stopped_on(longhaul, model, listing, out)
    listing.write_text("\n".join(map(str, paths[1:])) + "\n")
    result = longhaul("embed", model, *options)
    assert result.code == 73 and str(paths[1]) in result.err, result
    listing.write_text("\n".join(map(str, paths)) + "\n")
    assert longhaul("embed", model, *options).code == 0
    # Finished, it is one that lacks images where the list grew.
    with open(listing, "a") as file:
        file.write(f"{paths[0]}\n")
    assert longhaul("embed", model, *options).code == 73


def test_max_pixels_is_part_of_what_an_output_was_made_with(longhaul, model, jpegs, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(6):
        (folder / f"{i}.jpg").write_bytes(jpegs[i])
    Image.fromarray(picture(80, 80, 1)).save(folder / "large.png")
    out = tmp_path / "out"
    result = longhaul("embed", model, folder, "-o", out, "-q", "--max-pixels", 2000)
    assert result.code == 3, result
    result = longhaul("embed", model, folder, "-o", out, "-q")
    assert result.code == 73 and "max-pixels" in result.err and "2000" in result.err, result
    result = longhaul("embed", model, folder, "-o", out, "-q", "--retry-rejects", "--max-pixels",
                      10_000)
    assert result.code == 0, result
    assert {r["status"] for r in read(out)} == {"ok"}


def without_max_pixels(journal):
    """Rewrites a journal as it was before the field: each line's checksum is of the one before it
    and of what follows the checksum."""
    xxhash = ctypes.CDLL(ctypes.util.find_library("xxhash"))
    xxhash.XXH3_64bits.restype = ctypes.c_uint64
    crc, lines, changed = "0" * 16, [], 0
    for line in journal.read_text().splitlines():
        body = line[len('{"crc":"') + 16 + 2:]
        shorter = re.sub(r'"max-pixels":\d+,', "", body)
        changed += shorter != body
        data = (crc + shorter).encode()
        crc = f"{xxhash.XXH3_64bits(data, ctypes.c_size_t(len(data))):016x}"
        lines.append(f'{{"crc":"{crc}",{shorter}\n')
    assert changed == 1
    journal.write_text("".join(lines))


def test_an_output_from_before_max_pixels_was_recorded_goes_on(longhaul, model, jpegs, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(6):
        (folder / f"{i}.jpg").write_bytes(jpegs[i])
    out = tmp_path / "out"
    assert longhaul("embed", model, folder, "-o", out, "-q").code == 0
    without_max_pixels(out / "journal.jsonl")
    result = longhaul("embed", model, folder, "-o", out, "-q")
    assert result.code == 0, result
    result = longhaul("embed", model, folder, "-o", out, "-q", "--max-pixels", 999)
    assert result.code == 73 and "max-pixels" in result.err, result


def test_kinds_counted_fall_together_with_what_the_folder_holds(longhaul, model, jpegs, tmp_path):
    """Endings of every kind, against Python's own count."""
    rng = random.Random(9)
    folder = tmp_path / "images"
    counted = collections.Counter()
    for i in range(300):
        ending = rng.choice([".jpg", ".TXT", ".csv.gz", ".npy", ".JSON", ""])
        (folder / f"{i % 7}").mkdir(parents=True, exist_ok=True)
        (folder / f"{i % 7}" / f"{i}{ending}").write_bytes(
            jpegs[i % 12] if ending == ".jpg" else b"x")
        counted[f"{ending.lower()} files" if ending else "files without an ending"] += 1
    images = counted.pop(".jpg files")
    out = tmp_path / "out"
    assert longhaul("embed", model, folder, "-o", out, "-q").code == 0
    assert report(out)["left_out"] == dict(counted)
    assert len(read(out)) == images
