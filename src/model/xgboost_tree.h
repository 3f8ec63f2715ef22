/* xgboost_tree: one tree of an XGBoost document into the arrays of a forest. The tree is walked
 * from its root with every index checked; what is not reached is dropped, what is reached twice is
 * refused. */
#ifndef STEWARD_MODEL_XGBOOST_TREE_H
#define STEWARD_MODEL_XGBOOST_TREE_H

#include "base/json.h"
#include "model/forest_build.h"

/* Nodes and categories that the tree brings; INPUT when it has no node. */
struct status xgboost_tree_size(const json_t *tree, uint32_t number, struct diag *diag,
                                size_t *ret_nodes, size_t *ret_categories);
/* Appends tree `number` to `to`. The sentence names tree and node. */
struct status xgboost_tree_read(const json_t *tree, uint32_t number, struct diag *diag,
                                struct forest_nodes *to);
/* A whole number, also written as true, false or 1E0. */
bool xgboost_integer(const json_t *value, int64_t *ret_value);
/* A finite float, or NaN. */
float xgboost_float(const json_t *value);
/* A parameter: a whole number, mostly written as a string ("13"); fallback when it is absent. */
struct status xgboost_parameter(const json_t *o, const char *key, uint64_t fallback,
                                struct diag *diag, uint64_t *ret_value);

#endif
