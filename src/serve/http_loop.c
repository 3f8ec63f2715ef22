/* One loop: epoll over the listening socket, the library's own epoll descriptor, our eventfd
 * (tickets, inbox, stop) and each connection's hang-up, which the library does not see while a
 * request is suspended.
 *
 * TLS handshakes: once a first byte has come, the library takes a connection for readable until
 * its handshake is over, and asks to be run again at once for as long as the client keeps it
 * waiting. So a connection is suspended ("parked") between the steps of its handshake, and our own
 * epoll says when there is something to read. */
#include "serve/http_loop.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS 128
#define ACCEPTS_AT_ONCE 32
#define MHD_FIELD_BYTES 64    /* what the library notes of a field, at least */
#define MHD_ANSWER_BYTES 2048 /* the head of an answer, and some of its body */
#define TAG_EVENT UINT64_MAX
#define TAG_MHD (UINT64_MAX - 1)
#define TAG_LISTEN (UINT64_MAX - HTTP_LISTENERS - 1) /* and the listener's number */
/* docs/serving.md states them. Forward secrecy and authenticated ciphers only; the signatures are
 * those that the keeper makes, and those that clients' certificates may have. */
#define TLS_PRIORITIES                                                                             \
    "NONE:+VERS-TLS1.3:+VERS-TLS1.2:+AES-256-GCM:+AES-128-GCM:+CHACHA20-POLY1305:+AEAD:+"          \
    "ECDHE-ECDSA:+ECDHE-RSA:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+SIGN-ECDSA-"          \
    "SECP256R1-SHA256:+SIGN-ECDSA-SECP384R1-SHA384:+SIGN-ECDSA-SHA256:+SIGN-ECDSA-SHA384:+SIGN-"   \
    "EDDSA-ED25519:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-PSS-RSAE-SHA384:+SIGN-RSA-PSS-RSAE-"        \
    "SHA512:+SIGN-RSA-SHA256:+SIGN-RSA-SHA384:+SIGN-RSA-SHA512:+CTYPE-X509"

/* ---- connections ---- */

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

/* From 1.0 on the library gives all answers in one place, the next over the last: copied at once.
 */
static union MHD_ConnectionInfo
connection_info(struct MHD_Connection *mhd, enum MHD_ConnectionInfoType type)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, type);
    return info == NULL ? (union MHD_ConnectionInfo){0} : *info;
}

static struct conn *
conn_new(struct http_loop *loop, struct MHD_Connection *mhd)
{
    const int fd = connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD).connect_fd;
    void *tls = connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION).tls_session;
    const struct sockaddr *address =
        connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS).client_addr;
    ASSERT(fd > 0 && tls != NULL && address != NULL);
    struct conn *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    *c = (struct conn){.next = loop->conns,
                       .loop = loop,
                       .mhd = mhd,
                       .tls = tls,
                       .fd = fd,
                       .generation = loop->generation,
                       .fresh = true,
                       .shaking = true,
                       .counted = true,
                       .listener = loop->adding,
                       .peer = peers_key(address),
                       .since_ns = clock_mono_ns()};
    address_put_text(address, c->address);
    if (!index_conn(loop, c)) {
        free(c);
        return NULL;
    }
    if (c->next != NULL) {
        c->next->prev = c;
    }
    loop->conns = c;
    http_transport_attach(c);
    http_tls_attach(c);
    return c;
}

static void
uncount(struct http_loop *loop, unsigned listener)
{
    (void)atomic_fetch_sub(&loop->load, 1);
    (void)atomic_fetch_sub(&loop->server->listener[listener].connections, 1);
}

static void
forget(struct http_loop *loop, unsigned listener, uint64_t peer)
{
    peers_leave(loop->server->listener[listener].peers, peer);
    uncount(loop, listener);
}

static bool
watch_conn(const struct conn *c, int operation, uint32_t events)
{
    struct epoll_event e = {.events = events | EPOLLET,
                            .data.u64 = (uint64_t)c->generation << 32 | (uint32_t)c->fd};
    return epoll_ctl(c->loop->epoll_fd, operation, c->fd, &e) == 0;
}

void
http_conn_watch_room(struct conn *c, bool on)
{
    (void)watch_conn(c, EPOLL_CTL_MOD, EPOLLRDHUP | (on ? (uint32_t)EPOLLOUT : 0));
}

