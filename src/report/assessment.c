#include "report/assessment.h"

#include "assess/errors.h"
#include "assess/explain.h"
#include "assess/performance.h"
#include "base/clock.h"
#include "base/text.h"
#include "report/findings.h"
#include "report/predicate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TREE_DEPTH 3u
#define TREE_LEAF 20u
#define MAP_BINS 6u
#define PAIRS_MAX 6u
#define PREDICATE_MAX (1u << 20)
#define FORMAT "steward-assessment-1"

/* ---- small things ---- */

static void
free_any(void *slot)
{
    void *p = NULL;
    memcpy(&p, slot, sizeof p);
    free(p);
}

static struct status
set(json_t *o, const char *key, json_t *value)
{
    CHECK(value != NULL && json_object_set_new(o, key, value) == 0, MEMORY);
    return OK;
}

static json_t *
interval_json(struct interval ci)
{
    return json_pack("[o, o]", js_real(ci.low), js_real(ci.high));
}

static json_t *
rate_json(const struct rate *r)
{
    return json_pack("{s:o, s:I, s:I, s:o}", "value", js_real(r->value), "x", (json_int_t)r->x, "n",
                     (json_int_t)r->n, "ci", interval_json(r->ci));
}

static json_t *
counts_json(const struct confusion *c)
{
    return json_pack("{s:I, s:I, s:I, s:I}", "tp", (json_int_t)c->tp, "fp", (json_int_t)c->fp, "tn",
                     (json_int_t)c->tn, "fn", (json_int_t)c->fn);
}

/* The decimal that a person reads: the shortest that is the same number to the model, which reads
 * single precision. */
static void
put_number(struct buf *b, double v)
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
    TRY(set(d, "format", json_string(FORMAT)));
    TRY(set(d, "created", json_string(buf_str(&time))));
    TRY(set(d, "model",
            json_pack("{s:s, s:I, s:s}", "name", in->model, "version",
                      (json_int_t)in->model_version, "sha256", in->model_digest_hex)));
    TRY(set(d, "dataset",
            json_pack("{s:s, s:I, s:s}", "name", in->dataset, "version",
                      (json_int_t)in->dataset_version, "sha256", in->dataset_digest_hex)));
    TRY(set(d, "selection", json_string(in->selection)));
    TRY(set(d, "rows", json_integer((json_int_t)in->rows)));
    TRY(set(d, "rows_without_label", json_integer((json_int_t)in->rows_dropped)));
    TRY(set(d, "label",
            json_pack("{s:s, s:s, s:s}", "column", in->label, "positive", in->positive, "negative",
                      in->negative)));
    TRY(set(d, "threshold", js_real(in->threshold)));
    TRY(set(d, "min_group", json_integer(in->min_group)));
    return set(d, "level", js_real(in->level));
}

/* ---- performance ---- */

static struct status
put_calibration(const struct performance *p, json_t *o)
{
    json_t *bins = json_array(), *curve = json_array();
    TRY(set(o, "calibration", bins));
    TRY(set(o, "roc", curve));
    for (uint32_t i = 0; i < p->bins; i++) {
        json_t *b = json_pack("{s:o, s:o, s:I, s:o}", "mean_score", js_real(p->bin[i].mean_score),
                              "observed", js_real(p->bin[i].observed), "n", (json_int_t)p->bin[i].n,
                              "ci", interval_json(p->bin[i].ci));
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
    DEFER(free_any) struct performance *p = calloc(1, sizeof *p);
    CHECK(p != NULL, MEMORY);
    TRY(performance_binary(in->y, in->score, in->rows, in->threshold, in->level, p));
    json_t *o =
        json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "positives",
                  (json_int_t)p->positives, "counts", counts_json(&p->counts), "accuracy",
                  rate_json(&p->accuracy), "precision", rate_json(&p->precision), "recall",
                  rate_json(&p->recall), "selection_rate", rate_json(&p->selection_rate), "f1",
                  js_real(p->f1), "roc_auc", js_real(p->roc_auc), "roc_auc_ci",
                  interval_json(p->roc_auc_ci), "average_precision", js_real(p->average_precision),
                  "log_loss", js_real(p->log_loss), "brier", js_real(p->brier));
    TRY(set(d, "performance", o));
    return put_calibration(p, o);
}

