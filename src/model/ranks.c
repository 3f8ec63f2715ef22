/* A feature's thresholds stand in one array, padded with NaN (which no comparison holds for) to a
 * multiple of 16; every 16th of them is a pivot, so that a rank of at most 255 is found with two
 * rounds of 16 comparisons. */
#include "model/ranks.h"

#include <math.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#define GROUP 16u
#define TILE_ROWS                                                                                  \
    64u /* rows of a tile stay in the first-level cache while all columns are made                 \
         */
#define NO_COLUMN UINT32_MAX

struct ranked_feature {
    uint32_t feature;
    uint32_t thresholds;
    size_t first;         /* into threshold[] */
    size_t pivots;        /* into pivot[]: GROUP of them */
    uint32_t missing_low; /* columns, or NO_COLUMN */
    uint32_t missing_high;
};

struct asked_split { /* a column of its own */
    uint32_t node;
    uint32_t column;
};

struct ranks {
    const struct forest *forest;
    bool wide;
    bool avx2;
    uint32_t columns;
    uint32_t node_first;
    uint32_t features; /* that are compared with numbers */
    uint32_t asked_count;
    struct ranked_feature *feature;
    struct asked_split *asked;
    float *threshold;
    float *pivot;
    struct ranks_split *split; /* of nodes from node_first */
};

void
ranks_free(struct ranks *r)
{
    if (r == NULL) {
        return;
    }
    free(r->feature);
    free(r->asked);
    free(r->threshold);
    free(r->pivot);
    free(r->split);
    free(r);
}

uint32_t
ranks_columns(const struct ranks *r)
{
    return r->columns;
}

struct ranks_split
ranks_split(const struct ranks *r, uint32_t n)
{
    return r->split[n - r->node_first];
}

/* ---- which trees fit ---- */

static bool
is_comparison(const struct forest *f, uint32_t n)
{
    return forest_compares(f, n) && !isnan(f->threshold[n]);
}

/* The distinct thresholds seen so far, sorted, per feature; grown by insertion. */
struct seen {
    float *at;
    uint32_t n, room;
};

