#include "testing/testing.h"

#include "base/text.h"
#include "model/forest.h"
#include "model/peer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MARGIN 1e-6 /* the promise: our margin is XGBoost's to this, over |margin| above 1 */

static struct forest *
load(const struct buf *model)
{
    struct diag diag = {0};
    struct forest *f = NULL;
    const struct status s = forest_load(buf_view(model), &diag, &f);
    if (!status_ok(s)) {
        print_error("%s\n", diag.text);
    }
    assert_ok(s);
    return f;
}

static double
tolerance(double margin)
{
    return MARGIN * fmax(1, fabs(margin));
}

/* ---- XGBoost as linked, on models that it trains here ---- */

/* Missing everywhere, categories that no row had, and every threshold of the model itself, where
 * `<` and `<=` part. */
static void
add_edges(struct rows *r, const struct forest *f)
{
    static const float odd[] = {NAN, -1, 0.5f, 25, 16777215, 16777216, 3e9f, -0.0f};
    const size_t k = sizeof odd / sizeof *odd;
    assert_true(r->count > f->nodes + k);
    for (size_t i = 0; i < k; i++) {
        r->x[i * r->features] = odd[i];
    }
    for (size_t j = 0; j < r->features; j++) {
        r->x[k * r->features + j] = NAN;
    }
    for (uint32_t n = 0; n < f->nodes; n++) {
        if (f->left[n] >= 0 && f->category_count[n] == 0) {
            r->x[(k + 1 + n) % r->count * r->features + f->feature[n]] = f->threshold[n];
        }
    }
}

static void
equal_margins(const struct forest *f, struct peer *peer, const struct rows *r)
{
    const size_t n = r->count * f->outputs;
    float *theirs = calloc(n, sizeof *theirs);
    double *ours = calloc(n, sizeof *ours);
    assert_true(theirs != NULL && ours != NULL);
    peer_predict(peer, r, true, f->outputs, theirs);
    forest_margin(f, r->x, r->count, 1, ours);
    for (size_t i = 0; i < n; i++) {
        assert_near(ours[i], (double)theirs[i], tolerance(ours[i]));
    }
    /* multi:softmax answers with the class, every other with what the link gives */
    if (strcmp(f->objective, "multi:softmax") != 0) {
        peer_predict(peer, r, false, f->outputs, theirs);
        forest_link_apply(f, ours, r->count);
        for (size_t i = 0; i < n; i++) {
            assert_near(ours[i], (double)theirs[i], tolerance(ours[i]));
        }
    }
    free(theirs);
    free(ours);
}

/* Covers are loaded right: two children's sum is the parent's, up to the floats in the file. */
static void
children_cover_their_parent(const struct forest *f)
{
    for (uint32_t n = 0; n < f->nodes; n++) {
        if (f->left[n] >= 0) {
            const double sum = f->cover[f->left[n]] + f->cover[f->right[n]];
            assert_true(f->cover[n] > 0);
            assert_near(sum, f->cover[n], 1e-5 * f->cover[n]);
        }
    }
}

/* The order that forest.h promises to those who walk the arrays. */
static void
siblings_are_neighbours_below_their_parent(const struct forest *f)
{
    for (uint32_t t = 0; t < f->trees; t++) {
        for (uint32_t n = f->tree_start[t]; n < f->tree_start[t + 1]; n++) {
            if (f->left[n] >= 0) {
                assert_true((uint32_t)f->left[n] > n);
                assert_int_equal(f->right[n], f->left[n] + 1);
                assert_true((uint32_t)f->right[n] < f->tree_start[t + 1]);
            }
        }
    }
}

static void
equal_arrays(const struct forest *a, const struct forest *b)
{
    assert_int_equal(a->nodes, b->nodes);
    assert_int_equal(a->trees, b->trees);
    assert_int_equal(a->depth, b->depth);
    assert_memory_equal(a->base, b->base, a->outputs * sizeof *a->base);
    assert_memory_equal(a->step, b->step, a->nodes * sizeof *a->step);
    assert_memory_equal(a->value, b->value, a->nodes * sizeof *a->value);
    assert_memory_equal(a->cover, b->cover, a->nodes * sizeof *a->cover);
    assert_memory_equal(a->tree_weight, b->tree_weight, a->trees * sizeof *a->tree_weight);
    for (uint32_t n = 0; n < a->nodes; n++) {
        assert_int_equal(a->category_count[n], b->category_count[n]);
        for (uint32_t i = 0; i < a->category_count[n]; i++) {
            assert_int_equal(a->categories[a->category_start[n] + i],
                             b->categories[b->category_start[n] + i]);
        }
    }
}

