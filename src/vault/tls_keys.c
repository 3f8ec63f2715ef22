#include "vault/tls_keys.h"

#include "base/file.h"
#include "base/secret.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define KEPT 2u /* the slot's number says the place: slot % KEPT */

struct tls_keys {
    pthread_mutex_t lock;
    uint32_t newest; /* 0: none */
    struct tls_key *keys[KEPT];
};

struct tls_keys *
tls_keys_new(void)
{
    struct tls_keys *t = calloc(1, sizeof *t);
    if (t != NULL && pthread_mutex_init(&t->lock, NULL) != 0) {
        free(t);
        t = NULL;
    }
    return t;
}

void
tls_keys_free(struct tls_keys *t)
{
    if (t != NULL) {
        for (size_t i = 0; i < KEPT; i++) {
            tls_key_free(t->keys[i]);
        }
        (void)pthread_mutex_destroy(&t->lock);
        free(t);
    }
}

static struct status
read_key(const struct vault *v, const char *dir, struct diag *diag, struct tls_key **ret_key)
{
    DEFER(file_freep) char *path = file_join(dir, TLS_KEY_CONTEXT);
    DEFER(buf_done) struct buf sealed;
    DEFER(buf_wipe) struct buf pem;
    buf_init(&sealed, TLS_KEY_FILE_MAX);
    buf_init(&pem, TLS_KEY_FILE_MAX);
    TRY(file_read(path, TLS_KEY_FILE_MAX, diag, &sealed));
    const struct status opened =
        vault_open_record(v, TLS_KEY_PURPOSE, view_str(TLS_KEY_CONTEXT), buf_view(&sealed), &pem);
    if (!status_ok(opened)) {
        diag_set(diag, "%s: not the key that this workspace sealed", path);
        return opened;
    }
    const struct status made = tls_key_new(buf_view(&pem), diag, ret_key);
    if (!status_ok(made)) {
        diag_prefix(diag, "%s", path);
    }
    return made;
}

/* The key's slot: the newest one's when it is that key, else a new one. Takes k. */
static uint32_t
place(struct tls_keys *t, struct tls_key *k)
{
    const struct tls_key *newest = t->keys[t->newest % KEPT];
    struct digest old = {0}, name;
    tls_key_name(k, &name);
    if (newest != NULL) {
        tls_key_name(newest, &old);
    }
    if (newest == NULL || memcmp(&old, &name, sizeof name) != 0) {
        t->newest++;
    }
    struct tls_key **at = &t->keys[t->newest % KEPT];
    tls_key_free(*at);
    *at = k;
    return t->newest;
}

struct status
tls_keys_load(struct tls_keys *t, const struct vault *v, const char *dir, struct diag *diag,
              struct tls_key_info *ret_info)
{
    struct tls_key *k = NULL;
    TRY(read_key(v, dir, diag, &k));
    struct tls_key_info info = {.kind = tls_key_kind(k), .bits = tls_key_bits(k)};
    tls_key_name(k, &info.name);
    (void)pthread_mutex_lock(&t->lock);
    info.slot = place(t, k);
    (void)pthread_mutex_unlock(&t->lock);
    *ret_info = info;
    return OK;
}

/* Slots are compared as they were given: a number from far away finds nothing. */
static struct status
sign_locked(struct tls_keys *t, uint32_t slot, unsigned scheme, struct view digest,
            uint8_t *ret_signature, size_t *ret_len)
{
    const struct tls_key *k = t->keys[slot % KEPT];
    CHECK(slot != 0 && slot <= t->newest && t->newest - slot < KEPT && k != NULL, NOT_FOUND);
    return tls_key_sign(k, scheme, digest, ret_signature, ret_len);
}

struct status
tls_keys_sign(struct tls_keys *t, uint32_t slot, unsigned scheme, struct view digest,
              uint8_t ret_signature[static TLS_SIGNATURE_MAX], size_t *ret_len)
{
    (void)pthread_mutex_lock(&t->lock);
    const struct status s = sign_locked(t, slot, scheme, digest, ret_signature, ret_len);
    (void)pthread_mutex_unlock(&t->lock);
    return s;
}

static struct status
sign(void *ctx, uint32_t slot, unsigned scheme, struct view digest,
     uint8_t ret_signature[static TLS_SIGNATURE_MAX], size_t *ret_len)
{
    return tls_keys_sign(ctx, slot, scheme, digest, ret_signature, ret_len);
}

struct tls_signer
tls_keys_signer(struct tls_keys *t, const struct tls_key_info *key)
{
    return (struct tls_signer){.sign = sign, .ctx = t, .key = *key};
}
