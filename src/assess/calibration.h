/* calibration: does a probability of 0.7 come true seven times in ten? Scores are put into bins; in
 * each the mean score stands beside the observed share, and the expected calibration error (ECE:
 * Naeini, Cooper and Hauskrecht, AAAI 2015) is the mean of their distances, weighted by rows. The
 * ECE of a perfectly calibrated model is not 0 but what chance makes of bins of finite size: that
 * figure is told beside it. scikit-learn calibration_curve, strategies "quantile" and "uniform". */
#ifndef STEWARD_ASSESS_CALIBRATION_H
#define STEWARD_ASSESS_CALIBRATION_H

#include "base/status.h"
#include "num/interval.h"

#define CALIBRATION_MAX_BINS 100u
#define CALIBRATION_REPLICATES 200u

struct calibration_bin {
    double low, high; /* scores above low, in the first bin also low itself, up to high */
    uint64_t rows, positives;
    double mean_score, observed;
    struct interval ci; /* Wilson, of the observed share */
};

struct calibration {
    uint32_t bins;
    struct calibration_bin bin[CALIBRATION_MAX_BINS];
    double ece;
    struct interval ece_ci; /* basic bootstrap (2 ECE less the percentiles of Poisson replicates,
                             * since resampling adds the same noise again); from 0 where a
                             * perfectly calibrated model could have as much. The mean score of a
                             * bin is held */
    double ece_noise;       /* expected of a perfectly calibrated model with these scores */
    double mce;             /* the largest distance of a bin */
};

/* y[rows] 0 or 1, score[rows] in [0, 1] (STATUS_INPUT), rows > 0. bins: at most; equal scores stay
 * in one bin; without equal_width each has about as many rows; empty ones are left out. seed: of
 * the bootstrap. */
struct status calibration_of(const uint8_t *y, const double *score, size_t rows, uint32_t bins,
                             bool equal_width, double level, uint64_t seed,
                             struct calibration *ret_calibration);

#endif
