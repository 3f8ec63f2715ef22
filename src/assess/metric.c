#include "assess/metric.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

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

/* ---- means of a row's loss ---- */

static double
mean_loss(const struct metric_state *s)
{
    return sum_value(&s->loss) / (double)s->rows;
}

static struct status
add_right(struct metric_state *s, double y, const double *score, size_t outputs)
{
    sum_add(&s->loss, (double)metric_class_of(score, outputs) == y ? 1 : 0);
    return OK;
}

/* Clipped as scikit-learn does, so that one sure mistake is not infinite. */
static struct status
add_surprise(struct metric_state *s, double y, const double *score, size_t outputs)
{
    const double p = outputs == 1 ? (y == 1 ? score[0] : 1 - score[0]) : score[(size_t)y];
    sum_add(&s->loss, -log(fmin(fmax(p, DBL_EPSILON), 1 - DBL_EPSILON)));
    return OK;
}

static struct status
add_square(struct metric_state *s, double y, const double *score, size_t outputs)
{
    (void)outputs;
    sum_add(&s->loss, (score[0] - y) * (score[0] - y));
    return OK;
}

static struct status
add_distance(struct metric_state *s, double y, const double *score, size_t outputs)
{
    (void)outputs;
    sum_add(&s->loss, fabs(score[0] - y));
    return OK;
}

static struct status
add_percentage(struct metric_state *s, double y, const double *score, size_t outputs)
{
    (void)outputs;
    sum_add(&s->loss, fabs(score[0] - y) / fmax(fabs(y), DBL_EPSILON));
    return OK;
}

static double
root_mean(const struct metric_state *s)
{
    return sqrt(mean_loss(s));
}

/* ---- how much of the spread is told ---- */

static struct status
add_spread(struct metric_state *s, double y, const double *score, size_t outputs)
{
    moments_add(&s->truth, y);
    moments_add(&s->off, score[0] - y);
    return add_square(s, y, score, outputs);
}

static double
r2(const struct metric_state *s)
{
    return 1 - sum_value(&s->loss) / moments_squares(&s->truth);
}

static double
explained_variance(const struct metric_state *s)
{
    return 1 - moments_squares(&s->off) / moments_squares(&s->truth);
}

/* ---- counted ---- */

static struct status
count_distance(struct metric_state *s, double y, const double *score, size_t outputs)
{
    const double d = fabs(score[0] - y);
    (void)outputs;
    return counted_add(&s->distance, &d, 1, 1);
}

static double
median_distance(const struct metric_state *s)
{
    return counted_quantile(&s->distance, 0.5);
}

static double
greatest_distance(const struct metric_state *s)
{
    return s->distance.at[s->distance.n - 1].value;
}

static struct status
count_score(struct metric_state *s, double y, const double *score, size_t outputs)
{
    (void)outputs;
    return counted_add(y == 1 ? &s->ones : &s->zeros, score, 1, 1);
}

/* Rows of the others with a smaller value, and with this one. */
static void
ranks_of(const struct counted *others, double value, size_t *at, double *below, double *same)
{
    while (*at < others->n && others->at[*at].value < value) {
        (*at)++;
    }
    *below = *at == 0 ? 0 : (double)others->at[*at - 1].upto;
    const bool ties = *at < others->n && others->at[*at].value <= value;
    *same = ties ? (double)counted_times(others, *at) : 0;
}

/* Mann-Whitney: a tie counts half. */
static double
roc_auc(const struct metric_state *s)
{
    double won = 0, below = 0, same = 0;
    size_t at = 0;
    for (size_t k = 0; k < s->ones.n; k++) {
        ranks_of(&s->zeros, s->ones.at[k].value, &at, &below, &same);
        won += (double)counted_times(&s->ones, k) * (below + same / 2);
    }
    return won / ((double)counted_rows(&s->ones) * (double)counted_rows(&s->zeros));
}

/* Sum over thresholds of precision times the gain in recall. */
static double
average_precision(const struct metric_state *s)
{
    const double ones = (double)counted_rows(&s->ones), zeros = (double)counted_rows(&s->zeros);
    struct sum sum = {0};
    double below = 0, same = 0;
    size_t at = 0;
    for (size_t k = 0; k < s->ones.n; k++) {
        const double times = (double)counted_times(&s->ones, k);
        const double from_here = ones - (double)s->ones.at[k].upto + times;
        ranks_of(&s->zeros, s->ones.at[k].value, &at, &below, &same);
        sum_add(&sum, times * (from_here / (from_here + zeros - below)));
    }
    return sum_value(&sum) / ones;
}

