/* steward explain of a model of trees on plain files: files, tables, documents and pages. */
#include "cli/run.h"

#include "base/text.h"

#include <math.h>

#define FEATURES 4u

struct files {
    char model[512], data[512], out[512];
    json_t *pinned; /* the file of tests/model/data */
};

static void
files_done(struct files *f)
{
    js_freep(&f->pinned);
}

/* The model of that name, and its rows. */
static void
files_new(struct room *m, const char *name, struct files *f)
{
    DEFER(file_freep) char *path = testing_source("tests/model/data/xgboost-3.2.0.json");
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 20);
    f->pinned = testing_read_json(path);
    size_t i, j;
    json_t *model, *row, *v;
    json_array_foreach(json_object_get(f->pinned, "models"), i, model)
    {
        if (strcmp(json_string_value(json_object_get(model, "name")), name) == 0) {
            assert_ok(
                text_from_hex(view_str(json_string_value(json_object_get(model, "file"))), &text));
        }
    }
    assert_true(text.len > 0);
    testing_write(in(m, "model"), buf_view(&text));
    (void)strcpy(f->model, in(m, "model"));
    buf_reset(&text);
    buf_put_str(&text, "x0,x1,x2,x3\n");
    json_array_foreach(json_object_get(f->pinned, "rows"), i, row)
    {
        json_array_foreach(row, j, v)
        {
            buf_put_str(&text, j == 0 ? "" : ",");
            if (!json_is_null(v)) {
                text_put_f64(&text, json_number_value(v));
            }
        }
        buf_put_str(&text, "\n");
    }
    testing_write(in(m, "rows.csv"), buf_view(&text));
    (void)strcpy(f->data, in(m, "rows.csv"));
    (void)strcpy(f->out, in(m, "out.csv"));
}

static double
next_number(const char **at)
{
    const size_t n = strcspn(*at, ",\n");
    double v = 0;
    assert_ok(text_to_f64(view_of(*at, n), &v));
    *at += n + 1;
    return v;
}

/* Each line of a file of contributions sums to the row's margins: `columns` numbers an output. */
static void
sums_to_margins(const char *path, const struct files *f, const char *name, size_t columns,
                const char *header, double tolerance)
{
    DEFER(buf_done) struct buf text;
    testing_read(path, &text);
    const char *at = buf_str(&text);
    assert_int_equal(strncmp(at, header, strlen(header)), 0);
    at = strchr(at, '\n') + 1;
    size_t i, r, k;
    json_t *model, *margins, *margin;
    json_array_foreach(json_object_get(f->pinned, "models"), i, model)
    {
        if (strcmp(json_string_value(json_object_get(model, "name")), name) != 0) {
            continue;
        }
        json_array_foreach(json_object_get(model, "margin"), r, margins)
        {
            json_array_foreach(margins, k, margin)
            {
                double sum = 0;
                for (size_t c = 0; c < columns; c++) {
                    sum += next_number(&at);
                }
                assert_near(sum, json_number_value(margin), tolerance);
            }
        }
    }
    assert_string_equal(at, "");
}

static void
what_is_wrong_is_told(void **state)
{
    struct room *m = *state;
    DEFER(files_done) struct files f = {0};
    files_new(m, "binary", &f);
    RUN(m, 2, "explain", "--data", f.data);
    ERR_HAS(m, "explain: --model FILE is needed");
    RUN(m, 2, "explain", "--model", f.model);
    ERR_HAS(m, "explain: --data FILE is needed");
    RUN(m, 2, "explain", "--model", f.model, "--data", f.data, "--row", "0");
    ERR_HAS(m, "--row 0: a row of the data, from 1 to 10");
    RUN(m, 2, "explain", "--model", f.model, "--data", f.data, "--row", "11");
    ERR_HAS(m, "--row 11");
    RUN(m, 2, "explain", "--model", f.model, "--data", f.data, "--features", "x9");
    ERR_HAS(m, "--features: the model reads no \"x9\"; did you mean \"x0\"?");
    RUN(m, 2, "explain", "--model", f.model, "--data", f.data, "--cohort", "y > 1");
    RUN(m, 2, "explain", "--model", f.data, "--data", f.data);
    ERR_HAS(m, "rows.csv");
}

