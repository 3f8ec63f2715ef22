/* cosigner: witnesses for tests: keys from a seed, and their cosignatures of notes. */
#ifndef STEWARD_TESTS_GOVERN_COSIGNER_H
#define STEWARD_TESTS_GOVERN_COSIGNER_H

#include "govern/note.h"

struct cosigner {
    struct note_key key;
    uint8_t seed[32];
    char vkey[512];
};

void cosigner_make(struct cosigner *w, const char *name, uint8_t seed);
/* Its line behind a note that it signs with that time. */
void cosigner_put(const struct cosigner *w, struct buf *note, uint64_t time_s);
/* The line for another note: what a witness does that signs another tree. */
void cosigner_put_of(const struct cosigner *w, struct view other, struct buf *note,
                     uint64_t time_s);
/* The fixture's log. */
const char *cosign_log_vkey(void);
/* A signed checkpoint of that log with some root. Initialises the note. */
void cosigned_checkpoint(uint64_t size, struct buf *ret_note);

#endif
