#include "report/findings.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX (64u << 10)

static const char *
text_at(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text == NULL ? "" : text;
}

/* NaN for null and for what is absent. */
static double
number_at(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

static double
end_at(const json_t *o, const char *key, size_t end)
{
    const json_t *v = json_array_get(json_object_get(o, key), end);
    return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

static struct status
add(json_t *list, const char *kind, struct buf *text)
{
    TRY(buf_status(text));
    json_t *f = json_pack("{s:s, s:s}", "kind", kind, "text", buf_str(text));
    CHECK(f != NULL && json_array_append_new(list, f) == 0, MEMORY);
    buf_reset(text);
    return OK;
}

static struct status
say_performance(const json_t *d, json_t *list, struct buf *b)
{
    const json_t *p = json_object_get(d, "performance"), *label = json_object_get(d, "label");
    const json_t *accuracy = json_object_get(p, "accuracy"), *recall = json_object_get(p, "recall");
    const double rows = number_at(d, "rows"), positives = number_at(p, "positives");
    buf_printf(b, "On %.0f rows the model is right for %.1f %% (95 %% between %.1f and %.1f).",
               rows, 100 * number_at(accuracy, "value"), 100 * end_at(accuracy, "ci", 0),
               100 * end_at(accuracy, "ci", 1));
    const double base = fmax(positives, rows - positives) / rows;
    buf_printf(b, " Always answering \"%s\" would be right for %.1f %%.",
               positives * 2 > rows ? text_at(label, "positive") : text_at(label, "negative"),
               100 * base);
    if (isfinite(number_at(p, "roc_auc"))) {
        buf_printf(b, " Its ranking (ROC AUC) is %.3f (%.3f to %.3f).", number_at(p, "roc_auc"),
                   end_at(p, "roc_auc_ci", 0), end_at(p, "roc_auc_ci", 1));
    }
    if (isfinite(number_at(recall, "value"))) {
        buf_printf(b, " Of the %.0f with %s = %s it finds %.0f %%.", positives,
                   text_at(label, "column"), text_at(label, "positive"),
                   100 * number_at(recall, "value"));
    }
    return add(list, "performance", b);
}

static const json_t *
group_named(const json_t *factor, const char *name)
{
    size_t i = 0;
    json_t *g = NULL;
    json_array_foreach(json_object_get(factor, "groups"), i, g)
    {
        if (strcmp(text_at(g, "group"), name) == 0) {
            return json_object_get(g, "metrics");
        }
    }
    return NULL;
}

/* The group's name in a sentence: "afam = yes"; a cell of an intersection names itself. */
static void
put_group(const json_t *factor, const char *group, struct buf *b)
{
    if (strchr(group, '=') != NULL) {
        buf_put_str(b, group);
    } else {
        buf_printf(b, "%s = %s", text_at(factor, "factor"), group);
    }
}

static void
put_times(const json_t *gap, struct buf *b)
{
    const double ratio = number_at(gap, "ratio"), low = end_at(gap, "ratio_ci", 0),
                 high = end_at(gap, "ratio_ci", 1);
    if (ratio > 0 && low > 0 && isfinite(high) && high > 0) {
        buf_printf(b, ": %.1f times as often (95 %% between %.1f and %.1f), a difference",
                   1 / ratio, 1 / high, 1 / low);
    } else {
        buf_put_str(b, ": a difference");
    }
    buf_printf(b, " of %.1f percentage points (%.1f to %.1f).", 100 * number_at(gap, "difference"),
               100 * end_at(gap, "difference_ci", 0), 100 * end_at(gap, "difference_ci", 1));
}

/* The four-fifths rule compares rates of the outcome that people want; which one that is, the data
 * does not say. */
static void
put_four_fifths(const json_t *d, const json_t *gap, const json_t *high, const json_t *low,
                struct buf *b)
{
    const json_t *label = json_object_get(d, "label");
    const double h = number_at(json_object_get(high, "selection_rate"), "value");
    const double l = number_at(json_object_get(low, "selection_rate"), "value");
    const double other = 1 - l > 0 ? (1 - h) / (1 - l) : NAN, ratio = number_at(gap, "ratio");
    buf_printf(b,
               " Four-fifths rule: if \"%s\" is the favourable answer the ratio is %.2f and it %s;",
               text_at(label, "negative"), other, other >= 0.8 ? "holds" : "fails");
    buf_printf(b, " if \"%s\" is, it is %.2f and it %s.", text_at(label, "positive"), ratio,
               ratio >= 0.8 ? "holds" : "fails");
}

static struct status
say_factor(const json_t *d, const json_t *factor, json_t *list, struct buf *b)
{
    const json_t *label = json_object_get(d, "label");
    const json_t *gap = json_object_get(json_object_get(factor, "gaps"), "selection_rate");
    const char *high = text_at(gap, "high"), *low = text_at(gap, "low");
    const json_t *high_metrics = group_named(factor, high), *low_metrics = group_named(factor, low);
    if (number_at(factor, "groups_judged") < 2 || high_metrics == NULL || low_metrics == NULL ||
        strcmp(high, low) == 0) {
        buf_printf(
            b, "%s: fewer than two groups are large enough to compare, or no difference was seen.",
            text_at(factor, "factor"));
        return add(list, "fairness", b);
    }
    const bool certain = end_at(gap, "difference_ci", 0) > 0;
    buf_printf(b, "The model says %s = %s for %.1f %% of ", text_at(label, "column"),
               text_at(label, "positive"),
               100 * number_at(json_object_get(high_metrics, "selection_rate"), "value"));
    put_group(factor, high, b);
    buf_printf(b, " and for %.1f %% of ",
               100 * number_at(json_object_get(low_metrics, "selection_rate"), "value"));
    put_group(factor, low, b);
    put_times(gap, b);
    buf_put_str(b, certain ? ""
                           : " The interval includes no difference: these rows do not settle it.");
    put_four_fifths(d, gap, high_metrics, low_metrics, b);
    return add(list, "fairness", b);
}

static struct status
say_errors_between_groups(const json_t *d, const json_t *factor, json_t *list, struct buf *b)
{
    const json_t *label = json_object_get(d, "label");
    const json_t *gap = json_object_get(json_object_get(factor, "gaps"), "fpr");
    const json_t *high = group_named(factor, text_at(gap, "high")),
                 *low = group_named(factor, text_at(gap, "low"));
    if (number_at(factor, "groups_judged") < 2 || high == NULL || low == NULL ||
        !(end_at(gap, "difference_ci", 0) > 0)) {
        return OK;
    }
    buf_printf(b, "Among those whose true answer is %s, the model wrongly says %s for %.1f %% of ",
               text_at(label, "negative"), text_at(label, "positive"),
               100 * number_at(json_object_get(high, "fpr"), "value"));
    put_group(factor, text_at(gap, "high"), b);
    buf_printf(b, " and %.1f %% of ", 100 * number_at(json_object_get(low, "fpr"), "value"));
    put_group(factor, text_at(gap, "low"), b);
    put_times(gap, b);
    return add(list, "fairness", b);
}

static struct status
say_fairness(const json_t *d, json_t *list, struct buf *b)
{
    size_t i = 0;
    json_t *factor = NULL;
    const json_t *all = json_object_get(d, "fairness");
    json_array_foreach((json_t *)(uintptr_t)all, i, factor)
    {
        if (strstr(text_at(factor, "factor"), " and ") == NULL) {
            TRY(say_factor(d, factor, list, b));
            TRY(say_errors_between_groups(d, factor, list, b));
        }
    }
    if (json_array_size(all) == 0) {
        buf_put_str(b,
                    "No column of the dataset is marked as sensitive: fairness was not measured. "
                    "Mark one with \"steward dataset add --sensitive COLUMN\".");
        return add(list, "fairness", b);
    }
    return OK;
}

/* The three features with the largest mean |phi|. */
static struct status
say_explanation(const json_t *d, json_t *list, struct buf *b)
{
    const json_t *features = json_object_get(json_object_get(d, "explanation"), "features");
    const size_t n = json_array_size(features);
    double total = 0, before = INFINITY;
    for (size_t i = 0; i < n; i++) {
        total += number_at(json_array_get(features, i), "mean_abs");
    }
    if (!(total > 0)) {
        return OK;
    }
    buf_put_str(b, "What drives the model most: ");
    size_t last = SIZE_MAX;
    for (int rank = 0; rank < 3 && (size_t)rank < n; rank++) {
        size_t best = SIZE_MAX;
        for (size_t i = 0; i < n; i++) {
            const double v = number_at(json_array_get(features, i), "mean_abs");
            const bool after = v < before || (v <= before && last != SIZE_MAX && i > last);
            if (after &&
                (best == SIZE_MAX || v > number_at(json_array_get(features, best), "mean_abs"))) {
                best = i;
            }
        }
        if (best == SIZE_MAX) {
            break;
        }
        before = number_at(json_array_get(features, best), "mean_abs");
        last = best;
        buf_printf(b, "%s%s (%.0f %%)", rank == 0 ? "" : ", ",
                   text_at(json_array_get(features, best), "feature"), 100 * before / total);
    }
    buf_put_str(b, " of the mean attribution.");
    return add(list, "explanation", b);
}

static struct status
say_errors(const json_t *d, json_t *list, struct buf *b)
{
    const json_t *errors = json_object_get(d, "errors"), *tree = json_object_get(errors, "tree");
    const json_int_t worst = json_integer_value(json_object_get(errors, "worst"));
    const json_t *root = json_array_get(tree, 0),
                 *leaf = worst < 0 ? NULL : json_array_get(tree, (size_t)worst);
    if (leaf == NULL || worst == 0) {
        buf_put_str(b, "No cohort was found in which the model fails more often than elsewhere.");
        return add(list, "errors", b);
    }
    buf_printf(b,
               "It fails most where %s: wrong for %.0f of %.0f rows, %.0f %% (95 %% between %.0f "
               "and %.0f), against %.1f %% overall.",
               text_at(leaf, "cohort"), number_at(leaf, "errors"), number_at(leaf, "rows"),
               100 * number_at(leaf, "error_rate"), 100 * end_at(leaf, "ci", 0),
               100 * end_at(leaf, "ci", 1), 100 * number_at(root, "error_rate"));
    buf_put_str(
        b, " (The cohort was looked for in these same rows, so its rate is on the high side.)");
    return add(list, "errors", b);
}

struct status
findings_put(json_t *d)
{
    DEFER(buf_done) struct buf b;
    buf_init(&b, TEXT_MAX);
    json_t *list = json_array();
    CHECK(list != NULL && json_object_set_new(d, "findings", list) == 0, MEMORY);
    TRY(say_performance(d, list, &b));
    TRY(say_fairness(d, list, &b));
    TRY(say_explanation(d, list, &b));
    return say_errors(d, list, &b);
}
