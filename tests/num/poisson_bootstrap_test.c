/* The weights are Poisson(1), independent between rows and between replicates, and the same however
 * the rows are cut; the cells' counts have the distribution of the sums of weights. The bounds are
 * five or more standard deviations, of seeds that are fixed. */
#include "testing/testing.h"

#include "num/poisson_bootstrap.h"

#include <math.h>
#include <stdlib.h>

#define ROWS 200000u

static uint8_t a[ROWS], b[ROWS];

static void
replicates_without_a_value_are_told(void **state)
{
    (void)state;
    double v[5] = {NAN, 3, NAN, 1, 2}, lonely[2] = {NAN, 7};
    size_t kept = 0;
    const struct interval ci = poisson_bootstrap_interval(v, 5, 0.5, &kept);
    assert_int_equal(kept, 3);
    assert_near(ci.low, 1.5, 1e-15);
    assert_near(ci.high, 2.5, 1e-15);
    assert_true(isnan(poisson_bootstrap_interval(lonely, 2, 0.95, &kept).low));
    assert_int_equal(kept, 1);
}

static void
an_empty_cell_stays_empty(void **state)
{
    (void)state;
    assert_int_equal(poisson_bootstrap_count(1, 2, 3, 0), 0);
    poisson_bootstrap_weights(1, 2, 3, 0, NULL);
}

static void
however_the_rows_are_cut_the_weights_are_the_same(void **state)
{
    (void)state;
    /* Across the place where the row number outgrows 32 bits. */
    const uint64_t firsts[3] = {0, (UINT64_C(1) << 32) - 1000, UINT64_C(5) << 40};
    for (size_t k = 0; k < 3; k++) {
        poisson_bootstrap_weights_ref(7, k, firsts[k], 3000, a);
        for (size_t at = 0, run = 1; at < 3000; at += run, run = run * 2 % 509 + 1) {
            const size_t n = run < 3000 - at ? run : 3000 - at;
            poisson_bootstrap_weights(7, k, firsts[k] + at, n, b + at);
        }
        assert_memory_equal(a, b, 3000);
    }
}

/* Chi-square of the counts of weights 0..5 and more, six degrees of freedom. */
static double
misfit(const uint8_t *w, size_t n)
{
    static const double share[7] = {0.36787944117144233, 0.36787944117144233, 0.18393972058572117,
                                    0.06131324019524039, 0.01532831004881010, 0.00306566200976202,
                                    0.00059418479770577};
    double count[7] = {0}, x = 0;
    for (size_t i = 0; i < n; i++) {
        count[w[i] < 6 ? w[i] : 6]++;
    }
    for (size_t k = 0; k < 7; k++) {
        const double expected = share[k] * (double)n;
        x += (count[k] - expected) * (count[k] - expected) / expected;
    }
    return x;
}

static void
weights_have_the_poisson_distribution(void **state)
{
    (void)state;
    double sum = 0;
    for (uint64_t r = 0; r < 40; r++) {
        poisson_bootstrap_weights(11, r, 0, ROWS, a);
        const double x = misfit(a, ROWS);
        assert_true(x < 35); /* P < 4e-6 each */
        sum += x;
    }
    assert_true(sum > 130 && sum < 380); /* 240 degrees of freedom */
}

static double
correlation(const uint8_t *x, const uint8_t *y, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += ((double)x[i] - 1) * ((double)y[i] - 1);
    }
    return sum / sqrt((double)n); /* standard normal when independent: both variances are 1 */
}

static void
rows_replicates_and_seeds_are_independent(void **state)
{
    (void)state;
    poisson_bootstrap_weights(11, 0, 0, ROWS, a);
    for (size_t lag = 1; lag < 2048; lag *= 2) {
        assert_true(fabs(correlation(a, a + lag, ROWS - lag)) < 5);
    }
    for (uint64_t r = 1; r < 20; r++) {
        poisson_bootstrap_weights(11, r, 0, ROWS, b);
        assert_true(fabs(correlation(a, b, ROWS)) < 5);
        poisson_bootstrap_weights(11 + r, 0, 0, ROWS, b);
        assert_true(fabs(correlation(a, b, ROWS)) < 5);
        poisson_bootstrap_weights(11, 0, r << 32, ROWS, b);
        assert_true(fabs(correlation(a, b, ROWS)) < 5);
    }
}

/* Mean, variance and the third moment about the mean of a Poisson(m) are all m. */
static void
assert_moments(const double *x, size_t n, double m)
{
    double mean = 0, second = 0, third = 0;
    for (size_t i = 0; i < n; i++) {
        mean += x[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        const double d = x[i] - m;
        second += d * d / (double)n;
        third += d * d * d / (double)n;
    }
    const double root = sqrt((double)n);
    assert_near(mean, m, 5 * sqrt(m) / root);
    assert_near(second, m, 5 * sqrt(2 * m * m + m) / root);
    assert_near(third, m, 5 * sqrt(15 * m * m * m + 70 * m * m + 10 * m) / root);
}

static void
a_cells_count_is_distributed_as_the_sum_of_its_rows(void **state)
{
    (void)state;
    enum { DRAWS = 20000 };
    static double counts[DRAWS], sums[DRAWS];
    const uint64_t rows[6] = {1, 3, 9, 10, 40, 2000};
    for (size_t k = 0; k < 6; k++) {
        for (uint64_t r = 0; r < DRAWS; r++) {
            counts[r] = (double)poisson_bootstrap_count(5, r, k, rows[k]);
            sums[r] = 0;
            if (rows[k] <= 40) {
                poisson_bootstrap_weights(5, r, k << 20, rows[k], a);
                for (size_t i = 0; i < rows[k]; i++) {
                    sums[r] += a[i];
                }
            }
        }
        assert_moments(counts, DRAWS, (double)rows[k]);
        if (rows[k] <= 40) {
            assert_moments(sums, DRAWS, (double)rows[k]);
        }
    }
}

static void
a_large_cells_count_is_near_normal(void **state)
{
    (void)state;
    double inside = 0;
    for (uint64_t r = 0; r < 4000; r++) {
        const double z = ((double)poisson_bootstrap_count(5, r, 1, 100000000) - 1e8) / 1e4;
        inside += fabs(z) < 1.959963984540054;
    }
    assert_near(inside / 4000, 0.95, 5 * sqrt(0.95 * 0.05 / 4000));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replicates_without_a_value_are_told),
        cmocka_unit_test(an_empty_cell_stays_empty),
        cmocka_unit_test(however_the_rows_are_cut_the_weights_are_the_same),
        cmocka_unit_test(weights_have_the_poisson_distribution),
        cmocka_unit_test(rows_replicates_and_seeds_are_independent),
        cmocka_unit_test(a_cells_count_is_distributed_as_the_sum_of_its_rows),
        cmocka_unit_test(a_large_cells_count_is_near_normal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
