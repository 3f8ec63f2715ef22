/* Spreads over groups: interval, ratio and p say the same, whatever does not add has its intervals,
 * and the order of the rows changes no digit. Coverage by simulation with fixed seeds. */
#include "testing/testing.h"

#include "assess/group_auc.h"
#include "assess/group_gap.h"
#include "assess/group_macro.h"
#include "num/normal.h"
#include "num/order.h"
#include "num/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DECISIONS ((1u << GROUP_ROC_AUC) - 1)

static struct group_tally
tally_of(double tp, double fp, double tn, double fn)
{
    struct group_tally t = {.rows = (uint64_t)(tp + fp + tn + fn)};
    group_tally_forget(&t);
    t.count[GROUP_TP] = tp;
    t.count[GROUP_FP] = fp;
    t.count[GROUP_TN] = tn;
    t.count[GROUP_FN] = fn;
    memcpy(t.count2, t.count, sizeof t.count);
    return t;
}

static void
sum_groups(const struct group_tally *t, uint32_t groups, struct group_tally *ret_all)
{
    memset(ret_all, 0, sizeof *ret_all);
    for (uint32_t g = 0; g < groups; g++) {
        group_tally_add(ret_all, &t[g]);
    }
}

static bool
covers(const struct group_number *x, double truth)
{
    return x->ci.low <= truth + 1e-12 && truth <= x->ci.high + 1e-12;
}

/* 0.95 less four standard errors of so many simulations. */
static double
least_of(double times)
{
    return times * (0.95 - 4 * sqrt(0.95 * 0.05 / times));
}

/* ---- limits ---- */

static void
an_area_of_one_class_does_not_exist_and_one_pair_says_little(void **state)
{
    (void)state;
    const double score[4] = {0.1, 0.2, 0.3, 0.4};
    const uint8_t y[4] = {0, 1, 1, 1};
    const int32_t group[4] = {0, 0, 1, GROUP_AUC_NO_PART};
    const struct group_auc_rows r = {.rows = 4, .score = score, .y = y, .group = group};
    struct group_tally t[2], all;
    assert_ok(group_auc(&r, 2, t, &all));
    assert_true(isnan(t[1].auc) && isnan(t[1].auc_n));
    assert_near(t[0].auc, 1, 0);
    assert_true(isnan(t[0].auc_se));
    /* Of one pair: Wilson's interval of one row. */
    const struct group_estimate e = group_metric_estimate(GROUP_ROC_AUC, &t[0], 0, 0.95);
    const struct interval one = interval_wilson(1, 1, 0.95);
    assert_near(e.ci.low, one.low, 1e-15);
    assert_near(e.ci.high, 1, 0);
    assert_near(all.auc, 1, 0); /* of the three rows that have a part */
    assert_near(all.auc_n, 1, 0);
}

static void
without_a_row_nothing_is_said(void **state)
{
    (void)state;
    const double none[9] = {0};
    struct group_tally t, all;
    const struct group_auc_rows r = {0};
    assert_ok(group_auc(&r, 0, &t, &all));
    assert_true(isnan(all.auc));
    group_macro(none, none, none, 3, &t);
    assert_true(isnan(t.macro[0]) && isnan(t.macro_cov[0]) && isnan(t.macro_n[0]));
    assert_true(isnan(group_metric_estimate(GROUP_F1_MACRO, &t, 0, 0.95).ci.low));
}

/* ---- one procedure ---- */

static struct group_tally
random_tally(struct rng *r)
{
    const uint64_t size = 1 + rng_below(r, 60);
    return tally_of((double)rng_below(r, size), (double)rng_below(r, size),
                    (double)rng_below(r, size), (double)rng_below(r, size));
}

/* For every number of groups and level: the difference's interval leaves out 0, the ratio's leaves
 * out 1 and p is at most 1 - level, all or none. */
