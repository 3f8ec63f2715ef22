/* steward explain with columns that were encoded: --group, --group-prefix. */
#include "cli/run.h"

#include "base/text.h"

#include <math.h>

#define ROWS 8

static char model[512], data[512], out[512];

/* Four features; the last two one-hot, of race, with neither in rows 3 and 7. */
static void
files(struct room *m, const char *name, const char *header)
{
    static const char *const ends[] = {"1,0", "0,1", "0,0", "1,0"};
    DEFER(file_freep) char *path = testing_source("tests/model/data/xgboost-3.2.0.json");
    DEFER(js_freep) json_t *file = testing_read_json(path);
    DEFER(buf_done) struct buf bytes;
    size_t i;
    json_t *v;
    buf_init(&bytes, 1u << 22);
    json_array_foreach(json_object_get(file, "models"), i, v)
    {
        if (strcmp(json_string_value(json_object_get(v, "name")), name) == 0) {
            assert_ok(
                text_from_hex(view_str(json_string_value(json_object_get(v, "file"))), &bytes));
        }
    }
    testing_write(in(m, "model.json"), buf_view(&bytes));
    (void)strcpy(model, in(m, "model.json"));
    buf_reset(&bytes);
    buf_printf(&bytes, "%s\n", header);
    for (i = 0; i < ROWS; i++) {
        buf_printf(&bytes, "%.2f,%.2f,%s\n", 0.1 + 0.1 * (double)i, 0.9 - 0.1 * (double)i,
                   ends[i % 4]);
    }
    testing_write(in(m, "rows.csv"), buf_view(&bytes));
    (void)strcpy(data, in(m, "rows.csv"));
    (void)strcpy(out, in(m, "out.csv"));
}

#define ENCODED "x0,x1,race_black,race_white"
#define EXPLAIN(M, CODE, ...) RUN(M, CODE, "explain", "--model", model, "--data", data, __VA_ARGS__)

/* The numbers of a CSV file: ret_v[ROWS * columns]; its header. */
static void
read_csv(const char *path, size_t columns, const char *header, double *ret_v)
{
    DEFER(buf_done) struct buf text;
    testing_read(path, &text);
    const char *at = buf_str(&text);
    assert_int_equal(strncmp(at, header, strlen(header)), 0);
    at = strchr(at, '\n') + 1;
    for (size_t i = 0; i < ROWS * columns; i++) {
        const size_t n = strcspn(at, ",\n");
        assert_ok(text_to_f64(view_of(at, n), &ret_v[i]));
        at += n + 1;
    }
    assert_string_equal(at, "");
}

static void
what_is_wrong_is_told(void **state)
{
    struct room *m = *state;
    files(m, "binary", ENCODED);
    EXPLAIN(m, 2, "--group", "race");
    ERR_HAS(m, "--group race: write NAME=COLUMN,COLUMN");
    EXPLAIN(m, 2, "--group", "race=");
    ERR_HAS(m, "write NAME=COLUMN");
    EXPLAIN(m, 2, "--group", "race=race_black,race_whit");
    ERR_HAS(m, "the model reads no \"race_whit\"; did you mean \"race_white\"?");
    EXPLAIN(m, 2, "--group", "race=race_black,race_black");
    ERR_HAS(m, "\"race_black\" is in \"race\" twice");
    EXPLAIN(m, 2, "--group", "race=race_black", "--group", "b=race_white,race_black");
    ERR_HAS(m, "\"race_black\" is in \"race\" already");
    EXPLAIN(m, 2, "--group", "race=race_black", "--group-prefix", "race_");
    ERR_HAS(m, "--group-prefix: \"race_black\" is in \"race\" already");
    EXPLAIN(m, 2, "--group", "x1=race_black,race_white");
    ERR_HAS(m, "there is another column \"x1\"");
    EXPLAIN(m, 2, "--group", "r=race_black", "--group", "r=race_white");
    ERR_HAS(m, "there is another column \"r\"");
    EXPLAIN(m, 2, "--group-prefix", "sex_");
    ERR_HAS(m, "no column that begins with \"sex_\"");
    EXPLAIN(m, 2, "--group-prefix", "race_", "--features", "race_white");
    ERR_HAS(m, "\"race_white\" is part of \"race\"");
    EXPLAIN(m, 2, "--group", "both=x0,x1", "--features", "both");
    ERR_HAS(m, "no single value");
    EXPLAIN(m, 2, "--group-prefix", "race_", "--method", "ale");
    ERR_HAS(m, "--group: of attributions");
}

