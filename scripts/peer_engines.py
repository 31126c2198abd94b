#!/usr/bin/env python3
"""The other programs of compare_peers.py, each in a process of its own in .venv-peers.

peer_engines.py ENGINE SPEC.json loads the engine, finds its best batch width, and then answers lines
on standard input: `run` makes one timed pass over all records and prints {"seconds": S}; `save PATH`
writes the vectors of the last pass; an end of input ends it. Some engines are whole programs that
people start once per job: these do the job and leave.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from peer_images import IMAGE_ENGINES, make_clip_folder
from peer_serving import fastest, serve

TRIED_ON = 128  # records of the trials that find the batch width


class Sequences:
    """Batches of tokens in file order or by falling length, and residue means of what comes back."""

    def __init__(self, spec):
        tokens = spec["alphabet"]["tokens"]
        number = {token: i for i, token in enumerate(tokens)}
        first, last = number[spec["alphabet"]["prepend"]], number[spec["alphabet"]["append"]]
        self.pad = number[spec["alphabet"]["pad"]]
        self.ids = [[first, *(number[c] for c in s), last]
                    for s in pathlib.Path(spec["sequences"]).read_text().split()]
        self.dimension = spec["dimension"]

    def batches(self, width, by_length, limit=None):
        rows = list(range(len(self.ids)))[:limit]
        if by_length:
            rows.sort(key=lambda row: -len(self.ids[row]))
        for start in range(0, len(rows), width):
            chosen = rows[start:start + width]
            longest = max(len(self.ids[row]) for row in chosen)
            tokens = np.full((len(chosen), longest), self.pad, dtype=np.int64)
            mask = np.zeros((len(chosen), longest), dtype=np.int64)
            for line, row in enumerate(chosen):
                tokens[line, :len(self.ids[row])] = self.ids[row]
                mask[line, :len(self.ids[row])] = 1
            yield chosen, tokens, mask

    @staticmethod
    def means(hidden, mask):
        inner = mask.copy()
        inner[:, 0] = 0
        inner[np.arange(len(mask)), mask.sum(1) - 1] = 0
        weights = (inner / inner.sum(1, keepdims=True)).astype(np.float32)
        return np.einsum("bld,bl->bd", hidden, weights)

    def embed(self, forward, width, by_length, limit=None):
        vectors = np.empty((len(self.ids), self.dimension), dtype=np.float32)
        for rows, tokens, mask in self.batches(width, by_length, limit):
            vectors[rows] = self.means(forward(tokens, mask), mask)
        return vectors


def load_model(spec, attention="sdpa"):
    import transformers
    transformers.logging.set_verbosity_error()
    kind = {"bert": transformers.BertModel, "esm": transformers.EsmModel}[spec["family"]]
    return kind.from_pretrained(spec["model"], add_pooling_layer=False, local_files_only=True,
                                attn_implementation=attention).eval()


def transformers_forward(spec):
    torch.set_num_threads(spec["threads"])
    model = load_model(spec)
    if spec["dtype"] == "bf16":
        model = model.to(torch.bfloat16)

    def forward(tokens, mask):
        with torch.inference_mode():
            out = model(input_ids=torch.from_numpy(tokens), attention_mask=torch.from_numpy(mask))
            return out.last_hidden_state.float().numpy()
    return forward


class Exported(torch.nn.Module):
    """The model with two plain inputs and one plain output, as converters want it."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, tokens, mask):
        return self.model(input_ids=tokens, attention_mask=mask).last_hidden_state


def example():
    return torch.tensor([[2, 9, 8, 7, 3, 1], [2, 9, 8, 3, 1, 1]]), \
        torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]])


def onnx_file(spec):
    """The ONNX form of the model, made once beside its weights."""
    path = pathlib.Path(spec["model"]) / "model.onnx"
    if not path.exists():
        axes = {0: "batch", 1: "length"}
        torch.onnx.export(Exported(load_model(spec, "eager")), example(), str(path), dynamo=False,
                          input_names=["tokens", "mask"], output_names=["hidden"],
                          dynamic_axes={"tokens": axes, "mask": axes, "hidden": axes},
                          opset_version=17)
    return path


