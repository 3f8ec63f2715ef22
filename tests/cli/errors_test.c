/* steward errors on plain files: its conditions select the rows that it says, its page of fields,
 * and what it makes of bad input. */
#include "cli/run.h"

#include "base/text.h"
#include "num/rng.h"

#include <math.h>

#define ROWS 1500u

/* The kinds of outcome that a file can have. */
enum outcome { BINARY, CLASSES, NUMERIC };

static void
put_outcome(struct buf *b, enum outcome kind, bool bad, struct rng *g)
{
    static const char *const animals[] = {"cat", "it's", "eel"};
    const double u = rng_unit(g);
    if (kind == NUMERIC) {
        const double y = 100 + 10 * rng_normal(g);
        buf_printf(b, "%.3f,%.3f,\n", y, y + (bad ? 8 : 1) * rng_normal(g));
    } else if (kind == CLASSES) {
        const uint64_t y = rng_below(g, 3), d = u < (bad ? 0.6 : 0.1) ? rng_below(g, 3) : y;
        buf_printf(b, "%s,%s,\n", animals[y], animals[d]);
    } else {
        const double p = rng_unit(g);
        const bool y = rng_unit(g) < p, d = (p >= 0.5) != (bad && u < 0.5);
        buf_printf(b, "%s,%s,%.4f\n", y ? "yes" : "no", d ? "yes" : "no", p);
    }
}

/* Columns whose names and values SQL would take amiss; a fifth of a number missing; errors where
 * age < 30 and the level is it's. */
static void
write_scored(struct room *m, const char *name, enum outcome kind)
{
    static const char *const levels[] = {"it's", "b", "null"};
    DEFER(buf_done) struct buf b;
    struct rng g;
    rng_init(&g, 1 + (uint64_t)kind, "cli.errors");
    buf_init(&b, 1u << 20);
    buf_put_str(&b, "age,select,Hours worked,\"qu\"\"ote\",flag,note,y,yhat,p\n");
    for (unsigned i = 0; i < ROWS; i++) {
        const uint64_t age = 18 + rng_below(&g, 60), level = rng_below(&g, 3);
        buf_printf(&b, "%u,%s,", (unsigned)age, levels[level]);
        if (rng_below(&g, 5) > 0) {
            buf_printf(&b, "%.2f", 40 + 10 * rng_normal(&g));
        }
        buf_printf(&b, ",%u,%s,n%u,", (unsigned)rng_below(&g, 4),
                   rng_below(&g, 2) > 0 ? "true" : "false", i);
        put_outcome(&b, kind, age < 30 && level == 0, &g);
    }
    assert_ok(buf_status(&b));
    testing_write(in(m, name), buf_view(&b));
}

static int
set_up(void **state)
{
    struct room *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->dir = testing_dir();
    write_scored(m, "binary.csv", BINARY);
    write_scored(m, "classes.csv", CLASSES);
    write_scored(m, "numeric.csv", NUMERIC);
    *state = m;
    return 0;
}

static int
tear_down(void **state)
{
    struct room *m = *state;
    testing_run_done(&m->r);
    testing_remove(m->dir);
    free(m->dir);
    free(m);
    return 0;
}

/* in() has one buffer. */
#define FILE_OF(M, NAME) strdup(in(M, NAME))
#define ASK "--missing-only", "--type", "note=text", "--label", "y", "--prediction", "yhat"

/* ---- bad input ---- */

