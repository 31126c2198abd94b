"""Embeddings computed by transformers alone, and the reading of an output directory.

Nothing here comes from the exporters' modules but the weights: the tests compare against an
implementation that shares no code with the archive or the program.
"""

import csv
import json
import pathlib

import numpy as np
import torch

BERT_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"ACDEFGHIKLMNPQRSTVWY"]
ESM_TOKENS = ["<cls>", "<pad>", "<eos>", "<unk>", *"LAGVSERTIDPKQNFYMHWCXBUZO.-", "<null_1>",
              "<mask>"]


class Reference:
    """Hidden states of a transformers encoder for sequences given as text."""

    def __init__(self, model, tokens, begin, end, pad, unknown):
        self.model = model.eval()
        self.number = {token: i for i, token in enumerate(tokens)}
        self.begin, self.end, self.pad = (self.number[t] for t in (begin, end, pad))
        self.unknown = self.number[unknown]

    @classmethod
    def bert(cls, model):
        return cls(model, BERT_TOKENS, "[CLS]", "[SEP]", "[PAD]", "[UNK]")

    @classmethod
    def esm(cls, model):
        return cls(model, ESM_TOKENS, "<cls>", "<eos>", "<pad>", "<unk>")

    def ids(self, sequence):
        return [self.begin, *(self.number.get(c, self.unknown) for c in sequence), self.end]

    def batch(self, sequences):
        """Hidden states and attention mask of one right-padded batch."""
        ids = [self.ids(s) for s in sequences]
        width = max(map(len, ids))
        mask = torch.tensor([[1] * len(i) + [0] * (width - len(i)) for i in ids])
        tokens = torch.tensor([i + [self.pad] * (width - len(i)) for i in ids])
        with torch.inference_mode():
            return self.model(input_ids=tokens, attention_mask=mask).last_hidden_state, mask

    def mean(self, sequences):
        """Residue means, one sequence at a time."""
        rows = []
        for sequence in sequences:
            hidden, _ = self.batch([sequence])
            rows.append(hidden[0, 1:-1].double().mean(0))
        return torch.stack(rows).numpy()

    def mean_compat(self, sequences, batch_size):
        """The original pipeline's pooling: consecutive batches, first and last column left out.

        The last column is the end token of the longest rows and padding in all others, so these
        keep their end token in the mean.
        """
        rows = []
        for start in range(0, len(sequences), batch_size):
            hidden, mask = self.batch(sequences[start:start + batch_size])
            mask = mask.clone()
            mask[:, 0] = 0
            mask[:, -1] = 0
            weight = mask.unsqueeze(-1).double()
            rows.append((hidden.double() * weight).sum(1) / weight.sum(1))
        return torch.cat(rows).numpy()


class Run:
    """What a finished run left behind."""

    def __init__(self, out):
        out = pathlib.Path(out)
        self.vectors = np.load(out / "embeddings.npy")
        self.bytes = (out / "embeddings.npy").read_bytes()
        with open(out / "records.csv", newline="") as file:
            self.records = list(csv.DictReader(file))
        self.facts = json.loads((out / "run.json").read_text())
        assert not (out / "embeddings.npy.partial").exists()
        assert [int(r["row"]) for r in self.records] == list(range(len(self.vectors)))
        self.ok = np.array([r["status"] == "ok" for r in self.records])


def cosine(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def read_column(path, column, number=None):
    with open(path, newline="") as file:
        rows = [row[column] for row in csv.DictReader(file)]
    return rows[:number]


def write_sequences(path, sequences):
    path.write_text("id,sequence\n" + "".join(f"s{i},{s}\n" for i, s in enumerate(sequences)))
    return path