/* ---- fairness ---- */

/* Names of cells: a level, or "a=yes, b=no". */
struct grouping {
    char *name;
    int32_t *code; /* rows */
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
    const uint32_t cells = a->level_count * b->level_count;
    g->code = calloc(rows + 1, sizeof *g->code);
    g->levels = calloc((size_t)cells + 1, sizeof *g->levels);
    CHECK(asprintf(&g->name, "%s and %s", a->name, b->name) > 0, MEMORY);
    CHECK(g->code != NULL && g->levels != NULL, MEMORY);
    fairness_cross(a->code, b->code, b->level_count, rows, g->code);
    for (uint32_t i = 0; i < cells; i++) {
        CHECK(asprintf(&g->levels[i], "%s=%s, %s=%s", a->name, a->levels[i / b->level_count],
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
        TRY(set(metrics, fairness_metric_word((enum fairness_metric)m), rate_json(&f->metric[m])));
    }
    return OK;
}

static struct status
put_gaps(const struct grouping *g, const struct fairness_result *r, json_t *gaps)
{
    for (int m = 0; m < FAIRNESS_METRICS && r->groups > 0; m++) {
        const struct fairness_gap *gap = &r->gap[m];
        json_t *o = json_pack(
            "{s:o, s:o, s:o, s:o, s:s, s:s, s:I}", "difference", js_real(gap->difference),
            "difference_ci", interval_json(gap->difference_ci), "ratio", js_real(gap->ratio),
            "ratio_ci", interval_json(gap->ratio_ci), "high", g->levels[r->group[gap->high].level],
            "low", g->levels[r->group[gap->low].level], "undefined", (json_int_t)gap->undefined);
        TRY(set(gaps, fairness_metric_word((enum fairness_metric)m), o));
    }
    return OK;
}

/* Gaps are between the groups that are large enough to judge: two passes over the same counts. */
static struct status
put_grouping(const struct assessment_input *in, const uint8_t *decision, const struct grouping *g,
             json_t *list)
{
    DEFER(free_any) struct confusion *counts = calloc((size_t)g->level_count + 1, sizeof *counts);
    DEFER(free_any)
    struct fairness_group *groups = calloc((size_t)g->level_count + 1, sizeof *groups);
    CHECK(counts != NULL && groups != NULL, MEMORY);
    struct fairness_result r = {0};
    const uint64_t dropped =
        fairness_accumulate(in->y, decision, g->code, in->rows, g->level_count, counts);
    fairness_finish(counts, g->level_count, dropped, in->level, groups, &r);
    json_t *group_list = json_array(), *gaps = json_object();
    json_t *o = json_pack("{s:s, s:o, s:o, s:I}", "factor", g->name, "groups", group_list, "gaps",
                          gaps, "rows_without_group", (json_int_t)r.dropped);
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
    TRY(set(o, "groups_judged", json_integer(r.groups)));
    TRY(set(o, "demographic_parity_difference", js_real(r.demographic_parity_difference)));
    TRY(set(o, "demographic_parity_ratio", js_real(r.demographic_parity_ratio)));
    TRY(set(o, "equalized_odds_difference", js_real(r.equalized_odds_difference)));
    return set(o, "equalized_odds_ratio", js_real(r.equalized_odds_ratio));
}

static struct status
put_fairness(const struct assessment_input *in, const uint8_t *decision, json_t *d)
{
    json_t *list = json_array();
    TRY(set(d, "fairness", list));
    for (uint32_t i = 0; i < in->factor_count; i++) {
        DEFER(grouping_done) struct grouping g = {0};
        TRY(grouping_of(&in->factors[i], in->rows, &g));
        TRY(put_grouping(in, decision, &g, list));
    }
    uint32_t pairs = 0;
    for (uint32_t i = 0; i < in->factor_count; i++) {
        for (uint32_t k = i + 1; k < in->factor_count && pairs < PAIRS_MAX; k++, pairs++) {
            DEFER(grouping_done) struct grouping g = {0};
            TRY(grouping_of_pair(&in->factors[i], &in->factors[k], in->rows, &g));
            TRY(put_grouping(in, decision, &g, list));
        }
    }
    const uint64_t all =
        (uint64_t)in->factor_count * (in->factor_count > 0 ? in->factor_count - 1 : 0) / 2;
    return set(d, "intersections_left_out", json_integer((json_int_t)(all - pairs)));
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
        put_number(b, v);
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
    DEFER(free_any) struct scored_row *list = calloc(in->rows + 1, sizeof *list);
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
    DEFER(free_any) double *phi = calloc((size_t)width + 1, sizeof *phi);
    CHECK(phi != NULL, MEMORY);
    TRY(pick_row(in, &row));
    TRY(explain_rows(in->forest, in->x + row * width, 1, 1, phi));
    double margin = expected;
    json_t *list = json_array();
    json_t *o =
        json_pack("{s:I, s:o, s:b, s:s, s:o}", "row", (json_int_t)row, "score",
                  js_real(in->score[row]), "decided", in->score[row] >= in->threshold, "label",
                  in->y[row] != 0 ? in->positive : in->negative, "attributions", list);
    TRY(set(explanation, "example", o));
    for (uint32_t i = 0; i < width; i++) {
        DEFER(buf_done) struct buf value;
        buf_init(&value, 4096);
        put_value(&in->features[i], row, &value);
        margin += phi[i];
        json_t *a = json_pack("{s:s, s:s, s:o}", "feature", in->features[i].name, "value",
                              buf_str(&value), "phi", js_real(phi[i]));
        CHECK(json_array_append_new(list, a) == 0, MEMORY);
    }
    return set(o, "margin", js_real(margin));
}

static struct status
put_explanation(const struct assessment_input *in, json_t *d)
{
    const uint32_t width = in->forest->features;
    double expected = 0;
    DEFER(free_any) double *mean = calloc((size_t)width * 2 + 1, sizeof *mean);
    CHECK(mean != NULL, MEMORY);
    explain_expected(in->forest, &expected);
    TRY(explain_global(in->forest, in->x, in->rows, in->threads, mean, mean + width));
    json_t *list = json_array();
    json_t *o =
        json_pack("{s:s, s:s, s:o, s:I, s:o}", "method",
                  "exact path-dependent TreeSHAP, double precision", "scale", "margin (log-odds)",
                  "expected", js_real(expected), "rows", (json_int_t)in->rows, "features", list);
    TRY(set(d, "explanation", o));
    for (uint32_t i = 0; i < width; i++) {
        json_t *f = json_pack("{s:s, s:o, s:o}", "feature", in->features[i].name, "mean_abs",
                              js_real(mean[i]), "mean", js_real(mean[width + i]));
        CHECK(json_array_append_new(list, f) == 0, MEMORY);
    }
    return put_row(in, expected, o);
}

/* ---- failure cohorts ---- */

/* The condition of the way from parent p to its child: as SQL, with missing values where they went.
 */
static void
put_condition(const struct assessment_input *in, const struct errors_node *p, bool left,
              struct buf *b)
{
    const struct assessment_feature *f = &in->features[p->feature];
    const bool missing = left == p->missing_left;
    bool any_missing = false;
    for (size_t i = 0; i < in->rows && missing && !any_missing; i++) {
        any_missing = isnan(f->value[i]);
    }
    buf_put_str(b, any_missing ? "(" : "");
    predicate_put_name(b, f->name);
    if (p->category >= 0 && f->levels != NULL) {
        buf_put_str(b, left ? " = " : " <> ");
        predicate_put_text(b, f->levels[p->category]);
    } else {
        buf_put_str(b, left ? " <= " : " > ");
        text_put_f64(b, p->threshold);
    }
    if (any_missing) {
        buf_put_str(b, " or ");
        predicate_put_name(b, f->name);
        buf_put_str(b, " is null)");
    }
}

static void
put_path(const struct assessment_input *in, const struct errors_tree *t, uint32_t node,
         struct buf *b)
{
    const int32_t parent = t->node[node].parent;
    if (parent < 0) {
        return;
    }
    put_path(in, t, (uint32_t)parent, b);
    buf_put_str(b, b->len > 0 ? " and " : "");
    put_condition(in, &t->node[parent], t->node[parent].left == (int32_t)node, b);
}

static struct status
put_node(const struct assessment_input *in, const struct errors_tree *t, uint32_t k, json_t *nodes)
{
    const struct errors_node *n = &t->node[k];
    DEFER(buf_done) struct buf cohort;
    DEFER(buf_done) struct buf step;
    buf_init(&cohort, PREDICATE_MAX);
    buf_init(&step, PREDICATE_MAX);
    put_path(in, t, k, &cohort);
    if (n->parent >= 0) {
        put_condition(in, &t->node[n->parent], t->node[n->parent].left == (int32_t)k, &step);
    }
    TRY(buf_status(&cohort));
    TRY(buf_status(&step));
    json_t *o = json_pack("{s:i, s:i, s:i, s:i, s:s, s:s, s:I, s:I, s:o, s:o, s:o}", "parent",
                          (int)n->parent, "left", (int)n->left, "right", (int)n->right, "depth",
                          (int)n->depth, "cohort", buf_str(&cohort), "step", buf_str(&step), "rows",
                          (json_int_t)n->rows, "errors", (json_int_t)n->errors, "error_rate",
                          js_real(n->error_rate), "ci", interval_json(n->ci), "coverage",
                          js_real(n->coverage));
    CHECK(o != NULL && json_array_append_new(nodes, o) == 0, MEMORY);
    return OK;
}

static struct status
put_tree(const struct assessment_input *in, const struct errors_feature *features,
         const uint8_t *error, json_t *errors)
{
    DEFER(free_any) struct errors_tree *t = calloc(1, sizeof *t);
    CHECK(t != NULL, MEMORY);
    TRY(errors_tree_grow(features, in->forest->features, error, in->rows, TREE_DEPTH, TREE_LEAF,
                         t));
    json_t *nodes = json_array();
    TRY(set(errors, "tree", nodes));
    for (uint32_t k = 0; k < t->nodes; k++) {
        TRY(put_node(in, t, k, nodes));
    }
    return set(errors, "worst", json_integer(errors_worst_leaf(t)));
}

static void
put_numeric_bin(const struct assessment_feature *f, const struct errors_axis *a, uint32_t bin,
                struct buf *label, struct buf *cohort)
{
    const bool first = bin == 0, last = bin + 1 == a->bins;
    if (first && last) {
        buf_put_str(label, "any");
        predicate_put_name(cohort, f->name);
        buf_put_str(cohort, " is not null");
        return;
    }
    if (!first) {
        predicate_put_name(cohort, f->name);
        buf_put_str(cohort, " >= ");
        text_put_f64(cohort, a->edge[bin - 1]);
        buf_put_str(cohort, last ? "" : " and ");
    }
    if (!last) {
        predicate_put_name(cohort, f->name);
        buf_put_str(cohort, " < ");
        text_put_f64(cohort, a->edge[bin]);
    }
    if (a->low[bin] >= a->high[bin]) {
        put_number(label, a->low[bin]);
    } else if (first) {
        buf_put_str(label, "under ");
        text_put_f64(label, a->edge[bin]);
    } else {
        text_put_f64(label, a->edge[bin - 1]);
        buf_put_str(label, last ? " and over" : "\xe2\x80\x93");
        if (!last) {
            text_put_f64(label, a->edge[bin]);
        }
    }
}

static void
put_category_bin(const struct assessment_feature *f, const struct errors_axis *a, uint32_t bin,
                 struct buf *label, struct buf *cohort)
{
    const bool others = bin + 1 == a->bins && f->level_count > a->bins;
    buf_put_str(label, others ? "others" : f->levels[bin]);
    predicate_put_name(cohort, f->name);
    buf_put_str(cohort, others ? " not in (" : " = ");
    for (uint32_t i = others ? 0 : bin; i < bin + !others; i++) {
        buf_put_str(cohort, others && i > 0 ? ", " : "");
        predicate_put_text(cohort, f->levels[i]);
    }
    buf_put_str(cohort, others ? ")" : "");
}

static struct status
put_bin(const struct assessment_feature *f, const struct errors_axis *a, uint32_t bin, json_t *bins)
{
    DEFER(buf_done) struct buf label;
    DEFER(buf_done) struct buf cohort;
    buf_init(&label, PREDICATE_MAX);
    buf_init(&cohort, PREDICATE_MAX);
    if (bin == a->bins) {
        buf_put_str(&label, "missing");
        predicate_put_name(&cohort, f->name);
        buf_put_str(&cohort, " is null");
    } else if (a->is_category) {
        put_category_bin(f, a, bin, &label, &cohort);
    } else {
        put_numeric_bin(f, a, bin, &label, &cohort);
    }
    TRY(buf_status(&label));
    TRY(buf_status(&cohort));
    json_t *o = json_pack("{s:s, s:s}", "label", buf_str(&label), "cohort", buf_str(&cohort));
    CHECK(o != NULL && json_array_append_new(bins, o) == 0, MEMORY);
    return OK;
}

static struct status
put_axis(const struct assessment_feature *f, const struct errors_axis *a, const char *key,
         json_t *map)
{
    json_t *bins = json_array();
    TRY(set(map, key, json_pack("{s:s, s:o}", "feature", f->name, "bins", bins)));
    for (uint32_t i = 0; i < a->bins + a->has_missing; i++) {
        TRY(put_bin(f, a, i, bins));
    }
    return OK;
}

static struct status
put_map(const struct assessment_input *in, const struct errors_feature *features,
        const uint8_t *error, json_t *errors)
{
    const uint32_t width = in->forest->features;
    DEFER(free_any) uint32_t *order = calloc((size_t)width + 1, sizeof *order);
    DEFER(free_any) struct errors_map *m = calloc(1, sizeof *m);
    CHECK(order != NULL && m != NULL, MEMORY);
    if (width < 2) {
        return OK;
    }
    TRY(errors_rank(features, width, error, in->rows, TREE_LEAF, order, NULL));
    const uint32_t fx = order[0], fy = order[1];
    TRY(errors_map_fill(&features[fx], &features[fy], error, in->rows, MAP_BINS, m));
    json_t *cells = json_array(), *o = json_object();
    TRY(set(errors, "map", o));
    TRY(put_axis(&in->features[fx], &m->x, "x", o));
    TRY(put_axis(&in->features[fy], &m->y, "y", o));
    TRY(set(o, "cells", cells));
    for (uint32_t y = 0; y < m->y.bins + m->y.has_missing; y++) {
        json_t *line = json_array();
        CHECK(line != NULL && json_array_append_new(cells, line) == 0, MEMORY);
        for (uint32_t x = 0; x < m->x.bins + m->x.has_missing; x++) {
            const struct errors_cell *c = &m->cell[y * (ERRORS_MAX_BINS + 1) + x];
            json_t *cell = json_pack("[I, I, o]", (json_int_t)c->rows, (json_int_t)c->errors,
                                     interval_json(c->ci));
            CHECK(json_array_append_new(line, cell) == 0, MEMORY);
        }
    }
    return OK;
}

static struct status
put_errors(const struct assessment_input *in, const uint8_t *decision, json_t *d)
{
    const uint32_t width = in->forest->features;
    DEFER(free_any) struct errors_feature *features = calloc((size_t)width + 1, sizeof *features);
    DEFER(free_any) uint8_t *error = calloc(in->rows + 1, 1);
    CHECK(features != NULL && error != NULL, MEMORY);
    for (uint32_t i = 0; i < width; i++) {
        features[i] = (struct errors_feature){in->features[i].value, in->features[i].level_count};
    }
    for (size_t i = 0; i < in->rows; i++) {
        error[i] = decision[i] != in->y[i];
    }
    json_t *o = json_object();
    TRY(set(d, "errors", o));
    TRY(set(o, "max_depth", json_integer(TREE_DEPTH)));
    TRY(set(o, "min_rows", json_integer(TREE_LEAF)));
    TRY(put_tree(in, features, error, o));
    return put_map(in, features, error, o);
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
    DEFER(free_any) uint8_t *decision = calloc(in->rows + 1, 1);
    CHECK(d != NULL && decision != NULL, MEMORY);
    for (size_t i = 0; i < in->rows; i++) {
        decision[i] = in->score[i] >= in->threshold;
    }
    TRY(put_subject(in, d));
    tell(in, "performance");
    TRY(put_performance(in, d));
    tell(in, "fairness");
    TRY(put_fairness(in, decision, d));
    tell(in, "explanations");
    TRY(put_explanation(in, d));
    tell(in, "failure cohorts");
    TRY(put_errors(in, decision, d));
    TRY(findings_put(d));
    *ret_document = MOVE(d);
    return OK;
}
