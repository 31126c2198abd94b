"""Ways to spoil a set of shards: each is refused by `longhaul merge`, named, and nothing is lost."""

import json
import shutil

import pytest

from fake_run import Job, contents, quick_folder
from shard_sets import Shards, edit, flip, rewritten_journal, shards, three, tree  # noqa: F401


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    yield from quick_folder(tmp_path_factory.mktemp("spoilt"))


def remove(name, index=2):
    return lambda shards: (shards.path(index) / name).unlink()


def replace(old, new):
    def change(data):
        assert old in data
        return data.replace(old, new, 1)
    return change


def swap_lines(data):
    lines = data.splitlines(keepends=True)
    lines[5], lines[6] = lines[6], lines[5]
    return b"".join(lines)


def drop_line(data):
    lines = data.splitlines(keepends=True)
    return b"".join(lines[:5] + lines[6:])


def double_line(data):
    lines = data.splitlines(keepends=True)
    return b"".join(lines[:5] + lines[4:])


def drop_second_line(data):
    lines = data.splitlines(keepends=True)
    return b"".join(lines[:1] + lines[2:])


def folder_gone(index):
    return lambda shards: shutil.rmtree(shards.path(index))


def renamed(old, new):
    return lambda shards: (shards.out / "shards" / old).rename(shards.out / "shards" / new)


def copied(old, new):
    def spoil(shards):
        shutil.rmtree(shards.out / "shards" / new, ignore_errors=True)
        shutil.copytree(shards.out / "shards" / old, shards.out / "shards" / new)
    return spoil


def again(count=3, **changes):
    """Shard 2 of another run takes the place of this one's: other settings, model or input."""
    def spoil(shards):
        job, other = shards.job, shards.out.parent / "other"
        arguments = [str(a) for a in job.arguments(other, "--shard", f"2/{count}")]
        arguments += changes.get("settings", [])
        arguments = [word for word in arguments if word != changes.get("without")]
        if "model" in changes:
            model = shards.out.parent / "model.json"
            model.write_text(json.dumps({**json.loads(job.model.read_text()), **changes["model"]}))
            arguments[1] = str(model)
        if "input" in changes:
            path = shards.out.parent / "input.csv"
            path.write_text(changes["input"](job.input.read_text()))
            arguments[2] = str(path)
        if changes.get("index"):
            planned = job.run_fake("plan", *arguments[1:3], "-o", other, "--index", "-q")
            assert planned.code == 0, planned
        result = job.run_fake(*arguments)
        assert result.code == 0, result
        shutil.rmtree(shards.path(2))
        (other / "shards" / f"2-of-{count}").rename(shards.path(2))
    return spoil


def changed_record(text):
    lines = text.splitlines()
    lines[1] = lines[1] + "A"  # a record of shard 1
    return "\n".join(lines) + "\n"


def own_record(text):
    lines = text.splitlines()
    lines[80] = lines[80] + "A"  # one of shard 2 itself
    return "\n".join(lines) + "\n"


def another_id(text):
    lines = text.splitlines()
    lines[90] = "x" + lines[90]
    return "\n".join(lines) + "\n"


def one_between(text):
    lines = text.splitlines()
    return "\n".join([*lines[:50], "between,MKTAYIAKQR", *lines[50:]]) + "\n"


def one_moved(text):
    lines = text.splitlines()
    return "\n".join([*lines[:50], lines[51], lines[50], *lines[52:]]) + "\n"


def without_last(text):
    return "\n".join(text.splitlines()[:-1]) + "\n"


def one_more(text):
    return text + "extra,MKTAYIAKQR\n"


def killed(shards):
    """Shard 2 is begun anew, and not finished."""
    shards.embed(2, "--overwrite", "--time-limit", "1ms", code=75)


def choices(change):
    def spoil(shards):
        path = shards.out / "shards/choices.json"
        path.write_bytes(change(path.read_bytes()))
    return spoil


def begun_with(part, name, value):
    """Shard 2 says that it was begun with another value of a setting or a choice."""
    def change(line):
        if line["kind"] == "begin":
            line["run"][part][name] = value
        return line
    return edit("journal.jsonl", rewritten_journal(change))


def finished_with(*path, value):
    """Shard 2 says another thing of what it read."""
    def change(line):
        if line["kind"] == "finish":
            part = line
            for name in path[:-1]:
                part = part[name]
            part[path[-1]] = value
        return line
    return edit("journal.jsonl", rewritten_journal(change))


def stranger(name):
    return lambda shards: (shards.out / "shards" / name).mkdir()


def plain_journal(shards):
    job, other = shards.job, shards.out.parent / "plain"
    job.finish(other)
    shutil.copy(other / "journal.jsonl", shards.out / "journal.jsonl")


