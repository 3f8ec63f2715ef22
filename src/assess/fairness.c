#include "assess/fairness.h"

#include <math.h>

static const char *const metric_words[FAIRNESS_METRICS] = {
    [FAIRNESS_SELECTION_RATE] = "selection_rate",
    [FAIRNESS_TPR] = "tpr",
    [FAIRNESS_FPR] = "fpr",
    [FAIRNESS_TNR] = "tnr",
    [FAIRNESS_FNR] = "fnr",
    [FAIRNESS_PRECISION] = "precision",
    [FAIRNESS_ACCURACY] = "accuracy",
};

const char *
fairness_metric_word(enum fairness_metric m)
{
    ASSERT((unsigned)m < FAIRNESS_METRICS);
    return metric_words[m];
}

uint64_t
fairness_accumulate(const uint8_t *y, const uint8_t *decision, const int32_t *group, size_t rows,
                    uint32_t levels, struct confusion *counts)
{
    uint64_t dropped = 0;
    for (size_t i = 0; i < rows; i++) {
        if (y[i] > 1 || decision[i] > 1 || group[i] < 0) {
            dropped++;
            continue;
        }
        ASSERT((uint32_t)group[i] < levels);
        struct confusion *c = &counts[group[i]];
        if (y[i] == 1) {
            *(decision[i] ? &c->tp : &c->fn) += 1;
        } else {
            *(decision[i] ? &c->fp : &c->tn) += 1;
        }
    }
    return dropped;
}

static struct rate
rate_of(uint64_t x, uint64_t n, double level)
{
    return (struct rate){
        .value = n == 0 ? NAN : (double)x / (double)n,
        .x = x,
        .n = n,
        .ci = interval_wilson((double)x, (double)n, level),
    };
}

static struct fairness_group
group_of(uint32_t index, const struct confusion *c, double level)
{
    struct fairness_group g = {.level = index, .counts = *c};
    const uint64_t positives = c->tp + c->fn, negatives = c->fp + c->tn;
    const uint64_t selected = c->tp + c->fp;
    g.n = positives + negatives;
    g.positives = positives;
    g.metric[FAIRNESS_SELECTION_RATE] = rate_of(selected, g.n, level);
    g.metric[FAIRNESS_TPR] = rate_of(c->tp, positives, level);
    g.metric[FAIRNESS_FPR] = rate_of(c->fp, negatives, level);
    g.metric[FAIRNESS_TNR] = rate_of(c->tn, negatives, level);
    g.metric[FAIRNESS_FNR] = rate_of(c->fn, positives, level);
    g.metric[FAIRNESS_PRECISION] = rate_of(c->tp, selected, level);
    g.metric[FAIRNESS_ACCURACY] = rate_of(c->tp + c->tn, g.n, level);
    return g;
}

/* Sets high, low and undefined; returns how many groups have the rate. Ties: the first group. */
static uint32_t
gap_extremes(const struct fairness_group *group, uint32_t groups, unsigned m,
             struct fairness_gap *gap)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < groups; i++) {
        const struct rate *r = &group[i].metric[m];
        if (r->n == 0) {
            gap->undefined++;
            continue;
        }
        if (found == 0 || r->value > group[gap->high].metric[m].value) {
            gap->high = i;
        }
        if (found == 0 || r->value < group[gap->low].metric[m].value) {
            gap->low = i;
        }
        found++;
    }
    return found;
}

/* Where all rates are the same, low is another group than high: an interval is between two. */
static uint32_t
gap_other(const struct fairness_group *group, uint32_t groups, unsigned m, uint32_t high)
{
    for (uint32_t i = high + 1; i < groups; i++) {
        if (group[i].metric[m].n > 0) {
            return i;
        }
    }
    return high;
}

static struct fairness_gap
gap_of(const struct fairness_group *group, uint32_t groups, unsigned m, double level)
{
    const struct interval none = {NAN, NAN};
    struct fairness_gap gap = {
        .difference = NAN, .ratio = NAN, .difference_ci = none, .ratio_ci = none};
    const uint32_t found = gap_extremes(group, groups, m, &gap);
    if (found == 0) {
        return gap;
    }
    if (gap.high == gap.low) {
        gap.low = gap_other(group, groups, m, gap.high);
    }
    const struct rate *high = &group[gap.high].metric[m], *low = &group[gap.low].metric[m];
    const double hx = (double)high->x, hn = (double)high->n;
    const double lx = (double)low->x, ln = (double)low->n;
    gap.difference = high->value - low->value;
    gap.ratio = high->x == 0 ? NAN : low->value / high->value;
    if (found > 1) {
        gap.difference_ci = interval_newcombe(hx, hn, lx, ln, level);
        gap.ratio_ci = interval_ratio(lx, ln, hx, hn, level);
    }
    return gap;
}

void
fairness_finish(const struct confusion *counts, uint32_t levels, uint64_t dropped, double level,
                struct fairness_group *ret_group, struct fairness_result *ret_result)
{
    struct fairness_result r = {.group = ret_group, .dropped = dropped};
    struct confusion all = {0};
    for (uint32_t i = 0; i < levels; i++) {
        const struct confusion *c = &counts[i];
        all.tp += c->tp;
        all.fp += c->fp;
        all.tn += c->tn;
        all.fn += c->fn;
        if (c->tp + c->fp + c->tn + c->fn > 0) {
            ret_group[r.groups++] = group_of(i, c, level);
        }
    }
    r.overall = group_of(0, &all, level);
    for (unsigned m = 0; m < FAIRNESS_METRICS; m++) {
        r.gap[m] = gap_of(ret_group, r.groups, m, level);
    }
    r.demographic_parity_difference = r.gap[FAIRNESS_SELECTION_RATE].difference;
    r.demographic_parity_ratio = r.gap[FAIRNESS_SELECTION_RATE].ratio;
    /* fmax and fmin pass over a NaN, so that one undefined rate leaves the other to decide. */
    r.equalized_odds_difference =
        fmax(r.gap[FAIRNESS_TPR].difference, r.gap[FAIRNESS_FPR].difference);
    r.equalized_odds_ratio = fmin(r.gap[FAIRNESS_TPR].ratio, r.gap[FAIRNESS_FPR].ratio);
    *ret_result = r;
}

void
fairness_cross(const int32_t *a, const int32_t *b, uint32_t b_levels, size_t rows,
               int32_t *ret_cell)
{
    for (size_t i = 0; i < rows; i++) {
        if (a[i] < 0 || b[i] < 0) {
            ret_cell[i] = -1;
            continue;
        }
        const uint64_t cell = (uint64_t)a[i] * b_levels + (uint64_t)b[i];
        ASSERT((uint32_t)b[i] < b_levels && cell <= INT32_MAX);
        ret_cell[i] = (int32_t)cell;
    }
}