static uint32_t
count_at_most(const float *sorted, uint32_t n, float v)
{
    uint32_t low = 0;
    while (n > 0) {
        const uint32_t half = n / 2;
        if (sorted[low + half] <= v) {
            low += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return low;
}

static struct status
seen_add(struct seen *s, float v)
{
    const uint32_t rank = count_at_most(s->at, s->n, v);
    if (rank > 0 && s->at[rank - 1] == v) {
        return OK;
    }
    if (s->n == s->room) {
        const uint32_t room = s->room == 0 ? 16 : 2 * s->room;
        float *at = realloc(s->at, room * sizeof *at);
        CHECK(at != NULL, MEMORY);
        s->at = at;
        s->room = room;
    }
    memmove(s->at + rank + 1, s->at + rank, (s->n - rank) * sizeof *s->at);
    s->at[rank] = v;
    s->n++;
    return OK;
}

struct seen_all {
    struct seen *of;
    uint32_t features;
};

static void
seen_done(struct seen_all *all)
{
    for (uint32_t i = 0; all->of != NULL && i < all->features; i++) {
        free(all->of[i].at);
    }
    free(all->of);
}

static struct status
seen_new(uint32_t features, struct seen_all *ret_all)
{
    ret_all->of = calloc(features, sizeof *ret_all->of);
    CHECK(ret_all->of != NULL || features == 0, MEMORY);
    ret_all->features = features;
    return OK;
}

/* Adds a tree's thresholds; *ret_fits tells whether all features still have at most `most`. */
static struct status
seen_tree(struct seen_all *all, const struct forest *f, uint32_t tree, uint32_t most,
          bool *ret_fits)
{
    for (uint32_t n = f->tree_start[tree]; n < f->tree_start[tree + 1]; n++) {
        if (f->left[n] >= 0 && is_comparison(f, n)) {
            struct seen *s = &all->of[f->feature[n]];
            TRY(seen_add(s, f->threshold[n]));
            if (s->n > most) {
                *ret_fits = false;
                return OK;
            }
        }
    }
    *ret_fits = true;
    return OK;
}

struct status
ranks_trees_that_fit(const struct forest *f, uint32_t first, uint32_t most, uint32_t *ret_end)
{
    DEFER(seen_done) struct seen_all all = {0};
    TRY(seen_new(f->features, &all));
    uint32_t end = first;
    bool fits = true;
    for (; end < f->trees && fits; end += fits) {
        TRY(seen_tree(&all, f, end, most, &fits));
    }
    *ret_end = end;
    return OK;
}

/* ---- making ---- */

/* At least one NaN: a last group that is full is followed by one in which nothing counts. */
static size_t
padded(uint32_t n)
{
    return (n / GROUP + 1) * (size_t)GROUP;
}

/* One feature's thresholds into the arrays, with their padding and pivots. */
static void
place_thresholds(struct ranks *r, struct ranked_feature *to, const struct seen *s)
{
    float *threshold = r->threshold + to->first, *pivot = r->pivot + to->pivots;
    memcpy(threshold, s->at, s->n * sizeof *threshold);
    for (size_t i = s->n; i < padded(s->n); i++) {
        threshold[i] = NAN;
    }
    for (uint32_t g = 0; g < GROUP; g++) {
        const uint32_t last = g * GROUP + GROUP - 1;
        pivot[g] = last < s->n ? threshold[last] : NAN;
    }
}

static struct status
place_features(struct ranks *r, const struct seen_all *all)
{
    size_t thresholds = 0;
    for (uint32_t i = 0; i < all->features; i++) {
        r->features += all->of[i].n > 0;
        thresholds += all->of[i].n > 0 ? padded(all->of[i].n) : 0;
    }
    r->threshold = malloc((thresholds + 1) * sizeof *r->threshold);
    r->pivot = malloc(((size_t)r->features * GROUP + 1) * sizeof *r->pivot);
    r->feature = calloc((size_t)r->features + 1, sizeof *r->feature);
    CHECK(r->threshold != NULL && r->pivot != NULL && r->feature != NULL, MEMORY);
    size_t at = 0, count = 0;
    for (uint32_t i = 0; i < all->features; i++) {
        if (all->of[i].n > 0) {
            struct ranked_feature *to = &r->feature[count];
            *to = (struct ranked_feature){.feature = i,
                                          .thresholds = all->of[i].n,
                                          .first = at,
                                          .pivots = count * GROUP,
                                          .missing_low = NO_COLUMN,
                                          .missing_high = NO_COLUMN};
            place_thresholds(r, to, &all->of[i]);
            at += padded(to->thresholds);
            count++;
        }
    }
    return OK;
}

static struct ranked_feature *
feature_of(const struct ranks *r, uint32_t feature)
{
    uint32_t low = 0, high = r->features;
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (r->feature[middle].feature <= feature) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return &r->feature[low];
}

static int32_t
bias_of(const struct ranks *r)
{
    return r->wide ? RANKS_BIAS16 : RANKS_BIAS8;
}

static struct ranks_split
place_comparison(struct ranks *r, uint32_t n)
{
    const struct forest *f = r->forest;
    struct ranked_feature *to = feature_of(r, f->feature[n]);
    uint32_t *column = f->default_left[n] ? &to->missing_low : &to->missing_high;
    if (*column == NO_COLUMN) {
        *column = r->columns++;
    }
    const uint32_t rank = count_at_most(r->threshold + to->first, to->thresholds, f->threshold[n]);
    return (struct ranks_split){*column, (int32_t)rank - bias_of(r)};
}

static bool
same_question(const struct forest *f, uint32_t a, uint32_t b)
{
    if (f->feature[a] != f->feature[b] || f->default_left[a] != f->default_left[b] ||
        f->category_count[a] != f->category_count[b]) {
        return false;
    }
    return memcmp(f->categories + f->category_start[a], f->categories + f->category_start[b],
                  f->category_count[a] * sizeof *f->categories) == 0;
}

#define LOOK_BACK 64u /* equal questions further apart than this have two columns: no harm */

static struct ranks_split
place_question(struct ranks *r, uint32_t n)
{
    const struct forest *f = r->forest;
    const uint32_t from = r->asked_count > LOOK_BACK ? r->asked_count - LOOK_BACK : 0;
    uint32_t column = NO_COLUMN;
    for (uint32_t i = from; i < r->asked_count && column == NO_COLUMN; i++) {
        if (f->category_count[n] > 0 && same_question(f, r->asked[i].node, n)) {
            column = r->asked[i].column;
        }
    }
    if (column == NO_COLUMN) {
        column = r->columns++;
        r->asked[r->asked_count++] = (struct asked_split){n, column};
    }
    return (struct ranks_split){column, 1 - bias_of(r)};
}

static struct status
place_splits(struct ranks *r, uint32_t node_end)
{
    const struct forest *f = r->forest;
    uint32_t questions = 0;
    for (uint32_t n = r->node_first; n < node_end; n++) {
        questions += f->left[n] >= 0 && !is_comparison(f, n);
    }
    r->split = calloc((size_t)(node_end - r->node_first) + 1, sizeof *r->split);
    r->asked = calloc((size_t)questions + 1, sizeof *r->asked);
    CHECK(r->split != NULL && r->asked != NULL, MEMORY);
    for (uint32_t n = r->node_first; n < node_end; n++) {
        if (f->left[n] >= 0) {
            r->split[n - r->node_first] =
                is_comparison(f, n) ? place_comparison(r, n) : place_question(r, n);
        }
    }
    return OK;
}

struct status
ranks_new(const struct forest *f, uint32_t first, uint32_t end, bool wide, struct ranks **ret_ranks)
{
    ASSERT(first <= end && end <= f->trees);
    DEFER(seen_done) struct seen_all all = {0};
    DEFER(ranks_freep) struct ranks *r = calloc(1, sizeof *r);
    CHECK(r != NULL, MEMORY);
    TRY(seen_new(f->features, &all));
    for (uint32_t t = first; t < end; t++) {
        bool fits = false;
        TRY(seen_tree(&all, f, t, wide ? RANKS_MOST16 : RANKS_MOST8, &fits));
        CHECK(fits, LIMIT);
    }
    r->forest = f;
    r->wide = wide;
    r->node_first = f->tree_start[first];
#ifdef __x86_64__
    r->avx2 = __builtin_cpu_supports("avx2");
#endif
    TRY(place_features(r, &all));
    TRY(place_splits(r, f->tree_start[end]));
    *ret_ranks = MOVE(r);
    return OK;
}

/* ---- ranking rows ---- */

static int32_t
answer(const struct ranks *r, const struct asked_split *a, const float *row)
{
    const struct forest *f = r->forest;
    const uint32_t next = forest_step(f, a->node, row[f->feature[a->node]]);
    return (int32_t)(next != (uint32_t)f->left[a->node]) - bias_of(r);
}

/* Without branches: which way a value goes is as good as random. NaN is at most nothing: rank 0. */
static uint32_t
rank_of(const float *sorted, uint32_t n, float v)
{
    const float *low = sorted;
    while (n > 1) {
        const uint32_t half = n / 2;
        low += low[half - 1] <= v ? half : 0;
        n -= half;
    }
    return (uint32_t)(low - sorted) + (*low <= v);
}

#define MIN(A, B) ((A) < (B) ? (A) : (B))

static size_t
rows_padded(size_t rows)
{
    return (rows + RANKS_ROWS - 1) / RANKS_ROWS * RANKS_ROWS;
}

/* Columns of one feature, rows [from, end), as 8-bit ranks. */
static void
feature_rows8(const struct ranks *r, const struct ranked_feature *k, const float *x, size_t from,
              size_t end, size_t stride, int8_t *ret)
{
    const size_t width = r->forest->features;
    const float *threshold = r->threshold + k->first;
    for (size_t i = from; i < end; i++) {
        const float v = x[i * width + k->feature];
        const uint32_t rank = rank_of(threshold, k->thresholds, v);
        if (k->missing_low != NO_COLUMN) {
            ret[k->missing_low * stride + i] = (int8_t)((int32_t)rank - RANKS_BIAS8);
        }
        if (k->missing_high != NO_COLUMN) {
            const uint32_t high = isnan(v) ? k->thresholds : rank;
            ret[k->missing_high * stride + i] = (int8_t)((int32_t)high - RANKS_BIAS8);
        }
    }
}

static void
feature_rows16(const struct ranks *r, const struct ranked_feature *k, const float *x, size_t from,
               size_t end, size_t stride, int16_t *ret)
{
    const size_t width = r->forest->features;
    const float *threshold = r->threshold + k->first;
    for (size_t i = from; i < end; i++) {
        const float v = x[i * width + k->feature];
        const uint32_t rank = rank_of(threshold, k->thresholds, v);
        if (k->missing_low != NO_COLUMN) {
            ret[k->missing_low * stride + i] = (int16_t)((int32_t)rank - RANKS_BIAS16);
        }
        if (k->missing_high != NO_COLUMN) {
            const uint32_t high = isnan(v) ? k->thresholds : rank;
            ret[k->missing_high * stride + i] = (int16_t)((int32_t)high - RANKS_BIAS16);
        }
    }
}

#ifdef __x86_64__
__attribute__((target("avx2,popcnt"))) static inline uint32_t
group_at_most(const float *group, __m256 v)
{
    const int low = _mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(group), v, _CMP_LE_OQ));
    const int high = _mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(group + 8), v, _CMP_LE_OQ));
    return (uint32_t)__builtin_popcount((unsigned)low | (unsigned)high << 8);
}

