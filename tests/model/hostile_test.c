#include "testing/testing.h"

#include "model/forest.h"
#include "model/ubjson.h"
#include "model/ubjson_write.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Two trees over 3 features: a split at 0.5 whose left child splits by category, and a leaf. Node 5
 * of the first stands as XGBoost leaves one that it pruned. */
#define SMALL(NOT_A_NUMBER)                                                                        \
    "{\"version\":[1,7,4],\"learner\":{\"feature_names\":[\"a\",\"b\",\"c\"],"                     \
    "\"learner_model_param\":{\"base_score\":\"5E-1\",\"num_class\":\"0\",\"num_feature\":\"3\","  \
    "\"num_target\":\"1\"},\"objective\":{\"name\":\"binary:logistic\"},"                          \
    "\"gradient_booster\":{\"name\":\"gbtree\",\"model\":{\"gbtree_model_param\":"                 \
    "{\"num_trees\":\"2\",\"size_leaf_vector\":\"0\"},\"tree_info\":[0,0],\"trees\":["             \
    "{\"left_children\":[1,3,-1,-1,-1,-1],\"right_children\":[2,4,-1,-1,-1,-1],"                   \
    "\"split_indices\":[1,0,0,0,0,0],\"split_conditions\":[0.5," NOT_A_NUMBER                      \
    ",0.25,-0.5,1.0,9.0],\"default_left\":[1,0,0,0,0,0],\"split_type\":[0,1,0,0,0,0],"             \
    "\"sum_hessian\":[10,6,4,2,4,1],\"categories_nodes\":[1],\"categories_segments\":[0],"         \
    "\"categories_sizes\":[2],\"categories\":[3,7],"                                               \
    "\"tree_param\":{\"num_nodes\":\"6\",\"size_leaf_vector\":\"0\"}},"                            \
    "{\"left_children\":[-1],\"right_children\":[-1],\"split_indices\":[0],"                       \
    "\"split_conditions\":[0.125],\"default_left\":[0],\"sum_hessian\":[10]}]}}}}"

#define LEARNER "learner."
#define PARAM LEARNER "learner_model_param."
#define BOOSTER LEARNER "gradient_booster."
#define MODEL BOOSTER "model."
#define TREE MODEL "trees.0."

static json_t *
parse(const char *text)
{
    json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(v);
    return v;
}

static json_t *
member(json_t *at, const char *name)
{
    json_t *v =
        json_is_array(at) ? json_array_get(at, strtoul(name, NULL, 10)) : json_object_get(at, name);
    assert_non_null(v);
    return v;
}

/* change(document, "a.b.0", "7"): puts that JSON there; NULL takes the member out. */
static void
change(json_t *document, const char *path, const char *value)
{
    char copy[128], *rest = copy;
    assert_true(strlen(path) < sizeof copy);
    strcpy(copy, path);
    json_t *at = document;
    const char *name = strsep(&rest, ".");
    for (; rest != NULL; name = strsep(&rest, ".")) {
        at = member(at, name);
    }
    if (value == NULL) {
        assert_int_equal(json_object_del(at, name), 0);
    } else if (json_is_array(at)) {
        assert_int_equal(json_array_set_new(at, strtoul(name, NULL, 10), parse(value)), 0);
    } else {
        assert_int_equal(json_object_set_new(at, name, parse(value)), 0);
    }
}

/* Loads a copy on the heap that ends where the bytes end, so that reading further is seen. */
static struct status
load(struct view bytes, struct diag *diag, struct forest **ret_forest)
{
    uint8_t *exact = malloc(bytes.len > 0 ? bytes.len : 1);
    assert_non_null(exact);
    if (bytes.len > 0) {
        memcpy(exact, bytes.ptr, bytes.len);
    }
    const struct status s = forest_load(view_of(exact, bytes.len), diag, ret_forest);
    free(exact);
    return s;
}

static void
refused(struct view bytes, int32_t code, const char *sentence)
{
    struct diag diag = {0};
    struct forest *untouched = (struct forest *)(uintptr_t)1, *f = untouched;
    const struct status s = load(bytes, &diag, &f);
    if (s.code != code) {
        print_error("%s, not %s: %s\n", status_word(s.code), status_word(code), sentence);
    }
    assert_int_equal(s.code, code);
    assert_ptr_equal(f, untouched);
    assert_says(&diag, sentence);
    assert_int_equal(strncmp(diag.text, "model: ", 7), 0);
}

