"""Running the program with its memory watched or limited, and small inputs made on the spot."""

import json
import os
import pathlib
import random
import resource
import subprocess
import threading
import time

import numpy

from conftest import clean_environment

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
MIB = 1 << 20


class Measured:
    """What a run did and took. Peaks in bytes."""

    def __init__(self, code, out, err, peak_rss, peak_address_space, seconds):
        self.code, self.out, self.err = code, out, err
        self.peak_rss, self.peak_address_space = peak_rss, peak_address_space
        self.seconds = seconds

    def __repr__(self):
        return (f"exit {self.code}, {self.seconds:.1f} s, peak {self.peak_rss / MIB:.0f} MiB, "
                f"address space {self.peak_address_space / MIB:.0f} MiB\n{self.err}")


def peaks_of(pid, binary):
    """Resident memory and address space, at most so far. Before its exec a child is a copy of this
    process, whose size is not the program's; wait4's figure has the same fault."""
    try:
        if not os.path.samefile(f"/proc/{pid}/exe", binary):
            return 0, 0
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0, 0
    values = dict(line.split(":", 1) for line in status.splitlines())
    return tuple(int(values.get(name, "0 kB").split()[0]) * 1024 for name in ("VmHWM", "VmPeak"))


def run_measured(binary, *arguments, address_space=None, timeout=600, before=None):
    """Runs the program; `address_space` is its limit in bytes."""
    def prepare():
        if address_space:
            resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
        if before:
            before()

    start = time.monotonic()
    process = subprocess.Popen([str(binary), *map(str, arguments)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, env=clean_environment(),
                               preexec_fn=prepare)
    peaks = [(0, 0)]

    def watch():
        while process.returncode is None:
            peaks.append(peaks_of(process.pid, binary))
            time.sleep(0.002)

    out, err = [], []
    readers = [threading.Thread(target=lambda: out.append(process.stdout.read())),
               threading.Thread(target=lambda: err.append(process.stderr.read()))]
    watcher = threading.Thread(target=watch, daemon=True)
    killer = threading.Timer(timeout, process.kill)
    for thread in (*readers, watcher, killer):
        thread.start()
    process.wait()
    killer.cancel()
    for thread in (*readers, watcher):
        thread.join()
    process.stdout.close()
    process.stderr.close()
    return Measured(process.returncode, out[0], err[0], *(max(values) for values in zip(*peaks)),
                    time.monotonic() - start)


def write_sequences(path, lengths, seed=1):
    """A CSV of random sequences of the given lengths."""
    source = random.Random(seed)
    letters = "".join(source.choices(RESIDUES, k=1 << 16))
    with open(path, "w") as file:
        file.write("id,sequence\n")
        for number, length in enumerate(lengths):
            start = source.randrange(len(letters) - length)
            file.write(f"r{number},{letters[start:start + length]}\n")
    return path


def report_of(out):
    return json.loads((pathlib.Path(out) / "run.json").read_text())


def last_session(out):
    return report_of(out)["sessions"][-1]


def memory_lines(out):
    text = (pathlib.Path(out) / "memory.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def vectors_of(out):
    return numpy.load(pathlib.Path(out) / "embeddings.npy")


def same_bits(a, b):
    return numpy.array_equal(vectors_of(a).view("uint32"), vectors_of(b).view("uint32"))
