/* Bias of the outcome between a facet and the others, overall and within strata. */
#include "assess/bias.h"
#include "num/cross.h"
#include "num/normal.h"
#include "num/poisson_bootstrap.h"
#include "num/tail.h"

#include <math.h>

static const struct {
    const char *word, *title;
} metrics[BIAS_METRICS] = {
    [BIAS_CI] = {"CI", "Class Imbalance (CI)"},
    [BIAS_DPL] = {"DPL", "Difference in Positive Proportions in Labels (DPL)"},
    [BIAS_KL] = {"KL", "Kullback-Liebler Divergence (KL)"},
    [BIAS_JS] = {"JS", "Jensen-Shannon Divergence (JS)"},
    [BIAS_LP] = {"LP", "L-p Norm (LP)"},
    [BIAS_TVD] = {"TVD", "Total Variation Distance (TVD)"},
    [BIAS_KS] = {"KS", "Kolmogorov-Smirnov Distance (KS)"},
    [BIAS_CDDL] = {"CDDL", "Conditional Demographic Disparity in Labels (CDDL)"},
};

static const struct interval none = {NAN, NAN};

const char *
bias_metric_word(enum bias_metric m)
{
    ASSERT((unsigned)m < BIAS_METRICS);
    return metrics[m].word;
}

const char *
bias_metric_title(enum bias_metric m)
{
    ASSERT((unsigned)m < BIAS_METRICS);
    return metrics[m].title;
}

/* p ln(p / q), 0 for p = 0. */
static double
divergence(double p, double q)
{
    return p == 0 ? 0 : q == 0 ? INFINITY : p * log(p / q);
}

void
bias_divergences(const uint64_t *a, const uint64_t *d, uint32_t classes,
                 double ret_value[static BIAS_METRICS])
{
    double na = 0, nd = 0, kl = 0, js = 0, square = 0, total = 0, most = 0;
    for (uint32_t y = 0; y < classes; y++) {
        na += (double)a[y];
        nd += (double)d[y];
    }
    const bool both = na > 0 && nd > 0;
    for (uint32_t y = 0; both && y < classes; y++) {
        const double p = (double)a[y] / na, q = (double)d[y] / nd, gap = fabs(p - q);
        kl += divergence(p, q);
        js += (divergence(p, (p + q) / 2) + divergence(q, (p + q) / 2)) / 2;
        square += gap * gap;
        total += gap;
        most = gap > most ? gap : most;
    }
    for (unsigned m = 0; m < BIAS_METRICS; m++) {
        ret_value[m] = NAN;
    }
    /* Gibbs' inequality, which rounding may break in the last digit. */
    ret_value[BIAS_KL] = both ? fmax(kl, 0) : NAN;
    ret_value[BIAS_JS] = both ? fmax(js, 0) : NAN;
    ret_value[BIAS_LP] = both ? sqrt(square) : NAN;
    ret_value[BIAS_TVD] = both ? total / 2 : NAN;
    ret_value[BIAS_KS] = both ? most : NAN;
}

/* ---- a facet's cells ---- */

enum { A0, A1, D0, D1 };

static void
collapse(const uint64_t *count, uint32_t strata, uint32_t groups, uint32_t d, uint64_t *cells)
{
    for (uint32_t s = 0; s < strata; s++) {
        uint64_t *cell = cells + (size_t)s * 4;
        cell[A0] = cell[A1] = cell[D0] = cell[D1] = 0;
        for (uint32_t g = 0; g < groups; g++) {
            const uint64_t *n = count + ((size_t)s * groups + g) * 2;
            cell[g == d ? D0 : A0] += n[0];
            cell[g == d ? D1 : A1] += n[1];
        }
    }
}

static void
total_of(const uint64_t *cells, uint32_t strata, uint64_t ret_total[static 4])
{
    for (unsigned k = 0; k < 4; k++) {
        ret_total[k] = 0;
        for (uint32_t s = 0; s < strata; s++) {
            ret_total[k] += cells[(size_t)s * 4 + k];
        }
    }
}

static double
share(uint64_t part, uint64_t other)
{
    return part + other == 0 ? 0 : (double)part / ((double)part + (double)other);
}

static double
cddl_of(const uint64_t *cells, uint32_t strata)
{
    uint64_t all[4];
    total_of(cells, strata, all);
    if (all[A0] + all[D0] == 0 || all[A1] + all[D1] == 0) {
        return NAN; /* nobody refused, or nobody accepted */
    }
    double sum = 0, n = 0;
    for (uint32_t s = 0; s < strata; s++) {
        const uint64_t *c = cells + (size_t)s * 4;
        const double rows = (double)c[A0] + (double)c[A1] + (double)c[D0] + (double)c[D1];
        sum += rows * (share(c[D0], c[A0]) - share(c[D1], c[A1]));
        n += rows;
    }
    return sum / n;
}

/* ---- intervals ---- */

/* KL, JS and CDDL in each replicate; values has room for three rows of them. */
static void
bootstrap(const uint64_t *cells, uint32_t strata, const struct bias_options *o, double *values,
          struct bias_facet *f)
{
    static const enum bias_metric drawn[] = {BIAS_KL, BIAS_JS, BIAS_CDDL};
    const uint32_t n = o->replicates;
    for (uint32_t r = 0; r < n; r++) {
        double sum = 0, rows = 0, value[BIAS_METRICS];
        uint64_t all[4] = {0};
        for (uint32_t s = 0; s < strata; s++) {
            uint64_t c[4];
            for (unsigned k = 0; k < 4; k++) {
                const size_t at = (size_t)s * 4 + k;
                c[k] = cells[at] == 0 ? 0 : poisson_bootstrap_count(o->seed, r, at, cells[at]);
                all[k] += c[k];
            }
            const double here = (double)c[A0] + (double)c[A1] + (double)c[D0] + (double)c[D1];
            sum += here * (share(c[D0], c[A0]) - share(c[D1], c[A1]));
            rows += here;
        }
        bias_divergences(all, all + 2, 2, value);
        const bool both = all[A0] + all[D0] > 0 && all[A1] + all[D1] > 0;
        values[r] = value[BIAS_KL];
        values[n + r] = value[BIAS_JS];
        values[2 * (size_t)n + r] = both ? sum / rows : NAN;
    }
    for (unsigned k = 0; k < 3; k++) {
        size_t kept = 0;
        f->metric[drawn[k]].ci =
            poisson_bootstrap_interval(values + k * (size_t)n, n, o->level, &kept);
    }
}

