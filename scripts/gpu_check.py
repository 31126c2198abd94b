"""What scripts/gpu-check does once the program is built: gpu_check.py LONGHAUL OUT

gpu_check.py --models OUT only exports the models, which needs no program.

Runs the main job on CUDA and on the CPU and compares; measures ESM-2 650M, ViT-B/32 and ViT-L/14
(random weights) at bfloat16, images as pixels, without decoding; forces real out-of-memory with a
ballast; runs thousands of batches and looks at reserved memory. Prints one line a check and, at the
end, one table; writes OUT/gpu-check.json. Exit 1 when a check fails.
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

# CLIP's image towers, as transformers calls their sizes.
VIT_B32 = {"image_size": 224, "patch_size": 32, "hidden_size": 768, "intermediate_size": 3072,
           "num_hidden_layers": 12, "num_attention_heads": 12, "projection_dim": 512}
VIT_L14 = {"image_size": 224, "patch_size": 14, "hidden_size": 1024, "intermediate_size": 4096,
           "num_hidden_layers": 24, "num_attention_heads": 16, "projection_dim": 768}


class Check:
    def __init__(self, program, out, device="cuda"):
        self.program, self.out = pathlib.Path(program).resolve(), pathlib.Path(out).resolve()
        self.device = device
        self.part = None  # what the next checks belong to
        self.results = {}

    def report(self, name, passed, **figures):
        self.results[name] = {"part": self.part, "passed": bool(passed), **figures}
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
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"bench: exit {done.returncode}\n{done.stderr}")
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
        first, run = check.embed(model, source, f"bits_{dtype}", "--device", check.device,
                                 "--dtype", dtype)
        contract = run["contract"]
        check.report(f"{dtype} contract", run["bits"] == "exact" and contract["verdict"] == "exact",
                     verdict=contract["verdict"], bits=run["bits"], shapes=contract["shapes"])
        for flags in (("-b", 1), ("--batch-tokens", 65536), ("--window", 64)):
            other, _ = check.embed(model, source, f"bits_{dtype}_other", "--device", check.device,
                                   "--dtype", dtype, *flags)
            name = " ".join(map(str, flags))
            check.report(f"{dtype} {name}: the same bits", (other == first).all(),
                         rows_that_differ=int((other != first).any(axis=1).sum()))
        verified = subprocess.run([check.program, "verify", check.out / f"bits_{dtype}",
                                   "--recompute", "50"], capture_output=True, text=True)
        check.report(f"{dtype} verify --recompute", verified.returncode == 0,
                     said=(verified.stdout + verified.stderr).strip().splitlines()[-1])


def busy(figures):
    """Whether the device waits for nothing of the host's."""
    return figures["pipeline_over_bare"] >= 0.95 and figures["idle_share"] <= 0.03


def speed(check, model, records=8192):
    for tokens in (16384, 65536):
        figures = check.bench(model, "--device", check.device, "--dtype", "bf16",
                              "--batch-tokens", tokens, "--records", records)
        check.report(f"ESM-2 650M bf16, {tokens} tokens in hand", busy(figures),
                     useful_over_peak=figures["useful_over_peak"],
                     peak_tflops=figures["peak_gflops"] / 1e3,
                     records_per_second=figures["pipeline_records_per_second"],
                     pipeline_over_bare=figures["pipeline_over_bare"],
                     padding_efficiency=figures["padding_efficiency"],
                     idle_share=figures["idle_share"])


