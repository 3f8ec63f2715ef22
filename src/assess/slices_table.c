#include "assess/slices_parts.h"

#include <stdlib.h>

void
slices_table_free(struct slices_table *t)
{
    if (t == NULL) {
        return;
    }
    for (uint32_t f = 0; t->chunk != NULL && f < t->features; f++) {
        free(t->chunk[f]);
    }
    free(t->chunk);
    free(t->basic);
    free(t->first);
    free(t->code);
    free(t);
}

struct status
slices_table_new(size_t rows, uint32_t features, uint64_t min_rows, struct slices_table **ret_table)
{
    ASSERT(min_rows >= 1);
    CHECK(rows <= UINT32_MAX, LIMIT);
    DEFER(slices_table_freep) struct slices_table *t = calloc(1, sizeof *t);
    CHECK(t != NULL, MEMORY);
    *t = (struct slices_table){
        .rows = rows, .words = bits_words(rows), .min_rows = min_rows, .features = features};
    t->first = calloc((size_t)features + 1, sizeof *t->first);
    t->chunk = calloc((size_t)features + 1, sizeof *t->chunk);
    t->code = calloc(rows * features + 1, sizeof *t->code);
    CHECK(t->first != NULL && t->chunk != NULL && t->code != NULL, MEMORY);
    *ret_table = MOVE(t);
    return OK;
}

/* ret_index[level]: its place among the levels with rows enough, or SLICES_NO_CODE. */
static struct status
choose_levels(struct slices_table *t, const uint64_t *count, uint32_t levels, uint16_t *ret_index)
{
    uint32_t kept = 0;
    for (uint32_t l = 0; l < levels; l++) {
        kept += count[l] >= t->min_rows;
    }
    CHECK(kept < SLICES_NO_CODE, LIMIT);
    struct slices_basic *grown =
        realloc(t->basic, ((size_t)t->basics + kept + 1) * sizeof *t->basic);
    CHECK(grown != NULL, MEMORY);
    t->basic = grown;
    uint64_t *bits = calloc(kept * t->words + 1, sizeof *bits);
    CHECK(bits != NULL, MEMORY);
    t->chunk[t->added] = bits;
    uint16_t next = 0;
    for (uint32_t l = 0; l < levels; l++) {
        ret_index[l] = SLICES_NO_CODE;
        if (count[l] >= t->min_rows) {
            t->basic[t->basics + next] =
                (struct slices_basic){t->added, l, count[l], bits + next * t->words};
            ret_index[l] = next++;
        }
    }
    t->basics += kept;
    return OK;
}

/* Rows of a part to the table's from `at` on. */
static void
put_codes(struct slices_table *t, const struct slices_rows *p, const uint16_t *index, size_t at)
{
    uint64_t *bits = t->chunk[t->added];
    for (size_t i = 0; i < p->rows; i++) {
        const uint16_t k = index[p->code[i]];
        t->code[(at + i) * t->features + t->added] = k;
        if (k != SLICES_NO_CODE) {
            bits_set(bits + k * t->words, at + i);
        }
    }
}

struct status
slices_table_add_parts(struct slices_table *t, const struct slices_rows *part, size_t parts,
                       uint32_t levels)
{
    ASSERT(t->added < t->features);
    DEFER(memory_freep) uint64_t *count = calloc((size_t)levels + 1, sizeof *count);
    DEFER(memory_freep) uint16_t *index = calloc((size_t)levels + 1, sizeof *index);
    CHECK(count != NULL && index != NULL, MEMORY);
    size_t rows = 0;
    for (size_t p = 0; p < parts; p++) {
        for (size_t i = 0; i < part[p].rows; i++) {
            ASSERT(part[p].code[i] < levels);
            count[part[p].code[i]]++;
        }
        rows += part[p].rows;
    }
    ASSERT(rows == t->rows);
    TRY(choose_levels(t, count, levels, index));
    for (size_t p = 0, at = 0; p < parts; at += part[p++].rows) {
        put_codes(t, &part[p], index, at);
    }
    t->first[++t->added] = t->basics;
    return OK;
}

struct status
slices_table_add(struct slices_table *t, const uint32_t *code, uint32_t levels)
{
    const struct slices_rows all = {code, t->rows};
    return slices_table_add_parts(t, &all, 1, levels);
}

void
slices_mistakes_done(struct slices_mistakes *m)
{
    free(m->bits);
    free(m->sum);
    free(m->max);
}

static void
put_bits(const struct slices_table *t, uint32_t row, size_t at, struct slices_mistakes *m)
{
    const uint16_t *code = t->code + (size_t)row * t->features;
    for (uint32_t f = 0; f < t->features; f++) {
        if (code[f] != SLICES_NO_CODE) {
            bits_set(m->bits + (t->first[f] + code[f]) * m->words, at);
        }
    }
}

/* Mistakes come with the largest loss first. */
static void
put_loss(const struct slices_table *t, uint32_t row, double loss, struct slices_mistakes *m)
{
    const uint16_t *code = t->code + (size_t)row * t->features;
    for (uint32_t f = 0; f < t->features; f++) {
        if (code[f] == SLICES_NO_CODE) {
            continue;
        }
        const uint32_t b = t->first[f] + code[f];
        m->max[b] = m->sum[b] > 0 ? m->max[b] : loss;
        m->sum[b] += loss;
    }
}

static void
count_bits(const struct slices_table *t, struct slices_mistakes *m)
{
    for (uint32_t b = 0; b < t->basics; b++) {
        const uint64_t *bits = m->bits + b * m->words;
        m->sum[b] = (double)bits_and_count(bits, bits, m->words);
        m->max[b] = 1;
    }
}

struct status
slices_mistakes_init(const struct slices_table *t, const uint32_t *row, const double *loss,
                     size_t count, struct slices_mistakes *ret_mistakes)
{
    DEFER(slices_mistakes_done)
    struct slices_mistakes m = {.count = count, .words = bits_words(count), .loss = loss};
    m.bits = calloc(t->basics * m.words + 1, sizeof *m.bits);
    m.sum = calloc((size_t)t->basics + 1, sizeof *m.sum);
    m.max = calloc((size_t)t->basics + 1, sizeof *m.max);
    CHECK(m.bits != NULL && m.sum != NULL && m.max != NULL, MEMORY);
    for (size_t i = 0; i < count; i++) {
        const double e = loss == NULL ? 1 : loss[i];
        m.total += e;
        put_bits(t, row[i], i, &m);
        if (loss != NULL) {
            put_loss(t, row[i], e, &m);
        }
    }
    if (loss == NULL) {
        count_bits(t, &m);
    }
    *ret_mistakes = m;
    m = (struct slices_mistakes){0};
    return OK;
}
