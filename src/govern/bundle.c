#include "govern/bundle.h"

#include <stdlib.h>

struct bundle *
bundle_new(const char *dir, uint64_t size, struct diag *diag)
{
    struct bundle *b = calloc(1, sizeof *b);
    if (b != NULL) {
        b->tiles = (struct tile_source){.dir = dir, .size = size, .diag = diag};
        buf_init(&b->bytes, TILE_BUNDLE_MAX);
    }
    return b;
}

void
bundle_free(struct bundle *b)
{
    if (b != NULL) {
        buf_done(&b->bytes);
        free(b);
    }
}

static struct status
tampered(const struct bundle *b, const struct tile_id *id)
{
    const unsigned long long first = id->index * MERKLE_WIDTH;
    diag_set(b->tiles.diag,
             "entries %llu to %llu are not those that the tree has: run \"steward audit verify\"",
             first, first + id->width - 1);
    FAIL(INTEGRITY);
}

/* A full one by the one hash above it, a partial one by each entry's. */
static struct status
check(struct bundle *b, const struct tile_id *id)
{
    struct digest leaves[MERKLE_WIDTH], root, own;
    for (unsigned i = 0; i < id->width; i++) {
        merkle_leaf(b->entry[i], &leaves[i]);
    }
    if (id->width == MERKLE_WIDTH) {
        merkle_root(leaves, MERKLE_WIDTH, &root);
        TRY(tile_node(&b->tiles, 8, id->index, &own));
        return merkle_equal(&root, &own) ? OK : tampered(b, id);
    }
    for (unsigned i = 0; i < id->width; i++) {
        TRY(tile_node(&b->tiles, 0, id->index * MERKLE_WIDTH + i, &own));
        if (!merkle_equal(&leaves[i], &own)) {
            return tampered(b, id);
        }
    }
    return OK;
}

static struct status
load(struct bundle *b, const struct tile_id *id)
{
    b->id.width = 0;
    buf_reset(&b->bytes);
    TRY(tile_read(b->tiles.dir, id, b->tiles.diag, &b->bytes));
    struct reader r = reader_of(buf_view(&b->bytes));
    for (unsigned i = 0; i < id->width; i++) {
        CHECK(tile_next_entry(&r, &b->entry[i]), INTEGRITY);
    }
    b->read += b->bytes.len;
    TRY(check(b, id));
    b->id = *id;
    return OK;
}

struct status
bundle_entry(struct bundle *b, uint64_t index, struct view *ret_entry)
{
    const struct tile_id id = tile_holding(TILE_ENTRIES, index, b->tiles.size);
    ASSERT(index < b->tiles.size);
    if (b->id.width != id.width || b->id.index != id.index) {
        TRY(load(b, &id));
    }
    *ret_entry = b->entry[index % MERKLE_WIDTH];
    return OK;
}
