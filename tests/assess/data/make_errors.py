"""Writes errors.json: metrics, confusion, calibration and mutual information by scikit-learn.

python -m venv v && v/bin/pip install scikit-learn==1.9.1 numpy==2.4.6 && v/bin/python make_errors.py > errors.json
"""
import json
import warnings

import numpy as np
import sklearn
from sklearn import metrics as m
from sklearn.calibration import calibration_curve

warnings.filterwarnings("ignore")
rng = np.random.default_rng(7)


def rounded(d):
    return {k: float(v) for k, v in d.items()}


def binary(n):
    y = rng.integers(0, 2, n)
    p = np.clip(np.round(rng.beta(2, 2, n) * 0.6 + 0.3 * y, 3), 0, 1)
    d = (p >= 0.5).astype(int)
    tn, fp, fn, tp = m.confusion_matrix(y, d).ravel()
    curves = {}
    for strategy in ["uniform", "quantile"]:
        observed, mean = calibration_curve(y, p, n_bins=8, strategy=strategy)
        curves[strategy] = {"observed": observed.tolist(), "mean": mean.tolist()}
    return {
        "label": y.tolist(), "decision": d.tolist(), "score": p.tolist(),
        "counts": [int(tn), int(fp), int(fn), int(tp)], "calibration": curves,
        "metrics": rounded({
            "error_rate": m.zero_one_loss(y, d), "accuracy_score": m.accuracy_score(y, d),
            "precision_score": m.precision_score(y, d), "recall_score": m.recall_score(y, d),
            "f1_score": m.f1_score(y, d), "false_positive_rate": fp / (fp + tn),
            "false_negative_rate": fn / (fn + tp), "selection_rate": d.mean(),
            "macro_precision_score": m.precision_score(y, d, average="macro"),
            "macro_recall_score": m.recall_score(y, d, average="macro"),
            "macro_f1_score": m.f1_score(y, d, average="macro"),
            "micro_precision_score": m.precision_score(y, d, average="micro"),
        }),
    }


def classes(n, missing):
    y = rng.integers(0, 4, n)
    d = np.where(rng.random(n) < 0.6, y, rng.integers(0, 4, n))
    if missing:  # one class is never decided, one is in neither
        y[y == 3] = 0
        d[(d == 3) | (d == 2)] = 1
    return {
        "label": y.tolist(), "decision": d.tolist(),
        "counts": m.confusion_matrix(y, d, labels=range(4)).ravel().tolist(),
        "metrics": rounded({
            "error_rate": m.zero_one_loss(y, d), "accuracy_score": m.accuracy_score(y, d),
            **{f"{a}_{f}_score": getattr(m, f + "_score")(y, d, average=a, zero_division=0)
               for a in ["macro", "micro"] for f in ["precision", "recall", "f1"]},
        }),
    }


def numbers(n):
    y = np.round(rng.normal(50, 10, n), 3)
    p = np.round(y + rng.normal(1, 4, n), 3)
    return {
        "truth": y.tolist(), "prediction": p.tolist(),
        "metrics": rounded({
            "mean_absolute_error": m.mean_absolute_error(y, p), "mean_squared_error": m.mean_squared_error(y, p),
            "median_absolute_error": m.median_absolute_error(y, p), "r2_score": m.r2_score(y, p),
            "mean_prediction": p.mean(), "mean_error": (p - y).mean(),
        }),
    }


def mutual(n, k):
    x = rng.integers(0, k, n)
    e = (rng.random(n) < 0.1 + 0.05 * x).astype(int)
    return {"x": x.tolist(), "error": e.tolist(), "mutual_information": float(m.mutual_info_score(x, e))}


print(json.dumps({
    "tool": "scikit-learn " + sklearn.__version__, "binary": [binary(400), binary(37)],
    "classes": [classes(300, False), classes(120, True)], "numbers": [numbers(201), numbers(50)],
    "mutual": [mutual(500, 5), mutual(300, 12), mutual(200, 2)],
}, separators=(",", ":")))
