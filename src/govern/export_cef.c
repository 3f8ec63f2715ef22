/* CEF: one line an event. */
#include "govern/export_event.h"

#include <stdio.h>
#include <string.h>

/* What separates is escaped; other control letters become blanks. */
static void
put_escaped(struct buf *b, const char *text, const char *escaped, bool extension)
{
    for (; *text != '\0'; text++) {
        if (strchr(escaped, *text) != NULL) {
            buf_put_u8(b, '\\');
            buf_put_u8(b, (uint8_t)*text);
        } else if (extension && *text == '\n') {
            buf_put_str(b, "\\n");
        } else if (extension && *text == '\r') {
            buf_put_str(b, "\\r");
        } else {
            buf_put_u8(b, (uint8_t)*text < 0x20 || *text == 0x7f ? ' ' : (uint8_t)*text);
        }
    }
}

static void
put_header(struct buf *b, const char *text)
{
    put_escaped(b, text, "\\|", false);
    buf_put_str(b, "|");
}

static void
put_key(struct buf *b, const char *key, const char *text)
{
    if (text != NULL) {
        if (b->len > 0 && b->ptr[b->len - 1] != '|') {
            buf_put_u8(b, ' ');
        }
        buf_put_str(b, key);
        buf_put_u8(b, '=');
        put_escaped(b, text, "\\=", true);
    }
}

static void
put_number(struct buf *b, const char *key, uint64_t n)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)n);
    put_key(b, key, text);
}

static void
put_custom(struct buf *b, unsigned n, const char *label, const char *text)
{
    char key[16];
    if (text != NULL) {
        (void)snprintf(key, sizeof key, "cs%uLabel", n);
        put_key(b, key, label);
        (void)snprintf(key, sizeof key, "cs%u", n);
        put_key(b, key, text);
    }
}

static void
put_extension(const struct export_entry *e, struct buf *b)
{
    const int64_t http = export_number(e, "http_status");
    put_number(b, "rt", (uint64_t)export_time_ms(e));
    put_key(b, "externalId", export_text(e, "id", NULL));
    put_key(b, "suser", export_text(e, "principal", NULL));
    put_key(b, "src", export_text(e, "address", NULL));
    put_key(b, "act", export_text(e, "decision", NULL));
    put_key(b, "outcome", export_allowed(e) && http < 400 ? "success" : "failure");
    put_key(b, "request", export_text(e, "resource", NULL));
    put_key(b, "reason", export_text(e, "reason", NULL));
    put_custom(b, 1, "rule", export_text(e, "rule", NULL));
    put_custom(b, 2, "rulesVersion", export_text(e, "rules_version", NULL));
    put_custom(b, 3, "authenticatedBy", export_text(e, "authenticated_by", NULL));
    put_custom(b, 4, "model", export_text(e, "model", NULL));
    put_custom(b, 5, "purpose", export_text(e, "purpose", NULL));
    put_custom(b, 6, "log", e->log);
    put_key(b, "cn1Label", "logIndex");
    put_number(b, "cn1", e->index);
    if (http != 0) {
        put_key(b, "cn2Label", "httpStatus");
        put_number(b, "cn2", (uint64_t)http);
    }
    if (export_number(e, "model_version") > 0) {
        put_key(b, "cn3Label", "modelVersion");
        put_number(b, "cn3", (uint64_t)export_number(e, "model_version"));
    }
}

/* The first check that refused, and tokens: in the places that CEF leaves for others' own. */
static void
put_flex(const struct export_entry *e, struct buf *b)
{
    char guard[256];
    const int64_t total = export_number(e, "total_tokens");
    if (export_guards(e) > 0) {
        (void)snprintf(guard, sizeof guard, "%.100s: %.100s", export_guard_text(e, 0, "guard"),
                       export_guard_text(e, 0, "rule"));
        put_key(b, "flexString1Label", "guard");
        put_key(b, "flexString1", guard);
    }
    if (total > 0) {
        put_key(b, "flexNumber1Label", "totalTokens");
        put_number(b, "flexNumber1", (uint64_t)total);
    }
}

void
export_put_cef(const struct export_entry *e, struct buf *ret_line)
{
    static const char *const severity[] = {"0", "2", "4", "6", "8"};
    char name[256];
    const char *action = export_text(e, "action", "unknown");
    (void)snprintf(name, sizeof name, "%.100s on %.100s", action, export_text(e, "resource", "-"));
    DEFER(buf_done) struct buf extension;
    buf_init(&extension, ret_line->max);
    put_extension(e, &extension);
    put_flex(e, &extension);
    buf_put_str(ret_line, "CEF:0|Steward|Steward|" STEWARD_VERSION "|");
    put_header(ret_line, action);
    put_header(ret_line, name);
    put_header(ret_line, severity[export_severity(e)]);
    buf_put(ret_line, buf_view(&extension));
    ret_line->failed = ret_line->failed != 0 ? ret_line->failed : extension.failed;
}
