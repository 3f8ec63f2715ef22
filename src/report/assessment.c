#include "report/assessment.h"

#include "assess/explain.h"
#include "assess/performance.h"
#include "base/clock.h"
#include "base/text.h"
#include "report/assessment_parts.h"
#include "report/document.h"
#include "report/findings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAIRS_MAX 6u
#define CELLS_MAX 4096u /* groups of one factor, and of an intersection */

/* ---- small things ---- */

json_t *
assessment_interval(struct interval ci)
{
    return json_pack("[o, o]", js_real(ci.low), js_real(ci.high));
}

void
assessment_put_number(struct buf *b, double v)
{
    char text[32];
    for (int digits = 1; digits <= 9; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, v);
        if (!isfinite(v) || (float)strtod(text, NULL) == (float)v) {
            break;
        }
    }
    buf_put_str(b, text);
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

static void
tell(const struct assessment_input *in, const char *stage)
{
    if (in->progress != NULL) {
        in->progress(in->progress_ctx, stage);
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
    TRY(js_set(d, "min_group", json_integer(in->min_group)));
    return js_set(d, "level", js_real(in->level));
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
    TRY(performance_binary(in->y, in->score, in->rows, in->threshold, in->level, p));
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

/* Names of cells: a level, or "a = yes, b = no". */
struct grouping {
    char *name;
    const char *column[2]; /* the second is NULL for one column alone */
    int32_t *code;         /* rows */
    char **levels;
    uint32_t level_count;
};

static void
grouping_done(struct grouping *g)
{
    for (uint32_t i = 0; g->levels != NULL && i < g->level_count; i++) {
        free(g->levels[i]);
    }
    free(g->levels);
    free(g->code);
    free(g->name);
}

static struct status
grouping_of(const struct assessment_factor *f, size_t rows, struct grouping *g)
{
    g->column[0] = f->name;
    g->name = strdup(f->name);
    g->code = calloc(rows + 1, sizeof *g->code);
    g->levels = calloc((size_t)f->level_count + 1, sizeof *g->levels);
    CHECK(g->name != NULL && g->code != NULL && g->levels != NULL, MEMORY);
    memcpy(g->code, f->code, rows * sizeof *g->code);
    for (uint32_t i = 0; i < f->level_count; i++) {
        g->levels[i] = strdup(f->levels[i]);
        CHECK(g->levels[i] != NULL, MEMORY);
        g->level_count++;
    }
    return OK;
}

static struct status
grouping_of_pair(const struct assessment_factor *a, const struct assessment_factor *b, size_t rows,
                 struct grouping *g)
{
    const uint32_t cells = a->level_count * b->level_count; /* at most CELLS_MAX */
    g->column[0] = a->name;
    g->column[1] = b->name;
    g->code = calloc(rows + 1, sizeof *g->code);
    g->levels = calloc((size_t)cells + 1, sizeof *g->levels);
    CHECK(asprintf(&g->name, "%s and %s", a->name, b->name) > 0, MEMORY);
    CHECK(g->code != NULL && g->levels != NULL, MEMORY);
    fairness_cross(a->code, b->code, b->level_count, rows, g->code);
    for (uint32_t i = 0; i < cells; i++) {
        CHECK(asprintf(&g->levels[i], "%s = %s, %s = %s", a->name, a->levels[i / b->level_count],
                       b->name, b->levels[i % b->level_count]) > 0,
              MEMORY);
        g->level_count++;
    }
    return OK;
}

static struct status
put_group(const struct assessment_input *in, const struct grouping *g,
          const struct fairness_group *f, json_t *groups)
{
    json_t *metrics = json_object();
    json_t *o =
        json_pack("{s:s, s:I, s:I, s:b, s:o, s:o}", "group", g->levels[f->level], "n",
                  (json_int_t)f->n, "positives", (json_int_t)f->positives, "judged",
                  f->n >= in->min_group, "counts", counts_json(&f->counts), "metrics", metrics);
    CHECK(o != NULL && json_array_append_new(groups, o) == 0, MEMORY);
    for (int m = 0; m < FAIRNESS_METRICS; m++) {
        TRY(js_set(metrics, fairness_metric_word((enum fairness_metric)m),
                   rate_json(&f->metric[m])));
    }
    return OK;
}

/* NULL where no group has the rate. */
static const char *
gap_group(const struct grouping *g, const struct fairness_result *r, const struct fairness_gap *gap,
          uint32_t index)
{
    return isnan(gap->difference) ? NULL : g->levels[r->group[index].level];
}

static struct status
put_gaps(const struct grouping *g, const struct fairness_result *r, json_t *gaps)
{
    for (int m = 0; m < FAIRNESS_METRICS && r->groups > 0; m++) {
        const struct fairness_gap *gap = &r->gap[m];
        json_t *o = json_pack(
            "{s:o, s:o, s:o, s:o, s:s?, s:s?, s:I}", "difference", js_real(gap->difference),
            "difference_ci", assessment_interval(gap->difference_ci), "ratio", js_real(gap->ratio),
            "ratio_ci", assessment_interval(gap->ratio_ci), "high", gap_group(g, r, gap, gap->high),
            "low", gap_group(g, r, gap, gap->low), "undefined", (json_int_t)gap->undefined);
        TRY(js_set(gaps, fairness_metric_word((enum fairness_metric)m), o));
    }
    return OK;
}

/* Gaps are between the groups that are large enough to judge: two passes over the same counts. */
static struct status
put_grouping(const struct assessment_input *in, const uint8_t *decision, const struct grouping *g,
             json_t *list)
{
    DEFER(memory_freep)
    struct confusion *counts = calloc((size_t)g->level_count + 1, sizeof *counts);
    DEFER(memory_freep)
    struct fairness_group *groups = calloc((size_t)g->level_count + 1, sizeof *groups);
    CHECK(counts != NULL && groups != NULL, MEMORY);
    struct fairness_result r = {0};
    const uint64_t dropped =
        fairness_accumulate(in->y, decision, g->code, in->rows, g->level_count, counts);
    fairness_finish(counts, g->level_count, dropped, in->level, groups, &r);
    json_t *group_list = json_array(), *gaps = json_object();
    json_t *o = json_pack("{s:s, s:[s, s*], s:o, s:o, s:I}", "factor", g->name, "columns",
                          g->column[0], g->column[1], "groups", group_list, "gaps", gaps,
                          "rows_without_group", (json_int_t)r.dropped);
    CHECK(o != NULL && json_array_append_new(list, o) == 0, MEMORY);
    for (uint32_t i = 0; i < r.groups; i++) {
        TRY(put_group(in, g, &r.group[i], group_list));
    }
    for (uint32_t i = 0; i < g->level_count; i++) {
        const struct confusion *c = &counts[i];
        if (c->tp + c->fp + c->tn + c->fn < in->min_group) {
            counts[i] = (struct confusion){0};
        }
    }
    fairness_finish(counts, g->level_count, dropped, in->level, groups, &r);
    TRY(put_gaps(g, &r, gaps));
    TRY(js_set(o, "groups_judged", json_integer(r.groups)));
    TRY(js_set(o, "demographic_parity_difference", js_real(r.demographic_parity_difference)));
    TRY(js_set(o, "demographic_parity_ratio", js_real(r.demographic_parity_ratio)));
    TRY(js_set(o, "equalized_odds_difference", js_real(r.equalized_odds_difference)));
    return js_set(o, "equalized_odds_ratio", js_real(r.equalized_odds_ratio));
}

static struct status
put_factors(const struct assessment_input *in, const uint8_t *decision, struct diag *diag,
            json_t *list)
{
    for (uint32_t i = 0; i < in->factor_count; i++) {
        if (in->factors[i].level_count > CELLS_MAX) {
            diag_set(
                diag,
                "sensitive column \"%.100s\" has %u levels; groups of at most %u are compared: "
                "bring them together, or give the column another role",
                in->factors[i].name, in->factors[i].level_count, CELLS_MAX);
            FAIL(LIMIT);
        }
        DEFER(grouping_done) struct grouping g = {0};
        TRY(grouping_of(&in->factors[i], in->rows, &g));
        TRY(put_grouping(in, decision, &g, list));
    }
    return OK;
}

/* Pairs of sensitive columns; the ones that are too many, or have too many cells, are counted. */
static struct status
put_intersections(const struct assessment_input *in, const uint8_t *decision, json_t *list,
                  uint64_t *ret_left_out)
{
    uint32_t put = 0;
    uint64_t left_out = 0;
    for (uint32_t i = 0; i < in->factor_count; i++) {
        for (uint32_t k = i + 1; k < in->factor_count; k++) {
            const struct assessment_factor *a = &in->factors[i], *b = &in->factors[k];
            if (put == PAIRS_MAX || (uint64_t)a->level_count * b->level_count > CELLS_MAX) {
                left_out++;
                continue;
            }
            DEFER(grouping_done) struct grouping g = {0};
            TRY(grouping_of_pair(a, b, in->rows, &g));
            TRY(put_grouping(in, decision, &g, list));
            put++;
        }
    }
    *ret_left_out = left_out;
    return OK;
}

static struct status
put_fairness(const struct assessment_input *in, const uint8_t *decision, struct diag *diag,
             json_t *d)
{
    json_t *list = json_array();
    uint64_t left_out = 0;
    TRY(js_set(d, "fairness", list));
    TRY(put_factors(in, decision, diag, list));
    TRY(put_intersections(in, decision, list, &left_out));
    return js_set(d, "intersections_left_out", json_integer((json_int_t)left_out));
}

/* ---- explanation ---- */

/* The value of a feature in a row, as a person reads it. */
static void
put_value(const struct assessment_feature *f, size_t row, struct buf *b)
{
    const double v = f->value[row];
    if (isnan(v)) {
        buf_put_str(b, "missing");
    } else if (f->levels != NULL && v >= 0 && v < f->level_count) {
        buf_put_str(b, f->levels[(uint32_t)v]);
    } else {
        assessment_put_number(b, v);
    }
}

struct scored_row {
    double score;
    size_t row;
};

static int
compare_scored(const void *a, const void *b)
{
    const struct scored_row *x = a, *y = b;
    const int c = (x->score > y->score) - (x->score < y->score);
    return c != 0 ? c : (x->row > y->row) - (x->row < y->row);
}

/* The row whose decision is explained: the median score among the positive decisions, or the
 * highest score when there is none. */
static struct status
pick_row(const struct assessment_input *in, size_t *ret_row)
{
    DEFER(memory_freep) struct scored_row *list = calloc(in->rows + 1, sizeof *list);
    CHECK(list != NULL, MEMORY);
    size_t n = 0, best = 0;
    for (size_t i = 0; i < in->rows; i++) {
        best = in->score[i] > in->score[best] ? i : best;
        if (in->score[i] >= in->threshold) {
            list[n++] = (struct scored_row){in->score[i], i};
        }
    }
    if (n > 0) {
        qsort(list, n, sizeof *list, compare_scored);
    }
    *ret_row = n == 0 ? best : list[n / 2].row;
    return OK;
}

static struct status
put_row(const struct assessment_input *in, double expected, json_t *explanation)
{
    const uint32_t width = in->forest->features;
    size_t row = 0;
    DEFER(memory_freep) double *phi = calloc((size_t)width + 1, sizeof *phi);
    CHECK(phi != NULL, MEMORY);
    TRY(pick_row(in, &row));
    TRY(explain_rows(in->forest, in->x + row * width, 1, 1, phi));
    double margin = expected;
    json_t *list = json_array();
    json_t *o =
        json_pack("{s:I, s:o, s:b, s:s, s:o}", "row", (json_int_t)in->row_number[row], "score",
                  js_real(in->score[row]), "decided", in->score[row] >= in->threshold, "label",
                  in->y[row] != 0 ? in->positive : in->negative, "attributions", list);
    TRY(js_set(explanation, "example", o));
    for (uint32_t i = 0; i < width; i++) {
        DEFER(buf_done) struct buf value;
        buf_init(&value, 4096);
        put_value(&in->features[i], row, &value);
        margin += phi[i];
        json_t *a = json_pack("{s:s, s:s, s:o}", "feature", in->features[i].name, "value",
                              buf_str(&value), "phi", js_real(phi[i]));
        CHECK(json_array_append_new(list, a) == 0, MEMORY);
    }
    return js_set(o, "margin", js_real(margin));
}

static struct status
put_explanation(const struct assessment_input *in, json_t *d)
{
    const uint32_t width = in->forest->features;
    double expected = 0;
    DEFER(memory_freep) double *mean = calloc((size_t)width * 2 + 1, sizeof *mean);
    CHECK(mean != NULL, MEMORY);
    explain_expected(in->forest, &expected);
    TRY(explain_global(in->forest, in->x, in->rows, in->threads, mean, mean + width));
    json_t *list = json_array();
    json_t *o =
        json_pack("{s:s, s:s, s:o, s:I, s:o}", "method",
                  "exact path-dependent TreeSHAP, double precision", "scale", "margin (log-odds)",
                  "expected", js_real(expected), "rows", (json_int_t)in->rows, "features", list);
    TRY(js_set(d, "explanation", o));
    for (uint32_t i = 0; i < width; i++) {
        json_t *f = json_pack("{s:s, s:o, s:o}", "feature", in->features[i].name, "mean_abs",
                              js_real(mean[i]), "mean", js_real(mean[width + i]));
        CHECK(json_array_append_new(list, f) == 0, MEMORY);
    }
    return put_row(in, expected, o);
}

/* ---- the whole ---- */

struct status
assessment_run(const struct assessment_input *in, struct diag *diag, json_t **ret_document)
{
    if (in->forest->outputs != 1 || in->forest->link != FOREST_LOGISTIC) {
        diag_set(diag, "model %s: objective %s; an assessment needs a binary classifier", in->model,
                 in->forest->objective);
        FAIL(UNSUPPORTED);
    }
    DEFER(js_freep) json_t *d = json_object();
    DEFER(memory_freep) uint8_t *decision = calloc(in->rows + 1, 1);
    CHECK(d != NULL && decision != NULL, MEMORY);
    for (size_t i = 0; i < in->rows; i++) {
        decision[i] = in->score[i] >= in->threshold;
    }
    TRY(put_subject(in, d));
    tell(in, "performance");
    TRY(put_performance(in, d));
    tell(in, "fairness");
    TRY(put_fairness(in, decision, diag, d));
    tell(in, "explanations");
    TRY(put_explanation(in, d));
    tell(in, "failure cohorts");
    TRY(assessment_put_errors(in, decision, d));
    TRY(findings_put(d));
    *ret_document = MOVE(d);
    return OK;
}
