#include "govern/tree.h"

#include "base/file.h"
#include "govern/audit.h"
#include "govern/journal.h"
#include "govern/tile.h"

#include <stdlib.h>
#include <string.h>

struct tree {
    char *dir;
    struct merkle_edge edge;
    struct buf bundle;      /* the entries of the unfinished bundle, as its file has them */
    uint64_t bundle_begins; /* there */
    uint64_t written;       /* the size whose unfinished tiles are on disk */
    size_t written_bundle;  /* their bundle's bytes */
};

struct tree *
tree_new(const char *dir)
{
    struct tree *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return NULL;
    }
    buf_init(&t->bundle, TILE_BUNDLE_MAX);
    t->dir = strdup(dir);
    if (t->dir == NULL) {
        free(t);
        return NULL;
    }
    return t;
}

void
tree_free(struct tree *t)
{
    if (t != NULL) {
        buf_done(&t->bundle);
        free(t->dir);
        free(t);
    }
}

struct status
tree_copy(struct tree *to, const struct tree *from)
{
    memcpy(&to->edge, &from->edge, sizeof to->edge);
    to->written = from->written;
    to->written_bundle = from->written_bundle;
    to->bundle_begins = from->bundle_begins;
    buf_reset(&to->bundle);
    buf_put(&to->bundle, buf_view(&from->bundle));
    return buf_status(&to->bundle);
}

uint64_t
tree_size(const struct tree *t)
{
    return t->edge.size;
}

void
tree_root(const struct tree *t, struct digest *ret_root)
{
    merkle_edge_root(&t->edge, ret_root);
}

/* ---- loading ---- */

static void
keep_written(struct tree *t)
{
    t->written = t->edge.size;
    t->written_bundle = t->bundle.len;
}

static struct status
load_edge(struct tree *t, uint64_t size, struct diag *diag)
{
    t->edge.size = size;
    for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
        const struct tile_id id = {level, merkle_index(size, level), merkle_width(size, level)};
        DEFER(buf_done) struct buf b;
        buf_init(&b, TILE_BYTES);
        if (id.width != 0) {
            TRY(tile_read(t->dir, &id, diag, &b));
            memcpy(t->edge.tiles[level], b.ptr, b.len);
        }
    }
    return OK;
}

/* Are the bundle's entries those of its hashes? */
static struct status
check_bundle(const struct tree *t, const struct tile_id *id, struct view bytes,
             const struct digest *hashes, struct diag *diag)
{
    struct reader r = reader_of(bytes);
    for (unsigned i = 0; i < id->width; i++) {
        const size_t at = r.pos;
        struct view entry = {0};
        struct digest leaf;
        struct tile_place place;
        ASSERT(tile_next_entry(&r, &entry)); /* tile_read has counted them */
        merkle_leaf(entry, &leaf);
        if (!merkle_equal(&leaf, &hashes[i])) {
            tile_find(t->dir, id, &place);
            diag_set(diag, "%s: byte %llu: entry %llu is not the one that was signed", place.file,
                     (unsigned long long)place.at + at,
                     (unsigned long long)(id->index * MERKLE_WIDTH + i));
            FAIL(INTEGRITY);
        }
    }
    return OK;
}

/* The last full bundle's end is where the next one will be written: it must be right. */
static struct status
check_last_bundle(struct tree *t, uint64_t next, struct diag *diag)
{
    const struct tile_id bundle = {TILE_ENTRIES, next - 1, MERKLE_WIDTH};
    const struct tile_id tile = {0, next - 1, MERKLE_WIDTH};
    struct digest hashes[MERKLE_WIDTH];
    DEFER(buf_done) struct buf bytes;
    DEFER(buf_done) struct buf b;
    buf_init(&bytes, TILE_BUNDLE_MAX);
    buf_init(&b, TILE_BYTES);
    TRY(tile_read(t->dir, &bundle, diag, &bytes));
    TRY(tile_read(t->dir, &tile, diag, &b));
    memcpy(hashes, b.ptr, sizeof hashes);
    return check_bundle(t, &bundle, buf_view(&bytes), hashes, diag);
}

static struct status
load_bundle(struct tree *t, struct diag *diag)
{
    const uint64_t size = t->edge.size;
    const struct tile_id id = {TILE_ENTRIES, merkle_index(size, 0), merkle_width(size, 0)};
    buf_reset(&t->bundle);
    const struct status s = tile_bundle_begins(t->dir, id.index, diag, &t->bundle_begins);
    CHECK(s.code != STATUS_NOT_FOUND, INTEGRITY);
    TRY(s);
    if (id.width == 0) {
        return id.index == 0 ? OK : check_last_bundle(t, id.index, diag);
    }
    TRY(tile_read(t->dir, &id, diag, &t->bundle));
    return check_bundle(t, &id, buf_view(&t->bundle), t->edge.tiles[0], diag);
}

struct status
tree_load(struct tree *t, const struct checkpoint *c, struct diag *diag)
{
    struct digest root;
    TRY(load_edge(t, c->size, diag));
    tree_root(t, &root);
    if (!merkle_equal(&root, &c->root)) {
        diag_set(
            diag,
            "tree: the unfinished tiles do not give the checkpoint's root; run \"audit verify\"");
        FAIL(INTEGRITY);
    }
    TRY(load_bundle(t, diag));
    keep_written(t); /* they were synced before it was signed */
    return OK;
}

struct status
tree_root_at(const char *dir, const struct checkpoint *c, uint64_t size, struct diag *diag,
             struct digest *ret_root)
{
    ASSERT(size <= c->size);
    if (size == c->size) {
        *ret_root = c->root;
        return OK;
    }
    DEFER(memory_freep) struct tile_source *source = calloc(1, sizeof *source);
    CHECK(source != NULL, MEMORY);
    source->dir = dir;
    source->size = c->size;
    source->diag = diag;
    return merkle_root_at((struct merkle_source){tile_node, source}, size, ret_root);
}

