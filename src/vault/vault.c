/* Record: version 2, a wrapped data key (64 bytes), ciphertext, tag 16. AES-256-GCM under the data
 * key, which seals this one text, so its nonce is zero; bound: the SHA-256 that the data key is
 * bound to, of "steward record v2", LF, context. docs/spec/vault.md. Re-wrapping touches the 64
 * bytes only. */
#include "vault/vault.h"

#include "base/digest.h"
#include "base/random.h"
#include "vault/aead.h"
#include "vault/backend.h"
#include "vault/rotation.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_VERSION 2u
#define RECORD_HEAD_BYTES (1u + VAULT_WRAPPED_BYTES)
#define RECORD_BOUND "steward record v2\n"

struct vault {
    const struct vault_backend *backend;
    void *ctx;
    uint8_t public_key[VAULT_PUBLIC_BYTES];
    const char *warning; /* the provider's, static */
};

struct status
vault_over(const struct vault_backend *b, void *ctx,
           const uint8_t public_key[static VAULT_PUBLIC_BYTES], const char *warning,
           struct vault **ret_vault)
{
    struct vault *v = calloc(1, sizeof *v);
    CHECK(v != NULL, MEMORY);
    v->backend = b;
    v->ctx = ctx;
    v->warning = warning;
    memcpy(v->public_key, public_key, VAULT_PUBLIC_BYTES);
    *ret_vault = v;
    return OK;
}

void *
vault_ctx(const struct vault *v, const struct vault_backend *b)
{
    return v->backend == b ? v->ctx : NULL;
}

struct status
vault_usable(const struct vault *v, struct diag *diag)
{
    return v->backend->usable == NULL ? OK : v->backend->usable(v->ctx, diag);
}

void
vault_free(struct vault *v)
{
    if (v != NULL) {
        v->backend->free(v->ctx);
        free(v);
    }
}

const char *
vault_warning(const struct vault *v)
{
    return v->warning;
}

void
vault_public_key(const struct vault *v, uint8_t ret_public[static VAULT_PUBLIC_BYTES])
{
    memcpy(ret_public, v->public_key, VAULT_PUBLIC_BYTES);
}

void
vault_name(const struct vault *v, char ret_name[static VAULT_NAME_MAX])
{
    vault_name_of(v->public_key, ret_name);
}

void
vault_name_of(const uint8_t public_key[static VAULT_PUBLIC_BYTES],
              char ret_name[static VAULT_NAME_MAX])
{
    struct digest d;
    DEFER(buf_done) struct buf hex;
    buf_init(&hex, 128);
    digest_of(view_of(public_key, VAULT_PUBLIC_BYTES), &d);
    digest_put_hex(&hex, &d);
    (void)snprintf(ret_name, VAULT_NAME_MAX, "steward/%.16s", buf_str(&hex));
}

/* ---- data keys ---- */

struct vault_purpose
vault_purpose(const char *prefix, const char *text)
{
    struct vault_purpose p = {0};
    (void)snprintf(p.text, sizeof p.text, "%s%s", prefix, text);
    return p;
}

static struct status
wrap(const struct vault *v, const char *purpose, const uint8_t *bound, const uint8_t *key,
     uint8_t *ret_wrapped)
{
    const struct vault_purpose p = vault_purpose("", purpose);
    return v->backend->wrap(v->ctx, p.text, bound, key, ret_wrapped);
}

static struct status
unwrap(const struct vault *v, const char *purpose, const uint8_t *bound, const uint8_t *wrapped,
       uint8_t *ret_key)
{
    const struct vault_purpose p = vault_purpose("", purpose);
    return v->backend->unwrap(v->ctx, p.text, bound, wrapped, ret_key);
}

struct status
vault_wrap(const struct vault *v, const char *purpose,
           const uint8_t bound[static VAULT_BOUND_BYTES], const uint8_t key[static VAULT_KEY_BYTES],
           uint8_t ret_wrapped[static VAULT_WRAPPED_BYTES])
{
    return wrap(v, purpose, bound, key, ret_wrapped);
}

struct status
vault_unwrap(const struct vault *v, const char *purpose,
             const uint8_t bound[static VAULT_BOUND_BYTES],
             const uint8_t wrapped[static VAULT_WRAPPED_BYTES], struct secret *ret_key)
{
    DEFER(secret_done) struct secret key = {0};
    TRY(secret_new(VAULT_KEY_BYTES, &key));
    TRY(unwrap(v, purpose, bound, wrapped, key.ptr));
    *ret_key = key;
    key = (struct secret){0};
    return OK;
}

uint32_t
vault_generation_of(const uint8_t wrapped[static VAULT_WRAPPED_BYTES])
{
    struct reader r = reader_of(view_of(wrapped, VAULT_WRAPPED_BYTES));
    return reader_u32le(&r);
}

void
vault_key_id(const uint8_t key[static VAULT_KEY_BYTES], char ret_id[static VAULT_KEY_ID_MAX])
{
    static const char prefix[] = "steward key id v1\n";
    uint8_t text[sizeof prefix - 1 + VAULT_KEY_BYTES];
    DEFER(buf_done) struct buf hex;
    struct digest d;
    memcpy(text, prefix, sizeof prefix - 1);
    memcpy(text + sizeof prefix - 1, key, VAULT_KEY_BYTES);
    digest_of(view_of(text, sizeof text), &d);
    secret_wipe(text, sizeof text);
    buf_init(&hex, 128);
    digest_put_hex(&hex, &d);
    (void)snprintf(ret_id, VAULT_KEY_ID_MAX, "%.16s", buf_str(&hex));
}

