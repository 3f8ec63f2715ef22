/* slices: the worst slices against DataDome's sliceline, on the data of its own benchmark: 50,000
 * rows of 30 features with ten values, the first half with a loss of 1, the rest below 0.2.
 *
 * Floor of two levels: the codes are read once (1.5 MB) and set as bits (1.9 MB for 300
 * conditions); 43,500 pairs of sets of 782 words, of which bounds leave few. */
#include "comparisons.h"
#include "process.h"

#include "assess/slices.h"
#include "base/file.h"
#include "base/json.h"
#include "num/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS 50000u
#define FEATURES 30u
#define VALUES 10u
#define ROUNDS 3u
#define FILE_MAX ((size_t)64 << 20)

struct work {
    const struct bench_context *c;
    char *path;
    size_t rows;
    uint8_t *x;   /* rows * FEATURES, values 1 to 10 */
    double *loss; /* rows */
    struct slices_result *found;
    uint32_t level;
    double alpha;
    uint64_t least; /* rows of a slice */
    double peer_score, peer_rows, peer_bytes;
    char peer_name[96];
};

static void
work_done(struct work *w)
{
    free(w->path);
    free(w->x);
    free(w->loss);
    free(w->found);
}

/* As their benchmark's; hard: a tenth of the rows wrong, whatever their values, small slices count
 * and their size costs nothing, so that bounds cut nothing: all 4.1 million candidates of three
 * conditions are counted. */
static struct status
make_rows(size_t rows, bool hard, struct work *w)
{
    struct rng r;
    rng_init(&r, 42, "bench.slices");
    w->alpha = hard ? 1 : 0.6;
    w->least = hard ? rows / 1000 : rows / 100;
    w->rows = rows;
    w->x = malloc(rows * FEATURES);
    w->loss = malloc(rows * sizeof *w->loss);
    w->found = calloc(1, sizeof *w->found);
    CHECK(w->x != NULL && w->loss != NULL && w->found != NULL, MEMORY);
    for (size_t i = 0; i < rows; i++) {
        const bool first = i < rows / 2;
        uint8_t *x = w->x + i * FEATURES;
        for (size_t k = 0; k < FEATURES; k++) {
            x[k] = (uint8_t)(1 + rng_below(&r, VALUES));
        }
        x[0] = hard ? x[0] : first ? 1 : 2;
        x[1] = first && !hard ? 1 : x[1];
        w->loss[i] = hard ? rng_unit(&r) < 0.1 : first ? 1 : 0.2 * rng_unit(&r);
    }
    return OK;
}

static struct status
find(struct work *w, double *ret_seconds)
{
    const struct slices_options o = {.alpha = w->alpha,
                                     .level = w->level,
                                     .found = 10,
                                     .same_rows = true,
                                     .confidence = 0.95,
                                     .threads = 1,
                                     .pair_bytes = (size_t)64 << 20};
    DEFER(slices_table_freep) struct slices_table *t = NULL;
    DEFER(memory_freep) uint32_t *code = malloc(w->rows * sizeof *code);
    CHECK(code != NULL, MEMORY);
    const double from = bench_cpu_now();
    TRY(slices_table_new(w->rows, FEATURES, w->least, &t));
    for (size_t k = 0; k < FEATURES; k++) {
        for (size_t i = 0; i < w->rows; i++) {
            code[i] = w->x[i * FEATURES + k];
        }
        TRY(slices_table_add(t, code, VALUES + 1));
    }
    TRY(slices_find(t, w->loss, &o, w->found));
    *ret_seconds = bench_cpu_now() - from;
    return OK;
}

static struct status
find_ours(void *ctx, double *ret_figure)
{
    return find(ctx, ret_figure);
}

static struct status
find_peer(void *ctx, double *ret_figure)
{
    struct work *w = ctx;
    char rows[24], level[8];
    (void)snprintf(rows, sizeof rows, "%zu", w->rows);
    (void)snprintf(level, sizeof level, "%u", w->level);
    char *argv[] = {"slices.py", w->path, rows, "30", level, NULL};
    DEFER(buf_done) struct buf out;
    DEFER(js_freep) json_t *told = NULL;
    buf_init(&out, 65536);
    TRY(process_run_peer(w->c, "requirements-slices.txt", argv, PROCESS_ANY_CPU, &out));
    TRY(js_parse(buf_view(&out), "slices.py", w->c->diag, &told));
    TRY(js_need_f64(told, "seconds", w->c->diag, ret_figure));
    TRY(js_need_f64(told, "score", w->c->diag, &w->peer_score));
    TRY(js_need_f64(told, "rows", w->c->diag, &w->peer_rows));
    TRY(js_need_f64(told, "peak_bytes", w->c->diag, &w->peer_bytes));
    const char *version = "";
    TRY(js_need_string(told, "version", w->c->diag, &version));
    (void)snprintf(w->peer_name, sizeof w->peer_name, "DataDome sliceline %.20s%s", version,
                   json_is_true(json_object_get(told, "numba")) ? ", with numba" : "");
    return OK;
}

