#include "assess/group_macro.h"

#include <math.h>

struct margins {
    const double *count;
    uint32_t classes;
    double label[GROUP_MACRO_CLASSES], predicted[GROUP_MACRO_CLASSES];
    double over[GROUP_MACROS]; /* classes that have the metric */
};

static double
hits(const struct margins *m, uint32_t k)
{
    return m->count[k * m->classes + k];
}

static void
margins_of(const double *count, uint32_t classes, struct margins *m)
{
    *m = (struct margins){.count = count, .classes = classes};
    for (uint32_t i = 0; i < classes; i++) {
        for (uint32_t j = 0; j < classes; j++) {
            m->label[i] += count[i * classes + j];
            m->predicted[j] += count[i * classes + j];
        }
    }
    for (uint32_t k = 0; k < classes; k++) {
        m->over[MACRO_PRECISION] += m->predicted[k] > 0;
        m->over[MACRO_RECALL] += m->label[k] > 0;
        m->over[MACRO_F1] += m->label[k] + m->predicted[k] > 0;
    }
}

/* Class k's metric is scale * hits / base. */
static double
base_of(const struct margins *m, unsigned macro, uint32_t k)
{
    return macro == MACRO_PRECISION ? m->predicted[k]
           : macro == MACRO_RECALL  ? m->label[k]
                                    : (m->label[k] + m->predicted[k]) / 2;
}

/* Of the mean over classes, in the count of label i and prediction j. */
static double
slope_of(const struct margins *m, unsigned macro, uint32_t i, uint32_t j)
{
    double slope = 0;
    const double share = macro == MACRO_F1 ? 0.5 : 1;
    if (i == j && base_of(m, macro, i) > 0) {
        slope += 1 / base_of(m, macro, i);
    }
    if (macro != MACRO_PRECISION && base_of(m, macro, i) > 0) {
        slope -= share * hits(m, i) / (base_of(m, macro, i) * base_of(m, macro, i));
    }
    if (macro != MACRO_RECALL && base_of(m, macro, j) > 0) {
        slope -= share * hits(m, j) / (base_of(m, macro, j) * base_of(m, macro, j));
    }
    return slope / m->over[macro];
}

static double
value_of(const struct margins *m, unsigned macro)
{
    double sum = 0;
    for (uint32_t k = 0; k < m->classes; k++) {
        sum += base_of(m, macro, k) > 0 ? hits(m, k) / base_of(m, macro, k) : 0;
    }
    return m->over[macro] > 0 ? sum / m->over[macro] : (double)NAN;
}

/* Sum of count2 times the slopes of both. */
static double
covariance_of(const double *count2, const struct margins *m, const struct margins *other,
              unsigned macro)
{
    double sum = 0;
    for (uint32_t i = 0; i < m->classes; i++) {
        for (uint32_t j = 0; j < m->classes; j++) {
            const double n = count2[i * m->classes + j];
            sum += n > 0 ? n * slope_of(m, macro, i, j) * slope_of(other, macro, i, j) : 0;
        }
    }
    return sum;
}

/* Independent shares of the classes' rows, all alike, have a mean with the variance of one share of
 * so many rows. */
static double
rows_of(const struct margins *m, unsigned macro)
{
    double sum = 0;
    for (uint32_t k = 0; k < m->classes; k++) {
        sum += base_of(m, macro, k) > 0 ? 1 / base_of(m, macro, k) : 0;
    }
    return (double)m->over[macro] * m->over[macro] / sum;
}

void
group_macro(const double *count, const double *count2, const double *all, uint32_t classes,
            struct group_tally *ret_tally)
{
    struct margins m, whole;
    ASSERT(classes <= GROUP_MACRO_CLASSES);
    margins_of(count, classes, &m);
    margins_of(all, classes, &whole);
    for (unsigned a = 0; a < GROUP_MACROS; a++) {
        const bool has = m.over[a] > 0;
        ret_tally->macro[a] = value_of(&m, a);
        ret_tally->macro_se[a] = has ? sqrt(covariance_of(count2, &m, &m, a)) : (double)NAN;
        ret_tally->macro_cov[a] = has ? covariance_of(count2, &m, &whole, a) : (double)NAN;
        ret_tally->macro_n[a] = has ? rows_of(&m, a) : (double)NAN;
    }
}
