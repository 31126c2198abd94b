"""A remedy is a promise: messages about models, cards and devices, followed with real archives."""

import json
import re
import shutil
import subprocess
import sys

import pytest
import torch
from conftest import ROOT

from remedies import Trial, cannot_follow, follows

CARD = "lib/encode/card"
KIND = "lib/encode/model_kind.cpp"
FILE = "lib/encode/model_file.cpp"
BENCH = "apps/longhaul/bench.cpp"
ENCODER = "lib/torch/encoder/torchscript_encoder.cpp"
PROGRAM = "lib/torch/encoder/script_program.cpp"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    subprocess.run([sys.executable, "-W", "ignore", ROOT / "tests/torch/make_models.py", folder],
                   check=True)
    return folder


@pytest.fixture
def t(longhaul, models, tmp_path):
    trial = Trial(longhaul, tmp_path)
    trial.models = models
    trial.model = models / "plain.ts"
    return trial


def card_of(t, model):
    return json.loads(t.program("inspect", model, "--json").out)["card"]


def with_card(t, card):
    t.write("card.json", card if isinstance(card, str) else json.dumps(card))
    return ["--device", "cpu", "--card", t.folder / "card.json"]


def followed(t, code, remedy, wrong, right, *flags):
    """Refused with one card, embedded with the other."""
    t.fails(code, remedy, *t.embed(*with_card(t, wrong), *flags))
    t.works(*t.embed(*with_card(t, right), *flags))
    shutil.rmtree(t.out)


@follows(CARD, "where_ + ", "where + ")
def test_a_card_is_corrected_or_drafted(t):
    card = card_of(t, t.model)
    remedy = "correct the card, or draft one with: longhaul inspect MODEL --draft-card"
    followed(t, 65, remedy, {**card, "dimension": None}, card)
    followed(t, 65, remedy, {**card, "colour": "red"}, card)
    followed(t, 65, remedy, "{not json", card)
    drafted = json.loads(t.works("inspect", t.model, "--draft-card").out)
    assert drafted["dimension"] == card["dimension"]


@follows("lib/encode/golden.cpp", "golden input")
@follows("lib/encode/model_checks.cpp", "is missed by")
def test_golden_vectors(t):
    card = card_of(t, t.model)
    golden = card["golden"]
    bad = {**card, "golden": [{**golden[0], "input": "AC?"}]}
    followed(t, 65, "correct the card's golden vectors, or remove them", bad, card)
    followed(t, 65, "or remove them", bad, {**card, "golden": []})
    wrong = t.folder / "wrong.ts"
    shutil.copy(t.models / "wrong_golden.ts", wrong)
    good, t.model = t.model, wrong
    t.fails(65, "export or copy it again", *t.embed())
    shutil.copy(good, wrong)
    t.works(*t.embed())


@follows(FILE, "the card cannot be read", "not the pinned")
def test_files_beside_the_model(t):
    good = with_card(t, card_of(t, t.model))
    t.fails(74, "check the path", *t.embed("--card", t.folder / "none.json"))
    t.works(*t.embed(*good))
    line = t.fails(65, "or correct --model-sha256", *t.embed("--model-sha256", "0" * 64,
                                                             "--overwrite"))
    t.works(*t.embed("--overwrite", "--model-sha256", re.search(r"is ([0-9a-f]{64})", line)[1]))


@follows(FILE, "the model has no card")
def test_a_model_without_a_card(t):
    complete = card_of(t, t.model)
    shutil.copy(t.models / "no_card.ts", t.folder / "bare.ts")
    t.model = t.folder / "bare.ts"
    line = t.fails(65, "complete it and start again", *t.embed())
    command = re.search(r"draft one: longhaul (.*), complete", line)[1]
    subprocess.run(f"{t.program.path} {command}", shell=True, check=True, cwd=t.folder)
    sidecar = t.folder / "bare.ts.json"
    draft = json.loads(sidecar.read_text())
    t.fails(65, "correct the card", *t.embed())  # a better message: which field is null
    draft.update(alphabet=complete["alphabet"], pooling="mean", normalize="none")
    sidecar.write_text(json.dumps(draft))
    t.works(*t.embed())


@follows(KIND, "no such file; it looks like", "no such model file",
         "neither a file nor a folder")
def test_what_is_no_file(t):
    good = t.model
    t.model = "/dev/null"
    t.fails(65, "write the model to a file and give that", *t.embed())
    t.model = "esm2_tiny.ts"
    line = t.fails(74, "scripts/export_esm.py esm2_650m esm2_tiny.ts", *t.embed())
    assert "hf download facebook/esm2_t33_650M_UR50D --local-dir esm2_650m && " in line
    t.model = "facebook/esm2_t6_8M_UR50D"  # test_model_kinds.py follows what comes after a download
    t.fails(65, "hf download facebook/esm2_t6_8M_UR50D", *t.embed())
    t.model = good
    t.works(*t.embed())


