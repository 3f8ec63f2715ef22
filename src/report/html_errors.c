/* The errors document as a section and as a page of its own. */
#include "assess/errors_metric.h"
#include "report/html.h"
#include "report/html_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define CLASSES_DRAWN 20u
#define LISTED 25u /* features and slices */

static const char *const definitions[][2] = {
    {"error rate", "share of rows whose decision is not the truth; for numbers the mean absolute "
                   "error stands in its place"},
    {"coverage", "share of all mistakes that lie in these rows"},
    {"slice", "rows that fulfil one condition or a few; slices may overlap"},
    {"score",
     "SliceLine's (Sagadeeva and Boehm 2021): how much worse than the whole, less what its "
     "smallness costs; no slice among the candidates scores more than those listed"},
    {"p of a slice", "how often the best slice of the same rows with the mistakes in random order "
                     "scores as high: it allows for all candidates that were looked at"},
    {"interval, all", "holds for all candidates at once; the other one as if the slice had been "
                      "chosen before looking"},
    {"mutual information", "how many nats knowing the column (in bins) tells of being wrong, less "
                           "the bias of small counts; under the noise level it is like chance"},
    {"ECE", "expected calibration error: mean distance of observed share and mean score, by rows"},
};

static bool
is_numeric(const json_t *d)
{
    return strcmp(document_text(d, "task"), "numeric") == 0;
}

/* ---- figures ---- */

static void
put_number(struct buf *b, double v)
{
    if (isfinite(v)) {
        buf_printf(b, "%.4g", v);
    } else {
        buf_put_str(b, "&ndash;");
    }
}

static void
put_p(struct buf *b, double p)
{
    if (!isfinite(p)) {
        buf_put_str(b, "&ndash;");
    } else {
        buf_printf(b, p < 0.001 ? "%.0e" : "%.3f", p);
    }
}

/* A mean loss: a share, or a number. */
static void
put_rate(struct buf *b, const json_t *d, double rate)
{
    if (is_numeric(d)) {
        put_number(b, rate);
    } else {
        html_put_percent(b, rate, 1);
    }
}

static void
put_rate_interval(struct buf *b, const json_t *d, const json_t *o, const char *key)
{
    const double low = document_end(o, key, 0), high = document_end(o, key, 1);
    const double scale = is_numeric(d) ? 1 : 100;
    if (isfinite(low) && isfinite(high)) {
        buf_printf(b, "<span class=\"ci\">%.3g&ndash;%.3g</span>", scale * low, scale * high);
    }
}

static bool
is_share(const char *word)
{
    return strncmp(word, "mean_", 5) != 0 && strncmp(word, "median_", 7) != 0 &&
           strcmp(word, "r2_score") != 0;
}

static void
put_metric_row(struct buf *b, const char *word, const json_t *m)
{
    const double v = document_number(m, "value"), low = document_end(m, "ci", 0),
                 high = document_end(m, "ci", 1);
    const bool share = is_share(word);
    buf_printf(b, "<tr><th>%s</th><td>", word);
    if (share) {
        html_put_percent(b, v, 1);
    } else {
        put_number(b, v);
    }
    buf_put_str(b, "</td><td>");
    if (isfinite(v) && isfinite(low) && isfinite(high)) {
        buf_printf(b, share ? "%.1f to %.1f&thinsp;%%" : "%.4g to %.4g", share ? 100 * low : low,
                   share ? 100 * high : high);
    }
    buf_put_str(b, "</td></tr>");
}

static void
put_metrics(const json_t *d, struct buf *b)
{
    const json_t *metrics = json_object_get(d, "metrics");
    buf_printf(b,
               "<div class=\"card\"><h4>Metrics</h4><table><thead><tr><th>metric</th><th>value"
               "</th><th>%.0f&thinsp;%% interval</th></tr></thead><tbody>",
               100 * document_number(d, "level"));
    for (int m = 0; m < ERRORS_METRICS; m++) {
        const char *word = errors_metric_word((enum errors_metric)m);
        if (json_object_get(metrics, word) != NULL) {
            put_metric_row(b, word, json_object_get(metrics, word));
        }
    }
    buf_put_str(b, "</tbody></table></div>");
}

