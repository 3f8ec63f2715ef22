/* arena: memory freed whole. One per call, one per loaded model. Not thread-safe. */
#ifndef STEWARD_BASE_ARENA_H
#define STEWARD_BASE_ARENA_H

#include "base/bytes.h"

struct arena;

/* max: bytes it may ever hand out. NULL when memory is out. */
struct arena *arena_new(size_t max);
void arena_free(struct arena *a);
DEFINE_FREEP(arena_free, struct arena)
void arena_reset(struct arena *a); /* everything handed out is gone; keeps a block */
size_t arena_used(const struct arena *a);
/* Zeroed, aligned for any type; NULL past the limit, on overflow of n * size, or out of memory. */
void *arena_alloc(struct arena *a, size_t n, size_t size);
char *arena_strdup(struct arena *a, struct view text);

#endif
