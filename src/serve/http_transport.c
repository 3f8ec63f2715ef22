/* What TLS reads and sends. A record is read from the socket in one piece, not its head first, and
 * what was read beyond it waits. A read that gave less than was asked for has emptied the socket:
 * the next one is not made before epoll tells of more. */
#include "serve/http_loop.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

static ssize_t
take(const uint8_t *from, size_t *at, size_t len, void *to, size_t size)
{
    const size_t left = len - *at, n = size < left ? size : left;
    memcpy(to, from + *at, n);
    *at += n;
    return (ssize_t)n;
}

static ssize_t
take_rest(struct conn *c, void *to, size_t size)
{
    const ssize_t n = take(c->rest, &c->rest_at, c->rest_len, to, size);
    if (c->rest_at == c->rest_len) {
        free(MOVE(c->rest));
    }
    return n;
}

static ssize_t
pull(gnutls_transport_ptr_t ptr, void *to, size_t size)
{
    struct conn *c = ptr;
    struct http_ahead *a = &c->loop->ahead;
    if (c->rest != NULL) {
        return take_rest(c, to, size);
    }
    if (a->at < a->len) {
        return take(a->bytes, &a->at, a->len, to, size);
    }
    if (!c->readable) {
        c->dry = true;
        errno = EAGAIN;
        return -1;
    }
    const ssize_t got = recv(c->fd, a->bytes, sizeof a->bytes, 0);
    c->readable = got > 0 && ((size_t)got == sizeof a->bytes || c->hangup);
    if (got <= 0) {
        c->dry = got < 0;
        return got;
    }
    a->at = 0;
    a->len = (size_t)got;
    return take(a->bytes, &a->at, a->len, to, size);
}

/* Asked by GnuTLS where it could wait, which it never may here. */
static int
pull_timeout(gnutls_transport_ptr_t ptr, unsigned ms)
{
    (void)ms;
    return http_transport_has_more(ptr);
}

void
http_transport_attach(struct conn *c)
{
    gnutls_transport_set_ptr2(c->tls, c, (gnutls_transport_ptr_t)(intptr_t)c->fd);
    gnutls_transport_set_pull_function(c->tls, pull);
    gnutls_transport_set_pull_timeout_function(c->tls, pull_timeout);
}

void
http_transport_leave(struct conn *c)
{
    struct http_ahead *a = &c->loop->ahead;
    const size_t left = a->len - a->at;
    if (left > 0 && c->phase != PHASE_DEAD) {
        c->rest = malloc(left);
        c->rest_at = 0;
        c->rest_len = left;
        if (c->rest != NULL) {
            memcpy(c->rest, a->bytes + a->at, left);
        } else {
            http_conn_shut(c);
        }
    }
    a->at = a->len = 0;
}

bool
http_transport_has_more(const struct conn *c)
{
    return c->readable || c->rest != NULL || c->loop->ahead.at < c->loop->ahead.len;
}

/* GnuTLS says that there is nothing, too, after a record that is not the application's, such as a
 * key update, whatever follows it. */
enum http_read
http_transport_read(struct conn *c, uint8_t *to, size_t size, size_t *ret_len)
{
    c->dry = false;
    const ssize_t n = gnutls_record_recv(c->tls, to, size);
    *ret_len = n > 0 ? (size_t)n : 0;
    if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED) {
        return c->dry ? HTTP_READ_NOTHING : HTTP_READ_SOME;
    }
    return n > 0 ? HTTP_READ_SOME : HTTP_READ_END;
}

ssize_t
http_transport_send(struct conn *c, const uint8_t *bytes, size_t n)
{
    const ssize_t sent =
        gnutls_record_send(c->tls, c->flushing ? NULL : bytes, c->flushing ? 0 : n);
    c->flushing = sent == GNUTLS_E_AGAIN || sent == GNUTLS_E_INTERRUPTED;
    return sent;
}
