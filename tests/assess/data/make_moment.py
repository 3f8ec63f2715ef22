"""Makes moment.json: gammas, bounds and signed weights of Fairlearn's moments on a small set of rows.
python3 -m venv v && v/bin/pip install fairlearn"""
import json
from importlib.metadata import version

import numpy as np
import pandas as pd
from fairlearn.reductions import (BoundedGroupLoss, DemographicParity, EqualizedOdds, ErrorRate, ErrorRateParity,
                                  FalsePositiveRateParity, TruePositiveRateParity, ZeroOneLoss)

rng = np.random.default_rng(5)
n, groups = 90, 3
g = rng.choice(groups, n, p=[0.5, 0.3, 0.2])
y = (rng.random(n) < 0.3 + 0.15 * g).astype(int)
p = rng.integers(0, 5, n) / 4
x = pd.DataFrame({"x": np.zeros(n)})
bounds = [{"difference_bound": 0.03}, {"ratio_bound": 0.8, "ratio_bound_slack": 0.04}, {"ratio_bound": 0.9}]
parities = {"demographic_parity": DemographicParity, "equalized_odds": EqualizedOdds,
            "true_positive_rate_parity": TruePositiveRateParity,
            "false_positive_rate_parity": FalsePositiveRateParity, "error_rate_parity": ErrorRateParity}
signed = 2 * y - 1  # ErrorRate().signed_weights()


def pack(name, how, moment, index, weights):
    moment.load_data(x, pd.Series(y), sensitive_features=pd.Series(g))
    price = pd.Series(np.round(rng.random(len(index(moment))) * 3, 3), index=index(moment))
    return {"constraint": name, **how, "price": price.tolist(),
            "gamma": moment.gamma(lambda _: p)[price.index].tolist(), "bound": float(moment.bound().iloc[0]),
            "worth": weights(moment.signed_weights(price).to_numpy()).tolist()}


def ordered(moment):  # by event, group, sign: as the C has it
    events = sorted({e for _, e, _ in moment.index})
    return pd.MultiIndex.from_tuples([(s, e, k) for e in events for k in range(groups) for s in "+-"],
                                     names=moment.index.names)


error = ErrorRate()
error.load_data(x, pd.Series(y), sensitive_features=pd.Series(g))
assert (error.signed_weights() == signed).all()
cases = [pack(name, how, make(**how), ordered, lambda w: signed + w)
         for name, make in parities.items() for how in bounds]
# A loss moment's weights are of the label itself; 1 + w in all, as the mean loss is weighted 1.
cases.append(pack("bounded_group_loss", {"loss_bound": 0.2}, BoundedGroupLoss(ZeroOneLoss(), upper_bound=0.2),
                  lambda m: m.index, lambda w: signed * (1 + w)))
out = {"tools": {t: version(t) for t in ("fairlearn", "numpy", "pandas")}, "y": y.tolist(), "group": g.tolist(),
       "chance": p.tolist(), "error": float(error.gamma(lambda _: p).iloc[0]), "cases": cases}
json.dump(out, open("moment.json", "w"))
