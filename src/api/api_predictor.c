/* Models and their attributions without I/O, include/steward/assess.h: what a caller gives is
 * checked here, the rest is done by model/ and assess/. */
#include "api/api_predictor.h"

#include "api/api_columns.h"
#include "assess/explain_columns.h"
#include "assess/flip.h"
#include "assess/shapley.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_ROWS 4096u
#define PAIR_CELLS ((size_t)1 << 20) /* of a block whose pairs are summed by column */
#define BOXES 100000u
#define FEATURE_NAME 16u

/* ---- a model ---- */

void
sw_predictor_free(struct sw_predictor *predictor)
{
    if (predictor != NULL) {
        model_file_free(predictor->file);
        free(predictor);
    }
}

static struct status
load(const void *bytes, size_t length, struct diag *diag, struct sw_predictor **ret_predictor)
{
    TRY(api_need(bytes, "bytes", diag));
    TRY(api_need(ret_predictor, "ret_predictor", diag));
    DEFER(model_file_freep) struct model_file *file = NULL;
    TRY(model_file_load(view_of(bytes, length), diag, &file));
    struct sw_predictor *made = calloc(1, sizeof *made);
    CHECK(made != NULL, MEMORY);
    made->file = MOVE(file);
    digest_of(view_of(bytes, length), &made->digest);
    *ret_predictor = made;
    return OK;
}

int
sw_predictor_load(const void *bytes, size_t length, struct sw_predictor **ret_predictor,
                  struct sw_error *error)
{
    struct diag diag = {0};
    return api_result(load(bytes, length, &diag, ret_predictor), &diag, error);
}

size_t
sw_predictor_features(const struct sw_predictor *predictor)
{
    return predictor->file->features;
}

size_t
sw_predictor_outputs(const struct sw_predictor *predictor)
{
    return predictor->file->outputs;
}

const char *
sw_predictor_feature(const struct sw_predictor *predictor, size_t index)
{
    const struct model_file *f = predictor->file;
    return f->feature_names != NULL && index < f->features ? f->feature_names[index] : NULL;
}

struct status
api_need_rows(const struct sw_predictor *predictor, const float *x, size_t rows, const void *result,
              struct diag *diag)
{
    TRY(api_need(predictor, "predictor", diag));
    if (rows > 0) {
        TRY(api_need(x, "x", diag));
    }
    return api_need(result, "the array for the result", diag);
}

static int
answer(const struct sw_predictor *predictor, const float *x, size_t rows, unsigned threads,
       bool link, double *ret_answer, struct sw_error *error)
{
    struct diag diag = {0};
    const struct status s = api_need_rows(predictor, x, rows, ret_answer, &diag);
    if (status_ok(s)) {
        model_file_margin(predictor->file, x, rows, threads, ret_answer);
    }
    if (status_ok(s) && link) {
        model_file_link_apply(predictor->file, ret_answer, rows);
    }
    return api_result(s, &diag, error);
}

int
sw_predictor_margin(const struct sw_predictor *predictor, const float *x, size_t rows,
                    unsigned threads, double *ret_margin, struct sw_error *error)
{
    return answer(predictor, x, rows, threads, false, ret_margin, error);
}

int
sw_predictor_predict(const struct sw_predictor *predictor, const float *x, size_t rows,
                     unsigned threads, double *ret_answer, struct sw_error *error)
{
    return answer(predictor, x, rows, threads, true, ret_answer, error);
}

/* ---- its features ---- */

/* "f0" and on: as many as there are. */
static struct status
number_names(uint32_t features, char **ret_names)
{
    char *names = calloc((size_t)features + 1, FEATURE_NAME);
    CHECK(names != NULL, MEMORY);
    for (uint32_t f = 0; f < features; f++) {
        (void)snprintf(names + (size_t)f * FEATURE_NAME, FEATURE_NAME, "f%u", f);
    }
    *ret_names = names;
    return OK;
}

struct status
api_name_features(const struct sw_predictor *predictor, const struct sw_feature *read,
                  struct diag *diag, struct sw_feature *ret_feature, char **ret_names)
{
    const struct model_file *file = predictor->file;
    TRY(number_names(file->features, ret_names));
    for (uint32_t f = 0; f < file->features; f++) {
        const char *name = sw_predictor_feature(predictor, f);
        ret_feature[f] = (struct sw_feature){
            .name = name != NULL ? name : *ret_names + (size_t)f * FEATURE_NAME};
        if (read != NULL) {
            TRY(api_need_text(read[f].name, "name of a feature", diag));
            TRY(api_need_texts(read[f].levels, read[f].levels == NULL ? 0 : read[f].level_count,
                               read[f].name, diag));
            ret_feature[f] = read[f];
            ret_feature[f].level_count = read[f].levels == NULL ? 0 : read[f].level_count;
        }
    }
    return OK;
}

