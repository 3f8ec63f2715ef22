/* blocks: rows that are shared out over parts, in blocks of any size, in any order, and merged in
 * any order: what an analysis says of them must be the same as of all rows at once, to the bit. */
#ifndef STEWARD_TESTS_ASSESS_BLOCKS_H
#define STEWARD_TESTS_ASSESS_BLOCKS_H

#include "testing/testing.h"

#include "num/rng.h"

#include <math.h>

#define ROWS 700u
#define PARTS 7u
#define FEATURES 4u
#define OUTPUTS 2u
#define WIDTH (OUTPUTS * FEATURES)
#define CLASSES 4u
#define LEVELS 19u /* more than an axis has bins */
#define ROUNDS 60u

struct rows {
    uint8_t y[ROWS], cohort[ROWS];
    double score[ROWS], truth[ROWS], prediction[ROWS];
    double loss[ROWS], number[ROWS], category[ROWS];
    uint32_t index[ROWS];                 /* the row's, wherever it lies */
    uint32_t label[ROWS], decision[ROWS]; /* of CLASSES */
    float x[ROWS * FEATURES];
    double phi[ROWS * WIDTH], pairs[ROWS * WIDTH * FEATURES];
};

static inline void
draw(struct rng *g, struct rows *r)
{
    for (size_t i = 0; i < ROWS; i++) {
        r->score[i] = rng_below(g, 3) == 0 ? 0.25 : rng_unit(g);
        r->index[i] = (uint32_t)i;
        r->y[i] = rng_unit(g) < r->score[i];
        r->cohort[i] = rng_below(g, 3) == 0;
        r->prediction[i] = rng_below(g, 3) == 0 ? -2 : 1e4 + 3 * rng_normal(g);
        r->truth[i] = r->prediction[i] + rng_normal(g) * (i % 50 == 0 ? 1e3 : 1);
        r->loss[i] = fabs(rng_normal(g)) * 1e3;
        r->number[i] = rng_below(g, 20) == 0 ? (double)NAN : rng_normal(g);
        r->category[i] = rng_below(g, 20) == 0 ? (double)NAN : (double)rng_below(g, LEVELS);
        r->label[i] = (uint32_t)rng_below(g, CLASSES);
        r->decision[i] = (uint32_t)rng_below(g, CLASSES - 1);
        for (size_t f = 0; f < FEATURES; f++) {
            r->x[i * FEATURES + f] = rng_below(g, 9) == 0 ? NAN : (float)rng_normal(g);
        }
        for (size_t k = 0; k < WIDTH; k++) {
            r->phi[i * WIDTH + k] = rng_normal(g) * exp(3 * rng_normal(g));
        }
        for (size_t k = 0; k < WIDTH * FEATURES; k++) {
            r->pairs[i * WIDTH * FEATURES + k] = rng_normal(g);
        }
    }
}

/* from's row order[i] is to's row i. */
static inline void
permute(const struct rows *from, const size_t *order, struct rows *to)
{
    for (size_t i = 0; i < ROWS; i++) {
        const size_t k = order[i];
        to->index[i] = from->index[k];
        to->y[i] = from->y[k];
        to->cohort[i] = from->cohort[k];
        to->score[i] = from->score[k];
        to->truth[i] = from->truth[k];
        to->prediction[i] = from->prediction[k];
        to->loss[i] = from->loss[k];
        to->number[i] = from->number[k];
        to->category[i] = from->category[k];
        to->label[i] = from->label[k];
        to->decision[i] = from->decision[k];
        memcpy(to->x + i * FEATURES, from->x + k * FEATURES, FEATURES * sizeof *to->x);
        memcpy(to->phi + i * WIDTH, from->phi + k * WIDTH, WIDTH * sizeof *to->phi);
        memcpy(to->pairs + i * WIDTH * FEATURES, from->pairs + k * WIDTH * FEATURES,
               WIDTH * FEATURES * sizeof *to->pairs);
    }
}

