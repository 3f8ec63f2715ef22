#include "serve/http.h"

#include "base/threads.h"
#include "serve/http_loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 1024
#define LOOPS_MAX 64u

static struct status
refuse_socket(const struct http_listener *o, struct diag *diag)
{
    const int err = errno;
    if (err == EADDRINUSE) {
        diag_set(diag,
                 "%s port %u: in use by another program; --listen %s:PORT takes another, port 0 a "
                 "free one",
                 o->address, o->port, o->address);
        FAIL(BUSY);
    }
    diag_set(diag, "%s port %u: %s", o->address, o->port, strerror(err));
    FAIL_OS(err);
}

static struct status
open_listener(const struct http_listener *o, struct diag *diag, struct listener *l)
{
    struct address address;
    const int on = 1;
    l->most = o->connections;
    l->peers = peers_new(o->connections_per_address);
    CHECK(l->peers != NULL, MEMORY);
    if (!status_ok(address_parse(view_str(o->address), o->port, &address))) {
        diag_set(diag, "listen address \"%s\": write an IPv4 or IPv6 address", o->address);
        FAIL(INPUT);
    }
    struct sockaddr *a = (struct sockaddr *)(void *)&address.storage;
    socklen_t n = address.len;
    l->fd = socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd < 0) {
        return refuse_socket(o, diag);
    }
    (void)setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(l->fd, a, n) != 0 || listen(l->fd, BACKLOG) != 0 || getsockname(l->fd, a, &n) != 0) {
        return refuse_socket(o, diag);
    }
    l->port = address_port(a);
    return OK;
}

static struct status
open_listeners(struct http_server *s, struct diag *diag)
{
    const struct http_options *o = &s->options;
    const struct http_listener first = {o->address, o->port, o->limits.connections,
                                        o->limits.connections_per_address};
    const struct http_listener *all[HTTP_LISTENERS] = {&first, &o->second, &o->third};
    for (unsigned i = 0; i < HTTP_LISTENERS; i++) {
        if (all[i]->address != NULL) {
            TRY(open_listener(all[i], diag, &s->listener[i]));
        }
    }
    return OK;
}

/* A few sweeps in the shortest deadline, at most 20 and at least one a second. */
static int64_t
sweep_interval(const struct http_limits *l)
{
    int64_t least = l->handshake_ns;
    least = l->header_ns < least ? l->header_ns : least;
    least = l->body_ns < least ? l->body_ns : least;
    least = l->request_ns < least ? l->request_ns : least;
    least = l->idle_ns < least ? l->idle_ns : least;
    least /= 4;
    return least < NS_PER_S / 20 ? NS_PER_S / 20 : least > NS_PER_S ? NS_PER_S : least;
}

static void
server_free(struct http_server *s)
{
    for (unsigned i = 0; i < HTTP_LISTENERS; i++) {
        if (s->listener[i].fd >= 0) {
            (void)close(s->listener[i].fd);
        }
        peers_free(s->listener[i].peers);
    }
    http_tls_free(s->tls);
    identity_free(s->identity);
    (void)pthread_mutex_destroy(&s->identity_lock);
    free(s->loops);
    free(s);
}

static void
end_loops(struct http_server *s, unsigned count)
{
    atomic_store(&s->stopping, 2);
    for (unsigned i = 0; i < count; i++) {
        if (s->loops[i].started) {
            http_loop_wake(&s->loops[i]);
            (void)pthread_join(s->loops[i].thread, NULL);
        }
    }
    for (unsigned i = 0; i < count; i++) {
        http_loop_done(&s->loops[i]);
    }
}

static struct status
start(struct http_server *s, struct diag *diag)
{
    TRY(open_listeners(s, diag));
    TRY(http_tls_new(diag, &s->tls));
    s->loops = calloc(s->loop_count, sizeof *s->loops);
    CHECK(s->loops != NULL, MEMORY);
    atomic_store(&s->busy, s->loop_count);
    for (unsigned i = 0; i < s->loop_count; i++) {
        const struct status started = http_loop_start(s, &s->loops[i]);
        if (!status_ok(started)) {
            end_loops(s, i + 1);
            return started;
        }
        atomic_store(&s->running, i + 1);
    }
    return OK;
}

struct status
http_start(const struct http_options *o, const struct http_handler *h, struct diag *diag,
           struct http_server **ret_server)
{
    struct http_server *s = calloc(1, sizeof *s);
    CHECK(s != NULL, MEMORY);
    s->options = *o;
    s->handler = *h;
    for (unsigned i = 0; i < HTTP_LISTENERS; i++) {
        s->listener[i].fd = -1;
    }
    if (pthread_mutex_init(&s->identity_lock, NULL) != 0) {
        free(s);
        FAIL(MEMORY);
    }
    s->identity = identity_take(o->identity);
    s->sweep_ns = sweep_interval(&o->limits);
    s->loop_count = o->loops == 0 ? threads_cores() : o->loops;
    s->loop_count = s->loop_count > LOOPS_MAX ? LOOPS_MAX : s->loop_count;
    const struct status started = start(s, diag);
    if (!status_ok(started)) {
        server_free(s);
        return started;
    }
    *ret_server = s;
    return OK;
}

uint16_t
http_port(const struct http_server *s, unsigned listener)
{
    return s->listener[listener].port;
}

int64_t
http_cpu_ns(const struct http_server *s)
{
    int64_t sum = 0;
    for (unsigned i = 0; i < s->loop_count; i++) {
        clockid_t clock;
        struct timespec t = {0};
        if (pthread_getcpuclockid(s->loops[i].thread, &clock) == 0 &&
            clock_gettime(clock, &t) == 0) {
            sum += (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
        }
    }
    return sum;
}

void
http_recheck(struct http_server *s)
{
    (void)atomic_fetch_add(&s->rechecks, 1);
    for (unsigned i = 0; i < s->loop_count; i++) {
        http_loop_wake(&s->loops[i]);
    }
}

void
http_stop(struct http_server *s, int64_t grace_ns)
{
    const int64_t until = clock_mono_ns() + grace_ns;
    atomic_store(&s->stopping, 1);
    for (unsigned i = 0; i < s->loop_count; i++) {
        http_loop_wake(&s->loops[i]);
    }
    while (atomic_load(&s->busy) > 0 && clock_mono_ns() < until) {
        const struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};
        (void)nanosleep(&pause, NULL);
    }
    end_loops(s, s->loop_count);
    server_free(s);
}
