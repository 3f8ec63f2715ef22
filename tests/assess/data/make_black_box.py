"""Makes black_box.json: explanations of two written-out functions by shap, scikit-learn and PyALE.
The functions stand in tests/assess/black_box_functions.h too. Run with shap 0.51.0, scikit-learn 1.9.1, PyALE 1.2.0."""
import contextlib
import io
import json
import pathlib
import sys

import numpy as np
import pandas as pd
import PyALE
import shap
import sklearn
from PyALE import ale
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.tree import DecisionTreeRegressor

NAMES = list("abcde")


def wavy(x):
    return x[:, 0] * x[:, 1] + np.sin(x[:, 2]) + x[:, 3] ** 2 * x[:, 4] - 0.5 * x[:, 0]


def logistic(x):
    return 1 / (1 + np.exp(-(x[:, 0] - x[:, 1] + x[:, 2] * x[:, 3])))


def many(x):
    """14 features: pairs, a triple, a threshold."""
    pairs = sum(x[:, i] * x[:, i + 1] for i in range(0, 12, 2))
    return pairs + x[:, 1] * x[:, 5] * x[:, 9] + (x[:, 12] > x[:, 13]) * 2.0 + x[:, 3]


class Model(RegressorMixin, BaseEstimator):
    def __init__(self, f=None):
        self.f = f

    def fit(self, x, y):
        self.fitted_ = True
        return self

    def predict(self, x):
        return self.f(np.asarray(x, dtype=float))


class Classifier(ClassifierMixin, Model):
    classes_ = np.array([0, 1])

    def predict_proba(self, x):
        p = self.f(np.asarray(x, dtype=float))
        return np.column_stack([1 - p, p])

    def predict(self, x):
        return (self.predict_proba(x)[:, 1] >= 0.5).astype(int)


rng = np.random.default_rng(20261124)
x = rng.normal(size=(160, 5)).round(3)
x[:, 4] = rng.integers(0, 4, size=160)
both = lambda v: np.column_stack([wavy(v), logistic(v)])
out = {"made_with": {"shap": shap.__version__, "scikit-learn": sklearn.__version__, "PyALE": "1.2.0",
                     "numpy": np.__version__}, "x": x.tolist()}

# ---- Shapley values
background, rows = x[:20], x[20:26]
kernel = shap.KernelExplainer(both, background)
exact = shap.explainers.ExactExplainer(both, shap.maskers.Independent(background, max_samples=20))
permutation = shap.explainers.PermutationExplainer(wavy, shap.maskers.Independent(background, max_samples=20), seed=1)
out["shapley"] = {
    "background": 20, "first": 20, "rows": 6, "base": np.asarray(kernel.expected_value).tolist(),
    "kernel": np.moveaxis(kernel.shap_values(rows, nsamples=2 ** 5, l1_reg=False, silent=True), 2, 1).tolist(),
    "exact": np.moveaxis(exact(rows).values, 2, 1).tolist(),
    "permutation": permutation(rows, max_evals=40000).values.tolist()}
wide = rng.normal(size=(9, 14)).round(3)
out["wide"] = {
    "x": wide.tolist(), "background": 8,
    "exact": shap.explainers.ExactExplainer(many, shap.maskers.Independent(wide[:8], max_samples=8))(
        wide[8:], max_evals=2 ** 14 + 10).values[0].tolist()}

# ---- partial dependence and ICE
out["profiles"] = []
for feature, grid in ((0, [-1.5, -0.5, 0.0, 0.25, 2.0]), (3, [-2.0, 0.0, 1.0]), (4, [0.0, 1.0, 2.0, 3.0])):
    pd_ = partial_dependence(Model(wavy).fit(x, wavy(x)), x, [feature], kind="both", method="brute",
                             custom_values={feature: np.array(grid)})
    out["profiles"].append({"feature": feature, "grid": grid, "average": pd_["average"][0].tolist(),
                            "individual": pd_["individual"][0][:5].tolist()})

# ---- accumulated local effects
frame = pd.DataFrame(x, columns=NAMES)
# (numbers of bins that divide the rows: there "lower" quantiles, which PyALE takes, are those of type 1)
out["ale"] = []
for feature, kind, size in ((0, "continuous", 10), (3, "continuous", 8), (2, "continuous", 20), (4, "discrete", 0)):
    with contextlib.redirect_stdout(io.StringIO()):
        effect = ale(frame, Model(wavy).fit(x, wavy(x)), [NAMES[feature]], feature_type=kind,
                     grid_size=size or 20, include_CI=False, plot=False)
    out["ale"].append({"feature": feature, "bins": size, "at": effect.index.astype(float).tolist(),
                       "effect": effect["eff"].tolist(), "size": effect["size"].fillna(0).tolist()})

# ---- permutation importance
noise = rng.normal(size=160)
y = (wavy(x) + 0.3 * noise).round(6)
label = (logistic(x) + 0.15 * noise > 0.5).astype(int)
out["importance"] = {"y": y.tolist(), "label": label.tolist(), "regression": {}, "binary": {}}
for name, scoring in (("rmse", "neg_root_mean_squared_error"), ("mae", "neg_mean_absolute_error"), ("r2", "r2")):
    r = permutation_importance(Model(wavy).fit(x, y), x, y, scoring=scoring, n_repeats=4000, random_state=1)
    out["importance"]["regression"][name] = {"mean": r.importances_mean.tolist(), "sd": r.importances_std.tolist()}
for name, scoring in (("accuracy", "accuracy"), ("log_loss", "neg_log_loss"), ("roc_auc", "roc_auc"),
                      ("brier_score", "neg_brier_score")):
    r = permutation_importance(Classifier(logistic).fit(x, label), x, label, scoring=scoring, n_repeats=2000,
                               random_state=1)
    out["importance"]["binary"][name] = {"mean": r.importances_mean.tolist(), "sd": r.importances_std.tolist()}
for family, model, target in (("regression", Model(wavy).fit(x, y), y), ("binary", Classifier(logistic).fit(x, label), label)):
    for name in out["importance"][family]:
        scoring = {"rmse": "neg_root_mean_squared_error", "mae": "neg_mean_absolute_error", "log_loss": "neg_log_loss",
                   "brier_score": "neg_brier_score"}.get(name, name)
        s = float(sklearn.metrics.get_scorer(scoring)(model, x, target))
        out["importance"][family][name]["baseline"] = -s if scoring.startswith("neg_") else s

# ---- surrogate trees
out["trees"] = []
for f, leaves, depth, least in ((wavy, 6, 3, 5), (logistic, 12, 4, 8), (wavy, 40, 8, 3)):
    t = DecisionTreeRegressor(max_leaf_nodes=leaves, max_depth=depth, min_samples_leaf=least).fit(x, f(x))
    out["trees"].append({"function": f.__name__, "leaves": leaves, "depth": depth, "least": least,
                         "leaf_count": int(t.get_n_leaves()), "r2": float(t.score(x, f(x))),
                         "predictions": t.predict(x[:30]).tolist(), "root_feature": int(t.tree_.feature[0]),
                         "root_threshold": float(t.tree_.threshold[0])})

target = pathlib.Path(sys.argv[0]).with_name("black_box.json")
target.write_text(json.dumps(out, separators=(",", ":")) + "\n")
