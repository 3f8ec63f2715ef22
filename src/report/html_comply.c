/* What checks say about a catalogue's controls, as a page: what fails first, with what to do; then
 * what is not decided, what holds, and what people must look at. */
#include "report/comply_document.h"
#include "report/html_parts.h"

#include <string.h>

static const struct {
    const char *outcome, *id, *title, *about;
} parts[] = {
    {"fails", "fails", "What fails", "At least one check found a resource that does not comply."},
    {"undecided", "undecided", "What is not decided",
     "A check could not be made: the workspace's state does not hold what must be known, or there "
     "is no such policy."},
    {"passes", "passes", "What the checks let pass",
     "Every check of the control found what it looks at in order. That is a part of the control, "
     "never all of it."},
    {"always", "always", "What the program always does",
     "No policy bears on these; properties of the program do, and a test shows each."},
    {"not-applicable", "idle", "What has nothing to look at",
     "The workspace has no resource that the checks of these are about."},
};

/* ---- a check ---- */

static void
put_findings(const json_t *check, struct buf *b)
{
    size_t i;
    json_t *f = NULL;
    buf_put_str(b, "<ul>");
    json_array_foreach(json_object_get(check, "findings"), i, f)
    {
        const char *resource = document_text(f, "resource");
        const char *until = document_text(f, "until");
        buf_put_str(b, "<li>");
        html_put(b, *resource == '\0' ? "no resource" : resource);
        buf_put_str(b, ": ");
        html_put(b, document_text(f, "outcome"));
        if (*until != '\0') {
            buf_put_str(b, " until ");
            html_put(b, until);
        }
        if (*document_text(f, "message") != '\0') {
            buf_put_str(b, "; ");
            html_put_prose(b, document_text(f, "message"));
        }
        buf_put_str(b, "</li>");
    }
    buf_put_str(b, "</ul>");
}

static void
put_check(const json_t *check, struct buf *b)
{
    const char *title = document_text(check, "title"), *remedy = document_text(check, "remedy");
    const bool fails = strcmp(document_text(check, "outcome"), "fails") == 0;
    buf_put_str(b, "<p><b>");
    html_put(b, document_text(check, "outcome"));
    buf_put_str(b, "</b> ");
    html_put_prose(b, *title == '\0' ? "There is no such policy" : title);
    buf_put_str(b, " <span class=\"soft small\">(");
    html_put(b, document_text(check, "policy"));
    buf_put_str(b,
                json_is_true(json_object_get(check, "assigned")) ? ", assigned" : ", not assigned");
    buf_put_str(b, ")</span></p>");
    if (fails && *remedy != '\0') {
        buf_put_str(b, "<p><b>What to do:</b> ");
        html_put_prose(b, remedy);
        buf_put_str(b, "</p>");
    }
    if (json_array_size(json_object_get(check, "findings")) > 0) {
        buf_printf(b, "<details%s><summary>What was looked at</summary>", fails ? " open" : "");
        put_findings(check, b);
        buf_put_str(b, "</details>");
    }
}

/* ---- a control ---- */

static void
put_always(const json_t *control, struct buf *b)
{
    size_t i;
    json_t *p = NULL;
    json_array_foreach(json_object_get(control, "always"), i, p)
    {
        buf_put_str(b, "<p><b>always</b> ");
        html_put_prose(b, document_text(p, "says"));
        buf_put_str(b, " <span class=\"soft small\">(test ");
        html_put(b, document_text(p, "test"));
        buf_put_str(b, ")</span></p>");
    }
}

static void
put_text(const json_t *control, struct buf *b)
{
    html_put_prose(b, document_text(control, "text"));
    if (!json_is_true(json_object_get(control, "in_force"))) {
        buf_put_str(b, " Applies from ");
        html_put(b, document_text(control, "applies_from"));
        buf_put_str(b, ".");
    }
}

static void
put_control(const json_t *control, struct buf *b)
{
    size_t i;
    json_t *check = NULL;
    buf_put_str(b, "<div class=\"card\"><h3>");
    html_put(b, document_text(control, "id"));
    buf_put_str(b, " ");
    html_put(b, document_text(control, "title"));
    buf_put_str(b, "</h3><p class=\"soft\">");
    put_text(control, b);
    buf_put_str(b, "</p>");
    json_array_foreach(json_object_get(control, "checks"), i, check)
    {
        put_check(check, b);
    }
    put_always(control, b);
    buf_put_str(b, "<p class=\"soft small\">By hand: ");
    html_put_prose(b, document_text(control, "by_hand"));
    buf_put_str(b, "</p></div>");
}

