#include "report/findings.h"

#include "report/fairness_document.h"
#include "report/findings_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (2u << 20)

double
findings_percent(const json_t *o, const char *key)
{
    return 100 * document_number(o, key);
}

/* Appends the finding and empties it for the next. */
struct status
findings_add(json_t *list, struct finding *f)
{
    TRY(buf_status(&f->headline));
    TRY(buf_status(&f->text));
    json_t *o = json_pack("{s:s, s:s, s:s}", "kind", f->kind, "headline", buf_str(&f->headline),
                          "text", buf_str(&f->text));
    CHECK(o != NULL && json_array_append_new(list, o) == 0, MEMORY);
    if (f->is_finding) {
        TRY(js_set(o, "size", js_real(f->size)));
        TRY(js_set(o, "p_adjusted", js_real(f->p_adjusted)));
    }
    buf_reset(&f->headline);
    buf_reset(&f->text);
    return OK;
}

/* ---- fairness ---- */

static bool
is_intersection(const json_t *grouping)
{
    return json_array_size(json_object_get(grouping, "columns")) > 1;
}

static const json_t *
gap_of(const json_t *grouping, const char *metric)
{
    return json_object_get(json_object_get(grouping, "gaps"), metric);
}

static double
value_of(const json_t *gap, const char *key)
{
    return document_number(json_object_get(gap, key), "value");
}

/* The near end of the difference's interval: how much it is at least. */
static double
at_least(const json_t *gap)
{
    const double low = document_end(json_object_get(gap, "difference"), "ci", 0);
    return isfinite(low) ? fmax(0, low) : 0;
}

/* "afam = yes"; a group of an intersection names its columns itself. */
static void
put_group(const json_t *grouping, const char *group, struct buf *b)
{
    if (!is_intersection(grouping)) {
        buf_printf(
            b, "%s = ", json_string_value(json_array_get(json_object_get(grouping, "columns"), 0)));
    }
    buf_put_str(b, group);
}

static void
put_times(const json_t *gap, struct buf *b)
{
    const double ratio = value_of(gap, "ratio");
    if (ratio > 0) {
        buf_printf(b, "%.1f times as often", 1 / ratio);
    } else {
        buf_printf(b, "%.0f points more often", 100 * value_of(gap, "difference"));
    }
}

/* What is said of the group with the larger value of a metric; before and after a class's name. */
struct disparity {
    const char *metric, *happens, *after;
};

static const struct disparity of_decisions[] = {
    {"selection_rate", "predicted so", ""},
    {"false_positive_rate", "wrongly predicted so", ""},
    {"false_negative_rate", "missed", ""},
    {NULL, NULL, NULL},
};
static const struct disparity of_class[] = {
    {"selection_rate", "predicted ", ""},
    {"false_positive_rate", "wrongly predicted ", ""},
    {"false_negative_rate", "", " missed"},
    {NULL, NULL, NULL},
};
static const struct disparity of_all_classes[] = {
    {"accuracy_score", "answered rightly", ""},
    {NULL, NULL, NULL},
};
static const struct disparity of_numbers[] = {
    {"mean_prediction", "mean prediction", ""},
    {"mean_absolute_error", "mean absolute error", ""},
    {"overprediction", "mean overprediction", ""},
    {"underprediction", "mean underprediction", ""},
    {NULL, NULL, NULL},
};

/* Groupings whose comparisons were adjusted together. */
struct analysis {
    const json_t *d;
    const json_t *groupings;
    const char *class; /* against the others, or NULL */
    const struct disparity *disparities;
    double families; /* analyses: an adjusted p is held against the rate over their number */
    double unit;     /* of sizes: 1, of numbers the standard deviation of the label */
};

static void
put_headline(const struct analysis *a, const struct disparity *k, const json_t *gap, struct buf *b)
{
    if (a->disparities == of_numbers) {
        buf_printf(b, ": %s %.3g higher", k->happens, value_of(gap, "difference"));
        return;
    }
    buf_printf(b, ": %s%s%s ", k->happens, a->class == NULL ? "" : a->class, k->after);
    put_times(gap, b);
}

