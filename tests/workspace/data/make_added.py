"""Models of other libraries on the lending example, with their own answers for its first rows: what
`steward model add` registers.

    pip install lightgbm xgboost scikit-learn pandas
    python make_added.py ../../../examples/lending/hmda.csv > added.json
"""
import json
import os
import sys
import tempfile

import lightgbm
import numpy
import pandas
import sklearn
import xgboost
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

ROWS = 60
data = pandas.read_csv(sys.argv[1])
y = (data["deny"] == "yes").astype(int)
x = data[["pirat", "lvrat", "chist", "phist", "insurance"]].copy()
x["phist"] = pandas.Categorical(x["phist"], categories=["yes", "no"])  # not in alphabetical order
x["insurance"] = pandas.Categorical(x["insurance"], categories=["no", "yes"])

booster = lightgbm.train({"objective": "binary", "num_leaves": 6, "verbose": -1, "min_data_in_leaf": 20,
                          "num_threads": 1, "seed": 1}, lightgbm.Dataset(x, y), 6)
extreme = xgboost.train({"objective": "binary:logistic", "max_depth": 3, "nthread": 1, "seed": 1},
                        xgboost.DMatrix(x, y, enable_categorical=True), 5)
numbers = x[["pirat", "lvrat", "chist"]].astype(numpy.float32)
scaler = StandardScaler().fit(numbers.astype(float))
linear = LogisticRegression().fit(scaler.transform(numbers.astype(float)), y)


def saved(model):
    with tempfile.TemporaryDirectory() as room:
        path = os.path.join(room, "model.json")
        model.save_model(path)
        with open(path, encoding="utf-8") as file:
            return file.read()


json.dump({
    "tools": {m.__name__: m.__version__ for m in (lightgbm, xgboost, sklearn, pandas)},
    "data": "examples/lending/hmda.csv, its first %d rows" % ROWS,
    "models": [
        {"name": "lightgbm", "file": booster.model_to_string(),
         "probability": booster.predict(x[:ROWS]).tolist()},
        {"name": "xgboost", "file": saved(extreme),
         "probability": [float(p) for p in extreme.predict(xgboost.DMatrix(x[:ROWS], enable_categorical=True))]},
        {"name": "linear", "file": json.dumps({
            "format": "steward-linear", "version": 1, "link": "logistic", "features": list(numbers.columns),
            "classes": ["no", "yes"], "intercept": linear.intercept_.tolist(), "coefficients": linear.coef_.tolist(),
            "mean": scaler.mean_.tolist(), "scale": scaler.scale_.tolist()}),
         "probability": linear.predict_proba(scaler.transform(numbers[:ROWS].astype(float)))[:, 1].tolist()},
    ]}, sys.stdout)
