"""The main job from a shell: what is written, what is refused, and with which exit code."""

import csv
import json
import signal
import subprocess
import time

import numpy
import pytest

GOOD = "EVQLVESGGGLVQPGGSLRLSCAASGFTFSSYAMSWVRQAPGKGLEWVSAISGSGGSTYYADSVKGRFTISRDNSKN"


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"fake": True, "dimension": 8, "max_tokens": 128}))
    return path


def write_csv(path, sequences, header="id,sequence,label"):
    lines = [header] + [f"{i:03d},{s},{i % 2}" for i, s in enumerate(sequences)]
    path.write_text("\n".join(lines) + "\n")
    return path


def records(out):
    with open(out / "records.csv", newline="") as file:
        return list(csv.DictReader(file))


def rejects(out):
    with open(out / "rejects.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_rows_are_records_in_order_with_ids_and_kept_columns(longhaul_fake, model, tmp_path):
    data = write_csv(tmp_path / "a.csv", [GOOD[: 5 + i % 60] for i in range(100)])
    out = tmp_path / "out"
    result = longhaul_fake("embed", model, data, "-o", out, "--keep-column", "label")
    assert result.code == 0, result
    rows = records(out)
    assert [r["id"] for r in rows] == [f"{i:03d}" for i in range(100)]
    assert [r["label"] for r in rows] == [str(i % 2) for i in range(100)]
    assert [int(r["length"]) for r in rows] == [5 + i % 60 for i in range(100)]
    vectors = numpy.load(out / "embeddings.npy")
    assert vectors.shape == (100, 8) and vectors.dtype == numpy.float32
    assert numpy.isfinite(vectors).all()
    # The fake's vector is a function of the record alone: equal records, equal rows.
    assert (vectors[0] == vectors[60]).all() and (vectors[0] != vectors[1]).any()
    assert numpy.load(out / "checksums.npy").shape == (100,)
    assert not (out / "embeddings.npy.partial").exists()


def test_bad_records_are_named_and_the_rest_is_unchanged(longhaul_fake, model, tmp_path):
    sequences = [GOOD[: 20 + i] for i in range(40)]
    clean = tmp_path / "clean"
    assert longhaul_fake("embed", model, write_csv(tmp_path / "c.csv", sequences),
                         "-o", clean).code == 0
    broken = dict(enumerate(sequences))
    broken[3] = ""
    broken[7] = "EVQ-LVE"
    broken[11] = GOOD * 3
    broken[20] = "EVQ1"
    broken[21] = sequences[21] + "*"
    out = tmp_path / "out"
    result = longhaul_fake("embed", model, write_csv(tmp_path / "b.csv", broken.values()),
                           "-o", out)
    assert result.code == 3, result
    assert {int(r["row"]): r["reason"] for r in rejects(out)} == {
        3: "empty", 7: "invalid_character", 11: "too_long", 20: "invalid_character"}
    assert rejects(out)[1]["line"] == "9"
    assert "'-' (a gap) at residue 4 of 7" in rejects(out)[1]["message"]
    before, after = numpy.load(clean / "embeddings.npy"), numpy.load(out / "embeddings.npy")
    bad = [3, 7, 11, 20]
    assert numpy.isnan(after[bad]).all()
    good = [i for i in range(40) if i not in bad]
    assert (before[good] == after[good]).all()
    assert json.loads((out / "run.json").read_text())["counts"]["stops_dropped"] == 1


@pytest.mark.parametrize("flags,code", [
    ([], 3), (["--strict"], 65), (["--max-rejects", "1"], 65), (["--max-rejects", "2"], 0),
    (["--max-rejects", "50%"], 0), (["--max-rejects", "10%"], 65)])
def test_limits_of_rejects_decide_the_exit_code(longhaul_fake, model, tmp_path, flags, code):
    data = write_csv(tmp_path / "a.csv", [GOOD, "", GOOD, "E-V", GOOD])
    result = longhaul_fake("embed", model, data, "-o", tmp_path / "out", *flags)
    assert result.code == code, result


def test_when_every_record_is_rejected_the_run_is_bad_data(longhaul_fake, model, tmp_path):
    data = write_csv(tmp_path / "a.csv", ["E-V", "---"])
    result = longhaul_fake("embed", model, data, "-o", tmp_path / "out")
    assert result.code == 65, result
    assert numpy.isnan(numpy.load(tmp_path / "out" / "embeddings.npy")).all()


def test_too_long_and_unknown_policies_are_recorded_per_record(longhaul_fake, model, tmp_path):
    data = write_csv(tmp_path / "a.csv", [GOOD * 3, "EVQ?L!", GOOD])
    out = tmp_path / "out"
    result = longhaul_fake("embed", model, data, "-o", out, "--too-long", "truncate",
                           "--unknown", "token")
    assert result.code == 0, result
    rows = records(out)
    assert [(r["truncated"], r["substituted"], r["length"]) for r in rows] == [
        ("true", "0", "126"), ("false", "2", "6"), ("false", "0", str(len(GOOD)))]


@pytest.mark.parametrize("flags", [
    ["--batch-size", "1"], ["--batch-size", "7", "--window", "16"], ["--batch-tokens", "256"],
    ["--threads", "1", "--commit-every", "0"]])
def test_batches_windows_and_threads_do_not_change_a_bit(longhaul_fake, model, tmp_path, flags):
    data = write_csv(tmp_path / "a.csv", [GOOD[: 3 + (i * 37) % 70] for i in range(300)])
    for name, extra in (("a", []), ("b", flags)):
        assert longhaul_fake("embed", model, data, "-o", tmp_path / name, *extra).code == 0
    for file in ("embeddings.npy", "checksums.npy", "records.csv", "rejects.csv"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


def test_standard_input_and_files_give_the_same(longhaul_fake, model, tmp_path):
    data = write_csv(tmp_path / "a.csv", [GOOD[: 9 + i] for i in range(30)])
    assert longhaul_fake("embed", model, data, "-o", tmp_path / "a").code == 0
    result = longhaul_fake("embed", model, "-", "--format", "csv", "-o", tmp_path / "b",
                           stdin=data.read_text())
    assert result.code == 0, result
    assert (tmp_path / "a/embeddings.npy").read_bytes() == \
        (tmp_path / "b/embeddings.npy").read_bytes()


def test_a_stopped_run_continues_to_the_same_bytes(longhaul_fake, tmp_path):
    model = tmp_path / "slow.json"
    model.write_text(json.dumps({"fake": True, "dimension": 8, "rows_per_second": 400}))
    data = write_csv(tmp_path / "a.csv", [GOOD[: 3 + (i * 37) % 70] for i in range(600)])
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert longhaul_fake("embed", model, data, "-o", whole).code == 0
    command = [longhaul_fake.path, "embed", model, data, "-o", parts, "--window", "128",
               "--commit-every", "0"]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    time.sleep(0.7)
    child.send_signal(signal.SIGTERM)
    message = child.communicate(timeout=10)[1]
    assert child.returncode == 75, message
    assert "continue with:" in message and str(parts) in message
    assert (parts / "embeddings.npy.partial").exists()
    result = longhaul_fake("embed", model, data, "-o", parts)
    assert result.code == 0 and "continuing" in result.err, result
    for file in ("embeddings.npy", "checksums.npy", "records.csv"):
        assert (whole / file).read_bytes() == (parts / file).read_bytes(), file
    run = json.loads((parts / "run.json").read_text())
    assert len(run["sessions"]) == 2 and run["sessions"][0]["state"] == "interrupted"
    assert run["counts"]["ok"] == 600 and run["bits"] == "exact"
    # What each session was told, and what holds.
    told = [session["settings"] for session in run["sessions"]]
    assert told[0]["window"] == 128 and told[0]["commit-every"] == "0s" and told[1] == {}
    assert run["settings"]["window"] == {"value": 128, "origin": "decided"}


def test_choices_of_the_first_session_hold_and_that_is_said(longhaul_fake, tmp_path):
    model = tmp_path / "slow.json"
    model.write_text(json.dumps({"fake": True, "dimension": 8, "rows_per_second": 400}))
    data, out = write_csv(tmp_path / "a.csv", [GOOD] * 600), tmp_path / "out"
    first = longhaul_fake("embed", model, data, "-o", out, "--window", 128, "--time-limit", "1s",
                          "--commit-every", 0)
    assert first.code == 75, first
    second = longhaul_fake("embed", model, data, "-o", out, "--window", 64, "--order", "input")
    assert second.code == 0, second
    for name, value in [("window", "128"), ("order", "length")]:
        assert f"--{name} is not used: the run goes on with that of its first session, {value}" in (
            " ".join(second.err.split())), second
    run = json.loads((out / "run.json").read_text())
    assert run["settings"]["order"] == {"value": "length", "origin": "decided"}
    assert run["choices"]["window"] == 128
    assert run["sessions"][1]["settings"] == {"window": 64, "order": "input"}


def test_a_time_limit_commits_and_exits_75(longhaul_fake, tmp_path):
    model = tmp_path / "slow.json"
    model.write_text(json.dumps({"fake": True, "dimension": 8, "rows_per_second": 200}))
    data = write_csv(tmp_path / "a.csv", [GOOD] * 2000)
    start = time.monotonic()
    result = longhaul_fake("embed", model, data, "-o", tmp_path / "out", "--time-limit", "1s")
    assert result.code == 75, result
    assert time.monotonic() - start < 8


def test_a_time_limit_that_is_shorter_than_the_start_is_told(longhaul_fake, model, tmp_path):
    data = write_csv(tmp_path / "a.csv", [GOOD] * 20)
    command = ["embed", model, data, "-o", tmp_path / "out"]
    short = longhaul_fake(*command, "--time-limit", "1ms")
    assert short.code == 75 and "with this limit nothing will ever be done" in short.err, short
    enough = longhaul_fake(*command, "--time-limit", "1h")
    assert enough.code == 0 and "--time-limit" not in enough.err, enough


def test_a_finished_run_does_no_work_and_keeps_its_code(longhaul_fake, model, tmp_path):
    data = write_csv(tmp_path / "a.csv", [GOOD, ""])
    out = tmp_path / "out"
    assert longhaul_fake("embed", model, data, "-o", out).code == 3
    before = {p.name: p.stat().st_mtime_ns for p in out.iterdir()}
    result = longhaul_fake("embed", model, data, "-o", out)
    assert result.code == 3 and "nothing to do" in result.err, result
    assert {p.name: p.stat().st_mtime_ns for p in out.iterdir()} == before


@pytest.mark.parametrize("flags,field", [
    (["--pooling", "max"], "pooling"), (["--normalize", "l2"], "normalize"),
    (["--output-dtype", "fp16"], "output-dtype"), (["--too-long", "truncate"], "too-long"),
    (["--unknown", "token"], "unknown"), (["--max-length", "64"], "max-length"),
    (["--keep-column", "label"], "keep-column")])
def test_a_setting_that_makes_the_numbers_may_not_change(longhaul_fake, model, tmp_path, flags,
                                                         field):
    data = write_csv(tmp_path / "a.csv", [GOOD] * 3)
    out = tmp_path / "out"
    assert longhaul_fake("embed", model, data, "-o", out).code == 0
    result = longhaul_fake("embed", model, data, "-o", out, *flags)
    assert result.code == 73 and field in result.err, result


def test_another_input_is_refused_and_a_touched_or_moved_one_is_not(longhaul_fake, model, tmp_path):
    slow = tmp_path / "slow.json"
    slow.write_text(json.dumps({"fake": True, "dimension": 8, "rows_per_second": 300}))
    sequences = [GOOD[: 3 + i % 70] for i in range(400)]
    data = write_csv(tmp_path / "a.csv", sequences)
    out = tmp_path / "out"
    flags = ["--window", "64", "--commit-every", "0", "-o", out]
    assert longhaul_fake("embed", slow, data, *flags, "--time-limit", "500ms").code == 75
    edited = tmp_path / "c.csv"
    edited.write_text(data.read_text().replace(",EVQ,", ",EVL,", 1))
    result = longhaul_fake("embed", slow, edited, *flags)
    assert result.code == 73 and "not those that were embedded" in result.err, result
    moved = data.rename(tmp_path / "moved.csv")
    moved.touch()
    assert longhaul_fake("embed", slow, moved, *flags).code == 0


def test_overwrite_deletes_only_our_files(longhaul_fake, model, tmp_path):
    data = write_csv(tmp_path / "a.csv", [GOOD] * 3)
    out = tmp_path / "out"
    assert longhaul_fake("embed", model, data, "-o", out).code == 0
    (out / "notes.txt").write_text("mine")
    result = longhaul_fake("embed", model, data, "-o", out, "--pooling", "max", "--overwrite")
    assert result.code == 0, result
    assert (out / "notes.txt").read_text() == "mine"
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("mine")
    result = longhaul_fake("embed", model, data, "-o", foreign, "--overwrite")
    assert result.code == 73 and (foreign / "thesis.txt").exists(), result
    assert [p.name for p in foreign.iterdir()] == ["thesis.txt"]


def test_json_gives_one_summary_on_standard_output(longhaul_fake, model, tmp_path):
    data = write_csv(tmp_path / "a.csv", [GOOD, ""])
    result = longhaul_fake("embed", model, data, "-o", tmp_path / "out", "--json", "-q")
    summary = json.loads(result.out)
    assert summary["code"] == 3 and summary["counts"]["rejected"] == 1
    assert summary["counts"]["rejected_by_reason"] == {"empty": 1}


def test_nothing_is_written_when_the_input_cannot_be_read(longhaul_fake, model, tmp_path):
    out = tmp_path / "out"
    result = longhaul_fake("embed", model, tmp_path / "absent.csv", "-o", out)
    assert result.code == 74 and "absent.csv" in result.err, result
    assert not out.exists()
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    assert longhaul_fake("embed", model, empty, "-o", out).code == 65
    assert not out.exists()


def test_input_order_keeps_consecutive_batches(longhaul_fake, tmp_path):
    model = tmp_path / "model.json"
    model.write_text(json.dumps({"fake": True, "dimension": 8, "width_matters": True}))
    data = write_csv(tmp_path / "a.csv", [GOOD[: 3 + (i * 37) % 70] for i in range(100)])
    for name, flags in (("a", ["--window", "10"]), ("b", ["--window", "4096"]),
                        ("c", ["--batch-size", "16"])):
        result = longhaul_fake("embed", model, data, "-o", tmp_path / name, "--order", "input",
                               *(["--batch-size", "8"] if name != "c" else []), *flags)
        assert result.code == 0, result
    vectors = {n: numpy.load(tmp_path / n / "embeddings.npy") for n in "abc"}
    assert (vectors["a"] == vectors["b"]).all()
    # The fake shows the width a record was padded to: another batch size, other neighbours.
    assert (vectors["a"] != vectors["c"]).any()
