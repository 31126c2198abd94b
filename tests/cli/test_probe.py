"""`longhaul probe`: against scikit-learn, on output directories made with numpy."""

import json

import numpy as np
import pytest
from probe_reference import read_predictions, sklearn_fit
from run_directories import make_run, two_classes


def fit(longhaul, run, head, *arguments):
    result = longhaul("probe", "fit", run, "-o", head, *arguments)
    assert result.code == 0, result
    return result


@pytest.mark.parametrize("rows, dimension, scale, c", [
    (120, 8, 1.0, 1.0), (914, 512, 0.15, 1.0), (60, 200, 1.0, 1.0), (300, 20, 30.0, 0.01)])
def test_the_head_is_scikit_learns(longhaul, tmp_path, rows, dimension, scale, c):
    vectors, labels = two_classes(rows, rows, dimension, scale)
    run = make_run(tmp_path / "run", vectors, kept={"label": labels})
    fit(longhaul, run, tmp_path / "head.npz", "-C", c)
    head = np.load(tmp_path / "head.npz")  # allow_pickle is off
    reference = sklearn_fit(vectors, labels, c)
    assert head["coef"].shape == (1, dimension) and head["coef"].dtype == np.float64
    assert head["classes"].tolist() == [0, 1]
    assert head["n_features_in"].tolist() == [dimension]
    assert head["n_features_in"].dtype == np.int64
    np.testing.assert_allclose(head["coef"], reference.coef_, atol=1e-5)
    np.testing.assert_allclose(head["intercept"], reference.intercept_, atol=1e-5)

    result = longhaul("probe", "predict", tmp_path / "head.npz", run, "-o", tmp_path / "p.csv")
    assert result.code == 0, result
    scores = read_predictions(tmp_path / "p.csv")
    probabilities = reference.predict_proba(vectors.astype(np.float64))[:, 1]
    np.testing.assert_allclose(scores["score"], probabilities, atol=1e-6)
    assert (scores["prediction"] == (scores["score"] > 0.5)).all()
    assert (scores["label"] == labels).all()
    assert json.loads(longhaul("evaluate", tmp_path / "p.csv", "--json").out)["rows"] == rows


def test_the_solution_does_not_depend_on_the_solver(longhaul, tmp_path):
    """The gradient vanishes to rounding, so the head is the optimum and not a stop on the way."""
    vectors, labels = two_classes(7, 914, 512, 0.15)
    run = make_run(tmp_path / "run", vectors, kept={"label": labels})
    fit(longhaul, run, tmp_path / "head.npz")
    head = np.load(tmp_path / "head.npz")
    x, w, b = vectors.astype(np.float64), head["coef"][0], head["intercept"][0]
    residual = 1 / (1 + np.exp(-(x @ w + b))) - labels
    assert np.abs(x.T @ residual + w).max() < 1e-9
    assert abs(residual.sum()) < 1e-9


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8"])
def test_vectors_of_every_stored_type_are_read(longhaul, tmp_path, dtype):
    vectors, labels = two_classes(11, 80, 6)
    run = make_run(tmp_path / "run", vectors, kept={"label": labels}, dtype=dtype)
    fit(longhaul, run, tmp_path / "head.npz")
    reference = sklearn_fit(np.load(run / "embeddings.npy"), labels)
    np.testing.assert_allclose(np.load(tmp_path / "head.npz")["coef"], reference.coef_, atol=1e-5)


def test_a_head_says_where_it_came_from(longhaul, tmp_path):
    vectors, labels = two_classes(3, 40, 4)
    run = make_run(tmp_path / "run", vectors, kept={"label": labels})
    out = json.loads(fit(longhaul, run, tmp_path / "head.npz", "--json").out)
    provenance = json.loads((tmp_path / "head.npz.json").read_text())
    assert provenance["embeddings"] == {
        "model_sha256": "aa", "card_sha256": "cc", "card": "encoder", "pooling": "mean",
        "normalize": "none", "dtype": "fp32", "dimension": 4}
    assert provenance["training"]["rows"] == 40
    assert provenance["training"]["positives"] == labels.sum()
    assert "records.csv" in provenance["training"]["labels"]
    assert provenance["fit"]["C"] == 1.0
    assert out["training"] == provenance["training"]


@pytest.mark.parametrize("change", [
    {"model_sha256": "bb"}, {"pooling": "cls"}, {"normalize": "l2"}])
