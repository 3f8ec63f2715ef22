/* XGBoost's JSON and UBJSON model schema (doc/model.schema, versions 1.x to 3.x) into a forest.
 * Models are untrusted: the document is read first, within limits; then its parameters, then every
 * tree (xgboost_tree.c), with every index and count checked. */
#include "base/json.h"
#include "base/text.h"
#include "model/forest_build.h"
#include "model/forest_formats.h"
#include "model/xgboost_categories.h"
#include "model/xgboost_document.h"
#include "model/xgboost_tree.h"

#include <math.h>
#include <string.h>

struct loader {
    struct diag *diag;
    struct forest_build b;
    struct forest *f; /* of b */
    uint64_t version; /* of the XGBoost that wrote the file: 1, 2, 3; 0 when it does not say */
};

/* ---- the trees ---- */

static struct status
count_all(const struct loader *l, const json_t *trees, size_t *ret_nodes, size_t *ret_categories)
{
    size_t nodes = 0, categories = 0;
    for (uint32_t i = 0; i < json_array_size(trees); i++) {
        size_t n = 0, c = 0;
        TRY(xgboost_tree_size(json_array_get(trees, i), i, l->diag, &n, &c));
        nodes += n;
        categories += c;
        if (nodes > FOREST_MAX_NODES || categories > FOREST_MAX_NODES) {
            diag_set(l->diag, "more than %u nodes or categories", FOREST_MAX_NODES);
            FAIL(LIMIT);
        }
    }
    *ret_nodes = nodes;
    *ret_categories = categories;
    return OK;
}

/* DART's; 1 for every tree without. */
static struct status
read_weights(struct loader *l, const json_t *weights)
{
    if (weights != NULL && (!json_is_array(weights) || json_array_size(weights) != l->f->trees)) {
        diag_set(l->diag, "\"weight_drop\" must be an array of %u numbers, one for each tree",
                 l->f->trees);
        FAIL(INPUT);
    }
    for (uint32_t i = 0; i < l->f->trees; i++) {
        const float w = weights == NULL ? 1.0f : xgboost_float(json_array_get(weights, i));
        if (isnan(w)) {
            diag_set(l->diag, "tree %u: its weight (weight_drop) is not a finite number", i);
            FAIL(INPUT);
        }
        l->b.tree_weight[i] = (double)w;
    }
    return OK;
}

static struct status
read_output(struct loader *l, const json_t *info, uint32_t tree)
{
    int64_t output = 0;
    if (!xgboost_integer(json_array_get(info, tree), &output) || output < 0 ||
        output >= l->f->outputs) {
        diag_set(l->diag, "tree %u: its output (tree_info) is not a whole number from 0 to %u",
                 tree, l->f->outputs - 1);
        FAIL(INPUT);
    }
    l->b.tree_output[tree] = (uint32_t)output;
    return OK;
}

/* What the file says of its trees must be what it holds. */
static struct status
count_trees(const struct loader *l, const json_t *model, const json_t *trees, const json_t *info)
{
    const json_t *param = json_object_get(model, "gbtree_model_param");
    const size_t count = json_array_size(trees);
    uint64_t announced = 0, leaf_vector = 0;
    TRY(xgboost_parameter(param, "num_trees", count, l->diag, &announced));
    TRY(xgboost_parameter(param, "size_leaf_vector", 0, l->diag, &leaf_vector));
    if (announced > FOREST_MAX_TREES || count > FOREST_MAX_TREES) {
        diag_set(l->diag, "%llu trees; at most %u are read here",
                 (unsigned long long)(announced > count ? announced : count), FOREST_MAX_TREES);
        FAIL(LIMIT);
    }
    if (announced != count || json_array_size(info) != count) {
        diag_set(l->diag,
                 "\"num_trees\" says %llu trees; the file holds %zu, and \"tree_info\" %zu values",
                 (unsigned long long)announced, count, json_array_size(info));
        FAIL(INPUT);
    }
    if (leaf_vector > 1) {
        diag_set(l->diag, "trees with vector leaves (size_leaf_vector) are not read here");
        FAIL(UNSUPPORTED);
    }
    l->f->trees = (uint32_t)count;
    return OK;
}

