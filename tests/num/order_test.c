/* Sorting items by keys: against qsort, stable, with every kind of number. */
#include "testing/testing.h"

#include "num/order.h"
#include "num/rng.h"
#include "num/student.h"

#include <math.h>
#include <stdlib.h>

enum { N = 5000 };

static void
numbers_that_are_none_come_last_and_zeros_are_one(void **state)
{
    (void)state;
    const double key[7] = {NAN, 0.0, -INFINITY, -0.0, INFINITY, -1e-310, -NAN};
    uint32_t order[7] = {0, 1, 2, 3, 4, 5, 6};
    const uint32_t expected[7] = {2, 5, 1, 3, 4, 0, 6};
    assert_ok(order_by(key, 7, order));
    assert_memory_equal(order, expected, sizeof order);
    assert_ok(order_by(key, 0, order));
}

static const double *sorted_key;

static int
by_key_then_item(const void *a, const void *b)
{
    const uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
    if (sorted_key[i] < sorted_key[k] || sorted_key[i] > sorted_key[k]) {
        return sorted_key[i] < sorted_key[k] ? -1 : 1;
    }
    return (i > k) - (i < k);
}

static void
the_order_is_that_of_a_plain_sort_and_stable(void **state)
{
    (void)state;
    static double key[N];
    static uint32_t order[N], plain[N];
    struct rng r;
    rng_init(&r, 5, "order");
    for (uint32_t i = 0; i < N; i++) {
        key[i] = i % 3 == 0 ? (double)rng_below(&r, 20) - 10 : rng_normal(&r) * 1e3;
        order[i] = plain[i] = i;
    }
    sorted_key = key;
    qsort(plain, N, sizeof *plain, by_key_then_item);
    assert_ok(order_by(key, N, order));
    assert_memory_equal(order, plain, sizeof order);
    /* Called again with a coarser key it keeps the finer order within. */
    for (uint32_t i = 0; i < N; i++) {
        key[i] = floor(key[i] / 500);
    }
    assert_ok(order_by(key, N, order));
    assert_memory_equal(order, plain, sizeof order);
}

static void
students_fast_quantile_is_the_bisected_one(void **state)
{
    (void)state;
    const double df[] = {2, 2.5, 3, 4.2, 7, 12, 30, 99, 1000, 2e4, 1e6};
    assert_true(isnan(student_critical(0, 5)) && isnan(student_critical(0.5, 0.5)));
    assert_true(isnan(student_critical(1.5, 5)));
    for (size_t i = 0; i < sizeof df / sizeof *df; i++) {
        for (double outside = 0.9; outside > 1e-15; outside /= 3) {
            const double exact = -student_quantile(outside / 2, df[i]);
            assert_near(student_critical(outside, df[i]) / exact, 1, 1e-6);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_that_are_none_come_last_and_zeros_are_one),
        cmocka_unit_test(the_order_is_that_of_a_plain_sort_and_stable),
        cmocka_unit_test(students_fast_quantile_is_the_bisected_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
