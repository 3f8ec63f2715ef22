"""Makes bias.json: what other implementations say about small tables.
python3 -m venv v && v/bin/pip install smclarify==0.5 'pandas<2.3' scipy scikit-learn statsmodels"""
import json
import logging

import numpy as np
import pandas as pd
import scipy
import scipy.stats as st
import sklearn
import sklearn.metrics as sk
import statsmodels
from importlib.metadata import version
from scipy.spatial.distance import jensenshannon
from smclarify.bias import report as clarify
from statsmodels.stats.contingency_tables import StratifiedTable

logging.disable(logging.CRITICAL)
rng = np.random.default_rng(20)


def rows(n, groups, strata, effect):
    g = rng.integers(0, groups, n)
    s = rng.integers(0, strata, n)
    y = (rng.random(n) < 0.25 + effect * g / groups + 0.2 * s / strata).astype(int)
    return g, s, y


def table(g, s, y, groups, strata):
    t = np.zeros((strata, groups, 2), int)
    np.add.at(t, (s, g, y), 1)
    return t


def facets():
    out = []
    for n, groups, strata, effect in [(400, 2, 1, 0.3), (900, 3, 4, 0.2), (5000, 4, 7, -0.2), (700, 2, 3, 0.0)]:
        g, s, y = rows(n, groups, strata, effect)
        df = pd.DataFrame({"g": pd.Categorical([f"g{v}" for v in g]), "y": pd.Categorical([str(v) for v in y])})
        for d in range(groups):
            got = clarify.bias_report(df, clarify.FacetColumn("g", [f"g{d}"]), clarify.LabelColumn("y", df.y, ["1"]),
                                      clarify.StageType.PRE_TRAINING, group_variable=pd.Series([f"s{v}" for v in s]))
            metrics = {m["name"]: m["value"] for m in got[0]["metrics"]}
            titles = {m["name"]: m["description"] for m in got[0]["metrics"]}
            chi = st.chi2_contingency(pd.crosstab(g == d, y), correction=False)
            tables = [[[int(np.sum((g != d) & (s == i) & (y == 1))), int(np.sum((g != d) & (s == i) & (y == 0)))],
                       [int(np.sum((g == d) & (s == i) & (y == 1))), int(np.sum((g == d) & (s == i) & (y == 0)))]]
                      for i in range(strata)]
            cmh = StratifiedTable([np.array(t) for t in tables]).test_null_odds(correction=False)
            # Mantel-Haenszel risk difference and Greenland and Robins' variance: this script's own lines.
            num = den = var = 0.0
            for (a1, a0), (d1, d0) in tables:
                na, nd = a1 + a0, d1 + d0
                w = na * nd / (na + nd)
                num += w * (a1 / na - d1 / nd)
                den += w
                var += w * w * (a1 * a0 / na**3 + d1 * d0 / nd**3)
            half = st.norm.ppf(0.975) * np.sqrt(var) / den
            out.append({"strata": strata, "groups": groups, "d": d, "count": table(g, s, y, groups, strata).ravel().tolist(),
                        "metrics": metrics, "titles": titles, "p_value": chi.pvalue, "cmh": float(cmh.statistic),
                        "cmh_p": float(cmh.pvalue), "difference": num / den, "low": num / den - half,
                        "high": num / den + half})
    return out


def balance():
    out = []
    for n, groups, effect in [(300, 3, 0.4), (2000, 2, -0.1)]:
        g, _, y = rows(n, groups, 1, effect)
        each = []
        for k in range(groups):
            m = (g == k).astype(int)
            p_gy, p_g, p_y = np.mean(m & y), np.mean(m), np.mean(y)
            each.append({"positive_rate": float(np.mean(y[g == k])), "pmi": float(np.log(p_gy / (p_g * p_y))),
                         "dice": sk.f1_score(y, m), "jaccard": sk.jaccard_score(y, m),
                         "tau": float(st.kendalltau(m, y).statistic),
                         "llr": float(np.log(np.mean(m[y == 1]) / np.mean(m[y == 0])))})
        pairs = []
        for a in range(groups):
            for b in range(a + 1, groups):
                t = st.ttest_ind(y[g == a], y[g == b], equal_var=False)
                pairs.append({"a": a, "b": b, "t": float(t.statistic), "df": float(t.df), "p": float(t.pvalue)})
        out.append({"groups": groups, "count": table(g, np.zeros(n, int), y, groups, 1).ravel().tolist(),
                    "each": each, "pairs": pairs})
    return out


