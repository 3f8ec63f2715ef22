/* steward explain of a model of trees against a background file, held to shap's values. */
#include "cli/run.h"

#include "base/text.h"

#include <math.h>

#define FEATURES 7u

struct files {
    char model[512], data[512], background[512], out[512];
    json_t *pinned;
    const json_t *one; /* the case */
};

static void
files_done(struct files *f)
{
    js_freep(&f->pinned);
}

static void
write_rows(struct room *m, const char *name, const json_t *rows, char *ret_path)
{
    DEFER(buf_done) struct buf text;
    size_t i, j;
    json_t *row, *v;
    buf_init(&text, 1u << 20);
    buf_put_str(&text, "f0,f1,f2,f3,f4,f5,f6\n");
    json_array_foreach(rows, i, row)
    {
        json_array_foreach(row, j, v)
        {
            buf_put_str(&text, j == 0 ? "" : ",");
            if (!json_is_null(v)) {
                text_put_f64(&text, json_number_value(v));
            }
        }
        buf_put_str(&text, "\n");
    }
    testing_write(in(m, name), buf_view(&text));
    (void)strcpy(ret_path, in(m, name));
}

static void
files_new(struct room *m, const char *name, struct files *f)
{
    DEFER(file_freep) char *path = testing_source("tests/assess/data/interventional.json");
    DEFER(buf_done) struct buf bytes;
    size_t i;
    json_t *one;
    f->pinned = testing_read_json(path);
    json_array_foreach(json_object_get(f->pinned, "cases"), i, one)
    {
        if (strcmp(json_string_value(json_object_get(one, "name")), name) == 0) {
            f->one = one;
        }
    }
    assert_non_null(f->one);
    buf_init(&bytes, 1u << 20);
    assert_ok(text_from_hex(view_str(json_string_value(json_object_get(f->one, "model"))), &bytes));
    testing_write(in(m, "model"), buf_view(&bytes));
    (void)strcpy(f->model, in(m, "model"));
    write_rows(m, "rows.csv", json_object_get(f->pinned, "rows"), f->data);
    write_rows(m, "background.csv", json_object_get(f->pinned, "background"), f->background);
    (void)strcpy(f->out, in(m, "out.csv"));
}

/* The file of contributions: the pinned values and the expected one, line for line. */
static void
equals_pinned(const struct files *f, const char *values, const char *expected, size_t outputs)
{
    DEFER(buf_done) struct buf text;
    testing_read(f->out, &text);
    const char *at = strchr(buf_str(&text), '\n') + 1;
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(f->one, values), i, row)
    {
        for (size_t k = 0; k < outputs * (FEATURES + 1); k++) {
            const size_t output = k / (FEATURES + 1), feature = k % (FEATURES + 1);
            const json_t *base = json_object_get(f->one, expected);
            const json_t *want = feature < FEATURES
                                     ? json_array_get(row, output * FEATURES + feature)
                                 : json_is_array(base) ? json_array_get(base, output)
                                                       : base;
            const size_t n = strcspn(at, ",\n");
            double v = 0;
            assert_ok(text_to_f64(view_of(at, n), &v));
            assert_near(v, json_number_value(want), 3e-6);
            at += n + 1;
        }
    }
    assert_string_equal(at, "");
}

/* Some sentence of the document's list says it. */
static void
assert_string_has(const json_t *d, const char *key, const char *text)
{
    size_t i;
    json_t *one;
    bool found = false;
    json_array_foreach(json_object_get(d, key), i, one)
    {
        found = found || strstr(json_string_value(one), text) != NULL;
    }
    assert_true(found);
}

