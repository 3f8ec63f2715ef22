/* shap: attributions by our explainers against libxgboost's pred_contribs, path-dependent TreeSHAP,
 * the same models and rows, one thread each, processor time. What counts is everything from the
 * model in memory to the values out: making the explainer is part of ours (but for single rows,
 * where a server has made it).
 *
 * Floor of a row, tables: each unit costs its patterns' bits (8 compares for 32 rows: 0.25 cycles)
 * and, for 8 rows, 8 or 16 loads of entries and as many loads and stores of sums as it has
 * features; at two loads and a store a cycle that is 8 to 19 cycles for 8 rows and unit, 1.0 to 2.4
 * a row: (a) 1,400 units, 2,400 cycles. Ranks: 30 values at 6 cycles. */
#include "comparisons.h"
#include "models.h"

#include "assess/explain.h"

#include <math.h>
#include <stdlib.h>

#define FEATURES MODELS_FEATURES
#define SINGLES 64u

struct shap_work {
    struct models_one model;
    size_t rows, peer_rows;
    enum explain_precision precision;
    float *x, *phi;
    double *record;
    const struct explainer *single;
    double worst; /* distance from the record over the row's largest */
    struct diag *diag;
};

static void
shap_work_done(struct shap_work *w)
{
    models_done(&w->model);
    free(w->x);
    free(w->phi);
    free(w->record);
}

static struct status
make_explainer(const struct shap_work *w, struct explainer **ret_explainer)
{
    struct explainer_options o;
    explainer_defaults(&o);
    o.expected_rows = w->rows;
    o.precision = w->precision;
    o.threads = 1;
    return explainer_new(w->model.forest, &o, ret_explainer);
}

static struct status
shap_ours(void *ctx, double *ret_figure)
{
    struct shap_work *w = ctx;
    DEFER(explainer_freep) struct explainer *e = NULL;
    const double from = bench_cpu_now();
    TRY(make_explainer(w, &e));
    TRY(explainer_rows_float(e, w->x, w->rows, 1, w->phi));
    *ret_figure = (double)w->rows / (bench_cpu_now() - from);
    return OK;
}

static struct status
shap_peer(void *ctx, double *ret_figure)
{
    struct shap_work *w = ctx;
    const float *ignored = NULL;
    double seconds = 0;
    TRY(models_peer(&w->model, MODELS_CONTRIBUTIONS, w->x, w->peer_rows, w->diag, &ignored,
                    &seconds));
    *ret_figure = (double)w->peer_rows / seconds;
    return OK;
}

static struct status
single_ours(void *ctx, double *ret_figure)
{
    struct shap_work *w = ctx;
    const double from = bench_cpu_now();
    for (size_t i = 0; i < SINGLES; i++) {
        TRY(explainer_rows_float(w->single, w->x + i * FEATURES, 1, 1, w->phi + i * FEATURES));
    }
    *ret_figure = (bench_cpu_now() - from) / SINGLES * 1e6;
    return OK;
}

static struct status
single_peer(void *ctx, double *ret_figure)
{
    struct shap_work *w = ctx;
    const float *ignored = NULL;
    double sum = 0;
    for (size_t i = 0; i < SINGLES; i++) {
        double seconds = 0;
        TRY(models_peer(&w->model, MODELS_CONTRIBUTIONS, w->x + i * FEATURES, 1, w->diag, &ignored,
                        &seconds));
        sum += seconds;
    }
    *ret_figure = sum / SINGLES * 1e6;
    return OK;
}

