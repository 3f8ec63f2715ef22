#include "model/train.h"

#include "base/json.h"
#include "base/threads.h"
#include "model/forest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xgboost/c_api.h>

void
train_defaults(struct train_options *ret_options)
{
    *ret_options = (struct train_options){
        .objective = "binary:logistic",
        .base_score = 0.5,
        .rounds = 100,
        .max_depth = 4,
        .learning_rate = 0.1,
        .subsample = 1,
        .min_child_weight = 1,
        .lambda = 1,
        .seed = 1,
    };
}

/* ---- parameters ---- */

struct parameter {
    const char *name;
    char value[40];
};

#define PARAMETERS_MAX 16
#define CATEGORIES_ONE_BY_ONE "4" /* below so many categories a split tries each by itself */

/* What the library is told that can change the trees; the same list is kept beside the model. */
static size_t
list_parameters(const struct train_options *o, struct parameter p[static PARAMETERS_MAX])
{
    size_t n = 0;
#define ADD(NAME, ...)                                                                             \
    do {                                                                                           \
        p[n].name = (NAME);                                                                        \
        (void)snprintf(p[n].value, sizeof p[n].value, __VA_ARGS__);                                \
        n++;                                                                                       \
    } while (0)
    ADD("objective", "%s", o->objective);
    if (o->classes > 0) {
        ADD("num_class", "%u", o->classes);
    }
    if (o->base_score < 0.5 || o->base_score > 0.5) { /* the library's own */
        ADD("base_score", "%.17g", o->base_score);
    }
    ADD("tree_method", "hist");
    ADD("max_depth", "%u", o->max_depth);
    ADD("eta", "%.17g", o->learning_rate);
    ADD("subsample", "%.17g", o->subsample);
    ADD("min_child_weight", "%.17g", o->min_child_weight);
    ADD("lambda", "%.17g", o->lambda);
    ADD("max_cat_to_onehot", CATEGORIES_ONE_BY_ONE);
    ADD("seed", "%llu", (unsigned long long)(o->seed & 0x7fffffffffffffffu));
#undef ADD
    return n;
}

static struct status
parameters_object(const struct train_options *o, json_t **ret_object)
{
    DEFER(js_freep) json_t *object = json_object();
    struct parameter p[PARAMETERS_MAX];
    const size_t n = list_parameters(o, p);
    CHECK(object != NULL, MEMORY);
    for (size_t i = 0; i < n; i++) {
        CHECK(json_object_set_new(object, p[i].name, json_string(p[i].value)) == 0, MEMORY);
    }
    *ret_object = MOVE(object);
    return OK;
}

struct status
train_params_json(const struct train_options *o, struct buf *ret_json)
{
    int major = 0, minor = 0, patch = 0;
    char version[40];
    json_t *parameters = NULL;
    XGBoostVersion(&major, &minor, &patch);
    (void)snprintf(version, sizeof version, "%d.%d.%d", major, minor, patch);
    TRY(parameters_object(o, &parameters));
    DEFER(js_freep)
    json_t *kept = json_pack("{s:s, s:s, s:I, s:o}", "library", "xgboost", "library_version",
                             version, "rounds", (json_int_t)o->rounds, "parameters", parameters);
    CHECK(kept != NULL, MEMORY);
    return js_put(ret_json, kept);
}

/* ---- the library's handles and errors ---- */

static void
free_matrix(DMatrixHandle *h)
{
    if (*h != NULL) {
        (void)XGDMatrixFree(*h);
    }
}

static void
free_booster(BoosterHandle *h)
{
    if (*h != NULL) {
        (void)XGBoosterFree(*h);
    }
}

/* The library's message has the place in its source and a stack: the first line, after the place,
 * is for people. */
static struct status
library_failure(const char *doing, struct diag *diag)
{
    const char *text = XGBGetLastError();
    const char *colon = strstr(text, ": ");
    const char *from =
        colon == NULL || memchr(text, '\n', (size_t)(colon - text)) != NULL ? text : colon + 2;
    diag_set(diag, "XGBoost, %s: %.*s", doing, (int)strcspn(from, "\n"), from);
    FAIL(INPUT);
}

static struct status
set_types(DMatrixHandle matrix, const uint8_t *is_category, size_t features, struct diag *diag)
{
    const char **types = calloc(features, sizeof *types);
    CHECK(types != NULL, MEMORY);
    for (size_t i = 0; i < features; i++) {
        types[i] = is_category[i] != 0 ? "c" : "q";
    }
    const int rc = XGDMatrixSetStrFeatureInfo(matrix, "feature_type", types, features);
    free(types);
    return rc == 0 ? OK : library_failure("feature types", diag);
}

/* Names with brackets, commas or angle brackets are not taken by the library: it gets numbers, the
 * manifest has the names. */
