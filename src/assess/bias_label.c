/* Bias of the outcome between a facet and the others, overall and within strata. */
#include "assess/bias.h"
#include "num/cross.h"
#include "num/normal.h"
#include "num/poisson_bootstrap.h"
#include "num/tail.h"

#include <math.h>
#include <stdlib.h>

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
collapse(const struct bias_facets *f, uint32_t d, uint64_t *cells)
{
    for (uint32_t s = 0; s < f->strata; s++) {
        const uint64_t *n = f->count + ((size_t)s * f->groups + d) * 2, *all = f->total + 2 * s;
        uint64_t *cell = cells + (size_t)s * 4;
        cell[A0] = all[0] - n[0];
        cell[A1] = all[1] - n[1];
        cell[D0] = n[0];
        cell[D1] = n[1];
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

/* A replicate's sums over strata: of all groups, and of each. */
struct replica {
    uint64_t all[2];
    double rows;
    struct {
        uint64_t n[2];
        double sum; /* of rows times share of the negatives less share of the positives */
    } group[];
};

/* One stratum's cells, drawn into n[groups * 2]. A share of no rows is 0, as everywhere. */
static void
draw_stratum(const struct bias_facets *f, uint32_t replicate, uint32_t s, uint64_t *n,
             struct replica *r)
{
    uint64_t all[2] = {0};
    const size_t first = (size_t)s * f->groups * 2;
    for (size_t k = 0; k < (size_t)f->groups * 2; k++) {
        const uint64_t rows = f->count[first + k];
        n[k] = rows == 0 ? 0 : poisson_bootstrap_count(f->o.seed, replicate, first + k, rows);
        all[k % 2] += n[k];
    }
    const double here = (double)all[0] + (double)all[1];
    const double each[2] = {all[0] > 0 ? here / (double)all[0] : 0,
                            all[1] > 0 ? here / (double)all[1] : 0};
    for (size_t g = 0; g < f->groups; g++) {
        r->group[g].n[0] += n[2 * g];
        r->group[g].n[1] += n[2 * g + 1];
        r->group[g].sum += (double)n[2 * g] * each[0] - (double)n[2 * g + 1] * each[1];
    }
    r->all[0] += all[0];
    r->all[1] += all[1];
    r->rows += here;
}

static void
put_replica(const struct bias_facets *f, uint32_t replicate, const struct replica *r)
{
    const uint32_t n = f->o.replicates;
    const bool both = r->all[0] > 0 && r->all[1] > 0;
    for (size_t g = 0; g < f->groups; g++) {
        double value[BIAS_METRICS], *to = f->values + g * 3 * n + replicate;
        const uint64_t *d = r->group[g].n, a[2] = {r->all[0] - d[0], r->all[1] - d[1]};
        bias_divergences(a, d, 2, value);
        to[0] = value[BIAS_KL];
        to[n] = value[BIAS_JS];
        to[2 * (size_t)n] = both ? r->group[g].sum / r->rows : (double)NAN;
    }
}

static struct status
draw_replicates(const struct bias_facets *f)
{
    const size_t size =
        sizeof(struct replica) + f->groups * sizeof(((struct replica *)0)->group[0]);
    DEFER(memory_freep) struct replica *r = malloc(size);
    DEFER(memory_freep) uint64_t *n = calloc((size_t)f->groups * 2 + 1, sizeof *n);
    CHECK(r != NULL && n != NULL, MEMORY);
    for (uint32_t k = 0; k < f->o.replicates; k++) {
        memset(r, 0, size);
        for (uint32_t s = 0; s < f->strata; s++) {
            draw_stratum(f, k, s, n, r);
        }
        put_replica(f, k, r);
    }
    return OK;
}

size_t
bias_facets_drawn(const uint64_t *count, uint32_t strata, uint32_t groups)
{
    size_t n = 0;
    for (size_t k = 0; k < (size_t)strata * groups * 2; k++) {
        n += count[k] > 0;
    }
    return n;
}

void
bias_facets_done(struct bias_facets *f)
{
    free(f->total);
    free(f->values);
}

struct status
bias_facets_init(const uint64_t *count, uint32_t strata, uint32_t groups,
                 const struct bias_options *o, struct bias_facets *ret_facets)
{
    DEFER(bias_facets_done)
    struct bias_facets f = {.count = count, .strata = strata, .groups = groups, .o = *o};
    f.total = calloc((size_t)strata * 2 + 1, sizeof *f.total);
    f.values = calloc((size_t)groups * 3 * o->replicates + 1, sizeof *f.values);
    CHECK(f.total != NULL && f.values != NULL, MEMORY);
    for (size_t s = 0; s < strata; s++) {
        for (size_t k = 0; k < (size_t)groups * 2; k++) {
            f.total[2 * s + k % 2] += count[s * groups * 2 + k];
        }
    }
    TRY(draw_replicates(&f));
    *ret_facets = f;
    f = (struct bias_facets){0};
    return OK;
}

static void
bootstrap(const struct bias_facets *facets, uint32_t d, struct bias_facet *f)
{
    static const enum bias_metric drawn[] = {BIAS_KL, BIAS_JS, BIAS_CDDL};
    const uint32_t n = facets->o.replicates;
    for (size_t k = 0; k < 3; k++) {
        size_t kept = 0;
        f->metric[drawn[k]].ci = poisson_bootstrap_interval(
            facets->values + ((size_t)d * 3 + k) * n, n, facets->o.level, &kept);
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
bias_facet_finish(const struct bias_facets *facets, uint32_t d, uint64_t *ret_cells,
                  struct bias_facet *ret_facet)
{
    struct bias_facet f = {0};
    uint64_t all[4];
    double value[BIAS_METRICS], df = 0;
    collapse(facets, d, ret_cells);
    total_of(ret_cells, facets->strata, all);
    f.n_a = all[A0] + all[A1];
    f.n_d = all[D0] + all[D1];
    f.positive_a = all[A1];
    f.positive_d = all[D1];
    bias_divergences(all, all + 2, 2, value);
    const bool both = f.n_a > 0 && f.n_d > 0;
    value[BIAS_CI] = both ? ((double)f.n_a - (double)f.n_d) / ((double)f.n_a + (double)f.n_d) : NAN;
    value[BIAS_DPL] = both ? share(all[A1], all[A0]) - share(all[D1], all[D0]) : NAN;
    value[BIAS_CDDL] = both ? cddl_of(ret_cells, facets->strata) : NAN;
    for (unsigned m = 0; m < BIAS_METRICS; m++) {
        f.metric[m] = (struct bias_value){value[m], none};
    }
    if (both) {
        analytic(&f, facets->o.level);
        bootstrap(facets, d, &f);
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
