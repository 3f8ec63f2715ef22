/* lightgbm_tree: one tree of a LightGBM model file into the arrays of a forest. The tree is walked
 * from its root with every index checked; what is not reached is dropped, what is reached twice is
 * refused. Not for other folders. */
#ifndef STEWARD_MODEL_LIGHTGBM_TREE_H
#define STEWARD_MODEL_LIGHTGBM_TREE_H

#include "model/forest_build.h"

/* The lines of a tree that are read, in the order of the table in lightgbm_tree.c. */
enum lightgbm_field {
    LIGHTGBM_NUM_LEAVES,
    LIGHTGBM_NUM_CAT,
    LIGHTGBM_SPLIT_FEATURE,
    LIGHTGBM_THRESHOLD,
    LIGHTGBM_DECISION_TYPE,
    LIGHTGBM_LEFT_CHILD,
    LIGHTGBM_RIGHT_CHILD,
    LIGHTGBM_LEAF_VALUE,
    LIGHTGBM_LEAF_COUNT,
    LIGHTGBM_INTERNAL_COUNT,
    LIGHTGBM_CAT_BOUNDARIES,
    LIGHTGBM_CAT_THRESHOLD,
    LIGHTGBM_IS_LINEAR,
    LIGHTGBM_FIELDS
};

/* A tree's lines, as views into the file. */
struct lightgbm_tree {
    uint32_t number;
    uint32_t leaves;
    struct view field[LIGHTGBM_FIELDS]; /* ptr NULL: absent */
};

/* Takes the tree's lines from *rest, which stands after its "Tree=" line, up to the next one or
 * "end of trees"; how many nodes and categories it has. */
struct status lightgbm_tree_take(struct view *rest, uint32_t number, struct diag *diag,
                                 struct lightgbm_tree *ret_tree, size_t *ret_nodes,
                                 size_t *ret_categories);
/* True when the file tells how many training rows came to each node. */
bool lightgbm_tree_has_counts(const struct lightgbm_tree *t);
/* Appends the tree to `to`. The sentence names tree and node. */
struct status lightgbm_tree_read(const struct lightgbm_tree *t, struct diag *diag,
                                 struct forest_nodes *to);

#endif
