#include "report/mitigate_compare.h"

#include "report/document.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FIGURES 4u
#define CLASSES_TOLD 12u /* of which the selection rates are compared */

/* By what the model answers: of all rows, and of each grouping as it is kept there. */
static const struct {
    const char *overall[FIGURES], *grouping[FIGURES];
} told[] = {
    [MODEL_BINARY] = {{"accuracy_score", "balanced_accuracy_score", "selection_rate", NULL},
                      {"demographic_parity_difference", "equalized_odds_difference", NULL, NULL}},
    [MODEL_CLASSES] = {{"accuracy_score", "recall_macro", "f1_macro", NULL}, {NULL}},
    [MODEL_NUMBER] = {{"root_mean_squared_error", "mean_absolute_error", "r2_score",
                       "mean_prediction"},
                      {NULL}},
};

/* What the groups are to have alike, or at most. */
static const char *
group_figure(const json_t *note, enum model_task task)
{
    static const struct {
        const char *constraint, *figure;
    } of[] = {
        {"true_positive_rate_parity", "true_positive_rate"},
        {"false_positive_rate_parity", "false_positive_rate"},
        {"true_negative_rate_parity", "true_negative_rate"},
        {"false_negative_rate_parity", "false_negative_rate"},
        {"error_rate_parity", "zero_one_loss"},
        {"bounded_group_loss", "zero_one_loss"},
    };
    const char *constraint = document_text(note, "constraint");
    if (task != MODEL_BINARY) {
        return task == MODEL_CLASSES                                ? "accuracy_score"
               : strcmp(document_text(note, "loss"), "square") == 0 ? "mean_squared_error"
                                                                    : "mean_absolute_error";
    }
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        if (strcmp(of[i].constraint, constraint) == 0) {
            return of[i].figure;
        }
    }
    return "selection_rate";
}

/* ---- one row of two figures ---- */

static json_t *
own(const json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    return v == NULL ? json_null() : json_incref(v);
}

/* A figure is {"value", "ci"}. */
static struct status
put(json_t *rows, const char *name, const json_t *was, const json_t *is)
{
    json_t *o = json_pack("{s:s, s:o, s:o, s:o, s:o}", "name", name, "before", own(was, "value"),
                          "before_ci", own(was, "ci"), "after", own(is, "value"), "after_ci",
                          own(is, "ci"));
    CHECK(o != NULL && json_array_append_new(rows, o) == 0, MEMORY);
    return OK;
}

static const json_t *
metric_of(const json_t *o, const char *metric)
{
    return json_object_get(json_object_get(o, "metrics"), metric);
}

static const json_t *
gap_of(const json_t *grouping, const char *metric)
{
    return json_object_get(json_object_get(json_object_get(grouping, "gaps"), metric),
                           "difference");
}

/* ---- blocks ---- */

static struct status
block_new(json_t *blocks, json_t *columns, json_t **ret_block)
{
    json_t *block = json_pack("{s:o, s:[]}", "columns",
                              columns == NULL ? json_array() : json_incref(columns), "figures");
    CHECK(block != NULL && json_array_append_new(blocks, block) == 0, MEMORY);
    *ret_block = block;
    return OK;
}

/* The selection rates of each class, of the grouping at that place. */
static struct status
put_classes(json_t *rows, const json_t *was, const json_t *is, size_t place)
{
    size_t k = 0;
    json_t *c = NULL;
    json_array_foreach(json_object_get(is, "classes"), k, c)
    {
        char name[160];
        const char *key = "demographic_parity_difference";
        const json_t *old = json_array_get(json_object_get(was, "classes"), k);
        if (k == CLASSES_TOLD) {
            break;
        }
        (void)snprintf(name, sizeof name, "%.100s: selection_rate, difference",
                       document_text(c, "class"));
        TRY(put(rows, name,
                json_object_get(json_array_get(json_object_get(old, "groupings"), place), key),
                json_object_get(json_array_get(json_object_get(c, "groupings"), place), key)));
    }
    return OK;
}

static struct status
put_groups(json_t *block, const char *metric, const json_t *was, const json_t *is)
{
    size_t i = 0;
    json_t *g = NULL, *rows = json_array();
    TRY(js_set(block, "groups_by", json_string(metric)));
    TRY(js_set(block, "groups", rows));
    json_array_foreach(json_object_get(is, "groups"), i, g)
    {
        const char *name = document_text(g, "group");
        TRY(put(rows, name, metric_of(document_group(was, name), metric), metric_of(g, metric)));
        TRY(js_set(json_array_get(rows, i), "rows", own(g, "n")));
    }
    return OK;
}

