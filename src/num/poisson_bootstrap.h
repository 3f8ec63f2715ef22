/* poisson_bootstrap: the bootstrap whose replicates give each row a weight drawn from Poisson(1)
 * instead of drawing n rows (Hanley and MacGibbon 2006; Chamandy et al., "Estimating uncertainty
 * for massive data streams", 2012). A weight is a function of (seed, replicate, row number) alone,
 * so blocks of rows on any number of threads or machines give the same replicates, and merge.
 *
 * Two ways to the same distribution:
 * - per row (poisson_bootstrap_weights), where the statistic needs the rows' own values;
 * - per cell (poisson_bootstrap_count), where it is a function of counts: the weights of the m rows
 *   of a cell sum to a Poisson(m), so that sum is drawn at once, from the merged count. Its cost is
 *   that of the cells, not of the rows, and blocks merge because only counts are merged. */
#ifndef STEWARD_NUM_POISSON_BOOTSTRAP_H
#define STEWARD_NUM_POISSON_BOOTSTRAP_H

#include "num/interval.h"

#include <stddef.h>
#include <stdint.h>

#define POISSON_BOOTSTRAP_MOST 12u /* greatest weight; P(more) = 6.4e-11, below 2^-32 */

/* ret_weight[n]: weights of rows first .. first + n - 1 in a replicate. The hash has 32 bits: each
 * probability is right to 2^-32. AVX2 where the machine has it. */
void poisson_bootstrap_weights(uint64_t seed, uint64_t replicate, uint64_t first, size_t n,
                               uint8_t *ret_weight);
/* The oracle: the same weights, one by one. */
void poisson_bootstrap_weights_ref(uint64_t seed, uint64_t replicate, uint64_t first, size_t n,
                                   uint8_t *ret_weight);
/* The sum of the weights of a cell of `rows` rows: one Poisson(rows) draw for (seed, replicate,
 * cell). Multiplication for few rows, else Hörmann's transformed rejection PTRS (Insurance:
 * Mathematics and Economics 12, 1993). */
uint64_t poisson_bootstrap_count(uint64_t seed, uint64_t replicate, uint64_t cell, uint64_t rows);
/* Percentile interval of the replicates' values, which are sorted; NaN (the statistic did not exist
 * in that replicate) is left out and *ret_kept says how many were not. Below two: [NaN, NaN]. */
struct interval poisson_bootstrap_interval(double *values, size_t n, double level,
                                           size_t *ret_kept);

#endif
