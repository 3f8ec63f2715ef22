/* bias: what is uneven in the data, before any model. All functions of whole-number cross tables
 * (num/cross.h), which blocks of rows merge exactly; arrays in, numbers out.
 *
 * A facet is one group d of a sensitive column against all the others, a. Names and signs follow
 * SageMaker Clarify's pre-training metrics; logarithms are natural. Definitions are the textbook's:
 * a class that only one side has counts (Clarify drops it, which can make its divergences negative
 * and halves its distances).
 *
 * Every sampling interval that no formula gives is a percentile interval of the Poisson bootstrap
 * of the cells, which for a function of counts is the bootstrap of the rows. */
#ifndef STEWARD_ASSESS_BIAS_H
#define STEWARD_ASSESS_BIAS_H

#include "base/status.h"
#include "num/interval.h"

enum bias_metric {
    BIAS_CI,   /* class imbalance (n_a - n_d) / n; Wilson on n_d / n */
    BIAS_DPL,  /* difference in positive proportions q_a - q_d; Newcombe */
    BIAS_KL,   /* sum over classes of P_a ln(P_a / P_d); infinite where d lacks a class of a */
    BIAS_JS,   /* Jensen-Shannon divergence, at most ln 2 */
    BIAS_LP,   /* Euclidean distance of the class shares */
    BIAS_TVD,  /* half the sum of |P_a - P_d| */
    BIAS_KS,   /* the greatest |P_a - P_d| */
    BIAS_CDDL, /* sum of n_i DD_i / n over strata; DD_i: d's share of the negatives minus its share
                  of the positives, a share of none being 0 */
    BIAS_METRICS
};

struct bias_value {
    double value;       /* NaN: undefined */
    struct interval ci; /* NaN ends: none */
};

struct bias_options {
    double level;        /* of the intervals, 0.95 */
    uint32_t replicates; /* of the bootstrap; 0: no such intervals */
    uint64_t seed;
};

struct bias_facet {
    uint64_t n_a, n_d, positive_a, positive_d;
    struct bias_value metric[BIAS_METRICS];
    double p_value; /* Pearson's chi-square of facet and outcome, 1 df; NaN when one is constant */
    double least_expected; /* count under independence; below 5 the p-value is doubtful */
};

const char *bias_metric_word(enum bias_metric m); /* "CI", "DPL", ... */
const char *
bias_metric_title(enum bias_metric m); /* "Class Imbalance (CI)": Clarify's description */
/* What all facets of a factor share. count[strata * groups * 2]: rows by stratum, group and outcome
 * (0 negative, 1 positive), the caller's. One stratum gives CDDL over the whole. */
struct bias_facets {
    const uint64_t *count;
    uint32_t strata, groups;
    struct bias_options o;
    uint64_t *total; /* strata * 2: over the groups */
    double *values;  /* groups * 3 * replicates: KL, JS and CDDL of each replicate */
};
/* Draws the replicates of all groups at once: one count for each cell that has rows. Time goes with
 * replicates times such cells. STATUS_MEMORY. */
struct status bias_facets_init(const uint64_t *count, uint32_t strata, uint32_t groups,
                               const struct bias_options *o, struct bias_facets *ret_facets);
void bias_facets_done(struct bias_facets *f);
/* Cells that have rows: what a replicate draws. */
size_t bias_facets_drawn(const uint64_t *count, uint32_t strata, uint32_t groups);
/* The group d, once: its replicates are sorted. ret_cells[strata * 4]: a negative, a positive, d
 * negative, d positive of each stratum. */
void bias_facet_finish(const struct bias_facets *facets, uint32_t d, uint64_t *ret_cells,
                       struct bias_facet *ret_facet);
/* The five divergences of two distributions over any number of classes; n[classes] counts. Indexed
 * by enum bias_metric, the others NaN. */
void bias_divergences(const uint64_t *a, const uint64_t *d, uint32_t classes,
                      double ret_value[static BIAS_METRICS]);

