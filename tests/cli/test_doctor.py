"""`longhaul doctor`: each of its lines is made to fail, or to warn, and says what helps."""

import fcntl
import json
import os
import resource
import subprocess

import pytest

from conftest import Result, clean_environment
from fake_run import strace
from remedies import Trial, cannot_follow, follows

cannot_follow("lib/doctor/output_check.cpp", "does not come back", "a disk that forgets")


@pytest.fixture
def t(longhaul_fake, tmp_path):
    return Trial(longhaul_fake, tmp_path)


def examined(t, *arguments, code=0, env=None, prefix=(), before=None, **options):
    """The lines by name."""
    command = [*map(str, prefix), str(t.program.path), "doctor", *map(str, arguments), "--json"]
    done = subprocess.run(command, cwd=t.folder, env={**clean_environment(), **(env or {})},
                          capture_output=True, text=True, preexec_fn=before, **options)
    result = Result(done, " ".join(command))
    assert result.code == code, result
    told = json.loads(result.out)
    assert told["fit"] == (code == 0)
    if code:
        assert result.err.splitlines()[-1].startswith("longhaul: not fit: "), result
    for line in told["lines"]:
        assert line["health"] in ("ok", "warning", "failed")
        assert bool(line["remedy"]) or line["health"] == "ok", line
    return {line["name"]: line for line in told["lines"]}


def limit(which, value):
    return lambda: resource.setrlimit(which, (value, value))


def test_a_machine_that_is_fit(t):
    lines = examined(t, t.model, "-o", t.folder / "new/out")
    assert list(lines) == ["processor", "threads", "memory", "limits", "streams", "program",
                           "devices", "output", "model", "load", "contract"]
    for name in ("streams", "program", "devices", "model", "load", "contract"):
        assert lines[name]["health"] == "ok", lines[name]
    assert not (t.folder / "new").exists()
    text = t.works("doctor", t.model, "-o", t.out, env={"COLUMNS": "80"})
    assert text.out.splitlines()[-1].startswith("fit"), text
    for line in text.out.splitlines():
        assert len(line) <= 80 or any(len(word) > 60 for word in line.split()), line
    assert sorted(p.name for p in t.folder.iterdir()) == ["in.csv", "model.json"]


def test_the_processor(t):
    line = examined(t, env={"ATEN_CPU_CAPABILITY": "default"})["processor"]
    assert line["health"] == "warning" and "ATEN_CPU_CAPABILITY=default" in line["said"]
    assert "unset ATEN_CPU_CAPABILITY" in line["remedy"]


def test_threads(t, needs_strace):
    if os.cpu_count() > 1:
        line = examined(t, env={"SLURM_CPUS_PER_TASK": "1"})["threads"]
        assert line["health"] == "warning" and "SLURM_CPUS_PER_TASK" in line["said"]
    log = t.folder / "strace.log"
    line = examined(t, code=69, prefix=strace(log, "clone3,clone", "error=EAGAIN"))["threads"]
    assert "INJECTED" in log.read_text()
    assert line["health"] == "failed" and "thread" in line["said"], line


def test_memory_and_limits(t):
    lines = examined(t, code=69, before=limit(resource.RLIMIT_AS, 500 << 20))
    assert lines["memory"]["health"] == "failed" and "ulimit -v" in lines["memory"]["said"]
    assert lines["limits"]["health"] == "warning"
    assert "ulimit -v unlimited" in lines["limits"]["remedy"]
    line = examined(t, code=69, before=limit(resource.RLIMIT_NOFILE, 40))["limits"]
    assert line["health"] == "failed" and line["remedy"] == "ulimit -n 1024"
    line = examined(t, before=limit(resource.RLIMIT_NOFILE, 200))["limits"]
    assert line["health"] == "warning"
    line = examined(t, before=limit(resource.RLIMIT_FSIZE, 1 << 20))["limits"]
    assert line["health"] == "warning" and line["remedy"] == "ulimit -f unlimited"


def test_streams(t):
    command = [t.program.path, "doctor"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True,
                          preexec_fn=lambda: os.close(1))
    assert done.returncode == 69 and "standard output is closed" in done.stderr, done
    read, write = os.pipe()
    done = subprocess.run([*command, "--json"], stdout=write, preexec_fn=lambda: os.close(2))
    os.close(write)
    with os.fdopen(read) as file:
        told = {line["name"]: line for line in json.load(file)["lines"]}
    assert done.returncode == 0 and told["streams"]["health"] == "ok", told  # on /dev/null
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 74 and "standard output could not be written" in done.stderr


