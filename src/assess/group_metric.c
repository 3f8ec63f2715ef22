#include "assess/group_metric.h"

#include "num/normal.h"
#include "num/student.h"

#include <math.h>

enum {
    TP = 1 << GROUP_TP,
    FP = 1 << GROUP_FP,
    TN = 1 << GROUP_TN,
    FN = 1 << GROUP_FN,
    ALL = TP | FP | TN | FN
};

enum shape { RATE, MEAN, OTHER };

static const struct {
    const char *word;
    enum group_need need;
    enum shape shape;
    unsigned over, under;            /* RATE: numerator within denominator, sets of outcomes */
    enum group_moment first, second; /* MEAN: x and its square */
    bool signed_value;
} metrics[GROUP_METRICS] = {
    [GROUP_SELECTION_RATE] = {"selection_rate", .shape = RATE, .over = TP | FP, .under = ALL},
    [GROUP_TPR] = {"true_positive_rate", .over = TP, .under = TP | FN},
    [GROUP_FPR] = {"false_positive_rate", .over = FP, .under = FP | TN},
    [GROUP_TNR] = {"true_negative_rate", .over = TN, .under = FP | TN},
    [GROUP_FNR] = {"false_negative_rate", .over = FN, .under = TP | FN},
    [GROUP_ACCURACY] = {"accuracy_score", .over = TP | TN, .under = ALL},
    [GROUP_ZERO_ONE_LOSS] = {"zero_one_loss", .over = FP | FN, .under = ALL},
    [GROUP_BALANCED_ACCURACY] = {"balanced_accuracy_score", .shape = OTHER},
    [GROUP_PRECISION] = {"precision_score", .over = TP, .under = TP | FP},
    [GROUP_RECALL] = {"recall_score", .over = TP, .under = TP | FN},
    [GROUP_F1] = {"f1_score", .shape = OTHER},
    [GROUP_NPV] = {"negative_predictive_value", .over = TN, .under = TN | FN},
    [GROUP_FALSE_DISCOVERY_RATE] = {"false_discovery_rate", .over = FP, .under = TP | FP},
    [GROUP_FALSE_OMISSION_RATE] = {"false_omission_rate", .over = FN, .under = TN | FN},
    [GROUP_BASE_RATE] = {"base_rate", .over = TP | FN, .under = ALL},
    [GROUP_ROC_AUC] = {"roc_auc_score", GROUP_NEEDS_SCORE, OTHER},
    [GROUP_LOG_LOSS] = {"log_loss", GROUP_NEEDS_SCORE, MEAN, .first = MOMENT_L,
                        .second = MOMENT_L2},
    [GROUP_BALANCED_RMSE] = {"balanced_root_mean_squared_error", GROUP_NEEDS_SCORE, OTHER},
    [GROUP_PRECISION_MACRO] = {"precision_macro", GROUP_NEEDS_CLASSES, OTHER},
    [GROUP_RECALL_MACRO] = {"recall_macro", GROUP_NEEDS_CLASSES, OTHER},
    [GROUP_F1_MACRO] = {"f1_macro", GROUP_NEEDS_CLASSES, OTHER},
    [GROUP_MEAN_PREDICTION] = {"mean_prediction", GROUP_NEEDS_VALUE, MEAN, .first = MOMENT_P,
                               .second = MOMENT_PP, .signed_value = true},
    [GROUP_MAE] = {"mean_absolute_error", GROUP_NEEDS_VALUE, MEAN, .first = MOMENT_ABS,
                   .second = MOMENT_E2},
    [GROUP_MSE] = {"mean_squared_error", GROUP_NEEDS_VALUE, MEAN, .first = MOMENT_E2,
                   .second = MOMENT_E4},
    [GROUP_RMSE] = {"root_mean_squared_error", GROUP_NEEDS_VALUE, OTHER},
    [GROUP_R2] = {"r2_score", GROUP_NEEDS_VALUE, OTHER, .signed_value = true},
    [GROUP_OVERPREDICTION] = {"overprediction", GROUP_NEEDS_VALUE, MEAN, .first = MOMENT_OVER,
                              .second = MOMENT_OVER2},
    [GROUP_UNDERPREDICTION] = {"underprediction", GROUP_NEEDS_VALUE, MEAN},
};

