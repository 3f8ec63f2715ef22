/* A pair of rows down each tree: where both go the same way the pair does; where they part, the
 * feature comes from the one or from the other, the same at every split on it. */
#include "assess/interventional_parts.h"

enum origin { UNDECIDED, FROM_ROW, FROM_BACKGROUND };

struct pair_walk {
    const struct forest *f;
    struct interventional_pair pair;
    double scale;                          /* weight of tree and pair */
    uint8_t *origin;                       /* features */
    uint32_t decided[2][FOREST_MAX_DEPTH]; /* features from the row, from the background */
    uint32_t count[2];
    double *phi;   /* of the tree's output; one of the two */
    double *pairs; /* features * features */
};

size_t
interventional_scratch_bytes(const struct forest *f)
{
    return (size_t)f->features + 1;
}

double
interventional_share(uint32_t p, uint32_t q)
{
    double w = 1.0 / (p + 1);
    for (uint32_t i = 1; i <= q; i++) {
        w *= (double)i / (p + i + 1);
    }
    return w;
}

static void
leaf_add(const struct pair_walk *w, double value)
{
    const uint32_t a = w->count[0], b = w->count[1];
    const double gain = a > 0 ? value * interventional_share(a - 1, b) : 0,
                 loss = b > 0 ? value * interventional_share(a, b - 1) : 0;
    for (uint32_t i = 0; i < a; i++) {
        w->phi[w->decided[0][i]] += gain;
    }
    for (uint32_t i = 0; i < b; i++) {
        w->phi[w->decided[1][i]] -= loss;
    }
}

/* Attributions on the diagonal, half of each interaction above or below it. */
static void
leaf_add_pairs(const struct pair_walk *w, double value)
{
    const size_t features = w->f->features;
    const uint32_t a = w->count[0], b = w->count[1], n = a + b;
    const double single[2] = {a > 0 ? value * interventional_share(a - 1, b) : 0,
                              b > 0 ? -value * interventional_share(a, b - 1) : 0};
    const double both = a > 1 ? value / 2 * interventional_share(a - 2, b) : 0,
                 none = b > 1 ? value / 2 * interventional_share(a, b - 2) : 0,
                 one = a > 0 && b > 0 ? -value / 2 * interventional_share(a - 1, b - 1) : 0;
    for (uint32_t i = 0; i < n; i++) {
        const bool in = i < a;
        const size_t row = in ? w->decided[0][i] : w->decided[1][i - a];
        double *line = w->pairs + row * features;
        line[row] += single[!in];
        for (uint32_t j = i + 1; j < n; j++) {
            line[j < a ? w->decided[0][j] : w->decided[1][j - a]] += j < a ? both : in ? one : none;
        }
    }
}

static void
walk_pair(struct pair_walk *w, uint32_t n)
{
    const struct forest *f = w->f;
    if (f->left[n] < 0) {
        if (w->pairs != NULL) {
            leaf_add_pairs(w, w->scale * f->value[n]);
        } else {
            leaf_add(w, w->scale * f->value[n]);
        }
        return;
    }
    const uint32_t feature = f->feature[n];
    const uint32_t next[2] = {forest_step(f, n, w->pair.x[feature]),
                              forest_step(f, n, w->pair.background[feature])};
    const uint8_t origin = w->origin[feature];
    if (next[0] == next[1] || origin != UNDECIDED) {
        walk_pair(w, next[origin == FROM_BACKGROUND]);
        return;
    }
    for (uint8_t side = 0; side < 2; side++) {
        w->origin[feature] = side == 0 ? FROM_ROW : FROM_BACKGROUND;
        w->decided[side][w->count[side]++] = feature;
        walk_pair(w, next[side]);
        w->count[side]--;
    }
    w->origin[feature] = UNDECIDED;
}

void
interventional_pair_add(const struct forest *f, struct interventional_pair pair, double weight,
                        uint8_t *scratch, double *phi)
{
    struct pair_walk w = {.f = f, .pair = pair, .origin = scratch};
    for (uint32_t t = 0; t < f->trees; t++) {
        w.scale = weight * f->tree_weight[t];
        w.phi = phi + (size_t)f->tree_output[t] * f->features;
        walk_pair(&w, f->tree_start[t]);
    }
}

void
interventional_pair_add_interactions(const struct forest *f, struct interventional_pair pair,
                                     double weight, uint8_t *scratch, double *pairs)
{
    struct pair_walk w = {.f = f, .pair = pair, .origin = scratch};
    for (uint32_t t = 0; t < f->trees; t++) {
        w.scale = weight * f->tree_weight[t];
        w.pairs = pairs + (size_t)f->tree_output[t] * f->features * f->features;
        walk_pair(&w, f->tree_start[t]);
    }
}
