/* policies: the workspace's configuration policies: which are assigned, who is exempt, what they
 * find, and what follows: a change that a policy denies is not made, one that it modifies is made
 * as it says, what it deploys is made beside it. docs/spec/policy.md.
 *
 * Every change of the store passes workspace_begin and workspace_commit (workspace/workspace.h),
 * which call policies_before and policies_after: nobody else does. What no transaction of the store
 * holds (the workspace's key, the configuration) is foreseen with policies_foresee. */
#ifndef STEWARD_WORKSPACE_POLICIES_H
#define STEWARD_WORKSPACE_POLICIES_H

#include "govern/policy.h"
#include "workspace/workspace.h"

#define POLICIES_MAX 1024u /* assignments */
#define POLICIES_WHY_MAX 200u

/* ---- built-in definitions ---- */

/* policies/ID.yaml as it was when this program was built. NULL: there is none of that id. */
const char *policy_built_in(const char *id);

/* ---- assignments and exemptions ---- */

struct policies_assign_options {
    struct view text;         /* of the policy; kept with the assignment */
    const char *file;         /* for sentences */
    const char *name;         /* of the assignment; NULL: the policy's id */
    const char *scope;        /* NULL: workspace */
    const json_t *parameters; /* NULL: the defaults */
    const char *why;          /* NULL: none */
};
/* One that is there under that name is replaced. Entry policy.assign. INPUT with a sentence. */
struct status policies_assign(struct workspace *w, const struct policies_assign_options *o,
                              struct diag *diag);
/* Its exemptions go with it. Entry policy.unassign. */
struct status policies_unassign(struct workspace *w, const char *name, const char *why,
                                struct diag *diag);
/* resource: "TYPE/NAME", a scope, or "workspace". Entry policy.exempt. until_ns in the past ends
 * one. */
struct status policies_exempt(struct workspace *w, const char *name, const char *resource,
                              int64_t until_ns, const char *why, struct diag *diag);
/* [{"assignment", "policy", "version", "digest", "scope", "effect", "parameters", "by", "why",
 * "assigned", "built_in": "current" | "older" | "own", "exemptions": [...]}] */
struct status policies_list(struct workspace *w, struct diag *diag, json_t **ret_list);

/* ---- what is found ---- */

struct policies_tally {
    size_t of[POLICY_OUTCOMES];
    size_t drifted; /* from compliant, or not there, to non-compliant since the last look */
    /* [{"assignment", "policy", "severity", "open", "total"}]: alerts that are open, and that were
     * raised since the assignment was made. NULL: nothing is assigned. */
    json_t *alerts;
};
void policies_tally_done(struct policies_tally *t);
/* Evaluates everything assigned over the state (workspace/policy_gather.h; `also` beside it, or
 * NULL). ret_report: {"time", "assignments", "findings": [...], "counts": {...}}; a finding has
 * "since" and "alert", too, as far as they are known (docs/spec/policy.md). */
struct status policies_check(struct workspace *w, const json_t *also, struct diag *diag,
                             json_t **ret_report);
/* The same without a report, and what changed since the last look becomes entries policy.state and
 * is kept. Calls told(ctx, drifted, sentence) for each. With nothing assigned nothing is done. */
struct status policies_look(struct workspace *w, const json_t *also,
                            void (*told)(void *ctx, bool drifted, const char *sentence), void *ctx,
                            struct diag *diag, struct policies_tally *ret_tally);

/* ---- what follows ---- */

/* Within the transaction that begins, before anything is changed: remembers on w what does not
 * comply, if anything is assigned. */
struct status policies_before(struct workspace *w, struct diag *diag);
/* Within it, when everything is changed. STATUS_DENIED: a resource does not comply after it with an
 * assignment that denies, and did before or was not there; the caller rolls back. */
struct status policies_after(struct workspace *w, struct diag *diag);
/* Puts away what policies_before remembered. */
void policies_forget(struct workspace *w);
/* Of a change that is not the store's: of the resource of that type and name, or of all its
 * versions
 * ("NAME@V"), the fields (a borrowed object) become these. STATUS_DENIED as above; the refused act
 * is in the log. */
struct status policies_foresee(struct workspace *w, const char *type, const char *name,
                               const json_t *fields, const struct workspace_act *act,
                               struct diag *diag);

/* A setting of the configuration that a policy makes. */
struct policies_setting {
    char key[64], value[128];
    char sentence[512]; /* which policy, and why */
};
#define POLICIES_SETTINGS_MAX 32u
/* What assignments that modify, or deploy settings, want of the configuration whose state `also`
 * is: the caller sets it, and asks again with the state as it is then. */
struct status policies_settings(struct workspace *w, const json_t *also, struct diag *diag,
                                struct policies_setting *ret_settings, size_t *ret_count);
/* STATUS_DENIED, named, where a resource of `also` does not comply with an assignment that denies.
 */
struct status policies_allow(struct workspace *w, const json_t *also, struct diag *diag);

#endif
