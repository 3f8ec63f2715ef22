/* What TLS sends and reads, in fewer records and system calls: a short answer goes out as one
 * record with its head, the head of a long one waits for the first of its body, and a record is
 * read in one piece instead of its head first. */
#include "serve/http_loop.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define SHORT_ANSWER 8192 /* with its head in one TLS record */
#define PIECES 33         /* GnuTLS hands over at most 32 */

static size_t
bytes_of(const giovec_t *pieces, int n)
{
    size_t bytes = 0;
    for (int i = 0; i < n; i++) {
        bytes += pieces[i].iov_len;
    }
    return bytes;
}

static bool
hold(struct conn *c, const giovec_t *pieces, int n)
{
    if (!c->hold_next || bytes_of(pieces, n) > sizeof c->held - c->held_len) {
        return false;
    }
    for (int i = 0; i < n; i++) {
        memcpy(c->held + c->held_len, pieces[i].iov_base, pieces[i].iov_len);
        c->held_len += pieces[i].iov_len;
    }
    return true;
}

/* As the socket took `sent` bytes: how many of them were the caller's. */
static ssize_t
note_sent(struct conn *c, size_t sent)
{
    if (sent < c->held_len) {
        memmove(c->held, c->held + sent, c->held_len - sent);
        c->held_len -= sent;
        errno = EAGAIN;
        return -1;
    }
    const size_t own = sent - c->held_len;
    c->held_len = 0;
    errno = EAGAIN;
    return own == 0 ? -1 : (ssize_t)own;
}

static ssize_t
push(gnutls_transport_ptr_t ptr, const giovec_t *pieces, int n)
{
    struct conn *c = ptr;
    c->loop->stirred = true;
    struct iovec all[PIECES] = {{c->held, c->held_len}};
    if (n < 0 || n >= PIECES) {
        errno = EINVAL;
        return -1;
    }
    const bool held = hold(c, pieces, n);
    c->hold_next = false;
    if (held) {
        return (ssize_t)bytes_of(pieces, n);
    }
    memcpy(all + 1, pieces, (size_t)n * sizeof *pieces);
    const struct msghdr message = {.msg_iov = all, .msg_iovlen = (size_t)n + 1};
    const ssize_t sent = sendmsg(c->fd, &message, MSG_NOSIGNAL);
    return sent < 0 ? -1 : note_sent(c, (size_t)sent);
}

void
http_transport_answer(struct conn *c, size_t length, bool stays_open)
{
    c->hold_next = length > 0;
    if (length <= SHORT_ANSWER && stays_open && !c->corked) {
        gnutls_record_cork(c->tls);
        c->corked = true;
        c->hold_next = false;
    }
}

/* The library has corked the socket with its first answer, and thinks that it pushes what it sends:
 * but we send later. It never looks at the cork again. */
static void
loosen(struct conn *c)
{
    const int off = 0;
    if (!c->loose) {
        c->loose = true;
        (void)setsockopt(c->fd, IPPROTO_TCP, TCP_CORK, &off, sizeof off);
    }
}

/* While the socket takes no more, the session stays corked, the next answer waits, and our own
 * epoll tells when there is room. */
static void
uncork(struct conn *c)
{
    loosen(c);
    const int sent = gnutls_record_uncork(c->tls, 0);
    const bool stuck = sent < 0 && gnutls_error_is_fatal(sent) == 0;
    if (stuck != c->stuck) {
        c->stuck = stuck;
        http_conn_watch_room(c, stuck);
    }
    c->corked = stuck;
    if (sent < 0 && !stuck) {
        http_conn_shut(c);
    }
}

void
http_transport_flush(struct conn *c)
{
    c->hold_next = false;
    if (c->corked) {
        uncork(c);
    }
    if (c->held_len > 0) {
        const ssize_t ignored = send(c->fd, c->held, c->held_len, MSG_NOSIGNAL);
        (void)ignored; /* an answer without a body: a head alone fits, or the peer is gone */
        c->held_len = 0;
    }
}