/* The document is refused in both formats, with the same words. */
static void
document_refused(const json_t *document, int32_t code, const char *sentence)
{
    DEFER(buf_done) struct buf json;
    DEFER(buf_done) struct buf ubj = {0};
    buf_init(&json, 1u << 24);
    assert_ok(js_put(&json, document));
    ubjson_write(document, &ubj);
    refused(buf_view(&json), code, sentence);
    refused(buf_view(&ubj), code, sentence);
}

static void
changed_refused(const char *path, const char *value, int32_t code, const char *sentence)
{
    json_t *document = parse(SMALL("null"));
    change(document, path, value);
    document_refused(document, code, sentence);
    json_decref(document);
}

/* Margin of one row under the small model with one thing changed (path NULL: none), in both
 * formats. */
static double
changed_margin(const char *path, const char *value, const float x[static 3])
{
    double margin[2] = {0};
    json_t *document = parse(SMALL("null"));
    if (path != NULL) {
        change(document, path, value);
    }
    struct buf bytes[2] = {0};
    buf_init(&bytes[0], 1u << 20);
    assert_ok(js_put(&bytes[0], document));
    ubjson_write(document, &bytes[1]);
    for (size_t i = 0; i < 2; i++) {
        struct diag diag = {0};
        DEFER(forest_freep) struct forest *f = NULL;
        const struct status s = load(buf_view(&bytes[i]), &diag, &f);
        if (!status_ok(s)) {
            print_error("%s\n", diag.text);
        }
        assert_ok(s);
        forest_margin(f, x, 1, 1, &margin[i]);
        buf_done(&bytes[i]);
    }
    json_decref(document);
    assert_true(margin[0] == margin[1]);
    return margin[0];
}

/* ---- files that are no model ---- */

static void
refuses_what_is_no_model(void **state)
{
    (void)state;
    refused(view_of(NULL, 0), STATUS_INPUT, "model: the file is empty");
    refused(view_str("hello"), STATUS_INPUT, "not XGBoost's JSON or UBJSON: that begins with {");
    refused(view_str("  [{}]"), STATUS_INPUT, "not XGBoost's JSON or UBJSON");
    refused(view_of("\0{}", 3), STATUS_INPUT, "not XGBoost's JSON or UBJSON");
    refused(view_str(" \n"), STATUS_INPUT, "not XGBoost's JSON or UBJSON");
    refused(view_str("\x89PNG\r\n\x1a\n"), STATUS_INPUT, "not XGBoost's JSON or UBJSON");
    refused(view_str("binf\x80\x3f"), STATUS_UNSUPPORTED,
            "XGBoost's old binary format; save it again as .json or .ubj");
    refused(view_str("{}"), STATUS_INPUT, "\"learner\" is missing");
    refused(view_str("{\"learner\": 3}"), STATUS_INPUT, "\"learner\" must be an object");
    refused(view_str("{\"learner\":{},\"learner\":{}}"), STATUS_INPUT, "duplicate object key");
    refused(view_of("{\"a\":\"\0\"}", 9), STATUS_INPUT, "JSON line 1 column");
}

static void
refuses_json_cut_short_at_every_byte(void **state)
{
    (void)state;
    const struct view whole = view_str(SMALL("NaN"));
    for (size_t n = 0; n < whole.len; n++) {
        refused(view_of(whole.ptr, n), STATUS_INPUT, n == 0 ? "empty" : "JSON line 1 column");
    }
    DEFER(forest_freep) struct forest *f = NULL;
    assert_ok(load(whole, NULL, &f));
}

static void
refuses_ubjson_cut_short_at_every_byte(void **state)
{
    (void)state;
    json_t *document = parse(SMALL("null"));
    DEFER(buf_done) struct buf ubj = {0};
    ubjson_write(document, &ubj);
    json_decref(document);
    for (size_t n = 0; n < ubj.len; n++) {
        refused(view_of(ubj.ptr, n), STATUS_INPUT,
                n == 0   ? "empty"
                : n == 1 ? "JSON line 1"
                         : "UBJSON byte");
    }
    DEFER(forest_freep) struct forest *f = NULL;
    assert_ok(load(buf_view(&ubj), NULL, &f));
}

/* ---- trees ---- */

