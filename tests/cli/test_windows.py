"""--too-long window: long records in overlapping windows, each residue from one of them."""

import csv
import json
import random
import signal
import subprocess
import sys

import numpy as np
import pytest

from conftest import ROOT
from measured import MIB, run_measured
from remedies import Trial, follows

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
C = 40  # residues of a window, of the fake's 42 tokens
WINDOW = ["--too-long", "window"]
TOKENS = ["--tokens", "--tokens-dtype", "fp32"]
PARTS = ["embeddings.npy", "tokens.npy", "token_offsets.npy", "checksums.npy", "records.csv",
         "rejects.csv"]


def starts_of(length, size, overlap):
    """Where the windows of a sequence begin, as the README says."""
    starts = list(range(0, length - size, size - overlap))
    return [*starts, length - size]


def owners_of(length, size, overlap):
    """The window that each residue is taken from: where it stands farthest from an edge, the
    sequence's own ends being no edges, the earlier one in a tie."""
    starts = starts_of(length, size, overlap)
    owners = []
    for residue in range(length):
        def distance(i):
            if not starts[i] <= residue < starts[i] + size:
                return -1
            left = length if i == 0 else residue - starts[i]
            right = length if i == len(starts) - 1 else starts[i] + size - 1 - residue
            return min(left, right)
        near = [i for i in range(len(starts)) if starts[i] <= residue < starts[i] + size]
        owners.append(max(near, key=lambda i: (distance(i), -i)))
    return starts, owners


def joined(residues_of, sequence, size, overlap):
    """All residues' vectors, from `residues_of(window)`, and their mean, in double."""
    starts, owners = owners_of(len(sequence), size, overlap)
    windows = [residues_of(sequence[start:start + size]) for start in starts]
    rows = np.stack([windows[owner][residue - starts[owner]]
                     for residue, owner in enumerate(owners)])
    return rows, rows.astype(np.float64).mean(0)


def sequence(i, length):
    return "".join(random.Random(i).choices(LETTERS, k=length))


def write(path, sequences):
    path.write_text("id,sequence\n" + "".join(f"r{i},{s}\n" for i, s in enumerate(sequences)))
    return path


def rows_of(out):
    with open(out / "records.csv", newline="") as file:
        return list(csv.DictReader(file))


def contents(out):
    return {name: (out / name).read_bytes() for name in PARTS}


def residues_of(out):
    offsets = np.load(out / "token_offsets.npy")
    tokens = np.load(out / "tokens.npy")
    return [tokens[first:last] for first, last in zip(offsets, offsets[1:])]


@pytest.fixture
def t(longhaul_fake, folder):
    trial = Trial(longhaul_fake, folder)
    fake(trial)
    return trial


def fake(trial, **settings):
    trial.write("model.json", json.dumps({"fake": True, "dimension": 8, "max_tokens": C + 2,
                                          "rows_matter": True, "part_tokens": 200, **settings}))


@pytest.mark.parametrize("overlap", [None, 0, 1, 25, C - 1])
def test_each_residue_is_that_of_one_window(t, overlap):
    asked = C // 4 if overlap is None else overlap
    long = [sequence(i, n) for i, n in enumerate((C + 1, 3 * C, 100, 2 * C - asked, 431))]
    flags = WINDOW if overlap is None else [*WINDOW, "--window-overlap", overlap]
    t.input = write(t.folder / "in.csv", ["ACDEF", *long, sequence(9, C)])
    t.works(*t.embed(*flags, *TOKENS))
    starts = [starts_of(len(s), C, asked) for s in long]
    assert [row["windows"] for row in rows_of(t.out)] == ["0", *(str(len(s)) for s in starts), "0"]
    assert [row["length"] for row in rows_of(t.out)] == ["5", *(str(len(s)) for s in long), str(C)]
    counts = json.loads((t.out / "run.json").read_text())["counts"]
    assert counts["windowed"] == len(long) and counts["windows"] == sum(map(len, starts))
    assert counts["residues"] == 5 + C + sum(map(len, long))
    shown = " ".join(t.works("inspect", t.out).out.split())
    assert f"windows {counts['windows']} for {len(long)} records longer than what" in shown
    t.works("verify", t.out, "--recompute", 7)
    # Each window as a record of its own.
    parts = Trial(t.program, t.folder)
    fake(parts)
    parts.out = t.folder / "parts"
    windows = sorted({s[start:start + C] for s in long
                      for start in starts_of(len(s), C, asked)})
    parts.input = write(t.folder / "parts.csv", windows)
    parts.works(*parts.embed(*TOKENS))
    alone = dict(zip(windows, residues_of(parts.out)))
    mine, vectors = residues_of(t.out)[1:-1], t.vectors()[1:-1]
    for i, text in enumerate(long):
        rows, mean = joined(alone.get, text, C, asked)
        assert mine[i].tobytes() == rows.tobytes()
        assert np.abs(vectors[i] - mean).max() < 1e-5 * max(1, np.abs(mean).max())


