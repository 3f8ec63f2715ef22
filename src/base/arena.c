#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BLOCK 8192u
#define LARGEST_STEP (1u << 20)
#define KEPT_BLOCK (64u << 10) /* by a reset */
#define ALIGNMENT 16u

struct block {
    struct block *next; /* older */
    size_t used, size;
    _Alignas(ALIGNMENT) uint8_t bytes[];
};

struct arena {
    struct block *block; /* newest first */
    size_t used, max;
};

static struct block *
block_new(size_t size)
{
    struct block *b = size > SIZE_MAX - sizeof *b ? NULL : malloc(sizeof *b + size);
    if (b != NULL) {
        *b = (struct block){.size = size};
    }
    return b;
}

struct arena *
arena_new(size_t max)
{
    struct arena *a = calloc(1, sizeof *a);
    if (a == NULL) {
        return NULL;
    }
    a->max = max;
    a->block = block_new(max < FIRST_BLOCK ? max : FIRST_BLOCK);
    if (a->block == NULL) {
        free(a);
        return NULL;
    }
    return a;
}

static void
free_blocks(struct block *b, const struct block *keep)
{
    while (b != keep) {
        struct block *next = b->next;
        free(b);
        b = next;
    }
}

void
arena_free(struct arena *a)
{
    if (a != NULL) {
        free_blocks(a->block, NULL);
        free(a);
    }
}

/* The largest block that is not too large stays, so that what is done again needs no other. */
void
arena_reset(struct arena *a)
{
    struct block *kept = a->block;
    while (kept->size > KEPT_BLOCK && kept->next != NULL) {
        kept = kept->next;
    }
    free_blocks(a->block, kept);
    free_blocks(kept->next, NULL);
    kept->next = NULL;
    kept->used = 0;
    a->block = kept;
    a->used = 0;
}

size_t
arena_used(const struct arena *a)
{
    return a->used;
}

/* A new block at least as large as n, twice the last one up to a step, so that few blocks serve
 * many small pieces. */
static bool
add_block(struct arena *a, size_t n)
{
    size_t size = a->block->size * 2;
    size = size > LARGEST_STEP ? LARGEST_STEP : size;
    size = size < n ? n : size;
    struct block *b = block_new(size);
    if (b == NULL) {
        return false;
    }
    b->next = a->block;
    a->block = b;
    return true;
}

void *
arena_alloc(struct arena *a, size_t n, size_t size)
{
    size_t bytes = 0;
    if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX - ALIGNMENT) {
        return NULL;
    }
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    bytes = bytes == 0 ? ALIGNMENT : bytes;
    if (bytes > a->max - a->used) {
        return NULL;
    }
    if (bytes > a->block->size - a->block->used && !add_block(a, bytes)) {
        return NULL;
    }
    uint8_t *at = a->block->bytes + a->block->used;
    a->block->used += bytes;
    a->used += bytes;
    memset(at, 0, bytes);
    return at;
}

char *
arena_strdup(struct arena *a, struct view text)
{
    if (text.len == SIZE_MAX) {
        return NULL;
    }
    char *copy = arena_alloc(a, text.len + 1, 1);
    if (copy != NULL && text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    return copy;
}
