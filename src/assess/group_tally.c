#include "assess/group_tally.h"

#include "base/threads.h"
#include "num/order.h"
#include "num/poisson_bootstrap.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

void
group_tally_add(struct group_tally *to, const struct group_tally *other)
{
    to->rows += other->rows;
    for (size_t i = 0; i < GROUP_OUTCOMES; i++) {
        to->count[i] += other->count[i];
        to->count2[i] += other->count2[i];
    }
    for (size_t i = 0; i < GROUP_MOMENTS; i++) {
        to->moment[i] += other->moment[i];
        to->moment2[i] += other->moment2[i];
    }
    group_tally_forget(to);
}

struct group_tally
group_tally_less(const struct group_tally *all, const struct group_tally *part)
{
    struct group_tally rest = *all;
    rest.rows -= part->rows;
    for (size_t i = 0; i < GROUP_OUTCOMES; i++) {
        rest.count[i] = fmax(0, rest.count[i] - part->count[i]);
        rest.count2[i] = fmax(0, rest.count2[i] - part->count2[i]);
    }
    for (size_t i = 0; i < GROUP_MOMENTS; i++) {
        rest.moment[i] -= part->moment[i];
        rest.moment2[i] -= part->moment2[i];
    }
    group_tally_forget(&rest);
    return rest;
}

void
group_tally_forget(struct group_tally *t)
{
    t->auc = t->auc_se = t->auc_cov = t->auc_n = NAN;
    for (size_t i = 0; i < GROUP_MACROS; i++) {
        t->macro[i] = t->macro_se[i] = t->macro_cov[i] = t->macro_n[i] = NAN;
    }
}

struct group_tally
group_tally_of_slots(const uint64_t slots[static GROUP_SLOTS])
{
    struct group_tally t = {0};
    group_tally_forget(&t);
    t.count[GROUP_TN] = (double)slots[0];
    t.count[GROUP_FP] = (double)slots[1];
    t.count[GROUP_FN] = (double)slots[3];
    t.count[GROUP_TP] = (double)slots[4];
    t.rows = slots[0] + slots[1] + slots[3] + slots[4];
    memcpy(t.count2, t.count, sizeof t.count2);
    return t;
}

static enum group_outcome
outcome_of(uint8_t y, uint8_t decision)
{
    return y == 1 ? (decision == 1 ? GROUP_TP : GROUP_FN) : (decision == 1 ? GROUP_FP : GROUP_TN);
}

/* scikit-learn's log loss: probabilities are kept the double's epsilon away from 0 and 1. */
static double
log_loss(uint8_t y, double p)
{
    const double kept = fmin(fmax(p, DBL_EPSILON), 1 - DBL_EPSILON);
    return -log(y == 1 ? kept : 1 - kept);
}

static void
moments_of(const struct group_rows *r, size_t i, double x[static GROUP_MOMENTS])
{
    const double y = r->value != NULL ? r->value[i] - r->centre : r->y[i];
    const double p = r->prediction[i] - r->centre, e = p - y, over = e > 0 ? e : 0, e2 = e * e;
    const double l = r->value != NULL ? 0 : log_loss(r->y[i], r->prediction[i]);
    x[MOMENT_1] = 1;
    x[MOMENT_P] = p;
    x[MOMENT_PP] = p * p;
    x[MOMENT_ABS] = fabs(e);
    x[MOMENT_OVER] = over;
    x[MOMENT_OVER2] = over * over;
    x[MOMENT_E2] = e2;
    x[MOMENT_E4] = e2 * e2;
    x[MOMENT_Y] = y;
    x[MOMENT_Y2] = y * y;
    x[MOMENT_Y3] = y * y * y;
    x[MOMENT_Y4] = y * y * y * y;
    x[MOMENT_E2Y] = e2 * y;
    x[MOMENT_E2Y2] = e2 * y * y;
    x[MOMENT_E4Y] = e2 * e2 * y;
    x[MOMENT_L] = l;
    x[MOMENT_L2] = l * l;
}

static bool
row_is_whole(const struct group_rows *r, size_t i)
{
    if (r->y != NULL && (r->y[i] > 1 || r->decision[i] > 1)) {
        return false;
    }
    return (r->value == NULL || !isnan(r->value[i])) &&
           (r->prediction == NULL || !isnan(r->prediction[i]));
}

