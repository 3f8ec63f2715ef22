#include "assess/ale.h"

#include <math.h>

struct order {
    const double *x;
    size_t rows, features, feature;
    size_t all;       /* levels that the feature may have */
    size_t levels;    /* those that occur */
    size_t *index;    /* all: place among those; `all` when it does not occur */
    double *share;    /* levels: 1 / rows of the level */
    double *distance; /* levels * levels, both triangles */
};

struct valued {
    double value;
    size_t level;
};

/* By value, missing ones last. */
static int
by_value(const void *a, const void *b)
{
    const double x = ((const struct valued *)a)->value, y = ((const struct valued *)b)->value;
    return isnan(x) || isnan(y) ? isnan(x) - isnan(y) : (x > y) - (x < y);
}

static bool
level_of(const struct order *o, size_t row, size_t *ret_level)
{
    const double v = o->x[row * o->features + o->feature];
    *ret_level = v >= 0 && v < (double)o->all ? o->index[(size_t)v] : o->all;
    return *ret_level < o->all;
}

/* The greatest distance of the levels' distribution functions so far; `category`: the sum of the
 * distances of their steps instead. below[levels]: shares up to here, or of this value alone. */
static void
widen(const struct order *o, bool category, const double *below, double *widest)
{
    for (size_t a = 0; a < o->levels; a++) {
        for (size_t b = 0; b < a; b++) {
            const double d = fabs(below[a] - below[b]);
            double *w = &widest[a * o->levels + b];
            *w = category ? *w + d / 2 : fmax(*w, d);
        }
    }
}

static void
add_feature(const struct order *o, bool category, const struct valued *v, size_t n, double *below,
            double *widest)
{
    memset(below, 0, o->levels * sizeof *below);
    memset(widest, 0, o->levels * o->levels * sizeof *widest);
    for (size_t i = 0; i < n; i++) {
        below[v[i].level] += o->share[v[i].level];
        if (i + 1 == n || by_value(&v[i], &v[i + 1]) != 0) {
            widen(o, category, below, widest);
            if (category) {
                memset(below, 0, o->levels * sizeof *below);
            }
        }
    }
    for (size_t a = 0; a < o->levels; a++) {
        for (size_t b = 0; b < a; b++) {
            o->distance[a * o->levels + b] += widest[a * o->levels + b];
            o->distance[b * o->levels + a] += widest[a * o->levels + b];
        }
    }
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
    DEFER(memory_freep) struct valued *v = calloc(o->rows, sizeof *v);
    DEFER(memory_freep) double *work = calloc(o->levels * (o->levels + 1), sizeof *work);
    CHECK(v != NULL && work != NULL, MEMORY);
    for (size_t f = 0; f < o->features; f++) {
        size_t n = 0;
        for (size_t i = 0; i < o->rows && f != o->feature; i++) {
            v[n].value = o->x[i * o->features + f];
            n += level_of(o, i, &v[n].level);
        }
        qsort(v, n, sizeof *v, by_value);
        if (f != o->feature) {
            add_feature(o, level_count[f] > 0, v, n, work, work + o->levels);
        }
    }
    return OK;
}

/* Those that occur: their places, and the share of one row of each. */
static void
find_levels(struct order *o)
{
    for (size_t l = 0; l < o->all; l++) {
        o->index[l] = o->all;
    }
    for (size_t i = 0; i < o->rows; i++) {
        const double v = o->x[i * o->features + o->feature];
        if (v >= 0 && v < (double)o->all) {
            o->index[(size_t)v] = 0;
        }
    }
    for (size_t l = 0; l < o->all; l++) {
        o->index[l] = o->index[l] == 0 ? o->levels++ : o->all;
    }
    for (size_t i = 0, l = 0; i < o->rows; i++) {
        if (level_of(o, i, &l)) {
            o->share[l]++;
        }
    }
    for (size_t l = 0; l < o->levels; l++) {
        o->share[l] = 1 / o->share[l];
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
ale_order(const double *x, size_t rows, size_t features, size_t feature,
          const uint32_t *level_count, size_t *ret_order)
{
    const size_t all = level_count[feature];
    ASSERT(all > 0 && feature < features);
    DEFER(memory_freep) size_t *index = calloc(all, sizeof *index);
    DEFER(memory_freep) double *share = calloc(4 * all, sizeof *share);
    DEFER(memory_freep) double *distance = calloc(all * all, sizeof *distance);
    CHECK(index != NULL && share != NULL && distance != NULL, MEMORY);
    struct order o = {x, rows, features, feature, all, 0, index, share, distance};
    find_levels(&o);
    TRY(add_distances(&o, level_count));
    centre(distance, o.levels, share + all);
    leading(distance, o.levels, share + 2 * all, share + 3 * all);
    put_order(&o, share + 3 * all, ret_order);
    return OK;
}
