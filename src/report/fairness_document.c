#include "report/fairness_document.h"

#include "assess/group_auc.h"
#include "report/document.h"
#include "report/fairness_parts.h"

#include <math.h>
#include <stdio.h>

#define FORMAT "steward-fairness-1"
#define STRATA_MAX 256u

struct status
fairness_remark(const struct fairness_work *w, const char *format, ...)
{
    DEFER(buf_done) struct buf b;
    buf_init(&b, 4096);
    va_list args;
    va_start(args, format);
    buf_vprintf(&b, format, args);
    va_end(args);
    CHECK(json_array_append_new(w->remarks, js_sentence(buf_str(&b))) == 0, MEMORY);
    return OK;
}

/* ---- tallies ---- */

static void
work_done(struct fairness_work *w)
{
    free(w->tally);
    free(w->cell);
    free(w->order);
    group_rows_done(&w->sorted);
}

static struct status
tally_counts(struct fairness_work *w)
{
    DEFER(memory_freep)
    uint64_t *slots = calloc((size_t)w->cells * GROUP_SLOTS, sizeof *slots);
    CHECK(slots != NULL, MEMORY);
    TRY(group_count(&w->columns, w->y, w->decision, w->in->rows, w->in->threads, slots));
    for (uint32_t c = 0; c < w->cells; c++) {
        w->tally[c] = group_tally_of_slots(slots + (size_t)c * GROUP_SLOTS);
    }
    return OK;
}

/* Near the label's mean, so that sums of powers lose no digits. */
static double
centre_of(const struct group_rows *r)
{
    double sum = 0, n = 0;
    for (size_t i = 0; i < r->rows; i++) {
        if (!isnan(r->value[i])) {
            sum += r->value[i];
            n++;
        }
    }
    return n > 0 ? sum / n : 0;
}

static struct status
number_cells(struct fairness_work *w)
{
    if (w->cell == NULL) {
        w->cell = calloc(w->in->rows + 1, sizeof *w->cell);
        CHECK(w->cell != NULL, MEMORY);
        group_cell_of(&w->columns, 0, w->in->rows, w->cell);
    }
    return OK;
}

static struct status
tally_rows(struct fairness_work *w)
{
    const struct fairness_input *in = w->in;
    TRY(number_cells(w));
    const struct group_rows r = {in->rows,      w->y,       w->decision, in->value,
                                 in->predicted, in->weight, w->cell,     0};
    w->order = calloc(in->rows + 1, sizeof *w->order);
    CHECK(w->order != NULL, MEMORY);
    TRY(group_rows_order(&r, w->order));
    TRY(group_rows_sorted(&r, w->order, &w->sorted));
    w->centre = in->value == NULL ? 0 : centre_of(&w->sorted);
    w->sorted.centre = w->centre;
    return group_tally_all(&w->sorted, w->cells, in->threads, w->tally);
}

static struct status
choose_replicates(struct fairness_work *w)
{
    const double draws = (double)w->in->rows * w->in->replicates;
    bool needed = false;
    for (unsigned m = 0; m < GROUP_METRICS; m++) {
        needed =
            needed || ((w->metrics >> m & 1) != 0 && group_gap_bootstraps((enum group_metric)m));
    }
    w->replicates = needed ? w->in->replicates : 0;
    if (!needed || draws <= FAIRNESS_ROW_DRAWS) {
        return OK;
    }
    const double fit = floor(FAIRNESS_ROW_DRAWS / (double)w->in->rows);
    const uint32_t least = FAIRNESS_REPLICATES_LEAST < w->in->replicates ? FAIRNESS_REPLICATES_LEAST
                                                                         : w->in->replicates;
    w->replicates = fit > least ? (uint32_t)fit : least;
    return fairness_remark(
        w,
        "the bootstrap draws each row's weight: %u replicates instead of %u for %zu "
        "rows",
        w->replicates, w->in->replicates, w->in->rows);
}

static struct status
tally(struct fairness_work *w)
{
    const struct fairness_input *in = w->in;
    w->tally = calloc(w->cells, sizeof *w->tally);
    CHECK(w->tally != NULL, MEMORY);
    if (in->features != NULL || w->of_classes) {
        TRY(number_cells(w));
    }
    if (in->predicted == NULL && in->weight == NULL) {
        TRY(tally_counts(w));
    } else {
        TRY(tally_rows(w));
    }
    w->ranked = w->y != NULL && in->predicted != NULL && !w->of_classes;
    return choose_replicates(w);
}

