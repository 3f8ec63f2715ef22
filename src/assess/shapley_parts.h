/* shapley_parts: what the sources of shapley share. */
#ifndef STEWARD_ASSESS_SHAPLEY_PARTS_H
#define STEWARD_ASSESS_SHAPLEY_PARTS_H

#include "assess/shapley.h"

struct shapley_work {
    const struct game *game;
    const double *gain; /* outputs: v(all) - v(none) */
    const struct shapley_options *options;
    size_t columns;
    const size_t *column; /* players: where what each has is summed */
    size_t evaluations;
    bool exact;
};

/* ret_phi, ret_error: [outputs * columns], zeroed. At least two players. */
struct status shapley_kernel(const struct shapley_work *w, struct diag *diag, double *ret_phi,
                             double *ret_error, struct shapley_told *told);
struct status shapley_permutation(const struct shapley_work *w, const double *base,
                                  struct diag *diag, double *ret_phi, double *ret_error,
                                  struct shapley_told *told);

#endif
