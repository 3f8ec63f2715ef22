/* Batches by tiles of 64 rows, two vectors of bytes.
 *
 * Floor: a perfect tree of depth d takes 2^d - 1 comparisons and as many blends for 32 rows, at two
 * a cycle 2^d / 32 cycles a row, and the leaf's value a load and an addition: about one cycle more.
 * The ranks cost two rounds of 16 comparisons for each feature, once for all trees. */
#include "model/predictor_parts.h"

#include <math.h>
#ifdef __x86_64__
#include <immintrin.h>

#define TILE PREDICTOR_TILE
#define AVX2 __attribute__((target("avx2,popcnt")))
#define INLINE static inline __attribute__((always_inline))

/* A vector for each half of the tile. */
struct pair {
    __m256i of[2];
};

AVX2 INLINE struct pair
goes_left(const struct predictor_split *tree, const uint8_t *tile, uint32_t at)
{
    const __m256i cut = _mm256_set1_epi32((int)tree[at].cut);
    const uint8_t *rank = tile + tree[at].at;
    return (struct pair){{_mm256_cmpgt_epi8(cut, _mm256_load_si256((const __m256i *)rank)),
                          _mm256_cmpgt_epi8(cut, _mm256_load_si256((const __m256i *)rank + 1))}};
}

AVX2 INLINE struct pair
choose(struct pair left, struct pair right, struct pair goes)
{
    return (struct pair){{_mm256_blendv_epi8(right.of[0], left.of[0], goes.of[0]),
                          _mm256_blendv_epi8(right.of[1], left.of[1], goes.of[1])}};
}

/* The exit leaf's number below node `at`, whose subtree has one level of splits: the mask is -1
 * where the left leaf, one less than the right, is meant. inner: splits of the whole tree. */
AVX2 INLINE struct pair
levels_1(const struct predictor_split *tree, const uint8_t *tile, uint32_t at, uint32_t inner)
{
    const __m256i right = _mm256_set1_epi8((char)(2 * at + 2 - inner));
    const struct pair left = goes_left(tree, tile, at);
    return (struct pair){{_mm256_add_epi8(right, left.of[0]), _mm256_add_epi8(right, left.of[1])}};
}

#define LEVELS(N, BELOW, HOW)                                                                      \
    AVX2 HOW struct pair levels_##N(const struct predictor_split *tree, const uint8_t *tile,       \
                                    uint32_t at, uint32_t inner) {                                 \
        const struct pair left = levels_##BELOW(tree, tile, 2 * at + 1, inner);                    \
        const struct pair right = levels_##BELOW(tree, tile, 2 * at + 2, inner);                   \
        return choose(left, right, goes_left(tree, tile, at));                                     \
    }
LEVELS(2, 1, INLINE)
LEVELS(3, 2, INLINE)
LEVELS(4, 3, INLINE)
LEVELS(5, 4, static __attribute__((noinline))) /* 31 splits of straight code are enough */
LEVELS(6, 5, INLINE)
LEVELS(7, 6, INLINE)
LEVELS(8, 7, INLINE)

/* sum[i] += value[leaf of row i], 32 rows. */
AVX2 INLINE void
add_leaves(const double *value, __m256i leaf, double *sum)
{
    uint64_t eight[4];
    _mm256_storeu_si256((__m256i *)eight, leaf);
    for (uint32_t k = 0; k < 8; k++) {
        const uint32_t n = (uint32_t)(eight[k / 2] >> (k % 2 * 32));
        const __m128d low = _mm_loadh_pd(_mm_load_sd(value + (n & 255)), value + (n >> 8 & 255));
        const __m128d high = _mm_loadh_pd(_mm_load_sd(value + (n >> 16 & 255)), value + (n >> 24));
        double *to = sum + 4 * (size_t)k;
        _mm256_storeu_pd(to, _mm256_add_pd(_mm256_loadu_pd(to), _mm256_set_m128d(high, low)));
    }
}

#define TREE(N)                                                                                    \
    AVX2 static void tree_##N(const struct predictor_split *tree, const double *value,             \
                              const uint8_t *tile, size_t tile_bytes, size_t tiles, double *sum)   \
    {                                                                                              \
        for (size_t i = 0; i < tiles; i++) {                                                       \
            const struct pair leaf = levels_##N(tree, tile + i * tile_bytes, 0, (1u << N) - 1);    \
            add_leaves(value, leaf.of[0], sum + i * TILE);                                         \
            add_leaves(value, leaf.of[1], sum + i * TILE + TILE / 2);                              \
        }                                                                                          \
    }
TREE(1)
TREE(2)
TREE(3)
TREE(4)
TREE(5)
TREE(6)
TREE(7)
TREE(8)

typedef void tree_tiles(const struct predictor_split *tree, const double *value,
                        const uint8_t *tile, size_t tile_bytes, size_t tiles, double *sum);
