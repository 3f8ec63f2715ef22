/* The engines against the plain one (which explain_test.c holds against the definition), each other
 * and themselves. */
#include "../model/made.h"

#include "assess/explain.h"
#include "assess/explain_lanes.h"

#include <math.h>

/* |a - b| at most `bound` of the largest |b|, or of `scale` where that is larger. */
static void
check_close(const double *a, const double *b, size_t n, double scale, double bound)
{
    double most = scale, off = 0.0;
    for (size_t i = 0; i < n; i++) {
        assert_true(isfinite(a[i]));
        most = fmax(most, fabs(b[i]));
        off = fmax(off, fabs(a[i] - b[i]));
    }
    assert_true(off <= bound * most);
}

/* What the trees can add at most: values made at random cancel each other to any degree, and floats
 * keep digits of what cancels. (On trained models nothing is forgiven: explain_peer_test.c.) */
static double
forest_scale(const struct forest *f)
{
    double sum = 0.0;
    for (uint32_t t = 0; t < f->trees; t++) {
        double most = 0.0;
        for (uint32_t n = f->tree_start[t]; n < f->tree_start[t + 1]; n++) {
            most = fmax(most, fabs(f->value[n]));
        }
        sum += f->tree_weight[t] * most;
    }
    return sum / f->outputs;
}

/* One or two rows, which lanes explain one by one, have the digits that they have among others. */
static void
check_few(const struct explainer *e, const struct forest *f, const float *x, size_t of,
          const double *phi)
{
    const size_t width = (size_t)f->outputs * f->features;
    DEFER(memory_freep) double *few = calloc(2 * width, sizeof *few);
    assert_non_null(few);
    for (size_t i = 0; i < 8 && i + 1 < of; i++) {
        const size_t rows = 1 + i % 2;
        assert_ok(explainer_rows(e, x + i * f->features, rows, 1, few));
        assert_memory_equal(few, phi + i * width, rows * width * sizeof *few);
    }
}

static void
explain_with(const struct forest *f, const struct explainer_options *o, const float *x, size_t rows,
             double *ret_phi)
{
    DEFER(explainer_freep) struct explainer *e = NULL;
    assert_ok(explainer_new(f, o, &e));
    assert_int_equal(explainer_engine(e), o->engine);
    assert_ok(explainer_rows(e, x, rows, 1, ret_phi));
    check_few(e, f, x, rows, ret_phi);
}

#define ROWS 37u

/* Both precisions of an engine against the plain one, with and without AVX2: the same digits. */
static void
check_engine(const struct forest *f, enum explain_engine engine, const float *x)
{
    const size_t width = (size_t)f->outputs * f->features, n = ROWS * width;
    DEFER(memory_freep) double *plain = calloc(n, sizeof *plain);
    DEFER(memory_freep) double *phi = calloc(n, sizeof *phi);
    DEFER(memory_freep) double *portable = calloc(n, sizeof *portable);
    assert_true(plain != NULL && phi != NULL && portable != NULL);
    assert_ok(explain_rows(f, x, ROWS, 1, plain));
    for (int record = 0; record <= (engine == EXPLAIN_LANES); record++) {
        struct explainer_options o;
        explainer_defaults(&o);
        o.engine = engine;
        o.precision = record ? EXPLAIN_RECORD : EXPLAIN_FAST;
        explain_with(f, &o, x, ROWS, phi);
        o.portable = true;
        explain_with(f, &o, x, ROWS, portable);
        assert_memory_equal(phi, portable, n * sizeof *phi);
        for (size_t i = 0; i < ROWS; i++) {
            check_close(phi + i * width, plain + i * width, width, record ? 0.0 : forest_scale(f),
                        record ? 1e-12 : 2e-6);
        }
    }
}

