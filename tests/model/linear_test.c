/* Linear models against scikit-learn's answers, and files that are not what they say. */
#include "testing/testing.h"

#include "base/file.h"
#include "model/model_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOCUMENT                                                                                   \
    "{\"format\":\"steward-linear\",\"version\":1,\"link\":\"logistic\",\"features\":[\"a\","      \
    "\"b\"],"                                                                                      \
    "\"classes\":[\"no\",\"yes\"],\"intercept\":[0.5],\"coefficients\":[[1,-2]],\"mean\":[1,2],"   \
    "\"scale\":[2,4],\"missing\":[3,6]}"

static struct model_file *
load(const char *text)
{
    struct model_file *m = NULL;
    struct diag diag = {0};
    const struct status s = model_file_load(view_str(text), &diag, &m);
    if (!status_ok(s)) {
        print_error("%s\n", diag.text);
    }
    assert_ok(s);
    return m;
}

/* The document with the first `from` replaced by `to` must be refused with these words. */
static void
refused(const char *from, const char *to, int32_t code, const char *part)
{
    char text[2048];
    const char *at = strstr(DOCUMENT, from);
    assert_non_null(at);
    (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - DOCUMENT), DOCUMENT, to,
                   at + strlen(from));
    struct model_file *m = NULL;
    struct diag diag = {0};
    const struct status s = model_file_load(view_str(text), &diag, &m);
    if (s.code != code || strstr(diag.text, part) == NULL) {
        print_error("%s -> %s: %s\n", from, to, diag.text);
    }
    assert_int_equal(s.code, code);
    assert_says(&diag, part);
    assert_null(m);
}

static void
refuses_documents_that_are_not_what_they_say(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *part;
    } cases[] = {
        {"[1,-2]]", "[1,-2]", "linear model line"},
        {"\"version\":1,", "", "version"},
        {"\"link\":\"logistic\"", "\"link\":\"probit\"", "\"link\" is \"probit\"; it is identity"},
        {"\"link\":\"logistic\"", "\"link\":\"softmax\"", "softmax needs a list"},
        {"\"link\":\"logistic\",", "", "link"},
        {"[\"a\",\"b\"]", "[\"a\",\"a\"]", "\"features\": \"a\" stands there twice"},
        {"[\"a\",\"b\"]", "[\"a\",\"\"]", "value 1 is not a text, or empty"},
        {"[\"a\",\"b\"]", "[\"a\",3]", "value 1 is not a text"},
        {"[\"a\",\"b\"]", "[]", "0 features; 1 to 65536"},
        {"[\"a\",\"b\"]", "[\"a\"]", "\"coefficients[0]\" must be a list of 1 numbers"},
        {"[[1,-2]]", "[[1]]", "\"coefficients[0]\" must be a list of 2 numbers"},
        {"[[1,-2]]", "[]", "0 lists of coefficients"},
        {"[[1,-2]]", "[1,-2]", "\"coefficients[0]\" must be a list"},
        {"[[1,-2]]", "[[1,\"x\"]]", "\"coefficients[0]\": value 1 is not a finite number"},
        {"[0.5]", "[0.5,1]", "\"intercept\" must be a list of 1 numbers"},
        {"[0.5]", "0.5", "intercept"},
        {"[2,4]", "[2,0]", "\"scale\": value 1 is 0"},
        {"[2,4]", "[2,1e-46]", "\"scale\": value 1 is nearer to 0 than 1e-45"},
        {"[[1,-2]]", "[[1,-2e45]]", "value 1 is -2e+45, over the limit of 1e+45"},
        {"[0.5]", "[1e46]", "\"intercept\": value 0 is 1e+46, over the limit"},
        {"[2,4]", "[2]", "\"scale\" must be a list of 2"},
        {"[1,2]", "[1,null]", "\"mean\": value 1 is not a finite number"},
        {"[3,6]", "[3,null]", "\"missing\": value 1 is not a finite number"},
        {"[\"no\",\"yes\"]", "[\"no\"]", "\"classes\" must be a list of 2 texts"},
        {"\"mean\"", "\"means\"", "unknown key \"means\""},
        {"\"steward-linear\"", "3, \"x\":\"steward-linear\"", "format"},
        {"\"steward-linear\"", "\"other\", \"x\":\"steward-linear\"", "\"format\" is not"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        refused(cases[i].from, cases[i].to, STATUS_INPUT, cases[i].part);
    }
    refused("\"version\":1", "\"version\":2", STATUS_UNSUPPORTED, "version 2; 1 is read here");
}