/* ---- its attributions ---- */

static struct status
check_explaining(const struct model_file *file, const struct sw_explain_options *o,
                 struct diag *diag)
{
    const bool background = o->background != NULL && o->background_rows > 0;
    for (uint32_t f = 0; o->column != NULL && f < file->features; f++) {
        if (o->column[f] >= o->columns) {
            diag_set(diag, "feature %u: its column is %u of %u", f, o->column[f], o->columns);
            FAIL(INPUT);
        }
    }
    if (!background && (o->background != NULL || o->probability)) {
        diag_set(diag, o->background != NULL ? "a background without rows"
                                             : "attributions of probability need a background");
        FAIL(INPUT);
    }
    if (!background && !attribution_needs_no_background(file)) {
        diag_set(diag, "the model does not tell %s: attributions need a background",
                 file->forest != NULL ? "how many training rows went each way"
                                      : "the features' means");
        FAIL(INPUT);
    }
    return OK;
}

struct status
api_explainer(const struct sw_predictor *predictor, const struct sw_explain_options *o, size_t rows,
              bool pairs, struct diag *diag, struct attribution **ret_by)
{
    TRY(check_explaining(predictor->file, o, diag));
    const struct attribution_options options = {
        .precision = pairs || o->precision == SW_RECORD ? EXPLAIN_RECORD : EXPLAIN_FAST,
        .background = o->background,
        .background_rows = o->background_rows,
        .probability = o->probability != 0,
        .pairs = pairs,
        .expected_rows = rows,
        .threads = o->threads};
    const struct status s = attribution_new(predictor->file, &options, ret_by);
    if (s.code == STATUS_LIMIT && (!pairs || o->probability != 0)) {
        diag_set(diag,
                 "attributions by coalitions of features: the model reads more than %u features",
                 SHAPLEY_MOST_PLAYERS);
    } else if (s.code == STATUS_LIMIT) {
        diag_set(diag, "interactions: the model splits on too many features for them");
    } else if (s.code == STATUS_INPUT) {
        diag_set(diag, "no row of the background has a margin: each has a missing value that the "
                       "model has none for");
    }
    return s;
}

struct explaining {
    const struct model_file *file;
    const struct sw_explain_options *options;
    struct attribution *by;
};

static void
explaining_done(struct explaining *e)
{
    attribution_free(e->by);
}

static struct status
explain_columns_of(const struct explaining *e, const float *x, size_t rows, double *ret_phi)
{
    const struct sw_explain_options *o = e->options;
    const size_t features = e->file->features, outputs = e->file->outputs;
    const struct explain_columns c = {.features = e->file->features,
                                      .columns = o->columns,
                                      .column = (uint32_t *)(uintptr_t)o->column};
    if (o->column == NULL) {
        return attribution_rows(e->by, x, rows, o->threads, ret_phi, NULL);
    }
    DEFER(memory_freep) double *phi = calloc(BLOCK_ROWS * outputs * features + 1, sizeof *phi);
    CHECK(phi != NULL, MEMORY);
    for (size_t first = 0; first < rows; first += BLOCK_ROWS) {
        const size_t n = rows - first < BLOCK_ROWS ? rows - first : BLOCK_ROWS;
        TRY(attribution_rows(e->by, x + first * features, n, o->threads, phi, NULL));
        explain_columns_sum(&c, phi, n * outputs, ret_phi + first * outputs * c.columns);
    }
    return OK;
}

static struct status
explain(const struct sw_predictor *predictor, const float *x, size_t rows,
        const struct sw_explain_options *options, struct diag *diag, double *ret_phi,
        double *ret_expected)
{
    const struct sw_explain_options o = options == NULL ? (struct sw_explain_options){0} : *options;
    TRY(api_need_rows(predictor, x, rows, ret_phi, diag));
    TRY(api_need(ret_expected, "ret_expected", diag));
    DEFER(explaining_done) struct explaining e = {.file = predictor->file, .options = &o};
    TRY(api_explainer(predictor, &o, rows, false, diag, &e.by));
    TRY(explain_columns_of(&e, x, rows, ret_phi));
    attribution_expected(e.by, ret_expected);
    return OK;
}

