"""A small XGBoost model whose file names its categories, as JSON and UBJSON.

    pip install xgboost pandas
    python make_xgboost_categories.py > xgboost-3.2.0-categories.json
"""
import json
import os
import sys
import tempfile

import numpy
import pandas
import xgboost

rng = numpy.random.default_rng(1)
ROWS = 200
rows = pandas.DataFrame({
    "size": pandas.Categorical(rng.choice([10, 7, 30], ROWS), categories=[30, 7, 10]),
    "town": pandas.Categorical(rng.choice(["Köln", "Bonn", ""], ROWS), categories=["Bonn", "Köln", ""]),
    "colour": pandas.Categorical(rng.choice(["red", "blue", ""], ROWS), categories=["red", "blue", ""]),
    "x": rng.normal(size=ROWS)})
model = xgboost.train({"max_depth": 2, "objective": "binary:logistic", "nthread": 1},
                      xgboost.DMatrix(rows, rng.integers(0, 2, ROWS), enable_categorical=True), 2)
with tempfile.TemporaryDirectory() as room:
    files = {}
    for ending in ("json", "ubj"):
        path = os.path.join(room, "model." + ending)
        model.save_model(path)
        with open(path, "rb") as file:
            files[ending] = file.read()
json.dump({"tool": "xgboost " + xgboost.__version__, "json": files["json"].decode("ascii"),
           "ubj": files["ubj"].hex()}, sys.stdout)
