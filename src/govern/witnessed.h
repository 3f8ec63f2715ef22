/* witnessed: a log, or a receipt, held against who must have cosigned it (quorum.h). Reads only and
 * needs no secret, as govern/audit.h's readers. */
#ifndef STEWARD_GOVERN_WITNESSED_H
#define STEWARD_GOVERN_WITNESSED_H

#include "govern/quorum.h"

/* In a log's folder: the newest checkpoint that its writer had a quorum for, when there is one. */
#define WITNESSED_FILE "checkpoint.witnessed"

struct witnessed {
    struct quorum_verdict verdict; /* of the newest checkpoint that meets the quorum, if any */
    uint64_t entries;              /* under the log's checkpoint */
    uint64_t behind;               /* of those, not under that one */
};

/* The log's verifier key, as the policy has it for the checkpoint in dir. STATUS_NOT_FOUND when the
 * policy names no log; STATUS_INTEGRITY when it names others. */
struct status witnessed_vkey(const char *dir, const struct quorum *q, struct diag *diag,
                             struct buf *ret_vkey);
/* dir/checkpoint, or else dir/checkpoint.witnessed, which must be of the same tree. The tiles are
 * believed: audit_verify first. vkey NULL: as the policy has it. A quorum that is not met is no
 * failure: ret->verdict.met. */
struct status witnessed_log(const char *dir, const char *vkey, const struct quorum *q,
                            struct diag *diag, struct witnessed *ret);
/* audit_check_proof, and the proof's checkpoint meets the quorum: STATUS_INTEGRITY with the reason.
 * vkey NULL: as the policy has it. */
struct status witnessed_proof(const char *vkey, const struct quorum *q, struct view entry,
                              struct view proof, struct diag *diag,
                              struct quorum_verdict *ret_verdict);

#endif
