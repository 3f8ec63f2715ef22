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
    struct buf bundle; /* the entries of the unfinished bundle, as its file has them */
    uint64_t written;  /* a size whose unfinished tiles were written; 0: none is known */
    struct tile_folders folders;
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
    to->folders = from->folders;
    to->written = from->written;
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

static struct status
load_edge(struct tree *t, uint64_t size, struct diag *diag)
{
    t->edge.size = size;
    t->written = 0;
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

static struct status
check_bundle_entry(const struct tree *t, const struct tile_id *id, unsigned i, struct reader *r,
                   struct diag *diag)
{
    const size_t at = r->pos;
    struct view entry = {0};
    struct digest leaf;
    char name[TILE_PATH_MAX];
    const bool found = tile_next_entry(r, &entry);
    ASSERT(found); /* tile_read has counted them */
    merkle_leaf(entry, &leaf);
    if (!merkle_equal(&leaf, &t->edge.tiles[0][i])) {
        tile_put_path(id, name);
        diag_set(diag, "%s: byte %zu: entry %llu is not the one that was signed", name, at,
                 (unsigned long long)(id->index * MERKLE_WIDTH + i));
        FAIL(INTEGRITY);
    }
    return OK;
}

static struct status
load_bundle(struct tree *t, struct diag *diag)
{
    const uint64_t size = t->edge.size;
    const struct tile_id id = {TILE_ENTRIES, merkle_index(size, 0), merkle_width(size, 0)};
    buf_reset(&t->bundle);
    if (id.width == 0) {
        return OK;
    }
    TRY(tile_read(t->dir, &id, diag, &t->bundle));
    struct reader r = reader_of(buf_view(&t->bundle));
    for (unsigned i = 0; i < id.width; i++) {
        TRY(check_bundle_entry(t, &id, i, &r, diag));
    }
    return OK;
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
            "tile: the unfinished tiles do not give the checkpoint's root; run \"audit verify\"");
        FAIL(INTEGRITY);
    }
    return load_bundle(t, diag);
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
    struct tile_writer *writer;
    struct diag *diag;
};

static struct status
write_full_tile(void *ctx, unsigned level, uint64_t index, const struct digest *hashes)
{
    struct growth_sink *s = ctx;
    const struct tile_id id = {level, index, MERKLE_WIDTH};
    return tile_write(s->writer, &id, view_of(hashes, TILE_BYTES), s->diag);
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
        const struct tile_id id = {TILE_ENTRIES, merkle_index(t->edge.size, 0) - 1, MERKLE_WIDTH};
        TRY(tile_write(s->writer, &id, buf_view(&t->bundle), s->diag));
        buf_reset(&t->bundle);
    }
    return OK;
}

/* Of the upper levels most stay as they are while a tile of the lowest fills. */
static bool
is_written(const struct tree *t, const struct tile_id *id)
{
    return merkle_index(t->written, id->level) == id->index &&
           merkle_width(t->written, id->level) == id->width;
}

static struct status
write_partials(const struct tree *t, struct growth_sink *s)
{
    const uint64_t size = t->edge.size;
    for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
        const struct tile_id id = {level, merkle_index(size, level), merkle_width(size, level)};
        if (id.width != 0 && !is_written(t, &id)) {
            const struct view hashes =
                view_of(t->edge.tiles[level], (size_t)id.width * DIGEST_BYTES);
            TRY(tile_write(s->writer, &id, hashes, s->diag));
        }
    }
    const struct tile_id id = {TILE_ENTRIES, merkle_index(size, 0), merkle_width(size, 0)};
    return id.width == 0 ? OK : tile_write(s->writer, &id, buf_view(&t->bundle), s->diag);
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
    TRY(write_partials(t, s));
    TRY(tile_flush(s->writer, s->diag));
    t->written = t->edge.size;
    return OK;
}

struct status
tree_grow(struct tree *t, struct tile_writer *w, struct view records, bool last, struct diag *diag)
{
    w->known = &t->folders;
    return grow_with(t, &(struct growth_sink){w, diag}, records, last);
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
