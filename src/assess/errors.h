/* errors: where the model fails. An error tree (greedy, Gini gain on the 0/1 error, binary splits
 * on numeric thresholds or one category against the rest, missing values sent to the better side)
 * and a heat map over two features. Every row is used. */
#ifndef STEWARD_ASSESS_ERRORS_H
#define STEWARD_ASSESS_ERRORS_H

#include "base/status.h"
#include "num/interval.h"

#define ERRORS_MAX_DEPTH 8u
#define ERRORS_MAX_NODES 511u
#define ERRORS_MAX_BINS 16u

struct errors_feature {
    const double *value;  /* rows; NaN missing; category: code */
    uint32_t level_count; /* 0: numeric; otherwise category with that many levels */
};

struct errors_node {
    int32_t parent;      /* -1 for the root */
    int32_t left, right; /* -1 for a leaf */
    uint32_t depth;
    uint32_t feature; /* of the split below this node */
    double threshold; /* numeric: value <= threshold goes left; few digits (assess/cut.h) */
    int32_t category; /* category split: this code goes left; -1 for numeric */
    bool missing_left;
    uint64_t rows, errors;
    double error_rate;
    struct interval ci; /* Wilson 95 % */
    double coverage;    /* share of all errors that lie here */
};

struct errors_tree {
    uint32_t nodes;
    struct errors_node node[ERRORS_MAX_NODES];
};

/* error[rows]: 0 or 1. Depth at most max_depth, leaves of at least min_rows. Deterministic; ties to
 * the lower feature, then the lower threshold. */
struct status errors_tree_grow(const struct errors_feature *features, uint32_t feature_count,
                               const uint8_t *error, size_t rows, uint32_t max_depth,
                               uint32_t min_rows, struct errors_tree *ret_tree);
/* Index of the worst leaf: highest error rate among leaves (ties: more errors); -1 for a tree of
 * one node without errors. */
int32_t errors_worst_leaf(const struct errors_tree *t);

struct errors_axis {
    uint32_t bins;
    bool is_category; /* bin b is category b (the last one "other" when there are more) */
    bool has_missing; /* a further bin, index bins, holds missing values */
    double edge[ERRORS_MAX_BINS]; /* numeric: edge[b - 1] <= value < edge[b] lies in bin b; the
                                   * first and the last bin are open; bins - 1 edges */
    double low[ERRORS_MAX_BINS];  /* numeric: smallest and largest value in the bin */
    double high[ERRORS_MAX_BINS];
};

struct errors_cell {
    uint64_t rows, errors;
    struct interval ci;
};

struct errors_map {
    struct errors_axis x, y;
    struct errors_cell
        cell[(ERRORS_MAX_BINS + 1) * (ERRORS_MAX_BINS + 1)]; /* [yi * (ERRORS_MAX_BINS + 1) + xi] */
};

/* bins: numeric features are cut into at most that many (<= ERRORS_MAX_BINS) with about as many
 * rows each, equal values together; few distinct values have a bin each. */
struct status errors_map_fill(const struct errors_feature *fx, const struct errors_feature *fy,
                              const uint8_t *error, size_t rows, uint32_t bins,
                              struct errors_map *ret_map);
/* Features ordered by how well a one-level split on them, min_rows on each side, separates errors
 * (Gini gain), best first: ret_order[feature_count], ret_gain[feature_count] or NULL. */
struct status errors_rank(const struct errors_feature *features, uint32_t feature_count,
                          const uint8_t *error, size_t rows, uint32_t min_rows, uint32_t *ret_order,
                          double *ret_gain);

#endif
