"""What is given as a model and is no archive is named, and the command that helps is followed."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLAG = re.compile(r"make an archive of it.*?: (scripts/.*)$")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A folder in which the commands of messages can be run."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "scripts").symlink_to(ROOT / "scripts")
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder


@pytest.fixture(scope="module")
def esm(checkout):
    """An ESM-2 as the Hugging Face hub has it, in small."""
    subprocess.run([sys.executable, ROOT / "scripts/export_esm.py", "--random", "tiny",
                    checkout / "x.ts", "--save-transformers", checkout / "esm2_tiny"], check=True)
    return checkout / "esm2_tiny"


class Twice(torch.nn.Module):
    def forward(self, x):
        return x * 2


def write_models(folder):
    """Small files as other programs write them: name, and what the message says of it."""
    state = {"e.weight": torch.zeros(25, 16), "l.bias": torch.zeros(16)}
    torch.save(state, folder / "state.pt")
    torch.save(state, folder / "old.pt", _use_new_zipfile_serialization=False)
    torch.save(Twice(), folder / "pickled.pt")
    torch.export.save(torch.export.export(Twice(), (torch.zeros(2),)), folder / "program.pt2")
    from safetensors.torch import save_file
    save_file(state, folder / "m.safetensors")
    (folder / "pointer.ts").write_text("version https://git-lfs.github.com/spec/v1\n"
                                       f"oid sha256:{'0' * 64}\nsize 123456789\n")
    (folder / "empty.ts").write_bytes(b"")
    return {"state.pt": "torch.save", "old.pt": "old torch.save", "pickled.pt": "torch.save",
            "program.pt2": "exported program", "m.safetensors": "safetensors",
            "pointer.ts": "118 MiB", "empty.ts": "empty"}


def test_every_command_says_the_same_of_what_is_no_archive(longhaul, tmp_path):
    for name, text in write_models(tmp_path).items():
        path = tmp_path / name
        lines = set()
        for command in (["embed", path, tmp_path / "in.csv", "-o", tmp_path / "out"],
                        ["inspect", path], ["inspect", path, "--draft-card"], ["bench", path]):
            result = longhaul(*command)
            assert result.code == 65 and result.out == "", result
            assert len(result.err.splitlines()) == 1 and text in result.err, result
            assert "miniz" not in result.err and "--draft-card" not in result.err, result
            lines.add(result.err)
        assert len(lines) == 1, lines
        assert not (tmp_path / "out").exists()


def test_the_cases_that_were_met(longhaul, shared_data):
    for name in ("exported.pt2", "state_dict.pt", "m.safetensors"):
        result = longhaul("inspect", shared_data.parent / "cases" / name)
        exporter = "inspect FOLDER" if name == "m.safetensors" else "scripts/"
        assert result.code == 65 and exporter in result.err, result


def follow(longhaul, checkout, path, change=lambda command: command):
    """Runs the command that the message about `path` names, and looks at what it makes."""
    result = longhaul("inspect", path, cwd=checkout)
    assert result.code == 65, result
    command = change(FLAG.search(result.err.strip())[1])
    done = subprocess.run(["bash", "-c", command], cwd=checkout, capture_output=True, text=True)
    assert done.returncode == 0, (command, done.stderr)
    archive = re.search(r"(\S+\.ts)", command)[1]
    told = longhaul("inspect", archive, "--json", cwd=checkout)
    assert told.code == 0, told
    return json.loads(told.out)["card"]


def test_an_esm_folder_and_its_files_lead_to_an_archive(longhaul, checkout, esm):
    for path in ("esm2_tiny", esm / "model.safetensors", esm / "config.json"):
        assert follow(longhaul, checkout, path)["dimension"] == 32
        (checkout / "esm2_tiny.ts").unlink()


def test_folders_of_transformers_lead_to_an_archive(longhaul, checkout):
    import transformers_folders
    transformers_folders.t5(checkout / "prot_t5")
    transformers_folders.siglip(checkout / "siglip")
    assert follow(longhaul, checkout, "prot_t5")["alphabet"]["append"] == "</s>"
    assert follow(longhaul, checkout, "siglip")["modality"] == "image"


def test_a_checkpoint_of_fair_esm_leads_to_an_archive(longhaul, checkout):
    from exported import fair_esm_state, random_esm
    torch.save({"model": fair_esm_state(random_esm("rotary"))}, checkout / "fair.pt")
    assert follow(longhaul, checkout, "fair.pt")["dimension"] == 48


def test_a_timm_folder_and_its_weights_lead_to_an_archive(longhaul, checkout):
    import timm
    from safetensors.torch import save_file
    model = timm.create_model("test_vit", pretrained=False)
    folder = checkout / "test_vit"
    folder.mkdir()
    save_file(model.state_dict(), folder / "model.safetensors")
    save_file(model.state_dict(), checkout / "alone.safetensors")
    (folder / "config.json").write_text(json.dumps({"architecture": "test_vit",
                                                    "pretrained_cfg": {"tag": "x"}}))
    card = follow(longhaul, checkout, "test_vit")
    assert card["modality"] == "image" and "model.safetensors" in card["source"]["weights"]
    again = follow(longhaul, checkout, "alone.safetensors",
                   lambda command: command.replace(" NAME ", " timm:test_vit "))
    assert again["golden"] == card["golden"]  # the same weights, not random ones


def test_weights_of_another_model_are_not_exported(checkout):
    from safetensors.torch import save_file
    save_file({"x": torch.zeros(1)}, checkout / "foreign.safetensors")
    done = subprocess.run([sys.executable, ROOT / "scripts/export_torchvision.py", "timm:test_vit",
                           checkout / "foreign.ts", "--weights", checkout / "foreign.safetensors"],
                          capture_output=True, text=True)
    assert done.returncode == 1 and "it lacks" in done.stderr
    assert not (checkout / "foreign.ts").exists()


def test_the_hub_is_not_asked_but_named(longhaul, tmp_path):
    result = longhaul("embed", "facebook/esm2_t6_8M_UR50D", "in.csv", "-o", "out", cwd=tmp_path)
    assert result.code == 65, result
    assert (".venv/bin/hf download facebook/esm2_t6_8M_UR50D --local-dir esm2_t6_8M_UR50D && "
            "scripts/export_esm.py esm2_t6_8M_UR50D esm2_t6_8M_UR50D.ts") in result.err
    assert os.access(ROOT / ".venv/bin/hf", os.X_OK)


def test_an_unpacked_archive_is_what_the_remedy_gives(longhaul, tiny_model, tmp_path):
    subprocess.run(f"gzip -c {tiny_model} > {tmp_path}/tiny.ts.gz", shell=True, check=True)
    result = longhaul("inspect", tmp_path / "tiny.ts.gz")
    command = result.err.strip().split("inside: ")[1]
    subprocess.run(command, shell=True, check=True)
    assert longhaul("inspect", tmp_path / "tiny.ts").code == 0
