/* The gateway's side: what the reports say becomes numbers, lines and entries. */
#include "serve/exports.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "serve/exports_parts.h"
#include "serve/ticker.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_NS (NS_PER_S / 2)
#define FAILURES_APART_NS (60 * NS_PER_S) /* entries about one receiver's */

/* One receiver as we know it. */
struct known {
    char name[RECEIVER_NAME_MAX + 1];
    struct exports_report last;
    uint64_t sent, failures; /* of senders that have ended, and what this one said last */
    bool failing_told;       /* in the log */
    int64_t told_ns;         /* when a failure was told last; 0: never */
    int64_t behind_ns;       /* wall: since when it is known to be behind; 0: it is not */
};

struct exports {
    pid_t pid;
    int control, reports;
    struct audit *audit;
    struct ticker *ticker;
    pthread_mutex_t lock; /* of what follows */
    struct known of[RECEIVERS];
    size_t count;
};

/* ---- the process ---- */

static struct status
start(struct exports *e, const struct exports_source *source)
{
    int control[2], reports[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) != 0) {
        FAIL_OS(errno);
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, reports) != 0) {
        const int err = errno;
        (void)close(control[0]);
        (void)close(control[1]);
        FAIL_OS(err);
    }
    e->pid = fork();
    if (e->pid == 0) {
        exports_house(source, control[1], reports[1]);
    }
    const int err = errno;
    (void)close(control[1]);
    (void)close(reports[1]);
    e->control = control[0];
    e->reports = reports[0];
    if (e->pid < 0) {
        FAIL_OS(err);
    }
    return OK;
}

struct status
exports_start(const struct exports_source *source, struct diag *diag, struct exports **ret_exports)
{
    struct exports *e = calloc(1, sizeof *e);
    CHECK(e != NULL, MEMORY);
    e->control = e->reports = -1;
    (void)pthread_mutex_init(&e->lock, NULL);
    const struct status s = start(e, source);
    if (!status_ok(s)) {
        exports_free(e);
        diag_set(diag, "the process that sends the log's events: %s", strerror(s.os));
        return s;
    }
    *ret_exports = e;
    return OK;
}

void
exports_free(struct exports *e)
{
    if (e != NULL) {
        exports_stop(e);
        file_closep(&e->reports);
        (void)pthread_mutex_destroy(&e->lock);
        free(e);
    }
}

pid_t
exports_pid(const struct exports *e)
{
    return e == NULL ? 0 : e->pid;
}

static struct known *
find(struct exports *e, const char *name)
{
    for (size_t i = 0; i < e->count; i++) {
        if (strcmp(e->of[i].name, name) == 0) {
            return &e->of[i];
        }
    }
    return NULL;
}

/* Who stays keeps its numbers. */
static void
take_list(struct exports *e, const struct receiver *receiver, size_t count)
{
    struct known now[RECEIVERS];
    memset(now, 0, sizeof now);
    (void)pthread_mutex_lock(&e->lock);
    for (size_t i = 0; i < count; i++) {
        const struct known *before = find(e, receiver[i].name);
        if (before != NULL) {
            now[i] = *before;
        }
        memcpy(now[i].name, receiver[i].name, sizeof now[i].name);
    }
    memcpy(e->of, now, sizeof now);
    e->count = count;
    (void)pthread_mutex_unlock(&e->lock);
}

bool
exports_apply(struct exports *e, const struct receiver *receiver, size_t count, uint64_t from)
{
    char good = 0;
    ASSERT(count <= RECEIVERS);
    take_list(e, receiver, count);
    return send(e->control, &from, sizeof from, MSG_NOSIGNAL) == (ssize_t)sizeof from &&
           recv(e->control, &good, 1, 0) == 1 && good == 1;
}

uint64_t
exports_confirmed(struct exports *e, const char *name)
{
    (void)pthread_mutex_lock(&e->lock);
    const struct known *k = find(e, name);
    const uint64_t next = k == NULL ? 0 : k->last.next;
    (void)pthread_mutex_unlock(&e->lock);
    return next;
}

/* ---- telling ---- */

static void
enter(const struct exports *e, const struct known *k, bool good, const char *sentence)
{
    char resource[RECEIVER_NAME_MAX + 16];
    uint64_t ticket = 0;
    DEFER(buf_done) struct buf entry;
    buf_init(&entry, AUDIT_MAX_ENTRY);
    (void)snprintf(resource, sizeof resource, "exports/%s", k->name);
    const struct audit_event event = {.time_ns = clock_wall_ns(),
                                      .action = "export.send",
                                      .resource = resource,
                                      .allow = good,
                                      .reason = sentence};
    audit_event_put(&event, &entry);
    if (!status_ok(buf_status(&entry)) ||
        !status_ok(audit_submit(e->audit, buf_view(&entry), &ticket))) {
        log_event(LOG_ERROR, "export.unrecorded", "receiver=%s", k->name);
    }
}

/* Changes are told, not each report; failures at most once a minute. */
static void
tell(const struct exports *e, struct known *k)
{
    const struct exports_report *r = &k->last;
    char text[128];
    const int64_t now = clock_mono_ns();
    if (r->state == EXPORTS_FAILING && !k->failing_told &&
        (k->told_ns == 0 || now - k->told_ns >= FAILURES_APART_NS)) {
        log_event(LOG_WARN, "export.failed", "receiver=%s next=%llu reason=\"%s\"", k->name,
                  (unsigned long long)r->next, r->sentence);
        enter(e, k, false, r->sentence);
        k->failing_told = true;
        k->told_ns = now;
    } else if (r->state == EXPORTS_SENDING && k->failing_told) {
        (void)snprintf(text, sizeof text, "it takes them again; %llu entries are confirmed",
                       (unsigned long long)r->next);
        log_event(LOG_INFO, "export.resumed", "receiver=%s next=%llu", k->name,
                  (unsigned long long)r->next);
        enter(e, k, true, text);
        k->failing_told = false;
    }
}

