/* explain_tape: builds the tapes that the kernels of lanes run (explain_lanes_parts.h). */
#ifndef STEWARD_ASSESS_EXPLAIN_TAPE_H
#define STEWARD_ASSESS_EXPLAIN_TAPE_H

#include "assess/explain_lanes_parts.h"

struct tape_list { /* of items of one size, on malloc */
    void *at;
    size_t n, room;
};

struct tape_step { /* a distinct feature on the path from the root */
    uint32_t feature;
    uint32_t slot;
    uint32_t place; /* of its last split */
    double zero;
};

/* Zeroed, then the first five set. */
struct tape {
    const struct forest *f;
    bool pairs;
    const uint32_t *slot_of_feature;
    struct ranks_split (*split)(const void *context, uint32_t n); /* column and cut of a node */
    const void *context;
    struct tape_list op, partner, constant;
    uint32_t ones;  /* index of tape_ones */
    uint32_t nodes; /* K of the tree at hand */
    double scale;   /* its weight */
    double mean;    /* its expected value */
    double t[LANES_NODES_MAX], rest[LANES_NODES_MAX], weight[LANES_NODES_MAX];
    struct tape_step path[FOREST_MAX_DEPTH + 1];
};

/* What a path above a subtree comes to for one feature: the row follows it when its column is below
 * 1. */
struct tape_link {
    uint32_t feature;
    uint32_t slot;
    uint32_t column;
    double zero;
};

/* A whole tree of the forest. MEMORY. */
struct status tape_tree(struct tape *b, uint32_t tree, struct lanes_tree *ret_tree);
/* A subtree alone: begin with the number of distinct features on its longest path, then the path
 * above it, links, and below the last link node n with all under it. */
struct status tape_begin(struct tape *b, uint32_t distinct, double scale, double mean,
                         struct lanes_tree *ret_tree);
struct status tape_chain(struct tape *b, const struct tape_link *link, uint32_t links, uint32_t n,
                         struct lanes_tree *tree);
/* What row kernels read besides: before the first tree the constants above a feature that is new,
 * and after the last tree what the last quad has too many. MEMORY. */
struct status tape_ones(struct tape *b);
void tape_reset(struct tape *b); /* empty, with its memory */
void tape_done(struct tape *b);

#endif
