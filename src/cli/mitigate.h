/* mitigate: what the two halves of the verb share: on a data file, and on a workspace's model. */
#ifndef STEWARD_CLI_MITIGATE_H
#define STEWARD_CLI_MITIGATE_H

#include "assess/mitigate.h"
#include "cli/cli.h"

/* --option WHAT, or a sentence. */
struct status mitigate_need(struct cli *c, const char *option, const char *what,
                            const char **ret_value);
/* --constraint, --goal, --tolerance and --flip. */
struct status mitigate_threshold_options(struct cli *c, struct threshold_options *ret_options);
struct status mitigate_model(struct cli *c); /* steward mitigate MODEL ... */

#endif
