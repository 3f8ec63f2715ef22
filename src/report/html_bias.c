/* The bias document as a section of a page, and as a page of its own. */
#include "report/bias_document.h"

#include "report/html_parts.h"
#include "report/html_svg.h"

#include <math.h>
#include <stdio.h>

#define ROWS_LISTED 15u
#define LEFT 8.0
#define WIDTH 454.0
#define ROW 42

/* ---- definitions, one click away ---- */

static const char *const definitions[][2] = {
    {"CI", "class imbalance: others minus the group, by all rows; 0 when as many"},
    {"DPL", "difference in positive proportions of labels: the others' rate minus the group's"},
    {"KL", "Kullback-Leibler divergence of the others' labels from the group's, in nats; Infinity "
           "when the group lacks a label that the others have"},
    {"JS", "Jensen-Shannon divergence, from 0 to 0.693"},
    {"LP", "Euclidean distance of the label shares"},
    {"TVD", "total variation distance: half the sum of the differences of the label shares"},
    {"KS", "the greatest difference of a label's share"},
    {"CDDL", "conditional demographic disparity in labels: the group's share of the refused minus "
             "its share of the accepted, averaged over strata"},
    {"p", "chi-square test, adjusted for the number of groups (Benjamini and Hochberg)"},
};

/* ---- numbers ---- */

static void
put_figure(struct buf *b, const json_t *v)
{
    if (json_is_string(v)) {
        html_put(b, json_string_value(v));
    } else if (json_is_number(v)) {
        buf_printf(b, "%.3f", json_number_value(v));
    } else {
        buf_put_str(b, "&ndash;");
    }
}

static void
put_p(struct buf *b, double p)
{
    if (isnan(p)) {
        buf_put_str(b, "&ndash;");
    } else {
        buf_printf(b, p < 0.001 ? "&lt;&thinsp;0.001" : "%.3f", p);
    }
}

static void
put_metric(struct buf *b, const json_t *metrics, const char *key)
{
    const json_t *m = json_object_get(metrics, key);
    buf_put_str(b, "<td>");
    put_figure(b, json_object_get(m, "value"));
    if (json_is_number(json_array_get(json_object_get(m, "ci"), 0))) {
        buf_printf(b, "<span class=\"ci\">%.2f to ", document_end(m, "ci", 0));
        if (json_is_number(json_array_get(json_object_get(m, "ci"), 1))) {
            buf_printf(b, "%.2f</span>", document_end(m, "ci", 1));
        } else {
            buf_put_str(b, "&infin;</span>");
        }
    }
    buf_put_str(b, "</td>");
}

/* A cell with a share and its interval, in percent. */
static void
put_share(struct buf *b, const json_t *rate)
{
    buf_put_str(b, "<td>");
    html_put_percent(b, document_number(rate, "value"), 1);
    if (document_number(rate, "n") > 0) {
        buf_printf(b, "<span class=\"ci\">%.0f&ndash;%.0f</span>",
                   100 * document_end(rate, "ci", 0), 100 * document_end(rate, "ci", 1));
    }
    buf_put_str(b, "</td>");
}

/* ---- groups ---- */

static double
most_of(const json_t *const *groups, size_t n, const char *key)
{
    double most = 0.05;
    for (size_t i = 0; i < n; i++) {
        const double high = document_end(json_object_get(groups[i], key), "ci", 1);
        most = high > most ? high : most;
    }
    return most > 1 ? 1 : most;
}

static void
put_rate_row(const json_t *g, const char *key, double scale, double y, struct buf *b)
{
    const json_t *r = json_object_get(g, key);
    const bool judged = json_is_true(json_object_get(g, "judged"));
    const double v = document_number(r, "value");
    char text[96];
    svg_label(b, LEFT, y, "start", judged ? "" : "s", 36, document_text(g, "group"));
    if (isnan(v)) {
        svg_label(b, LEFT + WIDTH, y, "end", "s", 40, "no such rows");
        return;
    }
    (void)snprintf(text, sizeof text, "%.1f %%  (%.0f of %.0f)%s", 100 * v, document_number(r, "x"),
                   document_number(r, "n"), judged ? "" : ", few");
    svg_label(b, LEFT + WIDTH, y, "end", judged ? "" : "s", 40, text);
    svg_line(b, judged ? "ci" : "ci2", LEFT + document_end(r, "ci", 0) * scale, y + 14,
             LEFT + document_end(r, "ci", 1) * scale, y + 14);
    svg_dot(b, judged ? "b" : "weak", LEFT + v * scale, y + 14, 5.5);
}

