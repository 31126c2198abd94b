"""Archives equal transformers on the same weights, and their cards say all that a run needs."""

import argparse
import json
import math
import pathlib
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))

from longhaul.export import antiberty as export_antiberty  # noqa: E402
from longhaul.export import esm as export_esm  # noqa: E402
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
    config = export_esm.esm_config({"num_hidden_layers": 3, "hidden_size": 48,
                                    "num_attention_heads": 4, "intermediate_size": 96,
                                    **KINDS[kind]})
    model = transformers.EsmModel(config, add_pooling_layer=False).eval()
    random = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = 0.3 if parameter.dim() > 1 else 0.5
            parameter.copy_(torch.randn(parameter.shape, generator=random) * scale)
            if "norm" in name.lower() and name.endswith("weight"):
                parameter.add_(1.0)
    return model


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


@pytest.mark.parametrize("kind", KINDS)
def test_esm_archive_equals_transformers_with_padding_and_alone(kind, tmp_path, monkeypatch):
    model = random_esm(kind)
    module, card = export(monkeypatch, save_folder(model, tmp_path / "model"), tmp_path / "a.ts")
    tokens, mask = tokens_of(LENGTHS, card["alphabet"], 4, 29)
    with torch.inference_mode():
        theirs = model(input_ids=tokens, attention_mask=mask).last_hidden_state
        ours = module(tokens, mask)
        assert theirs.abs().max() > 1  # not a comparison of zeros
        assert greatest_difference(ours, theirs, mask) < 2e-5
        for row, length in enumerate(LENGTHS):
            alone = module(tokens[row:row + 1, :length + 2])
            assert (alone[0] - theirs[row, :length + 2]).abs().max() < 2e-5


def test_esm_masked_tokens_are_zeroed_and_the_rest_rescaled(tmp_path, monkeypatch):
    model = random_esm("rotary")
    module, card = export(monkeypatch, save_folder(model, tmp_path / "model"), tmp_path / "a.ts")
    tokens, mask = tokens_of(LENGTHS, card["alphabet"], 4, 29)
    tokens[2, [3, 9, 10]] = tokens[3, 5] = export_esm.MASK
    with torch.inference_mode():
        theirs = model(input_ids=tokens, attention_mask=mask).last_hidden_state
        assert greatest_difference(module(tokens, mask), theirs, mask) < 2e-5


@pytest.mark.parametrize("layer", [0, 1, 3, -1, -2])
def test_esm_layer_picks_that_hidden_state(layer, tmp_path, monkeypatch):
    model = random_esm("learned with norm before")
    module, card = export(monkeypatch, save_folder(model, tmp_path / "model"), tmp_path / "a.ts",
                          "--layer", layer)
    tokens, mask = tokens_of(LENGTHS, card["alphabet"], 4, 29)
    with torch.inference_mode():
        states = model(input_ids=tokens, attention_mask=mask, output_hidden_states=True)
        theirs = states.hidden_states[layer]
        assert greatest_difference(module(tokens, mask), theirs, mask) < 2e-5
    assert card["source"]["layer"] == layer % 4


@pytest.mark.parametrize("kind", ["rotary", "learned", "learned with norm before"])
def test_fair_esm_checkpoint_gives_the_same_encoder(kind, tmp_path, monkeypatch):
    model = random_esm(kind)
    if kind == "rotary":  # as checkpoints have them that were once held at half precision
        model.rotary_embeddings.inv_freq.copy_(model.rotary_embeddings.inv_freq.half().float())
        settings = {"cfg": {"model": argparse.Namespace(encoder_attention_heads=4)}}
    else:
        settings = {"args": argparse.Namespace(attention_heads=4, token_dropout=True)}
    torch.save({"model": fair_esm_state(model), **settings}, tmp_path / "esm.pt")
    module, card = export(monkeypatch, tmp_path / "esm.pt", tmp_path / "a.ts")
    tokens, mask = tokens_of(LENGTHS, card["alphabet"], 4, 29)
    with torch.inference_mode():
        theirs = model(input_ids=tokens, attention_mask=mask).last_hidden_state
        assert greatest_difference(module(tokens, mask), theirs, mask) < 2e-5
    assert card["name"] == "esm"


def test_pytorch_bin_folder_is_read(tmp_path, monkeypatch):
    model = random_esm("rotary")
    folder = save_folder(model, tmp_path / "model")
    (folder / "model.safetensors").unlink()
    torch.save({f"esm.{k}": v for k, v in model.state_dict().items()},
               folder / "pytorch_model.bin")
    module, card = export(monkeypatch, folder, tmp_path / "a.ts")
    tokens, mask = tokens_of(LENGTHS, card["alphabet"], 4, 29)
    with torch.inference_mode():
        theirs = model(input_ids=tokens, attention_mask=mask).last_hidden_state
        assert greatest_difference(module(tokens, mask), theirs, mask) < 2e-5


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


