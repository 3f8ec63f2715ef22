/* Cohorts: first everything that must be refused. */
#include "sample.h"

#include "base/file.h"
#include "data/cohort.h"
#include "data/duck.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS 6u

static const char people[] = "age,sex,note,score,when,single\n"
                             "41,F,alpha,0.5,2020-01-01,yes\n"
                             "40,F,beta,0.1,2020-06-01,no\n"
                             "50,M,alp%a,-0.5,2021-01-01 10:00:00,no\n"
                             ",F,,0.9,,yes\n"
                             "70,M,it's,NA,1969-12-31,no\n"
                             "18,,gamma,1e3,2022-01-01,yes\n";

static struct table *
sample(void)
{
    static const struct import_override note = {
        .column = "note", .has_type = true, .type = COLUMN_TEXT};
    const struct import_options o = {.overrides = &note, .override_count = 1, .threads = 1};
    return sample_csv(people, &o);
}

#define assert_not_cohort(T, PREDICATE, PART)                                                      \
    not_cohort((T), (PREDICATE), (PART), __FILE__, __LINE__)

static void
not_cohort(const struct table *t, const char *predicate, const char *part, const char *file,
           int line)
{
    uint8_t in[ROWS] = {7, 7, 7, 7, 7, 7};
    struct diag diag = {0};
    const struct status s = cohort_select(t, NULL, predicate, &diag, in, NULL);
    if (s.code != STATUS_INPUT) {
        print_error("cohort: %s\n", predicate);
    }
    testing_status(s, STATUS_INPUT, "cohort_select", file, line);
    testing_says(diag.text, part, file, line);
    for (unsigned i = 0; i < ROWS; i++) {
        assert_int_equal(in[i], 7); /* untouched */
    }
}

#define assert_cohort(T, PREDICATE, ROWS_IN)                                                       \
    is_cohort((T), (PREDICATE), (ROWS_IN), __FILE__, __LINE__)

static void
is_cohort(const struct table *t, const char *predicate, const char *rows, const char *file,
          int line)
{
    uint8_t in[ROWS] = {7, 7, 7, 7, 7, 7};
    char got[ROWS + 1] = {0};
    struct diag diag = {0};
    const struct status s = cohort_select(t, NULL, predicate, &diag, in, NULL);
    if (!status_ok(s)) {
        print_error("%s: %s\n", predicate, diag.text);
    }
    testing_status(s, STATUS_OK, "cohort_select", file, line);
    for (unsigned i = 0; i < ROWS; i++) {
        got[i] = (char)('0' + in[i]);
    }
    if (strcmp(got, rows) != 0) {
        print_error("%s: rows %s, not %s\n", predicate, got, rows);
        _fail(file, line);
    }
}

static void
refuses_every_way_to_a_file(void **state)
{
    (void)state;
    DEFER(table_freep) struct table *t = sample();
    assert_not_cohort(t, "age in (select column0 from read_csv('/etc/passwd'))",
                      "SUBQUERY is not something that a cohort may hold");
    assert_not_cohort(t, "exists (select 1 from '/etc/passwd')", "SUBQUERY");
    assert_not_cohort(t, "age > (select count(*) from glob('/*'))", "SUBQUERY");
    assert_not_cohort(t, "read_text('/etc/passwd') = 'x'",
                      "the function read_text is not one that a cohort may use");
    assert_not_cohort(t, "note = getenv('HOME')", "the function getenv is not one");
    assert_not_cohort(t, "current_setting('temp_directory') = ''", "current_setting is not one");
    assert_not_cohort(t, "query('select 1') = 1", "query is not one");
    assert_not_cohort(t, "list_filter([1], x -> x > 0)[1] = 1", "cohort: ");
    assert_not_cohort(t, "main.read_blob('/etc/passwd') is not null", "read_blob is not one");
    assert_not_cohort(t, "system.main.getvariable('x') is null", "getvariable is not one");
    assert_not_cohort(t, "nextval('s') > 0", "nextval is not one");
}

