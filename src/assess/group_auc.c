#include "assess/group_auc.h"

#include <math.h>
#include <stdlib.h>

/* Of the rows of one class: sums of their weights w (and of w^2), with the placement v of each, the
 * share of the other class's weight on the far side of it, and the placement o among all rows. */
struct side {
    double weight, square;           /* in all */
    double below, tied, tied_square; /* of the weights so far; at this score, and of w^2 */
    double v, v_square, vv_square, o_square, vo_square; /* sums of w v; of w^2 v, v^2, o, v o */
    size_t rows;
};

struct state {
    struct side side[2]; /* negatives, positives */
};

/* Of the rows tied at this score, for the positives: the share of the negatives below, ties half;
 * for the negatives: of the positives above. */
static double
placement(const struct state *s, unsigned positive)
{
    const struct side *other = &s->side[!positive];
    const double half = other->tied / 2;
    return positive != 0 ? (other->below + half) / other->weight
                         : (other->weight - other->below - half) / other->weight;
}

static void
settle(struct state *s, const double o[static 2])
{
    const double v[2] = {placement(s, 0), placement(s, 1)};
    for (unsigned c = 0; c < 2; c++) {
        struct side *x = &s->side[c];
        x->v += x->tied * v[c];
        x->v_square += x->tied_square * v[c];
        x->vv_square += x->tied_square * v[c] * v[c];
        x->o_square += x->tied_square * o[c];
        x->vo_square += x->tied_square * v[c] * o[c];
    }
}

static void
pass(struct state *s)
{
    for (unsigned c = 0; c < 2; c++) {
        s->side[c].below += s->side[c].tied;
        s->side[c].tied = s->side[c].tied_square = 0;
    }
}

/* The class's part of the variance, and of the covariance with all rows' area. */
static double
variance_of(const struct side *x, double auc)
{
    const double sum = x->vv_square - 2 * auc * x->v_square + auc * auc * x->square;
    const double n = (double)x->rows;
    return n > 1 ? fmax(0, sum) / (x->weight * x->weight) * n / (n - 1) : (double)NAN;
}

static double
covariance_of(const struct side *x, double auc, const struct side *all, double auc_all)
{
    const double sum =
        x->vo_square - auc * x->o_square - auc_all * x->v_square + auc * auc_all * x->square;
    const double n = (double)x->rows;
    return n > 1 ? sum / (x->weight * all->weight) * n / (n - 1) : (double)NAN;
}

static double
auc_of(const struct state *s)
{
    const struct side *positive = &s->side[1];
    return s->side[0].weight > 0 && positive->weight > 0 ? positive->v / positive->weight
                                                         : (double)NAN;
}

static void
finish(const struct state *s, const struct state *all, struct group_tally *t)
{
    const struct side *x = s->side, *y = all->side;
    t->auc = auc_of(s);
    t->auc_se = t->auc_cov = t->auc_n = NAN;
    if (!isnan(t->auc)) {
        const double auc = auc_of(all);
        t->auc_se = sqrt(variance_of(&x[0], t->auc) + variance_of(&x[1], t->auc));
        t->auc_cov =
            covariance_of(&x[0], t->auc, &y[0], auc) + covariance_of(&x[1], t->auc, &y[1], auc);
        t->auc_n =
            fmin(x[0].weight * x[0].weight / x[0].square, x[1].weight * x[1].weight / x[1].square);
    }
}

static double
weight_of(const struct group_auc_rows *r, size_t row)
{
    const bool part = r->group[row] >= GROUP_AUC_ALL_ONLY && r->y[row] <= 1;
    return !part ? 0 : r->weight == NULL ? 1 : r->weight[row];
}

static void
count_row(const struct group_auc_rows *r, size_t row, struct state *s)
{
    const double w = weight_of(r, row);
    struct side *x = &s->side[r->y[row] == 1];
    if (w > 0) {
        x->weight += w;
        x->square += w * w;
        x->rows++;
    }
}

static void
tie_row(const struct group_auc_rows *r, size_t row, struct state *s)
{
    const double w = weight_of(r, row);
    struct side *x = &s->side[r->y[row] == 1];
    x->tied += w;
    x->tied_square += w * w;
}

/* The rows from to to - 1 have the same score. A group is settled at its first row:
 * afterwards nothing is tied. */
static void
settle_block(const struct group_auc_rows *r, size_t from, size_t to, struct state *state,
             struct state *all)
{
    const double o[2] = {placement(all, 0), placement(all, 1)};
    for (size_t i = from; i < to; i++) {
        const int32_t g = r->group[i];
        if (g >= 0 && (state[g].side[0].tied > 0 || state[g].side[1].tied > 0)) {
            settle(&state[g], o);
            pass(&state[g]);
        }
    }
    settle(all, o);
    pass(all);
}

struct status
group_auc(const struct group_auc_rows *r, uint32_t groups, struct group_tally *tally,
          struct group_tally *overall)
{
    struct state all = {0};
    DEFER(memory_freep) struct state *state = calloc((size_t)groups + 1, sizeof *state);
    CHECK(state != NULL, MEMORY);
    for (size_t i = 0; i < r->rows; i++) {
        count_row(r, i, &all);
        r->group[i] >= 0 ? count_row(r, i, &state[r->group[i]]) : (void)0;
    }
    for (size_t i = 0, from = 0; i < r->rows; i++) {
        tie_row(r, i, &all);
        r->group[i] >= 0 ? tie_row(r, i, &state[r->group[i]]) : (void)0;
        if (i + 1 == r->rows || r->score[i + 1] > r->score[i]) {
            settle_block(r, from, i + 1, state, &all);
            from = i + 1;
        }
    }
    finish(&all, &all, overall);
    for (uint32_t g = 0; g < groups; g++) {
        finish(&state[g], &all, &tally[g]);
    }
    return OK;
}
