/* Selection, the binary label, splits and the feature matrix. */
#include "sample.h"

#include "data/matrix.h"
#include "data/split.h"
#include "data/table_build.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- splits ---- */

static void
refuses_a_share_that_is_none(void **state)
{
    (void)state;
    static const double shares[] = {0, -0.1, 1.0000001, (double)NAN, (double)INFINITY};
    uint8_t train[4] = {9, 9, 9, 9};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        assert_status(split_assign(4, shares[i], 7, train), INPUT);
        assert_int_equal(train[0], 9);
    }
}

static void
a_split_has_exactly_its_share(void **state)
{
    (void)state;
    static const uint64_t rows[] = {0, 1, 2, 3, 10, 999, 2380};
    static const double shares[] = {0.001, 0.3, 0.5, 0.7, 0.999, 1};
    uint8_t train[2380];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t k = 0; k < sizeof shares / sizeof *shares; k++) {
            assert_ok(split_assign(rows[i], shares[k], 7, train));
            uint64_t n = 0;
            for (uint64_t r = 0; r < rows[i]; r++) {
                assert_true(train[r] <= 1);
                n += train[r];
            }
            assert_true(n == (uint64_t)llround(shares[k] * (double)rows[i]));
        }
    }
}

static void
a_split_is_the_same_for_the_same_seed_only(void **state)
{
    (void)state;
    uint8_t a[1000], b[1000], c[1000];
    assert_ok(split_assign(1000, 0.7, 7, a));
    assert_ok(split_assign(1000, 0.7, 7, b));
    assert_ok(split_assign(1000, 0.7, 8, c));
    assert_memory_equal(a, b, sizeof a);
    unsigned both = 0;
    for (unsigned i = 0; i < 1000; i++) {
        both += a[i] && c[i];
    }
    assert_in_range(both, 450, 530); /* 490 of independent splits, standard deviation 6.6 */
    uint8_t less[1000];
    assert_ok(split_assign(1000, 0.5, 7, less));
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(a[i] >= less[i]); /* a larger share holds the smaller one */
    }
}

/* Models and assessments name a split by share and seed, so these rows may never change. */
static void
a_split_is_pinned(void **state)
{
    (void)state;
    char got[41] = {0};
    uint8_t train[40];
    assert_ok(split_assign(40, 0.7, 7, train));
    for (unsigned i = 0; i < 40; i++) {
        got[i] = train[i] ? '1' : '0';
    }
    assert_string_equal(got, "1011011001111110111010101101111101011101");
}

/* ---- label ---- */

static struct table *
labelled(const char *text, const char *positive)
{
    const struct import_options o = {.label = "y", .positive = positive, .threads = 1};
    return sample_csv(text, &o);
}

static void
refuses_labels_that_are_not_two_classes(void **state)
{
    (void)state;
    uint8_t y[8] = {9, 9, 9, 9, 9, 9, 9, 9};
    struct diag diag = {0};
    DEFER(table_freep) struct table *none = sample_csv("a,b\n1,2\n", NULL);
    assert_status(table_binary_label(none, &diag, y), INPUT);
    assert_says(&diag, "the table has no label column");
    DEFER(table_freep) struct table *many = labelled("y,b\nr,1\ng,1\nb,1\n", NULL);
    assert_status(table_binary_label(many, &diag, y), INPUT);
    assert_says(&diag, "label \"y\": which value is the positive one is not known; name it");
    DEFER(table_freep) struct table *two = labelled("y,b\nno,1\nyes,1\nyes,1\n", NULL);
    DEFER(table_freep) struct table *one = NULL;
    const uint64_t rows[] = {1, 2};
    assert_ok(table_select(two, rows, 2, &one));
    assert_status(table_binary_label(one, &diag, y), INPUT);
    assert_says(&diag, "label \"y\" has one class only: 2 rows, all positive; both classes are");
    assert_int_equal(y[0], 9);
}

