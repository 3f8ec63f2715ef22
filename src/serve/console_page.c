/* What all pages have: head, navigation, style, and the pages of refusals. */
#include "serve/console_parts.h"

#include "base/clock.h"
#include "base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Blue and vermilion of Okabe and Ito, told apart with any colour vision; a mark and a word say the
 * same. */
/* clang-format off */
static const char style[] =
    ":root{color-scheme:light dark;--bg:#f7f7f5;--card:#fff;--ink:#1c1f24;--soft:#59626d;"
    "--line:#d9dde2;--blue:#0069a6;--red:#b34700}"
    "@media(prefers-color-scheme:dark){:root{--bg:#14171b;--card:#1c2025;--ink:#e8eaed;"
    "--soft:#a5adb7;--line:#3a4149;--blue:#5fb4e5;--red:#f08a4b}}"
    "*{box-sizing:border-box}"
    "body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"
    "'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;overflow-wrap:anywhere}"
    "header,main,footer{max-width:1060px;margin:0 auto;padding:0 24px}"
    "header{padding-top:20px}header p{margin:0}"
    "h1{font-size:1.8rem;line-height:1.2;margin:22px 0 6px}h2{font-size:1.25rem;margin:32px 0 6px}"
    "p{margin:4px 0 12px}.soft{color:var(--soft)}.small{font-size:.875rem}"
    ".bar{display:flex;flex-wrap:wrap;gap:4px 22px;justify-content:space-between;"
    "align-items:baseline}.brand{font-weight:650}"
    "nav{border-bottom:1px solid var(--line);margin-top:10px}"
    "nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:2px 22px;margin:0;padding:8px 0}"
    "nav a[aria-current]{color:var(--ink);font-weight:650;text-decoration:none}"
    "a{color:var(--blue)}"
    "a:focus-visible,button:focus-visible,input:focus-visible,select:focus-visible,"
    ".card:focus-visible{outline:3px solid var(--blue);outline-offset:2px}main:focus{outline:0}"
    ".skip{position:absolute;left:-999px}.skip:focus{left:8px;top:8px;background:var(--card);"
    "padding:8px 14px}"
    ".card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:14px 16px;"
    "margin:12px 0;overflow-x:auto}"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;"
    "margin:12px 0;padding:0}"
    ".tiles div{background:var(--card);border:1px solid var(--line);border-radius:8px;"
    "padding:10px 14px}.tiles dt{color:var(--soft);font-size:.85rem}"
    ".tiles dd{margin:0;font-size:1.3rem;font-weight:650;font-variant-numeric:tabular-nums}"
    "table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}"
    "caption{text-align:left;font-weight:600;padding-bottom:6px}"
    "th,td{text-align:left;padding:6px 12px 6px 0;border-bottom:1px solid var(--line);"
    "vertical-align:top}thead th{color:var(--soft);font-weight:600;white-space:nowrap}"
    "tbody th{font-weight:500}th,td{overflow-wrap:break-word}tbody tr:last-child>*{border-bottom:0}"
    ".good{color:var(--blue);font-weight:600;white-space:nowrap}"
    ".bad{color:var(--red);font-weight:600;white-space:nowrap}"
    ".note{border-left:5px solid var(--red)}"
    "form.fields{display:grid;gap:10px;max-width:560px}label{display:block;font-weight:600}"
    "label span{display:block;font-weight:400;color:var(--soft);font-size:.875rem}"
    "input,select,button{font:inherit;color:inherit;background:var(--bg);border:1px solid "
    "var(--soft);border-radius:6px;padding:7px 10px}input,select{width:100%}"
    "button{background:var(--blue);border-color:var(--blue);color:var(--card);font-weight:600;"
    "cursor:pointer;justify-self:start}"
    ".bar button{background:none;border:0;color:var(--blue);padding:0;text-decoration:underline;"
    "font-weight:400}"
    "code,pre{font:.86em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}"
    "pre{white-space:pre-wrap;margin:0}dl.pairs{display:grid;grid-template-columns:max-content 1fr;"
    "gap:4px 18px;margin:0}dl.pairs dt{color:var(--soft)}dl.pairs dd{margin:0}"
    "footer{padding:24px 24px 36px}"
    "@media(max-width:560px){header,main,footer{padding-left:12px;padding-right:12px}"
    "dl.pairs{grid-template-columns:1fr}}"
    "@media print{:root{color-scheme:light;--bg:#fff;--card:#fff;--ink:#000;--soft:#444;"
    "--line:#999;font-size:10.5px}body{font-size:1rem}nav,.skip,form,.pages{display:none}"
    "header,main,footer{max-width:none;padding:0}.card{border:0;padding:0;overflow:visible}"
    "tr{break-inside:avoid}thead{display:table-header-group}h2{break-after:avoid}"
    "td,th{overflow-wrap:anywhere}td:has(.good,.bad){min-width:5em}"
    "td,th{padding-right:8px}pre{overflow-wrap:anywhere}}@page{margin:12mm}";
