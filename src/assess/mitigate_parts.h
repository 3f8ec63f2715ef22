/* mitigate_parts: the tradeoff curves of thresholds by group. Not for other folders. */
#ifndef STEWARD_ASSESS_MITIGATE_PARTS_H
#define STEWARD_ASSESS_MITIGATE_PARTS_H

#include "assess/mitigate.h"

struct threshold_point {
    double x, y; /* constrained rate and objective; equalized odds: FPR and TPR */
    double tpr, fpr;
    struct threshold threshold;
    size_t order;
};

struct threshold_curve {
    struct threshold_point *points; /* ascending in x, then y */
    size_t count;
    uint32_t *hull; /* indices into points */
    size_t corners;
    uint64_t rows, positives;
};

struct threshold_curves {
    struct threshold_options o;
    uint32_t groups;
    uint64_t rows, positives;
    struct threshold_curve *curve;
};

/* Counts the scores that wait. MEMORY. */
struct status threshold_scores_settle(struct threshold_scores *s);
/* Of the group's share of positives `base`. */
double threshold_constrained(enum threshold_constraint c, double tpr, double fpr, double base);
double threshold_value(enum threshold_objective o, double tpr, double fpr, double base);
double threshold_base(const struct threshold_curve *c);

#endif
