/* metric: one number for how good answers are: what permutation importance drops. Arrays in, one
 * number out. Accuracy and log loss take a probability (one output, y 0 or 1) or one a class (y the
 * class); the threshold of one output is 1/2. */
#ifndef STEWARD_ASSESS_METRIC_H
#define STEWARD_ASSESS_METRIC_H

#include "base/status.h"

enum metric_family {
    METRIC_BINARY,  /* one output, a probability of y = 1 */
    METRIC_CLASSES, /* one probability, or several outputs, one a class */
    METRIC_VALUES   /* one output, y any number */
};

struct metric {
    const char *name; /* scikit-learn's: "accuracy", "log_loss", "roc_auc", "rmse", ... */
    enum metric_family family;
    bool larger_is_better;
    double (*of)(const double *y, const double *score, size_t rows, size_t outputs);
};

extern const struct metric metrics[]; /* ends with a row without name */

/* The class that a row's scores[outputs] say: of several the highest, of equal ones the first; of
 * one probability 1 from a half on. */
size_t metric_class_of(const double *score, size_t outputs);
/* NULL when there is none of that name. */
const struct metric *metric_find(const char *name);
/* STATUS_INPUT with a sentence unless the metric can be taken of these: no missing y, classes
 * within the outputs, both classes for roc_auc, probabilities within [0, 1]. */
struct status metric_check(const struct metric *m, const double *y, const double *score,
                           size_t rows, size_t outputs, struct diag *diag);

#endif