def test_embeddings_of_another_model_or_pooling_are_refused(longhaul, tmp_path, change):
    vectors, labels = two_classes(3, 40, 4)
    fit(longhaul, make_run(tmp_path / "a", vectors, kept={"label": labels}), tmp_path / "h.npz")
    other = make_run(tmp_path / "b", vectors, kept={"label": labels}, **change)
    result = longhaul("probe", "predict", tmp_path / "h.npz", other, "-o", tmp_path / "p.csv")
    (field, value), = change.items()
    assert result.code == 65 and field in result.err and value in result.err
    assert "--allow-mismatch" in result.err and not (tmp_path / "p.csv").exists()
    result = longhaul("probe", "predict", tmp_path / "h.npz", other, "-o", tmp_path / "p.csv",
                      "--allow-mismatch")
    assert result.code == 0 and field in result.err and (tmp_path / "p.csv").exists()


def test_another_compute_dtype_is_only_a_warning(longhaul, tmp_path):
    vectors, labels = two_classes(3, 40, 4)
    fit(longhaul, make_run(tmp_path / "a", vectors, kept={"label": labels}), tmp_path / "h.npz")
    other = make_run(tmp_path / "b", vectors, dtype="<f4")
    report = json.loads((other / "run.json").read_text())
    report["fingerprint"]["dtype"] = "bf16"
    (other / "run.json").write_text(json.dumps(report))
    result = longhaul("probe", "predict", tmp_path / "h.npz", other, "-o", tmp_path / "p.csv")
    assert result.code == 0 and "bf16" in result.err


def test_a_dimension_that_does_not_fit_is_refused_whatever_is_allowed(longhaul, tmp_path):
    vectors, labels = two_classes(3, 40, 4)
    fit(longhaul, make_run(tmp_path / "a", vectors, kept={"label": labels}), tmp_path / "h.npz")
    other = make_run(tmp_path / "b", vectors[:, :3])
    result = longhaul("probe", "predict", tmp_path / "h.npz", other, "-o", tmp_path / "p.csv",
                      "--allow-mismatch")
    assert result.code == 65 and "4 components" in result.err and "of 3" in result.err


def test_a_head_without_provenance_is_used_with_a_warning(longhaul, tmp_path):
    """As the original pipeline wrote them: numpy.savez, one array more than we need."""
    random = np.random.default_rng(1)
    coef, intercept = random.normal(size=(1, 30)), np.array([0.3])
    np.savez(tmp_path / "h.npz", coef=coef, intercept=intercept, classes=np.array([0.0, 1.0]),
             n_features_in=np.array([30]), n_iter=np.array([17], dtype=np.int32))
    vectors = random.normal(size=(50, 30)).astype("<f4")
    run = make_run(tmp_path / "run", vectors)
    result = longhaul("probe", "predict", tmp_path / "h.npz", run, "-o", tmp_path / "p.csv")
    assert result.code == 0 and "no provenance" in result.err
    scores = read_predictions(tmp_path / "p.csv")
    expected = 1 / (1 + np.exp(-(vectors.astype(np.float64) @ coef[0] + intercept)))
    np.testing.assert_allclose(scores["score"], expected, atol=1e-12)
    assert "label" not in scores.dtype.names  # no truth is known


def test_the_original_esm1v_head_predicts_as_numpy_does(longhaul, tmp_path, shared_data):
    path = shared_data / "heads" / "boughter_vh_esm1v_logreg.npz"
    head = np.load(path)
    vectors = np.random.default_rng(2).normal(size=(200, 1280)).astype("<f4")
    run = make_run(tmp_path / "run", vectors)
    result = longhaul("probe", "predict", path, run, "-o", tmp_path / "p.csv")
    assert result.code == 0 and "no provenance" in result.err
    z = vectors.astype(np.float64) @ head["coef"][0] + head["intercept"][0]
    scores = read_predictions(tmp_path / "p.csv")["score"]
    np.testing.assert_allclose(scores, 1 / (1 + np.exp(-z)), atol=1e-12)


def test_compressed_and_damaged_heads_are_refused(longhaul, tmp_path):
    vectors, labels = two_classes(3, 40, 4)
    run = make_run(tmp_path / "run", vectors, kept={"label": labels})
    arrays = {"coef": np.ones((1, 4)), "intercept": np.zeros(1), "classes": np.array([0.0, 1.0])}
    np.savez_compressed(tmp_path / "z.npz", **arrays)
    result = longhaul("probe", "predict", tmp_path / "z.npz", run, "-o", tmp_path / "p.csv")
    assert result.code == 65 and "compressed" in result.err

    fit(longhaul, run, tmp_path / "h.npz")
    data = bytearray((tmp_path / "h.npz").read_bytes())
    data[data.index(b"NUMPY") + 130] ^= 1  # in the numbers of the first array
    (tmp_path / "h.npz").write_bytes(data)
    result = longhaul("probe", "predict", tmp_path / "h.npz", run, "-o", tmp_path / "p.csv")
    assert result.code == 65 and "checksum" in result.err

    fit(longhaul, run, tmp_path / "a.npz")
    fit(longhaul, run, tmp_path / "b.npz", "-C", 2)
    (tmp_path / "b.npz").replace(tmp_path / "a.npz")
    result = longhaul("probe", "predict", tmp_path / "a.npz", run, "-o", tmp_path / "p.csv")
    assert result.code == 65 and "another head" in result.err


