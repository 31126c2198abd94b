"""Exports an open_clip model's image tower as a TorchScript archive with a card.

  longhaul-export openclip ViT-B-32 OUT.ts --pretrained laion2b_s34b_b79k
  longhaul-export openclip FOLDER OUT.ts
  longhaul-export openclip hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K OUT.ts

FOLDER is one of open_clip's, with open_clip_config.json and weights. --pretrained is one of
open_clip's tags, which are downloaded, or a checkpoint file. Without it the weights are random,
from --seed: for tests and for measuring speed. Vectors are divided by their length (L2), as CLIP
uses them.
"""

import argparse
import pathlib

import open_clip
import torch
from torch import nn

from longhaul.export import shared as export
from longhaul.export import images
from longhaul.export.torchvision_transforms import image_spec


class ImageTower(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.visual = model.visual

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.visual(pixels)


def load(name, pretrained, seed):
    """The model, and the transform that open_clip evaluates it with."""
    if pathlib.Path(name, "open_clip_config.json").is_file():
        name = f"local-dir:{name}"
    if name.startswith(("local-dir:", "hf-hub:")):
        if pretrained:
            raise export.ExportError("a folder or hub name brings its weights: leave out --pretrained")
    elif name not in open_clip.list_models():
        raise export.ExportError(f"{name}: neither one of open_clip's models nor a folder with "
                                 "open_clip_config.json")
    torch.manual_seed(seed)
    model, _, transform = open_clip.create_model_and_transforms(name, pretrained=pretrained)
    return model.eval(), transform


def main(given=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="such as ViT-B-32 (open_clip.list_models() has them all), a folder, or "
                        "hf-hub:OWNER/NAME")
    parser.add_argument("out")
    parser.add_argument("--pretrained", help="a tag of open_clip, or a checkpoint file")
    parser.add_argument("--seed", type=int, default=0, help="of random weights")
    arguments = parser.parse_args(given)
    model, transform = load(arguments.model, arguments.pretrained, arguments.seed)
    own = arguments.model not in open_clip.list_models()  # a folder, or on the hub
    weights = arguments.model if own else f"random, seed {arguments.seed}"
    if not own and not arguments.pretrained:
        export.warn_of_random_weights("--pretrained")
    source = {"weights": arguments.pretrained or weights,
              "library": f"open_clip {open_clip.__version__}",
              "exported_with": f"torch {torch.__version__}"}
    card = images.image_card(f"open_clip {arguments.model}", image_spec(transform.transforms),
                             "l2", source)
    images.finish(ImageTower(model), card, arguments.out)
