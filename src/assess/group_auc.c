#include "assess/group_auc.h"

#include "num/whole.h"

#include <math.h>
#include <stdlib.h>

/* Of the rows of one class: sums of their weights w (and of w^2), with the placement v of each, the
 * share of the other class's weight on the far side of it, and the placement o among all rows. */
struct side {
    int64_t weight, square;           /* in all, in whole numbers */
    int64_t below, tied, tied_square; /* of the weights so far; at this score, and of w^2 */
    double v, v_square, vv_square, o_square, vo_square; /* sums of w v; of w^2 v, v^2, o, v o */
    uint64_t rows;
};

struct state {
    struct side side[2]; /* negatives, positives */
};

/* Rows of one score, group and outcome. */
struct group_auc_run {
    double score;
    int32_t group;
    uint32_t y;
    uint64_t rows;
    int64_t weight, square;
};

/* One walk from the lowest score to the highest. */
struct walk {
    double unit, square_unit; /* what a whole 1 stands for */
    struct state all, *state;
    uint32_t *touched; /* groups with rows at this score */
    size_t touched_n;
};

static double
unit_of(int shift)
{
    return ldexp(1, -shift);
}

/* Of the rows tied at this score, for the positives: the share of the negatives below, ties half;
 * for the negatives: of the positives above. */
static double
placement(const struct state *s, unsigned positive)
{
    const struct side *other = &s->side[!positive];
    const double weight = (double)other->weight, below = (double)other->below;
    const double half = (double)other->tied / 2;
    return positive != 0 ? (below + half) / weight : (weight - below - half) / weight;
}

static void
settle(const struct walk *w, struct state *s, const double o[static 2])
{
    const double v[2] = {placement(s, 0), placement(s, 1)};
    for (unsigned c = 0; c < 2; c++) {
        struct side *x = &s->side[c];
        const double tied = (double)x->tied * w->unit;
        const double square = (double)x->tied_square * w->square_unit;
        x->v += tied * v[c];
        x->v_square += square * v[c];
        x->vv_square += square * v[c] * v[c];
        x->o_square += square * o[c];
        x->vo_square += square * v[c] * o[c];
    }
    for (unsigned c = 0; c < 2; c++) {
        s->side[c].below += s->side[c].tied;
        s->side[c].tied = s->side[c].tied_square = 0;
    }
}

/* ---- what comes out ---- */

/* The class's part of the variance, and of the covariance with all rows' area. */
static double
variance_of(const struct walk *w, const struct side *x, double auc)
{
    const double weight = (double)x->weight * w->unit, square = (double)x->square * w->square_unit;
    const double sum = x->vv_square - 2 * auc * x->v_square + auc * auc * square;
    const double n = (double)x->rows;
    return n > 1 ? fmax(0, sum) / (weight * weight) * n / (n - 1) : (double)NAN;
}

static double
covariance_of(const struct walk *w, const struct side *x, double auc, const struct side *all,
              double auc_all)
{
    const double of_all = (double)all->weight * w->unit, weight = (double)x->weight * w->unit;
    const double square = (double)x->square * w->square_unit, n = (double)x->rows;
    const double sum =
        x->vo_square - auc * x->o_square - auc_all * x->v_square + auc * auc_all * square;
    return n > 1 ? sum / (weight * of_all) * n / (n - 1) : (double)NAN;
}

static double
auc_of(const struct walk *w, const struct state *s)
{
    const struct side *positive = &s->side[1];
    return s->side[0].weight > 0 && positive->weight > 0
               ? positive->v / ((double)positive->weight * w->unit)
               : (double)NAN;
}

/* Rows that as many of weight 1 would be worth (Kish 1965). */
static double
effective(const struct walk *w, const struct side *x)
{
    const double weight = (double)x->weight * w->unit;
    return weight * weight / ((double)x->square * w->square_unit);
}

