#include "made.h"

#include "model/ranks.h"

#include <math.h>

#define STRIDE 128u

/* A value that is likely to lie on a boundary: thresholds and their neighbours, zeros, infinities,
 * NaN, categories, and numbers between. */
static float
awkward(const struct forest *f, struct rng *g)
{
    const float edges[] = {0.0f,   -0.0f,   INFINITY, -INFINITY, NAN,
                           1e-45f, -1e-45f, 3.4e38f,  -3.4e38f};
    const float t = f->threshold[rng_below(g, f->nodes)];
    switch (rng_below(g, 6)) {
    case 0:
        return edges[rng_below(g, sizeof edges / sizeof *edges)];
    case 1:
        return t;
    case 2:
        return nextafterf(t, INFINITY);
    case 3:
        return nextafterf(t, -INFINITY);
    case 4:
        return (float)rng_below(g, MADE_CATEGORIES + 2);
    default:
        return (float)(3 * rng_normal(g));
    }
}

static void
awkward_rows(const struct forest *f, struct rng *g, float *x, size_t rows)
{
    for (size_t i = 0; i < rows * f->features; i++) {
        x[i] = awkward(f, g);
    }
}

static void
check_law(const struct forest *f, const struct ranks *r, uint32_t first, uint32_t end,
          const float *x, size_t rows, int32_t (*at)(const void *ranks, size_t i),
          const void *ranks)
{
    for (uint32_t n = f->tree_start[first]; n < f->tree_start[end]; n++) {
        for (size_t i = 0; f->left[n] >= 0 && i < rows; i++) {
            const uint32_t next = forest_step(f, n, x[i * f->features + f->feature[n]]);
            const struct ranks_split s = ranks_split(r, n);
            assert_true(s.column < ranks_columns(r));
            assert_int_equal(next == (uint32_t)f->left[n],
                             at(ranks, s.column * STRIDE + i) < s.cut);
        }
    }
}

static int32_t
at8(const void *ranks, size_t i)
{
    return ((const int8_t *)ranks)[i];
}

static int32_t
at16(const void *ranks, size_t i)
{
    return ((const int16_t *)ranks)[i];
}

/* Both ways of making 8-bit ranks and the 16-bit ones, over trees [first, end). */
static void
check_trees(const struct forest *f, uint32_t first, uint32_t end, struct rng *g, size_t rows)
{
    DEFER(ranks_freep) struct ranks *r = NULL;
    DEFER(ranks_freep) struct ranks *wide = NULL;
    assert_ok(ranks_new(f, first, end, false, &r));
    assert_ok(ranks_new(f, first, end, true, &wide));
    const size_t size = (size_t)ranks_columns(r) * STRIDE + 1;
    DEFER(memory_freep) float *x = calloc(rows * f->features + 1, sizeof *x);
    DEFER(memory_freep) int8_t *fast = calloc(size, 1);
    DEFER(memory_freep) int8_t *plain = calloc(size, 1);
    DEFER(memory_freep) int16_t *both = calloc(size, sizeof *both);
    assert_true(x != NULL && fast != NULL && plain != NULL && both != NULL);
    awkward_rows(f, g, x, rows);
    ranks_rows8(r, x, rows, STRIDE, fast);
    ranks_rows8_ref(r, x, rows, STRIDE, plain);
    ranks_rows16(wide, x, rows, STRIDE, both);
    assert_memory_equal(fast, plain, size);
    check_law(f, r, first, end, x, rows, at8, fast);
    check_law(f, wide, first, end, x, rows, at16, both);
}

static void
refuses_more_thresholds_than_a_byte_counts(void **state)
{
    (void)state;
    struct rng g;
    rng_init(&g, 1, "ranks");
    const struct made_recipe r = {.features = 1, .outputs = 1, .trees = 8, .depth = 7};
    DEFER(memory_freep) struct made *m = made_new(&r, &g);
    DEFER(ranks_freep) struct ranks *ranks = NULL;
    assert_status(ranks_new(&m->f, 0, m->f.trees, false, &ranks), LIMIT);
    assert_null(ranks);
    assert_ok(ranks_new(&m->f, 0, m->f.trees, true, &ranks));
}

