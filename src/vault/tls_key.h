/* tls_key: the private key behind the server's certificate, which signs handshakes. It is given
 * digests: GnuTLS does not hand over the text that it has hashed, so that this text is a
 * handshake's cannot be checked here; the certificate says that the key is for a server's TLS and
 * nothing else. Thread-safe. */
#ifndef STEWARD_VAULT_TLS_KEY_H
#define STEWARD_VAULT_TLS_KEY_H

#include "base/digest.h"

#define TLS_SIGNATURE_MAX 512 /* RSA with 4096 bits */
#define TLS_DIGEST_MAX 64

/* Algorithms by their number in the registry of TLS SignatureSchemes. */
enum tls_scheme {
    TLS_RSA_SHA256 = 0x0401, /* TLS 1.2 */
    TLS_RSA_SHA384 = 0x0501,
    TLS_RSA_SHA512 = 0x0601,
    TLS_ECDSA_P256_SHA256 = 0x0403,
    TLS_ECDSA_P384_SHA384 = 0x0503,
    TLS_RSA_PSS_SHA256 = 0x0804,
    TLS_RSA_PSS_SHA384 = 0x0805,
    TLS_RSA_PSS_SHA512 = 0x0806,
};

enum tls_key_kind { TLS_KEY_P256 = 1, TLS_KEY_P384, TLS_KEY_RSA };

struct tls_key;

/* An unencrypted private key in PEM: EC on P-256 or P-384, or RSA with 2048 to 4096 bits. */
struct status tls_key_new(struct view pem, struct diag *diag, struct tls_key **ret_key);
void tls_key_free(struct tls_key *k);
DEFINE_FREEP(tls_key_free, struct tls_key)
enum tls_key_kind tls_key_kind(const struct tls_key *k);
unsigned tls_key_bits(const struct tls_key *k);
/* SHA-256 of the public key as certificates write it (SubjectPublicKeyInfo, DER). */
void tls_key_name(const struct tls_key *k, struct digest *ret_name);
/* Of the digest that the scheme signs; 0 when the key's kind has no such scheme. */
size_t tls_kind_digest(enum tls_key_kind kind, unsigned scheme);
/* STATUS_UNSUPPORTED when the key has no such scheme, STATUS_INPUT when the digest is of another
 * length than the scheme's. ECDSA signatures are DER, as TLS sends them. */
struct status tls_key_sign(const struct tls_key *k, unsigned scheme, struct view digest,
                           uint8_t ret_signature[static TLS_SIGNATURE_MAX], size_t *ret_len);

#endif
