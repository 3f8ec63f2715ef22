#include "assess/performance.h"

#include "num/normal.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* Rows of one score. */
struct run {
    double score;
    uint64_t positives, negatives;
};

/* ret_runs[positives->n + negatives->n], in rising order of score; returns how many there are. */
static size_t
make_runs(const struct counted *positives, const struct counted *negatives, struct run *ret_runs)
{
    size_t n = 0, i = 0, k = 0;
    while (i < positives->n || k < negatives->n) {
        const double x = i < positives->n ? positives->at[i].value : (double)INFINITY;
        const double y = k < negatives->n ? negatives->at[k].value : (double)INFINITY;
        struct run r = {.score = x < y ? x : y};
        if (x <= y) {
            r.positives = counted_times(positives, i++);
        }
        if (y <= x) {
            r.negatives = counted_times(negatives, k++);
        }
        ret_runs[n++] = r;
    }
    return n;
}

/* Placements of DeLong, DeLong and Clarke-Pearson (1988), from mid-ranks as in Sun and Xu (2014): a
 * positive's is the share of negatives below it, ties half; a negative's the share of positives
 * above it. Their means are both the AUC; its variance is the sum of their sample variances, each
 * over its own count. Doubles, runs in rising order. */
static void
auc_delong(const struct run *run, size_t runs, double level, struct performance *p)
{
    const double m = (double)p->positives, n = (double)(p->rows - p->positives);
    if (p->positives == 0 || p->positives == p->rows) {
        p->roc_auc = NAN;
        p->roc_auc_ci = (struct interval){0.0, 1.0};
        return;
    }
    double twice = 0.0; /* 2 * (pairs in order + ties / 2): whole numbers, exact below 2^53 */
    uint64_t negatives_below = 0, positives_below = 0;
    for (size_t k = 0; k < runs; k++) {
        twice +=
            (double)run[k].positives * (2.0 * (double)negatives_below + (double)run[k].negatives);
        negatives_below += run[k].negatives;
    }
    p->roc_auc = twice / (2.0 * m * n);
    double v10 = 0.0, v01 = 0.0;
    negatives_below = 0;
    for (size_t k = 0; k < runs; k++) {
        const double with = (double)run[k].positives, without = (double)run[k].negatives;
        const double below = ((double)negatives_below + 0.5 * without) / n;
        const double above = (m - (double)positives_below - with + 0.5 * with) / m;
        v10 += with * (below - p->roc_auc) * (below - p->roc_auc);
        v01 += without * (above - p->roc_auc) * (above - p->roc_auc);
        negatives_below += run[k].negatives;
        positives_below += run[k].positives;
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
average_precision(const struct run *run, size_t runs, uint64_t positives)
{
    double sum = 0.0;
    uint64_t tp = 0, taken = 0;
    for (size_t k = runs; k-- > 0;) {
        tp += run[k].positives;
        taken += run[k].positives + run[k].negatives;
        sum += (double)run[k].positives * ((double)tp / (double)taken);
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
curve_fill(const struct run *run, size_t runs, struct performance *p)
{
    const double m = (double)p->positives, n = (double)(p->rows - p->positives);
    for (size_t i = 0; i < PERFORMANCE_CURVE; i++) {
        p->curve[i].fpr = (double)i / (double)(PERFORMANCE_CURVE - 1);
        p->curve[i].tpr = NAN;
    }
    uint64_t tp = 0, fp = 0;
    for (size_t k = runs; m > 0 && n > 0 && k-- > 0;) {
        const double tp0 = (double)tp, fp0 = (double)fp;
        tp += run[k].positives;
        fp += run[k].negatives;
        curve_piece(p, fp0 / n, tp0 / m, (double)fp / n, (double)tp / m);
    }
}

/* Equal scores stay in one bin, so that the bins do not depend on the order of the rows. */
static void
calibration_fill(const struct run *run, size_t runs, double level, struct performance *p)
{
    uint64_t begin = 0, end = 0;
    for (size_t b = 0, k = 0; b < PERFORMANCE_BINS; b++, begin = end) {
        const uint64_t target = p->rows / PERFORMANCE_BINS * (b + 1) +
                                p->rows % PERFORMANCE_BINS * (b + 1) / PERFORMANCE_BINS;
        struct sum sum = {0};
        uint64_t positives = 0;
        for (; k < runs && end < target; k++) {
            const uint64_t rows = run[k].positives + run[k].negatives;
            sum_add_times(&sum, run[k].score, rows);
            positives += run[k].positives;
            end += rows;
        }
        if (end > begin) {
            const double n = (double)(end - begin);
            p->bin[p->bins].mean_score = sum_value(&sum) / n;
            p->bin[p->bins].observed = (double)positives / n;
            p->bin[p->bins].n = end - begin;
            p->bin[p->bins].ci = interval_wilson((double)positives, n, level);
            p->bins++;
        }
    }
}

static struct rate
rate_of(uint64_t x, uint64_t n, double level)
{
    const double count = (double)x, of = (double)n;
    return (struct rate){n == 0 ? NAN : count / of, x, n, interval_wilson(count, of, level)};
}

static void
decisions_fill(const struct confusion *c, double level, struct performance *p)
{
    const uint64_t wrong = c->fp + c->fn, rows = p->rows;
    p->counts = *c;
    p->positives = c->tp + c->fn;
    p->accuracy = rate_of(c->tp + c->tn, rows, level);
    p->precision = rate_of(c->tp, c->tp + c->fp, level);
    p->recall = rate_of(c->tp, p->positives, level);
    p->selection_rate = rate_of(c->tp + c->fp, rows, level);
    p->f1 = c->tp + wrong == 0 ? NAN : 2.0 * (double)c->tp / (double)(2 * c->tp + wrong);
}

/* ---- any rows ---- */

void
performance_done(struct performance_state *s)
{
    counted_done(&s->positives);
    counted_done(&s->negatives);
}

/* Log loss clips the probability by the epsilon of a double, as scikit-learn does. */
static struct status
add_row(struct performance_state *s, bool y, double score, bool decision)
{
    const double q = fmin(1.0 - DBL_EPSILON, fmax(DBL_EPSILON, score));
    sum_add(&s->log_loss, y ? -log(q) : -log1p(-q));
    sum_add(&s->brier, (score - y) * (score - y));
    *(y ? decision ? &s->counts.tp : &s->counts.fn : decision ? &s->counts.fp : &s->counts.tn) += 1;
    return counted_add(y ? &s->positives : &s->negatives, &score, 1, 1);
}

struct status
performance_add(struct performance_state *s, const uint8_t *y, const double *score,
                const uint8_t *decision, size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        CHECK(y[i] <= 1 && score[i] >= 0.0 && score[i] <= 1.0, INPUT);
    }
    for (size_t i = 0; i < rows; i++) {
        TRY(add_row(s, y[i] == 1, score[i],
                    decision != NULL ? decision[i] != 0 : score[i] >= s->threshold));
    }
    return OK;
}

struct status
performance_merge(struct performance_state *s, const struct performance_state *other)
{
    s->counts.tp += other->counts.tp;
    s->counts.fp += other->counts.fp;
    s->counts.tn += other->counts.tn;
    s->counts.fn += other->counts.fn;
    sum_merge(&s->log_loss, &other->log_loss);
    sum_merge(&s->brier, &other->brier);
    TRY(counted_merge(&s->positives, &other->positives));
    return counted_merge(&s->negatives, &other->negatives);
}

struct status
performance_finish(struct performance_state *s, double level, struct performance *ret_performance)
{
    const struct confusion *c = &s->counts;
    struct performance p = {.rows = c->tp + c->fp + c->tn + c->fn, .threshold = s->threshold};
    ASSERT(level > 0.0 && level < 1.0);
    CHECK(p.rows > 0 && !isnan(s->threshold), INPUT);
    TRY(counted_settle(&s->positives));
    TRY(counted_settle(&s->negatives));
    DEFER(memory_freep) struct run *run = calloc(s->positives.n + s->negatives.n, sizeof *run);
    CHECK(run != NULL, MEMORY);
    const size_t runs = make_runs(&s->positives, &s->negatives, run);
    decisions_fill(c, level, &p);
    p.log_loss = sum_value(&s->log_loss) / (double)p.rows;
    p.brier = sum_value(&s->brier) / (double)p.rows;
    auc_delong(run, runs, level, &p);
    p.average_precision = average_precision(run, runs, p.positives);
    curve_fill(run, runs, &p);
    calibration_fill(run, runs, level, &p);
    *ret_performance = p;
    return OK;
}

struct status
performance_decided(const uint8_t *y, const double *score, const uint8_t *decision, size_t rows,
                    double threshold, double level, struct performance *ret_performance)
{
    DEFER(performance_done) struct performance_state s = {.threshold = threshold};
    TRY(performance_add(&s, y, score, decision, rows));
    return performance_finish(&s, level, ret_performance);
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
