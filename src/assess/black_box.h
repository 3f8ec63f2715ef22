/* black_box: a model of which only the answers are known, and the game that its answers make of one
 * row: players are features, a coalition's value is the mean answer when its features come from the
 * row and the others from each background row in turn (Lundberg and Lee 2017, arXiv 1705.07874,
 * with the interventional value function). */
#ifndef STEWARD_ASSESS_BLACK_BOX_H
#define STEWARD_ASSESS_BLACK_BOX_H

#include "base/status.h"

#define BLACK_BOX_BLOCK 512u /* rows of a block that is one thread's; fixed, so that sums are */

struct black_box {
    /* ret_score[rows * outputs] of x[rows * features], row-major; NaN is a missing value, a
     * category its index. Called from several threads at once when `threads` of what is asked is
     * not 1. At most `batch` rows a call. */
    struct status (*predict)(void *ctx, const double *x, size_t rows, struct diag *diag,
                             double *ret_score);
    void *ctx;
    size_t features, outputs, batch;
};

/* Any number of rows, in batches. An answer that is no finite number is STATUS_INPUT with a
 * sentence. */
struct status black_box_predict(const struct black_box *b, const double *x, size_t rows,
                                struct diag *diag, double *ret_score);
/* Rows that are asked about: one part, such as a machine's. */
struct black_box_rows {
    const double *x; /* rows * features */
    size_t rows;
};

/* The same, batches shared among threads: ret_score[rows * outputs]. */
struct status black_box_predict_all(const struct black_box *b, const double *x, size_t rows,
                                    unsigned threads, struct diag *diag, double *ret_score);

/* Work on fixed blocks that can fail: the failure of the first block in order is the result, with
 * its sentence, and blocks after it are not begun. work gets the block's own diag. */
struct status black_box_blocks(size_t blocks, unsigned threads,
                               struct status (*work)(void *ctx, size_t block, struct diag *diag),
                               void *ctx, struct diag *diag);

struct game {
    const struct black_box *box;
    const double *row;        /* features: the one explained */
    const double *background; /* background_rows * features, at least one row */
    size_t background_rows;
    const size_t *player; /* players: the feature of each */
    size_t players;
    unsigned threads;
};

/* Features in which the row differs from at least one background row: the others are dummies, and
 * their share is exactly nothing. ret_player[features]; returns how many. */
size_t game_players(const struct black_box *box, const double *row, const double *background,
                    size_t background_rows, size_t *ret_player);
/* ret_value[n * outputs] of the coalitions member[n * players] (1: from the row). */
struct status game_values(const struct game *g, const uint8_t *member, size_t n, struct diag *diag,
                          double *ret_value);

#endif
