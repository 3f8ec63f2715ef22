#include "assess/shapley_parts.h"
#include "num/cholesky.h"
#include "num/rng.h"

#include <math.h>

/* Pairs of a coalition and its complement: the coalition with fewer members stands for both. */
struct pairs {
    size_t n, players;
    size_t drawn;    /* the last ones, at random; the others are whole sizes */
    uint8_t *member; /* n * players */
    double *weight;  /* n */
};

static void
pairs_done(struct pairs *p)
{
    free(p->member);
    free(p->weight);
}

/* ---- which pairs ---- */

/* Pairs of a size: all subsets of s, half of them when the complement has the same size. A double,
 * since it may pass any integer. */
static double
pairs_of_size(size_t players, size_t s)
{
    double count = 1;
    for (size_t i = 0; i < s; i++) {
        count = count * (double)(players - i) / (double)(i + 1);
    }
    return round(2 * s == players ? count / 2 : count);
}

/* The Shapley kernel's weight of all pairs of a size: sum of (M-1) / (C(M,s) s (M-s)), but for the
 * factor 2 (M-1) that all share. */
static double
mass_of_size(size_t players, size_t s)
{
    const double mass = 1 / ((double)s * (double)(players - s));
    return 2 * s == players ? mass / 2 : mass;
}

/* Sizes 1..ret are valued whole; *ret_pairs of them. Size 1 always: it makes the system regular. */
static size_t
whole_sizes(const struct shapley_work *w, size_t *ret_pairs)
{
    const size_t players = w->game->players, last = players / 2;
    double left = (double)(w->evaluations / 2), mass = 0;
    *ret_pairs = 0;
    for (size_t s = 1; s <= last; s++) {
        mass += mass_of_size(players, s);
    }
    for (size_t s = 1; s <= last; s++) {
        const double count = pairs_of_size(players, s);
        if (s > 1 && !w->exact && count > left * mass_of_size(players, s) / mass) {
            return s - 1;
        }
        left -= count;
        mass -= mass_of_size(players, s);
        *ret_pairs += (size_t)count;
    }
    return last;
}

/* All subsets of size s in lexicographic order; of a middle size those with player 0, which are
 * the first half. */
static void
put_size(struct pairs *p, size_t s, size_t *at, size_t *item)
{
    const size_t count = (size_t)pairs_of_size(p->players, s);
    const double weight = mass_of_size(p->players, s) / (double)count;
    for (size_t i = 0; i < s; i++) {
        item[i] = i;
    }
    for (size_t k = 0; k < count; k++) {
        uint8_t *member = p->member + (*at) * p->players;
        for (size_t i = 0; i < s; i++) {
            member[item[i]] = 1;
        }
        p->weight[(*at)++] = weight;
        size_t i = s;
        while (i > 0 && item[i - 1] == p->players - s + i - 1) {
            i--;
        }
        if (i == 0) {
            break;
        }
        item[i - 1]++;
        for (size_t j = i; j < s; j++) {
            item[j] = item[j - 1] + 1;
        }
    }
}

static size_t
draw_size(struct rng *r, size_t players, size_t first, double mass)
{
    double u = rng_unit(r) * mass;
    size_t s = first;
    while (s < players / 2 && u >= mass_of_size(players, s)) {
        u -= mass_of_size(players, s++);
    }
    return s;
}

static void
draw_pairs(struct pairs *p, const struct shapley_options *o, size_t first, size_t at, size_t *item)
{
    struct rng r;
    double mass = 0;
    rng_init_at(&r, o->seed, "shapley kernel", o->row);
    for (size_t s = first; s <= p->players / 2; s++) {
        mass += mass_of_size(p->players, s);
    }
    for (size_t i = 0; i < p->players; i++) {
        item[i] = i;
    }
    for (; at < p->n; at++) {
        const size_t s = draw_size(&r, p->players, first, mass);
        for (size_t i = 0; i < s; i++) {
            const size_t k = i + (size_t)rng_below(&r, p->players - i), t = item[i];
            item[i] = item[k];
            item[k] = t;
            p->member[at * p->players + item[i]] = 1;
        }
        p->weight[at] = mass / (double)p->drawn;
    }
}

