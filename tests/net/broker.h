/* broker: a cluster of Kafka brokers in a process of its own (librdkafka's mock cluster, which
 * speaks the protocol over real sockets), that is told to refuse, to go and to come back. */
#ifndef STEWARD_TESTS_NET_BROKER_H
#define STEWARD_TESTS_NET_BROKER_H

#include "testing/testing.h"

#define BROKER_ERRORS 8u

struct broker;

/* Forks: before there are threads. */
struct broker *broker_start(unsigned brokers);
void broker_stop(struct broker *b);
/* "127.0.0.1:1234" of the broker of that number, from 1 on. */
const char *broker_host(const struct broker *b, unsigned number);
uint16_t broker_port(const struct broker *b, unsigned number);
void broker_topic(struct broker *b, const char *topic, unsigned partitions, unsigned leader);
void broker_down(struct broker *b, unsigned number, bool down);
/* The next answers to what is produced are these errors of Kafka. */
void broker_refuse(struct broker *b, const int16_t *error, size_t count);

struct broker_message {
    int64_t index; /* the header steward-index; -1: it has none */
    int32_t partition;
    char key[128], log[128]; /* log: the header steward-log */
};
/* What the topic has, each partition in its order. free() the list. */
size_t broker_read(struct broker *b, const char *topic, struct broker_message **ret_messages);

#endif
