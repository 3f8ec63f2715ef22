#include "assess/group_gap.h"

#include "assess/group_overall.h"
#include "num/normal.h"
#include "num/quantile.h"

#include <math.h>
#include <stdlib.h>

/* What the largest deviation of a group is from, in a replicate. */
enum deviation {
    DEVIATION_OVERALL,
    DEVIATION_LOG_OVERALL, /* the same of logarithms */
    DEVIATIONS
};

struct group_replicates {
    const struct group_set *set;
    uint32_t n;
    double *value, *logarithm; /* (groups + 1) * GROUP_METRICS: as they are; overall last */
    float *deviation;          /* [metric][deviation][replicate] */
};

static const struct interval nothing = {NAN, NAN};

static bool
wanted(const struct group_set *s, unsigned m)
{
    return (s->metrics >> m & 1) != 0;
}

bool
group_gap_bootstraps(enum group_metric m)
{
    return group_metric_adds(m) && group_metric_need(m) != GROUP_NEEDS_DECISION;
}

static double
log_of(const struct group_set *s, enum group_metric m, const struct group_tally *t)
{
    return group_metric_has_ratio(m) ? log(group_metric_value(m, t, s->centre)) : (double)NAN;
}

void
group_replicates_free(struct group_replicates *r)
{
    if (r != NULL) {
        free(r->value);
        free(r->logarithm);
        free(r->deviation);
        free(r);
    }
}

struct status
group_replicates_new(const struct group_set *s, uint32_t replicates,
                     struct group_replicates **ret_replicates)
{
    const size_t values = ((size_t)s->groups + 1) * GROUP_METRICS;
    DEFER(group_replicates_freep) struct group_replicates *r = calloc(1, sizeof *r);
    CHECK(r != NULL, MEMORY);
    r->set = s;
    r->n = replicates;
    r->value = calloc(values, sizeof *r->value);
    r->logarithm = calloc(values, sizeof *r->logarithm);
    r->deviation =
        calloc((size_t)replicates * GROUP_METRICS * DEVIATIONS + 1, sizeof *r->deviation);
    CHECK(r->value != NULL && r->logarithm != NULL && r->deviation != NULL, MEMORY);
    for (uint32_t g = 0; g <= s->groups; g++) {
        const struct group_tally *t = g == s->groups ? s->overall : &s->group[g];
        for (unsigned m = 0; m < GROUP_METRICS; m++) {
            r->value[g * GROUP_METRICS + m] =
                group_metric_value((enum group_metric)m, t, s->centre);
            r->logarithm[g * GROUP_METRICS + m] = log_of(s, (enum group_metric)m, t);
        }
    }
    *ret_replicates = MOVE(r);
    return OK;
}

static float *
deviation_at(const struct group_replicates *r, unsigned m, unsigned d)
{
    return r->deviation + ((size_t)m * DEVIATIONS + d) * r->n;
}

/* fmax passes over a NaN: the largest of the sizes that exist. */
static void
add_metric(struct group_replicates *r, uint32_t replicate, enum group_metric m,
           const struct group_tally *group, const struct group_tally *overall)
{
    const struct group_set *s = r->set;
    const size_t last = (size_t)s->groups * GROUP_METRICS + m;
    const double all = group_metric_value(m, overall, s->centre) - r->value[last];
    const double log_all = log_of(s, m, overall) - r->logarithm[last];
    double plain = NAN, logs = NAN;
    for (uint32_t g = 0; g < s->groups; g++) {
        const size_t at = (size_t)g * GROUP_METRICS + m;
        const double d = group_metric_value(m, &group[g], s->centre) - r->value[at];
        const double l = log_of(s, m, &group[g]) - r->logarithm[at];
        plain = fmax(plain, fabs(d - all));
        logs = fmax(logs, fabs(l - log_all));
    }
    deviation_at(r, m, DEVIATION_OVERALL)[replicate] = (float)plain;
    deviation_at(r, m, DEVIATION_LOG_OVERALL)[replicate] = (float)logs;
}

void
group_replicates_add(struct group_replicates *r, uint32_t replicate,
                     const struct group_tally *group, const struct group_tally *overall)
{
    ASSERT(replicate < r->n);
    for (unsigned m = 0; m < GROUP_METRICS; m++) {
        if (wanted(r->set, m) && group_gap_bootstraps((enum group_metric)m)) {
            add_metric(r, replicate, (enum group_metric)m, group, overall);
        }
    }
}

/* ---- bootstrap intervals ---- */

