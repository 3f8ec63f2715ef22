#include "assess/ale.h"

#include "num/counted.h"

#include <math.h>

struct order {
    const struct black_box_rows *part;
    size_t parts, features, feature;
    size_t all;       /* levels that the feature may have */
    size_t levels;    /* those that occur */
    size_t *index;    /* all: place among those; `all` when it does not occur */
    uint64_t *rows;   /* levels */
    double *distance; /* levels * levels, both triangles */
};

static bool
level_of(const struct order *o, const double *row, size_t *ret_level)
{
    const double v = row[o->feature];
    *ret_level = v >= 0 && v < (double)o->all ? o->index[(size_t)v] : o->all;
    return *ret_level < o->all;
}

static void
add_widest(const struct order *o, const double *widest)
{
    for (size_t a = 0; a < o->levels; a++) {
        for (size_t b = 0; b < a; b++) {
            o->distance[a * o->levels + b] += widest[a * o->levels + b];
            o->distance[b * o->levels + a] += widest[a * o->levels + b];
        }
    }
}

/* ---- how far apart numbers are: Kolmogorov's distance, a missing one the greatest ---- */

static void
counted_all_done(struct counted *of, size_t levels)
{
    for (size_t l = 0; l < levels; l++) {
        counted_done(&of[l]);
    }
}

/* The column's values by level: a part's are counted as they come, and merge. */
static struct status
count_column(const struct order *o, size_t column, struct counted *of)
{
    for (size_t p = 0; p < o->parts; p++) {
        for (size_t i = 0, l = 0; i < o->part[p].rows; i++) {
            const double *row = o->part[p].x + i * o->features;
            if (level_of(o, row, &l)) {
                TRY(counted_add(&of[l], row + column, 1, 1));
            }
        }
    }
    for (size_t l = 0; l < o->levels; l++) {
        TRY(counted_settle(&of[l]));
    }
    return OK;
}

/* below[levels]: share of each level's rows up to a value. */
static void
widen(const struct order *o, const double *below, double *widest)
{
    for (size_t a = 0; a < o->levels; a++) {
        for (size_t b = 0; b < a; b++) {
            const double d = fabs(below[a] - below[b]);
            widest[a * o->levels + b] = fmax(widest[a * o->levels + b], d);
        }
    }
}

/* All levels' values upwards; next[levels]: of each the one that comes. */
static void
walk_up(const struct order *o, const struct counted *of, size_t *next, double *below,
        double *widest)
{
    for (;;) {
        double least = INFINITY;
        bool any = false;
        for (size_t l = 0; l < o->levels; l++) {
            if (next[l] < of[l].n) {
                least = fmin(least, of[l].at[next[l]].value);
                any = true;
            }
        }
        if (!any) {
            return;
        }
        for (size_t l = 0; l < o->levels; l++) {
            if (next[l] < of[l].n && of[l].at[next[l]].value <= least) {
                below[l] = (double)of[l].at[next[l]++].upto / (double)o->rows[l];
            }
        }
        widen(o, below, widest);
    }
}

static struct status
add_numbers(const struct order *o, size_t column)
{
    DEFER(memory_freep) struct counted *of = calloc(o->levels, sizeof *of);
    DEFER(memory_freep) size_t *next = calloc(o->levels, sizeof *next);
    DEFER(memory_freep) double *work = calloc(o->levels * (o->levels + 1), sizeof *work);
    CHECK(of != NULL && next != NULL && work != NULL, MEMORY);
    const struct status s = count_column(o, column, of);
    if (status_ok(s)) {
        walk_up(o, of, next, work, work + o->levels);
        add_widest(o, work + o->levels);
    }
    counted_all_done(of, o->levels);
    return s;
}

/* ---- and categories: half the sum of the differences of shares ---- */

/* count[levels * (values + 1)]: rows of a level with each value, the missing ones last. */
static void
count_categories(const struct order *o, size_t column, size_t values, uint64_t *count)
{
    for (size_t p = 0; p < o->parts; p++) {
        for (size_t i = 0, l = 0; i < o->part[p].rows; i++) {
            const double *row = o->part[p].x + i * o->features, v = row[column];
            if (level_of(o, row, &l)) {
                const size_t at = v >= 0 && v < (double)values ? (size_t)v : values;
                count[l * (values + 1) + at]++;
            }
        }
    }
}

static struct status
add_categories(const struct order *o, size_t column, size_t values)
{
    DEFER(memory_freep) uint64_t *count = calloc(o->levels * (values + 1), sizeof *count);
    DEFER(memory_freep) double *widest = calloc(o->levels * o->levels, sizeof *widest);
    CHECK(count != NULL && widest != NULL, MEMORY);
    count_categories(o, column, values, count);
    for (size_t a = 0; a < o->levels; a++) {
        for (size_t b = 0; b < a; b++) {
            for (size_t v = 0; v <= values; v++) {
                const double here = (double)count[a * (values + 1) + v] / (double)o->rows[a];
                const double there = (double)count[b * (values + 1) + v] / (double)o->rows[b];
                widest[a * o->levels + b] += fabs(here - there) / 2;
            }
        }
    }
    add_widest(o, widest);
    return OK;
}

