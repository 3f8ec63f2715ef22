#include "govern/export_event.h"

#include "base/json.h"
#include "base/text.h"
#include "govern/audit.h"

#include <stdio.h>
#include <string.h>

static const char *const words[] = {"jsonl", "ocsf", "cef", "cloudevents"};

const char *
export_format_word(enum export_format f)
{
    return words[f];
}

bool
export_format_from_word(const char *word, enum export_format *ret_format)
{
    for (unsigned i = 0; i < EXPORT_FORMATS; i++) {
        if (strcmp(words[i], word) == 0) {
            *ret_format = (enum export_format)i;
            return true;
        }
    }
    return false;
}

const char *
export_text(const struct export_entry *e, const char *key, const char *fallback)
{
    const struct js_node *n = e->root == NULL ? NULL : js_flat_member(e->root, key);
    return n != NULL && n->kind == JS_STRING ? n->text : fallback;
}

int64_t
export_number(const struct export_entry *e, const char *key)
{
    const struct js_node *n = e->root == NULL ? NULL : js_flat_member(e->root, key);
    return n != NULL && n->kind == JS_INTEGER ? n->integer : 0;
}

bool
export_allowed(const struct export_entry *e)
{
    return strcmp(export_text(e, "decision", "deny"), "allow") == 0;
}

int64_t
export_time_ms(const struct export_entry *e)
{
    int64_t ns = 0;
    return audit_event_time(e->raw, &ns) ? ns / 1000000 : 0;
}

static bool
is_alert(const char *action)
{
    return strcmp(action, AUDIT_ALERT_RAISE) == 0 || strcmp(action, AUDIT_ALERT_CLEAR) == 0;
}

bool
export_is_finding(const struct export_entry *e)
{
    const char *action = export_text(e, "action", "");
    return strcmp(action, AUDIT_GAP) == 0 || strcmp(action, AUDIT_REPAIR) == 0 ||
           strcmp(action, "access.break-glass") == 0 || is_alert(action) ||
           (strcmp(action, "key.use") == 0 && !export_allowed(e));
}

const char *
export_alert_text(const struct export_entry *e, const char *key, const char *fallback)
{
    const struct js_node *a = e->root == NULL ? NULL : js_flat_member(e->root, "alert"),
                         *n = a == NULL || a->kind != JS_OBJECT ? NULL : js_flat_member(a, key);
    return n != NULL && n->kind == JS_STRING ? n->text : fallback;
}

size_t
export_guards(const struct export_entry *e)
{
    const struct js_node *list = e->root == NULL ? NULL : js_flat_member(e->root, "guards");
    return list != NULL && list->kind == JS_ARRAY ? list->size : 0;
}

const char *
export_guard_text(const struct export_entry *e, size_t i, const char *key)
{
    const struct js_node *g = js_flat_first(js_flat_member(e->root, "guards"));
    for (; i > 0; i--) {
        g = js_flat_next(g);
    }
    const struct js_node *n = g->kind == JS_OBJECT ? js_flat_member(g, key) : NULL;
    return n != NULL && n->kind == JS_STRING ? n->text : "";
}

static unsigned
alert_severity(const struct export_entry *e)
{
    const char *word = export_alert_text(e, "severity", "high");
    if (export_is_over(e)) {
        return 1;
    }
    return strcmp(word, "low") == 0 ? 2 : strcmp(word, "medium") == 0 ? 3 : 4;
}

unsigned
export_severity(const struct export_entry *e)
{
    if (is_alert(export_text(e, "action", ""))) {
        return alert_severity(e);
    }
    return export_is_finding(e) ? 4 : export_allowed(e) ? 1 : 3;
}

bool
export_is_over(const struct export_entry *e)
{
    return strcmp(export_text(e, "action", ""), AUDIT_ALERT_CLEAR) == 0;
}

/* JSON that can stand in a line as it is. */
static bool
is_one_line(const struct export_entry *e)
{
    return e->root != NULL && memchr(e->raw.ptr, '\n', e->raw.len) == NULL;
}

