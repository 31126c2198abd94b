"""`longhaul probe cv`: against scikit-learn, on output directories made with numpy."""

import json

import numpy as np
import pytest
from probe_reference import read_predictions, sklearn_fit
from run_directories import make_run, two_classes
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold


def sklearn_folds(labels, folds=10, seed=42):
    return list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(labels, labels))


@pytest.mark.parametrize("seed, folds", [(42, 10), (7, 4)])
def test_cross_validation_is_scikit_learns(longhaul, tmp_path, seed, folds):
    vectors, labels = two_classes(21, 203, 12)
    run = make_run(tmp_path / "run", vectors, kept={"label": labels})
    result = longhaul("probe", "cv", run, "--folds", folds, "--seed", seed, "--json",
                      "-o", tmp_path / "oof.csv")
    assert result.code == 0, result
    out = json.loads(result.out)
    predictions = read_predictions(tmp_path / "oof.csv")
    accuracies, areas = [], []
    for number, (train, test) in enumerate(sklearn_folds(labels, folds, seed)):
        assert np.flatnonzero(predictions["fold"] == number).tolist() == test.tolist()
        model = sklearn_fit(vectors[train], labels[train])
        scores = model.predict_proba(vectors[test].astype(np.float64))[:, 1]
        np.testing.assert_allclose(predictions["score"][test], scores, atol=1e-6)
        fold = out["folds"][number]
        assert (fold["train"], fold["test"]) == (len(train), len(test))
        assert fold["accuracy"] == pytest.approx(accuracy_score(labels[test], scores > 0.5))
        assert fold["f1"] == pytest.approx(f1_score(labels[test], scores > 0.5))
        assert fold["roc_auc"] == pytest.approx(roc_auc_score(labels[test], scores))
        accuracies.append(fold["accuracy"])
        areas.append(fold["roc_auc"])
    accuracy = out["metrics"]["accuracy"]
    assert accuracy["mean"] == pytest.approx(np.mean(accuracies))
    assert accuracy["population_sd"] == pytest.approx(np.std(accuracies))
    assert accuracy["sample_sd"] == pytest.approx(np.std(accuracies, ddof=1))
    assert out["metrics"]["roc_auc"]["mean"] == pytest.approx(np.mean(areas))


def test_the_table_labels_both_deviations(longhaul, tmp_path):
    vectors, labels = two_classes(21, 100, 4)
    run = make_run(tmp_path / "run", vectors, kept={"label": labels})
    result = longhaul("probe", "cv", run, "--folds", 5)
    assert result.code == 0 and result.err == ""
    names = [line.split("  ")[0].strip() for line in result.out.splitlines()]
    lines = [line.strip() for line in result.out.splitlines()]
    assert len(lines) == 1 + 5 + 3, names
    assert lines[-3].startswith("mean") and lines[-2].startswith("SD (population)")
    assert lines[-1].startswith("SD (sample)")


def test_equal_sequences_stay_in_one_fold_when_grouped(longhaul, tmp_path):
    vectors, labels = two_classes(21, 120, 6)
    sequences = [f"SEQ{i % 100}" for i in range(120)]  # 20 of them twice
    run = make_run(tmp_path / "run", vectors, kept={"label": labels}, sequences=sequences)
    result = longhaul("probe", "cv", run, "-o", tmp_path / "plain.csv")
    assert result.code == 0 and "--group sequence" in result.err
    result = longhaul("probe", "cv", run, "-o", tmp_path / "grouped.csv", "--group", "sequence")
    assert result.code == 0 and result.err == ""
    plain, grouped = (read_predictions(tmp_path / name)["fold"]
                      for name in ("plain.csv", "grouped.csv"))
    assert (plain[:20] != plain[100:]).any()
    assert (grouped[:20] == grouped[100:]).all()
    # What is said in --help: the folds are scikit-learn's over the distinct sequences.
    majority = [labels[i] for i in range(100)]  # a pair of both labels counts as its first
    for number, (_, test) in enumerate(sklearn_folds(np.array(majority))):
        assert np.flatnonzero(grouped[:100] == number).tolist() == test.tolist()


def test_folds_can_be_given_as_a_file(longhaul, tmp_path):
    vectors, labels = two_classes(21, 90, 6)
    run = make_run(tmp_path / "run", vectors, kept={"label": labels})
    folds = np.arange(90) % 3
    by_row, by_id = tmp_path / "row.csv", tmp_path / "id.csv"
    by_row.write_text("row,fold\n" + "".join(f"{i},{f}\n" for i, f in enumerate(folds)))
    by_id.write_text("fold,id\n" + "".join(f"{f},r{i}\n" for i, f in enumerate(folds)))
    outputs = []
    for file in (by_row, by_id):
        result = longhaul("probe", "cv", run, "--folds", file, "-o", tmp_path / "oof.csv")
        assert result.code == 0, result
        outputs.append((tmp_path / "oof.csv").read_text())
    assert outputs[0] == outputs[1]
    assert (read_predictions(tmp_path / "oof.csv")["fold"] == folds).all()

    text = by_row.read_text()
    for change, says in [(text.replace("89,2\n", ""), "no fold for r89"),
                         (text + "5,1\n", "before"), (text + "90,1\n", "no record 90"),
                         (text.replace("5,2\n", "5,7\n"), "fold 3"),
                         (text.replace("5,2\n", "5,x\n"), "'x'")]:
        by_row.write_text(change)
        result = longhaul("probe", "cv", run, "--folds", by_row)
        assert result.code == 65 and says in result.err, (says, result)


def test_too_few_members_for_the_folds_are_refused(longhaul, tmp_path):
    vectors, _ = two_classes(21, 30, 4)
    run = make_run(tmp_path / "run", vectors, kept={"label": [1] * 6 + [0] * 24})
    result = longhaul("probe", "cv", run)
    assert result.code == 65 and "6 members" in result.err
    assert longhaul("probe", "cv", run, "--folds", "6").code == 0
    assert longhaul("probe", "cv", run, "--folds", "1").code == 2
