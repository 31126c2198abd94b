"""What the journal of an output says: whether it is finished, and which arrays it has."""

from __future__ import annotations

import json
import pathlib
from dataclasses import dataclass
from typing import Any

VERSIONS = (1, 2)


class OutputError(ValueError):
    """What cannot be read as an output of longhaul, and what to do about it."""


class NotFinishedError(OutputError):
    """A run that is not finished, or shards that are not merged."""


@dataclass(frozen=True)
class Array:
    """One array of an output."""

    name: str  #: of its file, without .npy: "embeddings", "embeddings.LAYER", "tokens"
    kind: str  #: "vector": one for each record; "tokens": one for each residue
    dimension: int
    dtype: str  #: as numpy has it: "<f4" or "<f2"


@dataclass(frozen=True)
class Journal:
    arrays: tuple[Array, ...]
    rows: int


def read_journal(folder: pathlib.Path) -> Journal:
    """Of a finished output; else an OutputError."""
    if not folder.is_dir():
        raise OutputError(f"{folder} is not a folder; name the --output of longhaul embed")
    path = folder / "journal.jsonl"
    if not path.is_file():
        if (folder / "shards").is_dir():
            raise NotFinishedError(f"{folder} holds shards that are not merged; "
                                   f"give longhaul merge {folder} first")
        raise OutputError(f"{folder} is no output of longhaul: it has no journal.jsonl; "
                          "name the --output of longhaul embed")
    first, last = _end_lines(path)
    version = first.get("version")
    if version not in VERSIONS:
        raise OutputError(f"{path} is of version {version!r}, and this package knows "
                          f"{', '.join(map(str, VERSIONS))}; use the package of that longhaul")
    if last.get("kind") != "finish":
        raise NotFinishedError(f"{folder} holds a run that is not finished; "
                               "give its embed command again: it continues")
    return Journal(_arrays(first["layout"]), int(last["rows"]))


def _end_lines(path: pathlib.Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The first and the last whole line."""
    first: bytes = b""
    last: bytes = b""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                first, last = first or line, line
    try:
        lines = [json.loads(line) for line in (first, last)]
    except ValueError:
        lines = []
    if len(lines) != 2 or not all(isinstance(line, dict) for line in lines):
        raise OutputError(f"{path} is damaged; run longhaul verify {path.parent}")
    return lines[0], lines[1]


def _arrays(layout: dict[str, Any]) -> tuple[Array, ...]:
    types = {"fp32": "<f4", "fp16": "<f2"}
    # Of version 1: one vector a record.
    outputs = layout.get("outputs", [{**layout, "name": "embeddings", "kind": "vector"}])
    return tuple(Array(str(output["name"]), str(output["kind"]), int(output["dimension"]),
                       types[output["dtype"]]) for output in outputs)
