/* The explain document as a section and as a page of its own. Of several outputs each has its own
 * part, which opens and closes. */
#include "report/explain_document.h"
#include "report/html_parts.h"
#include "report/html_svg.h"

#include <math.h>
#include <stdio.h>

#define BARS 15u
#define LOCAL_LINES 40u
#define LOCAL_ROWS 8u
#define WATERFALLS 2u
#define GROUP_NAMES 12u
#define ROW 24
#define OUTPUTS 8u /* drawn, when there are several; the JSON has all */

static const struct {
    const char *key, *what;
} definitions[] = {
    {"mean |phi|", "mean size of the attributions over the rows"},
    {"dependence", "attributions of rows whose value lies in a bin: mean, and one standard "
                   "deviation to either side; their spread is what other features make of it"},
    {"pair", "what two features have together beyond what each has alone: both halves of the "
             "Shapley interaction value, mean size"},
};

static void
put_game(const json_t *d, struct buf *b)
{
    const bool background = json_object_get(d, "background") != NULL;
    const bool linear = strcmp(document_text(d, "method"), "exact SHAP of a linear model") == 0;
    const bool probability = strcmp(document_text(d, "scale"), "probability") == 0;
    const bool coalitions = json_object_get(d, "coalitions") != NULL;
    buf_printf(b,
               "<dt>attribution (phi)</dt><dd>the feature's Shapley value in the game in which a "
               "feature that is not known %s; on the %s</dd>",
               background ? "has the value that it has in each row of the background in turn"
               : linear   ? "has its mean in the training rows, as the model file tells it"
                          : "is followed both ways, in the shares of the training rows",
               coalitions ? "probability, by the mean answer of the model for each coalition of "
                            "features"
               : probability
                   ? "probability: each background row's part is scaled by the link's mean "
                     "slope between both margins"
               : linear ? "margin, the sum of coefficients times values"
                        : "margin, the sum of the trees");
    buf_printf(
        b,
        "<dt>expected</dt><dd>the mean over the %s; expected and a row's attributions add up "
        "to its %s</dd>",
        background ? "background" : "training rows", probability ? "probability" : "margin");
}

static void
put_definitions(const json_t *d, struct buf *b)
{
    buf_put_str(b, "<details><summary>What the numbers mean</summary><dl>");
    put_game(d, b);
    for (size_t i = 0; i < sizeof definitions / sizeof *definitions; i++) {
        buf_printf(b, "<dt>%s</dt><dd>%s</dd>", definitions[i].key, definitions[i].what);
    }
    buf_put_str(b, "</dl></details>");
}

static void
put_number(struct buf *b, double v)
{
    if (isfinite(v)) {
        buf_printf(b, "%s%.4g", v < 0 ? "&minus;" : "", fabs(v));
    } else {
        buf_put_str(b, "&ndash;");
    }
}

static void
put_cell(struct buf *b, double v)
{
    buf_put_str(b, "<td>");
    put_number(b, v);
    buf_put_str(b, "</td>");
}

static const json_t *
output_of(const json_t *o, size_t output)
{
    return json_array_get(json_object_get(o, "outputs"), output);
}

/* ---- global ---- */

static struct status
put_global(const json_t *d, size_t output, struct buf *b)
{
    const json_t *o = output_of(d, output), *features = json_object_get(o, "features");
    DEFER(memory_freep) struct document_ranked *r = NULL;
    TRY(document_rank(features, "mean_abs", DOCUMENT_LARGEST, &r));
    const size_t n = json_array_size(features), drawn = n < BARS ? n : BARS;
    buf_put_str(b, "<div class=\"card\"><h3>What counts over all rows</h3>");
    TRY(html_chart_importance(o, b));
    buf_printf(b,
               "<details><summary>The %zu largest as a table</summary><table><thead><tr>"
               "<th>feature</th><th>mean |phi|</th><th>mean phi</th></tr></thead><tbody>",
               drawn);
    for (size_t i = 0; i < drawn; i++) {
        buf_put_str(b, "<tr><th>");
        html_put(b, document_text(r[i].item, "feature"));
        buf_put_str(b, "</th>");
        put_cell(b, r[i].size);
        put_cell(b, document_number(r[i].item, "mean"));
        buf_put_str(b, "</tr>");
    }
    buf_put_str(b, "</tbody></table></details></div>");
    return OK;
}

