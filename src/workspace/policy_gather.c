#include "workspace/policy_gather.h"

#include "base/clock.h"
#include "base/file.h"
#include "protect/access_roles.h"
#include "protect/access_token.h"
#include "workspace/certificate.h"
#include "workspace/datasets.h"
#include "workspace/models.h"
#include "workspace/policy_records.h"
#include "workspace/policy_settings.h"
#include "workspace/registry.h"

#include <stdio.h>
#include <string.h>

#define LIST_MAX (256u << 20)
#define KEY_FILE_MAX (64u << 10)
#define CERTIFICATE_MAX (64u << 10)
#define NOTE_MAX 4096u

static const char *const held[] = {"workspace", "model", "endpoint", "dataset", "principal",
                                   "grant",     "role",  "api-key",  "issuer"};

struct gathering {
    struct workspace *w;
    struct diag *diag;
    json_t *resources;
    json_t *roles, *principals, *groups, *keys, *issuers, *models, *datasets, *assessed;
    json_t *administrators, *auditors, *assigned;
    int64_t now_ns;
    size_t live_keys;
};

static void
done(struct gathering *g)
{
    json_t *const all[] = {g->resources, g->roles,          g->principals, g->groups,
                           g->keys,      g->issuers,        g->models,     g->datasets,
                           g->assessed,  g->administrators, g->auditors,   g->assigned};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        json_decref(all[i]);
    }
}

/* ---- pieces ---- */

/* scope: NULL, or "model/NAME" and "endpoint/NAME" as far as they are given. Takes fields. */
static struct status
add(struct gathering *g, const char *type, const char *name, const char *scope,
    const char *scope_too, json_t *fields)
{
    json_t *o =
        json_pack("{s:s, s:s, s:[], s:o}", "type", type, "name", name, "scope", "fields", fields);
    json_t *scopes = json_object_get(o, "scope");
    CHECK(o != NULL && json_array_append_new(g->resources, o) == 0, MEMORY);
    if (scope != NULL) {
        CHECK(json_array_append_new(scopes, json_string(scope)) == 0, MEMORY);
    }
    if (scope_too != NULL) {
        CHECK(json_array_append_new(scopes, json_string(scope_too)) == 0, MEMORY);
    }
    return OK;
}

/* A member of a record as a field; null where the record has none. */
static struct status
take(json_t *fields, const char *field, const json_t *record, const char *member)
{
    json_t *v = json_object_get(record, member);
    return js_set(fields, field, v == NULL ? json_null() : json_incref(v));
}

static struct status
read_list(struct gathering *g, struct status (*put)(struct access *a, struct buf *ret_json),
          json_t **ret_list)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, LIST_MAX);
    TRY(put(g->w->access, &text));
    return js_parse(buf_view(&text), NULL, g->diag, ret_list);
}

static bool
has_text(const json_t *list, const char *text)
{
    bool has = false;
    const json_t *item = NULL;
    size_t i = 0;
    json_array_foreach(list, i, item)
    {
        const char *t = json_string_value(item);
        has = has || (t != NULL && strcmp(t, text) == 0);
    }
    return has;
}

static struct status
add_text(json_t *list, const char *text)
{
    CHECK(has_text(list, text) || json_array_append_new(list, json_string(text)) == 0, MEMORY);
    return OK;
}

/* ---- roles ---- */

/* "model.*" as the words that it stands for. */
static struct status
expand_actions(const json_t *rules, json_t *ret_actions)
{
    const json_t *rule = NULL, *word = NULL;
    size_t i = 0, k = 0;
    json_array_foreach(rules, i, rule)
    {
        json_array_foreach(json_object_get(rule, "actions"), k, word)
        {
            for (unsigned a = 0; a < ACCESS_ACTIONS; a++) {
                const char *action = access_action_word((enum access_action)a);
                TRY(access_pattern_matches(json_string_value(word), action, '.')
                        ? add_text(ret_actions, action)
                        : OK);
            }
        }
    }
    return OK;
}

