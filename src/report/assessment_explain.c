/* The explanation of an assessment: attributions of all rows from the trees themselves, the slices
 * that hold as cohorts, and one decision in record precision. */
#include "report/assessment_parts.h"

#include "assess/attribution.h"
#include "report/explain_document.h"

#include <math.h>
#include <stdlib.h>

#define BLOCK_CELLS ((size_t)1 << 20) /* of attributions in memory at a time */
#define BACKGROUND_ROWS 1000u
#define COHORTS 3u

struct explaining {
    const struct assessed *a;
    const struct assessment_input *in;
    uint32_t width, outputs;
    struct explain_feature *feature;
    struct bins *bins;
    const char *cohort[COHORTS];
    uint8_t *in_cohort; /* cohorts * rows */
    uint32_t cohorts;
    struct attribution *attribution;
    float *background; /* where the model file does not tell enough */
    size_t background_rows;
    struct explain_summary *summary;
    double *phi; /* of a block */
    double *of_example, *base, *margin;
    const char **output;
    json_t *remarks;
};

static void
explaining_done(struct explaining *e)
{
    free(e->feature);
    free(e->bins);
    free(e->in_cohort);
    free(e->phi);
    free(e->of_example);
    free(e->base);
    free(e->margin);
    free(e->output);
    explain_summary_free(e->summary);
    attribution_free(e->attribution);
    free(e->background);
    js_freep(&e->remarks);
}

/* ---- the row that is shown ---- */

struct scored_row {
    double score;
    size_t row;
};

static int
compare_scored(const void *a, const void *b)
{
    const struct scored_row *x = a, *y = b;
    const int c = (x->score > y->score) - (x->score < y->score);
    return c != 0 ? c : (x->row > y->row) - (x->row < y->row);
}

/* What the row is chosen by: the probability of the positive class, or of the one that is decided,
 * or the number. */
static double
score_of(const struct assessed *a, size_t row)
{
    const size_t outputs = a->in->file->outputs;
    return a->in->score[row * outputs + (a->task == MODEL_CLASSES ? a->decision[row] : 0)];
}

/* The median score, of two classes among the positive decisions, or the highest score when there
 * is none. */
static struct status
pick_row(const struct assessed *a, size_t *ret_row)
{
    DEFER(memory_freep) struct scored_row *list = calloc(a->in->rows + 1, sizeof *list);
    CHECK(list != NULL, MEMORY);
    size_t n = 0, best = 0;
    for (size_t i = 0; i < a->in->rows; i++) {
        best = score_of(a, i) > score_of(a, best) ? i : best;
        if (a->task != MODEL_BINARY || a->positive[i] != 0) {
            list[n++] = (struct scored_row){score_of(a, i), i};
        }
    }
    if (n > 0) {
        qsort(list, n, sizeof *list, compare_scored);
    }
    *ret_row = n == 0 ? best : list[n / 2].row;
    return OK;
}

static struct status
explain_example(struct explaining *e, size_t row)
{
    DEFER(attribution_freep) struct attribution *record = NULL;
    const struct attribution_options o = {.precision = EXPLAIN_RECORD,
                                          .background = e->background,
                                          .background_rows = e->background_rows,
                                          .expected_rows = 1,
                                          .threads = e->in->threads};
    e->of_example = calloc((size_t)e->width * e->outputs + 1, sizeof *e->of_example);
    CHECK(e->of_example != NULL, MEMORY);
    TRY(attribution_new(e->in->file, &o, &record));
    return attribution_rows(record, e->in->x + row * e->width, 1, 1, e->of_example, NULL);
}

/* ---- all rows ---- */

static struct status
fill(const void *ctx, size_t first, size_t n, float *ret_value)
{
    const struct explaining *e = ctx;
    memcpy(ret_value, e->in->x + first * e->width, n * e->width * sizeof *ret_value);
    return OK;
}

static struct status
make_bins(struct explaining *e)
{
    const struct bins_source source = {fill, e, e->in->rows, e->width};
    e->bins = calloc((size_t)e->width + 1, sizeof *e->bins);
    CHECK(e->bins != NULL, MEMORY);
    return bins_make_columns(&source, EXPLAIN_BINS, e->in->threads, e->bins);
}

/* The slices that hold, worst first. */
static struct status
take_cohorts(struct explaining *e, const json_t *errors, struct diag *diag)
{
    const struct assessment_input *in = e->in;
    size_t i = 0;
    json_t *s = NULL;
    e->in_cohort = calloc(COHORTS * in->rows + 1, 1);
    CHECK(e->in_cohort != NULL, MEMORY);
    json_array_foreach(json_object_get(json_object_get(errors, "slices"), "found"), i, s)
    {
        const char *cohort = json_string_value(json_object_get(s, "cohort"));
        if (json_is_true(json_object_get(s, "holds")) && e->cohorts < COHORTS &&
            in->select != NULL) {
            TRY(in->select(in->select_ctx, cohort, diag, e->in_cohort + e->cohorts * in->rows));
            e->cohort[e->cohorts++] = cohort;
        }
    }
    return OK;
}

static struct status
name_features(struct explaining *e)
{
    e->feature = calloc((size_t)e->width + 1, sizeof *e->feature);
    CHECK(e->feature != NULL, MEMORY);
    for (uint32_t f = 0; f < e->width; f++) {
        const struct assessment_feature *r = &e->in->read[f];
        e->feature[f] = (struct explain_feature){
            .name = r->name, .levels = r->levels, .level_count = r->level_count};
    }
    return OK;
}

