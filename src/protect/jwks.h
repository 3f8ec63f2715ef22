/* jwks: an issuer's public keys (RFC 7517) and what is verified with them (RFC 7518, RFC 8037),
 * over OpenSSL. Asymmetric keys only: what is no public key of a signature that we know is passed
 * over, so that no public key can ever serve as a secret (RFC 8725, 3.1). Untrusted; fuzzed. */
#ifndef STEWARD_PROTECT_JWKS_H
#define STEWARD_PROTECT_JWKS_H

#include "base/json.h"

#define JWKS_MAX_BYTES (256u << 10)
#define JWKS_MAX_KEYS 64u
#define JWKS_KID_MAX 256u
#define JWKS_SIGNATURE_MAX 1024u /* RSA of 8192 bits */

enum jwks_algorithm {
    JWKS_RS256,
    JWKS_RS384,
    JWKS_RS512,
    JWKS_PS256,
    JWKS_PS384,
    JWKS_PS512,
    JWKS_ES256,
    JWKS_ES384,
    JWKS_ES512,
    JWKS_EDDSA, /* Ed25519 */
    JWKS_ALGORITHMS
};
/* "RS256"; exact. False: none of ours ("none", "HS256", "rs256"). */
bool jwks_algorithm_from_word(const char *word, enum jwks_algorithm *ret_algorithm);

struct jwks;

/* STATUS_LIMIT: larger than JWKS_MAX_BYTES, or more than JWKS_MAX_KEYS keys, told before any key is
 * made; STATUS_INPUT with a sentence: no key set, RSA under 2048 or over 8192 bits, a point off its
 * curve, a private key, two keys of one kid for one algorithm, no key that is of use. */
struct status jwks_read(struct view text, struct diag *diag, struct jwks **ret_set);
void jwks_free(struct jwks *s);
DEFINE_FREEP(jwks_free, struct jwks)
size_t jwks_count(const struct jwks *s);

enum jwks_outcome {
    JWKS_GOOD,
    JWKS_NO_KEY, /* none of that kid for that algorithm: newer keys may have it */
    JWKS_BAD     /* the signature is not that of the message */
};
/* kid NULL: the one key that fits, if there is exactly one. */
enum jwks_outcome jwks_verify(const struct jwks *s, enum jwks_algorithm a, const char *kid,
                              struct view message, struct view signature);

#endif