static uint32_t
metrics_of(const struct fairness_input *in, bool of_classes)
{
    uint32_t metrics = 0;
    const bool numeric = in->task == FAIRNESS_NUMERIC, scored = !numeric && in->predicted != NULL;
    for (unsigned m = 0; m < GROUP_METRICS; m++) {
        const enum group_need need = group_metric_need((enum group_metric)m);
        const bool has = need == GROUP_NEEDS_DECISION ? !numeric
                         : need == GROUP_NEEDS_SCORE  ? scored
                         : need == GROUP_NEEDS_VALUE  ? scored || numeric
                                                      : false;
        metrics |= has ? 1u << m : 0u;
    }
    return of_classes ? FAIRNESS_OF_CLASSES : metrics;
}

/* ---- the input ---- */

static struct status
refuse_row(struct diag *diag, const char *column, size_t row, double v, const char *what)
{
    diag_set(diag, "column \"%.100s\" row %zu: %.6g is %s", column, row + 1, v, what);
    FAIL(INPUT);
}

static struct status
check_numbers(const struct fairness_input *in, struct diag *diag)
{
    for (size_t i = 0; in->task == FAIRNESS_BINARY && in->predicted != NULL && i < in->rows; i++) {
        const double p = in->predicted[i];
        if (p < 0 || p > 1) {
            return refuse_row(diag, in->score, i, p, "no probability: a score is from 0 to 1");
        }
    }
    for (size_t i = 0; in->weight != NULL && i < in->rows; i++) {
        const double v = in->weight[i];
        if (isnan(v)) {
            diag_set(diag,
                     "column \"%.100s\" row %zu: no weight: write 0 for a row that is to count "
                     "for nothing",
                     in->weight_name == NULL ? "weight" : in->weight_name, i + 1);
            FAIL(INPUT);
        }
        if (v < 0 || isinf(v)) {
            return refuse_row(diag, in->weight_name == NULL ? "weight" : in->weight_name, i, v,
                              "no weight: weights are numbers of 0 and more");
        }
    }
    for (size_t i = 0; in->task == FAIRNESS_NUMERIC && i < in->rows; i++) {
        if (isinf(in->value[i]) || isinf(in->predicted[i])) {
            return refuse_row(diag, isinf(in->value[i]) ? in->label : in->prediction, i, INFINITY,
                              "infinite: means of it do not exist");
        }
    }
    return OK;
}

static struct status
take_columns(const struct fairness_input *in, struct diag *diag, struct fairness_work *w)
{
    const uint32_t n = in->sensitive_count + in->control_count;
    if (in->sensitive_count == 0 || n > FAIRNESS_COLUMNS_MAX) {
        diag_set(diag,
                 "%u sensitive and %u control columns: at least one sensitive, at most %u "
                 "in all",
                 in->sensitive_count, in->control_count, FAIRNESS_COLUMNS_MAX);
        FAIL(INPUT);
    }
    w->columns.count = n;
    double cells = 1;
    for (uint32_t k = 0; k < n; k++) {
        const struct assessment_factor *f =
            k < in->sensitive_count ? &in->sensitive[k] : &in->control[k - in->sensitive_count];
        w->columns.code[k] = f->code;
        w->columns.levels[k] = f->level_count;
        cells *= (double)f->level_count + 1;
    }
    w->cells = group_cells(&w->columns);
    if (w->cells == 0) {
        diag_set(diag,
                 "the columns have %.0f combinations of levels, over the limit of %u: give fewer "
                 "columns, or bring levels together",
                 cells, GROUP_CELLS_MAX);
        FAIL(LIMIT);
    }
    if (fairness_strata(w) > STRATA_MAX) {
        diag_set(diag, "the control columns have %u strata; at most %u are compared",
                 fairness_strata(w), STRATA_MAX);
        FAIL(LIMIT);
    }
    return OK;
}

struct missing {
    uint64_t label, prediction, score, weightless, whole;
};

static struct missing
count_missing(const struct fairness_input *in)
{
    struct missing n = {0};
    for (size_t i = 0; i < in->rows; i++) {
        const bool label = in->task == FAIRNESS_BINARY    ? in->y[i] > 1
                           : in->task == FAIRNESS_CLASSES ? in->y_class[i] < 0
                                                          : isnan(in->value[i]);
        const bool prediction = in->task == FAIRNESS_BINARY    ? in->decision[i] > 1
                                : in->task == FAIRNESS_CLASSES ? in->decision_class[i] < 0
                                                               : isnan(in->predicted[i]);
        const bool score =
            in->task == FAIRNESS_BINARY && in->predicted != NULL && isnan(in->predicted[i]);
        const bool none = in->weight != NULL && in->weight[i] == 0;
        n.label += label;
        n.prediction += !label && prediction;
        n.score += !label && !prediction && score;
        n.weightless += !label && !prediction && !score && none;
        n.whole += !label && !prediction && !score && !none;
    }
    return n;
}

