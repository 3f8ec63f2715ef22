/* policy_gather: the state of a workspace as policies look at it (govern/policy.h): a document of
 * resources with the fields of the table. What is not known here is left out. */
#ifndef STEWARD_WORKSPACE_POLICY_GATHER_H
#define STEWARD_WORKSPACE_POLICY_GATHER_H

#include "base/json.h"
#include "workspace/workspace.h"

/* Collections of the store. */
#define POLICY_ASSIGNMENTS "policy"
#define POLICY_EXEMPTIONS "policy-exemption"
#define POLICY_STATES "policy-state"
#define POLICY_NOTES "policy-note" /* "backup": {made} */

/* As the store has it, within a transaction as it would be after it. also: a document of the same
 * form whose types and resources are put beside (the configuration's); may be NULL. */
struct status policy_gather(struct workspace *w, const json_t *also, struct diag *diag,
                            json_t **ret_document);
/* That a backup was made now: policies ask how old the newest is. */
struct status policy_note_backup(struct workspace *w, struct diag *diag);

#endif
