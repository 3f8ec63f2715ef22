/* The old and the new version of a model as a page: what changed, for whom. */
#include "report/mitigate_compare.h"

#include "report/html_parts.h"
#include "report/html_svg.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LEFT 250.0
#define WIDE 420.0
#define HIGH 34.0 /* of a group: two bars' worth */
#define DRAWN 24u

static const char *const definitions[][2] = {
    {"before, after", "the assessments of the version that was mitigated and of the one that came "
                      "of it, on the same rows; both are kept"},
    {"difference", "of the group in which the figure is greatest and the one in which it is least"},
    {"demographic parity difference", "of the selection rates: the share decided for; of several "
                                      "classes the share that is given the class"},
    {"equalized odds difference",
     "the greater of the differences of the true and of the false positive rates"},
    {"zero one loss", "share decided wrongly"},
    {"interval", "95 %: what samples of so many rows would show by chance; of the rows that were "
                 "assessed, for the version as it is"},
};

/* ---- tables ---- */

static void
put_number(double v, bool share, struct buf *b)
{
    if (!isfinite(v)) {
        buf_put_str(b, "\xe2\x80\x93");
    } else {
        const bool whole = !share && fabs(v) >= 1e3 && fabs(v) < 1e9;
        buf_printf(b, share ? "%.4f" : whole ? "%.0f" : "%.5g", v);
    }
}

static void
put_cell(const json_t *row, const char *key, const char *ci, bool share, struct buf *b)
{
    const double low = document_end(row, ci, 0), high = document_end(row, ci, 1);
    buf_put_str(b, "<td>");
    put_number(document_number(row, key), share, b);
    if (isfinite(low) && isfinite(high)) {
        buf_put_str(b, " <span class=\"soft small\">");
        put_number(low, share, b);
        buf_put_str(b, "\xe2\x80\x93");
        put_number(high, share, b);
        buf_put_str(b, "</span>");
    }
    buf_put_str(b, "</td>");
}

/* "mean_squared_error, difference" as people read it; what stands before a colon is a class. */
static void
put_words(const char *name, struct buf *b)
{
    char text[200];
    (void)snprintf(text, sizeof text, "%s", name);
    char *own = strrchr(text, ':');
    for (char *c = own == NULL ? text : own; *c != '\0'; c++) {
        *c = *c == '_' ? ' ' : *c;
    }
    html_put(b, text);
}

static void
put_table(const json_t *rows, const char *of, bool groups, bool share, struct buf *b)
{
    size_t i = 0;
    json_t *row = NULL;
    buf_put_str(b, "<table><thead><tr><th>");
    put_words(of, b);
    buf_put_str(b, "</th>");
    buf_put_str(b, groups ? "<th>rows</th>" : "");
    buf_put_str(b, "<th>before</th><th>after</th></tr></thead><tbody>");
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        buf_put_str(b, "<tr><th>");
        if (groups) {
            html_put(b, document_text(row, "name"));
            buf_printf(b, "</th><td>%.0f</td>", document_number(row, "rows"));
        } else {
            put_words(document_text(row, "name"), b);
            buf_put_str(b, "</th>");
        }
        put_cell(row, "before", "before_ci", share, b);
        put_cell(row, "after", "after_ci", share, b);
        buf_put_str(b, "</tr>");
    }
    buf_put_str(b, "</tbody></table>");
}

/* ---- the groups, before and after ---- */

static double
most_of(const json_t *rows)
{
    static const char *const keys[] = {"before", "after"}, *const cis[] = {"before_ci", "after_ci"};
    size_t i = 0;
    json_t *row = NULL;
    double most = 0;
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        for (size_t k = 0; k < 2 && i < DRAWN; k++) {
            const double v = document_number(row, keys[k]), high = document_end(row, cis[k], 1);
            most = fmax(most, isfinite(high) ? high : isfinite(v) ? v : 0);
        }
    }
    return most > 0 ? most : 1;
}

static void
put_mark(const json_t *row, const char *key, const char *ci, const char *class, double y,
         double most, struct buf *b)
{
    const double v = document_number(row, key), low = document_end(row, ci, 0),
                 high = document_end(row, ci, 1);
    if (isfinite(low) && isfinite(high)) {
        svg_line(b, *class == 'r' ? "ci2" : "ci", LEFT + WIDE * fmax(low, 0) / most, y,
                 LEFT + WIDE * high / most, y);
    }
    if (isfinite(v)) {
        svg_dot(b, class, LEFT + WIDE * fmax(v, 0) / most, y, 5);
    }
}

static void
put_axis(double most, bool share, double bottom, struct buf *b)
{
    const double step = svg_tick_step(most);
    for (unsigned i = 0; i * step <= most * (1 + 1e-9); i++) {
        char text[32];
        const double x = LEFT + WIDE * (i * step) / most;
        (void)snprintf(text, sizeof text, share ? "%.2g" : "%.3g", i * step);
        svg_line(b, "g", x, 4, x, bottom);
        svg_label(b, x, bottom + 18, "middle", "s", 12, text);
    }
}