static struct status
say_disparity(const struct analysis *a, const json_t *grouping, const struct disparity *k,
              json_t *list, struct finding *f)
{
    const json_t *gap = gap_of(grouping, k->metric);
    const double p = document_number(gap, "p_adjusted") * a->families;
    if (!(p <= document_number(a->d, "false_discovery_rate"))) {
        return OK;
    }
    f->kind = "fairness";
    f->size = at_least(gap) / a->unit;
    f->p_adjusted = p;
    put_group(grouping, document_text(gap, "high"), &f->headline);
    put_headline(a, k, gap, &f->headline);
    buf_put_str(&f->text, document_text(gap, "sentence"));
    return findings_add(list, f);
}

/* An intersection tells something new where its gap is surely larger than those of its columns. */
static bool
is_news(const json_t *groupings, const json_t *grouping, const char *metric)
{
    size_t i = 0, k = 0;
    json_t *g = NULL, *name = NULL;
    const double least = at_least(gap_of(grouping, metric));
    json_array_foreach((json_t *)(uintptr_t)groupings, i, g)
    {
        const char *own = json_string_value(json_array_get(json_object_get(g, "columns"), 0));
        bool part = false;
        json_array_foreach(json_object_get(grouping, "columns"), k, name)
        {
            part |= strcmp(json_string_value(name), own) == 0;
        }
        if (part && !is_intersection(g) && least <= value_of(gap_of(g, metric), "difference")) {
            return false;
        }
    }
    return true;
}

static struct status
find_in_analysis(const struct analysis *a, json_t *list, struct finding *f)
{
    size_t i = 0;
    json_t *grouping = NULL;
    json_array_foreach((json_t *)(uintptr_t)a->groupings, i, grouping)
    {
        for (const struct disparity *k = a->disparities; k->metric != NULL; k++) {
            if (!is_intersection(grouping) || is_news(a->groupings, grouping, k->metric)) {
                TRY(say_disparity(a, grouping, k, list, f));
            }
        }
    }
    return OK;
}

/* The label's standard deviation, in which sizes of numbers are told. */
static double
unit_of(const json_t *d)
{
    const json_t *truth = json_object_get(json_object_get(d, "performance"), "truth");
    const double sd = document_number(truth, "sd");
    return sd > 0 ? sd : 1;
}

static struct status
find_disparities(const json_t *d, json_t *list, struct finding *f)
{
    const json_t *fairness = json_object_get(d, "fairness"),
                 *classes = json_object_get(fairness, "classes");
    const enum model_task task = document_task(d);
    size_t i = 0;
    json_t *class = NULL;
    struct analysis a = {.d = d,
                         .groupings = json_object_get(fairness, "groupings"),
                         .disparities = task == MODEL_BINARY    ? of_decisions
                                        : task == MODEL_CLASSES ? of_all_classes
                                                                : of_numbers,
                         .families = 1 + (double)json_array_size(classes),
                         .unit = unit_of(d)};
    TRY(find_in_analysis(&a, list, f));
    a.disparities = of_class;
    json_array_foreach((json_t *)(uintptr_t)classes, i, class)
    {
        a.groupings = json_object_get(class, "groupings");
        a.class = document_text(class, "class");
        TRY(find_in_analysis(&a, list, f));
    }
    return OK;
}

/* Whether any grouping has two groups that are large enough to be held against each other. */
static bool
compares_groups(const json_t *fairness)
{
    size_t i = 0, k = 0;
    json_t *grouping = NULL, *group = NULL;
    json_array_foreach(json_object_get(fairness, "groupings"), i, grouping)
    {
        size_t judged = 0;
        json_array_foreach(json_object_get(grouping, "groups"), k, group)
        {
            judged += json_is_true(json_object_get(group, "judged"));
        }
        if (judged >= 2) {
            return true;
        }
    }
    return false;
}

/* There is no sensitive column, or none that makes groups, which the remarks tell. */
static void
say_unmeasured(const json_t *d, struct finding *f)
{
    if (json_array_size(json_object_get(d, "without_groups")) > 0) {
        buf_put_str(&f->text, "No sensitive column of the dataset makes groups.");
        return;
    }
    buf_put_str(&f->text, "No column of the dataset is marked as sensitive. Mark one with "
                          "\"steward dataset add --sensitive COLUMN\".");
}

