"""The Python package where an output is updated while it is held: never rows of two generations."""

import gc
import os
import pathlib
import pickle
import sys

import numpy as np
import pytest

from fake_run import Job

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "python"))

import longhaul  # noqa: E402

UPDATED = "out was updated or removed since it was opened; open it again"
READS = {
    "vectors": lambda run: run.vectors,
    "a layer": lambda run: run.array("embeddings.early"),
    "residues": lambda run: run.tokens(0),
    "records": lambda run: run.records,
    "info": lambda run: run.info,
}


class Night:
    """An output of 40 records, and an input of as many, of which the first is gone and one came."""

    def __init__(self, program, folder):
        self.job = Job(program, folder, 40, layers=["early"], tokens=True)
        self.out = folder / "out"
        self.job.finish(self.out)

    def change(self):
        lines = self.job.input.read_text().splitlines()
        self.job.input.write_text("\n".join([lines[0], *lines[2:], "come,ACDEFGHIKL"]) + "\n")

    def update(self):
        self.change()
        self.job.finish(self.out, "--update")

    def exchange(self):
        """The moment of an update at which the older generation still lies where it was made."""
        self.change()
        new, old = self.out.with_name("new"), self.out.with_name("out.update")
        self.job.finish(new)
        self.out.rename(old)
        new.rename(self.out)


@pytest.fixture
def night(longhaul_fake, folder):
    return Night(longhaul_fake, folder)


@pytest.fixture(params=["in the directory", "by path"])
def opening(request, monkeypatch):
    """How files are opened; by path where the system knows nothing else."""
    if request.param == "by path":
        monkeypatch.setattr(os, "supports_dir_fd", set())
    return request.param


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_old_records_get_no_new_vectors(night, opening, read):
    run, used = longhaul.open(night.out), longhaul.open(night.out)
    old, ok, residues = used.vectors, used.ok, used.tokens(0)
    before = np.array(old)
    night.update()
    with pytest.raises(longhaul.OutputError, match=UPDATED):
        read(run)
    with pytest.raises(longhaul.OutputError, match=UPDATED):
        used.vectors
    # What was asked for before is of the old generation, all of it.
    assert used.records.id[0] == "r0" and "come" not in set(used.records.id)
    assert np.array_equal(old, before, equal_nan=True) and np.isfinite(old[ok]).all()
    assert np.array_equal(used.tokens(0), residues)
    again = longhaul.open(night.out)
    assert again.records.id.iloc[-1] == "come" and again.ok[-1]
    assert np.array_equal(again.vectors[:-1], before[1:], equal_nan=True)


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_generation_is_read_while_its_files_exist(night, read):
    run = longhaul.open(night.out)
    run.records
    night.exchange()
    assert str(read(run)) == str(read(longhaul.open(night.out.with_name("out.update"))))
    assert str(read(run)) != str(read(longhaul.open(night.out)))
    older = np.load(night.out.with_name("out.update") / "embeddings.npy")
    assert np.array_equal(run.vectors, older, equal_nan=True)


def test_by_path_an_older_generation_is_not_found(night, monkeypatch):
    monkeypatch.setattr(os, "supports_dir_fd", set())
    run = longhaul.open(night.out)
    night.exchange()
    for read in READS.values():
        with pytest.raises(longhaul.OutputError, match=UPDATED):
            read(run)


@pytest.mark.parametrize("name", ["embeddings.npy", "records.csv"])
def test_while_the_older_generation_is_removed_no_damage_is_claimed(night, name):
    run = longhaul.open(night.out)
    night.exchange()
    night.out.with_name("out.update").joinpath(name).unlink()
    with pytest.raises(longhaul.OutputError, match=UPDATED):
        READS["vectors" if name == "embeddings.npy" else "records"](run)
    assert run.info["model"]


def test_a_retry_is_an_update(night, opening):
    run = longhaul.open(night.out)
    accepted = run.ok.sum()
    assert night.job.run_fake(*night.job.arguments(night.out, "--retry-rejects", "--unknown",
                                                   "token")).code in (0, 3)
    with pytest.raises(longhaul.OutputError, match=UPDATED):
        run.vectors
    assert longhaul.open(night.out).ok.sum() > accepted


def test_the_same_command_and_other_times_are_no_update(night, opening):
    run = longhaul.open(night.out)
    night.job.finish(night.out)
    night.job.finish(night.out, "--update")
    for path in night.out.iterdir():
        os.utime(path, (1, 1))
    copy = night.out / "copy"
    copy.write_bytes((night.out / "journal.jsonl").read_bytes())
    copy.rename(night.out / "journal.jsonl")
    for read in READS.values():
        read(run)


def test_an_output_that_moved_is_read_where_it_is(night):
    run = longhaul.open(night.out)
    night.out.rename(night.out.with_name("elsewhere"))
    assert run.vectors.shape == (40, 16)


def test_a_relative_path_leads_on_after_a_change_of_directory(night, opening, monkeypatch):
    monkeypatch.chdir(night.out.parent)
    run = longhaul.open("out")
    monkeypatch.chdir("/")
    assert run.vectors.shape == (40, 16) and str(run.path) == "out"
    assert pathlib.Path(run.vectors.filename) == night.out / "embeddings.npy"
    (night.out / "run.json").unlink()
    with pytest.raises(longhaul.OutputError, match="run.json is missing or damaged"):
        run.info


def test_pickles_know_their_generation(night, opening):
    run = longhaul.open(night.out)
    run.records
    kept = pickle.dumps(run)
    copied = pickle.loads(kept)
    assert np.array_equal(copied.vectors, run.vectors, equal_nan=True)
    night.update()
    for late in (copied, pickle.loads(kept)):
        assert late.records.id[0] == "r0" and len(late) == 40
        with pytest.raises(longhaul.OutputError, match=UPDATED):
            late.vectors
    night.out.rename(night.out.with_name("elsewhere"))
    with pytest.raises(longhaul.OutputError, match=UPDATED):
        pickle.loads(kept).vectors


def test_what_is_held_is_let_go(night):
    if not os.path.isdir("/dev/fd"):
        pytest.skip("no list of descriptors")
    gc.collect()
    before = len(os.listdir("/dev/fd"))
    runs = [longhaul.open(night.out) for _ in range(20)]
    for run in runs:
        run.records
    assert len(os.listdir("/dev/fd")) == before + 20
    run = None
    runs.clear()
    gc.collect()
    assert len(os.listdir("/dev/fd")) == before
