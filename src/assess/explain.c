/* Many rows: fixed blocks, so that the sums do not know how many threads there were. */
#include "assess/explain.h"
#include "base/threads.h"

#include <math.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_ROWS 256u
#define WAVE_BLOCKS 64u
#define WAVE_BYTES ((size_t)64 << 20)
/* What explain_scratch_bytes says for the deepest forest there can be, with room to spare. */
#define SCRATCH_BYTES ((FOREST_MAX_DEPTH + 2) * (FOREST_MAX_DEPTH + 3) / 2 * 32)

struct rows_job {
    const struct forest *forest;
    const float *x;
    size_t rows;
    double *phi;
};

/* One wave of blocks; each block has three arrays of `width`: its sums of |phi|, of phi, and a row.
 */
struct global_job {
    const struct forest *forest;
    const float *x;
    size_t rows;
    size_t first; /* block of the wave's first */
    size_t width;
    double *sums;
};

static size_t
block_count(size_t rows)
{
    return rows / BLOCK_ROWS + (rows % BLOCK_ROWS != 0);
}

static size_t
block_end(size_t block, size_t rows)
{
    const size_t begin = block * BLOCK_ROWS;
    return rows - begin < BLOCK_ROWS ? rows : begin + BLOCK_ROWS;
}

static void
rows_block(void *ctx, size_t block)
{
    alignas(max_align_t) uint8_t scratch[SCRATCH_BYTES];
    const struct rows_job *job = ctx;
    const struct forest *f = job->forest;
    const size_t width = (size_t)f->outputs * f->features;
    const size_t end = block_end(block, job->rows);
    for (size_t i = block * BLOCK_ROWS; i < end; i++) {
        explain_row_ref(f, job->x + i * f->features, scratch, job->phi + i * width);
    }
}

struct status
explain_rows(const struct forest *f, const float *x, size_t rows, unsigned threads, double *ret_phi)
{
    ASSERT(explain_scratch_bytes(f) <= SCRATCH_BYTES);
    struct rows_job job = {.forest = f, .x = x, .rows = rows, .phi = ret_phi};
    threads_for(block_count(rows), threads, rows_block, &job);
    return OK;
}

static void
global_block(void *ctx, size_t index)
{
    alignas(max_align_t) uint8_t scratch[SCRATCH_BYTES];
    const struct global_job *job = ctx;
    const struct forest *f = job->forest;
    const size_t block = job->first + index, end = block_end(block, job->rows);
    double *absolute = job->sums + index * 3 * job->width;
    double *with_sign = absolute + job->width, *phi = with_sign + job->width;
    memset(absolute, 0, 2 * job->width * sizeof *absolute);
    for (size_t i = block * BLOCK_ROWS; i < end; i++) {
        explain_row_ref(f, job->x + i * f->features, scratch, phi);
        for (size_t k = 0; k < job->width; k++) {
            absolute[k] += fabs(phi[k]);
            with_sign[k] += phi[k];
        }
    }
}

/* As many blocks at once as the memory for a wave allows; the digits do not depend on it. */
static size_t
wave_of(size_t blocks, size_t width)
{
    const size_t fit = WAVE_BYTES / (3 * sizeof(double)) / width;
    size_t wave = fit < WAVE_BLOCKS ? fit : WAVE_BLOCKS;
    wave = wave < 1 ? 1 : wave;
    return wave < blocks ? wave : blocks;
}

/* Adds the blocks' sums in block order. */
static void
wave_merge(const struct global_job *job, size_t blocks, double *total, double *total_signed)
{
    for (size_t b = 0; b < blocks; b++) {
        const double *sums = job->sums + b * 3 * job->width;
        for (size_t k = 0; k < job->width; k++) {
            total[k] += sums[k];
            total_signed[k] += sums[job->width + k];
        }
    }
}

/* A mean over no rows is NaN. */
static void
means_out(const double *total, size_t width, size_t rows, double *ret_mean)
{
    for (size_t k = 0; ret_mean != NULL && k < width; k++) {
        ret_mean[k] = rows == 0 ? NAN : total[k] / (double)rows;
    }
}

struct status
explain_global(const struct forest *f, const float *x, size_t rows, unsigned threads,
               double *ret_mean, double *ret_signed)
{
    ASSERT(explain_scratch_bytes(f) <= SCRATCH_BYTES);
    const size_t width = (size_t)f->outputs * f->features, blocks = block_count(rows);
    ASSERT(width > 0);
    const size_t wave = wave_of(blocks, width);
    DEFER(memory_freep) double *total = calloc(2 * width, sizeof *total);
    DEFER(memory_freep) double *sums = calloc(wave * 3 * width + 1, sizeof *sums);
    CHECK(total != NULL && sums != NULL, MEMORY);
    struct global_job job = {.forest = f, .x = x, .rows = rows, .width = width, .sums = sums};
    for (; job.first < blocks; job.first += wave) {
        const size_t count = blocks - job.first < wave ? blocks - job.first : wave;
        threads_for(count, threads, global_block, &job);
        wave_merge(&job, count, total, total + width);
    }
    means_out(total, width, rows, ret_mean);
    means_out(total + width, width, rows, ret_signed);
    return OK;
}
