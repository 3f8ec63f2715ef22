/* encoding: whether a text file is UTF-8 without zero bytes, block by block, with the line where it
 * stops being so. Not for other folders. */
#ifndef STEWARD_DATA_ENCODING_H
#define STEWARD_DATA_ENCODING_H

#include "base/bytes.h"

#define ENCODING_ROOM 4u

struct encoding {
    uint64_t line; /* from 0 */
    bool begun;
    uint8_t tail[ENCODING_ROOM]; /* a sequence that the last block left unfinished */
    size_t tail_len;
};

/* The block stands at bytes + ENCODING_ROOM; the room before it is written over. last: nothing
 * follows (n may be 0). shown: the file's name in messages. */
struct status encoding_check(struct encoding *e, const char *shown, struct diag *diag,
                             uint8_t *bytes, size_t n, bool last);

#endif
