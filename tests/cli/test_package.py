"""What scripts/package and pip make from the sources: the tarball, and a wheel that is compiled."""

import importlib.metadata
import os
import re
import subprocess
import sys
import zipfile

import pytest

from conftest import ROOT, built
from fake_run import LONG

pytestmark = pytest.mark.skipif(not LONG, reason="minutes: scripts/test --long")


def test_the_tarball(longhaul, tmp_path):
    environment = {**os.environ, "LONGHAUL_BUILD_DIR": str(built("longhaul").parent)}
    done = subprocess.run([ROOT / "scripts/package", "--no-build", "dist"], cwd=tmp_path,
                          env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    version = longhaul("--version").out.split()[1]
    packed, = (tmp_path / "dist").iterdir()
    assert re.fullmatch(rf"longhaul-{version}-linux-\w+\.tar\.gz", packed.name)
    assert re.match(rf"{re.escape(str(packed))}: \S+, unpacked \S+\n", done.stdout)
    subprocess.run(["tar", "-xzpf", packed, "-C", tmp_path], check=True)
    name = packed.name.removesuffix(".tar.gz")
    for path in (tmp_path / name).rglob("*"):
        assert path.lstat().st_mode & 0o004, path
    done = subprocess.run([tmp_path / name / "bin/longhaul", "--version"], capture_output=True,
                          text=True, env={})
    assert done.stdout == longhaul("--version").out
    before = packed.read_bytes()
    subprocess.run([ROOT / "scripts/package", "--no-build", tmp_path / "dist"], cwd="/",
                   env=environment, check=True, capture_output=True)
    assert packed.read_bytes() == before


def test_a_wheel_is_compiled_from_the_sources(longhaul, tmp_path):
    done = subprocess.run([sys.executable, "-m", "pip", "wheel", ROOT, "-q", "--no-build-isolation",
                           "--no-deps", "-w", tmp_path], capture_output=True, text=True,
                          # As scripts/build calls the compiler: ccache then knows what that compiled.
                          env={**os.environ, "CXX": os.environ.get("CXX", "c++")})
    assert done.returncode == 0, done.stdout + done.stderr
    wheel, = tmp_path.glob("longhaul-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extract("longhaul/lib/longhaul/longhaul", tmp_path)
    program = tmp_path / "longhaul/lib/longhaul/longhaul"
    program.chmod(0o755)
    site = importlib.metadata.distribution("torch").locate_file("")
    for name in ("torch", "pyarrow", "nvidia"):
        (tmp_path / name).symlink_to(site / name)
    # What Debian's packages gave is left in the wheel: here the system has it.
    done = subprocess.run([program, "--version"], capture_output=True, text=True, env={})
    assert done.stdout.split("(")[0] == longhaul("--version").out.split("(")[0], done.stderr
