/* The bytes of a request: the first says in how large pieces they come; a head, then a body in
 * chunks behind it. What is found must not depend on the pieces. */
#include "serve/http_head.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BODY_MAX (1u << 16)

/* Also how much of them was looked at. */
static enum http_found
find(struct view bytes, size_t piece, size_t *ret_len)
{
    size_t scanned = 0, have = 0;
    enum http_found found = HTTP_PART;
    while (found == HTTP_PART && have < bytes.len) {
        have = bytes.len - have < piece ? bytes.len : have + piece;
        found = http_head_find(view_of(bytes.ptr, have), &scanned, ret_len);
        ASSERT(found != HTTP_PART || scanned == have);
    }
    return found;
}

/* The lines, put together again, are the head: but for blanks around values, which are not kept. */
static void
check_split(struct view head, const struct gate_head *h)
{
    const uint8_t *at = head.ptr;
    ASSERT(h->method.ptr == at && at[h->method.len] == ' ');
    at += h->method.len + 1;
    ASSERT(h->target.ptr == at && at[h->target.len] == ' ');
    at += h->target.len + 1;
    ASSERT(h->version.ptr == at);
    at += h->version.len;
    for (size_t i = 0; i < h->count; i++) {
        const struct gate_field *f = &h->fields[i];
        ASSERT(memcmp(at, "\r\n", 2) == 0 && f->name.ptr == at + 2);
        at += 2 + f->name.len;
        ASSERT(*at == ':' && f->value.ptr > at);
        for (at++; at < f->value.ptr; at++) {
            ASSERT(*at == ' ' || *at == '\t');
        }
        for (at += f->value.len; *at == ' ' || *at == '\t'; at++) {
        }
    }
    ASSERT(at + 4 == head.ptr + head.len && memcmp(at, "\r\n\r\n", 4) == 0);
}

static void
check_head(struct view bytes, size_t piece, size_t *ret_len)
{
    static const struct gate_limits limits = {16384, 64, GATE_TARGET_BYTES, BODY_MAX, true};
    struct gate_field fields[GATE_FIELDS_MAX];
    struct gate_head head;
    struct gate_verdict v;
    size_t len = 0, same = 0;
    const enum http_found found = find(bytes, bytes.len, &len);
    ASSERT(find(bytes, piece, &same) == found && same == len);
    if (found != HTTP_WHOLE) {
        return;
    }
    ASSERT(len >= 2 && len <= bytes.len && memcmp(bytes.ptr + len - 2, "\r\n", 2) == 0);
    *ret_len = len;
    if (http_head_split(view_of(bytes.ptr, len), fields, GATE_FIELDS_MAX, &head) &&
        head.count <= GATE_FIELDS_MAX) {
        check_split(view_of(bytes.ptr, len), &head);
        gate_check(&head, &limits, &v);
    }
}

static enum http_found
decode(struct view bytes, size_t piece, struct buf *body, size_t *ret_taken)
{
    struct http_chunks c = {0};
    enum http_found found = HTTP_PART;
    size_t taken = 0;
    while (found == HTTP_PART && taken < bytes.len) {
        const size_t n = bytes.len - taken < piece ? bytes.len - taken : piece;
        struct view part = view_of(bytes.ptr + taken, n);
        found = http_chunks_take(&c, &part, body);
        ASSERT(found != HTTP_PART || part.len == 0);
        taken += n - part.len;
    }
    *ret_taken = taken;
    return found;
}

static void
check_chunks(struct view bytes, size_t piece)
{
    DEFER(buf_done) struct buf whole;
    DEFER(buf_done) struct buf pieces;
    size_t taken = 0, same = 0;
    buf_init(&whole, BODY_MAX);
    buf_init(&pieces, BODY_MAX);
    const enum http_found found = decode(bytes, bytes.len, &whole, &taken);
    ASSERT(decode(bytes, piece, &pieces, &same) == found && same == taken);
    if (status_ok(buf_status(&whole)) && status_ok(buf_status(&pieces))) {
        ASSERT(view_equal(buf_view(&whole), buf_view(&pieces)) && whole.len <= taken);
    }
    if (found == HTTP_WHOLE) {
        ASSERT(memcmp(bytes.ptr + taken - 2, "\r\n", 2) == 0);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t head = 0;
    if (size < 2) {
        return 0;
    }
    const size_t piece = data[0] % 32u + 1;
    const struct view bytes = view_of(data + 1, size - 1);
    check_head(bytes, piece, &head);
    if (head < bytes.len) {
        check_chunks(view_of(bytes.ptr + head, bytes.len - head), piece);
    }
    return 0;
}
