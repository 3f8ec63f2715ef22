#include "protect/access_policy.h"

#include "base/text.h"
#include "base/yaml.h"
#include "protect/access_parts.h"

#include <stdio.h>

#define TREE_MAX (64u << 20)
#define RULES_MAX 256u /* of one role */
#define MEMBERS_MAX 100000u

struct reading {
    struct access *a;
    const struct access_policy *policy;
    struct arena *arena;
    struct diag *diag;
    struct access_policy_counts counts;
};

/* ---- from YAML to what records hold ---- */

static json_t *
to_json(const struct yaml *y)
{
    if (y->kind == YAML_SCALAR) {
        return json_string(y->text);
    }
    json_t *o = y->kind == YAML_LIST ? json_array() : json_object();
    for (const struct yaml *m = y->first; o != NULL && m != NULL; m = m->next) {
        json_t *value = to_json(m);
        const int failed = y->kind == YAML_LIST ? json_array_append_new(o, value)
                                                : json_object_set_new(o, m->name, value);
        if (failed != 0) {
            json_decref(o);
            return NULL;
        }
    }
    return o;
}

static struct status
refuse(const struct reading *r, const struct yaml *at, const char *what)
{
    return yaml_refuse(at, r->policy->file, r->diag, "%s", what);
}

/* A sentence that was made without a place gets it. */
static struct status
place(const struct reading *r, const struct yaml *at, struct status s)
{
    if (!status_ok(s)) {
        diag_prefix(r->diag, "%s line %u", r->policy->file, at->line);
    }
    return s;
}

/* A scalar member; absent: NULL. */
static struct status
take_text(const struct reading *r, const struct yaml *o, const char *name, const char **ret_text)
{
    const struct yaml *m = yaml_member(o, name);
    *ret_text = NULL;
    if (m == NULL) {
        return OK;
    }
    if (m->kind != YAML_SCALAR || m->empty) {
        return yaml_refuse(m, r->policy->file, r->diag, "\"%s\" must be a word", name);
    }
    *ret_text = m->text;
    return OK;
}

static struct status
take_name(const struct reading *r, const struct yaml *o, const char *what, const char **ret_name)
{
    TRY(take_text(r, o, "name", ret_name));
    if (*ret_name == NULL) {
        return yaml_refuse(o, r->policy->file, r->diag, "a %s needs a \"name\"", what);
    }
    return place(r, yaml_member(o, "name"), access_check_name(*ret_name, what, r->diag));
}

/* ---- what is referred to ---- */

static struct status
check_exists(const struct reading *r, const struct yaml *at, const char *resource)
{
    const bool named = strchr(resource, '*') == NULL && (strncmp(resource, "models/", 7) == 0 ||
                                                         strncmp(resource, "datasets/", 9) == 0);
    if (named && r->policy->exists != NULL && !r->policy->exists(r->policy->ctx, resource)) {
        return yaml_refuse(at, r->policy->file, r->diag,
                           "resource \"%.127s\" refers to nothing: there is no such thing",
                           resource);
    }
    return OK;
}

/* ---- roles ---- */

static struct status
check_rule(const struct reading *r, const struct yaml *at, const json_t *o, uint32_t *ret_actions)
{
    struct access_role_rule rule;
    TRY(place(r, at, access_role_rule_read(o, r->arena, r->diag, &rule)));
    for (size_t i = 0; i < rule.resource_count; i++) {
        TRY(check_exists(r, at, rule.resources[i]));
    }
    *ret_actions |= rule.actions;
    return OK;
}

static struct status
check_rules(const struct reading *r, const struct yaml *o, const json_t *role)
{
    const struct yaml *rules = yaml_member(o, "rules");
    const json_t *list = json_object_get(role, "rules");
    uint32_t actions = 0;
    size_t i = 0;
    if (rules == NULL || rules->kind != YAML_LIST || rules->count == 0 ||
        rules->count > RULES_MAX) {
        return refuse(r, rules == NULL ? o : rules, "a role needs \"rules\", a list of 1 to 256");
    }
    for (const struct yaml *rule = rules->first; rule != NULL; rule = rule->next) {
        TRY(check_rule(r, rule, json_array_get(list, i++), &actions));
    }
    return place(r, o, access_actions_separate(actions, r->diag));
}

static struct status
take_role(struct reading *r, const struct yaml *o, json_t *holders)
{
    (void)holders;
    static const char *const known[] = {"name", "about", "rules"};
    const char *name = NULL, *about = NULL;
    TRY(yaml_check_members(o, "a role", known, 3, r->policy->file, r->diag));
    TRY(take_name(r, o, "role", &name));
    TRY(take_text(r, o, "about", &about));
    if (access_role_built_in(name) != NULL) {
        return yaml_refuse(o, r->policy->file, r->diag, "role %s is built in; choose another name",
                           name);
    }
    DEFER(js_freep) json_t *role = to_json(o);
    CHECK(role != NULL, MEMORY);
    TRY(check_rules(r, o, role));
    r->counts.roles++;
    return access_put_record(r->a, ACCESS_ROLES, name, role, STORE_ANY, r->diag);
}

