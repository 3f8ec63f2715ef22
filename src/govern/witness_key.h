/* witness_key: a witness's private key, in clear in its folder, and what it signs: Ed25519, or
 * ML-DSA-44 where this machine's OpenSSL has that (3.5 and newer). docs/spec/witness.md. */
#ifndef STEWARD_GOVERN_WITNESS_KEY_H
#define STEWARD_GOVERN_WITNESS_KEY_H

#include "govern/note.h"

struct witness_key;

/* Whether this machine can hold and use keys of that type: one of cosignatures. */
bool witness_key_type_ok(enum note_type type);
/* A new one of that name, and the files key and vkey in dir. STATUS_UNSUPPORTED with a sentence
 * when OpenSSL has no such signature. */
struct status witness_key_make(const char *dir, enum note_type type, const char *name,
                               struct diag *diag, struct note_key *ret_key);
/* STATUS_INTEGRITY when the file is none, UNSUPPORTED as above. */
struct status witness_key_read(const char *dir, struct diag *diag, struct witness_key **ret_key);
void witness_key_free(struct witness_key *k);
const struct note_key *witness_key_public(const struct witness_key *k);
/* A signature line under a checkpoint's text, with that time. */
struct status witness_key_cosign(const struct witness_key *k, struct view text, uint64_t time_s,
                                 struct buf *b);

#endif
