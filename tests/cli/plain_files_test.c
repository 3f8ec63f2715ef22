#include "testing/testing.h"

#include "cli/plain_files.h"
#include "data/import.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct remover no_remover;

/* A model of one stump that reads `features` features; names as a JSON list, or "[]". */
static struct model_file *
stump(unsigned features, const char *names, bool categorical)
{
    char text[2048];
    (void)snprintf(
        text, sizeof text,
        "{\"version\":[1,7,4],\"learner\":{\"feature_names\":%s,"
        "\"learner_model_param\":{\"base_score\":\"0\",\"num_class\":\"0\",\"num_feature\":\"%u\"},"
        "\"objective\":{\"name\":\"reg:squarederror\"},\"gradient_booster\":{\"name\":\"gbtree\","
        "\"model\":{\"gbtree_model_param\":{\"num_trees\":\"1\"},\"tree_info\":[0],\"trees\":[{"
        "\"left_children\":[1,-1,-1],\"right_children\":[2,-1,-1],\"split_indices\":[0,0,0],"
        "\"split_conditions\":[0.5,1,2],\"default_left\":[1,0,0],\"sum_hessian\":[2,1,1],"
        "\"split_type\":[%d,0,0],\"categories_nodes\":[%s],\"categories_segments\":[%s],"
        "\"categories_sizes\":[%s],\"categories\":[%s]}]}}}}",
        names, features, categorical, categorical ? "0" : "", categorical ? "0" : "",
        categorical ? "1" : "", categorical ? "3" : "");
    struct model_file *m = NULL;
    struct diag diag = {0};
    const struct status s = model_file_load(view_str(text), &diag, &m);
    if (!status_ok(s)) {
        print_error("%s\n", diag.text);
    }
    assert_ok(s);
    return m;
}

static struct table *
read_csv(const char *text, const struct import_options *o)
{
    static const struct import_options none = {0};
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *path = file_join(dir, "rows.csv");
    testing_write(path, view_str(text));
    struct table *t = NULL;
    struct diag diag = {0};
    const struct status s = import_file(path, o == NULL ? &none : o, &diag, &t);
    if (!status_ok(s)) {
        print_error("%s\n", diag.text);
    }
    assert_ok(s);
    return t;
}

/* The rows of this text for that model must be refused with a sentence that holds `part`. */
static void
refused(const char *csv, struct model_file *m, const char *part)
{
    DEFER(table_freep) struct table *t = read_csv(csv, NULL);
    DEFER(js_freep) json_t *remarks = json_array();
    struct plain_rows *r = NULL;
    struct diag diag = {0};
    assert_status(plain_rows_new(t, m, &no_remover, "rows.csv", remarks, &diag, &r), INPUT);
    assert_says(&diag, "rows.csv");
    assert_says(&diag, part);
    assert_null(r);
}

static void
columns_that_do_not_fit_the_model_are_named(void **state)
{
    (void)state;
    DEFER(model_file_freep) struct model_file *m = stump(2, "[\"income\",\"age\"]", false);
    refused("incme,age\n1,2\n3,4\n", m,
            "rows.csv lacks a column that the model reads: no column \"income\"; did you mean "
            "\"incme\"?");
    refused("a,b\n1,2\n3,4\n", m,
            "rows.csv lacks 2 of the 2 columns that the model reads (\"income\", \"age\"): no "
            "column \"income\" among the 2 columns");
    refused("income,age\n1,2\nx,4\n", m,
            "column \"income\" is category (\"x\" in row 2); the model reads numbers there");
    refused("income,age\n2024-01-01,2\n2024-01-02,4\n", m, "column \"income\" is time");
    refused("income,age\n1e39,2\n3,4\n", m,
            "row 1: column \"income\": 1e+39 is beyond what models");
}

static void
categories_are_numbers(void **state)
{
    (void)state;
    DEFER(model_file_freep) struct model_file *m = stump(2, "[\"c\",\"x\"]", true);
    assert_int_equal(m->categorical[0], 1);
    assert_int_equal(m->categorical[1], 0);
    refused("c,x\n1.5,2\n3,4\n", m, "row 1: column \"c\": 1.5 is not a category number");
    refused("c,x\nred,2\nblue,4\n", m, "does not say which word has which number");
    DEFER(table_freep) struct table *t = read_csv("x,c\n1,3\n1,2\n1,\n", NULL);
    DEFER(js_freep) json_t *remarks = json_array();
    DEFER(plain_rows_freep) struct plain_rows *r = NULL;
    struct diag diag = {0};
    assert_ok(plain_rows_new(t, m, &no_remover, "rows.csv", remarks, &diag, &r));
    DEFER(memory_freep) float *x = NULL;
    assert_ok(plain_rows_all(r, &x));
    double margin[3];
    model_file_margin(m, x, 3, 1, margin);
    assert_near(margin[0], 2, 0); /* listed: right */
    assert_near(margin[1], 1, 0);
    assert_near(margin[2], 1, 0); /* missing: the default */
}

