/* ONNX models whose graph is one tree ensemble of ONNX-ML (TreeEnsembleClassifier and Regressor of
 * versions 1 and 3, TreeEnsemble-5), with nothing before it but the gathering of inputs and nothing
 * after it that changes a score. Answers are those of ONNX Runtime; where it does something that
 * the standard does not say, or says otherwise, the model is refused. */
#include "base/text.h"
#include "model/forest_build.h"
#include "model/forest_formats.h"
#include "model/onnx_lists.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define GRAPH_MAX_NODES 64u
#define GRAPH_MAX_VALUES 4096u
#define GRAPH_MAX_OUTPUTS 256u /* of all its nodes */

struct loader {
    struct diag *diag;
    struct forest_build b;
    struct forest *f; /* of b */
    const Onnx__GraphProto *graph;
    bool classifier;
    size_t labels; /* class labels of a classifier */
    const char *const *label;
    struct onnx_lists in; /* the ensemble, and its trees */
    struct onnx_doubles base;
    double tree_weight;
    enum forest_link link;
    int64_t only_class; /* of a binary classifier whose leaves name one class; -1 */
};

static struct status
refuse_unsupported(const struct loader *l, const char *what)
{
    diag_set(l->diag, "ONNX: %s", what);
    FAIL(UNSUPPORTED);
}

/* ---- the graph ---- */

static bool
op_is(const Onnx__NodeProto *n, const char *type)
{
    return n->op_type != NULL && strcmp(n->op_type, type) == 0;
}

static bool
is_ensemble(const Onnx__NodeProto *n)
{
    return op_is(n, "TreeEnsembleClassifier") || op_is(n, "TreeEnsembleRegressor") ||
           op_is(n, "TreeEnsemble");
}

