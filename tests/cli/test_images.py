"""The image job from end to end, against the libraries whose users it serves."""

import csv
import json
import os
import shutil
import sys
import tarfile

import numpy as np
import pytest
import torch
from conftest import ROOT, exported
from image_files import picture
from PIL import Image

sys.path.insert(0, str(ROOT / "python"))


@pytest.fixture(scope="module")
def vit():
    return exported("export_openclip.py", "ViT-B-32", name="vit_b_32_random.ts")


@pytest.fixture(scope="module")
def small():
    """A small, quick encoder of random weights."""
    return exported("export_torchvision.py", "timm:test_vit", name="test_vit_random.ts")


@pytest.fixture(scope="module")
def resnet():
    return exported("export_torchvision.py", "resnet50", name="resnet50_random.ts")


@pytest.fixture(scope="module")
def folder(photographs, tmp_path_factory):
    """Photographs of every kind and size; of pictures that differ only in their pixels' packing,
    which test_image_pixels.py has all of, one."""
    path = tmp_path_factory.mktemp("in") / "photographs"
    path.mkdir()
    for file in photographs:
        name = file.name
        again = name.startswith("size_") and name.endswith(".png") and "x2" not in name or \
            name.startswith("exif_") and not name.endswith(".jpg")
        # torchvision would make 90 million pixels of the narrowest.
        if not again and "2x900" not in name:
            (path / name).symlink_to(file)
    return path


# The choice of the fastest kernels is timed, and two runs may choose differently.
KERNELS = ("--cpu-kernels", "mkl")


