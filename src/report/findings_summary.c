/* What an assessment's summary says whatever was found. */
#include "report/assessment_parts.h"
#include "report/findings_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NAMED 3u /* features that a sentence names */

/* "deny = yes" */
static void
put_answer(const json_t *d, const char *which, struct buf *b)
{
    const json_t *label = json_object_get(d, "label");
    buf_printf(b, "%s = %s", document_text(label, "column"), document_text(label, which));
}

/* ---- performance of two classes ---- */

static void
put_baseline(const json_t *d, double rows, double positives, struct buf *b)
{
    buf_put_str(b, " Always answering ");
    put_answer(d, positives * 2 > rows ? "positive" : "negative", b);
    buf_printf(b, " would be right for %.1f %%.", 100 * fmax(positives, rows - positives) / rows);
}

static struct status
say_decisions(const json_t *d, json_t *list, struct finding *f)
{
    const json_t *p = json_object_get(d, "performance");
    const json_t *accuracy = json_object_get(p, "accuracy"), *recall = json_object_get(p, "recall");
    const double rows = document_number(d, "rows"), positives = document_number(p, "positives");
    buf_printf(
        &f->headline, "Right for %.1f %%; always \"%s\" for %.1f %%",
        findings_percent(accuracy, "value"),
        document_text(json_object_get(d, "label"), positives * 2 > rows ? "positive" : "negative"),
        100 * fmax(positives, rows - positives) / rows);
    buf_printf(&f->text,
               "The model's decision is right for %.1f %% of %.0f rows (95 %% interval: %.1f to "
               "%.1f).",
               findings_percent(accuracy, "value"), rows, 100 * document_end(accuracy, "ci", 0),
               100 * document_end(accuracy, "ci", 1));
    put_baseline(d, rows, positives, &f->text);
    if (isfinite(document_number(recall, "value"))) {
        buf_printf(&f->text, " Of the %.0f rows with ", positives);
        put_answer(d, "positive", &f->text);
        buf_printf(&f->text, " it finds %.0f %% (%.0f to %.0f).", findings_percent(recall, "value"),
                   100 * document_end(recall, "ci", 0), 100 * document_end(recall, "ci", 1));
    }
    if (isfinite(document_number(p, "roc_auc"))) {
        buf_put_str(&f->text, " It gives a row with ");
        put_answer(d, "positive", &f->text);
        buf_printf(&f->text,
                   " a higher score than one without %.0f %% of the time (ROC AUC %.3f; %.3f to "
                   "%.3f).",
                   findings_percent(p, "roc_auc"), document_number(p, "roc_auc"),
                   document_end(p, "roc_auc_ci", 0), document_end(p, "roc_auc_ci", 1));
    }
    return findings_add(list, f);
}

/* ---- of several classes ---- */

/* The class with the lowest recall, of those that have rows; NULL: none has. */
static const json_t *
least_found(const json_t *performance)
{
    size_t i = 0;
    json_t *class = NULL;
    const json_t *least = NULL;
    double recall = 2;
    json_array_foreach(json_object_get(performance, "classes"), i, class)
    {
        const double own = document_number(json_object_get(class, "recall"), "value");
        if (own < recall) {
            recall = own;
            least = class;
        }
    }
    return least;
}

static struct status
say_classes(const json_t *d, json_t *list, struct finding *f)
{
    const json_t *p = json_object_get(d, "performance"), *right = json_object_get(p, "accuracy"),
                 *baseline = json_object_get(p, "baseline"),
                 *macro = json_object_get(p, "macro_recall"), *least = least_found(p),
                 *top = json_object_get(p, "top_label");
    buf_printf(&f->headline, "Right for %.1f %%; always \"%s\" for %.1f %%",
               findings_percent(right, "value"), document_text(baseline, "class"),
               findings_percent(baseline, "share"));
    buf_printf(&f->text,
               "The model's class is right for %.1f %% of %.0f rows (%.0f %% interval: %.1f to "
               "%.1f). Always answering \"%s\", the most frequent one, would be right for %.1f "
               "%%. On average over the classes it finds %.1f %% of the rows (%.1f to %.1f)",
               findings_percent(right, "value"), document_number(d, "rows"),
               findings_percent(d, "level"), 100 * document_end(right, "ci", 0),
               100 * document_end(right, "ci", 1), document_text(baseline, "class"),
               findings_percent(baseline, "share"), findings_percent(macro, "value"),
               100 * document_end(macro, "ci", 0), 100 * document_end(macro, "ci", 1));
    if (least != NULL) {
        const json_t *recall = json_object_get(least, "recall");
        buf_printf(&f->text, ", fewest of \"%s\": %.1f %% of %.0f (%.1f to %.1f)",
                   document_text(least, "class"), findings_percent(recall, "value"),
                   document_number(recall, "n"), 100 * document_end(recall, "ci", 0),
                   100 * document_end(recall, "ci", 1));
    }
    buf_put_str(&f->text, ".");
    if (json_is_object(top)) {
        buf_printf(&f->text,
                   " The probability of its answer is off by %.1f points on average (expected "
                   "calibration error %.3f; chance alone would make %.3f).",
                   findings_percent(top, "ece"), document_number(top, "ece"),
                   document_number(top, "ece_noise"));
    }
    return findings_add(list, f);
}

