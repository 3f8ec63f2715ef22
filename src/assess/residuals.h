/* residuals: how far the predictions of a number are off: prediction less truth, over all rows and
 * along the predictions, beside what always answering the same would be. The rows are
 * passed over twice, for their values and for the steps along them; what a pass keeps is the same
 * in any order and any split of the rows. */
#ifndef STEWARD_ASSESS_RESIDUALS_H
#define STEWARD_ASSESS_RESIDUALS_H

#include "assess/bins.h"
#include "num/interval.h"
#include "num/moments.h"

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

/* Zeroed: of no row. */
struct residuals_values {
    struct counted truth, prediction, residual;
};

void residuals_values_done(struct residuals_values *v);
/* truth[rows], prediction[rows]: finite. STATUS_MEMORY, as of counted_add; so for the next. */
struct status residuals_values_add(struct residuals_values *v, const double *truth,
                                   const double *prediction, size_t rows);
struct status residuals_values_merge(struct residuals_values *v,
                                     const struct residuals_values *other);
struct status residuals_values_settle(struct residuals_values *v); /* before what follows */

struct residuals_steps {
    struct bins bins; /* of all predictions */
    struct {
        struct moments truth;
        struct sum prediction, off;
    } step[RESIDUALS_STEPS];
};

void residuals_begin(const struct residuals_values *all, struct residuals_steps *ret_steps);
void residuals_add(struct residuals_steps *s, const double *truth, const double *prediction,
                   size_t rows);
void residuals_merge(struct residuals_steps *s, const struct residuals_steps *other);
/* Both of all rows, at least one. Bins reach from the 1st to the 99th percentile, those at the ends
 * on to the least and the most. */
void residuals_finish(const struct residuals_values *v, const struct residuals_steps *s,
                      double level, struct residuals *ret_residuals);
/* All of these, of rows that are at hand, at least one. STATUS_MEMORY. */
struct status residuals_of(const double *truth, const double *prediction, size_t rows, double level,
                           struct residuals *ret_residuals);

#endif