def many(folder, records=240):
    """Every fourth record is too long, every thirtieth is bad."""
    source = random.Random(4)
    lengths = [source.randrange(C + 1, 400) if i % 4 == 1 else source.randrange(3, C + 1)
               for i in range(records)]
    return write(folder / "many.csv", [("AB1" if i % 30 == 5 else "") + sequence(i, length)
                                       for i, length in enumerate(lengths)])


def test_batches_kills_shards_and_retries_change_no_byte(t):
    t.input = many(t.folder)
    t.works(*t.embed(*WINDOW, *TOKENS), code=3)
    expected = contents(t.out)
    assert {row["windows"] for row in rows_of(t.out)} >= {"0", "2", "5", "13"}

    def again(name, *flags, code=3):
        t.out = t.folder / name
        kills = 0
        command = t.embed(*WINDOW, *TOKENS, "--commit-every", 0, *flags)
        while (result := t.program(*command, cwd=t.folder)).code == -signal.SIGKILL:
            kills += 1
        assert result.code == code, result
        return kills

    for flags in (["-b", 1], ["-b", 3, "--window", 16], ["--batch-tokens", 4000]):
        again("-".join(map(str, flags)), *flags)
        assert contents(t.out) == expected
    fake(t, kill_at=4)
    assert again("killed", "-b", 5, "--window", 32) > 10
    assert contents(t.out) == expected
    for index in (1, 2, 3):
        again("shards", "--shard", f"{index}/3", code=0)
    t.works("merge", t.out, code=3)
    assert contents(t.out) == expected
    # Rejected at first, then in windows.
    fake(t)
    t.out = t.folder / "retried"
    t.works(*t.embed(*TOKENS), code=3)
    told = t.program(*(word for word in t.embed(*TOKENS, "--overwrite") if word != "-q"),
                     cwd=t.folder).err
    assert "--too-long window for all residues" in told
    t.works(*t.embed(*WINDOW, *TOKENS, "--retry-rejects"), code=3)
    assert contents(t.out) == expected
    t.works("verify", t.out, "--recompute", 20)
    t.works(*t.embed(*WINDOW, *TOKENS), code=3)  # what it now stands for: nothing to do
    t.fails(73, "use the same setting, another --output, or --overwrite",
            *t.embed(*WINDOW, *TOKENS, "--window-overlap", 7))
    t.out = t.folder / "replayed"
    t.works("embed", "--config", t.folder / "retried" / "run.json", "-o", t.out, code=3)
    assert contents(t.out) == expected


@pytest.mark.parametrize("batches", [1, 3])
def test_a_session_that_completes_no_record_is_not_recycled(t, batches):
    t.input = write(t.folder / "in.csv", [sequence(i, 700) for i in range(9)])
    t.works(*t.embed(*WINDOW, *TOKENS))
    expected = contents(t.out)
    t.works(*t.embed(*WINDOW, *TOKENS, "--overwrite", "-b", 2, "--recycle-every", batches),
            timeout=60)
    assert contents(t.out) == expected
    assert len(json.loads((t.out / "run.json").read_text())["sessions"]) > 2