static void
refuses_everything_but_one_condition(void **state)
{
    (void)state;
    DEFER(table_freep) struct table *t = sample();
    static const char *const predicates[] = {
        "1=1); ATTACH '/tmp/x.db' AS y; SELECT (1",
        "1=1); COPY t TO '/tmp/x.csv'; SELECT (1",
        "1=1); SELECT * FROM t WHERE (1=1",
        "1=1); PRAGMA version; SELECT (1",
        "1=1); SET enable_external_access=true; SELECT (1",
        "1=1); INSTALL httpfs; LOAD httpfs; SELECT (1",
        "1=1) UNION SELECT 1 FROM t WHERE (1=1",
        "1=1) GROUP BY ALL HAVING (1=1",
        "1=1) ORDER BY (age",
        "1=1) LIMIT (1",
        "1=1) QUALIFY (1=1",
        "1=1) USING SAMPLE (10",
        "1=1) GROUP BY (age",
        "1=1 -- and the bracket",
        "1=1) --",
        "1=1) /*",
        "1=1; DROP TABLE t",
        ";",
        "()",
        "",
        "age >",
        "select 1",
        "from t",
    };
    for (size_t i = 0; i < sizeof predicates / sizeof *predicates; i++) {
        if (strcmp(predicates[i], "1=1 -- and the bracket") == 0) {
            assert_cohort(t, predicates[i], "111111"); /* a comment swallows nothing */
            continue;
        }
        assert_not_cohort(t, predicates[i], "cohort: ");
    }
}

static void
refuses_what_is_not_a_value_of_one_row(void **state)
{
    (void)state;
    DEFER(table_freep) struct table *t = sample();
    assert_not_cohort(t, "sum(age) > 1", "the function sum is not one");
    assert_not_cohort(t, "count(*) > 1", "cohort: ");
    assert_not_cohort(t, "row_number() over () = 1", "WINDOW is not something");
    assert_not_cohort(t, "random() < 0.5", "the function random is not one");
    assert_not_cohort(t, "now() > \"when\"", "cohort: "); /* the same today and tomorrow */
    assert_not_cohort(t, "rowid = 1", "no column \"rowid\"");
    assert_not_cohort(t, "\" \" = 1", "no column \" \"");
    assert_not_cohort(t, "* = 1", "cohort: ");
    assert_not_cohort(t, "columns('a.*') = 1", "STAR is not something");
    assert_not_cohort(t, "age = ?", "PARAMETER is not something");
    assert_not_cohort(t, "age = $1", "PARAMETER is not something");
    assert_not_cohort(t, "#1 = 1", "POSITIONAL_REFERENCE is not something");
    assert_not_cohort(t, "sex COLLATE nocase = 'f'", "COLLATE is not something");
    assert_not_cohort(t, "agee > 40", "cohort: no column \"agee\"; did you mean \"age\"?");
    assert_not_cohort(t, "age > 'x'", "cohort: a value cannot be converted or is out of range");
    assert_not_cohort(t, "sex + 1 > 2", "cohort: ");
    assert_not_cohort(t, "age", "this is a value, not a condition");
    assert_not_cohort(t, "sex", "this is a value, not a condition");
    assert_not_cohort(t, "null", "this is a value, not a condition");
}

/* A person who may filter by a column may not be allowed to see it. */
static void
tells_no_value_of_the_table(void **state)
{
    (void)state;
    DEFER(table_freep) struct table *t = sample();
    uint8_t in[ROWS];
    struct diag diag = {0};
    assert_status(cohort_select(t, NULL, "CAST(note AS INTEGER) = 1", &diag, in, NULL), INPUT);
    assert_null(strstr(diag.text, "alpha"));
    assert_says(&diag, "a value cannot be converted or is out of range");
}

