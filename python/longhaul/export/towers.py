"""Vision encoders of transformers', traced: what is taken of their hidden states, and the card's
`image` from their image processors."""

import torch
import transformers
from torch import nn

from longhaul.export import shared as export

# Model types, and how a vector is made of one where nothing else is asked for.
OWN_VECTOR = {"dinov2": "cls", "dinov2_with_registers": "cls", "vit": "cls",
              "siglip": "head", "siglip_vision_model": "head", "clip": "head",
              "clip_vision_model": "head"}
ANY_SIZE = ("dinov2", "dinov2_with_registers")  # whose positions are stretched to the image
FILTERS = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers


class Tower(nn.Module):
    """Pixels to vectors: one, or a tuple for several layers."""

    def __init__(self, model, layers, vector, several):
        super().__init__()
        self.model, self.layers, self.vector, self.several = model, layers, vector, several
        config = vision_config(model.config)
        kind = config.model_type
        # Tokens that stand before those of the patches.
        self.special = 0 if kind.startswith("siglip") else 1
        self.special += getattr(config, "num_register_tokens", 0)

    def pooled(self, states):
        return states[:, 0] if self.vector == "cls" else states[:, self.special:].mean(1)

    def forward(self, pixels):
        given = self.model(pixel_values=pixels, output_hidden_states=True)
        if self.vector == "head":
            return given.image_embeds if "image_embeds" in given else given.pooler_output
        # The last layer's states are those after the last norm.
        states = [*given.hidden_states[:-1], self.last(given)]
        vectors = [self.pooled(states[layer]) for layer in self.layers]
        return tuple(vectors) if self.several else vectors[0]

    def last(self, given):
        norm = getattr(self.model, "vision_model", self.model)
        norm = getattr(norm, "post_layernorm", None)
        # CLIP applies its last norm to the class token alone.
        if vision_config(self.model.config).model_type == "clip_vision_model":
            return norm(given.last_hidden_state)
        return given.last_hidden_state


def vision_config(config):
    return getattr(config, "vision_config", config)


def clip_config(folder):
    """Of the vision tower; the size of its vectors stands beside it."""
    whole = transformers.CLIPConfig.from_pretrained(folder, local_files_only=True)
    whole.vision_config.projection_dim = whole.projection_dim
    return whole.vision_config


def model_class(kind, architectures=()):
    """`architectures` is what the folder's config.json says: a tower may have a projection."""
    if kind == "clip_vision_model" and "CLIPVisionModelWithProjection" in architectures:
        return transformers.CLIPVisionModelWithProjection
    return {"dinov2": transformers.Dinov2Model,
            "dinov2_with_registers": transformers.Dinov2WithRegistersModel,
            "vit": transformers.ViTModel,
            "siglip": transformers.SiglipVisionModel,
            "siglip_vision_model": transformers.SiglipVisionModel,
            "clip": transformers.CLIPVisionModelWithProjection,
            "clip_vision_model": transformers.CLIPVisionModel}[kind]


def fix_positions(model, size):
    """Position vectors for images of `size` pixels, made once: a trace would make them at each
    call, and in the type that it computes in."""
    if model.config.model_type not in ANY_SIZE:
        return
    embeddings = model.embeddings
    with torch.no_grad():
        patches = embeddings.patch_embeddings(torch.zeros(1, 3, size, size))
        states = torch.cat((embeddings.cls_token, patches), 1)
        made = embeddings.interpolate_pos_encoding(states, size, size)
    embeddings.fixed_positions = nn.Parameter(made.clone(), requires_grad=False)
    embeddings.interpolate_pos_encoding = lambda *_: embeddings.fixed_positions


def sides(size, what):
    """(side, whether both sides are set) of a size of transformers'."""
    size = {k: v for k, v in dict(size).items() if v is not None}
    if size.keys() == {"shortest_edge"}:
        return size["shortest_edge"], False
    if size.keys() == {"height", "width"} and size["height"] == size["width"]:
        return size["height"], True
    raise export.ExportError(f"preprocessor_config.json: {what} {size} has no equal in a card")


def image_spec(folder):
    """The card's `image` from a folder's image processor. Refuses what a card cannot say."""
    try:
        processor = transformers.AutoImageProcessor.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # whatever the libraries behind it raise
        raise export.ExportError(f"{folder}: its preprocessor_config.json cannot be read: "
                                 f"{str(error).strip().splitlines()[0]}") from error

    def asked(name):
        return bool(getattr(processor, name, None))

    for name in ("do_resize", "do_rescale"):
        if not asked(name):
            raise export.ExportError(f"preprocessor_config.json: without {name}, which a card "
                                     "cannot say")
    if asked("do_pad"):
        raise export.ExportError("preprocessor_config.json: do_pad, which a card cannot say")
    if int(processor.resample) not in FILTERS:
        raise export.ExportError(f"preprocessor_config.json: resample {int(processor.resample)} is "
                                 "neither bicubic (3) nor bilinear (2)")
    resize, both = sides(processor.size, "size")
    size = sides(processor.crop_size, "crop_size")[0] if asked("do_center_crop") else resize
    if size > resize or (size < resize if both else not asked("do_center_crop")):
        raise export.ExportError(f"preprocessor_config.json: size {dict(processor.size)} cropped to "
                                 f"{size if asked('do_center_crop') else 'nothing'} has no equal in "
                                 "a card")
    normal = asked("do_normalize")
    spec = {"scale": float(processor.rescale_factor), "colour": "RGB", "layout": "NCHW",
            "exif": "ignore", "antialias": True, "interpolation": FILTERS[int(processor.resample)],
            "resize": resize, "size": size, "crop": not both,
            "mean": [float(v) for v in processor.image_mean] if normal else [0.0] * 3,
            "std": [float(v) for v in processor.image_std] if normal else [1.0] * 3}
    if not both:
        spec["crop_rounding"] = "down"
    return spec


def check_size(model, size):
    config = vision_config(model.config)
    patch, own = config.patch_size, config.image_size
    if config.model_type not in ANY_SIZE and size != own:
        raise export.ExportError(f"preprocessor_config.json: images of {size} pixels, but the model "
                                 f"takes {own}")
    if size % patch:
        raise export.ExportError(f"preprocessor_config.json: {size} pixels are not a multiple of the "
                                 f"patch of {patch}")


def chosen_vector(arguments, kind):
    """How vectors are made of hidden states: head, cls or mean."""
    whole = arguments.layers is None and arguments.layer == -1
    siglip = kind.startswith("siglip")
    vector = arguments.vector or (
        OWN_VECTOR[kind] if whole else "mean" if siglip else "cls")
    if vector == "head" and (OWN_VECTOR[kind] != "head" or not whole):
        raise export.ExportError("--vector head: only SigLIP and CLIP have one, behind their last "
                                 "layer")
    if vector == "cls" and siglip:
        raise export.ExportError("--vector cls: SigLIP has no class token: head or mean")
    return vector
