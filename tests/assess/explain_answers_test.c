#include "../model/made.h"

#include "assess/explain_answers.h"

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct sample {
    struct made *m;
    struct model_file file;
    size_t rows, background_rows;
    float *x, *background;
};

static void
sample_make(const struct made_recipe *r, uint64_t seed, size_t rows, size_t background_rows,
            struct sample *s)
{
    struct rng g;
    rng_init(&g, seed, "answers");
    *s = (struct sample){.m = made_new(r, &g), .rows = rows, .background_rows = background_rows};
    s->m->f.link = FOREST_SOFTMAX;
    s->x = calloc(rows * r->features, sizeof *s->x);
    s->background = calloc(background_rows * r->features, sizeof *s->background);
    assert_true(s->x != NULL && s->background != NULL);
    for (size_t i = 0; i < rows; i++) {
        made_row(r, &g, s->x + i * r->features);
    }
    for (size_t i = 0; i < background_rows; i++) {
        made_row(r, &g, s->background + i * r->features);
    }
    s->file = (struct model_file){
        .features = r->features, .outputs = r->outputs, .link = FOREST_SOFTMAX, .forest = &s->m->f};
    assert_ok(predictor_new(&s->m->f, &s->file.predictor));
}

static void
sample_done(struct sample *s)
{
    predictor_free(s->file.predictor);
    free(s->m);
    free(s->x);
    free(s->background);
}

static struct explain_answers *
explainer(const struct sample *s, size_t evaluations)
{
    struct explain_answers *e = NULL;
    const struct explain_answers_options o = {.background = s->background,
                                              .rows = s->background_rows,
                                              .evaluations = evaluations,
                                              .seed = 1,
                                              .threads = 1};
    assert_ok(explain_answers_new(&s->file, &o, &e));
    return e;
}

/* v(S) = the mean probabilities of the background rows with the features in S taken from x. */
static void
mixed_answer(const struct sample *s, const float *x, uint32_t known, double *ret)
{
    const struct forest *f = &s->m->f;
    float mixed[MADE_FEATURES];
    double p[MADE_OUTPUTS];
    memset(ret, 0, f->outputs * sizeof *ret);
    for (size_t b = 0; b < s->background_rows; b++) {
        for (uint32_t i = 0; i < f->features; i++) {
            mixed[i] = (known >> i & 1) != 0 ? x[i] : s->background[b * f->features + i];
        }
        forest_margin_ref(f, mixed, 1, p);
        forest_link_apply(f, p, 1);
        for (uint32_t k = 0; k < f->outputs; k++) {
            ret[k] += p[k] / (double)s->background_rows;
        }
    }
}

/* ret[outputs * features] */
static void
shapley(const struct sample *s, const float *x, double *ret)
{
    const uint32_t m = s->m->f.features, outputs = s->m->f.outputs, sets = UINT32_C(1) << m;
    DEFER(memory_freep) double *v = calloc((size_t)sets * outputs, sizeof *v);
    for (uint32_t set = 0; set < sets; set++) {
        mixed_answer(s, x, set, v + (size_t)set * outputs);
    }
    memset(ret, 0, (size_t)m * outputs * sizeof *ret);
    for (uint32_t set = 0; set < sets; set++) {
        const double size = (double)__builtin_popcount(set);
        for (uint32_t i = 0; i < m; i++) {
            const double w = exp(lgamma(size + 1) + lgamma(m - size) - lgamma(m + 1.0));
            const uint32_t with = set | UINT32_C(1) << i;
            for (uint32_t k = 0; with != set && k < outputs; k++) {
                ret[k * m + i] += w * (v[with * outputs + k] - v[set * outputs + k]);
            }
        }
    }
}

