#include "report/mitigate_document.h"

#include "assess/group_metric.h"
#include "report/bias_parts.h"

#include <math.h>

/* What the front is drawn through: how far the groups' rates may be apart. */
static const double tolerances[] = {0,    0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1,
                                    0.15, 0.2,   0.25, 0.3,  0.4,  0.5,  0.7,   1};

#define LEVEL 0.95
#define TOLERANCES (sizeof tolerances / sizeof *tolerances)

static json_t *
interval_json(struct interval ci)
{
    return json_pack("[o, o]", js_real(ci.low), js_real(ci.high));
}

static json_t *
rating_json(const struct threshold_rating *r)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "objective", js_real(r->objective.value),
                     "objective_ci", interval_json(r->objective.ci), "gap", js_real(r->gap.value),
                     "gap_ci", interval_json(r->gap.ci), "accuracy", js_real(r->accuracy.value),
                     "accuracy_ci", interval_json(r->accuracy.ci));
}

/* With the intervals of its groups' expected counts. */
static struct status
plan_json(const struct mitigate_input *in, const struct threshold_plan *p, json_t **ret_json)
{
    struct group_tally t[MITIGATE_MAX_GROUPS];
    struct threshold_rating r;
    for (uint32_t g = 0; g < in->groups; g++) {
        t[g] = threshold_tally(&p->rule[g]);
    }
    TRY(threshold_rate(&in->options, t, in->groups, LEVEL, &r));
    r.objective.value = p->objective;
    r.gap.value = p->gap;
    r.accuracy.value = p->accuracy;
    *ret_json = rating_json(&r);
    CHECK(*ret_json != NULL, MEMORY);
    return OK;
}

static struct status
put_rates(const struct group_tally *t, json_t *o)
{
    static const struct {
        const char *key, *ci;
        enum group_metric m;
    } rates[] = {{"selection_rate", "selection_rate_ci", GROUP_SELECTION_RATE},
                 {"true_positive_rate", "true_positive_rate_ci", GROUP_TPR},
                 {"false_positive_rate", "false_positive_rate_ci", GROUP_FPR}};
    for (size_t k = 0; k < sizeof rates / sizeof *rates; k++) {
        const struct group_estimate e = group_metric_estimate(rates[k].m, t, 0, LEVEL);
        TRY(js_set(o, rates[k].key, js_real(e.value)));
        TRY(js_set(o, rates[k].ci, interval_json(e.ci)));
    }
    return OK;
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
        const struct group_tally t = threshold_tally(r);
        json_t *o = json_pack("{s:s, s:I, s:I}", "group", in->names[g], "rows", (json_int_t)r->rows,
                              "positives", (json_int_t)r->positives);
        CHECK(json_array_append_new(rules, o) == 0, MEMORY);
        TRY(put_rates(&t, o));
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

static void
count_now(const struct mitigate_input *in, const int32_t *group, struct group_tally *ret_tally)
{
    for (size_t i = 0; i < in->rows; i++) {
        if (group[i] >= 0) {
            struct group_tally *t = &ret_tally[group[i]];
            const bool decided = in->score[i] >= in->before;
            const enum group_outcome o =
                in->y[i] == 1 ? (decided ? GROUP_TP : GROUP_FN) : (decided ? GROUP_FP : GROUP_TN);
            t->rows++;
            t->count[o]++;
            t->count2[o]++;
        }
    }
}

static struct status
put_now(const struct mitigate_input *in, const int32_t *group, json_t *d)
{
    struct group_tally t[MITIGATE_MAX_GROUPS] = {0};
    struct threshold_rating r;
    count_now(in, group, t);
    TRY(threshold_rate(&in->options, t, in->groups, LEVEL, &r));
    json_t *groups = json_array(), *now = rating_json(&r);
    TRY(js_set(d, "before", now));
    TRY(js_set(now, "threshold", js_real(in->before)));
    TRY(js_set(now, "groups", groups));
    for (uint32_t g = 0; g < in->groups; g++) {
        json_t *o = json_pack("{s:s}", "group", in->names[g]);
        CHECK(json_array_append_new(groups, o) == 0, MEMORY);
        TRY(put_rates(&t[g], o));
    }
    return OK;
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
        json_t *point = NULL;
        TRY(plan_json(in, &plan, &point));
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
    json_t *a = NULL, *b = NULL;
    TRY(plan_json(in, &one, &a));
    TRY(js_set(d, "deterministic", a));
    TRY(js_set(a, "thresholds_tried", json_integer((json_int_t)tried)));
    TRY(put_rules(in, fixed, false, a));
    TRY(plan_json(in, &chance, &b));
    TRY(js_set(d, "randomised", b));
    TRY(put_rules(in, random, true, b));
    return put_front(in, c, d);
}

struct status
mitigate_document(const struct mitigate_input *in, struct diag *diag,
                  struct threshold_rule *ret_fixed, struct threshold_rule *ret_random,
                  json_t **ret_document)
{
    DEFER(threshold_scores_done) struct threshold_scores scores = {0};
    DEFER(threshold_curves_freep) struct threshold_curves *c = NULL;
    DEFER(memory_freep) int32_t *group = NULL;
    uint64_t left_out = 0;
    TRY(usable(in, &group, &left_out));
    TRY(threshold_scores_add(&scores, in->score, in->y, group, in->rows, diag));
    TRY(threshold_curves_of(&scores, in->groups, &in->options, diag, &c));
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
    struct threshold_rating held;
    TRY(threshold_cross_fit(&scores, in->groups, &in->options, LEVEL, &held));
    TRY(js_set(d, "held_back", rating_json(&held)));
    TRY(js_set(d, "level", js_real(LEVEL)));
    *ret_document = MOVE(d);
    return OK;
}
