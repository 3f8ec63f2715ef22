/* steward fairness on plain files: what it refuses and remarks, its numbers on data that is in the
 * literature, and that order of rows and number of threads change nothing. The statistics are held
 * to Fairlearn and smclarify in tests/assess/group_test.c. */
#include "cli/run.h"

#include "num/rng.h"

#include <math.h>

#define BASIC "--label", "y", "--prediction", "d", "--sensitive"

static void
write_text(struct room *m, const char *name, const char *text)
{
    testing_write(in(m, name), view_str(text));
}

static const char small[] = "y,d,g,p\n1,1,a,0.9\n0,1,a,0.7\n1,0,b,0.2\n0,0,b,0.1\n1,1,b,0.8\n";

/* ---- refusals ---- */

static void
says_what_is_missing_and_what_was_meant(void **state)
{
    struct room *m = *state;
    write_text(m, "s.csv", small);
    RUN(m, 2, "fairness");
    ERR_HAS(m, "--data is needed");
    RUN(m, 2, "fairness", "--data", in(m, "s.csv"), "--label", "y", "--sensitive", "g");
    ERR_HAS(m, "--prediction or --score is needed");
    RUN(m, 2, "fairness", "--data", in(m, "s.csv"), BASIC, "gg");
    ERR_HAS(m, "no column \"gg\" among the 4 columns");
    RUN(m, 2, "fairness", "--data", in(m, "s.csv"), BASIC, "g,g");
    ERR_HAS(m, "named twice");
    RUN(m, 2, "fairness", "--data", in(m, "s.csv"), BASIC, "g", "--level", "1");
    ERR_HAS(m, "--level 1: over 0 and under 1");
    RUN(m, 2, "fairness", "--data", in(m, "s.csv"), BASIC, "g", "--intervals", "z=1,2");
    ERR_HAS(m, "no such sensitive or control column");
    RUN(m, 2, "fairness", "--data", in(m, "s.csv"), BASIC, "p", "--intervals", "p=2,1");
    ERR_HAS(m, "numbers that ascend");
}

static void
refuses_scores_and_weights_that_are_none_with_their_row(void **state)
{
    struct room *m = *state;
    write_text(m, "s.csv", "y,p,g,w\n1,0.5,a,1\n0,1.5,b,1\n");
    RUN(m, 2, "fairness", "--data", in(m, "s.csv"), "--label", "y", "--score", "p", "--sensitive",
        "g");
    ERR_HAS(m, "column \"p\" row 2: 1.5 is no probability");
    write_text(m, "s.csv", "y,d,g,w\n1,1,a,1\n0,1,b,-2\n");
    RUN(m, 2, "fairness", "--data", in(m, "s.csv"), BASIC, "g", "--weight", "w");
    ERR_HAS(m, "column \"w\" row 2: -2 is no weight");
    write_text(m, "s.csv", "y,d,g,w\n1,1,a,0\n0,1,b,0\n");
    RUN(m, 2, "fairness", "--data", in(m, "s.csv"), BASIC, "g", "--weight", "w");
    ERR_HAS(m, "no row has a label and a prediction and a weight over 0");
    write_text(m, "s.csv", "y,d,g,w\n1,1,a,1\n0,1,b,\n");
    RUN(m, 2, "fairness", "--data", in(m, "s.csv"), BASIC, "g", "--weight", "w");
    ERR_HAS(m, "row 2: no weight: write 0");
}