/* Ours against the record engine and the peer, on the peer's rows. The peer keeps floats. */
static struct status
check_same(struct shap_work *w)
{
    struct explainer_options o;
    const float *theirs = NULL;
    double seconds = 0;
    explainer_defaults(&o);
    o.precision = EXPLAIN_RECORD;
    DEFER(explainer_freep) struct explainer *e = NULL;
    TRY(explainer_new(w->model.forest, &o, &e));
    TRY(explainer_rows(e, w->x, w->peer_rows, 1, w->record));
    TRY(models_peer(&w->model, MODELS_CONTRIBUTIONS, w->x, w->peer_rows, w->diag, &theirs,
                    &seconds));
    w->worst = 0;
    for (size_t i = 0; i < w->peer_rows; i++) {
        double most = 0, off = 0, peer_off = 0;
        for (size_t k = 0; k < FEATURES; k++) {
            const double record = w->record[i * FEATURES + k];
            most = fmax(most, fabs(record));
            off = fmax(off, fabs(record - (double)w->phi[i * FEATURES + k]));
            peer_off = fmax(peer_off, fabs(record - (double)theirs[i * (FEATURES + 1) + k]));
        }
        w->worst = fmax(w->worst, off / most);
        if (!(off <= 2e-6 * most) || !(peer_off <= 1e-5 * most)) {
            diag_set(w->diag, "row %zu: %.3g from the record, XGBoost %.3g, of %.9g", i, off,
                     peer_off, most);
            FAIL(INTEGRITY);
        }
    }
    return OK;
}

static struct status
make_work(enum models_kind kind, size_t rows, size_t peer_rows, struct shap_work *w)
{
    w->rows = rows;
    w->peer_rows = peer_rows;
    TRY(models_make(kind, w->diag, &w->model));
    w->x = malloc(rows * FEATURES * sizeof *w->x);
    w->phi = malloc(rows * FEATURES * sizeof *w->phi);
    w->record = malloc(peer_rows * FEATURES * sizeof *w->record);
    CHECK(w->x != NULL && w->phi != NULL && w->record != NULL, MEMORY);
    models_rows(1u << 20, rows, w->x, NULL);
    return OK;
}

static struct status
compare_rows(const struct bench_context *c, struct shap_work *w, const char *name, unsigned rounds)
{
    char peer[80], version[32], where[300];
    models_peer_name(version);
    (void)snprintf(peer, sizeof peer, "%s, pred_contribs on %zu rows", version, w->peer_rows);
    struct bench_result x = {.name = name, .unit = "rows/s", .where = where, .peer_name = peer};
    TRY(bench_rounds(rounds, shap_ours, shap_peer, w, &x));
    w->worst = 0;
    if (w->precision == EXPLAIN_FAST) {
        TRY(check_same(w));
    }
    const int n = snprintf(where, sizeof where,
                           "%s; %zu rows of %u features, 8.3 %% missing, one thread, CPU time, "
                           "with making the explainer",
                           w->model.what, w->rows, FEATURES);
    if (w->precision == EXPLAIN_FAST) {
        (void)snprintf(where + n, sizeof where - (size_t)n,
                       "; largest error %.2g of a row's largest", w->worst);
    }
    return bench_add(c->report, &x);
}

/* Rows double: the time at most doubles. The peer is the same explainer on half the rows. */
static struct status
half_ours(void *ctx, double *ret_figure)
{
    struct shap_work half = *(struct shap_work *)ctx;
    half.rows /= 2;
    double per_second = 0;
    TRY(shap_ours(&half, &per_second));
    *ret_figure = (double)half.rows / per_second;
    return OK;
}

static struct status
whole_ours(void *ctx, double *ret_figure)
{
    struct shap_work *w = ctx;
    double per_second = 0;
    TRY(shap_ours(w, &per_second));
    *ret_figure = (double)w->rows / per_second / 2;
    return OK;
}

static struct status
compare_halves(const struct bench_context *c, struct shap_work *w, const char *name,
               unsigned rounds)
{
    char where[120];
    (void)snprintf(where, sizeof where, "seconds for %zu rows, halved, beside those for %zu",
                   w->rows, w->rows / 2);
    struct bench_result x = {.name = name,
                             .unit = "s",
                             .peer_name = "Steward on half the rows",
                             .where = where,
                             .less_is_better = true};
    TRY(bench_rounds(rounds, whole_ours, half_ours, w, &x));
    return bench_add(c->report, &x);
}