static void
of_no_trees_has_no_columns(void **state)
{
    (void)state;
    struct rng g;
    rng_init(&g, 2, "ranks");
    const struct made_recipe r = {.features = 3, .outputs = 1, .trees = 2, .depth = 3};
    DEFER(memory_freep) struct made *m = made_new(&r, &g);
    DEFER(ranks_freep) struct ranks *ranks = NULL;
    assert_ok(ranks_new(&m->f, 1, 1, false, &ranks));
    assert_int_equal(ranks_columns(ranks), 0);
    ranks_rows8(ranks, NULL, 0, 0, NULL);
}

static void
splits_trees_where_the_thresholds_stop_fitting(void **state)
{
    (void)state;
    struct rng g;
    rng_init(&g, 3, "ranks");
    const struct made_recipe r = {.features = 2, .outputs = 1, .trees = 8, .depth = 7};
    DEFER(memory_freep) struct made *m = made_new(&r, &g);
    uint32_t first = 0, blocks = 0;
    while (first < m->f.trees) {
        uint32_t end = 0;
        assert_ok(ranks_trees_that_fit(&m->f, first, RANKS_MOST8, &end));
        assert_true(end > first);
        DEFER(ranks_freep) struct ranks *more = NULL;
        if (end < m->f.trees) {
            assert_status(ranks_new(&m->f, first, end + 1, false, &more), LIMIT);
        }
        check_trees(&m->f, first, end, &g, 100);
        first = end;
        blocks++;
    }
    assert_true(blocks > 1);
    uint32_t end = 9;
    assert_ok(ranks_trees_that_fit(&m->f, 0, 3, &end)); /* the first tree alone has more */
    assert_int_equal(end, 0);
}

static void
goes_left_exactly_where_the_forest_does(void **state)
{
    (void)state;
    struct rng g;
    rng_init(&g, 4, "ranks");
    for (uint32_t features = 1; features <= 40; features++) {
        const struct made_recipe r = {.features = features, .outputs = 1, .trees = 3, .depth = 5};
        DEFER(memory_freep) struct made *m = made_new(&r, &g);
        check_trees(&m->f, 0, m->f.trees, &g, 1 + features);
    }
}

static void
goes_left_exactly_where_the_forest_does_with_categories(void **state)
{
    (void)state;
    struct rng g;
    rng_init(&g, 5, "ranks");
    for (int i = 0; i < 20; i++) {
        const struct made_recipe r = {
            .features = 5, .outputs = 2, .trees = 4, .depth = 4, .with_categories = true};
        DEFER(memory_freep) struct made *m = made_new(&r, &g);
        check_trees(&m->f, 0, m->f.trees, &g, 33);
    }
}

/* A chain with `thresholds` splits on one feature: every count of thresholds up to the most, so
 * that groups are full, empty and anything between. */
static void
counts_right_for_any_number_of_thresholds(void **state)
{
    (void)state;
    struct rng g;
    rng_init(&g, 6, "ranks");
    for (uint32_t thresholds = 1; thresholds <= RANKS_MOST8; thresholds++) {
        const struct made_recipe r = {.features = 2, .outputs = 1, .trees = 1, .depth = 0};
        DEFER(memory_freep) struct made *m = made_new(&r, &g);
        uint32_t n = 0;
        for (uint32_t k = 0; k < thresholds; k++) {
            m->feature[n] = 1;
            m->threshold[n] = k == 7 ? 0.0f : (float)rng_normal(&g);
            m->default_left[n] = rng_below(&g, 2) == 1;
            m->left[n] = (int32_t)made_node(m);
            m->right[n] = (int32_t)made_node(m);
            n = (uint32_t)m->right[n];
        }
        m->tree_start[1] = m->f.nodes;
        check_trees(&m->f, 0, 1, &g, 61);
    }
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_more_thresholds_than_a_byte_counts),
        cmocka_unit_test(of_no_trees_has_no_columns),
        cmocka_unit_test(splits_trees_where_the_thresholds_stop_fitting),
        cmocka_unit_test(goes_left_exactly_where_the_forest_does),
        cmocka_unit_test(goes_left_exactly_where_the_forest_does_with_categories),
        cmocka_unit_test(counts_right_for_any_number_of_thresholds),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
