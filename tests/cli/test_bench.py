"""longhaul bench: the figures are there and fit together."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import PIL.Image
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


def test_the_profile_adds_up(longhaul, model):
    result = longhaul("bench", model, "--device", "cpu", "--records", 64, "--threads", 1,
                      "--profile", "--json")
    assert result.code == 0, result
    profile = json.loads(result.out)["profile"]
    operators = profile["operators"]
    assert sum(one["seconds"] for one in operators) == pytest.approx(profile["seconds"])
    assert 0 < profile["seconds"] <= profile["thread_seconds"]
    kinds = {kind["kind"]: kind["seconds"] for kind in profile["kinds"]}
    for kind, seconds in kinds.items():
        assert seconds == pytest.approx(
            sum(one["seconds"] for one in operators if one["kind"] == kind))
    assert operators == sorted(operators, key=lambda one: -one["seconds"])
    assert all(one["calls"] > 0 for one in operators)
    table = longhaul("bench", model, "--device", "cpu", "--records", 16, "--profile")
    assert table.code == 0 and "where the encoder's time goes" in table.out, table
    assert "outside of operators" in table.out


def test_records_of_an_input(longhaul, longhaul_fake, model, tmp_path):
    text = tmp_path / "in.csv"
    text.write_text("sequence\n" + "ACDEFGHIKL\n" * 40)
    for count, taken in ((16, 16), (100, 40)):
        result = longhaul("bench", model, text, "--device", "cpu", "--records", count, "--json")
        assert result.code == 0 and json.loads(result.out)["records"] == taken, result
    text.write_text("sequence\n???\n")
    assert longhaul("bench", model, text, "--device", "cpu").code == 65


def test_a_model_of_images(longhaul, tiny_image_model, tmp_path):
    pixels = np.random.default_rng(7).integers(0, 256, (40, 48, 3), dtype=np.uint8)
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(6):
        PIL.Image.fromarray(np.roll(pixels, i, axis=0)).save(folder / f"{i}.jpg")
    result = longhaul("bench", tiny_image_model, folder, "--device", "cpu", "--records", 5,
                      "--profile", "--json")
    assert result.code == 0, result
    told = json.loads(result.out)
    assert told["records"] == 5 and told["records_are"] == "the input's first"
    assert told["pipeline_records_per_second"] > 0 and 0.3 < told["padding_efficiency"] <= 1
    assert "useful_gflops" not in told and told["profile"]["seconds"] > 0
    assert longhaul("bench", tiny_image_model, folder, "--device", "cpu").code == 0


def test_generated_pixels(longhaul, tiny_image_model):
    """Without an input nothing is decoded: the program does not even load the module that could."""
    result = longhaul("bench", tiny_image_model, "--device", "cpu", "--records", 70, "--json",
                      env={"LD_DEBUG": "files"})
    assert result.code == 0, result
    told = json.loads(result.out)
    assert told["records"] == 70 and told["records_are"] == "generated pixels, nothing decoded"
    assert told["bare_records_per_second"] > 0 and told["pipeline_records_per_second"] > 0
    assert 0.3 < told["padding_efficiency"] <= 1 and 0 <= told["idle_share"] <= 1
    if sys.platform == "linux":
        assert "libtorch_cpu" in result.err and "longhaul_vision" not in result.err
    table = longhaul("bench", tiny_image_model, "--device", "cpu", "--records", 8)
    assert table.code == 0 and "8 records (generated pixels, nothing decoded)" in table.out, table
