/* assess: the whole of `steward assess`, with its report, on a million rows of 30 features and two
 * sensitive columns, with a model of 100 trees of depth 6 trained in the workspace. No peer does it
 * (the dashboards that come nearest take 5,000 rows), so time is beside that of half the rows, and
 * memory beside three times the table's.
 *
 * Floor: each of the 290 MB of the table is decrypted, hashed, and read a few times; 1M rows
 * through 100 trees twice (prediction and attributions). */
#include "comparisons.h"
#include "models.h"
#include "process.h"

#include "base/file.h"
#include "num/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define ROWS 1000000u
#define HALF (ROWS / 2)
#define TRAINED 100000u
#define TEXT_MAX (1u << 20)
/* Bytes of a row as a table: numbers, three columns of codes, and which are missing. */
#define ROW_BYTES (MODELS_FEATURES * (sizeof(double) + 1) + 3 * sizeof(int32_t))
#define TIMES_TABLE 3.0

#define ARG(TEXT) ((char *)(uintptr_t)(TEXT))

struct work {
    const struct bench_context *c;
    char *workspace, *passphrase, *report, *log;
};

static void
work_done(struct work *w)
{
    free(w->workspace);
    free(w->passphrase);
    free(w->report);
    free(w->log);
}

/* ---- the data and the model ---- */

static void
put_row(FILE *out, const float *x, float y, struct rng *g)
{
    static const char *const origins[] = {"north", "east", "south", "west"};
    for (size_t k = 0; k < MODELS_FEATURES; k++) {
        if (x[k] < INFINITY) {
            (void)fprintf(out, "%.6g", (double)x[k]);
        }
        (void)fputc(',', out);
    }
    const uint64_t near = x[3] > 0 ? 3 : 4; /* a feature tells a little of the origin */
    (void)fprintf(out, "%s,%s,%s\n", origins[rng_below(g, near)], rng_below(g, 2) == 0 ? "f" : "m",
                  y > 0 ? "yes" : "no");
}

static struct status
put_rows(const char *path, size_t rows, struct diag *diag)
{
    struct rng g;
    FILE *out = fopen(path, "w");
    if (out == NULL) {
        diag_set(diag, "%s: cannot be written", path);
        FAIL(IO);
    }
    rng_init(&g, 3, "bench.assess");
    for (size_t k = 0; k < MODELS_FEATURES; k++) {
        (void)fprintf(out, "x%zu,", k);
    }
    (void)fputs("origin,sex,answer\n", out);
    for (size_t i = 0; i < rows; i++) {
        float x[MODELS_FEATURES], y = 0;
        models_rows(i, 1, x, &y);
        put_row(out, x, y, &g);
    }
    CHECK(fclose(out) == 0, IO);
    return OK;
}

static struct status
steward(const struct work *w, char *const words[])
{
    DEFER(buf_done) struct buf said;
    buf_init(&said, TEXT_MAX);
    return process_steward(w->c, w->passphrase, words, &said);
}

static struct status
add_data(const struct work *w, const char *name, size_t rows)
{
    DEFER(file_freep) char *csv = file_join(w->c->work, "rows.csv");
    char *words[] = {ARG("dataset"),
                     ARG("add"),
                     ARG(name),
                     csv,
                     ARG("--label"),
                     ARG("answer"),
                     ARG("--positive"),
                     ARG("yes"),
                     ARG("--sensitive"),
                     ARG("origin,sex"),
                     NULL};
    TRY(put_rows(csv, rows, w->c->diag));
    TRY(steward(w, words));
    (void)unlink(csv);
    return OK;
}

