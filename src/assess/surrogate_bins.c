#include "assess/surrogate_bins.h"

#include "assess/cut.h"

#include <math.h>

void
surrogate_bins_done(struct surrogate_bins *b)
{
    for (size_t f = 0; b->level != NULL && f < b->features; f++) {
        free(b->level[f]);
    }
    free(b->cut);
    free(b->level);
    free(b->count);
}

struct making {
    const struct surrogate_picked *part;
    size_t parts;
    struct surrogate_bins *bins;
};

static double
value_of(const struct making *m, const struct surrogate_picked *p, size_t i, size_t feature)
{
    return p->x[p->row[i] * m->bins->features + feature];
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
count_values(const struct making *m, size_t feature, struct counted *values)
{
    for (size_t p = 0; p < m->parts; p++) {
        DEFER(counted_done) struct counted own = {0};
        for (size_t i = 0; i < m->part[p].n; i++) {
            const double v = value_of(m, &m->part[p], i, feature);
            TRY(counted_add(&own, &v, 1, 1));
        }
        TRY(counted_settle(&own));
        TRY(counted_merge(values, &own));
    }
    return counted_settle(values);
}

static uint8_t
bin_of(const double *cut, uint32_t bins, double v)
{
    size_t low = 0, high = isnan(v) ? 0 : bins - 1;
    while (low < high) {
        const size_t mid = (low + high) / 2;
        if (v <= cut[mid]) {
            high = mid;
        } else {
            low = mid + 1;
        }
    }
    return isnan(v) ? (uint8_t)MISSING_BIN : (uint8_t)low;
}

static struct status
bin_numbers(const struct making *m, size_t feature)
{
    struct surrogate_bins *b = m->bins;
    double *cut = b->cut + feature * 256;
    DEFER(counted_done) struct counted values = {0};
    TRY(count_values(m, feature, &values));
    b->count[feature] = surrogate_cuts(&values, cut);
    for (size_t p = 0; p < m->parts; p++) {
        const struct surrogate_picked *one = &m->part[p];
        for (size_t i = 0; i < one->n; i++) {
            one->code[feature * one->stride + one->row[i]] =
                bin_of(cut, b->count[feature], value_of(m, one, i, feature));
        }
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
    for (size_t p = 0; p < m->parts; p++) {
        for (size_t i = 0; i < m->part[p].n; i++) {
            const double v = value_of(m, &m->part[p], i, feature);
            if (v >= 0 && v < levels) {
                often[(size_t)v].rows++;
            }
        }
    }
    qsort(often, levels, sizeof *often, by_rows);
    for (uint32_t k = 0; k < levels; k++) {
        const uint32_t bin = k < SURROGATE_BINS ? k : SURROGATE_BINS - 1;
        b->level[feature][often[k].level] = (uint8_t)bin;
    }
    b->count[feature] = levels < SURROGATE_BINS ? levels : SURROGATE_BINS;
    for (size_t p = 0; p < m->parts; p++) {
        const struct surrogate_picked *one = &m->part[p];
        for (size_t i = 0; i < one->n; i++) {
            const double v = value_of(m, one, i, feature);
            one->code[feature * one->stride + one->row[i]] =
                v >= 0 && v < levels ? b->level[feature][(size_t)v] : (uint8_t)MISSING_BIN;
        }
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
surrogate_bins_make(const struct surrogate_picked *part, size_t parts, size_t features,
                    const uint32_t *level_count, unsigned threads, struct surrogate_bins *ret_bins)
{
    DEFER(surrogate_bins_done) struct surrogate_bins b = {.features = features};
    b.level_count = level_count;
    b.cut = calloc(features * 256, sizeof *b.cut);
    b.level = calloc(features, sizeof *b.level);
    b.count = calloc(features, sizeof *b.count);
    CHECK(b.cut != NULL && b.level != NULL && b.count != NULL, MEMORY);
    struct making m = {part, parts, &b};
    TRY(black_box_blocks(features, threads, bin_feature, &m, NULL));
    *ret_bins = b;
    b = (struct surrogate_bins){0};
    return OK;
}
