/* The sealed table's bytes: first what must not be taken for one. */
#include "sample.h"

#include <stdlib.h>
#include <string.h>

#define MAX (16u << 20)

static struct table *
sample(void)
{
    static const struct import_override types[] = {
        {.column = "note", .has_type = true, .type = COLUMN_TEXT},
        {.column = "id", .has_role = true, .role = ROLE_IDENTIFIER}};
    static const char *const sensitive[] = {"sex"};
    const struct import_options o = {.label = "deny",
                                     .sensitive = sensitive,
                                     .sensitive_count = 1,
                                     .overrides = types,
                                     .override_count = 2,
                                     .threads = 1};
    return sample_csv("id,deny,sex,score,note,when\n1,no,F,0.5,Zo\xc3\xab,2020-01-01\n"
                      "2,yes,,NA,,\n3,NA,M,-0.0,long text,1969-12-31 23:59:59.999999\n",
                      &o);
}

static void
encode(const struct table *t, struct buf *ret)
{
    buf_init(ret, MAX);
    assert_ok(table_encode(t, ret));
}

static void
refused(struct view bytes, int32_t code)
{
    struct table *t = NULL;
    struct diag diag = {0};
    const struct status s = table_decode(bytes, &diag, &t);
    assert_null(t);
    assert_int_equal(s.code, code);
    assert_says(&diag, code == STATUS_UNSUPPORTED
                           ? "the table was written in a format version this program does not read"
                           : "the table's bytes are not what was written: damaged or cut short");
}

static void
refuses_a_cut_at_every_byte(void **state)
{
    (void)state;
    DEFER(table_freep) struct table *t = sample();
    DEFER(buf_done) struct buf b;
    encode(t, &b);
    for (size_t n = 0; n < b.len; n++) {
        uint8_t *exact = malloc(n == 0 ? 1 : n); /* so that a read past the end is seen */
        assert_non_null(exact);
        memcpy(exact, b.ptr, n);
        refused(view_of(exact, n), STATUS_INTEGRITY);
        free(exact);
    }
    buf_put_u8(&b, 0);
    refused(buf_view(&b), STATUS_INTEGRITY); /* nor a byte too many */
}

/* A flipped bit is refused or gives another table that is written as it was read: there is one form
 * for each table and nothing half-understood. */
static void
a_flipped_bit_is_refused_or_understood(void **state)
{
    (void)state;
    DEFER(table_freep) struct table *t = sample();
    DEFER(buf_done) struct buf b;
    encode(t, &b);
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        b.ptr[bit / 8] = (uint8_t)(b.ptr[bit / 8] ^ 1u << bit % 8);
        DEFER(table_freep) struct table *other = NULL;
        struct diag diag = {0};
        if (status_ok(table_decode(buf_view(&b), &diag, &other))) {
            DEFER(buf_done) struct buf again;
            encode(other, &again);
            assert_true(view_equal(buf_view(&again), buf_view(&b)));
        }
        b.ptr[bit / 8] = (uint8_t)(b.ptr[bit / 8] ^ 1u << bit % 8);
    }
}

static void
put_header(struct buf *b, uint32_t version, uint64_t rows, uint32_t columns)
{
    buf_init(b, MAX);
    buf_put_str(b, "sw-table");
    buf_put_u32le(b, version);
    buf_put_u64le(b, rows);
    buf_put_u32le(b, columns);
    buf_put_u8(b, 0);
}

static void
put_column_head(struct buf *b, const char *name, uint8_t type, uint8_t role, uint64_t nulls,
                uint32_t levels)
{
    buf_put_u32le(b, (uint32_t)strlen(name));
    buf_put_str(b, name);
    buf_put_u8(b, type);
    buf_put_u8(b, role);
    buf_put_u8(b, role == ROLE_FEATURE);
    buf_put_u8(b, nulls > 0);
    buf_put_u64le(b, nulls);
    buf_put_u32le(b, levels);
}

