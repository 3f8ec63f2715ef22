#!/usr/bin/env python3
"""Pinned attributions and interactions of XGBoost's models of tests/model/data, by the library that made them.
(LightGBM's contributions stand in its own file there.)

usage: make_explain.py tests/model/data tests/assess/data   (xgboost of the file's version installed)
"""
import json
import pathlib
import sys

import numpy
import xgboost

models, out = map(pathlib.Path, sys.argv[1:3])
NAMES = ("binary", "categories", "squared error", "counts", "three classes", "dart", "random forest")


def numbers(a):
    return [float("%.9g" % v) for v in numpy.asarray(a, dtype=numpy.float64).ravel()]


d = json.loads((models / ("xgboost-%s.json" % xgboost.__version__)).read_text())
x = numpy.array([[numpy.nan if v is None else v for v in r] for r in d["rows"]], dtype=numpy.float32)
made = []
for m in d["models"]:
    if m["name"] not in NAMES:
        continue
    b = xgboost.Booster(model_file=bytearray.fromhex(m["file"]))
    types = b.feature_types
    matrix = xgboost.DMatrix(x, feature_types=types, enable_categorical=types is not None and "c" in types)
    made.append({"name": m["name"],
                 "contributions": numbers(b.predict(matrix, pred_contribs=True, strict_shape=True)),
                 "interactions": numbers(b.predict(matrix, pred_interactions=True, strict_shape=True))})
(out / "explain.json").write_text(
    json.dumps({"tool": "xgboost", "version": xgboost.__version__, "models": made}, separators=(",", ":")) + "\n")
