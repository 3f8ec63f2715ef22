#include "serve/policy_watch.h"

#include "base/clock.h"
#include "base/log.h"
#include "serve/ticker.h"

#include <pthread.h>
#include <stdlib.h>

struct policy_watch {
    struct workspace *workspace;
    struct ticker *ticker;
    pthread_mutex_t lock; /* of what follows */
    json_t *state;
    struct policies_tally tally;
    bool anew;
    /* of the ticker's thread alone */
    uint64_t change;
    int64_t looked_ns;
    bool failing;
};

static void
told(void *ctx, bool drifted, const char *sentence)
{
    (void)ctx;
    log_event(drifted ? LOG_WARN : LOG_INFO, drifted ? "policy.drift" : "policy.state",
              "reason=\"%s\"", sentence);
}

static void
tell_failure(struct policy_watch *p, struct status s, const struct diag *diag)
{
    char text[1024];
    if (!p->failing) {
        diag_describe(diag, s, text, sizeof text);
        log_event(LOG_ERROR, "policy.unevaluated", "reason=\"%s\"", text);
    }
    p->failing = true;
}

static void
look(struct policy_watch *p, json_t *state)
{
    struct diag diag = {0};
    struct policies_tally tally = {0};
    const struct status s = policies_look(p->workspace, state, told, NULL, &diag, &tally);
    if (!status_ok(s)) {
        tell_failure(p, s, &diag);
        return;
    }
    p->failing = false;
    (void)pthread_mutex_lock(&p->lock);
    tally.drifted += p->tally.drifted;
    p->tally = tally;
    (void)pthread_mutex_unlock(&p->lock);
}

static void
each_second(void *ctx)
{
    struct policy_watch *p = ctx;
    const uint64_t change = store_change(p->workspace->store);
    const int64_t now = clock_mono_ns();
    (void)pthread_mutex_lock(&p->lock);
    const bool due = p->anew || change != p->change || now - p->looked_ns >= POLICY_WATCH_NS;
    json_t *state = json_incref(p->state);
    p->anew = false;
    (void)pthread_mutex_unlock(&p->lock);
    if (due) {
        p->change = change;
        p->looked_ns = now;
        look(p, state);
    }
    json_decref(state);
}

struct status
policy_watch_start(struct workspace *w, json_t *state, struct policy_watch **ret_watch)
{
    struct policy_watch *p = calloc(1, sizeof *p);
    CHECK(p != NULL, MEMORY);
    p->workspace = w;
    p->state = json_incref(state);
    p->anew = true;
    struct status s = pthread_mutex_init(&p->lock, NULL) == 0 ? OK : FAILURE(MEMORY);
    s = status_ok(s) ? ticker_start(NS_PER_S, each_second, p, &p->ticker) : s;
    if (!status_ok(s)) {
        json_decref(p->state);
        free(p);
        return s;
    }
    *ret_watch = p;
    return OK;
}

void
policy_watch_stop(struct policy_watch *p)
{
    if (p != NULL) {
        ticker_stop(p->ticker);
        (void)pthread_mutex_destroy(&p->lock);
        json_decref(p->state);
        free(p);
    }
}

void
policy_watch_set(struct policy_watch *p, json_t *state)
{
    (void)pthread_mutex_lock(&p->lock);
    json_decref(p->state);
    p->state = json_incref(state);
    p->anew = true;
    (void)pthread_mutex_unlock(&p->lock);
}

void
policy_watch_put_metrics(struct policy_watch *p, struct buf *ret_text)
{
    if (p == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&p->lock);
    const struct policies_tally t = p->tally;
    (void)pthread_mutex_unlock(&p->lock);
    buf_put_str(ret_text, "# HELP steward_policy_findings Findings of assigned policies, as of the "
                          "last look.\n# TYPE steward_policy_findings gauge\n");
    for (unsigned o = 0; o < POLICY_OUTCOMES; o++) {
        buf_printf(ret_text, "steward_policy_findings{outcome=\"%s\"} %zu\n",
                   policy_outcome_word((enum policy_outcome)o), t.of[o]);
    }
    buf_printf(ret_text,
               "# HELP steward_policy_drift_total Resources that no longer complied, since the "
               "server started.\n# TYPE steward_policy_drift_total counter\n"
               "steward_policy_drift_total %zu\n",
               t.drifted);
}
