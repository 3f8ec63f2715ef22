#include "report/html.h"

#include "report/html_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- head ---- */

static void
put_head(const json_t *d, struct buf *b)
{
    const json_t *m = json_object_get(d, "model"), *s = json_object_get(d, "dataset"),
                 *label = json_object_get(d, "label");
    buf_put_str(b, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
                   "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                   "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                   "style-src 'unsafe-inline'\">"
                   "<title>Assessment of ");
    html_put(b, html_text(m, "name"));
    buf_put_str(b, "</title><style>");
    buf_put_str(b, html_style);
    buf_put_str(b, "</style></head><body><main><header><h1>Assessment of ");
    html_put(b, html_text(m, "name"));
    buf_put_str(b, "</h1><div class=\"facts\"><span>version <b>");
    buf_printf(b, "%.0f</b></span><span>predicts <b>", html_number(m, "version"));
    html_put(b, html_text(label, "column"));
    buf_put_str(b, " = ");
    html_put(b, html_text(label, "positive"));
    buf_put_str(b, "</b></span><span>data <b>");
    html_put(b, html_text(s, "name"));
    buf_printf(b, "</b> version <b>%.0f</b>, part <b>", html_number(s, "version"));
    html_put(b, html_text(d, "selection"));
    buf_printf(b, "</b></span><span><b>%.0f</b> rows</span><span>", html_number(d, "rows"));
    buf_printf(b, "%.10s</span></div></header>", html_text(d, "created"));
}

static void
put_findings(const json_t *d, struct buf *b)
{
    static const char *const words[][2] = {{"performance", "How good it is"},
                                           {"fairness", "Whom it treats differently"},
                                           {"explanation", "What drives it"},
                                           {"errors", "Where it fails"}};
    size_t i = 0;
    json_t *f = NULL;
    buf_put_str(b, "<ol class=\"findings\">");
    json_array_foreach(json_object_get(d, "findings"), i, f)
    {
        const char *kind = html_text(f, "kind"), *word = "Finding";
        for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
            word = strcmp(words[k][0], kind) == 0 ? words[k][1] : word;
        }
        buf_put_str(b, "<li class=\"");
        html_put(b, kind);
        buf_printf(b, "\"><span class=\"kind\">%s</span>", word);
        html_put(b, html_text(f, "text"));
        buf_put_str(b, "</li>");
    }
    buf_put_str(b, "</ol>");
}

/* ---- performance ---- */

static void
put_tile(struct buf *b, const char *name, double value, double low, double high, bool percent)
{
    buf_put_str(b, "<div class=\"tile\"><div class=\"v\">");
    if (!isfinite(value)) {
        buf_put_str(b, "&ndash;");
    } else if (percent) {
        html_put_percent(b, value, 1);
    } else {
        buf_printf(b, "%.3f", value);
    }
    buf_printf(b, "</div><div class=\"n\">%s", name);
    if (isfinite(low) && isfinite(value)) {
        buf_printf(b, percent ? "<br>%.1f to %.1f&thinsp;%%" : "<br>%.3f to %.3f",
                   percent ? 100 * low : low, percent ? 100 * high : high);
    }
    buf_put_str(b, "</div></div>");
}

static void
put_rate_tile(struct buf *b, const json_t *p, const char *key, const char *name)
{
    const json_t *r = json_object_get(p, key);
    put_tile(b, name, html_number(r, "value"), html_end(r, "ci", 0), html_end(r, "ci", 1), true);
}

static void
put_performance(const json_t *d, struct buf *b)
{
    const json_t *p = json_object_get(d, "performance"), *c = json_object_get(p, "counts");
    buf_put_str(b,
                "<section><h2>How good it is</h2><p class=\"soft\">Decisions at a probability of ");
    buf_printf(b, "%g and over. Small figures: 95&thinsp;%% intervals.</p><div class=\"tiles\">",
               html_number(d, "threshold"));
    put_tile(b, "ROC AUC", html_number(p, "roc_auc"), html_end(p, "roc_auc_ci", 0),
             html_end(p, "roc_auc_ci", 1), false);
    put_rate_tile(b, p, "accuracy", "accuracy");
    put_rate_tile(b, p, "precision", "precision");
    put_rate_tile(b, p, "recall", "recall");
    put_tile(b, "Brier score", html_number(p, "brier"), NAN, NAN, false);
    put_tile(b, "log loss", html_number(p, "log_loss"), NAN, NAN, false);
    buf_put_str(b, "</div><div class=\"two\"><div class=\"card\"><h3>Ranking</h3>");
    html_chart_roc(p, b);
    buf_put_str(b, "</div><div class=\"card\"><h3>Calibration</h3>");
    html_chart_calibration(p, b);
    buf_printf(b,
               "</div></div><p class=\"soft small\">Right and positive %.0f, wrongly positive "
               "%.0f, wrongly negative %.0f, right and "
               "negative %.0f.</p></section>",
               html_number(c, "tp"), html_number(c, "fp"), html_number(c, "fn"),
               html_number(c, "tn"));
}