static struct status
choose_pairs(const struct shapley_work *w, struct pairs *p)
{
    size_t whole_pairs = 0, at = 0;
    p->players = w->game->players;
    const size_t whole = whole_sizes(w, &whole_pairs);
    p->drawn = whole == p->players / 2 ? 0 : w->evaluations / 2 - whole_pairs;
    p->n = whole_pairs + p->drawn;
    DEFER(memory_freep) size_t *item = calloc(p->players, sizeof *item);
    p->member = calloc(p->n, p->players);
    p->weight = calloc(p->n, sizeof *p->weight);
    CHECK(item != NULL && p->member != NULL && p->weight != NULL, MEMORY);
    for (size_t s = 1; s <= whole; s++) {
        put_size(p, s, &at, item);
    }
    if (p->drawn > 0) {
        draw_pairs(p, w->options, whole + 1, at, item);
    }
    return OK;
}

/* ---- their values ---- */

/* ret_y[n * outputs]: v(S) - v(rest). Complements stand in the second half of the coalitions. */
static struct status
value_pairs(const struct shapley_work *w, const struct pairs *p, struct diag *diag, double *ret_y)
{
    const size_t cells = p->n * p->players, values = p->n * w->game->box->outputs;
    DEFER(memory_freep) uint8_t *member = malloc(2 * cells);
    DEFER(memory_freep) double *value = calloc(2 * values, sizeof *value);
    CHECK(member != NULL && value != NULL, MEMORY);
    for (size_t i = 0; i < cells; i++) {
        member[i] = p->member[i];
        member[cells + i] = p->member[i] == 0;
    }
    TRY(game_values(w->game, member, 2 * p->n, diag, value));
    for (size_t i = 0; i < values; i++) {
        ret_y[i] = value[i] - value[values + i];
    }
    return OK;
}

/* ---- the constrained least squares ---- */

struct squares {
    size_t players;
    double *l;     /* Cholesky factor of A */
    double *share; /* A^-1 1 / (1' A^-1 1): how the constraint's gain is shared */
};

static void
squares_done(struct squares *q)
{
    free(q->l);
    free(q->share);
}

static double
sign_of(const struct pairs *p, size_t k, size_t i)
{
    return p->member[k * p->players + i] != 0 ? 1 : -1;
}

/* A = sum w s s' + c 1 1': the constraint fixes 1'phi, so that the second term changes no answer;
 * it makes A regular for two players. */
static void
put_normal_matrix(const struct pairs *p, double *ret_a)
{
    const size_t m = p->players;
    double total = 0;
    memset(ret_a, 0, m * m * sizeof *ret_a);
    for (size_t k = 0; k < p->n; k++) {
        total += p->weight[k];
        for (size_t i = 0; i < m; i++) {
            const double signed_weight = p->weight[k] * sign_of(p, k, i);
            for (size_t j = 0; j <= i; j++) {
                ret_a[i * m + j] += signed_weight * sign_of(p, k, j);
            }
        }
    }
    for (size_t i = 0; i < m * m; i++) {
        ret_a[i] += total / (double)m;
    }
}

static struct status
squares_make(const struct pairs *p, struct squares *q)
{
    const size_t m = p->players;
    q->players = m;
    q->l = calloc(m * m, sizeof *q->l);
    q->share = calloc(m, sizeof *q->share);
    CHECK(q->l != NULL && q->share != NULL, MEMORY);
    put_normal_matrix(p, q->l);
    ASSERT(cholesky_factor(q->l, m)); /* size 1 is there whole: regular whatever was drawn */
    double total = 0;
    for (size_t i = 0; i < m; i++) {
        q->share[i] = 1;
    }
    cholesky_solve(q->l, m, q->share);
    for (size_t i = 0; i < m; i++) {
        total += q->share[i];
    }
    for (size_t i = 0; i < m; i++) {
        q->share[i] /= total;
    }
    return OK;
}

/* C r in place, C = A^-1 - A^-1 1 1' A^-1 / (1' A^-1 1): the inverse under 1'x = 0. */
static void
squares_project(const struct squares *q, double *r)
{
    double total = 0;
    cholesky_solve(q->l, q->players, r);
    for (size_t i = 0; i < q->players; i++) {
        total += r[i];
    }
    for (size_t i = 0; i < q->players; i++) {
        r[i] -= total * q->share[i];
    }
}

