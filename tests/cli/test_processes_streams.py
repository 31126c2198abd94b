"""Several processes of one command and what can be read only once: refused, never shared out."""

import os
import subprocess

import pytest

from conftest import clean_environment
from fake_run import Job


@pytest.fixture
def job(longhaul_fake, folder):
    return Job(longhaul_fake, folder, records=64 * 3)


@pytest.mark.parametrize("place", ["input", "--files-from", "--card"])
def test_a_pipe_is_refused(job, folder, place):
    """Nobody writes to it: one that opened it would wait."""
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    inputs = [pipe] if place == "input" else [job.input] if place == "--card" else []
    more = [] if place == "input" else [place, pipe]
    for flags in (["--processes", "2"], ["--device", "cuda:0,1"]):
        done = job.run_fake("embed", job.model, *inputs, "-o", folder / "out", *job.options, *more,
                            *flags, env={"FAKE_CUDA_DEVICES": "2"}, timeout=60)
        assert done.code == 2 and "cannot be read by several processes" in done.err, done
        assert str(pipe) in done.err and "write it to a file first" in done.err, done
        assert not (folder / "out").exists()


@pytest.mark.parametrize("name", ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0", "link"])
def test_standard_input_by_another_name_is_refused(job, folder, name):
    """The processes have another one, also where that of the first is a file."""
    if name == "link":
        name = folder / "link"
        name.symlink_to("/dev/stdin")
    words = [str(name) if word == str(job.input) else word
             for word in job.command(folder / "out", "--processes", 2)]
    for source in (subprocess.PIPE, job.input.open()):
        done = subprocess.Popen(words, stdin=source, stderr=subprocess.PIPE, text=True,
                                env=clean_environment())
        _, said = done.communicate(timeout=60)
        assert done.returncode == 2 and "cannot be read by several processes" in said, said
        assert not (folder / "out").exists()
