#include "made.h"

#include <math.h>

uint32_t
made_node(struct made *m)
{
    assert_true(m->f.nodes < MADE_NODES);
    m->left[m->f.nodes] = m->right[m->f.nodes] = -1;
    return m->f.nodes++;
}

static void
make_split(struct made *m, const struct made_recipe *r, struct rng *g, uint32_t n)
{
    m->feature[n] = (uint32_t)rng_below(g, r->features);
    m->threshold[n] = (float)(4.0 * rng_unit(g) - 2.0);
    m->default_left[n] = rng_below(g, 2) == 1;
    if (!r->with_categories || m->feature[n] % 3 != 0) {
        return;
    }
    m->category_start[n] = m->categories_used;
    for (uint32_t c = 0; c < MADE_CATEGORIES; c++) {
        if (rng_below(g, 2) == 1) {
            m->categories[m->categories_used++] = c;
            m->category_count[n]++;
        }
    }
}

/* Children of n down to the depth; covers are summed upwards from the leaves. */
static void
grow(struct made *m, const struct made_recipe *r, struct rng *g, uint32_t n, uint32_t depth)
{
    if (depth == r->depth || (depth > 0 && rng_below(g, 8) == 0)) {
        m->value[n] = 2.0 * rng_unit(g) - 1.0;
        m->cover[n] = r->zero_covers && rng_below(g, 5) == 0 ? 0.0 : 1.0 + 50.0 * rng_unit(g);
        m->f.depth = depth > m->f.depth ? depth : m->f.depth;
        return;
    }
    make_split(m, r, g, n);
    const uint32_t left = made_node(m), right = made_node(m);
    m->left[n] = (int32_t)left;
    m->right[n] = (int32_t)right;
    grow(m, r, g, left, depth + 1);
    grow(m, r, g, right, depth + 1);
    m->cover[n] = m->cover[left] + m->cover[right];
}

struct made *
made_new(const struct made_recipe *r, struct rng *g)
{
    struct made *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->f = (struct forest){.features = r->features, .outputs = r->outputs, .trees = r->trees};
    for (uint32_t k = 0; k < r->outputs; k++) {
        m->base[k] = rng_normal(g);
    }
    for (uint32_t t = 0; t < r->trees; t++) {
        m->tree_output[t] = t % r->outputs;
        m->tree_weight[t] = r->dart ? rng_unit(g) : 1.0;
        m->tree_start[t] = made_node(m);
        grow(m, r, g, m->tree_start[t], 0);
    }
    m->tree_start[r->trees] = m->f.nodes;
    struct forest *f = &m->f;
    f->base = m->base;
    f->tree_start = m->tree_start;
    f->tree_output = m->tree_output;
    f->tree_weight = m->tree_weight;
    f->left = m->left;
    f->right = m->right;
    f->feature = m->feature;
    f->threshold = m->threshold;
    f->default_left = m->default_left;
    f->value = m->value;
    f->cover = m->cover;
    f->category_start = m->category_start;
    f->category_count = m->category_count;
    f->categories = m->categories;
    return m;
}

void
made_row(const struct made_recipe *r, struct rng *g, float *x)
{
    for (uint32_t i = 0; i < r->features; i++) {
        const bool category = r->with_categories && i % 3 == 0;
        x[i] = category ? (float)rng_below(g, MADE_CATEGORIES + 1) : (float)rng_normal(g);
        x[i] = rng_below(g, 6) == 0 ? NAN : x[i];
    }
}
