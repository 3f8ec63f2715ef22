#include "assess/permutation_importance.h"

#include "num/moments.h"
#include "num/order.h"
#include "num/rng.h"
#include "num/student.h"

#include <math.h>

struct shuffles {
    const struct black_box *box;
    const struct permutation_input *in;
    const uint32_t *place; /* rows, a function of the rows as a set: what is shuffled */
    double *metric;        /* features * repeats */
};

/* Scores of all rows with the feature's values in that order; `batch` rows at a time. */
static struct status
predict_shuffled(const struct shuffles *s, size_t feature, const size_t *order, struct diag *diag,
                 double *ret_score)
{
    const size_t features = s->box->features, rows = s->in->rows;
    const size_t batch = rows < s->box->batch ? rows : s->box->batch;
    DEFER(memory_freep) double *x = calloc(batch * features, sizeof *x);
    CHECK(x != NULL, MEMORY);
    for (size_t at = 0; at < rows; at += batch) {
        const size_t n = rows - at < batch ? rows - at : batch;
        memcpy(x, s->in->x + at * features, n * features * sizeof *x);
        for (size_t i = 0; i < n; i++) {
            x[i * features + feature] = s->in->x[order[at + i] * features + feature];
        }
        TRY(black_box_predict(s->box, x, n, diag, ret_score + at * s->box->outputs));
    }
    return OK;
}

/* A block is one repeat of one feature, with a stream of its own. */
static struct status
shuffle_block(void *ctx, size_t block, struct diag *diag)
{
    const struct shuffles *s = ctx;
    const size_t rows = s->in->rows, feature = block / s->in->repeats;
    DEFER(memory_freep) size_t *drawn = calloc(rows, sizeof *drawn);
    DEFER(memory_freep) size_t *order = calloc(rows, sizeof *order);
    DEFER(memory_freep) double *score = calloc(rows * s->box->outputs, sizeof *score);
    CHECK(drawn != NULL && order != NULL && score != NULL, MEMORY);
    struct rng r;
    rng_init_at(&r, s->in->seed, "permutation importance", block);
    for (size_t i = 0; i < rows; i++) {
        drawn[i] = i;
    }
    rng_shuffle(&r, drawn, rows);
    for (size_t i = 0; i < rows; i++) {
        order[s->place[i]] = s->place[drawn[i]];
    }
    TRY(predict_shuffled(s, feature, order, diag, score));
    TRY(metric_check(s->in->metric, s->in->y, score, rows, s->box->outputs, diag));
    s->metric[block] = s->in->metric->of(s->in->y, score, rows, s->box->outputs);
    return OK;
}

static struct permutation_importance
summary(const struct permutation_input *in, double baseline, const double *metric)
{
    struct moments m = {0};
    for (size_t k = 0; k < in->repeats; k++) {
        moments_add(&m, in->metric->larger_is_better ? baseline - metric[k] : metric[k] - baseline);
    }
    const double half =
        student_quantile((1 + in->level) / 2, (double)in->repeats - 1) * moments_error(&m);
    const double mean = moments_mean(&m);
    return (struct permutation_importance){
        mean, sqrt(moments_variance(&m)), {mean - half, mean + half}};
}

struct status
permutation_importance(const struct black_box *box, const struct permutation_input *in,
                       struct diag *diag, double *ret_baseline,
                       struct permutation_importance *ret_importance)
{
    ASSERT(in->repeats >= 2 && in->repeats <= PERMUTATION_MOST_REPEATS);
    const size_t blocks = box->features * in->repeats;
    DEFER(memory_freep) double *score = calloc(in->rows * box->outputs + 1, sizeof *score);
    DEFER(memory_freep) double *metric = calloc(blocks, sizeof *metric);
    DEFER(memory_freep) uint32_t *place = calloc(in->rows + 1, sizeof *place);
    CHECK(score != NULL && metric != NULL && place != NULL, MEMORY);
    TRY(order_rows(in->x, in->rows, box->features, in->y, place));
    struct shuffles s = {box, in, place, metric};
    TRY(black_box_predict_all(box, in->x, in->rows, in->threads, diag, score));
    TRY(metric_check(in->metric, in->y, score, in->rows, box->outputs, diag));
    const double baseline = in->metric->of(in->y, score, in->rows, box->outputs);
    TRY(black_box_blocks(blocks, in->threads, shuffle_block, &s, diag));
    for (size_t f = 0; f < box->features; f++) {
        ret_importance[f] = summary(in, baseline, metric + f * in->repeats);
    }
    *ret_baseline = baseline;
    return OK;
}
