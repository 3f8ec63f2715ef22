"""Makes metrics.json: what scikit-learn 1.9.1 says of answers to two classes, to several, and of numbers."""
import json
import pathlib
import sys

import numpy as np
from sklearn import metrics as m

rng = np.random.default_rng(12)
n = 240

score = np.round(rng.random(n), 2)  # with ties
y = (rng.random(n) < score).astype(int)
said = (score >= 0.5).astype(int)
macro = {"average": "macro", "zero_division": 0}
binary = {"accuracy": m.accuracy_score(y, said), "balanced_accuracy": m.balanced_accuracy_score(y, said),
          "precision": m.precision_score(y, said), "recall": m.recall_score(y, said), "f1": m.f1_score(y, said),
          "precision_macro": m.precision_score(y, said, **macro), "recall_macro": m.recall_score(y, said, **macro),
          "f1_macro": m.f1_score(y, said, **macro), "log_loss": m.log_loss(y, score), "roc_auc": m.roc_auc_score(y, score),
          "average_precision": m.average_precision_score(y, score), "brier_score": m.brier_score_loss(y, score)}

# Five classes: one that never occurs but is said, one that occurs and is never said.
p = rng.dirichlet([1, 1, 1, 1, 0.5], n)
truth = rng.choice([0, 1, 2, 4], n)
p[:, 4] *= 0.2
p /= p.sum(axis=1, keepdims=True)
decided = p.argmax(axis=1)
classes = {"accuracy": m.accuracy_score(truth, decided), "balanced_accuracy": m.balanced_accuracy_score(truth, decided),
           "precision_macro": m.precision_score(truth, decided, **macro),
           "recall_macro": m.recall_score(truth, decided, **macro), "f1_macro": m.f1_score(truth, decided, **macro),
           "log_loss": m.log_loss(truth, p, labels=range(5))}

value = np.round(rng.normal(3, 2, n), 3)
value[5] = 0
answer = value + rng.normal(0.2, 0.7, n)
numbers = {"rmse": m.root_mean_squared_error(value, answer), "mse": m.mean_squared_error(value, answer),
           "mae": m.mean_absolute_error(value, answer), "mape": m.mean_absolute_percentage_error(value, answer),
           "median_absolute_error": m.median_absolute_error(value, answer), "max_error": m.max_error(value, answer),
           "r2": m.r2_score(value, answer), "explained_variance": m.explained_variance_score(value, answer)}

out = {"binary": {"y": y.tolist(), "score": score.tolist(), "outputs": 1, "metrics": binary},
       "classes": {"y": truth.tolist(), "score": p.ravel().tolist(), "outputs": 5, "metrics": classes},
       "numbers": {"y": value.tolist(), "score": answer.tolist(), "outputs": 1, "metrics": numbers}}
target = pathlib.Path(sys.argv[0]).with_name("metrics.json")
target.write_text(json.dumps(out, separators=(",", ":"), default=float) + "\n")
