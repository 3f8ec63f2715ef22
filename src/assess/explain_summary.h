/* explain_summary: what the attributions of many rows come to, without keeping the rows: sizes by
 * feature for all rows and for cohorts, dependence of attributions on values in bins, sizes of
 * pairs. Sums are num/sum's: neither the order of the rows nor a split of them changes a digit. */
#ifndef STEWARD_ASSESS_EXPLAIN_SUMMARY_H
#define STEWARD_ASSESS_EXPLAIN_SUMMARY_H

#include "assess/bins.h"
#include "base/status.h"
#include "num/sum.h"

#define EXPLAIN_BINS 20u
#define EXPLAIN_MISSING EXPLAIN_BINS     /* the bin of rows without a value */
#define EXPLAIN_SUMMARY_CELLS (1u << 21) /* outputs * features * (EXPLAIN_BINS + 1), at most */
#define EXPLAIN_SUMMARY_PAIRS (1u << 22) /* outputs * features^2, at most */

struct explain_bin { /* attributions of rows whose value lies in a bin */
    uint64_t rows;
    struct sum sum, squares;
    double least, most;
};

struct explain_group { /* sums over its rows: [outputs * features] */
    uint64_t rows;
    struct sum *absolute, *with_sign;
};

struct explain_summary {
    uint32_t outputs, features;
    uint32_t cohorts;
    struct explain_group *group; /* all rows, then each cohort */
    const struct bins *bins;     /* features, borrowed; NULL: no dependence */
    struct explain_bin *bin;     /* [outputs * features][EXPLAIN_BINS + 1] */
    struct sum *pairs;           /* sums of |both halves|, [outputs][features * features], i < j */
};

/* bins: of EXPLAIN_BINS at most. STATUS_LIMIT past the cells or pairs that are allowed. */
struct status explain_summary_new(uint32_t outputs, uint32_t features, uint32_t cohorts,
                                  const struct bins *bins, bool pairs,
                                  struct explain_summary **ret_summary);
void explain_summary_free(struct explain_summary *s);
DEFINE_FREEP(explain_summary_free, struct explain_summary)
/* x[rows * features], phi[rows * outputs * features]; cohort[k][i] != 0: row i is of cohort k. */
void explain_summary_add(struct explain_summary *s, const float *x, const double *phi,
                         const uint8_t *const *cohort, size_t rows);
/* pairs: as of explainer_pairs. */
void explain_summary_add_pairs(struct explain_summary *s, const double *pairs, size_t rows);
/* The same as adding the other's rows; it is of the same shape, with the same bins. */
void explain_summary_merge(struct explain_summary *s, const struct explain_summary *other);

#endif
