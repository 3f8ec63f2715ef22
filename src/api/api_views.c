/* The views of many rows' attributions, include/steward/assess.h: global, by cohort, dependence,
 * rows side by side, pairs, as one document. */
#include "api/api_columns.h"
#include "api/api_predictor.h"

#include "report/explain_document.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_CELLS ((size_t)1 << 21) /* of attributions in memory at a time */
#define COHORTS_MAX 16u
#define LOCAL_MAX 32u
#define OUTPUT_NAME 16u

struct views {
    const struct sw_predictor *predictor;
    const struct sw_views_options *options;
    const float *x;
    size_t rows;
    uint32_t features, outputs;
    struct attribution *by;
    struct explain_summary *summary;
    struct bins *bins;
    struct sw_feature *read;
    char *names;
    struct explain_feature *feature;
    const char **output;
    char (*output_name)[OUTPUT_NAME];
    const char *cohort[COHORTS_MAX];
    struct explain_local local[LOCAL_MAX];
    double *local_phi; /* outputs * features of each, then its margins and answers */
    double *base, *phi, *pairs;
    uint64_t left_out;
    bool no_dependence;
    json_t *remarks;
};

static void
views_done(struct views *v)
{
    attribution_free(v->by);
    explain_summary_free(v->summary);
    free(v->bins);
    free(v->read);
    free(v->names);
    free(v->feature);
    free(v->output);
    free(v->output_name);
    free(v->local_phi);
    free(v->base);
    free(v->phi);
    free(v->pairs);
    js_freep(&v->remarks);
}

/* ---- what is asked for ---- */

static struct status
check_cohorts(const struct views *v, struct diag *diag)
{
    const struct sw_views_options *o = v->options;
    if (o->cohort_count > COHORTS_MAX || o->local_count > LOCAL_MAX) {
        diag_set(diag, "at most %u cohorts, and %u rows side by side", COHORTS_MAX, LOCAL_MAX);
        FAIL(INPUT);
    }
    if (o->cohort_count > 0) {
        TRY(api_need(o->cohorts, "cohorts", diag));
    }
    for (uint32_t k = 0; k < o->cohort_count; k++) {
        TRY(api_need_text(o->cohorts[k].name, "name of a cohort", diag));
        TRY(api_need(o->cohorts[k].in, o->cohorts[k].name, diag));
    }
    return OK;
}

static struct status
check_places(const struct views *v, struct diag *diag)
{
    const struct sw_views_options *o = v->options;
    for (uint32_t i = 0; o->dependence != NULL && i < o->dependence_count; i++) {
        if (o->dependence[i] >= v->features) {
            diag_set(diag, "dependence: feature %u of %u", o->dependence[i], v->features);
            FAIL(INPUT);
        }
    }
    if (o->local_count > 0) {
        TRY(api_need(o->local, "local", diag));
    }
    for (uint32_t i = 0; i < o->local_count; i++) {
        if (o->local[i] >= v->rows) {
            diag_set(diag, "local: row %zu of %zu", o->local[i], v->rows);
            FAIL(INPUT);
        }
    }
    if (o->explain.column != NULL) {
        diag_set(diag, "column: views are of the features as the model reads them");
        FAIL(INPUT);
    }
    return OK;
}

static struct status
name_all(struct views *v, struct diag *diag)
{
    const struct model_file *file = v->predictor->file;
    v->read = calloc((size_t)v->features + 1, sizeof *v->read);
    v->feature = calloc((size_t)v->features + 1, sizeof *v->feature);
    v->output = calloc((size_t)v->outputs + 1, sizeof *v->output);
    v->output_name = calloc((size_t)v->outputs + 1, sizeof *v->output_name);
    CHECK(v->read != NULL && v->feature != NULL && v->output != NULL && v->output_name != NULL,
          MEMORY);
    TRY(api_name_features(v->predictor, v->options->read, diag, v->read, &v->names));
    for (uint32_t f = 0; f < v->features; f++) {
        v->feature[f] = (struct explain_feature){.name = v->read[f].name,
                                                 .levels = v->read[f].levels,
                                                 .level_count = v->read[f].level_count};
    }
    for (uint32_t k = 0; k < v->outputs; k++) {
        (void)snprintf(v->output_name[k], OUTPUT_NAME, "%u", k);
        v->output[k] = v->outputs > 1 && file->output_names != NULL ? file->output_names[k]
                       : v->outputs > 1                             ? v->output_name[k]
                       : v->options->explain.probability            ? "probability"
                                                                    : "margin";
    }
    return OK;
}

