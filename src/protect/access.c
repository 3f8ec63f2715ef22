/* Records in the store: collection "principal", id = name: {name, created, grants: [{allow, role,
 * resource}]}; collection "key", id = the key's id: {principal, issued, expires, revoked, mac}, mac
 * = HMAC of the whole key's text. The hot path reads a snapshot of both, replaced as one when the
 * store has changed; readers hold a reference. */
#include "protect/access.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "protect/access_key.h"
#include "protect/access_roles.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRINCIPALS "principal"
#define KEYS "key"
#define KEY_PURPOSE "api-key"
#define RECORD_MAX (1u << 20)
#define REFRESH_NS (NS_PER_S / 4)

struct grant {
    char principal[64], role[16], resource[128];
    bool allow;
};

struct key {
    char id[ACCESS_KEY_ID_LETTERS + 1], principal[64];
    uint8_t mac[32];
    int64_t expires_ns;
    bool revoked;
};

struct snapshot {
    _Atomic unsigned references;
    uint64_t change;
    struct grant *grants; /* by principal, deny first */
    size_t grant_count;
    struct key *keys; /* by id */
    size_t key_count;
};

struct access {
    struct store *store;
    const struct vault *vault;
    pthread_mutex_t lock;
    struct snapshot *current; /* NULL: unreadable, everything is denied */
    int64_t checked_ns;
    _Atomic bool stale; /* a change of our own: look at once */
};

/* ---- the snapshot ---- */

static void
snapshot_release(struct snapshot *s)
{
    if (s != NULL && atomic_fetch_sub(&s->references, 1) == 1) {
        free(s->grants);
        free(s->keys);
        free(s);
    }
}

DEFINE_FREEP(snapshot_release, struct snapshot)

static bool
copy_text(char *to, size_t size, const json_t *value)
{
    const char *text = json_string_value(value);
    return text != NULL && (size_t)snprintf(to, size, "%s", text) < size;
}

static struct status
add_grant(struct snapshot *s, const char *principal, const json_t *g)
{
    struct grant *grown = realloc(s->grants, (s->grant_count + 1) * sizeof *grown);
    CHECK(grown != NULL, MEMORY);
    s->grants = grown;
    struct grant *row = &grown[s->grant_count];
    *row = (struct grant){.allow = json_is_true(json_object_get(g, "allow"))};
    (void)snprintf(row->principal, sizeof row->principal, "%s", principal);
    CHECK(copy_text(row->role, sizeof row->role, json_object_get(g, "role")), INTEGRITY);
    CHECK(copy_text(row->resource, sizeof row->resource, json_object_get(g, "resource")),
          INTEGRITY);
    s->grant_count++;
    return OK;
}

static struct status
load_principal(void *ctx, const char *id, struct view value)
{
    DEFER(js_freep) json_t *o = NULL;
    json_t *grants = NULL, *g = NULL;
    size_t i = 0;
    TRY(js_parse(value, id, NULL, &o));
    TRY(js_need_array(o, "grants", NULL, &grants));
    json_array_foreach(grants, i, g)
    {
        TRY(add_grant(ctx, id, g));
    }
    return OK;
}

static struct status
read_mac(const json_t *o, uint8_t *ret_mac)
{
    const char *hex = NULL;
    DEFER(buf_done) struct buf raw;
    buf_init(&raw, 32);
    TRY(js_need_string(o, "mac", NULL, &hex));
    TRY(text_from_hex(view_str(hex), &raw));
    CHECK(raw.len == 32, INTEGRITY);
    memcpy(ret_mac, raw.ptr, 32);
    return OK;
}

static struct status
load_key(void *ctx, const char *id, struct view value)
{
    struct snapshot *s = ctx;
    DEFER(js_freep) json_t *o = NULL;
    const char *expires = NULL;
    struct key *grown = realloc(s->keys, (s->key_count + 1) * sizeof *grown);
    CHECK(grown != NULL, MEMORY);
    s->keys = grown;
    struct key *row = &grown[s->key_count];
    *row = (struct key){0};
    TRY(js_parse(value, id, NULL, &o));
    TRY(js_need_string(o, "expires", NULL, &expires));
    TRY(clock_from_rfc3339(view_str(expires), &row->expires_ns));
    TRY(read_mac(o, row->mac));
    CHECK((size_t)snprintf(row->id, sizeof row->id, "%s", id) < sizeof row->id, INTEGRITY);
    CHECK(copy_text(row->principal, sizeof row->principal, json_object_get(o, "principal")),
          INTEGRITY);
    row->revoked = !json_is_false(json_object_get(o, "revoked"));
    s->key_count++;
    return OK;
}

