#include "report/html.h"

#include "report/bias_document.h"
#include "report/explain_document.h"
#include "report/html_fairness.h"
#include "report/html_parts.h"

#include <stdio.h>
#include <string.h>

#define FINDINGS 20u /* drawn */

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
    html_answer(d, "positive", b);
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
    TRY(html_performance(document, ret_html));
    TRY(put_parts(document, ret_html));
    put_record(document, ret_html);
    html_close(ret_html);
    return buf_status(ret_html);
}
