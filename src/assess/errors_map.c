#include "assess/errors.h"

#include "assess/cut.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The place after which a bin from place `from` on ends, so that the rows up to there are nearest
 * to `target`. */
static size_t
border_near(const struct counted *v, size_t from, uint64_t target)
{
    size_t best = v->n - 1;
    uint64_t least = UINT64_MAX;
    for (size_t k = from; k + 1 < v->n; k++) {
        const uint64_t upto = v->at[k].upto, far = upto < target ? target - upto : upto - target;
        if (far >= least) {
            break;
        }
        best = k;
        least = far;
    }
    return best;
}

static void
cut_axis(const struct counted *v, uint32_t bins, struct errors_axis *a)
{
    const bool each = v->n <= bins; /* a bin for each distinct value */
    const uint64_t n = counted_rows(v);
    for (size_t begin = 0, last = 0; begin < v->n; begin = last + 1) {
        const uint64_t target = n * (a->bins + 1) / bins;
        last = a->bins + 1 == bins ? v->n - 1 : each ? begin : border_near(v, begin, target);
        a->low[a->bins] = v->at[begin].value;
        a->high[a->bins++] = v->at[last].value;
        if (last + 1 < v->n) {
            a->edge[a->bins - 1] = cut_between(v->at[last].value, v->at[last + 1].value, false);
        }
    }
    a->bins = v->n == 0 ? 1 : a->bins; /* no row has a value */
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
widen_range(struct errors_axis *a, const struct counted *v)
{
    for (size_t k = 0; k < v->n; k++) {
        const double value = v->at[k].value;
        const uint32_t b = errors_axis_bin(a, value);
        a->low[b] = isnan(a->low[b]) ? value : a->low[b];
        a->high[b] = value;
    }
}

/* False where there is nothing to part: few distinct values, or none that are finite. */
static bool
cut_width(const struct counted *v, uint32_t bins, struct errors_axis *a)
{
    size_t first = 0, end = v->n;
    while (first < end && isinf(v->at[first].value)) {
        first++;
    }
    while (end > first && isinf(v->at[end - 1].value)) {
        end--;
    }
    if (v->n <= bins || end < first + 2) {
        return false;
    }
    const double least = v->at[first].value, width = v->at[end - 1].value / bins - least / bins;
    a->bins = bins;
    for (uint32_t b = 0; b < bins; b++) {
        a->edge[b] = round_edge(least + width * (b + 1), width);
        a->low[b] = a->high[b] = NAN;
    }
    widen_range(a, v);
    return true;
}

struct status
errors_axis_of(const struct counted *values, uint32_t level_count, uint32_t bins,
               enum errors_cut cut, struct errors_axis *ret_axis)
{
    CHECK(bins >= 1 && bins <= ERRORS_MAX_BINS, LIMIT);
    *ret_axis = (struct errors_axis){.has_missing = values->missing > 0};
    if (level_count > 0) {
        ret_axis->is_category = true;
        ret_axis->bins = level_count < ERRORS_MAX_BINS ? level_count : ERRORS_MAX_BINS;
    } else if (cut != ERRORS_EQUAL_WIDTH || !cut_width(values, bins, ret_axis)) {
        cut_axis(values, bins, ret_axis);
    }
    return OK;
}

struct status
errors_axis_cut(const struct errors_feature *f, size_t rows, uint32_t bins, enum errors_cut cut,
                struct errors_axis *ret_axis)
{
    DEFER(counted_done) struct counted values = {0};
    if (f->level_count == 0) {
        TRY(counted_add(&values, f->value, rows, 1));
        TRY(counted_settle(&values));
    }
    for (size_t i = 0; i < rows && f->level_count > 0; i++) {
        values.missing += isnan(f->value[i]) ? 1 : 0;
    }
    return errors_axis_of(&values, f->level_count, bins, cut, ret_axis);
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

void
errors_map_begin(const struct errors_axis *x, const struct errors_axis *y,
                 struct errors_map_state *ret_state)
{
    memset(ret_state, 0, sizeof *ret_state);
    ret_state->x = *x;
    ret_state->y = y == NULL ? (struct errors_axis){.bins = 1} : *y;
    ret_state->pair = y != NULL;
    ret_state->binary = true;
}

void
errors_map_add(struct errors_map_state *s, const double *x, const double *y, const double *loss,
               size_t rows)
{
    ASSERT(s->pair == (y != NULL));
    for (size_t i = 0; i < rows; i++) {
        const uint32_t xi = errors_axis_bin(&s->x, x[i]);
        const uint32_t yi = y == NULL ? 0 : errors_axis_bin(&s->y, y[i]);
        moments_add(&s->loss[yi * (ERRORS_MAX_BINS + 1) + xi], loss[i]);
        s->binary = s->binary && (loss[i] <= 0 || (loss[i] >= 1 && loss[i] <= 1));
    }
}

void
errors_map_merge(struct errors_map_state *s, const struct errors_map_state *other)
{
    for (size_t k = 0; k < sizeof s->loss / sizeof *s->loss; k++) {
        moments_merge(&s->loss[k], &other->loss[k]);
    }
    s->binary = s->binary && other->binary;
}

void
errors_map_finish(const struct errors_map_state *s, struct errors_map *ret_map)
{
    ret_map->x = s->x;
    ret_map->y = s->y;
    for (size_t k = 0; k < sizeof s->loss / sizeof *s->loss; k++) {
        const struct moments *m = &s->loss[k];
        struct errors_cell *c = &ret_map->cell[k];
        const double n = (double)m->n;
        c->rows = m->n;
        c->errors = sum_value(&m->sum);
        c->ci = s->binary ? interval_wilson(c->errors, n, 0.95)
                          : interval_mean(moments_mean(m), moments_squares(m), n, 0.95);
        c->ci.low = isnan(c->ci.low) ? c->ci.low : fmax(0, c->ci.low);
    }
}

struct status
errors_map_fill(const struct errors_feature *fx, const struct errors_feature *fy,
                const double *loss, size_t rows, uint32_t bins, enum errors_cut cut,
                struct errors_map *ret_map)
{
    struct errors_axis x, y;
    DEFER(memory_freep) struct errors_map_state *s = malloc(sizeof *s);
    CHECK(s != NULL, MEMORY);
    TRY(errors_axis_cut(fx, rows, bins, cut, &x));
    if (fy != NULL) {
        TRY(errors_axis_cut(fy, rows, bins, cut, &y));
    }
    errors_map_begin(&x, fy == NULL ? NULL : &y, s);
    errors_map_add(s, fx->value, fy == NULL ? NULL : fy->value, loss, rows);
    errors_map_finish(s, ret_map);
    return OK;
}
