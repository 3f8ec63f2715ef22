/* ranks: the splits of some trees of a forest as comparisons of small integers.
 *
 * Each feature's distinct thresholds are sorted; a value's rank is the number of them that are at
 * most the value. Then x < threshold[j] exactly when rank(x) < j + 1, so that a row of floats
 * becomes a row of 8- or 16-bit ranks and a split one integer comparison. A missing value (NaN) has
 * rank 0 where it goes left and the greatest rank where it goes right: a feature with splits of
 * both kinds has two columns of ranks. A split that is no comparison with a number (categories)
 * has a column of its own: 0 where forest_step goes left, 1 where it goes right.
 *
 * Law, for every node n of the trees and every value v of its feature, exactly:
 *     forest_step goes left  <=>  rank of v in column ranks_split(n).column < ranks_split(n).cut.
 *
 * Ranks are stored signed, less RANKS_BIAS8 or RANKS_BIAS16, because x86 compares signed integers;
 * cut is biased likewise. Blocks are column-major: a column's ranks of successive rows are
 * adjacent. AVX2 is used where the processor has it; the digits are the same without. */
#ifndef STEWARD_MODEL_RANKS_H
#define STEWARD_MODEL_RANKS_H

#include "model/forest.h"

#define RANKS_BIAS8 128
#define RANKS_BIAS16 32768
#define RANKS_MOST8 255u /* distinct thresholds of a feature */
#define RANKS_MOST16 65535u
#define RANKS_ROWS 32u /* strides are multiples of this; the AVX2 path may read as many at once */

struct ranks;

struct ranks_split {
    uint32_t column;
    int32_t cut; /* biased: left when the stored rank < cut */
};

/* The first tree after `first` that no longer fits: with trees [first, end) no feature has more
 * than `most` distinct thresholds. Equal to `first` when that tree alone has too many. */
struct status ranks_trees_that_fit(const struct forest *f, uint32_t first, uint32_t most,
                                   uint32_t *ret_end);
/* Of trees [first, end). wide: ranks of 16 bits instead of 8. STATUS_LIMIT when a feature has too
 * many thresholds for that. Borrows the forest. */
struct status ranks_new(const struct forest *f, uint32_t first, uint32_t end, bool wide,
                        struct ranks **ret_ranks);
void ranks_free(struct ranks *r);
DEFINE_FREEP(ranks_free, struct ranks)
uint32_t ranks_columns(const struct ranks *r);
/* n: an inner node of the trees. */
struct ranks_split ranks_split(const struct ranks *r, uint32_t n);
/* Ranks of rows x[rows * features]: ret[column * stride + row], stride >= rows; entries from `rows`
 * to the next multiple of RANKS_ROWS are set to rank 0 (stride has room for them). No memory is
 * taken. One of the two fits the width that the ranks were made with. */
void ranks_rows8(const struct ranks *r, const float *x, size_t rows, size_t stride, int8_t *ret);
void ranks_rows16(const struct ranks *r, const float *x, size_t rows, size_t stride, int16_t *ret);
/* The same without AVX2. */
void ranks_rows8_ref(const struct ranks *r, const float *x, size_t rows, size_t stride,
                     int8_t *ret);

#endif