cannot_follow(KIND, "the model cannot be read", "tests run as root, who may read all")


@follows("lib/prepare/sequence_preprocessor.cpp", "which is none of its tokens",
         "this model has no unknown token")
def test_alphabets(t):
    card = card_of(t, t.model)
    alphabet = card["alphabet"]
    followed(t, 65, "correct", {**card, "alphabet": {**alphabet, "allowed": "ACDEFGHZ"}}, card)
    none = {**card, "alphabet": {**alphabet, "unknown": None}}
    t.fails(65, "use --unknown reject", *t.embed(*with_card(t, none), "--unknown", "token"))
    t.works(*t.embed(*with_card(t, none), "--unknown", "reject"))


@follows("lib/torch/encoder/tensors.cpp", "the model breaks its card")
@follows(PROGRAM, "inputs; the card lists", "also needs '", "the model has no method")
@follows(ENCODER, "prepends no token")
def test_cards_that_do_not_fit(t):
    card = card_of(t, t.model)
    inputs = card["inputs"]
    followed(t, 65, "correct the card", {**card, "dimension": 8, "golden": []}, card)
    followed(t, 65, "correct the card's inputs",
             {**card, "inputs": [*inputs, {"kind": "zeros", "dtype": "int64"}]}, card)
    followed(t, 65, "correct the card's inputs", {**card, "inputs": inputs[:1]}, card)
    followed(t, 65, "correct the card's method", {**card, "method": "encode"}, card)
    bare = {**card, "alphabet": {**card["alphabet"], "prepend": None}, "golden": []}
    t.fails(2, "choose mean or max", *t.embed(*with_card(t, bare), "--pooling", "cls"))
    t.works(*t.embed(*with_card(t, bare), "--pooling", "max"))


@follows(ENCODER, "fails on a batch made as its card says")
@follows(BENCH, "holds no record that the model takes")
def test_an_image_model(t, photographs):
    t.model = t.models / "image_pooled.ts"
    card = card_of(t, t.model)
    t.input = t.folder / "one"
    t.input.mkdir()
    shutil.copy(next(p for p in photographs if p.suffix == ".png"), t.input)
    small = {**card, "golden": [], "image": {**card["image"], "size": 1, "resize": 1}}
    t.fails(65, f"longhaul inspect {t.model} --draft-card helps", *t.embed(*with_card(t, small)))
    t.works("inspect", t.model, "--draft-card")
    t.works(*t.embed(*with_card(t, card)))
    (t.folder / "none").mkdir()
    (t.folder / "none/a.jpg").write_bytes(b"no picture")
    t.fails(65, "see longhaul plan for what is rejected", "bench", t.model, t.folder / "none")
    t.works("bench", t.model, t.input)


cannot_follow(BENCH, "--profile measures operators on a CPU", "it takes another device than a CPU")


@follows("lib/config/device_list.cpp", " one device")
def test_a_bench_of_one_device(t):
    for devices in ("cuda:0,1", "cuda:all"):
        t.fails(2, "name one, as in --device cuda:0", "bench", t.model, "--device", devices)
    t.works("bench", t.model, "--device", "cpu", "--records", 16)


@follows("lib/encode/model_checks.cpp", "drift to cosine")
@follows(ENCODER, "does not compute at")
def test_half_types(t):
    t.model = t.models / "large.ts"
    t.fails(65, "use --dtype fp32 or bf16", *t.embed("--dtype", "fp16"))
    t.works(*t.embed("--dtype", "fp32"))
    shutil.rmtree(t.out)
    # test_half_types.py follows the remedy of what does not compute at all.


class Random(torch.nn.Module):
    """Vectors of a chance, or of what else is in the batch."""

    def __init__(self, chance: bool):
        super().__init__()
        self.chance = chance

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        x = tokens.unsqueeze(2).expand(-1, -1, 16).to(torch.float32)
        x = x * torch.arange(1, 17).to(torch.float32).sin()
        return x + torch.rand_like(x) if self.chance else x - x.mean(0, keepdim=True)


@follows("lib/encode/model_checks.cpp", "the same record gives two vectors")
@follows("lib/encode/contract.cpp", "depends on the other records of its batch")
def test_models_that_break_the_contract(t):
    card = {**card_of(t, t.model), "golden": []}
    good = t.model
    t.model = t.folder / "chance.ts"
    for chance, remedy in ((True, "export it again after model.eval()"),
                           (False, "or go on with --allow-batch-dependent")):
        torch.jit.script(Random(chance)).save(
            str(t.model), _extra_files={"longhaul.json": json.dumps(card)})
        t.fails(65, remedy, *t.embed("--device", "cpu"))
    t.works(*t.embed("--device", "cpu", "--allow-batch-dependent"))
    t.model = good
    t.works(*t.embed("--overwrite"))


