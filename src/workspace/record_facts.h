/* record_facts: what the workspace itself knows of what a form asks (govern/form.h). */
#ifndef STEWARD_WORKSPACE_RECORD_FACTS_H
#define STEWARD_WORKSPACE_RECORD_FACTS_H

#include "govern/form.h"
#include "workspace/workspace.h"

/* {FACT: {"lines": [sentence, ...], "columns": [...], "rows": [[text, ...], ...]}} of all facts
 * that f names; "columns" and "rows" only where there is a table. model: of forms about one. */
struct status record_facts(struct workspace *w, const struct form *f, const char *model,
                           struct diag *diag, json_t **ret_facts);

#endif
