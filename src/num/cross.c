#include "num/cross.h"

#include "base/threads.h"
#include "num/sum.h"

#include <math.h>

#define BLOCK_ROWS ((size_t)1 << 16)
#define MOST_PARTS 64u

size_t
cross_cells(const struct cross_column *columns, uint32_t count, size_t max)
{
    size_t cells = 1;
    for (uint32_t k = 0; k < count; k++) {
        if (columns[k].levels == 0 || cells > max / columns[k].levels) {
            return 0;
        }
        cells *= columns[k].levels;
    }
    return cells;
}

struct part {
    uint64_t *count;
    uint64_t missing;
};

struct work {
    const struct cross_column *columns;
    uint32_t count;
    size_t rows, parts;
    struct part part[MOST_PARTS];
};

static void
count_rows(const struct work *w, size_t from, size_t to, struct part *p)
{
    for (size_t i = from; i < to; i++) {
        size_t cell = 0;
        int32_t least = 0;
        for (uint32_t k = 0; k < w->count; k++) {
            const struct cross_column *c = &w->columns[k];
            const int32_t code = c->map == NULL ? c->codes[i] : c->map[c->codes[i] + 1];
            least |= code;
            cell = cell * c->levels + (uint32_t)code;
        }
        if (least < 0) { /* a sign bit in any of them */
            p->missing++;
        } else {
            p->count[cell]++;
        }
    }
}

static void
count_part(void *ctx, size_t part)
{
    struct work *w = ctx;
    const size_t each = w->rows / w->parts, from = part * each;
    count_rows(w, from, part + 1 == w->parts ? w->rows : from + each, &w->part[part]);
}

/* As many parts as threads can use, unless their tables would be larger than the rows. */
static size_t
parts_of(size_t rows, size_t cells, unsigned threads)
{
    size_t parts = threads == 0 ? threads_cores() : threads;
    const size_t worth = rows / BLOCK_ROWS, room = rows / cells;
    parts = parts < worth ? parts : worth;
    parts = parts < room ? parts : room;
    parts = parts < MOST_PARTS ? parts : MOST_PARTS;
    return parts == 0 ? 1 : parts;
}

struct status
cross_count(const struct cross_column *columns, uint32_t count, size_t rows, unsigned threads,
            uint64_t *ret_count, uint64_t *ret_missing)
{
    ASSERT(count > 0 && count <= CROSS_MAX_COLUMNS);
    const size_t cells = cross_cells(columns, count, SIZE_MAX / sizeof(uint64_t));
    ASSERT(cells > 0);
    struct work w = {.columns = columns, .count = count, .rows = rows};
    w.parts = parts_of(rows, cells, threads);
    DEFER(memory_freep) uint64_t *more = NULL;
    if (w.parts > 1) {
        more = calloc((w.parts - 1) * cells, sizeof *more);
        CHECK(more != NULL, MEMORY);
    }
    for (size_t p = 0; p < w.parts; p++) {
        w.part[p].count = p == 0 ? ret_count : more + (p - 1) * cells;
    }
    threads_for(w.parts, threads, count_part, &w);
    for (size_t p = 0; p < w.parts; p++) {
        *ret_missing += w.part[p].missing;
        for (size_t c = 0; p > 0 && c < cells; c++) {
            ret_count[c] += w.part[p].count[c];
        }
    }
    return OK;
}

static double
row_total(const uint64_t *count, uint32_t columns, uint32_t r)
{
    double total = 0;
    for (uint32_t c = 0; c < columns; c++) {
        total += (double)count[(size_t)r * columns + c];
    }
    return total;
}

static double
column_total(const uint64_t *count, uint32_t rows, uint32_t columns, uint32_t c)
{
    double total = 0;
    for (uint32_t r = 0; r < rows; r++) {
        total += (double)count[(size_t)r * columns + c];
    }
    return total;
}

double
cross_chi_square(const uint64_t *count, uint32_t rows, uint32_t columns, double *ret_df,
                 double *ret_least)
{
    double n = 0, row_count = 0, column_count = 0, least = INFINITY;
    for (uint32_t r = 0; r < rows; r++) {
        const double total = row_total(count, columns, r);
        n += total;
        row_count += total > 0;
    }
    struct sum statistic = {0};
    for (uint32_t c = 0; c < columns; c++) {
        const double ct = column_total(count, rows, columns, c);
        column_count += ct > 0;
        for (uint32_t r = 0; r < rows && ct > 0; r++) {
            const double rt = row_total(count, columns, r), expected = rt * ct / n;
            if (rt > 0) {
                const double gap = (double)count[(size_t)r * columns + c] - expected;
                sum_add(&statistic, gap * gap / expected);
                least = fmin(least, expected);
            }
        }
    }
    const double df = (row_count - 1) * (column_count - 1);
    *ret_df = row_count == 0 || df < 0 ? 0 : df;
    *ret_least = least;
    return *ret_df > 0 ? sum_value(&statistic) : NAN;
}
