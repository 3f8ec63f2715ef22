/* identity: who the server is to its clients, and whose certificates it takes from them. Its
 * private key is somewhere else: a signer makes the handshakes' signatures (vault/tls_keys.h).
 * Unchanging once made, and counted: a new certificate is a new identity, while handshakes that
 * have begun end with the old one. Over GnuTLS. */
#ifndef STEWARD_SERVE_IDENTITY_H
#define STEWARD_SERVE_IDENTITY_H

#include "base/bytes.h"
#include "vault/tls_keys.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#define IDENTITY_CHAIN_MAX 8u /* certificates, ours or a client's */
#define IDENTITY_NAME_MAX 256u

enum identity_clients {
    IDENTITY_CLIENTS_OFF,
    IDENTITY_CLIENTS_ASKED, /* one that comes is checked; none is let through */
    IDENTITY_CLIENTS_REQUIRED
};

struct identity_options {
    struct view chain_pem;  /* the server's certificate, then those that signed it, in order */
    const char *chain_name; /* its file, for the sentences */
    struct tls_signer signer;
    enum identity_clients clients;
    struct view client_ca_pem;  /* whose certificates are taken; not for OFF */
    struct view client_crl_pem; /* revoked ones; empty: none */
};

struct identity;
/* STATUS_INPUT and a sentence when the chain is unsorted, longer than IDENTITY_CHAIN_MAX or no PEM;
 * STATUS_INTEGRITY when it is not of the signer's key. */
struct status identity_new(const struct identity_options *o, struct diag *diag,
                           struct identity **ret_identity);
struct identity *identity_take(struct identity *i); /* counts one more; gives i */
void identity_free(struct identity *i);             /* one less */
DEFINE_FREEP(identity_free, struct identity)
/* Of the server's own certificate, seconds since 1970. */
int64_t identity_begins(const struct identity *i);
int64_t identity_ends(const struct identity *i);

/* What GnuTLS asks for (gnutls_certificate_retrieve_function2). */
void identity_give(const struct identity *i, gnutls_pcert_st **ret_chain, unsigned *ret_length,
                   gnutls_privkey_t *ret_key);
/* Whether the session shall ask for a certificate. */
void identity_ask(const struct identity *i, gnutls_session_t tls);
/* The client's certificate, once it has come: verified against the authorities, for the use of
 * clients, its chain at most IDENTITY_CHAIN_MAX. ret_name: a SPIFFE URI, or "subject:" and the name
 * as RFC 4514 writes it, ";issuer:" and that of the authority among ours; "" when none came and
 * none is required. STATUS_AUTH and the reason. */
struct status identity_check_client(const struct identity *i, gnutls_session_t tls,
                                    struct diag *diag, char ret_name[static IDENTITY_NAME_MAX]);
/* The same for certificates in DER; untrusted. */
struct status identity_check_chain(const struct identity *i, const gnutls_datum_t *chain,
                                   unsigned count, struct diag *diag,
                                   char ret_name[static IDENTITY_NAME_MAX]);
/* SHA-256 of the certificate that came, in hexadecimal; "" when none did. */
#define IDENTITY_FINGERPRINT_MAX 65u
void identity_client_fingerprint(gnutls_session_t tls,
                                 char ret_hex[static IDENTITY_FINGERPRINT_MAX]);
/* When the certificate that came ends, seconds since 1970; INT64_MAX when none came. */
int64_t identity_client_ends(gnutls_session_t tls);

#endif