void
html_errors_confusion(const json_t *d, struct buf *b)
{
    const json_t *classes = json_object_get(d, "classes"), *lines = json_object_get(d, "confusion");
    const size_t n = json_array_size(lines), drawn = n < CLASSES_DRAWN ? n : CLASSES_DRAWN;
    if (n == 0) {
        return;
    }
    buf_put_str(b,
                "<div class=\"card\"><h4>Truth by decision</h4><table><thead><tr><th>truth</th>");
    for (size_t k = 0; k < drawn; k++) {
        buf_put_str(b, "<th>");
        html_put(b, json_string_value(json_array_get(classes, k)));
        buf_put_str(b, "</th>");
    }
    buf_put_str(b, "</tr></thead><tbody>");
    for (size_t y = 0; y < drawn; y++) {
        buf_put_str(b, "<tr><th>");
        html_put(b, json_string_value(json_array_get(classes, y)));
        buf_put_str(b, "</th>");
        for (size_t x = 0; x < drawn; x++) {
            buf_printf(b, "<td class=\"%s\">%.0f</td>", x == y ? "ok" : "",
                       json_number_value(json_array_get(json_array_get(lines, y), x)));
        }
        buf_put_str(b, "</tr>");
    }
    buf_put_str(b, "</tbody></table>");
    if (drawn < n) {
        buf_printf(b, "<p class=\"soft small\">The first %zu of %zu classes; the JSON has all.</p>",
                   drawn, n);
    }
    buf_put_str(b, "</div>");
}

/* ---- calibration ---- */

static void
put_bins(const json_t *bins, struct buf *b)
{
    size_t i = 0;
    json_t *k = NULL;
    buf_put_str(b, "<table><thead><tr><th>scores</th><th>rows</th><th>mean score</th><th>observed"
                   "</th></tr></thead><tbody>");
    json_array_foreach((json_t *)(uintptr_t)bins, i, k)
    {
        buf_printf(b,
                   "<tr><th>%.3f&ndash;%.3f</th><td>%.0f</td><td>%.3f</td><td>%.3f<span "
                   "class=\"ci\">%.3f&ndash;%.3f</span></td></tr>",
                   document_number(k, "low"), document_number(k, "high"),
                   document_number(k, "rows"), document_number(k, "mean_score"),
                   document_number(k, "observed"), document_end(k, "ci", 0),
                   document_end(k, "ci", 1));
    }
    buf_put_str(b, "</tbody></table>");
}

static struct status
put_calibration(const json_t *d, struct buf *b)
{
    const json_t *c = json_object_get(json_object_get(d, "calibration"), "equal_count");
    json_t *bins = json_object_get(c, "bins");
    if (c == NULL) {
        return OK;
    }
    DEFER(js_freep) json_t *curve = json_pack("{s:O}", "calibration", bins);
    CHECK(curve != NULL, MEMORY);
    buf_put_str(b, "<h3>Do its probabilities come true?</h3><div class=\"two\"><div "
                   "class=\"card\">");
    html_chart_calibration(curve, b);
    buf_put_str(b, "</div><div class=\"card\">");
    put_bins(bins, b);
    html_calibration_error(c, b);
    buf_put_str(b, "</div></div>");
    return OK;
}

/* ---- features ---- */

static void
put_features(const json_t *d, struct buf *b)
{
    const json_t *list = json_object_get(d, "features");
    const size_t n = json_array_size(list);
    buf_put_str(b, "<h3>What tells of mistakes</h3><div class=\"card\"><table><thead><tr><th>column"
                   "</th><th>mutual information</th><th>noise level</th><th>p, adjusted</th></tr>"
                   "</thead><tbody>");
    for (size_t i = 0; i < n && i < LISTED; i++) {
        const json_t *f = json_array_get(list, i);
        const bool weak = !(document_number(f, "p_adjusted") <= 0.05);
        buf_printf(b, "<tr%s><th>", weak ? " class=\"few\"" : "");
        html_put(b, document_text(f, "feature"));
        if (document_number(f, "values_pooled") > 0) {
            buf_printf(b, " <span class=\"soft small\">%.0f rare categories taken as one</span>",
                       document_number(f, "values_pooled"));
        }
        buf_printf(b, "</th><td>%.5f</td><td>%.5f</td><td>", document_number(f, "corrected"),
                   document_number(f, "noise"));
        put_p(b, document_number(f, "p_adjusted"));
        buf_put_str(b, "</td></tr>");
    }
    buf_printf(b,
               "</tbody></table><p class=\"soft small\">%zu columns, on all rows; grey: no more "
               "than chance would make.</p></div>",
               n);
}

