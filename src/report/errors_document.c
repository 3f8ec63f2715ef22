#include "report/errors_document.h"

#include "assess/performance.h"
#include "base/text.h"
#include "num/fdr.h"
#include "num/hypergeometric.h"
#include "num/normal.h"
#include "num/tail.h"
#include "report/assessment_parts.h"
#include "report/errors_document_parts.h"

#include <math.h>
#include <stdlib.h>

#define WORST_VALUES 20u /* features shown with a worst prediction */

static const char *const tasks[] = {
    [ERRORS_BINARY] = "binary", [ERRORS_CLASSES] = "classes", [ERRORS_NUMERIC] = "numeric"};

struct status
errors_put_metrics(const struct errors_input *in, const uint32_t *row, size_t n, json_t *o)
{
    struct errors_value v[ERRORS_METRICS];
    json_t *metrics = json_object();
    TRY(js_set(o, "metrics", metrics));
    TRY(errors_metrics_of(&in->outcome, row, n, in->level, v));
    for (int m = 0; m < ERRORS_METRICS; m++) {
        if (errors_metric_fits((enum errors_metric)m, in->outcome.kind)) {
            TRY(js_set(metrics, errors_metric_word((enum errors_metric)m),
                       json_pack("{s:o, s:o, s:o}", "value", js_real(v[m].value), "n",
                                 errors_number(v[m].n), "ci", assessment_interval(v[m].ci))));
        }
    }
    return OK;
}

/* ---- what was looked at ---- */

static struct status
put_subject(const struct errors_input *in, json_t *d)
{
    const enum errors_kind kind = in->outcome.kind;
    json_t *classes = json_array();
    TRY(js_set(d, "format", json_string(ERRORS_FORMAT)));
    TRY(js_set(d, "task", json_string(tasks[kind])));
    TRY(js_set(d, "label", json_string(in->label)));
    TRY(js_set(d, "prediction", json_string(in->prediction)));
    TRY(js_set(d, "score", in->score_name == NULL ? json_null() : json_string(in->score_name)));
    TRY(js_set(d, "classes", classes));
    for (uint32_t k = 0; kind != ERRORS_NUMERIC && k < in->outcome.classes; k++) {
        CHECK(json_array_append_new(classes, json_string(in->classes[k])) == 0, MEMORY);
    }
    TRY(js_set(d, "positive", kind == ERRORS_BINARY ? json_string(in->classes[1]) : json_null()));
    TRY(js_set(d, "rows_read", json_integer((json_int_t)in->rows_read)));
    TRY(js_set(d, "rows", json_integer((json_int_t)in->outcome.rows)));
    TRY(js_set(d, "level", js_real(in->level)));
    TRY(js_set(d, "remarks", json_incref(in->remarks)));
    TRY(js_set(d, "metric", json_string(errors_metric_word(in->metric))));
    TRY(js_set(d, "metric_better", json_integer(errors_metric_better(in->metric))));
    return OK;
}

static struct status
put_confusion(const struct errors_input *in, json_t *d)
{
    const uint32_t n = in->outcome.classes;
    if (in->outcome.kind == ERRORS_NUMERIC) {
        return OK;
    }
    DEFER(memory_freep) uint64_t *counts = calloc((size_t)n * n + 1, sizeof *counts);
    CHECK(counts != NULL, MEMORY);
    errors_confusion(&in->outcome, NULL, in->outcome.rows, counts);
    json_t *lines = json_array();
    TRY(js_set(d, "confusion", lines));
    for (uint32_t y = 0; y < n; y++) {
        json_t *line = json_array();
        CHECK(json_array_append_new(lines, line) == 0, MEMORY);
        for (uint32_t x = 0; x < n; x++) {
            json_t *count = json_integer((json_int_t)counts[(size_t)y * n + x]);
            CHECK(json_array_append_new(line, count) == 0, MEMORY);
        }
    }
    return OK;
}

/* ---- scores ---- */

