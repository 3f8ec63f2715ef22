#include "data/encoding.h"

#include "base/text.h"

#include <string.h>

static struct status
refuse(const struct encoding *e, const char *shown, struct diag *diag, const char *what)
{
    diag_set(diag, "%s line %llu: %s", shown, (unsigned long long)e->line + 1, what);
    FAIL(INPUT);
}

static struct status
check_binary(struct encoding *e, const char *shown, struct diag *diag, const uint8_t *bytes,
             size_t n)
{
    const bool utf16 = n >= 2 && ((bytes[0] == 0xff && bytes[1] == 0xfe) ||
                                  (bytes[0] == 0xfe && bytes[1] == 0xff));
    if (!e->begun && utf16) {
        return refuse(e, shown, diag, "the file is UTF-16; save it as UTF-8");
    }
    e->begun = true;
    const uint8_t *zero = n == 0 ? NULL : memchr(bytes, 0, n);
    if (zero != NULL) {
        for (const uint8_t *p = bytes; p < zero; p++) {
            e->line += *p == '\n';
        }
        return refuse(e, shown, diag,
                      "a zero byte: the file is binary, or UTF-16; save it as text in UTF-8");
    }
    return OK;
}

/* How many bytes at the end belong to a sequence that may go on in the next block. */
static size_t
unfinished(struct view v)
{
    size_t keep = 0;
    while (keep < 3 && keep < v.len && (v.ptr[v.len - 1 - keep] & 0xc0) == 0x80) {
        keep++;
    }
    return keep + (keep < v.len && v.ptr[v.len - 1 - keep] >= 0xc0);
}

struct status
encoding_check(struct encoding *e, const char *shown, struct diag *diag, uint8_t *bytes, size_t n,
               bool last)
{
    TRY(check_binary(e, shown, diag, bytes + ENCODING_ROOM, n));
    const uint8_t *at = bytes + ENCODING_ROOM - e->tail_len;
    memcpy(bytes + ENCODING_ROOM - e->tail_len, e->tail, e->tail_len);
    size_t left = n + e->tail_len;
    const size_t keep = last ? 0 : unfinished(view_of(at, left));
    left -= keep;
    memcpy(e->tail, at + left, keep);
    e->tail_len = keep;
    while (left > 0) {
        const uint8_t *end = memchr(at, '\n', left);
        const size_t len = end == NULL ? left : (size_t)(end - at);
        if (!text_is_utf8(view_of(at, len))) {
            return refuse(e, shown, diag,
                          "not UTF-8 (is it Latin-1 or Windows-1252? save it as UTF-8)");
        }
        e->line += end != NULL;
        at += len + (end != NULL);
        left -= len + (end != NULL);
    }
    return OK;
}