static bool
has_categories(const struct forest *f)
{
    for (uint32_t n = 0; n < f->nodes; n++) {
        if (f->category_count[n] > 0) {
            return true;
        }
    }
    return false;
}

/* Depth of the trees that were compared. */
static uint32_t
compare(struct rows *r, bool categories, const char *const parameters[])
{
    print_message("# %s\n", parameters[1]);
    DEFER(peer_freep) struct peer *peer = peer_train(r, categories, 6, parameters);
    DEFER(buf_done) struct buf json = {0};
    DEFER(buf_done) struct buf ubj = {0};
    peer_save(peer, "json", &json);
    peer_save(peer, "ubj", &ubj);
    DEFER(forest_freep) struct forest *f = load(&json);
    DEFER(forest_freep) struct forest *g = load(&ubj);
    assert_int_equal(has_categories(f), categories);
    equal_arrays(f, g);
    children_cover_their_parent(f);
    siblings_are_neighbours_below_their_parent(f);
    struct rows edges;
    rows_make(&edges, 2000, r->features, 77);
    add_edges(&edges, f);
    equal_margins(f, peer, &edges);
    rows_done(&edges);
    return f->depth;
}

/* Labels that the objective takes. */
static void
set_labels(struct rows *r, const char *objective)
{
    for (size_t i = 0; i < r->count; i++) {
        const float u = 0.25f * (r->x[i * r->features + 2] + r->x[(i + 1) * r->features - 1]);
        if (strncmp(objective, "multi:", 6) == 0) {
            r->y[i] += r->x[i * r->features + 2] > 2 ? 1 : 0;
        } else if (strcmp(objective, "reg:logistic") == 0) {
            r->y[i] = 0.3f * r->y[i] + 0.2f;
        } else if (strncmp(objective, "reg:", 4) == 0) {
            r->y[i] += fabsf(u) + 0.1f;
        }
    }
}

static void
compare_objective(const char *objective, const char *base, bool categories, const char *booster)
{
    const bool classes = strncmp(objective, "multi:", 6) == 0;
    const char *const parameters[] = {"objective",
                                      objective,
                                      "base_score",
                                      base,
                                      "max_depth",
                                      "4",
                                      "eta",
                                      "0.3",
                                      "min_child_weight", /* small: ranking's hessians are */
                                      "1e-3",
                                      "booster",
                                      booster,
                                      "seed",
                                      "3",
                                      strcmp(booster, "dart") == 0 ? "rate_drop" : "gamma",
                                      strcmp(booster, "dart") == 0 ? "0.4" : "0",
                                      classes ? "num_class" : NULL,
                                      "3",
                                      NULL};
    struct rows r;
    rows_make(&r, 1000, 6, 5);
    set_labels(&r, objective);
    assert_int_equal(compare(&r, categories, parameters), 4);
    rows_done(&r);
}

static const struct {
    const char *name, *base;
} objectives[] = {
    {"binary:logistic", "0.3"},     {"reg:logistic", "0.4"},         {"binary:logitraw", "0.2"},
    {"multi:softprob", "0.5"},      {"multi:softmax", "0.7"},        {"count:poisson", "0.8"},
    {"reg:gamma", "1.7"},           {"reg:tweedie", "0.6"},          {"reg:squarederror", "-1.25"},
    {"reg:squaredlogerror", "0.5"}, {"reg:pseudohubererror", "0.9"}, {"reg:absoluteerror", "0.1"},
    {"rank:pairwise", "0.5"},       {"rank:ndcg", "0.25"},           {"rank:map", "0.5"},
};

static void
every_objective_equals_xgboost(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof objectives / sizeof *objectives; i++) {
        compare_objective(objectives[i].name, objectives[i].base, false, "gbtree");
    }
}

static void
every_objective_with_categories_equals_xgboost(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof objectives / sizeof *objectives; i++) {
        compare_objective(objectives[i].name, objectives[i].base, true, "gbtree");
    }
}