const char *
group_metric_word(enum group_metric m)
{
    ASSERT((unsigned)m < GROUP_METRICS);
    return metrics[m].word;
}

enum group_need
group_metric_need(enum group_metric m)
{
    return metrics[m].need;
}

bool
group_metric_has_ratio(enum group_metric m)
{
    return !metrics[m].signed_value;
}

bool
group_metric_adds(enum group_metric m)
{
    return m != GROUP_ROC_AUC && metrics[m].need != GROUP_NEEDS_CLASSES;
}

static const struct interval nothing = {NAN, NAN};

static double
critical(double level)
{
    return -normal_quantile((1 - level) / 2);
}

/* ---- proportions ---- */

static double
sum_over(const double count[static GROUP_OUTCOMES], unsigned set)
{
    double sum = 0;
    for (unsigned i = 0; i < GROUP_OUTCOMES; i++) {
        sum += (set >> i & 1) != 0 ? count[i] : 0;
    }
    return sum;
}

static struct group_estimate
rate_of(const struct group_tally *t, unsigned over, unsigned under, double level)
{
    const double x = sum_over(t->count, over), n = sum_over(t->count, under);
    if (!(n > 0)) {
        return (struct group_estimate){NAN, NAN, 0, 0, {0, 1}};
    }
    const double p = x / n, x2 = sum_over(t->count2, over), n2 = sum_over(t->count2, under);
    const double variance = (x2 * (1 - p) * (1 - p) + (n2 - x2) * p * p) / (n * n);
    double rows = n;
    if (n2 != n) {
        rows = variance > 0 ? p * (1 - p) / variance : n * n / n2;
    }
    return (struct group_estimate){p, sqrt(variance), p * rows, rows,
                                   interval_wilson(p * rows, rows, level)};
}

struct interval
group_mover(double a, struct interval a_ci, double b, struct interval b_ci)
{
    return (struct interval){a + b - hypot(a - a_ci.low, b - b_ci.low),
                             a + b + hypot(a_ci.high - a, b_ci.high - b)};
}

static struct group_estimate
half_of_sum(const struct group_estimate *a, const struct group_estimate *b)
{
    const struct interval ci = group_mover(a->value, a->ci, b->value, b->ci);
    const double value = (a->value + b->value) / 2;
    return (struct group_estimate){value, hypot(a->se, b->se) / 2, NAN, NAN,
                                   isnan(value) ? nothing
                                                : (struct interval){ci.low / 2, ci.high / 2}};
}

static struct group_estimate
f1_of(const struct group_tally *t, double level)
{
    const struct group_estimate j = rate_of(t, TP, TP | FP | FN, level);
    if (isnan(j.value)) {
        return (struct group_estimate){NAN, NAN, NAN, NAN, {0, 1}};
    }
    const double slope = 2 / ((1 + j.value) * (1 + j.value));
    return (struct group_estimate){
        2 * j.value / (1 + j.value),
        slope * j.se,
        NAN,
        NAN,
        {2 * j.ci.low / (1 + j.ci.low), 2 * j.ci.high / (1 + j.ci.high)}};
}

/* ---- means ---- */

static struct group_estimate
mean_of_sums(double sum, double first2, double second2, double weights, double weights2,
             double level)
{
    if (!(weights > 0)) {
        return (struct group_estimate){NAN, NAN, NAN, NAN, nothing};
    }
    const double mean = sum / weights, rows = weights * weights / weights2;
    const double spread = second2 - 2 * mean * first2 + mean * mean * weights2;
    const double se = rows > 1 ? sqrt(fmax(0, spread) * rows / (rows - 1)) / weights : (double)NAN;
    const double half = rows > 2.999999 ? student_critical(1 - level, rows - 1) * se : (double)NAN;
    return (struct group_estimate){mean, se, NAN, NAN, {mean - half, mean + half}};
}

