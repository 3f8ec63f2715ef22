/* One loop: epoll over the listening sockets, our eventfd (tickets, inbox, stop) and each
 * connection. What an event begins goes on as far as what has come reaches; a connection that has
 * more to do than its turn allows is scheduled for the next. */
#include "serve/http_loop.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS 128
#define ACCEPTS_AT_ONCE 32
#define TAG_EVENT UINT64_MAX
#define TAG_LISTEN (UINT64_MAX - HTTP_LISTENERS) /* and the listener's number */

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

static void
uncount(struct http_loop *loop, unsigned listener)
{
    (void)atomic_fetch_sub(&loop->load, 1);
    (void)atomic_fetch_sub(&loop->server->listener[listener].connections, 1);
}

/* A peer that is gone already is counted as nobody's, and given back as such. */
static void
add_connection(struct http_loop *loop, struct accepted accepted)
{
    struct sockaddr_storage address = {0};
    socklen_t n = sizeof address;
    struct sockaddr *a = (struct sockaddr *)(void *)&address;
    if (getpeername(accepted.fd, a, &n) != 0 || !is_admitted(loop, accepted.listener, a) ||
        !peers_enter(loop->server->listener[accepted.listener].peers, peers_key(a))) {
        (void)close(accepted.fd);
        uncount(loop, accepted.listener);
        return;
    }
    http_conn_open(loop, accepted, a);
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
    const bool ends = (e->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    c->hangup = c->hangup || ends;
    c->readable = c->readable || ends || (e->events & EPOLLIN) != 0;
    http_conn_run(c);
}

static void
on_event(struct http_loop *loop)
{
    uint64_t count = 0;
    const ssize_t ignored = read(loop->event_fd, &count, sizeof count);
    (void)ignored;
    empty_inbox(loop);
    http_answer_settled(loop);
}

static int
next_timeout(const struct http_loop *loop)
{
    int64_t sweep = (loop->swept_ns + loop->server->sweep_ns - clock_mono_ns()) / 1000000 + 1;
    sweep = sweep < 0 ? 0 : sweep;
    return loop->scheduled != NULL ? 0 : (int)sweep;
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

/* Those that are scheduled now: what they schedule has its turn after the next events. */
static void
run_scheduled(struct http_loop *loop)
{
    struct conn *next = NULL;
    struct conn *c = loop->scheduled;
    loop->scheduled = loop->scheduled_last = NULL;
    for (; c != NULL; c = next) {
        next = c->next_scheduled;
        c->scheduled = false;
        http_conn_run(c);
        if (c->phase == PHASE_DEAD && !c->scheduled) {
            http_conn_close(c);
        }
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
        } else {
            on_conn(loop, &events[i]);
        }
    }
    recheck(loop);
    run_scheduled(loop);
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

/* After the grace: whatever its state. */
static void
let_go(struct http_loop *loop)
{
    while (loop->conns != NULL) {
        http_conn_close(loop->conns);
    }
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

static struct status
open_descriptors(struct http_loop *loop)
{
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    loop->listening = true;
    if (loop->epoll_fd < 0 || loop->event_fd < 0 || loop->spare_fd < 0 ||
        !watch(loop, loop->event_fd, EPOLLIN, TAG_EVENT) || !start_listening(loop)) {
        FAIL_OS(errno);
    }
    return OK;
}

struct status
http_loop_start(struct http_server *s, struct http_loop *loop)
{
    loop->server = s;
    loop->epoll_fd = loop->event_fd = loop->spare_fd = -1;
    loop->swept_ns = clock_mono_ns();
    CHECK(pthread_mutex_init(&loop->inbox_lock, NULL) == 0, MEMORY);
    loop->scratch = arena_new(s->options.arena_bytes);
    CHECK(loop->scratch != NULL, MEMORY);
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
    while (loop->spare != NULL) {
        struct request *r = loop->spare;
        loop->spare = r->next;
        http_request_free(r);
    }
    arena_free(loop->scratch);
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
