#include "report/findings.h"

#include "report/assessment_parts.h"
#include "report/document.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (2u << 20)
#define NAMED 3u /* features that a sentence names */

struct finding {
    const char *kind;
    bool is_finding; /* otherwise one of the summary's sentences */
    double size, p_adjusted;
    struct buf headline, text;
};

static double
percent_at(const json_t *o, const char *key)
{
    return 100 * document_number(o, key);
}

/* Appends the finding and empties it for the next. */
static struct status
add(json_t *list, struct finding *f)
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

/* "deny = yes" */
static void
put_answer(const json_t *d, const char *which, struct buf *b)
{
    const json_t *label = json_object_get(d, "label");
    buf_printf(b, "%s = %s", document_text(label, "column"), document_text(label, which));
}

/* ---- performance ---- */

static void
put_baseline(const json_t *d, double rows, double positives, struct buf *b)
{
    buf_put_str(b, " Always answering ");
    put_answer(d, positives * 2 > rows ? "positive" : "negative", b);
    buf_printf(b, " would be right for %.1f %%.", 100 * fmax(positives, rows - positives) / rows);
}

static struct status
say_performance(const json_t *d, json_t *list, struct finding *f)
{
    const json_t *p = json_object_get(d, "performance");
    const json_t *accuracy = json_object_get(p, "accuracy"), *recall = json_object_get(p, "recall");
    const double rows = document_number(d, "rows"), positives = document_number(p, "positives");
    f->kind = "performance";
    buf_printf(
        &f->headline, "Right for %.1f %%; always \"%s\" for %.1f %%", percent_at(accuracy, "value"),
        document_text(json_object_get(d, "label"), positives * 2 > rows ? "positive" : "negative"),
        100 * fmax(positives, rows - positives) / rows);
    buf_printf(&f->text,
               "The model's decision is right for %.1f %% of %.0f rows (95 %% interval: %.1f to "
               "%.1f).",
               percent_at(accuracy, "value"), rows, 100 * document_end(accuracy, "ci", 0),
               100 * document_end(accuracy, "ci", 1));
    put_baseline(d, rows, positives, &f->text);
    if (isfinite(document_number(recall, "value"))) {
        buf_printf(&f->text, " Of the %.0f rows with ", positives);
        put_answer(d, "positive", &f->text);
        buf_printf(&f->text, " it finds %.0f %% (%.0f to %.0f).", percent_at(recall, "value"),
                   100 * document_end(recall, "ci", 0), 100 * document_end(recall, "ci", 1));
    }
    if (isfinite(document_number(p, "roc_auc"))) {
        buf_put_str(&f->text, " It gives a row with ");
        put_answer(d, "positive", &f->text);
        buf_printf(&f->text,
                   " a higher score than one without %.0f %% of the time (ROC AUC %.3f; %.3f to "
                   "%.3f).",
                   percent_at(p, "roc_auc"), document_number(p, "roc_auc"),
                   document_end(p, "roc_auc_ci", 0), document_end(p, "roc_auc_ci", 1));
    }
    return add(list, f);
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

static bool
is_settled(const json_t *d, const json_t *gap)
{
    return document_number(gap, "p_adjusted") <= document_number(d, "false_discovery_rate");
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

static const struct {
    const char *metric, *happens;
} disparities[] = {
    {"selection_rate", "predicted so"},
    {"false_positive_rate", "wrongly predicted so"},
    {"false_negative_rate", "missed"},
};

static struct status
say_disparity(const json_t *d, const json_t *grouping, size_t k, json_t *list, struct finding *f)
{
    const json_t *gap = gap_of(grouping, disparities[k].metric);
    if (!is_settled(d, gap)) {
        return OK;
    }
    f->kind = "fairness";
    f->size = at_least(gap);
    f->p_adjusted = document_number(gap, "p_adjusted");
    put_group(grouping, document_text(gap, "high"), &f->headline);
    buf_printf(&f->headline, ": %s ", disparities[k].happens);
    put_times(gap, &f->headline);
    buf_put_str(&f->text, document_text(gap, "sentence"));
    return add(list, f);
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
find_disparities(const json_t *d, json_t *list, struct finding *f)
{
    const json_t *all = json_object_get(json_object_get(d, "fairness"), "groupings");
    size_t i = 0;
    json_t *grouping = NULL;
    json_array_foreach((json_t *)(uintptr_t)all, i, grouping)
    {
        for (size_t k = 0; k < sizeof disparities / sizeof *disparities; k++) {
            if (!is_intersection(grouping) || is_news(all, grouping, disparities[k].metric)) {
                TRY(say_disparity(d, grouping, k, list, f));
            }
        }
    }
    return OK;
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
    if (json_is_null(json_object_get(d, "fairness"))) {
        buf_put_str(&f->headline, "Not measured");
        buf_put_str(&f->text, "No column of the dataset is marked as sensitive. Mark one with "
                              "\"steward dataset add --sensitive COLUMN\".");
    } else {
        buf_put_str(&f->headline, "No settled difference");
        buf_put_str(&f->text,
                    "Between the groups there is no difference, in how often the model decides so, "
                    "wrongly does or wrongly does not, that is more than chance explains. That is "
                    "no proof that there is none: the intervals tell how large it may be.");
    }
    return add(list, f);
}

/* ---- explanation ---- */

static const json_t *
first_output(const json_t *o)
{
    return json_array_get(json_object_get(o, "outputs"), 0);
}

static struct status
say_explanation(const json_t *d, json_t *list, struct finding *f)
{
    const json_t *output = first_output(json_object_get(d, "explanation"));
    const json_t *features = json_object_get(output, "features");
    const size_t n = json_array_size(features);
    DEFER(memory_freep) struct document_ranked *r = NULL;
    double total = 0;
    TRY(document_rank(features, "mean_abs", DOCUMENT_LARGEST, &r));
    for (size_t i = 0; i < n; i++) {
        total += r[i].size;
    }
    f->kind = "explanation";
    if (!(total > 0)) {
        buf_put_str(&f->headline, "Nothing");
        buf_put_str(&f->text, "No feature moves the model's answer: it is the same for every row.");
        return add(list, f);
    }
    buf_put_str(&f->text, "What drives the model most: ");
    const size_t named = n < NAMED ? n : NAMED;
    for (size_t i = 0; i < named && r[i].size > 0; i++) {
        const char *name = document_text(r[i].item, "feature");
        buf_printf(&f->headline, "%s%s", i == 0 ? "" : ", ", name);
        buf_printf(&f->text, "%s%s (%.0f %%)", i == 0 ? "" : ", ", name, 100 * r[i].size / total);
    }
    buf_put_str(&f->text, " of the mean size of all attributions.");
    return add(list, f);
}

struct push {
    const char *feature;
    const json_t *value;
    double phi;
};

static int
compare_pushes(const void *a, const void *b)
{
    const double x = fabs(((const struct push *)a)->phi), y = fabs(((const struct push *)b)->phi);
    return (x < y) - (x > y);
}

static void
put_value(const json_t *v, struct buf *b)
{
    if (json_is_string(v)) {
        buf_put_str(b, json_string_value(v));
    } else if (json_is_number(v)) {
        assessment_put_number(b, json_number_value(v));
    } else {
        buf_put_str(b, "missing");
    }
}

/* "pirat = 0.66 (+2.69), mhist = 2 (+0.20)" of those of that sign; "nothing" when there are none.
 */
static void
put_pushes(const struct push *p, size_t n, bool positive, struct buf *b)
{
    size_t put = 0;
    for (size_t i = 0; i < n && put < NAMED; i++) {
        if (p[i].phi != 0 && (p[i].phi > 0) == positive) {
            buf_printf(b, "%s%s = ", put == 0 ? "" : ", ", p[i].feature);
            put_value(p[i].value, b);
            buf_printf(b, " (%+.2f)", p[i].phi);
            put++;
        }
    }
    buf_put_str(b, put == 0 ? "nothing" : "");
}

static struct status
pushes_of(const json_t *explanation, struct push **ret_pushes, size_t *ret_count)
{
    const json_t *features = json_object_get(first_output(explanation), "features");
    const json_t *local = json_array_get(json_object_get(explanation, "local"), 0);
    const size_t n = json_array_size(features);
    struct push *p = calloc(n + 1, sizeof *p);
    CHECK(p != NULL, MEMORY);
    for (size_t i = 0; i < n; i++) {
        p[i] = (struct push){document_text(json_array_get(features, i), "feature"),
                             json_array_get(json_object_get(local, "values"), i),
                             document_end(first_output(local), "phi", i)};
    }
    qsort(p, n, sizeof *p, compare_pushes);
    *ret_pushes = p;
    *ret_count = n;
    return OK;
}

static struct status
say_example(const json_t *d, json_t *list, struct finding *f)
{
    const json_t *example = json_object_get(d, "example");
    const bool decided = json_is_true(json_object_get(example, "decided"));
    DEFER(memory_freep) struct push *p = NULL;
    size_t n = 0;
    TRY(pushes_of(json_object_get(d, "explanation"), &p, &n));
    f->kind = "example";
    buf_printf(&f->headline, "Row %.0f: ", document_number(example, "row"));
    put_answer(d, decided ? "positive" : "negative", &f->headline);
    buf_printf(&f->text, "Row %.0f of the dataset got a probability of %.1f %% and was decided ",
               document_number(example, "row"), percent_at(example, "score"));
    put_answer(d, decided ? "positive" : "negative", &f->text);
    buf_printf(&f->text, "; the truth is %s. ", document_text(example, "label"));
    buf_put_str(&f->text, "In log-odds, towards it: ");
    put_pushes(p, n, decided, &f->text);
    buf_put_str(&f->text, "; against it: ");
    put_pushes(p, n, !decided, &f->text);
    buf_put_str(&f->text, ".");
    return add(list, f);
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

static struct status
find_slice(const json_t *d, json_t *list, struct finding *f)
{
    const json_t *s = worst_slice(d);
    const json_t *slices = json_object_get(json_object_get(d, "errors"), "slices");
    if (s == NULL) {
        return OK;
    }
    f->kind = "errors";
    f->size = fmax(0, document_end(s, "ci_all", 0) - document_number(s, "rest_error_rate"));
    f->p_adjusted = document_number(s, "q");
    buf_printf(&f->headline, "Wrong for %.0f %% of one slice", percent_at(s, "error_rate"));
    buf_printf(
        &f->text,
        "It fails most where %s: wrong for %.0f of %.0f rows, %.1f %% (%.0f %% interval that "
        "allows for all %.0f slices looked at: %.1f to %.1f), against %.1f %% elsewhere. "
        "%.0f %% of all its mistakes lie there. As a cohort: %s.",
        document_text(s, "words"), document_number(s, "mistakes"), document_number(s, "rows"),
        percent_at(s, "error_rate"), 100 * document_number(d, "level"),
        document_number(slices, "candidates"), 100 * document_end(s, "ci_all", 0),
        100 * document_end(s, "ci_all", 1), percent_at(s, "rest_error_rate"),
        percent_at(s, "coverage"), document_text(s, "name"));
    return add(list, f);
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
    buf_put_str(&f->text,
                "No slice was found in which the model is wrong more often than the worst "
                "of as many would be by chance.");
    if (leaf != NULL) {
        buf_printf(&f->text,
                   " The worst leaf of the error tree, which may be chance: %s, wrong for %.0f of "
                   "%.0f rows, %.0f %%, against %.1f %% of all.",
                   document_text(leaf, "words"), document_number(leaf, "errors"),
                   document_number(leaf, "rows"), percent_at(leaf, "error_rate"),
                   percent_at(json_array_get(tree, 0), "error_rate"));
    }
    return add(list, f);
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
        TRY(add(list, f));
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
    TRY(say_performance(d, summary, &f));
    TRY(say_fairness(d, found, summary, &f));
    TRY(say_explanation(d, summary, &f));
    TRY(say_example(d, summary, &f));
    return say_errors(d, summary, &f);
}
