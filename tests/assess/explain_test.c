#include "../model/made.h"

#include "assess/explain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xgboost/c_api.h>

/* ---- the Shapley value by its definition ---- */

static double
known_value(const struct forest *f, uint32_t n, const float *x, uint32_t known)
{
    if (f->left[n] < 0) {
        return f->value[n];
    }
    if ((known >> f->feature[n] & 1) != 0) {
        return known_value(f, forest_step(f, n, x[f->feature[n]]), x, known);
    }
    const uint32_t l = (uint32_t)f->left[n], r = (uint32_t)f->right[n];
    const double all = f->cover[l] + f->cover[r];
    const double share = all > 0.0 ? f->cover[l] / all : 0.5;
    return share * known_value(f, l, x, known) + (1.0 - share) * known_value(f, r, x, known);
}

static double
known_margin(const struct forest *f, uint32_t output, const float *x, uint32_t known)
{
    double sum = f->base[output];
    for (uint32_t t = 0; t < f->trees; t++) {
        if (f->tree_output[t] == output) {
            sum += f->tree_weight[t] * known_value(f, f->tree_start[t], x, known);
        }
    }
    return sum;
}

/* phi_i = sum over S without i of |S|! (M - |S| - 1)! / M! (v(S and i) - v(S)), for every i. */
static void
shapley(const struct forest *f, uint32_t output, const float *x, double *ret_phi)
{
    const uint32_t m = f->features, subsets = UINT32_C(1) << m;
    DEFER(memory_freep) double *v = calloc(subsets, sizeof *v);
    assert_non_null(v);
    for (uint32_t s = 0; s < subsets; s++) {
        v[s] = known_margin(f, output, x, s);
    }
    for (uint32_t i = 0; i < m; i++) {
        ret_phi[i] = 0.0;
        for (uint32_t s = 0; s < subsets; s++) {
            const double size = (double)__builtin_popcount(s);
            if ((s >> i & 1) == 0) {
                ret_phi[i] += exp(lgamma(size + 1) + lgamma(m - size) - lgamma(m + 1.0)) *
                              (v[s | UINT32_C(1) << i] - v[s]);
            }
        }
    }
}

static void
check_additive(const struct forest *f, const float *x, const double *phi, double tolerance)
{
    double expected[MADE_OUTPUTS], margin[MADE_OUTPUTS];
    explain_expected(f, expected);
    forest_margin_ref(f, x, 1, margin);
    for (uint32_t k = 0; k < f->outputs; k++) {
        double sum = expected[k];
        for (uint32_t i = 0; i < f->features; i++) {
            assert_true(isfinite(phi[k * f->features + i]));
            sum += phi[k * f->features + i];
        }
        assert_near(sum, margin[k], tolerance);
    }
}

static void
check_definition(const struct forest *f, uint32_t output, const float *x, const double *phi)
{
    double defined[MADE_FEATURES];
    shapley(f, output, x, defined);
    for (uint32_t i = 0; i < f->features; i++) {
        assert_near(phi[i], defined[i], 1e-11);
    }
}

static void
check_recipe(const struct made_recipe *r, uint64_t seed, size_t forests)
{
    struct rng g;
    rng_init(&g, seed, "explain");
    for (size_t i = 0; i < forests; i++) {
        DEFER(memory_freep) struct made *m = made_new(r, &g);
        float x[MADE_FEATURES];
        double phi[MADE_OUTPUTS * MADE_FEATURES];
        for (int row = 0; row < 4; row++) {
            made_row(r, &g, x);
            assert_ok(explain_rows(&m->f, x, 1, 1, phi));
            check_additive(&m->f, x, phi, 1e-9);
            for (uint32_t k = 0; k < r->outputs; k++) {
                check_definition(&m->f, k, x, phi + k * r->features);
            }
        }
    }
}

static void
equals_every_subset_on_small_trees(void **state)
{
    (void)state;
    const struct made_recipe r = {.features = 6, .outputs = 1, .trees = 3, .depth = 4};
    check_recipe(&r, 1, 40);
}

static void
equals_every_subset_when_features_repeat_on_a_path(void **state)
{
    (void)state;
    const struct made_recipe r = {.features = 2, .outputs = 1, .trees = 2, .depth = 7};
    check_recipe(&r, 2, 40);
    const struct made_recipe one = {.features = 1, .outputs = 1, .trees = 2, .depth = 6};
    check_recipe(&one, 3, 20);
}

