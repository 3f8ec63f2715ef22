#include "serve/gate.h"

#include <string.h>
#include <strings.h>

/* RFC 9110 5.6.2: tchar. */
static bool
is_token_char(uint8_t c)
{
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
        return true;
    }
    return c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool
is_token(struct view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (!is_token_char(v.ptr[i])) {
            return false;
        }
    }
    return v.len > 0;
}

/* Field values: no control character but the tab; bytes over 127 are opaque. */
static bool
is_value(struct view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if ((v.ptr[i] < 0x20 && v.ptr[i] != '\t') || v.ptr[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool
is_named(struct view v, const char *name)
{
    return v.len == strlen(name) && strncasecmp((const char *)v.ptr, name, v.len) == 0;
}

struct view
gate_trim(struct view v)
{
    while (v.len > 0 && (v.ptr[v.len - 1] == ' ' || v.ptr[v.len - 1] == '\t')) {
        v.len--;
    }
    while (v.len > 0 && (v.ptr[0] == ' ' || v.ptr[0] == '\t')) {
        v.ptr++;
        v.len--;
    }
    return v;
}

static bool
is_host(struct view v)
{
    for (size_t i = 0; i < v.len; i++) {
        const uint8_t c = v.ptr[i];
        const bool plain =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!plain && (c == 0 || strchr(".-_:[]", c) == NULL)) {
            return false;
        }
    }
    return v.len > 0 && v.len <= 255;
}

static bool
read_length(struct view v, uint64_t *ret_length)
{
    uint64_t n = 0;
    if (v.len == 0) {
        return false;
    }
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] < '0' || v.ptr[i] > '9' || n > (INT64_MAX - 9) / 10) {
            return false;
        }
        n = n * 10 + (uint64_t)(v.ptr[i] - '0');
    }
    *ret_length = n;
    return true;
}

static bool
segment_ok(const uint8_t *p, size_t len)
{
    if (len == 1 && p[0] == '.') {
        return false;
    }
    return !(len == 2 && p[0] == '.' && p[1] == '.');
}

bool
gate_path_ok(struct view target)
{
    if (target.len == 0 || target.ptr[0] != '/') {
        return false;
    }
    size_t start = 1;
    bool query = false;
    for (size_t i = 1; i <= target.len; i++) {
        const uint8_t c = i < target.len ? target.ptr[i] : (uint8_t)'/';
        if (c <= 0x20 || c >= 0x7f || c == '#' || c == '\\') {
            return false;
        }
        if (query || (c != '/' && c != '?')) {
            continue;
        }
        if (!segment_ok(target.ptr + start, i - start)) {
            return false;
        }
        if (c == '/' && i < target.len && i == start) { /* an empty segment: "//" */
            return false;
        }
        start = i + 1;
        query = c == '?';
    }
    return true;
}

static const char *const known_methods[] = {"GET",   "HEAD",   "POST",   "PUT",
                                            "PATCH", "DELETE", "OPTIONS"};

static bool
is_known_method(struct view method)
{
    for (size_t i = 0; i < sizeof known_methods / sizeof known_methods[0]; i++) {
        if (view_equal_str(method, known_methods[i])) {
            return true;
        }
    }
    return false;
}

#define REFUSE(STATUS, REASON)                                                                     \
    return (struct gate_verdict)                                                                   \
    {                                                                                              \
        .status = (STATUS), .reason = (REASON)                                                     \
    }

static struct gate_verdict
check_line(const struct gate_head *head, const struct gate_limits *limits)
{
    if (head->target.len > limits->target_bytes) {
        REFUSE(414, "the request target is too long");
    }
    if (!view_equal_str(head->version, "HTTP/1.1") && !view_equal_str(head->version, "HTTP/1.0")) {
        REFUSE(505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    }
    if (!is_token(head->method)) {
        REFUSE(400, "the method is not a token");
    }
    if (!is_known_method(head->method)) {
        REFUSE(501, "the method is not known");
    }
    if (!gate_path_ok(head->target)) {
        REFUSE(400, "the request target is not an absolute path in normal form");
    }
    return (struct gate_verdict){0};
}

static struct gate_verdict
check_sizes(const struct gate_head *head, const struct gate_limits *limits)
{
    size_t bytes = head->bytes;
    for (size_t i = 0; head->bytes == 0 && i < head->count; i++) {
        bytes += head->fields[i].name.len + head->fields[i].value.len + 4;
    }
    if (head->count > limits->header_count || bytes > limits->header_bytes) {
        REFUSE(431, "the request head is too large");
    }
    return (struct gate_verdict){0};
}

/* What decides where a request ends, and who asks and why, gathered in one pass. */
struct framing {
    unsigned hosts, lengths, codings, credentials, purposes;
    uint64_t length;
    bool length_ok, coding_ok, host_ok, version_1_1;
};

static void
note_field(const struct gate_field *field, struct framing *f)
{
    const struct view value = gate_trim(field->value);
    if (is_named(field->name, "host")) {
        f->hosts++;
        f->host_ok = is_host(value);
    } else if (is_named(field->name, "content-length")) {
        f->lengths++;
        f->length_ok = read_length(value, &f->length);
    } else if (is_named(field->name, "transfer-encoding")) {
        f->codings++;
        f->coding_ok = is_named(value, "chunked");
    } else if (is_named(field->name, "authorization")) {
        f->credentials++;
    } else if (is_named(field->name, "steward-purpose")) {
        f->purposes++;
    }
}

static struct gate_verdict
check_framing(const struct framing *f, const struct gate_limits *limits)
{
    if (f->hosts != 1 || !f->host_ok) {
        REFUSE(400, "there must be exactly one Host field");
    }
    if (f->lengths > 0 && f->codings > 0) {
        REFUSE(400, "Content-Length and Transfer-Encoding exclude each other");
    }
    if (f->lengths > 1 || (f->lengths == 1 && !f->length_ok)) {
        REFUSE(400, "there must be at most one Content-Length, of digits only");
    }
    if (f->codings > 1 || (f->codings == 1 && (!f->coding_ok || !f->version_1_1))) {
        REFUSE(400, "Transfer-Encoding must be exactly chunked, on HTTP/1.1");
    }
    if (f->codings == 1 && !limits->chunked) {
        REFUSE(411, "a Content-Length is required");
    }
    if (f->credentials > 1 || f->purposes > 1) {
        REFUSE(400, "there must be at most one Authorization and one Steward-Purpose");
    }
    if (f->length > limits->body_bytes) {
        REFUSE(413, "the request body is too large");
    }
    return (struct gate_verdict){.length = f->length, .chunked = f->codings == 1};
}

static struct gate_verdict
check_head(const struct gate_head *head, const struct gate_limits *limits)
{
    struct gate_verdict v = check_line(head, limits);
    if (v.status == 0) {
        v = check_sizes(head, limits);
    }
    if (v.status != 0) {
        return v;
    }
    struct framing framing = {.version_1_1 = view_equal_str(head->version, "HTTP/1.1")};
    for (size_t i = 0; i < head->count; i++) {
        if (!is_token(head->fields[i].name)) {
            REFUSE(400, "a field name is not a token");
        }
        if (!is_value(head->fields[i].value)) {
            REFUSE(400, "a field value has a control character");
        }
        note_field(&head->fields[i], &framing);
    }
    return check_framing(&framing, limits);
}

void
gate_check(const struct gate_head *head, const struct gate_limits *limits,
           struct gate_verdict *ret_verdict)
{
    *ret_verdict = check_head(head, limits);
}