def distributions():
    out = []
    for k in (2, 3, 6):
        n = rng.integers(1, 60, k)
        for q in (np.full(k, 1 / k), rng.dirichlet(np.full(k, 3.0))):
            p = n / n.sum()
            chi = st.chisquare(n, n.sum() * q)
            out.append({"count": n.tolist(), "reference": q.tolist(),
                        "cross_entropy": float(st.entropy(p) + st.entropy(p, q)), "kl_divergence": float(st.entropy(p, q)),
                        "jensen_shannon_distance": float(jensenshannon(p, q)),
                        "wasserstein_ordered": float(st.wasserstein_distance(range(k), range(k), p, q)),
                        "infinite_norm_distance": float(np.abs(p - q).max()),
                        "total_variation_distance": float(np.abs(p - q).sum() / 2),
                        "chi_square": float(chi.statistic), "p_value": float(chi.pvalue)})
    return out


def fold(row):
    z = (row + 0x9E3779B97F4A7C15) % 2**64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
    return (z ^ (z >> 31)) % 5


def proxies():
    out = []
    for n, cells, groups, signal in [(1500, 6, 2, 0.6), (1200, 12, 3, 0.0), (2500, 40, 2, 0.3)]:
        g = rng.integers(0, groups, n)
        c = np.where(rng.random(n) < signal, (g * (cells // groups) + rng.integers(0, cells // groups, n)),
                     rng.integers(0, cells, n))
        f = np.array([fold(i) for i in range(n)])
        count = np.zeros((cells, 5, groups), int)
        np.add.at(count, (c, f, g), 1)
        auc = 0.0
        for k in range(groups):
            each = []
            for v in range(5):
                train, test = f != v, f == v
                share = np.mean(g[train] == k)
                score = np.array([(np.sum((c == x) & train & (g == k)) + share) / (np.sum((c == x) & train) + 1)
                                  for x in range(cells)])
                each.append(sk.roc_auc_score(g[test] == k, score[c[test]]))
            auc += np.mean(g == k) * np.mean(each)
        tab = count.sum(1)
        chi = st.chi2_contingency(tab, correction=False)
        out.append({"cells": cells, "groups": groups, "count": count.ravel().tolist(), "auc": auc,
                    "mutual_information": sk.mutual_info_score(c, g),
                    "normalized": sk.normalized_mutual_info_score(c, g),
                    "uncertainty": sk.homogeneity_score(g, c),
                    "statistic": float(chi.statistic), "df": int(chi.dof), "p_value": float(chi.pvalue),
                    "least_expected": float(chi.expected_freq.min())})
    return out


def tails():
    chi = [[x, df, float(st.chi2.sf(x, df))] for df in (1, 2, 3, 7.5, 40, 1000)
           for x in (1e-3, 0.5, 1.0, 3.84, 10.0, 60.0, 900.0, 1300.0)]
    stu = [[t, df, float(2 * st.t.sf(t, df))] for df in (1, 2.5, 10, 300.7, 1e6) for t in (0.0, 1e-4, 0.7, 1.96, 5.0, 30.0)]
    return {"chi_square": [r for r in chi if r[2] > 1e-280], "student": [r for r in stu if r[2] > 1e-280]}


tools = {"smclarify": version("smclarify"), "scipy": scipy.__version__, "scikit-learn": sklearn.__version__,
         "statsmodels": statsmodels.__version__, "numpy": np.__version__}
json.dump({"tools": tools, "facets": facets(), "balance": balance(), "distributions": distributions(),
           "proxies": proxies(), "tails": tails()}, open("bias.json", "w"))
