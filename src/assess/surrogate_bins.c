#include "assess/surrogate_bins.h"

#include "assess/cut.h"

#include <math.h>

void
surrogate_bins_done(struct surrogate_bins *b)
{
    for (size_t f = 0; b->level != NULL && f < b->features; f++) {
        free(b->level[f]);
    }
    free(b->code);
    free(b->cut);
    free(b->level);
    free(b->count);
}

struct making {
    const double *x;
    const size_t *pick;
    struct surrogate_bins *bins;
};

static double
value_of(const struct making *m, size_t row, size_t feature)
{
    return m->x[m->pick[row] * m->bins->features + feature];
}

/* ---- numbers ---- */

/* Bins end after distinct values; past the most, where the share of rows passes the next even
 * part. */
uint32_t
surrogate_cuts(const struct counted *values, double ret_cut[static 256])
{
    const bool all = values->n <= SURROGATE_BINS;
    const uint64_t n = counted_rows(values);
    uint32_t bins = 0;
    for (size_t k = 0; k + 1 < values->n; k++) {
        const uint64_t part = n * (bins + 1) / SURROGATE_BINS;
        if (all || (values->at[k].upto >= part && bins + 1 < SURROGATE_BINS)) {
            ret_cut[bins++] = cut_between(values->at[k].value, values->at[k + 1].value, true);
        }
    }
    ret_cut[bins] = (double)INFINITY;
    return n > 0 ? bins + 1 : 0;
}

static struct status
bin_numbers(const struct making *m, size_t feature)
{
    struct surrogate_bins *b = m->bins;
    double *cut = b->cut + feature * 256;
    DEFER(counted_done) struct counted values = {0};
    for (size_t i = 0; i < b->rows; i++) {
        const double v = value_of(m, i, feature);
        TRY(counted_add(&values, &v, 1, 1));
    }
    TRY(counted_settle(&values));
    b->count[feature] = surrogate_cuts(&values, cut);
    for (size_t i = 0; i < b->rows; i++) {
        const double v = value_of(m, i, feature);
        size_t low = 0, high = isnan(v) ? 0 : b->count[feature] - 1;
        while (low < high) {
            const size_t mid = (low + high) / 2;
            if (v <= cut[mid]) {
                high = mid;
            } else {
                low = mid + 1;
            }
        }
        b->code[feature * b->rows + i] = isnan(v) ? (uint8_t)MISSING_BIN : (uint8_t)low;
    }
    return OK;
}

/* ---- categories ---- */

struct frequent {
    uint64_t rows;
    uint32_t level;
};

static int
by_rows(const void *a, const void *b)
{
    const struct frequent *x = a, *y = b;
    return x->rows != y->rows ? (x->rows < y->rows) - (x->rows > y->rows)
                              : (x->level > y->level) - (x->level < y->level);
}

static struct status
bin_levels(const struct making *m, size_t feature)
{
    struct surrogate_bins *b = m->bins;
    const uint32_t levels = b->level_count[feature];
    DEFER(memory_freep) struct frequent *often = calloc(levels, sizeof *often);
    b->level[feature] = calloc(levels, 1);
    CHECK(often != NULL && b->level[feature] != NULL, MEMORY);
    for (uint32_t l = 0; l < levels; l++) {
        often[l].level = l;
    }
    for (size_t i = 0; i < b->rows; i++) {
        const double v = value_of(m, i, feature);
        if (v >= 0 && v < levels) {
            often[(size_t)v].rows++;
        }
    }
    qsort(often, levels, sizeof *often, by_rows);
    for (uint32_t k = 0; k < levels; k++) {
        const uint32_t bin = k < SURROGATE_BINS ? k : SURROGATE_BINS - 1;
        b->level[feature][often[k].level] = (uint8_t)bin;
    }
    b->count[feature] = levels < SURROGATE_BINS ? levels : SURROGATE_BINS;
    for (size_t i = 0; i < b->rows; i++) {
        const double v = value_of(m, i, feature);
        b->code[feature * b->rows + i] =
            v >= 0 && v < levels ? b->level[feature][(size_t)v] : (uint8_t)MISSING_BIN;
    }
    return OK;
}

static struct status
bin_feature(void *ctx, size_t feature, struct diag *diag)
{
    const struct making *m = ctx;
    (void)diag;
    return m->bins->level_count[feature] > 0 ? bin_levels(m, feature) : bin_numbers(m, feature);
}

struct status
surrogate_bins_make(const double *x, const size_t *pick, size_t rows, size_t features,
                    const uint32_t *level_count, unsigned threads, struct surrogate_bins *ret_bins)
{
    DEFER(surrogate_bins_done) struct surrogate_bins b = {.features = features, .rows = rows};
    b.level_count = level_count;
    b.code = malloc(features * rows);
    b.cut = calloc(features * 256, sizeof *b.cut);
    b.level = calloc(features, sizeof *b.level);
    b.count = calloc(features, sizeof *b.count);
    CHECK(b.code != NULL && b.cut != NULL && b.level != NULL && b.count != NULL, MEMORY);
    struct making m = {x, pick, &b};
    TRY(black_box_blocks(features, threads, bin_feature, &m, NULL));
    *ret_bins = b;
    b = (struct surrogate_bins){0};
    return OK;
}