static const char *
most_output(const json_t *rules)
{
    unsigned most = ACCESS_OUTPUT_NONE;
    const json_t *rule = NULL;
    size_t i = 0;
    json_array_foreach(rules, i, rule)
    {
        const char *word = json_string_value(json_object_get(rule, "output"));
        for (unsigned o = most + 1; word != NULL && o <= ACCESS_OUTPUT_FULL; o++) {
            most = strcmp(access_output_word((enum access_output)o), word) == 0 ? o : most;
        }
    }
    return access_output_word((enum access_output)most);
}

static bool
any_explains(const json_t *rules)
{
    bool any = false;
    const json_t *rule = NULL;
    size_t i = 0;
    json_array_foreach(rules, i, rule)
    {
        const json_t *e = json_object_get(rule, "explanations");
        any = any || json_is_true(e) ||
              (json_is_string(e) && strcmp(json_string_value(e), "true") == 0);
    }
    return any;
}

static struct status
add_roles(struct gathering *g)
{
    json_t *role = NULL;
    size_t i = 0;
    TRY(read_list(g, access_put_roles, &g->roles));
    json_array_foreach(g->roles, i, role)
    {
        const json_t *rules = json_object_get(role, "rules");
        json_t *actions = json_array();
        CHECK(json_object_set_new(role, "expanded", actions) == 0, MEMORY);
        TRY(expand_actions(rules, actions));
        json_t *f = json_pack("{s:b, s:O, s:s, s:b}", "built_in",
                              json_is_true(json_object_get(role, "built_in")), "actions", actions,
                              "output", most_output(rules), "explanations", any_explains(rules));
        TRY(add(g, "role", json_string_value(json_object_get(role, "name")), NULL, NULL, f));
    }
    return OK;
}

static json_t *
actions_of(const struct gathering *g, const char *role)
{
    json_t *r = NULL;
    size_t i = 0;
    json_array_foreach(g->roles, i, r)
    {
        if (strcmp(json_string_value(json_object_get(r, "name")), role) == 0) {
            return json_object_get(r, "expanded");
        }
    }
    return NULL;
}

/* ---- grants ---- */

/* What a grant depends on but its end. */
static struct status
put_conditions(const json_t *when, json_t *ret_list)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)(uintptr_t)when, key, value)
    {
        TRY(strcmp(key, "until") == 0 ? OK : add_text(ret_list, key));
    }
    return OK;
}

static struct status
note_powers(struct gathering *g, const char *holder, const json_t *actions)
{
    if (has_text(actions, "workspace.configure") || has_text(actions, "principal.write")) {
        TRY(add_text(g->administrators, holder));
    }
    return has_text(actions, "audit.read") ? add_text(g->auditors, holder) : OK;
}

static struct status
add_grant(struct gathering *g, const char *holder, const json_t *grant)
{
    char name[320];
    const char *role = json_string_value(json_object_get(grant, "role"));
    const json_t *when = json_object_get(grant, "when");
    const bool allow = json_is_true(json_object_get(grant, "allow"));
    json_t *actions = role == NULL ? NULL : actions_of(g, role);
    json_t *conditions = json_array();
    (void)snprintf(name, sizeof name, "%s/%s%s/%s", holder, allow ? "" : "-",
                   role == NULL ? "" : role, json_string_value(json_object_get(grant, "resource")));
    json_t *f = json_pack("{s:s, s:b, s:b, s:o, s:O}", "holder", holder, "allow", allow,
                          "emergency", json_object_get(grant, "emergency") != NULL, "conditions",
                          conditions, "actions", actions == NULL ? conditions : actions);
    CHECK(f != NULL, MEMORY);
    TRY(add(g, "grant", name, NULL, NULL, f));
    TRY(take(f, "role", grant, "role"));
    TRY(take(f, "resource", grant, "resource"));
    TRY(take(f, "until", when, "until"));
    TRY(put_conditions(when, conditions));
    return allow && actions != NULL ? note_powers(g, holder, actions) : OK;
}

static struct status
add_grants(struct gathering *g, const char *holder, const json_t *grants)
{
    const json_t *grant = NULL;
    size_t i = 0;
    json_array_foreach(grants, i, grant)
    {
        TRY(add_grant(g, holder, grant));
    }
    return OK;
}

