#include "assess/facet.h"

#include "num/normal.h"

#include <math.h>

static const struct {
    const char *word;
    enum group_metric metric; /* of a difference of group metrics */
    bool facet_first;         /* d - a */
} facets[FACET_METRICS] = {
    [FACET_DPPL] = {"DPPL", GROUP_SELECTION_RATE, false},
    [FACET_DI] = {"DI", GROUP_SELECTION_RATE, true},
    [FACET_DCACC] = {"DCAcc", GROUP_METRICS, false},
    [FACET_DCR] = {"DCR", GROUP_METRICS, true},
    [FACET_DAR] = {"DAR", GROUP_PRECISION, false},
    [FACET_DRR] = {"DRR", GROUP_NPV, true},
    [FACET_RD] = {"RD", GROUP_TPR, false},
    [FACET_SD] = {"SD", GROUP_TNR, true},
    [FACET_AD] = {"AD", GROUP_ACCURACY, false},
    [FACET_TE] = {"TE", GROUP_METRICS, true},
};

/* (shared + over) / (shared + under). */
static const struct {
    const char *word;
    enum group_outcome over, under, shared;
} quotients[FACET_QUOTIENTS] = {
    [FACET_CONDITIONAL_ACCEPTANCE] = {"conditional_acceptance", GROUP_FN, GROUP_FP, GROUP_TP},
    [FACET_CONDITIONAL_REJECTION] = {"conditional_rejection", GROUP_FP, GROUP_FN, GROUP_TN},
    [FACET_TREATMENT] = {"false_negatives_per_false_positive", GROUP_FN, GROUP_FP, GROUP_OUTCOMES},
};

const char *
facet_metric_word(enum facet_metric m)
{
    ASSERT((unsigned)m < FACET_METRICS);
    return facets[m].word;
}

static double
critical(double level)
{
    return -normal_quantile((1 - level) / 2);
}

const char *
facet_quotient_word(enum facet_quotient q)
{
    ASSERT((unsigned)q < FACET_QUOTIENTS);
    return quotients[q].word;
}

void
facet_quotient_counts(const struct group_tally *t, enum facet_quotient q, double *ret_over,
                      double *ret_under)
{
    const enum group_outcome both = quotients[q].shared;
    const double shared = both != GROUP_OUTCOMES ? t->count[both] : 0;
    *ret_over = t->count[quotients[q].over] + shared;
    *ret_under = t->count[quotients[q].under] + shared;
}

struct facet_number
facet_quotient(const struct group_tally *t, enum facet_quotient q, double level)
{
    const enum group_outcome a = quotients[q].over, b = quotients[q].under,
                             shared = quotients[q].shared;
    double over = 0, under = 0;
    facet_quotient_counts(t, q, &over, &under);
    if (!(under > 0)) {
        return (struct facet_number){NAN, {NAN, NAN}};
    }
    const double value = over / under, gap = 1 / over - 1 / under;
    const double variance = t->count2[a] / (over * over) + t->count2[b] / (under * under) +
                            (shared != GROUP_OUTCOMES ? t->count2[shared] * gap * gap : 0);
    const double half = critical(level) * sqrt(variance);
    if (!(over > 0)) { /* none of them: half a one is as far as that goes (Haldane) */
        const double few = 0.5 / (under + 0.5),
                     wide = critical(level) * sqrt(2 + 1 / (under + 0.5));
        return (struct facet_number){0, {0, few * exp(wide)}};
    }
    return (struct facet_number){value, {value * exp(-half), value * exp(half)}};
}

static struct facet_number
less(const struct facet_number *x, const struct facet_number *y)
{
    return (struct facet_number){
        x->value - y->value,
        group_mover(x->value, x->ci, -y->value, (struct interval){-y->ci.high, -y->ci.low})};
}

static struct facet_number
ratio_difference(enum facet_metric m, const struct group_tally *first,
                 const struct group_tally *second, double level)
{
    const enum facet_quotient q = m == FACET_DCR     ? FACET_CONDITIONAL_REJECTION
                                  : m == FACET_DCACC ? FACET_CONDITIONAL_ACCEPTANCE
                                                     : FACET_TREATMENT;
    const struct facet_number x = facet_quotient(first, q, level),
                              y = facet_quotient(second, q, level);
    return less(&x, &y);
}

void
facet_compare(const struct group_tally *d, const struct group_tally *a, double level,
              struct facet_number ret_numbers[static FACET_METRICS])
{
    for (unsigned m = 0; m < FACET_METRICS; m++) {
        const struct group_tally *first = facets[m].facet_first ? d : a,
                                 *second = facets[m].facet_first ? a : d;
        if (facets[m].metric == GROUP_METRICS) {
            ret_numbers[m] = ratio_difference((enum facet_metric)m, first, second, level);
            continue;
        }
        const struct group_estimate x = group_metric_estimate(facets[m].metric, first, 0, level),
                                    y = group_metric_estimate(facets[m].metric, second, 0, level);
        const struct group_contrast c = group_contrast_of(facets[m].metric, &x, &y);
        ret_numbers[m] = m == FACET_DI ? (struct facet_number){c.ratio, c.ratio_ci}
                                       : (struct facet_number){c.difference, c.difference_ci};
    }
}

struct facet_number
facet_cddpl(const struct facet_stratum *strata, size_t n, double level, size_t *ret_one_sided)
{
    double rows = 0, sum = 0, variance = 0, accepted = 0, rejected = 0;
    *ret_one_sided = 0;
    for (size_t i = 0; i < n; i++) {
        const struct facet_stratum *s = &strata[i];
        const double size = s->rejected + s->accepted;
        const double p = s->rejected > 0 ? s->d_rejected / s->rejected : 0;
        const double q = s->accepted > 0 ? s->d_accepted / s->accepted : 0;
        rows += size;
        rejected += s->rejected;
        accepted += s->accepted;
        sum += size * (p - q);
        variance += size * size *
                    ((s->rejected > 0 ? p * (1 - p) / s->rejected : 0) +
                     (s->accepted > 0 ? q * (1 - q) / s->accepted : 0));
        *ret_one_sided += size > 0 && (s->rejected == 0 || s->accepted == 0);
    }
    if (!(accepted > 0 && rejected > 0)) {
        return (struct facet_number){NAN, {NAN, NAN}};
    }
    const double value = sum / rows, half = critical(level) * sqrt(variance) / rows;
    return (struct facet_number){value, {fmax(-1, value - half), fmin(1, value + half)}};
}

struct facet_number
facet_entropy(const struct group_tally *all, double level)
{
    static const double benefit[GROUP_OUTCOMES] = {
        [GROUP_TP] = 1, [GROUP_FP] = 2, [GROUP_TN] = 1, [GROUP_FN] = 0};
    double n = 0, first = 0, second = 0, variance = 0;
    for (unsigned o = 0; o < GROUP_OUTCOMES; o++) {
        n += all->count[o];
        first += all->count[o] * benefit[o];
        second += all->count[o] * benefit[o] * benefit[o];
    }
    if (!(first > 0)) {
        return (struct facet_number){NAN, {NAN, NAN}};
    }
    for (unsigned o = 0; o < GROUP_OUTCOMES; o++) {
        const double b = benefit[o];
        const double slope =
            (b * b * n + second - 2 * second * n * b / first) / (2 * first * first);
        variance += all->count2[o] * slope * slope;
    }
    const double value = (second * n / (first * first) - 1) / 2;
    const double half = critical(level) * sqrt(variance);
    return (struct facet_number){value, {fmax(0, value - half), value + half}};
}
