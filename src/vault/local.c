/* The backend with the keys in this process. Files: keys/workspace.json (keyring.c);
 * keys/signing.sealed, a record (vault.c) of the Ed25519 private key, and keys/signing.pub, its
 * public key in base64; keys/mac.sealed, a record of the 32 random bytes that keyed hashes come
 * from: HMAC-SHA256 under HKDF-Expand(them, "steward mac v2 " + purpose). They outlive a rotation
 * of the workspace key, which nothing else could: what they made cannot be made again.
 * Crash: workspace.json is written last; without it there is no workspace. */
#include "vault/backend.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/random.h"
#include "base/text.h"
#include "vault/keyring.h"
#include "vault/rotation.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define KEY_FILE "workspace.json"
#define SEALED_MAX 4096u
#define ROOT_BYTES 32u

/* Which file was read. */
struct stamp {
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct local {
    pthread_rwlock_t lock; /* ring, stamp, withdrawn, trouble */
    bool lock_made;
    struct keyring ring;
    struct stamp stamp;
    char withdrawn[KEYRING_REASON_MAX + 128]; /* why; "": usable */
    char trouble[KEYRING_REASON_MAX]; /* why the provider did not answer when it was last asked */
    char *dir, *path;                 /* keys/, keys/workspace.json */
    struct vault_provider provider;   /* vault_hold's; name NULL: none */
    bool even_revoked;
    int64_t patience_ns;      /* set before any thread */
    _Atomic int64_t asked_ns; /* since when the provider does not answer; 0: it has */
    struct secret mac_root;   /* struct hmac_key */
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
        if (l->lock_made) {
            (void)pthread_rwlock_destroy(&l->lock);
        }
        free(l->dir);
        free(l->path);
        free(l);
    }
}

DEFINE_FREEP(local_free, struct local)

static void
unlock(pthread_rwlock_t **lock)
{
    (void)pthread_rwlock_unlock(*lock);
}

#define READING(L)                                                                                 \
    DEFER(unlock) pthread_rwlock_t *locked_ = &(L)->lock;                                          \
    (void)pthread_rwlock_rdlock(locked_)
#define WRITING(L)                                                                                 \
    DEFER(unlock) pthread_rwlock_t *locked_ = &(L)->lock;                                          \
    (void)pthread_rwlock_wrlock(locked_)

/* ---- following what other processes do to the file ---- */

static struct stamp
stamp_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (struct stamp){st.st_ino, st.st_size, st.st_ctim}
                                : (struct stamp){0};
}

static bool
same_stamp(const struct stamp *a, const struct stamp *b)
{
    return a->inode == b->inode && a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
           a->changed.tv_nsec == b->changed.tv_nsec;
}

static bool
has_changed(struct local *l)
{
    const struct stamp now = stamp_of(l->path);
    READING(l);
    return l->provider.name != NULL && !same_stamp(&now, &l->stamp);
}

static bool
is_overdue(const struct local *l)
{
    const int64_t asked = l->asked_ns;
    return asked != 0 && clock_mono_ns() - asked >= l->patience_ns;
}

static struct status
withdrawn(const struct local *l, struct diag *diag)
{
    if (*l->withdrawn != '\0') {
        diag_set(diag, "%s", l->withdrawn);
        FAIL(DENIED);
    }
    /* Also while somebody is still waiting for its answer. */
    if (is_overdue(l)) {
        diag_set(diag, "the key is not to be had: %s",
                 *l->trouble == '\0' ? "its holder does not answer" : l->trouble);
        FAIL(DENIED);
    }
    return OK;
}

/* Takes the ring over. */
static void
take_ring(struct local *l, struct keyring *ring, const struct stamp *stamp)
{
    WRITING(l);
    keyring_done(&l->ring);
    l->ring = *ring;
    l->stamp = *stamp;
    *ring = (struct keyring){0};
    (void)snprintf(l->withdrawn, sizeof l->withdrawn, "%s%s",
                   *l->ring.revoked == '\0' || l->even_revoked ? "" : "the key was revoked: ",
                   l->even_revoked ? "" : l->ring.revoked);
}

