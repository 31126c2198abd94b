"""A remedy is a promise: messages of `longhaul probe` and `longhaul evaluate`, followed."""

import json

import numpy as np
import pytest
from run_directories import make_run, two_classes

from remedies import Trial, cannot_follow, follows

LABELS = "lib/score/labels.cpp"
TABLE = "lib/score/table.cpp"
PREDICTIONS = "lib/score/predictions.cpp"
FOLDS = "lib/score/fold_file.cpp"


@pytest.fixture
def t(longhaul_fake, tmp_path):
    trial = Trial(longhaul_fake, tmp_path)
    trial.x, trial.y = two_classes(3, 40, 6)
    trial.y[:4] = [0, 1, 0, 1]
    trial.head = trial.folder / "head.npz"
    return trial


def run(t, name="run", **options):
    return make_run(t.folder / name, t.x, **{"kept": {"label": t.y}, **options})


def fit(t, run, *more):
    return ["probe", "fit", run, "-o", t.head, *more]


def rows(header, *lines):
    return "\n".join([header, *lines]) + "\n"


@follows("apps/longhaul/probe_fit.cpp", "-C must be")
@follows("apps/longhaul/probe_cv.cpp", "-C must be")
def test_strength(t):
    out = run(t)
    t.fails(2, "1 is the default", *fit(t, out, "-C", 0))
    t.fails(2, "1 is the default", "probe", "cv", out, "-C", -1)
    t.works(*fit(t, out, "-C", 1))
    t.works("probe", "cv", out, "-C", 1)


@follows("apps/longhaul/probe_labels.cpp", "does not record what its input was")
def test_no_labels(t):
    out = run(t, kept={})
    t.fails(65, "embed with --keep-column label, or give --labels FILE", *fit(t, out))
    labels = t.write("l.csv", rows("id,label", *(f"r{i},{v}" for i, v in enumerate(t.y))))
    t.works(*fit(t, out, "--labels", labels))
    t.works(*t.embed("--keep-column", "label"))
    t.works(*fit(t, t.out))


@follows("apps/longhaul/probe_labels.cpp", "and from the recorded input")
@follows(LABELS, "is no longer what was embedded")
def test_labels_of_an_input_that_changed(t):
    t.works(*t.embed())
    t.works(*fit(t, t.out))  # from the recorded input
    before = t.input.read_text()
    t.input.write_text(before.replace("ACDEF", "ACDEG"))
    t.fails(65, "restore it, give --labels FILE, or embed again with --keep-column",
            *fit(t, t.out))
    labels = t.write("l.csv", rows("id,label", "a,1", "b,0", "c,1", "d,0"))
    t.works(*fit(t, t.out, "--labels", labels))
    t.input.unlink()
    t.fails(65, "embed with --keep-column label, or give --labels FILE", *fit(t, t.out))
    t.input.write_text(before)
    t.works(*fit(t, t.out))
    t.out = t.folder / "kept"
    t.works(*t.embed("--keep-column", "label"))
    t.input.unlink()
    t.works(*fit(t, t.out))


@follows("lib/score/dataset.cpp", "have no label")
@follows(LABELS, "the label is '", "was given before, at", "labels cannot be joined by id")
def test_labels_that_cannot_be_used(t):
    out = run(t)
    every = [f"r{i},{v}" for i, v in enumerate(t.y)]
    t.fails(65, "label them, or leave them out with --skip-unlabelled",
            *fit(t, out, "--labels", t.write("few.csv", rows("id,label", *every[:30]))))
    t.works(*fit(t, out, "--labels", t.folder / "few.csv", "--skip-unlabelled"))
    t.fails(65, "name another column with --label, or correct the label",
            *fit(t, out, "--labels", t.write("bad.csv", rows("id,label,y", *(
                f"r{i},high,{v}" for i, v in enumerate(t.y))))))
    t.works(*fit(t, out, "--labels", t.folder / "bad.csv", "--label", "y"))
    t.fails(65, "give each id once",
            *fit(t, out, "--labels", t.write("twice.csv", rows("id,label", *every, every[0]))))
    t.works(*fit(t, out, "--labels", t.write("once.csv", rows("id,label", *every))))
    double = run(t, "double", ids=["same"] * 40)
    t.fails(65, "embed again with --keep-column and the label's column",
            *fit(t, double, "--labels", t.folder / "once.csv"))
    t.works(*fit(t, double))