/* clang-format on */

static const struct {
    const char *path, *name;
} pages[] = {{"/", "Overview"}, {"/models", "Models"}, {"/access", "Access"}, {"/audit", "Log"}};

void
console_style(struct call *c)
{
    c->x->content_type = "text/css; charset=utf-8";
    buf_put_str(&c->x->answer, style);
}

void
console_set_headers(struct call *c)
{
    static const char *const headers[][2] = {
        {"content-security-policy",
         "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
         "frame-ancestors 'none'"},
        {"strict-transport-security", "max-age=31536000"},
        {"referrer-policy", "same-origin"}, /* with less, forms would come from "null" */
        {"cross-origin-opener-policy", "same-origin"},
        {"cross-origin-resource-policy", "same-origin"},
        {"x-frame-options", "DENY"},
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        http_set_header(c->x, headers[i][0], headers[i][1]);
    }
}

/* ---- a page ---- */

static void
put_navigation(struct call *c, const char *at)
{
    struct buf *b = &c->x->answer;
    buf_put_str(b, "<nav aria-label=\"Pages\"><ul>");
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        buf_printf(b, "<li><a href=\"%s\"%s>%s</a></li>", pages[i].path,
                   strcmp(pages[i].path, at) == 0 ? " aria-current=\"page\"" : "", pages[i].name);
    }
    buf_put_str(b, "</ul></nav>");
}

static void
put_who(struct call *c)
{
    struct buf *b = &c->x->answer;
    buf_put_str(b, "<form method=\"post\" action=\"/sign-out\"><span class=\"soft\">Signed in as "
                   "</span><b>");
    text_put_html(b, c->caller.principal);
    buf_put_str(b, "</b> <button>Sign out</button></form>");
}

void
page_begin(struct call *c, const char *title, const char *at)
{
    struct buf *b = &c->x->answer;
    const bool known = c->caller.principal[0] != '\0';
    c->x->content_type = "text/html; charset=utf-8";
    buf_printf(b,
               "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta "
               "name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>%s - "
               "Steward</title><link rel=\"stylesheet\" href=\"/style.css\"></head><body><a "
               "class=\"skip\" href=\"#main\">Skip to the content</a><header><div "
               "class=\"bar\"><p><span class=\"brand\">Steward console</span>",
               title);
    if (known) {
        buf_put_str(b, " <span class=\"soft\">");
        text_put_html(b, c->server->workspace->origin);
        buf_put_str(b, "</span>");
    }
    buf_put_str(b, "</p>");
    if (known) {
        put_who(c);
    }
    buf_put_str(b, "</div>");
    if (known) {
        put_navigation(c, at);
    }
    buf_printf(b, "</header><main id=\"main\" tabindex=\"-1\"><h1>%s</h1>", title);
}

