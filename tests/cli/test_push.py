"""`longhaul push`: a real PostgreSQL with pgvector holds what the output holds."""

import json
import os
import random
import signal
import subprocess
import time

import numpy as np
import pandas as pd
import pytest

from fake_run import LONG, Job
from postgres_server import Server


@pytest.fixture(scope="module")
def server():
    made = Server()
    made.run("CREATE EXTENSION vector")
    yield made
    made.end()


@pytest.fixture(scope="module")
def job(longhaul_fake, tmp_path_factory):
    """A finished output with a layer, tokens, kept columns, and rejects."""
    made = Job(longhaul_fake, tmp_path_factory.mktemp("push"), 700, layers=["early"], tokens=True)
    lines = made.input.read_text().splitlines()
    made.input.write_text("\n".join(
        line + (",kept,vector" if row == 0 else f",\"a, {row} ü\\\",v{row}" if row % 2 else
                f",\"\"\"{row}\",")
        for row, line in enumerate(lines)).replace('\\"', '"') + "\n")
    made.options += ["--keep-column", "kept", "--keep-column", "vector"]
    made.out = made.folder / "out"
    made.finish(made.out)
    return made


@pytest.fixture
def table(server):
    """A name of a table that is not there, and is gone afterwards."""
    yield "embeddings"
    server.run("DROP TABLE IF EXISTS embeddings")


def push(program, server, out, *more, code=0, uri=None, **options):
    result = program("push", out, "--to", uri or server.uri(), "--json", *more, **options)
    assert result.code == code, result
    return json.loads(result.out) if code == 0 else result


def records_of(out):
    return pd.read_csv(out / "records.csv", dtype={"id": str}, keep_default_na=False)


def stored(server, columns="id, row_number", name="embeddings"):
    """The table's rows by row number: the vectors' bytes, and the other columns."""
    rows = server.run(f"SELECT vector_send(vector), {columns} FROM {name} ORDER BY row_number")
    vectors = np.frombuffer(b"".join(row[0] for row in rows), np.uint8).reshape(len(rows), -1)
    dimension = int.from_bytes(bytes(vectors[0, :2]), "big")
    assert vectors.shape[1] == 4 + 4 * dimension
    return np.ascontiguousarray(vectors[:, 4:]).view(">u4"), [row[1:] for row in rows]


def check(server, out, array="embeddings.npy"):
    """Every accepted row once, bit for bit."""
    records = records_of(out)
    ok = (records.status == "ok").to_numpy()
    vectors, rows = stored(server)
    assert rows == list(zip(records.id[ok], records.row[ok]))
    assert np.array_equal(vectors, np.load(out / array)[ok].astype(np.float32).view(np.uint32))