def onnxruntime_forward(spec):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = spec["threads"]
    session = onnxruntime.InferenceSession(str(onnx_file(spec)), options,
                                           providers=["CPUExecutionProvider"])
    return lambda tokens, mask: session.run(None, {"tokens": tokens, "mask": mask})[0]


def openvino_model(spec):
    import openvino
    return openvino.convert_model(Exported(load_model(spec)), example_input=example())


def openvino_compiled(model, spec, precision):
    import openvino
    request = openvino.Core().compile_model(model, "CPU", {
        "INFERENCE_NUM_THREADS": spec["threads"], "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": precision}).create_infer_request()

    def forward(tokens, mask):
        request.infer([tokens, mask])
        return request.get_output_tensor(0).data
    return forward


def openvino_forward(spec):
    return openvino_compiled(openvino_model(spec), spec,
                             {"fp32": "f32", "bf16": "bf16"}[spec["dtype"]])


def openvino_int8_forward(spec):
    """Weights and activations as int8, the ranges found on the first records, as NNCF's guide does
    it for transformers; what is not quantised is computed in float32."""
    import nncf
    batches = [[tokens, mask] for _, tokens, mask in
               Sequences(spec).batches(4, by_length=False, limit=TRIED_ON)]
    model = nncf.quantize(openvino_model(spec), nncf.Dataset(batches),
                          model_type=nncf.ModelType.TRANSFORMER, subset_size=len(batches))
    return openvino_compiled(model, spec, "f32")


def aot_inductor_forward(spec):
    """The model compiled into a package by AOTInductor, for any number and length of sequences."""
    torch.set_num_threads(spec["threads"])
    axes = {0: torch.export.Dim("batch", min=1, max=1024),
            1: torch.export.Dim("length", min=3, max=512)}
    with torch.inference_mode():
        program = torch.export.export(Exported(load_model(spec)), example(),
                                      dynamic_shapes={"tokens": axes, "mask": axes})
        package = torch._inductor.aoti_compile_and_package(
            program, package_path=str(pathlib.Path(spec["work"]) / "model.pt2"),
            inductor_configs={"freezing": True})
        compiled = torch._inductor.aoti_load_package(package)

    def forward(tokens, mask):
        with torch.inference_mode():
            return compiled(torch.from_numpy(tokens), torch.from_numpy(mask)).numpy()
    return forward


# What loads the model, and whether batches are sorted by length.
SEQUENCE_ENGINES = {
    "transformers": (transformers_forward, False),
    "sentence": (transformers_forward, True),
    "onnxruntime": (onnxruntime_forward, True),
    "openvino": (openvino_forward, True),
    "openvino-int8": (openvino_int8_forward, True),
    "aot-inductor": (aot_inductor_forward, True),
}


def serve_sequences(engine, spec):
    make, by_length = SEQUENCE_ENGINES[engine]
    forward, data = make(spec), Sequences(spec)
    width = fastest({width: lambda width=width: data.embed(forward, width, by_length, TRIED_ON)
                     for width in spec["widths"]})
    vectors = []

    def run():
        vectors[:] = [data.embed(forward, width, by_length)]

    serve(run, lambda path: np.save(path, vectors[0]), {"width": width})


def serve_biotrainer(_, spec):
    """biotrainer's embedding service, which sorts and batches by itself, with the embedder that it has
    for ESM-2 by name: the one that it takes for a folder leaves the special tokens in the mean."""
    import transformers
    from biotrainer.embedders import EmbeddingService
    from biotrainer.embedders.huggingface import ESM2
    torch.set_num_threads(spec["threads"])
    device = torch.device("cpu")
    embedder = ESM2(name="facebook/esm2_t6_8M_UR50D",
                    tokenizer=transformers.EsmTokenizer.from_pretrained(spec["model"]),
                    model=load_model(spec), use_half_precision=False, device=device)
    sequences = pathlib.Path(spec["sequences"]).read_text().split()
    service = EmbeddingService(embedder=embedder, use_half_precision=False)
    vectors = np.empty((len(sequences), spec["dimension"]), dtype=np.float32)

    def run():
        for record, vector in service.generate_embeddings(sequences, reduce=True):
            vectors[int(record.seq_id.removeprefix("Seq"))] = vector.numpy()

    serve(run, lambda path: np.save(path, vectors), {"width": "its own"})