static void
put_chart(const json_t *block, bool share, struct buf *b)
{
    const json_t *rows = json_object_get(block, "groups");
    const size_t all = json_array_size(rows), n = all < DRAWN ? all : DRAWN;
    const double most = most_of(rows), bottom = 8 + HIGH * (double)n;
    size_t i = 0;
    json_t *row = NULL;
    svg_open(b, (int)(LEFT + WIDE + 30), (int)bottom + 30, false,
             "Each group before and after, with its interval; the table below has the same");
    put_axis(most, share, bottom, b);
    json_array_foreach((json_t *)(uintptr_t)rows, i, row)
    {
        const double y = 8 + HIGH * (double)i;
        if (i < n) {
            svg_label(b, LEFT - 10, y + HIGH / 2 + 4, "end", "", 32, document_text(row, "name"));
            put_mark(row, "before", "before_ci", "r", y + 11, most, b);
            put_mark(row, "after", "after_ci", "b", y + 23, most, b);
        }
    }
    svg_close(b);
    buf_put_str(b, "<p class=\"soft small\"><span class=\"key r\"></span> before, above; <span "
                   "class=\"key b\"></span> after, below; lines are 95 % intervals.");
    if (all > n) {
        buf_printf(b, " The first %zu of %zu groups are drawn.", n, all);
    }
    buf_put_str(b, "</p>");
}

static void
put_block(const json_t *block, bool share, struct buf *b)
{
    buf_put_str(b, "<section><h2>By ");
    html_put_columns(b, json_object_get(block, "columns"));
    buf_put_str(b, "</h2><div class=\"card\">");
    put_table(json_object_get(block, "figures"), "differences", false, share, b);
    buf_put_str(b, "</div><div class=\"card\"><h3>");
    put_words(document_text(block, "groups_by"), b);
    buf_put_str(b, " of each group</h3>");
    put_chart(block, share, b);
    put_table(json_object_get(block, "groups"), "group", true, share, b);
    buf_put_str(b, "</div></section>");
}

/* ---- the page ---- */

static void
put_header(const json_t *result, struct buf *b)
{
    const json_t *model = json_object_get(result, "model"),
                 *after = json_object_get(result, "after"),
                 *note = json_object_get(json_object_get(model, "manifest"), "mitigation");
    size_t i = 0;
    json_t *name = NULL;
    buf_put_str(b, "<header><div class=\"kind\">Mitigation</div><h1>");
    html_put(b, document_text(model, "name"));
    buf_printf(b, " <span class=\"soft\">version %.0f, made from version %.0f</span></h1>",
               document_number(model, "version"), document_number(note, "based_on"));
    buf_put_str(b, "<div class=\"facts\"><span>method <b>");
    html_put(b, document_text(note, "method"));
    buf_put_str(b, "</b></span><span>for <b>");
    json_array_foreach(json_object_get(note, "sensitive"), i, name)
    {
        buf_put_str(b, i == 0 ? "" : ", ");
        html_put(b, json_string_value(name));
    }
    buf_put_str(b, "</b></span>");
    if (json_object_get(note, "constraint") != NULL) {
        buf_put_str(b, "<span>constraint <b>");
        html_put(b, document_text(note, "constraint"));
        buf_put_str(b, "</b></span>");
    }
    buf_put_str(b, "<span>assessed on <b>");
    html_put(b, document_text(json_object_get(after, "dataset"), "name"));
    buf_put_str(b, ", ");
    html_put(b, document_text(after, "selection"));
    buf_printf(b, "</b>, <b>%.0f</b> rows</span></div></header>", document_number(after, "rows"));
}

struct status
html_mitigated_page(const json_t *result, const json_t *remarks, struct buf *ret_html)
{
    struct buf *b = ret_html;
    const bool share = document_task(json_object_get(result, "after")) != MODEL_NUMBER;
    const json_t *blocks = json_object_get(result, "comparison");
    size_t i = 0;
    json_t *item = NULL;
    html_open("Mitigation: before and after", b);
    put_header(result, b);
    html_main(b);
    buf_put_str(b, "<section><h2>Before and after</h2>");
    json_array_foreach((json_t *)(uintptr_t)remarks, i, item)
    {
        buf_put_str(b, "<p>");
        html_put_prose(b, json_string_value(item));
        buf_put_str(b, "</p>");
    }
    buf_put_str(b, "<div class=\"card\">");
    put_table(json_object_get(json_array_get(blocks, 0), "figures"), "all rows", false, share, b);
    buf_put_str(b, "</div>");
    html_definitions(definitions, sizeof definitions / sizeof *definitions, b);
    buf_put_str(b, "</section>");
    json_array_foreach((json_t *)(uintptr_t)blocks, i, item)
    {
        if (i > 0) {
            put_block(item, share, b);
        }
    }
    html_close(b);
    return buf_status(b);
}
