/* Files: keys/workspace.json {"format","provider","state"}; keys/signing.sealed, a record (below)
 * of the Ed25519 private key; keys/signing.pub, its public key in base64. Record: version 1, 24
 * random bytes, ciphertext, tag 16. AES-256-GCM; key and nonce are HKDF-SHA256(workspace key, salt
 * = the random bytes, info = "steward record v1 " + purpose), so that no number of records wears a
 * nonce out. Bound: the context. docs/spec/vault.md. Crash: workspace.json is written last; without
 * it there is no workspace. */
#include "vault/vault.h"

#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "vault/aead.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_VERSION 1u
#define RECORD_SALT_BYTES 24u
#define RECORD_HEAD_BYTES (1u + RECORD_SALT_BYTES)
#define FORMAT "steward-keys-1"
#define KEY_FILE_MAX 65536u
#define SIGNING_PURPOSE "signing"
#define SIGNING_CONTEXT "keys/signing.sealed"

struct vault {
    struct secret key;
    EVP_PKEY *signing;
    uint8_t public_key[VAULT_PUBLIC_BYTES];
};

void
vault_free(struct vault *v)
{
    if (v != NULL) {
        secret_done(&v->key);
        EVP_PKEY_free(v->signing);
        free(v);
    }
}

/* ---- derived keys ---- */

static void
free_kdf(EVP_KDF_CTX **ctx)
{
    EVP_KDF_CTX_free(*ctx);
}

static struct status
hkdf(const struct secret *key, struct view salt, struct view info, uint8_t *ret_bytes, size_t n)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    DEFER(free_kdf) EVP_KDF_CTX *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
    EVP_KDF_free(kdf);
    CHECK(ctx != NULL, MEMORY);
    char digest[] = "SHA256";
    OSSL_PARAM params[5];
    size_t k = 0;
    params[k++] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
    params[k++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key->ptr, key->len);
    params[k++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO,
                                                    (void *)(uintptr_t)info.ptr, info.len);
    if (salt.len > 0) {
        params[k++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT,
                                                        (void *)(uintptr_t)salt.ptr, salt.len);
    }
    params[k] = OSSL_PARAM_construct_end();
    CHECK(EVP_KDF_derive(ctx, ret_bytes, n, params) == 1, UNSUPPORTED);
    return OK;
}

#define RECORD_KEYS (AEAD_KEY_BYTES + AEAD_NONCE_BYTES)

static struct status
record_keys(const struct vault *v, const char *purpose, struct view salt,
            uint8_t ret_keys[static RECORD_KEYS])
{
    DEFER(buf_done) struct buf info;
    buf_init(&info, 256);
    buf_printf(&info, "steward record v1 %s", purpose);
    TRY(buf_status(&info));
    return hkdf(&v->key, salt, buf_view(&info), ret_keys, RECORD_KEYS);
}

/* ---- records ---- */

struct status
vault_seal_record(const struct vault *v, const char *purpose, struct view context,
                  struct view plain, struct buf *ret_sealed)
{
    uint8_t salt[RECORD_SALT_BYTES], keys[RECORD_KEYS];
    random_bytes(salt, sizeof salt);
    TRY(record_keys(v, purpose, view_of(salt, sizeof salt), keys));
    DEFER(aead_freep) struct aead *a = aead_new(keys, true);
    CHECK(a != NULL, MEMORY);
    buf_put_u8(ret_sealed, RECORD_VERSION);
    buf_put(ret_sealed, view_of(salt, sizeof salt));
    uint8_t *at = buf_extend(ret_sealed, plain.len + AEAD_TAG_BYTES);
    const struct status s = at == NULL ? buf_status(ret_sealed)
                                       : aead_seal(a, keys + AEAD_KEY_BYTES, context, plain, at);
    secret_wipe(keys, sizeof keys);
    return s;
}

