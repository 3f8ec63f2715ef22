/* Rows through the tables. Patterns are bytes, so a table has 256 entries of 16 or 32 bytes. */
#include "assess/explain_tables_parts.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

/* With r rows, padded, and r + TABLES_PAD floats between columns of sums: columns would else fall
 * on the same cache sets. */
struct scratch {
    int8_t *ranks;   /* [columns][rows] */
    uint16_t *entry; /* [rows] */
    float *sums;     /* [slots][rows + TABLES_PAD] */
    double *total;   /* the same */
};

/* ---- one row after another ---- */

static uint32_t
pattern_of(const struct tables *t, const struct tables_unit *u, const int8_t *ranks, size_t stride)
{
    const struct tables_compare *c = t->compare + u->compare;
    uint32_t pattern = 0;
    for (uint32_t bit = 0; bit < u->bits; bit++) {
        uint32_t met = 1;
        for (uint32_t part = 0; part < u->parts[bit]; part++, c++) {
            met &= (uint32_t)(ranks[c->column * stride] < c->cut) ^ c->right;
        }
        pattern = pattern * 2 + met;
    }
    return pattern;
}

#define AHEAD 16u /* divides TABLES_FLUSH */

/* Several units of one row: their entries are under way while the next patterns are made. */
static void
add_units(const struct tables *t, const struct tables_unit *u, uint32_t units, const int8_t *ranks,
          size_t rank_stride, size_t stride, float *sums)
{
    const float *from[AHEAD];
    for (uint32_t i = 0; i < units; i++) {
        from[i] = t->value + u[i].table +
                  (size_t)pattern_of(t, &u[i], ranks, rank_stride) * tables_entry(&u[i]);
        __builtin_prefetch(from[i]);
    }
    for (uint32_t i = 0; i < units; i++) {
        for (uint32_t k = 0; k < u[i].features; k++) {
            sums[u[i].slot[k] * stride] += from[i][k];
        }
    }
}

/* ---- AVX2 ---- */

#ifdef __x86_64__
#define TARGET __attribute__((target("avx2")))
#define INLINE TARGET static inline __attribute__((always_inline))

/* Whether 128 rows meet a comparison, in four vectors. */
INLINE void
meet(const struct tables_compare *c, const int8_t *ranks, __m256i *ret)
{
    const __m256i cut = _mm256_set1_epi8(c->cut);
    const int8_t *at = ranks;
    for (int q = 0; q < 4; q++) {
        ret[q] = _mm256_cmpgt_epi8(cut, _mm256_load_si256((const __m256i *)(const void *)at + q));
    }
}

/* Patterns of 128 rows, as bytes. */
INLINE void
patterns_128(const struct tables *t, const struct tables_unit *u, const int8_t *ranks,
             size_t stride, __m256i *pattern)
{
    const struct tables_compare *c = t->compare + u->compare;
    for (int q = 0; q < 4; q++) {
        pattern[q] = _mm256_setzero_si256();
    }
    for (uint32_t bit = 0; bit < u->bits; bit++, c++) {
        __m256i met[4];
        meet(c, ranks + c->column * stride, met);
        if (__builtin_expect(u->parts[bit] > 1, 0)) {
            const struct tables_compare *end = c + u->parts[bit] - 1;
            __m256i flip = _mm256_set1_epi8((int8_t)-c->right);
            for (int q = 0; q < 4; q++) {
                met[q] = _mm256_xor_si256(met[q], flip);
            }
            while (c < end) {
                __m256i other[4];
                c++;
                meet(c, ranks + c->column * stride, other);
                flip = _mm256_set1_epi8((int8_t)-c->right);
                for (int q = 0; q < 4; q++) {
                    met[q] = _mm256_and_si256(met[q], _mm256_xor_si256(other[q], flip));
                }
            }
        }
        for (int q = 0; q < 4; q++) {
            pattern[q] = _mm256_sub_epi8(_mm256_add_epi8(pattern[q], pattern[q]), met[q]);
        }
    }
}

/* Offsets in bytes of the entries of 128 rows. */
INLINE void
entries_128(const struct tables_unit *u, const __m256i *pattern, uint16_t *ret_entry)
{
    const int shift = u->features <= 4 ? 4 : 5;
    __m256i *to = (__m256i *)(void *)ret_entry;
    for (int q = 0; q < 4; q++) {
        const __m256i low = _mm256_cvtepu8_epi16(_mm256_castsi256_si128(pattern[q]));
        const __m256i high = _mm256_cvtepu8_epi16(_mm256_extracti128_si256(pattern[q], 1));
        _mm256_store_si256(to + 2 * q, _mm256_slli_epi16(low, shift));
        _mm256_store_si256(to + 2 * q + 1, _mm256_slli_epi16(high, shift));
    }
}

/* Four floats of each of two rows' entries. */
INLINE __m256
two_entries(const uint8_t *a, const uint8_t *b)
{
    const __m256 low = _mm256_castps128_ps256(_mm_load_ps((const float *)(const void *)a));
    return _mm256_insertf128_ps(low, _mm_load_ps((const float *)(const void *)b), 1);
}

