#!/usr/bin/env python3
"""Makes group_vectors.json: group metrics of random samples by Fairlearn, scikit-learn and SciPy.

  pip install fairlearn==0.15.0 scikit-learn==1.9.1 scipy==1.15.3 statsmodels==0.15.0
  python3 make_group_vectors.py > group_vectors.json
"""
import json
import math

import fairlearn
import fairlearn.metrics as fm
import numpy as np
import scipy
import sklearn
import sklearn.metrics as sm
from fairlearn.metrics import MetricFrame

nan = math.nan


def balanced_rmse(y, p):
    return (math.sqrt(np.mean((p - y)[y == 1] ** 2)) + math.sqrt(np.mean((p - y)[y == 0] ** 2))) / 2


DECISION = {
    "selection_rate": fm.selection_rate,
    "true_positive_rate": fm.true_positive_rate,
    "false_positive_rate": fm.false_positive_rate,
    "true_negative_rate": fm.true_negative_rate,
    "false_negative_rate": fm.false_negative_rate,
    "accuracy_score": sm.accuracy_score,
    "zero_one_loss": sm.zero_one_loss,
    "balanced_accuracy_score": sm.balanced_accuracy_score,
    "precision_score": lambda y, d: sm.precision_score(y, d, zero_division=nan),
    "recall_score": sm.recall_score,
    "f1_score": sm.f1_score,
}
SCORE = {
    "roc_auc_score": sm.roc_auc_score,
    "log_loss": lambda y, p: sm.log_loss(y, p, labels=[0, 1]),
    "balanced_root_mean_squared_error": balanced_rmse,
}
VALUE = {
    "mean_prediction": fm.mean_prediction,
    "mean_absolute_error": sm.mean_absolute_error,
    "mean_squared_error": sm.mean_squared_error,
    "root_mean_squared_error": sm.root_mean_squared_error,
    "r2_score": sm.r2_score,
    "overprediction": lambda y, p: np.mean(np.maximum(p - y, 0)),
    "underprediction": lambda y, p: np.mean(np.maximum(y - p, 0)),
}


def clean(v):
    v = float(v)
    return v if math.isfinite(v) else None


def frame_of(metrics, y, p, groups, control=None):
    f = MetricFrame(metrics=metrics, y_true=y, y_pred=p, sensitive_features=groups, control_features=control)
    if control is not None:
        return {"difference": {m: [clean(v) for v in f.difference()[m]] for m in metrics},
                "ratio": {m: [clean(v) for v in f.ratio()[m]] for m in metrics}}
    out = {}
    for m in metrics:
        out[m] = {
            "overall": clean(f.overall[m]),
            "by_group": [clean(v) for v in f.by_group[m]],
            "group_min": clean(f.group_min()[m]), "group_max": clean(f.group_max()[m]),
            "difference": clean(f.difference()[m]), "ratio": clean(f.ratio()[m]),
            "difference_to_overall": clean(f.difference(method="to_overall")[m]),
            "ratio_to_overall": clean(f.ratio(method="to_overall")[m]),
        }
    return out


def odds(y, d, g):
    out = {}
    for method, tail in (("between_groups", ""), ("to_overall", "_to_overall")):
        for agg in ("worst_case", "mean"):
            for what in ("difference", "ratio"):
                f = getattr(fm, f"equalized_odds_{what}")
                out[f"{what}_{agg}{tail}"] = clean(f(y, d, sensitive_features=g, method=method, agg=agg))
    return out


def sample(rng, n, levels):
    g = rng.choice(levels, n, p=np.arange(1, levels + 1)[::-1] / (levels * (levels + 1) / 2))
    h = rng.integers(0, 2, n)
    c = rng.integers(0, 2, n)
    z = rng.normal(size=n) + 0.4 * g - 0.3 * h + 0.3 * c
    y = (z + rng.normal(size=n) > 0.4).astype(int)
    score = np.round(1 / (1 + np.exp(-(z + 0.3 * rng.normal(size=n)))), 3)
    return g, h, c, y, (score >= 0.5).astype(int), score


def binary(rng, n, levels):
    g, h, c, y, d, score = sample(rng, n, levels)
    digits = lambda a: "".join(map(str, a))
    both = 2 * g + h
    return {
        "rows": n, "levels": levels, "g": digits(g), "h": digits(h), "control": digits(c), "y": digits(y),
        "decision": digits(d), "score": [float(s) for s in score],
        "by_g": {**frame_of(DECISION, y, d, g), **frame_of({**SCORE, **VALUE}, y, score, g)},
        "by_both": frame_of(DECISION, y, d, np.array([f"{b:02d}" for b in both])),
        "given_control": frame_of(DECISION, y, d, g, c),
        "odds": odds(y, d, g),
        "demographic_parity_difference": clean(fm.demographic_parity_difference(y, d, sensitive_features=g)),
        "demographic_parity_ratio": clean(fm.demographic_parity_ratio(y, d, sensitive_features=g)),
        "equal_opportunity_difference": clean(fm.equal_opportunity_difference(y, d, sensitive_features=g)),
        "equal_opportunity_ratio": clean(fm.equal_opportunity_ratio(y, d, sensitive_features=g)),
    }


def regression(rng, n, levels):
    g = rng.integers(0, levels, n)
    y = np.round(100 + 10 * rng.normal(size=n) + 3 * g, 2)
    p = np.round(y + 4 * rng.normal(size=n) - g, 2)
    means = {}
    for k in range(levels):
        e = np.abs(p - y)[g == k]
        low, high = scipy.stats.t.interval(0.95, len(e) - 1, np.mean(e), scipy.stats.sem(e))
        means[k] = [low, high]
    return {"rows": n, "levels": levels, "g": "".join(map(str, g)), "y": list(map(float, y)),
            "prediction": list(map(float, p)), "by_g": frame_of(VALUE, y, p, g),
            "mae_ci": [[float(v) for v in means[k]] for k in range(levels)]}


def classes(rng, n, k):
    y = rng.integers(0, k, n)
    d = np.where(rng.random(n) < 0.7, y, rng.integers(0, k, n))
    digits = lambda a: "".join(map(str, a))
    return {"rows": n, "classes": k, "y": digits(y), "decision": digits(d),
            "precision_macro": float(sm.precision_score(y, d, average="macro")),
            "recall_macro": float(sm.recall_score(y, d, average="macro")),
            "balanced_accuracy": float(sm.balanced_accuracy_score(y, d)),
            "f1_macro": float(sm.f1_score(y, d, average="macro"))}


rng = np.random.default_rng(20240607)
print(json.dumps({
    "versions": {"fairlearn": fairlearn.__version__, "scikit-learn": sklearn.__version__, "scipy": scipy.__version__,
                 "numpy": np.__version__},
    "binary": [binary(rng, n, k) for n, k in ((400, 2), (700, 3), (900, 5))],
    "regression": [regression(rng, n, k) for n, k in ((120, 2), (600, 4))],
    "classes": [classes(rng, n, k) for n, k in ((150, 3), (500, 6))],
}, indent=1))
