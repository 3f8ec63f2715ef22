/* The same search in random orders of the losses: how well the best slices of innocent tables
 * score. */
#include "assess/slices_parts.h"
#include "base/threads.h"
#include "num/order.h"
#include "num/rng.h"

#include <math.h>
#include <stdlib.h>

#define ROUND 16u       /* permutations between two looks at who is settled */
#define STEPPED_UP 100u /* slices that q is worked out of; those after them have the family's p */

/* Of each permutation its best scores, best first, down to the round's floor. */
struct lists {
    uint32_t n, width;
    double *score;
    uint32_t *count;
};

struct permutations {
    const struct slices_run *run; /* its floor is the round's */
    const struct slices_losses *losses;
    const uint32_t *order; /* rows, a function of the rows as a set */
    uint64_t seed;
    uint32_t limit; /* best slices wanted */
    struct lists lists;
    bool failed[ROUND];
};

static void
permutations_done(struct permutations *p)
{
    free(p->lists.score);
    free(p->lists.count);
}

/* ---- the rows as a set ---- */

/* Rows by the conditions that they meet and their loss; rows that are equal in these may change
 * places. */
static struct status
place_rows(const struct slices_table *t, const struct slices_losses *l, uint32_t *ret_order)
{
    DEFER(memory_freep) uint64_t *hash = calloc(t->rows + 1, sizeof *hash);
    CHECK(hash != NULL, MEMORY);
    for (size_t i = 0; i < t->rows; i++) {
        ret_order[i] = (uint32_t)i;
        for (uint32_t f = 0; f < t->features; f++) {
            hash[i] = order_hash(hash[i], t->code[i * t->features + f]);
        }
    }
    for (size_t i = 0; i < l->count; i++) {
        uint64_t bits = 1;
        if (l->value != NULL) {
            memcpy(&bits, &l->value[i], sizeof bits);
        }
        hash[l->row[i]] = order_hash(hash[l->row[i]], bits);
    }
    return order_by_hash(hash, t->rows, ret_order);
}

/* The losses on random rows, their order kept. row[rows]: workspace. */
static void
draw_rows(struct rng *g, const uint32_t *order, uint32_t *row, size_t rows, size_t count)
{
    memcpy(row, order, rows * sizeof *row);
    for (size_t i = 0; i < count; i++) {
        const size_t k = i + rng_below(g, rows - i);
        const uint32_t swap = row[i];
        row[i] = row[k];
        row[k] = swap;
    }
}

/* ---- one permutation ---- */

static struct status
permute(const struct permutations *p, uint32_t index)
{
    const struct slices_table *t = p->run->table;
    struct rng g;
    uint64_t counted[SLICES_MAX_LEVEL] = {0};
    struct slices_top top = {.limit = p->limit, .same_rows = p->run->same_rows};
    DEFER(memory_freep) struct slices_hit *hit = calloc((size_t)p->limit + 1, sizeof *hit);
    DEFER(memory_freep) uint32_t *row = calloc(t->rows + 1, sizeof *row);
    DEFER(slices_mistakes_done) struct slices_mistakes m = {0};
    CHECK(row != NULL && hit != NULL, MEMORY);
    top.hit = hit;
    rng_init_at(&g, p->seed, "slices.permutation", index);
    draw_rows(&g, p->order, row, t->rows, p->losses->count);
    TRY(slices_mistakes_init(t, row, p->losses->value, p->losses->count, &m));
    struct slices_run run = *p->run;
    run.mistakes = &m;
    run.threads = 1;
    TRY(slices_search(&run, &top, counted));
    p->lists.count[index] = top.count;
    for (uint32_t i = 0; i < top.count; i++) {
        p->lists.score[(size_t)index * p->lists.width + i] = hit[i].score;
    }
    return OK;
}

static void
run_permutation(void *ctx, size_t index)
{
    struct permutations *p = ctx;
    p->failed[index] = !status_ok(permute(p, p->lists.n + (uint32_t)index));
}

/* ---- who is settled ---- */

/* Slices are in the order of their scores: what beats one beats those after it, so that the last
 * ones settle first. */
struct settling {
    uint32_t open, family_open, done;
    uint32_t beaten[SLICES_MAX_FOUND]; /* permutations whose best scores as high */
    double share[SLICES_MAX_FOUND];    /* sum of min(V, j) / j */
    double floor;                      /* the highest of a round */
};

static uint32_t
as_high(const double *score, uint32_t n, double s)
{
    uint32_t v = 0;
    while (v < n && score[v] >= s) {
        v++;
    }
    return v;
}

static void
settle(struct settling *k, const double *score, uint32_t n, struct slices_result *r)
{
    k->done++;
    for (uint32_t i = 0; i < k->open; i++) {
        const double v = as_high(score, n, r->slice[i].score), j = i + 1;
        k->share[i] += fmin(v, j) / j;
        r->slice[i].q = (k->share[i] + 1) / (k->done + 1);
        k->beaten[i] += v > 0;
        if (i < k->family_open) {
            r->slice[i].p_permutation = (double)(k->beaten[i] + 1) / (double)(k->done + 1);
        }
    }
    while (k->family_open > 0 && k->beaten[k->family_open - 1] >= SLICES_SETTLED) {
        k->family_open--;
        r->slice[k->family_open].p_permutation = (double)SLICES_SETTLED / (double)k->done;
    }
    while (k->open > 0 && k->share[k->open - 1] >= SLICES_SETTLED) {
        k->open--;
        r->slice[k->open].q = fmin(1, k->share[k->open] / k->done);
    }
}

