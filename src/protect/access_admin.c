/* Records: collection "principal" and "group", id = name: {name, created, grants: [{allow, role,
 * resource, when, emergency}], members}; collection "role": {name, about, rules}. */
#include "protect/access_parts.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>

/* ---- records ---- */

struct status
access_put_record(struct access *a, const char *collection, const char *id, const json_t *o,
                  uint64_t expect, struct diag *diag)
{
    DEFER(buf_wipe) struct buf text;
    buf_init(&text, ACCESS_RECORD_MAX);
    TRY(js_put(&text, o));
    TRY(store_put(a->store, collection, id, buf_view(&text), expect, diag));
    access_snapshot_forget(a);
    return OK;
}

struct status
access_get_record(struct access *a, const char *collection, const char *id, struct diag *diag,
                  json_t **ret_object, uint64_t *ret_revision)
{
    DEFER(buf_wipe) struct buf text;
    buf_init(&text, ACCESS_RECORD_MAX);
    TRY(store_get(a->store, collection, id, diag, &text, ret_revision));
    return js_parse(buf_view(&text), id, NULL, ret_object);
}

struct status
access_settle(struct access *a, struct status done, struct diag *diag)
{
    if (!status_ok(done)) {
        store_rollback(a->store);
        return done;
    }
    TRY(store_commit(a->store, diag));
    access_snapshot_forget(a);
    return OK;
}

struct status
access_check_name(const char *name, const char *what, struct diag *diag)
{
    if (!text_is_name(name)) {
        diag_set(diag,
                 "%s name \"%.64s\": a name is 1 to 63 of a-z, 0-9, '.', '_', '-', starting "
                 "with a letter or digit",
                 what, name);
        FAIL(INPUT);
    }
    return OK;
}

/* ---- grants ---- */

static struct status
add_name(void *ctx, const char *id, struct view value)
{
    (void)value;
    CHECK(json_array_append_new(ctx, json_string(id)) == 0, MEMORY);
    return OK;
}

static struct status
refuse_role(struct access *a, const char *role, struct diag *diag)
{
    DEFER(buf_done) struct buf names;
    DEFER(js_freep) json_t *custom = json_array();
    size_t n = 0;
    const struct access_role *roles = access_roles(&n);
    buf_init(&names, 4096);
    CHECK(custom != NULL, MEMORY);
    TRY(store_each(a->store, ACCESS_ROLES, add_name, custom, diag));
    const size_t all = n + json_array_size(custom);
    for (size_t i = 0; i < all && i < 40; i++) {
        buf_printf(&names, "%s%s",
                   i == 0         ? ""
                   : i + 1 == all ? " and "
                                  : ", ",
                   i < n ? roles[i].name : json_string_value(json_array_get(custom, i - n)));
    }
    diag_set(diag, "role \"%.64s\" is not there: there are %s", role, buf_str(&names));
    FAIL(INPUT);
}

static struct status
check_role(struct access *a, const char *role, struct diag *diag)
{
    DEFER(js_freep) json_t *o = NULL;
    if (access_role_built_in(role) != NULL) {
        return OK;
    }
    const struct status s = text_is_name(role)
                                ? access_get_record(a, ACCESS_ROLES, role, diag, &o, NULL)
                                : FAILURE(NOT_FOUND);
    return s.code == STATUS_NOT_FOUND ? refuse_role(a, role, diag) : s;
}

struct status
access_make_grant(struct access *a, const char *role, const char *resource, bool allow,
                  const json_t *when, struct diag *diag, json_t **ret_grant)
{
    DEFER(arena_freep) struct arena *arena = arena_new(1u << 20);
    const struct access_when *read = NULL;
    CHECK(arena != NULL, MEMORY);
    TRY(check_role(a, role, diag));
    TRY(access_pattern_check(resource, diag));
    TRY(access_when_read(when, arena, diag, &read));
    json_t *o = json_pack("{s:b, s:s, s:s}", "allow", allow, "role", role, "resource", resource);
    CHECK(o != NULL, MEMORY);
    if (read != NULL && json_object_set(o, "when", (json_t *)(uintptr_t)when) != 0) {
        json_decref(o);
        FAIL(MEMORY);
    }
    *ret_grant = o;
    return OK;
}

