/* keyring: the generations of a workspace's key, the wrapping of data keys under them, and the file
 * that keeps them, keys/workspace.json (docs/spec/vault.md). A key provider wraps the newest
 * generation; that one wraps what is left of older ones, until everything has been re-wrapped. Part
 * of vault; not locked. */
#ifndef STEWARD_VAULT_KEYRING_H
#define STEWARD_VAULT_KEYRING_H

#include "vault/vault.h"

#include <openssl/kdf.h>

#define KEYRING_MOST 4u /* generations that can be in use at once */

struct generation {
    uint32_t number; /* from 1 */
    struct secret key;
    int64_t made_ns; /* since 1970 */
};

struct keyring {
    struct generation held[KEYRING_MOST]; /* newest first */
    size_t count;
    EVP_KDF *kdf;
};

/* One generation, numbered 1. */
struct status keyring_make(struct keyring *ret_ring);
/* What stands in the file at path. STATUS_AUTH and so on from the provider; STATUS_INTEGRITY for a
 * damaged file; *ret_warning is the provider's, or NULL. */
struct status keyring_read(const char *path, const struct vault_provider *p, struct diag *diag,
                           struct keyring *ret_ring, const char **ret_warning);
/* Replaces the file at once, or leaves it as it was. */
struct status keyring_write(const struct keyring *ring, const char *path,
                            const struct vault_provider *p, struct diag *diag);
void keyring_done(struct keyring *ring); /* of a zeroed one is nothing */

struct status keyring_wrap(const struct keyring *ring, const char *purpose, const uint8_t *bound,
                           const uint8_t *key, uint8_t ret_wrapped[static VAULT_WRAPPED_BYTES]);
/* Wiped when STATUS_INTEGRITY. */
struct status keyring_unwrap(const struct keyring *ring, const char *purpose, const uint8_t *bound,
                             const uint8_t *wrapped, uint8_t ret_key[static VAULT_KEY_BYTES]);

#endif