static void
check_recipe(const struct made_recipe *r, uint64_t seed, size_t forests, enum explain_engine engine)
{
    struct rng g;
    rng_init(&g, seed, "explainer");
    for (size_t i = 0; i < forests; i++) {
        DEFER(memory_freep) struct made *m = made_new(r, &g);
        float x[ROWS * MADE_FEATURES];
        for (size_t row = 0; row < ROWS; row++) {
            made_row(r, &g, x + row * r->features);
        }
        check_engine(&m->f, engine, x);
    }
}

static const struct made_recipe recipes[] = {
    {.features = 6, .outputs = 1, .trees = 3, .depth = 4},
    {.features = 2, .outputs = 1, .trees = 2, .depth = 8},
    {.features = 1, .outputs = 1, .trees = 8, .depth = 6},
    {.features = 7, .outputs = 3, .trees = 7, .depth = 4, .with_categories = true, .dart = true},
    {.features = 5, .outputs = 2, .trees = 5, .depth = 6, .zero_covers = true},
    {.features = 40, .outputs = 1, .trees = 8, .depth = 7, .with_categories = true},
    {.features = 9, .outputs = 1, .trees = 4, .depth = 9, .zero_covers = true},
    {.features = 3, .outputs = 1, .trees = 2, .depth = 0},
    {.features = 64, .outputs = 1, .trees = 3, .depth = 1, .dart = true},
};

static void
lanes_equal_the_plain_engine_on_random_forests(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
        check_recipe(&recipes[i], 1 + i, 8, EXPLAIN_LANES);
    }
}

/* A path of `depth` splits with a leaf beside each, features drawn from `features`. */
static struct made *
deep_forest(uint32_t depth, uint32_t features, bool zero_covers, struct rng *g)
{
    const struct made_recipe r = {.features = features, .outputs = 1, .trees = 1, .depth = 0};
    struct made *m = made_new(&r, g);
    uint32_t n = 0;
    for (uint32_t d = 0; d < depth; d++) {
        m->feature[n] = depth <= features ? d : (uint32_t)rng_below(g, features);
        m->threshold[n] = (float)rng_normal(g);
        m->default_left[n] = rng_below(g, 2) == 1;
        const uint32_t left = made_node(m), right = made_node(m);
        m->left[n] = (int32_t)left;
        m->right[n] = (int32_t)right;
        m->value[left] = rng_normal(g);
        m->value[right] = rng_normal(g);
        const bool down = rng_below(g, 2) == 1;
        m->cover[down ? left : right] = 100.0 / (d + 1);
        m->cover[down ? right : left] = zero_covers && rng_below(g, 4) == 0 ? 0.0 : rng_unit(g);
        n = down ? left : right;
    }
    m->tree_start[1] = m->f.nodes;
    m->f.depth = depth;
    return m;
}

static void
lanes_equal_the_plain_engine_at_any_depth(void **state)
{
    (void)state;
    struct rng g;
    rng_init(&g, 20, "explainer");
    for (uint32_t depth = 1; depth <= FOREST_MAX_DEPTH; depth++) {
        const struct made_recipe r = {.features = depth % 2 == 0 ? 64 : depth / 2 + 1};
        for (int zero = 0; zero < 2; zero++) {
            DEFER(memory_freep) struct made *m = deep_forest(depth, r.features, zero == 1, &g);
            float x[ROWS * MADE_FEATURES];
            for (size_t row = 0; row < ROWS; row++) {
                made_row(&r, &g, x + row * r.features);
            }
            check_engine(&m->f, EXPLAIN_LANES, x);
        }
    }
}

