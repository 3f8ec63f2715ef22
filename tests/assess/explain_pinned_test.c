/* Against what the models' own libraries answer, pinned: XGBoost's pred_contribs and
 * pred_interactions, LightGBM's pred_contrib. */
#include "testing/testing.h"

#include "assess/explain.h"
#include "base/file.h"
#include "base/text.h"
#include "model/model_file.h"

#include <math.h>

#define ROWS_MAX 64u
#define WIDTH_MAX 64u

static json_t *
read_data(const char *path)
{
    DEFER(file_freep) char *full = testing_source(path);
    return testing_read_json(full);
}

static size_t
take_rows(const json_t *file, float *x)
{
    size_t i, j, rows = 0;
    json_t *row, *v;
    json_array_foreach(json_object_get(file, "rows"), i, row)
    {
        json_array_foreach(row, j, v)
        {
            x[rows * json_array_size(row) + j] =
                json_is_null(v) ? NAN : (float)json_number_value(v);
        }
        rows++;
    }
    assert_true(rows > 0 && rows <= ROWS_MAX);
    return rows;
}

static const json_t *
named(const json_t *models, const char *name)
{
    size_t i;
    json_t *m;
    json_array_foreach(models, i, m)
    {
        if (strcmp(json_string_value(json_object_get(m, "name")), name) == 0) {
            return m;
        }
    }
    return NULL;
}

/* Every engine that takes the forest, in both precisions: expected[rows][outputs][features + 1] as
 * the libraries lay it out, the last the base. */
static void
check_contributions(const struct forest *f, const float *x, size_t rows, const json_t *expected,
                    double tolerance)
{
    double base[WIDTH_MAX], phi[ROWS_MAX * WIDTH_MAX];
    const size_t width = (size_t)f->outputs * f->features;
    assert_int_equal(json_array_size(expected), rows * f->outputs * (f->features + 1));
    explain_expected(f, base);
    static const struct {
        enum explain_engine engine;
        enum explain_precision precision;
    } ways[] = {{EXPLAIN_PLAIN, EXPLAIN_RECORD},
                {EXPLAIN_LANES, EXPLAIN_RECORD},
                {EXPLAIN_LANES, EXPLAIN_FAST},
                {EXPLAIN_TABLES, EXPLAIN_FAST}};
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        struct explainer_options o;
        explainer_defaults(&o);
        o.engine = ways[w].engine;
        o.precision = ways[w].precision;
        DEFER(explainer_freep) struct explainer *e = NULL;
        assert_ok(explainer_new(f, &o, &e));
        assert_ok(explainer_rows(e, x, rows, 1, phi));
        for (size_t i = 0; i < rows * f->outputs; i++) {
            const size_t at = i * (f->features + 1);
            for (size_t k = 0; k < f->features; k++) {
                const double theirs = json_number_value(json_array_get(expected, at + k));
                assert_near(phi[i / f->outputs * width + i % f->outputs * f->features + k], theirs,
                            tolerance);
            }
            assert_near(base[i % f->outputs],
                        json_number_value(json_array_get(expected, at + f->features)), tolerance);
        }
    }
}

static void
check_interactions(const struct forest *f, const float *x, size_t rows, const json_t *expected)
{
    const size_t n = f->features, side = n + 1;
    DEFER(memory_freep) double *pairs = calloc(rows * f->outputs * n * n, sizeof *pairs);
    assert_non_null(pairs);
    assert_int_equal(json_array_size(expected), rows * f->outputs * side * side);
    struct explainer_options o;
    explainer_defaults(&o);
    o.pairs = true;
    DEFER(explainer_freep) struct explainer *e = NULL;
    assert_ok(explainer_new(f, &o, &e));
    assert_ok(explainer_pairs(e, x, rows, 2, pairs));
    for (size_t i = 0; i < rows * f->outputs; i++) {
        for (size_t a = 0; a < n; a++) {
            for (size_t b = 0; b < n; b++) {
                const json_t *theirs = json_array_get(expected, (i * side + a) * side + b);
                assert_near(pairs[(i * n + a) * n + b], json_number_value(theirs), 1e-5);
            }
        }
    }
}

static void
attributions_and_interactions_are_xgboosts(void **state)
{
    (void)state;
    DEFER(js_freep) json_t *file = read_data("tests/model/data/xgboost-3.2.0.json");
    DEFER(js_freep) json_t *pinned = read_data("tests/assess/data/explain.json");
    float x[ROWS_MAX * WIDTH_MAX];
    const size_t rows = take_rows(file, x);
    size_t i;
    json_t *p;
    assert_int_equal(json_array_size(json_object_get(pinned, "models")), 7);
    json_array_foreach(json_object_get(pinned, "models"), i, p)
    {
        const char *name = json_string_value(json_object_get(p, "name"));
        const json_t *m = named(json_object_get(file, "models"), name);
        DEFER(buf_done) struct buf bytes;
        DEFER(model_file_freep) struct model_file *model = NULL;
        struct diag diag = {0};
        buf_init(&bytes, 1u << 20);
        assert_ok(text_from_hex(view_str(json_string_value(json_object_get(m, "file"))), &bytes));
        assert_ok(model_file_load(buf_view(&bytes), &diag, &model));
        check_contributions(model->forest, x, rows, json_object_get(p, "contributions"), 2e-6);
        check_interactions(model->forest, x, rows, json_object_get(p, "interactions"));
    }
}

/* LightGBM answers in doubles. Its rows are read as floats here: so are those it was asked about.
 */
static void
attributions_are_lightgbms(void **state)
{
    (void)state;
    DEFER(js_freep) json_t *file = read_data("tests/model/data/lightgbm-4.7.0.json");
    float x[ROWS_MAX * WIDTH_MAX];
    const size_t rows = take_rows(file, x);
    size_t i, compared = 0;
    json_t *m;
    json_array_foreach(json_object_get(file, "models"), i, m)
    {
        const json_t *lines = json_object_get(m, "contributions");
        DEFER(model_file_freep) struct model_file *model = NULL;
        struct diag diag = {0};
        if (json_array_size(lines) == 0) {
            continue;
        }
        DEFER(js_freep) json_t *flat = json_array();
        for (size_t k = 0; k < json_array_size(lines); k++) {
            assert_int_equal(json_array_extend(flat, json_array_get(lines, k)), 0);
        }
        const char *text = json_string_value(json_object_get(m, "file"));
        assert_ok(model_file_load(view_str(text), &diag, &model));
        double most = 1;
        for (size_t k = 0; k < json_array_size(flat); k++) {
            most = fmax(most, fabs(json_number_value(json_array_get(flat, k))));
        }
        check_contributions(model->forest, x, rows, flat, 2e-6 * most);
        compared++;
    }
    assert_true(compared >= 15);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(attributions_and_interactions_are_xgboosts),
        cmocka_unit_test(attributions_are_lightgbms),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
