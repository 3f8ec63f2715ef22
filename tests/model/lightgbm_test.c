/* LightGBM's text models against its own answers, and files that are not what they say. */
#include "testing/testing.h"

#include "assess/explain.h"
#include "base/file.h"
#include "model/forest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARGIN 1e-12

static struct forest *
load(const char *text)
{
    struct diag diag = {0};
    struct forest *f = NULL;
    const struct status s = forest_load(view_str(text), &diag, &f);
    if (!status_ok(s)) {
        print_error("%s\n", diag.text);
    }
    assert_ok(s);
    return f;
}

/* ---- files that are wrong ---- */

#define HEAD                                                                                       \
    "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=1\n"  \
    "objective=binary sigmoid:1\nfeature_names=a b\nfeature_infos=0:1:2 [-1:1]\ntree_sizes=1\n\n"
#define TREE                                                                                       \
    "Tree=0\nnum_leaves=3\nnum_cat=1\nsplit_feature=1 0\nthreshold=0.5 0\ndecision_type=2 1\n"     \
    "left_child=1 -1\nright_child=-2 -3\nleaf_value=1 2 3\nleaf_count=5 6 7\n"                     \
    "internal_count=18 12\ncat_boundaries=0 1\ncat_threshold=6\nis_linear=0\nshrinkage=1\n\n\n"
#define END "end of trees\n"

/* The text with the first `from` replaced by `to` must be refused with that code and words. */
static void
refused(const char *from, const char *to, int32_t code, const char *part)
{
    static const char text[] = HEAD TREE END;
    char changed[sizeof text + 4096];
    const char *at = strstr(text, from);
    assert_non_null(at);
    (void)snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, to,
                   at + strlen(from));
    struct forest *f = NULL;
    struct diag diag = {0};
    const struct status s = forest_load(view_str(changed), &diag, &f);
    if (s.code != code || strstr(diag.text, part) == NULL) {
        print_error("%s -> %s: %s\n", from, to, diag.text);
    }
    assert_int_equal(s.code, code);
    assert_says(&diag, part);
    assert_null(f);
}

static void
refuses_files_that_are_not_what_they_say(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *part;
    } cases[] = {
        {"max_feature_idx=1", "max_feature_idx=x", "\"max_feature_idx\" must be a whole number"},
        {"max_feature_idx=1", "max_feature_idx=65536", "from 0 to 65535"},
        {"max_feature_idx=1\n", "", "no \"max_feature_idx\""},
        {"max_feature_idx=1", "max_feature_idx=2", "\"feature_names\" must hold 3 names"},
        {"a b", " b", "name 0 is empty"},
        {"a b", "a \xff", "no UTF-8"},
        {"iteration=1", "iteration=0", "from 1 to 1024"},
        {"iteration=1", "iteration=2", "1 trees cannot be shared by 2 trees an iteration"},
        {"sigmoid:1", "sigmoid:0", "\"sigmoid:\" must be a number over 0"},
        {"end of trees", "", "ends before \"end of trees\""},
        {"Tree=0", "Tree=1", "its first line must be \"Tree=0\""},
        {"num_leaves=3", "num_leaves=4", "says 4; \"leaf_value\" holds 3"},
        {"num_leaves=3", "num_leaves=0", "tree 0: \"num_leaves\" must be a whole number from 1"},
        {"num_leaves=3\n", "", "tree 0: \"num_leaves\" must be"},
        {"num_cat=1", "num_cat=1\nnum_cat=1", "\"num_cat\" stands there twice"},
        {"split_feature=1 0", "split_feature=1", "\"split_feature\" must hold 2 finite numbers"},
        {"split_feature=1 0", "split_feature=1 0 0", "\"split_feature\" must hold 2"},
        {"split_feature=1 0", "split_feature=2 0", "tree 0 node 0: its feature 2 is not one of 0"},
        {"split_feature=1 0", "split_feature=-1 0", "its feature -1"},
        {"threshold=0.5 0", "threshold=nan 0", "\"threshold\" must hold 2 finite"},
        {"threshold=0.5 0", "threshold=inf 0", "\"threshold\" must hold 2 finite"},
        {"threshold=0.5 0", "threshold=0.5 1",
         "node 1: its threshold 1 is not one of the tree's 1"},
        {"threshold=0.5 0", "threshold=0.5 0.5", "its threshold 0.5 is not one"},
        {"threshold=0.5 0", "threshold=0.5 -1", "its threshold -1 is not one"},
        {"decision_type=2 1", "decision_type=14 1", "node 0: a decision_type of 14, which is none"},
        {"decision_type=2 1", "decision_type=-2 1", "a decision_type of -2"},
        {"decision_type=2 1", "decision_type=1 1", "its threshold 0.5 is not one of"},
        {"left_child=1 -1", "left_child=0 -1", "node 0: its child 0 is reached twice"},
        {"left_child=1 -1", "left_child=2 -1", "its child 2 is neither a node nor a leaf"},
        {"left_child=1 -1", "left_child=1 -4", "its child -4 is neither"},
        {"left_child=1 -1", "left_child=1 -2", "its child -2 is reached twice"},
        {"left_child=1 -1", "left_child=1 -9223372036854775808", "is neither a node nor a leaf"},
        {"leaf_value=1 2 3", "leaf_value=1 1e999 3", "\"leaf_value\" must hold 3 finite numbers"},
        {"leaf_count=5 6 7", "leaf_count=5 -6 7", "tree 0 leaf 1: a negative leaf_count"},
        {"internal_count=18 12", "internal_count=18 -12", "node 1: a negative internal_count"},
        {"cat_boundaries=0 1", "cat_boundaries=0 2", "\"cat_boundaries\" must ascend"},
        {"cat_boundaries=0 1", "cat_boundaries=1 0", "\"cat_boundaries\" must ascend"},
        {"cat_boundaries=0 1", "cat_boundaries=-1 1", "\"cat_boundaries\" must ascend"},
        {"cat_boundaries=0 1", "cat_boundaries=0", "\"cat_boundaries\" must hold 2"},
        {"cat_threshold=6", "cat_threshold=4294967296", "whole numbers of 32 bits"},
        {"cat_threshold=6", "cat_threshold=0", "node 1: a set without any category"},
        {"num_cat=1", "num_cat=9223372036854775807", "\"cat_boundaries\" must hold"},
        {END, END "pandas_categorical:[[1],", "pandas_categorical"},
        {END, END "pandas_categorical:[3]", "must be a list of lists"},
        {END, END "pandas_categorical:[[[]]]", "neither text nor number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        refused(cases[i].from, cases[i].to, STATUS_INPUT, cases[i].part);
    }
    refused("is_linear=0", "is_linear=1", STATUS_UNSUPPORTED,
            "tree 0 has linear leaves (linear_tree): they are not read here");
    refused("objective=binary", "objective=thing", STATUS_UNSUPPORTED,
            "objective \"thing\" is not");
}