/* ---- of numbers ---- */

/* " (1.2 to 3.4)"; nothing where too few rows have no interval. */
static void
put_interval(const json_t *number, const char *before, const char *after, struct buf *b)
{
    if (isfinite(document_end(number, "ci", 0))) {
        buf_printf(b, "%s%.4g to %.4g%s", before, document_end(number, "ci", 0),
                   document_end(number, "ci", 1), after);
    }
}

static struct status
say_numbers(const json_t *d, json_t *list, struct finding *f)
{
    const json_t *p = json_object_get(d, "performance"),
                 *off = json_object_get(p, "mean_absolute_error"),
                 *r2 = json_object_get(p, "r2_score"), *mean = json_object_get(p, "mean_error"),
                 *baseline = json_object_get(p, "baseline"),
                 *residuals = json_object_get(p, "residuals");
    const double always = document_number(baseline, "mean_absolute_error");
    buf_printf(&f->headline, "Off by %.3g on average; always the median by %.3g",
               document_number(off, "value"), always);
    char before[48];
    (void)snprintf(before, sizeof before, " (%.0f %% interval: ", findings_percent(d, "level"));
    buf_printf(&f->text, "The model's number is off by %.4g on average over %.0f row%s",
               document_number(off, "value"), document_number(d, "rows"),
               document_number(d, "rows") > 1 ? "s" : "");
    put_interval(off, before, ")", &f->text);
    buf_printf(&f->text, ". Always answering the median, %.4g, would be off by %.4g.",
               document_number(baseline, "answer"), always);
    if (isfinite(document_number(r2, "value"))) {
        buf_printf(&f->text, " R squared is %.3f (%.3f to %.3f).", document_number(r2, "value"),
                   document_end(r2, "ci", 0), document_end(r2, "ci", 1));
    }
    buf_printf(&f->text, " Prediction less truth is %.3g on average",
               document_number(mean, "value"));
    put_interval(mean, " (", ")", &f->text);
    buf_printf(&f->text, " and from %.3g to %.3g for nine rows in ten.",
               document_number(residuals, "p05"), document_number(residuals, "p95"));
    return findings_add(list, f);
}

struct status
findings_say_performance(const json_t *d, json_t *list, struct finding *f)
{
    f->kind = "performance";
    switch (document_task(d)) {
    case MODEL_CLASSES:
        return say_classes(d, list, f);
    case MODEL_NUMBER:
        return say_numbers(d, list, f);
    default:
        return say_decisions(d, list, f);
    }
}

/* ---- explanation ---- */

static const json_t *
output_of(const json_t *o, size_t output)
{
    return json_array_get(json_object_get(o, "outputs"), output);
}

/* [{"feature", "size"}], the mean size of attributions over all outputs. */
static struct status
sizes_of(const json_t *explanation, json_t **ret_sizes)
{
    const size_t outputs = json_array_size(json_object_get(explanation, "outputs"));
    DEFER(js_freep) json_t *list = json_array();
    size_t f = 0;
    json_t *feature = NULL;
    CHECK(list != NULL, MEMORY);
    json_array_foreach(json_object_get(output_of(explanation, 0), "features"), f, feature)
    {
        double size = 0;
        for (size_t k = 0; k < outputs; k++) {
            const json_t *all = json_object_get(output_of(explanation, k), "features");
            size += document_number(json_array_get(all, f), "mean_abs");
        }
        json_t *o = json_pack("{s:s, s:o}", "feature", document_text(feature, "feature"), "size",
                              js_real(size));
        CHECK(o != NULL && json_array_append_new(list, o) == 0, MEMORY);
    }
    *ret_sizes = MOVE(list);
    return OK;
}

