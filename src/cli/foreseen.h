/* foreseen: which tokens and transit services a verb may come to ask, found out before it reads
 * anything: its workspace's, those that its command line names, that of a backup. */
#ifndef STEWARD_CLI_FORESEEN_H
#define STEWARD_CLI_FORESEEN_H

#include "cli/cli.h"

/* Begins the process that starts those that ask them (vault/starter.h), and none where there is
 * nobody to be asked. works: what the verb works on by its words (cli/reach.h). Before it is
 * confined. */
struct status foresee_holders(struct cli *c, enum cli_works works);

#endif
