/* erasure_replay: who was erased, as a later log of this workspace says, is erased again in a copy
 * of the workspace from before: what a restored backup needs. The log names persons by a keyed hash
 * that only this workspace's keys make. docs/spec/subjects.md. */
#ifndef STEWARD_WORKSPACE_ERASURE_REPLAY_H
#define STEWARD_WORKSPACE_ERASURE_REPLAY_H

#include "workspace/workspace.h"

struct erasures {
    uint64_t entries; /* of the log that was read */
    uint64_t named;   /* persons, one a dataset, whose erasure it tells of */
    uint64_t erased;  /* of whom had a key here until now */
};

/* log: a folder as audit/ (of a workspace that went on, or a copy); it must verify under this
 * workspace's own key and have at least `least` entries. What is not here any more, or not yet, is
 * passed over. Each erasure is told in this workspace's log as those of erasure_run are, and that
 * it was done, with the log's size and root. STATUS_INTEGRITY: it does not verify; STATUS_INPUT: it
 * ends too early. */
struct status erasure_replay(struct workspace *w, const char *log, uint64_t least,
                             struct diag *diag, struct erasures *ret_done);

#endif
