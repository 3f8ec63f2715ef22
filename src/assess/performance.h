/* performance: how good a binary classifier is. ROC AUC (ties by average ranks), average precision,
 * log loss, Brier score, accuracy, precision, recall, F1 at the threshold, calibration in ten
 * equal-count bins; DeLong interval for AUC. */
#ifndef STEWARD_ASSESS_PERFORMANCE_H
#define STEWARD_ASSESS_PERFORMANCE_H

#include "num/counted.h"
#include "num/interval.h"
#include "num/sum.h"

#define PERFORMANCE_BINS 10u
#define PERFORMANCE_CURVE 101u

struct confusion {
    uint64_t tp, fp, tn, fn;
};

struct rate {
    double value;       /* NaN when n = 0 */
    uint64_t x, n;      /* value = x / n */
    struct interval ci; /* Wilson */
};

struct performance {
    uint64_t rows, positives;
    double threshold;
    struct confusion counts;
    struct rate accuracy, precision, recall, selection_rate;
    double f1, roc_auc, average_precision, log_loss, brier;
    struct interval roc_auc_ci; /* DeLong et al. 1988; clipped to [0,1] */
    struct {
        double mean_score, observed;
        uint64_t n;
        struct interval ci;
    } bin[PERFORMANCE_BINS];
    uint32_t bins;
    struct {
        double fpr, tpr;
    } curve[PERFORMANCE_CURVE]; /* ROC at even steps of FPR */
};

/* What rows come to, the same in any order and any split. {.threshold = t}: of no row. */
struct performance_state {
    double threshold;
    struct confusion counts;
    struct counted positives, negatives; /* scores */
    struct sum log_loss, brier;
};

void performance_done(struct performance_state *s);
/* y[rows] 0 or 1, score[rows] in [0, 1]: STATUS_INPUT, and nothing is added. decision[rows], 0 or
 * 1; NULL: score >= threshold. STATUS_MEMORY, as of counted_add; so for the next two. */
struct status performance_add(struct performance_state *s, const uint8_t *y, const double *score,
                              const uint8_t *decision, size_t rows);
/* The same as adding the other's rows; both with the same threshold. */
struct status performance_merge(struct performance_state *s, const struct performance_state *other);
/* STATUS_INPUT of no row, or of a threshold that is no number. */
struct status performance_finish(struct performance_state *s, double level,
                                 struct performance *ret_performance);
/* All of these, of rows that are at hand. y[rows] 0/1, score[rows] probability. decision = score >=
 * threshold. */
struct status performance_binary(const uint8_t *y, const double *score, size_t rows,
                                 double threshold, double level,
                                 struct performance *ret_performance);
/* The same for decisions made otherwise than by that threshold: decision[rows], 0 or 1. NULL:
 * by the threshold. */
struct status performance_decided(const uint8_t *y, const double *score, const uint8_t *decision,
                                  size_t rows, double threshold, double level,
                                  struct performance *ret_performance);

/* Of several classes: log loss, and Brier's score as he defined it (1950), the sum over the classes
 * of the squared differences. label[rows]; score[rows * outputs] in [0, 1]; a label from `outputs`
 * on is a class that the model does not know, to which it gives 0. rows > 0. */
void performance_class_losses(const uint32_t *label, const double *score, size_t rows,
                              uint32_t outputs, double *ret_log_loss, double *ret_brier);

#endif
