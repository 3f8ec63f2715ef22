/* policies_parts: what the sources of the workspace's policies share. */
#ifndef STEWARD_WORKSPACE_POLICIES_PARTS_H
#define STEWARD_WORKSPACE_POLICIES_PARTS_H

#include "workspace/policies.h"
#include "workspace/policy_gather.h"

/* What is assigned, read from the store. */
struct policies {
    struct arena *arena;
    struct policy_assignment *assignments;
    json_t **records; /* of each */
    size_t count, room;
    struct policy_exemption *exemptions;
    json_t *exempted; /* records of the exemptions, with their ids */
    size_t exemption_count, exemption_room;
    struct diag *diag;
};
struct status policies_read(struct workspace *w, struct diag *diag, struct policies **ret_policies);
void policies_free(struct policies *p);
DEFINE_FREEP(policies_free, struct policies)

/* Findings and what they point into. */
struct policies_found {
    json_t *document;
    struct policy_state *state;
    struct policy_finding *all;
    size_t count;
};
void policies_found_done(struct policies_found *f);
/* document: taken over, also on failure. */
struct status policies_evaluate(const struct policies *p, json_t *document, struct diag *diag,
                                struct policies_found *ret_found);
/* The time at which the assignment was made: tells it from another of its name. */
const char *policies_stamp(const struct policies *p, const struct policy_assignment *a);
/* Puts an assignment, within a transaction; the text is checked before. */
struct status policies_put(struct workspace *w, const struct policy_assignment *a, struct view text,
                           const json_t *parameters, const char *why, struct diag *diag);
/* Within a transaction: what changed since the last look is kept and becomes entries. */
struct status policies_track(struct workspace *w, const struct policies *p,
                             const struct policies_found *f,
                             void (*told)(void *ctx, bool drifted, const char *sentence), void *ctx,
                             struct diag *diag, size_t *ret_changed, size_t *ret_drifted, bool dry);

#endif
