#include "assess/errors.h"

#include "num/quantile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void
free_doubles(double **p)
{
    free(*p);
}

/* Ends of at most `bins` bins with about as many rows each; values that repeat make fewer. */
static void
quantile_edges(const double *sorted, size_t n, uint32_t bins, struct errors_axis *ret_axis)
{
    ret_axis->edge[0] = n == 0 ? 0 : sorted[0];
    ret_axis->bins = 0;
    for (uint32_t b = 1; b <= bins && n > 0; b++) {
        const double end = quantile_sorted(sorted, n, (double)b / bins);
        if (end > ret_axis->edge[ret_axis->bins]) {
            ret_axis->edge[++ret_axis->bins] = end;
        }
    }
    if (ret_axis->bins == 0) {
        ret_axis->bins = 1; /* one value, or none */
        ret_axis->edge[1] = ret_axis->edge[0];
    }
}

static struct status
axis_of(const struct errors_feature *f, size_t rows, uint32_t bins, struct errors_axis *ret_axis)
{
    *ret_axis = (struct errors_axis){0};
    for (size_t i = 0; i < rows; i++) {
        ret_axis->has_missing = ret_axis->has_missing || isnan(f->value[i]);
    }
    if (f->level_count > 0) {
        ret_axis->is_category = true;
        ret_axis->bins = f->level_count < ERRORS_MAX_BINS ? f->level_count : ERRORS_MAX_BINS;
        return OK;
    }
    DEFER(free_doubles) double *sorted = calloc(rows + 1, sizeof *sorted);
    CHECK(sorted != NULL, MEMORY);
    memcpy(sorted, f->value, rows * sizeof *sorted);
    quantile_edges(sorted, quantile_sort(sorted, rows), bins, ret_axis);
    return OK;
}

static uint32_t
bin_of(const struct errors_axis *a, double v)
{
    if (isnan(v)) {
        return a->bins;
    }
    if (a->is_category) {
        const uint32_t c = (uint32_t)v;
        return c < a->bins ? c : a->bins - 1; /* the last one holds the others */
    }
    uint32_t b = 0;
    while (b + 1 < a->bins && v >= a->edge[b + 1]) {
        b++;
    }
    return b;
}

struct status
errors_map_fill(const struct errors_feature *fx, const struct errors_feature *fy,
                const uint8_t *error, size_t rows, uint32_t bins, struct errors_map *ret_map)
{
    CHECK(bins >= 1 && bins <= ERRORS_MAX_BINS, LIMIT);
    memset(ret_map, 0, sizeof *ret_map);
    TRY(axis_of(fx, rows, bins, &ret_map->x));
    TRY(axis_of(fy, rows, bins, &ret_map->y));
    for (size_t i = 0; i < rows; i++) {
        const uint32_t x = bin_of(&ret_map->x, fx->value[i]), y = bin_of(&ret_map->y, fy->value[i]);
        struct errors_cell *c = &ret_map->cell[y * (ERRORS_MAX_BINS + 1) + x];
        c->rows++;
        c->errors += error[i];
    }
    for (size_t k = 0; k < sizeof ret_map->cell / sizeof *ret_map->cell; k++) {
        struct errors_cell *c = &ret_map->cell[k];
        c->ci = interval_wilson((double)c->errors, (double)c->rows, 0.95);
    }
    return OK;
}