void
page_end(struct call *c)
{
    struct buf *b = &c->x->answer;
    DEFER(buf_done) struct buf now;
    buf_init(&now, 64);
    clock_put_rfc3339(&now, clock_wall_ns());
    buf_printf(b,
               "</main><footer class=\"soft small\">Made %.10s %.8s UTC, call <code>%s</code> in "
               "the log. This page changes nothing.</footer></body></html>\n",
               buf_str(&now), buf_str(&now) + 11, c->id);
}

/* ---- its parts ---- */

void
page_table(struct buf *b, const char *caption, const char *const *heads, size_t count)
{
    buf_printf(b,
               "<div class=\"card\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table>"
               "<caption>%s</caption><thead><tr>",
               caption, caption);
    for (size_t i = 0; i < count; i++) {
        buf_printf(b, "<th scope=\"col\">%s</th>", heads[i]);
    }
    buf_put_str(b, "</tr></thead><tbody>");
}

void
page_table_end(struct buf *b)
{
    buf_put_str(b, "</tbody></table></div>");
}

void
page_cell_text(struct buf *b, const char *text)
{
    buf_put_str(b, "<td>");
    text_put_html(b, text);
    buf_put_str(b, "</td>");
}

void
page_head(struct buf *b, const char *text)
{
    buf_put_str(b, "<th scope=\"row\">");
    text_put_html(b, text);
    buf_put_str(b, "</th>");
}

void
page_cell(struct buf *b, const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    page_cell_text(b, text == NULL ? "\xe2\x80\x93" : text);
}

void
page_cell_time(struct buf *b, const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    char day[32] = "\xe2\x80\x93";
    if (text != NULL && strlen(text) >= 19) {
        (void)snprintf(day, sizeof day, "%.10s %.8s", text, text + 11);
    }
    page_cell_text(b, day);
}

void
page_mark(struct buf *b, bool good, const char *word)
{
    buf_printf(b, "<span class=\"%s\">%s ", good ? "good" : "bad", good ? "&#10003;" : "&#10007;");
    text_put_html(b, word);
    buf_put_str(b, "</span>");
}

void
page_trouble(struct buf *b, const char *what)
{
    buf_printf(b, "<p class=\"card note\">%s cannot be read now.</p>", what);
}

bool
page_may(const struct call *c, enum access_action action, const char *resource,
         struct access_decision *ret_decision)
{
    struct access_request q = call_request(c);
    q.action = action;
    q.resource = resource;
    access_decide(c->server->workspace->access, &q, ret_decision);
    return ret_decision->allow;
}

/* ---- refusals ---- */

static void
put_form(struct call *c)
{
    struct buf *b = &c->x->answer;
    buf_put_str(b, "<form class=\"card fields\" method=\"post\" action=\"/sign-in\"><label "
                   "for=\"key\">API key <span>as \"steward api-key issue\" gave it; it is not "
                   "kept</span></label><input id=\"key\" name=\"key\" type=\"password\" "
                   "autocomplete=\"current-password\" spellcheck=\"false\" autofocus>"
                   "<button>Sign in</button></form>");
    if (c->x->client_identity[0] != '\0') {
        buf_put_str(b, "<form class=\"card fields\" method=\"post\" action=\"/sign-in\"><input "
                       "type=\"hidden\" name=\"certificate\" value=\"yes\"><p>A certificate came "
                       "with this connection: <code>");
        text_put_html(b, c->x->client_identity);
        buf_put_str(b, "</code></p><button>Sign in with the certificate</button></form>");
    }
}

void
console_put_refusal(struct call *c, const char *sentence)
{
    struct buf *b = &c->x->answer;
    char text[1024];
    const bool stranger = c->caller.principal[0] == '\0';
    page_begin(c, stranger ? "Sign in" : c->x->status == 404 ? "Not found" : "Not shown", "");
    buf_put_str(b, "<p class=\"card note\" role=\"alert\">");
    text_copy(text, sizeof text, sentence);
    text[0] = (char)toupper((unsigned char)text[0]);
    text_put_html(b, text);
    buf_put_str(b, ".</p>");
    if (stranger) {
        put_form(c);
    }
    page_end(c);
}
