"""Shards that go by an index of their input: a single run's bytes in every format, only their own
stretches read, kills, and what is spoiled."""

import gzip
import json
import os
import random
import re
import shutil
import signal
import subprocess
import tarfile

import pyarrow as pa
import pyarrow.parquet
import pytest

from fake_run import Job, contents, journal

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
STRETCH = 4096
RECORDS = STRETCH * 4 + 77


@pytest.fixture
def model(folder):
    path = folder / "model.json"
    path.write_text(json.dumps({"fake": True, "dimension": 4}))
    return path


def sequences(records=RECORDS):
    chance = random.Random(7)
    return ["MK?L" if row % 997 == 3 else "".join(chance.choices(RESIDUES, k=chance.randrange(4, 16)))
            for row in range(records)]


def check_index(run, inputs, count, out, embed=(), read=()):
    """Indexes, embeds in one process and in `count` by the index, merges and compares."""
    read = [str(one) for one in read]
    plain = out.parent / (out.name + "_plain")
    done = run("embed", *inputs, *read, *embed, "-o", plain, "-q")
    assert done.code in (0, 3), done
    planned = run("plan", *inputs, *read, "-o", out, "--index", "--json")
    assert planned.code == 0, planned
    told = []
    for index in range(1, count + 1):
        done = run("embed", *inputs, *read, *embed, "-o", out, "--shard", f"{index}/{count}",
                   "--progress", "none")
        assert done.code == 0, done
        told.append(done.err)
        begin = journal(out / "shards" / f"{index}-of-{count}")[0]["run"]
        assert begin["index"]["digest"] == json.loads(planned.out)["digest"]
    assert run("merge", out, "-q").code in (0, 3)
    assert contents(out) == contents(plain)
    assert run("verify", out).code == 0
    left = json.loads((plain / "run.json").read_text()), json.loads((out / "run.json").read_text())
    assert left[0]["left_out"] == left[1]["left_out"]
    assert [one["sha256"] for one in left[0]["inputs"]] == [
        one["sha256"] for one in left[1]["inputs"]]
    return json.loads(planned.out), told


def write_inputs(folder):
    rows = sequences()
    files = {}

    def text(name, content):
        (folder / name).write_text(content)
        files[name] = [folder / name]

    text("a.fasta", "".join(f">r{i} of many\n{s}\n" for i, s in enumerate(rows)))
    text("a.csv", "id,label,sequence\n" + "".join(
        f'r{i},"x,\n{i}",{s}\n' + ("\n" if i % 50 == 9 else "") for i, s in enumerate(rows)))
    text("numbers.tsv", "sequence\n" + "".join(f"{s}\n" for s in rows))
    text("a.jsonl", "".join(json.dumps({"id": f"r{i}", "sequence": s}) + "\n"
                            for i, s in enumerate(rows)))
    pa.parquet.write_table(pa.table({"id": [f"r{i}" for i in range(len(rows))], "sequence": rows}),
                           folder / "a.parquet", row_group_size=3000)
    files["a.parquet"] = [folder / "a.parquet"]
    parts = folder / "parts"
    parts.mkdir()
    for part in range(5):
        lines = rows[part * 3500:(part + 1) * 3500]
        packed = gzip.compress if part % 2 else bytes
        (parts / f"{part}.fasta{'.gz' if part % 2 else ''}").write_bytes(packed(
            "".join(f">p{part}_{i}\n{s}\n" for i, s in enumerate(lines)).encode()))
    (folder / "listed.txt").write_text("".join(f"{p}\n" for p in sorted(parts.iterdir())))
    files["parts"] = ["--files-from", folder / "listed.txt"]
    return files


def test_every_format_is_indexed(longhaul_fake, model, folder):
    for name, inputs in write_inputs(folder).items():
        if name in ("parts", "a.parquet"):
            probe = longhaul_fake("embed", model, *inputs, "-o", folder / "probe", "-q")
            if probe.code == 69:  # a build without Arrow says so
                continue
        read = ["--keep-column", "label"] if name == "a.csv" else []
        planned, told = check_index(longhaul_fake, [model, *inputs], 3, folder / f"{name}_out",
                                    read=read)
        assert planned["records"] == RECORDS and planned["stretches"] == 5
        assert any("is read through" in text for text in told) == (name == "parts")