static tree_tiles *const by_depth[PREDICTOR_DEPTH + 1] = {NULL,   tree_1, tree_2, tree_3, tree_4,
                                                          tree_5, tree_6, tree_7, tree_8};

/* ---- categories ---- */

/* -1 where the code's bit is not set: that row goes left. */
AVX2 INLINE __m256i
not_listed(__m256i code, __m256i low, __m256i high)
{
    const __m256i bits =
        _mm256_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16,
                         32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
    const __m256i byte_at = _mm256_and_si256(_mm256_srli_epi16(code, 3), _mm256_set1_epi8(15));
    const __m256i byte = _mm256_blendv_epi8(_mm256_shuffle_epi8(low, byte_at),
                                            _mm256_shuffle_epi8(high, byte_at), code);
    const __m256i bit = _mm256_shuffle_epi8(bits, _mm256_and_si256(code, _mm256_set1_epi8(7)));
    return _mm256_cmpeq_epi8(_mm256_and_si256(byte, bit), _mm256_setzero_si256());
}

/* The answers to a tree's questions, as columns after the codes. */
AVX2 static void
answer(const struct predictor_run *r, uint32_t tree, uint8_t *tile)
{
    uint8_t *codes = tile + (size_t)ranks_columns(r->ranks) * TILE;
    uint8_t *to = codes + (size_t)r->codes * TILE;
    for (uint32_t q = r->question_start[tree]; q < r->question_start[tree + 1]; q++, to += TILE) {
        const struct predictor_question *ask = &r->question[q];
        const __m128i *right = (const __m128i *)ask->right;
        const __m256i low = _mm256_broadcastsi128_si256(_mm_loadu_si128(right));
        const __m256i high = _mm256_broadcastsi128_si256(_mm_loadu_si128(right + 1));
        const __m256i *code = (const __m256i *)(codes + (size_t)ask->codes * TILE);
        for (uint32_t k = 0; k < 2; k++) {
            _mm256_store_si256((__m256i *)to + k,
                               not_listed(_mm256_load_si256(code + k), low, high));
        }
    }
}

static uint8_t
code_of(float v)
{
    if (isnan(v)) {
        return PREDICTOR_MISSING;
    }
    return v >= 0 && v < (float)PREDICTOR_CATEGORIES ? (uint8_t)v : PREDICTOR_NO_CATEGORY;
}

static void
put_codes(const struct predictor_run *r, const float *x, size_t width, size_t rows, uint8_t *ret)
{
    for (uint32_t c = 0; c < r->codes; c++) {
        const float *v = x + r->code_feature[c];
        for (size_t i = 0; i < TILE; i++) {
            ret[c * TILE + i] = i < rows ? code_of(v[i * width]) : PREDICTOR_MISSING;
        }
    }
}

/* ---- runs ---- */

size_t
predictor_tile_bytes(const struct predictor_run *r)
{
    const size_t columns = (size_t)ranks_columns(r->ranks) + r->codes + r->questions_most;
    return (columns == 0 ? 1 : columns) * TILE; /* padding asks about the first */
}

static void
put_columns(const struct predictor *p, const struct predictor_run *r, const float *x, size_t rows,
            uint8_t *tile)
{
    const size_t width = p->forest->features;
    ranks_rows8(r->ranks, x, rows, TILE, (int8_t *)tile);
    put_codes(r, x, width, rows, tile + (size_t)ranks_columns(r->ranks) * TILE);
}

void
predictor_tiles(const struct predictor *p, const struct predictor_run *r, const float *x,
                size_t rows, uint8_t *columns, size_t stride, double *margin)
{
    const size_t bytes = predictor_tile_bytes(r), tiles = (rows + TILE - 1) / TILE;
    const size_t inner = ((size_t)1 << r->depth) - 1;
    for (size_t i = 0; i < tiles; i++) {
        const size_t n = rows - i * TILE < TILE ? rows - i * TILE : TILE;
        put_columns(p, r, x + i * TILE * p->forest->features, n, columns + i * bytes);
    }
    for (uint32_t t = 0; t < r->end - r->first; t++) {
        for (size_t i = 0; r->question_start[t] < r->question_start[t + 1] && i < tiles; i++) {
            answer(r, t, columns + i * bytes);
        }
        by_depth[r->depth](r->split + t * inner, r->leaf + t * (inner + 1), columns, bytes, tiles,
                           margin + p->forest->tree_output[r->first + t] * stride);
    }
}
#else
size_t
predictor_tile_bytes(const struct predictor_run *r)
{
    (void)r;
    return 0;
}

/* Never called: there is no processor with AVX2 here. */
void
predictor_tiles(const struct predictor *p, const struct predictor_run *r, const float *x,
                size_t rows, uint8_t *columns, size_t stride, double *margin)
{
    (void)columns;
    predictor_walk(p, r, x, rows, stride, margin);
}
#endif
