/* Principals, keys, groups, roles; and why a decision is what it is. */
#include "serve/console_parts.h"

#include "base/clock.h"
#include "base/text.h"
#include "serve/console_form.h"

#include <string.h>

#define LIST_MAX (64u << 20)

/* ---- lists ---- */

/* A list of the store, as `put` writes each of its records. */
static void
put_list(struct call *c, const char *title, const char *const *heads, size_t columns,
         struct status (*list_of)(struct access *a, struct buf *ret_json),
         void (*put)(struct buf *b, const json_t *o))
{
    struct buf *b = &c->x->answer;
    DEFER(buf_done) struct buf text;
    DEFER(js_freep) json_t *list = NULL;
    size_t i = 0;
    json_t *o = NULL;
    buf_init(&text, LIST_MAX);
    if (!status_ok(list_of(c->server->workspace->access, &text)) ||
        !status_ok(js_parse(buf_view(&text), NULL, NULL, &list))) {
        page_trouble(b, title);
        return;
    }
    page_table(b, title, heads, columns);
    json_array_foreach(list, i, o)
    {
        buf_put_str(b, "<tr>");
        put(b, o);
        buf_put_str(b, "</tr>");
    }
    if (json_array_size(list) == 0) {
        buf_printf(b, "<tr><td colspan=\"%zu\">none</td></tr>", columns);
    }
    page_table_end(b);
}

static void
put_words(struct buf *b, const json_t *list)
{
    size_t i = 0;
    json_t *word = NULL;
    if (json_is_string(list)) {
        text_put_html(b, json_string_value(list));
    }
    json_array_foreach((json_t *)(uintptr_t)list, i, word)
    {
        buf_put_str(b, i == 0 ? "" : ", ");
        text_put_html(b, json_string_value(word));
    }
}

/* Each grant on a line of its own. */
static void
put_principal(struct buf *b, const json_t *o)
{
    size_t i = 0;
    json_t *grant = NULL;
    page_head(b, json_string_value(json_object_get(o, "name")));
    buf_put_str(b, "<td>");
    json_array_foreach(json_object_get(o, "grants"), i, grant)
    {
        buf_put_str(b, i == 0 ? "" : "<br>");
        buf_put_str(b, json_is_true(json_object_get(grant, "allow")) ? "" : "<b>denied</b> ");
        buf_put_str(b, json_object_get(grant, "reason") == NULL ? "" : "<b>BREAK-GLASS</b> ");
        text_put_html(b, json_string_value(json_object_get(grant, "role")));
        buf_put_str(b, " on <code>");
        text_put_html(b, json_string_value(json_object_get(grant, "resource")));
        buf_put_str(b, "</code>");
        buf_put_str(b, json_object_get(grant, "when") == NULL ? "" : " under conditions");
    }
    buf_put_str(b, "</td>");
    page_cell_time(b, o, "created");
}

static void
put_key(struct buf *b, const json_t *o)
{
    const char *expires = json_string_value(json_object_get(o, "expires"));
    const bool revoked = json_is_true(json_object_get(o, "revoked"));
    int64_t ends = 0;
    const bool over = expires == NULL || !status_ok(clock_from_rfc3339(view_str(expires), &ends)) ||
                      ends <= clock_wall_ns();
    page_head(b, json_string_value(json_object_get(o, "id")));
    page_cell(b, o, "principal");
    buf_put_str(b, "<td>");
    page_mark(b, !revoked && !over, revoked ? "revoked" : over ? "expired" : "holds");
    buf_put_str(b, "</td>");
    page_cell_time(b, o, "issued");
    page_cell_time(b, o, "expires");
    page_cell_time(b, o, "last_used");
}

static void
put_group(struct buf *b, const json_t *o)
{
    page_head(b, json_string_value(json_object_get(o, "name")));
    buf_put_str(b, "<td>");
    put_words(b, json_object_get(o, "members"));
    buf_put_str(b, "</td>");
}

static void
put_role(struct buf *b, const json_t *o)
{
    size_t i = 0;
    json_t *rule = NULL;
    page_head(b, json_string_value(json_object_get(o, "name")));
    buf_put_str(b, "<td>");
    json_array_foreach(json_object_get(o, "rules"), i, rule)
    {
        const char *output = json_string_value(json_object_get(rule, "output"));
        const json_t *resources = json_object_get(rule, "resources");
        buf_put_str(b, i == 0 ? "" : "<br>");
        put_words(b, json_object_get(rule, "actions"));
        buf_put_str(b, " on <code>");
        if (resources == NULL) {
            buf_put_str(b, "**");
        }
        put_words(b, resources);
        buf_put_str(b, "</code>");
        if (output != NULL) {
            buf_put_str(b, ", output ");
            text_put_html(b, output);
        }
    }
    buf_put_str(b, "</td>");
}

/* ---- why ---- */

struct question {
    char principal[ACCESS_NAME_MAX], action[32], resource[96];
};

