#include "assess/residuals.h"

#include "assess/bins.h"
#include "num/quantile.h"
#include "num/sum.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TAIL 0.01 /* at either end, in the first and the last bin */

const double residuals_shares[RESIDUALS_QUANTILES] = {0.05, 0.25, 0.5, 0.75, 0.95};

static double
square(double v)
{
    return v * v;
}

/* sorted[rows]: the truths. */
static void
describe_truth(const double *sorted, size_t rows, struct residuals *r)
{
    struct sum squares = {0}, off = {0};
    r->truth_mean = sum_of(sorted, rows) / (double)rows;
    r->truth_least = sorted[0];
    r->truth_most = sorted[rows - 1];
    r->truth_median = quantile_sorted(sorted, rows, 0.5);
    for (size_t i = 0; i < rows; i++) {
        sum_add(&squares, square(sorted[i] - r->truth_mean));
        sum_add(&off, fabs(sorted[i] - r->truth_median));
    }
    r->truth_sd = rows > 1 ? sqrt(sum_value(&squares) / ((double)rows - 1)) : (double)NAN;
    r->baseline = sum_value(&off) / (double)rows;
}

/* sorted[rows]: the residuals. */
static void
fill_bins(const double *sorted, size_t rows, struct residuals *r)
{
    const double low = quantile_sorted(sorted, rows, TAIL),
                 high = quantile_sorted(sorted, rows, 1 - TAIL);
    r->bins = high > low ? RESIDUALS_BINS : 1;
    const double width = (high - low) / r->bins;
    for (uint32_t b = 0; b < r->bins; b++) {
        r->bin[b].from = b == 0 ? sorted[0] : low + width * b;
        r->bin[b].to = b + 1 == r->bins ? sorted[rows - 1] : low + width * (b + 1);
    }
    for (size_t i = 0; i < rows; i++) {
        const double at = width > 0 ? floor((sorted[i] - low) / width) : 0;
        r->bin[(size_t)fmin(fmax(at, 0), r->bins - 1.0)].rows++;
    }
}

static void
fill_residuals(double *residual, size_t rows, struct residuals *r)
{
    struct sum squares = {0};
    for (size_t i = 0; i < rows; i++) {
        sum_add(&squares, square(residual[i]));
    }
    r->rmse = sqrt(sum_value(&squares) / (double)rows);
    (void)quantile_sort(residual, rows);
    for (size_t q = 0; q < RESIDUALS_QUANTILES; q++) {
        r->quantile[q] = quantile_sorted(residual, rows, residuals_shares[q]);
    }
    fill_bins(residual, rows, r);
}

/* bins: of the predictions. */
static void
fill_steps(const double *truth, const double *prediction, size_t rows, const struct bins *bins,
           double level, struct residuals *r)
{
    struct sum y[RESIDUALS_STEPS] = {0}, p[RESIDUALS_STEPS] = {0}, off[RESIDUALS_STEPS] = {0},
               squares[RESIDUALS_STEPS] = {0};
    r->steps = bins->count;
    for (size_t i = 0; i < rows; i++) {
        const int32_t s = bins_code(bins, prediction[i]);
        r->step[s].rows++;
        sum_add(&y[s], truth[i]);
        sum_add(&p[s], prediction[i]);
        sum_add(&off[s], fabs(prediction[i] - truth[i]));
    }
    for (uint32_t s = 0; s < r->steps; s++) {
        const double n = (double)r->step[s].rows;
        r->step[s].from = bins->least[s];
        r->step[s].to = bins->most[s];
        r->step[s].mean_truth = sum_value(&y[s]) / n;
        r->step[s].mean_prediction = sum_value(&p[s]) / n;
        r->step[s].mean_absolute_error = sum_value(&off[s]) / n;
    }
    for (size_t i = 0; i < rows; i++) {
        const int32_t s = bins_code(bins, prediction[i]);
        sum_add(&squares[s], square(truth[i] - r->step[s].mean_truth));
    }
    for (uint32_t s = 0; s < r->steps; s++) {
        r->step[s].ci = interval_mean(r->step[s].mean_truth, sum_value(&squares[s]),
                                      (double)r->step[s].rows, level);
    }
}

struct status
residuals_of(const double *truth, const double *prediction, size_t rows, double level,
             struct residuals *ret_residuals)
{
    DEFER(memory_freep) double *v = calloc(rows + 1, sizeof *v);
    struct bins bins;
    struct residuals r = {0};
    CHECK(v != NULL, MEMORY);
    ASSERT(rows > 0);
    memcpy(v, truth, rows * sizeof *v);
    (void)quantile_sort(v, rows);
    describe_truth(v, rows, &r);
    memcpy(v, prediction, rows * sizeof *v);
    bins_make(v, quantile_sort(v, rows), RESIDUALS_STEPS, &bins);
    fill_steps(truth, prediction, rows, &bins, level, &r);
    for (size_t i = 0; i < rows; i++) {
        v[i] = prediction[i] - truth[i];
    }
    fill_residuals(v, rows, &r);
    *ret_residuals = r;
    return OK;
}
