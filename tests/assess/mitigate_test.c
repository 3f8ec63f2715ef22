#include "testing/testing.h"

#include "assess/mitigate.h"
#include "num/normal.h"
#include "num/rng.h"

#include <math.h>

#define ROWS_MAX 400u
#define GROUPS_MAX 4u

static double
number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    assert_true(json_is_number(v));
    return json_number_value(v);
}

static double
item(const json_t *array, size_t i)
{
    assert_true(i < json_array_size(array));
    return json_number_value(json_array_get(array, i));
}

static json_t *
vectors(const char *key)
{
    DEFER(memory_freep) char *path = testing_source("tests/assess/data/mitigate.json");
    DEFER(js_freep) json_t *all = testing_read_json(path);
    return json_incref(json_object_get(all, key));
}

/* Rows of a small problem. */
struct rows {
    double score[ROWS_MAX];
    uint8_t y[ROWS_MAX];
    int32_t group[ROWS_MAX];
    size_t n;
    uint32_t groups;
};

static struct threshold_curves *
curves_of(const struct rows *r, const struct threshold_options *o)
{
    struct threshold_curves *c = NULL;
    struct diag diag = {0};
    assert_ok(threshold_curves_new(r->score, r->y, r->group, r->n, r->groups, o, &diag, &c));
    return c;
}

static struct status
cross_fit(const struct rows *r, size_t n, uint32_t groups, const struct threshold_options *o,
          struct threshold_rating *ret_rating)
{
    DEFER(threshold_scores_done) struct threshold_scores s = {0};
    TRY(threshold_scores_add(&s, r->score, r->y, r->group, n, NULL));
    return threshold_cross_fit(&s, groups, o, 0.95, ret_rating);
}

static void
random_rows(struct rng *r, size_t n, uint32_t groups, uint64_t scores, struct rows *ret)
{
    *ret = (struct rows){.n = n, .groups = groups};
    for (size_t i = 0; i < n; i++) {
        ret->group[i] = (int32_t)(i % groups);
        ret->y[i] = i < 2 * groups ? i >= groups : rng_below(r, 3) == 0;
        ret->score[i] = (double)(rng_below(r, scores) + (ret->y[i] ? scores / 3 : 0)) / 8;
    }
}

/* ---- limits ---- */

static void
rows_that_make_no_curve_are_refused(void **state)
{
    (void)state;
    const struct threshold_options o = {0};
    struct diag diag = {0};
    struct threshold_curves *c = NULL;
    const double score[4] = {0.1, 0.2, NAN, 0.4};
    const uint8_t y[4] = {0, 1, 0, 1}, same[4] = {1, 1, 1, 1};
    const int32_t one[4] = {0, 0, 0, 0}, left_out[4] = {0, 0, -1, 0};
    assert_status(threshold_curves_new(score, y, one, 4, 1, &o, &diag, &c), INPUT);
    assert_says(&diag, "row 3: no score");
    assert_status(threshold_curves_new(score, same, left_out, 4, 1, &o, &diag, &c), INPUT);
    assert_says(&diag, "group 0: both labels are needed among its 3 rows");
    assert_status(threshold_curves_new(score, y, left_out, 4, 2, &o, &diag, &c), INPUT);
    assert_says(&diag, "group 1: both labels are needed among its 0 rows");
    assert_status(threshold_curves_new(score, y, left_out, 4, 0, &o, &diag, &c), INPUT);
    assert_status(
        threshold_curves_new(score, y, left_out, 4, MITIGATE_MAX_GROUPS + 1, &o, &diag, &c), INPUT);
    const struct threshold_options odd = {.constraint = THRESHOLD_EQUALIZED_ODDS,
                                          .objective = THRESHOLD_TPR};
    assert_status(threshold_curves_new(score, y, left_out, 4, 1, &odd, &diag, &c), INPUT);
    assert_says(&diag, "true_positive_rate does not go with equalized_odds");
    assert_null(c);
}

