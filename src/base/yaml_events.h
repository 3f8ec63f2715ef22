/* yaml_events: libyaml's events of a text, one after the other, with its errors as a line and a
 * sentence: what every reader of YAML does before it knows what it reads. */
#ifndef STEWARD_BASE_YAML_EVENTS_H
#define STEWARD_BASE_YAML_EVENTS_H

#include "base/bytes.h"

#include <yaml.h>

/* "NAME line N: what" in diag, N being line + 1: STATUS_INPUT. */
struct status yaml_refuse_line(const char *name, size_t line, const char *what, struct diag *diag);
/* Calls take(ctx, event) for each event up to the end of the stream; the event is borrowed. A
 * failing take ends it. STATUS_INPUT with "NAME line N: ..." where the text is no YAML or no UTF-8.
 */
struct status yaml_each_event(struct view text, const char *name,
                              struct status (*take)(void *ctx, const yaml_event_t *e), void *ctx,
                              struct diag *diag);

#endif
