#include "assess/errors_histogram.h"

#include "assess/cut.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The tree grows by levels. A level is a pass over the rows for each feature, whose histogram gives
 * the best split of every open node, and one more in which the rows move to their new nodes. Rows
 * may lie in several parts, as on several machines: nothing passes between parts but what merges.
 * O(depth * features * rows); 4 bytes a row and feature, 10 a row, and CELLS of a histogram. */

#define NO_NODE UINT16_MAX
#define CELLS ((size_t)1 << 22) /* of a histogram; of more nodes, some at a time */

/* What a part knows of its rows. */
struct part {
    struct errors_rows in;
    uint32_t *code; /* features * rows */
    uint16_t *node; /* rows; NO_NODE in a closed leaf */
    int64_t *whole; /* rows: loss in units */
};

struct grower {
    struct part *part;
    size_t parts;
    const struct errors_feature *features; /* of any part: what all have in common */
    uint32_t feature_count;
    uint32_t *bins; /* feature_count */
    struct errors_losses losses;
    double unit;
    uint64_t min_rows;
    uint32_t max_leaves;
    uint32_t first, end; /* the open nodes */
    struct errors_split best[ERRORS_MAX_NODES];
    struct errors_losses of_node[ERRORS_MAX_NODES];
};

static void
grower_free(struct grower *g)
{
    for (size_t p = 0; g != NULL && g->part != NULL && p < g->parts; p++) {
        free(g->part[p].code);
        free(g->part[p].node);
        free(g->part[p].whole);
    }
    if (g != NULL) {
        free(g->part);
        free(g->bins);
    }
    free(g);
}
DEFINE_FREEP(grower_free, struct grower)

/* ---- making ready ---- */

static struct status
measure_losses(struct grower *g)
{
    for (size_t p = 0; p < g->parts; p++) {
        struct errors_losses of_part = {0};
        TRY(errors_losses_add(&of_part, g->part[p].in.loss, g->part[p].in.rows));
        errors_losses_merge(&g->losses, &of_part);
    }
    return OK;
}

static struct status
part_make(const struct grower *g, struct part *p)
{
    p->code = calloc(g->feature_count * p->in.rows + 1, sizeof *p->code);
    p->node = calloc(p->in.rows + 1, sizeof *p->node);
    p->whole = calloc(p->in.rows + 1, sizeof *p->whole);
    CHECK(p->code != NULL && p->node != NULL && p->whole != NULL, MEMORY);
    return OK;
}

static struct status
code_numbers(struct grower *g, uint32_t feature)
{
    DEFER(counted_done) struct counted values = {0};
    for (size_t p = 0; p < g->parts; p++) {
        DEFER(counted_done) struct counted of_part = {0};
        const struct errors_rows *in = &g->part[p].in;
        TRY(counted_add(p == 0 ? &values : &of_part, in->features[feature].value, in->rows, 1));
        TRY(counted_merge(&values, &of_part));
    }
    TRY(counted_settle(&values));
    g->bins[feature] = (uint32_t)values.n;
    for (size_t p = 0; p < g->parts; p++) {
        const struct errors_rows *in = &g->part[p].in;
        TRY(errors_codes(&values, in->features[feature].value, in->rows,
                         g->part[p].code + feature * in->rows));
    }
    return OK;
}

static void
code_categories(struct grower *g, uint32_t feature)
{
    const uint32_t levels = g->bins[feature] = g->features[feature].level_count;
    for (size_t p = 0; p < g->parts; p++) {
        const struct errors_rows *in = &g->part[p].in;
        for (size_t i = 0; i < in->rows; i++) {
            const double v = in->features[feature].value[i];
            g->part[p].code[feature * in->rows + i] = isnan(v) ? levels : (uint32_t)v;
        }
    }
}

static struct status
grower_new(const struct errors_rows *part, size_t parts, uint32_t feature_count,
           const struct errors_tree_options *o, struct grower **ret_grower)
{
    DEFER(grower_freep) struct grower *g = calloc(1, sizeof *g);
    CHECK(g != NULL, MEMORY);
    g->part = calloc(parts, sizeof *g->part);
    g->bins = calloc((size_t)feature_count + 1, sizeof *g->bins);
    CHECK(g->part != NULL && g->bins != NULL, MEMORY);
    g->parts = parts;
    g->features = part[0].features;
    g->feature_count = feature_count;
    g->min_rows = o->min_rows == 0 ? 1 : o->min_rows;
    g->max_leaves = o->max_leaves;
    for (size_t p = 0; p < parts; p++) {
        g->part[p].in = part[p];
    }
    TRY(measure_losses(g));
    for (size_t p = 0; p < parts; p++) {
        TRY(part_make(g, &g->part[p]));
        g->unit = errors_losses_whole(&g->losses, part[p].loss, part[p].rows, g->part[p].whole);
    }
    for (uint32_t f = 0; f < feature_count; f++) {
        if (g->features[f].level_count > 0) {
            code_categories(g, f);
        } else {
            TRY(code_numbers(g, f));
        }
    }
    *ret_grower = MOVE(g);
    return OK;
}