static void
a_binary_label_knows_missing_values(void **state)
{
    (void)state;
    uint8_t y[4];
    DEFER(table_freep) struct table *words = labelled("y,b\nno,1\nyes,1\nNA,1\nno,1\n", NULL);
    assert_ok(table_binary_label(words, NULL, y));
    assert_memory_equal(y, "\0\1\2\0", 4);
    DEFER(table_freep) struct table *numbers = labelled("y,b\n0,1\n1,1\n,1\n1,1\n", NULL);
    assert_ok(table_binary_label(numbers, NULL, y));
    assert_memory_equal(y, "\0\1\2\1", 4);
    DEFER(table_freep) struct table *turned = labelled("y,b\nno,1\nyes,1\nNA,1\nno,1\n", "no");
    assert_ok(table_binary_label(turned, NULL, y));
    assert_memory_equal(y, "\1\0\2\1", 4);
    DEFER(table_freep) struct table *levels = labelled("y,b\nr,1\ng,1\nb,1\ng,1\n", "g");
    assert_ok(table_binary_label(levels, NULL, y));
    assert_memory_equal(y, "\0\1\0\1", 4);
}

/* ---- selection ---- */

static void
a_selection_keeps_order_types_and_nulls(void **state)
{
    (void)state;
    static const struct import_override note = {
        .column = "s", .has_type = true, .type = COLUMN_TEXT};
    const struct import_options o = {.overrides = &note, .override_count = 1, .threads = 1};
    DEFER(table_freep)
    struct table *t = sample_csv("f,i,c,b,t,s\n1.5,1,x,no,2020-01-01,one\n,,,,,\n"
                                 "2.5,2,y,yes,2020-01-02,three\n",
                                 &o);
    const uint64_t rows[] = {2, 1, 2, 0};
    DEFER(table_freep) struct table *some = NULL;
    assert_ok(table_select(t, rows, 4, &some));
    assert_int_equal(some->rows, 4);
    for (uint32_t i = 0; i < t->column_count; i++) {
        assert_int_equal(some->columns[i].nulls, 1);
        for (unsigned k = 0; k < 4; k++) {
            DEFER(buf_done) struct buf text;
            buf_init(&text, 4096);
            column_put_text(&t->columns[i], rows[k], &text);
            assert_cell(some, t->columns[i].name, k, rows[k] == 1 ? NULL : buf_str(&text));
        }
    }
    DEFER(table_freep) struct table *none = NULL;
    assert_ok(table_select(t, rows, 0, &none));
    assert_int_equal(none->rows, 0);
}

/* ---- times ---- */

static void
times_are_read_whole_or_not_at_all(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "2020",
        "2020-1-1",
        "2020-13-01",
        "2020-02-30",
        "2021-02-29",
        "0000-01-01",
        "2020-01-01T",
        "2020-01-01 24:00",
        "2020-01-01 10",
        "2020-01-01 10:60",
        "2020-01-01 10:20:60",
        "2020-01-01 10:20:30.",
        "2020-01-01 10:20:30.1234567891",
        "2020-01-01 10:20+15:00",
        "2020-01-01 10:20+01:",
        "2020-01-01 10:20Zx",
        "10000-01-01",
        "0001-01-01 00:00+01:00",
        "2020-01-01 10:20:30 Z",
        "01/02/2020",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t us = 77;
        if (time_parse(view_str(bad[i]), &us)) {
            print_error("%s was taken for a time\n", bad[i]);
        }
        assert_true(us == 77);
    }
    static const struct {
        const char *text, *written;
        int64_t us;
    } good[] = {
        {"1970-01-01", "1970-01-01", 0},
        {"0001-01-01", "0001-01-01", TIME_MIN_US},
        {"9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z", TIME_MAX_US},
        {"2000-02-29 12:00", "2000-02-29T12:00:00Z", INT64_C(951825600000000)},
        {"1969-12-31 23:59:59.999999", "1969-12-31T23:59:59.999999Z", -1},
        {"2020-01-01T01:30:00+01:30", "2020-01-01", INT64_C(1577836800000000)},
        {"2020-01-01 01:00:00+01", "2020-01-01", INT64_C(1577836800000000)},
        {"2019-12-31 23:30-00:30", "2020-01-01", INT64_C(1577836800000000)},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t us = 0;
        DEFER(buf_done) struct buf b;
        buf_init(&b, 64);
        assert_true(time_parse(view_str(good[i].text), &us));
        assert_true(us == good[i].us);
        time_put(&b, us);
        assert_string_equal(buf_str(&b), good[i].written);
    }
    for (int64_t us = TIME_MIN_US; us < TIME_MAX_US - INT64_C(86399999999 * 977); /* a law */
         us += INT64_C(86399999999 * 977)) {
        int64_t back = 0;
        DEFER(buf_done) struct buf b;
        buf_init(&b, 64);
        time_put(&b, us);
        assert_true(time_parse(buf_view(&b), &back) && back == us);
    }
}

