#include "govern/index.h"

#include "base/file.h"
#include "base/text.h"
#include "govern/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC "SWINDEX1"
#define HEAD_BYTES                                                                                 \
    (8u + 8 + 2 * DIGEST_BYTES + 16 + QUERY_LISTS * (8u + DIGEST_BYTES) + DIGEST_BYTES)
#define ROW_BYTES 16u
#define DENSE 1024u /* entries from which a list is a set of bits */
#define ENTRY_ARENA (1u << 20)
#define SEGMENT_MAX (64u << 20)

/* ---- making ---- */

struct posting {
    uint64_t hash;
    uint16_t at;
    uint8_t list;
};

struct index_build {
    struct arena *arena;
    struct posting *postings;
    size_t count, room;
    uint16_t at; /* of the entry that is being added */
    bool failed;
    uint32_t entries;
    int64_t first_ns, last_ns;
};

static uint64_t
hash_of(enum query_list list, struct view value)
{
    const uint8_t prefix = (uint8_t)list;
    struct digest d;
    digest_prefixed(prefix, value, (struct view){0}, &d);
    struct reader r = reader_of(view_of(d.bytes, sizeof d.bytes));
    return reader_u64be(&r);
}

struct index_build *
index_build_new(void)
{
    struct index_build *b = calloc(1, sizeof *b);
    if (b != NULL) {
        b->arena = arena_new(ENTRY_ARENA);
    }
    if (b == NULL || b->arena == NULL) {
        index_build_free(b);
        return NULL;
    }
    return b;
}

void
index_build_free(struct index_build *b)
{
    if (b != NULL) {
        arena_free(b->arena);
        free(b->postings);
        free(b);
    }
}

void
index_build_begin(struct index_build *b)
{
    b->count = 0;
    b->entries = 0;
    b->failed = false;
    b->first_ns = INT64_MAX;
    b->last_ns = INT64_MIN;
}

struct adding {
    struct index_build *b;
    enum query_list list;
};

static void
add_value(void *ctx, struct view value)
{
    const struct adding *a = ctx;
    struct index_build *b = a->b;
    if (b->count == b->room) {
        const size_t room = b->room == 0 ? 1u << 16 : 2 * b->room;
        struct posting *more = realloc(b->postings, room * sizeof *more);
        if (more == NULL) {
            b->failed = true;
            return;
        }
        b->postings = more;
        b->room = room;
    }
    b->postings[b->count++] =
        (struct posting){.hash = hash_of(a->list, value), .at = b->at, .list = (uint8_t)a->list};
}

struct status
index_build_add(struct index_build *b, struct view entry)
{
    const struct js_node *root = NULL;
    int64_t time = 0;
    ASSERT(b->entries < INDEX_ENTRIES);
    b->at = (uint16_t)b->entries++;
    arena_reset(b->arena);
    if (!status_ok(js_flat(entry, NULL, b->arena, NULL, &root)) || root->kind != JS_OBJECT) {
        b->first_ns = INT64_MIN; /* nobody knows when it was */
        b->last_ns = INT64_MAX;
        return OK;
    }
    if (!audit_event_time(entry, &time)) {
        b->first_ns = INT64_MIN;
        b->last_ns = INT64_MAX;
    } else {
        b->first_ns = time < b->first_ns ? time : b->first_ns;
        b->last_ns = time > b->last_ns ? time : b->last_ns;
    }
    for (enum query_list list = 0; list < QUERY_LISTS; list++) {
        struct adding a = {b, list};
        query_values(root, list, add_value, &a);
    }
    CHECK(!b->failed, MEMORY);
    return OK;
}

static int
by_list(const void *a, const void *b)
{
    const struct posting *x = a, *y = b;
    return x->list != y->list   ? (x->list > y->list) - (x->list < y->list)
           : x->hash != y->hash ? (x->hash > y->hash) - (x->hash < y->hash)
                                : (x->at > y->at) - (x->at < y->at);
}

/* The entries of one value, each once; p[0..n) has them in order. */
static uint32_t
put_entries(const struct posting *p, size_t n, struct buf *data)
{
    uint8_t set[INDEX_SET_BYTES] = {0};
    uint32_t distinct = 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && p[i].at == p[i - 1].at) {
            continue;
        }
        distinct++;
        set[p[i].at / 8] |= (uint8_t)(1u << p[i].at % 8);
    }
    if (distinct > DENSE) {
        buf_put(data, view_of(set, sizeof set));
        return distinct;
    }
    for (size_t i = 0; distinct > 1 && i < n; i++) {
        if (i == 0 || p[i].at != p[i - 1].at) {
            buf_put_u16be(data, p[i].at);
        }
    }
    return distinct;
}

