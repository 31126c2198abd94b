"""What the README says is so."""

import pathlib
import re

import numpy
import pytest

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
    assert longhaul_fake("embed", tmp_path / "model.json", tmp_path / "in.csv", "-o", out).code == 0
    table = README.split("| file in OUT | what |")[1].split("\n\n")[0]
    assert sorted(re.findall(r"^\| `([^`]+)`", table, re.M)) == sorted(p.name for p in out.iterdir())


def test_its_exit_codes_are_the_programs():
    header = (ROOT / "lib/base/error.hpp").read_text()
    table = README.split("| code | meaning |")[1].split("\n\n")[0]
    assert re.findall(r"^\| (\d+) \|", table, re.M) == re.findall(r"^  k\w+ = (\d+),", header, re.M)


def test_its_flags_and_commands_exist(longhaul):
    helps = longhaul("--help").out
    for command in set(re.findall(r"^longhaul (\w+) ", README, re.M)):
        assert re.search(rf"^  {command}\b", helps, re.M), command
    texts = longhaul("embed", "--help-all").out + helps + longhaul("inspect", "--help").out
    flags = set(re.findall(r"`(?!\s*scripts/)[^`]*?(--[a-z][a-z0-9-]+)", README))
    assert len(flags) > 10
    for flag in flags:
        assert re.search(rf"{flag}\b", texts), flag


@pytest.mark.parametrize("name", ["README.md", "HACKING.md"])
def test_the_files_it_names_exist(name):
    text = (ROOT / name).read_text()
    for path in set(re.findall(r"\]\(([^)#]+)\)", text)) | \
            set(re.findall(r"\b((?:scripts|configs|datasets|tests|lib|apps|cmake)/[\w./-]*\w)", text)):
        if "<" not in path and not path.startswith("http"):
            assert (ROOT / path).exists(), path