static void
a_missing_value_is_the_models_or_none(void **state)
{
    (void)state;
    static const float x[] = {3, 2, NAN, 2, 3, NAN};
    double margin[3];
    DEFER(model_file_freep) struct model_file *m = load(DOCUMENT);
    model_file_margin(m, x, 3, 1, margin);
    assert_near(margin[0], 1.5, 0);  /* 0.5 + (3 - 1) / 2 - 2 (2 - 2) / 4 */
    assert_near(margin[1], 1.5, 0);  /* 3 for the missing one */
    assert_near(margin[2], -0.5, 0); /* 6: 0.5 + 1 - 2 */
    DEFER(model_file_freep)
    struct model_file *bare = load("{\"format\":\"steward-linear\",\"version\":1,\"link\":\"exp\","
                                   "\"features\":[\"a\",\"b\"],\"intercept\":[1],"
                                   "\"coefficients\":[[1,2]],\"about\":{\"by\":\"hand\"}}");
    model_file_margin(bare, x, 3, 1, margin);
    assert_near(margin[0], 8, 0);
    assert_true(isnan(margin[1]) && isnan(margin[2]));
}

static void
answers_are_those_of_scikit_learn(void **state)
{
    (void)state;
    DEFER(file_freep) char *path = testing_source("tests/model/data/linear-1.5.2.json");
    DEFER(js_freep) json_t *file = testing_read_json(path);
    const json_t *rows = json_object_get(file, "rows");
    const size_t n = json_array_size(rows);
    size_t i;
    json_t *model;
    json_array_foreach(json_object_get(file, "models"), i, model)
    {
        float x[64];
        double ours[64], margin[64];
        DEFER(model_file_freep)
        struct model_file *m = load(json_string_value(json_object_get(model, "file")));
        assert_true(n * 3 <= 64 && n * m->outputs <= 64);
        assert_string_equal(m->feature_names[1], "income");
        for (size_t k = 0; k < n * 3; k++) {
            x[k] = (float)json_number_value(json_array_get(json_array_get(rows, k / 3), k % 3));
        }
        model_file_margin(m, x, n, 1, margin);
        memcpy(ours, margin, sizeof ours);
        model_file_link_apply(m, ours, n);
        for (size_t k = 0; k < n * m->outputs; k++) {
            const size_t r = k / m->outputs, o = k % m->outputs;
            const double a = json_number_value(
                json_array_get(json_array_get(json_object_get(model, "margin"), r), o));
            const double b = json_number_value(
                json_array_get(json_array_get(json_object_get(model, "answer"), r), o));
            assert_near(margin[k], a, 1e-11 * fmax(1, fabs(a)));
            assert_near(ours[k], b, 1e-11 * fmax(1, fabs(b)));
        }
    }
    assert_int_equal(i, 6);
}

/* Blocks over threads give the same digits. */
static void
any_number_of_threads_gives_the_same(void **state)
{
    (void)state;
    DEFER(model_file_freep) struct model_file *m = load(DOCUMENT);
    const size_t n = 5000;
    DEFER(memory_freep) float *x = calloc(2 * n, sizeof *x);
    DEFER(memory_freep) double *one = calloc(n, sizeof *one);
    DEFER(memory_freep) double *many = calloc(n, sizeof *many);
    assert_true(x != NULL && one != NULL && many != NULL);
    for (size_t i = 0; i < 2 * n; i++) {
        x[i] = i % 17 == 0 ? NAN : (float)(i % 101) / 7;
    }
    model_file_margin(m, x, n, 1, one);
    model_file_margin(m, x, n, 3, many);
    assert_memory_equal(one, many, n * sizeof *one);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_documents_that_are_not_what_they_say),
        cmocka_unit_test(a_missing_value_is_the_models_or_none),
        cmocka_unit_test(answers_are_those_of_scikit_learn),
        cmocka_unit_test(any_number_of_threads_gives_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
