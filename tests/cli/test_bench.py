"""longhaul bench: the figures are there and fit together."""

import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    subprocess.run([sys.executable, "-W", "ignore", ROOT / "tests/torch/make_models.py", folder],
                   check=True)
    return folder / "plain.ts"


def test_the_figures_fit_together(longhaul, model):
    result = longhaul("bench", model, "--device", "cpu", "--records", 512, "--threads", 1, "--json")
    assert result.code == 0, result
    told = json.loads(result.out)
    assert told["records"] == 512 and told["device"] == "cpu"
    assert 0.8 < told["padding_efficiency"] <= 1
    assert told["peak_gflops"] > 0 and told["useful_gflops"] > 0
    assert told["useful_over_peak"] == pytest.approx(told["useful_gflops"] / told["peak_gflops"])
    assert told["pipeline_over_bare"] == pytest.approx(
        told["pipeline_records_per_second"] / told["bare_records_per_second"])
    assert 0 <= told["idle_share"] <= 1


def test_the_table_names_the_same_figures(longhaul, model):
    result = longhaul("bench", model, "--device", "cpu", "--records", 16)
    assert result.code == 0, result
    for text in ("matrix products, peak", "whole pipeline", "padding efficiency"):
        assert text in result.out


def test_bad_choices_are_usage_errors(longhaul, model):
    assert longhaul("bench", model, "--dtype", "fp8").code == 2
    assert longhaul("bench", model, "--records", 0).code == 2
    for devices in ("cuda:0,1", "cuda:all"):
        result = longhaul("bench", model, "--device", devices)
        assert result.code == 2 and "bench measures one device" in result.err, result
    result = longhaul("bench", model, "--processes", 2)
    assert result.code == 2 and "--processes" in result.err, result
