#include "govern/witness.h"

#include "base/text.h"

#include <string.h>

static struct status
bad(struct diag *diag, size_t line, const char *why)
{
    diag_set(diag, "line %zu: %s", line, why);
    FAIL(INPUT);
}

/* A line without its end; false when there is none that ends. */
static bool
next_line(struct view text, size_t *at, struct view *ret_line)
{
    const uint8_t *end = *at < text.len ? memchr(text.ptr + *at, '\n', text.len - *at) : NULL;
    if (end == NULL) {
        return false;
    }
    *ret_line = view_of(text.ptr + *at, (size_t)(end - text.ptr) - *at);
    *at += ret_line->len + 1;
    return true;
}

static struct status
take_old(struct view line, uint64_t *ret_old)
{
    const size_t word = 4;
    CHECK(line.len > word && memcmp(line.ptr, "old ", word) == 0, INPUT);
    const struct view number = view_of(line.ptr + word, line.len - word);
    CHECK(number.len == 1 || number.ptr[0] != '0', INPUT);
    return text_to_u64(number, ret_old);
}

static struct status
take_hash(struct view line, struct digest *ret_hash)
{
    DEFER(buf_done) struct buf raw;
    buf_init(&raw, 64);
    TRY(text_from_base64(line, &raw));
    CHECK(raw.len == DIGEST_BYTES, INPUT);
    memcpy(ret_hash->bytes, raw.ptr, DIGEST_BYTES);
    return OK;
}

struct status
witness_parse_request(struct view body, struct diag *diag, struct witness_request *ret_request)
{
    struct witness_request q = {0};
    struct view line = {0};
    size_t at = 0;
    if (body.len > WITNESS_REQUEST_MAX) {
        return bad(diag, 1, "longer than a request may be");
    }
    if (!next_line(body, &at, &line) || !status_ok(take_old(line, &q.old))) {
        return bad(diag, 1, "it must be \"old\", a blank and a size in decimal");
    }
    for (;; q.n++) {
        if (!next_line(body, &at, &line)) {
            return bad(diag, q.n + 2, "no empty line between the proof and the checkpoint");
        }
        if (line.len == 0) {
            break;
        }
        if (q.n == WITNESS_PATH_MAX) {
            return bad(diag, q.n + 2, "more than 63 hashes of a proof");
        }
        if (!status_ok(take_hash(line, &q.path[q.n]))) {
            return bad(diag, q.n + 2, "a proof's hash is 32 bytes in base64");
        }
    }
    q.note = view_of(body.ptr + at, body.len - at);
    *ret_request = q;
    return OK;
}

void
witness_put_request(struct buf *b, const struct witness_request *q)
{
    buf_printf(b, "old %llu\n", (unsigned long long)q->old);
    for (size_t i = 0; i < q->n; i++) {
        text_put_base64(b, view_of(q->path[i].bytes, DIGEST_BYTES));
        buf_put_u8(b, '\n');
    }
    buf_put_u8(b, '\n');
    buf_put(b, q->note);
}
