/* One connection: accepted, its handshake, its requests one after another, its end. It is run when
 * epoll tells of it, and goes on as far as what has come reaches. */
#include "serve/http_loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define STEPS_AT_ONCE 32          /* then the others have their turn */
#define LINGER_BYTES (256u << 10) /* read from one that goes on sending after our last word */
#define KEPT_BYTES 4096u          /* of memory, between requests */

void
http_conn_enter(struct conn *c, enum phase phase)
{
    if (c->phase != PHASE_DEAD) {
        c->phase = phase;
        c->since_ns = c->loop->now_ns;
    }
}

/* ---- its beginning and its end ---- */

static bool
index_conn(struct http_loop *loop, struct conn *c)
{
    const size_t need = (size_t)c->fd + 1;
    if (need > loop->by_fd_cap) {
        const size_t cap = need < 256 ? 256 : need * 2;
        struct conn **grown = realloc(loop->by_fd, cap * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        memset(grown + loop->by_fd_cap, 0, (cap - loop->by_fd_cap) * sizeof *grown);
        loop->by_fd = grown;
        loop->by_fd_cap = cap;
    }
    loop->by_fd[c->fd] = c;
    return true;
}

/* Both ways and by edge, once for all: a call needs no epoll_ctl. */
static bool
watch(const struct conn *c)
{
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                            .data.u64 = (uint64_t)c->generation << 32 | (uint32_t)c->fd};
    return epoll_ctl(c->loop->epoll_fd, EPOLL_CTL_ADD, c->fd, &e) == 0;
}

static void
link_conn(struct http_loop *loop, struct conn *c)
{
    c->next = loop->conns;
    if (c->next != NULL) {
        c->next->prev = c;
    }
    loop->conns = c;
}

static void
forget(struct http_loop *loop, unsigned listener, uint64_t peer)
{
    struct listener *l = &loop->server->listener[listener];
    peers_leave(l->peers, peer);
    (void)atomic_fetch_sub(&loop->load, 1);
    (void)atomic_fetch_sub(&l->connections, 1);
}