/* ---- fairness ---- */

static const struct metric {
    const char *key, *name;
} metrics[] = {
    {"selection_rate", "selected"},
    {"tpr", "TPR"},
    {"fpr", "FPR"},
    {"tnr", "TNR"},
    {"fnr", "FNR"},
    {"precision", "precision"},
    {"accuracy", "accuracy"},
};

#define METRICS (sizeof metrics / sizeof *metrics)

static void
put_group_table(const json_t *factor, struct buf *b)
{
    size_t i = 0;
    json_t *g = NULL;
    buf_put_str(b, "<div class=\"card\"><table><thead><tr><th>group</th><th>rows</th>");
    for (size_t m = 0; m < METRICS; m++) {
        buf_printf(b, "<th>%s</th>", metrics[m].name);
    }
    buf_put_str(b, "</tr></thead><tbody>");
    json_array_foreach(json_object_get(factor, "groups"), i, g)
    {
        buf_put_str(b, "<tr><td>");
        html_put(b, html_text(g, "group"));
        buf_printf(b, "%s</td><td>%.0f</td>",
                   json_is_true(json_object_get(g, "judged")) ? "" : " (few)", html_number(g, "n"));
        for (size_t m = 0; m < METRICS; m++) {
            const json_t *r = json_object_get(json_object_get(g, "metrics"), metrics[m].key);
            buf_put_str(b, "<td>");
            html_put_percent(b, html_number(r, "value"), 1);
            if (isfinite(html_number(r, "value"))) {
                buf_printf(b, "<span class=\"ci\">%.0f&ndash;%.0f</span>",
                           100 * html_end(r, "ci", 0), 100 * html_end(r, "ci", 1));
            }
            buf_put_str(b, "</td>");
        }
        buf_put_str(b, "</tr>");
    }
    buf_put_str(b, "</tbody></table></div>");
}

static void
put_gap_numbers(const json_t *factor, struct buf *b)
{
    static const struct metric numbers[] = {
        {"demographic_parity_difference", "demographic parity difference"},
        {"demographic_parity_ratio", "demographic parity ratio"},
        {"equalized_odds_difference", "equalized odds difference"},
        {"equalized_odds_ratio", "equalized odds ratio"},
    };
    buf_put_str(b, "<p class=\"soft small\">");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const double v = html_number(factor, numbers[i].key);
        buf_printf(b, "%s%s <b>", i == 0 ? "" : " &middot; ", numbers[i].name);
        if (isfinite(v)) {
            buf_printf(b, "%.3f</b>", v);
        } else {
            buf_put_str(b, "&ndash;</b>");
        }
    }
    if (html_number(factor, "rows_without_group") > 0) {
        buf_printf(b, " &middot; %.0f rows without a group left out",
                   html_number(factor, "rows_without_group"));
    }
    buf_put_str(b, "</p>");
}

static void
put_factor(const json_t *d, const json_t *factor, struct buf *b)
{
    const json_t *label = json_object_get(d, "label");
    buf_put_str(b, "<h3>");
    html_put(b, html_text(factor, "factor"));
    buf_put_str(b, "</h3><div class=\"card\"><p class=\"soft small\">How often the model says ");
    html_put(b, html_text(label, "column"));
    buf_put_str(b, " = ");
    html_put(b, html_text(label, "positive"));
    buf_put_str(b, "</p>");
    html_chart_rates(factor, "selection_rate", b);
    buf_put_str(b, "<p class=\"soft small\">How often it says so to those whose true answer is ");
    html_put(b, html_text(label, "negative"));
    buf_put_str(b, " (false positive rate)</p>");
    html_chart_rates(factor, "fpr", b);
    buf_put_str(b, "</div>");
    put_gap_numbers(factor, b);
    put_group_table(factor, b);
}

static void
put_fairness(const json_t *d, struct buf *b)
{
    size_t i = 0;
    json_t *factor = NULL;
    const json_t *all = json_object_get(d, "fairness");
    buf_put_str(b, "<section><h2>Whom it treats differently</h2>");
    if (json_array_size(all) == 0) {
        buf_put_str(b, "<p>No column is marked as sensitive.</p></section>");
        return;
    }
    buf_printf(b,
               "<p class=\"soft\">Groups with fewer than %.0f rows are shown in grey and not "
               "judged. Bars and small figures: "
               "95&thinsp;%% Wilson intervals.</p>",
               html_number(d, "min_group"));
    json_array_foreach((json_t *)(uintptr_t)all, i, factor)
    {
        put_factor(d, factor, b);
    }
    if (html_number(d, "intersections_left_out") > 0) {
        buf_printf(
            b, "<p class=\"soft small\">%.0f further pairs of sensitive columns are not shown.</p>",
            html_number(d, "intersections_left_out"));
    }
    buf_put_str(b, "</section>");
}