struct status
vault_open_record(const struct vault *v, const char *purpose, struct view context,
                  struct view sealed, struct buf *ret_plain)
{
    uint8_t keys[RECORD_KEYS];
    CHECK(sealed.len >= RECORD_HEAD_BYTES + AEAD_TAG_BYTES && sealed.ptr[0] == RECORD_VERSION,
          INTEGRITY);
    const struct view body =
        view_of(sealed.ptr + RECORD_HEAD_BYTES, sealed.len - RECORD_HEAD_BYTES);
    TRY(record_keys(v, purpose, view_of(sealed.ptr + 1, RECORD_SALT_BYTES), keys));
    DEFER(aead_freep) struct aead *a = aead_new(keys, false);
    CHECK(a != NULL, MEMORY);
    uint8_t *at = buf_reserve(ret_plain, body.len - AEAD_TAG_BYTES);
    const struct status s =
        at == NULL ? buf_status(ret_plain) : aead_open(a, keys + AEAD_KEY_BYTES, context, body, at);
    secret_wipe(keys, sizeof keys);
    TRY(s);
    (void)buf_extend(ret_plain, body.len - AEAD_TAG_BYTES);
    return OK;
}

void
vault_mac(const struct vault *v, const char *purpose, struct view message,
          uint8_t ret_mac[static 32])
{
    uint8_t key[32];
    unsigned n = 0;
    DEFER(buf_done) struct buf info;
    buf_init(&info, 256);
    buf_printf(&info, "steward mac v1 %s", purpose);
    ASSERT(status_ok(hkdf(&v->key, (struct view){0}, buf_view(&info), key, sizeof key)));
    ASSERT(HMAC(EVP_sha256(), key, sizeof key, message.ptr, message.len, ret_mac, &n) != NULL &&
           n == 32);
    secret_wipe(key, sizeof key);
}

/* ---- signing ---- */

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
vault_sign(const struct vault *v, struct view message,
           uint8_t ret_signature[static VAULT_SIGNATURE_BYTES])
{
    DEFER(free_digest) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n = VAULT_SIGNATURE_BYTES;
    CHECK(ctx != NULL, MEMORY);
    CHECK(EVP_DigestSignInit(ctx, NULL, NULL, NULL, v->signing) == 1, UNSUPPORTED);
    CHECK(EVP_DigestSign(ctx, ret_signature, &n, message.ptr, message.len) == 1 &&
              n == VAULT_SIGNATURE_BYTES,
          MEMORY);
    return OK;
}

void
vault_public_key(const struct vault *v, uint8_t ret_public[static VAULT_PUBLIC_BYTES])
{
    memcpy(ret_public, v->public_key, VAULT_PUBLIC_BYTES);
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

static struct status
take_signing_key(struct vault *v, struct view private_key)
{
    size_t n = VAULT_PUBLIC_BYTES;
    CHECK(private_key.len == 32, INTEGRITY);
    v->signing =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, private_key.ptr, private_key.len);
    CHECK(v->signing != NULL, MEMORY);
    CHECK(EVP_PKEY_get_raw_public_key(v->signing, v->public_key, &n) == 1 &&
              n == VAULT_PUBLIC_BYTES,
          MEMORY);
    return OK;
}

/* ---- making and opening ---- */

static struct status
write_signing_key(const struct vault *v, const char *dir, struct view private_key,
                  struct diag *diag)
{
    DEFER(buf_done) struct buf sealed;
    DEFER(buf_done) struct buf text;
    buf_init(&sealed, KEY_FILE_MAX);
    buf_init(&text, 256);
    DEFER(file_freep) char *sealed_path = file_join(dir, "signing.sealed");
    DEFER(file_freep) char *public_path = file_join(dir, "signing.pub");
    TRY(vault_seal_record(v, SIGNING_PURPOSE, view_str(SIGNING_CONTEXT), private_key, &sealed));
    TRY(file_replace(sealed_path, buf_view(&sealed), 0600, diag));
    text_put_base64(&text, view_of(v->public_key, VAULT_PUBLIC_BYTES));
    buf_put_str(&text, "\n");
    TRY(buf_status(&text));
    return file_replace(public_path, buf_view(&text), 0644, diag);
}

