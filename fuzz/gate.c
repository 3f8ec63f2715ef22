/* A request's head: first line's three words, then "name: value" lines, split by '\n' only, so that
 * every other byte reaches the gate. */
#include "serve/gate.h"

#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct view
take(struct view *from, uint8_t end)
{
    const uint8_t *mark = from->len == 0 ? NULL : memchr(from->ptr, end, from->len);
    const size_t n = mark == NULL ? from->len : (size_t)(mark - from->ptr);
    const struct view part = view_of(from->ptr, n);
    *from = view_of(from->ptr + n + (mark != NULL), from->len - n - (mark != NULL));
    return part;
}

/* A path that a router, a proxy and a file system read alike: no empty, "." or ".." segment. */
static void
check_path(struct view target)
{
    static const char *const odd[] = {"//", "/./", "/../"};
    char path[GATE_TARGET_BYTES + 2];
    const uint8_t *query = memchr(target.ptr, '?', target.len);
    size_t n = query == NULL ? target.len : (size_t)(query - target.ptr);
    memcpy(path, target.ptr, n);
    ASSERT(target.ptr[0] == '/' && memchr(path, '\0', n) == NULL);
    if (path[n - 1] != '/') {
        path[n++] = '/';
    }
    path[n] = '\0';
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        ASSERT(strstr(path, odd[i]) == NULL);
    }
}

/* What was let through is what RFC 9112 calls unambiguous. */
static void
check(const struct gate_head *head, const struct gate_limits *limits, const struct gate_verdict *v)
{
    unsigned framings = 0;
    for (size_t i = 0; i < head->count; i++) {
        const struct gate_field *f = &head->fields[i];
        framings +=
            f->name.len == 14 && strncasecmp((const char *)f->name.ptr, "content-length", 14) == 0;
        framings += f->name.len == 17 &&
                    strncasecmp((const char *)f->name.ptr, "transfer-encoding", 17) == 0;
        ASSERT(f->name.len > 0 && memchr(f->name.ptr, ' ', f->name.len) == NULL);
        ASSERT(f->value.len == 0 || memchr(f->value.ptr, '\r', f->value.len) == NULL);
        ASSERT(f->value.len == 0 || memchr(f->value.ptr, '\0', f->value.len) == NULL);
    }
    ASSERT(framings <= 1 && v->length <= limits->body_bytes);
    ASSERT(head->count > 0);
    check_path(head->target);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gate_limits limits = {16384, 64, GATE_TARGET_BYTES, 1 << 20, true};
    struct gate_field fields[GATE_FIELDS_MAX];
    struct view rest = view_of(data, size), line = take(&rest, '\n');
    struct gate_head head = {.fields = fields};
    head.method = take(&line, ' ');
    head.target = take(&line, ' ');
    head.version = line;
    while (rest.len > 0 && head.count < GATE_FIELDS_MAX) {
        struct view field = take(&rest, '\n');
        fields[head.count].name = take(&field, ':');
        fields[head.count++].value = field;
    }
    struct gate_verdict v;
    gate_check(&head, &limits, &v);
    ASSERT((v.status == 0) == (v.reason == NULL));
    if (v.status == 0) {
        check(&head, &limits, &v);
    }
    return 0;
}