static void
refuses_a_cycle(void **state)
{
    (void)state;
    changed_refused(TREE "left_children.1", "0", STATUS_INPUT,
                    "tree 0 node 1: its left child 0 is reached twice: a cycle, or a node with two "
                    "parents");
    changed_refused(TREE "left_children.1", "1", STATUS_INPUT, "left child 1 is reached twice");
    changed_refused(TREE "right_children.0", "1", STATUS_INPUT, "right child 1 is reached twice");
    changed_refused(TREE "right_children.1", "2", STATUS_INPUT, "right child 2 is reached twice");
}

static void
refuses_a_child_index_out_of_range(void **state)
{
    (void)state;
    changed_refused(TREE "left_children.0", "6", STATUS_INPUT,
                    "tree 0 node 0: its left child is 6, not one of 0 to 5");
    changed_refused(TREE "left_children.1", "-2", STATUS_INPUT,
                    "tree 0 node 1: its left child is -2, not one of 0 to 5");
    changed_refused(TREE "right_children.1", "-1", STATUS_INPUT, "right child is -1, not one of");
    changed_refused(TREE "right_children.1", "4294967300", STATUS_INPUT,
                    "right child is 4294967300");
    changed_refused(TREE "right_children.1", "1.5", STATUS_INPUT,
                    "right child is not a whole number");
    changed_refused(TREE "left_children.0", "\"1\"", STATUS_INPUT,
                    "left child is not a whole number");
    changed_refused(TREE "left_children.0", "null", STATUS_INPUT,
                    "left child is not a whole number");
    changed_refused(TREE "right_children.2", "3", STATUS_INPUT,
                    "tree 0 node 2: its right child, beside a left child of -1, is 3");
}

static void
refuses_thresholds_and_leaves_that_are_no_numbers(void **state)
{
    (void)state;
    changed_refused(TREE "split_conditions.0", "null", STATUS_INPUT,
                    "tree 0 node 0: its threshold (split_conditions) is not a finite number");
    changed_refused(TREE "split_conditions.0", "1e39", STATUS_INPUT, "its threshold");
    changed_refused(TREE "split_conditions.0", "\"0.5\"", STATUS_INPUT, "its threshold");
    changed_refused(TREE "split_conditions.3", "null", STATUS_INPUT,
                    "tree 0 node 3: its leaf value (split_conditions) is not a finite number");
    changed_refused(TREE "split_conditions.3", "[1,2]", STATUS_INPUT, "node 3: its leaf value");
    changed_refused(TREE "split_conditions.3", "-2e30", STATUS_LIMIT, "is over the limit of 1e+30");
    refused(view_str("{\"learner\":NaN}"), STATUS_INPUT, "\"learner\" must be an object");
    refused(view_str("{\"learner\":Nan}"), STATUS_INPUT, "JSON line 1 column");
}

/* The words JSON does not have are taken where XGBoost writes them, and mean the same as null. */
static void
reads_nan_in_json_but_not_as_a_threshold(void **state)
{
    (void)state;
    static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
    for (size_t i = 0; i < 3; i++) {
        char text[2048];
        (void)snprintf(text, sizeof text, "%s", SMALL("NaN"));
        char *at = strstr(text, "[0.5,"), tail[2048];
        strcpy(tail, at + 4);
        (void)snprintf(at, sizeof text - (size_t)(at - text), "[%s%s", words[i], tail);
        refused(view_str(text), STATUS_INPUT,
                "tree 0 node 0: its threshold (split_conditions) is not a finite number");
    }
}

static void
refuses_covers_and_flags_out_of_range(void **state)
{
    (void)state;
    changed_refused(TREE "sum_hessian.1", "-1", STATUS_INPUT,
                    "tree 0 node 1: its cover (sum_hessian) is not a finite number from 0");
    changed_refused(TREE "sum_hessian.1", "null", STATUS_INPUT, "its cover (sum_hessian)");
    changed_refused(TREE "default_left.0", "2", STATUS_INPUT,
                    "tree 0 node 0: its default_left is 2, not one of 0 to 1");
    changed_refused(TREE "split_type.0", "7", STATUS_INPUT, "its split_type is 7");
    changed_refused(TREE "split_type.0", "\"numerical\"", STATUS_INPUT,
                    "its split_type is not a whole number");
}