def test_esm_card_is_complete(tmp_path, monkeypatch):
    module, card = export(monkeypatch, "tiny", tmp_path / "a.ts", "--random", "--name", "soak")
    check_card(module, card, 32)
    assert card["name"] == "soak" and card["max_tokens"] == 1024
    assert len(card["alphabet"]["tokens"]) == 33
    assert sorted(card["alphabet"]["allowed"]) == sorted("ACDEFGHIKLMNPQRSTVWYXBUZO")


def test_max_tokens_can_be_lifted_for_rotary_positions_only(tmp_path, monkeypatch):
    _, card = export(monkeypatch, "tiny", tmp_path / "a.ts", "--random", "--max-tokens", 0)
    assert card["max_tokens"] is None
    with pytest.raises(longhaul_export.ExportError, match="1024 positions"):
        export(monkeypatch, "tiny_learned", tmp_path / "b.ts", "--random", "--max-tokens", 1025)


def test_learned_positions_reach_the_longest_input(tmp_path, monkeypatch):
    module, card = export(monkeypatch, "tiny_learned", tmp_path / "a.ts", "--random")
    tokens, mask = tokens_of([1022], card["alphabet"], 4, 29)
    with torch.inference_mode():
        assert module(tokens, mask).shape == (1, 1024, 32)


def test_rows_do_not_depend_on_their_batch(tmp_path, monkeypatch):
    module, card = export(monkeypatch, "tiny", tmp_path / "a.ts", "--random")
    tokens, mask = tokens_of([*LENGTHS, 40, 52, 8, 61], card["alphabet"], 4, 29)
    with torch.inference_mode():
        together = module(tokens, mask)
        for row in range(len(tokens)):
            alone = module(tokens[row:row + 1], mask[row:row + 1])[0]
            used = mask[row].bool()
            assert torch.equal(alone[used], together[row][used])


def test_archive_remembers_no_device_and_survives_conversion(tmp_path, monkeypatch):
    folder = save_folder(random_esm("rotary"), tmp_path / "model")
    module, card = export(monkeypatch, folder, tmp_path / "a.ts")
    tokens, mask = tokens_of([900], card["alphabet"], 4, 29)
    with torch.no_grad():
        wide = module(tokens, mask)[0]
        # Rounded rotary frequencies would be far off at the end of a long sequence.
        narrow = module.to(torch.bfloat16)(tokens, mask)[0].float()
        cosine = torch.nn.functional.cosine_similarity(wide, narrow, dim=-1)
        assert cosine[-100:].min() > 0.99
        abroad = torch.jit.load(str(tmp_path / "a.ts"), map_location="meta")
        elsewhere = abroad(tokens.to("meta"), mask.to("meta"))
        assert elsewhere.device.type == "meta" and elsewhere.shape == (1, 902, 48)


def test_graph_keeps_the_operators_that_are_optimised_at_load(antiberty):
    module, _ = longhaul_export.load_archive(antiberty)
    with torch.jit.optimized_execution(True), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = str(torch.jit.freeze(module).graph)
    counts = {op: len(re.findall(rf"aten::{op}\(", graph))
              for op in ("linear", "gelu", "layer_norm", "scaled_dot_product_attention")}
    assert counts == {"linear": 48, "gelu": 8, "layer_norm": 17,
                      "scaled_dot_product_attention": 8}
    assert "_native_multi_head_attention" not in graph
    assert "_transformer_encoder_layer_fwd" not in graph


def test_random_weights_follow_the_seed(tmp_path, monkeypatch):
    vectors = []
    for name, seed in [("a.ts", 1), ("b.ts", 1), ("c.ts", 2)]:
        _, card = export(monkeypatch, "tiny", tmp_path / name, "--random", "--seed", seed)
        vectors.append(card["golden"][0]["vector"])
    assert vectors[0] == vectors[1] != vectors[2]


class Payload:
    """What a malicious checkpoint would hold."""

    def __reduce__(self):
        return (pathlib.Path.touch, (pathlib.Path("executed"),))


def test_what_cannot_be_exported_is_refused_and_nothing_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = save_folder(random_esm("rotary"), tmp_path / "model")
    out = tmp_path / "a.ts"

    def refused(match, *arguments):
        with pytest.raises(longhaul_export.ExportError, match=match):
            export(monkeypatch, arguments[0], out, *arguments[1:])
        assert not list(tmp_path.glob("a.ts*"))

    refused("add --random", "esm2_8m")
    refused("neither a folder nor", "esm2_9m")
    refused("layers 0 to 3", folder, "--layer", "4")
    refused("layers 0 to 3", folder, "--layer", "-5")

    torch.save({"model": {"a": Payload()}}, "evil.pt")
    refused("not a plain fair-esm checkpoint", "evil.pt")
    assert not pathlib.Path("executed").exists()
    torch.save({"model": {"lm_head.weight": torch.zeros(2)}}, "other.pt")
    refused("not those of ESM", "other.pt")
    state = fair_esm_state(random_esm("rotary"))
    del state["encoder.sentence_encoder.layers.1.fc1.bias"]
    torch.save({"model": state}, "lacking.pt")
    refused("do not fit", "lacking.pt")

    (folder / "vocab.txt").write_text("\n".join(reversed(export_esm.TOKENS)))
    refused("not the ESM alphabet", folder)
    (folder / "vocab.txt").unlink()
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": 40}))
    refused("vocab_size is 40", folder)
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "bert"}))
    refused("not 'esm'", folder)
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 4}))
    refused("lacks", folder)


