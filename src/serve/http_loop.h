/* http_loop: what http.c and the files http_*.c share. One loop is one thread, one daemon of
 * libmicrohttpd in its external mode, one eventfd and the connections and requests it owns: nobody
 * else touches them, so there are no locks but the one on the inbox of accepted sockets. */
#ifndef STEWARD_SERVE_HTTP_LOOP_H
#define STEWARD_SERVE_HTTP_LOOP_H

#include "base/clock.h"
#include "net/address.h"
#include "net/peers.h"
#include "serve/gate.h"
#include "serve/http.h"
#include "serve/identity.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#define HTTP_ANSWER_HEADERS 12
#define HTTP_INBOX 64u
#define HTTP_HELD_BYTES 2048        /* an answer's head */
#define HTTP_AHEAD_BYTES 20480      /* more than a TLS record */
#define HTTP_MHD_STRICT 0x01000000u /* first version whose own parser refuses NUL and bare LF */
#define HTTP_MHD_SOUND 0x01000300u  /* first version whose decoder of chunks can be trusted */

enum phase {
    PHASE_HANDSHAKE, /* TLS not finished */
    PHASE_IDLE,      /* between requests */
    PHASE_HEAD,      /* request line read */
    PHASE_BODY,
    PHASE_CALL, /* with the handler, or waiting for a ticket */
    PHASE_SEND, /* answer queued */
    PHASE_DEAD  /* shut down by us */
};

struct request;

struct conn {
    struct conn *prev, *next;
    struct http_loop *loop;
    struct MHD_Connection *mhd;
    gnutls_session_t tls;
    struct identity *identity;               /* the one it began with */
    char client_identity[IDENTITY_NAME_MAX]; /* "": none */
    int64_t client_ends_s;                   /* its certificate's, since 1970 */
    int fd;
    uint32_t generation;
    enum phase phase;
    bool fresh;   /* no request yet */
    bool hangup;  /* the peer has closed its side */
    bool counted; /* in peers */
    bool shaking; /* its handshake is not known to be over */
    bool parked;  /* suspended until its handshake can go on */
    unsigned listener;
    uint64_t peer;
    int64_t since_ns; /* when the phase began */
    bool corked;      /* an answer gathers in the TLS session */
    bool loose;       /* its socket is not corked any more */
    bool stuck;       /* and the socket takes no more */
    bool hold_next;   /* what is sent next waits for what follows it */
    bool rekeyed;     /* its last read ended with a key update */
    struct request *request;
    char address[ADDRESS_TEXT_MAX];
    uint64_t drained; /* the turn whose last read emptied the socket */
    uint8_t *rest;    /* what was read ahead, when others needed the buffer; malloc */
    size_t rest_at, rest_len;
    size_t held_len;
    uint8_t held[HTTP_HELD_BYTES];
};

enum progress {
    REQUEST_LINE,    /* its head is not complete */
    REQUEST_BODY,    /* let through by the gate */
    REQUEST_DECIDED, /* the answer is made */
    REQUEST_QUEUED
};

struct request {
    struct http_exchange x; /* first: an exchange is its request */
    struct conn *conn;
    enum progress progress;
    bool called;          /* the handler saw it, so it is told when it is done */
    bool waits;           /* in the loop's waiting list */
    bool suspended;       /* and the library does not ask about it meanwhile */
    uint64_t asked_since; /* the turn of the library that began to */
    bool gone;            /* the peer left while it waited */
    bool late;            /* its deadline passed while it waited */
    bool raw;             /* answered past the library, which is still reading the body */
    bool close;
    bool persistent; /* HTTP/1.1 without a word on its connection */
    struct buf body;
    size_t target_len;
    const char *target; /* on the arena */
    unsigned header_count;
    struct {
        const char *name, *value;
    } headers[HTTP_ANSWER_HEADERS];
    struct request *prev, *next;
};

/* Bytes of one connection that were read before they were asked for. */
struct http_ahead {
    struct conn *owner; /* NULL: nobody's */
    size_t at, len;
    uint8_t bytes[HTTP_AHEAD_BYTES];
};