struct status
errors_put_curve(const struct calibration *c, const char *key, json_t *calibration)
{
    json_t *bins = json_array();
    TRY(js_set(calibration, key,
               json_pack("{s:o, s:o, s:o, s:o, s:o}", "ece", js_real(c->ece), "ece_ci",
                         assessment_interval(c->ece_ci), "ece_noise", js_real(c->ece_noise), "mce",
                         js_real(c->mce), "bins", bins)));
    for (uint32_t b = 0; b < c->bins; b++) {
        const struct calibration_bin *k = &c->bin[b];
        json_t *o = json_pack("{s:o, s:o, s:I, s:o, s:o, s:o}", "low", js_real(k->low), "high",
                              js_real(k->high), "rows", (json_int_t)k->rows, "mean_score",
                              js_real(k->mean_score), "observed", js_real(k->observed), "ci",
                              assessment_interval(k->ci));
        CHECK(json_array_append_new(bins, o) == 0, MEMORY);
    }
    return OK;
}

static struct status
put_scores(const struct errors_input *in, json_t *d)
{
    const size_t rows = in->outcome.rows;
    if (in->score == NULL) {
        return OK;
    }
    DEFER(memory_freep) uint8_t *y = calloc(rows + 1, 1);
    DEFER(memory_freep) struct calibration *c = calloc(1, sizeof *c);
    DEFER(memory_freep) struct performance *p = calloc(1, sizeof *p);
    CHECK(y != NULL && c != NULL && p != NULL, MEMORY);
    for (size_t i = 0; i < rows; i++) {
        y[i] = in->outcome.label[i] == 1;
    }
    json_t *calibration = json_object();
    TRY(js_set(d, "calibration", calibration));
    TRY(calibration_of(y, in->score, rows, PERFORMANCE_BINS, false, in->level, in->seed, c));
    TRY(errors_put_curve(c, "equal_count", calibration));
    TRY(calibration_of(y, in->score, rows, PERFORMANCE_BINS, true, in->level, in->seed, c));
    TRY(errors_put_curve(c, "equal_width", calibration));
    TRY(performance_binary(y, in->score, rows, 0.5, in->level, p));
    return js_set(d, "scores",
                  json_pack("{s:o, s:o, s:o, s:o, s:o}", "roc_auc", js_real(p->roc_auc),
                            "roc_auc_ci", assessment_interval(p->roc_auc_ci), "average_precision",
                            js_real(p->average_precision), "log_loss", js_real(p->log_loss),
                            "brier", js_real(p->brier)));
}

/* ---- features ---- */

static struct status
put_features(const struct errors_work *w, json_t *d)
{
    const uint32_t n = w->columns.count;
    DEFER(memory_freep) double *p = calloc((size_t)n + 1, sizeof *p);
    DEFER(memory_freep) size_t *space = calloc((size_t)n + 1, sizeof *space);
    CHECK(p != NULL && space != NULL, MEMORY);
    for (uint32_t f = 0; f < n; f++) {
        p[f] = w->mutual[f].p;
    }
    fdr_adjust(FDR_BENJAMINI_HOCHBERG, p, n, space, p);
    json_t *list = json_array();
    TRY(js_set(d, "features", list));
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t f = w->order[i];
        const struct errors_mutual *m = &w->mutual[f];
        json_t *o =
            json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:I}", "feature", w->columns.item[f].name,
                      "mutual_information", js_real(m->mutual_information), "corrected",
                      js_real(m->corrected), "noise", js_real(m->noise), "p", js_real(m->p),
                      "p_adjusted", js_real(p[f]), "values_pooled", (json_int_t)m->pooled);
        CHECK(o != NULL && json_array_append_new(list, o) == 0, MEMORY);
    }
    return OK;
}

/* ---- the tree, with metrics ---- */

/* Rows in the order of the leaves from left to right, so that each node's are in one piece. */
struct leaf_order {
    const struct errors_tree *t;
    uint32_t *row;
    size_t *begin; /* of a leaf, its next place */
};

static void
place_leaves(struct leaf_order *o, uint32_t k, size_t *at)
{
    const struct errors_node *n = &o->t->node[k];
    o->begin[k] = *at;
    if (n->left < 0) {
        *at += n->rows;
        return;
    }
    place_leaves(o, (uint32_t)n->left, at);
    place_leaves(o, (uint32_t)n->right, at);
}

