#include "testing/testing.h"

#include "report/predicate.h"

#include <duckdb.h>
#include <string.h>

static void
check_name(const char *name, const char *sql)
{
    DEFER(buf_done) struct buf b;
    buf_init(&b, 4096);
    predicate_put_name(&b, name);
    assert_string_equal(buf_str(&b), sql);
}

static void
quotes_what_is_no_plain_word(void **state)
{
    (void)state;
    check_name("", "\"\"");
    check_name("1st", "\"1st\"");
    check_name("Income", "\"Income\"");
    check_name("a b", "\"a b\"");
    check_name("a\"; --", "\"a\"\"; --\"");
    check_name("\xc3\xa9t\xc3\xa9", "\"\xc3\xa9t\xc3\xa9\"");
    check_name("lvrat", "lvrat");
    check_name("a_1", "a_1");
    DEFER(buf_done) struct buf b;
    buf_init(&b, 4096);
    predicate_put_text(&b, "it's '' \"x\"");
    assert_string_equal(buf_str(&b), "'it''s '''' \"x\"'");
}

/* By DuckDB's own list, and by its parser. */
static void
quotes_every_keyword_that_cannot_stand_for_a_column(void **state)
{
    (void)state;
    duckdb_database db = NULL;
    duckdb_connection c = NULL;
    duckdb_result keywords;
    assert_int_equal(duckdb_open(NULL, &db), DuckDBSuccess);
    assert_int_equal(duckdb_connect(db, &c), DuckDBSuccess);
    assert_int_equal(duckdb_query(c,
                                  "select distinct keyword_name from duckdb_keywords() order by 1",
                                  &keywords),
                     DuckDBSuccess);
    const idx_t n = duckdb_row_count(&keywords);
    assert_true(n > 300);
    for (idx_t i = 0; i < n; i++) {
        DEFER(buf_done) struct buf query;
        char *word = duckdb_value_varchar(&keywords, 0, i);
        duckdb_result r;
        buf_init(&query, 4096);
        buf_printf(&query, "select count(*) from (select 4 as \"%s\") where (", word);
        predicate_put_name(&query, word);
        buf_put_str(&query, " <= 4 or ");
        predicate_put_name(&query, word);
        buf_put_str(&query, " is null) and ");
        predicate_put_name(&query, word);
        buf_put_str(&query, " > 3");
        if (duckdb_query(c, buf_str(&query), &r) != DuckDBSuccess) {
            fail_msg("%s: %s", buf_str(&query), duckdb_result_error(&r));
        }
        assert_int_equal(duckdb_value_int64(&r, 0, 0), 1);
        duckdb_destroy_result(&r);
        duckdb_free(word);
    }
    duckdb_destroy_result(&keywords);
    duckdb_disconnect(&c);
    duckdb_close(&db);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(quotes_what_is_no_plain_word),
        cmocka_unit_test(quotes_every_keyword_that_cannot_stand_for_a_column),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