static struct status
put_grants(const json_t *grants, json_t *ret_list)
{
    static const char *const members[] = {"role", "resource", "allow"};
    const json_t *grant = NULL;
    size_t i = 0;
    json_array_foreach(grants, i, grant)
    {
        json_t *o = json_object();
        CHECK(json_array_append_new(ret_list, o) == 0, MEMORY);
        for (size_t k = 0; k < 3; k++) {
            TRY(take(o, members[k], grant, members[k]));
        }
    }
    return OK;
}

/* ---- keys ---- */

/* Until it was revoked, or is over. */
static bool
key_holds(const struct gathering *g, const json_t *key, int64_t *ret_lifetime_ns)
{
    int64_t issued = 0, expires = 0;
    const char *from = json_string_value(json_object_get(key, "issued")),
               *to = json_string_value(json_object_get(key, "expires"));
    const bool read = from != NULL && to != NULL &&
                      status_ok(clock_from_rfc3339(view_str(from), &issued)) &&
                      status_ok(clock_from_rfc3339(view_str(to), &expires));
    *ret_lifetime_ns = expires - issued;
    return read && expires > g->now_ns && !json_is_true(json_object_get(key, "revoked"));
}

static struct status
add_keys(struct gathering *g)
{
    const json_t *key = NULL;
    size_t i = 0;
    TRY(read_list(g, access_put_keys, &g->keys));
    json_array_foreach(g->keys, i, key)
    {
        int64_t lifetime_ns = 0;
        if (!key_holds(g, key, &lifetime_ns)) {
            continue;
        }
        json_t *f = json_pack("{s:f}", "lifetime", (double)lifetime_ns / 1e9);
        CHECK(f != NULL, MEMORY);
        TRY(add(g, "api-key", json_string_value(json_object_get(key, "id")), NULL, NULL, f));
        TRY(take(f, "principal", key, "principal"));
        TRY(take(f, "issued", key, "issued"));
        TRY(take(f, "expires", key, "expires"));
        TRY(take(f, "used", key, "last_used"));
        g->live_keys++;
    }
    return OK;
}

static size_t
keys_of(const struct gathering *g, const char *principal)
{
    const json_t *key = NULL;
    size_t i = 0, n = 0;
    json_array_foreach(g->keys, i, key)
    {
        int64_t ignored = 0;
        n += strcmp(json_string_value(json_object_get(key, "principal")), principal) == 0 &&
             key_holds(g, key, &ignored);
    }
    return n;
}

/* ---- principals, issuers ---- */

static struct status
put_groups(const struct gathering *g, const char *principal, json_t *ret_list)
{
    const json_t *group = NULL;
    size_t i = 0;
    json_array_foreach(g->groups, i, group)
    {
        if (has_text(json_object_get(group, "members"), principal)) {
            TRY(add_text(ret_list, json_string_value(json_object_get(group, "name"))));
        }
    }
    return OK;
}

static struct status
add_principals(struct gathering *g)
{
    const json_t *p = NULL;
    size_t i = 0;
    TRY(read_list(g, access_put_principals, &g->principals));
    TRY(read_list(g, access_put_groups, &g->groups));
    json_array_foreach(g->principals, i, p)
    {
        const char *name = json_string_value(json_object_get(p, "name"));
        json_t *groups = json_array(), *grants = json_array();
        json_t *f = json_pack("{s:o, s:o, s:I}", "groups", groups, "grants", grants, "api_keys",
                              (json_int_t)keys_of(g, name));
        CHECK(f != NULL, MEMORY);
        TRY(add(g, "principal", name, NULL, NULL, f));
        TRY(take(f, "created", p, "created"));
        TRY(put_groups(g, name, groups));
        TRY(put_grants(json_object_get(p, "grants"), grants));
        TRY(add_grants(g, name, json_object_get(p, "grants")));
    }
    json_array_foreach(g->groups, i, p)
    {
        char name[96];
        (void)snprintf(name, sizeof name, "group:%.63s",
                       json_string_value(json_object_get(p, "name")));
        TRY(add_grants(g, name, json_object_get(p, "grants")));
    }
    return OK;
}

