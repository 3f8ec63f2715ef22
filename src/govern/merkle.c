#include "govern/merkle.h"

#include <string.h>

void
merkle_leaf(struct view entry, struct digest *ret_hash)
{
    digest_prefixed(0x00, entry, view_of(NULL, 0), ret_hash);
}

void
merkle_node(const struct digest *left, const struct digest *right, struct digest *ret_hash)
{
    struct digest d;
    digest_prefixed(0x01, view_of(left->bytes, DIGEST_BYTES), view_of(right->bytes, DIGEST_BYTES),
                    &d);
    *ret_hash = d;
}

bool
merkle_equal(const struct digest *a, const struct digest *b)
{
    return memcmp(a->bytes, b->bytes, DIGEST_BYTES) == 0;
}

/* The usual stack of perfect subtrees: one merge for each trailing one-bit of the count so far. */
void
merkle_root(const struct digest *hashes, size_t n, struct digest *ret_root)
{
    struct digest stack[64];
    size_t depth = 0;
    for (size_t i = 0; i < n; i++) {
        stack[depth++] = hashes[i];
        for (size_t bits = i; (bits & 1) != 0; bits >>= 1) {
            depth--;
            merkle_node(&stack[depth - 1], &stack[depth], &stack[depth - 1]);
        }
    }
    if (depth == 0) {
        digest_of(view_of(NULL, 0), ret_root);
        return;
    }
    while (depth > 1) {
        depth--;
        merkle_node(&stack[depth - 1], &stack[depth], &stack[depth - 1]);
    }
    *ret_root = stack[0];
}

unsigned
merkle_width(uint64_t size, unsigned level)
{
    return (unsigned)((size >> (8 * level)) & 255);
}

uint64_t
merkle_index(uint64_t size, unsigned level)
{
    return level + 1 < MERKLE_LEVELS ? size >> (8 * (level + 1)) : 0;
}

struct status
merkle_edge_push(struct merkle_edge *e, const struct digest *leaf, struct merkle_sink sink)
{
    struct digest hash = *leaf;
    const uint64_t before = e->size;
    for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
        const unsigned width = merkle_width(before, level);
        e->tiles[level][width] = hash;
        if (width + 1 < MERKLE_WIDTH) {
            break;
        }
        TRY(sink.full(sink.ctx, level, merkle_index(before, level), e->tiles[level]));
        merkle_root(e->tiles[level], MERKLE_WIDTH, &hash);
    }
    e->size = before + 1;
    return OK;
}

void
merkle_edge_root(const struct merkle_edge *e, struct digest *ret_root)
{
    struct digest row[MERKLE_WIDTH + 1];
    struct digest rest;
    size_t have = 0;
    for (unsigned level = 0; level < MERKLE_LEVELS; level++) {
        const size_t width = merkle_width(e->size, level);
        memcpy(row, e->tiles[level], width * sizeof row[0]);
        if (have != 0) {
            row[width] = rest;
        }
        if (width + have > 0) {
            merkle_root(row, width + have, &rest);
            have = 1;
        }
    }
    if (have == 0) {
        merkle_root(NULL, 0, &rest);
    }
    *ret_root = rest;
}

/* Largest power of two below n, as its exponent; n > 1. */
static unsigned
split_log2(uint64_t n)
{
    return 63u - (unsigned)__builtin_clzll(n - 1);
}

/* Root of leaves [from, from + n), where from is a multiple of every power of two that the split of
 * n uses. Walks down the right side, keeping the perfect left parts. */
static struct status
range_root(struct merkle_source source, uint64_t from, uint64_t n, struct digest *ret_root)
{
    struct digest left[64];
    struct digest hash;
    size_t depth = 0;
    while ((n & (n - 1)) != 0) {
        const unsigned k = split_log2(n);
        TRY(source.node(source.ctx, k, from >> k, &left[depth++]));
        from += UINT64_C(1) << k;
        n -= UINT64_C(1) << k;
    }
    const unsigned k = (unsigned)__builtin_ctzll(n);
    TRY(source.node(source.ctx, k, from >> k, &hash));
    while (depth > 0) {
        merkle_node(&left[--depth], &hash, &hash);
    }
    *ret_root = hash;
    return OK;
}

struct status
merkle_root_at(struct merkle_source source, uint64_t size, struct digest *ret_root)
{
    if (size == 0) {
        merkle_root(NULL, 0, ret_root);
        return OK;
    }
    return range_root(source, 0, size, ret_root);
}

