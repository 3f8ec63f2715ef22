/* Interaction values by drawing. In a random order of the players, what the (p+1)-th and the
 * (p+2)-th have together beside the p before them is a sample of their interaction index: given
 * that two are neighbours, how many come before them is even over 0..M-2, and so who they are,
 * which is the index's weight. A complete graph of n = 2m vertices falls into m paths through all
 * of them in which each pair is neighbours once (Walecki; Alspach, Bulletin of the ICA 52, 2008),
 * so that a round of m orders, their vertices named at random, samples each pair once, and each
 * player's own value m times. Of an odd number of players one more takes part that adds nothing. */
#include "assess/shapley_pairs_parts.h"

#include "num/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct draw {
    const struct game *g;
    size_t n, paths, steps;   /* vertices; orders of a round; coalitions of an order */
    const double *none, *all; /* outputs: what nobody and everybody are worth */
    size_t *name;             /* n: of a vertex; players: who adds nothing */
    size_t *order;            /* paths * n */
    uint8_t *member;          /* paths * steps * players */
    double *value;            /* paths * steps * outputs */
    double *sample;           /* players^2 */
    double *mean, *squares;   /* outputs * players^2 */
};

static void
draw_done(struct draw *d)
{
    free(d->name);
    free(d->order);
    free(d->member);
    free(d->value);
    free(d->sample);
    free(d->mean);
    free(d->squares);
}

static struct status
draw_make(struct draw *d)
{
    const size_t players = d->g->players, outputs = d->g->box->outputs, cells = players * players;
    d->name = calloc(d->n, sizeof *d->name);
    d->order = calloc(d->paths * d->n, sizeof *d->order);
    d->member = calloc(d->paths * d->steps, players);
    d->value = calloc(d->paths * d->steps * outputs, sizeof *d->value);
    d->sample = calloc(cells, sizeof *d->sample);
    d->mean = calloc(outputs * cells, sizeof *d->mean);
    d->squares = calloc(outputs * cells, sizeof *d->squares);
    CHECK(d->name != NULL && d->order != NULL && d->member != NULL && d->value != NULL &&
              d->sample != NULL && d->mean != NULL && d->squares != NULL,
          MEMORY);
    return OK;
}

/* Path k of vertices: k, k+1, k-1, k+2, k-2, ... */
static void
put_order(const struct draw *d, size_t path, size_t *order)
{
    for (size_t i = 0; i < d->n; i++) {
        const size_t step = (i + 1) / 2;
        const size_t vertex = i % 2 == 1 ? path + step : path + d->n - step;
        order[i] = d->name[vertex % d->n];
    }
}

static void
put_first(const struct draw *d, const size_t *order, size_t count, uint8_t *ret_member)
{
    memset(ret_member, 0, d->g->players);
    for (size_t i = 0; i < count; i++) {
        if (order[i] < d->g->players) {
            ret_member[order[i]] = 1;
        }
    }
}

/* An order's coalitions: the first 1, .., n-1; then the first p and the next but one, p from 0. */
static void
put_coalitions(const struct draw *d, const size_t *order, uint8_t *member)
{
    const size_t players = d->g->players;
    for (size_t p = 1; p < d->n; p++) {
        put_first(d, order, p, member + (p - 1) * players);
    }
    for (size_t p = 0; p + 1 < d->n; p++) {
        uint8_t *to = member + (d->n - 1 + p) * players;
        put_first(d, order, p, to);
        if (order[p + 1] < players) {
            to[order[p + 1]] = 1;
        }
    }
}

/* Of the order's first p players. */
static double
worth(const struct draw *d, const double *value, size_t p, size_t output)
{
    return p == 0      ? d->none[output]
           : p == d->n ? d->all[output]
                       : value[(p - 1) * d->g->box->outputs + output];
}

