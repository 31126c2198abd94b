"""Inputs that changed between two sessions: an unfinished run goes on where the part that was read
is the same, whatever became of the rest; a finished one says what differs."""

import csv
import gzip
import json
import os
import shutil
import subprocess
import time

import numpy as np
import pytest
from changed_run import Run, left, sequences, text_of
from fake_run import committed, contents, journal, strace


@pytest.fixture
def run(longhaul_fake, tmp_path):
    return Run(longhaul_fake, tmp_path)


@pytest.mark.parametrize("kind", ["fasta", "csv", "tsv", "jsonl"])
def test_rows_that_are_appended_are_embedded_by_the_same_command(run, kind):
    source, out = run.folder / f"in.{kind}", run.folder / "out"
    source.write_text(text_of(kind, sequences(150)))
    # In the window in hand (40 to 80), which is whole, and at the last one (120 to 150), which grows.
    for done in (50, 130):
        if done > 100:
            out = run.folder / "late"
            source.write_text(text_of(kind, sequences(150)))
        assert sum(run.stop_after(out, [source], done)) < 150
        with open(source, "a") as file:
            file.write(text_of(kind, sequences(30, seed=9), first=150))
        planned = run.plan(out, [source])
        assert planned.code == 0, planned
        result = run.finish(out, [source])
        assert result.code == 0, result
        expected = run.fresh([source])
        assert contents(out) == expected
        assert np.load(out / "embeddings.npy").shape == (180, 16)
        assert run.fake("verify", out, "--recompute", 100).code == 0
        report = json.loads((out / "run.json").read_text())
        assert report["inputs"][0]["size"] == source.stat().st_size
        assert report["counts"]["ok"] == 180
        again = run.finish(out, [source])
        assert again.code == 0 and "nothing to do" in again.err
        shutil.rmtree(run.folder / "fresh")


def test_the_window_in_hand_is_kept_where_it_is_the_same(run):
    source, out = run.folder / "in.csv", run.folder / "out"
    source.write_text(text_of("csv", sequences(150)))
    start, position = run.stop_after(out, [source], 60)
    assert position > 0
    with open(source, "a") as file:
        file.write(text_of("csv", sequences(5, seed=9), first=150))
    result = run.finish(out, [source])
    assert result.code == 0 and "embedded again" not in result.err, result
    session = json.loads((out / "run.json").read_text())["sessions"][-1]
    assert session["timings"]["records"] <= 155 - start - position
    assert contents(out) == run.fresh([source])


@pytest.mark.parametrize("done", [1, 60])
def test_a_change_in_the_window_in_hand_is_73_and_nothing_is_touched(run, done):
    """In the first window too, where nothing before it tells another input apart."""
    source, out = run.folder / "in.csv", run.folder / "out"
    rows = sequences(150)
    source.write_text(text_of("csv", rows))
    start, position = run.stop_after(out, [source], done)
    assert position > 0 and start == (0 if done == 1 else 40)
    before = left(out)
    corrected = list(rows)
    # Of the same size: nothing but the content tells.
    corrected[start] = ("A" if rows[start][0] != "A" else "C") + rows[start][1:]
    for changed, words in [(corrected, "are not those that were read"),
                           (sequences(150, seed=8), None),
                           (rows[:start + 3], f"end after {start + 3}")]:
        source.write_text(text_of("csv", changed))
        result = run.finish(out, [source])
        assert result.code == 73 and "was made from another input" in result.err, result
        if words:
            assert f"records {start} to {start + 40}, of which a part is embedded" in result.err
            assert words in result.err, result
        run.plans_the_same(out, [source], result)
        assert left(out) == before
    source.write_text(text_of("csv", rows))  # the remedy: restore it
    assert run.finish(out, [source]).code == 0
    assert contents(out) == run.fresh([source])


def test_a_window_that_grew_is_embedded_again_also_after_kills(run, needs_strace):
    source, out, kept = run.folder / "in.csv", run.folder / "out", run.folder / "kept"
    source.write_text(text_of("csv", sequences(150)))
    start, _ = run.stop_after(out, [source], 121)
    assert start == 120
    with open(source, "a") as file:
        file.write(text_of("csv", sequences(20, seed=9), first=150))
    shutil.copytree(out, kept)
    expected = run.fresh([source])
    fired = 0
    for call in ("pwrite64", "fdatasync", "ftruncate", "rename"):
        for n in range(1, 40):
            shutil.rmtree(out)
            shutil.copytree(kept, out)
            prefix = map(str, strace(run.folder / "log", call, f"signal=SIGKILL:when={n}"))
            done = subprocess.run([*prefix, str(run.fake.path),
                                   *map(str, run.command(out, [source]))], capture_output=True)
            if done.returncode == 0:
                assert b"embedded again" in done.stderr
                break
            fired += 1
            result = run.finish(out, [source])
            assert result.code == 0, (call, n, result)
            assert contents(out) == expected, (call, n)
            assert run.fake("verify", out).code == 0
    assert fired > 20