/* The level's quantile of the deviations (NaN left out). */
static struct status
reach_of(const struct group_replicates *r, unsigned m, unsigned deviation, double *ret_reach)
{
    *ret_reach = NAN;
    if (r == NULL || r->n == 0) {
        return OK;
    }
    DEFER(memory_freep) double *v = calloc(r->n, sizeof *v);
    CHECK(v != NULL, MEMORY);
    const float *deviations = deviation_at(r, m, deviation);
    for (uint32_t i = 0; i < r->n; i++) {
        v[i] = (double)deviations[i];
    }
    const size_t kept = quantile_sort(v, r->n);
    if (kept > 1) {
        *ret_reach = quantile_sorted(v, kept, r->set->level);
    }
    return OK;
}

static struct group_number
around(double value, double reach, double least, double most)
{
    struct group_number x = {value, nothing, GROUP_NO_INTERVAL};
    if (!isnan(value) && !isnan(reach)) {
        x.ci = (struct interval){fmax(least, value - reach), fmin(most, value + reach)};
        x.how = GROUP_BOOTSTRAP;
    }
    return x;
}

static struct group_number
around_ratio(double value, double reach)
{
    struct group_number x = {value, nothing, GROUP_NO_INTERVAL};
    if (!isnan(value) && !isnan(reach)) {
        x.ci = (struct interval){value * exp(-reach), value > 0 ? fmin(1, value * exp(reach)) : 1};
        x.how = GROUP_BOOTSTRAP;
    }
    return x;
}

/* ---- the groups that have the metric ---- */

struct rated {
    const struct group_set *s;
    enum group_metric m;
    uint32_t n, *at;          /* indices of groups */
    struct group_estimate *e; /* at one level */
};

static void
rated_done(struct rated *r)
{
    free(r->at);
    free(r->e);
}

static void
rate_at(struct rated *r, double level)
{
    for (uint32_t i = 0; i < r->n; i++) {
        r->e[i] = group_metric_estimate(r->m, &r->s->group[r->at[i]], r->s->centre, level);
    }
}

static struct status
rated_make(const struct group_set *s, enum group_metric m, struct rated *ret_rated)
{
    DEFER(rated_done) struct rated r = {.s = s, .m = m};
    r.at = calloc((size_t)s->groups + 1, sizeof *r.at);
    r.e = calloc((size_t)s->groups + 1, sizeof *r.e);
    CHECK(r.at != NULL && r.e != NULL, MEMORY);
    for (uint32_t g = 0; g < s->groups; g++) {
        if (!isnan(group_metric_estimate(m, &s->group[g], s->centre, s->level).value)) {
            r.at[r.n++] = g;
        }
    }
    rate_at(&r, s->level);
    *ret_rated = r;
    r = (struct rated){0};
    return OK;
}

/* ---- between groups ---- */

double
group_gap_level(double level, uint32_t groups)
{
    return groups <= 2 ? level : 1 - (1 - level) / (groups * (groups - 1.0) / 2);
}

struct bounds {
    struct interval difference, ratio;
};

/* Of all pairs, whose intervals hold together: the largest difference is at least the largest of
 * their lower ends and at most the largest of their upper ones; the ratio likewise. */
static struct bounds
bounds_of(struct rated *r, double level)
{
    struct bounds b = {{0, -INFINITY}, {INFINITY, INFINITY}};
    rate_at(r, group_gap_level(level, r->n));
    for (uint32_t i = 0; i < r->n; i++) {
        for (uint32_t j = 0; j < r->n; j++) {
            if (i == j) {
                continue;
            }
            const struct group_contrast c = group_contrast_of(r->m, &r->e[i], &r->e[j]);
            if (isnan(c.difference_ci.low)) {
                return (struct bounds){nothing, nothing};
            }
            b.difference.low = fmax(b.difference.low, c.difference_ci.low);
            b.difference.high = fmax(b.difference.high, c.difference_ci.high);
            b.ratio.low = fmin(b.ratio.low, c.ratio_ci.low);
            b.ratio.high = fmin(b.ratio.high, c.ratio_ci.high);
        }
    }
    b.ratio = isinf(b.ratio.low) ? nothing : (struct interval){b.ratio.low, fmin(1, b.ratio.high)};
    return b;
}

struct pair {
    uint32_t i, j;
};

/* Those of the pairs that differ at that level come first; how many. */
static size_t
keep_different(struct rated *r, double level, struct pair *pairs, size_t n)
{
    size_t kept = 0;
    rate_at(r, level);
    for (size_t k = 0; k < n; k++) {
        const struct pair p = pairs[k];
        if (group_differ(&r->e[p.i], &r->e[p.j])) {
            pairs[k] = pairs[kept];
            pairs[kept++] = p;
        }
    }
    return kept;
}

