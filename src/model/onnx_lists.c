#include "model/onnx_lists.h"

#include <math.h>
#include <stdio.h>

static struct status
refuse_length(const struct onnx_lists *l, const char *name, size_t have, size_t want)
{
    diag_set(l->diag, "ONNX: \"%s\" holds %zu values, not %zu", name, have, want);
    FAIL(INPUT);
}

static struct status
integers(const struct onnx_lists *l, const char *name, size_t n, bool optional,
         struct onnx_integers *ret_list)
{
    TRY(onnx_integers(l->op, name, l->diag, ret_list));
    return ret_list->n == n || (optional && ret_list->n == 0)
               ? OK
               : refuse_length(l, name, ret_list->n, n);
}

static struct status
doubles(const struct onnx_lists *l, const char *name, size_t n, struct onnx_doubles *ret_list)
{
    TRY(onnx_doubles(l->op, name, l->diag, ret_list));
    return ret_list->n == n ? OK : refuse_length(l, name, ret_list->n, n);
}

static struct status
allocate_trees(struct onnx_lists *l, size_t nodes, size_t weights)
{
    struct onnx_trees *t = &l->trees;
    if (nodes > FOREST_MAX_NODES || weights > (size_t)FOREST_MAX_NODES * 4) {
        diag_set(l->diag, "ONNX: more than %u nodes, or weights", FOREST_MAX_NODES);
        FAIL(LIMIT);
    }
    t->node = calloc(nodes + 1, sizeof *t->node);
    t->weight = calloc(weights + 1, sizeof *t->weight);
    t->root = calloc(nodes + 1, sizeof *t->root);
    CHECK(t->node != NULL && t->weight != NULL && t->root != NULL, MEMORY);
    t->nodes = nodes;
    t->weights = weights;
    return OK;
}

/* The input's shape says how many features there are, or the splits do. */
static struct status
settle_features(struct onnx_lists *l, const int64_t *feature, size_t n)
{
    int64_t most = 0;
    for (size_t i = 0; i < n; i++) {
        if (feature[i] < 0 || feature[i] >= FOREST_MAX_FEATURES) {
            diag_set(l->diag, "ONNX: \"nodes_featureids\": value %zu, %lld, is not one of 0 to %u",
                     i, (long long)feature[i], FOREST_MAX_FEATURES - 1);
            FAIL(INPUT);
        }
        most = feature[i] > most ? feature[i] : most;
    }
    l->trees.features = l->trees.features > 0 ? l->trees.features : (uint32_t)most + 1;
    return OK;
}

/* ---- nodes by tree and number (versions 1 and 3) ---- */

/* Where a node stands, sorted by tree and number. */
struct key {
    int64_t tree, id;
    uint32_t at;
};

static int
compare_key(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    return x->tree != y->tree ? (x->tree > y->tree) - (x->tree < y->tree)
                              : (x->id > y->id) - (x->id < y->id);
}

static struct status
find_node(const struct onnx_lists *l, const struct key *keys, int64_t tree, int64_t id,
          const char *what, uint32_t *ret_at)
{
    const struct key key = {.tree = tree, .id = id};
    const struct key *found = bsearch(&key, keys, l->trees.nodes, sizeof *keys, compare_key);
    if (found == NULL) {
        diag_set(l->diag, "ONNX: tree %lld has no node %lld, which is %s", (long long)tree,
                 (long long)id, what);
        FAIL(INPUT);
    }
    *ret_at = found->at;
    return OK;
}

static struct status
mode_from_word(const struct onnx_lists *l, size_t i, struct view word, enum onnx_mode *ret_mode)
{
    static const struct {
        const char *word;
        enum onnx_mode mode;
    } words[] = {{"BRANCH_LEQ", ONNX_LEQ}, {"BRANCH_LT", ONNX_LT}, {"BRANCH_GTE", ONNX_GTE},
                 {"BRANCH_GT", ONNX_GT},   {"BRANCH_EQ", ONNX_EQ}, {"BRANCH_NEQ", ONNX_NEQ},
                 {"LEAF", ONNX_LEAF}};
    for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
        if (view_equal_str(word, words[k].word)) {
            *ret_mode = words[k].mode;
            return OK;
        }
    }
    diag_set(l->diag, "ONNX: \"nodes_modes\": value %zu, \"%.*s\", is no way to branch", i,
             (int)(word.len < 40 ? word.len : 40), (const char *)word.ptr);
    FAIL(INPUT);
}