static void
interval_ratio_and_p_never_contradict_each_other(void **state)
{
    (void)state;
    static const double levels[4] = {0.8, 0.9, 0.95, 0.99};
    struct rng r;
    unsigned differ = 0, same = 0;
    rng_init(&r, 91, "consistency");
    for (int i = 0; i < 400; i++) {
        struct group_tally t[5], all;
        const uint32_t n = 2 + (uint32_t)rng_below(&r, 4);
        for (uint32_t g = 0; g < n; g++) {
            t[g] = random_tally(&r);
        }
        sum_groups(t, n, &all);
        const double level = levels[i % 4];
        const struct group_set set = {n, t, &all, DECISIONS, 0, level};
        struct group_gaps gaps;
        assert_ok(group_gaps_of(&set, NULL, &gaps));
        for (unsigned m = 0; m < GROUP_ROC_AUC; m++) {
            const struct group_gap *gap = &gaps.gap[m];
            const struct group_number *d = &gap->spread[SPREAD_DIFFERENCE],
                                      *q = &gap->spread[SPREAD_RATIO];
            if (gap->groups < 2) {
                assert_true(isnan(gap->p) && isnan(d->ci.low));
                continue;
            }
            assert_true(d->ci.low <= d->value && d->value <= d->ci.high);
            assert_int_equal(d->ci.low > 0, gap->p <= 1 - level);
            if (!isnan(q->value)) {
                assert_true(q->ci.low <= q->value + 1e-12 && q->value <= q->ci.high + 1e-12);
                assert_int_equal(q->ci.high<1 - 1e-12, d->ci.low> 1e-12);
            }
            *(d->ci.low > 0 ? &differ : &same) += 1;
        }
    }
    assert_true(differ > 200 && same > 200);
}

/* The definition of the ratio's interval, by bisection. */
static void
a_ratio_is_in_its_interval_when_a_less_r_b_may_be_nothing(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 92, "ratio");
    for (int i = 0; i < 300; i++) {
        const struct group_tally t = random_tally(&r), u = random_tally(&r);
        const struct group_estimate a = group_metric_estimate(GROUP_SELECTION_RATE, &t, 0, 0.95),
                                    b = group_metric_estimate(GROUP_SELECTION_RATE, &u, 0, 0.95);
        const struct group_contrast c = group_contrast_of(GROUP_SELECTION_RATE, &a, &b);
        const double ends[2] = {c.ratio_ci.low, c.ratio_ci.high};
        for (int end = 0; end < 2 && c.ratio > 0; end++) {
            for (int side = -1; side <= 1 && isfinite(ends[end]) && ends[end] > 0; side += 2) {
                const double x = ends[end] * (1 + side * 1e-6);
                const struct interval ci = group_mover(
                    a.value, a.ci, -x * b.value, (struct interval){-x * b.ci.high, -x * b.ci.low});
                assert_int_equal(ci.low <= 0 && 0 <= ci.high, (end == 0) == (side > 0));
            }
        }
    }
}

static void
p_of_far_apart_groups_stays_above_its_floor(void **state)
{
    (void)state;
    const struct group_tally t[2] = {tally_of(9000, 0, 1000, 0), tally_of(1000, 0, 9000, 0)};
    const double p = group_contrast_p(GROUP_SELECTION_RATE, &t[0], &t[1], 0);
    assert_true(p > 1e-15 && p < 2e-15);
    assert_near(group_contrast_p(GROUP_SELECTION_RATE, &t[0], &t[0], 0), 1, 1e-12);
    const struct group_tally none = tally_of(0, 0, 0, 0);
    assert_true(isnan(group_contrast_p(GROUP_TPR, &t[0], &none, 0)));
}

/* Under no difference p is at most alpha in at most about a share alpha of the samples, for two
 * groups and for five. */
static void
p_is_a_p(void **state)
{
    (void)state;
    enum { TIMES = 2000 };
    struct rng r;
    rng_init(&r, 93, "null");
    for (uint32_t n = 2; n <= 5; n += 3) {
        double below = 0;
        for (int i = 0; i < TIMES; i++) {
            struct group_tally t[5], all;
            for (uint32_t g = 0; g < n; g++) {
                double x = 0;
                for (int k = 0; k < 80; k++) {
                    x += rng_unit(&r) < 0.3;
                }
                t[g] = tally_of(x, 0, 80 - x, 0);
            }
            sum_groups(t, n, &all);
            const struct group_set set = {n, t, &all, 1u << GROUP_SELECTION_RATE, 0, 0.95};
            struct group_gaps gaps;
            assert_ok(group_gaps_of(&set, NULL, &gaps));
            below += gaps.gap[GROUP_SELECTION_RATE].p <= 0.05;
        }
        assert_true(below <= TIMES * 0.05 + 4 * sqrt(TIMES * 0.05 * 0.95));
        assert_true(below > TIMES * 0.01);
    }
}

