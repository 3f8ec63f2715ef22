/* ONNX models against ONNX Runtime's answers, and files that are not what they say. */
#include "testing/testing.h"

#include "base/file.h"
#include "base/text.h"
#include "model/forest.h"
#include "model/predictor.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEAR 2e-6 /* ONNX Runtime adds floats */

static json_t *
pinned(void)
{
    DEFER(file_freep) char *path = testing_source("tests/model/data/onnx-1.32.0.json");
    return testing_read_json(path);
}

static const json_t *
pinned_model(const json_t *file, const char *name)
{
    size_t i;
    json_t *model;
    json_array_foreach(json_object_get(file, "models"), i, model)
    {
        if (strcmp(json_string_value(json_object_get(model, "name")), name) == 0) {
            return model;
        }
    }
    fail_msg("no model %s", name);
    return NULL;
}

static void
bytes_of(const json_t *model, struct buf *ret_bytes)
{
    buf_init(ret_bytes, 1u << 24);
    assert_ok(
        text_from_hex(view_str(json_string_value(json_object_get(model, "file"))), ret_bytes));
}

static void
must_refuse(struct view bytes, const char *part)
{
    struct forest *f = NULL;
    struct diag diag = {0};
    const struct status s = forest_load(bytes, &diag, &f);
    if (status_ok(s) || strstr(diag.text, part) == NULL) {
        print_error("wanted \"%s\": %s\n", part, diag.text);
    }
    assert_false(status_ok(s));
    assert_says(&diag, part);
    assert_null(f);
}

/* ---- files that are wrong ---- */

static void
refuses_what_is_no_model(void **state)
{
    (void)state;
    must_refuse(view_of("\x08\x09", 2), "ONNX: the model has no graph");
    must_refuse(view_of("\x08\x09\x3a\x00", 4), "has no tree ensemble");
    must_refuse(view_of("\x08\x09\x3a\x05", 4), "no protocol buffer of a model");
    must_refuse(view_of("\x08\x09\x3a\xff\xff\xff\xff\x0f", 8), "no protocol buffer of a model");
}

/* Cut anywhere and one bit turned anywhere: refused, or read as a sound forest, never a crash. What
 * a cut leaves whole is no model: the graph is the last long field. */
static void
no_cut_or_flipped_bit_does_harm(void **state)
{
    (void)state;
    static const char *const names[] = {"by hand: TreeEnsemble-5", "by hand: LEQ 1, missing 1",
                                        "by hand: three classes, SOFTMAX"};
    DEFER(js_freep) json_t *file = pinned();
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        DEFER(buf_done) struct buf bytes;
        bytes_of(pinned_model(file, names[k]), &bytes);
        for (size_t n = 0; n < bytes.len; n++) {
            struct forest *f = NULL;
            const struct status s = forest_load(view_of(bytes.ptr, n), NULL, &f);
            assert_int_equal(status_ok(s), f != NULL);
            forest_free(f);
        }
        for (size_t bit = 0; bit < bytes.len * 8; bit++) {
            struct forest *f = NULL;
            bytes.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
            const struct status s = forest_load(buf_view(&bytes), NULL, &f);
            bytes.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_equal(status_ok(s), f != NULL);
            forest_free(f);
        }
    }
}

/* An empty message of two bytes is a hundred in memory: many of them must not fill it. */
static void
memory_is_limited_by_the_files_length(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf bytes;
    DEFER(buf_done) struct buf graph;
    buf_init(&bytes, 1u << 26);
    buf_init(&graph, 1u << 26);
    for (size_t i = 0; i < 2000000; i++) {
        buf_put(&graph, view_of("\x0a\x00", 2));
    }
    buf_put(&bytes, view_of("\x08\x09\x3a", 3));
    for (size_t left = graph.len; left > 0; left >>= 7) {
        buf_put_u8(&bytes, (uint8_t)((left & 0x7f) | (left > 0x7f ? 0x80 : 0)));
    }
    buf_put(&bytes, buf_view(&graph));
    must_refuse(buf_view(&bytes), "takes more memory than its length allows for");
}

/* Values are followed back through the graph: a megabyte of operators that all read the last of a
 * chain of others, each with many outputs, would take hours. */
static void
a_graph_in_which_following_values_takes_long_is_refused(void **state)
{
    (void)state;
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, 1u << 20);
    buf_put(&bytes, view_of("\x08\x09\x3a\x93\x07", 5)); /* 915 bytes: */
    for (size_t node = 0; node < 5; node++) {
        buf_put(&bytes, view_of("\x0a\xb4\x01", 3)); /* 180 bytes: */
        for (size_t output = 0; output < 60; output++) {
            buf_put(&bytes, view_of("\x12\x01\x61", 3));
        }
    }
    must_refuse(buf_view(&bytes), "256 outputs of operators");
}

