/* reviews: what people made of a model's decisions: an override, an answer to a contest, or a look
 * at one (GDPR Article 22(3), AI Act Article 14). Each is tied to the entry of the log of the call
 * that decided. */
#ifndef STEWARD_WORKSPACE_REVIEWS_H
#define STEWARD_WORKSPACE_REVIEWS_H

#include "workspace/records.h"

struct review {
    uint64_t entry;       /* of the log: a call of a model that was answered */
    uint64_t row;         /* of its rows, from 1; 0: all */
    const char *ground;   /* "override", "contest", "check" */
    const char *outcome;  /* "kept", "changed" */
    const char *reviewer; /* who looked at it: a person, as their organisation knows them */
    const char *reason;
    const char *decision; /* what was decided instead; NULL unless changed */
};
/* STATUS_INPUT with a sentence for what does not fit: an entry of another kind, a row that the call
 * has not. ret_review: the record. */
struct status review_add(struct workspace *w, const struct review *r, struct diag *diag,
                         json_t **ret_review);
/* All, in order of entries; model NULL: of every model. */
struct status review_list(struct workspace *w, const char *model, json_t **ret_list);

#endif
