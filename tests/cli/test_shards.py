"""Several processes share an input by --shard: together they hold what one process does."""

import csv
import gzip
import json
import os
import random
import signal
import subprocess
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from fake_run import Job, journal

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
RECORDS = 64 * 5 + 20


@pytest.fixture
def model(folder):
    path = folder / "model.json"
    path.write_text(json.dumps({"fake": True, "dimension": 8}))
    return path


def sequences():
    chance = random.Random(5)
    return ["MK?L" if row % 29 == 3 else "".join(chance.choices(RESIDUES, k=chance.randrange(4, 50)))
            for row in range(RECORDS)]


def lines(path):
    return path.read_bytes().split(b"\n")[:-1]


def assembled(out, count):
    """What one process would have written, put together from finished shards."""
    tables = {name: {} for name in ("records.csv", "rejects.csv")}
    rows, checksums = {}, {}
    for index in range(1, count + 1):
        shard = out / "shards" / f"{index}-of-{count}"
        vectors, sums = np.load(shard / "embeddings.npy"), np.load(shard / "checksums.npy")
        with open(shard / "records.csv", newline="") as file:
            numbers = [int(row["row"]) for row in csv.DictReader(file)]
        assert numbers == sorted(numbers) and len(numbers) == len(vectors) == len(sums)
        assert all(number // 64 % count + 1 == index for number in numbers)
        for number, vector, one in zip(numbers, vectors, sums):
            assert number not in rows
            rows[number], checksums[number] = vector, one
        for name, table in tables.items():
            header, *rest = lines(shard / name)
            table[-1] = header
            table.update((int(line.split(b",", 1)[0]), line) for line in rest)
    order = sorted(rows)
    assert order == list(range(len(rows)))
    parts = {name: b"".join(table[key] + b"\n" for key in sorted(table))
             for name, table in tables.items()}
    return parts | {"embeddings": np.stack([rows[i] for i in order]).tobytes(),
                    "checksums": np.array([checksums[i] for i in order]).tobytes()}


def single(out):
    return {name: (out / name).read_bytes() for name in ("records.csv", "rejects.csv")} | {
        name: np.load(out / f"{name}.npy").tobytes() for name in ("embeddings", "checksums")}


def finish_of(out, index, count):
    last = journal(out / "shards" / f"{index}-of-{count}")[-1]
    assert last["kind"] == "finish" and last["code"] == 0
    return last


def check_shards(run, arguments, count, folder, name):
    """Embeds in one process and in `count`, and compares."""
    plain, out = folder / f"{name}_plain", folder / f"{name}_{count}"
    done = run("embed", *arguments, "-o", plain, "-q")
    assert done.code in (0, 3), done
    for index in range(1, count + 1):
        done = run("embed", *arguments, "-o", out, "-q", "--shard", f"{index}/{count}")
        assert done.code == 0, done
    assert assembled(out, count) == single(plain)
    finished = [finish_of(out, index, count) for index in range(1, count + 1)]
    assert all(line["whole"]["digest"] == finished[0]["whole"]["digest"] for line in finished)
    records = sum(line["own"]["records"] for line in finished)
    assert records == finished[0]["whole"]["records"] == len(np.load(plain / "embeddings.npy"))
    parts = sum(int(line["own"]["digest"], 16) for line in finished)
    # Sums of two halves each, without a carry over the whole.
    assert f"{parts % 2**128:032x}" == finished[0]["whole"]["digest"]
    last = [line for line in journal(plain) if line["kind"] == "commit"][-1]
    assert last["input"] == finished[0]["whole"]["digest"]


def write_inputs(folder):
    """The same records in every format for text; those with ids and those without."""
    rows = sequences()
    files = {}

    def text(name, content):
        (folder / name).write_text(content)
        files[name] = [folder / name]

    text("a.fasta", "".join(f">r{i} of many\n{s}\n" for i, s in enumerate(rows)))
    text("a.csv", "id,label,sequence\n" + "".join(
        f'r{i},"x, {i}",{s}\n' for i, s in enumerate(rows)))
    text("numbers.csv", "sequence\n" + "".join(f"{s}\n" for s in rows))
    text("a.tsv", "id\tsequence\n" + "".join(f"r{i}\t{s}\n" for i, s in enumerate(rows)))
    text("a.jsonl", "".join(json.dumps({"id": f"r{i}", "sequence": s}) + "\n"
                            for i, s in enumerate(rows)))
    for name in ("a.fasta", "numbers.csv"):
        (folder / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
        files[f"{name}.gz"] = [folder / f"{name}.gz"]
    pa.parquet.write_table(pa.table({"id": [f"r{i}" for i in range(len(rows))], "sequence": rows}),
                           folder / "a.parquet", row_group_size=50)
    files["a.parquet"] = [folder / "a.parquet"]
    (folder / "listed.txt").write_text(f"{folder}/a.fasta\n{folder}/a.jsonl\n")
    files["list"] = ["--files-from", folder / "listed.txt"]
    files["two"] = [folder / "a.fasta", folder / "a.tsv"]
    several = folder / "several"
    several.mkdir()
    for part in range(4):
        (several / f"{part}.fa").write_text("".join(
            f">r{i}\n{s}\n" for i, s in enumerate(rows) if i % 4 == part))
    files["folder"] = [several]
    return files


def test_every_format_divides(longhaul_fake, model, folder):
    for name, inputs in write_inputs(folder).items():
        if name.endswith((".gz", ".parquet")):
            probe = longhaul_fake("embed", model, *inputs, "-o", folder / "probe", "-q")
            if probe.code == 69:  # a build without Arrow says so
                continue
        options = ["--keep-column", "label"] if name == "a.csv" else []
        check_shards(longhaul_fake, [model, *inputs, *options], 3, folder, name)


def test_ids_that_are_numbers_are_those_of_the_whole(longhaul_fake, model, folder):
    inputs = write_inputs(folder)["numbers.csv"]
    assert longhaul_fake("embed", model, *inputs, "-o", folder / "out", "-q",
                         "--shard", "2/3").code == 0
    with open(folder / "out/shards/2-of-3/records.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [row["row"] for row in rows]
    assert rows[0]["row"] == "64" and rows[64]["row"] == str(64 * 4)


def test_images_divide_folders_lists_and_tars(longhaul, tiny_image_model, folder):
    from image_files import picture
    from PIL import Image
    images = folder / "images"
    (images / "sub").mkdir(parents=True)
    for i in range(70):
        Image.fromarray(picture(40 + i % 7, 30, i)).save(
            images / ("sub" if i % 2 else ".") / f"{i:03}.png")
    (images / "bad.png").write_bytes(b"no image")
    with tarfile.open(folder / "images.tar", "w") as tar:
        tar.add(images, arcname="images")
    names = sorted(images.rglob("*.png"))
    (folder / "names.txt").write_text("".join(f"{name}\n" for name in names))
    for name, inputs in {"folder": [images], "tar": [folder / "images.tar"],
                         "list": ["--files-from", folder / "names.txt"]}.items():
        check_shards(longhaul, [tiny_image_model, *inputs], 2, folder, name)
    # Copies with other times are the same images: to a restart, and to another shard.
    out = folder / "folder_2"
    for image in names:
        os.utime(image, (1, 1))
    done = longhaul("embed", tiny_image_model, images, "-o", out, "--shard", "1/2")
    assert done.code == 0 and "nothing to do" in done.err, done
    names[0].write_bytes(names[1].read_bytes())
    done = longhaul("embed", tiny_image_model, images, "-o", out, "--shard", "1/2", "-q")
    assert done.code == 73, done


def test_killed_shards_go_on_to_the_same_bytes(longhaul_fake, folder):
    job = Job(longhaul_fake, folder, 64 * 9 + 5, rate=4000)
    job.reference()
    out, count = folder / "out", 3
    kills = 0
    for index in range(1, count + 1):
        for wait in (0.05, 0.08, 0.11):
            process = subprocess.Popen(job.command(out, "--shard", f"{index}/{count}"),
                                       stderr=subprocess.DEVNULL)
            try:
                process.wait(wait)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                kills += 1
            process.wait()
        done = longhaul_fake(*job.arguments(out, "--shard", f"{index}/{count}"))
        assert done.code == 0, done
    assert kills > 2
    assert assembled(out, count) == single(folder / "reference")


def test_a_signal_commits_and_says_how_to_go_on(longhaul_fake, folder):
    job = Job(longhaul_fake, folder, 64 * 30, rate=300)
    for name in ("SIGUSR1", "SIGTERM"):
        process = subprocess.Popen(job.command(folder / "out", "--shard", "2/2"),
                                   stderr=subprocess.PIPE, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.8)
        process.send_signal(getattr(signal, name))
        error = process.communicate()[1]
        assert process.returncode == 75, error
        assert "--shard 2/2" in error.splitlines()[-1]
    commits = [line for line in journal(folder / "out/shards/2-of-2") if line["kind"] == "commit"]
    assert commits and not (folder / "out/shards/1-of-2").exists()


def test_processes_that_start_at_once_agree(longhaul_fake, folder):
    job = Job(longhaul_fake, folder, 64 * 6)
    job.reference()
    count = 6
    processes = [subprocess.Popen(job.command(folder / "out", "--shard", f"{index}/{count}"),
                                  stderr=subprocess.PIPE, text=True)
                 for index in range(1, count + 1)]
    for process in processes:
        error = process.communicate()[1]
        assert process.returncode == 0, error
    assert assembled(folder / "out", count) == single(folder / "reference")
    assert sorted(p.name for p in (folder / "out/shards").iterdir()) == [
        *(f"{index}-of-{count}" for index in range(1, count + 1)), "choices.json"]


def test_a_shard_is_a_place_of_its_own_and_verified(longhaul_fake, folder):
    job = Job(longhaul_fake, folder, 64 * 3)
    out = folder / "out"
    command = job.arguments(out, "--shard", "2/2")
    assert longhaul_fake(*command).code == 0
    shard = out / "shards/2-of-2"
    done = longhaul_fake("verify", shard, "--recompute", 5)
    assert done.code == 0 and "5 the same bits" in done.out, done
    assert longhaul_fake(*command, "--retry-rejects").code == 2
    assert longhaul_fake(*job.arguments(shard)).code == 73
    assert longhaul_fake(*job.arguments(shard, "--retry-rejects")).code == 73
    assert longhaul_fake(*job.arguments(out)).code == 73
    assert longhaul_fake(*job.arguments(out, "--shard", "1/3")).code == 73
    assert longhaul_fake(*job.arguments(out, "--shard", "1/2", "--pooling", "max")).code == 73
    report = json.loads((shard / "run.json").read_text())
    assert report["shard"] == {"index": 2, "count": 2}
    assert report["settings"]["shard"]["value"] == "2/2"
    assert report["settings"]["output"]["value"] == str(out)


def test_a_scheduler_says_which_shard(longhaul_fake, folder):
    job = Job(longhaul_fake, folder, 64 * 3)
    array = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_MAX": "3",
             "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_ARRAY_TASK_STEP": "1"}
    done = longhaul_fake(*job.arguments(folder / "out", "--shard", "auto"), env=array)
    assert done.code == 0 and "shard 3 of 3, from SLURM_ARRAY_TASK_ID" in done.err, done
    done = longhaul_fake(*job.arguments(folder / "out", "--shard", "auto/3"),
                         env={"JOB_COMPLETION_INDEX": "0"})
    assert done.code == 0 and (folder / "out/shards/1-of-3/embeddings.npy").exists(), done
    redo = array | {"SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_TASK_MIN": "2",
                    "SLURM_ARRAY_TASK_MAX": "2", "SLURM_ARRAY_TASK_COUNT": "1"}
    refused = longhaul_fake(*job.arguments(folder / "out", "--shard", "auto"), env=redo)
    assert refused.code == 2 and "--shard auto/N" in refused.err, refused
    done = longhaul_fake(*job.arguments(folder / "out", "--shard", "auto/3"), env=redo)
    assert done.code == 0, done
    job.reference()
    assert assembled(folder / "out", 3) == single(folder / "reference")


def test_inspect_has_a_line_for_each_shard(longhaul_fake, folder):
    job = Job(longhaul_fake, folder, 64 * 5 + 3, rate=400)
    out = folder / "out"
    assert longhaul_fake(*job.arguments(out, "--shard", "2/3", "-q")).code == 0
    running = subprocess.Popen(job.command(out, "--shard", "1/3"), stderr=subprocess.DEVNULL)
    with pytest.raises(subprocess.TimeoutExpired):
        running.wait(0.25)
    told = longhaul_fake("inspect", out)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert told.code == 0, told
    text = " ".join(told.out.split())
    assert "1 of 3 complete, not merged" in text and "3 not begun" in text
    assert "2 complete: 128 of 128 records" in text and "records/s" in text
    assert "1 running" in text
    shards = json.loads(longhaul_fake("inspect", out, "--json").out)["shards"]
    assert [shard["state"] for shard in shards] == ["stopped", "complete", "not begun"]
    assert [shard["of"] for shard in shards] == [128, 128, 67]
    assert all(len(line) <= 80 for line in told.out.splitlines() if str(out) not in line)
