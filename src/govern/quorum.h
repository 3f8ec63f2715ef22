/* quorum: who must have cosigned a checkpoint: a policy in the form of C2SP tlog-policy, and a
 * checkpoint held against it. Rules and limits: docs/spec/witness.md. Pure: bytes in, no files. */
#ifndef STEWARD_GOVERN_QUORUM_H
#define STEWARD_GOVERN_QUORUM_H

#include "govern/note.h"

#define QUORUM_MAX (256u << 10) /* bytes of a policy */
#define QUORUM_LOGS 64u
#define QUORUM_NAMES 256u /* witnesses and groups */
#define QUORUM_WITNESSES 64u

struct quorum;

/* STATUS_INPUT with "FILE line N: what". Untrusted; fuzzed. */
struct status quorum_parse(struct view text, const char *file, struct diag *diag,
                           struct quorum **ret_quorum);
void quorum_free(struct quorum *q);
DEFINE_FREEP(quorum_free, struct quorum)

/* The log of that origin among those that the policy names; NULL: it is not. */
const struct note_key *quorum_log(const struct quorum *q, const char *origin);
size_t quorum_logs(const struct quorum *q);

struct quorum_verdict {
    struct checkpoint checkpoint;
    bool met;
    /* The quorum was met by cosignatures of this time and later; 0: none is asked for. */
    uint64_t time_s;
    size_t witnesses, cosigned; /* named in the policy; of those, with a cosignature here */
    char missing[256];          /* names of those without, cut with "..." */
};

/* A signed checkpoint: of one of the policy's logs, or, when it names none, of `log` (else NULL).
 * STATUS_INTEGRITY: not signed, or with a signature that does not verify. A quorum that is not met
 * is no failure. */
struct status quorum_check(const struct quorum *q, const struct note_key *log, struct view note,
                           struct diag *diag, struct quorum_verdict *ret_verdict);

#endif