static struct status
put_node_metrics(const struct errors_work *w, const struct errors_tree *t, json_t *nodes)
{
    const size_t rows = w->columns.rows;
    DEFER(memory_freep) uint16_t *leaf = calloc(rows + 1, sizeof *leaf);
    DEFER(memory_freep) uint32_t *row = calloc(rows + 1, sizeof *row);
    DEFER(memory_freep) size_t *begin = calloc(2 * (size_t)t->nodes, sizeof *begin);
    CHECK(leaf != NULL && row != NULL && begin != NULL, MEMORY);
    size_t at = 0, *next = begin + t->nodes;
    struct leaf_order o = {t, row, begin};
    errors_tree_leaves(t, w->features, rows, leaf);
    place_leaves(&o, 0, &at);
    memcpy(next, begin, t->nodes * sizeof *next);
    for (size_t i = 0; i < rows; i++) {
        row[next[leaf[i]]++] = (uint32_t)i;
    }
    for (uint32_t k = 0; k < t->nodes; k++) {
        TRY(errors_put_metrics(w->in, row + begin[k], t->node[k].rows, json_array_get(nodes, k)));
    }
    return OK;
}

static struct status
put_tree(const struct errors_work *w, json_t *d)
{
    const struct errors_input *in = w->in;
    DEFER(memory_freep) struct errors_tree *t = calloc(1, sizeof *t);
    CHECK(t != NULL, MEMORY);
    TRY(errors_tree_grow(w->features, w->columns.count, w->loss, in->outcome.rows, &in->tree, t));
    TRY(js_set(d, "max_depth", json_integer(in->tree.max_depth)));
    TRY(js_set(d, "max_leaves", json_integer(in->tree.max_leaves)));
    TRY(js_set(d, "min_rows", json_integer(in->tree.min_rows)));
    TRY(errors_put_tree(&w->columns, t, d));
    return put_node_metrics(w, t, json_object_get(d, "tree"));
}

/* ---- the map ---- */

static struct status
put_map(const struct errors_work *w, json_t *d)
{
    const struct errors_input *in = w->in;
    uint32_t x = in->map[0], y = in->map[1];
    if (w->columns.count == 0) {
        return OK;
    }
    if (x == ERRORS_NO_FEATURE) {
        x = w->order[0];
        y = w->columns.count > 1 ? w->order[1] : x;
    }
    TRY(js_set(d, "cut",
               json_string(in->cut == ERRORS_EQUAL_WIDTH ? "equal_width" : "equal_count")));
    return errors_put_map(&w->columns, x, y == x ? ERRORS_NO_FEATURE : y, w->loss, in->bins,
                          in->cut, d);
}

/* ---- cohorts ---- */

/* Of the mean loss inside against outside: Fisher's exact test, twice the smaller side, or Welch's
 * t with the loss of numbers. */
static double
p_of_rates(const struct errors_value *in, const struct errors_value *out)
{
    const uint64_t x = (uint64_t)in->x, n = (uint64_t)in->n, all = n + (uint64_t)out->n,
                   kind = x + (uint64_t)out->x;
    const double up = hypergeometric_upper(x, n, kind, all);
    const double down = hypergeometric_upper(n - x, n, all - kind, all);
    return fmin(1, 2 * fmin(up, down));
}

static double
se_of(const struct errors_value *v, double level)
{
    const double z = normal_quantile((1 + level) / 2);
    return (v->ci.high - v->value) / z; /* the lower end may be cut at 0 */
}

static double
p_of_means(const struct errors_value *in, const struct errors_value *out, double level)
{
    const double a = pow(se_of(in, level), 2), b = pow(se_of(out, level), 2);
    const double df = (a + b) * (a + b) / (a * a / (in->n - 1) + b * b / (out->n - 1));
    return tail_student((in->value - out->value) / sqrt(a + b), df);
}

static struct interval
difference_ci(const struct errors_input *in, const struct errors_value *a,
              const struct errors_value *b)
{
    if (in->outcome.kind != ERRORS_NUMERIC) {
        return interval_newcombe(a->x, a->n, b->x, b->n, in->level);
    }
    const double half = hypot(a->ci.high - a->value, b->ci.high - b->value);
    const double d = a->value - b->value;
    return (struct interval){d - half, d + half};
}