/* From entries of eight rows to vectors of four features: a 4 x 4 transposition in each half. */
INLINE void
transpose(const uint8_t *table, const uint16_t *entry, __m256 *ret)
{
    const __m256 a = two_entries(table + entry[0], table + entry[4]);
    const __m256 b = two_entries(table + entry[1], table + entry[5]);
    const __m256 c = two_entries(table + entry[2], table + entry[6]);
    const __m256 d = two_entries(table + entry[3], table + entry[7]);
    const __m256d ab = _mm256_castps_pd(_mm256_unpacklo_ps(a, b));
    const __m256d cd = _mm256_castps_pd(_mm256_unpacklo_ps(c, d));
    const __m256d ab_high = _mm256_castps_pd(_mm256_unpackhi_ps(a, b));
    const __m256d cd_high = _mm256_castps_pd(_mm256_unpackhi_ps(c, d));
    ret[0] = _mm256_castpd_ps(_mm256_unpacklo_pd(ab, cd));
    ret[1] = _mm256_castpd_ps(_mm256_unpackhi_pd(ab, cd));
    ret[2] = _mm256_castpd_ps(_mm256_unpacklo_pd(ab_high, cd_high));
    ret[3] = _mm256_castpd_ps(_mm256_unpackhi_pd(ab_high, cd_high));
}

INLINE void
add_entries(const uint32_t features, const struct tables *t, const struct tables_unit *u,
            const uint16_t *entry, size_t rows, size_t stride, float *sums)
{
    const uint8_t *table = (const uint8_t *)(t->value + u->table);
    float *sum[TABLES_FEATURES];
    for (uint32_t k = 0; k < features; k++) {
        sum[k] = sums + u->slot[k] * stride;
    }
    for (size_t i = 0; i < rows; i += 8) {
        __m256 value[4];
        transpose(table, entry + i, value);
        for (uint32_t k = 0; k < features && k < 4; k++) {
            _mm256_store_ps(sum[k] + i, _mm256_add_ps(_mm256_load_ps(sum[k] + i), value[k]));
        }
        if (features > 4) {
            transpose(table + 16, entry + i, value);
            for (uint32_t k = 4; k < features; k++) {
                _mm256_store_ps(sum[k] + i,
                                _mm256_add_ps(_mm256_load_ps(sum[k] + i), value[k - 4]));
            }
        }
    }
}

#define ADD(N)                                                                                     \
    TARGET static void add_##N(const struct tables *t, const struct tables_unit *u,                \
                               const uint16_t *entry, size_t rows, size_t stride, float *sums)     \
    {                                                                                              \
        add_entries(N, t, u, entry, rows, stride, sums);                                           \
    }
ADD(1)
ADD(2)
ADD(3)
ADD(4)
ADD(5)
ADD(6)
ADD(7)
ADD(8)

/* One unit of `rows` rows, a multiple of TABLES_ROWS. */
TARGET static void
add_unit_avx2(const struct tables *t, const struct tables_unit *u, const struct scratch *s,
              size_t rows)
{
    static void (*const add[TABLES_FEATURES])(const struct tables *, const struct tables_unit *,
                                              const uint16_t *, size_t, size_t, float *) = {
        add_1, add_2, add_3, add_4, add_5, add_6, add_7, add_8};
    for (size_t i = 0; i < rows; i += TABLES_ROWS) {
        __m256i pattern[4];
        patterns_128(t, u, s->ranks + i, rows, pattern);
        entries_128(u, pattern, s->entry + i);
    }
    add[u->features - 1](t, u, s->entry, rows, rows + TABLES_PAD, s->sums);
}

TARGET static void
patterns_avx2(const struct tables *t, const struct tables_unit *u, const int8_t *ranks,
              size_t rank_stride, size_t rows, uint8_t *ret_pattern)
{
    for (size_t i = 0; i < rows; i += TABLES_ROWS) {
        __m256i pattern[4];
        patterns_128(t, u, ranks + i, rank_stride, pattern);
        for (int q = 0; q < 4; q++) {
            _mm256_storeu_si256((__m256i *)(void *)(ret_pattern + i) + q, pattern[q]);
        }
    }
}
#else
static void
patterns_avx2(const struct tables *t, const struct tables_unit *u, const int8_t *ranks,
              size_t rank_stride, size_t rows, uint8_t *ret_pattern)
{
    for (size_t i = 0; i < rows; i++) {
        ret_pattern[i] = (uint8_t)pattern_of(t, u, ranks + i, rank_stride);
    }
}

static void
add_unit_avx2(const struct tables *t, const struct tables_unit *u, const struct scratch *s,
              size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        add_units(t, u, 1, s->ranks + i, rows, rows + TABLES_PAD, s->sums + i);
    }
}
#endif

