#include "testing/testing.h"

#include "data/label.h"
#include "data/sample.h"

#include <math.h>
#include <stdio.h>

static void
refuses_text_times_and_too_many_values(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf csv;
    struct diag diag = {0};
    struct label_classes c = {0};
    double v[2];
    buf_init(&csv, 1u << 16);
    buf_put_str(&csv, "y,z\n");
    for (int i = 0; i < 300; i++) {
        buf_printf(&csv, "%d,%s\n", i, i < 2 ? "2024-02-03" : "");
    }
    DEFER(table_freep) struct table *t = sample_csv(buf_str(&csv), NULL);
    assert_status(label_classes_of(t, sample_column(t, "y"), &diag, &c), INPUT);
    assert_says(&diag, "label \"y\" has too many values; from 2 to 256 make classes");
    assert_status(label_classes_of(t, sample_column(t, "z"), &diag, &c), INPUT);
    assert_says(&diag, "label \"z\" is a time column");
    assert_status(label_as_numbers(t, sample_column(t, "z"), &diag, v), INPUT);
    assert_null(c.names);
}

static void
refuses_one_value_and_words_for_numbers(void **state)
{
    (void)state;
    struct diag diag = {0};
    struct label_classes c = {0};
    double v[3];
    DEFER(table_freep) struct table *t = sample_csv("y,w\n4,a\n4,b\n,c\n", NULL);
    assert_status(label_classes_of(t, sample_column(t, "y"), &diag, &c), INPUT);
    assert_says(&diag, "has one value only");
    assert_status(label_as_numbers(t, sample_column(t, "w"), &diag, v), INPUT);
    assert_says(&diag, "label \"w\" is a category column; the model answers with a number");
}

static void
numbers_are_classes_in_their_order(void **state)
{
    (void)state;
    DEFER(label_classes_done) struct label_classes c = {0};
    struct diag diag = {0};
    uint32_t class[6];
    DEFER(table_freep) struct table *t = sample_csv("y\n10\n-0.0\n2.5\n0\n\n10\n", NULL);
    const struct column *y = sample_column(t, "y");
    assert_ok(label_classes_of(t, y, &diag, &c));
    assert_int_equal(c.count, 3);
    assert_string_equal(c.names[0], "0");
    assert_string_equal(c.names[1], "2.5");
    assert_string_equal(c.names[2], "10");
    assert_ok(label_as_classes(t, y, (const char *const *)c.names, c.count, &diag, class));
    const uint32_t expected[] = {2, 0, 1, 0, 2};
    for (size_t i = 0, k = 0; i < t->rows; i++) {
        if (column_is_null(y, i)) {
            assert_int_equal(class[i], LABEL_MISSING);
        } else {
            assert_int_equal(class[i], expected[k++]);
        }
    }
}

static void
what_is_no_class_is_told_from_what_is_missing(void **state)
{
    (void)state;
    static const char *const words[] = {"c", "a"}, *const numbers[] = {"1.0", "word"};
    struct diag diag = {0};
    uint32_t class[4];
    DEFER(table_freep) struct table *t = sample_csv("w,n\na,1\nb,2\n,\nc,1\n", NULL);
    assert_ok(label_as_classes(t, sample_column(t, "w"), words, 2, &diag, class));
    assert_int_equal(class[0], 1);
    assert_int_equal(class[1], LABEL_OTHER);
    assert_int_equal(class[2], LABEL_MISSING);
    assert_int_equal(class[3], 0);
    assert_ok(label_as_classes(t, sample_column(t, "n"), numbers, 2, &diag, class));
    assert_int_equal(class[0], 0);
    assert_int_equal(class[1], LABEL_OTHER);
    assert_int_equal(class[2], LABEL_MISSING);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_text_times_and_too_many_values),
        cmocka_unit_test(refuses_one_value_and_words_for_numbers),
        cmocka_unit_test(numbers_are_classes_in_their_order),
        cmocka_unit_test(what_is_no_class_is_told_from_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
