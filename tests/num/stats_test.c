/* Intervals, the normal distribution and quantiles against SciPy, statsmodels and NumPy (versions
 * in tests/num/data/vectors.json), sums against exact values, and the laws that need no other. */
#include "testing/testing.h"

#include "base/file.h"
#include "num/interval.h"
#include "num/normal.h"
#include "num/quantile.h"
#include "num/rng.h"
#include "num/sum.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

static json_t *vectors;

static int
load(void **state)
{
    (void)state;
    DEFER(file_freep) char *path = testing_source("tests/num/data/vectors.json");
    vectors = testing_read_json(path);
    return 0;
}

static int
unload(void **state)
{
    (void)state;
    js_freep(&vectors);
    return 0;
}

static double
at(const json_t *row, size_t i)
{
    assert_true(i < json_array_size(row));
    return json_number_value(json_array_get(row, i));
}

/* At least `least` rows, so that an empty file does not pass. */
static const json_t *
rows_of(const char *name, size_t least)
{
    const json_t *rows = json_object_get(vectors, name);
    assert_true(json_array_size(rows) >= least);
    return rows;
}

#define assert_relative(A, B, TOLERANCE) assert_near((A), (B), fabs(B) * (TOLERANCE))

/* ---- edges ---- */

static void
nothing_known_is_the_whole_range(void **state)
{
    (void)state;
    const struct interval w = interval_wilson(0, 0, 0.95), d = interval_newcombe(1, 2, 0, 0, 0.95);
    assert_true(w.low == 0 && w.high == 1);
    assert_true(d.low == -1 && d.high == 1);
    assert_true(isnan(quantile_sorted(NULL, 0, 0.5)));
    assert_true(normal_quantile(0) == -INFINITY && normal_quantile(1) == INFINITY);
    assert_true(isnan(normal_quantile(-0.1)) && isnan(normal_quantile(1.1)) &&
                isnan(normal_quantile((double)NAN)));
    assert_true(sum_of(NULL, 0) == 0);
}

static void
all_or_nothing_is_exact(void **state)
{
    (void)state;
    for (double n = 1; n < 1e9; n *= 7) {
        assert_true(interval_wilson(0, n, 0.95).low == 0 && interval_wilson(n, n, 0.95).high == 1);
        assert_true(interval_wilson(0, n, 0.95).high > 0 && interval_wilson(n, n, 0.95).low < 1);
    }
}

/* ---- against others ---- */

static void
wilson_equals_statsmodels(void **state)
{
    (void)state;
    const json_t *rows = rows_of("wilson", 50);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *v = json_array_get(rows, i);
        const struct interval got = interval_wilson(at(v, 0), at(v, 1), at(v, 2));
        assert_near(got.low, at(v, 3), 1e-14);
        assert_near(got.high, at(v, 4), 1e-14);
    }
}

static void
newcombe_equals_statsmodels(void **state)
{
    (void)state;
    const json_t *rows = rows_of("newcombe", 50);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *v = json_array_get(rows, i);
        const struct interval got =
            interval_newcombe(at(v, 0), at(v, 1), at(v, 2), at(v, 3), at(v, 4));
        assert_near(got.low, at(v, 5), 1e-13);
        assert_near(got.high, at(v, 6), 1e-13);
    }
}

/* Newcombe (1998), Statistics in Medicine 17, table II, method 10, as printed there. */
static void
newcombe_equals_his_paper(void **state)
{
    (void)state;
    static const double table[][6] = {
        {56, 70, 48, 80, 0.0524, 0.3339}, {9, 10, 3, 10, 0.1705, 0.8090},
        {6, 7, 2, 7, 0.0582, 0.8062},     {5, 56, 0, 29, -0.0381, 0.1926},
        {0, 10, 0, 20, -0.1611, 0.2775},  {0, 10, 0, 10, -0.2775, 0.2775},
        {10, 10, 0, 20, 0.6791, 1.0000},  {10, 10, 0, 10, 0.6075, 1.0000},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const double *v = table[i];
        const struct interval got = interval_newcombe(v[0], v[1], v[2], v[3], 0.95);
        assert_near(got.low, v[4], 5e-5);
        assert_near(got.high, v[5], 5e-5);
    }
}

static void
the_normal_distribution_equals_scipy(void **state)
{
    (void)state;
    const json_t *q = rows_of("normal_quantile", 20), *c = rows_of("normal_cdf", 10);
    for (size_t i = 0; i < json_array_size(q); i++) {
        const json_t *v = json_array_get(q, i);
        const double tolerance = at(v, 0) < DBL_MIN ? 1e-8 : 1e-13;
        assert_near(normal_quantile(at(v, 0)), at(v, 1), fmax(fabs(at(v, 1)) * tolerance, 1e-15));
    }
    for (size_t i = 0; i < json_array_size(c); i++) {
        const json_t *v = json_array_get(c, i);
        assert_relative(normal_cdf(at(v, 0)), at(v, 1), 1e-12);
    }
}

