/* transit_answer: what a transit service answers (OpenBao, Vault: /v1/MOUNT/encrypt/KEY, decrypt),
 * which nobody believes: it may be slow, broken, or somebody else. Its own sentences are not passed
 * on: they could repeat the token. Fuzzed.
 *
 * Both give: AUTH (the token is not let in), DENIED (not with this version; sealed; refused),
 * NOT_FOUND (no such key or path), INTEGRITY (this key did not make it), UNSUPPORTED (a key of
 * another kind): that is the service's word, and the key is not to be had. IO and BUSY: no answer
 * that means anything. Each with a sentence.
 *
 * Source: openbao/openbao builtin/logical/transit path_encrypt.go, path_decrypt.go. */
#ifndef STEWARD_VAULT_TRANSIT_ANSWER_H
#define STEWARD_VAULT_TRANSIT_ANSWER_H

#include "vault/vault.h"

#define TRANSIT_ANSWER_MAX 65536u
#define TRANSIT_TEXT_MAX 512u /* of a wrapped key, with its terminator */

/* "vault:vN:" and base64: N from 1. */
bool transit_is_wrapped(const char *text);
/* status: of HTTP. */
struct status transit_read_wrapped(unsigned status, struct view body, struct diag *diag,
                                   char ret_text[static TRANSIT_TEXT_MAX]);
struct status transit_read_key(unsigned status, struct view body, struct diag *diag,
                               uint8_t ret_key[static VAULT_KEY_BYTES]);

#endif
