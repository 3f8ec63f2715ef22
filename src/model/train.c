#include "model/train.h"

#include "base/json.h"
#include "base/threads.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xgboost/c_api.h>

void
train_defaults(struct train_options *ret_options)
{
    *ret_options = (struct train_options){
        .objective = "binary:logistic",
        .rounds = 100,
        .max_depth = 4,
        .learning_rate = 0.1,
        .subsample = 1,
        .min_child_weight = 1,
        .lambda = 1,
        .seed = 1,
    };
}

static void
library_version(char ret_text[static 32])
{
    int major = 0, minor = 0, patch = 0;
    XGBoostVersion(&major, &minor, &patch);
    (void)snprintf(ret_text, 32, "%d.%d.%d", major, minor, patch);
}

struct status
train_params_json(const struct train_options *o, struct buf *ret_json)
{
    char version[32], seed[24];
    library_version(version);
    (void)snprintf(seed, sizeof seed, "%llu", (unsigned long long)o->seed);
    DEFER(js_freep)
    json_t *p = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:s, s:s}", "library",
                          "xgboost", "library_version", version, "objective", o->objective,
                          "classes", (json_int_t)o->classes, "rounds", (json_int_t)o->rounds,
                          "max_depth", (json_int_t)o->max_depth, "learning_rate", o->learning_rate,
                          "subsample", o->subsample, "min_child_weight", o->min_child_weight,
                          "lambda", o->lambda, "tree_method", "hist", "seed", seed);
    CHECK(p != NULL, MEMORY);
    return js_put(ret_json, p);
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
    *ret_matrix = m;
    m = NULL;
    return OK;
}

struct parameter {
    const char *name;
    char value[40];
};

#define PARAMETERS_MAX 16

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
    ADD("tree_method", "hist");
    ADD("max_depth", "%u", o->max_depth);
    ADD("eta", "%.17g", o->learning_rate);
    ADD("subsample", "%.17g", o->subsample);
    ADD("min_child_weight", "%.17g", o->min_child_weight);
    ADD("lambda", "%.17g", o->lambda);
    ADD("seed", "%llu", (unsigned long long)(o->seed & 0x7fffffffffffffffu));
    ADD("nthread", "%u", o->threads == 0 ? threads_cores() : o->threads);
    ADD("verbosity", "0");
    ADD("max_cat_to_onehot", "4");
    if (o->classes > 0) {
        ADD("num_class", "%u", o->classes);
    }
#undef ADD
    return n;
}

static struct status
make_booster(DMatrixHandle matrix, const struct train_options *o, struct diag *diag,
             BoosterHandle *ret_booster)
{
    DEFER(free_booster) BoosterHandle b = NULL;
    struct parameter p[PARAMETERS_MAX];
    if (XGBoosterCreate(&matrix, 1, &b) != 0) {
        return library_failure("starting", diag);
    }
    const size_t n = list_parameters(o, p);
    for (size_t i = 0; i < n; i++) {
        if (XGBoosterSetParam(b, p[i].name, p[i].value) != 0) {
            return library_failure(p[i].name, diag);
        }
    }
    *ret_booster = b;
    b = NULL;
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

static struct status
check_options(const struct train_options *o, size_t rows, size_t features, struct diag *diag)
{
    if (rows == 0 || features == 0 || rows > INT32_MAX || features > INT32_MAX) {
        diag_set(diag, "training needs rows and columns; there are %zu and %zu", rows, features);
        FAIL(INPUT);
    }
    if (o->rounds == 0 || o->rounds > 100000 || o->max_depth == 0 || o->max_depth > 32) {
        diag_set(diag, "trees: 1 to 100000, depth: 1 to 32; asked for %u and %u", o->rounds,
                 o->max_depth);
        FAIL(INPUT);
    }
    if (!(o->learning_rate > 0 && o->learning_rate <= 1) ||
        !(o->subsample > 0 && o->subsample <= 1)) {
        diag_set(diag, "learning rate and subsample: over 0, at most 1");
        FAIL(INPUT);
    }
    return OK;
}

struct status
train_xgboost(const float *x, size_t rows, size_t features, const float *y, const float *weight,
              const struct train_options *o, struct diag *diag, struct buf *ret_model)
{
    TRY(check_options(o, rows, features, diag));
    DEFER(free_matrix) DMatrixHandle matrix = NULL;
    DEFER(free_booster) BoosterHandle booster = NULL;
    TRY(make_matrix(x, rows, features, y, weight, o, diag, &matrix));
    TRY(make_booster(matrix, o, diag, &booster));
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
