"""Output directories of `longhaul embed`, made by hand with numpy, for tests of what reads them."""

import csv
import hashlib
import json

import numpy as np


def make_run(path, vectors, *, ids=None, sequences=None, statuses=None, kept=None, dtype="<f4",
             **fingerprint):
    """Writes vectors (rows x dimension) with one record each; `kept` maps a column to its values.
    Rows whose status is not ok become NaN."""
    vectors = np.array(vectors, dtype=dtype)
    rows = len(vectors)
    ids = ids or [f"r{i}" for i in range(rows)]
    sequences = sequences or ids
    statuses = statuses or ["ok"] * rows
    kept = kept or {}
    path.mkdir(exist_ok=True)
    for i, status in enumerate(statuses):
        if status != "ok":
            vectors[i] = np.nan
    np.save(path / "embeddings.npy", vectors)
    np.save(path / "checksums.npy", np.arange(rows, dtype="<u8"))
    with open(path / "records.csv", "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["row", "id", "source", "status", "length", "truncated", "substituted", "hash",
                      "duplicate_of", *kept])
        for i in range(rows):
            digest = hashlib.md5(sequences[i].encode()).hexdigest()
            out.writerow([i, ids[i], "in.csv", statuses[i], len(sequences[i]), "false", 0, digest,
                          "", *(values[i] for values in kept.values())])
    report = {
        "model": {"path": "encoder.ts", "sha256": "aa"},
        "card": {"name": "encoder", "modality": "sequence"},
        "fingerprint": {"model_sha256": "aa", "card_sha256": "cc", "pooling": "mean",
                        "normalize": "none", "dtype": "fp32", **fingerprint},
    }
    (path / "run.json").write_text(json.dumps(report))
    return path


def two_classes(seed, rows, dimension, scale=1.0):
    """Vectors and labels that a line separates a little."""
    random = np.random.default_rng(seed)
    labels = (random.random(rows) < 0.45).astype(int)
    vectors = random.normal(size=(rows, dimension)) * scale
    vectors[:, 0] += labels * scale
    return vectors.astype("<f4"), labels