static int
compare_grants(const void *a, const void *b)
{
    const struct grant *x = a, *y = b;
    const int c = strcmp(x->principal, y->principal);
    return c != 0 ? c : (int)x->allow - (int)y->allow;
}

static int
compare_keys(const void *a, const void *b)
{
    return strcmp(((const struct key *)a)->id, ((const struct key *)b)->id);
}

static struct status
load_snapshot(struct access *a, struct snapshot **ret_snapshot)
{
    DEFER(snapshot_releasep) struct snapshot *s = calloc(1, sizeof *s);
    CHECK(s != NULL, MEMORY);
    atomic_store(&s->references, 1);
    s->change = store_change(a->store); /* read first: what changes meanwhile is loaded again */
    TRY(store_each(a->store, PRINCIPALS, load_principal, s, NULL));
    TRY(store_each(a->store, KEYS, load_key, s, NULL));
    if (s->grant_count > 0) {
        qsort(s->grants, s->grant_count, sizeof *s->grants, compare_grants);
    }
    if (s->key_count > 0) {
        qsort(s->keys, s->key_count, sizeof *s->keys, compare_keys);
    }
    *ret_snapshot = MOVE(s);
    return OK;
}

static void
refresh_locked(struct access *a, int64_t now)
{
    a->checked_ns = now;
    if (a->current != NULL && store_change(a->store) == a->current->change) {
        return;
    }
    struct snapshot *fresh = NULL;
    const struct status s = load_snapshot(a, &fresh);
    /* Records that do not open (tampered) or a failing disk: nobody is known, everything is denied.
     */
    snapshot_release(a->current);
    a->current = status_ok(s) ? fresh : NULL;
}

/* The current snapshot with a reference of the caller's; NULL: deny. */
static struct snapshot *
take_snapshot(struct access *a)
{
    const int64_t now = clock_mono_ns();
    (void)pthread_mutex_lock(&a->lock);
    if (atomic_exchange(&a->stale, false) || now - a->checked_ns > REFRESH_NS) {
        refresh_locked(a, now);
    }
    struct snapshot *s = a->current;
    if (s != NULL) {
        (void)atomic_fetch_add(&s->references, 1);
    }
    (void)pthread_mutex_unlock(&a->lock);
    return s;
}

/* Our own change shows at once. Takes no lock: the caller may hold the store's, which a reader
 * waits for under ours. */
static void
forget_snapshot(struct access *a)
{
    atomic_store(&a->stale, true);
}

struct status
access_open(struct store *s, const struct vault *v, struct access **ret_access)
{
    struct access *a = calloc(1, sizeof *a);
    CHECK(a != NULL, MEMORY);
    a->store = s;
    atomic_store(&a->stale, true);
    a->vault = v;
    if (pthread_mutex_init(&a->lock, NULL) != 0) {
        free(a);
        FAIL(MEMORY);
    }
    *ret_access = a;
    return OK;
}

void
access_free(struct access *a)
{
    if (a != NULL) {
        snapshot_release(a->current);
        (void)pthread_mutex_destroy(&a->lock);
        free(a);
    }
}

/* ---- administration ---- */

