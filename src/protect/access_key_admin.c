/* Records: collection "key", id = the key's id: {principal, issued, expires, revoked, mac}, mac =
 * HMAC of the whole key's text. */
#include "protect/access_parts.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>

static json_t *
make_key_record(struct access *a, const char *principal, int64_t now_ns, int64_t expires_ns,
                const char *key)
{
    uint8_t mac[32];
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 128);
    if (!status_ok(vault_mac(a->vault, ACCESS_KEY_PURPOSE, view_str(key), mac))) {
        return NULL;
    }
    text_put_hex(&hex, view_of(mac, sizeof mac));
    return json_pack("{s:s, s:o, s:o, s:b, s:s}", "principal", principal, "issued", js_time(now_ns),
                     "expires", js_time(expires_ns), "revoked", 0, "mac", buf_str(&hex));
}

/* In one transaction with the look at its owner: no key outlives a principal that is removed at the
 * same time. */
static struct status
keep_key(struct access *a, const char *principal, int64_t now_ns, int64_t expires_ns,
         const char *key, struct diag *diag)
{
    DEFER(js_freep) json_t *owner = NULL;
    char id[ACCESS_KEY_ID_LETTERS + 1];
    TRY(access_need_principal(a, principal, diag, &owner, NULL));
    ASSERT(access_key_read(view_str(key), id));
    DEFER(js_freep) json_t *o = make_key_record(a, principal, now_ns, expires_ns, key);
    CHECK(o != NULL, MEMORY);
    return access_put_record(a, ACCESS_KEYS, id, o, 0, diag);
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
    const struct status s =
        access_settle(a, keep_key(a, principal, now_ns, expires_ns, key, diag), diag);
    if (status_ok(s)) {
        memcpy(ret_key, key, sizeof key);
    }
    secret_wipe(key, sizeof key);
    return s;
}

/* ---- ending ---- */

static struct status
need_key(struct access *a, const char *key_id, struct diag *diag, json_t **ret_object,
         uint64_t *ret_revision)
{
    if (strlen(key_id) != ACCESS_KEY_ID_LETTERS) {
        /* Not shown: it may be the key itself. */
        diag_set(diag,
                 "a key is named by its id, the %u letters between \"sw_\" and \"_\"; "
                 "\"steward api-key list\" shows the ids",
                 ACCESS_KEY_ID_LETTERS);
        FAIL(INPUT);
    }
    const struct status s =
        access_get_record(a, ACCESS_KEYS, key_id, diag, ret_object, ret_revision);
    if (s.code == STATUS_NOT_FOUND) {
        diag_set(diag,
                 "no key \"%s\"; \"steward api-key list\" shows the ids (the letters after sw_)",
                 key_id);
    }
    return s;
}

/* The old one ends when the overlap does, or when it would have anyway. */
static struct status
replace_key(struct access *a, const char *key_id, const struct access_rotation *r, const char *key,
            struct diag *diag)
{
    DEFER(js_freep) json_t *o = NULL;
    const char *principal = NULL, *expires = NULL;
    char id[ACCESS_KEY_ID_LETTERS + 1];
    int64_t ends_ns = 0;
    uint64_t revision = 0;
    TRY(need_key(a, key_id, diag, &o, &revision));
    TRY(js_need_string(o, "principal", diag, &principal));
    TRY(js_need_string(o, "expires", diag, &expires));
    TRY(clock_from_rfc3339(view_str(expires), &ends_ns));
    if (!json_is_false(json_object_get(o, "revoked")) || ends_ns <= r->now_ns) {
        diag_set(diag, "key %s holds no more; issue a new one", key_id);
        FAIL(INPUT);
    }
    TRY(keep_key(a, principal, r->now_ns, r->expires_ns, key, diag));
    ASSERT(access_key_read(view_str(key), id));
    ends_ns = ends_ns < r->overlap_ns ? ends_ns : r->overlap_ns;
    TRY(js_set(o, "expires", js_time(ends_ns)));
    TRY(js_set(o, "replaced_by", json_string(id)));
    return access_put_record(a, ACCESS_KEYS, key_id, o, revision, diag);
}

