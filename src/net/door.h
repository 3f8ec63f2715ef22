/* door: the one way out. Every outbound connection of every process of Steward goes through it
 * (tools/check-layers fails the build on any other); net/egress says to where and for what.
 *
 * A name is resolved once, every address it has is checked, and the connection goes to those
 * addresses and no others: what the name says a moment later (DNS rebinding) is not asked. A
 * redirect is a new question with the same rules, and carries no header or body to another origin;
 * never from https to http. No proxy, cookie, .netrc or credential of the environment; TLS 1.2 and
 * up, verified against the given CA file or the system's. Over libcurl; any thread, each request
 * over a connection of its own, which is kept for the next one of its purpose. */
#ifndef STEWARD_NET_DOOR_H
#define STEWARD_NET_DOOR_H

#include "net/egress.h"

#define DOOR_MOST_REDIRECTS 5u
#define DOOR_MOST_HEADERS 16u

enum door_outcome {
    DOOR_REFUSED,   /* no rule, or an address that the rule does not hold */
    DOOR_CONNECTED, /* a new connection; one that is used again is not told again */
    DOOR_FAILED     /* allowed, and not reached */
};

struct door_event {
    const char *purpose, *host;
    uint16_t port;
    enum door_outcome outcome;
    const char *address; /* "" when it did not come to one */
    const char *reason;  /* a sentence; "" when connected */
};

struct door_hook {
    void (*told)(void *ctx, const struct door_event *e); /* on the asking thread; NULL: nobody */
    void *ctx;
};

struct door;

/* rules are taken over, also on failure. MEMORY. */
struct status door_new(struct egress *rules, const struct door_hook *hook, struct door **ret_door);
void door_free(struct door *d); /* no request may run */
DEFINE_FREEP(door_free, struct door)
/* The rules from now on; taken over. Kept connections are closed; a request that they no longer
 * allow is ended within a second. */
void door_set_rules(struct door *d, struct egress *rules);

struct door_header {
    const char *name;
    struct view value; /* printable ASCII; may be a secret: copies are wiped */
};

struct door_request {
    const char *purpose; /* of egress_purposes */
    const char *url;
    const char *method; /* NULL: GET, or POST with a body */
    const struct door_header *header;
    size_t headers;
    struct view body;                     /* ptr NULL: none */
    const char *ca_file;                  /* PEM: these authorities and no others; NULL: system's */
    const char *client_cert, *client_key; /* PEM files; NULL: none */
    unsigned redirects;                   /* followed at most, of GET; 0: a 3xx is the answer */
    int64_t timeout_ns;                   /* of all, from the name to the last byte */
    size_t max_bytes;                     /* of the answer's body */
    bool secret_target;                   /* sentences name its scheme, host and port alone */
};

struct door_answer {
    unsigned status;       /* of HTTP, whatever it is */
    int64_t retry_after_s; /* 0: not said */
    struct buf body;
};

void door_answer_done(struct door_answer *a);
/* OK when an HTTP answer came, of any status. INPUT: no URL; DENIED: no rule for it, or an address
 * that the rule does not hold; AUTH: the certificate; LIMIT: a longer answer; IO (ETIMEDOUT: in
 * time). Each with a sentence. ret_answer is initialised also on failure. */
struct status door_fetch(struct door *d, const struct door_request *q, struct diag *diag,
                         struct door_answer *ret_answer);

/* ---- for a library that opens its own sockets (net/kafka) ---- */

#define DOOR_MOST_ADDRESSES 16u
/* Where a socket may be connected to: q has purpose, url and timeout_ns. Fails as door_fetch does
 * before it connects. */
struct status door_way(struct door *d, const struct door_request *q, struct diag *diag,
                       struct address ret_address[static DOOR_MOST_ADDRESSES], size_t *ret_count);
/* Connects the socket to an address that is on that way, now: 0 or an errno, EACCES with a
 * sentence where it is not. Any thread. */
int door_dial(struct door *d, const struct door_request *q, int fd, const struct sockaddr *to,
              socklen_t len, struct diag *diag);

/* ---- bytes over TLS, without HTTP ---- */

struct door_stream;

/* q: purpose, url (https://HOST:PORT), ca_file, client_cert, client_key, timeout_ns (of connecting,
 * and of every wait later). Fails as door_fetch does. */
struct status door_stream_open(struct door *d, const struct door_request *q, struct diag *diag,
                               struct door_stream **ret_stream);
void door_stream_close(struct door_stream *s);
DEFINE_FREEP(door_stream_close, struct door_stream)
/* All of it, to the system. IO when the other side is gone or takes nothing in time; DENIED when
 * the rules changed. What comes back is passed over. */
struct status door_stream_send(struct door_stream *s, struct view bytes, struct diag *diag);
/* The other side's system has all that was sent, and the connection has stayed open for open_ns
 * since: what it means that nobody answers. */
struct status door_stream_settle(struct door_stream *s, int64_t open_ns, struct diag *diag);

#endif
