"""What the journal of an output says: whether it is finished, and which arrays it has."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from longhaul._errors import NotFinishedError, OutputError
from longhaul._folder import JOURNAL, Folder

VERSIONS = (1, 2)


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


def read_journal(folder: Folder) -> Journal:
    """Of a finished output; else an OutputError."""
    path = folder.path
    if not path.is_dir():
        raise OutputError(f"{path} is not a folder; name the --output of longhaul embed")
    try:
        ends = folder.end_lines()
    except (FileNotFoundError, IsADirectoryError) as error:
        if (path / "shards").is_dir():
            raise NotFinishedError(f"{path} holds shards that are not merged; "
                                   f"give longhaul merge {path} first") from error
        raise OutputError(f"{path} is no output of longhaul: it has no {JOURNAL}; "
                          "name the --output of longhaul embed") from error
    try:
        lines = [json.loads(line) for line in ends]
    except ValueError:
        lines = []
    if len(lines) != 2 or not all(isinstance(line, dict) for line in lines):
        raise OutputError(f"{path / JOURNAL} is damaged; run longhaul verify {path}")
    first, last = lines
    version = first.get("version")
    if version not in VERSIONS:
        raise OutputError(f"{path / JOURNAL} is of version {version!r}, and this package knows "
                          f"{', '.join(map(str, VERSIONS))}; use the package of that longhaul")
    if last.get("kind") != "finish":
        raise NotFinishedError(f"{path} holds a run that is not finished; "
                               "give its embed command again: it continues")
    return Journal(_arrays(first["layout"]), int(last["rows"]))


def _arrays(layout: dict[str, Any]) -> tuple[Array, ...]:
    types = {"fp32": "<f4", "fp16": "<f2"}
    # Of version 1: one vector a record.
    outputs = layout.get("outputs", [{**layout, "name": "embeddings", "kind": "vector"}])
    return tuple(Array(str(output["name"]), str(output["kind"]), int(output["dimension"]),
                       types[output["dtype"]]) for output in outputs)