/* ---- all rows ---- */

static struct status
fill(const void *ctx, size_t first, size_t n, float *ret_value)
{
    const struct views *v = ctx;
    memcpy(ret_value, v->x + first * v->features, n * v->features * sizeof *ret_value);
    return OK;
}

static size_t
block_of(const struct views *v)
{
    const size_t cells = (size_t)v->outputs * v->features;
    const size_t fit =
        BLOCK_CELLS / (v->options->interactions ? cells * v->features + 1 : cells + 1) + 1;
    return fit < v->rows ? fit : v->rows;
}

static struct status
make_ready(struct views *v, struct diag *diag)
{
    const struct sw_views_options *o = v->options;
    const bool pairs = o->interactions != 0;
    const size_t cells = (size_t)v->outputs * v->features, block = block_of(v);
    const struct bins_source source = {fill, v, v->rows, v->features};
    v->bins = calloc((size_t)v->features + 1, sizeof *v->bins);
    v->base = calloc((size_t)v->outputs + 1, sizeof *v->base);
    v->phi = calloc(block * cells + 1, sizeof *v->phi);
    v->pairs = calloc(pairs ? block * cells * v->features : 1, sizeof *v->pairs);
    v->local_phi = calloc(LOCAL_MAX * (cells + 2 * (size_t)v->outputs), sizeof *v->local_phi);
    CHECK(v->bins != NULL && v->base != NULL && v->phi != NULL && v->pairs != NULL &&
              v->local_phi != NULL,
          MEMORY);
    TRY(api_explainer(v->predictor, &o->explain, v->rows, pairs, diag, &v->by));
    TRY(bins_make_columns(&source, EXPLAIN_BINS, o->explain.threads, v->bins));
    const bool fits = cells * (EXPLAIN_BINS + 1) <= EXPLAIN_SUMMARY_CELLS;
    const struct status s = explain_summary_new(v->outputs, v->features, o->cohort_count,
                                                fits ? v->bins : NULL, pairs, &v->summary);
    if (s.code == STATUS_LIMIT || (!fits && o->dependence != NULL)) {
        diag_set(diag, "too many outputs and features for one summary of them");
        FAIL(LIMIT);
    }
    v->no_dependence = !fits;
    return s;
}

/* A feature's attribution is its line of the matrix. */
static void
sum_lines(const struct views *v, size_t rows)
{
    for (size_t i = 0; i < rows * v->outputs * v->features; i++) {
        v->phi[i] = 0.0;
        for (size_t b = 0; b < v->features; b++) {
            v->phi[i] += v->pairs[i * v->features + b];
        }
    }
}

static struct status
attribute(const struct views *v, size_t first, size_t rows, struct diag *diag)
{
    const float *x = v->x + first * v->features;
    const unsigned threads = v->options->explain.threads;
    if (!v->options->interactions) {
        return attribution_rows(v->by, x, rows, threads, v->phi, NULL);
    }
    TRY(api_pairs(v->by, x, rows, threads, diag, v->pairs));
    sum_lines(v, rows);
    return OK;
}

/* Rows that have no attributions are in no view, and counted. */
static void
summarise(struct views *v, size_t first, size_t rows)
{
    const size_t width = (size_t)v->features * v->outputs;
    const uint8_t *cohort[COHORTS_MAX + 1];
    for (size_t i = 0, end = 0; i < rows; i = end + 1) {
        for (end = i; end < rows && !isnan(v->phi[end * width]); end++) {
        }
        for (uint32_t k = 0; k < v->options->cohort_count; k++) {
            cohort[k] = v->options->cohorts[k].in + first + i;
        }
        explain_summary_add(v->summary, v->x + (first + i) * v->features, v->phi + i * width,
                            cohort, end - i);
        if (v->options->interactions) {
            explain_summary_add_pairs(v->summary, v->pairs + i * width * v->features, end - i);
        }
        v->left_out += end < rows;
    }
}

static void
keep_locals(struct views *v, size_t first, size_t rows)
{
    const size_t width = (size_t)v->features * v->outputs, room = width + 2 * (size_t)v->outputs;
    for (uint32_t i = 0; i < v->options->local_count; i++) {
        const size_t row = v->options->local[i];
        if (row >= first && row - first < rows) {
            double *to = v->local_phi + i * room;
            memcpy(to, v->phi + (row - first) * width, width * sizeof *to);
        }
    }
}

