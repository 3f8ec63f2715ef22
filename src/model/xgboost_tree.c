#include "model/xgboost_tree.h"

#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The arrays of one tree as they stand in the file; checked to be as long as the tree. */
struct source {
    const json_t *left, *right, *feature, *threshold, *default_left, *split_type, *cover;
    const json_t *cat_nodes, *cat_starts, *cat_sizes, *cats;
    struct diag *diag;
    uint32_t number;
    size_t nodes;
    uint32_t first;      /* our index of the root */
    uint32_t cats_end;   /* what its splits may fill of the forest's categories */
    int32_t *split_cats; /* nodes: index into cat_nodes, or -1 */
    uint8_t *seen;       /* nodes */
};

/* ---- numbers out of the document ---- */

bool
xgboost_integer(const json_t *value, int64_t *ret_value)
{
    if (json_is_integer(value)) {
        *ret_value = json_integer_value(value);
        return true;
    }
    if (json_is_boolean(value)) {
        *ret_value = json_is_true(value);
        return true;
    }
    const double v = json_is_real(value) ? json_real_value(value) : (double)NAN;
    if (fabs(v) < 1e15 && floor(v) == v) {
        *ret_value = (int64_t)v;
        return true;
    }
    return false;
}

float
xgboost_float(const json_t *value)
{
    const float v = json_is_number(value) ? (float)json_number_value(value) : NAN;
    return isfinite(v) ? v : NAN;
}

struct status
xgboost_parameter(const json_t *o, const char *key, uint64_t fallback, struct diag *diag,
                  uint64_t *ret_value)
{
    const json_t *v = json_object_get(o, key);
    int64_t number = 0;
    if (v == NULL) {
        *ret_value = fallback;
        return OK;
    }
    if (xgboost_integer(v, &number) && number >= 0) {
        *ret_value = (uint64_t)number;
        return OK;
    }
    if (!json_is_string(v) || !status_ok(text_to_u64(view_str(json_string_value(v)), ret_value))) {
        diag_set(diag, "\"%s\" must be a whole number from 0", key);
        FAIL(INPUT);
    }
    return OK;
}

__attribute__((format(printf, 3, 4))) static struct status
refuse(const struct source *s, size_t node, const char *format, ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    diag_set(s->diag, "tree %u node %zu: %s", s->number, node, what);
    FAIL(INPUT);
}

/* A whole number from low to high. */
static struct status
integer_in(const struct source *s, const json_t *array, const char *key, size_t node, int64_t low,
           int64_t high, int64_t *ret_value)
{
    int64_t v = 0;
    if (!xgboost_integer(json_array_get(array, node), &v)) {
        return refuse(s, node, "its %s is not a whole number", key);
    }
    if (v < low || v > high) {
        return refuse(s, node, "its %s is %lld, not one of %lld to %lld", key, (long long)v,
                      (long long)low, (long long)high);
    }
    *ret_value = v;
    return OK;
}

/* ---- the arrays ---- */

static struct status
array_of(const struct source *s, const json_t *tree, const char *key, const json_t **ret_array)
{
    const json_t *a = json_object_get(tree, key);
    if (!json_is_array(a) || json_array_size(a) != s->nodes) {
        diag_set(s->diag, "tree %u: \"%s\" must be an array of %zu values, one for each node",
                 s->number, key, s->nodes);
        FAIL(INPUT);
    }
    *ret_array = a;
    return OK;
}

/* Files of versions that knew no categories have none of these. */
static struct status
optional_array(const struct source *s, const json_t *tree, const char *key,
               const json_t **ret_array)
{
    const json_t *a = json_object_get(tree, key);
    if (a != NULL && !json_is_array(a)) {
        diag_set(s->diag, "tree %u: \"%s\" must be an array", s->number, key);
        FAIL(INPUT);
    }
    *ret_array = a;
    return OK;
}

static struct status
find_arrays(struct source *s, const json_t *tree)
{
    TRY(array_of(s, tree, "left_children", &s->left));
    TRY(array_of(s, tree, "right_children", &s->right));
    TRY(array_of(s, tree, "split_indices", &s->feature));
    TRY(array_of(s, tree, "split_conditions", &s->threshold));
    TRY(array_of(s, tree, "default_left", &s->default_left));
    TRY(array_of(s, tree, "sum_hessian", &s->cover));
    if (json_object_get(tree, "split_type") != NULL) {
        TRY(array_of(s, tree, "split_type", &s->split_type));
    }
    TRY(optional_array(s, tree, "categories_nodes", &s->cat_nodes));
    TRY(optional_array(s, tree, "categories_segments", &s->cat_starts));
    TRY(optional_array(s, tree, "categories_sizes", &s->cat_sizes));
    return optional_array(s, tree, "categories", &s->cats);
}

