/* The whole assessment of a model on rows of a program's own, include/steward/assess.h, as `steward
 * assess` makes it. What a caller gives is checked here, the rest is done by report/. */
#include "api/api_columns.h"
#include "api/api_predictor.h"

#include "base/clock.h"
#include "data/cohort.h"
#include "data/table.h"
#include "report/bias_document.h"
#include "report/errors_document.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HALF 0.5

/* The rows that have a label, and what the assessment reads of them. */
struct rows_assessed {
    const struct sw_predictor *predictor;
    const struct sw_decisions *truth;
    const struct sw_assessment_options *options;
    size_t n;
    size_t *of; /* n: which of the given rows */
    uint64_t *number;
    float *x;
    double *score;
    uint8_t *y;
    uint32_t *truth_class;
    double *value;
    struct assessment_feature *read, *features;
    struct sw_feature *named;
    char *names;
    struct assessment_factor *factors;
    struct table table; /* of the features, for cohorts; its arrays are its own, names are not */
    struct buf model_hex, data_hex;
    json_t *bias, *remarks;
};

static void
rows_assessed_done(struct rows_assessed *r)
{
    const struct sw_assessment_options *o = r->options;
    for (uint32_t f = 0; r->features != NULL && f < o->feature_count; f++) {
        free((void *)(uintptr_t)r->features[f].value);
    }
    for (uint32_t k = 0; r->factors != NULL && k < o->sensitive_count; k++) {
        free((void *)(uintptr_t)r->factors[k].code);
    }
    for (uint32_t f = 0; r->table.columns != NULL && f < r->table.column_count; f++) {
        free(r->table.columns[f].null);
        free(r->table.columns[f].code);
    }
    free(r->table.columns);
    free(r->of);
    free(r->number);
    free(r->x);
    free(r->score);
    free(r->y);
    free(r->truth_class);
    free(r->value);
    free(r->read);
    free(r->features);
    free(r->named);
    free(r->names);
    free(r->factors);
    buf_done(&r->model_hex);
    buf_done(&r->data_hex);
    js_freep(&r->bias);
    js_freep(&r->remarks);
}

/* ---- what was true ---- */

static struct status
check_kind(const struct rows_assessed *r, struct diag *diag)
{
    const enum model_task task = model_file_task(r->predictor->file);
    const enum sw_kind want = task == MODEL_BINARY    ? SW_BINARY
                              : task == MODEL_CLASSES ? SW_CLASSES
                                                      : SW_NUMBERS;
    if (r->truth->kind != want) {
        diag_set(diag, "kind: the model answers with %s",
                 want == SW_BINARY    ? "a probability: SW_BINARY"
                 : want == SW_CLASSES ? "several classes: SW_CLASSES"
                                      : "numbers: SW_NUMBERS");
        FAIL(INPUT);
    }
    if (want == SW_CLASSES && r->truth->class_count < r->predictor->file->outputs) {
        diag_set(diag, "classes: the model's %u outputs first, then what else the label has",
                 r->predictor->file->outputs);
        FAIL(INPUT);
    }
    return OK;
}

static bool
has_truth(const struct sw_decisions *d, size_t row)
{
    return d->kind == SW_BINARY    ? d->label[row] != 2
           : d->kind == SW_CLASSES ? d->label_class[row] >= 0
                                   : !isnan(d->value[row]);
}

static void
put_truth(struct rows_assessed *r, size_t row)
{
    const struct sw_decisions *d = r->truth;
    if (d->kind == SW_BINARY) {
        r->y[r->n] = d->label[row];
    } else if (d->kind == SW_CLASSES) {
        r->truth_class[r->n] = (uint32_t)d->label_class[row];
    } else {
        r->value[r->n] = d->value[row];
    }
}

