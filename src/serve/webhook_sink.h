/* webhook_sink: events to a web server that asked for them, each a POST of its own through the one
 * door, signed as Standard Webhooks has it (HMAC-SHA256 over id, time and body). It has an event
 * when it answers 2xx. docs/spec/alert.md. */
#ifndef STEWARD_SERVE_WEBHOOK_SINK_H
#define STEWARD_SERVE_WEBHOOK_SINK_H

#include "base/digest.h"
#include "govern/exporter.h"
#include "govern/receiver.h"
#include "net/door.h"

#define WEBHOOK_SECRET_MAX 256u /* of its file's first line */

struct webhook_sink {
    struct door *door; /* borrowed */
    char url[URL_MOST_TEXT], origin[URL_MOST_HOST + 32];
    struct hmac_key key;
    const char *media;
    struct door_request request;
};

/* text: of the secret: "whsec_" and 24 to 64 bytes in base64. INPUT with a sentence that does not
 * show it. */
struct status webhook_secret(struct view text, struct diag *diag, struct hmac_key *ret_key);
/* "v1,SIGNATURE": of the header webhook-signature. */
void webhook_sign(const struct hmac_key *key, const char *id, const char *time, struct view body,
                  struct buf *ret_text);
/* All is borrowed; ca_file NULL: the system's authorities. INPUT: no URL. */
struct status webhook_sink_init(struct door *door, const struct receiver *r,
                                const struct hmac_key *key, const char *ca_file, int64_t timeout_ns,
                                struct diag *diag, struct webhook_sink *ret_sink);
/* For exporter_run: its sink, one event after the other. s is borrowed. */
void webhook_sink_feed(struct webhook_sink *s, struct exporter *ret_exporter);

#endif
