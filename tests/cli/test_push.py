"""`longhaul push`: a real PostgreSQL with pgvector holds what the output holds."""

import os

import numpy as np
import pytest

from fake_run import Job, records_of
from pushed import check, job, push, server, stored, table  # some are fixtures
from test_layers import card


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
    assert "layer" in result.err and "--table" in result.err
    half = Job(longhaul_fake, tmp_path, 60)
    half.finish(tmp_path / "out", "--output-dtype", "fp16")
    server.run("DROP TABLE embeddings")
    push(longhaul_fake, server, tmp_path / "out")
    check(server, tmp_path / "out")


def test_a_layer_is_told_by_its_name_whatever_its_file_is_called(longhaul_fake, server, tmp_path,
                                                                 table):
    job = Job(longhaul_fake, tmp_path, 60, card=card())
    for name, layers in [("both", ["early", "late"]), ("late", ["late"])]:
        job.finish(tmp_path / name, *(word for one in layers for word in ("--layer", one)))
    push(longhaul_fake, server, tmp_path / "both", "--layer", "late")
    check(server, tmp_path / "both", "embeddings.late.npy")
    # The first array of both outputs, and another layer.
    result = push(longhaul_fake, server, tmp_path / "both", code=73)
    assert 'layer is "late" there, "early" here' in result.err
    check(server, tmp_path / "late")
    for more in [[], ["--layer", "late"]]:
        assert push(longhaul_fake, server, tmp_path / "late", *more)["added"] == 0


def test_another_card_of_one_model_is_another_kind_of_vectors(longhaul_fake, server, tmp_path,
                                                              table):
    job = Job(longhaul_fake, tmp_path, 60)
    job.finish(tmp_path / "out")
    push(longhaul_fake, server, tmp_path / "out")
    server.run("""DO $$ BEGIN EXECUTE format('COMMENT ON TABLE embeddings IS %L', regexp_replace(
                  obj_description('embeddings'::regclass), '"card_sha256":"[0-9a-f]+"',
                  '"card_sha256":"another"')); END $$""")
    result = push(longhaul_fake, server, tmp_path / "out", code=73)
    assert 'card_sha256 is "another" there' in result.err


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


def test_passwords_are_never_shown(longhaul_fake, server, job, table):
    place = f"127.0.0.1:{server.port()}/postgres"
    for uri, environment, code in [
            (f"postgresql://postgres:sesame@{place}", {}, 0),
            (f"postgresql://postgres@{place}", {"PGPASSWORD": "sesame"}, 0),
            (f"postgresql://postgres:wrongsesame@{place}", {}, 69),
            (f"postgresql://postgres:ses@me@{place}", {}, 2),
            (f"postgresql://localhost?port={server.port()}&user=postgres&password=ses@me", {}, 2),
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
