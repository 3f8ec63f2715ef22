/* Verifying: everything is computed anew from the entries, and compared with what stands there. */
#include "govern/audit.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "govern/standing.h"
#include "govern/tile.h"
#include "govern/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DURATION_KEY ",\"duration_ns\":"
/* Entries of one moment are not written in the order of their ends. */
#define CLOCK_SLACK NS_PER_S

struct verifier {
    const struct standing *s;
    struct diag *diag;
    struct merkle_edge *edge;
    struct audit_report *report;
    struct digest base_root;        /* of the first header.base entries */
    const struct audit_seen *seen;  /* size 0: nothing */
    struct digest seen_root;        /* of the first seen->size entries, as they are now */
    int64_t last_end;               /* wall time */
    size_t bundle_at[MERKLE_WIDTH]; /* byte of each entry in the bundle that is being read */
};

/* Where the tile's bytes differ from what the entries give. A tile of level 0 names the entry as
 * well. */
static struct status
compare_tile(const struct verifier *v, unsigned level, uint64_t index, unsigned width,
             const struct digest *hashes)
{
    const struct tile_id id = {level, index, width};
    struct tile_place at, entries;
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, TILE_BYTES);
    TRY(tile_read(v->s->dir, &id, v->diag, &bytes));
    for (unsigned i = 0; i < width; i++) {
        if (memcmp(bytes.ptr + (size_t)i * DIGEST_BYTES, hashes[i].bytes, DIGEST_BYTES) == 0) {
            continue;
        }
        tile_find(v->s->dir, &id, &at);
        if (level > 0) {
            diag_set(v->diag, "%s: byte %llu: this hash is not that of the tile below", at.file,
                     (unsigned long long)at.at + i * DIGEST_BYTES);
            FAIL(INTEGRITY);
        }
        const struct tile_id bundle = {TILE_ENTRIES, index, width};
        tile_find(v->s->dir, &bundle, &entries);
        diag_set(v->diag,
                 "%s: byte %llu: entry %llu does not have the hash at %s byte %llu: one of the two "
                 "was changed",
                 entries.file, (unsigned long long)entries.at + v->bundle_at[i],
                 (unsigned long long)(index * MERKLE_WIDTH + i), at.file,
                 (unsigned long long)at.at + i * DIGEST_BYTES);
        FAIL(INTEGRITY);
    }
    return OK;
}

static struct status
full_tile(void *ctx, unsigned level, uint64_t index, const struct digest *hashes)
{
    return compare_tile(ctx, level, index, MERKLE_WIDTH, hashes);
}

/* The number at the end of an entry whose last key is the duration; 0 without. */
static int64_t
duration_of(struct view entry)
{
    const size_t key = sizeof DURATION_KEY - 1;
    size_t at = entry.len - 1; /* of the closing brace */
    while (at > 0 && entry.ptr[at - 1] >= '0' && entry.ptr[at - 1] <= '9') {
        at--;
    }
    uint64_t ns = 0;
    if (at < key || memcmp(entry.ptr + at - key, DURATION_KEY, key) != 0 ||
        !status_ok(text_to_u64(view_of(entry.ptr + at, entry.len - 1 - at), &ns)) ||
        ns > (uint64_t)(INT64_MAX / 4)) {
        return 0;
    }
    return (int64_t)ns;
}

static void
note_time(struct verifier *v, uint64_t index, struct view entry)
{
    int64_t time = 0;
    if (!audit_event_time(entry, &time) || time < 0 || time > INT64_MAX / 2) {
        return;
    }
    const int64_t end = time + duration_of(entry);
    if (end < v->last_end - CLOCK_SLACK && v->report->clock_back++ == 0) {
        v->report->first_clock_back = index;
    }
    v->last_end = end;
}

/* Inside a JSON string the quotes would be escaped: the key can stand nowhere else. */
static struct view
action_of(struct view entry)
{
    static const char key[] = ",\"action\":\"";
    const uint8_t *at = memmem(entry.ptr, entry.len, key, sizeof key - 1);
    if (at == NULL) {
        return view_of(NULL, 0);
    }
    at += sizeof key - 1;
    const size_t left = (size_t)(entry.ptr + entry.len - at);
    const uint8_t *end = memchr(at, '"', left);
    return view_of(at, end == NULL ? left : (size_t)(end - at));
}

static void
note_entry(struct verifier *v, uint64_t index, struct view entry)
{
    const struct view action = action_of(entry);
    note_time(v, index, entry);
    v->report->gaps += view_equal_str(action, AUDIT_GAP);
    v->report->repairs += view_equal_str(action, AUDIT_REPAIR);
}

/* The journal's header says what the root was when it began. */
static struct status
check_base(const struct verifier *v)
{
    if (!merkle_equal(&v->base_root, &v->s->header.root)) {
        diag_set(v->diag, "journal: byte 24: its root is not that of the first %llu entries",
                 (unsigned long long)v->s->header.base);
        FAIL(INTEGRITY);
    }
    return OK;
}

