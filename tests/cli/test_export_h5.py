"""`longhaul export --to h5`: what h5py reads, as users of bio_embeddings and UniProt do, is what the
output holds."""

import json
import random
import signal
import subprocess
import time

import h5py
import numpy as np
import pandas as pd
import pytest

from fake_run import LONG, Job, records_of, strace
from measured import run_measured


@pytest.fixture(scope="module")
def job(longhaul_fake, tmp_path_factory):
    """A finished output with a layer, tokens, kept columns, rejects, and names that are folders."""
    made = Job(longhaul_fake, tmp_path_factory.mktemp("h5"), 700, layers=["early"], tokens=True)
    lines = made.input.read_text().splitlines()
    lines = [line + (",kept,row,original_id,a/b" if row == 0 else f",ü {row},r,o{row},s{row}")
             for row, line in enumerate(lines)]
    lines.append("HLA/A*02/01,ACDEFGHIKL,slash,r,o,s")
    lines.append(".,ACDEFGHIKLM,dot,r,o,s")
    made.input.write_text("\n".join(lines) + "\n")
    for column in ["kept", "row", "original_id", "a/b"]:
        made.options += ["--keep-column", column]
    made.out = made.folder / "out"
    made.finish(made.out)
    return made


def export(program, out, file, *more, code=0):
    result = program("export", out, "--to", "h5", "-o", file, *more)
    assert result.code == code, result
    return result


def residues_of(out, row):
    offsets = np.load(out / "token_offsets.npy")
    return np.load(out / "tokens.npy", mmap_mode="r")[offsets[row]:offsets[row + 1]]


@pytest.mark.parametrize("array, file_of", [(None, "embeddings.npy"), ("vector", "embeddings.npy"),
                                            ("vector.early", "embeddings.early.npy")])
def test_a_dataset_for_each_record(longhaul_fake, job, folder, array, file_of):
    result = export(longhaul_fake, job.out, folder / "per-protein.h5",
                    *(["--array", array] if array else []))
    assert "rejected (--all has them)" in result.err
    assert "not in it: " in result.err and "tokens (--array exports another)" in result.err
    records = records_of(job.out)
    ok = records[records.status == "ok"]
    stored = np.load(job.out / file_of)
    with h5py.File(folder / "per-protein.h5") as file:
        # As UniProt's and bio_embeddings' users read such files.
        found = {}
        for sequence_id, embedding in file.items():
            assert embedding.shape == (16,) and embedding.dtype == np.float32
            found[embedding.attrs["original_id"]] = np.array(embedding)
        assert list(found) == list(ok.id)  # in the order of the rows
        for row, record in ok.iterrows():
            assert np.array_equal(found[record.id], stored[row])
            if record.id.isalnum():
                assert np.array_equal(file[record.id][:], stored[row])
            attributes = file[record.id.replace("/", "%2F") if record.id != "." else "%2E"].attrs
            assert set(attributes) == {"original_id", "row", "kept", "input.row",
                                       "input.original_id", "a/b"}
            assert attributes["row"] == row and attributes["kept"] == record.kept
            assert attributes["input.row"] == "r" and attributes["a/b"] == record["a/b"]
            assert attributes["input.original_id"] == record.original_id
        assert file.attrs["array"] == (array or "vector")
        run = json.loads((job.out / "run.json").read_text())
        kept = json.loads(file.attrs["longhaul"])
        for field in ["model", "fingerprint", "settings", "bits", "counts"]:
            assert kept[field] == run[field]
        assert "golden" not in kept["card"]


def test_residues_are_datasets_of_their_own_file(longhaul_fake, job, folder):
    result = export(longhaul_fake, job.out, folder / "per-residue.h5", "--array", "tokens")
    assert "not in it: vector, vector.early" in result.err
    records = records_of(job.out)
    ok = records[records.status == "ok"]
    with h5py.File(folder / "per-residue.h5") as file:
        assert len(file) == len(ok) and file.attrs["array"] == "tokens"
        for (row, record), (name, embedding) in zip(ok.iterrows(), file.items()):
            assert embedding.attrs["original_id"] == record.id
            assert embedding.shape == (record.length, 16)
            assert np.array_equal(embedding[:], residues_of(job.out, row))


def test_a_slash_makes_no_folder(longhaul_fake, job, folder):
    result = export(longhaul_fake, job.out, folder / "t.h5")
    assert "2 ids have a / or are a dot" in result.err, result
    with h5py.File(folder / "t.h5") as file:
        assert all(isinstance(one, h5py.Dataset) for one in file.values())
        assert file["HLA%2FA*02%2F01"].attrs["original_id"] == "HLA/A*02/01"
        assert file["%2E"].attrs["original_id"] == "."