/* Replaces one byte sequence in a pinned model by another of the same length. */
static void
refused_with(const json_t *file, const char *name, struct view from, struct view to,
             const char *part)
{
    DEFER(buf_done) struct buf bytes;
    bytes_of(pinned_model(file, name), &bytes);
    assert_int_equal(from.len, to.len);
    uint8_t *at = memmem(bytes.ptr, bytes.len, from.ptr, from.len);
    assert_non_null(at);
    memcpy(at, to.ptr, to.len);
    must_refuse(buf_view(&bytes), part);
}

static void
refuses_trees_that_are_none(void **state)
{
    (void)state;
    static const char *const name = "by hand: LEQ 1, missing 0";
    DEFER(js_freep) json_t *file = pinned();
#define CHANGED(FROM, TO, PART)                                                                    \
    refused_with(file, name, view_of(FROM, sizeof(FROM) - 1), view_of(TO, sizeof(TO) - 1), PART)
    /* lists are "name", then a field of ints: tag 0x40 and value each */
    CHANGED("nodes_truenodeids@\2@\0@\0", "nodes_truenodeids@\1@\0@\0", "its two children are the");
    CHANGED("nodes_truenodeids@\2@\0@\0", "nodes_truenodeids@\0@\0@\0", "its root, node 2, must");
    CHANGED("nodes_truenodeids@\2@\0@\0", "nodes_truenodeids@\5@\0@\0",
            "tree 7 has no node 5, which is a true child");
    CHANGED("nodes_nodeids@\0@\2@\1", "nodes_nodeids@\0@\2@\0", "tree 7 has two nodes 0");
    CHANGED("nodes_treeids@\7@\7@\7", "nodes_treeids@\7@\7@\6", "has no node 1");
    CHANGED("nodes_featureids@\0@\0@\0", "nodes_featureids@\3@\0@\0",
            "tree 7 node 0: its feature 3 is not one of 0 to 0");
    CHANGED("target_nodeids@\2@\1", "target_nodeids@\2@\2", "node 2: two weights for output 0");
    CHANGED("target_nodeids@\2@\1", "target_nodeids@\2@\0", "node 0: a weight, but it is no leaf");
    CHANGED("target_nodeids@\2@\1", "target_nodeids@\2@\x9", "no node 9, which is where a weight");
    CHANGED("target_ids@\0@\0", "target_ids@\0@\1", "value 1, 1, is not one of 0 to 0");
    CHANGED("BRANCH_LEQ", "BRANCH_LOQ", "value 0, \"BRANCH_LOQ\", is no way to branch");
    CHANGED("nodes_modes", "nodes_nodes", "\"nodes_modes\" holds 0 values, not 3");
    CHANGED("nodes_values", "nodes_nodeid", "\"nodes_values\" holds 0 values, not 3");
    CHANGED("target_weights", "nodes_treeids1", "\"target_weights\" holds 0 values, not 2");
    CHANGED("nodes_hitrates", "nodes_treeids\0", "\"nodes_treeids\" stands there twice");
#undef CHANGED
}

static void
refuses_a_cycle_and_a_node_of_two_parents(void **state)
{
    (void)state;
    static const char *const name = "by hand: TreeEnsemble-5";
    DEFER(js_freep) json_t *file = pinned();
#define CHANGED(FROM, TO, PART)                                                                    \
    refused_with(file, name, view_of(FROM, sizeof(FROM) - 1), view_of(TO, sizeof(TO) - 1), PART)
    CHANGED("nodes_truenodeids@\1@\0@\2@\4", "nodes_truenodeids@\0@\0@\2@\4",
            "node 0: a child of it is reached twice: a cycle, or a node with two parents");
    CHANGED("nodes_truenodeids@\1@\0@\2@\4", "nodes_truenodeids@\2@\0@\2@\4",
            "node 0: a child of it is reached twice");
    CHANGED("tree_roots@\0@\3", "tree_roots@\0@\1", "node 1: a child of it is reached twice");
    CHANGED("tree_roots@\0@\3", "tree_roots@\0@\4", "its child 4 is not one of the 4 nodes");
    CHANGED("nodes_truenodeids@\1@\0@\2@\4", "nodes_truenodeids@\1@\0@\2@\5",
            "node 3: its child 5 is not one of the 5 leaves");
    CHANGED("leaf_targetids@\0", "leaf_targetids@\2", "value 0, 2, is not one of 0 to 1");
#undef CHANGED
}

