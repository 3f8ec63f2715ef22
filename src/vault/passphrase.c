/* passphrase: the provider that derives the wrapping key with scrypt (RFC 7914).
 * State, a JSON object: kdf, log2n, r, p, salt (base64, 16 bytes), sealed (base64: nonce 12, key
 * 32, tag 16; AES-256-GCM under the derived key, bound to the parameters and the salt). */
#include "vault/vault.h"

#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "vault/aead.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SALT_BYTES 16u
#define LOG2N_DEFAULT 17
#define LOG2N_LEAST 10
#define LOG2N_MOST 20 /* 1 GiB: what a file may make us allocate */
#define BLOCK_R 8
#define SEALED_BYTES (AEAD_NONCE_BYTES + VAULT_KEY_BYTES + AEAD_TAG_BYTES)
#define STATE_MAX 4096u

static int
chosen_log2n(void)
{
    const char *text = getenv("STEWARD_SCRYPT_LOG2N");
    uint64_t n = 0;
    if (text == NULL || !status_ok(text_to_u64(view_str(text), &n))) {
        return LOG2N_DEFAULT;
    }
    return n < LOG2N_LEAST ? LOG2N_LEAST : n > LOG2N_DEFAULT ? LOG2N_DEFAULT : (int)n;
}

static struct status
derive(const struct secret *passphrase, int log2n, struct view salt, struct secret *ret_key)
{
    struct secret key = {0};
    TRY(secret_new(AEAD_KEY_BYTES, &key));
    const uint64_t n = UINT64_C(1) << log2n;
    if (EVP_PBE_scrypt((const char *)passphrase->ptr, passphrase->len, salt.ptr, salt.len, n,
                       BLOCK_R, 1, n * BLOCK_R * 128 + (64u << 20), key.ptr, key.len) != 1) {
        secret_done(&key);
        FAIL(MEMORY);
    }
    *ret_key = key;
    return OK;
}

static void
put_bound(struct buf *b, int log2n, struct view salt)
{
    buf_printf(b, "steward passphrase v1 scrypt %d %d 1 ", log2n, BLOCK_R);
    buf_put(b, salt);
}

static struct status
put_state(int log2n, struct view salt, struct view sealed, struct buf *ret_state)
{
    buf_printf(ret_state, "{\"kdf\":\"scrypt\",\"log2n\":%d,\"r\":%d,\"p\":1,\"salt\":\"", log2n,
               BLOCK_R);
    text_put_base64(ret_state, salt);
    buf_put_str(ret_state, "\",\"sealed\":\"");
    text_put_base64(ret_state, sealed);
    buf_put_str(ret_state, "\"}");
    return buf_status(ret_state);
}

static struct status
passphrase_wrap(const void *ctx, const struct secret *key, struct buf *ret_state, struct diag *diag)
{
    (void)diag;
    ASSERT(key->len == VAULT_KEY_BYTES);
    uint8_t salt[SALT_BYTES], sealed[SEALED_BYTES];
    const int log2n = chosen_log2n();
    random_bytes(salt, sizeof salt);
    random_bytes(sealed, AEAD_NONCE_BYTES);
    DEFER(secret_done) struct secret wrapping = {0};
    TRY(derive(ctx, log2n, view_of(salt, sizeof salt), &wrapping));
    DEFER(buf_done) struct buf bound;
    buf_init(&bound, 256);
    put_bound(&bound, log2n, view_of(salt, sizeof salt));
    DEFER(aead_freep) struct aead *a = aead_new(wrapping.ptr, true);
    CHECK(a != NULL, MEMORY);
    TRY(aead_seal(a, sealed, buf_view(&bound), secret_view(key), sealed + AEAD_NONCE_BYTES));
    return put_state(log2n, view_of(salt, sizeof salt), view_of(sealed, sizeof sealed), ret_state);
}

struct state {
    int log2n;
    struct buf salt, sealed;
};

static void
state_done(struct state *s)
{
    buf_done(&s->salt);
    buf_done(&s->sealed);
}

static struct status
read_state(struct view text, struct diag *diag, struct state *s)
{
    DEFER(js_freep) json_t *o = NULL;
    const char *kdf = NULL, *salt = NULL, *sealed = NULL;
    int64_t log2n = 0, r = 0, p = 0;
    TRY(js_parse(text, "passphrase provider", diag, &o));
    TRY(js_need_string(o, "kdf", diag, &kdf));
    TRY(js_need_i64(o, "log2n", diag, &log2n));
    TRY(js_need_i64(o, "r", diag, &r));
    TRY(js_need_i64(o, "p", diag, &p));
    TRY(js_need_string(o, "salt", diag, &salt));
    TRY(js_need_string(o, "sealed", diag, &sealed));
    if (strcmp(kdf, "scrypt") != 0 || log2n < LOG2N_LEAST || log2n > LOG2N_MOST || r != BLOCK_R ||
        p != 1) {
        diag_set(diag, "keys/workspace.json: scrypt parameters that this version does not take");
        FAIL(INTEGRITY);
    }
    s->log2n = (int)log2n;
    TRY(text_from_base64(view_str(salt), &s->salt));
    TRY(text_from_base64(view_str(sealed), &s->sealed));
    CHECK(s->salt.len == SALT_BYTES && s->sealed.len == SEALED_BYTES, INTEGRITY);
    return OK;
}

static struct status
passphrase_unwrap(const void *ctx, struct view text, struct secret *ret_key, struct diag *diag)
{
    DEFER(state_done) struct state s = {0};
    buf_init(&s.salt, STATE_MAX);
    buf_init(&s.sealed, STATE_MAX);
    TRY(read_state(text, diag, &s));
    DEFER(secret_done) struct secret wrapping = {0};
    DEFER(secret_done) struct secret key = {0};
    TRY(derive(ctx, s.log2n, buf_view(&s.salt), &wrapping));
    TRY(secret_new(VAULT_KEY_BYTES, &key));
    DEFER(buf_done) struct buf bound;
    buf_init(&bound, 256);
    put_bound(&bound, s.log2n, buf_view(&s.salt));
    DEFER(aead_freep) struct aead *a = aead_new(wrapping.ptr, false);
    CHECK(a != NULL, MEMORY);
    const struct view sealed =
        view_of(s.sealed.ptr + AEAD_NONCE_BYTES, SEALED_BYTES - AEAD_NONCE_BYTES);
    if (!status_ok(aead_open(a, s.sealed.ptr, buf_view(&bound), sealed, key.ptr))) {
        diag_set(diag, "wrong passphrase (or keys/workspace.json was changed)");
        FAIL(AUTH);
    }
    *ret_key = key;
    key = (struct secret){0};
    return OK;
}

struct vault_provider
vault_passphrase_provider(const struct secret *passphrase)
{
    return (struct vault_provider){"passphrase", passphrase_wrap, passphrase_unwrap, passphrase};
}
