#include "testing/testing.h"

#include "assess/residuals.h"
#include "num/rng.h"

#include <math.h>

#define ROWS 997u

static void
one_row_has_no_spread(void **state)
{
    (void)state;
    const double y = 3, p = 5;
    struct residuals r;
    assert_ok(residuals_of(&y, &p, 1, 0.95, &r));
    assert_true(isnan(r.truth_sd) && isnan(r.step[0].ci.low) && isnan(r.step[0].ci.high));
    assert_true(r.bins == 1 && r.bin[0].rows == 1 && r.steps == 1);
    assert_near(r.rmse, 2, 0);
    assert_near(r.baseline, 0, 0);
    assert_near(r.quantile[0], 2, 0);
}

static void
a_constant_prediction_is_one_step(void **state)
{
    (void)state;
    const double y[] = {1, 2, 3, 4}, p[] = {2, 2, 2, 2};
    struct residuals r;
    assert_ok(residuals_of(y, p, 4, 0.95, &r));
    assert_int_equal(r.steps, 1);
    assert_near(r.step[0].mean_truth, 2.5, 0);
    assert_near(r.step[0].mean_absolute_error, 1, 0);
    /* 2.5 +- 3.182446 * sqrt(5 / 3 / 4): scipy.stats.t.interval(0.95, 3, 2.5, ...) */
    assert_near(r.step[0].ci.low, 0.4457397432391206, 1e-6);
    assert_near(r.step[0].ci.high, 4.554260256760879, 1e-6);
    assert_near(r.truth_sd, sqrt(5.0 / 3), 1e-15);
    assert_near(r.truth_median, 2.5, 0);
    assert_near(r.baseline, 1, 0);
    assert_near(r.quantile[1], -1.25, 1e-15); /* of -2 -1 0 1, type 7 */
}

static void
bins_and_steps_hold_every_row_once_and_agree_with_the_rows(void **state)
{
    (void)state;
    double y[ROWS], p[ROWS], squares = 0;
    struct residuals r;
    struct rng g;
    rng_init(&g, 3, "residuals");
    for (size_t i = 0; i < ROWS; i++) {
        p[i] = floor(20 * rng_unit(&g));
        y[i] = p[i] + rng_normal(&g) * (i % 100 == 0 ? 50 : 1);
        squares += (p[i] - y[i]) * (p[i] - y[i]);
    }
    assert_ok(residuals_of(y, p, ROWS, 0.95, &r));
    assert_near(r.rmse, sqrt(squares / ROWS), 1e-9);
    uint64_t in_bins = 0, in_steps = 0;
    for (uint32_t b = 0; b < r.bins; b++) {
        uint64_t count = 0;
        const bool last = b + 1 == r.bins;
        for (size_t i = 0; i < ROWS; i++) {
            const double off = p[i] - y[i];
            count += off >= r.bin[b].from && (last ? off <= r.bin[b].to : off < r.bin[b].to);
        }
        assert_int_equal(count, r.bin[b].rows);
        assert_true(b == 0 || r.bin[b].from == r.bin[b - 1].to);
        in_bins += r.bin[b].rows;
    }
    for (uint32_t s = 0; s < r.steps; s++) {
        double sum = 0, off = 0, n = 0;
        for (size_t i = 0; i < ROWS; i++) {
            const bool in = p[i] >= r.step[s].from && p[i] <= r.step[s].to;
            sum += in ? y[i] : 0;
            off += in ? fabs(p[i] - y[i]) : 0;
            n += in;
        }
        assert_true(n == (double)r.step[s].rows);
        assert_near(r.step[s].mean_truth, sum / n, 1e-9);
        assert_near(r.step[s].mean_absolute_error, off / n, 1e-9);
        assert_true(r.step[s].ci.low < sum / n && sum / n < r.step[s].ci.high);
        in_steps += r.step[s].rows;
    }
    assert_true(in_bins == ROWS && in_steps == ROWS && r.bins == RESIDUALS_BINS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_row_has_no_spread),
        cmocka_unit_test(a_constant_prediction_is_one_step),
        cmocka_unit_test(bins_and_steps_hold_every_row_once_and_agree_with_the_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
