/* http_head: the bytes of a request, before the gate: where a head ends and of what lines it is,
 * and what a body in chunks holds (RFC 9112). Pure functions. Strict: a line ends with CR LF and
 * with nothing else, there are no folded lines, and what is odd is not repaired but refused, here
 * or by the gate, which sees every other byte as it came. */
#ifndef STEWARD_SERVE_HTTP_HEAD_H
#define STEWARD_SERVE_HTTP_HEAD_H

#include "serve/gate.h"

enum http_found {
    HTTP_PART, /* more must come */
    HTTP_WHOLE,
    HTTP_BAD
};

/* scanned: how many of the bytes were looked at before; 0 at first. ret_len: of the head with the
 * empty line that ends it. Bad: a line that ends with LF alone. */
enum http_found http_head_find(struct view bytes, size_t *scanned, size_t *ret_len);
/* Of a head that was found. Fields over max are counted and not kept. False: the first line is not
 * three words with a blank between, or another has no colon; what was read until then is there. */
bool http_head_split(struct view head, struct gate_field *fields, size_t max,
                     struct gate_head *ret_head);

/* Zeroed at first. */
struct http_chunks {
    enum http_chunk_state {
        CHUNK_SIZE, /* its first digit */
        CHUNK_DIGITS,
        CHUNK_EXTENSION, /* passed over, as trailers are */
        CHUNK_SIZE_LF,
        CHUNK_DATA,
        CHUNK_DATA_CR,
        CHUNK_DATA_LF,
        CHUNK_TRAILER, /* a line of them, or the one that ends the body */
        CHUNK_TRAILER_TEXT,
        CHUNK_TRAILER_LF,
        CHUNK_END_LF
    } state;
    uint64_t left; /* of the chunk */
    unsigned digits;
    size_t passed; /* bytes of extensions and trailers */
};
/* Takes from bytes what belongs to the body and appends what it carries; body's limit is the
 * caller's to look at. */
enum http_found http_chunks_take(struct http_chunks *c, struct view *bytes, struct buf *body);

#endif
