#include "assess/group_overall.h"

#include <math.h>

#define STEPS 50
#define FAR 0x1p50

/* weight * rate: the rate in the group and in the rest, the group's share of its denominator. */
struct part {
    double weight, share;
    struct group_estimate group, rest;
};

static struct part
part_of(enum group_metric m, double weight, const struct group_tally *group,
        const struct group_tally *all, double level)
{
    const struct group_tally rest = group_tally_less(all, group);
    const double n = group_metric_denominator(m, all), others = group_metric_denominator(m, &rest);
    return (struct part){weight, others > 1e-9 * n ? 1 - others / n : 1,
                         group_metric_estimate(m, group, 0, level),
                         group_metric_estimate(m, &rest, 0, level)};
}

static size_t
parts_of(enum group_metric m, const struct group_tally *group, const struct group_tally *all,
         double level, struct part ret_parts[static 2])
{
    if (m == GROUP_BALANCED_ACCURACY) {
        ret_parts[0] = part_of(GROUP_TPR, 0.5, group, all, level);
        ret_parts[1] = part_of(GROUP_TNR, 0.5, group, all, level);
        return 2;
    }
    ret_parts[0] = part_of(m, 1, group, all, level);
    return 1;
}

struct sum {
    double value, below, above; /* squares of the distances to the ends */
};

static void
add_times(struct sum *s, double factor, const struct group_estimate *e)
{
    if (factor != 0) { /* else there may be no such rows */
        const double a = factor * (e->value - e->ci.low), b = factor * (e->ci.high - e->value);
        s->value += factor * e->value;
        s->below += factor > 0 ? a * a : b * b;
        s->above += factor > 0 ? b * b : a * a;
    }
}

/* Of group - ratio * all. */
static struct interval
less_times(const struct part *parts, size_t n, double ratio)
{
    struct sum s = {0};
    for (size_t i = 0; i < n; i++) {
        const struct part *p = &parts[i];
        add_times(&s, p->weight * (1 - ratio * p->share), &p->group);
        add_times(&s, -p->weight * ratio * (1 - p->share), &p->rest);
    }
    return (struct interval){s.value - sqrt(s.below), s.value + sqrt(s.above)};
}

/* The ratio up to which the lower end is above 0, or from which on the upper one is below it. */
static double
ratio_end(const struct part *parts, size_t n, bool upper)
{
    double low = 0, high = 1; /* of ratio / (1 + ratio) */
    if (!upper && less_times(parts, n, 0).low <= 0) {
        return 0;
    }
    if (upper && less_times(parts, n, FAR).high >= 0) {
        return INFINITY;
    }
    for (int i = 0; i < STEPS; i++) {
        const double middle = (low + high) / 2;
        const struct interval ci = less_times(parts, n, middle / (1 - middle));
        *((upper ? ci.high < 0 : ci.low <= 0) ? &high : &low) = middle;
    }
    return upper ? high / (1 - high) : low / (1 - low);
}

struct group_contrast
group_overall(enum group_metric m, const struct group_tally *group, const struct group_tally *all,
              double level)
{
    const struct interval nothing = {NAN, NAN};
    const double a = group_metric_value(m, group, 0), b = group_metric_value(m, all, 0);
    struct group_contrast c = {NAN, NAN, nothing, nothing};
    struct part parts[2];
    const size_t n = parts_of(m, group, all, level, parts);
    if (isnan(a) || isnan(b)) {
        return c;
    }
    const bool whole = parts[0].share == 1 && parts[n - 1].share == 1;
    c.difference = whole ? 0 : a - b;
    c.difference_ci = whole ? (struct interval){0, 0} : less_times(parts, n, 1);
    if (b > 0) {
        c.ratio = whole ? 1 : a / b;
        c.ratio_ci = whole
                         ? (struct interval){1, 1}
                         : (struct interval){ratio_end(parts, n, false), ratio_end(parts, n, true)};
    }
    return c;
}
