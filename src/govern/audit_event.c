/* The entry's schema, docs/spec/audit-entry.md: one flat JSON object, "v" and "time" first and of
 * fixed width, so that readers can compare times without parsing. Absent values are left out. */
#include "govern/audit.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#include <string.h>

#define TIME_LETTERS 27u
#define TEXT_MAX 1024u /* of what others sent: a longer one is cut and marked */

static void
put_key(struct buf *b, const char *key)
{
    buf_put_str(b, ",\"");
    buf_put_str(b, key);
    buf_put_str(b, "\":");
}

/* Bytes that are no text, in hexadecimal. */
static void
put_hex(struct buf *b, struct view v)
{
    buf_put_str(b, "\"hex:");
    text_put_hex(b, v);
    buf_put_str(b, "\"");
}

static void
put_cut(struct buf *b, struct view v)
{
    char marked[TEXT_MAX + 3];
    memcpy(marked, v.ptr, v.len);
    memcpy(marked + v.len, "...", 3);
    js_put_string(b, view_of(marked, v.len + 3));
}

static void
put_text(struct buf *b, const char *key, const char *text)
{
    if (text == NULL) {
        return;
    }
    struct view v = view_str(text);
    const bool cut = v.len > TEXT_MAX;
    v.len = cut ? TEXT_MAX : v.len;
    while (cut && v.len > 0 && (text[v.len] & 0xc0) == 0x80) {
        v.len--; /* not in the middle of a character */
    }
    put_key(b, key);
    if (!text_is_utf8(v)) {
        put_hex(b, v);
    } else if (cut) {
        put_cut(b, v);
    } else {
        js_put_string(b, v);
    }
}

static void
put_digest(struct buf *b, const char *key, const struct digest *d)
{
    if (d != NULL) {
        put_key(b, key);
        buf_put_str(b, "\"");
        digest_put_hex(b, d);
        buf_put_str(b, "\"");
    }
}

static void
put_number(struct buf *b, const char *key, uint64_t v)
{
    if (v != 0) {
        put_key(b, key);
        text_put_u64(b, v);
    }
}

static void
put_lines(struct buf *b, const char *key, const char *lines)
{
    if (lines == NULL) {
        return;
    }
    put_key(b, key);
    for (const char *comma = "["; *lines != '\0'; comma = ",") {
        const size_t n = strcspn(lines, "\n");
        buf_put_str(b, comma);
        js_put_string(b, view_of(lines, n));
        lines += n + 1;
    }
    buf_put_str(b, "]");
}

static void
put_alert(struct buf *b, const struct audit_alert *a)
{
    put_key(b, "alert");
    buf_put_str(b, "{\"severity\":");
    js_put_string(b, view_str(a->severity));
    put_text(b, "policy", a->policy);
    put_text(b, "policy_version", a->policy_version);
    put_text(b, "subject", a->subject);
    buf_put_str(b, "}");
}

static void
put_guard(struct buf *b, const struct audit_guard *g)
{
    put_key(b, "guards");
    buf_put_str(b, "[{\"guard\":");
    js_put_string(b, view_str(g->guard));
    put_text(b, "verdict", g->verdict);
    put_text(b, "rule", g->rule);
    buf_put_str(b, "}]");
}

void
audit_event_put(const struct audit_event *e, struct buf *ret_entry)
{
    buf_put_str(ret_entry, "{\"v\":2,\"time\":\"");
    clock_put_rfc3339(ret_entry, e->time_ns);
    buf_put_str(ret_entry, "\"");
    put_text(ret_entry, "id", e->id);
    put_text(ret_entry, "principal", e->principal);
    put_text(ret_entry, "authenticated_by", e->authenticated_by);
    put_text(ret_entry, "action", e->action);
    put_text(ret_entry, "resource", e->resource);
    put_text(ret_entry, "decision", e->allow ? "allow" : "deny");
    put_text(ret_entry, "rule", e->rule);
    put_text(ret_entry, "rules_version", e->rules);
    if (e->guard != NULL) {
        put_guard(ret_entry, e->guard);
    }
    put_text(ret_entry, "output", e->output);
    put_text(ret_entry, "reason", e->reason);
    put_text(ret_entry, "purpose", e->purpose);
    put_number(ret_entry, "http_status", (uint64_t)e->http_status);
    put_text(ret_entry, "address", e->address);
    put_text(ret_entry, "model", e->model);
    put_number(ret_entry, "model_version", e->model_version);
    put_digest(ret_entry, "model_sha256", e->model_digest);
    put_number(ret_entry, "rows", e->rows);
    put_lines(ret_entry, "quotas", e->quotas);
    put_number(ret_entry, "prompt_tokens", e->prompt_tokens);
    put_number(ret_entry, "completion_tokens", e->completion_tokens);
    put_number(ret_entry, "total_tokens", e->total_tokens);
    put_digest(ret_entry, "request_sha256", e->request);
    put_digest(ret_entry, "response_sha256", e->response);
    put_digest(ret_entry, "explanation_sha256", e->explanation);
    put_text(ret_entry, "capture", e->capture);
    if (e->alert != NULL) {
        put_alert(ret_entry, e->alert);
    }
    put_number(ret_entry, "duration_ns", e->duration_ns > 0 ? (uint64_t)e->duration_ns : 0);
    buf_put_str(ret_entry, "}");
}

/* Within a text the marks would have a backslash before them. */
bool
audit_event_is_alert(struct view entry)
{
    static const char raise[] = "\"action\":\"" AUDIT_ALERT_RAISE "\"",
                      clear[] = "\"action\":\"" AUDIT_ALERT_CLEAR "\"";
    return memmem(entry.ptr, entry.len, raise, sizeof raise - 1) != NULL ||
           memmem(entry.ptr, entry.len, clear, sizeof clear - 1) != NULL;
}

bool
audit_event_time(struct view entry, int64_t *ret_wall_ns)
{
    static const char head[] = "{\"v\":1,\"time\":\"";
    const size_t n = sizeof head - 1, digit = 5; /* where the version is */
    return entry.len >= n + TIME_LETTERS && memcmp(entry.ptr, head, digit) == 0 &&
           (entry.ptr[digit] == '1' || entry.ptr[digit] == '2') &&
           memcmp(entry.ptr + digit + 1, head + digit + 1, n - digit - 1) == 0 &&
           status_ok(clock_from_rfc3339(view_of(entry.ptr + n, TIME_LETTERS), ret_wall_ns));
}
