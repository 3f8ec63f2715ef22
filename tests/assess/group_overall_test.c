/* assess/group_overall: distances of a group to all rows, which it is part of. */
#include "testing/testing.h"

#include "assess/group_gap.h"
#include "assess/group_overall.h"
#include "num/rng.h"

#include <math.h>

static struct group_tally
tally_of(double tp, double fp, double tn, double fn)
{
    struct group_tally t = {.rows = (uint64_t)(tp + fp + tn + fn),
                            .count = {tp, fp, tn, fn},
                            .count2 = {tp, fp, tn, fn}};
    group_tally_forget(&t);
    return t;
}

static struct group_tally
sum_of(const struct group_tally *t, size_t n)
{
    struct group_tally all = tally_of(0, 0, 0, 0);
    for (size_t i = 0; i < n; i++) {
        group_tally_add(&all, &t[i]);
    }
    return all;
}

static const enum group_metric kinds[] = {GROUP_SELECTION_RATE, GROUP_TPR, GROUP_PRECISION,
                                          GROUP_BALANCED_ACCURACY, GROUP_F1};
#define KINDS (sizeof kinds / sizeof *kinds)

/* ---- limits ---- */

static void
what_does_not_exist_stays_so(void **state)
{
    (void)state;
    const struct group_tally none = tally_of(0, 0, 3, 0), other = tally_of(4, 2, 5, 1);
    const struct group_tally two[2] = {none, other}, all = sum_of(two, 2);
    struct group_contrast c = group_overall(GROUP_TPR, &none, &all, 0.95);
    assert_true(isnan(c.difference) && isnan(c.difference_ci.low) && isnan(c.ratio));
    const struct group_tally idle[2] = {none, none}, both = sum_of(idle, 2);
    c = group_overall(GROUP_SELECTION_RATE, &none, &both, 0.95);
    assert_true(c.difference == 0 && isnan(c.ratio));
    assert_true(c.difference_ci.low < 0 && c.difference_ci.high > 0);
}

static void
a_group_that_is_all_rows_is_no_distance_away(void **state)
{
    (void)state;
    const struct group_tally t = tally_of(4, 2, 5, 1);
    for (size_t k = 0; k < KINDS; k++) {
        const struct group_contrast c = group_overall(kinds[k], &t, &t, 0.95);
        assert_true(c.difference == 0 && c.ratio == 1);
        assert_true(c.difference_ci.low == 0 && c.difference_ci.high == 0);
        assert_true(c.ratio_ci.low == 1 && c.ratio_ci.high == 1);
    }
}

/* A bootstrap draws 0 of n again and again. */
static void
none_of_n_has_a_spread(void **state)
{
    (void)state;
    const struct group_tally t[2] = {tally_of(0, 0, 10, 10), tally_of(50, 50, 50, 50)};
    const struct group_tally all = sum_of(t, 2);
    const struct group_contrast c = group_overall(GROUP_TPR, &t[0], &all, 0.95);
    /* 0 of 10: Wilson up to 0.278; 50 of 100: 0.404 to 0.596; a share of 10 in 110. */
    assert_near(c.difference, -50.0 / 110, 1e-15);
    assert_near(c.difference_ci.low, (-0.5 - 0.0961655) * 100 / 110, 1e-5);
    assert_near(c.difference_ci.high, (-0.5 + hypot(0.2775328, 0.0961655)) * 100 / 110, 1e-5);
    assert_true(c.ratio == 0 && c.ratio_ci.low == 0);
    assert_true(c.ratio_ci.high > 0.3 && c.ratio_ci.high < 0.8);
}

/* ---- laws ---- */

