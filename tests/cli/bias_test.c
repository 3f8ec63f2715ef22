/* steward bias: on examples/lending and on small files with every fault that a file can have. */
#include "cli/run.h"

#include <math.h>

static void
put(struct room *m, const char *name, const char *text)
{
    testing_write(in(m, name), view_str(text));
}

/* Runs it on the file "d.csv" of the room. */
#define BIAS(M, ...)                                                                               \
    do {                                                                                           \
        char data_[512];                                                                           \
        (void)snprintf(data_, sizeof data_, "%s", in(M, "d.csv"));                                 \
        RUN(M, 0, "bias", "--data", data_, __VA_ARGS__);                                           \
    } while (0)

static double
number(const json_t *o, const char *path)
{
    char key[64];
    while (*path != '\0') {
        const size_t n = strcspn(path, ".");
        (void)snprintf(key, sizeof key, "%.*s", (int)n, path);
        const bool index = key[0] >= '0' && key[0] <= '9';
        o = index ? json_array_get(o, (size_t)atoi(key)) : json_object_get(o, key);
        path += n + (path[n] == '.');
    }
    assert_true(json_is_number(o));
    return json_number_value(o);
}

/* ---- bad input ---- */

static void
what_cannot_be_compared_is_refused_with_a_sentence(void **state)
{
    struct room *m = *state;
    put(m, "d.csv", "y,sex,age,name\n1,f,30,a\n0,m,40,b\n0,f,50,c\n1,m,60,d\n");
    char d[512];
    (void)snprintf(d, sizeof d, "%s", in(m, "d.csv"));
    RUN(m, 2, "bias");
    ERR_HAS(m, "bias: --data FILE is needed");
    RUN(m, 2, "bias", "--data", d, "--sensitive", "sex");
    ERR_HAS(m, "bias: --label COLUMN is needed");
    RUN(m, 2, "bias", "--data", d, "--label", "y");
    ERR_HAS(m, "bias: --sensitive COLUMNS is needed");
    RUN(m, 2, "bias", "--data", d, "--label", "z", "--sensitive", "sex");
    ERR_HAS(m, "no column \"z\"");
    RUN(m, 2, "bias", "--data", d, "--label", "y", "--sensitive", "sexx");
    ERR_HAS(m, "did you mean \"sex\"?");
    RUN(m, 2, "bias", "--data", d, "--label", "y", "--sensitive", "sex,sex");
    ERR_HAS(m, "named twice");
    RUN(m, 2, "bias", "--data", d, "--label", "y", "--sensitive", "y");
    ERR_HAS(m, "\"y\" is the column of --label");
    RUN(m, 2, "bias", "--data", d, "--label", "y", "--sensitive", "sex", "--strata", "y");
    ERR_HAS(m, "\"y\" is the column of --label");
    RUN(m, 2, "bias", "--data", d, "--label", "y", "--positive", "2", "--sensitive", "sex");
    ERR_HAS(m, "no value is the one of --positive; its values: \"0\", \"1\"");
    RUN(m, 2, "bias", "--data", d, "--label", "sex", "--sensitive", "age");
    ERR_HAS(m, "say which value is the positive one");
    RUN(m, 2, "bias", "--data", d, "--label", "y", "--sensitive", "sex", "--level", "1");
    ERR_HAS(m, "a number between 0 and 1");
    RUN(m, 2, "bias", "--data", d, "--label", "y", "--sensitive", "sex", "--bins", "1");
    ERR_HAS(m, "a whole number from 2 to 64");
    RUN(m, 2, "bias", "--data", d, "--label", "age", "--positive", ">x", "--sensitive", "sex");
    ERR_HAS(m, "write \">NUMBER\"");
    RUN(m, 2, "bias", "--data", d, "--label", "age", "--positive", ">60", "--sensitive", "sex");
    ERR_HAS(m, "label \"age\": no row has the positive value");
}

static void
a_label_of_one_class_or_none_is_refused(void **state)
{
    struct room *m = *state;
    put(m, "d.csv", "y,e,sex\n1,,f\n1,,m\n");
    char d[512];
    (void)snprintf(d, sizeof d, "%s", in(m, "d.csv"));
    RUN(m, 2, "bias", "--data", d, "--label", "y", "--positive", "1", "--sensitive", "sex");
    ERR_HAS(m, "every row has the positive value");
    RUN(m, 2, "bias", "--data", d, "--label", "e", "--positive", "1", "--sensitive", "sex");
    ERR_HAS(m, "no value at all");
}

