/* Models of which only the answers are known, include/steward/assess.h: their attributions, and the
 * studies that ask them about rows. */
#include "api/api_columns.h"

#include "assess/permutation_importance.h"
#include "assess/shapley.h"
#include "assess/surrogate.h"
#include "report/black_box_document.h"

#include <steward/assess.h>

#include <stdio.h>
#include <stdlib.h>

#define BATCH 4096u
#define MOST_BATCH ((size_t)1 << 20)
#define OUTPUT_NAME 24u
#define LEVEL 0.95
#define POINTS 20u
#define CURVES 50u
#define REPEATS 10u
#define LEAVES 8u
#define DEPTH 4u
#define MOST_POINTS 1000u /* and curves */
#define MOST_DEPTH 16u
#define NAMES_MAX 1024u

/* ---- asking ---- */

/* The answers of a predictor. */
static int
ask_predictor(void *context, const double *x, size_t rows, double *ret_answer)
{
    const struct sw_predictor *predictor = context;
    const size_t cells = rows * sw_predictor_features(predictor);
    DEFER(memory_freep) float *narrow = calloc(cells + 1, sizeof *narrow);
    if (narrow == NULL) {
        return SW_MEMORY;
    }
    for (size_t i = 0; i < cells; i++) {
        narrow[i] = (float)x[i];
    }
    return sw_predictor_predict(predictor, narrow, rows, 1, ret_answer, NULL);
}