def test_a_device_that_is_not_there(t):
    line = examined(t, "--device", "cuda:7", code=69)["devices"]
    assert line["health"] == "failed" and "cuda:7 is not there" in line["said"]
    lines = examined(t, t.model, "--device", "cpu")
    assert lines["devices"]["health"] == lines["load"]["health"] == "ok"


def commit_of(program):
    """The line of `version` that names it."""
    return subprocess.run([program, "version"], capture_output=True, text=True).stdout.splitlines()[0]


def test_a_build_without_an_encoder(t, longhaul_fake):
    plain = longhaul_fake.path.parent.parent / "build-core" / "longhaul"
    if not plain.exists() or commit_of(plain) != commit_of(longhaul_fake.path):
        pytest.skip("no build of this commit without LibTorch is there: scripts/build core")
    t.program.path, before = plain, t.program.path
    try:
        line = examined(t, code=69)["program"]
    finally:
        t.program.path = before
    assert line["health"] == "failed" and "cannot embed" in line["said"]


@follows("apps/longhaul/doctor.cpp", "not fit: ")
@follows("lib/doctor/output_check.cpp", "is a file, not a directory", "is in use by")
def test_a_place_for_an_output(t):
    other = t.write("photos/a.jpg", "x").parent
    t.fails(69, "name a new or empty directory", "doctor", "-o", other)
    t.fails(69, "name another directory", "doctor", "-o", t.input)
    t.fails(69, "", "doctor", "-o", "/proc/nowhere/out")
    assert [p.name for p in other.iterdir()] == ["a.jpg"]
    t.works(*t.embed())
    assert "a complete output" in examined(t, "-o", t.out)["output"]["said"]
    before = sorted(p.name for p in t.out.iterdir())
    with open(t.out / "longhaul.lock", "w") as lock:
        lock.write("process 1 on host x")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        line = t.fails(69, "wait for it to end, or name another directory", "doctor", "-o", t.out)
        assert "process 1 on host x" in line
    (t.out / "longhaul.lock").unlink()
    t.works("doctor", "-o", t.out)
    assert sorted(p.name for p in t.out.iterdir()) == before


@pytest.mark.parametrize("call, error", [("mkdir", "EROFS"), ("pwrite64", "ENOSPC"),
                                         ("fdatasync", "EIO"), ("fsync", "EIO"),
                                         ("rename", "EIO"), ("link", "EIO"), ("flock", "ENOLCK")])
def test_a_file_system_that_fails(t, needs_strace, call, error):
    log = t.folder / "strace.log"
    (t.folder / "disk").mkdir()
    calls = {"mkdir": "mkdir,mkdirat", "rename": "rename,renameat,renameat2",
             "link": "link,linkat"}.get(call, call)
    line = examined(t, "-o", "disk/out", code=69, prefix=strace(log, calls, f"error={error}"))[
        "output"]
    assert "INJECTED" in log.read_text()
    assert line["health"] == "failed", line
    assert list((t.folder / "disk").iterdir()) == []


def test_a_model(t):
    line = examined(t, t.folder / "none.ts", code=69)["model"]
    assert line["health"] == "failed" and "none.ts" in line["said"]
    t.model.write_text('{"fake": true, "random": true}')
    lines = examined(t, t.model, code=69)
    assert lines["model"]["health"] == "ok" and lines["contract"]["health"] == "failed"
    t.model.write_text('{"fake": true, "neighbours_matter": true, "part_tokens": 512}')
    assert examined(t, t.model, code=69)["contract"]["health"] == "failed"


@pytest.mark.parametrize("flag, value", [("--dtype", "fp8"), ("--device", "gpu"),
                                         ("--device", "cuda:0,0"), ("--device", "cuda:0,1")])
def test_a_wrong_word_is_no_finding(t, flag, value):
    for arguments in ([], [t.model]):
        done = t.program("doctor", *arguments, flag, value, cwd=t.folder)
        assert done.code == 2 and value in done.err and not done.out, done


def test_a_model_that_does_not_load(longhaul, tiny_model, tmp_path):
    lines = examined(Trial(longhaul, tmp_path), tiny_model, "--device", "cuda:77", code=69)
    assert lines["model"]["health"] == "ok" and lines["load"]["health"] == "failed"
    assert "contract" not in lines


def test_a_real_model(longhaul, tiny_model, tmp_path):
    lines = examined(Trial(longhaul, tmp_path), tiny_model, "--dtype", "bf16")
    assert "LibTorch 2." in lines["program"]["said"]
    assert lines["contract"]["health"] == "ok" and "exact" in lines["contract"]["said"]
    damaged = tmp_path / "damaged.ts"
    damaged.write_bytes(tiny_model.read_bytes()[:-1000])
    assert examined(Trial(longhaul, tmp_path), damaged, code=69)["model"]["health"] == "failed"
