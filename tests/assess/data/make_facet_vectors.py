#!/usr/bin/env python3
"""Makes facet_vectors.json: Clarify's post-training metrics of the samples in group_vectors.json, and flip tests.

  pip install smclarify==0.5
  python3 make_facet_vectors.py > facet_vectors.json
"""
import json

import numpy as np
import pandas as pd
from smclarify.bias.metrics import basic_stats, common, posttraining as pt

digits = lambda text: np.array([int(c) for c in text])


def facets(case):
    g, y, d, c = (digits(case[k]) for k in ("g", "y", "decision", "control"))
    feature = pd.Series(g)
    yy, dd = pd.Series(y == 1), pd.Series(d == 1)
    out = []
    for k in range(case["levels"]):
        s = pd.Series(g == k)
        row = {"DPPL": pt.DPPL(feature, s, dd), "DI": pt.DI(feature, s, dd),
               "CDDPL": pt.CDDPL(feature, s, dd, pd.Series(c))}
        for name, f in (("DCAcc", pt.DCA), ("DCR", pt.DCR), ("DAR", pt.DAR), ("DRR", pt.DRR), ("RD", pt.RD),
                        ("SD", pt.SD), ("AD", pt.AD), ("TE", pt.TE)):
            row[name] = f(feature, s, yy, dd)
        tn, fp, fn, tp = (int(((yy == a) & (dd == b) & s).sum()) for a in (False, True) for b in (False, True))
        row["conditional_acceptance"] = basic_stats.conditional_acceptance(tp, fp, fn)
        row["conditional_rejection"] = basic_stats.conditional_rejection(fp, tn, fn)
        out.append({k: float(v) for k, v in row.items()})
    return {"facets": out, "GE": float(common.GE(yy, dd, 2))}


def flip(rng, n, few):
    x = np.round(rng.normal(size=(n, 3)) * [1, 10, 0.1], 4)
    d = (x[:, 0] + 0.05 * x[:, 1] + rng.normal(size=n) > 0).astype(int)
    g = (rng.random(n) < 0.4).astype(int)
    if few:
        g[:] = 1
        g[: 7] = 0
    ft = pt.FT(pd.DataFrame(x), pd.Series(g == 1), pd.Series(d == 1))
    return {"x": x.tolist(), "decision": "".join(map(str, d)), "facet": "".join(map(str, g)), "FT": float(ft)}


cases = json.load(open("group_vectors.json"))["binary"]
rng = np.random.default_rng(5)
print(json.dumps({"versions": {"smclarify": "0.5"}, "binary": [facets(c) for c in cases],
                  "flip": [flip(rng, 120, False), flip(rng, 40, True)]}, indent=1))
