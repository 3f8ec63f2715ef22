/* token: a workspace's key wrapped by an AES key that stays inside a PKCS#11 token. The token is
 * opened for each act and closed after it, so that one that has come back is found. Runs the code
 * of a module that others wrote: in a process of its own (vault/holder.h). Part of vault; one
 * thread.
 *
 * Source: PKCS #11 v2.40 (OASIS), sections C_Encrypt, C_WrapKey, CKM_AES_GCM, CKM_AES_KEY_WRAP. */
#ifndef STEWARD_VAULT_TOKEN_H
#define STEWARD_VAULT_TOKEN_H

#include "base/secret.h"
#include "vault/pkcs11_uri.h"
#include "vault/vault.h"

#define TOKEN_IV_BYTES 12u
#define TOKEN_WRAPPED_MAX 64u

/* Both tell when a byte was changed or another key is asked. */
enum token_mechanism {
    TOKEN_AES_GCM,      /* CKM_AES_GCM: iv 12, ciphertext 32 and tag 16 in bytes */
    TOKEN_AES_KEY_WRAP, /* CKM_AES_KEY_WRAP (RFC 3394): 40 in bytes, iv zeros */
    TOKEN_MECHANISMS
};

struct token_wrapped {
    uint32_t mechanism, len;
    uint8_t iv[TOKEN_IV_BYTES];
    uint8_t bytes[TOKEN_WRAPPED_MAX];
};

const char *token_mechanism_name(uint32_t mechanism); /* "CKM_AES_GCM" */
/* How many bytes it makes of a workspace's key. */
size_t token_wrapped_bytes(uint32_t mechanism);

struct token;
/* Loads the module of $STEWARD_PKCS11_MODULE or, when that is not set, of the URI: that one and all
 * folders above it must be root's and writable by nobody else, since the URI may come from a file.
 * Both are borrowed. */
struct status token_new(const struct pkcs11_uri *u, const struct secret *pin, struct diag *diag,
                        struct token **ret_token);
void token_free(struct token *t);
DEFINE_FREEP(token_free, struct token)
/* Of these two: STATUS_NOT_FOUND when there is not exactly one such token and key, or the token was
 * taken out; STATUS_AUTH for a wrong PIN, which must not be tried again, since tokens lock
 * themselves; STATUS_DENIED when it has done so; STATUS_UNSUPPORTED when the key has neither
 * mechanism; STATUS_IO when the token could not be asked. */
/* By the first mechanism that the token and the key allow; the key must not be extractable. */
struct status token_wrap(struct token *t, const uint8_t key[static VAULT_KEY_BYTES],
                         struct diag *diag, struct token_wrapped *ret_wrapped);
/* STATUS_INTEGRITY when that key did not wrap it. */
struct status token_unwrap(struct token *t, const struct token_wrapped *w, struct diag *diag,
                           uint8_t ret_key[static VAULT_KEY_BYTES]);

#endif