static void
of_one_rate_it_is_newcombes_times_the_share_of_the_rest(void **state)
{
    (void)state;
    const struct group_tally t[2] = {tally_of(7, 3, 12, 5), tally_of(31, 9, 44, 21)};
    const struct group_tally all = sum_of(t, 2);
    const struct group_contrast c = group_overall(GROUP_TPR, &t[0], &all, 0.9);
    const struct interval n = interval_newcombe(7, 12, 31, 52, 0.9);
    const double rest = 52.0 / 64;
    assert_near(c.difference_ci.low, rest * n.low, 1e-14);
    assert_near(c.difference_ci.high, rest * n.high, 1e-14);
    /* The ratio is 1 / (share + (1 - share) / (group / rest)). */
    const struct group_estimate a = group_metric_estimate(GROUP_TPR, &t[0], 0, 0.9),
                                b = group_metric_estimate(GROUP_TPR, &t[1], 0, 0.9);
    const struct group_contrast versus = group_contrast_of(GROUP_TPR, &a, &b);
    assert_near(c.ratio, 1 / (1 - rest + rest / versus.ratio), 1e-14);
    assert_near(c.ratio_ci.low, 1 / (1 - rest + rest / versus.ratio_ci.low), 1e-12);
    assert_near(c.ratio_ci.high, 1 / (1 - rest + rest / versus.ratio_ci.high), 1e-12);
}

static void
ratio_and_difference_never_contradict_each_other(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 5, "overall");
    for (int i = 0; i < 400; i++) {
        double n[8];
        for (int k = 0; k < 8; k++) {
            n[k] = floor(40 * rng_unit(&r) * rng_unit(&r));
        }
        const struct group_tally t[2] = {tally_of(n[0], n[1], n[2], n[3]),
                                         tally_of(n[4], n[5], n[6], n[7])};
        const struct group_tally all = sum_of(t, 2);
        for (size_t k = 0; k < KINDS; k++) {
            const struct group_contrast c = group_overall(kinds[k], &t[0], &all, 0.8);
            if (isnan(c.ratio) || n[4] + n[5] + n[6] + n[7] == 0) {
                continue;
            }
            assert_true(c.difference_ci.low <= c.difference + 1e-12 &&
                        c.difference <= c.difference_ci.high + 1e-12);
            assert_true(c.ratio_ci.low <= c.ratio * (1 + 1e-12) &&
                        c.ratio <= c.ratio_ci.high * (1 + 1e-12));
            assert_true(c.difference_ci.low <= 1e-12 || c.ratio_ci.low >= 1 - 1e-9);
            assert_true(c.difference_ci.high >= -1e-12 || c.ratio_ci.high <= 1 + 1e-9);
            assert_true(c.ratio_ci.low <= 1 + 1e-9 || c.difference_ci.low >= -1e-9);
        }
    }
}

/* ---- coverage ---- */

struct world {
    uint32_t groups;
    double share[4]; /* of the rows */
    double base[4], tpr[4], fpr[4];
    int rows;
    bool fixed; /* as many rows of each group in every sample */
};

static struct group_tally
expected(const struct world *w, uint32_t g)
{
    const double n = 1e9 * w->share[g], p = n * w->base[g], q = n - p;
    return tally_of(p * w->tpr[g], q * w->fpr[g], q * (1 - w->fpr[g]), p * (1 - w->tpr[g]));
}

static void
draw(const struct world *w, struct rng *r, struct group_tally *t)
{
    for (uint32_t g = 0; g < w->groups; g++) {
        t[g] = tally_of(0, 0, 0, 0);
    }
    for (int i = 0; i < w->rows; i++) {
        double u = w->fixed ? (i + 0.5) / w->rows : rng_unit(r);
        uint32_t g = 0;
        for (; g + 1 < w->groups && u >= w->share[g]; g++) {
            u -= w->share[g];
        }
        const bool y = rng_unit(r) < w->base[g];
        const bool d = rng_unit(r) < (y ? w->tpr[g] : w->fpr[g]);
        const struct group_tally one = tally_of(y && d, !y && d, !y && !d, y && !d);
        group_tally_add(&t[g], &one);
    }
}

#define TIMES 1500

/* How often each kind's interval holds the truth, of the spread over the groups; of samples in
 * which each group has the metric. */
