#include "testing/testing.h"

#include "assess/fairness.h"

#include <math.h>
#include <string.h>

#define LEVELS_MAX 8u
#define ROWS_MAX 1000u

static const struct confusion none = {0};

static struct fairness_result
finish(const struct confusion *counts, uint32_t levels, struct fairness_group *groups)
{
    struct fairness_result r;
    fairness_finish(counts, levels, 0, 0.95, groups, &r);
    return r;
}

static void
an_empty_denominator_gives_no_rate_and_is_left_out_of_the_gap(void **state)
{
    (void)state;
    /* No negatives in the second group; nobody selected in the third. */
    const struct confusion counts[3] = {
        {.tp = 3, .fp = 1, .tn = 3, .fn = 1}, {.tp = 2, .fn = 2}, {.tn = 4, .fn = 1}};
    struct fairness_group groups[3];
    const struct fairness_result r = finish(counts, 3, groups);
    assert_true(isnan(groups[1].metric[FAIRNESS_FPR].value));
    assert_int_equal(groups[1].metric[FAIRNESS_FPR].n, 0);
    assert_near(groups[1].metric[FAIRNESS_FPR].ci.low, 0, 0);
    assert_near(groups[1].metric[FAIRNESS_FPR].ci.high, 1, 0);
    assert_true(isnan(groups[2].metric[FAIRNESS_PRECISION].value));
    assert_int_equal(r.gap[FAIRNESS_FPR].undefined, 1);
    assert_near(r.gap[FAIRNESS_FPR].difference, 0.25, 1e-15);
    assert_int_equal(r.gap[FAIRNESS_FPR].high, 0);
    assert_int_equal(r.gap[FAIRNESS_FPR].low, 2);
    assert_int_equal(r.gap[FAIRNESS_PRECISION].undefined, 1);
    assert_near(r.gap[FAIRNESS_PRECISION].difference, 0.25, 1e-15);
}

static void
a_rate_that_no_group_has_leaves_no_gap(void **state)
{
    (void)state;
    const struct confusion counts[2] = {{.tp = 3, .fn = 1}, {.tp = 2, .fn = 2}};
    struct fairness_group groups[2];
    const struct fairness_result r = finish(counts, 2, groups);
    assert_true(isnan(r.gap[FAIRNESS_FPR].difference) && isnan(r.gap[FAIRNESS_FPR].ratio));
    assert_true(isnan(r.gap[FAIRNESS_FPR].difference_ci.low));
    assert_int_equal(r.gap[FAIRNESS_FPR].undefined, 2);
    /* The other rate decides alone. */
    assert_near(r.equalized_odds_difference, 0.25, 1e-15);
    assert_near(r.equalized_odds_ratio, 2.0 / 3.0, 1e-15);
}

static void
no_rows_at_all_give_no_groups(void **state)
{
    (void)state;
    const struct confusion counts[2] = {none, none};
    struct fairness_group groups[2];
    const struct fairness_result r = finish(counts, 2, groups);
    assert_int_equal(r.groups, 0);
    assert_int_equal(r.overall.n, 0);
    assert_true(isnan(r.overall.metric[FAIRNESS_ACCURACY].value));
    assert_true(isnan(r.demographic_parity_difference) && isnan(r.equalized_odds_ratio));
}

static void
one_group_differs_from_nobody(void **state)
{
    (void)state;
    const struct confusion counts[3] = {none, {.tp = 3, .fp = 2, .tn = 4, .fn = 1}, none};
    struct fairness_group groups[3];
    const struct fairness_result r = finish(counts, 3, groups);
    assert_int_equal(r.groups, 1);
    assert_int_equal(groups[0].level, 1);
    assert_near(r.demographic_parity_difference, 0, 0);
    assert_near(r.demographic_parity_ratio, 1, 0);
    const struct fairness_gap *gap = &r.gap[FAIRNESS_SELECTION_RATE];
    assert_true(isnan(gap->difference_ci.low) && isnan(gap->ratio_ci.high));
}

static void
equal_rates_have_an_interval_between_two_groups(void **state)
{
    (void)state;
    const struct confusion counts[2] = {{.tp = 5, .fn = 5}, {.tp = 50, .fn = 50}};
    struct fairness_group groups[2];
    const struct fairness_result r = finish(counts, 2, groups);
    const struct fairness_gap *gap = &r.gap[FAIRNESS_TPR];
    assert_int_equal(gap->high, 0);
    assert_int_equal(gap->low, 1);
    const struct interval ci = interval_newcombe(5, 10, 50, 100, 0.95);
    assert_near(gap->difference_ci.low, ci.low, 0);
    assert_near(gap->difference_ci.high, ci.high, 0);
    assert_near(gap->ratio, 1, 0);
}

