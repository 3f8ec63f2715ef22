/* How good the model is: of two classes, of several, of numbers. */
#include "report/assessment_parts.h"

#include "assess/performance.h"
#include "assess/residuals.h"
#include "report/errors_document_parts.h"

#include <math.h>
#include <stdlib.h>

static json_t *
rate_json(const struct rate *r)
{
    return json_pack("{s:o, s:I, s:I, s:o}", "value", js_real(r->value), "x", (json_int_t)r->x, "n",
                     (json_int_t)r->n, "ci", assessment_interval(r->ci));
}

static json_t *
value_json(const struct errors_value *v)
{
    return json_pack("{s:o, s:o}", "value", js_real(v->value), "ci", assessment_interval(v->ci));
}

static struct status
append(json_t *list, json_t *item)
{
    CHECK(item != NULL && json_array_append_new(list, item) == 0, MEMORY);
    return OK;
}

/* ---- two classes ---- */

static json_t *
counts_json(const struct confusion *c)
{
    return json_pack("{s:I, s:I, s:I, s:I}", "tp", (json_int_t)c->tp, "fp", (json_int_t)c->fp, "tn",
                     (json_int_t)c->tn, "fn", (json_int_t)c->fn);
}

/* How the scores of one class rank and come true. */
static struct status
put_scores(const struct performance *p, bool probabilities, json_t *o)
{
    json_t *bins = json_array(), *curve = json_array();
    TRY(js_set(o, "roc_auc", js_real(probabilities ? p->roc_auc : NAN)));
    const struct interval none = {NAN, NAN};
    TRY(js_set(o, "roc_auc_ci", assessment_interval(probabilities ? p->roc_auc_ci : none)));
    TRY(js_set(o, "average_precision", js_real(probabilities ? p->average_precision : NAN)));
    TRY(js_set(o, "calibration", bins));
    TRY(js_set(o, "roc", curve));
    for (uint32_t i = 0; probabilities && i < p->bins; i++) {
        TRY(append(bins,
                   json_pack("{s:o, s:o, s:I, s:o}", "mean_score", js_real(p->bin[i].mean_score),
                             "observed", js_real(p->bin[i].observed), "n", (json_int_t)p->bin[i].n,
                             "ci", assessment_interval(p->bin[i].ci))));
    }
    for (uint32_t i = 0; probabilities && i < PERFORMANCE_CURVE && isfinite(p->roc_auc); i++) {
        TRY(append(curve, json_pack("[o, o]", js_real(p->curve[i].fpr), js_real(p->curve[i].tpr))));
    }
    return OK;
}

static struct status
put_binary(const struct assessed *a, json_t *o)
{
    const struct assessment_input *in = a->in;
    DEFER(memory_freep) struct performance *p = calloc(1, sizeof *p);
    CHECK(p != NULL, MEMORY);
    TRY(performance_decided(in->y, in->score, a->positive, in->rows, in->threshold,
                            in->settings.level, p));
    TRY(js_set(o, "positives", json_integer((json_int_t)p->positives)));
    TRY(js_set(o, "counts", counts_json(&p->counts)));
    TRY(js_set(o, "accuracy", rate_json(&p->accuracy)));
    TRY(js_set(o, "precision", rate_json(&p->precision)));
    TRY(js_set(o, "recall", rate_json(&p->recall)));
    TRY(js_set(o, "selection_rate", rate_json(&p->selection_rate)));
    TRY(js_set(o, "f1", js_real(p->f1)));
    TRY(js_set(o, "log_loss", js_real(p->log_loss)));
    TRY(js_set(o, "brier", js_real(p->brier)));
    return put_scores(p, true, o);
}

/* ---- several classes ---- */

/* One class against the others. */
struct one {
    uint8_t *y, *decision;
    double *score;
};

static void
one_done(struct one *x)
{
    free(x->y);
    free(x->decision);
    free(x->score);
}

static void
one_fill(const struct assessed *a, uint32_t class, struct one *x)
{
    const struct assessment_input *in = a->in;
    const uint32_t outputs = in->file->outputs;
    for (size_t i = 0; i < in->rows; i++) {
        x->y[i] = a->label[i] == class;
        x->decision[i] = a->decision[i] == class;
        x->score[i] = a->probabilities && class < outputs ? in->score[i * outputs + class] : 0;
    }
}

