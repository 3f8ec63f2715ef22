/* steward explain of linear models: shap's values in the file, views, rows without a value. */
#include "cli/run.h"

#include "base/text.h"

#include <math.h>

#define FEATURES 4u

static char model[512], data[512], background[512], out[512];

static void
put_csv(struct room *m, const char *name, const json_t *rows, char *ret_path)
{
    DEFER(buf_done) struct buf text;
    size_t i, j;
    json_t *row, *v;
    buf_init(&text, 1u << 20);
    buf_put_str(&text, "age,income,debt,years\n");
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        json_array_foreach(row, j, v)
        {
            buf_put_str(&text, j == 0 ? "" : ",");
            text_put_f64(&text, json_number_value(v));
        }
        buf_put_str(&text, "\n");
    }
    testing_write(in(m, name), buf_view(&text));
    (void)strcpy(ret_path, in(m, name));
}

/* The model of that case, the rows and the background; the case, the caller's to release. */
static json_t *
files(struct room *m, const char *name)
{
    DEFER(file_freep) char *path = testing_source("tests/assess/data/explain_linear.json");
    DEFER(js_freep) json_t *pinned = testing_read_json(path);
    DEFER(buf_done) struct buf text;
    size_t i;
    json_t *one, *found = NULL;
    buf_init(&text, 1u << 20);
    json_array_foreach(json_object_get(pinned, "cases"), i, one)
    {
        found = strcmp(json_string_value(json_object_get(one, "name")), name) == 0 ? one : found;
    }
    assert_non_null(found);
    assert_ok(js_put_pretty(&text, json_object_get(found, "model")));
    testing_write(in(m, "model.json"), buf_view(&text));
    (void)strcpy(model, in(m, "model.json"));
    put_csv(m, "rows.csv", json_object_get(pinned, "rows"), data);
    put_csv(m, "background.csv", json_object_get(pinned, "background"), background);
    (void)strcpy(out, in(m, "out.csv"));
    return json_incref(found);
}

static void
write_model(struct room *m, const char *text)
{
    testing_write(in(m, "model.json"), view_str(text));
    (void)strcpy(model, in(m, "model.json"));
}

#define EXPLAIN(M, CODE, ...) RUN(M, CODE, "explain", "--model", model, "--data", data, __VA_ARGS__)

#define BARE_MODEL                                                                                 \
    "{\"format\":\"steward-linear\",\"version\":1,\"link\":\"logistic\",\"features\":[\"age\","    \
    "\"debt\"],\"intercept\":[0.5],\"coefficients\":[[0.01,-2]]}"

static void
what_is_wrong_is_told(void **state)
{
    struct room *m = *state;
    DEFER(js_freep) json_t *one = files(m, "binary");
    EXPLAIN(m, 2, "--output-space", "probability");
    ERR_HAS(m, "needs --background FILE");
    write_model(m, BARE_MODEL);
    EXPLAIN(m, 2, "--json");
    ERR_HAS(m, "the file does not tell the features' means");
    testing_write(in(m, "b.csv"), view_str("age,debt\n1,\n,2\n"));
    EXPLAIN(m, 2, "--background", m->path);
    ERR_HAS(m, "in every row a value is missing");
}

