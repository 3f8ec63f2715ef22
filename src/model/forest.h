/* forest: tree ensembles, loaded from XGBoost's JSON or UBJSON, LightGBM's text or ONNX with every
 * index, depth and count checked (models are untrusted input), held as flat arrays on one arena;
 * batch and single-row prediction.
 *
 * A node n of the ensemble: leaf when left[n] < 0, its value in value[n]. Otherwise numeric split:
 * x < threshold (never NaN, but it may be infinite) goes left, NaN goes left when default_left[n],
 * and zero, which is |x| <= FOREST_ZERO, goes where NaN goes when zero_missing[n] (LightGBM's zero
 * as missing). Categorical split (category_count[n] > 0): a listed category goes right, unlisted or
 * out of range left, NaN by default_left. forest_compares tells the splits that are x < threshold
 * and nothing else; forest_step knows all. What other libraries ask is loaded as one of these,
 * exactly for every float x: x <= t is x < the smallest float over t; numbers that are not floats
 * are rounded to the nearest before.
 *
 * Tree t owns nodes [tree_start[t], tree_start[t+1]); its root is the first; children are absolute
 * node indices, greater than their parent's, right[n] = left[n] + 1: the loader renumbers breadth
 * first and drops what no path reaches. */
#ifndef STEWARD_MODEL_FOREST_H
#define STEWARD_MODEL_FOREST_H

#include "base/bytes.h"
#include "model/link.h"

#define FOREST_MAX_TREES 100000u
#define FOREST_MAX_NODES 8000000u
#define FOREST_MAX_DEPTH 64u
#define FOREST_MAX_FEATURES 65536u
#define FOREST_MAX_OUTPUTS 1024u
#define FOREST_MAX_VALUE 1e30           /* of a leaf (weighted) and of a base score */
#define FOREST_CATEGORIES_END (1 << 24) /* categories are below: floats hold them exactly */

#define FOREST_MAX_BYTES ((size_t)1 << 30)  /* of the file */
#define FOREST_MAX_VALUES ((size_t)1 << 26) /* numbers, strings, ... in it: about 40 bytes each */

#define FOREST_ZERO 1e-35f

struct forest_levels {
    uint32_t count; /* 0: not told */
    const char *const *names;
};

struct forest {
    uint32_t features;
    uint32_t outputs; /* 1, or the number of classes */
    uint32_t trees;
    uint32_t nodes;
    uint32_t depth; /* deepest leaf, root = 0 */
    enum forest_link link;
    double link_scale;     /* of the logistic link: 1, or LightGBM's sigmoid */
    bool has_cover;        /* false: the file tells no covers, path-dependent SHAP has no meaning */
    const char *objective; /* as in the file, e.g. "binary:logistic" */
    const double *base;    /* outputs: base score on the margin */
    const uint32_t *tree_start;  /* trees + 1 */
    const uint32_t *tree_output; /* trees: the output it adds to */
    const double *tree_weight;   /* trees: 1, or DART's weight_drop */
    const int32_t *left;         /* nodes */
    const int32_t *right;
    const uint32_t *feature;
    const float *threshold;
    const uint8_t *default_left;
    const uint8_t *zero_missing;        /* nodes, or NULL for nowhere */
    const double *value;                /* leaf value (unweighted); 0 inside */
    const double *cover;                /* sum_hessian, for path-dependent SHAP; never negative */
    const uint32_t *category_start;     /* nodes: into categories */
    const uint32_t *category_count;     /* nodes: 0 for numeric */
    const uint32_t *categories;         /* sorted within a node */
    const char *const *feature_names;   /* features, or NULL when the file has none */
    const char *const *output_names;    /* outputs, or NULL: the classes' labels */
    const char *const *two_classes;     /* of one output: labels of 0 and 1, or NULL */
    const struct forest_levels *levels; /* features, or NULL: names of the categories 0, 1, ... */
    const struct forest_step *step;     /* nodes: the same, packed for prediction */
};

static inline bool
forest_compares(const struct forest *f, uint32_t n)
{
    return f->category_count[n] == 0 && (f->zero_missing == NULL || f->zero_missing[n] == 0);
}

/* A node in 12 bytes. rule: feature, and two flags (BY_QUESTION: not by comparison alone). next:
 * left child, or this node itself for a leaf. */
#define FOREST_DEFAULT_LEFT 0x80000000u
#define FOREST_BY_QUESTION 0x40000000u
struct forest_step {
    uint32_t rule;
    float threshold;
    uint32_t next;
};

/* Format detected from the bytes. Rejects with a sentence that names tree and node. */
struct status forest_load(struct view bytes, struct diag *diag, struct forest **ret_forest);
/* What the bytes are read as: "xgboost", "lightgbm" or "onnx". */
const char *forest_format(struct view bytes);
void forest_free(struct forest *f);
DEFINE_FREEP(forest_free, struct forest)
/* Next node from inner node n for value v. */
uint32_t forest_step(const struct forest *f, uint32_t n, float v);
/* ret_margin[rows * outputs]; x row-major [rows * features]. Sums in double, tree order. threads: 0
 * = one per core. */
void forest_margin(const struct forest *f, const float *x, size_t rows, unsigned threads,
                   double *ret_margin);
void forest_margin_ref(const struct forest *f, const float *x, size_t rows, double *ret_margin);
/* Margin -> what the model answers: identity, probability, class probabilities, exp. In place, rows
 * * outputs. */
void forest_link_apply(const struct forest *f, double *margin, size_t rows);

#endif
