#include "assess/errors.h"

#include "assess/cut.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The tree grows by levels: for each feature the rows are sorted once a level, and one pass over
 * them in that order tries every split of every open node. O(depth * features * rows), 32 bytes a
 * row. */

#define NO_NODE UINT16_MAX
#define GAIN_MIN 1e-12 /* of Gini impurity; less is rounding */

struct keyed {
    uint64_t key; /* orders as the value does */
    uint32_t row;
    uint16_t node; /* beside the key: rows come in the order of their values, not of memory */
};

struct count {
    uint64_t rows;
    double errors;
};

struct split {
    double gain; /* of Gini impurity, in the node; 0: none */
    uint32_t feature;
    double low, high; /* numeric: the threshold lies between these neighbours */
    int32_t category;
    bool missing_left;
};

/* One open node while a feature is passed over. */
struct scan {
    struct count present; /* rows of the node with a value */
    struct count run;     /* numeric: all rows so far; category: rows of the category so far */
    double last;          /* numeric: value of the last row of the run */
};

struct grower {
    const struct errors_feature *features;
    uint32_t feature_count;
    const double *loss;
    double scale; /* makes the largest loss 1 */
    size_t rows;
    uint64_t min_rows;
    uint32_t max_leaves;
    uint32_t first, end; /* the open nodes */
    uint16_t *node_of;   /* rows; NO_NODE in a closed leaf */
    struct keyed *sorted, *spare;
    struct scan scan[ERRORS_MAX_NODES];
    struct split best[ERRORS_MAX_NODES];
};

static void
grower_free(struct grower *g)
{
    if (g != NULL) {
        free(g->node_of);
        free(g->sorted);
        free(g->spare);
    }
    free(g);
}
DEFINE_FREEP(grower_free, struct grower)

