#include "workspace/plain_codes.h"

#include "assess/bins.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 96u

void
plain_codes_done(struct plain_codes *p)
{
    free(p->codes);
    free(p->names);
    free(p->memory);
    free(p->joined);
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
    TRY(bins_make(v, t->rows, intervals, &bins));
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

/* ---- as a person asks for ---- */

static void
name_between(const double *edges, size_t n, size_t k, char ret_name[static NAME_BYTES])
{
    if (k == 0) {
        (void)snprintf(ret_name, NAME_BYTES, "< %g", edges[0]);
    } else if (k == n) {
        (void)snprintf(ret_name, NAME_BYTES, ">= %g", edges[n - 1]);
    } else {
        (void)snprintf(ret_name, NAME_BYTES, "%g to < %g", edges[k - 1], edges[k]);
    }
}

struct status
plain_codes_by_edges(const struct table *t, const struct column *c, const double *edges, size_t n,
                     struct plain_codes *ret_codes)
{
    ASSERT(n > 0);
    TRY(start(t, c, (uint32_t)n + 1, ret_codes));
    ret_codes->ordered = ret_codes->cut = true;
    for (size_t k = 0; k <= n; k++) {
        name_between(edges, n, k, (char *)ret_codes->memory + k * NAME_BYTES);
    }
    for (uint64_t i = 0; i < t->rows; i++) {
        const double v = column_number(c, i);
        int32_t k = 0;
        while ((size_t)k < n && v >= edges[k]) {
            k++;
        }
        ret_codes->codes[i] = isnan(v) ? -1 : k;
    }
    return OK;
}

/* The names of facet k's levels, after each other. */
static void
put_joined(const struct plain_codes *p, const uint32_t *facet, uint32_t k, struct buf *b)
{
    const size_t from = b->len;
    for (uint32_t i = 0; i < p->levels; i++) {
        if (facet[i] == k) {
            buf_printf(b, "%s%s", b->len > from ? ", " : "", p->names[i]);
        }
    }
    buf_put_u8(b, 0);
}

/* Where levels of a facet are not neighbours there is no order any more. */
static bool
keeps_order(const struct plain_codes *p, const uint32_t *facet, uint32_t k)
{
    uint32_t first = p->levels, last = 0, n = 0;
    for (uint32_t i = 0; i < p->levels; i++) {
        if (facet[i] == k) {
            first = i < first ? i : first;
            last = i;
            n++;
        }
    }
    return n == 0 || last - first + 1 == n;
}

struct status
plain_codes_join(const struct table *t, const uint32_t *facet, uint32_t facets,
                 struct plain_codes *p)
{
    DEFER(buf_done) struct buf names;
    buf_init(&names, 1u << 20);
    DEFER(memory_freep) int32_t *to = calloc(p->levels + (size_t)1, sizeof *to);
    DEFER(memory_freep) int32_t *of = calloc(facets + (size_t)1, sizeof *of);
    DEFER(memory_freep) size_t *at = calloc(facets + (size_t)1, sizeof *at);
    CHECK(to != NULL && of != NULL && at != NULL, MEMORY);
    for (uint32_t k = 1; k <= facets; k++) {
        of[k] = -1;
        at[k] = names.len;
        put_joined(p, facet, k, &names);
        p->ordered = p->ordered && keeps_order(p, facet, k);
    }
    TRY(buf_status(&names));
    p->joined = malloc(names.len);
    CHECK(p->joined != NULL, MEMORY);
    memcpy(p->joined, buf_str(&names), names.len);
    int32_t levels = 0;
    for (uint32_t i = 0; i < p->levels; i++) {
        const uint32_t k = facet[i];
        if (k == 0 || of[k] < 0) {
            p->names[levels] = k == 0 ? p->names[i] : p->joined + at[k];
            of[k] = k == 0 ? of[k] : levels;
            to[i] = levels++;
        } else {
            to[i] = of[k];
        }
    }
    p->levels = (uint32_t)levels;
    for (uint64_t i = 0; i < t->rows; i++) {
        p->codes[i] = p->codes[i] < 0 ? -1 : to[p->codes[i]];
    }
    return OK;
}
