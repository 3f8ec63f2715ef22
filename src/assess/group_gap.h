/* group_gap: a metric's spread over groups, as Fairlearn's MetricFrame aggregates it, with
 * intervals and a p that come from one procedure and so never contradict each other.
 *
 * Between groups: the intervals of all pairs of groups (group_metric.h), at a level at which they
 * hold together (Bonferroni; one pair: as it is). The largest difference is at least the largest of
 * their lower ends and at most the largest of their upper ones; the smallest ratio likewise. p of
 * "all are equal" is 1 less the highest level at which that interval does not hold 0: the smallest
 * of the pairs' p times their number. The ratio's interval holds 1 just when the difference's holds
 * 0. The percentile interval of a bootstrap, which others use, is biased upwards for such extremes:
 * it covers the truth in 0 of 100 cases where all groups are equal.
 *
 * group_min, group_max: the groups' own intervals at the level's root, which are independent.
 * Equalized odds: those of both rates, at the level's square root (they are of different rows).
 *
 * To overall, which the groups are part of: of decisions from the intervals of group_overall.h; of
 * what does not add normal, with the covariance of group and overall; both Bonferroni over the
 * groups (two that are all rows are one comparison; none where of several only one has the metric).
 * Of means and their roots: Poisson bootstrap of the rows (num/poisson_bootstrap.h), value +- the
 * quantile over the replicates of the largest deviation of any group's distance (a sup interval),
 * cut at what the number can be; ratios on the logarithm.
 *
 * All cover at least as often as they say, which the tests simulate. */
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
    double p;           /* of "all groups are equal" */
};

/* The level at which the intervals of all pairs of `groups` hold at `level` together. */
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
/* The metric has an interval to overall only from replicates. */
bool group_gap_bootstraps(enum group_metric m);
/* The groups' tallies in that replicate, and overall's. */
void group_replicates_add(struct group_replicates *r, uint32_t replicate,
                          const struct group_tally *group, const struct group_tally *overall);
/* r may be NULL: analytic intervals only. */
struct status group_gaps_of(const struct group_set *s, const struct group_replicates *r,
                            struct group_gaps *ret_gaps);
/* The ratio, between groups, of the rates of not being selected. */
struct status group_gap_other(const struct group_set *s, struct group_number *ret_ratio);

#endif
