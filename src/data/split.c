#include "data/split.h"

#include "num/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct draw {
    uint64_t value;
    uint64_t row;
};

static int
compare_draws(const void *a, const void *b)
{
    const struct draw *x = a;
    const struct draw *y = b;
    if (x->value != y->value) {
        return x->value < y->value ? -1 : 1;
    }
    return (x->row > y->row) - (x->row < y->row);
}

struct status
split_assign(uint64_t rows, double fraction, uint64_t seed, uint8_t *ret_train)
{
    CHECK(fraction > 0 && fraction <= 1, INPUT);
    CHECK(rows <= SIZE_MAX / sizeof(struct draw), LIMIT);
    DEFER(memory_freep) struct draw *draws = calloc(rows == 0 ? 1 : rows, sizeof *draws);
    CHECK(draws != NULL, MEMORY);
    for (uint64_t i = 0; i < rows; i++) {
        struct rng r;
        rng_init_at(&r, seed, "split", i);
        draws[i] = (struct draw){.value = rng_u64(&r), .row = i};
    }
    qsort(draws, rows, sizeof *draws, compare_draws);
    const uint64_t train = (uint64_t)llround(fraction * (double)rows);
    memset(ret_train, 0, rows);
    for (uint64_t k = 0; k < train && k < rows; k++) {
        ret_train[draws[k].row] = 1;
    }
    return OK;
}
