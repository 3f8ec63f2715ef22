/* shapley_pairs: Shapley interaction values of a black box, row by row. With
 * v(S) the value of a coalition (black_box.h) and M players, the interaction index (Grabisch and
 * Roubens 1999; Fujimoto, Kojadinovic and Marichal 2006) I_ij = sum over S without i and j of |S|!
 * (M - |S| - 2)! / (M - 1)! (v(S+i+j) - v(S+i) - v(S+j) + v(S)) is shared between both, as Lundberg
 * et al. (arXiv 1802.03888) do it: I_ij / 2 off the diagonal, and phi_i less the others of its line
 * on it. A line sums to phi_i, all to v(all) - v(none), to rounding. Where all 2^M coalitions fit
 * in the evaluations they are exact; else they are drawn, in rounds that sample each pair once,
 * with the standard error of the rounds. */
#ifndef STEWARD_ASSESS_SHAPLEY_PAIRS_H
#define STEWARD_ASSESS_SHAPLEY_PAIRS_H

#include "assess/shapley.h"

#define SHAPLEY_PAIRS_MOST_PLAYERS 22u /* whose coalitions fit in SHAPLEY_MOST */
#define SHAPLEY_PAIRS_DRAWN_PLAYERS 256u
#define SHAPLEY_PAIRS_ROUNDS 32u

/* ret_pairs[outputs * features^2]; *ret_error: the largest standard error of a value, 0 where none
 * is drawn. o's evaluations, 0: SHAPLEY_DRAWS and two a player where they are all coalitions, else
 * SHAPLEY_PAIRS_ROUNDS rounds of M (M - 1), M even; its method and columns are not read. told, all
 * of it but the residual: also where STATUS_LIMIT says that more than SHAPLEY_PAIRS_DRAWN_PLAYERS
 * features differ from the background, and STATUS_INPUT that the evaluations are under two rounds.
 */
struct status shapley_pairs(const struct black_box *box, const double *row,
                            const double *background, size_t background_rows,
                            const struct shapley_options *o, struct diag *diag, double *ret_pairs,
                            double *ret_error, struct shapley_told *ret_told);

#endif