static void
put_rates(const json_t *const *groups, size_t n, const char *key, const char *title, struct buf *b)
{
    const double most = most_of(groups, n, key), scale = WIDTH / most, step = svg_tick_step(most);
    const int height = (int)n * ROW + 30;
    svg_open(b, 470, height, false, title);
    for (double t = 0; t <= most * 1.0001; t += step) {
        char text[32];
        const double x = LEFT + t * scale;
        (void)snprintf(text, sizeof text, "%.3g %%", 100 * t);
        svg_line(b, "g", x, 2, x, height - 22);
        svg_label(b, x, height - 6,
                  t <= 0            ? "start"
                  : t > most * 0.95 ? "end"
                                    : "middle",
                  "s", 12, text);
    }
    for (size_t i = 0; i < n; i++) {
        put_rate_row(groups[i], key, scale, 16 + ROW * (double)i, b);
    }
    svg_close(b);
}

static void
put_groups(const json_t *factor, const json_t *const *groups, size_t n, bool strata, struct buf *b)
{
    static const char *const keys[] = {"CI", "DPL", "KL", "JS", "LP", "TVD", "KS", "CDDL"};
    const size_t shown = strata ? 8 : 7, all = json_array_size(json_object_get(factor, "groups"));
    buf_put_str(b, "<div class=\"card\"><h4>Each group against all others</h4><table><thead><tr>"
                   "<th>group</th>");
    for (size_t k = 0; k < shown; k++) {
        buf_printf(b, "<th>%s</th>", keys[k]);
    }
    buf_put_str(b, "<th>p</th></tr></thead><tbody>");
    for (size_t i = 0; i < n; i++) {
        const bool judged = json_is_true(json_object_get(groups[i], "judged"));
        buf_printf(b, "<tr%s><th>", judged ? "" : " class=\"few\"");
        html_put(b, document_text(groups[i], "group"));
        buf_printf(b, "%s</th>", judged ? "" : " (few)");
        for (size_t k = 0; k < shown; k++) {
            put_metric(b, json_object_get(groups[i], "metrics"), keys[k]);
        }
        buf_put_str(b, "<td>");
        put_p(b, document_number(groups[i], "p_adjusted"));
        buf_put_str(b, "</td></tr>");
    }
    buf_put_str(b, "</tbody></table>");
    html_definitions(definitions, sizeof definitions / sizeof *definitions, b);
    buf_put_str(b, "</div>");
    if (all > n) {
        buf_printf(b,
                   "<p class=\"soft small\">The %zu largest of %zu groups; the JSON has all.</p>",
                   n, all);
    }
}

/* ---- strata ---- */

static void
put_strata(const json_t *d, const json_t *factor, struct buf *b)
{
    const json_t *strata = json_object_get(factor, "by_stratum");
    const json_t *first = json_object_get(json_array_get(strata, 0), "groups");
    size_t i = 0, k = 0;
    json_t *s = NULL, *g = NULL;
    if (json_array_size(first) == 0) {
        return;
    }
    buf_put_str(b, "<h3>Among rows with the same ");
    html_put(b, document_text(d, "strata"));
    buf_put_str(b, "</h3><div class=\"card\"><table><thead><tr><th>");
    html_put(b, document_text(d, "strata"));
    buf_put_str(b, "</th><th>rows</th>");
    json_array_foreach((json_t *)(uintptr_t)first, k, g)
    {
        buf_put_str(b, "<th>");
        html_put(b, document_text(g, "group"));
        buf_put_str(b, "</th>");
    }
    buf_put_str(b, "</tr></thead><tbody>");
    json_array_foreach((json_t *)(uintptr_t)strata, i, s)
    {
        if (i == ROWS_LISTED) {
            break;
        }
        buf_put_str(b, "<tr><th>");
        html_put(b, json_is_string(json_object_get(s, "stratum")) ? document_text(s, "stratum")
                                                                  : "(missing)");
        buf_printf(b, "</th><td>%.0f</td>", document_number(s, "n"));
        json_array_foreach(json_object_get(s, "groups"), k, g)
        {
            put_share(b, json_object_get(g, "positive_rate"));
        }
        buf_put_str(b, "</tr>");
    }
    buf_put_str(b, "</tbody></table></div>");
}

/* ---- representation ---- */