/* The smallest p of the pairs, times their number: what the interval says at every level. */
static struct status
p_of(struct rated *r, double *ret_p)
{
    const size_t all = (size_t)r->n * (r->n - 1) / 2;
    size_t n = 0, kept = 0;
    DEFER(memory_freep) struct pair *pairs = malloc((all + 1) * sizeof *pairs);
    CHECK(pairs != NULL, MEMORY);
    for (uint32_t i = 0; i < r->n; i++) {
        for (uint32_t j = 0; j < i; j++) {
            pairs[n++] = (struct pair){i, j};
        }
    }
    double low = 0, high = GROUP_Z_MAX;
    for (int i = 0; i < GROUP_P_STEPS; i++) {
        const double z = (low + high) / 2;
        kept = keep_different(r, 1 - 2 * normal_cdf(-z), pairs, n);
        n = kept > 0 ? kept : n;
        *(kept > 0 ? &low : &high) = z;
    }
    *ret_p = fmin(1, 2 * normal_cdf(-low) * (double)all);
    return OK;
}

static struct group_number
analytic(double value, struct interval ci)
{
    const bool none = isnan(value) || isnan(ci.low);
    return none ? (struct group_number){value, nothing, GROUP_NO_INTERVAL}
                : (struct group_number){value, ci, GROUP_ANALYTIC};
}

/* ---- to overall ---- */

/* Of a metric that does not add: normal, with the covariance of group and overall. Where a group's
 * error is 0 or unknown, as if the two were independent, which is wider. */
static struct group_contrast
distance_of(const struct rated *r, uint32_t i, const struct group_estimate *all, double z)
{
    const struct group_estimate *e = &r->e[i];
    struct group_contrast c = group_contrast_of(r->m, e, all);
    const double both = group_metric_covariance(r->m, &r->s->group[r->at[i]]);
    if (e->se > 0 && all->se > 0 && e->value > 0) {
        const double half = z * sqrt(fmax(0, e->se * e->se + all->se * all->se - 2 * both));
        const double x = e->se / e->value, y = all->se / all->value;
        const double spread = x * x + y * y - 2 * both / (e->value * all->value);
        const double wide = z * sqrt(fmax(0, spread));
        c.difference_ci = (struct interval){c.difference - half, c.difference + half};
        c.ratio_ci = (struct interval){c.ratio * exp(-wide), c.ratio * exp(wide)};
    }
    return c;
}

static double
farthest(struct interval x)
{
    return fmax(fabs(x.low), fabs(x.high));
}

static double
nearest(struct interval x)
{
    return x.low > 0 ? x.low : x.high < 0 ? -x.high : 0;
}

static bool
is_of_decisions(enum group_metric m)
{
    return group_metric_need(m) == GROUP_NEEDS_DECISION;
}

/* Of two groups that are all rows, one is as far from them as the other says. */
static bool
is_one_comparison(const struct rated *r)
{
    if (r->n != 2 || !is_of_decisions(r->m) || r->m == GROUP_BALANCED_ACCURACY) {
        return r->n == 1;
    }
    const double n = group_metric_denominator(r->m, &r->s->group[r->at[0]]) +
                     group_metric_denominator(r->m, &r->s->group[r->at[1]]);
    return n >= (1 - 1e-9) * group_metric_denominator(r->m, r->s->overall);
}

/* Bonferroni over the groups. */
static struct bounds
distances_of(struct rated *r, double together)
{
    const double level = is_one_comparison(r) ? together : 1 - (1 - together) / r->n;
    const double z = -normal_quantile((1 - level) / 2);
    const struct group_estimate all =
        group_metric_estimate(r->m, r->s->overall, r->s->centre, level);
    struct bounds b = {{0, 0}, {1, 1}};
    rate_at(r, level);
    for (uint32_t i = 0; i < r->n; i++) {
        const struct group_contrast c =
            is_of_decisions(r->m)
                ? group_overall(r->m, &r->s->group[r->at[i]], r->s->overall, level)
                : distance_of(r, i, &all, z);
        const struct interval logs = {log(c.ratio_ci.low), log(c.ratio_ci.high)};
        if (isnan(c.difference_ci.low)) {
            return (struct bounds){nothing, nothing};
        }
        b.difference.low = fmax(b.difference.low, nearest(c.difference_ci));
        b.difference.high = fmax(b.difference.high, farthest(c.difference_ci));
        b.ratio.low = fmin(b.ratio.low, exp(-farthest(logs)));
        b.ratio.high = fmin(b.ratio.high, exp(-nearest(logs)));
    }
    return b;
}

