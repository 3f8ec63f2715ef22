/* moments: count, mean and sum of squared deviations, one value at a time (Welford 1962), merged by
 * Chan, Golub and LeVeque (1983). Callers keep one per fixed block and merge in block order, so
 * that any number of threads gives the same digits. Zeroed: empty. */
#ifndef STEWARD_NUM_MOMENTS_H
#define STEWARD_NUM_MOMENTS_H

#include <stdint.h>

struct moments {
    uint64_t n;
    double mean, m2;
};

void moments_add(struct moments *m, double x);
void moments_merge(struct moments *m, const struct moments *other);
double moments_variance(const struct moments *m); /* over n - 1; NaN below two values */
double moments_error(const struct moments *m);    /* standard error of the mean, likewise */

#endif
