/* The models that the registry has, each by the right to read it, and where they are called. */
#include "serve/console_parts.h"

#include "base/text.h"
#include "workspace/models.h"

#include <stdio.h>
#include <string.h>

#define LIST_MAX (64u << 20)

static const char *
name_of(const json_t *record)
{
    return json_string_value(json_object_get(record, "name"));
}

static bool
may_on(const struct call *c, enum access_action action, const char *name,
       struct access_decision *ret_decision)
{
    char resource[96];
    (void)snprintf(resource, sizeof resource, "models/%.63s", name);
    return page_may(c, action, resource, ret_decision);
}

/* Whether calls get it now. An older version is loaded when somebody calls it, not for a page. */
static void
put_served(struct call *c, const char *name, uint64_t version, bool newest)
{
    struct buf *b = &c->x->answer;
    const struct model *m = NULL;
    if (!newest) {
        page_cell_text(b, "older");
        return;
    }
    const struct status s = live_take(c->server->live, name, version, &m);
    buf_put_str(b, "<td>");
    page_mark(b, status_ok(s),
              status_ok(s)                 ? "verified"
              : s.code == STATUS_INTEGRITY ? "did not verify"
              : s.code == STATUS_DENIED    ? "key withheld"
                                           : "not loaded");
    buf_put_str(b, "</td>");
    if (status_ok(s)) {
        live_give_back(c->server->live, m);
    }
}

/* What a call of this person's would be told. */
static void
put_call_right(struct call *c, const char *name)
{
    struct access_decision d;
    const bool may = may_on(c, ACCESS_MODEL_INFER, name, &d);
    char text[64] = "not callable by you";
    if (may) {
        (void)snprintf(text, sizeof text, "output %s%s", access_output_word(d.output),
                       d.explanations ? ", explanations" : "");
    }
    page_cell_text(&c->x->answer, text);
}

static void
put_model(struct call *c, const json_t *record, bool newest)
{
    struct buf *b = &c->x->answer;
    const char *name = name_of(record);
    const json_t *dataset = json_object_get(json_object_get(record, "manifest"), "dataset");
    const uint64_t version = (uint64_t)json_integer_value(json_object_get(record, "version"));
    buf_put_str(b, "<tr>");
    page_head(b, name);
    buf_printf(b, "<td>%llu</td>", (unsigned long long)version);
    put_served(c, name, version, newest);
    page_cell_time(b, record, "created");
    page_cell(b, dataset, "name");
    put_call_right(c, name);
    buf_printf(b,
               "<td><code>/v2/models/%s/versions/%llu/infer</code></td><td><code>%.16s</code>"
               "</td></tr>",
               name, (unsigned long long)version,
               json_string_value(json_object_get(record, "sha256")));
}

static void
put_models(struct call *c, const json_t *list)
{
    static const char *const heads[] = {"Model",
                                        "Version",
                                        "State",
                                        "Made (UTC)",
                                        "Trained on",
                                        "Your calls",
                                        "Endpoint (data listener)",
                                        "SHA-256"};
    size_t i = 0, shown = 0;
    json_t *record = NULL;
    page_table(&c->x->answer, "Models, versions and endpoints", heads,
               sizeof heads / sizeof *heads);
    json_array_foreach((json_t *)(uintptr_t)list, i, record)
    {
        struct access_decision d;
        const char *name = name_of(record);
        if (name != NULL && may_on(c, ACCESS_MODEL_READ, name, &d)) {
            const char *next =
                name_of(json_array_get(list, i + 1)); /* they come by name, version */
            put_model(c, record, next == NULL || strcmp(next, name) != 0);
            shown++;
        }
    }
    page_table_end(&c->x->answer);
    buf_printf(&c->x->answer,
               "<p class=\"soft\">%zu shown; those that <code>model.read</code> does "
               "not let you read are left out.</p>",
               shown);
    (void)snprintf(c->reason, sizeof c->reason, "signed in; %zu of %zu versions by model.read",
                   shown, json_array_size(list));
}

void
console_models(struct call *c)
{
    DEFER(buf_done) struct buf text;
    DEFER(js_freep) json_t *list = NULL;
    buf_init(&text, LIST_MAX);
    page_begin(c, "Models", "/models");
    if (status_ok(model_put_list(c->server->workspace, &text)) &&
        status_ok(js_parse(buf_view(&text), NULL, NULL, &list))) {
        put_models(c, list);
    } else {
        page_trouble(&c->x->answer, "The registry");
    }
    page_end(c);
}
