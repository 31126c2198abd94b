"""What the sequence exporters share: modules that TorchScript compiles well, the card, the check.

The modules keep to plain linear, gelu, layer_norm and scaled_dot_product_attention, take any batch
and length, and remember no device, so one archive runs on CPU, CUDA and MPS and at any float type.
"""

import json
import os
import pathlib
import sys
import tempfile
import warnings
from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from torch import nn

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"

# Synthetic sequences of unlike lengths, embedded by the reference and kept in the card.
GOLDEN_SEQUENCES = [
    "QVQLVESGGGLVQAGGSLRLSCAASGRTFSNYAMGWFRQAPGKEREFVAAISWSGDSTYYADSVKGRFTISRDNAKNTVYLQMNS"
    "LKPEDTAVYYCAADRLGTYYSSWVYDYWGQGTQVTVSS",
    "EVQLQASGGGFVQPGGSLRLSCTTSGFNIDDSEMGWYRHAPGNKC",
    "MKWLHEAFPYTRC",
]


class ExportError(Exception):
    """An export that must not be used; the message says what to do."""


def padding_bias(mask: Optional[torch.Tensor], like: torch.Tensor) -> Optional[torch.Tensor]:
    """What attention adds to its scores, [batch, 1, 1, length]; none where nothing is padded."""
    if mask is None:
        return None
    # exp() of it vanishes at float32, it is finite at float16, and a row without tokens has no NaN.
    return ((1 - mask).to(like.dtype) * -30000.0).unsqueeze(1).unsqueeze(1)


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