def test_the_table_holds_the_accepted_rows(longhaul_fake, server, job, table):
    done = push(longhaul_fake, server, job.out, "--batch-rows", 100)
    records = records_of(job.out)
    ok = records.status == "ok"
    assert done["added"] == ok.sum() and done["changed"] == done["same"] == 0
    assert done["batches"] == -(-ok.sum() // 100)
    assert done["left_out"] == {"rejected": int((~ok).sum()), "duplicates": 0,
                                "arrays": ["embeddings.early", "tokens"]}
    check(server, job.out)
    _, rows = stored(server, 'kept, "input.vector"')
    assert rows == list(zip(records.kept[ok], records["vector"][ok]))
    types = server.run("SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE "
                       "attrelid = 'embeddings'::regclass AND attnum > 0 ORDER BY attnum")
    assert types == [("id", "text"), ("row_number", "bigint"), ("vector", "vector(16)"),
                     ("kept", "text"), ("input.vector", "text")]


def test_a_second_push_sends_nothing_and_a_changed_row_is_put_right(longhaul_fake, server, job,
                                                                    table):
    first = push(longhaul_fake, server, job.out)
    before = server.run("SELECT id, xmin FROM embeddings ORDER BY id")
    assert push(longhaul_fake, server, job.out)["same"] == first["added"]
    assert server.run("SELECT id, xmin FROM embeddings ORDER BY id") == before
    server.run("UPDATE embeddings SET kept = NULL WHERE id = 'r0'")
    server.run("UPDATE embeddings SET row_number = -1 WHERE id = 'r1'")
    server.run("UPDATE embeddings SET vector = vector + vector WHERE id = 'r2'")
    server.run("DELETE FROM embeddings WHERE id = 'r3'")
    server.run("INSERT INTO embeddings SELECT 'other', -5, vector FROM embeddings WHERE id = 'r4'")
    done = push(longhaul_fake, server, job.out)
    assert (done["added"], done["changed"], done["same"]) == (1, 3, first["added"] - 4)
    assert server.run("DELETE FROM embeddings WHERE id = 'other' RETURNING row_number") == [(-5,)]
    check(server, job.out)


def test_half_precision_and_layers(longhaul_fake, server, job, table, tmp_path):
    push(longhaul_fake, server, job.out, "--layer", "early")
    check(server, job.out, "embeddings.early.npy")
    result = push(longhaul_fake, server, job.out, code=73)
    assert "array" in result.err and "--table" in result.err
    half = Job(longhaul_fake, tmp_path, 60)
    half.finish(tmp_path / "out", "--output-dtype", "fp16")
    server.run("DROP TABLE embeddings")
    push(longhaul_fake, server, tmp_path / "out")
    check(server, tmp_path / "out")


def test_an_index_is_made_once_and_over_halves_where_it_must(longhaul_fake, server, tmp_path, table):
    for dimension, indexed in [(16, "(vector vector_l2_ops)"),
                               (2001, "(((vector)::halfvec(2001)) halfvec_l2_ops)")]:
        folder = tmp_path / str(dimension)
        folder.mkdir()
        job = Job(longhaul_fake, folder, 40, dimension=dimension)
        job.finish(folder / "out")
        done = push(longhaul_fake, server, folder / "out", "--index", "hnsw", "--metric", "l2")
        assert done["index_made"]
        assert not push(longhaul_fake, server, folder / "out", "--index", "hnsw", "--metric",
                        "l2")["index_made"]
        made = server.run("SELECT indexdef FROM pg_indexes WHERE tablename = 'embeddings' AND "
                          "indexdef LIKE '%hnsw%'")
        assert len(made) == 1 and made[0][0].endswith(f"USING hnsw {indexed}")
        check(server, folder / "out")
        server.run("DROP TABLE embeddings")


def test_too_many_numbers_for_an_index_is_said_before_anything(longhaul_fake, server, tmp_path):
    job = Job(longhaul_fake, tmp_path, 10, dimension=4001)
    job.finish(tmp_path / "out")
    result = push(longhaul_fake, server, tmp_path / "out", "--index", "hnsw", code=2)
    assert "4,000" in result.err
    assert server.run("SELECT to_regclass('embeddings')") == [(None,)]


@pytest.mark.parametrize("key", ["id", "row"])
def test_repeated_ids(longhaul_fake, server, tmp_path, table, key):
    (tmp_path / "model.json").write_text('{"fake": true, "dimension": 8}')
    (tmp_path / "in.csv").write_text("id,sequence\na,ACDEF\nb,MKLV\na,MKLVW\n")
    out = tmp_path / "out"
    assert longhaul_fake("embed", tmp_path / "model.json", tmp_path / "in.csv", "-o", out,
                         "-q").code == 0
    if key == "id":
        result = push(longhaul_fake, server, out, code=65)
        assert "rows 0 and 2" in result.err and "--key row" in result.err
        assert server.run("SELECT to_regclass('embeddings')") == [(None,)]
    else:
        assert push(longhaul_fake, server, out, "--key", "row")["added"] == 3
        assert push(longhaul_fake, server, out, "--key", "row")["same"] == 3
        check(server, out)


def test_killed_at_any_moment_the_same_command_succeeds(longhaul_fake, server, table, tmp_path):
    job = Job(longhaul_fake, tmp_path, 3000, window=4096, commit_every="5s", dimension=256)
    out = tmp_path / "out"
    job.finish(out)
    command = [longhaul_fake.path, "push", out, "--to", server.uri(), "--batch-rows", "50"]
    started = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    seconds = time.monotonic() - started
    chance = random.Random(7)
    killed = partial = 0
    for _ in range(30 if LONG else 10):
        server.run("DROP TABLE IF EXISTS embeddings")
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0, seconds))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        # The server ends what a client left before the next one is served.
        while server.run("SELECT 1 FROM pg_stat_activity WHERE application_name = 'longhaul'"):
            time.sleep(0.01)
        if server.run("SELECT to_regclass('embeddings')") != [(None,)]:
            rows = server.run("SELECT count(*) FROM embeddings")[0][0]
            partial += 0 < rows < 2000
            assert rows % 50 == 0 or rows > 2000
        subprocess.run(command, check=True, capture_output=True)
        check(server, out)
    assert killed > 0 and partial > 0