/* ---- splits ---- */

static struct status
find_splits_of(struct grower *g, uint32_t feature, uint32_t first, uint32_t nodes)
{
    DEFER(errors_histogram_done) struct errors_histogram all = {0};
    TRY(errors_histogram_begin(first, nodes, g->bins[feature], &all));
    for (size_t p = 0; p < g->parts; p++) {
        DEFER(errors_histogram_done) struct errors_histogram more = {0};
        const struct part *part = &g->part[p];
        if (p > 0) {
            TRY(errors_histogram_begin(first, nodes, g->bins[feature], &more));
        }
        errors_histogram_add(p == 0 ? &all : &more, part->code + feature * part->in.rows,
                             part->node, part->whole, part->in.rows);
        if (p > 0) {
            errors_histogram_merge(&all, &more);
        }
    }
    errors_histogram_finish(&all, feature, g->features[feature].level_count > 0, g->min_rows,
                            g->unit, g->best + first);
    return OK;
}

static struct status
find_splits(struct grower *g)
{
    for (uint32_t k = g->first; k < g->end; k++) {
        g->best[k] = (struct errors_split){.category = -1};
    }
    for (uint32_t f = 0; f < g->feature_count; f++) {
        const size_t at_once = CELLS / ((size_t)g->bins[f] + 1);
        for (uint32_t k = g->first; k < g->end;) {
            const uint32_t left = g->end - k;
            const uint32_t n = at_once >= left ? left : at_once < 1 ? 1 : (uint32_t)at_once;
            TRY(find_splits_of(g, f, k, n));
            k += n;
        }
    }
    return OK;
}

/* The value that a bin stands for: whichever part has a row in it. */
static double
value_of(const struct grower *g, uint32_t feature, uint32_t bin)
{
    for (size_t p = 0; p < g->parts; p++) {
        const struct errors_rows *in = &g->part[p].in;
        const uint32_t *code = g->part[p].code + feature * in->rows;
        for (size_t i = 0; i < in->rows; i++) {
            if (code[i] == bin) {
                return in->features[feature].value[i] + 0.0; /* -0 is 0 */
            }
        }
    }
    return NAN;
}

/* ---- growing ---- */

static bool
goes_left(const struct errors_node *n, double v)
{
    if (isnan(v)) {
        return n->missing_left;
    }
    return n->category >= 0 ? (int32_t)v == n->category : v <= n->threshold;
}

static struct errors_node
child_of(int32_t parent, uint32_t depth)
{
    return (struct errors_node){
        .parent = parent, .left = -1, .right = -1, .depth = depth, .category = -1};
}

static void
split_node(const struct grower *g, struct errors_tree *t, uint32_t k)
{
    const struct errors_split *b = &g->best[k];
    struct errors_node *n = &t->node[k];
    n->feature = b->feature;
    n->threshold = b->category < 0 ? cut_between(value_of(g, b->feature, b->low),
                                                 value_of(g, b->feature, b->high), true)
                                   : 0;
    n->category = b->category;
    n->missing_left = b->missing_left;
    n->left = (int32_t)t->nodes;
    n->right = (int32_t)t->nodes + 1;
    t->node[t->nodes++] = child_of((int32_t)k, n->depth + 1);
    t->node[t->nodes++] = child_of((int32_t)k, n->depth + 1);
}

/* How many of the open nodes' splits explain more of the loss than this one's, or as much and come
 * before it. */
static uint32_t
better_splits(const struct grower *g, const struct errors_tree *t, uint32_t k)
{
    const double drop = g->best[k].gain * (double)t->node[k].rows;
    uint32_t better = 0;
    for (uint32_t i = g->first; i < g->end; i++) {
        const double other = g->best[i].gain * (double)t->node[i].rows;
        better += g->best[i].gain > ERRORS_GAIN_MIN && (other > drop || (other >= drop && i < k));
    }
    return better;
}

/* Splits the open nodes that have a split; those that are left become leaves. Where more leaves
 * would come out than may be, the splits that explain most are made. */
static void
open_children(struct grower *g, struct errors_tree *t)
{
    const uint32_t leaves = (t->nodes + 1) / 2;
    const uint32_t room = g->max_leaves > leaves ? g->max_leaves - leaves : 0;
    for (uint32_t k = g->first; k < g->end; k++) {
        if (g->best[k].gain > ERRORS_GAIN_MIN && t->nodes + 2 <= ERRORS_MAX_NODES &&
            better_splits(g, t, k) < room) {
            split_node(g, t, k);
        }
    }
}