/* Where nothing was found, that is said too. */
static struct status
say_fairness(const json_t *d, const json_t *findings, json_t *list, struct finding *f)
{
    size_t i = 0;
    json_t *found = NULL;
    json_array_foreach((json_t *)(uintptr_t)findings, i, found)
    {
        if (strcmp(document_text(found, "kind"), "fairness") == 0) {
            return OK;
        }
    }
    f->kind = "fairness";
    if (json_is_null(json_object_get(d, "fairness")) &&
        json_array_size(json_object_get(json_object_get(d, "label"), "classes")) >
            FAIRNESS_CLASSES_MAX) {
        buf_put_str(&f->headline, "Not measured");
        buf_put_str(&f->text, "There are too many classes to compare groups by each.");
    } else if (json_is_null(json_object_get(d, "fairness"))) {
        buf_put_str(&f->headline, "Not measured");
        say_unmeasured(d, f);
    } else if (!compares_groups(json_object_get(d, "fairness"))) {
        buf_put_str(&f->headline, "Not compared");
        buf_printf(&f->text,
                   "No sensitive column has two groups of %.0f rows or more: none is held against "
                   "another, and nothing is known of how differently they are treated.",
                   document_number(d, "min_group"));
    } else {
        buf_put_str(&f->headline, "No settled difference");
        buf_printf(&f->text,
                   "Between the groups there is no difference, in %s, that is more than chance "
                   "explains. That is no proof that there is none: the intervals tell how large it "
                   "may be.",
                   document_task(d) == MODEL_NUMBER
                       ? "the model's mean answer or in how far it is off"
                   : document_task(d) == MODEL_CLASSES
                       ? "how often it is right, or decides for a class, wrongly does or wrongly "
                         "does not"
                       : "how often the model decides so, wrongly does or wrongly does not");
    }
    return findings_add(list, f);
}

/* ---- where it fails ---- */

static const json_t *
worst_slice(const json_t *d)
{
    size_t i = 0;
    json_t *s = NULL;
    const json_t *errors = json_object_get(d, "errors");
    json_array_foreach(json_object_get(json_object_get(errors, "slices"), "found"), i, s)
    {
        if (json_is_true(json_object_get(s, "holds"))) {
            return s;
        }
    }
    return NULL;
}

/* Of numbers an error is a distance, not a share of rows. */
static void
put_slice(const json_t *d, const json_t *s, struct finding *f)
{
    const double candidates =
        document_number(json_object_get(json_object_get(d, "errors"), "slices"), "candidates");
    const bool numeric = document_task(d) == MODEL_NUMBER;
    const double scale = numeric ? 1 : 100, rate = scale * document_number(s, "error_rate"),
                 low = scale * document_end(s, "ci_all", 0),
                 high = scale * document_end(s, "ci_all", 1),
                 rest = scale * document_number(s, "rest_error_rate");
    buf_printf(&f->text, "It fails most where %s: ", document_text(s, "words"));
    if (numeric) {
        buf_printf(&f->headline, "Off by %.3g in one slice", rate);
        buf_printf(&f->text,
                   "off by %.4g on average in %.0f rows (%.0f %% interval that allows for all "
                   "%.0f slices looked at: %.4g to %.4g), against %.4g elsewhere. %.0f %% of the "
                   "sum of all errors lies there.",
                   rate, document_number(s, "rows"), findings_percent(d, "level"), candidates, low,
                   high, rest, findings_percent(s, "coverage"));
    } else {
        buf_printf(&f->headline, "Wrong for %.0f %% of one slice", rate);
        buf_printf(&f->text,
                   "wrong for %.0f of %.0f rows, %.1f %% (%.0f %% interval that allows for all "
                   "%.0f slices looked at: %.1f to %.1f), against %.1f %% elsewhere. %.0f %% of "
                   "all its mistakes lie there.",
                   document_number(s, "mistakes"), document_number(s, "rows"), rate,
                   findings_percent(d, "level"), candidates, low, high, rest,
                   findings_percent(s, "coverage"));
    }
    buf_printf(&f->text, " As a cohort: %s.", document_text(s, "name"));
}

static struct status
find_slice(const json_t *d, json_t *list, struct finding *f)
{
    const json_t *s = worst_slice(d);
    if (s == NULL) {
        return OK;
    }
    f->kind = "errors";
    f->size =
        fmax(0, document_end(s, "ci_all", 0) - document_number(s, "rest_error_rate")) / unit_of(d);
    f->p_adjusted = document_number(s, "q");
    put_slice(d, s, f);
    return findings_add(list, f);
}