static struct status
write_workspace_key(const struct vault *v, const struct vault_provider *p, const char *dir,
                    struct diag *diag)
{
    DEFER(buf_done) struct buf state;
    DEFER(buf_done) struct buf text;
    buf_init(&state, KEY_FILE_MAX / 2);
    buf_init(&text, KEY_FILE_MAX);
    TRY(p->wrap(p->ctx, &v->key, &state, diag));
    buf_printf(&text, "{\"format\":\"%s\",\"provider\":\"%s\",\"state\":%s}\n", FORMAT, p->name,
               buf_str(&state));
    TRY(buf_status(&text));
    DEFER(file_freep) char *path = file_join(dir, "workspace.json");
    return file_replace(path, buf_view(&text), 0600, diag);
}

struct status
vault_create(const char *dir, const struct vault_provider *p, struct diag *diag,
             struct vault **ret_vault)
{
    DEFER(vault_freep) struct vault *v = calloc(1, sizeof *v);
    DEFER(secret_done) struct secret private_key = {0};
    CHECK(v != NULL, MEMORY);
    TRY(secret_new(VAULT_KEY_BYTES, &v->key));
    TRY(secret_new(32, &private_key));
    random_bytes(v->key.ptr, v->key.len);
    random_bytes(private_key.ptr, private_key.len);
    TRY(take_signing_key(v, secret_view(&private_key)));
    TRY(write_signing_key(v, dir, secret_view(&private_key), diag));
    TRY(write_workspace_key(v, p, dir, diag));
    *ret_vault = MOVE(v);
    return OK;
}

static struct status
read_workspace_key(const char *dir, const struct vault_provider *p, struct diag *diag,
                   struct secret *ret_key)
{
    DEFER(file_freep) char *path = file_join(dir, "workspace.json");
    DEFER(buf_done) struct buf text;
    DEFER(buf_done) struct buf state;
    DEFER(js_freep) json_t *o = NULL;
    json_t *state_json = NULL;
    const char *format = NULL, *provider = NULL;
    buf_init(&text, KEY_FILE_MAX);
    buf_init(&state, KEY_FILE_MAX);
    TRY(file_read(path, KEY_FILE_MAX, diag, &text));
    TRY(js_parse(buf_view(&text), path, diag, &o));
    TRY(js_need_string(o, "format", diag, &format));
    TRY(js_need_string(o, "provider", diag, &provider));
    TRY(js_need_object(o, "state", diag, &state_json));
    if (strcmp(format, FORMAT) != 0 || strcmp(provider, p->name) != 0) {
        diag_set(diag, "%s: format \"%s\" with provider \"%s\"; this opens \"%s\" with \"%s\"",
                 path, format, provider, FORMAT, p->name);
        FAIL(UNSUPPORTED);
    }
    TRY(js_put(&state, state_json));
    return p->unwrap(p->ctx, buf_view(&state), ret_key, diag);
}

struct status
vault_open(const char *dir, const struct vault_provider *p, struct diag *diag,
           struct vault **ret_vault)
{
    DEFER(vault_freep) struct vault *v = calloc(1, sizeof *v);
    DEFER(buf_done) struct buf sealed;
    DEFER(buf_wipe) struct buf private_key;
    DEFER(file_freep) char *path = file_join(dir, "signing.sealed");
    buf_init(&sealed, KEY_FILE_MAX);
    buf_init(&private_key, 256);
    CHECK(v != NULL, MEMORY);
    TRY(read_workspace_key(dir, p, diag, &v->key));
    TRY(file_read(path, KEY_FILE_MAX, diag, &sealed));
    const struct status s = vault_open_record(v, SIGNING_PURPOSE, view_str(SIGNING_CONTEXT),
                                              buf_view(&sealed), &private_key);
    if (!status_ok(s)) {
        diag_set(diag, "%s: not the signing key that this workspace sealed", path);
        return s;
    }
    TRY(take_signing_key(v, buf_view(&private_key)));
    *ret_vault = MOVE(v);
    return OK;
}