static struct status
read_trees(struct loader *l, const json_t *model, const json_t *weights)
{
    json_t *trees = NULL, *info = NULL;
    size_t nodes = 0, categories = 0;
    TRY(js_need_array(model, "trees", l->diag, &trees));
    TRY(js_need_array(model, "tree_info", l->diag, &info));
    TRY(count_trees(l, model, trees, info));
    TRY(count_all(l, trees, &nodes, &categories));
    TRY(forest_build_allocate(&l->b, nodes, categories));
    TRY(read_weights(l, weights));
    for (uint32_t i = 0; i < l->f->trees; i++) {
        l->b.tree_start[i] = l->b.nodes.used;
        TRY(read_output(l, info, i));
        TRY(xgboost_tree_read(json_array_get(trees, i), i, l->diag, &l->b.nodes));
    }
    return OK;
}

/* ---- objective and base score ---- */

/* How base_score in the file becomes a margin (ProbToMargin in XGBoost's src/objective) and a
 * margin an answer, for each objective. */
static const struct {
    const char *name;
    enum forest_link link;
    enum { BASE_AS_IS, BASE_LOGIT, BASE_LOG } base;
} objectives[] = {
    {"binary:logistic", FOREST_LOGISTIC, BASE_LOGIT},
    {"reg:logistic", FOREST_LOGISTIC, BASE_LOGIT},
    {"binary:logitraw", FOREST_IDENTITY, BASE_AS_IS},
    {"multi:softprob", FOREST_SOFTMAX, BASE_AS_IS},
    {"multi:softmax", FOREST_SOFTMAX, BASE_AS_IS},
    {"count:poisson", FOREST_EXP, BASE_LOG},
    {"reg:gamma", FOREST_EXP, BASE_LOG},
    {"reg:tweedie", FOREST_EXP, BASE_LOG},
    {"reg:squarederror", FOREST_IDENTITY, BASE_AS_IS},
    {"reg:squaredlogerror", FOREST_IDENTITY, BASE_AS_IS},
    {"reg:pseudohubererror", FOREST_IDENTITY, BASE_AS_IS},
    {"reg:absoluteerror", FOREST_IDENTITY, BASE_AS_IS},
    {"rank:pairwise", FOREST_IDENTITY, BASE_AS_IS},
    {"rank:ndcg", FOREST_IDENTITY, BASE_AS_IS},
    {"rank:map", FOREST_IDENTITY, BASE_AS_IS},
};

/* Since 3.1 scores of 0 and 1 are written; they are read as this far inside. */
#define LOGIT_EDGE 1e-6f

static struct status
logit(const struct loader *l, float score, float *ret_margin)
{
    const float edge = l->version >= 3 ? LOGIT_EDGE : 0.0f;
    const bool in_range = l->version >= 3 ? score >= 0 && score <= 1 : score > 0 && score < 1;
    if (!in_range) {
        diag_set(l->diag, "\"base_score\" is %g; this objective needs one between 0 and 1",
                 (double)score);
        FAIL(INPUT);
    }
    const float inside = fminf(fmaxf(score, edge), 1.0f - edge);
    *ret_margin = -logf(1.0f / inside - 1.0f);
    return OK;
}

static struct status
base_margin(const struct loader *l, size_t objective, double score, double *ret_margin)
{
    float margin = (float)score;
    if (objectives[objective].base == BASE_LOGIT) {
        TRY(logit(l, margin, &margin));
    } else if (objectives[objective].base == BASE_LOG) {
        if (!(margin > 0)) {
            diag_set(l->diag, "\"base_score\" is %g; this objective needs one over 0", score);
            FAIL(INPUT);
        }
        margin = logf(margin);
    }
    if (!isfinite(margin)) {
        diag_set(l->diag, "\"base_score\" is %g: too large, or too near an end", score);
        FAIL(INPUT);
    }
    *ret_margin = (double)margin;
    return OK;
}

static struct status
refuse_score(const struct loader *l)
{
    diag_set(l->diag, "\"base_score\" must be a number or a list of numbers, like 5E-1 or [5E-1]");
    FAIL(INPUT);
}

/* "5E-1" (until 3.0), "[5E-1]" or "[1E0,2E0,3E0]" (since 3.1), or the number itself. */
static struct status
next_score(const struct loader *l, const char **at, double *ret_score)
{
    const size_t n = strcspn(*at, ",]");
    if (!status_ok(text_to_f64(view_of(*at, n), ret_score))) {
        return refuse_score(l);
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
        return refuse_score(l);
    }
    *ret_count = count;
    return OK;
}