def test_named_by_hash(longhaul_fake, job, folder):
    export(longhaul_fake, job.out, folder / "t.h5", "--key", "hash")
    records = records_of(job.out)
    ok = records[records.status == "ok"]
    with h5py.File(folder / "t.h5") as file:
        assert list(file) == list(ok.hash)
        assert [one.attrs["original_id"] for one in file.values()] == list(ok.id)


def test_all_rows_those_without_a_vector_as_nothing(longhaul_fake, job, folder):
    result = export(longhaul_fake, job.out, folder / "t.h5", "--all", "--json")
    records = records_of(job.out)
    summary = json.loads(result.out)
    assert summary["rows"] == len(records)
    assert summary["left_out"]["arrays"] == ["vector.early", "tokens"]
    stored = np.load(job.out / "embeddings.npy")
    with h5py.File(folder / "t.h5") as file:
        assert len(file) == len(records)
        for (row, record), dataset in zip(records.iterrows(), file.values()):
            assert dataset.attrs["original_id"] == record.id
            assert dataset.attrs["status"] == record.status
            if record.status == "ok":
                assert np.array_equal(dataset[:], stored[row])
            else:
                assert dataset[()] == h5py.Empty("f4")


@pytest.mark.parametrize("every", [False, True])
def test_one_matrix_with_its_columns(longhaul_fake, job, folder, every):
    result = export(longhaul_fake, job.out, folder / "t.h5", "--layout", "matrix",
                    *(["--all"] if every else []))
    assert "not in it" not in result.err and "%2F" not in result.err
    records = records_of(job.out)
    wanted = records if every else records[records.status == "ok"]
    rows = wanted.index.to_numpy()
    with h5py.File(folder / "t.h5") as file:
        for name, stored in (("vector", "embeddings.npy"), ("vector.early", "embeddings.early.npy")):
            assert file[name].dtype == np.float32
            assert np.array_equal(file[name][:], np.load(job.out / stored)[rows], equal_nan=True)
        tokens, offsets = file["tokens"], file["token_offsets"][:]
        assert offsets.dtype == np.int64 and len(offsets) == len(wanted) + 1
        assert offsets[0] == 0 and offsets[-1] == len(tokens)
        for at, row in enumerate(rows):
            part = tokens[offsets[at]:offsets[at + 1]]
            if records.status[row] == "ok":
                assert np.array_equal(part, residues_of(job.out, row))
            else:
                assert len(part) == 0
        for name in ["row", "length", "substituted"]:
            assert file[name].dtype == np.int64 and list(file[name][:]) == list(wanted[name])
        assert set(file["duplicate_of"][:]) == {-1}
        assert file["truncated"].dtype == bool and not file["truncated"][:].any()
        for name, column in [("id", "id"), ("source", "source"), ("status", "status"),
                             ("hash", "hash"), ("kept", "kept"), ("input.row", "input.row"),
                             ("original_id", "original_id"), ("a%2Fb", "a/b")]:
            assert list(file[name].asstr()[:]) == list(wanted[column]), name
        assert json.loads(file.attrs["longhaul"])["bits"]


def test_an_array_of_a_parquet_table(longhaul_fake, job, folder):
    result = longhaul_fake("export", job.out, "--to", "parquet", "-o", folder / "t.parquet",
                           "--array", "vector.early")
    assert result.code == 0 and "not in it: vector, tokens" in result.err
    frame = pd.read_parquet(folder / "t.parquet")
    assert "vector" not in frame and "tokens" not in frame and "input.vector.early" not in frame
    ok = records_of(job.out).status == "ok"
    stored = np.load(job.out / "embeddings.early.npy")[ok]
    assert np.array_equal(np.stack(list(frame["vector.early"])), stored)


def test_more_rows_than_a_chunk_holds(longhaul_fake, folder):
    job = Job(longhaul_fake, folder, 3000, window=1024, commit_every="5s", dimension=300)
    lines = job.input.read_text().splitlines()
    job.input.write_text("\n".join(line + (",kept" if row == 0 else f",{'x' * (row % 3000)}")
                                   for row, line in enumerate(lines)) + "\n")
    job.options += ["--keep-column", "kept"]
    job.finish(folder / "out")
    export(longhaul_fake, folder / "out", folder / "t.h5", "--layout", "matrix", "--all")
    records = records_of(folder / "out")
    with h5py.File(folder / "t.h5") as file:
        assert file["vector"].chunks is not None
        assert np.array_equal(file["vector"][:], np.load(folder / "out/embeddings.npy"),
                              equal_nan=True)
        assert list(file["kept"].asstr()[:]) == list(records.kept)
        assert list(file["id"].asstr()[:]) == list(records.id)