static uint64_t
key_of(double value)
{
    const double plain = value + 0.0; /* -0 is 0 */
    uint64_t bits = 0;
    memcpy(&bits, &plain, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static double
value_of(uint64_t key)
{
    const uint64_t bits = key >> 63 ? key & ~(UINT64_C(1) << 63) : ~key;
    double value = 0;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Stable counting passes over 8 bits each; a pass in which all digits agree is left out. The
 * result may lie in either array, so the two are exchanged. */
static void
sort_keys(struct grower *g, size_t n)
{
    for (unsigned shift = 0; shift < 64; shift += 8) {
        size_t at[257] = {0};
        for (size_t i = 0; i < n; i++) {
            at[(g->sorted[i].key >> shift & 0xff) + 1]++;
        }
        if (n == 0 || at[(g->sorted[0].key >> shift & 0xff) + 1] == n) {
            continue;
        }
        for (unsigned d = 0; d < 256; d++) {
            at[d + 1] += at[d];
        }
        for (size_t i = 0; i < n; i++) {
            g->spare[at[g->sorted[i].key >> shift & 0xff]++] = g->sorted[i];
        }
        struct keyed *swap = g->sorted;
        g->sorted = g->spare;
        g->spare = swap;
    }
}

/* For losses of 0 and 1, n times half the Gini impurity, which is n times the variance. For others
 * the sum of squares is left out: it is the same on both sides of a drop. */
static double
impurity(struct count c)
{
    return c.rows == 0 ? 0.0 : c.errors * ((double)c.rows - c.errors) / (double)c.rows;
}

static struct count
count_less(struct count a, struct count b)
{
    return (struct count){a.rows - b.rows, a.errors - b.errors};
}

static struct count
count_plus(struct count a, struct count b)
{
    return (struct count){a.rows + b.rows, a.errors + b.errors};
}

static void
consider_side(const struct grower *g, struct count left, struct count right,
              struct split *candidate, struct split *best)
{
    if (left.rows < g->min_rows || right.rows < g->min_rows) {
        return;
    }
    const struct count all = count_plus(left, right);
    const double drop = impurity(all) - (impurity(left) + impurity(right));
    candidate->gain = 2.0 * drop / (double)all.rows;
    if (candidate->gain > GAIN_MIN && candidate->gain > best->gain) {
        *best = *candidate;
    }
}

/* left: the rows with a value that go left. Missing values go to each side in turn; where there are
 * none, new ones would go with the larger part. */
static void
consider(struct grower *g, uint32_t node, const struct errors_node *n, struct count left,
         struct split candidate)
{
    const struct count all = {n->rows, n->errors * g->scale};
    const struct count present = g->scan[node].present;
    const struct count missing = count_less(all, present), right = count_less(present, left);
    struct split *best = &g->best[node];
    if (missing.rows == 0) {
        candidate.missing_left = left.rows >= right.rows;
        consider_side(g, left, right, &candidate, best);
        return;
    }
    candidate.missing_left = true;
    consider_side(g, count_plus(left, missing), right, &candidate, best);
    candidate.missing_left = false;
    consider_side(g, left, count_plus(right, missing), &candidate, best);
}

/* ---- one feature over all open nodes ---- */

static bool
is_open(const struct grower *g, size_t row)
{
    return g->node_of[row] != NO_NODE && g->node_of[row] >= g->first && g->node_of[row] < g->end;
}

/* Rows of open nodes with a value, keyed by it; counts them for each node. */
static size_t
gather(struct grower *g, const double *value)
{
    size_t n = 0;
    for (uint32_t k = g->first; k < g->end; k++) {
        g->scan[k] = (struct scan){0};
    }
    for (size_t i = 0; i < g->rows; i++) {
        if (!is_open(g, i) || isnan(value[i])) {
            continue;
        }
        struct count *present = &g->scan[g->node_of[i]].present;
        present->rows++;
        present->errors += g->loss[i] * g->scale;
        g->sorted[n++] = (struct keyed){key_of(value[i]), (uint32_t)i, g->node_of[i]};
    }
    return n;
}

static void
pass_numeric(struct grower *g, const struct errors_tree *t, uint32_t feature)
{
    const size_t n = gather(g, g->features[feature].value);
    sort_keys(g, n);
    for (size_t i = 0; i < n; i++) {
        const uint32_t node = g->sorted[i].node;
        const double value = value_of(g->sorted[i].key);
        struct scan *s = &g->scan[node];
        if (s->run.rows > 0 && value > s->last) {
            consider(
                g, node, &t->node[node], s->run,
                (struct split){.feature = feature, .low = s->last, .high = value, .category = -1});
        }
        s->run.rows++;
        s->run.errors += g->loss[g->sorted[i].row] * g->scale;
        s->last = value;
    }
}

static void
flush_category(struct grower *g, const struct errors_tree *t, uint32_t feature, int32_t category)
{
    for (uint32_t node = g->first; node < g->end; node++) {
        struct scan *s = &g->scan[node];
        if (s->run.rows > 0) {
            consider(g, node, &t->node[node], s->run,
                     (struct split){.feature = feature, .category = category});
        }
        s->run = (struct count){0};
    }
}

static void
pass_category(struct grower *g, const struct errors_tree *t, uint32_t feature)
{
    const double *value = g->features[feature].value;
    const size_t n = gather(g, value);
    sort_keys(g, n);
    for (size_t i = 0; i < n; i++) {
        const uint32_t row = g->sorted[i].row;
        struct scan *s = &g->scan[g->sorted[i].node];
        s->run.rows++;
        s->run.errors += g->loss[row] * g->scale;
        if (i + 1 == n || g->sorted[i + 1].key != g->sorted[i].key) {
            flush_category(g, t, feature, (int32_t)value[row]);
        }
    }
}

static void
find_splits(struct grower *g, const struct errors_tree *t)
{
    for (uint32_t k = g->first; k < g->end; k++) {
        g->best[k] = (struct split){.category = -1};
    }
    for (uint32_t f = 0; f < g->feature_count; f++) {
        if (g->features[f].level_count > 0) {
            pass_category(g, t, f);
        } else {
            pass_numeric(g, t, f);
        }
    }
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
split_node(struct errors_tree *t, uint32_t k, const struct split *b)
{
    struct errors_node *n = &t->node[k];
    n->feature = b->feature;
    n->threshold = b->category < 0 ? cut_between(b->low, b->high, true) : 0;
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
        better += g->best[i].gain > GAIN_MIN && (other > drop || (other >= drop && i < k));
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
        if (g->best[k].gain > GAIN_MIN && t->nodes + 2 <= ERRORS_MAX_NODES &&
            better_splits(g, t, k) < room) {
            split_node(t, k, &g->best[k]);
        }
    }
}

static void
move_rows(struct grower *g, struct errors_tree *t)
{
    for (size_t i = 0; i < g->rows; i++) {
        if (!is_open(g, i)) {
            continue;
        }
        const struct errors_node *n = &t->node[g->node_of[i]];
        if (n->left < 0) {
            g->node_of[i] = NO_NODE;
            continue;
        }
        const int32_t to = goes_left(n, g->features[n->feature].value[i]) ? n->left : n->right;
        g->node_of[i] = (uint16_t)to;
        t->node[to].rows++;
        t->node[to].errors += g->loss[i];
    }
}

static struct status
grower_new(const struct errors_feature *features, uint32_t feature_count, const double *loss,
           size_t rows, const struct errors_tree_options *o, struct grower **ret_grower)
{
    CHECK(rows <= UINT32_MAX, LIMIT);
    DEFER(grower_freep) struct grower *g = calloc(1, sizeof *g);
    CHECK(g != NULL, MEMORY);
    double most = 0;
    for (size_t i = 0; i < rows; i++) {
        CHECK(isfinite(loss[i]) && loss[i] >= 0, INPUT);
        most = fmax(most, loss[i]);
    }
    g->features = features;
    g->feature_count = feature_count;
    g->loss = loss;
    g->scale = most > 0 ? 1 / most : 1;
    g->rows = rows;
    g->min_rows = o->min_rows == 0 ? 1 : o->min_rows;
    g->max_leaves = o->max_leaves;
    g->node_of = calloc(rows + 1, sizeof *g->node_of);
    g->sorted = calloc(rows + 1, sizeof *g->sorted);
    g->spare = calloc(rows + 1, sizeof *g->spare);
    CHECK(g->node_of != NULL && g->sorted != NULL && g->spare != NULL, MEMORY);
    *ret_grower = MOVE(g);
    return OK;
}

static void
finish(const struct grower *g, struct errors_tree *t)
{
    const double errors = t->node[0].errors;
    bool binary = true;
    for (size_t i = 0; i < g->rows; i++) {
        binary = binary && (g->loss[i] <= 0 || (g->loss[i] >= 1 && g->loss[i] <= 1));
    }
    for (uint32_t k = 0; k < t->nodes; k++) {
        struct errors_node *n = &t->node[k];
        n->error_rate = n->rows == 0 ? 0 : n->errors / (double)n->rows;
        n->ci = binary ? interval_wilson(n->errors, (double)n->rows, 0.95)
                       : (struct interval){NAN, NAN};
        n->coverage = errors > 0 ? n->errors / errors : 0;
    }
}

static struct errors_node
root_of(const double *loss, size_t rows)
{
    struct errors_node root = child_of(-1, 0);
    root.rows = rows;
    for (size_t i = 0; i < rows; i++) {
        root.errors += loss[i];
    }
    return root;
}

struct status
errors_tree_grow(const struct errors_feature *features, uint32_t feature_count, const double *loss,
                 size_t rows, const struct errors_tree_options *o, struct errors_tree *ret_tree)
{
    CHECK(o->max_depth <= ERRORS_MAX_DEPTH && o->max_leaves >= 1, LIMIT);
    DEFER(grower_freep) struct grower *g = NULL;
    TRY(grower_new(features, feature_count, loss, rows, o, &g));
    ret_tree->nodes = 1;
    ret_tree->node[0] = root_of(loss, rows);
    g->end = 1;
    for (uint32_t depth = 0; depth < o->max_depth && g->first < g->end; depth++) {
        find_splits(g, ret_tree);
        const uint32_t next = ret_tree->nodes;
        open_children(g, ret_tree);
        move_rows(g, ret_tree);
        g->first = next;
        g->end = ret_tree->nodes;
    }
    finish(g, ret_tree);
    return OK;
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
