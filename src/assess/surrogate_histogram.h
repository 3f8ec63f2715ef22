/* surrogate_histogram: what a leaf of a surrogate is parted by: of one feature, for each of its
 * bins, how many rows there are and what their answers add up to. In whole numbers (num/whole.h):
 * neither the order of the rows nor how they are split over blocks, threads or machines changes a
 * part. */
#ifndef STEWARD_ASSESS_SURROGATE_HISTOGRAM_H
#define STEWARD_ASSESS_SURROGATE_HISTOGRAM_H

#include "assess/surrogate_bins.h"

/* Zeroed: of no row. */
struct surrogate_histogram {
    struct {
        uint64_t n;
        int64_t sum;
    } cell[256];
};

/* code: of the feature (surrogate_bins.h); row[n]: the leaf's; whole: answers less their mean. */
void surrogate_histogram_add(struct surrogate_histogram *h, const uint8_t *code, const size_t *row,
                             size_t n, const int64_t *whole);
void surrogate_histogram_merge(struct surrogate_histogram *h,
                               const struct surrogate_histogram *other);

/* Where a leaf would be parted: its bins' sides. */
struct surrogate_part {
    double gain; /* less squared error, in all */
    size_t feature;
    uint8_t left[256]; /* of each bin, the one for missing values too */
    bool missing_seen;
    uint32_t last; /* numbers: the last bin that goes left */
};

/* best: replaced where the feature's `bins` have a part that gains more, with `least` rows on both
 * sides. */
void surrogate_histogram_finish(const struct surrogate_histogram *h, size_t feature, uint32_t bins,
                                bool category, size_t least, int shift,
                                struct surrogate_part *best);

#endif
