#!/usr/bin/env python3
"""Pinned ONNX models with what ONNX Runtime answers.

    python make_onnx.py > onnx-VERSION.json     (VERSION of onnxruntime)

Needs numpy, onnx, onnxruntime, scikit-learn, skl2onnx, lightgbm and onnxmltools; made with the versions in the file. Models
as hex; each with its rows (null for missing, 1e300 for infinity) and ONNX Runtime's scores row by row: of a binary classifier whose leaves
have weights for one class, the probability of the second class. Graphs named "by hand" are this script's own."""
import json
import sys

import lightgbm
import numpy as np
import onnx
import onnxmltools
import onnxruntime
import skl2onnx
import sklearn
from onnx import TensorProto, helper, numpy_helper
from onnxmltools.convert.common.data_types import FloatTensorType
from sklearn import ensemble, tree

rng = np.random.default_rng(20261124)
N = 300
X = rng.normal(size=(N, 3)).astype(np.float32)
X[:, 2] = rng.integers(0, 6, N)
score = X[:, 0] + (X[:, 1] > 0.3) - (X[:, 2] == 2) * 1.5
binary = (score + rng.normal(size=N) * 0.3 > 0).astype(int)
three = np.digitize(score, [-0.5, 0.5])
words = np.array(["low", "middle", "high"])[three]
GAPS = X.copy()
GAPS[rng.random(X.shape) < 0.2] = np.nan
models = []


def add(name, proto, rows, second=False, kind=np.float32, names=None, refused=None):
    data = proto.SerializeToString()
    out = []
    if refused is None:
        feed = {proto.graph.input[0].name: rows.astype(kind)} if names is None else {
            k: rows[:, i:i + 1].astype(kind) for i, k in enumerate(names)}
        session = onnxruntime.InferenceSession(data)
        out = session.run(None, feed)[-1]
        if isinstance(out, list):  # a ZipMap's
            out = np.array([list(row.values()) for row in out])
        out = np.asarray(out, dtype=float).reshape(len(rows), -1)
        out = out[:, 1:] if second else out
    models.append({"name": name, "file": data.hex(), "names": names or [], "refused": refused or "",
                   "rows": [[None if np.isnan(v) else float(v) if np.isfinite(v) else float(np.sign(v)) * 1e300 for v in r] for r in rows],
                   "answer": [[float(v) for v in r] for r in out]})


def learned(name, model, x, y, second=False, **options):
    proto = skl2onnx.to_onnx(model.fit(x, y), x[:1], options={id(model): options} if options else None)
    add(name, proto, x[:12], second)


def light(name, y, objective, second=False, refused=None, **more):
    model = (lightgbm.LGBMClassifier if objective != "regression" else lightgbm.LGBMRegressor)(
        n_estimators=3, num_leaves=5, verbose=-1, objective=objective, **more).fit(GAPS, y)
    proto = onnxmltools.convert_lightgbm(model, initial_types=[("input", FloatTensorType([None, 3]))], target_opset=15)
    add(name, proto, GAPS[:12], second, refused=refused)


def graph(node, width=3, kind=TensorProto.FLOAT, opset=3, before=(), after=(), inputs=None, out=None):
    label = node.op_type.endswith("Classifier")
    outputs = [helper.make_tensor_value_info("Y" if out is None else out, kind if opset == 5 else TensorProto.FLOAT, None)]
    if label:
        outputs.insert(0, helper.make_tensor_value_info("L", TensorProto.INT64, None))
    inputs = inputs or [helper.make_tensor_value_info("X", kind, [None, width])]
    g = helper.make_graph([*before, node, *after], "g", inputs, outputs)
    return helper.make_model(g, opset_imports=[helper.make_opsetid("ai.onnx.ml", opset), helper.make_opsetid("", 17)], ir_version=8)