/* ---- slices ---- */

static void
put_slice(const json_t *d, const json_t *s, struct buf *b)
{
    const bool holds = json_is_true(json_object_get(s, "holds"));
    buf_printf(b, "<tr%s><th>", holds ? "" : " class=\"few\"");
    buf_printf(b, "<b>%s</b> ", document_text(s, "name"));
    html_put(b, document_text(s, "words"));
    buf_put_str(b, holds ? "<br><code>" : " (could be chance)<br><code>");
    html_put(b, document_text(s, "cohort"));
    buf_printf(b, "</code></th><td>%.0f</td><td>", document_number(s, "rows"));
    put_rate(b, d, document_number(s, "error_rate"));
    put_rate_interval(b, d, s, "ci_all");
    buf_put_str(b, "</td><td>");
    put_rate(b, d, document_number(s, "rest_error_rate"));
    buf_put_str(b, "</td><td>");
    html_put_percent(b, document_number(s, "coverage"), 1);
    buf_printf(b, "</td><td>%.3f</td><td>", document_number(s, "score"));
    put_p(b, document_number(s, "q"));
    buf_put_str(b, "</td></tr>");
}

static void
put_slices(const json_t *d, struct buf *b)
{
    const json_t *o = json_object_get(d, "slices"), *list = json_object_get(o, "found");
    const size_t n = json_array_size(list);
    if (o == NULL) {
        return;
    }
    buf_printf(b,
               "<h3>The worst slices</h3><p class=\"soft\">Of %.0f candidates with at most %.0f "
               "conditions and at least %.0f rows; exact. Small figures hold for all candidates at "
               "once; q is the share of false ones to be expected down to that line.</p><div "
               "class=\"card\"><table class=\"cohorts\"><thead><tr><th>slice, and how "
               "<code>--cohort</code> takes it</th><th>rows</th><th>%s</th><th>elsewhere</th>"
               "<th>of all mistakes</th><th>score</th><th>q</th></tr></thead><tbody>",
               document_number(o, "candidates"), document_number(o, "level"),
               document_number(o, "min_rows"), is_numeric(d) ? "mean error" : "error rate");
    for (size_t i = 0; i < n && i < LISTED; i++) {
        put_slice(d, json_array_get(list, i), b);
    }
    buf_put_str(b, "</tbody></table>");
    if (n > LISTED) {
        buf_printf(b, "<p class=\"soft small\">The first %u of %zu; the JSON has all.</p>", LISTED,
                   n);
    } else if (n == 0) {
        buf_put_str(b, "<p>None is worse than the whole by more than its size excuses.</p>");
    }
    buf_put_str(b, "</div>");
}

/* ---- tree and map ---- */

static void
put_node(const json_t *d, const json_t *node, struct buf *b)
{
    const char *metric = document_text(d, "metric");
    const json_t *m = json_object_get(json_object_get(node, "metrics"), metric);
    const bool root = json_integer_value(json_object_get(node, "parent")) < 0;
    buf_put_str(b, "<tr><th>");
    if (!root) {
        buf_printf(b, "<b>%s</b> ", document_text(node, "name"));
    }
    html_put(b, root ? "all rows" : document_text(node, "words"));
    if (!root) {
        buf_put_str(b, "<br><code>");
        html_put(b, document_text(node, "cohort"));
        buf_put_str(b, "</code>");
    }
    buf_printf(b, "</th><td>%.0f</td><td>", document_number(node, "rows"));
    put_rate(b, d, document_number(node, "error_rate"));
    buf_put_str(b, "</td><td>");
    html_put_percent(b, document_number(node, "coverage"), 1);
    buf_put_str(b, "</td><td>");
    put_number(b, document_number(m, "value"));
    buf_put_str(b, "</td></tr>");
}

