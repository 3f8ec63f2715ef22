/* receiver: who gets the log's events from the server, one line each of audit.export:
 *
 *     NAME syslog://HOST:PORT [FORMAT] [ca-file=PATH]
 *
 *     siem syslog://siem.example.com:6514 cef ca-file=/etc/steward/siem.pem
 *
 * NAME is that of its position (docs/spec/audit-export.md). FORMAT: jsonl, ocsf or cef (syslog
 * without one). Without a ca-file the system's authorities verify its certificate. */
#ifndef STEWARD_GOVERN_RECEIVER_H
#define STEWARD_GOVERN_RECEIVER_H

#include "govern/export_event.h"

#define RECEIVERS 8u
#define RECEIVER_NAME_MAX 63u
#define RECEIVER_HOSTS_MAX 255u
#define RECEIVER_PATH_MAX 1023u
#define RECEIVER_CA_MAX (64u << 10)

struct receiver {
    char name[RECEIVER_NAME_MAX + 1];
    char hosts[RECEIVER_HOSTS_MAX + 1]; /* HOST:PORT */
    enum export_format format;
    char ca_file[RECEIVER_PATH_MAX + 1]; /* "": the system's authorities */
};

/* INPUT with a sentence. The host is read as an URL's is, by who connects. */
struct status receiver_parse(struct view item, struct diag *diag, struct receiver *ret_receiver);
/* "syslog://siem.example.com:6514 as cef", for entries and sentences. */
void receiver_put(const struct receiver *r, struct buf *ret_text);

#endif