static void
put_field(struct buf *b, const char *name, const char *label, const char *about, const char *value)
{
    buf_printf(b,
               "<div><label for=\"%s\">%s <span>%s</span></label><input id=\"%s\" name=\"%s\" "
               "required value=\"",
               name, label, about, name, name);
    text_put_html(b, value);
    buf_put_str(b, "\"></div>");
}

static void
put_question(struct buf *b, const struct question *q)
{
    buf_put_str(b, "<h2 id=\"why\">Why is something allowed or denied?</h2><form class=\"card "
                   "fields\" method=\"get\" action=\"/access/explain\">");
    put_field(b, "principal", "Principal", "who would call", q->principal);
    buf_put_str(b, "<div><label for=\"action\">Action</label><select id=\"action\" "
                   "name=\"action\">");
    for (unsigned i = 0; i < ACCESS_ACTIONS; i++) {
        const char *word = access_action_word((enum access_action)i);
        buf_printf(b, "<option%s>%s</option>", strcmp(word, q->action) == 0 ? " selected" : "",
                   word);
    }
    buf_put_str(b, "</select></div>");
    put_field(b, "resource", "Resource", "such as models/mortgage, audit, metrics", q->resource);
    buf_put_str(b, "<button>Explain</button></form>");
}

static void
put_decision(struct buf *b, const json_t *o)
{
    static const char *const heads[] = {"Rule", "Of", "Effect", "Holds", "Why"};
    const bool allow = json_is_true(json_object_get(o, "allow"));
    size_t i = 0;
    json_t *rule = NULL;
    buf_put_str(b, "<p class=\"card\">");
    page_mark(b, allow, allow ? "allowed" : "denied");
    buf_put_str(b, " ");
    text_put_html(b, json_string_value(json_object_get(o, "rule")));
    buf_put_str(b, ", now, from no address, without certificate or purpose (<code>steward access "
                   "explain</code> takes others).</p>");
    page_table(b, "Every rule that has the action there", heads, 5);
    json_array_foreach(json_object_get(o, "considered"), i, rule)
    {
        const bool holds = json_is_true(json_object_get(rule, "holds"));
        buf_put_str(b, "<tr>");
        page_head(b, json_string_value(json_object_get(rule, "rule")));
        page_cell(b, rule, "of");
        page_cell(b, rule, "effect");
        page_cell_text(b, holds ? "yes" : "no");
        page_cell(b, rule, "why");
        buf_put_str(b, "</tr>");
    }
    page_table_end(b);
}

static void
put_answer(struct call *c, const struct question *asked)
{
    struct buf *b = &c->x->answer;
    struct access_caller caller = {0};
    struct access_request q = {
        .caller = &caller, .resource = asked->resource, .now_ns = clock_wall_ns()};
    struct diag diag = {0};
    DEFER(js_freep) json_t *o = NULL;
    struct status s = access_action_from_word(asked->action, &diag, &q.action);
    s = status_ok(s) ? access_pattern_check(q.resource, &diag) : s;
    text_copy(caller.principal, sizeof caller.principal, asked->principal);
    s = status_ok(s) ? access_explain(c->server->workspace->access, &q, &o) : s;
    if (status_ok(s)) {
        put_decision(b, o);
        return;
    }
    buf_put_str(b, "<p class=\"card note\" role=\"alert\">");
    text_put_html(b, diag.text[0] == '\0' ? "the rules cannot be read now" : diag.text);
    buf_put_str(b, "</p>");
}

void
console_explain(struct call *c)
{
    const struct view form = view_str(c->x->query);
    struct question q;
    const bool read = form_field(form, "principal", q.principal, sizeof q.principal) &&
                      form_field(form, "action", q.action, sizeof q.action) &&
                      form_field(form, "resource", q.resource, sizeof q.resource);
    if (!read) {
        call_refuse(c, 400, "principal, action and resource: each once, in printable ASCII",
                    "a question that is not readable");
        return;
    }
    page_begin(c, "Why", "/access");
    put_answer(c, &q);
    put_question(&c->x->answer, &q);
    page_end(c);
}

void
console_access(struct call *c)
{
    static const char *const principals[] = {"Principal", "Roles", "Since (UTC)"},
                             *const keys[] = {"Key",          "Principal",  "State",
                                              "Issued (UTC)", "Ends (UTC)", "Last used (UTC)"},
                             *const groups[] = {"Group", "Members"},
                             *const roles[] = {"Role", "May"};
    static const struct question none = {.resource = ""};
    page_begin(c, "Access", "/access");
    put_question(&c->x->answer, &none);
    buf_put_str(&c->x->answer, "<h2>Who there is</h2>");
    put_list(c, "Principals", principals, 3, access_put_principals, put_principal);
    put_list(c, "API keys, of which nobody has the secret", keys, 6, access_put_keys, put_key);
    put_list(c, "Groups", groups, 2, access_put_groups, put_group);
    put_list(c, "Roles", roles, 2, access_put_roles, put_role);
    page_end(c);
}
