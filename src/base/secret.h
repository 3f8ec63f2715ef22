/* secret: bytes that are locked in memory, left out of core dumps, wiped on release, and have no
 * printer. */
#ifndef STEWARD_BASE_SECRET_H
#define STEWARD_BASE_SECRET_H

#include "base/bytes.h"

struct secret {
    uint8_t *ptr;
    size_t len;
};

/* Zeroed secret of len bytes (own pages; mlock is tried, a refusal is not an error). */
struct status secret_new(size_t len, struct secret *ret_secret);
/* Copies; the caller wipes its own. */
struct status secret_from(struct view bytes, struct secret *ret_secret);
/* In a process that was forked, whose memory is not locked any more: as secret_new tried. */
void secret_relock(const struct secret *s);
void secret_done(struct secret *s);
struct view secret_view(const struct secret *s);
void secret_wipe(void *ptr, size_t len); /* not optimised away */
/* For the whole process, before it holds the first key: no core dump, no debugger and no
 * /proc/PID/mem or environ for others of the same user (prctl(2): PR_SET_DUMPABLE). Not inherited
 * by a program that it starts. Root still reads everything. */
void secret_shield_process(void);

#endif
