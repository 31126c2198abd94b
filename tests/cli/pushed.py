"""What the tests of push share: a server, an output, and what a table must hold of it."""

import json
import time

import numpy as np
import pytest

from fake_run import Job, records_of
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


def embed_csv(program, folder, name, lines, *more):
    """A finished output of a table of records."""
    (folder / "model.json").write_text('{"fake": true, "dimension": 8}')
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    result = program("embed", folder / "model.json", folder / f"{name}.csv", "-o", folder / name,
                     "-q", *more)
    assert result.code == 0, result
    return folder / name


def waits_for_a_lock(server):
    return bool(server.run("SELECT 1 FROM pg_stat_activity WHERE application_name = 'longhaul' "
                           "AND wait_event_type = 'Lock'"))


def until(happened, process):
    while not happened():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
