/* permutation_importance: how much worse a metric gets when one feature's values are shuffled among
 * the rows (Breiman 2001, "Random forests", 10; for any model: Fisher, Rudin and Dominici 2019,
 * JMLR 20). Positive: the feature is used. Features that stand in for each other hide each other.
 * The shuffles follow from the rows as a set: parts give each row's hash and value, which merge by
 * sorting, and the rows that are shuffled are asked about where they are. Neither the order of the
 * rows nor how they are split changes a digit. */
#ifndef STEWARD_ASSESS_PERMUTATION_IMPORTANCE_H
#define STEWARD_ASSESS_PERMUTATION_IMPORTANCE_H

#include "assess/black_box.h"
#include "assess/metric.h"
#include "num/interval.h"

#define PERMUTATION_MOST_REPEATS 1000u

struct permutation_rows { /* one part, such as a machine's */
    const double *x;      /* rows * features */
    const double *y;      /* rows */
    size_t rows;
};

struct permutation_input {
    const struct permutation_rows *part;
    size_t parts;
    const struct metric *metric;
    size_t repeats; /* shuffles of each feature, from 2 */
    double level;   /* of the intervals */
    uint64_t seed;
    unsigned threads;
};

struct permutation_importance {
    double mean; /* over repeats; in the metric's units, positive when it got worse */
    double sd;
    /* Student's t over the repeats: what more shuffles would give, these rows taken as given. */
    struct interval interval;
};

/* ret_baseline: the metric of the rows as they are. ret_importance[features]. */
struct status permutation_importance(const struct black_box *box,
                                     const struct permutation_input *in, struct diag *diag,
                                     double *ret_baseline,
                                     struct permutation_importance *ret_importance);

#endif
