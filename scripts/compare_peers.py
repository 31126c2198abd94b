#!/usr/bin/env python3
"""Measures Longhaul beside the programs people use for the same job, on this machine.

compare_peers.py [antiberty] [esm] [start] [uniref] [images] [--markdown docs/performance.md]

antiberty  AntiBERTy on nanobodies: transformers in file order and sorted, ONNX Runtime, OpenVINO,
           AOTInductor; for orientation OpenVINO at int8
esm        ESM-2 8M as a whole process: fair-esm's extraction
start      from nothing to the first vector of one sequence
uniref     ESM-2 8M on lengths like UniRef's: transformers, biotrainer
images     ViT-B/32 on JPEG files: open_clip with a DataLoader, sentence-transformers

All programs get the same records, weights and threads, and each its own best batch width. They take
turns, so that a disturbance meets all of them; medians are printed. Vectors must agree, or the
comparison fails; a row for orientation says instead what it loses. The others live in .venv-peers,
which this script makes. Nothing else should run.
"""

import argparse
import csv
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile

import own_python

if __name__ == "__main__":
    own_python.need("numpy")

import numpy as np

from peer_programs import (ROOT, SCRIPTS, Longhaul, Peer, Whole, peers_python, run, take_turns,
                           timings_of)

CACHE = ROOT / ".cache" / "peers"
AGREEMENT = {"fp32": 1e-4, "bf16": 0.999}  # greatest difference; lowest cosine
# open_clip with its weights at bf16, layer norms and pixels too, comes to 0.9976.
IMAGE_AGREEMENT = {"fp32": 1e-4, "bf16": 0.99}
# transformers' processor resamples as torchvision does: numbers of photographs differ by up to 5e-3.
RESAMPLED_OTHERWISE = {"fp32": 2e-2, "bf16": 0.99}


