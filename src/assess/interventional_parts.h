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

/* ---- units of the tables (interventional_tables.c) ---- */

#define UNIT_PATTERNS (1u << TABLES_BITS)
#define UNIT_NODES ((TABLES_FEATURES + 1) / 2)

/* The conditions of a leaf, by the unit's features: one is followed where pattern & mask == want.
 */
struct unit_leaf {
    double value; /* weighted, less the tree's mean */
    uint8_t mask[TABLES_FEATURES];
    uint8_t want[TABLES_FEATURES];
};

/* A leaf's own view: only the features that it has conditions on. */
struct unit_game {
    uint32_t n;
    uint8_t feature[TABLES_FEATURES]; /* of the unit */
    uint8_t set[UNIT_PATTERNS];       /* unit pattern -> the features that it follows */
    double share[UNIT_PATTERNS];      /* of the background, by that set */
    double z[UNIT_PATTERNS];
};

/* Quadrature for a leaf of n features. */
struct unit_rule {
    double t[UNIT_NODES], rest[UNIT_NODES], weight[UNIT_NODES];
};

struct unit_rules {
    struct unit_rule of[TABLES_FEATURES + 1]; /* by n */
};

void unit_rules_make(struct unit_rules *ret_rules);
/* share[UNIT_PATTERNS]: of the background, by unit pattern. */
void unit_game_begin(const struct tables_unit *u, const double *share, const struct unit_leaf *leaf,
                     struct unit_game *g);
/* z[p] = sum over A in p of t^|A| share(all without A). */
void unit_game_zeta(struct unit_game *g, double t);
/* Each leaf of a unit. */
void unit_leaves(const struct tables *t, const struct tables_unit *u,
                 void (*take)(void *ctx, const struct unit_leaf *leaf), void *ctx);
/* What the background meets in each unit: share[UNIT_PATTERNS], from several threads. Takes some 64
 * MB and 2 KB a unit meanwhile. MEMORY. */
struct status unit_shares(const struct tables *t,
                          const struct interventional_background *background, unsigned threads,
                          void (*take)(void *ctx, size_t unit, const double *share), void *ctx);

/* Fills all units' tables: tables->floats numbers in the layout of tables->value; of the two the
 * one that is not NULL. MEMORY. */
struct status interventional_fill(const struct tables *t,
                                  const struct interventional_background *background,
                                  unsigned threads, float *single, double *wide);
/* Up to a block of rows through doubles. scratch: interventional_wide_bytes, aligned to 64. */
size_t interventional_wide_bytes(const struct tables *t, size_t rows);
void interventional_wide_rows(const struct tables *t, const double *wide, const float *x,
                              size_t rows, void *scratch, double *ret_phi);

/* ---- interactions (interventional_interactions.c) ---- */

/* While they are summed, a matrix has attributions on its diagonal, and half of what two features
 * have together in one of their two places. */
struct interactions;

/* Bytes that one keeps in any case: the background's shares. */
size_t interactions_bytes(const struct tables *t);
/* Of the units. bytes_max: of the tables; what does not fit is filled for each call. Borrows t.
 * MEMORY. */
struct status interactions_new(const struct tables *t,
                               const struct interventional_background *background, size_t bytes_max,
                               unsigned threads, struct interactions **ret_interactions);
void interactions_free(struct interactions *i);
DEFINE_FREEP(interactions_free, struct interactions)
/* Adds them, times factor[rows] where that is not NULL, to pairs[rows * outputs * features *
 * features]. The same digits for any number of threads, rows alone or among others. MEMORY. */
struct status interactions_add(const struct interactions *i, const float *x, size_t rows,
                               const double *factor, unsigned threads, double *pairs);
/* Makes summed matrices what interventional_interactions gives. */
void interactions_finish(size_t matrices, size_t features, double *pairs);

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
/* The same of interactions. */
struct status deep_add_interactions(const struct deep *d, const float *x, size_t rows,
                                    const double *factor, unsigned threads, double *pairs);

/* p! q! / (p + q + 1)!, p and q at most FOREST_MAX_DEPTH. */
double interventional_share(uint32_t p, uint32_t q);

#endif