def make_fair_esm(spec):
    """A seeded random ESM-2 8M as fair-esm keeps it: checkpoint and regression beside it."""
    import argparse

    import esm
    torch.manual_seed(0)
    model = esm.ESM2(num_layers=6, embed_dim=320, attention_heads=20)
    state = model.state_dict()
    settings = argparse.Namespace(encoder_layers=6, encoder_embed_dim=320,
                                  encoder_attention_heads=20, token_dropout=True)
    names = {k: f"encoder.{k}" if k.startswith("lm_head") else f"encoder.sentence_encoder.{k}"
             for k in state if not k.startswith("contact_head")}
    path = pathlib.Path(spec["checkpoint"])
    torch.save({"cfg": {"model": settings}, "model": {names[k]: state[k] for k in names}}, path)
    torch.save({"model": {k: v for k, v in state.items() if k.startswith("contact_head")}},
               path.with_name(path.stem + "-contact-regression.pt"))


def fair_esm_extract(spec):
    """What fair-esm's extraction script does: sorted batches of 4,096 tokens, a file a sequence."""
    import esm
    torch.set_num_threads(spec["threads"])
    original = torch.load
    torch.load = lambda *a, **k: original(*a, **{"weights_only": False, **k})
    model, alphabet = esm.pretrained.load_model_and_alphabet_local(pathlib.Path(spec["checkpoint"]))
    model.eval()
    data = esm.FastaBatchedDataset.from_file(spec["fasta"])
    batches = data.get_batch_indices(4096, extra_toks_per_seq=1)
    loader = torch.utils.data.DataLoader(data, collate_fn=alphabet.get_batch_converter(1022),
                                         batch_sampler=batches)
    out = pathlib.Path(spec["out"])
    out.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        for labels, texts, tokens in loader:
            result = model(tokens, repr_layers=[model.num_layers], return_contacts=False)
            result["logits"].to("cpu")
            states = result["representations"][model.num_layers]
            for row, label in enumerate(labels):
                length = min(1022, len(texts[row]))
                mean = states[row, 1:length + 1].mean(0).clone()
                torch.save({"label": label, "mean_representations": {model.num_layers: mean}},
                           out / f"{label}.pt")


def collect_fair_esm(spec):
    """The extraction's files as one array, in the order of the FASTA."""
    labels = [line[1:].strip() for line in pathlib.Path(spec["fasta"]).read_text().splitlines()
              if line.startswith(">")]
    rows = [next(iter(torch.load(pathlib.Path(spec["out"]) / f"{label}.pt")
                      ["mean_representations"].values())) for label in labels]
    np.save(spec["vectors"], torch.stack(rows).numpy())


def first_embedding(spec):
    """From nothing to the vector of one sequence, as a transformers script does it."""
    torch.set_num_threads(spec["threads"])
    data = Sequences(spec)
    np.save(spec["vectors"], data.embed(transformers_forward(spec), 1, False))


JOBS = {"make-fair-esm": make_fair_esm, "fair-esm": fair_esm_extract,
        "collect-fair-esm": collect_fair_esm, "first": first_embedding,
        "make-clip": make_clip_folder}
SERVED = {**dict.fromkeys(SEQUENCE_ENGINES, serve_sequences), "biotrainer": serve_biotrainer,
          **IMAGE_ENGINES}


def main():
    engine, spec = sys.argv[1], json.loads(pathlib.Path(sys.argv[2]).read_text())
    if engine in JOBS:
        JOBS[engine](spec)
    else:
        SERVED[engine](engine, spec)


if __name__ == "__main__":
    main()
