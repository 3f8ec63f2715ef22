#include "assess/errors_histogram.h"

#include "num/whole.h"

#include <math.h>
#include <stdlib.h>

/* ---- losses ---- */

struct status
errors_losses_add(struct errors_losses *l, const double *loss, size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        CHECK(isfinite(loss[i]) && loss[i] >= 0, INPUT);
        sum_add(&l->sum, loss[i]);
        l->most = fmax(l->most, loss[i]);
        l->other += !(loss[i] <= 0 || (loss[i] >= 1 && loss[i] <= 1));
    }
    l->rows += rows;
    return OK;
}

void
errors_losses_merge(struct errors_losses *l, const struct errors_losses *other)
{
    sum_merge(&l->sum, &other->sum);
    l->most = fmax(l->most, other->most);
    l->rows += other->rows;
    l->other += other->other;
}

double
errors_losses_whole(const struct errors_losses *all, const double *loss, size_t rows,
                    int64_t *ret_whole)
{
    const int shift = all->most > 0 ? whole_shift(all->most, all->rows) : 0;
    for (size_t i = 0; i < rows; i++) {
        ret_whole[i] = whole_of(loss[i], shift);
    }
    return all->most > 0 ? 1 / ldexp(all->most, shift) : 1;
}

/* ---- codes ---- */

/* Where values of an even share of the range begin: few steps are left for halving. */
#define SHARES ((size_t)1 << 16)

struct shares {
    uint32_t *begin; /* SHARES + 1 */
    double least, scale;
};

static size_t
share_of(const struct shares *s, double v)
{
    const double at = (v - s->least) * s->scale;
    return at >= (double)SHARES ? SHARES - 1 : at > 0 ? (size_t)at : 0;
}

static void
fill_shares(const struct counted *values, struct shares *s)
{
    const double least = values->at[0].value, most = values->at[values->n - 1].value;
    const double scale = (double)SHARES / (most - least);
    const bool even = most > least && isfinite(most - least) && isfinite(scale);
    s->least = even ? least : 0;
    s->scale = even ? scale : 0; /* all in the first share */
    size_t share = 0;
    for (size_t k = 0; k < values->n; k++) {
        const size_t of_value = even ? share_of(s, values->at[k].value) : 0;
        while (share < of_value) {
            s->begin[++share] = (uint32_t)k;
        }
    }
    while (share < SHARES) {
        s->begin[++share] = (uint32_t)values->n;
    }
}

