#!/usr/bin/env python3
"""Writes fairness.json and performance.json beside this file. Needed only to make them anew:
pip install fairlearn==0.15.0 scikit-learn==1.9.1 scipy==1.17.1 statsmodels==0.15.0 confidenceinterval==1.0.5
The generator is seeded; the files state the versions that made them."""
import json
import pathlib
import warnings

import numpy as np
import pandas as pd
import scipy
import sklearn
import sklearn.metrics as skm
import statsmodels
import fairlearn
from confidenceinterval import delong
from fairlearn import metrics as flm
from scipy import stats
from sklearn.calibration import calibration_curve
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

here = pathlib.Path(__file__).parent
warnings.simplefilter("ignore")
BASE = {
    "selection_rate": flm.selection_rate,
    "tpr": flm.true_positive_rate,
    "fpr": flm.false_positive_rate,
    "tnr": flm.true_negative_rate,
    "fnr": flm.false_negative_rate,
    "precision": lambda y, d: skm.precision_score(y, d, zero_division=np.nan),
    "accuracy": skm.accuracy_score,
}


def bits(a):
    return "".join(str(int(v)) for v in a)


def cells(y, d, metric):
    """(successes, out of) of a metric, for the intervals."""
    y, d = np.asarray(y), np.asarray(d)
    among = {"selection_rate": y >= 0, "accuracy": y >= 0, "tpr": y == 1, "fnr": y == 1, "fpr": y == 0, "tnr": y == 0,
             "precision": d == 1}[metric]
    hit = {"selection_rate": d == 1, "accuracy": y == d, "tpr": d == 1, "fpr": d == 1, "tnr": d == 0, "fnr": d == 0,
           "precision": y == 1}[metric]
    return int((among & hit).sum()), int(among.sum())


def ends(pair):
    return [float(v) for v in pair]


def fairness_case(name, y, d, group, levels):
    frame = flm.MetricFrame(metrics=BASE, y_true=y, y_pred=d, sensitive_features=pd.Series(group, name="g"))
    by, out = frame.by_group, []
    for level in range(levels):
        if level not in by.index:
            out.append(None)
            continue
        rows = group == level
        entry = {}
        for metric in BASE:
            x, n = cells(y[rows], d[rows], metric)
            entry[metric] = [float(by.loc[level, metric]), x, n,
                             *ends(proportion_confint(x, n, alpha=0.05, method="wilson"))]
        out.append(entry)
    gaps = {}
    for metric in BASE:
        high, low = by[metric].idxmax(), by[metric].idxmin()
        xh, nh = cells(y[group == high], d[group == high], metric)
        xl, nl = cells(y[group == low], d[group == low], metric)
        gaps[metric] = {
            "difference": float(frame.difference(method="between_groups")[metric]),
            "ratio": float(frame.ratio(method="between_groups")[metric]),
            "high": int(high), "low": int(low),
            "difference_ci": ends(confint_proportions_2indep(xh, nh, xl, nl, method="newcomb", compare="diff")),
            "ratio_ci": ends(confint_proportions_2indep(xl, nl, xh, nh, method="log", compare="ratio", correction=False)),
        }
    of = dict(y_true=y, y_pred=d, sensitive_features=group)
    return {"name": name, "y": bits(y), "decision": bits(d), "group": bits(group), "levels": levels, "groups": out,
            "overall": {m: float(frame.overall[m]) for m in BASE}, "gaps": gaps,
            "demographic_parity_difference": float(flm.demographic_parity_difference(**of)),
            "demographic_parity_ratio": float(flm.demographic_parity_ratio(**of)),
            "equalized_odds_difference": float(flm.equalized_odds_difference(**of)),
            "equalized_odds_ratio": float(flm.equalized_odds_ratio(**of))}


def fairness():
    rng = np.random.default_rng(20)
    out = []
    for name, n, levels, shift in (("two groups", 400, 2, 0.25), ("five groups", 900, 5, 0.1), ("even", 300, 3, 0.0)):
        g = rng.integers(0, levels, n)
        y = (rng.random(n) < 0.3 + shift * g / levels).astype(int)
        d = np.where(rng.random(n) < 0.7, y, rng.random(n) < 0.2 + shift * g).astype(int)
        out.append(fairness_case(name, y, d, g, levels))
    a, b = rng.integers(0, 2, 500), rng.integers(0, 3, 500)
    y = (rng.random(500) < 0.4).astype(int)
    d = np.where(rng.random(500) < 0.8, y, 1 - y)
    case = fairness_case("intersection", y, d, a * 3 + b, 6)
    case.update(a=bits(a), b=bits(b), b_levels=3)
    out.append(case)
    return {"made_by": f"fairlearn {fairlearn.__version__}, scikit-learn {sklearn.__version__}, "
                       f"statsmodels {statsmodels.__version__} (tests/assess/data/make_vectors.py)", "cases": out}


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


write("fairness.json", fairness())
write("performance.json", performance())