@follows("lib/torch/process/torch_errors.cpp", "not a TorchScript archive that can be read")
def test_a_damaged_archive(t):
    good = t.model
    t.model = t.folder / "copy.ts"
    data = bytearray(good.read_bytes())
    middle = len(data) // 2
    data[middle - 2000:middle] = bytes(2000)
    t.model.write_bytes(data)
    t.fails(65, "copy or export the model again", *t.embed())
    shutil.copy(good, t.model)
    t.works(*t.embed())


class TakesText(torch.nn.Module):
    def forward(self, text: str) -> torch.Tensor:
        return torch.zeros(2, 8) + len(text)


class Wrapper(torch.nn.Module):
    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return (tokens * mask).unsqueeze(2).expand(-1, -1, 8).to(torch.float32)


@follows("lib/torch/encoder/inspect_module.cpp", "no method runs with")
def test_a_module_with_other_inputs(t):
    torch.jit.script(TakesText()).save(str(t.folder / "m.ts"))
    t.fails(65, "wrap the model in a module that takes one of these", "inspect", t.folder / "m.ts",
            "--draft-card")
    torch.jit.script(Wrapper()).save(str(t.folder / "m.ts"))
    drafted = json.loads(t.works("inspect", t.folder / "m.ts", "--draft-card").out)
    assert drafted["dimension"] == 8 and len(drafted["inputs"]) == 2


@follows("lib/torch/device/devices.cpp", "is not there; this machine has")
def test_a_device_that_is_not_there(t):
    line = t.fails(69, "choose one of these, or --device auto", *t.embed("--device", "cuda:63"))
    t.works(*t.embed("--device", re.search(r"this machine has (\w+)", line)[1]))
    t.works(*t.embed("--device", "auto"))


@follows("lib/torch/graph/fuse_graph.cpp", "is no pass")
def test_a_graph_pass_of_another_name(t):
    line = t.fails(2, "use all, none, or some of ", *t.embed("--device", "cpu", "--cpu-passes", "linear,gelu"))
    names = line.split("some of ")[1].split()[0]
    t.works(*t.embed("--device", "cpu", "--cpu-passes", names))


@follows("lib/torch/graph/isa_choice.cpp", "which this machine lacks")
def test_an_instruction_set_that_is_not_there(t):
    refused = [isa for isa in ("avx2", "avx512", "avx512bf16")
               if t.program(*t.embed("--device", "cpu", "--cpu-isa", isa, "--overwrite")).code != 0]
    if not refused:
        pytest.skip("this machine has them all")
    line = t.fails(2, "leave it out, or choose ", *t.embed("--device", "cpu", "--cpu-isa", refused[0],
                                                          "--overwrite"))
    t.works(*t.embed("--device", "cpu", "--cpu-isa", re.search(r"choose (\w+)", line)[1], "--overwrite"))


cannot_follow("lib/torch/device/devices.cpp", "is unknown", "--device is judged before, by the settings")
cannot_follow("lib/torch/device/devices.cpp", "the NVIDIA driver does not work", "hardware")
cannot_follow("lib/torch/device/cuda_device.cpp", "does not work", "hardware")
cannot_follow("lib/torch/device/cuda_driver.cpp", "does not load", "hardware")
cannot_follow("lib/torch/device/cuda_driver.cpp", "LibTorch's own folder", "internal")
cannot_follow("lib/torch/process/torch_errors.cpp", "does not fit", "more memory, or a smaller model: "
              "test_memory.py limits the memory")
cannot_follow(ENCODER, "the device failed on a batch", "hardware")
cannot_follow(ENCODER, "the model failed on a batch", "encoder_test.cpp has a model that fails for "
              "some batches; what it says goes on to the author of the model")
cannot_follow("lib/run/batch_encoder.cpp", "the encoder gave", "an encoder that breaks the interface")
cannot_follow("lib/run/batch_encoder.cpp", "out of memory with a single", "another program's memory")
cannot_follow("lib/run/finite_share.cpp", "are not finite", "a device at fault; a type that is too "
              "narrow is refused before, by its drift")
cannot_follow("lib/base/error.hpp", "use a smaller --batch-tokens", "batches are split before: "
              "test_memory.py and encoder_test.cpp have it")
cannot_follow("apps/longhaul/modules.cpp", " module: ", "another build")
cannot_follow("apps/longhaul/modules.cpp", "belongs to another build", "another build")


@follows("lib/plan/model_memory_check.cpp", "the model cannot be loaded")
def test_a_limit_below_the_model(t):
    t.fails(71, "raise --memory-limit", *t.embed("--memory-limit", "1M"))
    t.works(*t.embed("--memory-limit", "8G"))