static void
answer_locals(struct views *v)
{
    const size_t width = (size_t)v->features * v->outputs, room = width + 2 * (size_t)v->outputs;
    for (uint32_t i = 0; i < v->options->local_count; i++) {
        const float *x = v->x + v->options->local[i] * v->features;
        double *phi = v->local_phi + i * room, *margin = phi + width, *said = margin + v->outputs;
        model_file_margin(v->predictor->file, x, 1, 1, margin);
        memcpy(said, margin, v->outputs * sizeof *said);
        model_file_link_apply(v->predictor->file, said, 1);
        v->local[i] = (struct explain_local){.row = v->options->local[i] + 1,
                                             .x = x,
                                             .phi = phi,
                                             .margin = margin,
                                             .prediction = said};
    }
}

static struct status
explain_all(struct views *v, struct diag *diag)
{
    const size_t block = block_of(v);
    for (size_t first = 0; first < v->rows; first += block) {
        const size_t rows = v->rows - first < block ? v->rows - first : block;
        TRY(attribute(v, first, rows, diag));
        summarise(v, first, rows);
        keep_locals(v, first, rows);
    }
    answer_locals(v);
    attribution_expected(v->by, v->base);
    v->remarks = json_array();
    CHECK(v->remarks != NULL, MEMORY);
    if (v->no_dependence) {
        json_t *text = json_string("too many outputs and features to show dependence");
        CHECK(json_array_append_new(v->remarks, text) == 0, MEMORY);
    }
    if (v->left_out > 0) {
        char text[120];
        (void)snprintf(text, sizeof text, "%llu of %zu rows have no attributions: left out",
                       (unsigned long long)v->left_out, v->rows);
        CHECK(json_array_append_new(v->remarks, json_string(text)) == 0, MEMORY);
    }
    return OK;
}

/* ---- the document ---- */

static struct status
put(struct views *v, char **ret_json)
{
    const struct sw_views_options *o = v->options;
    const struct attribution_told told = attribution_tell(v->by);
    DEFER(js_freep) json_t *document = NULL;
    for (uint32_t k = 0; k < o->cohort_count; k++) {
        v->cohort[k] = o->cohorts[k].name;
    }
    const struct explain_input in = {
        .model = "model",
        .method = attribution_method(v->by),
        .record = o->explain.precision == SW_RECORD || o->interactions || told.coalitions ||
                  v->predictor->file->linear != NULL,
        .background = o->explain.background == NULL ? NULL : "background",
        .background_rows = o->explain.background_rows,
        .probability = o->explain.probability != 0,
        .coalitions = told.coalitions,
        .exact_rows = told.exact_rows,
        .drawn_rows = told.drawn_rows,
        .evaluations = told.evaluations,
        .largest_error = told.largest_error,
        .features = v->feature,
        .outputs = v->output,
        .base = v->base,
        .summary = v->summary,
        .cohorts = v->cohort,
        .chosen = o->dependence,
        .chosen_count = o->dependence == NULL ? 0 : o->dependence_count,
        .local = v->local,
        .local_count = o->local_count,
        .remarks = v->remarks};
    TRY(explain_document(&in, &document));
    return api_text(document, ret_json);
}

static struct status
views(const struct sw_predictor *predictor, const float *x, size_t rows,
      const struct sw_views_options *options, struct diag *diag, char **ret_json)
{
    const struct sw_views_options o = options == NULL ? (struct sw_views_options){0} : *options;
    TRY(api_need_rows(predictor, x, rows, ret_json, diag));
    DEFER(views_done)
    struct views v = {.predictor = predictor,
                      .options = &o,
                      .x = x,
                      .rows = rows,
                      .features = predictor->file->features,
                      .outputs = predictor->file->outputs};
    TRY(check_cohorts(&v, diag));
    TRY(check_places(&v, diag));
    TRY(name_all(&v, diag));
    TRY(make_ready(&v, diag));
    TRY(explain_all(&v, diag));
    return put(&v, ret_json);
}

int
sw_predictor_views(const struct sw_predictor *predictor, const float *x, size_t rows,
                   const struct sw_views_options *options, char **ret_json, struct sw_error *error)
{
    struct diag diag = {0};
    return api_result(views(predictor, x, rows, options, &diag, ret_json), &diag, error);
}
