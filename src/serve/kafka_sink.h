/* kafka_sink: events to a topic of Kafka (net/kafka.h): the log's name is each message's key, so
 * that a log is in one partition, in order; the entry's index and the log's name are its headers.
 * docs/spec/audit-export.md. */
#ifndef STEWARD_SERVE_KAFKA_SINK_H
#define STEWARD_SERVE_KAFKA_SINK_H

#include "govern/exporter.h"
#include "govern/receiver.h"
#include "net/kafka.h"

#define KAFKA_BATCH 1024u /* entries; all are acknowledged before the position moves */
#define KAFKA_INDEX_HEADER "steward-index"
#define KAFKA_LOG_HEADER "steward-log"

struct kafka_sink {
    struct kafka_options options;
    struct kafka *kafka; /* NULL: there is no producer now */
};

/* All is borrowed. ca_pem empty: the system's authorities. */
void kafka_sink_init(struct door *door, const struct receiver *r, struct view ca_pem,
                     int64_t timeout_ns, struct kafka_sink *ret_sink);
void kafka_sink_done(struct kafka_sink *s);
/* For exporter_run: its sink and its batch. s is borrowed. */
void kafka_sink_feed(struct kafka_sink *s, struct exporter *ret_exporter);

#endif
