/* group_tally: what is kept of a group of rows, from which every group metric follows: the four
 * decision counts and, where there are scores or a numeric outcome, sums of powers. Tallies add, so
 * groups merge into larger ones.
 *
 * With weights each sum is kept a second time with the weights' squares: the sampling variance of a
 * weighted mean is that of its linearisation (Horvitz and Thompson; Särndal, Swensson and Wretman
 * 1992, section 5.6), for weights that are inverse sampling probabilities of independent rows. */
#ifndef STEWARD_ASSESS_GROUP_TALLY_H
#define STEWARD_ASSESS_GROUP_TALLY_H

#include "assess/group_count.h"

enum group_outcome { GROUP_TP, GROUP_FP, GROUP_TN, GROUP_FN, GROUP_OUTCOMES };

/* Means over classes. */
enum group_macro { MACRO_PRECISION, MACRO_RECALL, MACRO_F1, GROUP_MACROS };

/* Sums over rows with label y, prediction p (both less a common centre), error e = p - y, and
 * log loss l. */
enum group_moment {
    MOMENT_1,
    MOMENT_P,
    MOMENT_PP,
    MOMENT_ABS,   /* |e| */
    MOMENT_OVER,  /* max(e, 0) */
    MOMENT_OVER2, /* its square */
    MOMENT_E2,
    MOMENT_E4,
    MOMENT_Y,
    MOMENT_Y2,
    MOMENT_Y3,
    MOMENT_Y4,
    MOMENT_E2Y,
    MOMENT_E2Y2,
    MOMENT_E4Y,
    MOMENT_L,
    MOMENT_L2,
    GROUP_MOMENTS
};

struct group_tally {
    uint64_t rows;
    double count[GROUP_OUTCOMES], count2[GROUP_OUTCOMES]; /* weights, and their squares */
    double moment[GROUP_MOMENTS], moment2[GROUP_MOMENTS];
    /* Of the group alone, so that they do not add; NaN where they do not exist. _cov: covariance
     * with the figure of all rows; _n: rows that a proportion would have had at least. */
    double auc, auc_se, auc_cov, auc_n;
    double macro[GROUP_MACROS], macro_se[GROUP_MACROS], macro_cov[GROUP_MACROS],
        macro_n[GROUP_MACROS]; /* assess/group_macro.h */
};

void group_tally_add(struct group_tally *to, const struct group_tally *other);
/* The rows of `all` that are not in `part`, rounding below 0 taken as 0. */
struct group_tally group_tally_less(const struct group_tally *all, const struct group_tally *part);
/* What does not add is NaN. */
void group_tally_forget(struct group_tally *t);
/* From a cell's slots of group_count; rows without label or decision are not in it. */
struct group_tally group_tally_of_slots(const uint64_t slots[static GROUP_SLOTS]);

/* Rows for the tallies that counts alone do not give. y and decision, or value and prediction, or
 * y, decision and prediction (a score). */
struct group_rows {
    size_t rows;
    const uint8_t *y, *decision; /* 0, 1, else missing; NULL: numeric outcome */
    const double *value;         /* numeric outcome; NULL: y. NaN: missing */
    const double *prediction;    /* NULL: decisions alone. NaN: missing */
    const double *weight;        /* > 0, or 0: not counted; NULL: 1 each */
    const uint32_t *cell;        /* of each row */
    double centre;               /* taken off value and prediction; 0 with y */
};

/* ret_order[rows]: the rows by prediction, then value, weight, cell and outcome: a function of the
 * rows as a set, since rows that are equal in all of these may change places. Whatever is done in
 * this order, a bootstrap too, gives the same digits for any order of the file. STATUS_MEMORY. */
struct status group_rows_order(const struct group_rows *r, uint32_t *ret_order);
/* A copy of the rows in that order, ended by group_rows_done. STATUS_MEMORY. */
struct status group_rows_sorted(const struct group_rows *r, const uint32_t *order,
                                struct group_rows *ret_sorted);
void group_rows_done(struct group_rows *sorted);
/* Adds rows [first, first + n) to tally[cells], in plain doubles: the oracle. Rows with anything
 * missing are left out. */
