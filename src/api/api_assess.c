/* The analyses of decisions and of data without I/O, include/steward/assess.h: what a caller gives
 * is checked here, the rest is done by report/. */
#include "api/api_columns.h"

#include "report/bias_document.h"
#include "report/errors_document.h"
#include "report/fairness_document.h"

#include <steward/assess.h>

#include <math.h>
#include <stdlib.h>

#define FDR 0.05
#define LEVEL 0.95
#define MIN_GROUP 30u
#define REPLICATES 1000u
#define SLICES 10u
#define SLICE_LEVEL 2u
#define PERMUTATIONS 199u
#define SLICE_ALPHA 0.99

/* ---- fairness ---- */

static struct fairness_input
fairness_input_of(const struct sw_decisions *d, const struct sw_fairness_options *o)
{
    static const enum fairness_task task[] = {FAIRNESS_BINARY, FAIRNESS_CLASSES, FAIRNESS_NUMERIC};
    const bool two = d->kind == SW_BINARY;
    return (struct fairness_input){.task = task[d->kind],
                                   .label = "label",
                                   .prediction = "decision",
                                   .score = two && d->score != NULL ? "score" : NULL,
                                   .positive = two ? "1" : NULL,
                                   .rows = d->rows,
                                   .y = two ? d->label : NULL,
                                   .decision = two ? d->decision : NULL,
                                   .value = d->value,
                                   .predicted = two ? d->score : d->predicted,
                                   .y_class = d->label_class,
                                   .decision_class = d->decision_class,
                                   .classes = d->classes,
                                   .class_count = d->class_count,
                                   .weight = o->weight,
                                   .sensitive_count = o->sensitive_count,
                                   .control_count = o->control_count,
                                   .adverse = two && d->adverse != 0,
                                   .min_group = api_or_default(o->min_group, MIN_GROUP),
                                   .level = o->level == 0 ? LEVEL : o->level,
                                   .q = FDR,
                                   .replicates = api_or_default(o->replicates, REPLICATES),
                                   .seed = o->seed,
                                   .threads = o->threads};
}

static struct status
fairness(const struct sw_decisions *d, const struct sw_fairness_options *o, struct diag *diag,
         char **ret_json)
{
    DEFER(memory_freep) struct assessment_factor *sensitive = NULL;
    DEFER(memory_freep) struct assessment_factor *control = NULL;
    DEFER(js_freep) json_t *document = NULL;
    TRY(api_check_decisions(d, FAIRNESS_CLASSES_MAX, diag));
    TRY(api_need(o, "options", diag));
    TRY(api_need(ret_json, "ret_json", diag));
    TRY(api_check_draws(o->replicates, "replicates", diag));
    TRY(api_take_factors(o->sensitive, o->sensitive_count, d->rows, diag, &sensitive));
    TRY(api_take_factors(o->control, o->control_count, d->rows, diag, &control));
    struct fairness_input in = fairness_input_of(d, o);
    TRY(api_check_level(in.level, diag));
    in.sensitive = sensitive;
    in.control = control;
    TRY(fairness_document(&in, diag, &document));
    return api_text(document, ret_json);
}

int
sw_fairness(const struct sw_decisions *decisions, const struct sw_fairness_options *options,
            char **ret_json, struct sw_error *error)
{
    struct diag diag = {0};
    return api_result(fairness(decisions, options, &diag, ret_json), &diag, error);
}

/* ---- errors ---- */

/* The rows that have both a label and a decision, by number; what else a row has goes along. */
struct whole_rows {
    size_t n;
    uint64_t *number;           /* from 1 */
    uint32_t *label, *decision; /* of classes, and of two */
    double *value, *predicted;  /* of numbers */
    double *score;
    struct assessment_feature *features;
    uint32_t feature_count;
};

static void
whole_rows_done(struct whole_rows *w)
{
    for (uint32_t f = 0; f < w->feature_count; f++) {
        free((void *)(uintptr_t)w->features[f].value);
    }
    free(w->features);
    free(w->number);
    free(w->label);
    free(w->decision);
    free(w->value);
    free(w->predicted);
    free(w->score);
}

static struct status
make_whole_rows(size_t rows, struct whole_rows *w)
{
    w->number = calloc(rows + 1, sizeof *w->number);
    w->label = calloc(rows + 1, sizeof *w->label);
    w->decision = calloc(rows + 1, sizeof *w->decision);
    w->value = calloc(rows + 1, sizeof *w->value);
    w->predicted = calloc(rows + 1, sizeof *w->predicted);
    w->score = calloc(rows + 1, sizeof *w->score);
    CHECK(w->number != NULL && w->label != NULL && w->decision != NULL && w->value != NULL &&
              w->predicted != NULL && w->score != NULL,
          MEMORY);
    return OK;
}

