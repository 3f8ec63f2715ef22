#include "assess/profile.h"

#include "num/moments.h"

#include <math.h>

void
profile_grid(const struct counted *values, size_t most, double *ret_grid, size_t *ret_points,
             bool *ret_all)
{
    ASSERT(most >= 2);
    const uint64_t rows = counted_rows(values);
    size_t points = 0;
    *ret_all = values->n <= most;
    for (size_t i = 0; i < most && rows > 0; i++) {
        /* The smallest value with that share at or below. */
        const uint64_t rank = (rows * i + most - 2) / (most - 1);
        const size_t at = *ret_all ? i : counted_place(values, rank > 0 ? rank - 1 : 0);
        if (at < values->n && (points == 0 || values->at[at].value > ret_grid[points - 1])) {
            ret_grid[points++] = values->at[at].value;
        }
    }
    *ret_points = points;
}

struct profile {
    const struct black_box *box;
    const struct profile_input *in;
    const struct black_box_rows *part;
    size_t before;           /* rows of the parts before it */
    struct moments *moments; /* blocks * points * outputs */
    double *curve;
};

/* Answers of the rows that have a curve. */
static void
keep_curves(const struct profile *p, size_t first, size_t n, size_t point, const double *score)
{
    const size_t outputs = p->box->outputs;
    for (size_t c = 0; c < p->in->curves; c++) {
        const size_t row = p->in->curve[c] - p->before; /* wraps where it lies before */
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
    const size_t left = p->part->rows - first, n = left < BLACK_BOX_BLOCK ? left : BLACK_BOX_BLOCK;
    DEFER(memory_freep) double *x = calloc(n * p->box->features, sizeof *x);
    DEFER(memory_freep) double *score = calloc(n * outputs, sizeof *score);
    CHECK(x != NULL && score != NULL, MEMORY);
    memcpy(x, p->part->x + first * p->box->features, n * p->box->features * sizeof *x);
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

/* To all[points * outputs]. */
static struct status
profile_part(struct profile *p, struct diag *diag, struct moments *all)
{
    const size_t blocks = (p->part->rows + BLACK_BOX_BLOCK - 1) / BLACK_BOX_BLOCK;
    const size_t cells = p->in->points * p->box->outputs;
    DEFER(memory_freep) struct moments *m = calloc(blocks * cells + 1, sizeof *m);
    CHECK(m != NULL, MEMORY);
    p->moments = m;
    TRY(black_box_blocks(blocks, p->in->threads, profile_block, p, diag));
    for (size_t k = 0; k < blocks * cells; k++) {
        moments_merge(&all[k % cells], &m[k]);
    }
    p->before += p->part->rows;
    return OK;
}

struct status
profile_feature(const struct black_box *box, const struct profile_input *in, struct diag *diag,
                double *ret_mean, double *ret_error, double *ret_curve)
{
    ASSERT(in->points > 0 && in->feature < box->features);
    const size_t cells = in->points * box->outputs;
    DEFER(memory_freep) struct moments *all = calloc(cells, sizeof *all);
    CHECK(all != NULL, MEMORY);
    struct profile p = {.box = box, .in = in, .curve = ret_curve};
    for (size_t k = 0; k < in->parts; k++) {
        p.part = &in->part[k];
        TRY(profile_part(&p, diag, all));
    }
    for (size_t c = 0; c < cells; c++) {
        const size_t at = c % box->outputs * in->points + c / box->outputs;
        ret_mean[at] = moments_mean(&all[c]);
        ret_error[at] = moments_error(&all[c]);
    }
    return OK;
}
