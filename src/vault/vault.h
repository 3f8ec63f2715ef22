/* vault: the workspace's key, behind a provider; sealing of small records; signing. Envelope keys:
 * the provider holds or derives the key that wraps the workspace key; the workspace key wraps one
 * data key per object. docs/spec/vault.md has the formats. Thread-safe after open. */
#ifndef STEWARD_VAULT_VAULT_H
#define STEWARD_VAULT_VAULT_H

#include "base/secret.h"

#define VAULT_KEY_BYTES 32
#define VAULT_SIGNATURE_BYTES 64
#define VAULT_PUBLIC_BYTES 32

struct vault;

/* A provider wraps and unwraps the workspace key. `state` is what it keeps in keys/workspace.json,
 * a JSON object (for the passphrase provider: scrypt N, r, p, salt, nonce, tag). It comes from
 * disk: unwrap believes nothing in it, bounds what it costs, and gives STATUS_AUTH when the
 * credential is wrong, STATUS_INTEGRITY when the state is damaged. */
struct vault_provider {
    const char *name; /* "passphrase" */
    struct status (*wrap)(const void *ctx, const struct secret *key, struct buf *ret_state,
                          struct diag *diag);
    struct status (*unwrap)(const void *ctx, struct view state, struct secret *ret_key,
                            struct diag *diag);
    /* A sentence when that state protects less than it should, else NULL; may be NULL. */
    const char *(*warning)(struct view state);
    const void *ctx;
};

/* scrypt, N = 2^17, r = 8, p = 1, salt 16; the passphrase is borrowed, at least 8 bytes for a new
 * wrap. Wrong passphrase: STATUS_AUTH and a sentence. For new wraps only, STEWARD_SCRYPT_LOG2N in
 * the environment sets N: 17 to 20, and from 10 with STEWARD_INSECURE_TEST_KEYS=1; opening takes
 * what the file says within 10 to 20. docs/decisions/0010-scrypt-cost.md. */
#define VAULT_PASSPHRASE_LEAST 8
struct vault_provider vault_passphrase_provider(const struct secret *passphrase);

/* Makes dir/workspace.json (wrapped key) and dir/signing.sealed, dir/signing.pub. STATUS_EXISTS
 * when there is a workspace.json. */
struct status vault_create(const char *dir, const struct vault_provider *p, struct diag *diag,
                           struct vault **ret_vault);
struct status vault_open(const char *dir, const struct vault_provider *p, struct diag *diag,
                         struct vault **ret_vault);
/* What the person who runs it should know about how its key is kept, or NULL. */
const char *vault_warning(const struct vault *v);
void vault_free(struct vault *v);
DEFINE_FREEP(vault_free, struct vault)

/* AES-256-GCM with a subkey for `purpose` (HKDF-SHA256 of the workspace key) and a random nonce;
 * `context` is bound. */
struct status vault_seal_record(const struct vault *v, const char *purpose, struct view context,
                                struct view plain, struct buf *ret_sealed);
/* STATUS_INTEGRITY when context, purpose or any byte differs. */
struct status vault_open_record(const struct vault *v, const char *purpose, struct view context,
                                struct view sealed, struct buf *ret_plain);
/* Keyed digest for look-ups (API key hashes): HMAC-SHA256 with a subkey for purpose, derived once;
 * *ret_key holds a struct hmac_key, in memory of its own. */
struct status vault_mac_key(const struct vault *v, const char *purpose, struct secret *ret_key);
void vault_mac(const struct secret *key, struct view message, uint8_t ret_mac[static 32]);
/* Ed25519 with the workspace's signing key. */
struct status vault_sign(const struct vault *v, struct view message,
                         uint8_t ret_signature[static VAULT_SIGNATURE_BYTES]);
void vault_public_key(const struct vault *v, uint8_t ret_public[static VAULT_PUBLIC_BYTES]);
/* Verification needs no vault. STATUS_INTEGRITY when it does not verify. */
struct status vault_verify(const uint8_t public_key[static VAULT_PUBLIC_BYTES], struct view message,
                           const uint8_t signature[static VAULT_SIGNATURE_BYTES]);

#endif
