#include "serve/server.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "net/peers.h"
#include "serve/call.h"
#include "serve/console_session.h"

#include <malloc.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PEM_MAX (1u << 20)
#define LOCK_TRIES 5
#define WARN_DAYS 14
/* What is longer is given back to the system when it is freed. Left alone, glibc raises its own
 * threshold to the largest block ever freed, and a log that gathers megabytes a second, again and
 * again longer than before, leaves them in the heap. */
#define MAPPED_BYTES (256 << 10)

/* ---- what http asks ---- */

static void
on_call(void *ctx, struct http_exchange *x)
{
    call_run(ctx, x);
}

static bool
on_head(void *ctx, struct http_exchange *x)
{
    return call_head(ctx, x);
}

static void
on_refused(void *ctx, struct http_exchange *x, const char *reason)
{
    call_refused(ctx, x, reason);
}

static enum http_fate
fate(void *ctx, uint64_t ticket)
{
    const struct server *s = ctx;
    if ((ticket & SERVER_COVER_TICKET) != 0) { /* who waits for it looks what came of it */
        return audit_covered(s->workspace->audit, ticket & ~SERVER_COVER_TICKET) == AUDIT_WAITING
                   ? HTTP_WAITING
                   : HTTP_DURABLE;
    }
    if ((ticket & SERVER_USAGE_TICKET) != 0) {
        return usages_ready(s->usages, ticket & ~SERVER_USAGE_TICKET) ? HTTP_DURABLE : HTTP_WAITING;
    }
    static const enum http_fate of[] = {[AUDIT_WAITING] = HTTP_WAITING,
                                        [AUDIT_DURABLE] = HTTP_DURABLE,
                                        [AUDIT_FAILED] = HTTP_FAILED};
    return of[audit_fate(s->workspace->audit, ticket)];
}

static void
hasten(void *ctx)
{
    const struct server *s = ctx;
    audit_hasten(s->workspace->audit);
}

static struct status
subscribe(void *ctx, int event_fd)
{
    const struct server *s = ctx;
    TRY(usages_subscribe(s->usages, event_fd));
    return audit_subscribe(s->workspace->audit, event_fd);
}

static void
unsubscribe(void *ctx, int event_fd)
{
    const struct server *s = ctx;
    audit_unsubscribe(s->workspace->audit, event_fd);
    usages_unsubscribe(s->usages, event_fd);
}

static void
on_failed(void *ctx, struct http_exchange *x)
{
    (void)ctx;
    buf_put_str(&x->answer, "{\"error\":\"the call could not be recorded; try again\"}");
}

static void
on_done(void *ctx, struct http_exchange *x)
{
    call_done(ctx, x);
}

static bool
on_settled(void *ctx, struct http_exchange *x)
{
    return call_settled(ctx, x);
}

/* ---- who may connect ---- */

const char *
server_listener_name(unsigned listener)
{
    static const char *const names[HTTP_LISTENERS] = {
        [SERVER_DATA] = "data", [SERVER_MANAGEMENT] = "management", [SERVER_CONSOLE] = "console"};
    return names[listener];
}

static bool
admits(void *ctx, unsigned listener, const struct sockaddr *peer)
{
    struct server *s = ctx;
    (void)pthread_rwlock_rdlock(&s->ingress_lock);
    const bool yes = ingress_admits(&s->ingress[listener], peer);
    (void)pthread_rwlock_unlock(&s->ingress_lock);
    return yes;
}

/* Recorded as a refusal of nobody known is: while its address has room for it. */
static void
record_refused(struct server *s, unsigned listener, uint64_t peer, const struct audit_event *what)
{
    char resource[32];
    struct audit_event e = *what;
    DEFER(buf_done) struct buf entry;
    uint64_t ticket = 0;
    buf_init(&entry, AUDIT_MAX_ENTRY);
    if (meter_take(s->refusals, peer, clock_mono_ns()) == METER_FULL) {
        return;
    }
    (void)snprintf(resource, sizeof resource, "listeners/%s", server_listener_name(listener));
    e.time_ns = clock_wall_ns();
    e.resource = resource;
    audit_event_put(&e, &entry);
    if (!status_ok(buf_status(&entry)) ||
        !status_ok(audit_submit(s->workspace->audit, buf_view(&entry), &ticket))) {
        log_event(LOG_ERROR, "network.unrecorded", "address=%s; a refused connection", e.address);
    }
}

static void
denied(void *ctx, unsigned listener, const struct sockaddr *peer)
{
    struct server *s = ctx;
    char address[ADDRESS_TEXT_MAX];
    (void)atomic_fetch_add(&s->metrics.denied[listener], 1);
    address_put_text(peer, address);
    const struct audit_event e = {.action = "network.connect",
                                  .reason = "this address may not connect to this listener; closed",
                                  .address = address};
    record_refused(s, listener, peers_key(peer), &e);
}