/* The definition: ret[outputs * features * features], half of the index off the diagonal. */
static void
interactions(const struct sample *s, const float *x, double *ret)
{
    const uint32_t m = s->m->f.features, outputs = s->m->f.outputs, sets = UINT32_C(1) << m;
    const size_t cells = (size_t)m * m;
    DEFER(memory_freep) double *v = calloc((size_t)sets * outputs, sizeof *v);
    DEFER(memory_freep) double *phi = calloc((size_t)m * outputs, sizeof *phi);
    for (uint32_t set = 0; set < sets; set++) {
        mixed_answer(s, x, set, v + (size_t)set * outputs);
    }
    shapley(s, x, phi);
    memset(ret, 0, cells * outputs * sizeof *ret);
    for (uint32_t k = 0; k < outputs; k++) {
        for (uint32_t i = 0; i < m; i++) {
            ret[k * cells + i * m + i] = phi[k * m + i];
        }
        for (uint32_t i = 0; i < m; i++) {
            for (uint32_t j = 0; j < m; j++) {
                const uint32_t a = UINT32_C(1) << i, b = UINT32_C(1) << j;
                double index = 0;
                for (uint32_t set = 0; i != j && set < sets; set++) {
                    const double size = (double)__builtin_popcount(set);
                    if ((set & (a | b)) == 0) {
                        index += exp(lgamma(size + 1) + lgamma(m - size - 1) - lgamma((double)m)) *
                                 (v[(set | a | b) * outputs + k] - v[(set | a) * outputs + k] -
                                  v[(set | b) * outputs + k] + v[set * outputs + k]);
                    }
                }
                ret[k * cells + i * m + j] += i == j ? 0 : index / 2;
                ret[k * cells + i * m + i] -= i == j ? 0 : index / 2;
            }
        }
    }
}

/* ---- limits ---- */

static void
refuses_a_background_without_margins_and_too_many_features(void **state)
{
    (void)state;
    static const char text[] =
        "{\"format\": \"steward-linear\", \"version\": 1, \"link\": \"softmax\", \"features\": "
        "[\"x\"], \"intercept\": [0, 0, 0], \"coefficients\": [[1], [2], [3]]}";
    struct diag diag = {0};
    struct explain_answers *e = NULL;
    DEFER(model_file_freep) struct model_file *m = NULL;
    assert_ok(model_file_load(view_str(text), &diag, &m));
    const float none[] = {NAN, NAN}, some[] = {NAN, 1};
    struct explain_answers_options o = {.background = none, .rows = 2, .threads = 1};
    assert_status(explain_answers_new(m, &o, &e), INPUT);
    o.evaluations = SHAPLEY_MOST + 1;
    o.background = some;
    assert_status(explain_answers_new(m, &o, &e), LIMIT);
    o.evaluations = 0;
    assert_ok(explain_answers_new(m, &o, &e));
    double phi[6], error[6];
    const float x[] = {NAN, 2};
    assert_ok(explain_answers_rows(e, x, 2, 1, phi, error));
    assert_true(isnan(phi[0]) && isnan(phi[2]) && isnan(error[0]));
    assert_true(phi[3] < 0 && phi[5] > 0);
    assert_int_equal(explain_answers_tell(e).left_out, 1);
    assert_int_equal(explain_answers_tell(e).exact_rows, 1);
    explain_answers_free(e);
}

/* ---- truth ---- */

static void
few_features_equal_the_definition_over_all_subsets(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 8; i++) {
        const struct made_recipe r = {.features = 2 + i % 6,
                                      .outputs = 2 + i % 2,
                                      .trees = 4,
                                      .depth = 1 + i % 4,
                                      .with_categories = i % 2 == 1};
        DEFER(sample_done) struct sample s;
        sample_make(&r, 500 + i, 4, 1 + i, &s);
        DEFER(explain_answers_freep) struct explain_answers *e = explainer(&s, 0);
        const size_t width = (size_t)r.features * r.outputs;
        DEFER(memory_freep) double *phi = calloc(s.rows * width, sizeof *phi);
        DEFER(memory_freep) double *error = calloc(s.rows * width, sizeof *error);
        double defined[MADE_FEATURES * MADE_OUTPUTS];
        assert_ok(explain_answers_rows(e, s.x, s.rows, 1, phi, error));
        for (size_t row = 0; row < s.rows; row++) {
            shapley(&s, s.x + row * r.features, defined);
            for (size_t k = 0; k < width; k++) {
                assert_near(phi[row * width + k], defined[k], 1e-11);
                assert_true(error[row * width + k] == 0);
            }
        }
        assert_int_equal(explain_answers_tell(e).exact_rows, s.rows);
    }
}

