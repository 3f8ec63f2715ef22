/* Import of JSON and Parquet: first what must be refused. The Parquet files are written by DuckDB
 * itself, in the test. */
#include "sample.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>

#define REFUSED(TEXT, PART) assert_refused("t.json", view_str(TEXT), NULL, INPUT, PART)

static struct table *
json(const char *name, const char *text)
{
    struct table *t = NULL;
    struct diag diag = {0};
    const struct status s = sample_import(name, view_str(text), NULL, &diag, &t);
    if (!status_ok(s)) {
        print_error("%s\n", diag.text);
    }
    assert_ok(s);
    return t;
}

static void
refuses_what_is_not_json_records(void **state)
{
    (void)state;
    REFUSED("", "t.json: empty");
    REFUSED(" \n", "t.json: no values; records such as");
    REFUSED("[]", "t.json: no values");
    REFUSED("{}", "t.json: no values");
    REFUSED("[1,2,3]", "t.json line 1: not JSON records, such as {\"age\": 40");
    REFUSED("\"text\"", "t.json line 1: not JSON records");
    REFUSED("{\"a\":1}\n{\"a\":2}\nx", "t.json line 3: not JSON records");
    REFUSED("[\n{\"a\":1},\n[2]\n]", "t.json line 3: a list where a record was expected");
    REFUSED("{\"a\":1", "t.json: Malformed JSON");
    REFUSED("{\"a\":tru}", "t.json: Malformed JSON");
    REFUSED("{\"a\":1,\"a\":2}", "has duplicate key \"a\"");
    REFUSED("{\"a\":1}\n{\"a\":\"\xff\"}", "t.json line 2: not UTF-8");
    REFUSED("{\"a\":\"x\\u0000y\"}", "t.json row 1: a value holds a zero byte");
    REFUSED("{\"a\":1e400}", "t.json row 1: column \"a\": \"inf\" is not a finite number");
    assert_refused("t.json", view_of("{\"a\":\0}", 7), NULL, INPUT, "line 1: a zero byte");
}

static void
refuses_nested_values_however_deep(void **state)
{
    (void)state;
    REFUSED("{\"a\":{\"b\":1}}", "t.json line 1: a list or an object inside a record");
    REFUSED("[{\"a\":1},\n{\"a\":[1]}]", "t.json line 2: a list or an object inside a record");
    DEFER(buf_done) struct buf b;
    buf_init(&b, 4u << 20);
    buf_put_str(&b, "{\"a\":");
    uint8_t *at = buf_extend(&b, 2000000);
    assert_non_null(at);
    memset(at, '[', 2000000);
    REFUSED(buf_str(&b), "t.json line 1: a list or an object inside a record");
    memset(b.ptr, '[', b.len);
    REFUSED(buf_str(&b), "t.json line 1: a list where a record was expected");
}

static void
refuses_more_columns_than_the_limit(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf wide;
    DEFER(buf_done) struct buf tall;
    buf_init(&wide, 1u << 20);
    buf_init(&tall, 1u << 20);
    for (unsigned i = 0; i <= IMPORT_MAX_COLUMNS; i++) {
        buf_printf(&wide, "%s\"c%u\":1", i == 0 ? "{" : ",", i);
        buf_printf(&tall, "{\"c%u\":1}\n", i);
    }
    buf_put_str(&wide, "}");
    assert_refused("t.json", buf_view(&wide), NULL, LIMIT,
                   "t.json line 1: more than 10000 columns");
    assert_refused("t.jsonl", buf_view(&tall), NULL, LIMIT,
                   "t.jsonl line 10001: more than 10000 columns");
}

