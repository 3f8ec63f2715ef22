#include "model/forest.h"

#include "base/threads.h"

#include <math.h>

#define BLOCK_ROWS 64u /* a block's rows stay in cache while a tree passes over them */

static bool
category_listed(const struct forest *f, uint32_t n, float v)
{
    if (!(v >= 0 && v < (float)FOREST_CATEGORIES_END)) {
        return false;
    }
    const uint32_t c = (uint32_t)v, *list = f->categories + f->category_start[n];
    uint32_t low = 0, high = f->category_count[n];
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (list[middle] < c) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < f->category_count[n] && list[low] == c;
}

uint32_t
forest_step(const struct forest *f, uint32_t n, float v)
{
    bool left;
    const bool zero = v >= -FOREST_ZERO && v <= FOREST_ZERO;
    if (isnan(v) || (zero && f->zero_missing != NULL && f->zero_missing[n] != 0)) {
        left = f->default_left[n] != 0;
    } else if (f->category_count[n] > 0) {
        left = !category_listed(f, n, v);
    } else {
        left = v < f->threshold[n];
    }
    return (uint32_t)(left ? f->left[n] : f->right[n]);
}

void
forest_margin_ref(const struct forest *f, const float *x, size_t rows, double *ret_margin)
{
    for (size_t r = 0; r < rows; r++) {
        double *margin = ret_margin + r * f->outputs;
        for (uint32_t k = 0; k < f->outputs; k++) {
            margin[k] = f->base[k];
        }
        for (uint32_t t = 0; t < f->trees; t++) {
            uint32_t n = f->tree_start[t];
            while (f->left[n] >= 0) {
                n = forest_step(f, n, x[r * f->features + f->feature[n]]);
            }
            margin[f->tree_output[t]] += f->tree_weight[t] * f->value[n];
        }
    }
}

/* ---- the same with packed nodes ---- */

/* By blocks of rows; sums in the same order, so the same digits. */

static uint32_t
leaf_of(const struct forest *f, uint32_t n, const float *x)
{
    for (;;) {
        const struct forest_step s = f->step[n];
        if (s.next == n) {
            return n;
        }
        const float v = x[s.rule & ~(FOREST_DEFAULT_LEFT | FOREST_BY_QUESTION)];
        if (__builtin_expect((s.rule & FOREST_BY_QUESTION) != 0, 0)) {
            n = forest_step(f, n, v);
        } else {
            /* Right unless smaller; for NaN, which is smaller than nothing, unless the default is
             * left. */
            const uint32_t right = !(v < s.threshold) & !((v != v) & (s.rule >> 31));
            n = s.next + right;
        }
    }
}

struct job {
    const struct forest *f;
    const float *x;
    size_t rows;
    double *margin;
};

static void
predict_block(void *ctx, size_t block)
{
    const struct job *j = ctx;
    const struct forest *f = j->f;
    const size_t first = block * BLOCK_ROWS,
                 end = first + BLOCK_ROWS < j->rows ? first + BLOCK_ROWS : j->rows;
    for (size_t r = first; r < end; r++) {
        for (uint32_t k = 0; k < f->outputs; k++) {
            j->margin[r * f->outputs + k] = f->base[k];
        }
    }
    for (uint32_t t = 0; t < f->trees; t++) {
        const double weight = f->tree_weight[t];
        for (size_t r = first; r < end; r++) {
            const uint32_t leaf = leaf_of(f, f->tree_start[t], j->x + r * f->features);
            j->margin[r * f->outputs + f->tree_output[t]] += weight * f->value[leaf];
        }
    }
}

void
forest_margin(const struct forest *f, const float *x, size_t rows, unsigned threads,
              double *ret_margin)
{
    struct job j = {f, x, rows, ret_margin};
    const size_t blocks = (rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
    if (blocks <= 1 || threads == 1) {
        for (size_t b = 0; b < blocks; b++) {
            predict_block(&j, b);
        }
        return;
    }
    threads_for(blocks, threads, predict_block, &j);
}

void
forest_link_apply(const struct forest *f, double *margin, size_t rows)
{
    link_apply(f->link, f->link_scale, f->outputs, margin, rows);
}
