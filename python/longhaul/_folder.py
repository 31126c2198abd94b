"""The directory of an output, held at one generation of it."""

from __future__ import annotations

import errno
import hashlib
import os
import pathlib
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import BinaryIO

from longhaul._errors import OutputError

JOURNAL = "journal.jsonl"
# ESTALE is what network file systems say of a directory that another machine removed.
GONE = (errno.ENOENT, errno.ENOTDIR, getattr(errno, "ESTALE", errno.ENOENT))


class Folder:
    """The directory that a path leads to, and its files.

    ``longhaul embed --update`` gives the path to another directory, a retry changes the files in
    it. Files are opened in the directory that the path led to at first use, whatever it leads to
    later, and only while the journal is the one that ``end_lines`` read: each generation has its
    own. Where the system opens no files relative to a directory (Windows), they are opened by path
    and the journal alone tells.

    Holds one file descriptor, which is closed when nothing refers to this any more. A pickle has
    the path and the hash of the journal; what comes of it opens the path again, at first use.
    """

    def __init__(self, path: pathlib.Path, journal: str | None = None) -> None:
        self.path = path
        self._absolute = path.absolute()
        self._journal = journal  # its hash, once it was read
        self._stamp: tuple[int, ...] = ()  # of a journal that had this hash

    def __reduce__(self) -> tuple[type[Folder], tuple[pathlib.Path, str | None]]:
        return Folder, (self.path, self._journal)

    @contextmanager
    def reading(self, name: str) -> Iterator[BinaryIO]:
        """One of its files. Raises OSError, or OutputError where the generation is gone."""
        with self._opened(name) as file:
            # Looked at now: what was opened before is no newer than this journal.
            if not self._is_same():
                raise self._updated()
            yield file

    def end_lines(self) -> tuple[bytes, bytes]:
        """The first and the last whole line of the journal. Raises as ``reading`` does."""
        with self._opened(JOURNAL) as file:
            self._stamp = _stamp(file)
            first, last, self._journal = _read(file)
        return first, last

    @cached_property
    def _held(self) -> tuple[int | None, tuple[int, int]]:
        """The descriptor of the directory, if there can be one, and which directory it is."""
        if os.open not in os.supports_dir_fd:
            return None, _place(os.stat(self._absolute))
        descriptor = os.open(self._absolute, os.O_RDONLY | os.O_DIRECTORY)
        weakref.finalize(self, os.close, descriptor)
        return descriptor, _place(os.fstat(descriptor))

    def _opened(self, name: str) -> BinaryIO:
        try:
            descriptor, _ = self._held
            if descriptor is None:
                return open(self._absolute / name, "rb")
            # By its whole path only in name: that is what a memory map of it is called.
            return open(self._absolute / name, "rb",
                        opener=lambda _, flags: os.open(name, flags, dir_fd=descriptor))
        except OSError as error:
            # Files of a generation that was replaced are removed one by one, the journal last.
            if error.errno in GONE and not (self._path_leads_here() and self._is_same(name)):
                raise self._updated() from error
            raise

    def _path_leads_here(self) -> bool:
        try:
            return _place(os.stat(self._absolute)) == self._held[1]
        except OSError:
            return False

    def _is_same(self, absent: str = "") -> bool:
        """Whether the journal is the one that was read, if one was. `absent`: a file that is
        known not to be there."""
        if self._journal is None:
            return True
        if absent == JOURNAL:
            return False
        with self._opened(JOURNAL) as file:
            stamp = _stamp(file)
            if stamp != self._stamp:
                if _read(file)[2] != self._journal:
                    return False
                self._stamp = stamp
        return True

    def _updated(self) -> OutputError:
        return OutputError(f"{self.path} was updated or removed since it was opened; "
                           "open it again")


def _place(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _stamp(file: BinaryIO) -> tuple[int, ...]:
    status = os.fstat(file.fileno())
    return (*_place(status), status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _read(file: BinaryIO) -> tuple[bytes, bytes, str]:
    """The first and the last whole line, and a hash of all of it."""
    first = last = b""
    digest = hashlib.blake2b(digest_size=16)
    for line in file:
        digest.update(line)
        if line.endswith(b"\n"):
            first, last = first or line, line
    return first, last, digest.hexdigest()
