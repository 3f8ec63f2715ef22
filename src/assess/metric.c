#include "assess/metric.h"

#include "num/sum.h"

#include <float.h>
#include <math.h>

/* Mean over rows of a loss of one row. */
#define MEAN_OF(ROW)                                                                               \
    struct sum total = {0};                                                                        \
    for (size_t i = 0; i < rows; i++) {                                                            \
        sum_add(&total, (ROW));                                                                    \
    }                                                                                              \
    return sum_value(&total) / (double)rows

size_t
metric_class_of(const double *score, size_t outputs)
{
    if (outputs == 1) {
        return score[0] >= 0.5 ? 1 : 0;
    }
    size_t best = 0;
    for (size_t o = 1; o < outputs; o++) {
        best = score[o] > score[best] ? o : best;
    }
    return best;
}

static double
accuracy(const double *y, const double *score, size_t rows, size_t outputs)
{
    MEAN_OF((double)metric_class_of(score + i * outputs, outputs) == y[i] ? 1 : 0);
}

/* Clipped as scikit-learn does, so that one sure mistake is not infinite. */
static double
surprise(double y, const double *score, size_t outputs)
{
    double p = outputs == 1 ? (y == 1 ? score[0] : 1 - score[0]) : score[(size_t)y];
    p = fmin(fmax(p, DBL_EPSILON), 1 - DBL_EPSILON);
    return -log(p);
}

static double
log_loss(const double *y, const double *score, size_t rows, size_t outputs)
{
    MEAN_OF(surprise(y[i], score + i * outputs, outputs));
}

static double
mse(const double *y, const double *score, size_t rows, size_t outputs)
{
    (void)outputs;
    MEAN_OF((score[i] - y[i]) * (score[i] - y[i]));
}

static double
rmse(const double *y, const double *score, size_t rows, size_t outputs)
{
    return sqrt(mse(y, score, rows, outputs));
}

static double
mae(const double *y, const double *score, size_t rows, size_t outputs)
{
    (void)outputs;
    MEAN_OF(fabs(score[i] - y[i]));
}

static double
r2(const double *y, const double *score, size_t rows, size_t outputs)
{
    const double mean = sum_of(y, rows) / (double)rows;
    struct sum spread = {0};
    for (size_t i = 0; i < rows; i++) {
        sum_add(&spread, (y[i] - mean) * (y[i] - mean));
    }
    return 1 - mse(y, score, rows, outputs) * (double)rows / sum_value(&spread);
}

/* ---- ROC AUC ---- */

struct ranked {
    double score, y;
};

static int
by_score(const void *a, const void *b)
{
    const double x = ((const struct ranked *)a)->score, y = ((const struct ranked *)b)->score;
    return (x > y) - (x < y);
}

/* Mann-Whitney: a tie counts half. NaN when memory is out or one class is absent. */
static double
roc_auc(const double *y, const double *score, size_t rows, size_t outputs)
{
    (void)outputs;
    DEFER(memory_freep) struct ranked *r = calloc(rows, sizeof *r);
    if (r == NULL) {
        return (double)NAN;
    }
    for (size_t i = 0; i < rows; i++) {
        r[i] = (struct ranked){score[i], y[i]};
    }
    qsort(r, rows, sizeof *r, by_score);
    double won = 0, negatives = 0, positives = 0;
    for (size_t i = 0, j = 0; i < rows; i = j) {
        double up = 0, down = 0;
        for (; j < rows && r[j].score == r[i].score; j++) {
            up += r[j].y;
            down += 1 - r[j].y;
        }
        won += up * (negatives + down / 2);
        negatives += down;
        positives += up;
    }
    return won / (positives * negatives);
}

const struct metric metrics[] = {
    {"accuracy", METRIC_CLASSES, true, accuracy},
    {"log_loss", METRIC_CLASSES, false, log_loss},
    {"roc_auc", METRIC_BINARY, true, roc_auc},
    {"brier_score", METRIC_BINARY, false, mse},
    {"rmse", METRIC_VALUES, false, rmse},
    {"mse", METRIC_VALUES, false, mse},
    {"mae", METRIC_VALUES, false, mae},
    {"r2", METRIC_VALUES, true, r2},
    {0},
};

const struct metric *
metric_find(const char *name)
{
    for (const struct metric *m = metrics; m->name != NULL; m++) {
        if (strcmp(m->name, name) == 0) {
            return m;
        }
    }
    return NULL;
}

/* ---- whether it can be taken ---- */

static struct status
check_row(const struct metric *m, double y, const double *score, size_t outputs, size_t row,
          struct diag *diag)
{
    const double classes = outputs == 1 ? 2 : (double)outputs;
    if (!isfinite(y)) {
        diag_set(diag, "%s: row %zu has no label", m->name, row + 1);
        FAIL(INPUT);
    }
    if (m->family == METRIC_VALUES) {
        return OK;
    }
    if (!(y >= 0 && y < classes && y == floor(y))) {
        diag_set(diag, "%s: the label of row %zu is %g; classes are numbered from 0 to %.0f",
                 m->name, row + 1, y, classes - 1);
        FAIL(INPUT);
    }
    for (size_t o = 0; o < outputs; o++) {
        if (!(score[o] >= 0 && score[o] <= 1)) {
            diag_set(diag, "%s: the model answered %g to row %zu, which is no probability", m->name,
                     score[o], row + 1);
            FAIL(INPUT);
        }
    }
    return OK;
}

struct status
metric_check(const struct metric *m, const double *y, const double *score, size_t rows,
             size_t outputs, struct diag *diag)
{
    if (rows == 0) {
        diag_set(diag, "%s: there are no rows", m->name);
        FAIL(INPUT);
    }
    if (outputs != 1 && m->family != METRIC_CLASSES) {
        diag_set(diag, "%s is of one output; the model has %zu", m->name, outputs);
        FAIL(INPUT);
    }
    double least = y[0], most = y[0];
    for (size_t i = 0; i < rows; i++) {
        TRY(check_row(m, y[i], score + i * outputs, outputs, i, diag));
        least = fmin(least, y[i]);
        most = fmax(most, y[i]);
    }
    if (least == most && (m->family == METRIC_BINARY || m->of == r2)) {
        diag_set(diag, "%s: every label is %g; it needs two different ones", m->name, least);
        FAIL(INPUT);
    }
    return OK;
}
