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
        for (size_t o = 0; o < outputs; o++) {
            ret_phi[o * w->columns + w->column[0]] = w->gain[o];
        }
        return OK;
    }
    if (w->options->method == SHAPLEY_KERNEL || w->exact) {
        return shapley_kernel(w, diag, ret_phi, ret_error, told);
    }
    return shapley_permutation(w, base, diag, ret_phi, ret_error, told);
}

/* What rounding leaves of the gain. */
static double
largest_residual(const struct shapley_work *w, const double *phi)
{
    double worst = 0;
    for (size_t o = 0; o < w->game->box->outputs && w->game->players > 0; o++) {
        double left = w->gain[o];
        for (size_t k = 0; k < w->columns; k++) {
            left -= phi[o * w->columns + k];
        }
        worst = fmax(worst, fabs(left));
    }
    return worst;
}

struct status
shapley_row(const struct black_box *box, const double *row, const double *background,
            size_t background_rows, const double *base, const struct shapley_options *o,
            struct diag *diag, double *ret_phi, double *ret_error, struct shapley_told *ret_told)
{
    ASSERT(background_rows > 0 && box->batch > 0 && box->outputs > 0 && box->features > 0);
    const size_t columns = o->column == NULL ? box->features : o->columns;
    DEFER(memory_freep) size_t *player = calloc(2 * box->features, sizeof *player);
    DEFER(memory_freep) double *gain = calloc(box->outputs, sizeof *gain);
    DEFER(memory_freep) double *phi = calloc(2 * columns * box->outputs, sizeof *phi);
    CHECK(player != NULL && gain != NULL && phi != NULL, MEMORY);
    size_t *column = player + box->features;
    const size_t players = game_players(box, row, background, background_rows, player);
    for (size_t p = 0; p < players; p++) {
        column[p] = o->column == NULL ? player[p] : o->column[player[p]];
    }
    const struct game g = {box, row, background, background_rows, player, players, o->threads};
    struct shapley_work w = {
        .game = &g, .gain = gain, .options = o, .column = column, .columns = columns};
    struct shapley_told told = {.players = players, .exact = true};
    TRY(black_box_predict(box, row, 1, diag, gain));
    for (size_t k = 0; k < box->outputs; k++) {
        gain[k] -= base[k];
    }
    if (players > 1) {
        TRY(plan(o, players, &w, diag));
        told.exact = w.exact;
    }
    double *error = phi + columns * box->outputs;
    TRY(share_out(&w, base, diag, phi, error, &told));
    told.residual = largest_residual(&w, phi);
    memcpy(ret_phi, phi, columns * box->outputs * sizeof *ret_phi);
    memset(ret_error, 0, columns * box->outputs * sizeof *ret_error); /* of what no player is in */
    for (size_t i = 0; i < box->outputs * players; i++) {
        const size_t cell = i / players * columns + column[i % players];
        ret_error[cell] = error[cell];
    }
    *ret_told = told;
    return OK;
}
