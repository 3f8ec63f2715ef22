#include "assess/permutation_importance.h"

#include "num/moments.h"
#include "num/order.h"
#include "num/rng.h"
#include "num/student.h"

#include <math.h>

struct shuffles {
    const struct black_box *box;
    const struct permutation_input *in;
    size_t rows;          /* of all parts */
    const uint32_t *rank; /* rows, part after part: their places in an order of the set */
    double *metric;       /* features * repeats */
};

/* ---- who is where ---- */

static struct status
rank_rows(const struct permutation_input *in, size_t features, size_t rows, uint32_t *ret_rank)
{
    DEFER(memory_freep) uint64_t *hash = calloc(rows + 1, sizeof *hash);
    DEFER(memory_freep) uint32_t *order = calloc(rows + 1, sizeof *order);
    CHECK(hash != NULL && order != NULL && rows <= UINT32_MAX, MEMORY);
    for (size_t p = 0, at = 0; p < in->parts; p++) {
        for (size_t i = 0; i < in->part[p].rows; i++, at++) {
            hash[at] = order_row_hash(0, in->part[p].x + i * features, features);
            hash[at] = order_row_hash(hash[at], in->part[p].y + i, 1);
            order[at] = (uint32_t)at;
        }
    }
    TRY(order_by_hash(hash, rows, order));
    for (size_t k = 0; k < rows; k++) {
        ret_rank[order[k]] = (uint32_t)k;
    }
    return OK;
}

/* A feature's values, in that order: ret_value[rows]. */
static void
take_column(const struct shuffles *s, size_t feature, double *ret_value)
{
    for (size_t p = 0, at = 0; p < s->in->parts; p++) {
        for (size_t i = 0; i < s->in->part[p].rows; i++, at++) {
            ret_value[s->rank[at]] = s->in->part[p].x[i * s->box->features + feature];
        }
    }
}

/* ---- the metric when a feature is shuffled ---- */

/* What a row of each rank has of a feature instead of its own. No values: all as they are. */
struct given {
    size_t feature;
    const double *value;
};

static struct status
ask_part(const struct shuffles *s, const struct permutation_rows *part, const uint32_t *rank,
         const struct given *g, struct diag *diag, struct metric_state *state)
{
    const size_t features = s->box->features, outputs = s->box->outputs;
    const size_t batch = part->rows < s->box->batch ? part->rows : s->box->batch;
    DEFER(memory_freep) double *x = calloc(batch * features + 1, sizeof *x);
    DEFER(memory_freep) double *score = calloc(batch * outputs + 1, sizeof *score);
    CHECK(x != NULL && score != NULL, MEMORY);
    for (size_t at = 0; at < part->rows; at += batch) {
        const size_t n = part->rows - at < batch ? part->rows - at : batch;
        memcpy(x, part->x + at * features, n * features * sizeof *x);
        for (size_t i = 0; i < n && g->value != NULL; i++) {
            x[i * features + g->feature] = g->value[rank[at + i]];
        }
        TRY(black_box_predict(s->box, x, n, diag, score));
        TRY(metric_add(s->in->metric, state, part->y + at, score, n, outputs, diag));
    }
    return OK;
}

static struct status
ask_all(const struct shuffles *s, const struct given *g, struct diag *diag, double *ret_metric)
{
    DEFER(metric_done) struct metric_state all = {0};
    const uint32_t *rank = s->rank;
    for (size_t p = 0; p < s->in->parts; p++) {
        TRY(ask_part(s, &s->in->part[p], rank, g, diag, &all));
        rank += s->in->part[p].rows;
    }
    return metric_finish(s->in->metric, &all, diag, ret_metric);
}

/* Block 0 is the rows as they are; each other one a repeat of one feature, with a stream of its
 * own. */
static struct status
shuffle_block(void *ctx, size_t block, struct diag *diag)
{
    const struct shuffles *s = ctx;
    if (block == 0) {
        return ask_all(s, &(struct given){0}, diag, &s->metric[0]);
    }
    const size_t feature = (block - 1) / s->in->repeats;
    DEFER(memory_freep) size_t *drawn = calloc(s->rows + 1, sizeof *drawn);
    DEFER(memory_freep) double *own = calloc(s->rows + 1, sizeof *own);
    DEFER(memory_freep) double *value = calloc(s->rows + 1, sizeof *value);
    CHECK(drawn != NULL && own != NULL && value != NULL, MEMORY);
    struct rng r;
    rng_init_at(&r, s->in->seed, "permutation importance", block - 1);
    for (size_t i = 0; i < s->rows; i++) {
        drawn[i] = i;
    }
    rng_shuffle(&r, drawn, s->rows);
    take_column(s, feature, own);
    for (size_t i = 0; i < s->rows; i++) {
        value[i] = own[drawn[i]];
    }
    return ask_all(s, &(struct given){feature, value}, diag, &s->metric[block]);
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
    const size_t blocks = box->features * in->repeats + 1;
    size_t rows = 0;
    for (size_t p = 0; p < in->parts; p++) {
        rows += in->part[p].rows;
    }
    DEFER(memory_freep) double *metric = calloc(blocks, sizeof *metric);
    DEFER(memory_freep) uint32_t *rank = calloc(rows + 1, sizeof *rank);
    CHECK(metric != NULL && rank != NULL, MEMORY);
    struct shuffles s = {box, in, rows, rank, metric};
    TRY(rank_rows(in, box->features, rows, rank));
    TRY(black_box_blocks(blocks, in->threads, shuffle_block, &s, diag));
    for (size_t f = 0; f < box->features; f++) {
        ret_importance[f] = summary(in, metric[0], metric + 1 + f * in->repeats);
    }
    *ret_baseline = metric[0];
    return OK;
}
