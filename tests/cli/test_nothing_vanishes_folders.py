"""Everything that folders of sequences hold is a row, a reject, or counted as left out."""

import json
import os
import stat

import pytest
from left_out import read, report, warnings_of


def fasta(path, count, first=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f">r{first + i}\n{'MKLV' * (1 + i % 7)}\n" for i in range(count)))


@pytest.fixture
def fake(tmp_path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"fake": True, "dimension": 8}))
    return path


@pytest.fixture
def sequences(tmp_path):
    """Three files that are read among things that are not."""
    folder = tmp_path / "sequences"
    fasta(folder / "a.fasta", 40)
    fasta(folder / "b/b.fa", 40, 40)
    fasta(folder / "z.faa", 48, 80)
    for name in ("notes.txt", "b/more.TXT", "table.xlsx", "README", ".hidden.fasta",
                 "._a.fasta", ".ipynb_checkpoints/a.fasta", "__MACOSX/._a.fasta"):
        fasta(folder / name, 1)
    os.mkfifo(folder / "pipe.fasta")
    os.mknod(folder / "s.fa", stat.S_IFSOCK | 0o600)
    (folder / "b/up").symlink_to("..")
    return folder


SEQUENCES_LEFT = {".txt files": 2, ".xlsx files": 1, "files without an ending": 1,
                  "hidden files": 2, "hidden folders": 2, "special files": 2, "looping links": 1}


def test_sequence_folders_count_what_they_leave_out(longhaul_fake, fake, sequences, tmp_path):
    out = tmp_path / "out"
    result = longhaul_fake("embed", fake, sequences, "-o", out, "--json", "-q")
    assert result.code == 0, result
    assert report(out)["left_out"] == SEQUENCES_LEFT
    assert json.loads(result.out)["left_out"] == SEQUENCES_LEFT
    assert "left_out" not in report(out)["counts"]
    [warning] = warnings_of(result)
    assert "2 .txt files" in warning and "1 .xlsx file" in warning and str(out) in warning
    assert [r["id"] for r in read(out)] == [f"r{i}" for i in range(128)]
    shown = " ".join(longhaul_fake("inspect", out).out.split())  # it wraps its lines
    assert "2 hidden folders" in shown and "1 looping link" in shown
    # A finished run is told once, not at every start.
    assert not warnings_of(longhaul_fake("embed", fake, sequences, "-o", out))


def test_what_is_left_out_is_counted_once_whatever_stops_the_run(longhaul_fake, fake, sequences,
                                                                 tmp_path):
    out = tmp_path / "out"
    for session in range(60):
        result = longhaul_fake("embed", fake, sequences, "-o", out, "--window", "16", "-b", "8",
                               "--commit-every", "0", "--time-limit", "1ms")
        if result.code != 75:
            break
        counted = report(out)["left_out"]
        assert counted in ({}, SEQUENCES_LEFT), session
    assert result.code in (0, 75), result
    result = longhaul_fake("embed", fake, sequences, "-o", out)
    assert report(out)["left_out"] == SEQUENCES_LEFT


def test_a_retry_keeps_what_the_run_left_out(longhaul_fake, fake, sequences, tmp_path):
    out = tmp_path / "out"
    with open(sequences / "a.fasta", "a") as file:
        file.write(">odd\nMKJJLV\n>long\n" + "MK" * 2000 + "\n")
    first = longhaul_fake("embed", fake, sequences, "-o", out)
    assert first.code == 3, first
    result = longhaul_fake("embed", fake, sequences, "-o", out, "--retry-rejects", "--too-long",
                           "truncate")
    assert result.code in (0, 3), result
    assert report(out)["left_out"] == SEQUENCES_LEFT
    assert not warnings_of(result)


def test_a_folder_of_other_files_alone_says_what_it_holds(longhaul_fake, fake, tmp_path):
    folder = tmp_path / "folder"
    fasta(folder / "a.txt", 1)
    fasta(folder / ".b.fasta", 1)
    result = longhaul_fake("embed", fake, folder, "-o", tmp_path / "out")
    assert result.code == 65 and "1 .txt file, 1 hidden file" in result.err, result