/* ---- principals ---- */

struct status
access_principal_add(struct access *a, const char *name, const char *role, const char *resource,
                     int64_t now_ns, struct diag *diag)
{
    json_t *grant = NULL;
    TRY(access_check_name(name, "principal", diag));
    TRY(access_make_grant(a, role, resource == NULL ? "**" : resource, true, NULL, diag, &grant));
    DEFER(js_freep)
    json_t *o =
        json_pack("{s:s, s:o, s:[o]}", "name", name, "created", js_time(now_ns), "grants", grant);
    CHECK(o != NULL, MEMORY);
    const struct status s = access_put_record(a, ACCESS_PRINCIPALS, name, o, 0, diag);
    if (s.code == STATUS_EXISTS) {
        diag_set(diag,
                 "principal %s exists already; \"steward principal grant\" gives it a further role",
                 name);
    }
    return s;
}

struct status
access_need_principal(struct access *a, const char *name, struct diag *diag, json_t **ret_object,
                      uint64_t *ret_revision)
{
    TRY(access_check_name(name, "principal", diag));
    const struct status s =
        access_get_record(a, ACCESS_PRINCIPALS, name, diag, ret_object, ret_revision);
    if (s.code == STATUS_NOT_FOUND) {
        diag_set(diag, "no principal \"%s\"; \"steward principal add %s --role ROLE\" adds it",
                 name, name);
    }
    return s;
}

struct status
access_grant_add_when(struct access *a, const char *principal, const char *role,
                      const char *resource, bool allow, const json_t *when, struct diag *diag)
{
    DEFER(js_freep) json_t *o = NULL;
    json_t *grants = NULL, *grant = NULL;
    uint64_t revision = 0;
    TRY(access_need_principal(a, principal, diag, &o, &revision));
    TRY(js_need_array(o, "grants", diag, &grants));
    TRY(access_make_grant(a, role, resource == NULL ? "**" : resource, allow, when, diag, &grant));
    CHECK(json_array_append_new(grants, grant) == 0, MEMORY);
    return access_put_record(a, ACCESS_PRINCIPALS, principal, o, revision, diag);
}

struct status
access_grant_add(struct access *a, const char *principal, const char *role, const char *resource,
                 bool allow, struct diag *diag)
{
    return access_grant_add_when(a, principal, role, resource, allow, NULL, diag);
}

/* ---- removing ---- */

struct gathering {
    const char *name;
    json_t *found; /* array of {id, record} */
};

static bool
names_member(const json_t *record, const char *name)
{
    const json_t *members = json_object_get(record, "members");
    for (size_t i = 0; i < json_array_size(members); i++) {
        const char *member = json_string_value(json_array_get(members, i));
        if (member != NULL && strcmp(member, name) == 0) {
            return true;
        }
    }
    return false;
}

static struct status
note_group(void *ctx, const char *id, struct view value)
{
    struct gathering *g = ctx;
    DEFER(js_freep) json_t *o = NULL;
    TRY(js_parse(value, id, NULL, &o));
    CHECK(!names_member(o, g->name) ||
              json_array_append_new(g->found, json_pack("{s:s, s:O}", "id", id, "record", o)) == 0,
          MEMORY);
    return OK;
}

/* Were it to come back under its name, it would be in its groups again. */
static struct status
leave_groups(struct access *a, const char *name, struct diag *diag)
{
    DEFER(js_freep) json_t *found = json_array();
    struct gathering g = {name, found};
    size_t i = 0, k = 0;
    json_t *item = NULL, *member = NULL;
    CHECK(found != NULL, MEMORY);
    TRY(store_each(a->store, ACCESS_GROUPS, note_group, &g, diag));
    json_array_foreach(found, i, item)
    {
        json_t *record = json_object_get(item, "record"), *kept = json_array();
        json_array_foreach(json_object_get(record, "members"), k, member)
        {
            if (strcmp(json_string_value(member), name) != 0) {
                (void)json_array_append(kept, member);
            }
        }
        TRY(js_set(record, "members", kept));
        TRY(access_put_record(a, ACCESS_GROUPS, json_string_value(json_object_get(item, "id")),
                              record, STORE_ANY, diag));
    }
    return OK;
}

