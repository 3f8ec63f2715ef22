#include "testing/testing.h"

#include "assess/flip.h"
#include "model/train.h"
#include "num/rng.h"

#include <math.h>

#define ROWS 500u
#define FEATURES                                                                                   \
    4u /* sensitive 0/1, a category, a number that may be missing, a small whole number */

struct problem {
    float x[ROWS * FEATURES], y[ROWS];
    struct forest *forest;
};

static const float values[2] = {0, 1};

static struct problem *
make(uint64_t seed, double influence, uint32_t rounds, uint32_t depth)
{
    struct problem *p = calloc(1, sizeof *p);
    struct rng r;
    assert_non_null(p);
    rng_init(&r, seed, "flip");
    for (size_t i = 0; i < ROWS; i++) {
        float *x = p->x + i * FEATURES;
        x[0] = (float)rng_below(&r, 2);
        x[1] = (float)rng_below(&r, 5);
        x[2] = rng_below(&r, 8) == 0 ? NAN : (float)rng_below(&r, 12) / 4;
        x[3] = (float)rng_below(&r, 7);
        const double z = influence * (x[0] - 0.5) + (x[1] > 2) - 0.5 +
                         (isnan(x[2]) ? 0.4 : x[2] - 1.4) + (x[3] - 3) / 4 + rng_normal(&r) / 2;
        p->y[i] = z > 0;
    }
    static const char *const names[FEATURES] = {"s", "c", "n", "k"};
    static const uint8_t category[FEATURES] = {0, 1, 0, 0};
    struct train_options o;
    struct diag diag = {0};
    DEFER(buf_done) struct buf model;
    buf_init(&model, 1u << 24);
    train_defaults(&o);
    o.rounds = rounds;
    o.max_depth = depth;
    o.learning_rate = 0.4;
    o.threads = 1;
    o.feature_names = names;
    o.feature_is_category = category;
    assert_ok(train_xgboost(p->x, ROWS, FEATURES, p->y, NULL, &o, &diag, &model));
    assert_ok(forest_load(buf_view(&model), &diag, &p->forest));
    return p;
}

static void
problem_freep(struct problem **p)
{
    forest_free((*p)->forest);
    free(*p);
}

static struct flip_options
options(enum flip_measure measure, size_t boxes)
{
    return (struct flip_options){
        .feature = 0, .values = values, .value_count = 2, .measure = measure, .boxes = boxes};
}

static struct flip_result
certify(const struct problem *p, const struct flip_options *o)
{
    struct diag diag = {0};
    struct flip_result r;
    assert_ok(flip_certificate(p->forest, p->x, ROWS, o, &diag, &r));
    return r;
}

/* ---- limits ---- */

static void
options_out_of_range_are_refused(void **state)
{
    (void)state;
    DEFER(problem_freep) struct problem *p = make(1, 1, 3, 2);
    struct diag diag = {0};
    struct flip_result r = {.boxes = 77};
    struct flip_options o = options(FLIP_EMPIRICAL, 0);
    assert_status(flip_certificate(p->forest, p->x, ROWS, &o, &diag, &r), INPUT);
    o = options(FLIP_EMPIRICAL, FLIP_MAX_BOXES + 1);
    assert_status(flip_certificate(p->forest, p->x, ROWS, &o, &diag, &r), INPUT);
    o = options(FLIP_EMPIRICAL, 10);
    assert_status(flip_certificate(p->forest, p->x, 0, &o, &diag, &r), INPUT);
    o.feature = FEATURES;
    assert_status(flip_certificate(p->forest, p->x, ROWS, &o, &diag, &r), INPUT);
    o.feature = 0;
    o.value_count = 1;
    assert_status(flip_certificate(p->forest, p->x, ROWS, &o, &diag, &r), INPUT);
    o.value_count = 2;
    o.margin = NAN;
    assert_status(flip_certificate(p->forest, p->x, ROWS, &o, &diag, &r), INPUT);
    assert_int_equal(r.boxes, 77);
    /* All of a feature missing covers no range. */
    o = options(FLIP_EVEN, 10);
    for (size_t i = 0; i < ROWS; i++) {
        p->x[i * FEATURES + 2] = NAN;
    }
    assert_status(flip_certificate(p->forest, p->x, ROWS, &o, &diag, &r), INPUT);
    assert_says(&diag, "feature 2 has no finite value");
}

