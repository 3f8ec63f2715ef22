#!/usr/bin/env python3
"""Makes vectors.json: what SciPy, statsmodels and NumPy say. usage: make_vectors.py > vectors.json"""
import json
import warnings

import numpy
import scipy
import scipy.stats
import statsmodels
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

warnings.simplefilter("ignore")
levels = [0.5, 0.9, 0.95, 0.99, 0.999]
counts = [(0, 1), (1, 1), (0, 10), (10, 10), (1, 10), (5, 10), (96, 339), (189, 2041), (1, 100000), (99999, 100000)]
wilson = [[x, n, c, *proportion_confint(x, n, 1 - c, method="wilson")] for x, n in counts for c in levels]
pairs = [(96, 339, 189, 2041), (56, 70, 48, 80), (9, 10, 3, 10), (6, 7, 2, 7), (5, 56, 0, 29), (0, 10, 0, 20),
         (0, 10, 0, 10), (10, 10, 0, 20), (10, 10, 0, 10), (1, 1, 1, 1)]
newcombe = [[*p, c, *confint_proportions_2indep(*p, method="newcomb", compare="diff", alpha=1 - c)]
            for p in pairs for c in levels]
ps = [5e-324, 1e-310, 1e-300, 1e-100, 1e-20, 1e-10, 0.001, 0.02424, 0.02425, 0.02426, 0.1, 0.25, 0.4, 0.499999, 0.5,
      0.500001, 0.6, 0.9, 0.975, 0.99, 0.999999, 1 - 2.0 ** -53]
quantile = [[p, float(scipy.stats.norm.ppf(p))] for p in ps]
cdf = [[z, float(scipy.stats.norm.cdf(z))] for z in [-37, -20, -10, -5, -1.959963984540054, -1, -0.1, 0, 0.1, 1, 3, 8, 9]]
rows = [[3.5], [1, 2], [5, 1, 4, 2, 3], [0.1, 0.2, 0.3, 0.4], [1e300, -1e300, 0, 7], [2, 2, 2, 9, 9]]
quantiles = [{"values": r, "p": p, "q": float(numpy.quantile(numpy.array(r, dtype=float), p))}
             for r in rows for p in [0, 0.1, 0.25, 1 / 3, 0.5, 0.75, 0.95, 1]]
print(json.dumps({"made_by": {"scipy": scipy.__version__, "statsmodels": statsmodels.__version__,
                              "numpy": numpy.__version__},
                  "wilson": wilson, "newcombe": newcombe, "normal_quantile": quantile,
                  "normal_cdf": cdf, "quantiles": quantiles}, indent=None, separators=(",", ":")).replace("],[", "],\n["))
