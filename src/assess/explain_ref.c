/* The plain TreeSHAP kernel. Algorithm 2 of Lundberg et al. (arXiv 1802.03888): the path from the
 * root to a node holds each distinct feature once, with the share of rows that follow it when the
 * feature is unknown (zero), whether the row itself follows it (one), and the weights of the
 * feature subsets by size. Doubles throughout.
 *
 * A child's share is its cover over the sum of both children's covers, one half each when that sum
 * is 0 (XGBoost divides 0 by 0 there and stops): a true expectation for any covers, and equal to
 * XGBoost's child over parent up to the rounding in the model file. */
#include "assess/explain.h"

#include <string.h>

struct step {
    uint32_t feature;
    double zero;
    double one;
    double weight;
};

#define NO_FEATURE UINT32_MAX

struct walk {
    const struct forest *forest;
    const float *x;
    double scale; /* the tree's weight */
    double *phi;  /* of the tree's output */
};

double
explain_left_share(const struct forest *f, uint32_t n)
{
    const double left = f->cover[f->left[n]], right = f->cover[f->right[n]];
    return left + right > 0.0 ? left / (left + right) : 0.5;
}

double
explain_expected_below(const struct forest *f, uint32_t n)
{
    if (f->left[n] < 0) {
        return f->value[n];
    }
    const double share = explain_left_share(f, n);
    return share * explain_expected_below(f, (uint32_t)f->left[n]) +
           (1.0 - share) * explain_expected_below(f, (uint32_t)f->right[n]);
}

void
explain_expected(const struct forest *f, double *ret_expected)
{
    memcpy(ret_expected, f->base, f->outputs * sizeof *ret_expected);
    for (uint32_t t = 0; t < f->trees; t++) {
        ret_expected[f->tree_output[t]] +=
            f->tree_weight[t] * explain_expected_below(f, f->tree_start[t]);
    }
}

size_t
explain_scratch_bytes(const struct forest *f)
{
    const size_t levels = (size_t)f->depth + 2; /* level k keeps k + 1 steps */
    return levels * (levels + 1) / 2 * sizeof(struct step);
}

/* Adds step number `depth` to the path and spreads the weights. */
static void
path_extend(struct step *path, uint32_t depth, struct step next)
{
    path[depth] = next;
    path[depth].weight = depth == 0 ? 1.0 : 0.0;
    const double scale = 1.0 / (depth + 1.0);
    for (uint32_t i = depth; i-- > 0;) {
        path[i + 1].weight += next.one * path[i].weight * (i + 1.0) * scale;
        path[i].weight *= next.zero * (depth - i) * scale;
    }
}

/* With weights w[0..depth] and the ones before the step was added, u[0..depth-1]:
 *     w[j] (depth + 1) = zero (depth - j) u[j] + one j u[j - 1].
 * One equation more than unknowns. Solving upwards multiplies errors by one j / (zero (depth - j)),
 * downwards by the inverse; each end is solved in the direction in which errors shrink. This is the
 * first j that is solved downwards. With one = 0 nothing may be: zero * depth / zero can round to
 * less than depth. */
static uint32_t
path_meet(const struct step *s, uint32_t depth)
{
    if (s->one <= 0.0) {
        return depth;
    }
    const double at = s->zero * depth / (s->zero + s->one);
    return at >= depth ? depth : (uint32_t)at;
}

/* Takes step k out again. The steps after it move down. */
static void
path_unwind(struct step *path, uint32_t depth, uint32_t k)
{
    const double zero = path[k].zero, one = path[k].one;
    const uint32_t meet = path_meet(&path[k], depth);
    double u = 0.0;
    for (uint32_t j = 0; j < meet; j++) {
        u = (path[j].weight * (depth + 1.0) - one * j * u) / (zero * (depth - j));
        path[j].weight = u;
    }
    double above = path[depth].weight;
    u = 0.0;
    for (uint32_t j = depth; j > meet; j--) {
        u = (above * (depth + 1.0) - zero * (depth - j) * u) / (one * j);
        above = path[j - 1].weight;
        path[j - 1].weight = u;
    }
    for (uint32_t i = k; i < depth; i++) {
        path[i].feature = path[i + 1].feature;
        path[i].zero = path[i + 1].zero;
        path[i].one = path[i + 1].one;
    }
}