static void
refuses_labels_and_predictions_that_do_not_fit(void **state)
{
    struct room *m = *state;
    write_text(m, "s.csv", "y,d,g\nyes,1,a\nno,0,b\n");
    RUN(m, 2, "fairness", "--data", in(m, "s.csv"), BASIC, "g", "--positive", "yes");
    ERR_HAS(m, "label and prediction are spelled differently");
    write_text(m, "s.csv", "y,d,g\nup,up,a\ndown,down,b\n");
    RUN(m, 2, "fairness", "--data", in(m, "s.csv"), BASIC, "g");
    ERR_HAS(m, "--positive VALUE");
    RUN(m, 2, "fairness", "--data", in(m, "s.csv"), BASIC, "g", "--positive", "left");
    ERR_HAS(m, "no value is the one of --positive");
    write_text(m, "s.csv", "y,d,g\n,,a\n,,b\n");
    RUN(m, 2, "fairness", "--data", in(m, "s.csv"), BASIC, "g", "--task", "numeric");
    ERR_HAS(m, "no row has a label and a prediction");
    write_text(m, "s.csv", "y,d,g\n1.5,inf,a\n2.5,1,b\n3.5,1,b\n");
    RUN(m, 2, "fairness", "--data", in(m, "s.csv"), BASIC, "g", "--task", "numeric");
    ERR_HAS(m, "\"inf\" is not a finite number");
}

/* A column of 3,000 different words, and three of 200. */
static void
refuses_more_groups_than_can_be_compared(void **state)
{
    struct room *m = *state;
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 20);
    buf_put_str(&text, "y,d,id,a,b,c\n");
    for (unsigned i = 0; i < 3000; i++) {
        buf_printf(&text, "%u,%u,n%u,a%u,b%u,c%u\n", i % 2, i / 2 % 2, i, i % 200, i / 7 % 200,
                   i / 3 % 200);
    }
    testing_write(in(m, "s.csv"), buf_view(&text));
    RUN(m, 2, "fairness", "--data", in(m, "s.csv"), BASIC, "id");
    ERR_HAS(m, "more than 1024 values");
    RUN(m, 2, "fairness", "--data", in(m, "s.csv"), BASIC, "a,b,c");
    ERR_HAS(m, "over the limit of");
    RUN(m, 0, "fairness", "--data", in(m, "s.csv"), BASIC, "a", "--json", "--min-group", "10");
    DEFER(js_freep) json_t *d = out_json(m);
    const json_t *g = json_array_get(json_object_get(d, "groupings"), 0);
    assert_int_equal(json_array_size(json_object_get(g, "groups")), 200);
    assert_int_equal(json_integer_value(json_object_get(g, "groups_judged")), 200);
}

/* ---- remarks ---- */

static const json_t *
grouping_at(const json_t *d, size_t i)
{
    const json_t *g = json_array_get(json_object_get(d, "groupings"), i);
    assert_non_null(g);
    return g;
}

static void
remarks_hold(const json_t *d, const char *part)
{
    size_t i = 0;
    bool found = false;
    json_t *v = NULL;
    json_array_foreach(json_object_get(d, "remarks"), i, v)
    {
        found |= strstr(json_string_value(v), part) != NULL;
    }
    if (!found) {
        print_error("no remark has \"%s\"\n", part);
    }
    assert_true(found);
}

