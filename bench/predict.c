/* predict: our predictor against XGBoost's C API, the same model and rows, one thread each.
 *
 * Floor of a row of (a) in a batch: 100 trees x 63 comparisons and blends of 32 rows at once are
 * about 200 cycles at two a cycle, the 100 leaves as many loads and additions again, the ranks of
 * 30 features two rounds of 16 comparisons each, about 200: some 0.15 us at 3 GHz. Of a row alone:
 * 600 loads from a table of 50 KiB, eight chains side by side: 600 x 5 cycles / 8, 0.15 us; what a
 * core can issue, about 6 instructions a step, makes it 0.3 us. */
#include "comparisons.h"
#include "models.h"
#include "process.h"

#include "base/file.h"
#include "model/predictor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS 50000u
#define FEATURES MODELS_FEATURES
#define ROUNDS 9u

struct work {
    struct models_one model;
    struct predictor *predictor;
    float *x;
    double *margin; /* ours */
    const float *peer_margin;
    struct diag *diag;
};

static void
work_done(struct work *w)
{
    predictor_free(w->predictor);
    models_done(&w->model);
    free(w->x);
    free(w->margin);
}

static struct status
make_rows(struct work *w)
{
    w->x = malloc((size_t)ROWS * FEATURES * sizeof *w->x);
    w->margin = malloc(ROWS * sizeof *w->margin);
    CHECK(w->x != NULL && w->margin != NULL, MEMORY);
    models_rows(1u << 20, ROWS, w->x, NULL);
    return OK;
}

/* ---- batches ---- */

static struct status
predict_ours(void *ctx, double *ret_figure)
{
    struct work *w = ctx;
    const double from = bench_cpu_now();
    predictor_margin(w->predictor, w->x, ROWS, 1, w->margin);
    *ret_figure = ROWS / (bench_cpu_now() - from);
    return OK;
}

static struct status
predict_in_place(void *ctx, double *ret_figure)
{
    struct work *w = ctx;
    double seconds = 0;
    TRY(models_peer(&w->model, MODELS_MARGIN, w->x, ROWS, w->diag, &w->peer_margin, &seconds));
    *ret_figure = ROWS / seconds;
    return OK;
}

static struct status
predict_matrix(void *ctx, double *ret_figure)
{
    struct work *w = ctx;
    const float *ignored = NULL;
    double seconds = 0;
    TRY(models_peer(&w->model, MODELS_MARGIN_MATRIX, w->x, ROWS, w->diag, &ignored, &seconds));
    *ret_figure = ROWS / seconds;
    return OK;
}

/* A comparison of different answers would be none. XGBoost's sums are floats. */
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

/* How many times as long all rows take as half of them: medians. */
static double
growth(struct work *w)
{
    struct bench_samples half = {.n = 0}, all = {.n = 0};
    for (unsigned i = 0; i < 5; i++) {
        const double from = bench_cpu_now();
        predictor_margin(w->predictor, w->x, ROWS / 2, 1, w->margin);
        const double middle = bench_cpu_now();
        predictor_margin(w->predictor, w->x, ROWS, 1, w->margin);
        bench_sample(&half, middle - from);
        bench_sample(&all, bench_cpu_now() - middle);
    }
    return bench_median(&all) / bench_median(&half);
}

/* The peer's better way is the one that counts. */
static struct status
compare_batch(const struct bench_context *c, struct work *w, const char *name, unsigned rounds)
{
    char peer[64], peer_and_way[128], where[256];
    (void)snprintf(where, sizeof where,
                   "%s; %u rows of %u features, 8.3 %% missing, one thread, CPU time; ours takes "
                   "%.2f times as long as for half the rows",
                   w->model.what, ROWS, FEATURES, growth(w));
    struct bench_result dense = {.name = name, .unit = "rows/s", .where = where};
    struct bench_result matrix = dense;
    TRY(bench_rounds(rounds, predict_ours, predict_in_place, w, &dense));
    TRY(check_same(w));
    TRY(bench_rounds(rounds, predict_ours, predict_matrix, w, &matrix));
    const bool in_place = bench_median(&dense.peer) >= bench_median(&matrix.peer);
    struct bench_result *x = in_place ? &dense : &matrix;
    models_peer_name(peer);
    (void)snprintf(peer_and_way, sizeof peer_and_way, "%s, %s", peer,
                   in_place ? "in place (faster than from a DMatrix)"
                            : "from a ready DMatrix (faster than in place)");
    x->peer_name = peer_and_way;
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
    buf_init(&w.model.bytes, MODELS_MAX_BYTES);
    TRY(make_rows(&w));
    process_peak_reset(getpid());
    const double before = process_peak(getpid());
    TRY(file_read(model_path, MODELS_MAX_BYTES, &diag, &w.model.bytes));
    if (ours) {
        TRY(forest_load(buf_view(&w.model.bytes), &diag, &w.model.forest));
        TRY(predictor_new(w.model.forest, &w.predictor));
        TRY(predict_ours(&w, &ignored));
    } else {
        TRY(models_load_peer(&w.model, &diag));
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
    TRY(file_replace(path, buf_view(&w->model.bytes), 0600, c->diag));
    TRY(bench_rounds(3, memory_ours, memory_peer, &m, &x));
    return bench_add(c->report, &x);
}

/* ---- one row ---- */

#define SINGLE_ROWS 2000u

static struct status
row_ours(void *ctx, double *ret_figure)
{
    struct work *w = ctx;
    const double from = bench_cpu_now();
    for (size_t i = 0; i < SINGLE_ROWS; i++) {
        predictor_margin(w->predictor, w->x + i * FEATURES, 1, 1, w->margin + i);
    }
    *ret_figure = 1e6 * (bench_cpu_now() - from) / SINGLE_ROWS;
    return OK;
}

static struct status
row_peer(void *ctx, double *ret_figure)
{
    struct work *w = ctx;
    float margin[SINGLE_ROWS];
    double seconds = 0;
    TRY(models_peer_single(&w->model, w->x, SINGLE_ROWS, w->diag, margin, &seconds));
    *ret_figure = 1e6 * seconds / SINGLE_ROWS;
    return OK;
}

static struct status
compare_row(const struct bench_context *c, struct work *w, const char *name)
{
    char peer[32], where[160];
    (void)snprintf(where, sizeof where,
                   "%s; one row a call, mean of %u different rows, one thread, CPU time",
                   w->model.what, SINGLE_ROWS);
    models_peer_name(peer);
    struct bench_result x = {
        .name = name, .unit = "us", .peer_name = peer, .where = where, .less_is_better = true};
    TRY(bench_rounds(ROUNDS, row_ours, row_peer, w, &x));
    return bench_add(c->report, &x);
}

static struct status
bench_one(const struct bench_context *c, enum models_kind kind)
{
    DEFER(work_done) struct work w = {.diag = c->diag};
    TRY(make_rows(&w));
    TRY(models_make(kind, c->diag, &w.model));
    TRY(predictor_new(w.model.forest, &w.predictor));
    if (kind == MODELS_B) {
        TRY(compare_batch(c, &w, "predict_b", 5));
        return compare_row(c, &w, "predict_row_b");
    }
    TRY(compare_batch(c, &w, "predict_a", ROUNDS));
    TRY(compare_row(c, &w, "predict_row_a"));
    return compare_memory(c, &w);
}

struct status
bench_predict(const struct bench_context *c)
{
    TRY(bench_one(c, MODELS_A));
    return bench_one(c, MODELS_B);
}
