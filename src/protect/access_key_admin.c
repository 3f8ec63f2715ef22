/* Records: collection "key", id = the key's id: {principal, issued, expires, revoked, mac}, mac =
 * HMAC of the whole key's text. */
#include "protect/access_parts.h"

#include "base/text.h"

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
    return json_pack("{s:s, s:o, s:o, s:b, s:s}", "principal", principal, "issued",
                     access_time_text(now_ns), "expires", access_time_text(expires_ns), "revoked",
                     0, "mac", buf_str(&hex));
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

struct status
access_key_revoke(struct access *a, const char *key_id, struct diag *diag)
{
    DEFER(js_freep) json_t *o = NULL;
    uint64_t revision = 0;
    TRY(need_key(a, key_id, diag, &o, &revision));
    TRY(js_set(o, "revoked", json_true()));
    return access_put_record(a, ACCESS_KEYS, key_id, o, revision, diag);
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

struct status
access_keys_remove(struct access *a, const char *principal, struct diag *diag)
{
    DEFER(js_freep) json_t *ids = json_array();
    struct dead_keys d = {principal, ids};
    json_t *id = NULL;
    size_t i = 0;
    CHECK(ids != NULL, MEMORY);
    TRY(store_each(a->store, ACCESS_KEYS, note_key, &d, diag));
    json_array_foreach(ids, i, id)
    {
        TRY(store_delete(a->store, ACCESS_KEYS, json_string_value(id), diag));
    }
    return OK;
}

/* ---- the list ---- */

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

struct status
access_put_keys(struct access *a, struct buf *ret_json)
{
    return access_put_list(a, ACCESS_KEYS, append_key, ret_json);
}
