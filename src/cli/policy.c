/* policy: configuration policies: what is assigned, what it finds, and whether the policies
 * themselves say what their examples say. */
#include "cli/cli.h"
#include "cli/config.h"
#include "cli/config_state.h"

#include "base/clock.h"
#include "base/embedded.h"
#include "base/file.h"
#include "base/text.h"
#include "workspace/policies.h"
#include "workspace/policy_gather.h"

#include <stdio.h>
#include <string.h>

#define UNTIL_MAX_NS (INT64_C(3660) * 86400 * NS_PER_S)

/* ---- policies ---- */

const struct cli_option cli_policy_list_options[] = {
    {"built-in", NULL, "the policies that came with this program instead", NULL, CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_policy_assign_options[] = {
    {"name", "NAME", "of the assignment (default: the policy's id)", NULL, CLI_ONCE, NULL},
    {"model", "NAME", "on that model only", NULL, CLI_ONCE, NULL},
    {"endpoint", "NAME", "on that endpoint only", NULL, CLI_ONCE, NULL},
    {"set", "NAME=VALUE", "a parameter; several values of a list: several times", NULL,
     CLI_REPEATED, NULL},
    {"why", "TEXT", "for the log", NULL, CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_policy_unassign_options[] = {
    {"why", "TEXT", "for the log", NULL, CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_policy_exempt_options[] = {
    {"resource", "TYPE/NAME", "as findings name it, or model/NAME, endpoint/NAME, workspace: all",
     "workspace", CLI_ONCE, NULL},
    {"until", "TIME", "when it ends, e.g. 2027-01-31T00:00:00Z", NULL, CLI_ONCE, NULL},
    {"why", "TEXT", "for the log: 10 to 200 letters", NULL, CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_policy_check_options[] = {
    {"config", "FILE", "the server's configuration (default: steward.yaml of the workspace)", NULL,
     CLI_ONCE, "@file"},
    {"all", NULL, "show what complies, too", NULL, CLI_ONCE, NULL},
    {0},
};

const struct cli_option cli_policy_state_options[] = {
    {"config", "FILE", "the server's configuration (default: steward.yaml of the workspace)", NULL,
     CLI_ONCE, "@file"},
    {"type", "TYPE", "resources of that type only", NULL, CLI_ONCE, NULL},
    {0},
};

/* A built-in policy's id, or a file. */
static struct status
read_text(struct cli *c, const char *of, struct buf *ret_text)
{
    const char *text = policy_built_in(of);
    if (text != NULL) {
        buf_put_str(ret_text, text);
        return buf_status(ret_text);
    }
    if (strchr(of, '/') == NULL && strchr(of, '.') == NULL) {
        diag_set(&c->diag,
                 "no built-in policy \"%.60s\"; \"steward policy list --built-in\" shows "
                 "them, a file's name has a dot",
                 of);
        FAIL(NOT_FOUND);
    }
    return file_read(of, POLICY_TEXT_MAX, &c->diag, ret_text);
}

static struct status
list_built_in(struct cli *c)
{
    DEFER(js_freep) json_t *list = json_array();
    DEFER(buf_done) struct buf text;
    buf_init(&text, 4u << 20);
    CHECK(list != NULL, MEMORY);
    for (const struct embedded *e = embedded_policies; e->name != NULL; e++) {
        DEFER(policy_freep) struct policy *p = NULL;
        json_t *o = NULL;
        TRY(policy_read(e->text, e->name, &c->diag, &p));
        TRY(policy_describe(p, &o));
        CHECK(json_array_append_new(list, o) == 0, MEMORY);
    }
    TRY(js_put(&text, list));
    return cli_print_list(c, buf_view(&text),
                          "id:POLICY severity:SEVERITY effect:EFFECT title:TITLE");
}

struct status
cli_policy_list(struct cli *c)
{
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *list = NULL;
    DEFER(buf_done) struct buf text;
    buf_init(&text, 64u << 20);
    if (cli_flag(c, "built-in")) {
        return list_built_in(c);
    }
    TRY(cli_open(c, &w));
    TRY(policies_list(w, &c->diag, &list));
    TRY(js_put(&text, list));
    return cli_print_list(c, buf_view(&text),
                          "assignment:ASSIGNMENT policy:POLICY version:VERSION scope:SCOPE "
                          "effect:EFFECT built_in:BUILT-IN");
}

struct status
cli_policy_show(struct cli *c)
{
    DEFER(buf_done) struct buf text;
    DEFER(policy_freep) struct policy *p = NULL;
    DEFER(js_freep) json_t *o = NULL;
    buf_init(&text, POLICY_TEXT_MAX + 1);
    TRY(read_text(c, c->operand[0], &text));
    TRY(policy_read(buf_view(&text), c->operand[0], &c->diag, &p));
    TRY(policy_describe(p, &o));
    if (c->json) {
        return cli_print_json(o);
    }
    for (const char *at = buf_str(&text); *at != '\0';) {
        const size_t n = strcspn(at, "\n");
        char line[1024];
        (void)snprintf(line, sizeof line, "%.*s", (int)n, at);
        cli_put_clean(stdout, line);
        (void)putchar('\n');
        at += n + (at[n] == '\n');
    }
    (void)printf("# sha256 %s\n", p->digest_hex);
    return OK;
}

struct status
cli_policy_fields(struct cli *c)
{
    size_t n = 0;
    const struct policy_field *f = policy_fields(&n);
    DEFER(js_freep) json_t *list = json_array();
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 20);
    for (size_t i = 0; i < n; i++) {
        CHECK(json_array_append_new(
                  list, json_pack("{s:s, s:s, s:s, s:s}", "type", f[i].type, "field", f[i].name,
                                  "kind", policy_kind_word(f[i].kind), "about",
                                  f[i].about == NULL ? "as in steward.yaml" : f[i].about)) == 0,
              MEMORY);
    }
    TRY(js_put(&text, list));
    return cli_print_list(c, buf_view(&text), "type:TYPE field:FIELD kind:KIND about:ABOUT");
}

/* ---- assigning ---- */

/* NAME=VALUE; one that stands several times is a list. */
static struct status
read_parameters(struct cli *c, json_t **ret_parameters)
{
    const char *values[CLI_MAX_REPEATS];
    DEFER(file_freep) char *memory = NULL;
    size_t n = 0;
    DEFER(js_freep) json_t *o = json_object();
    CHECK(o != NULL, MEMORY);
    TRY(cli_list(c, "set", values, CLI_MAX_REPEATS, &n, &memory));
    for (size_t i = 0; i < n; i++) {
        char name[64];
        const char *mark = strchr(values[i], '=');
        if (mark == NULL || mark == values[i] || mark - values[i] >= (int)sizeof name) {
            diag_set(&c->diag, "--set %.60s: write NAME=VALUE", values[i]);
            FAIL(INPUT);
        }
        (void)snprintf(name, sizeof name, "%.*s", (int)(mark - values[i]), values[i]);
        json_t *there = json_object_get(o, name), *v = json_string(mark + 1);
        if (there == NULL) {
            TRY(js_set(o, name, v));
        } else if (json_is_array(there)) {
            CHECK(json_array_append_new(there, v) == 0, MEMORY);
        } else {
            TRY(js_set(o, name, json_pack("[O, o]", there, v)));
        }
    }
    *ret_parameters = MOVE(o);
    return OK;
}

/* --model NAME, --endpoint NAME, or the workspace. */
static struct status
read_scope(struct cli *c, char ret_scope[static POLICY_SCOPE_MAX])
{
    const char *model = cli_value(c, "model"), *endpoint = cli_value(c, "endpoint");
    if (model != NULL && endpoint != NULL) {
        diag_set(&c->diag, "--model or --endpoint, not both");
        FAIL(INPUT);
    }
    const char *name = model != NULL ? model : endpoint;
    (void)snprintf(ret_scope, POLICY_SCOPE_MAX, "%s%.80s",
                   model != NULL      ? "model/"
                   : endpoint != NULL ? "endpoint/"
                                      : "workspace",
                   name == NULL ? "" : name);
    return OK;
}

static struct status
print_done(struct cli *c, const char *name, const char *change)
{
    if (c->json) {
        DEFER(js_freep) json_t *o = json_pack("{s:s, s:s}", "assignment", name, "change", change);
        CHECK(o != NULL, MEMORY);
        return cli_print_json(o);
    }
    cli_say("assignment %s: %s", name, change);
    return OK;
}

struct status
cli_policy_assign(struct cli *c)
{
    char scope[POLICY_SCOPE_MAX], change[POLICY_SCOPE_MAX + 80];
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *parameters = NULL;
    DEFER(buf_done) struct buf text;
    DEFER(policy_freep) struct policy *p = NULL;
    buf_init(&text, POLICY_TEXT_MAX + 1);
    TRY(read_text(c, c->operand[0], &text));
    TRY(policy_read(buf_view(&text), c->operand[0], &c->diag, &p));
    TRY(read_parameters(c, &parameters));
    TRY(read_scope(c, scope));
    TRY(cli_open(c, &w));
    const struct policies_assign_options o = {.text = buf_view(&text),
                                              .file = c->operand[0],
                                              .name = cli_value(c, "name"),
                                              .scope = scope,
                                              .parameters = parameters,
                                              .why = cli_value(c, "why")};
    TRY(policies_assign(w, &o, &c->diag));
    (void)snprintf(change, sizeof change, "policy %s holds on %s", p->id, scope);
    return print_done(c, o.name == NULL ? p->id : o.name, change);
}

struct status
cli_policy_unassign(struct cli *c)
{
    DEFER(workspace_closep) struct workspace *w = NULL;
    TRY(cli_open_even_revoked(c, &w));
    TRY(policies_unassign(w, c->operand[0], cli_value(c, "why"), &c->diag));
    return print_done(c, c->operand[0], "no longer assigned");
}

struct status
cli_policy_exempt(struct cli *c)
{
    DEFER(workspace_closep) struct workspace *w = NULL;
    const char *until = NULL, *resource = cli_value(c, "resource"), *why = NULL;
    char change[POLICY_RESOURCE_MAX + 80];
    int64_t until_ns = 0;
    TRY(cli_need(c, "until", "TIME", &until));
    TRY(cli_need(c, "why", "TEXT", &why));
    if (!status_ok(clock_from_rfc3339(view_str(until), &until_ns)) ||
        until_ns > clock_wall_ns() + UNTIL_MAX_NS) {
        diag_set(&c->diag, "--until %.40s: a time within ten years, such as 2027-01-31T00:00:00Z",
                 until);
        FAIL(INPUT);
    }
    TRY(cli_open_even_revoked(c, &w));
    TRY(policies_exempt(w, c->operand[0], resource, until_ns, why, &c->diag));
    (void)snprintf(change, sizeof change, "%s is exempt until %s", resource, until);
    return print_done(c, c->operand[0], change);
}

/* ---- checking ---- */

static void
say_values(const json_t *finding)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach(json_object_get(finding, "fields"), key, value)
    {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        cli_say("  %s is %.200s", key, text == NULL ? "?" : text);
        free(text);
    }
    const json_t *m = NULL;
    size_t i = 0;
    json_array_foreach(json_object_get(finding, "missing"), i, m)
    {
        cli_say("  %s is not known here", json_string_value(m));
    }
}

static void
say_since(const json_t *f)
{
    const char *since = json_string_value(json_object_get(f, "since"));
    if (since != NULL) {
        cli_say("  since %.19sZ%s", since,
                json_is_true(json_object_get(f, "alert")) ? "; an alert is open" : "");
    }
}

static void
say_finding(const json_t *f)
{
    const char *resource = json_string_value(json_object_get(f, "resource")),
               *until = json_string_value(json_object_get(f, "until")),
               *message = json_string_value(json_object_get(f, "message"));
    cli_say("%s: %s%s%s: %s%s%s", json_string_value(json_object_get(f, "assignment")),
            json_string_value(json_object_get(f, "outcome")), until == NULL ? "" : " until ",
            until == NULL ? "" : until,
            resource == NULL ? json_string_value(json_object_get(f, "type")) : resource,
            message == NULL ? "" : ": ", message == NULL ? "" : message);
    say_since(f);
    say_values(f);
}

static void
say_report(const json_t *report, bool all)
{
    const json_t *f = NULL, *n = NULL;
    const char *word = NULL;
    size_t i = 0;
    json_array_foreach(json_object_get(report, "findings"), i, f)
    {
        const char *o = json_string_value(json_object_get(f, "outcome"));
        if (all || (strcmp(o, "compliant") != 0 && strcmp(o, "not-applicable") != 0)) {
            say_finding(f);
        }
    }
    json_object_foreach(json_object_get(report, "counts"), word, n)
    {
        (void)printf("%8lld %s\n", (long long)json_integer_value(n), word);
    }
}

/* While a server runs, what becomes of the configuration is the server's to say: it may have
 * another file, an option or a policy that sets what this one leaves open. */
static bool
server_runs(const struct cli *c)
{
    DEFER(file_freep) char *path = file_join(c->dir, "serve.lock");
    return file_is_locked(path);
}

static json_int_t
count_of(const json_t *report, enum policy_outcome o)
{
    return json_integer_value(
        json_object_get(json_object_get(report, "counts"), policy_outcome_word(o)));
}

struct status
cli_policy_check(struct cli *c)
{
    struct config config;
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *also = NULL;
    DEFER(js_freep) json_t *report = NULL;
    DEFER(policies_tally_done) struct policies_tally tally = {0};
    TRY(cli_config(c, cli_value(c, "config"), &config));
    TRY(cli_open(c, &w));
    TRY(config_state(&config, w->principal, &also));
    TRY(policies_look(w, server_runs(c) ? NULL : also, w->tell, w->tell_ctx, &c->diag, &tally));
    TRY(policies_check(w, also, &c->diag, &report));
    c->exit_code = count_of(report, POLICY_NON_COMPLIANT) > 0 ? CLI_EXIT_NO : 0;
    if (c->json) {
        return cli_print_json(report);
    }
    say_report(report, cli_flag(c, "all"));
    return OK;
}

/* ---- what they look at ---- */

static void
say_resource(const json_t *r)
{
    const char *key = NULL;
    json_t *value = NULL;
    (void)printf("%s/", json_string_value(json_object_get(r, "type")));
    cli_put_clean(stdout, json_string_value(json_object_get(r, "name")));
    (void)putchar('\n');
    json_object_foreach(json_object_get(r, "fields"), key, value)
    {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        (void)printf("  %s ", key);
        cli_put_clean(stdout, text == NULL ? "?" : text);
        (void)putchar('\n');
        free(text);
    }
}

/* Leaves those of another type out. */
static struct status
choose_type(struct cli *c, json_t *resources)
{
    const char *type = cli_value(c, "type");
    size_t n = 0;
    const struct policy_field *f = policy_fields(&n);
    bool known = type == NULL;
    for (size_t i = 0; i < n && !known; i++) {
        known = strcmp(f[i].type, type) == 0;
    }
    if (!known) {
        diag_set(&c->diag, "there is no type \"%.40s\"; \"steward policy fields\" shows them",
                 type);
        FAIL(INPUT);
    }
    for (size_t i = json_array_size(resources); type != NULL && i > 0; i--) {
        const json_t *r = json_array_get(resources, i - 1);
        if (strcmp(json_string_value(json_object_get(r, "type")), type) != 0) {
            CHECK(json_array_remove(resources, i - 1) == 0, MEMORY);
        }
    }
    return OK;
}

struct status
cli_policy_state(struct cli *c)
{
    struct config config;
    DEFER(workspace_closep) struct workspace *w = NULL;
    DEFER(js_freep) json_t *also = NULL;
    DEFER(js_freep) json_t *document = NULL;
    const json_t *r = NULL;
    size_t i = 0;
    TRY(cli_config(c, cli_value(c, "config"), &config));
    TRY(cli_open(c, &w));
    TRY(config_state(&config, w->principal, &also));
    TRY(policy_gather(w, also, &c->diag, &document));
    json_t *resources = json_object_get(document, "resources");
    TRY(choose_type(c, resources));
    if (c->json) {
        return cli_print_json(document);
    }
    json_array_foreach(resources, i, r)
    {
        say_resource(r);
    }
    return OK;
}

/* ---- testing ---- */

struct testing {
    json_t *list;
    size_t run, failed;
};

static struct status
test_one(struct cli *c, const char *file, struct view text, struct testing *t)
{
    DEFER(policy_freep) struct policy *p = NULL;
    struct policy_example_result r[POLICY_EXAMPLES_MAX];
    size_t n = 0;
    TRY(policy_read(text, file, &c->diag, &p));
    TRY(policy_examples_run(p, clock_wall_ns(), &c->diag, r, &n));
    for (size_t i = 0; i < n; i++) {
        t->run++;
        t->failed += !r[i].passed;
        CHECK(json_array_append_new(t->list,
                                    json_pack("{s:s, s:s, s:s, s:s, s:b}", "policy", p->id,
                                              "example", r[i].name, "expected", r[i].expected,
                                              "outcome", policy_outcome_word(r[i].outcome),
                                              "passed", r[i].passed)) == 0,
              MEMORY);
        if (!r[i].passed && !c->json) {
            cli_say("%s: example \"%s\" is %s, and should be %s", p->id, r[i].name,
                    policy_outcome_word(r[i].outcome), r[i].expected);
        }
    }
    if (n == 0) {
        diag_set(&c->diag, "%s: policy %s has no examples: it cannot be tested", file, p->id);
        FAIL(INPUT);
    }
    return OK;
}

struct status
cli_policy_test(struct cli *c)
{
    struct testing t = {.list = json_array()};
    DEFER(js_freep) json_t *list = t.list;
    CHECK(list != NULL, MEMORY);
    for (const struct embedded *e = embedded_policies; c->operands == 0 && e->name != NULL; e++) {
        TRY(test_one(c, e->name, e->text, &t));
    }
    for (size_t i = 0; i < c->operands; i++) {
        DEFER(buf_done) struct buf text;
        buf_init(&text, POLICY_TEXT_MAX + 1);
        TRY(read_text(c, c->operand[i], &text));
        TRY(test_one(c, c->operand[i], buf_view(&text), &t));
    }
    c->exit_code = t.failed > 0 ? CLI_EXIT_NO : 0;
    if (c->json) {
        return cli_print_json(list);
    }
    cli_say("%zu examples, %zu failed", t.run, t.failed);
    return OK;
}