/* ---- reports ---- */

/* How many entries under a checkpoint it has not confirmed. */
static uint64_t
entries_behind(const struct exports *e, const struct known *k)
{
    const uint64_t published = e->audit == NULL ? 0 : audit_published(e->audit);
    return published > k->last.next ? published - k->last.next : 0;
}

static void
take_report(struct exports *e, struct exports_report *r)
{
    r->name[sizeof r->name - 1] = '\0';
    r->sentence[sizeof r->sentence - 1] = '\0';
    struct known *k = find(e, r->name);
    if (k == NULL || r->state >= EXPORTS_STATES) {
        return; /* of one that was taken away */
    }
    /* A sender that begins anew counts anew. */
    k->sent += r->sent - (r->sent >= k->last.sent ? k->last.sent : 0);
    k->failures += r->failures - (r->failures >= k->last.failures ? k->last.failures : 0);
    if (r->next == 0 && r->state == EXPORTS_FAILING) {
        r->next = k->last.next; /* it could not say */
    }
    k->last = *r;
}

static void
take_reports(struct exports *e)
{
    struct exports_report r;
    while (recv(e->reports, &r, sizeof r, MSG_DONTWAIT) == (ssize_t)sizeof r) {
        take_report(e, &r);
    }
}

void
exports_stop(struct exports *e)
{
    file_closep(&e->control); /* it ends when it reads that */
    if (e->pid > 0) {
        (void)waitpid(e->pid, NULL, 0);
        e->pid = 0;
        (void)pthread_mutex_lock(&e->lock);
        take_reports(e);
        (void)pthread_mutex_unlock(&e->lock);
    }
}

static void
look(void *ctx)
{
    struct exports *e = ctx;
    (void)pthread_mutex_lock(&e->lock);
    take_reports(e);
    for (size_t i = 0; i < e->count; i++) {
        struct known *k = &e->of[i];
        k->behind_ns = entries_behind(e, k) == 0 ? 0
                       : k->behind_ns == 0       ? clock_wall_ns()
                                                 : k->behind_ns;
        tell(e, k);
    }
    (void)pthread_mutex_unlock(&e->lock);
}

struct status
exports_watch(struct exports *e, struct audit *a)
{
    e->audit = a;
    return ticker_start(LOOK_NS, look, e, &e->ticker);
}

void
exports_unwatch(struct exports *e)
{
    if (e != NULL) {
        ticker_stop(MOVE(e->ticker));
    }
}

bool
exports_ready(struct exports *e)
{
    bool all = true;
    (void)pthread_mutex_lock(&e->lock);
    for (size_t i = 0; i < e->count; i++) {
        all = all && e->of[i].last.state == EXPORTS_SENDING;
    }
    (void)pthread_mutex_unlock(&e->lock);
    return all;
}

/* ---- metrics ---- */

static uint64_t
value_entries(const struct exports *e, const struct known *k)
{
    return entries_behind(e, k);
}

static uint64_t
value_seconds(const struct exports *e, const struct known *k)
{
    const int64_t since = k->last.oldest_ns > 0 ? k->last.oldest_ns : k->behind_ns;
    const int64_t behind = clock_wall_ns() - since;
    return entries_behind(e, k) == 0 || since == 0 || behind < 0 ? 0
                                                                 : (uint64_t)(behind / NS_PER_S);
}

static uint64_t
value_up(const struct exports *e, const struct known *k)
{
    (void)e;
    return k->last.state == EXPORTS_SENDING;
}

static uint64_t
value_sent(const struct exports *e, const struct known *k)
{
    (void)e;
    return k->sent;
}

static uint64_t
value_failures(const struct exports *e, const struct known *k)
{
    (void)e;
    return k->failures;
}

static const struct series {
    const char *name, *kind, *help;
    uint64_t (*value)(const struct exports *e, const struct known *k);
} series[] = {
    {"steward_export_entries_behind", "gauge",
     "Entries under a checkpoint that the receiver has not confirmed.", value_entries},
    {"steward_export_seconds_behind", "gauge", "Age of the oldest of them; 0 when there is none.",
     value_seconds},
    {"steward_export_up", "gauge", "1 when the receiver took what it was sent last.", value_up},
    {"steward_export_entries_total", "counter",
     "Entries that it has confirmed since the server started.", value_sent},
    {"steward_export_failures_total", "counter", "Attempts that failed since then.",
     value_failures},
};

void
exports_put_metrics(struct exports *e, struct buf *b)
{
    if (e == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&e->lock);
    for (size_t s = 0; s < sizeof series / sizeof *series; s++) {
        buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", series[s].name, series[s].help,
                   series[s].name, series[s].kind);
        for (size_t i = 0; i < e->count; i++) {
            buf_printf(b, "%s{receiver=\"%s\"} %llu\n", series[s].name, e->of[i].name,
                       (unsigned long long)series[s].value(e, &e->of[i]));
        }
    }
    (void)pthread_mutex_unlock(&e->lock);
}