static void
words_go_both_ways(void **state)
{
    (void)state;
    for (unsigned i = 0; i < THRESHOLD_CONSTRAINTS; i++) {
        enum threshold_constraint c = THRESHOLD_CONSTRAINTS;
        assert_ok(threshold_constraint_from_word(threshold_constraint_word(i), &c));
        assert_int_equal(c, i);
    }
    for (unsigned i = 0; i < THRESHOLD_OBJECTIVES; i++) {
        enum threshold_objective o = THRESHOLD_OBJECTIVES;
        assert_ok(threshold_objective_from_word(threshold_objective_word(i), &o));
        assert_int_equal(o, i);
    }
    enum threshold_constraint c = THRESHOLD_TPR_PARITY;
    assert_status(threshold_constraint_from_word("parity", &c), INPUT);
    assert_int_equal(c, THRESHOLD_TPR_PARITY);
}

static void
infinite_and_neighbouring_scores_are_parted(void **state)
{
    (void)state;
    const double next = nextafter(1, 2);
    const struct rows r = {
        .score = {INFINITY, next, 1, -1e308, 1e308}, .y = {1, 1, 0, 0, 1}, .n = 5, .groups = 1};
    const struct threshold_options o = {.objective = THRESHOLD_ACCURACY};
    DEFER(threshold_curves_freep) struct threshold_curves *c = curves_of(&r, &o);
    struct threshold_rule rule;
    struct threshold_plan plan = {.rule = &rule};
    size_t tried = 0;
    assert_ok(threshold_deterministic(c, 0, &plan, &tried));
    assert_near(plan.accuracy, 1, 0);
    for (size_t i = 0; i < r.n; i++) {
        assert_near(threshold_decide(&rule, r.score[i]), r.y[i], 0);
    }
}

/* Of several classes: in the weighted rows a class's share is the same in each group, and that of
 * all rows, group and class alike; but for a group that lacks it. */
static void
weights_of_several_classes_make_them_independent(void **state)
{
    static const uint64_t full[] = {5, 20, 1, 4, 9, 30, 2, 2, 70, 11, 3, 8};
    const uint32_t groups = 3, classes = 4;
    double w[12], n = 0, of_class[4] = {0}, of_group[3] = {0};
    uint32_t empty = 7;
    (void)state;
    reweigh(full, groups, classes, w, &empty);
    assert_int_equal(empty, 0);
    for (uint32_t i = 0; i < 12; i++) {
        n += (double)full[i];
        of_class[i % 4] += (double)full[i];
        of_group[i / 4] += (double)full[i];
    }
    for (uint32_t i = 0; i < 12; i++) {
        assert_near(w[i] * (double)full[i], of_group[i / 4] * of_class[i % 4] / n, 1e-12);
    }
    static const uint64_t lacks[] = {5, 0, 1, 3, 2, 0, 0, 0, 0};
    reweigh(lacks, 3, 3, w, &empty); /* the first group lacks an outcome; the last has no row; */
    assert_int_equal(empty, 2);      /* the second one lacks one, too */
    for (uint32_t i = 0; i < 9; i++) {
        assert_true(lacks[i] > 0 ? w[i] > 0 : !(w[i] > 0));
        assert_true(isfinite(w[i]));
    }
}

static void
empty_cells_have_no_weight(void **state)
{
    (void)state;
    const uint64_t count[6] = {10, 0, 5, 5, 0, 0};
    double w[6];
    uint32_t empty = 0;
    reweigh(count, 3, 2, w, &empty);
    assert_int_equal(empty, 1); /* the third group is not there at all */
    assert_near(w[1], 0, 0);
    assert_near(w[4], 0, 0);
    assert_true(w[0] > 0 && w[2] > 0);
}