static void
contributions_sum_to_the_margin(void **state)
{
    struct room *m = *state;
    DEFER(files_done) struct files f = {0};
    files_new(m, "binary", &f);
    RUN(m, 0, "explain", "--model", f.model, "--data", f.data, "--output", f.out);
    sums_to_margins(f.out, &f, "binary", FEATURES + 1, "x0,x1,x2,x3,base\n", 1e-6);
    RUN(m, 0, "explain", "--model", f.model, "--data", f.data, "--output", f.out, "--record");
    sums_to_margins(f.out, &f, "binary", FEATURES + 1, "x0,x1,x2,x3,base\n", 1e-6);
    DEFER(buf_done) struct buf once;
    testing_read(f.out, &once);
    RUN(m, 0, "explain", "--model", f.model, "--data", f.data, "--record", "--output", "-",
        "--threads", "3");
    assert_string_equal(buf_str(&m->r.out), buf_str(&once));
}

static void
classes_stand_before_the_features(void **state)
{
    struct room *m = *state;
    DEFER(files_done) struct files f = {0};
    files_new(m, "three classes", &f);
    RUN(m, 0, "explain", "--model", f.model, "--data", f.data, "--output", f.out);
    sums_to_margins(f.out, &f, "three classes", FEATURES + 1,
                    "0:x0,0:x1,0:x2,0:x3,0:base,1:x0,1:x1,1:x2,1:x3,1:base,2:x0", 1e-6);
}

static void
interactions_sum_to_the_margin_too(void **state)
{
    struct room *m = *state;
    DEFER(files_done) struct files f = {0};
    files_new(m, "binary", &f);
    RUN(m, 0, "explain", "--model", f.model, "--data", f.data, "--interactions", "--output", f.out);
    sums_to_margins(f.out, &f, "binary", FEATURES * (FEATURES + 1) / 2 + 1,
                    "x0,x0 x x1,x0 x x2,x0 x x3,x1,x1 x x2,x1 x x3,x2,x2 x x3,x3,base\n", 1e-6);
    OUT_HAS(m, "what pairs of features have together, mean size");
}

static void
rows_of_parquet_have_the_contributions_of_the_same_csv(void **state)
{
    struct room *m = *state;
    DEFER(files_done) struct files f = {0};
    DEFER(buf_done) struct buf csv;
    DEFER(buf_done) struct buf parquet;
    char rows[600], sql[800];
    files_new(m, "binary", &f);
    RUN(m, 0, "explain", "--model", f.model, "--data", f.data, "--record", "--output", f.out);
    testing_read(f.out, &csv);
    (void)snprintf(rows, sizeof rows, "%s", in(m, "rows.parquet"));
    (void)snprintf(sql, sizeof sql, "SELECT * FROM read_csv('%.500s', header = true)", f.data);
    testing_parquet(rows, sql);
    RUN(m, 0, "explain", "--model", f.model, "--data", rows, "--record", "--output", f.out);
    testing_read(f.out, &parquet);
    assert_string_equal(buf_str(&csv), buf_str(&parquet));
}

