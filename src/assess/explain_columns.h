/* explain_columns: attributions grouped back to the raw columns that features were encoded from
 * (one-hot and the like). A column's attribution is the sum of its features', so that efficiency
 * stays; what two columns have together is the sum over the pairs of their features, what a column
 * has alone the sum over its own. The value of a column as one player of the game may differ: it
 * shares what features of two columns do together otherwise. */
#ifndef STEWARD_ASSESS_EXPLAIN_COLUMNS_H
#define STEWARD_ASSESS_EXPLAIN_COLUMNS_H

#include "base/status.h"

#define EXPLAIN_ALONE UINT32_MAX /* a feature that is a column by itself */

/* Columns stand where their first features stood. */
struct explain_columns {
    uint32_t features, columns;
    uint32_t *column;  /* features: the column that each is of */
    uint32_t *place;   /* features: its place among the features of its column */
    uint32_t *first;   /* columns: the first of its features */
    uint32_t *members; /* columns: how many features it has */
    uint8_t *one_hot;  /* columns: no row that was looked at says otherwise */
    size_t *lit;       /* columns: the last row that was looked at with a 1, from 1 */
};

/* group[features]: equal numbers make a column, EXPLAIN_ALONE none. MEMORY. */
struct status explain_columns_new(const uint32_t *group, uint32_t features,
                                  struct explain_columns **ret_columns);
void explain_columns_free(struct explain_columns *c);
DEFINE_FREEP(explain_columns_free, struct explain_columns)
/* phi[n * features] -> ret_phi[n * columns]: a line for each row and output. */
void explain_columns_sum(const struct explain_columns *c, const double *phi, size_t n,
                         double *ret_phi);
/* pairs[n * features^2] -> ret_pairs[n * columns^2], as of explainer_pairs. */
void explain_columns_sum_pairs(const struct explain_columns *c, const double *pairs, size_t n,
                               double *ret_pairs);
/* A column of several features is one-hot when each of them is 0, 1 or missing, and no more than
 * one of them 1, in all rows that were looked at: x[rows * features]. */
void explain_columns_look(struct explain_columns *c, const float *x, size_t rows);
/* Values of the columns: ret_x[rows * columns]. A feature alone: its own. One-hot: the place of the
 * feature that is 1; the number of features where all are 0; NaN where none is 1 and one is
 * missing. Others have no single value: NaN. */
void explain_columns_values(const struct explain_columns *c, const float *x, size_t rows,
                            float *ret_x);

#endif