/* ---- cohorts ---- */

/* Two bars a feature: the cohort's and, outlined by its colour, that of the rest. */
static void
put_cohort_chart(const struct document_ranked *r, size_t drawn, struct buf *b)
{
    double most = 0;
    for (size_t i = 0; i < drawn; i++) {
        const double rest = document_number(r[i].item, "rest_mean_abs");
        most = fmax(most, fmax(r[i].size, isfinite(rest) ? rest : 0));
    }
    svg_open(b, 470, (int)drawn * ROW + 4, false,
             "Mean size of attributions: in the cohort above, in the rest below");
    for (size_t i = 0; i < drawn && most > 0; i++) {
        const double y = 2 + ROW * (double)i, rest = document_number(r[i].item, "rest_mean_abs");
        svg_label(b, 150, y + 15, "end", "", 20, document_text(r[i].item, "feature"));
        svg_rect(b, "b", 160, y + 1, 290 * r[i].size / most, 9, 1);
        svg_rect(b, "r", 160, y + 11, 290 * (isfinite(rest) ? rest : 0) / most, 9, 1);
    }
    svg_close(b);
}

static struct status
put_cohort(const json_t *c, size_t output, struct buf *b)
{
    const json_t *features = json_object_get(output_of(c, output), "features");
    DEFER(memory_freep) struct document_ranked *r = NULL;
    TRY(document_rank(features, "mean_abs", DOCUMENT_LARGEST, &r));
    const size_t n = json_array_size(features), drawn = n < BARS ? n : BARS;
    buf_put_str(b, "<div class=\"card\"><h4>");
    const char *name = document_text(c, "cohort"), *predicate = document_text(c, "predicate");
    html_put(b, name);
    if (strcmp(name, predicate) != 0) {
        buf_put_str(b, ": ");
        html_put(b, predicate);
    }
    buf_printf(b,
               "</h4><p class=\"soft small\"><span class=\"key b\"></span> these %.0f rows "
               "<span class=\"key r\"></span> the %.0f others</p>",
               document_number(c, "rows"), document_number(c, "rest_rows"));
    put_cohort_chart(r, drawn, b);
    buf_put_str(b, "<details><summary>As a table</summary><table><thead><tr><th>feature</th>"
                   "<th>mean |phi|</th><th>of the rest</th><th>mean phi</th><th>of the rest</th>"
                   "</tr></thead><tbody>");
    for (size_t i = 0; i < drawn; i++) {
        buf_put_str(b, "<tr><th>");
        html_put(b, document_text(r[i].item, "feature"));
        buf_put_str(b, "</th>");
        put_cell(b, r[i].size);
        put_cell(b, document_number(r[i].item, "rest_mean_abs"));
        put_cell(b, document_number(r[i].item, "mean"));
        put_cell(b, document_number(r[i].item, "rest_mean"));
        buf_put_str(b, "</tr>");
    }
    buf_put_str(b, "</tbody></table></details></div>");
    return OK;
}

static struct status
put_all_cohorts(const json_t *cohorts, size_t output, struct buf *b)
{
    const size_t n = json_array_size(cohorts);
    buf_put_str(b, n == 0 ? ""
                          : "<h3>Cohorts against the rest</h3><p class=\"soft small\">Mean size of "
                            "attributions.</p><div class=\"two\">");
    for (size_t i = 0; i < n; i++) {
        TRY(put_cohort(json_array_get(cohorts, i), output, b));
    }
    buf_put_str(b, n == 0 ? "" : "</div>");
    return OK;
}

/* ---- dependence ---- */