struct status
mitigate_compare(const json_t *note, const json_t *before, const json_t *after,
                 json_t **ret_comparison)
{
    DEFER(js_freep) json_t *blocks = json_array();
    const enum model_task task = document_task(after);
    const json_t *was = json_object_get(before, "fairness"),
                 *is = json_object_get(after, "fairness");
    const char *metric = group_figure(note, task);
    json_t *block = NULL, *g = NULL;
    size_t i = 0;
    CHECK(blocks != NULL, MEMORY);
    TRY(block_new(blocks, NULL, &block));
    json_t *rows = json_object_get(block, "figures");
    for (size_t k = 0; k < FIGURES && told[task].overall[k] != NULL; k++) {
        const char *name = told[task].overall[k];
        TRY(put(rows, name, metric_of(json_object_get(was, "overall"), name),
                metric_of(json_object_get(is, "overall"), name)));
    }
    json_array_foreach(json_object_get(is, "groupings"), i, g)
    {
        const json_t *old = json_array_get(json_object_get(was, "groupings"), i);
        char name[96];
        TRY(block_new(blocks, json_object_get(g, "columns"), &block));
        rows = json_object_get(block, "figures");
        for (size_t k = 0; k < FIGURES && told[task].grouping[k] != NULL; k++) {
            TRY(put(rows, told[task].grouping[k], json_object_get(old, told[task].grouping[k]),
                    json_object_get(g, told[task].grouping[k])));
        }
        if (strcmp(metric, "selection_rate") != 0) {
            (void)snprintf(name, sizeof name, "%s, difference", metric);
            TRY(put(rows, name, gap_of(old, metric), gap_of(g, metric)));
        }
        TRY(put_classes(rows, was, is, i));
        TRY(put_groups(block, metric, old, g));
    }
    *ret_comparison = MOVE(blocks);
    return OK;
}

/* ---- what the training reached ---- */

static void
put_unmet_loss(const json_t *note, const json_t *kept, const json_t *mixture, struct buf *b)
{
    buf_printf(b,
               "None of %.0f trainings kept the %s loss of every group at %.5g or less on the "
               "training rows: %.5g is the least that one of them reached, %.5g the mixture of "
               "all. Kept is that one; what these features do not tell of the worst-off group no "
               "weight can mend: raise --loss-bound to what was reached, or find features that "
               "tell more.",
               document_number(note, "iterations"), document_text(note, "loss"),
               document_number(note, "loss_bound"), document_number(kept, "greatest_loss"),
               document_number(mixture, "greatest_loss"));
}

void
mitigate_put_reached(const json_t *note, struct buf *b)
{
    const json_t *kept = json_object_get(note, "kept"), *mixture = json_object_get(note, "mixture");
    const bool met = json_is_true(json_object_get(note, "bound_met"));
    if (json_object_get(note, "bound_met") == NULL) {
        return;
    }
    if (!met && json_object_get(note, "loss_bound") != NULL) {
        put_unmet_loss(note, kept, mixture, b);
    } else if (!met) {
        buf_printf(b,
                   "No single one of %.0f trainings kept the bound on the training rows; kept is "
                   "the one that breaks it least, by which the groups differ by %.4f there (drawn "
                   "from all at random: %.4f).",
                   document_number(note, "iterations"), document_number(kept, "gap"),
                   document_number(mixture, "gap"));
    } else if (json_object_get(note, "loss_bound") != NULL) {
        const bool plain = document_number(note, "iterations") < 2;
        buf_printf(b,
                   "On the training rows the greatest %s loss of a group is %.5g, the bound is "
                   "%.5g; %s.",
                   document_text(note, "loss"), document_number(kept, "greatest_loss"),
                   document_number(note, "loss_bound"),
                   plain ? "the first training, which weighs all rows alike, kept it already: "
                           "nothing had to be made fairer"
                         : "of all trainings that keep it this one has the least mean loss");
    } else {
        buf_printf(b,
                   "On the training rows the groups differ by %.4f; of all trainings that keep the "
                   "bound this one is the most accurate.",
                   document_number(kept, "gap"));
    }
}
