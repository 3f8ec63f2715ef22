/* note: C2SP signed notes (Ed25519), verifier keys, and the checkpoint text. Rules:
 * docs/spec/audit.md. On failure the diag says "byte N: why"; the caller prefixes the file. Pure:
 * bytes in, bytes out. */
#ifndef STEWARD_GOVERN_NOTE_H
#define STEWARD_GOVERN_NOTE_H

#include "base/digest.h"

#define NOTE_MAX (256u << 10)
#define NOTE_NAME_MAX 255u
#define NOTE_PUBLIC_BYTES 32
#define NOTE_SIGNATURE_BYTES 64

struct note_key {
    char name[NOTE_NAME_MAX + 1];
    uint32_t id; /* first 4 bytes of SHA-256(name, newline, 0x01, public key) */
    uint8_t public_key[NOTE_PUBLIC_BYTES];
};

/* STATUS_INPUT when the name is empty, long, or holds whitespace, '+' or control bytes. */
struct status note_key_make(const char *name, const uint8_t public_key[static NOTE_PUBLIC_BYTES],
                            struct diag *diag, struct note_key *ret_key);
/* "name+hex8+base64", no newline. */
void note_put_vkey(const struct note_key *key, struct buf *b);
struct status note_parse_vkey(struct view text, struct diag *diag, struct note_key *ret_key);

/* text (ending in a newline), an empty line, our signature line. */
void note_put(struct buf *b, struct view text, const struct note_key *key,
              const uint8_t signature[static NOTE_SIGNATURE_BYTES]);
/* The text of a note that `key` has signed; borrowed from the note. Signatures of other keys are
 * passed over; a wrong one of this key, or none, is STATUS_INTEGRITY. */
struct status note_open(struct view note, const struct note_key *key, struct diag *diag,
                        struct view *ret_text);

struct checkpoint {
    char origin[NOTE_NAME_MAX + 1];
    uint64_t size;
    struct digest root;
};

void checkpoint_put(struct buf *b, const struct checkpoint *c);
/* Extension lines are allowed and passed over. */
struct status checkpoint_parse(struct view text, struct diag *diag,
                               struct checkpoint *ret_checkpoint);
/* note_open, checkpoint_parse, and the origin is the key's name. */
struct status checkpoint_open(struct view note, const struct note_key *key, struct diag *diag,
                              struct checkpoint *ret_checkpoint);

#endif