def test_rejected_records_are_left_out_by_name(longhaul, tmp_path):
    vectors, labels = two_classes(5, 50, 4)
    statuses = ["rejected" if i in (3, 17) else "ok" for i in range(50)]
    run = make_run(tmp_path / "run", vectors, kept={"label": labels}, statuses=statuses)
    result = fit(longhaul, run, tmp_path / "h.npz", "--json")
    assert "2 rejected (r3, r17)" in result.err
    assert json.loads(result.out)["training"]["left_out"]["rejected"] == ["r3", "r17"]
    keep = [i for i in range(50) if i not in (3, 17)]
    reference = sklearn_fit(vectors[keep], labels[keep])
    np.testing.assert_allclose(np.load(tmp_path / "h.npz")["coef"], reference.coef_, atol=1e-5)

    result = longhaul("probe", "predict", tmp_path / "h.npz", run, "-o", tmp_path / "p.csv")
    assert result.code == 0 and "2 rejected (r3, r17)" in result.err
    assert read_predictions(tmp_path / "p.csv")["row"].tolist() == keep


def test_a_vector_that_is_not_finite_but_said_to_be_ok_is_refused(longhaul, tmp_path):
    vectors, labels = two_classes(5, 50, 4)
    vectors[9, 2] = np.inf
    run = make_run(tmp_path / "run", vectors, kept={"label": labels})
    result = longhaul("probe", "fit", run, "-o", tmp_path / "h.npz")
    assert result.code == 65 and "row 9 (r9)" in result.err and not (tmp_path / "h.npz").exists()


def test_missing_and_unknown_labels_are_refused(longhaul, tmp_path):
    vectors, labels = two_classes(5, 50, 4)
    texts = [f"{label}.0" for label in labels]
    texts[4] = ""
    run = make_run(tmp_path / "run", vectors, kept={"label": texts})
    result = longhaul("probe", "fit", run, "-o", tmp_path / "h.npz")
    assert result.code == 65 and "r4" in result.err and "--skip-unlabelled" in result.err
    result = fit(longhaul, run, tmp_path / "h.npz", "--skip-unlabelled", "--json")
    assert json.loads(result.out)["training"]["left_out"]["unlabelled"] == ["r4"]
    texts[4] = "2"
    make_run(tmp_path / "run", vectors, kept={"label": texts})
    result = longhaul("probe", "fit", run, "-o", tmp_path / "h.npz", "--skip-unlabelled")
    assert result.code == 65 and "row 4 (r4)" in result.err and "'2'" in result.err


def test_one_class_only_is_refused(longhaul, tmp_path):
    vectors, _ = two_classes(5, 50, 4)
    run = make_run(tmp_path / "run", vectors, kept={"label": [1] * 50})
    result = longhaul("probe", "fit", run, "-o", tmp_path / "h.npz")
    assert result.code == 65 and "both classes" in result.err


def test_constant_columns_are_warned_about(longhaul, tmp_path):
    vectors, labels = two_classes(5, 50, 4)
    vectors[:, 2] = 1.5
    run = make_run(tmp_path / "run", vectors, kept={"label": labels})
    result = fit(longhaul, run, tmp_path / "h.npz")
    assert "1 of 4 columns" in result.err and "column 2" in result.err


def test_labels_from_a_file_are_joined_by_id(longhaul, tmp_path):
    vectors, labels = two_classes(5, 50, 4)
    run = make_run(tmp_path / "run", vectors)
    order = np.random.default_rng(0).permutation(50)
    file = tmp_path / "labels.csv"
    file.write_text("name,y\n" + "".join(f"r{i},{labels[i]}\n" for i in order) + "stranger,1\n")
    fit(longhaul, run, tmp_path / "h.npz", "--labels", file, "--label", "y", "--id-column", "name")
    reference = sklearn_fit(vectors, labels)
    np.testing.assert_allclose(np.load(tmp_path / "h.npz")["coef"], reference.coef_, atol=1e-5)


def test_duplicated_ids_in_a_join_are_refused(longhaul, tmp_path):
    vectors, labels = two_classes(5, 50, 4)
    file = tmp_path / "labels.csv"
    lines = [f"r{i},{label}\n" for i, label in enumerate(labels)]
    file.write_text("id,label\n" + "".join(lines) + "r7,1\n")
    run = make_run(tmp_path / "run", vectors)
    result = longhaul("probe", "fit", run, "-o", tmp_path / "h.npz", "--labels", file)
    assert result.code == 65 and "line 52" in result.err and "r7" in result.err
    file.write_text("id,label\n" + "".join(lines))
    make_run(tmp_path / "run", vectors, ids=["r0"] + [f"r{i}" for i in range(49)])
    result = longhaul("probe", "fit", run, "-o", tmp_path / "h.npz", "--labels", file)
    assert result.code == 65 and "rows 0 and 1" in result.err