static void
says_which_option_or_column_is_wrong(void **state)
{
    struct room *m = *state;
    DEFER(memory_freep) char *file = FILE_OF(m, "binary.csv");
    RUN(m, 2, "errors", "--label", "y", "--prediction", "yhat");
    ERR_HAS(m, "--data FILE is needed");
    RUN(m, 2, "errors", "--data", file, "--label", "y");
    ERR_HAS(m, "--prediction COLUMN is needed, or --score");
    RUN(m, 2, "errors", "--data", file, "--label", "y", "--prediction", "yhatt");
    ERR_HAS(m, "did you mean \"yhat\"");
    RUN(m, 2, "errors", "--data", file, ASK, "--bins", "17");
    ERR_HAS(m, "--bins 17: a whole number from 2 to 16");
    RUN(m, 2, "errors", "--data", file, ASK, "--alpha", "0");
    ERR_HAS(m, "--alpha 0");
    RUN(m, 2, "errors", "--data", file, ASK, "--cut", "even");
    ERR_HAS(m, "equal-count or equal-width");
    RUN(m, 2, "errors", "--data", file, ASK, "--metric", "r2_score");
    ERR_HAS(m, "here one of error_rate");
    RUN(m, 2, "errors", "--data", file, ASK, "--map", "age,note");
    ERR_HAS(m, "--map note");
    RUN(m, 2, "errors", "--data", file, ASK, "--map", "age,flag,select");
    ERR_HAS(m, "one column or two");
    RUN(m, 2, "errors", "--data", file, ASK, "--features", "agee");
    ERR_HAS(m, "did you mean \"age\"");
    RUN(m, 2, "errors", "--data", file, ASK, "--cohort", "age < 30 and pirat = 1");
    ERR_HAS(m, "pirat");
    RUN(m, 2, "errors", "--data", file, ASK, "--within", "age < 0");
    ERR_HAS(m, "no row has both");
    RUN(m, 2, "errors", "--data", file, ASK, "--positive", "maybe");
    ERR_HAS(m, "no value is the one of --positive");
    RUN(m, 2, "errors", "--data", file, "--missing-only", "--label", "y", "--prediction", "select");
    ERR_HAS(m, "no value in common");
    RUN(m, 2, "errors", "--data", file, "--label", "flag", "--prediction", "p", "--type",
        "note=text");
    ERR_HAS(m, "a probability goes with --score");
    RUN(m, 2, "errors", "--data", file, ASK, "--task", "numeric");
    ERR_HAS(m, "must be columns of numbers");
}

static void
write_text(struct room *m, const char *name, const char *text)
{
    testing_write(in(m, name), view_str(text));
}

static void
one_class_a_probability_for_a_decision_and_no_row_are_refused(void **state)
{
    struct room *m = *state;
    DEFER(memory_freep) char *file = FILE_OF(m, "small.csv");
    write_text(m, "small.csv", "a,y,yhat\n1,0,1\n2,1,1\n3,0,1\n");
    RUN(m, 0, "errors", "--data", file, "--label", "y", "--prediction", "yhat");
    OUT_HAS(m, "every row is decided alike, as \"1\"");
    write_text(m, "small.csv", "a,y,yhat\n1,0,0\n2,0,0\n");
    RUN(m, 2, "errors", "--data", file, "--label", "y", "--prediction", "yhat");
    ERR_HAS(m, "one class only");
    write_text(m, "small.csv", "a,y,yhat\n1,0,0.25\n2,1,0.5\n3,1,0.75\n");
    RUN(m, 2, "errors", "--data", file, "--label", "y", "--prediction", "yhat");
    ERR_HAS(m, "a probability goes with --score");
    write_text(m, "small.csv", "a,y,yhat\n1,,1\n2,1,\n");
    RUN(m, 2, "errors", "--data", file, "--label", "y", "--prediction", "yhat");
    ERR_HAS(m, "no row has both");
}