static void
bin_name(const json_t *bin, char *ret_text, size_t n)
{
    const double from = document_number(bin, "from"), to = document_number(bin, "to");
    if (json_object_get(bin, "category") != NULL) {
        (void)snprintf(ret_text, n, "%s", document_text(bin, "category"));
    } else if (!isfinite(from)) {
        (void)snprintf(ret_text, n, "missing");
    } else if (from == to) {
        (void)snprintf(ret_text, n, "%.4g", from);
    } else {
        (void)snprintf(ret_text, n, "%.4g to %.4g", from, to);
    }
}

struct scale {
    double low, per_unit;
};

static double
x_at(const struct scale *s, double v)
{
    return 160 + (v - s->low) * s->per_unit;
}

static void
put_bin(const json_t *bin, double y, const struct scale *s, struct buf *b)
{
    char name[160];
    const double mean = document_number(bin, "mean"), sd = document_number(bin, "sd");
    bin_name(bin, name, sizeof name);
    svg_label(b, 150, y + 13, "end", "", 22, name);
    svg_line(b, "a", x_at(s, mean - sd), y + 9, x_at(s, mean + sd), y + 9);
    svg_dot(b, "b", x_at(s, mean), y + 9, 4);
}

/* The number at one end of the scale, below it; 0 has its line. */
static void
put_end(double v, double y, const struct scale *s, struct buf *b)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%s%.3g", v < 0 ? "\xe2\x88\x92" : "", fabs(v));
    svg_label(b, x_at(s, v), y + 16, "middle", "s", 12, text);
}

static struct scale
scale_of(const json_t *bins, const json_t *missing)
{
    double low = 0, high = 0;
    for (size_t i = 0; i <= json_array_size(bins); i++) {
        const json_t *bin = i < json_array_size(bins) ? json_array_get(bins, i) : missing;
        const double mean = document_number(bin, "mean"), sd = document_number(bin, "sd");
        if (bin != NULL && isfinite(mean)) {
            low = fmin(low, mean - sd);
            high = fmax(high, mean + sd);
        }
    }
    return (struct scale){low, 290 / (high > low ? high - low : 1)};
}

static void
put_bin_line(const json_t *bin, struct buf *b)
{
    char name[160];
    bin_name(bin, name, sizeof name);
    buf_put_str(b, "<tr><th>");
    html_put(b, name);
    buf_printf(b, "</th><td>%.0f</td>", document_number(bin, "rows"));
    put_cell(b, document_number(bin, "mean"));
    put_cell(b, document_number(bin, "sd"));
    put_cell(b, document_number(bin, "least"));
    put_cell(b, document_number(bin, "most"));
    buf_put_str(b, "</tr>");
}

static void
put_dependence(const json_t *f, size_t output, struct buf *b)
{
    const json_t *o = output_of(f, output), *bins = json_object_get(o, "bins"),
                 *missing = json_object_get(o, "missing");
    const size_t n = json_array_size(bins), lines = n + (missing != NULL);
    const struct scale s = scale_of(bins, missing);
    buf_put_str(b, "<div class=\"card\"><h4>");
    html_put(b, document_text(f, "feature"));
    buf_put_str(b, ": attribution by value</h4>");
    svg_open(b, 470, (int)lines * 20 + 24, false,
             "Attribution by value: mean and one standard deviation to either side");
    svg_line(b, "g", x_at(&s, 0), 0, x_at(&s, 0), 20.0 * (double)lines);
    for (size_t i = 0; i < lines; i++) {
        put_bin(i < n ? json_array_get(bins, i) : missing, 2 + 20.0 * (double)i, &s, b);
    }
    put_end(s.low, 20.0 * (double)lines, &s, b);
    put_end(s.low + 290 / s.per_unit, 20.0 * (double)lines, &s, b);
    svg_close(b);
    buf_put_str(b, "<details><summary>As a table</summary><table><thead><tr><th>value</th>"
                   "<th>rows</th><th>mean</th><th>sd</th><th>least</th><th>most</th></tr></thead>"
                   "<tbody>");
    for (size_t i = 0; i < lines; i++) {
        put_bin_line(i < n ? json_array_get(bins, i) : missing, b);
    }
    buf_put_str(b, "</tbody></table></details></div>");
}