@follows("lib/score/logistic.cpp", "a classifier needs both classes")
def test_one_class_only(t):
    out = run(t, kept={"label": [1] * 40, "y": t.y})
    t.fails(65, "check the label column", *fit(t, out))
    t.works(*fit(t, out, "--label", "y"))


cannot_follow("lib/score/logistic.cpp", "did not converge", "no data is known that does not; "
              "--normalize l2 is what bounds the scale")


@follows("apps/longhaul/probe_predict.cpp", "is for vectors of", "what | ", "holds no vector")
def test_a_head_of_other_embeddings(t):
    t.works(*fit(t, run(t)))
    wide = make_run(t.folder / "wide", np.ones((4, 9)), kept={"label": [0, 1, 0, 1]})
    predict = ["probe", "predict", t.head]
    to = ["-o", t.folder / "p.csv"]
    t.fails(65, "embed with the model that the head was fitted on", *predict, wide, *to)
    other = run(t, "other", model_sha256="bb")
    t.fails(65, "or give --allow-mismatch", *predict, other, *to)
    t.works(*predict, other, *to, "--allow-mismatch")
    t.works(*predict, t.folder / "run", *to)
    t.input.write_text("id,sequence\na,MK?\n")
    t.model.write_text(json.dumps({"fake": True, "dimension": 6}))
    t.works(*t.embed(), code=65)
    t.fails(65, "see its rejects.csv", *predict, t.out, *to, "--allow-mismatch")
    assert "invalid_character" in (t.out / "rejects.csv").read_text()


@follows("lib/score/head.cpp", "not a probe's head", "belongs to another head")
@follows("lib/score/npz.cpp", "is not a readable .npz")
def test_heads_that_are_none(t):
    out = run(t)
    predict = ["probe", "predict", t.head, out, "-o", t.folder / "p.csv"]
    np.savez(t.head, weights=np.zeros(3))
    t.fails(65, "a head has coef, intercept and classes", *predict)
    t.head.write_bytes(b"PK\x03\x04 and no more")
    t.fails(65, "write it with numpy.savez", *predict)
    head = {"coef": np.ones((1, 6)), "intercept": np.zeros(1), "classes": np.array([0, 1])}
    np.savez(t.head, **head)
    t.works(*predict)
    t.works(*fit(t, out))
    np.savez(t.head, **head)  # beside the provenance of the head that was fitted
    t.fails(65, "fit the head again, or remove the JSON file", *predict)
    t.works(*fit(t, out))
    t.works(*predict)
    np.savez(t.head, **head)
    provenance, = t.folder.glob("head*.json")
    provenance.unlink()
    t.works(*predict)


@follows("lib/score/npy.cpp", "is not a readable .npy")
@follows("lib/store/npy.cpp", "is not a readable .npy")
def test_vectors_that_are_none(t):
    out = run(t)
    np.save(out / "embeddings.npy", np.asfortranarray(t.x))
    t.fails(65, "write it with numpy.save, as float32 or float64 in C order", *fit(t, out))
    np.save(out / "embeddings.npy", np.ascontiguousarray(t.x))
    t.works(*fit(t, out))