static void
conn_opened(struct http_loop *loop, struct MHD_Connection *mhd, void **slot)
{
    loop->generation++;
    struct conn *c = conn_new(loop, mhd);
    *slot = c;
    if (c == NULL) {
        forget(loop, loop->adding,
               peers_key(connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS).client_addr));
        (void)shutdown(connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD).connect_fd,
                       SHUT_RDWR); /* the library sees it end */
        return;
    }
    if (!watch_conn(c, EPOLL_CTL_ADD, EPOLLIN | EPOLLRDHUP)) {
        http_conn_shut(c);
    }
}

static void
conn_closed(struct http_loop *loop, struct conn *c)
{
    if (c == NULL) {
        return;
    }
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
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
    http_transport_detach(c);
    http_tls_detach(c);
    forget(loop, c->listener, c->peer);
    free(c);
}

static void
on_connection(void *cls, struct MHD_Connection *mhd, void **slot,
              enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        conn_opened(cls, mhd, slot);
    } else {
        conn_closed(cls, *slot);
        *slot = NULL;
    }
}

/* ---- handshakes ---- */

static bool
is_handshake_done(const struct conn *c)
{
    const gnutls_handshake_description_t last = gnutls_handshake_get_last_in(c->tls);
    return last == GNUTLS_HANDSHAKE_FINISHED || last == GNUTLS_HANDSHAKE_KEY_UPDATE;
}

static void
unpark(struct conn *c)
{
    if (c->parked) {
        c->parked = false;
        MHD_resume_connection(c->mhd);
        c->loop->run = true;
    }
}

/* After the library has had its turn: the connection waits for more, or its handshake is over. */
static void
settle_handshake(struct conn *c)
{
    if (!c->shaking || c->parked) {
        return;
    }
    if (c->phase == PHASE_HANDSHAKE && !is_handshake_done(c)) {
        c->parked = true;
        MHD_suspend_connection(c->mhd);
        return;
    }
    c->shaking = false;
    http_conn_watch_room(c, c->stuck);
    if (c->phase == PHASE_HANDSHAKE) {
        c->phase = PHASE_IDLE;
        c->since_ns = clock_mono_ns();
    }
}

void
http_conn_shut(struct conn *c)
{
    c->phase = PHASE_DEAD;
    (void)shutdown(c->fd, SHUT_RDWR);
    unpark(c);
    c->loop->run = true;
}

/* ---- accepting ---- */

static bool
is_admitted(struct http_loop *loop, unsigned listener, const struct sockaddr *peer)
{
    const struct http_handler *h = &loop->server->handler;
    if (h->admits == NULL || h->admits(h->ctx, listener, peer)) {
        return true;
    }
    if (h->denied != NULL) {
        h->denied(h->ctx, listener, peer);
    }
    return false;
}

/* Hands an accepted socket to the library; it closes it when it fails. A peer that is gone already
 * is counted as nobody's, and given back as such. */
static void
add_connection(struct http_loop *loop, struct accepted accepted)
{
    struct sockaddr_storage address;
    socklen_t n = sizeof address;
    const int on = 1, fd = accepted.fd;
    struct sockaddr *a = (struct sockaddr *)(void *)&address;
    memset(&address, 0, sizeof address);
    if (getpeername(fd, a, &n) != 0 || !is_admitted(loop, accepted.listener, a) ||
        !peers_enter(loop->server->listener[accepted.listener].peers, peers_key(a))) {
        (void)close(fd);
        uncount(loop, accepted.listener);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const uint32_t before = loop->generation;
    loop->adding = accepted.listener;
    if (MHD_add_connection(loop->mhd, fd, a, n) != MHD_YES && loop->generation == before) {
        forget(loop, accepted.listener, peers_key(a));
    }
    loop->run = true;
}

static struct http_loop *
least_loaded(struct http_loop *own)
{
    struct http_server *s = own->server;
    struct http_loop *best = own;
    const unsigned running = atomic_load(&s->running);
    for (unsigned i = 0; i < running; i++) {
        if (atomic_load(&s->loops[i].load) < atomic_load(&best->load)) {
            best = &s->loops[i];
        }
    }
    return best;
}

static void
place_connection(struct http_loop *own, struct accepted accepted)
{
    struct http_loop *to = least_loaded(own);
    bool given = false;
    if (to != own) {
        (void)pthread_mutex_lock(&to->inbox_lock);
        given = to->inbox_count < HTTP_INBOX;
        if (given) {
            to->inbox[to->inbox_count++] = accepted;
            (void)atomic_fetch_add(&to->load, 1);
        }
        (void)pthread_mutex_unlock(&to->inbox_lock);
    }
    if (given) {
        http_loop_wake(to);
        return;
    }
    (void)atomic_fetch_add(&own->load, 1);
    add_connection(own, accepted);
}

static void
warn_rarely(struct http_loop *loop, const char *what)
{
    const int64_t now = clock_mono_ns();
    if (now - loop->warned_ns > 10 * NS_PER_S) {
        loop->warned_ns = now;
        log_event(LOG_WARN, "http.accept", "%s", what);
    }
}

static void
stop_listening(struct http_loop *loop)
{
    for (unsigned i = 0; i < HTTP_LISTENERS && loop->listening; i++) {
        if (loop->server->listener[i].fd >= 0) {
            (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, loop->server->listener[i].fd, NULL);
        }
    }
    loop->listening = false;
}

/* Out of descriptors: the spare one is given up to take a connection and close it. Where another
 * thread has snatched it, the loop would spin on accept: it does not listen until the next sweep.
 */
static void
drop_one(struct http_loop *loop, const struct listener *l)
{
    warn_rarely(loop, "out of file descriptors; connections are dropped");
    if (loop->spare_fd < 0) {
        stop_listening(loop);
        return;
    }
    (void)close(loop->spare_fd);
    const int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        (void)close(fd);
    }
    loop->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
accept_some(struct http_loop *loop, unsigned listener)
{
    struct listener *l = &loop->server->listener[listener];
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        const int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE) {
                drop_one(loop, l);
            }
            return;
        }
        if (atomic_fetch_add(&l->connections, 1) >= l->most) {
            (void)atomic_fetch_sub(&l->connections, 1);
            (void)close(fd);
            warn_rarely(loop, "the limit of connections is reached; further ones are closed");
            continue;
        }
        place_connection(loop, (struct accepted){fd, listener});
    }
}

