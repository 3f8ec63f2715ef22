#!/usr/bin/env python3
"""Pinned models of one XGBoost, with its own margins and answers: run once under each version.

    python make_models.py > xgboost-VERSION.json      (needs numpy and that version of xgboost)

Made with 1.3.3, 2.1.4 and 3.2.0 from PyPI. Models as hex, rows with null for missing; margins and answers row by row."""
import json
import os
import sys
import tempfile

import numpy as np
import xgboost as xgb

MAJOR = int(xgb.__version__.split(".")[0])
rng = np.random.default_rng(20261124)
N = 200
X = np.column_stack([
    rng.integers(0, 12, N), np.where(rng.random(N) < 0.15, np.nan, rng.random(N)), rng.integers(0, 5, N), rng.normal(size=N),
]).astype(np.float32)
score = (X[:, 0] % 3 == 1) * 1.5 + (np.nan_to_num(X[:, 1]) > 0.5) - (X[:, 2] < 2) + 0.5 * X[:, 3]
binary = (score + rng.normal(size=N) * 0.5 > 0.4).astype(np.float32)
classes = np.digitize(score, [0, 1.2]).astype(np.float32)
counts = rng.poisson(np.exp(0.5 * score)).astype(np.float32)
ROWS = X[:10].copy()
ROWS[0, :] = np.nan
ROWS[1, 0] = 11
ROWS[2, 2] = np.nan
ROWS[3, 0] = 99  # a category that no row had


def model(name, y, categories=False, rounds=4, kind="ubj", **parameters):
    if MAJOR == 1:  # that one wrote neither UBJSON nor categories
        if categories or kind == "json":
            return None
        kind = "json"
    types = ["c" if categories else "q", "q", "q", "q"]
    more = {"enable_categorical": True} if categories else {}
    parameters = {"max_depth": 2, "eta": 0.4, "tree_method": "hist", "nthread": 1, "seed": 5, "verbosity": 0, **parameters}
    if categories:
        parameters["max_cat_to_onehot"] = 2
    booster = xgb.train(parameters, xgb.DMatrix(X, y, feature_types=types, **more), rounds)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model." + kind)
        booster.save_model(path)
        with open(path, "rb") as file:
            data = file.read()
    rows = xgb.DMatrix(ROWS, feature_types=types, **more)
    margin = booster.predict(rows, output_margin=True).reshape(len(ROWS), -1)
    answer = booster.predict(rows).reshape(len(ROWS), -1)
    return {"name": name, "format": kind, "objective": parameters["objective"], "file": data.hex(),
            "margin": [[float(v) for v in r] for r in margin], "answer": [[float(v) for v in r] for r in answer]}


models = [
    model("binary", binary, objective="binary:logistic"),
    model("binary as json", binary, kind="json", objective="binary:logistic"),
    model("categories", binary, categories=True, objective="binary:logistic"),
    model("categories as json", binary, categories=True, kind="json", objective="binary:logistic"),
    model("raw", binary, objective="binary:logitraw", **({"base_score": 0.3} if MAJOR < 2 else {})),
    model("squared error", score.astype(np.float32), objective="reg:squarederror"),
    model("counts", counts, objective="count:poisson"),
    model("tweedie", counts, objective="reg:tweedie", base_score=0.7),
    model("three classes", classes, rounds=2, objective="multi:softprob", num_class=3),
    model("dart", binary, objective="binary:logistic", booster="dart", rate_drop=0.5),
    model("random forest", binary, rounds=2, objective="binary:logistic", num_parallel_tree=3, subsample=0.7),
]
if MAJOR >= 2:
    two = np.column_stack([score, counts]).astype(np.float32)
    models.append(model("two targets", two, rounds=2, objective="reg:squarederror"))
    models.append(model("vector leaves", two, rounds=1, objective="reg:squarederror", multi_strategy="multi_output_tree"))
if MAJOR >= 3:
    models.append(model("no positives", np.zeros(N, np.float32), objective="binary:logistic", rounds=1))
    models.append(model("all positives", np.ones(N, np.float32), objective="binary:logistic", rounds=1))
models = [m for m in models if m]
rows = [[None if np.isnan(v) else float(v) for v in r] for r in ROWS]
json.dump({"tool": "xgboost", "version": xgb.__version__, "script": "make_models.py", "rows": rows, "models": models}, sys.stdout, indent=0)