static struct status
add_issuers(struct gathering *g)
{
    static const char *const members[] = {"issuer", "audience", "algorithms", "typ"};
    const json_t *o = NULL;
    size_t i = 0;
    TRY(read_list(g, access_put_issuers, &g->issuers));
    json_array_foreach(g->issuers, i, o)
    {
        json_t *f = json_pack("{s:b}", "discover", json_is_true(json_object_get(o, "discover")));
        CHECK(f != NULL, MEMORY);
        TRY(add(g, "issuer", json_string_value(json_object_get(o, "name")), NULL, NULL, f));
        for (size_t k = 0; k < sizeof members / sizeof *members; k++) {
            TRY(take(f, members[k], o, members[k]));
        }
    }
    return OK;
}

/* ---- datasets ---- */

static struct status
name_version(const json_t *record, char ret_name[static 96])
{
    const char *name = json_string_value(json_object_get(record, "name"));
    CHECK(name != NULL, INTEGRITY);
    (void)snprintf(ret_name, 96, "%s@%lld", name,
                   (long long)json_integer_value(json_object_get(record, "version")));
    return OK;
}

/* Records come in order of name, then version. */
static bool
is_newest(const json_t *list, size_t i)
{
    const char *name = json_string_value(json_object_get(json_array_get(list, i), "name")),
               *next = json_string_value(json_object_get(json_array_get(list, i + 1), "name"));
    return next == NULL || strcmp(name, next) != 0;
}

static struct status
put_columns(const json_t *record, json_t *fields)
{
    const json_t *c = NULL;
    json_t *names = json_array(), *sensitive = json_array();
    size_t i = 0;
    TRY(js_set(fields, "columns", names));
    TRY(js_set(fields, "sensitive", sensitive));
    TRY(js_set(fields, "label", json_null()));
    TRY(js_set(fields, "subject", json_null()));
    json_array_foreach(json_object_get(json_object_get(record, "schema"), "columns"), i, c)
    {
        const char *name = json_string_value(json_object_get(c, "name")),
                   *role = json_string_value(json_object_get(c, "role"));
        CHECK(name != NULL && role != NULL, INTEGRITY);
        TRY(add_text(names, name));
        if (strcmp(role, "sensitive") == 0) {
            TRY(add_text(sensitive, name));
        } else if (strcmp(role, "label") == 0 || strcmp(role, "subject") == 0) {
            TRY(js_set(fields, role, json_string(name)));
        }
    }
    return OK;
}

/* The keeper opens no record of a dataset or an assessment for the gateway. */
static bool
is_open(const struct workspace *w)
{
    return w->keeper == NULL;
}

static struct status
add_datasets(struct gathering *g)
{
    const json_t *r = NULL;
    size_t i = 0;
    DEFER(buf_done) struct buf text;
    buf_init(&text, LIST_MAX);
    if (!is_open(g->w)) {
        return OK;
    }
    TRY(registry_put_list(g->w, "dataset", &text));
    TRY(js_parse(buf_view(&text), NULL, g->diag, &g->datasets));
    json_array_foreach(g->datasets, i, r)
    {
        char name[96];
        TRY(name_version(r, name));
        json_t *f = json_pack("{s:b}", "newest", is_newest(g->datasets, i));
        CHECK(f != NULL, MEMORY);
        TRY(add(g, "dataset", name, NULL, NULL, f));
        TRY(take(f, "name", r, "name"));
        TRY(take(f, "version", r, "version"));
        TRY(take(f, "created", r, "created"));
        TRY(take(f, "rows", r, "rows"));
        TRY(put_columns(r, f));
    }
    return OK;
}

/* ---- models and endpoints ---- */

/* "NAME@VERSION" -> {"count", "newest"} */
static struct status
note_assessment(void *ctx, const char *name, uint64_t version, const json_t *record)
{
    (void)version;
    json_t *all = ctx;
    char of[96];
    (void)snprintf(of, sizeof of, "%s@%lld", name,
                   (long long)json_integer_value(json_object_get(record, "model_version")));
    json_t *o = json_object_get(all, of), *created = json_object_get(record, "created");
    if (o == NULL) {
        o = json_object();
        CHECK(json_object_set_new(all, of, o) == 0, MEMORY);
    }
    TRY(js_set(o, "newest", created == NULL ? json_null() : json_incref(created)));
    return js_set(o, "count", json_integer(json_integer_value(json_object_get(o, "count")) + 1));
}

