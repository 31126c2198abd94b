"""Outputs of a journal version 1: finished ones are read by every command, others are left alone;
a version that nobody knows is refused by every command by name."""

import ctypes
import ctypes.util
import csv
import io
import json
import pathlib
import re
import shutil

import pytest

KEPT = pathlib.Path(__file__).parent / "version_1"
OPTIONS = ["--window", 16, "--commit-every", 0, "--batch-size", 4, "--progress", "none",
           "--threads", 1]
NO_CONTINUING = "was begun by an earlier version of longhaul"


@pytest.fixture
def kept(tmp_path):
    """The two outputs with their input and model, which have other times and inodes here."""
    folder = tmp_path / "kept"
    shutil.copytree(KEPT, folder)
    return folder


def bytes_of(folder):
    return {str(p.relative_to(folder)): p.read_bytes()
            for p in sorted(folder.rglob("*")) if p.is_file()}


def embed(out, *more):
    return ["embed", "model.json", "input.csv", "-o", out, *OPTIONS, *more]


@pytest.fixture
def unchanged(kept):
    before = bytes_of(kept)
    yield
    assert bytes_of(kept) == before


def test_the_files_are_of_version_1():
    for name in ("finished", "stopped"):
        assert '"version":1,' in (KEPT / name / "journal.jsonl").read_text().split("\n")[0]


def test_a_finished_one_is_verified_against_its_input(longhaul_fake, kept, unchanged):
    result = longhaul_fake("verify", "finished", "--json", cwd=kept)
    assert result.code == 0, result
    found = json.loads(result.out)
    assert (found["good"], found["input"], found["model"]) == (True, "matches", "matches")
    assert (found["rows"], found["ok"], found["rejected"]) == (40, 37, 3)


def test_rows_of_a_finished_one_are_computed_again(longhaul_fake, kept, unchanged):
    result = longhaul_fake("verify", "finished", "--recompute", 37, "--json", cwd=kept)
    assert result.code == 0, result
    assert json.loads(result.out)["recomputed"]["equal"] == 37


def test_another_input_is_still_told_from_that_of_a_finished_one(longhaul_fake, kept):
    text = (kept / "input.csv").read_text()
    lines = text.splitlines(keepends=True)
    for other in (text.replace("r7,", "q7,"), "".join([*lines[:3], lines[4], lines[3], *lines[5:]]),
                  text + "more,MKL,0\n", "".join(lines[:-1])):
        assert other != text
        (kept / "input.csv").write_text(other)
        result = longhaul_fake("verify", "finished", "--json", cwd=kept)
        assert result.code == 65, result
        assert json.loads(result.out)["input"] == "differs"
        result = longhaul_fake(*embed("finished"), cwd=kept)
        assert result.code == 73, result
        assert "was made from another input" in result.err


def test_a_finished_one_is_inspected(longhaul_fake, kept, unchanged):
    result = longhaul_fake("inspect", "finished", "--json", cwd=kept)
    assert result.code == 0, result
    run = json.loads(result.out)
    assert (run["state"], run["code"], run["counts"]["ok"]) == ("complete", 3, 37)


def test_labels_are_found_in_the_input_of_a_finished_one(longhaul_fake, kept, tmp_path, unchanged):
    result = longhaul_fake("probe", "fit", "finished", "-o", tmp_path / "head.npz", cwd=kept)
    assert result.code == 0, result
    result = longhaul_fake("probe", "cv", "finished", "--folds", 3, cwd=kept)
    assert result.code == 0, result


@pytest.mark.parametrize("retry", [False, True])
def test_the_command_of_a_finished_one_does_no_work(longhaul_fake, kept, retry):
    if retry:  # an earlier version's retry was stopped in it: it is that version's to continue
        shutil.copytree(kept / "stopped", kept / "finished" / "retry.partial")
    before = bytes_of(kept)
    result = longhaul_fake(*embed("finished"), cwd=kept)
    assert result.code == 3, result
    assert "finished is complete: nothing to do" in result.err
    assert bytes_of(kept) == before


def test_an_unfinished_one_is_not_continued(longhaul_fake, kept, unchanged):
    for more in ([], ["--retry-rejects"]):
        result = longhaul_fake(*embed("stopped", *more), cwd=kept)
        assert result.code == 73, result
        assert f"stopped {NO_CONTINUING}" in result.err
        assert "journal (version 1) cannot be continued" in result.err
        assert "finish it with that version, or start anew with --overwrite" in result.err


