#include "assess/errors.h"

#include "assess/cut.h"
#include "num/quantile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The border (a place where the value changes) nearest to `target`, after `from`; n: none. */
static size_t
border_near(const double *sorted, size_t n, size_t from, size_t target)
{
    size_t best = n;
    for (size_t i = from + 1; i < n; i++) {
        if (sorted[i - 1] >= sorted[i]) {
            continue;
        }
        const size_t far = i < target ? target - i : i - target;
        if (best != n && far >= (best < target ? target - best : best - target)) {
            break;
        }
        best = i;
    }
    return best;
}

static size_t
count_borders(const double *sorted, size_t n)
{
    size_t borders = 0;
    for (size_t i = 1; i < n; i++) {
        borders += sorted[i - 1] < sorted[i];
    }
    return borders;
}

static void
close_bin(struct errors_axis *a, const double *sorted, size_t begin, size_t end)
{
    a->low[a->bins] = sorted[begin];
    a->high[a->bins] = sorted[end - 1];
    a->bins++;
}

static void
cut_axis(const double *sorted, size_t n, uint32_t bins, struct errors_axis *a)
{
    const bool each = count_borders(sorted, n) < bins; /* a bin for each distinct value */
    size_t begin = 0;
    while (n > 0) {
        const size_t target = each ? begin + 1 : n * (a->bins + 1) / bins;
        const size_t border = a->bins + 1 == bins ? n : border_near(sorted, n, begin, target);
        close_bin(a, sorted, begin, border);
        if (border == n) {
            return;
        }
        a->edge[a->bins - 1] = cut_between(sorted[border - 1], sorted[border], false);
        begin = border;
    }
    a->bins = 1; /* no row has a value */
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
    DEFER(memory_freep) double *sorted = calloc(rows + 1, sizeof *sorted);
    CHECK(sorted != NULL, MEMORY);
    memcpy(sorted, f->value, rows * sizeof *sorted);
    cut_axis(sorted, quantile_sort(sorted, rows), bins, ret_axis);
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
    while (b + 1 < a->bins && v >= a->edge[b]) {
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
