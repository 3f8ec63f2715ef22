/* facet: the post-training bias metrics of SageMaker Clarify, of a facet d (a group) against the
 * others a, with intervals. Definitions are those of smclarify 0.5, but what does not
 * exist is NaN, where smclarify takes 0/0 for 0 and x/0 for infinity.
 *
 * Intervals: MOVER for differences (Newcombe's for proportions), for DI that of a ratio
 * (group_metric.h); ratios of counts (DCAcc, DCR, TE) on the logarithm with the delta method's
 * variance, then MOVER. */
#ifndef STEWARD_ASSESS_FACET_H
#define STEWARD_ASSESS_FACET_H

#include "assess/group_metric.h"

enum facet_metric {
    FACET_DPPL,  /* difference in positive proportions in predicted labels: q_a - q_d */
    FACET_DI,    /* disparate impact: q_d / q_a */
    FACET_DCACC, /* difference in conditional acceptance: c_a - c_d, c = positives / predicted */
    FACET_DCR,   /* difference in conditional rejection: r_d - r_a, r = negatives / predicted */
    FACET_DAR,   /* difference in acceptance rates: precision_a - precision_d */
    FACET_DRR,   /* difference in rejection rates: NPV_d - NPV_a */
    FACET_RD,    /* recall difference: TPR_a - TPR_d */
    FACET_SD,    /* specificity difference: TNR_d - TNR_a */
    FACET_AD,    /* accuracy difference: accuracy_a - accuracy_d */
    FACET_TE,    /* treatment equality: FN/FP of d - FN/FP of a */
    FACET_METRICS
};

struct facet_number {
    double value;
    struct interval ci;
};

/* What DCAcc, DCR and TE are differences of, for each group. */
enum facet_quotient {
    FACET_CONDITIONAL_ACCEPTANCE, /* (TP + FN) / (TP + FP) */
    FACET_CONDITIONAL_REJECTION,  /* (TN + FP) / (TN + FN) */
    FACET_TREATMENT,              /* FN / FP */
    FACET_QUOTIENTS
};

const char *facet_quotient_word(enum facet_quotient q); /* "conditional_acceptance" */
/* NaN where its lower count is 0. */
struct facet_number facet_quotient(const struct group_tally *t, enum facet_quotient q,
                                   double level);
/* The counts themselves. */
void facet_quotient_counts(const struct group_tally *t, enum facet_quotient q, double *ret_over,
                           double *ret_under);

const char *facet_metric_word(enum facet_metric m); /* "DPPL", as in Clarify's analysis.json */
void facet_compare(const struct group_tally *d, const struct group_tally *a, double level,
                   struct facet_number ret_numbers[static FACET_METRICS]);

/* A stratum of CDDPL: rows of the facet and of all, by decision. */
struct facet_stratum {
    double d_rejected, d_accepted, rejected, accepted;
};
/* Conditional demographic disparity of predicted labels: the mean over strata, weighted by their
 * rows, of the facet's share of the rejected less its share of the accepted. A stratum in which
 * nobody is rejected, or nobody accepted, has 0 for that share, as smclarify has it; *ret_one_sided
 * counts them. Interval: binomial variances, normal. NaN where no row is accepted or none rejected.
 */
struct facet_number facet_cddpl(const struct facet_stratum *strata, size_t n, double level,
                                size_t *ret_one_sided);
/* Generalised entropy index with alpha = 2 of the benefits 1 + prediction - label (Speicher et al.,
 * KDD 2018), of all rows; delta method. NaN where every benefit is 0. */
struct facet_number facet_entropy(const struct group_tally *all, double level);

#endif
