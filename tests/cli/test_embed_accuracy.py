"""`longhaul embed` against transformers, and the same bits whatever the batches were."""

import itertools
import json
import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from embed_reference import Reference, Run, cosine, read_column, write_sequences
from exported import random_esm, save_folder
from fake_run import committed

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))

from longhaul.export import antiberty as export_antiberty  # noqa: E402
from longhaul.export import esm as export_esm  # noqa: E402

SHIPPED = ROOT / "datasets/nanobodies_2000.csv"
LONG = os.environ.get("LONGHAUL_LONG") == "1"


@pytest.fixture(scope="module")
def bert():
    model, _ = export_antiberty.load_reference(export_antiberty.fetch_wheel(ROOT / ".cache"))
    return Reference.bert(model)


@pytest.fixture(scope="module")
def embed(longhaul):
    """Runs `longhaul embed`, checks its exit code, reads what it wrote."""
    def run(model, source, out, *flags, code=0):
        done = longhaul("embed", model, source, "-o", out, "--progress", "none", *flags,
                        timeout=3600)
        assert done.code == code, done
        return Run(out)
    return run


def head_of(source, number, path):
    """The first records of a CSV, as another CSV."""
    lines = source.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:number + 1]))
    return path


def same_as(reference, run, capsys, what):
    difference = np.abs(run.vectors[run.ok] - reference[run.ok]).max()
    lowest = cosine(run.vectors[run.ok], reference[run.ok]).min()
    with capsys.disabled():
        print(f"\n  {what}: {run.ok.sum()} vectors, greatest difference {difference:.1e}, "
              f"1 - cosine at most {max(0.0, 1 - lowest):.1e}")
    assert difference < 1e-4
    assert lowest > 0.999999


def test_shipped_sequences_equal_transformers(embed, antiberty, bert, tmp_path, capsys):
    number = 2000 if LONG else 60
    source = head_of(SHIPPED, number, tmp_path / "in.csv")
    run = embed(antiberty, source, tmp_path / "out")
    sequences = read_column(source, "sequence")
    assert run.vectors.shape == (number, 512) and run.vectors.dtype == np.float32
    assert [r["id"] for r in run.records] == read_column(source, "id")
    assert [int(r["length"]) for r in run.records] == [len(s) for s in sequences]
    assert run.ok.all()
    same_as(bert.mean(sequences), run, capsys, "shipped nanobodies")


def test_harvey_sequences_equal_transformers(embed, antiberty, bert, tmp_path, shared_data,
                                             capsys):
    number = 2000 if LONG else 120
    source = head_of(shared_data / "harvey/harvey_hf_test.csv", number, tmp_path / "in.csv")
    run = embed(antiberty, source, tmp_path / "out", "--keep-column", "label")
    sequences = read_column(source, "seq")
    assert run.ok.all() and run.vectors.shape == (number, 512)
    assert [r["label"] for r in run.records] == read_column(source, "label")
    same_as(bert.mean(sequences), run, capsys, "Harvey")


def test_esm_with_every_letter_equals_transformers(embed, tmp_path, capsys):
    for kind in ["rotary", "learned with norm before"]:
        model = random_esm(kind)
        folder = save_folder(model, tmp_path / kind.split()[0])
        module = export_esm.Esm(model, 3)
        archive = folder / "model.ts"
        card = export_esm.export.sequence_card(
            "random", 48, 1024, export_esm.ALPHABET,
            {"weights": "random", "licence": "none", "exported_with": "test"})
        export_esm.export.finish(module, card, lambda t: model(t, torch.ones_like(t))[0], archive)
        sequences = ["M", "ACDEFGHIKLMNPQRSTVWYXBUZO", "UZBOX" * 30, "acdefg",
                     *read_column(SHIPPED, "sequence", 20), "MK" * 511]
        source = write_sequences(folder / "in.csv", sequences)
        run = embed(archive, source, folder / "out")
        reference = Reference.esm(model).mean([s.upper() for s in sequences])
        same_as(reference, run, capsys, f"ESM, {kind}")


def test_fasta_and_csv_of_the_same_records_give_the_same_bits(embed, antiberty, tmp_path):
    source = head_of(SHIPPED, 40, tmp_path / "in.csv")
    fasta = tmp_path / "in.fasta"
    records = zip(read_column(source, "id"), read_column(source, "sequence"))
    fasta.write_text("".join(f">{i} synthetic\n{s[:50]}\n{s[50:].lower()}\n" for i, s in records))
    one = embed(antiberty, source, tmp_path / "csv")
    two = embed(antiberty, fasta, tmp_path / "fasta")
    assert one.bytes == two.bytes
    assert [r["id"] for r in one.records] == [r["id"] for r in two.records]


