/* cross: cross tables of coded columns, in whole numbers, so that blocks of rows merge exactly and
 * any number of threads gives the same table. */
#ifndef STEWARD_NUM_CROSS_H
#define STEWARD_NUM_CROSS_H

#include "base/status.h"

#define CROSS_MAX_COLUMNS 4u

/* Level of a row: codes[row], or map[codes[row] + 1] when there is a map; below 0: missing. */
struct cross_column {
    const int32_t *codes; /* from -1 on */
    const int32_t *map;   /* for the codes -1, 0, 1, ...; NULL: as they are */
    uint32_t levels;
};

/* Product of the levels; 0 when it is over max. */
size_t cross_cells(const struct cross_column *columns, uint32_t count, size_t max);
/* Adds the rows to ret_count[cells], cell ((c0 * levels1 + c1) * levels2 + c2 ...), and to
 * *ret_missing those in which a level is missing. threads: 0 = one per core. MEMORY alone can fail.
 */
struct status cross_count(const struct cross_column *columns, uint32_t count, size_t rows,
                          unsigned threads, uint64_t *ret_count, uint64_t *ret_missing);
/* Pearson's chi-square of independence in count[rows * columns], without correction: *ret_df =
 * (occupied rows - 1)(occupied columns - 1), 0 when there is nothing to compare (statistic NaN).
 * *ret_least: the least expected count; the asymptotics are doubted below 5 (Cochran 1954). */
double cross_chi_square(const uint64_t *count, uint32_t rows, uint32_t columns, double *ret_df,
                        double *ret_least);

#endif
