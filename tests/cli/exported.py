"""Small ESM models and their archives, and what archives are compared by."""

import json
import pathlib
import re
import sys

import pytest
import torch
import transformers
from transformers_folders import randomise

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))

from longhaul.export import esm as export_esm  # noqa: E402
from longhaul.export import esm_weights  # noqa: E402
from longhaul.export import shared as longhaul_export  # noqa: E402

LENGTHS = [1, 7, 30, 61]
KINDS = {
    "rotary": {"position_embedding_type": "rotary"},
    "learned": {"position_embedding_type": "absolute"},
    "learned with norm before": {"position_embedding_type": "absolute",
                                 "emb_layer_norm_before": True},
    "no token dropout": {"position_embedding_type": "rotary", "token_dropout": False},
}


@pytest.fixture(autouse=True)
def without_warm_up():
    """Compiling for every new shape, and threads for tiny matrices, would take most of the time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.jit.optimized_execution(False):
        yield
    torch.set_num_threads(threads)


def random_esm(kind):
    """A small EsmModel of which every parameter, norms and biases included, is random."""
    config = esm_weights.esm_config({"num_hidden_layers": 3, "hidden_size": 48,
                                    "num_attention_heads": 4, "intermediate_size": 96,
                                    **KINDS[kind]})
    return randomise(transformers.EsmModel(config, add_pooling_layer=False), matrices=0.3,
                     others=0.5)


def save_folder(model, path, **options):
    model.save_pretrained(path, **options)
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, "model_type": "esm"}))
    return path


def fair_esm_state(model):
    """The parameters by fair-esm's names, as its checkpoints hold them."""
    inside = {"attention.self.query": "self_attn.q_proj", "attention.self.key": "self_attn.k_proj",
              "attention.self.value": "self_attn.v_proj",
              "attention.output.dense": "self_attn.out_proj",
              "attention.LayerNorm": "self_attn_layer_norm", "intermediate.dense": "fc1",
              "output.dense": "fc2", "LayerNorm": "final_layer_norm"}
    outside = {"embeddings.word_embeddings": "embed_tokens",
               "embeddings.position_embeddings": "embed_positions",
               "embeddings.layer_norm": "emb_layer_norm_before",
               "encoder.emb_layer_norm_after": "emb_layer_norm_after"}
    state = {"encoder.sentence_encoder.lm_head.weight": torch.zeros(33, 48)}
    for key, value in model.state_dict().items():
        name, kind = key.rsplit(".", 1)
        layer = re.match(r"encoder\.layer\.(\d+)\.(.*)", name)
        if layer:
            name = f"layers.{layer[1]}.{inside[layer[2]]}"
        elif name in outside:
            name = outside[name]
        elif kind == "inv_freq":
            for i in range(model.config.num_hidden_layers):
                state[f"encoder.sentence_encoder.layers.{i}.self_attn.rot_emb.inv_freq"] = value
            continue
        else:
            continue
        state[f"encoder.sentence_encoder.{name}.{kind}"] = value
    return state


def export(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["export_esm.py", *map(str, arguments)])
    export_esm.main()
    return longhaul_export.load_archive(arguments[1])


def tokens_of(lengths, alphabet, low, high):
    """Random tokens with their mask, right-padded to the longest."""
    random = torch.Generator().manual_seed(3)
    width = max(lengths) + 2
    number = {token: i for i, token in enumerate(alphabet["tokens"])}
    tokens = torch.full((len(lengths), width), number[alphabet["pad"]])
    mask = torch.zeros(len(lengths), width, dtype=torch.int64)
    for row, length in enumerate(lengths):
        tokens[row, 0] = number[alphabet["prepend"]]
        tokens[row, 1:length + 1] = torch.randint(low, high, (length,), generator=random)
        tokens[row, length + 1] = number[alphabet["append"]]
        mask[row, :length + 2] = 1
    return tokens, mask


def greatest_difference(ours, theirs, mask):
    """Over what is not padding; a share of the greatest value where that is above 1."""
    difference = ((ours - theirs).abs() * mask.unsqueeze(-1)).max().item()
    return difference / max(1.0, theirs.abs().max().item())


def check_card(module, card, dimension):
    """Every field there, and the golden vectors are what the archive gives."""
    assert set(card) == {"card", "name", "modality", "method", "inputs", "output", "output_key",
                         "dimension", "max_tokens", "alphabet", "pooling", "normalize", "golden",
                         "source"}
    assert (card["card"], card["modality"], card["method"]) == (1, "sequence", "forward")
    assert card["inputs"] == [{"kind": "tokens", "dtype": "int64"},
                              {"kind": "mask", "dtype": "int64"}]
    assert (card["output"], card["dimension"], card["pooling"]) == ("tokens", dimension, "mean")
    assert all(card["source"][k] for k in ("weights", "licence", "exported_with"))
    alphabet = card["alphabet"]
    assert len(set(alphabet["tokens"])) == len(alphabet["tokens"])
    assert {alphabet[k] for k in ("pad", "unknown", "prepend", "append")} <= set(alphabet["tokens"])
    assert set(alphabet["allowed"]) <= set(alphabet["tokens"])
    assert len(card["golden"]) == 3
    assert len({len(g["input"]) for g in card["golden"]}) == 3
    for entry in card["golden"]:
        largest = max(map(abs, entry["vector"]))
        assert len(entry["vector"]) == dimension
        assert entry["tolerance"] == pytest.approx(1e-4 * max(1.0, largest))
        ids = [alphabet["tokens"].index(c) for c in entry["input"]]
        ids = [alphabet["tokens"].index(alphabet["prepend"]), *ids,
               alphabet["tokens"].index(alphabet["append"])]
        with torch.inference_mode():
            hidden = module(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.int64))[0]
        mean = hidden[1:-1].mean(0)
        assert (mean - torch.tensor(entry["vector"])).abs().max() < 2e-5


def check_rows_stand_alone(module, tokens, mask):
    """Each row has the bits that it has by itself."""
    with torch.inference_mode():
        together = module(tokens, mask)
        for row in range(len(tokens)):
            alone = module(tokens[row:row + 1], mask[row:row + 1])[0]
            used = mask[row].bool()
            assert torch.equal(alone[used], together[row][used])