static void
put_representation(const json_t *factor, struct buf *b)
{
    const json_t *r = json_object_get(factor, "representation");
    size_t i = 0;
    json_t *g = NULL;
    if (r == NULL) {
        return;
    }
    buf_put_str(b, "<h3>Against the reference</h3><div class=\"card\"><table><thead><tr>"
                   "<th>group</th><th>rows</th><th>share</th><th>reference</th><th>ratio</th>"
                   "<th>p</th></tr></thead><tbody>");
    json_array_foreach(json_object_get(r, "groups"), i, g)
    {
        if (i == HTML_GROUPS) {
            break;
        }
        buf_put_str(b, "<tr><th>");
        html_put(b, document_text(g, "group"));
        buf_printf(b, "</th><td>%.0f</td><td>", document_number(g, "n"));
        html_put_percent(b, document_number(g, "share"), 1);
        buf_printf(b, "<span class=\"ci\">%.1f&ndash;%.1f</span></td><td>",
                   100 * document_end(g, "ci", 0), 100 * document_end(g, "ci", 1));
        html_put_percent(b, document_number(g, "reference"), 1);
        buf_put_str(b, "</td><td>");
        put_figure(b, json_object_get(g, "ratio"));
        buf_put_str(b, "</td><td>");
        put_p(b, document_number(g, "p_adjusted"));
        buf_put_str(b, "</td></tr>");
    }
    buf_put_str(b, "</tbody></table></div>");
}

/* ---- proxies and missing values ---- */

static void
put_proxy_row(const json_t *p, struct buf *b)
{
    const json_t *columns = json_object_get(p, "columns");
    buf_put_str(b, "<tr><th>");
    html_put(b, json_string_value(json_array_get(columns, 0)));
    if (json_array_size(columns) > 1) {
        buf_put_str(b, " with ");
        html_put(b, json_string_value(json_array_get(columns, 1)));
    }
    buf_put_str(b, "</th><td>");
    put_figure(b, json_object_get(p, "auc"));
    buf_put_str(b, "<span class=\"ci\">");
    put_figure(b, json_array_get(json_object_get(p, "auc_ci"), 0));
    buf_put_str(b, " to ");
    put_figure(b, json_array_get(json_object_get(p, "auc_ci"), 1));
    buf_put_str(b, "</span></td><td>");
    put_figure(b, json_object_get(p, "normalized_mutual_information"));
    buf_put_str(b, "</td><td>");
    html_put_percent(b, document_number(p, "uncertainty_coefficient"), 1);
    buf_put_str(b, "</td><td>");
    put_p(b, document_number(p, "p_adjusted"));
    buf_put_str(b, "</td></tr>");
}

static void
put_proxies(const json_t *factor, struct buf *b)
{
    static const char *const keys[] = {"proxies", "proxy_pairs"};
    size_t i = 0;
    json_t *p = NULL;
    buf_put_str(b, "<h3>Columns that tell the group</h3><div class=\"card\"><table><thead><tr>"
                   "<th>column</th><th>AUC</th><th>mutual information</th><th>told</th><th>p</th>"
                   "</tr></thead><tbody>");
    for (size_t k = 0; k < 2; k++) {
        json_array_foreach(json_object_get(factor, keys[k]), i, p)
        {
            if (i == ROWS_LISTED) {
                break;
            }
            put_proxy_row(p, b);
        }
    }
    buf_printf(b,
               "</tbody></table><details><summary>What the numbers mean</summary><dl><dt>AUC</dt>"
               "<dd>how well the column's value ranks rows of a group above others, on rows that "
               "were not used for it (%.0f folds); 0.5: not at all, 1: always</dd><dt>mutual "
               "information</dt><dd>as a share of the mean of both entropies</dd><dt>told</dt><dd>"
               "share of the group's entropy that the column tells, in the sample</dd><dt>p</dt>"
               "<dd>chi-square test, adjusted for the number of columns; of two columns: whether "
               "the second adds anything</dd></dl></details></div><p class=\"soft small\">The "
               "strongest of %zu columns, and of %.0f pairs those that tell more together.</p>",
               document_number(factor, "proxy_folds"),
               json_array_size(json_object_get(factor, "proxies")),
               document_number(factor, "pairs_looked_at"));
    const json_t *left_out = json_object_get(factor, "columns_left_out");
    if (json_array_size(left_out) > 0) {
        buf_put_str(b, "<p class=\"soft small\">Not looked at, being free text or of too many "
                       "different values:");
        json_array_foreach((json_t *)(uintptr_t)left_out, i, p)
        {
            buf_put_str(b, i == 0 ? " " : ", ");
            html_put(b, json_string_value(p));
        }
        buf_put_str(b, ".</p>");
    }
}

