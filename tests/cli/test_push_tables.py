"""`longhaul push` and tables that others made, fill, or guard."""

import subprocess

import pytest

from fake_run import Job
from pushed import check, embed_csv, job, push, server, table, until, waits_for_a_lock


# An id that is given says whose row it is, where it is the key.
@pytest.mark.parametrize("key, ids", [("id", False), ("row", True), ("row", False)])
def test_rows_of_another_input_are_not_replaced(longhaul_fake, server, tmp_path, table, key, ids):
    sequences = {"one": ["ACDEF", "MKLV", "WYW"], "two": ["ACDEF", "GGHIK", "WYW", "DDE"]}
    outs = [embed_csv(longhaul_fake, tmp_path, name, ["id,sequence"] + [
        f"{name}{row},{sequence}" for row, sequence in enumerate(of)] if ids else
        ["sequence", *of]) for name, of in sequences.items()]
    flags = ["--key", key, "--batch-rows", 1]
    push(longhaul_fake, server, outs[0], *flags)
    # The row that is other is not the first, and one more would be added before it.
    server.run("DELETE FROM embeddings WHERE row_number = 0")
    before = server.run("SELECT id, row_number, vector::text FROM embeddings ORDER BY row_number")
    result = push(longhaul_fake, server, outs[1], *flags, code=73)
    assert "another input's" in result.err and "name another table with --table" in result.err
    assert server.run("SELECT id, row_number, vector::text FROM embeddings "
                      "ORDER BY row_number") == before
    # What the first input left out is no one else's.
    assert push(longhaul_fake, server, outs[0], *flags)["added"] == 1
    check(server, outs[0])
    if key == "id" or not ids:
        return
    # A row of this record that was changed is put right.
    server.run("UPDATE embeddings SET vector = vector + vector WHERE row_number = 1")
    assert push(longhaul_fake, server, outs[0], *flags)["changed"] == 1
    check(server, outs[0])


@pytest.mark.parametrize("theirs, code", [("same", 0), ("rows", 73), ("other", 73)])
def test_a_table_that_another_push_makes_in_the_same_moment(longhaul_fake, server, job, table,
                                                            theirs, code):
    push(longhaul_fake, server, job.out)
    comment = server.run("SELECT obj_description('embeddings'::regclass)")[0][0]
    rows = server.run("SELECT count(*) FROM embeddings")[0][0]
    server.run("ALTER TABLE embeddings RENAME TO before")
    try:
        with server.connect() as other:
            other.execute("BEGIN")
            other.execute("CREATE TABLE embeddings (LIKE before INCLUDING ALL)")
            if theirs != "other":
                other.execute(f"COMMENT ON TABLE embeddings IS '{comment}'")
            else:
                other.execute("ALTER TABLE embeddings ADD more int NOT NULL")
            process = subprocess.Popen([longhaul_fake.path, "push", job.out, "--to", server.uri()],
                                       stderr=subprocess.PIPE, text=True)
            until(lambda: waits_for_a_lock(server), process)
            if theirs == "rows":
                other.execute("INSERT INTO embeddings SELECT * FROM before")
                other.execute("COMMENT ON TABLE embeddings IS 'longhaul {\"layer\":\"x\"}'")
            other.execute("COMMIT")
            message = process.stderr.read()
            assert process.wait() == code, message
        if code == 0:
            assert server.run("SELECT count(*) FROM embeddings") == [(rows,)]
            check(server, job.out)
        else:
            assert "already exists" not in message and "duplicate key" not in message
            assert "vectors of another kind" in message or "must have a value" in message
    finally:
        server.run("DROP TABLE before")


def test_rows_that_come_while_a_push_is_at_work_are_seen(longhaul_fake, server, tmp_path, table):
    one, two = [embed_csv(longhaul_fake, tmp_path, name, ["sequence", *of]) for name, of in
                [("one", ["ACDEF", "MKLV", "WYW"]), ("two", ["GGHIK", "DDE", "MMK"])]]
    push(longhaul_fake, server, one)
    there = server.run("SELECT id, row_number, vector::text FROM embeddings ORDER BY id")
    server.run("ALTER TABLE embeddings RENAME TO before")
    server.run("CREATE TABLE embeddings (LIKE before INCLUDING ALL)")
    try:
        with server.connect() as other:
            other.execute("BEGIN")
            other.execute("INSERT INTO embeddings SELECT * FROM before")
            process = subprocess.Popen([longhaul_fake.path, "push", two, "--to", server.uri()],
                                       stderr=subprocess.PIPE, text=True)
            # It found none, and waits for what the other does with the key.
            until(lambda: waits_for_a_lock(server), process)
            other.execute("COMMIT")
            message = process.stderr.read()
            assert process.wait() == 73 and "another input's" in message, message
        assert server.run("SELECT id, row_number, vector::text FROM embeddings ORDER BY id") == there
    finally:
        server.run("DROP TABLE before")