static void
count_hits(const struct world *w, struct rng *r, double difference[static KINDS],
           double ratio[static KINDS], double shown[static KINDS], double *ret_odds)
{
    struct group_tally truth[4], t[4];
    for (uint32_t g = 0; g < w->groups; g++) {
        truth[g] = expected(w, g);
    }
    const struct group_tally whole = sum_of(truth, w->groups);
    const uint32_t metrics = 1u << GROUP_SELECTION_RATE | 1u << GROUP_TPR | 1u << GROUP_FPR |
                             1u << GROUP_PRECISION | 1u << GROUP_BALANCED_ACCURACY | 1u << GROUP_F1;
    const struct group_set true_set = {w->groups, truth, &whole, metrics, 0, 0.95};
    struct group_gaps right, gaps;
    assert_ok(group_gaps_of(&true_set, NULL, &right));
    for (int i = 0; i < TIMES; i++) {
        draw(w, r, t);
        const struct group_tally all = sum_of(t, w->groups);
        const struct group_set set = {w->groups, t, &all, metrics, 0, 0.95};
        assert_ok(group_gaps_of(&set, NULL, &gaps));
        for (size_t k = 0; k < KINDS; k++) {
            const struct group_number *x = gaps.gap[kinds[k]].spread,
                                      *y = right.gap[kinds[k]].spread;
            const struct group_number *d = &x[SPREAD_DIFFERENCE_TO_OVERALL],
                                      *q = &x[SPREAD_RATIO_TO_OVERALL];
            const double far = y[SPREAD_DIFFERENCE_TO_OVERALL].value,
                         down = y[SPREAD_RATIO_TO_OVERALL].value;
            const bool said = gaps.gap[kinds[k]].undefined == 0;
            assert_true(said || w->groups > 2 || d->how == GROUP_NO_INTERVAL);
            shown[k] += said;
            difference[k] += said && d->ci.low <= far + 1e-9 && far <= d->ci.high + 1e-9;
            ratio[k] += said && q->ci.low <= down + 1e-9 && down <= q->ci.high + 1e-9;
        }
        const struct group_number *o = &gaps.odds_to_overall.difference_worst;
        const double odds = right.odds_to_overall.difference_worst.value;
        *ret_odds += o->ci.low <= odds + 1e-9 && odds <= o->ci.high + 1e-9;
    }
}

static double
least_of(double samples)
{
    return samples * 0.95 - 4 * sqrt(samples * 0.95 * 0.05);
}

static void
intervals_cover_at_least_as_often_as_they_say(void **state)
{
    (void)state;
    static const struct world worlds[] = {
        /* equal groups; rates near 0, where samples have none; a group that is nearly all */
        {2, {0.5, 0.5}, {0.4, 0.4}, {0.6, 0.6}, {0.2, 0.2}, 200, true},
        {2, {0.3, 0.7}, {0.4, 0.5}, {0.05, 0.3}, {0.02, 0.1}, 160, true},
        {2, {0.95, 0.05}, {0.5, 0.5}, {0.6, 0.9}, {0.2, 0.1}, 400, false},
        {4,
         {0.1, 0.2, 0.3, 0.4},
         {0.4, 0.5, 0.4, 0.6},
         {0.9, 0.6, 0.7, 0.5},
         {0.1, 0.2, 0.1, 0.3},
         400,
         false},
    };
    struct rng r;
    rng_init(&r, 91, "overall");
    for (size_t w = 0; w < sizeof worlds / sizeof *worlds; w++) {
        double difference[KINDS] = {0}, ratio[KINDS] = {0}, shown[KINDS] = {0}, odds = 0;
        count_hits(&worlds[w], &r, difference, ratio, shown, &odds);
        for (size_t k = 0; k < KINDS; k++) {
            const double least = least_of(shown[k]);
            print_message("# %zu %s: %.3f %.3f of %.0f\n", w, group_metric_word(kinds[k]),
                          difference[k] / shown[k], ratio[k] / shown[k], shown[k]);
            assert_true(difference[k] >= least && ratio[k] >= least);
        }
        print_message("# %zu equalized odds: %.3f\n", w, odds / TIMES);
        assert_true(odds >= least_of(TIMES));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_exist_stays_so),
        cmocka_unit_test(a_group_that_is_all_rows_is_no_distance_away),
        cmocka_unit_test(none_of_n_has_a_spread),
        cmocka_unit_test(of_one_rate_it_is_newcombes_times_the_share_of_the_rest),
        cmocka_unit_test(ratio_and_difference_never_contradict_each_other),
        cmocka_unit_test(intervals_cover_at_least_as_often_as_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
