#include "assess/flip_test.h"

#include "base/threads.h"
#include "num/moments.h"
#include "num/normal.h"

#include <math.h>

#define TURN 64u /* rows of the group in a thread's turn */

static bool
takes_part(const struct flip_test_rows *r, const struct flip_test_part *p, size_t i)
{
    bool whole = p->group[i] >= 0 && p->decision[i] <= 1;
    for (uint32_t k = 0; k < r->features && whole; k++) {
        whole = isfinite(p->x[i * r->features + k]);
    }
    return whole;
}

double
flip_test_pairs(const struct flip_test_rows *r, int32_t facet)
{
    double inside = 0, outside = 0;
    for (size_t p = 0; p < r->parts; p++) {
        for (size_t i = 0; i < r->part[p].rows; i++) {
            inside += r->part[p].group[i] == facet;
            outside += r->part[p].group[i] >= 0 && r->part[p].group[i] != facet;
        }
    }
    return inside * outside;
}

/* One over a feature's standard deviation over all rows that take part; 0 for a constant. */
static double
scale_of(const struct flip_test_rows *r, uint32_t feature)
{
    struct moments m = {0};
    for (size_t p = 0; p < r->parts; p++) {
        for (size_t i = 0; i < r->part[p].rows; i++) {
            if (takes_part(r, &r->part[p], i)) {
                moments_add(&m, r->part[p].x[i * r->features + feature]);
            }
        }
    }
    const double spread = moments_squares(&m);
    return !r->scaled ? 1 : spread > 0 ? sqrt((double)m.n / spread) : 0;
}

/* Rows of one side, scaled, one after another. */
struct side {
    size_t n;
    double *x;
    uint8_t *decision;
};

static void
side_done(struct side *s)
{
    free(s->x);
    free(s->decision);
}

static void
side_add(const struct flip_test_rows *r, const struct flip_test_part *p, size_t i,
         const double *scale, struct side *s)
{
    double *x = s->x + s->n * r->features;
    for (uint32_t k = 0; k < r->features; k++) {
        x[k] = p->x[i * r->features + k] * scale[k];
    }
    s->decision[s->n++] = p->decision[i];
}

static struct status
side_take(const struct flip_test_rows *r, int32_t facet, bool inside, const double *scale,
          struct side *s)
{
    size_t rows = 0;
    for (size_t p = 0; p < r->parts; p++) {
        rows += r->part[p].rows;
    }
    s->x = malloc((rows * r->features + 1) * sizeof *s->x);
    s->decision = malloc(rows + 1);
    CHECK(s->x != NULL && s->decision != NULL, MEMORY);
    for (size_t p = 0; p < r->parts; p++) {
        for (size_t i = 0; i < r->part[p].rows; i++) {
            if (takes_part(r, &r->part[p], i) && (r->part[p].group[i] == facet) == inside) {
                side_add(r, &r->part[p], i, scale, s);
            }
        }
    }
    return OK;
}

struct search {
    const struct side *group, *others;
    uint32_t features, neighbours;
    uint64_t *positive, *negative; /* of each turn */
};

static double
distance_to(const struct search *s, const double *x, size_t other)
{
    const double *y = s->others->x + other * s->features;
    double d = 0;
    for (uint32_t k = 0; k < s->features; k++) {
        d += (x[k] - y[k]) * (x[k] - y[k]);
    }
    return d;
}

/* Of the others seen so far the nearest, farthest first, and by decision how many are as far as the
 * farthest of them, those among them too. */
struct nearest {
    uint32_t n;
    double distance[FLIP_TEST_NEIGHBOURS];
    uint8_t decision[FLIP_TEST_NEIGHBOURS];
    double tied[2];
};

/* Nobody as far as the new farthest has been pushed out: who is, was farther. */
static void
count_tied(struct nearest *near)
{
    near->tied[0] = near->tied[1] = 0;
    for (uint32_t k = 0; k < near->n && near->distance[k] == near->distance[0]; k++) {
        near->tied[near->decision[k]]++;
    }
}