static void
pairs_equal_the_definition_over_all_subsets(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 8; i++) {
        const struct made_recipe r = {.features = 2 + i % 6,
                                      .outputs = 2 + i % 2,
                                      .trees = 4,
                                      .depth = 1 + i % 4,
                                      .with_categories = i % 2 == 1};
        DEFER(sample_done) struct sample s;
        sample_make(&r, 700 + i, 4, 1 + i, &s);
        DEFER(explain_answers_freep) struct explain_answers *e = explainer(&s, 0);
        const size_t line = r.features, width = line * line * r.outputs;
        DEFER(memory_freep) double *pairs = calloc(s.rows * width, sizeof *pairs);
        DEFER(memory_freep) double *phi = calloc(s.rows * line * r.outputs, sizeof *phi);
        double defined[MADE_FEATURES * MADE_FEATURES * MADE_OUTPUTS], largest = 0;
        assert_ok(explain_answers_pairs(e, s.x, s.rows, 2, pairs));
        assert_ok(explain_answers_rows(e, s.x, s.rows, 1, phi, NULL));
        for (size_t row = 0; row < s.rows; row++) {
            interactions(&s, s.x + row * r.features, defined);
            for (size_t k = 0; k < width; k++) {
                assert_near(pairs[row * width + k], defined[k], 1e-11);
                largest = fmax(largest, k / line % line == k % line ? 0 : fabs(defined[k]));
            }
        }
        for (size_t k = 0; k < s.rows * line * r.outputs; k++) {
            double sum = 0;
            for (size_t j = 0; j < line; j++) {
                sum += pairs[k * line + j];
            }
            assert_near(sum, phi[k], 1e-12);
        }
        assert_true(i < 4 || largest > 1e-3); /* there is something to be found */
    }
}

static const struct made_recipe wide = {.features = 14, .outputs = 3, .trees = 8, .depth = 5};

/* Drawn with few evaluations, exact with all of them: the difference is of the size that is told,
 * and base and values still sum to the answer. */
static void
drawn_values_lie_within_their_errors_and_sum_up(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    sample_make(&wide, 41, 12, 5, &s);
    DEFER(explain_answers_freep) struct explain_answers *drawn = explainer(&s, 300);
    DEFER(explain_answers_freep) struct explain_answers *all = explainer(&s, 1u << 14);
    const size_t width = 42, n = s.rows * width;
    DEFER(memory_freep) double *phi = calloc(3 * n, sizeof *phi);
    double *error = phi + n, *exact = phi + 2 * n, base[3], p[3];
    assert_ok(explain_answers_rows(drawn, s.x, s.rows, 1, phi, error));
    assert_ok(explain_answers_rows(all, s.x, s.rows, 1, exact, NULL));
    const struct explain_answers_told told = explain_answers_tell(drawn);
    assert_true(told.drawn_rows > 0 && told.largest_error > 0 && told.evaluations <= 300);
    assert_int_equal(explain_answers_tell(all).drawn_rows, 0);
    size_t far = 0, of = 0;
    for (size_t i = 0; i < n; i++) {
        far += fabs(phi[i] - exact[i]) > 3 * error[i] + 1e-12;
        of += error[i] > 0;
        assert_true(error[i] <= told.largest_error);
    }
    assert_true(of > n / 4 && far * 50 < of);
    explain_answers_expected(drawn, base);
    for (size_t row = 0; row < s.rows; row++) {
        forest_margin_ref(&s.m->f, s.x + row * 14, 1, p);
        forest_link_apply(&s.m->f, p, 1);
        for (size_t k = 0; k < 3; k++) {
            double sum = base[k];
            for (size_t f = 0; f < 14; f++) {
                sum += phi[row * width + k * 14 + f];
            }
            assert_near(sum, p[k], 1e-12);
        }
    }
}

static void
gives_the_same_digits_for_any_threads_and_for_a_row_alone(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    sample_make(&wide, 42, 9, 4, &s);
    DEFER(explain_answers_freep) struct explain_answers *e = explainer(&s, 200);
    double one[9 * 42], three[9 * 42], alone[42];
    assert_ok(explain_answers_rows(e, s.x, 9, 1, one, NULL));
    assert_ok(explain_answers_rows(e, s.x, 9, 3, three, NULL));
    assert_ok(explain_answers_rows(e, s.x + 7 * 14, 1, 1, alone, NULL));
    assert_memory_equal(one, three, sizeof one);
    assert_memory_equal(alone, one + 7 * 42, sizeof alone);
}

