/* sum: adding doubles so that neither their order nor how they are split over blocks, threads or
 * machines changes a digit. A value's bits are put into digits of 32 bits at fixed places, each
 * counted in a whole number of its own; only the SUM_DIGITS highest places that were ever touched
 * are kept, and what lies below them is left out of every value alike, early or late, so that the
 * state depends on the set of values alone. Demmel and Nguyen, "Parallel reproducible summation",
 * IEEE Transactions on Computers 64, 2015, with the exact digits of Neal's superaccumulators
 * (arXiv:1505.05571). Error: at most n 2^-96 of the largest |x|, and half a unit of the result's
 * last place. At most 2^31 values. Zeroed: empty. */
#ifndef STEWARD_NUM_SUM_H
#define STEWARD_NUM_SUM_H

#include <stddef.h>
#include <stdint.h>

#define SUM_DIGITS 5

struct sum {
    double special;            /* of infinities and NaN: 0 while there were none */
    int64_t digit[SUM_DIGITS]; /* digit[k]: units of 2^(32 (top - k)) smallest subnormals */
    int64_t top;
};

void sum_add(struct sum *s, double x);
/* The same as adding x so many times, at most 2^31. */
void sum_add_times(struct sum *s, double x, uint64_t times);
/* x * y without rounding, but for what lies below the smallest double. */
void sum_add_product(struct sum *s, double x, double y);
/* The same as adding the other's values one by one. */
void sum_merge(struct sum *s, const struct sum *other);
/* Rounded to nearest even; NaN of infinities of both signs. */
double sum_value(const struct sum *s);
double sum_of(const double *x, size_t n);

#endif