/* ---- tallies of classes ---- */

static struct status
tally(struct metric_state *s, double y, const double *score, size_t outputs)
{
    const size_t said = metric_class_of(score, outputs);
    if (s->classes == NULL) {
        s->class_count = outputs == 1 ? 2 : outputs;
        s->classes = calloc(s->class_count, sizeof *s->classes);
        CHECK(s->classes != NULL, MEMORY);
    }
    s->classes[(size_t)y].truth++;
    s->classes[said].said++;
    s->classes[said].both += said == (size_t)y;
    return OK;
}

/* 0 where nothing is divided, as scikit-learn has it. */
static double
share(double part, double of)
{
    return of > 0 ? part / of : 0;
}

static double
precision_of(const struct metric_tally *t)
{
    return share((double)t->both, (double)t->said);
}

static double
recall_of(const struct metric_tally *t)
{
    return share((double)t->both, (double)t->truth);
}

static double
f1_of(const struct metric_tally *t)
{
    return share(2 * (double)t->both, (double)t->truth + (double)t->said);
}

/* Over the classes that occur; `said`: or are said. */
static double
mean_of_classes(const struct metric_state *s, double (*of)(const struct metric_tally *t), bool said)
{
    struct sum sum = {0};
    double n = 0;
    for (size_t k = 0; k < s->class_count; k++) {
        const struct metric_tally *t = &s->classes[k];
        if (t->truth > 0 || (said && t->said > 0)) {
            sum_add(&sum, of(t));
            n++;
        }
    }
    return sum_value(&sum) / n;
}

static double
balanced_accuracy(const struct metric_state *s)
{
    return mean_of_classes(s, recall_of, false);
}

static double
precision(const struct metric_state *s)
{
    return precision_of(&s->classes[1]);
}

static double
recall(const struct metric_state *s)
{
    return recall_of(&s->classes[1]);
}

static double
f1(const struct metric_state *s)
{
    return f1_of(&s->classes[1]);
}

static double
precision_macro(const struct metric_state *s)
{
    return mean_of_classes(s, precision_of, true);
}

static double
recall_macro(const struct metric_state *s)
{
    return mean_of_classes(s, recall_of, true);
}

static double
f1_macro(const struct metric_state *s)
{
    return mean_of_classes(s, f1_of, true);
}

