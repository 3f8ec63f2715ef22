/* What became of each row, as cohorts name it. */
#include "sample.h"

#include "data/cohort.h"

#include <stdio.h>
#include <string.h>

#define ROWS 6u

static const char scored[] = "y,yhat,p,class,guess,amount,told,flag,one\n"
                             "yes,no,0.2,a,a,10,12.5,1,0\n"
                             "no,yes,0.8,b,a,20,20,0,1\n"
                             "yes,yes,0.9,c,c,30,20,1,1\n"
                             "no,no,0.1,a,b,40,41,0,0\n"
                             ",no,0.3,b,b,,3,,0\n"
                             "no,,0.6,c,,60,,0,\n";

static const struct column *
of(const struct table *t, const char *name)
{
    return name == NULL ? NULL : table_column(t, name);
}

/* The rows of the condition as "010011", and the rows without an answer. */
static void
selects(const struct table *t, struct outcome *o, const char *predicate, const char *rows,
        uint64_t unknown)
{
    uint8_t in[ROWS];
    char got[ROWS + 1] = {0};
    uint64_t none = 7;
    struct diag diag = {0};
    const struct status s = cohort_select(t, o, predicate, &diag, in, &none);
    if (!status_ok(s)) {
        print_error("%s: %s\n", predicate, diag.text);
    }
    assert_ok(s);
    for (unsigned i = 0; i < ROWS; i++) {
        got[i] = (char)('0' + in[i]);
    }
    assert_string_equal(got, rows);
    assert_int_equal(none, unknown);
}

static void
refuses(const struct table *t, struct outcome *o, const char *predicate, const char *why)
{
    uint8_t in[ROWS];
    struct diag diag = {0};
    assert_status(cohort_select(t, o, predicate, &diag, in, NULL), INPUT);
    assert_says(&diag, why);
}

static void
refuses_what_is_not_known(void **state)
{
    (void)state;
    DEFER(table_freep) struct table *t = sample_csv(scored, NULL);
    DEFER(outcome_done) struct outcome none = {.table = t};
    refuses(t, NULL, "outcome = 'x'", "no column \"outcome\"");
    refuses(t, &none, "outcome = 'x'", "here is no prediction");
    refuses(t, &none, "score > 0.5", "here is no score");
    refuses(t, &none, "score_ > 0.5", "no column \"score_\"");
    DEFER(outcome_done) struct outcome unlabelled = {.table = t, .prediction = of(t, "yhat")};
    refuses(t, &unlabelled, "error = 1", "here is no label");
    selects(t, &unlabelled, "prediction = 'yes'", "011000", 1);
    DEFER(outcome_done)
    struct outcome by_score = {.table = t, .label = of(t, "class"), .score = of(t, "p")};
    refuses(t, &by_score, "prediction = 'a'", "say which that is");
    DEFER(outcome_done)
    struct outcome numbers = {
        .table = t, .label = of(t, "amount"), .prediction = of(t, "told"), .numeric = true};
    refuses(t, &numbers, "outcome = 'correct'", "their difference is \"error\"");
    DEFER(outcome_done)
    struct outcome mixed = {
        .table = t, .label = of(t, "class"), .prediction = of(t, "told"), .numeric = true};
    refuses(t, &mixed, "error > 0", "no numbers both");
}

static void
two_classes_have_four_outcomes(void **state)
{
    (void)state;
    DEFER(table_freep) struct table *t = sample_csv(scored, NULL);
    DEFER(outcome_done)
    struct outcome o = {
        .table = t, .label = of(t, "y"), .prediction = of(t, "yhat"), .score = of(t, "p")};
    selects(t, &o, "outcome = 'false negative'", "100000", 2);
    selects(t, &o, "outcome = 'false positive'", "010000", 2);
    selects(t, &o, "outcome = 'true positive'", "001000", 2);
    selects(t, &o, "outcome = 'true negative'", "000100", 2);
    selects(t, &o, "error = 1", "110000", 2);
    selects(t, &o, "Error = 0 and score > 0.5", "001000", 1); /* a score under it says no */
    selects(t, &o, "outcome is null", "000011", 0);
    selects(t, &o, "row between 2 and 4", "011100", 0);
    DEFER(outcome_done)
    struct outcome other = {
        .table = t, .label = of(t, "y"), .prediction = of(t, "yhat"), .positive = "no"};
    selects(t, &other, "outcome = 'false positive'", "100000", 2);
}

