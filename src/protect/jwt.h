/* jwt: a JSON Web Token as a bearer presents it (RFC 7519 in the compact form of RFC 7515), held to
 * RFC 8725: algorithms of an allow-list, no "none", no HMAC, no keys or addresses of keys from the
 * token itself (jku, x5u, x5c, jwk), no critical extension, no member twice, a typ of its own,
 * limits on size. Reasons are for the log, static, and quote nothing. Untrusted; fuzzed. */
#ifndef STEWARD_PROTECT_JWT_H
#define STEWARD_PROTECT_JWT_H

#include "protect/jwks.h"

#define JWT_MAX_BYTES 8192u

struct jwt {
    json_t *header, *claims;
    enum jwks_algorithm algorithm;
    const char *kid;     /* NULL: none */
    struct view message; /* header and claims as they were signed; borrowed from the text */
    uint8_t signature[JWKS_SIGNATURE_MAX];
    size_t signature_bytes;
};

/* A token whose form and header are right; nothing is verified yet. STATUS_AUTH with a reason. */
struct status jwt_read(struct view text, struct jwt *ret_token, const char **ret_reason);
void jwt_done(struct jwt *t);
/* Base64url without padding (RFC 7515, 2): canonical, nothing else. */
bool jwt_base64url(struct view text, struct buf *ret_bytes);

struct jwt_rules {
    const char *issuer;   /* exact */
    const char *audience; /* exact, one of the token's */
    uint32_t algorithms;  /* bit of enum jwks_algorithm */
    bool access_only;     /* typ must be at+jwt (RFC 9068) */
    int64_t skew_ns;      /* of clocks, for exp, nbf and iat */
};

/* Everything but the signature. NULL: right; otherwise why not. ret_expires_ns: with the skew. */
const char *jwt_check(const struct jwt *t, const struct jwt_rules *rules, int64_t now_ns,
                      int64_t *ret_expires_ns);

#endif
