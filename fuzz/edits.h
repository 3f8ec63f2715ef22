/* edits: a valid file changed as a script says: for targets whose digests and seals a fuzzer does
 * not guess. */
#ifndef STEWARD_FUZZ_EDITS_H
#define STEWARD_FUZZ_EDITS_H

#include "base/bytes.h"

#include <string.h>

/* One edit: what (1 byte), where (3), how (2). */
static inline void
edit(struct reader *r, struct view from, struct buf *b)
{
    const uint8_t what = reader_u8(r);
    const size_t where = ((size_t)reader_u8(r) << 16 | reader_u16be(r)) % (b->len + 1);
    const size_t how = reader_u16be(r), left = b->len - where, n = how < left ? how : left;
    if (r->bad || b->len == 0) {
        return;
    }
    if (what % 4 == 0 && left > 0) {
        b->ptr[where] ^= (uint8_t)how;
    } else if (what % 4 == 1) {
        b->len = where;
    } else if (what % 4 == 2) {
        memmove(b->ptr, b->ptr + where, n);
    } else {
        const size_t most = how < from.len ? how : from.len;
        uint8_t *at = buf_extend(b, most);
        if (at != NULL) {
            memcpy(at, from.ptr, most);
        }
    }
}

/* Up to eight edits, of what `from` is. */
static inline void
edit_all(struct view script, struct view from, struct buf *ret_edited)
{
    struct reader r = reader_of(script);
    buf_put(ret_edited, from);
    for (int i = 0; i < 8 && reader_left(&r) >= 6; i++) {
        edit(&r, from, ret_edited);
    }
}

#endif
