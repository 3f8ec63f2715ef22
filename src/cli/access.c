/* access: roles, groups, why a decision is what it is, and the glass that is broken in an
 * emergency. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "protect/access_policy.h"
#include "workspace/registry.h"

#include <string.h>

#define JSON_MAX (64u << 20)
#define EMERGENCY_MAX_NS (24 * 3600 * NS_PER_S)
#define RESOURCE_MAX 96

/* ---- roles and groups ---- */

static bool
exists(void *ctx, const char *resource)
{
    struct workspace *w = ctx;
    char name[128];
    uint64_t version = 0;
    const bool model = strncmp(resource, "models/", 7) == 0;
    text_copy(name, sizeof name, strchr(resource, '/') + 1);
    name[strcspn(name, "/")] = '\0';
    return status_ok(registry_newest(w, model ? "model" : "dataset", name, &version)) &&
           version > 0;
}

static bool
anything(void *ctx, const char *resource)
{
    (void)ctx;
    (void)resource;
    return true;
}

static struct status
print_imported(struct cli *c, const struct access_policy_counts *n)
{
    if (c->json) {
        DEFER(js_freep)
        json_t *o = json_pack("{s:I, s:I, s:I}", "roles", (json_int_t)n->roles, "groups",
                              (json_int_t)n->groups, "grants", (json_int_t)n->grants);
        CHECK(o != NULL, MEMORY);
        return cli_print_json(o);
    }
    cli_say("taken: roles %zu, groups %zu, grants %zu", n->roles, n->groups, n->grants);
    return OK;
}

struct status
cli_role_import(struct cli *c)
{
    char reason[160];
    struct access_policy_counts counts = {0};
    DEFER(buf_done) struct buf yaml;
    DEFER(workspace_closep) struct workspace *w = NULL;
    buf_init(&yaml, ACCESS_POLICY_MAX);
    TRY(file_read(c->operand[0], ACCESS_POLICY_MAX, &c->diag, &yaml));
    TRY(cli_open(c, &w));
    const struct access_policy p = {.yaml = buf_view(&yaml),
                                    .file = c->operand[0],
                                    .now_ns = clock_wall_ns(),
                                    .exists = cli_flag(c, "yet-to-come") ? anything : exists,
                                    .ctx = w};
    TRY(workspace_begin(w, &c->diag));
    const struct status s = access_policy_import(w->access, &p, &c->diag, &counts);
    struct digest d;
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 128);
    digest_of(buf_view(&yaml), &d);
    digest_put_hex(&hex, &d);
    (void)snprintf(reason, sizeof reason,
                   "roles %zu, groups %zu, grants %zu from a file, sha256 %s", counts.roles,
                   counts.groups, counts.grants, buf_str(&hex));
    const struct workspace_act act = {
        .action = "principal.write", .resource = "roles", .reason = reason};
    TRY(cli_settle(c, w, s, &act));
    return print_imported(c, &counts);
}

/* "model.infer, model.read on models/claims; ..." */
static void
put_rules(const json_t *role, struct buf *b)
{
    size_t i = 0, k = 0;
    json_t *rule = NULL, *word = NULL;
    json_array_foreach(json_object_get(role, "rules"), i, rule)
    {
        static const char *const lists[] = {"actions", "resources"};
        buf_put_str(b, i == 0 ? "" : "; ");
        for (size_t l = 0; l < 2; l++) {
            const json_t *words = json_object_get(rule, lists[l]);
            buf_put_str(b, l == 0 ? "" : words == NULL ? " on **" : " on ");
            if (json_is_string(words)) {
                buf_put_str(b, json_string_value(words));
            }
            json_array_foreach(words, k, word)
            {
                buf_printf(b, "%s%s", k == 0 ? "" : ", ", json_string_value(word));
            }
        }
        const char *output = json_string_value(json_object_get(rule, "output"));
        if (output != NULL) {
            buf_printf(b, ", output %s", output);
        }
    }
}

static struct status
print_named(struct cli *c, struct view json, const char *title,
            void (*put)(const json_t *o, struct buf *b))
{
    DEFER(js_freep) json_t *list = NULL;
    size_t i = 0;
    json_t *o = NULL;
    TRY(js_parse(json, NULL, &c->diag, &list));
    if (c->json) {
        return cli_print_json(list);
    }
    (void)printf("%s\n", title);
    json_array_foreach(list, i, o)
    {
        DEFER(buf_done) struct buf text;
        buf_init(&text, 1u << 20);
        put(o, &text);
        const int n = printf("%-22s", json_string_value(json_object_get(o, "name")));
        (void)fputs("  ", stdout);
        cli_put_wrapped(stdout, text.len == 0 ? "-" : buf_str(&text), n + 2, 24);
    }
    return OK;
}

