"""Scripts find the Python that has their modules, from any directory and by any interpreter."""

import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# peer_engines.py is started by compare_peers.py with another Python.
SCRIPTS = sorted(p.name for p in (ROOT / "scripts").glob("*.py")
                 if p.read_text().startswith("#!") and p.name != "peer_engines.py")
# Without site-packages: an interpreter that has none of the modules.
BARE = [getattr(sys, "_base_executable", sys.executable), "-S"]


def run(script, *arguments, cwd):
    return subprocess.run([*BARE, script, *map(str, arguments)], cwd=cwd, capture_output=True,
                          text=True)


@pytest.mark.parametrize("name", ["export_esm.py", "make_images.py"])
def test_a_script_runs_with_the_systems_python_from_anywhere(name, tmp_path):
    done = run(ROOT / "scripts" / name, "--help", cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.startswith(f"usage: {name}"), done.stderr


def test_arguments_and_the_working_directory_survive(tmp_path):
    done = run(ROOT / "scripts/make_sequences.py", "my sequences.csv", "-n", "3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "my sequences.csv").read_text().splitlines()) == 4


@pytest.mark.parametrize("name", SCRIPTS)
def test_without_an_environment_one_line_says_what_makes_it(name, tmp_path):
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    done = run(tmp_path / "scripts" / name, "--help", cwd="/")
    assert done.returncode == 1 and done.stdout == ""
    assert re.fullmatch(rf"{name}: .* lacks \w.*: run {tmp_path}/scripts/setup first, which makes "
                        rf"{tmp_path}/\.venv\n", done.stderr)


def test_every_script_that_needs_modules_asks_for_them():
    for name in SCRIPTS:
        text = (ROOT / "scripts" / name).read_text()
        # Before the first foreign module is imported.
        asked = text.index("own_python.need(")
        foreign = re.search(r"^(import|from) (numpy|torch|PIL|timm|open_clip|transformers)", text, re.M)
        assert foreign is None or asked < foreign.start(), name