static void
put_tree(const json_t *d, struct buf *b)
{
    size_t i = 0;
    json_t *node = NULL;
    buf_printf(
        b,
        "<h3>The error tree</h3><p class=\"soft\">At most %.0f deep and %.0f leaves, at "
        "least %.0f rows in each: the stronger the colour, the more often wrong. It was "
        "grown on these rows, so that its rates are on the high side.</p><div class=\"card\">",
        document_number(d, "max_depth"), document_number(d, "max_leaves"),
        document_number(d, "min_rows"));
    html_chart_tree(d, b);
    buf_printf(b,
               "<details><summary>As a table</summary><table class=\"cohorts\"><thead><tr><th>node"
               "</th><th>rows</th><th>%s</th><th>of all mistakes</th><th>%s</th></tr></thead>"
               "<tbody>",
               is_numeric(d) ? "mean error" : "error rate", document_text(d, "metric"));
    json_array_foreach(json_object_get(d, "tree"), i, node)
    {
        put_node(d, node, b);
    }
    buf_put_str(b, "</tbody></table></details></div>");
}

static void
put_map_table(const json_t *d, const json_t *map, struct buf *b)
{
    const json_t *xs = json_object_get(json_object_get(map, "x"), "bins");
    const json_t *ys = json_object_get(json_object_get(map, "y"), "bins");
    size_t y = 0, x = 0;
    json_t *line = NULL, *c = NULL;
    buf_put_str(b, "<details><summary>As a table</summary><table><thead><tr><th></th>");
    json_array_foreach((json_t *)(uintptr_t)xs, x, c)
    {
        buf_put_str(b, "<th>");
        html_put(b, document_text(c, "label"));
        buf_put_str(b, "</th>");
    }
    buf_put_str(b, "</tr></thead><tbody>");
    json_array_foreach(json_object_get(map, "cells"), y, line)
    {
        buf_put_str(b, "<tr><th>");
        html_put(b, document_text(json_array_get(ys, y), "label"));
        buf_put_str(b, "</th>");
        json_array_foreach(line, x, c)
        {
            const double rows = json_number_value(json_array_get(c, 0));
            buf_put_str(b, "<td>");
            put_rate(b, d, json_number_value(json_array_get(c, 1)) / rows);
            buf_printf(b, "<span class=\"ci\">of %.0f</span></td>", rows);
        }
        buf_put_str(b, "</tr>");
    }
    buf_put_str(b, "</tbody></table></details>");
}

static void
put_map(const json_t *d, struct buf *b)
{
    const json_t *map = json_object_get(d, "map");
    if (map == NULL) {
        return;
    }
    buf_put_str(b, "<h3>Mistakes by ");
    html_put(b, document_text(json_object_get(map, "x"), "feature"));
    if (*document_text(json_object_get(map, "y"), "feature") != '\0') {
        buf_put_str(b, " and ");
        html_put(b, document_text(json_object_get(map, "y"), "feature"));
    }
    buf_put_str(b, "</h3><div class=\"card\">");
    html_chart_map(d, b);
    put_map_table(d, map, b);
    buf_put_str(b, "</div>");
}

/* ---- cohorts and rows ---- */

static void
put_cohort(const json_t *d, const json_t *c, struct buf *b)
{
    const char *word = is_numeric(d) ? "mean_absolute_error" : "error_rate";
    const json_t *in = json_object_get(json_object_get(c, "metrics"), word);
    const json_t *out =
        json_object_get(json_object_get(json_object_get(c, "rest"), "metrics"), word);
    buf_put_str(b, "<tr><th>");
    html_put(b, document_text(c, "name"));
    buf_put_str(b, " <code>");
    html_put(b, document_text(c, "cohort"));
    buf_printf(b, "</code></th><td>%.0f</td><td>", document_number(c, "rows"));
    put_rate(b, d, document_number(in, "value"));
    put_rate_interval(b, d, in, "ci");
    buf_put_str(b, "</td><td>");
    put_rate(b, d, document_number(out, "value"));
    put_rate_interval(b, d, out, "ci");
    buf_put_str(b, "</td><td>");
    put_rate(b, d, document_number(c, "difference"));
    put_rate_interval(b, d, c, "difference_ci");
    buf_put_str(b, "</td><td>");
    put_p(b, document_number(c, "p_adjusted"));
    buf_put_str(b, "</td></tr>");
}

static void
put_cohorts(const json_t *d, struct buf *b)
{
    const json_t *list = json_object_get(d, "cohorts");
    size_t i = 0;
    json_t *c = NULL;
    if (json_array_size(list) == 0) {
        return;
    }
    buf_printf(b,
               "<h3>Cohorts against the rest</h3><div class=\"card\"><table class=\"cohorts\">"
               "<thead><tr><th>cohort</th><th>rows</th><th>%s</th><th>elsewhere</th><th>difference"
               "</th><th>p, adjusted</th></tr></thead><tbody>",
               is_numeric(d) ? "mean error" : "error rate");
    json_array_foreach((json_t *)(uintptr_t)list, i, c)
    {
        put_cohort(d, c, b);
    }
    buf_put_str(b, "</tbody></table></div>");
}