def plain_shard(shards):
    """A whole run stands where a shard should."""
    other = shards.out.parent / "plain"
    shards.job.finish(other)
    shutil.rmtree(shards.path(2))
    other.rename(shards.path(2))


SPOILT = {
    # Bytes of each file, wherever they are.
    "a bit of a vector": (edit("embeddings.npy", flip(1000)), 65, "embeddings.npy row"),
    "a bit of the last vector": (edit("embeddings.npy", flip(-1)), 65, "does not match its checksum"),
    "a bit of the array's header": (edit("embeddings.npy", flip(20)), 65, "header"),
    "an array cut short": (edit("embeddings.npy", lambda d: d[:-4]), 65, "its size"),
    "an array grown longer": (edit("embeddings.npy", lambda d: d + b"more"), 65, "its size"),
    "an empty array": (edit("embeddings.npy", lambda d: b""), 65, "embeddings.npy is damaged"),
    "no array": (remove("embeddings.npy"), 65, "embeddings.npy is missing"),
    "a bit of a checksum": (edit("checksums.npy", flip(200)), 65, "does not match its checksum"),
    "a bit of the checksums' header": (edit("checksums.npy", flip(30)), 65, "checksums.npy"),
    "checksums cut short": (edit("checksums.npy", lambda d: d[:-8]), 65, "checksums.npy"),
    "no checksums": (remove("checksums.npy"), 65, "checksums.npy is missing"),
    "a bit of a record's line": (edit("records.csv", flip(300)), 65, "records.csv bytes"),
    "a bit of the header of records": (edit("records.csv", flip(3)), 65, "records.csv bytes"),
    "a record's line gone": (edit("records.csv", drop_line), 65, "records.csv"),
    "a record's line twice": (edit("records.csv", double_line), 65, "records.csv"),
    "two records' lines swapped": (edit("records.csv", swap_lines), 65, "records.csv bytes"),
    "records cut short": (edit("records.csv", lambda d: d[:-20]), 65, "records.csv"),
    "records grown longer": (edit("records.csv", lambda d: d + b"x"), 65, "records.csv"),
    "no records": (remove("records.csv"), 65, "records.csv is missing"),
    "an id of a record": (edit("records.csv", replace(b",r64,", b",r65,")), 65, "records.csv bytes"),
    "a bit of a reject's line": (edit("rejects.csv", flip(60)), 65, "rejects.csv bytes"),
    "a reject's line gone": (edit("rejects.csv", lambda d: d[:d[:-1].rindex(b"\n") + 1]), 65,
                             "rejects.csv"),
    "no rejects": (remove("rejects.csv"), 65, "rejects.csv is missing"),
    "empty rejects": (edit("rejects.csv", lambda d: b""), 65, "rejects.csv"),
    "a bit of run.json": (edit("run.json", flip(50)), 65, "run.json is not what"),
    "no run.json": (remove("run.json"), 65, "run.json is missing"),
    "empty run.json": (edit("run.json", lambda d: b""), 65, "run.json"),
    # The journal, which vouches for all else.
    "a bit of the journal's first line": (edit("journal.jsonl", flip(100)), 65, "journal.jsonl is damaged"),
    "a bit of the journal's last line": (edit("journal.jsonl", flip(-30)), 75, "2 is not finished"),
    "a journal without its last line": (
        edit("journal.jsonl", lambda d: d[:d[:-1].rindex(b"\n") + 1]), 75, "2 is not finished"),
    "something after the journal": (edit("journal.jsonl", lambda d: d + b"{}\n"), 65,
                                    "after its last line"),
    "a journal's line gone": (edit("journal.jsonl", drop_second_line), 75, "2 is not finished"),
    "no journal": (remove("journal.jsonl"), 65, "journal.jsonl is missing"),
    "an empty journal": (edit("journal.jsonl", lambda d: b""), 75, "2 was not begun"),
    "another file as the journal": (edit("journal.jsonl", lambda d: b"hello\n"), 73, "not ours"),
    # Shards that are not there, or there twice.
    "no shard 1": (folder_gone(1), 75, "1 is missing"),
    "no shard 2": (folder_gone(2), 75, "2 is missing"),
    "no shard 3": (folder_gone(3), 75, "3 is missing"),
    "no shard at all": (lambda s: shutil.rmtree(s.out / "shards"), 75, "no shard was begun"),
    "a shard begun anew": (killed, 75, "2 is not finished"),
    "an empty folder for a shard": (
        lambda s: (shutil.rmtree(s.path(2)), s.path(2).mkdir()), 75, "2 was not begun"),
    "shard 1 in the place of shard 2": (copied("1-of-3", "2-of-3"), 65, "holds shard 1 of 3"),
    "a shard twice": (copied("1-of-3", "4-of-4"), 73, "one of 4 shards"),
    "a shard under another count": (renamed("2-of-3", "2-of-4"), 73, "one of 4 shards"),
    "shards under each other's names": (
        lambda s: [renamed(a, b)(s) for a, b in [("1-of-3", "x"), ("2-of-3", "1-of-3"),
                                                 ("x", "2-of-3")]], 65, "holds shard"),
    "a folder that is no shard": (stranger("02-of-3"), 73, "02-of-3 is no shard"),
    "a shard of another division": (again(count=5), 73, "holds shard 2 of 5"),
    "a whole run for a shard": (plain_shard, 73, "without --shard"),
    # Shards of another run.
    "another model": (again(model={"note": "x"}), 73, "model_sha256"),
    "another pooling": (again(settings=["--pooling", "max"]), 73, "pooling"),
    "another normalize": (again(settings=["--normalize", "l2"]), 73, "normalize"),
    "another output type": (again(settings=["--output-dtype", "fp16"]), 73, "output-dtype"),
    "another unknown policy": (again(settings=["--unknown", "token"]), 73, "unknown"),
    "another longest length": (again(settings=["--max-length", "50"]), 73, "max-length"),
    "another type of computation": (again(settings=["--dtype", "bf16"]), 73, "with dtype"),
    "residues too": (again(settings=["--tokens"]), 73, "with tokens"),
    "gaps removed": (again(settings=["--gaps", "remove"]), 73, "with gaps"),
    "long records truncated": (again(settings=["--too-long", "truncate"]), 73, "with too-long"),
    "long records in windows": (again(settings=["--too-long", "window"]), 73, "with too-long"),
    "another column of ids": (again(settings=["--id-column", "sequence"]), 73, "with id-column"),
    "a column of sequences by name": (again(settings=["--sequence-column", "sequence"]), 73,
                                      "with sequence-column"),
    "a delimiter by name": (again(settings=["--delimiter", ","]), 73, "with delimiter"),
    "a line that is skipped": (again(settings=["--skip-lines", "1"], input=lambda text: "#\n" + text),
                               73, "with skip-lines"),
    "another kept column": (again(settings=["--keep-column", "id"]), 73, "keep-column"),
    "an input with one record less": (again(input=without_last), 73, "299 records, not 300"),
    "an input with one record more": (again(input=one_more), 73, "301 records, not 300"),
    "an input that differs in another's record": (again(input=changed_record), 73, "other content"),
    "an input that differs in its own record": (again(input=own_record), 73, "other content"),
    "an input with another id": (again(input=another_id), 73, "other content"),
    "an input with a record between": (again(input=one_between), 73, "301 records, not 300"),
    "an input with two records swapped": (again(input=one_moved), 73, "other content"),
    "a shard by an index": (again(index=True), 73, "by an index of"),
    # Journals that are whole, and tell of something else.
    "a shard that says it read less": (finished_with("whole", "records", value=299), 73,
                                       "299 records, not 300"),
    "a shard that says it has less": (finished_with("own", "records", value=63), 65,
                                      "a block is missing or there twice"),
    "a shard that says it has other records": (
        finished_with("own", "digest", value="0" * 32), 65, "do not add up to the input"),
    "a shard that says it has other rows": (finished_with("rows", value=5), 65, "2-of-3"),
    # What stands around them.
    "a bit of choices.json": (choices(flip(100)), 65, "choices.json is damaged"),
    "an empty choices.json": (choices(lambda d: b""), 65, "choices.json is damaged"),
    "a plain run's journal in OUT": (plain_journal, 73, "without --shard"),
    "somebody's array in OUT": (lambda s: (s.out / "embeddings.npy").write_bytes(b"mine"), 73,
                                "embeddings.npy"),
}




