#!/usr/bin/env python3
"""Pinned interventional SHAP values of shap's TreeExplainer, on margins and, for two classes, on probabilities.

    python make_interventional.py > interventional.json      (numpy, shap 0.48.0, xgboost 1.7.6 from PyPI)

shap keeps its weights in floats: its values are good to some 1e-6. Models as hex; rows with null for missing."""
import json
import os
import tempfile

import numpy as np
import shap
import xgboost as xgb

rng = np.random.default_rng(20261125)
N, F = 400, 7
X = rng.normal(size=(N, F)).astype(np.float32)
X[rng.random((N, F)) < 0.12] = np.nan
Z = np.nan_to_num(X)
score = Z[:, 0] + Z[:, 1] * Z[:, 2] - np.abs(Z[:, 3]) + 0.5 * rng.normal(size=N)
ROWS, BACKGROUND = X[:6], X[100:137]


def numbers(a):
    return [[None if np.isnan(v) else float(v) for v in r] for r in a]


def case(name, y, rounds, **parameters):
    parameters = {"max_depth": 4, "eta": 0.4, "tree_method": "hist", "nthread": 1, "seed": 5, "verbosity": 0, **parameters}
    booster = xgb.train(parameters, xgb.DMatrix(X, y), rounds)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.ubj")
        booster.save_model(path)
        with open(path, "rb") as file:
            data = file.read()
    margin = booster.predict(xgb.DMatrix(ROWS), output_margin=True).reshape(len(ROWS), -1)
    raw = shap.TreeExplainer(booster, BACKGROUND, feature_perturbation="interventional", model_output="raw")
    values = np.asarray(raw.shap_values(ROWS, check_additivity=False)).reshape(len(ROWS), F, -1)
    expected = np.asarray(raw.expected_value).reshape(-1)
    assert np.abs(values.sum(1) + expected - margin).max() < 1e-4, (name, values.sum(1) + expected - margin)
    out = {"name": name, "model": data.hex(), "expected": expected.tolist(),
           "values": values.transpose(0, 2, 1).reshape(len(ROWS), -1).tolist()}  # row, then class, then feature
    if parameters["objective"] == "binary:logistic":
        p = shap.TreeExplainer(booster, BACKGROUND, feature_perturbation="interventional", model_output="probability")
        pv = np.asarray(p.shap_values(ROWS, check_additivity=False))
        assert np.abs(pv.sum(1) + p.expected_value - booster.predict(xgb.DMatrix(ROWS))).max() < 1e-4
        out["probability_expected"] = float(p.expected_value)
        out["probability_values"] = pv.tolist()
    return out


cases = [
    case("binary", (score > 0).astype(np.float32), 8, objective="binary:logistic"),
    case("deep", (score > 0).astype(np.float32), 4, objective="binary:logistic", max_depth=7, min_child_weight=0.2),
    case("regression", score.astype(np.float32), 8, objective="reg:squarederror"),
    case("classes", np.digitize(score, [-0.7, 0.5]).astype(np.float32), 3, objective="multi:softprob", num_class=3),
]
print(json.dumps({"tool": f"shap {shap.__version__}, xgboost {xgb.__version__}", "rows": numbers(ROWS),
                  "background": numbers(BACKGROUND), "cases": cases}))
