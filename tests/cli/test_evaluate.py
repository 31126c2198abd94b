"""`longhaul evaluate`: against scikit-learn on generated predictions, and on stored ones."""

import hashlib
import json
import pathlib
import time

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics

CONFIGS = pathlib.Path(__file__).resolve().parents[2] / "configs"


def write_predictions(path, truth, scores, header="y_true,y_proba"):
    lines = [header] + [f"{t},{s!r}" for t, s in zip(truth, map(float, scores))]
    path.write_text("\n".join(lines) + "\n")
    return path


def generated(seed, rows, decimals=None):
    """Scores that know something of the truth; few decimals make ties."""
    random = np.random.default_rng(seed)
    truth = (random.random(rows) < 0.4).astype(int)
    scores = 1 / (1 + np.exp(-(random.normal(size=rows) + truth - 0.3)))
    return truth, scores if decimals is None else scores.round(decimals)


def evaluate(longhaul, *arguments):
    result = longhaul("evaluate", *arguments, "--json")
    assert result.code == 0, result
    return json.loads(result.out)


def test_every_metric_equals_scikit_learn(longhaul, tmp_path):
    for seed, rows, decimals in [(1, 50, 1), (2, 1000, 2), (3, 1000, None), (4, 7, None)]:
        truth, scores = generated(seed, rows, decimals)
        path = write_predictions(tmp_path / "p.csv", truth, scores)
        thresholds = [0.5, 0.3, 0.5495, float(scores[0])]
        out = evaluate(longhaul, path, *(f"--threshold={t!r}" for t in thresholds))
        assert out["rows"] == rows and out["positives"] == truth.sum()
        assert out["roc_auc"] == pytest.approx(metrics.roc_auc_score(truth, scores), abs=1e-12)
        assert out["average_precision"] == pytest.approx(
            metrics.average_precision_score(truth, scores), abs=1e-12)
        assert [at["threshold"] for at in out["thresholds"]] == thresholds
        for at in out["thresholds"]:
            called = scores > at["threshold"]
            nan = {"zero_division": np.nan}
            expected = {
                "accuracy": metrics.accuracy_score(truth, called),
                "precision": metrics.precision_score(truth, called, **nan),
                "recall": metrics.recall_score(truth, called, **nan),
                "specificity": metrics.recall_score(truth, called, pos_label=0, **nan),
                "f1": metrics.f1_score(truth, called, **nan),
                "balanced_accuracy": metrics.balanced_accuracy_score(truth, called),
                "mcc": metrics.matthews_corrcoef(truth, called),
            }
            assert at["confusion"] == metrics.confusion_matrix(truth, called, labels=[0, 1]).tolist()
            for name, value in expected.items():
                if np.isnan(value):
                    assert at[name] is None, name
                else:
                    assert at[name] == pytest.approx(value, abs=1e-12), name
            interval = binomtest(int((called == truth).sum()), rows).proportion_ci(0.95, "exact")
            assert at["accuracy_interval"] == pytest.approx([interval.low, interval.high], abs=1e-10)


