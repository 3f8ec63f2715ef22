#!/usr/bin/env python3
"""Pinned SHAP values of the class probabilities of the model "classes" in interventional.json.

    python make_answers.py < interventional.json > answers.json       (shap 0.49.1, xgboost 1.7.6, numpy from PyPI)

shap's TreeExplainer refuses these; its ExactExplainer enumerates the coalitions of the seven features over the model's
predictions, against every background row."""
import json
import os
import sys
import tempfile

import numpy as np
import shap
import xgboost as xgb

pinned = json.load(sys.stdin)
model = next(c["model"] for c in pinned["cases"] if c["name"] == "classes")
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "model.ubj")
    with open(path, "wb") as file:
        file.write(bytes.fromhex(model))
    booster = xgb.Booster(model_file=path)


def floats(rows):
    return np.array([[np.nan if v is None else v for v in r] for r in rows], dtype=np.float32)


def predict(x):
    return booster.predict(xgb.DMatrix(x)).astype(float)


rows, background = floats(pinned["rows"]), floats(pinned["background"])
masker = shap.maskers.Independent(background, max_samples=len(background))
values = shap.explainers.ExactExplainer(predict, masker)(rows)
phi = np.asarray(values.values)
base = predict(background).mean(0)
assert np.abs(phi.sum(1) + base - predict(rows)).max() < 1e-6
print(json.dumps({"tool": f"shap {shap.__version__}, xgboost {xgb.__version__}", "expected": base.tolist(),
                  "values": phi.transpose(0, 2, 1).reshape(len(rows), -1).tolist()}))
