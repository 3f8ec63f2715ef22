/* The black-box document as a section of a page, and as a page of its own. */
#include "report/black_box_document.h"

#include "report/html_black_box_parts.h"
#include "report/html_parts.h"
#include "report/html_svg.h"

#include <math.h>
#include <stdio.h>

#define BARS 20u
#define BAR_ROW 27
#define ROWS_SHOWN 3u
#define ROW_FEATURES 8u
#define NODES_SHOWN 200u

/* ---- words ---- */

static const struct {
    const char *method, *title, *what;
} words[] = {
    {"kernel", "What moves the model's answers",
     "Shapley values of the model's own answers by weighted least squares over coalitions of "
     "features (KernelSHAP), every feature, none left out. The base is the mean answer over the "
     "background; base and values add up to the answer."},
    {"permutation", "What moves the model's answers",
     "Shapley values of the model's own answers, averaged over orders of the features and their "
     "reverse. The base is the mean answer over the background; base and values add up to the "
     "answer."},
    {"partial-dependence", "How the answer follows each feature",
     "Partial dependence: the mean answer when the feature is set to each value for every row. "
     "Where features depend on each other it asks about rows that may not exist; accumulated local "
     "effects do not."},
    {"ice", "How the answer of single rows follows each feature",
     "Individual conditional expectation: the answer of each drawn row as the feature is set to "
     "each value, as the difference from the first value; the thick line is the mean of all rows."},
    {"ale", "How the answer changes along each feature",
     "Accumulated local effects: differences of the answer within small steps, on rows that are "
     "there, added up; the mean over the rows is nothing."},
    {"permutation-importance", "Which features the metric needs",
     "How much worse the metric gets when a feature's values are shuffled among the rows. Features "
     "that stand in for each other hide each other."},
    {"surrogate", "A small tree that imitates the model",
     "Grown on the model's answers, not on the truth. What it says about the model is worth as "
     "much as its fidelity."},
};

static size_t
words_of(const json_t *d)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i].method, document_text(d, "method")) == 0) {
            return i;
        }
    }
    return 0;
}

static void
put_number(struct buf *b, double v)
{
    if (isnan(v)) {
        buf_put_str(b, "&ndash;");
    } else {
        buf_printf(b, v < 0 ? "&minus;%.4g" : "%.4g", fabs(v));
    }
}

static void
put_interval(struct buf *b, double low, double high)
{
    if (!isnan(low) && !isnan(high)) {
        buf_put_str(b, "<span class=\"ci\">");
        put_number(b, low);
        buf_put_str(b, " to ");
        put_number(b, high);
        buf_put_str(b, "</span>");
    }
}

/* ---- bars ---- */

struct bar {
    const char *name;
    double value, low, high;
};

/* Dots with intervals on one scale that holds zero. */
static void
put_bars(const struct bar *bar, size_t n, const char *title, struct buf *b)
{
    double low = 0, high = 0;
    for (size_t i = 0; i < n; i++) {
        low = fmin(low, fmin(bar[i].value, isnan(bar[i].low) ? 0 : bar[i].low));
        high = fmax(high, fmax(bar[i].value, isnan(bar[i].high) ? 0 : bar[i].high));
    }
    const double scale = 210 / (high > low ? high - low : 1), zero = 160 - low * scale;
    svg_open(b, 470, (int)n * BAR_ROW + 4, false, title);
    svg_line(b, "a", zero, 0, zero, (double)n * BAR_ROW + 2);
    for (size_t i = 0; i < n; i++) {
        char text[32];
        const double y = 2 + BAR_ROW * (double)i, x = zero + bar[i].value * scale;
        (void)snprintf(text, sizeof text, "%.3g", bar[i].value);
        svg_label(b, 150, y + 15, "end", "", 20, bar[i].name);
        svg_rect(b, bar[i].value < 0 ? "r" : "b", fmin(zero, x), y + 3, fabs(x - zero), 14, 0.55);
        if (!isnan(bar[i].low)) {
            svg_line(b, "ci", zero + bar[i].low * scale, y + 10, zero + bar[i].high * scale,
                     y + 10);
        }
        svg_dot(b, "b", x, y + 10, 3.5);
        svg_label(b, 466, y + 15, "end", "s", 12, text);
    }
    svg_close(b);
}