struct status
merkle_prove(struct merkle_source source, uint64_t index, uint64_t size,
             struct digest ret_path[static MERKLE_PATH_MAX], size_t *ret_n)
{
    ASSERT(index < size);
    struct digest down[MERKLE_PATH_MAX]; /* root side first */
    size_t n = 0;
    uint64_t from = 0;
    while (size > 1) {
        const uint64_t k = UINT64_C(1) << split_log2(size);
        if (index - from < k) {
            TRY(range_root(source, from + k, size - k, &down[n]));
            size = k;
        } else {
            TRY(range_root(source, from, k, &down[n]));
            from += k;
            size -= k;
        }
        n++;
    }
    for (size_t i = 0; i < n; i++) {
        ret_path[i] = down[n - 1 - i];
    }
    *ret_n = n;
    return OK;
}

bool
merkle_check(const struct digest *leaf, uint64_t index, uint64_t size, const struct digest *path,
             size_t n, const struct digest *root)
{
    if (index >= size) {
        return false;
    }
    uint64_t fn = index;
    uint64_t sn = size - 1;
    struct digest r = *leaf;
    for (size_t i = 0; i < n; i++) {
        if (sn == 0) {
            return false;
        }
        if ((fn & 1) != 0 || fn == sn) {
            merkle_node(&path[i], &r, &r);
            while ((fn & 1) == 0 && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            merkle_node(&r, &path[i], &r);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && merkle_equal(&r, root);
}

struct status
merkle_prove_consistency(struct merkle_source source, uint64_t old, uint64_t size,
                         struct digest ret_path[static MERKLE_PATH_MAX], size_t *ret_n)
{
    ASSERT(old <= size);
    struct digest down[MERKLE_PATH_MAX]; /* root side first */
    uint64_t from = 0;
    size_t n = 0;
    if (old == 0) {
        *ret_n = 0;
        return OK;
    }
    while (old < size) {
        const uint64_t k = UINT64_C(1) << split_log2(size);
        if (old <= k) {
            TRY(range_root(source, from + k, size - k, &down[n]));
            size = k;
        } else {
            TRY(range_root(source, from, k, &down[n]));
            from += k;
            old -= k;
            size -= k;
        }
        n++;
    }
    if (from > 0) { /* what is left is no tree that the verifier has the root of */
        TRY(range_root(source, from, size, &down[n++]));
    }
    for (size_t i = 0; i < n; i++) {
        ret_path[i] = down[n - 1 - i];
    }
    *ret_n = n;
    return OK;
}

/* 0 < old < size. */
static bool
climb(uint64_t old, const struct digest *old_root, uint64_t size, const struct digest *root,
      const struct digest *path, size_t n)
{
    uint64_t fn = old - 1, sn = size - 1;
    size_t i = 0;
    for (; (fn & 1) != 0; fn >>= 1) {
        sn >>= 1;
    }
    const bool whole = (old & (old - 1)) == 0; /* a perfect tree: its root begins the path */
    if (n == 0) {
        return false;
    }
    struct digest fr = whole ? *old_root : path[i++], sr = fr;
    for (; i < n; i++) {
        if (sn == 0) {
            return false;
        }
        if ((fn & 1) != 0 || fn == sn) {
            merkle_node(&path[i], &fr, &fr);
            merkle_node(&path[i], &sr, &sr);
            for (; (fn & 1) == 0 && fn != 0; fn >>= 1) {
                sn >>= 1;
            }
        } else {
            merkle_node(&sr, &path[i], &sr);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && merkle_equal(&fr, old_root) && merkle_equal(&sr, root);
}

static bool
is_root_of_none(const struct digest *root)
{
    struct digest none;
    merkle_root(NULL, 0, &none);
    return merkle_equal(root, &none);
}

bool
merkle_check_consistency(uint64_t old, const struct digest *old_root, uint64_t size,
                         const struct digest *root, const struct digest *path, size_t n)
{
    if (old > size || (size == 0 && !is_root_of_none(root)) ||
        (old == 0 && !is_root_of_none(old_root))) {
        return false;
    }
    if (old == 0) {
        return n == 0;
    }
    if (old == size) {
        return n == 0 && merkle_equal(old_root, root);
    }
    return climb(old, old_root, size, root, path, n);
}
