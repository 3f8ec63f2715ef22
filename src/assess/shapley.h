/* shapley: attributions of a black box, row by row. Every feature gets its value: there is no
 * selection of the ten largest. Efficiency holds to rounding: base + sum of phi = the model's
 * answer.
 *
 * kernel: the weighted least squares of Lundberg and Lee (2017, arXiv 1705.07874) with the
 * efficiency constraint solved exactly, coalitions in pairs with their complement (Covert and Lee
 * 2021, arXiv 2012.01536). For a pair, y = v(S) - v(rest) and s = +1 for members, -1 for the
 * others; minimised is sum w (y - s'phi)^2 under 1'phi = v(all) - v(none). Coalition sizes are
 * valued whole, outermost first, while their share of the draws would be as many; the rest is drawn
 * by the kernel's weight. The error of each value is the linearised standard error of that draw
 * with each pair's residual divided by one minus its leverage (MacKinnon and White 1985, HC3).
 *
 * permutation: contributions along orders of the features, each with its reverse (Mitchell, Cooper,
 * Frank and Holmes 2022, arXiv 2104.12199); the error is the standard error over pairs of orders.
 *
 * Both are exact, with error 0, when all coalitions fit in the evaluations. The error is that of
 * drawing coalitions: the background is taken as given. */
#ifndef STEWARD_ASSESS_SHAPLEY_H
#define STEWARD_ASSESS_SHAPLEY_H

#include "assess/black_box.h"

#define SHAPLEY_DRAWS 2048u            /* default evaluations: this and two for each feature */
#define SHAPLEY_MOST ((size_t)1 << 22) /* evaluations of a row */
#define SHAPLEY_MOST_CELLS ((size_t)1 << 30) /* evaluations * features that vary: a byte each */
#define SHAPLEY_MOST_PLAYERS 4096u           /* of the kernel, whose system is their square */

enum shapley_method { SHAPLEY_KERNEL, SHAPLEY_PERMUTATION };

struct shapley_options {
    enum shapley_method method;
    /* Coalitions that are valued for a row, at most; 0: 2 * players + SHAPLEY_DRAWS. Each costs a
     * prediction a background row. The kernel needs 4 * players, permutation 4 * (players - 1). */
    size_t evaluations;
    uint64_t seed;
    uint64_t row; /* keys the draws, so that rows are independent and any order gives the same */
    unsigned threads;
    /* Values are summed by column, and so are the draws that errors are told from. NULL: each
     * feature is one. */
    const uint32_t *column; /* features: below columns */
    size_t columns;
};

struct shapley_told {
    size_t players;     /* features that differ from the background; the others have phi = 0 */
    size_t evaluations; /* coalitions valued, beside none and all */
    size_t pairs;       /* drawn at random; 0 when exact */
    bool exact;
    double residual; /* largest |base + sum of phi - answer| over outputs: rounding */
};

/* ret_base[outputs]: the mean answer over the background. */
struct status shapley_base(const struct black_box *box, const double *background,
                           size_t background_rows, unsigned threads, struct diag *diag,
                           double *ret_base);
/* ret_phi and ret_error: [outputs * features], or [outputs * columns]. base: of shapley_base. */
struct status shapley_row(const struct black_box *box, const double *row, const double *background,
                          size_t background_rows, const double *base,
                          const struct shapley_options *o, struct diag *diag, double *ret_phi,
                          double *ret_error, struct shapley_told *ret_told);

#endif