static void
refuses_what_does_not_go_together(void **state)
{
    struct room *m = *state;
    DEFER(files_done) struct files f = {0};
    files_new(m, "classes", &f);
    RUN(m, 2, "explain", "--model", f.model, "--data", f.data, "--output-space", "probability");
    ERR_HAS(m, "--output-space probability: needs --background FILE");
    RUN(m, 2, "explain", "--model", f.model, "--data", f.data, "--background", f.background,
        "--background-rows", "5");
    ERR_HAS(m, "every row of --background is taken");
    RUN(m, 2, "explain", "--model", f.model, "--data", f.data, "--background", f.background,
        "--output-space", "probability", "--interactions", "--evaluations", "9");
    ERR_HAS(m, "--evaluations 9: too few for the interactions of ");
    ERR_HAS(m, "at least, two rounds that sample each pair once");
    RUN(m, 2, "explain", "--model", f.model, "--data", f.data, "--background", f.background,
        "--output-space", "probability", "--evaluations", "9");
    ERR_HAS(m, "--evaluations 9: too few");
    testing_write(in(m, "empty.csv"), view_str("f0,f1,f2,f3,f4,f5,f6\n"));
    RUN(m, 2, "explain", "--model", f.model, "--data", f.data, "--background", m->path);
    ERR_HAS(m, "empty.csv");
    testing_write(in(m, "other.csv"), view_str("f0,f1\n1,2\n"));
    RUN(m, 2, "explain", "--model", f.model, "--data", f.data, "--background", m->path);
    ERR_HAS(m, "other.csv");
}

static void
contributions_equal_shap(void **state)
{
    struct room *m = *state;
    DEFER(files_done) struct files f = {0};
    files_new(m, "binary", &f);
    RUN(m, 0, "explain", "--model", f.model, "--data", f.data, "--background", f.background,
        "--output", f.out);
    equals_pinned(&f, "values", "expected", 1);
    RUN(m, 0, "explain", "--model", f.model, "--data", f.data, "--background", f.background,
        "--output", f.out, "--record", "--output-space", "probability");
    equals_pinned(&f, "probability_values", "probability_expected", 1);
    DEFER(files_done) struct files classes = {0};
    files_new(m, "classes", &classes);
    RUN(m, 0, "explain", "--model", f.model, "--data", f.data, "--background", f.background,
        "--output", f.out);
    equals_pinned(&classes, "values", "expected", 3);
}

static void
the_document_names_the_background(void **state)
{
    struct room *m = *state;
    DEFER(files_done) struct files f = {0};
    files_new(m, "binary", &f);
    RUN(m, 0, "explain", "--model", f.model, "--data", f.data, "--background", f.background,
        "--output-space", "probability", "--record", "--json", "--row", "1", "--report",
        in(m, "page.html"));
    DEFER(js_freep) json_t *d = out_json(m);
    assert_string_equal(json_string_value(json_object_get(d, "method")),
                        "exact interventional TreeSHAP");
    assert_string_equal(json_string_value(json_object_get(d, "scale")), "probability");
    assert_string_equal(json_string_value(json_object_get(d, "background")), f.background);
    assert_int_equal(json_integer_value(json_object_get(d, "background_rows")), 37);
    const json_t *local = json_array_get(json_object_get(d, "local"), 0);
    const json_t *o = json_array_get(json_object_get(local, "outputs"), 0);
    const json_t *all = json_array_get(json_object_get(d, "outputs"), 0);
    double sum = json_number_value(json_object_get(all, "base"));
    for (size_t k = 0; k < FEATURES; k++) {
        sum += json_number_value(json_array_get(json_object_get(o, "phi"), k));
    }
    assert_near(sum, json_number_value(json_object_get(o, "prediction")), 1e-9);
    DEFER(buf_done) struct buf page;
    testing_read(in(m, "page.html"), &page);
    assert_text_has(buf_str(&page), "against a background of 37 rows");
    assert_text_has(buf_str(&page), "on the probability: each background row");
}

