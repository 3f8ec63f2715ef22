#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/digest.h"

#include "base/secret.h"
#include "base/text.h"

#include <openssl/sha.h>
#include <stdlib.h>

/* OpenSSL's own functions for SHA-256: the same code as behind EVP, whose contexts cost as much
 * again as what most callers hash. */

static void
begin(SHA256_CTX *ctx)
{
    ASSERT(SHA256_Init(ctx) == 1);
}

static void
add(SHA256_CTX *ctx, struct view v)
{
    ASSERT(v.len == 0 || SHA256_Update(ctx, v.ptr, v.len) == 1);
}

static void
end(SHA256_CTX *ctx, struct digest *ret_digest)
{
    ASSERT(SHA256_Final(ret_digest->bytes, ctx) == 1);
}

void
digest_of(struct view v, struct digest *ret_digest)
{
    SHA256_CTX ctx;
    begin(&ctx);
    add(&ctx, v);
    end(&ctx, ret_digest);
}

struct digest_run {
    SHA256_CTX ctx;
};

struct digest_run *
digest_run_new(void)
{
    struct digest_run *r = malloc(sizeof *r);
    if (r != NULL) {
        begin(&r->ctx);
    }
    return r;
}

void
digest_run_free(struct digest_run *r)
{
    if (r != NULL) {
        secret_wipe(r, sizeof *r);
        free(r);
    }
}

void
digest_run_add(struct digest_run *r, struct view v)
{
    add(&r->ctx, v);
}

void
digest_run_end(struct digest_run *r, struct digest *ret_digest)
{
    end(&r->ctx, ret_digest);
    begin(&r->ctx);
}

void
digest_prefixed(uint8_t prefix, struct view a, struct view b, struct digest *ret_digest)
{
    SHA256_CTX ctx;
    begin(&ctx);
    add(&ctx, view_of(&prefix, 1));
    add(&ctx, a);
    add(&ctx, b);
    end(&ctx, ret_digest);
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

/* One of the two is secret. */
static void
digest_two(struct view a, struct view b, struct digest *ret_digest)
{
    SHA256_CTX ctx;
    begin(&ctx);
    add(&ctx, a);
    add(&ctx, b);
    end(&ctx, ret_digest);
    secret_wipe(&ctx, sizeof ctx);
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