/* A comparison of different answers would be none. */
static struct status
check_same(const struct work *w)
{
    const struct slice *best = &w->found->slice[0];
    const double off = best->score - w->peer_score;
    if (w->found->found == 0 || off > 1e-9 || off < -1e-9 || (double)best->rows != w->peer_rows) {
        diag_set(w->c->diag, "the worst slice scores %.12g here and %.12g there", best->score,
                 w->peer_score);
        FAIL(INTEGRITY);
    }
    return OK;
}

/* ---- memory, in a process of its own ---- */

struct status
bench_slices_memory(const char *rows, double *ret_figure)
{
    double ignored = 0;
    DEFER(work_done) struct work w = {.level = 2};
    TRY(make_rows((size_t)strtoull(rows, NULL, 10), false, &w));
    process_peak_reset(getpid());
    const double before = process_peak(getpid());
    TRY(find(&w, &ignored));
    *ret_figure = process_peak(getpid()) - before;
    return OK;
}

static struct status
memory_ours(struct work *w, double *ret_mib)
{
    char rows[24];
    (void)snprintf(rows, sizeof rows, "%zu", w->rows);
    char *argv[] = {"/proc/self/exe", "part", "slices-memory", rows, NULL};
    DEFER(buf_done) struct buf out;
    buf_init(&out, 4096);
    TRY(process_run(argv, PROCESS_ANY_CPU, w->c->diag, &out));
    *ret_mib = strtod(buf_str(&out), NULL) / (1 << 20);
    return OK;
}

/* ---- the rows of the report ---- */

/* Seconds for other rows and levels, which the peer is not asked for. */
static struct status
time_of(const struct bench_context *c, size_t rows, uint32_t level, bool hard, double *ret_seconds)
{
    DEFER(work_done) struct work w = {.c = c, .level = level};
    struct bench_samples s = {.n = 0};
    TRY(make_rows(rows, hard, &w));
    for (unsigned i = 0; i < ROUNDS; i++) {
        double seconds = 0;
        TRY(find(&w, &seconds));
        bench_sample(&s, seconds);
    }
    *ret_seconds = bench_median(&s);
    return OK;
}

static struct status
compare(struct work *w)
{
    double three = 0, twice = 0, mib = 0;
    char where[320];
    struct bench_result time = {.name = "slices", .unit = "s", .less_is_better = true};
    struct bench_result memory = {
        .name = "slices_peak_memory", .unit = "MiB", .less_is_better = true};
    TRY(bench_rounds(ROUNDS, find_ours, find_peer, w, &time));
    TRY(check_same(w));
    TRY(time_of(w->c, ROWS, 3, true, &three));
    TRY(time_of(w->c, (size_t)2 * ROWS, 2, false, &twice));
    (void)snprintf(where, sizeof where,
                   "50000 rows of 30 features with 10 values, 10 worst slices of two conditions, "
                   "one thread, CPU time; ours with 100000 rows %.4f s; three conditions of "
                   "50 rows and more, noise, alpha 1, all counted: %.2f s",
                   twice, three);
    time.where = where;
    time.peer_name = w->peer_name;
    TRY(bench_add(w->c->report, &time));
    TRY(memory_ours(w, &mib));
    bench_sample(&memory.ours, mib);
    bench_sample(&memory.peer, w->peer_bytes / (1 << 20));
    memory.peer_name = w->peer_name;
    memory.where =
        "what the peak of a process of its own grows by for the same, the rows being there";
    return bench_add(w->c->report, &memory);
}

struct status
bench_slices(const struct bench_context *c)
{
    DEFER(work_done) struct work w = {.c = c, .level = 2};
    DEFER(buf_done) struct buf bytes;
    buf_init(&bytes, FILE_MAX);
    TRY(make_rows(ROWS, false, &w));
    buf_put(&bytes, view_of(w.x, (size_t)ROWS * FEATURES));
    buf_put(&bytes, view_of(w.loss, ROWS * sizeof *w.loss));
    TRY(buf_status(&bytes));
    w.path = file_join(c->work, "slices.bin");
    CHECK(w.path != NULL, MEMORY);
    TRY(file_replace(w.path, buf_view(&bytes), 0600, c->diag));
    const struct status s = compare(&w);
    if (s.code == STATUS_UNSUPPORTED) {
        return bench_leave_out(c->report, "slices", c->diag->text);
    }
    return s;
}
