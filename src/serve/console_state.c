/* The first page: who looks, what may be opened, how the server is. */
#include "serve/console_parts.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* ---- who ---- */

static const struct {
    const char *path, *name, *resource;
    enum access_action action;
} parts[] = {
    {"/", "State of the server (below)", "metrics", ACCESS_METRICS_READ},
    {"/models", "Models: each that you may read", "models", ACCESS_MODEL_READ},
    {"/access", "Principals, keys, roles, decisions", "principals", ACCESS_PRINCIPAL_READ},
    {"/audit", "The audit log", "audit", ACCESS_AUDIT_READ},
};

static void
put_rights(struct call *c)
{
    static const char *const heads[] = {"Part", "Right", "Decision", "Rule that decides"};
    struct buf *b = &c->x->answer;
    page_table(b, "What your roles show you here", heads, 4);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        struct access_decision d;
        const bool may = page_may(c, parts[i].action, parts[i].resource, &d);
        buf_printf(b,
                   "<tr><th scope=\"row\"><a href=\"%s\">%s</a></th><td><code>%s</code></td><td>",
                   parts[i].path, parts[i].name, access_action_word(parts[i].action));
        page_mark(b, may, may ? "allowed" : "denied");
        buf_put_str(b, "</td>");
        page_cell_text(b, d.rule);
        buf_put_str(b, "</tr>");
    }
    page_table_end(b);
}

/* ---- how the server is ---- */

static void
put_tile(struct buf *b, const char *name, unsigned long long value)
{
    buf_printf(b, "<div><dt>%s</dt><dd>%llu</dd></div>", name, value);
}

static unsigned long long
calls_between(const struct metrics *m, unsigned low, unsigned high)
{
    unsigned long long sum = 0;
    for (unsigned s = low; s < high; s++) {
        sum += atomic_load_explicit(&m->by_status[s], memory_order_relaxed);
    }
    return sum;
}

static void
put_numbers(struct call *c)
{
    struct buf *b = &c->x->answer;
    struct server *s = c->server;
    const int64_t up = (clock_mono_ns() - s->started_ns) / NS_PER_S;
    buf_printf(b,
               "<h2>Since the start</h2><dl class=\"tiles\"><div><dt>Running for</dt><dd>%lld d "
               "%02lld:%02lld:%02lld</dd></div>",
               (long long)(up / 86400), (long long)(up / 3600 % 24), (long long)(up / 60 % 60),
               (long long)(up % 60));
    put_tile(b, "Answered", calls_between(&s->metrics, 200, 400));
    put_tile(b, "Refused (4xx)", calls_between(&s->metrics, 400, 500));
    put_tile(b, "Failed (5xx)", calls_between(&s->metrics, 500, METRICS_STATUSES));
    put_tile(b, "Rows predicted", atomic_load(&s->metrics.infer_rows));
    put_tile(b, "Models loaded", live_count(s->live));
    put_tile(b, "Entries of the log", audit_size(s->workspace->audit));
    buf_put_str(b, "</dl>");
}

static void
put_state(struct buf *b, const char *what, bool good, const char *word, const char *more)
{
    buf_printf(b, "<tr><th scope=\"row\">%s</th><td>", what);
    page_mark(b, good, word);
    buf_put_str(b, "</td>");
    page_cell_text(b, more);
    buf_put_str(b, "</tr>");
}

static void
put_certificate(struct call *c)
{
    DEFER(buf_done) struct buf ends;
    buf_init(&ends, 64);
    const int64_t at = atomic_load(&c->server->certificate_ends_s);
    const int64_t left = at - clock_wall_ns() / NS_PER_S;
    clock_put_rfc3339(&ends, at * NS_PER_S);
    char more[64];
    (void)snprintf(more, sizeof more, "ends %.10s, in %lld days", buf_str(&ends),
                   (long long)(left / 86400));
    put_state(&c->x->answer, "TLS certificate", left > 0, left > 0 ? "valid" : "over", more);
}

static void
put_states(struct call *c)
{
    static const char *const heads[] = {"What", "State", "More"};
    struct buf *b = &c->x->answer;
    struct server *s = c->server;
    char why[KEY_WATCH_REASON_MAX] = "models and data open; looked at anew within keys.check";
    const bool usable = key_watch_usable(s->key_watch);
    const bool log = status_ok(audit_health(s->workspace->audit)), ready = live_ready(s->live);
    if (!usable) {
        (void)key_watch_reason(s->key_watch, why);
    }
    buf_put_str(b, "<h2>Keys, models, log</h2>");
    page_table(b, "States", heads, 3);
    put_state(b, "The workspace's key", usable, usable ? "in use" : "withheld", why);
    put_certificate(c);
    put_state(b, "Models", ready, ready ? "verified" : "not all served",
              ready ? "the newest version of each is loaded"
                    : "a model did not verify, or the key is withheld");
    put_state(b, "Audit log", log, log ? "written" : "failing",
              log ? "no answer leaves before its entry is durable"
                  : "it cannot be written: calls are refused");
    page_table_end(b);
}

static void
put_blocks(const struct cidr_set *set, const char *none, struct buf *b)
{
    if (set->count == 0) {
        page_cell_text(b, none);
    } else {
        buf_printf(b, "<td>%zu</td>", set->count);
    }
}

static void
put_listeners(struct call *c)
{
    static const char *const heads[] = {"Listener", "Address", "Allowed blocks", "Denied blocks",
                                        "Connections denied"};
    struct buf *b = &c->x->answer;
    struct server *s = c->server;
    const struct http_options *o = &s->options.http;
    const char *const addresses[HTTP_LISTENERS] = {o->address, o->second.address, o->third.address};
    buf_put_str(b, "<h2>Who may connect</h2>");
    page_table(b, "Listeners", heads, 5);
    (void)pthread_rwlock_rdlock(&s->ingress_lock);
    for (unsigned i = 0; i < HTTP_LISTENERS; i++) {
        if (addresses[i] == NULL) {
            continue;
        }
        buf_put_str(b, "<tr>");
        page_head(b, server_listener_name(i));
        buf_put_str(b, "<td>");
        text_put_html(b, addresses[i]);
        buf_printf(b, " port %u</td>", server_port(s, i));
        put_blocks(&s->ingress[i].allow, "no list: everybody", b);
        put_blocks(&s->ingress[i].deny, "none", b);
        buf_printf(b, "<td>%llu</td></tr>", (unsigned long long)atomic_load(&s->metrics.denied[i]));
    }
    (void)pthread_rwlock_unlock(&s->ingress_lock);
    page_table_end(b);
}

void
console_home(struct call *c)
{
    struct buf *b = &c->x->answer;
    struct access_decision d;
    const bool may = page_may(c, ACCESS_METRICS_READ, "metrics", &d);
    page_begin(c, "Overview", "/");
    buf_put_str(b, "<p>You are <b>");
    text_put_html(b, c->caller.principal);
    buf_put_str(b, "</b>, from ");
    text_put_html(b, c->x->address);
    buf_put_str(b, c->certificate ? ", with a certificate.</p>" : ".</p>");
    put_rights(c);
    if (may) {
        put_states(c);
        put_numbers(c);
        put_listeners(c);
    }
    (void)snprintf(c->reason, sizeof c->reason, "signed in; state of the server %s: %.90s",
                   may ? "shown" : "not shown", d.rule);
    page_end(c);
}