static struct status
put_missing(const struct fairness_input *in, struct diag *diag, json_t *d)
{
    const struct missing n = count_missing(in);
    if (n.whole == 0) {
        diag_set(diag, "no row has a label and a prediction%s",
                 in->weight != NULL ? " and a weight over 0" : "");
        FAIL(INPUT);
    }
    TRY(js_set(d, "rows", json_integer((json_int_t)in->rows)));
    TRY(js_set(d, "rows_assessed", json_integer((json_int_t)n.whole)));
    TRY(js_set(d, "rows_without_label", json_integer((json_int_t)n.label)));
    TRY(js_set(d, "rows_without_prediction", json_integer((json_int_t)n.prediction)));
    TRY(js_set(d, "rows_without_score", json_integer((json_int_t)n.score)));
    return js_set(d, "rows_without_weight", json_integer((json_int_t)n.weightless));
}

static struct status
put_subject(const struct fairness_input *in, json_t *d)
{
    static const char *const tasks[] = {[FAIRNESS_BINARY] = "binary",
                                        [FAIRNESS_CLASSES] = "classes",
                                        [FAIRNESS_NUMERIC] = "numeric"};
    TRY(js_set(d, "format", json_string(FORMAT)));
    TRY(js_set(d, "task", json_string(tasks[in->task])));
    TRY(js_set(d, "label", json_string(in->label)));
    TRY(js_set(d, "prediction", json_string(in->prediction)));
    TRY(js_set(d, "score", in->score == NULL ? json_null() : json_string(in->score)));
    TRY(js_set(d, "positive", in->positive == NULL ? json_null() : json_string(in->positive)));
    TRY(js_set(d, "adverse", json_boolean(in->adverse)));
    TRY(js_set(d, "weighted", json_boolean(in->weight != NULL)));
    TRY(js_set(d, "level", js_real(in->level)));
    TRY(js_set(d, "false_discovery_rate", js_real(in->q)));
    return js_set(d, "min_group", json_integer(in->min_group));
}

static bool
is_empty(const struct fairness_input *in, const struct assessment_factor *f)
{
    size_t i = 0;
    while (i < in->rows && f->code[i] < 0) {
        i++;
    }
    return i == in->rows;
}

static struct status
put_without_groups(const struct fairness_input *in, json_t *d)
{
    json_t *list = json_array();
    TRY(js_set(d, "without_groups", list));
    for (uint32_t k = 0; k < in->sensitive_count; k++) {
        if (is_empty(in, &in->sensitive[k])) {
            TRY(document_add_without_groups(list, in->sensitive[k].name,
                                            "has no value in any row"));
        }
    }
    return OK;
}

static struct status
remark_on_groups(const struct fairness_work *w)
{
    const struct fairness_input *in = w->in;
    for (uint32_t k = 0; k < w->columns.count; k++) {
        const struct assessment_factor *f =
            k < in->sensitive_count ? &in->sensitive[k] : &in->control[k - in->sensitive_count];
        size_t missing = 0;
        for (size_t i = 0; i < in->rows; i++) {
            missing += f->code[i] < 0;
        }
        if (missing == in->rows) {
            TRY(fairness_remark(w, "column \"%.100s\" has no value in any row: no group of it",
                                f->name));
        } else if (missing > 0) {
            TRY(fairness_remark(
                w, "column \"%.100s\" is missing in %zu rows: they are in no group of it", f->name,
                missing));
        }
    }
    return OK;
}

static struct status
remark_on_classes(const struct fairness_work *w, const struct group_tally *all)
{
    const double *n = all->count;
    if (w->y == NULL || all->rows == 0) {
        return OK;
    }
    if (n[GROUP_TP] + n[GROUP_FN] == 0 || n[GROUP_TN] + n[GROUP_FP] == 0) {
        TRY(fairness_remark(w, "%s is true in %s row: rates of the other kind do not exist",
                            w->positive, n[GROUP_TP] + n[GROUP_FN] == 0 ? "no" : "every"));
    }
    if (n[GROUP_TP] + n[GROUP_FP] == 0 || n[GROUP_TN] + n[GROUP_FN] == 0) {
        TRY(fairness_remark(
            w, "%s is predicted in %s row: a constant prediction treats all groups alike",
            w->positive, n[GROUP_TP] + n[GROUP_FP] == 0 ? "no" : "every"));
    }
    return OK;
}

