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
void digest_put_hex(struct buf *b, const struct digest *d);

#endif
