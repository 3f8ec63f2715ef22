/* shapley_pairs: Shapley interaction values of a black box, row by row, by all coalitions. With
 * v(S) the value of a coalition (black_box.h) and M players, the interaction index (Grabisch and
 * Roubens 1999; Fujimoto, Kojadinovic and Marichal 2006) I_ij = sum over S without i and j of |S|!
 * (M - |S| - 2)! / (M - 1)! (v(S+i+j) - v(S+i) - v(S+j) + v(S)) is shared between both, as Lundberg
 * et al. (arXiv 1802.03888) do it: I_ij / 2 off the diagonal, and phi_i less the others of its line
 * on it. A line sums to phi_i, all to v(all) - v(none), to rounding. Nothing is drawn: 2^M
 * coalitions are valued. */
#ifndef STEWARD_ASSESS_SHAPLEY_PAIRS_H
#define STEWARD_ASSESS_SHAPLEY_PAIRS_H

#include "assess/black_box.h"

#define SHAPLEY_PAIRS_MOST_PLAYERS 22u /* whose coalitions fit in SHAPLEY_MOST */

/* ret_pairs[outputs * features^2]; *ret_players: features that differ from the background, also
 * when they are too many for the evaluations (0: as in shapley.h), which is STATUS_LIMIT. */
struct status shapley_pairs(const struct black_box *box, const double *row,
                            const double *background, size_t background_rows, size_t evaluations,
                            unsigned threads, struct diag *diag, double *ret_pairs,
                            size_t *ret_players);

#endif
