/* The analyses without I/O, include/steward/assess.h: what a caller gives is checked here, the rest
 * is done by assess/ and report/. */
#include "api/api_parts.h"

#include "assess/explain_columns.h"
#include "assess/interventional.h"
#include "base/text.h"
#include "model/model_file.h"
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
#define MOST_DRAWS 100000u /* replicates or permutations */

struct sw_forest {
    struct model_file *file; /* of a forest, always */
};

/* ---- tree ensembles ---- */

void
sw_forest_free(struct sw_forest *forest)
{
    if (forest != NULL) {
        model_file_free(forest->file);
        free(forest);
    }
}

static struct status
load(const void *bytes, size_t length, struct diag *diag, struct sw_forest **ret_forest)
{
    TRY(api_need(bytes, "bytes", diag));
    TRY(api_need(ret_forest, "ret_forest", diag));
    DEFER(model_file_freep) struct model_file *file = NULL;
    TRY(model_file_load(view_of(bytes, length), diag, &file));
    if (file->forest == NULL) {
        diag_set(diag, "a linear model: its attributions are its coefficients times the values");
        FAIL(UNSUPPORTED);
    }
    struct sw_forest *made = calloc(1, sizeof *made);
    CHECK(made != NULL, MEMORY);
    made->file = MOVE(file);
    *ret_forest = made;
    return OK;
}

int
sw_forest_load(const void *bytes, size_t length, struct sw_forest **ret_forest,
               struct sw_error *error)
{
    struct diag diag = {0};
    return api_result(load(bytes, length, &diag, ret_forest), &diag, error);
}

size_t
sw_forest_features(const struct sw_forest *forest)
{
    return forest->file->features;
}

size_t
sw_forest_outputs(const struct sw_forest *forest)
{
    return forest->file->outputs;
}

const char *
sw_forest_feature(const struct sw_forest *forest, size_t index)
{
    const struct model_file *f = forest->file;
    return f->feature_names != NULL && index < f->features ? f->feature_names[index] : NULL;
}

static struct status
need_rows(const struct sw_forest *forest, const float *x, size_t rows, const void *result,
          struct diag *diag)
{
    TRY(api_need(forest, "forest", diag));
    if (rows > 0) {
        TRY(api_need(x, "x", diag));
    }
    return api_need(result, "the array for the result", diag);
}

int
sw_forest_margin(const struct sw_forest *forest, const float *x, size_t rows, unsigned threads,
                 double *ret_margin, struct sw_error *error)
{
    struct diag diag = {0};
    const struct status s = need_rows(forest, x, rows, ret_margin, &diag);
    if (status_ok(s)) {
        model_file_margin(forest->file, x, rows, threads, ret_margin);
    }
    return api_result(s, &diag, error);
}

static enum explain_precision
precision_of(const struct sw_explain_options *o)
{
    return o->precision == SW_RECORD ? EXPLAIN_RECORD : EXPLAIN_FAST;
}

#define BLOCK_ROWS 4096u

/* Values of rows by one of the two explainers, summed to columns when these are asked for. */
struct explaining {
    const struct forest *forest;
    const struct sw_explain_options *options;
    struct explainer *paths;
    struct interventional *background;
};

static void
explaining_done(struct explaining *e)
{
    explainer_free(e->paths);
    interventional_free(e->background);
}

static struct status
explain_rows_of(const struct explaining *e, const float *x, size_t rows, double *ret_phi)
{
    const unsigned threads = e->options->threads;
    return e->paths != NULL ? explainer_rows(e->paths, x, rows, threads, ret_phi)
                            : interventional_rows(e->background, x, rows, threads, ret_phi);
}

static struct status
check_columns(const struct explaining *e, struct diag *diag)
{
    for (uint32_t f = 0; e->options->column != NULL && f < e->forest->features; f++) {
        if (e->options->column[f] >= e->options->columns) {
            diag_set(diag, "feature %u: its column is %u of %u", f, e->options->column[f],
                     e->options->columns);
            FAIL(INPUT);
        }
    }
    return OK;
}

