/* forest_build: what the loaders of this folder share while a forest is being made: its arena, its
 * arrays, writable, and what holds for every forest whatever file it came from. Not for other
 * folders. */
#ifndef STEWARD_MODEL_FOREST_BUILD_H
#define STEWARD_MODEL_FOREST_BUILD_H

#include "base/arena.h"
#include "model/forest.h"

#define FOREST_TAKE(A, PTR, N) (((PTR) = arena_alloc((A), (N), sizeof *(PTR))) != NULL)

/* The arrays of struct forest, writable, with room for every node and category of the file. */
struct forest_nodes {
    int32_t *left, *right;
    uint32_t *feature;
    float *threshold;
    uint8_t *default_left, *zero_missing;
    double *value, *cover;
    uint32_t *category_start, *category_count, *categories;
    uint32_t used, categories_used;
    uint32_t features; /* of the model */
    uint32_t depth;    /* deepest leaf so far */
};

struct forest_build {
    struct arena *arena;
    struct forest *f; /* zeroed at first: shape, link, base, names are the loader's to fill */
    struct forest_nodes nodes;
    uint32_t *tree_start, *tree_output;
    double *tree_weight;
};

/* Always followed by forest_build_end. */
struct status forest_build_start(struct forest_build *ret_build);
/* Room for f->trees trees, which together have that many nodes and categories; f->features is set.
 */
struct status forest_build_allocate(struct forest_build *b, size_t nodes, size_t categories);
/* Gives the forest away when `loaded` is OK, otherwise frees all; returns what went wrong. The last
 * entry of tree_start is set here. */
struct status forest_build_end(struct forest_build *b, struct status loaded,
                               struct forest **ret_forest);
/* The smallest float over t (not NaN), and the smallest that is at least t: for every float x,
 * x <= t exactly when x < above (unless t is infinity), and x < t exactly when x < from. */
float forest_float_above(double t);
float forest_float_from(double t);

#endif
