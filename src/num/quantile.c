#include "num/quantile.h"

#include <math.h>
#include <stdlib.h>

static int
compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

size_t
quantile_sort(double *values, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isnan(values[i])) {
            values[kept++] = values[i];
        }
    }
    if (kept > 1) {
        qsort(values, kept, sizeof *values, compare);
    }
    return kept;
}

double
quantile_sorted(const double *sorted, size_t n, double p)
{
    if (n == 0) {
        return (double)NAN;
    }
    const double at = p * (double)(n - 1);
    const size_t below = at >= (double)(n - 1) ? n - 1 : (size_t)at;
    const double part = at - (double)below;
    /* Equal ends are returned as they are: infinity minus infinity has no value. */
    if (part <= 0 || sorted[below] >= sorted[below + 1]) {
        return sorted[below];
    }
    return sorted[below] + part * (sorted[below + 1] - sorted[below]);
}
