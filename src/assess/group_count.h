/* group_count: decisions counted by group, in one pass over the rows. The table has a cell for each
 * combination of the columns' levels (missing is a level of its own), and in each cell a slot for
 * each pair of label and decision; every group, pair of columns and stratum is a sum of cells.
 * Counts are integers: blocks of rows merge exactly, in any order, on any number of threads. */
#ifndef STEWARD_ASSESS_GROUP_COUNT_H
#define STEWARD_ASSESS_GROUP_COUNT_H

#include "base/status.h"

#define GROUP_COLUMNS_MAX 16u
#define GROUP_CELLS_MAX (1u << 20)
#define GROUP_SLOTS 9u /* 3 * label + decision, each 0, 1 or 2 (missing) */

struct group_columns {
    uint32_t count;
    const int32_t *code[GROUP_COLUMNS_MAX]; /* rows: 0..levels-1, or -1: missing */
    uint32_t levels[GROUP_COLUMNS_MAX];
};

/* Cells of the table: the product of levels + 1; 0 when that is over GROUP_CELLS_MAX. */
uint32_t group_cells(const struct group_columns *c);
/* The cell's level of column k, or -1: the last column varies fastest, missing first. */
int32_t group_cell_level(const struct group_columns *c, uint32_t cell, uint32_t k);
/* ret_cell[n]: cells of rows first .. first + n - 1. ASSERTs nothing: codes are the caller's. */
void group_cell_of(const struct group_columns *c, size_t first, size_t n, uint32_t *ret_cell);
/* Adds to counts[cells * GROUP_SLOTS]. y, decision: 0, 1, anything else missing. Threads: 0 for one
 * per core. STATUS_MEMORY. Cost: about that of reading the arrays where the table fits
 * in the first-level cache (bench: fairness_pass). */
struct status group_count(const struct group_columns *c, const uint8_t *y, const uint8_t *decision,
                          size_t rows, unsigned threads, uint64_t *counts);
/* The oracle: row by row. */
void group_count_ref(const struct group_columns *c, const uint8_t *y, const uint8_t *decision,
                     size_t rows, uint64_t *counts);
/* The cells' group when only the columns of `mask` (bit k: column k) tell groups apart: mixed
 * radix of their levels, -1 where one is missing. */
int64_t group_of_cell(const struct group_columns *c, uint32_t cell, uint32_t mask);

#endif