static void
quantiles_equal_numpy(void **state)
{
    (void)state;
    const json_t *rows = rows_of("quantiles", 40);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *o = json_array_get(rows, i), *values = json_object_get(o, "values");
        double x[8];
        const size_t n = json_array_size(values);
        assert_true(n <= 8);
        for (size_t k = 0; k < n; k++) {
            x[k] = at(values, k);
        }
        assert_int_equal(quantile_sort(x, n), n);
        const double want = json_number_value(json_object_get(o, "q")),
                     got = quantile_sorted(x, n, json_number_value(json_object_get(o, "p")));
        assert_near(got, want, fabs(want) * 4e-16);
    }
}

/* ---- laws ---- */

static void
an_interval_holds_its_estimate_and_grows_with_the_level(void **state)
{
    (void)state;
    static const double levels[] = {0.5, 0.8, 0.9, 0.95, 0.99, 0.9999};
    struct rng r;
    rng_init(&r, 1, "intervals");
    for (unsigned i = 0; i < 2000; i++) {
        const double n1 = 1 + (double)rng_below(&r, 1000), n2 = 1 + (double)rng_below(&r, 1000);
        const double x1 = (double)rng_below(&r, (uint64_t)n1 + 1),
                     x2 = (double)rng_below(&r, (uint64_t)n2 + 1);
        struct interval inner = {0.5, 0.5}, inner_d = {0, 0};
        for (size_t k = 0; k < sizeof levels / sizeof *levels; k++) {
            const struct interval w = interval_wilson(x1, n1, levels[k]),
                                  d = interval_newcombe(x1, n1, x2, n2, levels[k]),
                                  back = interval_newcombe(x2, n2, x1, n1, levels[k]);
            const double p = x1 / n1, diff = x1 / n1 - x2 / n2;
            assert_true(w.low >= 0 && w.low <= p && p <= w.high && w.high <= 1);
            assert_true(d.low >= -1 - 1e-12 && d.low <= diff && diff <= d.high &&
                        d.high <= 1 + 1e-12);
            assert_near(d.low, -back.high, 1e-15); /* the other way round is the mirror */
            if (k > 0) {
                assert_true(w.low <= inner.low && w.high >= inner.high);
                assert_true(d.low <= inner_d.low && d.high >= inner_d.high);
            }
            inner = w;
            inner_d = d;
        }
    }
}

static void
the_quantile_undoes_the_distribution(void **state)
{
    (void)state;
    for (double z = -37; z < 5; z += 0.37) {
        assert_near(normal_quantile(normal_cdf(z)), z, z < 0 ? fmax(-z * 1e-14, 1e-15) : 1e-10);
    }
    for (double p = 1e-9; p < 0.5; p *= 1.7) {
        assert_near(normal_quantile(p), -normal_quantile(1 - p), 1e-6);
        assert_true(normal_quantile(p) < normal_quantile(p * 1.0001));
    }
}

static void
quantiles_take_out_nan_and_keep_infinity(void **state)
{
    (void)state;
    const double nan = (double)NAN, inf = (double)INFINITY;
    double x[] = {3, nan, inf, 1, nan, -inf, 2};
    assert_int_equal(quantile_sort(x, 7), 5);
    assert_true(x[0] == -inf && x[1] == 1 && x[2] == 2 && x[3] == 3 && x[4] == inf);
    assert_true(quantile_sorted(x, 5, 0.5) == 2);
    assert_true(quantile_sorted(x, 5, 1) == inf && quantile_sorted(x, 5, 0) == -inf);
    double none[] = {nan, nan};
    assert_int_equal(quantile_sort(none, 2), 0);
}

static int
by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Many values are sorted another way than few: the same order, NaN left out. */
static void
many_values_are_sorted_as_few(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    static double x[MANY], y[MANY];
    size_t n = 0;
    uint64_t r = 7;
    for (size_t i = 0; i < MANY; i++) {
        r = r * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const double u = (double)(int64_t)r / 9.3e18;
        x[i] = i % 97 == 0    ? (double)NAN
               : i % 101 == 0 ? (i % 2 == 0 ? HUGE_VAL : -HUGE_VAL)
               : i % 7 == 0   ? floor(u * 5)
               : i % 11 == 0  ? u * 1e-310
                              : u * pow(10, (double)(i % 40) - 20);
        if (!isnan(x[i])) {
            y[n++] = x[i];
        }
    }
    qsort(y, n, sizeof *y, by_value);
    assert_int_equal(quantile_sort(x, MANY), n);
    for (size_t i = 0; i < n; i++) {
        assert_true(x[i] >= y[i] && x[i] <= y[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(many_values_are_sorted_as_few),
        cmocka_unit_test(nothing_known_is_the_whole_range),
        cmocka_unit_test(all_or_nothing_is_exact),
        cmocka_unit_test(wilson_equals_statsmodels),
        cmocka_unit_test(newcombe_equals_statsmodels),
        cmocka_unit_test(newcombe_equals_his_paper),
        cmocka_unit_test(the_normal_distribution_equals_scipy),
        cmocka_unit_test(quantiles_equal_numpy),
        cmocka_unit_test(an_interval_holds_its_estimate_and_grows_with_the_level),
        cmocka_unit_test(the_quantile_undoes_the_distribution),
        cmocka_unit_test(quantiles_take_out_nan_and_keep_infinity),
    };
    return cmocka_run_group_tests(cases, load, unload);
}
