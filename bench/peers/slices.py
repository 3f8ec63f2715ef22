"""DataDome's sliceline: python slices.py FILE ROWS FEATURES LEVEL -> JSON {seconds, peak_bytes, score, rows, version}

FILE: rows x features bytes, then rows doubles. As in its own benchmark: k 10, min_sup rows / 100, one fit before the
one that is timed (numba compiles).
"""
import json
import resource
import sys
import time
import warnings
from importlib.metadata import version

import numpy as np
from sliceline.slicefinder import Slicefinder, is_numba_available

warnings.filterwarnings("ignore")
path, rows, features, level = sys.argv[1], *map(int, sys.argv[2:5])
data = np.fromfile(path, dtype=np.uint8)
x = data[: rows * features].reshape(rows, features).astype(np.int64)
loss = np.frombuffer(data[rows * features :].tobytes(), dtype=np.float64)


def fit(x, loss):
    return Slicefinder(k=10, max_l=level, min_sup=len(loss) // 100, verbose=False).fit(x, loss)


fit(x[: rows // 50], loss[: rows // 50])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
begin = time.process_time()
finder = fit(x, loss)
seconds = time.process_time() - begin
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
best = finder.top_slices_statistics_[0]
print(json.dumps({
    "seconds": seconds, "peak_bytes": 1024.0 * (peak - before), "score": float(best["slice_score"]),
    "rows": float(best["slice_size"]), "version": version("sliceline"), "numba": bool(is_numba_available()),
}))
