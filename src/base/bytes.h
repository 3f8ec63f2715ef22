/* bytes: a view (borrowed), a buffer with a maximum given at birth, a reader and a writer with
 * sticky errors. */
#ifndef STEWARD_BASE_BYTES_H
#define STEWARD_BASE_BYTES_H

#include "base/status.h"

#include <stdarg.h>
#include <string.h>

/* Borrowed bytes; never freed through the view. */
struct view {
    const uint8_t *ptr;
    size_t len;
};

static inline struct view
view_of(const void *ptr, size_t len)
{
    return (struct view){ptr, len};
}

/* Without the terminator; of a literal the compiler knows the length. */
static inline struct view
view_str(const char *text)
{
    return view_of(text, strlen(text));
}

bool view_equal(struct view a, struct view b);
bool view_equal_str(struct view a, const char *b);
/* Time depends on the length only; for secrets and MACs. */
bool view_equal_secret(struct view a, struct view b);
int view_compare(struct view a, struct view b); /* bytewise; a prefix before what it begins */

/* Growing bytes. Never longer than max. A failed put (limit or memory) sets `failed` and further
 * puts do nothing, so a writer checks once at the end with buf_status(). Always NUL-terminated
 * after the content when ptr is not NULL. */
struct buf {
    uint8_t *ptr;
    size_t len;
    size_t cap;
    size_t max;
    int32_t failed; /* STATUS_LIMIT or STATUS_MEMORY */
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);            /* frees; safe on a zeroed struct */
void buf_wipe(struct buf *b);            /* overwrites, then frees: for plaintext and secrets */
void buf_reset(struct buf *b);           /* keeps the memory, empties, clears failed */
void buf_cut(struct buf *b, size_t len); /* wipes what stands after len bytes, which it has */
struct view buf_view(const struct buf *b);
const char *buf_str(const struct buf *b); /* "" when empty */
struct status buf_status(const struct buf *b);
/* Room for n more bytes, the length not changed; NULL when failed. */
uint8_t *buf_reserve(struct buf *b, size_t n);
/* Appends n uninitialised bytes and returns them, or NULL. */
uint8_t *buf_extend(struct buf *b, size_t n);
void buf_put(struct buf *b, struct view v);
static inline void
buf_put_str(struct buf *b, const char *text)
{
    buf_put(b, view_str(text));
}

void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u16be(struct buf *b, uint16_t v);
void buf_put_u32be(struct buf *b, uint32_t v);
void buf_put_u64be(struct buf *b, uint64_t v);
void buf_put_u32le(struct buf *b, uint32_t v);
void buf_put_u64le(struct buf *b, uint64_t v);
void buf_put_f64le(struct buf *b, double v);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* Reads from a view. A read past the end sets `bad`, returns zero or an empty view, and so do all
 * later reads. */
struct reader {
    struct view v;
    size_t pos;
    bool bad;
};

struct reader reader_of(struct view v);
size_t reader_left(const struct reader *r);
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16be(struct reader *r);
uint32_t reader_u32be(struct reader *r);
uint64_t reader_u64be(struct reader *r);
uint32_t reader_u32le(struct reader *r);
uint64_t reader_u64le(struct reader *r);
double reader_f64le(struct reader *r);
struct view reader_bytes(struct reader *r, size_t n); /* borrows from the view */

#endif
