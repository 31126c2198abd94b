#!/usr/bin/env python3
"""Writes synthetic protein sequences: make_sequences.py OUT.csv [OUT.fasta ...] -n 2000 --seed 1

nanobody  single-domain antibodies (VHH): one of six framework families, point mutations as in
          matured antibodies, three loops with the lengths and residues such loops have. Lengths 52
          to 137, mean about 120; a few are cut short, as in real sets.
uniref    residues at the frequencies of UniProt, lengths log-normal with mean 330, cut at 1,022,
          for measurements of speed on mixed lengths.

No sequence is taken from a data set. The same seed gives the same sequences everywhere, and a longer
file begins with the shorter one's records. The suffix names the format: .csv, .fasta or .fa, each
also with .gz.
"""

import argparse
import contextlib
import gzip
import pathlib
import sys

import own_python

if __name__ == "__main__":
    own_python.need("numpy")

import numpy as np

BLOCK = 4096  # records made at once, each block from its own stream of random numbers

# Name, weight, the four frameworks. They follow the consensus of camelid germline genes: the first
# two are the classical VHH with F-ER-F and Y-QR-L in framework 2, the last but one is like human VH.
FAMILIES = [
    ("F-ERF", 34, "QVQLVESGGGLVQAGGSLRLSCAAS", "MGWFRQAPGKEREFVA",
     "YYADSVKGRFTISRDNAKNTVYLQMNSLKPEDTAVYYC", "WGQGTQVTVSS"),
    ("Y-QRL", 22, "QVQLVESGGGLVQPGGSLRLSCAAS", "MGWYRQAPGKQRELVA",
     "NYADSVKGRFTISRDNAKNTVYLQMNSLKPEDTAVYYC", "WGQGTQVTVSS"),
    ("F-ERG", 14, "EVQLVESGGGLVQPGGSLRLSCAAS", "IGWFRQAPGKEREGVS",
     "YYADSVKGRFTISRDNAKNTVYLQMNSLKPEDTAVYYC", "WGQGTQVTVSS"),
    ("Y-ERL", 14, "QVQLQESGGGLVQAGGSLRLSCVAS", "MGWYRQAPGKERELVA",
     "NYADSVKGRFTISRDNSKNTLYLQMNSLKPEDTAVYYC", "WGQGTQVTVSS"),
    ("W-GLW", 9, "EVQLVESGGGLVQPGGSLRLSCAAS", "MSWVRQAPGKGLEWVS",
     "YYADSVKGRFTISRDNAKNTLYLQMNSLRAEDTAVYYC", "WGQGTLVTVSS"),
    ("F-EQF", 7, "QVQLQESGGGSVQAGGSLRLSCTTS", "MGWFRQTPGKEREFVA",
     "TYTDSVKGRFTISQDNAKNMVYLQMNDLKPEDTAVYYC", "WGQGTQVTVSS"),
]

# What stands at each place of a loop; a letter's share is how often it is written.
LOOP1 = ["GGGGGGGGER", "RRRSSSFFNYIG", "TTTTIIIPAS", "FFFFFSSLLVD", "SSSRRDGNDT", "SSTTNDRYGI",
         "YYYYNNDASVTC", "AAAAADTGPNVS"]
LOOP2 = ["AASTGRVAALHC", "IIIIIIIIVM", "SSSSNTRDTSKG", "WWRRSSGTSNPQ", "SSSGGDNGRA", "GGGGGGGDAS",
         "GGGSSSDNRT", "SSSTTNRDYIE", "TTTTTTPAIK"]
LOOP3_START = ["AANNNAAHYKT", "AAAAAVSTVKR"]
LOOP3 = ("Y" * 20 + "A" * 8 + "D" * 9 + "G" * 11 + "R" * 11 + "S" * 9 + "T" * 7 + "V" * 6 + "P" * 5
         + "N" * 4 + "L" * 5 + "W" * 4 + "E" * 3 + "K" * 2 + "F" * 3 + "Q" * 3 + "I" * 3 + "H" * 2
         + "M" + "C")
LOOP3_END = ["YYYYYFGASTW", "DDDDDDENGAS", "YYYYYYSFVHN"]
LOOP1_LENGTHS = {8: 970, 7: 22, 6: 5, 5: 3}
LOOP2_LENGTHS = {9: 715, 8: 270, 7: 12, 6: 3}
LOOP3_LENGTHS = {5: 3, 6: 4, 7: 4, 8: 6, 9: 17, 10: 70, 11: 92, 12: 125, 13: 152, 14: 135, 15: 113,
                 16: 78, 17: 50, 18: 62, 19: 40, 20: 26, 21: 14, 22: 8, 23: 1,
                 24: 0.1, 25: 0.1, 26: 0.1, 27: 0.05, 28: 0.05, 29: 0.05, 30: 0.05}
MUTATED = 0.035   # share of framework residues that differ from the germline
INCOMPLETE = 0.001  # share of records cut short
# What a framework residue usually becomes.
BECOMES = {"A": "TVSGP", "C": "CCCYS", "D": "NEGHA", "E": "QDKGA", "F": "YLSVI", "G": "ESADR",
           "H": "YQNRD", "I": "VMTLF", "K": "REQNT", "L": "VPMFQ", "M": "LIVTK", "N": "SDKTY",
           "P": "ASLQT", "Q": "EKRHL", "R": "KSGTQ", "S": "TNGAR", "T": "SAINM", "V": "ALIMG",
           "W": "WRLCF", "Y": "FHSND"}

# UniProtKB/Swiss-Prot's amino acid composition, in per mille.
BACKGROUND = {"A": 83, "Q": 39, "L": 97, "S": 66, "R": 55, "E": 67, "K": 58, "T": 54, "N": 41,
              "G": 71, "M": 24, "W": 11, "D": 55, "H": 23, "F": 39, "Y": 29, "C": 14, "I": 59,
              "P": 47, "V": 69}