/* ---- label bias given a column ---- */

struct bias_adjusted {
    uint32_t strata;    /* with rows of both sides */
    uint64_t left_out;  /* rows in strata that have one side only: they compare nothing */
    double crude;       /* q_a - q_d over all rows */
    double difference;  /* Mantel-Haenszel risk difference, a minus d */
    struct interval ci; /* Greenland and Robins (Biometrics 41, 1985) */
    double statistic;   /* Cochran-Mantel-Haenszel, no correction, 1 df */
    double p_value;
    bool reversed; /* crude and adjusted have opposite signs (Simpson's paradox) */
};

/* cells[strata * 4]: of bias_facet_finish. */
void bias_adjust(const uint64_t *cells, uint32_t strata, double level,
                 struct bias_adjusted *ret_adjusted);

/* ---- balance of a group with the outcome ---- */

struct bias_balance { /* of the events "in the group" and "positive" */
    double positive_rate;
    struct interval positive_rate_ci;    /* Wilson */
    double pointwise_mutual_information; /* ln P(g,y) / (P(g) P(y)); -inf where none is positive */
    double sorensen_dice;                /* 2 P(g,y) / (P(g) + P(y)) */
    double jaccard;                      /* P(g,y) / P(g or y) */
    double kendall_tau_b;                /* of two 0/1 variables: the phi coefficient */
    double log_likelihood_ratio;         /* ln P(g | y = 1) / P(g | y = 0) */
};

/* count[groups * 2] by group and outcome. NaN where undefined. */
void bias_balance_of(const uint64_t *count, uint32_t groups, uint32_t g, double level,
                     struct bias_balance *ret_balance);

struct bias_pair {             /* group a against group b */
    double statistical_parity; /* rate of a minus rate of b */
    struct interval ci;        /* Newcombe */
    double t, df, p_value;     /* Welch's t-test of the 0/1 outcome; NaN without variance */
};

void bias_pair_of(uint64_t n_a, uint64_t positive_a, uint64_t n_b, uint64_t positive_b,
                  double level, struct bias_pair *ret_pair);

/* ---- balance of a distribution ---- */

enum bias_distance {
    BIAS_CROSS_ENTROPY, /* -sum of p ln q */
    BIAS_KL_DIVERGENCE, /* sum of p ln p/q */
    BIAS_JS_DISTANCE,   /* root of the Jensen-Shannon divergence */
    BIAS_WASSERSTEIN,   /* ordered: sum of |P - Q| of the cumulative shares; else total variation */
    BIAS_INFINITE_NORM,
    BIAS_TOTAL_VARIATION,
    BIAS_DISTANCES
};

struct bias_distribution {
    struct bias_value distance[BIAS_DISTANCES];
    double chi_square, df, p_value; /* goodness of fit; infinite and 0 where q is 0 and p is not */
    double least_expected;
};

const char *bias_distance_word(enum bias_distance d); /* "cross_entropy", ... */
/* count[k] observed; reference[k] shares that sum to 1. values[BIAS_DISTANCES * replicates] and
 * draw[k]: workspace. */
void bias_distribution_of(const uint64_t *count, const double *reference, uint32_t k, bool ordered,
                          const struct bias_options *o, uint64_t *draw, double *values,
                          struct bias_distribution *ret_distribution);

/* ---- balance as one number ---- */

struct bias_aggregate { /* 0 when all k cells have the same count */
    double atkinson;    /* epsilon 1: 1 - geometric mean / mean */
    double theil_l;     /* mean of ln(mean / x) */
    double theil_t;     /* mean of x/mean ln(x / mean) */
};

/* all: empty cells count too (Atkinson 1, Theil L infinite when there is one); otherwise they are
 * left out, as Microsoft does. No rows: NaN. */
void bias_aggregate_of(const uint64_t *count, size_t k, bool all,
                       struct bias_aggregate *ret_aggregate);

#endif
