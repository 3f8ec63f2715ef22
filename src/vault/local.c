/* The backend with the keys in this process. Files: keys/workspace.json (keyring.c);
 * keys/signing.sealed, a record (vault.c) of the Ed25519 private key, and keys/signing.pub, its
 * public key in base64; keys/mac.sealed, a record of the 32 random bytes that keyed hashes come
 * from: HMAC-SHA256 under HKDF-Expand(them, "steward mac v2 " + purpose). They outlive a rotation
 * of the workspace key, which nothing else could: what they made cannot be made again.
 * Crash: workspace.json is written last; without it there is no workspace. */
#include "vault/backend.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/random.h"
#include "base/text.h"
#include "vault/keyring.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_FILE "workspace.json"
#define SEALED_MAX 4096u
#define ROOT_BYTES 32u

struct local {
    struct keyring ring;
    struct secret mac_root; /* struct hmac_key */
    EVP_PKEY *signing;
    uint8_t public_key[VAULT_PUBLIC_BYTES];
};

static void
local_free(void *ctx)
{
    struct local *l = ctx;
    if (l != NULL) {
        keyring_done(&l->ring);
        secret_done(&l->mac_root);
        EVP_PKEY_free(l->signing);
        free(l);
    }
}

DEFINE_FREEP(local_free, struct local)

/* ---- the table ---- */

static struct status
local_wrap(void *ctx, const char *purpose, const uint8_t bound[static VAULT_BOUND_BYTES],
           const uint8_t key[static VAULT_KEY_BYTES],
           uint8_t ret_wrapped[static VAULT_WRAPPED_BYTES])
{
    const struct local *l = ctx;
    return keyring_wrap(&l->ring, purpose, bound, key, ret_wrapped);
}

static struct status
local_unwrap(void *ctx, const char *purpose, const uint8_t bound[static VAULT_BOUND_BYTES],
             const uint8_t wrapped[static VAULT_WRAPPED_BYTES],
             uint8_t ret_key[static VAULT_KEY_BYTES])
{
    const struct local *l = ctx;
    return keyring_unwrap(&l->ring, purpose, bound, wrapped, ret_key);
}

struct mac_keys {
    struct digest purpose;
    struct hmac_key key;
};

static void
wipe_mac_keys(struct mac_keys *k)
{
    secret_wipe(k, sizeof *k);
}

static struct status
local_mac(void *ctx, const char *purpose, struct view message, uint8_t ret_mac[static 32])
{
    const struct local *l = ctx;
    DEFER(wipe_mac_keys) struct mac_keys k = {0};
    char info[VAULT_PURPOSE_MAX + 32];
    /* One block of HKDF-Expand: its counter stands behind the info. */
    const int n = snprintf(info, sizeof info, "steward mac v2 %s\x01", purpose);
    hmac_of((const struct hmac_key *)(const void *)l->mac_root.ptr, view_of(info, (size_t)n),
            &k.purpose);
    hmac_key_of(view_of(k.purpose.bytes, DIGEST_BYTES), &k.key);
    hmac_of(&k.key, message, (struct digest *)(void *)ret_mac);
    return OK;
}

static void
free_digest(EVP_MD_CTX **ctx)
{
    EVP_MD_CTX_free(*ctx);
}

static struct status
local_sign(void *ctx, enum vault_signing kind, struct view message,
           uint8_t ret_signature[static VAULT_SIGNATURE_BYTES])
{
    (void)kind; /* this process may sign anything */
    const struct local *l = ctx;
    DEFER(free_digest) EVP_MD_CTX *md = EVP_MD_CTX_new();
    size_t n = VAULT_SIGNATURE_BYTES;
    CHECK(md != NULL, MEMORY);
    CHECK(EVP_DigestSignInit(md, NULL, NULL, NULL, l->signing) == 1, UNSUPPORTED);
    CHECK(EVP_DigestSign(md, ret_signature, &n, message.ptr, message.len) == 1 &&
              n == VAULT_SIGNATURE_BYTES,
          MEMORY);
    return OK;
}

static const struct vault_backend backend = {.wrap = local_wrap,
                                             .unwrap = local_unwrap,
                                             .mac = local_mac,
                                             .sign = local_sign,
                                             .free = local_free};

/* ---- the two keys that are sealed as records ---- */

static struct status
take_signing_key(struct local *l, struct view private_key)
{
    size_t n = VAULT_PUBLIC_BYTES;
    CHECK(private_key.len == ROOT_BYTES, INTEGRITY);
    l->signing =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, private_key.ptr, private_key.len);
    CHECK(l->signing != NULL, MEMORY);
    CHECK(EVP_PKEY_get_raw_public_key(l->signing, l->public_key, &n) == 1 &&
              n == VAULT_PUBLIC_BYTES,
          MEMORY);
    return OK;
}

static struct status
take_mac_root(struct local *l, struct view root)
{
    CHECK(root.len == ROOT_BYTES, INTEGRITY);
    TRY(secret_new(sizeof(struct hmac_key), &l->mac_root));
    hmac_key_of(root, (struct hmac_key *)(void *)l->mac_root.ptr);
    return OK;
}

static const struct root {
    const char *purpose, *file, *context, *about;
    struct status (*take)(struct local *l, struct view bytes);
} roots[] = {
    {"mac", "mac.sealed", "keys/mac.sealed", "key of keyed hashes", take_mac_root},
    {"signing", "signing.sealed", "keys/signing.sealed", "signing key", take_signing_key},
};

#define ROOTS (sizeof roots / sizeof *roots)

