/* Cholesky against systems made from their answers; moments against the definition; Student's t
 * against SciPy 1.17.1. */
#include "testing/testing.h"

#include "num/cholesky.h"
#include "num/moments.h"
#include "num/rng.h"
#include "num/student.h"

#include <math.h>

static void
refuses_what_is_not_positive_definite(void **state)
{
    (void)state;
    double zero[1] = {0}, indefinite[4] = {1, 2, 2, 1}, singular[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1},
           bad[1] = {(double)NAN};
    assert_false(cholesky_factor(zero, 1));
    assert_false(cholesky_factor(indefinite, 2));
    assert_false(cholesky_factor(singular, 3));
    assert_false(cholesky_factor(bad, 1));
    assert_true(cholesky_factor(zero, 0));
}

static void
solves_what_was_made_from_its_answer(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 3, "test");
    for (size_t n = 1; n <= 60; n += 7) {
        double g[60 * 60], a[60 * 60] = {0}, truth[60], b[60] = {0};
        for (size_t i = 0; i < n * n; i++) {
            g[i] = rng_normal(&r);
        }
        for (size_t i = 0; i < n; i++) { /* a = g g' + n: well conditioned */
            truth[i] = rng_normal(&r);
            for (size_t j = 0; j < n; j++) {
                a[i * n + j] = i == j ? (double)n : 0;
                for (size_t k = 0; k < n; k++) {
                    a[i * n + j] += g[i * n + k] * g[j * n + k];
                }
            }
        }
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < n; j++) {
                b[i] += a[i * n + j] * truth[j];
            }
            for (size_t j = i + 1; j < n; j++) {
                a[i * n + j] = (double)NAN; /* the upper triangle is not read */
            }
        }
        assert_true(cholesky_factor(a, n));
        cholesky_solve(a, n, b);
        for (size_t i = 0; i < n; i++) {
            assert_near(b[i], truth[i], 1e-13 * (double)n);
        }
    }
}

static void
moments_of_nothing_and_of_one_have_no_spread(void **state)
{
    (void)state;
    struct moments m = {0}, none = {0};
    assert_true(isnan(moments_variance(&m)) && isnan(moments_error(&m)));
    moments_add(&m, 1e9);
    assert_true(moments_mean(&m) == 1e9 && isnan(moments_variance(&m)));
    moments_merge(&m, &none);
    assert_true(m.n == 1 && moments_mean(&m) == 1e9);
}

static void
merged_moments_are_those_of_the_whole(void **state)
{
    (void)state;
    struct rng r;
    double x[1000], mean = 0, square = 0;
    struct moments all = {0}, merged = {0};
    rng_init(&r, 4, "test");
    for (size_t i = 0; i < 1000; i++) {
        x[i] = 1e8 + rng_normal(&r); /* far from zero: sums of squares would lose the variance */
        mean += x[i] / 1000;
        moments_add(&all, x[i]);
    }
    for (size_t i = 0; i < 1000; i++) {
        square += (x[i] - mean) * (x[i] - mean);
    }
    for (size_t at = 0, n = 1; at < 1000; at += n, n = n * 2 + 1) {
        struct moments part = {0};
        for (size_t i = at; i < at + n && i < 1000; i++) {
            moments_add(&part, x[i]);
        }
        moments_merge(&merged, &part);
    }
    assert_int_equal(merged.n, 1000);
    assert_near(moments_mean(&all), mean, 1e-6);
    assert_near(moments_variance(&all), square / 999, 1e-6);
    assert_near(moments_error(&all), sqrt(square / 999 / 1000), 1e-7);
    assert_true(moments_mean(&merged) == moments_mean(&all));
    assert_true(moments_squares(&merged) == moments_squares(&all));
}

/* Of values with a far mean, of one value many times, and of both signs: in any order and any
 * split the same bits, and near what long doubles say. */
static void
moments_do_not_depend_on_order_or_split(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 5, "test");
    for (unsigned round = 0; round < 200; round++) {
        const size_t n = 2 + rng_below(&r, 400);
        const double far = round % 3 == 0 ? 0 : round % 3 == 1 ? 1e6 : -3e12;
        double x[402];
        struct moments all = {0}, merged = {0}, part[7] = {0};
        long double mean = 0, squares = 0;
        for (size_t i = 0; i < n; i++) {
            x[i] = far + rng_normal(&r);
            mean += (long double)x[i] / (long double)n;
            moments_add(&all, x[i]);
        }
        for (size_t i = n; i-- > 0;) {
            squares += ((long double)x[i] - mean) * ((long double)x[i] - mean);
            moments_add_times(&part[rng_below(&r, 7)], x[i], 1);
        }
        for (size_t k = 0; k < 7; k++) {
            moments_merge(k % 2 == 0 ? &merged : &part[k + 1], &part[k]);
        }
        assert_memory_equal(&merged, &all, sizeof all);
        assert_near(moments_squares(&all), (double)squares, 1e-9 * (double)squares);
    }
}

static void
equal_values_have_no_variance_at_all(void **state)
{
    (void)state;
    static const double values[] = {0.1, -1e300 / 1e150, 1e-3, 123456.789, 1e6 + 0.3};
    for (size_t k = 0; k < sizeof values / sizeof *values; k++) {
        for (uint64_t n = 2; n < 3000; n = n * 3 + 1) {
            struct moments one_by_one = {0}, at_once = {0};
            for (uint64_t i = 0; i < n; i++) {
                moments_add(&one_by_one, values[k]);
            }
            moments_add_times(&at_once, values[k], n);
            assert_memory_equal(&one_by_one, &at_once, sizeof at_once);
            assert_true(moments_variance(&at_once) == 0);
        }
    }
    struct moments infinite = {0};
    moments_add(&infinite, (double)INFINITY);
    moments_add(&infinite, 1);
    assert_true(isnan(moments_squares(&infinite)));
}

static void
quantiles_of_students_t_are_scipys(void **state)
{
    (void)state;
    static const struct {
        double p;
        double df;
        double t;
    } cases[] = {
        {0.975, 1, 12.706204736174694},
        {0.975, 2, 4.3026527297494619},
        {0.975, 9, 2.2621571627982049},
        {0.025, 9, -2.2621571627982053},
        {0.995, 4, 4.6040948713499921},
        {0.9999, 3, 22.203742273204998},
        {0.95, 29, 1.6991270265334972},
        {0.975, 999, 1.9623414611334493},
        {0.5, 7, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_near(student_quantile(cases[i].p, cases[i].df), cases[i].t,
                    1e-9 * fabs(cases[i].t) + 1e-9);
    }
    assert_true(isnan(student_quantile(0, 3)) && isnan(student_quantile(1, 3)) &&
                isnan(student_quantile(0.9, 0)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_not_positive_definite),
        cmocka_unit_test(solves_what_was_made_from_its_answer),
        cmocka_unit_test(moments_of_nothing_and_of_one_have_no_spread),
        cmocka_unit_test(merged_moments_are_those_of_the_whole),
        cmocka_unit_test(moments_do_not_depend_on_order_or_split),
        cmocka_unit_test(equal_values_have_no_variance_at_all),
        cmocka_unit_test(quantiles_of_students_t_are_scipys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