int
sw_predictor_explain(const struct sw_predictor *predictor, const float *x, size_t rows,
                     const struct sw_explain_options *options, double *ret_phi,
                     double *ret_expected, struct sw_error *error)
{
    struct diag diag = {0};
    return api_result(explain(predictor, x, rows, options, &diag, ret_phi, ret_expected), &diag,
                      error);
}

struct status
api_pairs(const struct attribution *by, const float *x, size_t rows, unsigned threads,
          struct diag *diag, double *ret_pairs)
{
    const struct status s = attribution_pairs(by, x, rows, threads, ret_pairs);
    if (s.code == STATUS_LIMIT) {
        diag_set(diag,
                 "interactions on probability: a row differs from the background in %zu features, "
                 "which are too many; on the margin there are all interactions",
                 attribution_tell(by).players);
        FAIL(INPUT);
    }
    return s;
}

static struct status
pair_columns_of(const struct explaining *e, const float *x, size_t rows, struct diag *diag,
                double *ret_pairs)
{
    const struct sw_explain_options *o = e->options;
    const size_t features = e->file->features, outputs = e->file->outputs;
    const struct explain_columns c = {.features = e->file->features,
                                      .columns = o->columns,
                                      .column = (uint32_t *)(uintptr_t)o->column};
    if (o->column == NULL) {
        return api_pairs(e->by, x, rows, o->threads, diag, ret_pairs);
    }
    const size_t cells = outputs * features * features, block = PAIR_CELLS / cells + 1;
    DEFER(memory_freep) double *pairs = calloc(block * cells, sizeof *pairs);
    CHECK(pairs != NULL, MEMORY);
    for (size_t first = 0; first < rows; first += block) {
        const size_t n = rows - first < block ? rows - first : block;
        TRY(api_pairs(e->by, x + first * features, n, o->threads, diag, pairs));
        explain_columns_sum_pairs(&c, pairs, n * outputs,
                                  ret_pairs + first * outputs * c.columns * c.columns);
    }
    return OK;
}

static struct status
interactions(const struct sw_predictor *predictor, const float *x, size_t rows,
             const struct sw_explain_options *options, struct diag *diag, double *ret_pairs,
             double *ret_expected)
{
    const struct sw_explain_options o = options == NULL ? (struct sw_explain_options){0} : *options;
    TRY(api_need_rows(predictor, x, rows, ret_pairs, diag));
    TRY(api_need(ret_expected, "ret_expected", diag));
    DEFER(explaining_done) struct explaining e = {.file = predictor->file, .options = &o};
    TRY(api_explainer(predictor, &o, rows, true, diag, &e.by));
    TRY(pair_columns_of(&e, x, rows, diag, ret_pairs));
    attribution_expected(e.by, ret_expected);
    return OK;
}

int
sw_predictor_interactions(const struct sw_predictor *predictor, const float *x, size_t rows,
                          const struct sw_explain_options *options, double *ret_pairs,
                          double *ret_expected, struct sw_error *error)
{
    struct diag diag = {0};
    return api_result(interactions(predictor, x, rows, options, &diag, ret_pairs, ret_expected),
                      &diag, error);
}

/* ---- its certificate ---- */

static struct status
certify(const struct sw_predictor *predictor, const float *x, size_t rows,
        const struct sw_certify_options *o, struct diag *diag, struct sw_certificate *ret)
{
    struct flip_result r = {0};
    TRY(api_need_rows(predictor, x, rows, ret, diag));
    TRY(api_need(o, "options", diag));
    TRY(api_need(o->values, "values", diag));
    if (predictor->file->forest == NULL) {
        diag_set(diag, "a tree ensemble of one output is needed");
        FAIL(UNSUPPORTED);
    }
    const struct flip_options options = {.feature = o->feature,
                                         .values = o->values,
                                         .value_count = o->value_count,
                                         .margin = o->margin,
                                         .measure = o->even != 0 ? FLIP_EVEN : FLIP_EMPIRICAL,
                                         .boxes = o->boxes == 0 ? BOXES : o->boxes};
    TRY(flip_certificate(predictor->file->forest, x, rows, &options, diag, &r));
    *ret = (struct sw_certificate){r.lower, r.upper, r.exact, r.read, r.boxes, r.rows, r.flipped};
    return OK;
}

int
sw_predictor_certify(const struct sw_predictor *predictor, const float *x, size_t rows,
                     const struct sw_certify_options *options,
                     struct sw_certificate *ret_certificate, struct sw_error *error)
{
    struct diag diag = {0};
    return api_result(certify(predictor, x, rows, options, &diag, ret_certificate), &diag, error);
}