static void
nobody_selected_has_no_ratio(void **state)
{
    (void)state;
    const struct confusion counts[2] = {{.tn = 5, .fn = 5}, {.tn = 7, .fn = 1}};
    struct fairness_group groups[2];
    const struct fairness_result r = finish(counts, 2, groups);
    assert_near(r.demographic_parity_difference, 0, 0);
    assert_true(isnan(r.demographic_parity_ratio));
}

static void
drops_rows_without_a_group_label_or_decision(void **state)
{
    (void)state;
    const uint8_t y[5] = {1, 0, 2, 1, 0}, decision[5] = {1, 1, 1, 2, 0};
    const int32_t group[5] = {0, -1, 0, 0, 1};
    struct confusion counts[2] = {none, none};
    assert_int_equal(fairness_accumulate(y, decision, group, 5, 2, counts), 3);
    assert_int_equal(counts[0].tp, 1);
    assert_int_equal(counts[1].tn, 1);
    assert_int_equal(counts[0].fp + counts[0].fn + counts[1].tp + counts[1].fp, 0);
}

/* ---- against Fairlearn, scikit-learn and statsmodels ---- */

struct sample {
    uint8_t y[ROWS_MAX], decision[ROWS_MAX];
    int32_t group[ROWS_MAX];
    size_t rows;
    uint32_t levels;
};

static size_t
digits_of(const json_t *c, const char *key, int32_t *ret_digit)
{
    const char *text = json_string_value(json_object_get(c, key));
    size_t n = 0;
    assert_non_null(text);
    for (; text[n] != '\0' && n < ROWS_MAX; n++) {
        ret_digit[n] = text[n] - '0';
    }
    return n;
}

static void
read_sample(const json_t *c, struct sample *s)
{
    int32_t y[ROWS_MAX], decision[ROWS_MAX];
    s->rows = digits_of(c, "y", y);
    assert_int_equal(digits_of(c, "decision", decision), s->rows);
    assert_int_equal(digits_of(c, "group", s->group), s->rows);
    s->levels = (uint32_t)json_integer_value(json_object_get(c, "levels"));
    assert_true(s->rows > 0 && s->levels <= LEVELS_MAX);
    for (size_t i = 0; i < s->rows; i++) {
        s->y[i] = (uint8_t)y[i];
        s->decision[i] = (uint8_t)decision[i];
    }
}

static double
at(const json_t *o, const char *key)
{
    assert_true(json_is_number(json_object_get(o, key)));
    return json_number_value(json_object_get(o, key));
}

static double
item(const json_t *a, size_t i)
{
    assert_true(json_is_number(json_array_get(a, i)));
    return json_number_value(json_array_get(a, i));
}

static void
check_group(const json_t *theirs, const struct fairness_group *ours)
{
    for (int m = 0; m < FAIRNESS_METRICS; m++) {
        const json_t *t = json_object_get(theirs, fairness_metric_word((enum fairness_metric)m));
        const struct rate *r = &ours->metric[m];
        assert_near(r->value, item(t, 0), 1e-15);
        assert_true((double)r->x == item(t, 1) && (double)r->n == item(t, 2));
        assert_near(r->ci.low, item(t, 3), 1e-12);
        assert_near(r->ci.high, item(t, 4), 1e-12);
    }
}

static void
check_gaps(const json_t *theirs, const struct fairness_result *r)
{
    for (int m = 0; m < FAIRNESS_METRICS; m++) {
        const json_t *t = json_object_get(theirs, fairness_metric_word((enum fairness_metric)m));
        const struct fairness_gap *g = &r->gap[m];
        assert_near(g->difference, at(t, "difference"), 1e-14);
        assert_near(g->ratio, at(t, "ratio"), 1e-14);
        assert_int_equal(r->group[g->high].level, json_integer_value(json_object_get(t, "high")));
        assert_int_equal(r->group[g->low].level, json_integer_value(json_object_get(t, "low")));
        assert_near(g->difference_ci.low, item(json_object_get(t, "difference_ci"), 0), 1e-10);
        assert_near(g->difference_ci.high, item(json_object_get(t, "difference_ci"), 1), 1e-10);
        assert_near(g->ratio_ci.low, item(json_object_get(t, "ratio_ci"), 0), 1e-10);
        assert_near(g->ratio_ci.high, item(json_object_get(t, "ratio_ci"), 1), 1e-10);
    }
}

