/* quantile: order statistics of finite numbers. */
#ifndef STEWARD_NUM_QUANTILE_H
#define STEWARD_NUM_QUANTILE_H

#include <stddef.h>

/* Sorts ascending, NaN taken out: the first *returned* values are the finite ones and infinities,
 * in order. */
size_t quantile_sort(double *values, size_t n);
/* Type 7 of Hyndman and Fan (1996), NumPy's and R's default: linear between order statistics.
 * sorted[n] ascending without NaN; p in [0,1]. n = 0: NaN. */
double quantile_sorted(const double *sorted, size_t n, double p);

#endif