static void
counts_what_it_leaves_out_and_says_what_does_not_exist(void **state)
{
    struct room *m = *state;
    write_text(m, "s.csv", "y,d,g,e\n1,1,a,\n1,1,,\n,1,a,\n1,,b,\n1,1,b,\n1,1,b,\n");
    RUN(m, 0, "fairness", "--data", in(m, "s.csv"), BASIC, "g,e", "--min-group", "1", "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    assert_int_equal(json_integer_value(json_object_get(d, "rows")), 6);
    assert_int_equal(json_integer_value(json_object_get(d, "rows_assessed")), 4);
    assert_int_equal(json_integer_value(json_object_get(d, "rows_without_label")), 1);
    assert_int_equal(json_integer_value(json_object_get(d, "rows_without_prediction")), 1);
    const json_t *g = grouping_at(d, 0);
    assert_int_equal(json_integer_value(json_object_get(g, "rows_without_group")), 1);
    remarks_hold(d, "column \"e\" has no value in any row");
    remarks_hold(d, "column \"g\" is missing in 1 rows");
    remarks_hold(d, "true in every row");
    remarks_hold(d, "predicted in every row");
    const json_t *fpr = json_object_get(json_object_get(g, "gaps"), "false_positive_rate");
    assert_true(json_is_null(json_object_get(json_object_get(fpr, "difference"), "value")));
    assert_int_equal(json_integer_value(json_object_get(fpr, "undefined")), 2);
    assert_int_equal(json_array_size(json_object_get(grouping_at(d, 1), "groups")), 0);
    OUT_HAS(m, "equalized_odds");
    assert_null(strstr(buf_str(&m->r.out), "nan"));
}

static void
one_group_is_compared_with_nobody(void **state)
{
    struct room *m = *state;
    write_text(m, "s.csv", "y,d,g,h\n1,1,a,u\n0,1,a,v\n1,0,a,v\n0,0,a,u\n0,0,b,u\n");
    RUN(m, 0, "fairness", "--data", in(m, "s.csv"), BASIC, "g,h", "--min-group", "4", "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    remarks_hold(d, "g: only one group of 4 rows or more: nothing to compare");
    remarks_hold(d, "h: no group of 4 rows or more: nothing to compare");
    remarks_hold(d, "the four-fifths rule takes y = 1 for the good outcome");
    const json_t *odds = json_object_get(grouping_at(d, 0), "equalized_odds_difference");
    assert_true(json_is_null(json_object_get(odds, "value")));
    RUN(m, 0, "fairness", "--data", in(m, "s.csv"), BASIC, "g,h", "--min-group", "1", "--adverse");
    assert_null(strstr(buf_str(&m->r.out), "nothing to compare"));
    assert_null(strstr(buf_str(&m->r.out), "for the good outcome; if"));
    for (const char *at = buf_str(&m->r.out), *end = NULL; (end = strchr(at, '\n')) != NULL;
         at = end + 1) {
        size_t columns = 0;
        for (const char *k = at; k < end; k++) {
            columns += ((unsigned char)*k & 0xc0) != 0x80;
        }
        assert_true(columns <= 80);
    }
}

/* Where smclarify has infinity, or 0 of 0 for 0. */
static void
quotients_say_why_they_do_not_exist(void **state)
{
    struct room *m = *state;
    write_text(m, "s.csv",
               "y,d,g\n1,0,a\n0,0,a\n1,0,a\n1,1,b\n1,1,b\n0,1,b\n0,1,b\n0,1,c\n0,0,c\n");
    RUN(m, 0, "fairness", "--data", in(m, "s.csv"), BASIC, "g", "--min-group", "1", "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    static const struct {
        const char *key, *remark;
        double value;
    } expected[3][2] = {
        {{"conditional_acceptance", "infinite: its lower count is 0", NAN},
         {"conditional_rejection", NULL, 1.0 / 3}},
        {{"conditional_acceptance", NULL, 0.5},
         {"conditional_rejection", "infinite: its lower count is 0", NAN}},
        {{"conditional_acceptance", NULL, 0}, {"conditional_rejection", NULL, 2}},
    };
    const json_t *groups = json_object_get(grouping_at(d, 0), "groups");
    for (size_t g = 0; g < 3; g++) {
        for (size_t k = 0; k < 2; k++) {
            const json_t *x = json_object_get(
                json_object_get(json_array_get(groups, g), "quotients"), expected[g][k].key);
            const json_t *remark = json_object_get(x, "remark");
            assert_int_equal(remark == NULL, expected[g][k].remark == NULL);
            if (remark != NULL) {
                assert_true(json_is_null(json_object_get(x, "value")));
                assert_string_equal(json_string_value(remark), expected[g][k].remark);
            } else {
                assert_near(json_number_value(json_object_get(x, "value")), expected[g][k].value,
                            1e-15);
            }
        }
    }
    /* No decision needs replicates; a mean of scores does. */
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(d, "bootstrap"), "drawn")), "none");
    RUN(m, 0, "fairness", "--data", in(m, "s.csv"), BASIC, "g", "--min-group", "1");
    OUT_HAS(m, "(conditional acceptance): a (infinite");
}

