/* onnx_trees: trees as the operators of ONNX-ML describe them, into a forest: every way of
 * branching becomes one of the forest's splits, and a tree whose leaves have weights for several
 * outputs one tree for each. Not for other folders. */
#ifndef STEWARD_MODEL_ONNX_TREES_H
#define STEWARD_MODEL_ONNX_TREES_H

#include "model/forest_build.h"

enum onnx_mode { /* numbered as in TreeEnsemble-5 */
                 ONNX_LEQ,
                 ONNX_LT,
                 ONNX_GTE,
                 ONNX_GT,
                 ONNX_EQ,
                 ONNX_NEQ,
                 ONNX_MEMBER,
                 ONNX_LEAF
};

struct onnx_node {
    enum onnx_mode mode;
    bool missing_true; /* NaN takes the true branch */
    uint32_t feature;
    double value;
    uint32_t yes, no;      /* children when true and false: indices into node[] */
    uint32_t first, count; /* leaf: its weights; member: its members */
    int64_t tree, id;      /* as messages name it */
};

struct onnx_weight {
    uint32_t output;
    double value;
};

/* Every list is on malloc; children, first and count are within them. */
struct onnx_trees {
    struct onnx_node *node;
    struct onnx_weight *weight; /* at most one for each output at a leaf */
    double *member;
    uint32_t *root;
    size_t nodes, weights, members, roots;
    uint32_t features, outputs;
};

void onnx_trees_done(struct onnx_trees *t);
/* Fills the build's trees, each with that weight; b->f has features and outputs. A node with two
 * parents is refused; a leaf may have several. */
struct status onnx_trees_emit(const struct onnx_trees *t, double tree_weight, struct diag *diag,
                              struct forest_build *b);

#endif
