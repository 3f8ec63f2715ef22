/* shapley_pairs_parts: what the sources of shapley_pairs share. Not for other folders. */
#ifndef STEWARD_ASSESS_SHAPLEY_PAIRS_PARTS_H
#define STEWARD_ASSESS_SHAPLEY_PAIRS_PARTS_H

#include "assess/shapley.h"

/* Coalitions of a round, which samples each pair once. */
size_t shapley_pairs_round(size_t players);
/* ret_pairs[outputs * features^2], zeroed; rounds: at least 2, of at least two players. *ret_error:
 * the largest standard error over the rounds. */
struct status shapley_pairs_draw(const struct game *g, size_t rounds,
                                 const struct shapley_options *o, struct diag *diag,
                                 double *ret_pairs, double *ret_error);

#endif