static void
put_missingness(const json_t *factor, struct buf *b)
{
    size_t i = 0;
    json_t *m = NULL;
    const json_t *all = json_object_get(factor, "missingness");
    if (json_array_size(all) == 0) {
        return;
    }
    buf_put_str(b, "<h3>Missing values</h3><div class=\"card\"><table><thead><tr><th>column</th>"
                   "<th>missing</th><th>most in</th><th>least in</th><th>difference</th><th>p</th>"
                   "</tr></thead><tbody>");
    json_array_foreach((json_t *)(uintptr_t)all, i, m)
    {
        if (i == ROWS_LISTED) {
            break;
        }
        buf_put_str(b, "<tr><th>");
        html_put(b, document_text(m, "column"));
        buf_printf(b, "</th><td>%.0f</td><td>", document_number(m, "missing"));
        html_put(b, document_text(m, "high"));
        buf_put_str(b, "</td><td>");
        html_put(b, document_text(m, "low"));
        buf_put_str(b, "</td><td>");
        html_put_percent(b, document_number(m, "difference"), 1);
        buf_put_str(b, "</td><td>");
        put_p(b, document_number(m, "p_adjusted"));
        buf_put_str(b, "</td></tr>");
    }
    buf_put_str(b, "</tbody></table></div>");
}

/* ---- the whole ---- */

static struct status
put_factor(const json_t *d, const json_t *factor, struct buf *b)
{
    const json_t *groups[HTML_GROUPS], *label = json_object_get(d, "label");
    size_t n = 0;
    TRY(html_groups(factor, groups, &n));
    buf_put_str(b, "<h3>");
    html_put(b, document_text(factor, "factor"));
    buf_put_str(b, "</h3><div class=\"two\"><div class=\"card\"><h4>Who is in the data</h4>");
    put_rates(groups, n, "share", "Share of the rows by group, with intervals", b);
    buf_put_str(b, "</div><div class=\"card\"><h4>Who has ");
    html_put(b, document_text(label, "column"));
    buf_put_str(b, "&nbsp;=&nbsp;");
    html_put(b, document_text(label, "positive"));
    buf_put_str(b, "</h4>");
    put_rates(groups, n, "positive_rate", "Rate of the positive label by group, with intervals", b);
    buf_put_str(b, "</div></div>");
    put_groups(factor, groups, n, json_is_string(json_object_get(d, "strata")), b);
    put_strata(d, factor, b);
    put_representation(factor, b);
    put_proxies(factor, b);
    put_missingness(factor, b);
    return OK;
}

struct status
html_bias(const json_t *document, struct buf *b)
{
    size_t i = 0;
    json_t *v = NULL;
    html_section("bias", "Bias in the data", b);
    buf_printf(b,
               "<p class=\"soft\">What is uneven in the rows themselves, before any model. "
               "Bars and small figures are %.4g&thinsp;%% intervals; groups with fewer than %.0f "
               "rows are shown in grey and not judged. %.0f rows have no label.</p><ul>",
               100 * document_number(document, "level"), document_number(document, "min_group"),
               document_number(document, "rows_without_label"));
    json_array_foreach(json_object_get(document, "findings"), i, v)
    {
        buf_put_str(b, "<li>");
        html_put_prose(b, document_text(v, "text"));
        buf_put_str(b, "</li>");
    }
    json_array_foreach(json_object_get(document, "without_groups"), i, v)
    {
        DEFER(buf_done) struct buf text;
        buf_init(&text, 1u << 16);
        document_put_without_groups(v, &text);
        TRY(buf_status(&text));
        buf_put_str(b, "<li>");
        html_put_prose(b, buf_str(&text));
        buf_put_str(b, ".</li>");
    }
    buf_put_str(b, "</ul>");
    json_array_foreach(json_object_get(document, "factors"), i, v)
    {
        TRY(put_factor(document, v, b));
    }
    buf_put_str(b, "</section>");
    return buf_status(b);
}

struct status
html_bias_page(const json_t *document, struct buf *ret_html)
{
    html_open("Bias in data", ret_html);
    buf_printf(ret_html,
               "<header><div class=\"kind\">Bias in data</div><h1>%.0f rows</h1></header>",
               document_number(document, "rows"));
    html_main(ret_html);
    html_cohort(document, ret_html);
    TRY(html_bias(document, ret_html));
    html_close(ret_html);
    return buf_status(ret_html);
}
