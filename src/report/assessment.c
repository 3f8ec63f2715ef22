#include "report/assessment.h"

#include "assess/performance.h"
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

bool
assessment_decided(const struct assessment_input *in, size_t row)
{
    return in->decision != NULL ? in->decision[row] != 0 : in->score[row] >= in->threshold;
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

static json_t *
rate_json(const struct rate *r)
{
    return json_pack("{s:o, s:I, s:I, s:o}", "value", js_real(r->value), "x", (json_int_t)r->x, "n",
                     (json_int_t)r->n, "ci", assessment_interval(r->ci));
}

static json_t *
counts_json(const struct confusion *c)
{
    return json_pack("{s:I, s:I, s:I, s:I}", "tp", (json_int_t)c->tp, "fp", (json_int_t)c->fp, "tn",
                     (json_int_t)c->tn, "fn", (json_int_t)c->fn);
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
put_subject(const struct assessment_input *in, json_t *d)
{
    DEFER(buf_done) struct buf time;
    buf_init(&time, 64);
    clock_put_rfc3339(&time, in->created_ns);
    TRY(js_set(d, "format", json_string(DOCUMENT_FORMAT)));
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
    TRY(js_set(d, "label",
               json_pack("{s:s, s:s, s:s}", "column", in->label, "positive", in->positive,
                         "negative", in->negative)));
    TRY(js_set(d, "threshold", js_real(in->threshold)));
    if (in->thresholds != NULL) {
        TRY(js_set(d, "thresholds", json_deep_copy(in->thresholds)));
    }
    TRY(js_set(d, "level", js_real(in->settings.level)));
    TRY(js_set(d, "false_discovery_rate", js_real(in->settings.fdr)));
    TRY(js_set(d, "min_group", json_integer(in->settings.min_group)));
    TRY(js_set(d, "seed", json_integer((json_int_t)in->settings.seed)));
    return js_set(d, "remarks", json_incref(in->remarks));
}

/* ---- performance ---- */

static struct status
put_calibration(const struct performance *p, json_t *o)
{
    json_t *bins = json_array(), *curve = json_array();
    TRY(js_set(o, "calibration", bins));
    TRY(js_set(o, "roc", curve));
    for (uint32_t i = 0; i < p->bins; i++) {
        json_t *b = json_pack("{s:o, s:o, s:I, s:o}", "mean_score", js_real(p->bin[i].mean_score),
                              "observed", js_real(p->bin[i].observed), "n", (json_int_t)p->bin[i].n,
                              "ci", assessment_interval(p->bin[i].ci));
        CHECK(json_array_append_new(bins, b) == 0, MEMORY);
    }
    for (uint32_t i = 0; i < PERFORMANCE_CURVE && isfinite(p->roc_auc); i++) {
        json_t *point = json_pack("[o, o]", js_real(p->curve[i].fpr), js_real(p->curve[i].tpr));
        CHECK(json_array_append_new(curve, point) == 0, MEMORY);
    }
    return OK;
}

static struct status
put_performance(const struct assessment_input *in, json_t *d)
{
    DEFER(memory_freep) struct performance *p = calloc(1, sizeof *p);
    CHECK(p != NULL, MEMORY);
    TRY(performance_decided(in->y, in->score, in->decision, in->rows, in->threshold,
                            in->settings.level, p));
    json_t *o = json_pack(
        "{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "positives",
        (json_int_t)p->positives, "counts", counts_json(&p->counts), "accuracy",
        rate_json(&p->accuracy), "precision", rate_json(&p->precision), "recall",
        rate_json(&p->recall), "selection_rate", rate_json(&p->selection_rate), "f1",
        js_real(p->f1), "roc_auc", js_real(p->roc_auc), "roc_auc_ci",
        assessment_interval(p->roc_auc_ci), "average_precision", js_real(p->average_precision),
        "log_loss", js_real(p->log_loss), "brier", js_real(p->brier));
    TRY(js_set(d, "performance", o));
    return put_calibration(p, o);
}

/* ---- fairness ---- */

static struct status
put_fairness(const struct assessment_input *in, const uint8_t *decision, struct diag *diag,
             json_t *d)
{
    DEFER(js_freep) json_t *fairness = NULL;
    DEFER(buf_done) struct buf positive;
    buf_init(&positive, 1u << 20);
    if (in->factor_count == 0) {
        return js_set(d, "fairness", json_null());
    }
    buf_printf(&positive, "%s = %s", in->label, in->positive);
    TRY(buf_status(&positive));
    const struct fairness_input f = {
        .task = FAIRNESS_BINARY,
        .label = in->label,
        .prediction = "decision",
        .score = "score",
        .positive = buf_str(&positive),
        .rows = in->rows,
        .y = in->y,
        .decision = decision,
        .predicted = in->score,
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
    TRY(fairness_document(&f, diag, &fairness));
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

static struct errors_input
errors_input_of(const struct assessment_input *in, const uint32_t *label, const uint32_t *decision,
                const char *const *classes)
{
    const size_t share = in->rows / SLICE_SHARE;
    return (struct errors_input){
        .outcome = {.kind = ERRORS_BINARY,
                    .rows = in->rows,
                    .classes = 2,
                    .label = label,
                    .decision = decision},
        .classes = classes,
        .score = in->score,
        .row_number = in->row_number,
        .label = in->label,
        .prediction = "decision",
        .score_name = "score",
        .rows_read = in->rows + in->rows_dropped,
        .features = in->features,
        .feature_count = in->feature_count,
        .metric = ERRORS_RATE,
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

static struct status
put_errors(const struct assessment_input *in, const uint8_t *decision, struct diag *diag, json_t *d)
{
    const char *const classes[] = {in->negative, in->positive};
    DEFER(js_freep) json_t *errors = NULL;
    DEFER(js_freep) json_t *remarks = json_array();
    DEFER(memory_freep) uint32_t *label = calloc(in->rows + 1, sizeof *label);
    DEFER(memory_freep) uint32_t *decided = calloc(in->rows + 1, sizeof *decided);
    CHECK(remarks != NULL && label != NULL && decided != NULL, MEMORY);
    for (size_t i = 0; i < in->rows; i++) {
        label[i] = in->y[i];
        decided[i] = decision[i];
    }
    struct errors_input e = errors_input_of(in, label, decided, classes);
    e.remarks = remarks;
    TRY(errors_document(&e, diag, &errors));
    return js_set(d, "errors", json_incref(errors));
}

/* ---- the whole ---- */

static struct status
run(const struct assessment_input *in, struct diag *diag, json_t *d)
{
    DEFER(memory_freep) uint8_t *decision = calloc(in->rows + 1, 1);
    CHECK(decision != NULL, MEMORY);
    for (size_t i = 0; i < in->rows; i++) {
        decision[i] = assessment_decided(in, i);
    }
    TRY(put_subject(in, d));
    assessment_tell(in, "performance", 0.2);
    TRY(put_performance(in, d));
    assessment_tell(in, "fairness", 0.25);
    TRY(put_fairness(in, decision, diag, d));
    assessment_tell(in, "where it fails", 0.45);
    return put_errors(in, decision, diag, d);
}

struct status
assessment_run(const struct assessment_input *in, struct diag *diag, json_t **ret_document)
{
    if (!model_file_is_binary(in->file)) {
        diag_set(diag, "model %s: objective %s; an assessment needs a binary classifier", in->model,
                 in->file->objective);
        FAIL(UNSUPPORTED);
    }
    DEFER(js_freep) json_t *d = json_object();
    CHECK(d != NULL, MEMORY);
    TRY(run(in, diag, d));
    assessment_tell(in, "explanations", 0.7);
    TRY(assessment_put_explanation(in, diag, d));
    TRY(js_set(d, "bias", in->bias == NULL ? json_null() : json_deep_copy(in->bias)));
    TRY(findings_put(d));
    *ret_document = MOVE(d);
    return OK;
}