def stump(mode="BRANCH_LEQ", value=1.0, missing=0, feature=0):
    """A root and two leaves, which stand in no particular order after it."""
    return dict(nodes_treeids=[7, 7, 7], nodes_nodeids=[0, 2, 1], nodes_featureids=[feature, 0, 0], nodes_values=[value, 0.0, 0.0],
                nodes_modes=[mode, "LEAF", "LEAF"], nodes_truenodeids=[2, 0, 0],
                nodes_falsenodeids=[1, 0, 0], nodes_hitrates=[1.0] * 3, nodes_missing_value_tracks_true=[missing, 0, 0])


def regressor(nodes, op="TreeEnsembleRegressor", ids=(0, 0), weights=(10.0, 20.0), at=(2, 1), **more):
    more = {"n_targets": 1, **more}
    return helper.make_node(op, ["X"], ["Y"], domain="ai.onnx.ml", target_treeids=[7] * len(ids), target_nodeids=list(at),
                            target_ids=list(ids), target_weights=list(weights), **nodes, **more)


def classifier(ids, weights, at=(2, 1), labels=(0, 1), **more):
    return helper.make_node("TreeEnsembleClassifier", ["X"], ["L", "Y"], domain="ai.onnx.ml", class_treeids=[7] * len(ids),
                            class_nodeids=list(at), class_ids=list(ids), class_weights=list(weights),
                            classlabels_int64s=list(labels), **stump(), **more)


def listed(**more):
    """TreeEnsemble-5: three inner nodes, one of them a set's; a leaf that two nodes share; a tree that is one leaf."""
    kind = more.pop("kind", np.float32)
    tensor = lambda name, values, t: numpy_helper.from_array(np.array(values, dtype=t), name)
    values = dict(n_targets=2, aggregate_function=1, post_transform=0, tree_roots=[0, 3], nodes_featureids=[0, 2, 1, 0],
                  nodes_splits=tensor("s", [0.25, 0, -0.5, 0], kind), nodes_modes=tensor("m", [0, 6, 3, 0], np.uint8),
                  nodes_truenodeids=[1, 0, 2, 4], nodes_trueleafs=[0, 1, 1, 1], nodes_falsenodeids=[2, 1, 1, 4],
                  nodes_falseleafs=[0, 1, 1, 1], nodes_missing_value_tracks_true=[1, 1, 0, 0],
                  leaf_targetids=[0, 1, 0, 1, 1], leaf_weights=tensor("w", [1.5, -2.0, 3.25, 9.0, 0.5], kind),
                  membership_values=tensor("v", [5, 1, 2, 1, np.nan], kind))
    values.update(more)
    return helper.make_node("TreeEnsemble", ["X"], ["Y"], domain="ai.onnx.ml", **values)


learned("GradientBoostingClassifier, binary", ensemble.GradientBoostingClassifier(n_estimators=3, max_depth=2), X, binary, True)
learned("GradientBoostingClassifier, three", ensemble.GradientBoostingClassifier(n_estimators=2, max_depth=2), X, three)
learned("GradientBoostingRegressor", ensemble.GradientBoostingRegressor(n_estimators=3, max_depth=3), X, score)
learned("RandomForestClassifier, binary", ensemble.RandomForestClassifier(n_estimators=3, max_depth=3), X, binary, True)
learned("RandomForestClassifier, words", ensemble.RandomForestClassifier(n_estimators=2, max_depth=3), X, words, zipmap=False)
learned("RandomForestRegressor", ensemble.RandomForestRegressor(n_estimators=3, max_depth=3), X, score)
learned("ExtraTreesRegressor, two targets", ensemble.ExtraTreesRegressor(n_estimators=2, max_depth=3), X, np.column_stack([score, -X[:, 1]]))
learned("DecisionTreeClassifier", tree.DecisionTreeClassifier(max_depth=3), X, three)
learned("HistGradientBoostingClassifier", ensemble.HistGradientBoostingClassifier(max_iter=2, max_leaf_nodes=5), GAPS, binary, True)
learned("HistGradientBoostingRegressor", ensemble.HistGradientBoostingRegressor(max_iter=2, max_leaf_nodes=5), GAPS, score)
light("LightGBM, binary", binary, "binary", True)
light("LightGBM, three", three, "multiclass")
light("LightGBM, regression", score, "regression")
light("LightGBM, random forest", score, "regression", refused="Div follows", boosting_type="rf", bagging_fraction=0.6, bagging_freq=1)