static void
refuses_two_splits_that_share_a_set(void **state)
{
    (void)state;
    static const char text[] =
        HEAD "Tree=0\nnum_leaves=3\nnum_cat=1\nsplit_feature=0 0\nthreshold=0 0\n"
             "decision_type=1 1\nleft_child=1 -1\nright_child=-2 -3\nleaf_value=1 2 3\n"
             "cat_boundaries=0 1\ncat_threshold=6\n" END;
    struct forest *f = NULL;
    struct diag diag = {0};
    assert_status(forest_load(view_str(text), &diag, &f), INPUT);
    assert_says(&diag, "tree 0 node 1: its set of categories is also another split's");
}

/* A chain of that many splits. */
static void
write_chain(struct buf *b, unsigned splits)
{
    static const char *const lists[] = {"split_feature", "threshold", "decision_type"};
    buf_put_str(b, HEAD "Tree=0\n");
    buf_printf(b, "num_leaves=%u\nnum_cat=0\nleaf_value=1", splits + 1);
    for (unsigned i = 0; i < splits; i++) {
        buf_put_str(b, " 1");
    }
    for (size_t k = 0; k < 3; k++) {
        buf_printf(b, "\n%s=0", lists[k]);
        for (unsigned i = 1; i < splits; i++) {
            buf_put_str(b, " 0");
        }
    }
    for (unsigned side = 0; side < 2; side++) {
        buf_put_str(b, side == 0 ? "\nleft_child=" : "\nright_child=");
        for (unsigned i = 0; i < splits; i++) {
            const int child = side == 1        ? -(int)i - 1
                              : i + 1 < splits ? (int)i + 1
                                               : -(int)splits - 1;
            buf_printf(b, "%s%d", i == 0 ? "" : " ", child);
        }
    }
    buf_put_str(b, "\n" END);
    assert_ok(buf_status(b));
}

static void
refuses_trees_deeper_than_the_limit(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf b;
    buf_init(&b, 1u << 20);
    struct forest *f = NULL;
    struct diag diag = {0};
    write_chain(&b, FOREST_MAX_DEPTH + 1);
    assert_status(forest_load(buf_view(&b), &diag, &f), INPUT);
    assert_says(&diag, "deeper than 64 levels");
    buf_reset(&b);
    write_chain(&b, FOREST_MAX_DEPTH);
    assert_ok(forest_load(buf_view(&b), &diag, &f));
    assert_int_equal(f->depth, FOREST_MAX_DEPTH);
    assert_false(f->has_cover); /* the file has no counts */
    forest_free(f);
}

