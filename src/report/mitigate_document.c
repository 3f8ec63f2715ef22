#include "report/mitigate_document.h"

#include "report/bias_parts.h"

#include <math.h>

/* What the front is drawn through: how far the groups' rates may be apart. */
static const double tolerances[] = {0,    0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1,
                                    0.15, 0.2,   0.25, 0.3,  0.4,  0.5,  0.7,   1};

#define TOLERANCES (sizeof tolerances / sizeof *tolerances)

static json_t *
plan_json(const struct threshold_plan *p)
{
    return json_pack("{s:o, s:o, s:o}", "objective", js_real(p->objective), "gap", js_real(p->gap),
                     "accuracy", js_real(p->accuracy));
}

static json_t *
threshold_json(const struct threshold *t)
{
    return json_pack("{s:s, s:o}", "operator", t->turned ? "<" : ">", "threshold",
                     bias_number(t->at));
}

static struct status
put_rules(const struct mitigate_input *in, const struct threshold_rule *rule, bool random,
          json_t *plan)
{
    json_t *rules = json_array();
    TRY(js_set(plan, "groups", rules));
    for (uint32_t g = 0; g < in->groups; g++) {
        const struct threshold_rule *r = &rule[g];
        json_t *o = json_pack("{s:s, s:I, s:I, s:o, s:o, s:o}", "group", in->names[g], "rows",
                              (json_int_t)r->rows, "positives", (json_int_t)r->positives,
                              "selection_rate", js_real(r->selection_rate), "true_positive_rate",
                              js_real(r->tpr), "false_positive_rate", js_real(r->fpr));
        CHECK(json_array_append_new(rules, o) == 0, MEMORY);
        if (!random) {
            TRY(js_set(o, "rule", threshold_json(&r->threshold[0])));
            continue;
        }
        TRY(js_set(o, "p0", js_real(r->p[0])));
        TRY(js_set(o, "operation0", threshold_json(&r->threshold[0])));
        TRY(js_set(o, "p1", js_real(r->p[1])));
        TRY(js_set(o, "operation1", threshold_json(&r->threshold[1])));
        TRY(js_set(o, "p_ignore", js_real(r->ignore)));
        TRY(js_set(o, "prediction_constant", js_real(r->constant)));
    }
    return OK;
}

/* ---- now: one threshold for all ---- */

struct tally {
    double rows, positives, tp, fp;
};

static double
constrained_now(const struct mitigate_input *in, const struct tally *t, unsigned which)
{
    const double tpr = t->tp / t->positives, fpr = t->fp / (t->rows - t->positives);
    switch (in->options.constraint) {
    case THRESHOLD_DEMOGRAPHIC_PARITY:
        return (t->tp + t->fp) / t->rows;
    case THRESHOLD_EQUALIZED_ODDS:
        return which == 0 ? tpr : fpr;
    case THRESHOLD_TPR_PARITY:
    case THRESHOLD_FNR_PARITY:
        return tpr; /* 1 - tpr is as far apart */
    default:
        return fpr;
    }
}

/* Share of the rows that are decided rightly. */
static double
count_now(const struct mitigate_input *in, const int32_t *group, struct tally *ret_tally)
{
    double right = 0, rows = 0;
    for (size_t i = 0; i < in->rows; i++) {
        if (group[i] >= 0) {
            struct tally *k = &ret_tally[group[i]];
            const bool decided = in->score[i] >= in->before;
            k->rows++;
            k->positives += in->y[i];
            k->tp += decided && in->y[i] == 1;
            k->fp += decided && in->y[i] == 0;
            right += decided == (in->y[i] == 1);
            rows++;
        }
    }
    return right / rows;
}

static double
gap_now(const struct mitigate_input *in, const struct tally *t)
{
    double gap = 0;
    for (unsigned which = 0; which < 2; which++) {
        double low = INFINITY, high = -INFINITY;
        for (uint32_t g = 0; g < in->groups; g++) {
            low = fmin(low, constrained_now(in, &t[g], which));
            high = fmax(high, constrained_now(in, &t[g], which));
        }
        gap = fmax(gap, high - low);
    }
    return gap;
}