/* The roots of the sizes that something else has a root of. */
static void
note_roots(struct verifier *v)
{
    if (v->edge->size == v->s->header.base) {
        merkle_edge_root(v->edge, &v->base_root);
    }
    if (v->edge->size == v->seen->size) {
        merkle_edge_root(v->edge, &v->seen_root);
    }
}

static struct status
grow(struct verifier *v, struct view entry)
{
    struct digest leaf;
    merkle_leaf(entry, &leaf);
    TRY(merkle_edge_push(v->edge, &leaf, (struct merkle_sink){full_tile, v}));
    note_roots(v);
    return OK;
}

/* A bundle whose lengths do not add up: the first entry that is not the one its tile's hash is of.
 * Without one, the failure stays as it was. */
static struct status
locate_bad_entry(const struct verifier *v, const struct tile_id *id, struct status failure)
{
    const struct tile_id tile = {0, id->index, id->width};
    struct tile_place place;
    DEFER(buf_done) struct buf bytes;
    DEFER(buf_done) struct buf hashes;
    buf_init(&bytes, TILE_BUNDLE_MAX + 1);
    buf_init(&hashes, TILE_BYTES);
    if (!status_ok(tile_read_raw(v->s->dir, id, NULL, &bytes)) ||
        !status_ok(tile_read(v->s->dir, &tile, NULL, &hashes))) {
        return failure;
    }
    struct reader r = reader_of(buf_view(&bytes));
    for (unsigned i = 0; i < id->width; i++) {
        const size_t at = r.pos;
        struct view entry = {0};
        struct digest leaf = {0};
        if (tile_next_entry(&r, &entry)) {
            merkle_leaf(entry, &leaf);
        }
        if (memcmp(hashes.ptr + (size_t)i * DIGEST_BYTES, leaf.bytes, DIGEST_BYTES) != 0) {
            tile_find(v->s->dir, id, &place);
            diag_set(v->diag, "%s: byte %llu: entry %llu was changed or cut short", place.file,
                     (unsigned long long)place.at + at,
                     (unsigned long long)(id->index * MERKLE_WIDTH + i));
            FAIL(INTEGRITY);
        }
    }
    return failure;
}

static struct status
verify_bundle(struct verifier *v, const struct tile_id *id)
{
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, TILE_BUNDLE_MAX);
    const struct status read = tile_read(v->s->dir, id, v->diag, &bytes);
    if (!status_ok(read)) {
        return locate_bad_entry(v, id, read);
    }
    struct reader r = reader_of(buf_view(&bytes));
    for (unsigned i = 0; i < id->width; i++) {
        struct view entry = {0};
        v->bundle_at[i] = r.pos;
        ASSERT(tile_next_entry(&r, &entry)); /* tile_read has counted them */
        const uint64_t index = id->index * MERKLE_WIDTH + i;
        if (v->report->from == 0 || index >= v->seen->size) {
            note_entry(v, index, entry);
        }
        TRY(grow(v, entry));
    }
    return OK;
}

/* The unfinished tiles of the first `size` entries, a multiple of 256, out of today's tiles. */
static struct status
load_edge(struct verifier *v, uint64_t size)
{
    for (unsigned level = 1; level < MERKLE_LEVELS; level++) {
        const unsigned width = merkle_width(size, level);
        const struct tile_id id =
            tile_holding(level, merkle_index(size, level) << 8, v->s->checkpoint.size);
        DEFER(buf_done) struct buf b;
        buf_init(&b, TILE_BYTES);
        if (width != 0) {
            TRY(tile_read(v->s->dir, &id, v->diag, &b));
            ASSERT(b.len >= (size_t)width * DIGEST_BYTES); /* the log has grown since */
            memcpy(v->edge->tiles[level], b.ptr, (size_t)width * DIGEST_BYTES);
        }
    }
    v->edge->size = size;
    return OK;
}

/* Where reading begins: in the bundle in which what was seen ends. */
static struct status
begin(struct verifier *v)
{
    const struct audit_seen *seen = v->seen;
    const struct standing *s = v->s;
    struct audit_report *r = v->report;
    r->from = seen->size / MERKLE_WIDTH * MERKLE_WIDTH;
    if (r->from == 0) {
        note_roots(v);
        return OK;
    }
    r->clock_back = seen->clock_back;
    r->first_clock_back = seen->first_clock_back;
    r->gaps = seen->gaps;
    r->repairs = seen->repairs;
    v->last_end = seen->last_end_ns;
    TRY(load_edge(v, r->from));
    note_roots(v);
    return s->header.base >= r->from
               ? OK
               : tree_root_at(s->dir, &s->checkpoint, s->header.base, v->diag, &v->base_root);
}

static struct status
check_not_shorter(const struct verifier *v)
{
    if (v->s->checkpoint.size < v->seen->size) {
        diag_set(v->diag,
                 "checkpoint: byte 0: the log was rolled back: it has %llu entries, and %llu were "
                 "seen before",
                 (unsigned long long)v->s->checkpoint.size, (unsigned long long)v->seen->size);
        FAIL(INTEGRITY);
    }
    return OK;
}

