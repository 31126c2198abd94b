"""docs/recipes.md: every block runs as it stands, in the order of the page."""

import importlib.util
import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

from fake_run import Job
from postgres_server import Server

ROOT = pathlib.Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"^## (.*?)$|^```(python)?\n(.*?)^```$",
                    (ROOT / "docs/recipes.md").read_text(), re.M | re.S)


def recipes():
    """(heading, language, text) of each block."""
    heading, found = "", []
    for title, language, text in BLOCKS:
        if title:
            heading = title
        else:
            found.append((heading, language or "sh", text))
    return found


@pytest.fixture(scope="module")
def place(longhaul_fake, tmp_path_factory):
    job = Job(longhaul_fake, tmp_path_factory.mktemp("recipes"), 400, tokens=True)
    job.finish(job.folder / "OUT")
    return job.folder


# The one address on the page.
DATABASE = "postgresql://me@localhost/vectors"


@pytest.fixture(scope="module")
def database():
    """A server in its stead."""
    server = Server()
    with server.connect() as made:
        made.execute("create extension vector")
    yield server.uri()
    server.end()


def needs(text):
    """The modules of a block that are not here."""
    names = re.findall(r"^(?:import|from) (\w+)", text, re.M) + re.findall(r"to_(anndata)", text)
    return [name for name in names if name != "longhaul" and not importlib.util.find_spec(name)]


def test_the_page_has_its_blocks():
    assert len(recipes()) >= 19
    assert {language for _, language, _ in recipes()} == {"python", "sh"}


@pytest.mark.parametrize("recipe", recipes(),
                         ids=[f"{i}-{heading.split(',')[0]}" for i, (heading, _, _)
                              in enumerate(recipes())])
def test_recipe(longhaul_fake, place, recipe, request):
    _, language, text = recipe
    if DATABASE in text:
        text = text.replace(DATABASE, request.getfixturevalue("database"))
    if language == "sh":
        for line in text.splitlines():
            words = shlex.split(line)
            assert words[0] == "longhaul"
            result = longhaul_fake(*words[1:], cwd=place)
            assert result.code == 0, result
        return
    if missing := needs(text):
        pytest.skip(f"not installed: {', '.join(missing)}")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-W", "error::FutureWarning:__main__", "-c", text],
                          cwd=place, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{text}\n{done.stderr}"
