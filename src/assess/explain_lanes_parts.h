/* explain_lanes_parts: what the builder of lanes and its kernels share. A tree becomes a tape of
 * operations in depth-first order; levels of the tree have fixed places in the scratch. */
#ifndef STEWARD_ASSESS_EXPLAIN_LANES_PARTS_H
#define STEWARD_ASSESS_EXPLAIN_LANES_PARTS_H

#include "assess/explain_lanes.h"
#include "model/ranks.h"

enum lanes_kind {
    LANES_DOWN,   /* an inner node, before its children */
    LANES_UP,     /* the same, after them */
    LANES_BOTTOM, /* an inner node whose children are leaves */
    LANES_LEAF,
};

/* A place is level * 2 + side: the children of a node at level l lie at l + 1; the root at 0, 0.
 * Constants of an inner node: zero of the left child, of the right; then of DOWN and UP (1-t) times
 * each for every quadrature node [2 K], of BOTTOM the leaves' values [2]; then, if the feature was
 * split on above, zero above [1] and 1 / F where the row did not follow the splits above, and
 * where it did [2 K]; then, of DOWN with pairs, the same for F_c of the left child
 * and of the right [4 K]. Of LEAF: value times weight [K]. */
struct lanes_op {
    uint8_t kind;
    uint8_t level;
    uint8_t side;
    bool again;         /* its feature was split on above */
    uint16_t before;    /* the place where that was last */
    uint16_t partners;  /* with pairs: other features split on above */
    uint32_t partner;   /* index of the first of them */
    uint32_t slot;      /* the feature's accumulator */
    uint32_t column;    /* of ranks */
    float cut;          /* goes left when the rank is smaller */
    uint32_t constants; /* index of its first */
};

struct lanes_partner {
    uint32_t slot;
    uint32_t place;
};

struct lanes_tree {
    uint32_t op, op_end;
    uint32_t nodes;     /* K */
    uint32_t constants; /* t, 1 - t, weight: [3 K] */
};

/* Trees whose thresholds fit into one set of ranks. */
struct lanes_section {
    struct ranks *ranks;
    uint32_t *run; /* outputs + 1: into tree[], which a section sorts by output */
};

struct lanes {
    const struct forest *forest;
    bool doubles, pairs, avx2;
    uint32_t nodes;  /* greatest K */
    uint32_t levels; /* of the deepest tree */
    uint32_t block_rows;
    uint32_t columns; /* most of a section */
    uint32_t slots;   /* features that some tree splits on */
    uint32_t *feature_of_slot;
    uint32_t sections;
    struct lanes_section *section;
    struct lanes_tree *tree;
    struct lanes_op *op;
    struct lanes_partner *partner;
    double *wide;  /* constants, when doubles */
    float *narrow; /* otherwise */
};

/* What a kernel works on: arrays of vectors, for one group of rows (a row in each lane) after
 * another. */
struct lanes_work {
    const struct lanes *lanes;
    uint32_t columns;
    const void *x; /* columns */
    void *phi;     /* slots */
    void *pairs;   /* slots * slots */
    void *levels;  /* places, see lanes_place_vectors */
};

/* Vectors of one place: P and U for every quadrature node, o, and with pairs e. */
static inline uint32_t
lanes_place_vectors(uint32_t nodes, bool pairs)
{
    return 2 * nodes + 1 + (pairs ? nodes : 0);
}

/* Adds the tree's attributions of so many groups. */
typedef void lanes_kernel(const struct lanes_work *w, const struct lanes_tree *t, uint32_t groups);
#define LANES_VECTOR 32u /* bytes */
lanes_kernel *lanes_kernel_of(const struct lanes *l);

#endif