static void
refuses_a_feature_that_the_model_does_not_have(void **state)
{
    (void)state;
    changed_refused(TREE "split_indices.0", "3", STATUS_INPUT,
                    "tree 0 node 0: its feature (split_indices) is 3, not one of 0 to 2");
    changed_refused(TREE "split_indices.0", "-1", STATUS_INPUT, "is -1, not one of 0 to 2");
    changed_refused(TREE "split_indices.1", "2147483648", STATUS_INPUT, "node 1: its feature");
}

static void
refuses_arrays_of_other_lengths_and_types(void **state)
{
    (void)state;
    static const char *const keys[] = {"right_children", "split_indices", "split_conditions",
                                       "default_left",   "sum_hessian",   "split_type"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char path[128], sentence[128];
        (void)snprintf(path, sizeof path, TREE "%s", keys[i]);
        (void)snprintf(sentence, sizeof sentence,
                       "tree 0: \"%s\" must be an array of 6 values, one for each node", keys[i]);
        changed_refused(path, "[0,0,0,0,0]", STATUS_INPUT, sentence);
        changed_refused(path, "[0,0,0,0,0,0,0]", STATUS_INPUT, sentence);
        changed_refused(path, "\"text\"", STATUS_INPUT, sentence);
        if (strcmp(keys[i], "split_type") != 0) {
            changed_refused(path, NULL, STATUS_INPUT, sentence);
        }
    }
    changed_refused(TREE "left_children", "[]", STATUS_INPUT,
                    "tree 0: \"left_children\" must be an array with a value for each node");
    changed_refused(TREE "left_children", NULL, STATUS_INPUT, "tree 0: \"left_children\" must be");
    changed_refused(MODEL "trees.1", "17", STATUS_INPUT, "tree 1: \"left_children\" must be");
    changed_refused(TREE "tree_param.num_nodes", "\"2147483648\"", STATUS_INPUT,
                    "tree 0: \"num_nodes\" says 2147483648 nodes; the file holds 6");
    changed_refused(TREE "tree_param.num_nodes", "\"six\"", STATUS_INPUT,
                    "\"num_nodes\" must be a whole number from 0");
}

/* A tree that leans left, with that many levels of splits. */
static json_t *
chain(size_t levels)
{
    json_t *tree = json_object();
    static const char *const keys[] = {"left_children",    "right_children", "split_indices",
                                       "split_conditions", "default_left",   "sum_hessian"};
    for (size_t k = 0; k < 6; k++) {
        json_t *array = json_array();
        for (size_t n = 0; n <= 2 * levels; n++) {
            const bool split = n % 2 == 0 && n < 2 * levels;
            const size_t child = k == 0 ? n + 2 : n + 1;
            json_array_append_new(array, json_integer(k > 1   ? 1
                                                      : split ? (json_int_t)child
                                                              : (json_int_t)-1));
        }
        json_object_set_new(tree, keys[k], array);
    }
    return tree;
}

static void
refuses_a_tree_deeper_than_the_limit(void **state)
{
    (void)state;
    json_t *document = parse(SMALL("null"));
    json_t *trees = json_object_get(
        json_object_get(json_object_get(json_object_get(document, "learner"), "gradient_booster"),
                        "model"),
        "trees");
    json_array_set_new(trees, 1, chain(FOREST_MAX_DEPTH + 1));
    document_refused(document, STATUS_INPUT, "tree 1 node 128: deeper than 64 levels");
    json_array_set_new(trees, 1, chain(FOREST_MAX_DEPTH));
    DEFER(buf_done) struct buf ubj = {0};
    DEFER(forest_freep) struct forest *f = NULL;
    ubjson_write(document, &ubj);
    json_decref(document);
    assert_ok(load(buf_view(&ubj), NULL, &f));
    assert_int_equal(f->depth, FOREST_MAX_DEPTH);
}

/* ---- counts that lie ---- */

static void
refuses_two_to_the_31_trees(void **state)
{
    (void)state;
    changed_refused(MODEL "gbtree_model_param.num_trees", "\"2147483648\"", STATUS_LIMIT,
                    "2147483648 trees; at most 100000 are read here");
    changed_refused(MODEL "gbtree_model_param.num_trees", "\"3\"", STATUS_INPUT,
                    "\"num_trees\" says 3 trees; the file holds 2, and \"tree_info\" 2 values");
    changed_refused(MODEL "gbtree_model_param.num_trees", "\"-1\"", STATUS_INPUT,
                    "\"num_trees\" must be a whole number from 0");
}