whole = np.array([[0], [1], [2], [-1], [7], [np.nan]], np.float32)
around = np.array([[np.nextafter(np.float32(0.1), np.float32(0))], [0.1], [np.nextafter(np.float32(0.1), np.float32(1))], [-2.5],
                   [np.nan], [np.inf], [-np.inf]], np.float32)
for mode in ["LEQ", "LT", "GTE", "GT", "EQ", "NEQ"]:
    for missing in (0, 1):
        add(f"by hand: {mode} 1, missing {missing}", graph(regressor(stump("BRANCH_" + mode, 1.0, missing)), 1), whole)
        add(f"by hand: {mode} 0.1, missing {missing}", graph(regressor(stump("BRANCH_" + mode, float(np.float32(0.1)), missing)), 1), around)
for mode in ["LEQ", "LT", "GTE", "GT"]:
    for value in (float("inf"), float("-inf")):
        add(f"by hand: {mode} {value}", graph(regressor(stump("BRANCH_" + mode, value)), 1), around)
doubles = {k: v for k, v in stump("BRANCH_LT", 0.1).items() if k not in ("nodes_values", "nodes_hitrates")}
node = helper.make_node(
    "TreeEnsembleRegressor", ["X"], ["Y"], domain="ai.onnx.ml", n_targets=1, target_treeids=[7, 7], target_nodeids=[2, 1], target_ids=[0, 0],
    target_weights_as_tensor=helper.make_tensor("w", TensorProto.DOUBLE, [2], [10.5, 20.25]),
    nodes_values_as_tensor=helper.make_tensor("v", TensorProto.DOUBLE, [3], [0.1, 0.0, 0.0]), **doubles)
add("by hand: doubles", graph(node, 1, TensorProto.DOUBLE), around, kind=np.float64)
add("by hand: average of two targets", graph(regressor(stump(), ids=(0, 1, 0, 1), weights=(1.0, -2.0, 0.5, 3.0), at=(2, 2, 1, 1), n_targets=2,
                                                       aggregate_function="AVERAGE", base_values=[0.5, 0.25], post_transform="LOGISTIC"), 1), whole)
add("by hand: softmax of two targets", graph(regressor(stump(), ids=(0, 1, 1), weights=(1.0, -2.0, 3.0), at=(2, 2, 1), n_targets=2,
                                                       post_transform="SOFTMAX"), 1), whole)
for transform in ("NONE", "LOGISTIC"):
    add(f"by hand: class 0 with a base, {transform}", graph(classifier((0, 0), (-0.2, 0.7), base_values=[0.1], post_transform=transform), 1), whole, True)
    add(f"by hand: class 1, {transform}", graph(classifier((1, 1), (-0.2, 0.7), post_transform=transform), 1), whole, True)
for transform in ("NONE", "LOGISTIC", "SOFTMAX"):
    add(f"by hand: both classes, {transform}", graph(classifier((0, 1, 0, 1), (0.2, 0.8, 0.6, 0.4), at=(2, 2, 1, 1), post_transform=transform), 1), whole)
    add(f"by hand: three classes, {transform}", graph(classifier((0, 1, 0, 2), (0.2, 0.8, -0.6, 0.4), at=(2, 2, 1, 1), labels=(4, 5, 6),
                                                                 base_values=[0.1, 0.3, 0.0], post_transform=transform), 1), whole)
