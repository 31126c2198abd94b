"""--fast-decode: JPEG files decoded at a smaller scale, and how far that moves vectors."""

import csv
import json

import numpy as np
import pytest
from image_files import exif, picture
from PIL import Image, ImageOps
from test_image_pixels import dump, reference_transform


@pytest.fixture
def model(tiny_image_model):
    return tiny_image_model


def save(folder, sizes, **options):
    folder.mkdir(parents=True, exist_ok=True)
    for i, (width, height) in enumerate(sizes):
        Image.fromarray(picture(width, height, i)).save(
            folder / f"{i:02d}_{width}x{height}.jpg", quality=90, **options)
    return sorted(folder.iterdir())


def divided_by(size, target):
    """The largest scale that leaves twice the target along both sides."""
    return next(d for d in (8, 4, 2, 1)
                if d == 1 or all(side >= d * 2 * t for side, t in zip(size, target)))


def resized(size, resize, crop):
    if crop is None:
        return resize, resize
    short, long = min(size), max(size)
    longer = int(resize * long / short)
    return (resize, longer) if size[0] <= size[1] else (longer, resize)


def reference(path, resize, crop, mode, orientation="ignore"):
    """By Pillow: draft() decodes at the scale, and its box says where the image ends."""
    image = Image.open(path)
    turned = orientation == "apply" and image.getexif().get(0x0112, 1) >= 5
    size = image.size[::-1] if turned else image.size
    target = resized(size, resize, crop)
    denominator = divided_by(size, target)
    box = (0, 0, *image.size)
    if denominator > 1:
        _, box = image.draft("RGB", tuple(side // denominator for side in image.size))
        assert image.size == tuple(-(-side // denominator) for side in
                                   (size[::-1] if turned else size))
    image = image.convert("RGB")
    if orientation == "apply":
        assert not turned or box[2:] == image.size, "a turned box is another"
        image = ImageOps.exif_transpose(image)
        box = (0, 0, *image.size)
    image = image.resize(target, mode, box=box)
    if crop is not None:
        left, top = (round((t - crop) / 2) for t in target)
        image = image.crop((left, top, left + crop, top + crop))
    return denominator, np.asarray(image).transpose(2, 0, 1)


# Multiples of 8 and not, at each scale and at both sides of where it changes.
SIZES = [(64, 64), (127, 128), (128, 128), (129, 131), (257, 255), (256, 300), (511, 512),
         (512, 513), (700, 530), (1201, 901), (333, 1000), (1000, 520)]


@pytest.mark.parametrize("crop, mode, name", [(32, Image.BICUBIC, "bicubic"),
                                              (None, Image.BILINEAR, "bilinear")])
@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"progressive": True}])
def test_pixels_equal_pillows_draft(tmp_path, crop, mode, name, options):
    paths = save(tmp_path, SIZES, **options)
    spec = f"32:32:{name}:{'crop' if crop else 'squash'}:ignore:fast"
    seen = set()
    for path, (line, pixels) in zip(paths, dump(spec, paths)):
        assert line == "ok", path
        denominator, expected = reference(path, 32, crop, mode)
        seen.add(denominator)
        # Versions of libjpeg-turbo may differ in the last bit.
        assert np.abs(pixels.astype(int) - expected).max() <= 1, path.name
    assert seen == {1, 2, 4, 8}


def test_a_turned_jpeg_is_scaled_as_one_that_lies_right(tmp_path):
    paths = []
    for orientation in range(1, 9):
        paths.append(tmp_path / f"{orientation}.jpg")
        Image.fromarray(picture(320, 256, 5)).save(paths[-1], exif=exif(orientation))
    for path, (line, pixels) in zip(paths, dump("32:32:bicubic:crop:apply:fast", paths)):
        denominator, expected = reference(path, 32, 32, Image.BICUBIC, "apply")
        assert denominator == 4 and line == "ok"
        assert np.abs(pixels.astype(int) - expected).max() <= 1, path.name


def test_grey_and_inks_are_scaled_too(tmp_path):
    paths = []
    for mode in ("L", "CMYK"):
        paths.append(tmp_path / f"{mode}.jpg")
        Image.fromarray(picture(300, 280, 2)).convert(mode).save(paths[-1], quality=92)
    plain = dump("32:32:bicubic:crop:ignore", paths)
    for path, (line, pixels), (_, whole) in zip(
            paths, dump("32:32:bicubic:crop:ignore:fast", paths), plain):
        assert line == "ok" and not np.array_equal(pixels, whole), path.name
        assert np.abs(pixels.astype(int) - whole).mean() < 4, path.name