static struct status
read_base(struct loader *l, const json_t *param, size_t objective)
{
    const json_t *v = json_object_get(param, "base_score");
    double *base = arena_alloc(l->b.arena, l->f->outputs, sizeof *base);
    uint32_t count = 1;
    CHECK(base != NULL, MEMORY);
    base[0] = 0.5;
    if (json_is_number(v)) {
        base[0] = json_number_value(v);
    } else if (json_is_string(v)) {
        TRY(read_scores(l, json_string_value(v), base, &count));
    } else if (v != NULL) {
        return refuse_score(l);
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
        if (strcmp(name, objectives[i].name) == 0) {
            l->f->objective = arena_strdup(l->b.arena, view_str(name));
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
    TRY(xgboost_parameter(param, "num_feature", 0, l->diag, &features));
    TRY(xgboost_parameter(param, "num_class", 0, l->diag, &classes));
    TRY(xgboost_parameter(param, "num_target", 1, l->diag, &targets));
    const uint64_t outputs = classes > 1 ? classes : targets > 1 ? targets : 1;
    if (features == 0 || features > FOREST_MAX_FEATURES || outputs > FOREST_MAX_OUTPUTS) {
        diag_set(l->diag, "%llu features and %llu outputs; 1 to %u and 1 to %u are read here",
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
    if (names == NULL || (json_is_array(names) && json_array_size(names) == 0)) {
        return OK;
    }
    if (json_array_size(names) != l->f->features) {
        diag_set(l->diag, "\"feature_names\" must be an array of %u names, one for each feature",
                 l->f->features);
        FAIL(INPUT);
    }
    const char **list = NULL;
    CHECK(FOREST_TAKE(l->b.arena, list, l->f->features), MEMORY);
    for (uint32_t i = 0; i < l->f->features; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        if (name == NULL) {
            diag_set(l->diag, "\"feature_names\": value %u is not a string", i);
            FAIL(INPUT);
        }
        list[i] = arena_strdup(l->b.arena, view_str(name));
        CHECK(list[i] != NULL, MEMORY);
    }
    l->f->feature_names = list;
    return OK;
}

/* gbtree has its model at once. dart has it inside gbtree, beside the weights; in later versions it
 * is a gbtree with the weights inside the model. */
static struct status
read_booster(struct loader *l, const json_t *learner)
{
    json_t *booster = NULL, *inner = NULL, *model = NULL;
    const char *name = NULL;
    TRY(js_need_object(learner, "gradient_booster", l->diag, &booster));
    TRY(js_need_string(booster, "name", l->diag, &name));
    const json_t *weights = json_object_get(booster, "weight_drop");
    inner = booster;
    if (strcmp(name, "dart") == 0) {
        TRY(js_need_object(booster, "gbtree", l->diag, &inner));
    } else if (strcmp(name, "gbtree") != 0) {
        diag_set(l->diag, "booster \"%.60s\": gbtree and dart are read here", name);
        FAIL(UNSUPPORTED);
    }
    TRY(js_need_object(inner, "model", l->diag, &model));
    weights = weights == NULL ? json_object_get(model, "weight_drop") : weights;
    if (weights == NULL && inner != booster) {
        diag_set(l->diag, "a dart booster needs \"weight_drop\"");
        FAIL(INPUT);
    }
    TRY(xgboost_read_categories(&l->b, model, l->diag));
    return read_trees(l, model, weights);
}

static struct status
read_version(struct loader *l, const json_t *document)
{
    const json_t *version = json_object_get(document, "version");
    int64_t major = 0;
    if (version != NULL && (!xgboost_integer(json_array_get(version, 0), &major) || major < 0)) {
        diag_set(l->diag, "\"version\" must be an array of numbers, like [1,7,4]");
        FAIL(INPUT);
    }
    l->version = (uint64_t)major;
    return OK;
}

static struct status
read_document(struct loader *l, const json_t *document)
{
    json_t *learner = NULL, *param = NULL;
    size_t objective = 0;
    TRY(read_version(l, document));
    TRY(js_need_object(document, "learner", l->diag, &learner));
    TRY(js_need_object(learner, "learner_model_param", l->diag, &param));
    TRY(read_shape(l, param));
    TRY(find_objective(l, learner, &objective));
    TRY(read_base(l, param, objective));
    TRY(read_names(l, learner));
    return read_booster(l, learner);
}

struct status
forest_load_xgboost(struct view bytes, struct diag *diag, struct forest **ret_forest)
{
    DEFER(js_freep) json_t *document = NULL;
    TRY(xgboost_document_read(bytes, diag, &document));
    struct loader l = {.diag = diag};
    TRY(forest_build_start(&l.b));
    l.f = l.b.f;
    const struct status s = read_document(&l, document);
    return forest_build_end(&l.b, s, ret_forest);
}