static void
refuses_tree_info_that_does_not_fit(void **state)
{
    (void)state;
    changed_refused(MODEL "tree_info", "[0]", STATUS_INPUT,
                    "the file holds 2, and \"tree_info\" 1 values");
    changed_refused(MODEL "tree_info", "{}", STATUS_INPUT, "\"tree_info\" must be an array");
    changed_refused(MODEL "tree_info.1", "1", STATUS_INPUT,
                    "tree 1: its output (tree_info) is not a whole number from 0 to 0");
    changed_refused(MODEL "tree_info.0", "-1", STATUS_INPUT, "tree 0: its output");
    changed_refused(MODEL "trees", "3", STATUS_INPUT, "\"trees\" must be an array");
}

static void
refuses_more_features_and_outputs_than_the_limit(void **state)
{
    (void)state;
    changed_refused(PARAM "num_feature", "\"0\"", STATUS_INPUT,
                    "0 features and 1 outputs; 1 to 65536 and 1 to 1024 are read here");
    changed_refused(PARAM "num_feature", "\"65537\"", STATUS_INPUT, "65537 features");
    changed_refused(PARAM "num_feature", "\"18446744073709551616\"", STATUS_INPUT,
                    "\"num_feature\" must be a whole number");
    changed_refused(PARAM "num_class", "\"1025\"", STATUS_INPUT, "1025 outputs");
    changed_refused(PARAM "num_class", "[]", STATUS_INPUT, "\"num_class\" must be a whole number");
    changed_refused(LEARNER "feature_names", "[\"a\"]", STATUS_INPUT,
                    "\"feature_names\" must be an array of 3 names, one for each feature");
    changed_refused(LEARNER "feature_names", "\"abc\"", STATUS_INPUT, "array of 3 names");
    changed_refused(LEARNER "feature_names.1", "7", STATUS_INPUT,
                    "\"feature_names\": value 1 is not a string");
}

/* ---- categories ---- */

static void
refuses_categories_out_of_range(void **state)
{
    (void)state;
    changed_refused(TREE "categories_sizes.0", "3", STATUS_INPUT,
                    "tree 0 node 1: its categories (3 from 0) are not within the tree's list of 2");
    changed_refused(TREE "categories_segments.0", "-1", STATUS_INPUT, "(2 from -1)");
    changed_refused(TREE "categories_segments.0", "9223372036854775807", STATUS_INPUT,
                    "are not within the tree's list of 2");
    changed_refused(TREE "categories_sizes.0", "0", STATUS_INPUT, "(0 from 0)");
    changed_refused(TREE "categories.1", "-1", STATUS_INPUT,
                    "node 1: its category 1 is not a whole number from 0 to 16777215");
    changed_refused(TREE "categories.0", "16777216", STATUS_INPUT, "its category 0 is not");
    changed_refused(TREE "categories.0", "0.5", STATUS_INPUT, "its category 0 is not");
    changed_refused(TREE "categories_nodes.0", "6", STATUS_INPUT,
                    "tree 0: \"categories_nodes\" must name nodes from 0 to 5, each once; value 0 "
                    "does not");
    changed_refused(TREE "categories_nodes.0", "0", STATUS_INPUT,
                    "tree 0 node 1: a categorical split that has no categories");
    changed_refused(TREE "categories_nodes", "[]", STATUS_INPUT,
                    "tree 0: its lists of categorical splits differ in length");
    changed_refused(TREE "categories", "\"37\"", STATUS_INPUT, "\"categories\" must be an array");
}

static void
refuses_two_splits_that_share_categories(void **state)
{
    (void)state;
    json_t *document = parse(SMALL("null"));
    change(document, TREE "split_type.0", "1");
    change(document, TREE "categories_nodes", "[1,0]");
    change(document, TREE "categories_segments", "[0,0]");
    change(document, TREE "categories_sizes", "[2,2]");
    document_refused(document, STATUS_INPUT, "its categories are also another split's");
    change(document, TREE "categories_nodes", "[1,1]");
    document_refused(document, STATUS_INPUT, "each once; value 1 does not");
    json_decref(document);
}

/* ---- what is valid, and not read here ---- */

static void
refuses_vector_leaves(void **state)
{
    (void)state;
    changed_refused(TREE "tree_param.size_leaf_vector", "\"2\"", STATUS_UNSUPPORTED,
                    "tree 0: vector leaves (multi_strategy=multi_output_tree) are not read here");
    changed_refused(MODEL "gbtree_model_param.size_leaf_vector", "\"3\"", STATUS_UNSUPPORTED,
                    "trees with vector leaves (size_leaf_vector) are not read here");
}