/* Seven features: all coalitions are valued, whatever the margins' softmax makes of them. */
static void
classes_on_probability_equal_shap(void **state)
{
    struct room *m = *state;
    DEFER(files_done) struct files f = {0};
    DEFER(file_freep) char *path = testing_source("tests/assess/data/answers.json");
    DEFER(js_freep) json_t *answers = testing_read_json(path);
    files_new(m, "classes", &f);
    f.one = answers;
    RUN(m, 0, "explain", "--model", f.model, "--data", f.data, "--background", f.background,
        "--output-space", "probability", "--output", f.out, "--json", "--report",
        in(m, "page.html"));
    equals_pinned(&f, "values", "expected", 3);
    DEFER(js_freep) json_t *d = out_json(m);
    const json_t *c = json_object_get(d, "coalitions");
    assert_int_equal(json_integer_value(json_object_get(c, "exact_rows")), 6);
    assert_int_equal(json_integer_value(json_object_get(c, "drawn_rows")), 0);
    assert_true(json_number_value(json_object_get(c, "largest_standard_error")) == 0);
    assert_string_equal(json_string_value(json_object_get(d, "scale")), "probability");
    DEFER(buf_done) struct buf page;
    testing_read(in(m, "page.html"), &page);
    assert_text_has(buf_str(&page), "for each coalition of features");
    assert_text_has(buf_str(&page), "attributions are exact");
}

