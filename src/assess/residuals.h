/* residuals: how far the predictions of a number are off: prediction less truth, over all rows and
 * along the predictions, beside what always answering the same would be. Arrays in, numbers out. */
#ifndef STEWARD_ASSESS_RESIDUALS_H
#define STEWARD_ASSESS_RESIDUALS_H

#include "base/status.h"
#include "num/interval.h"

#define RESIDUALS_QUANTILES 5u
#define RESIDUALS_BINS 20u
#define RESIDUALS_STEPS 10u

extern const double residuals_shares[RESIDUALS_QUANTILES]; /* 0.05, 0.25, 0.5, 0.75, 0.95 */

struct residuals {
    double truth_mean, truth_sd; /* n - 1 in the denominator; NaN of one row */
    double truth_least, truth_median, truth_most;
    double baseline; /* mean absolute error of always answering the median truth */
    double rmse;
    double quantile[RESIDUALS_QUANTILES]; /* of prediction - truth; type 7 */
    uint32_t bins;                        /* of prediction - truth: as wide each but the ends */
    struct {
        double from, to;
        uint64_t rows;
    } bin[RESIDUALS_BINS];
    uint32_t steps; /* along the prediction: about as many rows each, equal values together */
    struct {
        double from, to; /* predictions */
        uint64_t rows;
        double mean_prediction, mean_truth;
        struct interval ci; /* Student's, of mean_truth; NaN of one row */
        double mean_absolute_error;
    } step[RESIDUALS_STEPS];
};

/* truth[rows], prediction[rows]: finite; rows > 0. Bins reach from the 1st to the 99th percentile,
 * those at the ends on to the least and the most. STATUS_MEMORY. */
struct status residuals_of(const double *truth, const double *prediction, size_t rows, double level,
                           struct residuals *ret_residuals);

#endif
