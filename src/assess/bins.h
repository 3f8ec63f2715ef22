/* bins: numbers as codes, by quantiles. */
#ifndef STEWARD_ASSESS_BINS_H
#define STEWARD_ASSESS_BINS_H

#include "num/counted.h"

#define BINS_MOST 64u

struct bins {
    uint32_t count;
    double cut[BINS_MOST]; /* count - 1: bin k holds cut[k-1] < v <= cut[k]; round where possible */
    double least[BINS_MOST]; /* smallest and largest value seen in each */
    double most[BINS_MOST];
};

/* At most `most` (<= BINS_MOST) bins of about equal size that no value is split between; with that
 * many distinct values or fewer, one bin each. No value: no bin. Settled (num/counted.h). */
void bins_of(const struct counted *values, uint32_t most, struct bins *ret_bins);
/* The same of an array, NaN left out. STATUS_MEMORY. */
struct status bins_make(const double *value, size_t n, uint32_t most, struct bins *ret_bins);
/* Of columns that are had in blocks: fill gives ret_value[n * columns] of the rows from first on.
 */
struct bins_source {
    struct status (*fill)(const void *ctx, size_t first, size_t n, float *ret_value);
    const void *ctx;
    size_t rows, columns;
};
/* ret_bins[columns], from all rows. A few columns are counted at a time, about BINS_BYTES of them.
 * STATUS_MEMORY. */
#define BINS_BYTES ((size_t)128 << 20)
struct status bins_make_columns(const struct bins_source *s, uint32_t most, unsigned threads,
                                struct bins *ret_bins);
/* -1 for NaN, else the bin; values outside the range go to the end bins. */
int32_t bins_code(const struct bins *b, double v);

#endif