def test_other_formats_and_small_images_are_as_without(photographs):
    others = [p for p in photographs if not p.name.lower().endswith(("jpg", "jpeg"))]
    small = [p for p in photographs if p.name.lower().endswith(("jpg", "jpeg"))
             and min(Image.open(p).size) < 128]
    assert len(others) > 40 and len(small) > 4
    spec = "32:32:bicubic:crop:ignore"
    for path, (line, pixels), (said, fast) in zip(
            others + small, dump(spec, others + small), dump(f"{spec}:fast", others + small)):
        assert line == said, path
        assert np.array_equal(pixels, fast), path


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_a_damaged_jpeg_is_refused_as_without(tmp_path, options):
    whole = tmp_path / "whole.jpg"
    Image.fromarray(picture(600, 560, 3)).save(whole, quality=90, **options)
    data, paths = whole.read_bytes(), []
    for i in range(1, 48):
        paths.append(tmp_path / f"cut_{i}.jpg")
        paths[-1].write_bytes(data[:len(data) * i // 48])
    paths.append(tmp_path / "no_end.jpg")
    paths[-1].write_bytes(data[:-2])
    random = np.random.RandomState(0)
    for i in range(48):  # a marker in the middle of the pixels
        at = random.randint(len(data) // 4, len(data) - 4)
        paths.append(tmp_path / f"marked_{i}.jpg")
        paths[-1].write_bytes(data[:at] + b"\xff\xc0" + data[at + 2:])
    spec = "32:32:bicubic:crop:ignore"
    plain = [line.split(" ")[0] for line, _ in dump(spec, paths)]
    fast = [line.split(" ")[0] for line, _ in dump(f"{spec}:fast", paths)]
    assert fast == plain
    assert plain[:48] == ["truncated"] * 48 and "damaged" in plain


def cosines(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def vectors(out):
    return np.load(out / "embeddings.npy")


def test_the_drift_of_the_first_images_is_recorded(longhaul, model, tmp_path):
    folder = tmp_path / "images"
    # Two small ones, a PNG and a broken one are not compared; of the others the first 16.
    save(folder, [(12, 12), (13, 14)] + [(300 + i, 250) for i in range(20)])
    Image.fromarray(picture(300, 300, 7)).save(folder / "05_a.png")
    (folder / "04_broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    whole = longhaul("embed", model, folder, "-o", tmp_path / "whole")
    fast = longhaul("embed", model, folder, "-o", tmp_path / "fast", "--fast-decode")
    assert whole.code == fast.code == 3, (whole, fast)
    assert "fast_decode" not in json.loads((tmp_path / "whole/run.json").read_text())
    report = json.loads((tmp_path / "fast/run.json").read_text())
    a, b = vectors(tmp_path / "whole"), vectors(tmp_path / "fast")
    moved = np.flatnonzero((a != b).any(1) & ~np.isnan(a).any(1))
    assert len(moved) == 20
    expected = cosines(a[moved[:16]], b[moved[:16]])
    drift = report["fast_decode"]
    assert drift["compared"] == 16 and 16 < drift["looked_at"] <= 24
    assert drift["least_cosine"] == pytest.approx(expected.min(), abs=1e-6)
    assert drift["mean_cosine"] == pytest.approx(expected.mean(), abs=1e-6)
    assert report["sessions"][0]["preparing"]["scaled"] == 20
    assert report["bits"] == "exact"
    with open(tmp_path / "fast/records.csv", newline="") as file:
        hashes = [row["hash"] for row in csv.DictReader(file)]
    with open(tmp_path / "whole/records.csv", newline="") as file:
        assert hashes == [row["hash"] for row in csv.DictReader(file)]
    said = f"least cosine {drift['least_cosine']:.5f}"
    assert said in fast.err
    assert said in longhaul("inspect", tmp_path / "fast").out
    assert ("moves vectors as far as" in fast.err) == (drift["least_cosine"] < 0.999)


def test_where_nothing_is_scaled_nothing_is_compared(longhaul, model, tmp_path):
    save(tmp_path / "images", [(12, 12), (9, 14)])
    result = longhaul("embed", model, tmp_path / "images", "-o", tmp_path / "out", "--fast-decode")
    assert result.code == 0, result
    drift = json.loads((tmp_path / "out/run.json").read_text())["fast_decode"]
    assert drift == {"compared": 0, "looked_at": 2}
    assert "none of the first 2 records" in longhaul("inspect", tmp_path / "out").out


def test_a_vector_is_a_function_of_the_image_alone(longhaul, model, tmp_path):
    folder = tmp_path / "images"
    save(folder, [(200 + 7 * i, 150 + i) for i in range(11)])
    for name, options in (("a", ()), ("b", ("-b", 1, "--workers", 3)),
                          ("c", ("--window", 3, "--processes", 2))):
        result = longhaul("embed", model, folder, "-o", tmp_path / name, "--fast-decode", *options)
        assert result.code == 0, result
        assert np.array_equal(vectors(tmp_path / name), vectors(tmp_path / "a"))
        report = json.loads((tmp_path / name / "run.json").read_text())
        assert report["fast_decode"]["compared"] == 11 and report["bits"] == "exact"
    again = longhaul("verify", tmp_path / "a", "--recompute", 11)
    assert again.code == 0, again


def test_it_is_part_of_what_an_output_was_made_with(longhaul, model, tmp_path):
    folder, out = tmp_path / "images", tmp_path / "out"
    save(folder, [(200, 150)] * 3)
    assert longhaul("embed", model, folder, "-o", out, "--fast-decode").code == 0
    result = longhaul("embed", model, folder, "-o", out)
    assert result.code == 73 and "fast-decode" in result.err, result
    assert longhaul("embed", model, folder, "-o", out, "--fast-decode").code == 0
    Image.fromarray(picture(300, 200, 8)).save(folder / "zz.jpg")
    before = json.loads((out / "run.json").read_text())["fast_decode"]
    result = longhaul("embed", model, folder, "-o", out, "--fast-decode", "--update")
    assert result.code == 0, result
    assert json.loads((out / "run.json").read_text())["fast_decode"]["compared"] >= before["compared"]
    replayed = longhaul("embed", "--config", out / "run.json", "-o", tmp_path / "replayed")
    assert replayed.code == 0, replayed
    assert np.array_equal(vectors(out), vectors(tmp_path / "replayed"))