static void
finish(const struct walk *w, const struct state *s, struct group_tally *t)
{
    const struct side *x = s->side, *y = w->all.side;
    t->auc = auc_of(w, s);
    t->auc_se = t->auc_cov = t->auc_n = NAN;
    if (!isnan(t->auc)) {
        const double auc = auc_of(w, &w->all);
        t->auc_se = sqrt(variance_of(w, &x[0], t->auc) + variance_of(w, &x[1], t->auc));
        t->auc_cov = covariance_of(w, &x[0], t->auc, &y[0], auc) +
                     covariance_of(w, &x[1], t->auc, &y[1], auc);
        t->auc_n = fmin(effective(w, &x[0]), effective(w, &x[1]));
    }
}

/* ---- the walk ---- */

static void
walk_done(struct walk *w)
{
    free(w->state);
    free(w->touched);
}

static struct status
walk_init(int shift, int square_shift, uint32_t groups, struct walk *w)
{
    w->unit = unit_of(shift);
    w->square_unit = unit_of(square_shift);
    w->state = calloc((size_t)groups + 1, sizeof *w->state);
    w->touched = calloc((size_t)groups + 1, sizeof *w->touched);
    CHECK(w->state != NULL && w->touched != NULL, MEMORY);
    return OK;
}

static void
count_side(struct side *x, const struct group_auc_run *r)
{
    x->weight += r->weight;
    x->square += r->square;
    x->rows += r->rows;
}

static void
count_run(struct walk *w, const struct group_auc_run *r)
{
    count_side(&w->all.side[r->y], r);
    if (r->group >= 0) {
        count_side(&w->state[r->group].side[r->y], r);
    }
}

static void
tie_run(struct walk *w, const struct group_auc_run *r)
{
    w->all.side[r->y].tied += r->weight;
    w->all.side[r->y].tied_square += r->square;
    if (r->group >= 0) {
        struct state *s = &w->state[r->group];
        if (s->side[0].tied == 0 && s->side[1].tied == 0 && r->weight > 0) {
            w->touched[w->touched_n++] = (uint32_t)r->group;
        }
        s->side[r->y].tied += r->weight;
        s->side[r->y].tied_square += r->square;
    }
}

/* All rows of this score are tied. */
static void
settle_score(struct walk *w)
{
    const double o[2] = {placement(&w->all, 0), placement(&w->all, 1)};
    for (size_t k = 0; k < w->touched_n; k++) {
        settle(w, &w->state[w->touched[k]], o);
    }
    w->touched_n = 0;
    settle(w, &w->all, o);
}

static void
finish_all(const struct walk *w, uint32_t groups, struct group_tally *tally,
           struct group_tally *overall)
{
    finish(w, &w->all, overall);
    for (uint32_t g = 0; g < groups; g++) {
        finish(w, &w->state[g], &tally[g]);
    }
}

/* ---- rows ---- */

static double
weight_of(const struct group_auc_rows *r, size_t row)
{
    const bool part = r->group[row] >= GROUP_AUC_ALL_ONLY && r->y[row] <= 1;
    return !part ? 0 : r->weight == NULL ? 1 : r->weight[row];
}

void
group_auc_range_add(struct group_auc_range *g, const struct group_auc_rows *r)
{
    g->rows += r->rows;
    for (size_t i = 0; i < r->rows; i++) {
        g->weight = fmax(g->weight, weight_of(r, i));
    }
}

void
group_auc_range_merge(struct group_auc_range *g, const struct group_auc_range *other)
{
    g->rows += other->rows;
    g->weight = fmax(g->weight, other->weight);
}

static int
shift_of(const struct group_auc_range *known, double most)
{
    return most > 0 && isfinite(most) ? whole_shift(most, known->rows) : 0;
}

/* Returns whether the row has a part. */
static bool
run_of(const struct group_auc_rows *r, size_t row, int shift, int square_shift,
       struct group_auc_run *ret_run)
{
    const double w = weight_of(r, row);
    if (!(w > 0)) {
        return false;
    }
    *ret_run = (struct group_auc_run){.score = r->score[row],
                                      .group = r->group[row],
                                      .y = r->y[row],
                                      .rows = 1,
                                      .weight = INT64_C(1) << shift,
                                      .square = INT64_C(1) << square_shift};
    if (r->weight != NULL) {
        ret_run->weight = whole_of(w, shift);
        ret_run->square = whole_of(w * w, square_shift);
    }
    return true;
}