/* Few evaluations and few background rows: both are told, and base and values still sum up. */
static void
classes_that_are_drawn_tell_their_error_and_sum_up(void **state)
{
    struct room *m = *state;
    DEFER(files_done) struct files f = {0};
    files_new(m, "classes", &f);
    RUN(m, 0, "explain", "--model", f.model, "--data", f.data, "--background", f.background,
        "--output-space", "probability", "--evaluations", "40", "--background-rows", "10", "--row",
        "3", "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    const json_t *c = json_object_get(d, "coalitions");
    const double largest = json_number_value(json_object_get(c, "largest_standard_error"));
    assert_true(largest > 0 && json_integer_value(json_object_get(c, "drawn_rows")) == 6);
    assert_int_equal(json_integer_value(json_object_get(d, "background_rows")), 10);
    assert_string_has(d, "remarks", "the background is 10 of the 37 rows");
    assert_string_has(d, "remarks", "the largest standard error of an attribution is");
    const json_t *outputs =
        json_object_get(json_array_get(json_object_get(d, "local"), 0), "outputs");
    for (size_t k = 0; k < 3; k++) {
        const json_t *o = json_array_get(outputs, k);
        double sum = json_number_value(
            json_object_get(json_array_get(json_object_get(d, "outputs"), k), "base"));
        for (size_t i = 0; i < FEATURES; i++) {
            const double error =
                json_number_value(json_array_get(json_object_get(o, "standard_error"), i));
            sum += json_number_value(json_array_get(json_object_get(o, "phi"), i));
            assert_true(error >= 0 && error <= largest);
        }
        assert_near(sum, json_number_value(json_object_get(o, "prediction")), 1e-9);
    }
    RUN(m, 0, "explain", "--model", f.model, "--data", f.data, "--background", f.background,
        "--output-space", "probability", "--evaluations", "40", "--background-rows", "10");
    ERR_HAS(m, "the largest standard error of an attribution is");
    OUT_HAS(m, "phi is what a feature adds");
    OUT_HAS(m, "output 2: probability of 6 rows, expected 0.");
}

/* The file of contributions against Woodelf's matrices: own effects, then both halves of pairs. */
static void
interactions_equal_woodelf(void **state)
{
    struct room *m = *state;
    DEFER(files_done) struct files f = {0};
    DEFER(file_freep) char *path = testing_source("tests/assess/data/interactions.json");
    DEFER(js_freep) json_t *pinned = testing_read_json(path);
    const json_t *one = json_array_get(json_object_get(pinned, "cases"), 0);
    DEFER(buf_done) struct buf text;
    size_t i;
    json_t *matrix;
    files_new(m, "binary", &f);
    RUN(m, 0, "explain", "--model", f.model, "--data", f.data, "--background", f.background,
        "--interactions", "--output", f.out, "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    assert_int_equal(json_array_size(json_object_get(d, "interactions")), 1);
    assert_string_equal(json_string_value(json_object_get(d, "precision")), "record");
    testing_read(f.out, &text);
    const char *at = strchr(buf_str(&text), '\n') + 1;
    json_array_foreach(json_object_get(one, "pairs"), i, matrix)
    {
        for (size_t k = 0; k < (size_t)FEATURES * FEATURES; k++) {
            if (k % FEATURES >= k / FEATURES) {
                const size_t n = strcspn(at, ",\n");
                const double twice = k % FEATURES == k / FEATURES ? 1 : 2;
                double v = 0;
                assert_ok(text_to_f64(view_of(at, n), &v));
                assert_near(v, twice * json_number_value(json_array_get(matrix, k)), 1e-6);
                at += n + 1;
            }
        }
        at = strchr(at, '\n') + 1; /* base */
    }
    assert_string_equal(at, "");
}

/* Several classes, and on probability: rows of pairs still sum to what is explained. */
static void
interactions_of_classes_and_on_probability_run(void **state)
{
    struct room *m = *state;
    DEFER(files_done) struct files f = {0};
    DEFER(files_done) struct files classes = {0};
    files_new(m, "binary", &f);
    RUN(m, 0, "explain", "--model", f.model, "--data", f.data, "--background", f.background,
        "--interactions", "--output-space", "probability", "--json", "--row", "2");
    DEFER(js_freep) json_t *d = out_json(m);
    const json_t *local = json_array_get(json_object_get(d, "local"), 0);
    const json_t *o = json_array_get(json_object_get(local, "outputs"), 0);
    double sum = json_number_value(
        json_object_get(json_array_get(json_object_get(d, "outputs"), 0), "base"));
    for (size_t k = 0; k < FEATURES; k++) {
        sum += json_number_value(json_array_get(json_object_get(o, "phi"), k));
    }
    assert_near(sum, json_number_value(json_object_get(o, "prediction")), 1e-9);
    files_new(m, "classes", &classes);
    RUN(m, 0, "explain", "--model", f.model, "--data", f.data, "--background", f.background,
        "--interactions", "--json");
    DEFER(js_freep) json_t *three = out_json(m);
    assert_int_equal(json_array_size(json_object_get(three, "interactions")), 3);
    RUN(m, 0, "explain", "--model", f.model, "--data", f.data, "--background", f.background,
        "--interactions", "--output-space", "probability", "--row", "2", "--json");
    DEFER(js_freep) json_t *answers = out_json(m);
    assert_int_equal(json_array_size(json_object_get(answers, "interactions")), 3);
    assert_string_has(answers, "remarks", "attributions are exact");
    const json_t *row = json_array_get(json_object_get(answers, "local"), 0);
    for (size_t c = 0; c < 3; c++) {
        const json_t *of = json_array_get(json_object_get(row, "outputs"), c);
        double all = json_number_value(
            json_object_get(json_array_get(json_object_get(answers, "outputs"), c), "base"));
        for (size_t k = 0; k < FEATURES; k++) {
            all += json_number_value(json_array_get(json_object_get(of, "phi"), k));
        }
        assert_near(all, json_number_value(json_object_get(of, "prediction")), 1e-9);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BARE(refuses_what_does_not_go_together),
        BARE(contributions_equal_shap),
        BARE(the_document_names_the_background),
        BARE(classes_on_probability_equal_shap),
        BARE(classes_that_are_drawn_tell_their_error_and_sum_up),
        BARE(interactions_equal_woodelf),
        BARE(interactions_of_classes_and_on_probability_run),
    };
    return cmocka_run_group_tests_name("cli/explain_background", tests, NULL, NULL);
}