struct status
access_key_rotate(struct access *a, const char *key_id, const struct access_rotation *r,
                  char ret_key[static ACCESS_KEY_TEXT_MAX], struct diag *diag)
{
    if (r->expires_ns <= r->now_ns || r->overlap_ns < r->now_ns) {
        diag_set(diag, "a key must expire after it is issued");
        FAIL(INPUT);
    }
    char key[ACCESS_KEY_TEXT_MAX] = {0};
    access_key_make(key);
    TRY(store_begin(a->store, diag));
    const struct status s = access_settle(a, replace_key(a, key_id, r, key, diag), diag);
    if (status_ok(s)) {
        memcpy(ret_key, key, sizeof key);
    }
    secret_wipe(key, sizeof key);
    return s;
}

struct status
access_key_expire(struct access *a, const char *key_id, int64_t at_ns, struct diag *diag)
{
    DEFER(js_freep) json_t *o = NULL;
    const char *expires = NULL;
    int64_t ends_ns = 0;
    uint64_t revision = 0;
    TRY(need_key(a, key_id, diag, &o, &revision));
    TRY(js_need_string(o, "expires", diag, &expires));
    TRY(clock_from_rfc3339(view_str(expires), &ends_ns));
    if (at_ns > ends_ns) {
        diag_set(diag, "key %s ends at %.19sZ already; a key's time is not made longer: rotate it",
                 key_id, expires);
        FAIL(INPUT);
    }
    TRY(js_set(o, "expires", js_time(at_ns)));
    return access_put_record(a, ACCESS_KEYS, key_id, o, revision, diag);
}

struct status
access_key_revoke(struct access *a, const char *key_id, struct diag *diag)
{
    DEFER(js_freep) json_t *o = NULL;
    uint64_t revision = 0;
    TRY(need_key(a, key_id, diag, &o, &revision));
    TRY(js_set(o, "revoked", json_true()));
    return access_put_record(a, ACCESS_KEYS, key_id, o, revision, diag);
}

/* Records of which a member is, or begins with, a text. */
struct owned {
    const char *member, *text;
    bool whole;
    json_t *ids;
};

static struct status
note_owned(void *ctx, const char *id, struct view value)
{
    struct owned *d = ctx;
    DEFER(js_freep) json_t *o = NULL;
    const char *text = NULL;
    TRY(js_parse(value, id, NULL, &o));
    TRY(js_need_string(o, d->member, NULL, &text));
    const bool owned =
        d->whole ? strcmp(text, d->text) == 0 : strncmp(text, d->text, strlen(d->text)) == 0;
    CHECK(!owned || json_array_append_new(d->ids, json_string(id)) == 0, MEMORY);
    return OK;
}

static struct status
remove_owned(struct access *a, const char *collection, struct owned *d, struct diag *diag)
{
    DEFER(js_freep) json_t *ids = json_array();
    json_t *id = NULL;
    size_t i = 0;
    CHECK(ids != NULL, MEMORY);
    d->ids = ids;
    TRY(store_each(a->store, collection, note_owned, d, diag));
    json_array_foreach(ids, i, id)
    {
        TRY(store_delete(a->store, collection, json_string_value(id), diag));
        if (strcmp(collection, ACCESS_KEYS) == 0) {
            const struct status gone =
                store_delete(a->store, ACCESS_KEY_USES, json_string_value(id), diag);
            CHECK(status_ok(gone) || gone.code == STATUS_NOT_FOUND, IO);
        }
    }
    return OK;
}

struct status
access_owned_remove(struct access *a, const char *collection, const char *principal,
                    struct diag *diag)
{
    struct owned d = {.member = "principal", .text = principal, .whole = true};
    return remove_owned(a, collection, &d, diag);
}

