#!/usr/bin/env python3
"""Pinned models of one LightGBM, with its own margins, answers and SHAP values: run once under each version.

    python make_lightgbm.py > lightgbm-VERSION.json      (needs numpy, pandas and that version of lightgbm)

Made with the versions that the files are named after, from PyPI. Models as text without the parameters at their end, rows
with null for missing; margins, answers and contributions (features and base, output by output) row by row. A random
forest's raw score and contributions are sums over the iterations: here divided by their number, like its answers."""
import json
import re
import sys

import lightgbm as lgb
import numpy as np
import pandas as pd

rng = np.random.default_rng(20261124)
N = 600
CAT, NUM, ZEROS, OTHER = 0, 1, 2, 3
X = np.column_stack([
    rng.integers(0, 70, N) % 41, np.where(rng.random(N) < 0.15, np.nan, rng.normal(size=N)),
    np.where(rng.random(N) < 0.4, 0, rng.normal(size=N)), rng.normal(size=N),
]).astype(np.float32).astype(np.float64)
score = (X[:, CAT] % 3 == 1) * 1.5 + (np.nan_to_num(X[:, NUM]) > 0.5) - 2 * (X[:, ZEROS] == 0) + 0.5 * X[:, OTHER]
binary = (score + rng.normal(size=N) * 0.5 > 0.0).astype(float)
classes = np.digitize(score, [-0.6, 0.6]).astype(float)
counts = rng.poisson(np.exp(0.4 * score)).astype(float)
share = 1 / (1 + np.exp(-score))
NAN = float("nan")
TINY = float(np.float32(1e-35))  # LightGBM's zero threshold
ROWS = np.array([
    [NAN, NAN, NAN, NAN], [0, 0, 0, 0], [40, 0.3, -0.0, 1], [99, -2, TINY, 2], [-1, 2.5, -TINY, -1], [3.7, 0.1, 2e-35, 0.2],
    [1e9, 1e30, 1e30, -1e30], [33, -1e30, -1e30, 0.7], [31, 0.5, 1e-40, NAN], [32, 1.25, NAN, 0.25],
] + X[:12].tolist()).astype(np.float32).astype(np.float64)
BASE = {"num_leaves": 6, "learning_rate": 0.3, "min_data_in_leaf": 8, "min_data_per_group": 4, "cat_smooth": 1.0, "cat_l2": 1.0,
        "verbosity": -1, "num_threads": 1, "seed": 5, "deterministic": True}


def cut(text):
    """Without the parameters and importances, which are long and not read."""
    return re.sub(r"\nfeature_importances:.*?end of parameters\n", "\n", text, flags=re.S)


def model(name, y, rounds=3, categories=False, columns=None, x=X, rows=ROWS, **parameters):
    data = lgb.Dataset(x, y, categorical_feature=[CAT] if categories else [], feature_name=columns or "auto", free_raw_data=False)
    booster = lgb.train({**BASE, **parameters}, data, rounds)
    text = cut(booster.model_to_string())
    scale = rounds if parameters.get("boosting") == "rf" else 1
    n = len(rows)
    flat = lambda values: [[float(v) for v in r] for r in values]
    return {"name": name, "file": text, "margin": flat(booster.predict(rows, raw_score=True).reshape(n, -1) / scale),
            "answer": flat(booster.predict(rows).reshape(n, -1)),
            "contributions": [] if parameters.get("linear_tree") else
            flat(booster.predict(rows, pred_contrib=True).reshape(n, -1) / scale)}


def pandas_model():
    """Categories by their words; 'e' is in no training row."""
    words = np.array(["delta", "a,b", "c=d", "b"])
    frame = pd.DataFrame({"the word": pd.Categorical(words[X[:, CAT].astype(int) % 4]), "age": X[:, OTHER],
                          "size": pd.Categorical((X[:, CAT].astype(int) % 3) * 10)})
    y = (frame["the word"].isin(["b", "a,b"]) * 2.0 + frame["age"] + (frame["size"] == 10))
    booster = lgb.train(BASE, lgb.Dataset(frame, y), 3)
    rows = frame.iloc[:8].copy()
    rows["the word"] = pd.Categorical(["b", "e", None, "delta", "a,b", "c=d", "b", "e"])
    rows["size"] = [0, 10, 20, 30, 0, 10, 20, 10]
    known = rows.copy()
    known["the word"] = pd.Categorical(rows["the word"], categories=frame["the word"].cat.categories)
    known["size"] = pd.Categorical(rows["size"], categories=frame["size"].cat.categories)
    return {"file": cut(booster.model_to_string()), "csv": rows[["age", "size", "the word"]].to_csv(index=False),
            "answer": [float(v) for v in booster.predict(known)]}


models = [
    model("binary", binary, objective="binary"),
    model("sigmoid", binary, objective="binary", sigmoid=1.7, columns=["a", "b", "c", "d"]),
    model("categories", binary, categories=True, objective="binary"),
    model("no missing", binary, objective="binary", use_missing=False),
    model("zero as missing", binary, rounds=5, objective="binary", zero_as_missing=True),
    model("zero as missing, categories", score, categories=True, rounds=4, objective="regression", zero_as_missing=True),
    model("three classes", classes, rounds=2, categories=True, objective="multiclass", num_class=3),
    model("one against all", classes, rounds=2, objective="multiclassova", num_class=3, sigmoid=0.8),
    model("squared error", score, objective="regression"),
    model("square root", score * 3, objective="regression", reg_sqrt=True),
    model("absolute error", score, objective="regression_l1"),
    model("quantile", score, objective="quantile", alpha=0.8),
    model("counts", counts, objective="poisson"),
    model("tweedie", counts, objective="tweedie"),
    model("cross entropy", share, objective="cross_entropy"),
    model("cross entropy lambda", share, objective="cross_entropy_lambda"),
    model("random forest", binary, rounds=4, objective="binary", boosting="rf", bagging_fraction=0.6, bagging_freq=1, categories=True),
    model("random forest of classes", classes, rounds=2, objective="multiclass", num_class=3, boosting="rf", bagging_fraction=0.6,
          bagging_freq=1),
    model("dart", score, rounds=4, objective="regression", boosting="dart", drop_rate=0.5),
    model("one leaf", score, rounds=1, objective="regression", min_data_in_leaf=N),
    model("linear leaves", score, rounds=1, objective="regression", linear_tree=True),
]
rows = [[None if np.isnan(v) else float(v) for v in r] for r in ROWS]
json.dump({"tool": "lightgbm", "version": lgb.__version__, "script": "make_lightgbm.py", "rows": rows, "models": models,
           "pandas": pandas_model()}, sys.stdout, indent=0)