static void
equals_every_subset_with_categories_classes_and_dart_weights(void **state)
{
    (void)state;
    const struct made_recipe r = {
        .features = 7, .outputs = 3, .trees = 7, .depth = 4, .with_categories = true, .dart = true};
    check_recipe(&r, 4, 12);
}

static void
equals_every_subset_when_no_training_row_reached_a_node(void **state)
{
    (void)state;
    const struct made_recipe r = {
        .features = 5, .outputs = 1, .trees = 3, .depth = 5, .zero_covers = true};
    check_recipe(&r, 5, 60);
}

/* Covers all 0: every unknown split is halved. */
static void
halves_where_nothing_is_known_of_the_covers(void **state)
{
    (void)state;
    struct rng g;
    rng_init(&g, 6, "explain");
    const struct made_recipe r = {.features = 4, .outputs = 1, .trees = 2, .depth = 4};
    DEFER(memory_freep) struct made *m = made_new(&r, &g);
    memset(m->cover, 0, sizeof m->cover);
    float x[MADE_FEATURES];
    double phi[MADE_FEATURES];
    made_row(&r, &g, x);
    assert_ok(explain_rows(&m->f, x, 1, 1, phi));
    check_additive(&m->f, x, phi, 1e-12);
    check_definition(&m->f, 0, x, phi);
}

/* zero * depth / zero rounds below depth for many shares; dividing by the row's share of 0 then
 * gave NaN for nearly every feature of the demo's model. */
static void
gives_a_number_whatever_the_shares_round_to(void **state)
{
    (void)state;
    struct rng g;
    rng_init(&g, 7, "explain");
    const struct made_recipe r = {.features = 9, .outputs = 1, .trees = 1, .depth = 9};
    float x[MADE_FEATURES];
    double phi[MADE_FEATURES];
    for (int i = 0; i < 200; i++) {
        DEFER(memory_freep) struct made *m = made_new(&r, &g);
        made_row(&r, &g, x);
        assert_ok(explain_rows(&m->f, x, 1, 1, phi));
        check_additive(&m->f, x, phi, 1e-9);
    }
}

/* A tree that is a path of 64 splits, the deepest that the loader takes, with lopsided covers. */
static void
keeps_its_digits_on_the_deepest_path(void **state)
{
    (void)state;
    struct rng g;
    rng_init(&g, 8, "explain");
    const struct made_recipe r = {.features = MADE_FEATURES, .outputs = 1, .trees = 1, .depth = 0};
    DEFER(memory_freep) struct made *m = made_new(&r, &g);
    uint32_t n = 0;
    for (uint32_t depth = 0; depth < FOREST_MAX_DEPTH; depth++) {
        m->feature[n] = depth;
        m->threshold[n] = 0;
        const uint32_t left = made_node(m), right = made_node(m);
        m->left[n] = (int32_t)left;
        m->right[n] = (int32_t)right;
        m->value[left] = rng_normal(&g);
        m->value[right] = rng_normal(&g);
        m->cover[left] = 1e-3 + rng_unit(&g);
        m->cover[right] = 1000;
        n = rng_below(&g, 4) == 0 ? left : right;
    }
    m->f.depth = FOREST_MAX_DEPTH;
    float x[MADE_FEATURES];
    double phi[MADE_FEATURES];
    for (int row = 0; row < 50; row++) {
        made_row(&r, &g, x);
        assert_ok(explain_rows(&m->f, x, 1, 1, phi));
        check_additive(&m->f, x, phi, 1e-9);
    }
}

static void
a_feature_that_no_split_uses_gets_exactly_nothing(void **state)
{
    (void)state;
    struct rng g;
    rng_init(&g, 9, "explain");
    const struct made_recipe r = {.features = 3, .outputs = 1, .trees = 4, .depth = 4};
    DEFER(memory_freep) struct made *m = made_new(&r, &g);
    m->f.features = 5;
    const float x[5] = {1, NAN, -1, 4, 5};
    double phi[5];
    assert_ok(explain_rows(&m->f, x, 1, 1, phi));
    assert_true(phi[3] == 0.0 && phi[4] == 0.0);
    check_additive(&m->f, x, phi, 1e-12);
}

/* ---- against XGBoost's own contributions, from the library that is linked ---- */

#define need(CALL) assert_int_equal((CALL), 0)

enum { ROWS = 600, FEATURES = 6 };

struct peer {
    DMatrixHandle rows;
    BoosterHandle booster;
    float x[ROWS * FEATURES];
    struct forest *f;
};