def layouts():
    sizes, threads, windows = ["1", "8", "32", "auto"], ["1", "2"], ["64", "4096"]
    if LONG:
        return list(itertools.product(sizes, threads, windows))
    return [("1", "1", "4096"), ("8", "2", "64"), ("32", "1", "64"), ("32", "2", "4096"),
            ("auto", "1", "64"), ("auto", "2", "4096")]


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_bits_do_not_depend_on_batches_threads_or_windows(embed, antiberty, tmp_path, dtype):
    source = head_of(SHIPPED, 2000 if LONG else 72, tmp_path / "in.csv")
    runs = {layout: embed(antiberty, source, tmp_path / "-".join(layout), "--dtype", dtype,
                          "--batch-size", layout[0], "--threads", layout[1], "--window", layout[2])
            for layout in layouts()}
    first = next(iter(runs.values()))
    assert len(np.unique(first.vectors, axis=0)) == len(first.vectors)
    different = [layout for layout, run in runs.items() if run.bytes != first.bytes]
    assert different == []


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_three_kills_change_no_bit(longhaul, embed, antiberty, tmp_path, dtype):
    source = head_of(SHIPPED, 150, tmp_path / "in.csv")
    whole = embed(antiberty, source, tmp_path / "whole", "--dtype", dtype)
    out = tmp_path / "killed"
    command = [longhaul.path, "embed", antiberty, source, "-o", out, "--dtype", dtype, "--window",
               "64", "--commit-every", "0", "-b", "1", "--progress", "none"]
    done = 0
    for _ in range(3):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while committed_records(out) <= done and process.poll() is None:
            time.sleep(0.01)
        assert process.poll() is None, "it ended before it could be killed"
        process.kill()
        process.wait()
        assert done < committed_records(out) < 150
        done = committed_records(out)
    again = embed(antiberty, source, out, "--dtype", dtype, "--threads", "2")
    assert again.bytes == whole.bytes
    report = json.loads((out / "run.json").read_text())
    assert report["bits"] == "exact" and len(report["sessions"]) == 4


def committed_records(out):
    start, position = committed(out)
    return start + position


def test_input_order_differs_by_rounding_only(embed, antiberty, tmp_path, capsys):
    source = head_of(SHIPPED, 2000 if LONG else 150, tmp_path / "in.csv")
    sorted_run = embed(antiberty, source, tmp_path / "length")
    input_run = embed(antiberty, source, tmp_path / "input", "--order", "input",
                      "--batch-size", "32")
    difference = np.abs(sorted_run.vectors - input_run.vectors).max()
    with capsys.disabled():
        print(f"\n  --order input: greatest difference {difference:.1e}")
    assert difference < 2e-5


@pytest.mark.parametrize("batch_size", [8, 32])
def test_mean_compat_is_the_original_formula(batch_size, embed, antiberty, bert, tmp_path,
                                             shared_data, capsys):
    number = 914 if LONG else 100
    source = head_of(shared_data / "boughter/VH_only_boughter_training.csv", number,
                     tmp_path / "in.csv")
    sequences = read_column(source, "sequence")
    with_x = sum("X" in s for s in sequences)
    assert with_x > 0  # so that unknown residues are part of what is compared
    # A window that batches do not divide: none may be cut by its edge.
    compat = embed(antiberty, source, tmp_path / "compat", "--pooling", "mean-compat", "--order",
                   "input", "--batch-size", batch_size, "--unknown", "token", "--window", "60")
    assert compat.ok.all()
    assert sum(int(r["substituted"]) > 0 for r in compat.records) == with_x
    same_as(bert.mean_compat(sequences, batch_size), compat, capsys,
            f"mean-compat, batch {batch_size}")

    mean = embed(antiberty, source, tmp_path / "mean", "--order", "input", "--batch-size",
                 batch_size, "--unknown", "token")
    difference = np.abs(compat.vectors - mean.vectors).max(axis=1)
    longest = [max(len(s) for s in sequences[i - i % batch_size:][:batch_size])
               for i in range(len(sequences))]
    shorter = np.array([len(s) < most for s, most in zip(sequences, longest)])
    assert shorter.any() and not shorter.all()
    # A row shorter than its batch keeps the end token in its mean; the longest rows do not.
    assert (difference[shorter] > 1e-3).all()
    assert (difference[~shorter] < 2e-5).all()


def test_mean_compat_batches_hold_accepted_records_only(embed, antiberty, bert, tmp_path):
    sequences = read_column(SHIPPED, "sequence", 50)
    spoilt = list(sequences)
    for place in (0, 3, 17, 30, 31, 49):
        spoilt.insert(place, "NOT A SEQUENCE 1")
    source = write_sequences(tmp_path / "in.csv", spoilt)
    run = embed(antiberty, source, tmp_path / "out", "--pooling", "mean-compat", "--order",
                "input", "--batch-size", "8", code=3)
    assert run.ok.sum() == 50
    assert np.isnan(run.vectors[~run.ok]).all()
    reference = bert.mean_compat(sequences, 8)
    assert np.abs(run.vectors[run.ok] - reference).max() < 1e-4
