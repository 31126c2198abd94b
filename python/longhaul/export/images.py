"""What the image exporters share: the card, golden vectors of generated images, tracing, and the
check of the archive against the library's own model."""

import pathlib
import warnings

import numpy as np
import torch

from longhaul.export.shared import (ExportError, half_types, layered_card, listed, load_archive, outputs,
                             save_archive)

GOLDEN_PATTERNS = (0, 1, 2)


def without_fast_path():
    """Attention's fused inference kernel exists on some devices only; without it an archive runs
    on all."""
    torch.backends.mha.set_fastpath_enabled(False)


def pattern(size, n):
    """The generated image "pattern:N" of the cards, uint8 [3, size, size]."""
    c, y, x = np.mgrid[0:3, 0:size, 0:size].astype(np.int64)
    return ((x * (7 + 2 * c) + y * (13 + 3 * c) + x * y // 16 + 31 * n) % 256).astype(np.uint8)


def normalised(pixels, spec):
    shape = (1, 3, 1, 1)
    mean = torch.tensor(spec["mean"]).view(shape)
    std = torch.tensor(spec["std"]).view(shape)
    return (torch.from_numpy(pixels).float() * spec["scale"] - mean) / std


def image_card(name, spec, normalize, source):
    return {"card": 1, "name": name, "modality": "image", "method": "forward",
            "inputs": [{"kind": "pixels", "dtype": "float32"}], "output": "pooled",
            "output_key": None, "image": spec, "pooling": "mean", "normalize": normalize,
            "golden": [], "source": source}


def drop_casts(traced):
    """Takes out the casts to float32 of what is float32: a trace keeps the type that x.to(y.dtype)
    meant when it was made, and the archive would compute at no other."""
    float32 = 6  # c10::ScalarType::Float
    for module in traced.modules():
        if not hasattr(module, "forward") or not module._c._has_method("forward"):
            continue
        for node in list(module.graph.nodes()):
            if node.kind() != "aten::to":
                continue
            source, *arguments = node.inputs()
            if not arguments or arguments[0].toIValue() != float32:
                continue
            if source.node().kind() == "prim::GetAttr":
                value = getattr(module, source.node().s("name"), None)
                same = isinstance(value, torch.Tensor) and value.dtype == torch.float32
            else:
                same = source.type().kind() == "TensorType" and source.type().scalarType() == "Float"
            if same:
                node.output().replaceAllUsesWith(source)
                node.destroy()


def golden_images(module, images, card, tolerance):
    """Vectors of single images, as the card's reader embeds them."""
    entries = []
    for n in GOLDEN_PATTERNS:
        vectors = listed(module(images[n:n + 1]))
        for (named, _), vector in zip(outputs(card), vectors, strict=True):
            vector = vector[0].double()
            if card["normalize"] == "l2":
                vector = vector / vector.norm()
            entries.append({"input": f"pattern:{n}", **named,
                            "tolerance": tolerance * max(1.0, vector.abs().max().item()),
                            "vector": [float(f"{v:.9g}") for v in vector.tolist()]})
    return entries


def finish(module, card, path, tolerance=1e-4, layers=None):
    """Traces `module` (pixels to vectors, or a list of them for `layers`), writes archive and card,
    and compares it with the module at batches of 1, 3 and 16."""
    without_fast_path()
    module = module.eval().float()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    spec = card["image"]
    with torch.inference_mode(False), torch.no_grad():
        images = normalised(np.stack([pattern(spec["size"], n) for n in range(16)]), spec)
        given = listed(module(images[:len(GOLDEN_PATTERNS)]))[0]
        if given.dim() != 2:
            raise ExportError(f"the model gives {tuple(given.shape)}, not one vector per image")
        card["dimension"] = given.shape[1]
        if layers:
            card = layered_card(card, layers)
        card["golden"] = golden_images(module, images, card, tolerance)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            traced = torch.jit.trace(module, images[:2], check_trace=False)
        drop_casts(traced)
        # A device or a batch size that the trace kept would show on other machines only.
        if 'value="cpu"' in str(traced.inlined_graph):
            raise ExportError("the trace is bound to the CPU: this model makes tensors on a device "
                              "of its own")
        save_archive(traced, card, path)
        loaded, _ = load_archive(path)
        worst = 0.0
        for count in (1, 3, 16):
            for expected, got in zip(listed(module(images[:count])), listed(loaded(images[:count])),
                                     strict=True):
                worst = max(worst, ((expected - got).abs().max() / expected.abs().max()).item())
    if not worst < 1e-4:
        pathlib.Path(path).unlink()
        raise ExportError(f"{path}: differs from the model by {worst:.2e} of its greatest value: "
                          "this archive must not be used")
    named = [of["output"] for of, _ in outputs(card) if of]
    print(f"{path}: {card['name']}, {outputs(card)[0][1]} dimensions, "
          f"{'layers ' + ', '.join(named) + ', ' if named else ''}{spec['size']} pixels\n"
          f"greatest difference from the model {worst:.2e}")
    print(half_types(path, lambda archive, dtype: torch.cat(
        [vectors.float() for vectors in listed(archive(images[:3].to(dtype)))])))
