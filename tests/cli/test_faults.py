"""Kills, signals, full disks and failing disks, against the real program with the fake encoder.

Every test proves that its fault fired, and ends with the same bytes as an uninterrupted run.
LONGHAUL_LONG=1 tries each kind far more often.
"""

import collections
import json
import random
import shutil
import signal
import subprocess
import time

import pytest

from fake_run import LONG, Job, committed, journal, quick_folder, strace

FIGURES = collections.Counter()


@pytest.fixture(scope="module", autouse=True)
def figures(pytestconfig):
    yield
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\nfaults fired:", json.dumps(dict(FIGURES)))


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory):
    yield from quick_folder(tmp_path_factory.mktemp("jobs"))


def made_in(folder):
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def slow(longhaul_fake, shared_folder):
    """About a second of work, committed every 20 ms."""
    job = Job(longhaul_fake, made_in(shared_folder / "slow"), 2000, commit_every="20ms", rate=2000,
              nan_every=500)
    job.reference()
    return job


@pytest.fixture(scope="module")
def short(longhaul_fake, shared_folder):
    """Few system calls: each of them is a place to fail."""
    job = Job(longhaul_fake, made_in(shared_folder / "short"), 150, window=50, nan_every=70)
    job.reference()
    return job


def stderr_of(process):
    return process.communicate(timeout=60)[1]


def test_killed_at_random_times_again_and_again(slow, folder):
    wanted, kills, round_ = (1000 if LONG else 100), 0, 0
    chance = random.Random(7)
    while kills < wanted:
        round_ += 1
        out = folder / f"out{round_}"
        acknowledged = (0, 0)
        while True:
            process = slow.start(out)
            try:
                process.wait(timeout=chance.uniform(0.02, 0.35))
            except subprocess.TimeoutExpired:
                process.kill()
            text = stderr_of(process)
            if process.returncode != -signal.SIGKILL:
                assert process.returncode == 3, text
                break
            kills += 1
            assert committed(out) >= acknowledged
            acknowledged = committed(out)
        slow.check_complete(out)
        shutil.rmtree(out)
    FIGURES["SIGKILL at a random time"] += kills


# The calls that change the disk, and on how many of them to try in a quick run.
CALLS = ["openat", "pwrite64", "fdatasync", "fsync", "rename", "ftruncate", "unlink", "mkdir"]


def indices(limit):
    """All of them, or the first ones and then ever rarer ones."""
    n = 1
    while n <= limit:
        yield n
        n += 1 if LONG or n < 8 else n // 4


@pytest.mark.parametrize("call", CALLS)
def test_killed_at_each_system_call(short, folder, needs_strace, call):
    fired = 0
    for n in indices(2000):
        out = folder / f"out{n}"
        process = short.start(out, strace(folder / "log", call, f"signal=SIGKILL:when={n}"))
        text = stderr_of(process)
        if process.returncode != -signal.SIGKILL:
            assert process.returncode == 3, text
            assert "INJECTED" not in (folder / "log").read_text()
            break
        fired += 1
        short.finish(out)
        short.check_complete(out)
    assert fired > 0
    FIGURES[f"SIGKILL at {call}"] += fired


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
@pytest.mark.parametrize("call", ["pwrite64", "fdatasync", "fsync", "rename", "ftruncate"])
def test_a_failing_call_ends_the_run_with_74_and_the_next_completes_it(short, folder,
                                                                       needs_strace, call, error):
    fired = 0
    for n in indices(2000):
        out = folder / f"out{n}"
        process = short.start(out, strace(folder / "log", call, f"error={error}:when={n}"))
        text = stderr_of(process)
        if "INJECTED" not in (folder / "log").read_text():
            assert process.returncode == 3, text
            break
        fired += 1
        assert process.returncode == 74, text
        assert {"EIO": "Input/output error", "ENOSPC": "No space left on device"}[error] in text
        if call == "pwrite64" and error == "ENOSPC":
            assert "bytes needed" in text and "bytes free" in text
        short.finish(out)
        short.check_complete(out)
    assert fired > 0
    FIGURES[f"{error} at {call}"] += fired


def test_a_thread_that_the_system_refuses_ends_the_run_with_71(short, folder, needs_strace):
    fired = 0
    for n in range(1, 20):
        out = folder / f"out{n}"
        process = short.start(out, strace(folder / "log", "clone,clone3", f"error=EAGAIN:when={n}"))
        text = stderr_of(process)
        if "INJECTED" not in (folder / "log").read_text():
            assert process.returncode == 3, text
            break
        if process.returncode == 3:  # a library's thread, without which it goes on
            short.check_complete(out)
            continue
        fired += 1
        assert process.returncode == 71, text
        assert "another thread" in text and "ulimit -v" in text
        short.finish(out)
        short.check_complete(out)
    assert fired == 2  # prepare and write; without the one that hashes inputs a run goes on
    FIGURES["EAGAIN at clone"] += fired


