/* What steward predict, explain and certify make of bad input on plain files: a sentence that says
 * what to do, or a remark beside the numbers; never a number that is none. */
#include "cli/run.h"

#include "base/text.h"

#define NAMES "f0,f1,f2,f3,f4,f5,f6\n"

/* A pinned model of seven features that names none. */
static void
put_model(struct room *m, const char *name, char ret_path[static 512])
{
    DEFER(file_freep) char *path = testing_source("tests/assess/data/interventional.json");
    DEFER(js_freep) json_t *pinned = testing_read_json(path);
    DEFER(buf_done) struct buf bytes;
    size_t i;
    json_t *one;
    buf_init(&bytes, 1u << 20);
    json_array_foreach(json_object_get(pinned, "cases"), i, one)
    {
        if (strcmp(json_string_value(json_object_get(one, "name")), name) == 0) {
            const char *hex = json_string_value(json_object_get(one, "model"));
            assert_ok(text_from_hex(view_str(hex), &bytes));
        }
    }
    testing_write(in(m, "model"), buf_view(&bytes));
    (void)strcpy(ret_path, in(m, "model"));
}

static void
put(struct room *m, const char *name, const char *text, char ret_path[static 512])
{
    testing_write(in(m, name), view_str(text));
    (void)strcpy(ret_path, in(m, name));
}

static const char *const verbs[] = {"predict", "explain", "certify"};

/* The verb on the data: refused, with that sentence. */
static void
each_refuses(struct room *m, const char *model, const char *csv, const char *says)
{
    char data[512];
    put(m, "rows.csv", csv, data);
    for (size_t i = 0; i < 2; i++) {
        RUN(m, 2, verbs[i], "--model", model, "--data", data);
        ERR_HAS(m, says);
        assert_string_equal(buf_str(&m->r.out), "");
    }
    RUN(m, 2, "certify", "--model", model, "--data", data, "--sensitive", "f0");
    ERR_HAS(m, says);
}

static void
numbers_that_no_model_reads_are_refused(void **state)
{
    struct room *m = *state;
    char model[512];
    put_model(m, "binary", model);
    each_refuses(m, model, NAMES "1,2,3,4,5,6,7\n-inf,2,3,4,5,6,7\n",
                 "rows.csv line 3: column \"f0\": \"-inf\" is not a finite number");
    each_refuses(
        m, model, NAMES "1,2,3,4,1e400,6,7\n",
        "column \"f4\": \"1e400\" in row 1 is infinite, or beyond what a number holds; the model "
        "reads finite numbers: leave the cell empty");
    each_refuses(m, model, NAMES "1,2,3,4,5,6,7\n1,2,1e39,4,5,6,7\n",
                 "row 2: column \"f2\": 1e+39 is beyond what models read");
    each_refuses(m, model, NAMES "1,2,red,4,5,6,7\n",
                 "column \"f2\" is category (\"red\" in row 1); the model reads numbers there");
    each_refuses(m, model, NAMES, "names but no rows");
    each_refuses(m, model, "", "rows.csv: empty");
}

static void
tables_of_other_columns_are_refused(void **state)
{
    struct room *m = *state;
    char model[512], named[512], data[512];
    put_model(m, "binary", model);
    each_refuses(
        m, model, "a,b\n1,2\n",
        "rows.csv has 2 columns that can be features; the model reads 7 and names none, so "
        "that they are taken in order: the file must have all of them");
    each_refuses(m, model, "a,b,c,d,e,f,g,h\n1,2,3,4,5,6,7,8\n",
                 "leave the others out, or give them a role");
    put(m, "named.json",
        "{\"format\":\"steward-linear\",\"version\":1,\"link\":\"logistic\",\"features\":[\"age\","
        "\"debt\"],\"intercept\":[0.5],\"coefficients\":[[0.01,-2]],\"mean\":[40,1]}",
        named);
    put(m, "rows.csv", "agee,debt\n1,2\n", data);
    for (size_t i = 0; i < 2; i++) {
        RUN(m, 2, verbs[i], "--model", named, "--data", data);
        ERR_HAS(m, "rows.csv lacks a column that the model reads: no column \"age\"; did you mean "
                   "\"agee\"?");
    }
    put(m, "rows.csv", "x,y\n1,2\n", data);
    RUN(m, 2, "explain", "--model", named, "--data", data);
    ERR_HAS(m, "rows.csv lacks 2 of the 2 columns that the model reads (\"age\", \"debt\"): no "
               "column \"age\" among the 2 columns");
    RUN(m, 2, "certify", "--model", named, "--data", data, "--sensitive", "age");
    ERR_HAS(m, "a tree ensemble of one output is needed");
}

/* 3,000 spellings in a column: text, which is no feature; beside the features it is left out. */
static void
columns_of_very_many_words_are_no_features(void **state)
{
    struct room *m = *state;
    char model[512], data[512];
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 20);
    put_model(m, "binary", model);
    buf_put_str(&text, "f0,f1,f2,f3,f4,f5,f6,who\n");
    for (unsigned i = 0; i < 3000; i++) {
        buf_printf(&text, "1,2,3,4,5,6,%u,user-%u\n", i % 5, i);
    }
    put(m, "rows.csv", buf_str(&text), data);
    RUN(m, 0, "predict", "--model", model, "--data", data, "--output", in(m, "out.csv"));
    ERR_HAS(m, "the model does not read the column \"who\"");
    buf_reset(&text);
    buf_put_str(&text, NAMES);
    for (unsigned i = 0; i < 3000; i++) {
        buf_printf(&text, "user-%u,2,3,4,5,6,%u\n", i, i % 5);
    }
    each_refuses(m, model, buf_str(&text), "has 6 columns that can be features (text is none)");
}

