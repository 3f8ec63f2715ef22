/* The fast twin of poisson_weights_plain: eight hashes at once. A hash is nine instructions and a
 * weight at most twelve comparisons; seven of them only where one of 32 rows has a weight over 5.
 */
#include "num/poisson_bootstrap_parts.h"

#ifdef __x86_64__

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))
/* AVX2 compares signed numbers only: both sides are moved by 2^31. */
#define MOVED 0x80000000U

AVX2 static inline __m256i
splat(uint32_t v)
{
    return _mm256_set1_epi32((int32_t)v);
}

AVX2 static inline __m256i
hash8(const struct poisson_key *key, __m256i row)
{
    __m256i x = _mm256_add_epi32(row, splat(key->word[0]));
    x = _mm256_xor_si256(x, _mm256_srli_epi32(x, 16));
    x = _mm256_mullo_epi32(x, splat(POISSON_MULTIPLIER_1));
    x = _mm256_add_epi32(x, splat(key->word[1]));
    x = _mm256_xor_si256(x, _mm256_srli_epi32(x, 15));
    x = _mm256_mullo_epi32(x, splat(POISSON_MULTIPLIER_2));
    x = _mm256_add_epi32(x, splat(key->word[2]));
    x = _mm256_xor_si256(x, _mm256_srli_epi32(x, 16));
    return _mm256_xor_si256(x, splat(MOVED));
}

/* u > t - 1 is u >= t. */
AVX2 static inline __m256i
count_from(__m256i w, __m256i u, unsigned from, unsigned to)
{
    for (unsigned k = from; k < to; k++) {
        const __m256i t = splat((poisson_threshold[k] - 1) ^ MOVED);
        w = _mm256_sub_epi32(w, _mm256_cmpgt_epi32(u, t));
    }
    return w;
}

/* Rows of v[0..3] in order, as bytes. */
AVX2 static inline void
store32(const __m256i v[4], uint8_t *ret)
{
    const __m256i low = _mm256_packus_epi32(v[0], v[1]), high = _mm256_packus_epi32(v[2], v[3]);
    const __m256i mixed = _mm256_packus_epi16(low, high);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_storeu_si256((__m256i *)(void *)ret, _mm256_permutevar8x32_epi32(mixed, order));
}

AVX2 size_t
poisson_weights_avx2(const struct poisson_key *key, uint32_t first, size_t n, uint8_t *ret_weight)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        __m256i u[4], w[4], many = _mm256_setzero_si256();
        for (unsigned k = 0; k < 4; k++) {
            u[k] = hash8(key, _mm256_add_epi32(splat(first + (uint32_t)i + 8 * k), lane));
            w[k] = count_from(_mm256_setzero_si256(), u[k], 0, 5);
            many = _mm256_or_si256(many, w[k]);
        }
        if (_mm256_movemask_epi8(_mm256_cmpgt_epi32(many, splat(4))) != 0) {
            for (unsigned k = 0; k < 4; k++) {
                w[k] = count_from(w[k], u[k], 5, 12);
            }
        }
        store32(w, ret_weight + i);
    }
    return i;
}

#else

size_t
poisson_weights_avx2(const struct poisson_key *key, uint32_t first, size_t n, uint8_t *ret_weight)
{
    (void)key;
    (void)first;
    (void)n;
    (void)ret_weight;
    return 0;
}

#endif
