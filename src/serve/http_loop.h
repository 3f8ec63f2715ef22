/* http_loop: what http.c and the files http_*.c share. One loop is one thread, one epoll set, one
 * eventfd and the connections and requests it owns: nobody else touches them, so there are no locks
 * but the one on the inbox of accepted sockets. */
#ifndef STEWARD_SERVE_HTTP_LOOP_H
#define STEWARD_SERVE_HTTP_LOOP_H

#include "base/clock.h"
#include "net/address.h"
#include "net/peers.h"
#include "serve/gate.h"
#include "serve/http.h"
#include "serve/http_head.h"
#include "serve/identity.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#define HTTP_ANSWER_HEADERS 12
#define HTTP_INBOX 64u
#define HTTP_RECORD_BYTES 16384u /* the most that a TLS record carries */
#define HTTP_AHEAD_BYTES 20480   /* more than a TLS record takes on the wire */
#define HTTP_DATE_BYTES 32u

enum phase {
    PHASE_HANDSHAKE, /* TLS not finished */
    PHASE_IDLE,      /* between requests */
    PHASE_HEAD,      /* the first byte of one has come */
    PHASE_BODY,
    PHASE_CALL,   /* with the handler, or waiting for a ticket */
    PHASE_SEND,   /* its answer goes out */
    PHASE_LINGER, /* we have said that we are done, and wait for the peer to */
    PHASE_DEAD    /* shut down; freed in the loop's next turn */
};

struct request;

struct conn {
    struct conn *prev, *next;
    struct http_loop *loop;
    gnutls_session_t tls;
    struct identity *identity;               /* the one it began with */
    char client_identity[IDENTITY_NAME_MAX]; /* "": none */
    char client_fingerprint[IDENTITY_FINGERPRINT_MAX];
    int64_t client_ends_s; /* its certificate's, since 1970 */
    int fd;
    uint32_t generation;
    enum phase phase;
    unsigned listener;
    uint64_t peer;
    int64_t since_ns; /* when the phase began */
    bool fresh;       /* no request yet */
    bool hangup;      /* the peer has closed its side */
    bool readable;    /* the socket may have something */
    bool dry;         /* TLS asked for more than there is */
    bool flushing;    /* a record of ours waits in TLS for room in the socket */
    bool scheduled;   /* in the loop's list */
    struct conn *next_scheduled;
    struct request *request;
    char address[ADDRESS_TEXT_MAX];
    uint8_t *rest; /* read from the socket, not yet by TLS; malloc, or NULL */
    size_t rest_at, rest_len;
    struct {
        uint8_t *ptr; /* in the loop's memory, or in `kept` */
        size_t len;
    } in;            /* what TLS gave and no request has taken */
    struct buf kept; /* the same, between turns */
    size_t scanned;  /* bytes of it without the end of a head */
    size_t lingered; /* bytes that came since we were done */
};

enum progress {
    REQUEST_HEAD, /* not let through by the gate */
    REQUEST_BODY,
    REQUEST_DECIDED /* the answer is made */
};

struct request {
    struct http_exchange x; /* first: an exchange is its request */
    struct conn *conn;
    enum progress progress;
    bool called; /* the handler saw it, so it is told when it is done */
    bool waits;  /* in the loop's waiting list */
    bool late;   /* its deadline passed while it waited */
    bool close;
    bool chunked;
    uint64_t length; /* of the body, when not chunked */
    struct http_chunks chunks;
    struct buf body, head; /* the request's; the answer's */
    size_t sent;           /* of head and answer */
    bool interim;          /* TLS holds a record that is not of the answer */
    const struct gate_field *fields;
    size_t field_count; /* until the handler returns */
    unsigned header_count;
    struct {
        const char *name, *value;
    } headers[HTTP_ANSWER_HEADERS];
    struct request *prev, *next;
};

/* Bytes of the connection that has its turn, read before TLS asked for them: a record in one piece
 * instead of its head first. */
struct http_ahead {
    size_t at, len;
    uint8_t bytes[HTTP_AHEAD_BYTES];
};