class Attention(nn.Module):
    """Self-attention; `turn` holds the cosine and sine of rotary positions, where there are any."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(
        self,
        x: torch.Tensor,
        bias: Optional[torch.Tensor],
        turn: Optional[Tuple[torch.Tensor, torch.Tensor]],
    ) -> torch.Tensor:
        shape = [x.size(0), x.size(1), self.heads, -1]
        query = self.query(x).view(shape).transpose(1, 2)
        key = self.key(x).view(shape).transpose(1, 2)
        value = self.value(x).view(shape).transpose(1, 2)
        if turn is not None:
            query = rotate(query, turn[0], turn[1])
            key = rotate(key, turn[0], turn[1])
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return self.out(mixed.transpose(1, 2).reshape(x.size()))


class FeedForward(nn.Module):
    def __init__(self, width: int, inner: int):
        super().__init__()
        self.enter = nn.Linear(width, inner)
        self.leave = nn.Linear(inner, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.leave(F.gelu(self.enter(x)))


def take(module: nn.Module, source: nn.Module):
    """The parameters of `source`, shared: a 650M model is not held twice."""
    for name, parameter in source.named_parameters(recurse=False):
        setattr(module, name, nn.Parameter(parameter.detach(), requires_grad=False))


def tokenise(sequence, alphabet):
    """Token numbers of one sequence as the card says; the check does not use the C++ code for it."""
    number = {token: i for i, token in enumerate(alphabet["tokens"])}
    ids = [number[character] for character in sequence]
    before = [number[alphabet["prepend"]]] if alphabet["prepend"] else []
    after = [number[alphabet["append"]]] if alphabet["append"] else []
    return before + ids + after


def residues(hidden, alphabet):
    """The residues' rows of one sequence's hidden states [length, width]."""
    last = hidden.size(0) - (1 if alphabet["append"] else 0)
    return hidden[(1 if alphabet["prepend"] else 0):last]


def padded_batch(sequences, alphabet, extra=0):
    """Tokens and mask [batch, length], right-padded `extra` beyond the longest."""
    ids = [tokenise(s, alphabet) for s in sequences]
    length = max(map(len, ids)) + extra
    pad = alphabet["tokens"].index(alphabet["pad"])
    tokens = torch.full((len(ids), length), pad, dtype=torch.int64)
    mask = torch.zeros((len(ids), length), dtype=torch.int64)
    for row, numbers in enumerate(ids):
        tokens[row, :len(numbers)] = torch.tensor(numbers)
        mask[row, :len(numbers)] = 1
    return tokens, mask


def sequence_card(name, dimension, max_tokens, alphabet, source):
    return {
        "card": 1, "name": name, "modality": "sequence", "method": "forward",
        "inputs": [{"kind": "tokens", "dtype": "int64"}, {"kind": "mask", "dtype": "int64"}],
        "output": "tokens", "output_key": None, "dimension": dimension, "max_tokens": max_tokens,
        "alphabet": alphabet, "pooling": "mean", "normalize": "none", "golden": [],
        "source": source,
    }


def add_layers(parser, more=""):
    parser.add_argument("--layer", type=int, default=-1, metavar="N",
                        help=f"hidden layer: 0 embeddings, 1 first layer, -1 last (default){more}")
    parser.add_argument("--layers", metavar="N,N,...",
                        help="several layers, each an output of its own: `longhaul embed --layer N` "
                        "picks among them, and takes the last where none is named")


def chosen_layers(arguments, count):
    """The hidden layers that are asked for, ascending."""
    given = [arguments.layer]
    if arguments.layers:
        try:
            given = [int(number) for number in arguments.layers.split(",")]
        except ValueError:
            raise ExportError(f"--layers {arguments.layers}: give numbers, as 6,20,33")
    layers = [layer + count + 1 if layer < 0 else layer for layer in given]
    wrong = [asked for asked, layer in zip(given, layers) if not 0 <= layer <= count]
    if wrong:
        raise ExportError(f"--layer {wrong[0]}: the model has layers 0 to {count}")
    if len(set(layers)) < len(layers):
        raise ExportError(f"--layers {arguments.layers}: names a layer twice")
    return sorted(layers)


def layered_card(card, layers):
    """The card of a module that gives a list of hidden states: version 2, an output for each."""
    card = {**card, "card": 2}
    kind, dimension = card.pop("output"), card.pop("dimension")
    del card["output_key"]
    card["outputs"] = [{"name": str(layer), "key": key, "kind": kind, "dimension": dimension,
                        "default": layer == max(layers)} for key, layer in enumerate(layers)]
    return card


def outputs(card):
    """(what a golden vector says of it, dimension) of each output of a card."""
    if card["card"] == 1:
        return [({}, card["dimension"])]
    return [({"output": output["name"]}, output["dimension"]) for output in card["outputs"]]


def listed(states):
    """What a module or a reference gives, as a list of outputs."""
    return [states] if isinstance(states, torch.Tensor) else list(states)


def hidden_states(model, layers, several):
    """The reference of `golden` and `finish` for a model of transformers': the hidden states of
    `layers`, as a list where they are `several`."""
    def reference(tokens, mask=None):
        mask = torch.ones_like(tokens) if mask is None else mask
        states = model(input_ids=tokens, attention_mask=mask, output_hidden_states=True)
        hidden = [states.hidden_states[layer] for layer in layers]
        return hidden if several else hidden[0]
    return reference


def golden(reference, card):
    """Residue means of the reference, one sequence at a time, without a mask.

    Hidden layers of large models reach the hundreds: the tolerance grows with the values.
    """
    entries = []
    for sequence in GOLDEN_SEQUENCES:
        if card["max_tokens"] and len(sequence) + 2 > card["max_tokens"]:
            continue
        states = listed(reference(torch.tensor([tokenise(sequence, card["alphabet"])])))
        for (named, _), hidden in zip(outputs(card), states, strict=True):
            mean = residues(hidden[0], card["alphabet"]).double().mean(0)
            entries.append({"input": sequence, **named,
                            "vector": [float(f"{v:.9g}") for v in mean.tolist()],
                            "tolerance": 1e-4 * max(1.0, mean.abs().max().item())})
    return entries


def compile_module(module):
    """TorchScript of the module; not frozen, since frozen weights cannot move between devices."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(module.eval())