/* ---- areas ---- */

enum { SAMPLE = 400 };

struct scored {
    size_t rows;
    double score[SAMPLE], weight[SAMPLE];
    uint8_t y[SAMPLE];
    int32_t group[SAMPLE];
};

static struct group_auc_rows
in_order(struct scored *s, bool weighted)
{
    static struct scored from;
    from = *s;
    uint32_t order[SAMPLE];
    for (size_t i = 0; i < s->rows; i++) {
        order[i] = (uint32_t)i;
    }
    assert_ok(order_by(from.score, s->rows, order));
    for (size_t i = 0; i < s->rows; i++) {
        s->score[i] = from.score[order[i]];
        s->weight[i] = from.weight[order[i]];
        s->y[i] = from.y[order[i]];
        s->group[i] = from.group[order[i]];
    }
    return (struct group_auc_rows){.rows = s->rows,
                                   .score = s->score,
                                   .y = s->y,
                                   .weight = weighted ? s->weight : NULL,
                                   .group = s->group};
}

/* Groups differ in how far the positives' scores lie above the negatives'. */
static void
draw_scores(struct rng *r, const double *shift, uint32_t groups, bool coarse, struct scored *s)
{
    for (size_t i = 0; i < s->rows; i++) {
        s->group[i] = (int32_t)rng_below(r, groups);
        s->y[i] = rng_unit(r) < 0.4;
        s->score[i] = rng_normal(r) + s->y[i] * shift[s->group[i]];
        s->score[i] = coarse ? floor(2 * s->score[i]) : s->score[i];
        s->weight[i] = (double)rng_below(r, 4) / 2;
    }
}

static double
plain_auc(const struct scored *s, int32_t group)
{
    double won = 0, pairs = 0;
    for (size_t i = 0; i < s->rows; i++) {
        for (size_t k = 0; k < s->rows; k++) {
            const bool part = group < 0 || (s->group[i] == group && s->group[k] == group);
            if (part && s->y[i] == 1 && s->y[k] == 0) {
                const double w = s->weight[i] * s->weight[k];
                won += w * (s->score[i] > s->score[k] ? 1 : s->score[i] == s->score[k] ? 0.5 : 0);
                pairs += w;
            }
        }
    }
    return won / pairs;
}

static void
a_weighted_area_is_that_of_all_weighted_pairs(void **state)
{
    (void)state;
    static const double shift[3] = {0.5, 1, 2};
    static struct scored s;
    struct rng r;
    rng_init(&r, 94, "auc");
    for (int i = 0; i < 6; i++) {
        struct group_tally t[3], all;
        s.rows = 150;
        draw_scores(&r, shift, 3, i % 2 == 0, &s);
        const struct group_auc_rows rows = in_order(&s, true);
        assert_ok(group_auc(&rows, 3, t, &all));
        for (int32_t g = 0; g < 3; g++) {
            assert_near(t[g].auc, plain_auc(&s, g), 1e-12);
        }
        assert_near(all.auc, plain_auc(&s, -1), 1e-12);
    }
}

/* A common factor is no information, and of one group the covariance with all is the variance. */
static void
a_common_weight_changes_no_area_and_a_lone_group_is_all(void **state)
{
    (void)state;
    static const double shift[1] = {1};
    static struct scored s;
    struct group_tally plain, weighted, all;
    struct rng r;
    rng_init(&r, 95, "auc");
    s.rows = SAMPLE;
    draw_scores(&r, shift, 1, true, &s);
    for (size_t i = 0; i < s.rows; i++) {
        s.weight[i] = 2.5;
    }
    const struct group_auc_rows a = in_order(&s, false), b = in_order(&s, true);
    assert_ok(group_auc(&a, 1, &plain, &all));
    assert_near(plain.auc_cov, plain.auc_se * plain.auc_se, 1e-12);
    assert_near(all.auc_se, plain.auc_se, 1e-15);
    assert_ok(group_auc(&b, 1, &weighted, &all));
    assert_near(weighted.auc, plain.auc, 1e-12);
    assert_near(weighted.auc_se, plain.auc_se, 1e-12);
    assert_near(weighted.auc_n, plain.auc_n, 1e-9);
}

/* Positives above negatives by `shift` standard deviations. */
static double
true_auc(double shift)
{
    return normal_cdf(shift / sqrt(2));
}

