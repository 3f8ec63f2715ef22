#!/usr/bin/env python3
"""Pinned linear models of one scikit-learn, in our JSON (docs/spec/linear-model.md), with its own margins and answers.

    python make_linear.py > linear-VERSION.json      (needs numpy and that version of scikit-learn)

Rows are floats, null for missing; margins (decision_function, or the linear predictor) and answers row by row."""
import json
import sys
import warnings

import numpy as np
import sklearn
from sklearn import linear_model
from sklearn.preprocessing import StandardScaler

warnings.simplefilter("ignore")
rng = np.random.default_rng(20261124)
N = 200
NAMES = ["age", "income", "size"]
X = np.column_stack([rng.normal(40, 12, N), rng.lognormal(7, 1, N), rng.integers(0, 4, N)]).astype(np.float32).astype(np.float64)
score = (X[:, 0] - 40) / 10 + np.log(X[:, 1]) - 7 - X[:, 2] * 0.3
binary = np.where(score + rng.normal(size=N) > 0, "yes", "no")
three = np.digitize(score, [-1, 1])
counts = rng.poisson(np.exp(0.3 * score))
ROWS = X[:10]
models = []


def add(name, link, m, y, standard=False, answer=None, margin=None):
    s = StandardScaler().fit(X)
    x, rows = (s.transform(X), s.transform(ROWS)) if standard else (X, ROWS)
    m.fit(x, y)
    coefficients = np.atleast_2d(m.coef_)
    document = {"format": "steward-linear", "version": 1, "link": link, "features": NAMES,
                "intercept": np.broadcast_to(m.intercept_, len(coefficients)).tolist(), "coefficients": coefficients.tolist()}
    if hasattr(m, "classes_"):
        document["classes"] = [str(c) for c in m.classes_]
    if standard:
        document.update(mean=s.mean_.tolist(), scale=s.scale_.tolist())
    theirs = rows @ coefficients.T + m.intercept_ if not hasattr(m, "decision_function") else m.decision_function(rows)
    answers = m.predict_proba(rows) if hasattr(m, "predict_proba") else m.predict(rows)
    if link == "logistic":
        answers = answers[:, 1]
    flat = lambda a: [[float(v) for v in np.atleast_1d(r)] for r in a]
    models.append({"name": name, "file": json.dumps(document), "margin": flat(theirs), "answer": flat(answers)})


add("linear regression", "identity", linear_model.LinearRegression(), score)
add("linear regression, two targets", "identity", linear_model.Ridge(), np.column_stack([score, -X[:, 2]]))
add("logistic regression", "logistic", linear_model.LogisticRegression(max_iter=2000), binary)
add("logistic regression, standardised", "logistic", linear_model.LogisticRegression(), binary, standard=True)
add("multinomial regression, standardised", "softmax", linear_model.LogisticRegression(), three, standard=True)
add("Poisson regression, standardised", "exp", linear_model.PoissonRegressor(), counts, standard=True)
json.dump({"tool": "scikit-learn", "version": sklearn.__version__, "script": "make_linear.py", "rows": ROWS.tolist(), "models": models},
          sys.stdout, indent=0)