static void
put_jsonl(const struct export_entry *e, struct buf *b)
{
    buf_put_str(b, "{\"index\":");
    text_put_u64(b, e->index);
    buf_put_str(b, ",\"log\":");
    js_put_string(b, view_str(e->log));
    if (is_one_line(e)) {
        buf_put_str(b, ",\"entry\":");
        buf_put(b, e->raw);
    } else {
        buf_put_str(b, ",\"entry_base64\":\"");
        text_put_base64(b, e->raw);
        buf_put_str(b, "\"");
    }
    buf_put_str(b, "}");
}

/* CloudEvents 1.0.2, JSON format: source and id together are the event's name. */
static void
put_cloudevent(const struct export_entry *e, struct buf *b)
{
    int64_t ns = 0;
    char type[160];
    (void)snprintf(type, sizeof type, "steward.%.150s", export_text(e, "action", "unknown"));
    buf_put_str(b, "{\"specversion\":\"1.0\",\"id\":\"");
    text_put_u64(b, e->index);
    buf_put_str(b, "\",\"source\":");
    js_put_string(b, view_str(e->log));
    buf_put_str(b, ",\"type\":");
    js_put_string(b, view_str(type));
    buf_put_str(b, ",\"subject\":");
    js_put_string(b, view_str(export_text(e, "resource", "unknown")));
    if (audit_event_time(e->raw, &ns)) {
        buf_put_str(b, ",\"time\":");
        js_put_string(b, view_str(export_text(e, "time", "")));
    }
    if (is_one_line(e)) {
        buf_put_str(b, ",\"datacontenttype\":\"application/json\",\"data\":");
        buf_put(b, e->raw);
    } else {
        buf_put_str(b, ",\"data_base64\":\"");
        text_put_base64(b, e->raw);
        buf_put_str(b, "\"");
    }
    buf_put_str(b, "}");
}

static struct export_entry
read_entry(const char *log, uint64_t index, struct view entry, struct arena *scratch)
{
    struct export_entry e = {.log = log, .index = index, .raw = entry};
    arena_reset(scratch);
    if (!status_ok(js_flat(entry, NULL, scratch, NULL, &e.root)) || e.root->kind != JS_OBJECT) {
        e.root = NULL;
    }
    return e;
}

struct status
export_put(enum export_format f, const char *log, uint64_t index, struct view entry,
           struct arena *scratch, struct buf *ret_line)
{
    const struct export_entry e = read_entry(log, index, entry, scratch);
    if (f == EXPORT_OCSF) {
        return export_put_ocsf(&e, ret_line);
    }
    if (f == EXPORT_CEF) {
        export_put_cef(&e, ret_line);
    } else if (f == EXPORT_CLOUDEVENTS) {
        put_cloudevent(&e, ret_line);
    } else {
        put_jsonl(&e, ret_line);
    }
    return buf_status(ret_line);
}

#define FACILITY 13u /* log audit */

/* A name of RFC 5424's head: printable ASCII without blanks. */
static const char *
head_name(const char *text, size_t most)
{
    const size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        if (text[i] <= 0x20 || text[i] >= 0x7f) {
            return "-";
        }
    }
    return n == 0 || n > most ? "-" : text;
}

struct status
export_put_syslog(const char *host, struct view entry, struct view line, struct arena *scratch,
                  struct buf *ret_frame)
{
    static const unsigned severity[] = {6, 6, 5, 4, 3};
    const struct export_entry e = read_entry("", 0, entry, scratch);
    DEFER(buf_done) struct buf head;
    buf_init(&head, 1024);
    buf_printf(&head, "<%u>1 %s %s steward - %s - ", FACILITY * 8 + severity[export_severity(&e)],
               export_time_ms(&e) == 0 ? "-" : head_name(export_text(&e, "time", "-"), 32),
               head_name(host, 255), head_name(export_text(&e, "action", "-"), 32));
    TRY(buf_status(&head));
    buf_printf(ret_frame, "%zu ", head.len + line.len);
    buf_put(ret_frame, buf_view(&head));
    buf_put(ret_frame, line);
    return buf_status(ret_frame);
}