# Of shards with vectors of residues.
SPOILT_RESIDUES = {
    "a bit of a residue": (edit("tokens.npy", flip(5000)), 65, "does not match its checksum"),
    "a bit of the last residue": (edit("tokens.npy", flip(-1)), 65, "does not match its checksum"),
    "a bit of the residues' header": (edit("tokens.npy", flip(20)), 65, "tokens.npy"),
    "residues cut short": (edit("tokens.npy", lambda d: d[:-2]), 65, "tokens.npy"),
    "residues grown longer": (edit("tokens.npy", lambda d: d + b"more"), 65, "tokens.npy"),
    "no residues": (remove("tokens.npy"), 65, "tokens.npy is missing"),
    "a bit of an offset": (edit("token_offsets.npy", flip(128 + 8 * 50)), 65, "does not match its checksum"),
    "a bit of the offsets' header": (edit("token_offsets.npy", flip(30)), 65, "token_offsets.npy"),
    "offsets cut short": (edit("token_offsets.npy", lambda d: d[:-8]), 65, "token_offsets.npy"),
    "no offsets": (remove("token_offsets.npy"), 65, "token_offsets.npy is missing"),
    "another type of residues": (again(settings=["--tokens-dtype", "fp32"]), 73, "tokens-dtype"),
    "no residues of a shard": (again(without="--tokens"), 73, "with tokens"),
}