static struct status
check_seen(const struct verifier *v)
{
    if (v->seen->size > 0 && !merkle_equal(&v->seen_root, &v->seen->root)) {
        diag_set(v->diag,
                 "checkpoint: byte 0: the log was replaced: its first %llu entries are not those "
                 "that were seen before",
                 (unsigned long long)v->seen->size);
        FAIL(INTEGRITY);
    }
    return OK;
}

static struct status
verify_tree(struct verifier *v)
{
    const uint64_t size = v->s->checkpoint.size;
    for (uint64_t at = v->report->from; at < size;) {
        const struct tile_id id = tile_holding(TILE_ENTRIES, at, size);
        TRY(verify_bundle(v, &id));
        at = id.index * MERKLE_WIDTH + id.width;
    }
    for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
        const unsigned width = merkle_width(size, level);
        if (width > 0) {
            TRY(compare_tile(v, level, merkle_index(size, level), width, v->edge->tiles[level]));
        }
    }
    merkle_edge_root(v->edge, &v->report->root);
    if (!merkle_equal(&v->report->root, &v->s->checkpoint.root)) {
        diag_set(v->diag,
                 "checkpoint: byte 0: its root is not that of the %llu entries: they were "
                 "replaced, tiles and all",
                 (unsigned long long)size);
        FAIL(INTEGRITY);
    }
    TRY(check_base(v));
    return check_seen(v);
}

static void
note_pending(struct verifier *v)
{
    size_t pos = 0;
    struct view entry = {0};
    for (uint64_t i = v->s->checkpoint.size; journal_entry(v->s->records, &pos, &entry); i++) {
        note_entry(v, i, entry);
    }
}

/* What the next verification begins with: without the journal's entries, which it reads again. */
static void
keep_seen(const struct verifier *v, struct audit_seen *ret_seen)
{
    const struct audit_report *r = v->report;
    *ret_seen = (struct audit_seen){.size = v->s->checkpoint.size,
                                    .root = r->root,
                                    .last_end_ns = v->last_end,
                                    .clock_back = r->clock_back,
                                    .first_clock_back = r->first_clock_back,
                                    .gaps = r->gaps,
                                    .repairs = r->repairs};
}

/* full: `seen` is held against the log, and nothing is left out for it. */
static struct status
verify(struct verifier *v, bool full, struct audit_seen *ret_seen)
{
    struct audit_report *r = v->report;
    const struct standing *s = v->s;
    TRY(check_not_shorter(v));
    if (full) {
        note_roots(v);
    } else {
        TRY(begin(v));
    }
    TRY(verify_tree(v));
    keep_seen(v, ret_seen);
    note_pending(v);
    r->entries = s->checkpoint.size;
    r->pending = s->pending;
    text_copy(r->origin, sizeof r->origin, s->checkpoint.origin);
    return OK;
}

static struct status
stand_and_verify(const char *dir, const char *vkey, const struct audit_seen *seen, bool full,
                 struct diag *diag, struct audit_report *ret_report, struct audit_seen *ret_seen,
                 struct buf *ret_note)
{
    struct audit_report r = {0};
    DEFER(standing_done) struct standing s = {0};
    DEFER(memory_freep) struct merkle_edge *edge = calloc(1, sizeof *edge);
    CHECK(edge != NULL, MEMORY);
    TRY(standing_take(dir, vkey, diag, &s));
    struct verifier v = {.s = &s, .diag = diag, .edge = edge, .report = &r, .seen = seen};
    TRY(verify(&v, full, ret_seen));
    if (ret_note != NULL) {
        buf_put(ret_note, buf_view(&s.note));
        TRY(buf_status(ret_note));
    }
    *ret_report = r;
    return OK;
}

struct status
audit_verify_since(const char *dir, const char *vkey, const struct audit_seen *seen, bool full,
                   struct audit_fault *ret_fault, struct audit_report *ret_report,
                   struct audit_seen *ret_seen, struct buf *ret_note)
{
    struct diag diag = {0};
    struct audit_seen now = {0};
    const struct status s =
        stand_and_verify(dir, vkey, seen, full, &diag, ret_report, &now, ret_note);
    if (!status_ok(s)) {
        (void)snprintf(ret_fault->text, sizeof ret_fault->text, "%.500s", diag.text);
        return s;
    }
    *ret_seen = now;
    return OK;
}

struct status
audit_verify(const char *dir, const char *vkey, struct audit_fault *ret_fault,
             struct audit_report *ret_report)
{
    const struct audit_seen none = {0};
    struct audit_seen seen;
    return audit_verify_since(dir, vkey, &none, true, ret_fault, ret_report, &seen, NULL);
}

struct status
audit_vkey(const char *dir, const char *vkey, struct diag *diag, struct buf *ret_vkey)
{
    struct note_key key;
    TRY(standing_key(dir, vkey, diag, &key));
    note_put_vkey(&key, ret_vkey);
    return buf_status(ret_vkey);
}