def test_images_are_indexed_in_folders_lists_and_tars(longhaul, tiny_image_model, folder):
    from image_files import picture
    from PIL import Image
    images = folder / "images"
    (images / "sub").mkdir(parents=True)
    for i in range(12):
        Image.fromarray(picture(40 + i % 7, 30, i)).save(
            images / ("sub" if i % 2 else ".") / f"{i:03}.png")
    (images / "bad.png").write_bytes(b"no image")
    (images / "notes.txt").write_text("no image either")
    with tarfile.open(folder / "images.tar", "w") as tar:
        tar.add(images, arcname="images")
    names = sorted(images.rglob("*.png"))
    (folder / "names.txt").write_text("".join(f"{name}\n" for name in names))
    for name, inputs in {"folder": [images], "tar": [folder / "images.tar"],
                         "list": ["--files-from", folder / "names.txt"]}.items():
        planned, _ = check_index(longhaul, [tiny_image_model, *inputs], 2, folder / name)
        assert planned["records"] == 13 and planned["cost"] > 1000
    # A folder's name tells nothing of what is in it.
    command = ["plan", tiny_image_model, images, "-o", folder / "again", "--index"]
    assert longhaul(*command).code == 0
    again = longhaul(*command)
    assert again.code == 0 and "13 records" in again.err, again
    Image.fromarray(picture(40, 30, 99)).save(images / "new.png")
    other = longhaul(*command)
    assert other.code == 73 and "give --overwrite to index this input" in other.err, other
    assert longhaul(*command, "--overwrite").code == 0


def test_a_flat_folder_and_a_list_are_read_once_for_all_stretches(longhaul, tiny_image_model, folder,
                                                                  needs_strace):
    """Files without a byte: where they are is the question here."""
    count = STRETCH * 9 + 5
    images, listed = folder / "images", folder / "images.txt"
    images.mkdir()
    for i in range(count):
        os.close(os.open(images / f"{i:06}.png", os.O_CREAT | os.O_WRONLY))
    listed.write_text("".join(f"{images}/{i:06}.png\n" for i in range(count)))
    for name, inputs, calls, place in (
            ("folder", [images], "getdents64", images),
            ("list", ["--files-from", listed], "read,pread64", listed)):
        out, log = folder / name, folder / "calls"
        assert longhaul("plan", tiny_image_model, *inputs, "-o", out, "--index", "-q").code == 0
        subprocess.run(["strace", "-f", "-y", "--seccomp-bpf", "-e", f"trace={calls}", "-o", log,
                        longhaul.path, "embed", tiny_image_model, *inputs, "-o", out, "-q",
                        "--shard", "1/2"], check=False)
        assert journal(out / "shards/1-of-2")[-1]["rows"] == STRETCH * 5
        read = sum(map(int, re.findall(rf"\(\d+<{re.escape(str(place))}/?>,.* = (\d+)\n",
                                       log.read_text())))
        # Once by who reads, and at most once by who counts for the progress display.
        each = 32 if name == "folder" else len(f"{images}/000000.png") + 1
        assert 0 < read <= 2.5 * each * count, (name, read / count)


def test_only_its_own_stretches_are_read(longhaul_fake, model, folder):
    rows = sequences(STRETCH * 16)
    path = folder / "many.csv"
    path.write_text("sequence\n" + "".join(f"{row}{'A' * 100}\n" for row in rows))
    logs = folder / "reads"  # one for each thread: calls that end behind another's are whole there
    assert longhaul_fake("plan", model, path, "-o", folder / "out", "--index", "-q").code == 0

    def read_of(*arguments):
        shutil.rmtree(logs, ignore_errors=True)
        logs.mkdir()
        subprocess.run(["strace", "-ff", "-y", "-e", "trace=read,pread64", "-o", logs / "of",
                        longhaul_fake.path, "embed", model, path, "-q", *arguments], check=False)
        return sum(int(size) for log in logs.iterdir() for size in re.findall(
            r"read(?:64)?\(\d+<[^>]*many\.csv>.*= (\d+)\n", log.read_text()))

    size = path.stat().st_size
    by_index = read_of("-o", folder / "out", "--shard", "3/8")
    everything = read_of("-o", folder / "all", "--shard", "3/8")
    assert everything >= size
    assert size / 8 < by_index < size / 2


def test_killed_shards_go_on_to_the_same_bytes(longhaul_fake, folder):
    job = Job(longhaul_fake, folder, STRETCH * 3 + 9, window=512, rate=30000)
    job.options[job.options.index("--batch-size") + 1] = 64
    job.reference()
    out, count, kills = folder / "out", 2, 0
    assert longhaul_fake("plan", job.model, job.input, "-o", out, "--index", "-q").code == 0
    for index in range(1, count + 1):
        for wait in (0.1, 0.15, 0.2):
            process = subprocess.Popen(job.command(out, "--shard", f"{index}/{count}"),
                                       stderr=subprocess.DEVNULL)
            try:
                process.wait(wait)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                kills += 1
            process.wait()
        # A file that was touched is looked at again, and is the same.
        os.utime(job.input)
        done = longhaul_fake(*job.arguments(out, "--shard", f"{index}/{count}"))
        assert done.code == 0, done
    assert kills > 2
    assert longhaul_fake("merge", out, "-q").code == 3
    assert contents(out) == job.expected
    again = longhaul_fake(*job.arguments(out, "--shard", "1/2"))
    assert again.code == 3 and "nothing to do" in again.err, again
    assert longhaul_fake("plan", job.model, job.input, "-o", out, "--index", "-q").code == 0


