"""`longhaul export`: what other programs read is what the output holds."""

import json
import random
import signal
import subprocess
import time

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from fake_run import LONG, Job, records_of, strace
from measured import run_measured


@pytest.fixture(scope="module")
def job(longhaul_fake, tmp_path_factory):
    """A finished output with a layer, tokens, kept columns, and rejects."""
    made = Job(longhaul_fake, tmp_path_factory.mktemp("export"), 700, layers=["early"],
               tokens=True)
    lines = made.input.read_text().splitlines()
    made.input.write_text("\n".join(
        line + (",kept,vector" if row == 0 else f",\"a, {row} ü\",v{row}")
        for row, line in enumerate(lines)) + "\n")
    made.options += ["--keep-column", "kept", "--keep-column", "vector"]
    made.out = made.folder / "out"
    made.finish(made.out)
    return made


def export(program, out, file, *more, code=0):
    result = program("export", out, "--to", "parquet", "-o", file, *more)
    assert result.code == code, result
    return result


def check_vectors(found, stored):
    assert np.array_equal(np.stack([np.asarray(v) for v in found]), stored)


@pytest.mark.parametrize("every", [False, True])
def test_pandas_polars_and_duckdb_read_the_same_numbers(longhaul_fake, job, folder, every):
    file = folder / "table.parquet"
    result = export(longhaul_fake, job.out, file, *(["--all"] if every else []))
    records = records_of(job.out)
    ok = (records.status == "ok").to_numpy()
    wanted = records if every else records[ok]
    assert ("without a vector" if every else "rejected") in result.err
    assert 0 < (~ok).sum() < 200

    frame = pd.read_parquet(file)
    assert list(frame.row) == list(wanted.row) and list(frame.id) == list(wanted.id)
    for name in ["source", "status", "length", "truncated", "substituted", "hash", "kept"]:
        assert list(frame[name]) == list(wanted[name]), name
    assert list(frame["input.vector"]) == list(wanted["vector"])
    there = frame[frame.vector.notna()]
    assert list(there.row) == list(records[ok].row)
    vectors = np.load(job.out / "embeddings.npy")[ok]
    check_vectors(there.vector, vectors)
    check_vectors(there["vector.early"], np.load(job.out / "embeddings.early.npy")[ok])
    tokens = np.load(job.out / "tokens.npy")
    offsets = np.load(job.out / "token_offsets.npy")
    for row, found in zip(there.row, there.tokens):
        assert np.array_equal(np.stack(list(found)), tokens[offsets[row]:offsets[row + 1]])

    polars = pl.read_parquet(file)
    assert polars.schema["vector"] == pl.List(pl.Float32)
    check_vectors(polars.filter(pl.col("vector").is_not_null())["vector"].to_list(), vectors)
    assert polars["id"].to_list() == list(wanted.id)

    query = duckdb.sql(f"select id, vector, kept from '{file}' where vector is not null "
                       "order by row").fetchall()
    check_vectors([vector for _, vector, _ in query], vectors)
    assert [i for i, _, _ in query] == list(records[ok].id)


def test_lancedb_reads_it_row_group_by_row_group(longhaul_fake, job, folder):
    lancedb = pytest.importorskip("lancedb")
    file = folder / "table.parquet"
    export(longhaul_fake, job.out, file)
    records = records_of(job.out)
    ok = (records.status == "ok").to_numpy()
    vectors = np.load(job.out / "embeddings.npy")[ok]
    # It takes no name with a dot, as those of layers and of input.NAME.
    parts = pq.ParquetFile(file).iter_batches(100, columns=["row", "id", "status", "vector"])
    table = lancedb.connect(folder / "lance").create_table("vectors", data=parts)
    found = table.to_pandas()
    assert list(found.row) == list(records.row[ok]) and list(found.id) == list(records.id[ok])
    check_vectors(found.vector, vectors)
    nearest = table.search(vectors[5]).limit(1).to_list()
    assert nearest[0]["row"] == records.row[ok].iloc[5] and nearest[0]["_distance"] == 0


def test_model_and_settings_are_in_the_file(longhaul_fake, job, folder):
    file = folder / "table.parquet"
    export(longhaul_fake, job.out, file)
    run = json.loads((job.out / "run.json").read_text())
    kept = json.loads(pq.read_schema(file).metadata[b"longhaul"])
    assert kept == json.loads(pq.ParquetFile(file).metadata.metadata[b"longhaul"])
    for field in ["model", "fingerprint", "settings", "bits", "counts"]:
        assert kept[field] == run[field]
    assert "golden" not in kept["card"] and kept["card"]["name"] == run["card"]["name"]


