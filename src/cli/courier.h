/* courier: brings the checkpoint that a verb has published to the witnesses (audit.witnesses). The
 * process is forked before the verb takes a credential or gives up its sockets, and asks when the
 * verb has ended. */
#ifndef STEWARD_CLI_COURIER_H
#define STEWARD_CLI_COURIER_H

#include "cli/cli.h"

#include <sys/types.h>

struct courier {
    pid_t pid; /* 0: there is none */
    int fd;
};

/* Nothing where no witness is configured, or the verb writes no log. */
void courier_start(struct cli *c, struct courier *ret_courier);
/* The verb has ended, with its workspace closed. Waits for the witnesses' answers, each within its
 * deadline, and lets what they refuse be told on stderr; an exit code: 0, or 6 when one of them
 * says that the log is not what it was. */
int courier_end(struct courier *r);

#endif
