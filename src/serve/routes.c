/* routes: what this server answers, as a table. Adding one is adding a row. */
#include "serve/call.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "serve/console.h"
#include "serve/contributions.h"
#include "serve/log_routes.h"
#include "serve/usage_routes.h"

#include <stdio.h>
#include <string.h>

/* ---- health and server metadata ---- */

static void
act_live(struct call *c)
{
    buf_put_str(&c->x->answer, "{\"live\":true}");
}

static void
act_ready(struct call *c)
{
    if (!key_watch_usable(c->server->key_watch)) {
        call_refuse(c, 503, "not ready: the workspace's key may not be used now", "not ready");
        return;
    }
    if (!live_ready(c->server->live) || !status_ok(audit_health(c->server->workspace->audit))) {
        call_refuse(c, 503, "not ready: a model did not verify, or the audit log cannot be written",
                    "not ready");
        return;
    }
    buf_put_str(&c->x->answer, "{\"ready\":true}");
}

/* Of the log's receivers: what is behind is no reason to take calls away from this server. */
static void
act_export(struct call *c)
{
    struct exports *e = c->server->options.exports;
    if (e != NULL && !exports_ready(e)) {
        call_refuse(c, 503, "not ready: a receiver of the log's events does not take them",
                    "not ready");
        return;
    }
    buf_put_str(&c->x->answer, "{\"ready\":true}");
}

/* Of the log's witnesses, likewise. */
static void
act_witness(struct call *c)
{
    if (!witnesses_ready(c->server->witnesses)) {
        call_refuse(c, 503, "not ready: no quorum of witnesses has cosigned the newest checkpoints",
                    "not ready");
        return;
    }
    buf_put_str(&c->x->answer, "{\"ready\":true}");
}

/* Of alerts, the policies' and our own: nor is what somebody must look at. */
static void
act_alerts(struct call *c)
{
    if (quotas_alarmed(c->server->quotas)) {
        call_refuse(c, 503, "an alert is open: counts of quotas were not those of the log",
                    "an alert is open");
        return;
    }
    if (policy_watch_alerts(c->server->policy_watch)) {
        call_refuse(c, 503, "an alert is open: something no longer complies with a policy",
                    "an alert is open");
        return;
    }
    buf_put_str(&c->x->answer, "{\"ready\":true}");
}

static void
act_server(struct call *c)
{
    buf_printf(&c->x->answer, "{\"name\":\"steward\",\"version\":\"%s\",\"extensions\":[]}",
               STEWARD_VERSION);
}

static void
act_metrics(struct call *c)
{
    const struct workspace *w = c->server->workspace;
    const char *stages[METRICS_STAGES];
    DEFER(js_freep) json_t *own = quotas_alert(c->server->quotas);
    const struct metrics_gauges g = {.stage = stages,
                                     .stages = call_stages(stages),
                                     .loops_ns = http_cpu_ns(c->server->http),
                                     .process_ns = clock_process_ns(),
                                     .audit_entries = audit_size(w->audit),
                                     .audit_failed = !status_ok(audit_health(w->audit)),
                                     .models_ready = live_count(c->server->live),
                                     .uptime_ns = clock_mono_ns() - c->server->started_ns};
    c->x->content_type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_put(&c->server->metrics, &g, &c->x->answer);
    series_put(c->server->series, &c->x->answer);
    quotas_put_metrics(c->server->quotas, &c->x->answer);
    witnesses_put_metrics(c->server->witnesses, &c->x->answer);
    capture_put_metrics(c->server->capture, &c->x->answer);
    exports_put_metrics(c->server->options.exports, &c->x->answer);
    policy_watch_put_metrics(c->server->policy_watch, own, &c->x->answer);
}

/* ---- models ---- */

/* Takes a reference to the model of the path, or answers why not. */
static void
inspect_model(struct call *c)
{
    const struct status s = live_take(c->server->live, c->at.name, c->at.version, &c->model);
    if (s.code == STATUS_INTEGRITY) {
        call_refuse(c, 503, "this model is not served: it did not verify",
                    "the model did not verify");
    } else if (s.code == STATUS_DENIED) {
        call_refuse(c, 503, "no model is served: the workspace's key may not be used now",
                    "the workspace's key may not be used now");
    } else if (!status_ok(s)) {
        call_refuse(c, 404, "there is no such model or version", "no such model or version");
    } else {
        c->model_version = c->model->version;
        c->model_digest = c->model->digest;
    }
}