/* Ranks of n <= TILE_ROWS values that stand `width` apart. */
__attribute__((target("avx2,popcnt"))) static void
tile_ranks_avx2(const struct ranks *r, const struct ranked_feature *k, const float *x, size_t n,
                int8_t *ret_low, int8_t *ret_high)
{
    const size_t width = r->forest->features;
    const float *threshold = r->threshold + k->first, *pivot = r->pivot + k->pivots;
    const int8_t most = (int8_t)((int32_t)k->thresholds - RANKS_BIAS8);
    x += k->feature;
    for (size_t i = 0; i < n; i++) {
        const __m256 v = _mm256_broadcast_ss(x + i * width);
        const uint32_t group = group_at_most(pivot, v) * GROUP;
        const uint32_t rank = group + group_at_most(threshold + group, v);
        ret_low[i] = (int8_t)((int32_t)rank - RANKS_BIAS8);
        ret_high[i] = isnan(x[i * width]) ? most : ret_low[i];
    }
}

static void
feature_rows8_avx2(const struct ranks *r, const struct ranked_feature *k, const float *x,
                   size_t from, size_t end, size_t stride, int8_t *ret)
{
    int8_t low[TILE_ROWS], high[TILE_ROWS];
    tile_ranks_avx2(r, k, x + from * r->forest->features, end - from, low, high);
    if (k->missing_low != NO_COLUMN) {
        memcpy(ret + k->missing_low * stride + from, low, end - from);
    }
    if (k->missing_high != NO_COLUMN) {
        memcpy(ret + k->missing_high * stride + from, high, end - from);
    }
}
#else
#define feature_rows8_avx2 feature_rows8
#endif

