/* search: entries of the log that a query finds, without reading all of them. The index (index.h)
 * is a cache: a segment that is missing or does not fit is not believed, and its entries are read.
 * Of what is read, each bundle is held against the log's tiles. Needs no key but the public one. */
#ifndef STEWARD_GOVERN_SEARCH_H
#define STEWARD_GOVERN_SEARCH_H

#include "govern/audit.h"
#include "govern/query.h"

#include <stdatomic.h>

struct search_options {
    uint64_t from, to; /* entries, [from, to); to 0: all */
    uint64_t most;     /* so many are found, at most; 0: all */
    bool newest_first;
    bool scan; /* without the index */
    /* Becomes true: it ends with BUSY, at the next entry, list or segment. NULL: it never does. */
    const atomic_bool *stop;
};

struct search_stats {
    uint64_t entries;    /* of the log then, those of the journal too */
    uint64_t found;      /* given to each */
    uint64_t looked_at;  /* entries that were read and tried */
    uint64_t bytes;      /* of index, bundles and journal that were read */
    uint64_t unindexed;  /* entries that no segment covers */
    uint64_t refused;    /* segments that did not fit the log */
    uint64_t unreadable; /* looked at, and no JSON object: they are found by no query but "" */
};

/* Calls each for every entry that the query finds, in order (or from the newest on); one that fails
 * ends it. STATUS_INTEGRITY with the place when an entry is not what the tree has. */
struct status search_run(const char *dir, const struct query *q, const struct search_options *o,
                         struct status (*each)(void *ctx, uint64_t index, struct view entry),
                         void *ctx, struct diag *diag, struct search_stats *ret_stats);

struct search_index_report {
    uint64_t segments, made; /* that stand now; that were made for it */
    uint64_t covered;        /* entries */
    uint64_t differing;      /* with check: segments that were not what the log gives */
};
/* Makes the segments that are missing or do not fit. check: makes every one again and compares; one
 * that differs is replaced. STATUS_BUSY: another process is at it; IO: the folder takes no file. */
struct status search_index(const char *dir, bool check, struct diag *diag,
                           struct search_index_report *ret_report);

#endif