static struct status
put_cohort(const struct errors_work *w, const struct errors_cohort *c, json_t *list, double *ret_p)
{
    const struct errors_input *in = w->in;
    const size_t rows = in->outcome.rows;
    const enum errors_metric m = in->outcome.kind == ERRORS_NUMERIC ? ERRORS_MAE : ERRORS_RATE;
    struct errors_value a[ERRORS_METRICS], b[ERRORS_METRICS];
    DEFER(memory_freep) uint32_t *row = calloc(rows + 1, sizeof *row);
    CHECK(row != NULL, MEMORY);
    size_t inside = 0, at = rows;
    for (size_t i = 0; i < rows; i++) {
        row[c->in[i] != 0 ? inside++ : --at] = (uint32_t)i;
    }
    json_t *rest = json_object();
    json_t *o = json_pack("{s:s*, s:s, s:I, s:o}", "name", c->name, "cohort", c->cohort, "rows",
                          (json_int_t)inside, "rest", rest);
    CHECK(o != NULL && json_array_append_new(list, o) == 0, MEMORY);
    TRY(errors_put_metrics(in, row, inside, o));
    TRY(errors_put_metrics(in, row + inside, rows - inside, rest));
    TRY(errors_metrics_of(&in->outcome, row, inside, in->level, a));
    TRY(errors_metrics_of(&in->outcome, row + inside, rows - inside, in->level, b));
    *ret_p = inside == 0 || inside == rows        ? NAN
             : in->outcome.kind == ERRORS_NUMERIC ? p_of_means(&a[m], &b[m], in->level)
                                                  : p_of_rates(&a[m], &b[m]);
    TRY(js_set(o, "difference", js_real(a[m].value - b[m].value)));
    return js_set(o, "difference_ci", assessment_interval(difference_ci(in, &a[m], &b[m])));
}

static struct status
put_cohorts(const struct errors_work *w, json_t *d)
{
    const uint32_t n = w->in->cohort_count;
    DEFER(memory_freep) double *p = calloc(2 * (size_t)n + 1, sizeof *p);
    DEFER(memory_freep) size_t *space = calloc((size_t)n + 1, sizeof *space);
    CHECK(p != NULL && space != NULL, MEMORY);
    json_t *list = json_array();
    TRY(js_set(d, "cohorts", list));
    for (uint32_t i = 0; i < n; i++) {
        TRY(put_cohort(w, &w->in->cohorts[i], list, &p[i]));
    }
    fdr_adjust(FDR_BENJAMINI_HOCHBERG, p, n, space, p + n);
    for (uint32_t i = 0; i < n; i++) {
        TRY(js_set(json_array_get(list, i), "p", js_real(p[i])));
        TRY(js_set(json_array_get(list, i), "p_adjusted", js_real(p[n + i])));
    }
    return OK;
}

/* ---- worst predictions ---- */

struct bad_row {
    double loss;
    size_t row;
};

static int
compare_bad(const void *a, const void *b)
{
    const struct bad_row *x = a, *y = b;
    if (x->loss > y->loss || x->loss < y->loss) {
        return x->loss > y->loss ? -1 : 1;
    }
    return (x->row > y->row) - (x->row < y->row);
}

/* How far off: the absolute error, one less the score of the truth, or 1 for a wrong class. */
static double
distance(const struct errors_work *w, size_t i)
{
    const struct errors_input *in = w->in;
    return in->score != NULL         ? fabs((double)(in->outcome.label[i] == 1) - in->score[i])
           : in->truth_score != NULL ? 1 - in->truth_score[i]
                                     : w->loss[i];
}

