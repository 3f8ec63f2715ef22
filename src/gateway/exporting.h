/* exporting: the receivers of audit.export, of the server's start, of its configuration's changes
 * and of its end: each in the log, before anything is sent. */
#ifndef STEWARD_GATEWAY_EXPORTING_H
#define STEWARD_GATEWAY_EXPORTING_H

#include "cli/config.h"
#include "serve/exports.h"

/* Where there is a receiver, or network.egress has a line for one: forks the process, before there
 * is a key. dir, file (NULL: the workspace's own) are borrowed. ret_exports: NULL without. */
struct exporting {
    const char *dir, *file;
};
struct status exporting_start(const struct exporting *x, const struct config *config,
                              struct diag *diag, struct exports **ret_exports);
/* From the receivers of `before` (NULL: none) to those of `now` (NULL: none, and the process ends).
 * from: of the log's entries, those behind which alerts are new. Failed: the log could not be
 * written, and nothing has changed. e NULL: nothing. */
struct status exporting_change(struct workspace *w, struct exports *e, const struct config *before,
                               const struct config *now, uint64_t from, struct diag *diag);

#endif
