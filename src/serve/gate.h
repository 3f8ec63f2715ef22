/* gate: the look at a request's head before a byte of its body is read. A pure function: no state,
 * no allocation; two parsers, ours and one before or behind us, can only disagree about a head that
 * is refused here. */
#ifndef STEWARD_SERVE_GATE_H
#define STEWARD_SERVE_GATE_H

#include "base/bytes.h"

#define GATE_TARGET_BYTES 4096u /* 414 */
#define GATE_FIELDS_MAX 256u    /* whatever the configuration says */

struct gate_field {
    struct view name, value;
};

struct gate_head {
    struct view method, target, version; /* "POST", "/v2?x=1", "HTTP/1.1" */
    const struct gate_field *fields;
    size_t count;
    size_t bytes; /* of the whole head; 0: counted from the fields */
};

struct gate_limits {
    size_t header_bytes, header_count, target_bytes, body_bytes;
    bool chunked; /* a body may come in chunks */
};

/* status 0: let through. reason: static, without anything the client sent. */
struct gate_verdict {
    unsigned status;
    const char *reason;
    uint64_t length; /* of the body; 0 when none is announced */
    bool chunked;
};

void gate_check(const struct gate_head *head, const struct gate_limits *limits,
                struct gate_verdict *ret_verdict);
/* The target is in normal form: starts with one '/', has no empty, "." or ".." segment, printable
 * ASCII only. */
bool gate_path_ok(struct view target);
struct view gate_trim(struct view v); /* a field's value without the blanks around it */

#endif