static struct status
put_bad_row(const struct errors_work *w, const struct bad_row *bad, json_t *list)
{
    const struct errors_input *in = w->in;
    const struct errors_outcome *o = &in->outcome;
    const bool numeric = o->kind == ERRORS_NUMERIC;
    const size_t i = bad->row;
    json_t *values = json_object();
    json_t *line = json_pack(
        "{s:I, s:o, s:o, s:o, s:o, s:o}", "row", (json_int_t)in->row_number[i], "label",
        numeric ? js_real(o->truth[i]) : json_string(in->classes[o->label[i]]), "prediction",
        numeric ? js_real(o->prediction[i]) : json_string(in->classes[o->decision[i]]), "score",
        js_real(in->score != NULL         ? in->score[i]
                : in->truth_score != NULL ? in->truth_score[i]
                                          : NAN),
        "loss", js_real(bad->loss), "values", values);
    CHECK(line != NULL && json_array_append_new(list, line) == 0, MEMORY);
    for (uint32_t k = 0; k < w->columns.count && k < WORST_VALUES; k++) {
        const struct assessment_feature *f = &w->columns.item[w->order[k]];
        const double v = f->value[i];
        TRY(js_set(values, f->name,
                   isnan(v)            ? json_null()
                   : f->levels != NULL ? json_string(f->levels[(uint32_t)v])
                                       : js_real(v)));
    }
    return OK;
}

static struct status
put_worst(const struct errors_work *w, json_t *d)
{
    const size_t rows = w->in->outcome.rows;
    DEFER(memory_freep) struct bad_row *bad = calloc(rows + 1, sizeof *bad);
    CHECK(bad != NULL, MEMORY);
    size_t n = 0;
    for (size_t i = 0; i < rows; i++) {
        if (w->loss[i] > 0) {
            bad[n++] = (struct bad_row){distance(w, i), i};
        }
    }
    qsort(bad, n, sizeof *bad, compare_bad);
    json_t *list = json_array();
    TRY(js_set(d, "rows_wrong", json_integer((json_int_t)n)));
    TRY(js_set(d, "worst_predictions", list));
    for (size_t i = 0; i < n && i < w->in->worst; i++) {
        TRY(put_bad_row(w, &bad[i], list));
    }
    return OK;
}

/* ---- the whole ---- */

static void
work_done(struct errors_work *w)
{
    errors_columns_done(&w->columns);
    free(w->features);
    free(w->loss);
    free(w->order);
    free(w->mutual);
}

static struct status
work_init(const struct errors_input *in, struct errors_work *w)
{
    const uint32_t n = in->feature_count;
    w->in = in;
    TRY(errors_columns_of(in->features, n, in->outcome.rows, &w->columns));
    w->features = calloc((size_t)n + 1, sizeof *w->features);
    w->loss = calloc(in->outcome.rows + 1, sizeof *w->loss);
    w->order = calloc((size_t)n + 1, sizeof *w->order);
    w->mutual = calloc((size_t)n + 1, sizeof *w->mutual);
    CHECK(w->features != NULL && w->loss != NULL && w->order != NULL && w->mutual != NULL, MEMORY);
    for (uint32_t f = 0; f < n; f++) {
        w->features[f] =
            (struct errors_feature){in->features[f].value, in->features[f].level_count};
    }
    errors_loss(&in->outcome, w->loss);
    TRY(errors_mutual_of(w->features, n, w->loss, in->outcome.rows, w->mutual));
    errors_mutual_order(w->mutual, n, w->order);
    return OK;
}

struct status
errors_document(const struct errors_input *in, struct diag *diag, json_t **ret_document)
{
    if (in->outcome.rows == 0) {
        diag_set(diag, "no row has both a label and a prediction");
        FAIL(INPUT);
    }
    DEFER(work_done) struct errors_work w = {0};
    DEFER(js_freep) json_t *d = json_object();
    CHECK(d != NULL, MEMORY);
    TRY(work_init(in, &w));
    TRY(put_subject(in, d));
    TRY(errors_put_metrics(in, NULL, in->outcome.rows, d));
    TRY(put_confusion(in, d));
    TRY(put_scores(in, d));
    TRY(put_features(&w, d));
    TRY(put_tree(&w, d));
    TRY(put_map(&w, d));
    TRY(errors_put_slices(&w, d));
    TRY(put_cohorts(&w, d));
    TRY(put_worst(&w, d));
    *ret_document = MOVE(d);
    return OK;
}
