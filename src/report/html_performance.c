/* The section on how good a model is: of two classes, of several, of numbers. */
#include "report/html.h"
#include "report/html_parts.h"
#include "report/html_svg.h"

#include <math.h>
#include <stdio.h>

#define CLASSES 20u /* listed; with charts of their own: */
#define CLASSES_DRAWN 8u

void
html_answer(const json_t *d, const char *which, struct buf *b)
{
    const json_t *label = json_object_get(d, "label");
    html_put(b, document_text(label, "column"));
    if (document_task(d) != MODEL_BINARY) {
        return;
    }
    buf_put_str(b, "&nbsp;=&nbsp;");
    html_put(b, document_text(label, which));
}

/* ---- two classes ---- */

/* How a figure and its interval are written. */
enum tile { TILE_FIGURE, TILE_SHARE, TILE_NUMBER };

static void
put_tile(struct buf *b, const char *name, double value, double low, double high, enum tile how)
{
    static const char *const one[] = {"%.3f", "", "%.4g"};
    static const char *const ends[] = {"<br>%.3f to %.3f", "<br>%.1f to %.1f&thinsp;%%",
                                       "<br>%.4g to %.4g"};
    const double scale = how == TILE_SHARE ? 100 : 1;
    buf_put_str(b, "<div class=\"tile\"><div class=\"v\">");
    if (!isfinite(value)) {
        buf_put_str(b, "&ndash;");
    } else if (how == TILE_SHARE) {
        html_put_percent(b, value, 1);
    } else {
        buf_printf(b, one[how], value);
    }
    buf_printf(b, "</div><div class=\"n\">%s", name);
    if (isfinite(value) && isfinite(low) && isfinite(high)) {
        buf_printf(b, ends[how], scale * low, scale * high);
    }
    buf_put_str(b, "</div></div>");
}

/* Of {"value", "ci"}. */
static void
put_value_tile(struct buf *b, const json_t *v, const char *name, enum tile how)
{
    put_tile(b, name, document_number(v, "value"), document_end(v, "ci", 0),
             document_end(v, "ci", 1), how);
}

static void
put_count(struct buf *b, const json_t *counts, const char *key, const char *class, const char *word)
{
    buf_printf(b, "<td class=\"%s\"><b>%.0f</b>%s</td>", class, document_number(counts, key), word);
}

static void
put_confusion(const json_t *d, struct buf *b)
{
    const json_t *c = json_object_get(json_object_get(d, "performance"), "counts");
    const json_t *label = json_object_get(d, "label");
    buf_put_str(b, "<table class=\"confusion\"><thead><tr><td></td><th>decided ");
    html_put(b, document_text(label, "positive"));
    buf_put_str(b, "</th><th>decided ");
    html_put(b, document_text(label, "negative"));
    buf_put_str(b, "</th></tr></thead><tbody><tr><th>truth: ");
    html_put(b, document_text(label, "positive"));
    buf_put_str(b, "</th>");
    put_count(b, c, "tp", "ok", "right");
    put_count(b, c, "fn", "bad", "missed");
    buf_put_str(b, "</tr><tr><th>truth: ");
    html_put(b, document_text(label, "negative"));
    buf_put_str(b, "</th>");
    put_count(b, c, "fp", "bad", "wrongly so");
    put_count(b, c, "tn", "ok", "right");
    buf_put_str(b, "</tr></tbody></table>");
}

static void
put_thresholds(const json_t *d, struct buf *b)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, HTML_MAX_BYTES);
    document_put_thresholds(d, &text);
    html_put(b, buf_str(&text));
}