static struct status
take_two(const struct sw_decisions *d, size_t row, struct diag *diag, struct whole_rows *w)
{
    w->label[w->n] = d->label[row];
    w->decision[w->n] = d->decision[row];
    if (d->score == NULL) {
        return OK;
    }
    w->score[w->n] = d->score[row];
    if (!(d->score[row] >= 0 && d->score[row] <= 1)) {
        diag_set(diag, "score, row %zu: %g is no probability", row, d->score[row]);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
take_decisions(const struct sw_decisions *d, struct diag *diag, struct whole_rows *w)
{
    TRY(make_whole_rows(d->rows, w));
    for (size_t i = 0; i < d->rows; i++) {
        if (!api_is_whole(d, i)) {
            continue;
        }
        w->number[w->n] = i + 1;
        if (d->kind == SW_BINARY) {
            TRY(take_two(d, i, diag, w));
        } else if (d->kind == SW_CLASSES) {
            w->label[w->n] = (uint32_t)d->label_class[i];
            w->decision[w->n] = (uint32_t)d->decision_class[i];
        } else {
            w->value[w->n] = d->value[i];
            w->predicted[w->n] = d->predicted[i];
        }
        w->n++;
    }
    return OK;
}

static struct status
take_feature(const struct sw_feature *f, struct whole_rows *w)
{
    double *value = calloc(w->n + 1, sizeof *value);
    CHECK(value != NULL, MEMORY);
    for (size_t i = 0; i < w->n; i++) {
        value[i] = f->value[w->number[i] - 1];
    }
    w->features[w->feature_count++] = (struct assessment_feature){
        f->name, value, f->levels, f->levels == NULL ? 0 : f->level_count};
    return OK;
}

static struct status
take_features(const struct sw_decisions *d, const struct sw_errors_options *o, struct diag *diag,
              struct whole_rows *w)
{
    TRY(api_need(o->features, "features", diag));
    w->features = calloc((size_t)o->feature_count + 1, sizeof *w->features);
    CHECK(w->features != NULL, MEMORY);
    for (uint32_t f = 0; f < o->feature_count; f++) {
        TRY(api_check_feature(&o->features[f], d->rows, diag));
        TRY(take_feature(&o->features[f], w));
    }
    return OK;
}

static struct errors_outcome
outcome_of(const struct sw_decisions *d, const struct whole_rows *w)
{
    const struct errors_outcome two = {ERRORS_BINARY, w->n, 2, w->label, w->decision, NULL, NULL};
    const struct errors_outcome several = {
        ERRORS_CLASSES, w->n, d->class_count, w->label, w->decision, NULL, NULL};
    const struct errors_outcome numbers = {ERRORS_NUMERIC, w->n,     0,           NULL,
                                           NULL,           w->value, w->predicted};
    return d->kind == SW_BINARY ? two : d->kind == SW_CLASSES ? several : numbers;
}

static struct errors_input
errors_input_of(const struct sw_decisions *d, const struct sw_errors_options *o,
                const struct whole_rows *w)
{
    static const char *const two[] = {"0", "1"};
    static const enum errors_metric metric[] = {ERRORS_RATE, ERRORS_RATE, ERRORS_MAE};
    const uint64_t share = w->n / 100;
    const bool scored = d->kind == SW_BINARY && d->score != NULL;
    return (struct errors_input){.outcome = outcome_of(d, w),
                                 .classes = d->kind == SW_BINARY    ? two
                                            : d->kind == SW_CLASSES ? d->classes
                                                                    : NULL,
                                 .score = scored ? w->score : NULL,
                                 .row_number = w->number,
                                 .label = "label",
                                 .prediction = "decision",
                                 .score_name = scored ? "score" : NULL,
                                 .rows_read = d->rows,
                                 .features = w->features,
                                 .feature_count = w->feature_count,
                                 .metric = metric[d->kind],
                                 .level = LEVEL,
                                 .bins = 8,
                                 .tree = {.max_depth = 3, .max_leaves = 31, .min_rows = 20},
                                 .map = {ERRORS_NO_FEATURE, ERRORS_NO_FEATURE},
                                 .slices = api_or_default(o->slices, SLICES),
                                 .slice_level = api_or_default(o->slice_level, SLICE_LEVEL),
                                 .alpha = SLICE_ALPHA,
                                 .slice_rows = share > 32 ? share : 32,
                                 .permutations = api_or_default(o->permutations, PERMUTATIONS),
                                 .seed = o->seed,
                                 .worst = 10,
                                 .threads = o->threads};
}

static struct status
errors(const struct sw_decisions *d, const struct sw_errors_options *o, struct diag *diag,
       char **ret_json)
{
    DEFER(whole_rows_done) struct whole_rows w = {0};
    DEFER(js_freep) json_t *document = NULL;
    TRY(api_check_decisions(d, ERRORS_MAX_CLASSES, diag));
    TRY(api_need(o, "options", diag));
    TRY(api_need(ret_json, "ret_json", diag));
    TRY(api_check_draws(o->permutations, "permutations", diag));
    TRY(take_decisions(d, diag, &w));
    TRY(take_features(d, o, diag, &w));
    struct errors_input in = errors_input_of(d, o, &w);
    if (in.slice_level > 4 || in.slices > 1000) {
        diag_set(diag, "slice_level: 1 to 4; slices: at most 1000");
        FAIL(INPUT);
    }
    DEFER(js_freep) json_t *remarks = json_array();
    CHECK(remarks != NULL, MEMORY);
    in.remarks = remarks;
    TRY(errors_document(&in, diag, &document));
    return api_text(document, ret_json);
}

int
sw_errors(const struct sw_decisions *decisions, const struct sw_errors_options *options,
          char **ret_json, struct sw_error *error)
{
    struct diag diag = {0};
    return api_result(errors(decisions, options, &diag, ret_json), &diag, error);
}

/* ---- bias ---- */

static struct bias_column
bias_column_of(const struct sw_factor *f)
{
    return (struct bias_column){f->name, f->code, f->levels, f->level_count, f->ordered != 0};
}

/* *ret_columns[n + 1]: the caller's to free. */
static struct status
take_bias_columns(const struct sw_factor *factors, uint32_t n, size_t rows, struct diag *diag,
                  struct bias_column **ret_columns)
{
    DEFER(memory_freep) struct bias_column *made = calloc((size_t)n + 1, sizeof *made);
    CHECK(made != NULL, MEMORY);
    TRY(api_check_factors(factors, n, rows, diag));
    for (uint32_t i = 0; i < n; i++) {
        made[i] = bias_column_of(&factors[i]);
    }
    *ret_columns = MOVE(made);
    return OK;
}

static struct status
check_bias(const struct sw_bias_options *o, struct diag *diag)
{
    TRY(api_need(o, "options", diag));
    TRY(api_check_draws(o->replicates, "replicates", diag));
    TRY(api_check_factor(&o->label, o->rows, diag));
    if (o->positive >= o->label.level_count) {
        diag_set(diag, "positive: %u is none of the label's %u levels", o->positive,
                 o->label.level_count);
        FAIL(INPUT);
    }
    return o->strata == NULL ? OK : api_check_factor(o->strata, o->rows, diag);
}

struct status
api_bias_document(const struct sw_bias_options *o, struct diag *diag, json_t **ret_document)
{
    DEFER(memory_freep) struct bias_column *sensitive = NULL;
    DEFER(memory_freep) struct bias_column *others = NULL;
    TRY(check_bias(o, diag));
    TRY(take_bias_columns(o->sensitive, o->sensitive_count, o->rows, diag, &sensitive));
    TRY(take_bias_columns(o->others, o->other_count, o->rows, diag, &others));
    const struct bias_column strata =
        o->strata == NULL ? (struct bias_column){0} : bias_column_of(o->strata);
    others[o->other_count] = strata; /* it may be a proxy, too */
    const struct bias_input in = {.rows = o->rows,
                                  .label = bias_column_of(&o->label),
                                  .positive = o->positive,
                                  .sensitive = sensitive,
                                  .sensitives = o->sensitive_count,
                                  .strata = o->strata == NULL ? NULL : &strata,
                                  .columns = others,
                                  .column_count = o->other_count + (o->strata != NULL),
                                  .level = o->level == 0 ? LEVEL : o->level,
                                  .fdr = FDR,
                                  .replicates = api_or_default(o->replicates, REPLICATES),
                                  .min_group = api_or_default(o->min_group, MIN_GROUP),
                                  .seed = o->seed,
                                  .threads = o->threads};
    TRY(api_check_level(in.level, diag));
    return bias_document(&in, diag, ret_document);
}

static struct status
bias(const struct sw_bias_options *o, struct diag *diag, char **ret_json)
{
    DEFER(js_freep) json_t *document = NULL;
    TRY(api_need(ret_json, "ret_json", diag));
    TRY(api_bias_document(o, diag, &document));
    return api_text(document, ret_json);
}

int
sw_bias(const struct sw_bias_options *options, char **ret_json, struct sw_error *error)
{
    struct diag diag = {0};
    return api_result(bias(options, &diag, ret_json), &diag, error);
}