/* Where Microsoft's tools fail: more than 20 groups overflow a list of labels, a sensitive column
 * of numbers is dropped with a line in a log, levels that have commas are torn apart, and false
 * positives and false negatives change places in the scorecard's confusion matrix. */
static void
many_groups_numbers_commas_and_the_confusion_matrix_are_right(void **state)
{
    struct room *m = *state;
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 20);
    buf_put_str(&text, "y,d,g,age,h\n");
    for (unsigned i = 0; i < 1200; i++) { /* of four rows: tp, fp, fn, tn; false ones 3 to 1 */
        static const char outcomes[8][4] = {"1,1", "0,1", "0,1", "0,1", "1,0", "0,0", "0,0", "0,0"};
        buf_printf(&text, "%s,g%02u,%u,\"%s\"\n", outcomes[i % 8], i % 24, 18 + i % 60,
                   i % 3 == 0 ? "left, and more" : "left");
    }
    testing_write(in(m, "s.csv"), buf_view(&text));
    RUN(m, 0, "fairness", "--data", in(m, "s.csv"), BASIC, "g,age,h", "--min-group", "1", "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    assert_int_equal(json_array_size(json_object_get(grouping_at(d, 0), "groups")), 24);
    assert_true(json_array_size(json_object_get(grouping_at(d, 1), "groups")) > 1);
    const json_t *h = json_object_get(grouping_at(d, 2), "groups");
    assert_int_equal(json_array_size(h), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(h, 1), "group")),
                        "left, and more");
    const json_t *counts = json_object_get(json_object_get(d, "overall"), "counts");
    const struct {
        const char *key;
        double rows;
    } cells[] = {{"tp", 150}, {"fp", 450}, {"fn", 150}, {"tn", 450}};
    for (size_t k = 0; k < 4; k++) {
        assert_near(json_number_value(json_object_get(counts, cells[k].key)), cells[k].rows, 0);
    }
}

/* ---- numbers ---- */