/* Tree, number, feature, threshold and mode of each node. */
static struct status
read_nodes(struct onnx_lists *l, size_t n, const int64_t *tree, const int64_t *id,
           const Onnx__AttributeProto *modes)
{
    struct onnx_integers feature, missing;
    DEFER(onnx_doubles_done) struct onnx_doubles value = {0};
    TRY(integers(l, "nodes_featureids", n, false, &feature));
    TRY(integers(l, "nodes_missing_value_tracks_true", n, true, &missing));
    TRY(doubles(l, "nodes_values", n, &value));
    TRY(settle_features(l, feature.at, n));
    for (size_t i = 0; i < n; i++) {
        struct onnx_node *to = &l->trees.node[i];
        *to = (struct onnx_node){.tree = tree[i],
                                 .id = id[i],
                                 .feature = (uint32_t)feature.at[i],
                                 .value = value.at[i],
                                 .missing_true = missing.n > 0 && missing.at[i] != 0};
        TRY(mode_from_word(l, i, view_of(modes->strings[i].data, modes->strings[i].len),
                           &to->mode));
    }
    return OK;
}

static struct status
make_keys(const struct onnx_lists *l, struct key *keys)
{
    for (size_t i = 0; i < l->trees.nodes; i++) {
        const struct onnx_node *n = &l->trees.node[i];
        keys[i] = (struct key){n->tree, n->id, (uint32_t)i};
    }
    qsort(keys, l->trees.nodes, sizeof *keys, compare_key);
    for (size_t i = 1; i < l->trees.nodes; i++) {
        if (compare_key(&keys[i - 1], &keys[i]) == 0) {
            diag_set(l->diag, "ONNX: tree %lld has two nodes %lld", (long long)keys[i].tree,
                     (long long)keys[i].id);
            FAIL(INPUT);
        }
    }
    return OK;
}

/* A tree's root is its one node that is nobody's child; ONNX Runtime starts at the one that stands
 * first, so that has to be it. */
static struct status
find_roots(struct onnx_lists *l, const struct key *keys, const uint8_t *is_child)
{
    struct onnx_trees *t = &l->trees;
    for (size_t i = 0; i < t->nodes;) {
        const int64_t tree = keys[i].tree;
        size_t found = 0;
        uint32_t first = UINT32_MAX;
        for (; i < t->nodes && keys[i].tree == tree; i++) {
            first = keys[i].at < first ? keys[i].at : first;
            if (is_child[keys[i].at] == 0) {
                t->root[t->roots] = keys[i].at;
                found++;
            }
        }
        if (found != 1) {
            diag_set(l->diag, "ONNX: tree %lld has %zu nodes that are no node's child, not one",
                     (long long)tree, found);
            FAIL(INPUT);
        }
        if (t->root[t->roots] != first) {
            diag_set(l->diag, "ONNX: tree %lld: its root, node %lld, must stand first",
                     (long long)tree, (long long)t->node[t->root[t->roots]].id);
            FAIL(INPUT);
        }
        t->roots++;
    }
    return OK;
}

static struct status
link_nodes(struct onnx_lists *l, const struct key *keys)
{
    struct onnx_integers yes, no;
    const size_t n = l->trees.nodes;
    DEFER(memory_freep) uint8_t *is_child = calloc(n + 1, 1);
    CHECK(is_child != NULL, MEMORY);
    TRY(integers(l, "nodes_truenodeids", n, false, &yes));
    TRY(integers(l, "nodes_falsenodeids", n, false, &no));
    for (size_t i = 0; i < n; i++) {
        struct onnx_node *node = &l->trees.node[i];
        if (node->mode != ONNX_LEAF) {
            TRY(find_node(l, keys, node->tree, yes.at[i], "a true child", &node->yes));
            TRY(find_node(l, keys, node->tree, no.at[i], "a false child", &node->no));
            if (node->yes == node->no) {
                diag_set(l->diag, "tree %lld node %lld: its two children are the same",
                         (long long)node->tree, (long long)node->id);
                FAIL(INPUT);
            }
            is_child[node->yes] = is_child[node->no] = 1;
        }
    }
    return find_roots(l, keys, is_child);
}

/* The weights of the leaves, gathered leaf by leaf. */
struct vote {
    uint32_t node, output;
    double value;
};

static int
compare_vote(const void *a, const void *b)
{
    const struct vote *x = a, *y = b;
    return x->node != y->node ? (x->node > y->node) - (x->node < y->node)
                              : (x->output > y->output) - (x->output < y->output);
}