def save_archive(scripted, card, path):
    """Writes archive and card; a reader never sees half a file."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    os.close(handle)
    try:
        scripted.save(temporary, _extra_files={"longhaul.json": json.dumps(card)})
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def load_archive(path):
    """The module and the card of an archive."""
    extra = {"longhaul.json": ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = torch.jit.load(str(path), map_location="cpu", _extra_files=extra)
    return module, json.loads(extra["longhaul.json"])


def check_archive(path, reference, limit=1e-5):
    """Greatest difference between archive and reference over lengths, batches and padding.

    `reference(tokens, mask=None)` gives hidden states. The limit grows with the values themselves
    where these exceed 1, since hidden layers of large models reach the hundreds.
    """
    module, card = load_archive(path)
    alphabet = card["alphabet"]
    long = (GOLDEN_SEQUENCES[0] * 8)[:min(card["max_tokens"] or 402, 402) - 2]
    sequences = [s for s in [*GOLDEN_SEQUENCES, "M", "GG", alphabet["allowed"], long]
                 if len(s) <= len(long)]
    worst, scales = [0.0] * len(outputs(card)), [1.0] * len(outputs(card))
    with torch.inference_mode(), torch.jit.optimized_execution(False):
        for batch, extra in [([s], 0) for s in sequences] + [(sequences, 0), (sequences[:2], 5)]:
            tokens, mask = padded_batch(batch, alphabet, extra)
            ours = [module(tokens, mask)] + ([module(tokens)] if mask.all() else [])
            for row, sequence in enumerate(batch):
                alone = listed(reference(torch.tensor([tokenise(sequence, alphabet)])))
                for given in ours:
                    for i, (states, expected) in enumerate(zip(listed(given), alone, strict=True)):
                        if states.shape != (*tokens.shape, outputs(card)[i][1]):
                            raise ExportError(f"{path}: output shape {tuple(states.shape)}")
                        scales[i] = max(scales[i], expected[0].abs().max().item())
                        difference = (states[row, :expected.size(1)] - expected[0]).abs().max().item()
                        worst[i] = max(worst[i],
                                       difference if difference == difference else float("inf"))
    for found, scale in zip(worst, scales):
        if found > limit * scale:
            raise ExportError(f"{path}: differs from the reference by {found:.2e}, more than "
                              f"{limit * scale:.0e}: this archive must not be used")
    return max(worst)


def least_cosine(ours, theirs):
    cosines = F.cosine_similarity(ours.double(), theirs.double(), dim=-1)
    return float("nan") if cosines.isnan().any() else cosines.min().item()


def half_types(path, embed):
    """What the archive's vectors at bf16 and fp16 have in common with those at fp32, as text.

    `embed(module, dtype)` gives vectors. The archive is of use without them: nothing is refused.
    """
    with torch.inference_mode(), torch.jit.optimized_execution(False):
        exact = embed(load_archive(path)[0], torch.float32)
        texts = []
        for name, dtype in (("bf16", torch.bfloat16), ("fp16", torch.float16)):
            try:
                found = least_cosine(embed(load_archive(path)[0].to(dtype), dtype), exact)
            except RuntimeError as error:
                texts.append(f"{name} fails: {str(error).strip().splitlines()[-1]}")
                continue
            usable = "" if found >= 0.999 else ": too little, not to be used"
            texts.append(f"{name} {found:.6f}{usable}")
    return f"least cosine with fp32: {', '.join(texts)}"


def finish(module, card, reference, path):
    """Golden vectors, archive, check, and what was written. A failed archive is removed."""
    with torch.inference_mode():
        card["golden"] = golden(reference, card)
    save_archive(compile_module(module), card, path)
    try:
        worst = check_archive(path, reference)
    except BaseException:
        pathlib.Path(path).unlink()
        raise
    size = pathlib.Path(path).stat().st_size / 2**20
    named = [of["output"] for of, _ in outputs(card) if of]
    print(f"{path}: {card['name']}, {outputs(card)[0][1]} dimensions, "
          f"{'layers ' + ', '.join(named) + ', ' if named else ''}{size:.1f} MiB\n"
          f"greatest difference from transformers {worst:.2e}")

    def embed(archive, dtype):
        vectors = []
        for sequence in dict.fromkeys(entry["input"] for entry in card["golden"]):
            tokens, mask = padded_batch([sequence], card["alphabet"])
            for states in listed(archive(tokens, mask)):
                vectors.append(residues(states[0], card["alphabet"]).float().mean(0))
        return torch.stack(vectors)

    print(half_types(path, embed))


def warn_of_random_weights(flag):
    print(f"{pathlib.Path(sys.argv[0]).name}: no {flag}, so the weights are random: for tests and "
          "for measuring speed, not for results", file=sys.stderr)


def beside_python(program):
    """The command of that name which was installed with this Python, as it is called."""
    found = pathlib.Path(sys.executable).with_name(program)
    return str(found) if found.exists() else program


def run(main):
    """Calls main(); an expected failure is one line and exit 1."""
    try:
        main()
    except (ExportError, OSError) as error:
        sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {error}")
