/* bits: sets of rows as 64-bit words, and how many rows two sets share. Lengths are in words and a
 * multiple of BITS_STEP, the rest of the last ones zero. */
#ifndef STEWARD_NUM_BITS_H
#define STEWARD_NUM_BITS_H

#include <stddef.h>
#include <stdint.h>

#define BITS_STEP 4u

/* Words for a set over that many rows. */
size_t bits_words(size_t rows);
static inline void
bits_set(uint64_t *a, size_t row)
{
    a[row >> 6] |= UINT64_C(1) << (row & 63);
}
static inline unsigned
bits_test(const uint64_t *a, size_t row)
{
    return (unsigned)(a[row >> 6] >> (row & 63) & 1);
}
/* |a and b|, with AVX2 where the machine has it. About 3 words a nanosecond from the first cache.
 */
uint64_t bits_and_count(const uint64_t *a, const uint64_t *b, size_t words);
uint64_t bits_and_count_ref(const uint64_t *a, const uint64_t *b, size_t words);
uint64_t bits_and_count_avx2(const uint64_t *a, const uint64_t *b, size_t words);
/* ret = a and b; ret may be a. */
void bits_and(const uint64_t *a, const uint64_t *b, size_t words, uint64_t *ret);

#endif
