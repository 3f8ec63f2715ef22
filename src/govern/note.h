/* note: C2SP signed notes (Ed25519), cosignatures of witnesses (tlog-cosignature: Ed25519, and
 * ML-DSA-44), verifier keys, and the checkpoint text. Rules:
 * docs/spec/audit.md, docs/spec/witness.md. On failure the diag says "byte N: why"; the caller
 * prefixes the file. Pure: bytes in, bytes out. */
#ifndef STEWARD_GOVERN_NOTE_H
#define STEWARD_GOVERN_NOTE_H

#include "base/digest.h"

#define NOTE_MAX (256u << 10)
#define NOTE_NAME_MAX 255u
#define NOTE_PUBLIC_BYTES 32 /* of Ed25519 */
#define NOTE_PUBLIC_MAX 1312 /* of ML-DSA-44 */
#define NOTE_SIGNATURE_BYTES 64

enum note_type {
    NOTE_ED25519 = 0x01,     /* of a log: signs the text */
    NOTE_COSIGNATURE = 0x04, /* of a witness: signs the text and a time */
    /* ML-DSA-44 of a witness: signs its name, a time, and the checkpoint without its extensions */
    NOTE_COSIGNATURE_MLDSA = 0x06
};

struct note_key {
    char name[NOTE_NAME_MAX + 1];
    enum note_type type;
    uint32_t id; /* first 4 bytes of SHA-256(name, newline, type, public key) */
    uint8_t public_key[NOTE_PUBLIC_MAX]; /* as many bytes of it as the type has */
};

/* STATUS_INPUT when the name is empty, long, or holds whitespace, '+' or control bytes. */
struct status note_key_make(const char *name, const uint8_t public_key[static NOTE_PUBLIC_BYTES],
                            struct diag *diag, struct note_key *ret_key);
/* The same of a witness: of cosignatures; as many bytes as the type has. */
struct status note_cosigner_make(enum note_type type, const char *name, const uint8_t *public_key,
                                 struct diag *diag, struct note_key *ret_key);
/* "name+hex8+base64", no newline. */
void note_put_vkey(const struct note_key *key, struct buf *b);
/* Of a log; of a witness, of either kind. The other's is refused. */
struct status note_parse_vkey(struct view text, struct diag *diag, struct note_key *ret_key);
struct status note_parse_cosigner(struct view text, struct diag *diag, struct note_key *ret_key);

/* text (ending in a newline), an empty line, our signature line. */
void note_put(struct buf *b, struct view text, const struct note_key *key,
              const uint8_t signature[static NOTE_SIGNATURE_BYTES]);
/* The text of a note that `key` has signed; borrowed from the note. Signatures of other keys are
 * passed over; a wrong one of this key, or none, is STATUS_INTEGRITY. */
struct status note_open(struct view note, const struct note_key *key, struct diag *diag,
                        struct view *ret_text);
/* What one of several keys has to do with a note. */
struct note_signed {
    bool found;
    uint64_t time; /* of a cosignature, the newest: seconds since 1970 */
};
/* The same of several keys, of logs and witnesses: each signature of any of them must verify, and
 * one must be there. ret_signed[n]. */
struct status note_open_any(struct view note, const struct note_key *keys, size_t n,
                            struct diag *diag, struct note_signed *ret_signed,
                            struct view *ret_text);
/* Where the signature lines begin, without looking at them. */
struct status note_split(struct view note, struct diag *diag, struct view *ret_text,
                         struct view *ret_lines);

/* What a witness with a key of that type signs: "cosignature/v1", the time, the note's text; or
 * "subtree/v1", its name, the time and the checkpoint of the text, which must be one. */
struct status note_put_to_sign(struct buf *b, const struct note_key *key, struct view text,
                               uint64_t time_s);
/* Its signature line. */
void note_put_cosignature(struct buf *b, const struct note_key *key, uint64_t time_s,
                          struct view signature);

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
