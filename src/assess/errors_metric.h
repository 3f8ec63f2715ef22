/* errors_metric: how wrong a model is on any set of rows: a node of the error tree, a cell of the
 * heat map, a cohort, or all of them. Names and definitions are scikit-learn's, which take the
 * truth first: precision is of those decided so, recall of those that are so. A figure whose
 * denominator is empty is NaN. In averages over classes (macro) a class that neither the truth nor
 * the decisions of these rows hold does not count, and one that is never decided has precision 0,
 * one that is never true recall 0, as there. */
#ifndef STEWARD_ASSESS_ERRORS_METRIC_H
#define STEWARD_ASSESS_ERRORS_METRIC_H

#include "num/counted.h"
#include "num/interval.h"
#include "num/moments.h"

#define ERRORS_MAX_CLASSES 256u

enum errors_kind { ERRORS_BINARY, ERRORS_CLASSES, ERRORS_NUMERIC };

enum errors_metric {
    ERRORS_RATE,
    ERRORS_ACCURACY,
    ERRORS_PRECISION,
    ERRORS_RECALL,
    ERRORS_F1,
    ERRORS_FPR,
    ERRORS_FNR,
    ERRORS_SELECTION_RATE,
    ERRORS_MACRO_PRECISION,
    ERRORS_MACRO_RECALL,
    ERRORS_MACRO_F1,
    ERRORS_MICRO_PRECISION,
    ERRORS_MICRO_RECALL,
    ERRORS_MICRO_F1,
    ERRORS_MAE,
    ERRORS_MSE,
    ERRORS_MEDIAN_AE,
    ERRORS_R2,
    ERRORS_MEAN_PREDICTION,
    ERRORS_MEAN_ERROR, /* prediction less truth, signed */
    ERRORS_METRICS
};

struct errors_outcome {
    enum errors_kind kind;
    size_t rows;
    uint32_t classes; /* of label and decision; 2 when binary, 1 is the positive one */
    const uint32_t *label, *decision; /* rows, below classes; NULL when numeric */
    const double *truth, *prediction; /* rows, finite; NULL otherwise */
};

struct errors_value {
    double value;
    double x, n; /* a proportion is x / n; otherwise NaN and the rows */
    /* Wilson, for F1 of two classes by its odds; Student's for means; order statistics for the
     * median; for R2 and means over classes as in group_metric.h. NaN where rows are too few. */
    struct interval ci;
};

const char *errors_metric_word(enum errors_metric m); /* "false_positive_rate" */
bool errors_metric_fits(enum errors_metric m, enum errors_kind kind);
/* The one whose word that is; false: none of that kind. */
bool errors_metric_from_word(const char *word, enum errors_kind kind, enum errors_metric *ret);
int errors_metric_better(enum errors_metric m); /* 1: more is better, -1: less, 0: neither */

/* Adds to counts[label * classes + decision]. row[n]: which rows; NULL: the first n. */
void errors_confusion(const struct errors_outcome *o, const uint32_t *row, size_t n,
                      uint64_t *counts);

/* What rows come to, the same in any order and any split. */
#define ERRORS_MEANS 4u
#define ERRORS_POWERS 8u
struct errors_metric_state {
    enum errors_kind kind;
    uint32_t classes;
    uint64_t rows;
    uint64_t *counts; /* [label * classes + decision]; NULL when numeric */
    double centre;
    struct moments mean[ERRORS_MEANS];
    struct counted off;              /* absolute errors */
    struct sum power[ERRORS_POWERS]; /* of truth less centre, and of errors: for R2 */
};

void errors_metric_done(struct errors_metric_state *s);
/* centre: the mean truth of the rows, which R2 is worked out about; the nearer it is, the fewer
 * digits R2 loses. STATUS_MEMORY, as of counted_add; so for the next three. */
struct status errors_metric_begin(enum errors_kind kind, uint32_t classes, double centre,
                                  struct errors_metric_state *ret_state);
/* row[n]: which rows; NULL: the first n. */
struct status errors_metric_add(struct errors_metric_state *s, const struct errors_outcome *o,
                                const uint32_t *row, size_t n);
/* The same as adding the other's rows; both began alike. */
struct status errors_metric_merge(struct errors_metric_state *s,
                                  const struct errors_metric_state *other);
/* All metrics that fit the kind, the others NaN. */
struct status errors_metric_finish(struct errors_metric_state *s, double level,
                                   struct errors_value ret_value[ERRORS_METRICS]);
/* All of these, of rows that are at hand. STATUS_MEMORY. */
struct status errors_metrics_of(const struct errors_outcome *o, const uint32_t *row, size_t n,
                                double level, struct errors_value ret_value[ERRORS_METRICS]);
/* loss[rows]: 0 or 1; when numeric the absolute error. */
void errors_loss(const struct errors_outcome *o, double *ret_loss);

#endif
