/* Mula, Kurz and Lemire, "Faster population counts using AVX2 instructions" (Computer Journal 61,
 * 2018): the count of each half byte by table, summed by lanes. */
#include "num/bits.h"

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx2"))) static inline __m256i
count_bytes(__m256i v)
{
    const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1,
                                           2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i half = _mm256_set1_epi8(0x0f);
    const __m256i low = _mm256_and_si256(v, half);
    const __m256i high = _mm256_and_si256(_mm256_srli_epi16(v, 4), half);
    return _mm256_add_epi8(_mm256_shuffle_epi8(table, low), _mm256_shuffle_epi8(table, high));
}

__attribute__((target("avx2"))) static inline __m256i
load_and(const uint64_t *a, const uint64_t *b)
{
    return _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(const void *)a),
                            _mm256_loadu_si256((const __m256i *)(const void *)b));
}

/* A byte counts at most 8 a step, so that 31 steps fit before the bytes are summed. */
__attribute__((target("avx2"))) uint64_t
bits_and_count_avx2(const uint64_t *a, const uint64_t *b, size_t words)
{
    __m256i total = _mm256_setzero_si256();
    for (size_t i = 0; i < words;) {
        const size_t end = words - i > 31 * BITS_STEP ? i + 31 * BITS_STEP : words;
        __m256i bytes = _mm256_setzero_si256();
        for (; i < end; i += BITS_STEP) {
            bytes = _mm256_add_epi8(bytes, count_bytes(load_and(a + i, b + i)));
        }
        total = _mm256_add_epi64(total, _mm256_sad_epu8(bytes, _mm256_setzero_si256()));
    }
    uint64_t lane[4];
    _mm256_storeu_si256((__m256i *)(void *)lane, total);
    return lane[0] + lane[1] + lane[2] + lane[3];
}
#else
uint64_t
bits_and_count_avx2(const uint64_t *a, const uint64_t *b, size_t words)
{
    return bits_and_count_ref(a, b, words);
}
#endif