static void
refuses_objectives_and_boosters_it_does_not_know(void **state)
{
    (void)state;
    changed_refused(LEARNER "objective.name", "\"survival:cox\"", STATUS_UNSUPPORTED,
                    "objective \"survival:cox\" is not one that is read here");
    changed_refused(LEARNER "objective.name", "\"binary:logistics\"", STATUS_UNSUPPORTED,
                    "\"binary:logistics\"");
    changed_refused(LEARNER "objective", NULL, STATUS_INPUT, "\"objective\" is missing");
    changed_refused(BOOSTER "name", "\"gblinear\"", STATUS_UNSUPPORTED,
                    "booster \"gblinear\": gbtree and dart are read here");
}

static void
refuses_weights_that_do_not_fit_the_trees(void **state)
{
    (void)state;
    changed_refused(BOOSTER "weight_drop", "[1]", STATUS_INPUT,
                    "\"weight_drop\" must be an array of 2 numbers, one for each tree");
    changed_refused(MODEL "weight_drop", "{}", STATUS_INPUT, "\"weight_drop\" must be an array");
    changed_refused(MODEL "weight_drop", "[1,null]", STATUS_INPUT,
                    "tree 1: its weight (weight_drop) is not a finite number");
    changed_refused(BOOSTER "name", "\"dart\"", STATUS_INPUT, "\"gbtree\" is missing");
    json_t *document = parse(SMALL("null"));
    change(document, BOOSTER "name", "\"dart\"");
    change(document, BOOSTER "gbtree", "{\"model\":{}}");
    document_refused(document, STATUS_INPUT, "a dart booster needs \"weight_drop\"");
    json_decref(document);
}

static void
refuses_base_scores_that_the_objective_cannot_take(void **state)
{
    (void)state;
    static const char form[] = "\"base_score\" must be a number or a list of numbers";
    changed_refused(PARAM "base_score", "\"half\"", STATUS_INPUT, form);
    changed_refused(PARAM "base_score", "\"\"", STATUS_INPUT, form);
    changed_refused(PARAM "base_score", "\"nan\"", STATUS_INPUT, form);
    changed_refused(PARAM "base_score", "\"[0.5\"", STATUS_INPUT, form);
    changed_refused(PARAM "base_score", "\"[0.5]]\"", STATUS_INPUT, form);
    changed_refused(PARAM "base_score", "\"[]\"", STATUS_INPUT, form);
    changed_refused(PARAM "base_score", "\"0.5,0.5\"", STATUS_INPUT, form);
    changed_refused(PARAM "base_score", "[0.5]", STATUS_INPUT, form);
    changed_refused(PARAM "base_score", "\"[0.5,0.5]\"", STATUS_INPUT,
                    "\"base_score\" has more values than the model has outputs");
    changed_refused(PARAM "base_score", "\"0\"", STATUS_INPUT,
                    "\"base_score\" is 0; this objective needs one between 0 and 1");
    changed_refused(PARAM "base_score", "\"1.5\"", STATUS_INPUT, "\"base_score\" is 1.5");
    changed_refused("version", "\"1.7.4\"", STATUS_INPUT,
                    "\"version\" must be an array of numbers, like [1,7,4]");
    json_t *document = parse(SMALL("null"));
    change(document, LEARNER "objective.name", "\"count:poisson\"");
    change(document, PARAM "base_score", "\"0\"");
    document_refused(document, STATUS_INPUT, "this objective needs one over 0");
    change(document, LEARNER "objective.name", "\"reg:squarederror\"");
    change(document, PARAM "base_score", "\"1e39\"");
    document_refused(document, STATUS_INPUT, "\"base_score\" is 1e+39: too large");
    json_decref(document);
}

/* ---- UBJSON's own ---- */

#define BYTES(TEXT) view_of((TEXT), sizeof(TEXT) - 1)
#define L8(LAST) "L\0\0\0\0\0\0\0" LAST