/* Cut anywhere, it is refused, not read as a smaller model. */
static void
refuses_a_file_that_is_cut(void **state)
{
    (void)state;
    static const char text[] = HEAD TREE END;
    const size_t whole = (size_t)(strstr(text, END) - text) + strlen("end of trees");
    for (size_t n = 5; n < whole; n++) {
        struct forest *f = NULL;
        const struct status s = forest_load(view_of(text, n), NULL, &f);
        assert_true(s.code == STATUS_INPUT || s.code == STATUS_UNSUPPORTED);
        assert_null(f);
    }
}

/* ---- what is read ---- */

static void
line_ends_of_windows_change_nothing(void **state)
{
    (void)state;
    static const char text[] = HEAD TREE END;
    DEFER(buf_done) struct buf crlf;
    buf_init(&crlf, 1u << 16);
    for (const char *p = text; *p != '\0'; p++) {
        buf_put_str(&crlf, *p == '\n' ? "\r" : "");
        buf_put_u8(&crlf, (uint8_t)*p);
    }
    DEFER(forest_freep) struct forest *a = load(text);
    DEFER(forest_freep) struct forest *b = load(buf_str(&crlf));
    assert_int_equal(a->nodes, b->nodes);
    assert_memory_equal(a->step, b->step, a->nodes * sizeof *a->step);
    assert_memory_equal(a->value, b->value, a->nodes * sizeof *a->value);
    assert_string_equal(b->feature_names[1], "b");
    assert_string_equal(b->objective, "binary");
}

/* For every float: x <= t is x < the loaded threshold; so also just beside it, and at the ends.
 * What is as near to zero as 1e-35 is zero to LightGBM. */
static void
a_double_threshold_parts_the_floats_as_it_did(void **state)
{
    (void)state;
    static const double thresholds[] = {0.1,
                                        -0.1,
                                        1.0000000180025095e-35,
                                        0,
                                        -0.0,
                                        1e300,
                                        -1e300,
                                        3.4028234663852886e38,
                                        16777217,
                                        -5e-46,
                                        1e-46,
                                        0.30000001192092896,
                                        -3.4028235e38};
    static const float beside[] = {0, INFINITY, -INFINITY, 3.4028235e38f, -3.4028235e38f};
    for (size_t i = 0; i < sizeof thresholds / sizeof *thresholds; i++) {
        char text[2048];
        const double t = thresholds[i];
        (void)snprintf(text, sizeof text,
                       HEAD "Tree=0\nnum_leaves=2\nsplit_feature=1\nthreshold=%.17g\n"
                            "decision_type=8\nleft_child=-1\nright_child=-2\nleaf_value=1 2\n" END,
                       t);
        DEFER(forest_freep) struct forest *f = load(text);
        const float near = (float)t;
        const float x[] = {near, nextafterf(near, INFINITY), nextafterf(near, -INFINITY)};
        for (size_t k = 0; k < 8; k++) {
            const float v = k < 3 ? x[k] : beside[k - 3];
            const bool left = forest_step(f, 0, v) == (uint32_t)f->left[0];
            assert_int_equal(left, (fabsf(v) <= FOREST_ZERO ? 0 : (double)v) <= t);
        }
    }
}

struct rows {
    float *x;
    size_t count;
};

static struct rows
read_rows(const json_t *file)
{
    const json_t *list = json_object_get(file, "rows");
    const size_t width = json_array_size(json_array_get(list, 0));
    struct rows r = {.count = json_array_size(list)};
    r.x = calloc(r.count * width, sizeof *r.x);
    assert_non_null(r.x);
    for (size_t i = 0; i < r.count * width; i++) {
        const json_t *v = json_array_get(json_array_get(list, i / width), i % width);
        r.x[i] = json_is_null(v) ? NAN : (float)json_number_value(v);
    }
    return r;
}

static double
cell(const json_t *table, size_t row, size_t column)
{
    return json_number_value(json_array_get(json_array_get(table, row), column));
}

