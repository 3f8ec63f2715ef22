#include "report/assessment.h"

#include "assess/metric.h"
#include "base/clock.h"
#include "report/assessment_parts.h"
#include "report/document.h"
#include "report/errors_document.h"
#include "report/fairness_document.h"
#include "report/findings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* As `steward errors` has them. */
#define TREE_DEPTH 3u
#define TREE_LEAVES 31u
#define TREE_ROWS 20u
#define BINS 8u
#define SLICE_LEVEL 2u
#define SLICE_ROWS 32u
#define SLICE_SHARE 100u
#define ALPHA 0.99
/* Of the slices: 199, fewer where there are many rows, down to what still tells 0.025. */
#define PERMUTATIONS 199u
#define PERMUTATIONS_LEAST 39u
#define PERMUTED_ROWS 20000000u
#define WORST 10u

void
assessment_defaults(struct assessment_settings *ret_settings)
{
    *ret_settings = (struct assessment_settings){
        .level = 0.95, .fdr = 0.05, .min_group = 30, .replicates = 1000, .slices = 10, .seed = 1};
}

/* ---- small things ---- */

json_t *
assessment_interval(struct interval ci)
{
    return json_pack("[o, o]", js_real(ci.low), js_real(ci.high));
}

/* Without an exponent where that is short enough to be read. */
static void
put_digits(struct buf *b, double v, int digits)
{
    const double size = fabs(v);
    if (size >= 1e-4 && size < 1e9) {
        const int whole = (int)floor(log10(size)) + 1;
        buf_printf(b, "%.*f", digits > whole ? digits - whole : 0, v);
    } else {
        buf_printf(b, "%.*g", digits, v);
    }
}

void
assessment_put_number(struct buf *b, double v)
{
    char text[32];
    int digits = 1;
    for (; digits < 9; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, v);
        if (!isfinite(v) || (float)strtod(text, NULL) == (float)v) {
            break;
        }
    }
    put_digits(b, v, digits);
}

void
assessment_tell(const struct assessment_input *in, const char *stage, double share)
{
    if (in->progress != NULL) {
        in->progress(in->progress_ctx, stage, share);
    }
}

/* ---- what was assessed ---- */

static struct status
put_label(const struct assessed *a, json_t *d)
{
    const struct assessment_input *in = a->in;
    json_t *label = json_pack("{s:s}", "column", in->label), *classes = json_array();
    TRY(js_set(d, "label", label));
    if (a->task == MODEL_BINARY) {
        json_decref(classes);
        TRY(js_set(label, "positive", json_string(in->positive)));
        TRY(js_set(label, "negative", json_string(in->negative)));
        TRY(js_set(d, "threshold", js_real(in->threshold)));
        return in->thresholds == NULL ? OK
                                      : js_set(d, "thresholds", json_deep_copy(in->thresholds));
    }
    if (a->task != MODEL_CLASSES) {
        json_decref(classes);
        return OK;
    }
    TRY(js_set(label, "classes", classes));
    for (uint32_t k = 0; k < a->class_count; k++) {
        CHECK(json_array_append_new(classes, json_string(a->classes[k])) == 0, MEMORY);
    }
    return OK;
}

static struct status
put_subject(const struct assessed *a, json_t *d)
{
    const struct assessment_input *in = a->in;
    DEFER(buf_done) struct buf time;
    buf_init(&time, 64);
    clock_put_rfc3339(&time, in->created_ns);
    TRY(js_set(d, "format", json_string(DOCUMENT_FORMAT)));
    TRY(js_set(d, "task", json_string(document_task_word(a->task))));
    TRY(js_set(d, "created", json_string(buf_str(&time))));
    TRY(js_set(d, "model",
               json_pack("{s:s, s:I, s:s}", "name", in->model, "version",
                         (json_int_t)in->model_version, "sha256", in->model_digest_hex)));
    TRY(js_set(d, "dataset",
               json_pack("{s:s, s:I, s:s}", "name", in->dataset, "version",
                         (json_int_t)in->dataset_version, "sha256", in->dataset_digest_hex)));
    TRY(js_set(d, "selection", json_string(in->selection)));
    TRY(js_set(d, "rows", json_integer((json_int_t)in->rows)));
    TRY(js_set(d, "rows_without_label", json_integer((json_int_t)in->rows_dropped)));
    TRY(put_label(a, d));
    TRY(js_set(d, "level", js_real(in->settings.level)));
    TRY(js_set(d, "false_discovery_rate", js_real(in->settings.fdr)));
    TRY(js_set(d, "min_group", json_integer(in->settings.min_group)));
    TRY(js_set(d, "seed", json_integer((json_int_t)in->settings.seed)));
    TRY(js_set(d, "without_groups",
               in->without_groups == NULL ? json_array() : json_deep_copy(in->without_groups)));
    return js_set(d, "remarks", json_deep_copy(in->remarks));
}

