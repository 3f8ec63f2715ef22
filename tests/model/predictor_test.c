#include "made.h"

#include "model/predictor.h"
#include "model/ranks.h"
#include "model/train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Every way of predicting against the plain one, digit for digit. */
static void
check_rows(const struct forest *f, const float *x, size_t rows)
{
    const size_t n = rows * f->outputs;
    DEFER(predictor_freep) struct predictor *p = NULL;
    DEFER(memory_freep) double *want = calloc(n + 1, sizeof *want);
    DEFER(memory_freep) double *got = calloc(n + 1, sizeof *got);
    assert_true(want != NULL && got != NULL);
    assert_ok(predictor_new(f, &p));
    forest_margin_ref(f, x, rows, want);
    for (unsigned threads = 0; threads <= 3; threads++) {
        memset(got, 0xff, n * sizeof *got);
        predictor_margin(p, x, rows, threads, got);
        assert_memory_equal(got, want, n * sizeof *got);
        memset(got, 0xff, n * sizeof *got);
        predictor_margin_portable(p, x, rows, threads, got);
        assert_memory_equal(got, want, n * sizeof *got);
    }
    for (size_t i = 0; i < rows && i < 50; i++) {
        predictor_margin(p, x + i * f->features, 1, 1, got);
        assert_memory_equal(got, want + i * f->outputs, f->outputs * sizeof *got);
    }
}

static void
check_recipe(const struct made_recipe *r, uint64_t seed, size_t rows)
{
    struct rng g;
    rng_init(&g, seed, "predictor");
    DEFER(memory_freep) struct made *m = made_new(r, &g);
    DEFER(memory_freep) float *x = calloc(rows * r->features + 1, sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < rows; i++) {
        made_row(r, &g, x + i * r->features);
        if (rng_below(&g, 4) == 0) { /* on a threshold, or far outside */
            const uint32_t n = (uint32_t)rng_below(&g, m->f.nodes);
            const float odd[] = {m->threshold[n], INFINITY, -INFINITY, 1e9f, 253, 254, 255, -1};
            x[i * r->features + m->feature[n]] = odd[rng_below(&g, 8)];
        }
    }
    check_rows(&m->f, x, rows);
}

static void
answers_for_no_rows_and_for_any_part_of_a_tile(void **state)
{
    (void)state;
    const struct made_recipe r = {.features = 5, .outputs = 1, .trees = 8, .depth = 4};
    const size_t rows[] = {0, 1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 511, 512, 513, 1100};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_recipe(&r, i, rows[i]);
    }
}

static void
answers_for_trees_that_are_one_leaf(void **state)
{
    (void)state;
    struct rng g;
    const struct made_recipe r = {.features = 3, .outputs = 1, .trees = 8, .depth = 0};
    rng_init(&g, 1, "leaf");
    DEFER(memory_freep) struct made *m = made_new(&r, &g);
    const float x[3 * 20] = {0};
    check_rows(&m->f, x, 20);
}

/* Depths 1 to 8 are perfect trees, 9 to 11 walks. */
static void
finds_the_leaves_of_the_plain_walk_at_every_depth(void **state)
{
    (void)state;
    for (uint32_t depth = 1; depth <= 8; depth++) {
        const struct made_recipe r = {.features = 7, .outputs = 1, .trees = 8, .depth = depth};
        check_recipe(&r, depth, 150);
    }
    for (uint32_t depth = 9; depth <= 11; depth++) {
        const struct made_recipe r = {.features = 7, .outputs = 1, .trees = 1, .depth = depth};
        check_recipe(&r, depth, 150);
    }
}

static void
finds_them_with_categories_classes_and_weights(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 24; i++) {
        const struct made_recipe r = {.features = 2 + i % 9,
                                      .outputs = 1 + i % 3,
                                      .trees = 3 + i % 6,
                                      .depth = 2 + i % 6,
                                      .with_categories = i % 2 == 1,
                                      .dart = i % 4 >= 2};
        check_recipe(&r, 100 + i, 140);
    }
}

/* Categories past a byte, NaN thresholds, zeros that are missing, and a missing value below
 * -infinity are left to the walk. */
