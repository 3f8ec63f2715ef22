#include "model/onnx_trees.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

void
onnx_trees_done(struct onnx_trees *t)
{
    free(t->node);
    free(t->weight);
    free(t->member);
    free(t->root);
    *t = (struct onnx_trees){0};
}

/* One tree while it is looked at and written. */
struct emitter {
    const struct onnx_trees *t;
    struct diag *diag;
    uint8_t *seen;   /* nodes */
    uint32_t *size;  /* nodes: how many the forest needs for what is below, at most TOO_MANY */
    uint32_t *order; /* nodes of the tree, parents first; a leaf for each of its parents */
    uint8_t *used;   /* outputs that the tree's leaves have weights for */
    struct place *queue;
};

#define TOO_MANY (FOREST_MAX_NODES + 1)

struct place {
    uint32_t node;
    uint32_t depth;
    bool second; /* of the two splits that an equality may be */
};

static void
emitter_done(struct emitter *e)
{
    free(e->seen);
    free(e->size);
    free(e->order);
    free(e->used);
    free(e->queue);
}

__attribute__((format(printf, 3, 4))) static struct status
refuse(const struct emitter *e, uint32_t node, const char *format, ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    diag_set(e->diag, "tree %lld node %lld: %s", (long long)e->t->node[node].tree,
             (long long)e->t->node[node].id, what);
    FAIL(INPUT);
}

/* ---- what a tree needs ---- */

static bool
is_category(double v)
{
    return v >= 0 && v < (double)FOREST_CATEGORIES_END && v == floor(v);
}

/* x = 2.5 is not a question about a category: x < 2.5 is asked, then x < the next float. */
static bool
is_two_splits(const struct onnx_node *n)
{
    return (n->mode == ONNX_EQ || n->mode == ONNX_NEQ) && !is_category(n->value);
}

static struct status
check_node(const struct emitter *e, uint32_t node)
{
    const struct onnx_node *n = &e->t->node[node];
    const bool equality = n->mode == ONNX_EQ || n->mode == ONNX_NEQ;
    if (n->feature >= e->t->features) {
        return refuse(e, node, "its feature %u is not one of 0 to %u", n->feature,
                      e->t->features - 1);
    }
    if (n->mode != ONNX_MEMBER && (isnan(n->value) || (equality && isinf(n->value)))) {
        return refuse(e, node, "its threshold %g is no number to compare with", n->value);
    }
    for (uint32_t i = 0; n->mode == ONNX_MEMBER && i < n->count; i++) {
        if (!is_category(e->t->member[n->first + i])) {
            return refuse(e, node, "its member %g is not a category, a whole number from 0 to %d",
                          e->t->member[n->first + i], FOREST_CATEGORIES_END - 1);
        }
    }
    return n->mode == ONNX_MEMBER && n->count == 0 ? refuse(e, node, "a set without any member")
                                                   : OK;
}

static struct status
check_leaf(struct emitter *e, uint32_t node)
{
    const struct onnx_node *n = &e->t->node[node];
    for (uint32_t i = 0; i < n->count; i++) {
        const struct onnx_weight *w = &e->t->weight[n->first + i];
        if (!isfinite(w->value)) {
            return refuse(e, node, "a weight that is not a finite number");
        }
        e->used[w->output] = 1;
    }
    return OK;
}

static struct status
visit(struct emitter *e, uint32_t parent, uint32_t node, size_t *tail)
{
    if (e->seen[node] != 0 && e->t->node[node].mode != ONNX_LEAF) {
        return refuse(e, parent,
                      "a child of it is reached twice: a cycle, or a node with two parents");
    }
    e->seen[node] = 1;
    e->order[(*tail)++] = node;
    return OK;
}

static uint32_t
capped(uint64_t n)
{
    return n > TOO_MANY ? TOO_MANY : (uint32_t)n;
}

/* Looks at every node below the root, and tells how many the forest needs. */
static struct status
measure(struct emitter *e, uint32_t root, uint32_t *ret_size)
{
    size_t head = 0, tail = 0;
    memset(e->used, 0, e->t->outputs);
    TRY(visit(e, root, root, &tail));
    while (head < tail) {
        const uint32_t at = e->order[head++];
        const struct onnx_node *n = &e->t->node[at];
        if (n->mode == ONNX_LEAF) {
            TRY(check_leaf(e, at));
            continue;
        }
        TRY(check_node(e, at));
        TRY(visit(e, at, n->yes, &tail));
        TRY(visit(e, at, n->no, &tail));
    }
    while (tail > 0) {
        const uint32_t at = e->order[--tail];
        const struct onnx_node *n = &e->t->node[at];
        const uint32_t again = n->mode == ONNX_EQ ? n->no : n->yes;
        const uint64_t below =
            n->mode == ONNX_LEAF ? 0 : (uint64_t)e->size[n->yes] + e->size[n->no];
        e->size[at] = capped(1 + below + (is_two_splits(n) ? 1 + (uint64_t)e->size[again] : 0));
    }
    *ret_size = e->size[root];
    return OK;
}

