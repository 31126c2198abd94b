"""The archive of AntiBERTy equals transformers on the same weights, and its card says all that a
run needs."""

import math
import re
import warnings

import pytest
import torch
from exported import (LENGTHS, ROOT, check_card, check_rows_stand_alone, greatest_difference,
                      longhaul_export, tokens_of, without_warm_up)  # noqa: F401

from longhaul.export import antiberty as export_antiberty


@pytest.fixture(scope="module")
def bert():
    model, _ = export_antiberty.load_reference(export_antiberty.fetch_wheel(ROOT / ".cache"))
    return model


def test_antiberty_equals_transformers(antiberty, bert):
    module, card = longhaul_export.load_archive(antiberty)
    for lengths in [[*LENGTHS, 120], [510]]:
        tokens, mask = tokens_of(lengths, card["alphabet"], 5, 25)
        with torch.inference_mode():
            theirs = bert(input_ids=tokens, attention_mask=mask).last_hidden_state
            assert theirs.abs().max() > 1
            assert greatest_difference(module(tokens, mask), theirs, mask) < 1e-5


def test_antiberty_card_is_complete(antiberty):
    module, card = longhaul_export.load_archive(antiberty)
    check_card(module, card, 512)
    assert card["max_tokens"] == 512 and card["source"]["licence"] == "MIT"
    # The vocabulary has no X: it is the unknown token to this model, which a user must ask for.
    assert sorted(card["alphabet"]["allowed"]) == sorted(longhaul_export.AMINO_ACIDS)


def test_antiberty_rows_do_not_depend_on_their_batch(antiberty):
    module, card = longhaul_export.load_archive(antiberty)
    tokens, mask = tokens_of([118, 120, 97, 120, 64, 119], card["alphabet"], 5, 25)
    check_rows_stand_alone(module, tokens, mask)


def test_graph_keeps_the_operators_that_are_optimised_at_load(antiberty):
    module, _ = longhaul_export.load_archive(antiberty)
    with torch.jit.optimized_execution(True), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = str(torch.jit.freeze(module).graph)
    counts = {op: len(re.findall(rf"aten::{op}\(", graph))
              for op in ("linear", "gelu", "layer_norm", "scaled_dot_product_attention")}
    assert counts == {"linear": 48, "gelu": 8, "layer_norm": 17,
                      "scaled_dot_product_attention": 8}
    assert "_native_multi_head_attention" not in graph
    assert "_transformer_encoder_layer_fwd" not in graph


def test_altered_wheel_is_refused(tmp_path):
    (tmp_path / export_antiberty.WHEEL).write_bytes(b"something else")
    with pytest.raises(longhaul_export.ExportError, match="SHA-256"):
        export_antiberty.fetch_wheel(tmp_path)


def test_golden_vectors_are_finite_and_distinct(antiberty):
    _, card = longhaul_export.load_archive(antiberty)
    vectors = [g["vector"] for g in card["golden"]]
    assert all(math.isfinite(v) for vector in vectors for v in vector)
    assert vectors[0] != vectors[1] != vectors[2]