static struct status
make_root(const struct root *r, const struct vault *v, const char *dir, struct diag *diag,
          struct local *l)
{
    DEFER(secret_done) struct secret bytes = {0};
    DEFER(buf_done) struct buf sealed;
    DEFER(file_freep) char *path = file_join(dir, r->file);
    buf_init(&sealed, SEALED_MAX);
    TRY(secret_new(ROOT_BYTES, &bytes));
    random_bytes(bytes.ptr, bytes.len);
    TRY(r->take(l, secret_view(&bytes)));
    TRY(vault_seal_record(v, r->purpose, view_str(r->context), secret_view(&bytes), &sealed));
    return file_replace(path, buf_view(&sealed), 0600, diag);
}

/* What is wrong in our own file is damage, not the user's input. */
static struct status
as_damage(struct status s)
{
    return s.code == STATUS_INPUT || s.code == STATUS_LIMIT ? FAILURE(INTEGRITY) : s;
}

static struct status
read_root(const struct root *r, const struct vault *v, const char *dir, struct diag *diag,
          struct local *l)
{
    DEFER(file_freep) char *path = file_join(dir, r->file);
    DEFER(buf_done) struct buf sealed;
    DEFER(buf_wipe) struct buf bytes;
    buf_init(&sealed, SEALED_MAX);
    buf_init(&bytes, ROOT_BYTES);
    TRY(as_damage(file_read(path, SEALED_MAX, diag, &sealed)));
    const struct status s =
        vault_open_record(v, r->purpose, view_str(r->context), buf_view(&sealed), &bytes);
    if (!status_ok(s)) {
        diag_set(diag, "%s: not the %s that this workspace sealed", path, r->about);
        return as_damage(s);
    }
    return r->take(l, buf_view(&bytes));
}

/* ---- the public key ---- */

static void
put_public_key(const struct local *l, struct buf *ret_text)
{
    buf_init(ret_text, 256);
    text_put_base64(ret_text, view_of(l->public_key, VAULT_PUBLIC_BYTES));
    buf_put_str(ret_text, "\n");
}

static struct status
write_public_key(const struct local *l, const char *dir, struct diag *diag)
{
    DEFER(buf_done) struct buf text = {0};
    DEFER(file_freep) char *path = file_join(dir, "signing.pub");
    put_public_key(l, &text);
    TRY(buf_status(&text));
    return file_replace(path, buf_view(&text), 0644, diag);
}

/* It lies open for others to check signatures with: a false one must not stay there. */
static struct status
check_public_key(const struct local *l, const char *dir, struct diag *diag)
{
    DEFER(file_freep) char *path = file_join(dir, "signing.pub");
    DEFER(buf_done) struct buf found;
    DEFER(buf_done) struct buf right = {0};
    buf_init(&found, SEALED_MAX);
    put_public_key(l, &right);
    TRY(buf_status(&right));
    TRY(as_damage(file_read(path, SEALED_MAX, diag, &found)));
    if (!view_equal(buf_view(&found), buf_view(&right))) {
        diag_set(diag, "%s: not this workspace's public key, which is %.44s", path,
                 buf_str(&right));
        FAIL(INTEGRITY);
    }
    return OK;
}

/* ---- making and opening ---- */

typedef struct status (*root_step)(const struct root *r, const struct vault *v, const char *dir,
                                   struct diag *diag, struct local *l);

static void
keep(void *ctx)
{
    (void)ctx;
}

/* The roots are records under the ring: a vault over the half-made backend seals and opens them. */
static struct status
each_root(struct local *l, const char *dir, root_step step, struct diag *diag)
{
    static const struct vault_backend borrowing = {
        .wrap = local_wrap, .unwrap = local_unwrap, .free = keep};
    DEFER(vault_freep) struct vault *v = NULL;
    struct status s = vault_over(&borrowing, l, l->public_key, NULL, &v);
    for (size_t i = 0; i < ROOTS && status_ok(s); i++) {
        s = step(&roots[i], v, dir, diag, l);
    }
    return s;
}

struct status
vault_create(const char *dir, const struct vault_provider *p, struct diag *diag,
             struct vault **ret_vault)
{
    DEFER(local_freep) struct local *l = calloc(1, sizeof *l);
    DEFER(file_freep) char *path = file_join(dir, KEY_FILE);
    CHECK(l != NULL, MEMORY);
    if (file_exists(path)) {
        diag_set(diag, "%s: exists already; a new key would make all that it sealed unreadable",
                 path);
        FAIL(EXISTS);
    }
    TRY(keyring_make(&l->ring));
    TRY(each_root(l, dir, make_root, diag));
    TRY(write_public_key(l, dir, diag));
    TRY(keyring_write(&l->ring, path, p, diag));
    TRY(vault_over(&backend, l, l->public_key, NULL, ret_vault));
    l = NULL;
    return OK;
}

struct status
vault_open(const char *dir, const struct vault_provider *p, struct diag *diag,
           struct vault **ret_vault)
{
    DEFER(local_freep) struct local *l = calloc(1, sizeof *l);
    DEFER(file_freep) char *path = file_join(dir, KEY_FILE);
    const char *warning = NULL;
    CHECK(l != NULL, MEMORY);
    TRY(keyring_read(path, p, diag, &l->ring, &warning));
    TRY(each_root(l, dir, read_root, diag));
    TRY(check_public_key(l, dir, diag));
    TRY(vault_over(&backend, l, l->public_key, warning, ret_vault));
    l = NULL;
    return OK;
}
