"""longhaul verify: what it finds in an output that was changed after it was made."""

import json
import shutil

import numpy as np
import pytest

from fake_run import Job


@pytest.fixture(scope="module")
def job(longhaul_fake, tmp_path_factory):
    job = Job(longhaul_fake, tmp_path_factory.mktemp("job"), 300)
    job.reference()
    return job


@pytest.fixture
def out(job, tmp_path):
    shutil.copytree(job.folder / "reference", tmp_path / "out")
    return tmp_path / "out"


def verify(job, out, *more):
    result = job.run_fake("verify", out, "--json", *more)
    return result, json.loads(result.out)


def test_an_output_as_it_was_made_verifies(job, out):
    result, told = verify(job, out)
    assert result.code == 0
    assert told["good"] and told["finished"] and not told["findings"]
    assert told["rows"] == 300 == told["ok"] + told["rejected"]
    assert told["model"] == told["input"] == "matches"
    text = job.run_fake("verify", out)
    assert text.code == 0 and "300 rows" in text.out


def test_a_changed_row_is_named_in_one_line(job, out):
    rows = np.load(out / "embeddings.npy", mmap_mode="r+")
    rows[41, 3] += 1
    rows.flush()
    result, told = verify(job, out)
    assert result.code == 65
    assert [f["where"] for f in told["findings"]] == [f"{out}/embeddings.npy row 41"]
    assert result.err.count("\n") == 1 and "row 41: does not match its checksum" in result.err


def test_recomputed_rows_have_the_same_bits(job, out):
    result, told = verify(job, out, "--recompute", 20, "--seed", 1)
    assert result.code == 0
    assert told["recomputed"]["rows"] == told["recomputed"]["equal"] == 20


def test_recomputing_finds_a_row_whose_checksum_was_forged(job, out):
    first = next(i for i, row in enumerate(np.load(out / "embeddings.npy"))
                     if np.isfinite(row).all())
    other = next(i for i, row in enumerate(np.load(out / "embeddings.npy"))
                 if np.isfinite(row).all() and i > first)
    for name in ("embeddings.npy", "checksums.npy"):
        data = np.load(out / name, mmap_mode="r+")
        data[first] = data[other]
        data.flush()
    assert verify(job, out)[0].code == 0  # nothing inside the directory can tell
    result, told = verify(job, out, "--recompute", 300)
    assert result.code == 65
    assert told["findings"][0]["where"] == f"{out}/embeddings.npy row {first}"


def test_another_input_or_model_at_the_recorded_place_is_named(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 50)
    job.reference()
    out = tmp_path / "reference"
    job.input.write_text(job.input.read_text().replace("r3,", "r3x,"))
    result, told = verify(job, out)
    assert result.code == 65 and told["input"] == "differs" and told["model"] == "matches"
    assert "with other content" in told["findings"][0]["what"]
    job.input.unlink()
    result, told = verify(job, out)
    assert result.code == 0 and told["input"] == "not at hand"
    job.model.write_text(job.model.read_text() + " ")
    result, told = verify(job, out)
    assert result.code == 65 and told["model"] == "differs"


def test_what_is_no_output_is_refused(job, tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    assert job.run_fake("verify", tmp_path).code == 73
    assert job.run_fake("verify", tmp_path / "absent").code == 74
    assert job.run_fake("verify").code == 2
