/* One receiver's process. */
#include "serve/exports_parts.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "serve/confine.h"
#include "serve/kafka_sink.h"
#include "serve/syslog_sink.h"
#include "serve/webhook_sink.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOK_MS 500
#define LONGEST_WAIT_MS 60000
#define TIMEOUT_NS (30 * NS_PER_S)
#define KAFKA_TIMEOUT_NS (15 * NS_PER_S)

struct sender {
    int fd;
    struct exporter exporter;
    struct exports_report said;
    uint64_t begun_at; /* where the sender began */
    struct buf ca;     /* PEM; empty: the system's authorities */
    char ca_file[32];
    struct syslog_sink syslog;
    struct kafka_sink kafka;
    struct hmac_key key; /* of a webhook */
    struct webhook_sink webhook;
};

/* Whether it is to go on; waits so long for the opposite. */
static bool
goes_on_for(const struct sender *s, int ms)
{
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    return poll(&p, 1, ms) <= 0; /* nobody writes to it: it was shut */
}

static void
report(struct sender *s, enum exports_state state, const char *sentence)
{
    struct exports_report *r = &s->said;
    r->state = (uint32_t)state;
    r->next = s->exporter.at.next;
    r->sent = r->next - s->begun_at;
    r->oldest_ns = exporter_oldest_ns(&s->exporter);
    (void)snprintf(r->sentence, sizeof r->sentence, "%s", sentence);
    (void)send(s->fd, r, sizeof *r, MSG_DONTWAIT | MSG_NOSIGNAL); /* another one follows */
}

static bool
after_batch(void *ctx)
{
    struct sender *s = ctx;
    report(s, EXPORTS_SENDING, "");
    return goes_on_for(s, 0);
}

static struct status
open_sink(struct sender *s, const struct receiver *r, struct door *door, struct diag *diag)
{
    const char *ca_file = s->ca.len == 0 ? NULL : s->ca_file;
    if (r->kind == RECEIVER_WEBHOOK) {
        TRY(webhook_sink_init(door, r, &s->key, ca_file, TIMEOUT_NS, diag, &s->webhook));
        webhook_sink_feed(&s->webhook, &s->exporter);
        return OK;
    }
    if (r->kind != RECEIVER_SYSLOG) {
        kafka_sink_init(door, r, buf_view(&s->ca), KAFKA_TIMEOUT_NS, &s->kafka);
        kafka_sink_feed(&s->kafka, &s->exporter);
        return OK;
    }
    TRY(syslog_sink_init(door, r->hosts, ca_file, TIMEOUT_NS, diag, &s->syslog));
    syslog_sink_feed(&s->syslog, &s->exporter);
    return OK;
}

/* What is not in the sandbox. */
static struct status
read_files(struct sender *s, const struct receiver *r, struct diag *diag)
{
    DEFER(secret_done) struct secret secret = {0};
    buf_init(&s->ca, RECEIVER_CA_MAX);
    if (*r->ca_file != '\0') {
        TRY(file_read(r->ca_file, RECEIVER_CA_MAX, diag, &s->ca));
        TRY(file_memory("authorities", buf_view(&s->ca), diag, s->ca_file));
    }
    if (r->kind != RECEIVER_WEBHOOK) {
        return OK;
    }
    TRY(file_read_secret(r->secret_file, WEBHOOK_SECRET_MAX, "the webhook's secret", diag,
                         &secret));
    return webhook_secret(secret_view(&secret), diag, &s->key);
}

/* Where who is new begins is kept first: an attempt that fails later takes no alert away. */
static struct status
prepare(struct sender *s, const struct exports_plan *plan, const struct receiver *r,
        struct diag *diag)
{
    int lock = -1;
    struct door *door = NULL; /* both, as s, are the process's */
    TRY(exporter_lock(plan->log_dir, r->name, diag, &lock));
    TRY(r->alerts_only ? exporter_begin(plan->log_dir, r->name, plan->from, diag) : OK);
    TRY(read_files(s, r, diag));
    TRY(confine_sender(plan->log_dir, diag));
    s->exporter = (struct exporter){.dir = plan->log_dir,
                                    .destination = r->name,
                                    .format = r->format,
                                    .alerts_only = r->alerts_only,
                                    .goes_on = after_batch,
                                    .ctx = s};
    TRY(exporter_position(plan->log_dir, r->name, diag, &s->exporter.at));
    s->begun_at = s->exporter.at.next;
    TRY(door_new(plan->rules, NULL, &door));
    return open_sink(s, r, door, diag);
}

static void
tell_failure(struct sender *s, struct status failed, const struct diag *diag)
{
    char text[sizeof s->said.sentence];
    s->said.failures++;
    diag_describe(diag, failed, text, sizeof text);
    report(s, EXPORTS_FAILING, text);
}

static void
send_on(struct sender *s)
{
    int wait_ms = 0;
    do {
        struct diag diag = {0};
        const struct status done = exporter_run(&s->exporter, &diag);
        if (status_ok(done)) {
            report(s, EXPORTS_SENDING, "");
            wait_ms = 0;
            continue;
        }
        tell_failure(s, done, &diag);
        wait_ms = wait_ms == 0 ? 1000 : 2 * wait_ms;
        wait_ms = wait_ms > LONGEST_WAIT_MS ? LONGEST_WAIT_MS : wait_ms;
    } while (goes_on_for(s, wait_ms == 0 ? LOOK_MS : wait_ms));
}

_Noreturn void
exports_send(const struct exports_plan *plan, size_t which, int fd)
{
    struct diag diag = {0};
    struct sender *s = calloc(1, sizeof *s);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (s == NULL) {
        _exit(1);
    }
    s->fd = fd;
    const struct status prepared = prepare(s, plan, &plan->receiver[which], &diag);
    if (!status_ok(prepared)) {
        tell_failure(s, prepared, &diag);
        _exit(1);
    }
    report(s, EXPORTS_BEGUN, "");
    send_on(s);
    _exit(0);
}