def take_altered(module, source):
    """Off by a part in a thousand, as a wrong scale or a swapped vector might be."""
    for name, parameter in source.named_parameters(recurse=False):
        setattr(module, name, torch.nn.Parameter(parameter.detach() * 1.001))


def test_a_wrong_export_is_caught_and_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(longhaul_export, "take", take_altered)
    folder = save_folder(random_esm("rotary"), tmp_path / "model")
    with pytest.raises(longhaul_export.ExportError, match="must not be used"):
        export(monkeypatch, folder, tmp_path / "a.ts")
    assert not list(tmp_path.glob("a.ts*"))


def test_the_command_says_what_it_wrote(tmp_path):
    done = subprocess.run([sys.executable, ROOT / "scripts/export_esm.py", "--random", "tiny",
                           tmp_path / "a.ts"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r"a\.ts: tiny, 32 dimensions, .*\n.* difference from transformers \d",
                     done.stdout)
    assert all(len(line) <= 80 for line in done.stdout.splitlines()
               if not line.startswith(str(tmp_path)))
    told = re.search(r"least cosine with fp32: bf16 ([\d.]+), fp16 ([\d.]+)\n", done.stdout)
    assert min(map(float, told.groups())) >= 0.999


def test_a_failure_is_one_line_and_no_traceback(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["export_esm.py", "nothing", str(tmp_path / "a.ts")])
    with pytest.raises(SystemExit) as ended:
        longhaul_export.run(export_esm.main)
    assert ended.value.code.startswith("export_esm.py: nothing: neither a folder nor a .pt file")
    assert "\n" not in ended.value.code and "hf download facebook/esm2" in ended.value.code


@pytest.fixture(scope="module")
def bert():
    model, _ = export_antiberty.load_reference(export_antiberty.fetch_wheel(ROOT / ".cache"))
    return model


def test_antiberty_equals_transformers(antiberty, bert):
    module, card = longhaul_export.load_archive(antiberty)
    for lengths in [[*LENGTHS, 120], [510]]:
        tokens, mask = tokens_of(lengths, card["alphabet"], 5, 25)
        with torch.inference_mode():
            theirs = bert(input_ids=tokens, attention_mask=mask).last_hidden_state
            assert theirs.abs().max() > 1
            assert greatest_difference(module(tokens, mask), theirs, mask) < 1e-5


def test_antiberty_card_is_complete(antiberty):
    module, card = longhaul_export.load_archive(antiberty)
    check_card(module, card, 512)
    assert card["max_tokens"] == 512 and card["source"]["licence"] == "MIT"
    # The vocabulary has no X: it is the unknown token to this model, which a user must ask for.
    assert sorted(card["alphabet"]["allowed"]) == sorted(longhaul_export.AMINO_ACIDS)


def test_antiberty_rows_do_not_depend_on_their_batch(antiberty):
    module, card = longhaul_export.load_archive(antiberty)
    tokens, mask = tokens_of([118, 120, 97, 120, 64, 119], card["alphabet"], 5, 25)
    with torch.inference_mode():
        together = module(tokens, mask)
        for row in range(len(tokens)):
            alone = module(tokens[row:row + 1], mask[row:row + 1])[0]
            used = mask[row].bool()
            assert torch.equal(alone[used], together[row][used])


def test_altered_wheel_is_refused(tmp_path):
    (tmp_path / export_antiberty.WHEEL).write_bytes(b"something else")
    with pytest.raises(longhaul_export.ExportError, match="SHA-256"):
        export_antiberty.fetch_wheel(tmp_path)


def test_golden_vectors_are_finite_and_distinct(antiberty):
    _, card = longhaul_export.load_archive(antiberty)
    vectors = [g["vector"] for g in card["golden"]]
    assert all(math.isfinite(v) for vector in vectors for v in vector)
    assert vectors[0] != vectors[1] != vectors[2]


def test_rotary_positions_are_one_operator_and_change_rounding_only(longhaul, tiny_model, tmp_path):
    data = tmp_path / "in.csv"
    data.write_text("id,sequence\n" + "".join(f"r{i},{'ACDEFGHIKLMNPQRSTVWY' * i}\n"
                                              for i in range(1, 8)))
    vectors = {}
    for kernels in ("mkl", "onednn"):
        out = tmp_path / kernels
        assert longhaul("embed", tiny_model, data, "-o", out, "--cpu-kernels", kernels).code == 0
        vectors[kernels] = np.load(out / "embeddings.npy")
    session = json.loads((tmp_path / "onednn" / "run.json").read_text())["sessions"][-1]
    assert session["encoder"]["kernels"]["fused"]["rotation"] == 4  # query and key of two layers
    assert np.abs(vectors["mkl"] - vectors["onednn"]).max() < 1e-5
