/* incident: by when what must be reported, and to whom: the clock of an incident report. Pure. */
#ifndef STEWARD_GOVERN_INCIDENT_H
#define STEWARD_GOVERN_INCIDENT_H

#include "base/json.h"

struct incident_rule {
    const char *name;  /* "gdpr-33" */
    const char *law;   /* where it stands */
    const char *about; /* what must be done, by whom it is due */
    int64_t within_ns; /* of becoming aware; calendar time, holidays count */
};
const struct incident_rule *incident_rules(size_t *ret_count);
/* STATUS_INPUT with the names there are. */
struct status incident_rule_find(const char *name, struct diag *diag,
                                 const struct incident_rule **ret_rule);

enum incident_clock { INCIDENT_RUNNING, INCIDENT_OVERDUE, INCIDENT_IN_TIME, INCIDENT_LATE };
const char *incident_clock_word(enum incident_clock c); /* "in time" */
/* reported_ns: 0: not yet. ret_left_ns: until it is due, negative after; when reported, of that
 * moment. */
enum incident_clock incident_clock_of(const struct incident_rule *rule, int64_t aware_ns,
                                      int64_t reported_ns, int64_t now_ns, int64_t *ret_left_ns);

#endif
