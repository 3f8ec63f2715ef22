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
 * each for every quadrature node [2 K], of BOTTOM the leaves' values [2]; then, of DOWN with pairs,
 * 1 / F_c of the left child and of the right [4 K], each where the row did not follow the splits
 * above, and where it did. `above`: zero above [1] and 1 / F likewise [2 K]; all of them 1 where
 * the feature is new. Of LEAF: value times weight [K]. */
struct lanes_op {
    uint8_t kind;
    bool again;         /* its feature was split on above */
    uint16_t place;     /* its own */
    uint16_t below;     /* its left child's; the right one's is the next */
    uint16_t before;    /* the place where that was last; else the root's, which all rows reach */
    uint16_t partners;  /* with pairs: other features split on above */
    uint32_t partner;   /* index of the first of them */
    uint32_t slot;      /* the feature's accumulator */
    uint32_t column;    /* of ranks */
    float cut;          /* goes left when the rank is smaller */
    uint32_t constants; /* index of its first */
    uint32_t above;
};

struct lanes_partner {
    uint32_t slot;
    uint32_t place;
};

struct lanes_tree {
    uint32_t op, op_end;
    uint32_t nodes;     /* K */
    uint32_t constants; /* t, 1 - t, weight: [3 K] */
    uint32_t row;       /* into row_op: runs of so many of */
    uint32_t downs, leaves, bottoms, bottoms_again;
    uint32_t gain, gains; /* into gain_slot */
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
    struct lanes_op *row_op;        /* the same for single rows (explain_lanes_row.c); NULL: none */
    uint32_t *gain_slot;            /* slots in the order in which gains are added */
    uint32_t row_places, row_gains; /* most of a tree */
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
    void *gains;   /* of a row kernel: row_gains */
};

/* On a tape, the place of a node's left child. */
static inline uint32_t
lanes_below(uint32_t place)
{
    return (place | 1u) + 1;
}

/* Vectors of one place: P and U for every quadrature node, o, and with pairs e. */
static inline uint32_t
lanes_place_vectors(uint32_t nodes, bool pairs)
{
    return 2 * nodes + 1 + (pairs ? nodes : 0);
}

#ifdef __x86_64__
static inline bool
lanes_avx2(void)
{
    return __builtin_cpu_supports("avx2") != 0;
}
#else
static inline bool
lanes_avx2(void)
{
    return false;
}
#endif

/* Adds the tree's attributions of so many groups; of a row kernel, rows: its x and phi have one
 * lane, and it takes no pairs. */
typedef void lanes_kernel(const struct lanes_work *w, const struct lanes_tree *t, uint32_t groups);
#define LANES_VECTOR 32u /* bytes */
lanes_kernel *lanes_kernel_of(const struct lanes *l);
lanes_kernel *lanes_row_kernel_of(const struct lanes *l);
/* Makes row_op, unless a tree is too large. MEMORY. */
struct status lanes_row_order(struct lanes *l, uint32_t trees);

#endif