static void
refuses_ubjson_whose_lengths_lie(void **state)
{
    (void)state;
    refused(BYTES("{" L8("\1") "a[$d#L\0\0\0\0\x80\0\0\0"), STATUS_INPUT,
            "UBJSON byte 24: a length is past the end");
    refused(BYTES("{" L8("\1") "a[#L\x7f\xff\xff\xff\xff\xff\xff\xffZ"), STATUS_INPUT,
            "a length is past the end");
    refused(BYTES("{" L8("\1") "a[$D#L\x20\0\0\0\0\0\0\1dddddddd"), STATUS_INPUT,
            "a length is past the end");
    refused(BYTES("{" L8("\1") "a[#i\xff"), STATUS_INPUT, "a length is past the end");
    refused(BYTES("{" L8("\5") "a"), STATUS_INPUT, "a length is past the end");
    refused(BYTES("{" L8("\1") "aSl\x7f\xff\xff\xff"), STATUS_INPUT, "a length is past the end");
    refused(BYTES("{" L8("\1") "aSd\0\0\0\0"), STATUS_INPUT, "an integer is needed here");
}

static void
refuses_ubjson_that_is_not_well_formed(void **state)
{
    (void)state;
    refused(BYTES("{i\1a"), STATUS_INPUT, "UBJSON byte 4: cut short");
    refused(BYTES("{i\1aN}"), STATUS_INPUT, "UBJSON byte 5: an unknown marker");
    refused(BYTES("{i\1aTi\1aF}"), STATUS_INPUT, "a name stands twice in one object");
    refused(BYTES("{i\1aT}}"), STATUS_INPUT, "bytes after the end");
    refused(BYTES("{i\1\xffT}"), STATUS_INPUT, "a string is cut short or not UTF-8");
    refused(BYTES("{i\1aSi\2b\0}"), STATUS_INPUT, "a string is cut short or not UTF-8");
    refused(BYTES("{i\1a[$S#i\1"), STATUS_INPUT, "a typed array holds numbers and has a count");
    refused(BYTES("{i\1a[$i]"), STATUS_INPUT, "a typed array holds numbers and has a count");
    refused(BYTES("{i\1a[TT"), STATUS_INPUT, "an array does not end");
    refused(BYTES("{i\1aT"), STATUS_INPUT, "an object does not end");
}

static void
refuses_nesting_and_names_past_the_limit(void **state)
{
    (void)state;
    char deep[400] = "{i\1a", json[400] = "{\"a\":", name[300] = "{U\xff";
    memset(deep + 4, '[', 300);
    memset(json + 5, '[', 300);
    refused(view_of(deep, 304), STATUS_INPUT, "nested too deeply");
    refused(view_of(json, 305), STATUS_INPUT, "JSON nested deeper than 64");
    memset(name + 3, 'a', 255);
    strcpy(name + 258, "T}");
    refused(view_of(name, 260), STATUS_INPUT, "\"learner\" is missing");
    char longer[300] = "{I\1";
    memset(longer + 4, 'a', 256);
    longer[3] = 0;
    strcpy(longer + 260, "T}");
    refused(view_of(longer, 262), STATUS_INPUT, "a name is longer than 255 bytes");
}

/* Memory is bounded by the number of values, whatever the bytes say. */
static void
refuses_more_values_than_the_limit(void **state)
{
    (void)state;
    struct diag diag = {0};
    json_t *value = NULL;
    char many[64] = "[#i";
    many[3] = 40;
    memset(many + 4, 'Z', 40);
    assert_status(ubjson_parse(view_of(many, 44), 56, &diag, &value), LIMIT);
    assert_says(&diag, "more than 56 values");
    assert_null(value);
    assert_ok(ubjson_parse(view_of(many, 44), 57, &diag, &value));
    assert_int_equal(json_array_size(value), 40);
    json_decref(value);
    assert_status(ubjson_parse(view_of("[{}{}]", 6), 50, &diag, &value), LIMIT);
    /* empty containers are the dearest for their bytes: 5 MB of them would take 3 GB */
    const size_t n = FOREST_MAX_VALUES / UBJSON_CONTAINER_VALUES + 1;
    char *text = malloc(n + 1);
    assert_non_null(text);
    memset(text, '{', n);
    refused(view_of(text, n), STATUS_LIMIT, "JSON with more than 67108864 values");
    free(text);
}

/* ---- what must be taken ---- */

