"""Exports a folder in transformers' format as a TorchScript archive with a card.

FOLDER holds config.json, the weights (safetensors or bin) and the files of its tokenizer or image
processor:
  proteins  T5 encoders (ProtT5, ProstT5, Ankh), BERT (ProtBERT), RoBERTa, ELECTRA;
            ESM is handed to the exporter of its own
  images    DINOv2, ViT, and the vision towers of SigLIP and CLIP

The archive is compared with transformers' own model on the same weights before it is used.
"""

import argparse
import json
import pathlib
import sys

import torch
import transformers

from longhaul.export import encoders, esm, images, towers
from longhaul.export import shared as export
from longhaul.export import tokenizer as tokenizers

ENCODERS = {"t5": transformers.T5EncoderModel, "bert": transformers.BertModel,
            "roberta": transformers.RobertaModel, "electra": transformers.ElectraModel}


def read_config(folder):
    try:
        values = json.loads((folder / "config.json").read_text())
    except FileNotFoundError:
        raise export.ExportError(f"{folder}: no config.json: not a folder in transformers' format; "
                                 "one from the Hugging Face hub is fetched with: "
                                 f"{export.beside_python('hf')} download OWNER/NAME --local-dir FOLDER") from None
    except ValueError as error:
        raise export.ExportError(f"{folder}/config.json: not JSON: {error}") from None
    kind = values.get("model_type") if isinstance(values, dict) else None
    if kind not in {*ENCODERS, *towers.OWN_VECTOR, "esm"}:
        raise export.ExportError(f"{folder}: a model of type {kind!r}; known here are "
                                 f"{', '.join([*ENCODERS, *towers.OWN_VECTOR])}")
    return values


def read_model(folder, read, **options):
    """transformers' model at float32, complete; `read` is its config.json."""
    kind = read["model_type"]
    cls = ENCODERS.get(kind) or towers.model_class(kind, read.get("architectures") or ())
    if kind in ("bert", "roberta", "vit"):
        options["add_pooling_layer"] = False
    if kind == "clip":
        options["config"] = towers.clip_config(folder)
    try:
        model, notes = cls.from_pretrained(
            folder, local_files_only=True, dtype=torch.float32, output_loading_info=True,
            ignore_mismatched_sizes=True, **options)
    except Exception as error:  # whatever the libraries behind it raise
        raise export.ExportError(f"{folder}: cannot be loaded: "
                                 f"{str(error).strip().splitlines()[0]}") from error
    unfit = sorted([*notes["missing_keys"], *(key for key, *_ in notes["mismatched_keys"])])
    if unfit:
        raise export.ExportError(f"{folder}: the checkpoint lacks, or has in another size: "
                                 f"{', '.join(unfit[:5])}")
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model.eval()


def source_of(arguments, layers):
    return {"weights": f"{arguments.folder.resolve().name} (transformers)",
            "licence": arguments.licence or "unknown", **layers,
            "library": f"transformers {transformers.__version__}",
            "exported_with": f"export_transformers.py, torch {torch.__version__}"}


def export_sequences(arguments, read):
    model = read_model(arguments.folder, read, attn_implementation="eager")
    config = model.config
    encoders.check_config(config)
    layers = export.chosen_layers(arguments, encoders.layer_count(config))
    tokenizer = tokenizers.load(arguments.folder)
    alphabet = tokenizers.alphabet(tokenizer, arguments.rare, arguments.prepend)
    if len(alphabet["tokens"]) > config.vocab_size:
        raise export.ExportError(f"{arguments.folder}: the tokenizer has "
                                 f"{len(alphabet['tokens'])} tokens, the model {config.vocab_size}")
    room = encoders.most_tokens(config)
    limit = room if arguments.max_tokens is None else arguments.max_tokens or None
    if room and not 0 < (limit or 0) <= room:
        raise export.ExportError(f"--max-tokens {arguments.max_tokens}: this model has {room} "
                                 "positions")
    several = {"layers": layers} if arguments.layers else {"layer": layers[0]}
    card = export.sequence_card(arguments.name, config.hidden_size, limit, alphabet,
                                source_of(arguments, several))
    if arguments.layers:
        card = export.layered_card(card, layers)

    reference = export.hidden_states(model, layers, bool(arguments.layers))
    with torch.inference_mode(False):
        make = encoders.EncoderLayers if arguments.layers else encoders.Encoder
        module = make(model, layers)
    export.finish(module, card, reference, arguments.out)
    if "replace" in alphabet:
        print(f"{', '.join(alphabet['replace'])} are read as X; --rare own: as themselves")


