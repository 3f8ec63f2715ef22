#include "assess/black_box.h"

#include "base/threads.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

struct status
black_box_predict(const struct black_box *b, const double *x, size_t rows, struct diag *diag,
                  double *ret_score)
{
    for (size_t at = 0; at < rows; at += b->batch) {
        const size_t n = rows - at < b->batch ? rows - at : b->batch;
        double *score = ret_score + at * b->outputs;
        TRY(b->predict(b->ctx, x + at * b->features, n, diag, score));
        for (size_t i = 0; i < n * b->outputs; i++) {
            if (!isfinite(score[i])) {
                diag_set(diag, "the model answered %s: an explanation needs finite numbers",
                         isnan(score[i]) ? "NaN" : "infinity");
                FAIL(INPUT);
            }
        }
    }
    return OK;
}

/* ---- blocks ---- */

struct blocks {
    struct status (*work)(void *ctx, size_t block, struct diag *diag);
    void *ctx;
    _Atomic size_t first; /* that failed; SIZE_MAX: none */
    pthread_mutex_t lock; /* of the three */
    struct status status;
    struct diag diag;
};

/* Blocks after one that failed are not begun; those before it are, so that whichever is first in
 * order is told. */
static void
work_block(void *ctx, size_t block)
{
    struct blocks *b = ctx;
    struct diag diag = {0};
    if (block > b->first) {
        return;
    }
    const struct status s = b->work(b->ctx, block, &diag);
    if (status_ok(s)) {
        return;
    }
    (void)pthread_mutex_lock(&b->lock);
    if (block < b->first) {
        b->first = block;
        b->status = s;
        b->diag = diag;
    }
    (void)pthread_mutex_unlock(&b->lock);
}

struct status
black_box_blocks(size_t blocks, unsigned threads,
                 struct status (*work)(void *ctx, size_t block, struct diag *diag), void *ctx,
                 struct diag *diag)
{
    struct blocks b = {
        .work = work, .ctx = ctx, .first = SIZE_MAX, .lock = PTHREAD_MUTEX_INITIALIZER};
    threads_for(blocks, threads, work_block, &b);
    if (b.diag.text[0] != '\0') {
        diag_set(diag, "%s", b.diag.text);
    }
    return b.status;
}

struct all {
    const struct black_box *box;
    const double *x;
    size_t rows;
    double *score;
};

static struct status
predict_block(void *ctx, size_t block, struct diag *diag)
{
    const struct all *a = ctx;
    const size_t at = block * a->box->batch,
                 n = a->rows - at < a->box->batch ? a->rows - at : a->box->batch;
    return black_box_predict(a->box, a->x + at * a->box->features, n, diag,
                             a->score + at * a->box->outputs);
}

struct status
black_box_predict_all(const struct black_box *b, const double *x, size_t rows, unsigned threads,
                      struct diag *diag, double *ret_score)
{
    struct all a = {b, x, rows, ret_score};
    return black_box_blocks((rows + b->batch - 1) / b->batch, threads, predict_block, &a, diag);
}

/* ---- the game ---- */

static bool
same(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

size_t
game_players(const struct black_box *box, const double *row, const double *background,
             size_t background_rows, size_t *ret_player)
{
    size_t players = 0;
    for (size_t f = 0; f < box->features; f++) {
        for (size_t b = 0; b < background_rows; b++) {
            if (!same(row[f], background[b * box->features + f])) {
                ret_player[players++] = f;
                break;
            }
        }
    }
    return players;
}

struct values {
    const struct game *game;
    const uint8_t *member;
    size_t n, block; /* coalitions in all, and of a block */
    double *value;
};

/* Background row b as the coalition leaves it. */
static void
put_row(const struct game *g, const uint8_t *member, size_t b, double *ret_x)
{
    const size_t features = g->box->features;
    memcpy(ret_x, g->background + b * features, features * sizeof *ret_x);
    for (size_t p = 0; p < g->players; p++) {
        if (member[p] != 0) {
            ret_x[g->player[p]] = g->row[g->player[p]];
        }
    }
}

/* Rows run through the block's coalitions, and through the background within each; sums go in that
 * order, whatever the batch. */
static struct status
value_block(void *ctx, size_t block, struct diag *diag)
{
    const struct values *v = ctx;
    const struct game *g = v->game;
    const size_t outputs = g->box->outputs, first = block * v->block;
    const size_t n = v->n - first < v->block ? v->n - first : v->block;
    const size_t rows = n * g->background_rows;
    const size_t batch = rows < g->box->batch ? rows : g->box->batch;
    DEFER(memory_freep) double *x = calloc(batch * g->box->features, sizeof *x);
    DEFER(memory_freep) double *score = calloc(batch * outputs, sizeof *score);
    CHECK(x != NULL && score != NULL, MEMORY);
    double *value = v->value + first * outputs;
    memset(value, 0, n * outputs * sizeof *value);
    for (size_t at = 0; at < rows; at += batch) {
        const size_t now = rows - at < batch ? rows - at : batch;
        for (size_t i = 0; i < now; i++) {
            const size_t coalition = (at + i) / g->background_rows;
            put_row(g, v->member + (first + coalition) * g->players, (at + i) % g->background_rows,
                    x + i * g->box->features);
        }
        TRY(black_box_predict(g->box, x, now, diag, score));
        for (size_t i = 0; i < now * outputs; i++) {
            value[(at + i / outputs) / g->background_rows * outputs + i % outputs] += score[i];
        }
    }
    for (size_t i = 0; i < n * outputs; i++) {
        value[i] /= (double)g->background_rows;
    }
    return OK;
}

struct status
game_values(const struct game *g, const uint8_t *member, size_t n, struct diag *diag,
            double *ret_value)
{
    const size_t fit = g->box->batch / g->background_rows;
    struct values v = {g, member, n, fit > 0 ? fit : 1, ret_value};
    return black_box_blocks((n + v.block - 1) / v.block, g->threads, value_block, &v, diag);
}
