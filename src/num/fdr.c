#include "num/fdr.h"

#include <math.h>
#include <stdlib.h>

static int
larger_first(const void *a, const void *b, void *ctx)
{
    const double *p = ctx;
    const size_t i = *(const size_t *)a, k = *(const size_t *)b;
    if (p[i] != p[k]) {
        return p[i] < p[k] ? 1 : -1;
    }
    return (i < k) - (i > k);
}

static double
harmonic(size_t n)
{
    double sum = 0;
    for (size_t i = n; i > 0; i--) {
        sum += 1 / (double)i;
    }
    return sum;
}

void
fdr_adjust(enum fdr_method method, const double *p, size_t n, size_t *order, double *ret_adjusted)
{
    size_t asked = 0;
    for (size_t i = 0; i < n; i++) {
        if (isnan(p[i])) {
            ret_adjusted[i] = NAN;
        } else {
            order[asked++] = i;
        }
    }
    qsort_r(order, asked, sizeof *order, larger_first, (void *)(size_t)p);
    const double factor = method == FDR_BENJAMINI_YEKUTIELI ? harmonic(asked) : 1;
    double least = 1;
    for (size_t k = 0; k < asked; k++) {
        const double rank = (double)(asked - k);
        least = fmin(least, p[order[k]] * factor * (double)asked / rank);
        ret_adjusted[order[k]] = least;
    }
}
