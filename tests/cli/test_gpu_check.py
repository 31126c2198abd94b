"""scripts/gpu_check.py where there is no GPU: its table, and its measuring on a CPU, in small."""

import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import gpu_check  # noqa: E402

SMALL = {"image_size": 32, "patch_size": 8, "hidden_size": 32, "intermediate_size": 64,
         "num_hidden_layers": 2, "num_attention_heads": 4, "projection_dim": 16}


def test_the_table_has_every_figure():
    speed = {"passed": True, "useful_over_peak": 0.6123, "records_per_second": 12345.6,
             "pipeline_over_bare": 0.991, "idle_share": 0.0042}
    results = {
        "cuda equals cpu at fp32": {"part": "CUDA against the CPU", "passed": True},
        "fp32 contract": {"part": "bits tests", "passed": True},
        "bf16 -b 1: the same bits": {"part": "bits tests", "passed": False, "rows_that_differ": 3},
        "ESM-2 650M bf16, 16384 tokens in hand": {"part": "ESM-2 650M", **speed},
        "ViT-B/32 bf16, pixels": {"part": "ViT-B/32", **speed, "passed": False},
        "ViT-L/14": {"part": "ViT-L/14", "passed": False, "error": "bench: exit 71\nno memory\n"},
        "4.5 GiB left: recovers": {"part": "real out-of-memory", "passed": True, "out_of_memory": 0},
        "4.0 GiB left: recovers": {"part": "real out-of-memory", "passed": True, "out_of_memory": 2},
        "out of memory was really met": {"part": "real out-of-memory", "passed": True, "times": 2},
    }
    assert gpu_check.table("a GPU", results).splitlines() == [
        "a GPU", "",
        "| at bfloat16 | records/s | useful share of the peak | pipeline over bare | idle share "
        "| verdict |",
        "|---|---:|---:|---:|---:|---|",
        "| ESM-2 650M bf16, 16384 tokens in hand | 12,346 | 0.612 | 0.991 | 0.004 | ok |",
        "| ViT-B/32 bf16, pixels | 12,346 | 0.612 | 0.991 | 0.004 | FAIL |",
        "| CUDA against the CPU |  |  |  |  | 1 of 1 ok |",
        "| bits tests |  |  |  |  | 1 of 2 ok; bf16 -b 1: the same bits: FAIL |",
        "| ViT-L/14 |  |  |  |  | 0 of 1 ok; ViT-L/14: no memory |",
        "| real out-of-memory |  |  |  |  | 3 of 3 ok; met 2 times |",
    ]


def test_operations_of_an_image():
    """As the papers' figures: 4.4 and 81 billion multiplications, and attention's own."""
    assert gpu_check.image_operations(gpu_check.VIT_B32) / 2 == pytest.approx(4.3e9, rel=0.05)
    assert gpu_check.image_operations(gpu_check.VIT_L14) / 2 == pytest.approx(78e9, rel=0.05)


def test_an_image_tower_is_measured(longhaul, tmp_path):
    check = gpu_check.Check(longhaul.path, tmp_path, device="cpu")
    check.part = "a tower"
    gpu_check.export_image_tower(tmp_path / "small.ts", SMALL)
    gpu_check.image_speed(check, "small", tmp_path / "small.ts", SMALL, records=40)
    (name, figures), = check.results.items()
    assert name == "small bf16, pixels" and figures["records_per_second"] > 0
    assert figures["useful_over_peak"] > 0 and figures["peak_tflops"] > 0
    assert figures["padding_efficiency"] == 1  # 40 images are whole parts of 4
    line = gpu_check.table("this machine", check.results).splitlines()[-1]
    assert line.startswith("| small bf16, pixels | ")


def test_a_sequence_model_is_measured(longhaul, tiny_model, tmp_path):
    check = gpu_check.Check(longhaul.path, tmp_path, device="cpu")
    gpu_check.speed(check, tiny_model, records=64)
    assert len(check.results) == 2
    assert all(result["useful_over_peak"] > 0 for result in check.results.values())


def test_the_bits_are_compared(longhaul, tiny_model, tmp_path):
    check = gpu_check.Check(longhaul.path, tmp_path, device="cpu")
    source = tmp_path / "in.csv"
    check.python("make_sequences.py", source, "-n", 150)
    gpu_check.same_bits(check, tiny_model, source)
    assert len(check.results) == 10
    assert all(result["passed"] for result in check.results.values()), check.results
