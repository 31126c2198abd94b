"""Archives of ESM equal transformers on the same weights, and their cards say all that a run
needs."""

import argparse
import json
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from exported import (KINDS, LENGTHS, ROOT, check_card, check_rows_stand_alone, esm_weights, export,
                      export_esm, fair_esm_state, greatest_difference, longhaul_export, random_esm,
                      save_folder, tokens_of, without_warm_up)  # noqa: F401


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
    tokens[2, [3, 9, 10]] = tokens[3, 5] = esm_weights.MASK
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
    check_rows_stand_alone(module, tokens, mask)


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

    (folder / "vocab.txt").write_text("\n".join(reversed(esm_weights.TOKENS)))
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
