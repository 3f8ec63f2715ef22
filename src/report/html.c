#include "report/html.h"

#include "report/bias_document.h"
#include "report/explain_document.h"
#include "report/html_fairness.h"
#include "report/html_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FINDINGS 20u /* drawn */

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
    buf_put_str(b, "</style></head><body><a class=\"skip\" href=\"#main\">Skip to the content</a>");
}

void
html_main(struct buf *b)
{
    buf_put_str(b, "<main id=\"main\" tabindex=\"-1\">");
}

void
html_close(struct buf *b)
{
    buf_printf(b, "</main><footer class=\"soft small\">Made by Steward %s</footer></body></html>\n",
               STEWARD_VERSION);
}

void
html_section(const char *id, const char *title, struct buf *b)
{
    buf_printf(b, "<section id=\"%s\" aria-labelledby=\"%s-title\"><h2 id=\"%s-title\">%s</h2>", id,
               id, id, title);
}

void
html_definitions(const char *const (*definitions)[2], size_t n, struct buf *b)
{
    buf_put_str(b, "<details class=\"what\"><summary>What the numbers mean</summary><dl>");
    for (size_t i = 0; i < n; i++) {
        buf_printf(b, "<dt>%s</dt><dd>%s</dd>", definitions[i][0], definitions[i][1]);
    }
    buf_put_str(b, "</dl></details>");
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
    buf_printf(b, "made <b>%.10s</b></span></div>", document_text(d, "created"));
    buf_put_str(b, "</header>");
}

static void
put_contents(struct buf *b)
{
    static const char *const sections[][2] = {
        {"found", "In short"},         {"performance", "Performance"},
        {"fairness", "Fairness"},      {"explanation", "Explanations"},
        {"errors", "Where it fails"},  {"bias", "Bias in the data"},
        {"record", "How it was made"},
    };
    buf_put_str(b, "<nav aria-label=\"Contents\"><ul>");
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        buf_printf(b, "<li><a href=\"#%s\">%s</a></li>", sections[i][0], sections[i][1]);
    }
    buf_put_str(b, "</ul></nav>");
}

static const char *
kind_word(const char *kind)
{
    static const char *const words[][2] = {
        {"performance", "How good it is"}, {"fairness", "Whom it treats differently"},
        {"explanation", "What drives it"}, {"example", "One decision"},
        {"errors", "Where it fails"},      {"bias", "Bias in the data"}};
    const char *word = "Finding";
    for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
        word = strcmp(words[k][0], kind) == 0 ? words[k][1] : word;
    }
    return word;
}

static void
put_sentences(const json_t *list, size_t most, const char *class, struct buf *b)
{
    size_t i = 0;
    json_t *f = NULL;
    buf_printf(b, "<ol class=\"findings\">");
    json_array_foreach((json_t *)(uintptr_t)list, i, f)
    {
        if (i == most) {
            break;
        }
        buf_printf(b, "<li class=\"%s\"><span class=\"kind\">%s</span><b>", class,
                   kind_word(document_text(f, "kind")));
        html_put_prose(b, document_text(f, "headline"));
        buf_put_str(b, "</b><p>");
        html_put_prose(b, document_text(f, "text"));
        buf_put_str(b, "</p></li>");
    }
    buf_put_str(b, "</ol>");
}

static void
put_findings(const json_t *d, struct buf *b)
{
    const json_t *found = json_object_get(d, "findings");
    const size_t n = json_array_size(found);
    html_section("found", "In short", b);
    put_sentences(json_object_get(d, "summary"), SIZE_MAX, "", b);
    if (n > 0) {
        buf_printf(b,
                   "<h3>Found, worst first</h3><p class=\"soft small\">What is called a finding "
                   "holds after allowing for everything that was looked at (false-discovery rate "
                   "%.3g). The order is by how large each difference is at least.</p>",
                   document_number(d, "false_discovery_rate"));
        put_sentences(found, FINDINGS, "found", b);
    } else {
        buf_put_str(b, "<p>Nothing was found that is more than chance explains.</p>");
    }
    if (n > FINDINGS) {
        buf_printf(b, "<p class=\"soft small\">The first %u of %zu; the JSON has all.</p>",
                   FINDINGS, n);
    }
    buf_put_str(b, "</section>");
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
put_thresholds(const json_t *d, struct buf *b)
{
    DEFER(buf_done) struct buf text;
    buf_init(&text, HTML_MAX_BYTES);
    document_put_thresholds(d, &text);
    html_put(b, buf_str(&text));
}

static struct status
put_performance(const json_t *d, struct buf *b)
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
    html_section("performance", "Performance", b);
    buf_put_str(b, "<p class=\"soft\">It decides ");
    put_answer(d, "positive", b);
    buf_put_str(b, " ");
    put_thresholds(d, b);
    buf_printf(b, ". Under each figure: its %.0f&thinsp;%% interval.",
               100 * document_number(d, "level"));
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
    buf_put_str(b, "</div></div>");
    html_definitions(definitions, sizeof definitions / sizeof *definitions, b);
    buf_put_str(b, "<details><summary>All figures as tables</summary>");
    TRY(html_errors_figures(json_object_get(d, "errors"), b));
    buf_put_str(b, "</details></section>");
    return OK;
}