void
http_conn_open(struct http_loop *loop, struct accepted accepted, const struct sockaddr *peer)
{
    const int on = 1;
    struct conn *c = calloc(1, sizeof *c);
    (void)setsockopt(accepted.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (c == NULL) {
        (void)close(accepted.fd);
        forget(loop, accepted.listener, peers_key(peer));
        return;
    }
    *c = (struct conn){.loop = loop,
                       .fd = accepted.fd,
                       .generation = ++loop->generation,
                       .fresh = true,
                       .listener = accepted.listener,
                       .peer = peers_key(peer),
                       .since_ns = clock_mono_ns()};
    address_put_text(peer, c->address);
    buf_init(&c->kept, loop->server->options.limits.header_bytes + 2 * HTTP_RECORD_BYTES);
    link_conn(loop, c);
    if (!http_tls_begin(c) || !index_conn(loop, c) || !watch(c)) {
        http_conn_shut(c);
    }
}

void
http_conn_close(struct conn *c)
{
    struct http_loop *loop = c->loop;
    http_request_abandon(c);
    if ((size_t)c->fd < loop->by_fd_cap && loop->by_fd[c->fd] == c) {
        loop->by_fd[c->fd] = NULL;
    }
    if (c->prev != NULL) {
        c->prev->next = c->next;
    } else {
        loop->conns = c->next;
    }
    if (c->next != NULL) {
        c->next->prev = c->prev;
    }
    http_tls_end(c);
    (void)close(c->fd);
    forget(loop, c->listener, c->peer);
    buf_wipe(&c->kept);
    free(c->rest);
    free(c);
}

void
http_conn_schedule(struct conn *c)
{
    struct http_loop *loop = c->loop;
    if (c->scheduled) {
        return;
    }
    c->scheduled = true;
    c->next_scheduled = NULL;
    if (loop->scheduled == NULL) {
        loop->scheduled = c;
    } else {
        loop->scheduled_last->next_scheduled = c;
    }
    loop->scheduled_last = c;
}

void
http_conn_shut(struct conn *c)
{
    c->phase = PHASE_DEAD;
    if (c->request != NULL && c->request->waits) {
        http_release(c->request);
    }
    (void)shutdown(c->fd, SHUT_RDWR);
    http_conn_schedule(c);
}

/* A socket that is closed with bytes unread resets the connection, and the peer may lose our last
 * answer: it is waited for, within limits. */
void
http_conn_end(struct conn *c)
{
    (void)gnutls_bye(c->tls, GNUTLS_SHUT_WR);
    (void)shutdown(c->fd, SHUT_WR);
    http_conn_enter(c, PHASE_LINGER);
    http_conn_schedule(c);
}

static void
linger(struct conn *c)
{
    struct http_ahead *a = &c->loop->ahead;
    free(MOVE(c->rest));
    ssize_t n = 1;
    while (n > 0 && c->lingered < LINGER_BYTES) {
        n = recv(c->fd, a->bytes, sizeof a->bytes, 0);
        c->lingered += n > 0 ? (size_t)n : 0;
    }
    if (n >= 0 || errno != EAGAIN) {
        http_conn_shut(c);
    }
}

/* ---- its turn ---- */

/* True: the handshake is over. */
static bool
shake(struct conn *c)
{
    switch (http_tls_shake(c)) {
    case HTTP_SHAKE_DONE:
        http_conn_enter(c, PHASE_IDLE);
        return true;
    case HTTP_SHAKE_FAILED:
        http_conn_shut(c);
        return false;
    case HTTP_SHAKE_WAITS:
        break;
    }
    if (!c->dry && http_transport_has_more(c)) {
        http_conn_schedule(c);
    }
    return false;
}

/* What is left goes to the beginning of the connection's own memory: out of the loop's, which the
 * next one needs, or from further behind. */
static bool
keep_input(struct conn *c)
{
    const uint8_t *plain = c->loop->plain;
    if (c->in.len == 0) {
        buf_reset(&c->kept);
        if (c->kept.cap > KEPT_BYTES) {
            buf_wipe(&c->kept);
        }
    } else if (c->in.ptr >= plain && c->in.ptr < plain + HTTP_RECORD_BYTES) {
        buf_reset(&c->kept);
        buf_put(&c->kept, view_of(c->in.ptr, c->in.len));
        c->in.ptr = c->kept.ptr;
    } else if (c->in.ptr != c->kept.ptr) {
        memmove(c->kept.ptr, c->in.ptr, c->in.len);
        c->kept.len = c->in.len;
        c->in.ptr = c->kept.ptr;
    }
    return status_ok(buf_status(&c->kept));
}

/* Behind what is kept, or into the loop's memory. */
static enum http_read
read_more(struct conn *c)
{
    uint8_t *to = c->loop->plain;
    size_t n = 0;
    if (c->in.len > 0) {
        to = keep_input(c) ? buf_reserve(&c->kept, HTTP_RECORD_BYTES) : NULL;
        if (to == NULL) {
            return HTTP_READ_END;
        }
    }
    const enum http_read read = http_transport_read(c, to, HTTP_RECORD_BYTES, &n);
    c->kept.len += c->in.len > 0 ? n : 0;
    c->in.ptr = c->in.len > 0 ? c->kept.ptr : to;
    c->in.len += n;
    return read;
}

static bool
is_reading(const struct conn *c)
{
    return c->phase == PHASE_IDLE || c->phase == PHASE_HEAD || c->phase == PHASE_BODY;
}

static void
read_requests(struct conn *c)
{
    for (int i = 0; i < STEPS_AT_ONCE && is_reading(c); i++) {
        if (http_request_step(c)) {
            continue;
        }
        const enum http_read read = read_more(c);
        if (read == HTTP_READ_END) {
            http_conn_shut(c);
        }
        if (read != HTTP_READ_SOME) {
            return;
        }
    }
    if (is_reading(c)) {
        http_conn_schedule(c);
    }
}

static void
go_on(struct conn *c)
{
    if (c->phase == PHASE_LINGER) {
        linger(c);
    } else if (c->phase == PHASE_CALL && c->hangup && c->request->waits) {
        http_conn_shut(c); /* nobody is there who could read the answer */
    } else if ((c->phase != PHASE_HANDSHAKE || shake(c)) &&
               (c->phase != PHASE_SEND || http_answer_go_on(c))) {
        read_requests(c);
    }
}

void
http_conn_run(struct conn *c)
{
    c->loop->now_ns = clock_mono_ns();
    if (c->phase != PHASE_DEAD) {
        go_on(c);
        http_transport_leave(c);
        if (!keep_input(c)) {
            http_conn_shut(c);
        }
    }
}
