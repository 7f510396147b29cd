"""Where the figures in `scikit.rs` come from: scikit-learn on the rows that `data.rs` makes.

    python3 -m venv v && v/bin/pip install scikit-learn==1.9.1 && v/bin/python scikit.py
"""

import math

import numpy
from sklearn.calibration import calibration_curve
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, ndcg_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

MASK = (1 << 64) - 1


def numbers(seed):
    """SplitMix64, as fractions of 24 bits."""
    state = seed
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield ((z ^ (z >> 31)) >> 40) / (1 << 24)


def data(rows, missing):
    """Six features, of which one says nothing; labels by a rule with noise."""
    random, x, y = numbers(42), [], []
    for _ in range(rows):
        a, b, c, d, e, f, noise, hole = (next(random) for _ in range(8))
        score = 3 * a - 2 * b + (2 if c > 0.5 and d > 0.5 else 0) + 4 * (e - 0.5) ** 2 - 1.2
        y.append(score + 3 * (noise - 0.5) > 0.5)
        x.append([a, b, c, d, math.nan if missing and hole < 0.2 else e, f])
    return numpy.array(x, dtype=numpy.float32), numpy.array(y)


def figures(name, model, x, y):
    train = len(y) * 3 // 4
    model.fit(x[:train], y[:train])
    p = model.predict_proba(x[train:])[:, 1]
    print(f"{name}: auc {roc_auc_score(y[train:], p):.6f} log loss {log_loss(y[train:], p):.6f}", end=" ")
    observed, predicted = calibration_curve(y[train:], p, n_bins=10)
    print(f"calibration {[(round(a, 6), round(b, 6)) for a, b in zip(predicted, observed)][:2]}")
    return p, y[train:]


for missing in [False, True]:
    x, y = data(4000, missing)
    print("missing" if missing else "whole", "yes", int(y.sum()))
    figures("boosted", HistGradientBoostingClassifier(early_stopping=False), x, y)
    if not missing:
        line = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, tol=1e-12, max_iter=1000, solver="newton-cholesky"))
        p, held = figures("logistic", line, x.astype(numpy.float64), y)
        print("first predictions", [round(float(v), 9) for v in p[:4]])
        # Graded relevance with ties: scores rounded to two places, gains from a feature.
        gains, scores = numpy.floor(x[3000:, 1] * 4), numpy.round(x[3000:, 0] * 100)
        for k in [1, 10, 100, 1000]:
            print("ndcg", k, round(float(ndcg_score([gains], [scores], k=k)), 9))
        print("auc of ties", round(float(roc_auc_score(held, scores)), 9))