static void
every_objective_with_dart_equals_xgboost(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof objectives / sizeof *objectives; i++) {
        compare_objective(objectives[i].name, objectives[i].base, i % 2 == 0, "dart");
    }
}

static void
random_forests_and_single_leaves_equal_xgboost(void **state)
{
    (void)state;
    static const char *const forest[] = {
        "objective", "binary:logistic", "num_parallel_tree", "4", "subsample", "0.5", NULL};
    static const char *const leaves[] = {"objective", "reg:squarederror", "gamma", "1e9", NULL};
    static const char *const one_hot[] = {"objective", "binary:logistic", "max_cat_to_onehot",
                                          "100", NULL};
    struct rows r;
    rows_make(&r, 1000, 6, 5);
    assert_int_equal(compare(&r, false, forest), 6);
    assert_int_equal(compare(&r, false, leaves), 0);
    assert_int_equal(compare(&r, true, one_hot), 6);
    rows_done(&r);
}

static const char *const plain[] = {"objective", "binary:logistic", "max_depth", "6", NULL};

static void
one_row_many_rows_and_any_threads_give_the_same_digits(void **state)
{
    (void)state;
    struct rows r;
    rows_make(&r, 1003, 6, 5);
    DEFER(peer_freep) struct peer *peer = peer_train(&r, true, 20, plain);
    DEFER(buf_done) struct buf ubj = {0};
    peer_save(peer, "ubj", &ubj);
    DEFER(forest_freep) struct forest *f = load(&ubj);
    add_edges(&r, &(struct forest){0}); /* the odd categories; no thresholds */
    double *plain_sum = calloc(r.count, sizeof *plain_sum);
    double *sum = calloc(r.count, sizeof *sum);
    assert_true(plain_sum != NULL && sum != NULL);
    forest_margin_ref(f, r.x, r.count, plain_sum);
    for (unsigned threads = 0; threads < 5; threads++) {
        memset(sum, 0, r.count * sizeof *sum);
        forest_margin(f, r.x, r.count, threads, sum);
        assert_memory_equal(sum, plain_sum, r.count * sizeof *sum);
    }
    for (size_t i = 0; i < r.count; i++) {
        forest_margin(f, r.x + i * r.features, 1, 1, &sum[i]);
    }
    assert_memory_equal(sum, plain_sum, r.count * sizeof *sum);
    forest_margin(f, r.x, 0, 0, NULL);
    free(plain_sum);
    free(sum);
    rows_done(&r);
}

/* ---- other versions of XGBoost, by what they said once ---- */

static void
from_hex(const char *text, struct buf *ret_bytes)
{
    buf_init(ret_bytes, 1u << 20);
    for (size_t i = 0; text[i] != '\0'; i += 2) {
        const char digits[3] = {text[i], text[i + 1], '\0'};
        buf_put_u8(ret_bytes, (uint8_t)strtoul(digits, NULL, 16));
    }
    assert_ok(buf_status(ret_bytes));
}

static size_t
read_rows(const json_t *rows, float x[static 64])
{
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        for (size_t k = 0; k < json_array_size(row); k++) {
            const json_t *v = json_array_get(row, k);
            assert_true(n < 64);
            x[n++] = json_is_null(v) ? NAN : (float)json_number_value(v);
        }
    }
    return json_array_size(rows);
}

static void
compare_pinned(const struct forest *f, const json_t *rows, const json_t *pin, const char *key)
{
    float x[64];
    double out[64];
    const size_t count = read_rows(rows, x);
    assert_int_equal(f->features, 4);
    assert_true(count * f->outputs <= 64);
    forest_margin(f, x, count, 1, out);
    if (strcmp(key, "answer") == 0) {
        forest_link_apply(f, out, count);
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *expected = json_array_get(json_object_get(pin, key), i);
        assert_int_equal(json_array_size(expected), f->outputs);
        for (size_t k = 0; k < f->outputs; k++) {
            const double want = json_number_value(json_array_get(expected, k));
            assert_near(out[i * f->outputs + k], want, tolerance(want));
        }
    }
}