@pytest.mark.parametrize("dimension", [16, 2001])
def test_an_index_over_a_column_without_a_dimension(longhaul_fake, server, tmp_path, table,
                                                    dimension):
    job = Job(longhaul_fake, tmp_path, 40, dimension=dimension)
    job.finish(tmp_path / "out")
    server.run("CREATE TABLE embeddings (id text PRIMARY KEY, row_number bigint, vector vector)")
    result = push(longhaul_fake, server, tmp_path / "out", "--index", "hnsw", code=73)
    assert f"ALTER COLUMN vector TYPE vector({dimension})" in result.err
    assert server.run("SELECT count(*) FROM embeddings") == [(0,)]
    server.run(f"ALTER TABLE embeddings ALTER COLUMN vector TYPE vector({dimension})")
    assert push(longhaul_fake, server, tmp_path / "out", "--index", "hnsw")["index_made"]
    check(server, tmp_path / "out")


def test_an_index_over_another_column_is_not_ours(longhaul_fake, server, job, table):
    server.run("CREATE TABLE embeddings (id text PRIMARY KEY, row_number bigint, vector "
               "vector(16), kept text, \"input.vector\" text, other vector(16))")
    server.run("CREATE INDEX ON embeddings USING hnsw (other vector_cosine_ops)")
    server.run("CREATE INDEX ON embeddings USING hnsw ((other::vector(16)) vector_cosine_ops)")
    server.run("CREATE INDEX ON embeddings USING hnsw (vector vector_cosine_ops) "
               "WHERE row_number > 5")
    assert push(longhaul_fake, server, job.out, "--index", "hnsw")["index_made"]
    assert not push(longhaul_fake, server, job.out, "--index", "hnsw")["index_made"]
    # One over the column as its type serves as well.
    server.run("DROP TABLE embeddings")
    server.run("CREATE TABLE embeddings (id text PRIMARY KEY, row_number bigint, vector "
               "vector, kept text, \"input.vector\" text)")
    server.run("CREATE INDEX ON embeddings USING hnsw ((vector::vector(16)) vector_cosine_ops)")
    assert not push(longhaul_fake, server, job.out, "--index", "hnsw")["index_made"]


def test_an_index_that_cannot_be_made_is_told_from_the_rows(longhaul_fake, server, tmp_path, table):
    job = Job(longhaul_fake, tmp_path, 40, dimension=2001)
    job.finish(tmp_path / "out")
    push(longhaul_fake, server, tmp_path / "out")
    # Larger than a half holds.
    server.run("INSERT INTO embeddings SELECT 'large', -1, array_fill(70000, ARRAY[2001])::vector")
    result = push(longhaul_fake, server, tmp_path / "out", "--index", "hnsw", code=73)
    assert "the rows are there" in result.err and "leave --index out" in result.err


def test_a_table_says_no_in_many_ways(longhaul_fake, server, job, table):
    server.run("CREATE TABLE embeddings (id text PRIMARY KEY, row_number bigint, vector "
               "vector(16), kept text, \"input.vector\" text)")
    server.run("CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
               "'BEGIN RAISE EXCEPTION ''no'' USING ERRCODE = TG_ARGV[0]; END'")
    for state, code, remedy in [("22001", 73, "--table"), ("54000", 73, "--table"),
                                ("0A000", 73, "--table"), ("22021", 65, "UTF8")]:
        server.run(f"CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON embeddings "
                   f"FOR EACH ROW EXECUTE FUNCTION refuse('{state}')")
        result = push(longhaul_fake, server, job.out, code=code)
        assert "refuses: no; " in result.err and remedy in result.err.split("; ")[-1]
    server.run("DROP FUNCTION refuse CASCADE")
    read_only = server.uri() + "&options=-c%20default_transaction_read_only%3Don"
    result = push(longhaul_fake, server, job.out, uri=read_only, code=69)
    assert "can be written to" in result.err
    slow = server.uri() + "&options=-c%20lock_timeout%3D1"
    with server.connect() as other:
        other.execute("BEGIN")
        other.execute("LOCK TABLE embeddings IN SHARE MODE")
        result = push(longhaul_fake, server, job.out, uri=slow, code=69)
        assert "lock_timeout" in result.err
    assert server.run("SELECT count(*) FROM embeddings") == [(0,)]
