"""Exports the pooled features of a torchvision or timm classifier as a TorchScript archive.

  longhaul-export torchvision resnet50 OUT.ts --weights DEFAULT
  longhaul-export torchvision timm:vit_base_patch16_224 OUT.ts --weights DEFAULT

--weights is one of the model's names in torchvision, DEFAULT (downloaded), or a file of its
parameters. Without it the weights are random, from --seed: for tests and for measuring speed.
"""

import argparse
import pathlib

import safetensors.torch
import timm
import torch
import torchvision
from torch import nn
from torchvision.transforms import CenterCrop, Normalize, Resize

from longhaul.export import shared as export
from longhaul.export import images
from longhaul.export.torchvision_transforms import image_spec


def without_head(model):
    """The classifier's last layer made to pass on what it is given."""
    for name in ("fc", "classifier", "heads", "head"):
        head = getattr(model, name, None)
        if isinstance(head, nn.Linear):
            setattr(model, name, nn.Identity())
            return model
        if isinstance(head, nn.Sequential):
            last = max(i for i, layer in enumerate(head) if isinstance(layer, nn.Linear))
            # What comes before the last layer belongs to the classifier, but for its norms.
            kept = [layer for layer in head[:last]
                    if not isinstance(layer, (nn.Linear, nn.Dropout, nn.ReLU, nn.Hardswish))]
            setattr(model, name, nn.Sequential(*kept))
            return model
    raise export.ExportError(f"{type(model).__name__} has no classifier layer that is known here")


def read_weights(path):
    if path.suffix == ".safetensors":
        return safetensors.torch.load_file(path)
    state = torch.load(path, map_location="cpu", weights_only=True)
    return state.get("state_dict", state)


def load_torchvision(name, weights, seed):
    if name not in torchvision.models.list_models(module=torchvision.models):
        raise export.ExportError(f"torchvision has no classifier {name}")
    known = torchvision.models.get_model_weights(name)
    file = pathlib.Path(weights) if weights and pathlib.Path(weights).exists() else None
    torch.manual_seed(seed)
    model = torchvision.models.get_model(name, weights=None if file or not weights else weights)
    if file:
        model.load_state_dict(read_weights(file))
    chosen = known[weights] if weights in known.__members__ else known.DEFAULT
    # torchvision's preset is one object; its steps are those of its forward().
    preset = chosen.transforms()
    steps = [Resize(preset.resize_size, preset.interpolation), CenterCrop(preset.crop_size),
             Normalize(preset.mean, preset.std)]
    return without_head(model).eval(), steps


def load_timm(name, weights, seed):
    if name not in timm.list_models():
        raise export.ExportError(f"timm has no model {name}")
    file = pathlib.Path(weights) if weights and pathlib.Path(weights).exists() else None
    torch.manual_seed(seed)
    model = timm.create_model(name, pretrained=bool(weights) and not file, num_classes=0)
    if file:
        # Those of the classifier are left over; one that is missing would stay random.
        lacking = model.load_state_dict(read_weights(file), strict=False).missing_keys
        if lacking:
            raise export.ExportError(f"{file}: not the parameters of {name}: it lacks "
                                     f"{', '.join(lacking[:5])}")
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
    return model.eval(), transform.transforms


def load(name, weights, seed):
    """The model without its classifier, and the transforms that it is evaluated with."""
    if name.startswith("timm:"):
        return load_timm(name.removeprefix("timm:"), weights, seed)
    return load_torchvision(name, weights, seed)


def main(given=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="such as resnet50, vit_b_16, timm:convnext_tiny")
    parser.add_argument("out")
    parser.add_argument("--weights", help="a name, DEFAULT, or a file of parameters")
    parser.add_argument("--seed", type=int, default=0, help="of random weights")
    arguments = parser.parse_args(given)
    model, steps = load(arguments.model, arguments.weights, arguments.seed)
    if not arguments.weights:
        export.warn_of_random_weights("--weights")
    source = {"weights": arguments.weights or f"random, seed {arguments.seed}",
              "library": f"torchvision {torchvision.__version__}, timm {timm.__version__}",
              "exported_with": f"torch {torch.__version__}"}
    card = images.image_card(arguments.model, image_spec(steps), "none", source)
    images.finish(model, card, arguments.out)
