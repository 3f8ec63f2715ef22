#include "serve/kafka_sink.h"

#include <stdio.h>
#include <string.h>

/* After a failure the position's entries come again, from a producer of their own. */
static struct status
keep_or_close(struct kafka_sink *s, struct status done)
{
    if (!status_ok(done)) {
        kafka_close(MOVE(s->kafka));
    }
    return done;
}

static struct status
put_event(void *ctx, const char *log, uint64_t index, struct view event, struct diag *diag)
{
    struct kafka_sink *s = ctx;
    char number[24];
    (void)snprintf(number, sizeof number, "%llu", (unsigned long long)index);
    const struct kafka_message m = {
        .key = view_str(log),
        .value = event,
        .header = {{KAFKA_INDEX_HEADER, number}, {KAFKA_LOG_HEADER, log}}};
    if (s->kafka == NULL) {
        TRY(kafka_open(&s->options, diag, &s->kafka));
    }
    return keep_or_close(s, kafka_put(s->kafka, &m, diag));
}

static struct status
confirm(void *ctx, struct diag *diag)
{
    struct kafka_sink *s = ctx;
    return keep_or_close(s, kafka_settle(s->kafka, diag));
}

void
kafka_sink_init(struct door *door, const struct receiver *r, struct view ca_pem, int64_t timeout_ns,
                struct kafka_sink *ret_sink)
{
    *ret_sink = (struct kafka_sink){.options = {.door = door,
                                                .purpose = receiver_purpose(r),
                                                .brokers = r->hosts,
                                                .topic = r->topic,
                                                .plain = r->kind == RECEIVER_KAFKA_PLAIN,
                                                .ca_pem = ca_pem,
                                                .timeout_ns = timeout_ns}};
}

void
kafka_sink_done(struct kafka_sink *s)
{
    kafka_close(MOVE(s->kafka));
}

void
kafka_sink_feed(struct kafka_sink *s, struct exporter *ret_exporter)
{
    ret_exporter->batch = KAFKA_BATCH;
    ret_exporter->sink = (struct export_sink){.event = put_event, .confirm = confirm, .ctx = s};
}