/* Rows of a part, to the children of the open nodes; what each child has. */
static struct status
move_rows(const struct grower *g, const struct errors_tree *t, struct part *p,
          struct errors_losses *of_node)
{
    for (size_t i = 0; i < p->in.rows; i++) {
        if (p->node[i] < g->first || p->node[i] >= g->end) {
            continue;
        }
        const struct errors_node *n = &t->node[p->node[i]];
        if (n->left < 0) {
            p->node[i] = NO_NODE;
            continue;
        }
        const double v = p->in.features[n->feature].value[i];
        p->node[i] = (uint16_t)(goes_left(n, v) ? n->left : n->right);
        TRY(errors_losses_add(&of_node[p->node[i]], &p->in.loss[i], 1));
    }
    return OK;
}

static struct status
move_all_rows(struct grower *g, const struct errors_tree *t)
{
    DEFER(memory_freep) struct errors_losses *of_part = calloc(t->nodes, sizeof *of_part);
    CHECK(of_part != NULL, MEMORY);
    for (size_t p = 0; p < g->parts; p++) {
        memset(of_part, 0, t->nodes * sizeof *of_part);
        TRY(move_rows(g, t, &g->part[p], of_part));
        for (uint32_t k = g->end; k < t->nodes; k++) {
            errors_losses_merge(&g->of_node[k], &of_part[k]);
        }
    }
    return OK;
}

/* Rows and loss of the nodes from `from` on. */
static void
put_losses(const struct grower *g, uint32_t from, struct errors_tree *t)
{
    const double errors = sum_value(&g->losses.sum);
    for (uint32_t k = from; k < t->nodes; k++) {
        struct errors_node *n = &t->node[k];
        n->rows = g->of_node[k].rows;
        n->errors = sum_value(&g->of_node[k].sum);
        n->error_rate = n->rows == 0 ? 0 : n->errors / (double)n->rows;
        n->ci = g->losses.other == 0 ? interval_wilson(n->errors, (double)n->rows, 0.95)
                                     : (struct interval){NAN, NAN};
        n->coverage = errors > 0 ? n->errors / errors : 0;
    }
}

struct status
errors_tree_grow_parts(const struct errors_rows *part, size_t parts, uint32_t feature_count,
                       const struct errors_tree_options *o, struct errors_tree *ret_tree)
{
    ASSERT(parts > 0);
    CHECK(o->max_depth <= ERRORS_MAX_DEPTH && o->max_leaves >= 1, LIMIT);
    DEFER(grower_freep) struct grower *g = NULL;
    TRY(grower_new(part, parts, feature_count, o, &g));
    ret_tree->nodes = 1;
    ret_tree->node[0] = child_of(-1, 0);
    g->of_node[0] = g->losses;
    put_losses(g, 0, ret_tree);
    g->end = 1;
    for (uint32_t depth = 0; depth < o->max_depth && g->first < g->end; depth++) {
        TRY(find_splits(g));
        open_children(g, ret_tree);
        TRY(move_all_rows(g, ret_tree));
        put_losses(g, g->end, ret_tree);
        g->first = g->end;
        g->end = ret_tree->nodes;
    }
    return OK;
}

struct status
errors_tree_grow(const struct errors_feature *features, uint32_t feature_count, const double *loss,
                 size_t rows, const struct errors_tree_options *o, struct errors_tree *ret_tree)
{
    const struct errors_rows all = {features, loss, rows};
    return errors_tree_grow_parts(&all, 1, feature_count, o, ret_tree);
}

void
errors_tree_leaves(const struct errors_tree *t, const struct errors_feature *features, size_t rows,
                   uint16_t *ret_leaf)
{
    for (size_t i = 0; i < rows; i++) {
        uint32_t k = 0;
        while (t->node[k].left >= 0) {
            const struct errors_node *n = &t->node[k];
            const bool left = goes_left(n, features[n->feature].value[i]);
            k = (uint32_t)(left ? n->left : n->right);
        }
        ret_leaf[i] = (uint16_t)k;
    }
}

int32_t
errors_worst_leaf(const struct errors_tree *t)
{
    int32_t worst = -1;
    for (uint32_t k = 0; k < t->nodes; k++) {
        const struct errors_node *n = &t->node[k];
        if (n->left >= 0 || n->errors <= 0) {
            continue;
        }
        const struct errors_node *w = worst < 0 ? NULL : &t->node[worst];
        if (w == NULL || n->error_rate > w->error_rate ||
            (n->error_rate >= w->error_rate && n->errors > w->errors)) {
            worst = (int32_t)k;
        }
    }
    return worst;
}
