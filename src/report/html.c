#include "report/html.h"

#include "report/html_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* "deny = yes", of the label's "positive" or "negative". */
static void
put_answer(const json_t *d, const char *which, struct buf *b)
{
    const json_t *label = json_object_get(d, "label");
    html_put(b, document_text(label, "column"));
    buf_put_str(b, "&nbsp;=&nbsp;");
    html_put(b, document_text(label, which));
}

/* ---- head ---- */

void
html_open(const char *title, struct buf *b)
{
    buf_put_str(b, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
                   "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                   "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                   "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">"
                   "<meta name=\"referrer\" content=\"no-referrer\"><title>");
    html_put(b, title);
    buf_put_str(b, "</title><style>");
    buf_put_str(b, html_style);
    buf_put_str(b, "</style></head><body><main>");
}

void
html_close(struct buf *b)
{
    buf_put_str(b, "</main></body></html>\n");
}

static void
put_title(const json_t *d, struct buf *b)
{
    const json_t *m = json_object_get(d, "model"), *s = json_object_get(d, "dataset");
    buf_put_str(b, "<header><div class=\"kind\">Assessment</div><h1>");
    html_put(b, document_text(m, "name"));
    buf_printf(b, " <span class=\"soft\">version %.0f</span></h1><div class=\"facts\"><span>",
               document_number(m, "version"));
    buf_put_str(b, "predicts <b>");
    put_answer(d, "positive", b);
    buf_put_str(b, "</b></span><span>data <b>");
    html_put(b, document_text(s, "name"));
    buf_printf(b, "</b> version <b>%.0f</b>, <b>", document_number(s, "version"));
    html_put(b, document_text(d, "selection"));
    buf_printf(b, "</b></span><span><b>%.0f</b> rows</span><span>", document_number(d, "rows"));
    buf_printf(b, "made <b>%.10s</b></span></div></header>", document_text(d, "created"));
}