static void
peer_done(struct peer *p)
{
    (void)XGBoosterFree(p->booster);
    (void)XGDMatrixFree(p->rows);
    forest_free(p->f);
}

static void
peer_data(struct peer *p, bool categories, uint32_t classes)
{
    struct rng g;
    float y[ROWS];
    const char *types[FEATURES] = {categories ? "c" : "q", "q", "q", "q", "q", "q"};
    rng_init(&g, 12, "peer");
    for (size_t i = 0; i < ROWS; i++) {
        float *x = p->x + i * FEATURES;
        for (size_t k = 0; k < FEATURES; k++) {
            x[k] = rng_below(&g, 9) == 0 ? NAN : (float)rng_normal(&g);
        }
        x[0] = categories ? (float)rng_below(&g, 8) : x[0];
        const double score = (isnan(x[1]) ? 0.7 : x[1]) * (isnan(x[2]) ? -1 : x[2]) +
                             (categories && ((int)x[0]) % 3 == 1 ? 1.5 : 0.0) + rng_normal(&g) / 2;
        y[i] = classes == 0 ? (float)(score > 0) : (float)(score < -0.5 ? 0 : score < 0.5 ? 1 : 2);
    }
    need(XGDMatrixCreateFromMat(p->x, ROWS, FEATURES, NAN, &p->rows));
    need(XGDMatrixSetFloatInfo(p->rows, "label", y, ROWS));
    need(XGDMatrixSetStrFeatureInfo(p->rows, "feature_type", types, FEATURES));
}

static void
peer_load(struct peer *p)
{
    bst_ulong size = 0;
    const char *bytes = NULL;
    struct diag diag = {0};
    need(XGBoosterSaveModelToBuffer(p->booster, "{\"format\":\"ubj\"}", &size, &bytes));
    forest_free(p->f);
    p->f = NULL;
    assert_ok(forest_load(view_of(bytes, (size_t)size), &diag, &p->f));
}

/* Counts the covers again, over the first `rows` rows alone. */
static void
peer_refresh(struct peer *p, size_t rows)
{
    DMatrixHandle few = NULL;
    float y[ROWS] = {0, 1, 1};
    need(XGDMatrixCreateFromMat(p->x, rows, FEATURES, NAN, &few));
    need(XGDMatrixSetFloatInfo(few, "label", y, rows));
    bst_ulong size = 0;
    const char *bytes = NULL;
    BoosterHandle again = NULL;
    need(XGBoosterCreate(&few, 1, &again));
    need(XGBoosterSaveModelToBuffer(p->booster, "{\"format\":\"ubj\"}", &size, &bytes));
    need(XGBoosterLoadModelFromBuffer(again, bytes, size));
    need(XGBoosterFree(p->booster));
    p->booster = again;
    need(XGBoosterSetParam(p->booster, "process_type", "update"));
    need(XGBoosterSetParam(p->booster, "updater", "refresh"));
    need(XGBoosterSetParam(p->booster, "refresh_leaf", "0"));
    need(XGBoosterSetParam(p->booster, "verbosity", "0"));
    for (int i = 0; i < 20; i++) {
        need(XGBoosterUpdateOneIter(p->booster, i, few));
    }
    need(XGDMatrixFree(few));
    peer_load(p);
}

static void
peer_train(struct peer *p, const char *const (*settings)[2], bool categories, uint32_t classes)
{
    peer_data(p, categories, classes);
    need(XGBoosterCreate(&p->rows, 1, &p->booster));
    for (; (*settings)[0] != NULL; settings++) {
        need(XGBoosterSetParam(p->booster, (*settings)[0], (*settings)[1]));
    }
    for (int i = 0; i < 20; i++) {
        need(XGBoosterUpdateOneIter(p->booster, i, p->rows));
    }
    peer_load(p);
}

/* On trained models the fast engines keep 2e-6 of the row's largest, and the record 1e-12. */
static void
check_engine(const struct peer *p, enum explain_engine engine, enum explain_precision precision,
             const double *phi, double bound)
{
    const size_t width = (size_t)p->f->outputs * p->f->features;
    struct explainer_options o;
    explainer_defaults(&o);
    o.engine = engine;
    o.precision = precision;
    DEFER(memory_freep) double *again = calloc(ROWS * width, sizeof *again);
    DEFER(explainer_freep) struct explainer *e = NULL;
    assert_non_null(again);
    assert_ok(explainer_new(p->f, &o, &e));
    assert_ok(explainer_rows(e, p->x, ROWS, 2, again));
    for (size_t i = 0; i < ROWS; i++) {
        double most = 0, off = 0;
        for (size_t k = 0; k < width; k++) {
            most = fmax(most, fabs(phi[i * width + k]));
            off = fmax(off, fabs(again[i * width + k] - phi[i * width + k]));
        }
        assert_true(off <= bound * most);
    }
}