static void
solve(const struct pairs *p, const struct squares *q, const double *y, const double *gain,
      size_t outputs, double *ret_phi)
{
    const size_t m = p->players;
    memset(ret_phi, 0, outputs * m * sizeof *ret_phi);
    for (size_t o = 0; o < outputs; o++) {
        double *phi = ret_phi + o * m;
        for (size_t k = 0; k < p->n; k++) {
            for (size_t i = 0; i < m; i++) {
                phi[i] += p->weight[k] * y[k * outputs + o] * sign_of(p, k, i);
            }
        }
        squares_project(q, phi);
        for (size_t i = 0; i < m; i++) {
            phi[i] += gain[o] * q->share[i];
        }
    }
}

/* ---- the error of the draw ---- */

/* The influence of each drawn pair, C s w e / (1 - h), by column, summed with its square. `by` is
 * zeroed and left so. */
static void
add_influence(const struct shapley_work *w, const double *step, double scale, double *by,
              double *sum, double *square)
{
    for (size_t i = 0; i < w->game->players; i++) {
        by[w->column[i]] += step[i] * scale;
    }
    for (size_t k = 0; k < w->columns; k++) {
        sum[k] += by[k];
        square[k] += by[k] * by[k];
        by[k] = 0;
    }
}

static double
fitted(const struct pairs *p, size_t k, const double *phi)
{
    double at = 0;
    for (size_t i = 0; i < p->players; i++) {
        at += sign_of(p, k, i) * phi[i];
    }
    return at;
}

/* phi: by player; ret_error by column. */
static struct status
put_errors(const struct shapley_work *w, const struct pairs *p, const struct squares *q,
           const double *y, const double *phi, double *ret_error)
{
    const size_t m = p->players, outputs = w->game->box->outputs, columns = w->columns;
    const double n = (double)p->drawn;
    if (p->drawn == 0) {
        return OK;
    }
    DEFER(memory_freep) double *step = calloc(m + columns, sizeof *step);
    DEFER(memory_freep) double *sum = calloc(outputs * columns, sizeof *sum);
    CHECK(step != NULL && sum != NULL, MEMORY);
    for (size_t k = p->n - p->drawn; k < p->n; k++) {
        for (size_t i = 0; i < m; i++) {
            step[i] = sign_of(p, k, i);
        }
        squares_project(q, step);
        const double leverage = fmin(p->weight[k] * fitted(p, k, step), 1 - 1e-9);
        for (size_t o = 0; o < outputs; o++) {
            const double residual = y[k * outputs + o] - fitted(p, k, phi + o * m);
            add_influence(w, step, p->weight[k] * residual / (1 - leverage), step + m,
                          sum + o * columns, ret_error + o * columns);
        }
    }
    for (size_t i = 0; i < outputs * columns; i++) {
        const double spread = ret_error[i] - sum[i] * sum[i] / n;
        ret_error[i] = n < 2 ? (double)NAN : sqrt(fmax(spread, 0) * n / (n - 1));
    }
    return OK;
}

struct status
shapley_kernel(const struct shapley_work *w, struct diag *diag, double *ret_phi, double *ret_error,
               struct shapley_told *told)
{
    const size_t outputs = w->game->box->outputs, players = w->game->players;
    DEFER(pairs_done) struct pairs p = {0};
    DEFER(squares_done) struct squares q = {0};
    TRY(choose_pairs(w, &p));
    DEFER(memory_freep) double *y = calloc(p.n * outputs, sizeof *y);
    DEFER(memory_freep) double *phi = calloc(outputs * players, sizeof *phi);
    CHECK(y != NULL && phi != NULL, MEMORY);
    TRY(value_pairs(w, &p, diag, y));
    TRY(squares_make(&p, &q));
    solve(&p, &q, y, w->gain, outputs, phi);
    TRY(put_errors(w, &p, &q, y, phi, ret_error));
    for (size_t i = 0; i < outputs * players; i++) {
        ret_phi[i / players * w->columns + w->column[i % players]] += phi[i];
    }
    told->evaluations = 2 * p.n;
    told->pairs = p.drawn;
    return OK;
}