static struct status
run(const struct fairness_input *in, const char *positive, const uint8_t *y,
    const uint8_t *decision, bool of_classes, struct diag *diag, json_t *remarks, json_t *o)
{
    DEFER(work_done)
    struct fairness_work w = {.in = in,
                              .positive = positive,
                              .y = y,
                              .decision = decision,
                              .of_classes = of_classes,
                              .metrics = metrics_of(in, of_classes),
                              .remarks = remarks};
    TRY(take_columns(in, diag, &w));
    TRY(tally(&w));
    if (of_classes || in->task != FAIRNESS_CLASSES) {
        TRY(remark_on_groups(&w));
    }
    struct group_tally all = {0};
    for (uint32_t c = 0; c < w.cells; c++) {
        group_tally_add(&all, &w.tally[c]);
    }
    if (!of_classes) {
        TRY(remark_on_classes(&w, &all));
    }
    TRY(fairness_analyse(&w, o));
    return js_set(o, "bootstrap",
                  json_pack("{s:I, s:I, s:s}", "replicates", (json_int_t)w.replicates, "seed",
                            (json_int_t)in->seed, "drawn", w.replicates > 0 ? "rows" : "none"));
}

/* ---- several classes: each against the others ---- */

static struct status
put_class(const struct fairness_input *in, uint32_t class, struct diag *diag, json_t *remarks,
          json_t *list)
{
    DEFER(memory_freep) uint8_t *y = malloc(in->rows + 1);
    DEFER(memory_freep) uint8_t *decision = malloc(in->rows + 1);
    DEFER(memory_freep) char *positive = NULL;
    CHECK(y != NULL && decision != NULL, MEMORY);
    CHECK(asprintf(&positive, "%s = %s", in->label, in->classes[class]) > 0, MEMORY);
    for (size_t i = 0; i < in->rows; i++) {
        const bool whole = in->y_class[i] >= 0 && in->decision_class[i] >= 0;
        y[i] = !whole ? 2 : in->y_class[i] == (int32_t) class;
        decision[i] = !whole ? 2 : in->decision_class[i] == (int32_t) class;
    }
    json_t *o = json_pack("{s:s}", "class", in->classes[class]);
    CHECK(o != NULL && json_array_append_new(list, o) == 0, MEMORY);
    return run(in, positive, y, decision, false, diag, remarks, o);
}

/* All classes at once: each row's answer is to be found, and is or is not. */
static struct status
put_all_classes(const struct fairness_input *in, struct diag *diag, json_t *remarks, json_t *d)
{
    DEFER(memory_freep) uint8_t *y = malloc(in->rows + 1);
    DEFER(memory_freep) uint8_t *right = malloc(in->rows + 1);
    CHECK(y != NULL && right != NULL, MEMORY);
    for (size_t i = 0; i < in->rows; i++) {
        const bool whole = in->y_class[i] >= 0 && in->decision_class[i] >= 0;
        y[i] = whole ? 1 : 2;
        right[i] = !whole ? 2 : in->y_class[i] == in->decision_class[i];
    }
    return run(in, in->label, y, right, true, diag, remarks, d);
}

static struct status
put_classes(const struct fairness_input *in, struct diag *diag, json_t *remarks, json_t *d)
{
    json_t *list = json_array();
    TRY(js_set(d, "classes", list));
    if (in->class_count > FAIRNESS_CLASSES_MAX) {
        diag_set(diag, "label \"%.100s\" has %u classes; at most %u are compared", in->label,
                 in->class_count, FAIRNESS_CLASSES_MAX);
        FAIL(LIMIT);
    }
    TRY(put_all_classes(in, diag, remarks, d));
    for (uint32_t k = 0; k < in->class_count; k++) {
        TRY(put_class(in, k, diag, remarks, list));
    }
    return OK;
}

struct status
fairness_document(const struct fairness_input *in, struct diag *diag, json_t **ret_document)
{
    DEFER(js_freep) json_t *d = json_object();
    json_t *remarks = json_array();
    CHECK(d != NULL, MEMORY);
    TRY(put_subject(in, d));
    TRY(js_set(d, "remarks", remarks));
    TRY(check_numbers(in, diag));
    TRY(put_missing(in, diag, d));
    TRY(put_without_groups(in, d));
    if (in->task == FAIRNESS_CLASSES) {
        TRY(put_classes(in, diag, remarks, d));
    } else {
        TRY(run(in, in->positive, in->y, in->decision, false, diag, remarks, d));
    }
    *ret_document = MOVE(d);
    return OK;
}