static struct status
explain_columns_of(const struct explaining *e, const float *x, size_t rows, double *ret_phi)
{
    const size_t features = e->forest->features, outputs = e->forest->outputs;
    const struct explain_columns c = {.features = e->forest->features,
                                      .columns = e->options->columns,
                                      .column = (uint32_t *)(uintptr_t)e->options->column};
    if (e->options->column == NULL) {
        return explain_rows_of(e, x, rows, ret_phi);
    }
    DEFER(memory_freep) double *phi = calloc(BLOCK_ROWS * outputs * features + 1, sizeof *phi);
    CHECK(phi != NULL, MEMORY);
    for (size_t first = 0; first < rows; first += BLOCK_ROWS) {
        const size_t n = rows - first < BLOCK_ROWS ? rows - first : BLOCK_ROWS;
        TRY(explain_rows_of(e, x + first * features, n, phi));
        explain_columns_sum(&c, phi, n * outputs, ret_phi + first * outputs * c.columns);
    }
    return OK;
}

static struct status
explain_by_paths(struct explaining *e, const float *x, size_t rows, double *ret_phi)
{
    struct explainer_options options;
    explainer_defaults(&options);
    options.precision = precision_of(e->options);
    options.expected_rows = rows;
    options.threads = e->options->threads;
    TRY(explainer_new(e->forest, &options, &e->paths));
    return explain_columns_of(e, x, rows, ret_phi);
}

static struct status
explain_by_background(struct explaining *e, const float *x, size_t rows, struct diag *diag,
                      double *ret_phi, double *ret_expected)
{
    const struct sw_explain_options *o = e->options;
    struct interventional_options options;
    interventional_defaults(&options);
    options.precision = precision_of(o);
    options.space = o->probability ? INTERVENTIONAL_PROBABILITY : INTERVENTIONAL_MARGIN;
    options.expected_rows = rows;
    options.threads = o->threads;
    const struct status s =
        interventional_new(e->forest, o->background, o->background_rows, &options, &e->background);
    if (s.code == STATUS_UNSUPPORTED) {
        diag_set(diag, "attributions of probability: only for binary logistic models");
    }
    TRY(s);
    interventional_expected(e->background, ret_expected);
    return explain_columns_of(e, x, rows, ret_phi);
}

static struct status
explain(const struct sw_forest *forest, const float *x, size_t rows,
        const struct sw_explain_options *options, struct diag *diag, double *ret_phi,
        double *ret_expected)
{
    const struct sw_explain_options o = options == NULL ? (struct sw_explain_options){0} : *options;
    TRY(need_rows(forest, x, rows, ret_phi, diag));
    TRY(api_need(ret_expected, "ret_expected", diag));
    DEFER(explaining_done)
    struct explaining e = {.forest = forest->file->forest, .options = &o};
    TRY(check_columns(&e, diag));
    if (o.background != NULL && o.background_rows > 0) {
        return explain_by_background(&e, x, rows, diag, ret_phi, ret_expected);
    }
    if (o.background != NULL || o.probability) {
        diag_set(diag, o.background != NULL ? "a background without rows"
                                            : "attributions of probability need a background");
        FAIL(INPUT);
    }
    explain_expected(e.forest, ret_expected);
    return explain_by_paths(&e, x, rows, ret_phi);
}

int
sw_forest_explain(const struct sw_forest *forest, const float *x, size_t rows,
                  const struct sw_explain_options *options, double *ret_phi, double *ret_expected,
                  struct sw_error *error)
{
    struct diag diag = {0};
    return api_result(explain(forest, x, rows, options, &diag, ret_phi, ret_expected), &diag,
                      error);
}

static struct status
interactions(const struct sw_forest *forest, const float *x, size_t rows, unsigned threads,
             struct diag *diag, double *ret_pairs)
{
    DEFER(explainer_freep) struct explainer *e = NULL;
    struct explainer_options options;
    TRY(need_rows(forest, x, rows, ret_pairs, diag));
    explainer_defaults(&options);
    options.precision = EXPLAIN_RECORD;
    options.pairs = true;
    TRY(explainer_new(forest->file->forest, &options, &e));
    return explainer_pairs(e, x, rows, threads, ret_pairs);
}

int
sw_forest_interactions(const struct sw_forest *forest, const float *x, size_t rows,
                       unsigned threads, double *ret_pairs, struct sw_error *error)
{
    struct diag diag = {0};
    return api_result(interactions(forest, x, rows, threads, &diag, ret_pairs), &diag, error);
}