/* Margins and answers are LightGBM's, in both ways of predicting. */
static void
same_answers(const struct forest *f, const struct rows *r, const json_t *model)
{
    const size_t n = r->count * f->outputs;
    DEFER(memory_freep) double *ours = calloc(n, sizeof *ours);
    DEFER(memory_freep) double *plain = calloc(n, sizeof *plain);
    assert_true(ours != NULL && plain != NULL);
    forest_margin(f, r->x, r->count, 1, ours);
    forest_margin_ref(f, r->x, r->count, plain);
    assert_memory_equal(ours, plain, n * sizeof *ours);
    for (size_t i = 0; i < n; i++) {
        const double m = cell(json_object_get(model, "margin"), i / f->outputs, i % f->outputs);
        assert_near(ours[i], m, MARGIN * fmax(1, fabs(m)));
    }
    forest_link_apply(f, ours, r->count);
    for (size_t i = 0; i < n; i++) {
        const double a = cell(json_object_get(model, "answer"), i / f->outputs, i % f->outputs);
        assert_near(ours[i], a, MARGIN * fmax(1, fabs(a)));
    }
}

/* Covers are LightGBM's counts: its contributions come out. */
static void
same_contributions(const struct forest *f, const struct rows *r, const json_t *model)
{
    const size_t width = f->features + 1;
    DEFER(memory_freep) void *scratch = calloc(1, explain_scratch_bytes(f));
    DEFER(memory_freep) double *phi = calloc(f->outputs * f->features, sizeof *phi);
    DEFER(memory_freep) double *base = calloc(f->outputs, sizeof *base);
    assert_true(scratch != NULL && phi != NULL && base != NULL);
    explain_expected(f, base);
    for (size_t i = 0; i < r->count; i++) {
        explain_row_ref(f, r->x + i * f->features, scratch, phi);
        for (size_t k = 0; k < f->outputs * width; k++) {
            const size_t output = k / width, j = k % width;
            const double theirs = cell(json_object_get(model, "contributions"), i, k);
            const double ours = j == f->features ? base[output] : phi[output * f->features + j];
            assert_near(ours, theirs, 1e-6 * fmax(1, fabs(theirs)));
        }
    }
}

static void
answers_are_lightgbms(const char *relative)
{
    DEFER(file_freep) char *path = testing_source(relative);
    DEFER(js_freep) json_t *file = testing_read_json(path);
    struct rows r = read_rows(file);
    size_t i;
    json_t *model;
    json_array_foreach(json_object_get(file, "models"), i, model)
    {
        const char *name = json_string_value(json_object_get(model, "name"));
        const char *text = json_string_value(json_object_get(model, "file"));
        if (strcmp(name, "linear leaves") == 0) {
            struct forest *f = NULL;
            assert_status(forest_load(view_str(text), NULL, &f), UNSUPPORTED);
            continue;
        }
        print_message("# %s\n", name);
        DEFER(forest_freep) struct forest *f = load(text);
        assert_true(f->has_cover);
        same_answers(f, &r, model);
        same_contributions(f, &r, model);
    }
    assert_true(i >= 20);
    free(r.x);
}

static void
answers_are_those_of_lightgbm_4(void **state)
{
    (void)state;
    answers_are_lightgbms("tests/model/data/lightgbm-4.7.0.json");
}

static void
answers_are_those_of_lightgbm_3(void **state)
{
    (void)state;
    answers_are_lightgbms("tests/model/data/lightgbm-3.3.5.json");
}

static void
the_categories_of_pandas_are_known_by_name(void **state)
{
    (void)state;
    DEFER(file_freep) char *path = testing_source("tests/model/data/lightgbm-4.7.0.json");
    DEFER(js_freep) json_t *file = testing_read_json(path);
    const json_t *pandas = json_object_get(file, "pandas");
    DEFER(forest_freep) struct forest *f = load(json_string_value(json_object_get(pandas, "file")));
    assert_non_null(f->levels);
    assert_int_equal(f->levels[0].count, 4);
    assert_string_equal(f->levels[0].names[0], "a,b");
    assert_string_equal(f->levels[0].names[2], "c=d");
    assert_int_equal(f->levels[1].count, 0);
    assert_int_equal(f->levels[2].count, 3);
    assert_string_equal(f->levels[2].names[1], "10");
    assert_string_equal(f->feature_names[0], "the_word");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_files_that_are_not_what_they_say),
        cmocka_unit_test(refuses_two_splits_that_share_a_set),
        cmocka_unit_test(refuses_trees_deeper_than_the_limit),
        cmocka_unit_test(refuses_a_file_that_is_cut),
        cmocka_unit_test(line_ends_of_windows_change_nothing),
        cmocka_unit_test(a_double_threshold_parts_the_floats_as_it_did),
        cmocka_unit_test(answers_are_those_of_lightgbm_4),
        cmocka_unit_test(answers_are_those_of_lightgbm_3),
        cmocka_unit_test(the_categories_of_pandas_are_known_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