static void
put_bar_table(const struct bar *bar, size_t n, const char *head, struct buf *b)
{
    buf_printf(b, "<table><thead><tr><th>feature</th><th>%s</th></tr></thead><tbody>", head);
    for (size_t i = 0; i < n; i++) {
        buf_put_str(b, "<tr><th>");
        html_put(b, bar[i].name);
        buf_put_str(b, "</th><td>");
        put_number(b, bar[i].value);
        put_interval(b, bar[i].low, bar[i].high);
        buf_put_str(b, "</td></tr>");
    }
    buf_put_str(b, "</tbody></table>");
}

/* The features with the largest `key`, as a chart and a table side by side. */
static struct status
put_ranked(const json_t *features, const char *key, const char *title, const char *head,
           struct bar (*read)(const json_t *feature), struct buf *b)
{
    struct bar bar[BARS];
    DEFER(memory_freep) struct document_ranked *r = NULL;
    TRY(document_rank(features, key, DOCUMENT_FARTHEST_FROM_ZERO, &r));
    const size_t n = json_array_size(features), shown = n < BARS ? n : BARS;
    for (size_t i = 0; i < shown; i++) {
        bar[i] = read(r[i].item);
    }
    buf_put_str(b, "<div class=\"two\"><div class=\"card\">");
    put_bars(bar, shown, title, b);
    buf_put_str(b, "</div><div class=\"card\">");
    put_bar_table(bar, shown, head, b);
    buf_put_str(b, "</div></div>");
    if (n > shown) {
        buf_printf(b,
                   "<p class=\"soft small\">The %zu largest of %zu features; the JSON has all.</p>",
                   shown, n);
    }
    return OK;
}

/* ---- attributions ---- */

static struct bar
read_attribution(const json_t *f)
{
    const json_t *v = json_array_get(json_object_get(f, "outputs"), 0);
    return (struct bar){document_text(f, "feature"), document_number(v, "mean_abs"),
                        document_end(v, "ci", 0), document_end(v, "ci", 1)};
}

/* Of one row: its largest values with twice their standard error. */
static struct status
put_row(const json_t *d, const json_t *row, struct buf *b)
{
    const json_t *names = json_object_get(d, "features"),
                 *o = json_array_get(json_object_get(row, "outputs"), 0),
                 *phi = json_object_get(o, "phi"), *error = json_object_get(o, "standard_error");
    const size_t n = json_array_size(phi);
    uint8_t *done = calloc(n > 0 ? n : 1, 1);
    CHECK(done != NULL, MEMORY);
    buf_printf(b,
               "<div class=\"card\"><h4>Row %.0f: answer %.4g</h4><table><thead><tr><th>feature"
               "</th><th>attribution</th><th>error</th></tr></thead><tbody>",
               document_number(row, "row"), document_number(o, "prediction"));
    for (size_t k = 0; k < n && k < ROW_FEATURES; k++) {
        size_t best = n;
        for (size_t i = 0; i < n; i++) {
            const double v = fabs(json_number_value(json_array_get(phi, i)));
            if (done[i] == 0 &&
                (best == n || v > fabs(json_number_value(json_array_get(phi, best))))) {
                best = i;
            }
        }
        done[best] = 1;
        buf_put_str(b, "<tr><th>");
        html_put(b, json_string_value(json_array_get(names, best)));
        buf_put_str(b, "</th><td>");
        put_number(b, json_number_value(json_array_get(phi, best)));
        buf_put_str(b, "</td><td>");
        put_number(b, json_number_value(json_array_get(error, best)));
        buf_put_str(b, "</td></tr>");
    }
    free(done);
    buf_put_str(b, "</tbody></table></div>");
    return OK;
}

