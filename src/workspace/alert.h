/* alert: one that the program raises of itself, not for a policy: whether it is open, and how often
 * it was raised, is kept in the store, so that whoever looks after a restart knows. Its entries are
 * as docs/spec/alert.md has them. */
#ifndef STEWARD_WORKSPACE_ALERT_H
#define STEWARD_WORKSPACE_ALERT_H

#include "base/json.h"
#include "workspace/workspace.h"

struct alert {
    /* Constants. The resource is its name, and its subject. */
    const char *resource, *policy, *severity;
    bool open;
    bool unkept;    /* its entry is written, what is kept is not: alert_keep */
    uint64_t total; /* raised so far */
};

/* What is kept of a->resource; nothing, if it was never raised. */
struct status alert_read(struct workspace *w, struct alert *a, struct diag *diag);
/* It is raised (again, if it is open) or cleared: the entry, durably, then what is kept. A kill
 * between the two tells it once more. Where the entry cannot be written nothing changes; where only
 * what is kept cannot, it is told, and unkept. */
struct status alert_tell(struct workspace *w, struct alert *a, bool raised, const char *sentence,
                         struct diag *diag);
/* Keeps what is unkept; else nothing. */
struct status alert_keep(struct workspace *w, struct alert *a, struct diag *diag);
/* As policies_tally has those of policies: {"assignment", "policy", "severity", "open", "total"};
 * the caller's. NULL when memory is out. */
json_t *alert_json(const struct alert *a);

#endif