struct status
findings_say_explanation(const json_t *d, json_t *list, struct finding *f)
{
    DEFER(js_freep) json_t *features = NULL;
    DEFER(memory_freep) struct document_ranked *r = NULL;
    double total = 0;
    TRY(sizes_of(json_object_get(d, "explanation"), &features));
    TRY(document_rank(features, "size", DOCUMENT_LARGEST, &r));
    const size_t n = json_array_size(features);
    for (size_t i = 0; i < n; i++) {
        total += r[i].size;
    }
    f->kind = "explanation";
    if (!(total > 0)) {
        buf_put_str(&f->headline, "Nothing");
        buf_put_str(&f->text, "No feature moves the model's answer: it is the same for every row.");
        return findings_add(list, f);
    }
    buf_put_str(&f->text, "What drives the model most: ");
    const size_t named = n < NAMED ? n : NAMED;
    for (size_t i = 0; i < named && r[i].size > 0; i++) {
        const char *name = document_text(r[i].item, "feature");
        buf_printf(&f->headline, "%s%s", i == 0 ? "" : ", ", name);
        buf_printf(&f->text, "%s%s (%.0f %%)", i == 0 ? "" : ", ", name, 100 * r[i].size / total);
    }
    buf_printf(&f->text, " of the mean size of all attributions%s.",
               document_task(d) == MODEL_CLASSES ? ", those to all classes together" : "");
    return findings_add(list, f);
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
            buf_printf(b, fabs(p[i].phi) < 1e7 ? " (%+.2f)" : " (%+.3g)", p[i].phi);
            put++;
        }
    }
    buf_put_str(b, put == 0 ? "nothing" : "");
}

static struct status
pushes_of(const json_t *explanation, size_t output, struct push **ret_pushes, size_t *ret_count)
{
    const json_t *features = json_object_get(output_of(explanation, output), "features");
    const json_t *local = json_array_get(json_object_get(explanation, "local"), 0);
    const size_t n = json_array_size(features);
    struct push *p = calloc(n + 1, sizeof *p);
    CHECK(p != NULL, MEMORY);
    for (size_t i = 0; i < n; i++) {
        p[i] = (struct push){document_text(json_array_get(features, i), "feature"),
                             json_array_get(json_object_get(local, "values"), i),
                             document_end(output_of(local, output), "phi", i)};
    }
    qsort(p, n, sizeof *p, compare_pushes);
    *ret_pushes = p;
    *ret_count = n;
    return OK;
}

/* The explained output: of several classes the one that was decided. */
static size_t
decided_output(const json_t *d)
{
    const json_t *outputs = json_object_get(json_object_get(d, "explanation"), "outputs");
    const char *class = document_text(json_object_get(d, "example"), "class");
    size_t i = 0, at = 0;
    json_t *o = NULL;
    json_array_foreach((json_t *)(uintptr_t)outputs, i, o)
    {
        at = strcmp(document_text(o, "output"), class) == 0 ? i : at;
    }
    return at;
}

static void
put_decision(const json_t *d, const json_t *example, struct finding *f)
{
    const bool decided = json_is_true(json_object_get(example, "decided"));
    put_answer(d, decided ? "positive" : "negative", &f->headline);
    buf_printf(&f->text, "got a probability of %.1f %% and was decided ",
               findings_percent(example, "score"));
    put_answer(d, decided ? "positive" : "negative", &f->text);
    buf_printf(&f->text,
               "; the truth is %s. In log-odds, towards it: ", document_text(example, "label"));
}

static void
put_class(const json_t *d, const json_t *example, struct finding *f)
{
    const char *column = document_text(json_object_get(d, "label"), "column"),
               *class = document_text(example, "class");
    buf_printf(&f->headline, "%s = %s", column, class);
    buf_printf(&f->text,
               "was decided %s = %s with a probability of %.1f %%; the truth is %s. On the margin "
               "of %s, towards it: ",
               column, class, findings_percent(example, "score"), document_text(example, "label"),
               class);
}

static void
put_prediction(const json_t *d, const json_t *example, struct finding *f)
{
    const char *column = document_text(json_object_get(d, "label"), "column");
    const json_t *e = json_object_get(d, "explanation");
    buf_printf(&f->headline, "%s = %.4g", column, document_number(example, "prediction"));
    buf_printf(&f->text,
               "is predicted to have %s = %.6g; the truth is %.6g. On the %s, from %.4g "
               "that are expected, upwards: ",
               column, document_number(example, "prediction"), document_number(example, "truth"),
               document_text(e, "scale"), document_number(output_of(e, 0), "base"));
}

struct status
findings_say_example(const json_t *d, json_t *list, struct finding *f)
{
    const json_t *example = json_object_get(d, "example");
    const enum model_task task = document_task(d);
    const bool up = task != MODEL_BINARY || json_is_true(json_object_get(example, "decided"));
    DEFER(memory_freep) struct push *p = NULL;
    size_t n = 0;
    TRY(pushes_of(json_object_get(d, "explanation"), decided_output(d), &p, &n));
    f->kind = "example";
    buf_printf(&f->headline, "Row %.0f: ", document_number(example, "row"));
    buf_printf(&f->text, "Row %.0f of the dataset ", document_number(example, "row"));
    task == MODEL_BINARY    ? put_decision(d, example, f)
    : task == MODEL_CLASSES ? put_class(d, example, f)
                            : put_prediction(d, example, f);
    put_pushes(p, n, up, &f->text);
    buf_put_str(&f->text, task == MODEL_NUMBER ? "; downwards: " : "; against it: ");
    put_pushes(p, n, !up, &f->text);
    buf_put_str(&f->text, ".");
    return findings_add(list, f);
}