static void
the_document_has_all_views(void **state)
{
    struct room *m = *state;
    DEFER(files_done) struct files f = {0};
    files_new(m, "binary", &f);
    RUN(m, 0, "explain", "--model", f.model, "--data", f.data, "--json", "--record", "--row", "2",
        "--row", "5", "--cohort", "x1 > 0.5", "--features", "x2,x3", "--interactions");
    DEFER(js_freep) json_t *d = NULL;
    struct diag diag = {0};
    assert_ok(js_parse(buf_view(&m->r.out), NULL, &diag, &d));
    assert_string_equal(json_string_value(json_object_get(d, "format")), "steward-explain-1");
    const json_t *output = json_array_get(json_object_get(d, "outputs"), 0),
                 *local = json_object_get(d, "local"), *cohorts = json_object_get(d, "cohorts"),
                 *dependence = json_object_get(d, "dependence");
    const double base = json_number_value(json_object_get(output, "base"));
    assert_int_equal(json_array_size(local), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *o = json_array_get(json_object_get(json_array_get(local, i), "outputs"), 0);
        double sum = base;
        for (size_t k = 0; k < FEATURES; k++) {
            sum += json_number_value(json_array_get(json_object_get(o, "phi"), k));
        }
        assert_near(sum, json_number_value(json_object_get(o, "margin")), 1e-12);
    }
    const json_t *cohort = json_array_get(cohorts, 0);
    assert_int_equal(json_integer_value(json_object_get(cohort, "rows")) +
                         json_integer_value(json_object_get(cohort, "rest_rows")),
                     10);
    assert_int_equal(json_array_size(dependence), 2);
    size_t i, rows = 0;
    json_t *bin;
    const json_t *shown =
        json_array_get(json_object_get(json_array_get(dependence, 1), "outputs"), 0);
    json_array_foreach(json_object_get(shown, "bins"), i, bin)
    {
        rows += (size_t)json_integer_value(json_object_get(bin, "rows"));
    }
    const json_t *missing = json_object_get(shown, "missing");
    rows += missing == NULL ? 0 : (size_t)json_integer_value(json_object_get(missing, "rows"));
    assert_int_equal(rows, 10);
    assert_non_null(json_object_get(d, "interactions"));
}

static void
tables_and_pages_say_the_same(void **state)
{
    struct room *m = *state;
    DEFER(files_done) struct files f = {0};
    files_new(m, "binary", &f);
    RUN(m, 0, "explain", "--model", f.model, "--data", f.data, "--row", "1", "--cohort",
        "x1 > 0.5 and '<b>' = '<b>'", "--report", in(m, "page.html"));
    OUT_HAS(m, "margin of 10 rows, expected 0.27");
    OUT_HAS(m, "cohort x1 > 0.5");
    OUT_HAS(m, "rows side by side: margin, expected 0.27");
    OUT_HAS(m, "row      1         phi");
    DEFER(buf_done) struct buf page;
    testing_read(in(m, "page.html"), &page);
    assert_text_has(buf_str(&page), "Rows side by side");
    assert_text_has(buf_str(&page), "&lt;b&gt;");
    assert_null(strstr(buf_str(&page), "<b>' ="));
    assert_text_has(buf_str(&page), "</html>");
}

/* The rows fifty times over: means and bins are the same, and so are the digits of all but counts.
 */
static void
the_page_does_not_grow_with_the_rows(void **state)
{
    struct room *m = *state;
    DEFER(files_done) struct files f = {0};
    files_new(m, "binary", &f);
    DEFER(buf_done) struct buf few;
    DEFER(buf_done) struct buf many;
    DEFER(buf_done) struct buf rows;
    DEFER(buf_done) struct buf page;
    buf_init(&many, 1u << 20);
    RUN(m, 0, "explain", "--model", f.model, "--data", f.data, "--row", "1", "--report",
        in(m, "few.html"));
    testing_read(in(m, "few.html"), &few);
    testing_read(f.data, &rows);
    buf_put(&many, buf_view(&rows));
    const char *body = strchr(buf_str(&rows), '\n') + 1;
    for (int i = 1; i < 50; i++) {
        buf_put_str(&many, body);
    }
    testing_write(in(m, "many.csv"), buf_view(&many));
    (void)strcpy(f.data, in(m, "many.csv"));
    RUN(m, 0, "explain", "--model", f.model, "--data", f.data, "--row", "1", "--report",
        in(m, "many.html"));
    testing_read(in(m, "many.html"), &page);
    assert_text_has(buf_str(&page), "<b>500</b> rows");
    assert_true(page.len < few.len + few.len / 10);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        BARE(what_is_wrong_is_told),
        BARE(contributions_sum_to_the_margin),
        BARE(classes_stand_before_the_features),
        BARE(interactions_sum_to_the_margin_too),
        BARE(rows_of_parquet_have_the_contributions_of_the_same_csv),
        BARE(the_document_has_all_views),
        BARE(tables_and_pages_say_the_same),
        BARE(the_page_does_not_grow_with_the_rows),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
