"""Sets of shards for the tests of merging: made once, copied, and spoiled."""

import ctypes
import ctypes.util
import json
import shutil

import pytest

from fake_run import Job


class Shards:
    """A job whose records are dealt to N shards."""

    def __init__(self, job, out, count):
        self.job, self.out, self.count = job, out, count

    def embed(self, index, *more, code=0):
        result = self.job.run_fake(*self.job.arguments(self.out, "--shard",
                                                       f"{index}/{self.count}", *more))
        assert result.code == code, result
        return result

    def embed_all(self):
        for index in range(1, self.count + 1):
            self.embed(index)
        return self

    def path(self, index):
        return self.out / "shards" / f"{index}-of-{self.count}"

    def copy(self, out):
        shutil.copytree(self.out, out)
        return Shards(self.job, out, self.count)

    def expected(self):
        """What a single run leaves."""
        return self.job.reference()

    def merge(self, *more, code=3):
        result = self.job.run_fake("merge", self.out, *more)
        assert result.code == code, result
        return result


def tree(path):
    """Every file's bytes, but for locks."""
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*"))
            if p.is_file() and p.name != "longhaul.lock"}


@pytest.fixture(scope="module")
def three(longhaul_fake, folder):
    """Three complete shards of 300 records, to be copied."""
    (folder / "small").mkdir()
    small = Job(longhaul_fake, folder / "small", 300, commit_every="200ms")
    return Shards(small, small.folder / "three", 3).embed_all()


@pytest.fixture
def shards(three, tmp_path):
    return three.copy(tmp_path / "out")


def edit(name, change, index=2):
    """Changes a file of a shard."""
    def spoil(shards):
        path = shards.path(index) / name
        path.write_bytes(change(path.read_bytes()))
    return spoil


def flip(at):
    """One bit at a place, from the end where it is negative."""
    def change(data):
        data = bytearray(data)
        data[at] ^= 1
        return bytes(data)
    return change


def xxh3(text):
    library = ctypes.CDLL(ctypes.util.find_library("xxhash"))
    library.XXH3_64bits.restype = ctypes.c_uint64
    library.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    return f"{library.XXH3_64bits(text, len(text)):016x}"


def rewritten_journal(change):
    """Every line of a journal, changed, with the checksums that it needs to be ours again."""
    def rewrite(data):
        crc, lines = "0" * 16, []
        for text in data.decode().splitlines():
            line = change(json.loads(text))
            body = json.dumps({k: v for k, v in line.items() if k != "crc"},
                              separators=(",", ":"), ensure_ascii=False)[1:]
            crc = xxh3((crc + body).encode())
            lines.append('{"crc":"%s",%s\n' % (crc, body))
        return "".join(lines).encode()
    return rewrite