def export_images(arguments, read):
    kind = read["model_type"]
    model = read_model(arguments.folder, read, attn_implementation="sdpa")
    vector = towers.chosen_vector(arguments, kind)
    layers = export.chosen_layers(arguments, towers.vision_config(model.config).num_hidden_layers)
    spec = towers.image_spec(arguments.folder)
    towers.check_size(model, spec["size"])
    tower = towers.Tower(model, layers, vector, bool(arguments.layers))
    with torch.inference_mode():
        sample = torch.rand(2, 3, spec["size"], spec["size"]) - 0.5
        before = export.listed(tower(sample))
        towers.fix_positions(model, spec["size"])
        after = export.listed(tower(sample))
    if not all(torch.allclose(*pair, atol=1e-5) for pair in zip(before, after)):
        raise export.ExportError(f"{arguments.folder}: its positions cannot be fixed for "
                                 f"{spec['size']} pixels")
    several = {"layers": layers} if arguments.layers else {"layer": layers[0]}
    card = images.image_card(arguments.name, spec, "l2" if vector == "head" else "none",
                             source_of(arguments, {**several, "vector": vector}))
    images.finish(tower, card, arguments.out, layers=layers if arguments.layers else None)


def parse(given):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="FOLDER", type=pathlib.Path)
    parser.add_argument("out", metavar="OUT.ts", nargs="?")
    parser.add_argument("-o", "--output", metavar="OUT.ts", help="the same, as a flag")
    export.add_layers(parser, "; the last has the model's last norm")
    parser.add_argument("--max-tokens", type=int, metavar="N",
                        help="proteins: longest input, special tokens included (default: as many "
                        "as the model has positions; T5 takes any length)")
    parser.add_argument("--rare", choices=("x", "own"), default="x",
                        help="proteins: B, O, U and Z are read as X, as ProtT5's and ProtBERT's "
                        "authors say (default), or as themselves")
    parser.add_argument("--prepend", metavar="TOKEN",
                        help="proteins: a token before the first residue (default: ProstT5's "
                        "<AA2fold> where there is one; '' for none)")
    parser.add_argument("--vector", choices=("head", "cls", "mean"),
                        help="images: what the model's own head makes (SigLIP, CLIP: default), the "
                        "class token (others), or the mean of all patches")
    parser.add_argument("--name", help="name in the card (default: the folder's)")
    parser.add_argument("--licence", help="licence of the weights, for the card")
    arguments = parser.parse_args(given)
    if (arguments.out is None) == (arguments.output is None):
        parser.error("give OUT.ts once")
    arguments.out = arguments.out or arguments.output
    arguments.name = arguments.name or arguments.folder.resolve().name
    return arguments


def main(given=None):
    given = sys.argv[1:] if given is None else given
    arguments = parse(given)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    read = read_config(arguments.folder)
    kind = read["model_type"]
    if kind == "esm":
        return esm.main(esm_arguments(arguments))
    return (export_sequences if kind in ENCODERS else export_images)(arguments, read)


def esm_arguments(arguments):
    """The same for the exporter of ESM."""
    for flag, usual in (("rare", "x"), ("prepend", None), ("vector", None)):
        if getattr(arguments, flag) != usual:
            raise export.ExportError(f"--{flag} has no meaning with an ESM model: leave it out")
    passed = [str(arguments.folder), str(arguments.out), "--name", arguments.name,
              "--layer", str(arguments.layer)]
    for flag in ("layers", "max_tokens", "licence"):
        if getattr(arguments, flag) is not None:
            passed += [f"--{flag.replace('_', '-')}", str(getattr(arguments, flag))]
    return passed
