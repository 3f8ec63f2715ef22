/* SHAP of linear models: shap's LinearExplainer (data/explain_linear.json), the definition of
 * attributions of an answer, row by row, and the laws. */
#include "testing/testing.h"

#include "assess/explain_linear.h"
#include "base/file.h"
#include "model/model_file.h"
#include "num/rng.h"

#include <math.h>
#include <stdio.h>

enum { ROWS = 12, MANY = 400, FEATURES = 4 };

static json_t *pinned;

static int
load(void **state)
{
    (void)state;
    DEFER(file_freep) char *path = testing_source("tests/assess/data/explain_linear.json");
    pinned = testing_read_json(path);
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    js_freep(&pinned);
    return 0;
}

/* The model of a case, without one of its file's keys when drop is not NULL. */
static struct model_file *
model_of(const json_t *one, const char *drop)
{
    DEFER(js_freep) json_t *document = json_deep_copy(json_object_get(one, "model"));
    DEFER(buf_done) struct buf text;
    struct model_file *m = NULL;
    buf_init(&text, 1u << 20);
    if (drop != NULL) {
        assert_int_equal(json_object_del(document, drop), 0);
    }
    assert_ok(js_put_pretty(&text, document));
    assert_ok(model_file_load(buf_view(&text), NULL, &m));
    assert_non_null(m->linear);
    return m;
}

static const json_t *
case_of(size_t i)
{
    return json_array_get(json_object_get(pinned, "cases"), i);
}

static size_t
take_rows(const char *key, float *ret_x)
{
    const json_t *rows = json_object_get(pinned, key);
    for (size_t i = 0; i < json_array_size(rows) * FEATURES; i++) {
        ret_x[i] = (float)json_number_value(
            json_array_get(json_array_get(rows, i / FEATURES), i % FEATURES));
    }
    return json_array_size(rows);
}

static void
refuses_backgrounds_without_a_margin(void **state)
{
    (void)state;
    DEFER(model_file_freep) struct model_file *m = model_of(case_of(1), NULL);
    DEFER(explain_linear_freep) struct explain_linear *e = NULL;
    const float x[2 * FEATURES] = {1, NAN, 3, 4, 5, 6, 7, NAN};
    assert_status(explain_linear_new(m->linear, x, 2, false, &e), INPUT);
    assert_null(e);
}

static void
answers_of_a_softmax_are_not_explained(void **state)
{
    (void)state;
    DEFER(model_file_freep) struct model_file *m = model_of(case_of(2), NULL);
    DEFER(explain_linear_freep) struct explain_linear *e = NULL;
    const float x[FEATURES] = {1, 2, 3, 4};
    assert_status(explain_linear_new(m->linear, x, 1, true, &e), UNSUPPORTED);
    assert_ok(explain_linear_new(m->linear, x, 1, false, &e));
}

static void
rows_without_a_margin_have_no_attributions(void **state)
{
    (void)state;
    DEFER(model_file_freep) struct model_file *m = model_of(case_of(1), NULL);
    DEFER(explain_linear_freep) struct explain_linear *e = NULL;
    const float background[3 * FEATURES] = {1, 2, 3, 4, NAN, 2, 3, 4, 3, 2, 3, 4},
                               x[2 * FEATURES] = {5, NAN, 3, 4, 5, 2, 3, 4};
    double phi[2 * FEATURES];
    assert_ok(explain_linear_new(m->linear, background, 3, true, &e));
    assert_int_equal(explain_linear_left_out(e), 1);
    explain_linear_rows(e, x, 2, 1, phi);
    for (size_t j = 0; j < FEATURES; j++) {
        assert_true(isnan(phi[j]));
        assert_true(j == 0 ? phi[FEATURES] != 0 : phi[FEATURES + j] == 0); /* never varies */
    }
}