static struct status
put_attributions(const json_t *d, struct buf *b)
{
    const json_t *a = json_object_get(d, "attributions"), *rows = json_object_get(a, "rows");
    buf_printf(b,
               "<p class=\"soft\">%.0f of %.0f rows of the data, background %.0f of %.0f rows; "
               "exact for %.0f rows, otherwise drawn: the largest standard error of a value is "
               "%.3g. It is of drawing coalitions; the background is taken as given.</p>",
               document_number(d, "rows"), document_number(d, "rows_in_data"),
               document_number(d, "background_rows"), document_number(d, "background_of"),
               document_number(a, "exact_rows"), document_number(a, "largest_standard_error"));
    TRY(put_ranked(json_object_get(a, "features"), "mean_abs",
                   "Mean size of each feature's attribution, largest first", "mean |attribution|",
                   read_attribution, b));
    buf_put_str(b, "<h3>Single rows</h3><div class=\"three\">");
    for (size_t i = 0; i < json_array_size(rows) && i < ROWS_SHOWN; i++) {
        TRY(put_row(d, json_array_get(rows, i), b));
    }
    buf_put_str(b, "</div>");
    return OK;
}

/* ---- permutation importance ---- */

static struct bar
read_importance(const json_t *f)
{
    return (struct bar){document_text(f, "feature"), document_number(f, "importance"),
                        document_end(f, "ci", 0), document_end(f, "ci", 1)};
}

static struct status
put_importance(const json_t *d, struct buf *b)
{
    const json_t *p = json_object_get(d, "permutation_importance");
    buf_printf(b,
               "<p class=\"soft\">%s of the %.0f rows as they are: <b>%.4g</b>; %.0f shuffles "
               "a feature; %.4g&thinsp;%% intervals over shuffles, these rows taken as "
               "given.</p>",
               document_text(p, "metric"), document_number(d, "rows"),
               document_number(p, "baseline"), document_number(p, "repeats"),
               100 * document_number(d, "level"));
    return put_ranked(json_object_get(p, "features"), "importance",
                      "How much worse the metric gets, largest first", "importance",
                      read_importance, b);
}

/* ---- the surrogate ---- */

static void
put_condition(const json_t *n, struct buf *b)
{
    const json_t *categories = json_object_get(n, "categories");
    html_put(b, document_text(n, "feature"));
    if (categories == NULL) {
        buf_put_str(b, " &le; ");
        put_number(b, document_number(n, "at_most"));
        return;
    }
    buf_put_str(b, " is ");
    for (size_t i = 0; i < json_array_size(categories) && i < 12; i++) {
        buf_put_str(b, i == 0 ? "" : ", ");
        html_put(b, json_string_value(json_array_get(categories, i)));
    }
    if (json_array_size(categories) > 12) {
        buf_printf(b, " or %zu more", json_array_size(categories) - 12);
    }
}

/* The tree as nested lists: a screen reader reads it as it is drawn. */
static void
put_node(const json_t *nodes, size_t at, unsigned depth, struct buf *b)
{
    const json_t *n = json_array_get(nodes, at);
    if (json_object_get(n, "feature") == NULL || depth > 64) {
        buf_put_str(b, "answer <b>");
        put_number(b, document_number(n, "value"));
        buf_printf(b, "</b> <span class=\"soft\">(%.0f rows)</span>", document_number(n, "rows"));
        return;
    }
    put_condition(n, b);
    if (strcmp(document_text(n, "missing"), "not seen") != 0) {
        buf_printf(b, " <span class=\"soft\">(missing: %s)</span>", document_text(n, "missing"));
    }
    buf_put_str(b, "<ul><li>yes: ");
    put_node(nodes, (size_t)document_number(n, "yes"), depth + 1, b);
    buf_put_str(b, "</li><li>no: ");
    put_node(nodes, (size_t)document_number(n, "no"), depth + 1, b);
    buf_put_str(b, "</li></ul>");
}