static void
pad8(const struct ranks *r, size_t rows, size_t stride, int8_t *ret)
{
    const size_t end = rows_padded(rows);
    ASSERT(end <= stride);
    for (uint32_t c = 0; c < r->columns; c++) {
        memset(ret + c * stride + rows, -RANKS_BIAS8, end - rows);
    }
}

static void
rows8(const struct ranks *r, bool avx2, const float *x, size_t rows, size_t stride, int8_t *ret)
{
    ASSERT(!r->wide);
    for (size_t from = 0; from < rows; from += TILE_ROWS) {
        const size_t end = MIN(from + TILE_ROWS, rows);
        for (uint32_t k = 0; k < r->features; k++) {
            if (avx2) {
                feature_rows8_avx2(r, &r->feature[k], x, from, end, stride, ret);
            } else {
                feature_rows8(r, &r->feature[k], x, from, end, stride, ret);
            }
        }
        for (uint32_t a = 0; a < r->asked_count; a++) {
            for (size_t i = from; i < end; i++) {
                ret[r->asked[a].column * stride + i] =
                    (int8_t)answer(r, &r->asked[a], x + i * r->forest->features);
            }
        }
    }
    pad8(r, rows, stride, ret);
}

void
ranks_rows8(const struct ranks *r, const float *x, size_t rows, size_t stride, int8_t *ret)
{
    rows8(r, r->avx2, x, rows, stride, ret);
}

void
ranks_rows8_ref(const struct ranks *r, const float *x, size_t rows, size_t stride, int8_t *ret)
{
    rows8(r, false, x, rows, stride, ret);
}

void
ranks_rows16(const struct ranks *r, const float *x, size_t rows, size_t stride, int16_t *ret)
{
    ASSERT(r->wide && rows_padded(rows) <= stride);
    for (size_t from = 0; from < rows; from += TILE_ROWS) {
        const size_t end = MIN(from + TILE_ROWS, rows);
        for (uint32_t k = 0; k < r->features; k++) {
            feature_rows16(r, &r->feature[k], x, from, end, stride, ret);
        }
        for (uint32_t a = 0; a < r->asked_count; a++) {
            for (size_t i = from; i < end; i++) {
                ret[r->asked[a].column * stride + i] =
                    (int16_t)answer(r, &r->asked[a], x + i * r->forest->features);
            }
        }
    }
    for (uint32_t c = 0; c < r->columns; c++) {
        for (size_t i = rows; i < rows_padded(rows); i++) {
            ret[c * stride + i] = -RANKS_BIAS16;
        }
    }
}