@follows("lib/session/retry_mode.cpp", "would mix with another way", "which knows no windows")
def test_a_retry_goes_one_way_with_long_records(t):
    texts = ["ACD", "A?" + sequence(1, 698), sequence(2, 700)]
    t.input = write(t.folder / "in.csv", texts)
    truncate, token = ["--too-long", "truncate"], ["--unknown", "token", "--retry-rejects"]
    t.works(*t.embed(*truncate), code=3)
    assert [row["windows"] for row in rows_of(t.out)] == ["0", "0", "0"]
    t.fails(2, "give --too-long truncate, or embed the whole input into another --output",
            *t.embed(*WINDOW, *token))
    t.works(*t.embed(*truncate, *token))
    t.works(*t.embed(*WINDOW, "--window-overlap", 3, "--overwrite"), code=3)
    assert [row["windows"] for row in rows_of(t.out)] == ["0", "0", "19"]
    t.fails(2, "give --too-long window --window-overlap 3, or embed", *t.embed(*WINDOW, *token))
    t.works(*t.embed(*WINDOW, "--window-overlap", 3, *token))
    t.works(*t.embed("--order", "input", "--overwrite"), code=3)
    t.fails(2, "use --too-long truncate, or embed the whole input into another --output",
            *t.embed(*WINDOW, "--retry-rejects"))
    t.works(*t.embed(*truncate, "--retry-rejects"), code=3)