static struct status
read_again(struct local *l, struct diag *diag)
{
    DEFER(keyring_done) struct keyring ring = {0};
    const struct stamp stamp = stamp_of(l->path); /* before: a change meanwhile is read again */
    const char *warning = NULL;
    TRY(keyring_read(l->path, &l->provider, diag, &ring, &warning));
    take_ring(l, &ring, &stamp);
    return OK;
}

/* What is wrapped now must be under the newest generation that there is: a rotation that has gone
 * over everything forgets the older ones. */
static struct status
follow(struct local *l)
{
    return has_changed(l) ? read_again(l, NULL) : OK;
}

/* ---- the table ---- */

static struct status
local_wrap(void *ctx, const char *purpose, const uint8_t bound[static VAULT_BOUND_BYTES],
           const uint8_t key[static VAULT_KEY_BYTES],
           uint8_t ret_wrapped[static VAULT_WRAPPED_BYTES])
{
    struct local *l = ctx;
    TRY(follow(l));
    READING(l);
    TRY(withdrawn(l, NULL));
    return keyring_wrap(&l->ring, purpose, bound, key, ret_wrapped);
}

static struct status
local_unwrap(void *ctx, const char *purpose, const uint8_t bound[static VAULT_BOUND_BYTES],
             const uint8_t wrapped[static VAULT_WRAPPED_BYTES],
             uint8_t ret_key[static VAULT_KEY_BYTES])
{
    struct local *l = ctx;
    {
        READING(l);
        TRY(withdrawn(l, NULL));
        const struct status s = keyring_unwrap(&l->ring, purpose, bound, wrapped, ret_key);
        if (s.code != STATUS_INTEGRITY || keyring_holds(&l->ring, wrapped)) {
            return s;
        }
    }
    /* Of a generation that is not held: another process may have rotated the key. */
    CHECK(has_changed(l) && status_ok(read_again(l, NULL)), INTEGRITY);
    READING(l);
    TRY(withdrawn(l, NULL));
    return keyring_unwrap(&l->ring, purpose, bound, wrapped, ret_key);
}

static struct status
local_usable(void *ctx, struct diag *diag)
{
    struct local *l = ctx;
    READING(l);
    return withdrawn(l, diag);
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
                                             .usable = local_usable,
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

static struct status
local_new(const char *dir, struct local **ret_local)
{
    struct local *l = calloc(1, sizeof *l);
    CHECK(l != NULL, MEMORY);
    l->dir = strdup(dir);
    l->path = file_join(dir, KEY_FILE);
    l->lock_made = pthread_rwlock_init(&l->lock, NULL) == 0;
    l->patience_ns = INT64_MAX;
    if (l->dir == NULL || !l->lock_made) {
        local_free(l);
        FAIL(MEMORY);
    }
    *ret_local = l;
    return OK;
}

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
    DEFER(local_freep) struct local *l = NULL;
    TRY(local_new(dir, &l));
    if (file_exists(l->path)) {
        diag_set(diag, "%s: exists already; a new key would make all that it sealed unreadable",
                 l->path);
        FAIL(EXISTS);
    }
    TRY(keyring_make(&l->ring));
    TRY(each_root(l, dir, make_root, diag));
    TRY(write_public_key(l, dir, diag));
    TRY(keyring_write(&l->ring, l->path, p, diag));
    l->stamp = stamp_of(l->path);
    TRY(vault_over(&backend, l, l->public_key, NULL, ret_vault));
    l = NULL;
    return OK;
}

static struct status
open_local(const char *dir, const struct vault_provider *p, bool even_revoked, struct diag *diag,
           struct vault **ret_vault)
{
    DEFER(local_freep) struct local *l = NULL;
    const char *warning = NULL;
    TRY(local_new(dir, &l));
    l->stamp = stamp_of(l->path);
    l->even_revoked = even_revoked;
    TRY(keyring_read(l->path, p, diag, &l->ring, &warning));
    if (*l->ring.revoked != '\0' && !even_revoked) {
        diag_set(diag, "%s: the key was revoked: %s (\"steward key restore\" gives it back)",
                 l->path, l->ring.revoked);
        FAIL(DENIED);
    }
    TRY(each_root(l, dir, read_root, diag));
    TRY(check_public_key(l, dir, diag));
    TRY(vault_over(&backend, l, l->public_key, warning, ret_vault));
    l = NULL;
    return OK;
}

