#include "assess/errors_metric.h"

#include "assess/group_macro.h"
#include "assess/group_metric.h"
#include "num/normal.h"
#include "num/quantile.h"
#include "num/sum.h"

#include <math.h>
#include <stdlib.h>

#define BINARY (1u << ERRORS_BINARY)
#define CLASSES (1u << ERRORS_CLASSES)
#define NUMERIC (1u << ERRORS_NUMERIC)

static const struct {
    const char *word;
    unsigned kinds;
    int better;
} metrics[ERRORS_METRICS] = {
    [ERRORS_RATE] = {"error_rate", BINARY | CLASSES, -1},
    [ERRORS_ACCURACY] = {"accuracy_score", BINARY | CLASSES, 1},
    [ERRORS_PRECISION] = {"precision_score", BINARY, 1},
    [ERRORS_RECALL] = {"recall_score", BINARY, 1},
    [ERRORS_F1] = {"f1_score", BINARY, 1},
    [ERRORS_FPR] = {"false_positive_rate", BINARY, -1},
    [ERRORS_FNR] = {"false_negative_rate", BINARY, -1},
    [ERRORS_SELECTION_RATE] = {"selection_rate", BINARY, 0},
    [ERRORS_MACRO_PRECISION] = {"macro_precision_score", BINARY | CLASSES, 1},
    [ERRORS_MACRO_RECALL] = {"macro_recall_score", BINARY | CLASSES, 1},
    [ERRORS_MACRO_F1] = {"macro_f1_score", BINARY | CLASSES, 1},
    [ERRORS_MICRO_PRECISION] = {"micro_precision_score", BINARY | CLASSES, 1},
    [ERRORS_MICRO_RECALL] = {"micro_recall_score", BINARY | CLASSES, 1},
    [ERRORS_MICRO_F1] = {"micro_f1_score", BINARY | CLASSES, 1},
    [ERRORS_MAE] = {"mean_absolute_error", NUMERIC, -1},
    [ERRORS_MSE] = {"mean_squared_error", NUMERIC, -1},
    [ERRORS_MEDIAN_AE] = {"median_absolute_error", NUMERIC, -1},
    [ERRORS_R2] = {"r2_score", NUMERIC, 1},
    [ERRORS_MEAN_PREDICTION] = {"mean_prediction", NUMERIC, 0},
    [ERRORS_MEAN_ERROR] = {"mean_error", NUMERIC, 0},
};

const char *
errors_metric_word(enum errors_metric m)
{
    return metrics[m].word;
}

bool
errors_metric_fits(enum errors_metric m, enum errors_kind kind)
{
    return (metrics[m].kinds >> kind & 1) != 0;
}

bool
errors_metric_from_word(const char *word, enum errors_kind kind, enum errors_metric *ret)
{
    for (int m = 0; m < ERRORS_METRICS; m++) {
        if (strcmp(metrics[m].word, word) == 0 && errors_metric_fits((enum errors_metric)m, kind)) {
            *ret = (enum errors_metric)m;
            return true;
        }
    }
    return false;
}

int
errors_metric_better(enum errors_metric m)
{
    return metrics[m].better;
}

void
errors_confusion(const struct errors_outcome *o, const uint32_t *row, size_t n, uint64_t *counts)
{
    for (size_t i = 0; i < n; i++) {
        const size_t r = row == NULL ? i : row[i];
        counts[(size_t)o->label[r] * o->classes + o->decision[r]]++;
    }
}

void
errors_loss(const struct errors_outcome *o, double *ret_loss)
{
    for (size_t i = 0; i < o->rows; i++) {
        ret_loss[i] = o->kind == ERRORS_NUMERIC ? fabs(o->prediction[i] - o->truth[i])
                                                : (double)(o->label[i] != o->decision[i]);
    }
}

/* ---- classes ---- */

static struct errors_value
proportion(double x, double n, double level)
{
    return (struct errors_value){n > 0 ? x / n : NAN, x, n, interval_wilson(x, n, level)};
}

/* F1 = 2 q / (1 + q) for q = tp / (tp + fp + fn), and rises with it. */
static struct errors_value
f1_of(double tp, double wrong, double level)
{
    struct errors_value v = proportion(tp, tp + wrong, level);
    v.value = 2 * v.value / (1 + v.value);
    v.ci.low = 2 * v.ci.low / (1 + v.ci.low);
    v.ci.high = 2 * v.ci.high / (1 + v.ci.high);
    v.x = NAN;
    return v;
}

