/* surrogate_bins: features in at most 254 bins and one for what is missing; what the sources of
 * surrogate share. */
#ifndef STEWARD_ASSESS_SURROGATE_BINS_H
#define STEWARD_ASSESS_SURROGATE_BINS_H

#include "assess/surrogate.h"
#include "num/counted.h"

#define MISSING_BIN 255u

struct surrogate_bins {
    size_t features;
    const uint32_t *level_count;
    double *cut;     /* features * 256: numbers: x <= cut[b] is in bin b or before */
    uint8_t **level; /* features: categories: bin of each level; NULL for numbers */
    uint32_t *count; /* features: bins, without the one for missing values */
};

/* Rows of one part that a tree is grown on: row[n] of x[.. * features]. */
struct surrogate_picked {
    const double *x;
    const size_t *row;
    size_t n;
    uint8_t *code; /* features * stride: bin of each row that was picked, by feature and row */
    size_t stride;
};

/* Of numbers, from the values of all rows, settled: ret_cut[bins], the last one infinity; returns
 * the bins. */
uint32_t surrogate_cuts(const struct counted *values, double ret_cut[static 256]);
void surrogate_bins_done(struct surrogate_bins *b);
/* Bins of the parts' rows together, and each part's codes. */
struct status surrogate_bins_make(const struct surrogate_picked *part, size_t parts,
                                  size_t features, const uint32_t *level_count, unsigned threads,
                                  struct surrogate_bins *ret_bins);

#endif