static struct status
remove_all(struct access *a, const char *name, struct diag *diag)
{
    DEFER(js_freep) json_t *o = NULL;
    TRY(access_need_principal(a, name, diag, &o, NULL));
    TRY(access_owned_remove(a, ACCESS_KEYS, name, diag));
    TRY(access_owned_remove(a, ACCESS_LINKS, name, diag));
    TRY(leave_groups(a, name, diag));
    return store_delete(a->store, ACCESS_PRINCIPALS, name, diag);
}

struct status
access_principal_remove(struct access *a, const char *name, struct diag *diag)
{
    TRY(store_begin(a->store, diag));
    return access_settle(a, remove_all(a, name, diag), diag);
}

/* Who is granted a role, as words. */
struct holding {
    const char *role;
    struct buf who;
    size_t count;
};

static struct status
note_holder(void *ctx, const char *id, struct view value)
{
    struct holding *h = ctx;
    DEFER(js_freep) json_t *o = NULL;
    json_t *g = NULL;
    size_t i = 0;
    TRY(js_parse(value, id, NULL, &o));
    json_array_foreach(json_object_get(o, "grants"), i, g)
    {
        const char *role = json_string_value(json_object_get(g, "role"));
        if (role != NULL && strcmp(role, h->role) == 0) {
            if (h->count++ < 10) {
                buf_printf(&h->who, "%s%s", h->who.len == 0 ? "" : ", ", id);
            }
            break;
        }
    }
    return OK;
}

static struct status
remove_role(struct access *a, const char *name, struct diag *diag)
{
    DEFER(js_freep) json_t *o = NULL;
    struct holding h = {.role = name};
    const struct status found = access_get_record(a, ACCESS_ROLES, name, diag, &o, NULL);
    if (found.code == STATUS_NOT_FOUND) {
        diag_set(diag, "no role \"%.64s\"; \"steward role list\" shows them", name);
    }
    TRY(found);
    buf_init(&h.who, 4096);
    struct status s = store_each(a->store, ACCESS_PRINCIPALS, note_holder, &h, diag);
    if (status_ok(s)) {
        s = store_each(a->store, ACCESS_GROUPS, note_holder, &h, diag);
    }
    if (status_ok(s) && h.count > 0) {
        diag_set(diag, "role %s is granted to %s%s; take it from them first", name, buf_str(&h.who),
                 h.count > 10 ? " and others" : "");
        s = FAILURE(EXISTS);
    }
    buf_done(&h.who);
    TRY(s);
    return store_delete(a->store, ACCESS_ROLES, name, diag);
}

struct status
access_role_remove(struct access *a, const char *name, struct diag *diag)
{
    if (access_role_built_in(name) != NULL) {
        diag_set(diag, "role %s is built in; it stays", name);
        FAIL(INPUT);
    }
    TRY(access_check_name(name, "role", diag));
    TRY(store_begin(a->store, diag));
    return access_settle(a, remove_role(a, name, diag), diag);
}

struct status
access_named_remove(struct access *a, const char *collection, const char *name, struct diag *diag)
{
    TRY(access_check_name(name, collection, diag));
    const struct status s = store_delete(a->store, collection, name, diag);
    if (s.code == STATUS_NOT_FOUND) {
        diag_set(diag, "no %s \"%.64s\"; \"steward %s list\" shows them", collection, name,
                 collection);
    }
    access_snapshot_forget(a);
    return s;
}

struct status
access_group_remove(struct access *a, const char *name, struct diag *diag)
{
    return access_named_remove(a, ACCESS_GROUPS, name, diag);
}

/* ---- lists ---- */

struct status
access_append_record(void *ctx, const char *id, struct view value)
{
    json_t *o = NULL;
    TRY(js_parse(value, id, NULL, &o));
    CHECK(json_array_append_new(ctx, o) == 0, MEMORY);
    return OK;
}

