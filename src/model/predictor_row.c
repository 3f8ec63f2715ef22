/* Walks, eight side by side: while one waits for its load, seven others go on. */
#include "model/predictor_parts.h"

#include <math.h>

#define TOGETHER PREDICTOR_TOGETHER

/* ---- perfect trees, one row ---- */

/* Missing values become infinities on the side to which they go, so that a step is a comparison. */
static void
make_ready(const struct predictor *p, const float *x, float *ret_ready)
{
    for (uint32_t c = 0; c < p->ready; c++) {
        const float v = x[p->ready_feature[c]];
        ret_ready[c] = isnan(v) ? p->ready_missing[c] : v;
    }
}

static inline uint32_t
step_down(const struct predictor_step *tree, uint32_t at, const float *ready)
{
    const struct predictor_step s = tree[at];
    return 2 * at + 1 + !(ready[s.column] < s.threshold);
}

static inline void
eight_trees(const struct predictor_run *r, uint32_t first, const float *ready, double *ret_value)
{
    const uint32_t inner = (1u << r->depth) - 1;
    const struct predictor_step *tree = r->step + (size_t)first * inner;
    const double *leaf = r->leaf + (size_t)first * (inner + 1);
    uint32_t at[TOGETHER] = {0};
    for (uint32_t d = 0; d < r->depth; d++) {
        for (uint32_t k = 0; k < TOGETHER; k++) {
            at[k] = step_down(tree + k * inner, at[k], ready);
        }
    }
    for (uint32_t k = 0; k < TOGETHER; k++) {
        ret_value[k] = leaf[k * (inner + 1) + at[k] - inner];
    }
}

static double
one_tree(const struct predictor_run *r, uint32_t tree, const float *ready)
{
    const uint32_t inner = (1u << r->depth) - 1;
    uint32_t at = 0;
    for (uint32_t d = 0; d < r->depth; d++) {
        at = step_down(r->step + (size_t)tree * inner, at, ready);
    }
    return r->leaf[(size_t)tree * (inner + 1) + at - inner];
}

static void
row_perfect(const struct predictor *p, const struct predictor_run *r, const float *ready,
            double *margin)
{
    const uint32_t trees = r->end - r->first, *output = p->forest->tree_output + r->first;
    uint32_t t = 0;
    for (; t + TOGETHER <= trees; t += TOGETHER) {
        double value[TOGETHER];
        eight_trees(r, t, ready, value);
        for (uint32_t k = 0; k < TOGETHER; k++) {
            margin[output[t + k]] += value[k];
        }
    }
    for (; t < trees; t++) {
        margin[output[t]] += one_tree(r, t, ready);
    }
}

/* ---- trees as they are ---- */

#define FEATURE(RULE) ((RULE) & ~(FOREST_DEFAULT_LEFT | FOREST_BY_QUESTION))

static inline uint32_t
walk_on(const struct predictor *p, uint32_t n, const float *x)
{
    const struct predictor_node *s = &p->node[n];
    const float v = x[FEATURE(s->rule)];
    if (__builtin_expect((s->rule & FOREST_BY_QUESTION) != 0, 0)) {
        return forest_step(p->forest, n, v);
    }
    const bool left = (v < s->threshold) | ((v != v) & (s->rule >> 31));
    return left ? s->left : s->right;
}

/* Eight walks from nodes at[], each over its own row. A leaf stays where it is. */
static inline void
walk_eight(const struct predictor *p, uint32_t depth, const float *const x[static TOGETHER],
           uint32_t at[static TOGETHER])
{
    for (uint32_t d = 0; d < depth; d++) {
        for (uint32_t k = 0; k < TOGETHER; k++) {
            at[k] = walk_on(p, at[k], x[k]);
        }
    }
}

/* A group that is not full repeats its last. */
static void
row_walk(const struct predictor *p, const struct predictor_run *r, const float *x, double *margin)
{
    const struct forest *f = p->forest;
    for (uint32_t t = r->first; t < r->end; t += TOGETHER) {
        const uint32_t n = r->end - t < TOGETHER ? r->end - t : TOGETHER;
        const float *rows[TOGETHER];
        uint32_t at[TOGETHER], depth = 0;
        for (uint32_t k = 0; k < TOGETHER; k++) {
            const uint32_t tree = t + (k < n ? k : n - 1);
            rows[k] = x;
            at[k] = f->tree_start[tree];
            depth = p->tree_depth[tree] > depth ? p->tree_depth[tree] : depth;
        }
        walk_eight(p, depth, rows, at);
        for (uint32_t k = 0; k < n; k++) {
            margin[f->tree_output[t + k]] += f->tree_weight[t + k] * f->value[at[k]];
        }
    }
}

void
predictor_row(const struct predictor *p, const float *x, double *margin)
{
    float ready[PREDICTOR_READY];
    if (p->ready <= PREDICTOR_READY) {
        make_ready(p, x, ready);
    }
    for (uint32_t i = 0; i < p->runs; i++) {
        const struct predictor_run *r = &p->run[i];
        if (r->by_row) {
            row_perfect(p, r, ready, margin);
        } else {
            row_walk(p, r, x, margin);
        }
    }
}

static void
walk_rows(const struct predictor *p, uint32_t tree, const float *x, size_t rows, double *sum)
{
    const struct forest *f = p->forest;
    const double weight = f->tree_weight[tree];
    for (size_t i = 0; i < rows; i += TOGETHER) {
        const size_t n = rows - i < TOGETHER ? rows - i : TOGETHER;
        const float *row[TOGETHER];
        uint32_t at[TOGETHER];
        for (size_t k = 0; k < TOGETHER; k++) {
            row[k] = x + (i + (k < n ? k : n - 1)) * f->features;
            at[k] = f->tree_start[tree];
        }
        walk_eight(p, p->tree_depth[tree], row, at);
        for (size_t k = 0; k < n; k++) {
            sum[i + k] += weight * f->value[at[k]];
        }
    }
}

void
predictor_walk(const struct predictor *p, const struct predictor_run *r, const float *x,
               size_t rows, size_t stride, double *margin)
{
    for (uint32_t t = r->first; t < r->end; t++) {
        walk_rows(p, t, x, rows, margin + p->forest->tree_output[t] * stride);
    }
}
