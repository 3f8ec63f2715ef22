#include "vault/holder.h"

#include "base/apart.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOLDER_FD 3
#define RENEWAL_FD 4
#define GRACE_S 5 /* for the process to tell of an act that took too long */
#define EXIT_REFUSED 3

struct holder {
    const struct holder_kind *kind;
    pthread_mutex_t lock; /* one act at a time; serial */
    int fd;               /* -1: let go */
    int renewal;          /* a byte asks for it; -1: nothing is renewed */
    pid_t pid;            /* 0: not ours */
    uint32_t serial;
};

/* Both ends are one program: as they lie in memory. */
enum act { ACT_WRAP, ACT_UNWRAP };
struct request {
    uint32_t serial, act;
    uint8_t key[VAULT_KEY_BYTES];
    struct holder_wrapped wrapped;
};
struct reply {
    uint32_t serial;
    int32_t code, os;
    uint8_t key[VAULT_KEY_BYTES];
    struct holder_wrapped wrapped;
    struct diag diag;
};
struct renewed {
    int32_t code, os;
    struct diag diag;
};

static void
wipe_request(struct request *q)
{
    secret_wipe(q, sizeof *q);
}

static void
wipe_reply(struct reply *r)
{
    secret_wipe(r, sizeof *r);
}

/* ---- the process ---- */

/* A fork inherits no lock. */
static void
lock_memory(const struct holder_kind *k, const void *ctx, const void *message, size_t len)
{
    (void)mlock(message, len);
    if (k->lock != NULL) {
        k->lock(ctx);
    }
}

static bool
say(const struct reply *r)
{
    return send(HOLDER_FD, r, sizeof *r, MSG_NOSIGNAL) == (ssize_t)sizeof *r;
}

static void
say_failure(const struct request *q, struct status s, const char *text)
{
    struct reply r = {.serial = q->serial, .code = s.code, .os = s.os};
    diag_set(&r.diag, "%s", text);
    (void)say(&r);
}

__attribute__((noreturn)) static void
act(const struct holder_kind *k, const void *ctx, const struct request *q)
{
    struct reply r = {.serial = q->serial};
    if (k->renew != NULL) {
        (void)close(RENEWAL_FD);
    }
    lock_memory(k, ctx, q, sizeof *q);
    (void)mlock(&r, sizeof r);
    const struct status s = q->act == ACT_WRAP ? k->wrap(ctx, q->key, &r.diag, &r.wrapped)
                                               : k->unwrap(ctx, &q->wrapped, &r.diag, r.key);
    r.code = s.code;
    r.os = s.os;
    (void)say(&r);
    _exit(s.code == STATUS_AUTH ? EXIT_REFUSED : 0);
}

/* renewal: RENEWAL_FD; -1 once nobody asks for it. */
static void
renew(const struct holder_kind *k, void *ctx, int *renewal)
{
    char asked = 0;
    struct renewed r = {0};
    if (recv(RENEWAL_FD, &asked, 1, 0) != 1) {
        *renewal = -1;
        return;
    }
    const struct status s = k->renew(ctx, &r.diag);
    r.code = s.code;
    r.os = s.os;
    (void)!send(RENEWAL_FD, &r, sizeof r, MSG_NOSIGNAL);
}

enum end { END_DONE, END_LATE, END_RENEWAL };

/* Until the child is done, has taken too long, nobody waits for it any more, or what it was given
 * is to be another. */
static enum end
await_end(const struct holder_kind *k, int child, int renewal)
{
    struct pollfd p[3] = {
        {.fd = child, .events = POLLIN}, {.fd = HOLDER_FD}, {.fd = renewal, .events = POLLIN}};
    (void)poll(p, 3, (int)k->patience_s * 1000);
    return (p[0].revents & POLLIN) != 0 ? END_DONE : p[2].revents != 0 ? END_RENEWAL : END_LATE;
}

/* *ret_status as waitpid has it. */
static enum end
watch(const struct holder_kind *k, pid_t pid, const struct request *q, int renewal, int *ret_status)
{
    const int child = pidfd_open(pid, 0);
    const enum end end = child < 0 ? END_LATE : await_end(k, child, renewal);
    const bool done = end == END_DONE;
    int status = 0;
    if (!done) {
        (void)kill(pid, SIGKILL);
    }
    (void)close(child);
    (void)waitpid(pid, &status, 0);
    *ret_status = status;
    if (end != END_RENEWAL && (!done || WIFSIGNALED(status))) {
        char text[160];
        (void)snprintf(text, sizeof text,
                       done ? "%s's code crashed" : "%s did not answer within %u s", k->called,
                       k->patience_s);
        say_failure(q, done ? FAILURE(IO) : FAILURE(BUSY), text);
    }
    return end;
}

