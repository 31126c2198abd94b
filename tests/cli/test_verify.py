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


@pytest.mark.parametrize("name", ["ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA",
                                  "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR"])
def test_a_cap_on_kernels_is_another_machine(longhaul_fake, tmp_path, name):
    slow = Job(longhaul_fake, tmp_path, 200, rate=300)
    out = tmp_path / "out"
    assert slow.run_fake(*slow.arguments(out, "--time-limit", "300ms")).code == 75
    done = slow.run_fake(*slow.arguments(out), env={name: "AVX2"})
    assert done.code == 3 and "low bits may differ" in done.err, done
    run = json.loads((out / "run.json").read_text())
    assert run["bits"] == "numeric" and name in run["bits_reasons"][0]

    capped = tmp_path / "capped"
    assert slow.run_fake(*slow.arguments(capped), env={name: "AVX2"}).code == 3
    assert json.loads((capped / "run.json").read_text())["bits"] == "exact"
    same = slow.run_fake("verify", capped, "--recompute", 9, "--json", env={name: "AVX2"})
    assert json.loads(same.out)["recomputed"]["asked"] == "same bits"
    for env in {name: "AVX512"}, {}, {name: ""}:
        other = slow.run_fake("verify", capped, "--recompute", 9, "--json", env=env)
        assert json.loads(other.out)["recomputed"]["asked"] == "within tolerance"
        assert other.code == 0


@pytest.mark.parametrize("model", [{"nan_in_company": 100, "part_tokens": 384},
                                   {"nan_in_half": 20, "part_tokens": 384}], ids=str)
def test_rows_that_were_computed_once_more_verify(longhaul_fake, tmp_path, model):
    job = Job(longhaul_fake, tmp_path, 1200, window=4096, **model)
    out = tmp_path / "out"
    half = "nan_in_half" in model
    job.finish(out, "--dtype", "fp16" if half else "fp32")
    run = json.loads((out / "run.json").read_text())
    assert run["sessions"][0]["timings"]["not_finite"] > 5
    # By itself is another shape; in float32, in its own, it is not.
    assert (run["counts"]["computed_alone"] > 5) == (not half)
    assert run["counts"]["reshaped"] == 0
    assert run["bits"] == ("exact" if half else "numeric")
    assert not any("memory" in reason for reason in run["bits_reasons"])
    result, told = verify(job, out, "--recompute", 2000)
    assert result.code == 0, result
    assert told["recomputed"]["equal"] == told["recomputed"]["rows"] == run["counts"]["ok"]


@pytest.mark.parametrize("given", ["", "other", "shorter"])
def test_recomputing_what_came_by_standard_input(job, tmp_path, given):
    out = tmp_path / "out"
    text = job.input.read_text()
    command = ["embed", job.model, "-", "--format", "csv", "-o", out, *job.options]
    assert job.run_fake(*command, stdin=text).code == 3
    wrong = {"": "", "other": text.replace("r3,A", "r3,C").replace("M", "L"),
             "shorter": "\n".join(text.splitlines()[:9])}[given]
    result = job.run_fake("verify", out, "--recompute", 5, stdin=wrong)
    assert result.code == 65, result
    assert "give the input again on standard input" in result.err
    assert "restore" not in result.err and "differs from a new computation" not in result.out
    good = job.run_fake("verify", out, "--recompute", 5, stdin=text)
    assert good.code == 0, good
    assert "input matches" in good.out
    assert job.run_fake("verify", out, stdin="").code == 0  # without it nothing is read


def test_recomputing_from_a_file_that_changed_says_so_and_blames_no_row(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 100)
    job.reference()
    job.input.write_text(job.input.read_text().replace("A", "C"))
    result, told = verify(job, tmp_path / "reference", "--recompute", 50)
    assert result.code == 65 and told["input"] == "differs"
    assert "with other content" in told["findings"][0]["what"] and len(told["findings"]) == 1
    assert "restore the input" in result.err and "copy" not in result.err
