#include "assess/explain_columns.h"

#include <math.h>

void
explain_columns_free(struct explain_columns *c)
{
    if (c != NULL) {
        free(c->column);
        free(c->place);
        free(c->first);
        free(c->members);
        free(c->one_hot);
        free(c->lit);
        free(c);
    }
}

static struct status
allocate(uint32_t features, struct explain_columns *c)
{
    const size_t n = (size_t)features + 1;
    c->features = features;
    c->column = calloc(n, sizeof *c->column);
    c->place = calloc(n, sizeof *c->place);
    c->first = calloc(n, sizeof *c->first);
    c->members = calloc(n, sizeof *c->members);
    c->one_hot = malloc(n);
    CHECK(c->column != NULL && c->place != NULL && c->first != NULL && c->members != NULL, MEMORY);
    c->lit = calloc(n, sizeof *c->lit);
    CHECK(c->one_hot != NULL && c->lit != NULL, MEMORY);
    memset(c->one_hot, 1, n);
    return OK;
}

/* The column of that group, which may be the next one. */
static uint32_t
column_of(const struct explain_columns *c, const uint32_t *group, uint32_t wanted)
{
    uint32_t k = 0;
    while (wanted != EXPLAIN_ALONE && k < c->columns && group[c->first[k]] != wanted) {
        k++;
    }
    return wanted == EXPLAIN_ALONE ? c->columns : k;
}

struct status
explain_columns_new(const uint32_t *group, uint32_t features, struct explain_columns **ret_columns)
{
    DEFER(explain_columns_freep) struct explain_columns *c = calloc(1, sizeof *c);
    CHECK(c != NULL, MEMORY);
    TRY(allocate(features, c));
    for (uint32_t f = 0; f < features; f++) {
        const uint32_t k = column_of(c, group, group[f]);
        if (k == c->columns) {
            c->first[c->columns++] = f;
        }
        c->column[f] = k;
        c->place[f] = c->members[k]++;
    }
    *ret_columns = MOVE(c);
    return OK;
}

void
explain_columns_sum(const struct explain_columns *c, const double *phi, size_t n, double *ret_phi)
{
    memset(ret_phi, 0, n * c->columns * sizeof *ret_phi);
    for (size_t i = 0; i < n; i++) {
        for (uint32_t f = 0; f < c->features; f++) {
            ret_phi[i * c->columns + c->column[f]] += phi[i * c->features + f];
        }
    }
}

void
explain_columns_sum_pairs(const struct explain_columns *c, const double *pairs, size_t n,
                          double *ret_pairs)
{
    const size_t features = c->features, columns = c->columns;
    memset(ret_pairs, 0, n * columns * columns * sizeof *ret_pairs);
    for (size_t i = 0; i < n * features; i++) {
        const size_t line = i / features * columns + c->column[i % features];
        for (size_t b = 0; b < features; b++) {
            ret_pairs[line * columns + c->column[b]] += pairs[i * features + b];
        }
    }
}

/* ---- values ---- */

void
explain_columns_look(struct explain_columns *c, const float *x, size_t rows)
{
    memset(c->lit, 0, c->columns * sizeof *c->lit);
    for (size_t i = 0; i < rows * c->features; i++) {
        const uint32_t k = c->column[i % c->features];
        const size_t row = i / c->features + 1;
        if (x[i] == 1.0f) {
            c->one_hot[k] &= c->lit[k] != row;
            c->lit[k] = row;
        } else {
            c->one_hot[k] &= x[i] == 0.0f || isnan(x[i]);
        }
    }
}

/* Of the features of one column, in any order: 1 tells, missing is told where none is 1. */
static void
take_place(const struct explain_columns *c, uint32_t f, float v, float *value)
{
    if (v == 1.0f) {
        *value = (float)c->place[f];
    } else if (isnan(v) && *value == (float)c->members[c->column[f]]) {
        *value = NAN;
    }
}

void
explain_columns_values(const struct explain_columns *c, const float *x, size_t rows, float *ret_x)
{
    for (size_t i = 0; i < rows; i++) {
        const float *row = x + i * c->features;
        float *value = ret_x + i * c->columns;
        for (uint32_t k = 0; k < c->columns; k++) {
            value[k] = c->members[k] == 1   ? row[c->first[k]]
                       : c->one_hot[k] != 0 ? (float)c->members[k]
                                            : NAN;
        }
        for (uint32_t f = 0; f < c->features; f++) {
            const uint32_t k = c->column[f];
            if (c->members[k] > 1 && c->one_hot[k] != 0) {
                take_place(c, f, row[f], &value[k]);
            }
        }
    }
}