def test_a_name_twice_is_refused_before_anything_is_written(longhaul_fake, tmp_path):
    (tmp_path / "m.json").write_text('{"fake": true}')
    (tmp_path / "in.csv").write_text("id,sequence\na/b,ACDEF\nc,MKLV\na%2Fb,GGHIK\nc,?\nd,MKLV\n")
    out = tmp_path / "out"
    assert longhaul_fake("embed", tmp_path / "m.json", tmp_path / "in.csv", "-o", out).code == 3
    left = sorted(tmp_path.iterdir())
    told = export(longhaul_fake, out, tmp_path / "t.h5", code=65).err
    assert "the dataset a%2Fb would be that of rows 0 and 2" in told
    assert "--layout matrix" in told
    told = export(longhaul_fake, out, tmp_path / "t.h5", "--key", "hash", code=65).err
    assert "rows 1 and 4" in told
    assert sorted(tmp_path.iterdir()) == left
    export(longhaul_fake, out, tmp_path / "t.h5", "--layout", "matrix")
    with h5py.File(tmp_path / "t.h5") as file:
        assert list(file["id"].asstr()[:]) == ["a/b", "c", "a%2Fb", "d"]


def test_half_precision_an_empty_output_and_parts(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 50)
    out = tmp_path / "out"
    job.finish(out, "--output-dtype", "fp16")
    export(longhaul_fake, out, tmp_path / "parts", "--rows-per-file", 20)
    stored = np.load(out / "embeddings.npy")
    parts = sorted((tmp_path / "parts").iterdir())
    assert [part.name for part in parts][0] == "part-00000.h5"
    seen = 0
    for part in parts:
        with h5py.File(part) as file:
            assert len(file) <= 20
            for dataset in file.values():
                assert np.array_equal(dataset[:], stored[dataset.attrs["row"]].astype(np.float32))
                seen += 1
    assert seen == (records_of(out).status == "ok").sum()

    empty = Job(longhaul_fake, tmp_path, 2)
    assert longhaul_fake(*empty.arguments(tmp_path / "none", "--shard", "2/2")).code == 0
    for layout in ("records", "matrix"):
        export(longhaul_fake, tmp_path / "none/shards/2-of-2", tmp_path / f"{layout}.h5",
               "--layout", layout)
        with h5py.File(tmp_path / f"{layout}.h5") as file:
            assert len(file) == 0 if layout == "records" else file["vector"].shape == (0, 16)


@pytest.mark.parametrize("layout", ["records", "matrix"])
def test_killed_at_any_moment_the_same_command_succeeds(longhaul_fake, folder, layout):
    job = Job(longhaul_fake, folder, 3000, window=4096, commit_every="5s", dimension=512)
    out, file = folder / "out", folder / "t.h5"
    job.finish(out)
    command = [longhaul_fake.path, "export", out, "--to", "h5", "-o", file, "--layout", layout]
    started = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    seconds = time.monotonic() - started
    expected = file.read_bytes()
    file.unlink()
    killed = 0
    chance = random.Random(5)
    for _ in range(30 if LONG else 8):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0, seconds))
        process.send_signal(signal.SIGKILL)
        if process.wait() == -signal.SIGKILL and not file.exists():
            killed += 1
        if file.exists():
            assert file.read_bytes() == expected
            file.unlink()
    assert killed > 0
    subprocess.run(command, check=True, capture_output=True)
    assert file.read_bytes() == expected
    assert not (folder / "t.h5.longhaul-export").exists()


@pytest.mark.parametrize("layout", ["records", "matrix"])
def test_a_signal_and_a_full_disk_leave_nothing_behind(longhaul_fake, needs_strace, job, folder,
                                                      layout):
    command = [longhaul_fake.path, "export", job.out, "--to", "h5", "-o", folder / "t.h5",
               "--layout", layout]
    for fault, code, words in (("signal=TERM:when=2", 75, "the same command begins it again"),
                               ("error=ENOSPC:when=2", 74, "free"),
                               ("error=ENOSPC:when=6", 74, "free")):
        done = subprocess.run([*strace(folder / "log", "pwrite64", fault), *command],
                              capture_output=True, text=True)
        assert done.returncode == code and words in done.stderr, done
        assert "t.h5" in done.stderr.splitlines()[-1]
        assert [p.name for p in folder.iterdir()] == ["log"]
    export(longhaul_fake, job.out, folder / "t.h5", "--layout", layout)


@pytest.mark.skipif(not LONG, reason="--long: writes 4 GB")
@pytest.mark.parametrize("layout", ["records", "matrix"])
def test_memory_is_flat(longhaul_fake, tmp_path, layout):
    job = Job(longhaul_fake, tmp_path, 500_000, window=4096, commit_every="5s", dimension=512)
    job.options[job.options.index("--batch-size") + 1] = 512
    out = tmp_path / "out"
    job.finish(out)
    done = run_measured(longhaul_fake.path, "export", out, "--to", "h5", "-o", tmp_path / "t.h5",
                        "--layout", layout)
    print(done)
    assert done.code == 0 and 0 < done.peak_rss < 300e6, done
    assert ("datasets in a file are slow" in done.err) == (layout == "records")
    with h5py.File(tmp_path / "t.h5") as file:
        assert len(file if layout == "records" else file["id"]) > 400_000
