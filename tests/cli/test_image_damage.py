"""Broken image files: each is refused with the right reason, none crashes or hangs the decoders."""

import os
import random
import shutil
import struct
import subprocess
import zlib

import pytest
from conftest import ROOT, built
from image_files import chunk, picture
from PIL import Image, features

SPEC = "64:64:bicubic:crop:ignore"


def reasons(paths, binary="vision_dump", timeout=300):
    """The first word for each path: ok or the reason."""
    done = subprocess.run([built(binary) if isinstance(binary, str) else binary, SPEC, *paths],
                          capture_output=True, timeout=timeout)
    assert done.returncode == 0, done.stderr[-2000:]
    data, at, words = done.stdout, 0, []
    for _ in paths:
        end = data.index(b"\n", at)
        words.append(data[at:end].split(b" ")[0].decode())
        at = end + 1 + (3 * 64 * 64 if words[-1] == "ok" else 0)
    assert at == len(data)
    return words


def write(path, data):
    path.write_bytes(data)
    return path


@pytest.fixture(scope="module")
def jpeg(tmp_path_factory):
    path = tmp_path_factory.mktemp("jpeg") / "whole.jpg"
    Image.fromarray(picture(200, 150, 3)).save(path, quality=90)
    return path.read_bytes()


def test_a_jpeg_cut_at_63_points_is_truncated(tmp_path, jpeg):
    cuts = [len(jpeg) * i // 64 for i in range(1, 64)]
    paths = [write(tmp_path / f"{cut}.jpg", jpeg[:cut]) for cut in cuts]
    paths.append(write(tmp_path / "no_end.jpg", jpeg[:-2]))
    assert reasons(paths) == ["truncated"] * 64
    assert reasons([write(tmp_path / "whole.jpg", jpeg)]) == ["ok"]


@pytest.mark.parametrize("name, options", [
    ("a.png", {}), ("a.webp", {"quality": 80}), ("a.bmp", {}), ("a.tif", {}),
    ("a_lzw.tif", {"compression": "tiff_lzw"}), ("progressive.jpg", {"progressive": True})])
def test_other_files_cut_anywhere_are_truncated(tmp_path, name, options):
    whole = tmp_path / name
    Image.fromarray(picture(120, 90, 4)).save(whole, **options)
    data = whole.read_bytes()
    cuts = [len(data) * i // 24 for i in range(1, 24)]
    # The very last bytes may be padding; those of a TIFF are its directory's.
    cuts += [len(data) - i for i in (3, 9, 20, 33)] if name == "a_lzw.tif" else []
    paths = [write(tmp_path / f"{cut}_{name}", data[:cut]) for cut in cuts]
    assert reasons([whole]) == ["ok"]
    assert reasons(paths) == ["truncated"] * len(paths)


def bomb(kind):
    """A few bytes that promise 30,000 x 30,000 pixels."""
    side = 30000
    if kind == "png":
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(
            ">IIBBBBB", side, side, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    if kind == "bmp":
        return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 100, 0, 0, 54, 40, side, side, 1, 24, 0, 0,
                                   0, 0, 0, 0) + b"\0" * 46
    if kind == "webp":
        return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8 " + struct.pack("<I", 10) + \
            b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", 16383, 16383)
    if kind == "tiff":
        tags = [(256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 8), (259, 3, 1, 1),
                (262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, side),
                (279, 4, 1, 4)]
        return b"II*\0" + struct.pack("<I", 12) + b"\0" * 4 + struct.pack("<H", len(tags)) + \
            b"".join(struct.pack("<HHII", *t) for t in tags) + b"\0" * 4
    whole = bytearray(kind)  # a JPEG, whose frame header is rewritten
    at = whole.index(b"\xff\xc0")
    whole[at + 5:at + 9] = struct.pack(">HH", side, side)
    return bytes(whole)


def spoil(data, at, count=8):
    return data[:at] + bytes(b ^ 0x5A for b in data[at:at + count]) + data[at + count:]


def test_whole_files_with_wrong_bytes_are_damaged_not_truncated(tmp_path, jpeg):
    image = Image.fromarray(picture(120, 90, 4))

    def made(name, **options):
        image.save(tmp_path / name, **options)
        return (tmp_path / name).read_bytes()

    png, webp = made("a.png"), made("a.webp", quality=80)
    bmp = bytearray(made("a.bmp"))
    bmp[18:22] = struct.pack("<i", -120)
    zero = bytearray(png)
    zero[16:20] = bytes(4)
    cases = [
        ("extra_before_end.jpg", jpeg[:-2] + b"extra bytes" * 4 + jpeg[-2:]),
        ("middle.jpg", spoil(jpeg, len(jpeg) // 2, 400)),
        ("scan_ends_early.jpg", jpeg[:len(jpeg) // 2] + b"\xff\xd9"),
        ("crc.png", spoil(png, len(png) // 2)),
        ("header.png", bytes(zero)),
        ("short_idat.png", png_with_short_data()),
        ("vp8.webp", spoil(webp, 20, 20)),
        ("width.bmp", bytes(bmp)),
    ]
    words = reasons([write(tmp_path / name, data) for name, data in cases])
    assert dict(zip([name for name, _ in cases], words)) == {name: "damaged" for name, _ in cases}


def png_with_short_data():
    """A whole file, whose compressed rows end after half of them."""
    rows = zlib.compress(b"\0" * (1 + 3 * 40) * 15)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(
        ">IIBBBBB", 40, 30, 8, 2, 0, 0, 0)) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_each_kind_of_broken_file_has_its_reason(tmp_path, jpeg):
    gif = tmp_path / "a.gif"
    Image.fromarray(picture(20, 20, 1)).save(gif)
    lossless = bytearray(jpeg)
    lossless[lossless.index(b"\xff\xc0") + 1] = 0xC3
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "dangling.jpg").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.jpg")
    cases = {
        write(tmp_path / "zero.jpg", b""): "empty",
        write(tmp_path / "text.jpg", b"this is text, not a picture\n" * 9): "not_an_image",
        write(tmp_path / "zeros.png", bytes(5000)): "not_an_image",
        write(tmp_path / "pdf.png", b"%PDF-1.7 and more"): "not_an_image",
        gif: "ok",
        write(tmp_path / "lossless.jpg", bytes(lossless)): "unsupported",
        write(tmp_path / "photo.heic", b"\0\0\0\x18ftypheic" + bytes(100)): "unsupported",
        write(tmp_path / "a.jxl", b"\xff\x0a" + bytes(100)): "unsupported",
        write(tmp_path / "b.png", bomb("png")): "too_many_pixels",
        write(tmp_path / "b.bmp", bomb("bmp")): "too_many_pixels",
        write(tmp_path / "b.tif", bomb("tiff")): "too_many_pixels",
        write(tmp_path / "b.jpg", bomb(jpeg)): "too_many_pixels",
        tmp_path / "absent.jpg": "unreadable",
        tmp_path / "folder.jpg": "unreadable",
        tmp_path / "dangling.jpg": "unreadable",
        tmp_path / "pipe.jpg": "unreadable",
    }
    assert dict(zip(cases, reasons(list(cases), timeout=30))) == cases


def mutants(folder, photographs, count, seed):
    """Copies of whole images with a few random bytes changed, removed, repeated or inserted."""
    rng = random.Random(seed)
    originals = []
    for path in photographs:
        if path.stat().st_size < 60_000 and not path.name.startswith(("size_1001", "size_6000")):
            originals.append((path.suffix, path.read_bytes()))
    paths = []
    for i in range(count):
        suffix, data = rng.choice(originals)
        data = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 5, 20))):
            at = rng.randrange(len(data))
            kind = rng.randrange(5)
            if kind == 0:
                data[at] ^= 1 << rng.randrange(8)
            elif kind == 1:
                data[at] = rng.choice((0, 0xFF, 0x7F, 0x80, rng.randrange(256)))
            elif kind == 2:
                del data[at:at + rng.choice((1, 2, 100))]
            elif kind == 3:
                data[at:at] = data[at:at + rng.randrange(1, 60)]
            else:
                data[at:at] = rng.randbytes(rng.randrange(1, 9))
            if not data:
                data = bytearray(b"\0")
        paths.append(write(folder / f"{i:05d}{suffix}", bytes(data)))
    return paths


def djpeg_accepts(path):
    return subprocess.run(["djpeg", "-strict", "-outfile", os.devnull, path],
                          capture_output=True).returncode == 0


def with_heif(folder, photographs):
    import pillow_heif
    pillow_heif.register_heif_opener()
    whole = folder / "whole"
    whole.mkdir()
    for ending in ("avif", "heic"):
        if ending == "heic" or features.check("avif"):
            Image.fromarray(picture(60, 44, 5)).save(whole / f"a.{ending}")
    return [*photographs, *sorted(whole.iterdir()) * 6]


def check_mutants(folder, photographs, count, binary):
    photographs = with_heif(folder, photographs)
    paths = mutants(folder, photographs, count, seed=11)
    words = []
    for start in range(0, len(paths), 500):
        words += reasons(paths[start:start + 500], binary, timeout=600)
    assert words.count("ok") > count // 50 and words.count("damaged") > count // 10
    assert set(words) <= {"ok", "truncated", "damaged", "not_an_image", "unsupported",
                          "too_many_pixels"}
    return paths, words


def test_mutants_are_accepted_or_rejected_and_jpegs_as_djpeg_strict_does(photographs, tmp_path):
    count = 2000 if os.environ.get("LONGHAUL_LONG") else 400
    paths, words = check_mutants(tmp_path, photographs, count, "vision_dump")
    if shutil.which("djpeg") is None:
        pytest.skip("djpeg is not installed (libjpeg-turbo-progs)")
    compared = 0
    for path, word in zip(paths, words):
        # Only what begins as a JPEG is given to the JPEG decoder; a size that cannot be is ours.
        if path.read_bytes()[:3] == b"\xff\xd8\xff" and word != "too_many_pixels":
            compared += 1
            assert djpeg_accepts(path) == (word == "ok"), path
    assert compared > count // 10


@pytest.mark.skipif(not os.environ.get("LONGHAUL_LONG"),
                    reason="10,000 mutants: scripts/test --long")
def test_mutants_under_sanitizers(photographs, tmp_path):
    binary = ROOT / "build-asan-vision/vision_dump"
    if not binary.exists():
        subprocess.run([ROOT / "scripts/build", "asan-vision"], check=True)
    check_mutants(tmp_path, photographs, 10_000, binary)