/* Whatever their order in the file, and beside columns that no model reads. */
static void
columns_are_found_by_name(void **state)
{
    (void)state;
    DEFER(model_file_freep) struct model_file *m = stump(3, "[\"my_income\",\"ok\",\"n\"]", false);
    DEFER(table_freep)
    struct table *t =
        read_csv("id,n,ok,my income,y\na,7,yes,0.1,1\nb,,no,,2\nc,16777217,yes,3,3\n", NULL);
    DEFER(js_freep) json_t *remarks = json_array();
    DEFER(plain_rows_freep) struct plain_rows *r = NULL;
    struct diag diag = {0};
    assert_ok(plain_rows_new(t, m, &no_remover, "rows.csv", remarks, &diag, &r));
    DEFER(memory_freep) float *x = NULL;
    assert_ok(plain_rows_all(r, &x));
    const float expected[9] = {0.1f, 1, 7, NAN, 0, NAN, 3, 1, 16777216};
    for (size_t i = 0; i < 9; i++) {
        assert_near((double)x[i], (double)expected[i], 0);
    }
    assert_string_equal(plain_rows_column(r, 0)->name, "my income");
    float part[3] = {0}; /* a part of the rows is what stands there in all of them */
    plain_rows_fill(r, 2, 1, part);
    assert_memory_equal(part, x + 6, sizeof part);
    assert_int_equal(json_array_size(remarks), 3);
    assert_string_equal(json_string_value(json_array_get(remarks, 0)),
                        "column \"ok\": \"no\" is read as 0, \"yes\" as 1");
    assert_text_has(json_string_value(json_array_get(remarks, 1)),
                    "column \"n\": whole numbers over 16777216 (1 of them) are rounded");
    assert_string_equal(json_string_value(json_array_get(remarks, 2)),
                        "the model does not read the columns \"id\", \"y\"");
}

/* Names are cut to 60 bytes: not in the middle of a letter. */
static void
long_names_in_other_alphabets_are_told(void **state)
{
    (void)state;
    DEFER(model_file_freep) struct model_file *m = stump(1, "[\"x\"]", false);
    DEFER(table_freep)
    struct table *t = read_csv("x,"
                               "a\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"
                               "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"
                               "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"
                               "\n1,2\n3,4\n",
                               NULL);
    DEFER(js_freep) json_t *remarks = json_array();
    DEFER(plain_rows_freep) struct plain_rows *r = NULL;
    struct diag diag = {0};
    assert_ok(plain_rows_new(t, m, &no_remover, "rows.csv", remarks, &diag, &r));
    assert_text_has(json_string_value(json_array_get(remarks, 0)),
                    "does not read the column \"a\u00e9\u00e9");
}

static void
a_column_without_a_value_is_told(void **state)
{
    (void)state;
    DEFER(model_file_freep) struct model_file *m = stump(1, "[\"x\"]", false);
    DEFER(table_freep) struct table *t = read_csv("x,y\n,2\n,4\n", NULL);
    DEFER(js_freep) json_t *remarks = json_array();
    DEFER(plain_rows_freep) struct plain_rows *r = NULL;
    struct diag diag = {0};
    assert_ok(plain_rows_new(t, m, &no_remover, "rows.csv", remarks, &diag, &r));
    assert_int_equal(json_array_size(remarks), 2);
    assert_string_equal(json_string_value(json_array_get(remarks, 1)),
                        "no value in any row of \"x\": the model answers as for missing values");
}

