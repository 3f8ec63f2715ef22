/* verified: what audit verify has seen of a log, kept by who verifies: the signed checkpoint and
 * where the counts stood (docs/spec/audit.md). Who writes the log must not be able to write it. */
#ifndef STEWARD_CLI_VERIFIED_H
#define STEWARD_CLI_VERIFIED_H

#include "cli/cli.h"
#include "govern/audit.h"
#include "govern/note.h"

#define VERIFIED_TIME_MAX 32u

struct verified {
    struct audit_seen seen;                                /* size 0: nothing was seen */
    struct buf note;                                       /* the checkpoint, signed */
    char time[VERIFIED_TIME_MAX], full[VERIFIED_TIME_MAX]; /* when; when every entry was read */
};

void verified_done(struct verified *v);
/* The folder of the user's own state, which is made. Malloc'd; NULL where there is none. */
char *verified_folder(void);
/* Where that is kept of the log with this verifier key: `given`, or a file of the user's own state
 * ($XDG_STATE_HOME, ~/.local/state). Malloc'd; NULL where there is no such place. */
struct status verified_path(const char *vkey, const char *given, char **ret_path);
/* Nothing when there is no file. STATUS_INPUT when others can write it, or it is of another log or
 * no such file; STATUS_INTEGRITY never: this is not the log. */
struct status verified_read(const char *path, const char *vkey, struct diag *diag,
                            struct verified *ret_verified);
/* Now; every entry was read now, or, when `before` is not NULL, when it was then. */
void verified_stamp(struct verified *v, const struct verified *before);
struct status verified_write(const char *path, const struct verified *v, struct diag *diag);

#endif