static double
mixed_auc(const double *shift, uint32_t groups)
{
    double sum = 0;
    for (uint32_t g = 0; g < groups; g++) {
        sum += true_auc(shift[g]) / groups;
    }
    return sum;
}

static void
intervals_of_areas_over_groups_cover_with_weights_too(void **state)
{
    (void)state;
    enum { TIMES = 600 };
    static const double shift[3] = {0.6, 1, 1.6};
    static struct scored s;
    struct rng r;
    rng_init(&r, 96, "auc.coverage");
    const double low = true_auc(0.6), high = true_auc(1.6), all = mixed_auc(shift, 3);
    for (int weighted = 0; weighted < 2; weighted++) {
        double difference = 0, minimum = 0, maximum = 0, overall = 0, ratio = 0, one = 0;
        for (int i = 0; i < TIMES; i++) {
            struct group_tally t[3], whole;
            struct group_gaps gaps;
            s.rows = SAMPLE;
            draw_scores(&r, shift, 3, false, &s);
            for (size_t k = 0; k < s.rows; k++) {
                s.weight[k] = k % 2 == 0 ? 3 : 1; /* says nothing about the row */
            }
            const struct group_auc_rows rows = in_order(&s, weighted == 1);
            assert_ok(group_auc(&rows, 3, t, &whole));
            const struct group_set set = {3, t, &whole, 1u << GROUP_ROC_AUC, 0, 0.95};
            assert_ok(group_gaps_of(&set, NULL, &gaps));
            const struct group_number *x = gaps.gap[GROUP_ROC_AUC].spread;
            const double far = fmax(all - low, high - all), down = fmin(low / all, all / high);
            difference += covers(&x[SPREAD_DIFFERENCE], high - low);
            ratio += covers(&x[SPREAD_RATIO], low / high);
            minimum += covers(&x[SPREAD_MIN], low);
            maximum += covers(&x[SPREAD_MAX], high);
            overall += covers(&x[SPREAD_DIFFERENCE_TO_OVERALL], far) &&
                       covers(&x[SPREAD_RATIO_TO_OVERALL], down);
            const struct interval ci = group_metric_estimate(GROUP_ROC_AUC, &t[0], 0, 0.95).ci;
            one += ci.low <= low && low <= ci.high;
        }
        const double least = least_of(TIMES);
        assert_true(difference >= least && ratio >= least);
        assert_true(minimum >= least && maximum >= least && overall >= least);
        assert_near(one, 0.95 * TIMES, 4 * sqrt(0.95 * 0.05 * TIMES) + 0.01 * TIMES);
    }
}

/* Twelve positives, nearly perfectly ranked: the normal interval covers 80 % there. */
static void
intervals_of_good_rankings_of_few_rows_cover(void **state)
{
    (void)state;
    enum { TIMES = 2000 };
    static struct scored s;
    double hit = 0;
    struct rng r;
    rng_init(&r, 97, "auc.few");
    s.rows = 60;
    for (int i = 0; i < TIMES; i++) {
        for (size_t k = 0; k < s.rows; k++) {
            s.y[k] = k < 12;
            s.score[k] = rng_normal(&r) + s.y[k] * 2.6;
            s.group[k] = 0;
        }
        struct group_tally t, all;
        const struct group_auc_rows rows = in_order(&s, false);
        assert_ok(group_auc(&rows, 1, &t, &all));
        const struct interval ci = group_metric_estimate(GROUP_ROC_AUC, &t, 0, 0.95).ci;
        hit += ci.low <= true_auc(2.6) && true_auc(2.6) <= ci.high;
    }
    assert_true(hit >= 0.93 * TIMES);
}

/* ---- means over classes ---- */

static void
draw_table(struct rng *r, const double share[static 9], int rows, double *count)
{
    memset(count, 0, 9 * sizeof *count);
    for (int i = 0; i < rows; i++) {
        double u = rng_unit(r);
        int k = 0;
        while (k < 8 && u >= share[k]) {
            u -= share[k++];
        }
        count[k]++;
    }
}

struct macro_truth {
    double share[3][9];
    struct group_tally group[3], all;
};

static void
macro_truth_of(struct macro_truth *w)
{
    double all[9] = {0};
    for (int g = 0; g < 3; g++) {
        for (int k = 0; k < 9; k++) {
            all[k] += w->share[g][k] / 3;
        }
    }
    group_macro(all, all, all, 3, &w->all);
    for (int g = 0; g < 3; g++) {
        group_macro(w->share[g], w->share[g], all, 3, &w->group[g]);
    }
}