def test_a_change_in_what_was_read_is_73_and_nothing_is_touched(run):
    source, out = run.folder / "in.csv", run.folder / "out"
    rows = sequences(150)
    source.write_text(text_of("csv", rows))
    run.stop_after(out, [source], 60)
    before = left(out)
    rows[7] += "A"
    source.write_text(text_of("csv", rows))
    result = run.finish(out, [source])
    assert result.code == 73, result
    assert "the first 40 records are not those that were embedded" in result.err
    assert "another --output" in result.err
    run.plans_the_same(out, [source], result)
    assert left(out) == before
    rows[7] = rows[7][:-1]  # the remedy: restore it
    source.write_text(text_of("csv", rows))
    assert run.finish(out, [source]).code == 0


def test_files_may_follow_at_the_end_of_the_list(run):
    first, second, out = run.folder / "a.csv", run.folder / "b.csv", run.folder / "out"
    first.write_text(text_of("csv", sequences(100)))
    second.write_text("id,sequence\n" + text_of("csv", sequences(30, seed=5), first=100))
    run.stop_after(out, [first], 60)
    result = run.finish(out, [first, second])
    assert result.code == 0, result
    assert contents(out) == run.fresh([first, second])
    report = json.loads((out / "run.json").read_text())
    assert [entry["path"] for entry in report["inputs"]] == [str(first), str(second)]
    notes = [line["note"] for line in journal(out) if line["kind"] == "note"]
    assert len(notes[-1]["inputs"]) == 2


def test_another_file_before_the_others_is_73(run):
    first, second, out = run.folder / "a.csv", run.folder / "b.csv", run.folder / "out"
    first.write_text(text_of("csv", sequences(100)))
    second.write_text(text_of("csv", sequences(30, seed=5)))
    run.stop_after(out, [first], 60)
    result = run.finish(out, [second, first])
    assert result.code == 73, result
    assert run.finish(out, [first]).code == 0


def test_standard_input_is_compared_as_far_as_it_was_read(run):
    out = run.folder / "out"
    text = text_of("fasta", sequences(150))
    more = ["--format", "fasta"]
    run.job.options += more
    run.stop_after(out, ["-"], 60, stdin=text.encode())
    other = run.finish(out, ["-"], stdin=text_of("fasta", sequences(150, seed=8)))
    assert other.code == 73 and "are not those that were embedded" in other.err, other
    longer = text + text_of("fasta", sequences(20, seed=7), first=150)
    done = run.finish(out, ["-"], stdin=longer)
    assert done.code == 0, done
    assert contents(out) == run.fresh(["-"], stdin=longer)


def test_standard_input_of_a_finished_run_is_read_and_compared(run):
    out = run.folder / "out"
    text = text_of("fasta", [*sequences(30), "MK?L"])
    run.job.options += ["--format", "fasta"]
    assert run.finish(out, ["-"], stdin=text).code == 3
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    same = run.finish(out, ["-"], stdin=text)
    assert same.code == 3 and "nothing to do" in same.err, same
    wrapped = text.replace("of a protein", "of another")  # no part of the id or the sequence
    assert run.finish(out, ["-"], stdin=wrapped).code == 3
    for other, words in [
            (text_of("fasta", sequences(31, seed=8)), "are not those that were embedded"),
            (text_of("fasta", sequences(30)), "it ends after 30 records"),
            (text + ">more\nMKL\n", "it goes on with more"),
            ("", "standard input")]:
        result = run.finish(out, ["-"], stdin=other)
        assert result.code == 73 and words in result.err, result
        assert "another --output" in result.err
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before


@pytest.mark.parametrize("change, words", [
    (lambda rows: rows + ["MKLVEY"], "goes on with r30"),
    (lambda rows: rows[:-1], "ends after 29 records"),
    (lambda rows: ["MKLVEY", *rows[1:]], "are not those that were embedded")])
def test_a_finished_output_of_a_file_that_changed_is_73(run, change, words):
    source, out = run.folder / "in.csv", run.folder / "out"
    rows = sequences(30)
    source.write_text(text_of("csv", rows))
    assert run.finish(out, [source]).code == 0
    source.write_text(text_of("csv", change(rows)))
    result = run.finish(out, [source])
    assert result.code == 73 and words in result.err and "another --output" in result.err, result
    run.plans_the_same(out, [source], result)
    other = run.finish(run.folder / "other", [source])  # the remedy
    assert other.code == 0, other


