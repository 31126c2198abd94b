"""A job for longhaul-fake whose outcome is known, for the tests of resume, faults and verify."""

import json
import os
import pathlib
import random
import subprocess
import tempfile

import numpy as np
import pandas as pd

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
LONG = bool(os.environ.get("LONGHAUL_LONG"))
# What a run leaves behind that must not depend on how often it was stopped.
DATA = ["embeddings.npy", "checksums.npy", "records.csv", "rejects.csv"]
LEFT = sorted([*DATA, "journal.jsonl", "memory.jsonl", "run.json"])


def quick_folder(folder):
    """A folder in memory where there is one: calls and bytes are tested, not a disk's pace."""
    if not os.access("/dev/shm", os.W_OK):
        yield folder
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="longhaul-") as name:
        yield pathlib.Path(name)


class Job:
    """One input and one model; every run of it, into any directory, must leave the same bytes."""

    def __init__(self, longhaul_fake, folder, records, window=64, commit_every="0", rate=0,
                 **model):
        self.run_fake, self.folder, self.records = longhaul_fake, folder, records
        self.model = folder / "model.json"
        self.model.write_text(json.dumps(
            {"fake": True, "dimension": 16, "rows_per_second": rate, **model}))
        self.input = folder / "input.csv"
        chance = random.Random(records)
        lines = ["id,sequence"]
        for row in range(records):
            sequence = "".join(chance.choices(RESIDUES, k=chance.randrange(20, 140)))
            if row % 23 == 7:
                sequence = "MK?L"
            elif row % 41 == 5:
                sequence = ""
            lines.append(f"r{row},{sequence}")
        self.input.write_text("\n".join(lines) + "\n")
        self.options = ["--window", window, "--commit-every", commit_every, "--batch-size", 8,
                        "--progress", "none", "--threads", 1]

    def arguments(self, out, *more):
        return ["embed", self.model, self.input, "-o", out, *self.options, *more]

    def command(self, out, *more):
        return [str(self.run_fake.path), *map(str, self.arguments(out, *more))]

    def start(self, out, prefix=(), **options):
        return subprocess.Popen([*map(str, prefix), *self.command(out)], stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True, **options)

    def start_with(self, out, *more):
        return subprocess.Popen(self.command(out, *more), stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True)

    def finish(self, out, *more):
        """Gives the command until its end; 3: done, with rejects."""
        result = self.run_fake(*self.arguments(out, *more))
        assert result.code == 3, result
        return result

    def reference(self):
        out = self.folder / "reference"
        if not out.exists():
            self.finish(out)
            self.expected = contents(out)
            rows = np.load(out / "embeddings.npy")
            assert rows.shape == (self.records, 16)
            assert 0 < np.isnan(rows).all(axis=1).sum() < self.records / 4
        return self.expected

    def check_complete(self, out):
        """Every row once, the bytes of an uninterrupted run, nothing left over, verified."""
        assert contents(out) == self.reference()
        assert sorted(p.name for p in out.iterdir()) == LEFT
        verified = self.run_fake("verify", out)
        assert verified.code == 0, verified


def contents(out):
    return {name: (out / name).read_bytes() for name in DATA}


def records_of(out):
    """records.csv as it is written: ids are text, and nothing is a missing value."""
    return pd.read_csv(out / "records.csv", dtype={"id": str}, keep_default_na=False)


def journal(out):
    """The whole lines of a journal."""
    path = pathlib.Path(out) / "journal.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def committed(out):
    """What the journal claims: (records in complete windows, position in the one in hand)."""
    commits = [line for line in journal(out) if line["kind"] == "commit"]
    return (commits[-1]["start"], commits[-1]["position"]) if commits else (0, 0)


def strace(log, call, what):
    return ["strace", "-f", "-qq", "-o", log, "-e", f"trace={call}",
            "-e", f"inject={call}:{what}"]