static void
the_remover_refuses_what_is_not_finite(void **state)
{
    (void)state;
    double z[4] = {1, 2, NAN, 4};
    const double s[2] = {0, 1}, bad[2] = {0, INFINITY};
    struct diag diag = {0};
    size_t rank = 9;
    assert_status(correlation_remove(z, 2, 2, s, 1, 1, &diag, &rank), INPUT);
    assert_says(&diag, "features: column 1, row 2");
    z[2] = 3;
    assert_status(correlation_remove(z, 2, 2, bad, 1, 1, &diag, &rank), INPUT);
    assert_says(&diag, "sensitive columns: column 1, row 2");
    assert_status(correlation_remove(z, 2, 2, s, 1, 1.5, &diag, &rank), INPUT);
    assert_status(correlation_remove(z, 2, 2, s, 1, NAN, &diag, &rank), INPUT);
    assert_int_equal(rank, 9);
}

/* ---- other implementations ---- */

static void
load_rows(const json_t *v, struct rows *r)
{
    *r = (struct rows){.n = json_array_size(json_object_get(v, "score")),
                       .groups = (uint32_t)number(v, "groups")};
    assert_true(r->n <= ROWS_MAX && r->groups <= GROUPS_MAX);
    for (size_t i = 0; i < r->n; i++) {
        r->score[i] = item(json_object_get(v, "score"), i);
        r->y[i] = (uint8_t)item(json_object_get(v, "y"), i);
        r->group[i] = (int32_t)item(json_object_get(v, "group"), i);
    }
}

static void
check_plan(const struct rows *r, const json_t *want)
{
    struct threshold_options o = {.grid = 1000,
                                  .flip = json_is_true(json_object_get(want, "flip"))};
    assert_ok(threshold_constraint_from_word(json_string_value(json_object_get(want, "constraint")),
                                             &o.constraint));
    assert_ok(threshold_objective_from_word(json_string_value(json_object_get(want, "objective")),
                                            &o.objective));
    DEFER(threshold_curves_freep) struct threshold_curves *c = curves_of(r, &o);
    struct threshold_rule rule[GROUPS_MAX];
    struct threshold_plan plan = {.rule = rule};
    const double tolerance = number(want, "tol");
    assert_ok(threshold_randomised(c, tolerance, &plan));
    assert_true(plan.gap <= tolerance + 1e-9);
    if (o.constraint == THRESHOLD_EQUALIZED_ODDS) {
        assert_near(plan.rule[0].tpr, number(want, "best"), 1e-9);
    } else {
        assert_near(plan.objective, number(want, "best"), 1e-9);
    }
    /* Several rates can be best alike; then ours need not be theirs. */
    double tp = 0, fp = 0, same = 0;
    for (uint32_t g = 0; g < r->groups; g++) {
        same += fabs(rule[g].selection_rate - item(json_object_get(want, "selection_rate"), g)) +
                fabs(rule[g].tpr - item(json_object_get(want, "tpr"), g)) +
                fabs(rule[g].fpr - item(json_object_get(want, "fpr"), g));
        for (size_t i = 0; i < r->n; i++) {
            const double p =
                r->group[i] == (int32_t)g ? threshold_decide(&rule[g], r->score[i]) : 0;
            assert_true(p >= -1e-12 && p <= 1 + 1e-12);
            *(r->y[i] ? &tp : &fp) += p;
        }
        assert_near(rule[g].p[0] + rule[g].p[1], 1, 1e-12);
    }
    double positives = 0;
    for (size_t i = 0; i < r->n; i++) {
        positives += r->y[i];
    }
    assert_near(plan.accuracy, (tp + (double)r->n - positives - fp) / (double)r->n, 1e-9);
    const bool unique = o.objective == THRESHOLD_ACCURACY && tolerance == 0;
    assert_true(!unique || same < 1e-6);
    /* Looked for everywhere, the optimum is at least as good. */
    o.grid = 0;
    DEFER(threshold_curves_freep) struct threshold_curves *exact = curves_of(r, &o);
    struct threshold_plan better = {.rule = rule};
    assert_ok(threshold_randomised(exact, tolerance, &better));
    assert_true(tolerance > 0 || better.objective >= plan.objective - 1e-12);
    assert_true(better.gap <= tolerance + 1e-9);
}