static struct errors_value
bare(double value, double n)
{
    return (struct errors_value){value, NAN, n, {NAN, NAN}};
}

/* Classes that these rows hold in a way. */
struct present {
    double decided, truth, either;
};

static struct present
count_present(const double *counts, uint32_t classes)
{
    struct present p = {0};
    for (uint32_t k = 0; k < classes; k++) {
        double decided = 0, truth = 0;
        for (uint32_t i = 0; i < classes; i++) {
            decided += counts[(size_t)i * classes + k];
            truth += counts[(size_t)k * classes + i];
        }
        p.decided += decided > 0;
        p.truth += truth > 0;
        p.either += decided + truth > 0;
    }
    return p;
}

/* The mean over the classes that have the metric, and 0 for the others that are there. */
static struct errors_value
average(enum group_metric m, const struct group_tally *t, double share, double rows, double level)
{
    const struct group_estimate e = group_metric_estimate(m, t, 0, level);
    return (struct errors_value){e.value * share, NAN, rows, {e.ci.low * share, e.ci.high * share}};
}

static struct status
put_averages(const uint64_t *counts, uint32_t classes, double rows, double level,
             struct errors_value *v)
{
    const size_t cells = (size_t)classes * classes;
    DEFER(memory_freep) double *n = calloc(cells + 1, sizeof *n);
    CHECK(n != NULL, MEMORY);
    for (size_t i = 0; i < cells; i++) {
        n[i] = (double)counts[i];
    }
    struct group_tally t = {0};
    group_macro(n, n, n, classes, &t);
    const struct present p = count_present(n, classes);
    v[ERRORS_MACRO_PRECISION] =
        average(GROUP_PRECISION_MACRO, &t, p.decided / p.either, rows, level);
    v[ERRORS_MACRO_RECALL] = average(GROUP_RECALL_MACRO, &t, p.truth / p.either, rows, level);
    v[ERRORS_MACRO_F1] = average(GROUP_F1_MACRO, &t, 1, rows, level);
    return OK;
}

static struct status
put_classes(const uint64_t *counts, uint32_t classes, double rows, double level,
            struct errors_value *v)
{
    double hits = 0;
    for (uint32_t k = 0; k < classes; k++) {
        hits += (double)counts[(size_t)k * classes + k];
    }
    v[ERRORS_RATE] = proportion(rows - hits, rows, level);
    v[ERRORS_ACCURACY] = proportion(hits, rows, level);
    v[ERRORS_MICRO_PRECISION] = v[ERRORS_MICRO_RECALL] = v[ERRORS_MICRO_F1] = v[ERRORS_ACCURACY];
    return put_averages(counts, classes, rows, level, v);
}

static void
put_binary(const uint64_t *counts, double level, struct errors_value *v)
{
    const double tn = (double)counts[0], fp = (double)counts[1], fn = (double)counts[2],
                 tp = (double)counts[3];
    v[ERRORS_PRECISION] = proportion(tp, tp + fp, level);
    v[ERRORS_RECALL] = proportion(tp, tp + fn, level);
    v[ERRORS_F1] = f1_of(tp, fp + fn, level);
    v[ERRORS_FPR] = proportion(fp, fp + tn, level);
    v[ERRORS_FNR] = proportion(fn, fn + tp, level);
    v[ERRORS_SELECTION_RATE] = proportion(tp + fp, tp + fp + tn + fn, level);
}

static struct status
metrics_of_classes(const struct errors_outcome *o, const uint32_t *row, size_t n, double level,
                   struct errors_value *v)
{
    DEFER(memory_freep)
    uint64_t *counts = calloc((size_t)o->classes * o->classes + 1, sizeof *counts);
    CHECK(counts != NULL, MEMORY);
    errors_confusion(o, row, n, counts);
    TRY(put_classes(counts, o->classes, (double)n, level, v));
    if (o->kind == ERRORS_BINARY) {
        put_binary(counts, level, v);
    }
    return OK;
}

/* ---- numbers ---- */

static struct errors_value
mean_of(const double *x, size_t n, double level)
{
    struct sum squares = {0};
    const double rows = (double)n, mean = sum_of(x, n) / rows;
    for (size_t i = 0; i < n; i++) {
        sum_add(&squares, (x[i] - mean) * (x[i] - mean));
    }
    return (struct errors_value){mean, NAN, rows,
                                 interval_mean(mean, sum_value(&squares), rows, level)};
}