/* Which of what is sent to the model the caller sees unmasked: [infer_columns]. NULL: answered why
 * not. */
static bool *
visible_columns(struct call *c)
{
    const uint32_t n = infer_columns(c->model);
    const char **names = arena_alloc(c->x->scratch, n, sizeof *names);
    bool *visible = arena_alloc(c->x->scratch, n, sizeof *visible);
    if (names == NULL || visible == NULL) {
        call_refuse(c, 413, "more columns than a call may have", "no memory for the columns");
        return NULL;
    }
    const struct access_request q = call_request(c);
    infer_column_names(c->model, names);
    access_columns(c->server->workspace->access, &q, names, n, visible);
    return visible;
}

static void
act_model_metadata(struct call *c)
{
    const bool *visible = visible_columns(c);
    if (visible != NULL) {
        infer_put_metadata(c->model, visible, &c->x->answer);
    }
}

static void
act_model_ready(struct call *c)
{
    buf_put_str(&c->x->answer, "{\"name\":");
    js_put_string(&c->x->answer, view_str(c->model->name));
    buf_put_str(&c->x->answer, ",\"ready\":true}");
}

/* What the decision leaves of the outputs: those that nobody asked for by name are left out, one
 * that was is refused. */
static void
narrow_outputs(struct call *c)
{
    struct infer_request *q = &c->infer;
    const enum access_output may = c->decision.output;
    const bool decides = infer_decides(c->model);
    q->digits = may == ACCESS_OUTPUT_ROUNDED ? c->decision.digits : 0;
    if (q->want_contributions && (!c->decision.explanations || may < ACCESS_OUTPUT_FULL)) {
        call_refuse_by(
            c, "output", "contributions", 403,
            c->decision.explanations
                ? "not allowed: contributions sum to the score, which is not shown in full"
                : "not allowed: contributions of this model are not shown",
            "the explanation is not for this role");
        return;
    }
    if (may >= ACCESS_OUTPUT_ROUNDED) {
        return;
    }
    if ((q->named && (q->want_probability || may == ACCESS_OUTPUT_NONE)) ||
        (may == ACCESS_OUTPUT_CLASS && !decides)) {
        call_refuse_by(
            c, "output", access_output_word(may), 403,
            may == ACCESS_OUTPUT_NONE ? "not allowed: outputs of this model are not shown"
            : decides                 ? "not allowed: of this model the decision alone is shown"
                      : "not allowed: the model has no decision, and nothing else is shown",
            "the output is not for this role");
        return;
    }
    q->want_probability = false;
    q->want_decision = q->want_decision && may == ACCESS_OUTPUT_CLASS;
    q->want_chance = q->want_chance && may == ACCESS_OUTPUT_CLASS;
}

#define EXPLAINED_ROWS 100u

/* Attributions cost a hundred times what a prediction does, on a thread that others wait for. */
static void
limit_explained(struct call *c)
{
    const unsigned given = c->server->options.explained_rows;
    const unsigned most = given == 0 ? EXPLAINED_ROWS : given;
    if (c->infer.want_contributions && c->infer.rows > most) {
        char text[96];
        (void)snprintf(text, sizeof text, "%zu rows; a call for contributions may have %u",
                       c->infer.rows, most);
        call_refuse_by(c, "input", "explained rows", 413, text,
                       "more rows than a call for contributions may have");
    }
}

static void
inspect_infer(struct call *c)
{
    struct diag diag = {0};
    const char *rule = NULL;
    inspect_model(c);
    if (c->decided) {
        return;
    }
    const struct status s = infer_parse(c->x->body, c->model, c->server->options.max_rows,
                                        c->x->scratch, &diag, &rule, &c->infer);
    if (!status_ok(s)) {
        char text[800];
        diag_describe(&diag, s, text, sizeof text);
        /* The log keeps that the body was malformed, not what stood in it. */
        call_refuse_by(c, "input", rule, s.code == STATUS_LIMIT ? 413 : 400, text,
                       s.code == STATUS_LIMIT ? "more rows or memory than a call may have"
                                              : "malformed body");
        return;
    }
    narrow_outputs(c);
    if (!c->decided) {
        limit_explained(c);
    }
}

