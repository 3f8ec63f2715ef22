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

/* To a thousandth of the width, so that an edge reads well: one rounding, hence the double that the
 * decimal's text reads as. */
static double
round_edge(double edge, double width)
{
    const double decimals = 3 - floor(log10(width));
    const double power = pow(10, fabs(decimals));
    if (!(fabs(decimals) <= 22)) {
        return edge;
    }
    return decimals < 0 ? nearbyint(edge / power) * power : nearbyint(edge * power) / power;
}

static void
widen_range(struct errors_axis *a, const double *sorted, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint32_t b = errors_axis_bin(a, sorted[i]);
        a->low[b] = isnan(a->low[b]) ? sorted[i] : a->low[b];
        a->high[b] = sorted[i];
    }
}

/* False where there is nothing to part: few distinct values, or none that are finite. */
static bool
cut_width(const double *sorted, size_t n, uint32_t bins, struct errors_axis *a)
{
    size_t first = 0, end = n;
    while (first < end && isinf(sorted[first])) {
        first++;
    }
    while (end > first && isinf(sorted[end - 1])) {
        end--;
    }
    if (count_borders(sorted, n) < bins || end == first || !(sorted[first] < sorted[end - 1])) {
        return false;
    }
    const double width = sorted[end - 1] / bins - sorted[first] / bins;
    a->bins = bins;
    for (uint32_t b = 0; b < bins; b++) {
        a->edge[b] = round_edge(sorted[first] + width * (b + 1), width);
        a->low[b] = a->high[b] = NAN;
    }
    widen_range(a, sorted, n);
    return true;
}

struct status
errors_axis_cut(const struct errors_feature *f, size_t rows, uint32_t bins, enum errors_cut cut,
                struct errors_axis *ret_axis)
{
    CHECK(bins >= 1 && bins <= ERRORS_MAX_BINS, LIMIT);
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
    const size_t n = quantile_sort(sorted, rows);
    if (cut != ERRORS_EQUAL_WIDTH || !cut_width(sorted, n, bins, ret_axis)) {
        cut_axis(sorted, n, bins, ret_axis);
    }
    return OK;
}

uint32_t
errors_axis_bin(const struct errors_axis *a, double value)
{
    if (isnan(value)) {
        return a->bins;
    }
    if (a->is_category) {
        const uint32_t c = (uint32_t)value;
        return c < a->bins ? c : a->bins - 1; /* the last one holds the others */
    }
    uint32_t b = 0;
    while (b + 1 < a->bins && value >= a->edge[b]) {
        b++;
    }
    return b;
}

static struct errors_cell *
cell_of(struct errors_map *m, const struct errors_feature *fx, const struct errors_feature *fy,
        size_t row)
{
    const uint32_t x = errors_axis_bin(&m->x, fx->value[row]);
    const uint32_t y = fy == NULL ? 0 : errors_axis_bin(&m->y, fy->value[row]);
    return &m->cell[y * (ERRORS_MAX_BINS + 1) + x];
}

/* Of other losses than 0 and 1: of their mean. Here the interval's low end gathers the squares. */
static void
put_means(const struct errors_feature *fx, const struct errors_feature *fy, const double *loss,
          size_t rows, struct errors_map *m)
{
    for (size_t i = 0; i < rows; i++) {
        struct errors_cell *c = cell_of(m, fx, fy, i);
        const double d = loss[i] - c->errors / (double)c->rows;
        c->ci.low += d * d;
    }
    for (size_t k = 0; k < sizeof m->cell / sizeof *m->cell; k++) {
        struct errors_cell *c = &m->cell[k];
        const double n = (double)c->rows, mean = c->errors / n;
        c->ci = interval_mean(mean, c->ci.low, n, 0.95);
        c->ci.low = isnan(c->ci.low) ? c->ci.low : fmax(0, c->ci.low);
    }
}

static void
put_rates(struct errors_map *m)
{
    for (size_t k = 0; k < sizeof m->cell / sizeof *m->cell; k++) {
        m->cell[k].ci = interval_wilson(m->cell[k].errors, (double)m->cell[k].rows, 0.95);
    }
}

struct status
errors_map_fill(const struct errors_feature *fx, const struct errors_feature *fy,
                const double *loss, size_t rows, uint32_t bins, enum errors_cut cut,
                struct errors_map *ret_map)
{
    bool binary = true;
    memset(ret_map, 0, sizeof *ret_map);
    TRY(errors_axis_cut(fx, rows, bins, cut, &ret_map->x));
    ret_map->y.bins = 1;
    if (fy != NULL) {
        TRY(errors_axis_cut(fy, rows, bins, cut, &ret_map->y));
    }
    for (size_t i = 0; i < rows; i++) {
        struct errors_cell *c = cell_of(ret_map, fx, fy, i);
        c->rows++;
        c->errors += loss[i];
        binary = binary && (loss[i] <= 0 || (loss[i] >= 1 && loss[i] <= 1));
    }
    binary ? put_rates(ret_map) : put_means(fx, fy, loss, rows, ret_map);
    return OK;
}
