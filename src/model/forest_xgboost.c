/* XGBoost's JSON and UBJSON model schema (doc/model.schema, versions 1.x to 3.x) into a forest.
 * Models are untrusted: the document is read first, then every tree is walked from its root with
 * every index checked; what is not reached is dropped, what is reached twice is refused. */
#include "model/forest.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/text.h"
#include "model/ubjson.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Forest and the arena that holds it. */
struct held {
    struct forest f;
    struct arena *arena;
};

void
forest_free(struct forest *f)
{
    if (f != NULL) {
        arena_free(((struct held *)f)->arena);
    }
}

struct loader {
    struct diag *diag;
    struct arena *arena;
    struct forest *f;
    /* the same arrays, writable while loading */
    uint32_t *tree_start, *tree_output;
    double *tree_weight;
    int32_t *left, *right;
    uint32_t *feature;
    float *threshold;
    uint8_t *default_left;
    double *value, *cover;
    uint32_t *category_start, *category_count, *categories;
    size_t category_capacity, category_used;
};

/* ---- numbers out of the document ---- */

/* Parameters are numbers written as strings ("13"). */
static struct status
param_u64(const json_t *o, const char *key, uint64_t fallback, struct diag *diag,
          uint64_t *ret_value)
{
    const json_t *v = json_object_get(o, key);
    if (v == NULL) {
        *ret_value = fallback;
        return OK;
    }
    if (json_is_integer(v) && json_integer_value(v) >= 0) {
        *ret_value = (uint64_t)json_integer_value(v);
        return OK;
    }
    if (!json_is_string(v) || !status_ok(text_to_u64(view_str(json_string_value(v)), ret_value))) {
        diag_set(diag, "\"%s\" is not a whole number", key);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
tree_refuse(const struct loader *l, uint32_t tree, size_t node, const char *what)
{
    diag_set(l->diag, "tree %u node %zu: %s", tree, node, what);
    FAIL(INPUT);
}

/* The arrays of one tree, all of the same length. */
struct tree_arrays {
    const json_t *left, *right, *feature, *threshold, *default_left, *split_type, *cover;
    const json_t *cat_nodes, *cat_starts, *cat_sizes, *cats;
    uint32_t tree;
    size_t nodes;
    int32_t *category_of; /* nodes: index into cat_nodes, or -1 */
    uint8_t *seen;        /* nodes */
};

static int64_t
integer_at(const json_t *array, size_t i, int64_t fallback)
{
    const json_t *v = json_array_get(array, i);
    if (json_is_integer(v)) {
        return json_integer_value(v);
    }
    if (json_is_boolean(v)) {
        return json_is_true(v);
    }
    if (json_is_real(v) && json_real_value(v) == floor(json_real_value(v)) &&
        fabs(json_real_value(v)) < 1e15) {
        return (int64_t)json_real_value(v);
    }
    return fallback;
}

static double
number_at(const json_t *array, size_t i)
{
    const json_t *v = json_array_get(array, i);
    return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

static struct status
need_length(const struct loader *l, const json_t *tree, const char *key, uint32_t number,
            size_t nodes, bool optional, const json_t **ret_array)
{
    json_t *a = json_object_get(tree, key);
    if (a == NULL && optional) {
        *ret_array = NULL;
        return OK;
    }
    if (!json_is_array(a) || json_array_size(a) != nodes) {
        diag_set(l->diag, "tree %u: \"%s\" must be an array of %zu values, one for each node",
                 number, key, nodes);
        FAIL(INPUT);
    }
    *ret_array = a;
    return OK;
}

/* ---- categorical splits ---- */

static const json_t *
array_or_empty(const json_t *tree, const char *key)
{
    const json_t *a = json_object_get(tree, key);
    return json_is_array(a) ? a : NULL;
}

static struct status
map_categories(const struct loader *l, const json_t *tree, struct tree_arrays *t)
{
    t->cat_nodes = array_or_empty(tree, "categories_nodes");
    t->cat_starts = array_or_empty(tree, "categories_segments");
    t->cat_sizes = array_or_empty(tree, "categories_sizes");
    t->cats = array_or_empty(tree, "categories");
    const size_t n = json_array_size(t->cat_nodes);
    if (json_array_size(t->cat_starts) != n || json_array_size(t->cat_sizes) != n) {
        diag_set(l->diag, "tree %u: its lists of categorical splits differ in length", t->tree);
        FAIL(INPUT);
    }
    memset(t->category_of, 0xff, t->nodes * sizeof *t->category_of);
    for (size_t i = 0; i < n; i++) {
        const int64_t node = integer_at(t->cat_nodes, i, -1);
        if (node < 0 || (uint64_t)node >= t->nodes) {
            diag_set(l->diag, "tree %u: categorical split at node %lld, which it does not have",
                     t->tree, (long long)node);
            FAIL(INPUT);
        }
        t->category_of[node] = (int32_t)i;
    }
    return OK;
}

static int
compare_u32(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static struct status
read_categories(struct loader *l, const struct tree_arrays *t, size_t node, uint32_t at)
{
    const int32_t k = t->category_of[node];
    if (k < 0) {
        return tree_refuse(l, t->tree, node, "a categorical split without its categories");
    }
    const int64_t start = integer_at(t->cat_starts, (size_t)k, -1),
                  size = integer_at(t->cat_sizes, (size_t)k, -1);
    const size_t have = json_array_size(t->cats);
    if (start < 0 || size <= 0 || (uint64_t)start > have ||
        (uint64_t)size > have - (uint64_t)start ||
        (uint64_t)size > l->category_capacity - l->category_used) {
        return tree_refuse(l, t->tree, node,
                           "its categories lie outside the tree's list, or are none");
    }
    uint32_t *to = l->categories + l->category_used;
    for (int64_t i = 0; i < size; i++) {
        const int64_t c = integer_at(t->cats, (size_t)(start + i), -1);
        if (c < 0 || c >= 1 << 24) {
            return tree_refuse(l, t->tree, node,
                               "a category is not a whole number from 0 to 2^24 - 1");
        }
        to[i] = (uint32_t)c;
    }
    qsort(to, (size_t)size, sizeof *to, compare_u32);
    l->category_start[at] = (uint32_t)l->category_used;
    l->category_count[at] = (uint32_t)size;
    l->category_used += (size_t)size;
    return OK;
}

/* ---- one tree ---- */

struct place {
    uint32_t file_node, depth;
};

static struct status
read_split(struct loader *l, const struct tree_arrays *t, size_t node, uint32_t at)
{
    const int64_t feature = integer_at(t->feature, node, -1);
    const double threshold = number_at(t->threshold, node);
    if (feature < 0 || feature >= l->f->features) {
        return tree_refuse(l, t->tree, node, "it splits on a feature that the model does not have");
    }
    l->feature[at] = (uint32_t)feature;
    l->default_left[at] = integer_at(t->default_left, node, 0) != 0;
    if (t->split_type != NULL && integer_at(t->split_type, node, 0) == 1) {
        return read_categories(l, t, node, at); /* its threshold means nothing, and may be NaN */
    }
    if (!isfinite(threshold)) {
        return tree_refuse(l, t->tree, node, "its threshold is not a number");
    }
    l->threshold[at] = (float)threshold;
    return OK;
}

/* A child's index in the file, checked; marks it seen. */
static struct status
take_child(const struct loader *l, struct tree_arrays *t, size_t node, const json_t *array,
           const char *word, uint32_t *ret_child)
{
    const int64_t child = integer_at(array, node, -2);
    if (child < 0 || (uint64_t)child >= t->nodes) {
        diag_set(l->diag, "tree %u node %zu: its %s child is %lld; the tree has nodes 0 to %zu",
                 t->tree, node, word, (long long)child, t->nodes - 1);
        FAIL(INPUT);
    }
    if (t->seen[child] != 0) {
        diag_set(l->diag,
                 "tree %u node %zu: its %s child %lld is reached twice: a cycle, or two parents",
                 t->tree, node, word, (long long)child);
        FAIL(INPUT);
    }
    t->seen[child] = 1;
    *ret_child = (uint32_t)child;
    return OK;
}

/* Fills node `at` from the file's node; pushes its children on the queue. */
static struct status
read_node(struct loader *l, struct tree_arrays *t, struct place p, uint32_t at, struct place *queue,
          size_t *tail)
{
    const size_t node = p.file_node;
    const double cover = number_at(t->cover, node);
    if (!(cover >= 0) || !isfinite(cover)) {
        return tree_refuse(l, t->tree, node, "its sum_hessian is not a number from 0");
    }
    l->cover[at] = cover;
    if (integer_at(t->left, node, -2) == -1) {
        const double value = number_at(t->threshold, node);
        if (!isfinite(value) || integer_at(t->right, node, -2) != -1) {
            return tree_refuse(l, t->tree, node,
                               "a leaf without a finite value, or with one child");
        }
        l->left[at] = l->right[at] = -1;
        l->value[at] = (double)(float)value;
        l->f->depth = p.depth > l->f->depth ? p.depth : l->f->depth;
        return OK;
    }
    if (p.depth == FOREST_MAX_DEPTH) {
        return tree_refuse(l, t->tree, node, "deeper than 64 levels");
    }
    struct place child = {.depth = p.depth + 1};
    TRY(take_child(l, t, node, t->left, "left", &child.file_node));
    queue[(*tail)++] = child;
    TRY(take_child(l, t, node, t->right, "right", &child.file_node));
    queue[(*tail)++] = child;
    return read_split(l, t, node, at);
}

/* Breadth first: node i of the walk becomes node first + i, so that siblings are neighbours. */
static struct status
walk_tree(struct loader *l, struct tree_arrays *t, struct place *queue, uint32_t first,
          uint32_t *ret_count)
{
    size_t head = 0, tail = 0;
    queue[tail++] = (struct place){0};
    t->seen[0] = 1;
    while (head < tail) {
        const uint32_t at = first + (uint32_t)head;
        const size_t children = tail;
        TRY(read_node(l, t, queue[head++], at, queue, &tail));
        if (tail > children) {
            l->left[at] = (int32_t)(first + children);
            l->right[at] = (int32_t)(first + children + 1);
        }
    }
    *ret_count = (uint32_t)tail;
    return OK;
}

static void
free_places(struct place **p)
{
    free(*p);
}

static void
tree_arrays_done(struct tree_arrays *t)
{
    free(t->category_of);
    free(t->seen);
}

static struct status
read_tree(struct loader *l, const json_t *tree, uint32_t number, uint32_t *next)
{
    DEFER(tree_arrays_done) struct tree_arrays t = {.tree = number};
    t.nodes = json_array_size(json_object_get(tree, "left_children"));
    TRY(need_length(l, tree, "left_children", number, t.nodes, false, &t.left));
    TRY(need_length(l, tree, "right_children", number, t.nodes, false, &t.right));
    TRY(need_length(l, tree, "split_indices", number, t.nodes, false, &t.feature));
    TRY(need_length(l, tree, "split_conditions", number, t.nodes, false, &t.threshold));
    TRY(need_length(l, tree, "default_left", number, t.nodes, false, &t.default_left));
    TRY(need_length(l, tree, "sum_hessian", number, t.nodes, false, &t.cover));
    TRY(need_length(l, tree, "split_type", number, t.nodes, true, &t.split_type));
    t.category_of = calloc(t.nodes, sizeof *t.category_of);
    t.seen = calloc(t.nodes, 1);
    DEFER(free_places) struct place *queue = calloc(t.nodes + 2, sizeof *queue);
    CHECK(t.category_of != NULL && t.seen != NULL && queue != NULL, MEMORY);
    TRY(map_categories(l, tree, &t));
    uint32_t count = 0;
    TRY(walk_tree(l, &t, queue, *next, &count));
    *next += count;
    return OK;
}

/* ---- the whole ---- */

static struct status
count_all(struct loader *l, const json_t *trees, size_t *ret_nodes, size_t *ret_categories)
{
    size_t i = 0, nodes = 0, categories = 0;
    json_t *tree = NULL;
    json_array_foreach(trees, i, tree)
    {
        const size_t n = json_array_size(json_object_get(tree, "left_children"));
        if (n == 0) {
            diag_set(l->diag, "tree %zu: no nodes", i);
            FAIL(INPUT);
        }
        nodes += n;
        categories += json_array_size(json_object_get(tree, "categories"));
        if (nodes > FOREST_MAX_NODES || categories > FOREST_MAX_NODES) {
            diag_set(l->diag, "more than %u nodes or categories", FOREST_MAX_NODES);
            FAIL(LIMIT);
        }
    }
    *ret_nodes = nodes;
    *ret_categories = categories;
    return OK;
}

#define TAKE(L, FIELD, N) (((L)->FIELD = arena_alloc((L)->arena, (N), sizeof *(L)->FIELD)) != NULL)

static struct status
allocate(struct loader *l, size_t trees, size_t nodes, size_t categories)
{
    l->category_capacity = categories;
    CHECK(TAKE(l, tree_start, trees + 1) && TAKE(l, tree_output, trees + 1) &&
              TAKE(l, tree_weight, trees + 1),
          MEMORY);
    CHECK(TAKE(l, left, nodes) && TAKE(l, right, nodes) && TAKE(l, feature, nodes) &&
              TAKE(l, threshold, nodes),
          MEMORY);
    CHECK(TAKE(l, default_left, nodes) && TAKE(l, value, nodes) && TAKE(l, cover, nodes), MEMORY);
    CHECK(TAKE(l, category_start, nodes) && TAKE(l, category_count, nodes) &&
              TAKE(l, categories, categories + 1),
          MEMORY);
    return OK;
}

static void
publish(struct loader *l)
{
    struct forest *f = l->f;
    f->tree_start = l->tree_start;
    f->tree_output = l->tree_output;
    f->tree_weight = l->tree_weight;
    f->left = l->left;
    f->right = l->right;
    f->feature = l->feature;
    f->threshold = l->threshold;
    f->default_left = l->default_left;
    f->value = l->value;
    f->cover = l->cover;
    f->category_start = l->category_start;
    f->category_count = l->category_count;
    f->categories = l->categories;
}

static struct status
pack(struct loader *l)
{
    struct forest_step *step = arena_alloc(l->arena, l->f->nodes, sizeof *step);
    CHECK(step != NULL, MEMORY);
    for (uint32_t n = 0; n < l->f->nodes; n++) {
        step[n] = (struct forest_step){
            .rule = l->feature[n] | (l->default_left[n] != 0 ? FOREST_DEFAULT_LEFT : 0) |
                    (l->category_count[n] > 0 ? FOREST_BY_CATEGORY : 0),
            .threshold = l->threshold[n],
            .next = l->left[n] < 0 ? n : (uint32_t)l->left[n],
        };
    }
    l->f->step = step;
    return OK;
}

static struct status
read_weights(struct loader *l, const json_t *weights, uint32_t trees)
{
    if (weights != NULL && json_array_size(weights) != trees) {
        diag_set(l->diag, "\"weight_drop\" has %zu values for %u trees", json_array_size(weights),
                 trees);
        FAIL(INPUT);
    }
    for (uint32_t i = 0; i < trees; i++) {
        l->tree_weight[i] = weights == NULL ? 1 : number_at(weights, i);
        if (!isfinite(l->tree_weight[i])) {
            diag_set(l->diag, "tree %u: its weight is not a number", i);
            FAIL(INPUT);
        }
    }
    return OK;
}

static struct status
read_trees(struct loader *l, const json_t *model, const json_t *weights)
{
    json_t *trees = NULL, *info = NULL;
    size_t nodes = 0, categories = 0;
    TRY(js_need_array(model, "trees", l->diag, &trees));
    TRY(js_need_array(model, "tree_info", l->diag, &info));
    const size_t count = json_array_size(trees);
    if (count > FOREST_MAX_TREES || json_array_size(info) != count) {
        diag_set(l->diag, "%zu trees with %zu in \"tree_info\"; at most %u, and the same of both",
                 count, json_array_size(info), FOREST_MAX_TREES);
        FAIL(INPUT);
    }
    TRY(count_all(l, trees, &nodes, &categories));
    TRY(allocate(l, count, nodes + 1, categories));
    TRY(read_weights(l, weights, (uint32_t)count));
    uint32_t next = 0;
    for (uint32_t i = 0; i < count; i++) {
        const int64_t output = integer_at(info, i, -1);
        if (output < 0 || output >= l->f->outputs) {
            diag_set(l->diag, "tree %u: adds to output %lld of %u", i, (long long)output,
                     l->f->outputs);
            FAIL(INPUT);
        }
        l->tree_output[i] = (uint32_t)output;
        l->tree_start[i] = next;
        TRY(read_tree(l, json_array_get(trees, i), i, &next));
    }
    l->tree_start[count] = next;
    l->f->trees = (uint32_t)count;
    l->f->nodes = next;
    publish(l);
    return pack(l);
}

/* ---- objective and base score ---- */

/* How base_score in the file becomes a margin (ProbToMargin) and a margin an answer, for each
 * objective. */
static const struct {
    const char *prefix;
    enum forest_link link;
    enum { BASE_AS_IS, BASE_LOGIT, BASE_LOG } base;
} objectives[] = {
    {"binary:logistic", FOREST_LOGISTIC, BASE_LOGIT},
    {"reg:logistic", FOREST_LOGISTIC, BASE_LOGIT},
    {"binary:logitraw", FOREST_IDENTITY, BASE_LOGIT},
    {"multi:softprob", FOREST_SOFTMAX, BASE_AS_IS},
    {"multi:softmax", FOREST_SOFTMAX, BASE_AS_IS},
    {"count:poisson", FOREST_EXP, BASE_LOG},
    {"reg:gamma", FOREST_EXP, BASE_LOG},
    {"reg:tweedie", FOREST_EXP, BASE_LOG},
    {"reg:squarederror", FOREST_IDENTITY, BASE_AS_IS},
    {"reg:squaredlogerror", FOREST_IDENTITY, BASE_AS_IS},
    {"reg:pseudohubererror", FOREST_IDENTITY, BASE_AS_IS},
    {"reg:absoluteerror", FOREST_IDENTITY, BASE_AS_IS},
    {"rank:", FOREST_IDENTITY, BASE_AS_IS},
};

static struct status
base_margin(const struct loader *l, size_t objective, double score, double *ret_margin)
{
    const float s = (float)score;
    if (objectives[objective].base == BASE_LOGIT) {
        if (!(s > 0 && s < 1)) {
            diag_set(l->diag, "\"base_score\" is %g; this objective needs one between 0 and 1",
                     score);
            FAIL(INPUT);
        }
        *ret_margin = (double)-logf(1.0f / s - 1.0f);
    } else if (objectives[objective].base == BASE_LOG) {
        if (!(s > 0)) {
            diag_set(l->diag, "\"base_score\" is %g; this objective needs one over 0", score);
            FAIL(INPUT);
        }
        *ret_margin = (double)logf(s);
    } else {
        *ret_margin = (double)s;
    }
    CHECK(isfinite(*ret_margin), INPUT);
    return OK;
}

/* "5E-1" (until 3.0), "[5E-1]" or "[1E0,2E0,3E0]" (since 3.1), or the number itself. */
static struct status
next_score(const struct loader *l, const char **at, double *ret_score)
{
    const size_t n = strcspn(*at, ",]");
    if (!status_ok(text_to_f64(view_of(*at, n), ret_score))) {
        diag_set(l->diag, "\"base_score\" is not a number or a list of numbers");
        FAIL(INPUT);
    }
    *at += n;
    return OK;
}

static struct status
read_scores(const struct loader *l, const char *text, double *scores, uint32_t *ret_count)
{
    const bool list = *text == '[';
    uint32_t count = 0;
    text += list ? 1 : 0;
    for (;;) {
        if (count == l->f->outputs) {
            diag_set(l->diag, "\"base_score\" has more values than the model has outputs");
            FAIL(INPUT);
        }
        TRY(next_score(l, &text, &scores[count++]));
        if (*text != ',' || !list) {
            break;
        }
        text++;
    }
    if (strcmp(text, list ? "]" : "") != 0) {
        diag_set(l->diag, "\"base_score\" is not a number or a list of numbers");
        FAIL(INPUT);
    }
    *ret_count = count;
    return OK;
}

static struct status
read_base(struct loader *l, const json_t *param, size_t objective)
{
    const json_t *v = json_object_get(param, "base_score");
    double *base = arena_alloc(l->arena, l->f->outputs, sizeof *base);
    uint32_t count = 1;
    CHECK(base != NULL, MEMORY);
    base[0] = 0.5;
    if (json_is_number(v)) {
        base[0] = json_number_value(v);
    } else if (json_is_string(v)) {
        TRY(read_scores(l, json_string_value(v), base, &count));
    }
    if (count != 1 && count != l->f->outputs) {
        diag_set(l->diag, "\"base_score\" has %u values for %u outputs", count, l->f->outputs);
        FAIL(INPUT);
    }
    for (uint32_t i = count; i < l->f->outputs; i++) {
        base[i] = base[0];
    }
    for (uint32_t i = 0; i < l->f->outputs; i++) {
        TRY(base_margin(l, objective, base[i], &base[i]));
    }
    l->f->base = base;
    return OK;
}

static struct status
find_objective(struct loader *l, const json_t *learner, size_t *ret_objective)
{
    json_t *o = NULL;
    const char *name = NULL;
    TRY(js_need_object(learner, "objective", l->diag, &o));
    TRY(js_need_string(o, "name", l->diag, &name));
    for (size_t i = 0; i < sizeof objectives / sizeof *objectives; i++) {
        const size_t n = strlen(objectives[i].prefix);
        const bool family = objectives[i].prefix[n - 1] == ':';
        if (family ? strncmp(name, objectives[i].prefix, n) == 0
                   : strcmp(name, objectives[i].prefix) == 0) {
            l->f->objective = arena_strdup(l->arena, view_str(name));
            l->f->link = objectives[i].link;
            *ret_objective = i;
            CHECK(l->f->objective != NULL, MEMORY);
            return OK;
        }
    }
    diag_set(l->diag, "objective \"%.60s\" is not one that is read here", name);
    FAIL(UNSUPPORTED);
}

static struct status
read_shape(struct loader *l, const json_t *param)
{
    uint64_t features = 0, classes = 0, targets = 0;
    TRY(param_u64(param, "num_feature", 0, l->diag, &features));
    TRY(param_u64(param, "num_class", 0, l->diag, &classes));
    TRY(param_u64(param, "num_target", 1, l->diag, &targets));
    const uint64_t outputs = classes > 1 ? classes : targets > 1 ? targets : 1;
    if (features == 0 || features > FOREST_MAX_FEATURES || outputs > FOREST_MAX_OUTPUTS) {
        diag_set(l->diag, "%llu features and %llu outputs; 1 to %u and at most %u",
                 (unsigned long long)features, (unsigned long long)outputs, FOREST_MAX_FEATURES,
                 FOREST_MAX_OUTPUTS);
        FAIL(INPUT);
    }
    l->f->features = (uint32_t)features;
    l->f->outputs = (uint32_t)outputs;
    return OK;
}

static struct status
read_names(struct loader *l, const json_t *learner)
{
    const json_t *names = json_object_get(learner, "feature_names");
    if (json_array_size(names) == 0) {
        return OK;
    }
    if (json_array_size(names) != l->f->features) {
        diag_set(l->diag, "%zu feature names for %u features", json_array_size(names),
                 l->f->features);
        FAIL(INPUT);
    }
    const char **list = arena_alloc(l->arena, l->f->features, sizeof *list);
    CHECK(list != NULL, MEMORY);
    for (uint32_t i = 0; i < l->f->features; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        CHECK(name != NULL, INPUT);
        list[i] = arena_strdup(l->arena, view_str(name));
        CHECK(list[i] != NULL, MEMORY);
    }
    l->f->feature_names = list;
    return OK;
}

/* gbtree has its model at once; dart has it inside, beside the weights. */
static struct status
read_booster(struct loader *l, const json_t *learner)
{
    json_t *booster = NULL, *inner = NULL, *model = NULL, *weights = NULL;
    const char *name = NULL;
    uint64_t leaf_vector = 0;
    TRY(js_need_object(learner, "gradient_booster", l->diag, &booster));
    TRY(js_need_string(booster, "name", l->diag, &name));
    inner = booster;
    if (strcmp(name, "dart") == 0) {
        TRY(js_need_array(booster, "weight_drop", l->diag, &weights));
        TRY(js_need_object(booster, "gbtree", l->diag, &inner));
    } else if (strcmp(name, "gbtree") != 0) {
        diag_set(l->diag, "booster \"%.60s\": gbtree and dart are read here", name);
        FAIL(UNSUPPORTED);
    }
    TRY(js_need_object(inner, "model", l->diag, &model));
    TRY(param_u64(json_object_get(model, "gbtree_model_param"), "size_leaf_vector", 0, l->diag,
                  &leaf_vector));
    if (leaf_vector > 1) {
        diag_set(l->diag,
                 "trees with vector leaves (multi_strategy=multi_output_tree) are not read here");
        FAIL(UNSUPPORTED);
    }
    return read_trees(l, model, weights);
}

static struct status
read_document(struct loader *l, const json_t *document)
{
    json_t *learner = NULL, *param = NULL;
    size_t objective = 0;
    TRY(js_need_object(document, "learner", l->diag, &learner));
    TRY(js_need_object(learner, "learner_model_param", l->diag, &param));
    TRY(read_shape(l, param));
    TRY(find_objective(l, learner, &objective));
    TRY(read_base(l, param, objective));
    TRY(read_names(l, learner));
    return read_booster(l, learner);
}

/* UBJSON's objects begin with '{' and a length's marker; JSON's with '{' and white space, '"' or
 * '}'. */
static struct status
parse_document(struct view bytes, struct diag *diag, json_t **ret_document)
{
    if (bytes.len > FOREST_MAX_BYTES) {
        diag_set(diag, "larger than %zu bytes", FOREST_MAX_BYTES);
        FAIL(LIMIT);
    }
    const bool binary =
        bytes.len > 1 && bytes.ptr[0] == '{' && memchr("iUIlL", bytes.ptr[1], 5) != NULL;
    return binary ? ubjson_parse(bytes, diag, ret_document)
                  : js_parse(bytes, "JSON", diag, ret_document);
}

static struct status
load(struct view bytes, struct diag *diag, struct forest **ret_forest)
{
    DEFER(js_freep) json_t *document = NULL;
    TRY(parse_document(bytes, diag, &document));
    struct loader l = {.diag = diag, .arena = arena_new(SIZE_MAX / 2)};
    CHECK(l.arena != NULL, MEMORY);
    struct held *held = arena_alloc(l.arena, 1, sizeof *held);
    struct status s = FAILURE(MEMORY);
    if (held != NULL) {
        held->arena = l.arena;
        l.f = &held->f;
        s = read_document(&l, document);
    }
    if (!status_ok(s)) {
        arena_free(l.arena);
        return s;
    }
    *ret_forest = &held->f;
    return OK;
}

struct status
forest_load(struct view bytes, struct diag *diag, struct forest **ret_forest)
{
    struct diag inner = {0};
    const struct status s = load(bytes, &inner, ret_forest);
    if (!status_ok(s)) {
        diag_set(diag, "model: %s", inner.text[0] != '\0' ? inner.text : status_word(s.code));
    }
    return s;
}
