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
        {"loss",                                                                                   \
         "LOSS",                                                                                   \
         "bounded_group_loss of numbers: square, absolute, or zero_one, which is the absolute "    \
         "one within 0 and 1 (default: square; of decisions zero_one)",                            \
         NULL,                                                                                     \
         CLI_ONCE,                                                                                 \
         "square absolute zero_one"},                                                              \
        {"clip",                                                                                   \
         "LOW,HIGH",                                                                               \
         "bounded_group_loss of numbers: what labels and answers are clipped to for the loss "     \
         "(default: the least and greatest label)",                                                \
         NULL,                                                                                     \
         CLI_ONCE,                                                                                 \
         NULL},                                                                                    \
        {"loss-bound",                                                                             \
         "X",                                                                                      \
         "bounded_group_loss: no group's loss is over X: a share of wrong decisions, or of a "     \
         "model "                                                                                  \
         "of numbers a mean loss",                                                                 \
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
/* result: {"model", "before", "after", "comparison"}; remarks: sentences. */
void mitigate_print(const json_t *result, const json_t *remarks);

#endif