static void
a_score_decides_from_its_threshold_on(void **state)
{
    (void)state;
    DEFER(table_freep) struct table *t = sample_csv(scored, NULL);
    DEFER(outcome_done)
    struct outcome o = {.table = t, .label = of(t, "y"), .score = of(t, "p"), .threshold = 0.3};
    selects(t, &o, "prediction = 'yes'", "011011", 0);
    selects(t, &o, "prediction = 'no'", "100100", 0);
    selects(t, &o, "outcome = 'false positive'", "010001", 1);
    DEFER(outcome_done)
    struct outcome other = {
        .table = t, .label = of(t, "y"), .score = of(t, "p"), .threshold = 0.3, .positive = "no"};
    selects(t, &other, "prediction = 'no'", "011011", 0);
    selects(t, &other, "outcome = 'true positive'", "010001", 1);
}

static void
classes_are_correct_or_incorrect(void **state)
{
    (void)state;
    DEFER(table_freep) struct table *t = sample_csv(scored, NULL);
    DEFER(outcome_done)
    struct outcome o = {.table = t, .label = of(t, "class"), .prediction = of(t, "guess")};
    selects(t, &o, "outcome = 'correct'", "101010", 1);
    selects(t, &o, "error = 1", "010100", 1);
    DEFER(outcome_done)
    struct outcome one = {
        .table = t, .label = of(t, "class"), .prediction = of(t, "guess"), .positive = "a"};
    selects(t, &one, "outcome = 'false positive'", "010000", 1);
    selects(t, &one, "outcome = 'true negative'", "001010", 1);
}

static void
numbers_have_the_difference(void **state)
{
    (void)state;
    DEFER(table_freep) struct table *t = sample_csv(scored, NULL);
    DEFER(outcome_done)
    struct outcome o = {
        .table = t, .label = of(t, "amount"), .prediction = of(t, "told"), .numeric = true};
    selects(t, &o, "error > 0", "100100", 2);
    selects(t, &o, "abs(error) >= 2.5", "101000", 2);
    selects(t, &o, "prediction = 20", "011000", 1);
}

static void
yes_and_one_are_the_same_class(void **state)
{
    (void)state;
    DEFER(table_freep) struct table *t = sample_csv(scored, NULL);
    DEFER(outcome_done)
    struct outcome o = {.table = t, .label = of(t, "y"), .prediction = of(t, "one")};
    selects(t, &o, "outcome = 'false negative'", "100000", 2);
    selects(t, &o, "outcome = 'true positive'", "001000", 2);
    DEFER(outcome_done)
    struct outcome named = {
        .table = t, .label = of(t, "y"), .prediction = of(t, "one"), .positive = "yes"};
    selects(t, &named, "outcome = 'true positive'", "001000", 2);
    selects(t, &named, "error = 1", "110000", 2);
}

static void
columns_of_the_table_come_first(void **state)
{
    (void)state;
    static const char taken[] = "y,yhat,Score,error,row\n"
                                "yes,no,700,x,9\nno,yes,600,y,8\nyes,yes,500,x,7\n"
                                "no,no,400,y,6\nno,no,300,x,5\nno,no,200,y,4\n";
    DEFER(table_freep) struct table *t = sample_csv(taken, NULL);
    DEFER(outcome_done)
    struct outcome o = {.table = t, .label = of(t, "y"), .prediction = of(t, "yhat")};
    selects(t, &o, "score > 450", "111000", 0);
    selects(t, &o, "error = 'x' and error_ = 1", "100000", 0);
    selects(t, &o, "row = 9 or row_ = 2", "110000", 0);
    refuses(t, &o, "score_ > 0.5", "here is no score");
    refuses(t, &o, "outcome_ = 'x'", "no column \"outcome_\"");
}

static void
is_told_once_and_only_when_asked_for(void **state)
{
    (void)state;
    DEFER(table_freep) struct table *t = sample_csv(scored, NULL);
    DEFER(outcome_done)
    struct outcome o = {.table = t, .label = of(t, "y"), .prediction = of(t, "yhat")};
    selects(t, &o, "y = 'yes'", "101000", 1);
    assert_null(o.made[0].name);
    selects(t, &o, "error = 1", "110000", 2);
    selects(t, &o, "error = 1 and outcome = 'false positive'", "010000", 2);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_what_is_not_known),
        cmocka_unit_test(two_classes_have_four_outcomes),
        cmocka_unit_test(a_score_decides_from_its_threshold_on),
        cmocka_unit_test(classes_are_correct_or_incorrect),
        cmocka_unit_test(numbers_have_the_difference),
        cmocka_unit_test(yes_and_one_are_the_same_class),
        cmocka_unit_test(columns_of_the_table_come_first),
        cmocka_unit_test(is_told_once_and_only_when_asked_for),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
