/* vault: the workspace's key, behind a provider; data keys wrapped under it; sealing of small
 * records; keyed hashes; signing. Envelope keys: the provider holds or derives the key that wraps
 * the workspace key; the workspace key wraps one data key for each record and object. The keys are
 * in this process (vault_open) or in another that answers for them (vault/backend.h).
 * docs/spec/vault.md has the formats. Thread-safe after open. */
#ifndef STEWARD_VAULT_VAULT_H
#define STEWARD_VAULT_VAULT_H

#include "base/secret.h"

#define VAULT_KEY_BYTES 32
#define VAULT_SIGNATURE_BYTES 64
#define VAULT_PUBLIC_BYTES 32
#define VAULT_BOUND_BYTES 32   /* SHA-256 of what a data key belongs to */
#define VAULT_WRAPPED_BYTES 64 /* generation u32 LE, nonce 12, key 32, tag 16 */
#define VAULT_PURPOSE_MAX 64   /* with its terminator; a longer one is cut */
#define VAULT_MAC_MESSAGE_MAX 64
#define VAULT_SIGN_MESSAGE_MAX 256

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
    /* Nobody outside can withdraw the key: what has not changed on disk still opens. */
    bool alone;
    const void *ctx;
};

/* scrypt, N = 2^17, r = 8, p = 1, salt 16; the passphrase is borrowed, at least 8 bytes for a new
 * wrap. Wrong passphrase: STATUS_AUTH and a sentence. For new wraps only, STEWARD_SCRYPT_LOG2N in
 * the environment sets N: 17 to 20, and from 10 with STEWARD_INSECURE_TEST_KEYS=1; opening takes
 * what the file says within 10 to 20. docs/decisions/0010-scrypt-cost.md. */
#define VAULT_PASSPHRASE_LEAST 8
struct vault_provider vault_passphrase_provider(const struct secret *passphrase);

/* Makes dir/workspace.json (wrapped key), dir/mac.sealed, dir/signing.sealed and dir/signing.pub.
 * STATUS_EXISTS when there is a workspace.json. */
struct status vault_create(const char *dir, const struct vault_provider *p, struct diag *diag,
                           struct vault **ret_vault);
/* STATUS_DENIED and the reason when `steward key revoke` has withdrawn the key. */
struct status vault_open(const char *dir, const struct vault_provider *p, struct diag *diag,
                         struct vault **ret_vault);
/* STATUS_DENIED and the reason once the key has been withdrawn (vault/rotation.h) from under an
 * open vault: wrap and unwrap give the same from then on, until it is back; keyed hashes and
 * signatures go on, for the audit log. Cheap, with a keeper one message; STATUS_IO when it has
 * ended. */
struct status vault_usable(const struct vault *v, struct diag *diag);
/* What the person who runs it should know about how its key is kept, or NULL. */
const char *vault_warning(const struct vault *v);
void vault_free(struct vault *v);
DEFINE_FREEP(vault_free, struct vault)

/* ---- data keys ---- */

/* What kind of thing a data key belongs to: prefix and text, cut at VAULT_PURPOSE_MAX, then zeros.
 * Who holds the keys may give one purpose and not another. */
struct vault_purpose {
    char text[VAULT_PURPOSE_MAX];
};
struct vault_purpose vault_purpose(const char *prefix, const char *text);

/* Wraps a data key under the workspace key's newest generation. It opens under the same purpose and
 * bound only; purpose says what kind of thing it belongs to ("store/grant", "object/model"), bound
 * which one. */
struct status vault_wrap(const struct vault *v, const char *purpose,
                         const uint8_t bound[static VAULT_BOUND_BYTES],
                         const uint8_t key[static VAULT_KEY_BYTES],
                         uint8_t ret_wrapped[static VAULT_WRAPPED_BYTES]);
/* STATUS_INTEGRITY when purpose, bound or any byte differs, or its generation is gone;
 * STATUS_DENIED when this process may not. */
struct status vault_unwrap(const struct vault *v, const char *purpose,
                           const uint8_t bound[static VAULT_BOUND_BYTES],
                           const uint8_t wrapped[static VAULT_WRAPPED_BYTES],
                           struct secret *ret_key);

/* The generation of the workspace key that it says it is wrapped under. */
uint32_t vault_generation_of(const uint8_t wrapped[static VAULT_WRAPPED_BYTES]);
/* A data key's name in the log: 16 hex digits of a digest of it, the same however it is wrapped. */
#define VAULT_KEY_ID_MAX 17 /* with its terminator */
void vault_key_id(const uint8_t key[static VAULT_KEY_BYTES], char ret_id[static VAULT_KEY_ID_MAX]);

/* ---- records ---- */

/* A random data key, wrapped for `purpose` and bound to `context`, and AES-256-GCM under it. */
struct status vault_seal_record(const struct vault *v, const char *purpose, struct view context,
                                struct view plain, struct buf *ret_sealed);
/* STATUS_INTEGRITY when context, purpose or any byte differs. */
struct status vault_open_record(const struct vault *v, const char *purpose, struct view context,
                                struct view sealed, struct buf *ret_plain);

/* ---- keyed hashes and signatures ---- */

/* HMAC-SHA256 with the workspace's own key for that purpose, for look-ups (API keys). message: at
 * most VAULT_MAC_MESSAGE_MAX bytes, else STATUS_LIMIT. */
struct status vault_mac(const struct vault *v, const char *purpose, struct view message,
                        uint8_t ret_mac[static 32]);
/* What is signed: who holds the key may look at it, and refuse. */
enum vault_signing {
    VAULT_SIGN_CHECKPOINT, /* of the audit log: a note's text (govern/note.h) */
    VAULT_SIGN_MODEL,      /* of a model's bundle: its first line, and a digest */
};
/* Ed25519 with the workspace's signing key. message: at most VAULT_SIGN_MESSAGE_MAX bytes, else
 * STATUS_LIMIT. */
struct status vault_sign(const struct vault *v, enum vault_signing kind, struct view message,
                         uint8_t ret_signature[static VAULT_SIGNATURE_BYTES]);
/* Of the workspace, told by its public key: "steward/" and 16 hex digits. The log's name. */
#define VAULT_NAME_MAX 64 /* with its terminator */
void vault_name(const struct vault *v, char ret_name[static VAULT_NAME_MAX]);
void vault_name_of(const uint8_t public_key[static VAULT_PUBLIC_BYTES],
                   char ret_name[static VAULT_NAME_MAX]);
void vault_public_key(const struct vault *v, uint8_t ret_public[static VAULT_PUBLIC_BYTES]);
/* Verification needs no vault. STATUS_INTEGRITY when it does not verify. */
struct status vault_verify(const uint8_t public_key[static VAULT_PUBLIC_BYTES], struct view message,
                           const uint8_t signature[static VAULT_SIGNATURE_BYTES]);

#endif
