/* onnx_lists: the lists in which an operator's attributes describe trees, checked and put together.
 * Not for other folders. */
#ifndef STEWARD_MODEL_ONNX_LISTS_H
#define STEWARD_MODEL_ONNX_LISTS_H

#include "model/onnx_document.h"
#include "model/onnx_trees.h"

struct onnx_lists {
    struct diag *diag;
    const Onnx__NodeProto *op;
    struct onnx_trees trees; /* outputs is set; features too, or 0: from the splits */
};

/* Nodes by tree and number: TreeEnsembleRegressor (prefix "target") and Classifier ("class"). */
struct status onnx_lists_read_numbered(struct onnx_lists *l, const char *prefix);
/* Inner nodes and leaves in lists of their own: TreeEnsemble-5. */
struct status onnx_lists_read_listed(struct onnx_lists *l);

#endif