struct status
cli_role_list(struct cli *c)
{
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(buf_done) struct buf text;
    buf_init(&text, JSON_MAX);
    TRY(cli_open(c, &w));
    TRY(access_put_roles(w->access, &text));
    return print_named(c, buf_view(&text), "ROLE                    MAY", put_rules);
}

static void
put_members(const json_t *group, struct buf *b)
{
    size_t i = 0;
    json_t *member = NULL;
    json_array_foreach(json_object_get(group, "members"), i, member)
    {
        buf_printf(b, "%s%s", i == 0 ? "" : ", ", json_string_value(member));
    }
}

struct status
cli_group_list(struct cli *c)
{
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(buf_done) struct buf text;
    buf_init(&text, JSON_MAX);
    TRY(cli_open(c, &w));
    TRY(access_put_groups(w->access, &text));
    return print_named(c, buf_view(&text), "GROUP                   MEMBERS", put_members);
}

static struct status
remove_named(struct cli *c, const char *collection, const char *what,
             struct status (*remove)(struct access *a, const char *name, struct diag *diag))
{
    const char *name = c->operand[0];
    char resource[RESOURCE_MAX];
    DEFER(workspace_closep) struct workspace *w = NULL;
    (void)snprintf(resource, sizeof resource, "%s/%.64s", collection, name);
    const struct workspace_act act = {
        .action = "principal.write", .resource = resource, .reason = "removed"};
    TRY(cli_open(c, &w));
    /* As with a principal: not undone when the log cannot take it. */
    TRY(workspace_begin(w, &c->diag));
    TRY(workspace_take_away(w, remove(w->access, name, &c->diag), &act, &c->diag));
    if (c->json) {
        DEFER(js_freep) json_t *o = json_pack("{s:s, s:s}", what, name, "change", "removed");
        CHECK(o != NULL, MEMORY);
        return cli_print_json(o);
    }
    cli_say("%s %s is removed", what, name);
    return OK;
}

struct status
cli_role_remove(struct cli *c)
{
    return remove_named(c, "roles", "role", access_role_remove);
}

struct status
cli_group_remove(struct cli *c)
{
    return remove_named(c, "groups", "group", access_group_remove);
}

/* ---- why ---- */

static struct status
read_groups(struct cli *c, struct access_caller *caller)
{
    const char *names[CLI_MAX_REPEATS];
    DEFER(file_freep) char *memory = NULL;
    size_t n = 0;
    TRY(cli_list(c, "group", names, CLI_MAX_REPEATS, &n, &memory));
    if (n > ACCESS_GROUPS_MAX) {
        diag_set(&c->diag, "--group: at most %u", ACCESS_GROUPS_MAX);
        FAIL(INPUT);
    }
    for (size_t i = 0; i < n; i++) {
        text_copy(caller->groups[i], ACCESS_NAME_MAX, names[i]);
    }
    caller->group_count = n;
    return OK;
}

static void
print_decision(const json_t *o)
{
    size_t i = 0;
    json_t *rule = NULL;
    const bool allow = json_is_true(json_object_get(o, "allow"));
    cli_say("%s: %s", allow ? "allowed" : "denied", json_string_value(json_object_get(o, "rule")));
    if (allow && strcmp(json_string_value(json_object_get(o, "action")), "model.infer") == 0) {
        cli_say("output: %s%s", json_string_value(json_object_get(o, "output")),
                json_is_true(json_object_get(o, "explanations")) ? ", with explanations" : "");
    }
    if (json_array_size(json_object_get(o, "considered")) == 0) {
        cli_say("no grant has this action there");
    }
    json_array_foreach(json_object_get(o, "considered"), i, rule)
    {
        cli_say("- %s, of %s%s: %s: %s", json_string_value(json_object_get(rule, "rule")),
                json_is_true(json_object_get(rule, "group")) ? "group " : "",
                json_string_value(json_object_get(rule, "of")),
                json_is_true(json_object_get(rule, "holds")) ? "holds" : "does not hold",
                json_string_value(json_object_get(rule, "why")));
    }
}

struct status
cli_access_explain(struct cli *c)
{
    struct access_caller caller = {0};
    struct access_request q = {.caller = &caller,
                               .resource = c->operand[2],
                               .now_ns = clock_wall_ns(),
                               .address = cli_value(c, "from"),
                               .certificate = cli_flag(c, "certificate"),
                               .purpose = cli_value(c, "purpose")};
    const char *at = cli_value(c, "at");
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *o = NULL;
    if (at != NULL && !status_ok(clock_from_rfc3339(view_str(at), &q.now_ns))) {
        diag_set(&c->diag, "--at %.40s: write a time in UTC such as 2026-12-31T18:00:00Z", at);
        FAIL(INPUT);
    }
    TRY(access_action_from_word(c->operand[1], &c->diag, &q.action));
    TRY(access_pattern_check(q.resource, &c->diag));
    TRY(read_groups(c, &caller));
    text_copy(caller.principal, sizeof caller.principal, c->operand[0]);
    TRY(cli_open(c, &w));
    TRY(access_explain(w->access, &q, &o));
    c->exit_code = json_is_true(json_object_get(o, "allow")) ? 0 : cli_exit_code(STATUS_DENIED);
    if (c->json) {
        return cli_print_json(o);
    }
    print_decision(o);
    return OK;
}