struct status
group_auc(const struct group_auc_rows *r, uint32_t groups, struct group_tally *tally,
          struct group_tally *overall)
{
    struct group_auc_range known = {0};
    struct group_auc_state scale;
    DEFER(walk_done) struct walk w = {0};
    struct group_auc_run run;
    if (r->weight != NULL) {
        group_auc_range_add(&known, r);
    }
    group_auc_begin(&known, &scale);
    TRY(walk_init(scale.shift, scale.square_shift, groups, &w));
    for (size_t i = 0; i < r->rows; i++) {
        if (run_of(r, i, scale.shift, scale.square_shift, &run)) {
            count_run(&w, &run);
        }
    }
    for (size_t i = 0; i < r->rows; i++) {
        if (run_of(r, i, scale.shift, scale.square_shift, &run)) {
            tie_run(&w, &run);
        }
        if (i + 1 == r->rows || r->score[i + 1] > r->score[i]) {
            settle_score(&w);
        }
    }
    finish_all(&w, groups, tally, overall);
    return OK;
}

/* ---- states that merge ---- */

#define WAITING ((size_t)1 << 12) /* runs that are sorted at once, at least */

void
group_auc_begin(const struct group_auc_range *known, struct group_auc_state *ret_state)
{
    *ret_state =
        (struct group_auc_state){.shift = shift_of(known, known->weight),
                                 .square_shift = shift_of(known, known->weight * known->weight)};
}

void
group_auc_done(struct group_auc_state *s)
{
    free(s->run);
}

static int
compare_runs(const void *a, const void *b)
{
    const struct group_auc_run *x = a, *y = b;
    if (x->score < y->score || x->score > y->score) {
        return x->score < y->score ? -1 : 1;
    }
    return x->group != y->group ? (x->group > y->group) - (x->group < y->group)
                                : (x->y > y->y) - (x->y < y->y);
}

/* In order, each score, group and outcome once. */
static void
settle_runs(struct group_auc_state *s)
{
    size_t n = 0;
    if (s->n > s->settled) {
        qsort(s->run, s->n, sizeof *s->run, compare_runs);
    }
    for (size_t i = 0; i < s->n; i++) {
        if (n > 0 && compare_runs(&s->run[n - 1], &s->run[i]) == 0) {
            s->run[n - 1].rows += s->run[i].rows;
            s->run[n - 1].weight += s->run[i].weight;
            s->run[n - 1].square += s->run[i].square;
        } else {
            s->run[n++] = s->run[i];
        }
    }
    s->n = s->settled = n;
}

static struct status
put_run(struct group_auc_state *s, const struct group_auc_run *r)
{
    if (s->n >= 2 * s->settled + WAITING) {
        settle_runs(s);
    }
    if (s->n == s->room) {
        const size_t room = 2 * s->room + WAITING;
        struct group_auc_run *grown = realloc(s->run, room * sizeof *grown);
        CHECK(grown != NULL, MEMORY);
        s->run = grown;
        s->room = room;
    }
    s->run[s->n++] = *r;
    return OK;
}

struct status
group_auc_add(struct group_auc_state *s, const struct group_auc_rows *r)
{
    struct group_auc_run run;
    for (size_t i = 0; i < r->rows; i++) {
        if (run_of(r, i, s->shift, s->square_shift, &run)) {
            TRY(put_run(s, &run));
        }
    }
    return OK;
}

struct status
group_auc_merge(struct group_auc_state *s, const struct group_auc_state *other)
{
    for (size_t i = 0; i < other->n; i++) {
        TRY(put_run(s, &other->run[i]));
    }
    return OK;
}

struct status
group_auc_finish(struct group_auc_state *s, uint32_t groups, struct group_tally *tally,
                 struct group_tally *overall)
{
    DEFER(walk_done) struct walk w = {0};
    TRY(walk_init(s->shift, s->square_shift, groups, &w));
    settle_runs(s);
    for (size_t i = 0; i < s->n; i++) {
        count_run(&w, &s->run[i]);
    }
    for (size_t i = 0; i < s->n; i++) {
        tie_run(&w, &s->run[i]);
        if (i + 1 == s->n || s->run[i + 1].score > s->run[i].score) {
            settle_score(&w);
        }
    }
    finish_all(&w, groups, tally, overall);
    return OK;
}