static struct status
put_class(const struct assessed *a, uint32_t class, struct one *x, json_t *list)
{
    const struct assessment_input *in = a->in;
    DEFER(memory_freep) struct performance *p = calloc(1, sizeof *p);
    CHECK(p != NULL, MEMORY);
    one_fill(a, class, x);
    TRY(performance_decided(x->y, x->score, x->decision, in->rows, 0.5, in->settings.level, p));
    json_t *o =
        json_pack("{s:s, s:I, s:I, s:o, s:o, s:o}", "class", a->classes[class], "rows",
                  (json_int_t)p->positives, "decided", (json_int_t)p->selection_rate.x, "precision",
                  rate_json(&p->precision), "recall", rate_json(&p->recall), "f1", js_real(p->f1));
    TRY(append(list, o));
    return put_scores(p, a->probabilities && class < in->file->outputs, o);
}

static struct status
put_each_class(const struct assessed *a, json_t *o)
{
    const size_t rows = a->in->rows;
    json_t *list = json_array();
    DEFER(one_done)
    struct one x = {calloc(rows + 1, 1), calloc(rows + 1, 1), calloc(rows + 1, sizeof(double))};
    CHECK(x.y != NULL && x.decision != NULL && x.score != NULL, MEMORY);
    TRY(js_set(o, "classes", list));
    for (uint32_t k = 0; k < a->class_count; k++) {
        TRY(put_class(a, k, &x, list));
    }
    return OK;
}

/* Does the probability of the class that is decided come true? */
static struct status
put_top_label(const struct assessed *a, json_t *o)
{
    const struct assessment_input *in = a->in;
    const uint32_t outputs = in->file->outputs;
    if (!a->probabilities) {
        return js_set(o, "top_label", json_null());
    }
    DEFER(memory_freep) uint8_t *right = calloc(in->rows + 1, 1);
    DEFER(memory_freep) double *score = calloc(in->rows + 1, sizeof *score);
    DEFER(memory_freep) struct calibration *c = calloc(1, sizeof *c);
    CHECK(right != NULL && score != NULL && c != NULL, MEMORY);
    for (size_t i = 0; i < in->rows; i++) {
        right[i] = a->label[i] == a->decision[i];
        score[i] = in->score[i * outputs + a->decision[i]];
    }
    TRY(calibration_of(right, score, in->rows, PERFORMANCE_BINS, false, in->settings.level,
                       in->settings.seed, c));
    return errors_put_curve(c, "top_label", o);
}

/* The most frequent class: what always answering it would be right for. */
static json_t *
baseline_json(const struct assessed *a, uint64_t *count)
{
    uint32_t most = 0;
    for (size_t i = 0; i < a->in->rows; i++) {
        count[a->label[i]]++;
    }
    for (uint32_t k = 1; k < a->class_count; k++) {
        most = count[k] > count[most] ? k : most;
    }
    return json_pack("{s:s, s:o}", "class", a->classes[most], "share",
                     js_real((double)count[most] / (double)a->in->rows));
}

static struct status
put_losses(const struct assessed *a, json_t *o)
{
    double log_loss = NAN, brier = NAN;
    if (a->probabilities) {
        performance_class_losses(a->label, a->in->score, a->in->rows, a->in->file->outputs,
                                 &log_loss, &brier);
    }
    TRY(js_set(o, "log_loss", js_real(log_loss)));
    return js_set(o, "brier", js_real(brier));
}

static struct status
remark_on_classes(const struct assessed *a, const uint64_t *count, json_t *d)
{
    if (!a->probabilities) {
        TRY(assessment_remark(d, "the model's scores are not all from 0 to 1: what needs "
                                 "probabilities (areas under ROC curves, log loss, calibration) is "
                                 "left out"));
    }
    for (uint32_t k = a->in->file->outputs; k < a->class_count; k++) {
        TRY(assessment_remark(d,
                              "class \"%s\" is none of the model's: it gives it the probability "
                              "0, and its %llu rows are wrong",
                              a->classes[k], (unsigned long long)count[k]));
    }
    return OK;
}

static struct status
put_classes(const struct assessed *a, json_t *d, json_t *o)
{
    const struct assessment_input *in = a->in;
    struct errors_value v[ERRORS_METRICS];
    const struct errors_outcome outcome = {.kind = ERRORS_CLASSES,
                                           .rows = in->rows,
                                           .classes = a->class_count,
                                           .label = a->label,
                                           .decision = a->decision};
    DEFER(memory_freep) uint64_t *count = calloc((size_t)a->class_count + 1, sizeof *count);
    CHECK(count != NULL, MEMORY);
    TRY(errors_metrics_of(&outcome, NULL, in->rows, in->settings.level, v));
    const struct errors_value *right = &v[ERRORS_ACCURACY];
    const struct rate accuracy = {right->value, (uint64_t)right->x, (uint64_t)right->n, right->ci};
    TRY(js_set(o, "accuracy", rate_json(&accuracy)));
    TRY(js_set(o, "macro_precision", value_json(&v[ERRORS_MACRO_PRECISION])));
    TRY(js_set(o, "macro_recall", value_json(&v[ERRORS_MACRO_RECALL])));
    TRY(js_set(o, "macro_f1", value_json(&v[ERRORS_MACRO_F1])));
    TRY(js_set(o, "baseline", baseline_json(a, count)));
    TRY(put_losses(a, o));
    TRY(put_top_label(a, o));
    TRY(put_each_class(a, o));
    return remark_on_classes(a, count, d);
}

