"""Folders in transformers' format, embedded by the program, equal transformers' own modules with
their own tokenizers and image processors."""

import json
import pathlib
import random
import re
import shutil
import sys

import numpy as np
import pandas
import pytest
import torch
import transformers
from PIL import Image

import transformers_folders as folders
from fake_run import LONG

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))

from longhaul.export import transformers_folders as export_transformers  # noqa: E402
from longhaul.export import shared as longhaul_export  # noqa: E402

LENGTHS = [1, 2, 7, 30, 61, 61, 128, 129, 300, 777]
SEQUENCES = {"t5": folders.t5, "ankh": folders.ankh, "bert": folders.bert,
             "roberta": folders.roberta, "electra": folders.electra}
LETTER_BY_LETTER = ("ankh", "roberta")  # others' authors ask for spaces between residues


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("transformers")


@pytest.fixture(scope="module")
def made(place):
    """Folder and archive of a kind, made once."""
    known = {}

    def make(name, *flags, build=None):
        if (name, *flags) not in known:
            folder = place / name
            if not folder.exists():
                (build or SEQUENCES[name])(folder)
            archive = place / f"{name}{''.join(flags)}.ts"
            export_transformers.main([str(folder), str(archive), *flags])
            known[name, *flags] = folder, archive
        return known[name, *flags]
    return make


@pytest.fixture(scope="module")
def records(place):
    """Sequences of unlike lengths, some with the rare residues, and the CSV that holds them."""
    source = random.Random(7)
    sequences = ["".join(source.choice("ACDEFGHIKLMNPQRSTVWY") for _ in range(n)) for n in LENGTHS]
    sequences += ["MKBTZOUX", "uzobACDX"]
    path = place / "in.csv"
    path.write_text("id,sequence\n" + "".join(f"r{i},{s}\n" for i, s in enumerate(sequences)))
    return sequences, path