/* More nodes than single rows have places for: they go through a group then. */
static void
lanes_equal_the_plain_engine_on_a_large_tree(void **state)
{
    (void)state;
    const struct made_recipe r = {.features = 9, .outputs = 1, .trees = 1, .depth = 0};
    struct rng g;
    rng_init(&g, 21, "explainer");
    DEFER(memory_freep) struct made *m = made_new(&r, &g);
    float x[ROWS * MADE_FEATURES];
    for (uint32_t n = 0; m->f.nodes + 2 <= MADE_NODES; n++) {
        const uint32_t left = made_node(m), right = made_node(m);
        m->feature[n] = (uint32_t)rng_below(&g, r.features);
        m->threshold[n] = (float)rng_normal(&g);
        m->left[n] = (int32_t)left;
        m->right[n] = (int32_t)right;
        m->value[left] = rng_normal(&g);
        m->value[right] = rng_normal(&g);
        m->cover[left] = m->cover[n] * 0.3;
        m->cover[right] = m->cover[n] * 0.7;
    }
    m->tree_start[1] = m->f.nodes;
    m->f.depth = 11;
    for (size_t row = 0; row < ROWS; row++) {
        made_row(&r, &g, x + row * r.features);
    }
    check_engine(&m->f, EXPLAIN_LANES, x);
}

static void
tables_equal_the_plain_engine_on_random_forests(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
        if (recipes[i].depth <= 8) {
            check_recipe(&recipes[i], 60 + i, 8, EXPLAIN_TABLES);
        }
    }
}

/* A path with nine features is one more than a pattern has bits for. */
static void
tables_refuse_long_paths_little_memory_and_records(void **state)
{
    (void)state;
    struct rng g;
    rng_init(&g, 50, "explainer");
    struct explainer_options o;
    explainer_defaults(&o);
    o.engine = EXPLAIN_TABLES;
    DEFER(explainer_freep) struct explainer *e = NULL;
    DEFER(memory_freep) struct made *deep = deep_forest(20, 64, false, &g);
    assert_status(explainer_new(&deep->f, &o, &e), UNSUPPORTED);
    const struct made_recipe r = {.features = 6, .outputs = 1, .trees = 3, .depth = 5};
    DEFER(memory_freep) struct made *m = made_new(&r, &g);
    o.table_bytes_max = 1000;
    assert_status(explainer_new(&m->f, &o, &e), LIMIT);
    o.table_bytes_max = 1 << 20;
    o.precision = EXPLAIN_RECORD;
    assert_status(explainer_new(&m->f, &o, &e), UNSUPPORTED);
    assert_null(e);
}

static void
the_engine_follows_the_rows_the_memory_and_the_depth(void **state)
{
    (void)state;
    struct rng g;
    rng_init(&g, 51, "explainer");
    const struct made_recipe r = {.features = 30, .outputs = 1, .trees = 8, .depth = 6};
    DEFER(memory_freep) struct made *m = made_new(&r, &g);
    DEFER(memory_freep) struct made *deep = deep_forest(20, 64, false, &g);
    const struct {
        const struct forest *f;
        size_t rows, bytes;
        enum explain_precision precision;
        enum explain_engine engine;
    } cases[] = {
        {&m->f, 10000000, SIZE_MAX, EXPLAIN_FAST, EXPLAIN_TABLES},
        {&m->f, 1, SIZE_MAX, EXPLAIN_FAST, EXPLAIN_LANES},
        {&m->f, 10000000, 1000, EXPLAIN_FAST, EXPLAIN_LANES},
        {&m->f, 10000000, SIZE_MAX, EXPLAIN_RECORD, EXPLAIN_LANES},
        {&deep->f, 10000000, SIZE_MAX, EXPLAIN_FAST, EXPLAIN_LANES},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct explainer_options o;
        explainer_defaults(&o);
        o.expected_rows = cases[i].rows;
        o.table_bytes_max = cases[i].bytes;
        o.precision = cases[i].precision;
        DEFER(explainer_freep) struct explainer *e = NULL;
        assert_ok(explainer_new(cases[i].f, &o, &e));
        assert_int_equal(explainer_engine(e), cases[i].engine);
    }
}