static void
nearest_add(struct nearest *near, double distance, uint8_t decision)
{
    const double farthest = near->distance[0];
    if (distance >= farthest) {
        near->tied[decision] += distance == farthest;
        return;
    }
    uint32_t k = 0;
    for (; k + 1 < near->n && near->distance[k + 1] > distance; k++) {
        near->distance[k] = near->distance[k + 1];
        near->decision[k] = near->decision[k + 1];
    }
    near->distance[k] = distance;
    near->decision[k] = decision;
    if (near->distance[0] < farthest) {
        count_tied(near);
    }
}

/* Those that are nearer than the farthest that votes have a vote each; those that are as far share
 * what votes are left. So neither the rows' order nor a draw decides. */
static uint8_t
vote(const struct search *s, const double *x)
{
    struct nearest near = {.n = s->neighbours};
    double nearer[2] = {0, 0};
    for (uint32_t k = 0; k < near.n; k++) {
        near.distance[k] = INFINITY;
    }
    for (size_t j = 0; j < s->others->n; j++) {
        nearest_add(&near, distance_to(s, x, j), s->others->decision[j]);
    }
    for (uint32_t k = 0; k < near.n; k++) {
        nearer[near.decision[k]] += near.distance[k] < near.distance[0];
    }
    const double left = near.n - nearer[0] - nearer[1];
    const double positive = nearer[1] + left * near.tied[1] / (near.tied[0] + near.tied[1]);
    return 2 * positive > near.n;
}

static void
search_turn(void *ctx, size_t turn)
{
    const struct search *s = ctx;
    const size_t from = turn * TURN;
    const size_t to = from + TURN < s->group->n ? from + TURN : s->group->n;
    for (size_t i = from; i < to; i++) {
        const uint8_t as_others = vote(s, s->group->x + i * s->features);
        s->positive[turn] += s->group->decision[i] > as_others;
        s->negative[turn] += s->group->decision[i] < as_others;
    }
}

static void
finish(struct flip_test_result *f, double level)
{
    const double n = (double)f->rows;
    f->value = NAN;
    f->ci = (struct interval){NAN, NAN};
    if (f->rows > 0 && f->others > 0) {
        const double p = (double)f->positive / n, q = (double)f->negative / n;
        const double half =
            -normal_quantile((1 - level) / 2) * sqrt((p + q - (p - q) * (p - q)) / n);
        f->value = p - q;
        f->ci = (struct interval){fmax(-1, p - q - half), fmin(1, p - q + half)};
    }
}

static uint64_t
left_out(const struct flip_test_rows *r)
{
    uint64_t n = 0;
    for (size_t p = 0; p < r->parts; p++) {
        const struct flip_test_part *part = &r->part[p];
        for (size_t i = 0; i < part->rows; i++) {
            n += part->group[i] >= 0 && part->decision[i] <= 1 && !takes_part(r, part, i);
        }
    }
    return n;
}

struct status
flip_test_run(const struct flip_test_rows *r, int32_t facet, double level, unsigned threads,
              struct flip_test_result *ret_result)
{
    DEFER(side_done) struct side group = {0};
    DEFER(side_done) struct side others = {0};
    DEFER(memory_freep) double *scale = calloc((size_t)r->features + 1, sizeof *scale);
    CHECK(scale != NULL, MEMORY);
    for (uint32_t k = 0; k < r->features; k++) {
        scale[k] = scale_of(r, k);
    }
    TRY(side_take(r, facet, true, scale, &group));
    TRY(side_take(r, facet, false, scale, &others));
    const size_t turns = (group.n + TURN - 1) / TURN;
    DEFER(memory_freep) uint64_t *flips = calloc(2 * turns + 1, sizeof *flips);
    CHECK(flips != NULL, MEMORY);
    struct search s = {&group,      &others,
                       r->features, others.n > FLIP_TEST_FEW ? FLIP_TEST_NEIGHBOURS : 1,
                       flips,       flips + turns};
    struct flip_test_result f = {.rows = group.n, .others = others.n};
    if (others.n > 0) {
        threads_for(turns, threads, search_turn, &s);
    }
    for (size_t t = 0; t < turns; t++) {
        f.positive += s.positive[t];
        f.negative += s.negative[t];
    }
    f.left_out = left_out(r);
    finish(&f, level);
    *ret_result = f;
    return OK;
}
