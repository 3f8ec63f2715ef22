/* digest: SHA-256 as everybody here needs it (OpenSSL behind it). */
#ifndef STEWARD_BASE_DIGEST_H
#define STEWARD_BASE_DIGEST_H

#include "base/bytes.h"

#define DIGEST_BYTES 32

struct digest {
    uint8_t bytes[DIGEST_BYTES];
};

void digest_of(struct view v, struct digest *ret_digest);
/* prefix byte, then a, then b, as Merkle trees hash leaves (a only) and nodes. */
void digest_prefixed(uint8_t prefix, struct view a, struct view b, struct digest *ret_digest);
/* Of bytes that come in pieces. */
struct digest_run;
struct digest_run *digest_run_new(void); /* NULL when memory is out */
void digest_run_free(struct digest_run *r);
DEFINE_FREEP(digest_run_free, struct digest_run)
void digest_run_add(struct digest_run *r, struct view v);
void digest_run_end(struct digest_run *r, struct digest *ret_digest); /* and begins anew */
/* HMAC-SHA256 (RFC 2104) for a key that serves often: the key's two blocks are kept. */
struct hmac_key {
    uint8_t inner[64], outer[64];
};
void hmac_key_of(struct view key, struct hmac_key *ret_key); /* secret: the caller wipes it */
void hmac_of(const struct hmac_key *key, struct view message, struct digest *ret_mac);
void digest_put_hex(struct buf *b, const struct digest *d);

#endif