static void
refuses_counts_that_the_bytes_cannot_hold(void **state)
{
    (void)state;
    static const uint64_t rows[] = {1, 1u << 20, UINT64_C(1) << 40, UINT64_MAX / 8, UINT64_MAX};
    static const uint32_t columns[] = {1, 10001, UINT32_MAX};
    for (size_t i = 0; i < 5; i++) {
        for (size_t k = 0; k < 3; k++) {
            DEFER(buf_done) struct buf b;
            put_header(&b, 1, rows[i], columns[k]);
            put_column_head(&b, "a", COLUMN_INTEGER, ROLE_FEATURE, 0, 0);
            refused(buf_view(&b), STATUS_INTEGRITY);
        }
        DEFER(buf_done) struct buf text;
        put_header(&text, 1, 1, 1);
        put_column_head(&text, "a", COLUMN_TEXT, ROLE_FEATURE, 0, 0);
        buf_put_u64le(&text, rows[i] + 2); /* where its bytes end */
        buf_put_str(&text, "xx");
        refused(buf_view(&text), STATUS_INTEGRITY);
        DEFER(buf_done) struct buf levels;
        put_header(&levels, 1, 1, 1);
        put_column_head(&levels, "a", COLUMN_CATEGORY, ROLE_FEATURE, 0, (uint32_t)rows[i] + 3);
        buf_put_u64le(&levels, 0);
        refused(buf_view(&levels), STATUS_INTEGRITY);
    }
    DEFER(buf_done) struct buf none;
    put_header(&none, 1, 5, 0); /* rows of nothing */
    refused(buf_view(&none), STATUS_INTEGRITY);
}

static void
refuses_other_versions_and_other_things(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf newer;
    put_header(&newer, 2, 0, 0);
    refused(buf_view(&newer), STATUS_UNSUPPORTED);
    DEFER(buf_done) struct buf other;
    put_header(&other, 1, 0, 0);
    other.ptr[0] = 'S';
    refused(buf_view(&other), STATUS_INTEGRITY);
}