static const json_t *
dataset_columns(const struct gathering *g, const json_t *of)
{
    const char *name = json_string_value(json_object_get(of, "name"));
    const json_int_t version = json_integer_value(json_object_get(of, "version"));
    const json_t *r = NULL;
    size_t i = 0;
    json_array_foreach(g->datasets, i, r)
    {
        if (name != NULL && json_integer_value(json_object_get(r, "version")) == version &&
            strcmp(json_string_value(json_object_get(r, "name")), name) == 0) {
            return json_object_get(json_object_get(r, "schema"), "columns");
        }
    }
    return NULL;
}

static bool
is_sensitive(const json_t *columns, const char *name)
{
    const json_t *c = NULL;
    size_t i = 0;
    bool found = false;
    json_array_foreach(columns, i, c)
    {
        const char *n = json_string_value(json_object_get(c, "name")),
                   *role = json_string_value(json_object_get(c, "role"));
        found = found || (n != NULL && role != NULL && strcmp(n, name) == 0 &&
                          strcmp(role, "sensitive") == 0);
    }
    return found;
}

/* Which of a model's features are sensitive is known of those that have a dataset. */
static struct status
put_features(const json_t *manifest, const json_t *columns, json_t *fields)
{
    json_t *features = json_array(), *sensitive = columns == NULL ? NULL : json_array();
    const json_t *f = NULL;
    size_t i = 0;
    TRY(js_set(fields, "features", features));
    TRY(columns == NULL ? OK : js_set(fields, "sensitive_features", sensitive));
    json_array_foreach(json_object_get(manifest, "features"), i, f)
    {
        const char *name = json_string_value(json_object_get(f, "name"));
        CHECK(name != NULL, INTEGRITY);
        TRY(add_text(features, name));
        TRY(columns != NULL && is_sensitive(columns, name) ? add_text(sensitive, name) : OK);
    }
    return OK;
}

static struct status
put_dataset(const struct gathering *g, const json_t *manifest, json_t *fields)
{
    const json_t *origin = json_object_get(manifest, "origin"),
                 *of = json_object_get(manifest, "dataset");
    char name[96] = "";
    of = of == NULL ? json_object_get(origin, "checked_against") : of;
    TRY(of == NULL ? OK : name_version(of, name));
    TRY(js_set(fields, "dataset", of == NULL ? json_null() : json_string(name)));
    TRY(js_set(fields, "origin", json_string(origin == NULL ? "trained" : "added")));
    TRY(take(fields, "format", origin, "format"));
    return put_features(manifest, dataset_columns(g, of), fields);
}

static struct status
put_assessed(const struct gathering *g, const char *name, json_t *fields)
{
    const json_t *a = json_object_get(g->assessed, name);
    if (!is_open(g->w)) {
        return OK;
    }
    TRY(take(fields, "assessed", a, "newest"));
    return js_set(fields, "assessments",
                  json_integer(json_integer_value(json_object_get(a, "count"))));
}

/* Everything that is registered is sealed and signed; what is not does not load. */
static struct status
add_model(struct gathering *g, const json_t *r, bool newest, json_t **ret_fields)
{
    static const char *const members[] = {"name", "version", "created", "sha256"};
    const json_t *manifest = json_object_get(r, "manifest"),
                 *mitigation = json_object_get(manifest, "mitigation");
    char name[96], scope[96];
    TRY(name_version(r, name));
    (void)snprintf(scope, sizeof scope, "model/%.63s",
                   json_string_value(json_object_get(r, "name")));
    json_t *f = json_pack("{s:b, s:b, s:b}", "newest", newest, "signed", 1, "thresholds_by_group",
                          json_object_get(manifest, "thresholds") != NULL);
    CHECK(f != NULL, MEMORY);
    TRY(add(g, "model", name, scope, NULL, f));
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        TRY(take(f, members[i], r, members[i]));
    }
    TRY(take(f, "label", manifest, "label"));
    TRY(take(f, "mitigation", mitigation, "method"));
    TRY(put_dataset(g, manifest, f));
    *ret_fields = f;
    return put_assessed(g, name, f);
}