static struct group_estimate
mean_of(const struct group_tally *t, enum group_moment first, enum group_moment second,
        double level)
{
    return mean_of_sums(t->moment[first], t->moment2[first], t->moment2[second],
                        t->moment[MOMENT_1], t->moment2[MOMENT_1], level);
}

static struct group_estimate
underprediction_of(const struct group_tally *t, double level)
{
    const double *m = t->moment, *m2 = t->moment2;
    return mean_of_sums(m[MOMENT_ABS] - m[MOMENT_OVER], m2[MOMENT_ABS] - m2[MOMENT_OVER],
                        m2[MOMENT_E2] - m2[MOMENT_OVER2], m[MOMENT_1], m2[MOMENT_1], level);
}

static struct group_estimate
not_negative(struct group_estimate e)
{
    e.ci.low = isnan(e.ci.low) ? e.ci.low : fmax(0, e.ci.low);
    return e;
}

static struct group_estimate
root_of(struct group_estimate e)
{
    const double root = sqrt(e.value);
    return (struct group_estimate){root,
                                   root > 0 ? e.se / (2 * root) : e.se,
                                   NAN,
                                   NAN,
                                   {sqrt(fmax(0, e.ci.low)), sqrt(e.ci.high)}};
}

static struct group_estimate
rmse_of(const struct group_tally *t, double level)
{
    struct group_estimate e = mean_of(t, MOMENT_E2, MOMENT_E4, level);
    const bool known = !isnan(e.ci.low);
    e = root_of(e);
    e.ci = known ? e.ci : nothing;
    return e;
}

/* Mean of the root errors of the two classes, as raiwidgets has it. */
static struct group_estimate
balanced_rmse_of(const struct group_tally *t, double level)
{
    const double *m = t->moment, *m2 = t->moment2;
    const struct group_estimate a = root_of(not_negative(mean_of_sums(
        m[MOMENT_E2Y], m2[MOMENT_E2Y], m2[MOMENT_E4Y], m[MOMENT_Y], m2[MOMENT_Y], level)));
    const struct group_estimate b = root_of(
        not_negative(mean_of_sums(m[MOMENT_E2] - m[MOMENT_E2Y], m2[MOMENT_E2] - m2[MOMENT_E2Y],
                                  m2[MOMENT_E4] - m2[MOMENT_E4Y], m[MOMENT_1] - m[MOMENT_Y],
                                  m2[MOMENT_1] - m2[MOMENT_Y], level)));
    return half_of_sum(&a, &b);
}

/* R2 = 1 - A/B with A = mean e^2, B = mean d^2, d = y - mean y; influence (A/B d^2 - e^2) / B. */
static struct group_estimate
r2_of(const struct group_tally *t, double level)
{
    const double *m = t->moment, *s = t->moment2, n = m[MOMENT_1];
    const double mu = m[MOMENT_Y] / n, a = m[MOMENT_E2] / n, b = m[MOMENT_Y2] / n - mu * mu;
    if (!(n > 0) || !(b > 1e-12 * m[MOMENT_Y2] / n)) {
        return (struct group_estimate){NAN, NAN, NAN, NAN, nothing};
    }
    const double q = a / b, mu2 = mu * mu;
    const double e2d2 = s[MOMENT_E2Y2] - 2 * mu * s[MOMENT_E2Y] + mu2 * s[MOMENT_E2];
    const double d4 = s[MOMENT_Y4] - 4 * mu * s[MOMENT_Y3] + 6 * mu2 * s[MOMENT_Y2] -
                      4 * mu2 * mu * s[MOMENT_Y] + mu2 * mu2 * s[MOMENT_1];
    const double spread = s[MOMENT_E4] - 2 * q * e2d2 + q * q * d4;
    const double se = sqrt(fmax(0, spread)) / (b * n), half = critical(level) * se / q;
    return (struct group_estimate){1 - q, se, NAN, NAN,
                                   q > 0 ? (struct interval){1 - q * exp(half), 1 - q * exp(-half)}
                                         : (struct interval){1, 1}};
}

