/* Counted values against sorting, for any order and any split, and values that are none. */
#include "testing/testing.h"

#include "num/counted.h"
#include "num/quantile.h"
#include "num/rng.h"

#include <math.h>

static void
no_value_has_no_quantile(void **state)
{
    (void)state;
    DEFER(counted_done) struct counted c = {0};
    DEFER(counted_done) struct counted none = {0};
    const double nan[] = {(double)NAN, (double)NAN};
    assert_ok(counted_settle(&c));
    assert_ok(counted_merge(&c, &none));
    assert_ok(counted_add(&c, nan, 2, 1));
    assert_ok(counted_settle(&c));
    assert_true(c.n == 0 && counted_rows(&c) == 0 && c.missing == 2);
    assert_true(isnan(counted_quantile(&c, 0.5)));
}

static void
minus_zero_is_zero_and_infinities_have_places(void **state)
{
    (void)state;
    DEFER(counted_done) struct counted c = {0};
    const double x[] = {0, (double)INFINITY, -0.0, (double)-INFINITY, (double)INFINITY, 0};
    assert_ok(counted_add(&c, x, 6, 1));
    assert_ok(counted_settle(&c));
    assert_true(c.n == 3 && counted_times(&c, 0) == 1 && counted_times(&c, 1) == 3 &&
                counted_times(&c, 2) == 2);
    assert_true(!signbit(c.at[1].value) && c.at[1].value == 0);
    assert_true(counted_quantile(&c, 0.5) == 0 && counted_quantile(&c, 1) == (double)INFINITY);
}

/* One in fifty is missing; few distinct values, many, or all of them. */
static void
draw(struct rng *r, double *x, size_t n, uint64_t kinds)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = rng_below(r, 50) == 0 ? (double)NAN
               : kinds == 0          ? rng_normal(r)
                                     : (double)rng_below(r, kinds) - (double)kinds / 2;
    }
}

static void
assert_sorted_alike(const struct counted *c, const double *sorted, size_t n)
{
    size_t k = 0;
    assert_int_equal(counted_rows(c), n);
    for (size_t i = 0; i < n; i++) {
        k += i > 0 && sorted[i] > sorted[i - 1];
        assert_true(c->at[k].value == sorted[i] && counted_place(c, i) == k);
        assert_true(i + 1 < n ? c->at[k].upto > i : c->at[k].upto == n);
    }
    assert_int_equal(c->n, n == 0 ? 0 : k + 1);
    for (unsigned p = 0; p <= 97 && n > 0; p++) {
        assert_true(counted_quantile(c, p / 97.0) == quantile_sorted(sorted, n, p / 97.0));
    }
}

static void
counting_is_sorting(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 3, "counted");
    for (unsigned round = 0; round < 60; round++) {
        const size_t n = round < 55 ? rng_below(&r, 3000) : 4 * COUNTED_WAITING + 5;
        const uint64_t kinds = round % 3 == 0 ? 0 : round % 3 == 1 ? 7 : 100000;
        DEFER(memory_freep) double *x = calloc(n + 1, sizeof *x);
        DEFER(counted_done) struct counted c = {0};
        assert_non_null(x);
        draw(&r, x, n, kinds);
        assert_ok(counted_add(&c, x, n / 2, 2)); /* every other value, then the rest */
        assert_ok(counted_add(&c, x + 1, n / 2, 2));
        assert_ok(counted_add(&c, x + n / 2 * 2, n % 2, 1));
        assert_ok(counted_settle(&c));
        const size_t whole = quantile_sort(x, n);
        assert_int_equal(c.missing, n - whole);
        assert_sorted_alike(&c, x, whole);
    }
}

static void
parts_in_any_order_are_the_whole(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 4, "counted");
    for (unsigned round = 0; round < 200; round++) {
        const size_t n = rng_below(&r, 4000), parts = 1 + rng_below(&r, 7);
        DEFER(memory_freep) double *x = calloc(n + 1, sizeof *x);
        DEFER(counted_done) struct counted all = {0};
        struct counted part[7] = {0};
        assert_non_null(x);
        draw(&r, x, n, round % 2 == 0 ? 0 : 30);
        for (size_t i = 0; i < n; i++) {
            assert_ok(counted_add(&part[rng_below(&r, parts)], x + i, 1, 1));
            if (rng_below(&r, 500) == 0) {
                assert_ok(counted_settle(&part[rng_below(&r, parts)]));
            }
        }
        for (size_t k = parts; k-- > 0;) { /* into a whole that began empty, or its neighbour */
            struct counted *to = k > 0 && rng_below(&r, 2) == 0 ? &part[k - 1] : &all;
            assert_ok(counted_merge(to, &part[k]));
            counted_done(&part[k]);
        }
        assert_ok(counted_settle(&all));
        const size_t whole = quantile_sort(x, n);
        assert_int_equal(all.missing, n - whole);
        assert_sorted_alike(&all, x, whole);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_value_has_no_quantile),
        cmocka_unit_test(minus_zero_is_zero_and_infinities_have_places),
        cmocka_unit_test(counting_is_sorting),
        cmocka_unit_test(parts_in_any_order_are_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