/* ---- matrix ---- */

static const char training[] = "n,c,b,t,note\n1,red,no,2020-01-02,x\n2.5,blue,yes,1970-01-01 12:00,"
                               "y\n,,,,\n";

static void
features_of(const struct table *t, struct feature_list *ret)
{
    assert_ok(feature_list_from_table(t, ret));
}

static struct table *
with_time(const char *text)
{
    static const struct import_override roles[] = {
        {.column = "t", .has_role = true, .role = ROLE_FEATURE},
        {.column = "note", .has_type = true, .type = COLUMN_TEXT}};
    const struct import_options o = {.overrides = roles, .override_count = 2, .threads = 1};
    return sample_csv(text, &o);
}

static void
refuses_rows_that_the_model_does_not_fit(void **state)
{
    (void)state;
    DEFER(table_freep) struct table *t = with_time(training);
    DEFER(feature_list_done) struct feature_list l = {0};
    features_of(t, &l);
    float x[16];
    struct diag diag = {0};
    DEFER(table_freep) struct table *absent = sample_csv("m,c,b,t\n1,red,no,2020-01-01\n", NULL);
    assert_status(matrix_from_table(absent, &l, NULL, &diag, x), INPUT);
    assert_says(&diag, "a feature of the model is missing: no column \"n\"");
    DEFER(table_freep) struct table *level = sample_csv("n,c,b,t\n1,green,no,2020-01-01\n", NULL);
    assert_status(matrix_from_table(level, &l, NULL, &diag, x), INPUT);
    assert_says(&diag, "row 1: column \"c\": the model does not know the value \"green\"");
    DEFER(table_freep) struct table *type = sample_csv("n,c,b,t\nx,red,no,2020-01-01\n", NULL);
    assert_status(matrix_from_table(type, &l, NULL, &diag, x), INPUT);
    assert_says(&diag, "column \"n\" is category; the model was trained with float");
    DEFER(table_freep)
    struct table *large = sample_csv("n,c,b,t\n1,red,no,2020-01-01\n-1e300,red,no,\n", NULL);
    assert_status(matrix_from_table(large, &l, NULL, &diag, x), INPUT);
    assert_says(&diag, "row 2: column \"n\": -1e+300 is beyond what models read");
}

static void
what_the_model_does_not_know_is_missing_and_told(void **state)
{
    (void)state;
    DEFER(table_freep) struct table *t = with_time(training);
    DEFER(feature_list_done) struct feature_list l = {0};
    DEFER(js_freep) json_t *remarks = json_array();
    features_of(t, &l);
    float x[28];
    DEFER(table_freep)
    struct table *other = sample_csv("n,c,b,t\n1,red,no,2020-01-01\n1,green,no,\n1,,no,\n"
                                     "1,green,no,\n1,pink,no,\n1,grey,no,\n1,mauve,no,\n",
                                     NULL);
    assert_ok(matrix_from_table(other, &l, remarks, NULL, x));
    assert_true(x[1] == 1 && isnan(x[5]) && isnan(x[9]) && isnan(x[17]));
    assert_int_equal(json_array_size(remarks), 1);
    assert_string_equal(json_string_value(json_array_get(remarks, 0)),
                        "column \"c\": the model does not know \"green\", \"pink\", \"grey\" and "
                        "others: 5 rows, the first is 2; read as missing");
}

