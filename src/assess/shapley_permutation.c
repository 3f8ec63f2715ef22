#include "assess/shapley_parts.h"
#include "num/moments.h"
#include "num/rng.h"

#include <math.h>

/* The coalitions that an order passes through, and those of its reverse; without none and all. */
static void
put_walk(const size_t *order, size_t players, uint8_t *ret_member)
{
    const size_t steps = players - 1;
    for (size_t s = 0; s < steps; s++) {
        for (size_t i = 0; i <= s; i++) {
            ret_member[s * players + order[i]] = 1;
            ret_member[(steps + s) * players + order[players - 1 - i]] = 1;
        }
    }
}

/* What each column adds along the walk of an order, half of it. value: of the steps' coalitions. */
static void
add_walk(const struct shapley_work *w, const size_t *order, bool reverse, const double *base,
         size_t o, const double *value, double *contribution)
{
    const size_t players = w->game->players, outputs = w->game->box->outputs;
    double before = base[o];
    for (size_t s = 0; s < players; s++) {
        const double now = s + 1 == players ? base[o] + w->gain[o] : value[s * outputs + o];
        const size_t player = order[reverse ? players - 1 - s : s];
        contribution[w->column[player]] += (now - before) / 2;
        before = now;
    }
}

static void
take_walk(const struct shapley_work *w, const size_t *order, const double *base,
          const double *value, double *contribution, struct moments *ret_moments)
{
    const size_t players = w->game->players, outputs = w->game->box->outputs;
    for (size_t o = 0; o < outputs; o++) {
        memset(contribution, 0, w->columns * sizeof *contribution);
        add_walk(w, order, false, base, o, value, contribution);
        add_walk(w, order, true, base, o, value + (players - 1) * outputs, contribution);
        for (size_t k = 0; k < w->columns; k++) {
            moments_add(&ret_moments[o * w->columns + k], contribution[k]);
        }
    }
}

static void
draw_orders(const struct shapley_options *o, size_t pairs, size_t players, size_t *ret_order)
{
    struct rng r;
    rng_init_at(&r, o->seed, "shapley permutation", o->row);
    for (size_t k = 0; k < pairs; k++) {
        for (size_t i = 0; i < players; i++) {
            ret_order[k * players + i] = i;
        }
        rng_shuffle(&r, ret_order + k * players, players);
    }
}

struct status
shapley_permutation(const struct shapley_work *w, const double *base, struct diag *diag,
                    double *ret_phi, double *ret_error, struct shapley_told *told)
{
    const size_t players = w->game->players, outputs = w->game->box->outputs;
    const size_t walk = 2 * (players - 1), pairs = w->evaluations / walk;
    DEFER(memory_freep) size_t *order = calloc(pairs * players, sizeof *order);
    DEFER(memory_freep) uint8_t *member = calloc(pairs * walk, players);
    DEFER(memory_freep) double *value = calloc(pairs * walk * outputs, sizeof *value);
    DEFER(memory_freep) double *contribution = calloc(w->columns, sizeof *contribution);
    DEFER(memory_freep) struct moments *m = calloc(w->columns * outputs, sizeof *m);
    CHECK(order != NULL && member != NULL && value != NULL && contribution != NULL && m != NULL,
          MEMORY);
    draw_orders(w->options, pairs, players, order);
    for (size_t k = 0; k < pairs; k++) {
        put_walk(order + k * players, players, member + k * walk * players);
    }
    TRY(game_values(w->game, member, pairs * walk, diag, value));
    for (size_t k = 0; k < pairs; k++) {
        take_walk(w, order + k * players, base, value + k * walk * outputs, contribution, m);
    }
    for (size_t i = 0; i < w->columns * outputs; i++) {
        ret_phi[i] = moments_mean(&m[i]);
        ret_error[i] = moments_error(&m[i]);
    }
    told->evaluations = pairs * walk;
    told->pairs = pairs;
    return OK;
}
