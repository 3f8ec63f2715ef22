"""Pinned vectors of linear models' SHAP values: shap's LinearExplainer with an independent masker
over every background row, of scikit-learn's models behind a StandardScaler.

    pip install shap scikit-learn numpy
    python make_explain_linear.py > explain_linear.json
"""
import json
import sys

import numpy
import shap
import sklearn
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.preprocessing import StandardScaler

rng = numpy.random.default_rng(5)
FEATURES = ["age", "income", "debt", "years"]
x = (rng.normal(size=(120, 4)) * [12, 800, 0.3, 5] + [41, 1900, 0.4, 8]).astype(numpy.float32)
wish = (x[:, 0] - 41) / 12 + 2 * (x[:, 2] - 0.4) / 0.3 + rng.normal(size=120)
scaler = StandardScaler().fit(x)
z = scaler.transform(x)
background, rows = x[:50], x[100:112]


def model_file(link, model, classes):
    return {"format": "steward-linear", "version": 1, "link": link, "features": FEATURES,
            **({"classes": classes} if classes else {}),
            "intercept": numpy.atleast_1d(model.intercept_).tolist(),
            "coefficients": numpy.atleast_2d(model.coef_).tolist(),
            "mean": scaler.mean_.tolist(), "scale": scaler.scale_.tolist()}


def values(model, k):
    """shap of output k: [rows][features], and the expected value."""
    w = numpy.atleast_2d(model.coef_)[k] / scaler.scale_
    b = float(numpy.atleast_1d(model.intercept_)[k] - (w * scaler.mean_).sum())
    masker = shap.maskers.Independent(background.astype(float), max_samples=len(background))
    explainer = shap.LinearExplainer((w, b), masker)
    return explainer.shap_values(rows.astype(float)).tolist(), float(explainer.expected_value)


def case(name, link, model, classes=None):
    outputs = [values(model, k) for k in range(len(numpy.atleast_1d(model.intercept_)))]
    return {"name": name, "model": model_file(link, model, classes),
            "values": [o[0] for o in outputs], "expected": [o[1] for o in outputs]}


json.dump({
    "tools": {"shap": shap.__version__, "scikit-learn": sklearn.__version__, "numpy": numpy.__version__},
    "background": background.tolist(), "rows": rows.tolist(),
    "cases": [
        case("regression", "identity", LinearRegression().fit(z, wish)),
        case("binary", "logistic", LogisticRegression().fit(z, wish > 0), ["no", "yes"]),
        case("classes", "softmax", LogisticRegression().fit(z, numpy.digitize(wish, [-1, 1])), ["low", "mid", "high"]),
    ],
}, sys.stdout)
