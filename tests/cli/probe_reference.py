"""What `longhaul probe` is held against: scikit-learn's fit, and how its predictions are read."""

import numpy as np
from sklearn.linear_model import LogisticRegression


def sklearn_fit(vectors, labels, c=1.0):
    return LogisticRegression(C=c, tol=1e-10, max_iter=100_000).fit(
        np.asarray(vectors, dtype=np.float64), labels)


def read_predictions(path):
    return np.genfromtxt(path, delimiter=",", names=True, dtype=None, encoding="utf-8")
