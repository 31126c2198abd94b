"""Fixtures for tests that run the real program."""

import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import pytest

from fake_run import strace

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"

# A caller that ignores hang-ups (nohup) would hand that on to every program started here.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def exported(script, *arguments, name):
    """An archive that is kept between runs until what made it is newer than it; test processes
    wait for each other."""
    makers = (ROOT / "python/longhaul/export").glob("*.py")
    CACHE.mkdir(exist_ok=True)
    path = CACHE / name
    with open(CACHE / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists() or any(
                m.stat().st_mtime > path.stat().st_mtime for m in makers):
            begun = CACHE / f"begun.{name}"
            subprocess.run([sys.executable, ROOT / "scripts" / script, *arguments, begun],
                           check=True)
            begun.rename(path)
    return path


class Result:
    def __init__(self, done, command):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr
        self.command = command

    def __repr__(self):
        return f"exit {self.code}: {self.command}\n--- out\n{self.out}\n--- err\n{self.err}"


def clean_environment():
    """The caller's environment without the names the program honours."""
    foreign = {"DEVICE", "FORCE_CPU", "GPU_BATCH_SIZE", "GPU_MEMORY_CLEANUP_ENABLED",
               "GPU_MEMORY_CLEANUP_INTERVAL"}
    return {k: v for k, v in os.environ.items()
            if not k.startswith("LONGHAUL_") and k not in foreign}


def runner(binary):
    def run(*arguments, cwd=None, env=None, stdin=None, timeout=600):
        command = [str(binary), *map(str, arguments)]
        done = subprocess.run(command, cwd=cwd, env={**clean_environment(), **(env or {})},
                              input=stdin, capture_output=True, timeout=timeout,
                              text=not isinstance(stdin, bytes))
        return Result(done, " ".join(command))
    run.path = binary
    return run


def built(name):
    folder = pathlib.Path(os.environ.get("LONGHAUL_BUILD_DIR", ROOT / "build"))
    if not (folder / name).exists():
        pytest.fail(f"{folder / name} is not built: run scripts/build")
    return folder / name


@pytest.fixture(scope="session")
def longhaul():
    """Runs build/longhaul; returns code, out, err."""
    return runner(built("longhaul"))


@pytest.fixture(scope="session")
def longhaul_fake():
    """The same program linked with the fake encoder, which needs no LibTorch."""
    return runner(built("longhaul-fake"))


@pytest.fixture
def folder(tmp_path):
    """A folder of the test's own, in memory where that can be."""
    from fake_run import quick_folder
    yield from quick_folder(tmp_path)


@pytest.fixture(scope="session")
def antiberty():
    """The AntiBERTy archive, exported once."""
    return exported("export_antiberty.py", name="antiberty.ts")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """A real TorchScript encoder of two layers, 32 wide, with random weights."""
    path = tmp_path_factory.mktemp("models") / "tiny.ts"
    subprocess.run([sys.executable, ROOT / "scripts/export_esm.py", "--random", "tiny", path],
                   check=True)
    return path


@pytest.fixture(scope="session")
def photographs(tmp_path_factory):
    """The files of image_files.photographs(), in order."""
    import image_files
    return image_files.photographs(tmp_path_factory.mktemp("photographs"))


@pytest.fixture(scope="session")
def tiny_image_model(tmp_path_factory):
    """An image encoder that costs nearly nothing."""
    from tiny_encoder import write_tiny_encoder
    return write_tiny_encoder(tmp_path_factory.mktemp("models") / "tiny_image.ts")


@pytest.fixture(scope="session")
def shared_data():
    """Real public data beside the checkout; tests that measure with it skip when it is absent."""
    path = pathlib.Path(os.environ.get("LONGHAUL_DATA_DIR", ROOT.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"no public data in {path}")
    return path


@pytest.fixture(scope="session")
def needs_strace(tmp_path_factory):
    log = tmp_path_factory.mktemp("strace") / "log"
    if shutil.which("strace"):
        subprocess.run([*strace(log, "openat", "error=EIO:when=1"), "true"], capture_output=True)
    if not log.exists() or "INJECTED" not in log.read_text():
        pytest.skip("strace cannot inject faults here")