static void
splits_that_are_not_understood_are_refused(void **state)
{
    (void)state;
    DEFER(problem_freep) struct problem *p = make(1, 1, 3, 2);
    DEFER(memory_freep) uint8_t *flags = calloc(p->forest->nodes, 1);
    struct diag diag = {0};
    struct flip_result r;
    const struct flip_options o = options(FLIP_EMPIRICAL, 100);
    assert_non_null(flags);
    p->forest->zero_missing = flags;
    assert_ok(flip_certificate(p->forest, p->x, ROWS, &o, &diag, &r));
    for (uint32_t n = 0; n < p->forest->nodes; n++) {
        flags[n] = p->forest->left[n] >= 0 && p->forest->category_count[n] == 0;
    }
    assert_status(flip_certificate(p->forest, p->x, ROWS, &o, &diag, &r), UNSUPPORTED);
    assert_says(&diag, "take zero for missing");
    p->forest->zero_missing = NULL;
    p->forest->outputs = 2;
    assert_status(flip_certificate(p->forest, p->x, ROWS, &o, &diag, &r), UNSUPPORTED);
    p->forest->outputs = 1;
}

static void
a_model_that_does_not_read_the_feature_is_fair_in_one_box(void **state)
{
    (void)state;
    DEFER(problem_freep) struct problem *p = make(2, 0, 2, 1);
    const struct flip_options o = options(FLIP_EMPIRICAL, 5000);
    const struct flip_result r = certify(p, &o);
    assert_false(r.read);
    assert_true(r.exact);
    assert_int_equal(r.boxes, 1);
    assert_near(r.lower, 0, 0);
    assert_near(r.upper, 0, 1e-12);
    assert_int_equal(r.flipped, 0);
}

/* ---- against trying every point ---- */

/* Weights of the distinct values of a feature. */
static size_t
distinct(const struct problem *p, size_t j, float *ret_value, double *ret_weight)
{
    size_t n = 0;
    for (size_t i = 0; i < ROWS; i++) {
        const float v = p->x[i * FEATURES + j];
        size_t k = 0;
        while (k < n && !(ret_value[k] == v || (isnan(v) && isnan(ret_value[k])))) {
            k++;
        }
        if (k == n) {
            ret_value[n] = v;
            ret_weight[n++] = 0;
        }
        ret_weight[k] += 1.0 / ROWS;
    }
    return n;
}

static double
share_by_trying(const struct problem *p, double margin)
{
    float v[FEATURES][32];
    double w[FEATURES][32], share = 0;
    size_t n[FEATURES];
    for (size_t j = 1; j < FEATURES; j++) {
        n[j] = distinct(p, j, v[j], w[j]);
    }
    for (size_t a = 0; a < n[1]; a++) {
        for (size_t b = 0; b < n[2]; b++) {
            for (size_t c = 0; c < n[3]; c++) {
                const float x[2 * FEATURES] = {0, v[1][a], v[2][b], v[3][c],
                                               1, v[1][a], v[2][b], v[3][c]};
                double m[2];
                forest_margin_ref(p->forest, x, 2, m);
                share += (m[0] >= margin) != (m[1] >= margin) ? w[1][a] * w[2][b] * w[3][c] : 0;
            }
        }
    }
    return share;
}

static void
the_share_is_that_of_all_points_and_bounds_hold_it_at_any_time(void **state)
{
    (void)state;
    unsigned between = 0;
    for (uint64_t seed = 0; seed < 12; seed++) {
        DEFER(problem_freep) struct problem *p = make(seed, 1, 10 + (uint32_t)seed, 3);
        struct flip_options o = options(FLIP_EMPIRICAL, FLIP_MAX_BOXES);
        o.margin = (double)seed / 10 - 0.5;
        const double truth = share_by_trying(p, o.margin);
        const struct flip_result r = certify(p, &o);
        assert_true(r.exact && r.read);
        assert_near(r.lower, truth, 1e-9);
        assert_near(r.upper, truth, 1e-9);
        between += truth > 0.02 && truth < 0.98;
        double low = 0, high = 1;
        for (size_t boxes = 1; boxes < r.boxes; boxes = boxes * 2 + 1) {
            o.boxes = boxes;
            const struct flip_result part = certify(p, &o);
            assert_int_equal(part.boxes, boxes);
            assert_true(part.lower <= truth + 1e-9 && truth <= part.upper + 1e-9);
            assert_true(part.lower >= low - 1e-12 && part.upper <= high + 1e-12);
            low = part.lower;
            high = part.upper;
        }
    }
    assert_true(between >= 6);
}