def test_an_overlap_that_goes_without_saying_may_be_said(t):
    t.input = write(t.folder / "in.csv", ["ACD", "A?" + sequence(1, 698), sequence(2, 700)])
    said, token = ["--window-overlap", C // 4], ["--unknown", "token", "--retry-rejects"]
    for first, then in ([], said), (said, []):
        t.works(*t.embed(*WINDOW, *first, "--overwrite"), code=3)
        t.works(*t.embed(*WINDOW, *then), code=3)
        t.fails(73, "use the same setting", *t.embed(*WINDOW, "--window-overlap", C // 4 + 1))
        t.works(*t.embed(*WINDOW, *then, *token))
        for again in first, then:
            assert "nothing to do" in t.program(*(
                word for word in t.embed(*WINDOW, *again, "--unknown", "token") if word != "-q")).err
        t.works(*t.embed("--overwrite"), code=3)
        t.works(*t.embed(*WINDOW, *first, "--retry-rejects"), code=3)
        t.works(*t.embed(*WINDOW, *then, *token))
        t.works(*t.embed(*WINDOW, *then, "--unknown", "token"))
    t.out = t.folder / "shards"
    t.works(*t.embed(*WINDOW, "--shard", "1/2"))
    t.works(*t.embed(*WINDOW, *said, "--shard", "2/2"))
    t.works("merge", t.out, code=3)


def test_shards_of_before_windows_go_on_and_are_merged(t):
    from test_nothing_vanishes_text import journal_without
    t.input = write(t.folder / "in.csv", [sequence(i, 3 + i % (C - 3)) for i in range(400)])
    t.works(*t.embed())
    vectors = (t.out / "embeddings.npy").read_bytes()
    expected = [{**row, "gaps": "0", "windows": "0"} for row in rows_of(t.out)]
    t.out = t.folder / "shards"
    for index in (1, 2):
        t.works(*t.embed("--shard", f"{index}/2"))
    # An earlier version was killed when it had begun.
    first = t.out / "shards" / "1-of-2"
    for file in first.iterdir():
        if file.name != "journal.jsonl":
            file.unlink()
    begin = (first / "journal.jsonl").read_text().splitlines(keepends=True)[0]
    (first / "journal.jsonl").write_text(begin)
    journal_without(first, ["window-overlap"])
    t.works(*t.embed("--shard", "1/2"))
    assert "windows" not in (first / "records.csv").read_text().splitlines()[0].split(",")
    t.works("merge", t.out)
    assert (t.out / "embeddings.npy").read_bytes() == vectors
    assert [{**row, "gaps": "0", "windows": "0"} for row in rows_of(t.out)] == expected


def test_records_that_fit_have_the_bits_of_a_run_without(t):
    t.input = write(t.folder / "in.csv", [sequence(i, 1 + i % C) for i in range(120)])
    t.works(*t.embed(*TOKENS))
    plain = contents(t.out)
    t.works(*t.embed(*WINDOW, *TOKENS, "--overwrite"))
    assert contents(t.out) == plain
    # Those that do not are no neighbours that matter.
    text = t.input.read_text()
    t.input.write_text(text + "".join(f"x{i},{sequence(i, 95)}\n" for i in range(7)))
    t.works(*t.embed(*WINDOW, *TOKENS, "--overwrite"))
    assert (t.out / "tokens.npy").read_bytes()[128:].startswith(plain["tokens.npy"][128:])
    assert (t.out / "embeddings.npy").read_bytes()[128:].startswith(plain["embeddings.npy"][128:])


def test_layers_and_unit_length(t):
    from test_layers import card
    fake(t, card={**card(), "max_tokens": C + 2}, dimension=16)
    t.input = many(t.folder, 40)
    layers = ["--layer", "early", "--layer", "late"]
    t.works(*t.embed(*WINDOW, *TOKENS, *layers), code=3)
    late = (t.out / "embeddings.late.npy").read_bytes()
    t.works(*t.embed(*WINDOW, "--layer", "late", "--overwrite"), code=3)
    assert (t.out / "embeddings.npy").read_bytes() == late
    t.works(*t.embed(*WINDOW, "--normalize", "l2", "--overwrite"), code=3)
    ok = np.array([row["status"] == "ok" for row in rows_of(t.out)])
    assert np.abs(np.linalg.norm(t.vectors()[ok], axis=1) - 1).max() < 1e-6


def test_a_window_without_numbers_is_its_record_s(t):
    fake(t, nan_every=40)
    t.input = many(t.folder, 400)
    t.works(*t.embed(*WINDOW, "--max-rejects", "50%"), code=65)
    fake(t, nan_every=400)
    t.works(*t.embed(*WINDOW, *TOKENS, "--overwrite"), code=3)
    with open(t.out / "rejects.csv", newline="") as file:
        late = [row for row in csv.DictReader(file) if row["reason"] == "not_finite"]
    rows = rows_of(t.out)
    windowed = [row for row in late if int(rows[int(row["row"])]["windows"])]
    assert windowed and all(row["message"].startswith("window ") for row in windowed), late
    residues = residues_of(t.out)
    for row in windowed:
        mine = residues[int(row["row"])]
        assert len(mine) == int(rows[int(row["row"])]["length"]) and np.isnan(mine).all()
    t.works("verify", t.out)


def test_a_model_without_a_limit_has_nothing_too_long(t):
    fake(t, max_tokens=None)
    t.input = write(t.folder / "in.csv", ["ACD", sequence(1, 700)])
    t.works(*t.embed())
    plain = t.vectors()
    t.works(*t.embed(*WINDOW, "--overwrite"))
    assert np.array_equal(t.vectors(), plain)
    assert [row["windows"] for row in rows_of(t.out)] == ["0", "0"]
    t.works(*t.embed(*WINDOW, "--max-length", 102, "--overwrite"))
    assert [row["windows"] for row in rows_of(t.out)] == ["0", "9"]
    assert not np.array_equal(t.vectors(), plain)


@follows("lib/config/validate_config.cpp", "--window-overlap has no meaning",
         "--too-long window computes the windows", "--too-long window has no meaning")
@follows("lib/session/session_checks.cpp", "--too-long window takes each residue",
         "--too-long window is made of the vectors")
@follows("lib/prepare/sequence_preprocessor.cpp", "--window-overlap ")
def test_what_cannot_be_is_refused(t):
    leave_out = "leave it out"
    t.input = write(t.folder / "in.csv", ["ACD", sequence(1, 700)])
    t.fails(2, "add --too-long window, or give --window-overlap quarter",
            *t.embed("--window-overlap", 3))
    for overlap in (C, 100_000):
        t.fails(2, f"give at most {C - 1}, or leave it out for a quarter",
                *t.embed(*WINDOW, "--window-overlap", overlap))
    t.fails(2, "use --order length, or --too-long truncate or reject",
            *t.embed(*WINDOW, "--order", "input"))
    for pooling in ("max", "cls"):
        t.fails(2, "use --pooling mean or none, or --too-long truncate or reject",
                *t.embed(*WINDOW, "--pooling", pooling))
    t.fails(2, leave_out, *t.embed(*WINDOW, "--format", "images"))
    assert not t.out.exists()
    t.works(*t.embed("--too-long", "truncate", "--pooling", "max", "--window-overlap", "quarter"))
    t.works(*t.embed(*WINDOW, "--window-overlap", C - 1, "--overwrite"))
    from test_layers import card
    pooled = {**card(), "max_tokens": C + 2, "outputs": [
        {"name": "a", "key": 0, "kind": "pooled", "dimension": 8, "default": True}]}
    fake(t, card=pooled)
    assert "one vector for each sequence" in t.fails(2, leave_out, *t.embed(*WINDOW))
    t.works(*t.embed("--overwrite"), code=3)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    path = tmp_path_factory.mktemp("tiny") / "tiny.ts"
    subprocess.run([sys.executable, ROOT / "scripts/export_esm.py", "--random", "tiny", path],
                   check=True, stdout=subprocess.DEVNULL)
    return path


def test_1200_and_35000_residues_as_the_module_alone_gives_them(longhaul, tiny, tmp_path, capsys):
    import torch

    from embed_reference import ESM_TOKENS
    module = torch.jit.load(str(tiny)).eval()
    number = {token: i for i, token in enumerate(ESM_TOKENS)}

    def residues_of_window(text):
        tokens = torch.tensor([[0, *(number[c] for c in text), 2]])
        with torch.inference_mode():
            return module(tokens, torch.ones_like(tokens))[0, 1:-1].numpy()

    texts = [sequence(1, 1200), sequence(2, 300), sequence(3, 35_000)]
    data = write(tmp_path / "in.csv", texts)
    command = ["embed", tiny, data, "-q", *WINDOW, "--max-length", 512, *TOKENS]
    whole = longhaul(*command, "-o", tmp_path / "out")
    assert whole.code == 0, whole
    assert longhaul("verify", tmp_path / "out", "--recompute", 3).code == 0
    vectors, residues = np.load(tmp_path / "out/embeddings.npy"), residues_of(tmp_path / "out")
    greatest = [0, 0]
    for i in (0, 2):
        rows, mean = joined(residues_of_window, texts[i], 510, 127)
        greatest[0] = max(greatest[0], np.abs(residues[i] - rows).max())
        greatest[1] = max(greatest[1], np.abs(vectors[i] - mean).max())
    with capsys.disabled():
        print(f"\nwindows: greatest difference from the module {greatest[0]:.1e} of residues, "
              f"{greatest[1]:.1e} of means")
    assert max(greatest) < 1e-5
    alone = longhaul(*command, "-o", tmp_path / "alone", "--pooling", "none")
    assert alone.code == 0, alone
    assert ((tmp_path / "alone/tokens.npy").read_bytes()
            == (tmp_path / "out/tokens.npy").read_bytes())
    # Memory is that of windows: the whole sequence's attention alone would take 19 GiB.
    short = write(tmp_path / "short.csv", texts[:2])
    peaks = [run_measured(longhaul.path, "embed", tiny, of, "-o", tmp_path / of.stem, "-q",
                          *WINDOW, "--max-length", 512) for of in (short, data)]
    assert [peak.code for peak in peaks] == [0, 0], peaks
    assert peaks[1].peak_rss < peaks[0].peak_rss + 64 * MIB, peaks
    assert np.array_equal(np.load(tmp_path / "in/embeddings.npy"), vectors)
