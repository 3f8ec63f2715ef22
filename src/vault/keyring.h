/* keyring: the generations of a workspace's key, the wrapping of data keys under them, and the file
 * that keeps them, keys/workspace.json (docs/spec/vault.md). A key provider wraps the newest
 * generation; that one wraps what is left of older ones, until everything has been re-wrapped. Part
 * of vault; not locked. */
#ifndef STEWARD_VAULT_KEYRING_H
#define STEWARD_VAULT_KEYRING_H

#include "base/json.h"
#include "vault/vault.h"

#include <openssl/kdf.h>

#define KEYRING_MOST 4u /* generations that can be in use at once */
#define KEYRING_PROVIDER_MAX 16u
#define KEYRING_REASON_MAX 256u

struct generation {
    uint32_t number; /* from 1 */
    struct secret key;
    int64_t made_ns; /* since 1970 */
};

struct keyring {
    struct generation held[KEYRING_MOST]; /* newest first */
    size_t count;
    EVP_KDF *kdf;
    char provider[KEYRING_PROVIDER_MAX]; /* of the file it was read from */
    char revoked[KEYRING_REASON_MAX];    /* why nobody may use it; "": not revoked */
};

/* One generation, numbered 1. */
struct status keyring_make(struct keyring *ret_ring);
/* What stands in the file at path. STATUS_AUTH and so on from the provider; STATUS_INTEGRITY for a
 * damaged file; *ret_warning is the provider's, or NULL. */
struct status keyring_read(const char *path, const struct vault_provider *p, struct diag *diag,
                           struct keyring *ret_ring, const char **ret_warning);
/* Replaces the file at once, or leaves it as it was. What the provider wrapped is opened again
 * first: one that loses the key is found while there is still another copy. */
struct status keyring_write(const struct keyring *ring, const char *path,
                            const struct vault_provider *p, struct diag *diag);
/* One more, the newest. STATUS_EXISTS while there are older ones. */
struct status keyring_advance(struct keyring *ring);
void keyring_forget_older(struct keyring *ring);
/* The provider's name and state as a file's text says, before anything of it is believed; name: the
 * file's, for sentences. *ret_file is the caller's to json_decref, the others borrowed from it. */
struct status keyring_look(struct view text, const char *name, struct diag *diag, json_t **ret_file,
                           const char **ret_provider, json_t **ret_state);
#define KEYRING_FILE_MAX 65536u
void keyring_done(struct keyring *ring); /* of a zeroed one is nothing */

struct status keyring_wrap(const struct keyring *ring, const char *purpose, const uint8_t *bound,
                           const uint8_t *key, uint8_t ret_wrapped[static VAULT_WRAPPED_BYTES]);
/* Whether the ring has the generation that a key was wrapped under; whether it is the newest. */
bool keyring_holds(const struct keyring *ring, const uint8_t *wrapped);
bool keyring_is_newest(const struct keyring *ring, const uint8_t *wrapped);
/* Wiped when STATUS_INTEGRITY. */
struct status keyring_unwrap(const struct keyring *ring, const char *purpose, const uint8_t *bound,
                             const uint8_t *wrapped, uint8_t ret_key[static VAULT_KEY_BYTES]);

#endif
