/* outcome: what a model made of each row of a table, as columns that a cohort's condition may name
 * beside the table's own:
 *
 * - row: its number, the first is 1;
 * - prediction: what was predicted, a class or a number; by the score's threshold where only that
 * is known;
 * - score: the probability of the positive class;
 * - error: 1 where the prediction is wrong, else 0; of numbers prediction - label;
 * - outcome: true positive, false positive, true negative or false negative; of classes none of
 *   which is the positive one, correct or incorrect.
 *
 * A column of the table that is so called is meant before: then these are row_, prediction_ and so
 * on. Each is made when first asked for, and null where what tells it is. */
#ifndef STEWARD_DATA_OUTCOME_H
#define STEWARD_DATA_OUTCOME_H

#include "data/table.h"

#define OUTCOME_COLUMNS 5u
#define OUTCOME_NAME_BYTES 16u
#define OUTCOME_OWNED 16u

/* Zeroed before; everything is borrowed but what outcome_done releases. */
struct outcome {
    const struct table *table;
    const struct column *label, *prediction, *score; /* of as many rows; NULL: not known */
    const char *positive; /* its text; NULL: of two classes the one that says yes, if any does */
    double threshold;     /* without a prediction: positive from this score on */
    bool numeric;         /* label and prediction are numbers, not classes */
    /* Tells what is above when it is first asked for, or NULL: it is told. */
    struct status (*tell)(void *ctx, struct diag *diag, struct outcome *o);
    void *ctx;
    /* outcome's own */
    bool told;
    struct column made[OUTCOME_COLUMNS];
    char name[OUTCOME_COLUMNS][OUTCOME_NAME_BYTES];
    const char *classes[2]; /* predicted by the threshold: in order */
    void *owned[OUTCOME_OWNED];
    unsigned owned_count;
};

void outcome_done(struct outcome *o);
/* *ret_column: valid until outcome_done; NULL: none of these is so called. INPUT with a sentence
 * when what tells it is not known. */
struct status outcome_column(struct outcome *o, const char *name, struct diag *diag,
                             const struct column **ret_column);

#endif
