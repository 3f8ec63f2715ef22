/* records: what laws want written down and no machine knows: answers to a form's questions, reviews
 * of a model's decisions, incidents (docs/spec/records.md). Each write is a new version, sealed in
 * the store; the entry in the log has its digest. */
#ifndef STEWARD_WORKSPACE_RECORDS_H
#define STEWARD_WORKSPACE_RECORDS_H

#include "base/json.h"
#include "govern/form.h"
#include "workspace/workspace.h"

#define RECORD_TEXT_MAX (8u << 10)
/* STATUS_INPUT unless it is UTF-8 of 1 to RECORD_TEXT_MAX bytes; what: "the reason". */
struct status records_check_text(const char *what, const char *text, struct diag *diag);

/* kind: a form's name, RECORD_REVIEW or RECORD_INCIDENT; name: of the model, the incident, ... The
 * record has what `members` (taken over) has, and: kind, name, version, time, by (the principal).
 * reason: what was done, for the log. */
#define RECORD_REVIEW "review"
#define RECORD_INCIDENT "incident"
struct status records_put(struct workspace *w, const char *kind, const char *name, json_t *members,
                          const char *reason, struct diag *diag, json_t **ret_record);
/* version 0: the newest. STATUS_NOT_FOUND with a sentence. */
struct status records_get(struct workspace *w, const char *kind, const char *name, uint64_t version,
                          struct diag *diag, json_t **ret_record);
/* In order of name, then version; the record is borrowed. */
struct status records_each(struct workspace *w, const char *kind,
                           struct status (*each)(void *ctx, const char *name, uint64_t version,
                                                 const json_t *record),
                           void *ctx);

#endif