static void
equals_shap(void **state)
{
    (void)state;
    float background[50 * FEATURES], x[ROWS * FEATURES];
    double phi[3 * ROWS * FEATURES], expected[3];
    const size_t rows = take_rows("background", background);
    (void)take_rows("rows", x);
    for (size_t c = 0; c < 3; c++) {
        DEFER(model_file_freep) struct model_file *m = model_of(case_of(c), NULL);
        DEFER(explain_linear_freep) struct explain_linear *e = NULL;
        const json_t *values = json_object_get(case_of(c), "values");
        assert_ok(explain_linear_new(m->linear, background, rows, false, &e));
        explain_linear_rows(e, x, ROWS, 2, phi);
        explain_linear_expected(e, expected);
        for (size_t k = 0; k < m->outputs; k++) {
            const json_t *of = json_array_get(values, k);
            assert_near(
                expected[k],
                json_number_value(json_array_get(json_object_get(case_of(c), "expected"), k)),
                1e-12);
            for (size_t i = 0; i < ROWS * FEATURES; i++) {
                const double theirs = json_number_value(
                    json_array_get(json_array_get(of, i / FEATURES), i % FEATURES));
                assert_near(phi[(i / FEATURES * m->outputs + k) * FEATURES + i % FEATURES], theirs,
                            1e-12);
            }
        }
    }
}

/* base + sum of phi is the margin, whatever stands for what is not known. */
static void
attributions_add_up_to_the_margin(void **state)
{
    (void)state;
    float x[ROWS * FEATURES];
    double phi[3 * ROWS * FEATURES], expected[3], margin[3 * ROWS];
    (void)take_rows("rows", x);
    for (size_t c = 0; c < 3; c++) {
        DEFER(model_file_freep) struct model_file *m = model_of(case_of(c), NULL);
        DEFER(explain_linear_freep) struct explain_linear *e = NULL;
        assert_true(m->linear->has_mean);
        assert_ok(explain_linear_new(m->linear, NULL, 0, false, &e));
        explain_linear_rows(e, x, ROWS, 1, phi);
        explain_linear_expected(e, expected);
        model_file_margin(m, x, ROWS, 1, margin);
        for (size_t i = 0; i < ROWS * m->outputs; i++) {
            double sum = expected[i % m->outputs];
            for (size_t j = 0; j < FEATURES; j++) {
                sum += phi[i * FEATURES + j];
            }
            assert_near(sum, margin[i], 1e-12);
        }
        assert_near(expected[0], m->linear->intercept[0], 1e-15);
    }
    DEFER(model_file_freep) struct model_file *without = model_of(case_of(1), "mean");
    assert_false(without->linear->has_mean);
}

/* The definition: mean over the background of w (x - b) (p(x) - p(b)) / (m(x) - m(b)). */
static void
by_definition(const struct model_file *m, const float *x, const float *background, size_t rows,
              double *ret_phi)
{
    double mx, mb, px, pb;
    memset(ret_phi, 0, FEATURES * sizeof *ret_phi);
    model_file_margin(m, x, 1, 1, &mx);
    px = 1 / (1 + exp(-mx));
    for (size_t b = 0; b < rows; b++) {
        const float *row = background + b * FEATURES;
        model_file_margin(m, row, 1, 1, &mb);
        pb = 1 / (1 + exp(-mb));
        const double g = mx == mb ? px * (1 - px) : (px - pb) / (mx - mb);
        for (size_t j = 0; j < FEATURES; j++) {
            ret_phi[j] += m->linear->coefficient[j] / m->linear->scale[j] *
                          ((double)x[j] - (double)row[j]) * g / (double)rows;
        }
    }
}