static void
what_is_left_out_is_said(void **state)
{
    struct room *m = *state;
    DEFER(memory_freep) char *file = FILE_OF(m, "odd.csv");
    write_text(m, "odd.csv",
               "a,gone,when,y,yhat,p\n1,,2020-01-01,0,0,0.5\n2,,2020-01-02,1,0,0.25\n"
               "3,,2020-01-03,,1,0.5\n4,,2020-01-04,1,1,0.1\n5,,2020-01-05,1,1,\n");
    RUN(m, 0, "errors", "--data", file, "--type", "gone=float", "--label", "y", "--prediction",
        "yhat", "--score", "p", "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    assert_int_equal(json_integer_value(json_object_get(d, "rows_read")), 5);
    assert_int_equal(json_integer_value(json_object_get(d, "rows")), 3);
    OUT_HAS(m, "for want of a score, \\\"p\\\": 1 of the rows");
    OUT_HAS(m, "column \\\"gone\\\" has no value");
    OUT_HAS(m, "column \\\"when\\\" is a time");
    OUT_HAS(m, ": 1 of the rows");
}

/* Numbers, or null. */
static void
constant_predictions_and_columns_are_taken(void **state)
{
    struct room *m = *state;
    DEFER(memory_freep) char *file = FILE_OF(m, "flat.csv");
    DEFER(buf_done) struct buf b;
    buf_init(&b, 1u << 16);
    buf_put_str(&b, "x,flat,y,yhat\n");
    for (int i = 0; i < 200; i++) {
        buf_printf(&b, "%s,7,%d,0\n",
                   i % 5 == 0   ? "1e308"
                   : i % 7 == 0 ? "-1e308"
                                : "3.5",
                   i % 4 == 0);
    }
    testing_write(file, buf_view(&b));
    RUN(m, 0, "errors", "--data", file, "--type", "x=float", "--label", "y", "--prediction", "yhat",
        "--cut", "equal-width", "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    const json_t *metrics = json_object_get(d, "metrics");
    assert_true(
        json_is_null(json_object_get(json_object_get(metrics, "precision_score"), "value")));
    assert_near(json_number_value(json_object_get(json_object_get(metrics, "error_rate"), "value")),
                0.25, 1e-12);
    RUN(m, 0, "errors", "--data", file, "--type", "x=float", "--label", "y", "--prediction",
        "yhat");
    assert_null(strstr(buf_str(&m->r.out), "nan"));
}

/* ---- conditions ---- */

struct cohorts {
    const char *cohort[64];
    double rows[64], errors[64];
    size_t n;
};

static void
add(struct cohorts *c, const json_t *o, double rows, double errors)
{
    const char *cohort = json_string_value(json_object_get(o, "cohort"));
    if (cohort != NULL && *cohort != '\0' && c->n < 30) {
        c->cohort[c->n] = cohort;
        c->rows[c->n] = rows;
        c->errors[c->n++] = errors;
    }
}

static void
add_all(struct cohorts *c, const json_t *list)
{
    size_t i = 0;
    json_t *o = NULL;
    json_array_foreach((json_t *)(uintptr_t)list, i, o)
    {
        add(c, o, json_number_value(json_object_get(o, "rows")),
            json_number_value(json_object_get(o, "errors")));
    }
}

/* Bins of the map's columns: sums over the lines. */
static void
add_bins(struct cohorts *c, const json_t *map)
{
    size_t x = 0, y = 0;
    json_t *bin = NULL, *line = NULL;
    json_array_foreach(json_object_get(json_object_get(map, "x"), "bins"), x, bin)
    {
        double rows = 0, errors = 0;
        json_array_foreach(json_object_get(map, "cells"), y, line)
        {
            const json_t *cell = json_array_get(line, x);
            rows += json_number_value(json_array_get(cell, 0));
            errors += json_number_value(json_array_get(cell, 1));
        }
        add(c, bin, rows, errors);
    }
}

static void
check_conditions(struct room *m, const char *file, const char *metric, const char *cut)
{
    struct cohorts c = {.n = 0};
    RUN(m, 0, "errors", "--data", file, ASK, "--json", "--slices", "20", "--level", "3", "--cut",
        cut, "--map", "Hours worked,select", "--permutations", "20");
    DEFER(js_freep) json_t *d = out_json(m);
    add_all(&c, json_object_get(d, "tree"));
    add_all(&c, json_object_get(json_object_get(d, "slices"), "found"));
    add_bins(&c, json_object_get(d, "map"));
    assert_true(c.n > 15);
    const char *argv[160] = {"errors", "--data", file, ASK, "--json", "--slices", "0"};
    size_t n = 0;
    while (argv[n] != NULL) {
        n++;
    }
    for (size_t from = 0; from < c.n; from += 20) {
        size_t at = n;
        for (size_t i = from; i < c.n && i < from + 20; i++) {
            argv[at++] = "--cohort";
            argv[at++] = c.cohort[i];
        }
        argv[at] = NULL;
        run(m, 0, __LINE__, argv);
        DEFER(js_freep) json_t *again = out_json(m);
        for (size_t i = from; i < c.n && i < from + 20; i++) {
            const json_t *o = json_array_get(json_object_get(again, "cohorts"), i - from);
            const json_t *v = json_object_get(json_object_get(o, "metrics"), metric);
            assert_near(json_number_value(json_object_get(o, "rows")), c.rows[i], 0);
            assert_near(json_number_value(json_object_get(v, "value")) * c.rows[i], c.errors[i],
                        1e-6 * (1 + c.errors[i]));
        }
    }
}

static void
a_condition_given_back_selects_exactly_its_rows(void **state)
{
    struct room *m = *state;
    DEFER(memory_freep) char *binary = FILE_OF(m, "binary.csv");
    DEFER(memory_freep) char *classes = FILE_OF(m, "classes.csv");
    DEFER(memory_freep) char *numeric = FILE_OF(m, "numeric.csv");
    check_conditions(m, binary, "error_rate", "equal-count");
    check_conditions(m, classes, "error_rate", "equal-width");
    check_conditions(m, numeric, "mean_absolute_error", "equal-count");
}

static void
the_planted_cohort_is_the_worst_slice(void **state)
{
    struct room *m = *state;
    static const char *const names[] = {"binary.csv", "classes.csv", "numeric.csv"};
    for (size_t i = 0; i < 3; i++) {
        DEFER(memory_freep) char *file = FILE_OF(m, names[i]);
        RUN(m, 0, "errors", "--data", file, ASK, "--json");
        DEFER(js_freep) json_t *d = out_json(m);
        const json_t *first =
            json_array_get(json_object_get(json_object_get(d, "slices"), "found"), 0);
        const char *cohort = json_string_value(json_object_get(first, "cohort"));
        assert_text_has(cohort, "\"select\" = 'it''s'");
        assert_text_has(cohort, "age < ");
        assert_true(json_is_true(json_object_get(first, "holds")));
        RUN(m, 0, "errors", "--data", file, ASK, "--json", "--threads", "5");
        DEFER(js_freep) json_t *again = out_json(m);
        assert_true(json_equal(d, again));
    }
}

static void
a_score_decides_where_there_is_no_prediction(void **state)
{
    struct room *m = *state;
    DEFER(memory_freep) char *file = FILE_OF(m, "binary.csv");
    RUN(m, 0, "errors", "--data", file, "--missing-only", "--type", "note=text", "--label", "y",
        "--score", "p", "--threshold", "0.9", "--json", "--features", "age");
    DEFER(js_freep) json_t *d = out_json(m);
    const json_t *rate = json_object_get(json_object_get(d, "metrics"), "selection_rate");
    assert_near(json_number_value(json_object_get(rate, "value")), 0.1, 0.03);
    assert_int_equal(json_array_size(json_object_get(d, "features")), 1);
}

/* ---- the page of fields ---- */

#define PATHS_MAX 400u

struct paths {
    char path[PATHS_MAX][120];
    bool met[PATHS_MAX];
    size_t n;
};

static void
meet(struct paths *p, const char *path)
{
    for (size_t i = 0; i < p->n; i++) {
        if (strcmp(p->path[i], path) == 0) {
            p->met[i] = true;
            return;
        }
    }
    fail_msg("%s is not on the page", path);
}

static bool
ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), k = strlen(end);
    return n >= k && strcmp(text + n - k, end) == 0;
}

