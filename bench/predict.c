/* predict: our forest against XGBoost's C API, the same model and rows, one thread each.
 *
 * Floor of one row: 30 floats (120 bytes) read once, and 100 trees x 6 levels = 600 node visits,
 * each a load of 12 bytes that waits for the one before it (about 100 KiB of nodes in all, so from
 * the second-level cache): what bounds both sides is the latency of those loads, not memory. */
#include "comparisons.h"
#include "process.h"

#include "base/file.h"
#include "model/forest.h"
#include "model/train.h"
#include "num/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xgboost/c_api.h>

#define ROWS 100000u
#define FEATURES 30u
#define TREES 100u
#define DEPTH 6u
#define MISSING 0.1
#define ROUNDS 9u
#define MODEL_MAX ((size_t)64 << 20)
#define CONDITIONS                                                                                 \
    "100 trees of depth 6, 100000 rows of 30 features, a tenth missing, one thread, CPU time"

struct work {
    float *x, *y;
    struct buf model;
    struct forest *forest;
    BoosterHandle booster;
    double *margin; /* ours */
    const float *peer_margin;
    char array[160]; /* the rows as XGBoost's array interface */
    struct diag *diag;
};

static void
work_done(struct work *w)
{
    free(w->x);
    free(w->y);
    free(w->margin);
    buf_done(&w->model);
    forest_free(w->forest);
    if (w->booster != NULL) {
        (void)XGBoosterFree(w->booster);
    }
}

static struct status
peer_failure(struct diag *diag)
{
    diag_set(diag, "XGBoost: %.300s", XGBGetLastError());
    FAIL(IO);
}

/* Normal features; the label follows a few of them and their products, so that trees grow full. */
static struct status
make_rows(struct work *w)
{
    struct rng r;
    rng_init(&r, 1, "bench.predict");
    w->x = malloc((size_t)ROWS * FEATURES * sizeof *w->x);
    w->y = malloc(ROWS * sizeof *w->y);
    w->margin = malloc(ROWS * sizeof *w->margin);
    CHECK(w->x != NULL && w->y != NULL && w->margin != NULL, MEMORY);
    for (size_t i = 0; i < ROWS; i++) {
        float *x = w->x + i * FEATURES;
        for (size_t k = 0; k < FEATURES; k++) {
            x[k] = (float)rng_normal(&r);
        }
        const double score = x[0] + 0.8 * x[1] * x[2] - 0.6 * fabs((double)x[3]) + sin(2.0 * x[4]) +
                             0.5 * x[5] * x[6] * x[7] + 0.7 * rng_normal(&r);
        w->y[i] = score > 0 ? 1 : 0;
        for (size_t k = 0; k < FEATURES; k++) {
            x[k] = rng_unit(&r) < MISSING ? NAN : x[k];
        }
    }
    (void)snprintf(w->array, sizeof w->array,
                   "{\"data\": [%zu, true], \"shape\": [%u, %u], \"typestr\": \"<f4\", "
                   "\"version\": 3}",
                   (size_t)(uintptr_t)w->x, ROWS, FEATURES);
    return OK;
}

static struct status
load_peer(struct work *w)
{
    if (XGBoosterCreate(NULL, 0, &w->booster) != 0 ||
        XGBoosterLoadModelFromBuffer(w->booster, w->model.ptr, w->model.len) != 0 ||
        XGBoosterSetParam(w->booster, "nthread", "1") != 0) {
        return peer_failure(w->diag);
    }
    return OK;
}

static struct status
make_model(struct work *w)
{
    struct train_options o;
    train_defaults(&o);
    o.rounds = TREES;
    o.max_depth = DEPTH;
    buf_init(&w->model, MODEL_MAX);
    return train_xgboost(w->x, ROWS, FEATURES, w->y, NULL, &o, w->diag, &w->model);
}

/* ---- the sides ---- */

static struct status
predict_ours(void *ctx, double *ret_figure)
{
    struct work *w = ctx;
    const double from = bench_cpu_now();
    forest_margin(w->forest, w->x, ROWS, 1, w->margin);
    *ret_figure = ROWS / (bench_cpu_now() - from);
    return OK;
}

#define MARGIN                                                                                     \
    "{\"type\": 1, \"training\": false, \"iteration_begin\": 0, \"iteration_end\": 0, "            \
    "\"strict_shape\": false, \"cache_id\": 0, \"missing\": NaN}"

static struct status
predict_in_place(void *ctx, double *ret_figure)
{
    struct work *w = ctx;
    bst_ulong const *shape = NULL;
    bst_ulong dimensions = 0;
    const double from = bench_cpu_now();
    if (XGBoosterPredictFromDense(w->booster, w->array, MARGIN, NULL, &shape, &dimensions,
                                  &w->peer_margin) != 0) {
        return peer_failure(w->diag);
    }
    *ret_figure = ROWS / (bench_cpu_now() - from);
    return OK;
}

/* The matrix is made outside the time, and anew each time: XGBoost remembers what it has predicted
 * for one. */