def expected_states(folder, sequences, layers):
    """Hidden states of each sequence without special tokens, as the models' own cards say: rare
    residues as X, spaces between where the tokenizer asks for them, batches of different lengths."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel
    if json.loads((folder / "config.json").read_text())["model_type"] == "t5":
        model = transformers.T5EncoderModel
    model = model.from_pretrained(folder).eval()
    between = "" if folder.name in LETTER_BY_LETTER else " "
    states = []
    for first in range(0, len(sequences), 4):
        texts = [between.join(re.sub("[UZOB]", "X", s.upper())) for s in sequences[first:first + 4]]
        batch = tokenizer(texts, padding=True, return_tensors="pt")
        with torch.inference_mode():
            given = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"],
                          output_hidden_states=True).hidden_states
        special = batch["attention_mask"].sum(1) - torch.tensor(
            [len(s) for s in sequences[first:first + 4]])
        for row, sequence in enumerate(sequences[first:first + 4]):
            skip = int(special[row]) - 1
            states.append([given[layer][row, skip:skip + len(sequence)].numpy()
                           for layer in layers])
    return states


def close(ours, theirs, limit):
    """To `limit`, a share of the greatest value where that is above 1."""
    difference = np.abs(np.asarray(ours, np.float64) - theirs).max()
    return difference <= limit * max(1.0, np.abs(theirs).max())


def long(*names):
    """Kinds that differ from the others in a detail."""
    return [pytest.param(name, marks=pytest.mark.skipif(not LONG, reason="--long"))
            for name in names]


@pytest.mark.parametrize("name", ["t5", "ankh", "bert", "roberta", *long("electra")])
def test_residues_and_means_are_those_of_transformers(name, longhaul, made, records, tmp_path):
    folder, archive = made(name)
    sequences, path = records
    if name == "roberta":  # whose vocabulary has X alone, but reads the others as it all the same
        assert "B" not in longhaul_export.load_archive(archive)[1]["alphabet"]["tokens"]
    expected = expected_states(folder, sequences, [-1])
    vectors = []
    for batch in (1, 64):
        out = tmp_path / f"b{batch}"
        done = longhaul("embed", archive, path, "-o", out, "-b", batch, "--tokens",
                        "--tokens-dtype", "fp32", "-q")
        assert done.code == 0, done
        vectors.append(np.load(out / "embeddings.npy"))
        tokens, offsets = np.load(out / "tokens.npy"), np.load(out / "token_offsets.npy")
        assert np.abs(tokens).max() > 1  # not a comparison of zeros
        for row, (states,) in enumerate(expected):
            assert close(tokens[offsets[row]:offsets[row + 1]], states, 1e-5), row
            assert close(vectors[-1][row], states.astype(np.float64).mean(0), 1e-5), row
        run = json.loads((out / "run.json").read_text())
        assert run["bits"] == "exact" and run["contract"], run["contract"]
    assert np.array_equal(*vectors)
    table = pandas.read_csv(tmp_path / "b1" / "records.csv")
    assert table.substituted.tolist() == [0] * len(LENGTHS) + [4, 4]


@pytest.mark.parametrize("name", ["t5", "bert"])
def test_layers_of_one_pass_are_transformers_hidden_states(name, longhaul, made, records, tmp_path):
    folder, archive = made(name, "--layers", "0,2,-1")
    sequences, path = records
    done = longhaul("embed", archive, path, "-o", tmp_path / "out", "-q",
                    *("--layer", 3, "--layer", 0, "--layer", 2))
    assert done.code == 0, done
    given = [np.load(tmp_path / "out" / f"embeddings{n}.npy") for n in ("", ".0", ".2")]
    for row, states in enumerate(expected_states(folder, sequences, [3, 0, 2])):
        for ours, theirs in zip(given, states, strict=True):
            assert close(ours[row], theirs.astype(np.float64).mean(0), 1e-5), row


def test_t5_at_bfloat16_is_near_and_at_float16_refused_where_it_overflows(
        longhaul, made, records, tmp_path, capsys):
    def build(folder):
        folders.t5(folder)
        model = transformers.T5EncoderModel.from_pretrained(folder)
        with torch.no_grad():
            for block in model.encoder.block:
                block.layer[1].DenseReluDense.wo.weight.mul_(3e4)
        model.save_pretrained(folder)

    _, archive = made("overflowing", build=build)
    assert "fp16 nan: too little, not to be used" in capsys.readouterr().out
    _, path = records
    refused = longhaul("embed", archive, path, "-o", tmp_path / "half", "--dtype", "fp16", "-q")
    assert refused.code == 65 and "drift" in refused.err, refused
    assert refused.err.strip().endswith("use --dtype fp32 or bf16")
    done = [longhaul("embed", archive, path, "-o", tmp_path / dtype, "--dtype", dtype, "-q").code
            for dtype in ("fp32", "bf16")]
    assert done == [0, 0]
    exact, near = (np.load(tmp_path / d / "embeddings.npy").astype(float) for d in ("fp32", "bf16"))
    cosine = (exact * near).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(near, axis=1)
    assert cosine.min() > 0.99


def test_rare_residues_may_keep_their_own_tokens(made):
    _, archive = made("bert", "--rare", "own")
    alphabet = longhaul_export.load_archive(archive)[1]["alphabet"]
    assert set("BOUZX") < set(alphabet["allowed"]) and "replace" not in alphabet


def test_a_token_may_be_put_before(made, longhaul, records, tmp_path, place):
    folder = shutil.copytree(made("t5")[0], tmp_path / "prostt5")
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "T5Tokenizer", "do_lower_case": False, "extra_ids": 99,
         "additional_special_tokens": [*(f"<extra_id_{i}>" for i in range(99)), "<AA2fold>"]}))
    export_transformers.main([str(folder), str(tmp_path / "prost.ts")])
    card = longhaul_export.load_archive(tmp_path / "prost.ts")[1]
    assert card["alphabet"]["prepend"] == "<AA2fold>"
    export_transformers.main([str(folder), str(tmp_path / "bare.ts"), "--prepend", ""])
    assert longhaul_export.load_archive(tmp_path / "bare.ts")[1]["alphabet"]["prepend"] is None
    _, archive = made("t5", "--prepend", "<extra_id_3>")
    card = longhaul_export.load_archive(archive)[1]
    assert card["alphabet"]["prepend"] == "<extra_id_3>" and card["alphabet"]["append"] == "</s>"
    assert longhaul("embed", archive, records[1], "-o", tmp_path / "o", "-q").code == 0


def test_t5_takes_any_length_and_bert_as_many_tokens_as_it_has_positions(made, longhaul, tmp_path):
    path = tmp_path / "long.csv"
    path.write_text(f"sequence\n{'MKLV' * 500}\n")
    assert longhaul("embed", made("t5")[1], path, "-o", tmp_path / "t5", "-q").code == 0
    for name in ("bert", "roberta"):
        assert longhaul_export.load_archive(made(name)[1])[1]["max_tokens"] == 900
        done = longhaul("embed", made(name)[1], path, "-o", tmp_path / name, "-q")
        assert done.code == 65 and "too_long" in (tmp_path / name / "rejects.csv").read_text()


def test_esm_is_handed_to_its_own_exporter(place, monkeypatch, capsys):
    from longhaul.export import esm as export_esm
    export_esm.main(["--random", "tiny", str(place / "a.ts"), "--save-transformers",
                     str(place / "esm")])
    export_transformers.main([str(place / "esm"), "-o", str(place / "b.ts"), "--layers", "1,2"])
    card = longhaul_export.load_archive(place / "b.ts")[1]
    assert card["name"] == "esm" and "export_esm.py" in card["source"]["exported_with"]
    assert [output["name"] for output in card["outputs"]] == ["1", "2"]


def refusal(capsys, *arguments):
    with pytest.raises((longhaul_export.ExportError, SystemExit)) as ended:
        export_transformers.main([str(a) for a in arguments])
    return str(ended.value) + capsys.readouterr().err


def changed(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_what_cannot_be_exported_is_said(made, place, tmp_path, capsys):
    out = tmp_path / "x.ts"
    bert = shutil.copytree(made("bert")[0], tmp_path / "bert")
    (bert / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "house"]))
    assert "20 amino acids" in refusal(capsys, bert, out)
    (bert / "vocab.txt").unlink()
    assert "token" in refusal(capsys, bert, out)
    short = shutil.copytree(made("bert")[0], tmp_path / "short")
    changed(short / "config.json", num_hidden_layers=4)
    assert "lacks, or has in another size: encoder.layer.3" in refusal(capsys, short, out)
    other = shutil.copytree(made("bert")[0], tmp_path / "other")
    changed(other / "config.json", model_type="gpt2")
    assert "'gpt2'; known here are t5, bert" in refusal(capsys, other, out)
    assert "no config.json" in refusal(capsys, tmp_path, out)
    assert "give OUT.ts once" in refusal(capsys, made("bert")[0], out, "-o", out) + "give OUT.ts once"
    assert "900 positions" in refusal(capsys, made("bert")[0], out, "--max-tokens", 901)
    assert "no such token" in refusal(capsys, made("bert")[0], out, "--prepend", "<x>")
    assert "layers 0 to 3" in refusal(capsys, made("bert")[0], out, "--layers", "4")
    assert not out.exists()


# --- images

IMAGES = {"dinov2": folders.dinov2, "dinov2 registers": lambda f: folders.dinov2(f, True),
          "dinov2 swiglu": lambda f: folders.dinov2(f, use_swiglu_ffn=True),
          "siglip": folders.siglip, "clip": folders.clip,
          "clip tower": folders.clip_tower, "vit": folders.vit}


@pytest.fixture(scope="module")
def photos(place):
    """PNGs of odd sizes, in order: what transformers reads is what the program reads."""
    from image_files import picture
    folder = place / "photos"
    folder.mkdir()
    for i, size in enumerate([(33, 33), (34, 61), (35, 36), (300, 201), (47, 200), (38, 33)]):
        Image.fromarray(picture(*size, i)).save(folder / f"{i}.png")
    return sorted(folder.iterdir())


def processed(folder, paths, backend):
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend=backend)
    return processor([Image.open(p).convert("RGB") for p in paths],
                     return_tensors="pt")["pixel_values"]


def vision_model(folder, name):
    if name == "siglip":
        return transformers.SiglipModel.from_pretrained(folder).vision_model.eval()
    if name == "clip tower":
        return transformers.CLIPVisionModelWithProjection.from_pretrained(folder).eval()
    if name == "clip":
        return transformers.CLIPModel.from_pretrained(folder).eval()
    return transformers.AutoModel.from_pretrained(folder).eval()


def own_vectors(model, name, pixels):
    """What the models' own cards take as an image's vector."""
    with torch.inference_mode():
        if name == "clip":
            given = model.get_image_features(pixel_values=pixels)
            given = getattr(given, "pooler_output", given)
        elif name == "clip tower":
            given = model(pixel_values=pixels).image_embeds
        else:
            given = model(pixel_values=pixels)
            given = given.pooler_output if name == "siglip" else given.last_hidden_state[:, 0]
        return (given / given.norm(dim=1, keepdim=True)
                if name in ("siglip", "clip", "clip tower") else given).numpy()


@pytest.mark.parametrize("name", ["dinov2", "dinov2 registers", "siglip", "clip tower",
                                  *long("dinov2 swiglu", "clip", "vit")])
def test_images_are_embedded_as_by_transformers(name, longhaul, made, photos, tmp_path):
    folder, archive = made(name, build=IMAGES[name])
    done = longhaul("embed", archive, photos[0].parent, "-o", tmp_path / "out", "-q")
    assert done.code == 0, done
    ours = np.load(tmp_path / "out" / "embeddings.npy")
    model = vision_model(folder, name)
    theirs = own_vectors(model, name, processed(folder, photos, "pil"))
    assert theirs.std(0).max() > 0.02  # images are told apart
    assert close(ours, theirs, 1e-4)
    # The other backend resamples without Pillow, to a level of 255 or so.
    fast = own_vectors(model, name, processed(folder, photos, "torchvision"))
    assert np.abs(fast - ours).max() < 0.1 * np.abs(ours).max()
    assert json.loads((tmp_path / "out" / "run.json").read_text())["bits"] == "exact"


@pytest.mark.parametrize("name", ["dinov2", "siglip"])
def test_layers_and_means_of_patches(name, longhaul, made, photos, tmp_path):
    folder, archive = made(name, "--layers", "1,3", "--vector", "mean", build=IMAGES[name])
    done = longhaul("embed", archive, photos[0].parent, "-o", tmp_path / "out", "-q", "--layer", 3,
                    "--layer", 1)
    assert done.code == 0, done
    with torch.inference_mode():
        given = vision_model(folder, name)(pixel_values=processed(folder, photos, "pil"),
                                           output_hidden_states=True)
    first = 0 if name == "siglip" else 1
    for file, states in (("", given.last_hidden_state), (".1", given.hidden_states[1])):
        ours = np.load(tmp_path / "out" / f"embeddings{file}.npy")
        assert close(ours, states[:, first:].mean(1).numpy(), 1e-4), file


@pytest.mark.parametrize("name", ["dinov2", "clip", "siglip"])  # two with numbers of positions
def test_half_types_of_towers(name, longhaul, made, photos, tmp_path):
    vectors = {}
    for dtype in ("fp32", *(("bf16", "fp16") if LONG else ("bf16",))):
        done = longhaul("embed", made(name, build=IMAGES[name])[1], photos[0].parent, "-o",
                        tmp_path / dtype, "--dtype", dtype, "-q")
        assert done.code == 0, done
        vectors[dtype] = np.load(tmp_path / dtype / "embeddings.npy")
    for dtype, given in vectors.items():
        apart = np.abs(given - vectors["fp32"]).max()
        assert dtype == "fp32" or 0 < apart < (0.1 if dtype == "bf16" else 0.02)


@pytest.mark.parametrize("values, said", [
    ({"resample": 1}, "resample 1"), ({"do_resize": False}, "do_resize"),
    ({"do_rescale": False}, "do_rescale"), ({"do_center_crop": False}, "has no equal"),
    ({"crop_size": {"height": 30, "width": 28}}, "has no equal"),
    ({"crop_size": {"height": 42, "width": 42}}, "has no equal"),
    ({"size": {"shortest_edge": 30, "longest_edge": 40}}, "has no equal"),
    ({"crop_size": {"height": 30, "width": 30}}, "patch of 14")])
def test_a_preprocessing_that_a_card_cannot_say_is_refused(values, said, made, tmp_path, capsys):
    folder = shutil.copytree(made("dinov2", build=folders.dinov2)[0], tmp_path / "m")
    changed(folder / "preprocessor_config.json", **values)
    assert said in refusal(capsys, folder, tmp_path / "x.ts")


def test_vectors_that_a_tower_does_not_have_are_refused(made, tmp_path, capsys):
    out = tmp_path / "x.ts"
    dino = made("dinov2", build=folders.dinov2)[0]
    assert "only SigLIP and CLIP" in refusal(capsys, dino, out, "--vector", "head")
    siglip = made("siglip", build=folders.siglip)[0]
    assert "no class token" in refusal(capsys, siglip, out, "--vector", "cls")
    assert "only SigLIP" in refusal(capsys, siglip, out, "--vector", "head", "--layers", "1,2")
    (shutil.copytree(dino, tmp_path / "m") / "preprocessor_config.json").unlink()
    assert "preprocessor_config.json" in refusal(capsys, tmp_path / "m", out)
