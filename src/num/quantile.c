#include "num/quantile.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define COUNTED 4096u /* from so many values on, sorted by counting digits */

static int
compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Unsigned order of the keys is the numbers' order. */
static uint64_t
key_of(double v)
{
    uint64_t bits = 0;
    memcpy(&bits, &v, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

/* Counting passes over 16 bits each, time in proportion to n; a pass in which all digits agree is
 * left out. spare[n], count[65537]. Returns where the result lies, values or spare. */
static double *
sort_by_counting(double *values, double *spare, size_t n, size_t *count)
{
    for (unsigned shift = 0; shift < 64; shift += 16) {
        memset(count, 0, 65537 * sizeof *count);
        for (size_t i = 0; i < n; i++) {
            count[(key_of(values[i]) >> shift & 0xffff) + 1]++;
        }
        if (count[(key_of(values[0]) >> shift & 0xffff) + 1] == n) {
            continue;
        }
        for (size_t d = 0; d < 65536; d++) {
            count[d + 1] += count[d];
        }
        for (size_t i = 0; i < n; i++) {
            spare[count[key_of(values[i]) >> shift & 0xffff]++] = values[i];
        }
        double *swap = values;
        values = spare;
        spare = swap;
    }
    return values;
}

/* False, and nothing done, when memory is out. */
static bool
sort_many(double *values, size_t n)
{
    double *spare = malloc(n * sizeof *spare);
    size_t *count = malloc(65537 * sizeof *count);
    const bool can = spare != NULL && count != NULL;
    if (can) {
        const double *sorted = sort_by_counting(values, spare, n, count);
        if (sorted != values) {
            memcpy(values, sorted, n * sizeof *values);
        }
    }
    free(spare);
    free(count);
    return can;
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
    if (kept > 1 && (kept < COUNTED || !sort_many(values, kept))) {
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