struct status
assessment_remark(json_t *d, const char *format, ...)
{
    DEFER(buf_done) struct buf b;
    buf_init(&b, 1u << 16);
    va_list args;
    va_start(args, format);
    buf_vprintf(&b, format, args);
    va_end(args);
    TRY(buf_status(&b));
    json_t *remarks = json_object_get(d, "remarks");
    CHECK(json_array_append_new(remarks, js_sentence(buf_str(&b))) == 0, MEMORY);
    return OK;
}

/* The name of its column, were there one. */
static const char *
answer_word(enum model_task task)
{
    return task == MODEL_BINARY ? "decision" : task == MODEL_CLASSES ? "class" : "prediction";
}

/* ---- fairness ---- */

static struct fairness_input
fairness_input_of(const struct assessed *a)
{
    const struct assessment_input *in = a->in;
    return (struct fairness_input){
        .label = in->label,
        .prediction = answer_word(a->task),
        .rows = in->rows,
        .sensitive = in->factors,
        .sensitive_count = in->factor_count,
        .adverse = in->settings.adverse,
        .min_group = in->settings.min_group,
        .level = in->settings.level,
        .q = in->settings.fdr,
        .replicates = in->settings.replicates,
        .seed = in->settings.seed,
        .threads = in->threads,
    };
}

static struct status
fairness_of(const struct assessed *a, const char *positive, struct diag *diag,
            json_t **ret_fairness)
{
    const struct assessment_input *in = a->in;
    struct fairness_input f = fairness_input_of(a);
    switch (a->task) {
    case MODEL_BINARY:
        f.task = FAIRNESS_BINARY;
        f.score = "score";
        f.positive = positive;
        f.y = in->y;
        f.decision = a->positive;
        f.predicted = in->score;
        break;
    case MODEL_CLASSES:
        f.task = FAIRNESS_CLASSES;
        f.y_class = (const int32_t *)a->label;
        f.decision_class = (const int32_t *)a->decision;
        f.classes = a->classes;
        f.class_count = a->class_count;
        break;
    default:
        f.task = FAIRNESS_NUMERIC;
        f.value = in->truth;
        f.predicted = in->score;
    }
    return fairness_document(&f, diag, ret_fairness);
}

static struct status
put_fairness(const struct assessed *a, struct diag *diag, json_t *d)
{
    const struct assessment_input *in = a->in;
    DEFER(js_freep) json_t *fairness = NULL;
    DEFER(buf_done) struct buf positive;
    buf_init(&positive, 1u << 20);
    if (in->factor_count == 0) {
        return js_set(d, "fairness", json_null());
    }
    if (a->task == MODEL_CLASSES && a->class_count > FAIRNESS_CLASSES_MAX) {
        TRY(assessment_remark(d, "groups are compared by at most %u classes; there are %u",
                              FAIRNESS_CLASSES_MAX, a->class_count));
        return js_set(d, "fairness", json_null());
    }
    if (a->task == MODEL_BINARY) {
        buf_printf(&positive, "%s = %s", in->label, in->positive);
        TRY(buf_status(&positive));
    }
    TRY(fairness_of(a, buf_str(&positive), diag, &fairness));
    return js_set(d, "fairness", json_incref(fairness));
}

/* ---- errors ---- */

static uint32_t
permutations_of(size_t rows)
{
    const size_t fit = PERMUTED_ROWS / (rows + 1);
    return fit > PERMUTATIONS         ? PERMUTATIONS
           : fit < PERMUTATIONS_LEAST ? PERMUTATIONS_LEAST
                                      : (uint32_t)fit;
}

static struct errors_outcome
outcome_of(const struct assessed *a)
{
    return (struct errors_outcome){.kind = a->task == MODEL_BINARY    ? ERRORS_BINARY
                                           : a->task == MODEL_CLASSES ? ERRORS_CLASSES
                                                                      : ERRORS_NUMERIC,
                                   .rows = a->in->rows,
                                   .classes = a->class_count,
                                   .label = a->label,
                                   .decision = a->decision,
                                   .truth = a->in->truth,
                                   .prediction = a->task == MODEL_NUMBER ? a->in->score : NULL};
}

static struct errors_input
errors_input_of(const struct assessed *a)
{
    const struct assessment_input *in = a->in;
    const bool binary = a->task == MODEL_BINARY;
    const size_t share = in->rows / SLICE_SHARE;
    return (struct errors_input){
        .outcome = outcome_of(a),
        .classes = a->classes,
        .score = binary ? in->score : NULL,
        .row_number = in->row_number,
        .label = in->label,
        .prediction = answer_word(a->task),
        .score_name = binary ? "score" : NULL,
        .rows_read = in->rows + in->rows_dropped,
        .features = in->features,
        .feature_count = in->feature_count,
        .metric = a->task == MODEL_NUMBER ? ERRORS_MAE : ERRORS_RATE,
        .level = in->settings.level,
        .bins = BINS,
        .cut = ERRORS_EQUAL_COUNT,
        .tree = {TREE_DEPTH, TREE_LEAVES, TREE_ROWS},
        .map = {ERRORS_NO_FEATURE, ERRORS_NO_FEATURE},
        .slices = in->settings.slices,
        .slice_level = SLICE_LEVEL,
        .alpha = ALPHA,
        .slice_rows = share > SLICE_ROWS ? share : SLICE_ROWS,
        .permutations = permutations_of(in->rows),
        .seed = in->settings.seed,
        .worst = WORST,
        .threads = in->threads,
    };
}

