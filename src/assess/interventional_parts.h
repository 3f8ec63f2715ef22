/* interventional_parts: what the files interventional*.c share. */
#ifndef STEWARD_ASSESS_INTERVENTIONAL_PARTS_H
#define STEWARD_ASSESS_INTERVENTIONAL_PARTS_H

#include "assess/explain_tables_parts.h"
#include "assess/interventional.h"
#include "assess/link_slope.h"

/* What is known of the background: row i counts weight[i], or 1 / rows each where that is NULL. */
struct interventional_background {
    const float *x; /* rows * features */
    size_t rows;
    const double *weight; /* rows */
};

/* Fills all units' tables: tables->floats numbers in the layout of tables->value; of the two the
 * one that is not NULL. Takes some 64 MB and 2 KB a unit meanwhile. MEMORY.
 */
struct status interventional_fill(const struct tables *t,
                                  const struct interventional_background *background,
                                  unsigned threads, float *single, double *wide);
/* Up to a block of rows through doubles. scratch: interventional_wide_bytes, aligned to 64. */
size_t interventional_wide_bytes(const struct tables *t, size_t rows);
void interventional_wide_rows(const struct tables *t, const double *wide, const float *x,
                              size_t rows, void *scratch, double *ret_phi);

/* The tree that node n belongs to. */
uint32_t interventional_tree(const struct forest *f, uint32_t n);

/* ---- leaves that no unit has (interventional_deep.c) ---- */

struct deep;

/* Of all leaves under tables->rest; what the background meets in each. LIMIT: more than bytes_max;
 * MEMORY. */
struct status deep_new(const struct tables *t, const struct interventional_background *background,
                       size_t bytes_max, unsigned threads, struct deep **ret_deep);
void deep_free(struct deep *d);
DEFINE_FREEP(deep_free, struct deep)
size_t deep_leaves(const struct tables *t);
/* Adds their values, times factor[rows] where that is not NULL, to phi[rows * outputs * features].
 * The same digits for any number of threads, rows alone or among others. MEMORY. */
struct status deep_add(const struct deep *d, const float *x, size_t rows, const double *factor,
                       unsigned threads, double *phi);

/* p! q! / (p + q + 1)!, p and q at most FOREST_MAX_DEPTH. */
double interventional_share(uint32_t p, uint32_t q);

#endif