static void
put_findings(const json_t *d, struct buf *b)
{
    static const char *const words[][2] = {{"performance", "How good it is"},
                                           {"fairness", "Whom it treats differently"},
                                           {"explanation", "What drives it"},
                                           {"example", "One decision"},
                                           {"errors", "Where it fails"}};
    size_t i = 0;
    json_t *f = NULL;
    buf_put_str(b, "<ol class=\"findings\">");
    json_array_foreach(json_object_get(d, "findings"), i, f)
    {
        const char *kind = document_text(f, "kind"), *word = "Finding";
        for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
            word = strcmp(words[k][0], kind) == 0 ? words[k][1] : word;
        }
        buf_put_str(b, "<li class=\"");
        html_put(b, kind);
        buf_printf(b, "\"><span class=\"kind\">%s</span><b>", word);
        html_put_prose(b, document_text(f, "headline"));
        buf_put_str(b, "</b><p>");
        html_put_prose(b, document_text(f, "text"));
        buf_put_str(b, "</p></li>");
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
    put_tile(b, name, document_number(r, "value"), document_end(r, "ci", 0),
             document_end(r, "ci", 1), true);
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
put_performance(const json_t *d, struct buf *b)
{
    const json_t *p = json_object_get(d, "performance");
    buf_put_str(b, "<section><h2>How good it is</h2><p class=\"soft\">It decides ");
    put_answer(d, "positive", b);
    buf_printf(b,
               " at a probability of %g and over. Under each figure: its %.0f&thinsp;%% interval.",
               document_number(d, "threshold"), 100 * document_number(d, "level"));
    buf_put_str(b, "</p><div class=\"tiles\">");
    put_tile(b, "ROC AUC", document_number(p, "roc_auc"), document_end(p, "roc_auc_ci", 0),
             document_end(p, "roc_auc_ci", 1), false);
    put_rate_tile(b, p, "accuracy", "accuracy");
    put_rate_tile(b, p, "precision", "precision");
    put_rate_tile(b, p, "recall", "recall");
    put_tile(b, "Brier score", document_number(p, "brier"), NAN, NAN, false);
    put_tile(b, "log loss", document_number(p, "log_loss"), NAN, NAN, false);
    buf_put_str(b, "</div><div class=\"three\"><div class=\"card\"><h3>Decisions</h3>");
    put_confusion(d, b);
    buf_put_str(b, "</div><div class=\"card\"><h3>Ranking (ROC)</h3>");
    html_chart_roc(p, b);
    buf_put_str(b, "</div><div class=\"card\"><h3>Calibration</h3>");
    html_chart_calibration(p, b);
    buf_put_str(b, "</div></div></section>");
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
put_group_row(const json_t *g, struct buf *b)
{
    const bool judged = json_is_true(json_object_get(g, "judged"));
    buf_printf(b, "<tr%s><th>", judged ? "" : " class=\"few\"");
    html_put(b, document_text(g, "group"));
    buf_printf(b, "%s</th><td>%.0f</td>", judged ? "" : " (few)", document_number(g, "n"));
    for (size_t m = 0; m < METRICS; m++) {
        const json_t *r = json_object_get(json_object_get(g, "metrics"), metrics[m].key);
        buf_put_str(b, "<td>");
        html_put_percent(b, document_number(r, "value"), 1);
        if (isfinite(document_number(r, "value"))) {
            buf_printf(b, "<span class=\"ci\">%.0f&ndash;%.0f</span>",
                       100 * document_end(r, "ci", 0), 100 * document_end(r, "ci", 1));
        }
        buf_put_str(b, "</td>");
    }
    buf_put_str(b, "</tr>");
}

static struct status
put_group_table(const json_t *factor, struct buf *b)
{
    const json_t *groups[HTML_GROUPS];
    const size_t all = json_array_size(json_object_get(factor, "groups"));
    size_t n = 0;
    TRY(html_groups(factor, groups, &n));
    buf_put_str(b, "<div class=\"card\"><table><thead><tr><th>group</th><th>rows</th>");
    for (size_t m = 0; m < METRICS; m++) {
        buf_printf(b, "<th>%s</th>", metrics[m].name);
    }
    buf_put_str(b, "</tr></thead><tbody>");
    for (size_t i = 0; i < n; i++) {
        put_group_row(groups[i], b);
    }
    buf_put_str(b, "</tbody></table></div>");
    if (all > n) {
        buf_printf(
            b,
            "<p class=\"soft small\">The %zu largest of %zu groups; the assessment's JSON has "
            "all.</p>",
            n, all);
    }
    return OK;
}

static void
put_gap_numbers(const json_t *factor, struct buf *b)
{
    static const struct metric numbers[] = {
        {"demographic_parity_difference", "demographic parity difference"},
        {"demographic_parity_ratio", "ratio"},
        {"equalized_odds_difference", "equalized odds difference"},
        {"equalized_odds_ratio", "ratio"},
    };
    buf_put_str(b, "<p class=\"soft small numbers\">");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const double v = document_number(factor, numbers[i].key);
        buf_printf(b, "<span>%s <b>", numbers[i].name);
        if (isfinite(v)) {
            buf_printf(b, "%.3f</b></span> ", v);
        } else {
            buf_put_str(b, "&ndash;</b></span> ");
        }
    }
    if (document_number(factor, "rows_without_group") > 0) {
        buf_printf(b, "<span>%.0f rows without a group are left out</span>",
                   document_number(factor, "rows_without_group"));
    }
    buf_put_str(b, "</p>");
}

static struct status
put_factor(const json_t *d, const json_t *factor, struct buf *b)
{
    buf_put_str(b, "<h3>");
    html_put(b, document_text(factor, "factor"));
    buf_put_str(b, "</h3><div class=\"two\"><div class=\"card\"><h4>Decided ");
    put_answer(d, "positive", b);
    buf_put_str(b, "</h4>");
    TRY(html_chart_rates(factor, "selection_rate", "Selection rate by group, with intervals", b));
    buf_put_str(b, "</div><div class=\"card\"><h4>Decided so where the truth is ");
    put_answer(d, "negative", b);
    buf_put_str(b, "</h4>");
    TRY(html_chart_rates(factor, "fpr", "False positive rate by group, with intervals", b));
    buf_put_str(b, "</div></div>");
    put_gap_numbers(factor, b);
    return put_group_table(factor, b);
}

static struct status
put_fairness(const json_t *d, struct buf *b)
{
    size_t i = 0;
    json_t *factor = NULL;
    const json_t *all = json_object_get(d, "fairness");
    buf_put_str(b, "<section><h2>Whom it treats differently</h2>");
    if (json_array_size(all) == 0) {
        buf_put_str(b, "<p>No column of the dataset is marked as sensitive, so nothing was "
                       "compared.</p></section>");
        return OK;
    }
    buf_printf(
        b,
        "<p class=\"soft\">Bars and small figures are %.0f&thinsp;%% Wilson intervals. Groups "
        "with fewer than %.0f rows are shown in grey and not judged.</p>",
        100 * document_number(d, "level"), document_number(d, "min_group"));
    json_array_foreach((json_t *)(uintptr_t)all, i, factor)
    {
        TRY(put_factor(d, factor, b));
    }
    if (document_number(d, "intersections_left_out") > 0) {
        buf_printf(b,
                   "<p class=\"soft small\">%.0f further pairs of sensitive columns were not "
                   "compared.</p>",
                   document_number(d, "intersections_left_out"));
    }
    buf_put_str(b, "</section>");
    return OK;
}

/* ---- explanation ---- */

static void
put_example(const json_t *d, const json_t *example, struct buf *b)
{
    const bool decided = json_is_true(json_object_get(example, "decided"));
    buf_printf(b, "<h3>One decision: row %.0f of the dataset</h3><p class=\"soft small\">",
               document_number(example, "row"));
    if (!decided) {
        buf_put_str(b, "No row was decided ");
        put_answer(d, "positive", b);
        buf_put_str(b, "; this one came nearest. ");
    }
    buf_put_str(b, "Probability ");
    html_put_percent(b, document_number(example, "score"), 1);
    buf_put_str(b, ", decided <b>");
    put_answer(d, decided ? "positive" : "negative", b);
    buf_put_str(b, "</b>, the truth: <b>");
    html_put(b, document_text(example, "label"));
    buf_put_str(b, "</b>. <span class=\"key r\"></span> towards ");
    html_put(b, document_text(json_object_get(d, "label"), "positive"));
    buf_put_str(b, ", <span class=\"key b\"></span> towards ");
    html_put(b, document_text(json_object_get(d, "label"), "negative"));
    buf_put_str(b, ".</p>");
}

static struct status
put_explanation(const json_t *d, struct buf *b)
{
    const json_t *e = json_object_get(d, "explanation"), *example = json_object_get(e, "example");
    buf_put_str(b,
                "<section><h2>What drives it</h2><p class=\"soft\">Exact TreeSHAP of the deployed "
                "model itself, in log-odds: how far each feature moves the answer away from the "
                "average one.</p><div class=\"two\"><div class=\"card\"><h3>Over all rows</h3>");
    buf_printf(b,
               "<p class=\"soft small\">Mean size of each feature's attribution over %.0f "
               "rows.</p>",
               document_number(e, "rows"));
    TRY(html_chart_importance(e, b));
    buf_put_str(b, "</div><div class=\"card\">");
    put_example(d, example, b);
    TRY(html_chart_waterfall(e, b));
    buf_put_str(b, "</div></div></section>");
    return OK;
}

/* ---- errors ---- */

#define WORST 3u

static bool
is_leaf(const json_t *node)
{
    return json_integer_value(json_object_get(node, "left")) < 0;
}

static void
put_cohort_row(const json_t *n, struct buf *b)
{
    buf_put_str(b, "<tr><th>");
    html_put(b, document_text(n, "words"));
    buf_put_str(b, "<br><code>");
    html_put(b, document_text(n, "cohort"));
    buf_printf(b, "</code></th><td>%.0f of %.0f</td><td>", document_number(n, "errors"),
               document_number(n, "rows"));
    html_put_percent(b, document_number(n, "error_rate"), 0);
    buf_printf(b, "<span class=\"ci\">%.0f&ndash;%.0f</span></td><td>",
               100 * document_end(n, "ci", 0), 100 * document_end(n, "ci", 1));
    html_put_percent(b, document_number(n, "coverage"), 0);
    buf_put_str(b, "</td></tr>");
}

/* The leaves with the highest rates. */
static struct status
put_cohorts(const json_t *errors, struct buf *b)
{
    const json_t *tree = json_object_get(errors, "tree");
    DEFER(memory_freep) struct document_ranked *r = NULL;
    TRY(document_rank(tree, "error_rate", DOCUMENT_FARTHEST_FROM_ZERO, &r));
    buf_put_str(b, "<div class=\"card\"><table class=\"cohorts\"><thead><tr><th>worst cohorts, and "
                   "how <code>--cohort</code> takes them</th><th>wrong</th><th>rate</th><th>of all "
                   "mistakes</th></tr></thead><tbody>");
    unsigned put = 0;
    for (size_t i = 0; i < json_array_size(tree) && put < WORST; i++) {
        if (is_leaf(r[i].item) && r[i].size > 0) {
            put_cohort_row(r[i].item, b);
            put++;
        }
    }
    buf_put_str(b, "</tbody></table></div>");
    return OK;
}

static struct status
put_errors(const json_t *d, struct buf *b)
{
    const json_t *e = json_object_get(d, "errors");
    buf_printf(b,
               "<section><h2>Where it fails</h2><p class=\"soft\">A tree grown over the model's "
               "mistakes, at most %.0f deep, with at least %.0f rows in each leaf: the stronger "
               "the colour, the more often wrong.</p><div class=\"card\">",
               document_number(e, "max_depth"), document_number(e, "min_rows"));
    html_chart_tree(e, b);
    buf_put_str(b, "</div>");
    if (json_array_size(json_object_get(e, "tree")) > 1) {
        TRY(put_cohorts(e, b));
    }
    if (json_object_get(e, "map") != NULL) {
        buf_put_str(b, "<h3>Mistakes by the two features that separate them best</h3><div "
                       "class=\"card\">");
        html_chart_map(e, b);
        buf_put_str(b, "<p class=\"soft small\">Share of rows in the cell for which the model is "
                       "wrong; cells with fewer than 20 rows are not coloured.</p></div>");
    }
    buf_put_str(b, "</section>");
    return OK;
}

/* ---- record ---- */

static void
put_record(const json_t *d, struct buf *b)
{
    const json_t *m = json_object_get(d, "model"), *s = json_object_get(d, "dataset");
    buf_put_str(b, "<section><h2>Record</h2><dl><dt>model</dt><dd>SHA-256 <code>");
    html_put(b, document_text(m, "sha256"));
    buf_put_str(b, "</code></dd><dt>dataset</dt><dd>SHA-256 <code>");
    html_put(b, document_text(s, "sha256"));
    buf_printf(b,
               "</code></dd><dt>rows</dt><dd>%.0f assessed, none sampled; %.0f left out because "
               "their label is missing</dd>",
               document_number(d, "rows"), document_number(d, "rows_without_label"));
    buf_printf(b,
               "<dt>intervals</dt><dd>%.0f&thinsp;%%: Wilson for rates, Newcombe for differences, "
               "Katz (log) for ratios, DeLong for the AUC; not corrected for looking at many groups"
               "</dd><dt>explanations</dt><dd>",
               100 * document_number(d, "level"));
    html_put(b, document_text(json_object_get(d, "explanation"), "method"));
    buf_put_str(b, "</dd><dt>made</dt><dd>");
    html_put(b, document_text(d, "created"));
    buf_printf(b, " by Steward %s</dd></dl></section>", STEWARD_VERSION);
}

struct status
html_report(const json_t *document, struct diag *diag, struct buf *ret_html)
{
    if (strcmp(document_text(document, "format"), DOCUMENT_FORMAT) != 0) {
        diag_set(diag,
                 "not an assessment document of this version: its \"format\" is \"%.60s\", not "
                 "\"%s\"",
                 document_text(document, "format"), DOCUMENT_FORMAT);
        FAIL(INPUT);
    }
    DEFER(buf_done) struct buf title;
    buf_init(&title, 1024);
    buf_printf(&title, "Assessment of %.500s",
               document_text(json_object_get(document, "model"), "name"));
    html_open(buf_str(&title), ret_html);
    put_title(document, ret_html);
    put_findings(document, ret_html);
    put_performance(document, ret_html);
    TRY(put_fairness(document, ret_html));
    TRY(put_explanation(document, ret_html));
    TRY(put_errors(document, ret_html));
    put_record(document, ret_html);
    html_close(ret_html);
    return buf_status(ret_html);
}