/* Rows by hash, then the lists; a list of one entry is in its row. */
static void
put_section(const struct posting *p, size_t n, struct buf *rows, struct buf *data)
{
    for (size_t i = 0, next = 0; i < n; i = next) {
        for (next = i; next < n && p[next].hash == p[i].hash; next++) {
        }
        const uint32_t offset = (uint32_t)data->len;
        const uint32_t count = put_entries(p + i, next - i, data);
        buf_put_u64be(rows, p[i].hash);
        buf_put_u32be(rows, count);
        buf_put_u32be(rows, count == 1 ? p[i].at : offset);
    }
}

static struct status
put_sections(const struct index_build *b, struct index_head *h, struct buf *body)
{
    DEFER(buf_done) struct buf rows;
    DEFER(buf_done) struct buf data;
    buf_init(&rows, SEGMENT_MAX);
    buf_init(&data, SEGMENT_MAX);
    for (size_t list = 0, i = 0, next = 0; list < QUERY_LISTS; list++, i = next) {
        buf_reset(&rows);
        buf_reset(&data);
        for (next = i; next < b->count && b->postings[next].list == list; next++) {
        }
        put_section(b->postings + i, next - i, &rows, &data);
        TRY(buf_status(&rows));
        TRY(buf_status(&data));
        const size_t at = body->len;
        buf_put_u32be(body, (uint32_t)(rows.len / ROW_BYTES));
        buf_put(body, buf_view(&rows));
        buf_put(body, buf_view(&data));
        TRY(buf_status(body));
        h->section[list].offset = (uint32_t)(HEAD_BYTES + at);
        h->section[list].length = (uint32_t)(body->len - at);
        digest_of(view_of(body->ptr + at, body->len - at), &h->section[list].digest);
    }
    return OK;
}

static void
put_head(struct index_head *h, struct buf *b)
{
    buf_put_str(b, MAGIC);
    buf_put_u64be(b, h->number);
    buf_put(b, view_of(h->root.bytes, DIGEST_BYTES));
    buf_put(b, view_of(h->before.bytes, DIGEST_BYTES));
    buf_put_u64be(b, (uint64_t)h->first_ns);
    buf_put_u64be(b, (uint64_t)h->last_ns);
    for (size_t i = 0; i < QUERY_LISTS; i++) {
        buf_put_u32be(b, h->section[i].offset);
        buf_put_u32be(b, h->section[i].length);
        buf_put(b, view_of(h->section[i].digest.bytes, DIGEST_BYTES));
    }
    digest_of(buf_view(b), &h->digest);
    buf_put(b, view_of(h->digest.bytes, DIGEST_BYTES));
}

struct status
index_build_end(struct index_build *b, uint64_t number, const struct digest *root,
                const struct digest *before, struct buf *ret_segment, struct digest *ret_digest)
{
    DEFER(buf_done) struct buf body;
    struct index_head h = {.number = number,
                           .root = *root,
                           .before = *before,
                           .first_ns = b->first_ns,
                           .last_ns = b->last_ns};
    ASSERT(b->entries == INDEX_ENTRIES && ret_segment->len == 0);
    buf_init(&body, SEGMENT_MAX);
    if (b->count > 0) {
        qsort(b->postings, b->count, sizeof *b->postings, by_list);
    }
    TRY(put_sections(b, &h, &body));
    put_head(&h, ret_segment);
    buf_put(ret_segment, buf_view(&body));
    *ret_digest = h.digest;
    return buf_status(ret_segment);
}

/* ---- reading ---- */

char *
index_path(const char *dir, uint64_t number)
{
    char name[40];
    (void)snprintf(name, sizeof name, "index/%llu", (unsigned long long)number);
    return file_join(dir, name);
}

