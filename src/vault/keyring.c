/* Wrapped data key: generation u32 LE, nonce 12, ciphertext 32, tag 16. AES-256-GCM; key and inner
 * nonce are HKDF-SHA256(that generation's key, salt = bound, nonce; info = "steward wrap v2 " +
 * purpose), 44 bytes, so that no number of data keys wears a workspace key out. Bound: the
 * generation's 4 bytes, then the 32 of what the data key belongs to.
 *
 * File: {"format", "generation", "made", "provider", "state", "older": [{"generation", "made",
 * "wrapped"}], "revoked"?, "check"}; revoked: why nobody may use it; check: HMAC-SHA256, in base64,
 * of the object without it as compact JSON with sorted keys, under HKDF(newest key, info "steward
 * keys v2"). */
#include "vault/keyring.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "vault/aead.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <stdio.h>
#include <string.h>

#define FORMAT "steward-keys-2"
#define STATE_MAX (KEYRING_FILE_MAX / 2)
#define NUMBER_BYTES 4u
#define OLDER_PURPOSE "generation"

void
keyring_done(struct keyring *ring)
{
    for (size_t i = 0; i < ring->count; i++) {
        secret_done(&ring->held[i].key);
    }
    EVP_KDF_free(ring->kdf);
    *ring = (struct keyring){0};
}

static struct status
begin(struct keyring *ret_ring)
{
    *ret_ring = (struct keyring){.kdf = EVP_KDF_fetch(NULL, "HKDF", NULL)};
    CHECK(ret_ring->kdf != NULL, UNSUPPORTED);
    return OK;
}

struct status
keyring_make(struct keyring *ret_ring)
{
    DEFER(keyring_done) struct keyring ring = {0};
    TRY(begin(&ring));
    TRY(secret_new(VAULT_KEY_BYTES, &ring.held[0].key));
    ring.count = 1;
    ring.held[0].number = 1;
    ring.held[0].made_ns = clock_wall_ns();
    random_bytes(ring.held[0].key.ptr, VAULT_KEY_BYTES);
    *ret_ring = ring;
    ring = (struct keyring){0};
    return OK;
}

struct status
keyring_advance(struct keyring *ring)
{
    struct generation next = {.number = ring->held[0].number + 1, .made_ns = clock_wall_ns()};
    CHECK(ring->count == 1, EXISTS);
    CHECK(next.number != 0, LIMIT);
    TRY(secret_new(VAULT_KEY_BYTES, &next.key));
    random_bytes(next.key.ptr, VAULT_KEY_BYTES);
    ring->held[1] = ring->held[0];
    ring->held[0] = next;
    ring->count = 2;
    return OK;
}

void
keyring_forget_older(struct keyring *ring)
{
    for (; ring->count > 1; ring->count--) {
        secret_done(&ring->held[ring->count - 1].key);
    }
}

/* ---- derived keys ---- */

static void
free_kdf(EVP_KDF_CTX **ctx)
{
    EVP_KDF_CTX_free(*ctx);
}

static struct status
hkdf(const struct keyring *ring, const struct secret *key, struct view salt, const char *info,
     uint8_t *ret_bytes, size_t n)
{
    DEFER(free_kdf) EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(ring->kdf);
    CHECK(ctx != NULL, MEMORY);
    char digest[] = "SHA256";
    OSSL_PARAM params[5];
    size_t k = 0;
    params[k++] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
    params[k++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key->ptr, key->len);
    params[k++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info,
                                                    strlen(info));
    if (salt.len > 0) {
        params[k++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT,
                                                        (void *)(uintptr_t)salt.ptr, salt.len);
    }
    params[k] = OSSL_PARAM_construct_end();
    CHECK(EVP_KDF_derive(ctx, ret_bytes, n, params) == 1, UNSUPPORTED);
    return OK;
}

struct wrapping {
    uint8_t key[AEAD_KEY_BYTES];
    uint8_t nonce[AEAD_NONCE_BYTES];
};

static void
wipe_wrapping(struct wrapping *w)
{
    secret_wipe(w, sizeof *w);
}

static struct status
derive(const struct keyring *ring, const struct generation *g, const char *purpose,
       const uint8_t *bound, const uint8_t *nonce, struct wrapping *ret_wrapping)
{
    uint8_t salt[VAULT_BOUND_BYTES + AEAD_NONCE_BYTES];
    char info[VAULT_PURPOSE_MAX + 32];
    memcpy(salt, bound, VAULT_BOUND_BYTES);
    memcpy(salt + VAULT_BOUND_BYTES, nonce, AEAD_NONCE_BYTES);
    (void)snprintf(info, sizeof info, "steward wrap v2 %s", purpose);
    return hkdf(ring, &g->key, view_of(salt, sizeof salt), info, (uint8_t *)ret_wrapping,
                sizeof *ret_wrapping);
}

