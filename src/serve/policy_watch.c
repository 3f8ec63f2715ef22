#include "serve/policy_watch.h"

#include "base/clock.h"
#include "base/log.h"
#include "serve/metrics.h"
#include "serve/ticker.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

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
    policies_tally_done(&p->tally);
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
        policies_tally_done(&p->tally);
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

bool
policy_watch_alerts(struct policy_watch *p)
{
    bool any = false;
    const json_t *a = NULL;
    size_t i = 0;
    if (p == NULL) {
        return false;
    }
    (void)pthread_mutex_lock(&p->lock);
    json_array_foreach(p->tally.alerts, i, a)
    {
        any = any || json_integer_value(json_object_get(a, "open")) > 0;
    }
    (void)pthread_mutex_unlock(&p->lock);
    return any;
}

/* ---- metrics ---- */

static void
put_alert(const json_t *a, const char *name, const char *member, struct buf *b)
{
    buf_printf(b, "%s{policy=\"%s\",assignment=\"%s\",severity=\"%s\"} %lld\n", name,
               json_string_value(json_object_get(a, "policy")),
               json_string_value(json_object_get(a, "assignment")),
               json_string_value(json_object_get(a, "severity")),
               (long long)json_integer_value(json_object_get(a, member)));
}

/* member: of "open" and "total". */
static void
put_alerts(const json_t *alerts, const json_t *own, const char *member, struct buf *b)
{
    const bool open = strcmp(member, "open") == 0;
    const char *name = open ? "steward_alerts_open" : "steward_alerts_total";
    const json_t *a = NULL;
    size_t i = 0;
    metrics_put_head(name, open ? "gauge" : "counter",
                     open ? "Alerts of resources that do not comply, as of the last look."
                          : "Alerts that were raised since the policy was assigned.",
                     b);
    json_array_foreach(alerts, i, a)
    {
        put_alert(a, name, member, b);
    }
    if (own != NULL) {
        put_alert(own, name, member, b);
    }
}

static void
put_findings(const struct policies_tally *t, struct buf *ret_text)
{
    buf_put_str(ret_text, "# HELP steward_policy_findings Findings of assigned policies, as of the "
                          "last look.\n# TYPE steward_policy_findings gauge\n");
    for (unsigned o = 0; o < POLICY_OUTCOMES; o++) {
        buf_printf(ret_text, "steward_policy_findings{outcome=\"%s\"} %zu\n",
                   policy_outcome_word((enum policy_outcome)o), t->of[o]);
    }
    buf_printf(ret_text,
               "# HELP steward_policy_drift_total Resources that no longer complied, since the "
               "server started.\n# TYPE steward_policy_drift_total counter\n"
               "steward_policy_drift_total %zu\n",
               t->drifted);
}

void
policy_watch_put_metrics(struct policy_watch *p, const json_t *own, struct buf *ret_text)
{
    if (p == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&p->lock);
    put_findings(&p->tally, ret_text);
    put_alerts(p->tally.alerts, own, "open", ret_text);
    put_alerts(p->tally.alerts, own, "total", ret_text);
    (void)pthread_mutex_unlock(&p->lock);
}