@follows("apps/longhaul/probe_cv.cpp", "has no column '", "contradict each other")
@follows("lib/score/folds.cpp", "fewer than the")
@follows(FOLDS, "folds cannot be joined by id", "has no record", "gives no fold for")
def test_folds(t):
    out = run(t, kept={"label": t.y, "family": [f"f{i % 8}" for i in range(40)]})
    cv = ["probe", "cv", out]
    t.fails(2, "give --group sequence, or a column kept with --keep-column", *cv, "--group", "x")
    t.works(*cv, "--group", "family", "--folds", 2)
    t.works(*cv, "--group", "sequence")
    every = [f"{i},{i % 3}" for i in range(40)]
    folds = t.write("folds.csv", rows("row,fold", *every))
    t.fails(2, "the file alone says which rows stay together", *cv, "--folds", folds, "--group",
            "family")
    t.works(*cv, "--folds", folds)
    t.fails(65, "use fewer --folds", *cv, "--folds", 30)
    t.works(*cv, "--folds", 3)
    t.fails(65, "list every record that has a vector and a label", *cv, "--folds",
            t.write("few.csv", rows("row,fold", *every[:39])))
    t.fails(65, "give the folds of this run", *cv, "--folds",
            t.write("more.csv", rows("row,fold", *every, "40,1")))
    double = run(t, "double", ids=["same"] * 40)
    by_id = t.write("ids.csv", rows("id,fold", "same,1"))
    t.fails(65, "give the folds by row", "probe", "cv", double, "--folds", by_id)
    t.works("probe", "cv", double, "--folds", folds)


GOOD = rows("label,score,other", "1,0.9,0.8", "0,0.2,0.3", "1,0.7,0.6", "0,0.4,0.1")


@follows(PREDICTIONS, "could be meant", "none of the columns", "is '\" + printable(truth)",
         "is '\" + printable(text)")
@follows(TABLE, "has no column '")
@follows("lib/base/csv_reader.cpp", "has two columns named", "is empty: no header", "text after a closing",
         "never closes", "fields where the header has")
@pytest.mark.parametrize("bad, remedy, flags", [
    (GOOD.replace("other", "y_true"), "name one with --truth-column", ["--truth-column", "label"]),
    (GOOD.replace("score", "points"), "name one with --score-column", ["--score-column", "points"]),
    (GOOD.replace("1,0.9", "2,0.9"), "give every row its label", None),
    (GOOD.replace("0.9", "high"), "or name another column with --score-column",
     ["--score-column", "other"]),
    (GOOD.replace("other", "score"), "rename one of them", None),
    ("", "check that it was written completely", None),
    (GOOD.replace("1,0.9,0.8", '1,0.9,"0.8"x'), "double the quotes inside fields", None),
    (GOOD.replace("1,0.9,0.8", "1,0.9"), "check the quoting and the separators", None),
])
def test_predictions(t, bad, remedy, flags):
    path = t.write("p.csv", bad)
    code = t.program("evaluate", path, cwd=t.folder).code
    t.fails(code, remedy, "evaluate", path)
    assert code in (2, 65)
    if flags is None:
        path.write_text(GOOD)
    t.works("evaluate", path, *(flags or []))


@follows(TABLE, "has no column '")
def test_a_column_that_is_not_there(t):
    path = t.write("p.csv", GOOD)
    line = t.fails(2, "name one with --truth-column", "evaluate", path, "--truth-column", "x")
    assert "label, score, other" in line
    t.works("evaluate", path, "--truth-column", "label")


@follows("apps/longhaul/evaluate.cpp", "allowed: description", "cannot open", "is not a finite")
def test_evaluations_settings(t):
    path = t.write("p.csv", GOOD)
    config = t.write("c.json", '{"thresholds": 3}')
    t.fails(2, "allowed: description, threshold", "evaluate", path, "--config", config)
    config.write_text('{"threshold": [0.5, 0.6], "truth-column": "label"}')
    t.works("evaluate", path, "--config", config)
    t.fails(74, "check the path", "evaluate", path, "--config", t.folder / "none.json")
    t.fails(2, "give a number such as 0.5", "evaluate", path, "--threshold", "inf")
    t.works("evaluate", path, "--threshold", 0.5)
