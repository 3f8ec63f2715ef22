/* lost: the tickets of batches that failed. What is forgotten counts as failed: no response leaves
 * on a guess. Pure; tickets begin with 1. */
#ifndef STEWARD_GOVERN_LOST_H
#define STEWARD_GOVERN_LOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOST_MAX 256u

/* Zeroed: none. */
struct lost {
    struct {
        uint64_t from, upto;
    } range[LOST_MAX]; /* oldest first */
    size_t count;
    uint64_t before; /* those up to this one are forgotten */
};

/* from follows all that were added before. */
void lost_add(struct lost *l, uint64_t from, uint64_t upto);
bool lost_has(const struct lost *l, uint64_t ticket);

#endif