static void
intervals_of_means_over_classes_cover_between_groups_and_to_overall(void **state)
{
    (void)state;
    enum { TIMES = 800 };
    struct macro_truth w = {.share = {{0.3, 0.08, 0.02, 0.05, 0.2, 0.05, 0.02, 0.06, 0.22},
                                      {0.25, 0.1, 0.05, 0.05, 0.15, 0.1, 0.05, 0.05, 0.2},
                                      {0.35, 0.02, 0.03, 0.02, 0.25, 0.03, 0.02, 0.03, 0.25}}};
    double difference[GROUP_MACROS] = {0}, overall[GROUP_MACROS] = {0}, least[GROUP_MACROS] = {0};
    struct rng r;
    rng_init(&r, 98, "macro");
    macro_truth_of(&w);
    for (int i = 0; i < TIMES; i++) {
        double count[3][9], all[9] = {0};
        struct group_tally t[3] = {0}, whole = {0};
        struct group_gaps gaps;
        for (int g = 0; g < 3; g++) {
            draw_table(&r, w.share[g], 200, count[g]);
            for (int k = 0; k < 9; k++) {
                all[k] += count[g][k];
            }
        }
        group_macro(all, all, all, 3, &whole);
        for (int g = 0; g < 3; g++) {
            group_macro(count[g], count[g], all, 3, &t[g]);
        }
        const uint32_t metrics = 7u << GROUP_PRECISION_MACRO;
        const struct group_set set = {3, t, &whole, metrics, 0, 0.95};
        assert_ok(group_gaps_of(&set, NULL, &gaps));
        for (unsigned a = 0; a < GROUP_MACROS; a++) {
            const struct group_number *x = gaps.gap[GROUP_PRECISION_MACRO + a].spread;
            double low = 1, high = 0, far = 0;
            for (int g = 0; g < 3; g++) {
                low = fmin(low, w.group[g].macro[a]);
                high = fmax(high, w.group[g].macro[a]);
                far = fmax(far, fabs(w.group[g].macro[a] - w.all.macro[a]));
            }
            difference[a] += covers(&x[SPREAD_DIFFERENCE], high - low);
            overall[a] += covers(&x[SPREAD_DIFFERENCE_TO_OVERALL], far);
            least[a] += covers(&x[SPREAD_MIN], low);
        }
    }
    for (unsigned a = 0; a < GROUP_MACROS; a++) {
        assert_true(difference[a] >= least_of(TIMES) && overall[a] >= least_of(TIMES));
        assert_true(least[a] >= least_of(TIMES));
    }
}

/* ---- extremes of means ---- */

static void
smallest_and_largest_means_cover(void **state)
{
    (void)state;
    enum { TIMES = 1000, N = 240 };
    static double value[N], prediction[N];
    static uint32_t cell[N];
    static const double spread[4] = {0.5, 0.7, 0.7, 1};
    double min = 0, max = 0, difference = 0;
    struct rng r;
    rng_init(&r, 99, "means");
    for (int i = 0; i < TIMES; i++) {
        struct group_tally t[4] = {0}, all;
        for (uint32_t k = 0; k < N; k++) {
            cell[k] = k % 4;
            value[k] = rng_normal(&r);
            prediction[k] = value[k] + spread[cell[k]] * rng_normal(&r);
        }
        const struct group_rows rows = {
            .rows = N, .value = value, .prediction = prediction, .cell = cell};
        group_tally_rows(&rows, 0, N, t);
        sum_groups(t, 4, &all);
        const struct group_set set = {4, t, &all, 1u << GROUP_MAE, 0, 0.95};
        struct group_gaps gaps;
        assert_ok(group_gaps_of(&set, NULL, &gaps));
        const struct group_number *x = gaps.gap[GROUP_MAE].spread;
        min += covers(&x[SPREAD_MIN], 0.5 * sqrt(2 / M_PI));
        max += covers(&x[SPREAD_MAX], sqrt(2 / M_PI));
        difference += covers(&x[SPREAD_DIFFERENCE], 0.5 * sqrt(2 / M_PI));
    }
    assert_true(min >= least_of(TIMES) && max >= least_of(TIMES));
    assert_true(difference >= least_of(TIMES));
}