/* Its interval is that of fairness (assess/group_metric.h). */
static struct status
put_r2(const struct errors_outcome *o, const uint32_t *row, size_t n, double level,
       struct errors_value *ret_value)
{
    DEFER(memory_freep) double *truth = calloc(2 * n + 1, sizeof *truth);
    DEFER(memory_freep) uint32_t *cell = calloc(n + 1, sizeof *cell);
    CHECK(truth != NULL && cell != NULL, MEMORY);
    double *prediction = truth + n;
    for (size_t i = 0; i < n; i++) {
        const size_t r = row == NULL ? i : row[i];
        truth[i] = o->truth[r];
        prediction[i] = o->prediction[r];
    }
    const struct group_rows rows = {.rows = n,
                                    .value = truth,
                                    .prediction = prediction,
                                    .cell = cell,
                                    .centre = sum_of(truth, n) / (double)n};
    struct group_tally t = {0};
    group_tally_rows(&rows, 0, n, &t);
    const struct group_estimate e = group_metric_estimate(GROUP_R2, &t, rows.centre, level);
    *ret_value = (struct errors_value){e.value, NAN, (double)n, e.ci};
    return OK;
}

/* Ranks, from 0, of the order statistics between which the median lies with at least that
 * probability: by the binomial distribution, from 1000 values on by its normal limit, rounded
 * outwards. False: there are too few values. */
static bool
median_ranks(size_t n, double level, size_t *ret_low, size_t *ret_high)
{
    const double tail = (1 - level) / 2;
    size_t low = 0;
    if (n > 1000) {
        low = (size_t)(((double)n + normal_quantile(tail) * sqrt((double)n)) / 2) - 1;
    } else {
        double term = exp2(-(double)n), below = term; /* P(fewer than low + 1 of n are below) */
        if (n == 0 || below > tail) {
            return false;
        }
        while (below + term * (double)(n - low) / (double)(low + 1) <= tail) {
            term *= (double)(n - low) / (double)(low + 1);
            below += term;
            low++;
        }
    }
    *ret_low = low;
    *ret_high = n - 1 - low;
    return true;
}

/* sorted[n]: absolute errors, ascending. */
static struct errors_value
median_of(const double *sorted, size_t n, double level)
{
    struct errors_value v = bare(quantile_sorted(sorted, n, 0.5), (double)n);
    size_t low = 0, high = 0;
    if (median_ranks(n, level, &low, &high)) {
        v.ci = (struct interval){sorted[low], sorted[high]};
    }
    return v;
}

static void
put_mean(const struct errors_outcome *o, const uint32_t *row, size_t n, enum errors_metric m,
         double level, double *x, struct errors_value *v)
{
    for (size_t i = 0; i < n; i++) {
        const size_t r = row == NULL ? i : row[i];
        const double e = o->prediction[r] - o->truth[r];
        x[i] = m == ERRORS_MEAN_PREDICTION ? o->prediction[r]
               : m == ERRORS_MEAN_ERROR    ? e
               : m == ERRORS_MSE           ? e * e
                                           : fabs(e);
    }
    v[m] = mean_of(x, n, level);
    if (m == ERRORS_MAE || m == ERRORS_MSE) {
        v[m].ci.low = v[m].ci.low < 0 ? 0 : v[m].ci.low; /* NaN stays */
    }
}

static struct status
metrics_of_numbers(const struct errors_outcome *o, const uint32_t *row, size_t n, double level,
                   struct errors_value *v)
{
    static const enum errors_metric means[] = {ERRORS_MEAN_PREDICTION, ERRORS_MEAN_ERROR,
                                               ERRORS_MSE, ERRORS_MAE};
    DEFER(memory_freep) double *x = calloc(n + 1, sizeof *x);
    CHECK(x != NULL, MEMORY);
    for (size_t i = 0; i < sizeof means / sizeof *means && n > 0; i++) {
        put_mean(o, row, n, means[i], level, x, v);
    }
    (void)quantile_sort(x, n); /* the last were the absolute errors */
    v[ERRORS_MEDIAN_AE] = median_of(x, n, level);
    return put_r2(o, row, n, level, &v[ERRORS_R2]);
}

struct status
errors_metrics_of(const struct errors_outcome *o, const uint32_t *row, size_t n, double level,
                  struct errors_value ret_value[ERRORS_METRICS])
{
    for (int m = 0; m < ERRORS_METRICS; m++) {
        ret_value[m] = bare(NAN, (double)n);
    }
    return o->kind == ERRORS_NUMERIC ? metrics_of_numbers(o, row, n, level, ret_value)
                                     : metrics_of_classes(o, row, n, level, ret_value);
}
