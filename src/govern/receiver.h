/* receiver: who gets the log's events from the server, one line each of audit.export:
 *
 *     NAME URL [FORMAT] [only=alerts] [ca-file=PATH] [secret-file=PATH]
 *
 *     siem syslog://siem.example.com:6514 cef ca-file=/etc/steward/siem.pem
 *     lake kafka://b1.example.com:9093,b2.example.com:9093/steward ocsf
 *     page https://hooks.example.com/steward secret-file=/etc/steward/page.secret
 *
 * NAME is that of its position (docs/spec/audit-export.md). URL: syslog://HOST:PORT, or
 * kafka://HOST:PORT[,HOST:PORT...]/TOPIC, both over TLS; kafka-plain:// is without, where the
 * network's rules let it; https://HOST[:PORT]/PATH is a webhook, which gets alerts only, each
 * signed with the secret of its file (docs/spec/alert.md). FORMAT: jsonl, ocsf, cef or cloudevents;
 * without one syslog gets cef, Kafka jsonl, a webhook cloudevents. Without a ca-file the system's
 * authorities verify its certificate. */
#ifndef STEWARD_GOVERN_RECEIVER_H
#define STEWARD_GOVERN_RECEIVER_H

#include "govern/export_event.h"

#define RECEIVERS 8u
#define RECEIVER_NAME_MAX 63u
#define RECEIVER_HOSTS_MAX 1023u
#define RECEIVER_TOPIC_MAX 249u /* Kafka's */
#define RECEIVER_PATH_MAX 1023u
#define RECEIVER_CA_MAX (64u << 10)

enum receiver_kind {
    RECEIVER_SYSLOG,
    RECEIVER_KAFKA,
    RECEIVER_KAFKA_PLAIN,
    RECEIVER_WEBHOOK,
    RECEIVER_KINDS
};

struct receiver {
    char name[RECEIVER_NAME_MAX + 1];
    enum receiver_kind kind;
    char hosts[RECEIVER_HOSTS_MAX + 1]; /* HOST:PORT; of Kafka several, with commas; of a webhook
                                         * what stands behind the two slashes */
    char topic[RECEIVER_TOPIC_MAX + 1]; /* of Kafka */
    enum export_format format;
    bool alerts_only;
    char ca_file[RECEIVER_PATH_MAX + 1];     /* "": the system's authorities */
    char secret_file[RECEIVER_PATH_MAX + 1]; /* of a webhook */
};

/* The purpose of its connections, as network.egress has it. */
const char *receiver_purpose(const struct receiver *r);
/* What stands for URL alone. INPUT with a sentence. */
struct status receiver_parse_url(struct view url, struct diag *diag, struct receiver *ret_receiver);
/* The next of its hosts as an URL of the door, whose reader decides; false behind the last. */
bool receiver_next_url(const struct receiver *r, const char **at, size_t size, char *ret_url);
/* INPUT with a sentence. The hosts are read as an URL's is, by who connects. */
struct status receiver_parse(struct view item, struct diag *diag, struct receiver *ret_receiver);
/* "syslog://siem.example.com:6514 as cef", for entries and sentences. */
void receiver_put(const struct receiver *r, struct buf *ret_text);

#endif