/* The rule integrates every power of t up to 2 K - 1. */
static void
the_quadrature_is_exact_for_polynomials(void **state)
{
    (void)state;
    double t[LANES_NODES_MAX], rest[LANES_NODES_MAX], weight[LANES_NODES_MAX];
    for (uint32_t n = 1; n <= LANES_NODES_MAX; n++) {
        lanes_gauss(n, t, rest, weight);
        for (uint32_t power = 0; power < 2 * n; power++) {
            double sum = 0.0, mirrored = 0.0;
            for (uint32_t k = 0; k < n; k++) {
                assert_near(t[k] + rest[k], 1.0, 1e-15);
                sum += weight[k] * pow(t[k], power);
                mirrored += weight[k] * pow(rest[k], power);
            }
            assert_near(sum, 1.0 / (power + 1.0), 1e-14);
            assert_near(mirrored, 1.0 / (power + 1.0), 1e-14);
        }
    }
}

/* ---- laws ---- */

/* A second tree that is the first with features 0 and 1 in each other's place. */
static void
add_mirror(struct made *m)
{
    const uint32_t nodes = m->f.nodes;
    for (uint32_t n = 0; n < nodes; n++) {
        const uint32_t to = made_node(m);
        m->feature[to] = m->feature[n] < 2 ? 1 - m->feature[n] : m->feature[n];
        m->threshold[to] = m->threshold[n];
        m->default_left[to] = m->default_left[n];
        m->value[to] = m->value[n];
        m->cover[to] = m->cover[n];
        m->left[to] = m->left[n] < 0 ? -1 : m->left[n] + (int32_t)nodes;
        m->right[to] = m->right[n] < 0 ? -1 : m->right[n] + (int32_t)nodes;
    }
    m->tree_start[1] = nodes;
    m->tree_start[2] = m->f.nodes;
    m->tree_weight[1] = 1.0;
    m->f.trees = 2;
}

/* Features that the forest treats alike and that are alike in the row have the same attribution;
 * one that no split uses has exactly none; all of them and the expected value are the margin. */
static void
attributions_are_symmetric_spare_the_dummy_and_add_up(void **state)
{
    (void)state;
    struct rng g;
    rng_init(&g, 70, "explainer");
    const enum explain_engine engines[] = {EXPLAIN_LANES, EXPLAIN_TABLES};
    for (int i = 0; i < 40; i++) {
        const struct made_recipe r = {.features = 5, .outputs = 1, .trees = 1, .depth = 6};
        DEFER(memory_freep) struct made *m = made_new(&r, &g);
        add_mirror(m);
        m->f.features = 6;
        float x[6];
        double phi[6], expected = 0, margin = 0;
        made_row(&r, &g, x);
        x[1] = x[0];
        x[5] = 1.0f;
        explain_expected(&m->f, &expected);
        forest_margin_ref(&m->f, x, 1, &margin);
        for (size_t k = 0; k < 2; k++) {
            struct explainer_options o;
            explainer_defaults(&o);
            o.engine = engines[k];
            o.precision = o.engine == EXPLAIN_LANES ? EXPLAIN_RECORD : EXPLAIN_FAST;
            const double bound = (o.engine == EXPLAIN_LANES ? 1e-12 : 2e-6) * forest_scale(&m->f);
            explain_with(&m->f, &o, x, 1, phi);
            assert_near(phi[0], phi[1], bound);
            assert_true(phi[5] == 0.0);
            assert_near(expected + phi[0] + phi[1] + phi[2] + phi[3] + phi[4], margin, 2 * bound);
        }
    }
}

/* ---- pairs ---- */

static double
known_value(const struct forest *f, uint32_t n, const float *x, uint32_t known)
{
    if (f->left[n] < 0) {
        return f->value[n];
    }
    if ((known >> f->feature[n] & 1) != 0) {
        return known_value(f, forest_step(f, n, x[f->feature[n]]), x, known);
    }
    const double share = explain_left_share(f, n);
    return share * known_value(f, (uint32_t)f->left[n], x, known) +
           (1.0 - share) * known_value(f, (uint32_t)f->right[n], x, known);
}

