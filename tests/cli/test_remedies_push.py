"""The remedies of `longhaul push`, followed against a real PostgreSQL."""

import json

import pytest

from postgres_server import Server
from remedies import Trial, cannot_follow, follows

cannot_follow("lib/export/push_output.cpp", "stopped: ", "test_push sends the signal")
cannot_follow("lib/postgres/connection.cpp", "stopped while", "test_push sends the signal")
cannot_follow("lib/postgres/connection.cpp", "was lost: ", "test_push ends the connection")
cannot_follow("lib/postgres/connection.cpp", "does not speak UTF-8", "a server without UTF-8")
cannot_follow("lib/postgres/connection.cpp", "free some space there", "a disk that is full")
cannot_follow("lib/postgres/connection.cpp", "what | \"what was committed is there",
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
@follows("lib/export/push_shape.cpp", "is no name of a table", "the output has no layer",
         "holds at most 4,000", "holds residues alone", "can be no column of PostgreSQL")
@follows("lib/export/database_uri.cpp", "cannot be read in one way", "is no address of")
@follows("lib/postgres/connection.cpp", "none that libpq understands")
def test_flags(t):
    t.works(*t.embed())
    t.fails(2, "give 1 or more", *push(t, "--batch-rows", 0))
    t.fails(2, "NAME or SCHEMA.NAME", *push(t, "--table", "a.b.c"))
    t.fails(2, "leave --layer out", *push(t, "--layer", "x"))
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


@follows("lib/postgres/connection.cpp", "no connection to PostgreSQL", "for the permission",
         "whose encoding is UTF8", "name another table with --table")
def test_what_the_server_refuses(t, server):
    t.works(*t.embed("--keep-column", "label"))
    t.fails(69, "look whether it runs there", *push(t, uri="postgresql://me@127.0.0.1:1/x"))
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
