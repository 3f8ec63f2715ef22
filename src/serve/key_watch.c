/* Stopping: the flag first, then the models are dropped, then the log is told: nothing waits for a
 * disk. Going on: the log first, then the models, then the flag. */
#include "serve/key_watch.h"

#include "base/clock.h"
#include "base/log.h"
#include "serve/ticker.h"
#include "vault/rotation.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define PARTS 4 /* of check_ns: the keeper looks, the watch asks, and half is left */

struct key_watch {
    struct workspace *workspace;
    struct live *live;
    struct ticker *ticker;
    int64_t every_ns;
    _Atomic bool stopped;
    bool untold; /* that it stopped is not in the audit log yet */
    pthread_mutex_t lock;
    char reason[KEY_WATCH_REASON_MAX];
};

int64_t
key_watch_every(int64_t check_ns)
{
    return check_ns / PARTS;
}

static struct status
tell(struct key_watch *k, const char *action, const char *reason)
{
    struct diag diag = {0};
    const struct workspace_act act = {
        .action = action, .resource = "keys/workspace", .reason = reason};
    const struct status s = workspace_audit(k->workspace, &act, &diag);
    if (!status_ok(s)) {
        log_event(LOG_ERROR, "key.unrecorded", "action=%s reason=\"%s\"", action, diag.text);
    }
    return s;
}

static void
put_reason(struct key_watch *k, const char *why)
{
    DEFER(buf_done) struct buf now;
    buf_init(&now, 64);
    clock_put_rfc3339(&now, clock_wall_ns());
    (void)pthread_mutex_lock(&k->lock);
    (void)snprintf(k->reason, sizeof k->reason, "not served since %s: %.400s", buf_str(&now), why);
    (void)pthread_mutex_unlock(&k->lock);
}

static void
stop_serving(struct key_watch *k, const char *why)
{
    put_reason(k, why);
    atomic_store(&k->stopped, true);
    live_suspend(k->live);
    log_event(LOG_ERROR, "key.suspended", "no model is served; reason=\"%s\"", why);
    k->untold = !status_ok(tell(k, "key.suspend", why));
}

static void
serve_again(struct key_watch *k)
{
    if (status_ok(tell(k, "key.resume", "the workspace's key may be used again"))) {
        live_resume(k->live);
        atomic_store(&k->stopped, false);
        log_event(LOG_INFO, "key.resumed", "models are served again");
    }
}

/* Where the keys are in this process, nobody else looks. */
static struct status
ask(const struct key_watch *k, struct diag *diag)
{
    if (k->workspace->keeper == NULL) {
        const struct status looked = vault_check(k->workspace->vault, NULL);
        (void)looked; /* what it means is what vault_usable says */
    }
    return vault_usable(k->workspace->vault, diag);
}

static void
look(void *ctx)
{
    struct key_watch *k = ctx;
    struct diag diag = {0};
    const bool stopped = atomic_load(&k->stopped);
    const struct status s = ask(k, &diag);
    if (s.code == STATUS_DENIED && !stopped) {
        stop_serving(k, diag.text);
    } else if (s.code == STATUS_DENIED && k->untold) {
        k->untold = !status_ok(tell(k, "key.suspend", diag.text));
    } else if (status_ok(s) && stopped) {
        serve_again(k);
    }
}

struct status
key_watch_start(struct workspace *w, struct live *live, int64_t check_ns,
                struct key_watch **ret_watch)
{
    struct key_watch *k = calloc(1, sizeof *k);
    CHECK(k != NULL, MEMORY);
    k->workspace = w;
    k->live = live;
    k->every_ns = key_watch_every(check_ns);
    (void)pthread_mutex_init(&k->lock, NULL);
    const int64_t often = k->every_ns < NS_PER_S ? k->every_ns : NS_PER_S;
    const struct status s = ticker_start(often, look, k, &k->ticker);
    if (!status_ok(s)) {
        key_watch_stop(k);
        return s;
    }
    *ret_watch = k;
    return OK;
}

void
key_watch_stop(struct key_watch *k)
{
    if (k != NULL) {
        ticker_stop(k->ticker);
        (void)pthread_mutex_destroy(&k->lock);
        free(k);
    }
}

bool
key_watch_usable(const struct key_watch *k)
{
    return k == NULL || !atomic_load_explicit(&k->stopped, memory_order_acquire);
}

unsigned
key_watch_reason(struct key_watch *k, char ret_reason[static KEY_WATCH_REASON_MAX])
{
    (void)pthread_mutex_lock(&k->lock);
    (void)snprintf(ret_reason, KEY_WATCH_REASON_MAX, "%s", k->reason);
    (void)pthread_mutex_unlock(&k->lock);
    return (unsigned)((k->every_ns + NS_PER_S - 1) / NS_PER_S);
}