/* What the file says of the tree must be what it holds. */
static struct status
check_parameters(const struct source *s, const json_t *tree)
{
    const json_t *param = json_object_get(tree, "tree_param");
    uint64_t nodes = 0, leaf_vector = 0;
    TRY(xgboost_parameter(param, "num_nodes", s->nodes, s->diag, &nodes));
    TRY(xgboost_parameter(param, "size_leaf_vector", 0, s->diag, &leaf_vector));
    if (nodes != s->nodes) {
        diag_set(s->diag, "tree %u: \"num_nodes\" says %llu nodes; the file holds %zu", s->number,
                 (unsigned long long)nodes, s->nodes);
        FAIL(INPUT);
    }
    if (leaf_vector > 1) {
        diag_set(s->diag,
                 "tree %u: vector leaves (multi_strategy=multi_output_tree) are not read here",
                 s->number);
        FAIL(UNSUPPORTED);
    }
    return OK;
}

struct status
xgboost_tree_size(const json_t *tree, uint32_t number, struct diag *diag, size_t *ret_nodes,
                  size_t *ret_categories)
{
    const size_t nodes = json_array_size(json_object_get(tree, "left_children"));
    if (nodes == 0) {
        diag_set(diag, "tree %u: \"left_children\" must be an array with a value for each node",
                 number);
        FAIL(INPUT);
    }
    *ret_nodes = nodes;
    *ret_categories = json_array_size(json_object_get(tree, "categories"));
    return OK;
}

/* ---- categorical splits ---- */

static struct status
map_categories(struct source *s)
{
    const size_t n = json_array_size(s->cat_nodes);
    if (json_array_size(s->cat_starts) != n || json_array_size(s->cat_sizes) != n) {
        diag_set(s->diag, "tree %u: its lists of categorical splits differ in length", s->number);
        FAIL(INPUT);
    }
    memset(s->split_cats, 0xff, s->nodes * sizeof *s->split_cats);
    for (size_t i = 0; i < n; i++) {
        int64_t node = -1;
        if (!xgboost_integer(json_array_get(s->cat_nodes, i), &node) || node < 0 ||
            (uint64_t)node >= s->nodes || s->split_cats[node] >= 0) {
            diag_set(s->diag,
                     "tree %u: \"categories_nodes\" must name nodes from 0 to %zu, each once; "
                     "value %zu does not",
                     s->number, s->nodes - 1, i);
            FAIL(INPUT);
        }
        s->split_cats[node] = (int32_t)i;
    }
    return OK;
}

