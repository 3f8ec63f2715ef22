#include "workspace/plain_codes.h"

#include "assess/bins.h"
#include "base/text.h"
#include "num/quantile.h"

#include <math.h>
#include <stdlib.h>

#define NAME_BYTES 96u

void
plain_codes_done(struct plain_codes *p)
{
    free(p->codes);
    free(p->names);
    free(p->memory);
    *p = (struct plain_codes){0};
}

static struct status
start(const struct table *t, const struct column *c, uint32_t levels, struct plain_codes *p)
{
    *p = (struct plain_codes){.name = c->name, .levels = levels};
    p->codes = calloc(t->rows + 1, sizeof *p->codes);
    p->names = calloc(levels + (size_t)1, sizeof *p->names);
    p->memory = calloc(levels + (size_t)1, NAME_BYTES);
    CHECK(p->codes != NULL && p->names != NULL && p->memory != NULL, MEMORY);
    for (uint32_t i = 0; i < levels; i++) {
        p->names[i] = (char *)p->memory + (size_t)i * NAME_BYTES;
    }
    return OK;
}

static struct status
by_level(const struct table *t, const struct column *c, struct plain_codes *p)
{
    TRY(start(t, c, c->level_count, p));
    for (uint64_t i = 0; i < t->rows; i++) {
        p->codes[i] = column_is_null(c, i) ? -1 : c->code[i];
    }
    for (uint32_t i = 0; i < c->level_count; i++) {
        p->names[i] = c->levels[i];
    }
    return OK;
}

/* ---- numbers ---- */

/* The value as the column writes it: by the first row that has it. */
static void
put_value(const struct table *t, const struct column *c, double v, struct buf *b)
{
    if (c->type != COLUMN_TIME) {
        text_put_f64(b, v);
        return;
    }
    uint64_t row = 0;
    while (row + 1 < t->rows && column_number(c, row) != v) {
        row++;
    }
    column_put_text(c, row, b);
}

static struct status
name_bins(const struct table *t, const struct column *c, const struct bins *bins,
          struct plain_codes *p)
{
    for (uint32_t i = 0; i < bins->count; i++) {
        DEFER(buf_done) struct buf b;
        buf_init(&b, NAME_BYTES - 1);
        put_value(t, c, bins->least[i], &b);
        if (bins->most[i] > bins->least[i]) {
            p->cut = true;
            buf_put_str(&b, " to ");
            put_value(t, c, bins->most[i], &b);
        }
        TRY(buf_status(&b));
        memcpy((char *)p->memory + (size_t)i * NAME_BYTES, buf_str(&b), b.len + 1);
    }
    return OK;
}

static struct status
by_interval(const struct table *t, const struct column *c, uint32_t intervals,
            struct plain_codes *p)
{
    DEFER(memory_freep) double *v = calloc(t->rows + 1, sizeof *v);
    struct bins bins;
    CHECK(v != NULL, MEMORY);
    for (uint64_t i = 0; i < t->rows; i++) {
        v[i] = column_number(c, i);
    }
    bins_make(v, quantile_sort(v, t->rows), intervals, &bins);
    TRY(start(t, c, bins.count, p));
    p->ordered = true;
    for (uint64_t i = 0; i < t->rows; i++) {
        p->codes[i] = bins_code(&bins, column_number(c, i));
    }
    return name_bins(t, c, &bins, p);
}

struct status
plain_codes_of(const struct table *t, const struct column *c, uint32_t intervals,
               struct plain_codes *ret_codes)
{
    switch (c->type) {
    case COLUMN_CATEGORY:
    case COLUMN_BOOLEAN:
        return by_level(t, c, ret_codes);
    case COLUMN_TEXT:
        TRY(start(t, c, 0, ret_codes));
        for (uint64_t i = 0; i < t->rows; i++) {
            ret_codes->codes[i] = column_is_null(c, i) ? -1 : 0;
        }
        return OK;
    default:
        return by_interval(t, c, intervals, ret_codes);
    }
}

struct status
plain_codes_cut(const struct table *t, const struct column *c, double at,
                struct plain_codes *ret_codes)
{
    ASSERT(c->type == COLUMN_FLOAT || c->type == COLUMN_INTEGER);
    TRY(start(t, c, 2, ret_codes));
    ret_codes->ordered = ret_codes->cut = true;
    for (uint32_t i = 0; i < 2; i++) {
        DEFER(buf_done) struct buf b;
        buf_init(&b, NAME_BYTES - 1);
        buf_put_str(&b, i == 0 ? "<= " : "> ");
        text_put_f64(&b, at);
        TRY(buf_status(&b));
        memcpy((char *)ret_codes->memory + (size_t)i * NAME_BYTES, buf_str(&b), b.len + 1);
    }
    for (uint64_t i = 0; i < t->rows; i++) {
        const double v = column_number(c, i);
        ret_codes->codes[i] = isnan(v) ? -1 : v > at;
    }
    return OK;
}