def check_refused(shards, spoil, code, said):
    """And, once the shard is what it was, merged: nothing was lost."""
    kept = shards.out.with_name("kept")
    shutil.copytree(shards.out, kept)
    spoil(shards)
    before = tree(shards.out)
    result = shards.merge(code=code)
    assert said in result.err, result
    assert len(result.err.strip().splitlines()[-1]) > 40 and ";" in result.err, result
    after = tree(shards.out)
    # Of the shards nothing is touched, and no finished output is there.
    assert {k: v for k, v in after.items() if k.startswith("shards/")} == {
        k: v for k, v in before.items() if k.startswith("shards/")}
    assert not (shards.out / "embeddings.npy").exists() or before.get("embeddings.npy") == b"mine"
    again_said = shards.merge("--remove-shards", code=code)
    assert said in again_said.err
    if "checksum" not in said and "row" not in said:
        assert tree(shards.out) == before
    # What was spoilt may have been claimed by nobody: all else is there to be gone on with.
    shutil.rmtree(shards.out / "shards", ignore_errors=True)
    shutil.copytree(kept / "shards", shards.out / "shards")
    for name in ("journal.jsonl", "embeddings.npy"):
        if before.get(name) and name in before and name not in tree(kept):
            (shards.out / name).unlink()
    shards.merge()
    assert contents(shards.out) == shards.expected()
    for name in ("tokens.npy", "token_offsets.npy"):
        if (single := shards.job.folder / "reference" / name).exists():
            assert (shards.out / name).read_bytes() == single.read_bytes()


@pytest.mark.parametrize("case", SPOILT)
def test_spoilt_shards_are_refused_and_named(shards, case):
    check_refused(shards, *SPOILT[case])


@pytest.fixture(scope="module")
def residues(longhaul_fake, folder):
    (folder / "residues").mkdir()
    job = Job(longhaul_fake, folder / "residues", 300, commit_every="200ms")
    job.options.append("--tokens")
    return Shards(job, folder / "residues/three", 3).embed_all()


@pytest.mark.parametrize("case", SPOILT_RESIDUES)
def test_spoilt_shards_with_residues_are_refused_and_named(residues, tmp_path, case):
    check_refused(residues.copy(tmp_path / "out"), *SPOILT_RESIDUES[case])


def test_every_setting_that_makes_the_numbers_is_compared(three, tmp_path):
    """And every choice: shard 2 says that it was begun with another one."""
    settings = json.loads((three.out / "shards/choices.json").read_text())
    begin = json.loads((three.path(2) / "journal.jsonl").read_text().splitlines()[0])["run"]
    assert set(settings["fingerprint"]) == set(begin["fingerprint"]) and len(begin["fingerprint"]) > 18
    # Threads, the device's number and the window change no bit.
    shaping = set(begin["choices"]) - {"threads", "device", "window"}
    assert shaping >= {"encoder", "order", "part_rows"}
    for part, names in (("fingerprint", begin["fingerprint"]), ("choices", shaping)):
        for name in names:
            shutil.rmtree(tmp_path / "out", ignore_errors=True)
            shards = three.copy(tmp_path / "out")
            known = begin[part][name]
            value = {"order": "input", "encoder": {"kernels": "others"}}.get(
                name, 4097 if isinstance(known, int) or known is None else "other")
            begun_with(part, name, value)(shards)
            refused = shards.merge(code=73)
            assert f"2-of-3 was made with {name} " in refused.err, refused


def test_what_memory_did_is_told_of_those_that_have_it(shards):
    """It is no part of the result: a shard's that is damaged or gone is named, and left out."""
    edit("memory.jsonl", lambda data: b"{" + data[:-5])(shards)
    remove("memory.jsonl", index=3)(shards)
    merged = shards.merge()
    assert "2-of-3/memory.jsonl" in merged.err and "3-of-3/memory.jsonl" in merged.err, merged
    assert contents(shards.out) == shards.expected()


def test_there_are_enough_ways_to_spoil():
    assert len(SPOILT) + len(SPOILT_RESIDUES) >= 90
