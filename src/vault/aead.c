#include "vault/aead.h"

#include "base/secret.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct aead {
    EVP_CIPHER_CTX *ctx;
};

struct aead *
aead_new(const uint8_t key[static AEAD_KEY_BYTES], bool seal)
{
    struct aead *a = calloc(1, sizeof *a);
    if (a == NULL) {
        return NULL;
    }
    a->ctx = EVP_CIPHER_CTX_new();
    if (a->ctx == NULL ||
        EVP_CipherInit_ex(a->ctx, EVP_aes_256_gcm(), NULL, key, NULL, seal ? 1 : 0) != 1) {
        aead_free(a);
        return NULL;
    }
    return a;
}

void
aead_free(struct aead *a)
{
    if (a != NULL) {
        EVP_CIPHER_CTX_free(a->ctx);
        free(a);
    }
}

static struct status
begin(struct aead *a, const uint8_t *nonce, struct view bound)
{
    int n = 0;
    CHECK(bound.len <= INT_MAX, LIMIT);
    CHECK(EVP_CipherInit_ex(a->ctx, NULL, NULL, NULL, nonce, -1) == 1, UNSUPPORTED);
    CHECK(bound.len == 0 || EVP_CipherUpdate(a->ctx, NULL, &n, bound.ptr, (int)bound.len) == 1,
          UNSUPPORTED);
    return OK;
}

struct status
aead_seal(struct aead *a, const uint8_t nonce[static AEAD_NONCE_BYTES], struct view bound,
          struct view plain, uint8_t *ret_sealed)
{
    int n = 0, rest = 0;
    CHECK(plain.len <= INT_MAX - AEAD_TAG_BYTES, LIMIT);
    TRY(begin(a, nonce, bound));
    CHECK(plain.len == 0 ||
              EVP_CipherUpdate(a->ctx, ret_sealed, &n, plain.ptr, (int)plain.len) == 1,
          UNSUPPORTED);
    CHECK(EVP_CipherFinal_ex(a->ctx, ret_sealed + n, &rest) == 1, UNSUPPORTED);
    CHECK(EVP_CIPHER_CTX_ctrl(a->ctx, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_BYTES,
                              ret_sealed + plain.len) == 1,
          UNSUPPORTED);
    return OK;
}

struct status
aead_open(struct aead *a, const uint8_t nonce[static AEAD_NONCE_BYTES], struct view bound,
          struct view sealed, uint8_t *ret_plain)
{
    int n = 0, rest = 0;
    uint8_t tag[AEAD_TAG_BYTES];
    CHECK(sealed.len >= AEAD_TAG_BYTES && sealed.len <= INT_MAX, INTEGRITY);
    const size_t len = sealed.len - AEAD_TAG_BYTES;
    for (size_t i = 0; i < AEAD_TAG_BYTES; i++) {
        tag[i] = sealed.ptr[len + i];
    }
    TRY(begin(a, nonce, bound));
    const bool opened =
        (len == 0 || EVP_CipherUpdate(a->ctx, ret_plain, &n, sealed.ptr, (int)len) == 1) &&
        EVP_CIPHER_CTX_ctrl(a->ctx, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_BYTES, tag) == 1 &&
        EVP_CipherFinal_ex(a->ctx, ret_plain + n, &rest) == 1;
    if (!opened) {
        secret_wipe(ret_plain, len);
        FAIL(INTEGRITY);
    }
    return OK;
}