void group_tally_rows(const struct group_rows *r, size_t first, size_t n,
                      struct group_tally *tally);

/* The same from blocks of rows that merge: two states merged are, to the bit, the state of their
 * rows together, in any order. The ranges of the cells, from all rows, come first. Each number is
 * then split into two parts that are whole multiples of powers of two, so small that little is lost
 * and so large that a double holds every sum of them exactly (Demmel and Nguyen, "Parallel
 * reproducible summation", IEEE Transactions on Computers 64, 2015). In a cell of n < 2^k rows a
 * part has 52 - k bits; what is lost of a number is at most 2^(2k - 104) of the bound on the cell's
 * largest. Zeroed: of no row. */
struct group_range {
    uint64_t rows;
    double label, prediction, error, weight; /* largest sizes, of the finite ones in columns */
};
/* To range[cells]. */
void group_range_add(struct group_range *range, const struct group_rows *r, size_t first, size_t n);
void group_range_merge(struct group_range *g, const struct group_range *other); /* of one cell */

#define GROUP_POWERS (GROUP_MOMENTS - 1) /* moments but MOMENT_1, which the counts add up to */
struct group_parts {
    double count[GROUP_OUTCOMES], moment[GROUP_POWERS];
};
struct group_sum {
    struct group_parts high, low;
};
struct group_sums {
    uint32_t cells, kinds;   /* 1: weights are all 1 */
    bool labels, scores;     /* y; predictions */
    uint64_t *rows;          /* cells */
    struct group_sum *sum;   /* cells * kinds: by weights, and by their squares */
    struct group_sum *magic; /* the same: what splits the numbers */
};
/* range[cells]: the same for all that will be merged; like: which columns the rows have.
 * STATUS_MEMORY. */
struct status group_sums_begin(const struct group_range *range, const struct group_rows *like,
                               uint32_t cells, struct group_sums *ret_sums);
void group_sums_add(struct group_sums *s, const struct group_rows *r, size_t first, size_t n);
void group_sums_merge(struct group_sums *s, const struct group_sums *other);
/* Adds to tally[cells]. */
void group_sums_finish(const struct group_sums *s, struct group_tally *tally);
void group_sums_done(struct group_sums *s);

/* What group_metric_value needs (so not the sums with squared weights) of all rows with the weights
 * of Poisson replicates first .. first + n - 1 of a seed (num/poisson_bootstrap.h). A row's weight
 * follows from its number, which the caller gives: its place among all rows, wherever it lies. Each
 * of a row's own numbers is rounded once, to so few digits that every sum of them is exact: blocks
 * merge to the bit. In a cell of n < 2^k rows that is 48 - k bits of the cell's largest, whose
 * share in the replicates' spread is larger by far. Then a replicate costs a hash and 13 additions
 * a row.
 */
struct group_draws {
    uint64_t seed;
    uint32_t first, n, cells;
    bool labels, scores;
    double *grid; /* of each cell: what rounds the numbers */
    double *sum;  /* of each replicate and cell */
};
/* STATUS_MEMORY. */
struct status group_draws_begin(const struct group_range *range, const struct group_rows *like,
                                uint32_t cells, uint64_t seed, uint32_t first, uint32_t n,
                                struct group_draws *ret_draws);
/* Rows [at, at + n), of which the first has that number among all rows. */
void group_draws_add(struct group_draws *d, const struct group_rows *r, size_t at, size_t n,
                     uint64_t number);
void group_draws_merge(struct group_draws *d, const struct group_draws *other);
/* Adds to tally[d->n * cells]; rows is only over 0 where there are any. */
void group_draws_finish(const struct group_draws *d, struct group_tally *tally);
void group_draws_done(struct group_draws *d);

/* All rows, on at most `threads` threads with GROUP_BLOCK rows or more each. STATUS_MEMORY. */
#define GROUP_BLOCK ((size_t)1 << 16)
struct status group_tally_all(const struct group_rows *r, uint32_t cells, unsigned threads,
                              struct group_tally *ret_tally);

#endif