static void
put_all_dependence(const json_t *list, size_t output, struct buf *b)
{
    const size_t n = json_array_size(list);
    buf_put_str(b, n == 0 ? ""
                          : "<h3>What a value does</h3><p class=\"soft small\">Mean attribution of "
                            "rows with that value, and one standard deviation to either side."
                            "</p><div class=\"two\">");
    for (size_t i = 0; i < n; i++) {
        put_dependence(json_array_get(list, i), output, b);
    }
    buf_put_str(b, n == 0 ? "" : "</div>");
}

/* ---- rows side by side ---- */

static void
put_value(const json_t *v, struct buf *b)
{
    if (json_is_string(v)) {
        html_put(b, json_string_value(v));
    } else {
        put_number(b, json_is_number(v) ? json_number_value(v) : NAN);
    }
}

static void
put_totals(const json_t *local, size_t rows, size_t output, const char *key, struct buf *b)
{
    buf_printf(b, "<tr><th>%s</th>", key);
    for (size_t i = 0; i < rows; i++) {
        buf_put_str(b, "<td></td>");
        put_cell(b, document_number(output_of(json_array_get(local, i), output), key));
    }
    buf_put_str(b, "</tr>");
}

/* How one row's margin comes about; of the first ones. */
static struct status
put_waterfalls(const json_t *d, size_t output, struct buf *b)
{
    const json_t *local = json_object_get(d, "local");
    const size_t n = json_array_size(local);
    buf_put_str(b, n > 0 ? "<div class=\"two\">" : "");
    for (size_t i = 0; i < n && i < WATERFALLS; i++) {
        const json_t *row = json_array_get(local, i);
        buf_printf(
            b,
            "<div class=\"card\"><h3>One decision: row %.0f</h3><p class=\"soft small\">From "
            "what is expected of any row to this one, step by step; prediction ",
            document_number(row, "row"));
        put_number(b, document_number(output_of(row, output), "prediction"));
        buf_put_str(b, "</p>");
        TRY(html_chart_waterfall(d, row, output, b));
        buf_put_str(b, "</div>");
    }
    buf_put_str(b, n > 0 ? "</div>" : "");
    return OK;
}

static struct status
put_local(const json_t *d, size_t output, struct buf *b)
{
    const json_t *local = json_object_get(d, "local"),
                 *features = json_object_get(output_of(d, output), "features");
    const size_t n = json_array_size(local), rows = n < LOCAL_ROWS ? n : LOCAL_ROWS;
    DEFER(memory_freep) struct document_ranked *r = NULL;
    if (n == 0) {
        return OK;
    }
    TRY(document_rank(features, "mean_abs", DOCUMENT_LARGEST, &r));
    const size_t all = json_array_size(features), lines = all < LOCAL_LINES ? all : LOCAL_LINES;
    buf_put_str(b,
                "<div class=\"card\"><h3>Rows side by side</h3><table><thead><tr><th>feature</th>");
    for (size_t i = 0; i < rows; i++) {
        buf_printf(b, "<th>row %.0f</th><th>phi</th>",
                   document_number(json_array_get(local, i), "row"));
    }
    buf_put_str(b, "</tr></thead><tbody>");
    for (size_t f = 0; f < lines; f++) {
        buf_put_str(b, "<tr><th>");
        html_put(b, document_text(r[f].item, "feature"));
        buf_put_str(b, "</th>");
        for (size_t i = 0; i < rows; i++) {
            const json_t *row = json_array_get(local, i);
            buf_put_str(b, "<td>");
            put_value(json_array_get(json_object_get(row, "values"), r[f].place), b);
            buf_put_str(b, "</td>");
            put_cell(b, document_end(output_of(row, output), "phi", r[f].place));
        }
        buf_put_str(b, "</tr>");
    }
    put_totals(local, rows, output, "margin", b);
    put_totals(local, rows, output, "prediction", b);
    buf_put_str(b, "</tbody></table>");
    if (n > rows || all > lines) {
        buf_printf(b,
                   "<p class=\"soft small\">%zu of %zu rows and %zu of %zu features; the JSON "
                   "has all.</p>",
                   rows, n, lines, all);
    }
    buf_put_str(b, "</div>");
    return OK;
}

