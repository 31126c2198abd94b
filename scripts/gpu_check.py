"""What scripts/gpu-check does once the program is built: gpu_check.py LONGHAUL OUT

gpu_check.py --models OUT only exports the models, which needs no program.

Runs the main job on CUDA and on the CPU and compares; measures ESM-2 650M (random weights) at
bfloat16; forces real out-of-memory with a ballast; runs thousands of batches and looks at reserved
memory. Prints one line a check and writes OUT/gpu-check.json. Exit 1 when a check fails.
"""

import json
import pathlib
import subprocess
import sys
import time

import own_python

if __name__ == "__main__":
    own_python.need("numpy", "torch")

import numpy
import torch

ROOT = pathlib.Path(__file__).resolve().parents[1]
GIB = 1 << 30


class Check:
    def __init__(self, program, out):
        self.program, self.out = pathlib.Path(program).resolve(), pathlib.Path(out).resolve()
        self.results = {}

    def report(self, name, passed, **figures):
        self.results[name] = {"passed": bool(passed), **figures}
        text = ", ".join(f"{k} {v:.6g}" if isinstance(v, float) else f"{k} {v}"
                         for k, v in figures.items())
        print(f"{'ok  ' if passed else 'FAIL'} {name}: {text}", flush=True)

    def python(self, script, *arguments):
        subprocess.run([sys.executable, ROOT / "scripts" / script, *map(str, arguments)],
                       check=True)

    def embed(self, model, source, name, *flags, codes=(0,)):
        """Embeds into OUT/name; vectors and the report."""
        out = self.out / name
        done = subprocess.run([self.program, "embed", model, source, "-o", out, "--overwrite",
                               "--progress", "none", *map(str, flags)],
                              capture_output=True, text=True)
        if done.returncode not in codes:
            raise RuntimeError(f"{name}: exit {done.returncode}\n{done.stderr}")
        if done.returncode != 0:
            return None, done.stderr.strip().splitlines()[-1]
        return numpy.load(out / "embeddings.npy"), json.loads((out / "run.json").read_text())

    def bench(self, model, *flags):
        done = subprocess.run([self.program, "bench", model, "--json", *map(str, flags)],
                              capture_output=True, text=True, check=True)
        return json.loads(done.stdout)


def cosine(left, right):
    left, right = left.astype(numpy.float64), right.astype(numpy.float64)
    return ((left * right).sum(1) /
            (numpy.linalg.norm(left, axis=1) * numpy.linalg.norm(right, axis=1))).min()


def compare_devices(check, model, source):
    """The main job on CUDA, against the CPU, and against itself."""
    cpu, _ = check.embed(model, source, "cpu", "--device", "cpu")
    cuda, run = check.embed(model, source, "cuda", "--device", "cuda")
    check.report("cuda equals cpu at fp32",
                 numpy.abs(cuda - cpu).max() < 1e-4 and cosine(cuda, cpu) > 0.999999,
                 greatest_difference=float(numpy.abs(cuda - cpu).max()),
                 least_cosine=float(cosine(cuda, cpu)),
                 device=run["machine"]["device"])
    again, _ = check.embed(model, source, "cuda_again", "--device", "cuda")
    check.report("cuda twice gives the same bits", (again == cuda).all(), rows=len(cuda))
    auto, run = check.embed(model, source, "auto")
    check.report("auto takes the GPU", "cuda" in run["machine"]["device"],
                 device=run["machine"]["device"])
    for dtype in ("bf16", "fp16"):
        half, run = check.embed(model, source, dtype, "--device", "cuda", "--dtype", dtype)
        drift = run["sessions"][-1]["encoder"]["drift"]["least_cosine"]
        check.report(f"{dtype} drift", cosine(half, cuda) > 0.999,
                     least_cosine=float(cosine(half, cuda)),
                     reported=float(drift))


def same_bits(check, model, source):
    """The contract, and one record's bits however many parts are in hand."""
    for dtype in ("fp32", "bf16"):
        first, run = check.embed(model, source, f"bits_{dtype}", "--device", "cuda", "--dtype", dtype)
        contract = run["contract"]
        check.report(f"{dtype} contract", run["bits"] == "exact" and contract["verdict"] == "exact",
                     verdict=contract["verdict"], bits=run["bits"], shapes=contract["shapes"])
        for flags in (("-b", 1), ("--batch-tokens", 65536), ("--window", 64)):
            other, _ = check.embed(model, source, f"bits_{dtype}_other", "--device", "cuda",
                                   "--dtype", dtype, *flags)
            name = " ".join(map(str, flags))
            check.report(f"{dtype} {name}: the same bits", (other == first).all(),
                         rows_that_differ=int((other != first).any(axis=1).sum()))
        verified = subprocess.run([check.program, "verify", check.out / f"bits_{dtype}",
                                   "--recompute", "50"], capture_output=True, text=True)
        check.report(f"{dtype} verify --recompute", verified.returncode == 0,
                     said=(verified.stdout + verified.stderr).strip().splitlines()[-1])


