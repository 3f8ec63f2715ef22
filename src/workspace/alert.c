#include "workspace/alert.h"

#include "govern/audit.h"
#include "workspace/policy_gather.h"

#define RECORD_MAX 4096u

struct status
alert_read(struct workspace *w, struct alert *a, struct diag *diag)
{
    DEFER(js_freep) json_t *record = NULL;
    DEFER(buf_done) struct buf text;
    buf_init(&text, RECORD_MAX);
    const struct status s = store_get(w->store, POLICY_STATES, a->resource, diag, &text, NULL);
    if (s.code == STATUS_NOT_FOUND) {
        return OK;
    }
    TRY(s);
    TRY(js_parse(buf_view(&text), a->resource, diag, &record));
    const json_int_t total = json_integer_value(json_object_get(record, "alerts"));
    a->open = json_is_true(json_object_get(record, "alert"));
    a->total = total > 0 ? (uint64_t)total : 0;
    return OK;
}

struct status
alert_keep(struct workspace *w, struct alert *a, struct diag *diag)
{
    if (!a->unkept) {
        return OK;
    }
    DEFER(js_freep)
    json_t *record = json_pack("{s:b, s:I}", "alert", a->open, "alerts", (json_int_t)a->total);
    DEFER(buf_done) struct buf value;
    buf_init(&value, RECORD_MAX);
    CHECK(record != NULL, MEMORY);
    TRY(js_put(&value, record));
    TRY(store_put(w->store, POLICY_STATES, a->resource, buf_view(&value), STORE_ANY, diag));
    a->unkept = false;
    return OK;
}

struct status
alert_tell(struct workspace *w, struct alert *a, bool raised, const char *sentence,
           struct diag *diag)
{
    const struct audit_alert alert = {.severity = a->severity,
                                      .policy = a->policy,
                                      .policy_version = "1",
                                      .subject = a->resource};
    const struct workspace_act act = {.action = raised ? AUDIT_ALERT_RAISE : AUDIT_ALERT_CLEAR,
                                      .resource = a->resource,
                                      .reason = sentence,
                                      .alert = &alert};
    TRY(workspace_audit(w, &act, diag));
    a->open = raised;
    a->total += raised;
    a->unkept = true;
    return alert_keep(w, a, diag);
}

json_t *
alert_json(const struct alert *a)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:I}", "assignment", a->resource, "policy", a->policy,
                     "severity", a->severity, "open", (json_int_t)a->open, "total",
                     (json_int_t)a->total);
}