/* ---- what the caller gives about decisions ---- */

static struct status
check_decisions(const struct sw_decisions *d, struct diag *diag)
{
    TRY(api_need(d, "decisions", diag));
    TRY(api_need(d->label, "label", diag));
    TRY(api_need(d->decision, "decision", diag));
    for (size_t i = 0; i < d->rows; i++) {
        if (d->label[i] > 2 || d->decision[i] > 2) {
            diag_set(diag, "row %zu: labels and decisions are 0, 1, or 2 for missing", i);
            FAIL(INPUT);
        }
    }
    return OK;
}

static struct status
need_text(const char *text, const char *what, struct diag *diag)
{
    TRY(api_need(text, what, diag));
    if (!text_is_utf8(view_str(text))) {
        diag_set(diag, "%.100s: not UTF-8 text", what);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
need_texts(const char *const *levels, uint32_t level_count, const char *what, struct diag *diag)
{
    for (uint32_t k = 0; k < level_count; k++) {
        TRY(need_text(levels[k], what, diag));
    }
    return OK;
}

static struct status
check_draws(uint32_t draws, const char *what, struct diag *diag)
{
    if (draws > MOST_DRAWS) {
        diag_set(diag, "%s: at most %u", what, MOST_DRAWS);
        FAIL(INPUT);
    }
    return OK;
}

static struct status
check_factor(const struct sw_factor *f, size_t rows, struct diag *diag)
{
    TRY(need_text(f->name, "name of a factor", diag));
    TRY(api_need(f->code, f->name, diag));
    TRY(api_need(f->levels, f->name, diag));
    TRY(need_texts(f->levels, f->level_count, f->name, diag));
    for (size_t i = 0; i < rows; i++) {
        if (f->code[i] < -1 || f->code[i] >= (int64_t)f->level_count) {
            diag_set(diag, "%.100s, row %zu: code %d is none of its %u levels, nor -1", f->name, i,
                     f->code[i], f->level_count);
            FAIL(INPUT);
        }
    }
    return OK;
}

/* As the analyses take them. *ret_factors: the caller's to free; NULL of none. */
static struct status
take_factors(const struct sw_factor *factors, uint32_t n, size_t rows, struct diag *diag,
             struct assessment_factor **ret_factors)
{
    DEFER(memory_freep) struct assessment_factor *made = calloc((size_t)n + 1, sizeof *made);
    CHECK(made != NULL, MEMORY);
    if (n > 0) {
        TRY(api_need(factors, "factors", diag));
    }
    for (uint32_t i = 0; i < n; i++) {
        TRY(check_factor(&factors[i], rows, diag));
        made[i] = (struct assessment_factor){factors[i].name, factors[i].code, factors[i].levels,
                                             factors[i].level_count};
    }
    *ret_factors = MOVE(made);
    return OK;
}

static bool
is_level(double v, uint32_t levels)
{
    return isnan(v) || (v >= 0 && v < levels && v == floor(v));
}

static struct status
check_feature(const struct sw_feature *f, size_t rows, struct diag *diag)
{
    TRY(need_text(f->name, "name of a feature", diag));
    TRY(api_need(f->value, f->name, diag));
    TRY(need_texts(f->levels, f->levels == NULL ? 0 : f->level_count, f->name, diag));
    for (size_t i = 0; f->levels != NULL && i < rows; i++) {
        if (!is_level(f->value[i], f->level_count)) {
            diag_set(diag, "%.100s, row %zu: %g is none of its %u levels, nor missing", f->name, i,
                     f->value[i], f->level_count);
            FAIL(INPUT);
        }
    }
    return OK;
}

static uint32_t
or_default(uint32_t value, uint32_t fallback)
{
    return value == 0 ? fallback : value;
}

/* ---- fairness ---- */

static struct status
fairness(const struct sw_decisions *d, const struct sw_fairness_options *o, struct diag *diag,
         char **ret_json)
{
    DEFER(memory_freep) struct assessment_factor *sensitive = NULL;
    DEFER(memory_freep) struct assessment_factor *control = NULL;
    DEFER(js_freep) json_t *document = NULL;
    TRY(check_decisions(d, diag));
    TRY(api_need(o, "options", diag));
    TRY(api_need(ret_json, "ret_json", diag));
    TRY(check_draws(o->replicates, "replicates", diag));
    TRY(take_factors(o->sensitive, o->sensitive_count, d->rows, diag, &sensitive));
    TRY(take_factors(o->control, o->control_count, d->rows, diag, &control));
    const struct fairness_input in = {.task = FAIRNESS_BINARY,
                                      .label = "label",
                                      .prediction = "decision",
                                      .score = d->score == NULL ? NULL : "score",
                                      .positive = "1",
                                      .rows = d->rows,
                                      .y = d->label,
                                      .decision = d->decision,
                                      .predicted = d->score,
                                      .sensitive = sensitive,
                                      .control = control,
                                      .sensitive_count = o->sensitive_count,
                                      .control_count = o->control_count,
                                      .adverse = d->adverse != 0,
                                      .min_group = or_default(o->min_group, MIN_GROUP),
                                      .level = o->level == 0 ? LEVEL : o->level,
                                      .q = FDR,
                                      .replicates = or_default(o->replicates, REPLICATES),
                                      .seed = o->seed,
                                      .threads = o->threads};
    if (!(in.level > 0 && in.level < 1)) {
        diag_set(diag, "level: over 0 and under 1");
        FAIL(INPUT);
    }
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
    uint64_t *number; /* from 1 */
    uint32_t *label, *decision;
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
    free(w->score);
}

static struct status
take_decisions(const struct sw_decisions *d, struct diag *diag, struct whole_rows *w)
{
    w->number = calloc(d->rows + 1, sizeof *w->number);
    w->label = calloc(d->rows + 1, sizeof *w->label);
    w->decision = calloc(d->rows + 1, sizeof *w->decision);
    w->score = calloc(d->rows + 1, sizeof *w->score);
    CHECK(w->number != NULL && w->label != NULL && w->decision != NULL && w->score != NULL, MEMORY);
    for (size_t i = 0; i < d->rows; i++) {
        if (d->label[i] == 2 || d->decision[i] == 2) {
            continue;
        }
        w->number[w->n] = i + 1;
        w->label[w->n] = d->label[i];
        w->decision[w->n] = d->decision[i];
        w->score[w->n] = d->score == NULL ? NAN : d->score[i];
        if (d->score != NULL && !(d->score[i] >= 0 && d->score[i] <= 1)) {
            diag_set(diag, "score, row %zu: %g is no probability", i, d->score[i]);
            FAIL(INPUT);
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
    w->features[w->feature_count++] =
        (struct assessment_feature){f->name, value, f->levels, f->level_count};
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
        TRY(check_feature(&o->features[f], d->rows, diag));
        TRY(take_feature(&o->features[f], w));
    }
    return OK;
}

static struct errors_input
errors_input_of(const struct sw_decisions *d, const struct sw_errors_options *o,
                const struct whole_rows *w)
{
    static const char *const classes[] = {"0", "1"};
    const uint64_t share = w->n / 100;
    return (struct errors_input){.outcome = {.kind = ERRORS_BINARY,
                                             .rows = w->n,
                                             .classes = 2,
                                             .label = w->label,
                                             .decision = w->decision},
                                 .classes = classes,
                                 .score = d->score == NULL ? NULL : w->score,
                                 .row_number = w->number,
                                 .label = "label",
                                 .prediction = "decision",
                                 .score_name = d->score == NULL ? NULL : "score",
                                 .rows_read = d->rows,
                                 .features = w->features,
                                 .feature_count = w->feature_count,
                                 .metric = ERRORS_RATE,
                                 .level = LEVEL,
                                 .bins = 8,
                                 .tree = {.max_depth = 3, .max_leaves = 31, .min_rows = 20},
                                 .map = {ERRORS_NO_FEATURE, ERRORS_NO_FEATURE},
                                 .slices = or_default(o->slices, SLICES),
                                 .slice_level = or_default(o->slice_level, SLICE_LEVEL),
                                 .alpha = SLICE_ALPHA,
                                 .slice_rows = share > 32 ? share : 32,
                                 .permutations = or_default(o->permutations, PERMUTATIONS),
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
    TRY(check_decisions(d, diag));
    TRY(api_need(o, "options", diag));
    TRY(api_need(ret_json, "ret_json", diag));
    TRY(check_draws(o->permutations, "permutations", diag));
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
