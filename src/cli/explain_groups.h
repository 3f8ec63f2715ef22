/* explain_groups: raw columns that a model's features were encoded from: --group, --group-prefix.
 */
#ifndef STEWARD_CLI_EXPLAIN_GROUPS_H
#define STEWARD_CLI_EXPLAIN_GROUPS_H

#include "assess/explain_columns.h"
#include "cli/cli.h"

struct explain_groups {
    struct explain_columns *columns; /* NULL: nothing is grouped */
    const char **name;               /* columns */
    const char **feature;            /* features */
    const char **level;              /* features, by column: what a one-hot value is called, then
                                        "none of these" */
    uint32_t *level_start;           /* columns: into level */
    char *memory[2], *made[CLI_MAX_REPEATS];
};

/* feature[features]: the names as shown, borrowed. INPUT with a sentence: no such feature, one in
 * two groups, a group named as another column. */
struct status explain_groups_take(struct cli *c, const char *const *feature, uint32_t features,
                                  struct explain_groups *ret_groups);
void explain_groups_done(struct explain_groups *g); /* zeroed is fine */
/* Levels of a one-hot column: members + 1. */
const char *const *explain_groups_levels(const struct explain_groups *g, uint32_t column);

#endif