static struct status
put_callers(const struct gathering *g, const char *resource, json_t *ret_list)
{
    const json_t *r = NULL;
    size_t i = 0;
    json_array_foreach(g->resources, i, r)
    {
        const json_t *f = json_object_get(r, "fields");
        const char *pattern = json_string_value(json_object_get(f, "resource"));
        if (strcmp(json_string_value(json_object_get(r, "type")), "grant") == 0 &&
            pattern != NULL && json_is_true(json_object_get(f, "allow")) &&
            has_text(json_object_get(f, "actions"), "model.infer") &&
            access_pattern_matches(pattern, resource, '/')) {
            TRY(add_text(ret_list, json_string_value(json_object_get(f, "holder"))));
        }
    }
    return OK;
}

static struct status
add_endpoint(struct gathering *g, const char *name, const json_t *model)
{
    static const char *const members[] = {"version", "origin", "signed", "assessed",
                                          "sensitive_features"};
    char scope[96], too[96], resource[96], field[64];
    json_t *callers = json_array();
    json_t *f = json_pack("{s:s, s:o}", "model", name, "callers", callers);
    CHECK(f != NULL, MEMORY);
    (void)snprintf(scope, sizeof scope, "model/%.63s", name);
    (void)snprintf(too, sizeof too, "endpoint/%.63s", name);
    (void)snprintf(resource, sizeof resource, "models/%.63s", name);
    TRY(add(g, "endpoint", name, scope, too, f));
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        (void)snprintf(field, sizeof field, "model.%s", members[i]);
        json_t *v = json_object_get(model, members[i]);
        TRY(v == NULL ? OK : js_set(f, field, json_incref(v)));
    }
    return put_callers(g, resource, callers);
}

static struct status
add_models(struct gathering *g)
{
    const json_t *r = NULL;
    size_t i = 0;
    DEFER(buf_done) struct buf text;
    buf_init(&text, LIST_MAX);
    TRY(registry_put_list(g->w, "model", &text));
    TRY(js_parse(buf_view(&text), NULL, g->diag, &g->models));
    TRY(is_open(g->w) ? registry_each(g->w, "assessment", note_assessment, g->assessed) : OK);
    json_array_foreach(g->models, i, r)
    {
        json_t *fields = NULL;
        const bool newest = is_newest(g->models, i);
        TRY(add_model(g, r, newest, &fields));
        TRY(newest ? add_endpoint(g, json_string_value(json_object_get(r, "name")), fields) : OK);
    }
    return OK;
}

/* ---- the workspace itself ---- */

/* The key's file tells who holds it without opening anything; a confined process may not read it.
 */
static struct status
put_key(const struct gathering *g, json_t *fields)
{
    DEFER(file_freep) char *path = file_join(g->w->dir, "keys/workspace.json");
    DEFER(buf_done) struct buf text;
    DEFER(js_freep) json_t *o = NULL;
    buf_init(&text, KEY_FILE_MAX);
    if (!status_ok(file_read(path, KEY_FILE_MAX, NULL, &text)) ||
        !status_ok(js_parse(buf_view(&text), NULL, NULL, &o))) {
        return OK;
    }
    TRY(take(fields, "key.provider", o, "provider"));
    TRY(take(fields, "key.generation", o, "generation"));
    TRY(take(fields, "key.made", o, "made"));
    return js_set(fields, "key.revoked", json_boolean(json_object_get(o, "revoked") != NULL));
}

static struct status
put_certificate(const struct gathering *g, json_t *fields)
{
    DEFER(file_freep) char *path = file_join(g->w->dir, "tls/cert.pem");
    DEFER(buf_done) struct buf pem;
    int64_t expires_ns = 0;
    buf_init(&pem, CERTIFICATE_MAX);
    const bool read = status_ok(file_read(path, CERTIFICATE_MAX, NULL, &pem)) &&
                      status_ok(certificate_expires(buf_view(&pem), &expires_ns));
    buf_reset(&pem);
    clock_put_rfc3339(&pem, expires_ns);
    return read ? js_set(fields, "certificate.expires", json_string(buf_str(&pem))) : OK;
}

