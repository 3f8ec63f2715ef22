/* bundle: entries of the tree one by one, out of their bundles; each bundle that is read is held
 * against the hashes above it. */
#ifndef STEWARD_GOVERN_BUNDLE_H
#define STEWARD_GOVERN_BUNDLE_H

#include "govern/tile.h"

struct bundle {
    struct tile_source tiles;
    struct buf bytes; /* of the one that was read last, and the entries in it: */
    struct tile_id id;
    struct view entry[MERKLE_WIDTH];
    uint64_t read; /* bytes of bundles, in all */
};

/* Of a tree of `size`. dir and diag are borrowed. NULL when memory is out. */
struct bundle *bundle_new(const char *dir, uint64_t size, struct diag *diag);
void bundle_free(struct bundle *b);
DEFINE_FREEP(bundle_free, struct bundle)
/* index is in the tree; the view is good until the next call. STATUS_INTEGRITY with the entries
 * that are not those that the tree has. */
struct status bundle_entry(struct bundle *b, uint64_t index, struct view *ret_entry);

#endif