static struct status
place_votes(struct onnx_lists *l, struct vote *votes, size_t n)
{
    qsort(votes, n, sizeof *votes, compare_vote);
    for (size_t i = 0; i < n; i++) {
        struct onnx_node *node = &l->trees.node[votes[i].node];
        if (i > 0 && compare_vote(&votes[i - 1], &votes[i]) == 0) {
            diag_set(l->diag, "tree %lld node %lld: two weights for output %u",
                     (long long)node->tree, (long long)node->id, votes[i].output);
            FAIL(INPUT);
        }
        if (node->mode != ONNX_LEAF) {
            diag_set(l->diag, "tree %lld node %lld: a weight, but it is no leaf",
                     (long long)node->tree, (long long)node->id);
            FAIL(INPUT);
        }
        node->first = node->count == 0 ? (uint32_t)i : node->first;
        node->count++;
        l->trees.weight[i] = (struct onnx_weight){votes[i].output, votes[i].value};
    }
    return OK;
}

/* prefix: "target" or "class". */
static struct status
read_votes(struct onnx_lists *l, const struct key *keys, const char *prefix)
{
    char name[4][32];
    struct onnx_integers tree, id, output;
    DEFER(onnx_doubles_done) struct onnx_doubles value = {0};
    static const char *const endings[] = {"treeids", "nodeids", "ids", "weights"};
    for (size_t k = 0; k < 4; k++) {
        (void)snprintf(name[k], sizeof name[k], "%s_%s", prefix, endings[k]);
    }
    const size_t n = l->trees.weights;
    TRY(integers(l, name[0], n, false, &tree));
    TRY(integers(l, name[1], n, false, &id));
    TRY(integers(l, name[2], n, false, &output));
    TRY(doubles(l, name[3], n, &value));
    DEFER(memory_freep) struct vote *votes = calloc(n + 1, sizeof *votes);
    CHECK(votes != NULL, MEMORY);
    for (size_t i = 0; i < n; i++) {
        if (output.at[i] < 0 || output.at[i] >= (int64_t)l->trees.outputs) {
            diag_set(l->diag, "ONNX: \"%s\": value %zu, %lld, is not one of 0 to %u", name[2], i,
                     (long long)output.at[i], l->trees.outputs - 1);
            FAIL(INPUT);
        }
        votes[i] = (struct vote){.output = (uint32_t)output.at[i], .value = value.at[i]};
        TRY(find_node(l, keys, tree.at[i], id.at[i], "where a weight belongs", &votes[i].node));
    }
    return place_votes(l, votes, n);
}

struct status
onnx_lists_read_numbered(struct onnx_lists *l, const char *prefix)
{
    char ids[32];
    struct onnx_integers tree, id, votes;
    const Onnx__AttributeProto *modes = NULL;
    (void)snprintf(ids, sizeof ids, "%s_ids", prefix);
    TRY(onnx_integers(l->op, "nodes_treeids", l->diag, &tree));
    TRY(onnx_integers(l->op, ids, l->diag, &votes));
    TRY(integers(l, "nodes_nodeids", tree.n, false, &id));
    TRY(onnx_attribute(l->op, "nodes_modes", l->diag, &modes));
    if (modes == NULL || modes->n_strings != tree.n || tree.n == 0) {
        return refuse_length(l, "nodes_modes", modes == NULL ? 0 : modes->n_strings,
                             tree.n == 0 ? 1 : tree.n);
    }
    TRY(allocate_trees(l, tree.n, votes.n));
    DEFER(memory_freep) struct key *keys = calloc(tree.n, sizeof *keys);
    CHECK(keys != NULL, MEMORY);
    TRY(read_nodes(l, tree.n, tree.at, id.at, modes));
    TRY(make_keys(l, keys));
    TRY(link_nodes(l, keys));
    return read_votes(l, keys, prefix);
}

/* ---- TreeEnsemble-5: inner nodes and leaves in lists of their own ---- */

struct lists5 {
    struct onnx_integers feature, yes, no, yes_leaf, no_leaf, missing, target, root;
    struct onnx_doubles split, mode, weight, member;
};

static void
lists5_done(struct lists5 *s)
{
    onnx_doubles_done(&s->split);
    onnx_doubles_done(&s->mode);
    onnx_doubles_done(&s->weight);
    onnx_doubles_done(&s->member);
}

