/* compliance: a catalogue held against the workspace's state, with the log's receipt for what was
 * found. */
#ifndef STEWARD_WORKSPACE_COMPLIANCE_H
#define STEWARD_WORKSPACE_COMPLIANCE_H

#include "govern/catalogue.h"
#include "workspace/workspace.h"

/* Evaluates the policies that the catalogue's controls name: as they are assigned, or with their
 * defaults over the whole workspace where they are not. also: the configuration's state, beside the
 * workspace's (policies.h); may be NULL. The findings' digest is in the log before anything is
 * answered (entry comply.report). ret_document: report/comply_document.h. */
struct status compliance_report(struct workspace *w, const struct catalogue *k, const json_t *also,
                                struct diag *diag, json_t **ret_document);

#endif
