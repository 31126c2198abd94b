"""The `image` of a card from torchvision's transforms."""

import torchvision.transforms as transforms
from torchvision.transforms import InterpolationMode

from longhaul.export.shared import ExportError


def one_size(value, what):
    sizes = {value} if isinstance(value, int) else set(value)
    if len(sizes) != 1:
        raise ExportError(f"{what} {value} is not square, which a card cannot say")
    return sizes.pop()


def image_spec(steps):
    """The card's `image` from a list of torchvision transforms. Refuses what a card cannot say."""
    spec = {"scale": 1 / 255, "colour": "RGB", "layout": "NCHW", "exif": "ignore", "antialias": True}
    for step in steps:
        name = type(step).__name__
        if isinstance(step, transforms.Resize):
            if step.max_size is not None or step.antialias is False:
                raise ExportError(f"{step} has no equal in a card")
            if step.interpolation not in (InterpolationMode.BICUBIC, InterpolationMode.BILINEAR):
                raise ExportError(f"{step} is neither bicubic nor bilinear")
            spec["interpolation"] = step.interpolation.value
            spec["resize"] = one_size(step.size, "the resize")
            # Two numbers set both sides, one the shorter side.
            squash = not isinstance(step.size, int) and len(step.size) == 2
            spec["crop"] = not squash
            spec["size"] = spec["resize"]
        elif isinstance(step, transforms.CenterCrop):
            size = one_size(step.size, "the crop")
            if spec.get("crop") is False and size != spec["resize"]:
                raise ExportError("a crop after a resize of both sides has no equal in a card")
            spec["size"] = size
        elif isinstance(step, transforms.Normalize):
            spec["mean"] = [float(v) for v in step.mean]
            spec["std"] = [float(v) for v in step.std]
        elif name not in ("ToTensor", "MaybeToTensor", "MaybeConvertMode", "_convert_to_rgb",
                          "function", "PILToTensor", "ConvertImageDtype"):
            raise ExportError(f"the transform {step} has no equal in a card")
    missing = {"size", "resize", "mean", "std"} - spec.keys()
    if missing:
        raise ExportError(f"the transform says nothing about {', '.join(sorted(missing))}")
    return spec
