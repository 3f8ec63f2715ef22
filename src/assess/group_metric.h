/* group_metric: the metrics of a group, each a function of its tally (assess/group_tally.h), with
 * its standard error and confidence interval. Names are those of Fairlearn and scikit-learn where
 * they have one. A metric whose denominator is empty is NaN, never 0.
 *
 * Intervals: Wilson for proportions; for F1 Wilson's of tp / (tp + fp + fn), of which it is a
 * monotone function; for balanced figures MOVER (Zou and Donner, Statistics in Medicine 27, 2008)
 * on the intervals of their parts; Student's t for means (none below three rows); the root of the
 * mean's for RMSE; for R2 the delta method on log(1 - R2); for AUC and means over classes normal
 * on the logit, with DeLong's error and that of the delta method (Wilson's of the fewest rows that
 * they can stand for where they are 0 or 1). With weights the
 * number of rows of a proportion is the effective one, p (1 - p) over the linearised variance. */
#ifndef STEWARD_ASSESS_GROUP_METRIC_H
#define STEWARD_ASSESS_GROUP_METRIC_H

#include "assess/group_tally.h"
#include "num/interval.h"

enum group_metric {
    /* of decisions */
    GROUP_SELECTION_RATE,
    GROUP_TPR,
    GROUP_FPR,
    GROUP_TNR,
    GROUP_FNR,
    GROUP_ACCURACY,
    GROUP_ZERO_ONE_LOSS,
    GROUP_BALANCED_ACCURACY,
    GROUP_PRECISION,
    GROUP_RECALL,
    GROUP_F1,
    GROUP_NPV,
    GROUP_FALSE_DISCOVERY_RATE,
    GROUP_FALSE_OMISSION_RATE,
    GROUP_BASE_RATE,
    /* of scores, which are probabilities */
    GROUP_ROC_AUC,
    GROUP_LOG_LOSS,
    GROUP_BALANCED_RMSE,
    /* of several classes */
    GROUP_PRECISION_MACRO,
    GROUP_RECALL_MACRO,
    GROUP_F1_MACRO,
    /* of scores or of a numeric prediction */
    GROUP_MEAN_PREDICTION,
    GROUP_MAE,
    GROUP_MSE,
    GROUP_RMSE,
    GROUP_R2,
    GROUP_OVERPREDICTION,
    GROUP_UNDERPREDICTION,
    GROUP_METRICS
};

enum group_need { GROUP_NEEDS_DECISION, GROUP_NEEDS_SCORE, GROUP_NEEDS_CLASSES, GROUP_NEEDS_VALUE };

struct group_estimate {
    double value, se; /* NaN where there are none */
    double x, n;      /* a proportion is x / n (effective with weights); else NaN */
    struct interval ci;
};

const char *group_metric_word(enum group_metric m); /* "true_positive_rate" */
enum group_need group_metric_need(enum group_metric m);
/* Ratios make sense: never below 0. R2 and mean_prediction are not. */
bool group_metric_has_ratio(enum group_metric m);
/* False for what a sum of tallies does not have: AUC and means over classes. Such metrics have
 * no bootstrap, but a covariance with those of all rows. */
bool group_metric_adds(enum group_metric m);
/* centre: what was taken off label and prediction (struct group_rows). */
double group_metric_value(enum group_metric m, const struct group_tally *t, double centre);
struct group_estimate group_metric_estimate(enum group_metric m, const struct group_tally *t,
                                            double centre, double level);
/* Of a metric that does not add: the covariance of the group's with that of all rows. */
double group_metric_covariance(enum group_metric m, const struct group_tally *t);
/* Of a metric of decisions, not balanced accuracy: the rows (weights) that it divides by. */
double group_metric_denominator(enum group_metric m, const struct group_tally *t);

/* Of independent groups a and b, their intervals at one level. Difference a - b: MOVER, which for
 * proportions is Newcombe's method 10. Ratio a / b: the ratios r for which the interval of a - r b
 * holds 0 (Donner and Zou, Statistical Methods in Medical Research 21, 2012), so that it holds 1
 * just when that of the difference holds 0. */
struct group_contrast {
    double difference, ratio; /* ratio NaN where b = 0 or the metric has none */
    struct interval difference_ci, ratio_ci;
};
struct group_contrast group_contrast_of(enum group_metric m, const struct group_estimate *a,
                                        const struct group_estimate *b);
/* The interval of the difference does not hold 0. */
bool group_differ(const struct group_estimate *a, const struct group_estimate *b);
/* p of a = b that says what the interval says: 1 less the highest level at which the difference's
 * does not hold 0. Not below 1.2e-15; NaN where one has no interval. */
#define GROUP_Z_MAX 8.0
#define GROUP_P_STEPS 44
double group_contrast_p(enum group_metric m, const struct group_tally *a,
                        const struct group_tally *b, double centre);
/* Two sums of independent estimates with intervals: MOVER. Also for what is not a group metric. */
struct interval group_mover(double a, struct interval a_ci, double b, struct interval b_ci);

#endif
