#include "assess/surrogate_histogram.h"

#include "num/whole.h"

struct cell {
    uint64_t n;
    double sum;
};

void
surrogate_histogram_add(struct surrogate_histogram *h, const uint8_t *code, const size_t *row,
                        size_t n, const int64_t *whole)
{
    for (size_t i = 0; i < n; i++) {
        h->cell[code[row[i]]].n++;
        h->cell[code[row[i]]].sum += whole[row[i]];
    }
}

void
surrogate_histogram_merge(struct surrogate_histogram *h, const struct surrogate_histogram *other)
{
    for (size_t b = 0; b < 256; b++) {
        h->cell[b].n += other->cell[b].n;
        h->cell[b].sum += other->cell[b].sum;
    }
}

static double
gain_of(const struct cell *left, const struct cell *all, size_t least)
{
    const struct cell right = {all->n - left->n, all->sum - left->sum};
    if (left->n < least || right.n < least || left->n == 0 || right.n == 0) {
        return 0;
    }
    return left->sum * left->sum / (double)left->n + right.sum * right.sum / (double)right.n -
           all->sum * all->sum / (double)all->n;
}

/* The bins in the order in which they may be parted: as they are, or by mean answer. */
static uint32_t
order_bins(const struct cell *cell, uint32_t count, bool category, uint8_t *ret_order)
{
    uint32_t n = 0;
    for (uint32_t b = 0; b < count; b++) {
        uint32_t at = n;
        if (cell[b].n == 0) {
            continue;
        }
        const double mean = cell[b].sum / (double)cell[b].n;
        for (; category && at > 0; at--) {
            const struct cell *before = &cell[ret_order[at - 1]];
            if (before->sum / (double)before->n <= mean) {
                break;
            }
            ret_order[at] = ret_order[at - 1];
        }
        ret_order[at] = (uint8_t)b;
        n++;
    }
    return n;
}

/* What the leaf has no rows of goes where more of its rows go. */
static void
take_part(const struct cell *cell, const uint8_t *order, uint32_t upto, bool missing_left,
          bool more_left, struct surrogate_part *best)
{
    for (uint32_t b = 0; b < 256; b++) {
        best->left[b] = cell[b].n == 0 && more_left;
    }
    for (uint32_t k = 0; k <= upto; k++) {
        best->left[order[k]] = 1;
    }
    if (cell[MISSING_BIN].n > 0) {
        best->left[MISSING_BIN] = missing_left;
    }
    best->missing_seen = cell[MISSING_BIN].n > 0;
    best->last = order[upto];
}

/* Returns the sum of the bins. */
static struct cell
cells_of(const struct surrogate_histogram *h, int shift, struct cell cell[static 256])
{
    uint64_t n = 0;
    int64_t sum = 0;
    for (size_t b = 0; b < 256; b++) {
        cell[b] = (struct cell){h->cell[b].n, whole_value(h->cell[b].sum, shift)};
        n += h->cell[b].n;
        sum += h->cell[b].sum;
    }
    return (struct cell){n, whole_value(sum, shift)};
}

void
surrogate_histogram_finish(const struct surrogate_histogram *h, size_t feature, uint32_t bins,
                           bool category, size_t least, int shift, struct surrogate_part *best)
{
    struct cell cell[256];
    uint8_t order[256];
    const struct cell all = cells_of(h, shift, cell), missing = cell[MISSING_BIN];
    const uint32_t n = order_bins(cell, bins, category, order);
    uint64_t left_n = 0;
    int64_t left_sum = 0;
    for (uint32_t k = 0; k < n; k++) {
        left_n += h->cell[order[k]].n;
        left_sum += h->cell[order[k]].sum;
        for (int with = 0; with <= (missing.n > 0 ? 1 : 0); with++) {
            const int64_t more = with != 0 ? h->cell[MISSING_BIN].sum : 0;
            const struct cell side = {left_n + (with != 0 ? missing.n : 0),
                                      whole_value(left_sum + more, shift)};
            const double gain = gain_of(&side, &all, least);
            if (gain > best->gain) {
                best->gain = gain;
                best->feature = feature;
                take_part(cell, order, k, with != 0, 2 * side.n > all.n, best);
            }
        }
    }
}