/* Half of the Shapley interaction index by its definition: the sum over subsets S without i and j
 * of |S|! (M - |S| - 2)! / (M - 1)! (v(S i j) - v(S i) - v(S j) + v(S)). v: by subset. */
static double
defined_pair(const double *v, uint32_t m, uint32_t i, uint32_t j)
{
    const uint32_t a = UINT32_C(1) << i, b = UINT32_C(1) << j;
    double sum = 0.0;
    for (uint32_t s = 0; s < UINT32_C(1) << m; s++) {
        const double size = (double)__builtin_popcount(s);
        if ((s & (a | b)) == 0) {
            sum += exp(lgamma(size + 1) + lgamma(m - size - 1) - lgamma(m)) *
                   (v[s | a | b] - v[s | a] - v[s | b] + v[s]);
        }
    }
    return 0.5 * sum;
}

static void
check_pairs(const struct forest *f, const float *x, const double *pairs, const double *phi)
{
    const uint32_t m = f->features;
    DEFER(memory_freep) double *v = calloc((size_t)1 << m, sizeof *v);
    assert_non_null(v);
    for (uint32_t o = 0; o < f->outputs; o++) {
        const double *matrix = pairs + (size_t)o * m * m;
        for (uint32_t s = 0; s < UINT32_C(1) << m; s++) {
            v[s] = 0.0;
            for (uint32_t t = 0; t < f->trees; t++) {
                v[s] += f->tree_output[t] == o
                            ? f->tree_weight[t] * known_value(f, f->tree_start[t], x, s)
                            : 0.0;
            }
        }
        for (uint32_t i = 0; i < m; i++) {
            double sum = 0.0;
            for (uint32_t j = 0; j < m; j++) {
                sum += matrix[i * m + j];
                assert_true(matrix[i * m + j] == matrix[j * m + i]);
                if (i != j) {
                    assert_near(matrix[i * m + j], defined_pair(v, m, i, j), 1e-11);
                }
            }
            assert_near(sum, phi[o * m + i], 1e-11);
        }
    }
}

static void
pairs_equal_every_subset_and_sum_to_the_attributions(void **state)
{
    (void)state;
    static const struct made_recipe small[] = {
        {.features = 6, .outputs = 1, .trees = 3, .depth = 4},
        {.features = 2, .outputs = 1, .trees = 2, .depth = 7},
        {.features = 7,
         .outputs = 3,
         .trees = 7,
         .depth = 4,
         .with_categories = true,
         .dart = true},
        {.features = 5, .outputs = 1, .trees = 3, .depth = 5, .zero_covers = true},
        {.features = 8, .outputs = 1, .trees = 2, .depth = 8},
    };
    enum { FEW = 6 };
    struct rng g;
    rng_init(&g, 30, "explainer");
    for (size_t i = 0; i < 4 * sizeof small / sizeof *small; i++) {
        const struct made_recipe *r = &small[i / 4];
        DEFER(memory_freep) struct made *m = made_new(r, &g);
        const size_t width = (size_t)r->outputs * r->features;
        float x[FEW * MADE_FEATURES];
        double phi[FEW * 24], pairs[FEW * 24 * 8], portable[FEW * 24 * 8];
        for (size_t row = 0; row < FEW; row++) {
            made_row(r, &g, x + row * r->features);
        }
        struct explainer_options o;
        explainer_defaults(&o);
        o.pairs = true;
        DEFER(explainer_freep) struct explainer *e = NULL;
        DEFER(explainer_freep) struct explainer *plain = NULL;
        assert_ok(explainer_new(&m->f, &o, &e));
        o.portable = true;
        assert_ok(explainer_new(&m->f, &o, &plain));
        assert_ok(explainer_pairs(e, x, FEW, 1 + (unsigned)i % 3, pairs));
        assert_ok(explainer_pairs(plain, x, FEW, 1, portable));
        assert_memory_equal(pairs, portable, FEW * width * r->features * sizeof *pairs);
        assert_ok(explain_rows(&m->f, x, FEW, 1, phi));
        for (size_t row = 0; row < FEW; row++) {
            check_pairs(&m->f, x + row * r->features, pairs + row * width * r->features,
                        phi + row * width);
        }
    }
}