static void
thresholds_agree_with_fairlearn(void **state)
{
    (void)state;
    DEFER(js_freep) json_t *all = vectors("thresholds");
    size_t i = 0, k = 0, n = 0;
    json_t *v = NULL, *plan = NULL;
    json_array_foreach(all, i, v)
    {
        struct rows r;
        load_rows(v, &r);
        json_array_foreach(json_object_get(v, "plans"), k, plan)
        {
            check_plan(&r, plan);
            n++;
        }
    }
    assert_int_equal(n, 208);
}

static void
the_remover_agrees_with_fairlearn(void **state)
{
    (void)state;
    DEFER(js_freep) json_t *all = vectors("removers");
    size_t i = 0;
    json_t *v = NULL;
    json_array_foreach(all, i, v)
    {
        double z[ROWS_MAX], s[ROWS_MAX], mean[ROWS_MAX], w[ROWS_MAX], x[ROWS_MAX];
        struct diag diag = {0};
        const double alpha = number(v, "alpha");
        const size_t rows = (size_t)number(v, "rows"), features = (size_t)number(v, "features");
        const size_t sensitive = (size_t)number(v, "sensitive");
        size_t rank = 0;
        for (size_t k = 0; k < rows * features; k++) {
            z[k] = item(json_object_get(v, "z"), k);
        }
        for (size_t k = 0; k < rows * sensitive; k++) {
            s[k] = item(json_object_get(v, "s"), k);
        }
        memcpy(x, z, rows * features * sizeof *x);
        const struct correlation_rows at_hand = {z, s, rows};
        assert_ok(correlation_fit(&at_hand, 1, features, sensitive, &diag, mean, w, &rank));
        assert_int_equal(rank, sensitive);
        assert_memory_equal(x, z, rows * features * sizeof *x);
        assert_ok(correlation_remove(z, rows, features, s, sensitive, alpha, &diag, &rank));
        assert_int_equal(rank, sensitive);
        /* What is kept for later rows does the same to these. */
        for (size_t k = 0; k < rows * features; k++) {
            for (size_t j = 0; j < sensitive; j++) {
                x[k] -= alpha * (s[k / features * sensitive + j] - mean[j]) *
                        w[j * features + k % features];
            }
            assert_near(x[k], item(json_object_get(v, "out"), k), 1e-9);
        }
        for (size_t k = 0; k < rows * features; k++) {
            assert_near(z[k], item(json_object_get(v, "out"), k), 1e-10);
        }
    }
    assert_int_equal(i, 2);
}

static void
weights_agree_with_aif360(void **state)
{
    (void)state;
    DEFER(js_freep) json_t *all = vectors("reweighings");
    size_t i = 0;
    json_t *v = NULL;
    json_array_foreach(all, i, v)
    {
        uint64_t count[4];
        double w[4], total = 0, rows = 0;
        uint32_t empty = 0;
        for (size_t k = 0; k < 4; k++) {
            count[k] = (uint64_t)item(json_array_get(json_object_get(v, "count"), k / 2), k % 2);
        }
        reweigh(count, 2, 2, w, &empty);
        assert_int_equal(empty, 0);
        for (size_t k = 0; k < 4; k++) {
            assert_near(w[k], item(json_array_get(json_object_get(v, "weight"), k / 2), k % 2),
                        1e-12);
            total += w[k] * (double)count[k];
            rows += (double)count[k];
        }
        assert_near(total, rows, 1e-9);
        /* Group and outcome are independent. */
        assert_near(w[1] * (double)count[1] / (w[0] * (double)count[0]),
                    w[3] * (double)count[3] / (w[2] * (double)count[2]), 1e-12);
    }
    assert_int_equal(i, 2);
}

/* ---- laws ---- */

