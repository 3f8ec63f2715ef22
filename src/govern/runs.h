/* runs: which entry of the log a ticket became. Tickets of one process follow each other, and so do
 * their entries, until another process writes between them or a batch fails: a run is one row, and
 * the newest is found without a lock. */
#ifndef STEWARD_GOVERN_RUNS_H
#define STEWARD_GOVERN_RUNS_H

#include "base/status.h"

#include <stdatomic.h>

#define RUNS_MAX 256u

struct runs {
    struct run {
        uint64_t from, upto; /* tickets */
        uint64_t first;      /* index of the first one's entry */
    } rows[RUNS_MAX];        /* oldest first; older ones are forgotten */
    size_t count;
    _Atomic uint64_t newest, shift; /* its first ticket (0: none); ticket + shift is the index */
};

/* Tickets from..upto became the entries from `first` on. Callers take turns; tickets only rise. */
void runs_add(struct runs *r, uint64_t from, uint64_t upto, uint64_t first);
/* Of a ticket that was added. False: it is not in the newest run. Any thread, at any time. */
bool runs_find_newest(const struct runs *r, uint64_t ticket, uint64_t *ret_index);
/* False: it was forgotten, or never added. Not while runs_add. */
bool runs_find(const struct runs *r, uint64_t ticket, uint64_t *ret_index);

#endif
