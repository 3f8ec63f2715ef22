/* syslog_sink: events to a receiver of syslog over TLS (RFC 5424, 5425), through the one door.
 * Nobody answers there: docs/spec/audit-export.md says what counts as received. */
#ifndef STEWARD_SERVE_SYSLOG_SINK_H
#define STEWARD_SERVE_SYSLOG_SINK_H

#include "govern/exporter.h"
#include "net/door.h"

#define SYSLOG_BATCH 4096u /* entries; each such is waited for */

struct syslog_sink {
    struct door *door;          /* borrowed */
    struct door_stream *stream; /* NULL: not connected */
    char url[URL_MOST_TEXT];
    char host[256]; /* this machine's */
    struct door_request request;
};

/* to: HOST:PORT; ca_file: borrowed; NULL: the system's authorities. INPUT: no such host or port. */
struct status syslog_sink_init(struct door *door, const char *to, const char *ca_file,
                               int64_t timeout_ns, struct diag *diag, struct syslog_sink *ret_sink);
void syslog_sink_done(struct syslog_sink *s);
/* For exporter_run: its sink, its batch and the host of its messages. s is borrowed. */
void syslog_sink_feed(struct syslog_sink *s, struct exporter *ret_exporter);

#endif
