/* aead: AES-256-GCM, one context for many messages under one key. Not thread-safe. */
#ifndef STEWARD_VAULT_AEAD_H
#define STEWARD_VAULT_AEAD_H

#include "base/bytes.h"

#define AEAD_KEY_BYTES 32
#define AEAD_NONCE_BYTES 12
#define AEAD_TAG_BYTES 16

struct aead;

/* seal: true for a context that seals, false for one that opens. Copies the key into the cipher's
 * own memory, which is wiped by aead_free. NULL when memory is out. */
struct aead *aead_new(const uint8_t key[static AEAD_KEY_BYTES], bool seal);
void aead_free(struct aead *a);
DEFINE_FREEP(aead_free, struct aead)
/* ret_sealed[plain.len + AEAD_TAG_BYTES]: ciphertext, then tag. A nonce is never used twice under
 * one key. */
struct status aead_seal(struct aead *a, const uint8_t nonce[static AEAD_NONCE_BYTES],
                        struct view bound, struct view plain, uint8_t *ret_sealed);
/* ret_plain[sealed.len - AEAD_TAG_BYTES]. STATUS_INTEGRITY when anything differs; ret_plain is then
 * wiped. */
struct status aead_open(struct aead *a, const uint8_t nonce[static AEAD_NONCE_BYTES],
                        struct view bound, struct view sealed, uint8_t *ret_plain);

#endif
