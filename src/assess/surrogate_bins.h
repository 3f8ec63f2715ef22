/* surrogate_bins: features in at most 254 bins and one for what is missing; what the sources of
 * surrogate share. */
#ifndef STEWARD_ASSESS_SURROGATE_BINS_H
#define STEWARD_ASSESS_SURROGATE_BINS_H

#include "assess/surrogate.h"
#include "num/counted.h"

#define MISSING_BIN 255u

struct surrogate_bins {
    size_t features, rows;
    const uint32_t *level_count;
    uint8_t *code;   /* features * rows: bin of each row, by feature */
    double *cut;     /* features * 256: numbers: x <= cut[b] is in bin b or before */
    uint8_t **level; /* features: categories: bin of each level; NULL for numbers */
    uint32_t *count; /* features: bins, without the one for missing values */
};

/* Of numbers, from the values of all rows, settled: ret_cut[bins], the last one infinity; returns
 * the bins. */
uint32_t surrogate_cuts(const struct counted *values, double ret_cut[static 256]);
void surrogate_bins_done(struct surrogate_bins *b);
/* The rows pick[rows] of x[.. * features]. */
struct status surrogate_bins_make(const double *x, const size_t *pick, size_t rows, size_t features,
                                  const uint32_t *level_count, unsigned threads,
                                  struct surrogate_bins *ret_bins);

#endif