static void
check_pinned_model(const json_t *rows, const json_t *pin)
{
    const char *name = json_string_value(json_object_get(pin, "name"));
    struct diag diag = {0};
    DEFER(buf_done) struct buf bytes = {0};
    DEFER(forest_freep) struct forest *f = NULL;
    from_hex(json_string_value(json_object_get(pin, "file")), &bytes);
    if (strcmp(name, "vector leaves") == 0) {
        assert_status(forest_load(buf_view(&bytes), &diag, &f), UNSUPPORTED);
        assert_says(&diag, "tree 0: vector leaves (multi_strategy=multi_output_tree)");
        return;
    }
    print_message("# %s\n", name);
    assert_int_equal(bytes.ptr[1] == '"',
                     strcmp(json_string_value(json_object_get(pin, "format")), "json") == 0);
    f = load(&bytes);
    assert_int_equal(has_categories(f), strncmp(name, "categories", 10) == 0);
    assert_string_equal(f->objective, json_string_value(json_object_get(pin, "objective")));
    compare_pinned(f, rows, pin, "margin");
    compare_pinned(f, rows, pin, "answer");
    children_cover_their_parent(f);
}

static void
check_pinned(const char *relative, const char *version, size_t models)
{
    char *path = testing_source(relative);
    json_t *document = testing_read_json(path);
    free(path);
    assert_string_equal(json_string_value(json_object_get(document, "version")), version);
    const json_t *list = json_object_get(document, "models");
    assert_int_equal(json_array_size(list), models);
    for (size_t i = 0; i < models; i++) {
        check_pinned_model(json_object_get(document, "rows"), json_array_get(list, i));
    }
    json_decref(document);
}

static void
equals_what_xgboost_1_3_3_said(void **state)
{
    (void)state;
    check_pinned("tests/model/data/xgboost-1.3.3.json", "1.3.3", 8);
}

static void
equals_what_xgboost_2_1_4_said(void **state)
{
    (void)state;
    check_pinned("tests/model/data/xgboost-2.1.4.json", "2.1.4", 13);
}

static void
equals_what_xgboost_3_2_0_said(void **state)
{
    (void)state;
    check_pinned("tests/model/data/xgboost-3.2.0.json", "3.2.0", 15);
}

/* Since 3.3 a dart model calls itself gbtree and keeps its weights inside the model. */
static void
dart_of_either_spelling_is_the_same_model(void **state)
{
    (void)state;
    static const char *const dart[] = {
        "objective", "binary:logistic", "booster", "dart", "rate_drop", "0.5", NULL};
    struct rows r;
    rows_make(&r, 500, 5, 8);
    DEFER(peer_freep) struct peer *peer = peer_train(&r, false, 8, dart);
    DEFER(buf_done) struct buf old = {0};
    DEFER(js_freep) json_t *document = NULL;
    peer_save(peer, "json", &old);
    assert_ok(js_parse(buf_view(&old), NULL, NULL, &document));
    json_t *learner = json_object_get(document, "learner");
    json_t *booster = json_object_get(learner, "gradient_booster");
    json_t *inner = json_incref(json_object_get(booster, "gbtree"));
    assert_int_equal(json_object_set(json_object_get(inner, "model"), "weight_drop",
                                     json_object_get(booster, "weight_drop")),
                     0);
    assert_int_equal(json_object_set_new(learner, "gradient_booster", inner), 0);
    DEFER(buf_done) struct buf fresh;
    buf_init(&fresh, 1u << 24);
    assert_ok(js_put(&fresh, document));
    DEFER(forest_freep) struct forest *f = load(&old);
    DEFER(forest_freep) struct forest *g = load(&fresh);
    bool weighted = false;
    for (uint32_t t = 0; t < f->trees; t++) {
        weighted = weighted || f->tree_weight[t] != 1;
    }
    assert_true(weighted);
    equal_arrays(f, g);
    rows_done(&r);
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(every_objective_equals_xgboost),
        cmocka_unit_test(every_objective_with_categories_equals_xgboost),
        cmocka_unit_test(every_objective_with_dart_equals_xgboost),
        cmocka_unit_test(random_forests_and_single_leaves_equal_xgboost),
        cmocka_unit_test(one_row_many_rows_and_any_threads_give_the_same_digits),
        cmocka_unit_test(equals_what_xgboost_1_3_3_said),
        cmocka_unit_test(equals_what_xgboost_2_1_4_said),
        cmocka_unit_test(equals_what_xgboost_3_2_0_said),
        cmocka_unit_test(dart_of_either_spelling_is_the_same_model),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