/* Of one output: x0, x1, a, b, base; then x0, x1, a + b, base. */
static void
equals_sums(const double *apart, const double *together)
{
    for (size_t i = 0; i < ROWS; i++) {
        const double *a = apart + i * 5, *t = together + i * 4;
        assert_near(t[0], a[0], 1e-15);
        assert_near(t[1], a[1], 1e-15);
        assert_near(t[2], a[2] + a[3], 1e-15);
        assert_near(t[3], a[4], 0);
    }
}

static void
contributions_are_the_sums_of_the_members(void **state)
{
    struct room *m = *state;
    double apart[ROWS * 5], together[ROWS * 4];
    files(m, "binary", ENCODED);
    EXPLAIN(m, 0, "--record", "--output", out);
    read_csv(out, 5, ENCODED ",base\n", apart);
    EXPLAIN(m, 0, "--record", "--output", out, "--group", "race=race_black,race_white");
    read_csv(out, 4, "x0,x1,race,base\n", together);
    equals_sums(apart, together);
    EXPLAIN(m, 0, "--record", "--output", out, "--background", data);
    read_csv(out, 5, ENCODED ",base\n", apart);
    EXPLAIN(m, 0, "--record", "--output", out, "--background", data, "--group-prefix", "race_");
    read_csv(out, 4, "x0,x1,race,base\n", together);
    equals_sums(apart, together);
    EXPLAIN(m, 0, "--method", "kernel", "--rows", "0", "--output", out);
    read_csv(out, 5, ENCODED ",base\n", apart);
    EXPLAIN(m, 0, "--method", "kernel", "--rows", "0", "--output", out, "--group-prefix", "race_");
    read_csv(out, 4, "x0,x1,race,base\n", together);
    for (size_t i = 0; i < ROWS; i++) { /* 9 digits of each */
        assert_near(together[i * 4 + 2], apart[i * 5 + 2] + apart[i * 5 + 3], 1e-8);
    }
}

/* The group stands where its first member stood; interactions add up to the same. */
static void
interactions_are_summed_alike(void **state)
{
    struct room *m = *state;
    double apart[ROWS * 11], together[ROWS * 7];
    files(m, "binary", ENCODED);
    EXPLAIN(m, 0, "--interactions", "--record", "--output", out);
    read_csv(out, 11, "x0,x0 x x1,", apart);
    EXPLAIN(m, 0, "--interactions", "--record", "--output", out, "--group", "g=x0,race_white");
    read_csv(out, 7, "g,g x x1,g x race_black,x1,x1 x race_black,race_black,base\n", together);
    for (size_t i = 0; i < ROWS; i++) {
        /* x0 x0x1 x0b x0w x1 x1b x1w b bw w base */
        const double *a = apart + i * 11, *t = together + i * 7;
        assert_near(t[0], a[0] + a[3] + a[9], 1e-14);
        assert_near(t[1], a[1] + a[6], 1e-14);
        assert_near(t[2], a[2] + a[8], 1e-14);
        assert_near(t[3], a[4], 1e-15);
        assert_near(t[4], a[5], 1e-14);
        double all = 0, grouped = 0;
        for (size_t k = 0; k < 11; k++) {
            all += a[k];
        }
        for (size_t k = 0; k < 7; k++) {
            grouped += t[k];
        }
        assert_near(all, grouped, 1e-13);
    }
}

