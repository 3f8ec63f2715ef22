/* own_identity: a server's identity for tests, its key in this process. */
#ifndef STEWARD_TESTS_SERVE_OWN_IDENTITY_H
#define STEWARD_TESTS_SERVE_OWN_IDENTITY_H

#include "testing/testing.h"

#include "serve/identity.h"

struct own_identity {
    struct tls_key *key;
    struct identity *identity;
};

/* Signs with that key, which stays the caller's. */
struct tls_signer own_identity_signer(struct tls_key *key);
/* A self-signed certificate for localhost and 127.0.0.1, no certificates of clients. */
void own_identity_make(struct own_identity *ret_own);
void own_identity_done(struct own_identity *own);

#endif