static struct status
make_matrix(const float *x, size_t rows, size_t features, const float *y, const float *weight,
            const struct train_options *o, struct diag *diag, DMatrixHandle *ret_matrix)
{
    DEFER(free_matrix) DMatrixHandle m = NULL;
    if (XGDMatrixCreateFromMat(x, rows, features, NAN, &m) != 0) {
        return library_failure("reading the rows", diag);
    }
    if (XGDMatrixSetFloatInfo(m, "label", y, rows) != 0 ||
        (weight != NULL && XGDMatrixSetFloatInfo(m, "weight", weight, rows) != 0)) {
        return library_failure("labels", diag);
    }
    if (o->feature_is_category != NULL) {
        TRY(set_types(m, o->feature_is_category, features, diag));
    }
    *ret_matrix = MOVE(m);
    return OK;
}

static struct status
set_parameter(BoosterHandle b, const char *name, const char *value, struct diag *diag)
{
    return XGBoosterSetParam(b, name, value) == 0 ? OK : library_failure(name, diag);
}

#define CELLS_A_THREAD 100000u /* fewer, and threads wait for each other longer than they work */

/* How many threads are of use; the model does not depend on it. */
static unsigned
useful_threads(const struct train_options *o, size_t rows, size_t features)
{
    const unsigned most = o->threads == 0 ? threads_cores() : o->threads;
    const size_t useful = rows * features / CELLS_A_THREAD + 1;
    return useful < most ? (unsigned)useful : most;
}

static struct status
make_booster(DMatrixHandle matrix, unsigned threads, const struct train_options *o,
             struct diag *diag, BoosterHandle *ret_booster)
{
    DEFER(free_booster) BoosterHandle b = NULL;
    struct parameter p[PARAMETERS_MAX];
    if (XGBoosterCreate(&matrix, 1, &b) != 0) {
        return library_failure("starting", diag);
    }
    const size_t n = list_parameters(o, p);
    for (size_t i = 0; i < n; i++) {
        TRY(set_parameter(b, p[i].name, p[i].value, diag));
    }
    char count[16];
    (void)snprintf(count, sizeof count, "%u", threads);
    TRY(set_parameter(b, "nthread", count, diag));
    TRY(set_parameter(b, "verbosity", "0", diag));
    *ret_booster = MOVE(b);
    return OK;
}

static struct status
save(BoosterHandle booster, struct diag *diag, struct buf *ret_model)
{
    bst_ulong n = 0;
    const char *bytes = NULL;
    if (XGBoosterSaveModelToBuffer(booster, "{\"format\": \"ubj\"}", &n, &bytes) != 0) {
        return library_failure("writing the model", diag);
    }
    buf_put(ret_model, view_of(bytes, (size_t)n));
    return buf_status(ret_model);
}

/* ---- what is asked for, before the library sees it ---- */

static struct status
check_options(const struct train_options *o, size_t rows, size_t features, struct diag *diag)
{
    const uint32_t outputs = o->classes > 0 ? o->classes : 1;
    if (rows == 0 || features == 0 || rows > INT32_MAX || features > FOREST_MAX_FEATURES) {
        diag_set(diag, "training needs 1 to %d rows and 1 to %u features; there are %zu and %zu",
                 INT32_MAX, FOREST_MAX_FEATURES, rows, features);
        FAIL(INPUT);
    }
    if (outputs > FOREST_MAX_OUTPUTS || o->rounds == 0 || o->rounds > FOREST_MAX_TREES / outputs) {
        diag_set(diag, "rounds: 1 to %u, over the number of classes; asked for %u with %u classes",
                 FOREST_MAX_TREES, o->rounds, o->classes);
        FAIL(INPUT);
    }
    if (o->max_depth == 0 || o->max_depth > TRAIN_MAX_DEPTH) {
        diag_set(diag, "depth: 1 to %u; asked for %u", TRAIN_MAX_DEPTH, o->max_depth);
        FAIL(INPUT);
    }
    if (o->threads > TRAIN_MAX_THREADS) {
        diag_set(diag, "threads: 0 to %u; asked for %u", TRAIN_MAX_THREADS, o->threads);
        FAIL(INPUT);
    }
    if (!(o->learning_rate > 0 && o->learning_rate <= 1) ||
        !(o->subsample > 0 && o->subsample <= 1)) {
        diag_set(diag, "learning rate and subsample: over 0, at most 1; asked for %g and %g",
                 o->learning_rate, o->subsample);
        FAIL(INPUT);
    }
    if (!(o->min_child_weight >= 0 && isfinite(o->min_child_weight)) ||
        !(o->lambda >= 0 && isfinite(o->lambda))) {
        diag_set(diag, "least child weight and lambda: from 0; asked for %g and %g",
                 o->min_child_weight, o->lambda);
        FAIL(INPUT);
    }
    return OK;
}

/* What a label may be: a whole number below `classes` (0: any number from `least`). */
struct label_rule {
    const char *objective;
    double classes; /* INFINITY: as many as the options say */
    double least;
};