/* Whatever is drawn, a matrix sums to the answer, and is symmetric. */
static void
assert_matrix(const struct sample *s, const struct explain_answers *e, const double *pairs)
{
    double base[3], p[3];
    explain_answers_expected(e, base);
    forest_margin_ref(&s->m->f, s->x, 1, p);
    forest_link_apply(&s->m->f, p, 1);
    for (size_t k = 0; k < 3; k++) {
        double sum = base[k];
        for (size_t i = 0; i < 196; i++) {
            sum += pairs[k * 196 + i];
            assert_true(pairs[k * 196 + i] == pairs[k * 196 + i % 14 * 14 + i / 14]);
        }
        assert_near(sum, p[k], 1e-11);
    }
}

/* Drawn values are those of all coalitions within their error, which shrinks with the draws. */
static void
pairs_are_of_all_coalitions_or_drawn(void **state)
{
    (void)state;
    enum { WIDTH = 3 * 14 * 14 };
    static double exact[WIDTH], drawn[WIDTH], again[WIDTH];
    DEFER(sample_done) struct sample s;
    sample_make(&wide, 44, 1, 4, &s);
    DEFER(explain_answers_freep) struct explain_answers *all = explainer(&s, (1u << 14) - 2);
    assert_ok(explain_answers_pairs(all, s.x, 1, 1, exact));
    assert_int_equal(explain_answers_tell(all).exact_rows, 1);
    assert_matrix(&s, all, exact);
    const size_t players = explain_answers_tell(all).players;
    assert_true(players > 11 && players <= 14);
    const size_t evaluations[] = {800, 0}; /* some five rounds; 32 */
    double before = INFINITY;
    for (size_t t = 0; t < 2; t++) {
        DEFER(explain_answers_freep) struct explain_answers *e = explainer(&s, evaluations[t]);
        assert_ok(explain_answers_pairs(e, s.x, 1, 1, drawn));
        assert_ok(explain_answers_pairs(e, s.x, 1, 3, again));
        assert_memory_equal(drawn, again, sizeof drawn);
        assert_matrix(&s, e, drawn);
        const struct explain_answers_told told = explain_answers_tell(e);
        assert_true(told.exact_rows == 0 && told.drawn_rows == 2 && told.largest_error > 0);
        double off = 0;
        for (size_t i = 0; i < WIDTH; i++) {
            off = fmax(off, fabs(drawn[i] - exact[i]));
        }
        assert_true(off > 0 && off < 5 * told.largest_error && told.largest_error < before);
        before = told.largest_error;
    }
    DEFER(explain_answers_freep) struct explain_answers *few = explainer(&s, 100);
    assert_status(explain_answers_pairs(few, s.x, 1, 1, drawn), INPUT);
}

/* Many draws of other seeds have the exact values as their mean. */
static void
drawn_pairs_are_not_biased(void **state)
{
    (void)state;
    enum { SEEDS = 300, CELLS = 14 * 14 };
    static double exact[3 * CELLS], drawn[3 * CELLS], sum[3 * CELLS], squares[3 * CELLS];
    DEFER(sample_done) struct sample s;
    sample_make(&wide, 44, 1, 4, &s);
    DEFER(explain_answers_freep) struct explain_answers *all = explainer(&s, (1u << 14) - 2);
    assert_ok(explain_answers_pairs(all, s.x, 1, 1, exact));
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct explain_answers *e = NULL;
        const struct explain_answers_options o = {
            .background = s.background, .rows = 4, .evaluations = 400, .seed = seed, .threads = 1};
        assert_ok(explain_answers_new(&s.file, &o, &e));
        assert_ok(explain_answers_pairs(e, s.x, 1, 1, drawn));
        for (size_t i = 0; i < 3 * CELLS; i++) {
            sum[i] += drawn[i] - exact[i];
            squares[i] += (drawn[i] - exact[i]) * (drawn[i] - exact[i]);
        }
        explain_answers_free(e);
    }
    size_t varying = 0, far = 0;
    for (size_t i = 0; i < 3 * CELLS; i++) {
        const double error = sqrt(squares[i]) / SEEDS;
        assert_true(fabs(sum[i] / SEEDS) <= 5 * error + 1e-15);
        varying += error > 1e-12;
        far += error > 1e-12 && fabs(sum[i] / SEEDS) > 2 * error;
    }
    assert_true(varying > 200 && far < varying / 8); /* a twentieth expected; they go together */
}