/* ---- whose eyes ---- */

struct status
cli_visible(struct cli *c, struct workspace *w, const char *dataset, const char *const *columns,
            size_t n, bool *ret_visible)
{
    const char *as = cli_value(c, "as");
    char resource[RESOURCE_MAX];
    struct access_caller caller = {0};
    struct access_decision d;
    (void)snprintf(resource, sizeof resource, "datasets/%.63s", dataset);
    const struct access_request q = {.caller = &caller,
                                     .action = ACCESS_DATASET_READ,
                                     .resource = resource,
                                     .now_ns = clock_wall_ns()};
    memset(ret_visible, 1, n * sizeof *ret_visible);
    if (as == NULL) {
        return OK;
    }
    text_copy(caller.principal, sizeof caller.principal, as);
    access_decide(w->access, &q, &d);
    if (!d.allow) {
        diag_set(&c->diag, "%s may not read %s: %s", as, resource, d.rule);
        FAIL(DENIED);
    }
    access_columns(w->access, &q, columns, n, ret_visible);
    return OK;
}

/* ---- the emergency ---- */

static struct status
print_broken(struct cli *c, const char *name, const char *role, const char *resource,
             int64_t until_ns)
{
    DEFER(buf_done) struct buf until;
    buf_init(&until, 64);
    clock_put_rfc3339(&until, until_ns);
    (void)fprintf(stderr, "BREAK-GLASS: %s has role %s on %s until %.19sZ\n", name, role, resource,
                  buf_str(&until));
    if (c->json) {
        DEFER(js_freep)
        json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "principal", name, "role", role, "resource",
                              resource, "until", buf_str(&until));
        CHECK(o != NULL, MEMORY);
        return cli_print_json(o);
    }
    cli_say("%s has role %s on %s until %.19sZ; every call that rests on it says BREAK-GLASS in "
            "the log; --end takes it back",
            name, role, resource, buf_str(&until));
    return OK;
}

static struct status
end_emergency(struct cli *c, struct workspace *w, const char *name)
{
    char resource[RESOURCE_MAX];
    size_t ended = 0;
    (void)snprintf(resource, sizeof resource, "principals/%.64s", name);
    const struct workspace_act act = {
        .action = "access.break-glass", .resource = resource, .reason = "BREAK-GLASS ended"};
    TRY(workspace_begin(w, &c->diag));
    TRY(workspace_take_away(w, access_emergency_end(w->access, name, &c->diag, &ended), &act,
                            &c->diag));
    if (c->json) {
        DEFER(js_freep)
        json_t *o = json_pack("{s:s, s:I}", "principal", name, "ended", (json_int_t)ended);
        CHECK(o != NULL, MEMORY);
        return cli_print_json(o);
    }
    cli_say("%s: %zu taken back", name, ended);
    return OK;
}

struct status
cli_access_break_glass(struct cli *c)
{
    const char *name = c->operand[0], *role = cli_value(c, "role");
    const char *resource = cli_value(c, "resource"), *reason = cli_value(c, "reason");
    char what[400], about[RESOURCE_MAX];
    int64_t holds_ns = 0;
    DEFER(workspace_closep) struct workspace *w = NULL;
    if (cli_flag(c, "end")) {
        TRY(cli_open(c, &w));
        return end_emergency(c, w, name);
    }
    if (role == NULL || reason == NULL || strlen(reason) < 10 || strlen(reason) > 200) {
        diag_set(&c->diag, "%s: --role ROLE and --reason TEXT of 10 to 200 letters are needed",
                 c->verb->name);
        FAIL(INPUT);
    }
    if (!status_ok(text_to_duration_ns(view_str(cli_value(c, "for")), &holds_ns)) ||
        holds_ns <= 0 || holds_ns > EMERGENCY_MAX_NS) {
        diag_set(&c->diag, "--for %.40s: a duration such as 30m, at most 24h", cli_value(c, "for"));
        FAIL(INPUT);
    }
    TRY(cli_open(c, &w));
    const int64_t until = clock_wall_ns() + holds_ns;
    (void)snprintf(what, sizeof what, "BREAK-GLASS role %s on %s for %s: %s", role, resource,
                   cli_value(c, "for"), reason);
    (void)snprintf(about, sizeof about, "principals/%.64s", name);
    const struct workspace_act act = {
        .action = "access.break-glass", .resource = about, .reason = what};
    TRY(workspace_begin(w, &c->diag));
    TRY(cli_settle(c, w,
                   access_emergency_grant(w->access, name, role, resource, reason, until, &c->diag),
                   &act));
    return print_broken(c, name, role, resource, until);
}
