"""A remedy is a promise: messages about images, Parquet and compressed inputs, followed."""

import bz2
import gzip
import os
import resource
import subprocess
import tarfile

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from conftest import clean_environment
from image_files import picture
from PIL import Image
from tiny_encoder import write_tiny_encoder

from remedies import Trial, cannot_follow, follows

INPUT = "lib/input/"
OUTCOME = "lib/domain/outcome.cpp"
TABLE = "id,sequence\na,ACDEF\nb,MKLV\n"


@pytest.fixture
def t(longhaul_fake, tmp_path):
    return Trial(longhaul_fake, tmp_path)


@pytest.fixture
def i(longhaul, tiny_image_model, tmp_path):
    """A trial with an image model and a folder of three images."""
    trial = Trial(longhaul, tmp_path)
    trial.model, trial.input = tiny_image_model, tmp_path / "images"
    trial.input.mkdir()
    for n in range(3):
        save(trial.input / f"{n}.jpg", n)
    return trial


def save(path, seed=0, **options):
    Image.fromarray(picture(60, 50, seed)).save(path, **options)
    return path


def parquet(path, **columns):
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


def sequences(t, name, content):
    t.input = t.write(name, content)


@follows("lib/arrow/decompress.cpp", " (compressed): damaged, ")
@pytest.mark.parametrize("name, pack", [("in.csv.gz", gzip.compress), ("in.csv.bz2", bz2.compress)])
def test_damaged_compression(t, name, pack):
    whole = pack(TABLE.encode())
    sequences(t, name, whole[:len(whole) - 12])
    t.fails(65, "get the file again", *t.embed())
    sequences(t, name, whole)
    t.works(*t.embed("--overwrite"))
    assert len(t.vectors()) == 2


