/* Attributions grouped back to raw columns: laws, and values of one-hot columns. */
#include "testing/testing.h"

#include "assess/explain_columns.h"
#include "num/rng.h"

#include <math.h>

enum { FEATURES = 6, ROWS = 40 };

static const uint32_t alone[FEATURES] = {EXPLAIN_ALONE, EXPLAIN_ALONE, EXPLAIN_ALONE,
                                         EXPLAIN_ALONE, EXPLAIN_ALONE, EXPLAIN_ALONE};
/* a 1-0-1, b alone, 2 of group 7 */
static const uint32_t grouped[FEATURES] = {3, EXPLAIN_ALONE, 3, 7, 7, 3};

static void
without_groups_nothing_changes(void **state)
{
    (void)state;
    DEFER(explain_columns_freep) struct explain_columns *c = NULL;
    const double phi[FEATURES] = {1, 2, 3, 4, 5, 6};
    const float x[FEATURES] = {1, 0, NAN, 7, -1, 1};
    double sum[FEATURES];
    float value[FEATURES];
    assert_ok(explain_columns_new(alone, FEATURES, &c));
    assert_int_equal(c->columns, FEATURES);
    explain_columns_look(c, x, 1);
    explain_columns_sum(c, phi, 1, sum);
    explain_columns_values(c, x, 1, value);
    for (size_t f = 0; f < FEATURES; f++) {
        assert_true(sum[f] == phi[f]);
        assert_true(value[f] == x[f] || (isnan(value[f]) && isnan(x[f])));
    }
}

static void
columns_stand_where_their_first_feature_stood(void **state)
{
    (void)state;
    DEFER(explain_columns_freep) struct explain_columns *c = NULL;
    assert_ok(explain_columns_new(grouped, FEATURES, &c));
    assert_int_equal(c->columns, 3);
    const uint32_t column[FEATURES] = {0, 1, 0, 2, 2, 0}, place[FEATURES] = {0, 0, 1, 0, 1, 2};
    assert_memory_equal(c->column, column, sizeof column);
    assert_memory_equal(c->place, place, sizeof place);
    assert_int_equal(c->members[0], 3);
    assert_int_equal(c->first[2], 3);
}

/* Efficiency: whatever the groups, a row's sum stays. Members: a column's sum is theirs. */
static void
sums_are_those_of_the_members(void **state)
{
    (void)state;
    DEFER(explain_columns_freep) struct explain_columns *c = NULL;
    struct rng r;
    double phi[ROWS * FEATURES], sum[ROWS * 3];
    rng_init(&r, 1, "columns");
    assert_ok(explain_columns_new(grouped, FEATURES, &c));
    for (size_t i = 0; i < ROWS * FEATURES; i++) {
        phi[i] = rng_normal(&r);
    }
    explain_columns_sum(c, phi, ROWS, sum);
    for (size_t i = 0; i < ROWS; i++) {
        const double *p = phi + i * FEATURES, *s = sum + i * 3;
        assert_near(s[0], p[0] + p[2] + p[5], 1e-15);
        assert_near(s[1], p[1], 0);
        assert_near(s[2], p[3] + p[4], 1e-15);
        assert_near(s[0] + s[1] + s[2], p[0] + p[1] + p[2] + p[3] + p[4] + p[5], 1e-14);
    }
}

/* The matrix of columns stays symmetric, and its lines stay what the columns have. */
static void
pairs_are_summed_alike(void **state)
{
    (void)state;
    DEFER(explain_columns_freep) struct explain_columns *c = NULL;
    struct rng r;
    double pairs[ROWS * FEATURES * FEATURES], phi[ROWS * FEATURES], sum[ROWS * 3], summed[ROWS * 9];
    rng_init(&r, 2, "columns");
    assert_ok(explain_columns_new(grouped, FEATURES, &c));
    for (size_t i = 0; i < ROWS; i++) {
        double *m = pairs + i * FEATURES * FEATURES;
        for (size_t a = 0; a < FEATURES; a++) {
            for (size_t b = a; b < FEATURES; b++) {
                m[a * FEATURES + b] = m[b * FEATURES + a] = rng_normal(&r);
            }
        }
        for (size_t a = 0; a < FEATURES; a++) {
            phi[i * FEATURES + a] = 0;
            for (size_t b = 0; b < FEATURES; b++) {
                phi[i * FEATURES + a] += m[a * FEATURES + b];
            }
        }
    }
    explain_columns_sum(c, phi, ROWS, sum);
    explain_columns_sum_pairs(c, pairs, ROWS, summed);
    for (size_t i = 0; i < ROWS; i++) {
        const double *m = pairs + i * FEATURES * FEATURES, *s = summed + i * 9;
        assert_near(s[1], m[1] + m[2 * FEATURES + 1] + m[5 * FEATURES + 1], 1e-14);
        assert_near(s[4 + 4], m[3 * 7] + m[4 * 7] + 2 * m[3 * FEATURES + 4], 1e-14);
        for (size_t a = 0; a < 3; a++) {
            double line = 0;
            for (size_t b = 0; b < 3; b++) {
                line += s[a * 3 + b];
                assert_near(s[a * 3 + b], s[b * 3 + a], 1e-14);
            }
            assert_near(line, sum[i * 3 + a], 1e-13);
        }
    }
}

static float
value_of(const struct explain_columns *c, const float *x)
{
    float value[3];
    explain_columns_values(c, x, 1, value);
    return value[0];
}

static void
the_value_of_a_one_hot_column_is_its_place(void **state)
{
    (void)state;
    DEFER(explain_columns_freep) struct explain_columns *c = NULL;
    const float first[FEATURES] = {1, 9, 0, 0.5f, 2, 0}, last[FEATURES] = {0, 9, 0, 1, 1, 1},
                none[FEATURES] = {0, 9, 0, 1, 1, 0}, unknown[FEATURES] = {0, 9, NAN, 1, 1, 0},
                known[FEATURES] = {NAN, 9, 1, 1, 1, NAN};
    assert_ok(explain_columns_new(grouped, FEATURES, &c));
    explain_columns_look(c, first, 1);
    assert_true(c->one_hot[0] != 0);
    assert_true(c->one_hot[2] == 0); /* 0.5 and 2 */
    assert_true(value_of(c, first) == 0);
    assert_true(value_of(c, known) == 1);
    assert_true(value_of(c, last) == 2);
    assert_true(value_of(c, none) == 3);
    assert_true(isnan(value_of(c, unknown)));
}

static void
two_ones_in_a_row_are_not_one_hot(void **state)
{
    (void)state;
    DEFER(explain_columns_freep) struct explain_columns *c = NULL;
    const float x[2 * FEATURES] = {1, 9, 0, 1, 0, 0, 1, 9, 0, 0, 1, 1};
    assert_ok(explain_columns_new(grouped, FEATURES, &c));
    explain_columns_look(c, x, 1);
    assert_true(c->one_hot[0] != 0);
    explain_columns_look(c, x + FEATURES, 1);
    assert_true(c->one_hot[0] == 0);
    assert_true(c->one_hot[2] != 0);
    assert_true(isnan(value_of(c, x)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_groups_nothing_changes),
        cmocka_unit_test(columns_stand_where_their_first_feature_stood),
        cmocka_unit_test(sums_are_those_of_the_members),
        cmocka_unit_test(pairs_are_summed_alike),
        cmocka_unit_test(the_value_of_a_one_hot_column_is_its_place),
        cmocka_unit_test(two_ones_in_a_row_are_not_one_hot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
