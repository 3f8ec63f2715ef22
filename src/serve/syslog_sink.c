#include "serve/syslog_sink.h"

#include "base/clock.h"

#include <stdio.h>
#include <unistd.h>

#define OPEN_NS NS_PER_S /* that the connection stays open behind a batch */

/* After a failure the next batch has a connection of its own. */
static struct status
keep_or_close(struct syslog_sink *s, struct status done)
{
    if (!status_ok(done)) {
        door_stream_close(MOVE(s->stream));
    }
    return done;
}

static struct status
send_events(void *ctx, struct view events, struct diag *diag)
{
    struct syslog_sink *s = ctx;
    if (s->stream == NULL) {
        TRY(door_stream_open(s->door, &s->request, diag, &s->stream));
    }
    return keep_or_close(s, door_stream_send(s->stream, events, diag));
}

static struct status
confirm(void *ctx, struct diag *diag)
{
    struct syslog_sink *s = ctx;
    return keep_or_close(s, door_stream_settle(s->stream, OPEN_NS, diag));
}

struct status
syslog_sink_init(struct door *door, const char *to, const char *ca_file, int64_t timeout_ns,
                 struct diag *diag, struct syslog_sink *ret_sink)
{
    struct syslog_sink *s = ret_sink;
    struct url u;
    *s = (struct syslog_sink){.door = door, .host = "-"};
    const int n = snprintf(s->url, sizeof s->url, "https://%s", to);
    CHECK(n > 0 && (size_t)n < sizeof s->url, LIMIT);
    TRY(url_parse(view_str(s->url), diag, &u));
    s->request = (struct door_request){.purpose = "export",
                                       .url = s->url,
                                       .ca_file = ca_file,
                                       .timeout_ns = timeout_ns,
                                       .max_bytes = 1};
    (void)gethostname(s->host, sizeof s->host - 1);
    return OK;
}

void
syslog_sink_done(struct syslog_sink *s)
{
    door_stream_close(MOVE(s->stream));
}

void
syslog_sink_feed(struct syslog_sink *s, struct exporter *ret_exporter)
{
    ret_exporter->host = s->host;
    ret_exporter->batch = SYSLOG_BATCH;
    ret_exporter->sink = (struct export_sink){.send = send_events, .confirm = confirm, .ctx = s};
}
