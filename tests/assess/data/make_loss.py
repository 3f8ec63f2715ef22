"""Makes loss.json: Fairlearn's bounded group loss of numbers: its moments, and its exponentiated gradient over an
oracle whose answers are exact (the weighted mean of each cell). python3 -m venv v && v/bin/pip install fairlearn"""
import json
from importlib.metadata import version

import numpy as np
import pandas as pd
from fairlearn.reductions import (AbsoluteLoss, BoundedGroupLoss, ExponentiatedGradient, SquareLoss, ZeroOneLoss)
from fairlearn.reductions._moments.bounded_group_loss import MeanLoss
from scipy.optimize import minimize_scalar
from sklearn.base import BaseEstimator

rng = np.random.default_rng(3)
n, cells, groups = 240, 6, 2
g = (rng.random(n) < 0.3).astype(int)
c = rng.integers(0, cells, n)
y = (c * np.where(g == 1, 0.2, 1.0) + 3 * g + rng.normal(0, 0.4 + 0.4 * g, n)).round(2)
p = (y + rng.normal(0, 1.5, n)).round(2)
frame = pd.DataFrame({"c": c})
BOUND = 1.2


class CellMeans(BaseEstimator):
    def fit(self, X, y, sample_weight):
        of = np.asarray(X)[:, 0].astype(int)
        y = np.asarray(y, float)
        self.mean_ = np.array([np.average(y[of == k], weights=np.asarray(sample_weight)[of == k]) for k in range(cells)])
        return self

    def predict(self, X):
        return self.mean_[np.asarray(X)[:, 0].astype(int)]


def losses(answer):
    far = (y - answer) ** 2
    return {"error": float(far.mean()), "greatest_loss": float(max(far[g == k].mean() for k in range(groups)))}


def moment(word, loss, low, high):
    m = BoundedGroupLoss(loss, upper_bound=0.7)
    mean = MeanLoss(loss)
    for one in (m, mean):
        one.load_data(frame, pd.Series(y), sensitive_features=pd.Series(g))
    price = pd.Series(np.round(rng.random(groups) * 3, 3), index=m.index)
    return {"loss": word, "low": low, "high": high, "price": price.tolist(), "bound": float(m.bound().iloc[0]),
            "gamma": m.gamma(lambda _: p)[m.index].tolist(), "error": float(mean.gamma(lambda _: p).iloc[0]),
            "weight": (1 + m.signed_weights(price).to_numpy()).tolist()}


low, high = float(y.min()), float(y.max())
moments = [moment("square", SquareLoss(low, high), low, high), moment("square", SquareLoss(0.5, 3), 0.5, 3.0),
           moment("absolute", AbsoluteLoss(low, high), low, high), moment("absolute", AbsoluteLoss(1, 4), 1.0, 4.0),
           moment("zero_one", ZeroOneLoss(), 0.0, 1.0)]


def weighted(price):  # the best answer to a price of the worse group's loss
    share = (g == 1).mean()
    return CellMeans().fit(frame, y, 1 + (g == 1) * price / share).predict(frame)


where = minimize_scalar(lambda k: losses(weighted(np.exp(k)))["greatest_loss"], bounds=(-5, 10), method="bounded")
low_price, high_price = 0.0, float(np.exp(where.x))
for _ in range(200):  # the least price that keeps the bound is the best of all functions of the cells
    middle = (low_price + high_price) / 2
    if losses(weighted(middle))["greatest_loss"] > BOUND:
        low_price = middle
    else:
        high_price = middle
fair = ExponentiatedGradient(CellMeans(), BoundedGroupLoss(SquareLoss(low, high), upper_bound=BOUND), eps=0.005)
fair.fit(frame, y, sensitive_features=g)
mixed = {"error": 0.0, "greatest_loss": 0.0}
group_loss = np.zeros(groups)
for weight, one in zip(fair.weights_, fair.predictors_):
    far = (y - one.predict(frame)) ** 2
    mixed["error"] += float(weight * far.mean())
    group_loss += weight * np.array([far[g == k].mean() for k in range(groups)])
mixed["greatest_loss"] = float(group_loss.max())
out = {"tools": {t: version(t) for t in ("fairlearn", "numpy", "scikit-learn")}, "y": y.tolist(), "group": g.tolist(),
       "cell": c.tolist(), "answer": p.tolist(), "moments": moments, "bound": BOUND,
       "plain": losses(weighted(0)), "best": losses(weighted(high_price)), "fairlearn": mixed,
       "least_greatest_loss": float(where.fun)}
json.dump(out, open("loss.json", "w"))
print({k: out[k] for k in ("plain", "best", "fairlearn", "least_greatest_loss", "tools")})
