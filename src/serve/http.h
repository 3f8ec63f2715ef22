/* http: HTTP/1.1 over TLS 1.2 and 1.3 behind a header gate and deadlines, one event loop per
 * thread, each answering its own requests. Knows requests and bytes, nothing of models or
 * principals. */
#ifndef STEWARD_SERVE_HTTP_H
#define STEWARD_SERVE_HTTP_H

#include "base/arena.h"
#include "base/bytes.h"

#include <sys/socket.h>

struct identity;

struct http_limits {
    size_t header_bytes;   /* 431 */
    unsigned header_count; /* 431 */
    size_t body_bytes;     /* 413 */
    /* Deadlines; the connection is shut down (408 where a head was read). */
    int64_t handshake_ns, header_ns, body_ns, request_ns;
    int64_t idle_ns;                  /* keep-alive */
    unsigned connections;             /* in all */
    unsigned connections_per_address; /* further ones are closed at accept */
};

/* Where it listens, each with limits of its own; a call knows by which one it came. */
struct http_listener {
    const char *address;                           /* "127.0.0.1" or "::1"; NULL: there is none */
    uint16_t port;                                 /* 0: any; http_port tells */
    unsigned connections, connections_per_address; /* as of http_limits, which the first one has */
};
#define HTTP_LISTENERS 3u

struct http_options {
    const char *address; /* the first listener: "127.0.0.1" or "::1" */
    uint16_t port;       /* 0: any; http_port tells */
    struct http_listener second, third;
    struct identity *identity; /* borrowed by http_start, which counts one more */
    unsigned loops;            /* 0: one per core */
    struct http_limits limits;
    size_t arena_bytes; /* per request, and for what a handler needs */
};

/* One request and its answer. */
struct http_exchange {
    struct arena *arena;   /* until the answer is sent */
    struct arena *scratch; /* until the handler returns: the loop's, and warm in the cache */
    const char *method;    /* "GET", "POST" */
    const char *path;      /* without the query; starts with '/' ; percent-decoding not applied */
    const char *query;     /* "" when none */
    struct view body;      /* until the handler returns */
    unsigned listener;     /* 0, 1 or 2: the first, second or third */
    char address[64];      /* peer, without port */
    uint64_t peer;         /* the same as a number, an IPv6 /64 as one: peers_key */
    /* Of a client's certificate, verified: "spiffe://..." or "subject:" and the name of RFC 4514;
     * "" when none came. */
    char client_identity[256];
    char client_fingerprint[65]; /* SHA-256 of that certificate in hexadecimal; "" when none came */
    int64_t arrived_ns;          /* clock_mono_ns at the first header byte known */
    /* set by the handler */
    unsigned status;          /* 0: no answer, the connection is closed */
    const char *content_type; /* default application/json */
    struct buf answer;
    uint64_t ticket; /* answer only when its fate is known; 0: at once */
    void *user;      /* handler's own */
};

/* Of the request, until the handler returns; NULL when absent; case-insensitive. */
const char *http_header(const struct http_exchange *x, const char *name);
/* On the answer, in place of one of that name (written alike); at most 12. */
void http_set_header(struct http_exchange *x, const char *name, const char *value);

enum http_fate { HTTP_WAITING, HTTP_DURABLE, HTTP_FAILED };

/* A body up to this is read before anybody asks who sends it, so that a small refused call is
 * answered as every other; a longer one is kept only for who may send it. */
#define HTTP_BODY_UNASKED (256u << 10)

struct http_handler {
    /* Called with the head alone before a body is read that is longer than HTTP_BODY_UNASKED or of
     * unknown length. False: the answer stands (x->ticket as with handle), and the body is never
     * read. True: handle follows with the body, or refused. May be NULL. */
    bool (*head)(void *ctx, struct http_exchange *x);
    /* Called on the loop's thread with the whole body. Fills the exchange; x->ticket != 0 asks to
     * wait. */
    void (*handle)(void *ctx, struct http_exchange *x);
    /* A request refused before handle (gate, limits, deadline): the handler may log it; status and
     * reason are set; the answer is already decided. May set x->ticket. method, path may be "". */
    void (*refused)(void *ctx, struct http_exchange *x, const char *reason);
    /* What became of a ticket; a failed one is answered 503 with handler's failed() body. Called
     * often: cheap. */
    enum http_fate (*fate)(void *ctx, uint64_t ticket);
    /* Tickets may go on gathering, until a loop has nothing else to do or the first of its own has
     * waited for a millisecond: then it asks that all be decided. May be NULL. */
    void (*hasten)(void *ctx);
    /* Each loop's eventfd, written when tickets advance; unsubscribed before it is closed. */
    struct status (*subscribe)(void *ctx, int event_fd);
    void (*unsubscribe)(void *ctx, int event_fd);
    void (*failed)(void *ctx, struct http_exchange *x);
    /* The ticket is durable and the answer about to leave: what follows from that is added now.
     * False: there is another ticket, which is waited for as the first was. May be NULL. */
    bool (*settled)(void *ctx, struct http_exchange *x);
    /* bytes were handed to the socket, or the connection died */
    void (*done)(void *ctx, struct http_exchange *x);
    /* Whether that peer may connect to that listener; asked on a loop's thread when it does, and
     * again by http_recheck. NULL: everybody may. */
    bool (*admits)(void *ctx, unsigned listener, const struct sockaddr *peer);
    /* It may not, and was closed without a word. May be NULL. */
    void (*denied)(void *ctx, unsigned listener, const struct sockaddr *peer);
    /* Its certificate is not taken, and the connection ends. peer: peers_key. May be NULL. */
    void (*client_refused)(void *ctx, unsigned listener, const char *address, uint64_t peer,
                           const char *reason);
    void *ctx;
};

struct http_server;
struct status http_start(const struct http_options *o, const struct http_handler *h,
                         struct diag *diag, struct http_server **ret_server);
/* Of connections from now on; those that there are keep theirs, but end when the client's
 * certificate is not good for the new one. Any thread. */
void http_set_identity(struct http_server *s, struct identity *identity);
uint16_t http_port(const struct http_server *s, unsigned listener);
/* Processor time of all loops so far. */
int64_t http_cpu_ns(const struct http_server *s);
/* Asks `admits`, and the identity, again for every connection that is open, and ends those that may
 * not be; soon, by the loops. Any thread. */
void http_recheck(struct http_server *s);
/* Stops accepting, lets calls in flight finish for at most grace_ns, then closes. */
void http_stop(struct http_server *s, int64_t grace_ns);

#endif