/* Evenly spaced rows of those that are assessed. */
static struct status
take_background(struct explaining *e)
{
    const size_t all = e->in->rows, width = e->width;
    if (attribution_needs_no_background(e->in->file)) {
        return OK;
    }
    e->background_rows = all < BACKGROUND_ROWS ? all : BACKGROUND_ROWS;
    e->background = calloc(e->background_rows * width + 1, sizeof *e->background);
    CHECK(e->background != NULL, MEMORY);
    for (size_t i = 0; i < e->background_rows; i++) {
        memcpy(e->background + i * width, e->in->x + i * all / e->background_rows * width,
               width * sizeof *e->background);
    }
    return OK;
}

static struct status
make_explainer(struct explaining *e)
{
    TRY(take_background(e));
    const struct attribution_options o = {.background = e->background,
                                          .background_rows = e->background_rows,
                                          .expected_rows = e->in->rows,
                                          .threads = e->in->threads};
    TRY(attribution_new(e->in->file, &o, &e->attribution));
    const bool fits = (size_t)e->outputs * e->width * (EXPLAIN_BINS + 1) <= EXPLAIN_SUMMARY_CELLS;
    return explain_summary_new(e->outputs, e->width, e->cohorts, fits ? e->bins : NULL, false,
                               &e->summary);
}

static struct status
add_rows(struct explaining *e)
{
    const struct assessment_input *in = e->in;
    const size_t cells = (size_t)e->width * e->outputs, fit = BLOCK_CELLS / (cells + 1) + 1;
    const size_t block = fit < in->rows ? fit : in->rows;
    const uint8_t *cohort[COHORTS];
    e->phi = calloc(block * cells + 1, sizeof *e->phi);
    CHECK(e->phi != NULL, MEMORY);
    for (size_t first = 0; first < in->rows; first += block) {
        const size_t rows = in->rows - first < block ? in->rows - first : block;
        const float *x = in->x + first * e->width;
        TRY(attribution_rows(e->attribution, x, rows, in->threads, e->phi, NULL));
        for (uint32_t k = 0; k < e->cohorts; k++) {
            cohort[k] = e->in_cohort + k * in->rows + first;
        }
        explain_summary_add(e->summary, x, e->phi, cohort, rows);
        assessment_tell(in, "explanations", 0.7 + 0.3 * (double)(first + rows) / (double)in->rows);
    }
    return OK;
}

/* ---- the document ---- */

static struct status
put_remarks(struct explaining *e)
{
    e->remarks = json_array();
    CHECK(e->remarks != NULL, MEMORY);
    json_t *text = json_string("the row that is shown is explained in record precision");
    CHECK(json_array_append_new(e->remarks, text) == 0, MEMORY);
    return OK;
}

/* As steward explain calls them. */
static struct status
name_outputs(struct explaining *e)
{
    const size_t room = (size_t)e->outputs + 1;
    e->base = calloc(room, sizeof *e->base);
    e->margin = calloc(room, sizeof *e->margin);
    e->output = calloc(room, sizeof *e->output);
    CHECK(e->base != NULL && e->margin != NULL && e->output != NULL, MEMORY);
    for (uint32_t k = 0; k < e->outputs; k++) {
        e->output[k] = e->outputs == 1 ? "margin" : e->a->classes[k];
    }
    return OK;
}

static json_t *
example_json(const struct assessed *a, size_t row)
{
    const struct assessment_input *in = a->in;
    const json_int_t number = (json_int_t)in->row_number[row];
    if (a->task == MODEL_NUMBER) {
        return json_pack("{s:I, s:o, s:o}", "row", number, "prediction", js_real(in->score[row]),
                         "truth", js_real(in->truth[row]));
    }
    json_t *o = json_pack("{s:I, s:o, s:s}", "row", number, "score", js_real(score_of(a, row)),
                          "label", a->classes[a->label[row]]);
    const int failed =
        a->task == MODEL_BINARY
            ? json_object_set_new(o, "decided", json_boolean(a->positive[row] != 0))
            : json_object_set_new(o, "class", json_string(a->classes[a->decision[row]]));
    if (failed != 0) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static struct status
put_document(struct explaining *e, size_t row, json_t *d)
{
    const struct assessment_input *in = e->in;
    DEFER(js_freep) json_t *document = NULL;
    attribution_expected(e->attribution, e->base);
    model_file_margin(in->file, in->x + row * e->width, 1, 1, e->margin);
    const struct explain_local local = {.row = in->row_number[row],
                                        .x = in->x + row * e->width,
                                        .phi = e->of_example,
                                        .margin = e->margin,
                                        .prediction = in->score + row * e->outputs};
    const struct explain_input x = {.model = in->model,
                                    .method = attribution_method(e->attribution),
                                    .record = in->file->linear != NULL,
                                    .background = e->background == NULL ? NULL : "rows assessed",
                                    .background_rows = e->background_rows,
                                    .features = e->feature,
                                    .outputs = e->output,
                                    .base = e->base,
                                    .summary = e->summary,
                                    .cohorts = e->cohort,
                                    .local = &local,
                                    .local_count = 1,
                                    .remarks = e->remarks};
    TRY(explain_document(&x, &document));
    TRY(js_set(d, "explanation", json_incref(document)));
    return js_set(d, "example", example_json(e->a, row));
}

struct status
assessment_put_explanation(const struct assessed *a, struct diag *diag, json_t *d)
{
    DEFER(explaining_done)
    struct explaining e = {
        .a = a, .in = a->in, .width = a->in->file->features, .outputs = a->in->file->outputs};
    size_t row = 0;
    TRY(name_features(&e));
    TRY(name_outputs(&e));
    TRY(make_bins(&e));
    TRY(take_cohorts(&e, json_object_get(d, "errors"), diag));
    TRY(make_explainer(&e));
    TRY(add_rows(&e));
    TRY(pick_row(a, &row));
    TRY(explain_example(&e, row));
    TRY(put_remarks(&e));
    return put_document(&e, row, d);
}