static void
reads_a_list_or_a_line_each(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
    } files[] = {
        {"t.json", "[{\"a\":1,\"b\":\"x\"},{\"b\":\"y\",\"a\":null}]"},
        {"t.jsonl", "{\"a\":1,\"b\":\"x\"}\n{\"b\":\"y\"}\n"},
        {"t.ndjson", "{\"a\":1,\"b\":\"x\"}\r\n{\"a\":null,\"b\":\"y\"}"},
        {"t.json", "{\"a\":1,\n\"b\":\"x\"}\n{\"a\":null,\n \"b\":\"y\"}"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        DEFER(table_freep) struct table *t = json(files[i].name, files[i].text);
        assert_int_equal(t->rows, 2);
        assert_int_equal(t->column_count, 2);
        assert_int_equal(sample_column(t, "a")->type, COLUMN_INTEGER);
        assert_cell(t, "a", 0, "1");
        assert_cell(t, "a", 1, NULL);
        assert_cell(t, "b", 1, "y");
    }
}

static void
keeps_the_types_that_json_has(void **state)
{
    (void)state;
    DEFER(table_freep)
    struct table *t =
        json("t.json", "[{\"n\":1,\"f\":1.5,\"z\":\"12\",\"b\":true,\"d\":\"2020-02-29\","
                       "\"e\":\"01-02-2020\",\"m\":1,\"u\":null},"
                       "{\"n\":2,\"f\":2,\"z\":\"7\",\"b\":false,"
                       "\"d\":\"2020-01-01T10:20:30Z\",\"e\":\"03-04-2021\","
                       "\"m\":\"x\",\"u\":null}]");
    static const struct {
        const char *name;
        enum column_type type;
        const char *first;
    } want[] = {
        {"n", COLUMN_INTEGER, "1"},           {"f", COLUMN_FLOAT, "1.5"},
        {"z", COLUMN_CATEGORY, "12"}, /* text stays text */
        {"b", COLUMN_BOOLEAN, "true"},        {"d", COLUMN_TIME, "2020-02-29"},
        {"e", COLUMN_CATEGORY, "01-02-2020"}, /* day or month is not guessed */
        {"m", COLUMN_CATEGORY, "1"},          /* of several kinds: as text */
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        assert_int_equal(sample_column(t, want[i].name)->type, want[i].type);
        assert_cell(t, want[i].name, 0, want[i].first);
    }
    assert_cell(t, "m", 1, "x");
    assert_int_equal(sample_column(t, "u")->nulls, 2);
}

static void
many_columns_of_one_type_stay_columns(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf b;
    buf_init(&b, 1u << 20);
    for (unsigned i = 0; i < 300; i++) {
        buf_printf(&b, "{\"c%u\":%u}\n", i, i);
    }
    DEFER(table_freep) struct table *t = json("t.jsonl", buf_str(&b));
    assert_int_equal(t->column_count, 300);
    assert_cell(t, "c299", 299, "299");
    assert_int_equal(sample_column(t, "c0")->nulls, 299);
}

/* ---- Parquet ---- */

static struct status
parquet(const char *query, struct diag *diag, struct table **ret_table)
{
    const struct import_options o = {.threads = 1};
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *path = file_join(dir, "t.parquet");
    testing_parquet(path, query);
    return import_file(path, &o, diag, ret_table);
}

static void
refuses_parquet_that_is_no_table(void **state)
{
    (void)state;
    struct diag diag = {0};
    struct table *t = NULL;
    assert_status(parquet("SELECT [1, 2] AS \"a list\"", &diag, &t), INPUT);
    assert_says(&diag, "column \"a list\" is a list, a structure or binary");
    assert_status(parquet("SELECT 'x'::BLOB AS b", &diag, &t), INPUT);
    assert_says(&diag, "column \"b\" is a list, a structure or binary");
    assert_status(parquet("SELECT {'x': 1} AS s", &diag, &t), INPUT);
    assert_status(parquet("SELECT 1.5::DOUBLE AS d UNION ALL SELECT 'inf'::DOUBLE", &diag, &t),
                  INPUT);
    assert_says(&diag, "column \"d\": \"inf\" is not a finite number");
    assert_status(parquet("SELECT 1 AS a WHERE false", &diag, &t), INPUT);
    assert_says(&diag, "no rows");
    assert_null(t);
    assert_refused("t.parquet", view_str("PAR1 but no more"), NULL, INPUT, "t.parquet: ");
}