/* The columns that the role does not see are summed. The entry of the call has the digest of what
 * leaves. */
static struct status
explain(struct call *c, const bool *visible, struct buf *ret_json)
{
    const struct attribution *a = NULL;
    TRY(live_attribution(c->server->live, c->model, &a));
    TRY(contributions_put(c->model, a, &c->infer, visible, c->x->scratch, ret_json));
    c->infer.contributions = buf_view(ret_json);
    digest_of(c->infer.contributions, &c->explanation);
    return OK;
}

static void
act_explained(struct call *c, struct buf *json)
{
    const bool *visible = visible_columns(c);
    if (visible == NULL) {
        return;
    }
    const struct status s = explain(c, visible, json);
    if (s.code == STATUS_LIMIT) {
        call_refuse(c, 413, "more rows than a call may have", "no memory for the contributions");
    } else if (!status_ok(s)) {
        call_refuse(c, 503, "the contributions could not be computed; try again",
                    "the contributions could not be computed");
    }
    c->explained = status_ok(s);
}

static void
act_infer(struct call *c)
{
    const size_t rows = c->infer.rows;
    c->out = arena_alloc(c->x->scratch, rows * c->model->file->outputs, sizeof *c->out);
    if (c->out == NULL) {
        call_refuse(c, 413, "more rows than a call may have", "no memory for the predictions");
        return;
    }
    DEFER(buf_done) struct buf contributions;
    buf_init(&contributions, SIZE_MAX / 2);
    if (c->infer.want_contributions) {
        act_explained(c, &contributions);
    }
    if (c->decided) {
        return;
    }
    model_predict(c->model, c->infer.x, rows, 1,
                  c->out); /* one thread: the others have calls of their own */
    infer_put_answer(c->model, &c->infer, c->out, &c->x->answer);
    c->rows = rows;
}

