/* errors: where the model fails. An error tree (greedy, the variance of the loss, which for a loss
 * of 0 and 1 is half its Gini impurity; binary splits on numeric thresholds or one category against
 * the rest; missing values sent to the better side), a heat map over one or two features, and how
 * much each feature tells of the loss. Every row is used. loss[rows]: finite, not negative: 0 or 1
 * for right or wrong, the absolute error for numbers (a signed one would cancel out in a node). */
#ifndef STEWARD_ASSESS_ERRORS_H
#define STEWARD_ASSESS_ERRORS_H

#include "num/counted.h"
#include "num/interval.h"
#include "num/moments.h"

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
    uint64_t rows;
    double errors;      /* sum of the loss: mistakes, where it is 0 or 1 */
    double error_rate;  /* its mean */
    struct interval ci; /* Wilson 95 %; NaN for other losses */
    double coverage;    /* share of all of the loss that lies here */
};

struct errors_tree_options {
    uint32_t max_depth;  /* at most ERRORS_MAX_DEPTH */
    uint32_t max_leaves; /* from 1; where a level would pass it, the best splits are made */
    uint32_t min_rows;   /* of a leaf */
};

struct errors_tree {
    uint32_t nodes;
    struct errors_node node[ERRORS_MAX_NODES];
};

/* Rows that lie together: of a machine, say. */
struct errors_rows {
    const struct errors_feature *features;
    const double *loss;
    size_t rows;
};

/* The same tree, to the bit, however the rows are shared out and in whatever order. Ties to the
 * lower feature, then the lower threshold. features: of each part the same ones, with as many
 * levels. STATUS_INPUT for a loss that is not finite or below zero. Memory: 4 bytes a row and
 * feature, 10 a row, and of one feature at a time 16 a distinct value, and 16 more for each open
 * node or as many nodes as 64 MiB hold. */
struct status errors_tree_grow_parts(const struct errors_rows *part, size_t parts,
                                     uint32_t feature_count, const struct errors_tree_options *o,
                                     struct errors_tree *ret_tree);
/* Of rows in one part. */
struct status errors_tree_grow(const struct errors_feature *features, uint32_t feature_count,
                               const double *loss, size_t rows, const struct errors_tree_options *o,
                               struct errors_tree *ret_tree);
/* ret_leaf[rows]: the node that each row ends in. */
void errors_tree_leaves(const struct errors_tree *t, const struct errors_feature *features,
                        size_t rows, uint16_t *ret_leaf);
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

enum errors_cut { ERRORS_EQUAL_COUNT, ERRORS_EQUAL_WIDTH };

/* values: of all rows, settled. A numeric feature in at most `bins` (<= ERRORS_MAX_BINS): with
 * about as many rows each, equal values together, or as wide each (the edges rounded to a
 * thousandth of that, infinite values in the bins at the ends); few distinct values have a bin
 * each. Of a category only the missing ones are looked at. STATUS_LIMIT. */
struct status errors_axis_of(const struct counted *values, uint32_t level_count, uint32_t bins,
                             enum errors_cut cut, struct errors_axis *ret_axis);
/* The same of rows that are at hand. */
struct status errors_axis_cut(const struct errors_feature *f, size_t rows, uint32_t bins,
                              enum errors_cut cut, struct errors_axis *ret_axis);
uint32_t errors_axis_bin(const struct errors_axis *a, double value); /* a->bins when missing */

struct errors_cell {
    uint64_t rows;
    double errors;
    struct interval ci; /* 95 %: Wilson; of losses other than 0 and 1 Student's, of their mean */
};

struct errors_map {
    struct errors_axis x, y;
    struct errors_cell
        cell[(ERRORS_MAX_BINS + 1) * (ERRORS_MAX_BINS + 1)]; /* [yi * (ERRORS_MAX_BINS + 1) + xi] */
};

/* What rows come to in the cells, the same in any order and any split. */
struct errors_map_state {
    struct errors_axis x, y;
    bool pair;   /* false: y has one bin */
    bool binary; /* no loss other than 0 and 1 */
    struct moments loss[(ERRORS_MAX_BINS + 1) * (ERRORS_MAX_BINS + 1)];
};

/* y NULL: a map of one feature. */
void errors_map_begin(const struct errors_axis *x, const struct errors_axis *y,
                      struct errors_map_state *ret_state);
/* x[rows]: of the first feature; y[rows]: of the second, or NULL. */
void errors_map_add(struct errors_map_state *s, const double *x, const double *y,
                    const double *loss, size_t rows);
/* The same as adding the other's rows; both began with the same axes. */
void errors_map_merge(struct errors_map_state *s, const struct errors_map_state *other);
void errors_map_finish(const struct errors_map_state *s, struct errors_map *ret_map);
/* All of these, of rows that are at hand. fy NULL: a map of one feature. */
struct status errors_map_fill(const struct errors_feature *fx, const struct errors_feature *fy,
                              const double *loss, size_t rows, uint32_t bins, enum errors_cut cut,
                              struct errors_map *ret_map);

/* How much a feature, in ERRORS_MAX_BINS bins (categories each their own, missing too), tells of
 * the loss, which is 0 or 1 or cut in ERRORS_LOSS_BINS: mutual information in nats, on all rows.
 * The plug-in value is biased upwards: Miller (1955) and Madow's correction is taken off. The G
 * test's p says whether it is more than chance. Both are about tables whose cells are not all but
 * empty (Cochran 1954): of a feature with more than ERRORS_ALONE categories those that are too rare
 * are pooled first, for the correction, the noise and the p. */
#define ERRORS_LOSS_BINS 8u
#define ERRORS_ALONE 64u

struct errors_mutual {
    double mutual_information; /* scikit-learn mutual_info_score of the bins */
    double corrected;          /* less the bias; at least 0 */
    double noise;              /* what 95 % of unrelated features stay under, of what is pooled */
    double p;                  /* 2 n I against chi-square; 1 without degrees of freedom */
    uint32_t pooled;           /* categories that were too rare to stand alone; 0: all do */
};

/* Rows of each pair of a feature's bin and a loss's bin: the same in any order and any split. */
struct errors_joint {
    struct errors_axis x, y;
    uint32_t levels;         /* of a category; 0: numeric */
    uint32_t x_bins, y_bins; /* with the missing ones */
    uint64_t *count;         /* [x * y_bins + y] */
    uint64_t rows;
};

void errors_joint_done(struct errors_joint *j);
/* x: the feature's axis in ERRORS_MAX_BINS, y: the loss's in ERRORS_LOSS_BINS, equal count.
 * STATUS_MEMORY. */
struct status errors_joint_begin(const struct errors_axis *x, uint32_t level_count,
                                 const struct errors_axis *y, struct errors_joint *ret_joint);
void errors_joint_add(struct errors_joint *j, const double *value, const double *loss, size_t rows);
/* The same as adding the other's rows; both began with the same axes. */
void errors_joint_merge(struct errors_joint *j, const struct errors_joint *other);
struct status errors_joint_finish(const struct errors_joint *j, struct errors_mutual *ret_mutual);
/* All of these, of rows that are at hand. ret_mutual[feature_count]. */
struct status errors_mutual_of(const struct errors_feature *features, uint32_t feature_count,
                               const double *loss, size_t rows, struct errors_mutual *ret_mutual);
/* ret_order[feature_count]: by corrected value, then p, then plug-in, the most telling first; ties
 * in order. */
void errors_mutual_order(const struct errors_mutual *m, uint32_t feature_count,
                         uint32_t *ret_order);

#endif