/* expected: rows that the explainer was made for; of few it has no tables. */
static struct status
compare_single(const struct bench_context *c, struct shap_work *w, const char *name,
               size_t expected)
{
    char peer[80], version[32], where[200];
    struct shap_work single = *w;
    models_peer_name(version);
    single.rows = expected;
    (void)snprintf(peer, sizeof peer, "%s, pred_contribs of one row", version);
    struct bench_result x = {
        .name = name, .unit = "us", .where = where, .peer_name = peer, .less_is_better = true};
    DEFER(explainer_freep) struct explainer *e = NULL;
    TRY(make_explainer(&single, &e));
    single.single = e;
    (void)snprintf(where, sizeof where,
                   "%s; one row a call, the explainer made before, for %zu rows: %s; CPU time",
                   w->model.what, expected,
                   explainer_engine(e) == EXPLAIN_TABLES ? "tables" : "lanes, without tables");
    TRY(bench_rounds(7, single_ours, single_peer, &single, &x));
    return bench_add(c->report, &x);
}

/* ---- pairs ---- */

static struct status
pairs_ours(void *ctx, double *ret_figure)
{
    struct shap_work *w = ctx;
    struct explainer_options o;
    explainer_defaults(&o);
    o.expected_rows = w->rows;
    o.pairs = true;
    DEFER(memory_freep) double *pairs = malloc(w->rows * FEATURES * FEATURES * sizeof *pairs);
    DEFER(explainer_freep) struct explainer *e = NULL;
    CHECK(pairs != NULL, MEMORY);
    const double from = bench_cpu_now();
    TRY(explainer_new(w->model.forest, &o, &e));
    TRY(explainer_pairs(e, w->x, w->rows, 1, pairs));
    *ret_figure = (double)w->rows / (bench_cpu_now() - from);
    return OK;
}

static struct status
pairs_peer(void *ctx, double *ret_figure)
{
    struct shap_work *w = ctx;
    const float *ignored = NULL;
    double seconds = 0;
    TRY(models_peer(&w->model, MODELS_INTERACTIONS, w->x, w->peer_rows, w->diag, &ignored,
                    &seconds));
    *ret_figure = (double)w->peer_rows / seconds;
    return OK;
}

/* On the same model; tests hold the values against XGBoost's. */
static struct status
compare_pairs(const struct bench_context *c, struct shap_work *w)
{
    char peer[80], version[32], where[200];
    w->rows = 2000;
    w->peer_rows = 10;
    models_peer_name(version);
    (void)snprintf(peer, sizeof peer, "%s, pred_interactions on %zu rows", version, w->peer_rows);
    (void)snprintf(where, sizeof where,
                   "%s; interactions of all pairs in double, %zu rows, one thread, CPU time",
                   w->model.what, w->rows);
    struct bench_result x = {
        .name = "shap_pairs_a", .unit = "rows/s", .where = where, .peer_name = peer};
    TRY(bench_rounds(3, pairs_ours, pairs_peer, w, &x));
    return bench_add(c->report, &x);
}

struct status
bench_shap(const struct bench_context *c)
{
    DEFER(shap_work_done) struct shap_work a = {.diag = c->diag};
    TRY(make_work(MODELS_A, 100000, 1000, &a));
    TRY(compare_rows(c, &a, "shap_a", 7));
    TRY(compare_halves(c, &a, "shap_a_doubled", 5));
    TRY(compare_single(c, &a, "shap_row_a", 1));
    TRY(compare_single(c, &a, "shap_row_a_tables", a.rows));
    a.precision = EXPLAIN_RECORD;
    a.rows = 20000;
    TRY(compare_rows(c, &a, "shap_record_a", 3));
    TRY(compare_pairs(c, &a));
    DEFER(shap_work_done) struct shap_work b = {.diag = c->diag};
    TRY(make_work(MODELS_B, 50000, 64, &b));
    TRY(compare_rows(c, &b, "shap_b", 3));
    return compare_halves(c, &b, "shap_b_doubled", 3);
}