struct http_loop {
    struct http_server *server;
    struct MHD_Daemon *mhd;
    pthread_t thread;
    bool started, subscribed;
    int epoll_fd, event_fd, mhd_fd;
    atomic_uint load; /* connections, read by the others when they accept */
    unsigned active;  /* requests between head and done */
    struct conn *conns;
    struct conn **by_fd;
    size_t by_fd_cap;
    uint32_t generation; /* of the newest connection */
    uint32_t settled;    /* of the newest whose handshake was looked at after a turn */
    struct request *waiting, *waiting_last; /* by ticket, since this thread submits them in order */
    struct request *spare;
    unsigned spares;
    struct arena *scratch; /* of the call that is with the handler */
    struct buf body;       /* an empty one, for the next request with a body */
    unsigned asked;        /* requests that wait, which the library asks about in each turn */
    int64_t gathering_ns;  /* since when tickets gather that nobody has asked for; 0: none do */
    bool run;              /* the library has something to do */
    bool stirred;          /* its last turn did more than ask */
    uint64_t turns;        /* of the library, from 1 */
    bool rekeyed;          /* a connection is */
    bool closing; /* nothing is begun any more, so that nothing waits when the library stops */
    int64_t swept_ns;
    bool listening;
    int64_t warned_ns;
    int64_t client_told_ns; /* that a certificate was refused, and so many since */
    unsigned long long clients_refused;
    struct http_ahead ahead;
    int spare_fd; /* closed to accept and drop one when descriptors run out */
    pthread_mutex_t inbox_lock;
    struct accepted {
        int fd;
        unsigned listener;
    } inbox[HTTP_INBOX];
    unsigned inbox_count;
    unsigned adding;    /* the listener of the connection that the library is being given */
    unsigned rechecked; /* of the server's rechecks */
};

struct http_server {
    struct http_options options;
    struct http_handler handler;
    pthread_mutex_t identity_lock;
    struct identity *identity;
    uint32_t library; /* MHD_get_version as a number */
    struct listener {
        int fd; /* -1: there is none */
        uint16_t port;
        struct peers *peers;
        unsigned most; /* connections */
        atomic_uint connections;
    } listener[HTTP_LISTENERS];
    atomic_uint rechecks; /* asked for */
    atomic_int stopping;  /* 0; 1: finish calls in flight; 2: now */
    atomic_uint busy;     /* loops that still have something to finish */
    unsigned loop_count;
    atomic_uint running; /* loops that are started: the first so many */
    int64_t sweep_ns;
    struct http_loop *loops;
};

/* http_loop.c */
struct status http_loop_start(struct http_server *s, struct http_loop *loop, struct diag *diag);
void http_loop_wake(struct http_loop *loop);
void http_loop_done(struct http_loop *loop); /* after its thread has ended */
void http_conn_shut(struct conn *c);
void http_conn_watch_room(struct conn *c, bool on); /* tells when the socket takes more */

/* http_wait.c */
bool http_settled(const struct request *r);
void http_wait(struct request *r); /* suspends it until its ticket is settled */
/* The same in the last call for a request, which the library repeats in each turn as long as it
 * gets no answer. To be called each time. */
void http_wait_asked(struct request *r);
void http_release(struct request *r); /* takes it off the list and resumes it */
void http_release_settled(struct http_loop *loop);
void http_note_ticket(const struct request *r); /* after the handler may have given it one */
void http_hasten(struct http_loop *loop);       /* asks for what gathers */

/* http_request.c: the library's callbacks */
void *http_on_target(void *cls, const char *target, struct MHD_Connection *mhd);
enum MHD_Result http_on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_size, void **slot);
void http_on_completed(void *cls, struct MHD_Connection *mhd, void **slot,
                       enum MHD_RequestTerminationCode why);
void http_request_refuse(struct request *r, unsigned status, const char *reason);
void http_request_free(struct request *r);
/* Before an answer leaves: a failed or late one is replaced by 503. False: it waits for another
 * ticket. */
bool http_request_settle(struct request *r);

/* http_transport.c: between TLS and the socket */
void http_transport_attach(struct conn *c);
void http_transport_detach(struct conn *c);
/* Before an answer with a body of that length is queued. stays_open: the connection does, for sure.
 */
void http_transport_answer(struct conn *c, size_t length, bool stays_open);
void http_transport_flush(struct conn *c); /* what is held back goes out */

/* http_tls.c: certificates */
struct identity *http_identity(struct http_server *s); /* counted: give it back */
void http_tls_attach(struct conn *c);
/* Whether the client's certificate, if it has one, is good for the identity that the server has
 * now: another list of revoked ones may have come since. */
bool http_tls_stands(struct conn *c);
/* Whether it has a certificate, whose time is over. */
bool http_tls_expired(const struct conn *c);
void http_tls_detach(struct conn *c);
gnutls_certificate_retrieve_function2 http_on_certificate;

/* http_deadline.c */
void http_sweep(struct http_loop *loop, int64_t now_ns);
/* Writes a decided refusal straight to the session and shuts down. */
void http_answer_raw(struct request *r);

#endif
