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

/* From label, prediction, error and log loss. Of sizes no smaller: no smaller. */
static void
moments_from(double y, double p, double e, double l, double x[static GROUP_MOMENTS])
{
    const double over = e > 0 ? e : 0, e2 = e * e;
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

static double
label_of(const struct group_rows *r, size_t i)
{
    return r->value != NULL ? r->value[i] - r->centre : r->y[i];
}

static void
moments_of(const struct group_rows *r, size_t i, double x[static GROUP_MOMENTS])
{
    const double y = label_of(r, i), p = r->prediction[i] - r->centre;
    moments_from(y, p, p - y, r->value != NULL ? 0 : log_loss(r->y[i], r->prediction[i]), x);
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

#ifdef __x86_64__
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

/* ---- blocks that merge ---- */

#define SUMS_BLOCK 128u
#define LOG_LOSS_MOST 37.0 /* minus the logarithm of DBL_EPSILON, and more */
#define BOUND_MOST 0x1p960 /* so that no magic number is infinite */
#define DOUBLE_BITS 53

static inline void
raise_to(double *most, double x)
{
    if (fabs(x) > *most && isfinite(x)) {
        *most = fabs(x);
    }
}

void
group_range_add(struct group_range *range, const struct group_rows *r, size_t first, size_t n)
{
    for (size_t i = first; i < first + n; i++) {
        struct group_range *g = &range[r->cell[i]];
        const double p = r->prediction == NULL ? 0 : r->prediction[i] - r->centre;
        g->rows++;
        raise_to(&g->prediction, p);
        if (r->value != NULL) {
            raise_to(&g->label, label_of(r, i));
            raise_to(&g->error, p - label_of(r, i));
        }
        if (r->weight != NULL) {
            raise_to(&g->weight, r->weight[i]);
        }
    }
}

void
group_range_merge(struct group_range *g, const struct group_range *other)
{
    g->rows += other->rows;
    g->label = fmax(g->label, other->label);
    g->prediction = fmax(g->prediction, other->prediction);
    g->error = fmax(g->error, other->error);
    g->weight = fmax(g->weight, other->weight);
}

/* x + magic - magic is x rounded to a multiple of the power of two at which a double holds the sum
 * of `rows` numbers of size `most` exactly; the same again for what is left of x. */
static void
choose_magic(double most, uint64_t rows, double *ret_high, double *ret_low)
{
    int of_most = 0, of_rows = 0;
    (void)frexp(fmin(most, BOUND_MOST), &of_most);
    (void)frexp((double)rows, &of_rows);
    const int bits = DOUBLE_BITS - 1 - (of_rows > 2 ? of_rows : 2);
    *ret_high = ldexp(1.5, DOUBLE_BITS - 1 + of_most - bits);
    *ret_low = ldexp(1.5, DOUBLE_BITS - 1 + of_most - 2 * bits);
}

/* The most that each moment of a row of the cell can be. */
static void
largest_of(const struct group_range *range, const struct group_rows *like,
           double ret_x[static GROUP_MOMENTS])
{
    const bool numeric = like->value != NULL;
    moments_from(numeric ? range->label : 1, range->prediction,
                 numeric ? range->error : 1 + range->prediction, numeric ? 0 : LOG_LOSS_MOST,
                 ret_x);
}

/* magic[kinds]: of a cell. */
static void
choose_magics(const struct group_range *range, const struct group_rows *like, uint32_t kinds,
              struct group_sum *magic)
{
    double x[GROUP_MOMENTS];
    largest_of(range, like, x);
    for (uint32_t k = 0; k < kinds; k++) {
        const double most = like->weight == NULL ? 1 : range->weight,
                     w = k == 0 ? most : most * most;
        struct group_parts *high = &magic[k].high, *low = &magic[k].low;
        for (size_t m = 0; m < GROUP_POWERS; m++) {
            choose_magic(w * x[m + 1], range->rows, &high->moment[m], &low->moment[m]);
        }
        for (size_t o = 0; o < GROUP_OUTCOMES; o++) {
            choose_magic(w, range->rows, &high->count[o], &low->count[o]);
        }
    }
}

struct status
group_sums_begin(const struct group_range *range, const struct group_rows *like, uint32_t cells,
                 struct group_sums *ret_sums)
{
    DEFER(group_sums_done)
    struct group_sums s = {.cells = cells,
                           .kinds = like->weight != NULL ? 2 : 1,
                           .labels = like->y != NULL,
                           .scores = like->prediction != NULL};
    s.rows = calloc((size_t)cells + 1, sizeof *s.rows);
    s.sum = calloc((size_t)cells * s.kinds + 1, sizeof *s.sum);
    s.magic = calloc((size_t)cells * s.kinds + 1, sizeof *s.magic);
    CHECK(s.rows != NULL && s.sum != NULL && s.magic != NULL, MEMORY);
    for (uint32_t c = 0; c < cells; c++) {
        choose_magics(&range[c], like, s.kinds, &s.magic[(size_t)c * s.kinds]);
    }
    *ret_sums = s;
    s = (struct group_sums){0};
    return OK;
}

void
group_sums_done(struct group_sums *s)
{
    free(s->rows);
    free(s->sum);
    free(s->magic);
    *s = (struct group_sums){0};
}

/* A block of whole rows. */
struct sums_block {
    size_t rows;
    uint32_t cell[SUMS_BLOCK];
    uint8_t outcome[SUMS_BLOCK];
    double weight[SUMS_BLOCK];
    double x[SUMS_BLOCK][GROUP_MOMENTS];
};

static void
sums_load(const struct group_rows *r, size_t first, size_t n, struct sums_block *b)
{
    b->rows = 0;
    for (size_t i = first; i < first + n; i++) {
        const double w = r->weight == NULL ? 1 : r->weight[i];
        if (w == 0 || !row_is_whole(r, i)) {
            continue;
        }
        const size_t k = b->rows++;
        b->cell[k] = r->cell[i];
        b->weight[k] = w;
        b->outcome[k] = r->y == NULL ? 0 : (uint8_t)outcome_of(r->y[i], r->decision[i]);
        if (r->prediction != NULL) {
            moments_of(r, i, b->x[k]);
        }
    }
}

/* x[n] times w, each in its two parts. */
static inline void
split_add(const double *restrict x, double w, size_t n, const double *restrict magic_high,
          const double *restrict magic_low, double *restrict high, double *restrict low)
{
    for (size_t m = 0; m < n; m++) {
        const double of = w * x[m], most = (of + magic_high[m]) - magic_high[m];
        high[m] += most;
        low[m] += ((of - most) + magic_low[m]) - magic_low[m];
    }
}

WIDE static void
sums_add_block(const struct sums_block *b, const struct group_sums *s, uint32_t kind)
{
    const double one = 1;
    for (size_t k = 0; k < b->rows; k++) {
        const double w = kind == 0 ? b->weight[k] : b->weight[k] * b->weight[k];
        const size_t o = b->outcome[k];
        const size_t at = (size_t)b->cell[k] * s->kinds + kind;
        struct group_sum *to = &s->sum[at];
        const struct group_sum *magic = &s->magic[at];
        split_add(b->x[k] + 1, w, GROUP_POWERS, magic->high.moment, magic->low.moment,
                  to->high.moment, to->low.moment);
        split_add(&one, w, 1, &magic->high.count[o], &magic->low.count[o], &to->high.count[o],
                  &to->low.count[o]);
    }
}

void
group_sums_add(struct group_sums *s, const struct group_rows *r, size_t first, size_t n)
{
    struct sums_block b = {0};
    for (size_t at = 0; at < n; at += SUMS_BLOCK) {
        sums_load(r, first + at, n - at < SUMS_BLOCK ? n - at : SUMS_BLOCK, &b);
        for (size_t k = 0; k < b.rows; k++) {
            s->rows[b.cell[k]]++;
        }
        for (uint32_t k = 0; k < s->kinds; k++) {
            sums_add_block(&b, s, k);
        }
    }
}

static void
parts_merge(struct group_parts *p, const struct group_parts *other)
{
    for (size_t m = 0; m < GROUP_POWERS; m++) {
        p->moment[m] += other->moment[m];
    }
    for (size_t o = 0; o < GROUP_OUTCOMES; o++) {
        p->count[o] += other->count[o];
    }
}

void
group_sums_merge(struct group_sums *s, const struct group_sums *other)
{
    ASSERT(s->cells == other->cells && s->kinds == other->kinds);
    for (size_t i = 0; i < (size_t)s->cells * s->kinds; i++) {
        parts_merge(&s->sum[i].high, &other->sum[i].high);
        parts_merge(&s->sum[i].low, &other->sum[i].low);
    }
    for (uint32_t c = 0; c < s->cells; c++) {
        s->rows[c] += other->rows[c];
    }
}

/* An infinite number leaves nothing that is left of it. */
static double
whole_sum(double high, double low)
{
    return isfinite(high) ? high + low : high;
}

static void
sum_value_of(const struct group_sums *s, const struct group_sum *sum, double *count, double *moment)
{
    const double *high = sum->high.count, *low = sum->low.count;
    for (size_t o = 0; o < GROUP_OUTCOMES && s->labels; o++) {
        count[o] = whole_sum(high[o], low[o]);
    }
    if (s->scores) {
        moment[MOMENT_1] =
            whole_sum(high[0] + high[1] + high[2] + high[3], low[0] + low[1] + low[2] + low[3]);
    }
    for (size_t m = 0; m < GROUP_POWERS && s->scores; m++) {
        moment[m + 1] = whole_sum(sum->high.moment[m], sum->low.moment[m]);
    }
}

void
group_sums_finish(const struct group_sums *s, struct group_tally *tally)
{
    for (uint32_t c = 0; c < s->cells; c++) {
        struct group_tally t = {.rows = s->rows[c]};
        const struct group_sum *sum = &s->sum[(size_t)c * s->kinds];
        sum_value_of(s, sum, t.count, t.moment);
        sum_value_of(s, sum + s->kinds - 1, t.count2, t.moment2);
        group_tally_add(&tally[c], &t);
    }
}

/* ---- replicates ---- */

#define REPLICA_BLOCK 512u
#define REPLICA_MOMENTS 9u
#define REPLICA_WIDTH 12u /* of them, filled up to whole vectors */
#define REPLICA_SUMS 16u  /* and the four outcomes: two cache lines */
#define REPLICA_ROOM 16u  /* times the rows: the weights' sum is never that large */

static const enum group_moment replica_moments[REPLICA_MOMENTS] = {
    MOMENT_1, MOMENT_P,  MOMENT_ABS, MOMENT_OVER, MOMENT_E2,
    MOMENT_Y, MOMENT_Y2, MOMENT_E2Y, MOMENT_L};

static void
choose_grid(const struct group_range *range, const struct group_rows *like, double *ret_grid)
{
    double x[GROUP_MOMENTS], low;
    const double w = like->weight == NULL ? 1 : range->weight;
    largest_of(range, like, x);
    for (size_t m = 0; m < REPLICA_SUMS; m++) {
        const double most = m < REPLICA_MOMENTS ? w * x[replica_moments[m]] : w;
        choose_magic(most, REPLICA_ROOM * range->rows, &ret_grid[m], &low);
    }
}

struct status
group_draws_begin(const struct group_range *range, const struct group_rows *like, uint32_t cells,
                  uint64_t seed, uint32_t first, uint32_t n, struct group_draws *ret_draws)
{
    DEFER(group_draws_done)
    struct group_draws d = {.seed = seed,
                            .first = first,
                            .n = n,
                            .cells = cells,
                            .labels = like->y != NULL,
                            .scores = like->prediction != NULL};
    d.grid = calloc((size_t)cells * REPLICA_SUMS + 1, sizeof *d.grid);
    d.sum = calloc((size_t)n * cells * REPLICA_SUMS + 1, sizeof *d.sum);
    CHECK(d.grid != NULL && d.sum != NULL, MEMORY);
    for (uint32_t c = 0; c < cells; c++) {
        choose_grid(&range[c], like, d.grid + (size_t)c * REPLICA_SUMS);
    }
    *ret_draws = d;
    d = (struct group_draws){0};
    return OK;
}

void
group_draws_done(struct group_draws *d)
{
    free(d->grid);
    free(d->sum);
    *d = (struct group_draws){0};
}

/* A block of whole rows, their own numbers times their own weights, rounded. */
struct replica_block {
    size_t rows;
    uint32_t at[REPLICA_BLOCK]; /* row, from the block's first */
    uint32_t cell[REPLICA_BLOCK];
    uint8_t outcome[REPLICA_BLOCK];
    double weight[REPLICA_BLOCK];
    double x[REPLICA_BLOCK][REPLICA_WIDTH];
};

static void
replica_load(const struct group_draws *d, const struct group_rows *r, size_t first, size_t n,
             struct replica_block *b)
{
    b->rows = 0;
    for (size_t i = first; i < first + n; i++) {
        const double w = r->weight == NULL ? 1 : r->weight[i];
        if (w == 0 || !row_is_whole(r, i)) {
            continue;
        }
        const size_t k = b->rows++;
        const double *grid = d->grid + (size_t)r->cell[i] * REPLICA_SUMS;
        double x[GROUP_MOMENTS];
        b->at[k] = (uint32_t)(i - first);
        b->cell[k] = r->cell[i];
        b->outcome[k] = r->y == NULL ? 0 : (uint8_t)outcome_of(r->y[i], r->decision[i]);
        b->weight[k] = (w + grid[REPLICA_WIDTH]) - grid[REPLICA_WIDTH];
        if (r->prediction != NULL) {
            moments_of(r, i, x);
            for (size_t m = 0; m < REPLICA_MOMENTS; m++) {
                b->x[k][m] = (w * x[replica_moments[m]] + grid[m]) - grid[m];
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

void
group_draws_add(struct group_draws *d, const struct group_rows *r, size_t at, size_t n,
                uint64_t number)
{
    struct replica_block b = {0};
    uint8_t times[REPLICA_BLOCK];
    for (size_t done = 0; done < n; done += REPLICA_BLOCK) {
        const size_t left = n - done, rows = left < REPLICA_BLOCK ? left : REPLICA_BLOCK;
        replica_load(d, r, at + done, rows, &b);
        for (uint32_t k = 0; k < d->n; k++) {
            poisson_bootstrap_weights(d->seed, d->first + k, number + done, rows, times);
            replica_add(&b, times, d->sum + (size_t)k * d->cells * REPLICA_SUMS);
        }
    }
}

void
group_draws_merge(struct group_draws *d, const struct group_draws *other)
{
    ASSERT(d->seed == other->seed && d->first == other->first && d->n == other->n &&
           d->cells == other->cells);
    for (size_t i = 0; i < (size_t)d->n * d->cells * REPLICA_SUMS; i++) {
        d->sum[i] += other->sum[i];
    }
}

static void
replica_finish(const struct group_draws *d, const double *sums, struct group_tally *t)
{
    for (size_t m = 0; m < REPLICA_MOMENTS && d->scores; m++) {
        t->moment[replica_moments[m]] += sums[m];
    }
    double weight = 0;
    for (size_t o = 0; o < GROUP_OUTCOMES; o++) {
        t->count[o] += d->labels ? sums[REPLICA_WIDTH + o] : 0;
        weight += sums[REPLICA_WIDTH + o];
    }
    t->rows += weight > 0;
}

void
group_draws_finish(const struct group_draws *d, struct group_tally *tally)
{
    for (size_t i = 0; i < (size_t)d->n * d->cells; i++) {
        replica_finish(d, d->sum + i * REPLICA_SUMS, &tally[i]);
    }
}

/* ---- all rows ---- */

struct work {
    const struct group_rows *r;
    size_t share; /* rows of a task */
    uint32_t cells;
    struct group_range *range; /* tasks * cells */
    struct group_sums *sums;   /* tasks */
};

static size_t
rows_of_task(const struct work *w, size_t task, size_t *ret_first)
{
    *ret_first = task * w->share < w->r->rows ? task * w->share : w->r->rows;
    const size_t left = w->r->rows - *ret_first;
    return left < w->share ? left : w->share;
}

static void
range_task(void *ctx, size_t task)
{
    const struct work *w = ctx;
    size_t first = 0;
    const size_t n = rows_of_task(w, task, &first);
    group_range_add(w->range + task * w->cells, w->r, first, n);
}

static void
sums_task(void *ctx, size_t task)
{
    const struct work *w = ctx;
    size_t first = 0;
    const size_t n = rows_of_task(w, task, &first);
    group_sums_add(&w->sums[task], w->r, first, n);
}

static struct status
sum_tasks(const struct work *w, size_t tasks, unsigned threads, struct group_tally *ret_tally)
{
    threads_for(tasks, threads, range_task, (void *)(uintptr_t)w);
    for (size_t i = w->cells; i < tasks * w->cells; i++) {
        group_range_merge(&w->range[i % w->cells], &w->range[i]);
    }
    for (size_t t = 0; t < tasks; t++) {
        TRY(group_sums_begin(w->range, w->r, w->cells, &w->sums[t]));
    }
    threads_for(tasks, threads, sums_task, (void *)(uintptr_t)w);
    for (size_t t = 1; t < tasks; t++) {
        group_sums_merge(&w->sums[0], &w->sums[t]);
    }
    group_sums_finish(&w->sums[0], ret_tally);
    return OK;
}

struct status
group_tally_all(const struct group_rows *r, uint32_t cells, unsigned threads,
                struct group_tally *ret_tally)
{
    const size_t blocks = r->rows / GROUP_BLOCK;
    const size_t most = threads == 0 ? threads_cores() : threads;
    const size_t tasks = blocks < 2 ? 1 : blocks < most ? blocks : most;
    DEFER(memory_freep) struct group_range *range = calloc(tasks * cells + 1, sizeof *range);
    DEFER(memory_freep) struct group_sums *sums = calloc(tasks, sizeof *sums);
    CHECK(range != NULL && sums != NULL, MEMORY);
    const struct work w = {r, (r->rows + tasks - 1) / tasks, cells, range, sums};
    const struct status status = sum_tasks(&w, tasks, threads, ret_tally);
    for (size_t t = 0; t < tasks; t++) {
        group_sums_done(&sums[t]);
    }
    return status;
}