def test_a_run_that_is_not_finished_or_not_one_is_refused(longhaul, tmp_path):
    result = longhaul("probe", "fit", tmp_path / "absent", "-o", tmp_path / "h.npz")
    assert result.code == 65 and "not an output directory" in result.err
    vectors, labels = two_classes(5, 50, 4)
    run = make_run(tmp_path / "run", vectors, kept={"label": labels})
    (run / "embeddings.npy").rename(run / "embeddings.npy.partial")
    (run / "journal.jsonl").write_text("")
    result = longhaul("probe", "fit", run, "-o", tmp_path / "h.npz")
    assert result.code == 65 and "not finished" in result.err


def test_records_that_do_not_match_the_vectors_are_refused(longhaul, tmp_path):
    vectors, labels = two_classes(5, 50, 4)
    run = make_run(tmp_path / "run", vectors, kept={"label": labels})
    lines = (run / "records.csv").read_text().splitlines(keepends=True)
    (run / "records.csv").write_text("".join(lines[:-1]))
    result = longhaul("probe", "fit", run, "-o", tmp_path / "h.npz")
    assert result.code == 65 and "one vector for each" in result.err
    (run / "records.csv").write_text("".join(lines[:10] + lines[11:]))
    result = longhaul("probe", "fit", run, "-o", tmp_path / "h.npz")
    assert result.code == 65 and "line 11" in result.err


# Labels of a real run, through the program that made it (with the fake encoder)


def embedded(longhaul_fake, tmp_path, *arguments):
    """50 records with labels, one of which the encoder cannot take; returns the CSV and OUT."""
    random = np.random.default_rng(9)
    lines = ["id,sequence,label"]
    for i in range(50):
        sequence = "".join(random.choice(list("ACDEFGHIKLMNPQRSTVWY"), 30 + i))
        lines.append(f"p{i},{sequence if i != 20 else 'AC-DE'},{i % 2}")
    csv = tmp_path / "in.csv"
    csv.write_text("\n".join(lines) + "\n")
    model = tmp_path / "fake.json"
    model.write_text(json.dumps({"fake": True, "dimension": 8}))
    result = longhaul_fake("embed", model, csv, "-o", tmp_path / "out", *arguments)
    assert result.code == 3, result
    return csv, tmp_path / "out"


def test_labels_come_from_the_kept_column_or_the_recorded_input(longhaul_fake, tmp_path):
    (tmp_path / "kept").mkdir()
    _, kept = embedded(longhaul_fake, tmp_path / "kept", "--keep-column", "label")
    _, plain = embedded(longhaul_fake, tmp_path)
    first = fit(longhaul_fake, kept, tmp_path / "a.npz", "--json")
    second = fit(longhaul_fake, plain, tmp_path / "b.npz", "--json")
    assert "records.csv" in json.loads(first.out)["training"]["labels"]
    assert "recorded input" in json.loads(second.out)["training"]["labels"]
    assert json.loads(second.out)["training"]["left_out"]["rejected"] == ["p20"]
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    x = np.load(plain / "embeddings.npy")
    rows = [i for i in range(50) if i != 20]
    reference = sklearn_fit(x[rows], np.arange(50)[rows] % 2)
    np.testing.assert_allclose(np.load(tmp_path / "a.npz")["coef"], reference.coef_, atol=1e-5)
    provenance = json.loads((tmp_path / "a.npz.json").read_text())
    assert len(provenance["embeddings"]["model_sha256"]) == 64


@pytest.mark.parametrize("change", ["edited", "shorter", "longer", "gone", "no such column"])
def test_labels_are_not_taken_from_an_input_that_changed(longhaul_fake, tmp_path, change):
    csv, out = embedded(longhaul_fake, tmp_path)
    lines = csv.read_text().splitlines(keepends=True)
    if change == "edited":
        lines[5], lines[6] = lines[6], lines[5]
    elif change == "shorter":
        lines.pop()
    elif change == "longer":
        lines.append("p50,ACDEF,1\n")
    elif change == "no such column":
        lines[0] = "id,sequence,outcome\n"
    csv.write_text("".join(lines))
    if change == "gone":
        csv.unlink()
    result = longhaul_fake("probe", "fit", out, "-o", tmp_path / "h.npz")
    assert result.code == 65 and "--keep-column" in result.err, result
    assert not (tmp_path / "h.npz").exists()