def image_operations(shape):
    """Of the products of one image's forward, attention's own left out, as `bench` counts."""
    patches = (shape["image_size"] // shape["patch_size"]) ** 2
    width = shape["hidden_size"]
    layer = 4 * width * width + 2 * width * shape["intermediate_size"]
    return 2 * ((patches + 1) * layer * shape["num_hidden_layers"] +
                patches * 3 * shape["patch_size"] ** 2 * width + width * shape["projection_dim"])


def image_speed(check, name, model, shape, records):
    figures = check.bench(model, "--device", check.device, "--dtype", "bf16", "--records", records)
    useful = figures["bare_records_per_second"] * image_operations(shape)
    check.report(f"{name} bf16, pixels", busy(figures),
                 useful_over_peak=useful / (figures["peak_gflops"] * 1e9),
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


def export_image_tower(path, shape):
    """A CLIP image tower with random weights."""
    import transformers

    own_python.use_package()
    from longhaul.export import images, towers

    torch.manual_seed(0)
    config = transformers.CLIPVisionConfig(**shape, hidden_act="gelu")
    model = transformers.CLIPVisionModelWithProjection(config).eval()
    spec = {"size": shape["image_size"], "resize": shape["image_size"], "scale": 1 / 255,
            "interpolation": "bicubic", "antialias": True, "crop": True, "colour": "RGB",
            "layout": "NCHW", "exif": "ignore", "mean": [0.5] * 3, "std": [0.25] * 3}
    card = images.image_card(path.stem, spec, "l2", {"weights": "random, seed 0"})
    images.finish(towers.Tower(model, [shape["num_hidden_layers"]], "head", False), card, path)


def models(check):
    """ESM-2 at three sizes and CLIP's towers at two, with random weights; those not there yet."""
    paths = {name: check.out / f"{name}.ts"
             for name in ("esm2_8m", "esm2_650m", "tiny", "vit_b32", "vit_l14")}
    for name, path in paths.items():
        if path.exists():
            continue
        if name.startswith("vit"):
            export_image_tower(path, VIT_B32 if name == "vit_b32" else VIT_L14)
        else:
            check.python("export_esm.py", name, path, "--random")
    return paths


def cells(name, result):
    figures = [f"{result[key]:{form}}" for key, form in (
        ("records_per_second", ",.0f"), ("useful_over_peak", ".3f"), ("pipeline_over_bare", ".3f"),
        ("idle_share", ".3f"))]
    return [name, *figures, "ok" if result["passed"] else "FAIL"]


def table(machine, results):
    """All that was checked as one table in Markdown: a line for each model that was measured, one
    for each other part."""
    lines = [["at bfloat16", "records/s", "useful share of the peak", "pipeline over bare",
              "idle share", "verdict"]]
    parts = {}
    for name, result in results.items():
        if "records_per_second" in result:
            lines.append(cells(name, result))
        else:
            parts.setdefault(result["part"], {})[name] = result
    for part, checks in parts.items():
        passed = sum(result["passed"] for result in checks.values())
        words = [f"{passed} of {len(checks)} ok"]
        met = [result["out_of_memory"] for result in checks.values() if "out_of_memory" in result]
        if met:
            words.append(f"met {sum(met)} times")
        for name, result in checks.items():
            if not result["passed"]:
                said = str(result.get("error", "FAIL")).strip().splitlines()[-1]
                words.append(f"{name}: {said}")
        lines.append([part, "", "", "", "", "; ".join(words)])
    rows = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([machine, "", rows[0], "|---|---:|---:|---:|---:|---|", *rows[1:]])


def main():
    check = Check(sys.argv[1], sys.argv[2])
    if sys.argv[1] == "--models":
        models(check)
        return 0
    machine = f"{torch.cuda.get_device_name(0)}, torch {torch.__version__}"
    print(machine, flush=True)
    paths = models(check)
    start = time.monotonic()
    source = sequences(check, "sequences.csv", 2000)
    steady = sequences(check, "steady.csv", 140000)
    large = paths["esm2_650m"]
    for check.part, make, *arguments in (
            ("CUDA against the CPU", compare_devices, paths["esm2_8m"], source),
            ("bits tests", same_bits, paths["esm2_8m"], source),
            ("ESM-2 650M", speed, large),
            ("ViT-B/32", image_speed, "ViT-B/32", paths["vit_b32"], VIT_B32, 16384),
            ("ViT-L/14", image_speed, "ViT-L/14", paths["vit_l14"], VIT_L14, 4096),
            ("real out-of-memory", out_of_memory, large, source),
            ("constant memory", constant_memory, paths["tiny"], steady)):
        try:
            make(check, *arguments)
        except (RuntimeError, subprocess.CalledProcessError) as error:  # the others go on
            check.report(check.part, False, error=error)
    (check.out / "gpu-check.json").write_text(json.dumps(
        {"machine": machine, "seconds": time.monotonic() - start, "checks": check.results},
        indent=1, default=str))
    print(table(machine, check.results))
    failed = [name for name, result in check.results.items() if not result["passed"]]
    print(f"{len(check.results) - len(failed)} passed, {len(failed)} failed; decoding of images is "
          "not measured: this build has no OpenCV")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