static bool
has_name(char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (names[i] != NULL && strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* The node that gives this value; n_node for an input of the graph. */
static size_t
maker_of(const Onnx__GraphProto *g, const char *value)
{
    size_t i = 0;
    while (i < g->n_node && !has_name(g->node[i]->output, g->node[i]->n_output, value)) {
        i++;
    }
    return i;
}

static const Onnx__ValueInfoProto *
input_of(const Onnx__GraphProto *g, const char *name)
{
    for (size_t i = 0; i < g->n_input; i++) {
        if (g->input[i]->name != NULL && strcmp(g->input[i]->name, name) == 0) {
            return g->input[i];
        }
    }
    return NULL;
}

static struct status
find_ensemble(struct loader *l)
{
    for (size_t i = 0; i < l->graph->n_node; i++) {
        const Onnx__NodeProto *n = l->graph->node[i];
        if (is_ensemble(n)) {
            if (l->in.op != NULL) {
                return refuse_unsupported(l, "two tree ensembles in one graph are not read here");
            }
            l->in.op = n;
        }
    }
    if (l->in.op == NULL) {
        diag_set(l->diag,
                 "ONNX: the graph has no tree ensemble (TreeEnsembleClassifier, "
                 "TreeEnsembleRegressor, TreeEnsemble); its first operator is %.40s",
                 l->graph->n_node > 0 && l->graph->node[0]->op_type != NULL
                     ? l->graph->node[0]->op_type
                     : "absent");
        FAIL(UNSUPPORTED);
    }
    if (l->in.op->n_input != 1 || l->in.op->n_output == 0) {
        diag_set(l->diag, "ONNX: %s must have one input and an output", l->in.op->op_type);
        FAIL(INPUT);
    }
    l->classifier = op_is(l->in.op, "TreeEnsembleClassifier");
    return OK;
}

static const char *
scores_of(const struct loader *l)
{
    return l->in.op->output[l->classifier && l->in.op->n_output > 1 ? 1 : 0];
}

/* Nodes whose first input is the scores, or comes from them along first inputs: no chain is longer
 * than there are nodes. */
static void
find_carriers(const struct loader *l, bool ret_carries[static GRAPH_MAX_NODES])
{
    const Onnx__GraphProto *g = l->graph;
    size_t from[GRAPH_MAX_NODES];
    for (size_t i = 0; i < g->n_node; i++) {
        const bool follows = g->node[i] != l->in.op && g->node[i]->n_input > 0;
        from[i] = follows ? maker_of(g, g->node[i]->input[0]) : g->n_node;
        ret_carries[i] = follows && strcmp(g->node[i]->input[0], scores_of(l)) == 0;
    }
    for (size_t step = 0; step < g->n_node; step++) {
        for (size_t i = 0; i < g->n_node; i++) {
            ret_carries[i] = ret_carries[i] || (from[i] < g->n_node && ret_carries[from[i]]);
        }
    }
}

/* The scores may be cast, renamed or put into a map on their way out; labels go where they like. */
static struct status
check_after(const struct loader *l, const Onnx__NodeProto *n, const bool *carries)
{
    static const char *const harmless[] = {"Cast",    "Identity", "ZipMap", "Reshape",
                                           "Squeeze", "Flatten",  "ArgMax"};
    bool reads = false;
    for (size_t k = 0; k < sizeof harmless / sizeof *harmless; k++) {
        if (op_is(n, harmless[k])) {
            return OK;
        }
    }
    for (size_t i = 0; i < n->n_input && !reads; i++) {
        const size_t maker = maker_of(l->graph, n->input[i]);
        reads =
            strcmp(n->input[i], scores_of(l)) == 0 || (maker < l->graph->n_node && carries[maker]);
    }
    if (reads) {
        diag_set(l->diag,
                 "ONNX: %.40s follows the tree ensemble and changes its scores; graphs of "
                 "one ensemble alone are read here",
                 n->op_type == NULL ? "an operator" : n->op_type);
        FAIL(UNSUPPORTED);
    }
    return OK;
}

/* Columns of an input: its last dimension; 0 when it is not said. */
static uint64_t
width_of(const Onnx__ValueInfoProto *input)
{
    const Onnx__TypeProto__Tensor *t = input->type == NULL ? NULL : input->type->tensor_type;
    const Onnx__TensorShapeProto *s = t == NULL ? NULL : t->shape;
    if (s == NULL || s->n_dim == 0) {
        return 0;
    }
    const int64_t v = s->dim[s->n_dim - 1]->dim_value;
    return v > 0 ? (uint64_t)v : 0;
}

static struct status
set_features(struct loader *l, uint64_t n)
{
    if (n == 0 || n > FOREST_MAX_FEATURES) {
        diag_set(l->diag, "ONNX: %" PRIu64 " features; 1 to %u are read here", n,
                 FOREST_MAX_FEATURES);
        FAIL(INPUT);
    }
    l->in.trees.features = l->f->features = (uint32_t)n;
    return OK;
}

/* One input a column, put side by side: their names are the features'. */
static struct status
read_columns(struct loader *l, const Onnx__NodeProto *concat)
{
    const char **names = NULL;
    TRY(set_features(l, concat->n_input));
    CHECK(FOREST_TAKE(l->b.arena, names, l->f->features), MEMORY);
    for (uint32_t i = 0; i < l->f->features; i++) {
        const Onnx__ValueInfoProto *input = input_of(l->graph, concat->input[i]);
        if (input == NULL || width_of(input) != 1) {
            return refuse_unsupported(
                l, "Concat before the tree ensemble must put inputs of one column each together");
        }
        if (!text_is_utf8(view_str(input->name)) || *input->name == '\0') {
            return refuse_unsupported(l, "an input's name is not UTF-8 text");
        }
        names[i] = arena_strdup(l->b.arena, view_str(input->name));
        CHECK(names[i] != NULL, MEMORY);
    }
    l->f->feature_names = names;
    return OK;
}

/* Backwards from the ensemble to the inputs of the graph. */
static struct status
read_inputs(struct loader *l)
{
    const char *from = l->in.op->input[0];
    for (size_t steps = 0; steps <= l->graph->n_node; steps++) {
        const size_t at = maker_of(l->graph, from);
        if (at == l->graph->n_node) {
            break;
        }
        const Onnx__NodeProto *maker = l->graph->node[at];
        if (op_is(maker, "Concat")) {
            return read_columns(l, maker);
        }
        if ((!op_is(maker, "Cast") && !op_is(maker, "Identity")) || maker->n_input != 1) {
            diag_set(l->diag,
                     "ONNX: %.40s comes before the tree ensemble and changes its features; "
                     "graphs of one ensemble alone are read here",
                     maker->op_type == NULL ? "an operator" : maker->op_type);
            FAIL(UNSUPPORTED);
        }
        from = maker->input[0];
    }
    const Onnx__ValueInfoProto *input = input_of(l->graph, from);
    if (input == NULL) {
        return refuse_unsupported(l, "the tree ensemble does not read an input of the graph");
    }
    const uint64_t width = width_of(input);
    return width > 0 ? set_features(l, width) : OK; /* else: from the splits */
}

/* A graph of one ensemble is small; in a large one, following values back would take long. */
static struct status
check_size(const struct loader *l)
{
    bool small = l->graph->n_node <= GRAPH_MAX_NODES && l->graph->n_input <= GRAPH_MAX_VALUES;
    size_t inputs = 0, outputs = 0;
    for (size_t i = 0; i < l->graph->n_node && small; i++) {
        inputs += l->graph->node[i]->n_input;
        outputs += l->graph->node[i]->n_output;
        small = inputs <= GRAPH_MAX_VALUES + GRAPH_MAX_NODES && outputs <= GRAPH_MAX_OUTPUTS;
    }
    if (!small) {
        diag_set(l->diag,
                 "ONNX: graphs of at most %u operators, %u inputs and %u outputs of operators are "
                 "read here",
                 GRAPH_MAX_NODES, GRAPH_MAX_VALUES, GRAPH_MAX_OUTPUTS);
        FAIL(LIMIT);
    }
    return OK;
}

static struct status
read_graph(struct loader *l)
{
    TRY(check_size(l));
    TRY(find_ensemble(l));
    TRY(read_inputs(l));
    bool carries[GRAPH_MAX_NODES] = {false};
    find_carriers(l, carries);
    for (size_t i = 0; i < l->graph->n_node; i++) {
        if (l->graph->node[i] != l->in.op) {
            TRY(check_after(l, l->graph->node[i], carries));
        }
    }
    return OK;
}

/* ---- what becomes of the sums ---- */

static struct status
set_aggregate(struct loader *l, const char *word)
{
    const bool average = strcmp(word, "AVERAGE") == 0;
    if (!average && strcmp(word, "SUM") != 0) {
        diag_set(l->diag,
                 "ONNX: aggregate_function %.20s: sums and averages of the trees are read "
                 "here",
                 word);
        FAIL(UNSUPPORTED);
    }
    l->tree_weight = average ? 1 / (double)l->in.trees.roots : 1;
    return OK;
}

static struct status
set_transform(struct loader *l, const char *word)
{
    if (strcmp(word, "NONE") == 0) {
        l->link = FOREST_IDENTITY;
    } else if (strcmp(word, "LOGISTIC") == 0) {
        l->link = FOREST_LOGISTIC;
    } else if (strcmp(word, "SOFTMAX") == 0) {
        l->link = FOREST_SOFTMAX;
    } else {
        diag_set(l->diag, "ONNX: post_transform %.20s: NONE, LOGISTIC and SOFTMAX are read here",
                 word);
        FAIL(UNSUPPORTED);
    }
    if (l->link != FOREST_IDENTITY && !l->classifier && l->in.trees.outputs == 1) {
        return refuse_unsupported(l, "a post_transform of one target: ONNX Runtime leaves it out, "
                                     "the standard does not");
    }
    return OK;
}

/* A string attribute as a C string of at most 31 letters. */
static struct status
word_of(const struct loader *l, const char *name, const char *fallback, char ret_word[static 32])
{
    struct view v;
    TRY(onnx_string(l->in.op, name, fallback, l->diag, &v));
    const size_t n = v.len < 31 ? v.len : 31;
    memcpy(ret_word, v.ptr, n);
    ret_word[n] = '\0';
    return OK;
}

/* TreeEnsemble-5 has numbers for the words. */
static struct status
read_numbers(struct loader *l)
{
    static const char *const aggregates[] = {"AVERAGE", "SUM", "MIN", "MAX"};
    int64_t aggregate = 1, transform = 0;
    TRY(onnx_integer(l->in.op, "aggregate_function", 1, l->diag, &aggregate));
    TRY(onnx_integer(l->in.op, "post_transform", 0, l->diag, &transform));
    if (transform != 0) {
        return refuse_unsupported(l,
                                  "a post_transform of TreeEnsemble-5: ONNX Runtime numbers them "
                                  "otherwise than the standard");
    }
    return set_aggregate(l,
                         aggregate >= 0 && aggregate < 4 ? aggregates[aggregate] : "of a number");
}

static struct status
read_words(struct loader *l)
{
    char aggregate[32], transform[32];
    if (op_is(l->in.op, "TreeEnsemble")) {
        return read_numbers(l);
    }
    TRY(word_of(l, "aggregate_function", "SUM", aggregate));
    TRY(word_of(l, "post_transform", "NONE", transform));
    TRY(set_aggregate(l, aggregate));
    return set_transform(l, transform);
}

/* base_values: one for each output, or none. */
static struct status
read_base(struct loader *l)
{
    TRY(onnx_doubles(l->in.op, "base_values", l->diag, &l->base));
    for (size_t i = 0; i < l->base.n; i++) {
        if (!isfinite(l->base.at[i])) {
            diag_set(l->diag, "ONNX: \"base_values\": value %zu is not a finite number", i);
            FAIL(INPUT);
        }
    }
    return OK;
}

static bool
base_is_zero(const struct loader *l)
{
    for (size_t i = 0; i < l->base.n; i++) {
        if (l->base.at[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Two classes, and all weights for one of them: one score, that of the second class. */
static struct status
fold_binary(struct loader *l)
{
    if (l->only_class < 0) {
        return base_is_zero(l)
                   ? OK
                   : refuse_unsupported(l, "base_values of two classes with weights each: ONNX "
                                           "Runtime does not add them as the standard says");
    }
    if (!base_is_zero(l) && (l->base.n != 1 || l->only_class != 0)) {
        return refuse_unsupported(l, "base_values of a binary classifier must be one value, its "
                                     "weights those of class 0: ONNX Runtime drops others");
    }
    if (l->link == FOREST_SOFTMAX) {
        return refuse_unsupported(l, "SOFTMAX of a binary classifier with weights for one class: "
                                     "ONNX Runtime and the standard differ");
    }
    for (size_t i = 0; i < l->in.trees.weights; i++) {
        l->in.trees.weight[i].output = 0;
    }
    l->in.trees.outputs = l->f->outputs = 1;
    return OK;
}

static bool
leaves_are_full(const struct onnx_trees *t)
{
    for (size_t i = 0; i < t->nodes; i++) {
        if (t->node[i].mode == ONNX_LEAF && t->node[i].count != t->outputs) {
            return false;
        }
    }
    return true;
}

static struct status
settle_base(struct loader *l)
{
    const uint32_t outputs = l->f->outputs;
    double *base = NULL;
    if (l->classifier && l->labels == 2) {
        TRY(fold_binary(l));
    }
    if (l->base.n > 0 && l->base.n != l->f->outputs && !base_is_zero(l)) {
        diag_set(l->diag, "ONNX: %zu base_values for %u outputs", l->base.n, outputs);
        FAIL(INPUT);
    }
    if (!l->classifier && !base_is_zero(l) && !leaves_are_full(&l->in.trees)) {
        return refuse_unsupported(l, "base_values of several targets, and leaves without a weight "
                                     "for each: ONNX Runtime adds them to some rows only");
    }
    CHECK(FOREST_TAKE(l->b.arena, base, l->f->outputs), MEMORY);
    for (uint32_t k = 0; k < l->f->outputs && l->base.n == l->f->outputs; k++) {
        base[k] = l->base.at[k];
    }
    l->f->base = base;
    l->f->link = l->link;
    l->f->output_names = l->f->outputs > 1 ? l->label : NULL;
    l->f->two_classes = l->classifier && l->labels == 2 && l->f->outputs == 1 ? l->label : NULL;
    return OK;
}

/* ---- outputs ---- */

static struct status
read_labels(struct loader *l)
{
    const Onnx__AttributeProto *words = NULL;
    struct onnx_integers numbers;
    const char **list = NULL;
    TRY(onnx_attribute(l->in.op, "classlabels_strings", l->diag, &words));
    TRY(onnx_integers(l->in.op, "classlabels_int64s", l->diag, &numbers));
    l->labels = words != NULL && words->n_strings > 0 ? words->n_strings : numbers.n;
    if (l->labels < 2 || l->labels > FOREST_MAX_OUTPUTS) {
        diag_set(l->diag, "ONNX: %zu class labels; 2 to %u are read here", l->labels,
                 FOREST_MAX_OUTPUTS);
        FAIL(INPUT);
    }
    CHECK(FOREST_TAKE(l->b.arena, list, l->labels), MEMORY);
    for (size_t i = 0; i < l->labels; i++) {
        char number[24];
        struct view text;
        if (l->labels == numbers.n && (words == NULL || words->n_strings == 0)) {
            (void)snprintf(number, sizeof number, "%lld", (long long)numbers.at[i]);
            text = view_str(number);
        } else {
            text = view_of(words->strings[i].data, words->strings[i].len);
        }
        if (!text_is_utf8(text) || (text.len > 0 && memchr(text.ptr, 0, text.len) != NULL)) {
            diag_set(l->diag, "ONNX: class label %zu is not UTF-8 text", i);
            FAIL(INPUT);
        }
        list[i] = arena_strdup(l->b.arena, text);
        CHECK(list[i] != NULL, MEMORY);
    }
    l->label = list;
    return OK;
}

static struct status
read_outputs(struct loader *l)
{
    int64_t targets = 1;
    if (l->classifier) {
        TRY(read_labels(l));
        targets = (int64_t)l->labels;
    } else {
        TRY(onnx_integer(l->in.op, "n_targets", 1, l->diag, &targets));
    }
    if (targets < 1 || targets > FOREST_MAX_OUTPUTS) {
        diag_set(l->diag, "ONNX: %lld targets; 1 to %u are read here", (long long)targets,
                 FOREST_MAX_OUTPUTS);
        FAIL(INPUT);
    }
    l->in.trees.outputs = l->f->outputs = (uint32_t)targets;
    return OK;
}

/* The class of every weight, when it is one. */
static void
find_only_class(struct loader *l)
{
    l->only_class = l->in.trees.weights == 0 ? -1 : (int64_t)l->in.trees.weight[0].output;
    for (size_t i = 0; i < l->in.trees.weights; i++) {
        l->only_class = (int64_t)l->in.trees.weight[i].output == l->only_class ? l->only_class : -1;
    }
}

static struct status
read_model(struct loader *l)
{
    TRY(read_graph(l));
    TRY(read_outputs(l));
    if (op_is(l->in.op, "TreeEnsemble")) {
        TRY(onnx_lists_read_listed(&l->in));
    } else {
        TRY(onnx_lists_read_numbered(&l->in, l->classifier ? "class" : "target"));
    }
    l->f->features = l->in.trees.features;
    find_only_class(l);
    TRY(read_words(l));
    TRY(read_base(l));
    TRY(settle_base(l));
    l->f->objective = l->classifier ? "TreeEnsembleClassifier" : "TreeEnsembleRegressor";
    l->f->has_cover = false;
    return onnx_trees_emit(&l->in.trees, l->tree_weight, l->diag, &l->b);
}

struct status
forest_load_onnx(struct view bytes, struct diag *diag, struct forest **ret_forest)
{
    DEFER(onnx_document_done) struct onnx_document document = {0};
    TRY(onnx_document_read(bytes, diag, &document));
    struct loader l = {.diag = diag, .graph = document.model->graph, .in = {.diag = diag}};
    TRY(forest_build_start(&l.b));
    l.f = l.b.f;
    const struct status s = read_model(&l);
    onnx_trees_done(&l.in.trees);
    onnx_doubles_done(&l.base);
    return forest_build_end(&l.b, s, ret_forest);
}