static void
put_binary(const json_t *d, struct buf *b)
{
    const json_t *p = json_object_get(d, "performance");
    static const char *const definitions[][2] = {
        {"ROC AUC", "how often a row with the positive truth has a higher score than one without; "
                    "ties count half; 0.5 tells nothing"},
        {"accuracy", "share of rows that are decided rightly"},
        {"precision", "of the rows decided positive, the share that is so"},
        {"recall", "of the rows that are positive, the share that is decided so"},
        {"Brier score", "mean squared difference of score and truth; 0 is best"},
        {"log loss", "mean of minus the natural logarithm of the probability given to the truth"},
        {"calibration",
         "rows by score in ten bins of about as many: mean score, and the share that "
         "is positive; on the line they agree"},
        {"interval", "Wilson's for shares, DeLong's for the area"},
    };
    buf_put_str(b, "<p class=\"soft\">It decides ");
    html_answer(d, "positive", b);
    buf_put_str(b, " ");
    put_thresholds(d, b);
    buf_printf(b, ". Under each figure: its %.0f&thinsp;%% interval.",
               100 * document_number(d, "level"));
    buf_put_str(b, "</p><div class=\"tiles\">");
    put_tile(b, "ROC AUC", document_number(p, "roc_auc"), document_end(p, "roc_auc_ci", 0),
             document_end(p, "roc_auc_ci", 1), TILE_FIGURE);
    put_value_tile(b, json_object_get(p, "accuracy"), "accuracy", TILE_SHARE);
    put_value_tile(b, json_object_get(p, "precision"), "precision", TILE_SHARE);
    put_value_tile(b, json_object_get(p, "recall"), "recall", TILE_SHARE);
    put_tile(b, "Brier score", document_number(p, "brier"), NAN, NAN, TILE_FIGURE);
    put_tile(b, "log loss", document_number(p, "log_loss"), NAN, NAN, TILE_FIGURE);
    buf_put_str(b, "</div><div class=\"three\"><div class=\"card\"><h3>Decisions</h3>");
    put_confusion(d, b);
    buf_put_str(b, "</div><div class=\"card\"><h3>Ranking (ROC)</h3>");
    html_chart_roc(p, b);
    buf_put_str(b, "</div><div class=\"card\"><h3>Calibration</h3>");
    html_chart_calibration(p, b);
    buf_put_str(b, "</div></div>");
    html_definitions(definitions, sizeof definitions / sizeof *definitions, b);
}

/* ---- several classes ---- */

static void
put_share_cell(const json_t *rate, struct buf *b)
{
    const double low = document_end(rate, "ci", 0), high = document_end(rate, "ci", 1);
    buf_put_str(b, "<td>");
    html_put_percent(b, document_number(rate, "value"), 1);
    if (isfinite(document_number(rate, "value"))) {
        buf_printf(b, "<span class=\"ci\">%.1f to %.1f</span>", 100 * low, 100 * high);
    }
    buf_put_str(b, "</td>");
}

static void
put_auc_cell(const json_t *class, struct buf *b)
{
    const double auc = document_number(class, "roc_auc");
    if (isfinite(auc)) {
        buf_printf(b, "<td>%.3f<span class=\"ci\">%.3f to %.3f</span></td>", auc,
                   document_end(class, "roc_auc_ci", 0), document_end(class, "roc_auc_ci", 1));
    } else {
        buf_put_str(b, "<td>&ndash;</td>");
    }
}

static void
put_class_table(const json_t *classes, struct buf *b)
{
    const size_t n = json_array_size(classes), listed = n < CLASSES ? n : CLASSES;
    buf_put_str(b, "<div class=\"card\"><h3>Class by class</h3><table><thead><tr><th>class</th>"
                   "<th>rows</th><th>decided</th><th>precision</th><th>recall</th><th>F1</th><th>"
                   "ROC AUC</th></tr></thead><tbody>");
    for (size_t i = 0; i < listed; i++) {
        const json_t *k = json_array_get(classes, i);
        const double f1 = document_number(k, "f1");
        buf_put_str(b, "<tr><th>");
        html_put(b, document_text(k, "class"));
        buf_printf(b, "</th><td>%.0f</td><td>%.0f</td>", document_number(k, "rows"),
                   document_number(k, "decided"));
        put_share_cell(json_object_get(k, "precision"), b);
        put_share_cell(json_object_get(k, "recall"), b);
        buf_printf(b, isfinite(f1) ? "<td>%.3f</td>" : "<td>&ndash;</td>", f1);
        put_auc_cell(k, b);
        buf_put_str(b, "</tr>");
    }
    buf_put_str(b, "</tbody></table>");
    if (listed < n) {
        buf_printf(b, "<p class=\"soft small\">The first %zu of %zu classes; the JSON has all.</p>",
                   listed, n);
    }
    buf_put_str(b, "</div>");
}

