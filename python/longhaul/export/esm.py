"""Exports an ESM-2, ESM-1v or ESM-1b encoder as a TorchScript archive with a card.

MODEL is one of
  a folder in transformers' format (config.json with model.safetensors or pytorch_model.bin),
  a fair-esm checkpoint (.pt),
  with --random: a config.json or one of the names below; the weights are random but seeded, for
  tests of speed and memory where no trained weights are at hand.

Names: NAMES.
The archive is compared with transformers' EsmModel on the same weights before it is used.
"""

import argparse
import pathlib
from typing import Final, List, Optional, Tuple

import torch
import transformers
from torch import nn

from longhaul.export import shared as export
from longhaul.export.esm_weights import ALPHABET, NAMES, PAD, load

# All published models were trained with 15 % of the residues chosen, 80 % of these masked.
MASKED_IN_TRAINING = 0.15 * 0.8


class Layer(nn.Module):
    kept: Final[bool]  # among the outputs

    def __init__(self, config, kept):
        super().__init__()
        self.kept = kept
        width = config.hidden_size
        self.attention_norm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.attention = export.Attention(width, config.num_attention_heads)
        self.norm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.feed_forward = export.FeedForward(width, config.intermediate_size)

    def forward(self, x: torch.Tensor, bias: Optional[torch.Tensor],
                turn: Optional[Tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
        x = x + self.attention(self.attention_norm(x), bias, turn)
        return x + self.feed_forward(self.norm(x))


class RotaryTable(nn.Module):
    """Cosine and sine of every position and frequency, [length, head width], made at each call.

    The frequencies are no buffer, for converting a model to bfloat16 would round them.
    """

    frequencies: List[float]

    def __init__(self, stored: torch.Tensor):
        super().__init__()
        self.head_width = 2 * stored.numel()
        # Some checkpoints hold rounded frequencies, which the model was trained with.
        same = torch.equal(stored, self.exact(stored.device))
        self.frequencies = [] if same else stored.tolist()

    def exact(self, device: torch.device) -> torch.Tensor:
        steps = torch.arange(0, self.head_width, 2, dtype=torch.float32, device=device)
        return 1.0 / (10000.0 ** (steps / self.head_width))

    def forward(self, tokens: torch.Tensor,
                like: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        if len(self.frequencies) > 0:
            frequencies = torch.tensor(self.frequencies, dtype=torch.float32, device=tokens.device)
        else:
            frequencies = self.exact(tokens.device)
        positions = torch.arange(tokens.size(1), dtype=torch.float32, device=tokens.device)
        angles = positions.unsqueeze(1) * frequencies
        angles = torch.cat((angles, angles), dim=-1)
        return angles.cos().to(like.dtype), angles.sin().to(like.dtype)


class LearnedPositions(nn.Module):
    """Position vectors; the first residue's stands behind that of the padding token."""

    def __init__(self, config):
        super().__init__()
        self.table = nn.Embedding(config.max_position_embeddings, config.hidden_size)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.table.weight[2:tokens.size(1) + 2]


class TokenDropout(nn.Module):
    """What ESM does for masked tokens: zero, and the rest scaled; 0.88 where nothing is masked."""

    def forward(self, x: torch.Tensor, tokens: torch.Tensor,
                mask: Optional[torch.Tensor]) -> torch.Tensor:
        masked = tokens == 32
        if mask is None:
            share = masked.sum(-1).to(torch.float32) / tokens.size(1)
        else:
            share = masked.sum(-1).to(torch.float32) / mask.sum(-1).clamp(min=1)
        scale = 0.88 / (1.0 - share).unsqueeze(-1) * (~masked)
        return x * scale.to(x.dtype).unsqueeze(-1)


class Trunk(nn.Module):
    """The layers of transformers' EsmModel `model`, up to the last of `layers` (0: embeddings)."""

    kept: Final[bool]  # the embeddings, among the outputs

    def __init__(self, model, layers):
        super().__init__()
        self.kept = 0 in layers
        config = model.config
        self.words = nn.Embedding(config.vocab_size, config.hidden_size)
        export.take(self.words, model.embeddings.word_embeddings)
        self.dropout = TokenDropout() if config.token_dropout else None
        self.positions = self.rotary = self.norm_before = self.norm_after = None
        if config.position_embedding_type == "rotary":
            self.rotary = RotaryTable(model.rotary_embeddings.inv_freq.float())
        else:
            self.positions = LearnedPositions(config)
            export.take(self.positions.table, model.embeddings.position_embeddings)
        if model.embeddings.layer_norm is not None:
            self.norm_before = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
            export.take(self.norm_before, model.embeddings.layer_norm)
        self.layers = nn.ModuleList([Layer(config, i + 1 in layers) for i in range(max(layers))])
        for ours, theirs in zip(self.layers, model.encoder.layer):
            export.take(ours.attention_norm, theirs.attention.LayerNorm)
            export.take(ours.attention.query, theirs.attention.self.query)
            export.take(ours.attention.key, theirs.attention.self.key)
            export.take(ours.attention.value, theirs.attention.self.value)
            export.take(ours.attention.out, theirs.attention.output.dense)
            export.take(ours.norm, theirs.LayerNorm)
            export.take(ours.feed_forward.enter, theirs.intermediate.dense)
            export.take(ours.feed_forward.leave, theirs.output.dense)
        if max(layers) == config.num_hidden_layers:
            self.norm_after = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
            export.take(self.norm_after, model.encoder.emb_layer_norm_after)

    def enter(self, tokens: torch.Tensor, mask: Optional[torch.Tensor]) -> torch.Tensor:
        x = self.words(tokens)
        if self.dropout is not None:
            x = self.dropout(x, tokens, mask)
        if self.positions is not None:
            x = x + self.positions(tokens)
        if self.norm_before is not None:
            x = self.norm_before(x)
        return x

    def turn(self, tokens: torch.Tensor,
             like: torch.Tensor) -> Optional[Tuple[torch.Tensor, torch.Tensor]]:
        if self.rotary is not None:
            return self.rotary(tokens, like)
        return None


class Esm(Trunk):
    """Hidden states of one layer."""

    def __init__(self, model, layer):
        super().__init__(model, [layer])

    def forward(self, tokens: torch.Tensor, mask: Optional[torch.Tensor] = None) -> torch.Tensor:
        x = self.enter(tokens, mask)
        turn = self.turn(tokens, x)
        bias = export.padding_bias(mask, x)
        for layer in self.layers:
            x = layer(x, bias, turn)
        if self.norm_after is not None:
            x = self.norm_after(x)
        return x


class EsmLayers(Trunk):
    """Hidden states of several layers, in their order, from one pass."""

    def __init__(self, model, layers):
        super().__init__(model, layers)
        if self.norm_after is not None:
            self.layers[-1].kept = False  # but what the norm makes of it

    def forward(self, tokens: torch.Tensor,
                mask: Optional[torch.Tensor] = None) -> List[torch.Tensor]:
        x = self.enter(tokens, mask)
        turn = self.turn(tokens, x)
        bias = export.padding_bias(mask, x)
        states: List[torch.Tensor] = []
        if self.kept:
            states.append(x)
        for layer in self.layers:
            x = layer(x, bias, turn)
            if layer.kept:
                states.append(x)
        if self.norm_after is not None:
            states.append(self.norm_after(x))
        return states


def main(given=None):
    parser = argparse.ArgumentParser(
        description=__doc__.replace("NAMES", ", ".join(NAMES)),
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("out", metavar="OUT.ts")
    export.add_layers(parser, "; only the last has the final layer norm, as in ESM's own programs")
    parser.add_argument("--random", action="store_true", help="seeded random weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-tokens", type=int, metavar="N",
                        help="longest input, special tokens included (default: 1024, as the models "
                        "were trained; 0: no limit, rotary positions only)")
    parser.add_argument("--save-transformers", metavar="DIR",
                        help="also write the model in transformers' format")
    parser.add_argument("--name", help="name in the card (default: from MODEL)")
    parser.add_argument("--licence", default=None, help="licence of the weights, for the card")
    arguments = parser.parse_args(given)

    transformers.logging.set_verbosity_error()
    model, weights = load(arguments)
    model = model.eval()
    config = model.config
    if arguments.save_transformers:
        model.save_pretrained(arguments.save_transformers)
    layers = export.chosen_layers(arguments, config.num_hidden_layers)
    room = config.max_position_embeddings - PAD - 1
    limit = min(room, 1024) if arguments.max_tokens is None else arguments.max_tokens
    if config.position_embedding_type == "absolute" and not 0 < limit <= room:
        raise export.ExportError(f"--max-tokens {limit}: this model has {room} positions")

    name = arguments.name or pathlib.Path(arguments.model).name.removesuffix(".pt")
    card = export.sequence_card(name, config.hidden_size, limit or None, ALPHABET, {
        "weights": weights, **({"layers": layers} if arguments.layers else {"layer": layers[0]}),
        "licence": arguments.licence or ("none: random" if arguments.random else "unknown"),
        "exported_with": f"export_esm.py, torch {torch.__version__}",
    })
    if arguments.layers:
        card = export.layered_card(card, layers)

    reference = export.hidden_states(model, layers, bool(arguments.layers))
    with torch.inference_mode(False):
        module = EsmLayers(model, layers) if arguments.layers else Esm(model, layers[0])
    export.finish(module, card, reference, arguments.out)
