"""The remedies of `longhaul push`, followed against a real PostgreSQL."""

import json
import subprocess

import pytest

from postgres_server import Server
from remedies import Trial, cannot_follow, follows

cannot_follow("lib/export/push_output.cpp", "stopped: ", "test_push_stops sends the signal")
cannot_follow("lib/postgres/connection.cpp", "stopped while", "test_push_stops sends the signal")
cannot_follow("lib/postgres/connection.cpp", "was lost: ", "test_push_stops ends the connection")
cannot_follow("lib/postgres/connection.cpp", "does not speak UTF-8", "a server without UTF-8")
cannot_follow("lib/postgres/refusal.cpp", "free some space there", "a disk that is full")
cannot_follow("lib/postgres/refusal.cpp", "what | \"what was committed is there",
              "another process in the same moment")
cannot_follow("lib/postgres/postgres_table.cpp", "has no hnsw index", "an old pgvector")


@pytest.fixture(scope="module")
def server():
    made = Server()
    yield made
    made.end()


@pytest.fixture
def t(longhaul_fake, server, tmp_path):
    server.run("DROP DATABASE IF EXISTS trial")
    server.run("CREATE DATABASE trial")
    server.run("CREATE EXTENSION vector", "trial")
    made = Trial(longhaul_fake, tmp_path)
    made.uri = server.uri("trial")
    made.sql = lambda statement: server.run(statement, "trial")
    return made


def push(t, *more, out=None, uri=None):
    return ["push", out or t.out, "--to", uri or t.uri, "-q", *more]


@follows("apps/longhaul/push.cpp", "would push no row")
@follows("lib/export/push_shape.cpp", "is no name of a table", "holds at most 4,000",
         "can be no column of PostgreSQL", "has at most 1,600 columns")
@follows("lib/export/database_uri.cpp", "cannot be read in one way", "is no address of")
@follows("lib/postgres/connection.cpp", "none that libpq understands")
def test_flags(t):
    t.works(*t.embed())
    t.fails(2, "give 1 or more", *push(t, "--batch-rows", 0))
    t.fails(2, "NAME or SCHEMA.NAME", *push(t, "--table", "a.b.c"))
    t.fails(2, "leave out --layer", *push(t, "--layer", "x"))
    t.fails(2, "PGPASSWORD", *push(t, uri="postgresql://me:pass@word@host/db"))
    t.fails(2, "postgresql://USER@HOST/DATABASE", *push(t, uri="mysql://host/db"))
    t.fails(2, "postgresql://USER@HOST/DATABASE", *push(t, uri="postgresql://host/db?nonsense=1"))
    t.works(*push(t, "--batch-rows", 1, "--table", "public.a"))
    t.works("embed", t.model, t.input, "-o", "residues", "--tokens", "--pooling", "none", "-q")
    t.fails(2, "--pooling", *push(t, out="residues"))
    t.model.write_text(json.dumps({"fake": True, "dimension": 4001}))
    t.works(*t.embed("--overwrite"))
    t.fails(2, "leave --index out", *push(t, "--index", "hnsw"))
    t.works(*push(t))
    long = "x" * 64
    t.input.write_text(f"sequence,{long},kept\nACD,1,2\n")
    t.works(*t.embed("--overwrite", "--keep-column", long))
    t.fails(65, "without this --keep-column", *push(t, "--table", "c"))
    t.works(*t.embed("--overwrite", "--keep-column", "kept"))
    t.works(*push(t, "--table", "c"))
    columns = [f"c{number}" for number in range(1598)]
    t.input.write_text(f"sequence,{','.join(columns)}\nACD{',1' * 1598}\n")
    keep = [word for column in columns for word in ("--keep-column", column)]
    t.works(*t.embed("--overwrite", *keep))
    t.fails(65, "fewer --keep-column", *push(t, "--table", "d"))
    t.works(*t.embed("--overwrite", *keep[:40]))
    t.works(*push(t, "--table", "d"))


@follows("lib/export/push_shape.cpp", "do not fit a column of pgvector")
def test_too_many_numbers(t):
    t.model.write_text(json.dumps({"fake": True, "dimension": 16001}))
    t.works(*t.embed())
    t.fails(65, "longhaul export", *push(t))


