/* ale: accumulated local effects of first order (Apley and Zhu 2020, JRSS-B 82, arXiv 1612.08468).
 * Numeric: bins between quantiles of type 1, so that every edge is a value that occurs and every
 * bin holds rows; each row is asked about at its own bin's two edges only, nothing outside the
 * data. Categories: between neighbours in a given order, rows of either level are asked about at
 * both. The effect is centred: its mean over the rows is nothing. */
#ifndef STEWARD_ASSESS_ALE_H
#define STEWARD_ASSESS_ALE_H

#include "assess/black_box.h"

struct ale_input {
    const struct black_box_rows *part; /* parts: nothing passes between them but what merges */
    size_t parts;
    size_t feature;
    size_t bins;         /* numeric: at most, from 1 */
    const size_t *order; /* category: its levels (values of x) in order; NULL: numeric */
    size_t levels;
    unsigned threads;
};

struct ale {
    size_t points;   /* numeric: edges, bins + 1; category: levels that occur; one: no effect */
    size_t rows;     /* with a value, in the order's levels */
    size_t missing;  /* rows left out: no value */
    double *at;      /* points: edges, or levels */
    uint64_t *count; /* numeric: of the bin that ends at the point (0 for the first); category: of
                        the level */
    double *effect;  /* outputs * points */
    double *error;   /* outputs * points: standard error, bins and counts taken as given */
};

void ale_done(struct ale *a);
struct status ale_feature(const struct black_box *box, const struct ale_input *in,
                          struct diag *diag, struct ale *ret_ale);
/* An order in which neighbours are alike in the other features: the levels on one line by classical
 * scaling of their distances, each the sum over the other features of the Kolmogorov-Smirnov
 * distance (Apley and Zhu, appendix; categories: total variation). level_count[features], 0:
 * numeric. ret_order[levels of the feature]; levels that do not occur come last. However the rows
 * are split and ordered, the same. STATUS_MEMORY. */
struct status ale_order(const struct black_box_rows *part, size_t parts, size_t features,
                        size_t feature, const uint32_t *level_count, size_t *ret_order);

#endif
