/* Balance of groups with the outcome, of a distribution against a reference, and as one number. */
#include "assess/bias.h"
#include "num/poisson_bootstrap.h"
#include "num/sum.h"
#include "num/tail.h"

#include <math.h>

static const struct interval none = {NAN, NAN};

/* ---- groups and the outcome ---- */

void
bias_balance_of(const uint64_t *count, uint32_t groups, uint32_t g, double level,
                struct bias_balance *ret_balance)
{
    double n = 0, y = 0;
    for (uint32_t i = 0; i < groups; i++) {
        n += (double)count[(size_t)i * 2] + (double)count[(size_t)i * 2 + 1];
        y += (double)count[(size_t)i * 2 + 1];
    }
    const double both = (double)count[(size_t)g * 2 + 1], in = (double)count[(size_t)g * 2] + both;
    const bool here = in > 0;
    struct bias_balance b = {.positive_rate = here ? both / in : NAN, .positive_rate_ci = none};
    if (here) {
        b.positive_rate_ci = interval_wilson(both, in, level);
    }
    b.pointwise_mutual_information = here && y > 0 ? log(both * n / (in * y)) : NAN;
    b.sorensen_dice = in + y > 0 ? 2 * both / (in + y) : NAN;
    b.jaccard = in + y > 0 ? both / (in + y - both) : NAN;
    const double spread = in * (n - in) * y * (n - y);
    b.kendall_tau_b = spread > 0 ? (both * n - in * y) / sqrt(spread) : NAN;
    b.log_likelihood_ratio = here && y > 0 && y < n ? log(both / y / ((in - both) / (n - y))) : NAN;
    *ret_balance = b;
}

void
bias_pair_of(uint64_t n_a, uint64_t positive_a, uint64_t n_b, uint64_t positive_b, double level,
             struct bias_pair *ret_pair)
{
    struct bias_pair p = {NAN, none, NAN, NAN, NAN};
    const double na = (double)n_a, nb = (double)n_b, xa = (double)positive_a,
                 xb = (double)positive_b;
    if (n_a > 0 && n_b > 0) {
        p.statistical_parity = xa / na - xb / nb;
        p.ci = interval_newcombe(xa, na, xb, nb, level);
    }
    if (n_a > 1 && n_b > 1) {
        const double va = xa * (na - xa) / (na * (na - 1)) / na;
        const double vb = xb * (nb - xb) / (nb * (nb - 1)) / nb;
        if (va + vb > 0) {
            p.t = p.statistical_parity / sqrt(va + vb);
            p.df = (va + vb) * (va + vb) / (va * va / (na - 1) + vb * vb / (nb - 1));
            p.p_value = tail_student(p.t, p.df);
        }
    }
    *ret_pair = p;
}

/* ---- a distribution against a reference ---- */

static const char *const distance_words[BIAS_DISTANCES] = {
    [BIAS_CROSS_ENTROPY] = "cross_entropy",
    [BIAS_KL_DIVERGENCE] = "kl_divergence",
    [BIAS_JS_DISTANCE] = "jensen_shannon_distance",
    [BIAS_WASSERSTEIN] = "wasserstein_distance",
    [BIAS_INFINITE_NORM] = "infinite_norm_distance",
    [BIAS_TOTAL_VARIATION] = "total_variation_distance",
};

const char *
bias_distance_word(enum bias_distance d)
{
    ASSERT((unsigned)d < BIAS_DISTANCES);
    return distance_words[d];
}

static double
divergence(double p, double q)
{
    return p == 0 ? 0 : q == 0 ? INFINITY : p * log(p / q);
}