/* Type 4: for each row and output a matrix with one more line and column. */
static void
check_pairs(const struct peer *p, double tolerance)
{
    const struct forest *f = p->f;
    const bst_ulong *shape = NULL;
    bst_ulong dim = 0;
    const float *theirs = NULL;
    need(XGBoosterPredictFromDMatrix(p->booster, p->rows,
                                     "{\"type\":4,\"training\":false,\"iteration_begin\":0,"
                                     "\"iteration_end\":0,\"strict_shape\":true}",
                                     &shape, &dim, &theirs));
    const size_t matrices = (size_t)ROWS * f->outputs;
    DEFER(memory_freep)
    double *pairs = calloc(matrices * FEATURES * FEATURES, sizeof *pairs);
    assert_non_null(pairs);
    struct explainer_options o;
    explainer_defaults(&o);
    o.pairs = true;
    DEFER(explainer_freep) struct explainer *e = NULL;
    assert_ok(explainer_new(f, &o, &e));
    assert_ok(explainer_pairs(e, p->x, ROWS, 2, pairs));
    for (size_t i = 0; i < matrices; i++) {
        for (size_t a = 0; a < FEATURES; a++) {
            for (size_t b = 0; b < FEATURES; b++) {
                assert_near(pairs[(i * FEATURES + a) * FEATURES + b],
                            theirs[(i * (FEATURES + 1) + a) * (FEATURES + 1) + b], tolerance);
            }
        }
    }
}

/* type 2 of the prediction: for each row and output the features' contributions, then the bias. */
static void
check_peer(const struct peer *p, double tolerance)
{
    const struct forest *f = p->f;
    const bst_ulong *shape = NULL;
    bst_ulong dim = 0;
    const float *theirs = NULL;
    need(XGBoosterPredictFromDMatrix(p->booster, p->rows,
                                     "{\"type\":2,\"training\":false,\"iteration_begin\":0,"
                                     "\"iteration_end\":0,\"strict_shape\":true}",
                                     &shape, &dim, &theirs));
    const size_t width = (size_t)f->outputs * f->features;
    DEFER(memory_freep) double *phi = calloc(ROWS * width, sizeof *phi);
    double expected[MADE_OUTPUTS];
    assert_non_null(phi);
    assert_ok(explain_rows(f, p->x, ROWS, 2, phi));
    check_engine(p, EXPLAIN_LANES, EXPLAIN_RECORD, phi, 1e-12);
    check_engine(p, EXPLAIN_LANES, EXPLAIN_FAST, phi, 2e-6);
    check_engine(p, EXPLAIN_TABLES, EXPLAIN_FAST, phi, 2e-6);
    explain_expected(f, expected);
    for (size_t i = 0; i < ROWS; i++) {
        check_additive(f, p->x + i * FEATURES, phi + i * width, 1e-9);
        for (size_t k = 0; k < f->outputs; k++) {
            const float *row = theirs + (i * f->outputs + k) * (FEATURES + 1);
            assert_near(row[FEATURES], expected[k], tolerance);
            for (size_t j = 0; j < FEATURES; j++) {
                assert_near(row[j], phi[i * width + k * FEATURES + j], tolerance);
            }
        }
    }
}

static const char *const binary[][2] = {{"objective", "binary:logistic"},
                                        {"tree_method", "hist"},
                                        {"max_depth", "5"},
                                        {"nthread", "1"},
                                        {NULL, NULL}};

static void
equals_the_contributions_that_xgboost_gives(void **state)
{
    (void)state;
    DEFER(peer_done) struct peer p = {0};
    peer_train(&p, binary, false, 0);
    check_peer(&p, 1e-5);
    check_pairs(&p, 1e-5);
}

