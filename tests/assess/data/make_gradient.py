"""Makes gradient.json: Fairlearn's ExponentiatedGradient over XGBoost on a small set of rows.
python3 -m venv v && v/bin/pip install fairlearn xgboost-cpu"""
import json
from importlib.metadata import version

import numpy as np
from fairlearn.reductions import (BoundedGroupLoss, DemographicParity, EqualizedOdds, ErrorRateParity,
                                  ExponentiatedGradient, FalsePositiveRateParity, TruePositiveRateParity, ZeroOneLoss)
from xgboost import XGBClassifier

rng = np.random.default_rng(11)
n = 600
LOSS_BOUND = 0.17
g = (rng.random(n) < 0.35).astype(int)
x = np.stack([rng.normal(0.9 * g, 1), rng.normal(0, 1, n), rng.normal(0.4 * g, 1)], 1).round(2)
y = (rng.random(n) < 1 / (1 + np.exp(-(1.2 * x[:, 0] + 0.8 * x[:, 1] - 0.6)))).astype(int)


def booster():
    return XGBClassifier(n_estimators=15, max_depth=3, learning_rate=0.3, tree_method="hist", n_jobs=1, max_bin=256)


def levels(p):
    p = np.asarray(p, float)
    rates = [p[g == k].mean() for k in (0, 1)]
    odds = [[p[(g == k) & (y == e)].mean() for k in (0, 1)] for e in (0, 1)]
    loss = np.where(y == 1, 1 - p, p)
    losses = [loss[g == k].mean() for k in (0, 1)]
    return {"error": float(np.mean(loss)), "parity_gap": float(abs(rates[0] - rates[1])),
            "parity_ratio": float(min(rates) / max(rates)), "odds_gap": float(max(abs(a - b) for a, b in odds)),
            "negative_gap": float(abs(odds[0][0] - odds[0][1])), "positive_gap": float(abs(odds[1][0] - odds[1][1])),
            "error_gap": float(abs(losses[0] - losses[1])), "greatest_loss": float(max(losses))}


out = {"tools": {t: version(t) for t in ("fairlearn", "xgboost-cpu", "numpy")}, "x": x.ravel().tolist(),
       "y": y.tolist(), "group": g.tolist()}
out["plain"] = levels(booster().fit(x, y).predict(x))
for name, moment in [("demographic_parity", DemographicParity(difference_bound=0.02)),
                     ("equalized_odds", EqualizedOdds(difference_bound=0.02)),
                     ("true_positive_rate_parity", TruePositiveRateParity(difference_bound=0.02)),
                     ("false_positive_rate_parity", FalsePositiveRateParity(difference_bound=0.02)),
                     ("error_rate_parity", ErrorRateParity(difference_bound=0.02)),
                     ("demographic_parity_ratio", DemographicParity(ratio_bound=0.9, ratio_bound_slack=0.01)),
                     ("bounded_group_loss", BoundedGroupLoss(ZeroOneLoss(), upper_bound=LOSS_BOUND))]:
    m = ExponentiatedGradient(booster(), moment, eps=0.02, max_iter=50)
    m.fit(x, y, sensitive_features=g)
    out[name] = levels(sum(w * m.predictors_[i].predict(x) for i, w in m.weights_.items() if w > 0))
json.dump(out, open("gradient.json", "w"))
print({k: v for k, v in out.items() if k not in ("x", "y", "group")})