/* Whether the credential was refused. */
static bool
have_done(const struct holder_kind *k, void *ctx, const struct request *q, int *renewal)
{
    for (;;) {
        int status = 0;
        const pid_t pid = fork();
        if (pid == 0) {
            act(k, ctx, q);
        }
        if (pid < 0) {
            say_failure(q, FAILURE(MEMORY), "no process could be started");
            return false;
        }
        if (watch(k, pid, q, *renewal, &status) != END_RENEWAL) {
            return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_REFUSED;
        }
        renew(k, ctx, renewal);
    }
}

/* What is renewed meanwhile is. False: the other end is closed. */
static bool
next(const struct holder_kind *k, void *ctx, int *renewal, struct request *ret_request)
{
    for (;;) {
        struct pollfd p[2] = {{.fd = HOLDER_FD, .events = POLLIN},
                              {.fd = *renewal, .events = POLLIN}};
        const int n = poll(p, 2, -1);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        if (n > 0 && p[1].revents != 0) {
            renew(k, ctx, renewal);
        } else if (n > 0) {
            return recv(HOLDER_FD, ret_request, sizeof *ret_request, 0) ==
                   (ssize_t)sizeof *ret_request;
        }
    }
}

/* Until the other end is closed. */
static void
serve(const struct holder_kind *k, void *ctx)
{
    DEFER(wipe_request) struct request q = {0};
    int renewal = k->renew == NULL ? -1 : RENEWAL_FD;
    bool refused = false;
    lock_memory(k, ctx, &q, sizeof q);
    while (next(k, ctx, &renewal, &q)) {
        if (refused) {
            say_failure(&q, FAILURE(AUTH), k->refused);
            continue;
        }
        refused = have_done(k, ctx, &q, &renewal) && k->refused != NULL;
        secret_wipe(&q, sizeof q);
    }
}

/* Where the sockets are to be; renewal -1: there is none. */
static bool
place(int fd, int renewal)
{
    const int own = fcntl(fd, F_DUPFD, RENEWAL_FD + 1);
    const int other = renewal < 0 ? 0 : fcntl(renewal, F_DUPFD, RENEWAL_FD + 1);
    return own >= 0 && other >= 0 && dup2(own, HOLDER_FD) >= 0 &&
           (renewal < 0 || dup2(other, RENEWAL_FD) >= 0) &&
           close_range(renewal < 0 ? RENEWAL_FD : RENEWAL_FD + 1, ~0u, 0) == 0;
}

/* Nothing but the standard error and the sockets comes along: no lock, no other socket. */
static bool
leave_behind(const struct holder_kind *k, int fd, int renewal)
{
    sigset_t none;
    (void)signal(SIGCHLD, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    return apart_settle(k->process) && place(fd, renewal);
}

__attribute__((noreturn)) static void
become(const struct holder_kind *k, void *ctx, int fd, int renewal)
{
    secret_shield_process();
    if (leave_behind(k, fd, renewal) && status_ok(k->confine(ctx, NULL))) {
        serve(k, ctx);
    }
    _exit(0);
}

/* ---- this end ---- */

struct holder *
holder_over(const struct holder_kind *kind, int fd)
{
    struct holder *h = calloc(1, sizeof *h);
    if (h == NULL) {
        (void)close(fd);
        return NULL;
    }
    h->kind = kind;
    h->fd = fd;
    h->renewal = -1;
    (void)pthread_mutex_init(&h->lock, NULL);
    return h;
}

static void
close_pair(int pair[static 2])
{
    for (size_t i = 0; i < 2; i++) {
        if (pair[i] >= 0) {
            (void)close(pair[i]);
            pair[i] = -1;
        }
    }
}

/* This end is the first of each pair. */
static struct status
make_sockets(const struct holder_kind *kind, int ret_acts[static 2], int ret_renewal[static 2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_acts) != 0) {
        FAIL_OS(errno);
    }
    if (kind->renew != NULL &&
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_renewal) != 0) {
        const int err = errno;
        close_pair(ret_acts);
        FAIL_OS(err);
    }
    return OK;
}

static void
close_far(int pair[static 2])
{
    if (pair[1] >= 0) {
        (void)close(pair[1]);
        pair[1] = -1;
    }
}

struct status
holder_start(const struct holder_kind *kind, void *ctx, struct diag *diag,
             struct holder **ret_holder)
{
    int acts[2] = {-1, -1}, renewal[2] = {-1, -1};
    ASSERT(kind->confine != NULL);
    TRY(make_sockets(kind, acts, renewal));
    const pid_t pid = fork();
    if (pid == 0) {
        become(kind, ctx, acts[1], renewal[1]);
    }
    const int err = errno;
    close_far(acts);
    close_far(renewal);
    if (pid < 0) {
        close_pair(acts);
        close_pair(renewal);
        diag_set(diag, "the process that asks %s: %s", kind->called, strerror(err));
        FAIL_OS(err);
    }
    struct holder *h = holder_over(kind, acts[0]);
    if (h == NULL) {
        close_pair(renewal);
        FAIL(MEMORY);
    }
    h->renewal = renewal[0];
    h->pid = pid;
    *ret_holder = h;
    return OK;
}