mixed = np.array([[0, 0, 1], [0.25, -1, 5], [0.5, 0, 2], [0.5, -0.5, 2], [np.nan, 0, 3], [0, 0, np.nan], [1, np.nan, 0], [-3, 7, 4]], np.float32)
add("by hand: TreeEnsemble-5", graph(listed(), 3, opset=5), mixed)
add("by hand: TreeEnsemble-5 of doubles, average", graph(listed(kind=np.float64, aggregate_function=0), 3, TensorProto.DOUBLE, 5),
    mixed, kind=np.float64)
columns = ["age", "income", "size"]
inputs = [helper.make_tensor_value_info(c, TensorProto.FLOAT, [None, 1]) for c in columns]
concat = helper.make_node("Concat", columns, ["X"], axis=1)
add("by hand: named columns", graph(regressor(stump(feature=2)), before=[concat], inputs=inputs), mixed, names=columns)
identity = helper.make_node("Identity", ["Y"], ["Z"])
add("by hand: identity after", graph(regressor(stump()), 1, after=[identity], out="Z"), whole)

add("refused: exp after", graph(regressor(stump()), 1, after=[helper.make_node("Exp", ["Y"], ["Z"])], out="Z"), whole, refused="Exp follows")
add("refused: before", graph(regressor(stump()), 1, before=[helper.make_node("Neg", ["I"], ["X"])],
                             inputs=[helper.make_tensor_value_info("I", TensorProto.FLOAT, [None, 1])]), whole, refused="Neg comes before")
add("refused: min", graph(regressor(stump(), aggregate_function="MIN"), 1), whole, refused="aggregate_function MIN")
add("refused: probit", graph(regressor(stump(), post_transform="PROBIT"), 1), whole, refused="post_transform PROBIT")
add("refused: softmax zero", graph(classifier((0, 1), (0.2, 0.8), post_transform="SOFTMAX_ZERO"), 1), whole, refused="post_transform SOFTMAX_ZERO")
add("refused: one target, logistic", graph(regressor(stump(), post_transform="LOGISTIC"), 1), whole, refused="post_transform of one target")
add("refused: one class, softmax", graph(classifier((0, 0), (0.2, 0.8), post_transform="SOFTMAX"), 1), whole, refused="SOFTMAX of a binary")
add("refused: class 1 with a base", graph(classifier((1, 1), (0.2, 0.8), base_values=[0.1]), 1), whole, refused="base_values of a binary")
add("refused: both classes with a base", graph(classifier((0, 1), (0.2, 0.8), base_values=[0.1, 0.2]), 1), whole, refused="base_values of two classes")
add("refused: equality with infinity", graph(regressor(stump("BRANCH_EQ", float("inf"))), 1), whole, refused="no number to compare with")
add("refused: a base, and leaves without weights", graph(regressor(stump(), ids=(0, 1, 1), weights=(1.0, -2.0, 3.0), at=(2, 2, 1), n_targets=2,
                                                                   base_values=[0.5, 0.25]), 1), whole, refused="base_values of several targets")
add("refused: TreeEnsemble-5, transform", graph(listed(post_transform=1), 3, opset=5), mixed, refused="a post_transform of TreeEnsemble-5")
swapped = {k: [v[1], v[0], v[2]] for k, v in stump().items()}
add("refused: the root is not first", graph(regressor(swapped), 1), whole, refused="its root, node 0, must stand first")
add("refused: no ensemble", helper.make_model(helper.make_graph([helper.make_node("Abs", ["X"], ["Y"])], "g", [
    helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 1])], [helper.make_tensor_value_info("Y", TensorProto.FLOAT, None)])), whole,
    refused="has no tree ensemble")
json.dump({"tool": "onnxruntime", "version": onnxruntime.__version__, "script": "make_onnx.py", "made_with": {
    "onnx": onnx.__version__, "scikit-learn": sklearn.__version__, "skl2onnx": skl2onnx.__version__, "lightgbm": lightgbm.__version__,
    "onnxmltools": onnxmltools.__version__}, "models": models}, sys.stdout, indent=0)