/* ---- many rows ---- */

enum { MANY = 3000 };

static float *
many_rows(const struct made_recipe *r, struct rng *g)
{
    float *x = calloc((size_t)MANY * r->features, sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < MANY; i++) {
        made_row(r, g, x + i * r->features);
    }
    return x;
}

/* Also: a row alone has the digits that it has among others. */
static void
check_threads(enum explain_engine engine)
{
    struct rng g;
    rng_init(&g, 40, "explainer");
    const struct made_recipe r = {
        .features = 6, .outputs = 2, .trees = 6, .depth = 5, .with_categories = true};
    DEFER(memory_freep) struct made *m = made_new(&r, &g);
    DEFER(memory_freep) float *x = many_rows(&r, &g);
    const size_t n = (size_t)MANY * 12;
    DEFER(memory_freep) double *one = calloc(n, sizeof *one);
    DEFER(memory_freep) double *more = calloc(n, sizeof *more);
    DEFER(memory_freep) float *single = calloc(n, sizeof *single);
    assert_true(one != NULL && more != NULL && single != NULL);
    struct explainer_options o;
    explainer_defaults(&o);
    o.engine = engine;
    o.threads = 1;
    DEFER(explainer_freep) struct explainer *e = NULL;
    assert_ok(explainer_new(&m->f, &o, &e));
    assert_ok(explainer_rows(e, x, MANY, 1, one));
    for (o.threads = 2; o.threads <= 4; o.threads++) {
        DEFER(explainer_freep) struct explainer *made_by_more = NULL;
        assert_ok(explainer_new(&m->f, &o, &made_by_more));
        assert_ok(explainer_rows(made_by_more, x, MANY, o.threads, more));
        assert_memory_equal(one, more, n * sizeof *one);
    }
    assert_ok(explainer_rows_float(e, x, MANY, 0, single));
    for (size_t i = 0; i < n; i++) {
        assert_true(single[i] == (float)one[i]);
    }
    for (size_t i = 0; i < MANY; i += 311) {
        double alone[12];
        assert_ok(explainer_rows(e, x + i * r.features, 1, 1, alone));
        assert_memory_equal(alone, one + i * 12, sizeof alone);
    }
}

static void
lanes_give_the_same_digits_for_any_number_of_threads(void **state)
{
    (void)state;
    check_threads(EXPLAIN_LANES);
}

static void
tables_give_the_same_digits_for_any_number_of_threads(void **state)
{
    (void)state;
    check_threads(EXPLAIN_TABLES);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(tables_refuse_long_paths_little_memory_and_records),
        cmocka_unit_test(the_engine_follows_the_rows_the_memory_and_the_depth),
        cmocka_unit_test(the_quadrature_is_exact_for_polynomials),
        cmocka_unit_test(lanes_equal_the_plain_engine_on_random_forests),
        cmocka_unit_test(lanes_equal_the_plain_engine_at_any_depth),
        cmocka_unit_test(lanes_equal_the_plain_engine_on_a_large_tree),
        cmocka_unit_test(tables_equal_the_plain_engine_on_random_forests),
        cmocka_unit_test(tables_give_the_same_digits_for_any_number_of_threads),
        cmocka_unit_test(lanes_give_the_same_digits_for_any_number_of_threads),
        cmocka_unit_test(attributions_are_symmetric_spare_the_dummy_and_add_up),
        cmocka_unit_test(pairs_equal_every_subset_and_sum_to_the_attributions),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