/* From 0 to 1, with a standard error: normal on the logit. Where that does not exist, Wilson's of
 * the fewest rows that it can stand for. */
static struct group_estimate
share_of(double value, double se, double least, double level)
{
    if (isnan(value)) {
        return (struct group_estimate){NAN, NAN, NAN, NAN, nothing};
    }
    struct interval ci = interval_wilson(value * least, least, level);
    if (se > 0 && value > 0 && value < 1) {
        const double odds = value / (1 - value),
                     half = critical(level) * se / (value * (1 - value));
        const double low = odds * exp(-half), high = odds * exp(half);
        ci = (struct interval){low / (1 + low), isinf(high) ? 1 : high / (1 + high)};
    }
    return (struct group_estimate){value, se, NAN, NAN, ci};
}

static struct group_estimate
macro_of(const struct group_tally *t, unsigned macro, double level)
{
    return share_of(t->macro[macro], t->macro_se[macro], t->macro_n[macro], level);
}

static struct group_estimate
other_of(enum group_metric m, const struct group_tally *t, double level)
{
    if (m == GROUP_BALANCED_ACCURACY) {
        const struct group_estimate a = rate_of(t, TP, TP | FN, level),
                                    b = rate_of(t, TN, FP | TN, level);
        return half_of_sum(&a, &b);
    }
    switch ((int)m) {
    case GROUP_F1:
        return f1_of(t, level);
    case GROUP_ROC_AUC:
        return share_of(t->auc, t->auc_se, t->auc_n, level);
    case GROUP_PRECISION_MACRO:
    case GROUP_RECALL_MACRO:
    case GROUP_F1_MACRO:
        return macro_of(t, m - GROUP_PRECISION_MACRO, level);
    case GROUP_RMSE:
        return rmse_of(t, level);
    case GROUP_BALANCED_RMSE:
        return balanced_rmse_of(t, level);
    default:
        return r2_of(t, level);
    }
}

static struct group_estimate
estimate(enum group_metric m, const struct group_tally *t, double level)
{
    if (metrics[m].shape == RATE) {
        return rate_of(t, metrics[m].over, metrics[m].under, level);
    }
    if (m == GROUP_UNDERPREDICTION) {
        return not_negative(underprediction_of(t, level));
    }
    if (metrics[m].shape == MEAN) {
        const struct group_estimate e = mean_of(t, metrics[m].first, metrics[m].second, level);
        return m == GROUP_MEAN_PREDICTION ? e : not_negative(e);
    }
    return other_of(m, t, level);
}

struct group_estimate
group_metric_estimate(enum group_metric m, const struct group_tally *t, double centre, double level)
{
    struct group_estimate e = estimate(m, t, level);
    if (m == GROUP_MEAN_PREDICTION) {
        e.value += centre;
        e.ci = (struct interval){e.ci.low + centre, e.ci.high + centre};
    }
    return e;
}

/* ---- values alone, for the bootstrap ---- */

double
group_metric_value(enum group_metric m, const struct group_tally *t, double centre)
{
    const double *c = t->count;
    const double n = t->moment[MOMENT_1];
    if (metrics[m].shape == RATE) {
        return sum_over(c, metrics[m].over) / sum_over(c, metrics[m].under);
    }
    if (metrics[m].shape == MEAN && m != GROUP_UNDERPREDICTION) {
        return t->moment[metrics[m].first] / n + (m == GROUP_MEAN_PREDICTION ? centre : 0);
    }
    switch ((int)m) {
    case GROUP_BALANCED_ACCURACY:
        return (c[GROUP_TP] / (c[GROUP_TP] + c[GROUP_FN]) +
                c[GROUP_TN] / (c[GROUP_TN] + c[GROUP_FP])) /
               2;
    case GROUP_F1:
        return 2 * c[GROUP_TP] / (2 * c[GROUP_TP] + c[GROUP_FP] + c[GROUP_FN]);
    case GROUP_UNDERPREDICTION:
        return (t->moment[MOMENT_ABS] - t->moment[MOMENT_OVER]) / n;
    case GROUP_RMSE:
        return sqrt(t->moment[MOMENT_E2] / n);
    default:
        return other_of(m, t, 0.95).value;
    }
}

