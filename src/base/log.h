/* log: one structured line per event on stderr, for the edge (serve, cli) only; library code is
 * silent. Secrets and personal data are never passed. Whatever bytes a value has, it makes neither
 * another line nor another field: control bytes, bytes that are no UTF-8, what turns the direction
 * of writing, quotes and backslashes are written \xHH; in a text that stands among words also '=';
 * a value after '=' with blanks in it is put in quotes. */
#ifndef STEWARD_BASE_LOG_H
#define STEWARD_BASE_LOG_H

#include "base/status.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level);
/* log_event(LOG_INFO, "serve.started", "address=%s", a): time, level, event, then the formatted
 * key=value text. Conversions: %s, %.*s, %d, %u, %lld, %llu, and no other. */
void log_event(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