struct status
group_rows_order(const struct group_rows *r, uint32_t *ret_order)
{
    DEFER(memory_freep) double *place = calloc(r->rows + 1, sizeof *place);
    CHECK(place != NULL, MEMORY);
    for (size_t i = 0; i < r->rows; i++) {
        const uint32_t outcome = r->y == NULL ? 0 : r->y[i] * 256u + r->decision[i];
        place[i] = (double)r->cell[i] * 65536 + outcome;
        ret_order[i] = (uint32_t)i;
    }
    const double *const keys[] = {place, r->weight, r->value, r->prediction};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        if (keys[k] != NULL) {
            TRY(order_by(keys[k], r->rows, ret_order));
        }
    }
    return OK;
}

/* NULL for NULL, and when memory is out. */
static void *
gathered(const void *from, size_t size, const uint32_t *order, size_t rows)
{
    char *to = from == NULL ? NULL : malloc((rows + 1) * size);
    for (size_t i = 0; i < rows && to != NULL; i++) {
        memcpy(to + i * size, (const char *)from + order[i] * size, size);
    }
    return to;
}

void
group_rows_done(struct group_rows *sorted)
{
    const void *const columns[] = {sorted->y,          sorted->decision, sorted->value,
                                   sorted->prediction, sorted->weight,   sorted->cell};
    for (size_t k = 0; k < sizeof columns / sizeof *columns; k++) {
        free((void *)(uintptr_t)columns[k]);
    }
    *sorted = (struct group_rows){0};
}

struct status
group_rows_sorted(const struct group_rows *r, const uint32_t *order, struct group_rows *ret_sorted)
{
    DEFER(group_rows_done) struct group_rows s = {.rows = r->rows, .centre = r->centre};
    s.y = gathered(r->y, sizeof *r->y, order, r->rows);
    s.decision = gathered(r->decision, sizeof *r->decision, order, r->rows);
    s.value = gathered(r->value, sizeof *r->value, order, r->rows);
    s.prediction = gathered(r->prediction, sizeof *r->prediction, order, r->rows);
    s.weight = gathered(r->weight, sizeof *r->weight, order, r->rows);
    s.cell = gathered(r->cell, sizeof *r->cell, order, r->rows);
    CHECK((s.y == NULL) == (r->y == NULL) && (s.decision == NULL) == (r->decision == NULL) &&
              (s.value == NULL) == (r->value == NULL) &&
              (s.prediction == NULL) == (r->prediction == NULL) &&
              (s.weight == NULL) == (r->weight == NULL) && s.cell != NULL,
          MEMORY);
    *ret_sorted = s;
    s = (struct group_rows){0};
    return OK;
}

void
group_tally_rows(const struct group_rows *r, size_t first, size_t n, struct group_tally *tally)
{
    for (size_t i = first; i < first + n; i++) {
        const double w = r->weight == NULL ? 1 : r->weight[i];
        if (w == 0 || !row_is_whole(r, i)) {
            continue;
        }
        struct group_tally *t = &tally[r->cell[i]];
        t->rows++;
        if (r->y != NULL) {
            const enum group_outcome o = outcome_of(r->y[i], r->decision[i]);
            t->count[o] += w;
            t->count2[o] += w * w;
        }
        if (r->prediction != NULL) {
            double x[GROUP_MOMENTS];
            moments_of(r, i, x);
            for (size_t k = 0; k < GROUP_MOMENTS; k++) {
                t->moment[k] += w * x[k];
                t->moment2[k] += w * w * x[k];
            }
        }
    }
}

/* ---- replicates ---- */

#define REPLICA_BLOCK 512u
#define REPLICA_MOMENTS 9u
#define REPLICA_WIDTH 12u /* of them, filled up to whole vectors */
#define REPLICA_SUMS 16u  /* and the four outcomes: two cache lines */

#ifdef __x86_64__
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

static const enum group_moment replica_moments[REPLICA_MOMENTS] = {
    MOMENT_1, MOMENT_P,  MOMENT_ABS, MOMENT_OVER, MOMENT_E2,
    MOMENT_Y, MOMENT_Y2, MOMENT_E2Y, MOMENT_L};

/* A block of whole rows, their own numbers times their own weights. */
struct replica_block {
    size_t rows;
    uint32_t at[REPLICA_BLOCK]; /* row, from the block's first */
    uint32_t cell[REPLICA_BLOCK];
    uint8_t outcome[REPLICA_BLOCK];
    double weight[REPLICA_BLOCK];
    double x[REPLICA_BLOCK][REPLICA_WIDTH];
};

