#include "base/digest.h"

#include "base/secret.h"
#include "base/text.h"

#include <openssl/evp.h>
#include <pthread.h>

/* One context a thread, and the algorithm looked up once: looking it up costs more than hashing
 * what most callers hash. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t contexts;
static EVP_MD *sha256;

static void
free_context(void *ctx)
{
    EVP_MD_CTX_free(ctx);
}

static void
set_up(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    ASSERT(sha256 != NULL && pthread_key_create(&contexts, free_context) == 0);
}

static EVP_MD_CTX *
begin(void)
{
    ASSERT(pthread_once(&once, set_up) == 0);
    EVP_MD_CTX *ctx = pthread_getspecific(contexts);
    if (ctx == NULL) {
        ctx = EVP_MD_CTX_new();
        ASSERT(ctx != NULL && pthread_setspecific(contexts, ctx) == 0);
    }
    ASSERT(EVP_DigestInit_ex2(ctx, sha256, NULL) == 1);
    return ctx;
}

static void
add(EVP_MD_CTX *ctx, struct view v)
{
    ASSERT(v.len == 0 || EVP_DigestUpdate(ctx, v.ptr, v.len) == 1);
}

void
digest_of(struct view v, struct digest *ret_digest)
{
    EVP_MD_CTX *ctx = begin();
    add(ctx, v);
    ASSERT(EVP_DigestFinal_ex(ctx, ret_digest->bytes, NULL) == 1);
}

/* A run is an OpenSSL context of its own. */
struct digest_run *
digest_run_new(void)
{
    ASSERT(pthread_once(&once, set_up) == 0);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx != NULL) {
        ASSERT(EVP_DigestInit_ex2(ctx, sha256, NULL) == 1);
    }
    return (struct digest_run *)ctx;
}

void
digest_run_free(struct digest_run *r)
{
    EVP_MD_CTX_free((EVP_MD_CTX *)r);
}

void
digest_run_add(struct digest_run *r, struct view v)
{
    add((EVP_MD_CTX *)r, v);
}

void
digest_run_end(struct digest_run *r, struct digest *ret_digest)
{
    EVP_MD_CTX *ctx = (EVP_MD_CTX *)r;
    ASSERT(EVP_DigestFinal_ex(ctx, ret_digest->bytes, NULL) == 1);
    ASSERT(EVP_DigestInit_ex2(ctx, sha256, NULL) == 1);
}

void
digest_prefixed(uint8_t prefix, struct view a, struct view b, struct digest *ret_digest)
{
    EVP_MD_CTX *ctx = begin();
    add(ctx, view_of(&prefix, 1));
    add(ctx, a);
    add(ctx, b);
    ASSERT(EVP_DigestFinal_ex(ctx, ret_digest->bytes, NULL) == 1);
}

static void
pad_key(struct view key, uint8_t pad, uint8_t ret_block[static 64])
{
    for (size_t i = 0; i < 64; i++) {
        ret_block[i] = (uint8_t)((i < key.len ? key.ptr[i] : 0) ^ pad);
    }
}

void
hmac_key_of(struct view key, struct hmac_key *ret_key)
{
    struct digest shorter;
    const bool is_long = key.len > 64;
    if (is_long) {
        digest_of(key, &shorter);
        key = view_of(shorter.bytes, sizeof shorter.bytes);
    }
    pad_key(key, 0x36, ret_key->inner);
    pad_key(key, 0x5c, ret_key->outer);
    if (is_long) {
        secret_wipe(&shorter, sizeof shorter);
    }
}

static void
digest_two(struct view a, struct view b, struct digest *ret_digest)
{
    EVP_MD_CTX *ctx = begin();
    add(ctx, a);
    add(ctx, b);
    ASSERT(EVP_DigestFinal_ex(ctx, ret_digest->bytes, NULL) == 1);
}

void
hmac_of(const struct hmac_key *key, struct view message, struct digest *ret_mac)
{
    struct digest inner;
    digest_two(view_of(key->inner, sizeof key->inner), message, &inner);
    digest_two(view_of(key->outer, sizeof key->outer), view_of(inner.bytes, DIGEST_BYTES), ret_mac);
}

void
digest_put_hex(struct buf *b, const struct digest *d)
{
    text_put_hex(b, view_of(d->bytes, DIGEST_BYTES));
}
