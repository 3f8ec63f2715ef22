/* interventional: SHAP values against a background, beside shap's TreeExplainer and Woodelf.
 *
 * Floor of (a), 1,450 units: a byte of pattern made (8 comparisons of 32 rows an instruction) and
 * counted for each background row and unit, about 1 ns; tables filled once, 1,450 times 256
 * patterns; then a row costs what path-dependent values cost it: a load and 8 additions a unit. */
#include "comparisons.h"
#include "models.h"
#include "process.h"

#include "assess/interventional.h"
#include "base/file.h"
#include "base/json.h"

#include <math.h>
#include <stdlib.h>

#define FEATURES MODELS_FEATURES
#define ROWS 10000u
#define BACKGROUND 100000u
#define ROUNDS 3u
#define CHECKED 2u /* rows whose values the peers print */

struct work {
    const struct bench_context *c;
    struct models_one model;
    float *x, *background;
    double *phi;
    char *model_path, *x_path, *background_path;
    const char *tool; /* the peer: shap or woodelf */
    size_t background_rows;
    size_t peer_rows; /* that the peer explains; its time is scaled */
    char peer_name[96];
};

static void
work_done(struct work *w)
{
    models_done(&w->model);
    free(w->x);
    free(w->background);
    free(w->phi);
    free(w->model_path);
    free(w->x_path);
    free(w->background_path);
}

/* Seconds for so many rows, building included. */
static struct status
explain(struct work *w, size_t rows, double *ret_seconds)
{
    DEFER(interventional_freep) struct interventional *e = NULL;
    struct interventional_options o;
    interventional_defaults(&o);
    o.expected_rows = rows;
    o.threads = 1;
    const double from = bench_cpu_now();
    TRY(interventional_new(w->model.forest, w->background, w->background_rows, &o, &e));
    TRY(interventional_rows(e, w->x, rows, 1, w->phi));
    *ret_seconds = bench_cpu_now() - from;
    return OK;
}

static struct status
explain_ours(void *ctx, double *ret_figure)
{
    double seconds = 0;
    TRY(explain(ctx, ROWS, &seconds));
    *ret_figure = ROWS / seconds;
    return OK;
}

/* A comparison of different answers would be none. */
static struct status
check_same(const struct work *w, const json_t *values)
{
    for (size_t i = 0; i < (size_t)CHECKED * FEATURES && i < json_array_size(values); i++) {
        const double theirs = json_number_value(json_array_get(values, i));
        if (!(fabs(w->phi[i] - theirs) < 2e-5)) {
            diag_set(w->c->diag, "%s: row %zu, feature %zu: %.9g here and %.9g there", w->peer_name,
                     i / FEATURES, i % FEATURES, w->phi[i], theirs);
            FAIL(INTEGRITY);
        }
    }
    return OK;
}

static struct status
explain_peer(void *ctx, double *ret_figure)
{
    struct work *w = ctx;
    char rows[24], background[24], features[8];
    (void)snprintf(rows, sizeof rows, "%zu", w->peer_rows);
    (void)snprintf(background, sizeof background, "%zu", w->background_rows);
    (void)snprintf(features, sizeof features, "%u", FEATURES);
    char *argv[] = {"interventional.py",
                    (char *)(uintptr_t)w->tool,
                    w->model_path,
                    w->x_path,
                    rows,
                    w->background_path,
                    background,
                    features,
                    NULL};
    DEFER(buf_done) struct buf out;
    DEFER(js_freep) json_t *told = NULL;
    const char *version = "";
    double seconds = 0;
    buf_init(&out, 65536);
    TRY(process_run_peer(w->c, "requirements-interventional.txt", argv, PROCESS_ANY_CPU, &out));
    TRY(js_parse(buf_view(&out), "interventional.py", w->c->diag, &told));
    TRY(js_need_f64(told, "seconds", w->c->diag, &seconds));
    TRY(js_need_string(told, "version", w->c->diag, &version));
    (void)snprintf(w->peer_name, sizeof w->peer_name, "%.90s", version);
    TRY(check_same(w, json_object_get(told, "values")));
    *ret_figure = (double)w->peer_rows / seconds;
    return OK;
}

static struct status
compare(struct work *w, const char *name, const char *tool, size_t background_rows,
        size_t peer_rows)
{
    char where[320];
    double half = 0, all = 0;
    struct bench_result x = {.name = name, .unit = "rows/s", .where = where};
    w->tool = tool;
    w->background_rows = background_rows;
    w->peer_rows = peer_rows;
    TRY(explain(w, ROWS / 2, &half));
    TRY(explain(w, ROWS, &all));
    (void)snprintf(where, sizeof where,
                   "%s; background of %zu rows, %u rows explained, building counted; one thread, "
                   "CPU time; ours takes %.2f times as long as for half the rows; the peer "
                   "explained %zu rows",
                   w->model.what, background_rows, ROWS, all / half, peer_rows);
    TRY(bench_rounds(ROUNDS, explain_ours, explain_peer, w, &x));
    x.peer_name = w->peer_name;
    return bench_add(w->c->report, &x);
}

static struct status
put_file(const struct bench_context *c, const char *name, struct view bytes, char **ret_path)
{
    *ret_path = file_join(c->work, name);
    CHECK(*ret_path != NULL, MEMORY);
    return file_replace(*ret_path, bytes, 0600, c->diag);
}

static struct status
prepare(struct work *w)
{
    const size_t row = FEATURES * sizeof(float);
    w->x = malloc(ROWS * row);
    w->background = malloc(BACKGROUND * row);
    w->phi = malloc((size_t)ROWS * FEATURES * sizeof *w->phi);
    CHECK(w->x != NULL && w->background != NULL && w->phi != NULL, MEMORY);
    models_rows((size_t)1 << 20, ROWS, w->x, NULL);
    models_rows((size_t)1 << 21, BACKGROUND, w->background, NULL);
    TRY(models_make(MODELS_A, w->c->diag, &w->model));
    TRY(put_file(w->c, "interventional.ubj", buf_view(&w->model.bytes), &w->model_path));
    TRY(put_file(w->c, "rows.f32", view_of(w->x, ROWS * row), &w->x_path));
    return put_file(w->c, "background.f32", view_of(w->background, BACKGROUND * row),
                    &w->background_path);
}

static struct status
compare_all(struct work *w)
{
    TRY(compare(w, "shap_interventional", "shap", 1000, 40));
    TRY(compare(w, "shap_interventional_100k", "shap", BACKGROUND, 2));
    TRY(compare(w, "shap_interventional_woodelf", "woodelf", 1000, ROWS));
    return compare(w, "shap_interventional_100k_woodelf", "woodelf", BACKGROUND, ROWS);
}

struct status
bench_interventional(const struct bench_context *c)
{
    DEFER(work_done) struct work w = {.c = c};
    TRY(prepare(&w));
    const struct status s = compare_all(&w);
    if (s.code == STATUS_UNSUPPORTED) {
        return bench_leave_out(c->report, "shap_interventional", c->diag->text);
    }
    return s;
}
