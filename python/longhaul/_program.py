"""The command ``longhaul`` of the wheel: becomes the program that lies in it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import pathlib
import sys
from typing import NoReturn

UNAVAILABLE = 69  # as the program has it: not to be had now
HOME = pathlib.Path(__file__).resolve().parent
# The wheel's names of the libraries, and where in these wheels they lie.
WHEELS = {"torch": "lib", "pyarrow": ""}


def main() -> NoReturn:
    """Starts the program in this process, with the libraries that it was linked with."""
    program = HOME / "lib/longhaul/longhaul"
    built_with = json.loads((HOME / "share/longhaul/built_with.json").read_text())
    environment = dict(os.environ)
    apart = []
    for name, inside in WHEELS.items():
        require(name, built_with[name])
        found = folder(name)
        # Beside this package the program finds them by itself.
        if found != HOME.parent / name:
            apart.append(str(found / inside))
    if apart:
        environment["LD_LIBRARY_PATH"] = ":".join(
            [*apart, *filter(None, [environment.get("LD_LIBRARY_PATH")])])
    os.execve(program, [sys.argv[0], *sys.argv[1:]], environment)


def require(name: str, version: str) -> None:
    """Ends with one line where another version is installed, or none."""
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        found = "not installed"
    # Behind a plus is what it was built for, such as cu130: one interface serves all.
    if found.partition("+")[0] != version:
        fail(f"{name} is {found}, and this program was built with {name} {version}",
             f"{sys.executable} -m pip install {name}=={version}")


def folder(name: str) -> pathlib.Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        fail(f"{name} is said to be installed, but is not to be found",
             f"{sys.executable} -m pip install --force-reinstall {name}")
    return pathlib.Path(list(spec.submodule_search_locations)[0])


def fail(what: str, remedy: str) -> NoReturn:
    print(f"longhaul: {what}; run: {remedy}", file=sys.stderr)
    sys.exit(UNAVAILABLE)
