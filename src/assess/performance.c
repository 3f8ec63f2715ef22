#include "assess/performance.h"

#include "num/normal.h"
#include "num/sum.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

struct scored {
    double score;
    uint8_t y;
};

/* A run of equal scores, in rising order of score: positives and negatives in it and below it. */
struct run {
    size_t begin, end;
    uint64_t positives, negatives;
    uint64_t positives_below, negatives_below;
};

static int
compare_scored(const void *a, const void *b)
{
    const double x = ((const struct scored *)a)->score, y = ((const struct scored *)b)->score;
    return (x > y) - (x < y);
}

/* The next run after r; start with a zeroed one. */
static bool
run_next(const struct scored *s, size_t rows, struct run *r)
{
    if (r->end >= rows) {
        return false;
    }
    struct run next = {
        .begin = r->end,
        .end = r->end,
        .positives_below = r->positives_below + r->positives,
        .negatives_below = r->negatives_below + r->negatives,
    };
    while (next.end < rows && s[next.end].score == s[next.begin].score) {
        next.positives += s[next.end].y;
        next.end++;
    }
    next.negatives = next.end - next.begin - next.positives;
    *r = next;
    return true;
}

/* Placements of DeLong, DeLong and Clarke-Pearson (1988), from mid-ranks as in Sun and Xu (2014): a
 * positive's is the share of negatives below it, ties half; a negative's the share of positives
 * above it. Their means are both the AUC; its variance is the sum of their sample variances, each
 * over its own count. Doubles, runs in rising order. */
static void
auc_delong(const struct scored *s, size_t rows, double level, struct performance *p)
{
    const double m = (double)p->positives, n = (double)(p->rows - p->positives);
    if (p->positives == 0 || p->positives == p->rows) {
        p->roc_auc = NAN;
        p->roc_auc_ci = (struct interval){0.0, 1.0};
        return;
    }
    double twice = 0.0; /* 2 * (pairs in order + ties / 2): whole numbers, exact below 2^53 */
    for (struct run r = {0}; run_next(s, rows, &r);) {
        twice += (double)r.positives * (2.0 * (double)r.negatives_below + (double)r.negatives);
    }
    p->roc_auc = twice / (2.0 * m * n);
    double v10 = 0.0, v01 = 0.0;
    for (struct run r = {0}; run_next(s, rows, &r);) {
        const double below = ((double)r.negatives_below + 0.5 * (double)r.negatives) / n;
        const double above =
            (m - (double)r.positives_below - (double)r.positives + 0.5 * (double)r.positives) / m;
        v10 += (double)r.positives * (below - p->roc_auc) * (below - p->roc_auc);
        v01 += (double)r.negatives * (above - p->roc_auc) * (above - p->roc_auc);
    }
    if (m < 2.0 || n < 2.0) { /* no sample variance */
        p->roc_auc_ci = (struct interval){0.0, 1.0};
        return;
    }
    const double error = sqrt(v10 / (m - 1.0) / m + v01 / (n - 1.0) / n);
    const double half = -normal_quantile((1.0 - level) / 2.0) * error;
    p->roc_auc_ci.low = fmax(0.0, p->roc_auc - half);
    p->roc_auc_ci.high = fmin(1.0, p->roc_auc + half);
}

/* Sum over thresholds, from the highest, of precision times the gain in recall. NaN: no positives.
 */
static double
average_precision(const struct scored *s, size_t rows, uint64_t positives)
{
    double sum = 0.0;
    uint64_t tp = 0;
    size_t taken = 0;
    while (taken < rows) {
        const double score = s[rows - 1 - taken].score;
        const uint64_t before = tp;
        while (taken < rows && s[rows - 1 - taken].score == score) {
            tp += s[rows - 1 - taken].y;
            taken++;
        }
        sum += (double)(tp - before) * ((double)tp / (double)taken);
    }
    return positives == 0 ? NAN : sum / (double)positives;
}

/* One straight piece of the ROC from (f0, t0) to (f1, t1) gives the grid points it reaches; a later
 * piece that starts at the same FPR overwrites, so that a vertical piece counts by its top. */
static void
curve_piece(struct performance *p, double f0, double t0, double f1, double t1)
{
    const double steps = (double)(PERFORMANCE_CURVE - 1);
    const double tiny = 1e-12;
    for (double i = ceil((f0 - tiny) * steps); i <= (f1 + tiny) * steps; i += 1.0) {
        const double at = f1 > f0 ? fmin(1.0, fmax(0.0, (i / steps - f0) / (f1 - f0))) : 1.0;
        p->curve[(size_t)fmin(fmax(i, 0.0), steps)].tpr = t0 + at * (t1 - t0);
    }
}

static void
curve_fill(const struct scored *s, size_t rows, struct performance *p)
{
    const uint64_t negatives = p->rows - p->positives;
    const bool defined = p->positives > 0 && negatives > 0;
    for (size_t i = 0; i < PERFORMANCE_CURVE; i++) {
        p->curve[i].fpr = (double)i / (double)(PERFORMANCE_CURVE - 1);
        p->curve[i].tpr = NAN;
    }
    uint64_t tp = 0, fp = 0;
    for (size_t taken = 0; defined && taken < rows;) {
        const double score = s[rows - 1 - taken].score;
        const uint64_t tp0 = tp, fp0 = fp;
        while (taken < rows && s[rows - 1 - taken].score == score) {
            tp += s[rows - 1 - taken].y;
            taken++;
        }
        fp = taken - tp;
        const double m = (double)p->positives, n = (double)negatives;
        curve_piece(p, (double)fp0 / n, (double)tp0 / m, (double)fp / n, (double)tp / m);
    }
}