static void
walk(const json_t *v, const char *path, struct paths *p)
{
    char below[256];
    const char *key = NULL;
    json_t *child = NULL;
    size_t i = 0;
    if (json_is_object(v)) {
        json_object_foreach((json_t *)(uintptr_t)v, key, child)
        {
            const char *name = ends_with(path, "metrics")        ? "{metric}"
                               : ends_with(path, "values")       ? "{feature}"
                               : strcmp(key, "equal_width") == 0 ? "equal_count"
                                                                 : key;
            (void)snprintf(below, sizeof below, "%s%s%s", path, *path == '\0' ? "" : ".", name);
            walk(child, below, p);
        }
    } else if (json_is_array(v)) {
        (void)snprintf(below, sizeof below, "%s[]", path);
        json_array_foreach((json_t *)(uintptr_t)v, i, child)
        {
            walk(child, below, p);
        }
    } else {
        meet(p, path);
    }
}

static void
has_exactly_the_fields_of_its_page(void **state)
{
    struct room *m = *state;
    static struct paths p;
    DEFER(buf_done) struct buf page;
    DEFER(memory_freep) char *path = testing_source("docs/spec/assessment-errors.md");
    testing_read(path, &page);
    char *rest = NULL;
    for (char *line = strtok_r((char *)page.ptr, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        p.n += sscanf(line, "| `%110[^`]` |", p.path[p.n]) == 1;
        assert_true(p.n < PATHS_MAX);
    }
    static const char *const names[] = {"binary.csv", "classes.csv", "numeric.csv"};
    for (size_t i = 0; i < 3; i++) {
        DEFER(memory_freep) char *file = FILE_OF(m, names[i]);
        RUN(m, 0, "errors", "--data", file, ASK, "--score", "p", "--cohort", "age < 30", "--json");
        DEFER(js_freep) json_t *d = out_json(m);
        walk(d, "", &p);
    }
    for (size_t i = 0; i < p.n; i++) {
        if (!p.met[i]) {
            fail_msg("%s is on the page and in no document", p.path[i]);
        }
    }
    assert_true(p.n > 100);
}

/* ---- what a person sees ---- */

static size_t
letters(const char *line, size_t bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes; i++) {
        n += ((unsigned char)line[i] & 0xc0) != 0x80;
    }
    return n;
}

