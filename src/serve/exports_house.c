/* The process that starts a sender for each receiver, and again when one has ended. It reads the
 * configuration, bytes of the gateway's, and reports of its own senders; nothing of the network. */
#include "serve/exports_parts.h"

#include "base/clock.h"
#include "base/sandbox.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONTROL_FD 3
#define REPORTS_FD 4
#define SENDER_FD 3
#define GRACE_NS (2 * NS_PER_S)
#define LONGEST_WAIT_S 60

struct started {
    pid_t pid; /* 0: it has ended */
    int fd;
    int64_t due_ns; /* when it is started again */
    int64_t wait_s;
};

struct house {
    const struct exports_source *source;
    struct exports_plan plan;
    struct started of[RECEIVERS];
};

/* ---- one sender ---- */

static void
forward(const struct house *h, size_t i, struct exports_report *r)
{
    memcpy(r->name, h->plan.receiver[i].name, sizeof r->name);
    (void)send(REPORTS_FD, r, sizeof *r, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
put_off(struct started *s)
{
    s->wait_s = s->wait_s == 0 ? 1 : 2 * s->wait_s;
    s->wait_s = s->wait_s > LONGEST_WAIT_S ? LONGEST_WAIT_S : s->wait_s;
    s->due_ns = clock_mono_ns() + s->wait_s * NS_PER_S;
}

static void
start_one(struct house *h, size_t i)
{
    struct started *s = &h->of[i];
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        put_off(s);
        return;
    }
    const pid_t pid = fork();
    if (pid == 0) {
        const int high = fcntl(ends[1], F_DUPFD, REPORTS_FD + 1);
        if (dup2(high, SENDER_FD) >= 0 && close_range(SENDER_FD + 1, ~0u, 0) == 0) {
            exports_send(&h->plan, i, SENDER_FD);
        }
        _exit(1);
    }
    (void)close(ends[1]);
    if (pid < 0) {
        (void)close(ends[0]);
        put_off(s);
        return;
    }
    s->pid = pid;
    s->fd = ends[0];
}

/* It has ended, or does now. */
static void
end_one(struct started *s, int *ret_ended)
{
    (void)close(s->fd);
    while (waitpid(s->pid, ret_ended, 0) < 0 && errno == EINTR) {
    }
    s->pid = 0;
}

static void
take_report(struct house *h, size_t i)
{
    struct started *s = &h->of[i];
    struct exports_report r;
    int ended = 0;
    const ssize_t n = recv(s->fd, &r, sizeof r, 0);
    if (n == (ssize_t)sizeof r) {
        s->wait_s = r.state == EXPORTS_SENDING ? 0 : s->wait_s;
        forward(h, i, &r);
        return;
    }
    if (n > 0) {
        (void)kill(s->pid, SIGKILL); /* whoever that is now */
    }
    put_off(s);
    end_one(s, &ended);
    if (WIFSIGNALED(ended)) {
        struct exports_report crashed = {.state = EXPORTS_FAILING, .failures = 1};
        (void)strcpy(crashed.sentence, "what sends to it has crashed; it is started again");
        forward(h, i, &crashed);
    }
}

/* ---- all of them ---- */

static void
stop_all(struct house *h)
{
    const int64_t until = clock_mono_ns() + GRACE_NS;
    int ended = 0;
    for (size_t i = 0; i < h->plan.count; i++) {
        if (h->of[i].pid > 0) {
            (void)shutdown(h->of[i].fd, SHUT_WR);
        }
    }
    for (size_t i = 0; i < h->plan.count; i++) {
        struct pollfd p = {.fd = h->of[i].fd};
        while (h->of[i].pid > 0) {
            const int64_t left = (until - clock_mono_ns()) / 1000000;
            const bool gone = poll(&p, 1, left > 0 ? (int)left : 0) > 0; /* POLLHUP: it closed */
            if (!gone && left > 0) {
                continue;
            }
            (void)(gone ? 0 : kill(h->of[i].pid, SIGKILL));
            end_one(&h->of[i], &ended);
        }
    }
}

static void
plan_done(struct exports_plan *plan)
{
    egress_free(plan->rules);
    free(plan);
}

DEFINE_FREEP(plan_done, struct exports_plan)

/* What was goes on where the configuration is wrong. */
static bool
apply(struct house *h, uint64_t from)
{
    DEFER(plan_donep) struct exports_plan *now = calloc(1, sizeof *now);
    if (now == NULL || !h->source->read(h->source->ctx, now)) {
        return false;
    }
    stop_all(h);
    egress_free(h->plan.rules);
    h->plan = *now;
    h->plan.from = from;
    now->rules = NULL;
    memset(h->of, 0, sizeof h->of);
    for (size_t i = 0; i < h->plan.count; i++) {
        start_one(h, i);
    }
    return true;
}

static bool
take_question(struct house *h)
{
    uint64_t from = 0;
    if (recv(CONTROL_FD, &from, sizeof from, MSG_WAITALL) != (ssize_t)sizeof from) {
        return false;
    }
    const char good = apply(h, from) ? 1 : 0;
    return send(CONTROL_FD, &good, 1, MSG_NOSIGNAL) == 1;
}

/* Until the first of those that have ended is due; -1: none has. */
static int
start_due(struct house *h)
{
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < h->plan.count; i++) {
        if (h->of[i].pid == 0 && clock_mono_ns() >= h->of[i].due_ns) {
            start_one(h, i);
        }
        if (h->of[i].pid == 0 && h->of[i].due_ns < first) {
            first = h->of[i].due_ns;
        }
    }
    const int64_t left = first == INT64_MAX ? -1 : (first - clock_mono_ns()) / 1000000 + 1;
    return first == INT64_MAX ? -1 : left < 0 ? 0 : (int)left;
}

static bool
take_one(struct house *h)
{
    struct pollfd p[1 + RECEIVERS] = {{.fd = CONTROL_FD, .events = POLLIN}};
    const int wait_ms = start_due(h);
    for (size_t i = 0; i < h->plan.count; i++) {
        p[1 + i] = (struct pollfd){.fd = h->of[i].pid > 0 ? h->of[i].fd : -1, .events = POLLIN};
    }
    if (poll(p, 1 + h->plan.count, wait_ms) < 0) {
        return errno == EINTR;
    }
    for (size_t i = 0; i < h->plan.count; i++) {
        if (p[1 + i].revents != 0) {
            take_report(h, i);
        }
    }
    return p[0].revents == 0 || take_question(h);
}

_Noreturn void
exports_house(const struct exports_source *source, int control, int reports)
{
    struct diag diag = {0};
    secret_shield_process();
    sandbox_wipe_environment();
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int high[2] = {fcntl(control, F_DUPFD, REPORTS_FD + 1),
                         fcntl(reports, F_DUPFD, REPORTS_FD + 1)};
    struct house *h = calloc(1, sizeof *h);
    if (h != NULL && dup2(high[0], CONTROL_FD) >= 0 && dup2(high[1], REPORTS_FD) >= 0 &&
        close_range(REPORTS_FD + 1, ~0u, 0) == 0 &&
        status_ok(sandbox_calls(SANDBOX_HOUSE, &diag))) {
        h->source = source;
        while (take_one(h)) {
        }
        stop_all(h);
    }
    _exit(0);
}
