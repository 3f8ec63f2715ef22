/* metric: one number for how good answers are: what permutation importance drops. Rows are added in
 * blocks, states merge, and what comes out is the same in any order and any split of the rows.
 * Definitions are scikit-learn's, names too but for those that are too long to say (mape). Metrics of classes take a probability (one output, y 0
 * or 1) or one a class (y the class); the threshold of one output is 1/2. */
#ifndef STEWARD_ASSESS_METRIC_H
#define STEWARD_ASSESS_METRIC_H

#include "base/bytes.h"
#include "num/counted.h"
#include "num/moments.h"

enum metric_family {
    METRIC_BINARY,  /* one output, a probability of y = 1 */
    METRIC_CLASSES, /* one probability, or several outputs, one a class */
    METRIC_VALUES   /* one output, y any number */
};

struct metric_tally { /* rows that are of a class, that are said to be, and both */
    uint64_t truth, said, both;
};

/* What a metric keeps of rows; each uses some of it. Zeroed: of none. */
struct metric_state {
    uint64_t rows;
    double least, most;           /* y */
    struct sum loss;              /* of a row, over the rows */
    struct moments truth, off;    /* y; answer - y */
    struct counted ones, zeros;   /* answers, by y */
    struct counted distance;      /* |answer - y| */
    struct metric_tally *classes; /* class_count */
    size_t class_count;
};

struct metric {
    const char *name; /* "accuracy", "log_loss", "roc_auc", "rmse", ... */
    enum metric_family family;
    bool larger_is_better;
    bool two_labels; /* of rows that are all labelled alike there is none */
    /* y is checked; STATUS_MEMORY. */
    struct status (*add)(struct metric_state *s, double y, const double *score, size_t outputs);
    double (*finish)(const struct metric_state *s);
};

extern const struct metric metrics[]; /* ends with a row without name */

/* NULL when there is none of that name. */
const struct metric *metric_find(const char *name);
/* "accuracy, ... or explained_variance": all names, for people. */
void metric_put_names(struct buf *b);
/* The class that a row's scores[outputs] say: of several the highest, of equal ones the first; of
 * one probability 1 from a half on. */
size_t metric_class_of(const double *score, size_t outputs);

void metric_done(struct metric_state *s);
/* y[rows], score[rows * outputs]. STATUS_INPUT with a sentence unless the metric can be taken of
 * these: no missing y, classes within the outputs, probabilities within [0, 1]; rows are numbered
 * in the order they are added. MEMORY. Then the state is of no use. */
struct status metric_add(const struct metric *m, struct metric_state *s, const double *y,
                         const double *score, size_t rows, size_t outputs, struct diag *diag);
/* The same as adding the other's rows. MEMORY. */
struct status metric_merge(struct metric_state *s, const struct metric_state *other);
/* STATUS_INPUT with a sentence: no rows, or one label where it takes two. MEMORY. */
struct status metric_finish(const struct metric *m, struct metric_state *s, struct diag *diag,
                            double *ret_value);
/* All of these, of rows that are at hand. */
struct status metric_of(const struct metric *m, const double *y, const double *score, size_t rows,
                        size_t outputs, struct diag *diag, double *ret_value);

#endif