static struct status
take_rows(struct rows_assessed *r, const float *x, struct diag *diag)
{
    const size_t all = r->truth->rows, features = r->predictor->file->features;
    r->of = calloc(all + 1, sizeof *r->of);
    r->number = calloc(all + 1, sizeof *r->number);
    r->x = calloc(all * features + 1, sizeof *r->x);
    r->y = calloc(all + 1, sizeof *r->y);
    r->truth_class = calloc(all + 1, sizeof *r->truth_class);
    r->value = calloc(all + 1, sizeof *r->value);
    CHECK(r->of != NULL && r->number != NULL && r->x != NULL && r->y != NULL &&
              r->truth_class != NULL && r->value != NULL,
          MEMORY);
    for (size_t i = 0; i < all; i++) {
        if (has_truth(r->truth, i)) {
            put_truth(r, i);
            r->of[r->n] = i;
            r->number[r->n] = i + 1;
            memcpy(r->x + r->n * features, x + i * features, features * sizeof *x);
            r->n++;
        }
    }
    if (r->n == 0) {
        diag_set(diag, "no row has a label");
        FAIL(INPUT);
    }
    return OK;
}

static struct status
answer(struct rows_assessed *r, struct diag *diag)
{
    const struct model_file *file = r->predictor->file;
    r->score = calloc(r->n * file->outputs + 1, sizeof *r->score);
    CHECK(r->score != NULL, MEMORY);
    model_file_margin(file, r->x, r->n, r->options->threads, r->score);
    model_file_link_apply(file, r->score, r->n);
    for (size_t i = 0; i < r->n * file->outputs; i++) {
        if (!isfinite(r->score[i])) {
            diag_set(diag, "row %zu: the model has no finite answer to it; leave it out",
                     r->of[i / file->outputs]);
            FAIL(INPUT);
        }
    }
    return OK;
}

/* ---- columns ---- */

static struct status
take_feature(const struct rows_assessed *r, const struct sw_feature *f,
             struct assessment_feature *ret_feature)
{
    double *value = calloc(r->n + 1, sizeof *value);
    CHECK(value != NULL, MEMORY);
    for (size_t i = 0; i < r->n; i++) {
        value[i] = f->value[r->of[i]];
    }
    *ret_feature = (struct assessment_feature){f->name, value, f->levels,
                                               f->levels == NULL ? 0 : f->level_count};
    return OK;
}

