#include "num/bits.h"

size_t
bits_words(size_t rows)
{
    const size_t words = rows / 64 + (rows % 64 != 0);
    return (words + BITS_STEP - 1) / BITS_STEP * BITS_STEP;
}

uint64_t
bits_and_count_ref(const uint64_t *a, const uint64_t *b, size_t words)
{
    uint64_t count = 0;
    for (size_t i = 0; i < words; i++) {
        count += (uint64_t)__builtin_popcountll(a[i] & b[i]);
    }
    return count;
}

#if defined(__x86_64__)
uint64_t
bits_and_count(const uint64_t *a, const uint64_t *b, size_t words)
{
    return __builtin_cpu_supports("avx2") ? bits_and_count_avx2(a, b, words)
                                          : bits_and_count_ref(a, b, words);
}
#else
uint64_t
bits_and_count(const uint64_t *a, const uint64_t *b, size_t words)
{
    return bits_and_count_ref(a, b, words);
}
#endif

void
bits_and(const uint64_t *a, const uint64_t *b, size_t words, uint64_t *ret)
{
    for (size_t i = 0; i < words; i++) {
        ret[i] = a[i] & b[i];
    }
}
