#!/usr/bin/env python3
"""Writes performance.json beside this file. Needed only to make them anew:
pip install scikit-learn==1.9.1 scipy==1.17.1 confidenceinterval==1.0.5
The generator is seeded; the file states the versions that made them."""
import json
import pathlib
import warnings

import numpy as np
import scipy
import sklearn
import sklearn.metrics as skm
from confidenceinterval import delong
from scipy import stats
from sklearn.calibration import calibration_curve

here = pathlib.Path(__file__).parent
warnings.simplefilter("ignore")


def bits(a):
    return "".join(str(int(v)) for v in a)


def delong_variance(y, s):
    """DeLong, DeLong and Clarke-Pearson (1988), equations 5 to 7, by comparing every pair."""
    p, n = s[y == 1], s[y == 0]
    psi = (p[:, None] > n[None, :]) + 0.5 * (p[:, None] == n[None, :])
    return psi.mean(axis=1).var(ddof=1) / len(p) + psi.mean(axis=0).var(ddof=1) / len(n)


def performance_case(name, y, s, threshold):
    d = (s >= threshold).astype(int)
    auc = skm.roc_auc_score(y, s)
    z = stats.norm.ppf(0.975)
    half = z * np.sqrt(delong_variance(y, s))
    peer_auc, peer_variance = delong.delong_roc_variance(y, s)
    fpr, tpr, _ = skm.roc_curve(y, s, drop_intermediate=False)
    top = {}
    for f, t in zip(fpr, tpr):
        top[f] = max(t, top.get(f, 0))
    case = {"name": name, "y": bits(y), "score": [float(v) for v in s], "threshold": threshold,
            "accuracy": skm.accuracy_score(y, d), "precision": skm.precision_score(y, d),
            "recall": skm.recall_score(y, d), "f1": skm.f1_score(y, d), "roc_auc": auc,
            "average_precision": skm.average_precision_score(y, s), "log_loss": skm.log_loss(y, s),
            "brier": skm.brier_score_loss(y, s),
            "roc_auc_ci": [max(0.0, auc - half), min(1.0, auc + half)],
            "peer_auc_variance": float(np.asarray(peer_variance).reshape(-1)[0]),
            "roc": [[f, t] for f, t in sorted(top.items())]}
    if len(set(s)) == len(s):
        observed, mean = calibration_curve(y, s, n_bins=10, strategy="quantile")
        case["calibration"] = [[float(m), float(o)] for m, o in zip(mean, observed)]
    return case


def performance():
    rng = np.random.default_rng(21)
    out = []
    y = (rng.random(500) < 0.3).astype(int)
    out.append(performance_case("distinct scores", y, np.round(1 / (1 + np.exp(-(2 * y - 1.4 + rng.normal(size=500)))), 9),
                                0.5))
    y = (rng.random(300) < 0.5).astype(int)
    out.append(performance_case("many ties", y, np.clip(np.round(0.3 * y + 0.7 * rng.random(300), 1), 0, 1), 0.5))
    y = (rng.random(120) < 0.1).astype(int)
    s = np.round(rng.random(120), 6)
    s[:3], s[3:6] = 0.0, 1.0
    out.append(performance_case("sure and wrong", y, s, 0.3))
    return {"made_by": f"scikit-learn {sklearn.__version__}, SciPy {scipy.__version__}, NumPy {np.__version__}, "
                       "confidenceinterval 1.0.5 (tests/assess/data/make_vectors.py)", "cases": out}


def write(name, value):
    (here / name).write_text(json.dumps(value, allow_nan=False, separators=(",", ":")) + "\n")


write("performance.json", performance())