static void
a_parquet_file_cut_anywhere_is_refused(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *path = file_join(dir, "t.parquet");
    testing_parquet(path, "SELECT i AS a, i / 7 AS b FROM range(500) r(i)");
    DEFER(buf_done) struct buf bytes;
    testing_read(path, &bytes);
    for (size_t cut = 1; cut < bytes.len; cut += bytes.len / 9) {
        struct table *t = NULL;
        struct diag diag = {0};
        const struct status s =
            sample_import("t.parquet", view_of(bytes.ptr, cut), NULL, &diag, &t);
        assert_status(s, INPUT);
        assert_says(&diag, "t.parquet: ");
        assert_null(strstr(diag.text, "/proc/self"));
    }
}

static void
keeps_the_types_that_parquet_has(void **state)
{
    (void)state;
    DEFER(table_freep) struct table *t = NULL;
    struct diag diag = {0};
    assert_ok(parquet("SELECT * FROM (VALUES (1::TINYINT, 1.25::DECIMAL(9,2), 'x', true, "
                      "DATE '2020-02-29', TIMESTAMPTZ '2020-01-01 12:00:00+02', '12', 2.0::DOUBLE, "
                      "9223372036854775807), (NULL, NULL, NULL, NULL, NULL, NULL, NULL, "
                      "'nan'::DOUBLE, NULL)) v(i, n, c, b, d, z, s, f, l)",
                      &diag, &t));
    static const struct {
        const char *name;
        enum column_type type;
        const char *first;
    } want[] = {{"i", COLUMN_INTEGER, "1"},
                {"n", COLUMN_FLOAT, "1.25"},
                {"c", COLUMN_CATEGORY, "x"},
                {"b", COLUMN_BOOLEAN, "true"},
                {"d", COLUMN_TIME, "2020-02-29"},
                {"z", COLUMN_TIME, "2020-01-01T10:00:00Z"},
                {"s", COLUMN_CATEGORY, "12"},
                {"f", COLUMN_FLOAT, "2"},
                {"l", COLUMN_INTEGER, "9223372036854775807"}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        assert_int_equal(sample_column(t, want[i].name)->type, want[i].type);
        assert_cell(t, want[i].name, 0, want[i].first);
        assert_cell(t, want[i].name, 1, NULL);
    }
}

static void
rows_keep_their_order_with_any_number_of_threads(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *path = file_join(dir, "t.parquet");
    testing_parquet(path, "SELECT i AS a, (i * 7919) % 1000003 AS b FROM range(300000) r(i)");
    for (unsigned threads = 1; threads <= 4; threads += 3) {
        const struct import_options o = {.threads = threads};
        DEFER(table_freep) struct table *t = NULL;
        struct diag diag = {0};
        assert_ok(import_file(path, &o, &diag, &t));
        assert_int_equal(t->rows, 300000);
        const struct column *a = sample_column(t, "a"), *b = sample_column(t, "b");
        for (uint64_t i = 0; i < t->rows; i++) {
            assert_true(a->i[i] == (int64_t)i && b->i[i] == (int64_t)(i * 7919 % 1000003));
        }
    }
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_what_is_not_json_records),
        cmocka_unit_test(refuses_nested_values_however_deep),
        cmocka_unit_test(refuses_more_columns_than_the_limit),
        cmocka_unit_test(reads_a_list_or_a_line_each),
        cmocka_unit_test(keeps_the_types_that_json_has),
        cmocka_unit_test(many_columns_of_one_type_stay_columns),
        cmocka_unit_test(refuses_parquet_that_is_no_table),
        cmocka_unit_test(a_parquet_file_cut_anywhere_is_refused),
        cmocka_unit_test(keeps_the_types_that_parquet_has),
        cmocka_unit_test(rows_keep_their_order_with_any_number_of_threads),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
