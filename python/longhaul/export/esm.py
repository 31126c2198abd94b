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
import json
import pathlib
import re
from typing import Final, List, Optional, Tuple

import torch
import transformers
from torch import nn

from longhaul.export import shared as export

TOKENS = ("<cls> <pad> <eos> <unk> L A G V S E R T I D P K Q N F Y M H W C X B U Z O . - "
          "<null_1> <mask>").split()
PAD, MASK = TOKENS.index("<pad>"), TOKENS.index("<mask>")
ALPHABET = {"tokens": TOKENS, "pad": "<pad>", "unknown": "<unk>", "prepend": "<cls>",
            "append": "<eos>", "allowed": export.AMINO_ACIDS + "XBUZO"}
# All published models were trained with 15 % of the residues chosen, 80 % of these masked.
MASKED_IN_TRAINING = 0.15 * 0.8


def shape(layers, width, heads, inner=None, positions="rotary"):
    return {"num_hidden_layers": layers, "hidden_size": width, "num_attention_heads": heads,
            "intermediate_size": inner or 4 * width, "position_embedding_type": positions}


NAMES = {
    "tiny": shape(2, 32, 4, 64),
    "tiny_learned": {**shape(2, 32, 4, 64, "absolute"), "emb_layer_norm_before": True},
    "esm2_8m": shape(6, 320, 20),
    "esm2_35m": shape(12, 480, 20),
    "esm2_150m": shape(30, 640, 20),
    "esm2_650m": shape(33, 1280, 20),
    "esm1v": shape(33, 1280, 20, positions="absolute"),
    "esm1b": {**shape(33, 1280, 20, positions="absolute"), "emb_layer_norm_before": True},
}


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


def esm_config(values):
    """A complete EsmConfig; what every published ESM-2 and ESM-1v shares is the default."""
    defaults = {"vocab_size": len(TOKENS), "pad_token_id": PAD, "mask_token_id": MASK,
                "max_position_embeddings": 1026, "layer_norm_eps": 1e-5, "token_dropout": True,
                "emb_layer_norm_before": False}
    config = transformers.EsmConfig(**{**defaults, **values}, attn_implementation="eager")
    wanted = {"vocab_size": len(TOKENS), "pad_token_id": PAD, "mask_token_id": MASK}
    for name, value in wanted.items():
        if getattr(config, name) != value:
            raise export.ExportError(f"config: {name} is {getattr(config, name)}, but the ESM "
                                     f"alphabet of 33 tokens has {value}: not supported")
    if config.position_embedding_type not in ("rotary", "absolute"):
        raise export.ExportError("config: position_embedding_type is "
                                 f"{config.position_embedding_type!r}: rotary or absolute")
    if config.rope_theta != 10000.0 or config.is_folding_model:
        raise export.ExportError("config: another rope_theta, or a folding model: not supported")
    return config


def read_config(path):
    values = json.loads(path.read_text())
    if values.get("model_type") != "esm":
        raise export.ExportError(f"{path}: model_type is {values.get('model_type')!r}, not 'esm'")
    vocabulary = path.parent / "vocab.txt"
    if vocabulary.exists() and vocabulary.read_text().split() != TOKENS:
        raise export.ExportError(f"{vocabulary}: not the ESM alphabet of 33 tokens")
    return esm_config(values)


def random_model(model, seed):
    config = esm_config(NAMES[model]) if model in NAMES else read_config(config_path(model))
    torch.manual_seed(seed)
    return transformers.EsmModel(config, add_pooling_layer=False)


def config_path(model):
    path = pathlib.Path(model)
    path = path / "config.json" if path.is_dir() else path
    if not path.exists():
        raise export.ExportError(f"{model}: neither a file nor one of {', '.join(NAMES)}")
    return path


def read_folder(folder):
    config = read_config(folder / "config.json")
    model, notes = transformers.EsmModel.from_pretrained(
        folder, config=config, add_pooling_layer=False, local_files_only=True,
        dtype=torch.float32, output_loading_info=True, ignore_mismatched_sizes=True)
    unfit = [*notes["missing_keys"], *(key for key, *_ in notes["mismatched_keys"])]
    unfit = sorted(k for k in unfit if "contact_head" not in k and "inv_freq" not in k)
    if unfit:
        raise export.ExportError(f"{folder}: the checkpoint lacks, or has in another size: "
                                 f"{', '.join(unfit[:5])}")
    return model


