"""The Python package: what it reads is what the output holds, or it says what to do."""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest

from fake_run import Job

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))

import longhaul  # noqa: E402


@pytest.fixture(scope="module")
def job(longhaul_fake, tmp_path_factory):
    made = Job(longhaul_fake, tmp_path_factory.mktemp("package"), 300, layers=["early"],
               tokens=True)
    lines = made.input.read_text().splitlines()
    lines[1] = "NA," + lines[1].split(",")[1]
    lines[2] = "007," + lines[2].split(",")[1]
    made.input.write_text("\n".join(
        line + (",label" if row == 0 else f",{'' if row == 3 else row % 3}")
        for row, line in enumerate(lines)) + "\n")
    made.options += ["--keep-column", "label"]
    made.out = made.folder / "out"
    made.finish(made.out)
    return made


@pytest.fixture
def finished(tmp_path):
    """A finished output, made without the program: `finished(lines of records.csv)`."""
    def make(table):
        names = ("embeddings", "embeddings.early")
        outputs = [{"name": name, "kind": "vector", "dimension": 4, "dtype": "fp32"}
                   for name in names]
        rows = len(table) - 1
        lines = [{"kind": "begin", "version": 2, "layout": {"outputs": outputs}},
                 {"kind": "finish", "rows": rows}]
        (tmp_path / "journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        (tmp_path / "records.csv").write_text("\n".join(table) + "\n")
        (tmp_path / "run.json").write_text('{"model": {"sha256": "12"}, "bits": "exact"}')
        for i, name in enumerate(names):
            vectors = np.arange(4 * rows, dtype="<f4").reshape(rows, 4) + 1000 * i
            np.save(tmp_path / f"{name}.npy", vectors)
        return longhaul.open(tmp_path)
    return make


OWN = "row,id,source,status,length,truncated,substituted"


def test_kept_columns_are_text_whatever_they_hold(finished):
    many = 300000  # more than pandas looks at in one piece
    run = finished([f"{OWN},gaps,hash,duplicate_of,tag,input.length,windows"] + [
        f"{i},{i},a.csv,ok,5,false,0,1,ab,,{'007' if i < many - 2 else 'x' if i < many - 1 else ''}"
        f",1.50,NA" for i in range(many)])
    records = run.records
    assert set(map(type, records.tag)) == {str}
    assert records.tag[0] == "007" and list(records.tag[-2:]) == ["x", ""]
    assert records["input.length"][0] == "1.50" and records.windows[0] == "NA"
    assert records.id[7] == "7" and set(records.duplicate_of) == {""}
    for name in ("row", "length", "substituted", "gaps"):
        assert records[name].dtype == np.int64, name
    assert records.truncated.dtype == np.bool_


def test_a_kept_column_with_a_name_of_ours_is_text(finished):
    run = finished([f"{OWN},hash,duplicate_of,gaps", "0,a,a.csv,ok,5,true,0,ab,,007",
                    "1,b,a.csv,ok,6,false,0,cd,,"])
    assert list(run.records.gaps) == ["007", ""]
    assert list(run.records.truncated) == [True, False]


class StubAnnData:
    """What to_anndata() gives to anndata, where that is not installed."""

    def __init__(self, X, obs):
        self.X, self.obs, self.obsm, self.uns = X, obs, {}, {}


@pytest.mark.parametrize("second", ["b", "a"])
def test_what_anndata_is_given(finished, monkeypatch, second):
    stub = types.ModuleType("anndata")
    stub.AnnData = StubAnnData
    monkeypatch.setitem(sys.modules, "anndata", stub)
    run = finished([f"{OWN},hash,duplicate_of,tag", "0,a,a.csv,ok,5,false,0,ab,,007",
                    "1,x,a.csv,rejected,0,false,0,,,1", f"2,{second},a.csv,ok,6,false,0,cd,,",
                    "3,c,a.csv,duplicate,6,false,0,cd,2,2"])
    found = run.to_anndata()
    kept = [0, 2]
    assert type(found.X) is np.ndarray and np.array_equal(found.X, run.vectors[kept])
    assert list(found.obs.index) == (["a", "b"] if second == "b" else ["0", "2"])
    assert list(found.obs.tag) == ["007", ""] and list(found.obs.row) == kept
    assert list(found.obsm) == ["embeddings.early"]
    assert np.array_equal(found.obsm["embeddings.early"], run.array("embeddings.early")[kept])
    assert json.loads(found.uns["longhaul"]) == {"model": {"sha256": "12"}, "bits": "exact"}


@pytest.fixture
def anndata():
    """Where it is: anndata 0.12 and pandas 3 exclude each other."""
    return pytest.importorskip("anndata")


@pytest.fixture
def out(job, tmp_path):
    shutil.copytree(job.out, tmp_path / "out")
    return tmp_path / "out"


def test_arrays_records_and_run(job):
    run = longhaul.open(job.out)
    stored = np.load(job.out / "embeddings.npy")
    assert isinstance(run.vectors, np.memmap) and not run.vectors.flags.writeable
    assert np.array_equal(run.vectors, stored, equal_nan=True)
    assert len(run) == 300 == len(run.records)
    assert list(run.records.id[:2]) == ["NA", "007"]
    assert run.records.source[0].endswith("input.csv")
    assert np.array_equal(run.ok, ~np.isnan(stored).any(axis=1)) and 0 < (~run.ok).sum() < 60
    assert np.isfinite(run.vectors[run.ok]).all()
    early = np.load(job.out / "embeddings.early.npy")
    assert np.array_equal(run.array("embeddings.early"), early, equal_nan=True)
    assert [array.name for array in run.arrays] == ["embeddings", "embeddings.early", "tokens"]
    assert run.info["model"]["sha256"] == json.loads((job.out / "run.json").read_text())["model"][
        "sha256"]
    assert "300 records" in repr(run)


def test_residues(job):
    run = longhaul.open(job.out)
    for row in (0, 11, 299, -1):
        assert run.tokens(row).shape == (run.records.length.iloc[row], 16)
    rejected = int(np.flatnonzero(~run.ok)[0])
    assert run.tokens(rejected).shape == (0, 16)
    everything = np.concatenate([run.tokens(row) for row in range(len(run))])
    assert np.array_equal(everything, run.array("tokens"))
    with pytest.raises(IndexError):
        run.tokens(300)


def test_anndata(anndata, job, tmp_path):
    run = longhaul.open(job.out)
    found = run.to_anndata()
    assert found.shape == (run.ok.sum(), 16)
    assert np.array_equal(found.X, run.vectors[run.ok])
    assert np.array_equal(found.obsm["embeddings.early"], run.array("embeddings.early")[run.ok])
    assert list(found.obs_names) == list(run.records.id[run.ok])
    assert list(found.obs["label"].astype(str)) == list(run.records.label[run.ok].astype(str))
    assert json.loads(found.uns["longhaul"])["bits"] == "exact"
    found.write_h5ad(tmp_path / "t.h5ad")
    again = anndata.read_h5ad(tmp_path / "t.h5ad")
    assert np.array_equal(again.X, found.X) and list(again.obs_names) == list(found.obs_names)
    assert list(again.obs["source"].astype(str)) == list(run.records.source[run.ok])


def test_anndata_where_an_id_occurs_twice_is_named_by_rows(anndata, longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 20)
    job.input.write_text(job.input.read_text().replace("r3,", "r2,"))
    job.finish(tmp_path / "out")
    run = longhaul.open(tmp_path / "out")
    assert list(run.to_anndata().obs_names) == [str(row) for row in np.flatnonzero(run.ok)]


def test_half_precision_and_single_arrays(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 20)
    job.finish(tmp_path / "out", "--output-dtype", "fp16")
    run = longhaul.open(tmp_path / "out")
    assert run.vectors.dtype == np.float16
    with pytest.raises(longhaul.OutputError, match="no array 'tokens'; there are embeddings"):
        run.tokens(0)


def test_outputs_of_version_1():
    names = [path.parent for path in sorted((ROOT / "tests/cli/version_1").rglob("journal.jsonl"))]
    finished = 0
    for folder in names:
        lines = (folder / "journal.jsonl").read_text().splitlines()
        if json.loads(lines[-1])["kind"] == "finish":
            run = longhaul.open(folder)
            assert run.vectors.shape == (len(run), 4) and len(run.records) == len(run)
            finished += 1
        else:
            with pytest.raises(longhaul.NotFinishedError):
                longhaul.open(folder)
    assert finished > 0


def test_what_is_not_finished_is_refused_until_it_is(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 60, rate=100)
    stopped = longhaul_fake(*job.arguments(tmp_path / "out", "--time-limit", "200ms"))
    assert stopped.code == 75
    with pytest.raises(longhaul.NotFinishedError, match="give its embed command again"):
        longhaul.open(tmp_path / "out")
    job.finish(tmp_path / "out")
    assert len(longhaul.open(tmp_path / "out")) == 60


def test_shards_are_refused_until_they_are_merged(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 60)
    assert longhaul_fake(*job.arguments(tmp_path / "out", "--shard", "1/1")).code == 0
    with pytest.raises(longhaul.NotFinishedError, match="longhaul merge .*out first"):
        longhaul.open(tmp_path / "out")
    assert longhaul_fake("merge", tmp_path / "out").code == 3
    assert len(longhaul.open(tmp_path / "out")) == 60


def test_what_is_no_output_is_refused(tmp_path):
    with pytest.raises(longhaul.OutputError, match="is not a folder"):
        longhaul.open(tmp_path / "nothing")
    with pytest.raises(longhaul.OutputError, match="has no journal.jsonl"):
        longhaul.open(tmp_path)
    (tmp_path / "journal.jsonl").write_text("what\n")
    with pytest.raises(longhaul.OutputError, match="run longhaul verify"):
        longhaul.open(tmp_path)


def test_another_version_is_refused(out):
    path = out / "journal.jsonl"
    path.write_text(path.read_text().replace('"version":2', '"version":9'))
    with pytest.raises(longhaul.OutputError, match="of version 9, and this package knows 1, 2"):
        longhaul.open(out)


@pytest.mark.parametrize("name, spoil, read", [
    ("embeddings.npy", lambda data: data[:-4], lambda run: run.vectors),
    ("embeddings.npy", lambda data: data.replace(b"(300, 16)", b"(150, 32)"),
     lambda run: run.vectors),
    ("tokens.npy", lambda data: data[:-64], lambda run: run.tokens(0)),
    ("token_offsets.npy", lambda data: b"", lambda run: run.tokens(0)),
    ("records.csv", lambda data: data[:data.rindex(b"\n", 0, -1) + 1], lambda run: run.records),
    ("run.json", lambda data: data[:-9], lambda run: run.info),
])
def test_damage_is_named(out, name, spoil, read):
    path = out / name
    whole = path.read_bytes()
    path.write_bytes(spoil(whole))
    assert path.read_bytes() != whole
    with pytest.raises(longhaul.OutputError, match=rf"{name} is missing or damaged: .*verify"):
        read(longhaul.open(out))
    path.unlink()
    with pytest.raises(longhaul.OutputError, match=f"{name} is missing or damaged"):
        read(longhaul.open(out))


def test_its_types_hold(tmp_path):
    pytest.importorskip("mypy")
    done = subprocess.run([sys.executable, "-m", "mypy", "--config-file",
                           ROOT / "python/pyproject.toml", "--cache-dir", tmp_path,
                           ROOT / "python/longhaul"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_installs_with_its_types_and_has_the_programs_version(tmp_path):
    pytest.importorskip("setuptools")
    source = tmp_path / "python"
    shutil.copytree(ROOT / "python", source, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps",
                           "--no-build-isolation", "--disable-pip-version-check", "--target",
                           tmp_path / "site", source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site/longhaul/py.typed").exists()
    version = re.search(r"VERSION ([\d.]+) LANGUAGES", (ROOT / "CMakeLists.txt").read_text())[1]
    assert list((tmp_path / "site").glob(f"longhaul-{version}.dist-info"))