static void
a_matrix_encodes_as_at_training(void **state)
{
    (void)state;
    DEFER(table_freep) struct table *t = with_time(training);
    DEFER(feature_list_done) struct feature_list l = {0};
    features_of(t, &l);
    assert_int_equal(l.count, 4); /* text is no feature */
    float x[12];
    assert_ok(matrix_from_table(t, &l, NULL, NULL, x));
    const float nan = NAN, want[12] = {1, 1, 0, 18263, 2.5f, 0, 1, 0.5f, nan, nan, nan, nan};
    for (unsigned i = 0; i < 12; i++) {
        assert_near((double)x[i], (double)want[i], 0);
    }
    /* Other rows, other column order, fewer levels, a column of nothing: the same codes. */
    DEFER(table_freep) struct table *other = sample_csv("b,t,c,n\nyes,,red,7\n", NULL);
    assert_ok(matrix_from_table(other, &l, NULL, NULL, x));
    const float again[4] = {7, 1, 1, nan};
    for (unsigned i = 0; i < 4; i++) {
        assert_near((double)x[i], (double)again[i], 0);
    }
}

static void
a_feature_list_survives_json(void **state)
{
    (void)state;
    DEFER(table_freep) struct table *t = with_time(training);
    DEFER(feature_list_done) struct feature_list l = {0}, back = {0};
    DEFER(buf_done) struct buf json;
    DEFER(buf_done) struct buf again;
    buf_init(&json, 4096);
    buf_init(&again, 4096);
    features_of(t, &l);
    assert_ok(feature_list_to_json(&l, &json));
    struct diag diag = {0};
    assert_ok(feature_list_from_json(buf_view(&json), &diag, &back));
    assert_ok(feature_list_to_json(&back, &again));
    feature_list_done(&back);
    assert_string_equal(buf_str(&json), buf_str(&again));
    assert_string_equal(buf_str(&json),
                        "[{\"name\":\"n\",\"type\":\"float\"},"
                        "{\"name\":\"c\",\"type\":\"category\",\"levels\":[\"blue\","
                        "\"red\"]},{\"name\":\"b\",\"type\":\"boolean\",\"levels\":["
                        "\"no\",\"yes\"]},{\"name\":\"t\",\"type\":\"time\"}]");
}

static void
refuses_feature_lists_that_no_table_gives(void **state)
{
    (void)state;
    static const struct {
        const char *json, *part;
    } bad[] = {
        {"{}", "features: not a list of at most 10000 features"},
        {"[1]", "feature 0 is not an object"},
        {"[{\"type\":\"float\"}]", "\"name\" is missing"},
        {"[{\"name\":\"a\",\"type\":\"text\"}]", "feature \"a\": \"text\" is not a feature's type"},
        {"[{\"name\":\"a\",\"type\":\"category\"}]", "\"levels\" is missing"},
        {"[{\"name\":\"a\",\"type\":\"category\",\"levels\":[1]}]", "level 0 is not a string"},
        {"[{\"name\":\"a\",\"type\":\"category\",\"levels\":[\"y\",\"x\"]}]",
         "its levels are not distinct and sorted"},
        {"[{\"name\":\"a\",\"type\":\"boolean\",\"levels\":[\"x\"]}]", "1 levels are not possible"},
        {"[{\"name\":\"a\",\"type\":\"float\"},{\"name\":\"a\",\"type\":\"float\"}]",
         "feature \"a\" stands there twice"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct feature_list l = {0};
        struct diag diag = {0};
        assert_status(feature_list_from_json(view_str(bad[i].json), &diag, &l), INPUT);
        assert_says(&diag, bad[i].part);
        assert_null(l.items);
    }
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_a_share_that_is_none),
        cmocka_unit_test(a_split_has_exactly_its_share),
        cmocka_unit_test(a_split_is_the_same_for_the_same_seed_only),
        cmocka_unit_test(a_split_is_pinned),
        cmocka_unit_test(refuses_labels_that_are_not_two_classes),
        cmocka_unit_test(a_binary_label_knows_missing_values),
        cmocka_unit_test(a_selection_keeps_order_types_and_nulls),
        cmocka_unit_test(times_are_read_whole_or_not_at_all),
        cmocka_unit_test(refuses_rows_that_the_model_does_not_fit),
        cmocka_unit_test(what_the_model_does_not_know_is_missing_and_told),
        cmocka_unit_test(a_matrix_encodes_as_at_training),
        cmocka_unit_test(a_feature_list_survives_json),
        cmocka_unit_test(refuses_feature_lists_that_no_table_gives),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