/* The category is the sensitive one: five values, and missing. */
static void
any_of_several_values_may_flip_it(void **state)
{
    (void)state;
    static const float kinds[6] = {0, 1, 2, 3, 4, NAN};
    for (uint64_t seed = 0; seed < 4; seed++) {
        DEFER(problem_freep) struct problem *p = make(seed + 20, 1, 12, 3);
        float v[FEATURES][32];
        double w[FEATURES][32], truth = 0;
        const size_t n0 = distinct(p, 0, v[0], w[0]), n2 = distinct(p, 2, v[2], w[2]);
        const size_t n3 = distinct(p, 3, v[3], w[3]);
        for (size_t a = 0; a < n0 * n2 * n3; a++) {
            const size_t i = a / (n2 * n3), j = a / n3 % n2, k = a % n3;
            unsigned positive = 0;
            for (size_t c = 0; c < 6; c++) {
                const float x[FEATURES] = {v[0][i], kinds[c], v[2][j], v[3][k]};
                double m = 0;
                forest_margin_ref(p->forest, x, 1, &m);
                positive += m >= 0;
            }
            truth += positive % 6 != 0 ? w[0][i] * w[2][j] * w[3][k] : 0;
        }
        struct flip_options o = options(FLIP_EMPIRICAL, FLIP_MAX_BOXES);
        o.feature = 1;
        o.values = kinds;
        o.value_count = 6;
        const struct flip_result r = certify(p, &o);
        assert_true(r.exact && truth > 0);
        assert_near(r.lower, truth, 1e-9);
        assert_near(r.upper, truth, 1e-9);
    }
}

static void
rows_that_flip_are_counted_one_by_one(void **state)
{
    (void)state;
    DEFER(problem_freep) struct problem *p = make(5, 1, 15, 3);
    const struct flip_options o = options(FLIP_EMPIRICAL, 10);
    const struct flip_result r = certify(p, &o);
    uint64_t flipped = 0;
    for (size_t i = 0; i < ROWS; i++) {
        float x[2 * FEATURES];
        double m[2];
        memcpy(x, p->x + i * FEATURES, FEATURES * sizeof *x);
        memcpy(x + FEATURES, p->x + i * FEATURES, FEATURES * sizeof *x);
        x[FEATURES] = 1 - x[0];
        forest_margin_ref(p->forest, x, 2, m);
        flipped += (m[0] >= 0) != (m[1] >= 0);
    }
    assert_int_equal(r.rows, ROWS);
    assert_int_equal(r.flipped, flipped);
    assert_true(flipped > 0 && flipped < ROWS);
}

/* The even measure against points drawn evenly. */
static void
the_even_measure_is_that_of_points_drawn_evenly(void **state)
{
    (void)state;
    DEFER(problem_freep) struct problem *p = make(7, 1, 12, 3);
    const struct flip_options o = options(FLIP_EVEN, FLIP_MAX_BOXES);
    const struct flip_result r = certify(p, &o);
    struct rng random;
    rng_init(&random, 1, "even");
    const size_t n = 40000;
    double share = 0;
    for (size_t i = 0; i < n; i++) {
        float x[2 * FEATURES] = {0, (float)rng_below(&random, 5), (float)(rng_unit(&random) * 2.75),
                                 (float)(rng_unit(&random) * 6)};
        double m[2];
        memcpy(x + FEATURES, x, FEATURES * sizeof *x);
        x[FEATURES] = 1;
        forest_margin_ref(p->forest, x, 2, m);
        share += (m[0] >= 0) != (m[1] >= 0) ? 1.0 / (double)n : 0;
    }
    assert_true(r.exact);
    assert_near(r.lower, r.upper, 1e-9);
    assert_true(share > 0.01);
    assert_near(r.lower, share, 5 * sqrt(0.25 / (double)n));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(splits_that_are_not_understood_are_refused),
        cmocka_unit_test(a_model_that_does_not_read_the_feature_is_fair_in_one_box),
        cmocka_unit_test(the_share_is_that_of_all_points_and_bounds_hold_it_at_any_time),
        cmocka_unit_test(any_of_several_values_may_flip_it),
        cmocka_unit_test(rows_that_flip_are_counted_one_by_one),
        cmocka_unit_test(the_even_measure_is_that_of_points_drawn_evenly),
    };
    return cmocka_run_group_tests_name("assess/flip", tests, NULL, NULL);
}