static void
a_reference_that_does_not_fit_is_refused(void **state)
{
    static const char *const bad[][2] = {
        {"{\"race\": {\"f\": 1}}", "\"race\" is not one of the --sensitive columns"},
        {"{\"sex\": {\"f\": 0.5}}", "\"m\": the data has such rows"},
        {"{\"sex\": {\"f\": -1, \"m\": 2}}", "\"f\": a share or count from 0 is needed"},
        {"{\"sex\": {\"f\": 0, \"m\": 0}}", "its shares add to nothing"},
        {"{\"sex\": [0.5, 0.5]}", "an object of groups and their shares is needed"},
        {"[1]", "an object of columns, groups and their shares is needed"},
        {"{\"sex\": ", "r.json"},
    };
    struct room *m = *state;
    char d[512], r[512];
    put(m, "d.csv", "y,sex\n1,f\n0,m\n0,f\n1,m\n");
    (void)snprintf(d, sizeof d, "%s", in(m, "d.csv"));
    (void)snprintf(r, sizeof r, "%s", in(m, "r.json"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        testing_write(r, view_str(bad[i][0]));
        RUN(m, 2, "bias", "--data", d, "--label", "y", "--sensitive", "sex", "--reference", r);
        ERR_HAS(m, bad[i][1]);
    }
    RUN(m, 4, "bias", "--data", d, "--label", "y", "--sensitive", "sex", "--reference", "no.json");
}

/* ---- strange but valid ---- */

static void
a_group_without_labels_and_a_class_one_side_lacks_are_no_nonsense(void **state)
{
    struct room *m = *state;
    DEFER(buf_done) struct buf b;
    buf_init(&b, 1u << 16);
    buf_put_str(&b, "y,g\n");
    for (unsigned i = 0; i < 40; i++) {
        buf_printf(&b, "0,a\n%u,b\n,c\n", i % 2);
    }
    buf_put_str(&b, "1,\n");
    testing_write(in(m, "d.csv"), buf_view(&b));
    BIAS(m, "--label", "y", "--sensitive", "g", "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    assert_near(number(d, "rows"), 121, 0);
    assert_near(number(d, "rows_without_label"), 40, 0);
    assert_near(number(d, "factors.0.rows_without_group"), 1, 0);
    assert_near(number(d, "factors.0.rows_without_label"), 40, 0);
    const json_t *groups =
        json_object_get(json_array_get(json_object_get(d, "factors"), 0), "groups");
    /* a has no positive: the others' KL from it is infinite, and said so. */
    const json_t *kl = json_object_get(json_object_get(json_array_get(groups, 0), "metrics"), "KL");
    assert_string_equal(json_string_value(json_object_get(kl, "value")), "Infinity");
    assert_near(number(groups, "0.metrics.TVD.value"), 0.5, 1e-15);
    /* c has no label at all. */
    const json_t *c = json_array_get(groups, 2);
    assert_true(json_is_null(
        json_object_get(json_object_get(json_object_get(c, "metrics"), "DPL"), "value")));
    assert_near(number(c, "share.x"), 40, 0);
    /* The label is missing for c alone. */
    assert_near(number(d, "factors.0.missingness.0.difference"), 1, 0);
    BIAS(m, "--label", "y", "--sensitive", "g", "--report", in(m, "r.html"));
    OUT_HAS(m, "y is missing 100.0 points more often for g = c than for a");
}

static void
two_hundred_groups_of_a_number_of_names_and_of_text(void **state)
{
    struct room *m = *state;
    DEFER(buf_done) struct buf b;
    buf_init(&b, 8u << 20);
    buf_put_str(&b, "y,g,age,name,same,gone\n");
    for (unsigned i = 0; i < 12000; i++) {
        buf_printf(&b, "%u,g%u,%u,name %u,x,\n", i % 3 == 0, i % 200, i % 97, i);
    }
    testing_write(in(m, "d.csv"), buf_view(&b));
    BIAS(m, "--label", "y", "--sensitive", "g,age", "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    const json_t *g = json_array_get(json_object_get(d, "factors"), 0);
    assert_int_equal(json_array_size(json_object_get(g, "groups")), 200);
    assert_near(number(g, "pairs_compared"), 19900, 0);
    assert_int_equal(json_array_size(json_object_get(g, "pairs")), 200);
    const json_t *age = json_array_get(json_object_get(d, "factors"), 1);
    assert_int_equal(json_array_size(json_object_get(age, "groups")), 4);
    assert_string_equal(
        json_string_value(json_array_get(json_object_get(g, "columns_left_out"), 0)), "name");
    assert_near(number(d, "combinations.cells"), 800, 0);
    RUN(m, 2, "bias", "--data", in(m, "d.csv"), "--label", "y", "--sensitive", "name");
    ERR_HAS(m, "too many different values, or free text: bring them together into groups");
    char data[512], report[512];
    (void)snprintf(data, sizeof data, "%s", in(m, "d.csv"));
    (void)snprintf(report, sizeof report, "%s", in(m, "r.html"));
    testing_write(data, view_str("y,g\n0,\n1,\n1,\n"));
    RUN(m, 0, "bias", "--data", data, "--label", "y", "--sensitive", "g", "--report", report,
        "--clarify", in(m, "analysis.json"), "--json");
    DEFER(js_freep) json_t *empty = out_json(m);
    const json_t *without = json_array_get(json_object_get(empty, "without_groups"), 0);
    assert_string_equal(json_string_value(json_object_get(without, "column")), "g");
    assert_int_equal(json_array_size(json_object_get(empty, "factors")), 0);
    assert_true(json_is_null(json_object_get(empty, "combinations")));
    DEFER(buf_done) struct buf page;
    testing_read(in(m, "r.html"), &page);
    assert_text_has(buf_str(&page), "has no value in any row: it makes no groups");
}

/* ---- what it finds ---- */

static void
the_lending_data_shows_what_the_literature_says(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "bias", "--data", m->csv, "--label", "deny", "--sensitive", "afam", "--strata",
        "chist");
    OUT_HAS(m, "afam = yes: 28.3 % have deny = yes, of all others 9.3 %: 19.1 points more");
    OUT_HAS(m, "Among rows with the same chist, afam = yes has");
    RUN(m, 0, "bias", "--data", m->csv, "--label", "deny", "--sensitive", "afam", "--strata",
        "single", "--json", "--report", in(m, "r.html"));
    DEFER(js_freep) json_t *within = out_json(m);
    /* Both strata together are the whole. */
    assert_near(number(within, "factors.0.strata_compared"), 2, 0);
    double x = 0, n = 0;
    for (size_t s = 0; s < 2; s++) {
        const json_t *stratum = json_array_get(
            json_object_get(json_array_get(json_object_get(within, "factors"), 0), "by_stratum"),
            s);
        x += number(stratum, "groups.1.positive_rate.x");
        n += number(stratum, "groups.1.positive_rate.n");
    }
    assert_near(x, 96, 0);
    assert_near(n, 339, 0);
    DEFER(buf_done) struct buf html;
    testing_read(in(m, "r.html"), &html);
    assert_text_has(buf_str(&html), "Among rows with the same single");
    RUN(m, 0, "bias", "--data", m->csv, "--label", "deny", "--sensitive", "afam", "--level",
        "0.995", "--report", in(m, "level.html"));
    OUT_HAS(m, "(99.5 % between");
    DEFER(buf_done) struct buf levels;
    testing_read(in(m, "level.html"), &levels);
    assert_text_has(buf_str(&levels), "figures are 99.5&thinsp;% intervals");
    RUN(m, 0, "bias", "--data", m->csv, "--label", "deny", "--sensitive", "afam", "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    assert_near(number(d, "factors.0.groups.1.metrics.DPL.value"), 189.0 / 2041 - 96.0 / 339,
                1e-15);
    /* The same from more threads. */
    DEFER(buf_done) struct buf one;
    buf_init(&one, 4u << 20);
    buf_put(&one, buf_view(&m->r.out));
    RUN(m, 0, "bias", "--data", m->csv, "--label", "deny", "--sensitive", "afam", "--json",
        "--threads", "3");
    assert_true(view_equal(buf_view(&one), buf_view(&m->r.out)));
}

static void
a_proxy_and_a_gap_to_the_reference_are_found_and_noise_is_not(void **state)
{
    struct room *m = *state;
    DEFER(buf_done) struct buf b;
    buf_init(&b, 8u << 20);
    buf_put_str(&b, "y,sex,height,noise,u,v\n");
    uint64_t x = 88172645463325252u;
    for (unsigned i = 0; i < 3000; i++) {
        unsigned r[5];
        for (unsigned k = 0; k < 5; k++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            r[k] = (unsigned)(x >> 33);
        }
        const unsigned f = r[0] % 10 < 3, u = r[3] % 2, v = r[4] % 8 == 0 ? u : u ^ f;
        buf_printf(&b, "%u,%s,%u,%u,%u,%u\n", r[1] % 4 == 0, f ? "f" : "m",
                   150 + r[2] % 30 + (f ? 0 : 15), r[1] % 1000, u, v);
    }
    testing_write(in(m, "d.csv"), buf_view(&b));
    put(m, "r.csv", "column,group,share\nsex,f,51\nsex,m,48\nsex,x,1\n");
    char r[512];
    (void)snprintf(r, sizeof r, "%s", in(m, "r.csv"));
    BIAS(m, "--label", "y", "--sensitive", "sex", "--reference", r, "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    const json_t *f = json_array_get(json_object_get(d, "factors"), 0);
    const json_t *best = json_array_get(json_object_get(f, "proxies"), 0);
    assert_string_equal(json_string_value(json_array_get(json_object_get(best, "columns"), 0)),
                        "height");
    assert_true(number(best, "auc") > 0.8 && number(best, "p_adjusted") < 1e-50);
    size_t i = 0;
    json_t *p = NULL;
    json_array_foreach(json_object_get(f, "proxies"), i, p)
    {
        const char *name = json_string_value(json_array_get(json_object_get(p, "columns"), 0));
        assert_true(strcmp(name, "noise") != 0 ||
                    (number(p, "p_adjusted") > 0.05 && number(p, "auc") < 0.55));
    }
    /* u and v tell only together. */
    const json_t *pair = json_array_get(json_object_get(f, "proxy_pairs"), 0);
    for (size_t k = 0; k < 2; k++) {
        const char *name = json_string_value(json_array_get(json_object_get(pair, "columns"), k));
        assert_true(strcmp(name, "u") == 0 || strcmp(name, "v") == 0);
    }
    assert_true(number(pair, "gain") > 0.3);
    /* Nobody is "x"; f is 30 % of the rows for 51 % of the reference. */
    const json_t *gaps = json_object_get(json_object_get(f, "representation"), "groups");
    assert_int_equal(json_array_size(gaps), 3);
    assert_near(number(gaps, "2.n"), 0, 0);
    assert_near(number(gaps, "2.reference"), 0.01, 1e-15);
    assert_near(number(f, "representation.reference_total"), 100, 1e-12);
    assert_true(number(gaps, "0.ratio") < 0.65 && number(gaps, "0.p_adjusted") < 1e-50);
    BIAS(m, "--label", "y", "--sensitive", "sex", "--reference", r);
    OUT_HAS(m, "height tells sex: AUC");
    OUT_HAS(m, "of the reference.");
}

/* ---- forms ---- */

static void
clarifys_file_has_clarifys_shape(void **state)
{
    static const char *const names[] = {"CDDL", "CI", "DPL", "JS", "KL", "KS", "LP", "TVD"};
    struct room *m = *state;
    RUN(m, 0, "bias", "--data", m->csv, "--label", "deny", "--sensitive", "afam,single",
        "--clarify", in(m, "analysis.json"));
    DEFER(js_freep) json_t *a = testing_read_json(in(m, "analysis.json"));
    assert_string_equal(json_string_value(json_object_get(a, "version")), "1.0");
    const json_t *pre = json_object_get(a, "pre_training_bias_metrics");
    assert_string_equal(json_string_value(json_object_get(pre, "label")), "deny");
    assert_string_equal(json_string_value(json_object_get(pre, "label_value_or_threshold")), "yes");
    const json_t *afam = json_object_get(json_object_get(pre, "facets"), "afam");
    assert_int_equal(json_array_size(afam), 2);
    const json_t *metrics = json_object_get(json_array_get(afam, 1), "metrics");
    for (size_t i = 0; i < 8; i++) {
        const json_t *v = json_array_get(metrics, i);
        assert_string_equal(json_string_value(json_object_get(v, "name")), names[i]);
        assert_text_has(json_string_value(json_object_get(v, "description")), names[i]);
        assert_true(i == 0 ? json_is_null(json_object_get(v, "value"))
                           : json_is_number(json_object_get(v, "value")));
    }
    has_keys(json_array_get(metrics, 0), "error");
    RUN(m, 0, "bias", "--data", m->csv, "--label", "deny", "--sensitive", "afam", "--clarify",
        in(m, "analysis.json"), "--strata", "single");
    DEFER(js_freep) json_t *with = testing_read_json(in(m, "analysis.json"));
    assert_true(number(with, "pre_training_bias_metrics.facets.afam.1.metrics.0.value") < -0.1);
}

static void
every_key_is_in(const json_t *v, const char *page)
{
    const char *key = NULL;
    json_t *inner = NULL;
    size_t i = 0;
    if (json_is_array(v)) {
        json_array_foreach((json_t *)(uintptr_t)v, i, inner)
        {
            every_key_is_in(inner, page);
        }
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)v, key, inner)
    {
        if (strstr(page, key) == NULL) {
            print_error("docs/spec/assessment-bias.md does not name \"%s\"\n", key);
        }
        assert_non_null(strstr(page, key));
        every_key_is_in(inner, page);
    }
}

static void
the_page_names_every_field(void **state)
{
    struct room *m = *state;
    DEFER(file_freep) char *path = testing_source("docs/spec/assessment-bias.md");
    DEFER(buf_done) struct buf page;
    testing_read(path, &page);
    put(m, "r.json", "{\"afam\": {\"yes\": 0.2, \"no\": 0.8}}");
    char r[512];
    (void)snprintf(r, sizeof r, "%s", in(m, "r.json"));
    RUN(m, 0, "bias", "--data", m->csv, "--label", "chist", "--positive", "1", "--sensitive",
        "afam,pirat", "--strata", "single", "--reference", r, "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    every_key_is_in(d, buf_str(&page));
    has_keys(json_array_get(
                 json_object_get(json_array_get(json_object_get(d, "factors"), 0), "groups"), 0),
             "all_classes adjusted balance metrics share positive_rate p_adjusted");
}

static void
the_report_is_one_bounded_file_without_script(void **state)
{
    struct room *m = *state;
    put(m, "d.csv", "y,\"<b>\"\n1,<script>\n0,\"a\"\"b\"\n0,<script>\n1,\"a\"\"b\"\n");
    BIAS(m, "--label", "y", "--sensitive", "<b>", "--report", in(m, "r.html"));
    DEFER(buf_done) struct buf html;
    testing_read(in(m, "r.html"), &html);
    assert_null(strstr(buf_str(&html), "<script"));
    assert_null(strstr(buf_str(&html), "<b></"));
    assert_text_has(buf_str(&html), "&lt;script&gt;");
    assert_text_has(buf_str(&html), "<title>");
    assert_text_has(buf_str(&html), "<summary>What the numbers mean</summary>");
    assert_true(html.len < 60000);
}

/* Every digit, those of the proxies' folds too. */
static void
the_order_of_rows_changes_no_digit(void **state)
{
    struct room *m = *state;
    DEFER(buf_done) struct buf text;
    testing_read(m->csv, &text);
    testing_write(in(m, "d.csv"), buf_view(&text));
    BIAS(m, "--label", "deny", "--positive", "yes", "--sensitive", "afam,single", "--strata",
         "phist", "--json");
    DEFER(js_freep) json_t *a = out_json(m);
    write_reordered(m, "d.csv", "e.csv");
    DEFER(buf_done) struct buf again;
    testing_read(in(m, "e.csv"), &again);
    testing_write(in(m, "d.csv"), buf_view(&again));
    BIAS(m, "--label", "deny", "--positive", "yes", "--sensitive", "afam,single", "--strata",
         "phist", "--json");
    DEFER(js_freep) json_t *b = out_json(m);
    const json_t *factor = json_array_get(json_object_get(a, "factors"), 0);
    assert_true(json_array_size(json_object_get(factor, "proxies")) > 5);
    assert_alike(a, b, true, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BARE(what_cannot_be_compared_is_refused_with_a_sentence),
        BARE(a_label_of_one_class_or_none_is_refused),
        BARE(a_reference_that_does_not_fit_is_refused),
        BARE(a_group_without_labels_and_a_class_one_side_lacks_are_no_nonsense),
        BARE(two_hundred_groups_of_a_number_of_names_and_of_text),
        BARE(the_lending_data_shows_what_the_literature_says),
        BARE(a_proxy_and_a_gap_to_the_reference_are_found_and_noise_is_not),
        BARE(clarifys_file_has_clarifys_shape),
        BARE(the_order_of_rows_changes_no_digit),
        BARE(the_page_names_every_field),
        BARE(the_report_is_one_bounded_file_without_script),
    };
    return cmocka_run_group_tests_name("cli/bias", tests, NULL, NULL);
}
