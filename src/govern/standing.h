/* standing: the log as it stands at one moment, for those who read it with no key but the public
 * one: on a copy, read-only. */
#ifndef STEWARD_GOVERN_STANDING_H
#define STEWARD_GOVERN_STANDING_H

#include "govern/journal.h"
#include "govern/note.h"

struct standing {
    const char *dir;
    struct note_key key;
    struct buf note; /* the signed checkpoint, verbatim */
    struct checkpoint checkpoint;
    struct buf journal;
    struct view records; /* of the journal, those that are not in the tree: */
    uint64_t pending;
    struct journal_header header;
    struct journal_scan scan;
};

/* The verifier key; vkey NULL: dir/vkey. */
struct status standing_key(const char *dir, const char *vkey, struct diag *diag,
                           struct note_key *ret_key);
/* Checkpoint and journal, which fit: STATUS_INTEGRITY with "file: byte N: why" where they do not.
 * Standing_done in any case; ret_standing was zeroed before. */
struct status standing_take(const char *dir, const char *vkey, struct diag *diag,
                            struct standing *ret_standing);
/* The checkpoint alone, which is one file: the rest stays zero. */
struct status standing_signed(const char *dir, struct diag *diag, struct standing *ret_standing);
/* The same of checkpoint.witnessed; STATUS_NOT_FOUND when there is none. */
struct status standing_witnessed(const char *dir, struct diag *diag, struct standing *ret_standing);
void standing_done(struct standing *s);

#endif