/* All thresholds of two groups, tried one with another. */
static double
best_by_trying(const struct rows *r, const struct threshold_options *o, double tolerance)
{
    double best = -1;
    for (size_t a = 0; a <= r->n; a++) {
        for (size_t b = 0; b <= r->n; b++) {
            double tp[2] = {0}, fp[2] = {0}, p[2] = {0}, n[2] = {0};
            const double at[2] = {a < r->n ? r->score[a] : -INFINITY,
                                  b < r->n ? r->score[b] : -INFINITY};
            for (size_t i = 0; i < r->n; i++) {
                const int32_t g = r->group[i];
                n[g]++;
                p[g] += r->y[i];
                tp[g] += r->y[i] && r->score[i] > at[g];
                fp[g] += !r->y[i] && r->score[i] > at[g];
            }
            const double tpr = fabs(tp[0] / p[0] - tp[1] / p[1]);
            const double fpr = fabs(fp[0] / (n[0] - p[0]) - fp[1] / (n[1] - p[1]));
            const double selected = fabs((tp[0] + fp[0]) / n[0] - (tp[1] + fp[1]) / n[1]);
            const double gap = o->constraint == THRESHOLD_EQUALIZED_ODDS ? fmax(tpr, fpr)
                               : o->constraint == THRESHOLD_TPR_PARITY   ? tpr
                                                                         : selected;
            const double right = tp[0] + tp[1] + n[0] - p[0] - fp[0] + n[1] - p[1] - fp[1];
            if (gap <= tolerance + 1e-12) {
                best = fmax(best, right / (double)r->n);
            }
        }
    }
    return best;
}

static void
one_threshold_a_group_is_the_best_of_all(void **state)
{
    (void)state;
    static const enum threshold_constraint tried[] = {
        THRESHOLD_DEMOGRAPHIC_PARITY, THRESHOLD_TPR_PARITY, THRESHOLD_EQUALIZED_ODDS};
    struct rng random;
    rng_init(&random, 12, "threshold");
    for (unsigned t = 0; t < 60; t++) {
        struct rows r;
        random_rows(&random, 24 + rng_below(&random, 20), 2, 4 + rng_below(&random, 30), &r);
        const double tolerance = (double)rng_below(&random, 4) / 20;
        for (size_t k = 0; k < 3; k++) {
            const struct threshold_options o = {.constraint = tried[k],
                                                .objective = THRESHOLD_ACCURACY};
            DEFER(threshold_curves_freep) struct threshold_curves *c = curves_of(&r, &o);
            struct threshold_rule rule[2];
            struct threshold_plan plan = {.rule = rule};
            size_t most = 0;
            assert_ok(threshold_deterministic(c, tolerance, &plan, &most));
            assert_true(plan.gap <= tolerance + 1e-9);
            assert_near(plan.objective, best_by_trying(&r, &o, tolerance), 1e-12);
            assert_near(rule[0].ignore, 0, 0);
            assert_near(rule[0].p[0], 1, 0);
        }
    }
}

/* Chance is never worse than one threshold with the same tolerance, and a tolerance never harms. */
static void
more_freedom_is_never_worse(void **state)
{
    (void)state;
    struct rng random;
    rng_init(&random, 5, "freedom");
    for (unsigned t = 0; t < 40; t++) {
        struct rows r;
        random_rows(&random, 60, 3, 20, &r);
        double before = -1, random_before = -1;
        const struct threshold_options o = {.constraint = (enum threshold_constraint)(t % 5)};
        DEFER(threshold_curves_freep) struct threshold_curves *c = curves_of(&r, &o);
        for (double tolerance = 0; tolerance < 0.5; tolerance += 0.1) {
            struct threshold_rule rule[3];
            struct threshold_plan fixed = {.rule = rule}, free_one = {.rule = rule};
            size_t most = 0;
            assert_ok(threshold_deterministic(c, tolerance, &fixed, &most));
            assert_ok(threshold_randomised(c, tolerance, &free_one));
            assert_true(fixed.objective >= before - 1e-12);
            assert_true(free_one.objective >= random_before - 1e-12);
            assert_true(tolerance > 0 || free_one.objective >= fixed.objective - 1e-12);
            before = fixed.objective;
            random_before = free_one.objective;
        }
    }
}

