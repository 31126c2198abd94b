"""The image programs of compare_peers.py: open_clip and sentence-transformers, of the same weights."""

import contextlib
import json
import pathlib

import numpy as np
import torch
from peer_serving import fastest, serve

BATCHES_TRIED = 4  # of a trial that finds a width or a way of computing


def open_clip_model(spec, precision="fp32"):
    import open_clip
    torch.manual_seed(spec["seed"])
    model, _, transform = open_clip.create_model_and_transforms(spec["model_name"])
    if precision == "weights":
        model = model.to(torch.bfloat16)
    return model.eval(), transform


def ways_of(spec):
    """How open_clip's users compute at the precision asked for: {name: images to vectors}."""
    def forward(model, dtype, context):
        def encode(images):
            with torch.inference_mode(), context():
                return model.encode_image(images.to(dtype), normalize=True).float().numpy()
        return encode

    plain = contextlib.nullcontext
    if spec["dtype"] == "fp32":
        return {"": forward(open_clip_model(spec)[0], torch.float32, plain)}
    return {"autocast": forward(open_clip_model(spec)[0], torch.float32,
                                lambda: torch.autocast("cpu", torch.bfloat16)),
            "weights at bf16": forward(open_clip_model(spec, "weights")[0], torch.bfloat16, plain)}


def serve_open_clip(engine, spec):
    """Its model, its transform, a DataLoader over the files; at bf16 whichever way is faster here."""
    from PIL import Image
    torch.set_num_threads(spec["threads"])
    ways, (_, transform) = ways_of(spec), open_clip_model(spec)
    paths = sorted(pathlib.Path(spec["images"]).iterdir())

    class Files(torch.utils.data.Dataset):
        def __init__(self, chosen):
            self.chosen = chosen

        def __len__(self):
            return len(self.chosen)

        def __getitem__(self, index):
            return transform(Image.open(self.chosen[index]).convert("RGB"))

    workers = {"dataloader0": 0, "dataloader2": 2}[engine]

    def embed(way, width, chosen):
        loader = torch.utils.data.DataLoader(Files(chosen), batch_size=width, num_workers=workers)
        return np.concatenate([ways[way](batch) for batch in loader])

    some = paths[:BATCHES_TRIED * max(spec["widths"])]
    way, width = fastest({(way, width): lambda way=way, width=width: embed(way, width, some)
                          for way in ways for width in spec["widths"]})
    vectors = []

    def run():
        vectors[:] = [embed(way, width, paths)]

    serve(run, lambda path: np.save(path, vectors[0]),
          {"width": f"{width}, {way}" if way else width})


def clip_state(open_clip_state, layers):
    """The image tower's weights under the names that transformers gives them."""
    state = {f"visual.{k}": v for k, v in open_clip_state.items()}
    renamed = {"visual_projection.weight": state["visual.proj"].T.contiguous()}
    own = "vision_model."
    for theirs, ours in (("class_embedding", "embeddings.class_embedding"),
                         ("positional_embedding", "embeddings.position_embedding.weight"),
                         ("conv1.weight", "embeddings.patch_embedding.weight")):
        renamed[own + ours] = state[f"visual.{theirs}"]
    norms = [("ln_pre", "pre_layrnorm"), ("ln_post", "post_layernorm")]  # their own spelling
    for layer in range(layers):
        block, place = f"transformer.resblocks.{layer}", f"encoder.layers.{layer}"
        norms += [(f"{block}.ln_1", f"{place}.layer_norm1"), (f"{block}.ln_2", f"{place}.layer_norm2"),
                  (f"{block}.mlp.c_fc", f"{place}.mlp.fc1"), (f"{block}.mlp.c_proj", f"{place}.mlp.fc2"),
                  (f"{block}.attn.out_proj", f"{place}.self_attn.out_proj")]
        for kind in ("weight", "bias"):
            parts = state[f"visual.{block}.attn.in_proj_{kind}"].chunk(3)
            for name, part in zip("qkv", parts):
                renamed[f"{own}{place}.self_attn.{name}_proj.{kind}"] = part.contiguous()
    for theirs, ours in norms:
        for kind in ("weight", "bias"):
            renamed[f"{own}{ours}.{kind}"] = state[f"visual.{theirs}.{kind}"]
    return renamed


def make_clip_folder(spec):
    """open_clip's seeded ViT-B/32 as a folder of transformers' CLIP, beside a text tower of no use."""
    import transformers
    folder = pathlib.Path(spec["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    config = transformers.CLIPConfig(
        vision_config={"hidden_act": "gelu", "projection_dim": 512},
        text_config={"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1,
                     "num_attention_heads": 1, "vocab_size": 4, "bos_token_id": 0,
                     "eos_token_id": 1, "pad_token_id": 1}, projection_dim=512)
    model = transformers.CLIPModel(config)
    visual = open_clip_model(spec)[0].visual.state_dict()
    missing, unknown = model.load_state_dict(
        clip_state(visual, config.vision_config.num_hidden_layers), strict=False)
    lost = [name for name in missing if not name.startswith("text_") and name != "logit_scale"]
    if lost or unknown:
        raise SystemExit(f"the image towers differ: {lost} {unknown}")
    words = {"<|startoftext|>": 0, "<|endoftext|>": 1, "a": 2, "a</w>": 3}
    (folder / "vocab.json").write_text(json.dumps(words))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    transformers.CLIPProcessor(transformers.CLIPImageProcessor(), tokenizer).save_pretrained(folder)
    model.save_pretrained(folder)


def serve_sentence_transformers(_, spec):
    """What its documentation shows for images: encode() of images opened by Pillow."""
    from PIL import Image
    from sentence_transformers import SentenceTransformer
    torch.set_num_threads(spec["threads"])
    model = SentenceTransformer(spec["folder"], device="cpu", local_files_only=True)
    paths = sorted(pathlib.Path(spec["images"]).iterdir())

    def embed(width, chosen):
        done = []
        # A batch's pictures at a time: all of them at once would be as many decoded photographs.
        for start in range(0, len(chosen), width):
            pictures = [Image.open(path).convert("RGB") for path in chosen[start:start + width]]
            done.append(model.encode(pictures, batch_size=width, normalize_embeddings=True,
                                     show_progress_bar=False))
        return np.concatenate(done)

    some = paths[:BATCHES_TRIED * max(spec["widths"])]
    width = fastest({width: lambda width=width: embed(width, some) for width in spec["widths"]})
    vectors = []

    def run():
        vectors[:] = [embed(width, paths)]

    serve(run, lambda path: np.save(path, vectors[0]), {"width": width})


IMAGE_ENGINES = {"dataloader0": serve_open_clip, "dataloader2": serve_open_clip,
                 "sentence-transformers": serve_sentence_transformers}