/* Few rows are held one by one, many through an interpolation. */
static void
equals_the_definition_on_probability(const struct model_file *m, size_t rows)
{
    float x[ROWS * FEATURES], background[MANY * FEATURES];
    double phi[ROWS * FEATURES], mine[FEATURES], expected = 0, margin, mean = 0, error = 0;
    struct rng r;
    DEFER(explain_linear_freep) struct explain_linear *e = NULL;
    rng_init(&r, rows, "linear");
    (void)take_rows("rows", x);
    for (size_t i = 0; i < rows * FEATURES; i++) {
        background[i] = x[i % FEATURES] * (float)(1 + 0.3 * rng_normal(&r));
    }
    assert_ok(explain_linear_new(m->linear, background, rows, true, &e));
    assert_true((explain_linear_nodes(e, &error) > 0) == (rows > 64));
    assert_true(error < 1e-10);
    explain_linear_expected(e, &expected);
    for (size_t b = 0; b < rows; b++) {
        model_file_margin(m, background + b * FEATURES, 1, 1, &margin);
        mean += 1 / (1 + exp(-margin)) / (double)rows;
    }
    assert_near(expected, mean, 1e-13);
    explain_linear_rows(e, x, ROWS, 2, phi);
    for (size_t i = 0; i < ROWS; i++) {
        double sum = expected;
        by_definition(m, x + i * FEATURES, background, rows, mine);
        model_file_margin(m, x + i * FEATURES, 1, 1, &margin);
        for (size_t j = 0; j < FEATURES; j++) {
            assert_near(phi[i * FEATURES + j], mine[j], 1e-9);
            sum += phi[i * FEATURES + j];
        }
        assert_near(sum, 1 / (1 + exp(-margin)), 1e-9);
    }
}

static void
attributions_of_probability_are_by_definition(void **state)
{
    (void)state;
    DEFER(model_file_freep) struct model_file *m = model_of(case_of(1), NULL);
    equals_the_definition_on_probability(m, 1);
    equals_the_definition_on_probability(m, 50);
    equals_the_definition_on_probability(m, MANY);
}

/* Margins that lie thousands apart are not interpolated, and still right. */
static void
margins_far_apart_are_held_row_by_row(void **state)
{
    (void)state;
    DEFER(model_file_freep) struct model_file *m = model_of(case_of(1), NULL);
    DEFER(explain_linear_freep) struct explain_linear *e = NULL;
    float background[100 * FEATURES], x[ROWS * FEATURES];
    double phi[FEATURES], mine[FEATURES], error = 1;
    (void)take_rows("rows", x);
    for (size_t i = 0; i < 100 * FEATURES; i++) {
        background[i] = x[i % FEATURES] * (float)(i / FEATURES) * (i % 8 < 4 ? 10.0f : -10.0f);
    }
    assert_ok(explain_linear_new(m->linear, background, 100, true, &e));
    assert_int_equal(explain_linear_nodes(e, &error), 0);
    explain_linear_rows(e, x, 1, 1, phi);
    by_definition(m, x, background, 100, mine);
    for (size_t j = 0; j < FEATURES; j++) {
        assert_near(phi[j], mine[j], 1e-9);
    }
}

static void
digits_do_not_depend_on_threads(void **state)
{
    (void)state;
    DEFER(model_file_freep) struct model_file *m = model_of(case_of(2), NULL);
    DEFER(explain_linear_freep) struct explain_linear *e = NULL;
    static float x[2000 * FEATURES];
    static double one[3 * 2000 * FEATURES], four[3 * 2000 * FEATURES];
    struct rng r;
    rng_init(&r, 9, "linear");
    for (size_t i = 0; i < 2000 * FEATURES; i++) {
        x[i] = (float)rng_normal(&r);
    }
    assert_ok(explain_linear_new(m->linear, x, 2000, false, &e));
    explain_linear_rows(e, x, 2000, 1, one);
    explain_linear_rows(e, x, 2000, 4, four);
    assert_memory_equal(one, four, sizeof one);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_backgrounds_without_a_margin),
        cmocka_unit_test(answers_of_a_softmax_are_not_explained),
        cmocka_unit_test(rows_without_a_margin_have_no_attributions),
        cmocka_unit_test(equals_shap),
        cmocka_unit_test(attributions_add_up_to_the_margin),
        cmocka_unit_test(attributions_of_probability_are_by_definition),
        cmocka_unit_test(margins_far_apart_are_held_row_by_row),
        cmocka_unit_test(digits_do_not_depend_on_threads),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