/* ---- classical scaling ---- */

/* -1/2 J D^2 J in place; mean[n] is scratch. */
static void
centre(double *d, size_t n, double *mean)
{
    double whole = 0;
    for (size_t i = 0; i < n; i++) {
        mean[i] = 0;
        for (size_t j = 0; j < n; j++) {
            d[i * n + j] *= -d[i * n + j] / 2;
            mean[i] += d[i * n + j] / (double)n;
        }
        whole += mean[i] / (double)n;
    }
    for (size_t i = 0; i < n * n; i++) {
        d[i] += whole - mean[i / n] - mean[i % n];
    }
}

/* The eigenvector of the largest eigenvalue by powers of the matrix, shifted by its norm so that it
 * is also the largest in size. Only the order of its entries is read. */
static void
leading(const double *b, size_t n, double *next, double *ret_vector)
{
    double shift = 0;
    for (size_t i = 0; i < n; i++) {
        double row = 0;
        for (size_t j = 0; j < n; j++) {
            row += fabs(b[i * n + j]);
        }
        shift = fmax(shift, row);
        ret_vector[i] = (double)i - (double)(n - 1) / 2 + 0.25 * (double)(i % 3);
    }
    for (int power = 0; power < 2000; power++) {
        double length = 0;
        for (size_t i = 0; i < n; i++) {
            next[i] = shift * ret_vector[i];
            for (size_t j = 0; j < n; j++) {
                next[i] += b[i * n + j] * ret_vector[j];
            }
            length += next[i] * next[i];
        }
        for (size_t i = 0; i < n && length > 0; i++) {
            ret_vector[i] = next[i] / sqrt(length);
        }
    }
}

/* ---- the order ---- */

static struct status
add_distances(const struct order *o, const uint32_t *level_count)
{
    for (size_t f = 0; f < o->features; f++) {
        if (f != o->feature) {
            TRY(level_count[f] > 0 ? add_categories(o, f, level_count[f]) : add_numbers(o, f));
        }
    }
    return OK;
}

/* Those that occur: their places and rows. all_rows[all]: zeroed. */
static void
find_levels(struct order *o, uint64_t *all_rows)
{
    for (size_t p = 0; p < o->parts; p++) {
        for (size_t i = 0; i < o->part[p].rows; i++) {
            const double v = o->part[p].x[i * o->features + o->feature];
            if (v >= 0 && v < (double)o->all) {
                all_rows[(size_t)v]++;
            }
        }
    }
    for (size_t l = 0; l < o->all; l++) {
        o->index[l] = all_rows[l] > 0 ? o->levels : o->all;
        if (all_rows[l] > 0) {
            o->rows[o->levels++] = all_rows[l];
        }
    }
}

/* Levels by their place on the line, ties as listed, the ones that do not occur last. The line's
 * direction is free: it begins at the end whose level is listed first. */
static void
put_order(const struct order *o, const double *place, size_t *ret_order)
{
    size_t n = 0, last = o->levels;
    for (size_t l = 0; l < o->all; l++) {
        size_t at = o->index[l] == o->all ? last++ : n++;
        for (; o->index[l] != o->all && at > 0 &&
               place[o->index[ret_order[at - 1]]] > place[o->index[l]];
             at--) {
            ret_order[at] = ret_order[at - 1];
        }
        ret_order[at] = l;
    }
    const bool backwards = n > 1 && ret_order[0] > ret_order[n - 1];
    for (size_t i = 0; backwards && i < n / 2; i++) {
        const size_t t = ret_order[i];
        ret_order[i] = ret_order[n - 1 - i];
        ret_order[n - 1 - i] = t;
    }
}

struct status
ale_order(const struct black_box_rows *part, size_t parts, size_t features, size_t feature,
          const uint32_t *level_count, size_t *ret_order)
{
    const size_t all = level_count[feature];
    ASSERT(all > 0 && feature < features);
    DEFER(memory_freep) size_t *index = calloc(all, sizeof *index);
    DEFER(memory_freep) uint64_t *rows = calloc(2 * all, sizeof *rows);
    DEFER(memory_freep) double *work = calloc(3 * all, sizeof *work);
    DEFER(memory_freep) double *distance = calloc(all * all, sizeof *distance);
    CHECK(index != NULL && rows != NULL && work != NULL && distance != NULL, MEMORY);
    struct order o = {part, parts, features, feature, all, 0, index, rows, distance};
    find_levels(&o, rows + all);
    TRY(add_distances(&o, level_count));
    centre(distance, o.levels, work);
    leading(distance, o.levels, work + all, work + 2 * all);
    put_order(&o, work + 2 * all, ret_order);
    return OK;
}