static void
equals_xgboost_with_categorical_splits(void **state)
{
    (void)state;
    static const char *const settings[][2] = {
        {"objective", "binary:logistic"}, {"tree_method", "hist"}, {"max_depth", "4"},
        {"max_cat_to_onehot", "1"},       {"nthread", "1"},        {NULL, NULL}};
    DEFER(peer_done) struct peer p = {0};
    peer_train(&p, settings, true, 0);
    uint32_t by_category = 0;
    for (uint32_t n = 0; n < p.f->nodes; n++) {
        by_category += p.f->category_count[n] > 1;
    }
    assert_true(by_category > 0);
    check_peer(&p, 1e-5);
    check_pairs(&p, 1e-5);
}

static void
equals_xgboost_for_each_class_of_many(void **state)
{
    (void)state;
    static const char *const settings[][2] = {{"objective", "multi:softprob"},
                                              {"num_class", "3"},
                                              {"tree_method", "hist"},
                                              {"max_depth", "4"},
                                              {"nthread", "1"},
                                              {NULL, NULL}};
    DEFER(peer_done) struct peer p = {0};
    peer_train(&p, settings, false, 3);
    assert_int_equal(p.f->outputs, 3);
    check_peer(&p, 1e-5);
}

static void
equals_xgboost_with_dart_weights(void **state)
{
    (void)state;
    static const char *const settings[][2] = {{"objective", "binary:logistic"},
                                              {"booster", "dart"},
                                              {"rate_drop", "0.3"},
                                              {"tree_method", "hist"},
                                              {"max_depth", "4"},
                                              {"seed", "3"},
                                              {"nthread", "1"},
                                              {NULL, NULL}};
    DEFER(peer_done) struct peer p = {0};
    peer_train(&p, settings, false, 0);
    assert_true(p.f->tree_weight[0] < 1.0);
    check_peer(&p, 1e-5);
}

static size_t
count_empty(const struct forest *f)
{
    size_t empty = 0;
    for (uint32_t n = 0; n < f->nodes; n++) {
        empty += f->cover[n] <= 0.0;
    }
    return empty;
}

/* A child without rows under a parent with some has the share 0. */
static void
equals_xgboost_where_a_child_has_no_cover(void **state)
{
    (void)state;
    static const char *const settings[][2] = {{"objective", "binary:logistic"},
                                              {"tree_method", "hist"},
                                              {"max_depth", "1"},
                                              {"nthread", "1"},
                                              {NULL, NULL}};
    DEFER(peer_done) struct peer p = {0};
    peer_train(&p, settings, false, 0);
    peer_refresh(&p, 3);
    assert_true(count_empty(p.f) > 0);
    check_peer(&p, 1e-5);
}

/* Under a node without rows both children are empty: 0 / 0, on which XGBoost 1.7 aborts. */
static void
gives_numbers_where_a_parent_has_no_cover(void **state)
{
    (void)state;
    DEFER(peer_done) struct peer p = {0};
    peer_train(&p, binary, false, 0);
    peer_refresh(&p, 40);
    assert_true(count_empty(p.f) > 10);
    DEFER(memory_freep) double *phi = calloc(ROWS * FEATURES, sizeof *phi);
    assert_non_null(phi);
    assert_ok(explain_rows(p.f, p.x, ROWS, 2, phi));
    for (size_t i = 0; i < ROWS; i++) {
        check_additive(p.f, p.x + i * FEATURES, phi + i * FEATURES, 1e-9);
        if (i % 50 == 0) {
            check_definition(p.f, 0, p.x + i * FEATURES, phi + i * FEATURES);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(gives_a_number_whatever_the_shares_round_to),
        cmocka_unit_test(equals_every_subset_on_small_trees),
        cmocka_unit_test(equals_every_subset_when_features_repeat_on_a_path),
        cmocka_unit_test(equals_every_subset_with_categories_classes_and_dart_weights),
        cmocka_unit_test(equals_every_subset_when_no_training_row_reached_a_node),
        cmocka_unit_test(halves_where_nothing_is_known_of_the_covers),
        cmocka_unit_test(keeps_its_digits_on_the_deepest_path),
        cmocka_unit_test(a_feature_that_no_split_uses_gets_exactly_nothing),
        cmocka_unit_test(equals_the_contributions_that_xgboost_gives),
        cmocka_unit_test(equals_xgboost_with_categorical_splits),
        cmocka_unit_test(equals_xgboost_for_each_class_of_many),
        cmocka_unit_test(equals_xgboost_with_dart_weights),
        cmocka_unit_test(equals_xgboost_where_a_child_has_no_cover),
        cmocka_unit_test(gives_numbers_where_a_parent_has_no_cover),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