/* One column of one row that is wrong in one way. */
static void
refuses_values_that_an_import_never_makes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint8_t type, role;
        uint64_t nulls;
        uint32_t levels;
        const char *level[2];
        uint8_t bitmap;
        uint64_t value;
        size_t width;
    } bad[] = {
        {"", COLUMN_INTEGER, ROLE_FEATURE, 0, 0, {0}, 0, 1, 8},      /* no name */
        {"a\xff", COLUMN_INTEGER, ROLE_FEATURE, 0, 0, {0}, 0, 1, 8}, /* not UTF-8 */
        {"a", COLUMN_TYPES, ROLE_FEATURE, 0, 0, {0}, 0, 1, 8},       /* no such type */
        {"a", COLUMN_INTEGER, COLUMN_ROLES, 0, 0, {0}, 0, 1, 8},     /* no such role */
        {"a", COLUMN_INTEGER, ROLE_FEATURE, 0, 1, {"x"}, 0, 1, 8},   /* levels of a number */
        {"a", COLUMN_INTEGER, ROLE_FEATURE, 1, 0, {0}, 1, 1, 8},     /* a null with a value */
        {"a", COLUMN_INTEGER, ROLE_FEATURE, 1, 0, {0}, 0, 0, 8},     /* fewer nulls than said */
        {"a", COLUMN_INTEGER, ROLE_FEATURE, 1, 0, {0}, 3, 0, 8},     /* bits past the rows */
        {"a", COLUMN_INTEGER, ROLE_FEATURE, 2, 0, {0}, 1, 0, 8},     /* more nulls than rows */
        {"a", COLUMN_FLOAT, ROLE_FEATURE, 0, 0, {0}, 0, UINT64_C(0x7ff0000000000000), 8}, /* inf */
        {"a", COLUMN_FLOAT, ROLE_FEATURE, 0, 0, {0}, 0, UINT64_C(0x7ff8000000000000), 8}, /* NaN */
        {"a", COLUMN_FLOAT, ROLE_FEATURE, 1, 0, {0}, 1, UINT64_C(1) << 63, 8},            /* -0 */
        {"a", COLUMN_TIME, ROLE_TIME, 0, 0, {0}, 0, INT64_MAX, 8},       /* after the year 9999 */
        {"a", COLUMN_CATEGORY, ROLE_FEATURE, 0, 2, {"x", "y"}, 0, 2, 4}, /* no such level */
        {"a", COLUMN_CATEGORY, ROLE_FEATURE, 0, 2, {"y", "x"}, 0, 0, 4}, /* not sorted */
        {"a", COLUMN_CATEGORY, ROLE_FEATURE, 0, 2, {"x", "x"}, 0, 0, 4}, /* twice */
        {"a", COLUMN_CATEGORY, ROLE_FEATURE, 0, 1, {"\xff"}, 0, 0, 4},   /* not UTF-8 */
        {"a", COLUMN_BOOLEAN, ROLE_FEATURE, 0, 1, {"x"}, 0, 0, 4},       /* one spelling */
        {"a", COLUMN_BOOLEAN, ROLE_FEATURE, 0, 2, {"x", "x"}, 0, 0, 4},  /* the same */
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        DEFER(buf_done) struct buf b;
        put_header(&b, 1, 1, 1);
        put_column_head(&b, bad[i].name, bad[i].type, bad[i].role, bad[i].nulls, bad[i].levels);
        for (uint32_t k = 0; k < bad[i].levels; k++) {
            buf_put_u32le(&b, (uint32_t)strlen(bad[i].level[k]));
            buf_put_str(&b, bad[i].level[k]);
        }
        if (bad[i].nulls > 0) {
            buf_put_u8(&b, bad[i].bitmap);
        }
        for (size_t k = 0; k < bad[i].width; k++) {
            buf_put_u8(&b, (uint8_t)(bad[i].value >> 8 * k));
        }
        refused(buf_view(&b), STATUS_INTEGRITY);
    }
    DEFER(buf_done) struct buf good; /* the frame itself is right */
    put_header(&good, 1, 1, 1);
    put_column_head(&good, "a", COLUMN_INTEGER, ROLE_FEATURE, 0, 0);
    buf_put_u64le(&good, 1);
    DEFER(table_freep) struct table *t = NULL;
    assert_ok(table_decode(buf_view(&good), NULL, &t));
}

/* A label among the features would let a model read the answer. */
static void
refuses_a_label_that_is_a_feature(void **state)
{
    (void)state;
    for (uint8_t role = 0; role < COLUMN_ROLES; role++) {
        DEFER(buf_done) struct buf b;
        put_header(&b, 1, 1, 1);
        put_column_head(&b, "a", COLUMN_INTEGER, role, 0, 0);
        buf_put_u64le(&b, 1);
        const size_t feature = 8 + 4 + 8 + 4 + 1 + 4 + 1 + 2;
        b.ptr[feature] ^= 1;
        if (role == ROLE_SENSITIVE) {
            DEFER(table_freep) struct table *t = NULL;
            assert_ok(table_decode(buf_view(&b), NULL, &t));
        } else {
            refused(buf_view(&b), STATUS_INTEGRITY);
        }
    }
}

static void
refuses_two_columns_of_one_name_and_two_labels(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf b;
    put_header(&b, 1, 1, 2);
    for (unsigned i = 0; i < 2; i++) {
        put_column_head(&b, "a", COLUMN_INTEGER, ROLE_FEATURE, 0, 0);
        buf_put_u64le(&b, 1);
    }
    refused(buf_view(&b), STATUS_INTEGRITY);
    DEFER(buf_done) struct buf labels;
    put_header(&labels, 1, 1, 2);
    for (unsigned i = 0; i < 2; i++) {
        put_column_head(&labels, i == 0 ? "a" : "b", COLUMN_INTEGER, ROLE_LABEL, 0, 0);
        buf_put_u64le(&labels, 1);
    }
    refused(buf_view(&labels), STATUS_INTEGRITY);
}