def test_rows_per_file_makes_a_folder(longhaul_fake, job, folder):
    result = export(longhaul_fake, job.out, folder / "parts", "--rows-per-file", 100, "--json", "-q")
    summary = json.loads(result.out)
    ok = records_of(job.out).status == "ok"
    parts = sorted((folder / "parts").iterdir())
    assert summary["files"] == len(parts) == -(-ok.sum() // 100)
    assert [part.name for part in parts[:2]] == ["part-00000.parquet", "part-00001.parquet"]
    assert {pq.ParquetFile(part).metadata.num_rows for part in parts[:-1]} == {100}
    whole = pd.read_parquet(folder / "parts")
    check_vectors(whole.vector, np.load(job.out / "embeddings.npy")[ok])
    assert summary["rows"] == ok.sum() and summary["left_out"]["rejected"] == (~ok).sum()
    assert result.err == ""


def test_half_precision_is_exported_as_float32(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 50)
    job.finish(job.folder / "out", "--output-dtype", "fp16")
    export(longhaul_fake, job.folder / "out", tmp_path / "t.parquet")
    stored = np.load(job.folder / "out/embeddings.npy")
    assert stored.dtype == np.float16
    found = pl.read_parquet(tmp_path / "t.parquet")
    check_vectors(found["vector"].to_list(), stored[found["row"].to_numpy()].astype(np.float32))


def test_an_output_without_records_is_a_table_without_rows(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 2)
    assert longhaul_fake(*job.arguments(tmp_path / "out", "--shard", "2/2")).code == 0
    assert longhaul_fake("verify", tmp_path / "out/shards/2-of-2").code == 0
    export(longhaul_fake, tmp_path / "out/shards/2-of-2", tmp_path / "t.parquet")
    assert pl.read_parquet(tmp_path / "t.parquet").height == 0
    export(longhaul_fake, tmp_path / "out/shards/2-of-2", tmp_path / "p", "--rows-per-file", 5)
    assert [p.name for p in (tmp_path / "p").iterdir()] == ["part-00000.parquet"]


def test_killed_at_any_moment_the_same_command_succeeds(longhaul_fake, folder):
    job = Job(longhaul_fake, folder, 6000, window=4096, commit_every="5s", dimension=512)
    out, file = folder / "out", folder / "t.parquet"
    job.finish(out)
    command = [longhaul_fake.path, "export", out, "--to", "parquet", "-o", file]
    started = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    seconds = time.monotonic() - started
    expected = file.read_bytes()
    file.unlink()
    killed = 0
    chance = random.Random(5)
    for _ in range(30 if LONG else 10):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0, seconds))
        process.send_signal(signal.SIGKILL)
        if process.wait() == -signal.SIGKILL and not file.exists():
            killed += 1
        file.unlink(missing_ok=True)
    assert killed > 0
    subprocess.run(command, check=True, capture_output=True)
    assert file.read_bytes() == expected
    assert {p.name for p in folder.iterdir()} >= {"t.parquet"}
    assert not (folder / "t.parquet.longhaul-export").exists()


def test_a_signal_leaves_nothing_behind(longhaul_fake, needs_strace, job, folder):
    file = folder / "t.parquet"
    # The signal comes with the first write of the table.
    done = subprocess.run([*strace(folder / "log", "pwrite64", "signal=TERM:when=2"),
                           longhaul_fake.path, "export", job.out, "--to", "parquet", "-o", file],
                          capture_output=True, text=True)
    assert done.returncode == 75, done
    assert "the same command begins it again" in done.stderr
    assert [p.name for p in folder.iterdir()] == ["log"]
    export(longhaul_fake, job.out, file)


def test_a_full_disk_is_said_and_leaves_nothing(longhaul_fake, needs_strace, job, folder):
    file = folder / "t.parquet"
    for when in (2, 5):
        done = subprocess.run([*strace(folder / "log", "pwrite64", f"error=ENOSPC:when={when}"),
                               longhaul_fake.path, "export", job.out, "--to", "parquet", "-o",
                               file], capture_output=True, text=True)
        assert "INJECTED" in (folder / "log").read_text()
        assert done.returncode == 74 and "t.parquet.longhaul-export" in done.stderr, done
        assert "free" in done.stderr
        assert [p.name for p in folder.iterdir()] == ["log"]
    export(longhaul_fake, job.out, file)


@pytest.mark.skipif(not LONG, reason="--long: writes 4 GB")
def test_memory_is_flat(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 1_000_000, window=4096, commit_every="5s", dimension=512)
    job.options[job.options.index("--batch-size") + 1] = 512
    out = tmp_path / "out"
    job.finish(out)
    done = run_measured(longhaul_fake.path, "export", out, "--to", "parquet", "-o",
                        tmp_path / "t.parquet")
    print(done)
    assert done.code == 0 and 0 < done.peak_rss < 300e6, done
    assert pq.ParquetFile(tmp_path / "t.parquet").metadata.num_rows > 800_000
