#include "models.h"

#include "model/train.h"
#include "num/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TRAINING_ROWS 100000u
#define MISSING (1.0 / 12)
#define FEATURES MODELS_FEATURES

static const struct {
    uint32_t trees, depth;
    double rate; /* low enough that the last trees still have something to learn */
} kinds[] = {
    [MODELS_A] = {100, 6, 0.1},
    [MODELS_B] = {500, 8, 0.05},
};

/* ---- rows ---- */

static float
make_row(size_t row, float *ret_x)
{
    struct rng r;
    rng_init_at(&r, 1, "bench.models", row);
    for (size_t k = 0; k < FEATURES; k++) {
        ret_x[k] = (float)rng_normal(&r);
    }
    const double score = ret_x[0] + 0.8 * ret_x[1] * ret_x[2] - 0.6 * fabs((double)ret_x[3]) +
                         sin(2.0 * ret_x[4]) + 0.5 * ret_x[5] * ret_x[6] * ret_x[7] +
                         0.7 * rng_normal(&r);
    for (size_t k = 0; k < FEATURES; k++) {
        ret_x[k] = rng_unit(&r) < MISSING ? NAN : ret_x[k];
    }
    return score > 0 ? 1 : 0;
}

void
models_rows(size_t first, size_t rows, float *ret_x, float *ret_y)
{
    for (size_t i = 0; i < rows; i++) {
        const float y = make_row(first + i, ret_x + i * FEATURES);
        if (ret_y != NULL) {
            ret_y[i] = y;
        }
    }
}

/* ---- models ---- */

struct status
models_train(enum models_kind kind, struct diag *diag, struct buf *ret_bytes)
{
    DEFER(memory_freep) float *x = malloc((size_t)TRAINING_ROWS * FEATURES * sizeof *x);
    DEFER(memory_freep) float *y = malloc(TRAINING_ROWS * sizeof *y);
    CHECK(x != NULL && y != NULL, MEMORY);
    models_rows(0, TRAINING_ROWS, x, y);
    struct train_options o;
    train_defaults(&o);
    o.rounds = kinds[kind].trees;
    o.max_depth = kinds[kind].depth;
    o.learning_rate = kinds[kind].rate;
    return train_xgboost(x, TRAINING_ROWS, FEATURES, y, NULL, &o, diag, ret_bytes);
}

static struct status
peer_failure(struct diag *diag)
{
    diag_set(diag, "XGBoost: %.300s", XGBGetLastError());
    FAIL(IO);
}

struct status
models_load_peer(struct models_one *m, struct diag *diag)
{
    if (XGBoosterCreate(NULL, 0, &m->booster) != 0 ||
        XGBoosterLoadModelFromBuffer(m->booster, m->bytes.ptr, m->bytes.len) != 0 ||
        XGBoosterSetParam(m->booster, "nthread", "1") != 0) {
        return peer_failure(diag);
    }
    return OK;
}

struct status
models_make(enum models_kind kind, struct diag *diag, struct models_one *ret_model)
{
    buf_init(&ret_model->bytes, MODELS_MAX_BYTES);
    TRY(models_train(kind, diag, &ret_model->bytes));
    TRY(forest_load(buf_view(&ret_model->bytes), diag, &ret_model->forest));
    TRY(models_load_peer(ret_model, diag));
    uint32_t leaves = 0;
    for (uint32_t n = 0; n < ret_model->forest->nodes; n++) {
        leaves += ret_model->forest->left[n] < 0;
    }
    (void)snprintf(ret_model->what, sizeof ret_model->what, "%u trees of depth %u, %u leaves",
                   ret_model->forest->trees, ret_model->forest->depth, leaves);
    return OK;
}

void
models_done(struct models_one *m)
{
    buf_done(&m->bytes);
    forest_free(m->forest);
    if (m->booster != NULL) {
        (void)XGBoosterFree(m->booster);
    }
}

/* ---- the peer ---- */