def test_a_signal_and_a_lost_server_leave_whole_batches(longhaul_fake, server, table, tmp_path):
    job = Job(longhaul_fake, tmp_path, 700)
    out = tmp_path / "out"
    job.finish(out)
    command = [longhaul_fake.path, "push", out, "--to", server.uri(), "--batch-rows", "100"]
    push(longhaul_fake, server, out)
    server.run("DELETE FROM embeddings WHERE row_number > 350")
    there = server.run("SELECT count(*) FROM embeddings")[0][0]
    # The push waits for a lock in the middle of its work.
    for ends, code in [(lambda process: process.send_signal(signal.SIGTERM), 75),
                       (lambda process: server.run(
                           "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                           "application_name = 'longhaul'"), 69)]:
        with server.connect() as other:
            other.execute("BEGIN")
            other.execute("LOCK TABLE embeddings IN SHARE MODE")
            process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
            while not server.run("SELECT 1 FROM pg_stat_activity WHERE application_name = "
                                 "'longhaul' AND wait_event_type = 'Lock'"):
                assert process.poll() is None
                time.sleep(0.01)
            ends(process)
            message = process.stderr.read()
            assert process.wait() == code, message
            assert "the same command goes on" in message
            other.execute("ROLLBACK")
        assert server.run("SELECT count(*) FROM embeddings")[0][0] == there
    push(longhaul_fake, server, out)
    check(server, out)


def test_passwords_are_never_shown(longhaul_fake, server, job, table):
    place = f"127.0.0.1:{server.port()}/postgres"
    for uri, environment, code in [
            (f"postgresql://postgres:sesame@{place}", {}, 0),
            (f"postgresql://postgres@{place}", {"PGPASSWORD": "sesame"}, 0),
            (f"postgresql://postgres:wrongsesame@{place}", {}, 69),
            (f"postgresql://postgres:ses@me@{place}", {}, 2),
            (f"postgresql://postgres:sesame@127.0.0.1:1/x", {}, 69),
            (f"postgresql://postgres:sesame@{place}?nonsense=sesame", {}, 2)]:
        result = longhaul_fake("push", job.out, "--to", uri, "--json",
                               env={**os.environ, **environment})
        assert result.code == code, result
        assert "ses" not in (result.out + result.err).replace("sessions", "")
    # An address where no flag stands before it.
    result = longhaul_fake("push", job.out, f"postgresql://postgres:sesame@{place}?sslmode=disable")
    assert result.code == 2 and "sesame" not in result.err, result
    pgpass = server.folder / "pgpass"
    pgpass.write_text(f"127.0.0.1:{server.port()}:*:postgres:sesame\n")
    pgpass.chmod(0o600)
    result = longhaul_fake("push", job.out, "--to", f"postgresql://postgres@{place}",
                           env={**os.environ, "PGPASSFILE": str(pgpass)})
    assert result.code == 0, result