struct status
access_issuer_links_remove(struct access *a, const char *issuer, struct diag *diag)
{
    char prefix[ACCESS_NAME_MAX + 8];
    (void)snprintf(prefix, sizeof prefix, "token:%.63s:", issuer);
    struct owned d = {.member = "identity", .text = prefix};
    return remove_owned(a, ACCESS_LINKS, &d, diag);
}

/* ---- last uses ---- */

#define USES_AT_ONCE 4096u

struct use {
    char id[ACCESS_KEY_ID_LETTERS + 1];
    int64_t at_ns;
};

/* Those that are more than an hour newer than what is written. */
static size_t
gather_uses(struct access *a, struct use *ret_uses)
{
    DEFER(access_snapshot_releasep) struct access_snapshot *s = access_snapshot_take(a);
    size_t n = 0;
    for (size_t i = 0; s != NULL && i < s->key_count && n < USES_AT_ONCE; i++) {
        struct access_key_row *k = &s->keys[i];
        const int64_t used = atomic_load(&k->used_ns);
        if (used > 0 && (k->noted_ns == 0 || used - k->noted_ns >= ACCESS_USE_NS)) {
            text_copy(ret_uses[n].id, sizeof ret_uses[n].id, k->id);
            ret_uses[n++].at_ns = used;
        }
    }
    return n;
}

static struct status
put_uses(struct access *a, const struct use *uses, size_t n, struct diag *diag)
{
    for (size_t i = 0; i < n; i++) {
        DEFER(js_freep)
        json_t *o = json_pack("{s:o}", "last_used", js_time(uses[i].at_ns));
        CHECK(o != NULL, MEMORY);
        TRY(access_put_record(a, ACCESS_KEY_USES, uses[i].id, o, STORE_ANY, diag));
    }
    return OK;
}

struct status
access_keys_note_uses(struct access *a, struct diag *diag)
{
    struct use *uses = calloc(USES_AT_ONCE, sizeof *uses);
    CHECK(uses != NULL, MEMORY);
    const size_t n = gather_uses(a, uses);
    struct status s = n == 0 ? OK : store_begin(a->store, diag);
    if (status_ok(s) && n > 0) {
        s = access_settle(a, put_uses(a, uses, n, diag), diag);
    }
    free(uses);
    return s;
}

/* ---- the list ---- */

static struct status
append_key(void *ctx, const char *id, struct view value)
{
    json_t *o = NULL;
    TRY(js_parse(value, id, NULL, &o));
    (void)json_object_del(o, "mac");
    (void)json_object_set_new(o, "id", json_string(id));
    (void)json_object_set_new(o, "last_used", json_null());
    CHECK(json_array_append_new(ctx, o) == 0, MEMORY);
    return OK;
}

static struct status
append_use(void *ctx, const char *id, struct view value)
{
    json_t *o = NULL;
    TRY(js_parse(value, id, NULL, &o));
    CHECK(json_object_set_new(ctx, id, o) == 0, MEMORY);
    return OK;
}

struct status
access_put_keys(struct access *a, struct buf *ret_json)
{
    DEFER(js_freep) json_t *list = json_array();
    DEFER(js_freep) json_t *uses = json_object();
    json_t *key = NULL;
    size_t i = 0;
    CHECK(list != NULL && uses != NULL, MEMORY);
    TRY(store_each(a->store, ACCESS_KEYS, append_key, list, NULL));
    TRY(store_each(a->store, ACCESS_KEY_USES, append_use, uses, NULL));
    json_array_foreach(list, i, key)
    {
        const json_t *use = json_object_get(uses, json_string_value(json_object_get(key, "id")));
        json_t *at = json_object_get(use, "last_used");
        if (at != NULL) {
            (void)json_object_set(key, "last_used", at);
        }
    }
    return js_put_pretty(ret_json, list);
}
