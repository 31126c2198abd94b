"""Many shards of many records: what scanning, merging, memory and open files take, with an index and
without one; and a merge of a large output beside what the disk gives.

Figures are printed (pytest -s). 8 shards of 40,000 records and a merge of 16 MB; with LONGHAUL_LONG
(scripts/test --long) 256 shards of 10 million records and a merge of 10 GB, in an hour and with 40 GB
of disk. LONGHAUL_SCALE=SHARDS,RECORDS,BYTES asks for others."""

import json
import os
import pathlib
import random
import resource
import shutil
import subprocess
import time

import numpy as np
import pytest

from conftest import clean_environment
from measured import MIB, run_measured

LONG = bool(os.environ.get("LONGHAUL_LONG"))
SHARDS, RECORDS, BYTES = map(int, os.environ.get(
    "LONGHAUL_SCALE", "256,10000000,10000000000" if LONG else "8,40000,16000000").split(","))
DATA = ["embeddings.npy", "checksums.npy", "records.csv", "rejects.csv"]


def write_model(folder, dimension):
    path = folder / f"model-{dimension}.json"
    path.write_text(json.dumps({"fake": True, "dimension": dimension}))
    return path


def write_records(path, records):
    """Short sequences without ids, so that reading is what there is to do; one in 1,000 is bad."""
    chance = random.Random(records)
    lines = ["".join(chance.choices("ACDEFGHIKLMNPQRSTVWY", k=chance.randrange(8, 25)))
             for _ in range(50_000)]
    lines[500::1000] = ["MK?L"] * len(lines[500::1000])
    with open(path, "w") as file:
        file.write("sequence\n")
        for first in range(0, records, len(lines)):
            chance.shuffle(lines)
            file.write("\n".join(lines[:records - first]) + "\n")
    return path


