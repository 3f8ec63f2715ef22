#include "assess/group_gap.h"

#include "base/threads.h"
#include "num/poisson_bootstrap.h"
#include "num/quantile.h"

#include <math.h>
#include <stdlib.h>

/* What the largest deviation is of, in a replicate. */
enum deviation {
    DEVIATION_RANGE,       /* of group's deviations: max - min */
    DEVIATION_LOG_RANGE,   /* the same of logarithms */
    DEVIATION_OVERALL,     /* largest of group - overall */
    DEVIATION_LOG_OVERALL, /* the same of logarithms */
    DEVIATION_GROUP,       /* largest of a group */
    DEVIATIONS
};

struct group_replicates {
    const struct group_set *set;
    uint32_t n;
    double *value, *logarithm; /* (groups + 1) * GROUP_METRICS: as they are; overall last */
    float *deviation;          /* [metric][deviation][replicate] */
    uint64_t seed, stream;     /* for group_replicates_draw */
};

static const struct interval nothing = {NAN, NAN};

static bool
wanted(const struct group_set *s, unsigned m)
{
    return (s->metrics >> m & 1) != 0;
}

static double
log_of(const struct group_set *s, enum group_metric m, const struct group_tally *t)
{
    return group_metric_has_ratio(m) ? log(group_metric_positive(m, t, s->centre)) : (double)NAN;
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

/* Greatest less least, and greatest size, of numbers that exist. */
struct extent {
    double low, high;
};

static void
extent_add(struct extent *e, double v)
{
    if (!isnan(v)) {
        e->low = fmin(e->low, v);
        e->high = fmax(e->high, v);
    }
}

static float
extent_range(const struct extent *e)
{
    return e->high < e->low ? (float)NAN : (float)(e->high - e->low);
}

static float
extent_size(const struct extent *e)
{
    return e->high < e->low ? (float)NAN : (float)fmax(e->high, -e->low);
}

static void
add_metric(struct group_replicates *r, uint32_t replicate, enum group_metric m,
           const struct group_tally *group, const struct group_tally *overall)
{
    const struct group_set *s = r->set;
    const size_t last = (size_t)s->groups * GROUP_METRICS + m;
    struct extent plain = {INFINITY, -INFINITY}, logs = plain, to_plain = plain, to_logs = plain;
    const double all = group_metric_value(m, overall, s->centre) - r->value[last];
    const double log_all = log_of(s, m, overall) - r->logarithm[last];
    for (uint32_t g = 0; g < s->groups; g++) {
        const size_t at = (size_t)g * GROUP_METRICS + m;
        const double d = group_metric_value(m, &group[g], s->centre) - r->value[at];
        const double l = log_of(s, m, &group[g]) - r->logarithm[at];
        extent_add(&plain, d);
        extent_add(&logs, l);
        extent_add(&to_plain, d - all);
        extent_add(&to_logs, l - log_all);
    }
    deviation_at(r, m, DEVIATION_RANGE)[replicate] = extent_range(&plain);
    deviation_at(r, m, DEVIATION_LOG_RANGE)[replicate] = extent_range(&logs);
    deviation_at(r, m, DEVIATION_OVERALL)[replicate] = extent_size(&to_plain);
    deviation_at(r, m, DEVIATION_LOG_OVERALL)[replicate] = extent_size(&to_logs);
    deviation_at(r, m, DEVIATION_GROUP)[replicate] = extent_size(&plain);
}

void
group_replicates_add(struct group_replicates *r, uint32_t replicate,
                     const struct group_tally *group, const struct group_tally *overall)
{
    ASSERT(replicate < r->n);
    for (unsigned m = 0; m < GROUP_METRICS; m++) {
        if (wanted(r->set, m) && group_metric_adds((enum group_metric)m)) {
            add_metric(r, replicate, (enum group_metric)m, group, overall);
        }
    }
}

/* ---- replicates from counts ---- */

static struct group_tally
draw_tally(const struct group_replicates *r, uint32_t replicate, uint32_t place,
           const double count[static GROUP_OUTCOMES])
{
    struct group_tally t = {0};
    for (uint32_t o = 0; o < GROUP_OUTCOMES; o++) {
        const uint64_t cell = r->stream << 32 | (place * GROUP_OUTCOMES + o);
        t.count[o] = (double)poisson_bootstrap_count(r->seed, replicate, cell, (uint64_t)count[o]);
    }
    return t;
}

struct draw {
    struct group_replicates *r;
    struct group_tally *room; /* groups, for each replicate of a wave */
    uint32_t first;
};

static void
draw_one(void *ctx, size_t i)
{
    const struct draw *d = ctx;
    const struct group_set *s = d->r->set;
    const uint32_t replicate = d->first + (uint32_t)i;
    struct group_tally *room = d->room + i * s->groups;
    struct group_tally all = {0};
    double others[GROUP_OUTCOMES];
    memcpy(others, s->overall->count, sizeof others);
    for (uint32_t g = 0; g < s->groups; g++) {
        room[g] = draw_tally(d->r, replicate, g, s->group[g].count);
        for (uint32_t o = 0; o < GROUP_OUTCOMES; o++) {
            others[o] -= s->group[g].count[o];
            all.count[o] += room[g].count[o];
        }
    }
    const struct group_tally rest = draw_tally(d->r, replicate, s->groups, others);
    for (uint32_t o = 0; o < GROUP_OUTCOMES; o++) {
        all.count[o] += rest.count[o];
    }
    group_replicates_add(d->r, replicate, room, &all);
}

struct status
group_replicates_draw(struct group_replicates *r, uint64_t seed, uint64_t stream, unsigned threads)
{
    const uint32_t wave = 4 * (threads == 0 ? threads_cores() : threads);
    DEFER(memory_freep)
    struct group_tally *room = calloc((size_t)wave * r->set->groups + 1, sizeof *room);
    CHECK(room != NULL, MEMORY);
    struct draw d = {r, room, 0};
    r->seed = seed;
    r->stream = stream;
    for (; d.first < r->n; d.first += wave) {
        threads_for(r->n - d.first < wave ? r->n - d.first : wave, threads, draw_one, &d);
    }
    return OK;
}

/* ---- spreads ---- */

/* The level's quantile of the deviations (NaN left out); of two metrics: of the larger one. */
static struct status
reach_of(const struct group_replicates *r, unsigned m, unsigned other, unsigned deviation,
         double *ret_reach)
{
    *ret_reach = NAN;
    if (r == NULL || r->n == 0) {
        return OK;
    }
    DEFER(memory_freep) double *v = calloc(r->n, sizeof *v);
    CHECK(v != NULL, MEMORY);
    const float *a = deviation_at(r, m, deviation), *b = deviation_at(r, other, deviation);
    for (uint32_t i = 0; i < r->n; i++) {
        v[i] = fmax((double)a[i], (double)b[i]);
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

static double
ratio_down(double a, double b)
{
    const double r = a / b;
    return a == 0 && b == 0 ? (double)NAN : r > 1 ? 1 / r : r;
}

struct spread_values {
    double min, max, farthest, ratio_to_overall;
};

static struct spread_values
values_of(const struct group_set *s, enum group_metric m, struct group_gap *gap)
{
    struct spread_values v = {NAN, NAN, NAN, NAN};
    const double overall = group_metric_estimate(m, s->overall, s->centre, s->level).value;
    for (uint32_t g = 0; g < s->groups; g++) {
        const double x = group_metric_estimate(m, &s->group[g], s->centre, s->level).value;
        if (isnan(x)) {
            gap->undefined++;
            continue;
        }
        gap->high = gap->groups == 0 || x > v.max ? g : gap->high;
        gap->low = gap->groups == 0 || x < v.min ? g : gap->low;
        v.max = fmax(v.max, x);
        v.min = fmin(v.min, x);
        v.farthest = fmax(v.farthest, fabs(x - overall));
        v.ratio_to_overall = fmin(v.ratio_to_overall, ratio_down(x, overall));
        gap->groups++;
    }
    return v;
}

/* Where all are the same, low is another group than high: an interval is between two. */
static uint32_t
another(const struct group_set *s, enum group_metric m, uint32_t high)
{
    for (uint32_t g = high + 1; g < s->groups; g++) {
        if (!isnan(group_metric_estimate(m, &s->group[g], s->centre, s->level).value)) {
            return g;
        }
    }
    return high;
}

double
group_gap_level(double level, uint32_t groups)
{
    return groups <= 2 ? level : 1 - (1 - level) / (groups * (groups - 1.0) / 2);
}

/* Between the two extreme groups: exact where there are only two, else where nothing better is. */
static void
put_contrast(const struct group_set *s, enum group_metric m, struct group_gap *gap)
{
    const double level = group_gap_level(s->level, gap->groups);
    const struct group_estimate high =
        group_metric_estimate(m, &s->group[gap->high], s->centre, level);
    const struct group_estimate low =
        group_metric_estimate(m, &s->group[gap->low], s->centre, level);
    const struct group_contrast down = group_contrast_of(m, &high, &low, level),
                                up = group_contrast_of(m, &low, &high, level);
    struct group_number *d = &gap->spread[SPREAD_DIFFERENCE], *q = &gap->spread[SPREAD_RATIO];
    gap->p = fmin(1, down.p * gap->groups * (gap->groups - 1) / 2);
    if (gap->groups == 2 || d->how == GROUP_NO_INTERVAL) {
        d->ci = down.difference_ci;
        d->how = GROUP_ANALYTIC;
    }
    if (!isnan(q->value) && (gap->groups == 2 || q->how == GROUP_NO_INTERVAL)) {
        q->ci = up.ratio_ci;
        q->how = GROUP_ANALYTIC;
    }
}

static void
put_extremes(const struct group_set *s, enum group_metric m, double reach, struct group_gap *gap)
{
    const double least = group_metric_has_ratio(m) ? 0 : (double)-INFINITY;
    const double most =
        group_metric_need(m) == GROUP_NEEDS_DECISION || m == GROUP_R2 || !group_metric_adds(m)
            ? 1
            : (double)INFINITY;
    const double min = group_metric_estimate(m, &s->group[gap->low], s->centre, s->level).value;
    const double max = group_metric_estimate(m, &s->group[gap->high], s->centre, s->level).value;
    gap->spread[SPREAD_MIN] = around(min, reach, least, most);
    gap->spread[SPREAD_MAX] = around(max, reach, least, most);
    if (gap->groups == 1) {
        const struct interval ci =
            group_metric_estimate(m, &s->group[gap->low], s->centre, s->level).ci;
        gap->spread[SPREAD_MIN] = (struct group_number){min, ci, GROUP_ANALYTIC};
        gap->spread[SPREAD_MAX] = (struct group_number){max, ci, GROUP_ANALYTIC};
    }
}

static struct status
gap_of(const struct group_set *s, struct group_replicates *r, enum group_metric m,
       struct group_gap *gap)
{
    double reach[DEVIATIONS];
    *gap = (struct group_gap){.p = NAN};
    const struct spread_values v = values_of(s, m, gap);
    for (unsigned d = 0; d < DEVIATIONS; d++) {
        TRY(reach_of(r, m, m, d, &reach[d]));
    }
    for (unsigned d = 0; !group_metric_adds(m) && d < DEVIATIONS; d++) {
        reach[d] = NAN;
    }
    const bool two = gap->groups > 1; /* one group differs from nobody */
    const double ratio =
        two && group_metric_has_ratio(m) && v.max > 0 ? v.min / v.max : (double)NAN;
    gap->spread[SPREAD_DIFFERENCE] =
        around(two ? v.max - v.min : (double)NAN, reach[DEVIATION_RANGE], 0, INFINITY);
    gap->spread[SPREAD_RATIO] = around_ratio(ratio, reach[DEVIATION_LOG_RANGE]);
    gap->spread[SPREAD_DIFFERENCE_TO_OVERALL] =
        around(v.farthest, reach[DEVIATION_OVERALL], 0, INFINITY);
    gap->spread[SPREAD_RATIO_TO_OVERALL] = around_ratio(
        group_metric_has_ratio(m) ? v.ratio_to_overall : (double)NAN, reach[DEVIATION_LOG_OVERALL]);
    if (gap->groups > 0) {
        put_extremes(s, m, reach[DEVIATION_GROUP], gap);
    }
    if (gap->groups > 1) {
        gap->low = gap->high == gap->low ? another(s, m, gap->high) : gap->low;
        put_contrast(s, m, gap);
    }
    return OK;
}

/* fmax and fmin pass over a NaN, so that one undefined rate leaves the other to decide. */
static struct status
odds_of(struct group_replicates *r, const struct group_gap *tpr, const struct group_gap *fpr,
        bool to_overall, struct group_odds *ret_odds)
{
    const unsigned difference = to_overall ? SPREAD_DIFFERENCE_TO_OVERALL : SPREAD_DIFFERENCE,
                   ratio = to_overall ? SPREAD_RATIO_TO_OVERALL : SPREAD_RATIO;
    const double d1 = tpr->spread[difference].value, d2 = fpr->spread[difference].value;
    const double r1 = tpr->spread[ratio].value, r2 = fpr->spread[ratio].value;
    double reach = NAN, log_reach = NAN;
    TRY(reach_of(r, GROUP_TPR, GROUP_FPR, to_overall ? DEVIATION_OVERALL : DEVIATION_RANGE,
                 &reach));
    TRY(reach_of(r, GROUP_TPR, GROUP_FPR, to_overall ? DEVIATION_LOG_OVERALL : DEVIATION_LOG_RANGE,
                 &log_reach));
    const double d_mean = isnan(d1) ? d2 : isnan(d2) ? d1 : (d1 + d2) / 2;
    const double r_mean = isnan(r1) ? r2 : isnan(r2) ? r1 : (r1 + r2) / 2;
    *ret_odds =
        (struct group_odds){around(fmax(d1, d2), reach, 0, 1), around(d_mean, reach, 0, 1),
                            around_ratio(fmin(r1, r2), log_reach), around_ratio(r_mean, log_reach)};
    return OK;
}

struct status
group_gaps_of(const struct group_set *s, struct group_replicates *r, struct group_gaps *ret_gaps)
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
    TRY(odds_of(r, &ret_gaps->gap[GROUP_TPR], &ret_gaps->gap[GROUP_FPR], false, &ret_gaps->odds));
    return odds_of(r, &ret_gaps->gap[GROUP_TPR], &ret_gaps->gap[GROUP_FPR], true,
                   &ret_gaps->odds_to_overall);
}