/* Cohorts find their columns by name, as SQL does. */
static struct status
check_name(const struct sw_feature *features, uint32_t at, struct diag *diag)
{
    for (uint32_t f = 0; f < at; f++) {
        if (strcasecmp(features[f].name, features[at].name) == 0) {
            diag_set(diag, "features: \"%.100s\" is there twice", features[at].name);
            FAIL(INPUT);
        }
    }
    if (features[at].name[0] == '\0') {
        diag_set(diag, "features: number %u has no name", at);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
take_columns(struct rows_assessed *r, struct diag *diag)
{
    const struct sw_assessment_options *o = r->options;
    r->features = calloc((size_t)o->feature_count + 1, sizeof *r->features);
    CHECK(r->features != NULL, MEMORY);
    if (o->feature_count > 0) {
        TRY(api_need(o->features, "features", diag));
    }
    for (uint32_t f = 0; f < o->feature_count; f++) {
        TRY(api_check_feature(&o->features[f], r->truth->rows, diag));
        TRY(check_name(o->features, f, diag));
        TRY(take_feature(r, &o->features[f], &r->features[f]));
    }
    return OK;
}

static struct status
take_factor(const struct rows_assessed *r, struct assessment_factor *f)
{
    int32_t *code = calloc(r->n + 1, sizeof *code);
    const int32_t *all = f->code;
    f->code = code;
    CHECK(code != NULL, MEMORY);
    for (size_t i = 0; i < r->n; i++) {
        code[i] = all[r->of[i]];
    }
    return OK;
}

static struct status
take_factors(struct rows_assessed *r, struct diag *diag)
{
    const struct sw_assessment_options *o = r->options;
    DEFER(memory_freep) struct assessment_factor *all = NULL;
    TRY(api_take_factors(o->sensitive, o->sensitive_count, r->truth->rows, diag, &all));
    r->factors = calloc((size_t)o->sensitive_count + 1, sizeof *r->factors);
    CHECK(r->factors != NULL, MEMORY);
    for (uint32_t k = 0; k < o->sensitive_count; k++) {
        struct assessment_factor one = all[k];
        TRY(take_factor(r, &one));
        r->factors[k] = one;
    }
    return OK;
}

static struct status
name_read(struct rows_assessed *r, struct diag *diag)
{
    const uint32_t n = r->predictor->file->features;
    r->named = calloc((size_t)n + 1, sizeof *r->named);
    r->read = calloc((size_t)n + 1, sizeof *r->read);
    CHECK(r->named != NULL && r->read != NULL, MEMORY);
    TRY(api_name_features(r->predictor, r->options->read, diag, r->named, &r->names));
    for (uint32_t f = 0; f < n; f++) {
        r->read[f] = (struct assessment_feature){r->named[f].name, NULL, r->named[f].levels,
                                                 r->named[f].level_count};
    }
    return OK;
}

/* ---- cohorts: conditions on the features ---- */

static struct status
put_column(const struct rows_assessed *r, const struct assessment_feature *f, struct column *c)
{
    c->name = (char *)(uintptr_t)f->name;
    c->type = f->levels == NULL ? COLUMN_FLOAT : COLUMN_CATEGORY;
    c->is_feature = true;
    c->f = (double *)(uintptr_t)f->value;
    c->levels = (char **)(uintptr_t)f->levels;
    c->level_count = f->level_count;
    c->null = calloc(r->n + 1, 1);
    c->code = calloc(r->n + 1, sizeof *c->code);
    CHECK(c->null != NULL && c->code != NULL, MEMORY);
    for (size_t i = 0; i < r->n; i++) {
        c->null[i] = (uint8_t)(isnan(f->value[i]) != 0);
        c->nulls += c->null[i];
        c->code[i] = f->levels == NULL || c->null[i] ? -1 : (int32_t)f->value[i];
    }
    return OK;
}

static struct status
make_table(struct rows_assessed *r)
{
    const uint32_t n = r->options->feature_count;
    r->table = (struct table){.rows = r->n, .column_count = n};
    r->table.columns = calloc((size_t)n + 1, sizeof *r->table.columns);
    CHECK(r->table.columns != NULL, MEMORY);
    for (uint32_t f = 0; f < n; f++) {
        TRY(put_column(r, &r->features[f], &r->table.columns[f]));
    }
    return OK;
}

static struct status
select_rows(void *ctx, const char *cohort, struct diag *diag, uint8_t *ret_in)
{
    const struct rows_assessed *r = ctx;
    return cohort_select(&r->table, NULL, cohort, diag, ret_in, NULL);
}

/* ---- the whole ---- */

static const char *
or_text(const char *text, const char *fallback)
{
    return text == NULL ? fallback : text;
}

static struct status
settings_of(const struct sw_assessment_options *o, struct diag *diag,
            struct assessment_settings *ret)
{
    assessment_defaults(ret);
    TRY(api_check_draws(o->replicates, "replicates", diag));
    ret->level = o->level == 0 ? ret->level : o->level;
    TRY(api_check_level(ret->level, diag));
    ret->min_group = api_or_default(o->min_group, ret->min_group);
    ret->replicates = api_or_default(o->replicates, ret->replicates);
    ret->slices = api_or_default(o->slices, ret->slices);
    ret->seed = o->seed;
    ret->adverse = o->adverse != 0;
    if (ret->slices > 1000) {
        diag_set(diag, "slices: at most 1000");
        FAIL(INPUT);
    }
    return OK;
}

/* The model's bytes and x's name what was assessed. */
static void
put_digests(struct rows_assessed *r, const float *x)
{
    struct digest data;
    digest_of(view_of(x, r->truth->rows * r->predictor->file->features * sizeof *x), &data);
    buf_init(&r->model_hex, 2 * DIGEST_BYTES + 1);
    buf_init(&r->data_hex, 2 * DIGEST_BYTES + 1);
    digest_put_hex(&r->model_hex, &r->predictor->digest);
    digest_put_hex(&r->data_hex, &data);
}

static struct status
run(struct rows_assessed *r, struct diag *diag, char **ret_json)
{
    const struct sw_assessment_options *o = r->options;
    const bool two = r->truth->kind == SW_BINARY;
    DEFER(js_freep) json_t *document = NULL;
    struct assessment_input in = {.model = or_text(o->model, "model"),
                                  .model_digest_hex = buf_str(&r->model_hex),
                                  .dataset = or_text(o->data, "data"),
                                  .dataset_digest_hex = buf_str(&r->data_hex),
                                  .selection = "all",
                                  .created_ns = clock_wall_ns(),
                                  .label = or_text(o->label, "label"),
                                  .positive = two ? or_text(o->positive, "1") : NULL,
                                  .negative = two ? or_text(o->negative, "0") : NULL,
                                  .threshold = o->threshold == 0 ? HALF : o->threshold,
                                  .rows = r->n,
                                  .row_number = r->number,
                                  .rows_dropped = r->truth->rows - r->n,
                                  .y = r->y,
                                  .truth_class = r->truth_class,
                                  .classes = r->truth->classes,
                                  .class_count = r->truth->class_count,
                                  .truth = r->value,
                                  .score = r->score,
                                  .x = r->x,
                                  .file = r->predictor->file,
                                  .read = r->read,
                                  .features = r->features,
                                  .feature_count = o->feature_count,
                                  .factors = r->factors,
                                  .factor_count = o->sensitive_count,
                                  .bias = r->bias,
                                  .remarks = r->remarks,
                                  .threads = o->threads,
                                  .select = select_rows,
                                  .select_ctx = r};
    TRY(settings_of(o, diag, &in.settings));
    TRY(assessment_run(&in, diag, &document));
    return api_text(document, ret_json);
}

static struct status
check_options(const struct rows_assessed *r, struct diag *diag)
{
    const struct sw_assessment_options *o = r->options;
    const char *const text[][2] = {{o->model, "model"},
                                   {o->data, "data"},
                                   {o->label, "label"},
                                   {o->positive, "positive"},
                                   {o->negative, "negative"}};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        if (text[i][0] != NULL) {
            TRY(api_need_text(text[i][0], text[i][1], diag));
        }
    }
    if (!(o->threshold >= 0 && o->threshold <= 1)) {
        diag_set(diag, "threshold: over 0, at most 1");
        FAIL(INPUT);
    }
    if (o->bias != NULL && o->bias->rows != r->truth->rows) {
        diag_set(diag, "bias: of %zu rows, where %zu are assessed", o->bias->rows, r->truth->rows);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
need_all(const struct rows_assessed *r, const float *x, const char *const *ret_json,
         struct diag *diag)
{
    TRY(api_need(r->predictor, "predictor", diag));
    TRY(api_need(x, "x", diag));
    TRY(api_need(r->truth, "truth", diag));
    TRY(api_need(ret_json, "ret_json", diag));
    TRY(check_options(r, diag));
    TRY(check_kind(r, diag));
    return api_check_truth(r->truth, ERRORS_MAX_CLASSES, diag);
}

static struct status
assess(const struct sw_predictor *predictor, const float *x, const struct sw_decisions *truth,
       const struct sw_assessment_options *options, struct diag *diag, char **ret_json)
{
    const struct sw_assessment_options o =
        options == NULL ? (struct sw_assessment_options){0} : *options;
    DEFER(rows_assessed_done)
    struct rows_assessed r = {
        .predictor = predictor, .truth = truth, .options = &o, .remarks = json_array()};
    CHECK(r.remarks != NULL, MEMORY);
    TRY(need_all(&r, x, (const char *const *)ret_json, diag));
    TRY(take_rows(&r, x, diag));
    TRY(answer(&r, diag));
    TRY(take_columns(&r, diag));
    TRY(take_factors(&r, diag));
    TRY(name_read(&r, diag));
    TRY(make_table(&r));
    if (o.bias != NULL) {
        TRY(api_bias_document(o.bias, diag, &r.bias));
    }
    put_digests(&r, x);
    return run(&r, diag, ret_json);
}

int
sw_predictor_assess(const struct sw_predictor *predictor, const float *x,
                    const struct sw_decisions *truth, const struct sw_assessment_options *options,
                    char **ret_json, struct sw_error *error)
{
    struct diag diag = {0};
    return api_result(assess(predictor, x, truth, options, &diag, ret_json), &diag, error);
}