def agreement(program, reference, limits):
    """How far the vectors are from the reference's; ends the comparison where they disagree."""
    difference = np.abs(program.vectors - reference.vectors).max()
    a, b = program.vectors.astype(np.float64), reference.vectors.astype(np.float64)
    cosine = ((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min()
    if program.dtype == "fp32" and not difference <= limits["fp32"]:
        sys.exit(f"{program.label}: vectors differ by {difference:.1e} from {reference.label}")
    if not cosine >= limits["bf16"]:
        sys.exit(f"{program.label}: cosine {cosine:.5f} with {reference.label}")
    return f"{difference:.0e}" if program.dtype == "fp32" else f"cosine {cosine:.5f}"


def centred(vectors):
    """Each vector without what all have in common, which would hide the differences, at length 1."""
    rest = vectors.astype(np.float64) - vectors.mean(0, dtype=np.float64)
    return rest / np.linalg.norm(rest, axis=1, keepdims=True)


def nearest(vectors, number):
    """The rows of the `number` nearest neighbours of each row, by cosine."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    likeness = unit @ unit.T
    np.fill_diagonal(likeness, -np.inf)
    return np.argsort(-likeness, axis=1, kind="stable")[:, :number]


def loss(program, reference):
    """What a row for orientation loses: the centred cosine, and how many neighbours stay."""
    cosine = (centred(program.vectors) * centred(reference.vectors)).sum(1)
    ours, theirs = nearest(program.vectors, 10), nearest(reference.vectors, 10)
    kept = np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(ours, theirs)])
    return (f"orientation: centred cosine {cosine.mean():.4f} (least {cosine.min():.4f}), "
            f"10 neighbours {kept:.3f} the same")


def table(title, programs, records, notes=(), limits=AGREEMENT):
    """Markdown: the first program is what the others are measured against."""
    def compared(program):
        if program.orientation:
            return loss(program, programs[0])
        return agreement(program, programs[0], program.limits or limits)

    first = statistics.median(programs[0].times)
    lines = [f"### {title}", "",
             "| program | precision | batch | seconds (range) | records/s | ratio | whole process | "
             "peak memory | vectors |", "|---|---|---|---|---|---|---|---|---|"]
    for program in programs:
        median = statistics.median(program.times)
        whole = f"{statistics.median(program.whole):.2f} s" if program.whole else ""
        lines.append(
            f"| {program.label} | {program.dtype} | {program.batch} | {median:.2f} "
            f"({min(program.times):.2f}-{max(program.times):.2f}) | {records / median:.1f} | "
            f"{first / median:.2f} | {whole} | {program.rss / 2**20:.0f} MiB | "
            f"{compared(program)} |")
    return "\n".join([*lines, "", *notes, ""])


def read_sequences(options):
    """The records all sequence programs get: a CSV's, or the shipped nanobodies."""
    with open(options.input, newline="") as file:
        rows = list(csv.DictReader(file))
    column = next((c for c in ("sequence", "seq", "vh_sequence") if c in rows[0]), None)
    if column is None:
        sys.exit(f"{options.input}: no column sequence, seq or vh_sequence")
    return [row[column] for row in rows if not set(row[column]) - set("ACDEFGHIKLMNPQRSTVWY")]


def write_inputs(sequences, folder):
    """One list of records in the three forms the programs read."""
    numbered = list(enumerate(sequences))
    (folder / "in.txt").write_text("\n".join(sequences))
    (folder / "in.csv").write_text("id,sequence\n" + "".join(f"r{i},{s}\n" for i, s in numbered))
    (folder / "in.fasta").write_text("".join(f">r{i}\n{s}\n" for i, s in numbered))


def card_of(archive):
    own_python.use_package()
    from longhaul.export import shared as longhaul_export
    return longhaul_export.load_archive(archive)[1]


def antiberty_files():
    """The archive, and the same weights as transformers and the converters read them."""
    archive = ROOT / ".cache/antiberty.ts"
    if not archive.exists():
        run([sys.executable, SCRIPTS / "export_antiberty.py", archive])
    if not (CACHE / "antiberty/config.json").exists():
        own_python.use_package()
        from longhaul.export import antiberty as export_antiberty
        model, _ = export_antiberty.load_reference(
            export_antiberty.fetch_wheel(ROOT / ".cache"))
        model.save_pretrained(CACHE / "antiberty")
    return archive, CACHE / "antiberty"


def sequence_spec(archive, model, family, options, folder, dtype="fp32"):
    card = card_of(archive)
    dimension = (card["outputs"][0] if "outputs" in card else card)["dimension"]
    return {"alphabet": card["alphabet"], "dimension": dimension, "model": str(model),
            "family": family, "sequences": str(folder / "in.txt"), "threads": options.threads,
            "dtype": dtype, "widths": options.widths}


def compare_antiberty(options, folder):
    sequences = read_sequences(options)[:options.records]
    write_inputs(sequences, folder)
    archive, model = antiberty_files()

    def peer(label, engine, dtype="fp32", orientation=False):
        spec = sequence_spec(archive, model, "bert", options, folder, dtype)
        return Peer(label, engine, {**spec, "work": str(folder)}, folder, orientation)

    programs = [
        peer("transformers, file order", "transformers"),
        peer("transformers, sorted by length", "sentence"),
        peer("ONNX Runtime, sorted", "onnxruntime"),
        peer("OpenVINO, sorted", "openvino"),
        peer("AOTInductor's package, sorted", "aot-inductor"),
        Longhaul("Longhaul", archive, folder / "in.csv", options, folder),
        peer("transformers, sorted by length", "sentence", "bf16"),
        peer("OpenVINO, sorted", "openvino", "bf16"),
        Longhaul("Longhaul", archive, folder / "in.csv", options, folder, dtype="bf16"),
        peer("OpenVINO, weights and activations by NNCF, sorted", "openvino-int8", "int8", True),
    ]
    take_turns(programs, options.rounds)
    return table(f"AntiBERTy, {len(sequences):,} nanobodies", programs, len(sequences))


def esm_files(folder):
    """A seeded random ESM-2 8M as fair-esm has it, and its archive."""
    CACHE.mkdir(parents=True, exist_ok=True)
    checkpoint, archive = CACHE / "esm2_t6_8M_random.pt", CACHE / "esm2_t6_8M_random.ts"
    if not archive.exists():
        spec = folder / "make.json"
        spec.write_text(json.dumps({"checkpoint": str(checkpoint)}))
        run([peers_python(), SCRIPTS / "peer_engines.py", "make-fair-esm", spec])
        run([sys.executable, SCRIPTS / "export_esm.py", checkpoint, archive])
    return checkpoint, archive


def compare_esm(options, folder):
    sequences = read_sequences(options)[:2 * options.records]
    write_inputs(sequences, folder)
    checkpoint, archive = esm_files(folder)
    spec = folder / "fair-esm.json"
    spec.write_text(json.dumps({
        "checkpoint": str(checkpoint), "fasta": str(folder / "in.fasta"),
        "out": str(folder / "extracted"), "vectors": str(folder / "extracted.npy"),
        "threads": options.threads}))

    def collect():
        run([peers_python(), SCRIPTS / "peer_engines.py", "collect-fair-esm", spec])
        return np.load(folder / "extracted.npy")

    programs = [
        Whole("fair-esm extraction", [peers_python(), SCRIPTS / "peer_engines.py", "fair-esm",
                                      spec], folder, collect),
        Longhaul("Longhaul", archive, folder / "in.fasta", options, folder, inside=False),
    ]
    programs[0].batch = "4,096 tokens"
    take_turns(programs, options.rounds)
    return table(f"ESM-2 8M, {len(sequences):,} nanobodies, whole process", programs,
                 len(sequences))


def compare_start(options, folder):
    write_inputs(read_sequences(options)[:1], folder)
    archive, model = antiberty_files()
    spec = folder / "first.json"
    spec.write_text(json.dumps({**sequence_spec(archive, model, "bert", options, folder),
                                "vectors": str(folder / "first.npy")}))
    programs = [
        Whole("transformers script", [peers_python(), SCRIPTS / "peer_engines.py", "first", spec],
              folder, lambda: np.load(folder / "first.npy")),
        Longhaul("Longhaul", archive, folder / "in.csv", options, folder, inside=False),
    ]
    take_turns(programs, options.rounds)
    return table("From process start to the vector of one sequence, AntiBERTy", programs, 1)


def compare_uniref(options, folder):
    source = folder / "uniref.csv"
    run([sys.executable, SCRIPTS / "make_sequences.py", source, "-n", options.records,
         "--lengths", "uniref"])
    with open(source, newline="") as file:
        write_inputs([row["sequence"] for row in csv.DictReader(file)], folder)
    archive, model = CACHE / "esm2_8m.ts", CACHE / "esm2_8m"
    if not archive.exists():
        run([sys.executable, SCRIPTS / "export_esm.py", "--random", "--save-transformers", model,
             "esm2_8m", archive])
    # biotrainer looks for a tokenizer beside the weights.
    (model / "vocab.txt").write_text("\n".join(card_of(archive)["alphabet"]["tokens"]) + "\n")
    spec = sequence_spec(archive, model, "esm", options, folder)
    programs = [
        Peer("transformers, file order", "transformers", spec, folder),
        Peer("transformers, sorted by length", "sentence", spec, folder),
        Peer("biotrainer", "biotrainer", spec, folder),
        Longhaul("Longhaul", archive, folder / "in.csv", options, folder),
    ]
    take_turns(programs, options.rounds)
    timings = timings_of(programs[-1].out)
    return table(f"ESM-2 8M, {options.records:,} sequences with lengths like UniRef's", programs,
                 options.records,
                 [f"Padding efficiency of Longhaul: {timings['padding_efficiency']:.3f}."])


def make_photographs(folder, number):
    """JPEG files of about 1,200 x 900 with detail at every scale, as photographs have."""
    from PIL import Image
    folder.mkdir(exist_ok=True)
    random = np.random.RandomState(0)
    for index in range(number):
        width, height = 1200 + index % 7 * 10, 900 + index % 5 * 10
        picture = np.zeros((height, width, 3), dtype=np.float32)
        for scale in (4, 16, 64, 256):
            noise = random.randint(0, 256, (scale * 3 // 4, scale, 3)).astype(np.uint8)
            layer = Image.fromarray(noise).resize((width, height), Image.BICUBIC)
            picture += np.asarray(layer, dtype=np.float32) / scale**0.5
        picture = (255 * picture / picture.max()).astype(np.uint8)
        Image.fromarray(picture).save(folder / f"{index:04d}.jpg", quality=90)


def compare_images(options, folder):
    archive = CACHE / "vit_b_32.ts"
    if not archive.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        run([sys.executable, SCRIPTS / "export_openclip.py", "ViT-B-32", archive, "--seed", 0])
    make_photographs(folder / "images", options.images)
    made = {"model_name": "ViT-B-32", "seed": 0, "folder": str(CACHE / "clip_vit_b_32")}
    if not (CACHE / "clip_vit_b_32/model.safetensors").exists():
        making = folder / "make-clip.json"
        making.write_text(json.dumps(made))
        run([peers_python(), SCRIPTS / "peer_engines.py", "make-clip", making])

    def peer(label, engine, dtype="fp32"):
        return Peer(label, engine, {**made, "images": str(folder / "images"), "dtype": dtype,
                                    "threads": options.threads, "widths": options.widths[:3]},
                    folder)

    def longhaul(dtype):
        return Longhaul("Longhaul", archive, folder / "images", options, folder, dtype=dtype)

    transformers = peer("sentence-transformers", "sentence-transformers")
    transformers.limits = RESAMPLED_OTHERWISE
    loaders = [(f"open_clip, DataLoader with {n} workers", f"dataloader{n}") for n in (0, 2)]
    programs = [
        *(peer(label, engine) for label, engine in loaders),
        transformers,
        longhaul("fp32"),
        *(peer(label, engine, "bf16") for label, engine in loaders),
        longhaul("bf16"),
    ]
    take_turns(programs, options.rounds)
    return table(f"ViT-B/32, {options.images} JPEG files of about 1,200 x 900", programs,
                 options.images, limits=IMAGE_AGREEMENT)


COMPARISONS = {"antiberty": compare_antiberty, "esm": compare_esm, "start": compare_start,
               "uniref": compare_uniref, "images": compare_images}


# The units that matter to a product of matrices, widest last, by the names Linux gives them.
INSTRUCTION_SETS = {"avx2": "avx2", "avx512f": "avx512", "avx512_vnni": "avx512_vnni",
                    "avx512_bf16": "avx512_bf16", "amx_bf16": "amx"}


def processor():
    """Its name and the instruction sets that the programs can choose among."""
    information = pathlib.Path("/proc/cpuinfo")
    if not information.exists():
        return platform.processor() or platform.machine()
    text = information.read_text()
    name = re.search(r"^model name\s*:\s*(.*)", text, re.M)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.*)", text, re.M)
    present = set(flags[1].split()) if flags else set()
    sets = [ours for theirs, ours in INSTRUCTION_SETS.items() if theirs in present]
    return (f"{name[1] if name else platform.machine()} "
            f"({', '.join(sets) or 'none of ' + ', '.join(INSTRUCTION_SETS.values())})")


def machine(options):
    """What the figures hold for."""
    load = os.getloadavg()[0]
    versions = ", ".join(line for line in
                         (SCRIPTS / "peers_requirements.txt").read_text().splitlines()
                         if line and not line.startswith("#"))
    version = subprocess.run([str(options.longhaul), "--version"], capture_output=True, text=True)
    return (f"{processor()}, {os.cpu_count()} cores, {options.threads} threads each, load {load:.1f} "
            f"before the start; medians of {options.rounds} interleaved rounds. "
            f"{version.stdout.splitlines()[0] if version.stdout else ''} Others: {versions}.")


def write_markdown(path, name, text):
    """Replaces this comparison's block in the file, or appends it."""
    begin, end = f"<!-- compare_peers {name} -->", f"<!-- end {name} -->"
    block = f"{begin}\n{text}{end}\n"
    old = path.read_text() if path.exists() else ""
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end) + "\n", re.S)
    new = pattern.sub(lambda _: block, old) if pattern.search(old) else f"{old}\n{block}"
    path.write_text(new.lstrip("\n"))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(COMPARISONS))
    parser.add_argument("--input", type=pathlib.Path, default=ROOT / "datasets/nanobodies_2000.csv",
                        help="CSV of the nanobodies (default: the shipped ones)")
    parser.add_argument("--records", type=int, default=1024, help="esm takes twice as many")
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--widths", type=int, nargs="+", default=[8, 16, 32, 64],
                        help="batch widths that each engine tries")
    parser.add_argument("--longhaul", type=pathlib.Path, default=ROOT / "build/longhaul")
    parser.add_argument("--markdown", type=pathlib.Path, help="write the tables into this file")
    options = parser.parse_args()
    unknown = set(options.names) - set(COMPARISONS)
    if unknown:
        parser.error(f"no comparison {', '.join(sorted(unknown))}: {', '.join(COMPARISONS)}")
    if not options.longhaul.exists():
        sys.exit(f"{options.longhaul} is not built: run scripts/build")
    peers_python()
    for name in options.names or COMPARISONS:
        about = machine(options)
        with tempfile.TemporaryDirectory() as folder:
            text = COMPARISONS[name](options, pathlib.Path(folder)) + f"\n{about}\n"
        print(text, flush=True)
        if options.markdown:
            write_markdown(options.markdown, name, text)


if __name__ == "__main__":
    main()