/* From what was read ahead for this connection. */
static ssize_t
take_ahead(struct http_ahead *a, uint8_t *to, size_t size)
{
    const size_t left = a->len - a->at, n = size < left ? size : left;
    memcpy(to, a->bytes + a->at, n);
    a->at += n;
    if (a->at == a->len) {
        a->owner = NULL;
    }
    return (ssize_t)n;
}

static ssize_t
take_rest(struct conn *c, uint8_t *to, size_t size)
{
    const size_t left = c->rest_len - c->rest_at, n = size < left ? size : left;
    memcpy(to, c->rest + c->rest_at, n);
    c->rest_at += n;
    if (c->rest_at == c->rest_len) {
        free(MOVE(c->rest));
    }
    return (ssize_t)n;
}

/* One that asks more while its first request waits would keep the buffer from all others. Without
 * memory it does. */
static void
give_up_ahead(struct http_ahead *a)
{
    struct conn *c = a->owner;
    uint8_t *rest = malloc(a->len - a->at);
    if (rest != NULL) {
        memcpy(rest, a->bytes + a->at, a->len - a->at);
        c->rest = rest;
        c->rest_at = 0;
        c->rest_len = a->len - a->at;
        a->owner = NULL;
    }
}

/* A read that gave less than was asked for has emptied the socket: in the same turn of the library
 * the next one need not try. What comes later is a new edge for its epoll, which it looks at when
 * the next turn begins; the end of the stream that came with the last bytes is not, but told by our
 * own. */
static ssize_t
pull(gnutls_transport_ptr_t ptr, void *to, size_t size)
{
    struct conn *c = ptr;
    struct http_ahead *a = &c->loop->ahead;
    c->loop->stirred = true;
    if (a->owner == c) {
        return take_ahead(a, to, size);
    }
    if (c->rest != NULL) {
        return take_rest(c, to, size);
    }
    if (c->drained == c->loop->turns && !c->hangup) {
        errno = EAGAIN;
        return -1;
    }
    if (a->owner != NULL) {
        give_up_ahead(a);
    }
    const bool ahead = a->owner == NULL && size < sizeof a->bytes;
    const size_t room = ahead ? sizeof a->bytes : size;
    const ssize_t got = recv(c->fd, ahead ? (void *)a->bytes : to, room, 0);
    c->drained = got > 0 && (size_t)got < room ? c->loop->turns : 0;
    if (got <= 0 || !ahead) {
        return got;
    }
    a->owner = c;
    a->at = 0;
    a->len = (size_t)got;
    return take_ahead(a, to, size);
}

static int
pull_timeout(gnutls_transport_ptr_t ptr, unsigned ms)
{
    const struct conn *c = ptr;
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    return c->loop->ahead.owner == c || c->rest != NULL ? 1 : poll(&p, 1, (int)ms);
}

static int
on_key_update(gnutls_session_t tls, unsigned type, unsigned when, unsigned incoming,
              const gnutls_datum_t *message)
{
    (void)type, (void)when, (void)message;
    struct conn *c = gnutls_transport_get_ptr(tls);
    if (incoming != 0) {
        c->rekeyed = c->loop->rekeyed = true;
    }
    return 0;
}

void
http_transport_attach(struct conn *c)
{
    gnutls_handshake_set_hook_function(c->tls, GNUTLS_HANDSHAKE_KEY_UPDATE, GNUTLS_HOOK_PRE,
                                       on_key_update);
    gnutls_transport_set_ptr(c->tls, c);
    gnutls_transport_set_vec_push_function(c->tls, push);
    gnutls_transport_set_pull_function(c->tls, pull);
    gnutls_transport_set_pull_timeout_function(c->tls, pull_timeout);
}

void
http_transport_detach(struct conn *c)
{
    if (c->loop->ahead.owner == c) {
        c->loop->ahead.owner = NULL;
    }
    free(MOVE(c->rest));
}
