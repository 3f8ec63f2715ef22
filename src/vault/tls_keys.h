/* tls_keys: the TLS keys that are in use: the newest, and the one before it, with which handshakes
 * may still be under way when it is replaced. tls/key.sealed of a workspace is a sealed record.
 * Thread-safe. */
#ifndef STEWARD_VAULT_TLS_KEYS_H
#define STEWARD_VAULT_TLS_KEYS_H

#include "vault/tls_key.h"
#include "vault/vault.h"

#define TLS_KEY_PURPOSE "tls"
#define TLS_KEY_CONTEXT "tls/key.sealed"
#define TLS_KEY_FILE_MAX (64u << 10)

/* What may be known of a key by who only has things signed with it. */
struct tls_key_info {
    uint32_t slot; /* names it; counts up */
    enum tls_key_kind kind;
    unsigned bits;
    struct digest name;
};

/* Whoever has handshakes signed: with the key in this process, or by a keeper. */
struct tls_signer {
    struct status (*sign)(void *ctx, uint32_t slot, unsigned scheme, struct view digest,
                          uint8_t ret_signature[static TLS_SIGNATURE_MAX], size_t *ret_len);
    void *ctx;
    struct tls_key_info key;
};

struct tls_keys;
struct tls_keys *tls_keys_new(void); /* NULL when memory is out */
void tls_keys_free(struct tls_keys *t);
DEFINE_FREEP(tls_keys_free, struct tls_keys)
/* Reads and opens dir/tls/key.sealed. A key that is the newest already keeps its slot. */
struct status tls_keys_load(struct tls_keys *t, const struct vault *v, const char *dir,
                            struct diag *diag, struct tls_key_info *ret_info);
/* STATUS_NOT_FOUND for a slot that is neither of the two newest; else as tls_key_sign. */
struct status tls_keys_sign(struct tls_keys *t, uint32_t slot, unsigned scheme, struct view digest,
                            uint8_t ret_signature[static TLS_SIGNATURE_MAX], size_t *ret_len);
/* The signer over t for that key. */
struct tls_signer tls_keys_signer(struct tls_keys *t, const struct tls_key_info *key);

#endif