struct status
vault_open(const char *dir, const struct vault_provider *p, struct diag *diag,
           struct vault **ret_vault)
{
    return open_local(dir, p, false, diag, ret_vault);
}

struct status
vault_open_revoked(const char *dir, const struct vault_provider *p, struct diag *diag,
                   struct vault **ret_vault)
{
    return open_local(dir, p, true, diag, ret_vault);
}

void
vault_hold(struct vault *v, const struct vault_provider *p)
{
    struct local *l = vault_ctx(v, &backend);
    ASSERT(l != NULL);
    l->provider = *p;
}

void
vault_set_patience(struct vault *v, int64_t unreachable_ns)
{
    struct local *l = vault_ctx(v, &backend);
    ASSERT(l != NULL);
    l->patience_ns = unreachable_ns;
}

/* ---- rotation ---- */

static struct local *
local_of(const struct vault *v)
{
    struct local *l = vault_ctx(v, &backend);
    return l != NULL && l->provider.name != NULL ? l : NULL;
}

bool
vault_is_older(const struct vault *v, const uint8_t wrapped[static VAULT_WRAPPED_BYTES])
{
    struct local *l = vault_ctx(v, &backend);
    ASSERT(l != NULL);
    READING(l);
    return !keyring_is_newest(&l->ring, wrapped);
}

size_t
vault_generations(const struct vault *v, struct vault_generation ret_all[static VAULT_GENERATIONS])
{
    struct local *l = vault_ctx(v, &backend);
    ASSERT(l != NULL);
    READING(l);
    for (size_t i = 0; i < l->ring.count; i++) {
        ret_all[i] = (struct vault_generation){l->ring.held[i].number, l->ring.held[i].made_ns};
    }
    return l->ring.count;
}

struct status
vault_revoked(const struct vault *v, struct buf *ret_reason)
{
    struct local *l = vault_ctx(v, &backend);
    ASSERT(l != NULL);
    READING(l);
    buf_put_str(ret_reason, l->ring.revoked);
    return buf_status(ret_reason);
}

/* What is done to the ring is on disk before it is in this process. */
static struct status
change_ring(struct local *l, const struct vault_provider *p,
            struct status (*change)(struct keyring *ring, void *ctx), void *ctx, struct diag *diag)
{
    DEFER(keyring_done) struct keyring ring = {0};
    const char *warning = NULL;
    TRY(keyring_read(l->path, &l->provider, diag, &ring, &warning));
    TRY(change(&ring, ctx));
    TRY(keyring_write(&ring, l->path, p, diag));
    const struct stamp stamp = stamp_of(l->path);
    take_ring(l, &ring, &stamp);
    return OK;
}

static struct status
advance(struct keyring *ring, void *ctx)
{
    (void)ctx;
    return keyring_advance(ring);
}

struct status
vault_advance(struct vault *v, struct diag *diag)
{
    struct local *l = local_of(v);
    CHECK(l != NULL, UNSUPPORTED);
    return change_ring(l, &l->provider, advance, NULL, diag);
}

static struct status
forget(struct keyring *ring, void *ctx)
{
    (void)ctx;
    keyring_forget_older(ring);
    return OK;
}

struct status
vault_forget_older(struct vault *v, struct diag *diag)
{
    struct local *l = local_of(v);
    CHECK(l != NULL, UNSUPPORTED);
    return change_ring(l, &l->provider, forget, NULL, diag);
}

static struct status
as_it_is(struct keyring *ring, void *ctx)
{
    (void)ring, (void)ctx;
    return OK;
}

struct status
vault_set_provider(struct vault *v, const struct vault_provider *p, struct diag *diag)
{
    struct local *l = local_of(v);
    CHECK(l != NULL, UNSUPPORTED);
    TRY(change_ring(l, p, as_it_is, NULL, diag));
    l->provider = *p;
    return OK;
}