# fair-esm's names of parameters, and transformers'.
RENAMED = [
    (r"^(encoder\.)?(sentence_encoder\.)?", ""),
    (r"^embed_tokens\.", "embeddings.word_embeddings."),
    (r"^embed_positions\.", "embeddings.position_embeddings."),
    (r"^emb_layer_norm_before\.", "embeddings.layer_norm."),
    (r"^emb_layer_norm_after\.", "encoder.emb_layer_norm_after."),
    (r"^layers\.(\d+)\.", r"encoder.layer.\1."),
    (r"\.self_attn\.([qkv])_proj\.", r".attention.self.\1."),
    (r"\.self\.q\.", ".self.query."), (r"\.self\.k\.", ".self.key."),
    (r"\.self\.v\.", ".self.value."),
    (r"\.self_attn\.out_proj\.", ".attention.output.dense."),
    (r"\.self_attn_layer_norm\.", ".attention.LayerNorm."),
    (r"\.self_attn\.rot_emb\.inv_freq$", ".attention.self.rotary_embeddings.inv_freq"),
    (r"\.fc1\.", ".intermediate.dense."), (r"\.fc2\.", ".output.dense."),
    (r"\.final_layer_norm\.", ".LayerNorm."),
]


def rename(key):
    for pattern, replacement in RENAMED:
        key = re.sub(pattern, replacement, key)
    return key


def read_fair_esm(path):
    """A fair-esm checkpoint; loaded as data, so that it cannot run code."""
    with torch.serialization.safe_globals([argparse.Namespace]):
        try:
            stored = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises what its unpickler raises
            raise export.ExportError(f"{path}: not a plain fair-esm checkpoint: "
                                     f"{str(error).splitlines()[0]}") from error
    if not isinstance(stored, dict) or not isinstance(stored.get("model"), dict):
        raise export.ExportError(f"{path}: no 'model' inside: not a fair-esm checkpoint")
    state = {rename(k): v.float() for k, v in stored["model"].items()}
    state = {k: v for k, v in state.items()
             if k.startswith(("embeddings.", "encoder.layer.", "encoder.emb_layer_norm_after."))}
    settings = stored.get("cfg", {}).get("model") or stored.get("args") or {}
    settings = settings if isinstance(settings, dict) else vars(settings)

    layers = 1 + max((int(k.split(".")[2]) for k in state if k.startswith("encoder.layer.")),
                     default=-1)
    frequencies = state.get("encoder.layer.0.attention.self.rotary_embeddings.inv_freq")
    words = state.get("embeddings.word_embeddings.weight")
    if layers == 0 or words is None or "encoder.emb_layer_norm_after.weight" not in state:
        raise export.ExportError(f"{path}: the weights are not those of ESM-2, ESM-1v or ESM-1b")
    width = words.size(1)
    heads = next((settings[k] for k in ("encoder_attention_heads", "attention_heads")
                  if k in settings), None)
    if heads is None and frequencies is not None:
        heads = width // (2 * frequencies.numel())
    if heads is None:
        raise export.ExportError(f"{path}: says nothing of its number of attention heads")
    values = {**shape(layers, width, heads,
                      state["encoder.layer.0.intermediate.dense.weight"].size(0),
                      "rotary" if frequencies is not None else "absolute"),
              "vocab_size": words.size(0), "token_dropout": settings.get("token_dropout", True),
              "emb_layer_norm_before": "embeddings.layer_norm.weight" in state}
    positions = state.get("embeddings.position_embeddings.weight")
    if positions is not None:
        values["max_position_embeddings"] = positions.size(0)
    model = transformers.EsmModel(esm_config(values), add_pooling_layer=False)
    missing, unexpected = model.load_state_dict(state, strict=False)
    wrong = [k for k in [*missing, *unexpected] if "contact_head" not in k]
    if wrong:
        raise export.ExportError(f"{path}: parameters that do not fit: {', '.join(wrong[:5])}")
    return model


def load(arguments):
    """The model as transformers has it, and where its weights come from."""
    if arguments.random:
        return random_model(arguments.model, arguments.seed), f"random, seed {arguments.seed}"
    path = pathlib.Path(arguments.model)
    if path.is_dir():
        return read_folder(path), f"{path.name} (transformers)"
    if path.is_file() and path.suffix != ".json":
        return read_fair_esm(path), f"{path.name} (fair-esm)"
    if path.exists() or arguments.model in NAMES:
        raise export.ExportError(f"{arguments.model}: a configuration without weights: add --random "
                                 "for seeded random ones")
    raise export.ExportError(f"{arguments.model}: neither a folder nor a .pt file; one from the "
                             f"Hugging Face hub is fetched with: {export.beside_python('hf')} download "
                             "facebook/esm2_t33_650M_UR50D --local-dir esm2_650m")


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
