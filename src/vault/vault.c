/* Files: keys/workspace.json {"format","provider","state"}; keys/signing.sealed, a record (below)
 * of the Ed25519 private key; keys/signing.pub, its public key in base64. Record: version 1, 24
 * random bytes, ciphertext, tag 16. AES-256-GCM; key and nonce are HKDF-SHA256(workspace key, salt
 * = the random bytes, info = "steward record v1 " + purpose), so that no number of records wears a
 * nonce out. Bound: the context. docs/spec/vault.md. Crash: workspace.json is written last; without
 * it there is no workspace. */
#include "vault/vault.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "vault/aead.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_VERSION 1u
#define RECORD_SALT_BYTES 24u
#define RECORD_HEAD_BYTES (1u + RECORD_SALT_BYTES)
#define FORMAT "steward-keys-1"
#define KEY_FILE "workspace.json"
#define KEY_FILE_MAX 65536u
#define SIGNING_PURPOSE "signing"
#define SIGNING_CONTEXT "keys/signing.sealed"

struct vault {
    struct secret key;
    EVP_PKEY *signing;
    uint8_t public_key[VAULT_PUBLIC_BYTES];
    const char *warning; /* the provider's, static */
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

struct record_keys {
    uint8_t key[AEAD_KEY_BYTES];
    uint8_t nonce[AEAD_NONCE_BYTES];
};

static void
wipe_record_keys(struct record_keys *k)
{
    secret_wipe(k, sizeof *k);
}

static struct status
derive_record_keys(const struct vault *v, const char *purpose, struct view salt,
                   struct record_keys *ret_keys)
{
    DEFER(buf_done) struct buf info;
    buf_init(&info, 256);
    buf_printf(&info, "steward record v1 %s", purpose);
    TRY(buf_status(&info));
    return hkdf(&v->key, salt, buf_view(&info), (uint8_t *)ret_keys, sizeof *ret_keys);
}

/* ---- records ---- */

struct status
vault_seal_record(const struct vault *v, const char *purpose, struct view context,
                  struct view plain, struct buf *ret_sealed)
{
    DEFER(wipe_record_keys) struct record_keys keys = {0};
    uint8_t salt[RECORD_SALT_BYTES];
    CHECK(plain.len <= INT_MAX, LIMIT);
    const size_t n = RECORD_HEAD_BYTES + plain.len + AEAD_TAG_BYTES;
    random_bytes(salt, sizeof salt);
    TRY(derive_record_keys(v, purpose, view_of(salt, sizeof salt), &keys));
    DEFER(aead_freep) struct aead *a = aead_new(keys.key, true);
    CHECK(a != NULL, MEMORY);
    uint8_t *at = buf_reserve(ret_sealed, n);
    TRY(buf_status(ret_sealed));
    at[0] = RECORD_VERSION;
    memcpy(at + 1, salt, sizeof salt);
    TRY(aead_seal(a, keys.nonce, context, plain, at + RECORD_HEAD_BYTES));
    (void)buf_extend(ret_sealed, n);
    return OK;
}

struct status
vault_open_record(const struct vault *v, const char *purpose, struct view context,
                  struct view sealed, struct buf *ret_plain)
{
    DEFER(wipe_record_keys) struct record_keys keys = {0};
    CHECK(sealed.len >= RECORD_HEAD_BYTES + AEAD_TAG_BYTES && sealed.ptr[0] == RECORD_VERSION,
          INTEGRITY);
    const struct view body =
        view_of(sealed.ptr + RECORD_HEAD_BYTES, sealed.len - RECORD_HEAD_BYTES);
    TRY(derive_record_keys(v, purpose, view_of(sealed.ptr + 1, RECORD_SALT_BYTES), &keys));
    DEFER(aead_freep) struct aead *a = aead_new(keys.key, false);
    CHECK(a != NULL, MEMORY);
    uint8_t *at = buf_reserve(ret_plain, body.len - AEAD_TAG_BYTES);
    TRY(buf_status(ret_plain));
    TRY(aead_open(a, keys.nonce, context, body, at));
    (void)buf_extend(ret_plain, body.len - AEAD_TAG_BYTES);
    return OK;
}

struct status
vault_mac_key(const struct vault *v, const char *purpose, struct secret *ret_key)
{
    uint8_t key[32];
    DEFER(buf_done) struct buf info;
    buf_init(&info, 256);
    buf_printf(&info, "steward mac v1 %s", purpose);
    TRY(buf_status(&info));
    TRY(hkdf(&v->key, (struct view){0}, buf_view(&info), key, sizeof key));
    struct secret made = {0};
    const struct status s = secret_new(sizeof(struct hmac_key), &made);
    if (status_ok(s)) {
        hmac_key_of(view_of(key, sizeof key), (struct hmac_key *)(void *)made.ptr);
        *ret_key = made;
    }
    secret_wipe(key, sizeof key);
    return s;
}

void
vault_mac(const struct secret *key, struct view message, uint8_t ret_mac[static 32])
{
    ASSERT(key->len == sizeof(struct hmac_key));
    hmac_of((const struct hmac_key *)(const void *)key->ptr, message,
            (struct digest *)(void *)ret_mac);
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

static void
put_public_key(const struct vault *v, struct buf *ret_text)
{
    text_put_base64(ret_text, view_of(v->public_key, VAULT_PUBLIC_BYTES));
    buf_put_str(ret_text, "\n");
}

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
    put_public_key(v, &text);
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
    DEFER(file_freep) char *path = file_join(dir, KEY_FILE);
    return file_replace(path, buf_view(&text), 0600, diag);
}

struct status
vault_create(const char *dir, const struct vault_provider *p, struct diag *diag,
             struct vault **ret_vault)
{
    DEFER(vault_freep) struct vault *v = calloc(1, sizeof *v);
    DEFER(secret_done) struct secret private_key = {0};
    DEFER(file_freep) char *path = file_join(dir, KEY_FILE);
    CHECK(v != NULL, MEMORY);
    if (file_exists(path)) {
        diag_set(diag, "%s: exists already; a new key would make all that it sealed unreadable",
                 path);
        FAIL(EXISTS);
    }
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

/* What is wrong in our own file is damage, not the user's input. */
static struct status
as_damage(struct status s)
{
    return s.code == STATUS_INPUT || s.code == STATUS_LIMIT ? FAILURE(INTEGRITY) : s;
}

static struct status
parse_workspace_key(struct view text, const struct vault_provider *p, struct diag *diag,
                    json_t **ret_object, json_t **ret_state)
{
    DEFER(js_freep) json_t *o = NULL;
    const char *format = NULL, *provider = NULL;
    TRY(js_parse(text, NULL, diag, &o));
    TRY(js_need_string(o, "format", diag, &format));
    TRY(js_need_string(o, "provider", diag, &provider));
    TRY(js_need_object(o, "state", diag, ret_state));
    if (strcmp(format, FORMAT) != 0 || strcmp(provider, p->name) != 0) {
        diag_set(diag,
                 "format \"%.40s\" with provider \"%.40s\"; this steward opens \"%s\" with \"%s\"",
                 format, provider, FORMAT, p->name);
        FAIL(UNSUPPORTED);
    }
    *ret_object = MOVE(o);
    return OK;
}

static struct status
unwrap_workspace_key(struct view text, const struct vault_provider *p, struct diag *diag,
                     struct vault *v)
{
    DEFER(js_freep) json_t *o = NULL;
    DEFER(buf_done) struct buf state;
    json_t *state_json = NULL;
    buf_init(&state, KEY_FILE_MAX);
    TRY(parse_workspace_key(text, p, diag, &o, &state_json));
    TRY(js_put(&state, state_json));
    TRY(p->unwrap(p->ctx, buf_view(&state), &v->key, diag));
    CHECK(v->key.len == VAULT_KEY_BYTES, INTEGRITY);
    v->warning = p->warning == NULL ? NULL : p->warning(buf_view(&state));
    return OK;
}

static struct status
read_workspace_key(const char *dir, const struct vault_provider *p, struct diag *diag,
                   struct vault *v)
{
    DEFER(file_freep) char *path = file_join(dir, KEY_FILE);
    DEFER(buf_done) struct buf text;
    buf_init(&text, KEY_FILE_MAX);
    TRY(as_damage(file_read(path, KEY_FILE_MAX, diag, &text)));
    const struct status s = as_damage(unwrap_workspace_key(buf_view(&text), p, diag, v));
    if (!status_ok(s)) {
        diag_prefix(diag, "%s", path);
    }
    return s;
}

static struct status
read_signing_key(const char *dir, struct diag *diag, struct vault *v)
{
    DEFER(file_freep) char *path = file_join(dir, "signing.sealed");
    DEFER(buf_done) struct buf sealed;
    DEFER(buf_wipe) struct buf private_key;
    buf_init(&sealed, KEY_FILE_MAX);
    buf_init(&private_key, 256);
    TRY(as_damage(file_read(path, KEY_FILE_MAX, diag, &sealed)));
    const struct status s = vault_open_record(v, SIGNING_PURPOSE, view_str(SIGNING_CONTEXT),
                                              buf_view(&sealed), &private_key);
    if (!status_ok(s)) {
        diag_set(diag, "%s: not the signing key that this workspace sealed", path);
        return as_damage(s);
    }
    return take_signing_key(v, buf_view(&private_key));
}

/* The public key lies open for others to check signatures with: a false one must not stay there. */
static struct status
check_public_key(const char *dir, struct diag *diag, const struct vault *v)
{
    DEFER(file_freep) char *path = file_join(dir, "signing.pub");
    DEFER(buf_done) struct buf found;
    DEFER(buf_done) struct buf right;
    buf_init(&found, KEY_FILE_MAX);
    buf_init(&right, 256);
    put_public_key(v, &right);
    TRY(buf_status(&right));
    TRY(as_damage(file_read(path, KEY_FILE_MAX, diag, &found)));
    if (!view_equal(buf_view(&found), buf_view(&right))) {
        diag_set(diag, "%s: not this workspace's public key, which is %.44s", path,
                 buf_str(&right));
        FAIL(INTEGRITY);
    }
    return OK;
}

struct status
vault_open(const char *dir, const struct vault_provider *p, struct diag *diag,
           struct vault **ret_vault)
{
    DEFER(vault_freep) struct vault *v = calloc(1, sizeof *v);
    CHECK(v != NULL, MEMORY);
    TRY(read_workspace_key(dir, p, diag, v));
    TRY(read_signing_key(dir, diag, v));
    TRY(check_public_key(dir, diag, v));
    *ret_vault = MOVE(v);
    return OK;
}

const char *
vault_warning(const struct vault *v)
{
    return v->warning;
}
