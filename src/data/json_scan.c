#include "data/json_scan.h"

#include "base/file.h"
#include "data/encoding.h"
#include "data/import.h"
#include "data/table_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK (256u << 10)

struct scan {
    const char *shown;
    struct diag *diag;
    uint64_t line; /* from 1 */
    uint64_t records;
    unsigned depth;        /* of brackets */
    unsigned record_depth; /* 1: objects in sequence; 2: objects in a list; 0: not known yet */
    bool in_string, escaped;
    bool name_next, in_name; /* a member's name begins with the next quote; is being read */
    uint64_t hash;           /* of the name so far */
    uint64_t *names;         /* open addressing; 0 is empty */
    uint32_t name_count, max_columns, slots;
};

static struct status
refuse(const struct scan *s, const char *what)
{
    diag_set(s->diag, "%s line %llu: %s", s->shown, (unsigned long long)s->line, what);
    FAIL(INPUT);
}

static struct status
add_name(struct scan *s)
{
    const uint64_t hash = s->hash == 0 ? 1 : s->hash;
    uint32_t k = (uint32_t)(hash % s->slots);
    while (s->names[k] != 0 && s->names[k] != hash) {
        k = (k + 1) % s->slots;
    }
    if (s->names[k] == hash) {
        return OK;
    }
    if (s->name_count == s->max_columns) {
        diag_set(s->diag, "%s line %llu: more than %u columns", s->shown,
                 (unsigned long long)s->line, s->max_columns);
        FAIL(LIMIT);
    }
    s->names[k] = hash;
    s->name_count++;
    return OK;
}

static struct status
take_in_string(struct scan *s, uint8_t c)
{
    if (!s->escaped && c == '"') {
        s->in_string = false;
        const bool name = s->in_name;
        s->in_name = false;
        return name ? add_name(s) : OK;
    }
    s->escaped = !s->escaped && c == '\\';
    s->hash = (s->hash ^ c) * UINT64_C(0x100000001b3); /* FNV-1a */
    return OK;
}

static struct status
open_bracket(struct scan *s, uint8_t c)
{
    if (s->record_depth == 0) {
        s->record_depth = c == '{' ? 1 : 2;
    }
    if (s->depth >= s->record_depth) {
        return refuse(s, "a list or an object inside a record; a table's columns are plain values");
    }
    s->depth++;
    if (s->depth == s->record_depth && c != '{') {
        return refuse(s,
                      "a list where a record was expected, such as {\"age\": 40, \"sex\": \"F\"}");
    }
    s->name_next = c == '{';
    s->records += s->depth == s->record_depth;
    return OK;
}

static struct status
take_byte(struct scan *s, uint8_t c)
{
    if (s->in_string) {
        return take_in_string(s, c);
    }
    if (c == '{' || c == '[') {
        return open_bracket(s, c);
    }
    if (c == '}' || c == ']') {
        s->depth -= s->depth > 0;
        return OK;
    }
    s->line += c == '\n';
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ':') {
        return OK;
    }
    if (c == ',') {
        s->name_next = s->depth == s->record_depth;
        return OK;
    }
    if (s->depth < s->record_depth || s->record_depth == 0) {
        return refuse(s, "not JSON records, such as {\"age\": 40, \"sex\": \"F\"}");
    }
    if (c == '"') {
        s->in_string = true;
        s->escaped = false;
        s->in_name = s->name_next;
        s->name_next = false;
        s->hash = UINT64_C(0xcbf29ce484222325);
    }
    return OK;
}

/* A byte order mark is skipped, as DuckDB does. */
static size_t
mark_length(const struct encoding *e, const uint8_t *bytes, size_t n)
{
    return !e->begun && n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

static struct status
check_size(const struct scan *s)
{
    if (s->name_count == 0) {
        diag_set(s->diag,
                 "%s: no values; records such as {\"age\": 40, \"sex\": \"F\"} were expected",
                 s->shown);
        FAIL(INPUT);
    }
    if (s->records > IMPORT_MAX_CELLS / s->name_count) {
        diag_set(s->diag, "%s: %llu records with %u different names are more than %llu cells",
                 s->shown, (unsigned long long)s->records, s->name_count,
                 (unsigned long long)IMPORT_MAX_CELLS);
        FAIL(LIMIT);
    }
    return OK;
}

static struct status
scan_all(struct scan *s, int fd, uint8_t *bytes)
{
    struct encoding e = {0};
    for (uint64_t at = 0;;) {
        const ssize_t n = pread(fd, bytes + ENCODING_ROOM, BLOCK, (off_t)at);
        if (n < 0) {
            return file_refuse_os(s->shown, errno, s->diag);
        }
        const size_t skip = mark_length(&e, bytes + ENCODING_ROOM, (size_t)n);
        TRY(encoding_check(&e, s->shown, s->diag, bytes, (size_t)n, n == 0));
        for (size_t i = skip; i < (size_t)n; i++) {
            TRY(take_byte(s, bytes[ENCODING_ROOM + i]));
        }
        if (n == 0) {
            return check_size(s);
        }
        at += (uint64_t)n;
    }
}

struct status
json_scan(int fd, const char *shown, uint32_t max_columns, struct diag *diag)
{
    const uint32_t slots = max_columns * 2 + 1;
    DEFER(memory_freep) uint64_t *names = build_alloc(slots, sizeof *names);
    DEFER(buf_done) struct buf block;
    buf_init(&block, BLOCK + ENCODING_ROOM);
    uint8_t *bytes = buf_extend(&block, BLOCK + ENCODING_ROOM);
    CHECK(names != NULL && bytes != NULL, MEMORY);
    struct scan s = {.shown = shown,
                     .diag = diag,
                     .line = 1,
                     .names = names,
                     .max_columns = max_columns,
                     .slots = slots};
    return scan_all(&s, fd, bytes);
}