static struct status
make_workspace(struct work *w)
{
    char *init[] = {ARG("init"), NULL, NULL};
    char *train[] = {ARG("model"),    ARG("train"), ARG("model-a"), ARG("--data"), ARG("trained"),
                     ARG("--rounds"), ARG("100"),   ARG("--depth"), ARG("6"),      NULL};
    w->workspace = file_join(w->c->work, "assess");
    init[1] = w->workspace;
    w->passphrase = file_join(w->c->work, "assess-passphrase");
    w->report = file_join(w->c->work, "assess.html");
    w->log = file_join(w->c->work, "assess.log");
    TRY(file_replace(w->passphrase, view_str("bench passphrase\n"), 0600, w->c->diag));
    CHECK(setenv("STEWARD_WORKSPACE", w->workspace, 1) == 0, MEMORY);
    TRY(steward(w, init));
    bench_progress("assess: %u and %u rows into a workspace", HALF, ROWS);
    TRY(add_data(w, "trained", TRAINED));
    TRY(add_data(w, "half", HALF));
    TRY(add_data(w, "whole", ROWS));
    return steward(w, train);
}

/* ---- what is measured ---- */

/* Processor time of children that have ended. */
static double
children_cpu(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_CHILDREN, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

struct measured {
    double cpu, peak;
    size_t report_bytes;
};

static struct status
assess(const struct work *w, const char *data, struct measured *ret_measured)
{
    char *argv[] = {ARG(w->c->steward), ARG("assess"),
                    ARG("model-a"),     ARG("--data"),
                    ARG(data),          ARG("--report"),
                    w->report,          ARG("--threads"),
                    ARG("1"),           ARG("--passphrase-file"),
                    w->passphrase,      NULL};
    DEFER(process_stop) pid_t pid = 0;
    DEFER(buf_done) struct buf html;
    struct measured m = {.cpu = -children_cpu()};
    buf_init(&html, TEXT_MAX);
    bench_progress("assess: %s", data);
    (void)unlink(w->report);
    TRY(process_start(argv, PROCESS_ANY_CPU, w->log, w->c->diag, &pid));
    while (process_alive(pid)) {
        const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
        const double peak = process_peak(pid);
        m.peak = peak > m.peak ? peak : m.peak;
        (void)nanosleep(&pause, NULL);
    }
    pid = 0;
    m.cpu += children_cpu();
    if (!file_exists(w->report)) {
        DEFER(buf_done) struct buf said;
        buf_init(&said, TEXT_MAX);
        TRY(file_read(w->log, TEXT_MAX, w->c->diag, &said));
        diag_set(w->c->diag, "steward assess: %.500s", buf_str(&said));
        FAIL(IO);
    }
    TRY(file_read(w->report, TEXT_MAX, w->c->diag, &html));
    m.report_bytes = html.len;
    *ret_measured = m;
    return OK;
}

struct status
bench_assess(const struct bench_context *c)
{
    DEFER(work_done) struct work w = {.c = c};
    struct measured half, whole;
    char where[300];
    TRY(make_workspace(&w));
    TRY(assess(&w, "half", &half));
    TRY(assess(&w, "whole", &whole));
    struct bench_result time = {.name = "assess",
                                .unit = "s",
                                .peer_name = "Steward, 500,000 rows",
                                .where = where,
                                .less_is_better = true};
    struct bench_result memory = {.name = "assess_peak_memory",
                                  .unit = "bytes",
                                  .peer_name = "three times the table",
                                  .where = where,
                                  .less_is_better = true};
    bench_sample(&time.ours, whole.cpu / 2);
    bench_sample(&time.peer, half.cpu);
    (void)snprintf(where, sizeof where,
                   "half the time for %u rows of %u features, 2 sensitive columns: all of it took "
                   "%.1f s, of half the rows %.1f s; 100 trees of depth 6, one thread, CPU time; "
                   "the report has %zu and %zu KB",
                   ROWS, MODELS_FEATURES, whole.cpu, half.cpu, whole.report_bytes / 1024,
                   half.report_bytes / 1024);
    TRY(bench_add(c->report, &time));
    bench_sample(&memory.ours, whole.peak);
    bench_sample(&memory.peer, TIMES_TABLE * ROW_BYTES * ROWS);
    (void)snprintf(where, sizeof where,
                   "the same; VmHWM of the process, its libraries too: %.2f times the table's %.0f "
                   "MB; of half the rows %.0f MB",
                   whole.peak / (ROW_BYTES * (double)ROWS), ROW_BYTES * (double)ROWS / 1e6,
                   half.peak / 1e6);
    return bench_add(c->report, &memory);
}