void
holder_let_go(struct holder *h)
{
    if (h->fd >= 0) {
        (void)close(h->fd);
        h->fd = -1;
    }
}

void
holder_free(struct holder *h)
{
    if (h != NULL) {
        holder_let_go(h);
        if (h->renewal >= 0) {
            (void)close(h->renewal);
        }
        if (h->pid > 0) {
            (void)waitpid(h->pid, NULL, 0);
        }
        (void)pthread_mutex_destroy(&h->lock);
        free(h);
    }
}

int
holder_fd(const struct holder *h)
{
    return h->fd;
}

pid_t
holder_pid(const struct holder *h)
{
    return h == NULL ? 0 : h->pid;
}

/* ---- asking ---- */

static struct status
is_late(const struct holder *h, struct diag *diag)
{
    diag_set(diag, "%s did not answer within %u s", h->kind->called, h->kind->patience_s);
    FAIL(BUSY);
}

static struct status
is_gone(const struct holder *h, struct diag *diag)
{
    diag_set(diag, "the process that asks %s has ended; start again", h->kind->called);
    FAIL(IO);
}

/* Waits for a message until then. */
static struct status
await(const struct holder *h, int64_t until_ns, struct diag *diag)
{
    struct pollfd p = {.fd = h->fd, .events = POLLIN};
    for (;;) {
        const int64_t left = until_ns - clock_mono_ns();
        if (left <= 0) {
            return is_late(h, diag);
        }
        if (poll(&p, 1, (int)(left / (NS_PER_S / 1000)) + 1) > 0) {
            return OK;
        }
    }
}

/* What was told. Code of others may have written it: nothing in it is believed. */
static struct status
take_told(bool whole, int32_t code, int32_t os, struct diag *told, struct diag *diag)
{
    told->text[sizeof told->text - 1] = '\0';
    if (!whole || code < STATUS_OK || code >= STATUS_CODES) {
        diag_set(diag, "an answer that is none");
        FAIL(IO);
    }
    if (code != STATUS_OK) {
        diag_set(diag, "%s", told->text);
        return (struct status){STATUS_HERE, code, os};
    }
    return OK;
}

/* An answer to an earlier question, which was not waited for, is passed over. */
static struct status
hear(const struct holder *h, struct reply *ret_reply, struct diag *diag)
{
    const int64_t until = clock_mono_ns() + (h->kind->patience_s + GRACE_S) * NS_PER_S;
    do {
        TRY(await(h, until, diag));
        if (recv(h->fd, ret_reply, sizeof *ret_reply, MSG_TRUNC) != (ssize_t)sizeof *ret_reply) {
            return is_gone(h, diag);
        }
    } while (ret_reply->serial != h->serial);
    return take_told(ret_reply->wrapped.len <= HOLDER_WRAPPED_MAX, ret_reply->code, ret_reply->os,
                     &ret_reply->diag, diag);
}

static void
unlock(pthread_mutex_t **lock)
{
    (void)pthread_mutex_unlock(*lock);
}

static struct status
ask(struct holder *h, struct request *q, struct reply *ret_reply, struct diag *diag)
{
    DEFER(unlock) pthread_mutex_t *locked = &h->lock;
    (void)pthread_mutex_lock(locked);
    q->serial = ++h->serial;
    if (send(h->fd, q, sizeof *q, MSG_NOSIGNAL) != (ssize_t)sizeof *q) {
        return is_gone(h, diag);
    }
    return hear(h, ret_reply, diag);
}

struct status
holder_wrap(struct holder *h, const struct secret *key, struct diag *diag,
            struct holder_wrapped *ret_wrapped)
{
    DEFER(wipe_request) struct request q = {.act = ACT_WRAP};
    DEFER(wipe_reply) struct reply r = {0};
    ASSERT(key->len == VAULT_KEY_BYTES);
    memcpy(q.key, key->ptr, sizeof q.key);
    TRY(ask(h, &q, &r, diag));
    *ret_wrapped = r.wrapped;
    return OK;
}

struct status
holder_unwrap(struct holder *h, const struct holder_wrapped *w, struct diag *diag,
              struct secret *ret_key)
{
    struct request q = {.act = ACT_UNWRAP, .wrapped = *w};
    DEFER(wipe_reply) struct reply r = {0};
    TRY(ask(h, &q, &r, diag));
    return secret_from(view_of(r.key, sizeof r.key), ret_key);
}

/* ---- renewing ---- */

struct status
holder_renew(struct holder *h, struct diag *diag)
{
    struct renewed r = {0};
    CHECK(h->renewal >= 0, UNSUPPORTED);
    if (send(h->renewal, "?", 1, MSG_NOSIGNAL) != 1 ||
        recv(h->renewal, &r, sizeof r, MSG_TRUNC) != (ssize_t)sizeof r) {
        return is_gone(h, diag);
    }
    return take_told(true, r.code, r.os, &r.diag, diag);
}
