/* policy_records: what records (workspace/records.h) are to policies: which are kept, how many of
 * their questions are open, and whether the report of an incident is overdue. Part of
 * policy_gather. */
#ifndef STEWARD_WORKSPACE_POLICY_RECORDS_H
#define STEWARD_WORKSPACE_POLICY_RECORDS_H

#include "base/json.h"
#include "workspace/workspace.h"

/* Adds the fields "records.*" and "incidents.overdue" to those of the models and the workspace, and
 * "persons" and "erased" to those of the datasets, among `resources`, as policy_gather has put
 * them. */
struct status policy_records_put(struct workspace *w, json_t *resources, struct diag *diag);

#endif
