#include "assess/profile.h"

#include "num/moments.h"
#include "num/quantile.h"

#include <math.h>

/* Distinct values to the front; returns how many. */
static size_t
distinct(double *sorted, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || sorted[i] != sorted[kept - 1]) {
            sorted[kept++] = sorted[i];
        }
    }
    return kept;
}

struct status
profile_grid(const double *x, size_t rows, size_t stride, size_t most, double *ret_grid,
             size_t *ret_points, bool *ret_all)
{
    ASSERT(most >= 2);
    DEFER(memory_freep) double *value = calloc(rows > 0 ? rows : 1, sizeof *value);
    DEFER(memory_freep) double *grid = calloc(most, sizeof *grid);
    CHECK(value != NULL && grid != NULL, MEMORY);
    for (size_t i = 0; i < rows; i++) {
        value[i] = x[i * stride];
    }
    const size_t n = quantile_sort(value, rows);
    for (size_t i = 0; i < most && n > 0;
         i++) { /* the smallest value with that share at or below */
        const size_t rank = (n * i + most - 2) / (most - 1);
        grid[i] = value[rank > 0 ? rank - 1 : 0];
    }
    const size_t all = distinct(value, n), some = n > 0 ? distinct(grid, most) : 0;
    *ret_all = all <= most;
    *ret_points = *ret_all ? all : some;
    memcpy(ret_grid, *ret_all ? value : grid, *ret_points * sizeof *ret_grid);
    return OK;
}

struct profile {
    const struct black_box *box;
    const struct profile_input *in;
    struct moments *moments; /* blocks * points * outputs */
    double *curve;
};

/* Answers of the rows that have a curve. */
static void
keep_curves(const struct profile *p, size_t first, size_t n, size_t point, const double *score)
{
    const size_t outputs = p->box->outputs;
    for (size_t c = 0; c < p->in->curves; c++) {
        const size_t row = p->in->curve[c];
        for (size_t o = 0; row >= first && row < first + n && o < outputs; o++) {
            p->curve[(o * p->in->curves + c) * p->in->points + point] =
                score[(row - first) * outputs + o];
        }
    }
}

static struct status
profile_block(void *ctx, size_t block, struct diag *diag)
{
    const struct profile *p = ctx;
    const size_t outputs = p->box->outputs, first = block * BLACK_BOX_BLOCK;
    const size_t left = p->in->rows - first, n = left < BLACK_BOX_BLOCK ? left : BLACK_BOX_BLOCK;
    DEFER(memory_freep) double *x = calloc(n * p->box->features, sizeof *x);
    DEFER(memory_freep) double *score = calloc(n * outputs, sizeof *score);
    CHECK(x != NULL && score != NULL, MEMORY);
    memcpy(x, p->in->x + first * p->box->features, n * p->box->features * sizeof *x);
    for (size_t point = 0; point < p->in->points; point++) {
        struct moments *m = p->moments + (block * p->in->points + point) * outputs;
        for (size_t i = 0; i < n; i++) {
            x[i * p->box->features + p->in->feature] = p->in->grid[point];
        }
        TRY(black_box_predict(p->box, x, n, diag, score));
        for (size_t i = 0; i < n * outputs; i++) {
            moments_add(&m[i % outputs], score[i]);
        }
        keep_curves(p, first, n, point, score);
    }
    return OK;
}

struct status
profile_feature(const struct black_box *box, const struct profile_input *in, struct diag *diag,
                double *ret_mean, double *ret_error, double *ret_curve)
{
    ASSERT(in->rows > 0 && in->points > 0 && in->feature < box->features);
    const size_t blocks = (in->rows + BLACK_BOX_BLOCK - 1) / BLACK_BOX_BLOCK;
    const size_t cells = in->points * box->outputs;
    DEFER(memory_freep) struct moments *m = calloc(blocks * cells, sizeof *m);
    CHECK(m != NULL, MEMORY);
    struct profile p = {box, in, m, ret_curve};
    TRY(black_box_blocks(blocks, in->threads, profile_block, &p, diag));
    for (size_t c = 0; c < cells; c++) {
        struct moments all = {0};
        for (size_t b = 0; b < blocks; b++) {
            moments_merge(&all, &m[b * cells + c]);
        }
        const size_t at = c % box->outputs * in->points + c / box->outputs;
        ret_mean[at] = moments_mean(&all);
        ret_error[at] = moments_error(&all);
    }
    return OK;
}