static void
tables_fit_in_eighty_columns(void **state)
{
    struct room *m = *state;
    static const char *const names[] = {"binary.csv", "classes.csv", "numeric.csv"};
    for (size_t i = 0; i < 3; i++) {
        DEFER(memory_freep) char *file = FILE_OF(m, names[i]);
        RUN(m, 0, "errors", "--data", file, ASK, "--score", "p", "--cohort", "age < 30", "--metric",
            i == 2 ? "r2_score" : "macro_recall_score");
        OUT_HAS(m, "worst slices");
        OUT_HAS(m, "error tree");
        for (const char *line = buf_str(&m->r.out); *line != '\0';) {
            const size_t n = strcspn(line, "\n");
            if (letters(line, n) > 80) {
                fail_msg("%.*s", (int)n, line);
            }
            line += n + (line[n] != '\0');
        }
    }
}

static void
the_page_is_whole_and_its_size_does_not_follow_the_rows(void **state)
{
    struct room *m = *state;
    DEFER(memory_freep) char *file = FILE_OF(m, "binary.csv");
    DEFER(memory_freep) char *report = FILE_OF(m, "report.html");
    DEFER(buf_done) struct buf page;
    RUN(m, 0, "errors", "--data", file, ASK, "--score", "p", "--cohort", "age < 30", "--report",
        report);
    testing_read(report, &page);
    assert_text_has(buf_str(&page), "<!doctype html>");
    assert_text_has(buf_str(&page), "</html>");
    assert_text_has(buf_str(&page), "The worst slices");
    assert_text_has(buf_str(&page), "it&#39;s");
    assert_null(strstr(buf_str(&page), "nan"));
    assert_null(strstr(buf_str(&page), "<script"));
    assert_true(page.len < 200000);
}

