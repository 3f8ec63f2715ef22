/* Sums of doubles: exact where whole numbers of 128 bits tell, the same for any order and any
 * split, and hostile values. */
#include "testing/testing.h"

#include "num/rng.h"
#include "num/sum.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { N = 4096 };

static void
nothing_adds_up_to_zero(void **state)
{
    (void)state;
    const double zeros[] = {0.0, -0.0, 0.0};
    struct sum empty = {0}, other = {0};
    assert_true(sum_of(NULL, 0) == 0 && sum_of(zeros, 3) == 0);
    sum_merge(&empty, &other);
    assert_true(sum_value(&empty) == 0);
}

static void
infinity_and_nan_are_passed_on(void **state)
{
    (void)state;
    const double up[] = {1, (double)INFINITY, 2}, both[] = {(double)INFINITY, (double)-INFINITY},
                 nan[] = {1, (double)NAN, 2};
    assert_true(sum_of(up, 3) == (double)INFINITY);
    assert_true(isnan(sum_of(both, 2)) && isnan(sum_of(nan, 3)));
    struct sum a = {0}, b = {0};
    sum_add(&a, (double)INFINITY);
    sum_add(&b, (double)-INFINITY);
    sum_merge(&a, &b);
    assert_true(isnan(sum_value(&a)));
}

static void
the_ends_of_the_range_are_kept(void **state)
{
    (void)state;
    const double over[] = {DBL_MAX, DBL_MAX, -DBL_MAX}, past[] = {DBL_MAX, DBL_MAX},
                 least[] = {DBL_TRUE_MIN, DBL_TRUE_MIN, DBL_TRUE_MIN},
                 border[] = {DBL_MIN, -DBL_TRUE_MIN};
    assert_true(sum_of(over, 3) == DBL_MAX);
    assert_true(sum_of(past, 2) == (double)INFINITY);
    assert_true(sum_of(least, 3) == 3 * DBL_TRUE_MIN);
    assert_true(sum_of(border, 2) == DBL_MIN - DBL_TRUE_MIN);
}

static void
digits_that_cancel_are_kept(void **state)
{
    (void)state;
    const double hard[] = {1, 1e25, 1, -1e25}; /* plain adding: 0 */
    assert_true(sum_of(hard, 4) == 2);
    const double ill[] = {1e16, 1, -1e16, 1e-16, 3.5, -1};
    assert_true(sum_of(ill, 6) == 3.5);
    struct sum tenth = {0};
    for (unsigned i = 0; i < 1000000; i++) {
        sum_add(&tenth, 0.1);
    }
    assert_true(sum_value(&tenth) == 100000); /* rounded from 10^6 times 0.1 as it is kept */
}

/* Values of m 2^-60, |m| < 2^100: their sum in 128 bits, rounded once, is the answer. */
static void
sums_are_rounded_once(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 11, "whole");
    for (unsigned round = 0; round < 2000; round++) {
        struct sum s = {0};
        __int128 whole = 0;
        const unsigned count = 1 + (unsigned)rng_below(&r, 9);
        for (unsigned i = 0; i < count; i++) {
            const int64_t mantissa = (int64_t)(rng_u64(&r) >> 11) - (1ll << 52);
            const unsigned shift = (unsigned)rng_below(&r, 60);
            whole += ((__int128)mantissa) * ((__int128)1 << shift);
            sum_add(&s, ldexp((double)mantissa, (int)shift - 60));
        }
        assert_true(sum_value(&s) == ldexp((double)whole, -60));
    }
}

/* Sizes over 180 orders of magnitude, so that places come and go. */
static void
fill(double x[static N])
{
    struct rng r;
    rng_init(&r, 3, "sums");
    for (unsigned i = 0; i < N; i++) {
        x[i] = ldexp(rng_unit(&r) - 0.5, (int)rng_below(&r, 600) - 300);
    }
}

static void
neither_order_nor_split_changes_a_bit(void **state)
{
    (void)state;
    static double x[N], y[N];
    static size_t order[N];
    fill(x);
    const double whole = sum_of(x, N);
    struct rng r;
    rng_init(&r, 4, "orders");
    for (size_t i = 0; i < N; i++) {
        order[i] = i;
    }
    for (unsigned round = 0; round < 20; round++) {
        rng_shuffle(&r, order, N);
        struct sum part[7] = {0}, merged = {0};
        for (size_t i = 0; i < N; i++) {
            y[i] = x[order[i]];
            sum_add(&part[rng_below(&r, 7)], y[i]);
        }
        for (size_t k = 0; k < 7; k++) {
            sum_merge(&merged, &part[k]);
        }
        assert_true(sum_of(y, N) == whole && sum_value(&merged) == whole);
    }
}

/* n 2^-96 of the largest: everything small besides one value that cancels. */
static void
the_error_is_within_the_bound_of_the_header(void **state)
{
    (void)state;
    struct sum s = {0};
    const double large = ldexp(1, 110);
    sum_add(&s, large);
    for (unsigned i = 0; i < 1000; i++) {
        sum_add(&s, 0.1);
    }
    sum_add(&s, -large);
    assert_near(sum_value(&s), 100, 1002 * ldexp(large, -96));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_adds_up_to_zero),
        cmocka_unit_test(infinity_and_nan_are_passed_on),
        cmocka_unit_test(the_ends_of_the_range_are_kept),
        cmocka_unit_test(digits_that_cancel_are_kept),
        cmocka_unit_test(sums_are_rounded_once),
        cmocka_unit_test(neither_order_nor_split_changes_a_bit),
        cmocka_unit_test(the_error_is_within_the_bound_of_the_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