static double
number_at(const json_t *o, const char *a, const char *b)
{
    const json_t *v = json_object_get(json_object_get(o, a), b);
    return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

/* The Boston study's own figures: 28.3 % of the Black applicants were denied, 9.3 % of the others.
 * Here the lenders' decision is the prediction. */
static void
finds_the_boston_studys_disparity(void **state)
{
    struct room *m = *state;
    RUN(m, 0, "fairness", "--data", m->csv, "--label", "deny", "--prediction", "deny",
        "--sensitive", "afam,single", "--control", "hschool", "--adverse", "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    const json_t *gap =
        json_object_get(json_object_get(grouping_at(d, 0), "gaps"), "selection_rate");
    const char *sentence = json_string_value(json_object_get(gap, "sentence"));
    assert_text_has(sentence, "deny = yes is predicted 3.06 times as often for afam = yes as for "
                              "afam = no (28.3 % and 9.3 %)");
    assert_text_has(sentence, "for the good outcome the ratio is 0.79; the four-fifths rule fails, "
                              "but the interval reaches over 0.8");
    assert_text_has(sentence, "more than chance explains (adjusted p below 0.0001)");
    assert_near(number_at(gap, "difference", "value"), 0.2832 - 0.0926, 1e-3);
    assert_int_equal(json_array_size(json_object_get(d, "groupings")), 3);
    assert_int_equal(json_array_size(json_object_get(d, "conditional")), 2);
    RUN(m, 0, "fairness", "--data", m->csv, "--label", "deny", "--prediction", "deny",
        "--sensitive", "afam", "--report", in(m, "page.html"));
    OUT_HAS(m, "3.06 times as often");
    OUT_HAS(m, "note: \"deny\" is the label and the prediction");
    DEFER(buf_done) struct buf page;
    testing_read(in(m, "page.html"), &page);
    assert_text_has(buf_str(&page), "<svg");
    assert_text_has(buf_str(&page), "3.06 times as often for afam\xc2\xa0=\xc2\xa0"
                                    "yes");
    assert_null(strstr(buf_str(&page), "<script"));
}

static void
put_random_rows(struct buf *b, size_t n, bool backwards)
{
    buf_put_str(b, "y,d,g,h,age,p,v,q\n");
    for (size_t k = 0; k < n; k++) {
        struct rng r;
        rng_init_at(&r, 5, "cli.fairness", backwards ? n - 1 - k : k);
        const unsigned g = (unsigned)rng_below(&r, 3), y = rng_unit(&r) < 0.4, h = g == 1;
        const double p = rng_unit(&r), v = 10 * rng_unit(&r);
        buf_printf(b, "%u,%u,g%u,%s,%u,%.3f,%.3f,%.3f\n", y, rng_unit(&r) < 0.3 + 0.1 * g, g,
                   h ? "yes" : "no", 18 + (unsigned)rng_below(&r, 60), p, v,
                   v + rng_normal(&r) + g);
    }
}

/* What is drawn from counts, and what needs the rows: scores, weights, numbers, classes,
 * neighbours. */
static const char *const kinds[][10] = {
    {"--label", "y", "--prediction", "d"},
    {"--label", "y", "--prediction", "d", "--score", "p", "--control", "d"},
    {"--label", "y", "--score", "p", "--weight", "v"},
    {"--label", "v", "--prediction", "q"},
    {"--label", "v", "--prediction", "q", "--weight", "p"},
    {"--label", "g", "--prediction", "g"},
    {"--label", "g", "--prediction", "g", "--weight", "p"},
    {"--label", "y", "--score", "p", "--features", "age,v,q"},
};

static void
run_kind(struct room *m, const char *const kind[10], const char *threads)
{
    RUN(m, 0, "fairness", "--data", in(m, "s.csv"), "--sensitive", *kind[1] == 'g' ? "h,d" : "h,g",
        "--json", "--bootstrap", "64", "--threads", threads, kind[0], kind[1], kind[2], kind[3],
        kind[4], kind[5], kind[6], kind[7]);
}

static void
the_order_of_rows_and_the_threads_change_no_digit(void **state)
{
    struct room *m = *state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        DEFER(buf_done) struct buf first;
        buf_init(&first, 16u << 20);
        for (int k = 0; k < 3; k++) {
            DEFER(buf_done) struct buf text;
            buf_init(&text, 1u << 20);
            put_random_rows(&text, 250, k == 2);
            testing_write(in(m, "s.csv"), buf_view(&text));
            run_kind(m, kinds[i], k == 1 ? "3" : "1");
            if (k == 0) {
                buf_put(&first, buf_view(&m->r.out));
            }
            assert_string_equal(buf_str(&first), buf_str(&m->r.out));
        }
    }
    RUN(m, 0, "fairness", "--data", in(m, "s.csv"), BASIC, "g,h", "--json", "--bootstrap", "64");
    DEFER(buf_done) struct buf one;
    buf_init(&one, 16u << 20);
    buf_put(&one, buf_view(&m->r.out));
    RUN(m, 0, "fairness", "--data", in(m, "s.csv"), BASIC, "g,h", "--json", "--bootstrap", "64",
        "--seed", "2");
    assert_string_not_equal(buf_str(&one), buf_str(&m->r.out));
}

static void
assert_all_have_intervals(const json_t *gap)
{
    static const char *const spreads[] = {"difference",       "ratio",     "difference_to_overall",
                                          "ratio_to_overall", "group_min", "group_max"};
    for (size_t k = 0; k < sizeof spreads / sizeof *spreads; k++) {
        const json_t *x = json_object_get(gap, spreads[k]);
        const json_t *ci = json_object_get(x, "ci");
        assert_true(json_is_number(json_array_get(ci, 0)) && json_is_number(json_array_get(ci, 1)));
        assert_string_not_equal(json_string_value(json_object_get(x, "interval")), "none");
    }
}

static void
scores_numbers_classes_and_weights_have_their_metrics(void **state)
{
    struct room *m = *state;
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 20);
    put_random_rows(&text, 900, false);
    testing_write(in(m, "s.csv"), buf_view(&text));
    char path[512];
    (void)snprintf(path, sizeof path, "%s", in(m, "s.csv"));
    RUN(m, 0, "fairness", "--data", path, "--label", "y", "--score", "p", "--sensitive", "g,age",
        "--bins", "3", "--bootstrap", "100", "--json");
    DEFER(js_freep) json_t *scored = out_json(m);
    const json_t *gaps = json_object_get(grouping_at(scored, 0), "gaps");
    has_keys(gaps, "roc_auc_score log_loss r2_score");
    assert_all_have_intervals(json_object_get(gaps, "roc_auc_score"));
    const json_t *rest = json_object_get(
        json_array_get(json_object_get(grouping_at(scored, 0), "groups"), 0), "versus_rest");
    has_keys(json_object_get(rest, "roc_auc_score"), "difference ratio p p_adjusted");
    assert_true(number_at(rest, "roc_auc_score", "p") > 0);
    assert_int_equal(json_array_size(json_object_get(grouping_at(scored, 1), "groups")), 3);
    remarks_hold(scored, "column \"age\" is cut into 3 intervals of about as many rows each");
    remarks_hold(scored, "decided positive where p is 0.5 or more");
    RUN(m, 0, "fairness", "--data", path, "--label", "v", "--prediction", "q", "--sensitive",
        "g,age", "--intervals", "age=30,50", "--bootstrap", "100", "--json");
    DEFER(js_freep) json_t *numbers = out_json(m);
    assert_string_equal(json_string_value(json_object_get(numbers, "task")), "numeric");
    remarks_hold(numbers, "column \"age\" is cut into 3 intervals as --intervals says");
    const json_t *gap =
        json_object_get(json_object_get(grouping_at(numbers, 0), "gaps"), "overprediction");
    assert_text_has(json_string_value(json_object_get(gap, "sentence")), "for g = g2 and");
    RUN(m, 0, "fairness", "--data", path, "--label", "g", "--prediction", "g", "--sensitive", "h",
        "--bootstrap", "100", "--json");
    DEFER(js_freep) json_t *classes = out_json(m);
    assert_int_equal(json_array_size(json_object_get(classes, "classes")), 3);
    const json_t *accuracy =
        json_object_get(json_object_get(grouping_at(classes, 0), "gaps"), "f1_macro");
    assert_near(number_at(accuracy, "group_min", "value"), 1, 0);
    assert_all_have_intervals(accuracy);
    assert_null(json_object_get(grouping_at(classes, 0), "equalized_odds_difference"));
    RUN(m, 0, "fairness", "--data", path, BASIC, "g", "--weight", "v", "--bootstrap", "100",
        "--json");
    DEFER(js_freep) json_t *weighted = out_json(m);
    has_keys(json_array_get(json_object_get(grouping_at(weighted, 0), "groups"), 0),
             "weighted_counts metrics versus_rest clarify");
    RUN(m, 0, "fairness", "--data", path, "--label", "y", "--score", "p", "--sensitive", "g",
        "--weight", "v", "--bootstrap", "100", "--json");
    DEFER(js_freep) json_t *both = out_json(m);
    assert_all_have_intervals(
        json_object_get(json_object_get(grouping_at(both, 0), "gaps"), "roc_auc_score"));
    RUN(m, 0, "fairness", "--data", path, "--label", "v", "--prediction", "q", "--sensitive", "g");
    OUT_HAS(m, "MAE");
    RUN(m, 0, "fairness", "--data", path, "--label", "g", "--prediction", "g", "--sensitive", "h",
        "--report", in(m, "page.html"));
    OUT_HAS(m, "class g1 against the others");
    DEFER(buf_done) struct buf page;
    testing_read(in(m, "page.html"), &page);
    assert_text_has(buf_str(&page), "Mean F1 of the classes by group");
    write_text(m, "s.csv", "y,d,g,p,w\n1,1,a,,1\n0,1,a,0.5,0\n1,0,b,0.5,1\n0,0,b,0.25,1\n");
    RUN(m, 0, "fairness", "--data", path, BASIC, "g", "--score", "p", "--weight", "w", "--report",
        in(m, "page.html"));
    DEFER(buf_done) struct buf few;
    testing_read(in(m, "page.html"), &few);
    assert_text_has(buf_str(&few), "1 rows without a score are not assessed");
    assert_text_has(buf_str(&few), "1 rows of weight 0 are not assessed");
}