/* ---- groups ---- */

/* A record's own members stay; the named ones are the file's. */
static struct status
record_of(const struct reading *r, const char *collection, const char *name, json_t **ret_record)
{
    const struct status s = access_get_record(r->a, collection, name, r->diag, ret_record, NULL);
    if (s.code != STATUS_NOT_FOUND) {
        return s;
    }
    *ret_record = json_pack("{s:s, s:o, s:[]}", "name", name, "created", js_time(r->policy->now_ns),
                            "grants");
    CHECK(*ret_record != NULL, MEMORY);
    return OK;
}

static struct status
check_member(const struct reading *r, const struct yaml *member)
{
    DEFER(js_freep) json_t *ignored = NULL;
    if (member->kind != YAML_SCALAR) {
        return refuse(r, member, "a member is the name of a principal");
    }
    return place(r, member, access_need_principal(r->a, member->text, r->diag, &ignored, NULL));
}

static struct status
take_group(struct reading *r, const struct yaml *o, json_t *holders)
{
    (void)holders;
    static const char *const known[] = {"name", "about", "members"};
    const char *name = NULL, *about = NULL;
    DEFER(js_freep) json_t *record = NULL;
    TRY(yaml_check_members(o, "a group", known, 3, r->policy->file, r->diag));
    TRY(take_name(r, o, "group", &name));
    TRY(take_text(r, o, "about", &about));
    const struct yaml *members = yaml_member(o, "members");
    if (members != NULL && (members->kind != YAML_LIST || members->count > MEMBERS_MAX)) {
        return refuse(r, members, "\"members\" must be a list of principals");
    }
    for (const struct yaml *m = members == NULL ? NULL : members->first; m != NULL; m = m->next) {
        TRY(check_member(r, m));
    }
    TRY(record_of(r, ACCESS_GROUPS, name, &record));
    TRY(js_set(record, "members", members == NULL ? json_array() : to_json(members)));
    if (about != NULL) {
        TRY(js_set(record, "about", json_string(about)));
    }
    r->counts.groups++;
    return access_put_record(r->a, ACCESS_GROUPS, name, record, STORE_ANY, r->diag);
}

/* ---- grants ---- */

/* The role can do something where the grant says. */
static struct status
check_meets(const struct reading *r, const struct yaml *at, const char *role, const char *resource)
{
    DEFER(js_freep) json_t *o = NULL;
    struct access_role_rule rule;
    uint32_t actions = 0;
    json_t *item = NULL;
    size_t i = 0;
    if (access_role_built_in(role) != NULL) {
        access_role_rule_of(access_role_built_in(role), &rule);
        actions = rule.actions;
    } else {
        TRY(access_get_record(r->a, ACCESS_ROLES, role, r->diag, &o, NULL));
    }
    json_array_foreach(json_object_get(o, "rules"), i, item)
    {
        TRY(place(r, at, access_role_rule_read(item, r->arena, r->diag, &rule)));
        actions |= rule.actions;
    }
    for (unsigned k = 0; k < ACCESS_ACTIONS; k++) {
        if ((actions >> k & 1) != 0 && access_action_fits((enum access_action)k, resource)) {
            return check_exists(r, at, resource);
        }
    }
    return yaml_refuse(at, r->policy->file, r->diag,
                       "role %s on \"%.127s\" refers to nothing: it has no action there", role,
                       resource);
}

static struct status
make_grant(const struct reading *r, const struct yaml *o, json_t **ret_grant)
{
    const char *role = NULL, *resource = NULL, *deny = NULL;
    const struct yaml *when = yaml_member(o, "when");
    DEFER(js_freep) json_t *conditions = when == NULL ? NULL : to_json(when);
    TRY(take_text(r, o, "role", &role));
    TRY(take_text(r, o, "resource", &resource));
    TRY(take_text(r, o, "deny", &deny));
    if (role == NULL) {
        return refuse(r, o, "a grant needs a \"role\"");
    }
    if (deny != NULL && strcmp(deny, "true") != 0 && strcmp(deny, "false") != 0) {
        return refuse(r, o, "\"deny\" must be true or false");
    }
    resource = resource == NULL ? "**" : resource;
    TRY(place(r, o,
              access_make_grant(r->a, role, resource, deny == NULL || strcmp(deny, "true") != 0,
                                conditions, r->diag, ret_grant)));
    const struct status s = check_meets(r, o, role, resource);
    if (!status_ok(s)) {
        json_decref(*ret_grant);
        *ret_grant = NULL;
    }
    return s;
}

