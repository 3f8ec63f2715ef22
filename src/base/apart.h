/* apart: a process of this program that is forked to do one thing by itself, is asked over a local
 * socket, and ends when the other end of that is closed. */
#ifndef STEWARD_BASE_APART_H
#define STEWARD_BASE_APART_H

#include "base/status.h"

#include <sys/types.h>

#define APART_FD 3 /* of its socket, after apart_leave */

/* Forks it: it runs `live` on its end of a socket of that type, and ends when that returns. `what`
 * it is, for the message of a failure. *ret_fd: this end, the caller's. */
struct status apart_fork(int type, const char *what, void (*live)(int fd, void *ctx), void *ctx,
                         struct diag *diag, pid_t *ret_pid, int *ret_fd);

/* ---- in it ---- */

/* Who made it decides when it ends, and not the terminal. */
void apart_ignore_signals(void);
/* The same; its name, and nothing on standard input and output. False: no such thing as that. */
bool apart_settle(const char *name);
/* The same; nothing but the standard error and the socket comes along, which is APART_FD. */
bool apart_leave(const char *name, int fd);

#endif
