/* forest_checks: what must hold for every forest that a loader made of a stranger's bytes: sound
 * arrays, the same prediction by every way, and, when it is small, attributions that add up. */
#ifndef STEWARD_FUZZ_FOREST_CHECKS_H
#define STEWARD_FUZZ_FOREST_CHECKS_H

#include "assess/interventional.h"
#include "model/predictor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_NODES 512u
#define SMALL_CELLS 4096u
#define COMPILED_CELLS (1u << 20)

static inline void
need(bool condition)
{
    if (!condition) {
        abort();
    }
}

static inline void
check_arrays(const struct forest *f)
{
    need(f->features > 0 && f->outputs > 0 && f->depth <= FOREST_MAX_DEPTH);
    need(f->tree_start[0] == 0 && f->tree_start[f->trees] == f->nodes);
    for (uint32_t t = 0; t < f->trees; t++) {
        need(f->tree_start[t] < f->tree_start[t + 1] && f->tree_output[t] < f->outputs);
        for (uint32_t n = f->tree_start[t]; n < f->tree_start[t + 1]; n++) {
            need(f->cover[n] >= 0 && isfinite(f->value[n]) && !isnan(f->threshold[n]));
            need(f->feature[n] < f->features);
            need(f->left[n] < 0 || ((uint32_t)f->left[n] > n && f->right[n] == f->left[n] + 1 &&
                                    (uint32_t)f->right[n] < f->tree_start[t + 1]));
        }
    }
}

/* A row that the bytes decide: thresholds, categories and missing values among it. */
static inline void
fill_row(const struct forest *f, const uint8_t *data, size_t size, float *x)
{
    for (uint32_t k = 0; k < f->features; k++) {
        const uint8_t b = data[(k * 7u + 3u) % size];
        x[k] = b % 5 == 0 ? NAN : (float)b / 4 - 8;
    }
    for (uint32_t n = 0; n < f->nodes; n += 3) {
        x[f->feature[n]] = f->threshold[n];
    }
}

/* Values so large that sums lose digits, or pass the largest double, say nothing. */
static inline bool
is_tame(const struct forest *f)
{
    double sum = 0;
    for (uint32_t t = 0; t < f->trees; t++) {
        for (uint32_t n = f->tree_start[t]; n < f->tree_start[t + 1]; n++) {
            sum += fabs(f->value[n] * f->tree_weight[t]);
        }
    }
    return sum < 1e6;
}

static inline void
explain(const struct forest *f, const float *x, const double *margin)
{
    double *phi = calloc((size_t)f->outputs * f->features, sizeof *phi);
    double *expected = calloc(f->outputs, sizeof *expected);
    void *scratch = malloc(explain_scratch_bytes(f));
    need(phi != NULL && expected != NULL && scratch != NULL);
    explain_expected(f, expected);
    explain_row_ref(f, x, scratch, phi);
    for (uint32_t o = 0; o < f->outputs; o++) {
        double sum = expected[o];
        for (uint32_t k = 0; k < f->features; k++) {
            sum += phi[(size_t)o * f->features + k];
        }
        need(!is_tame(f) || fabs(sum - margin[o]) <= 1e-6 * fmax(1, fabs(margin[o])));
    }
    free(phi);
    free(expected);
    free(scratch);
}

/* Against the row with every value taken away, through tables where the forest allows. */
static inline void
explain_against(const struct forest *f, const float *x, const double *margin)
{
    float *background = calloc(f->features, sizeof *background);
    double *phi = calloc((size_t)f->outputs * f->features, sizeof *phi);
    double *expected = calloc(f->outputs, sizeof *expected);
    struct interventional *e = NULL;
    struct interventional_options o;
    interventional_defaults(&o);
    o.precision = EXPLAIN_RECORD;
    need(background != NULL && phi != NULL && expected != NULL);
    for (uint32_t k = 0; k < f->features; k++) {
        background[k] = k % 2 == 0 ? NAN : 1.0f;
    }
    need(status_ok(interventional_new(f, background, 1, &o, &e)));
    need(status_ok(interventional_rows(e, x, 1, 1, phi)));
    interventional_expected(e, expected);
    for (uint32_t k = 0; k < f->outputs; k++) {
        double sum = expected[k];
        for (uint32_t i = 0; i < f->features; i++) {
            sum += phi[(size_t)k * f->features + i];
        }
        need(!is_tame(f) || fabs(sum - margin[k]) <= 1e-6 * fmax(1, fabs(margin[k])));
    }
    interventional_free(e);
    free(background);
    free(phi);
    free(expected);
}

#define TILE_ROWS 20u /* enough for a batch by tiles */

/* The compiled forest: one row, a batch, and without AVX2. */
static inline void
predict_compiled(const struct forest *f, const float *x, const double *plain)
{
    struct predictor *p = NULL;
    float *rows = calloc((size_t)TILE_ROWS * f->features, sizeof *rows);
    double *margin = calloc((size_t)TILE_ROWS * f->outputs, sizeof *margin);
    need(rows != NULL && margin != NULL && status_ok(predictor_new(f, &p)));
    for (size_t i = 0; i < TILE_ROWS; i++) {
        memcpy(rows + i * f->features, x, f->features * sizeof *rows);
    }
    for (uint32_t way = 0; way < 3; way++) {
        const size_t n = way == 0 ? 1 : TILE_ROWS;
        (way == 2 ? predictor_margin_portable : predictor_margin)(p, rows, n, 1, margin);
        for (size_t i = 0; i < n * f->outputs; i++) {
            const double want = plain[i % f->outputs];
            need(margin[i] == want || (isnan(margin[i]) && isnan(want)));
        }
    }
    predictor_free(p);
    free(rows);
    free(margin);
}

static inline void
predict(const struct forest *f, const uint8_t *data, size_t size)
{
    float *x = calloc(f->features, sizeof *x);
    double *margin = calloc(f->outputs, sizeof *margin), *plain = calloc(f->outputs, sizeof *plain);
    need(x != NULL && margin != NULL && plain != NULL);
    fill_row(f, data, size, x);
    forest_margin(f, x, 1, 1, margin);
    forest_margin_ref(f, x, 1, plain);
    for (uint32_t o = 0; o < f->outputs; o++) {
        need(margin[o] == plain[o] || (isnan(margin[o]) && isnan(plain[o])));
    }
    if (f->nodes <= SMALL_NODES && f->depth <= 12 && f->features * f->outputs <= SMALL_CELLS) {
        explain(f, x, margin);
        explain_against(f, x, margin);
    }
    if ((size_t)f->features * f->outputs <= COMPILED_CELLS) {
        predict_compiled(f, x, plain);
    }
    forest_link_apply(f, margin, 1);
    free(x);
    free(margin);
    free(plain);
}

/* Loads the bytes, and checks what comes. */
static inline void
check_forest_bytes(const uint8_t *data, size_t size)
{
    struct diag diag = {0};
    DEFER(forest_freep) struct forest *f = NULL;
    const struct status s = forest_load(view_of(data, size), &diag, &f);
    need(status_ok(s) == (f != NULL));
    need(status_ok(s) || diag.text[0] != '\0');
    if (f != NULL) {
        check_arrays(f);
        predict(f, data, size);
    }
}

#endif