static void
client_refused(void *ctx, unsigned listener, const char *address, uint64_t peer, const char *reason)
{
    char why[256];
    (void)snprintf(why, sizeof why, "the client's certificate is not taken: %.200s", reason);
    const struct audit_event e = {.action = "tls.client", .reason = why, .address = address};
    record_refused(ctx, listener, peer, &e);
}

static void
take_ingress(struct server *s, struct ingress rules[HTTP_LISTENERS])
{
    (void)pthread_rwlock_wrlock(&s->ingress_lock);
    for (unsigned i = 0; i < HTTP_LISTENERS; i++) {
        ingress_done(&s->ingress[i]);
        s->ingress[i] = rules[i];
        rules[i] = (struct ingress){0};
    }
    (void)pthread_rwlock_unlock(&s->ingress_lock);
}

void
server_set_ingress(struct server *s, struct ingress rules[HTTP_LISTENERS])
{
    take_ingress(s, rules);
    http_recheck(s->http);
}

/* ---- starting ---- */

static struct status
take_lock(struct server *s, struct diag *diag)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    DEFER(file_freep) char *path = file_join(s->workspace->dir, "serve.lock");
    struct status locked = file_lock(path, false, diag, &s->lock_fd);
    for (int i = 0; i < LOCK_TRIES && locked.code == STATUS_BUSY; i++) {
        (void)nanosleep(&pause, NULL); /* a verb that looks whether there is a server holds it */
        locked = file_lock(path, false, diag, &s->lock_fd);
    }
    if (locked.code == STATUS_BUSY) {
        diag_set(diag, "%s: another server has this workspace; stop it first", s->workspace->dir);
    }
    return locked;
}

static struct status
read_file(const struct server_tls *t, const char *path, struct diag *diag, struct buf *ret_text)
{
    return t->read == NULL ? file_read(path, PEM_MAX, diag, ret_text)
                           : t->read(t->read_ctx, path, diag, ret_text);
}

static struct status
read_clients(const struct server_tls *t, struct diag *diag, struct buf *ret_ca, struct buf *ret_crl)
{
    if (t->clients == IDENTITY_CLIENTS_OFF) {
        return OK;
    }
    if (*t->client_ca == '\0') {
        diag_set(diag, "tls.client_certificates: whose? name a file of certificates in "
                       "tls.client_ca");
        FAIL(INPUT);
    }
    TRY(read_file(t, t->client_ca, diag, ret_ca));
    return *t->client_crl == '\0' ? OK : read_file(t, t->client_crl, diag, ret_crl);
}

/* What the workspace and the authorities' files have now. */
static struct status
read_identity(struct server *s, struct diag *diag, struct identity **ret_identity)
{
    DEFER(buf_done) struct buf chain;
    DEFER(buf_done) struct buf ca;
    DEFER(buf_done) struct buf crl;
    buf_init(&chain, PEM_MAX);
    buf_init(&ca, PEM_MAX);
    buf_init(&crl, PEM_MAX);
    struct identity_options o = {.chain_name = "tls/cert.pem", .clients = s->options.tls.clients};
    TRY(workspace_tls(s->workspace, diag, &chain, &o.signer));
    TRY(read_clients(&s->options.tls, diag, &ca, &crl));
    o.chain_pem = buf_view(&chain);
    o.client_ca_pem = buf_view(&ca);
    o.client_crl_pem = buf_view(&crl);
    return identity_new(&o, diag, ret_identity);
}

/* A client whose clock is right refuses such a certificate; so it is told, and served. */
static void
note_times(struct server *s, const struct identity *i)
{
    atomic_store(&s->certificate_ends_s, identity_ends(i));
    const int64_t now = clock_wall_ns() / NS_PER_S;
    const int64_t left = (identity_ends(i) - now) / 86400;
    if (now < identity_begins(i)) {
        log_event(LOG_WARN, "tls.certificate",
                  "not valid before %lld s from now: is this machine's "
                  "clock right?",
                  (long long)(identity_begins(i) - now));
    } else if (now >= identity_ends(i)) {
        log_event(LOG_WARN, "tls.certificate",
                  "expired %lld days ago: \"steward certificate "
                  "install\" or \"renew\" takes another, or is this machine's clock wrong?",
                  (long long)-left);
    } else if (left < WARN_DAYS) {
        log_event(LOG_WARN, "tls.certificate", "expires in %lld days", (long long)left);
    }
}

struct status
server_reload(struct server *s, struct diag *diag)
{
    DEFER(identity_freep) struct identity *fresh = NULL;
    TRY(read_identity(s, diag, &fresh));
    note_times(s, fresh);
    http_set_identity(s->http, fresh);
    return OK;
}