static struct status
read_lists5(struct onnx_lists *l, struct lists5 *s)
{
    TRY(onnx_integers(l->op, "nodes_featureids", l->diag, &s->feature));
    TRY(onnx_integers(l->op, "leaf_targetids", l->diag, &s->target));
    TRY(onnx_integers(l->op, "tree_roots", l->diag, &s->root));
    const size_t n = s->feature.n;
    TRY(integers(l, "nodes_truenodeids", n, false, &s->yes));
    TRY(integers(l, "nodes_falsenodeids", n, false, &s->no));
    TRY(integers(l, "nodes_trueleafs", n, false, &s->yes_leaf));
    TRY(integers(l, "nodes_falseleafs", n, false, &s->no_leaf));
    TRY(integers(l, "nodes_missing_value_tracks_true", n, true, &s->missing));
    TRY(doubles(l, "nodes_splits", n, &s->split));
    TRY(doubles(l, "nodes_modes", n, &s->mode));
    TRY(doubles(l, "leaf_weights", s->target.n, &s->weight));
    TRY(onnx_doubles(l->op, "membership_values", l->diag, &s->member));
    if (s->root.n == 0 || s->root.n > n) {
        return refuse_length(l, "tree_roots", s->root.n, n);
    }
    return settle_features(l, s->feature.at, n);
}

/* Leaves follow the inner nodes in our list. */
static struct status
child5(const struct onnx_lists *l, const struct lists5 *s, size_t node, int64_t child, int64_t leaf,
       uint32_t *ret_child)
{
    const size_t n = leaf != 0 ? s->target.n : s->feature.n;
    if (child < 0 || (uint64_t)child >= n) {
        diag_set(l->diag, "ONNX: node %zu: its child %lld is not one of the %zu %s", node,
                 (long long)child, n, leaf != 0 ? "leaves" : "nodes");
        FAIL(INPUT);
    }
    *ret_child = (uint32_t)((size_t)child + (leaf != 0 ? s->feature.n : 0));
    return OK;
}

/* The next set: members up to a NaN, or the end. */
static void
take_members(const struct onnx_trees *t, size_t *next, struct onnx_node *node)
{
    node->first = (uint32_t)*next;
    while (*next < t->members && !isnan(t->member[*next])) {
        (*next)++;
    }
    node->count = (uint32_t)*next - node->first;
    *next += *next < t->members;
}

static struct status
place_nodes5(struct onnx_lists *l, const struct lists5 *s)
{
    size_t next = 0;
    for (size_t i = 0; i < s->feature.n; i++) {
        const double mode = s->mode.at[i];
        struct onnx_node *to = &l->trees.node[i];
        if (!(mode >= 0 && mode < ONNX_LEAF)) {
            diag_set(l->diag, "ONNX: \"nodes_modes\": value %zu, %g, is no way to branch", i, mode);
            FAIL(INPUT);
        }
        *to = (struct onnx_node){.mode = (enum onnx_mode)mode,
                                 .id = (int64_t)i,
                                 .feature = (uint32_t)s->feature.at[i],
                                 .value = s->split.at[i],
                                 .missing_true = s->missing.n > 0 && s->missing.at[i] != 0};
        TRY(child5(l, s, i, s->yes.at[i], s->yes_leaf.at[i], &to->yes));
        TRY(child5(l, s, i, s->no.at[i], s->no_leaf.at[i], &to->no));
        if (to->mode == ONNX_MEMBER) {
            take_members(&l->trees, &next, to);
        }
    }
    return OK;
}

static struct status
place_leaves5(struct onnx_lists *l, const struct lists5 *s)
{
    for (size_t i = 0; i < s->target.n; i++) {
        const int64_t output = s->target.at[i];
        if (output < 0 || output >= (int64_t)l->trees.outputs) {
            diag_set(l->diag, "ONNX: \"leaf_targetids\": value %zu, %lld, is not one of 0 to %u", i,
                     (long long)output, l->trees.outputs - 1);
            FAIL(INPUT);
        }
        l->trees.weight[i] = (struct onnx_weight){(uint32_t)output, s->weight.at[i]};
        l->trees.node[s->feature.n + i] = (struct onnx_node){
            .mode = ONNX_LEAF, .id = (int64_t)i, .first = (uint32_t)i, .count = 1};
    }
    return OK;
}

struct status
onnx_lists_read_listed(struct onnx_lists *l)
{
    DEFER(lists5_done) struct lists5 s = {0};
    TRY(read_lists5(l, &s));
    TRY(allocate_trees(l, s.feature.n + s.target.n, s.target.n));
    l->trees.member = s.member.at;
    l->trees.members = s.member.n;
    s.member = (struct onnx_doubles){0};
    TRY(place_nodes5(l, &s));
    TRY(place_leaves5(l, &s));
    for (size_t i = 0; i < s.root.n; i++) {
        TRY(child5(l, &s, i, s.root.at[i], 0, &l->trees.root[i]));
    }
    l->trees.roots = s.root.n;
    return OK;
}
