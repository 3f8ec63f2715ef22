/* counted: a column's distinct values in order, each with how many rows have it or less: all that a
 * quantile, a rank or a border between bins is made from, exactly. It is a function of the values
 * as a set: neither their order nor how they are split over blocks, threads or machines changes it.
 * 16 bytes a distinct value; values that wait to be counted take 8 each, and are at most as many as
 * the distinct ones, or COUNTED_WAITING. */
#ifndef STEWARD_NUM_COUNTED_H
#define STEWARD_NUM_COUNTED_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

#define COUNTED_WAITING ((size_t)1 << 16)

struct counted_value {
    double value;
    uint64_t upto; /* rows with this value or a smaller one */
};

/* Zeroed: empty. at[n] is whole after counted_settle. */
struct counted {
    struct counted_value *at;
    size_t n;
    uint64_t missing; /* NaN */
    double *waiting;
    size_t waiting_n, room;
};

void counted_done(struct counted *c);
/* x[0], x[stride], ..: n values; -0 is 0. Time about that of sorting them. STATUS_MEMORY; then c
 * holds some of them, and is of no use. So for the next two. */
struct status counted_add(struct counted *c, const double *x, size_t n, size_t stride);
/* The same as adding the other's values. */
struct status counted_merge(struct counted *c, const struct counted *other);
/* Counts the values that wait; what follows needs it. */
struct status counted_settle(struct counted *c);
uint64_t counted_rows(const struct counted *c);            /* without the missing ones */
uint64_t counted_times(const struct counted *c, size_t k); /* rows with the value at[k] */
/* The place in at[n] of the value that `rank` rows come before: below counted_rows. */
size_t counted_place(const struct counted *c, uint64_t rank);
/* quantile_sorted (num/quantile.h) of the rows. */
double counted_quantile(const struct counted *c, double p);

#endif