void
tables_patterns(const struct tables *t, const struct tables_unit *u, const int8_t *ranks,
                size_t rank_stride, size_t rows, uint8_t *ret_pattern)
{
    const size_t whole = t->avx2 ? rows / TABLES_ROWS * TABLES_ROWS : 0;
    patterns_avx2(t, u, ranks, rank_stride, whole, ret_pattern);
    for (size_t i = whole; i < rows; i++) {
        ret_pattern[i] = (uint8_t)pattern_of(t, u, ranks + i, rank_stride);
    }
}

/* ---- blocks ---- */

#define FEW_ROWS 24u /* up to which a row after another is quicker than 128 at once */

static size_t
aligned(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* Few rows go one after the other: they need no more room than ranks do. */
static size_t
padded(size_t rows)
{
    const size_t whole = rows > FEW_ROWS ? TABLES_ROWS : RANKS_ROWS;
    return (rows + whole - 1) / whole * whole;
}

static size_t
scratch_place(const struct tables *t, size_t count, uint8_t *at, struct scratch *ret)
{
    const size_t rows = padded(count), cells = t->slots * (rows + TABLES_PAD);
    const size_t sizes[] = {aligned(rows * t->columns), aligned(rows * sizeof(uint16_t)),
                            aligned(cells * sizeof(float)), aligned(cells * sizeof(double))};
    uint8_t *part[4];
    size_t offset = 0;
    for (size_t i = 0; i < 4; i++) {
        part[i] = at == NULL ? NULL : at + offset;
        offset += sizes[i];
    }
    *ret = (struct scratch){(int8_t *)part[0], (void *)part[1], (void *)part[2], (void *)part[3]};
    return offset;
}

size_t
tables_scratch_bytes(const struct tables *t, size_t rows)
{
    struct scratch s;
    return scratch_place(t, rows, NULL, &s);
}

static void
flush(float *sums, double *total, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        total[i] += (double)sums[i];
        sums[i] = 0.0f;
    }
}

/* A table that is two units ahead is on its way from memory. */
static void
fetch_table(const struct tables *t, size_t unit)
{
    if (unit + 1 < t->units) {
        const float *at = t->value + t->unit[unit].table;
        for (; at < t->value + t->unit[unit + 1].table; at += 16) {
            __builtin_prefetch(at, 0, 2);
        }
    }
}

static void
run_units(const struct tables *t, size_t first, size_t end, size_t rows, const struct scratch *s)
{
    const size_t columns = padded(rows), stride = columns + TABLES_PAD;
    for (size_t at = first; at < end;) {
        const uint32_t units = (uint32_t)(end - at < AHEAD ? end - at : AHEAD);
        if (t->avx2 && rows > FEW_ROWS) {
            for (size_t i = at; i < at + units; i++) {
                fetch_table(t, i + 2);
                add_unit_avx2(t, &t->unit[i], s, columns);
            }
        } else {
            for (size_t i = 0; i < rows; i++) {
                add_units(t, &t->unit[at], units, s->ranks + i, columns, stride, s->sums + i);
            }
        }
        at += units;
        if ((at - first) % TABLES_FLUSH == 0 || at == end) {
            flush(s->sums, s->total, t->slots * stride);
        }
    }
}

static void
store_rows(const struct tables *t, uint32_t output, size_t rows, size_t stride,
           const struct scratch *s, double *ret_phi, float *ret_single)
{
    const size_t features = t->forest->features, width = features * t->forest->outputs;
    for (size_t i = 0; i < rows; i++) {
        const size_t to = i * width + output * features;
        if (ret_phi != NULL) {
            memset(ret_phi + to, 0, features * sizeof *ret_phi);
            for (uint32_t k = 0; k < t->slots; k++) {
                ret_phi[to + t->feature_of_slot[k]] = s->total[k * stride + i];
            }
        } else {
            memset(ret_single + to, 0, features * sizeof *ret_single);
            for (uint32_t k = 0; k < t->slots; k++) {
                ret_single[to + t->feature_of_slot[k]] = (float)s->total[k * stride + i];
            }
        }
    }
}

void
tables_rows(const struct tables *t, const float *x, size_t rows, void *scratch, double *ret_phi,
            float *ret_single)
{
    ASSERT(rows <= t->block_rows && (t->value != NULL || t->units == 0));
    struct scratch s;
    scratch_place(t, rows, scratch, &s);
    const size_t columns = padded(rows), stride = columns + TABLES_PAD, cells = t->slots * stride;
    for (uint32_t o = 0; o < t->forest->outputs; o++) {
        memset(s.sums, 0, cells * sizeof *s.sums);
        memset(s.total, 0, cells * sizeof *s.total);
        for (uint32_t i = 0; i < t->sections; i++) {
            const struct tables_section *section = &t->section[i];
            if (o == 0 || t->sections > 1) {
                ranks_rows8(section->ranks, x, rows, columns, s.ranks);
            }
            run_units(t, section->run[o], section->run[o + 1], rows, &s);
        }
        store_rows(t, o, rows, stride, &s, ret_phi, ret_single);
    }
}