/* A feature that no split uses is no player, however it varies. */
static void
a_feature_that_no_split_uses_gets_nothing(void **state)
{
    (void)state;
    DEFER(sample_done) struct sample s;
    sample_make(&wide, 43, 3, 4, &s);
    for (uint32_t n = 0; n < s.m->f.nodes; n++) {
        s.m->feature[n] = s.m->feature[n] % 10;
    }
    DEFER(explain_answers_freep) struct explain_answers *e = explainer(&s, 0);
    double phi[3 * 42];
    assert_ok(explain_answers_rows(e, s.x, 3, 1, phi, NULL));
    assert_int_equal(explain_answers_tell(e).drawn_rows, 0);
    for (size_t i = 0; i < 3 * 42; i++) {
        assert_true(i % 14 < 10 || phi[i] == 0);
    }
}

/* ---- shap ---- */

static float *
pinned_rows(const json_t *rows, size_t *ret_count)
{
    const size_t n = json_array_size(rows), width = json_array_size(json_array_get(rows, 0));
    float *x = calloc(n * width, sizeof *x);
    for (size_t i = 0; i < n * width; i++) {
        const json_t *v = json_array_get(json_array_get(rows, i / width), i % width);
        x[i] = json_is_null(v) ? NAN : (float)json_number_value(v);
    }
    *ret_count = n;
    return x;
}

static void
class_probabilities_equal_shap(void **state)
{
    (void)state;
    DEFER(memory_freep) char *models = testing_source("tests/assess/data/interventional.json");
    DEFER(memory_freep) char *answers = testing_source("tests/assess/data/answers.json");
    DEFER(js_freep) json_t *given = testing_read_json(models);
    DEFER(js_freep) json_t *want = testing_read_json(answers);
    DEFER(buf_done) struct buf bytes;
    struct diag diag = {0};
    size_t rows = 0, background_rows = 0;
    DEFER(memory_freep) float *x = pinned_rows(json_object_get(given, "rows"), &rows);
    DEFER(memory_freep)
    float *background = pinned_rows(json_object_get(given, "background"), &background_rows);
    const json_t *classes = json_array_get(json_object_get(given, "cases"), 3);
    buf_init(&bytes, 1u << 20);
    assert_ok(
        text_from_hex(view_str(json_string_value(json_object_get(classes, "model"))), &bytes));
    DEFER(model_file_freep) struct model_file *m = NULL;
    assert_ok(model_file_load(buf_view(&bytes), &diag, &m));
    const struct explain_answers_options o = {
        .background = background, .rows = background_rows, .threads = 1};
    DEFER(explain_answers_freep) struct explain_answers *e = NULL;
    assert_ok(explain_answers_new(m, &o, &e));
    const size_t width = (size_t)m->features * m->outputs;
    DEFER(memory_freep) double *phi = calloc(rows * width, sizeof *phi);
    double base[3];
    assert_ok(explain_answers_rows(e, x, rows, 1, phi, NULL));
    explain_answers_expected(e, base);
    for (size_t k = 0; k < 3; k++) {
        assert_near(base[k],
                    json_number_value(json_array_get(json_object_get(want, "expected"), k)), 1e-6);
    }
    for (size_t i = 0; i < rows * width; i++) {
        const json_t *v =
            json_array_get(json_array_get(json_object_get(want, "values"), i / width), i % width);
        assert_near(phi[i], json_number_value(v), 1e-6);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_a_background_without_margins_and_too_many_features),
        cmocka_unit_test(few_features_equal_the_definition_over_all_subsets),
        cmocka_unit_test(pairs_equal_the_definition_over_all_subsets),
        cmocka_unit_test(pairs_are_of_all_coalitions_or_drawn),
        cmocka_unit_test(drawn_pairs_are_not_biased),
        cmocka_unit_test(drawn_values_lie_within_their_errors_and_sum_up),
        cmocka_unit_test(gives_the_same_digits_for_any_threads_and_for_a_row_alone),
        cmocka_unit_test(a_feature_that_no_split_uses_gets_nothing),
        cmocka_unit_test(class_probabilities_equal_shap),
    };
    return cmocka_run_group_tests_name("assess/explain_answers", tests, NULL, NULL);
}
