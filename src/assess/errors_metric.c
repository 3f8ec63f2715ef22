#include "assess/errors_metric.h"

#include "assess/group_macro.h"
#include "assess/group_metric.h"
#include "num/normal.h"

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

/* ---- numbers ---- */

static const enum errors_metric means[ERRORS_MEANS] = {ERRORS_MEAN_PREDICTION, ERRORS_MEAN_ERROR,
                                                       ERRORS_MSE, ERRORS_MAE};
static const enum group_moment powers[ERRORS_POWERS] = {
    MOMENT_E2, MOMENT_E4, MOMENT_Y, MOMENT_Y2, MOMENT_Y3, MOMENT_Y4, MOMENT_E2Y, MOMENT_E2Y2};

/* Powers as those of group_tally. */
static struct status
add_number(struct errors_metric_state *s, double truth, double prediction)
{
    const double e = prediction - truth, off = fabs(e),
                 of_mean[ERRORS_MEANS] = {prediction, e, e * e, off};
    const double y = truth - s->centre, d = (prediction - s->centre) - y, d2 = d * d;
    const double of_power[ERRORS_POWERS] = {d2,        d2 * d2,       y,      y * y,
                                            y * y * y, y * y * y * y, d2 * y, d2 * y * y};
    for (size_t k = 0; k < ERRORS_MEANS; k++) {
        moments_add(&s->mean[k], of_mean[k]);
    }
    for (size_t k = 0; k < ERRORS_POWERS; k++) {
        sum_add(&s->power[k], of_power[k]);
    }
    return counted_add(&s->off, &off, 1, 1);
}

static void
put_means(const struct errors_metric_state *s, double level, struct errors_value *v)
{
    for (size_t k = 0; k < ERRORS_MEANS; k++) {
        const struct moments *m = &s->mean[k];
        const double n = (double)m->n, mean = moments_mean(m);
        struct interval ci = interval_mean(mean, moments_squares(m), n, level);
        if (means[k] == ERRORS_MAE || means[k] == ERRORS_MSE) {
            ci.low = ci.low < 0 ? 0 : ci.low; /* NaN stays */
        }
        v[means[k]] = (struct errors_value){mean, NAN, n, ci};
    }
}

/* Its interval is that of fairness (assess/group_metric.h). */
static struct errors_value
r2_of(const struct errors_metric_state *s, double level)
{
    struct group_tally t = {.rows = s->rows};
    t.moment[MOMENT_1] = t.moment2[MOMENT_1] = (double)s->rows;
    for (size_t k = 0; k < ERRORS_POWERS; k++) {
        t.moment[powers[k]] = t.moment2[powers[k]] = sum_value(&s->power[k]);
    }
    const struct group_estimate e = group_metric_estimate(GROUP_R2, &t, s->centre, level);
    return (struct errors_value){e.value, NAN, (double)s->rows, e.ci};
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

static struct errors_value
median_of(const struct counted *off, double level)
{
    const uint64_t n = counted_rows(off);
    struct errors_value v = bare(counted_quantile(off, 0.5), (double)n);
    size_t low = 0, high = 0;
    if (median_ranks(n, level, &low, &high)) {
        v.ci = (struct interval){off->at[counted_place(off, low)].value,
                                 off->at[counted_place(off, high)].value};
    }
    return v;
}

/* ---- any rows ---- */

void
errors_metric_done(struct errors_metric_state *s)
{
    free(s->counts);
    counted_done(&s->off);
}

struct status
errors_metric_begin(enum errors_kind kind, uint32_t classes, double centre,
                    struct errors_metric_state *ret_state)
{
    struct errors_metric_state s = {.kind = kind, .classes = classes, .centre = centre};
    if (kind != ERRORS_NUMERIC) {
        s.counts = calloc((size_t)classes * classes + 1, sizeof *s.counts);
        CHECK(s.counts != NULL, MEMORY);
    }
    *ret_state = s;
    return OK;
}

struct status
errors_metric_add(struct errors_metric_state *s, const struct errors_outcome *o,
                  const uint32_t *row, size_t n)
{
    ASSERT(s->kind == o->kind && (s->counts == NULL || s->classes == o->classes));
    s->rows += n;
    if (s->kind != ERRORS_NUMERIC) {
        errors_confusion(o, row, n, s->counts);
        return OK;
    }
    for (size_t i = 0; i < n; i++) {
        const size_t r = row == NULL ? i : row[i];
        TRY(add_number(s, o->truth[r], o->prediction[r]));
    }
    return OK;
}

struct status
errors_metric_merge(struct errors_metric_state *s, const struct errors_metric_state *other)
{
    ASSERT(s->kind == other->kind && s->classes == other->classes);
    s->rows += other->rows;
    for (size_t k = 0; s->counts != NULL && k < (size_t)s->classes * s->classes; k++) {
        s->counts[k] += other->counts[k];
    }
    for (size_t k = 0; k < ERRORS_MEANS; k++) {
        moments_merge(&s->mean[k], &other->mean[k]);
    }
    for (size_t k = 0; k < ERRORS_POWERS; k++) {
        sum_merge(&s->power[k], &other->power[k]);
    }
    return counted_merge(&s->off, &other->off);
}

struct status
errors_metric_finish(struct errors_metric_state *s, double level,
                     struct errors_value ret_value[ERRORS_METRICS])
{
    for (int m = 0; m < ERRORS_METRICS; m++) {
        ret_value[m] = bare(NAN, (double)s->rows);
    }
    if (s->kind == ERRORS_NUMERIC) {
        TRY(counted_settle(&s->off));
        put_means(s, level, ret_value);
        ret_value[ERRORS_MEDIAN_AE] = median_of(&s->off, level);
        ret_value[ERRORS_R2] = r2_of(s, level);
        return OK;
    }
    if (s->kind == ERRORS_BINARY) {
        put_binary(s->counts, level, ret_value);
    }
    return put_classes(s->counts, s->classes, (double)s->rows, level, ret_value);
}

struct status
errors_metrics_of(const struct errors_outcome *o, const uint32_t *row, size_t n, double level,
                  struct errors_value ret_value[ERRORS_METRICS])
{
    struct moments truth = {0};
    DEFER(errors_metric_done) struct errors_metric_state s = {0};
    for (size_t i = 0; i < n && o->kind == ERRORS_NUMERIC; i++) {
        moments_add(&truth, o->truth[row == NULL ? i : row[i]]);
    }
    TRY(errors_metric_begin(o->kind, o->classes, moments_mean(&truth), &s));
    TRY(errors_metric_add(&s, o, row, n));
    return errors_metric_finish(&s, level, ret_value);
}