static void
put_surrogate(const json_t *d, struct buf *b)
{
    const json_t *s = json_object_get(d, "surrogate"), *nodes = json_object_get(s, "nodes");
    const bool refused = json_is_true(json_object_get(s, "refused"));
    const double same = document_number(s, "same_decisions");
    buf_put_str(b, "<div class=\"tiles\"><div class=\"tile\"><div class=\"v\">");
    put_number(b, document_number(s, "fidelity_r2"));
    buf_printf(
        b,
        "</div><div class=\"n\">fidelity: R&sup2; against the model&rsquo;s answers on %.0f rows "
        "that it was not grown on</div></div>",
        document_number(s, "measured_on"));
    if (!isnan(same)) {
        buf_printf(b,
                   "<div class=\"tile\"><div class=\"v\">%.1f&thinsp;%%</div><div class=\"n\">of "
                   "those rows decided as the model does</div></div>",
                   100 * same);
    }
    buf_printf(b,
               "<div class=\"tile\"><div class=\"v\">%.0f</div><div class=\"n\">leaves, grown "
               "on %.0f rows</div></div></div>",
               document_number(s, "leaves"), document_number(s, "grown_on"));
    if (refused) {
        buf_printf(b,
                   "<p><b>Refused.</b> The fidelity is under the floor of %.2f: a tree of this "
                   "size does not tell how this model answers, so none is shown.</p>",
                   document_number(s, "floor"));
    } else if (json_array_size(nodes) > 0 && json_array_size(nodes) < NODES_SHOWN) {
        buf_put_str(b, "<div class=\"card\"><ul><li>");
        put_node(nodes, 0, 0, b);
        buf_put_str(b, "</li></ul></div>");
    }
}

/* ---- the whole ---- */

static struct status
put_method(const json_t *d, struct buf *b)
{
    if (json_object_get(d, "attributions") != NULL) {
        return put_attributions(d, b);
    }
    if (json_object_get(d, "permutation_importance") != NULL) {
        return put_importance(d, b);
    }
    if (json_object_get(d, "surrogate") != NULL) {
        put_surrogate(d, b);
        return OK;
    }
    return html_black_box_lines(d, b);
}

struct status
html_black_box(const json_t *document, struct buf *b)
{
    const size_t w = words_of(document);
    const json_t *remarks = json_object_get(document, "remarks");
    buf_printf(b, "<section><h2>%s</h2><p class=\"soft\">%s</p>", words[w].title, words[w].what);
    TRY(put_method(document, b));
    for (size_t i = 0; i < json_array_size(remarks); i++) {
        buf_put_str(b, "<p class=\"soft small\">");
        html_put_prose(b, json_string_value(json_array_get(remarks, i)));
        buf_put_str(b, "</p>");
    }
    if (json_array_size(json_object_get(document, "outputs")) > 1) {
        buf_put_str(b, "<p class=\"soft small\">Drawn for the first output, ");
        html_put(b, json_string_value(json_array_get(json_object_get(document, "outputs"), 0)));
        buf_put_str(b, "; the JSON has all.</p>");
    }
    buf_put_str(b, "</section>");
    return buf_status(b);
}

struct status
html_black_box_page(const json_t *document, struct buf *b)
{
    const size_t w = words_of(document);
    DEFER(buf_done) struct buf title;
    buf_init(&title, 256);
    buf_printf(&title, "Explanation: %s", words[w].method);
    html_open(buf_str(&title), b);
    buf_printf(b, "<header><div class=\"kind\">Explanation: %s</div><h1>", words[w].method);
    html_put(b, document_text(document, "model"));
    buf_printf(b, "</h1><p class=\"facts\"><span><b>%.0f</b> of %.0f rows</span></p></header>",
               document_number(document, "rows"), document_number(document, "rows_in_data"));
    html_main(b);
    TRY(html_black_box(document, b));
    html_close(b);
    return buf_status(b);
}