static void
replica_load(const struct group_rows *r, size_t first, size_t n, struct replica_block *b)
{
    b->rows = 0;
    for (size_t i = first; i < first + n; i++) {
        const double w = r->weight == NULL ? 1 : r->weight[i];
        if (w == 0 || !row_is_whole(r, i)) {
            continue;
        }
        const size_t k = b->rows++;
        double x[GROUP_MOMENTS];
        b->at[k] = (uint32_t)(i - first);
        b->cell[k] = r->cell[i];
        b->weight[k] = w;
        b->outcome[k] = r->y == NULL ? 0 : (uint8_t)outcome_of(r->y[i], r->decision[i]);
        if (r->prediction != NULL) {
            moments_of(r, i, x);
            for (size_t m = 0; m < REPLICA_MOMENTS; m++) {
                b->x[k][m] = w * x[replica_moments[m]];
            }
        }
    }
}

/* Rows of weight 0 are added too: telling them apart costs more. */
WIDE static void
replica_add(const struct replica_block *b, const uint8_t *times, double *sums)
{
    for (size_t k = 0; k < b->rows; k++) {
        const double w = times[b->at[k]];
        const double *restrict x = b->x[k];
        double *restrict s = sums + (size_t)b->cell[k] * REPLICA_SUMS;
        for (size_t m = 0; m < REPLICA_WIDTH; m++) {
            s[m] += w * x[m];
        }
        s[REPLICA_WIDTH + b->outcome[k]] += w * b->weight[k];
    }
}

static void
replica_finish(const struct group_rows *r, const double *sums, struct group_tally *t)
{
    for (size_t m = 0; m < REPLICA_MOMENTS && r->prediction != NULL; m++) {
        t->moment[replica_moments[m]] += sums[m];
    }
    double weight = 0;
    for (size_t o = 0; o < GROUP_OUTCOMES; o++) {
        t->count[o] += r->y != NULL ? sums[REPLICA_WIDTH + o] : 0;
        weight += sums[REPLICA_WIDTH + o];
    }
    t->rows += weight > 0;
}

void
group_tally_replicates(const struct group_rows *r, uint64_t seed, uint32_t first, uint32_t n,
                       uint32_t cells, struct group_tally *tally, double *room)
{
    struct replica_block b = {0};
    uint8_t times[REPLICA_BLOCK];
    memset(room, 0, group_replicates_room(n, cells) * sizeof *room);
    for (size_t at = 0; at < r->rows; at += REPLICA_BLOCK) {
        const size_t left = r->rows - at, rows = left < REPLICA_BLOCK ? left : REPLICA_BLOCK;
        replica_load(r, at, rows, &b);
        for (uint32_t k = 0; k < n; k++) {
            poisson_bootstrap_weights(seed, first + k, at, rows, times);
            replica_add(&b, times, room + (size_t)k * cells * REPLICA_SUMS);
        }
    }
    for (size_t i = 0; i < (size_t)n * cells; i++) {
        replica_finish(r, room + i * REPLICA_SUMS, &tally[i]);
    }
}

size_t
group_replicates_room(uint32_t n, uint32_t cells)
{
    return (size_t)n * cells * REPLICA_SUMS;
}

/* ---- all rows ---- */

struct work {
    const struct group_rows *r;
    uint32_t cells;
    size_t first_block;
    struct group_tally *tally; /* blocks of a wave * cells */
};

static void
tally_block(void *ctx, size_t block)
{
    const struct work *w = ctx;
    const size_t from = (w->first_block + block) * GROUP_BLOCK, left = w->r->rows - from;
    group_tally_rows(w->r, from, left < GROUP_BLOCK ? left : GROUP_BLOCK,
                     w->tally + block * w->cells);
}

struct status
group_tally_all(const struct group_rows *r, uint32_t cells, unsigned threads,
                struct group_tally *ret_tally)
{
    const size_t blocks = (r->rows + GROUP_BLOCK - 1) / GROUP_BLOCK;
    const size_t wave = threads == 0 ? threads_cores() : threads;
    DEFER(memory_freep) struct group_tally *tally = calloc(wave * cells + 1, sizeof *tally);
    CHECK(tally != NULL, MEMORY);
    struct work w = {r, cells, 0, tally};
    for (; w.first_block < blocks; w.first_block += wave) {
        const size_t left = blocks - w.first_block, now = left < wave ? left : wave;
        memset(tally, 0, now * cells * sizeof *tally);
        threads_for(now, threads, tally_block, &w);
        for (size_t b = 0; b < now; b++) {
            for (uint32_t c = 0; c < cells; c++) {
                group_tally_add(&ret_tally[c], &tally[b * cells + c]);
            }
        }
    }
    return OK;
}
