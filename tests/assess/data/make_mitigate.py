"""Makes mitigate.json: what Fairlearn and AIF360 say.
python3 -m venv v && v/bin/pip install fairlearn aif360 'pandas<2.3' scikit-learn"""
import json
import warnings
from importlib.metadata import version

import numpy as np
import pandas as pd
from aif360.algorithms.preprocessing import Reweighing
from aif360.datasets import BinaryLabelDataset
from fairlearn.postprocessing import ThresholdOptimizer
from fairlearn.preprocessing import CorrelationRemover
from sklearn.base import BaseEstimator, ClassifierMixin

warnings.filterwarnings("ignore")
rng = np.random.default_rng(4)


class Pass(ClassifierMixin, BaseEstimator):
    """Gives its one column back as the score."""

    def fit(self, x, y):
        self.fitted_ = True
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, x):
        x = np.asarray(x)[:, 0]
        return np.stack([1 - x, x], 1)


def scored(n, groups, steps):
    g = rng.integers(0, groups, n)
    z = rng.normal(0, 1, n) + 0.5 * g
    y = (rng.random(n) < 1 / (1 + np.exp(-1.5 * z + 0.6))).astype(int)
    s = 1 / (1 + np.exp(-z + rng.normal(0, 0.7, n)))
    return np.round(s * steps) / steps, y, g


def thresholds():
    out = []
    simple = ["demographic_parity", "true_positive_rate_parity", "false_positive_rate_parity",
              "true_negative_rate_parity", "false_negative_rate_parity"]
    objectives = ["accuracy_score", "balanced_accuracy_score", "selection_rate", "true_positive_rate",
                  "true_negative_rate"]
    for n, groups, steps in [(160, 2, 20), (240, 3, 1000)]:
        s, y, g = scored(n, groups, steps)
        cases = [(c, o, f, t) for c in simple for o in objectives for f in (False, True) for t in (None, 0.0705)]  # not a multiple of the grid's step
        cases += [("equalized_odds", o, f, None) for o in objectives[:2] for f in (False, True)]
        data = {"score": s.tolist(), "y": y.tolist(), "group": g.tolist(), "groups": groups, "plans": []}
        for c, o, f, t in cases:
            m = ThresholdOptimizer(estimator=Pass().fit(None, None), constraints=c, objective=o, flip=f, tol=t,
                                   prefit=True, predict_method="predict_proba", grid_size=1000)
            m.fit(s[:, None], y, sensitive_features=g)
            p = m._pmf_predict(s[:, None], sensitive_features=g)[:, 1]
            data["plans"].append({
                "constraint": c, "objective": o, "flip": f, "tol": t or 0, "best": float(m._y_best),
                "selection_rate": [float(p[g == k].mean()) for k in range(groups)],
                "tpr": [float(p[(g == k) & (y == 1)].mean()) for k in range(groups)],
                "fpr": [float(p[(g == k) & (y == 0)].mean()) for k in range(groups)],
                "accuracy": float(np.mean(np.where(y == 1, p, 1 - p)))})
        out.append(data)
    return out


def removers():
    out = []
    for n, f, k, alpha in [(30, 3, 1, 1.0), (40, 2, 2, 0.6)]:
        s = rng.normal(size=(n, k))
        z = rng.normal(size=(n, f)) + s @ rng.normal(size=(k, f)) + 3
        frame = pd.DataFrame(np.hstack([s, z]), columns=[f"s{i}" for i in range(k)] + [f"z{i}" for i in range(f)])
        r = CorrelationRemover(sensitive_feature_ids=[f"s{i}" for i in range(k)], alpha=alpha).fit_transform(frame)
        out.append({"rows": n, "features": f, "sensitive": k, "alpha": alpha, "s": s.ravel().tolist(),
                    "z": z.ravel().tolist(), "out": np.asarray(r).ravel().tolist()})
    return out


def reweighings():
    out = []
    for counts in ([[40, 10], [25, 25]], [[7, 93], [150, 3]]):
        rows = [(g, y) for g in (0, 1) for y in (0, 1) for _ in range(counts[g][y])]
        frame = pd.DataFrame(rows, columns=["g", "y"], dtype=float)
        d = BinaryLabelDataset(df=frame, label_names=["y"], protected_attribute_names=["g"])
        w = Reweighing([{"g": 0}], [{"g": 1}]).fit_transform(d).instance_weights
        each = [[float(w[(frame.g == g) & (frame.y == y)][0]) for y in (0, 1)] for g in (0, 1)]
        out.append({"count": counts, "weight": each})
    return out


json.dump({"tools": {t: version(t) for t in ("fairlearn", "aif360", "numpy", "pandas")},
           "thresholds": thresholds(), "removers": removers(), "reweighings": reweighings()}, open("mitigate.json", "w"))