def letters(text):
    return np.frombuffer(text.encode(), dtype=np.uint8)


def weighted(random, table, size):
    """Keys of `table`, drawn by their weights."""
    keys, weights = np.array(list(table)), np.array(list(table.values()), dtype=float)
    steps = np.cumsum(weights / weights.sum())
    return keys[np.minimum(np.searchsorted(steps, random.random_sample(size)), len(keys) - 1)]


def choose(random, profile, rows):
    """One column per place of the profile."""
    columns = [letters(p)[random.randint(0, len(p), rows)] for p in profile]
    return np.stack(columns, axis=1)


def drop(cells, keep_from, lengths):
    """Blanks places from `keep_from` on until each row has its length; 0 is a blank."""
    place = np.arange(cells.shape[1])
    surplus = cells.shape[1] - lengths[:, None]
    return np.where((place >= keep_from) & (place < keep_from + surplus), 0, cells)


def loop3(random, rows):
    lengths = weighted(random, LOOP3_LENGTHS, rows)
    inner = max(LOOP3_LENGTHS) - len(LOOP3_START) - len(LOOP3_END)
    middle = letters(LOOP3)[random.randint(0, len(LOOP3), (rows, inner))]
    cells = np.concatenate([choose(random, LOOP3_START, rows), middle,
                            choose(random, LOOP3_END, rows)], axis=1)
    return drop(cells, len(LOOP3_START), lengths)


def mutate(random, cells):
    table = np.zeros((256, 5), dtype=np.uint8)
    for residue, others in BECOMES.items():
        table[ord(residue)] = letters(others)
    hit = random.random_sample(cells.shape) < MUTATED
    hit[:, :1] = False
    other = table[cells, random.randint(0, 5, cells.shape)]
    return np.where(hit, other, cells)


def nanobodies(random):
    family = weighted(random, {i: f[1] for i, f in enumerate(FAMILIES)}, BLOCK)
    frames = [np.stack([letters(f[2 + i]) for f in FAMILIES])[family] for i in range(4)]
    frames = [mutate(random, frame) for frame in frames]
    first = drop(choose(random, LOOP1, BLOCK), 4, weighted(random, LOOP1_LENGTHS, BLOCK))
    second = drop(choose(random, LOOP2, BLOCK), 4, weighted(random, LOOP2_LENGTHS, BLOCK))
    cells = np.concatenate([frames[0], first, frames[1], second, frames[2], loop3(random, BLOCK),
                            frames[3]], axis=1)
    cut = random.random_sample(BLOCK) < INCOMPLETE
    length = random.randint(52, 106, BLOCK)
    for row, kind in enumerate(family):
        sequence = cells[row][cells[row] > 0].tobytes().decode()
        yield sequence[:length[row]] if cut[row] else sequence, FAMILIES[kind][0]


def uniref(random):
    spread = 0.65
    centre = np.log(330) - spread**2 / 2
    lengths = np.clip(np.exp(random.normal(centre, spread, BLOCK)).astype(int), 20, 1022)
    steps = np.cumsum(list(BACKGROUND.values())) / sum(BACKGROUND.values())
    drawn = np.searchsorted(steps, random.random_sample(lengths.sum()), side="right")
    residues = letters("".join(BACKGROUND))[drawn].tobytes().decode()
    end = np.cumsum(lengths)
    for row in range(BLOCK):
        yield residues[end[row] - lengths[row]:end[row]], "background"


KINDS = {"nanobody": nanobodies, "uniref": uniref}


def sequences(number, seed, kind="nanobody"):
    """(sequence, family) of each record; never more than a block in memory."""
    for block in range(-(-number // BLOCK)):
        # RandomState's numbers are frozen: they are the same in every version of numpy.
        random = np.random.RandomState([seed, block])
        left = number - block * BLOCK
        for _, made in zip(range(left), KINDS[kind](random)):
            yield made


def write_csv(file, name, sequence, family):
    file.write(f"{name},{sequence},{family}\n")


def write_fasta(file, name, sequence, family):
    lines = [sequence[i:i + 70] for i in range(0, len(sequence), 70)]
    file.write(f">{name} {family}\n" + "\n".join(lines) + "\n")


WRITERS = {".csv": write_csv, ".fasta": write_fasta, ".fa": write_fasta}


def open_output(path):
    """The open file and the function that writes a record to it."""
    suffix = pathlib.Path(path.name.removesuffix(".gz")).suffix
    if suffix not in WRITERS:
        sys.exit(f"{path}: the suffix must be one of {', '.join(WRITERS)}, or that with .gz")
    if path.suffix == ".gz":
        file = gzip.open(path, "wt", compresslevel=6, newline="\n")
    else:
        file = open(path, "w", encoding="ascii", newline="\n")
    if suffix == ".csv":
        file.write("id,sequence,family\n")
    return file, WRITERS[suffix]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="+", type=pathlib.Path)
    parser.add_argument("-n", "--number", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lengths", choices=list(KINDS), default="nanobody")
    arguments = parser.parse_args()
    prefix = {"nanobody": "vhh", "uniref": "protein"}[arguments.lengths]
    with contextlib.ExitStack() as stack:
        outputs = []
        for path in arguments.out:
            file, write = open_output(path)
            outputs.append((stack.enter_context(file), write))
        made = sequences(arguments.number, arguments.seed, arguments.lengths)
        for number, (sequence, family) in enumerate(made, 1):
            for file, write in outputs:
                write(file, f"{prefix}{number:07d}", sequence, family)


if __name__ == "__main__":
    main()