static void
classes_have_their_own_columns(void **state)
{
    struct room *m = *state;
    double together[ROWS * 12];
    files(m, "three classes", ENCODED);
    EXPLAIN(m, 0, "--record", "--output", out, "--group-prefix", "race_");
    read_csv(out, 12, "0:x0,0:x1,0:race,0:base,1:x0,1:x1,1:race,1:base,2:x0", together);
}

/* race_black, race_white and neither, by their names, in every view. */
static void
views_show_the_column_by_its_levels(void **state)
{
    struct room *m = *state;
    files(m, "binary", ENCODED);
    EXPLAIN(m, 0, "--group-prefix", "race_", "--features", "race", "--row", "1", "--row", "3",
            "--cohort", "x0 > 0.4", "--json", "--report", in(m, "page.html"));
    DEFER(js_freep) json_t *d = out_json(m);
    const json_t *group = json_array_get(json_object_get(d, "groups"), 0);
    assert_string_equal(json_string_value(json_object_get(group, "column")), "race");
    assert_int_equal(json_array_size(json_object_get(group, "features")), 2);
    const json_t *output = json_array_get(json_object_get(d, "outputs"), 0);
    assert_int_equal(json_array_size(json_object_get(output, "features")), 3);
    const json_t *cohort = json_array_get(json_object_get(d, "cohorts"), 0),
                 *of = json_array_get(json_object_get(cohort, "outputs"), 0);
    assert_int_equal(json_array_size(json_object_get(of, "features")), 3);
    const json_t *dependence = json_array_get(json_object_get(d, "dependence"), 0),
                 *shown = json_array_get(json_object_get(dependence, "outputs"), 0),
                 *bins = json_object_get(shown, "bins");
    static const char *const names[] = {"black", "white", "none of these"};
    static const int rows[] = {4, 2, 2};
    assert_int_equal(json_array_size(bins), 3);
    for (size_t i = 0; i < 3; i++) {
        const json_t *bin = json_array_get(bins, i);
        assert_string_equal(json_string_value(json_object_get(bin, "category")), names[i]);
        assert_int_equal(json_integer_value(json_object_get(bin, "rows")), rows[i]);
    }
    const json_t *local = json_object_get(d, "local"),
                 *values = json_object_get(json_array_get(local, 0), "values");
    assert_int_equal(json_array_size(values), 3);
    assert_string_equal(json_string_value(json_array_get(values, 2)), "black");
    values = json_object_get(json_array_get(local, 1), "values");
    assert_string_equal(json_string_value(json_array_get(values, 2)), "none of these");
    DEFER(buf_done) struct buf page;
    testing_read(in(m, "page.html"), &page);
    EXPLAIN(m, 0, "--group-prefix", "race_", "--features", "race");
    OUT_HAS(m, "attribution by value of race: margin");
    OUT_HAS(m, "  none of these                2 ");
    assert_text_has(buf_str(&page), "none of these");
    assert_text_has(buf_str(&page), "<b>race</b> is the sum of its columns: race_black, "
                                    "race_white");
}

/* Two numbers make a column, which has attributions but no value to show them against. */
static void
several_numbers_have_no_single_value(void **state)
{
    struct room *m = *state;
    files(m, "binary", ENCODED);
    EXPLAIN(m, 0, "--group", "place=x0,x1", "--row", "1", "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    const json_t *values =
        json_object_get(json_array_get(json_object_get(d, "local"), 0), "values");
    assert_true(json_is_null(json_array_get(values, 0)));
    size_t i;
    json_t *o;
    json_array_foreach(json_object_get(d, "dependence"), i, o)
    {
        assert_string_not_equal(json_string_value(json_object_get(o, "feature")), "place");
    }
    EXPLAIN(m, 0, "--group", "place=x0,x1", "--row", "1");
    OUT_HAS(m, "place");
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        BARE(what_is_wrong_is_told),
        BARE(contributions_are_the_sums_of_the_members),
        BARE(interactions_are_summed_alike),
        BARE(classes_have_their_own_columns),
        BARE(views_show_the_column_by_its_levels),
        BARE(several_numbers_have_no_single_value),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
