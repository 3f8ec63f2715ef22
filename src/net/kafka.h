/* kafka: a producer of one topic, in order, over librdkafka, each of whose sockets is connected by
 * net/door and no others (tools/check-layers lets this file alone name that library). What a
 * cluster says of its brokers is a wish like any other: each needs its line of network.egress,
 * purpose as given.
 *
 * Idempotent: a producer's messages of one key are in one partition, in the order in which they
 * were put, each once; the first that is not delivered ends the producer, so that none behind it
 * is. A new one that puts them again may bring them twice. One thread; librdkafka has its own.
 * SIGPIPE is ignored in the process. */
#ifndef STEWARD_NET_KAFKA_H
#define STEWARD_NET_KAFKA_H

#include "net/door.h"

struct kafka_options {
    struct door *door;   /* borrowed, as all of these are */
    const char *purpose; /* of network.egress */
    const char *brokers; /* HOST:PORT[,HOST:PORT...] to begin with */
    const char *topic;
    bool plain;         /* no TLS: the rule must say http */
    struct view ca_pem; /* empty: the system's authorities */
    int64_t timeout_ns; /* from a message's put to its delivery */
};

struct kafka_message {
    struct view key, value;
    struct kafka_header {
        const char *name;
        const char *value;
    } header[2];
};

struct kafka;

struct status kafka_open(const struct kafka_options *o, struct diag *diag,
                         struct kafka **ret_kafka);
/* What was not delivered is dropped; NULL is nothing. */
void kafka_close(struct kafka *k);
DEFINE_FREEP(kafka_close, struct kafka)
/* Copies it, and waits while the queue is full. IO with a sentence: the producer has ended. */
struct status kafka_put(struct kafka *k, const struct kafka_message *m, struct diag *diag);
/* Every message that was put is acknowledged by all replicas that are in sync. IO with a sentence
 * when one is not, in time: the producer has ended. DENIED: no rule lets it connect. */
struct status kafka_settle(struct kafka *k, struct diag *diag);

#endif
