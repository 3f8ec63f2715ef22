/* errors_histogram: what the splits of an error tree are picked from: of one feature, in each open
 * node and for each of its values, how many rows there are and how much loss they have. A bin is a
 * distinct value, so that every split is tried; which bin a value has is known once the values of
 * all rows are counted (num/counted.h). All in whole numbers: loss as multiples of a unit that
 * follows from the largest and the number of rows. So neither the order of the rows nor how they
 * are split over blocks, threads or machines changes a split. */
#ifndef STEWARD_ASSESS_ERRORS_HISTOGRAM_H
#define STEWARD_ASSESS_ERRORS_HISTOGRAM_H

#include "assess/errors.h"

#define ERRORS_GAIN_MIN 1e-12 /* of Gini impurity; less is rounding */

/* Of all rows; zeroed: of none. */
struct errors_losses {
    struct sum sum;
    double most;
    uint64_t rows, other; /* losses other than 0 and 1 */
};

/* STATUS_INPUT for a loss that is not finite or below zero. */
struct status errors_losses_add(struct errors_losses *l, const double *loss, size_t rows);
void errors_losses_merge(struct errors_losses *l, const struct errors_losses *other);
/* ret_whole[rows]: in units; the sum of all rows is below 2^62. Returns the unit as a share of the
 * largest loss. */
double errors_losses_whole(const struct errors_losses *all, const double *loss, size_t rows,
                           int64_t *ret_whole);

/* ret_code[rows]: places in values->at, or values->n when missing. values: of all rows, settled.
 * STATUS_MEMORY. */
struct status errors_codes(const struct counted *values, const double *x, size_t rows,
                           uint32_t *ret_code);

struct errors_tally {
    uint64_t rows;
    int64_t loss;
};

struct errors_histogram {
    uint32_t first, nodes;     /* open nodes first .. first + nodes - 1 */
    uint32_t bins;             /* of the feature, and one for missing values */
    struct errors_tally *cell; /* [node * (bins + 1) + bin] */
};

void errors_histogram_done(struct errors_histogram *h);
struct status errors_histogram_begin(uint32_t first, uint32_t nodes, uint32_t bins,
                                     struct errors_histogram *ret_histogram);
/* node[rows]: those of other nodes have no part. */
void errors_histogram_add(struct errors_histogram *h, const uint32_t *code, const uint16_t *node,
                          const int64_t *whole, size_t rows);
void errors_histogram_merge(struct errors_histogram *h, const struct errors_histogram *other);

struct errors_split {
    double gain; /* of Gini impurity, in the node; 0: none */
    uint32_t feature;
    uint32_t low, high; /* numeric: the threshold lies between these bins */
    int32_t category;   /* -1: numeric */
    bool missing_left;
};

/* best[nodes]: replaced where the feature has a better split with min_rows on both sides. unit: of
 * errors_losses_whole. */
void errors_histogram_finish(const struct errors_histogram *h, uint32_t feature, bool category,
                             uint64_t min_rows, double unit, struct errors_split *best);

#endif