static struct status
measure_all(struct emitter *e, size_t *ret_trees, size_t *ret_nodes)
{
    for (size_t r = 0; r < e->t->roots; r++) {
        uint32_t size = 0;
        size_t copies = 0;
        TRY(measure(e, e->t->root[r], &size));
        for (uint32_t k = 0; k < e->t->outputs; k++) {
            copies += e->used[k];
        }
        copies += copies == 0;
        *ret_trees += copies;
        *ret_nodes += copies * size;
        if (size >= TOO_MANY || *ret_nodes > FOREST_MAX_NODES || *ret_trees > FOREST_MAX_TREES) {
            diag_set(e->diag, "more than %u trees or %u nodes, a tree for each output",
                     FOREST_MAX_TREES, FOREST_MAX_NODES);
            FAIL(LIMIT);
        }
    }
    for (uint32_t i = 0; i < e->t->nodes; i++) {
        if (e->seen[i] == 0 && e->t->node[i].mode != ONNX_LEAF) {
            return refuse(e, i, "no path from a root comes to it");
        }
    }
    return OK;
}

/* ---- nodes into the forest ---- */

static int
compare_u32(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void
put_categories(const double *value, uint32_t n, uint32_t at, struct forest_nodes *to)
{
    uint32_t *list = to->categories + to->categories_used, used = 0;
    for (uint32_t i = 0; i < n; i++) {
        list[i] = (uint32_t)value[i];
    }
    qsort(list, n, sizeof *list, compare_u32);
    for (uint32_t i = 0; i < n; i++) {
        list[used] = list[i];
        used += i + 1 == n || list[i] != list[i + 1];
    }
    to->category_start[at] = to->categories_used;
    to->category_count[at] = used;
    to->categories_used += used;
}

struct sides {
    struct place left, right;
};

static struct sides
sides_of(uint32_t left, uint32_t right, uint32_t depth)
{
    return (struct sides){{left, depth + 1, false}, {right, depth + 1, false}};
}

/* x <= v, x < v and their opposites. x <= infinity holds for every number: so does never x <
 * -infinity. */
static struct sides
put_comparison(const struct onnx_node *n, uint32_t depth, uint32_t at, struct forest_nodes *to)
{
    const bool over = n->mode == ONNX_LEQ || n->mode == ONNX_GT; /* parts at the float over v */
    const bool always = over && n->value == (double)INFINITY;
    const bool yes_left = (n->mode == ONNX_LEQ || n->mode == ONNX_LT) != always;
    to->threshold[at] = always ? -INFINITY
                        : over ? forest_float_above(n->value)
                               : forest_float_from(n->value);
    to->default_left[at] = yes_left == n->missing_true;
    return yes_left ? sides_of(n->yes, n->no, depth) : sides_of(n->no, n->yes, depth);
}

/* NaN equals nothing: it takes the side of the unequal, unless an equality sends it to its own. */
static struct sides
put_equality(const struct onnx_node *n, struct place p, uint32_t at, struct forest_nodes *to)
{
    const uint32_t equal = n->mode == ONNX_EQ ? n->yes : n->no,
                   other = n->mode == ONNX_EQ ? n->no : n->yes;
    const bool missing_equal = n->mode == ONNX_EQ && n->missing_true;
    to->default_left[at] = !missing_equal;
    if (is_category(n->value)) {
        put_categories(&n->value, 1, at, to);
        return sides_of(other, equal, p.depth);
    }
    if (p.second) {
        to->threshold[at] = forest_float_above(n->value);
        to->default_left[at] = 1;
        return sides_of(equal, other, p.depth);
    }
    to->threshold[at] = forest_float_from(n->value);
    struct sides s = sides_of(other, (uint32_t)(p.node), p.depth);
    s.right.second = true;
    return s;
}

static struct sides
put_split(const struct emitter *e, struct place p, uint32_t at, struct forest_nodes *to)
{
    const struct onnx_node *n = &e->t->node[p.node];
    to->feature[at] = n->feature;
    switch (n->mode) {
    case ONNX_EQ:
    case ONNX_NEQ:
        return put_equality(n, p, at, to);
    case ONNX_MEMBER:
        put_categories(e->t->member + n->first, n->count, at, to);
        to->default_left[at] = !n->missing_true;
        return sides_of(n->no, n->yes, p.depth);
    default:
        return put_comparison(n, p.depth, at, to);
    }
}

static void
put_leaf(const struct emitter *e, struct place p, uint32_t output, uint32_t at,
         struct forest_nodes *to)
{
    const struct onnx_node *n = &e->t->node[p.node];
    to->left[at] = to->right[at] = -1;
    to->depth = p.depth > to->depth ? p.depth : to->depth;
    for (uint32_t i = 0; i < n->count; i++) {
        const struct onnx_weight *w = &e->t->weight[n->first + i];
        to->value[at] = w->output == output ? w->value : to->value[at];
    }
}

/* One tree with the weights of one output, breadth first. */
static struct status
emit(const struct emitter *e, uint32_t root, uint32_t output, struct forest_nodes *to)
{
    size_t head = 0, tail = 0;
    const uint32_t first = to->used;
    e->queue[tail++] = (struct place){.node = root};
    while (head < tail) {
        const uint32_t at = first + (uint32_t)head;
        const struct place p = e->queue[head++];
        if (e->t->node[p.node].mode == ONNX_LEAF) {
            put_leaf(e, p, output, at, to);
            continue;
        }
        if (p.depth == FOREST_MAX_DEPTH) {
            return refuse(e, p.node, "deeper than %u levels", FOREST_MAX_DEPTH);
        }
        to->left[at] = (int32_t)(first + tail);
        to->right[at] = (int32_t)(first + tail + 1);
        const struct sides s = put_split(e, p, at, to);
        e->queue[tail++] = s.left;
        e->queue[tail++] = s.right;
    }
    to->used += (uint32_t)tail;
    return OK;
}

static void
begin_tree(struct forest_build *b, uint32_t output, double weight, uint32_t *tree)
{
    b->tree_start[*tree] = b->nodes.used;
    b->tree_output[*tree] = output;
    b->tree_weight[(*tree)++] = weight;
}

static struct status
emit_all(struct emitter *e, double weight, struct forest_build *b)
{
    uint32_t tree = 0;
    memset(e->seen, 0, e->t->nodes);
    for (size_t r = 0; r < e->t->roots; r++) {
        uint32_t size = 0, copies = 0;
        TRY(measure(e, e->t->root[r], &size));
        for (uint32_t k = 0; k < e->t->outputs; k++) {
            if (e->used[k] != 0) {
                begin_tree(b, k, weight, &tree);
                TRY(emit(e, e->t->root[r], k, &b->nodes));
                copies++;
            }
        }
        if (copies == 0) {
            begin_tree(b, 0, weight, &tree);
            TRY(emit(e, e->t->root[r], 0, &b->nodes));
        }
    }
    return OK;
}

/* Every set once for each copy of its tree: as many at most as all sets for every output. */
static size_t
most_categories(const struct onnx_trees *t, size_t nodes)
{
    size_t members = 0;
    for (size_t i = 0; i < t->nodes; i++) {
        members += t->node[i].mode == ONNX_MEMBER ? t->node[i].count : 0;
    }
    return nodes + members * t->outputs;
}

struct status
onnx_trees_emit(const struct onnx_trees *t, double tree_weight, struct diag *diag,
                struct forest_build *b)
{
    DEFER(emitter_done) struct emitter e = {.t = t, .diag = diag};
    size_t trees = 0, nodes = 0;
    e.seen = calloc(t->nodes + 1, 1);
    e.size = calloc(t->nodes + 1, sizeof *e.size);
    e.order = calloc(3 * t->nodes + 1, sizeof *e.order); /* inner nodes once, two leaves each */
    e.used = calloc((size_t)t->outputs + 1, 1);
    CHECK(e.seen != NULL && e.size != NULL && e.order != NULL && e.used != NULL, MEMORY);
    TRY(measure_all(&e, &trees, &nodes));
    const size_t categories = most_categories(t, nodes);
    if (categories > 2 * (size_t)FOREST_MAX_NODES) {
        diag_set(diag, "more than %u categories", FOREST_MAX_NODES);
        FAIL(LIMIT);
    }
    e.queue = calloc(nodes + 1, sizeof *e.queue);
    CHECK(e.queue != NULL, MEMORY);
    b->f->trees = (uint32_t)trees;
    TRY(forest_build_allocate(b, nodes, categories));
    return emit_all(&e, tree_weight, b);
}
