#include "base/bytes.h"

#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- view ---- */

bool
view_equal(struct view a, struct view b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool
view_equal_str(struct view a, const char *b)
{
    return view_equal(a, view_str(b));
}

bool
view_equal_secret(struct view a, struct view b)
{
    if (a.len != b.len) {
        return false;
    }
    volatile uint64_t differ = 0; /* read and written each time: the compiler sees no early end */
    size_t i = 0;
    for (; a.len - i >= 8; i += 8) {
        uint64_t x, y;
        memcpy(&x, a.ptr + i, 8);
        memcpy(&y, b.ptr + i, 8);
        differ = differ | (x ^ y);
    }
    for (; i < a.len; i++) {
        differ = differ | (uint64_t)(a.ptr[i] ^ b.ptr[i]);
    }
    return differ == 0;
}

int
view_compare(struct view a, struct view b)
{
    const size_t n = a.len < b.len ? a.len : b.len;
    const int c = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);
    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

/* ---- buf ---- */

void
buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void
buf_done(struct buf *b)
{
    free(b->ptr);
    *b = (struct buf){.max = b->max};
}

void
buf_wipe(struct buf *b)
{
    if (b->ptr != NULL) {
        secret_wipe(b->ptr, b->cap);
    }
    buf_done(b);
}

void
buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = 0;
    if (b->ptr != NULL) {
        b->ptr[0] = 0;
    }
}

void
buf_cut(struct buf *b, size_t len)
{
    ASSERT(len <= b->len);
    if (len < b->len) {
        secret_wipe(b->ptr + len, b->len - len);
        b->len = len;
    }
}

struct view
buf_view(const struct buf *b)
{
    return (struct view){b->ptr, b->len};
}

const char *
buf_str(const struct buf *b)
{
    return b->ptr == NULL ? "" : (const char *)b->ptr;
}

struct status
buf_status(const struct buf *b)
{
    if (b->failed != 0) {
        return (struct status){STATUS_HERE, b->failed, 0};
    }
    return OK;
}

/* Grows by copying into fresh memory and wiping the old: what is in a buffer may be a secret. */
static bool
grow(struct buf *b, size_t need)
{
    size_t cap = b->cap < 64 ? 64 : b->cap;
    while (cap < need) {
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    }
    if (cap > b->max) {
        cap = b->max;
    }
    uint8_t *ptr = malloc(cap + 1);
    if (ptr == NULL) {
        return false;
    }
    if (b->ptr != NULL) {
        memcpy(ptr, b->ptr, b->len + 1);
        secret_wipe(b->ptr, b->cap); /* a reset left older content beyond the length */
        free(b->ptr);
    }
    ptr[b->len] = 0;
    b->ptr = ptr;
    b->cap = cap;
    return true;
}

uint8_t *
buf_reserve(struct buf *b, size_t n)
{
    if (b->failed != 0) {
        return NULL;
    }
    if (n > b->max - b->len || b->len > b->max) {
        b->failed = STATUS_LIMIT;
        return NULL;
    }
    if ((b->ptr == NULL || b->len + n > b->cap) && !grow(b, b->len + n)) {
        b->failed = STATUS_MEMORY;
        return NULL;
    }
    return b->ptr + b->len;
}

uint8_t *
buf_extend(struct buf *b, size_t n)
{
    uint8_t *at = buf_reserve(b, n);
    if (at != NULL) {
        b->len += n;
        b->ptr[b->len] = 0;
    }
    return at;
}

void
buf_put(struct buf *b, struct view v)
{
    uint8_t *at = buf_extend(b, v.len);
    if (at != NULL && v.len > 0) {
        memcpy(at, v.ptr, v.len);
    }
}

void
buf_put_u8(struct buf *b, uint8_t v)
{
    buf_put(b, view_of(&v, 1));
}

static void
put_be(struct buf *b, uint64_t v, size_t n)
{
    uint8_t raw[8];
    for (size_t i = 0; i < n; i++) {
        raw[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
    }
    buf_put(b, view_of(raw, n));
}

static void
put_le(struct buf *b, uint64_t v, size_t n)
{
    uint8_t raw[8];
    for (size_t i = 0; i < n; i++) {
        raw[i] = (uint8_t)(v >> (8 * i));
    }
    buf_put(b, view_of(raw, n));
}

void
buf_put_u16be(struct buf *b, uint16_t v)
{
    put_be(b, v, 2);
}

void
buf_put_u32be(struct buf *b, uint32_t v)
{
    put_be(b, v, 4);
}

void
buf_put_u64be(struct buf *b, uint64_t v)
{
    put_be(b, v, 8);
}

void
buf_put_u32le(struct buf *b, uint32_t v)
{
    put_le(b, v, 4);
}

void
buf_put_u64le(struct buf *b, uint64_t v)
{
    put_le(b, v, 8);
}

void
buf_put_f64le(struct buf *b, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_le(b, bits, 8);
}

void
buf_vprintf(struct buf *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, format, args);
    uint8_t *at = n < 0 ? NULL : buf_extend(b, (size_t)n);
    if (at != NULL) {
        (void)vsnprintf((char *)at, (size_t)n + 1, format, again);
    } else if (n < 0 && b->failed == 0) {
        b->failed = STATUS_LIMIT;
    }
    va_end(again);
}

void
buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vprintf(b, format, args);
    va_end(args);
}

/* ---- reader ---- */

struct reader
reader_of(struct view v)
{
    return (struct reader){.v = v};
}

size_t
reader_left(const struct reader *r)
{
    return r->bad ? 0 : r->v.len - r->pos;
}

struct view
reader_bytes(struct reader *r, size_t n)
{
    if (r->bad || n > r->v.len - r->pos) {
        r->bad = true;
        return (struct view){0};
    }
    const struct view taken = {n == 0 ? r->v.ptr : r->v.ptr + r->pos, n};
    r->pos += n;
    return taken;
}

static uint64_t
read_be(struct reader *r, size_t n)
{
    const struct view v = reader_bytes(r, n);
    uint64_t value = 0;
    for (size_t i = 0; i < v.len; i++) {
        value = value << 8 | v.ptr[i];
    }
    return value;
}

static uint64_t
read_le(struct reader *r, size_t n)
{
    const struct view v = reader_bytes(r, n);
    uint64_t value = 0;
    for (size_t i = v.len; i > 0; i--) {
        value = value << 8 | v.ptr[i - 1];
    }
    return value;
}

uint8_t
reader_u8(struct reader *r)
{
    return (uint8_t)read_be(r, 1);
}

uint16_t
reader_u16be(struct reader *r)
{
    return (uint16_t)read_be(r, 2);
}

uint32_t
reader_u32be(struct reader *r)
{
    return (uint32_t)read_be(r, 4);
}

uint64_t
reader_u64be(struct reader *r)
{
    return read_be(r, 8);
}

uint32_t
reader_u32le(struct reader *r)
{
    return (uint32_t)read_le(r, 4);
}

uint64_t
reader_u64le(struct reader *r)
{
    return read_le(r, 8);
}

double
reader_f64le(struct reader *r)
{
    const uint64_t bits = read_le(r, 8);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}
