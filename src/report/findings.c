#include "report/findings.h"

#include "report/document.h"

#include <math.h>
#include <string.h>

#define TEXT_MAX (2u << 20)
#define NAMED 3u /* features that a sentence names */

struct finding {
    const char *kind;
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

static const json_t *
group_named(const json_t *factor, const char *name)
{
    size_t i = 0;
    json_t *g = NULL;
    json_array_foreach(json_object_get(factor, "groups"), i, g)
    {
        if (strcmp(document_text(g, "group"), name) == 0) {
            return json_object_get(g, "metrics");
        }
    }
    return NULL;
}

static bool
is_intersection(const json_t *factor)
{
    return json_array_size(json_object_get(factor, "columns")) > 1;
}

/* "rows with afam = yes"; a cell of an intersection names its columns itself. */
static void
put_group(const json_t *factor, const char *group, struct buf *b)
{
    buf_put_str(b, "rows with ");
    if (!is_intersection(factor)) {
        buf_printf(b, "%s = ", document_text(factor, "factor"));
    }
    buf_put_str(b, group);
}

/* Two groups, the gap of one rate between them, and that rate in each. */
struct compared {
    const json_t *factor, *gap;
    const char *high, *low;
    double high_rate, low_rate;
    bool settled; /* the interval of the difference leaves out 0 */
};

static bool
compare_groups(const json_t *factor, const char *metric, struct compared *ret_compared)
{
    const json_t *gap = json_object_get(json_object_get(factor, "gaps"), metric);
    const char *high = document_text(gap, "high"), *low = document_text(gap, "low");
    const json_t *of_high = group_named(factor, high), *of_low = group_named(factor, low);
    if (of_high == NULL || of_low == NULL || strcmp(high, low) == 0) {
        return false;
    }
    *ret_compared = (struct compared){
        .factor = factor,
        .gap = gap,
        .high = high,
        .low = low,
        .high_rate = percent_at(json_object_get(of_high, metric), "value"),
        .low_rate = percent_at(json_object_get(of_low, metric), "value"),
        .settled = document_end(gap, "difference_ci", 0) > 0,
    };
    return true;
}

static bool
has_ratio(const json_t *gap)
{
    return document_number(gap, "ratio") > 0 && document_end(gap, "ratio_ci", 0) > 0 &&
           isfinite(document_end(gap, "ratio_ci", 1));
}

static void
put_compared(const struct compared *c, struct buf *b)
{
    buf_printf(b, "%.1f %% of ", c->high_rate);
    put_group(c->factor, c->high, b);
    buf_printf(b, " and %.1f %% of ", c->low_rate);
    put_group(c->factor, c->low, b);
    buf_put_str(b, ": ");
    if (has_ratio(c->gap)) {
        buf_printf(b, "%.1f times as often (95 %% interval: %.1f to %.1f), ",
                   1 / document_number(c->gap, "ratio"), 1 / document_end(c->gap, "ratio_ci", 1),
                   1 / document_end(c->gap, "ratio_ci", 0));
    }
    buf_printf(b, "a difference of %.1f percentage points (%.1f to %.1f).",
               percent_at(c->gap, "difference"), 100 * document_end(c->gap, "difference_ci", 0),
               100 * document_end(c->gap, "difference_ci", 1));
}

static void
put_headline(const struct compared *c, struct buf *b)
{
    if (!is_intersection(c->factor)) {
        buf_printf(b, "%s = ", document_text(c->factor, "factor"));
    }
    if (has_ratio(c->gap)) {
        buf_printf(b, "%s: %.1f times as often", c->high, 1 / document_number(c->gap, "ratio"));
    } else {
        buf_printf(b, "%s: %.1f points more", c->high, percent_at(c->gap, "difference"));
    }
}

/* The rule compares rates of the answer that people want; which one that is, the data does not
 * say. */
static void
put_four_fifths(const json_t *d, const struct compared *c, struct buf *b)
{
    const double positive = c->high_rate > 0 ? c->low_rate / c->high_rate : (double)NAN;
    const double negative =
        c->low_rate < 100 ? (100 - c->high_rate) / (100 - c->low_rate) : (double)NAN;
    if (!isfinite(positive) || !isfinite(negative)) {
        return;
    }
    buf_put_str(b, " By the four-fifths rule that is ");
    buf_printf(b, "%s if ", negative >= 0.8 ? "accepted" : "adverse impact");
    put_answer(d, "negative", b);
    buf_printf(b, " is the answer people want (ratio %.2f), and %s if ", negative,
               positive >= 0.8 ? "accepted" : "adverse impact");
    put_answer(d, "positive", b);
    buf_printf(b, " is (ratio %.2f).", positive);
}

static struct status
say_selection(const json_t *d, const json_t *factor, json_t *list, struct finding *f)
{
    struct compared c;
    f->kind = "fairness";
    if (!compare_groups(factor, "selection_rate", &c)) {
        buf_printf(&f->headline, "%s: nothing to compare", document_text(factor, "factor"));
        buf_printf(&f->text, "Of %s, fewer than two groups have %.0f rows or more.",
                   document_text(factor, "factor"), document_number(d, "min_group"));
        return add(list, f);
    }
    if (c.settled) {
        put_headline(&c, &f->headline);
    } else {
        buf_printf(&f->headline, "%s: no settled difference", document_text(factor, "factor"));
    }
    buf_put_str(&f->text, "The model decides ");
    put_answer(d, "positive", &f->text);
    buf_put_str(&f->text, " for ");
    put_compared(&c, &f->text);
    if (c.settled) {
        put_four_fifths(d, &c, &f->text);
    } else {
        buf_put_str(&f->text, " The interval includes 0: these rows do not settle which group is "
                              "decided so more often.");
    }
    return add(list, f);
}

static struct status
say_wrongly(const json_t *d, const json_t *factor, json_t *list, struct finding *f)
{
    struct compared c;
    if (!compare_groups(factor, "fpr", &c) || !c.settled) {
        return OK;
    }
    f->kind = "fairness";
    put_headline(&c, &f->headline);
    buf_put_str(&f->headline, " wrongly");
    buf_put_str(&f->text, "Where the truth is ");
    put_answer(d, "negative", &f->text);
    buf_put_str(&f->text, ", the model wrongly decides ");
    put_answer(d, "positive", &f->text);
    buf_put_str(&f->text, " for ");
    put_compared(&c, &f->text);
    return add(list, f);
}

static struct status
say_fairness(const json_t *d, json_t *list, struct finding *f)
{
    size_t i = 0;
    json_t *factor = NULL;
    const json_t *all = json_object_get(d, "fairness");
    json_array_foreach((json_t *)(uintptr_t)all, i, factor)
    {
        if (!is_intersection(factor)) {
            TRY(say_selection(d, factor, list, f));
            TRY(say_wrongly(d, factor, list, f));
        }
    }
    if (json_array_size(all) == 0) {
        f->kind = "fairness";
        buf_put_str(&f->headline, "Not measured");
        buf_put_str(&f->text, "No column of the dataset is marked as sensitive. Mark one with "
                              "\"steward dataset add --sensitive COLUMN\".");
        return add(list, f);
    }
    return OK;
}

/* ---- explanation ---- */

static struct status
say_explanation(const json_t *d, json_t *list, struct finding *f)
{
    const json_t *features = json_object_get(json_object_get(d, "explanation"), "features");
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

/* "pirat = 0.66 (+2.69), mhist = 2 (+0.20)"; false when none is of that sign. */
static bool
put_pushes(const struct document_ranked *r, size_t n, double sign, struct buf *b)
{
    size_t i = 0;
    for (; i < n && i < NAMED && r[i].size > 0; i++) {
        buf_printf(b, "%s%s = %s (%+.2f)", i == 0 ? "" : ", ", document_text(r[i].item, "feature"),
                   document_text(r[i].item, "value"), sign * r[i].size);
    }
    return i > 0;
}

static struct status
say_example(const json_t *d, json_t *list, struct finding *f)
{
    const json_t *example = json_object_get(json_object_get(d, "explanation"), "example");
    const json_t *items = json_object_get(example, "attributions");
    const bool decided = json_is_true(json_object_get(example, "decided"));
    DEFER(memory_freep) struct document_ranked *up = NULL;
    DEFER(memory_freep) struct document_ranked *down = NULL;
    TRY(document_rank(items, "phi", DOCUMENT_LARGEST, &up));
    TRY(document_rank(items, "phi", DOCUMENT_LEAST, &down));
    f->kind = "example";
    buf_printf(&f->headline, "Row %.0f: ", document_number(example, "row"));
    put_answer(d, decided ? "positive" : "negative", &f->headline);
    buf_printf(&f->text, "Row %.0f of the dataset got a probability of %.1f %% and was decided ",
               document_number(example, "row"), percent_at(example, "score"));
    put_answer(d, decided ? "positive" : "negative", &f->text);
    buf_printf(&f->text, "; the truth is %s. ", document_text(example, "label"));
    buf_put_str(&f->text, "In log-odds, towards it: ");
    if (!put_pushes(decided ? up : down, json_array_size(items), decided ? 1 : -1, &f->text)) {
        buf_put_str(&f->text, "nothing");
    }
    buf_put_str(&f->text, "; against it: ");
    if (!put_pushes(decided ? down : up, json_array_size(items), decided ? -1 : 1, &f->text)) {
        buf_put_str(&f->text, "nothing");
    }
    buf_put_str(&f->text, ".");
    return add(list, f);
}

/* ---- failure cohorts ---- */

static struct status
say_errors(const json_t *d, json_t *list, struct finding *f)
{
    const json_t *errors = json_object_get(d, "errors"), *tree = json_object_get(errors, "tree");
    const json_int_t worst = json_integer_value(json_object_get(errors, "worst"));
    const json_t *root = json_array_get(tree, 0),
                 *leaf = worst < 1 ? NULL : json_array_get(tree, (size_t)worst);
    f->kind = "errors";
    if (leaf == NULL) {
        buf_put_str(&f->headline, "No such cohort");
        buf_printf(&f->text,
                   "No cohort of at least %.0f rows was found in which the model is "
                   "wrong more often than elsewhere.",
                   document_number(errors, "min_rows"));
        return add(list, f);
    }
    buf_printf(&f->headline, "Wrong for %.0f %% of one cohort", percent_at(leaf, "error_rate"));
    buf_printf(&f->text,
               "It fails most where %s: wrong for %.0f of %.0f rows, %.0f %% (95 %% interval: %.0f "
               "to %.0f), against %.1f %% of all rows.",
               document_text(leaf, "words"), document_number(leaf, "errors"),
               document_number(leaf, "rows"), percent_at(leaf, "error_rate"),
               100 * document_end(leaf, "ci", 0), 100 * document_end(leaf, "ci", 1),
               percent_at(root, "error_rate"));
    buf_printf(&f->text,
               " %.0f %% of all its mistakes lie there. The cohort was searched for in "
               "these same rows: expect a lower rate in new ones.",
               percent_at(leaf, "coverage"));
    return add(list, f);
}

static void
finding_done(struct finding *f)
{
    buf_done(&f->headline);
    buf_done(&f->text);
}

struct status
findings_put(json_t *d)
{
    DEFER(finding_done) struct finding f = {0};
    buf_init(&f.headline, TEXT_MAX);
    buf_init(&f.text, TEXT_MAX);
    json_t *list = json_array();
    CHECK(list != NULL && json_object_set_new(d, "findings", list) == 0, MEMORY);
    TRY(say_performance(d, list, &f));
    TRY(say_fairness(d, list, &f));
    TRY(say_explanation(d, list, &f));
    TRY(say_example(d, list, &f));
    return say_errors(d, list, &f);
}