def test_a_finished_output_of_a_file_that_says_the_same_does_no_work(run):
    source, out = run.folder / "in.fasta", run.folder / "out"
    text = text_of("fasta", sequences(30))
    source.write_text(text)
    assert run.finish(out, [source]).code == 0
    source.write_text(text.replace("of a protein", "of the same protein"))
    result = run.finish(out, [source])
    assert result.code == 0 and "nothing to do" in result.err, result
    run.plans_the_same(out, [source], result)
    source.unlink()
    result = run.finish(out, [source])
    assert result.code == 0 and "not at hand" in result.err, result


def test_compressed_and_columnar_inputs_too(longhaul, tiny_model, tmp_path):
    """The real program, which reads them; stopped by a limit on batches' time."""
    import pyarrow
    import pyarrow.parquet
    rows = sequences(300)

    def write(path, rows):
        if path.suffix == ".gz":
            path.write_bytes(gzip.compress(text_of("csv", rows).encode()))
        else:
            names = [f"r{i}" for i in range(len(rows))]
            pyarrow.parquet.write_table(pyarrow.table({"id": names, "sequence": rows}), path)

    for source in (tmp_path / "in.csv.gz", tmp_path / "in.parquet"):
        write(source, rows)
        out, fresh = tmp_path / f"{source.name}-out", tmp_path / f"{source.name}-fresh"
        command = ["embed", tiny_model, source, "--window", 50, "--commit-every", 0, "--threads", 1,
                   "--progress", "none", "-b", 4]
        stopped = longhaul(*command, "-o", out, "--time-limit", "10ms")
        # Longer and longer, since loading takes its time and counts.
        for limit in range(50, 10000, 50):
            if committed(out)[0] >= 50:
                break
            stopped = longhaul(*command, "-o", out, "--time-limit", f"{limit}ms")
            assert stopped.code == 75, stopped
        assert 50 <= committed(out)[0] < 300
        longer = [*rows, *sequences(20, seed=4)]
        write(source, longer)
        done = longhaul(*command, "-o", out)
        assert done.code == 0, done
        assert longhaul(*command, "-o", fresh).code == 0
        assert contents(out) == contents(fresh)
        assert len(list(csv.reader(open(out / "records.csv")))) == 321


@pytest.mark.parametrize("finished", [False, True])
def test_a_change_behind_a_restored_time_is_read(run, finished):
    source, out = run.folder / "in.csv", run.folder / "out"
    rows = sequences(150)
    source.write_text(text_of("csv", rows))
    if finished:
        assert run.finish(out, [source]).code == 0
    else:
        run.stop_after(out, [source], 90)
    before = source.stat()
    rows[10] = rows[10][::-1]
    with open(source, "r+") as file:  # the same file, of the same size
        file.write(text_of("csv", rows))
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = source.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (
        before.st_size, before.st_mtime_ns, before.st_ino)
    result = run.finish(out, [source])
    assert result.code == 73 and "made from another input" in result.err, result


def test_a_file_whose_entry_alone_changed_is_the_same_input(run):
    source, out = run.folder / "in.csv", run.folder / "out"
    source.write_text(text_of("csv", sequences(150)))
    run.stop_after(out, [source], 90)
    source.chmod(0o600)
    assert run.finish(out, [source]).code == 0
    assert contents(out) == run.fresh([source])
    source.chmod(0o644)
    again = run.finish(out, [source])
    assert again.code == 0 and "nothing to do" in again.err


def test_the_time_of_a_file_s_entry_is_recorded(run):
    source, out = run.folder / "in.csv", run.folder / "out"
    source.write_text(text_of("csv", sequences(150)))
    assert run.finish(out, [source]).code == 0
    begin = next(line for line in journal(out) if line["kind"] == "begin")
    assert begin["run"]["inputs"][0]["changed_ns"] == source.stat().st_ctime_ns


def test_an_input_that_changes_while_it_is_read_is_told(run):
    source, out = run.folder / "in.csv", run.folder / "out"
    source.write_text(text_of("csv", sequences(150)))
    command = [str(run.fake.path), *map(str, run.command(out, [source]))]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               text=True)
    deadline = time.monotonic() + 60
    while not (out / "journal.jsonl").exists() or sum(committed(out)) == 0:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    with open(source, "a") as file:
        file.write("late,MKLV\n")
    told = " ".join(process.communicate(timeout=60)[1].split())
    assert process.returncode == 0, told
    assert f"{source} changed while it was read" in told
    again = run.finish(out, [source])
    assert again.code == 73 and "it goes on with late" in again.err, again
    done = run.finish(out, [source], "--overwrite")
    assert done.code == 0 and "changed while" not in done.err, done