static void
nothing_linear_is_left_and_columns_that_say_the_same_are_one(void **state)
{
    (void)state;
    enum { ROWS = 50 };
    double z[ROWS * 2], s[ROWS * 3], before[2] = {0};
    struct rng r;
    rng_init(&r, 2, "remover");
    for (size_t i = 0; i < ROWS; i++) {
        s[i * 3] = rng_normal(&r);
        s[i * 3 + 1] = 2 * s[i * 3] + 1; /* explained by the first */
        s[i * 3 + 2] = 7;                /* constant */
        z[i * 2] = 3 * s[i * 3] + rng_normal(&r) + 100;
        z[i * 2 + 1] = rng_normal(&r);
        before[0] += z[i * 2] / ROWS;
        before[1] += z[i * 2 + 1] / ROWS;
    }
    struct diag diag = {0};
    size_t rank = 0;
    assert_ok(correlation_remove(z, ROWS, 2, s, 3, 1, &diag, &rank));
    assert_int_equal(rank, 1);
    for (size_t f = 0; f < 2; f++) {
        double covariance = 0, mean = 0;
        for (size_t i = 0; i < ROWS; i++) {
            mean += z[i * 2 + f] / ROWS;
        }
        for (size_t i = 0; i < ROWS; i++) {
            covariance += (z[i * 2 + f] - mean) * s[i * 3];
        }
        assert_near(mean, before[f], 1e-10);
        assert_near(covariance, 0, 1e-9);
    }
}

/* Columns that differ by a hundred-thousandth of their size: what is left must still be orthogonal
 * to both, which one Cholesky of their products would not give. */
static void
columns_that_are_almost_one_are_both_removed(void **state)
{
    (void)state;
    enum { ROWS = 400 };
    static double z[ROWS], s[ROWS * 2], x[ROWS];
    double mean[2], w[2], along[2] = {0}, difference = 0;
    struct diag diag = {0};
    size_t rank = 0;
    struct rng r;
    rng_init(&r, 3, "remover");
    for (size_t i = 0; i < ROWS; i++) {
        const double own = rng_normal(&r);
        s[i * 2] = 1e3 + rng_normal(&r);
        s[i * 2 + 1] = s[i * 2] + 3e-5 * own;
        x[i] = z[i] = own + rng_normal(&r) + 5;
    }
    const struct correlation_rows all = {z, s, ROWS};
    assert_ok(correlation_fit(&all, 1, 1, 2, &diag, mean, w, &rank));
    assert_int_equal(rank, 2);
    assert_ok(correlation_remove(z, ROWS, 1, s, 2, 1, &diag, &rank));
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t k = 0; k < 2; k++) {
            along[k] += (z[i] - 5) * (s[i * 2 + k] - mean[k]) / ROWS;
        }
        difference += (z[i] - 5) * (s[i * 2 + 1] - s[i * 2] - (mean[1] - mean[0])) / ROWS;
        const double kept = x[i] - (s[i * 2] - mean[0]) * w[0] - (s[i * 2 + 1] - mean[1]) * w[1];
        assert_near(kept, z[i], 1e-6);
    }
    assert_near(along[0], 0, 1e-10);
    assert_near(along[1], 0, 1e-10);
    assert_near(difference / 3e-5, 0, 1e-7);
}

/* ---- how sure ---- */

/* Scores that tell less of the second group; y given, normal. */
static void
draw_world(struct rng *r, size_t n, struct rows *ret)
{
    *ret = (struct rows){.n = n, .groups = 2};
    for (size_t i = 0; i < n; i++) {
        ret->group[i] = rng_unit(r) < 0.4;
        ret->y[i] = rng_unit(r) < (ret->group[i] == 0 ? 0.5 : 0.3);
        ret->score[i] = rng_normal(r) + (ret->y[i] == 1 ? (ret->group[i] == 0 ? 1.5 : 1) : 0);
    }
}

static double
above(double at, double mean)
{
    return normal_cdf(mean - at);
}

struct true_figures {
    double gap, accuracy;
};