static struct status
start_http(struct server *s, struct diag *diag)
{
    DEFER(identity_freep) struct identity *identity = NULL;
    TRY(read_identity(s, diag, &identity));
    note_times(s, identity);
    s->options.http.identity = identity;
    const struct http_handler h = {.head = on_head,
                                   .handle = on_call,
                                   .refused = on_refused,
                                   .fate = fate,
                                   .hasten = hasten,
                                   .subscribe = subscribe,
                                   .unsubscribe = unsubscribe,
                                   .failed = on_failed,
                                   .settled = on_settled,
                                   .done = on_done,
                                   .admits = admits,
                                   .denied = denied,
                                   .client_refused = client_refused,
                                   .ctx = s};
    return http_start(&s->options.http, &h, diag, &s->http);
}

static void
server_free(struct server *s)
{
    policy_watch_stop(s->policy_watch);
    key_watch_stop(s->key_watch);
    witnesses_stop(s->witnesses);
    exports_unwatch(s->options.exports);
    capture_stop(s->capture);
    tend_stop(s->tend);
    live_free(s->live);
    meter_free(s->refusals);
    reads_free(s->reads);
    series_free(s->series);
    usages_stop(s->usages);
    quotas_free(s->quotas);
    free(s->log_dir);
    sessions_free(s->sessions);
    for (unsigned i = 0; i < HTTP_LISTENERS; i++) {
        ingress_done(&s->ingress[i]);
    }
    (void)pthread_rwlock_destroy(&s->ingress_lock);
    file_closep(&s->lock_fd);
    free(s);
}

static struct status
start_witnesses(struct server *s)
{
    const struct server_options *o = &s->options;
    DEFER(file_freep) char *log = file_join(s->workspace->dir, "audit");
    return o->witnesses == NULL || o->messenger == NULL
               ? OK
               : witnesses_start(o->witnesses, log, s->workspace->audit, o->messenger,
                                 &s->witnesses);
}

static struct status
start_quotas(struct server *s, struct diag *diag)
{
    s->log_dir = file_join(s->workspace->dir, "audit");
    s->quotas = quotas_new(s->log_dir);
    CHECK(s->log_dir != NULL && s->quotas != NULL, MEMORY);
    TRY(usages_start(s->log_dir, s->quotas, USAGES_KEPT_NS, &s->usages));
    TRY(quotas_set(s->quotas, s->options.quotas, s->options.quota_count, diag));
    return quotas_watch(s->quotas, s->workspace, diag);
}

struct status
server_start(struct workspace *w, const struct server_options *o, struct diag *diag,
             struct server **ret_server)
{
    struct server *s = calloc(1, sizeof *s);
    CHECK(s != NULL, MEMORY);
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
    (void)pthread_rwlock_init(&s->ingress_lock, NULL);
    s->workspace = w;
    s->options = *o;
    if (o->ingress != NULL) {
        take_ingress(s, o->ingress);
    }
    s->lock_fd = -1;
    s->started_ns = clock_mono_ns();
    s->warned_ns = -60 * NS_PER_S;
    s->refusals = meter_new(o->refusals_per_minute);
    s->reads = reads_new();
    s->sessions = sessions_new();
    s->series = series_new();
    struct status done =
        s->refusals == NULL || s->reads == NULL || s->sessions == NULL || s->series == NULL
            ? FAILURE(MEMORY)
            : take_lock(s, diag);
    if (status_ok(done)) {
        done = start_quotas(s, diag);
    }
    if (status_ok(done)) {
        done = live_open(w, &s->live);
    }
    if (status_ok(done)) {
        done = tend_start(w, o->fetcher, &s->tend);
    }
    if (status_ok(done) && o->key_check_ns > 0) {
        done = key_watch_start(w, s->live, o->key_check_ns, &s->key_watch);
    }
    if (status_ok(done)) {
        done = policy_watch_start(w, o->policy_state, &s->policy_watch);
    }
    if (status_ok(done)) {
        done = start_witnesses(s);
    }
    if (status_ok(done)) {
        done = capture_start(o->captures, w, &s->capture);
    }
    if (status_ok(done) && o->exports != NULL) {
        done = exports_watch(o->exports, w->audit);
    }
    if (status_ok(done)) {
        done = start_http(s, diag);
    }
    if (!status_ok(done)) {
        server_free(s);
        return done;
    }
    *ret_server = s;
    return OK;
}

struct status
server_set_quotas(struct server *s, const struct quota *list, size_t count, struct diag *diag)
{
    return quotas_set(s->quotas, list, count, diag);
}

void
server_set_witnesses(struct server *s, struct witnesses_options *o)
{
    witnesses_set(s->witnesses, o);
}

void
server_set_policy_state(struct server *s, json_t *state)
{
    policy_watch_set(s->policy_watch, state);
}

uint16_t
server_port(const struct server *s, unsigned listener)
{
    return http_port(s->http, listener);
}

void
server_stop(struct server *s)
{
    usages_end(s->usages); /* nobody is waited for who waits for a long log to be read */
    http_stop(s->http, s->options.grace_ns);
    server_free(s);
}
