"""What the README says is so."""

import os
import pathlib
import re
import subprocess
import sys
import tarfile

import numpy
import pytest
from conftest import clean_environment

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def test_the_way_to_read_an_output_works(longhaul_fake, tmp_path):
    pytest.importorskip("pandas")
    (tmp_path / "model.json").write_text('{"fake": true, "dimension": 8}')
    (tmp_path / "in.csv").write_text("id,sequence\n001,ACDEF\nNA,AC?\nnan,MKLV\n1e3,ACDEF\n")
    out = tmp_path / "out"
    result = longhaul_fake("embed", tmp_path / "model.json", tmp_path / "in.csv", "-o", out)
    assert result.code == 3, result
    block = re.search(r"```python\n(.*?)```", README, re.S).group(1)
    names = {}
    exec(block.replace("OUT/", f"{out}/"), names)
    assert block.count("OUT/") == 2
    records, vectors = names["r"], names["X"]
    assert list(records.id) == ["001", "NA", "nan", "1e3"]
    assert list(records[records.status == "ok"].id) == ["001", "nan", "1e3"]
    assert vectors.shape == (3, 8) and numpy.isfinite(vectors).all()
    assert (vectors[0] == vectors[2]).all() and not (vectors[0] == vectors[1]).all()


def test_it_names_every_file_of_an_output_and_no_other(longhaul_fake, tmp_path):
    (tmp_path / "model.json").write_text('{"fake": true}')
    (tmp_path / "in.csv").write_text("id,sequence\na,ACDEF\n")
    out = tmp_path / "out"
    assert longhaul_fake("embed", tmp_path / "model.json", tmp_path / "in.csv", "-o", out,
                         "--tokens").code == 0
    table = README.split("| file in OUT | what |")[1].split("\n\n")[0]
    names = " ".join(re.findall(r"^\|([^|]+)\|", table, re.M))
    assert sorted(re.findall(r"`([^`]+)`", names)) == sorted(p.name for p in out.iterdir())


def test_its_exit_codes_are_the_programs():
    header = (ROOT / "lib/base/error.hpp").read_text()
    table = README.split("| code | meaning |")[1].split("\n\n")[0]
    assert re.findall(r"^\| (\d+) \|", table, re.M) == re.findall(r"^  k\w+ = (\d+),", header, re.M)


def test_its_flags_and_commands_exist(longhaul):
    helps = longhaul("--help").out
    for command in set(re.findall(r"^longhaul (\w+) ", README, re.M)):
        assert re.search(rf"^  {command}\b", helps, re.M), command
    texts = longhaul("embed", "--help-all").out + helps + "".join(
        longhaul(command, "--help").out for command in (
            "inspect", "plan", "merge", "verify", "diff", "export", "neighbours", "push", "report", "doctor"))
    ours = " ".join(re.findall(r"`((?:longhaul |--)[^`]*)`", README))
    of_exporters = {"--pretrained", "--weights", "--layers", "--rare", "--vector"}
    flags = set(re.findall(r"--[a-z][a-z0-9-]+", ours)) - of_exporters
    assert len(flags) > 10
    for flag in flags:
        assert re.search(rf"{flag}\b", texts), flag


# Lines of the README that a test cannot run, and why.
NOT_RUN = {
    ".venv/bin/python -m pip wheel": "test_wheel.py does", "scripts/package": "test_package.py does",
    "cmake --install": "test_install.py does",
    "git clone": "the checkout is there", "scripts/demo": "builds anew", "scripts/test": "this test",
    "brew install": "macOS", "scripts/setup": "the environment is there", "scripts/build": "builds anew",
    "             opencv": "macOS", "longhaul embed    MODEL": "a list of commands",
    "longhaul inspect  MODEL": "a list", "longhaul verify   OUT": "a list", "longhaul diff     A B": "a list",
    "longhaul evaluate PREDICTIONS": "a list", "longhaul probe    fit": "a list",
    "longhaul bench    MODEL": "a list", "longhaul doctor   [MODEL]": "a list", "longhaul plan     MODEL": "a list", "longhaul merge    OUT": "a list",
    "longhaul completion SHELL": "a list", "longhaul man   ": "a list",
    "for i in 1 2 3; do longhaul embed": "test_merge.py does",
    "longhaul merge out/all": "test_merge.py does",
    "longhaul neighbours OUT [": "a list", "longhaul neighbours OUT -k": "test_neighbours.py does",
    "longhaul neighbours patients": "test_neighbours.py does",
    "longhaul export   OUT": "a list", "longhaul export OUT --to": "test_export.py does",
    "longhaul report   OUT": "a list", "longhaul report OUT": "test_report.py does",
    "longhaul push     OUT": "a list", "longhaul push OUT --to": "test_push.py does",
}