static void
a_model_without_names_takes_the_columns_in_order(void **state)
{
    (void)state;
    DEFER(model_file_freep) struct model_file *m = stump(2, "[]", false);
    refused("a,b,c\n1,2,3\n3,4,5\n", m, "has 3 columns that can be features; the model reads 2");
    refused("a\n1\n", m, "has 1 column that can be features");
    const struct import_override other = {.column = "b", .has_role = true, .role = ROLE_IGNORED};
    const struct import_options o = {.overrides = &other, .override_count = 1};
    DEFER(table_freep) struct table *t = read_csv("a,b,c\n1,2,3\n3,4,5\n", &o);
    DEFER(js_freep) json_t *remarks = json_array();
    DEFER(plain_rows_freep) struct plain_rows *r = NULL;
    struct diag diag = {0};
    assert_ok(plain_rows_new(t, m, &no_remover, "rows.csv", remarks, &diag, &r));
    float x[4];
    plain_rows_fill(r, 0, 2, x);
    assert_memory_equal(x, ((const float[]){1, 3, 3, 5}), sizeof x);
    assert_text_has(json_string_value(json_array_get(remarks, 0)),
                    "taken in order, \"a\" as the first and \"c\" as the last of 2");
}

static void
a_column_by_a_wrong_name_is_answered_with_the_nearest(void **state)
{
    (void)state;
    DEFER(table_freep) struct table *t = read_csv("income,age\n1,2\n", NULL);
    const struct column *c = NULL;
    struct diag diag = {0};
    assert_status(table_need_column(t, "rows.csv", "incom", &diag, &c), INPUT);
    assert_says(&diag, "rows.csv: no column \"incom\"; did you mean \"income\"?");
    assert_null(c);
    assert_ok(table_need_column(t, "rows.csv", "age", &diag, &c));
    assert_string_equal(c->name, "age");
}

static void
a_model_that_cannot_be_read_is_named(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *path = file_join(dir, "m.json");
    struct model_file *m = NULL;
    struct diag diag = {0};
    assert_status(plain_model(path, &diag, &m), NOT_FOUND);
    assert_says(&diag, "m.json: No such file");
    testing_write(path, view_str(""));
    assert_status(plain_model(path, &diag, &m), INPUT);
    assert_says(&diag, "m.json: model: the file is empty");
    assert_null(m);
}

static void
csv_is_written_whole_or_not_at_all(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *path = file_join(dir, "out.csv");
    struct diag diag = {0};
    struct plain_csv w = {0};
    plain_csv_done(&w);
    assert_status(plain_csv_open("/no/such/out.csv", 9, &diag, &w), NOT_FOUND);
    assert_ok(plain_csv_open(path, 9, &diag, &w));
    plain_csv_text(&w, "a");
    plain_csv_end_row(&w);
    plain_csv_done(&w);
    assert_false(file_exists(path));
    assert_ok(plain_csv_open(path, 9, &diag, &w));
    plain_csv_text(&w, "a,b");
    plain_csv_text(&w, "say \"x\"");
    plain_csv_text(&w, " ");
    plain_csv_text(&w, "");
    plain_csv_end_row(&w);
    plain_csv_number(&w, 1.0 / 3);
    plain_csv_number(&w, (double)NAN);
    plain_csv_number(&w, -2);
    plain_csv_number(&w, 1e-7);
    plain_csv_end_row(&w);
    assert_ok(plain_csv_keep(&w));
    plain_csv_done(&w);
    DEFER(buf_done) struct buf bytes;
    testing_read(path, &bytes);
    assert_string_equal(buf_str(&bytes),
                        "\"a,b\",\"say \"\"x\"\"\",\" \",\n0.333333333,,-2,1e-07\n");
}

static void
csv_of_a_full_disk_is_told(void **state)
{
    (void)state;
    struct diag diag = {0};
    DEFER(plain_csv_done) struct plain_csv w = {0};
    assert_ok(plain_csv_open("/dev/full", 9, &diag, &w));
    for (size_t i = 0; i < 500000; i++) { /* several blocks: it goes on after the first failure */
        plain_csv_number(&w, (double)i);
        plain_csv_end_row(&w);
        assert_true(w.block.len < 4u << 20);
    }
    assert_status(plain_csv_keep(&w), IO);
    assert_says(&diag, "/dev/full: No space left on device");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_that_do_not_fit_the_model_are_named),
        cmocka_unit_test(categories_are_numbers),
        cmocka_unit_test(columns_are_found_by_name),
        cmocka_unit_test(long_names_in_other_alphabets_are_told),
        cmocka_unit_test(a_column_without_a_value_is_told),
        cmocka_unit_test(a_model_without_names_takes_the_columns_in_order),
        cmocka_unit_test(a_column_by_a_wrong_name_is_answered_with_the_nearest),
        cmocka_unit_test(a_model_that_cannot_be_read_is_named),
        cmocka_unit_test(csv_is_written_whole_or_not_at_all),
        cmocka_unit_test(csv_of_a_full_disk_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