static void
reads_every_spelling_of_the_same_model(void **state)
{
    (void)state;
    static const float x[3] = {7, 0.25f, 0}; /* left, then right by its category */
    assert_near(changed_margin(NULL, NULL, x), 1.125, 0);
    assert_near(changed_margin(PARAM "base_score", "\"[5E-1]\"", x), 1.125, 0);
    assert_near(changed_margin(PARAM "base_score", "0.5", x), 1.125, 0);
    assert_near(changed_margin(PARAM "base_score", NULL, x), 1.125, 0);
    assert_near(changed_margin(TREE "default_left", "[true,false,false,false,false,false]", x),
                1.125, 0);
    assert_near(changed_margin(TREE "left_children", "[1E0,3E0,-1E0,-1E0,-1E0,-1E0]", x), 1.125, 0);
    assert_near(changed_margin(TREE "tree_param", NULL, x), 1.125, 0);
    assert_near(changed_margin("version", NULL, x), 1.125, 0);
    assert_near(changed_margin(LEARNER "feature_names", "[]", x), 1.125, 0);
    assert_near(changed_margin(MODEL "weight_drop", "[0.5,2]", x), 0.75, 0);
}

static void
goes_where_the_split_says(void **state)
{
    (void)state;
    static const struct {
        float x[3];
        double leaf;
    } cases[] = {
        {{3, 0.25f, 0}, 1.0},   /* listed: right */
        {{4, 0.25f, 0}, -0.5},  /* unlisted: left */
        {{NAN, 0.25f, 0}, 1.0}, /* missing: by default, right */
        {{99, 0.25f, 0}, -0.5},     {{-3, 0.25f, 0}, -0.5},   {{3.5f, 0.25f, 0}, 1.0},
        {{3, 0.5f, 0}, 0.25},                           /* not smaller than the threshold: right */
        {{3, 0.49999997f, 0}, 1.0}, {{3, NAN, 0}, 1.0}, /* missing: by default, left */
        {{3, INFINITY, 0}, 0.25},   {{3, -INFINITY, 0}, 1.0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_near(changed_margin(NULL, NULL, cases[i].x), cases[i].leaf + 0.125, 0);
    }
}

static void
drops_what_no_path_reaches(void **state)
{
    (void)state;
    DEFER(forest_freep) struct forest *f = NULL;
    assert_ok(load(view_str(SMALL("NaN")), NULL, &f));
    assert_int_equal(f->nodes, 6); /* 5 of the first, 1 of the second */
    assert_int_equal(f->depth, 2);
    assert_string_equal(f->feature_names[2], "c");
    for (uint32_t n = 0; n < f->nodes; n++) {
        assert_true(f->value[n] != 9.0);
    }
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(refuses_what_is_no_model),
        cmocka_unit_test(refuses_json_cut_short_at_every_byte),
        cmocka_unit_test(refuses_ubjson_cut_short_at_every_byte),
        cmocka_unit_test(refuses_a_cycle),
        cmocka_unit_test(refuses_a_child_index_out_of_range),
        cmocka_unit_test(refuses_thresholds_and_leaves_that_are_no_numbers),
        cmocka_unit_test(reads_nan_in_json_but_not_as_a_threshold),
        cmocka_unit_test(refuses_covers_and_flags_out_of_range),
        cmocka_unit_test(refuses_a_feature_that_the_model_does_not_have),
        cmocka_unit_test(refuses_arrays_of_other_lengths_and_types),
        cmocka_unit_test(refuses_a_tree_deeper_than_the_limit),
        cmocka_unit_test(refuses_two_to_the_31_trees),
        cmocka_unit_test(refuses_tree_info_that_does_not_fit),
        cmocka_unit_test(refuses_more_features_and_outputs_than_the_limit),
        cmocka_unit_test(refuses_categories_out_of_range),
        cmocka_unit_test(refuses_two_splits_that_share_categories),
        cmocka_unit_test(refuses_vector_leaves),
        cmocka_unit_test(refuses_objectives_and_boosters_it_does_not_know),
        cmocka_unit_test(refuses_weights_that_do_not_fit_the_trees),
        cmocka_unit_test(refuses_base_scores_that_the_objective_cannot_take),
        cmocka_unit_test(refuses_ubjson_whose_lengths_lie),
        cmocka_unit_test(refuses_ubjson_that_is_not_well_formed),
        cmocka_unit_test(refuses_nesting_and_names_past_the_limit),
        cmocka_unit_test(refuses_more_values_than_the_limit),
        cmocka_unit_test(reads_every_spelling_of_the_same_model),
        cmocka_unit_test(goes_where_the_split_says),
        cmocka_unit_test(drops_what_no_path_reaches),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
