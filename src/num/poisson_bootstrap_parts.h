/* poisson_bootstrap_parts: what the plain and the fast twin share. Not for others. */
#ifndef STEWARD_NUM_POISSON_BOOTSTRAP_PARTS_H
#define STEWARD_NUM_POISSON_BOOTSTRAP_PARTS_H

#include <stddef.h>
#include <stdint.h>

/* The finaliser "lowbias32" (Wellons 2018), with a key added before each of its steps. */
#define POISSON_MULTIPLIER_1 0x7feb352dU
#define POISSON_MULTIPLIER_2 0x846ca68bU

struct poisson_key {
    uint32_t word[3];
};

/* Weight k where the hash is at least k of these: floor(2^32 P(X <= k-1)). */
extern const uint32_t poisson_threshold[12];

/* Rows first .. first + n - 1 without passing a multiple of 2^32, which changes the key. */
void poisson_weights_plain(const struct poisson_key *key, uint32_t first, size_t n,
                           uint8_t *ret_weight);
/* Needs AVX2. Writes whole groups of 32 rows; returns how many rows were done. */
size_t poisson_weights_avx2(const struct poisson_key *key, uint32_t first, size_t n,
                            uint8_t *ret_weight);

#endif