static struct status
set_reason(struct keyring *ring, void *ctx)
{
    (void)snprintf(ring->revoked, sizeof ring->revoked, "%s", (const char *)ctx);
    return OK;
}

struct status
vault_set_revoked(struct vault *v, const char *reason, struct diag *diag)
{
    struct local *l = local_of(v);
    CHECK(l != NULL, UNSUPPORTED);
    return change_ring(l, &l->provider, set_reason, (void *)(uintptr_t)reason, diag);
}

static struct status
rewrap_root(const struct root *r, const struct vault *v, const char *dir, struct diag *diag,
            struct local *l)
{
    (void)l;
    DEFER(file_freep) char *path = file_join(dir, r->file);
    return vault_rewrap_file(v, path, r->purpose, r->context, diag);
}

struct status
vault_rewrap_roots(struct vault *v, struct diag *diag)
{
    struct local *l = local_of(v);
    CHECK(l != NULL, UNSUPPORTED);
    for (size_t i = 0; i < ROOTS; i++) {
        TRY(rewrap_root(&roots[i], v, l->dir, diag, l));
    }
    return OK;
}

struct status
vault_rewrap_file(const struct vault *v, const char *path, const char *purpose, const char *context,
                  struct diag *diag)
{
    DEFER(buf_done) struct buf sealed;
    bool changed = false;
    buf_init(&sealed, VAULT_FILE_MAX);
    TRY(file_read(path, VAULT_FILE_MAX, diag, &sealed));
    const struct status s =
        vault_rewrap_record(v, purpose, view_str(context), sealed.ptr, sealed.len, &changed);
    if (!status_ok(s)) {
        diag_set(diag, "%s: not what this workspace sealed", path);
        return s;
    }
    return changed ? file_replace(path, buf_view(&sealed), 0600, diag) : OK;
}

/* ---- is it still there? ---- */

static bool
is_final(struct status s)
{
    return s.code == STATUS_AUTH || s.code == STATUS_DENIED || s.code == STATUS_NOT_FOUND ||
           s.code == STATUS_INTEGRITY || s.code == STATUS_UNSUPPORTED;
}

/* What is told to callers names no path of this machine. */
static const char *
without_path(const struct local *l, const char *reason)
{
    const size_t n = strlen(l->path);
    const bool named = strncmp(reason, l->path, n) == 0 && strncmp(reason + n, ": ", 2) == 0;
    return named ? reason + n + 2 : reason;
}

static void
set_withdrawn(struct local *l, const char *reason, const struct stamp *stamp)
{
    WRITING(l);
    l->stamp = *stamp;
    (void)snprintf(l->withdrawn, sizeof l->withdrawn, "the key is not to be had: %.*s",
                   (int)KEYRING_REASON_MAX, without_path(l, reason));
}

/* "": it answers. */
static void
set_trouble(struct local *l, const char *reason)
{
    WRITING(l);
    (void)snprintf(l->trouble, sizeof l->trouble, "%s", without_path(l, reason));
    l->asked_ns = *reason == '\0' ? 0 : l->asked_ns;
}

struct status
vault_check(struct vault *v, struct diag *diag)
{
    struct local *l = local_of(v);
    CHECK(l != NULL, UNSUPPORTED);
    struct diag why = {0};
    const bool ask = !l->provider.alone || has_changed(l);
    const struct stamp stamp = stamp_of(l->path);
    l->asked_ns = l->asked_ns == 0 ? clock_mono_ns() : l->asked_ns;
    const struct status s = ask ? read_again(l, &why) : OK;
    if (!status_ok(s)) {
        diag_set(diag, "%s", why.text);
        if (is_final(s)) {
            set_withdrawn(l, why.text, &stamp);
        }
        set_trouble(l, is_final(s) ? "" : *why.text == '\0' ? status_word(s.code) : why.text);
        return s;
    }
    set_trouble(l, "");
    return local_usable(l, diag);
}
