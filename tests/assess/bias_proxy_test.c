#include "testing/testing.h"

#include "assess/bias_proxy.h"
#include "assess/bins.h"
#include "num/cross.h"
#include "num/quantile.h"
#include "num/rng.h"

#include <math.h>

#define COUNT_MAX 2048u
#define ROOM 4096u

static double room[ROOM];

static struct proxy
finish(const uint64_t *count, uint32_t cells, uint32_t groups)
{
    struct proxy p;
    assert_true(proxy_workspace(cells, groups) <= ROOM);
    proxy_finish(count, cells, groups, 0.95, room, &p);
    return p;
}

static double
number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    assert_true(json_is_number(v));
    return json_number_value(v);
}

/* ---- limits ---- */

static void
a_constant_column_tells_nothing(void **state)
{
    (void)state;
    const uint64_t count[10] = {9, 11, 10, 10, 12, 8, 9, 11, 10, 10};
    const struct proxy p = finish(count, 1, 2);
    assert_near(p.auc, 0.5, 0);
    assert_near(p.mutual_information, 0, 1e-15);
    assert_true(isnan(p.p_value));
    assert_near(p.df, 0, 0);
}

static void
one_group_alone_cannot_be_told(void **state)
{
    (void)state;
    uint64_t count[20] = {0};
    for (size_t i = 0; i < 20; i += 2) {
        count[i] = 5;
    }
    const struct proxy p = finish(count, 2, 2);
    assert_true(isnan(p.auc) && isnan(p.auc_ci.low) && isnan(p.p_value) && isnan(p.uncertainty));
}

static void
no_rows_give_no_number(void **state)
{
    (void)state;
    const uint64_t count[20] = {0};
    const struct proxy p = finish(count, 2, 2);
    assert_true(isnan(p.auc) && isnan(p.p_value));
}

static void
a_column_of_names_does_not_shine_by_chance(void **state)
{
    (void)state;
    /* Each value once: in the sample it tells everything, outside it nothing. */
    const uint32_t cells = 300;
    static uint64_t count[300 * PROXY_FOLDS * 2];
    for (uint32_t c = 0; c < cells; c++) {
        count[((size_t)c * PROXY_FOLDS + proxy_fold(c)) * 2 + c % 2] = 1;
    }
    const struct proxy p = finish(count, cells, 2);
    assert_near(p.uncertainty, 1, 1e-12);
    assert_near(p.auc, 0.5, 1e-12);
    assert_true(isnan(p.p_value)); /* all rare: nothing to test */
    assert_int_equal(p.pooled, 300);
}

/* ---- other implementations ---- */

static void
strength_agrees_with_scikit_learn_and_scipy(void **state)
{
    (void)state;
    DEFER(memory_freep) char *path = testing_source("tests/assess/data/bias.json");
    DEFER(js_freep) json_t *all = testing_read_json(path);
    size_t i = 0, k = 0;
    json_t *v = NULL, *n = NULL;
    json_array_foreach(json_object_get(all, "proxies"), i, v)
    {
        static uint64_t count[COUNT_MAX];
        assert_true(json_array_size(json_object_get(v, "count")) <= COUNT_MAX);
        json_array_foreach(json_object_get(v, "count"), k, n)
        {
            count[k] = (uint64_t)json_integer_value(n);
        }
        const struct proxy p =
            finish(count, (uint32_t)number(v, "cells"), (uint32_t)number(v, "groups"));
        assert_near(p.auc, number(v, "auc"), 1e-12);
        assert_true(p.auc_ci.low < p.auc && p.auc < p.auc_ci.high);
        assert_near(p.mutual_information, number(v, "mutual_information"), 1e-12);
        assert_near(p.normalized_mutual_information, number(v, "normalized"), 1e-12);
        assert_near(p.uncertainty, number(v, "uncertainty"), 1e-12);
        assert_true(number(v, "least_expected") >= 5);
        assert_int_equal(p.pooled, 0);
        assert_near(p.statistic, number(v, "statistic"), 1e-8);
        assert_near(p.df, number(v, "df"), 0);
        assert_near(p.p_value / number(v, "p_value"), 1, 1e-7);
    }
    assert_int_equal(i, 3);
}

/* ---- laws ---- */

static int32_t codes_a[4000], codes_b[4000], groups_of[4000];

static struct proxy
pair_of(bool exclusive_or, uint64_t seed)
{
    struct rng r;
    rng_init(&r, seed, "proxy");
    static uint64_t count[4 * PROXY_FOLDS * 2];
    memset(count, 0, sizeof count);
    uint64_t missing = 0;
    for (uint64_t i = 0; i < 4000; i++) {
        const int32_t a = (int32_t)rng_below(&r, 2), b = (int32_t)rng_below(&r, 2);
        const bool noise = rng_below(&r, 10) < 3;
        const int32_t told = exclusive_or ? a ^ b : a;
        const int32_t g = noise ? (int32_t)rng_below(&r, 2) : told;
        codes_a[i] = a;
        codes_b[i] = b;
        groups_of[i] = (int32_t)proxy_fold(i) * 2 + g;
    }
    const struct cross_column columns[3] = {{.codes = codes_a, .levels = 2},
                                            {.codes = codes_b, .levels = 2},
                                            {.codes = groups_of, .levels = 10}};
    assert_ok(cross_count(columns, 3, 4000, 1, count, &missing));
    struct proxy p;
    proxy_finish_pair(count, 2, 2, 2, 0.95, room, &p);
    return p;
}

static void
two_columns_that_tell_only_together_are_found(void **state)
{
    (void)state;
    const struct proxy p = pair_of(true, 1);
    assert_true(p.auc > 0.8 && p.p_value < 1e-100);
}

