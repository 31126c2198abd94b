"""A finished output, opened."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from longhaul._errors import NotFinishedError, OutputError
from longhaul._folder import Folder
from longhaul._journal import Array, read_journal

if TYPE_CHECKING:
    import anndata
    import pandas

__all__ = ["Array", "NotFinishedError", "OutputError", "Run", "open"]

# Of the program's own columns in records.csv.
NOT_TEXT = ("row", "length", "truncated", "substituted", "gaps", "windows")

Vectors = npt.NDArray[np.floating[Any]]


def open(path: str | os.PathLike[str]) -> Run:
    """The output directory of a finished ``longhaul embed``.

    Raises NotFinishedError for a run that goes on or was stopped, and for shards that are not
    merged; OutputError for what is no output, or is damaged so that it cannot be read. That every
    byte is as it was written is for ``longhaul verify`` to say.
    """
    return Run(pathlib.Path(path))


class Run:
    """A finished output. Row i of everything here is record i of the input.

    It stays with the output as it was opened. Once ``longhaul embed --update`` has put another in
    its place, or a retry has changed it, tables and memory maps that were asked for before are
    still of the older one (but a retry fills rows in under a memory map), and to ask for others is
    an OutputError: open the path again. It holds a file descriptor for as long as it is used.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path  #: of the output directory
        self._folder = Folder(path)
        self._journal = read_journal(self._folder)

    def __len__(self) -> int:
        """Records, with those that have no vector."""
        return self._journal.rows

    def __repr__(self) -> str:
        names = ", ".join(f"{array.name} {array.dimension}" for array in self.arrays)
        return f"<longhaul.Run {str(self.path)!r}: {len(self)} records, {names}>"

    @property
    def arrays(self) -> tuple[Array, ...]:
        """What there is, the first one first."""
        return self._journal.arrays

    @cached_property
    def info(self) -> dict[str, Any]:
        """run.json: model, settings, counts, machine, versions."""
        with self._reading("run.json") as file:
            found = json.loads(file.read().decode("utf-8"))
        if not isinstance(found, dict):
            raise self._damaged("run.json", "it is no object")
        return found

    @property
    def vectors(self) -> Vectors:
        """The first array with one vector a record: rows x dimension, a read-only memory map. A
        record without a vector has NaN: ``run.vectors[run.ok]`` are the others."""
        for array in self.arrays:
            if array.kind == "vector":
                return self.array(array.name)
        raise OutputError(f"{self.path} has no vectors of whole records; see run.tokens(i)")

    def array(self, name: str) -> Vectors:
        """Another layer's array, such as "embeddings.LAYER", as ``vectors`` is. Of "tokens" all
        residues, one record's behind another's."""
        array = self._find(name)
        rows = int(self._offsets[-1]) if array.kind == "tokens" else len(self)
        return self._map(f"{name}.npy", (rows, array.dimension), array.dtype)

    def tokens(self, row: int) -> Vectors:
        """The vectors of a record's residues, special tokens left out: residues x dimension. A
        record that was rejected before it was computed has none; one rejected later has NaN."""
        rows = range(len(self))
        at = rows[row]  # an IndexError, and negative numbers, as a list has them
        return self._tokens[self._offsets[at]:self._offsets[at + 1]]

    @cached_property
    def records(self) -> pandas.DataFrame:
        """records.csv, row for row. All columns are text, also where they look like numbers, but
        for the counts of longhaul's own and ``truncated``; an empty cell is an empty text."""
        import pandas

        with self._reading("records.csv") as file:
            names = [str(name) for name in pandas.read_csv(file, nrows=0).columns]
            own = names[:names.index("duplicate_of") + 1]  # behind it are the kept ones
            text = {name: str for name in names if name not in own or name not in NOT_TEXT}
            file.seek(0)
            found = pandas.read_csv(file, dtype=text, keep_default_na=False, low_memory=False)
        if len(found) != len(self):
            raise self._damaged("records.csv", f"it has {len(found)} records, not {len(self)}")
        return found

    @cached_property
    def ok(self) -> npt.NDArray[np.bool_]:
        """Which records were accepted, and are no duplicate of an earlier one."""
        return np.asarray(self.records["status"] == "ok", dtype=np.bool_)

    def to_anndata(self) -> anndata.AnnData:
        """The accepted records: vectors in ``X``, further layers in ``obsm``, the columns of
        records.csv in ``obs``, model and settings in ``uns["longhaul"]``. ``obs_names`` are the
        ids, or where an id occurs twice the row numbers. Copies the vectors."""
        import anndata

        records = self.records[self.ok]
        ids = records["id"]
        names = ids if ids.is_unique else records["row"].astype(str)
        found = anndata.AnnData(X=np.asarray(self.vectors[self.ok]),
                                obs=records.set_index(names.to_numpy()))
        for array in self.arrays:
            if array.kind == "vector" and array.name != self._first_vector:
                found.obsm[array.name] = np.asarray(self.array(array.name)[self.ok])
        kept = ("model", "fingerprint", "bits", "longhaul")
        found.uns["longhaul"] = json.dumps({key: self.info[key] for key in kept
                                            if key in self.info})
        return found

    @property
    def _first_vector(self) -> str:
        return next(array.name for array in self.arrays if array.kind == "vector")

    @cached_property
    def _offsets(self) -> npt.NDArray[np.int64]:
        self._find("tokens")
        return self._map("token_offsets.npy", (len(self) + 1,), "<i8")

    @cached_property
    def _tokens(self) -> Vectors:
        return self.array("tokens")

    def _find(self, name: str) -> Array:
        for array in self.arrays:
            if array.name == name:
                return array
        names = ", ".join(array.name for array in self.arrays)
        raise OutputError(f"{self.path} has no array {name!r}; there are {names}")

    def _map(self, name: str, shape: tuple[int, ...], dtype: str) -> npt.NDArray[Any]:
        with self._reading(name) as file:
            version = np.lib.format.read_magic(file)
            if version != (1, 0):
                raise ValueError(f"it is of version {version}")
            stored, by_column, kind = np.lib.format.read_array_header_1_0(file)
            if stored != shape or kind != np.dtype(dtype):
                raise ValueError(f"it is {kind} of {stored}, not {np.dtype(dtype)} of {shape}")
            return np.memmap(file, kind, "r", file.tell(), shape, "F" if by_column else "C")

    @contextmanager
    def _reading(self, name: str) -> Iterator[BinaryIO]:
        """A file of the output: what is wrong with it is damage."""
        try:
            with self._folder.reading(name) as file:
                yield file
        except OutputError:
            raise
        except (OSError, ValueError) as error:
            raise self._damaged(name, str(error)) from error

    def _damaged(self, name: str, what: str) -> OutputError:
        return OutputError(f"{self.path / name} is missing or damaged: {what}; "
                           f"run longhaul verify {self.path}")