static double
ratio_down(double a, double b)
{
    const double r = a / b;
    return a == 0 && b == 0 ? (double)NAN : r > 1 ? 1 / r : r;
}

static struct status
put_to_overall(struct rated *r, const struct group_replicates *replicates, struct group_gap *gap)
{
    const struct group_set *s = r->s;
    const struct group_estimate all = group_metric_estimate(r->m, s->overall, s->centre, s->level);
    double far = NAN, ratio = NAN, reach = NAN, log_reach = NAN;
    for (uint32_t i = 0; i < r->n; i++) {
        far = fmax(far, fabs(r->e[i].value - all.value));
        ratio = fmin(ratio, ratio_down(r->e[i].value, all.value));
    }
    ratio = group_metric_has_ratio(r->m) ? ratio : (double)NAN;
    if (group_gap_bootstraps(r->m)) {
        TRY(reach_of(replicates, r->m, DEVIATION_OVERALL, &reach));
        TRY(reach_of(replicates, r->m, DEVIATION_LOG_OVERALL, &log_reach));
        gap->spread[SPREAD_DIFFERENCE_TO_OVERALL] = around(far, reach, 0, INFINITY);
        gap->spread[SPREAD_RATIO_TO_OVERALL] = around_ratio(ratio, log_reach);
        return OK;
    }
    const bool alone = r->n == 1 && s->groups > 1; /* what the others' rows would say is unknown */
    const struct bounds b = alone ? (struct bounds){nothing, nothing} : distances_of(r, s->level);
    gap->spread[SPREAD_DIFFERENCE_TO_OVERALL] = analytic(far, b.difference);
    gap->spread[SPREAD_RATIO_TO_OVERALL] = analytic(ratio, b.ratio);
    return OK;
}

/* ---- one metric ---- */

/* Of independent groups, each at a level such that all hold together. */
static void
put_extremes(struct rated *r, struct group_gap *gap)
{
    struct interval min = {INFINITY, INFINITY}, max = {-INFINITY, -INFINITY};
    double least = INFINITY, most = -INFINITY;
    bool known = true;
    rate_at(r, pow(r->s->level, 1.0 / r->n));
    for (uint32_t i = 0; i < r->n; i++) {
        const struct group_estimate *e = &r->e[i];
        known = known && !isnan(e->ci.low);
        gap->high = e->value > most ? r->at[i] : gap->high;
        gap->low = e->value < least ? r->at[i] : gap->low;
        most = fmax(most, e->value);
        least = fmin(least, e->value);
        min = (struct interval){fmin(min.low, e->ci.low), fmin(min.high, e->ci.high)};
        max = (struct interval){fmax(max.low, e->ci.low), fmax(max.high, e->ci.high)};
    }
    gap->spread[SPREAD_MIN] = analytic(least, known ? min : nothing);
    gap->spread[SPREAD_MAX] = analytic(most, known ? max : nothing);
}

/* Where all are the same, low is another group than high. */
static void
put_between(struct rated *r, struct group_gap *gap)
{
    const double most = gap->spread[SPREAD_MAX].value, least = gap->spread[SPREAD_MIN].value;
    const bool ratio = group_metric_has_ratio(r->m) && most > 0;
    const struct bounds b = bounds_of(r, r->s->level);
    if (gap->high == gap->low) {
        gap->low = r->at[gap->high == r->at[0] ? 1 : 0];
    }
    gap->spread[SPREAD_DIFFERENCE] = analytic(most - least, b.difference);
    gap->spread[SPREAD_RATIO] = analytic(ratio ? least / most : (double)NAN, b.ratio);
}

static struct status
gap_of(const struct group_set *s, const struct group_replicates *replicates, enum group_metric m,
       struct group_gap *gap)
{
    DEFER(rated_done) struct rated r = {0};
    TRY(rated_make(s, m, &r));
    *gap = (struct group_gap){.p = NAN, .groups = r.n, .undefined = s->groups - r.n};
    for (unsigned k = 0; k < GROUP_SPREADS; k++) {
        gap->spread[k] = (struct group_number){NAN, nothing, GROUP_NO_INTERVAL};
    }
    if (r.n == 0) {
        return OK;
    }
    TRY(put_to_overall(&r, replicates, gap));
    put_extremes(&r, gap);
    if (r.n > 1) { /* one group differs from nobody */
        put_between(&r, gap);
        return gap->spread[SPREAD_DIFFERENCE].how == GROUP_ANALYTIC ? p_of(&r, &gap->p) : OK;
    }
    return OK;
}

/* ---- equalized odds ---- */

/* Bounds of a rate between groups or to overall, at a level such that those of both rates, which
 * are of different rows, hold together; nothing where too few groups have it. */
