/* export_event: an entry of the log as others read it. docs/spec/audit-export.md.
 *
 * jsonl: {"index":N,"log":ORIGIN,"entry":the entry as it stands}. ocsf: an OCSF 1.8 event. cef: one
 * line of CEF. cloudevents: a CloudEvent 1.0 in JSON, whose data is the entry as it stands.
 * Whatever bytes an entry has, it makes neither another event nor another field. */
#ifndef STEWARD_GOVERN_EXPORT_EVENT_H
#define STEWARD_GOVERN_EXPORT_EVENT_H

#include "base/json_flat.h"

enum export_format { EXPORT_JSONL, EXPORT_OCSF, EXPORT_CEF, EXPORT_CLOUDEVENTS, EXPORT_FORMATS };

const char *export_format_word(enum export_format f);
bool export_format_from_word(const char *word, enum export_format *ret_format);

/* An entry, read once. */
struct export_entry {
    const char *log; /* the origin */
    uint64_t index;
    struct view raw;
    const struct js_node *root; /* NULL: no JSON object */
};

/* The entry's text; fallback when it has none. */
const char *export_text(const struct export_entry *e, const char *key, const char *fallback);
int64_t export_number(const struct export_entry *e, const char *key); /* 0 without */
bool export_allowed(const struct export_entry *e);
int64_t export_time_ms(const struct export_entry *e);
/* 1 informational, 3 medium (refused), 4 high (what somebody should look at); of an alert its own:
 * 2 low, 3 medium, 4 high, and 1 when it is over. */
unsigned export_severity(const struct export_entry *e);
/* Of the entry's "alert". */
const char *export_alert_text(const struct export_entry *e, const char *key, const char *fallback);
bool export_is_over(const struct export_entry *e); /* a finding that is so no more */
/* Of the entry's "guards": how many, and a text of one; "" where it has none. */
size_t export_guards(const struct export_entry *e);
const char *export_guard_text(const struct export_entry *e, size_t i, const char *key);
/* What somebody should look at: an alert, a gap or repair of the log, an emergency, a key that did
 * not open. */
bool export_is_finding(const struct export_entry *e);

struct status export_put_ocsf(const struct export_entry *e, struct buf *ret_line);
void export_put_cef(const struct export_entry *e, struct buf *ret_line);
/* One event, without its end of line. */
struct status export_put(enum export_format f, const char *log, uint64_t index, struct view entry,
                         struct arena *scratch, struct buf *ret_line);
/* A line as a message of syslog: RFC 5424, counted as RFC 6587 and 5425 have it. host: of this
 * machine; "-" where it is no name that RFC 5424 takes. */
struct status export_put_syslog(const char *host, struct view entry, struct view line,
                                struct arena *scratch, struct buf *ret_frame);

#endif