static struct status
find_rule(const struct train_options *o, struct diag *diag, struct label_rule *ret_rule)
{
    static const struct label_rule rules[] = {
        {"binary:logistic", 2, 0},
        {"multi:softprob", (double)INFINITY, 0},
        {"reg:squarederror", 0, -(double)INFINITY},
        {"reg:absoluteerror", 0, -(double)INFINITY},
        {"count:poisson", 0, 0},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (strcmp(o->objective, rules[i].objective) == 0) {
            *ret_rule = rules[i];
            ret_rule->classes = isinf(rules[i].classes) ? o->classes : rules[i].classes;
            const bool classes_needed = isinf(rules[i].classes);
            if (classes_needed ? o->classes < 2 : o->classes > 0) {
                diag_set(diag, "objective %s with %u classes: %s", o->objective, o->classes,
                         classes_needed ? "it needs 2 or more" : "it has none; leave them 0");
                FAIL(INPUT);
            }
            return OK;
        }
    }
    diag_set(diag,
             "objective \"%.60s\": binary:logistic, multi:softprob, reg:squarederror, "
             "reg:absoluteerror and count:poisson are trained here",
             o->objective);
    FAIL(UNSUPPORTED);
}

/* The rule holds for every label, and there are two labels at least to tell apart. */
static struct status
check_labels(const float *y, size_t rows, const struct train_options *o, struct diag *diag)
{
    struct label_rule rule = {0};
    bool differ = false;
    TRY(find_rule(o, diag, &rule));
    for (size_t i = 0; i < rows; i++) {
        const double v = (double)y[i];
        const bool fits = rule.classes > 0 ? v >= 0 && v < rule.classes && floor(v) == v
                                           : isfinite(v) && v >= rule.least;
        if (!fits) {
            diag_set(diag, "row %zu: its label is %g; %s needs %s", i, v, o->objective,
                     rule.classes > 0  ? "a class, counted from 0"
                     : rule.least == 0 ? "a finite number from 0"
                                       : "a finite number");
            FAIL(INPUT);
        }
        differ = differ || y[i] != y[0];
    }
    if (!differ) {
        diag_set(diag,
                 "the label is the same, %g, in all %zu rows: there is nothing to tell apart; "
                 "training needs rows of at least two classes or values",
                 (double)y[0], rows);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
check_weights(const float *weight, size_t rows, struct diag *diag)
{
    bool any = weight == NULL;
    for (size_t i = 0; weight != NULL && i < rows; i++) {
        if (!(weight[i] >= 0 && isfinite(weight[i]))) {
            diag_set(diag, "row %zu: its weight is %g; it must be a finite number from 0", i,
                     (double)weight[i]);
            FAIL(INPUT);
        }
        any = any || weight[i] > 0;
    }
    if (!any) {
        diag_set(diag, "every row has weight 0");
        FAIL(INPUT);
    }
    return OK;
}

/* "feature 3 (income)" */
static void
name_feature(const struct train_options *o, size_t feature, char ret_text[static 160])
{
    if (o->feature_names == NULL) {
        (void)snprintf(ret_text, 160, "feature %zu", feature);
    } else {
        (void)snprintf(ret_text, 160, "feature %zu (%.120s)", feature, o->feature_names[feature]);
    }
}

static bool
is_category_code(float v)
{
    return v >= 0 && v < (float)FOREST_CATEGORIES_END && floorf(v) == v;
}

static struct status
check_feature(const float *x, size_t rows, size_t features, size_t k, const struct train_options *o,
              struct diag *diag)
{
    const bool category = o->feature_is_category != NULL && o->feature_is_category[k] != 0;
    char name[160];
    bool any = false;
    name_feature(o, k, name);
    for (size_t i = 0; i < rows; i++) {
        const float v = x[i * features + k];
        if (!isnan(v) && (category ? !is_category_code(v) : isinf(v))) {
            diag_set(diag, "%s, row %zu: %g is not %s", name, i, (double)v,
                     category ? "a category's number" : "a finite number");
            FAIL(INPUT);
        }
        any = any || !isnan(v);
    }
    if (!any) {
        diag_set(diag,
                 "%s: its value is missing in all %zu rows; leave it out, nothing can be learned "
                 "from it",
                 name, rows);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
check_all(const float *x, size_t rows, size_t features, const float *y, const float *weight,
          const struct train_options *o, struct diag *diag)
{
    TRY(check_options(o, rows, features, diag));
    TRY(check_labels(y, rows, o, diag));
    TRY(check_weights(weight, rows, diag));
    for (size_t k = 0; k < features; k++) {
        TRY(check_feature(x, rows, features, k, o, diag));
    }
    return OK;
}

struct status
train_xgboost(const float *x, size_t rows, size_t features, const float *y, const float *weight,
              const struct train_options *o, struct diag *diag, struct buf *ret_model)
{
    TRY(check_all(x, rows, features, y, weight, o, diag));
    DEFER(free_matrix) DMatrixHandle matrix = NULL;
    DEFER(free_booster) BoosterHandle booster = NULL;
    TRY(make_matrix(x, rows, features, y, weight, o, diag, &matrix));
    TRY(make_booster(matrix, useful_threads(o, rows, features), o, diag, &booster));
    for (uint32_t i = 0; i < o->rounds; i++) {
        if (XGBoosterUpdateOneIter(booster, (int)i, matrix) != 0) {
            return library_failure("training", diag);
        }
        if (o->progress != NULL) {
            o->progress(o->progress_ctx, i, o->rounds);
        }
    }
    return save(booster, diag, ret_model);
}
