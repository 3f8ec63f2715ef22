"""Interventional SHAP values by shap's TreeExplainer or by Woodelf, one thread.

    interventional.py shap|woodelf MODEL ROWS COUNT BACKGROUND COUNT FEATURES

ROWS and BACKGROUND: float32, row-major. Prints one JSON object: seconds of processor time of the call alone (not of
reading the model), the version, and the values of the first two rows."""
import json
import os
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import importlib.metadata  # noqa: E402

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import xgboost  # noqa: E402

tool, model, rows, count, background, background_count, features = sys.argv[1:8]
features = int(features)
x = np.fromfile(rows, np.float32).reshape(-1, features)[:int(count)]
b = np.fromfile(background, np.float32).reshape(-1, features)[:int(background_count)]
booster = xgboost.Booster({"nthread": 1})
booster.load_model(model)
if tool == "shap":
    import shap
    # Given the array itself it takes 100 rows of it, without a word.
    whole = shap.maskers.Independent(b, max_samples=len(b))
    explainer = shap.TreeExplainer(booster, whole, feature_perturbation="interventional", model_output="raw")
    start = time.process_time()
    values = explainer.shap_values(x, check_additivity=False)
    seconds = time.process_time() - start
    version = "shap " + shap.__version__ + ", interventional TreeExplainer"
else:
    from woodelf import WoodelfExplainer
    names = [f"f{i}" for i in range(features)]
    explainer = WoodelfExplainer(booster, pd.DataFrame(b, columns=names))
    frame = pd.DataFrame(x, columns=names)
    start = time.process_time()
    values = explainer.shap_values(frame, verbose=False)
    seconds = time.process_time() - start
    version = "Woodelf " + importlib.metadata.version("woodelf_explainer")
values = np.asarray(values).reshape(len(x), features)
print(json.dumps({"seconds": seconds, "version": version, "values": values[:2].astype(float).ravel().tolist()}))
