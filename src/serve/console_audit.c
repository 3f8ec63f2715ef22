/* The newest entries of the log, and its checkpoint. */
#include "serve/console_parts.h"

#include "base/file.h"
#include "base/text.h"
#include "serve/console_form.h"

#include <string.h>

#define ENTRIES 25u /* on a page */
#define CHECKPOINT_MAX 4096u

static struct status
put_entry(void *ctx, uint64_t index, struct view entry)
{
    struct buf *b = ctx;
    DEFER(js_freep) json_t *e = NULL;
    TRY(js_parse(entry, "entry", NULL, &e));
    const char *decision = json_string_value(json_object_get(e, "decision"));
    const int status = (int)json_integer_value(json_object_get(e, "http_status"));
    const bool allowed = decision != NULL && strcmp(decision, "allow") == 0;
    buf_printf(b, "<tr><th scope=\"row\">%llu</th>", (unsigned long long)index);
    page_cell_time(b, e, "time");
    buf_put_str(b, "<td>");
    page_mark(b, allowed, decision == NULL ? "-" : decision);
    buf_put_str(b, "</td>");
    page_cell(b, e, "principal");
    page_cell(b, e, "action");
    page_cell(b, e, "resource");
    if (status == 0) {
        page_cell_text(b, "\xe2\x80\x93");
    } else {
        buf_printf(b, "<td>%d</td>", status);
    }
    page_cell(b, e, "reason");
    page_cell(b, e, "address");
    buf_put_str(b, "</tr>");
    return OK;
}

static void
put_entries(struct call *c, const char *dir, uint64_t before)
{
    static const char *const heads[] = {"Entry",    "Time (UTC)", "Decision", "Principal", "Action",
                                        "Resource", "Status",     "Reason",   "From"};
    struct buf *b = &c->x->answer;
    const uint64_t from = before > ENTRIES ? before - ENTRIES : 0;
    page_table(b, "Entries, the newest last", heads, sizeof heads / sizeof *heads);
    const struct status s = audit_each(dir, from, before, put_entry, b, NULL);
    page_table_end(b);
    if (!status_ok(s)) {
        page_trouble(b, "The log");
    }
    buf_put_str(b, "<p class=\"pages\">");
    if (from > 0) {
        buf_printf(b, "<a href=\"/audit?before=%llu\">Older entries</a> ",
                   (unsigned long long)from);
    }
    buf_put_str(b, "<a href=\"/audit\">Newest entries</a></p>");
}

static void
put_checkpoint(struct call *c, const char *dir)
{
    struct buf *b = &c->x->answer;
    DEFER(file_freep) char *path = file_join(dir, "checkpoint");
    DEFER(buf_done) struct buf text;
    buf_init(&text, CHECKPOINT_MAX);
    buf_put_str(b, "<h2>Checkpoint</h2>");
    if (path == NULL || !status_ok(file_read(path, CHECKPOINT_MAX, NULL, &text))) {
        page_trouble(b, "The checkpoint");
        return;
    }
    buf_put_str(b,
                "<p>Log, number of entries, root hash, signature. Kept elsewhere, it shows later "
                "that nothing before it was changed: <code>steward audit verify</code>.</p><pre "
                "class=\"card\" tabindex=\"0\">");
    for (struct view rest = buf_view(&text); rest.len > 0;) {
        DEFER(buf_done) struct buf line;
        const struct view first = text_first_line(rest);
        buf_init(&line, CHECKPOINT_MAX);
        buf_put(&line, first);
        text_put_html(b, buf_str(&line));
        buf_put_str(b, "\n");
        const size_t n = first.len < rest.len ? first.len + 1 : first.len;
        rest = view_of(rest.ptr + n, rest.len - n);
    }
    buf_put_str(b, "</pre>");
}

void
console_audit(struct call *c)
{
    char text[24];
    uint64_t count = 0, before = 0;
    DEFER(file_freep) char *dir = file_join(c->server->workspace->dir, "audit");
    const bool read = form_field(view_str(c->x->query), "before", text, sizeof text) &&
                      (*text == '\0' || status_ok(text_to_u64(view_str(text), &before)));
    if (!read) {
        call_refuse(c, 400, "before: the number of an entry", "a question that is not readable");
        return;
    }
    page_begin(c, "Log", "/audit");
    if (dir == NULL || !status_ok(audit_count(dir, &count, NULL))) {
        page_trouble(&c->x->answer, "The log");
    } else {
        put_entries(c, dir, *text == '\0' || before > count ? count : before);
        put_checkpoint(c, dir);
    }
    page_end(c);
}
