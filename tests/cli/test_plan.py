"""What a plan says of an input, against numpy and against the run that follows."""

import json
import os

import numpy as np
import pandas
import pytest

from fake_run import Job


@pytest.fixture
def job(longhaul_fake, folder):
    return Job(longhaul_fake, folder, 700)


def rungs(tokens):
    step = np.where(tokens <= 512, 8, np.where(tokens <= 2048, 32, 128))
    return -(-tokens // step) * step


def plan_of(job, *flags):
    done = job.run_fake("plan", job.model, job.input, *flags, "--json")
    assert done.code == 3, done
    return json.loads(done.out)


def accepted(job):
    rows = pandas.read_csv(job.input, dtype=str, keep_default_na=False)
    good = (rows.sequence != "") & ~rows.sequence.str.contains("?", regex=False)
    return rows, good.to_numpy(), rows.sequence.str.len().to_numpy()[good]


def test_counts_and_lengths_are_those_of_the_input(job):
    plan = plan_of(job)
    rows, good, lengths = accepted(job)
    assert plan["records"] == len(rows) and plan["ok"] == good.sum()
    assert plan["rejected_by_reason"] == {
        "empty": int((rows.sequence == "").sum()),
        "invalid_character": int(rows.sequence.str.contains("?", regex=False).sum())}
    told = plan["lengths"]
    assert (told["least"], told["most"]) == (lengths.min(), lengths.max())
    assert told["median"] == np.quantile(lengths, 0.5, method="lower")
    assert told["mean"] == pytest.approx(lengths.mean())
    for one in told["classes"]:
        assert one["records"] == ((lengths >= one["from"]) & (lengths <= one["to"])).sum()
    assert sum(one["records"] for one in told["classes"]) == len(lengths)
    first = plan["first_rejects"][0]
    assert first["line"] == first["row"] + 2 and first["id"] == f"r{first['row']}"


def test_tokens_and_files_are_those_of_the_run(job, folder):
    plan = plan_of(job, "--window", 64, "--tokens", "--keep-column", "sequence")
    out = folder / "out"
    job.finish(out, "--tokens", "--keep-column", "sequence")
    _, _, lengths = accepted(job)
    assert plan["tokens"] == (lengths + 2).sum()
    timings = json.loads((out / "run.json").read_text())["sessions"][-1]["timings"]
    assert plan["tokens"] == timings["tokens"]
    assert plan["tokens_computed"] == timings["tokens_computed"]
    assert plan["padding_efficiency"] == pytest.approx(timings["padding_efficiency"])
    assert plan["files"] == {name: (out / name).stat().st_size for name in plan["files"]}
    assert {"embeddings.npy", "tokens.npy", "token_offsets.npy", "checksums.npy", "records.csv",
            "rejects.csv"} == set(plan["files"])


def test_parts_of_one_row_have_the_padding_that_numpy_says(job):
    plan = plan_of(job)
    _, _, lengths = accepted(job)
    assert all(rung["rows"] == 1 for rung in plan["rungs"])
    assert plan["tokens_computed"] == rungs(lengths + 2).sum()


def test_shards_share_the_input(job, folder):
    plan = plan_of(job, "--shards", 3)
    records = [0, 0, 0]
    for block in range(0, 700, 64):
        records[block // 64 % 3] += min(64, 700 - block)
    assert [one["records"] for one in plan["shards"]] == records
    for number, shard in enumerate(plan["shards"], 1):
        out = folder / "out"
        done = job.run_fake("embed", job.model, job.input, "-o", out, "--shard", f"{number}/3", "-q")
        assert done.code == 0, done
        run = json.loads((out / "shards" / f"{number}-of-3" / "run.json").read_text())
        assert run["sessions"][-1]["timings"]["tokens_computed"] == shard["tokens_computed"]


def test_sequences_that_repeat_are_planned_as_they_are_run(job, folder):
    lines = job.input.read_text().splitlines()
    job.input.write_text("\n".join(lines + [f"again{line}" for line in lines[1:]]) + "\n")
    flags = ["--skip-duplicates", "exact", "--tokens", "--window", 64]
    plan = plan_of(job, *flags)
    out = folder / "out"
    assert job.run_fake("embed", job.model, job.input, "-o", out, *flags, "-q").code == 3
    run = json.loads((out / "run.json").read_text())
    assert plan["exact_duplicates"] == run["counts"]["duplicates"] == run["counts"]["ok"]
    assert plan["ok"] == run["counts"]["ok"]
    assert plan["tokens"] == run["sessions"][-1]["timings"]["tokens"]
    assert plan["tokens_computed"] == run["sessions"][-1]["timings"]["tokens_computed"]
    assert plan["files"] == {name: (out / name).stat().st_size for name in plan["files"]}
    assert plan_of(job, *flags[2:])["exact_duplicates"] == run["counts"]["duplicates"]


def test_order_input_is_planned_too(job, folder):
    flags = ["--order", "input", "--batch-size", 7]
    plan = plan_of(job, *flags, "--window", 64)
    out = folder / "out"
    assert job.run_fake("embed", job.model, job.input, "-o", out, *flags, "--window", 64,
                        "-q").code == 3
    timings = json.loads((out / "run.json").read_text())["sessions"][-1]["timings"]
    assert plan["tokens_computed"] == timings["tokens_computed"]


def test_a_plan_writes_nothing_and_fits(job, folder):
    before = sorted(os.listdir(folder))
    for columns in 60, 80:
        done = job.run_fake("plan", job.model, job.input, "-o", folder / "out", "--shards", 2,
                            env={"COLUMNS": str(columns)})
        assert done.code == 3, done
        assert max(map(len, done.out.splitlines())) <= columns, done
    assert sorted(os.listdir(folder)) == before


def test_a_plan_tells_what_is_there(job, folder):
    assert plan_of(job)["there"] is None
    out = folder / "out"
    job.finish(out)
    told = plan_of(job, "-o", out, "--window", 64)
    assert told["there"] == {"records": 700, "complete": True}
    text = job.run_fake("plan", job.model, job.input, "-o", out, "--window", 64).out
    assert "would have nothing to do" in " ".join(text.split())


def test_a_plan_names_windows_and_nucleotides(job, folder):
    source = folder / "bases.csv"
    source.write_text("sequence\n" + "ACGT" * 12 + "\n" + "MKVLAY" * 30 + "\nMKVLAYW\nMKWLAYW\n")
    done = job.run_fake("plan", job.model, source, "--too-long", "window", "--max-length", 100)
    assert done.code == 0, done
    text = " ".join(done.out.split())
    assert "for 1 record longer than what is computed at once" in text, done
    assert "1 record of bases alone, like DNA or RNA" in text, done


def test_a_plan_ends_as_the_run_would(job, folder):
    good = folder / "good.csv"
    good.write_text("sequence\nMKV\nMKVL\n")
    bad = folder / "bad.csv"
    bad.write_text("sequence\nM?V\n")
    for path, flags, code in [(good, [], 0), (bad, [], 65), (job.input, ["--max-rejects", 3], 65),
                              (job.input, ["--max-rejects", "50%"], 0)]:
        assert job.run_fake("plan", job.model, path, *flags, "-q").code == code