/* Exactly those bytes. */
static struct status
read_part(const char *dir, uint64_t number, uint64_t offset, size_t n, struct buf *ret_bytes)
{
    DEFER(file_freep) char *path = index_path(dir, number);
    DEFER(file_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    CHECK(fd >= 0 || errno != ENOENT, NOT_FOUND);
    CHECK(fd >= 0, IO);
    uint8_t *to = buf_extend(ret_bytes, n);
    CHECK(to != NULL, MEMORY);
    const ssize_t got = pread(fd, to, n, (off_t)offset);
    CHECK(got >= 0, IO);
    CHECK((size_t)got == n, INTEGRITY);
    return OK;
}

static void
take_digest(struct reader *r, struct digest *ret_digest)
{
    const struct view v = reader_bytes(r, DIGEST_BYTES);
    if (v.len == DIGEST_BYTES) {
        memcpy(ret_digest->bytes, v.ptr, DIGEST_BYTES);
    }
}

struct status
index_head_read(const char *dir, uint64_t number, struct index_head *ret_head, uint64_t *ret_bytes)
{
    DEFER(buf_done) struct buf bytes;
    struct index_head h = {0};
    struct digest own;
    buf_init(&bytes, HEAD_BYTES);
    TRY(read_part(dir, number, 0, HEAD_BYTES, &bytes));
    struct reader r = reader_of(buf_view(&bytes));
    CHECK(memcmp(reader_bytes(&r, strlen(MAGIC)).ptr, MAGIC, strlen(MAGIC)) == 0, INTEGRITY);
    h.number = reader_u64be(&r);
    take_digest(&r, &h.root);
    take_digest(&r, &h.before);
    h.first_ns = (int64_t)reader_u64be(&r);
    h.last_ns = (int64_t)reader_u64be(&r);
    for (size_t i = 0; i < QUERY_LISTS; i++) {
        h.section[i].offset = reader_u32be(&r);
        h.section[i].length = reader_u32be(&r);
        take_digest(&r, &h.section[i].digest);
    }
    take_digest(&r, &h.digest);
    digest_of(view_of(bytes.ptr, HEAD_BYTES - DIGEST_BYTES), &own);
    CHECK(h.number == number && merkle_equal(&own, &h.digest), INTEGRITY);
    *ret_head = h;
    *ret_bytes += HEAD_BYTES;
    return OK;
}

/* The row of a hash; false: the value is nowhere in the segment. */
static bool
find_row(struct view rows, uint64_t hash, uint32_t *ret_count, uint32_t *ret_offset)
{
    for (size_t low = 0, high = rows.len / ROW_BYTES; low < high;) {
        const size_t middle = low + (high - low) / 2;
        struct reader r = reader_of(view_of(rows.ptr + middle * ROW_BYTES, ROW_BYTES));
        const uint64_t at = reader_u64be(&r);
        if (at == hash) {
            *ret_count = reader_u32be(&r);
            *ret_offset = reader_u32be(&r);
            return true;
        }
        low = at < hash ? middle + 1 : low;
        high = at < hash ? high : middle;
    }
    return false;
}

static struct status
find_entries(struct view section, uint64_t hash, uint8_t set[static INDEX_SET_BYTES])
{
    struct reader r = reader_of(section);
    uint32_t count = 0, offset = 0;
    const uint64_t rows_bytes = (uint64_t)reader_u32be(&r) * ROW_BYTES;
    CHECK(!r.bad && rows_bytes <= reader_left(&r), INTEGRITY);
    const struct view rows = reader_bytes(&r, (size_t)rows_bytes);
    if (!find_row(rows, hash, &count, &offset)) {
        return OK;
    }
    if (count == 1) {
        CHECK(offset < INDEX_ENTRIES, INTEGRITY);
        set[offset / 8] |= (uint8_t)(1u << offset % 8);
        return OK;
    }
    (void)reader_bytes(&r, offset);
    if (count > DENSE) {
        const struct view bits = reader_bytes(&r, INDEX_SET_BYTES);
        CHECK(!r.bad, INTEGRITY);
        memcpy(set, bits.ptr, INDEX_SET_BYTES);
        return OK;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint16_t at = reader_u16be(&r);
        CHECK(!r.bad && at < INDEX_ENTRIES, INTEGRITY);
        set[at / 8] |= (uint8_t)(1u << at % 8);
    }
    return OK;
}

struct status
index_keep(const char *dir, const struct index_head *h, enum query_list list, struct view value,
           uint8_t *set, uint64_t *ret_bytes)
{
    const struct index_section *s = &h->section[list];
    uint8_t found[INDEX_SET_BYTES] = {0};
    struct digest own;
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, SEGMENT_MAX);
    TRY(read_part(dir, h->number, s->offset, s->length, &bytes));
    *ret_bytes += s->length;
    digest_of(buf_view(&bytes), &own);
    CHECK(merkle_equal(&own, &s->digest), INTEGRITY);
    TRY(find_entries(buf_view(&bytes), hash_of(list, value), found));
    for (size_t i = 0; i < INDEX_SET_BYTES; i++) {
        set[i] &= found[i];
    }
    return OK;
}
