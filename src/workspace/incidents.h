/* incidents: reports of incidents with the clock of the law that they are reported under
 * (govern/incident.h), kept as records; each change is a new version. */
#ifndef STEWARD_WORKSPACE_INCIDENTS_H
#define STEWARD_WORKSPACE_INCIDENTS_H

#include "workspace/records.h"

struct incident_start {
    const char *name, *title;
    const char *rule;  /* of govern/incident.h */
    const char *model; /* NULL: of no model */
    int64_t aware_ns;  /* when it became known; not in the future */
};
/* STATUS_EXISTS when there is one of that name. ret_incident: the record with its clock (below). */
struct status incident_open(struct workspace *w, const struct incident_start *o, struct diag *diag,
                            json_t **ret_incident);
/* One more note; STATUS_INPUT on one that is closed, as with the two below. */
struct status incident_note(struct workspace *w, const char *name, const char *text,
                            struct diag *diag, json_t **ret_incident);
/* It was reported to whom the law names, at that time; once. */
struct status incident_reported(struct workspace *w, const char *name, int64_t at_ns,
                                const char *text, struct diag *diag, json_t **ret_incident);
/* STATUS_INPUT while it is not reported, unless the text says why it need not be: `unreported`. */
struct status incident_close(struct workspace *w, const char *name, const char *outcome,
                             bool unreported, struct diag *diag, json_t **ret_incident);
struct status incident_get(struct workspace *w, const char *name, struct diag *diag,
                           json_t **ret_incident);
/* The newest version of each, with "clock": {"state", "due", "left_s"}, in order of names. */
struct status incident_list(struct workspace *w, struct diag *diag, json_t **ret_list);

#endif