static void
empty_inbox(struct http_loop *loop)
{
    struct accepted taken[HTTP_INBOX];
    (void)pthread_mutex_lock(&loop->inbox_lock);
    const unsigned n = loop->inbox_count;
    memcpy(taken, loop->inbox, n * sizeof *taken);
    loop->inbox_count = 0;
    (void)pthread_mutex_unlock(&loop->inbox_lock);
    for (unsigned i = 0; i < n; i++) {
        add_connection(loop, taken[i]);
    }
}

/* ---- the loop ---- */

static bool
watch(struct http_loop *loop, int fd, uint32_t events, uint64_t tag)
{
    struct epoll_event e = {.events = events, .data.u64 = tag};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &e) == 0;
}

void
http_loop_wake(struct http_loop *loop)
{
    const uint64_t one = 1;
    const ssize_t ignored = write(loop->event_fd, &one, sizeof one);
    (void)ignored;
}

static struct conn *
conn_tagged(const struct http_loop *loop, uint64_t tag)
{
    const uint32_t fd = (uint32_t)tag;
    struct conn *c = fd < loop->by_fd_cap ? loop->by_fd[fd] : NULL;
    return c == NULL || c->generation != (uint32_t)(tag >> 32) ? NULL : c;
}

static void
on_conn(struct http_loop *loop, const struct epoll_event *e)
{
    struct conn *c = conn_tagged(loop, e->data.u64);
    if (c == NULL) {
        return;
    }
    unpark(c);
    if (c->stuck) {
        http_transport_flush(c);
        http_release_settled(loop);
    }
    c->hangup = c->hangup || (e->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    if (c->hangup && c->request != NULL && c->request->waits) {
        c->request->gone = true;
        http_release(c->request);
    }
}

static void
on_event(struct http_loop *loop)
{
    uint64_t count = 0;
    const ssize_t ignored = read(loop->event_fd, &count, sizeof count);
    (void)ignored;
    empty_inbox(loop);
    http_release_settled(loop);
}

/* Has the library something to do by itself? While it holds requests that it is to ask about again
 * it always says so: then, if its last turn did more than ask. */
static bool
is_library_busy(const struct http_loop *loop)
{
    MHD_UNSIGNED_LONG_LONG ms = 1;
    return loop->asked > 0 ? loop->stirred : MHD_get_timeout(loop->mhd, &ms) == MHD_YES && ms == 0;
}

static int
next_timeout(const struct http_loop *loop)
{
    int64_t sweep = (loop->swept_ns + loop->server->sweep_ns - clock_mono_ns()) / 1000000 + 1;
    sweep = sweep < 0 ? 0 : sweep;
    return loop->run || is_library_busy(loop) ? 0 : (int)sweep;
}

/* Before it sleeps, what gathers is asked for. */
static int
wait_for_events(struct http_loop *loop, struct epoll_event *events)
{
    const int timeout = next_timeout(loop);
    int n = epoll_wait(loop->epoll_fd, events, EVENTS, loop->gathering_ns != 0 ? 0 : timeout);
    if (n == 0 && loop->gathering_ns != 0 && timeout != 0) {
        http_hasten(loop);
        n = epoll_wait(loop->epoll_fd, events, EVENTS, timeout);
    }
    return n;
}

static bool
start_listening(struct http_loop *loop)
{
    bool all = true;
    for (unsigned i = 0; i < HTTP_LISTENERS; i++) {
        const int fd = loop->server->listener[i].fd;
        all = all && (fd < 0 || watch(loop, fd, EPOLLIN | EPOLLEXCLUSIVE, TAG_LISTEN + i) ||
                      errno == EEXIST);
    }
    return all;
}

/* What running out of descriptors has taken. */
static void
recover(struct http_loop *loop)
{
    if (loop->spare_fd < 0) {
        loop->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    if (!loop->listening && atomic_load(&loop->server->stopping) == 0) {
        loop->listening = start_listening(loop);
    }
}

/* After a key update GnuTLS says that there is nothing more, whatever follows it, and the library
 * waits for more: it is told to look again. */
static void
read_past_key_updates(struct http_loop *loop)
{
    loop->rekeyed = false;
    for (struct conn *c = loop->conns; c != NULL; c = c->next) {
        const bool waits = c->parked || (c->request != NULL && c->request->suspended);
        if (c->rekeyed && !waits && c->phase != PHASE_DEAD) {
            MHD_suspend_connection(c->mhd);
            MHD_resume_connection(c->mhd);
            loop->run = true;
        }
        c->rekeyed = false;
    }
}

/* The list of connections has the newest first. */
static void
run_library(struct http_loop *loop)
{
    if (loop->run || is_library_busy(loop)) {
        loop->run = loop->stirred = false;
        loop->turns++;
        (void)MHD_run(loop->mhd);
    }
    for (struct conn *c = loop->conns; c != NULL && (int32_t)(c->generation - loop->settled) > 0;
         c = c->next) {
        settle_handshake(c);
    }
    loop->settled = loop->generation;
    if (loop->rekeyed) {
        read_past_key_updates(loop);
    }
}

/* The rules, or the clients' authorities, have changed: who may be connected is asked anew, and who
 * may not is cut off. */
static void
recheck(struct http_loop *loop)
{
    const unsigned asked = atomic_load(&loop->server->rechecks);
    if (asked == loop->rechecked) {
        return;
    }
    loop->rechecked = asked;
    for (struct conn *c = loop->conns; c != NULL; c = c->next) {
        struct sockaddr_storage address = {0};
        socklen_t n = sizeof address;
        struct sockaddr *a = (struct sockaddr *)(void *)&address;
        if (c->phase != PHASE_DEAD && (getpeername(c->fd, a, &n) != 0 ||
                                       !is_admitted(loop, c->listener, a) || !http_tls_stands(c))) {
            http_conn_shut(c);
        }
    }
}

static void
turn(struct http_loop *loop)
{
    struct epoll_event events[EVENTS];
    const int n = wait_for_events(loop, events);
    for (int i = 0; i < n; i++) {
        const uint64_t tag = events[i].data.u64;
        if (tag >= TAG_LISTEN && tag < TAG_LISTEN + HTTP_LISTENERS) {
            accept_some(loop, (unsigned)(tag - TAG_LISTEN));
        } else if (tag == TAG_EVENT) {
            on_event(loop);
        } else if (tag == TAG_MHD) {
            loop->run = true;
        } else {
            on_conn(loop, &events[i]);
        }
    }
    run_library(loop);
    recheck(loop);
    for (int i = 0; i < n; i++) {
        struct conn *c = conn_tagged(loop, events[i].data.u64);
        if (c != NULL) {
            settle_handshake(c);
        }
    }
    const int64_t now = clock_mono_ns();
    if (now - loop->swept_ns >= loop->server->sweep_ns) {
        recover(loop);
        http_sweep(loop, now);
    }
}

static bool
has_work(const struct http_loop *loop)
{
    return loop->active > 0 || loop->waiting != NULL;
}

/* After the grace: what still waits is let go, so that the library may be stopped. */
static void
let_go(struct http_loop *loop)
{
    loop->closing = true;
    while (loop->waiting != NULL) {
        loop->waiting->gone = true;
        http_release(loop->waiting);
    }
    for (struct conn *c = loop->conns; c != NULL; c = c->next) {
        unpark(c);
    }
    loop->turns++;
    (void)MHD_run(loop->mhd);
}

static void *
run(void *arg)
{
    struct http_loop *loop = arg;
    struct http_server *s = loop->server;
    bool counted_idle = false;
    while (atomic_load(&s->stopping) < 2) {
        turn(loop);
        if (atomic_load(&s->stopping) == 1) {
            stop_listening(loop);
            if (!counted_idle && !has_work(loop)) {
                counted_idle = true;
                (void)atomic_fetch_sub(&s->busy, 1);
            }
        }
    }
    let_go(loop);
    return NULL;
}

/* ---- start and end ---- */

static void
silent(void *cls, const char *format, va_list args)
{
    (void)cls, (void)format,
        (void)args; /* its lines are about clients' mistakes, and not ours to format */
}

static struct MHD_Daemon *
start_daemon(struct http_loop *loop)
{
    const struct http_options *o = &loop->server->options;
    const unsigned flags =
        MHD_USE_TLS | MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME;
    /* Before 1.0 strict means that the library answers a missing Host itself, and twice: the gate
     * does it better. */
    const intptr_t strict = loop->server->library >= HTTP_MHD_STRICT;
    /* It overwrites all of that with zeros, and half of it again, for each request. */
    const size_t memory =
        o->limits.header_bytes + o->limits.header_count * MHD_FIELD_BYTES + MHD_ANSWER_BYTES;
    const struct MHD_OptionItem items[] = {
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, loop},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)http_on_completed, loop},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)http_on_target, loop},
        {MHD_OPTION_CONNECTION_LIMIT,
         (intptr_t)o->limits.connections + (intptr_t)o->second.connections +
             (intptr_t)o->third.connections + 8,
         NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)memory, NULL},
        {MHD_OPTION_STRICT_FOR_CLIENT, strict, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    return MHD_start_daemon(flags, 0, NULL, NULL, http_on_request, loop, MHD_OPTION_EXTERNAL_LOGGER,
                            silent, NULL, MHD_OPTION_HTTPS_CERT_CALLBACK, http_on_certificate,
                            MHD_OPTION_ARRAY, items, MHD_OPTION_END);
}