/* ret_score[rows]: of the true class; 0 where the model does not know it. */
static struct status
truth_scores(const struct assessed *a, double **ret_score)
{
    const struct assessment_input *in = a->in;
    const uint32_t outputs = in->file->outputs;
    double *score = calloc(in->rows + 1, sizeof *score);
    CHECK(score != NULL, MEMORY);
    for (size_t i = 0; i < in->rows; i++) {
        score[i] = a->label[i] < outputs ? in->score[i * outputs + a->label[i]] : 0;
    }
    *ret_score = score;
    return OK;
}

static struct status
put_errors(const struct assessed *a, struct diag *diag, json_t *d)
{
    DEFER(memory_freep) double *truth_score = NULL;
    DEFER(js_freep) json_t *errors = NULL;
    DEFER(js_freep) json_t *remarks = json_array();
    CHECK(remarks != NULL, MEMORY);
    struct errors_input e = errors_input_of(a);
    if (a->task == MODEL_CLASSES && a->probabilities) {
        TRY(truth_scores(a, &truth_score));
    }
    e.truth_score = truth_score;
    e.remarks = remarks;
    TRY(errors_document(&e, diag, &errors));
    return js_set(d, "errors", json_incref(errors));
}

/* ---- what the model answers ---- */

static void
assessed_done(struct assessed *a)
{
    free(a->label);
    free(a->decision);
    free(a->positive);
}

static bool
are_probabilities(const struct assessment_input *in)
{
    bool are = true;
    for (size_t i = 0; i < in->rows * in->file->outputs; i++) {
        are = are && in->score[i] >= 0 && in->score[i] <= 1;
    }
    return are;
}

static void
fill_binary(struct assessed *a)
{
    const struct assessment_input *in = a->in;
    a->two[0] = in->negative;
    a->two[1] = in->positive;
    a->classes = a->two;
    a->class_count = 2;
    for (size_t i = 0; i < in->rows; i++) {
        a->positive[i] =
            in->decision != NULL ? in->decision[i] != 0 : in->score[i] >= in->threshold;
        a->decision[i] = a->positive[i];
        a->label[i] = in->y[i];
    }
}

static void
fill_classes(struct assessed *a)
{
    const struct assessment_input *in = a->in;
    const uint32_t outputs = in->file->outputs;
    a->classes = in->classes;
    a->class_count = in->class_count;
    for (size_t i = 0; i < in->rows; i++) {
        a->decision[i] = (uint32_t)metric_class_of(in->score + i * outputs, outputs);
        a->label[i] = in->truth_class[i];
    }
}

static struct status
assessed_init(const struct assessment_input *in, struct assessed *a)
{
    a->in = in;
    a->task = model_file_task(in->file);
    a->label = calloc(in->rows + 1, sizeof *a->label);
    a->decision = calloc(in->rows + 1, sizeof *a->decision);
    a->positive = calloc(in->rows + 1, 1);
    CHECK(a->label != NULL && a->decision != NULL && a->positive != NULL, MEMORY);
    a->probabilities = a->task != MODEL_NUMBER && are_probabilities(in);
    if (a->task == MODEL_BINARY) {
        fill_binary(a);
    } else if (a->task == MODEL_CLASSES) {
        fill_classes(a);
    }
    return OK;
}

/* ---- the whole ---- */

static struct status
run(const struct assessed *a, struct diag *diag, json_t *d)
{
    TRY(put_subject(a, d));
    assessment_tell(a->in, "performance", 0.2);
    TRY(assessment_put_performance(a, d));
    assessment_tell(a->in, "fairness", 0.25);
    TRY(put_fairness(a, diag, d));
    assessment_tell(a->in, "where it fails", 0.45);
    TRY(put_errors(a, diag, d));
    assessment_tell(a->in, "explanations", 0.7);
    return assessment_put_explanation(a, diag, d);
}

struct status
assessment_run(const struct assessment_input *in, struct diag *diag, json_t **ret_document)
{
    if (model_file_task(in->file) == MODEL_NUMBERS) {
        diag_set(diag,
                 "model %s: objective %s answers with %u numbers; an assessment needs one number, "
                 "or classes",
                 in->model, in->file->objective, in->file->outputs);
        FAIL(UNSUPPORTED);
    }
    DEFER(assessed_done) struct assessed a = {0};
    DEFER(js_freep) json_t *d = json_object();
    CHECK(d != NULL, MEMORY);
    TRY(assessed_init(in, &a));
    TRY(run(&a, diag, d));
    TRY(js_set(d, "bias", in->bias == NULL ? json_null() : json_deep_copy(in->bias)));
    TRY(findings_put(d));
    *ret_document = MOVE(d);
    return OK;
}
