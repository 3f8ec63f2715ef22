"""Fairlearn's MetricFrame on the bench's rows: fairness.py FILE ROWS KIND [REPLICATES].

FILE holds, one after another: two int32 codes, label and decision as bytes, a float64 score, each ROWS long. KIND is
decisions, scores or bootstrap (the means among the scores). Prints processor seconds, then the difference of each metric for the first column, the
second, and both together.
"""
import sys
import time

import fairlearn.metrics as fm
import numpy as np
import pandas as pd
import sklearn.metrics as sm
from fairlearn.metrics import MetricFrame

path, rows, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
replicates = int(sys.argv[4]) if len(sys.argv) > 4 else None
raw = np.fromfile(path, dtype=np.uint8)
at = 0


def take(kind_of):
    global at
    size = rows * np.dtype(kind_of).itemsize
    v = raw[at:at + size].view(kind_of)
    at += size
    return v


a, b, y, d, score = (take(k) for k in ("<i4", "<i4", "u1", "u1", "<f8"))
decisions = {
    "selection_rate": fm.selection_rate, "true_positive_rate": fm.true_positive_rate,
    "false_positive_rate": fm.false_positive_rate, "true_negative_rate": fm.true_negative_rate,
    "false_negative_rate": fm.false_negative_rate, "accuracy_score": sm.accuracy_score,
    "zero_one_loss": sm.zero_one_loss, "balanced_accuracy_score": sm.balanced_accuracy_score,
    "precision_score": sm.precision_score, "recall_score": sm.recall_score, "f1_score": sm.f1_score,
}
scores = {
    "roc_auc_score": sm.roc_auc_score, "log_loss": sm.log_loss, "mean_prediction": fm.mean_prediction,
    "mean_absolute_error": sm.mean_absolute_error, "mean_squared_error": sm.mean_squared_error,
    "root_mean_squared_error": sm.root_mean_squared_error, "r2_score": sm.r2_score,
}
means = {k: v for k, v in scores.items() if k not in ("roc_auc_score", "r2_score")}
metrics, p = {"decisions": (decisions, d), "scores": (scores, score), "bootstrap": (means, score)}[kind]
columns = [{"a": a}, {"b": b}, {"a": a, "b": b}]


def work(n_boot):
    out = []
    more = {} if n_boot is None else {"n_boot": n_boot, "ci_quantiles": [0.025, 0.975], "random_state": 1}
    for c in columns:
        f = MetricFrame(metrics=metrics, y_true=y, y_pred=p, sensitive_features=pd.DataFrame(c), **more)
        f.group_min(), f.group_max(), f.ratio(), f.difference(method="to_overall"), f.ratio(method="to_overall")
        out.append(f.difference())
    return out


start = time.process_time()
found = work(replicates)
print(time.process_time() - start)
for f in found:
    for m in metrics:
        print(f"{m} {f[m]:.17g}")
