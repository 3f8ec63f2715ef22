"""Writes slices.json: the worst slices of small tables by DataDome's sliceline.

python -m venv v && v/bin/pip install sliceline==0.3.0 && v/bin/python make_slices.py > slices.json
"""
import json
import warnings

import numpy as np
import sliceline
from sliceline.slicefinder import Slicefinder

warnings.filterwarnings("ignore")


def table(seed, rows, levels, binary):
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.integers(0, k, rows) for k in levels])
    bad = ((x[:, 0] == 1) & (x[:, 1] == 2)) | ((x[:, 2] == 0) & (x[:, 3] == 1) & (x[:, 4] == 1))
    if binary:
        loss = (rng.random(rows) < np.where(bad, 0.6, 0.1)).astype(float)
    else:
        loss = np.round(rng.exponential(np.where(bad, 2.0, 0.5)), 3)
    return x, loss


cases = []
for seed, binary in [(1, True), (2, True), (3, False), (4, False)]:
    x, loss = table(seed, 700, [3, 4, 3, 2, 3], binary)
    for alpha, level, least in [(0.95, 1, 20), (0.95, 2, 20), (0.95, 3, 20), (0.8, 4, 12)]:
        finder = Slicefinder(alpha=alpha, k=6, max_l=level, min_sup=least, verbose=False)
        finder.fit(x, loss)
        found = []
        for slice_, s in zip(finder.top_slices_, finder.top_slices_statistics_):
            found.append({
                "conditions": [[f, int(v)] for f, v in enumerate(slice_) if v is not None],
                "score": float(s["slice_score"]), "rows": int(s["slice_size"]),
                "error": float(s["sum_slice_error"]), "max": float(s["max_slice_error"]),
            })
        cases.append({"table": seed, "alpha": alpha, "level": level, "min_rows": least, "k": 6, "found": found})
tables = {}
for seed, binary in [(1, True), (2, True), (3, False), (4, False)]:
    x, loss = table(seed, 700, [3, 4, 3, 2, 3], binary)
    tables[str(seed)] = {"x": ["".join(map(str, column)) for column in x.T], "loss": loss.tolist()}
print(json.dumps({"tool": "sliceline " + sliceline.__version__ if hasattr(sliceline, "__version__")
                  else "sliceline 0.3.0", "tables": tables, "cases": cases}, separators=(",", ":")))