@follows("lib/export/push_output.cpp", "too many for a key", "a table has one row for an id",
         "is no text for PostgreSQL")
def test_ids(t):
    t.input.write_text(f"id,sequence\n{'x' * 3000},ACD\n")
    t.works(*t.embed())
    t.fails(65, "--key row", *push(t))
    t.works(*push(t, "--key", "row"))
    t.input.write_text("id,sequence\na,ACD\na,ACDE\n")
    t.works(*t.embed("--overwrite"))
    t.fails(65, "--key row", *push(t, "--table", "b"))
    t.works(*push(t, "--key", "row", "--table", "b"))
    # JSON can say what no other text can.
    other = t.write("in.jsonl", json.dumps({"id": "a\0b", "sequence": "ACD"}) + "\n")
    t.works("embed", t.model, other, "-o", t.out, "-q", "--overwrite")
    t.fails(65, "correct it in the input", *push(t, "--table", "c"))
    assert t.sql("SELECT to_regclass('c')") == [(None,)]
    t.input.write_text("id,sequence\nab,ACD\nc,ACDE\n")
    t.works(*t.embed("--overwrite"))
    t.works(*push(t, "--table", "c"))


@follows("lib/postgres/connection.cpp", "no connection to PostgreSQL")
@follows("lib/postgres/refusal.cpp", "for the permission", "whose encoding is UTF8",
         "name another table with --table", "that can be written to", "raise statement_timeout")
