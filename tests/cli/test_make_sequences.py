"""Generated sequences: the same for the same seed, and shaped like nanobodies."""

import csv
import gzip
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
AMINO_ACIDS = set("ACDEFGHIKLMNPQRSTVWY")


def make(*arguments):
    return subprocess.run([sys.executable, ROOT / "scripts/make_sequences.py",
                           *map(str, arguments)], capture_output=True, text=True)


def read_csv(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def read_fasta(path):
    records = []
    for line in path.read_text().splitlines():
        if line.startswith(">"):
            records.append([line[1:].split()[0], ""])
        else:
            records[-1][1] += line
    return records


def test_shipped_files_are_what_the_script_makes(tmp_path):
    assert make(tmp_path / "a.csv", tmp_path / "a.fasta").returncode == 0
    shipped = ROOT / "datasets"
    assert (tmp_path / "a.csv").read_bytes() == (shipped / "nanobodies_2000.csv").read_bytes()
    assert (tmp_path / "a.fasta").read_bytes() == (shipped / "nanobodies_2000.fasta").read_bytes()


def test_csv_and_fasta_hold_the_same_records():
    rows = read_csv(ROOT / "datasets/nanobodies_2000.csv")
    assert [[r["id"], r["sequence"]] for r in rows] == \
        read_fasta(ROOT / "datasets/nanobodies_2000.fasta")
    assert len(rows) == len({r["id"] for r in rows}) == len({r["sequence"] for r in rows}) == 2000


def test_another_seed_gives_other_sequences_and_a_longer_file_begins_alike(tmp_path):
    for name, number, seed in [("short", 100, 1), ("long", 9000, 1), ("other", 100, 2)]:
        assert make(tmp_path / f"{name}.csv", "-n", number, "--seed", seed).returncode == 0
    short, long, other = (read_csv(tmp_path / f"{n}.csv") for n in ("short", "long", "other"))
    assert len(long) == 9000 and long[:100] == short
    assert not {r["sequence"] for r in short} & {r["sequence"] for r in other}
    assert len({r["sequence"] for r in long}) == 9000  # blocks do not repeat each other


def test_lengths_residues_and_frameworks_are_those_of_nanobodies(tmp_path):
    make(tmp_path / "a.csv", "-n", 20000, "--seed", 3)
    sequences = [r["sequence"] for r in read_csv(tmp_path / "a.csv")]
    lengths = [len(s) for s in sequences]
    assert 52 <= min(lengths) < 105 and 130 < max(lengths) <= 137
    assert 119.5 < statistics.mean(lengths) < 121.5
    assert 2.5 < statistics.pstdev(lengths) < 4.5
    assert set("".join(sequences)) == AMINO_ACIDS
    assert sum("WGQGT" in s for s in sequences) > 0.8 * len(sequences)
    # Matured, so not one framework copied 20,000 times, and each cysteine pair still there.
    assert len({s[:25] for s in sequences}) > 3000
    assert sum(s[21] == "C" for s in sequences) > 0.95 * len(sequences)


def test_lengths_look_like_the_public_set(shared_data):
    with open(shared_data / "harvey/harvey_hf_test.csv", newline="") as file:
        real = sorted(len(r["seq"]) for r in csv.DictReader(file))
    rows = read_csv(ROOT / "datasets/nanobodies_2000.csv")
    made = sorted(len(r["sequence"]) for r in rows)
    for share in (0.05, 0.25, 0.5, 0.75, 0.95):
        assert abs(real[int(share * len(real))] - made[int(share * len(made))]) <= 2
    with open(shared_data / "harvey/harvey_hf_test.csv", newline="") as file:
        assert not {r["seq"] for r in csv.DictReader(file)} & {r["sequence"] for r in rows}


def test_uniref_lengths(tmp_path):
    make(tmp_path / "a.csv", "-n", 5000, "--lengths", "uniref")
    rows = read_csv(tmp_path / "a.csv")
    lengths = [len(r["sequence"]) for r in rows]
    assert max(lengths) == 1022 and min(lengths) >= 20
    assert 300 < statistics.mean(lengths) < 350
    assert set("".join(r["sequence"] for r in rows)) == AMINO_ACIDS


def test_compressed_output_and_unknown_suffix(tmp_path):
    assert make(tmp_path / "a.csv", tmp_path / "a.csv.gz", "-n", 50).returncode == 0
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()) == \
        (tmp_path / "a.csv").read_bytes()
    failed = make(tmp_path / "a.xlsx")
    assert failed.returncode == 1 and ".csv" in failed.stderr
    assert not (tmp_path / "a.xlsx").exists()