/* ---- the order of the rows ---- */

enum { MANY = 3000 };

struct file {
    double value[MANY], prediction[MANY], weight[MANY];
    uint8_t y[MANY], decision[MANY];
    uint32_t cell[MANY];
};

static struct group_rows
rows_of(const struct file *f, bool numeric)
{
    struct group_rows r = {
        .rows = MANY, .prediction = f->prediction, .weight = f->weight, .cell = f->cell};
    if (numeric) {
        r.value = f->value;
    } else {
        r.y = f->y;
        r.decision = f->decision;
    }
    return r;
}

static void
work_out(const struct group_rows *r, struct group_tally t[static 4], struct group_tally *replicates)
{
    static uint32_t order[MANY];
    DEFER(group_rows_done) struct group_rows sorted = {0};
    DEFER(group_draws_done) struct group_draws d = {0};
    struct group_range range[4] = {0};
    memset(t, 0, 4 * sizeof *t);
    memset(replicates, 0, 20 * sizeof *replicates);
    assert_ok(group_rows_order(r, order));
    assert_ok(group_rows_sorted(r, order, &sorted));
    assert_ok(group_tally_all(&sorted, 4, 2, t));
    group_range_add(range, &sorted, 0, sorted.rows);
    assert_ok(group_draws_begin(range, &sorted, 4, 9, 0, 5, &d));
    group_draws_add(&d, &sorted, 0, sorted.rows, 0);
    group_draws_finish(&d, replicates);
}

/* Rows of few values, so that many are equal in part or in all. */
static void
the_order_of_the_rows_changes_no_digit_of_sums_and_of_replicates(void **state)
{
    (void)state;
    static struct file a, b;
    static struct group_tally one[4], two[4], first[20], second[20];
    struct rng r;
    size_t item[MANY];
    rng_init(&r, 100, "order");
    for (size_t i = 0; i < MANY; i++) {
        item[i] = i;
        a.value[i] = (double)rng_below(&r, 50) / 7;
        a.prediction[i] = i % 17 == 0 ? (double)NAN : (double)rng_below(&r, 90) / 91;
        a.weight[i] = (double)rng_below(&r, 3) / 3;
        a.y[i] = (uint8_t)rng_below(&r, 3);
        a.decision[i] = (uint8_t)rng_below(&r, 2);
        a.cell[i] = (uint32_t)rng_below(&r, 4);
    }
    rng_shuffle(&r, item, MANY);
    for (size_t i = 0; i < MANY; i++) {
        b.value[i] = a.value[item[i]];
        b.prediction[i] = a.prediction[item[i]];
        b.weight[i] = a.weight[item[i]];
        b.y[i] = a.y[item[i]];
        b.decision[i] = a.decision[item[i]];
        b.cell[i] = a.cell[item[i]];
    }
    for (int numeric = 0; numeric < 2; numeric++) {
        const struct group_rows x = rows_of(&a, numeric == 1), y = rows_of(&b, numeric == 1);
        work_out(&x, one, first);
        work_out(&y, two, second);
        assert_memory_equal(one, two, sizeof one);
        assert_memory_equal(first, second, sizeof first);
        assert_memory_not_equal(&first[0], &first[4], sizeof first[0]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_area_of_one_class_does_not_exist_and_one_pair_says_little),
        cmocka_unit_test(without_a_row_nothing_is_said),
        cmocka_unit_test(interval_ratio_and_p_never_contradict_each_other),
        cmocka_unit_test(a_ratio_is_in_its_interval_when_a_less_r_b_may_be_nothing),
        cmocka_unit_test(p_of_far_apart_groups_stays_above_its_floor),
        cmocka_unit_test(p_is_a_p),
        cmocka_unit_test(a_weighted_area_is_that_of_all_weighted_pairs),
        cmocka_unit_test(a_common_weight_changes_no_area_and_a_lone_group_is_all),
        cmocka_unit_test(intervals_of_areas_over_groups_cover_with_weights_too),
        cmocka_unit_test(intervals_of_good_rankings_of_few_rows_cover),
        cmocka_unit_test(intervals_of_means_over_classes_cover_between_groups_and_to_overall),
        cmocka_unit_test(smallest_and_largest_means_cover),
        cmocka_unit_test(the_order_of_the_rows_changes_no_digit_of_sums_and_of_replicates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
