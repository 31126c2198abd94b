"""A run over inputs that change, for the tests of what goes on and what is refused."""

import json
import random
import signal
import subprocess
import time

from fake_run import Job, committed, contents

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"


def sequences(count, seed=3):
    chance = random.Random(seed)
    return ["".join(chance.choices(RESIDUES, k=chance.randrange(20, 120))) for _ in range(count)]


def text_of(kind, rows, first=0):
    pairs = [(f"r{first + i}", sequence) for i, sequence in enumerate(rows)]
    if kind == "fasta":
        return "".join(f">{name} of a protein\n{sequence}\n" for name, sequence in pairs)
    if kind == "jsonl":
        return "".join(json.dumps({"id": n, "sequence": s}) + "\n" for n, s in pairs)
    comma = "\t" if kind == "tsv" else ","
    head = f"id{comma}sequence\n" if first == 0 else ""
    return head + "".join(f"{name}{comma}{sequence}\n" for name, sequence in pairs)


def left(out):
    """All files of an output but the lock, which a process that was killed leaves behind."""
    return {p.name: p.read_bytes() for p in out.iterdir() if p.name != "longhaul.lock"}


class Run:
    """A run over inputs that change, slow enough to be killed where a test wants it."""

    def __init__(self, longhaul_fake, folder, window=40):
        self.job = Job(longhaul_fake, folder, 1, window=window, rate=250)
        self.folder, self.fake = folder, longhaul_fake

    def command(self, out, inputs, *more):
        return ["embed", self.job.model, *inputs, "-o", out, *self.job.options, *more]

    def stop_after(self, out, inputs, records, stdin=None):
        """Kills a run in the middle of a window, once so many records are committed."""
        command = [str(self.fake.path), *map(str, self.command(out, inputs))]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE)
        if stdin:
            process.stdin.write(stdin)
        process.stdin.close()
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            process.send_signal(signal.SIGSTOP)  # so that what is looked at does not move on
            start, position = committed(out)
            if start + position >= records and position > 0:
                process.kill()
                process.wait()
                start, position = committed(out)
                assert position > 0, "killed between two windows: the test shows nothing"
                return start, position
            process.send_signal(signal.SIGCONT)
            time.sleep(0.01)

    def finish(self, out, inputs, *more, stdin=None):
        return self.fake(*self.command(out, inputs, *more), stdin=stdin)

    def plan(self, out, inputs):
        return self.fake("plan", *self.command(out, inputs)[1:], "-q")

    def plans_the_same(self, out, inputs, result):
        """A plan of the same command is refused with the same words, or not at all."""
        planned = self.plan(out, inputs)
        assert planned.code == result.code, (planned, result)
        if result.code == 73:
            assert result.err.splitlines()[-1].startswith(planned.err.splitlines()[-1]), planned

    def fresh(self, inputs, stdin=None):
        out = self.folder / "fresh"
        result = self.finish(out, inputs, stdin=stdin)
        assert result.code in (0, 3), result
        return contents(out)