double
group_metric_covariance(enum group_metric m, const struct group_tally *t)
{
    ASSERT(!group_metric_adds(m));
    return m == GROUP_ROC_AUC ? t->auc_cov : t->macro_cov[m - GROUP_PRECISION_MACRO];
}

double
group_metric_denominator(enum group_metric m, const struct group_tally *t)
{
    ASSERT(metrics[m].need == GROUP_NEEDS_DECISION && m != GROUP_BALANCED_ACCURACY);
    return m == GROUP_F1 ? sum_over(t->count, TP) + sum_over(t->count, TP | FP | FN)
                         : sum_over(t->count, metrics[m].under);
}

/* ---- two groups ---- */

static struct interval
difference_of(const struct group_estimate *a, const struct group_estimate *b)
{
    return group_mover(a->value, a->ci, -b->value, (struct interval){-b->ci.high, -b->ci.low});
}

/* The ratios r for which difference_of a and r b holds 0. */
static struct interval
ratio_of(const struct group_estimate *a, const struct group_estimate *b)
{
    if (isnan(a->ci.low) || isnan(b->ci.low)) {
        return nothing;
    }
    const double product = a->value * b->value, square = product * product;
    const double low = a->ci.low * (2 * a->value - a->ci.low),
                 low_under = b->ci.high * (2 * b->value - b->ci.high),
                 high = a->ci.high * (2 * a->value - a->ci.high),
                 high_under = b->ci.low * (2 * b->value - b->ci.low);
    return (struct interval){
        low == 0 ? 0 : low / (product + sqrt(fmax(0, square - low * low_under))),
        high_under > 0 ? (product + sqrt(fmax(0, square - high * high_under))) / high_under
                       : (double)INFINITY};
}

struct group_contrast
group_contrast_of(enum group_metric m, const struct group_estimate *a,
                  const struct group_estimate *b)
{
    struct group_contrast c = {NAN, NAN, nothing, nothing};
    if (isnan(a->value) || isnan(b->value)) {
        return c;
    }
    c.difference = a->value - b->value;
    c.difference_ci = difference_of(a, b);
    if (!metrics[m].signed_value && b->value > 0) {
        c.ratio = a->value / b->value;
        c.ratio_ci = ratio_of(a, b);
    }
    return c;
}

bool
group_differ(const struct group_estimate *a, const struct group_estimate *b)
{
    const struct interval ci = difference_of(a, b);
    return ci.low > 0 || ci.high < 0;
}

double
group_contrast_p(enum group_metric m, const struct group_tally *a, const struct group_tally *b,
                 double centre)
{
    double low = 0, high = GROUP_Z_MAX;
    const struct group_estimate x = group_metric_estimate(m, a, centre, 0.5),
                                y = group_metric_estimate(m, b, centre, 0.5);
    if (isnan(x.value) || isnan(y.value) || isnan(x.ci.low) || isnan(y.ci.low)) {
        return (double)NAN;
    }
    for (int i = 0; i < GROUP_P_STEPS && x.value != y.value; i++) {
        const double z = (low + high) / 2, level = 1 - 2 * normal_cdf(-z);
        const struct group_estimate u = group_metric_estimate(m, a, centre, level),
                                    v = group_metric_estimate(m, b, centre, level);
        *(group_differ(&u, &v) ? &low : &high) = z;
    }
    return 2 * normal_cdf(-low);
}