/* ---- numbers ---- */

static struct status
put_residuals(const struct residuals *r, json_t *o)
{
    static const char *const names[RESIDUALS_QUANTILES] = {"p05", "p25", "p50", "p75", "p95"};
    json_t *residuals = json_object(), *bins = json_array();
    TRY(js_set(o, "residuals", residuals));
    for (size_t q = 0; q < RESIDUALS_QUANTILES; q++) {
        TRY(js_set(residuals, names[q], js_real(r->quantile[q])));
    }
    TRY(js_set(residuals, "bins", bins));
    for (uint32_t b = 0; b < r->bins; b++) {
        TRY(append(bins, json_pack("{s:o, s:o, s:I}", "from", js_real(r->bin[b].from), "to",
                                   js_real(r->bin[b].to), "rows", (json_int_t)r->bin[b].rows)));
    }
    return OK;
}

static struct status
put_steps(const struct residuals *r, json_t *o)
{
    json_t *list = json_array();
    TRY(js_set(o, "by_prediction", list));
    for (uint32_t s = 0; s < r->steps; s++) {
        TRY(append(list, json_pack("{s:o, s:o, s:I, s:o, s:o, s:o, s:o}", "from",
                                   js_real(r->step[s].from), "to", js_real(r->step[s].to), "rows",
                                   (json_int_t)r->step[s].rows, "mean_prediction",
                                   js_real(r->step[s].mean_prediction), "mean_truth",
                                   js_real(r->step[s].mean_truth), "ci",
                                   assessment_interval(r->step[s].ci), "mean_absolute_error",
                                   js_real(r->step[s].mean_absolute_error))));
    }
    return OK;
}

/* Of the mean square, whose ends it has the roots of. */
static struct errors_value
root_of(const struct errors_value *square, double root)
{
    const struct interval ci = square->ci;
    return (struct errors_value){
        .value = root,
        .x = NAN,
        .n = square->n,
        .ci = {ci.low < 0 ? 0 : sqrt(ci.low), ci.high < 0 ? 0 : sqrt(ci.high)}};
}

static struct status
put_numbers(const struct assessed *a, json_t *o)
{
    const struct assessment_input *in = a->in;
    struct errors_value v[ERRORS_METRICS];
    const struct errors_outcome outcome = {
        .kind = ERRORS_NUMERIC, .rows = in->rows, .truth = in->truth, .prediction = in->score};
    DEFER(memory_freep) struct residuals *r = calloc(1, sizeof *r);
    CHECK(r != NULL, MEMORY);
    TRY(errors_metrics_of(&outcome, NULL, in->rows, in->settings.level, v));
    TRY(residuals_of(in->truth, in->score, in->rows, in->settings.level, r));
    for (int m = 0; m < ERRORS_METRICS; m++) {
        if (errors_metric_fits((enum errors_metric)m, ERRORS_NUMERIC)) {
            TRY(js_set(o, errors_metric_word((enum errors_metric)m), value_json(&v[m])));
        }
    }
    const struct errors_value rmse = root_of(&v[ERRORS_MSE], r->rmse);
    TRY(js_set(o, "root_mean_squared_error", value_json(&rmse)));
    TRY(js_set(o, "truth",
               json_pack("{s:o, s:o, s:o, s:o, s:o}", "mean", js_real(r->truth_mean), "sd",
                         js_real(r->truth_sd), "least", js_real(r->truth_least), "median",
                         js_real(r->truth_median), "most", js_real(r->truth_most))));
    TRY(js_set(o, "baseline",
               json_pack("{s:o, s:o}", "answer", js_real(r->truth_median), "mean_absolute_error",
                         js_real(r->baseline))));
    TRY(put_residuals(r, o));
    return put_steps(r, o);
}

struct status
assessment_put_performance(const struct assessed *a, json_t *d)
{
    json_t *o = json_object();
    TRY(js_set(d, "performance", o));
    switch (a->task) {
    case MODEL_BINARY:
        return put_binary(a, o);
    case MODEL_CLASSES:
        return put_classes(a, d, o);
    default:
        return put_numbers(a, o);
    }
}