def test_an_unfinished_one_is_looked_at(longhaul_fake, kept, unchanged):
    result = longhaul_fake("inspect", "stopped", "--json", cwd=kept)
    assert result.code == 0, result
    assert json.loads(result.out)["counts"]["records"] == 28
    result = longhaul_fake("verify", "stopped", cwd=kept)
    assert result.code == 65, result
    assert "the run is not finished" in result.out + result.err


def test_an_unfinished_one_starts_anew(longhaul_fake, kept):
    expected = bytes_of(kept / "finished")
    result = longhaul_fake(*embed("stopped", "--overwrite"), cwd=kept)
    assert result.code == 3, result
    again = bytes_of(kept / "stopped")
    for name in ("embeddings.npy", "checksums.npy", "rejects.csv"):
        assert again[name] == expected[name]
    rows = list(csv.DictReader(io.StringIO(again["records.csv"].decode())))
    assert {row.pop("windows") for row in rows} == {"0"}  # a column that is new since
    assert rows == list(csv.DictReader(io.StringIO(expected["records.csv"].decode())))
    assert b'"version":2,' in again["journal.jsonl"].split(b"\n")[0]
    assert longhaul_fake("verify", "stopped", cwd=kept).code == 0


def test_a_finished_one_is_not_retried(longhaul_fake, kept, unchanged):
    result = longhaul_fake(*embed("finished", "--retry-rejects", "--unknown", "token"), cwd=kept)
    assert result.code == 73, result
    assert "finished was made by an earlier version of longhaul" in result.err
    assert "journal (version 1) cannot be continued" in result.err
    assert "--overwrite in place of --retry-rejects" in result.err


def test_a_merge_that_an_earlier_version_began_is_left_alone(longhaul_fake, kept):
    journal = kept / "finished" / "journal.jsonl"
    lines = journal.read_text().splitlines()
    commit = json.loads(lines[-2])
    assert commit["kind"] == "commit"
    fields = {name: commit[name] for name in ("counters", "extent", "records", "rejects")}
    journal.write_text(chained([*lines, {"n": len(lines), "kind": "retry", **fields}]))
    shutil.copytree(kept / "stopped", kept / "finished" / "retry.partial")
    before = bytes_of(kept)
    for more in ([], ["--retry-rejects"]):
        result = longhaul_fake(*embed("finished", *more), cwd=kept)
        assert result.code == 73, result
        assert NO_CONTINUING in result.err
    assert bytes_of(kept) == before


def chained(lines):
    """A journal of these lines (text or objects), each with the checksum that it needs."""
    hashes = ctypes.CDLL(ctypes.util.find_library("xxhash"))
    hashes.XXH3_64bits.restype = ctypes.c_uint64
    text, crc = "", "0" * 16
    for line in lines:
        if isinstance(line, str):
            body = line[len('{"crc":"') + 16 + len('",'):]
        else:
            body = json.dumps(line, separators=(",", ":"))[1:]
        data = (crc + body).encode()
        crc = f"{hashes.XXH3_64bits(data, ctypes.c_size_t(len(data))):016x}"
        text += f'{{"crc":"{crc}",{body}\n'
    return text


@pytest.mark.parametrize("version", ["3", "0", "-1", "1.5", '"2"'])
@pytest.mark.parametrize("name", ["finished", "stopped"])
def test_a_version_that_is_not_known_is_refused_by_name(longhaul_fake, kept, tmp_path, name,
                                                        version):
    journal = kept / name / "journal.jsonl"
    lines = journal.read_text().splitlines()
    assert chained(lines) == journal.read_text()
    lines[0] = re.sub('"version":1,', f'"version":{version},', lines[0])
    journal.write_text(chained(lines))
    before = bytes_of(kept)
    commands = [embed(name), embed(name, "--retry-rejects"), ["inspect", name], ["verify", name],
                ["inspect", name, "--json"], ["verify", name, "--recompute", 3]]
    if name == "finished":
        commands += [["probe", "fit", name, "-o", tmp_path / "head.npz"],
                     ["probe", "cv", name, "--folds", 3]]
    for command in commands:
        result = longhaul_fake(*command, cwd=kept)
        assert result.code == 73, (command, result)
        assert f"journal version {version}" in result.err, (command, result)
        assert "use that longhaul" in result.err
    assert bytes_of(kept) == before