/* The first one that matches is taken: what is called most comes first. */
static const struct route routes[] = {
    {"POST", "/v2/models/{name}/infer", false, ACCESS_MODEL_INFER, "models/{name}", inspect_infer,
     act_infer},
    {"GET", "/v2/health/live", true, ACCESS_MODEL_READ, "server", NULL, act_live, SIDE_BOTH},
    {"GET", "/v2/health/ready", true, ACCESS_MODEL_READ, "server", NULL, act_ready, SIDE_BOTH},
    {"GET", "/v2/health/export", false, ACCESS_METRICS_READ, "metrics", NULL, act_export,
     SIDE_MANAGEMENT, .open_inside = true},
    {"GET", "/v2/health/witness", false, ACCESS_METRICS_READ, "metrics", NULL, act_witness,
     SIDE_MANAGEMENT, .open_inside = true},
    {"GET", "/v2/health/alerts", false, ACCESS_METRICS_READ, "metrics", NULL, act_alerts,
     SIDE_MANAGEMENT, .open_inside = true},
    {"GET", "/v2", false, ACCESS_MODEL_READ, "models", NULL, act_server},
    {"GET", "/v2/models/{name}", false, ACCESS_MODEL_READ, "models/{name}", inspect_model,
     act_model_metadata},
    {"GET", "/v2/models/{name}/ready", false, ACCESS_MODEL_READ, "models/{name}", inspect_model,
     act_model_ready},
    {"GET", "/v2/models/{name}/versions/{version}", false, ACCESS_MODEL_READ, "models/{name}",
     inspect_model, act_model_metadata},
    {"GET", "/v2/models/{name}/versions/{version}/ready", false, ACCESS_MODEL_READ, "models/{name}",
     inspect_model, act_model_ready},
    {"POST", "/v2/models/{name}/versions/{version}/infer", false, ACCESS_MODEL_INFER,
     "models/{name}", inspect_infer, act_infer},
    {"GET", "/metrics", false, ACCESS_METRICS_READ, "metrics", NULL, act_metrics, SIDE_MANAGEMENT},
    {"GET", "/v2/usage", false, ACCESS_USAGE_READ, "usage", usage_inspect, usage_act,
     SIDE_MANAGEMENT},
    {"GET", "/v2/usage/quotas", false, ACCESS_USAGE_READ, "usage/quotas", usage_inspect_quotas,
     usage_act, SIDE_MANAGEMENT},
    {"GET", "/v2/usage/questions/{index}", false, ACCESS_USAGE_READ, "usage", usage_inspect_again,
     usage_act, SIDE_MANAGEMENT},
    {"GET", LOG_PREFIX "checkpoint", false, ACCESS_AUDIT_READ, "audit/checkpoint", NULL,
     log_act_checkpoint, SIDE_BOTH, LOG_CHECKPOINT},
    {"GET", LOG_PREFIX "tile/entries/{rest}", false, ACCESS_AUDIT_READ, "audit/entries", NULL,
     log_act_tile, SIDE_BOTH, LOG_ENTRIES},
    {"GET", LOG_PREFIX "tile/{rest}", false, ACCESS_AUDIT_READ, "audit/tiles", NULL, log_act_tile,
     SIDE_BOTH, LOG_TILES},
    {"GET", LOG_PREFIX "receipts/{index}", false, ACCESS_AUDIT_READ, "audit/receipts",
     log_inspect_receipt, log_act_receipt, SIDE_BOTH, LOG_RECEIPTS, true},
    {"GET", "/", false, ACCESS_METRICS_READ, "console", NULL, console_home, SIDE_CONSOLE,
     .signed_in = "console.read"},
    {"GET", "/style.css", true, ACCESS_METRICS_READ, "console", NULL, console_style, SIDE_CONSOLE},
    {"POST", "/sign-in", false, ACCESS_METRICS_READ, "console", NULL, console_sign_in, SIDE_CONSOLE,
     .signed_in = "console.sign-in"},
    {"POST", "/sign-out", false, ACCESS_METRICS_READ, "console", NULL, console_sign_out,
     SIDE_CONSOLE, .signed_in = "console.sign-out"},
    {"GET", "/models", false, ACCESS_MODEL_READ, "models", NULL, console_models, SIDE_CONSOLE,
     .signed_in = "model.read"},
    {"GET", "/access", false, ACCESS_PRINCIPAL_READ, "principals", NULL, console_access,
     SIDE_CONSOLE},
    {"GET", "/access/explain", false, ACCESS_PRINCIPAL_READ, "principals", NULL, console_explain,
     SIDE_CONSOLE},
    {"GET", "/audit", false, ACCESS_AUDIT_READ, "audit", NULL, console_audit, SIDE_CONSOLE},
};

/* ---- matching ---- */

/* One segment of a shape against one of the path. */
static bool
match_segment(struct view shape, struct view part, struct route_place *ret_place)
{
    if (view_equal_str(shape, "{name}")) {
        if (part.len == 0 || part.len > 63) {
            return false;
        }
        memcpy(ret_place->name, part.ptr, part.len);
        ret_place->name[part.len] = '\0';
        return text_is_name(ret_place->name);
    }
    if (view_equal_str(shape, "{version}")) {
        return status_ok(text_to_u64(part, &ret_place->version)) && ret_place->version > 0;
    }
    if (view_equal_str(shape, "{index}")) {
        return status_ok(text_to_u64(part, &ret_place->index)) && ret_place->index < INT64_MAX;
    }
    return view_equal(shape, part);
}

static struct view
take_segment(const char **at)
{
    const char *from = *at + 1; /* behind the '/' */
    const size_t n = strcspn(from, "/");
    *at = from + n;
    return view_of(from, n);
}

static bool
match(const char *shape, const char *path, struct route_place *ret_place)
{
    *ret_place = (struct route_place){.version = 0};
    while (*shape == '/' && *path == '/') {
        if (strcmp(shape, "/{rest}") == 0) {
            return path[1] != '\0';
        }
        const struct view a = take_segment(&shape), b = take_segment(&path);
        if (!match_segment(a, b, ret_place)) {
            return false;
        }
    }
    return *shape == '\0' && *path == '\0';
}

const struct route *
route_find(const char *method, const char *path, struct route_place *ret_place,
           const char **ret_other_method)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (match(routes[i].path, path, ret_place)) {
            if (strcmp(routes[i].method, method) == 0) {
                return &routes[i];
            }
            *ret_other_method = routes[i].method;
        }
    }
    return NULL;
}