static struct status
check_principal_name(const char *name, struct diag *diag)
{
    if (!text_is_name(name)) {
        diag_set(diag,
                 "principal name \"%.64s\": a name is 1 to 63 of a-z, 0-9, '.', '_', '-', starting "
                 "with a letter or digit",
                 name);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
check_grant(const char *role, const char *resource, struct diag *diag)
{
    if (!access_role_known(role)) {
        DEFER(buf_done) struct buf names;
        buf_init(&names, 512);
        size_t n = 0;
        const struct access_role *roles = access_roles(&n);
        for (size_t i = 0; i < n; i++) {
            buf_printf(&names, "%s%s", i == 0 ? "" : i + 1 == n ? " and " : ", ", roles[i].name);
        }
        diag_set(diag, "role \"%.64s\": there are %s", role, buf_str(&names));
        FAIL(INPUT);
    }
    if (!access_pattern_valid(resource)) {
        diag_set(
            diag,
            "resource \"%.127s\": write a path such as models/mortgage, with * for one segment or "
            "** for the rest",
            resource);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
put_json(struct access *a, const char *collection, const char *id, const json_t *o, uint64_t expect,
         struct diag *diag)
{
    DEFER(buf_wipe) struct buf text;
    buf_init(&text, RECORD_MAX);
    TRY(js_put(&text, o));
    TRY(store_put(a->store, collection, id, buf_view(&text), expect, diag));
    forget_snapshot(a);
    return OK;
}

static struct status
get_json(struct access *a, const char *collection, const char *id, struct diag *diag,
         json_t **ret_object, uint64_t *ret_revision)
{
    DEFER(buf_wipe) struct buf text;
    buf_init(&text, RECORD_MAX);
    TRY(store_get(a->store, collection, id, diag, &text, ret_revision));
    return js_parse(buf_view(&text), id, NULL, ret_object);
}

/* Ends a change that began with store_begin. */
static struct status
settle(struct access *a, struct status done, struct diag *diag)
{
    if (!status_ok(done)) {
        store_rollback(a->store);
        return done;
    }
    TRY(store_commit(a->store, diag));
    forget_snapshot(a);
    return OK;
}

static json_t *
make_grant(const char *role, const char *resource, bool allow)
{
    return json_pack("{s:b, s:s, s:s}", "allow", allow, "role", role, "resource", resource);
}

static json_t *
time_text(int64_t ns)
{
    DEFER(buf_done) struct buf b;
    buf_init(&b, 64);
    clock_put_rfc3339(&b, ns);
    return json_string(buf_str(&b));
}

struct status
access_principal_add(struct access *a, const char *name, const char *role, const char *resource,
                     int64_t now_ns, struct diag *diag)
{
    const char *where = resource == NULL ? "**" : resource;
    TRY(check_principal_name(name, diag));
    TRY(check_grant(role, where, diag));
    DEFER(js_freep)
    json_t *o = json_pack("{s:s, s:o, s:[o]}", "name", name, "created", time_text(now_ns), "grants",
                          make_grant(role, where, true));
    CHECK(o != NULL, MEMORY);
    const struct status s = put_json(a, PRINCIPALS, name, o, 0, diag);
    if (s.code == STATUS_EXISTS) {
        diag_set(diag,
                 "principal %s exists already; \"steward principal grant\" gives it a further role",
                 name);
    }
    return s;
}

static struct status
need_principal(struct access *a, const char *name, struct diag *diag, json_t **ret_object,
               uint64_t *ret_revision)
{
    TRY(check_principal_name(name, diag));
    const struct status s = get_json(a, PRINCIPALS, name, diag, ret_object, ret_revision);
    if (s.code == STATUS_NOT_FOUND) {
        diag_set(diag, "no principal \"%s\"; \"steward principal add %s --role ROLE\" adds it",
                 name, name);
    }
    return s;
}

struct status
access_grant_add(struct access *a, const char *principal, const char *role, const char *resource,
                 bool allow, struct diag *diag)
{
    DEFER(js_freep) json_t *o = NULL;
    json_t *grants = NULL;
    uint64_t revision = 0;
    const char *where = resource == NULL ? "**" : resource;
    TRY(check_grant(role, where, diag));
    TRY(need_principal(a, principal, diag, &o, &revision));
    TRY(js_need_array(o, "grants", diag, &grants));
    CHECK(json_array_append_new(grants, make_grant(role, where, allow)) == 0, MEMORY);
    return put_json(a, PRINCIPALS, principal, o, revision, diag);
}

struct dead_keys {
    const char *principal;
    json_t *ids;
};

static struct status
note_key(void *ctx, const char *id, struct view value)
{
    struct dead_keys *d = ctx;
    DEFER(js_freep) json_t *o = NULL;
    const char *principal = NULL;
    TRY(js_parse(value, id, NULL, &o));
    TRY(js_need_string(o, "principal", NULL, &principal));
    CHECK(strcmp(principal, d->principal) != 0 ||
              json_array_append_new(d->ids, json_string(id)) == 0,
          MEMORY);
    return OK;
}

static struct status
remove_all(struct access *a, const char *name, struct diag *diag)
{
    DEFER(js_freep) json_t *ids = json_array();
    struct dead_keys d = {name, ids};
    json_t *id = NULL;
    size_t i = 0;
    DEFER(js_freep) json_t *o = NULL;
    CHECK(ids != NULL, MEMORY);
    TRY(need_principal(a, name, diag, &o, NULL));
    TRY(store_each(a->store, KEYS, note_key, &d, diag));
    json_array_foreach(ids, i, id)
    {
        TRY(store_delete(a->store, KEYS, json_string_value(id), diag));
    }
    return store_delete(a->store, PRINCIPALS, name, diag);
}

struct status
access_principal_remove(struct access *a, const char *name, struct diag *diag)
{
    TRY(store_begin(a->store, diag));
    return settle(a, remove_all(a, name, diag), diag);
}

/* ---- keys ---- */

static json_t *
make_key_record(struct access *a, const char *principal, int64_t now_ns, int64_t expires_ns,
                const char *key)
{
    uint8_t mac[32];
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 128);
    if (!status_ok(vault_mac(a->vault, KEY_PURPOSE, view_str(key), mac))) {
        return NULL;
    }
    text_put_hex(&hex, view_of(mac, sizeof mac));
    return json_pack("{s:s, s:o, s:o, s:b, s:s}", "principal", principal, "issued",
                     time_text(now_ns), "expires", time_text(expires_ns), "revoked", 0, "mac",
                     buf_str(&hex));
}

/* In one transaction with the look at its owner: no key outlives a principal that is removed at the
 * same time. */
static struct status
keep_key(struct access *a, const char *principal, int64_t now_ns, int64_t expires_ns,
         const char *key, struct diag *diag)
{
    DEFER(js_freep) json_t *owner = NULL;
    char id[ACCESS_KEY_ID_LETTERS + 1];
    TRY(need_principal(a, principal, diag, &owner, NULL));
    ASSERT(access_key_read(view_str(key), id));
    DEFER(js_freep) json_t *o = make_key_record(a, principal, now_ns, expires_ns, key);
    CHECK(o != NULL, MEMORY);
    return put_json(a, KEYS, id, o, 0, diag);
}

struct status
access_key_issue(struct access *a, const char *principal, int64_t now_ns, int64_t expires_ns,
                 char ret_key[static ACCESS_KEY_TEXT_MAX], struct diag *diag)
{
    if (expires_ns <= now_ns) {
        diag_set(diag, "a key must expire after it is issued");
        FAIL(INPUT);
    }
    char key[ACCESS_KEY_TEXT_MAX] = {0};
    access_key_make(key);
    TRY(store_begin(a->store, diag));
    const struct status s = settle(a, keep_key(a, principal, now_ns, expires_ns, key, diag), diag);
    if (status_ok(s)) {
        memcpy(ret_key, key, sizeof key);
    }
    secret_wipe(key, sizeof key);
    return s;
}

struct status
access_key_revoke(struct access *a, const char *key_id, struct diag *diag)
{
    DEFER(js_freep) json_t *o = NULL;
    uint64_t revision = 0;
    if (strlen(key_id) != ACCESS_KEY_ID_LETTERS) {
        /* Not shown: it may be the key itself. */
        diag_set(diag,
                 "a key is revoked by its id, the %u letters between \"sw_\" and \"_\"; "
                 "\"steward api-key list\" shows the ids",
                 ACCESS_KEY_ID_LETTERS);
        FAIL(INPUT);
    }
    const struct status s = get_json(a, KEYS, key_id, diag, &o, &revision);
    if (s.code == STATUS_NOT_FOUND) {
        diag_set(diag,
                 "no key \"%s\"; \"steward api-key list\" shows the ids (the letters after sw_)",
                 key_id);
    }
    TRY(s);
    CHECK(json_object_set_new(o, "revoked", json_true()) == 0, MEMORY);
    return put_json(a, KEYS, key_id, o, revision, diag);
}

/* ---- lists ---- */

static struct status
append_principal(void *ctx, const char *id, struct view value)
{
    json_t *o = NULL;
    TRY(js_parse(value, id, NULL, &o));
    CHECK(json_array_append_new(ctx, o) == 0, MEMORY);
    return OK;
}

static struct status
append_key(void *ctx, const char *id, struct view value)
{
    json_t *o = NULL;
    TRY(js_parse(value, id, NULL, &o));
    (void)json_object_del(o, "mac");
    (void)json_object_set_new(o, "id", json_string(id));
    CHECK(json_array_append_new(ctx, o) == 0, MEMORY);
    return OK;
}

static struct status
put_list(struct access *a, const char *collection,
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
    return put_list(a, PRINCIPALS, append_principal, ret_json);
}

struct status
access_put_keys(struct access *a, struct buf *ret_json)
{
    return put_list(a, KEYS, append_key, ret_json);
}

/* ---- the hot path ---- */

static const char *
why_not(const struct key *k, const uint8_t *mac, int64_t now_ns)
{
    if (k == NULL) {
        return "key unknown";
    }
    if (!view_equal_secret(view_of(k->mac, 32), view_of(mac, 32))) {
        return "key unknown (its id is known, its secret is not)";
    }
    return k->revoked ? "key revoked" : now_ns >= k->expires_ns ? "key expired" : NULL;
}

struct status
access_authenticate(struct access *a, struct view key, int64_t now_ns,
                    char ret_principal[static 64], const char **ret_reason)
{
    struct key wanted = {0};
    uint8_t mac[32];
    if (!access_key_read(key, wanted.id)) {
        *ret_reason = "not a key";
        FAIL(AUTH);
    }
    DEFER(snapshot_releasep) struct snapshot *s = take_snapshot(a);
    if (s == NULL) {
        *ret_reason = "the list of keys cannot be read";
        FAIL(AUTH);
    }
    const struct key *found =
        s->key_count == 0 ? NULL
                          : bsearch(&wanted, s->keys, s->key_count, sizeof *s->keys, compare_keys);
    /* Also for unknown ids: the same time for both. */
    if (!status_ok(vault_mac(a->vault, KEY_PURPOSE, key, mac))) {
        *ret_reason = "the key's hash cannot be computed";
        FAIL(AUTH);
    }
    const char *reason = why_not(found, mac, now_ns);
    if (reason != NULL) {
        *ret_reason = reason;
        FAIL(AUTH);
    }
    text_copy(ret_principal, 64, found->principal);
    return OK;
}

/* First grant of the principal in the sorted list. */
static size_t
first_grant(const struct snapshot *s, const char *principal)
{
    size_t low = 0, high = s->grant_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(s->grants[middle].principal, principal) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void
access_decide(struct access *a, const char *principal, enum access_action action,
              const char *resource, struct access_decision *ret_decision)
{
    DEFER(snapshot_releasep) struct snapshot *s = take_snapshot(a);
    *ret_decision = (struct access_decision){.rule = "default deny"};
    if (s == NULL) {
        (void)snprintf(ret_decision->rule, sizeof ret_decision->rule,
                       "default deny: the grants cannot be read");
        return;
    }
    const char *word = access_action_word(action);
    for (size_t i = first_grant(s, principal); i < s->grant_count; i++) {
        const struct grant *g = &s->grants[i];
        if (strcmp(g->principal, principal) != 0) {
            return;
        }
        if (access_role_allows(g->role, word) &&
            access_pattern_matches(g->resource, resource, '/')) {
            ret_decision->allow = g->allow; /* denials come first */
            (void)snprintf(ret_decision->rule, sizeof ret_decision->rule, "%s%s on %s",
                           g->allow ? "role " : "deny role ", g->role, g->resource);
            return;
        }
    }
}
