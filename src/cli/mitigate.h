/* mitigate: what the two halves of the verb share: on a data file, and on a workspace's model. */
#ifndef STEWARD_CLI_MITIGATE_H
#define STEWARD_CLI_MITIGATE_H

#include "cli/cli.h"

/* --option WHAT, or a sentence. */
struct status mitigate_need(struct cli *c, const char *option, const char *what,
                            const char **ret_value);
struct status mitigate_model(struct cli *c); /* steward mitigate MODEL ... */

#endif