@pytest.mark.parametrize("share", [0.02, 0.25, 0.5, 0.75, 0.99])
def test_a_full_disk_is_74_and_the_run_goes_on_once_there_is_room(short, folder, share):
    disk = folder / "disk"
    disk.mkdir()
    total = sum(p.stat().st_size for p in (short.folder / "reference").iterdir())
    mount = f"mount -t tmpfs -o size={int(total * share)} none '{disk}'"
    if subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True).returncode != 0:
        pytest.skip("no tmpfs can be mounted here")
    command = " ".join(f"'{word}'" for word in short.command(disk / "out"))
    script = f"""{mount} || exit 99
        {command}; echo "full: $?"
        mount -o remount,size=64m '{disk}' || exit 99
        {command}; echo "room: $?"
        cp -r '{disk}/out' '{folder}/out'"""
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True)
    assert "full: 74\nroom: 3\n" in done.stdout, done
    assert "No space left on device" in done.stderr or "not enough disk" in done.stderr
    short.check_complete(folder / "out")
    FIGURES["full disk"] += 1


def test_signals_at_random_times_end_with_75_and_lose_nothing(slow, folder):
    chance = random.Random(11)
    fired = rounds = 0
    wanted = 200 if LONG else 30
    while fired < wanted:
        rounds += 1
        assert rounds < 10 * wanted
        out = folder / f"out{rounds % 5}"
        which = chance.choice([signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
        process = slow.start(out)
        time.sleep(chance.uniform(0.1, 0.6))
        process.send_signal(which)
        began = time.monotonic()
        text = stderr_of(process)
        assert time.monotonic() - began < 10
        if process.returncode == 75:
            fired += 1
            assert "embed" in text and str(out) in text  # the command that continues
        else:
            # Before the program listens a signal ends it as any; after the end nothing does.
            assert process.returncode in (3, -which), text
            if process.returncode == 3:
                slow.check_complete(out)
                shutil.rmtree(out)
    FIGURES["signal at a random time"] += fired
    for n in range(5):
        slow.finish(folder / f"out{n}")
        slow.check_complete(folder / f"out{n}")


def test_of_fifty_simultaneous_starts_one_runs(longhaul_fake, folder):
    job = Job(longhaul_fake, folder, 2000, rate=40)
    starts = [job.start(folder / "out") for _ in range(50)]
    running = list(starts)
    deadline = time.monotonic() + 60
    while len(running) > 1 and time.monotonic() < deadline:
        time.sleep(0.02)
        running = [p for p in running if p.poll() is None]
    assert len(running) == 1
    winner = running[0]
    for start in starts:
        if start is not winner:
            assert start.returncode == 69
            assert f"in use by process {winner.pid} on " in stderr_of(start)
    began = time.monotonic()
    assert job.run_fake(*job.arguments(folder / "out")).code == 69
    assert time.monotonic() - began < 1
    winner.terminate()
    stderr_of(winner)
    assert winner.returncode == 75
    FIGURES["refused simultaneous start"] += 49


def test_a_lock_dies_with_its_holder(slow, folder):
    process = slow.start(folder / "out")
    while not (folder / "out" / "longhaul.lock").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    slow.finish(folder / "out")
    slow.check_complete(folder / "out")


def test_a_finished_run_does_no_work_and_returns_its_code(short, folder):
    out = folder / "out"
    short.finish(out)
    before = {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in out.iterdir()}
    short.finish(out)
    assert {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in out.iterdir()} == before


def test_damage_is_refused_or_repaired_never_a_wrong_row(short, folder):
    """The unit tests damage every byte; this shows that the program says so."""
    chance = random.Random(3)
    stopped = folder / "stopped"
    process = short.start(stopped, ["strace", "-f", "-qq", "-o", "/dev/null",
                                    "-e", "trace=fdatasync",
                                    "-e", "inject=fdatasync:error=EIO:when=30"])
    stderr_of(process)
    assert process.returncode == 74 and len(journal(stopped)) > 4
    outcomes = collections.Counter()
    for source, names in [(stopped, ["journal.jsonl", "run.json"]),
                          (short.folder / "reference", ["journal.jsonl", "run.json",
                                                        "embeddings.npy"])]:
        for name in names:
            for _ in range(100 if LONG else 12):
                out = folder / "out"
                shutil.rmtree(out, ignore_errors=True)
                shutil.copytree(source, out)
                content = bytearray((out / name).read_bytes())
                at = chance.randrange(min(len(content), 128 if name.endswith("npy") else 10**9))
                content[at] ^= 1 << chance.randrange(8)
                (out / name).write_bytes(content)
                result = short.run_fake(*short.arguments(out))
                outcomes[result.code] += 1
                if result.code == 3:
                    verified = short.run_fake("verify", out)
                    if name == "run.json" and source is not stopped:
                        assert verified.code == 65 and "run.json" in verified.out + verified.err, verified
                    else:
                        short.check_complete(out)
                else:
                    assert result.code in (65, 73) and str(out) in result.err, (name, at, result)
    assert outcomes[3] > 0 and outcomes[65] > 0
    FIGURES["damaged byte"] += sum(outcomes.values())