/* How rows are shared out: which part has the rows begin[k] to begin[k + 1] - 1, and who takes whom
 * in: parts into[k] and from[k], the last one into part 0. */
struct plan {
    size_t parts, blocks;
    size_t begin[ROWS + 2], owner[ROWS + 1];
    size_t into[PARTS], from[PARTS];
};

static inline void
make_plan(struct rng *g, struct plan *p)
{
    size_t left[PARTS];
    *p = (struct plan){.parts = 1 + rng_below(g, PARTS)};
    const uint64_t largest = 1 + rng_below(g, 2 * ROWS / p->parts);
    for (size_t at = 0; at < ROWS; p->blocks++) {
        p->begin[p->blocks] = at;
        p->owner[p->blocks] = rng_below(g, p->parts); /* some parts get nothing */
        at += 1 + rng_below(g, largest);
    }
    p->begin[p->blocks] = ROWS;
    for (size_t k = 0; k < p->parts; k++) {
        left[k] = k;
    }
    rng_shuffle(g, left, p->parts);
    for (size_t n = p->parts; n > 1; n--) { /* the last left goes into any of the others */
        const size_t to = rng_below(g, n - 1);
        p->into[p->parts - n] = left[to];
        p->from[p->parts - n] = left[n - 1];
    }
    p->into[p->parts - 1] = left[0];
}

/* An analysis that is passed over the rows once, after what is known of all of them. */
struct pass {
    void *(*begin)(const void *known);
    void (*add)(void *state, const struct rows *r, size_t at, size_t n);
    void (*merge)(void *state, const void *other);
    void (*end)(void *state);
};

/* The state of all rows, by the plan; NULL: at once. */
static inline void *
run(const struct pass *pass, const void *known, const struct rows *r, const struct plan *p)
{
    if (p == NULL) {
        void *state = pass->begin(known);
        pass->add(state, r, 0, ROWS);
        return state;
    }
    void *part[PARTS];
    for (size_t k = 0; k < p->parts; k++) {
        part[k] = pass->begin(known);
    }
    for (size_t b = 0; b < p->blocks; b++) {
        pass->add(part[p->owner[b]], r, p->begin[b], p->begin[b + 1] - p->begin[b]);
    }
    for (size_t k = 0; k + 1 < p->parts; k++) {
        pass->merge(part[p->into[k]], part[p->from[k]]);
        pass->end(part[p->from[k]]);
    }
    return part[p->into[p->parts - 1]];
}

static inline void
say(struct buf *said, const void *bytes, size_t n)
{
    buf_put(said, (struct view){bytes, n});
}

/* What an analysis says of all rows, by the plan, in bytes. */
typedef void (*analysis)(const struct rows *r, const struct plan *p, struct buf *said);

static inline void
assert_same_for_every_plan(analysis of)
{
    DEFER(memory_freep) struct rows *r = calloc(2, sizeof *r);
    DEFER(memory_freep) struct plan *p = calloc(1, sizeof *p);
    DEFER(buf_done) struct buf whole;
    struct rng g;
    size_t order[ROWS];
    assert_true(r != NULL && p != NULL);
    buf_init(&whole, 1u << 24);
    rng_init(&g, 6, "blocks");
    draw(&g, r);
    of(r, NULL, &whole);
    assert_ok(buf_status(&whole));
    assert_true(whole.len > 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        DEFER(buf_done) struct buf said;
        buf_init(&said, 1u << 24);
        for (size_t i = 0; i < ROWS; i++) {
            order[i] = i;
        }
        rng_shuffle(&g, order, ROWS);
        permute(r, order, r + 1);
        make_plan(&g, p);
        of(r + 1, p, &said);
        assert_int_equal(said.len, whole.len);
        assert_memory_equal(said.ptr, whole.ptr, whole.len);
    }
}

#endif
