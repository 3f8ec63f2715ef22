/* bias_proxy: how well a column, or two together, tell the sensitive group: a proxy lets a model
 * treat groups differently without ever seeing the column.
 *
 * Strength is out of sample: each fold's rows are ranked by the share of the group among the other
 * folds' rows with the same value, so that a column of many rare values does not shine by chance.
 * Whether there is anything at all is a chi-square test in which values too rare for it (expected
 * count under 5, Cochran 1954) are taken together; p-values of many columns are to be adjusted
 * (num/fdr.h). */
#ifndef STEWARD_ASSESS_BIAS_PROXY_H
#define STEWARD_ASSESS_BIAS_PROXY_H

#include "base/status.h"
#include "num/interval.h"

#define PROXY_FOLDS 5u

struct proxy {
    double mutual_information;            /* nats, in sample, not corrected */
    double normalized_mutual_information; /* by the mean of both entropies (scikit-learn's) */
    double uncertainty;                   /* by the group's entropy: the share of it that is told */
    /* Area under the ROC curve of one group against the rest, out of sample, mean over groups by
     * size; 0.5: nothing told. NaN where a fold lacks a group. */
    double auc;
    struct interval auc_ci; /* Hanley and McNeil (Radiology 143, 1982); for several groups the mean
                               of their standard errors, which is at least the mean's */
    double statistic, df, p_value;
    uint32_t pooled; /* values taken together for the test */
};

/* The fold of a row, from its place in an order that is a function of the rows' contents: evenly
 * spread, the same everywhere. */
uint32_t proxy_fold(uint64_t row);
/* Doubles of workspace. */
size_t proxy_workspace(uint32_t cells, uint32_t groups);
/* count[cells * PROXY_FOLDS * groups]. */
void proxy_finish(const uint64_t *count, uint32_t cells, uint32_t groups, double level,
                  double *workspace, struct proxy *ret_proxy);
/* Of two columns: cell = a * b_levels + b. As proxy_finish over all cells, but the test asks
 * whether b tells anything that a does not: chi-square within each value of a, summed. */
void proxy_finish_pair(const uint64_t *count, uint32_t a_levels, uint32_t b_levels, uint32_t groups,
                       double level, double *workspace, struct proxy *ret_proxy);

#endif
