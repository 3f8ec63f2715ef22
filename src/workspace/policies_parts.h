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
struct policies_tracked {
    size_t changed, drifted;
    json_t *alerts; /* as policies_tally has it; the caller's. NULL: nobody asks */
};
/* Within a transaction: what changed since the last look is kept and becomes entries. */
struct status policies_track(struct workspace *w, const struct policies *p,
                             const struct policies_found *f,
                             void (*told)(void *ctx, bool drifted, const char *sentence), void *ctx,
                             struct diag *diag, bool dry, struct policies_tracked *tracked);
/* What the last look kept of that assignment; an empty object where there was none since it was
 * made. */
struct status policies_kept(struct workspace *w, const struct policies *p,
                            const struct policy_assignment *a, struct diag *diag,
                            json_t **ret_record);
/* Adds "since" to a finding's object, where it is known since when the resource is in the state
 * that it is in, and "alert" where one is open. */
struct status policies_put_since(const json_t *kept, const struct policy_finding *f,
                                 json_t *finding);
/* Within a transaction: the assignment goes; its alerts are cleared, and what was kept of its looks
 * is forgotten. */
struct status policies_untrack(struct workspace *w, const struct policies *p,
                               const struct policy_assignment *a, struct diag *diag);

#endif