static void
add_order(const struct draw *d, const size_t *order, const double *value, size_t output)
{
    const size_t players = d->g->players, outputs = d->g->box->outputs;
    for (size_t p = 0; p < d->n; p++) {
        const size_t a = order[p], b = p + 1 < d->n ? order[p + 1] : players;
        const double here = worth(d, value, p, output), with = worth(d, value, p + 1, output);
        if (a < players) {
            d->sample[a * players + a] += (with - here) / (double)d->paths;
        }
        if (a < players && b < players) {
            const double other = value[(d->n - 1 + p) * outputs + output];
            const double both = worth(d, value, p + 2, output);
            d->sample[a * players + b] = d->sample[b * players + a] =
                0.5 * ((both - with) - (other - here));
        }
    }
}

/* The round's matrix among those before it (Welford 1962). */
static void
take_round(const struct draw *d, size_t round, size_t output)
{
    const size_t players = d->g->players, cells = players * players;
    for (size_t a = 0; a < players; a++) {
        for (size_t b = 0; b < players; b++) {
            d->sample[a * players + a] -= a == b ? 0 : d->sample[a * players + b];
        }
    }
    for (size_t i = 0; i < cells; i++) {
        double *mean = &d->mean[output * cells + i];
        const double off = d->sample[i] - *mean;
        *mean += off / (double)(round + 1);
        d->squares[output * cells + i] += off * (d->sample[i] - *mean);
    }
}

static struct status
play_round(const struct draw *d, struct rng *r, size_t round, struct diag *diag)
{
    const size_t players = d->g->players, outputs = d->g->box->outputs;
    for (size_t i = 0; i < d->n; i++) {
        d->name[i] = i;
    }
    rng_shuffle(r, d->name, d->n);
    for (size_t k = 0; k < d->paths; k++) {
        put_order(d, k, d->order + k * d->n);
        put_coalitions(d, d->order + k * d->n, d->member + k * d->steps * players);
    }
    TRY(game_values(d->g, d->member, d->paths * d->steps, diag, d->value));
    for (size_t o = 0; o < outputs; o++) {
        memset(d->sample, 0, players * players * sizeof *d->sample);
        for (size_t k = 0; k < d->paths; k++) {
            add_order(d, d->order + k * d->n, d->value + k * d->steps * outputs, o);
        }
        take_round(d, round, o);
    }
    return OK;
}

size_t
shapley_pairs_round(size_t players)
{
    const size_t n = players + players % 2;
    return n / 2 * 2 * (n - 1);
}

/* The means to their places, and the largest standard error. */
static double
put_means(const struct draw *d, size_t rounds, double *ret_pairs)
{
    const struct game *g = d->g;
    const size_t players = g->players, features = g->box->features;
    double largest = 0;
    for (size_t o = 0; o < g->box->outputs; o++) {
        for (size_t i = 0; i < players * players; i++) {
            const size_t a = g->player[i / players], b = g->player[i % players];
            const double squares = d->squares[o * players * players + i];
            ret_pairs[(o * features + a) * features + b] = d->mean[o * players * players + i];
            largest = fmax(largest, sqrt(squares / (double)(rounds - 1) / (double)rounds));
        }
    }
    return largest;
}

struct status
shapley_pairs_draw(const struct game *g, size_t rounds, const struct shapley_options *o,
                   struct diag *diag, double *ret_pairs, double *ret_error)
{
    const size_t outputs = g->box->outputs, n = g->players + g->players % 2;
    struct rng r;
    ASSERT(rounds > 1 && g->players > 1);
    DEFER(memory_freep) uint8_t *ends = calloc(2, g->players);
    DEFER(memory_freep) double *worths = calloc(2 * outputs, sizeof *worths);
    CHECK(ends != NULL && worths != NULL, MEMORY);
    memset(ends + g->players, 1, g->players);
    TRY(game_values(g, ends, 2, diag, worths));
    DEFER(draw_done)
    struct draw d = {.g = g,
                     .n = n,
                     .paths = n / 2,
                     .steps = 2 * (n - 1),
                     .none = worths,
                     .all = worths + outputs};
    TRY(draw_make(&d));
    rng_init_at(&r, o->seed, "shapley pairs", o->row);
    for (size_t k = 0; k < rounds; k++) {
        TRY(play_round(&d, &r, k, diag));
    }
    *ret_error = put_means(&d, rounds, ret_pairs);
    return OK;
}