static struct status
open_descriptors(struct http_loop *loop)
{
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(loop->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    CHECK(info != NULL, UNSUPPORTED);
    loop->mhd_fd = info->listen_fd; /* the union's descriptor, whatever was asked for */
    loop->listening = true;
    if (loop->epoll_fd < 0 || loop->event_fd < 0 || loop->spare_fd < 0 ||
        !watch(loop, loop->event_fd, EPOLLIN, TAG_EVENT) ||
        !watch(loop, loop->mhd_fd, EPOLLIN, TAG_MHD) || !start_listening(loop)) {
        FAIL_OS(errno);
    }
    return OK;
}

struct status
http_loop_start(struct http_server *s, struct http_loop *loop, struct diag *diag)
{
    loop->server = s;
    loop->epoll_fd = loop->event_fd = loop->spare_fd = -1;
    loop->swept_ns = clock_mono_ns();
    CHECK(pthread_mutex_init(&loop->inbox_lock, NULL) == 0, MEMORY);
    loop->scratch = arena_new(s->options.arena_bytes);
    CHECK(loop->scratch != NULL, MEMORY);
    buf_init(&loop->body, s->options.limits.body_bytes);
    loop->mhd = start_daemon(loop);
    if (loop->mhd == NULL) {
        diag_set(diag, "the HTTP library did not start");
        FAIL(UNSUPPORTED);
    }
    TRY(open_descriptors(loop));
    if (s->handler.subscribe != NULL) {
        TRY(s->handler.subscribe(s->handler.ctx, loop->event_fd));
        loop->subscribed = true;
    }
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)sigdelset(&all, SIGSYS); /* a refused system call is told */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const int rc = pthread_create(&loop->thread, NULL, run, loop);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        FAIL_OS(rc);
    }
    loop->started = true;
    return OK;
}

void
http_loop_done(struct http_loop *loop)
{
    if (loop->mhd != NULL) {
        MHD_stop_daemon(loop->mhd);
    }
    while (loop->spare != NULL) {
        struct request *r = loop->spare;
        loop->spare = r->next;
        http_request_free(r);
    }
    arena_free(loop->scratch);
    buf_done(&loop->body);
    for (unsigned i = 0; i < loop->inbox_count; i++) {
        (void)close(loop->inbox[i].fd);
    }
    if (loop->subscribed && loop->server->handler.unsubscribe != NULL) {
        loop->server->handler.unsubscribe(loop->server->handler.ctx, loop->event_fd);
    }
    const int fds[] = {loop->epoll_fd, loop->event_fd, loop->spare_fd};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    (void)pthread_mutex_destroy(&loop->inbox_lock);
    free(loop->by_fd);
}