static void
distances(const uint64_t *count, const double *reference, uint32_t k, bool ordered,
          double ret_value[static BIAS_DISTANCES])
{
    double n = 0, cross = 0, kl = 0, js = 0, most = 0, total = 0, moved = 0, ahead = 0;
    for (uint32_t i = 0; i < k; i++) {
        n += (double)count[i];
    }
    for (uint32_t i = 0; n > 0 && i < k; i++) {
        const double p = (double)count[i] / n, q = reference[i], gap = fabs(p - q);
        cross += p == 0 ? 0 : q == 0 ? INFINITY : -p * log(q);
        kl += divergence(p, q);
        js += (divergence(p, (p + q) / 2) + divergence(q, (p + q) / 2)) / 2;
        most = gap > most ? gap : most;
        total += gap / 2;
        ahead += p - q;
        moved += fabs(ahead);
    }
    ret_value[BIAS_CROSS_ENTROPY] = n > 0 ? cross : NAN;
    ret_value[BIAS_KL_DIVERGENCE] = n > 0 ? fmax(kl, 0) : NAN;
    ret_value[BIAS_JS_DISTANCE] = n > 0 ? sqrt(fmax(js, 0)) : NAN;
    ret_value[BIAS_WASSERSTEIN] = n > 0 ? (ordered ? moved : total) : NAN;
    ret_value[BIAS_INFINITE_NORM] = n > 0 ? most : NAN;
    ret_value[BIAS_TOTAL_VARIATION] = n > 0 ? total : NAN;
}

static void
goodness_of_fit(const uint64_t *count, const double *reference, uint32_t k,
                struct bias_distribution *r)
{
    double n = 0, used = 0, statistic = 0, least = INFINITY;
    for (uint32_t i = 0; i < k; i++) {
        n += (double)count[i];
    }
    for (uint32_t i = 0; n > 0 && i < k; i++) {
        const double expected = n * reference[i], gap = (double)count[i] - expected;
        if (expected > 0) {
            used += 1;
            statistic += gap * gap / expected;
            least = expected < least ? expected : least;
        } else if (count[i] > 0) {
            statistic = INFINITY;
        }
    }
    r->df = used - 1;
    r->chi_square = used > 1 || isinf(statistic) ? statistic : NAN;
    r->p_value = isinf(statistic) ? 0 : tail_chi_square(r->chi_square, r->df);
    r->least_expected = least;
}

void
bias_distribution_of(const uint64_t *count, const double *reference, uint32_t k, bool ordered,
                     const struct bias_options *o, uint64_t *draw, double *values,
                     struct bias_distribution *ret_distribution)
{
    struct bias_distribution r;
    double value[BIAS_DISTANCES];
    distances(count, reference, k, ordered, value);
    for (unsigned d = 0; d < BIAS_DISTANCES; d++) {
        r.distance[d] = (struct bias_value){value[d], none};
    }
    for (uint32_t b = 0; b < o->replicates; b++) {
        for (uint32_t i = 0; i < k; i++) {
            draw[i] = count[i] == 0 ? 0 : poisson_bootstrap_count(o->seed, b, i, count[i]);
        }
        distances(draw, reference, k, ordered, value);
        for (unsigned d = 0; d < BIAS_DISTANCES; d++) {
            values[(size_t)d * o->replicates + b] = value[d];
        }
    }
    for (unsigned d = 0; d < BIAS_DISTANCES && o->replicates > 0; d++) {
        size_t kept = 0;
        r.distance[d].ci = poisson_bootstrap_interval(values + (size_t)d * o->replicates,
                                                      o->replicates, o->level, &kept);
    }
    goodness_of_fit(count, reference, k, &r);
    *ret_distribution = r;
}

/* ---- one number ---- */

void
bias_aggregate_of(const uint64_t *count, size_t k, bool all, struct bias_aggregate *ret_aggregate)
{
    struct sum total = {0}, logs = {0}, weighted = {0};
    double cells = 0;
    for (size_t i = 0; i < k; i++) {
        sum_add(&total, (double)count[i]);
        cells += all || count[i] > 0;
    }
    const double mean = sum_value(&total) / cells;
    bool empty = false;
    for (size_t i = 0; i < k; i++) {
        const double ratio = (double)count[i] / mean;
        empty |= all && count[i] == 0;
        if (count[i] > 0) {
            sum_add(&logs, log(ratio));
            sum_add(&weighted, ratio * log(ratio));
        }
    }
    struct bias_aggregate a = {.theil_t = fmax(sum_value(&weighted) / cells, 0)};
    a.theil_l = empty ? INFINITY : fmax(-sum_value(&logs) / cells, 0);
    a.atkinson = empty ? 1 : -expm1(-a.theil_l);
    if (!(sum_value(&total) > 0)) {
        a = (struct bias_aggregate){NAN, NAN, NAN};
    }
    *ret_aggregate = a;
}