/* What rules of one threshold do in that world. */
static struct true_figures
true_of(const struct threshold_rule *rule)
{
    double rate[2], right = 0;
    for (int g = 0; g < 2; g++) {
        const double at = rule[g].threshold[0].at, base = g == 0 ? 0.5 : 0.3;
        const double tpr = above(at, g == 0 ? 1.5 : 1), fpr = above(at, 0);
        rate[g] = base * tpr + (1 - base) * fpr;
        right += (g == 0 ? 0.6 : 0.4) * (base * tpr + (1 - base) * (1 - fpr));
    }
    return (struct true_figures){fabs(rate[0] - rate[1]), right};
}

static bool
holds(const struct threshold_figure *f, double truth)
{
    return f->ci.low <= truth && truth <= f->ci.high;
}

/* Rows that chose the thresholds say a gap of at most 0.01 and too good an accuracy; rows that did
 * not say what comes. The truth is that of the thresholds that all rows choose. */
static void
figures_of_rows_held_back_cover_what_new_rows_will_show(void **state)
{
    (void)state;
    enum { TIMES = 400 };
    static struct rows x;
    struct rng r;
    double gap = 0, accuracy = 0;
    const struct threshold_options o = {.constraint = THRESHOLD_DEMOGRAPHIC_PARITY,
                                        .objective = THRESHOLD_ACCURACY,
                                        .tolerance = 0.01};
    rng_init(&r, 41, "held");
    for (int i = 0; i < TIMES; i++) {
        struct threshold_rule rule[2];
        struct threshold_plan plan = {.rule = rule};
        struct threshold_rating held;
        size_t tried = 0;
        draw_world(&r, 300, &x);
        DEFER(threshold_curves_freep) struct threshold_curves *c = curves_of(&x, &o);
        assert_ok(threshold_deterministic(c, o.tolerance, &plan, &tried));
        const struct true_figures truth = true_of(rule);
        assert_ok(cross_fit(&x, x.n, 2, &o, &held));
        gap += holds(&held.gap, truth.gap);
        accuracy += holds(&held.accuracy, truth.accuracy);
    }
    const double least = (double)TIMES * (0.95 - 4 * sqrt(0.95 * 0.05 / TIMES));
    assert_true(gap >= least);
    assert_true(accuracy >= least);
}

/* Of thresholds that are given, on rows that had no part in it. */
static void
figures_of_given_thresholds_cover(void **state)
{
    (void)state;
    enum { TIMES = 600 };
    static struct rows x;
    struct rng r;
    double hit[3] = {0};
    const struct threshold_rule rule[2] = {{.threshold = {{0.6, false}}, .p = {1, 0}},
                                           {.threshold = {{0.9, false}}, .p = {1, 0}}};
    const struct threshold_options o = {.constraint = THRESHOLD_DEMOGRAPHIC_PARITY,
                                        .objective = THRESHOLD_ACCURACY};
    const struct true_figures truth = true_of(rule);
    rng_init(&r, 42, "given");
    for (int i = 0; i < TIMES; i++) {
        struct threshold_rule on_these[2];
        struct group_tally t[2] = {0};
        struct threshold_rating rating;
        draw_world(&r, 300, &x);
        for (size_t k = 0; k < x.n; k++) {
            const bool yes = threshold_decide(&rule[x.group[k]], x.score[k]) > 0.5;
            const enum group_outcome out =
                x.y[k] == 1 ? (yes ? GROUP_TP : GROUP_FN) : (yes ? GROUP_FP : GROUP_TN);
            t[x.group[k]].count[out]++;
            t[x.group[k]].count2[out]++;
            t[x.group[k]].rows++;
        }
        assert_ok(threshold_rate(&o, t, 2, 0.95, &rating));
        hit[0] += holds(&rating.gap, truth.gap);
        hit[1] += holds(&rating.accuracy, truth.accuracy);
        hit[2] += holds(&rating.objective, truth.accuracy);
        for (int g = 0; g < 2; g++) { /* expected counts are the counts of a plain rule */
            const double *n = t[g].count;
            on_these[g] = rule[g];
            on_these[g].rows = t[g].rows;
            on_these[g].positives = (uint64_t)(n[GROUP_TP] + n[GROUP_FN]);
            on_these[g].tpr = n[GROUP_TP] / (n[GROUP_TP] + n[GROUP_FN]);
            on_these[g].fpr = n[GROUP_FP] / (n[GROUP_FP] + n[GROUP_TN]);
            const struct group_tally again = threshold_tally(&on_these[g]);
            for (int k = 0; k < GROUP_OUTCOMES; k++) {
                assert_near(again.count[k], n[k], 1e-9);
            }
        }
    }
    for (int k = 0; k < 3; k++) {
        assert_true(hit[k] >= TIMES * (0.95 - 4 * sqrt(0.95 * 0.05 / TIMES)));
    }
}

