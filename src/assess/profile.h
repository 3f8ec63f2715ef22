/* profile: how a black box's answer follows one feature. Partial dependence (Friedman 2001,
 * "Greedy function approximation", 8.2): the mean answer over all rows with the feature set to each
 * grid point; individual conditional expectation (Goldstein et al. 2015, arXiv 1309.6392): the same
 * for single rows. Setting a feature without its companions asks the model about rows that may not
 * exist; accumulated local effects (ale.h) do not. */
#ifndef STEWARD_ASSESS_PROFILE_H
#define STEWARD_ASSESS_PROFILE_H

#include "assess/black_box.h"
#include "num/counted.h"

/* Points at which to ask, ascending: all distinct values when they are at most `most`, otherwise
 * the quantiles (type 1: values that occur) at even shares from the least to the greatest. Missing
 * values are left out. values: settled. ret_grid[most]; *ret_all: whether every distinct value is a
 * point. most >= 2. */
void profile_grid(const struct counted *values, size_t most, double *ret_grid, size_t *ret_points,
                  bool *ret_all);

struct profile_input {
    const struct black_box_rows *part; /* parts: nothing passes between them but what merges */
    size_t parts;
    size_t feature;
    const double *grid; /* points */
    size_t points;
    const size_t *curve; /* curves: rows, counted over the parts, whose own answers are kept */
    size_t curves;
    unsigned threads;
};

/* ret_mean, ret_error: [outputs * points], mean over the rows and its standard error (rows taken as
 * a sample; NaN for one row). ret_curve: [outputs * curves * points]. */
struct status profile_feature(const struct black_box *box, const struct profile_input *in,
                              struct diag *diag, double *ret_mean, double *ret_error,
                              double *ret_curve);

#endif