/* Microsoft's scorecard sorts more than ten features and then shows the least important ones. */
static void
of_many_columns_the_most_telling_come_first(void **state)
{
    struct room *m = *state;
    DEFER(memory_freep) char *file = FILE_OF(m, "many.csv");
    DEFER(buf_done) struct buf b;
    struct rng g;
    rng_init(&g, 9, "cli.errors");
    buf_init(&b, 1u << 20);
    buf_put_str(&b, "a,b,c,d,e,f,g,h,i,j,k,l,m,y,yhat\n");
    for (unsigned i = 0; i < 600; i++) {
        unsigned v[13];
        for (unsigned k = 0; k < 13; k++) {
            v[k] = (unsigned)rng_below(&g, 3);
            buf_printf(&b, "%u,", v[k]);
        }
        const unsigned y = (unsigned)rng_below(&g, 2);
        const bool wrong = rng_unit(&g) < (v[11] == 0 ? 0.7 : v[4] == 0 ? 0.3 : 0.1);
        buf_printf(&b, "%u,%u\n", y, wrong ? 1 - y : y);
    }
    testing_write(file, buf_view(&b));
    RUN(m, 0, "errors", "--data", file, "--label", "y", "--prediction", "yhat", "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    const json_t *features = json_object_get(d, "features");
    assert_int_equal(json_array_size(features), 13);
    double last = INFINITY;
    for (size_t i = 0; i < 13; i++) {
        const json_t *f = json_array_get(features, i);
        const double told = json_number_value(json_object_get(f, "corrected"));
        assert_true(told <= last);
        last = told;
    }
    assert_string_equal(json_string_value(json_object_get(json_array_get(features, 0), "feature")),
                        "l");
}

/* Decisions: every digit. Numbers: but for the last digits of sums. The worst predictions tell rows
 * by their number. */
static void
the_order_of_rows_changes_nothing(void **state)
{
    struct room *m = *state;
    static const char *const kinds[] = {"binary", "classes", "numeric"};
    for (int k = 0; k < 3; k++) {
        char name[32], again[32];
        (void)snprintf(name, sizeof name, "%s.csv", kinds[k]);
        (void)snprintf(again, sizeof again, "%s-2.csv", kinds[k]);
        write_reordered(m, name, again);
        DEFER(memory_freep) char *one = FILE_OF(m, name);
        DEFER(memory_freep) char *two = FILE_OF(m, again);
        RUN(m, 0, "errors", "--data", one, ASK, "--cohort", "age < 30", "--slices", "5", "--json",
            k == 0 ? "--score" : NULL, "p");
        DEFER(js_freep) json_t *a = out_json(m);
        RUN(m, 0, "errors", "--data", two, ASK, "--cohort", "age < 30", "--slices", "5", "--json",
            k == 0 ? "--score" : NULL, "p");
        DEFER(js_freep) json_t *b = out_json(m);
        assert_true(json_array_size(json_object_get(json_object_get(a, "slices"), "found")) > 1);
        assert_alike(a, b, k != 2, "worst_predictions");
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_which_option_or_column_is_wrong),
        cmocka_unit_test(one_class_a_probability_for_a_decision_and_no_row_are_refused),
        cmocka_unit_test(what_is_left_out_is_said),
        cmocka_unit_test(constant_predictions_and_columns_are_taken),
        cmocka_unit_test(a_condition_given_back_selects_exactly_its_rows),
        cmocka_unit_test(the_planted_cohort_is_the_worst_slice),
        cmocka_unit_test(a_score_decides_where_there_is_no_prediction),
        cmocka_unit_test(has_exactly_the_fields_of_its_page),
        cmocka_unit_test(tables_fit_in_eighty_columns),
        cmocka_unit_test(of_many_columns_the_most_telling_come_first),
        cmocka_unit_test(the_order_of_rows_changes_nothing),
        cmocka_unit_test(the_page_is_whole_and_its_size_does_not_follow_the_rows),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
