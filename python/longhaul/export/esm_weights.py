"""ESM's alphabet, its configurations and its checkpoints: what transformers or fair-esm stored, as a
model of transformers."""

import argparse
import json
import pathlib
import re

import torch
import transformers

from longhaul.export import shared as export

TOKENS = ("<cls> <pad> <eos> <unk> L A G V S E R T I D P K Q N F Y M H W C X B U Z O . - "
          "<null_1> <mask>").split()
PAD, MASK = TOKENS.index("<pad>"), TOKENS.index("<mask>")
ALPHABET = {"tokens": TOKENS, "pad": "<pad>", "unknown": "<unk>", "prepend": "<cls>",
            "append": "<eos>", "allowed": export.AMINO_ACIDS + "XBUZO"}


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