static void
the_order_of_rows_changes_no_figure_of_rows_held_back(void **state)
{
    (void)state;
    static struct rows x, y;
    struct rng r;
    struct threshold_rating a, b;
    size_t item[200];
    rng_init(&r, 43, "order");
    random_rows(&r, 200, 3, 12, &x);
    x.group[7] = -1;
    y = x;
    for (size_t i = 0; i < 200; i++) {
        item[i] = i;
    }
    rng_shuffle(&r, item, 200);
    for (size_t i = 0; i < 200; i++) {
        y.score[i] = x.score[item[i]];
        y.y[i] = x.y[item[i]];
        y.group[i] = x.group[item[i]];
    }
    const struct threshold_options o = {.constraint = THRESHOLD_EQUALIZED_ODDS,
                                        .objective = THRESHOLD_BALANCED_ACCURACY,
                                        .tolerance = 0.05};
    assert_ok(cross_fit(&x, 200, 3, &o, &a));
    assert_ok(cross_fit(&y, 200, 3, &o, &b));
    assert_true(a.gap.value >= 0);
    assert_memory_equal(&a, &b, sizeof a);
}

static void
a_group_that_would_lack_a_label_has_no_figures_held_back(void **state)
{
    (void)state;
    static struct rows x;
    struct rng r;
    struct threshold_rating held;
    rng_init(&r, 44, "lack");
    random_rows(&r, 60, 2, 12, &x);
    for (size_t i = 2; i < 60; i++) {
        x.y[i] = x.group[i] == 0 ? 0 : x.y[i]; /* the one positive of group 0 is row 2 or before */
    }
    x.y[2] = 1;
    const struct threshold_options o = {.constraint = THRESHOLD_TPR_PARITY,
                                        .objective = THRESHOLD_ACCURACY};
    x.y[0] = 0;
    assert_ok(cross_fit(&x, 60, 2, &o, &held));
    assert_true(isnan(held.gap.value) && isnan(held.accuracy.ci.low));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_of_several_classes_make_them_independent),
        cmocka_unit_test(rows_that_make_no_curve_are_refused),
        cmocka_unit_test(words_go_both_ways),
        cmocka_unit_test(infinite_and_neighbouring_scores_are_parted),
        cmocka_unit_test(empty_cells_have_no_weight),
        cmocka_unit_test(the_remover_refuses_what_is_not_finite),
        cmocka_unit_test(a_group_that_would_lack_a_label_has_no_figures_held_back),
        cmocka_unit_test(figures_of_rows_held_back_cover_what_new_rows_will_show),
        cmocka_unit_test(figures_of_given_thresholds_cover),
        cmocka_unit_test(the_order_of_rows_changes_no_figure_of_rows_held_back),
        cmocka_unit_test(thresholds_agree_with_fairlearn),
        cmocka_unit_test(the_remover_agrees_with_fairlearn),
        cmocka_unit_test(weights_agree_with_aif360),
        cmocka_unit_test(one_threshold_a_group_is_the_best_of_all),
        cmocka_unit_test(more_freedom_is_never_worse),
        cmocka_unit_test(nothing_linear_is_left_and_columns_that_say_the_same_are_one),
        cmocka_unit_test(columns_that_are_almost_one_are_both_removed),
    };
    return cmocka_run_group_tests_name("assess/mitigate", tests, NULL, NULL);
}