static void
refuses_what_would_take_too_long_or_too_much(void **state)
{
    (void)state;
    DEFER(table_freep) struct table *t = sample();
    assert_not_cohort(t, "repeat(note, 1000000000) = ''", "the function repeat is not one");
    assert_not_cohort(t, "lpad(note, 1000000000, 'x') = ''", "the function lpad is not one");
    assert_not_cohort(t, "length(note || note) > 3", "the function || is not one");
    assert_not_cohort(t, "length(CAST(CAST(note AS BLOB) AS VARCHAR)) > 3",
                      "a value cannot be cast to BLOB here");
    assert_not_cohort(t, "length(note::BIT::VARCHAR) > 3", "cannot be cast to BIT here");
    assert_not_cohort(t, "note like '%a_%a_%a_%b'", "use regexp_matches");
    assert_not_cohort(t, "note ilike '%a%b%c'", "use regexp_matches");
    assert_not_cohort(t, "note like '%a%b%c' escape '!'", "use regexp_matches");
    assert_not_cohort(t, "note like sex", "must be a text in quotes");
    assert_not_cohort(t, "regexp_matches(note, sex)", "must be a text in quotes");
    DEFER(buf_done) struct buf deep;
    buf_init(&deep, 8192);
    for (unsigned i = 0; i < 1000; i++) {
        buf_put_str(&deep, "not(");
    }
    assert_not_cohort(t, buf_str(&deep), "cohort: ");
    buf_reset(&deep);
    for (unsigned i = 0; i < 500; i++) {
        buf_put_str(&deep, "abs(");
    }
    buf_put_str(&deep, "age");
    for (unsigned i = 0; i < 500; i++) {
        buf_put_str(&deep, ")");
    }
    assert_not_cohort(t, buf_str(&deep), "cohort: nested too deeply");
    buf_reset(&deep);
    for (unsigned i = 0; i < 1000; i++) {
        buf_put_str(&deep, "((((");
    }
    assert_not_cohort(t, buf_str(&deep), "cohort: ");
    buf_reset(&deep);
    for (unsigned i = 0; i < COHORT_MAX_BYTES + 1; i++) {
        buf_put_str(&deep, " ");
    }
    assert_not_cohort(t, buf_str(&deep), "cohort: a condition of 1 to 4096 bytes of UTF-8");
    assert_not_cohort(t, "sex = '\xff'", "cohort: a condition of 1 to 4096 bytes of UTF-8");
}

/* The third fence, should the first two ever fail. */
static void
the_engine_reaches_nothing(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *path = file_join(dir, "x.csv");
    testing_write(path, view_str("a\n1\n"));
    static const char *const statements[] = {
        "SELECT * FROM read_csv('%s')",
        "SELECT * FROM '%s'",
        "SELECT * FROM read_text('%s')",
        "SELECT * FROM glob('%s*')",
        "COPY (SELECT 1) TO '%s.out'",
        "ATTACH '%s.db' AS other",
        "EXPORT DATABASE '%s.dir'",
        "SELECT * FROM read_csv('https://127.0.0.1/%s')",
        "SET enable_external_access=true",
        "SET temp_directory='%s'",
        "SET memory_limit='100GB'",
        "SET allowed_paths=['%s']",
        "RESET enable_external_access",
        "PRAGMA enable_external_access=true",
        "INSTALL httpfs",
        "LOAD '%s'",
        "LOAD httpfs",
        "CREATE SECRET s (TYPE s3)",
    };
    DEFER(duck_close) struct duck d = {0};
    assert_ok(duck_open(NULL, 256, 1, &d));
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        DEFER(buf_done) struct buf sql;
        buf_init(&sql, 4096);
        for (const char *p = statements[i]; *p != '\0'; p++) {
            if (p[0] == '%' && p[1] == 's') {
                buf_put_str(&sql, path);
                p++;
            } else {
                buf_put_u8(&sql, (uint8_t)*p);
            }
        }
        const struct status s = duck_execute(&d, buf_str(&sql), NULL);
        if (status_ok(s)) {
            print_error("%s was run\n", buf_str(&sql));
        }
        assert_status(s, INPUT);
    }
    DEFER(file_freep) char *out = file_join(dir, "x.csv.out");
    assert_false(file_exists(out));
}

static void
the_engine_reads_the_one_file_that_was_opened(void **state)
{
    (void)state;
    DEFER(testing_dirp) char *dir = testing_dir();
    DEFER(file_freep) char *mine = file_join(dir, "mine.csv");
    DEFER(file_freep) char *other = file_join(dir, "other.csv");
    testing_write(mine, view_str("a\n1\n"));
    testing_write(other, view_str("a\n1\n"));
    DEFER(duck_close) struct duck d = {0};
    assert_ok(duck_open(mine, 256, 1, &d));
    DEFER(buf_done) struct buf sql;
    buf_init(&sql, 4096);
    buf_printf(&sql, "SELECT * FROM read_csv('%s')", mine);
    assert_ok(duck_execute(&d, buf_str(&sql), NULL));
    buf_reset(&sql);
    buf_printf(&sql, "SELECT * FROM read_csv('%s')", other);
    assert_status(duck_execute(&d, buf_str(&sql), NULL), INPUT);
}

static void
an_endless_query_is_stopped(void **state)
{
    (void)state;
    DEFER(duck_close) struct duck d = {0};
    DEFER(buf_done) struct buf words;
    buf_init(&words, 4096);
    duckdb_result r;
    assert_ok(duck_open(NULL, 256, 1, &d));
    assert_status(duck_run_within(&d,
                                  "SELECT count(*) FROM range(1000000000000) a(n) WHERE n % 7 = 3",
                                  1, &words, &r),
                  LIMIT);
    assert_text_has(buf_str(&words), "not answered within 1 s");
}

