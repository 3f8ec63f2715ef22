/* merkle: RFC 6962 hashing (SHA-256), the right edge of a growing tree, proofs of inclusion and of
 * consistency. Pure: no files, no clock. */
#ifndef STEWARD_GOVERN_MERKLE_H
#define STEWARD_GOVERN_MERKLE_H

#include "base/digest.h"

#define MERKLE_WIDTH 256u /* hashes in a full tile */
#define MERKLE_LEVELS 8u  /* tile levels that 2^64 - 1 entries can need */
#define MERKLE_PATH_MAX 64u

void merkle_leaf(struct view entry, struct digest *ret_hash);
void merkle_node(const struct digest *left, const struct digest *right, struct digest *ret_hash);
/* Root over n node hashes: perfect subtrees of one size, the last possibly smaller. n = 0:
 * SHA-256(""). */
void merkle_root(const struct digest *hashes, size_t n, struct digest *ret_root);
bool merkle_equal(const struct digest *a, const struct digest *b);

/* The unfinished tiles of a tree, one a level: all that is needed to append and to know the root.
 * 64 KiB. */
struct merkle_edge {
    uint64_t size;
    struct digest tiles[MERKLE_LEVELS][MERKLE_WIDTH];
};

/* Called for each tile that becomes full; a failure stops the push, the edge is then not to be used
 * any more. */
struct merkle_sink {
    struct status (*full)(void *ctx, unsigned level, uint64_t index, const struct digest *hashes);
    void *ctx;
};

/* Of the unfinished tile of a level: how many hashes it has (0 to 255), and its number, which is
 * the count of the full ones. */
unsigned merkle_width(uint64_t size, unsigned level);
uint64_t merkle_index(uint64_t size, unsigned level);
struct status merkle_edge_push(struct merkle_edge *e, const struct digest *leaf,
                               struct merkle_sink sink);
void merkle_edge_root(const struct merkle_edge *e, struct digest *ret_root);

/* Where node hashes come from: the root of leaves [index << level, (index + 1) << level), all of
 * them in the tree. */
struct merkle_source {
    struct status (*node)(void *ctx, unsigned level, uint64_t index, struct digest *ret_hash);
    void *ctx;
};

/* Root of the first `size` leaves. */
struct status merkle_root_at(struct merkle_source source, uint64_t size, struct digest *ret_root);
/* Inclusion proof of leaf `index` in the tree of the first `size`, leaf sibling first. index <
 * size. */
struct status merkle_prove(struct merkle_source source, uint64_t index, uint64_t size,
                           struct digest ret_path[static MERKLE_PATH_MAX], size_t *ret_n);
/* RFC 9162 section 2.1.3.2. */
bool merkle_check(const struct digest *leaf, uint64_t index, uint64_t size,
                  const struct digest *path, size_t n, const struct digest *root);
/* Consistency proof (RFC 6962 section 2.1.2) that the tree of the first `size` leaves begins with
 * that of the first `old`; empty when old is 0 or size. old <= size. */
struct status merkle_prove_consistency(struct merkle_source source, uint64_t old, uint64_t size,
                                       struct digest ret_path[static MERKLE_PATH_MAX],
                                       size_t *ret_n);
/* RFC 9162 section 2.1.4.2, and: a proof from 0 or between equal sizes is empty; equal sizes have
 * equal roots; the root of no leaf is SHA-256(""). */
bool merkle_check_consistency(uint64_t old, const struct digest *old_root, uint64_t size,
                              const struct digest *root, const struct digest *path, size_t n);

#endif