const struct metric metrics[] = {
    {"accuracy", METRIC_CLASSES, true, false, add_right, mean_loss},
    {"balanced_accuracy", METRIC_CLASSES, true, false, tally, balanced_accuracy},
    {"precision", METRIC_BINARY, true, false, tally, precision},
    {"recall", METRIC_BINARY, true, false, tally, recall},
    {"f1", METRIC_BINARY, true, false, tally, f1},
    {"precision_macro", METRIC_CLASSES, true, false, tally, precision_macro},
    {"recall_macro", METRIC_CLASSES, true, false, tally, recall_macro},
    {"f1_macro", METRIC_CLASSES, true, false, tally, f1_macro},
    {"log_loss", METRIC_CLASSES, false, false, add_surprise, mean_loss},
    {"roc_auc", METRIC_BINARY, true, true, count_score, roc_auc},
    {"average_precision", METRIC_BINARY, true, true, count_score, average_precision},
    {"brier_score", METRIC_BINARY, false, false, add_square, mean_loss},
    {"rmse", METRIC_VALUES, false, false, add_square, root_mean},
    {"mse", METRIC_VALUES, false, false, add_square, mean_loss},
    {"mae", METRIC_VALUES, false, false, add_distance, mean_loss},
    {"mape", METRIC_VALUES, false, false, add_percentage, mean_loss},
    {"median_absolute_error", METRIC_VALUES, false, false, count_distance, median_distance},
    {"max_error", METRIC_VALUES, false, false, count_distance, greatest_distance},
    {"r2", METRIC_VALUES, true, true, add_spread, r2},
    {"explained_variance", METRIC_VALUES, true, true, add_spread, explained_variance},
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

void
metric_put_names(struct buf *b)
{
    for (const struct metric *m = metrics; m->name != NULL; m++) {
        buf_put_str(b, m == metrics ? "" : m[1].name == NULL ? " or " : ", ");
        buf_put_str(b, m->name);
    }
}

/* ---- whether it can be taken ---- */

static struct status
check_row(const struct metric *m, double y, const double *score, size_t outputs, uint64_t row,
          struct diag *diag)
{
    const double classes = outputs == 1 ? 2 : (double)outputs;
    if (!isfinite(y)) {
        diag_set(diag, "%s: row %llu has no label", m->name, (unsigned long long)row);
        FAIL(INPUT);
    }
    if (m->family == METRIC_VALUES) {
        return OK;
    }
    if (!(y >= 0 && y < classes && y == floor(y))) {
        diag_set(diag, "%s: the label of row %llu is %g; classes are numbered from 0 to %.0f",
                 m->name, (unsigned long long)row, y, classes - 1);
        FAIL(INPUT);
    }
    for (size_t o = 0; o < outputs; o++) {
        if (!(score[o] >= 0 && score[o] <= 1)) {
            diag_set(diag, "%s: the model answered %g to row %llu, which is no probability",
                     m->name, score[o], (unsigned long long)row);
            FAIL(INPUT);
        }
    }
    return OK;
}

/* ---- the state ---- */

void
metric_done(struct metric_state *s)
{
    counted_done(&s->ones);
    counted_done(&s->zeros);
    counted_done(&s->distance);
    free(s->classes);
}

static void
widen(struct metric_state *s, double least, double most, uint64_t rows)
{
    s->least = s->rows == 0 ? least : fmin(s->least, least);
    s->most = s->rows == 0 ? most : fmax(s->most, most);
    s->rows += rows;
}

struct status
metric_add(const struct metric *m, struct metric_state *s, const double *y, const double *score,
           size_t rows, size_t outputs, struct diag *diag)
{
    if (outputs != 1 && m->family != METRIC_CLASSES) {
        diag_set(diag, "%s is of one output; the model has %zu", m->name, outputs);
        FAIL(INPUT);
    }
    for (size_t i = 0; i < rows; i++) {
        TRY(check_row(m, y[i], score + i * outputs, outputs, s->rows + 1, diag));
        TRY(m->add(s, y[i], score + i * outputs, outputs));
        widen(s, y[i], y[i], 1);
    }
    return OK;
}

static struct status
merge_tallies(struct metric_state *s, const struct metric_state *other)
{
    if (s->classes == NULL && other->classes != NULL) {
        s->classes = calloc(other->class_count, sizeof *s->classes);
        CHECK(s->classes != NULL, MEMORY);
        s->class_count = other->class_count;
    }
    for (size_t k = 0; k < other->class_count; k++) {
        s->classes[k].truth += other->classes[k].truth;
        s->classes[k].said += other->classes[k].said;
        s->classes[k].both += other->classes[k].both;
    }
    return OK;
}

struct status
metric_merge(struct metric_state *s, const struct metric_state *other)
{
    if (other->rows == 0) {
        return OK;
    }
    sum_merge(&s->loss, &other->loss);
    moments_merge(&s->truth, &other->truth);
    moments_merge(&s->off, &other->off);
    TRY(counted_merge(&s->ones, &other->ones));
    TRY(counted_merge(&s->zeros, &other->zeros));
    TRY(counted_merge(&s->distance, &other->distance));
    TRY(merge_tallies(s, other));
    widen(s, other->least, other->most, other->rows);
    return OK;
}

struct status
metric_finish(const struct metric *m, struct metric_state *s, struct diag *diag, double *ret_value)
{
    if (s->rows == 0) {
        diag_set(diag, "%s: there are no rows", m->name);
        FAIL(INPUT);
    }
    if (m->two_labels && s->least == s->most) {
        diag_set(diag, "%s: every label is %g; it needs two different ones", m->name, s->least);
        FAIL(INPUT);
    }
    TRY(counted_settle(&s->ones));
    TRY(counted_settle(&s->zeros));
    TRY(counted_settle(&s->distance));
    *ret_value = m->finish(s);
    return OK;
}

struct status
metric_of(const struct metric *m, const double *y, const double *score, size_t rows, size_t outputs,
          struct diag *diag, double *ret_value)
{
    DEFER(metric_done) struct metric_state s = {0};
    TRY(metric_add(m, &s, y, score, rows, outputs, diag));
    return metric_finish(m, &s, diag, ret_value);
}
