/* passphrase: the provider that derives the wrapping key with scrypt (RFC 7914).
 * State, a JSON object: kdf, log2n, r, p, salt (base64, 16 bytes), sealed (base64: nonce 12, key
 * 32, tag 16; AES-256-GCM under the derived key, bound to the parameters and the salt). */
#include "vault/vault.h"

#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "vault/aead.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define SALT_BYTES 16u
#define LOG2N_DEFAULT 17
#define LOG2N_TESTS 10 /* the least that opens; made with STEWARD_INSECURE_TEST_KEYS=1 only */
#define LOG2N_MOST 20  /* 1 GiB: what a file may make us allocate */
#define BLOCK_R 8
#define SEALED_BYTES (AEAD_NONCE_BYTES + VAULT_KEY_BYTES + AEAD_TAG_BYTES)

static struct status
chosen_log2n(struct diag *diag, int *ret_log2n)
{
    const char *text = getenv("STEWARD_SCRYPT_LOG2N");
    const char *tests = getenv("STEWARD_INSECURE_TEST_KEYS");
    const bool insecure = tests != NULL && strcmp(tests, "1") == 0;
    uint64_t n = LOG2N_DEFAULT;
    if (text != NULL &&
        (!status_ok(text_to_u64(view_str(text), &n)) || n > LOG2N_MOST || n < LOG2N_TESTS)) {
        diag_set(diag, "STEWARD_SCRYPT_LOG2N=%.20s: scrypt's cost is a number from %d to %d", text,
                 LOG2N_DEFAULT, LOG2N_MOST);
        FAIL(INPUT);
    }
    if (n < LOG2N_DEFAULT && !insecure) {
        diag_set(diag,
                 "STEWARD_SCRYPT_LOG2N=%d: too cheap to guess against; unset it or take %d to %d "
                 "(for tests without real data, STEWARD_INSECURE_TEST_KEYS=1 allows it)",
                 (int)n, LOG2N_DEFAULT, LOG2N_MOST);
        FAIL(INPUT);
    }
    *ret_log2n = (int)n;
    return OK;
}

static struct status
check_new_passphrase(const struct secret *passphrase, struct diag *diag)
{
    if (passphrase->len < VAULT_PASSPHRASE_LEAST) {
        diag_set(diag,
                 "the passphrase is %zu bytes long; take at least %d, better six random words",
                 passphrase->len, VAULT_PASSPHRASE_LEAST);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
derive(const struct secret *passphrase, int log2n, struct view salt, struct diag *diag,
       struct secret *ret_key)
{
    struct secret key = {0};
    TRY(secret_new(AEAD_KEY_BYTES, &key));
    const uint64_t n = UINT64_C(1) << log2n;
    if (EVP_PBE_scrypt((const char *)passphrase->ptr, passphrase->len, salt.ptr, salt.len, n,
                       BLOCK_R, 1, n * BLOCK_R * 128 + (64u << 20), key.ptr, key.len) != 1) {
        secret_done(&key);
        diag_set(diag, "scrypt with log2n %d needs %llu MiB of memory, which are not there", log2n,
                 (unsigned long long)(n * BLOCK_R * 128 >> 20));
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
    ASSERT(key->len == VAULT_KEY_BYTES);
    uint8_t salt[SALT_BYTES], sealed[SEALED_BYTES];
    int log2n = 0;
    TRY(check_new_passphrase(ctx, diag));
    TRY(chosen_log2n(diag, &log2n));
    random_bytes(salt, sizeof salt);
    random_bytes(sealed, AEAD_NONCE_BYTES);
    DEFER(secret_done) struct secret wrapping = {0};
    TRY(derive(ctx, log2n, view_of(salt, sizeof salt), diag, &wrapping));
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
    uint8_t salt[SALT_BYTES], sealed[SEALED_BYTES];
};

static struct status
check_costs(const char *kdf, int64_t log2n, int64_t r, int64_t p, struct diag *diag)
{
    if (strcmp(kdf, "scrypt") != 0 || log2n < LOG2N_TESTS || log2n > LOG2N_MOST || r != BLOCK_R ||
        p != 1) {
        diag_set(diag,
                 "kdf \"%.20s\" with log2n %lld, r %lld, p %lld; this steward takes scrypt with "
                 "log2n %d to %d, r %d, p 1",
                 kdf, (long long)log2n, (long long)r, (long long)p, LOG2N_TESTS, LOG2N_MOST,
                 BLOCK_R);
        FAIL(INTEGRITY);
    }
    return OK;
}

static struct status
read_state(struct view text, struct diag *diag, struct state *s)
{
    DEFER(js_freep) json_t *o = NULL;
    const char *kdf = NULL;
    int64_t log2n = 0, r = 0, p = 0;
    TRY(js_parse(text, NULL, diag, &o));
    TRY(js_need_string(o, "kdf", diag, &kdf));
    TRY(js_need_i64(o, "log2n", diag, &log2n));
    TRY(js_need_i64(o, "r", diag, &r));
    TRY(js_need_i64(o, "p", diag, &p));
    TRY(check_costs(kdf, log2n, r, p, diag));
    s->log2n = (int)log2n;
    TRY(js_need_base64(o, "salt", SALT_BYTES, diag, s->salt));
    return js_need_base64(o, "sealed", SEALED_BYTES, diag, s->sealed);
}

static struct status
passphrase_unwrap(const void *ctx, struct view text, struct secret *ret_key, struct diag *diag)
{
    struct state s = {0};
    TRY(read_state(text, diag, &s));
    DEFER(secret_done) struct secret wrapping = {0};
    DEFER(secret_done) struct secret key = {0};
    TRY(derive(ctx, s.log2n, view_of(s.salt, sizeof s.salt), diag, &wrapping));
    TRY(secret_new(VAULT_KEY_BYTES, &key));
    DEFER(buf_done) struct buf bound;
    buf_init(&bound, 256);
    put_bound(&bound, s.log2n, view_of(s.salt, sizeof s.salt));
    DEFER(aead_freep) struct aead *a = aead_new(wrapping.ptr, false);
    CHECK(a != NULL, MEMORY);
    const struct view sealed =
        view_of(s.sealed + AEAD_NONCE_BYTES, SEALED_BYTES - AEAD_NONCE_BYTES);
    if (!status_ok(aead_open(a, s.sealed, buf_view(&bound), sealed, key.ptr))) {
        diag_set(diag, "wrong passphrase (or this file was changed)");
        FAIL(AUTH);
    }
    *ret_key = key;
    key = (struct secret){0};
    return OK;
}

static const char *
passphrase_warning(struct view text)
{
    struct state s = {0};
    return status_ok(read_state(text, NULL, &s)) && s.log2n >= LOG2N_DEFAULT
               ? NULL
               : "this workspace was made with STEWARD_INSECURE_TEST_KEYS: its passphrase is cheap "
                 "to guess; keep no real data in it";
}

struct vault_provider
vault_passphrase_provider(const struct secret *passphrase)
{
    return (struct vault_provider){.name = "passphrase",
                                   .wrap = passphrase_wrap,
                                   .unwrap = passphrase_unwrap,
                                   .warning = passphrase_warning,
                                   .alone = true,
                                   .ctx = passphrase};
}