/* ---- the other documents ---- */

typedef struct status html_part(const json_t *document, struct buf *b);

static struct status
put_part(const json_t *d, const char *key, const char *title, const char *instead, html_part *part,
         struct buf *b)
{
    const json_t *o = json_object_get(d, key);
    if (json_is_object(o)) {
        return part(o, b);
    }
    html_section(key, title, b);
    buf_printf(b, "<p>%s</p></section>", instead);
    return OK;
}

static struct status
put_parts(const json_t *d, struct buf *b)
{
    TRY(put_part(d, "fairness", "Fairness",
                 "No column of the dataset is marked as sensitive, so nothing was compared.",
                 html_fairness, b));
    TRY(put_part(d, "explanation", "Explanations", "Not made.", html_explain, b));
    TRY(put_part(d, "errors", "Where it fails", "Not made.", html_errors, b));
    return put_part(d, "bias", "Bias in the data",
                    "Not looked for: no sensitive column, or see the remarks below.", html_bias, b);
}

/* ---- record ---- */

static void
put_remarks(const json_t *d, struct buf *b)
{
    size_t i = 0;
    json_t *v = NULL;
    json_array_foreach(json_object_get(d, "remarks"), i, v)
    {
        buf_put_str(b, "<dt>remark</dt><dd>");
        html_put_prose(b, json_string_value(v));
        buf_put_str(b, "</dd>");
    }
}

static void
put_record(const json_t *d, struct buf *b)
{
    const json_t *m = json_object_get(d, "model"), *s = json_object_get(d, "dataset");
    html_section("record", "How it was made", b);
    buf_put_str(b, "<dl><dt>model</dt><dd>SHA-256 <code>");
    html_put(b, document_text(m, "sha256"));
    buf_put_str(b, "</code></dd><dt>dataset</dt><dd>SHA-256 <code>");
    html_put(b, document_text(s, "sha256"));
    buf_printf(b,
               "</code></dd><dt>rows</dt><dd>%.0f assessed, none sampled; %.0f left out because "
               "their label is missing</dd>",
               document_number(d, "rows"), document_number(d, "rows_without_label"));
    buf_printf(b,
               "<dt>intervals</dt><dd>%.0f&thinsp;%%</dd><dt>findings</dt><dd>false-discovery rate "
               "%.3g (Benjamini and Hochberg); slices: chance of even one false one at most 0.05 "
               "(permutations)</dd><dt>groups</dt><dd>with fewer than %.0f rows are shown, not "
               "judged</dd><dt>seed</dt><dd>%.0f, of bootstrap and permutations</dd>",
               100 * document_number(d, "level"), document_number(d, "false_discovery_rate"),
               document_number(d, "min_group"), document_number(d, "seed"));
    buf_put_str(b, "<dt>explanations</dt><dd>");
    html_put(b, document_text(json_object_get(d, "explanation"), "method"));
    buf_put_str(b, "</dd><dt>made</dt><dd>");
    html_put(b, document_text(d, "created"));
    buf_put_str(b, "</dd>");
    put_remarks(d, b);
    buf_put_str(b, "</dl></section>");
}

static struct status
check_format(const json_t *document, struct diag *diag)
{
    const char *format = document_text(document, "format");
    if (strcmp(format, DOCUMENT_FORMAT) == 0) {
        return OK;
    }
    if (strncmp(format, DOCUMENT_FORMATS, sizeof DOCUMENT_FORMATS - 1) == 0) {
        diag_set(diag,
                 "an assessment document of another version of Steward: its \"format\" is "
                 "\"%.60s\", not \"%s\"; assess again to draw a report",
                 format, DOCUMENT_FORMAT);
    } else {
        diag_set(diag, "not an assessment document: its \"format\" is \"%.60s\", not \"%s\"",
                 format, DOCUMENT_FORMAT);
    }
    FAIL(INPUT);
}

struct status
html_report(const json_t *document, struct diag *diag, struct buf *ret_html)
{
    TRY(check_format(document, diag));
    DEFER(buf_done) struct buf title;
    buf_init(&title, 1024);
    buf_printf(&title, "Assessment of %.500s",
               document_text(json_object_get(document, "model"), "name"));
    html_open(buf_str(&title), ret_html);
    put_title(document, ret_html);
    put_contents(ret_html);
    html_main(ret_html);
    put_findings(document, ret_html);
    TRY(put_performance(document, ret_html));
    TRY(put_parts(document, ret_html));
    put_record(document, ret_html);
    html_close(ret_html);
    return buf_status(ret_html);
}