void
models_peer_name(char ret_name[static 32])
{
    int major = 0, minor = 0, patch = 0;
    XGBoostVersion(&major, &minor, &patch);
    (void)snprintf(ret_name, 32, "XGBoost %d.%d.%d", major, minor, patch);
}

static const char margin_request[] =
    "{\"type\": 1, \"training\": false, \"iteration_begin\": 0, \"iteration_end\": 0, "
    "\"strict_shape\": false, \"cache_id\": 0, \"missing\": NaN}";

static void
array_interface(const float *x, size_t rows, char ret_text[static 160])
{
    (void)snprintf(ret_text, 160,
                   "{\"data\": [%zu, true], \"shape\": [%zu, %u], \"typestr\": \"<f4\", "
                   "\"version\": 3}",
                   (size_t)(uintptr_t)x, rows, FEATURES);
}

static int
margin_in_place(const struct models_one *m, const char *array, const float **ret_values)
{
    bst_ulong const *shape = NULL;
    bst_ulong dimensions = 0;
    return XGBoosterPredictFromDense(m->booster, array, margin_request, NULL, &shape, &dimensions,
                                     ret_values);
}

static struct status
ask_in_place(const struct models_one *m, const float *x, size_t rows, struct diag *diag,
             const float **ret_values, double *ret_seconds)
{
    char array[160];
    array_interface(x, rows, array);
    const double from = bench_cpu_now();
    const int rc = margin_in_place(m, array, ret_values);
    *ret_seconds = bench_cpu_now() - from;
    return rc == 0 ? OK : peer_failure(diag);
}

struct status
models_peer_single(const struct models_one *m, const float *x, size_t rows, struct diag *diag,
                   float *ret_margin, double *ret_seconds)
{
    float row[FEATURES];
    char array[160];
    array_interface(row, 1, array);
    const double from = bench_cpu_now();
    for (size_t i = 0; i < rows; i++) {
        const float *value = NULL;
        memcpy(row, x + i * FEATURES, sizeof row);
        if (margin_in_place(m, array, &value) != 0) {
            return peer_failure(diag);
        }
        ret_margin[i] = *value;
    }
    *ret_seconds = bench_cpu_now() - from;
    return OK;
}

/* A matrix anew each time: XGBoost remembers what it has predicted for one. */
static struct status
ask_matrix(const struct models_one *m, int type, const float *x, size_t rows, struct diag *diag,
           const float **ret_values, double *ret_seconds)
{
    char ask[160];
    bst_ulong const *shape = NULL;
    bst_ulong dimensions = 0;
    DMatrixHandle matrix = NULL;
    (void)snprintf(ask, sizeof ask,
                   "{\"type\": %d, \"training\": false, \"iteration_begin\": 0, "
                   "\"iteration_end\": 0, \"strict_shape\": false}",
                   type);
    if (XGDMatrixCreateFromMat(x, rows, FEATURES, NAN, &matrix) != 0) {
        return peer_failure(diag);
    }
    const double from = bench_cpu_now();
    const int rc =
        XGBoosterPredictFromDMatrix(m->booster, matrix, ask, &shape, &dimensions, ret_values);
    *ret_seconds = bench_cpu_now() - from;
    (void)XGDMatrixFree(matrix);
    return rc == 0 ? OK : peer_failure(diag);
}

struct status
models_peer(const struct models_one *m, enum models_ask ask, const float *x, size_t rows,
            struct diag *diag, const float **ret_values, double *ret_seconds)
{
    static const int types[] = {
        [MODELS_MARGIN_MATRIX] = 1, [MODELS_CONTRIBUTIONS] = 2, [MODELS_INTERACTIONS] = 4};
    if (ask == MODELS_MARGIN) {
        return ask_in_place(m, x, rows, diag, ret_values, ret_seconds);
    }
    return ask_matrix(m, types[ask], x, rows, diag, ret_values, ret_seconds);
}