/* Sum of the weights as they would be without step k. */
static double
path_sum_without(const struct step *path, uint32_t depth, uint32_t k)
{
    const double zero = path[k].zero, one = path[k].one;
    const uint32_t meet = path_meet(&path[k], depth);
    double sum = 0.0, u = 0.0;
    for (uint32_t j = 0; j < meet; j++) {
        u = (path[j].weight * (depth + 1.0) - one * j * u) / (zero * (depth - j));
        sum += u;
    }
    u = 0.0;
    for (uint32_t j = depth; j > meet; j--) {
        u = (path[j].weight * (depth + 1.0) - zero * (depth - j) * u) / (one * j);
        sum += u;
    }
    return sum;
}

static void
leaf_add(const struct walk *w, uint32_t node, const struct step *path, uint32_t depth)
{
    const double value = w->scale * w->forest->value[node];
    for (uint32_t k = 1; k <= depth; k++) {
        const double sum = path_sum_without(path, depth, k);
        w->phi[path[k].feature] += sum * (path[k].one - path[k].zero) * value;
    }
}

/* If feature is on the path already, takes that step out and keeps its shares: a feature counts
 * once. */
static struct step
path_take(struct step *path, uint32_t *depth, uint32_t feature)
{
    for (uint32_t k = 1; k <= *depth; k++) {
        if (path[k].feature == feature) {
            const struct step found = path[k];
            path_unwind(path, *depth, k);
            *depth -= 1;
            return found;
        }
    }
    return (struct step){.feature = feature, .zero = 1.0, .one = 1.0};
}

/* parent: the path above, `depth` steps; our own copy lies behind it in the scratch. Recursion is
 * as deep as the tree, at most FOREST_MAX_DEPTH. A branch that neither the row nor any cover takes
 * has weight 0 for every subset. */
static void
walk_node(const struct walk *w, uint32_t node, struct step *parent, uint32_t depth,
          struct step next)
{
    if (next.zero <= 0.0 && next.one <= 0.0) {
        return;
    }
    const struct forest *f = w->forest;
    struct step *path = parent + depth;
    memcpy(path, parent, depth * sizeof *path);
    path_extend(path, depth, next);
    if (f->left[node] < 0) {
        leaf_add(w, node, path, depth);
        return;
    }
    const uint32_t feature = f->feature[node];
    const uint32_t left = (uint32_t)f->left[node], right = (uint32_t)f->right[node];
    const bool goes_left = forest_step(f, node, w->x[feature]) == left;
    const double share = explain_left_share(f, node);
    const struct step before = path_take(path, &depth, feature);
    struct step to_left = before, to_right = before;
    to_left.zero = before.zero * share;
    to_left.one = goes_left ? before.one : 0.0;
    to_right.zero = before.zero * (1.0 - share);
    to_right.one = goes_left ? 0.0 : before.one;
    walk_node(w, left, path, depth + 1, to_left);
    walk_node(w, right, path, depth + 1, to_right);
}

void
explain_row_ref(const struct forest *f, const float *x, void *scratch, double *ret_phi)
{
    memset(ret_phi, 0, (size_t)f->outputs * f->features * sizeof *ret_phi);
    for (uint32_t t = 0; t < f->trees; t++) {
        const struct walk w = {
            .forest = f,
            .x = x,
            .scale = f->tree_weight[t],
            .phi = ret_phi + (size_t)f->tree_output[t] * f->features,
        };
        const struct step root = {.feature = NO_FEATURE, .zero = 1.0, .one = 1.0};
        walk_node(&w, f->tree_start[t], scratch, 0, root);
    }
}
