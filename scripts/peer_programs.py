"""The programs that compare_peers.py measures, each with its times, its peak of memory and its vectors,
and how they take turns."""

import json
import os
import pathlib
import re
import subprocess
import sys
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "scripts"
PEERS = ROOT / ".venv-peers"


def run(command, **options):
    done = subprocess.run([str(c) for c in command], **options)
    if done.returncode != 0:
        sys.exit(f"failed ({done.returncode}): {' '.join(map(str, command))}")
    return done


def peers_python():
    """The python of .venv-peers, installed when the requirements are new."""
    wanted = SCRIPTS / "peers_requirements.txt"
    stamp = PEERS / "installed.txt"
    if not stamp.exists() or stamp.read_text() != wanted.read_text():
        run([sys.executable, "-m", "venv", PEERS])
        run([PEERS / "bin/python", "-m", "pip", "install", "--quiet", "-r", wanted])
        stamp.write_text(wanted.read_text())
    return PEERS / "bin/python"


def timings_of(out):
    return json.loads((out / "run.json").read_text())["sessions"][-1]["timings"]


def peak_of(pid, command):
    """Peak resident bytes so far of a process that has become `command`; 0 before its exec, when
    it still is a copy of this script."""
    process = pathlib.Path("/proc") / str(pid)
    try:
        if process.joinpath("cmdline").read_bytes().split(b"\0")[:-1] != [os.fsencode(c)
                                                                          for c in command]:
            return 0
        status = process.joinpath("status").read_text()
    except OSError:
        return 0
    peak = re.search(r"^VmHWM:\s+(\d+) kB", status, re.M)
    return int(peak[1]) * 1024 if peak else 0


def timed_process(command, log):
    """Wall-clock seconds and peak resident bytes of a command."""
    command = [str(c) for c in command]
    peak = 0
    start = time.perf_counter()
    with open(log, "w") as out:
        child = subprocess.Popen(command, stdout=out, stderr=out)
        while child.poll() is None:
            peak = max(peak, peak_of(child.pid, command))
            time.sleep(0.005)
    seconds = time.perf_counter() - start
    if child.returncode != 0:
        sys.exit(f"failed: {' '.join(map(str, command))}\n{pathlib.Path(log).read_text()[-2000:]}")
    return seconds, peak


class Peer:
    """An engine of peer_engines.py that keeps its model between passes. `orientation`: its vectors
    need not agree with the others', and its loss is printed."""

    limits = None  # of agreement, where they are not the table's

    def __init__(self, label, engine, spec, folder, orientation=False):
        self.orientation = orientation
        self.label, self.dtype, self.times, self.whole = label, spec.get("dtype", "fp32"), [], []
        self.engine, self.folder = engine, folder
        self.spec = folder / f"{engine}-{self.dtype}.json"
        self.spec.write_text(json.dumps(spec))

    def start(self):
        self.log = open(self.spec.with_suffix(".log"), "w")
        self.process = subprocess.Popen(
            [str(peers_python()), str(SCRIPTS / "peer_engines.py"), self.engine, str(self.spec)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.batch = self.answer()["width"]

    def answer(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        tail = pathlib.Path(self.log.name).read_text()[-2000:]
        sys.exit(f"{self.label} ended by itself:\n{tail}")

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.answer()

    def turn(self):
        self.times.append(self.ask("run")["seconds"])

    def finish(self):
        path = self.spec.with_suffix(".npy")
        self.ask(f"save {path}")
        self.vectors = np.load(path)
        status = pathlib.Path(f"/proc/{self.process.pid}/status")
        peak = re.search(r"VmHWM:\s+(\d+)", status.read_text()) if status.exists() else None
        self.rss = int(peak[1]) * 1024 if peak else 0
        self.process.stdin.close()
        self.process.wait()


class Whole:
    """A program that is started for the job and ends with it; its time is the process's."""

    orientation = False
    limits = None

    def __init__(self, label, command, folder, read, dtype="fp32"):
        self.label, self.command, self.read, self.dtype = label, command, read, dtype
        self.times, self.whole, self.batch, self.rss = [], [], "", 0
        self.log = folder / f"{re.sub('[^a-z0-9]+', '-', label.lower())}.log"

    def start(self):
        pass

    def turn(self):
        seconds, rss = timed_process(self.command, self.log)
        self.times.append(seconds)
        self.rss = max(self.rss, rss)

    def finish(self):
        self.vectors = self.read()


class Longhaul(Whole):
    """`longhaul embed`. `inside` counts from the loaded model to the last commit, as peers' passes
    do, which read nothing and write nothing; else it is the whole process."""

    def __init__(self, label, model, source, options, folder, flags=(), inside=True,
                 dtype="fp32"):
        self.out = folder / f"out-{dtype}"
        command = [options.longhaul, "embed", model, source, "-o", self.out, "--overwrite",
                   "--threads", options.threads, "--progress", "none", "--dtype", dtype, *flags]
        super().__init__(label, command, folder, self.read_vectors, dtype)
        self.inside, self.batch = inside, "auto"

    def turn(self):
        super().turn()
        if self.inside:
            self.whole.append(self.times[-1])
            self.times[-1] = timings_of(self.out)["seconds"]

    def read_vectors(self):
        return np.load(self.out / "embeddings.npy")


def take_turns(programs, rounds):
    for program in programs:
        print(f"  starting {program.label}", file=sys.stderr)
        program.start()
    for number in range(rounds):
        for program in programs:
            program.turn()
            print(f"  round {number + 1}: {program.label} {program.times[-1]:.2f} s",
                  file=sys.stderr)
    for program in programs:
        program.finish()