/* Of |x| times `factor`, from that of x: exact, since with two classes both are the same thing. */
static struct interval
folded(struct interval x, double factor)
{
    const double low = fabs(x.low), high = fabs(x.high);
    const bool over_zero = x.low <= 0 && x.high >= 0;
    return (struct interval){factor * (over_zero ? 0 : fmin(low, high)), factor * fmax(low, high)};
}

static void
analytic(struct bias_facet *f, double level)
{
    const double na = (double)f->n_a, nd = (double)f->n_d;
    const struct interval d = interval_wilson(nd, na + nd, level);
    f->metric[BIAS_CI].ci = (struct interval){1 - 2 * d.high, 1 - 2 * d.low};
    const struct interval gap =
        interval_newcombe((double)f->positive_a, na, (double)f->positive_d, nd, level);
    f->metric[BIAS_DPL].ci = gap;
    f->metric[BIAS_LP].ci = folded(gap, sqrt(2));
    f->metric[BIAS_TVD].ci = folded(gap, 1);
    f->metric[BIAS_KS].ci = folded(gap, 1);
}

void
bias_facet_finish(const uint64_t *count, uint32_t strata, uint32_t groups, uint32_t d,
                  const struct bias_options *o, uint64_t *cells, double *values,
                  struct bias_facet *ret_facet)
{
    struct bias_facet f = {0};
    uint64_t all[4];
    double value[BIAS_METRICS], df = 0;
    collapse(count, strata, groups, d, cells);
    total_of(cells, strata, all);
    f.n_a = all[A0] + all[A1];
    f.n_d = all[D0] + all[D1];
    f.positive_a = all[A1];
    f.positive_d = all[D1];
    bias_divergences(all, all + 2, 2, value);
    const bool both = f.n_a > 0 && f.n_d > 0;
    value[BIAS_CI] = both ? ((double)f.n_a - (double)f.n_d) / ((double)f.n_a + (double)f.n_d) : NAN;
    value[BIAS_DPL] = both ? share(all[A1], all[A0]) - share(all[D1], all[D0]) : NAN;
    value[BIAS_CDDL] = both ? cddl_of(cells, strata) : NAN;
    for (unsigned m = 0; m < BIAS_METRICS; m++) {
        f.metric[m] = (struct bias_value){value[m], none};
    }
    if (both) {
        analytic(&f, o->level);
        bootstrap(cells, strata, o, values, &f);
    }
    const double statistic = cross_chi_square(all, 2, 2, &df, &f.least_expected);
    f.p_value = tail_chi_square(statistic, df);
    *ret_facet = f;
}

/* ---- within strata ---- */

struct stratum {
    double na, nd, n, xa, xd;
};

static struct stratum
stratum_of(const uint64_t *cell)
{
    struct stratum s = {.xa = (double)cell[A1], .xd = (double)cell[D1]};
    s.na = (double)cell[A0] + s.xa;
    s.nd = (double)cell[D0] + s.xd;
    s.n = s.na + s.nd;
    return s;
}

void
bias_adjust(const uint64_t *cells, uint32_t strata, double level,
            struct bias_adjusted *ret_adjusted)
{
    struct bias_adjusted r = {.ci = none};
    double weights = 0, gap = 0, variance = 0, above = 0, spread = 0;
    uint64_t all[4];
    total_of(cells, strata, all);
    for (uint32_t i = 0; i < strata; i++) {
        const struct stratum s = stratum_of(cells + (size_t)i * 4);
        if (s.na == 0 || s.nd == 0) {
            r.left_out += (uint64_t)s.n;
            continue;
        }
        r.strata++;
        const double x = s.xa + s.xd;
        weights += s.na * s.nd / s.n;
        gap += (s.xa * s.nd - s.xd * s.na) / s.n;
        variance += (s.xa * (s.na - s.xa) * s.nd * s.nd * s.nd +
                     s.xd * (s.nd - s.xd) * s.na * s.na * s.na) /
                    (s.na * s.nd * s.n * s.n);
        above += s.xa - s.na * x / s.n;
        spread += s.n > 1 ? s.na * s.nd * x * (s.n - x) / (s.n * s.n * (s.n - 1)) : 0;
    }
    const bool compared = all[A0] + all[A1] > 0 && all[D0] + all[D1] > 0;
    r.crude = compared ? share(all[A1], all[A0]) - share(all[D1], all[D0]) : NAN;
    r.difference = weights > 0 ? gap / weights : NAN;
    r.statistic = spread > 0 ? above * above / spread : NAN;
    r.p_value = tail_chi_square(r.statistic, 1);
    if (weights > 0) {
        const double half = normal_quantile((1 + level) / 2) * sqrt(variance) / weights;
        r.ci = (struct interval){fmax(r.difference - half, -1), fmin(r.difference + half, 1)};
    }
    r.reversed = r.crude * r.difference < 0;
    *ret_adjusted = r;
}
