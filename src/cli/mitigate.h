/* mitigate: what the two halves of the verb share: on a data file, and on a workspace's model. */
#ifndef STEWARD_CLI_MITIGATE_H
#define STEWARD_CLI_MITIGATE_H

#include "assess/mitigate.h"
#include "cli/cli.h"
#include "workspace/models.h"

/* Rows of the verb's table, read by mitigate_model. */
#define MITIGATE_GRADIENT_OPTIONS                                                                  \
    {"eps",  "X",      "exponentiated gradient: a group's rate may differ by X from that of all",  \
     "0.01", CLI_ONCE, NULL},                                                                      \
        {"ratio-bound",                                                                            \
         "R",                                                                                      \
         "exponentiated gradient: instead, a group's rate is at least R times that of all, and "   \
         "the other way round",                                                                    \
         NULL,                                                                                     \
         CLI_ONCE,                                                                                 \
         NULL},                                                                                    \
        {"ratio-bound-slack", "X", "by which the ratio bound may be missed", "0", CLI_ONCE, NULL}, \
        {"loss-bound",                                                                             \
         "X",                                                                                      \
         "bounded_group_loss: no group's share of wrong decisions is over X",                      \
         NULL,                                                                                     \
         CLI_ONCE,                                                                                 \
         NULL},                                                                                    \
    {                                                                                              \
        "iterations", "N", "exponentiated gradient: at most N trainings", "50", CLI_ONCE, NULL     \
    }

/* --constraint, --goal, --tolerance and --flip. */
struct status mitigate_threshold_options(struct cli *c, struct threshold_options *ret_options);
/* --alpha, a share. */
struct status mitigate_alpha(struct cli *c, double *ret_alpha);
struct status mitigate_model(struct cli *c); /* steward mitigate MODEL ... */
/* What a model of numbers or of several classes gets right for whom, on its test part (all rows
 * where the split left none): as `steward fairness` says it, groups by the columns. */
struct status mitigate_fairness(struct cli *c, struct workspace *w, const struct model *m,
                                const char *const *sensitive, size_t count, unsigned threads,
                                json_t **ret_document);
/* Two such documents side by side. */
void mitigate_fairness_print(const struct model *old, const struct model *new, const json_t *before,
                             const json_t *after);

#endif