/* ---- q ---- */

struct entry {
    double score;
    uint32_t rank, list; /* rank from 1; list 0: the data */
};

static int
highest_first(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return (x->score < y->score) - (x->score > y->score);
}

/* All scores from the floor on, of ranks up to most. */
static size_t
pool_scores(const struct lists *l, const struct slices_result *r, double floor, uint32_t most,
            struct entry *ret_entries)
{
    size_t n = 0;
    for (uint32_t i = 0; i < r->found && i < most && r->slice[i].score >= floor; i++) {
        ret_entries[n++] = (struct entry){r->slice[i].score, i + 1, 0};
    }
    for (uint32_t b = 0; b < l->n; b++) {
        const double *score = l->score + (size_t)b * l->width;
        for (uint32_t i = 0; i < l->count[b] && i < most && score[i] >= floor; i++) {
            ret_entries[n++] = (struct entry){score[i], i + 1, b + 1};
        }
    }
    qsort(ret_entries, n, sizeof *ret_entries, highest_first);
    return n;
}

/* ret_least[lists]: the least over j of the estimate at each list's own j-th score. Sum over lists
 * of min(V(s), j) is the number of entries of rank up to j that score s or more. */
static void
least_of(const struct entry *e, size_t n, uint32_t most, uint32_t lists, double *ret_least)
{
    for (uint32_t b = 0; b < lists; b++) {
        ret_least[b] = 1;
    }
    for (uint32_t j = 1; j <= most; j++) {
        size_t seen = 0;
        for (size_t i = 0, end = 0; i < n; i = end) {
            for (; end < n && e[end].score >= e[i].score; end++) {
                seen += e[end].rank <= j;
            }
            for (size_t k = i; k < end; k++) {
                if (e[k].rank == j) {
                    const double share = (double)seen / ((double)j * lists);
                    ret_least[e[k].list] = fmin(ret_least[e[k].list], share);
                }
            }
        }
    }
}

static struct status
put_q(const struct lists *l, const struct settling *k, struct slices_result *r)
{
    const uint32_t most = r->found < STEPPED_UP ? r->found : STEPPED_UP, lists = l->n + 1;
    DEFER(memory_freep) struct entry *e = calloc((size_t)lists * most + 1, sizeof *e);
    DEFER(memory_freep) double *least = calloc(lists, sizeof *least);
    CHECK(e != NULL && least != NULL, MEMORY);
    const size_t n = pool_scores(l, r, k->floor, most, e);
    least_of(e, n, most, lists, least);
    double q = 1;
    for (uint32_t i = most; i-- > 0;) {
        size_t as_small = 1;
        q = fmin(q, r->slice[i].q);
        for (uint32_t b = 1; b < lists; b++) {
            as_small += least[b] <= q;
        }
        r->slice[i].q = fmin(1, fmax(q, (double)as_small / lists));
    }
    for (uint32_t i = most; i < r->found; i++) {
        r->slice[i].q = r->slice[i].p_permutation;
    }
    return OK;
}

/* ---- the whole ---- */

static struct status
permutations_init(struct permutations *p, uint32_t permutations, uint32_t found)
{
    p->lists.width = found;
    p->lists.score = calloc((size_t)permutations * found + 1, sizeof *p->lists.score);
    p->lists.count = calloc((size_t)permutations + 1, sizeof *p->lists.count);
    CHECK(p->lists.score != NULL && p->lists.count != NULL, MEMORY);
    return OK;
}

struct status
slices_permute(const struct slices_run *run, const struct slices_losses *l,
               const struct slices_options *o, struct slices_result *r)
{
    struct slices_run low = *run;
    DEFER(memory_freep) struct settling *k = calloc(1, sizeof *k);
    DEFER(memory_freep) uint32_t *order = calloc(run->table->rows + 1, sizeof *order);
    DEFER(permutations_done)
    struct permutations p = {.run = &low, .losses = l, .order = order, .seed = o->seed};
    CHECK(k != NULL && order != NULL, MEMORY);
    TRY(place_rows(run->table, l, order));
    TRY(permutations_init(&p, o->permutations, r->found));
    k->open = k->family_open = r->found;
    while (k->open > 0 && k->done < o->permutations) {
        const uint32_t left = o->permutations - k->done, n = left < ROUND ? left : ROUND;
        low.floor = k->floor = r->slice[k->open - 1].score;
        p.limit = k->open;
        threads_for(n, o->threads, run_permutation, &p);
        for (uint32_t i = 0; i < n; i++) {
            const uint32_t at = p.lists.n + i;
            CHECK(!p.failed[i], MEMORY);
            settle(k, p.lists.score + (size_t)at * p.lists.width, p.lists.count[at], r);
        }
        p.lists.n += n;
    }
    r->permutations = k->done;
    return put_q(&p.lists, k, r);
}
