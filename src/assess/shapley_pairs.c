#include "assess/shapley_pairs.h"

#include "assess/shapley_pairs_parts.h"

#include <stdlib.h>
#include <string.h>

/* The coalitions of M players as bits, with what each is worth: value[2^M * outputs]. */
struct table {
    size_t players, outputs;
    double *value;
    double one[SHAPLEY_PAIRS_MOST_PLAYERS]; /* by |S|: |S|! (M - |S| - 1)! / M! */
    double two[SHAPLEY_PAIRS_MOST_PLAYERS]; /* |S|! (M - |S| - 2)! / (M - 1)! */
};

static void
table_done(struct table *t)
{
    free(t->value);
}

/* 1 / (M times the coalitions of that size among the others), which needs no factorials. */
static void
weigh(struct table *t)
{
    const size_t m = t->players;
    double ways = 1;
    for (size_t s = 0; s < m; s++) {
        t->one[s] = 1.0 / ((double)m * ways);
        ways = ways * (double)(m - 1 - s) / (double)(s + 1);
    }
    ways = 1;
    for (size_t s = 0; s + 1 < m; s++) {
        t->two[s] = 1.0 / ((double)(m - 1) * ways);
        ways = ways * (double)(m - 2 - s) / (double)(s + 1);
    }
}

static struct status
value_all(const struct game *g, struct diag *diag, struct table *t)
{
    const size_t sets = (size_t)1 << t->players;
    DEFER(memory_freep) uint8_t *member = calloc(sets * t->players + 1, 1);
    t->value = calloc(sets * t->outputs, sizeof *t->value);
    CHECK(member != NULL && t->value != NULL, MEMORY);
    for (size_t set = 0; set < sets; set++) {
        for (size_t p = 0; p < t->players; p++) {
            member[set * t->players + p] = (uint8_t)(set >> p & 1);
        }
    }
    return game_values(g, member, sets, diag, t->value);
}

static double
phi_of(const struct table *t, size_t output, size_t i)
{
    const size_t sets = (size_t)1 << t->players, with = (size_t)1 << i;
    double sum = 0;
    for (size_t set = 0; set < sets; set++) {
        if ((set & with) == 0) {
            sum +=
                t->one[__builtin_popcountll(set)] * (t->value[(set | with) * t->outputs + output] -
                                                     t->value[set * t->outputs + output]);
        }
    }
    return sum;
}

static double
index_of(const struct table *t, size_t output, size_t i, size_t j)
{
    const size_t sets = (size_t)1 << t->players, a = (size_t)1 << i, b = (size_t)1 << j,
                 n = t->outputs;
    const double *v = t->value + output;
    double sum = 0;
    for (size_t set = 0; set < sets; set++) {
        if ((set & (a | b)) == 0) {
            sum += t->two[__builtin_popcountll(set)] *
                   ((v[(set | a | b) * n] - v[(set | a) * n]) - (v[(set | b) * n] - v[set * n]));
        }
    }
    return sum;
}

/* to[features^2]: of one output. */
static void
put_matrix(const struct table *t, size_t output, const size_t *player, size_t features, double *to)
{
    for (size_t i = 0; i < t->players; i++) {
        for (size_t j = i + 1; j < t->players; j++) {
            const double half = 0.5 * index_of(t, output, i, j);
            to[player[i] * features + player[j]] = half;
            to[player[j] * features + player[i]] = half;
        }
    }
    for (size_t i = 0; i < t->players; i++) {
        double own = phi_of(t, output, i);
        for (size_t j = 0; j < t->players; j++) {
            own -= j == i ? 0 : to[player[i] * features + player[j]];
        }
        to[player[i] * features + player[i]] = own;
    }
}

static bool
fits(size_t players, size_t evaluations)
{
    const size_t most = evaluations > 0 ? evaluations : 2 * players + SHAPLEY_DRAWS;
    return players <= SHAPLEY_PAIRS_MOST_PLAYERS && ((size_t)1 << players) <= most + 2;
}

static struct status
take_all(const struct game *g, struct diag *diag, double *ret_pairs, struct shapley_told *told)
{
    const size_t outputs = g->box->outputs, features = g->box->features;
    DEFER(table_done) struct table t = {.players = g->players, .outputs = outputs};
    TRY(value_all(g, diag, &t));
    weigh(&t);
    for (size_t k = 0; k < outputs; k++) {
        put_matrix(&t, k, g->player, features, ret_pairs + k * features * features);
    }
    told->exact = true;
    told->evaluations = ((size_t)1 << g->players) - (g->players > 0 ? 2u : 1u);
    return OK;
}

static struct status
take_drawn(const struct game *g, const struct shapley_options *o, struct diag *diag,
           double *ret_pairs, double *ret_error, struct shapley_told *told)
{
    const size_t round = shapley_pairs_round(g->players);
    const size_t rounds = o->evaluations > 0 ? o->evaluations / round : SHAPLEY_PAIRS_ROUNDS;
    CHECK(g->players <= SHAPLEY_PAIRS_DRAWN_PLAYERS, LIMIT);
    if (rounds < 2) {
        diag_set(
            diag,
            "%zu evaluations a row are too few for the interactions of %zu features that vary: "
            "%zu at least",
            o->evaluations, g->players, 2 * round);
        FAIL(INPUT);
    }
    told->pairs = rounds;
    told->evaluations = rounds * round;
    return shapley_pairs_draw(g, rounds, o, diag, ret_pairs, ret_error);
}

struct status
shapley_pairs(const struct black_box *box, const double *row, const double *background,
              size_t background_rows, const struct shapley_options *o, struct diag *diag,
              double *ret_pairs, double *ret_error, struct shapley_told *ret_told)
{
    ASSERT(background_rows > 0 && box->batch > 0 && box->outputs > 0 && box->features > 0);
    DEFER(memory_freep) size_t *player = calloc(box->features, sizeof *player);
    CHECK(player != NULL, MEMORY);
    const size_t players = game_players(box, row, background, background_rows, player);
    const struct game g = {box, row, background, background_rows, player, players, o->threads};
    *ret_told = (struct shapley_told){.players = players};
    *ret_error = 0;
    memset(ret_pairs, 0, box->outputs * box->features * box->features * sizeof *ret_pairs);
    return fits(players, o->evaluations) ? take_all(&g, diag, ret_pairs, ret_told)
                                         : take_drawn(&g, o, diag, ret_pairs, ret_error, ret_told);
}