/* A softmax's probabilities are no sum over features: by coalitions, and they still sum up. */
static void
classes_are_explained_on_probability(void **state)
{
    struct room *m = *state;
    DEFER(js_freep) json_t *classes = files(m, "classes");
    EXPLAIN(m, 0, "--background", background, "--output-space", "probability", "--row", "1",
            "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    const json_t *base = json_object_get(d, "outputs");
    const json_t *outputs =
        json_object_get(json_array_get(json_object_get(d, "local"), 0), "outputs");
    size_t k, i;
    json_t *o, *v;
    assert_string_equal(json_string_value(json_object_get(d, "method")),
                        "interventional SHAP by coalitions of features");
    assert_true(json_array_size(outputs) > 2);
    json_array_foreach(outputs, k, o)
    {
        double sum = json_number_value(json_object_get(json_array_get(base, k), "base"));
        json_array_foreach(json_object_get(o, "phi"), i, v)
        {
            sum += json_number_value(v);
        }
        assert_near(sum, json_number_value(json_object_get(o, "prediction")), 1e-12);
    }
}

/* Of the first output: what the pair that has most has together. */
static double
first_pair(const json_t *d)
{
    const json_t *first = json_array_get(json_object_get(d, "interactions"), 0),
                 *pair = json_array_get(json_object_get(first, "pairs"), 0);
    return json_number_value(json_object_get(pair, "mean_abs"));
}

/* On the margin each pair is 0, on the probability of classes not; a row without a value is in
 * neither. */
static void
pairs_are_told(void **state)
{
    struct room *m = *state;
    DEFER(js_freep) json_t *classes = files(m, "classes");
    EXPLAIN(m, 0, "--background", background, "--interactions", "--output", out, "--json");
    OUT_HAS(m, "no two features have anything together");
    DEFER(js_freep) json_t *margin = out_json(m);
    assert_near(first_pair(margin), 0, 0);
    EXPLAIN(m, 0, "--background", background, "--interactions", "--output-space", "probability",
            "--background-rows", "5", "--json");
    DEFER(js_freep) json_t *probability = out_json(m);
    assert_true(first_pair(probability) > 1e-4);
    write_model(m, BARE_MODEL);
    testing_write(in(m, "rows.csv"), view_str("age,debt\n30,0.5\n,0.5\n40,0.1\n"));
    EXPLAIN(m, 0, "--background", m->path, "--interactions", "--json");
    DEFER(js_freep) json_t *bare = out_json(m);
    assert_near(first_pair(bare), 0, 0);
}

/* Line for line shap's values and the expected one, class after class. */
static void
equals_shap(struct room *m, const char *name, size_t outputs, const char *header)
{
    DEFER(js_freep) json_t *one = files(m, name);
    DEFER(buf_done) struct buf text;
    const json_t *values = json_object_get(one, "values");
    EXPLAIN(m, 0, "--background", background, "--output", out, "--record");
    testing_read(out, &text);
    assert_int_equal(strncmp(buf_str(&text), header, strlen(header)), 0);
    const char *at = strchr(buf_str(&text), '\n') + 1;
    for (size_t i = 0; i < json_array_size(json_array_get(values, 0)); i++) {
        for (size_t k = 0; k < outputs * (FEATURES + 1); k++) {
            const size_t o = k / (FEATURES + 1), f = k % (FEATURES + 1), n = strcspn(at, ",\n");
            const json_t *want =
                f < FEATURES ? json_array_get(json_array_get(json_array_get(values, o), i), f)
                             : json_array_get(json_object_get(one, "expected"), o);
            double v = 0;
            assert_ok(text_to_f64(view_of(at, n), &v));
            assert_near(v, json_number_value(want), 1e-12);
            at += n + 1;
        }
    }
    assert_string_equal(at, "");
}

static void
contributions_equal_shap(void **state)
{
    struct room *m = *state;
    equals_shap(m, "regression", 1, "age,income,debt,years,base\n");
    equals_shap(m, "binary", 1, "age,income,");
    equals_shap(m, "classes", 3, "low:age,low:income,low:debt,low:years,low:base,mid:age,");
}

static void
views_add_up(void **state)
{
    struct room *m = *state;
    DEFER(js_freep) json_t *one = files(m, "binary");
    static const char *const spaces[] = {"margin", "prediction"};
    for (size_t i = 0; i < 2; i++) {
        EXPLAIN(m, 0, "--background", background, "--output-space",
                i == 0 ? "margin" : "probability", "--json", "--row", "3", "--cohort", "age > 41",
                "--report", in(m, "page.html"));
        DEFER(js_freep) json_t *d = out_json(m);
        const json_t *local = json_array_get(json_object_get(d, "local"), 0),
                     *o = json_array_get(json_object_get(local, "outputs"), 0);
        double sum = json_number_value(
            json_object_get(json_array_get(json_object_get(d, "outputs"), 0), "base"));
        for (size_t f = 0; f < FEATURES; f++) {
            sum += json_number_value(json_array_get(json_object_get(o, "phi"), f));
        }
        assert_near(sum, json_number_value(json_object_get(o, spaces[i])), 1e-11);
        assert_string_equal(json_string_value(json_object_get(d, "method")),
                            "exact SHAP of a linear model");
        assert_string_equal(json_string_value(json_object_get(d, "precision")), "record");
        DEFER(buf_done) struct buf page;
        testing_read(in(m, "page.html"), &page);
        assert_text_has(buf_str(&page), "One decision: row 3");
    }
}

/* Without a background the means of the file stand for what is not known. */
static void
means_of_the_file_are_enough(void **state)
{
    struct room *m = *state;
    DEFER(js_freep) json_t *one = files(m, "binary");
    EXPLAIN(m, 0, "--group", "money=income,debt", "--report", in(m, "page.html"));
    OUT_HAS(m, "money");
    DEFER(buf_done) struct buf page;
    testing_read(in(m, "page.html"), &page);
    assert_text_has(buf_str(&page), "has its mean in the training rows, as the model file tells");
}

static void
rows_without_a_value_are_told_and_left_out(void **state)
{
    struct room *m = *state;
    DEFER(js_freep) json_t *one = files(m, "binary");
    write_model(m, BARE_MODEL);
    testing_write(in(m, "rows.csv"), view_str("age,debt\n30,0.5\n,0.5\n40,0.1\n50,\n"));
    EXPLAIN(m, 0, "--background", m->path, "--row", "2", "--row", "3", "--output", out, "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    assert_int_equal(json_integer_value(json_object_get(d, "rows")), 2);
    const json_t *none = json_array_get(
        json_object_get(json_array_get(json_object_get(d, "local"), 0), "outputs"), 0);
    assert_true(json_is_null(json_object_get(none, "margin")));
    assert_true(json_is_null(json_array_get(json_object_get(none, "phi"), 1)));
    DEFER(buf_done) struct buf text;
    testing_read(out, &text);
    assert_text_has(buf_str(&text), "\n,,");
    EXPLAIN(m, 0, "--background", in(m, "rows.csv"), "--row", "2");
    ERR_HAS(m, "2 of 4 rows miss a value");
    ERR_HAS(m, "2 of 4 background rows miss a value");
    assert_null(strstr(buf_str(&m->r.out), "nan"));
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        BARE(pairs_are_told),
        BARE(what_is_wrong_is_told),
        BARE(classes_are_explained_on_probability),
        BARE(contributions_equal_shap),
        BARE(views_add_up),
        BARE(means_of_the_file_are_enough),
        BARE(rows_without_a_value_are_told_and_left_out),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
