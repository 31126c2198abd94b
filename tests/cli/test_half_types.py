"""Every exporter's archive at --dtype bf16 and fp16: near float32, or refused with the reason."""

import functools
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from image_files import picture
from PIL import Image

from conftest import ROOT, exported

sys.path.insert(0, str(ROOT / "python"))
from longhaul.export import shared as exporters  # noqa: E402
from longhaul.export import images  # noqa: E402

TYPES = ["bf16", "fp16"]


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Exports a model once for all types."""
    folder = tmp_path_factory.mktemp("archives")

    @functools.cache
    def export(script, *arguments):
        path = folder / f"{len(list(folder.iterdir()))}.ts"
        done = subprocess.run([sys.executable, ROOT / "scripts" / script, *arguments, path],
                              capture_output=True, text=True, check=True)
        return path, done.stdout
    return export


def near_float32(made):
    """The archive, whose export says that it is."""
    path, said = made
    told = re.search(r"least cosine with fp32: bf16 ([\d.]+), fp16 ([\d.]+)\n", said)
    assert min(map(float, told.groups())) >= 0.999, said
    return path


@pytest.fixture(scope="module")
def sequences(tmp_path_factory):
    path = tmp_path_factory.mktemp("in") / "in.fasta"
    random = np.random.default_rng(2)
    path.write_text("".join(f">r{i}\n{''.join(random.choice(list('ACDEFGHIKLMNPQRSTVWY'), n))}\n"
                            for i, n in enumerate((1, 7, 40, 120, 121, 300))))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("photos")
    for i in range(3):
        Image.fromarray(picture(90 + i, 70, i)).save(path / f"{i}.png")
    return path


def least_cosine(longhaul, model, source, tmp_path, dtype):
    vectors = {}
    for kind in ("fp32", dtype):
        result = longhaul("embed", model, source, "-o", tmp_path / kind, "--dtype", kind, "-q")
        assert result.code == 0, result
        vectors[kind] = np.load(tmp_path / kind / "embeddings.npy").astype(np.float64)
    a, b = vectors["fp32"], vectors[dtype]
    assert not np.array_equal(a, b)  # it did compute at another type
    return (np.sum(a * b, 1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min()


@pytest.mark.parametrize("dtype", TYPES)
def test_antiberty(longhaul, antiberty, sequences, tmp_path, dtype):
    assert least_cosine(longhaul, antiberty, sequences, tmp_path, dtype) >= 0.999


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", ["tiny", "tiny_learned"])
def test_esm(longhaul, archive, sequences, tmp_path, name, dtype):
    model, _ = archive("export_esm.py", "--random", name)
    assert least_cosine(longhaul, model, sequences, tmp_path, dtype) >= 0.999


@pytest.mark.parametrize("dtype", TYPES)
def test_openclip(longhaul, folder, tmp_path, dtype):
    model = exported("export_openclip.py", "ViT-B-32", name="vit_b_32_any_type.ts")
    assert least_cosine(longhaul, model, folder, tmp_path, dtype) >= 0.999


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", ["resnet18", "timm:test_vit", "timm:test_convnext"])
def test_torchvision_and_timm(longhaul, archive, folder, tmp_path, name, dtype):
    model = near_float32(archive("export_torchvision.py", name))
    assert least_cosine(longhaul, model, folder, tmp_path, dtype) >= 0.999


class KeepsItsTypes(torch.nn.Module):
    """A module whose trace keeps float32 in all the ways that traces do."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.look = torch.nn.Conv2d(3, 16, 8, stride=8)
        self.norm = torch.nn.LayerNorm(16)
        self.out = torch.nn.Linear(16, 16)
        self.place = torch.nn.Parameter(torch.randn(16, 16))

    def forward(self, pixels):
        x = self.look(pixels).flatten(2).transpose(1, 2)
        x = x + self.place.to(x.dtype)                              # folded into a constant
        x = self.norm(x).to(x.dtype)                                # a cast of what is float32
        mask = torch.ones(x.shape[:2], dtype=torch.int64)
        x = x * mask.to(x.dtype).unsqueeze(-1)                      # a cast of a mask
        x = x + torch.zeros((16, 16), dtype=x.dtype)                # made on the way
        angles = torch.arange(16).to(torch.float32).unsqueeze(-1) * 0.37
        x = x * (1 + 0.1 * angles.cos()).to(x.dtype)                # float32 on purpose, then cast
        weights = torch.softmax((x @ x.transpose(1, 2)).float(), -1).to(x.dtype)
        return self.out(weights @ x).mean(1)


def write_as_traced(path):
    """The archive with its casts, as from elsewhere: not what the exporters write."""
    model, pixels = KeepsItsTypes().eval(), torch.zeros(2, 3, 32, 32)
    spec = {"size": 32, "resize": 32, "interpolation": "bilinear", "antialias": True, "crop": True,
            "scale": 1 / 255, "mean": [0.5] * 3, "std": [0.25] * 3, "colour": "RGB",
            "layout": "NCHW", "exif": "ignore"}
    card = images.image_card("traced", spec, "none", {"weights": "random"})
    card["dimension"] = 16
    with torch.no_grad():
        traced = torch.jit.trace(model, pixels, check_trace=False)
    with pytest.raises(RuntimeError):
        torch.jit.freeze(traced.bfloat16().eval())(pixels.bfloat16())
    exporters.save_archive(traced.float(), card, path)
    return path


@pytest.mark.parametrize("dtype", TYPES)
def test_a_trace_that_kept_float32_is_converted(longhaul, folder, tmp_path, dtype):
    model = write_as_traced(tmp_path / "m.ts")
    assert least_cosine(longhaul, model, folder, tmp_path, dtype) >= 0.999


def test_what_computes_at_float32_only_is_refused_with_the_reason(longhaul, folder, tmp_path):
    class Only32(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            if pixels.dtype != torch.float32:
                raise ValueError("only float32 is known here")
            return pixels.mean((2, 3))

    spec = {"size": 32, "resize": 32, "interpolation": "bilinear", "antialias": True, "crop": True,
            "scale": 1 / 255, "mean": [0.5] * 3, "std": [0.25] * 3, "colour": "RGB",
            "layout": "NCHW", "exif": "ignore"}
    card = {**images.image_card("only", spec, "none", {"weights": "none"}), "dimension": 3}
    exporters.save_archive(torch.jit.script(Only32()), card, tmp_path / "m.ts")
    command = ["embed", tmp_path / "m.ts", folder, "-o", tmp_path / "out", "-q"]
    result = longhaul(*command, "--dtype", "bf16")
    assert result.code == 65 and "does not compute at bf16" in result.err, result
    assert "only float32 is known here" in result.err and "card" not in result.err
    assert result.err.strip().endswith("use --dtype fp32")
    assert longhaul(*command, "--dtype", "fp32").code == 0
