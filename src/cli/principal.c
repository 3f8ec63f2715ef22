#include "cli/cli.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"

#include <string.h>

#define JSON_MAX (64u << 20)

static struct status
need_role(struct cli *c, const char **ret_role)
{
    *ret_role = cli_value(c, "role");
    if (*ret_role == NULL) {
        diag_set(&c->diag,
                 "%s: --role ROLE is needed: admin, data-scientist, operator, caller, auditor, or "
                 "one of your own (\"steward role list\")",
                 c->verb->name);
        FAIL(INPUT);
    }
    return OK;
}

#define RESOURCE_MAX 96

static struct workspace_act
act_on(const char *name, const char *reason, char ret_resource[static RESOURCE_MAX])
{
    (void)snprintf(ret_resource, RESOURCE_MAX, "principals/%s", name);
    return (struct workspace_act){
        .action = "principal.write", .resource = ret_resource, .reason = reason};
}

static struct status
print_change(struct cli *c, const char *name, const char *what, const char *role,
             const char *resource)
{
    if (c->json) {
        DEFER(js_freep)
        json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "principal", name, "change", what, "role",
                              role, "resource", resource);
        CHECK(o != NULL, MEMORY);
        return cli_print_json(o);
    }
    cli_say("%s: %s %s on %s", name, what, role, resource);
    return OK;
}

struct status
cli_principal_add(struct cli *c)
{
    const char *name = c->operand[0], *role = NULL, *resource = cli_value(c, "resource");
    char reason[256], about[RESOURCE_MAX];
    DEFER(workspace_closep) struct workspace *w = NULL;
    TRY(need_role(c, &role));
    TRY(cli_open(c, &w));
    (void)snprintf(reason, sizeof reason, "principal added with role %s on %s", role, resource);
    const struct workspace_act act = act_on(name, reason, about);
    TRY(workspace_begin(w, &c->diag));
    TRY(cli_settle(c, w,
                   access_principal_add(w->access, name, role, resource, clock_wall_ns(), &c->diag),
                   &act));
    return print_change(c, name, "added with role", role, resource);
}

/* None given: no condition. */
static struct status
put_list(struct cli *c, const char *option, const char *name, json_t *when)
{
    json_t *list = NULL;
    TRY(cli_values(c, option, &list));
    if (json_array_size(list) == 0) {
        json_decref(list);
        return OK;
    }
    return js_set(when, name, list);
}

/* The grant's conditions, as a file would have them. */
static struct status
read_when(struct cli *c, json_t **ret_when)
{
    static const char *const words[] = {"days", "hours", "zone", "until"};
    DEFER(js_freep) json_t *when = json_object();
    CHECK(when != NULL, MEMORY);
    TRY(put_list(c, "from", "address", when));
    TRY(put_list(c, "purpose", "purpose", when));
    TRY(put_list(c, "purpose-not", "purpose_not", when));
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (cli_value(c, words[i]) != NULL) {
            TRY(js_set(when, words[i], json_string(cli_value(c, words[i]))));
        }
    }
    if (cli_flag(c, "certificate")) {
        TRY(js_set(when, "certificate", json_true()));
    }
    *ret_when = MOVE(when);
    return OK;
}

struct status
cli_principal_grant(struct cli *c)
{
    const char *name = c->operand[0], *role = NULL, *resource = cli_value(c, "resource");
    const bool deny = cli_flag(c, "deny");
    char reason[256], about[RESOURCE_MAX];
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *when = NULL;
    TRY(need_role(c, &role));
    TRY(read_when(c, &when));
    TRY(cli_open(c, &w));
    (void)snprintf(reason, sizeof reason, "role %s on %s %s%s", role, resource,
                   deny ? "forbidden" : "granted",
                   json_object_size(when) == 0 ? "" : ", under conditions");
    const struct workspace_act act = act_on(name, reason, about);
    TRY(workspace_begin(w, &c->diag));
    TRY(cli_settle(
        c, w, access_grant_add_when(w->access, name, role, resource, !deny, when, &c->diag), &act));
    return print_change(c, name, deny ? "forbidden" : "granted", role, resource);
}

struct status
cli_principal_remove(struct cli *c)
{
    const char *name = c->operand[0];
    char about[RESOURCE_MAX];
    const struct workspace_act act = act_on(name, "principal removed with its keys", about);
    DEFER(workspace_closep) struct workspace *w = NULL;
    TRY(cli_open(c, &w));
    /* Not undone when the log cannot take it: taking a right away is the safe side. */
    TRY(workspace_begin(w, &c->diag));
    TRY(workspace_take_away(w, access_principal_remove(w->access, name, &c->diag), &act, &c->diag));
    if (c->json) {
        DEFER(js_freep) json_t *o = json_pack("{s:s, s:s}", "principal", name, "change", "removed");
        CHECK(o != NULL, MEMORY);
        return cli_print_json(o);
    }
    (void)printf("%s: removed, its keys no longer work\n", name);
    return OK;
}

/* grants: [{allow, role, resource}] -> "caller on models/mortgage, never admin on **" */
static void
put_grants(const json_t *principal, struct buf *b)
{
    size_t i;
    json_t *g;
    json_array_foreach(json_object_get(principal, "grants"), i, g)
    {
        const json_t *allow = json_object_get(g, "allow");
        buf_printf(b, "%s%s%s%s on %s%s", i == 0 ? "" : ", ",
                   json_object_get(g, "emergency") == NULL ? "" : "BREAK-GLASS ",
                   json_is_false(allow) ? "never " : "",
                   json_string_value(json_object_get(g, "role")),
                   json_string_value(json_object_get(g, "resource")),
                   json_object_get(g, "when") == NULL ? "" : " (under conditions)");
    }
}

struct status
cli_principal_list(struct cli *c)
{
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(buf_done) struct buf text;
    DEFER(js_freep) json_t *list = NULL;
    buf_init(&text, JSON_MAX);
    TRY(cli_open(c, &w));
    TRY(access_put_principals(w->access, &text));
    TRY(js_parse(buf_view(&text), NULL, &c->diag, &list));
    if (c->json) {
        return cli_print_json(list);
    }
    (void)printf("%-22s  %s\n", "PRINCIPAL", "MAY");
    size_t i;
    json_t *p;
    json_array_foreach(list, i, p)
    {
        DEFER(buf_done) struct buf grants;
        buf_init(&grants, 1u << 20);
        put_grants(p, &grants);
        const char *name = json_string_value(json_object_get(p, "name"));
        const int n = printf("%-22s", name);
        (void)fputs("  ", stdout);
        cli_put_wrapped(stdout, grants.len == 0 ? "-" : buf_str(&grants), n + 2, 24);
    }
    return OK;
}
