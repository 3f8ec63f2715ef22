/* calibration: does a probability of 0.7 come true seven times in ten? Scores are put into bins; in
 * each the mean score stands beside the observed share, and the expected calibration error (ECE:
 * Naeini, Cooper and Hauskrecht, AAAI 2015) is the mean of their distances, weighted by rows. The
 * ECE of a perfectly calibrated model is not 0 but what chance makes of bins of finite size: that
 * figure is told beside it. scikit-learn calibration_curve, strategies "quantile" and "uniform". */
#ifndef STEWARD_ASSESS_CALIBRATION_H
#define STEWARD_ASSESS_CALIBRATION_H

#include "num/counted.h"
#include "num/interval.h"
#include "num/sum.h"

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

/* What rows come to: the same in any order and any split. */
struct calibration_state {
    uint32_t bins;
    double edge[CALIBRATION_MAX_BINS + 1];
    struct {
        uint64_t rows, positives;
        struct sum score;
    } bin[CALIBRATION_MAX_BINS];
};

/* scores: of all rows, settled: at most so many bins with about as many rows each, equal scores in
 * one; NULL: as wide each. STATUS_LIMIT. */
struct status calibration_begin(uint32_t bins, const struct counted *scores,
                                struct calibration_state *ret_state);
/* y[rows] 0 or 1, score[rows] in [0, 1]: STATUS_INPUT, and nothing is added. */
struct status calibration_add(struct calibration_state *s, const uint8_t *y, const double *score,
                              size_t rows);
/* The same as adding the other's rows; both began with the same scores. */
void calibration_merge(struct calibration_state *s, const struct calibration_state *other);
/* Empty bins are left out. seed: of the bootstrap. STATUS_INPUT of no row. */
struct status calibration_finish(const struct calibration_state *s, double level, uint64_t seed,
                                 struct calibration *ret_calibration);
/* All of these, of rows that are at hand. */
struct status calibration_of(const uint8_t *y, const double *score, size_t rows, uint32_t bins,
                             bool equal_width, double level, uint64_t seed,
                             struct calibration *ret_calibration);

#endif
