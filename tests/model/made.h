/* made: random forests made by hand, small enough to go over every subset of their features, and
 * rows for them. */
#ifndef STEWARD_TESTS_MODEL_MADE_H
#define STEWARD_TESTS_MODEL_MADE_H

#include "testing/testing.h"

#include "model/forest.h"
#include "num/rng.h"

#define MADE_NODES 4096u
#define MADE_TREES 8u
#define MADE_OUTPUTS 3u
#define MADE_FEATURES 64u
#define MADE_CATEGORIES 6u

struct made {
    struct forest f;
    double base[MADE_OUTPUTS];
    uint32_t tree_start[MADE_TREES + 1], tree_output[MADE_TREES];
    double tree_weight[MADE_TREES];
    int32_t left[MADE_NODES], right[MADE_NODES];
    uint32_t feature[MADE_NODES];
    float threshold[MADE_NODES];
    uint8_t default_left[MADE_NODES];
    double value[MADE_NODES], cover[MADE_NODES];
    uint32_t category_start[MADE_NODES], category_count[MADE_NODES];
    uint32_t categories[MADE_NODES * MADE_CATEGORIES];
    uint32_t categories_used;
};

struct made_recipe {
    uint32_t features, outputs, trees, depth;
    bool with_categories; /* every third feature */
    bool zero_covers;     /* about a fifth of the leaves were reached by no training row */
    bool dart;
};

/* One more node, a leaf. */
uint32_t made_node(struct made *m);
/* free() it. The packed steps are not made: forest_step and the references alone may be used. */
struct made *made_new(const struct made_recipe *r, struct rng *g);
/* Numbers, categories (one more than the splits list) and, one in six, missing. */
void made_row(const struct made_recipe *r, struct rng *g, float *x);

#endif
