/* fairness: group metrics over sensitive attributes and their intersections, with intervals. Binary
 * decisions. Arrays in, numbers out. Counts are integers, so blocks of rows merge exactly
 * (fairness_accumulate adds). Definitions follow Fairlearn's MetricFrame: difference = max - min
 * over groups, ratio = min / max; equalized odds = the worse of TPR and FPR (difference: larger;
 * ratio: smaller). Groups with no rows are not groups; a rate with an empty denominator is NaN and
 * left out of the aggregates, which count how many were left out. */
#ifndef STEWARD_ASSESS_FAIRNESS_H
#define STEWARD_ASSESS_FAIRNESS_H

#include "base/status.h"
#include "num/interval.h"

struct confusion {
    uint64_t tp, fp, tn, fn;
};

enum fairness_metric {
    FAIRNESS_SELECTION_RATE, /* P(decision = 1) */
    FAIRNESS_TPR,
    FAIRNESS_FPR,
    FAIRNESS_TNR,
    FAIRNESS_FNR,
    FAIRNESS_PRECISION,
    FAIRNESS_ACCURACY,
    FAIRNESS_METRICS
};

struct rate {
    double value;       /* NaN when n = 0 */
    uint64_t x, n;      /* value = x / n */
    struct interval ci; /* Wilson */
};

struct fairness_group {
    uint32_t level; /* index of the group (or intersection cell) */
    struct confusion counts;
    uint64_t n;
    uint64_t positives; /* label = 1 */
    struct rate metric[FAIRNESS_METRICS];
};

struct fairness_gap {              /* one metric between the groups */
    double difference;             /* max - min */
    double ratio;                  /* min / max; NaN when max = 0 */
    uint32_t high, low;            /* indices into groups: where the max and the min are */
    struct interval difference_ci; /* Newcombe for high - low; NaN with fewer than two groups */
    struct interval ratio_ci;      /* of p_low / p_high, Katz log; the same */
    uint32_t undefined;            /* groups left out because the rate has no denominator */
};

struct fairness_result {
    uint32_t groups;              /* groups with rows */
    struct fairness_group *group; /* caller's array, as many as levels */
    struct fairness_group overall;
    struct fairness_gap gap[FAIRNESS_METRICS];
    double demographic_parity_difference, demographic_parity_ratio;
    double equalized_odds_difference, equalized_odds_ratio;
    uint64_t dropped; /* rows with a missing group or label */
};

const char *fairness_metric_word(enum fairness_metric m); /* "selection_rate", "tpr", ... */
/* counts[levels] is added to. y, decision: 0 or 1 (other values: dropped). group[row]: 0..levels-1,
 * or -1: dropped. Returns the number dropped. */
uint64_t fairness_accumulate(const uint8_t *y, const uint8_t *decision, const int32_t *group,
                             size_t rows, uint32_t levels, struct confusion *counts);
/* ret_group: levels entries that ret_result will point to. */
void fairness_finish(const struct confusion *counts, uint32_t levels, uint64_t dropped,
                     double level, struct fairness_group *ret_group,
                     struct fairness_result *ret_result);
/* Cell index for the intersection of columns: a[row] * b_levels + b[row]; -1 when either is. */
void fairness_cross(const int32_t *a, const int32_t *b, uint32_t b_levels, size_t rows,
                    int32_t *ret_cell);

#endif