static void
put_part(const json_t *d, size_t part, struct buf *b)
{
    size_t i;
    json_t *control = NULL;
    if (document_number(json_object_get(d, "counts"), parts[part].outcome) < 1) {
        return;
    }
    html_section(parts[part].id, parts[part].title, b);
    buf_printf(b, "<p>%s</p>", parts[part].about);
    json_array_foreach(json_object_get(d, "controls"), i, control)
    {
        if (strcmp(document_text(control, "outcome"), parts[part].outcome) == 0) {
            put_control(control, b);
        }
    }
    buf_put_str(b, "</section>");
}

/* Those that no check bears on: one table. */
static void
put_by_hand(const json_t *d, struct buf *b)
{
    size_t i;
    json_t *control = NULL;
    if (document_number(json_object_get(d, "counts"), "by-hand") < 1) {
        return;
    }
    html_section("by-hand", "What people must look at", b);
    buf_put_str(b, "<p>No check of a machine bears on these.</p><div class=\"card\"><table><thead>"
                   "<tr><th>control</th><th class=\"text\">what is asked</th></tr></thead><tbody>");
    json_array_foreach(json_object_get(d, "controls"), i, control)
    {
        if (strcmp(document_text(control, "outcome"), "by-hand") == 0) {
            buf_put_str(b, "<tr><td>");
            html_put(b, document_text(control, "id"));
            buf_put_str(b, "</td><td class=\"text\"><b>");
            html_put(b, document_text(control, "title"));
            buf_put_str(b, ".</b> ");
            put_text(control, b);
            buf_put_str(b, "</td></tr>");
        }
    }
    buf_put_str(b, "</tbody></table></div></section>");
}

/* ---- head and evidence ---- */

static void
put_header(const json_t *d, struct buf *b)
{
    static const char *const words[][2] = {
        {"fails", "fail"},
        {"undecided", "are not decided"},
        {"passes", "pass"},
        {"always", "by design"},
        {"not-applicable", "have nothing to look at"},
        {"by-hand", "are by hand"},
    };
    const json_t *k = json_object_get(d, "catalogue"), *counts = json_object_get(d, "counts");
    buf_put_str(b, "<header><div class=\"kind\">Compliance</div><h1>");
    html_put(b, document_text(k, "title"));
    buf_put_str(b, "</h1><p>");
    html_put_prose(b, document_text(k, "edition"));
    buf_put_str(b, ". Workspace of log ");
    html_put(b, document_text(d, "origin"));
    buf_put_str(b, ", ");
    html_put(b, document_text(d, "created"));
    buf_put_str(b, ".</p><div class=\"facts\">");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const double n = document_number(counts, words[i][0]);
        if (n > 0) {
            buf_printf(b, "<span><b>%.0f</b> %s</span>", n, words[i][1]);
        }
    }
    buf_put_str(b,
                "</div><p class=\"soft\">The sentences are the program's own and replace neither "
                "the text nor advice. A check that passes is evidence for a part of its control."
                "</p></header>");
}

static void
put_evidence(const json_t *d, struct buf *b)
{
    const json_t *e = json_object_get(d, "evidence");
    html_section("evidence", "Evidence", b);
    buf_printf(b,
               "<div class=\"card\"><p>The findings behind this page have the SHA-256 below, "
               "which stands in entry %.0f of the log. The receipt proves that entry to whoever "
               "has the log's key: <code>steward audit prove --check FILE --vkey KEY</code>.</p>",
               document_number(e, "entry"));
    buf_put_str(b, "<p class=\"small\"><code>");
    html_put(b, document_text(e, "findings_sha256"));
    buf_put_str(b, "</code></p><p class=\"small\">Key: <code>");
    html_put(b, document_text(e, "vkey"));
    buf_put_str(b, "</code></p><details><summary>Receipt</summary><pre>");
    html_put_lines(b, document_text(e, "receipt"), html_put, "\n");
    buf_put_str(b, "</pre></details></div></section>");
}

struct status
html_comply_page(const json_t *d, struct buf *ret_html)
{
    html_open(document_text(json_object_get(d, "catalogue"), "title"), ret_html);
    put_header(d, ret_html);
    html_main(ret_html);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        put_part(d, i, ret_html);
    }
    put_by_hand(d, ret_html);
    put_evidence(d, ret_html);
    html_close(ret_html);
    return buf_status(ret_html);
}