/* ---- the whole ---- */

static void
put_groups(const json_t *groups, struct buf *b)
{
    for (size_t i = 0; i < json_array_size(groups); i++) {
        const json_t *g = json_array_get(groups, i), *of = json_object_get(g, "features");
        buf_put_str(b, "<p class=\"soft small\"><b>");
        html_put(b, document_text(g, "column"));
        buf_put_str(b, "</b> is the sum of its columns: ");
        for (size_t k = 0; k < json_array_size(of) && k < GROUP_NAMES; k++) {
            buf_put_str(b, k == 0 ? "" : ", ");
            html_put(b, json_string_value(json_array_get(of, k)));
        }
        if (json_array_size(of) > GROUP_NAMES) {
            buf_printf(b, " and %zu more", json_array_size(of) - GROUP_NAMES);
        }
        buf_put_str(b, "</p>");
    }
}

static void
put_pairs(const json_t *d, size_t output, struct buf *b)
{
    const json_t *pairs =
        json_object_get(json_array_get(json_object_get(d, "interactions"), output), "pairs");
    if (json_array_size(pairs) == 0) {
        return;
    }
    buf_put_str(b, "<div class=\"card\"><h3>Pairs</h3><table><thead><tr><th>feature</th>"
                   "<th>with</th><th>mean size</th></tr></thead><tbody>");
    for (size_t i = 0; i < json_array_size(pairs); i++) {
        const json_t *p = json_array_get(pairs, i), *names = json_object_get(p, "features");
        buf_put_str(b, "<tr><th>");
        html_put(b, json_string_value(json_array_get(names, 0)));
        buf_put_str(b, "</th><th>");
        html_put(b, json_string_value(json_array_get(names, 1)));
        buf_put_str(b, "</th>");
        put_cell(b, document_number(p, "mean_abs"));
        buf_put_str(b, "</tr>");
    }
    buf_put_str(b, "</tbody></table></div>");
}

/* Everything of one output. */
static struct status
put_output(const json_t *d, size_t output, struct buf *b)
{
    TRY(put_global(d, output, b));
    TRY(put_all_cohorts(json_object_get(d, "cohorts"), output, b));
    put_all_dependence(json_object_get(d, "dependence"), output, b);
    TRY(put_waterfalls(d, output, b));
    TRY(put_local(d, output, b));
    put_pairs(d, output, b);
    return OK;
}

/* Features by the outputs, which are classes or numbers, the largest over all outputs first. */
static struct status
rank_over_outputs(const json_t *d, size_t outputs, json_t **ret_items)
{
    const size_t n = json_array_size(json_object_get(output_of(d, 0), "features"));
    DEFER(js_freep) json_t *list = json_array();
    CHECK(list != NULL, MEMORY);
    for (size_t f = 0; f < n; f++) {
        double sum = 0;
        for (size_t k = 0; k < outputs; k++) {
            sum += document_number(json_array_get(json_object_get(output_of(d, k), "features"), f),
                                   "mean_abs");
        }
        CHECK(json_array_append_new(list, json_pack("{s:o}", "sum", js_real(sum))) == 0, MEMORY);
    }
    *ret_items = MOVE(list);
    return OK;
}

