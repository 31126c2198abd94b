"""An image encoder that costs nearly nothing, for tests of what surrounds it."""

import sys

import torch
from torch import nn

from conftest import ROOT

sys.path.insert(0, str(ROOT / "python"))
from longhaul.export import images  # noqa: E402

SIZE = 32


class Tiny(nn.Module):
    """32 pixels a side to 16 numbers."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.look = nn.Conv2d(3, 16, 8, stride=8)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.look(pixels)).mean((2, 3))


def write_tiny_encoder(path, **of_image):
    """The archive with its card; `of_image` replaces fields of the card's image."""
    spec = {"size": SIZE, "resize": SIZE, "interpolation": "bilinear", "antialias": True,
            "crop": True, "scale": 1 / 255, "mean": [0.5] * 3, "std": [0.25] * 3, "colour": "RGB",
            "layout": "NCHW", "exif": "ignore", **of_image}
    images.finish(Tiny(), images.image_card("tiny", spec, "none", {"weights": "random"}), path)
    return path
