#include "base/digest.h"

#include "base/text.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

void
digest_of(struct view v, struct digest *ret_digest)
{
    (void)SHA256(v.len == 0 ? (const uint8_t *)"" : v.ptr, v.len, ret_digest->bytes);
}

static void
free_context(EVP_MD_CTX **ctx)
{
    EVP_MD_CTX_free(*ctx);
}

void
digest_prefixed(uint8_t prefix, struct view a, struct view b, struct digest *ret_digest)
{
    DEFER(free_context) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ASSERT(ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1);
    ASSERT(EVP_DigestUpdate(ctx, &prefix, 1) == 1);
    ASSERT(a.len == 0 || EVP_DigestUpdate(ctx, a.ptr, a.len) == 1);
    ASSERT(b.len == 0 || EVP_DigestUpdate(ctx, b.ptr, b.len) == 1);
    ASSERT(EVP_DigestFinal_ex(ctx, ret_digest->bytes, NULL) == 1);
}

void
digest_put_hex(struct buf *b, const struct digest *d)
{
    text_put_hex(b, view_of(d->bytes, DIGEST_BYTES));
}