def test_what_the_server_refuses(t, server):
    t.works(*t.embed("--keep-column", "label"))
    t.fails(69, "look whether it runs there", *push(t, uri="postgresql://me@127.0.0.1:1/x"))
    said = t.uri + "&options=-c%20"
    t.fails(69, "without default_transaction_read_only",
            *push(t, uri=said + "default_transaction_read_only%3Don"))
    t.works(*push(t, "--table", "limited", uri=said + "default_transaction_read_only%3Doff"))
    with server.connect("trial") as other:
        other.execute("BEGIN")
        other.execute("LOCK TABLE limited")
        t.fails(69, "raise statement_timeout or lock_timeout",
                *push(t, "--table", "limited", uri=said + "lock_timeout%3D1"))
        other.execute("COMMIT")
    t.works(*push(t, "--table", "limited", uri=said + "lock_timeout%3D60s"))
    t.sql("DROP ROLE IF EXISTS guest")
    t.sql("CREATE ROLE guest LOGIN")
    guest = server.uri("trial", user="guest")
    t.fails(69, "GRANT", *push(t, uri=guest))
    assert t.sql("SELECT to_regclass('embeddings')") == [(None,)]
    t.sql("GRANT CREATE ON SCHEMA public TO guest")
    t.works(*push(t, uri=guest))
    t.sql("DROP OWNED BY guest")
    t.sql("DROP ROLE guest")
    t.sql("CREATE TABLE e (id text PRIMARY KEY, row_number bigint CHECK (row_number < 2), "
          "vector vector, label text)")
    t.fails(73, "--table", *push(t, "--table", "e"))
    assert t.sql("SELECT count(*) FROM e") == [(0,)]
    t.works(*push(t, "--table", "f"))
    server.run("DROP DATABASE IF EXISTS latin")
    server.run("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    server.run("CREATE EXTENSION vector", "latin")
    t.input.write_text("id,sequence\nł,ACD\n")
    t.works(*t.embed("--overwrite"))
    t.fails(65, "UTF8", *push(t, uri=server.uri("latin")))
    t.works(*push(t, "--table", "g"))


@follows("lib/postgres/postgres_table.cpp", "has no extension vector", "has no schema",
         "is a view or the like", "table_words() +  + what", "has no primary key",
         "holds vectors of another kind", "a rule or a trigger")
def test_tables(t):
    t.works(*t.embed("--keep-column", "label"))
    t.sql("DROP EXTENSION vector")
    t.fails(69, "CREATE EXTENSION vector", *push(t))
    t.sql("CREATE EXTENSION vector")
    t.fails(73, "CREATE SCHEMA", *push(t, "--table", "s.e"))
    t.sql("CREATE SCHEMA s")
    t.works(*push(t, "--table", "s.e"))
    key = "id text PRIMARY KEY, row_number bigint"
    for number, table in enumerate([
            f"{key}, vector vector(7), label text", f"{key}, vector vector(8)",
            f"{key}, vector real[], label text", f"{key}, vector vector(8), label int",
            f"{key}, vector vector(8), label text, more int NOT NULL",
            f"{key}, vector vector(8), label text GENERATED ALWAYS AS ('x') STORED",
            "id text, row_number bigint, vector vector(8), label text"]):
        t.sql(f"CREATE TABLE t{number} ({table})")
        t.fails(73, "name another table with --table", *push(t, "--table", f"t{number}"))
        assert t.sql(f"SELECT count(*) FROM t{number}") == [(0,)]
    t.sql(f"CREATE TABLE ours ({key}, vector vector, label text, more int DEFAULT 3)")
    t.works(*push(t, "--table", "ours"))
    t.works(*push(t, "--table", "fresh"))
    t.sql("CREATE VIEW seen AS SELECT * FROM fresh")
    t.fails(73, "name another table", *push(t, "--table", "seen"))
    t.sql("CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    t.sql(f"CREATE TABLE kept ({key}, vector vector, label text)")
    t.sql("CREATE TRIGGER skip BEFORE INSERT ON kept FOR EACH ROW EXECUTE FUNCTION skip()")
    t.fails(73, "name another table", *push(t, "--table", "kept"))
    t.works(*t.embed("--overwrite", "--keep-column", "label", "--normalize", "l2"))
    line = t.fails(73, "name another table", *push(t, "--table", "fresh"))
    assert "normalize" in line
    t.works(*push(t, "--table", "unit"))


@follows("lib/postgres/postgres_table.cpp", "without a dimension", "the index could not be made",
         "seem to be another input's")
def test_tables_that_others_filled(t):
    t.works(*t.embed())
    t.sql("CREATE TABLE a (id text PRIMARY KEY, row_number bigint, vector vector)")
    line = t.fails(73, "or leave --index out", *push(t, "--table", "a", "--index", "hnsw"))
    t.works(*push(t, "--table", "a"))
    change = line[line.index("ALTER COLUMN"):].split(", or")[0]
    t.sql(f"ALTER TABLE a {change}")
    t.works(*push(t, "--table", "a", "--index", "hnsw"))
    t.works(*push(t, "--table", "b", "--key", "row"))
    t.input.write_text("id,sequence\nz,ACDEF\n")
    t.works(*t.embed("--overwrite"))
    t.fails(73, "or empty this one", *push(t, "--table", "b", "--key", "row"))
    t.works(*push(t, "--table", "c", "--key", "row"))
    t.sql("TRUNCATE b")
    t.works(*push(t, "--table", "b", "--key", "row"))
    t.model.write_text(json.dumps({"fake": True, "dimension": 2001}))
    t.works(*t.embed("--overwrite"))
    t.works(*push(t, "--table", "wide"))
    t.sql("INSERT INTO wide SELECT 'large', -1, array_fill(70000, ARRAY[2001])::vector")
    t.fails(73, "leave --index out", *push(t, "--table", "wide", "--index", "hnsw"))
    t.works(*push(t, "--table", "wide"))


@follows("apps/longhaul/main.cpp", '"out of memory" |')
def test_too_little_memory_for_a_batch(t):
    t.model.write_text(json.dumps({"fake": True, "dimension": 8000}))
    t.input.write_text("sequence\n" + "ACDEF\n" * 1500)
    t.works(*t.embed())

    def pushed(mebibytes, rows):
        limited = ["prlimit", f"--as={mebibytes << 20}", t.program.path]
        return subprocess.run([*limited, *map(str, push(t, "--batch-rows", rows))],
                              capture_output=True, text=True)

    enough = next(size for size in range(64, 4096, 16) if pushed(size, 2).returncode == 0)
    t.sql("DROP TABLE embeddings")
    result = pushed(enough + 8, 1000000)  # 48 MB are held twice
    line = result.stderr.splitlines()[-1]
    assert result.returncode == 71 and "use a smaller --batch-rows" in line, result
    assert t.sql("SELECT count(*) FROM embeddings") == [(0,)]
    assert pushed(enough + 8, 2).returncode == 0
