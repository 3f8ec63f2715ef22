#include "serve/http_head.h"

#include "base/text.h"

#include <string.h>

#define DIGITS_MAX 8u    /* of a chunk's size */
#define PASSED_MAX 4096u /* extensions and trailers of one body */

/* ---- heads ---- */

enum http_found
http_head_find(struct view bytes, size_t *scanned, size_t *ret_len)
{
    const uint8_t *p = bytes.ptr, *end = bytes.ptr + bytes.len;
    const uint8_t *at = p + *scanned;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        if (at == p || at[-1] != '\r') {
            return HTTP_BAD;
        }
        if (at == p + 1 || at[-2] == '\n') {
            *ret_len = (size_t)(at + 1 - p);
            return HTTP_WHOLE;
        }
        at++;
    }
    *scanned = bytes.len;
    return HTTP_PART;
}

/* The next line without its end. */
static struct view
take_line(struct view *rest)
{
    const uint8_t *lf = memchr(rest->ptr, '\n', rest->len);
    ASSERT(lf != NULL && lf > rest->ptr && lf[-1] == '\r');
    const struct view line = view_of(rest->ptr, (size_t)(lf - 1 - rest->ptr));
    *rest = view_of(lf + 1, rest->len - line.len - 2);
    return line;
}

/* Up to the mark, which is taken along. False: there is none. */
static bool
take_until(struct view *from, uint8_t mark, struct view *ret_part)
{
    const uint8_t *at = from->len == 0 ? NULL : memchr(from->ptr, mark, from->len);
    if (at == NULL) {
        return false;
    }
    const size_t n = (size_t)(at - from->ptr);
    *ret_part = view_of(from->ptr, n);
    *from = view_of(at + 1, from->len - n - 1);
    return true;
}

static bool
split_first(struct view line, struct gate_head *h)
{
    if (!take_until(&line, ' ', &h->method) || !take_until(&line, ' ', &h->target)) {
        return false;
    }
    h->version = line;
    return memchr(line.ptr, ' ', line.len) == NULL;
}

bool
http_head_split(struct view head, struct gate_field *fields, size_t max, struct gate_head *ret_head)
{
    const struct view none = view_str("");
    struct gate_head h = {
        .method = none, .target = none, .version = none, .fields = fields, .bytes = head.len};
    bool good = split_first(take_line(&head), &h);
    while (good && head.len > 0) {
        struct view value = take_line(&head);
        struct gate_field field = {0};
        if (value.len == 0 && head.len == 0) {
            break;
        }
        good = take_until(&value, ':', &field.name);
        field.value = gate_trim(value);
        if (good && h.count++ < max) {
            fields[h.count - 1] = field;
        }
    }
    *ret_head = h;
    return good;
}

/* ---- chunks ---- */

static bool
take_digit(struct http_chunks *c, uint8_t byte)
{
    const int digit = text_hex_digit(byte);
    if (digit < 0 || ++c->digits > DIGITS_MAX) {
        return false;
    }
    c->left = c->left << 4 | (unsigned)digit;
    c->state = CHUNK_DIGITS;
    return true;
}

/* In an extension or a trailer: up to its CR. */
static bool
pass(struct http_chunks *c, uint8_t byte, enum http_chunk_state after)
{
    if (byte == '\r') {
        c->state = after;
        return true;
    }
    return ++c->passed <= PASSED_MAX && (byte >= ' ' || byte == '\t') && byte != 0x7f;
}

static bool
expect(struct http_chunks *c, uint8_t byte, uint8_t expected, enum http_chunk_state after)
{
    c->state = after;
    return byte == expected;
}

static bool
after_digits(struct http_chunks *c, uint8_t byte)
{
    if (byte == '\r' || byte == ';') {
        c->state = byte == ';' ? CHUNK_EXTENSION : CHUNK_SIZE_LF;
        return true;
    }
    return take_digit(c, byte);
}

/* A byte that is none of the data's. */
static bool
step(struct http_chunks *c, uint8_t byte)
{
    switch (c->state) {
    case CHUNK_SIZE:
        return take_digit(c, byte);
    case CHUNK_DIGITS:
        return after_digits(c, byte);
    case CHUNK_EXTENSION:
        return pass(c, byte, CHUNK_SIZE_LF);
    case CHUNK_SIZE_LF:
        return expect(c, byte, '\n', c->left == 0 ? CHUNK_TRAILER : CHUNK_DATA);
    case CHUNK_DATA:
    case CHUNK_DATA_CR:
        return expect(c, byte, '\r', CHUNK_DATA_LF);
    case CHUNK_DATA_LF:
        c->digits = 0;
        return expect(c, byte, '\n', CHUNK_SIZE);
    case CHUNK_TRAILER:
        c->state = CHUNK_TRAILER_TEXT;
        return pass(c, byte, CHUNK_END_LF);
    case CHUNK_TRAILER_TEXT:
        return pass(c, byte, CHUNK_TRAILER_LF);
    case CHUNK_TRAILER_LF:
        return expect(c, byte, '\n', CHUNK_TRAILER);
    case CHUNK_END_LF:
        break;
    }
    return byte == '\n';
}

enum http_found
http_chunks_take(struct http_chunks *c, struct view *bytes, struct buf *body)
{
    while (bytes->len > 0) {
        if (c->state == CHUNK_DATA) {
            const size_t n = bytes->len < c->left ? bytes->len : (size_t)c->left;
            buf_put(body, view_of(bytes->ptr, n));
            *bytes = view_of(bytes->ptr + n, bytes->len - n);
            c->left -= n;
            c->state = c->left == 0 ? CHUNK_DATA_CR : CHUNK_DATA;
            continue;
        }
        const bool last = c->state == CHUNK_END_LF;
        const uint8_t byte = *bytes->ptr;
        *bytes = view_of(bytes->ptr + 1, bytes->len - 1);
        if (!step(c, byte)) {
            return HTTP_BAD;
        }
        if (last) {
            return HTTP_WHOLE;
        }
    }
    return HTTP_PART;
}
