/* decisions: what a model decides for the rows of a table, by their probabilities. */
#ifndef STEWARD_WORKSPACE_DECISIONS_H
#define STEWARD_WORKSPACE_DECISIONS_H

#include "workspace/models.h"

/* x[t->rows * features]: as model_matrix makes it. ret_decision[t->rows]: 1 where positive: by the
 * threshold of the model, or by what the row's group has. *ret_thresholds: NULL for one threshold;
 * else what an assessment says of those by group ("thresholds" in docs/spec/assessment.md), with
 * the rows that have no group or one without a threshold, which fall to the default. INPUT with a
 * sentence when t lacks the group's column, or has it in another type. */
struct status decisions_make(const struct model *m, const struct table *t, const float *x,
                             const double *probability, struct diag *diag, uint8_t *ret_decision,
                             json_t **ret_thresholds);
/* The same of one row, which the model reads as x[features] and answers with p. */
struct status decisions_of_row(const struct model *m, const struct table *t, uint64_t row,
                               const float *x, double p, struct diag *diag,
                               struct decision *ret_decision);

#endif