class Spent:
    """Seconds by the clock and of processors, over processes that ran one after another."""

    def __init__(self):
        self.wall = self.cpu = 0.0

    def run(self, command, code):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = subprocess.run([*map(str, command)], env=clean_environment(), capture_output=True,
                              text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.returncode == code, done
        self.wall += time.monotonic() - start
        self.cpu += after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return done


def opened(command, log):
    """How many files were opened, by a run that is traced for nothing else."""
    subprocess.run(["strace", "-f", "-c", "--seccomp-bpf", "-e", "trace=openat,open,creat", "-o", log,
                    *map(str, command)], env=clean_environment(), capture_output=True, check=False)
    rows = [line.split() for line in log.read_text().splitlines()]
    return sum(int(row[3]) for row in rows if row and row[-1] in ("openat", "open", "creat"))


def size_of(path):
    return sum(file.stat().st_size for file in pathlib.Path(path).rglob("*") if file.is_file())


class Campaign:
    def __init__(self, program, folder, indexed):
        self.program, self.folder, self.indexed = program.path, folder, indexed
        self.name = "with an index" if indexed else "without one"
        self.out = folder / ("indexed" if indexed else "plain")
        self.model, self.input = write_model(folder, 4), folder / "records.csv"

    def command(self, shard):
        return [self.program, "embed", self.model, self.input, "-o", self.out, "--shard",
                f"{shard}/{SHARDS}", "--threads", 1, "--workers", 1, "-q", "--progress", "none"]

    def index(self):
        spent = Spent()
        spent.run([self.program, "plan", self.model, self.input, "-o", self.out, "--index", "-q"], 0)
        index = self.out / "index.jsonl"
        print(f"\nindex of {RECORDS:,} records: {spent.wall:.1f} s, {spent.cpu:.1f} of processor, "
              f"{index.stat().st_size / MIB:.2f} MiB")

    def embed(self):
        """Every shard once; some are watched, and one is traced."""
        files = opened(self.command(1), self.folder / "trace")
        peaks, spent, parts = [], Spent(), []
        for shard in range(2, SHARDS + 1):
            if shard % max(2, SHARDS // 8) == 0:
                done = run_measured(*self.command(shard))
                assert done.code == 0, done
                peaks.append(done.peak_rss)
            else:
                spent.run(self.command(shard), 0)
                parts.append(shard)
        print(f"{SHARDS} shards {self.name}: {spent.wall / len(parts):.3f} s each, "
              f"{spent.cpu / len(parts):.3f} of processor ({spent.cpu / len(parts) * SHARDS:.0f} for "
              f"all); peak {max(peaks) / MIB:.0f} MiB; {files} files opened by one")
        return spent.cpu / len(parts), max(peaks)

    def merge(self):
        command = [self.program, "merge", self.out, "-q"]
        trial = self.folder / "traced"
        files = None
        if size_of(self.out) < 4 << 30:
            shutil.copytree(self.out, trial)
            files = opened([self.program, "merge", trial, "-q"], self.folder / "trace")
            assert (trial / "embeddings.npy").exists()
            shutil.rmtree(trial)
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = run_measured(*command, timeout=7200)
        wall = time.monotonic() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.code == 3, done
        written = sum((self.out / name).stat().st_size for name in DATA)
        print(f"merge {self.name}: {wall:.1f} s, "
              f"{after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime:.1f} of processor; "
              f"{written / MIB:.0f} MiB, {RECORDS / wall:,.0f} records/s; peak "
              f"{done.peak_rss / MIB:.0f} MiB; {files} files opened")
        return done.peak_rss


def test_many_shards_with_an_index_and_without(longhaul_fake, needs_strace, tmp_path):
    write_records(tmp_path / "records.csv", RECORDS)
    cost = {}
    for indexed in (True, False):
        campaign = Campaign(longhaul_fake, tmp_path, indexed)
        if indexed:
            campaign.index()
        cost[indexed], peak = campaign.embed()
        assert peak < 200 * MIB
        # A chunk of each table of each shard, and what ids were seen.
        assert campaign.merge() < 300 * MIB
        shutil.rmtree(campaign.out / "shards")
    print(f"scanning without an index: {cost[False] - cost[True]:.2f} s of processor for each of "
          f"{SHARDS} shards, {(cost[False] - cost[True]) / RECORDS * 1e9:.0f} ns a record")
    for name in DATA:
        one, other = (tmp_path / out / name for out in ("plain", "indexed"))
        assert subprocess.run(["cmp", one, other], check=False).returncode == 0, name
    assert len(np.load(tmp_path / "plain/embeddings.npy", mmap_mode="r")) == RECORDS


def speed_of_disk(path, size):
    """Bytes a second of dd, written through to the disk."""
    start = time.monotonic()
    subprocess.run(["dd", "if=/dev/zero", f"of={path}", "bs=1M", f"count={size >> 20}",
                    "conv=fdatasync"], check=True, capture_output=True)
    seconds = time.monotonic() - start
    path.unlink()
    return size / seconds


def test_a_large_merge_goes_as_fast_as_the_disk_and_its_memory_is_flat(longhaul_fake, tmp_path):
    """As many rows of a tenth of the numbers, and of all: the peak is the same."""
    most, count = 8192 if BYTES >= 1 << 30 else 256, 4
    rows = BYTES // (4 * most)
    records = write_records(tmp_path / "records.csv", rows)
    peaks = {}
    for dimension in (most // 10, most):
        model, out = write_model(tmp_path, dimension), tmp_path / f"out-{dimension}"
        for shard in range(1, count + 1):
            subprocess.run([*map(str, [longhaul_fake.path, "embed", model, records, "-o", out, "-q",
                                       "--shard", f"{shard}/{count}"])],
                           check=True, env=clean_environment(), capture_output=True)
        size = sum(path.stat().st_size for path in out.glob("shards/*/embeddings.npy"))
        before = speed_of_disk(tmp_path / "zeros", size)
        subprocess.run(["sync"], check=True)
        begun = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = run_measured(longhaul_fake.path, "merge", out, "-q", timeout=7200)
        assert done.code == 3, done
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        after = speed_of_disk(tmp_path / "zeros", size)
        peaks[dimension] = done.peak_rss
        cpu = ended.ru_utime + ended.ru_stime - begun.ru_utime - begun.ru_stime
        print(f"\nmerge of {size / 1e9:.2f} GB in {count} shards: {done.seconds:.1f} s, {cpu:.1f} of "
              f"processor, {size / done.seconds / 1e6:.0f} MB/s; dd writes {before / 1e6:.0f} before and "
              f"{after / 1e6:.0f} MB/s after; peak {done.peak_rss / MIB:.0f} MiB")
        assert np.load(out / "embeddings.npy", mmap_mode="r").shape == (rows, dimension)
        shutil.rmtree(out)
    # A few rows of each are held.
    assert peaks[most] < peaks[most // 10] + 32 * MIB, peaks
