#!/usr/bin/env python3
"""Makes facet_sets.json: Clarify's report of facets that are several values, or numbers over a threshold.

  pip install smclarify==0.5 'pandas<2.3'
  python3 make_facet_sets.py > facet_sets.json
"""
import json

import numpy as np
import pandas as pd
from smclarify.bias import report

rng = np.random.default_rng(11)
n = 240
races = np.array(["asian", "black", "his, panic", "white"])
race = rng.choice(races, n, p=[0.15, 0.2, 0.2, 0.45])
age = np.round(rng.uniform(18, 80, n), 1)
y = (rng.random(n) < 0.35 + 0.2 * (race == "white") + 0.1 * (age < 40)).astype(int)
d = (rng.random(n) < 0.2 + 0.4 * y + 0.15 * (race == "white")).astype(int)
df = pd.DataFrame({"y": y, "d": d, "race": race, "age": age})


def metrics(column, values):
    out = {}
    for stage in (report.StageType.PRE_TRAINING, report.StageType.POST_TRAINING):
        found = report.bias_report(
            df.drop(columns="d") if stage == report.StageType.PRE_TRAINING else df,
            report.FacetColumn(column, values), report.LabelColumn("y", df["y"], [1]), stage,
            report.LabelColumn("d", df["d"], [1]))
        facet = found[0]
        out[stage.value] = {m["name"]: m["value"] for m in facet["metrics"]}
        out["name"] = facet["value_or_threshold"]
    return out


print(json.dumps({
    "versions": {"smclarify": "0.5"}, "csv": df.to_csv(index=False),
    "facets": [{"column": "race", "option": "race=black,his, panic", **metrics("race", ["black", "his, panic"])},
               {"column": "age", "option": "age=40.05", **metrics("age", [40.05])}],
}, indent=1))