static struct status
ask(void *ctx, const double *x, size_t rows, struct diag *diag, double *ret_score)
{
    const struct sw_black_box *box = ctx;
    const int code = box->predict(box->context, x, rows, ret_score);
    CHECK(box->predict != ask_predictor || code != SW_MEMORY, MEMORY);
    if (code != 0) {
        diag_set(diag, "predict: failed with %d", code);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
take_box(const struct sw_black_box *box, struct diag *diag, struct black_box *ret_box)
{
    TRY(api_need(box, "box", diag));
    if (box->predict == NULL || box->features == 0 || box->outputs == 0) {
        diag_set(diag, "a black box has a function, features and outputs");
        FAIL(INPUT);
    }
    *ret_box = (struct black_box){.predict = ask,
                                  .ctx = (void *)(uintptr_t)box,
                                  .features = box->features,
                                  .outputs = box->outputs,
                                  .batch = box->batch == 0           ? BATCH
                                           : box->batch < MOST_BATCH ? box->batch
                                                                     : MOST_BATCH};
    return OK;
}

struct sw_black_box
sw_predictor_box(const struct sw_predictor *predictor)
{
    return (struct sw_black_box){.predict = ask_predictor,
                                 .context = (void *)(uintptr_t)predictor,
                                 .features = sw_predictor_features(predictor),
                                 .outputs = sw_predictor_outputs(predictor)};
}

/* ---- attributions ---- */

static struct status
explain_box(const struct sw_black_box *box, const double *x, size_t rows,
            const struct sw_black_box_options *o, struct diag *diag, double *ret_phi,
            double *ret_error, double *ret_expected)
{
    struct black_box inner;
    TRY(take_box(box, diag, &inner));
    TRY(api_need(o, "options", diag));
    TRY(api_need(o->background, "background", diag));
    if (o->background_rows == 0) {
        diag_set(diag, "a background without rows");
        FAIL(INPUT);
    }
    if (rows > 0) {
        TRY(api_need(x, "x", diag));
    }
    TRY(api_need(ret_phi, "ret_phi", diag));
    TRY(api_need(ret_error, "ret_error", diag));
    TRY(api_need(ret_expected, "ret_expected", diag));
    struct shapley_options options = {.method = o->method == SW_PERMUTATION ? SHAPLEY_PERMUTATION
                                                                            : SHAPLEY_KERNEL,
                                      .evaluations = o->evaluations,
                                      .seed = o->seed,
                                      .threads = o->threads};
    TRY(shapley_base(&inner, o->background, o->background_rows, o->threads, diag, ret_expected));
    for (size_t i = 0; i < rows; i++) {
        struct shapley_told told;
        const size_t at = i * box->outputs * box->features;
        options.row = i;
        TRY(shapley_row(&inner, x + i * box->features, o->background, o->background_rows,
                        ret_expected, &options, diag, ret_phi + at, ret_error + at, &told));
    }
    return OK;
}

int
sw_black_box_explain(const struct sw_black_box *box, const double *x, size_t rows,
                     const struct sw_black_box_options *options, double *ret_phi, double *ret_error,
                     double *ret_expected, struct sw_error *error)
{
    struct diag diag = {0};
    return api_result(explain_box(box, x, rows, options, &diag, ret_phi, ret_error, ret_expected),
                      &diag, error);
}

/* ---- studies ---- */

/* What a study asks about, as the document takes it. */
struct study {
    struct black_box box;
    struct black_box_feature *features;
    const char **outputs;
    char (*output_name)[OUTPUT_NAME];
    double *x;
    uint64_t *row_number;
    size_t *chosen;
    json_t *remarks;
};

static void
study_done(struct study *s)
{
    free(s->features);
    free(s->outputs);
    free(s->output_name);
    free(s->x);
    free(s->row_number);
    free(s->chosen);
    js_freep(&s->remarks);
}

static struct status
take_rows(const struct sw_study_options *o, struct diag *diag, struct study *s)
{
    const size_t features = s->box.features;
    s->features = calloc(features, sizeof *s->features);
    s->x = calloc(o->rows * features + 1, sizeof *s->x);
    s->row_number = calloc(o->rows + 1, sizeof *s->row_number);
    CHECK(s->features != NULL && s->x != NULL && s->row_number != NULL, MEMORY);
    for (size_t f = 0; f < features; f++) {
        const struct sw_feature *from = &o->features[f];
        TRY(api_check_feature(from, o->rows, diag));
        s->features[f] = (struct black_box_feature){from->name, from->levels,
                                                    from->levels == NULL ? 0 : from->level_count};
        for (size_t i = 0; i < o->rows; i++) {
            s->x[i * features + f] = from->value[i];
        }
    }
    for (size_t i = 0; i < o->rows; i++) {
        s->row_number[i] = i + 1;
    }
    return OK;
}

static struct status
name_outputs(const struct sw_study_options *o, struct diag *diag, struct study *s)
{
    s->outputs = calloc(s->box.outputs, sizeof *s->outputs);
    s->output_name = calloc(s->box.outputs, sizeof *s->output_name);
    CHECK(s->outputs != NULL && s->output_name != NULL, MEMORY);
    for (size_t k = 0; k < s->box.outputs; k++) {
        (void)snprintf(s->output_name[k], OUTPUT_NAME, "%zu", k);
        s->outputs[k] = s->output_name[k];
        if (o->outputs != NULL) {
            TRY(api_need_text(o->outputs[k], "outputs", diag));
            s->outputs[k] = o->outputs[k];
        }
    }
    return OK;
}

static struct status
choose(const struct sw_study_options *o, struct diag *diag, struct study *s, size_t *ret_n)
{
    const size_t n = o->chosen == NULL ? s->box.features : o->chosen_count;
    s->chosen = calloc(n + 1, sizeof *s->chosen);
    CHECK(s->chosen != NULL, MEMORY);
    for (size_t i = 0; i < n; i++) {
        s->chosen[i] = o->chosen == NULL ? i : o->chosen[i];
        if (s->chosen[i] >= s->box.features) {
            diag_set(diag, "chosen: feature %zu of %zu", s->chosen[i], s->box.features);
            FAIL(INPUT);
        }
    }
    *ret_n = n;
    return OK;
}

static struct status
check_study(const struct sw_study_options *o, const struct black_box *box, struct diag *diag)
{
    const bool within = o->points <= MOST_POINTS && o->points != 1 && o->curves <= MOST_POINTS &&
                        o->repeats <= PERMUTATION_MOST_REPEATS && o->repeats != 1 &&
                        o->leaves <= SURROGATE_MOST_LEAVES && o->leaves != 1 &&
                        o->depth <= MOST_DEPTH && o->output < box->outputs;
    if (o->rows == 0 || (unsigned)o->study > SW_SURROGATE || !within) {
        diag_set(diag, o->rows == 0 ? "a study without rows"
                       : within     ? "study: none of them"
                                : "points, curves, repeats, leaves, depth, output: out of range");
        FAIL(INPUT);
    }
    return api_check_level(o->level == 0 ? LEVEL : o->level, diag);
}

static struct status
take_metric(const struct sw_study_options *o, struct diag *diag, const struct metric **ret_metric)
{
    if (o->study != SW_PERMUTATION_IMPORTANCE) {
        return OK;
    }
    TRY(api_need(o->y, "y", diag));
    TRY(api_need_text(o->metric, "metric", diag));
    *ret_metric = metric_find(o->metric);
    if (*ret_metric == NULL) {
        DEFER(buf_done) struct buf names;
        buf_init(&names, NAMES_MAX);
        metric_put_names(&names);
        diag_set(diag, "metric \"%.40s\": it is %s", o->metric, buf_str(&names));
        FAIL(INPUT);
    }
    return OK;
}

static struct black_box_input
study_input(const struct sw_study_options *o, const struct study *s)
{
    static const enum black_box_method method[] = {BLACK_BOX_PARTIAL_DEPENDENCE, BLACK_BOX_ICE,
                                                   BLACK_BOX_ALE, BLACK_BOX_IMPORTANCE,
                                                   BLACK_BOX_SURROGATE};
    return (struct black_box_input){.method = method[o->study],
                                    .model = "model",
                                    .box = &s->box,
                                    .features = s->features,
                                    .outputs = s->outputs,
                                    .x = s->x,
                                    .rows = o->rows,
                                    .row_number = s->row_number,
                                    .rows_in_data = o->rows,
                                    .chosen = s->chosen,
                                    .points = api_or_default(o->points, POINTS),
                                    .curves = api_or_default(o->curves, CURVES),
                                    .y = o->y,
                                    .repeats = api_or_default(o->repeats, REPEATS),
                                    .output = o->output,
                                    .leaves = api_or_default(o->leaves, LEAVES),
                                    .depth = api_or_default(o->depth, DEPTH),
                                    .floor = o->floor == 0 ? SURROGATE_FLOOR : o->floor,
                                    .probability = o->probability != 0,
                                    .level = o->level == 0 ? LEVEL : o->level,
                                    .seed = o->seed,
                                    .threads = o->threads,
                                    .remarks = s->remarks};
}

static struct status
study(const struct sw_black_box *box, const struct sw_study_options *o, struct diag *diag,
      char **ret_json)
{
    DEFER(study_done) struct study s = {.remarks = json_array()};
    DEFER(js_freep) json_t *document = NULL;
    const struct metric *metric = NULL;
    size_t chosen = 0;
    CHECK(s.remarks != NULL, MEMORY);
    TRY(take_box(box, diag, &s.box));
    TRY(api_need(o, "options", diag));
    TRY(api_need(o->features, "features", diag));
    TRY(api_need(ret_json, "ret_json", diag));
    TRY(check_study(o, &s.box, diag));
    TRY(take_metric(o, diag, &metric));
    TRY(take_rows(o, diag, &s));
    TRY(name_outputs(o, diag, &s));
    TRY(choose(o, diag, &s, &chosen));
    struct black_box_input in = study_input(o, &s);
    in.chosen_count = chosen;
    in.metric = metric;
    TRY(black_box_document(&in, diag, &document));
    return api_text(document, ret_json);
}

int
sw_black_box_study(const struct sw_black_box *box, const struct sw_study_options *options,
                   char **ret_json, struct sw_error *error)
{
    struct diag diag = {0};
    return api_result(study(box, options, &diag, ret_json), &diag, error);
}