/* ---- data keys ---- */

static void
put_number(uint32_t number, uint8_t *ret_bytes)
{
    for (size_t i = 0; i < NUMBER_BYTES; i++) {
        ret_bytes[i] = (uint8_t)(number >> 8 * i);
    }
}

struct bound {
    uint8_t bytes[NUMBER_BYTES + VAULT_BOUND_BYTES];
};

static struct bound
bind(const uint8_t *number, const uint8_t *bound)
{
    struct bound b;
    memcpy(b.bytes, number, NUMBER_BYTES);
    memcpy(b.bytes + NUMBER_BYTES, bound, VAULT_BOUND_BYTES);
    return b;
}

struct status
keyring_wrap(const struct keyring *ring, const char *purpose, const uint8_t *bound,
             const uint8_t *key, uint8_t ret_wrapped[static VAULT_WRAPPED_BYTES])
{
    DEFER(wipe_wrapping) struct wrapping w = {0};
    uint8_t head[NUMBER_BYTES + AEAD_NONCE_BYTES];
    put_number(ring->held[0].number, head);
    random_bytes(head + NUMBER_BYTES, AEAD_NONCE_BYTES);
    TRY(derive(ring, &ring->held[0], purpose, bound, head + NUMBER_BYTES, &w));
    DEFER(aead_freep) struct aead *a = aead_new(w.key, true);
    CHECK(a != NULL, MEMORY);
    const struct bound b = bind(head, bound);
    TRY(aead_seal(a, w.nonce, view_of(b.bytes, sizeof b.bytes), view_of(key, VAULT_KEY_BYTES),
                  ret_wrapped + sizeof head));
    memcpy(ret_wrapped, head, sizeof head);
    return OK;
}

static const struct generation *
find(const struct keyring *ring, const uint8_t *number)
{
    uint8_t held[NUMBER_BYTES];
    for (size_t i = 0; i < ring->count; i++) {
        put_number(ring->held[i].number, held);
        if (memcmp(held, number, NUMBER_BYTES) == 0) {
            return &ring->held[i];
        }
    }
    return NULL;
}

bool
keyring_holds(const struct keyring *ring, const uint8_t *wrapped)
{
    return find(ring, wrapped) != NULL;
}

bool
keyring_is_newest(const struct keyring *ring, const uint8_t *wrapped)
{
    return find(ring, wrapped) == &ring->held[0];
}

struct status
keyring_unwrap(const struct keyring *ring, const char *purpose, const uint8_t *bound,
               const uint8_t *wrapped, uint8_t ret_key[static VAULT_KEY_BYTES])
{
    DEFER(wipe_wrapping) struct wrapping w = {0};
    const size_t head = NUMBER_BYTES + AEAD_NONCE_BYTES;
    const struct generation *g = find(ring, wrapped);
    CHECK(g != NULL, INTEGRITY);
    TRY(derive(ring, g, purpose, bound, wrapped + NUMBER_BYTES, &w));
    DEFER(aead_freep) struct aead *a = aead_new(w.key, false);
    CHECK(a != NULL, MEMORY);
    const struct bound b = bind(wrapped, bound);
    return aead_open(a, w.nonce, view_of(b.bytes, sizeof b.bytes),
                     view_of(wrapped + head, VAULT_WRAPPED_BYTES - head), ret_key);
}

/* ---- writing the file ---- */

/* What an older generation's key is bound to when the newest wraps it. */
static void
bind_older(uint32_t number, struct digest *ret_bound)
{
    char text[64];
    (void)snprintf(text, sizeof text, "steward generation v2\n%u", (unsigned)number);
    digest_of(view_str(text), ret_bound);
}

static struct status
put_older(const struct keyring *ring, json_t *older)
{
    for (size_t i = 1; i < ring->count; i++) {
        const struct generation *g = &ring->held[i];
        uint8_t wrapped[VAULT_WRAPPED_BYTES];
        struct digest bound;
        bind_older(g->number, &bound);
        TRY(keyring_wrap(ring, OLDER_PURPOSE, bound.bytes, g->key.ptr, wrapped));
        json_t *row =
            json_pack("{s:I, s:o, s:o}", "generation", (json_int_t)g->number, "made",
                      js_time(g->made_ns), "wrapped", js_base64(view_of(wrapped, sizeof wrapped)));
        CHECK(row != NULL && json_array_append_new(older, row) == 0, MEMORY);
    }
    return OK;
}

