/* policy_watch: looks at the workspace by its policies, when the store has changed and every few
 * minutes: what changes becomes entries policy.state, numbers for /metrics, and, where something no
 * longer complies, a warning of the server's log. */
#ifndef STEWARD_SERVE_POLICY_WATCH_H
#define STEWARD_SERVE_POLICY_WATCH_H

#include "workspace/policies.h"

#define POLICY_WATCH_NS (INT64_C(300) * 1000000000)

struct policy_watch;
/* state: the configuration's, borrowed until the call is over; NULL: none. */
struct status policy_watch_start(struct workspace *w, json_t *state,
                                 struct policy_watch **ret_watch);
void policy_watch_stop(struct policy_watch *p);
/* From now on. */
void policy_watch_set(struct policy_watch *p, json_t *state);
/* Whether an alert was open at the last look. NULL: none. */
bool policy_watch_alerts(struct policy_watch *p);
/* As of the last look. own: one more alert, of the server itself (workspace/alert.h), borrowed;
 * NULL: none. p NULL: nothing. */
void policy_watch_put_metrics(struct policy_watch *p, const json_t *own, struct buf *ret_text);

#endif
