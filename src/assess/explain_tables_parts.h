/* explain_tables_parts: what cutting, filling and running tables share. */
#ifndef STEWARD_ASSESS_EXPLAIN_TABLES_PARTS_H
#define STEWARD_ASSESS_EXPLAIN_TABLES_PARTS_H

#include "assess/explain_tables.h"
#include "model/ranks.h"

/* rank < cut, or with `right` not. */
struct tables_compare {
    uint32_t column;
    int8_t cut;
    uint8_t right;
};

struct tables_unit {
    size_t table; /* its first float; a multiple of 16 */
    size_t compare;
    uint32_t node; /* the subtree's root */
    uint32_t slot[TABLES_FEATURES];
    uint8_t parts[TABLES_BITS]; /* compares that make a bit, all of which must hold */
    uint8_t bits;
    uint8_t features;
    uint8_t inverted; /* the bits that are stored as their contrary */
};

struct tables_section {
    struct ranks *ranks;
    size_t *run;      /* outputs + 1: into unit[] */
    size_t *rest_run; /* outputs + 1: into rest[] */
};

struct tables_tree { /* its units */
    size_t first, units;
};

struct tables {
    const struct forest *forest;
    bool avx2;
    uint32_t columns; /* most of a section */
    uint32_t slots;
    uint32_t *feature_of_slot;
    uint32_t *slot_of_feature;
    uint32_t sections;
    struct tables_section *section;
    struct tables_unit *unit;
    struct tables_tree *tree;
    struct tables_compare *compare;
    size_t units, unit_room, compares, compare_room;
    bool partial; /* subtrees below too many distinct features are listed instead of refused */
    uint32_t *rest;
    size_t rests, rest_room;
    size_t floats; /* of all tables */
    double fill_work;
    float *value;
    uint32_t block_rows;
};

/* Floats of an entry: its features' attributions, then zeros. */
static inline uint32_t
tables_entry(const struct tables_unit *u)
{
    return u->features <= 4 ? 4 : 8;
}

/* A feature on the path above a node. */
struct tables_step {
    uint32_t feature;
    double zero;
};

#define TABLES_ROWS 128u /* that patterns are made of at once: blocks are padded to this */
#define TABLES_PAD 16u

/* As tables_new, but what has more than TABLES_FEATURES distinct features on its path is left out:
 * rest[] has the nodes under which no unit is. */
struct status tables_new_partial(const struct forest *f, size_t bytes_max, bool portable,
                                 struct tables **ret_tables);
/* Patterns of any number of rows as they are stored (u->inverted applied); ranks aligned to 32, as
 * is rank_stride. */
void tables_patterns(const struct tables *t, const struct tables_unit *u, const int8_t *ranks,
                     size_t rank_stride, size_t rows, uint8_t *ret_pattern);
/* Inner nodes of the subtree of n in the order of a unit's conditions after those of its path. */
void tables_list_inner(const struct forest *f, uint32_t n, uint32_t *node, uint32_t *count);

#endif