static struct status
provider_state(const struct keyring *ring, const struct vault_provider *p, struct diag *diag,
               json_t **ret_state)
{
    DEFER(buf_done) struct buf state;
    buf_init(&state, STATE_MAX);
    DEFER(secret_done) struct secret again = {0};
    DEFER(js_freep) json_t *parsed = NULL;
    TRY(p->wrap(p->ctx, &ring->held[0].key, &state, diag));
    TRY(js_parse(buf_view(&state), NULL, diag, &parsed));
    TRY(p->unwrap(p->ctx, buf_view(&state), &again, diag));
    if (!view_equal_secret(secret_view(&again), secret_view(&ring->held[0].key))) {
        diag_set(diag,
                 "the key provider (%s) gave back another key than it was given; nothing was "
                 "changed",
                 p->name);
        FAIL(INTEGRITY);
    }
    *ret_state = MOVE(parsed);
    return OK;
}

/* The object without its check. */
static struct status
check_of(const struct keyring *ring, const json_t *o, uint8_t ret_check[static DIGEST_BYTES])
{
    uint8_t key[32];
    struct hmac_key mac;
    DEFER(buf_done) struct buf text;
    buf_init(&text, KEYRING_FILE_MAX);
    TRY(js_put(&text, o));
    TRY(hkdf(ring, &ring->held[0].key, (struct view){0}, "steward keys v2", key, sizeof key));
    hmac_key_of(view_of(key, sizeof key), &mac);
    hmac_of(&mac, buf_view(&text), (struct digest *)(void *)ret_check);
    secret_wipe(key, sizeof key);
    secret_wipe(&mac, sizeof mac);
    return OK;
}

static struct status
put_object(const struct keyring *ring, const struct vault_provider *p, struct diag *diag, json_t *o)
{
    const struct generation *newest = &ring->held[0];
    json_t *state = NULL;
    json_t *older = json_array();
    TRY(js_set(o, "format", json_string(FORMAT)));
    TRY(js_set(o, "generation", json_integer((json_int_t)newest->number)));
    TRY(js_set(o, "made", js_time(newest->made_ns)));
    TRY(js_set(o, "provider", json_string(p->name)));
    TRY(js_set(o, "older", older));
    if (*ring->revoked != '\0') {
        TRY(js_set(o, "revoked", js_sentence(ring->revoked)));
    }
    TRY(put_older(ring, older));
    TRY(provider_state(ring, p, diag, &state));
    TRY(js_set(o, "state", state));
    uint8_t check[DIGEST_BYTES];
    TRY(check_of(ring, o, check));
    return js_set(o, "check", js_base64(view_of(check, sizeof check)));
}

struct status
keyring_write(const struct keyring *ring, const char *path, const struct vault_provider *p,
              struct diag *diag)
{
    DEFER(js_freep) json_t *o = json_object();
    DEFER(buf_done) struct buf text;
    buf_init(&text, KEYRING_FILE_MAX);
    TRY(put_object(ring, p, diag, o));
    TRY(js_put(&text, o));
    buf_put_str(&text, "\n");
    TRY(buf_status(&text));
    return file_replace(path, buf_view(&text), 0600, diag);
}

/* ---- reading it ---- */

static struct status
read_generation(const json_t *o, struct diag *diag, struct generation *g)
{
    int64_t number = 0;
    const char *made = NULL;
    TRY(js_need_i64(o, "generation", diag, &number));
    TRY(js_need_string(o, "made", diag, &made));
    if (number < 1 || number > UINT32_MAX) {
        diag_set(diag, "generation %lld: not from 1 to %u", (long long)number, UINT32_MAX);
        FAIL(INTEGRITY);
    }
    g->number = (uint32_t)number;
    if (!status_ok(clock_from_rfc3339(view_str(made), &g->made_ns))) {
        diag_set(diag, "made \"%.40s\": not a time", made);
        FAIL(INTEGRITY);
    }
    return OK;
}

static struct status
read_older(const json_t *o, struct diag *diag, struct keyring *ring)
{
    json_t *older = NULL, *row;
    size_t i;
    TRY(js_need_array(o, "older", diag, &older));
    if (json_array_size(older) >= KEYRING_MOST) {
        diag_set(diag, "more than %u generations", KEYRING_MOST);
        FAIL(INTEGRITY);
    }
    json_array_foreach(older, i, row)
    {
        struct generation *g = &ring->held[ring->count];
        uint8_t wrapped[VAULT_WRAPPED_BYTES];
        struct digest bound;
        TRY(read_generation(row, diag, g));
        TRY(js_need_base64(row, "wrapped", sizeof wrapped, diag, wrapped));
        bind_older(g->number, &bound);
        TRY(secret_new(VAULT_KEY_BYTES, &g->key));
        ring->count++;
        TRY(keyring_unwrap(ring, OLDER_PURPOSE, bound.bytes, wrapped, g->key.ptr));
    }
    return OK;
}