@follows("lib/arrow/parquet_reader.cpp", "cannot be read as Parquet", ", not text")
def test_parquet(t):
    t.input = parquet(t.folder / "in.parquet", sequence=[1, 2], peptide=["ACDEF", "MKLV"])
    t.fails(65, "name another with --sequence-column", *t.embed())
    t.works(*t.embed("--sequence-column", "peptide"))
    whole = t.input.read_bytes()
    t.input.write_bytes(whole[:len(whole) // 2])
    again = t.embed("--overwrite", "--sequence-column", "peptide")
    t.fails(65, "check that it was written completely", *again)
    t.input.write_bytes(whole)
    t.works(*again)
    assert len(t.vectors()) == 2


@follows(INPUT + "input_list.cpp", "is a stream, and Parquet is read from files",
         "is Parquet, which has no lines to skip")
@follows(INPUT + "sequence_reader.cpp", "is a stream, and Parquet is read from files")
@pytest.mark.parametrize("flags", [[], ["--format", "parquet"]])
def test_parquet_streams(t, flags):
    bytes_of = parquet(t.folder / "in.parquet", sequence=["ACDEF", "MKLV"]).read_bytes()
    result = t.program("embed", t.model, "-", "-o", t.out, *flags, stdin=bytes_of, cwd=t.folder)
    assert result.code == 2 and result.err.rstrip().endswith(b"; save it as a file first"), result
    sequences(t, "saved.parquet", bytes_of)
    t.fails(2, "leave it out" if flags else "leave out --skip-lines",
            *t.embed("--skip-lines", 1, *flags))
    t.works(*t.embed(*flags))
    assert len(t.vectors()) == 2


@follows(INPUT + "line_scanner.cpp", ", byte 0: ", "is binary, not text")
@pytest.mark.parametrize("content, remedy", [
    (b"PK\x03\x04 and more", "unzip it, or save the spreadsheet as CSV"),
    (b"7z\xbc\xaf\x27\x1c and more", "unpack it first"),
    (b"\xff\xfe" + TABLE.encode("utf-16-le"), "iconv -f UTF-16 -t UTF-8"),
    (b"\xfe\xff" + TABLE.encode("utf-16-be"), "iconv -f UTF-16 -t UTF-8"),
    (b"id,sequence\na,A\0CDEF\n", "check that it is the right file"),
])
def test_what_is_no_text(t, content, remedy):
    sequences(t, "in.csv", content)
    t.fails(65, remedy, *t.embed())
    sequences(t, "in.csv", content.decode("utf-16") if "UTF-8" in remedy else TABLE)
    t.works(*t.embed())
    assert len(t.vectors()) == 2


@follows(INPUT + "image_reader.cpp", "is a file of sequences", "is of sequences")
def test_sequences_for_a_model_of_images(i):
    i.write("in.csv", TABLE)
    images, i.input = i.input, i.folder / "in.csv"
    assert "this model takes images" in i.fails(65, "give folders, .tar archives or image files",
                                                *i.embed())
    i.write("list.csv", "path\nimages/0.jpg\n")
    i.works("embed", i.model, "--files-from", i.folder / "list.csv", "-o", i.folder / "listed", "-q")
    i.input = images
    i.fails(2, "leave out --format", *i.embed("--format", "csv"))
    i.works(*i.embed())


def test_parquet_by_another_name(t):
    t.input = parquet(t.folder / "in.csv", sequence=["ACDEF", "MKLV"])
    t.fails(65, "use --format parquet", *t.embed())
    t.works(*t.embed("--format", "parquet"))


def test_a_compressed_list(t):
    packed = t.write("list.txt", gzip.compress(b"in.csv\n"))
    listed = ["embed", t.model, "--files-from", packed, "-o", t.out]
    t.fails(65, "decompress it first", *listed)
    t.write("list.txt", gzip.decompress(packed.read_bytes()))
    t.works(*listed)


@follows(INPUT + "sequence_reader.cpp", "cannot be told by its name or its first line",
         "which has no delimiter")
def test_formats(t):
    sequences(t, "in.txt", "name;peptide\na;ACDEF\nb;MKLV\n")
    t.fails(2, "say --format fasta, csv, tsv, jsonl or parquet", *t.embed())
    t.fails(65, "name it with --sequence-column", *t.embed("--format", "csv"))
    t.works(*t.embed("--format", "csv", "--sequence-column", "peptide"))
    sequences(t, "in.fasta", ">a\nACDEF\n")
    t.fails(2, "leave out --delimiter", *t.embed("--overwrite", "--delimiter", ";"))
    t.works(*t.embed("--overwrite"))


@follows(INPUT + "source_content.cpp", "is compressed with xz")
def test_xz(t):
    sequences(t, "in.csv", TABLE)
    subprocess.run(["xz", t.input], check=True)
    t.input = t.folder / "in.csv.xz"
    line = t.fails(65, "pipe it: xz -dc ", *t.embed())
    command = line.split("pipe it: ")[1].replace("MODEL", str(t.model)).replace("OUT", str(t.out))
    command = command.replace("longhaul embed", f"{t.program.path} embed")
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=t.folder,
                          capture_output=True, env=clean_environment())
    assert done.returncode == 0, (command, done)
    assert len(t.vectors()) == 2


@follows(INPUT + "source_content.cpp", "times over")
def test_compressed_over_and_over(t):
    packed = TABLE.encode()
    for _ in range(5):
        packed = gzip.compress(packed)
    sequences(t, "in.csv.gz", packed)
    t.fails(65, "decompress it first", *t.embed())
    sequences(t, "in.csv.gz", gzip.decompress(packed))
    t.works(*t.embed())
    assert len(t.vectors()) == 2


@follows(INPUT + "delimiter.cpp", "its header line can be separated by")
def test_delimiters(t):
    sequences(t, "in.csv", "sequence;n|sequence\nACDEF;1|MK\n")
    t.fails(2, "say which with --delimiter", *t.embed())
    t.works(*t.embed("--delimiter", ";"))
    t.works(*t.embed("--delimiter", "|", "--overwrite"))


@follows(INPUT + "image_reader.cpp", "images cannot be read from standard input", "cannot open",
         "is a compressed archive", "--keep-column has nothing to keep of")
def test_image_inputs(i):
    folder = i.input
    i.input = "-"
    i.fails(2, "give folders, .tar archives or image files, or a list with --files-from",
            *i.embed())
    i.input = i.folder / "none"
    i.fails(74, "check the path", *i.embed())
    i.input = folder
    i.works(*i.embed())
    i.fails(2, "list the images in a CSV file with a path column and give it with --files-from",
            *i.embed("--overwrite", "--keep-column", "kind"))
    listed = i.write("list.csv", "path,kind\nimages/0.jpg,cat\nimages/1.jpg,dog\n")
    i.works("embed", i.model, "--files-from", listed, "-o", i.out, "--overwrite", "--keep-column",
            "kind")
    assert "cat" in (i.out / "records.csv").read_text()
    i.input = i.folder / "images.tar.gz"
    with tarfile.open(i.input, "w:gz") as archive:
        archive.add(folder, "images")
    i.fails(2, "decompress it to .tar: images are read from where they are in it",
            *i.embed("--overwrite"))
    i.input = i.write("images.tar", gzip.decompress(i.input.read_bytes()))
    i.works(*i.embed("--overwrite"))
    assert len(i.vectors()) == 3


@follows(INPUT + "image_reader.cpp", " holds no images")
def test_no_images(i):
    for image in sorted(i.input.iterdir()):
        image.rename(image.with_suffix(".photo"))
    remedy = "a list given with --files-from may name any file"
    i.fails(65, remedy, *i.embed())
    listed = i.write("list.txt", "")
    i.fails(65, remedy, "embed", i.model, "--files-from", listed, "-o", i.out)
    i.write("list.txt", "images/0.photo\nimages/1.photo\n")
    i.works("embed", i.model, "--files-from", listed, "-o", i.out)
    (i.input / "0.photo").rename(i.input / "0.jpeg")
    i.works(*i.embed("--overwrite"))
    assert len(i.vectors()) == 1


@follows(INPUT + "tar_archive.cpp", "is not a tar archive")
@pytest.mark.parametrize("unpacked", [False, True])
def test_no_tar(i, unpacked):
    folder, i.input = i.input, i.folder / "images.tar"
    with tarfile.open(i.input, "w:gz") as archive:
        archive.add(folder, "images")
    i.fails(65, "give an uncompressed .tar file, or unpack it and give the folder", *i.embed())
    if unpacked:
        with tarfile.open(i.input) as archive:
            archive.extractall(i.folder / "new", filter="data")
        i.input = i.folder / "new"
    else:
        i.input.write_bytes(gzip.decompress(i.input.read_bytes()))
    i.works(*i.embed())
    assert len(i.vectors()) == 3


@follows(INPUT + "image_folder.cpp", "the folder ")
def test_a_folder_whose_path_is_too_long(i):
    i.input = "./" * 2044 + "/images"
    assert len(i.input) == os.pathconf("/", "PC_PATH_MAX") - 1
    i.fails(74, "check the path and its permissions", *i.embed())
    i.input = "images"
    i.works(*i.embed())


def extra_bytes(path):
    data = save(path).read_bytes()
    path.write_bytes(data[:-2] + b"extra bytes" * 4 + data[-2:])


def cut(path):
    data = save(path).read_bytes()
    path.write_bytes(data[:len(data) // 2])


def opened_and_saved(path):
    with Image.open(path) as image:
        image.convert("RGB").save(path.with_suffix(".png"))
    path.unlink()


@follows(OUTCOME, "Reason::kTruncated", "Reason::kDamaged", "Reason::kNotAnImage",
         "Reason::kTooManyPixels", "Reason::kUnsupported")
@pytest.mark.parametrize("remedy, spoil, follow, count, flags", [
    ("get the whole file: its end is missing", cut, save, 4, []),
    ("restore the file from a copy, or", extra_bytes, save, 4, []),
    ("if it opens elsewhere, save it anew as PNG", extra_bytes, opened_and_saved, 4, []),
    ("remove the file or", lambda path: path.write_text("a note\n" * 9), os.unlink, 3, []),
    ("with a higher --max-pixels",
     lambda path: Image.new("RGB", (80, 80)).save(path), lambda path: None, 4,
     ["--max-pixels", 6400]),
    ("convert the file to PNG or JPEG",
     lambda path: Image.fromarray(picture(60, 50, 1)).save(path, "JPEG2000"), opened_and_saved, 4,
     []),
])
def test_rejected_images(i, remedy, spoil, follow, count, flags):
    spoil(i.input / "3.jpg")
    at_first = ["--max-pixels", 3000] if flags else []
    result = i.works("embed", i.model, i.input, "-o", i.out, *at_first, code=3)
    assert remedy in result.err and "rejected as" in result.err, result
    follow(i.input / "3.jpg")
    i.works(*i.embed("--overwrite", *flags))
    assert len(i.vectors()) == count and np.isfinite(i.vectors()).all()


def test_images_listed_instead(i):
    i.write("images/note.jpg", "a note\n" * 9)
    result = i.works("embed", i.model, i.input, "-o", i.out, code=3)
    assert "remove the file or list images with --files-from" in result.err
    listed = i.write("list.txt", "".join(f"images/{n}.jpg\n" for n in range(3)))
    i.works("embed", i.model, "--files-from", listed, "-o", i.out, "--overwrite")


@follows("lib/vision/fit.cpp", "image.antialias is false")
def test_a_card_without_antialias(i):
    good, i.model = i.model, write_tiny_encoder(i.folder / "plain.ts", antialias=False)
    i.fails(65, "export the model with antialias true", *i.embed())
    write_tiny_encoder(i.model, antialias=True)
    i.works(*i.embed())
    vectors, i.model = i.vectors(), good
    i.works(*i.embed("--overwrite"))
    assert np.allclose(i.vectors(), vectors, atol=1e-6)


@follows("lib/vision/image_bytes.cpp", "cannot open an image")
def test_too_few_open_files(i):
    """The least limit under which the output still opens is too little for the images."""
    def embed(limit, out):
        return subprocess.run(
            [i.program.path, "embed", i.model, i.input, "-o", i.folder / out, "-q", "-j", "4"],
            capture_output=True, text=True, env=clean_environment(),
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, 256)))

    for limit in range(7, 20):
        done = embed(limit, f"out{limit}")
        if "cannot open an image" in done.stderr or done.returncode == 0:
            break
    assert done.returncode == 74, done
    assert done.stderr.rstrip().endswith(
        "; raise the limit of open files (ulimit -n)"), done
    done = embed(200, f"out{limit}")
    assert done.returncode == 0, done


for message in ("image.interpolation", "is smaller than image.size"):
    cannot_follow("lib/vision/fit.cpp", message, "a card that says so is refused before: card.cpp")
cannot_follow(INPUT + "tar_archive.cpp", "cannot read", "a disk that fails under an archive")