/* The bins of a calibration by their class's probability, as the chart reads them. */
static struct status
put_top_label(const json_t *performance, struct buf *b)
{
    const json_t *top = json_object_get(performance, "top_label");
    if (!json_is_object(top)) {
        return OK;
    }
    DEFER(js_freep)
    json_t *curve = json_pack("{s:O}", "calibration", json_object_get(top, "bins"));
    CHECK(curve != NULL, MEMORY);
    buf_put_str(b, "<div class=\"card\"><h3>Calibration of the answer</h3>");
    html_chart_calibration(curve, b);
    html_calibration_error(top, b);
    buf_put_str(b, "</div>");
    return OK;
}

static void
put_class_charts(const json_t *classes, struct buf *b)
{
    const size_t n = json_array_size(classes);
    for (size_t i = 0; i < n && i < CLASSES_DRAWN; i++) {
        const json_t *k = json_array_get(classes, i);
        if (json_array_size(json_object_get(k, "roc")) == 0) {
            continue;
        }
        buf_put_str(b, "<details class=\"all\"><summary>");
        html_put(b, document_text(k, "class"));
        buf_put_str(b, " against the others: ranking and calibration</summary><div class=\"two\">"
                       "<div class=\"card\"><h4>Ranking (ROC)</h4>");
        html_chart_roc(k, b);
        buf_put_str(b, "</div><div class=\"card\"><h4>Calibration</h4>");
        html_chart_calibration(k, b);
        buf_put_str(b, "</div></div></details>");
    }
}

static struct status
put_classes(const json_t *d, struct buf *b)
{
    const json_t *p = json_object_get(d, "performance"), *baseline = json_object_get(p, "baseline"),
                 *classes = json_object_get(p, "classes");
    static const char *const definitions[][2] = {
        {"accuracy", "share of rows whose class is decided rightly"},
        {"precision", "of the rows decided as the class, the share that is of it"},
        {"recall", "of the rows of the class, the share that is decided so"},
        {"mean precision, recall, F1", "over the classes, each counting alike (macro)"},
        {"ROC AUC", "how often a row of the class has a higher probability of it than one of "
                    "another class; ties count half; 0.5 tells nothing"},
        {"log loss", "mean of minus the natural logarithm of the probability given to the truth"},
        {"Brier score", "mean over the rows of the sum over the classes of the squared difference "
                        "of probability and truth; 0 is best, 2 is worst"},
        {"calibration of the answer", "rows by the probability of the class that is decided, in "
                                      "bins: mean probability, and the share that is right"},
        {"expected calibration error", "mean distance of the two, by rows"},
        {"interval", "Wilson's for shares, DeLong's for the area, the delta method's for means"},
    };
    buf_printf(b, "<p class=\"soft\">It decides for the class with the highest score. Always "
                  "answering ");
    html_put(b, document_text(baseline, "class"));
    buf_put_str(b, " would be right for ");
    html_put_percent(b, document_number(baseline, "share"), 1);
    buf_printf(b, ". Under each figure: its %.0f&thinsp;%% interval.</p><div class=\"tiles\">",
               100 * document_number(d, "level"));
    put_value_tile(b, json_object_get(p, "accuracy"), "accuracy", TILE_SHARE);
    put_value_tile(b, json_object_get(p, "macro_precision"), "mean precision", TILE_SHARE);
    put_value_tile(b, json_object_get(p, "macro_recall"), "mean recall", TILE_SHARE);
    put_value_tile(b, json_object_get(p, "macro_f1"), "mean F1", TILE_SHARE);
    put_tile(b, "log loss", document_number(p, "log_loss"), NAN, NAN, TILE_FIGURE);
    put_tile(b, "Brier score", document_number(p, "brier"), NAN, NAN, TILE_FIGURE);
    buf_put_str(b, "</div>");
    put_class_table(classes, b);
    buf_put_str(b, "<div class=\"two\">");
    html_errors_confusion(json_object_get(d, "errors"), b);
    TRY(put_top_label(p, b));
    buf_put_str(b, "</div>");
    put_class_charts(classes, b);
    html_definitions(definitions, sizeof definitions / sizeof *definitions, b);
    return OK;
}

/* ---- numbers ---- */