/* The rest of the file is believed only when whoever wrote it had the key. */
static struct status
verify(json_t *o, struct diag *diag, const struct keyring *ring)
{
    uint8_t said[DIGEST_BYTES], right[DIGEST_BYTES];
    TRY(js_need_base64(o, "check", sizeof said, diag, said));
    (void)json_object_del(o, "check");
    TRY(check_of(ring, o, right));
    if (!view_equal_secret(view_of(said, sizeof said), view_of(right, sizeof right))) {
        diag_set(diag, "changed by somebody without the key; restore it from a backup");
        FAIL(INTEGRITY);
    }
    return OK;
}

static struct status
open_newest(const json_t *o, const struct vault_provider *p, struct diag *diag,
            struct keyring *ring, const char **ret_warning)
{
    DEFER(buf_done) struct buf text;
    json_t *state = NULL;
    struct generation *g = &ring->held[0];
    buf_init(&text, STATE_MAX);
    TRY(js_need_object(o, "state", diag, &state));
    TRY(js_put(&text, state));
    TRY(read_generation(o, diag, g));
    TRY(p->unwrap(p->ctx, buf_view(&text), &g->key, diag));
    ring->count = 1;
    if (g->key.len != VAULT_KEY_BYTES) {
        diag_set(diag, "the provider gave a key of another length");
        FAIL(INTEGRITY);
    }
    *ret_warning = p->warning == NULL ? NULL : p->warning(buf_view(&text));
    return OK;
}

static struct status
check_format(const json_t *o, const struct vault_provider *p, struct diag *diag,
             struct keyring *ring)
{
    const char *format = NULL, *provider = NULL;
    TRY(js_need_string(o, "format", diag, &format));
    TRY(js_need_string(o, "provider", diag, &provider));
    (void)snprintf(ring->provider, sizeof ring->provider, "%s", provider);
    if (strcmp(format, FORMAT) != 0 || strcmp(provider, p->name) != 0) {
        diag_set(diag,
                 "format \"%.40s\" with provider \"%.40s\"; this steward opens \"%s\" with \"%s\"",
                 format, provider, FORMAT, p->name);
        FAIL(UNSUPPORTED);
    }
    return OK;
}

static struct status
read_text(struct view text, const struct vault_provider *p, struct diag *diag,
          struct keyring *ret_ring, const char **ret_warning)
{
    DEFER(js_freep) json_t *o = NULL;
    DEFER(keyring_done) struct keyring ring = {0};
    TRY(js_parse(text, NULL, diag, &o));
    TRY(begin(&ring));
    TRY(check_format(o, p, diag, &ring));
    TRY(open_newest(o, p, diag, &ring, ret_warning));
    TRY(verify(o, diag, &ring));
    TRY(read_older(o, diag, &ring));
    const char *revoked = json_string_value(json_object_get(o, "revoked"));
    (void)snprintf(ring.revoked, sizeof ring.revoked, "%s", revoked == NULL ? "" : revoked);
    *ret_ring = ring;
    ring = (struct keyring){0};
    return OK;
}

/* What is wrong in our own file is damage, not the user's input. */
static struct status
as_damage(struct status s)
{
    return s.code == STATUS_INPUT || s.code == STATUS_LIMIT ? FAILURE(INTEGRITY) : s;
}

struct status
keyring_look(struct view text, const char *name, struct diag *diag, json_t **ret_file,
             const char **ret_provider, json_t **ret_state)
{
    DEFER(js_freep) json_t *o = NULL;
    struct status s = js_parse(text, NULL, diag, &o);
    if (status_ok(s)) {
        s = js_need_string(o, "provider", diag, ret_provider);
    }
    if (status_ok(s)) {
        s = js_need_object(o, "state", diag, ret_state);
    }
    if (!status_ok(s)) {
        diag_prefix(diag, "%s", name);
        return as_damage(s);
    }
    *ret_file = MOVE(o);
    return OK;
}

struct status
keyring_read(const char *path, const struct vault_provider *p, struct diag *diag,
             struct keyring *ret_ring, const char **ret_warning)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, KEYRING_FILE_MAX);
    TRY(as_damage(file_read(path, KEYRING_FILE_MAX, diag, &text)));
    const struct status s = as_damage(read_text(buf_view(&text), p, diag, ret_ring, ret_warning));
    if (!status_ok(s)) {
        diag_prefix(diag, "%s", path);
    }
    return s;
}
