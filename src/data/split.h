/* split: deterministic train/test assignment. Row i goes to train by rng_init_at(seed, "split", i)
 * compared so that exactly round(fraction * rows) rows are train (the rows with the smallest draws;
 * ties by row). */
#ifndef STEWARD_DATA_SPLIT_H
#define STEWARD_DATA_SPLIT_H

#include "base/status.h"

/* ret_train[rows]: 1 train, 0 test. fraction in (0,1]. */
struct status split_assign(uint64_t rows, double fraction, uint64_t seed, uint8_t *ret_train);

#endif