static struct status
odds_bounds(const struct group_set *s, enum group_metric m, double level, bool to_overall,
            struct bounds *ret_bounds)
{
    DEFER(rated_done) struct rated r = {0};
    *ret_bounds = (struct bounds){nothing, nothing};
    TRY(rated_make(s, m, &r));
    if (to_overall && (r.n > 1 || s->groups == 1)) {
        *ret_bounds = distances_of(&r, level);
    } else if (r.n > 1) {
        *ret_bounds = bounds_of(&r, level);
    }
    return OK;
}

static struct interval
middle(struct interval a, struct interval b)
{
    return isnan(a.low)   ? b
           : isnan(b.low) ? a
                          : (struct interval){(a.low + b.low) / 2, (a.high + b.high) / 2};
}

static double
mean_of(double a, double b)
{
    return isnan(a) ? b : isnan(b) ? a : (a + b) / 2;
}

/* fmax and fmin pass over a NaN, so that one undefined rate leaves the other to decide. */
static struct status
odds_of(const struct group_set *s, const struct group_gap *tpr, const struct group_gap *fpr,
        bool to_overall, struct group_odds *ret_odds)
{
    const unsigned d = to_overall ? SPREAD_DIFFERENCE_TO_OVERALL : SPREAD_DIFFERENCE,
                   q = to_overall ? SPREAD_RATIO_TO_OVERALL : SPREAD_RATIO;
    const double d1 = tpr->spread[d].value, r1 = tpr->spread[q].value;
    const double d2 = fpr->spread[d].value, r2 = fpr->spread[q].value;
    const uint32_t least = to_overall && s->groups == 1 ? 0 : 1;
    const double level = tpr->groups > least && fpr->groups > least ? sqrt(s->level) : s->level;
    struct bounds a, b;
    TRY(odds_bounds(s, GROUP_TPR, level, to_overall, &a));
    TRY(odds_bounds(s, GROUP_FPR, level, to_overall, &b));
    const struct interval worst = {fmax(a.difference.low, b.difference.low),
                                   fmax(a.difference.high, b.difference.high)},
                          worst_ratio = {fmin(a.ratio.low, b.ratio.low),
                                         fmin(a.ratio.high, b.ratio.high)};
    *ret_odds = (struct group_odds){analytic(fmax(d1, d2), worst),
                                    analytic(mean_of(d1, d2), middle(a.difference, b.difference)),
                                    analytic(fmin(r1, r2), worst_ratio),
                                    analytic(mean_of(r1, r2), middle(a.ratio, b.ratio))};
    return OK;
}

struct status
group_gaps_of(const struct group_set *s, const struct group_replicates *r,
              struct group_gaps *ret_gaps)
{
    memset(ret_gaps, 0, sizeof *ret_gaps);
    ret_gaps->replicates = r == NULL ? 0 : r->n;
    for (unsigned m = 0; m < GROUP_METRICS; m++) {
        if (wanted(s, m)) {
            TRY(gap_of(s, r, (enum group_metric)m, &ret_gaps->gap[m]));
        }
    }
    if (!wanted(s, GROUP_TPR)) {
        return OK;
    }
    const struct group_gap *tpr = &ret_gaps->gap[GROUP_TPR], *fpr = &ret_gaps->gap[GROUP_FPR];
    TRY(odds_of(s, tpr, fpr, false, &ret_gaps->odds));
    return odds_of(s, tpr, fpr, true, &ret_gaps->odds_to_overall);
}

struct status
group_gap_other(const struct group_set *s, struct group_number *ret_ratio)
{
    DEFER(memory_freep) struct group_tally *other = calloc((size_t)s->groups + 1, sizeof *other);
    CHECK(other != NULL, MEMORY);
    for (uint32_t g = 0; g < s->groups; g++) {
        const struct group_tally *t = &s->group[g];
        other[g] = (struct group_tally){
            .rows = t->rows,
            .count = {[GROUP_TP] = t->count[GROUP_FN] + t->count[GROUP_TN],
                      [GROUP_FN] = t->count[GROUP_TP] + t->count[GROUP_FP]},
            .count2 = {[GROUP_TP] = t->count2[GROUP_FN] + t->count2[GROUP_TN],
                       [GROUP_FN] = t->count2[GROUP_TP] + t->count2[GROUP_FP]}};
    }
    struct group_set turned = *s;
    struct group_gap gap;
    turned.group = other;
    TRY(gap_of(&turned, NULL, GROUP_SELECTION_RATE, &gap));
    *ret_ratio = gap.spread[SPREAD_RATIO];
    return OK;
}