/* Two lines of the table, or one, or all alike: answers, with what is missing told. */
static void
little_and_constant_data_is_explained(void **state)
{
    struct room *m = *state;
    static const char *const tables[] = {NAMES "1,2,3,4,5,6,7\n",
                                         NAMES "1,2,3,4,5,6,7\n1,2,3,4,5,6,7\n",
                                         NAMES "1,,3,4,5,nan,7\n2,,3,4,5,NA,7\n"};
    char model[512], data[512];
    put_model(m, "binary", model);
    for (size_t i = 0; i < 3; i++) {
        put(m, "rows.csv", tables[i], data);
        RUN(m, 0, "predict", "--model", model, "--data", data);
        assert_null(strstr(buf_str(&m->r.out), "nan"));
        assert_true(i < 2 ||
                    strstr(buf_str(&m->r.err), "no value in any row of \"f1\", \"f5\"") != NULL);
        RUN(m, 0, "explain", "--model", model, "--data", data, "--interactions", "--row", "1");
        assert_null(strstr(buf_str(&m->r.out), "nan"));
        OUT_HAS(m, i == 0 ? "margin of 1 row," : "margin of 2 rows,");
    }
}

static void
backgrounds_are_checked_and_told_apart(void **state)
{
    struct room *m = *state;
    char model[512], data[512], background[512];
    put_model(m, "binary", model);
    put(m, "rows.csv", NAMES "1,2,3,4,5,6,7\n2,2,3,4,5,6,7\n", data);
    put(m, "back.csv", NAMES, background);
    RUN(m, 2, "explain", "--model", model, "--data", data, "--background", background);
    ERR_HAS(m, "back.csv: names but no rows");
    put(m, "back.csv", "a,b\n1,2\n", background);
    RUN(m, 2, "explain", "--model", model, "--data", data, "--background", background);
    ERR_HAS(m, "back.csv has 2 columns");
    put(m, "back.csv", NAMES "1,inf,3,4,5,6,7\n", background);
    RUN(m, 2, "explain", "--model", model, "--data", data, "--background", background);
    ERR_HAS(m, "back.csv: column \"f1\"");
    put(m, "back.csv", NAMES "1,,1,1,1,1,1\n", background);
    for (int pairs = 0; pairs < 2; pairs++) {
        RUN(m, 0, "explain", "--model", model, "--data", data, "--background", background,
            "--output-space", "probability", pairs == 1 ? "--interactions" : "--record");
        ERR_HAS(m, "note: background: no value in any row of \"f1\"");
        assert_null(strstr(buf_str(&m->r.out), "nan"));
    }
}

static void
options_of_black_boxes_are_not_passed_over(void **state)
{
    struct room *m = *state;
    char model[512], data[512];
    put_model(m, "binary", model);
    put(m, "rows.csv", NAMES "1,2,3,4,5,6,7\n", data);
    RUN(m, 2, "explain", "--model", model, "--data", data, "--rows", "5");
    ERR_HAS(m, "--rows: of a black box, with --method or --endpoint");
}

static void
certificates_are_of_features_with_few_values(void **state)
{
    struct room *m = *state;
    char model[512], data[512];
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 20);
    put_model(m, "binary", model);
    buf_put_str(&text, NAMES);
    for (unsigned i = 0; i < 400; i++) {
        buf_printf(&text, "%u,2,3,%u,5,%s,1\n", i % 200, i % 2, i % 3 == 0 ? "" : "1");
    }
    put(m, "rows.csv", buf_str(&text), data);
    RUN(m, 2, "certify", "--model", model, "--data", data, "--sensitive", "f0");
    ERR_HAS(m, "--sensitive f0: more than 64 values");
    RUN(m, 2, "certify", "--model", model, "--data", data, "--sensitive", "f1");
    ERR_HAS(m, "all rows have the same value: there is nothing to change it to");
    RUN(m, 0, "certify", "--model", model, "--data", data, "--sensitive", "f5");
    OUT_HAS(m, "f5 is changed to each of: missing, 1");
    RUN(m, 0, "certify", "--model", model, "--data", data, "--sensitive", "f5", "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    assert_true(json_is_null(json_array_get(json_object_get(d, "values"), 0)));
    assert_near(json_number_value(json_object_get(d, "threshold")), 0.5, 0);
    assert_true(json_array_size(json_object_get(d, "remarks")) > 0);
    put(m, "rows.csv", NAMES "1,,3,4,5,6,7\n2,,3,4,5,6,7\n", data);
    RUN(m, 2, "certify", "--model", model, "--data", data, "--sensitive", "f1");
    ERR_HAS(m, "it is missing in all rows");
    put_model(m, "classes", model);
    RUN(m, 2, "certify", "--model", model, "--data", data, "--sensitive", "f0");
    ERR_HAS(m, "a tree ensemble of one output is needed");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BARE(numbers_that_no_model_reads_are_refused),
        BARE(tables_of_other_columns_are_refused),
        BARE(columns_of_very_many_words_are_no_features),
        BARE(little_and_constant_data_is_explained),
        BARE(backgrounds_are_checked_and_told_apart),
        BARE(options_of_black_boxes_are_not_passed_over),
        BARE(certificates_are_of_features_with_few_values),
    };
    return cmocka_run_group_tests_name("cli/explain_input", tests, NULL, NULL);
}