static void
put_value(const json_t *v, struct buf *b)
{
    if (json_is_string(v)) {
        html_put(b, json_string_value(v));
    } else {
        put_number(b, json_is_number(v) ? json_number_value(v) : (double)NAN);
    }
}

static void
put_worst(const json_t *d, struct buf *b)
{
    const json_t *list = json_object_get(d, "worst_predictions");
    size_t i = 0;
    json_t *r = NULL;
    if (json_array_size(list) == 0) {
        return;
    }
    buf_printf(b,
               "<h3>The worst predictions</h3><p class=\"soft\">%zu of %.0f rows that are wrong, "
               "the farthest off first.</p><div class=\"card\"><table><thead><tr><th>row</th><th>"
               "truth</th><th>decided</th><th>%s</th></tr></thead><tbody>",
               json_array_size(list), document_number(d, "rows_wrong"),
               strcmp(document_text(d, "task"), "classes") == 0 ? "score of the truth" : "score");
    json_array_foreach((json_t *)(uintptr_t)list, i, r)
    {
        static const char *const keys[] = {"label", "prediction", "score"};
        buf_printf(b, "<tr><th>%.0f</th>", document_number(r, "row"));
        for (size_t k = 0; k < 3; k++) {
            buf_put_str(b, "<td>");
            put_value(json_object_get(r, keys[k]), b);
            buf_put_str(b, "</td>");
        }
        buf_put_str(b, "</tr>");
    }
    buf_put_str(b, "</tbody></table></div>");
}

/* ---- the whole ---- */

static void
put_remarks(const json_t *d, struct buf *b)
{
    size_t i = 0;
    json_t *remark = NULL;
    json_array_foreach(json_object_get(d, "remarks"), i, remark)
    {
        buf_put_str(b, "<p class=\"soft small\">Note: ");
        html_put(b, json_string_value(remark));
        buf_put_str(b, ".</p>");
    }
}

static void
put_title(const json_t *d, struct buf *b)
{
    buf_put_str(b, "<header><div class=\"kind\">Errors</div><h1>Where ");
    html_put(b, document_text(d, "prediction"));
    buf_put_str(b, " fails</h1><div class=\"facts\"><span>truth <b>");
    html_put(b, document_text(d, "label"));
    buf_printf(b, "</b></span><span><b>%.0f</b> of %.0f rows</span>", document_number(d, "rows"),
               document_number(d, "rows_read"));
    if (*document_text(d, "positive") != '\0') {
        buf_put_str(b, "<span>positive <b>");
        html_put(b, document_text(d, "positive"));
        buf_put_str(b, "</b></span>");
    }
    buf_put_str(b, "</div></header>");
}

/* alone: no other section shows the metrics and the calibration. */
static struct status
put_section(const json_t *d, bool alone, struct buf *b)
{
    html_section("errors", "Where it fails", b);
    put_remarks(d, b);
    html_definitions(definitions, sizeof definitions / sizeof *definitions, b);
    put_slices(d, b);
    put_tree(d, b);
    put_map(d, b);
    put_features(d, b);
    put_cohorts(d, b);
    put_worst(d, b);
    if (alone) {
        TRY(html_errors_figures(d, b));
    }
    buf_put_str(b, "</section>");
    return buf_status(b);
}

struct status
html_errors_figures(const json_t *document, struct buf *b)
{
    TRY(put_calibration(document, b));
    buf_put_str(b, "<div class=\"two\">");
    put_metrics(document, b);
    html_errors_confusion(document, b);
    buf_put_str(b, "</div>");
    return buf_status(b);
}

struct status
html_errors(const json_t *document, struct buf *b)
{
    return put_section(document, false, b);
}

struct status
html_errors_page(const json_t *document, struct buf *ret_html)
{
    html_open("Errors", ret_html);
    put_title(document, ret_html);
    html_main(ret_html);
    TRY(put_section(document, true, ret_html));
    html_close(ret_html);
    return buf_status(ret_html);
}
