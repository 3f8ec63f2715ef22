/* follow: new entries of a log, as they come. */
#ifndef STEWARD_GOVERN_FOLLOW_H
#define STEWARD_GOVERN_FOLLOW_H

#include "govern/audit.h"

#include <sys/stat.h>

struct follow {
    const char *dir; /* borrowed */
    uint64_t next;   /* the first entry that was not given yet */
    struct stat checkpoint, journal;
    bool looked;
};

/* Gives what came since, and moves next behind each that was taken; nothing is read where no file
 * has changed. */
struct status follow_take(struct follow *f,
                          struct status (*each)(void *ctx, uint64_t index, struct view entry),
                          void *ctx, struct diag *diag);

#endif
