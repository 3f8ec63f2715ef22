/* order: sorting items by keys, and keeping their order where keys are equal. */
#ifndef STEWARD_NUM_ORDER_H
#define STEWARD_NUM_ORDER_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* order[n] is sorted by key[order[i]], ascending, stable; -0 and 0 are one, NaN comes last. Called
 * with the last key first it sorts by several. Time in proportion to n; 32 bytes an item of
 * workspace. STATUS_MEMORY. */
struct status order_by(const double *key, size_t n, uint32_t *order);
/* The same by unsigned numbers: of hashes of the items' contents it brings equal items together, in
 * an order that is a function of the items as a set. */
struct status order_by_hash(const uint64_t *hash, size_t n, uint32_t *order);
/* Hash of what was hashed before and one more value: SplitMix64's finaliser (Steele, Lea and Flood
 * 2014). Start from 0. */
uint64_t order_hash(uint64_t hash, uint64_t value);
/* The same of n values: NaN is one value, and -0 is 0. */
uint64_t order_row_hash(uint64_t hash, const double *x, size_t n);

#endif