static struct status
put_backup(const struct gathering *g, json_t *fields)
{
    DEFER(buf_done) struct buf text;
    DEFER(js_freep) json_t *o = NULL;
    buf_init(&text, NOTE_MAX);
    const struct status s = store_get(g->w->store, POLICY_NOTES, "backup", g->diag, &text, NULL);
    if (s.code == STATUS_NOT_FOUND) {
        return js_set(fields, "backup.made", json_null());
    }
    TRY(s);
    TRY(js_parse(buf_view(&text), NULL, g->diag, &o));
    return take(fields, "backup.made", o, "made");
}

static struct status
note_assigned(void *ctx, const char *id, struct view value)
{
    (void)id;
    DEFER(js_freep) json_t *o = NULL;
    const char *policy = NULL;
    TRY(js_parse(value, id, NULL, &o));
    TRY(js_need_string(o, "policy", NULL, &policy));
    return add_text(ctx, policy);
}

static struct status
put_names(const json_t *records, json_t *fields, const char *field)
{
    const json_t *r = NULL;
    json_t *list = json_array();
    size_t i = 0;
    TRY(js_set(fields, field, list));
    json_array_foreach(records, i, r)
    {
        TRY(is_newest(records, i) ? add_text(list, json_string_value(json_object_get(r, "name")))
                                  : OK);
    }
    return OK;
}

static struct status
add_workspace(struct gathering *g)
{
    json_t *f = json_pack(
        "{s:I, s:I, s:I, s:I, s:O, s:O, s:O}", "principals",
        (json_int_t)json_array_size(g->principals), "api_keys", (json_int_t)g->live_keys, "issuers",
        (json_int_t)json_array_size(g->issuers), "log.entries", (json_int_t)audit_size(g->w->audit),
        "administrators", g->administrators, "auditors", g->auditors, "policies", g->assigned);
    CHECK(f != NULL, MEMORY);
    TRY(add(g, "workspace", "workspace", NULL, NULL, f));
    TRY(store_each(g->w->store, POLICY_ASSIGNMENTS, note_assigned, g->assigned, g->diag));
    TRY(put_names(g->models, f, "models"));
    TRY(is_open(g->w) ? put_names(g->datasets, f, "datasets") : OK);
    TRY(put_key(g, f));
    TRY(put_certificate(g, f));
    return put_backup(g, f);
}

/* ---- all of it ---- */

static struct status
gather(struct gathering *g)
{
    TRY(add_roles(g));
    TRY(add_keys(g));
    TRY(add_principals(g));
    TRY(add_issuers(g));
    TRY(add_datasets(g));
    TRY(add_models(g));
    TRY(add_workspace(g));
    return policy_records_put(g->w, g->resources, g->diag);
}

static struct status
put_document(const struct gathering *g, const json_t *also, json_t **ret_document)
{
    json_t *holds = json_array();
    DEFER(js_freep)
    json_t *o = json_pack("{s:o, s:O}", "holds", holds, "resources", g->resources);
    CHECK(o != NULL, MEMORY);
    for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
        const bool kept = strcmp(held[i], "dataset") != 0 || is_open(g->w);
        TRY(kept ? add_text(holds, held[i]) : OK);
    }
    if (also != NULL) {
        CHECK(json_array_extend(holds, json_object_get(also, "holds")) == 0 &&
                  json_array_extend(g->resources, json_object_get(also, "resources")) == 0,
              MEMORY);
    }
    *ret_document = MOVE(o);
    return OK;
}

struct status
policy_gather(struct workspace *w, const json_t *also, struct diag *diag, json_t **ret_document)
{
    DEFER(done)
    struct gathering g = {.w = w,
                          .diag = diag,
                          .resources = json_array(),
                          .assessed = json_object(),
                          .administrators = json_array(),
                          .auditors = json_array(),
                          .assigned = json_array(),
                          .now_ns = clock_wall_ns()};
    CHECK(g.resources != NULL && g.assessed != NULL && g.administrators != NULL, MEMORY);
    CHECK(g.auditors != NULL && g.assigned != NULL, MEMORY);
    TRY(gather(&g));
    TRY(policy_settings_put(g.resources, also));
    return put_document(&g, also, ret_document);
}