struct status
tree_check_extends(const char *dir, const struct checkpoint *before, const struct checkpoint *now,
                   struct diag *diag)
{
    struct digest root;
    if (now->size < before->size) {
        diag_set(diag, "checkpoint: byte 0: the log was rolled back from %llu entries to %llu",
                 (unsigned long long)before->size, (unsigned long long)now->size);
        FAIL(INTEGRITY);
    }
    TRY(tree_root_at(dir, now, before->size, diag, &root));
    if (!merkle_equal(&root, &before->root)) {
        diag_set(diag,
                 "checkpoint: byte 0: the log was replaced: its first %llu entries are not those "
                 "signed before",
                 (unsigned long long)before->size);
        FAIL(INTEGRITY);
    }
    return OK;
}

/* ---- growing ---- */

struct growth_sink {
    const struct tree *tree;
    struct tile_writer *writer;
    struct diag *diag;
};

static struct status
write_hashes(const struct growth_sink *s, unsigned level, uint64_t index, unsigned width,
             const struct digest *hashes)
{
    const uint64_t written = s->tree->written;
    const struct tile_id id = {level, index, width};
    const unsigned kept = merkle_index(written, level) == index ? merkle_width(written, level) : 0;
    return kept == width
               ? OK
               : tile_write_hashes(s->writer, &id, view_of(hashes, (size_t)width * DIGEST_BYTES),
                                   (size_t)kept * DIGEST_BYTES, s->diag);
}

static struct status
write_full_tile(void *ctx, unsigned level, uint64_t index, const struct digest *hashes)
{
    return write_hashes(ctx, level, index, MERKLE_WIDTH, hashes);
}

static struct status
write_bundle(const struct growth_sink *s, uint64_t index, unsigned width)
{
    const struct tree *t = s->tree;
    const struct tile_id id = {TILE_ENTRIES, index, width};
    const size_t kept = merkle_index(t->written, 0) == index ? t->written_bundle : 0;
    return kept == t->bundle.len ? OK
                                 : tile_write_bundle(s->writer, &id, t->bundle_begins,
                                                     buf_view(&t->bundle), kept, s->diag);
}

static struct status
grow_by(struct tree *t, struct growth_sink *s, struct view entry)
{
    struct digest leaf;
    buf_put_u16be(&t->bundle, (uint16_t)entry.len);
    buf_put(&t->bundle, entry);
    TRY(buf_status(&t->bundle));
    merkle_leaf(entry, &leaf);
    TRY(merkle_edge_push(&t->edge, &leaf, (struct merkle_sink){write_full_tile, s}));
    if (merkle_width(t->edge.size, 0) == 0) {
        TRY(write_bundle(s, merkle_index(t->edge.size, 0) - 1, MERKLE_WIDTH));
        t->bundle_begins += t->bundle.len;
        buf_reset(&t->bundle);
    }
    return OK;
}

/* Of the upper levels most stay as they are while a tile of the lowest fills. */
static struct status
write_unfinished(const struct tree *t, const struct growth_sink *s)
{
    const uint64_t size = t->edge.size;
    for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
        TRY(write_hashes(s, level, merkle_index(size, level), merkle_width(size, level),
                         t->edge.tiles[level]));
    }
    return write_bundle(s, merkle_index(size, 0), merkle_width(size, 0));
}

static struct status
grow_with(struct tree *t, struct growth_sink *s, struct view records, bool last)
{
    size_t pos = 0;
    struct view entry;
    while (journal_entry(records, &pos, &entry)) {
        TRY(grow_by(t, s, entry));
    }
    ASSERT(pos == records.len);
    if (!last) {
        return OK;
    }
    TRY(write_unfinished(t, s));
    TRY(tile_flush(s->writer, s->diag));
    keep_written(t);
    return OK;
}

struct status
tree_grow(struct tree *t, struct tile_writer *w, struct view records, bool last, struct diag *diag)
{
    return grow_with(t, &(struct growth_sink){t, w, diag}, records, last);
}

/* ---- checkpoint ---- */

struct status
tree_read_checkpoint(const char *dir, const struct note_key *key, struct diag *diag,
                     struct checkpoint *ret_checkpoint)
{
    DEFER(file_freep) char *path = file_join(dir, "checkpoint");
    DEFER(buf_done) struct buf note;
    buf_init(&note, NOTE_MAX);
    TRY(file_read(path, NOTE_MAX, diag, &note));
    const struct status s = checkpoint_open(buf_view(&note), key, diag, ret_checkpoint);
    if (!status_ok(s)) {
        diag_prefix(diag, "checkpoint");
    }
    return s;
}

struct status
tree_write_checkpoint(const char *dir, const struct audit_signer *signer,
                      const struct note_key *key, const struct checkpoint *c, struct diag *diag)
{
    DEFER(file_freep) char *path = file_join(dir, "checkpoint");
    DEFER(buf_done) struct buf text;
    DEFER(buf_done) struct buf note;
    uint8_t signature[NOTE_SIGNATURE_BYTES];
    buf_init(&text, NOTE_MAX);
    buf_init(&note, NOTE_MAX);
    checkpoint_put(&text, c);
    TRY(buf_status(&text));
    TRY(signer->sign(signer->ctx, buf_view(&text), signature));
    note_put(&note, buf_view(&text), key, signature);
    TRY(buf_status(&note));
    return file_replace(path, buf_view(&note), 0600, diag);
}
