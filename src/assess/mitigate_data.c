/* Weights of rows, before training. */
#include "assess/mitigate.h"

static double
sum_of(const uint64_t *count, uint32_t n, size_t stride)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += (double)count[i * stride];
    }
    return sum;
}

void
reweigh(const uint64_t *count, uint32_t groups, uint32_t classes, double *ret_weight,
        uint32_t *ret_empty)
{
    const double n = sum_of(count, groups * classes, 1);
    *ret_empty = 0;
    for (uint32_t g = 0; g < groups; g++) {
        const double here = sum_of(count + (size_t)g * classes, classes, 1);
        bool lacks = false;
        for (uint32_t y = 0; y < classes; y++) {
            const size_t at = (size_t)g * classes + y;
            const double cell = (double)count[at], of = sum_of(count + y, groups, classes);
            ret_weight[at] = cell > 0 ? here * of / (n * cell) : 0;
            lacks |= here > 0 && cell == 0 && of > 0;
        }
        *ret_empty += lacks;
    }
}
