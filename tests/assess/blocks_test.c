/* What an analysis keeps of rows, added in blocks of any size, split over any number of parts,
 * empty ones too, and merged in any order, of rows in any order: the same as of all rows at once,
 * to the bit. */
#include "testing/testing.h"

#include "assess/calibration.h"
#include "assess/explain_summary.h"
#include "assess/residuals.h"
#include "num/rng.h"

#include <math.h>

#define ROWS 700u
#define PARTS 7u
#define FEATURES 4u
#define OUTPUTS 2u
#define WIDTH (OUTPUTS * FEATURES)
#define ROUNDS 60u

struct rows {
    uint8_t y[ROWS], cohort[ROWS];
    double score[ROWS], truth[ROWS], prediction[ROWS];
    float x[ROWS * FEATURES];
    double phi[ROWS * WIDTH], pairs[ROWS * WIDTH * FEATURES];
};

static void
draw(struct rng *g, struct rows *r)
{
    for (size_t i = 0; i < ROWS; i++) {
        r->score[i] = rng_below(g, 3) == 0 ? 0.25 : rng_unit(g);
        r->y[i] = rng_unit(g) < r->score[i];
        r->cohort[i] = rng_below(g, 3) == 0;
        r->prediction[i] = rng_below(g, 3) == 0 ? -2 : 1e4 + 3 * rng_normal(g);
        r->truth[i] = r->prediction[i] + rng_normal(g) * (i % 50 == 0 ? 1e3 : 1);
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
static void
permute(const struct rows *from, const size_t *order, struct rows *to)
{
    for (size_t i = 0; i < ROWS; i++) {
        const size_t k = order[i];
        to->y[i] = from->y[k];
        to->cohort[i] = from->cohort[k];
        to->score[i] = from->score[k];
        to->truth[i] = from->truth[k];
        to->prediction[i] = from->prediction[k];
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

static void
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
static void *
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

static void
say(struct buf *said, const void *bytes, size_t n)
{
    buf_put(said, (struct view){bytes, n});
}

/* What an analysis says of all rows, by the plan, in bytes. */
typedef void (*analysis)(const struct rows *r, const struct plan *p, struct buf *said);

static void
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

/* ---- values ---- */

static void *
scores_begin(const void *known)
{
    (void)known;
    return calloc(1, sizeof(struct counted));
}

static void
scores_add(void *state, const struct rows *r, size_t at, size_t n)
{
    assert_ok(counted_add(state, r->score + at, n, 1));
}

static void
scores_merge(void *state, const void *other)
{
    assert_ok(counted_merge(state, other));
}

static void
scores_end(void *state)
{
    counted_done(state);
    free(state);
}

static const struct pass scores = {scores_begin, scores_add, scores_merge, scores_end};

/* ---- calibration ---- */

struct calibration_known {
    uint32_t bins;
    const struct counted *scores;
};

static void *
calibration_start(const void *known)
{
    const struct calibration_known *k = known;
    struct calibration_state *s = calloc(1, sizeof *s);
    assert_ok(calibration_begin(k->bins, k->scores, s));
    return s;
}

static void
calibration_take(void *state, const struct rows *r, size_t at, size_t n)
{
    assert_ok(calibration_add(state, r->y + at, r->score + at, n));
}

static void
calibration_join(void *state, const void *other)
{
    calibration_merge(state, other);
}

static void
calibration_says(const struct rows *r, const struct plan *p, struct buf *said)
{
    static const struct pass pass = {calibration_start, calibration_take, calibration_join, free};
    struct counted *known = run(&scores, NULL, r, p);
    assert_ok(counted_settle(known));
    for (uint32_t bins = 1; bins <= 10; bins += 3) {
        for (int even = 0; even < 2; even++) {
            const struct calibration_known k = {bins, even != 0 ? NULL : known};
            DEFER(memory_freep) struct calibration_state *s = run(&pass, &k, r, p);
            struct calibration c;
            assert_ok(calibration_finish(s, 0.95, 1, &c));
            say(said, &c, sizeof c);
        }
    }
    scores_end(known);
}

static void
calibration_merges(void **state)
{
    (void)state;
    assert_same_for_every_plan(calibration_says);
}

/* ---- residuals ---- */

static void *
values_begin(const void *known)
{
    (void)known;
    return calloc(1, sizeof(struct residuals_values));
}

static void
values_add(void *state, const struct rows *r, size_t at, size_t n)
{
    assert_ok(residuals_values_add(state, r->truth + at, r->prediction + at, n));
}

static void
values_merge(void *state, const void *other)
{
    assert_ok(residuals_values_merge(state, other));
}

static void
values_end(void *state)
{
    residuals_values_done(state);
    free(state);
}

static void *
steps_begin(const void *known)
{
    struct residuals_steps *s = calloc(1, sizeof *s);
    assert_non_null(s);
    residuals_begin(known, s);
    return s;
}

static void
steps_add(void *state, const struct rows *r, size_t at, size_t n)
{
    residuals_add(state, r->truth + at, r->prediction + at, n);
}

static void
steps_merge(void *state, const void *other)
{
    residuals_merge(state, other);
}

static void
residuals_say(const struct rows *r, const struct plan *p, struct buf *said)
{
    static const struct pass first = {values_begin, values_add, values_merge, values_end},
                             second = {steps_begin, steps_add, steps_merge, free};
    struct residuals_values *v = run(&first, NULL, r, p);
    assert_ok(residuals_values_settle(v));
    DEFER(memory_freep) struct residuals_steps *s = run(&second, v, r, p);
    struct residuals found, at_once;
    residuals_finish(v, s, 0.95, &found);
    say(said, &found, sizeof found);
    assert_ok(residuals_of(r->truth, r->prediction, ROWS, 0.95, &at_once));
    assert_memory_equal(&at_once, &found, sizeof found);
    values_end(v);
}

static void
residuals_merge_exactly(void **state)
{
    (void)state;
    assert_same_for_every_plan(residuals_say);
}

/* ---- explanations ---- */

static void *
summary_begin(const void *known)
{
    struct explain_summary *s = NULL;
    assert_ok(explain_summary_new(OUTPUTS, FEATURES, 1, known, true, &s));
    return s;
}

static void
summary_add(void *state, const struct rows *r, size_t at, size_t n)
{
    explain_summary_add(state, r->x + at * FEATURES, r->phi + at * WIDTH,
                        (const uint8_t *const[]){r->cohort + at}, n);
    explain_summary_add_pairs(state, r->pairs + at * WIDTH * FEATURES, n);
}

static void
summary_merge(void *state, const void *other)
{
    explain_summary_merge(state, other);
}

static void
summary_end(void *state)
{
    explain_summary_free(state);
}

static void
summary_says(const struct rows *r, const struct plan *p, struct buf *said)
{
    static const struct pass pass = {summary_begin, summary_add, summary_merge, summary_end};
    struct bins bins[FEATURES];
    double v[ROWS];
    for (size_t f = 0; f < FEATURES; f++) {
        for (size_t i = 0; i < ROWS; i++) {
            v[i] = (double)r->x[i * FEATURES + f];
        }
        assert_ok(bins_make(v, ROWS, EXPLAIN_BINS, &bins[f]));
    }
    struct explain_summary *s = run(&pass, bins, r, p);
    for (size_t g = 0; g < 2; g++) {
        say(said, &s->group[g].rows, sizeof s->group[g].rows);
        say(said, s->group[g].absolute, 2 * WIDTH * sizeof(struct sum));
    }
    say(said, s->bin, WIDTH * (EXPLAIN_BINS + 1) * sizeof *s->bin);
    say(said, s->pairs, WIDTH * FEATURES * sizeof *s->pairs);
    explain_summary_free(s);
}

static void
summaries_of_explanations_merge(void **state)
{
    (void)state;
    assert_same_for_every_plan(summary_says);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calibration_merges),
        cmocka_unit_test(residuals_merge_exactly),
        cmocka_unit_test(summaries_of_explanations_merge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