static struct status
put_by_output(const json_t *d, size_t outputs, size_t drawn, struct buf *b)
{
    DEFER(js_freep) json_t *items = NULL;
    DEFER(memory_freep) struct document_ranked *r = NULL;
    TRY(rank_over_outputs(d, outputs, &items));
    TRY(document_rank(items, "sum", DOCUMENT_LARGEST, &r));
    const size_t n = json_array_size(items), lines = n < BARS ? n : BARS;
    buf_put_str(b, "<div class=\"card\"><h3>What counts, for each output</h3><table><thead><tr>"
                   "<th>mean |phi|</th>");
    for (size_t k = 0; k < drawn; k++) {
        buf_put_str(b, "<th>");
        html_put(b, document_text(output_of(d, k), "output"));
        buf_put_str(b, "</th>");
    }
    buf_put_str(b, "</tr></thead><tbody>");
    for (size_t i = 0; i < lines; i++) {
        const json_t *first = json_object_get(output_of(d, 0), "features");
        buf_put_str(b, "<tr><th>");
        html_put(b, document_text(json_array_get(first, r[i].place), "feature"));
        buf_put_str(b, "</th>");
        for (size_t k = 0; k < drawn; k++) {
            const json_t *features = json_object_get(output_of(d, k), "features");
            put_cell(b, document_number(json_array_get(features, r[i].place), "mean_abs"));
        }
        buf_put_str(b, "</tr>");
    }
    buf_printf(b,
               "</tbody></table><p class=\"soft small\">The %zu largest of %zu features over all "
               "outputs.</p></div>",
               lines, n);
    return OK;
}

static struct status
put_outputs(const json_t *d, size_t outputs, struct buf *b)
{
    const size_t drawn = outputs < OUTPUTS ? outputs : OUTPUTS;
    TRY(put_by_output(d, outputs, drawn, b));
    for (size_t k = 0; k < drawn; k++) {
        buf_printf(b, "<details class=\"all\"%s><summary>Output ", k == 0 ? " open=\"\"" : "");
        html_put(b, document_text(output_of(d, k), "output"));
        buf_put_str(b, ", expected ");
        put_number(b, document_number(output_of(d, k), "base"));
        buf_put_str(b, "</summary>");
        TRY(put_output(d, k, b));
        buf_put_str(b, "</details>");
    }
    if (drawn < outputs) {
        buf_printf(b, "<p class=\"soft small\">The first %zu of %zu outputs; the JSON has all.</p>",
                   drawn, outputs);
    }
    return OK;
}

struct status
html_explain(const json_t *d, struct buf *b)
{
    const json_t *remarks = json_object_get(d, "remarks");
    const size_t outputs = json_array_size(json_object_get(d, "outputs"));
    html_section("explanation", "Explanations", b);
    buf_put_str(b, "<p class=\"soft\">Attributions to each feature, "
                   "from the model itself, on the ");
    html_put(b, document_text(d, "scale"));
    if (json_object_get(d, "background") != NULL) {
        buf_printf(b, ", against a background of %.0f rows (",
                   document_number(d, "background_rows"));
        html_put(b, document_text(d, "background"));
        buf_put_str(b, ")");
    }
    if (outputs <= 1) {
        buf_put_str(b, "; expected ");
        put_number(b, document_number(output_of(d, 0), "base"));
    }
    buf_put_str(b, "</p>");
    put_groups(json_object_get(d, "groups"), b);
    TRY(outputs > 1 ? put_outputs(d, outputs, b) : put_output(d, 0, b));
    for (size_t i = 0; i < json_array_size(remarks); i++) {
        buf_put_str(b, "<p class=\"soft small\">");
        html_put_prose(b, json_string_value(json_array_get(remarks, i)));
        buf_put_str(b, "</p>");
    }
    put_definitions(d, b);
    buf_put_str(b, "</section>");
    return buf_status(b);
}

struct status
html_explain_page(const json_t *d, struct buf *b)
{
    html_open("Explanation", b);
    buf_put_str(b, "<header><div class=\"kind\">Explanation</div><h1>");
    html_put(b, document_text(d, "model"));
    buf_printf(b,
               "</h1><p class=\"facts\"><span><b>%.0f</b> rows</span><span>precision <b>%s</b>"
               "</span></p></header>",
               document_number(d, "rows"), document_text(d, "precision"));
    html_main(b);
    TRY(html_explain(d, b));
    html_close(b);
    return buf_status(b);
}