struct http_loop {
    struct http_server *server;
    pthread_t thread;
    bool started, subscribed;
    int epoll_fd, event_fd;
    atomic_uint load; /* connections, read by the others when they accept */
    unsigned active;  /* requests between head and done */
    struct conn *conns;
    struct conn **by_fd;
    size_t by_fd_cap;
    uint32_t generation;                     /* of the newest connection */
    struct conn *scheduled, *scheduled_last; /* those that go on without an event */
    struct request *waiting, *waiting_last; /* by ticket, since this thread submits them in order */
    struct request *spare;
    unsigned spares;
    struct arena *scratch; /* of the call that is with the handler */
    int64_t now_ns;        /* when the connection whose turn it is got it */
    int64_t gathering_ns;  /* since when tickets gather that nobody has asked for; 0: none do */
    int64_t swept_ns;
    int64_t dated_ns;
    char date[HTTP_DATE_BYTES];
    bool listening;
    int64_t warned_ns;
    int64_t client_told_ns; /* that a certificate was refused, and so many since */
    unsigned long long clients_refused;
    int spare_fd; /* closed to accept and drop one when descriptors run out */
    pthread_mutex_t inbox_lock;
    struct accepted {
        int fd;
        unsigned listener;
    } inbox[HTTP_INBOX];
    unsigned inbox_count;
    unsigned rechecked; /* of the server's rechecks */
    struct http_ahead ahead;
    struct gate_field fields[GATE_FIELDS_MAX]; /* of the head that was read last */
    uint8_t plain[HTTP_RECORD_BYTES];          /* what TLS gave last */
    uint8_t out[HTTP_RECORD_BYTES];            /* the next record of an answer */
};

struct http_server {
    struct http_options options;
    struct http_handler handler;
    struct http_tls *tls;
    pthread_mutex_t identity_lock;
    struct identity *identity;
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
struct status http_loop_start(struct http_server *s, struct http_loop *loop);
void http_loop_wake(struct http_loop *loop);
void http_loop_done(struct http_loop *loop); /* after its thread has ended */

/* http_conn.c: one connection, from accept to close */
/* Takes the socket; gives it back closed when it cannot be. */
void http_conn_open(struct http_loop *loop, struct accepted accepted, const struct sockaddr *peer);
void http_conn_run(struct conn *c);      /* as far as it goes */
void http_conn_schedule(struct conn *c); /* runs it in the loop's next turn, without an event */
/* Both leave the freeing to that turn. The first ends the stream before, so that the peer sees that
 * nothing was cut off. */
void http_conn_end(struct conn *c);
void http_conn_shut(struct conn *c);
void http_conn_close(struct conn *c); /* and frees it */
void http_conn_enter(struct conn *c, enum phase phase);

/* http_wait.c */
bool http_settled(const struct request *r);
void http_wait(struct request *r);    /* puts it on the list of those that wait */
void http_release(struct request *r); /* takes it off */
void http_answer_settled(struct http_loop *loop);
void http_note_ticket(const struct request *r); /* after the handler may have given it one */
void http_hasten(struct http_loop *loop);       /* asks for what gathers */

/* http_request.c */
/* Makes a step with what has come. False: more must come, or the connection does not read now. */
bool http_request_step(struct conn *c);
void http_request_refuse(struct request *r, unsigned status, const char *reason);
void http_request_answer(struct request *r); /* once it is decided; waits for its ticket */
/* The connection ends: what has begun of a request is refused and told, whatever its state. */
void http_request_abandon(struct conn *c);
void http_request_free(struct request *r);
/* Before an answer leaves: a failed or late one is replaced by 503. False: it waits for another
 * ticket. */
bool http_request_settle(struct request *r);
void http_request_done(struct request *r);   /* told, and kept for the next one */

/* http_answer.c */
void http_answer_send(struct request *r);  /* begins to send the answer that is decided */
bool http_answer_go_on(struct conn *c);    /* true: the request is done, or the connection ends */
void http_answer_continue(struct conn *c); /* 100: the body is waited for */

/* http_transport.c: between TLS and the socket */
void http_transport_attach(struct conn *c);
void http_transport_leave(struct conn *c); /* its turn is over; what was read ahead is kept */
enum http_read { HTTP_READ_SOME, HTTP_READ_NOTHING, HTTP_READ_END };
enum http_read http_transport_read(struct conn *c, uint8_t *to, size_t size, size_t *ret_len);
bool http_transport_has_more(const struct conn *c); /* to be read without a new event */
/* What TLS still holds goes out. Negative as GnuTLS has it, or the bytes of the record. */
ssize_t http_transport_send(struct conn *c, const uint8_t *bytes, size_t n);

/* http_tls.c: sessions and certificates */
struct status http_tls_new(struct diag *diag, struct http_tls **ret_tls);
void http_tls_free(struct http_tls *t);
struct identity *http_identity(struct http_server *s); /* counted: give it back */
bool http_tls_begin(struct conn *c);
enum http_shake { HTTP_SHAKE_DONE, HTTP_SHAKE_WAITS, HTTP_SHAKE_FAILED };
enum http_shake http_tls_shake(struct conn *c);
/* Whether the client's certificate, if it has one, is good for the identity that the server has
 * now: another list of revoked ones may have come since. */
bool http_tls_stands(struct conn *c);
/* Whether it has a certificate, whose time is over. */
bool http_tls_expired(const struct conn *c);
void http_tls_end(struct conn *c);

/* http_deadline.c */
void http_sweep(struct http_loop *loop, int64_t now_ns);

#endif