def command_blocks():
    """The lines of each fenced block without a language that a test can run."""
    blocks, language = [], None
    for line in README.splitlines():
        if line.startswith("```"):
            if language is None and line == "```":
                blocks.append([])
            language = line[3:] if language is None else None
        elif language == "" and line and not line.startswith(tuple(NOT_RUN)):
            blocks[-1].append(line)
    return [block for block in blocks if block]


def checkout(folder):
    """A folder that looks like a checkout in which scripts/setup and scripts/build have run."""
    build = pathlib.Path(os.environ.get("LONGHAUL_BUILD_DIR", ROOT / "build"))
    for name, target in [("scripts", ROOT / "scripts"), ("configs", ROOT / "configs"),
                         (".venv", ROOT / ".venv"), ("build", build)]:
        (folder / name).symlink_to(target)
    # The first rows of each dataset: the rest tells nothing more of a command.
    (folder / "datasets").mkdir()
    for whole in (ROOT / "datasets").iterdir():
        lines = whole.read_text().splitlines(keepends=True)
        (folder / "datasets" / whole.name).write_text("".join(lines[:200]))
    return folder


def write_small_inputs(folder):
    """What the README's lines name as the reader's own, and the two downloads from a hub."""
    (folder / "more").mkdir()
    (folder / "list.csv").write_text("path,label\n" + "".join(
        f"{p.relative_to(folder)},x\n" for p in sorted(folder.glob("photos/**/*.jpg"))[:2]))
    with tarfile.open(folder / "more/shard-0000.tar", "w") as tar:
        for p in sorted(folder.glob("photos/**/*.jpg"))[:3]:
            tar.add(p, p.name)


def downloaded(folder, name):
    """What `hf download` leaves of an ESM-2 or a ProtT5, in small and with random weights."""
    if name == "prot_t5":
        import transformers_folders
        transformers_folders.t5(folder / name)
        return
    subprocess.run([sys.executable, ROOT / "scripts/export_esm.py", "--random", "tiny",
                    folder / "x.ts", "--save-transformers", folder / name], check=True)


def test_its_commands_run_as_they_stand(longhaul, tmp_path):
    folder, ran = checkout(tmp_path), []
    environment = {**clean_environment(), "PYTHONPATH": "", "OMP_NUM_THREADS": "2"}
    for block in command_blocks():
        script = ["set -e"]
        for line in block:
            download = re.match(r"\.venv/bin/hf download \S+ --local-dir (\S+)$", line)
            if download:
                downloaded(folder, download[1])
                assert (ROOT / ".venv/bin/hf").exists()
                continue
            # Weights that would be downloaded are random here.
            script.append(line.replace("--pretrained laion2b_s34b_b79k", ""))
            ran.append(line)
        if any("list.csv" in line for line in block):
            write_small_inputs(folder)
        # The first block's PATH holds in those that follow.
        environment["PATH"] = f"{folder}/build:{os.environ['PATH']}"
        done = subprocess.run(["bash", "-c", "\n".join(script)], cwd=folder, env=environment,
                              capture_output=True, text=True)
        assert done.returncode == 0, (block, done.stdout, done.stderr)
    assert "export PATH=$PWD/build:$PATH" in ran and len(ran) >= 10
    for out in ("nanobodies", "esm2", "prot_t5", "photos", "both", "list", "csv", "checked"):
        vectors = numpy.load(folder / "out" / out / "embeddings.npy", mmap_mode="r")
        assert len(vectors) > 0 and numpy.isfinite(vectors[0]).all(), out


@pytest.mark.parametrize("name", ["README.md", "HACKING.md"])
def test_the_files_it_names_exist(name):
    text = (ROOT / name).read_text()
    for path in set(re.findall(r"\]\(([^)#]+)\)", text)) | \
            set(re.findall(r"\b((?:scripts|configs|datasets|tests|lib|apps|cmake)/[\w./-]*\w)", text)):
        if "<" not in path and not path.startswith("http"):
            assert (ROOT / path).exists(), path
