#include "assess/shapley.h"

#include "assess/shapley_parts.h"

#include <math.h>

struct status
shapley_base(const struct black_box *box, const double *background, size_t background_rows,
             unsigned threads, struct diag *diag, double *ret_base)
{
    ASSERT(background_rows > 0 && box->batch > 0 && box->outputs > 0);
    const struct game g = {box, background, background, background_rows, NULL, 0, threads};
    const uint8_t nobody = 0;
    return game_values(&g, &nobody, 1, diag, ret_base);
}

/* Coalitions but the empty and the whole one; SIZE_MAX when they pass any budget. */
static size_t
coalitions(size_t players)
{
    return players < 40 ? ((size_t)1 << players) - 2 : SIZE_MAX;
}

static struct status
plan(const struct shapley_options *o, size_t players, struct shapley_work *w, struct diag *diag)
{
    const size_t least = 4 * (o->method == SHAPLEY_KERNEL ? players : players - 1);
    w->evaluations = o->evaluations > 0 ? o->evaluations : 2 * players + SHAPLEY_DRAWS;
    if (o->evaluations == 0 && w->evaluations < least) {
        w->evaluations = least;
    }
    if (w->evaluations > SHAPLEY_MOST) {
        diag_set(diag, "%zu evaluations a row; there may be %zu", w->evaluations, SHAPLEY_MOST);
        FAIL(LIMIT);
    }
    if (players > (o->method == SHAPLEY_KERNEL ? SHAPLEY_MOST_PLAYERS : SIZE_MAX) ||
        w->evaluations > SHAPLEY_MOST_CELLS / players) {
        diag_set(diag, "%zu features that vary and %zu evaluations a row: more than fit in memory",
                 players, w->evaluations);
        FAIL(LIMIT);
    }
    w->exact = coalitions(players) <= w->evaluations;
    if (!w->exact && w->evaluations < least) {
        diag_set(diag, "%zu evaluations a row are too few for %zu features that vary: %zu at least",
                 w->evaluations, players, least);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
share_out(const struct shapley_work *w, const double *base, struct diag *diag, double *ret_phi,
          double *ret_error, struct shapley_told *told)
{
    const size_t players = w->game->players, outputs = w->game->box->outputs;
    if (players == 0) {
        return OK;
    }
    if (players == 1) {
        memcpy(ret_phi, w->gain, outputs * sizeof *ret_phi);
        memset(ret_error, 0, outputs * sizeof *ret_error);
        return OK;
    }
    if (w->options->method == SHAPLEY_KERNEL || w->exact) {
        return shapley_kernel(w, diag, ret_phi, ret_error, told);
    }
    return shapley_permutation(w, base, diag, ret_phi, ret_error, told);
}

/* From players to features; what is no player has nothing. */
static double
spread(const struct game *g, const double *gain, const double *phi, const double *error,
       double *ret_phi, double *ret_error)
{
    const size_t features = g->box->features, outputs = g->box->outputs;
    double worst = 0;
    memset(ret_phi, 0, outputs * features * sizeof *ret_phi);
    memset(ret_error, 0, outputs * features * sizeof *ret_error);
    for (size_t o = 0; o < outputs; o++) {
        double left = gain[o];
        for (size_t p = 0; p < g->players; p++) {
            ret_phi[o * features + g->player[p]] = phi[o * g->players + p];
            ret_error[o * features + g->player[p]] = error[o * g->players + p];
            left -= phi[o * g->players + p];
        }
        worst = fmax(worst, g->players > 0 ? fabs(left) : 0);
    }
    return worst;
}

struct status
shapley_row(const struct black_box *box, const double *row, const double *background,
            size_t background_rows, const double *base, const struct shapley_options *o,
            struct diag *diag, double *ret_phi, double *ret_error, struct shapley_told *ret_told)
{
    ASSERT(background_rows > 0 && box->batch > 0 && box->outputs > 0 && box->features > 0);
    const size_t most = box->features * box->outputs;
    DEFER(memory_freep) size_t *player = calloc(box->features, sizeof *player);
    DEFER(memory_freep) double *gain = calloc(box->outputs, sizeof *gain);
    DEFER(memory_freep) double *phi = calloc(2 * most, sizeof *phi);
    CHECK(player != NULL && gain != NULL && phi != NULL, MEMORY);
    const size_t players = game_players(box, row, background, background_rows, player);
    const struct game g = {box, row, background, background_rows, player, players, o->threads};
    struct shapley_work w = {.game = &g, .gain = gain, .options = o};
    struct shapley_told told = {.players = players, .exact = true};
    TRY(black_box_predict(box, row, 1, diag, gain));
    for (size_t k = 0; k < box->outputs; k++) {
        gain[k] -= base[k];
    }
    if (players > 1) {
        TRY(plan(o, players, &w, diag));
        told.exact = w.exact;
    }
    TRY(share_out(&w, base, diag, phi, phi + most, &told));
    told.residual = spread(&g, gain, phi, phi + most, ret_phi, ret_error);
    *ret_told = told;
    return OK;
}
