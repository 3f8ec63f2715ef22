/* index: lists of which entries of the log have which principal, model, ... A cache beside the log
 * (dir/index/), made from it alone and always the same from the same entries, so that whoever has
 * the log can make it again and compare. docs/spec/audit-index.md.
 *
 * A segment covers INDEX_ENTRIES entries of the tree. It names the root of their hashes, which must
 * be the log's own, and the digest of the segment before. What does not fit is no segment: its
 * entries are read instead. */
#ifndef STEWARD_GOVERN_INDEX_H
#define STEWARD_GOVERN_INDEX_H

#include "govern/query.h"
#include "govern/tile.h"

#define INDEX_LEVEL 14u
#define INDEX_ENTRIES (1u << INDEX_LEVEL)
#define INDEX_SET_BYTES (INDEX_ENTRIES / 8)

struct index_section {
    uint32_t offset, length; /* in the file */
    struct digest digest;
};

/* A segment's head. */
struct index_head {
    uint64_t number;
    struct digest root, before; /* of its entries; of the segment before, zeros of the first */
    int64_t first_ns, last_ns;  /* the earliest and the latest time in it */
    struct index_section section[QUERY_LISTS];
    struct digest digest; /* of all of that */
};

/* ---- making ---- */

struct index_build;

struct index_build *index_build_new(void); /* NULL when memory is out */
void index_build_free(struct index_build *b);
DEFINE_FREEP(index_build_free, struct index_build)
void index_build_begin(struct index_build *b);
/* The next entry; what is no entry of ours is in no list. */
struct status index_build_add(struct index_build *b, struct view entry);
/* After INDEX_ENTRIES of them: the segment's bytes, and its digest. */
struct status index_build_end(struct index_build *b, uint64_t number, const struct digest *root,
                              const struct digest *before, struct buf *ret_segment,
                              struct digest *ret_digest);

/* ---- reading ---- */

char *index_path(const char *dir, uint64_t number); /* malloc'd */
/* STATUS_NOT_FOUND, or INTEGRITY when its own bytes do not fit. */
struct status index_head_read(const char *dir, uint64_t number, struct index_head *ret_head,
                              uint64_t *ret_bytes);
/* Leaves in `set` (INDEX_SET_BYTES, bit i of byte i / 8 from the lowest: entry i of the segment)
 * those that have the value. */
struct status index_keep(const char *dir, const struct index_head *h, enum query_list list,
                         struct view value, uint8_t *set, uint64_t *ret_bytes);

#endif