def speed(check, model):
    for tokens in (16384, 65536):
        figures = check.bench(model, "--device", "cuda", "--dtype", "bf16", "--batch-tokens", tokens,
                              "--records", 8192)
        check.report(f"650M bf16, {tokens} tokens in hand",
                     figures["pipeline_over_bare"] >= 0.95 and figures["idle_share"] <= 0.03,
                     useful_over_peak=figures["useful_over_peak"],
                     peak_tflops=figures["peak_gflops"] / 1e3,
                     records_per_second=figures["pipeline_records_per_second"],
                     pipeline_over_bare=figures["pipeline_over_bare"],
                     padding_efficiency=figures["padding_efficiency"],
                     idle_share=figures["idle_share"])


def out_of_memory(check, model, source):
    """A ballast leaves the program less and less, until its parts do not fit, or not the model."""
    calm, _ = check.embed(model, source, "calm", "--device", "cuda")
    hit = 0
    for left_gib in (4.5, 4.0, 3.75, 3.5, 3.25):
        torch.cuda.empty_cache()
        free, _ = torch.cuda.mem_get_info()
        ballast = torch.empty(int(free - left_gib * GIB), dtype=torch.uint8, device="cuda")
        vectors, run = check.embed(model, source, f"ballast_{left_gib}", "--device", "cuda",
                                   "--device-memory-limit", "1000G", codes=(0, 71))
        del ballast
        if vectors is None:
            check.report(f"{left_gib} GiB left: 71, and says why", True, said=run)
            break
        times = run["sessions"][-1]["timings"]["out_of_memory"]
        hit += times
        claimed = run["bits"] == "exact"
        check.report(f"{left_gib} GiB left: recovers",
                     cosine(vectors, calm) > 0.99999 and (not claimed or (vectors == calm).all()),
                     out_of_memory=times, bits=run["bits"], reshaped=run["counts"]["reshaped"],
                     contract=run["contract"]["verdict"],
                     greatest_difference=float(numpy.abs(vectors - calm).max()))
        if times > 0:
            break
    check.report("out of memory was really met", hit > 0, times=hit)


def constant_memory(check, model, source):
    """Thousands of batches: reserved memory stands still after the warm-up."""
    _, run = check.embed(model, source, "steady", "--device", "cuda", "-b", 1)
    log = (check.out / "steady/memory.jsonl").read_text()
    samples = [json.loads(line) for line in log.splitlines()]
    values = [s["device_reserved"] for s in samples if s.get("device_reserved") is not None]
    later = values[len(values) // 5:]
    batches = run["sessions"][-1]["timings"]["batches"]
    check.report("reserved memory is constant", batches >= 2000 and later and
                 max(later) - min(later) <= 2 << 20,
                 batches=batches, lowest=min(later), highest=max(later),
                 verdict=run["sessions"][-1]["memory"]["verdict"])


def sequences(check, name, number):
    path = check.out / name
    if not path.exists():
        check.python("make_sequences.py", path, "-n", number)
    return path


def models(check):
    """ESM-2 with random weights at three sizes."""
    paths = [check.out / f"{name}.ts" for name in ("esm2_8m", "esm2_650m", "tiny")]
    for path in paths:
        if not path.exists():
            check.python("export_esm.py", path.stem, path, "--random")
    return paths


def main():
    check = Check(sys.argv[1], sys.argv[2])
    if sys.argv[1] == "--models":
        models(check)
        return 0
    print(f"{torch.cuda.get_device_name(0)}, torch {torch.__version__}", flush=True)
    small, large, tiny = models(check)
    start = time.monotonic()
    source = sequences(check, "sequences.csv", 2000)
    for part, *arguments in ((compare_devices, small, source), (same_bits, small, source),
                             (speed, large), (out_of_memory, large, source),
                             (constant_memory, tiny, sequences(check, "steady.csv", 140000))):
        try:
            part(check, *arguments)
        except (RuntimeError, subprocess.CalledProcessError) as error:  # the others go on
            check.report(part.__name__, False, error=error)
    print("skipped: images (this build has no OpenCV)")
    check.results["seconds"] = time.monotonic() - start
    (check.out / "gpu-check.json").write_text(json.dumps(check.results, indent=1, default=str))
    failed = [name for name, r in check.results.items() if isinstance(r, dict) and not r["passed"]]
    print(f"{len(check.results) - 1 - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