static void
says_why_a_graph_is_not_read(void **state)
{
    (void)state;
    DEFER(js_freep) json_t *file = pinned();
    size_t i, n = 0;
    json_t *model;
    json_array_foreach(json_object_get(file, "models"), i, model)
    {
        const char *part = json_string_value(json_object_get(model, "refused"));
        if (*part != '\0') {
            DEFER(buf_done) struct buf bytes;
            bytes_of(model, &bytes);
            must_refuse(buf_view(&bytes), part);
            n++;
        }
    }
    assert_true(n >= 11);
}

/* ---- what is read ---- */

static void
same_scores(const struct forest *f, const json_t *model)
{
    const json_t *rows = json_object_get(model, "rows"),
                 *answers = json_object_get(model, "answer");
    const size_t n = json_array_size(rows), width = f->features;
    DEFER(memory_freep) float *x = calloc(n * width, sizeof *x);
    DEFER(memory_freep) double *ours = calloc(n * f->outputs, sizeof *ours);
    DEFER(memory_freep) double *plain = calloc(n * f->outputs, sizeof *plain);
    assert_true(x != NULL && ours != NULL && plain != NULL);
    assert_int_equal(json_array_size(json_array_get(rows, 0)), width);
    for (size_t i = 0; i < n * width; i++) {
        const json_t *v = json_array_get(json_array_get(rows, i / width), i % width);
        x[i] = json_is_null(v) ? NAN : (float)json_number_value(v);
    }
    DEFER(predictor_freep) struct predictor *p = NULL;
    assert_ok(predictor_new(f, &p));
    predictor_margin(p, x, n, 1, ours);
    forest_margin_ref(f, x, n, plain);
    assert_memory_equal(ours, plain, n * f->outputs * sizeof *ours);
    forest_link_apply(f, ours, n);
    for (size_t i = 0; i < n * f->outputs; i++) {
        const json_t *row = json_array_get(answers, i / f->outputs);
        assert_int_equal(json_array_size(row), f->outputs);
        const double theirs = json_number_value(json_array_get(row, i % f->outputs));
        assert_near(ours[i], theirs, NEAR * fmax(1, fabs(theirs)));
    }
}

/* Infinity is no JSON number: rows have 1e300, which is infinity as a float. */
static void
scores_are_those_of_onnx_runtime(void **state)
{
    (void)state;
    DEFER(js_freep) json_t *file = pinned();
    size_t i, n = 0;
    json_t *model;
    json_array_foreach(json_object_get(file, "models"), i, model)
    {
        if (*json_string_value(json_object_get(model, "refused")) != '\0') {
            continue;
        }
        print_message("# %s\n", json_string_value(json_object_get(model, "name")));
        DEFER(buf_done) struct buf bytes;
        bytes_of(model, &bytes);
        struct diag diag = {0};
        DEFER(forest_freep) struct forest *f = NULL;
        const struct status s = forest_load(buf_view(&bytes), &diag, &f);
        if (!status_ok(s)) {
            print_error("%s\n", diag.text);
        }
        assert_ok(s);
        assert_false(f->has_cover);
        same_scores(f, model);
        n++;
    }
    assert_true(n >= 60);
}

static void
names_of_columns_and_classes_are_kept(void **state)
{
    (void)state;
    DEFER(js_freep) json_t *file = pinned();
    DEFER(buf_done) struct buf named;
    DEFER(buf_done) struct buf words;
    DEFER(forest_freep) struct forest *f = NULL;
    DEFER(forest_freep) struct forest *g = NULL;
    bytes_of(pinned_model(file, "by hand: named columns"), &named);
    bytes_of(pinned_model(file, "RandomForestClassifier, words"), &words);
    assert_ok(forest_load(buf_view(&named), NULL, &f));
    assert_ok(forest_load(buf_view(&words), NULL, &g));
    assert_int_equal(f->features, 3);
    assert_string_equal(f->feature_names[2], "size");
    assert_null(f->output_names);
    assert_int_equal(g->outputs, 3);
    assert_null(g->feature_names);
    assert_string_equal(g->output_names[0], "high");
    assert_string_equal(g->output_names[2], "middle");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_no_model),
        cmocka_unit_test(no_cut_or_flipped_bit_does_harm),
        cmocka_unit_test(memory_is_limited_by_the_files_length),
        cmocka_unit_test(a_graph_in_which_following_values_takes_long_is_refused),
        cmocka_unit_test(refuses_trees_that_are_none),
        cmocka_unit_test(refuses_a_cycle_and_a_node_of_two_parents),
        cmocka_unit_test(says_why_a_graph_is_not_read),
        cmocka_unit_test(scores_are_those_of_onnx_runtime),
        cmocka_unit_test(names_of_columns_and_classes_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