static void
leaves_odd_splits_to_the_walk(void **state)
{
    (void)state;
    static const uint32_t far[] = {3, 254};
    struct rng g;
    const struct made_recipe r = {.features = 4, .outputs = 1, .trees = 8, .depth = 5};
    for (uint32_t kind = 0; kind < 5; kind++) {
        uint8_t zero_missing[MADE_NODES] = {0};
        rng_init(&g, kind, "odd");
        DEFER(memory_freep) struct made *m = made_new(&r, &g);
        DEFER(memory_freep) float *x = calloc(200 * 4, sizeof *x);
        assert_non_null(x);
        for (uint32_t n = 0; n < m->f.nodes; n += 7) {
            m->threshold[n] = kind == 0 ? NAN : kind == 1 ? -INFINITY : INFINITY;
            m->default_left[n] = (uint8_t)(n % 2);
            zero_missing[n] = 1;
            if (kind == 3 && m->left[n] >= 0) {
                m->category_count[n] = 2;
                m->category_start[n] = m->categories_used;
                memcpy(m->categories + m->categories_used, far, sizeof far);
                m->categories_used += 2;
            }
        }
        for (size_t i = 0; i < 200; i++) {
            made_row(&r, &g, x + i * 4);
            const float odd[] = {NAN, -INFINITY, INFINITY, 254, 255, 3, 0, -0.0f, 1e-36f};
            x[i * 4 + i % 4] = odd[rng_below(&g, 9)];
        }
        m->f.zero_missing = kind == 4 ? zero_missing : NULL;
        check_rows(&m->f, x, 200);
    }
}

/* ---- models as trained ---- */

static struct forest *
train(size_t rows, const float *x, const float *y, const struct train_options *o,
      struct buf *ret_bytes)
{
    struct diag diag = {0};
    struct forest *f = NULL;
    buf_init(ret_bytes, (size_t)64 << 20);
    assert_ok(train_xgboost(x, rows, 6, y, NULL, o, &diag, ret_bytes));
    assert_ok(forest_load(buf_view(ret_bytes), &diag, &f));
    return f;
}

/* Eight full trees over two features have more thresholds than a byte tells apart. */
static void
cuts_a_model_where_thresholds_no_longer_fit(void **state)
{
    (void)state;
    struct rng g;
    uint32_t end = 0;
    const struct made_recipe r = {.features = 2, .outputs = 2, .trees = 8, .depth = 8};
    rng_init(&g, 9, "predictor");
    DEFER(memory_freep) struct made *m = made_new(&r, &g);
    assert_ok(ranks_trees_that_fit(&m->f, 0, RANKS_MOST8, &end));
    assert_true(end > 0 && end < m->f.trees);
    check_recipe(&r, 9, 300);
}

static void
finds_them_in_models_as_trained(void **state)
{
    (void)state;
    const size_t rows = 3000;
    static const uint8_t categories[6] = {1};
    struct rng g;
    rng_init(&g, 5, "trained");
    DEFER(memory_freep) float *x = calloc(rows * 6, sizeof *x);
    DEFER(memory_freep) float *y = calloc(rows, sizeof *y);
    assert_true(x != NULL && y != NULL);
    for (size_t i = 0; i < rows; i++) {
        for (size_t k = 0; k < 6; k++) {
            x[i * 6 + k] = k == 0 ? (float)rng_below(&g, 30) : (float)rng_normal(&g);
            x[i * 6 + k] = rng_below(&g, 10) == 0 ? NAN : x[i * 6 + k];
        }
        y[i] = (float)rng_below(&g, 2);
    }
    struct train_options o;
    train_defaults(&o);
    o.rounds = 40;
    o.max_depth = 7;
    for (uint32_t i = 0; i < 2; i++) {
        o.feature_is_category = i == 0 ? NULL : categories;
        DEFER(buf_done) struct buf bytes;
        DEFER(forest_freep) struct forest *f = train(rows, x, y, &o, &bytes);
        check_rows(f, x, 1000);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_for_no_rows_and_for_any_part_of_a_tile),
        cmocka_unit_test(answers_for_trees_that_are_one_leaf),
        cmocka_unit_test(finds_the_leaves_of_the_plain_walk_at_every_depth),
        cmocka_unit_test(finds_them_with_categories_classes_and_weights),
        cmocka_unit_test(leaves_odd_splits_to_the_walk),
        cmocka_unit_test(cuts_a_model_where_thresholds_no_longer_fit),
        cmocka_unit_test(finds_them_in_models_as_trained),
    };
    return cmocka_run_group_tests_name("model/predictor", tests, NULL, NULL);
}