static struct status
predict_matrix(void *ctx, double *ret_figure)
{
    struct work *w = ctx;
    bst_ulong const *shape = NULL;
    bst_ulong dimensions = 0;
    const float *out = NULL;
    DMatrixHandle m = NULL;
    if (XGDMatrixCreateFromMat(w->x, ROWS, FEATURES, NAN, &m) != 0) {
        return peer_failure(w->diag);
    }
    const double from = bench_cpu_now();
    const int rc = XGBoosterPredictFromDMatrix(w->booster, m, MARGIN, &shape, &dimensions, &out);
    *ret_figure = ROWS / (bench_cpu_now() - from);
    (void)XGDMatrixFree(m);
    return rc == 0 ? OK : peer_failure(w->diag);
}

/* A comparison of different answers would be none. */
static struct status
check_same(const struct work *w)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (!(fabs(w->margin[i] - (double)w->peer_margin[i]) < 1e-4)) {
            diag_set(w->diag, "row %zu: the margin is %.9g here and %.9g there", i, w->margin[i],
                     (double)w->peer_margin[i]);
            FAIL(INTEGRITY);
        }
    }
    return OK;
}

/* The peer's better way is the one that counts. */
static struct status
compare_speed(const struct bench_context *c, struct work *w)
{
    int major = 0, minor = 0, patch = 0;
    char name[64];
    struct bench_result dense = {.name = "predict_rows", .unit = "rows/s", .where = CONDITIONS};
    struct bench_result matrix = dense;
    TRY(bench_rounds(ROUNDS, predict_ours, predict_in_place, w, &dense));
    TRY(check_same(w));
    TRY(bench_rounds(ROUNDS, predict_ours, predict_matrix, w, &matrix));
    const bool in_place = bench_median(&dense.peer) >= bench_median(&matrix.peer);
    struct bench_result *x = in_place ? &dense : &matrix;
    XGBoostVersion(&major, &minor, &patch);
    (void)snprintf(name, sizeof name, "XGBoost %d.%d.%d, %s", major, minor, patch,
                   in_place ? "in place (faster than from a DMatrix)"
                            : "from a ready DMatrix (faster than in place)");
    x->peer_name = name;
    return bench_add(c->report, x);
}

/* ---- memory ---- */

/* The rows are there before; what counts is the model and the work on it. */
static struct status
memory_of(const char *model_path, bool ours, double *ret_figure)
{
    struct diag diag = {0};
    double ignored = 0;
    DEFER(work_done) struct work w = {.diag = &diag};
    buf_init(&w.model, MODEL_MAX);
    TRY(make_rows(&w));
    process_peak_reset(getpid());
    const double before = process_peak(getpid());
    TRY(file_read(model_path, MODEL_MAX, &diag, &w.model));
    if (ours) {
        TRY(forest_load(buf_view(&w.model), &diag, &w.forest));
        TRY(predict_ours(&w, &ignored));
    } else {
        TRY(load_peer(&w));
        TRY(predict_in_place(&w, &ignored));
    }
    *ret_figure = process_peak(getpid()) - before;
    return OK;
}

struct status
bench_predict_memory_ours(const char *model_path, double *ret_figure)
{
    return memory_of(model_path, true, ret_figure);
}

struct status
bench_predict_memory_peer(const char *model_path, double *ret_figure)
{
    return memory_of(model_path, false, ret_figure);
}

static struct status
run_memory_part(const char *part, const char *model_path, struct diag *diag, double *ret_mib)
{
    char *argv[] = {"/proc/self/exe", "part", (char *)(uintptr_t)part,
                    (char *)(uintptr_t)model_path, NULL};
    DEFER(buf_done) struct buf out;
    buf_init(&out, 4096);
    TRY(process_run(argv, PROCESS_ANY_CPU, diag, &out));
    *ret_mib = strtod(buf_str(&out), NULL) / (1 << 20);
    return OK;
}

struct memory {
    const char *model_path;
    struct diag *diag;
};

static struct status
memory_ours(void *ctx, double *ret_figure)
{
    const struct memory *m = ctx;
    return run_memory_part("predict-memory-ours", m->model_path, m->diag, ret_figure);
}

static struct status
memory_peer(void *ctx, double *ret_figure)
{
    const struct memory *m = ctx;
    return run_memory_part("predict-memory-peer", m->model_path, m->diag, ret_figure);
}

static struct status
compare_memory(const struct bench_context *c, const struct work *w)
{
    DEFER(file_freep) char *path = file_join(c->work, "model.ubj");
    struct memory m = {path, c->diag};
    struct bench_result x = {.name = "predict_peak_memory",
                             .unit = "MiB",
                             .peer_name = "XGBoost, in place",
                             .where = "a process of its own for each: what its peak (VmHWM) grows "
                                      "by for model and prediction, the rows being there",
                             .less_is_better = true};
    TRY(file_replace(path, buf_view(&w->model), 0600, c->diag));
    TRY(bench_rounds(3, memory_ours, memory_peer, &m, &x));
    return bench_add(c->report, &x);
}

struct status
bench_predict(const struct bench_context *c)
{
    DEFER(work_done) struct work w = {.diag = c->diag};
    TRY(make_rows(&w));
    TRY(make_model(&w));
    TRY(forest_load(buf_view(&w.model), c->diag, &w.forest));
    TRY(load_peer(&w));
    TRY(compare_speed(c, &w));
    return compare_memory(c, &w);
}