static void
selects_the_rows_where_the_condition_holds(void **state)
{
    (void)state;
    DEFER(table_freep) struct table *t = sample();
    assert_cohort(t, "age > 40 and sex = 'F'", "100000");
    assert_cohort(t, "age > 40", "101010");
    assert_cohort(t, "not (age > 40)", "010001"); /* null is in neither */
    assert_cohort(t, "age is null", "000100");
    assert_cohort(t, "t.AGE between 40 and 50 or Sex is null", "111001");
    assert_cohort(t, "sex in ('M') and score < 0", "001000");
    assert_cohort(t, "single = 'yes'", "100101");
    assert_cohort(t, "note like 'a%'", "101000");
    assert_cohort(t, "note like '%a_p%'", "101000");
    assert_cohort(t, "note like 'alp!%%' escape '!'", "001000");
    assert_cohort(t, "note not like '%a%m%'", "111010");
    assert_cohort(t, "note ilike 'ALP%'", "101000");
    assert_cohort(t, "note = 'it''s'", "000010");
    assert_cohort(t, "regexp_matches(note, '^(al|be)')", "111000");
    assert_cohort(t, "contains(note, 'mm')", "000001");
    assert_cohort(t, "\"when\" < TIMESTAMP '2020-02-01'", "100010");
    assert_cohort(t, "year(\"when\") = 2021", "001000");
    assert_cohort(t, "extract(month from \"when\") = 6", "010000");
    assert_cohort(t, "abs(score) = 0.5", "101000");
    assert_cohort(t, "case when age > 45 then sex = 'M' else score > 0.4 end", "101111");
    assert_cohort(t, "CAST(age AS DOUBLE) / 2 = 20.5", "100000");
    assert_cohort(t, "TRY_CAST(note AS INTEGER) is null and age + 1 = 42", "100000");
    assert_cohort(t, "coalesce(age, 0) = 0", "000100");
    assert_cohort(t, "1 = 1", "111111");
    assert_cohort(t, "1 = 0", "000000");
}

static void
columns_are_found_whatever_they_are_called(void **state)
{
    (void)state;
    DEFER(table_freep)
    struct table *t = sample_csv("rowid,select,\"a\"\"b\",t\n9,1,x,5\n8,2,y,6\n7,3,z,7\n"
                                 "6,4,x,8\n5,5,y,9\n4,6,z,9\n",
                                 NULL);
    assert_cohort(t, "rowid > 6", "111000");
    assert_cohort(t, "\"select\" = 2", "010000");
    assert_cohort(t, "\"a\"\"b\" = 'x'", "100100");
    assert_cohort(t, "t = 5", "100000");
}

/* 18 and the row without a sex: is it 'F'? The row without an age: is it over 40? */
static void
rows_without_an_answer_are_counted(void **state)
{
    (void)state;
    DEFER(table_freep) struct table *t = sample();
    uint8_t in[ROWS];
    uint64_t unknown = 7;
    struct diag diag = {0};
    assert_ok(cohort_select(t, NULL, "age > 40", &diag, in, &unknown));
    assert_int_equal(unknown, 1);
    assert_ok(cohort_select(t, NULL, "age > 40 and sex = 'F'", &diag, in, &unknown));
    assert_int_equal(unknown, 1); /* the other's age says no */
    assert_ok(cohort_select(t, NULL, "age is null", &diag, in, &unknown));
    assert_int_equal(unknown, 0);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_every_way_to_a_file),
        cmocka_unit_test(refuses_everything_but_one_condition),
        cmocka_unit_test(refuses_what_is_not_a_value_of_one_row),
        cmocka_unit_test(tells_no_value_of_the_table),
        cmocka_unit_test(refuses_what_would_take_too_long_or_too_much),
        cmocka_unit_test(the_engine_reaches_nothing),
        cmocka_unit_test(the_engine_reads_the_one_file_that_was_opened),
        cmocka_unit_test(an_endless_query_is_stopped),
        cmocka_unit_test(selects_the_rows_where_the_condition_holds),
        cmocka_unit_test(columns_are_found_whatever_they_are_called),
        cmocka_unit_test(rows_without_an_answer_are_counted),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
