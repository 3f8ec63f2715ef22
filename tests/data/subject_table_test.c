/* Rows person by person: the bytes of fuzz/corpus/subjects were written by another program
 * (Python's struct, after docs/spec/subjects.md), with a sealing that is a copy. */
#include "testing/testing.h"

#include "data/subject_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERASED_FROM 200u

static struct status
open_copy(void *ctx, uint32_t slot, struct view sealed, struct buf *ret_plain, bool *ret_erased)
{
    (void)ctx;
    *ret_erased = slot >= ERASED_FROM;
    if (!*ret_erased) {
        buf_put(ret_plain, sealed);
    }
    return buf_status(ret_plain);
}

static const struct subject_opener opener = {open_copy, NULL};

static void
read_corpus(const char *name, struct buf *ret)
{
    char path[100];
    (void)snprintf(path, sizeof path, "fuzz/corpus/subjects/%s", name);
    char *source = testing_source(path);
    testing_read(source, ret);
    free(source);
}

static void
refuses_what_is_no_such_table(void **state)
{
    (void)state;
    static const char *const names[] = {"cut", "a_row_twice", "no_subject", "slots_descend"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        DEFER(buf_done) struct buf bytes;
        struct table *t = NULL;
        struct diag diag = {0};
        read_corpus(names[i], &bytes);
        assert_status(subject_table_decode(buf_view(&bytes), &opener, &diag, &t), INTEGRITY);
        assert_says(&diag, "not what was written");
    }
}

static void
refuses_every_cut_and_what_is_behind_the_end(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf bytes;
    struct table *t = NULL;
    read_corpus("two_persons", &bytes);
    for (size_t n = 0; n < bytes.len; n++) {
        assert_status(subject_table_decode(view_of(bytes.ptr, n), &opener, NULL, &t), INTEGRITY);
    }
    DEFER(buf_done) struct buf more;
    buf_init(&more, bytes.len + 1);
    buf_put(&more, buf_view(&bytes));
    buf_put_u8(&more, 0);
    assert_status(subject_table_decode(buf_view(&more), &opener, NULL, &t), INTEGRITY);
}

static void
assert_row(const struct table *t, uint64_t row, const char *right)
{
    DEFER(buf_done) struct buf line;
    buf_init(&line, 1024);
    for (uint32_t i = 0; i < t->column_count; i++) {
        buf_put_str(&line, i > 0 ? "|" : "");
        column_put_text(&t->columns[i], row, &line);
    }
    assert_string_equal(buf_str(&line), right);
}

static void
reads_what_another_program_wrote(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf bytes;
    DEFER(table_freep) struct table *t = NULL;
    read_corpus("two_persons", &bytes);
    assert_ok(subject_table_decode(buf_view(&bytes), &opener, NULL, &t));
    assert_int_equal(t->rows, 4);
    assert_int_equal(t->erased, 0);
    assert_string_equal(t->positive, "yes");
    assert_row(t, 0, "bob|yes|-1.5|7||1969-12-31T23:59:59.999995Z|x");
    assert_row(t, 1, "ann|no|0.5|3|baker|1970-01-01|hi");
    assert_row(t, 2, "bob|no|2|8|baker|1970-01-01T00:00:00.000009Z|\xc3\xa9");
    assert_row(t, 3, "ann|yes||-4|smith|2023-11-14T22:13:20Z|");
    assert_int_equal(table_column(t, "job")->level_count, 2);
    assert_int_equal(table_column(t, "job")->nulls, 1);
}

static void
leaves_out_the_erased_and_keeps_numbers(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf bytes;
    DEFER(table_freep) struct table *t = NULL;
    read_corpus("one_is_erased", &bytes);
    assert_ok(subject_table_decode(buf_view(&bytes), &opener, NULL, &t));
    assert_int_equal(t->rows, 1);
    assert_int_equal(t->erased, 2);
    assert_int_equal(table_row_number(t, 0), 1);
    assert_int_equal(table_column(t, "x")->nulls, 0);
    assert_row(t, 0, "a|yes|1");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_no_such_table),
        cmocka_unit_test(refuses_every_cut_and_what_is_behind_the_end),
        cmocka_unit_test(reads_what_another_program_wrote),
        cmocka_unit_test(leaves_out_the_erased_and_keeps_numbers),
    };
    return cmocka_run_group_tests_name("data/subject_table", tests, NULL, NULL);
}
