#!/usr/bin/env python3
"""Pinned interactions against a background, of the models and rows in interventional.json, by Woodelf.

    python make_interactions.py < interventional.json > interactions.json
                                        (woodelf_explainer 0.4.8, xgboost 1.7.6, pandas from PyPI)

Woodelf's matrices are held to its own attributions before they are written. It reads models of one output."""
import json
import os
import sys
import tempfile
from importlib.metadata import version

import numpy as np
import pandas as pd
import xgboost as xgb
from woodelf import WoodelfExplainer

pinned = json.load(sys.stdin)
COLUMNS = [f"f{i}" for i in range(7)]


def frame(rows):
    return pd.DataFrame([[np.nan if v is None else v for v in r] for r in rows], columns=COLUMNS, dtype=np.float32)


def case(name, model):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.ubj")
        with open(path, "wb") as file:
            file.write(bytes.fromhex(model))
        booster = xgb.Booster(model_file=path)
    booster.feature_names = COLUMNS
    explainer = WoodelfExplainer(booster, frame(pinned["background"]))
    pairs = np.asarray(explainer.shap_interaction_values(frame(pinned["rows"]), verbose=False), dtype=float)
    values = np.asarray(explainer.shap_values(frame(pinned["rows"]), verbose=False), dtype=float)
    assert np.abs(pairs.sum(2) - values).max() < 1e-5, (name, np.abs(pairs.sum(2) - values).max())
    assert np.abs(pairs - pairs.transpose(0, 2, 1)).max() < 1e-9, name
    return {"name": name, "pairs": np.round(pairs, 9).reshape(len(pairs), -1).tolist()}


cases = [case(c["name"], c["model"]) for c in pinned["cases"] if c["name"] != "classes"]
print(json.dumps({"tool": f"woodelf_explainer {version('woodelf_explainer')}, xgboost {xgb.__version__}", "cases": cases}))
