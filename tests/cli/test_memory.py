"""Memory pressure on the real program: limits that are real, and failures that are told."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import numpy
import pytest

from conftest import ROOT
from measured import (MIB, last_session, memory_lines, report_of, run_measured, same_bits,
                      vectors_of, write_sequences)


def fake_model(path, **settings):
    path.write_text(json.dumps({"fake": True, **settings}))
    return path


@pytest.fixture(scope="module")
def wide_model(tmp_path_factory):
    """One layer that takes 128 KiB per token while it works: large batches need much memory."""
    folder = tmp_path_factory.mktemp("wide")
    config = {"model_type": "esm", "vocab_size": 33, "pad_token_id": 1, "mask_token_id": 32,
              "token_dropout": True, "max_position_embeddings": 1026, "num_hidden_layers": 1,
              "hidden_size": 128, "num_attention_heads": 2, "intermediate_size": 32768,
              "position_embedding_type": "rotary"}
    (folder / "config.json").write_text(json.dumps(config))
    subprocess.run([sys.executable, ROOT / "scripts/export_esm.py", "--random",
                    folder / "config.json", folder / "wide.ts"], check=True)
    return folder / "wide.ts"


@pytest.fixture(scope="module")
def one_by_one(longhaul, wide_model, tmp_path_factory):
    """The run with one part at a time, against which the others are measured."""
    folder = tmp_path_factory.mktemp("one_by_one")
    # Long enough that a part, of one record here, takes 128 MiB.
    data = write_sequences(folder / "in.csv", [1000 - number % 7 for number in range(32)])
    done = run_measured(longhaul.path, "embed", wide_model, data, "-o", folder / "out",
                        "--threads", 4, "--batch-size", 1, "--progress", "none")
    assert done.code == 0, done
    return done, data, folder / "out"


@pytest.fixture(scope="module")
def unlimited(longhaul, wide_model, one_by_one, tmp_path_factory):
    """Four parts at a time with all the memory they want."""
    out = tmp_path_factory.mktemp("unlimited") / "out"
    done = run_measured(longhaul.path, "embed", wide_model, one_by_one[1], "-o", out,
                        "--threads", 4, "--progress", "none")
    assert done.code == 0, done
    assert same_bits(out, one_by_one[2])
    return done, out


def batches_of(out):
    return last_session(out)["memory"]["leak"]["batches"]


def test_with_64_mib_more_than_one_part_needs_a_run_of_four_at_a_time_finishes(
        longhaul, wide_model, one_by_one, unlimited, tmp_path):
    single, data, reference = one_by_one
    limit = single.peak_address_space + 64 * MIB
    # Not vacuous: what four at a time would take is far above it.
    assert unlimited[0].peak_address_space > limit + 64 * MIB, (single, unlimited[0])
    done = run_measured(longhaul.path, "embed", wide_model, data, "-o", tmp_path / "out",
                        "--threads", 4, "--progress", "none", address_space=limit)
    assert done.code == 0, done
    governor = last_session(tmp_path / "out")["memory"]["governor"]
    assert governor["lowered_by_limit"] + governor["out_of_memory"] > 0
    assert batches_of(tmp_path / "out") > batches_of(unlimited[1])
    assert same_bits(tmp_path / "out", reference)


def test_below_what_the_model_needs_the_run_ends_with_71_and_a_line(
        longhaul, wide_model, one_by_one, tmp_path):
    single, data, _ = one_by_one
    refused = 0
    # From just too little to what the program needs to start and read the card.
    for share in (0.97, 0.94, 0.91, 0.88, 0.85, 0.82, 0.79, 0.76):
        out = tmp_path / str(share)
        done = run_measured(longhaul.path, "embed", wide_model, data, "-o", out, "--threads", 4,
                            "--batch-size", 1, "--progress", "none", timeout=60,
                            address_space=int(single.peak_address_space * share))
        if done.code == 0:  # chance places what is allocated: near the limit it may just fit
            assert refused < 3, (share, done)
            continue
        refused += 1
        assert done.code == 71, (share, done)
        last = done.err.strip().splitlines()[-1]
        assert "memory" in last.lower(), (share, last)
        assert len(last) < 400 and "frame #" not in done.err
        # Nothing that looks finished, but for a run whose every record was tried.
        assert (out / "embeddings.npy").exists() == ("not one record fits" in last)
    assert refused >= 3


def test_a_model_that_cannot_fit_is_refused_with_the_figures(longhaul, antiberty, one_by_one,
                                                             tmp_path):
    done = run_measured(longhaul.path, "embed", antiberty, one_by_one[1], "-o", tmp_path / "out",
                        "--memory-limit", "100M", "--progress", "none")
    assert done.code == 71, done
    last = done.err.strip().splitlines()[-1]
    assert re.search(r"needs about [\d.]+ MiB", last), last
    assert "--memory-limit" in last


def test_a_memory_limit_is_never_passed(longhaul, wide_model, one_by_one, unlimited, tmp_path):
    single, data, reference = one_by_one
    limit = int(single.peak_rss * 1.2)
    assert unlimited[0].peak_rss > limit, (single, unlimited[0])
    done = run_measured(longhaul.path, "embed", wide_model, data, "-o", tmp_path / "out",
                        "--threads", 4, "--memory-limit", limit, "--progress", "none")
    assert done.code == 0, done
    assert done.peak_rss <= limit, (done, limit / MIB)
    assert last_session(tmp_path / "out")["memory"]["governor"]["lowered_by_limit"] > 0
    assert same_bits(tmp_path / "out", reference)


def embed_fake(longhaul_fake, folder, name, records=600, **settings):
    data = folder / "in.csv"
    if not data.exists():
        write_sequences(data, [10 + number * 7919 % 100 for number in range(records)])
    model = fake_model(folder / f"{name}.json", **settings)
    done = longhaul_fake("embed", model, data, "-o", folder / name, "--progress", "none",
                         "--clear-cache-every", 0, "--batch-size", 8)
    return done, folder / name


# A vector depends on the rows of its part, as on GPUs and on processors with matrix units.
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_limit_that_holds_one_part_changes_no_bit_and_one_that_holds_none_is_said(
        longhaul_fake, tmp_path, device):
    data = tmp_path / "in.csv"
    write_sequences(data, [10 + number * 7919 % 100 for number in range(600)])
    model = fake_model(tmp_path / "model.json", part_tokens=512, rows_matter=True, device=device,
                       base_bytes=1 << 20)
    outs = {}

    def embed(name, *flags):
        outs[name] = tmp_path / name
        done = longhaul_fake("embed", model, data, "-o", outs[name], "--progress", "none", *flags)
        assert done.code == 0, done
        report = report_of(outs[name])
        return done, report["bits"], report["counts"]["reshaped"]

    assert embed("free")[1:] == ("exact", 0)
    for name, flags in {"b1": ["-b", 1], "b3": ["-b", 3], "b16": ["-b", 16],
                        "one_part": ["--memory-limit", "300M"],
                        "threads": ["--threads", 1], "window": ["--window", 64]}.items():
        assert embed(name, *flags)[1:] == ("exact", 0), name
        assert same_bits(outs[name], outs["free"]), name
    done, bits, reshaped = embed("no_part", "--memory-limit", "60M")
    assert bits == "numeric" and reshaped > 0
    assert "does not fit in memory" in done.err and "numeric" in done.err
    assert not same_bits(outs["no_part"], outs["free"])
    differ = (vectors_of(outs["no_part"]) != vectors_of(outs["free"])).any(axis=1).sum()
    assert differ == reshaped


@pytest.mark.parametrize("settings", [
    {"fail_at": [1]}, {"fail_at": [2]}, {"fail_at": [40]}, {"fail_at": [3], "fail_times": 2},
    {"fail_at": [2, 5, 9, 20]}, {"capacity_cost": 300}, {"capacity_rows": 3},
], ids=str)
def test_out_of_memory_changes_no_bit(longhaul_fake, tmp_path, settings):
    calm, reference = embed_fake(longhaul_fake, tmp_path, "calm")
    hit, out = embed_fake(longhaul_fake, tmp_path, "hit", **settings)
    assert calm.code == 0 and hit.code == 0, hit
    encoder = last_session(out)["encoder"]
    assert encoder["out_of_memory"] > 0  # the fault fired
    assert last_session(out)["memory"]["governor"]["out_of_memory"] == encoder["out_of_memory"]
    assert same_bits(out, reference)
    assert (out / "records.csv").read_bytes() == (reference / "records.csv").read_bytes()
    assert "out of memory with" in hit.err


def test_a_record_that_does_not_fit_alone_is_rejected_by_name(longhaul_fake, tmp_path):
    _, reference = embed_fake(longhaul_fake, tmp_path, "calm")
    hit, out = embed_fake(longhaul_fake, tmp_path, "hit", capacity_cost=100)
    assert hit.code == 3, hit
    rejects = (out / "rejects.csv").read_text()
    assert "out_of_memory" in rejects
    vectors, calm = vectors_of(out), vectors_of(reference)
    lost = numpy.isnan(vectors).any(axis=1)
    assert 0 < lost.sum() < len(lost)
    assert rejects.count("out_of_memory") >= lost.sum()
    assert numpy.array_equal(vectors[~lost], calm[~lost])


def test_when_no_record_fits_the_run_ends_with_71_and_can_be_made_good(longhaul_fake, tmp_path):
    _, reference = embed_fake(longhaul_fake, tmp_path, "calm")
    hit, out = embed_fake(longhaul_fake, tmp_path, "hit", capacity_cost=1)
    assert hit.code == 71, hit
    assert "--retry-rejects" in hit.err.strip().splitlines()[-1]
    assert numpy.isnan(vectors_of(out)).all()
    assert longhaul_fake("verify", out).code == 0


def test_memory_that_runs_out_in_a_thread_of_a_library_ends_with_71(longhaul_fake, tmp_path):
    hit, out = embed_fake(longhaul_fake, tmp_path, "hit", thread_out_of_memory_at=40)
    assert hit.code == 71, hit
    assert "out of memory" in hit.err and "terminate called" not in hit.err
    assert (out / "journal.jsonl").exists() and not (out / "embeddings.npy").exists()


def test_a_driver_counter_of_67108914_gib_is_logged_as_null_with_one_warning(longhaul_fake,
                                                                             tmp_path):
    calm, reference = embed_fake(longhaul_fake, tmp_path, "calm", device="mps")
    done, out = embed_fake(longhaul_fake, tmp_path, "lying", device="mps", wrap_at=1)
    assert done.code == 0, done
    assert memory_lines(reference)[-1]["device_driver"] > 0
    assert memory_lines(out)[-1]["device_driver"] is None
    assert done.err.count("device_driver cannot be true") == 1
    assert str((1 << 56) + (100 << 20)) in done.err
    assert same_bits(out, reference)


def test_a_leak_is_named_at_the_end_and_in_the_report(longhaul_fake, tmp_path):
    done, out = embed_fake(longhaul_fake, tmp_path, "leaky", leak_bytes=100000,
                           rows_per_second=300)
    assert done.code == 0, done
    memory = last_session(out)["memory"]
    assert memory["verdict"] == "growing"
    assert memory["leak"]["series"]["live"]["verdict"] == "growing"
    assert "memory: growing" in done.err


def test_too_many_vectors_that_are_not_finite_stop_the_run(longhaul_fake, tmp_path):
    done, out = embed_fake(longhaul_fake, tmp_path, "nan", nan_every=5)
    assert done.code == 65, done
    assert "not finite" in done.err.strip().splitlines()[-1]
    done, out = embed_fake(longhaul_fake, tmp_path, "cured", nan_in_company=20)
    assert done.code == 0, done
    assert numpy.isfinite(vectors_of(out)).all()


class Cgroup:
    """A memory cgroup of our own, version 2 or 1."""

    def __init__(self, limit):
        name = f"longhaul_test_{os.getpid()}"
        version_2 = pathlib.Path("/sys/fs/cgroup/cgroup.controllers")
        if version_2.exists() and "memory" in version_2.read_text().split():
            self.path, limit_file = version_2.parent / name, "memory.max"
        else:
            self.path = pathlib.Path("/sys/fs/cgroup/memory") / name
            limit_file = "memory.limit_in_bytes"
        if not self.path.parent.is_dir():
            raise OSError("no memory cgroup here")
        self.path.mkdir()
        try:
            (self.path / limit_file).write_text(str(limit))
        except OSError:
            self.path.rmdir()
            raise

    def enter(self):
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def close(self):
        for _ in range(100):
            try:
                self.path.rmdir()
                return
            except OSError:
                time.sleep(0.05)


def test_a_run_killed_for_memory_completes_when_started_again(longhaul_fake, tmp_path):
    try:
        group = Cgroup(256 * MIB)
    except OSError as error:
        pytest.skip(f"no memory cgroup can be made here: {error}")
    data = write_sequences(tmp_path / "in.csv", [60] * 1600)
    model = fake_model(tmp_path / "slow.json", rows_per_second=200)
    command = ["embed", model, data, "-o", tmp_path / "out", "--batch-size", 8, "--progress",
               "none", "--commit-every", "100ms"]

    def victim():
        group.enter()
        pathlib.Path("/proc/self/oom_score_adj").write_text("1000")

    ballast = []
    try:
        process = subprocess.Popen([str(longhaul_fake.path), *map(str, command)],
                                   stderr=subprocess.PIPE, text=True, preexec_fn=victim)
        journal = tmp_path / "out" / "journal.jsonl"
        for _ in range(200):
            if journal.exists() and len(journal.read_text().splitlines()) >= 4:
                break
            time.sleep(0.05)
        # Others fill the group, each with less than the program's handicap; the kernel ends it.
        for _ in range(4):
            ballast.append(subprocess.Popen(
                [sys.executable, "-c", "import time; x = b'x' * (80 << 20); time.sleep(60)"],
                preexec_fn=group.enter))
        process.wait(timeout=60)
    finally:
        for one in ballast:
            one.kill()
            one.wait()
        group.close()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "out" / "embeddings.npy").exists()

    again = longhaul_fake(*command)
    assert again.code == 0, again
    fast = fake_model(tmp_path / "fast.json")
    whole = longhaul_fake("embed", fast, data, "-o", tmp_path / "whole", "--progress", "none")
    assert whole.code == 0, whole
    assert same_bits(tmp_path / "out", tmp_path / "whole")
    assert len(report_of(tmp_path / "out")["sessions"]) == 2
