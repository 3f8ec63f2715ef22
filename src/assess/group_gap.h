/* group_gap: a metric's spread over groups, as Fairlearn's MetricFrame aggregates it, with honest
 * intervals.
 *
 * Between exactly two groups the difference and the ratio have the analytic intervals of
 * group_metric.h. Anything that is an extreme over groups (a largest difference of many, a distance
 * to overall, a minimum, equalized odds) is biased upwards, and so are its bootstrap replicates:
 * the percentile interval, which others use, covers the truth in 0 of 100 cases where all groups
 * are equal. Here the interval is the value +- the quantile of the largest deviation of any group
 * in the replicates (a sup interval: |max f - max g| <= max |f - g|), cut at what the number can
 * be; it covers at least as often as it says, which the tests simulate. Ratios: the same on the
 * logarithm, proportions with 0.5 added on both sides.
 *
 * Bootstrap: Poisson (num/poisson_bootstrap.h). From counts, the replicates of a group's four
 * outcomes are drawn per cell; where rows' own values enter, per row. */
#ifndef STEWARD_ASSESS_GROUP_GAP_H
#define STEWARD_ASSESS_GROUP_GAP_H

#include "assess/group_metric.h"

enum group_spread {
    SPREAD_DIFFERENCE,            /* max - min */
    SPREAD_RATIO,                 /* min / max */
    SPREAD_DIFFERENCE_TO_OVERALL, /* largest |group - overall| */
    SPREAD_RATIO_TO_OVERALL,      /* smallest of group / overall and overall / group */
    SPREAD_MIN,
    SPREAD_MAX,
    GROUP_SPREADS
};

enum group_how { GROUP_NO_INTERVAL, GROUP_ANALYTIC, GROUP_BOOTSTRAP };

struct group_number {
    double value; /* NaN where it does not exist */
    struct interval ci;
    enum group_how how;
};

struct group_gap {
    struct group_number spread[GROUP_SPREADS];
    uint32_t high, low; /* indices of groups; meaningful where groups > 0 */
    uint32_t groups;    /* that have the metric */
    uint32_t undefined; /* that do not */
    /* p of "the two are equal", times the number of pairs that they were chosen from, at most 1. */
    double p;
};

/* The level of an interval of two groups that are chosen among `groups`, so that those of all pairs
 * hold at `level` together (Bonferroni). */
double group_gap_level(double level, uint32_t groups);

/* Equalized odds as one number: worst: of the TPR's and the FPR's spread the worse; mean: the mean
 * of both (Fairlearn's agg). Methods between groups and to overall. Where one of the two rates
 * exists in no group, the other decides alone. */
struct group_odds {
    struct group_number difference_worst, difference_mean, ratio_worst, ratio_mean;
};

struct group_gaps {
    struct group_gap gap[GROUP_METRICS];
    struct group_odds odds, odds_to_overall;
    uint32_t replicates;
};

/* The groups that are compared, and the metrics (bit m of `metrics`). */
struct group_set {
    uint32_t groups;
    const struct group_tally *group;
    const struct group_tally *overall; /* of all rows, also those in no compared group */
    uint32_t metrics;
    double centre, level;
};

/* What the replicates told: threads may add different replicates at once. */
struct group_replicates;
struct status group_replicates_new(const struct group_set *s, uint32_t replicates,
                                   struct group_replicates **ret_replicates);
void group_replicates_free(struct group_replicates *r);
DEFINE_FREEP(group_replicates_free, struct group_replicates)
/* The groups' tallies in that replicate, and overall's. AUC takes no part. */
void group_replicates_add(struct group_replicates *r, uint32_t replicate,
                          const struct group_tally *group, const struct group_tally *overall);
/* Draws all replicates from the counts alone; `stream` tells sets apart that must be independent.
 * `others`: the rows of overall that are in no compared group. */
struct status group_replicates_draw(struct group_replicates *r, uint64_t seed, uint64_t stream,
                                    unsigned threads);

/* r may be NULL: analytic intervals only. */
struct status group_gaps_of(const struct group_set *s, struct group_replicates *r,
                            struct group_gaps *ret_gaps);

#endif
