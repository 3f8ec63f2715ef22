#include "assess/group_count.h"

#include "base/threads.h"

#define BLOCK 1024u            /* rows whose cells are worked out before they are counted */
#define TASK ((size_t)1 << 20) /* rows of a thread's turn: counts of 32 bits suffice */
#define COPIES 4u              /* of a small table: the next row need not wait for this one's sum */
#define COPIED_MAX 512u        /* cells: four copies stay in the first-level cache */

#ifdef __x86_64__
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

uint32_t
group_cells(const struct group_columns *c)
{
    uint64_t cells = 1;
    for (uint32_t k = 0; k < c->count; k++) {
        cells *= (uint64_t)c->levels[k] + 1;
        if (cells > GROUP_CELLS_MAX) {
            return 0;
        }
    }
    return (uint32_t)cells;
}

int32_t
group_cell_level(const struct group_columns *c, uint32_t cell, uint32_t k)
{
    for (uint32_t i = c->count; i > k + 1; i--) {
        cell /= c->levels[i - 1] + 1;
    }
    return (int32_t)(cell % (c->levels[k] + 1)) - 1;
}

int64_t
group_of_cell(const struct group_columns *c, uint32_t cell, uint32_t mask)
{
    int64_t group = 0, place = 1;
    bool missing = false;
    for (uint32_t k = c->count; k-- > 0;) {
        const uint32_t radix = c->levels[k] + 1, digit = cell % radix;
        cell /= radix;
        if ((mask >> k & 1) != 0) {
            missing = missing || digit == 0;
            group += place * ((int64_t)digit - 1);
            place *= c->levels[k];
        }
    }
    return missing ? -1 : group;
}

WIDE static void
cells_add(const int32_t *restrict code, uint32_t radix, uint32_t *restrict cell)
{
    for (size_t i = 0; i < BLOCK; i++) {
        cell[i] = cell[i] * radix + (uint32_t)(code[i] + 1);
    }
}

WIDE static void
slots_add(const uint8_t *restrict y, const uint8_t *restrict decision, uint32_t *restrict cell)
{
    for (size_t i = 0; i < BLOCK; i++) {
        const uint32_t a = y[i] > 2 ? 2 : y[i], b = decision[i] > 2 ? 2 : decision[i];
        cell[i] = cell[i] * GROUP_SLOTS + 3 * a + b;
    }
}

void
group_cell_of(const struct group_columns *c, size_t first, size_t n, uint32_t *ret_cell)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t cell = 0;
        for (uint32_t k = 0; k < c->count; k++) {
            cell = cell * (c->levels[k] + 1) + (uint32_t)(c->code[k][first + i] + 1);
        }
        ret_cell[i] = cell;
    }
}

void
group_count_ref(const struct group_columns *c, const uint8_t *y, const uint8_t *decision,
                size_t rows, uint64_t *counts)
{
    for (size_t i = 0; i < rows; i++) {
        uint32_t cell = 0;
        group_cell_of(c, i, 1, &cell);
        const uint32_t a = y[i] > 2 ? 2 : y[i], b = decision[i] > 2 ? 2 : decision[i];
        counts[(size_t)cell * GROUP_SLOTS + 3 * a + b]++;
    }
}

struct work {
    const struct group_columns *c;
    const uint8_t *y, *decision;
    size_t rows, slots, copies, tasks;
    uint32_t *tables; /* tasks of a wave * copies * slots */
    size_t first_task;
};

static void
count_block(const uint32_t *restrict at, uint32_t *restrict table, size_t slots, size_t copies)
{
    if (copies == 1) {
        for (size_t i = 0; i < BLOCK; i++) {
            table[at[i]]++;
        }
        return;
    }
    uint32_t *t1 = table + slots, *t2 = t1 + slots, *t3 = t2 + slots;
    for (size_t i = 0; i < BLOCK; i += COPIES) {
        table[at[i]]++;
        t1[at[i + 1]]++;
        t2[at[i + 2]]++;
        t3[at[i + 3]]++;
    }
}

static void
count_task(void *ctx, size_t task)
{
    const struct work *w = ctx;
    uint32_t at[BLOCK];
    uint32_t *table = w->tables + task * w->copies * w->slots;
    const size_t from = (w->first_task + task) * TASK;
    const size_t to = w->rows - from < TASK ? w->rows : from + TASK;
    size_t i = from;
    for (; i + BLOCK <= to; i += BLOCK) {
        memset(at, 0, sizeof at);
        for (uint32_t k = 0; k < w->c->count; k++) {
            cells_add(w->c->code[k] + i, w->c->levels[k] + 1, at);
        }
        slots_add(w->y + i, w->decision + i, at);
        count_block(at, table, w->slots, w->copies);
    }
    for (; i < to; i++) {
        uint32_t cell = 0;
        group_cell_of(w->c, i, 1, &cell);
        const uint32_t a = w->y[i] > 2 ? 2 : w->y[i], b = w->decision[i] > 2 ? 2 : w->decision[i];
        table[cell * GROUP_SLOTS + 3 * a + b]++;
    }
}

struct status
group_count(const struct group_columns *c, const uint8_t *y, const uint8_t *decision, size_t rows,
            unsigned threads, uint64_t *counts)
{
    const uint32_t cells = group_cells(c);
    ASSERT(cells > 0);
    const size_t slots = (size_t)cells * GROUP_SLOTS, copies = cells <= COPIED_MAX ? COPIES : 1;
    const size_t tasks = (rows + TASK - 1) / TASK, wave = threads == 0 ? threads_cores() : threads;
    DEFER(memory_freep) uint32_t *tables = calloc(wave * copies * slots, sizeof *tables);
    CHECK(tables != NULL, MEMORY);
    struct work w = {c, y, decision, rows, slots, copies, tasks, tables, 0};
    for (; w.first_task < tasks; w.first_task += wave) {
        const size_t left = tasks - w.first_task, now = left < wave ? left : wave;
        threads_for(now, threads, count_task, &w);
        for (size_t t = 0; t < now * copies; t++) {
            for (size_t s = 0; s < slots; s++) {
                counts[s] += tables[t * slots + s];
            }
        }
        memset(tables, 0, now * copies * slots * sizeof *tables);
    }
    return OK;
}