/* ---- the page of the format ---- */

static void
assert_on_page(const json_t *v, const char *page)
{
    size_t i = 0;
    const char *key = NULL;
    json_t *item = NULL;
    if (json_is_object(v)) {
        json_object_foreach((json_t *)(uintptr_t)v, key, item)
        {
            char quoted[96];
            (void)snprintf(quoted, sizeof quoted, "`%s`", key);
            if (strstr(page, quoted) == NULL) {
                print_error("%s is not on docs/spec/assessment-fairness.md\n", quoted);
            }
            assert_non_null(strstr(page, quoted));
            assert_on_page(item, page);
        }
    }
    json_array_foreach((json_t *)(uintptr_t)v, i, item)
    {
        assert_on_page(item, page);
    }
}

static void
every_field_stands_on_its_page(void **state)
{
    struct room *m = *state;
    DEFER(file_freep) char *path = testing_source("docs/spec/assessment-fairness.md");
    DEFER(buf_done) struct buf page;
    DEFER(buf_done) struct buf text;
    testing_read(path, &page);
    buf_init(&text, 1u << 20);
    put_random_rows(&text, 300, false);
    testing_write(in(m, "s.csv"), buf_view(&text));
    const char *const runs[3][2] = {{"d", NULL}, {"d", "v"}, {"g", NULL}};
    for (int k = 0; k < 3; k++) {
        RUN(m, 0, "fairness", "--data", in(m, "s.csv"), "--label", k == 2 ? "g" : "y",
            "--prediction", runs[k][0], "--sensitive", "h", "--control", k == 2 ? "d" : "g",
            "--bootstrap", "50", "--json", runs[k][1] == NULL ? NULL : "--weight", runs[k][1]);
        DEFER(js_freep) json_t *d = out_json(m);
        assert_on_page(d, buf_str(&page));
    }
    RUN(m, 0, "fairness", "--data", in(m, "s.csv"), "--label", "y", "--score", "p", "--sensitive",
        "h", "--bootstrap", "50", "--features", "age,v,q", "--json");
    DEFER(js_freep) json_t *d = out_json(m);
    assert_on_page(d, buf_str(&page));
    has_keys(
        json_object_get(json_array_get(json_object_get(grouping_at(d, 0), "groups"), 0), "clarify"),
        "DPPL FT");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BARE(says_what_is_missing_and_what_was_meant),
        BARE(refuses_scores_and_weights_that_are_none_with_their_row),
        BARE(refuses_labels_and_predictions_that_do_not_fit),
        BARE(refuses_more_groups_than_can_be_compared),
        BARE(counts_what_it_leaves_out_and_says_what_does_not_exist),
        BARE(one_group_is_compared_with_nobody),
        BARE(quotients_say_why_they_do_not_exist),
        BARE(many_groups_numbers_commas_and_the_confusion_matrix_are_right),
        BARE(finds_the_boston_studys_disparity),
        BARE(the_order_of_rows_and_the_threads_change_no_digit),
        BARE(scores_numbers_classes_and_weights_have_their_metrics),
        BARE(every_field_stands_on_its_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