/* The pair is as strong as its first column, and the test says that the second adds nothing: its
 * p-value is uniform. */
static void
a_second_column_that_adds_nothing_is_not_reported(void **state)
{
    (void)state;
    unsigned small = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        const struct proxy p = pair_of(false, seed + 10);
        assert_true(p.auc > 0.8);
        small += p.p_value < 0.05;
    }
    assert_true(small >= 2 && small <= 22); /* 10 expected, standard deviation 3.1 */
}

static void
rows_spread_evenly_over_the_folds(void **state)
{
    (void)state;
    unsigned n[PROXY_FOLDS] = {0};
    for (uint64_t i = 0; i < 100000; i++) {
        n[proxy_fold(i)]++;
    }
    for (unsigned f = 0; f < PROXY_FOLDS; f++) {
        assert_true(n[f] > 19500 && n[f] < 20500);
    }
}

static void
tables_are_the_same_for_any_number_of_threads(void **state)
{
    (void)state;
    enum { ROWS = 300000 };
    DEFER(memory_freep) int32_t *a = malloc(ROWS * sizeof *a);
    DEFER(memory_freep) int32_t *b = malloc(ROWS * sizeof *b);
    assert_true(a != NULL && b != NULL);
    struct rng r;
    rng_init(&r, 5, "cross");
    uint64_t gone = 0;
    for (size_t i = 0; i < ROWS; i++) {
        a[i] = (int32_t)rng_below(&r, 6) - 1;
        b[i] = (int32_t)rng_below(&r, 4) - 1;
        gone += a[i] < 0 || b[i] < 0;
    }
    const struct cross_column columns[2] = {{.codes = a, .levels = 5}, {.codes = b, .levels = 3}};
    uint64_t expected[15] = {0};
    for (size_t i = 0; i < ROWS; i++) {
        if (a[i] >= 0 && b[i] >= 0) {
            expected[a[i] * 3 + b[i]]++;
        }
    }
    for (unsigned threads = 1; threads <= 7; threads++) {
        uint64_t count[15] = {0}, missing = 0;
        assert_ok(cross_count(columns, 2, ROWS, threads, count, &missing));
        assert_memory_equal(count, expected, sizeof count);
        assert_int_equal(missing, gone);
    }
    /* Missing as a level of its own, two levels as one, one left out. */
    const int32_t map[6] = {2, 0, 0, 1, -1, 1};
    const struct cross_column mapped = {.codes = a, .map = map, .levels = 3};
    uint64_t few[3] = {0}, missing = 0, level[7] = {0};
    for (size_t i = 0; i < ROWS; i++) {
        level[a[i] + 1]++;
    }
    assert_ok(cross_count(&mapped, 1, ROWS, 2, few, &missing));
    assert_int_equal(few[0], level[1] + level[2]);
    assert_int_equal(few[1], level[3] + level[5]);
    assert_int_equal(few[2], level[0]);
    assert_int_equal(missing, level[4]);
    assert_int_equal(cross_cells(columns, 2, 14), 0);
    assert_int_equal(cross_cells(columns, 2, 15), 15);
}

/* ---- bins ---- */

static void
no_value_is_split_between_bins(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 8, "bins");
    for (unsigned t = 0; t < 300; t++) {
        double v[200];
        const size_t n = rng_below(&r, 200);
        const uint64_t kinds = 1 + rng_below(&r, 60);
        const uint32_t most = 1 + (uint32_t)rng_below(&r, 10);
        for (size_t i = 0; i < n; i++) {
            v[i] = (double)rng_below(&r, kinds) / 7;
        }
        struct bins b;
        assert_ok(bins_make(v, n, most, &b));
        (void)quantile_sort(v, n);
        assert_true(b.count <= most && (b.count > 0) == (n > 0));
        for (size_t i = 0; i < n; i++) {
            const int32_t code = bins_code(&b, v[i]);
            assert_true(code >= 0 && v[i] >= b.least[code] && v[i] <= b.most[code]);
            assert_true(i == 0 || v[i] != v[i - 1] || bins_code(&b, v[i - 1]) == code);
        }
    }
}

static void
bins_of_distinct_values_are_of_equal_size(void **state)
{
    (void)state;
    double v[1000];
    unsigned n[4] = {0};
    struct bins b;
    for (size_t i = 0; i < 1000; i++) {
        v[i] = sqrt((double)i);
    }
    assert_ok(bins_make(v, 1000, 4, &b));
    assert_int_equal(b.count, 4);
    for (size_t i = 0; i < 1000; i++) {
        n[bins_code(&b, v[i])]++;
    }
    for (size_t k = 0; k < 4; k++) {
        assert_int_equal(n[k], 250);
    }
    assert_int_equal(bins_code(&b, NAN), -1);
    assert_int_equal(bins_code(&b, -INFINITY), 0);
    assert_int_equal(bins_code(&b, INFINITY), 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_constant_column_tells_nothing),
        cmocka_unit_test(one_group_alone_cannot_be_told),
        cmocka_unit_test(no_rows_give_no_number),
        cmocka_unit_test(a_column_of_names_does_not_shine_by_chance),
        cmocka_unit_test(strength_agrees_with_scikit_learn_and_scipy),
        cmocka_unit_test(two_columns_that_tell_only_together_are_found),
        cmocka_unit_test(a_second_column_that_adds_nothing_is_not_reported),
        cmocka_unit_test(rows_spread_evenly_over_the_folds),
        cmocka_unit_test(tables_are_the_same_for_any_number_of_threads),
        cmocka_unit_test(no_value_is_split_between_bins),
        cmocka_unit_test(bins_of_distinct_values_are_of_equal_size),
    };
    return cmocka_run_group_tests_name("assess/bias_proxy", tests, NULL, NULL);
}