static void
put_worst_leaf(const json_t *d, const json_t *leaf, const json_t *root, struct buf *b)
{
    buf_printf(b, " The worst leaf of the error tree, which may be chance: %s, ",
               document_text(leaf, "words"));
    if (document_task(d) == MODEL_NUMBER) {
        buf_printf(b, "off by %.4g on average in %.0f rows, against %.4g of all.",
                   document_number(leaf, "error_rate"), document_number(leaf, "rows"),
                   document_number(root, "error_rate"));
    } else {
        buf_printf(b, "wrong for %.0f of %.0f rows, %.0f %%, against %.1f %% of all.",
                   document_number(leaf, "errors"), document_number(leaf, "rows"),
                   findings_percent(leaf, "error_rate"), findings_percent(root, "error_rate"));
    }
}

/* No slice holds: the tree's worst leaf is told as what it is. */
static struct status
say_errors(const json_t *d, json_t *list, struct finding *f)
{
    const json_t *errors = json_object_get(d, "errors"), *tree = json_object_get(errors, "tree");
    const json_int_t worst = json_integer_value(json_object_get(errors, "worst"));
    const json_t *leaf = worst < 1 ? NULL : json_array_get(tree, (size_t)worst);
    if (worst_slice(d) != NULL) {
        return OK;
    }
    f->kind = "errors";
    buf_put_str(&f->headline, "No slice that is surely worse");
    buf_printf(&f->text,
               "No slice was found in which the model is %s than the worst of as many would be by "
               "chance.",
               document_task(d) == MODEL_NUMBER ? "farther off" : "wrong more often");
    if (leaf != NULL) {
        put_worst_leaf(d, leaf, json_array_get(tree, 0), &f->text);
    }
    return findings_add(list, f);
}

/* ---- bias ---- */

static struct status
find_bias(const json_t *d, json_t *list, struct finding *f)
{
    static const char *const headlines[][2] = {
        {"label", "Labels differ"},           {"strata", "Labels differ within strata"},
        {"representation", "Missing people"}, {"proxy", "A column tells the group"},
        {"missing", "Missing values differ"},
    };
    size_t i = 0;
    json_t *b = NULL;
    json_array_foreach(json_object_get(json_object_get(d, "bias"), "findings"), i, b)
    {
        if (!json_is_true(json_object_get(b, "holds"))) {
            continue;
        }
        f->kind = "bias";
        f->size = fmax(0, document_number(b, "size"));
        f->p_adjusted = document_number(b, "p_adjusted");
        buf_put_str(&f->headline, document_text(b, "factor"));
        for (size_t k = 0; k < sizeof headlines / sizeof *headlines; k++) {
            if (strcmp(headlines[k][0], document_text(b, "kind")) == 0) {
                buf_printf(&f->headline, ": %s", headlines[k][1]);
            }
        }
        buf_put_str(&f->text, document_text(b, "text"));
        TRY(findings_add(list, f));
    }
    return OK;
}

/* ---- the whole ---- */

static void
finding_done(struct finding *f)
{
    buf_done(&f->headline);
    buf_done(&f->text);
}

static struct status
put_worst_first(json_t *d, const json_t *found)
{
    DEFER(memory_freep) struct document_ranked *r = NULL;
    json_t *list = json_array();
    TRY(js_set(d, "findings", list));
    TRY(document_rank(found, "size", DOCUMENT_LARGEST, &r));
    for (size_t i = 0; i < json_array_size(found); i++) {
        json_t *item = json_array_get(found, r[i].place);
        CHECK(json_array_append(list, item) == 0, MEMORY);
    }
    return OK;
}

struct status
findings_put(json_t *d)
{
    DEFER(finding_done) struct finding f = {0};
    DEFER(js_freep) json_t *found = json_array();
    buf_init(&f.headline, TEXT_MAX);
    buf_init(&f.text, TEXT_MAX);
    json_t *summary = json_array();
    TRY(js_set(d, "summary", summary));
    CHECK(found != NULL, MEMORY);
    f.is_finding = true;
    TRY(find_disparities(d, found, &f));
    TRY(find_slice(d, found, &f));
    TRY(find_bias(d, found, &f));
    TRY(put_worst_first(d, found));
    f.is_finding = false;
    TRY(findings_say_performance(d, summary, &f));
    TRY(say_fairness(d, found, summary, &f));
    TRY(findings_say_explanation(d, summary, &f));
    TRY(findings_say_example(d, summary, &f));
    return say_errors(d, summary, &f);
}