/* "ann", "group:claims" -> its record among those gathered, its old grants gone. */
static struct status
gather(const struct reading *r, const struct yaml *at, const char *to, json_t *holders,
       json_t **ret_record)
{
    const bool group = strncmp(to, "group:", 6) == 0;
    const char *name = group ? to + 6 : to;
    json_t *record = json_object_get(holders, to), *kept = NULL, *g = NULL;
    size_t i = 0;
    if (record != NULL) {
        *ret_record = record;
        return OK;
    }
    TRY(place(r, at, access_check_name(name, group ? "group" : "principal", r->diag)));
    if (!group) {
        TRY(place(r, at, access_need_principal(r->a, name, r->diag, &record, NULL)));
    } else {
        const struct status s =
            access_get_record(r->a, ACCESS_GROUPS, name, r->diag, &record, NULL);
        if (s.code == STATUS_NOT_FOUND) {
            return yaml_refuse(at, r->policy->file, r->diag,
                               "no group \"%.63s\"; write it under \"groups\"", name);
        }
        TRY(s);
    }
    CHECK(json_object_set_new(holders, to, record) == 0, MEMORY);
    kept = json_array();
    json_array_foreach(json_object_get(record, "grants"), i, g)
    {
        if (json_object_get(g, "emergency") != NULL) {
            (void)json_array_append(kept, g);
        }
    }
    *ret_record = record;
    return js_set(record, "grants", kept);
}

static struct status
take_grant(struct reading *r, const struct yaml *o, json_t *holders)
{
    static const char *const known[] = {"to", "role", "resource", "deny", "when"};
    const char *to = NULL;
    json_t *record = NULL, *grant = NULL;
    TRY(yaml_check_members(o, "a grant", known, 5, r->policy->file, r->diag));
    TRY(take_text(r, o, "to", &to));
    if (to == NULL) {
        return refuse(r, o, "a grant needs \"to\": a principal, or group:NAME");
    }
    TRY(gather(r, o, to, holders, &record));
    TRY(make_grant(r, o, &grant));
    CHECK(json_array_append_new(json_object_get(record, "grants"), grant) == 0, MEMORY);
    r->counts.grants++;
    return OK;
}

static struct status
keep_grants(const struct reading *r, json_t *holders)
{
    const char *to = NULL;
    json_t *record = NULL;
    json_object_foreach(holders, to, record)
    {
        const bool group = strncmp(to, "group:", 6) == 0;
        TRY(access_put_record(r->a, group ? ACCESS_GROUPS : ACCESS_PRINCIPALS, group ? to + 6 : to,
                              record, STORE_ANY, r->diag));
    }
    return OK;
}

/* ---- the file ---- */

static struct status
take_list(struct reading *r, const struct yaml *root, const char *name, json_t *holders,
          struct status (*take)(struct reading *r, const struct yaml *o, json_t *holders))
{
    const struct yaml *list = yaml_member(root, name);
    if (list == NULL || list->empty) {
        return OK;
    }
    if (list->kind != YAML_LIST) {
        return yaml_refuse(list, r->policy->file, r->diag, "\"%s\" must be a list", name);
    }
    for (const struct yaml *o = list->first; o != NULL; o = o->next) {
        TRY(take(r, o, holders));
    }
    return OK;
}

struct status
access_policy_import(struct access *a, const struct access_policy *p, struct diag *diag,
                     struct access_policy_counts *ret_counts)
{
    static const char *const known[] = {"roles", "groups", "grants"};
    DEFER(arena_freep) struct arena *arena = arena_new(TREE_MAX);
    DEFER(js_freep) json_t *holders = json_object();
    struct reading r = {.a = a, .policy = p, .arena = arena, .diag = diag};
    const struct yaml *root = NULL;
    CHECK(arena != NULL && holders != NULL, MEMORY);
    if (p->yaml.len > ACCESS_POLICY_MAX) {
        diag_set(diag, "%s: larger than 1 MiB", p->file);
        FAIL(LIMIT);
    }
    TRY(yaml_read(p->yaml, p->file, arena, diag, &root));
    TRY(yaml_check_members(root, "the file", known, 3, p->file, diag));
    TRY(take_list(&r, root, "roles", holders, take_role));
    TRY(take_list(&r, root, "groups", holders, take_group));
    TRY(take_list(&r, root, "grants", holders, take_grant));
    TRY(keep_grants(&r, holders));
    *ret_counts = r.counts;
    return OK;
}