/* ---- explanation and errors ---- */

static void
put_explanation(const json_t *d, struct buf *b)
{
    const json_t *e = json_object_get(d, "explanation"), *example = json_object_get(e, "example");
    const json_t *label = json_object_get(d, "label");
    buf_put_str(b, "<section><h2>What drives it</h2><p class=\"soft\">Mean size of each feature's "
                   "attribution over ");
    buf_printf(b,
               "all %.0f rows, in log-odds: exact TreeSHAP of the deployed model itself.</p><div "
               "class=\"card\">",
               html_number(e, "rows"));
    html_chart_importance(e, b);
    buf_put_str(b, "</div><h3>One decision</h3><p class=\"soft\">");
    buf_printf(b, "Row %.0f of the assessed rows: predicted ", html_number(example, "row"));
    html_put_percent(b, html_number(example, "score"), 1);
    buf_put_str(b, ", decided ");
    html_put(b, html_text(label, json_is_true(json_object_get(example, "decided")) ? "positive"
                                                                                   : "negative"));
    buf_put_str(b, ", true answer ");
    html_put(b, html_text(example, "label"));
    buf_put_str(b, ". Orange pushes towards ");
    html_put(b, html_text(label, "positive"));
    buf_put_str(b, ", blue towards ");
    html_put(b, html_text(label, "negative"));
    buf_put_str(b, ".</p><div class=\"card\">");
    html_chart_waterfall(e, b);
    buf_put_str(b, "</div></section>");
}

static void
put_errors(const json_t *d, struct buf *b)
{
    const json_t *e = json_object_get(d, "errors");
    const json_int_t worst = json_integer_value(json_object_get(e, "worst"));
    buf_printf(b,
               "<section><h2>Where it fails</h2><p class=\"soft\">A tree over the model's mistakes "
               "(depth %.0f, at least %.0f rows a "
               "leaf); the darker, the more often wrong.</p><div class=\"card\">",
               html_number(e, "max_depth"), html_number(e, "min_rows"));
    html_chart_tree(e, b);
    buf_put_str(b, "</div>");
    if (worst > 0) {
        buf_put_str(b, "<p>The worst cohort, as <code>--cohort</code> takes it: <code>");
        html_put(b, html_text(json_array_get(json_object_get(e, "tree"), (size_t)worst), "cohort"));
        buf_put_str(b, "</code></p>");
    }
    if (json_object_get(e, "map") != NULL) {
        buf_put_str(b, "<h3>Two features that separate its mistakes best</h3><div class=\"card\">");
        html_chart_map(e, b);
        buf_put_str(b, "</div>");
    }
    buf_put_str(b, "</section>");
}

/* ---- record ---- */

static void
put_record(const json_t *d, struct buf *b)
{
    const json_t *m = json_object_get(d, "model"), *s = json_object_get(d, "dataset");
    buf_put_str(b, "<section><h2>Record</h2><dl><dt>model</dt><dd>SHA-256 <code>");
    html_put(b, html_text(m, "sha256"));
    buf_put_str(b, "</code></dd><dt>dataset</dt><dd>SHA-256 <code>");
    html_put(b, html_text(s, "sha256"));
    buf_printf(b,
               "</code></dd><dt>rows</dt><dd>%.0f assessed, none sampled; %.0f left out because "
               "their label is missing</dd>",
               html_number(d, "rows"), html_number(d, "rows_without_label"));
    buf_put_str(b,
                "<dt>intervals</dt><dd>95&thinsp;%: Wilson for rates, Newcombe for differences, "
                "Katz (log) for ratios, DeLong for "
                "the AUC; not corrected for looking at many groups</dd><dt>explanations</dt><dd>");
    html_put(b, html_text(json_object_get(d, "explanation"), "method"));
    buf_put_str(b, "</dd><dt>made</dt><dd>");
    html_put(b, html_text(d, "created"));
    buf_printf(b, " by Steward %s</dd></dl></section></main></body></html>\n", STEWARD_VERSION);
}

struct status
html_report(const json_t *document, struct diag *diag, struct buf *ret_html)
{
    if (strcmp(html_text(document, "format"), "steward-assessment-1") != 0) {
        diag_set(diag, "not an assessment document of this version");
        FAIL(INPUT);
    }
    put_head(document, ret_html);
    put_findings(document, ret_html);
    put_performance(document, ret_html);
    put_fairness(document, ret_html);
    put_explanation(document, ret_html);
    put_errors(document, ret_html);
    put_record(document, ret_html);
    return buf_status(ret_html);
}