static void
says_when_there_is_no_room(void **state)
{
    (void)state;
    DEFER(table_freep) struct table *t = sample();
    DEFER(buf_done) struct buf b;
    buf_init(&b, 40);
    assert_status(table_encode(t, &b), LIMIT);
}

static void
comes_back_as_it_was(void **state)
{
    (void)state;
    DEFER(table_freep) struct table *t = sample();
    DEFER(table_freep) struct table *back = NULL;
    DEFER(buf_done) struct buf b;
    DEFER(buf_done) struct buf before;
    DEFER(buf_done) struct buf after;
    struct diag diag = {0};
    encode(t, &b);
    assert_ok(table_decode(buf_view(&b), &diag, &back));
    buf_init(&before, MAX);
    buf_init(&after, MAX);
    assert_ok(table_put_schema(t, &before));
    assert_ok(table_put_schema(back, &after));
    assert_string_equal(buf_str(&before), buf_str(&after));
    for (uint32_t i = 0; i < t->column_count; i++) {
        for (uint64_t row = 0; row < t->rows; row++) {
            DEFER(buf_done) struct buf text;
            buf_init(&text, MAX);
            column_put_text(&t->columns[i], row, &text);
            const bool null = column_is_null(&t->columns[i], row);
            assert_cell(back, t->columns[i].name, row, null ? NULL : buf_str(&text));
        }
    }
}

/* The format does not change by itself: these are the bytes of docs/spec/table.md's example. */
static void
writes_the_bytes_of_the_specification(void **state)
{
    (void)state;
    const struct import_options o = {.label = "y", .threads = 1};
    DEFER(table_freep) struct table *t = sample_csv("y,c\nno,b\nyes,\n", &o);
    DEFER(buf_done) struct buf b;
    encode(t, &b);
    static const uint8_t want[] = {
        's', 'w', '-', 't', 'a',  'b',  'l',  'e',  1,   0,   0, 0, /* magic, version */
        2,   0,   0,   0,   0,    0,    0,    0,    2,   0,   0, 0, /* rows, columns */
        1,   3,   0,   0,   0,    'y',  'e',  's',                  /* positive */
        1,   0,   0,   0,   'y',  3,    1,    0,    0,   0,   0, 0,
        0,   0,   0,   0,   0, /* boolean label, no null */
        2,   0,   0,   0,   2,    0,    0,    0,    'n', 'o', 3, 0,
        0,   0,   'y', 'e', 's',                 /* its spellings */
        0,   0,   0,   0,   1,    0,    0,    0, /* no, yes */
        1,   0,   0,   0,   'c',  2,    0,    1,    1,   1,   0, 0,
        0,   0,   0,   0,   0,                              /* category feature, one null */
        1,   0,   0,   0,   1,    0,    0,    0,    'b', 2, /* its level; row 1 is null */
        0,   0,   0,   0,   0xff, 0xff, 0xff, 0xff,         /* b, null */
    };
    assert_int_equal(b.len, sizeof want);
    assert_memory_equal(b.ptr, want, sizeof want);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_a_cut_at_every_byte),
        cmocka_unit_test(a_flipped_bit_is_refused_or_understood),
        cmocka_unit_test(refuses_counts_that_the_bytes_cannot_hold),
        cmocka_unit_test(refuses_other_versions_and_other_things),
        cmocka_unit_test(refuses_values_that_an_import_never_makes),
        cmocka_unit_test(refuses_a_label_that_is_a_feature),
        cmocka_unit_test(refuses_two_columns_of_one_name_and_two_labels),
        cmocka_unit_test(says_when_there_is_no_room),
        cmocka_unit_test(comes_back_as_it_was),
        cmocka_unit_test(writes_the_bytes_of_the_specification),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
