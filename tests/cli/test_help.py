"""Help, versions and tables: what they show, and that they fit the terminal."""

import json
import os
import pty
import random
import re
import struct
import subprocess
import fcntl
import termios

import pytest

from fake_run import Job

COMMANDS = [[], ["embed"], ["inspect"], ["plan"], ["merge"], ["verify"], ["diff"], ["evaluate"], ["probe"],
            ["probe", "fit"], ["probe", "predict"], ["probe", "cv"], ["bench"], ["export"], ["neighbours"],
            ["push"], ["report"],
            ["doctor"], ["completion"], ["man"]]


def widest(text):
    return max(map(len, text.splitlines()))


@pytest.mark.parametrize("flag", ["-h", "--help", "--help-all"])
@pytest.mark.parametrize("columns", [60, 80, 132])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_fits(longhaul_fake, command, flag, columns):
    result = longhaul_fake(*command, flag, env={"COLUMNS": str(columns)})
    assert result.code == 0 and result.err == "", result
    assert widest(result.out) <= columns, result
    assert "Usage: longhaul" in result.out


def test_every_command_of_the_help_is_tested_here(longhaul_fake):
    listed = re.findall(r"^  ([a-z]+) ", longhaul_fake("--help").out, re.MULTILINE)
    assert set(listed) - {"help", "version"} == {c[0] for c in COMMANDS if c}


def test_the_width_of_the_terminal_counts(longhaul_fake):
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k != "COLUMNS"}
    subprocess.run([longhaul_fake.path, "version"], stdout=terminal, check=True, env=environment)
    os.read(main, 65536)
    process = subprocess.Popen([longhaul_fake.path, "evaluate", "-h"], stdout=terminal,
                               env=environment)
    os.close(terminal)
    text = b""
    try:
        while part := os.read(main, 65536):
            text += part
    except OSError:
        pass  # the other side is closed
    assert process.wait() == 0
    assert 80 < widest(text.decode()) <= 100


def test_short_help_of_embed_is_a_screen(longhaul_fake):
    short, full = longhaul_fake("embed", "-h").out, longhaul_fake("embed", "--help-all").out
    flags = set(re.findall(r"^  (?:-\w,)?(--[a-z-]+)", short, re.MULTILINE))
    assert {"--output", "--batch-size", "--device", "--too-long", "--overwrite",
            "--retry-rejects", "--config"} <= flags
    assert 10 <= len(flags - {"--help", "--help-all"}) <= 14
    assert len(short.splitlines()) <= 50
    assert "longhaul embed --help-all" in short
    for flag in ("--on-leak", "--recycle-every", "--mps-high-watermark", "--cpu-kernels", "--cpu-isa", "--cpu-passes",
                 "--pooling", "--memory-limit", "--print-config"):
        assert flag not in short
        assert flag in full


def test_help_and_version_as_words(longhaul_fake):
    assert longhaul_fake("help").out == longhaul_fake("--help").out
    assert longhaul_fake("help", "embed").out == longhaul_fake("embed", "--help").out
    assert longhaul_fake("help", "probe", "cv").out == longhaul_fake("probe", "cv", "-h").out
    version = longhaul_fake("version")
    assert version.code == 0 and version.out.startswith("longhaul ")
    assert longhaul_fake("-V").out == longhaul_fake("--version").out == version.out
    assert widest(version.out) <= 80
    unknown = longhaul_fake("help", "embd")
    assert unknown.code == 2 and "did you mean 'embed'?" in unknown.err


@pytest.fixture(scope="module")
def labelled(longhaul_fake, tmp_path_factory):
    """A finished output with labels."""
    folder = tmp_path_factory.mktemp("labelled")
    job = Job(longhaul_fake, folder, 60)
    chance = random.Random(1)
    lines = ["id,label,sequence"]
    lines += [f"r{i},{i % 2}," + "".join(chance.choices("ACDEFGHIKL", k=30)) for i in range(60)]
    job.input.write_text("\n".join(lines) + "\n")
    out = folder / "out"
    assert longhaul_fake(*job.arguments(out, "--keep-column", "label")).code == 0
    return job, out


def test_tables_fit(longhaul_fake, labelled, tmp_path):
    job, out = labelled
    narrow = {"COLUMNS": "80"}
    predictions = tmp_path / "p.csv"
    cv = longhaul_fake("probe", "cv", out, "-o", predictions, env=narrow)
    assert cv.code == 0 and widest(cv.out) <= 80, cv
    names = json.loads(longhaul_fake("probe", "cv", out, "--json").out)["metrics"]
    for name in names:
        assert name in cv.out
    assert cv.out.count("SD (population)") == 1
    block = longhaul_fake("probe", "cv", out, env={"COLUMNS": "50"}).out
    assert block.count("SD (population)") > 1 and widest(block) <= 50
    evaluated = longhaul_fake("evaluate", predictions, "--truth-column", "label", "--score-column",
                              "score", *(w for t in range(1, 9) for w in ("--threshold", t / 10)),
                              env=narrow)
    assert evaluated.code == 0, evaluated
    # A path is not cut.
    assert all(len(line) <= 80 or str(predictions) in line for line in evaluated.out.splitlines())
    assert evaluated.out.count("[[TN,FP],[FN,TP]]") > 1
    for what in (out, job.model):
        told = longhaul_fake("inspect", what, env=narrow)
        assert told.code == 0, told
        for line in told.out.splitlines():
            assert len(line) <= 80 or re.search(r"\S{60}", line), line


def test_a_small_run_says_little(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 60)
    quiet = job.finish(tmp_path / "a")
    assert "memory" not in quiet.err and "kernels" not in quiet.err, quiet
    told = job.finish(tmp_path / "b", "--log-level", "debug")
    assert "memory" in told.err
