#include "num/order.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DIGIT_BITS 11u
#define DIGITS (1u << DIGIT_BITS)

struct keyed {
    uint64_t key;
    uint32_t item;
};

/* Unsigned order of the keys is the numbers' order. */
static uint64_t
key_of(double v)
{
    uint64_t bits = 0;
    v = v == 0 ? 0 : v;
    if (isnan(v)) {
        return UINT64_MAX;
    }
    memcpy(&bits, &v, sizeof bits);
    return (bits >> 63) != 0 ? ~bits : bits | UINT64_C(1) << 63;
}

/* One stable pass; false when all have the same digit. */
static bool
sort_by_digit(const struct keyed *from, size_t n, unsigned shift, struct keyed *to)
{
    size_t start[DIGITS] = {0}, sum = 0;
    for (size_t i = 0; i < n; i++) {
        start[from[i].key >> shift & (DIGITS - 1)]++;
    }
    if (start[from[0].key >> shift & (DIGITS - 1)] == n) {
        return false;
    }
    for (size_t d = 0; d < DIGITS; d++) {
        const size_t count = start[d];
        start[d] = sum;
        sum += count;
    }
    for (size_t i = 0; i < n; i++) {
        to[start[from[i].key >> shift & (DIGITS - 1)]++] = from[i];
    }
    return true;
}

/* room[2 * n], the first half filled. */
static void
sort_room(struct keyed *room, size_t n, uint32_t *order)
{
    struct keyed *from = room, *to = room + n;
    for (unsigned shift = 0; shift < 64 && n > 0; shift += DIGIT_BITS) {
        if (sort_by_digit(from, n, shift, to)) {
            struct keyed *t = from;
            from = to;
            to = t;
        }
    }
    for (size_t i = 0; i < n; i++) {
        order[i] = from[i].item;
    }
}

struct status
order_by(const double *key, size_t n, uint32_t *order)
{
    DEFER(memory_freep) struct keyed *room = calloc(2 * n + 1, sizeof *room);
    CHECK(room != NULL && n <= UINT32_MAX, MEMORY);
    for (size_t i = 0; i < n; i++) {
        room[i] = (struct keyed){key_of(key[order[i]]), order[i]};
    }
    sort_room(room, n, order);
    return OK;
}

struct status
order_by_hash(const uint64_t *hash, size_t n, uint32_t *order)
{
    DEFER(memory_freep) struct keyed *room = calloc(2 * n + 1, sizeof *room);
    CHECK(room != NULL && n <= UINT32_MAX, MEMORY);
    for (size_t i = 0; i < n; i++) {
        room[i] = (struct keyed){hash[order[i]], order[i]};
    }
    sort_room(room, n, order);
    return OK;
}

uint64_t
order_hash(uint64_t hash, uint64_t value)
{
    uint64_t z = hash + value * UINT64_C(0xd1342543de82ef95) + UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t
order_row_hash(uint64_t hash, const double *x, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        hash = order_hash(hash, key_of(x[k]));
    }
    return hash;
}