/* ---- records ---- */

struct record_key {
    struct digest bound;
    uint8_t key[AEAD_KEY_BYTES];
};

static const uint8_t no_nonce[AEAD_NONCE_BYTES]; /* a data key seals one record */

static void
wipe_record_key(struct record_key *k)
{
    secret_wipe(k->key, sizeof k->key);
}

static struct status
bind(struct view context, struct digest *ret_bound)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, 1u << 20);
    buf_put_str(&text, RECORD_BOUND);
    buf_put(&text, context);
    TRY(buf_status(&text));
    digest_of(buf_view(&text), ret_bound);
    return OK;
}

struct status
vault_seal_record(const struct vault *v, const char *purpose, struct view context,
                  struct view plain, struct buf *ret_sealed)
{
    DEFER(wipe_record_key) struct record_key k = {0};
    const size_t n = RECORD_HEAD_BYTES + plain.len + AEAD_TAG_BYTES;
    CHECK(plain.len <= INT_MAX, LIMIT);
    TRY(bind(context, &k.bound));
    uint8_t *at = buf_reserve(ret_sealed, n);
    TRY(buf_status(ret_sealed));
    random_bytes(k.key, sizeof k.key);
    at[0] = RECORD_VERSION;
    TRY(wrap(v, purpose, k.bound.bytes, k.key, at + 1));
    DEFER(aead_freep) struct aead *a = aead_new(k.key, true);
    CHECK(a != NULL, MEMORY);
    TRY(aead_seal(a, no_nonce, view_of(k.bound.bytes, DIGEST_BYTES), plain,
                  at + RECORD_HEAD_BYTES));
    (void)buf_extend(ret_sealed, n);
    return OK;
}

struct status
vault_open_record(const struct vault *v, const char *purpose, struct view context,
                  struct view sealed, struct buf *ret_plain)
{
    DEFER(wipe_record_key) struct record_key k = {0};
    CHECK(sealed.len >= RECORD_HEAD_BYTES + AEAD_TAG_BYTES && sealed.ptr[0] == RECORD_VERSION,
          INTEGRITY);
    const struct view body =
        view_of(sealed.ptr + RECORD_HEAD_BYTES, sealed.len - RECORD_HEAD_BYTES);
    TRY(bind(context, &k.bound));
    uint8_t *at = buf_reserve(ret_plain, body.len - AEAD_TAG_BYTES);
    TRY(buf_status(ret_plain));
    TRY(unwrap(v, purpose, k.bound.bytes, sealed.ptr + 1, k.key));
    DEFER(aead_freep) struct aead *a = aead_new(k.key, false);
    CHECK(a != NULL, MEMORY);
    TRY(aead_open(a, no_nonce, view_of(k.bound.bytes, DIGEST_BYTES), body, at));
    (void)buf_extend(ret_plain, body.len - AEAD_TAG_BYTES);
    return OK;
}

/* ---- another generation ---- */

struct status
vault_rewrap(const struct vault *v, const char *purpose,
             const uint8_t bound[static VAULT_BOUND_BYTES],
             uint8_t wrapped[static VAULT_WRAPPED_BYTES], bool *ret_changed)
{
    DEFER(secret_done) struct secret key = {0};
    TRY(vault_unwrap(v, purpose, bound, wrapped, &key));
    if (!vault_is_older(v, wrapped)) {
        *ret_changed = false;
        return OK;
    }
    TRY(wrap(v, purpose, bound, key.ptr, wrapped));
    *ret_changed = true;
    return OK;
}

struct status
vault_rewrap_record(const struct vault *v, const char *purpose, struct view context,
                    uint8_t *sealed, size_t len, bool *ret_changed)
{
    struct digest bound;
    CHECK(len >= RECORD_HEAD_BYTES + AEAD_TAG_BYTES && sealed[0] == RECORD_VERSION, INTEGRITY);
    TRY(bind(context, &bound));
    return vault_rewrap(v, purpose, bound.bytes, sealed + 1, ret_changed);
}

/* ---- keyed hashes and signatures ---- */

struct status
vault_mac(const struct vault *v, const char *purpose, struct view message,
          uint8_t ret_mac[static 32])
{
    const struct vault_purpose p = vault_purpose("", purpose);
    CHECK(message.len <= VAULT_MAC_MESSAGE_MAX, LIMIT);
    return v->backend->mac(v->ctx, p.text, message, ret_mac);
}

struct status
vault_sign(const struct vault *v, enum vault_signing kind, struct view message,
           uint8_t ret_signature[static VAULT_SIGNATURE_BYTES])
{
    CHECK(message.len <= VAULT_SIGN_MESSAGE_MAX, LIMIT);
    return v->backend->sign(v->ctx, kind, message, ret_signature);
}

static void
free_digest(EVP_MD_CTX **ctx)
{
    EVP_MD_CTX_free(*ctx);
}

static void
free_key(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

struct status
vault_verify(const uint8_t public_key[static VAULT_PUBLIC_BYTES], struct view message,
             const uint8_t signature[static VAULT_SIGNATURE_BYTES])
{
    DEFER(free_key)
    EVP_PKEY *key =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, VAULT_PUBLIC_BYTES);
    DEFER(free_digest) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    CHECK(ctx != NULL, MEMORY);
    CHECK(key != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1, INTEGRITY);
    CHECK(EVP_DigestVerify(ctx, signature, VAULT_SIGNATURE_BYTES, message.ptr, message.len) == 1,
          INTEGRITY);
    return OK;
}
