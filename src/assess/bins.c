#include "assess/bins.h"

#include "assess/black_box.h"
#include "assess/cut.h"
#include "base/threads.h"

#include <math.h>
#include <stdlib.h>

static void
add_bin(struct bins *b, double least, double most)
{
    if (b->count > 0) {
        b->cut[b->count - 1] = cut_between(b->most[b->count - 1], least, true);
    }
    b->least[b->count] = least;
    b->most[b->count++] = most;
}

void
bins_of(const struct counted *values, uint32_t most, struct bins *ret_bins)
{
    struct bins b = {0};
    ASSERT(most > 0 && most <= BINS_MOST);
    const bool each = values->n <= most;
    const uint64_t n = counted_rows(values);
    size_t k = 0;
    for (uint64_t from = 0; from < n; from = values->at[k - 1].upto) {
        /* Up to the next k/most of all rows, and on to the end of that value. */
        const uint64_t want =
            each ? from + 1 : (uint64_t)(((double)b.count + 1) * (double)n / most);
        const uint64_t to = from + 1 > want ? from + 1 : want;
        const size_t last =
            to > n || b.count + 1 == most ? values->n - 1 : counted_place(values, to - 1);
        add_bin(&b, values->at[k].value, values->at[last].value);
        k = last + 1;
    }
    *ret_bins = b;
}

struct status
bins_make(const double *value, size_t n, uint32_t most, struct bins *ret_bins)
{
    DEFER(counted_done) struct counted values = {0};
    TRY(counted_add(&values, value, n, 1));
    TRY(counted_settle(&values));
    bins_of(&values, most, ret_bins);
    return OK;
}

/* ---- columns ---- */

#define BLOCK 1024u
#define BYTES_OF_VALUE 40u /* counted, while it is sorted */

struct columns {
    const struct bins_source *source;
    uint32_t most;
    size_t at_once;
    struct bins *bins;
};

static struct status
count_columns(const struct columns *c, size_t first, size_t n, struct counted *values)
{
    const struct bins_source *s = c->source;
    DEFER(memory_freep) float *block = calloc(BLOCK * s->columns + 1, sizeof *block);
    double value[BLOCK];
    CHECK(block != NULL, MEMORY);
    for (size_t at = 0; at < s->rows; at += BLOCK) {
        const size_t rows = s->rows - at < BLOCK ? s->rows - at : BLOCK;
        TRY(s->fill(s->ctx, at, rows, block));
        for (size_t k = 0; k < n; k++) {
            for (size_t i = 0; i < rows; i++) {
                value[i] = (double)block[i * s->columns + first + k];
            }
            TRY(counted_add(&values[k], value, rows, 1));
        }
    }
    return OK;
}

static struct status
bin_columns(const struct columns *c, size_t first, size_t n, struct counted *values)
{
    TRY(count_columns(c, first, n, values));
    for (size_t k = 0; k < n; k++) {
        TRY(counted_settle(&values[k]));
        bins_of(&values[k], c->most, &c->bins[first + k]);
    }
    return OK;
}

static struct status
bin_some(void *ctx, size_t block, struct diag *diag)
{
    const struct columns *c = ctx;
    const size_t first = block * c->at_once, left = c->source->columns - first;
    const size_t n = left < c->at_once ? left : c->at_once;
    struct counted *values = calloc(n + 1, sizeof *values);
    CHECK(values != NULL, MEMORY);
    (void)diag;
    const struct status s = bin_columns(c, first, n, values);
    for (size_t k = 0; k < n; k++) {
        counted_done(&values[k]);
    }
    free(values);
    return s;
}

struct status
bins_make_columns(const struct bins_source *s, uint32_t most, unsigned threads,
                  struct bins *ret_bins)
{
    const size_t cores = threads == 0 ? threads_cores() : threads;
    const size_t fit = BINS_BYTES / cores / (BYTES_OF_VALUE * (s->rows + 1));
    struct columns c = {.source = s,
                        .most = most,
                        .at_once = fit < 1   ? 1
                                   : fit < 8 ? fit
                                             : 8,
                        .bins = ret_bins};
    return black_box_blocks((s->columns + c.at_once - 1) / c.at_once, threads, bin_some, &c, NULL);
}

int32_t
bins_code(const struct bins *b, double v)
{
    if (isnan(v) || b->count == 0) {
        return -1;
    }
    uint32_t low = 0, high = b->count - 1;
    while (low < high) {
        const uint32_t middle = (low + high) / 2;
        if (v <= b->cut[middle]) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return (int32_t)low;
}