def read(out):
    with open(out / "records.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file)), np.load(out / "embeddings.npy")


def cosine(a, b):
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def compare(longhaul, model, folder, out, reference, record_property):
    result = longhaul("embed", model, folder, "-o", out, "-q")
    assert result.code == 0, result
    records, vectors = read(out)
    assert [r["id"] for r in records] == sorted(os.listdir(folder))
    assert np.isfinite(vectors).all()
    least, greatest = 1.0, 0.0
    for record, vector in zip(records, vectors):
        expected = reference(Image.open(folder / record["id"]).convert("RGB"))
        least = min(least, cosine(vector.astype(np.float64), expected.astype(np.float64)))
        greatest = max(greatest, float(np.abs(vector - expected).max()))
    said = f"{len(vectors)} images: least cosine {least:.9f}, greatest difference {greatest:.2e}"
    print(said)
    record_property("against_python", said)
    assert least >= 0.99999
    return vectors


def test_clip_vectors_equal_the_open_clip_pipeline(longhaul, vit, folder, tmp_path,
                                                   record_property):
    from longhaul.export import openclip as export_openclip
    model, transform = export_openclip.load("ViT-B-32", None, 0)

    def reference(image):
        with torch.inference_mode():
            return model.encode_image(transform(image)[None], normalize=True)[0].numpy()

    vectors = compare(longhaul, vit, folder, tmp_path / "out", reference, record_property)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_resnet_vectors_equal_the_torchvision_pipeline(longhaul, resnet, folder, tmp_path,
                                                       record_property):
    from longhaul.export import torchvision_models as export_torchvision
    model, _ = export_torchvision.load("resnet50", None, 0)
    transform = export_torchvision.torchvision.models.ResNet50_Weights.DEFAULT.transforms()

    def reference(image):
        with torch.inference_mode():
            return model(transform(image)[None])[0].numpy()

    compare(longhaul, resnet, folder, tmp_path / "out", reference, record_property)


def small_images(folder, count, first=0):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(first, first + count):
        Image.fromarray(picture(60 + i % 7, 50, i)).save(folder / f"{i:03d}.jpg", quality=85)


@pytest.mark.parametrize("encoder, count", [("small", 19), ("resnet", 7)])
def test_no_batch_size_or_thread_changes_the_bits_of_an_image(encoder, count, longhaul, request,
                                                              tmp_path):
    model = request.getfixturevalue(encoder)
    small_images(tmp_path / "images", count)

    def vectors(name, *options):
        result = longhaul("embed", model, tmp_path / "images", "-o", tmp_path / name, "-q",
                          "--cpu-kernels", "onednn", *options)
        assert result.code == 0, result
        return read(tmp_path / name)[1].tobytes()

    usual = vectors("usual")
    assert vectors("alone", "-b", "1") == usual
    assert vectors("uneven", "-b", "6", "-j", "1") == usual
    assert vectors("one_thread", "--threads", "1") == usual


def test_broken_files_are_rejected_and_the_other_rows_keep_their_bits(longhaul, small, tmp_path):
    images = tmp_path / "images"
    small_images(images, 40)
    assert longhaul("embed", small, images, "-o", tmp_path / "whole", "-q", *KERNELS).code == 0
    _, whole = read(tmp_path / "whole")
    data = (images / "007.jpg").read_bytes()
    (images / "007.jpg").write_bytes(data[:len(data) // 2])
    (images / "020.jpg").write_bytes(b"")
    (images / "021.jpg").write_text("no picture")
    (images / "039.jpg").unlink()
    (images / "039.jpg").symlink_to("nowhere")
    result = longhaul("embed", small, images, "-o", tmp_path / "broken", "-q", *KERNELS)
    assert result.code == 3, result
    records, broken = read(tmp_path / "broken")
    with open(tmp_path / "broken/rejects.csv", newline="") as file:
        rejects = {row["id"]: row["reason"] for row in csv.DictReader(file)}
    assert rejects == {"007.jpg": "truncated", "020.jpg": "empty", "021.jpg": "not_an_image",
                       "039.jpg": "unreadable"}
    for i, record in enumerate(records):
        if record["id"] in rejects:
            assert record["status"] == "rejected" and np.isnan(broken[i]).all()
        else:
            assert broken[i].tobytes() == whole[i].tobytes(), record["id"]
    for word in ("truncated", "empty", "not_an_image", "unreadable"):
        assert word in result.err, "the first of each reason is said at once"


def test_an_interrupted_run_goes_on_and_ends_as_if_it_had_not_been(longhaul, small, tmp_path):
    images = tmp_path / "images"
    for sub in ("a", "b/c"):
        small_images(images / sub, 40)
    (images / "a/030.jpg").write_bytes(b"broken")
    options = ("-q", "-b", "4", "--window", "8", "--commit-every", "0", *KERNELS)
    code = longhaul("embed", small, images, "-o", tmp_path / "whole", *options).code
    assert code == 3
    stops = 0
    for _ in range(40):
        # Each session ends as if interrupted after a few batches.
        result = longhaul("embed", small, images, "-o", tmp_path / "parts", *options,
                          "--recycle-every", "7")
        if result.code != 75:
            break
        stops += 1
    assert result.code == 3, result
    if stops == 0:
        sessions = json.load(open(tmp_path / "parts/run.json"))["sessions"]
        assert len(sessions) > 2, "sessions were recycled inside the process"
    for name in ("embeddings.npy", "records.csv", "rejects.csv", "checksums.npy"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert longhaul("verify", tmp_path / "parts").code == 0
    again = longhaul("embed", small, images, "-o", tmp_path / "parts", *options)
    assert again.code == 3, "a finished run does no work"


def test_archives_and_lists_give_the_vectors_of_the_folder(longhaul, small, tmp_path):
    images = tmp_path / "images"
    small_images(images, 20)
    assert longhaul("embed", small, images, "-o", tmp_path / "folder", "-q", *KERNELS).code == 0
    expected_records, expected = read(tmp_path / "folder")
    for form in (tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        archive = tmp_path / f"shard_{form}.tar"
        with tarfile.open(archive, "w", format=form) as tar:
            for path in sorted(images.iterdir()):
                tar.add(path, f"{'d' * 120}/{path.name}")
        out = tmp_path / f"tar_{form}"
        assert longhaul("embed", small, archive, "-o", out, "-q", *KERNELS).code == 0
        records, vectors = read(out)
        assert vectors.tobytes() == expected.tobytes()
        assert records[3]["id"] == "d" * 120 + "/003.jpg"
        assert [r["hash"] for r in records] == [r["hash"] for r in expected_records]
    listing = tmp_path / "list.csv"
    with open(listing, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label"])
        for path in sorted(images.iterdir()):
            writer.writerow([path, f"{path.stem}, as listed"])
    result = longhaul("embed", small, "--files-from", listing, "--keep-column", "label",
                      "-o", tmp_path / "list", "-q", *KERNELS)
    assert result.code == 0, result
    records, vectors = read(tmp_path / "list")
    assert vectors.tobytes() == expected.tobytes()
    assert records[3]["label"] == "003, as listed"


def test_two_folders_with_the_same_names_are_told_apart(longhaul, small, tmp_path):
    small_images(tmp_path / "one", 3)
    small_images(tmp_path / "two", 3, first=2)
    result = longhaul("embed", small, tmp_path / "one", tmp_path / "two", "-o", tmp_path / "out",
                      "-q")
    assert result.code == 0, result
    records, _ = read(tmp_path / "out")
    keys = [(r["source"], r["id"]) for r in records]
    assert len(set(keys)) == 6 and len({r["id"] for r in records}) == 5


def test_odd_names_are_escaped_in_the_csv(longhaul, small, tmp_path):
    images = tmp_path / "images"
    small_images(images, 1)
    data = (images / "000.jpg").read_bytes()
    odd = [b"new\nline.jpg", b"comma, \"quote\".jpg", b"\xff\xfe.jpg", b"n" * 251 + b".jpg"]
    for name in odd:
        with open(os.path.join(os.fsencode(images), name), "wb") as file:
            file.write(data)
    result = longhaul("embed", small, images, "-o", tmp_path / "out", "-q")
    assert result.code == 0, result
    records, _ = read(tmp_path / "out")
    ids = {r["id"] for r in records}
    assert ids == {"000.jpg", "new\nline.jpg", 'comma, "quote".jpg', "\\xff\\xfe.jpg",
                   "n" * 251 + ".jpg"}


@pytest.mark.parametrize("sessions", ["one session", "many sessions"])
@pytest.mark.parametrize("kind", ["exact", "dhash"])
def test_duplicates_are_skipped_and_name_their_first(longhaul, small, tmp_path, kind, sessions):
    images = tmp_path / "images"
    small_images(images, 30)
    shutil.copy(images / "003.jpg", images / "003_again.jpg")
    shutil.copy(images / "003.jpg", images / "029_far.jpg")
    # Looks the same, with other bytes.
    Image.open(images / "005.jpg").save(images / "028_alike.png")
    options = ["-q", "-b", "4", "--window", "4", "--commit-every", "0",
               "--skip-duplicates", kind]
    if sessions == "many sessions":
        options += ["--recycle-every", "2"]
    out = tmp_path / "out"
    for _ in range(30):
        result = longhaul("embed", small, images, "-o", out, *options)
        if result.code != 75:
            break
    assert result.code == 0, result
    records, vectors = read(out)
    row = {r["id"]: int(r["row"]) for r in records}
    duplicates = {r["id"]: int(r["duplicate_of"]) for r in records if r["status"] == "duplicate"}
    expected = {"003_again.jpg": row["003.jpg"], "029_far.jpg": row["003.jpg"]}
    if kind == "dhash":
        expected["028_alike.png"] = row["005.jpg"]
    assert duplicates == expected
    for name, first in expected.items():
        if kind == "exact":
            assert vectors[row[name]].tobytes() == vectors[first].tobytes()
        else:
            assert np.isnan(vectors[row[name]]).all()
    ok = [r["status"] == "ok" for r in records]
    assert np.isfinite(vectors[ok]).all()
    assert longhaul("verify", out).code == 0
    session = json.load(open(out / "run.json"))["sessions"][-1]
    assert session["duplicates"]["remembered"] == sum(ok)


def test_run_json_splits_the_time_and_says_what_decoded(longhaul, small, tmp_path):
    small_images(tmp_path / "images", 10)
    assert longhaul("embed", small, tmp_path / "images", "-o", tmp_path / "out", "-q",
                    "-j", "2").code == 0
    session = json.load(open(tmp_path / "out/run.json"))["sessions"][-1]
    assert session["preparing"]["images"] == 10 and session["preparing"]["workers"] == 2
    assert session["preparing"]["seconds_decoding"] > 0
    assert session["timings"]["seconds_encoding"] > 0


def test_images_for_a_sequence_flag_are_refused(longhaul, small, tmp_path):
    small_images(tmp_path / "images", 1)
    result = longhaul("embed", small, tmp_path / "images", "-o", tmp_path / "out",
                      "--keep-column", "label")
    assert result.code == 2 and "--files-from" in result.err
    result = longhaul("embed", small, tmp_path / "absent", "-o", tmp_path / "out")
    assert result.code == 74 and "absent" in result.err