def test_processes_go_by_the_index(longhaul_fake, folder):
    job = Job(longhaul_fake, folder, STRETCH * 2 + 9)
    job.reference()
    out = folder / "out"
    assert longhaul_fake("plan", job.model, job.input, "-o", out, "--index", "-q").code == 0
    done = longhaul_fake(*job.arguments(out, "--processes", "2"))
    assert done.code == 3, done
    assert contents(out) == job.expected
    assert "shard 1 of 2 of" in done.err and "shard 1/2: shard 1 of 2" not in done.err
    retried = longhaul_fake(*job.arguments(out, "--retry-rejects", "--unknown", "token"))
    assert retried.code == 3, retried
    assert longhaul_fake("verify", out, "--recompute", 20).code == 0


def test_what_inspect_says(longhaul_fake, folder):
    job = Job(longhaul_fake, folder, STRETCH + 9)
    out = folder / "out"
    planned = longhaul_fake("plan", job.model, job.input, "-o", out, "--index")
    assert f"{STRETCH + 9:,} records in 2 stretches of 4,096, " in planned.err, planned
    told = longhaul_fake("inspect", out)
    assert told.code == 0 and "none was begun" in told.out, told
    assert "4,105 records in 2 stretches" in " ".join(told.out.split())
    assert longhaul_fake("merge", out).code == 75
    assert longhaul_fake(*job.arguments(out, "--shard", "2/2", "-q")).code == 0
    told = json.loads(longhaul_fake("inspect", out, "--json").out)
    assert told["index"]["records"] == STRETCH + 9
    assert [shard["of"] for shard in told["shards"]] == [STRETCH, 9]
    assert longhaul_fake("verify", out / "shards/2-of-2", "--recompute", 3).code == 0


def test_a_format_that_is_seen_may_be_said(longhaul_fake, model, folder):
    rows = sequences(300)
    text = "sequence\n" + "".join(f"{row}\n" for row in rows)
    (folder / "a.csv").write_text(text)
    (folder / "a.txt").write_text(text)
    (folder / "a.fasta").write_text("".join(f">{i}\n{row}\n" for i, row in enumerate(rows)))
    (folder / "both").mkdir()
    for name in ("a.csv", "a.fasta"):
        shutil.copy(folder / name, folder / "both")
    for name, one, other in (("a.csv", [], ["--format", "csv"]), ("a.csv", ["--format", "csv"], []),
                             ("a.txt", [], ["--format", "csv"]),
                             ("a.fasta", ["--format", "fasta"], [])):
        out = folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        plan = ["plan", model, folder / name, "-o", out, "--index"]
        assert longhaul_fake(*plan, *one).code == 0
        again = longhaul_fake(*plan, *other)
        assert again.code == 0 and "nothing to do" in again.err, again
        done = longhaul_fake("embed", model, folder / name, "-o", out, "--shard", "1/1", *other)
        assert done.code == 0, done
    for name, one, other, said in (("a.csv", [], ["--format", "tsv"], '"csv", this run has "tsv"'),
                                   ("both", [], ["--format", "fasta"],
                                    '"csv, fasta", this run has "fasta"')):
        shutil.rmtree(out)
        plan = ["plan", model, folder / name, "-o", out, "--index"]
        assert longhaul_fake(*plan, *one).code == 0
        for command in plan, ["embed", model, folder / name, "-o", out, "--shard", "1/1"]:
            refused = longhaul_fake(*command, *other)
            assert refused.code == 73 and "made with format " + said in refused.err, refused


def spoil_byte(lines, chance):
    at = chance.randrange(len(lines))
    where = chance.randrange(len(lines[at]))
    lines[at] = lines[at][:where] + bytes([lines[at][where] ^ 1]) + lines[at][where + 1:]


def spoil_missing(lines, chance):
    del lines[chance.randrange(len(lines))]


def spoil_twice(lines, chance):
    at = chance.randrange(len(lines))
    lines.insert(at, lines[at])


def spoil_cut(lines, chance):
    lines[-1] = lines[-1][:chance.randrange(len(lines[-1]))]


@pytest.mark.parametrize("spoil", [spoil_byte, spoil_missing, spoil_twice, spoil_cut])
def test_a_spoiled_index_is_refused(longhaul_fake, model, folder, spoil):
    path = folder / "in.csv"
    path.write_text("sequence\n" + "".join(f"{row}\n" for row in sequences(STRETCH * 3)))
    good, out = folder / "good", folder / "out"
    assert longhaul_fake("plan", model, path, "-o", good, "--index", "-q").code == 0
    for seed in range(4):
        chance = random.Random(seed)
        lines = (good / "index.jsonl").read_bytes().split(b"\n")[:-1]
        spoil(lines, chance)
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        (out / "index.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
        done = longhaul_fake("embed", model, path, "-o", out, "-q", "--shard", "1/2")
        # What does not even begin as ours does is another's file.
        assert done.code in (65, 73), (lines, done)
        assert "index.jsonl" in done.err, done
        assert not (out / "shards/1-of-2/journal.jsonl").exists()