struct status
access_put_list(struct access *a, const char *collection,
                struct status (*append)(void *ctx, const char *id, struct view value),
                struct buf *ret_json)
{
    DEFER(js_freep) json_t *list = json_array();
    CHECK(list != NULL, MEMORY);
    TRY(store_each(a->store, collection, append, list, NULL));
    return js_put_pretty(ret_json, list);
}

struct status
access_put_principals(struct access *a, struct buf *ret_json)
{
    return access_put_list(a, ACCESS_PRINCIPALS, access_append_record, ret_json);
}

struct status
access_put_groups(struct access *a, struct buf *ret_json)
{
    return access_put_list(a, ACCESS_GROUPS, access_append_record, ret_json);
}

static json_t *
built_in_json(const struct access_role *role)
{
    json_t *words = json_array();
    struct access_role_rule rule;
    access_role_rule_of(role, &rule);
    for (unsigned i = 0; i < ACCESS_ACTIONS; i++) {
        if ((rule.actions >> i & 1) != 0) {
            (void)json_array_append_new(words,
                                        json_string(access_action_word((enum access_action)i)));
        }
    }
    json_t *r = json_pack("{s:o, s:[s]}", "actions", words, "resources", "**");
    if ((rule.actions >> ACCESS_MODEL_INFER & 1) != 0) {
        (void)json_object_set_new(r, "output", json_string(access_output_word(role->output)));
        (void)json_object_set_new(r, "explanations", json_boolean(role->explanations));
    }
    if (role->all_columns) {
        (void)json_object_set_new(r, "unmasked", json_pack("[s]", "*"));
    }
    return json_pack("{s:s, s:s, s:b, s:[o]}", "name", role->name, "about", role->about, "built_in",
                     1, "rules", r);
}

struct status
access_put_roles(struct access *a, struct buf *ret_json)
{
    DEFER(js_freep) json_t *list = json_array();
    size_t n = 0;
    const struct access_role *roles = access_roles(&n);
    CHECK(list != NULL, MEMORY);
    for (size_t i = 0; i < n; i++) {
        CHECK(json_array_append_new(list, built_in_json(&roles[i])) == 0, MEMORY);
    }
    TRY(store_each(a->store, ACCESS_ROLES, access_append_record, list, NULL));
    return js_put_pretty(ret_json, list);
}

/* ---- emergencies ---- */

struct status
access_emergency_grant(struct access *a, const char *principal, const char *role,
                       const char *resource, const char *reason, int64_t until_ns,
                       struct diag *diag)
{
    DEFER(js_freep) json_t *o = NULL;
    DEFER(js_freep) json_t *when = json_pack("{s:o}", "until", js_time(until_ns));
    json_t *grants = NULL, *grant = NULL;
    uint64_t revision = 0;
    TRY(access_need_principal(a, principal, diag, &o, &revision));
    TRY(js_need_array(o, "grants", diag, &grants));
    TRY(access_make_grant(a, role, resource, true, when, diag, &grant));
    CHECK(json_array_append_new(grants, grant) == 0, MEMORY);
    TRY(js_set(grant, "emergency", js_sentence(reason)));
    return access_put_record(a, ACCESS_PRINCIPALS, principal, o, revision, diag);
}

struct status
access_emergency_end(struct access *a, const char *principal, struct diag *diag, size_t *ret_ended)
{
    DEFER(js_freep) json_t *o = NULL;
    json_t *grants = NULL;
    uint64_t revision = 0;
    TRY(access_need_principal(a, principal, diag, &o, &revision));
    TRY(js_need_array(o, "grants", diag, &grants));
    const size_t before = json_array_size(grants);
    for (size_t i = before; i > 0; i--) {
        if (json_object_get(json_array_get(grants, i - 1), "emergency") != NULL) {
            (void)json_array_remove(grants, i - 1);
        }
    }
    *ret_ended = before - json_array_size(grants);
    return access_put_record(a, ACCESS_PRINCIPALS, principal, o, revision, diag);
}