static int
compare_u32(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Where the split's categories stand in the tree's list. */
static struct status
find_categories(const struct source *s, size_t node, size_t room, size_t *ret_start,
                size_t *ret_count)
{
    const int32_t k = s->split_cats[node];
    const size_t have = json_array_size(s->cats);
    int64_t start = -1, count = -1;
    if (k < 0) {
        return refuse(s, node, "a categorical split that has no categories");
    }
    if (!xgboost_integer(json_array_get(s->cat_starts, (size_t)k), &start) ||
        !xgboost_integer(json_array_get(s->cat_sizes, (size_t)k), &count) || start < 0 ||
        count < 1 || (uint64_t)start > have || (uint64_t)count > have - (uint64_t)start) {
        return refuse(s, node,
                      "its categories (%lld from %lld) are not within the tree's list of %zu",
                      (long long)count, (long long)start, have);
    }
    if ((uint64_t)count > room) {
        return refuse(s, node, "its categories are also another split's");
    }
    *ret_start = (size_t)start;
    *ret_count = (size_t)count;
    return OK;
}

static struct status
read_categories(const struct source *s, size_t node, uint32_t at, struct forest_nodes *to)
{
    size_t start = 0, count = 0;
    TRY(find_categories(s, node, s->cats_end - to->categories_used, &start, &count));
    uint32_t *list = to->categories + to->categories_used;
    for (size_t i = 0; i < count; i++) {
        int64_t c = -1;
        if (!xgboost_integer(json_array_get(s->cats, start + i), &c) || c < 0 ||
            c >= FOREST_CATEGORIES_END) {
            return refuse(s, node, "its category %zu is not a whole number from 0 to %d", i,
                          FOREST_CATEGORIES_END - 1);
        }
        list[i] = (uint32_t)c;
    }
    qsort(list, count, sizeof *list, compare_u32);
    to->category_start[at] = to->categories_used;
    to->category_count[at] = (uint32_t)count;
    to->categories_used += (uint32_t)count;
    return OK;
}

/* ---- nodes ---- */

struct place {
    uint32_t node, depth;
};

static struct status
read_split(const struct source *s, size_t node, uint32_t at, struct forest_nodes *to)
{
    int64_t feature = 0, default_left = 0, type = 0;
    TRY(integer_in(s, s->feature, "feature (split_indices)", node, 0, (int64_t)to->features - 1,
                   &feature));
    TRY(integer_in(s, s->default_left, "default_left", node, 0, 1, &default_left));
    if (s->split_type != NULL) {
        TRY(integer_in(s, s->split_type, "split_type", node, 0, 1, &type));
    }
    to->feature[at] = (uint32_t)feature;
    to->default_left[at] = (uint8_t)default_left;
    if (type == 1) {
        return read_categories(s, node, at, to);
    }
    to->threshold[at] = xgboost_float(json_array_get(s->threshold, node));
    if (isnan(to->threshold[at])) {
        return refuse(s, node, "its threshold (split_conditions) is not a finite number");
    }
    return OK;
}

static struct status
read_leaf(const struct source *s, struct place p, uint32_t at, struct forest_nodes *to)
{
    int64_t right = 0;
    TRY(integer_in(s, s->right, "right child, beside a left child of -1,", p.node, -1, -1, &right));
    const float value = xgboost_float(json_array_get(s->threshold, p.node));
    if (isnan(value)) {
        return refuse(s, p.node, "its leaf value (split_conditions) is not a finite number");
    }
    to->left[at] = to->right[at] = -1;
    to->value[at] = (double)value;
    to->depth = p.depth > to->depth ? p.depth : to->depth;
    return OK;
}

static struct status
push_child(struct source *s, struct place p, const json_t *array, const char *word,
           struct place *queue, size_t *tail)
{
    int64_t child = 0;
    TRY(integer_in(s, array, word, p.node, 0, (int64_t)s->nodes - 1, &child));
    if (s->seen[child] != 0) {
        return refuse(s, p.node,
                      "its %s %lld is reached twice: a cycle, or a node with two parents", word,
                      (long long)child);
    }
    s->seen[child] = 1;
    queue[(*tail)++] = (struct place){(uint32_t)child, p.depth + 1};
    return OK;
}

/* Fills our node `at` from the file's; pushes its children on the queue. */
static struct status
read_node(struct source *s, struct place p, uint32_t at, struct place *queue, size_t *tail,
          struct forest_nodes *to)
{
    const float cover = xgboost_float(json_array_get(s->cover, p.node));
    if (!(cover >= 0)) {
        return refuse(s, p.node, "its cover (sum_hessian) is not a finite number from 0");
    }
    to->cover[at] = (double)cover;
    int64_t left = 0;
    if (xgboost_integer(json_array_get(s->left, p.node), &left) && left == -1) {
        return read_leaf(s, p, at, to);
    }
    if (p.depth == FOREST_MAX_DEPTH) {
        return refuse(s, p.node, "deeper than %u levels", FOREST_MAX_DEPTH);
    }
    to->left[at] = (int32_t)(s->first + *tail);
    to->right[at] = (int32_t)(s->first + *tail + 1);
    TRY(push_child(s, p, s->left, "left child", queue, tail));
    TRY(push_child(s, p, s->right, "right child", queue, tail));
    return read_split(s, p.node, at, to);
}

/* Breadth first: the i-th of the walk becomes node first + i, so that siblings are neighbours. The
 * queue never holds a node twice, so it has room for all. */
static struct status
walk(struct source *s, struct place *queue, struct forest_nodes *to)
{
    size_t head = 0, tail = 0;
    queue[tail++] = (struct place){0};
    s->seen[0] = 1;
    while (head < tail) {
        const uint32_t at = s->first + (uint32_t)head;
        TRY(read_node(s, queue[head++], at, queue, &tail, to));
    }
    to->used += (uint32_t)tail;
    return OK;
}

static void
source_done(struct source *s)
{
    free(s->split_cats);
    free(s->seen);
}

struct status
xgboost_tree_read(const json_t *tree, uint32_t number, struct diag *diag, struct forest_nodes *to)
{
    DEFER(source_done)
    struct source s = {.diag = diag, .number = number, .first = to->used};
    size_t categories = 0;
    TRY(xgboost_tree_size(tree, number, diag, &s.nodes, &categories));
    s.cats_end = to->categories_used + (uint32_t)categories;
    TRY(check_parameters(&s, tree));
    TRY(find_arrays(&s, tree));
    s.split_cats = calloc(s.nodes, sizeof *s.split_cats);
    s.seen = calloc(s.nodes, 1);
    DEFER(memory_freep) struct place *queue = calloc(s.nodes, sizeof *queue);
    CHECK(s.split_cats != NULL && s.seen != NULL && queue != NULL, MEMORY);
    TRY(map_categories(&s));
    return walk(&s, queue, to);
}
