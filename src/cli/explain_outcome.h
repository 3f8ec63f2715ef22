/* explain_outcome: what the explained model answers for the rows that it is explained on, for
 * conditions of cohorts that name it (data/outcome.h). */
#ifndef STEWARD_CLI_EXPLAIN_OUTCOME_H
#define STEWARD_CLI_EXPLAIN_OUTCOME_H

#include "cli/cli.h"
#include "cli/plain_files.h"
#include "data/outcome.h"

/* Zeroed before; the first members are the caller's, borrowed. */
struct explain_outcome {
    struct cli *c;
    const char *path; /* of the model: of the workspace, its thresholds decide */
    const struct model_file *model;
    const struct plain_rows *rows;
    const char *const *classes; /* of each output */
    unsigned threads;
    struct outcome outcome; /* as explain_outcome_begin leaves it */
    struct column prediction, score;
};

/* Nothing is predicted before a condition names it. */
void explain_outcome_begin(struct explain_outcome *e, const struct table *t);
void explain_outcome_done(struct explain_outcome *e);
/* Of a model of the workspace that draws decisions, a remark for each of these rows (from 1): what
 * it decides of it, and with which chance. */
struct status explain_outcome_draws(struct cli *c, const char *path, const struct table *t,
                                    const struct plain_rows *rows, const uint64_t *row,
                                    size_t count, json_t *remarks);

#endif