static void
check_case(const json_t *c)
{
    struct sample s;
    struct confusion counts[LEVELS_MAX] = {0};
    struct fairness_group groups[LEVELS_MAX];
    struct fairness_result r;
    read_sample(c, &s);
    assert_int_equal(fairness_accumulate(s.y, s.decision, s.group, s.rows, s.levels, counts), 0);
    fairness_finish(counts, s.levels, 0, 0.95, groups, &r);
    const json_t *theirs = json_object_get(c, "groups");
    for (uint32_t i = 0; i < r.groups; i++) {
        check_group(json_array_get(theirs, groups[i].level), &groups[i]);
    }
    for (int m = 0; m < FAIRNESS_METRICS; m++) {
        assert_near(
            r.overall.metric[m].value,
            at(json_object_get(c, "overall"), fairness_metric_word((enum fairness_metric)m)),
            1e-14);
    }
    check_gaps(json_object_get(c, "gaps"), &r);
    assert_near(r.demographic_parity_difference, at(c, "demographic_parity_difference"), 1e-14);
    assert_near(r.demographic_parity_ratio, at(c, "demographic_parity_ratio"), 1e-14);
    assert_near(r.equalized_odds_difference, at(c, "equalized_odds_difference"), 1e-14);
    assert_near(r.equalized_odds_ratio, at(c, "equalized_odds_ratio"), 1e-14);
}

static json_t *
vectors(void)
{
    char *path = testing_source("tests/assess/data/fairness.json");
    json_t *document = testing_read_json(path);
    free(path);
    return document;
}

static void
equals_fairlearn_and_the_interval_ends_of_statsmodels(void **state)
{
    (void)state;
    DEFER(js_freep) json_t *document = vectors();
    const json_t *cases = json_object_get(document, "cases");
    assert_int_equal(json_array_size(cases), 4);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        check_case(json_array_get(cases, i));
    }
}

static void
the_cells_of_an_intersection_are_the_pairs_of_levels(void **state)
{
    (void)state;
    DEFER(js_freep) json_t *document = vectors();
    const json_t *c = json_array_get(json_object_get(document, "cases"), 3);
    int32_t a[ROWS_MAX], b[ROWS_MAX], cell[ROWS_MAX], theirs[ROWS_MAX];
    const size_t rows = digits_of(c, "a", a);
    (void)digits_of(c, "b", b);
    (void)digits_of(c, "group", theirs);
    fairness_cross(a, b, 3, rows, cell);
    assert_memory_equal(cell, theirs, rows * sizeof *cell);
    a[4] = -1;
    b[5] = -1;
    fairness_cross(a, b, 3, 6, cell);
    assert_int_equal(cell[4], -1);
    assert_int_equal(cell[5], -1);
}

static void
counts_of_blocks_add_up_to_the_counts_of_all_rows(void **state)
{
    (void)state;
    DEFER(js_freep) json_t *document = vectors();
    struct sample s;
    read_sample(json_array_get(json_object_get(document, "cases"), 1), &s);
    struct confusion whole[LEVELS_MAX] = {0}, parts[LEVELS_MAX] = {0};
    (void)fairness_accumulate(s.y, s.decision, s.group, s.rows, s.levels, whole);
    for (size_t i = 0; i < s.rows; i += 77) {
        const size_t n = s.rows - i < 77 ? s.rows - i : 77;
        (void)fairness_accumulate(s.y + i, s.decision + i, s.group + i, n, s.levels, parts);
    }
    assert_memory_equal(whole, parts, sizeof whole);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(an_empty_denominator_gives_no_rate_and_is_left_out_of_the_gap),
        cmocka_unit_test(a_rate_that_no_group_has_leaves_no_gap),
        cmocka_unit_test(no_rows_at_all_give_no_groups),
        cmocka_unit_test(one_group_differs_from_nobody),
        cmocka_unit_test(equal_rates_have_an_interval_between_two_groups),
        cmocka_unit_test(nobody_selected_has_no_ratio),
        cmocka_unit_test(drops_rows_without_a_group_label_or_decision),
        cmocka_unit_test(equals_fairlearn_and_the_interval_ends_of_statsmodels),
        cmocka_unit_test(the_cells_of_an_intersection_are_the_pairs_of_levels),
        cmocka_unit_test(counts_of_blocks_add_up_to_the_counts_of_all_rows),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
