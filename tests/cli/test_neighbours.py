"""`longhaul neighbours`: against faiss, scikit-learn and sums in double precision."""

import csv
import json
import random
import subprocess
import time

import faiss
import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.neighbors import NearestNeighbors

from fake_run import LONG, Job
from measured import MIB, run_measured

COLUMNS = ["row", "id", "rank", "neighbour_row", "neighbour_id", "score"]


def make(program, folder, name, sequences, *flags, kept=None, model=None, code=0):
    """An output of these sequences; `kept` is a column "label" that is kept."""
    kept = kept or [f"v{i}" for i in range(len(sequences))]
    path = folder / f"{name}.input.csv"
    with open(path, "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["id", "sequence", "label"])
        out.writerows((f"{name}{i}", s, k) for i, (s, k) in enumerate(zip(sequences, kept)))
    fake = folder / f"{name}.json"
    fake.write_text(json.dumps({"fake": True, "dimension": 24, **(model or {})}))
    result = program("embed", fake, path, "-o", folder / name, "-q", "--keep-column", "label", *flags)
    assert result.code == code, result
    return folder / name


def sequences(count, seed, repeat=0):
    """Some of them many times over, and some that are rejected."""
    chance = random.Random(seed)
    made = ["".join(chance.choices("ACDEFGHIKLMNPQRSTVWY", k=chance.randrange(20, 60)))
            for _ in range(count)]
    for _ in range(repeat):
        made[chance.randrange(count)] = made[chance.randrange(10)]
    for at in range(7, count, 31):
        made[at] = "MK?L"
    return made


def search(program, out, file, *more, code=0):
    result = program("neighbours", out, "-o", file, *more)
    assert result.code == code, result
    return result


def table(file):
    return pd.read_csv(file, dtype={"id": str, "neighbour_id": str, "label": str},
                       keep_default_na=False)


def vectors(out):
    records = pd.read_csv(out / "records.csv", dtype={"id": str}, keep_default_na=False)
    rows = np.flatnonzero(records.status == "ok")
    return rows, np.load(out / "embeddings.npy")[rows].astype("float64")


def scores(metric, queries, rows):
    """In double precision; greater is nearer."""
    if metric == "l2":
        return -np.sqrt(((queries[:, None] - rows[None]) ** 2).sum(axis=2))
    if metric == "cosine":
        queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return queries @ rows.T


def check(found, query_rows, rows, expected, count, own):
    """Every list is the best there is, equal scores in the order of rows."""
    if own:
        expected = expected.copy()
        np.fill_diagonal(expected, -np.inf)
    most = min(count, len(rows) - own)
    assert list(found.row) == list(np.repeat(query_rows, most))
    assert list(found["rank"]) == list(range(1, most + 1)) * len(query_rows)
    places = np.searchsorted(rows, found.neighbour_row.to_numpy()).reshape(len(query_rows), most)
    assert np.array_equal(rows[places].ravel(), found.neighbour_row)
    told = np.abs(found.score.to_numpy()).reshape(places.shape) * np.sign(
        np.take_along_axis(expected, places, 1))
    best = -np.sort(-expected, axis=1)[:, :most]
    assert np.abs(np.take_along_axis(expected, places, 1) - best).max() < 1e-7
    assert np.abs(told - best).max() < 1e-7
    for listed, values in zip(places, found.score.to_numpy().reshape(places.shape)):
        assert len(set(listed)) == most
        for i in range(most - 1):
            assert values[i] != values[i + 1] or listed[i] < listed[i + 1]


@pytest.fixture(scope="module")
def outputs(longhaul_fake, tmp_path_factory):
    folder = tmp_path_factory.mktemp("neighbours")
    rows = make(longhaul_fake, folder, "rows", sequences(900, 1, repeat=300), code=3)
    query = make(longhaul_fake, folder, "query", sequences(130, 1)[:60] + sequences(70, 2), code=3)
    return rows, query


@pytest.mark.parametrize("program", ["longhaul", "longhaul_fake"])
@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("own", [True, False])
def test_lists_are_those_of_double_precision(request, outputs, tmp_path, program, metric, center, own):
    out, query = outputs
    flags = ["--metric", metric, "-k", 12, *([] if own else ["--query", query])]
    if center and metric == "l2":
        search(request.getfixturevalue(program), out, tmp_path / "t.csv", *flags, "--center", code=2)
        return
    search(request.getfixturevalue(program), out, tmp_path / "t.csv", *flags,
           *(["--center"] if center else []))
    found = table(tmp_path / "t.csv")
    assert list(found.columns) == [*COLUMNS, "label"]
    rows, base = vectors(out)
    asked, wanted = vectors(out if own else query)
    mean = base.mean(axis=0) if center else 0
    check(found, asked, rows, scores(metric, wanted - mean, base - mean), 12, own)
    ids = pd.read_csv(out / "records.csv", dtype=str).id
    assert list(found.neighbour_id) == list(ids[found.neighbour_row])
    assert list(found.label) == [f"v{row}" for row in found.neighbour_row]


def test_faiss_and_scikit_learn_find_the_same(longhaul, outputs, tmp_path):
    out, query = outputs
    rows, base = vectors(out)
    _, wanted = vectors(query)
    for metric in ("cosine", "dot", "l2"):
        search(longhaul, out, tmp_path / f"{metric}.csv", "--query", query, "--metric", metric)
        values = table(tmp_path / f"{metric}.csv").score.to_numpy().reshape(len(wanted), 10)
        a, b = base.astype("float32"), wanted.astype("float32")
        if metric == "cosine":
            a, b = a / np.linalg.norm(a, axis=1)[:, None], b / np.linalg.norm(b, axis=1)[:, None]
        index = (faiss.IndexFlatL2 if metric == "l2" else faiss.IndexFlatIP)(a.shape[1])
        index.add(a)
        told, _ = index.search(b, 10)
        told = np.sqrt(np.maximum(told, 0)) if metric == "l2" else told
        assert np.allclose(values, told, rtol=1e-4, atol=2e-3 if metric == "l2" else 1e-4)
        if metric != "dot":
            sought = NearestNeighbors(n_neighbors=10, algorithm="brute",
                                      metric="cosine" if metric == "cosine" else "euclidean")
            distances, _ = sought.fit(base).kneighbors(wanted)
            assert np.allclose(values, distances if metric == "l2" else 1 - distances, atol=2e-6)


def test_neither_device_threads_nor_memory_change_a_byte(longhaul, longhaul_fake, outputs, tmp_path):
    out, query = outputs
    for own in ([], ["--query", query]):
        for metric in ("cosine", "dot", "l2"):
            made = []
            for name, program, flags in [("a", longhaul, ["--threads", 1]), ("b", longhaul, []),
                                         ("c", longhaul_fake, ["--threads", 3])]:
                file = tmp_path / f"{name}-{metric}-{len(own)}.csv"
                search(program, out, file, "--metric", metric, *own, *flags)
                made.append(file.read_bytes())
            assert made[0] == made[1] == made[2]


def test_the_list_does_not_depend_on_blocks(longhaul_fake, tmp_path):
    """So little memory that both sides are read in many blocks."""
    out = make(longhaul_fake, tmp_path, "rows", sequences(2000, 3, repeat=900), code=3,
               model={"dimension": 1500})
    whole = json.loads(search(longhaul_fake, out, tmp_path / "a.csv", "--json").out)
    limit = 0
    for limit in range(16, 400, 2):  # the least that is enough: the program's own size is unknown
        tried = longhaul_fake("neighbours", out, "-o", tmp_path / "b.csv", "--memory-limit",
                              f"{limit}M", "--json")
        if tried.code == 0:
            break
        assert tried.code == 71 and "raise --memory-limit" in tried.err, tried
    assert json.loads(tried.out)["passes"] > 2 > whole["passes"]
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_more_neighbours_than_rows(longhaul_fake, tmp_path):
    out = make(longhaul_fake, tmp_path, "few", ["ACDEF", "MKLV", "MK?L", "GGHIK"], code=3)
    result = search(longhaul_fake, out, tmp_path / "t.csv", "-k", 50, "--json")
    assert "3 of them have fewer than 50 neighbours" in result.err
    assert "1 rejected of" in result.err
    rows, base = vectors(out)
    check(table(tmp_path / "t.csv"), rows, rows, scores("cosine", base, base), 50, True)
    summary = json.loads(result.out)
    assert summary["pairs"] == 6 and summary["with_fewer"] == 3 and summary["queries"] == 3
    assert summary["left_out"] == {"rejected": 1, "duplicates": 0, "no_direction": 0}
    alone = make(longhaul_fake, tmp_path, "one", ["ACDEF"])
    search(longhaul_fake, alone, tmp_path / "one.csv")
    assert len(table(tmp_path / "one.csv")) == 0


def test_tens_of_thousands_of_neighbours(longhaul_fake, tmp_path):
    out = make(longhaul_fake, tmp_path, "rows", sequences(300, 12, repeat=100), code=3)
    rows, base = vectors(out)
    summary = json.loads(search(longhaul_fake, out, tmp_path / "t.csv", "-k", 100000, "--json").out)
    assert summary["pairs"] == len(rows) * (len(rows) - 1)
    check(table(tmp_path / "t.csv"), rows, rows, scores("cosine", base, base), 100000, True)


def test_memory_is_flat_where_all_are_equally_near(longhaul_fake, tmp_path):
    """All pairs tie: as many candidates as there are pairs, in one block of rows a gigabyte."""
    peaks = []
    for count in (1000, 12000):
        out = make(longhaul_fake, tmp_path, f"same{count}", ["ACDEF"] * count, model={"dimension": 2})
        done = run_measured(longhaul_fake.path, "neighbours", out, "-o", tmp_path / f"{count}.csv",
                            "-k", 2, "-q", timeout=3600)
        assert done.code == 0, done
        found = table(tmp_path / f"{count}.csv").neighbour_row.to_numpy().reshape(count, 2)
        assert found[0].tolist() == [1, 2] and found[1].tolist() == [0, 2]
        assert (found[2:] == [0, 1]).all()
        peaks.append(done.peak_rss)
    assert peaks[1] < peaks[0] + 150 * MIB, [peak / MIB for peak in peaks]


def test_equal_vectors_have_no_direction_less_their_mean(longhaul_fake, tmp_path):
    out = make(longhaul_fake, tmp_path, "same", ["ACDEF"] * 5)
    search(longhaul_fake, out, tmp_path / "t.csv", "-k", 3)
    found = table(tmp_path / "t.csv")
    assert list(found.neighbour_row[:6]) == [1, 2, 3, 0, 2, 3] and np.allclose(found.score, 1)
    result = search(longhaul_fake, out, tmp_path / "c.csv", "--center", "--json")
    assert json.loads(result.out)["left_out"]["no_direction"] == 5
    assert "5 without direction of" in result.err and len(table(tmp_path / "c.csv")) == 0
    search(longhaul_fake, out, tmp_path / "l.csv", "--metric", "l2", "-k", 2)
    assert set(table(tmp_path / "l.csv").score) == {0}


def test_parquet_has_the_same_lines_and_what_made_them(longhaul, outputs, tmp_path):
    out, query = outputs
    search(longhaul, out, tmp_path / "t.csv", "--query", query, "--transfer", "label")
    result = search(longhaul, out, tmp_path / "t.parquet", "--query", query, "--transfer", "label",
                    "-q", "--json")
    assert result.err == ""
    frame, lines = pl.read_parquet(tmp_path / "t.parquet"), table(tmp_path / "t.csv")
    assert frame.columns == list(lines.columns) == [*COLUMNS, "label", "transferred.label"]
    for name in frame.columns:
        assert frame[name].to_list() == list(lines[name]), name
    nearest = lines[lines["rank"] == 1].set_index("row").label
    assert list(lines["transferred.label"]) == list(nearest[lines.row])


def test_fields_are_quoted_and_names_kept_apart(longhaul_fake, tmp_path):
    kept = ["plain", "a, b", 'say "x"', "two\nlines"]
    out = make(longhaul_fake, tmp_path, "kept", ["ACDEF", "MKLV", "GGHIK", "WYACD"], kept=kept)
    search(longhaul_fake, out, tmp_path / "t.csv", "-k", 1)
    found = table(tmp_path / "t.csv")
    assert list(found.label) == [kept[row] for row in found.neighbour_row]
    (tmp_path / "in.csv").write_text("id,sequence,score\na,ACDEF,7\nb,MKLV,8\n")
    assert longhaul_fake("embed", tmp_path / "kept.json", tmp_path / "in.csv", "-o", tmp_path / "s",
                         "-q", "--keep-column", "score").code == 0
    search(longhaul_fake, tmp_path / "s", tmp_path / "s.csv", "--transfer", "score")
    lines = pd.read_csv(tmp_path / "s.csv")
    assert list(lines.columns) == [*COLUMNS, "input.score", "transferred.score"]
    assert list(lines["input.score"]) == [8, 7]


def test_layers(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 100, layers=["early"])
    out = tmp_path / "out"
    job.finish(out)
    rows = np.flatnonzero(pd.read_csv(out / "records.csv").status == "ok")
    for flags, name in [([], "embeddings.npy"), (["--layer", "early"], "embeddings.early.npy")]:
        file = tmp_path / f"{name}.csv"
        search(longhaul_fake, out, file, *flags)
        base = np.load(out / name)[rows].astype("float64")
        check(table(file), rows, rows, scores("cosine", base, base), 10, True)


@pytest.mark.parametrize("flags,model", [
    (["--normalize", "l2"], {}), (["--too-long", "truncate"], {}), ([], {"dimension": 25})])
def test_other_models_and_settings_are_refused(longhaul_fake, outputs, tmp_path, flags, model):
    query = make(longhaul_fake, tmp_path, "other", ["ACDEF", "MKLV"], *flags, model=model)
    result = search(longhaul_fake, outputs[0], tmp_path / "t.csv", "--query", query, code=65)
    assert "not comparable" in result.err and not (tmp_path / "t.csv").exists()
    assert list(tmp_path.glob("*.longhaul-export*")) == []


def test_a_damaged_row_is_not_believed(longhaul_fake, tmp_path):
    out = make(longhaul_fake, tmp_path, "rows", ["ACDEF", "MKLV", "GGHIK"])
    data = bytearray((out / "embeddings.npy").read_bytes())
    data[-3] ^= 1
    (out / "embeddings.npy").write_bytes(data)
    result = search(longhaul_fake, out, tmp_path / "t.csv", code=65)
    assert "row 2 does not match its checksum" in result.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["rows", "rows.input.csv", "rows.json"]


def test_a_stop_leaves_nothing(longhaul_fake, tmp_path):
    out = make(longhaul_fake, tmp_path, "rows", sequences(6000, 5), code=3, model={"dimension": 700})
    process = subprocess.Popen([longhaul_fake.path, "neighbours", out, "-o", tmp_path / "t.csv",
                                "--threads", "1"], stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (tmp_path / "t.csv.longhaul-export").exists():
        time.sleep(0.01)
    process.terminate()
    err = process.communicate()[1]
    assert process.returncode in (0, 75), err
    if process.returncode == 75:
        assert "the same command begins it again" in err and not (tmp_path / "t.csv").exists()
    assert not list(tmp_path.glob("*.longhaul-export"))


def test_memory_is_flat(longhaul_fake, tmp_path):
    """Ten times the rows, and no more memory than a bit a row. 10 million with LONGHAUL_LONG."""
    most = 10_000_000 if LONG else 200_000
    queries = make(longhaul_fake, tmp_path, "query", sequences(100, 9), code=3, model={"dimension": 8})
    peaks = []
    for rows in (most // 10, most):
        path = tmp_path / "rows.csv"
        chance = random.Random(rows)
        with open(path, "w") as file:
            file.write("sequence\n")
            for _ in range(rows):
                file.write("".join(chance.choices("ACDEFGHIKLMNPQRSTVWY", k=12)) + "\n")
        out = tmp_path / f"out-{rows}"
        assert longhaul_fake("embed", tmp_path / "query.json", path, "-o", out, "-q").code == 0
        done = run_measured(longhaul_fake.path, "neighbours", out, "--query", queries, "-o",
                            tmp_path / f"{rows}.csv", "--json", "-q", timeout=3600)
        assert done.code == 0, done
        assert json.loads(done.out)["rows"] == rows
        peaks.append(done.peak_rss)
        print(f"\n{rows:,} rows: {done.seconds:.1f} s, peak {done.peak_rss / MIB:.0f} MiB")
    assert peaks[1] < peaks[0] + most / 8 * 3 + 16 * MIB