static void
put_steps_table(const json_t *steps, struct buf *b)
{
    size_t i = 0;
    json_t *s = NULL;
    buf_put_str(b, "<details><summary>As a table</summary><table><thead><tr><th>predictions</th>"
                   "<th>rows</th><th>mean prediction</th><th>mean truth</th><th>mean error</th>"
                   "</tr></thead><tbody>");
    json_array_foreach((json_t *)(uintptr_t)steps, i, s)
    {
        const double low = document_end(s, "ci", 0), high = document_end(s, "ci", 1);
        buf_printf(b, "<tr><th>%.4g to %.4g</th><td>%.0f</td><td>%.4g</td><td>%.4g",
                   document_number(s, "from"), document_number(s, "to"), document_number(s, "rows"),
                   document_number(s, "mean_prediction"), document_number(s, "mean_truth"));
        if (isfinite(low) && isfinite(high)) {
            buf_printf(b, "<span class=\"ci\">%.4g to %.4g</span>", low, high);
        }
        buf_printf(b, "</td><td>%.4g</td></tr>", document_number(s, "mean_absolute_error"));
    }
    buf_put_str(b, "</tbody></table></details>");
}

static void
put_numbers(const json_t *d, struct buf *b)
{
    const json_t *p = json_object_get(d, "performance"), *baseline = json_object_get(p, "baseline"),
                 *residuals = json_object_get(p, "residuals");
    static const char *const definitions[][2] = {
        {"mean absolute error", "mean distance of prediction and truth, in the label's own unit"},
        {"median absolute error", "half of the rows are nearer, half are farther off"},
        {"root mean squared error", "the square root of the mean squared distance: large errors "
                                    "weigh more"},
        {"R squared", "share of the label's variance that the predictions explain; 0 is the mean "
                      "for every row, below 0 is worse than that"},
        {"mean error", "prediction less truth: over 0 it is too high on average"},
        {"residual", "prediction less truth of a row"},
        {"mean truth by prediction", "rows by prediction in ten bins of about as many: mean "
                                     "prediction, and the mean of the truth; on the line they "
                                     "agree"},
        {"interval", "Student's for means, order statistics for the median"},
    };
    buf_printf(b,
               "<p class=\"soft\">It answers with a number. Always answering the median, %.4g, "
               "would be off by %.4g on average. Under each figure: its %.0f&thinsp;%% interval."
               "</p><div class=\"tiles\">",
               document_number(baseline, "answer"),
               document_number(baseline, "mean_absolute_error"), 100 * document_number(d, "level"));
    put_value_tile(b, json_object_get(p, "mean_absolute_error"), "mean absolute error",
                   TILE_NUMBER);
    put_value_tile(b, json_object_get(p, "median_absolute_error"), "median absolute error",
                   TILE_NUMBER);
    put_value_tile(b, json_object_get(p, "root_mean_squared_error"), "root mean squared error",
                   TILE_NUMBER);
    put_value_tile(b, json_object_get(p, "r2_score"), "R squared", TILE_NUMBER);
    put_value_tile(b, json_object_get(p, "mean_error"), "mean error", TILE_NUMBER);
    put_value_tile(b, json_object_get(p, "mean_prediction"), "mean prediction", TILE_NUMBER);
    buf_put_str(b, "</div><div class=\"two\"><div class=\"card\"><h3>Truth by prediction</h3>");
    html_chart_steps(p, b);
    put_steps_table(json_object_get(p, "by_prediction"), b);
    buf_put_str(b, "</div><div class=\"card\"><h3>Residuals</h3>");
    html_chart_residuals(p, b);
    buf_printf(b,
               "<p class=\"soft small\">Half of the rows from %.4g to %.4g, nine in ten from %.4g "
               "to %.4g. The first and the last bar reach to the least and the most.</p></div>"
               "</div>",
               document_number(residuals, "p25"), document_number(residuals, "p75"),
               document_number(residuals, "p05"), document_number(residuals, "p95"));
    html_definitions(definitions, sizeof definitions / sizeof *definitions, b);
}

/* ---- the section ---- */

struct status
html_performance(const json_t *d, struct buf *b)
{
    html_section("performance", "Performance", b);
    switch (document_task(d)) {
    case MODEL_CLASSES:
        TRY(put_classes(d, b));
        break;
    case MODEL_NUMBER:
        put_numbers(d, b);
        break;
    default:
        put_binary(d, b);
    }
    buf_put_str(b, "<details><summary>All figures as tables</summary>");
    TRY(html_errors_figures(json_object_get(d, "errors"), b));
    buf_put_str(b, "</details></section>");
    return OK;
}
