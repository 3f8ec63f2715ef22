"""Makes gradient.json: Fairlearn's ExponentiatedGradient over XGBoost on a small set of rows.
python3 -m venv v && v/bin/pip install fairlearn xgboost-cpu"""
import json
from importlib.metadata import version

import numpy as np
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference
from fairlearn.reductions import DemographicParity, EqualizedOdds, ExponentiatedGradient
from xgboost import XGBClassifier

rng = np.random.default_rng(11)
n = 600
g = (rng.random(n) < 0.35).astype(int)
x = np.stack([rng.normal(0.9 * g, 1), rng.normal(0, 1, n), rng.normal(0.4 * g, 1)], 1).round(2)
y = (rng.random(n) < 1 / (1 + np.exp(-(1.2 * x[:, 0] + 0.8 * x[:, 1] - 0.6)))).astype(int)


def booster():
    return XGBClassifier(n_estimators=15, max_depth=3, learning_rate=0.3, tree_method="hist", n_jobs=1, max_bin=256)


def levels(p):
    p = np.asarray(p, float)
    rates = [p[g == k].mean() for k in (0, 1)]
    odds = [[p[(g == k) & (y == e)].mean() for k in (0, 1)] for e in (0, 1)]
    return {"error": float(np.mean(np.where(y == 1, 1 - p, p))), "parity_gap": float(abs(rates[0] - rates[1])),
            "odds_gap": float(max(abs(a - b) for a, b in odds))}


out = {"tools": {t: version(t) for t in ("fairlearn", "xgboost-cpu", "numpy")}, "x": x.ravel().tolist(),
       "y": y.tolist(), "group": g.tolist()}
out["plain"] = levels(booster().fit(x, y).predict(x))
for name, moment in [("demographic_parity", DemographicParity(difference_bound=0.02)),
                     ("equalized_odds", EqualizedOdds(difference_bound=0.02))]:
    m = ExponentiatedGradient(booster(), moment, eps=0.02, max_iter=50)
    m.fit(x, y, sensitive_features=g)
    out[name] = levels(m._pmf_predict(x)[:, 1])
json.dump(out, open("gradient.json", "w"))
print(out["plain"], out["demographic_parity"], out["equalized_odds"])