static uint32_t
code_of(const struct counted *values, const struct shares *s, double v)
{
    const size_t share = s->scale > 0 ? share_of(s, v) : 0;
    uint32_t low = s->begin[share], high = s->begin[share + 1] - 1;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (values->at[middle].value < v) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct status
errors_codes(const struct counted *values, const double *x, size_t rows, uint32_t *ret_code)
{
    CHECK(values->n < UINT32_MAX, LIMIT);
    DEFER(memory_freep) uint32_t *begin = calloc(SHARES + 1, sizeof *begin);
    CHECK(begin != NULL, MEMORY);
    struct shares s = {.begin = begin};
    if (values->n > 0) {
        fill_shares(values, &s);
    }
    for (size_t i = 0; i < rows; i++) {
        ret_code[i] = isnan(x[i]) ? (uint32_t)values->n : code_of(values, &s, x[i]);
    }
    return OK;
}

/* ---- the histogram ---- */

void
errors_histogram_done(struct errors_histogram *h)
{
    free(h->cell);
}

struct status
errors_histogram_begin(uint32_t first, uint32_t nodes, uint32_t bins,
                       struct errors_histogram *ret_histogram)
{
    struct errors_tally *cell = calloc((size_t)nodes * (bins + 1), sizeof *cell);
    CHECK(cell != NULL, MEMORY);
    *ret_histogram = (struct errors_histogram){first, nodes, bins, cell};
    return OK;
}

void
errors_histogram_add(struct errors_histogram *h, const uint32_t *code, const uint16_t *node,
                     const int64_t *whole, size_t rows)
{
    const size_t width = (size_t)h->bins + 1;
    for (size_t i = 0; i < rows; i++) {
        const uint32_t k = (uint32_t)node[i] - h->first; /* wraps below the first */
        if (k < h->nodes) {
            struct errors_tally *c = &h->cell[k * width + code[i]];
            c->rows++;
            c->loss += whole[i];
        }
    }
}

void
errors_histogram_merge(struct errors_histogram *h, const struct errors_histogram *other)
{
    ASSERT(h->first == other->first && h->nodes == other->nodes && h->bins == other->bins);
    for (size_t k = 0; k < (size_t)h->nodes * (h->bins + 1); k++) {
        h->cell[k].rows += other->cell[k].rows;
        h->cell[k].loss += other->cell[k].loss;
    }
}

/* ---- splits ---- */

struct picking {
    uint64_t min_rows;
    double unit;
    struct errors_tally all, present; /* rows of the node; those with a value */
    struct errors_split *best;
};

static struct errors_tally
less(struct errors_tally a, struct errors_tally b)
{
    return (struct errors_tally){a.rows - b.rows, a.loss - b.loss};
}

static struct errors_tally
plus(struct errors_tally a, struct errors_tally b)
{
    return (struct errors_tally){a.rows + b.rows, a.loss + b.loss};
}

/* For losses of 0 and 1, n times half the Gini impurity, which is n times the variance. For others
 * the sum of squares is left out: it is the same on both sides of a drop. */
static double
impurity(const struct picking *p, struct errors_tally t)
{
    const double errors = (double)t.loss * p->unit, rows = (double)t.rows;
    return t.rows == 0 ? 0.0 : errors * (rows - errors) / rows;
}

static void
consider_side(const struct picking *p, struct errors_tally left, struct errors_split *candidate)
{
    const struct errors_tally right = less(p->all, left);
    if (left.rows < p->min_rows || right.rows < p->min_rows) {
        return;
    }
    const double drop = impurity(p, p->all) - (impurity(p, left) + impurity(p, right));
    candidate->gain = 2.0 * drop / (double)p->all.rows;
    if (candidate->gain > ERRORS_GAIN_MIN && candidate->gain > p->best->gain) {
        *p->best = *candidate;
    }
}

/* left: the rows with a value that go left. Missing values go to each side in turn; where there are
 * none, new ones would go with the larger part. */
static void
consider(const struct picking *p, struct errors_tally left, struct errors_split candidate)
{
    const struct errors_tally missing = less(p->all, p->present);
    if (missing.rows == 0) {
        candidate.missing_left = left.rows >= less(p->present, left).rows;
        consider_side(p, left, &candidate);
        return;
    }
    candidate.missing_left = true;
    consider_side(p, plus(left, missing), &candidate);
    candidate.missing_left = false;
    consider_side(p, left, &candidate);
}

static void
pick_numeric(const struct picking *p, const struct errors_tally *cell, uint32_t bins,
             uint32_t feature)
{
    struct errors_tally run = {0};
    uint32_t last = 0;
    for (uint32_t b = 0; b < bins; b++) {
        if (cell[b].rows == 0) {
            continue;
        }
        if (run.rows > 0) {
            consider(
                p, run,
                (struct errors_split){.feature = feature, .low = last, .high = b, .category = -1});
        }
        run = plus(run, cell[b]);
        last = b;
    }
}

static void
pick_category(const struct picking *p, const struct errors_tally *cell, uint32_t bins,
              uint32_t feature)
{
    for (uint32_t b = 0; b < bins; b++) {
        if (cell[b].rows > 0) {
            consider(p, cell[b], (struct errors_split){.feature = feature, .category = (int32_t)b});
        }
    }
}

void
errors_histogram_finish(const struct errors_histogram *h, uint32_t feature, bool category,
                        uint64_t min_rows, double unit, struct errors_split *best)
{
    for (uint32_t k = 0; k < h->nodes; k++) {
        const struct errors_tally *cell = h->cell + (size_t)k * (h->bins + 1);
        struct picking p = {.min_rows = min_rows, .unit = unit, .best = &best[k]};
        for (uint32_t b = 0; b < h->bins; b++) {
            p.present = plus(p.present, cell[b]);
        }
        p.all = plus(p.present, cell[h->bins]);
        (category ? pick_category : pick_numeric)(&p, cell, h->bins, feature);
    }
}