def test_a_file_is_known_by_its_bytes_alone(longhaul, tmp_path):
    path = write_predictions(tmp_path / "esm1v_harvey141021.csv", *generated(1, 300))
    out = evaluate(longhaul, path)
    assert out["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert out["known_as"] is None
    assert "none of the files whose figures" in longhaul("evaluate", path).out


def test_published_predictions_are_known(longhaul, shared_data):
    names = {"esm1v_harvey141021.csv": "Harvey", "esm1v_shehata398.csv": "Shehata",
             "esm1v_jain86_legacy.csv": "the other 86", "esm1v_jain86_p5e_s2_ids.csv": "P5e-S2"}
    for file, name in names.items():
        told = longhaul("evaluate", shared_data / "predictions" / file)
        assert told.code == 0 and "these are the original pipeline's" in told.out, told
        assert name in told.out


def test_stored_predictions_give_the_oracle_to_the_last_digit(longhaul, shared_data):
    oracle = json.loads((shared_data / "oracle_metrics.json").read_text())["sets"]
    compared = 0
    for name, expected in oracle.items():
        thresholds = [f"--threshold={t}" for t in expected["thresholds"]]
        out = evaluate(longhaul, shared_data / expected["source"], *thresholds)
        assert (out["rows"], out["positives"]) == (expected["n"], expected["pos"]), name
        for metric in ("roc_auc", "average_precision"):
            assert out[metric] == pytest.approx(expected[metric], abs=1e-12), name
            compared += 1
        for at in out["thresholds"]:
            for metric, value in expected["thresholds"][repr(at["threshold"])].items():
                if metric == "confusion":
                    assert at[metric] == value, name
                else:
                    assert at[metric] == pytest.approx(value, abs=1e-12), (name, metric)
                compared += 1
    assert compared >= 4 * (2 + 3 * 6)


def test_the_table_shows_matrix_and_interval(longhaul, tmp_path):
    path = write_predictions(tmp_path / "p.csv", [0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])
    result = longhaul("evaluate", path)
    assert result.code == 0 and result.err == ""
    assert "[[1,1],[1,1]]" in result.out
    assert "0.0676 to 0.9324" in result.out  # exact interval of 2 in 4
    assert "ROC-AUC 0.7500" in result.out


def test_a_score_equal_to_the_threshold_is_negative(longhaul, tmp_path):
    path = write_predictions(tmp_path / "p.csv", [1, 0], [0.5, 0.5000000000000001])
    at, = evaluate(longhaul, path)["thresholds"]
    assert at["confusion"] == [[0, 1], [1, 0]]


def test_columns_are_found_by_their_usual_names(longhaul, tmp_path):
    for truth in ("y_true", "label"):
        for score in ("y_proba", "prob_nonspecific", "score"):
            path = write_predictions(tmp_path / "p.csv", ["0.0", "1.0"], [0.2, 0.7],
                                     f"{truth},{score}")
            out = evaluate(longhaul, path)
            assert (out["truth_column"], out["score_column"]) == (truth, score)


def test_columns_can_be_named(longhaul, tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("label,truth,score,other\n0,1,0.1,0.9\n0,0,0.9,0.1\n")
    out = evaluate(longhaul, path, "--truth-column", "truth", "--score-column", "other")
    assert out["roc_auc"] == 1.0


def test_columns_that_cannot_be_told_are_asked_for(longhaul, tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("label,y_true,score\n0,1,0.1\n")
    result = longhaul("evaluate", path)
    assert result.code == 2 and "'y_true'" in result.err and "--truth-column" in result.err
    path.write_text("id,outcome,score\na,1,0.1\n")
    result = longhaul("evaluate", path)
    assert result.code == 2 and "id, outcome, score" in result.err
    result = longhaul("evaluate", path, "--truth-column", "labels")
    assert result.code == 2 and "labels" in result.err and "id, outcome, score" in result.err


@pytest.mark.parametrize("bad, says", [
    ("2,0.5", "y_true is '2'"), (",0.5", "y_true is ''"), ("yes,0.5", "y_true is 'yes'"),
    ("1,", "y_proba is ''"), ("1,nan", "'nan'"), ("1,inf", "'inf'"), ("1,0.5x", "'0.5x'"),
    ("1", "1 fields"), ("1,0.5,7", "3 fields"), ('1,"0.5', "never closes"),
])
def test_a_bad_row_is_named_by_its_line(longhaul, tmp_path, bad, says):
    path = tmp_path / "p.csv"
    path.write_text(f'# a preamble\ny_true,y_proba\n"0",0.5\n1,"0.25"\n{bad}\n')
    result = longhaul("evaluate", path)
    assert result.code == 65 and "line 5" in result.err and says in result.err, result
    assert result.out == ""


def test_one_class_only_is_said_and_leaves_metrics_undefined(longhaul, tmp_path):
    path = write_predictions(tmp_path / "p.csv", [0, 0, 0], [0.1, 0.6, 0.4])
    out = evaluate(longhaul, path)
    assert out["roc_auc"] is None and out["average_precision"] is None
    at, = out["thresholds"]
    assert at["recall"] is None and at["balanced_accuracy"] is None
    assert at["accuracy"] == pytest.approx(2 / 3) and at["mcc"] == 0
    assert "every y_true is 0" in longhaul("evaluate", path).err


def test_files_that_hold_no_predictions(longhaul, tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("")
    assert longhaul("evaluate", path).code == 65
    path.write_text("y_true,y_proba\n")
    result = longhaul("evaluate", path)
    assert result.code == 65 and "only a header" in result.err
    result = longhaul("evaluate", tmp_path / "absent.csv")
    assert result.code == 74 and "absent.csv" in result.err


def test_standard_input_and_crlf(longhaul):
    result = longhaul("evaluate", "-", "--json", stdin="y_true,y_proba\r\n0,0.1\r\n1,0.9\r\n")
    assert result.code == 0 and json.loads(result.out)["roc_auc"] == 1.0


def test_a_configuration_file_gives_thresholds_and_flags_win(longhaul, tmp_path):
    path = write_predictions(tmp_path / "p.csv", [0, 1], [0.52, 0.56])
    psr = CONFIGS / "evaluate_psr.json"
    assert [at["threshold"] for at in evaluate(longhaul, path, "--config", psr)["thresholds"]] == \
        [0.5, 0.5495]
    out = evaluate(longhaul, path, "--config", psr, "--threshold", "0.54")
    assert [at["threshold"] for at in out["thresholds"]] == [0.54]
    bad = tmp_path / "bad.json"
    bad.write_text('{"treshold": 0.5}')
    result = longhaul("evaluate", path, "--config", bad)
    assert result.code == 2 and "treshold" in result.err


def test_141021_rows_take_well_under_a_second(longhaul, tmp_path):
    truth, scores = generated(5, 141_021)
    path = write_predictions(tmp_path / "p.csv", truth, scores)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        out = evaluate(longhaul, path)
        seconds.append(time.perf_counter() - start)
    assert out["rows"] == 141_021
    assert min(seconds) < 0.9