/* Equal scores stay in one bin, so that the bins do not depend on the order of the rows. */
static void
calibration_fill(const struct scored *s, size_t rows, double level, struct performance *p)
{
    size_t begin = 0;
    for (size_t b = 0; b < PERFORMANCE_BINS; b++) {
        const size_t target = rows / PERFORMANCE_BINS * (b + 1) +
                              rows % PERFORMANCE_BINS * (b + 1) / PERFORMANCE_BINS;
        size_t end = target > begin ? target : begin;
        while (end > begin && end < rows && s[end].score == s[end - 1].score) {
            end++;
        }
        if (end == begin) {
            continue;
        }
        double sum = 0.0;
        uint64_t positives = 0;
        for (size_t i = begin; i < end; i++) {
            sum += s[i].score;
            positives += s[i].y;
        }
        const double n = (double)(end - begin);
        p->bin[p->bins].mean_score = sum / n;
        p->bin[p->bins].observed = (double)positives / n;
        p->bin[p->bins].n = end - begin;
        p->bin[p->bins].ci = interval_wilson((double)positives, n, level);
        p->bins++;
        begin = end;
    }
}

/* Log loss clips the probability by the epsilon of a double, as scikit-learn does. */
static void
losses_fill(const uint8_t *y, const double *score, size_t rows, struct performance *p)
{
    struct sum log_loss = {0}, brier = {0};
    for (size_t i = 0; i < rows; i++) {
        const double q = fmin(1.0 - DBL_EPSILON, fmax(DBL_EPSILON, score[i]));
        sum_add(&log_loss, y[i] ? -log(q) : -log1p(-q));
        sum_add(&brier, (score[i] - y[i]) * (score[i] - y[i]));
    }
    p->log_loss = sum_value(&log_loss) / (double)rows;
    p->brier = sum_value(&brier) / (double)rows;
}

static struct rate
rate_of(uint64_t x, uint64_t n, double level)
{
    const double count = (double)x, of = (double)n;
    return (struct rate){n == 0 ? NAN : count / of, x, n, interval_wilson(count, of, level)};
}

static void
decisions_fill(const uint8_t *y, const double *score, const uint8_t *decided, size_t rows,
               double level, struct performance *p)
{
    for (size_t i = 0; i < rows; i++) {
        const bool decision = decided != NULL ? decided[i] != 0 : score[i] >= p->threshold;
        if (y[i]) {
            *(decision ? &p->counts.tp : &p->counts.fn) += 1;
        } else {
            *(decision ? &p->counts.fp : &p->counts.tn) += 1;
        }
    }
    const struct confusion *c = &p->counts;
    p->positives = c->tp + c->fn;
    p->accuracy = rate_of(c->tp + c->tn, rows, level);
    p->precision = rate_of(c->tp, c->tp + c->fp, level);
    p->recall = rate_of(c->tp, p->positives, level);
    p->selection_rate = rate_of(c->tp + c->fp, rows, level);
    const uint64_t wrong = c->fp + c->fn;
    p->f1 = c->tp + wrong == 0 ? NAN : 2.0 * (double)c->tp / (double)(2 * c->tp + wrong);
}

struct status
performance_decided(const uint8_t *y, const double *score, const uint8_t *decision, size_t rows,
                    double threshold, double level, struct performance *ret_performance)
{
    ASSERT(level > 0.0 && level < 1.0);
    CHECK(rows > 0 && !isnan(threshold), INPUT);
    for (size_t i = 0; i < rows; i++) {
        CHECK(y[i] <= 1 && score[i] >= 0.0 && score[i] <= 1.0, INPUT);
    }
    DEFER(memory_freep) struct scored *sorted = calloc(rows, sizeof *sorted);
    CHECK(sorted != NULL, MEMORY);
    for (size_t i = 0; i < rows; i++) {
        sorted[i] = (struct scored){score[i], y[i]};
    }
    qsort(sorted, rows, sizeof *sorted, compare_scored);
    struct performance p = {.rows = rows, .threshold = threshold};
    decisions_fill(y, score, decision, rows, level, &p);
    losses_fill(y, score, rows, &p);
    auc_delong(sorted, rows, level, &p);
    p.average_precision = average_precision(sorted, rows, p.positives);
    curve_fill(sorted, rows, &p);
    calibration_fill(sorted, rows, level, &p);
    *ret_performance = p;
    return OK;
}

struct status
performance_binary(const uint8_t *y, const double *score, size_t rows, double threshold,
                   double level, struct performance *ret_performance)
{
    return performance_decided(y, score, NULL, rows, threshold, level, ret_performance);
}

/* ---- several classes ---- */

static double
brier_of(uint32_t label, const double *score, uint32_t outputs)
{
    double sum = label < outputs ? 0 : 1;
    for (uint32_t k = 0; k < outputs; k++) {
        const double off = score[k] - (k == label ? 1 : 0);
        sum += off * off;
    }
    return sum;
}

void
performance_class_losses(const uint32_t *label, const double *score, size_t rows, uint32_t outputs,
                         double *ret_log_loss, double *ret_brier)
{
    struct sum log_loss = {0}, brier = {0};
    for (size_t i = 0; i < rows; i++) {
        const double *of_row = score + i * outputs;
        const double p = label[i] < outputs ? of_row[label[i]] : 0;
        sum_add(&log_loss, -log(fmin(1.0 - DBL_EPSILON, fmax(DBL_EPSILON, p))));
        sum_add(&brier, brier_of(label[i], of_row, outputs));
    }
    *ret_log_loss = sum_value(&log_loss) / (double)rows;
    *ret_brier = sum_value(&brier) / (double)rows;
}
