/* moments: count, mean and sum of squared deviations, from exact sums of the values and of their
 * squares (num/sum.h): neither the order of the values nor how they are split over blocks, threads
 * or machines changes a digit. The deviations are worked out in the sums' digits, where nothing
 * cancels: n 2^-96 of the largest square is what is lost. Zeroed: empty. */
#ifndef STEWARD_NUM_MOMENTS_H
#define STEWARD_NUM_MOMENTS_H

#include "num/sum.h"

struct moments {
    uint64_t n;
    struct sum sum, squares;
};

void moments_add(struct moments *m, double x);
/* The same as adding x so many times, at most 2^31. */
void moments_add_times(struct moments *m, double x, uint64_t times);
/* The same as adding the other's values one by one. */
void moments_merge(struct moments *m, const struct moments *other);
double moments_mean(const struct moments *m);     /* NaN of none */
double moments_squares(const struct moments *m);  /* sum of squared deviations; 0 of none */
double moments_variance(const struct moments *m); /* over n - 1; NaN below two values */
double moments_error(const struct moments *m);    /* standard error of the mean, likewise */

#endif