static struct status
put_now(const struct mitigate_input *in, const int32_t *group, json_t *d)
{
    struct tally t[MITIGATE_MAX_GROUPS] = {0};
    json_t *groups = json_array();
    json_t *now = json_pack("{s:o, s:o}", "threshold", js_real(in->before), "groups", groups);
    TRY(js_set(d, "before", now));
    TRY(js_set(now, "accuracy", js_real(count_now(in, group, t))));
    for (uint32_t g = 0; g < in->groups; g++) {
        const struct tally *k = &t[g];
        json_t *o = json_pack("{s:s, s:o, s:o, s:o}", "group", in->names[g], "selection_rate",
                              js_real((k->tp + k->fp) / k->rows), "true_positive_rate",
                              js_real(k->tp / k->positives), "false_positive_rate",
                              js_real(k->fp / (k->rows - k->positives)));
        CHECK(json_array_append_new(groups, o) == 0, MEMORY);
    }
    return js_set(now, "gap", js_real(gap_now(in, t)));
}

/* ---- the front ---- */

static struct status
put_front(const struct mitigate_input *in, const struct threshold_curves *c, json_t *d)
{
    struct threshold_rule *rule = calloc(in->groups, sizeof *rule);
    DEFER(memory_freep) struct threshold_rule *owned = rule;
    struct threshold_plan plan = {.rule = rule};
    json_t *front = json_array();
    size_t tried = 0;
    CHECK(owned != NULL, MEMORY);
    TRY(js_set(d, "front", front));
    for (size_t i = 0; i < TOLERANCES; i++) {
        TRY(threshold_deterministic(c, tolerances[i], &plan, &tried));
        json_t *point = plan_json(&plan);
        CHECK(json_array_append_new(front, point) == 0, MEMORY);
        TRY(js_set(point, "tolerance", js_real(tolerances[i])));
    }
    return OK;
}

/* ---- the whole ---- */

/* Rows without a label, a score or a group are left out. */
static struct status
usable(const struct mitigate_input *in, int32_t **ret_group, uint64_t *ret_left_out)
{
    int32_t *group = calloc(in->rows + 1, sizeof *group);
    CHECK(group != NULL, MEMORY);
    *ret_group = group;
    for (size_t i = 0; i < in->rows; i++) {
        const bool whole = in->y[i] <= 1 && !isnan(in->score[i]) && in->group[i] >= 0;
        group[i] = whole ? in->group[i] : -1;
        *ret_left_out += !whole;
    }
    return OK;
}

static struct status
put_plans(const struct mitigate_input *in, const struct threshold_curves *c,
          struct threshold_rule *fixed, struct threshold_rule *random, json_t *d)
{
    struct threshold_plan one = {.rule = fixed}, chance = {.rule = random};
    const bool odds = in->options.constraint == THRESHOLD_EQUALIZED_ODDS;
    size_t tried = 0;
    TRY(threshold_deterministic(c, in->options.tolerance, &one, &tried));
    TRY(threshold_randomised(c, odds ? 0 : in->options.tolerance, &chance));
    json_t *a = plan_json(&one), *b = plan_json(&chance);
    TRY(js_set(d, "deterministic", a));
    TRY(js_set(a, "thresholds_tried", json_integer((json_int_t)tried)));
    TRY(put_rules(in, fixed, false, a));
    TRY(js_set(d, "randomised", b));
    TRY(put_rules(in, random, true, b));
    return put_front(in, c, d);
}

struct status
mitigate_document(const struct mitigate_input *in, struct diag *diag,
                  struct threshold_rule *ret_fixed, struct threshold_rule *ret_random,
                  json_t **ret_document)
{
    DEFER(threshold_curves_freep) struct threshold_curves *c = NULL;
    DEFER(memory_freep) int32_t *group = NULL;
    uint64_t left_out = 0;
    TRY(usable(in, &group, &left_out));
    TRY(threshold_curves_new(in->score, in->y, group, in->rows, in->groups, &in->options, diag,
                             &c));
    DEFER(js_freep)
    json_t *d = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:b, s:I, s:I}", "format",
                          MITIGATE_FORMAT, "method", "threshold", "label", in->label, "positive",
                          in->positive, "sensitive", in->sensitive, "constraint",
                          threshold_constraint_word(in->options.constraint), "goal",
                          threshold_objective_word(in->options.objective), "tolerance",
                          js_real(in->options.tolerance), "flip", in->options.flip, "rows",
                          (json_int_t)in->rows, "rows_left_out", (json_int_t)left_out);
    CHECK(d != NULL, MEMORY);
    TRY(put_now(in, group, d));
    TRY(put_plans(in, c, ret_fixed, ret_random, d));
    *ret_document = MOVE(d);
    return OK;
}
